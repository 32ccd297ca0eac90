//! The screen at the end of `run`: how good the model was, what binds, what holds.

use super::style::{Style, Tone, clean, mark, wrap};
use super::table::{Cell, Table};
use super::{comparison, title};
use crate::format::human;
use crate::record::{Comparison, ComparisonRow, Report, SloVerdict, Unit};
use crate::story;

/// Rows of a comparison that fit on the screen.
const ROWS_MAX: usize = 10;

/// One screen; the caller adds where the files are.
#[must_use]
pub fn report(record: &Report, style: Style) -> String {
    let mut out = title(style, &record.scenario, &record.summary);
    if let Some(compared) = &record.comparison {
        out.push('\n');
        let worst = story::worst(compared).map(|(row, _)| row.id.as_str());
        out.push_str(&comparison::rows(chosen(record, compared), worst, style));
    }
    let facts = facts(record);
    if !facts.is_empty() {
        out.push('\n');
    }
    let width = facts.iter().map(|(name, _, _)| name.chars().count()).max().unwrap_or(0);
    for (name, tone, text) in facts {
        for (i, line) in wrap(&clean(&text), style.width.saturating_sub(width + 4)).iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            out.push_str(&format!(
                " {}  {}\n",
                style.paint(Tone::Quiet, &format!("{name:width$}")),
                style.paint(tone, line)
            ));
        }
    }
    out.push_str(&stages(record, style));
    out
}

/// The rows that people ask for first: hit ratios, latencies of the busiest actions, and the worst.
fn chosen<'a>(record: &Report, compared: &'a Comparison) -> Vec<&'a ComparisonRow> {
    let main = record.prediction.as_ref().and_then(story::main_action).map(|a| a.name.clone());
    let wanted = |row: &ComparisonRow| {
        let Some((subject, quantity)) = row.id.split_once('.') else { return false };
        match quantity {
            "hit_ratio" => row.measured > 0.0 || row.predicted > 0.0,
            "first_byte.p50" | "first_byte.p99" => true,
            "complete.p99" | "rate" => main.as_deref() == Some(subject),
            _ => false,
        }
    };
    let mut rows: Vec<&ComparisonRow> = compared.rows.iter().filter(|r| wanted(r)).take(ROWS_MAX).collect();
    if let Some((worst, _)) = story::worst(compared)
        && !rows.iter().any(|r| r.id == worst.id)
    {
        rows.push(worst);
    }
    rows
}

fn facts(record: &Report) -> Vec<(&'static str, Tone, String)> {
    let mut facts = Vec::new();
    if let Some(run) = story::main_run(record) {
        if let Some((tier, rest)) = story::bottleneck_parts(run) {
            facts.push(("binds first", Tone::Plain, format!("{tier}: {rest}")));
        }
        if !run.slos.is_empty() {
            let broken: Vec<&SloVerdict> = run.slos.iter().filter(|s| !s.holds).collect();
            let (sign, tone) = mark(broken.is_empty());
            facts.push(("SLOs", tone, format!("{sign} {}", story::slo_count(&run.slos))));
            for slo in broken {
                let value = human(slo.value, slo.unit);
                facts.push(("", Tone::Bad, format!("✗ {}, but is {value}", slo.text)));
            }
        }
    }
    if let Some(estimate) = record.estimate.as_ref().filter(|e| !e.claims.is_empty()) {
        let held = estimate.claims.iter().filter(|c| c.holds).count();
        let (sign, tone) = mark(held == estimate.claims.len());
        facts.push((
            "figures",
            tone,
            format!("{sign} {held} of {} that the sources state agree", estimate.claims.len()),
        ));
    }
    if let Some(measurement) = &record.measurement {
        for reason in &measurement.invalid {
            facts.push(("do not trust", Tone::Bad, format!("✗ {reason}")));
        }
    }
    facts
}

fn stages(record: &Report, style: Style) -> String {
    let mut table = Table::new().left("").right("").right("");
    for stage in &record.stages {
        let memory = stage.peak_memory_bytes.map(|b| format!("{} at most", human(b as f64, Unit::Bytes)));
        table.push([
            Cell::toned(Tone::Quiet, &stage.name),
            human(stage.wall_s, Unit::Seconds).into(),
            Cell::toned(Tone::Quiet, memory.unwrap_or_default()),
        ]);
    }
    let body = table.render(style, 1);
    if body.is_empty() { body } else { format!("\n{body}") }
}
