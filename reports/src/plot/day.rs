//! Charts over the run: how rates, hit ratios, utilisation and latency go with the hours.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::Plot;
use super::frame::{
    Area, Axis, Chart, Drawn, EndLabel, Layout, draw, end_labels, fine, point, text, ticks_from_zero,
};
use super::svg::{Ink, SERIES_MAX, text_width};
use crate::format::{clock, human, significant};
use crate::record::{Interval, Run, Unit};
use crate::story;

const HOUR_S: f64 = 3600.0;
const DAY_S: f64 = 86_400.0;

pub(super) struct Line {
    pub name: String,
    /// One value a slot; gaps where nothing happened.
    pub values: Vec<Option<f64>>,
    pub ink: Ink,
    pub dashed: bool,
    pub band: Option<Interval>,
}

/// Rates of all actions.
#[must_use]
pub fn rates(run: &Run) -> Option<Plot> {
    let lines = lines(run.actions.iter().map(|a| (a.name.as_str(), some(&a.series.rate_per_s), None)));
    let main = story::main_action(run)?;
    let (slot, peak) = highest(&some(&main.series.rate_per_s))?;
    let times = peak / main.rate_mean_per_s;
    let times = if times.is_finite() && times >= 1.05 {
        format!(", {} times its mean", significant(times, 2))
    } else {
        String::new()
    };
    let title = format!(
        "{} peaks at {}{times}, at {}",
        main.name,
        human(peak, Unit::PerSecond),
        story::moment(run, slot as f64 * run.slot_s)
    );
    let top = lines.iter().filter_map(|l| highest(&l.values)).map(|(_, v)| v).fold(0.0, f64::max);
    let y = axis(top, Unit::PerSecond, "requests per second");
    finish(run, title, "Requests per second by action.", &lines, &y, true)
}

/// Hit ratios of all caches, each with the interval of the whole run as a band.
#[must_use]
pub fn hit_ratios(run: &Run) -> Option<Plot> {
    let cached = run.tiers.iter().filter_map(|t| t.cache.as_ref().map(|c| (t, c)));
    let lines = lines(cached.map(|(t, c)| (t.name.as_str(), t.series.hit_ratio.clone(), Some(c.hit_ratio))));
    let main = story::main_cache(run)?;
    let ratio = main.cache.as_ref()?.hit_ratio.value;
    let title = format!("{} answers {} of what reaches it", main.name, human(ratio, Unit::Share));
    let caption = "Share of requests answered by each cache; the band is the 95 % interval of the whole run.";
    finish(run, title, caption, &lines, &share_axis(1.0, "hit ratio"), false)
}

/// Busy shares of all tiers with servers, the fullest first.
#[must_use]
pub fn utilisation(run: &Run) -> Option<Plot> {
    let mut tiers: Vec<_> = run.tiers.iter().filter(|t| t.station.is_some()).collect();
    let peak = |values: &[Option<f64>]| highest(values).map_or(0.0, |(_, v)| v);
    tiers.sort_by(|a, b| peak(&b.series.utilisation).total_cmp(&peak(&a.series.utilisation)));
    let busiest = tiers.first()?;
    let (slot, value) = highest(&busiest.series.utilisation)?;
    let title = format!(
        "{} is the busiest: {} at {}",
        busiest.name,
        human(value, Unit::Share),
        story::moment(run, slot as f64 * run.slot_s)
    );
    let mut caption = "Busy share of servers, mean over regions; the point is the highest slot.".to_owned();
    if let Some(region) = busiest.station.as_ref().filter(|s| s.utilisation_peak.value > value) {
        let worst = human(region.utilisation_peak.value, Unit::Share);
        caption.push_str(&format!(" The worst region of {} reaches {worst}.", busiest.name));
    }
    let left_out = tiers.len().saturating_sub(SERIES_MAX);
    if left_out > 0 {
        caption.push_str(&format!(" The {left_out} least busy tiers are in the table only."));
    }
    let lines = lines(tiers.iter().map(|t| (t.name.as_str(), t.series.utilisation.clone(), None)));
    finish(run, title, &caption, &lines, &share_axis(value.max(1.0), "busy"), true)
}

