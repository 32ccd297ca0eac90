//! The estimate as a page that could be handed in, and the same with its working.

use super::style::{Style, Tone, clean, mark, wrap};
use super::table::{Cell, Table};
use super::title;
use crate::format::{self, change, human};
use crate::record::{ClaimCheck, Estimate, Quantity};
use crate::story;

/// Quantities by group, each with the source's figure beside it where one is stated.
#[must_use]
pub fn estimate(record: &Estimate, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, &record.summary);
    out.push('\n');
    let ranges = record.quantities.iter().any(|q| q.range.is_some());
    let notes = if ranges { "5 to 95 %, source" } else { "" };
    let mut table = Table::new().left("").right("").right("peak").left(notes);
    for (i, group) in groups(record).into_iter().enumerate() {
        if i > 0 {
            table.push([" ".into(), "".into(), "".into(), "".into()]);
        }
        table.push([Cell::toned(Tone::Strong, group), "".into(), "".into(), "".into()]);
        for quantity in record.quantities.iter().filter(|q| q.group == group) {
            if base_of_peak(record, quantity).is_some() {
                continue;
            }
            let peak = peak_of(record, quantity);
            table.push([
                label(quantity, peak.is_some()).into(),
                human(quantity.value, quantity.unit).into(),
                peak.map(|p| human(p.value, p.unit)).unwrap_or_default().into(),
                note(record, quantity, peak),
            ]);
        }
    }
    out.push_str(&table.render(style, 1));
    out.push_str(&verdict(record, style));
    out
}

/// Every quantity with its formula, the numbers put in, the result and where the inputs stand.
#[must_use]
pub fn estimate_explained(record: &Estimate, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, &record.summary);
    for group in groups(record) {
        out.push_str(&format!("\n {}\n", style.paint(Tone::Strong, &clean(group))));
        for quantity in record.quantities.iter().filter(|q| q.group == group) {
            out.push_str(&explained(record, quantity, style));
        }
    }
    out.push_str(&verdict(record, style));
    out
}

/// Groups in the order of their first quantity.
pub fn groups(record: &Estimate) -> Vec<&str> {
    let mut groups: Vec<&str> = Vec::new();
    for quantity in &record.quantities {
        if !groups.contains(&quantity.group.as_str()) {
            groups.push(&quantity.group);
        }
    }
    groups
}

/// `✓ source says 500 TB`, or by how much it is off.
pub fn claim_text(claim: &ClaimCheck) -> String {
    let (sign, _) = mark(claim.holds);
    let off = if claim.holds { String::new() } else { format!(" ({})", change(claim.deviation)) };
    format!("{sign} source says {}{off}", claim.claimed_text)
}

/// `312 to 401 K/s`, empty without a range.
pub fn range(quantity: &Quantity) -> String {
    let ends = quantity.range.map(|(low, high)| format::range(low, high, quantity.unit));
    ends.unwrap_or_default()
}

fn verdict(record: &Estimate, style: Style) -> String {
    let mut out = String::new();
    if !record.claims.is_empty() {
        let held = record.claims.iter().filter(|c| c.holds).count();
        let (sign, tone) = mark(held == record.claims.len());
        let sentence =
            format!("{sign} {held} of {} figures that the sources state agree", record.claims.len());
        out.push_str(&format!("\n {}\n", style.paint(tone, &sentence)));
    }
    for line in wrap(&clean(&story::provenance(&record.provenance)), style.width.saturating_sub(1)) {
        out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
    }
    out
}

/// The quantity that this one is the peak of: `play.rate` for `play.rate_peak` or `play.peak_rate`.
fn base_of_peak<'a>(record: &'a Estimate, peak: &Quantity) -> Option<&'a Quantity> {
    let base = peak.id.replace("_peak", "").replace("peak_", "");
    if base == peak.id {
        return None;
    }
    record.quantities.iter().find(|q| q.id == base && q.group == peak.group && q.unit == peak.unit)
}

fn peak_of<'a>(record: &'a Estimate, base: &Quantity) -> Option<&'a Quantity> {
    record.quantities.iter().find(|q| base_of_peak(record, q).is_some_and(|b| b.id == base.id))
}

/// Beside a peak, the word `mean` says nothing more.
fn label(quantity: &Quantity, has_peak: bool) -> String {
    let text = if has_peak {
        quantity.label.replace(", mean rate", "").replace(", mean", "").replace("mean ", "")
    } else {
        quantity.label.clone()
    };
    format!("  {text}")
}

/// The range, and what the source says.
fn note(record: &Estimate, quantity: &Quantity, peak: Option<&Quantity>) -> Cell {
    let about = |c: &&ClaimCheck| c.what == quantity.id || peak.is_some_and(|p| p.id == c.what);
    let claims: Vec<&ClaimCheck> = record.claims.iter().filter(about).collect();
    let mut texts: Vec<String> = Vec::new();
    if quantity.range.is_some() {
        texts.push(range(quantity));
    }
    texts.extend(claims.iter().map(|c| claim_text(c)));
    let tone = if claims.is_empty() { Tone::Plain } else { mark(claims.iter().all(|c| c.holds)).1 };
    Cell::toned(tone, texts.join("  "))
}

fn explained(record: &Estimate, quantity: &Quantity, style: Style) -> String {
    let mut out = format!("   {}\n", clean(&quantity.label));
    for line in [&quantity.formula, &quantity.working] {
        if line.is_empty() {
            continue;
        }
        for (i, part) in wrap(&clean(line), style.width.saturating_sub(7)).iter().enumerate() {
            out.push_str(&format!("     {} {part}\n", if i == 0 { "=" } else { " " }));
        }
    }
    let mut result = human(quantity.value, quantity.unit);
    if quantity.range.is_some() {
        result = format!("{result}, 5 to 95 %: {}", range(quantity));
    }
    let source = if quantity.sources.is_empty() {
        String::new()
    } else {
        format!("from {}", clean(&quantity.sources.join(", ")))
    };
    let used = 7 + result.chars().count();
    let gap = style.width.saturating_sub(used + source.chars().count());
    out.push_str(&format!("     = {}", style.paint(Tone::Strong, &result)));
    if !source.is_empty() && gap >= 2 {
        out.push_str(&" ".repeat(gap.min(60_usize.saturating_sub(used).max(2))));
        out.push_str(&style.paint(Tone::Quiet, &source));
    } else if !source.is_empty() {
        for line in wrap(&source, style.width.saturating_sub(7)) {
            out.push_str(&format!("\n       {}", style.paint(Tone::Quiet, &line)));
        }
    }
    out.push('\n');
    for claim in record.claims.iter().filter(|c| c.what == quantity.id) {
        let (_, tone) = mark(claim.holds);
        out.push_str(&format!("     {}\n", style.paint(tone, &clean(&claim_text(claim)))));
    }
    out
}
