//! A recorded trace through caches: a row a policy and capacity, then the curve.

use super::style::{Style, Tone};
use super::table::{Cell, Table};
use super::{section, sentences, title};
use crate::format::{human, with_separators};
use crate::record::{MissRatioCurve, Replay, ReplayRow, Unit};

/// All rows, and the miss-ratio curve at 1, 2, 5, 10 ... objects.
#[must_use]
pub fn replay(record: &Replay, style: Style) -> String {
    let about = format!(
        "{} requests · {} objects · {} · {}",
        human(record.requests as f64, Unit::Count),
        human(record.objects as f64, Unit::Count),
        human(record.bytes as f64, Unit::Bytes),
        record.format,
    );
    let mut out = title(style, &record.provenance.scenario, &about);
    if record.provenance.partial {
        let stopped = " stopped early: the figures cover the requests until then";
        out.push_str(&style.paint(Tone::Bad, stopped));
        out.push('\n');
    }
    if !record.rows.is_empty() {
        out.push('\n');
        out.push_str(&rows(&record.rows, style));
    }
    if let Some(curve) = &record.curve {
        let heading = format!("{} by capacity, exact", curve.policy);
        out.push_str(&section(style, &heading, &points(curve, style)));
    }
    let notes = sentences(style, Tone::Quiet, 2, &record.notes);
    out.push_str(&section(style, "notes", &notes));
    out
}

fn rows(rows: &[ReplayRow], style: Style) -> String {
    let mut table = Table::new()
        .left("policy")
        .right("capacity")
        .right("requests")
        .right("misses")
        .right("miss ratio")
        .right("bytes missed")
        .right("byte miss ratio");
    let mut last = None;
    for row in rows {
        // A policy is named once.
        let name = if last == Some(&row.policy) { "" } else { row.policy.as_str() };
        last = Some(&row.policy);
        table.push([
            Cell::toned(Tone::Strong, name),
            capacity(row).into(),
            with_separators(row.requests).into(),
            with_separators(row.misses).into(),
            human(row.miss_ratio, Unit::Share).into(),
            human(row.bytes_missed as f64, Unit::Bytes).into(),
            human(row.byte_miss_ratio, Unit::Share).into(),
        ]);
    }
    table.render(style, 3)
}

/// Objects in full, bytes with a prefix.
fn capacity(row: &ReplayRow) -> String {
    if row.capacity_unit == Unit::Bytes {
        human(row.capacity as f64, Unit::Bytes)
    } else {
        with_separators(row.capacity)
    }
}

fn points(curve: &MissRatioCurve, style: Style) -> String {
    let mut table = Table::new().right("objects").right("misses").right("miss ratio").left("");
    let last = curve.points.len().saturating_sub(1);
    for (i, point) in curve.points.iter().enumerate() {
        let round = [1, 2, 5].contains(&leading(point.objects));
        if !round && i != last {
            continue;
        }
        let all = point.misses == curve.first_requests;
        table.push([
            with_separators(point.objects).into(),
            with_separators(point.misses).into(),
            human(point.miss_ratio, Unit::Share).into(),
            Cell::toned(Tone::Quiet, if all { "first requests only" } else { "" }),
        ]);
    }
    table.render(style, 3)
}

/// The number without its trailing zeros.
const fn leading(mut number: u64) -> u64 {
    while number > 0 && number.is_multiple_of(10) {
        number /= 10;
    }
    number
}
