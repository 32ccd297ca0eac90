//! The latency distribution as a percentile curve: predicted as a line, measured as points.
//!
//! Why 1/(1 - p) on x: each step to the right is a ten times rarer request, so the tail, which users
//! notice, gets as much room as the middle.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::Plot;
use super::frame::{Area, Axis, Chart, Drawn, EndLabel, Layout, draw, end_labels, fine, path, point, text};
use super::svg::Ink;
use crate::format::human;
use crate::record::{ActionMeasured, ActionRun, Interval, Latency, Unit};

/// Times below this are not drawn on a logarithmic axis, seconds: they are answers without any network.
const FLOOR_S: f64 = 1e-5;
/// The curve starts here: the fastest few say nothing and would stretch the axis.
const FROM_P: f64 = 0.05;
/// Curves that end nearer than this get their names side by side, in decades.
const ENDS_GAP: f64 = 0.3;
/// Observations that must lie beyond a quantile for it to be shown.
const BEYOND_MIN: f64 = 5.0;
/// Ticks of the horizontal axis.
const PERCENTILES: [(f64, &str); 5] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];
/// Points nearer than this are left out, in decades of 1/(1 - p).
const POINT_GAP: f64 = 0.06;

/// Time to the first byte of one action, predicted and measured; either may be missing.
#[must_use]
pub fn percentiles(predicted: Option<&ActionRun>, measured: Option<&ActionMeasured>) -> Option<Plot> {
    let name = predicted.map(|a| &a.name).or(measured.map(|a| &a.name))?;
    let line = predicted.map(|a| curve(&a.first_byte)).unwrap_or_default();
    let points = thinned(&measured.map(|a| curve(&a.first_byte)).unwrap_or_default());
    let (x, y) = axes(line.iter().chain(&points))?;
    let title = title(name, predicted.map(|a| &a.first_byte), measured.map(|a| &a.first_byte));
    let layout = Layout::fit(&y, ["predicted".to_owned()]);
    let (blue, red) = (Ink::Series(0), Ink::Series(1));
    let svg = draw(layout, &x, &y, &title, |root, chart| {
        let width = u32::try_from(fine(2.0)).unwrap_or(1);
        chart.draw_series(LineSeries::new(line.iter().copied(), blue.color().stroke_width(width)))?;
        if let Some(action) = predicted {
            for (p, interval) in [(0.5, &action.first_byte_p50_s), (0.99, &action.first_byte_p99_s)] {
                if let Some([low, high]) = whisker(p, interval, &x, &y) {
                    let ends = [chart.backend_coord(&low), chart.backend_coord(&high)];
                    path(root, &ends, blue, 6.0)?;
                }
            }
        }
        for at in &points {
            point(root, chart.backend_coord(at), 3.0, red, false)?;
        }
        names(root, chart, layout, &line, &points)
    })?;
    let mut caption =
        "Time from the request to the first byte against the share of requests that are faster; \
                       both axes logarithmic."
            .to_owned();
    if !line.is_empty() {
        caption.push_str(" Line: predicted, with the 95 % interval as a bar at p50 and p99.");
    }
    if !points.is_empty() {
        caption.push_str(" Points: measured.");
    }
    Some(Plot { title, caption, svg })
}

/// Each curve's name at its own end.
fn names<'a>(
    root: &Area<'a>,
    chart: &Chart<'a>,
    layout: Layout,
    line: &[(f64, f64)],
    points: &[(f64, f64)],
) -> Drawn {
    let at = |(x, y): (f64, f64), dx: f64, dy: f64, words: &str, h: HPos| {
        let (column, row) = chart.backend_coord(&(x, y));
        text(root, words, (column + fine(dx), row + fine(dy)), Ink::Text, h, VPos::Center)
    };
    match (line.last().copied(), points.last().copied()) {
        (Some(p), Some(m)) if (p.0 - m.0).abs() < ENDS_GAP => {
            let label = |y: f64, text: &str, ink| EndLabel { y, text: text.to_owned(), ink };
            let labels = [label(p.1, "predicted", Ink::Series(0)), label(m.1, "measured", Ink::Series(1))];
            end_labels(root, chart, layout, p.0.max(m.0), &labels)
        }
        (Some(p), Some(m)) => {
            at(p, 6.0, 0.0, "predicted", HPos::Left)?;
            // Curves rise to the right, so above to the left and below to the right are free.
            let beside = line.iter().rev().find(|q| q.0 <= m.0).map_or(m.1, |q| q.1);
            if m.1 >= beside {
                at(m, -4.0, -13.0, "measured", HPos::Right)
            } else {
                at(m, 4.0, 13.0, "measured", HPos::Left)
            }
        }
        (Some(p), None) => at(p, 6.0, 0.0, "predicted", HPos::Left),
        (None, Some(m)) => at(m, 8.0, 0.0, "measured", HPos::Left),
        (None, None) => Ok(()),
    }
}

