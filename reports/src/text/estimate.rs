//! The estimate as a page that could be handed in, and the same with its working.

use std::collections::BTreeMap;

use super::style::{Style, Tone, clean, mark, wrap};
use super::table::{Cell, Table};
use super::title;
use crate::format::{self, change, human};
use crate::record::{ClaimCheck, Estimate, Quantity, Resource, Unit};
use crate::story;

/// Quantities by group, each with the source's figure beside it where one is stated; then what breaks as
/// demand grows, what events do, and what the answer hangs on.
#[must_use]
pub fn estimate(record: &Estimate, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, &record.summary);
    if !record.headline.is_empty() {
        for line in wrap(&clean(&record.headline), style.width.saturating_sub(1)) {
            out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
        }
    }
    out.push('\n');
    let shown = |q: &&Quantity| !q.detail || record.claims.iter().any(|c| c.what == q.id);
    let ranges = record.quantities.iter().any(|q| range_text(q).is_some());
    let notes = if ranges { "5 to 95 %, source" } else { "" };
    let mut table = Table::new().left("").right("").right("peak").left(notes);
    let peaks = Peaks::of(record);
    let groups =
        groups(record).into_iter().filter(|g| record.quantities.iter().any(|q| q.group == *g && shown(&q)));
    for (i, group) in groups.enumerate() {
        if i > 0 {
            table.push([" ".into(), "".into(), "".into(), "".into()]);
        }
        table.push([Cell::toned(Tone::Strong, group), "".into(), "".into(), "".into()]);
        for quantity in record.quantities.iter().filter(|q| q.group == group).filter(shown) {
            if peaks.base_of.get(quantity.id.as_str()).is_some_and(shown) {
                continue;
            }
            let peak = peaks.of_base.get(quantity.id.as_str()).copied();
            table.push([
                label(quantity, peak.is_some()).into(),
                human(quantity.value, quantity.unit).into(),
                peak.map(|p| human(p.value, p.unit)).unwrap_or_default().into(),
                note(record, quantity, peak),
            ]);
        }
    }
    out.push_str(&table.render(style, 1));
    out.push_str(&growth(record, style));
    out.push_str(&events(record, style));
    out.push_str(&hangs_on(record, style));
    out.push_str(&verdict(record, style));
    out
}

/// What breaks first at multiples of the demand.
fn growth(record: &Estimate, style: Style) -> String {
    if record.growth.is_empty() {
        return String::new();
    }
    let mut table = Table::new().left("demand").left("breaks first").right("").left("then");
    for step in &record.growth {
        let broken = |r: &&Resource| r.used >= 1.0;
        let (count, first) = (step.resources.iter().filter(broken).count(), step.resources.first());
        let Some(first) = first else { continue };
        let used = |r: &Resource| human(r.used, Unit::Share);
        let then: Vec<String> =
            step.resources.iter().skip(1).take(2).map(|r| format!("{} {}", r.label, used(r))).collect();
        let tone = if count > 0 { Tone::Bad } else { Tone::Plain };
        table.push([
            format!("{}x", human(step.factor, Unit::Number)).into(),
            Cell::toned(
                tone,
                if count > 0 { first.label.clone() } else { format!("nothing; fullest: {}", first.label) },
            ),
            Cell::toned(tone, used(first)),
            then.join(", ").into(),
        ]);
    }
    format!("\n {}\n{}", style.paint(Tone::Strong, "as demand grows"), table.render(style, 2))
}

fn events(record: &Estimate, style: Style) -> String {
    if record.events.is_empty() {
        return String::new();
    }
    let mut table = Table::new().left("event").left("what is fullest then").right("used").right("before");
    for event in &record.events {
        for (i, (resource, before)) in event.resources.iter().enumerate() {
            let name = if i == 0 { event.what.clone() } else { String::new() };
            let tone = if resource.used >= 1.0 { Tone::Bad } else { Tone::Plain };
            table.push([
                name.into(),
                resource.label.clone().into(),
                Cell::toned(tone, human(resource.used, Unit::Share)),
                human(*before, Unit::Share).into(),
            ]);
        }
    }
    format!("\n {}\n{}", style.paint(Tone::Strong, "under its events"), table.render(style, 2))
}

/// Widest bar of a tornado, characters.
const BAR: usize = 24;

