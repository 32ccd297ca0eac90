//! The miss-ratio curve: misses against capacity, with what was replayed beside it as points.

use std::collections::BTreeMap;

use plotters::prelude::*;

use super::Plot;
use super::frame::{Axis, EndLabel, Layout, draw, end_labels, fine, point, ticks_from_zero};
use super::svg::{Ink, SERIES_MAX};
use crate::format::human;
use crate::record::{MissRatioCurve, Replay, Unit};

/// Share of the way down, from one object to all, at which the title reads the curve.
const KNEE: f64 = 0.9;

/// Miss ratio of LRU by capacity, exact; other policies at the capacities they were replayed with.
#[must_use]
pub fn miss_ratio(record: &Replay) -> Option<Plot> {
    let curve = record.curve.as_ref().filter(|c| !c.points.is_empty())?;
    let line: Vec<(f64, f64)> =
        curve.points.iter().map(|p| ((p.objects as f64).log10(), p.miss_ratio)).collect();
    let others = others(record, &curve.policy);
    let (x, y) = axes(&line, &others)?;
    let mut labels = vec![EndLabel { y: line.last()?.1, text: curve.policy.clone(), ink: Ink::Series(0) }];
    for (i, (policy, points)) in others.iter().enumerate() {
        let end = points.last().map_or(0.0, |p| p.1);
        labels.push(EndLabel { y: end, text: (*policy).to_owned(), ink: Ink::Series(i + 1) });
    }
    let layout = Layout::fit(&y, labels.iter().map(|l| l.text.clone()));
    let title = title(record, curve);
    let svg = draw(layout, &x, &y, &title, |root, chart| {
        let width = u32::try_from(fine(2.0)).unwrap_or(1);
        let style = Ink::Series(0).color().stroke_width(width);
        chart.draw_series(LineSeries::new(line.iter().copied(), style))?;
        for (i, points) in others.values().enumerate() {
            for at in points {
                point(root, chart.backend_coord(at), 3.0, Ink::Series(i + 1), false)?;
            }
        }
        end_labels(root, chart, layout, x.high, &labels)
    })?;
    let mut caption = format!(
        "Share of requests that miss against the capacity in objects, logarithmic. Line: {}, exact at every \
         capacity.",
        curve.policy
    );
    if !others.is_empty() {
        caption.push_str(" Points: other policies, replayed.");
    }
    Some(Plot { title, caption, svg })
}

/// Points of the other policies that were replayed with capacities in objects.
fn others<'a>(record: &'a Replay, drawn: &str) -> BTreeMap<&'a str, Vec<(f64, f64)>> {
    let mut others: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for row in record.rows.iter().filter(|r| r.capacity_unit == Unit::Count && r.capacity > 0) {
        let known = others.contains_key(row.policy.as_str());
        if row.policy != drawn && (known || others.len() + 1 < SERIES_MAX) {
            let points = others.entry(&row.policy).or_default();
            points.push(((row.capacity as f64).log10(), row.miss_ratio));
        }
    }
    for points in others.values_mut() {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    others
}

fn axes(line: &[(f64, f64)], others: &BTreeMap<&str, Vec<(f64, f64)>>) -> Option<(Axis, Axis)> {
    let points = || line.iter().chain(others.values().flatten());
    let right = points().map(|p| p.0).fold(0.5, f64::max);
    let highest = points().map(|p| p.1).fold(0.0, f64::max);
    let decades = right.floor() as i32;
    // At most about six names fit below the axis.
    let step = usize::try_from(decades / 6 + 1).ok()?;
    let ticks = (0..=decades).step_by(step).map(|d| (f64::from(d), human(10_f64.powi(d), Unit::Count)));
    let x = Axis { low: 0.0, high: right, ticks: ticks.collect(), title: "capacity, objects".to_owned() };
    let ticks: Vec<(f64, String)> =
        ticks_from_zero(highest, 4.0).into_iter().map(|v| (v, human(v, Unit::Share))).collect();
    let top = ticks.last()?.0;
    Some((x, Axis { low: 0.0, high: top, ticks, title: "miss ratio".to_owned() }))
}

/// The finding: how little room does nearly all that room can do.
fn title(record: &Replay, curve: &MissRatioCurve) -> String {
    let share = |misses: u64| human(misses as f64 / record.requests.max(1) as f64, Unit::Share);
    let (Some(first), Some(last)) = (curve.points.first(), curve.points.last()) else {
        return "Nothing was replayed".to_owned();
    };
    let most = first.misses as f64 - KNEE * first.misses.saturating_sub(last.misses) as f64;
    let knee = curve.points.iter().find(|p| p.misses as f64 <= most).unwrap_or(last);
    format!(
        "{} with {} of {} objects misses {}, and no cache less than {}",
        curve.policy,
        human(knee.objects as f64, Unit::Count),
        human(record.objects as f64, Unit::Count),
        share(knee.misses),
        share(curve.first_requests),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{MissRatioPoint, Provenance, ReplayRow};

    fn record() -> Replay {
        let point =
            |objects: u64, misses: u64| MissRatioPoint { objects, misses, miss_ratio: misses as f64 / 100.0 };
        let row = |policy: &str, capacity: u64, misses: u64| ReplayRow {
            policy: policy.to_owned(),
            capacity,
            capacity_unit: Unit::Count,
            requests: 100,
            misses,
            miss_ratio: misses as f64 / 100.0,
            bytes_missed: misses,
            byte_miss_ratio: misses as f64 / 100.0,
        };
        let curve = MissRatioCurve {
            policy: "LRU".to_owned(),
            first_requests: 20,
            points: vec![point(1, 90), point(2, 60), point(5, 26), point(20, 20)],
        };
        Replay {
            provenance: Provenance {
                version: "0".to_owned(),
                scenario: "test".to_owned(),
                seed: 0,
                options: BTreeMap::new(),
                partial: false,
            },
            format: "csv".to_owned(),
            requests: 100,
            objects: 20,
            bytes: 100,
            rows: vec![row("LRU", 5, 26), row("SIEVE", 5, 24), row("SIEVE", 2, 50)],
            curve: Some(curve),
            fit: None,
            notes: vec![],
        }
    }

    #[test]
    fn the_title_reads_the_curve_where_it_flattens() {
        let plot = miss_ratio(&record()).unwrap();
        assert_eq!(plot.title, "LRU with 5 of 20 objects misses 26 %, and no cache less than 20 %");
        assert!(plot.svg.contains("SIEVE") && plot.svg.contains("LRU"));
        assert!(plot.caption.contains("other policies"));
    }

    #[test]
    fn odd_curves_are_drawn_or_left_out() {
        let mut record = record();
        if let Some(curve) = &mut record.curve {
            curve.points.truncate(1);
        }
        assert!(miss_ratio(&record).is_some());
        record.curve = None;
        assert!(miss_ratio(&record).is_none());
    }
}