/// Time to the first byte over the day: p50 and p99 of every action.
#[must_use]
pub fn first_byte(run: &Run) -> Option<Plot> {
    let main = story::main_action(run)?;
    let (slot, worst) = highest(&main.series.first_byte_p99_s)?;
    let least = main.series.first_byte_p99_s.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let title = format!(
        "{}: 99 % start within {} to {}, slowest at {}",
        main.name,
        human(least, Unit::Seconds),
        human(worst, Unit::Seconds),
        story::moment(run, slot as f64 * run.slot_s)
    );
    let mut all = Vec::new();
    for (i, action) in run.actions.iter().take(SERIES_MAX).enumerate() {
        let ink = Ink::Series(i);
        for (percentile, values) in
            [("p99", &action.series.first_byte_p99_s), ("p50", &action.series.first_byte_p50_s)]
        {
            let name = format!("{} {percentile}", action.name);
            all.push(Line { name, values: values.clone(), ink, dashed: percentile == "p50", band: None });
        }
    }
    let top = all.iter().filter_map(|l| highest(&l.values)).map(|(_, v)| v).fold(0.0, f64::max);
    let caption = "Time from the request to the first byte: p99 drawn through, p50 dashed.";
    finish(run, title, caption, &all, &axis(top, Unit::Seconds, "time to the first byte"), false)
}

pub(super) fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().map(|v| Some(*v)).collect()
}

fn lines<'a>(of: impl Iterator<Item = (&'a str, Vec<Option<f64>>, Option<Interval>)>) -> Vec<Line> {
    of.filter(|(_, values, _)| highest(values).is_some())
        .take(SERIES_MAX)
        .enumerate()
        .map(|(i, (name, values, band))| Line {
            name: name.to_owned(),
            values,
            ink: Ink::Series(i),
            dashed: false,
            band,
        })
        .collect()
}

pub(super) fn highest(values: &[Option<f64>]) -> Option<(usize, f64)> {
    let known = values.iter().enumerate().filter_map(|(i, v)| v.filter(|v| v.is_finite()).map(|v| (i, v)));
    known.reduce(|a, b| if b.1 > a.1 { b } else { a })
}

pub(super) fn axis(top: f64, unit: Unit, title: &str) -> Axis {
    let at = ticks_from_zero(top, 4.0);
    // The axis' title says the unit of a rate; times keep theirs, since the prefix is part of it.
    let shown = if unit == Unit::PerSecond { Unit::Count } else { unit };
    let label = |v: f64| if v == 0.0 { "0".to_owned() } else { human(v, shown) };
    let ticks: Vec<(f64, String)> = at.iter().map(|v| (*v, label(*v))).collect();
    Axis { low: 0.0, high: at.last().copied().unwrap_or(1.0), ticks, title: title.to_owned() }
}

fn share_axis(top: f64, title: &str) -> Axis {
    let at = ticks_from_zero(top.max(1.0), 4.0);
    let ticks = at.iter().map(|v| (*v, human(*v, Unit::Share))).collect();
    Axis { low: 0.0, high: at.last().copied().unwrap_or(1.0), ticks, title: title.to_owned() }
}

/// Times of the clock (UTC) of a day or a part of it.
fn clock_axis(from_s: f64, span: f64) -> Axis {
    let step = STEPS_S.into_iter().find(|step| span / step <= 6.0).unwrap_or(6.0 * HOUR_S);
    let first = (from_s / step - 1e-9).ceil() * step;
    let count = ((from_s + span - first) / step + 1e-9).floor().clamp(0.0, 60.0) as u32;
    // A day ends at 24:00 and not where it began.
    let label = |at: f64| if at == DAY_S { "24:00".to_owned() } else { clock(at) };
    let ticks = (0..=count).map(|i| first + f64::from(i) * step).map(|at| (at - from_s, label(at))).collect();
    Axis { low: 0.0, high: span, ticks, title: "hour of the day, UTC".to_owned() }
}