/// What a quantity hangs on: shares of its uncertainty as bars, with its values at both ends of each input.
fn hangs_on(record: &Estimate, style: Style) -> String {
    let unit = |of: &str| record.quantities.iter().find(|q| q.id == of).map_or(Unit::Number, |q| q.unit);
    let mut out = String::new();
    for influence in record.hangs_on.iter().take(INFLUENCES_MAX).filter(|i| !i.inputs.is_empty()) {
        let mut table = Table::new().left("").right("").left("").left("from its 5 % to its 95 %");
        for input in influence.inputs.iter().take(INPUTS_MAX) {
            let unit = unit(&influence.of);
            table.push([
                format!("{} ({})", input.input, input.text).into(),
                human(input.share, Unit::Share).into(),
                "█".repeat(((input.share * BAR as f64).round() as usize).max(1)).into(),
                format::range(input.low, input.high, unit).into(),
            ]);
        }
        let heading = format!("{} hangs on", influence.label);
        out.push_str(&format!(
            "\n {}\n{}",
            style.paint(Tone::Strong, &clean(&heading)),
            table.render(style, 2)
        ));
    }
    out
}

/// Quantities whose influences are shown, and inputs of each.
const INFLUENCES_MAX: usize = 2;
const INPUTS_MAX: usize = 6;

/// A range worth showing: one whose ends read differently.
fn range_text(quantity: &Quantity) -> Option<String> {
    let (low, high) = quantity.range?;
    let differ = human(low, quantity.unit) != human(high, quantity.unit);
    differ.then(|| format::range(low, high, quantity.unit))
}

/// Every quantity with its formula, the numbers put in, the result and where the inputs stand.
#[must_use]
pub fn estimate_explained(record: &Estimate, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, &record.summary);
    for line in wrap(CONSTANTS, style.width.saturating_sub(1)) {
        out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
    }
    for group in groups(record) {
        out.push_str(&format!("\n {}\n", style.paint(Tone::Strong, &clean(group))));
        for quantity in record.quantities.iter().filter(|q| q.group == group) {
            out.push_str(&explained(record, quantity, style));
        }
    }
    out.push_str(&growth(record, style));
    out.push_str(&events(record, style));
    out.push_str(&hangs_on(record, style));
    out.push_str(&verdict(record, style));
    out
}

/// What the working takes for granted.
const CONSTANTS: &str =
    "a day has 86,400 s, a year 365 days, a month 730 h; 1 KB is 1,000 B, 1 KiB is 1,024 B; 1 B has 8 bit";

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
    range_text(quantity).unwrap_or_default()
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
    out.push_str(&slos(record, style));
    for note in &record.notes {
        for line in wrap(&clean(note), style.width.saturating_sub(1)) {
            out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
        }
    }
    for line in wrap(&clean(&story::provenance(&record.provenance)), style.width.saturating_sub(1)) {
        out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
    }
    out
}

/// The targets that closed forms can judge.
fn slos(record: &Estimate, style: Style) -> String {
    if record.slos.is_empty() {
        return String::new();
    }
    let mut table = Table::new().left("").left("SLOs that closed forms can judge").right("value");
    for slo in &record.slos {
        let (sign, tone) = mark(slo.holds);
        table.push([
            Cell::toned(tone, sign),
            Cell::toned(tone, slo.text.clone()),
            human(slo.value, slo.unit).into(),
        ]);
    }
    format!("\n{}", table.render(style, 1))
}

/// The quantity that this one is the peak of: `play.rate` for `play.rate_peak` or `play.peak_rate`.
/// Quantities at the mean, and the same at the peak.
struct Peaks<'a> {
    of_base: BTreeMap<&'a str, &'a Quantity>,
    base_of: BTreeMap<&'a str, &'a Quantity>,
}

impl<'a> Peaks<'a> {
    fn of(record: &'a Estimate) -> Self {
        let by_id: BTreeMap<&str, &Quantity> = record.quantities.iter().map(|q| (q.id.as_str(), q)).collect();
        let mut peaks = Self { of_base: BTreeMap::new(), base_of: BTreeMap::new() };
        for peak in record.quantities.iter().filter(|q| q.id.contains("peak")) {
            let base = peak.id.replace("_peak", "").replace("peak_", "");
            if let Some(&base) = by_id.get(base.as_str())
                && base.id != peak.id
                && base.group == peak.group
                && base.unit == peak.unit
            {
                peaks.of_base.entry(&base.id).or_insert(peak);
                peaks.base_of.insert(&peak.id, base);
            }
        }
        peaks
    }
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
    texts.extend(range_text(quantity));
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
    if let Some(range) = range_text(quantity) {
        result = format!("{result}, 5 to 95 %: {range}");
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