fn title(name: &str, predicted: Option<&Latency>, measured: Option<&Latency>) -> String {
    let both = |p: f64| (predicted.and_then(|l| l.at(p)), measured.and_then(|l| l.at(p)));
    let time = |v: f64| human(v, Unit::Seconds);
    match both(0.99) {
        (Some(p), Some(m)) => format!("{name}: p99 {} predicted, {} measured", time(p), time(m)),
        (Some(v), None) | (None, Some(v)) => {
            let (p50, m50) = both(0.5);
            let half = p50.or(m50).unwrap_or(v);
            format!("{name}: half start within {}, 99 % within {}", time(half), time(v))
        }
        (None, None) => format!("{name}: time to the first byte"),
    }
}

/// Decades of 1/(1 - p) against log10 of seconds.
fn curve(latency: &Latency) -> Vec<(f64, f64)> {
    let count = latency.count as f64;
    let shown = latency.quantiles.iter().filter(|q| {
        q.value_s.is_finite()
            && q.value_s >= FLOOR_S
            && (FROM_P..1.0).contains(&q.p)
            && count * (1.0 - q.p) >= BEYOND_MIN
    });
    shown.map(|q| (-(1.0 - q.p).log10(), q.value_s.log10())).collect()
}

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if kept.last().is_none_or(|last| point.0 - last.0 >= POINT_GAP) {
            kept.push(*point);
        }
    }
    kept
}

fn whisker(p: f64, interval: &Interval, x: &Axis, y: &Axis) -> Option<[(f64, f64); 2]> {
    let at = -(1.0 - p).log10();
    let usable = interval.low >= FLOOR_S && interval.high > interval.low && at <= x.high;
    let bounded = |v: f64| v.log10().clamp(y.low, y.high);
    usable.then(|| [(at, bounded(interval.low)), (at, bounded(interval.high))])
}

fn axes<'a>(points: impl Iterator<Item = &'a (f64, f64)>) -> Option<(Axis, Axis)> {
    let (mut right, mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY, f64::NEG_INFINITY);
    for (x, y) in points {
        right = right.max(*x);
        low = low.min(*y);
        high = high.max(*y);
    }
    if !(right > 0.0 && low.is_finite() && high.is_finite()) {
        return None;
    }
    let ticks = PERCENTILES.map(|(p, text)| (-(1.0_f64 - p).log10(), text.to_owned()));
    let ticks = ticks.into_iter().filter(|(at, _)| *at <= right + 1e-9).collect();
    let x = Axis {
        low: 0.0,
        high: right * 1.02,
        ticks,
        title: "share of requests, rarer to the right".to_owned(),
    };
    let y_ticks = log_ticks(low, high);
    let (bottom, top) = (y_ticks.first()?.0, y_ticks.last()?.0);
    Some((x, Axis { low: bottom, high: top, ticks: y_ticks, title: "time to the first byte".to_owned() }))
}

/// Ticks around `low` to `high` (log10 of seconds): 1-2-5 in each decade, or decades if there are many.
fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let steps: &[f64] = match high - low {
        span if span < 1.3 => &[1.0, 2.0, 5.0],
        span if span < 2.5 => &[1.0, 3.0],
        _ => &[1.0],
    };
    let mut at: Vec<f64> = Vec::new();
    for decade in (low.floor() as i32).max(-12)..=(high.ceil() as i32).min(12) {
        at.extend(steps.iter().map(|s| s.log10() + f64::from(decade)));
    }
    let first = at.iter().rposition(|v| *v <= low + 1e-9).unwrap_or(0);
    let last = at.iter().position(|v| *v >= high - 1e-9).unwrap_or(at.len().saturating_sub(1));
    let last = last.max(first + 1);
    let shown = at.iter().skip(first).take(last - first + 1);
    shown.map(|v| (*v, human(10_f64.powf(*v), Unit::Seconds))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_ticks_enclose_the_values() {
        let ticks = log_ticks((0.021_f64).log10(), (0.093_f64).log10());
        let texts: Vec<&str> = ticks.iter().map(|(_, t)| t.as_str()).collect();
        assert_eq!(texts, ["20 ms", "50 ms", "100 ms"]);
        assert!(log_ticks(-2.0, -2.0).len() >= 2);
        assert!(log_ticks(-400.0, 400.0).len() < 40);
    }
}