/// Distances of ticks that people read at a glance, seconds.
const STEPS_S: [f64; 11] =
    [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, HOUR_S, 2.0 * HOUR_S, 3.0 * HOUR_S];

/// Hours of a day (UTC), days of a longer run, seconds of a load run.
fn time_axis(run: &Run, slots: usize) -> Axis {
    let span = slots as f64 * run.slot_s;
    if run.from_s > 0.0 && span <= DAY_S {
        return clock_axis(run.from_s, span);
    }
    let (step, one, title) = if span < HOUR_S {
        let ticks = ticks_from_zero(span, 4.0);
        (ticks.get(1).copied().unwrap_or(span), 1.0, "seconds from the start")
    } else if span <= 2.0 * DAY_S {
        (if span <= DAY_S { 6.0 * HOUR_S } else { 12.0 * HOUR_S }, HOUR_S, "hour of the day, UTC")
    } else {
        ((span / DAY_S / 7.0).ceil() * DAY_S, DAY_S, "days from the start")
    };
    let count = (span / step + 1e-9).floor().clamp(0.0, 60.0) as u32;
    let label = |at: f64| {
        if one == HOUR_S { format!("{:02.0}:00", at / one) } else { significant(at / one, 3).clone() }
    };
    let ticks = (0..=count).map(|i| f64::from(i) * step).map(|at| (at, label(at))).collect();
    Axis { low: 0.0, high: span, ticks, title: title.to_owned() }
}

pub(super) fn finish(
    run: &Run,
    title: String,
    caption: &str,
    lines: &[Line],
    y: &Axis,
    mark_peak: bool,
) -> Option<Plot> {
    let slots = lines.iter().map(|l| l.values.len()).max()?;
    if slots < 2 || !(run.slot_s.is_finite() && run.slot_s > 0.0) {
        return None;
    }
    let x = time_axis(run, slots);
    let layout = Layout::fit(y, lines.iter().map(|l| l.name.clone()));
    let svg = draw(layout, &x, y, &title, |root, chart| {
        events(root, chart, run, (&x, y), lines)?;
        for line in lines {
            one_line(chart, run.slot_s, &x, line)?;
        }
        if mark_peak && let Some(first) = lines.first() {
            peak(root, chart, run, layout, first, y)?;
        }
        let labels: Vec<EndLabel> = lines
            .iter()
            .filter_map(|l| {
                let y = l.values.iter().rev().flatten().next().copied()?;
                Some(EndLabel { y, text: l.name.clone(), ink: l.ink })
            })
            .collect();
        end_labels(root, chart, layout, x.high, &labels)
    })?;
    Some(Plot { title, caption: caption.to_owned(), svg })
}

/// Events as shades behind the lines, each with its name where there is room for it.
fn events<'a>(
    root: &Area<'a>,
    chart: &mut Chart<'a>,
    run: &Run,
    (x, y): (&Axis, &Axis),
    lines: &[Line],
) -> Drawn {
    let mut free = i32::MIN;
    for event in &run.events {
        // What happens at once is a line.
        let to_s = event.to_s.max(event.from_s + THIN * (x.high - x.low));
        let (from, to) = ((event.from_s - run.from_s).max(x.low), (to_s - run.from_s).min(x.high));
        if from >= to {
            continue;
        }
        let corners = [(from, y.low), (to, y.low), (to, y.high), (from, y.high)];
        chart.draw_series(std::iter::once(Polygon::new(corners, Ink::Muted.color().mix(0.14))))?;
        let at = |value: f64| chart.backend_coord(&(from, value));
        let (column, end) = (at(y.low).0, chart.backend_coord(&(x.high, y.low)).0);
        let width = fine(text_width(&event.name) + 8.0);
        let per_px = (x.high - from) / f64::from((end - column).max(1));
        let over = (from, from + f64::from(width) * per_px);
        if column < free || column + width > end {
            continue;
        }
        if is_free(lines, run.slot_s, over, (1.0 - NAME_ROOM) * y.high..=f64::INFINITY) {
            let place = (column + fine(4.0), at(y.high).1 + fine(3.0));
            text(root, &event.name, place, Ink::Muted, HPos::Left, VPos::Top)?;
        } else if is_free(lines, run.slot_s, over, f64::NEG_INFINITY..=NAME_ROOM * y.high) {
            let place = (column + fine(4.0), at(y.low).1 - fine(4.0));
            text(root, &event.name, place, Ink::Muted, HPos::Left, VPos::Bottom)?;
        } else {
            continue;
        }
        free = column + width + fine(4.0);
    }
    Ok(())
}

