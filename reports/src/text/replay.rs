//! A recorded trace through caches: a row a policy and capacity, then the curve.

use super::style::{Style, Tone};
use super::table::{Cell, Table};
use super::{section, sentences, title};
use crate::format::{human, significant, with_separators};
use crate::record::{MissRatioCurve, PopularityFit, Replay, ReplayRow, Unit};

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
    if let Some(fit) = &record.fit {
        out.push_str(&section(style, "popularity, fitted to the trace", &fitted(fit, style)));
        out.push_str(&section(style, "in a scenario", &indented(&fit_as_yaml(fit))));
    }
    let notes = sentences(style, Tone::Quiet, 2, &record.notes);
    out.push_str(&section(style, "notes", &notes));
    out
}

/// How well the laws say what LRU misses.
fn fitted(fit: &PopularityFit, style: Style) -> String {
    let mut table =
        Table::new().right("objects in the cache").right("LRU misses").right("by zipf").right("by the table");
    for check in &fit.checks {
        table.push([
            with_separators(check.objects).into(),
            human(check.exact, Unit::Share).into(),
            human(check.zipf, Unit::Share).into(),
            human(check.table, Unit::Share).into(),
        ]);
    }
    table.render(style, 3)
}

/// The laws as a scenario takes them, the one that is nearer to the exact misses first; comments say which is which.
#[must_use]
pub fn fit_as_yaml(fit: &PopularityFit) -> String {
    let worst = |of: fn(&crate::record::FitCheck) -> f64| {
        fit.checks.iter().map(|c| (of(c) - c.exact).abs()).fold(0.0, f64::max)
    };
    let points = |error: f64| format!("LRU's misses within {} points", significant(error * 100.0, 2));
    let (zipf_off, table_off) = (worst(|c| c.zipf), worst(|c| c.table));
    let zipf = format!(
        "# Zipf: {}; counts objects that nobody asked for in the trace\ncount: {:.0}\npopularity: {{zipf: {}}}\n",
        points(zipf_off),
        fit.objects,
        significant(fit.zipf, 4)
    );
    let percent = |share: f64| {
        let nine_digits: f64 = format!("{:.8e}", share * 100.0).parse().unwrap_or(100.0);
        format!("{nine_digits} %")
    };
    let rows: Vec<String> = fit
        .table
        .iter()
        .map(|row| format!("  - {{top: {}, requests: {}}}\n", percent(row.top), percent(row.requests)))
        .collect();
    let table = format!(
        "# A table of what was counted: {}\ncount: {:.0}\npopularity:\n  table:\n{}",
        points(table_off),
        fit.table_objects,
        rows.concat().replace("  - ", "    - ")
    );
    if zipf_off <= table_off + 0.01 { zipf } else { table }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("   {line}\n")).collect()
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