/// Share of the width that an event takes at least.
const THIN: f64 = 0.003;
/// Share of the height that the name of an event takes.
const NAME_ROOM: f64 = 0.14;

/// Whether no line is within these values between two times.
fn is_free(
    lines: &[Line],
    slot_s: f64,
    (from, to): (f64, f64),
    values: std::ops::RangeInclusive<f64>,
) -> bool {
    let (first, last) = ((from / slot_s - 1.0).max(0.0) as usize, (to / slot_s).ceil() as usize);
    let within = |line: &Line| {
        line.values.iter().take(last + 1).skip(first).flatten().any(|value| values.contains(value))
    };
    !lines.iter().any(within)
}

/// A line with gaps, its values at the middle of their slots.
fn one_line(chart: &mut Chart<'_>, slot_s: f64, x: &Axis, line: &Line) -> Drawn {
    let width = u32::try_from(fine(2.0)).unwrap_or(1);
    if let Some(band) = line.band.filter(|b| b.high > b.low) {
        let corners = [(x.low, band.low), (x.high, band.low), (x.high, band.high), (x.low, band.high)];
        chart.draw_series(std::iter::once(Polygon::new(corners, line.ink.color().mix(0.18))))?;
    }
    for segment in segments(&line.values) {
        let points: Vec<(f64, f64)> = segment.iter().map(|(i, v)| ((*i as f64 + 0.5) * slot_s, *v)).collect();
        let style = line.ink.color().stroke_width(width);
        if line.dashed {
            chart.draw_series(DashedLineSeries::new(points, fine(5.0) as u32, fine(4.0) as u32, style))?;
        } else {
            chart.draw_series(LineSeries::new(points, style))?;
        }
    }
    Ok(())
}

/// Runs of known values with their slots.
fn segments(values: &[Option<f64>]) -> Vec<Vec<(usize, f64)>> {
    let mut segments = vec![Vec::new()];
    for (i, value) in values.iter().enumerate() {
        match value.filter(|v| v.is_finite()) {
            Some(v) => {
                if let Some(last) = segments.last_mut() {
                    last.push((i, v));
                }
            }
            None => segments.push(Vec::new()),
        }
    }
    segments.retain(|s: &Vec<_>| !s.is_empty());
    segments
}

/// A point on the highest slot of a line with its value above it.
fn peak<'a>(root: &Area<'a>, chart: &Chart<'a>, run: &Run, layout: Layout, line: &Line, y: &Axis) -> Drawn {
    let Some((slot, value)) = highest(&line.values) else { return Ok(()) };
    let (column, row) = chart.backend_coord(&((slot as f64 + 0.5) * run.slot_s, value));
    point(root, (column, row), 3.5, line.ink, false)?;
    let share = y.ticks.iter().any(|(_, t)| t.ends_with('%'));
    let words = human(value, if share { Unit::Share } else { Unit::PerSecond });
    // Near an edge the text goes inwards, so that it is never cut.
    let (low, high) = (fine(layout.left + 30.0), fine(f64::from(layout.width) - layout.right - 30.0));
    let anchor = if column < low {
        HPos::Left
    } else if column > high {
        HPos::Right
    } else {
        HPos::Center
    };
    text(root, &words, (column, row - fine(6.0)), Ink::Text, anchor, VPos::Bottom)
}
