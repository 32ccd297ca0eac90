//! A plan as a page for a terminal: the answer, the bill of materials, targets, and what it would take to be wrong.

use super::style::{Style, Tone, clean, mark, wrap};
use super::table::{Cell, Table};
use super::{section, sentences, title};
use crate::format::{human, significant};
use crate::plan::{
    Alternative, Plan, PlanComparison, PlannedSites, PlannedTier, StorageCheck, Target, Verification, Worlds,
};
use crate::record::Unit;
use crate::story;

/// The whole plan.
#[must_use]
pub fn plan(record: &Plan, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, &record.summary);
    for line in answer(record) {
        for part in wrap(&clean(&line), style.width.saturating_sub(1)) {
            out.push_str(&format!(" {}\n", style.paint(Tone::Strong, &part)));
        }
    }
    out.push('\n');
    out.push_str(&tiers(record, style));
    out.push_str(&section(style, "sites", &sites(record, style)));
    out.push_str(&section(style, "why each is what it is", &reasons(record, style)));
    out.push_str(&section(style, "targets, at the peak", &targets(&record.targets, style)));
    out.push_str(&section(style, "why not", &alternatives(&record.alternatives, style)));
    out.push_str(&section(style, "when to buy", &growth(record, style)));
    if let Some(worlds) = &record.worlds {
        let heading = format!("in {} worlds that the ranges make", worlds.worlds);
        out.push_str(&section(style, &heading, &in_worlds(worlds, style)));
    }
    out.push_str(&section(style, "what a target costs", &curves(record, style)));
    out.push_str(&section(style, "under failures", &failures(record, style)));
    out.push_str(&section(style, "what is kept, and how safely", &storage(&record.storage, style)));
    out.push_str(&section(style, "assumed", &sentences(style, Tone::Plain, 2, &record.assumptions)));
    let mut notes = record.notes.clone();
    if let Some(verification) = &record.verification {
        notes.extend(verification.adjusted.iter().map(|a| format!("Raised after simulation: {a}.")));
        notes.push(verified(verification));
    }
    out.push_str(&section(style, "notes", &sentences(style, Tone::Quiet, 2, &notes)));
    out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &story::provenance(&record.provenance))));
    out
}

/// What people quote: the cost, how sure it is, and how far the plan carries.
#[must_use]
pub fn answer(record: &Plan) -> Vec<String> {
    let money = |value: f64| human(value, Unit::DollarsPerMonth);
    let cost = &record.cost;
    let mut first = format!("{} for the least sizes that keep all targets", money(cost.total_per_month));
    if !record.targets.iter().all(|t| t.holds) {
        first = format!("{}; not all targets are kept", money(cost.total_per_month));
    }
    let fixed = cost.fixed_per_month;
    if fixed > 0.0 {
        first.push_str(&format!(" ({} of it traffic, storage and requests)", money(fixed)));
    }
    let mut lines = vec![first];
    if let Some(stated) = cost.stated_per_month {
        let holds = cost
            .stated_breaks
            .as_ref()
            .map_or("keeps them too".to_owned(), |breaks| format!("breaks {breaks}"));
        lines.push(format!("the scenario as written costs {} and {holds}", money(stated)));
    }
    if let Some(line) = &record.load_line {
        let full = match (&line.full_factor, &line.full) {
            (Some(factor), Some(what)) => {
                format!("; {} more: {what}", change(*factor))
            }
            _ => String::new(),
        };
        lines.push(format!("load line: {} more demand breaks {}{full}", change(line.factor), line.breaks));
    }
    let search = &record.search;
    let sure = if search.proved > 1.0 - 1e-9 {
        "proved the cheapest by the formulas".to_owned()
    } else {
        format!("no plan costs less than {} of it", human(search.proved, Unit::Share))
    };
    lines.push(format!(
        "{sure}: {} combinations, {} sized",
        human(search.combinations, Unit::Count),
        search.sized
    ));
    lines
}

/// A factor as what it adds: `25 %`, `0.04 %`.
fn change(factor: f64) -> String {
    human(factor - 1.0, Unit::Share)
}

/// A size with what the scenario states, where that differs.
fn with_stated(now: f64, stated: Option<f64>, unit: Unit) -> String {
    match stated {
        Some(before) if (before / now - 1.0).abs() > 1e-9 => {
            format!("{} (was {})", human(now, unit), human(before, unit))
        }
        _ => human(now, unit),
    }
}

fn tiers(record: &Plan, style: Style) -> String {
    let mut table = Table::new()
        .left("tier")
        .right("servers")
        .left("instance")
        .right("cache")
        .right("hits")
        .right("busy")
        .right("cost a month");
    for tier in &record.tiers {
        let share = |value: Option<f64>| value.map_or(String::new(), |v| human(v, Unit::Share));
        let shadow = tier.shadow_per_month > 0.0 && tier.cost_per_month <= 0.0;
        let cost =
            if shadow { "not billed".to_owned() } else { human(tier.cost_per_month, Unit::DollarsPerMonth) };
        table.push([
            Cell::toned(Tone::Strong, &tier.name),
            tier.servers
                .map_or(String::new(), |n| with_stated(n as f64, tier.servers_stated, Unit::Count))
                .into(),
            tier.instance.clone().unwrap_or_default().into(),
            tier.capacity_bytes
                .map_or(String::new(), |b| with_stated(b, tier.capacity_stated_bytes, Unit::Bytes))
                .into(),
            share(tier.hit_ratio).into(),
            share(tier.utilisation_peak).into(),
            cost.into(),
        ]);
    }
    table.push([
        Cell::toned(Tone::Strong, "all"),
        human(record.tiers.iter().filter_map(|t| t.servers).sum::<u64>() as f64, Unit::Count).into(),
        "".into(),
        "".into(),
        "".into(),
        "".into(),
        Cell::toned(Tone::Strong, human(record.cost.total_per_month, Unit::DollarsPerMonth)),
    ]);
    table.render(style, 1)
}

/// Headings of the table of sites.
pub const SITES: [&str; 5] = ["region", "sites", "to the nearest", "there and back", "one less"];

/// A row of sites, below [`SITES`].
#[must_use]
pub fn of_sites(sites: &PlannedSites) -> [String; 5] {
    [
        sites.region.clone(),
        human(sites.sites as f64, Unit::Count),
        format!("{} km", significant(sites.distance_m / 1e3, 3)),
        human(sites.round_trip_s, Unit::Seconds),
        sites.one_less.clone().unwrap_or_default(),
    ]
}

fn sites(record: &Plan, style: Style) -> String {
    let [region, sites, distance, trip, less] = SITES;
    let mut table = Table::new().left(region).right(sites).right(distance).right(trip);
    let mut lines = Vec::new();
    for sites in &record.sites {
        let [region, number, distance, trip, why] = of_sites(sites);
        lines.push(format!("{region}, {less}: {why}"));
        table.push([region, number, distance, trip].map(Cell::from));
    }
    if record.sites.is_empty() {
        return String::new();
    }
    format!("{}{}", table.render(style, 3), sentences(style, Tone::Plain, 2, &lines))
}

fn reasons(record: &Plan, style: Style) -> String {
    let bound: Vec<_> = record.tiers.iter().filter(|t| !t.binding.is_empty()).collect();
    let width = bound.iter().map(|t| t.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for tier in bound {
        let less = tier.one_less.as_ref().map_or(String::new(), |less| format!("; with {less}"));
        let chosen = chosen(tier);
        let chosen = if chosen.is_empty() { chosen } else { format!("; chosen: {chosen}") };
        let text = clean(&format!("{}{less}{chosen}", tier.binding));
        for (i, line) in wrap(&text, style.width.saturating_sub(width + 5)).iter().enumerate() {
            let name = if i == 0 { clean(&tier.name) } else { String::new() };
            out.push_str(&format!("   {name:<width$}  {line}\n"));
        }
    }
    out
}

/// What was chosen of a tier beside servers, types and caches: `6+3, 12 shards, 8 at a time`.
#[must_use]
pub fn chosen(tier: &PlannedTier) -> String {
    let what = |field: &String| match field.as_str() {
        "copies" => tier.copies.map(|n| format!("{n} copies")),
        "replication" => tier.kept_as.clone(),
        "shards" => tier.shards.map(|n| format!("{n} shards")),
        "concurrency" => tier.concurrency.map(|n| format!("{n} at a time")),
        "zones" => Some(format!("{} zones", tier.zones)),
        "link" => tier.link_bit_per_s.map(|link| human(link, Unit::BitsPerSecond)),
        _ => None,
    };
    tier.chosen.iter().filter_map(what).collect::<Vec<_>>().join(", ")
}

fn targets(list: &[Target], style: Style) -> String {
    let mut table =
        Table::new().left("").left("").right("predicted").right("simulated").right("over the day").left("");
    for target in list {
        let (sign, tone) = mark(target.holds);
        let value = |v: Option<f64>| v.map_or(String::new(), |v| human(v, target.unit));
        let under = target.under.as_ref().map_or(String::new(), |u| format!(" under {u}"));
        table.push([
            Cell::toned(tone, sign),
            format!("{}{under}", target.text).into(),
            value(target.predicted).into(),
            value(target.simulated).into(),
            value(target.simulated_day).into(),
            Cell::toned(Tone::Quiet, if target.assumed { "assumed" } else { "" }),
        ]);
    }
    table.render(style, 3)
}

/// What was simulated, in a sentence.
#[must_use]
pub fn verified(verification: &Verification) -> String {
    let several = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut played = several(verification.runs, "simulated day");
    if verification.moments > 0 {
        played = format!("{played} and {}", several(verification.moments, "moment"));
    }
    let requests = match verification.requests {
        0 => String::new(),
        n => format!(", {} requests", human(n as f64, Unit::Count)),
    };
    format!("Verified by {played}{requests}: {}.", verification.note)
}

/// `+$12 K/month`.
#[must_use]
pub fn extra(alternative: &Alternative) -> String {
    alternative.extra_per_month.map_or_else(
        || "no plan".to_owned(),
        |extra| {
            if extra.abs() < 1.0 {
                return "the same".to_owned();
            }
            let sign = if extra < 0.0 { "-" } else { "+" };
            format!("{sign}{}", human(extra.abs(), Unit::DollarsPerMonth))
        },
    )
}

fn alternatives(list: &[Alternative], style: Style) -> String {
    let mut table = Table::new().left("").right("").left("");
    for alternative in list {
        table.push([
            alternative.what.as_str().into(),
            extra(alternative).into(),
            alternative.verdict.as_str().into(),
        ]);
    }
    table.render(style, 3)
}

fn growth(record: &Plan, style: Style) -> String {
    let mut table = Table::new().left("demand").right("in").right("cost a month").left("add");
    for step in &record.growth {
        table.push([
            format!("{}x", significant(step.factor, 3)).into(),
            step.years.map_or(String::new(), |y| format!("{} years", significant(y, 2))).into(),
            human(step.cost_per_month, Unit::DollarsPerMonth).into(),
            step.add.join(", ").into(),
        ]);
    }
    table.render(style, 3)
}

fn in_worlds(worlds: &Worlds, style: Style) -> String {
    let mut table =
        Table::new().left("sized for").right("holds in").right("cost a month").right("regret").left("");
    for (i, row) in worlds.confidence.iter().enumerate() {
        let least = if i == worlds.least_regret { "least regret" } else { "" };
        table.push([
            row.sized_for.as_str().into(),
            human(row.holds, Unit::Share).into(),
            human(row.cost_per_month, Unit::DollarsPerMonth).into(),
            human(row.regret_per_month, Unit::DollarsPerMonth).into(),
            Cell::toned(Tone::Good, least),
        ]);
    }
    let mut out = table.render(style, 3);
    let mut table = Table::new().left("hangs on the ranges").right("5 %").right("middle").right("95 %");
    for (name, low, middle, high) in &worlds.tiers {
        let count = |v: &f64| Cell::from(human(*v, Unit::Count));
        table.push([name.as_str().into(), count(low), count(middle), count(high)]);
    }
    out.push_str(&table.render(style, 3));
    out
}

fn curves(record: &Plan, style: Style) -> String {
    let mut table = Table::new().left("").left("bound: cost a month");
    for curve in &record.curves {
        let points: Vec<String> = curve
            .points
            .iter()
            .map(|(bound, cost)| {
                let cost = cost.map_or("none".to_owned(), |c| human(c, Unit::DollarsPerMonth));
                format!("{}: {cost}", human(*bound, curve.unit))
            })
            .collect();
        for (i, some) in points.chunks(3).enumerate() {
            let name = if i == 0 { curve.target.as_str() } else { "" };
            table.push([name.into(), some.join("   ").into()]);
        }
    }
    table.render(style, 3)
}

fn failures(record: &Plan, style: Style) -> String {
    let mut out = String::new();
    for check in &record.failures {
        let (sign, tone) = mark(check.breaks.is_empty());
        let verdict = if check.breaks.is_empty() {
            check.fullest.as_ref().map_or("nothing is full".to_owned(), |(name, busy)| {
                format!("holds; fullest {name}, {} busy", human(*busy, Unit::Share))
            })
        } else {
            check.breaks.join(", ")
        };
        let required = if check.required { ", required" } else { "" };
        let line = format!("{}{required}: {verdict}", check.failure);
        out.push_str(&format!("   {} {}\n", style.paint(tone, sign), line));
        out.push_str(&sentences(style, Tone::Quiet, 5, [&check.what]));
        if !check.played.is_empty() {
            let played = format!("played: {}", check.played.join("; "));
            out.push_str(&sentences(style, Tone::Quiet, 5, [&played]));
            out.push_str(&under(&check.targets, style));
        }
    }
    out
}

/// Every target under a failure, by formula and as it was played.
fn under(list: &[Target], style: Style) -> String {
    let mut table = Table::new().left("").left("").right("predicted").right("simulated");
    for target in list {
        let (sign, tone) = mark(target.holds);
        let value = |v: Option<f64>| v.map_or(String::new(), |v| human(v, target.unit));
        table.push([
            Cell::toned(tone, sign),
            target.text.as_str().into(),
            value(target.predicted).into(),
            value(target.simulated).into(),
        ]);
    }
    table.render(style, 5)
}

/// `4e-12`, or `0` where it can't happen.
#[must_use]
pub fn chance(value: f64) -> String {
    if value <= 0.0 { "0".to_owned() } else { format!("{value:.1e}") }
}

fn storage(list: &[StorageCheck], style: Style) -> String {
    let mut table = Table::new()
        .left("lost in a year, of one object")
        .left("")
        .right("independent")
        .right("zone")
        .right("operator")
        .right("1 % at once")
        .right("repair")
        .right("stale read");
    for check in list {
        table.push([
            check.tier.as_str().into(),
            check.scheme.as_str().into(),
            chance(check.independent_loss).into(),
            chance(check.zone_loss).into(),
            chance(check.operator_loss).into(),
            chance(check.copyset_loss).into(),
            human(check.repair_hours * 3600.0, Unit::Seconds).into(),
            human(check.stale_read, Unit::Share).into(),
        ]);
    }
    table.render(style, 3)
}

/// Two plans, line by line.
#[must_use]
pub fn plans_compared(record: &PlanComparison, style: Style) -> String {
    let mut out = title(style, &format!("{} and {}", record.a, record.b), "two plans, line by line");
    let mut table = Table::new().left("").right(&record.a).right(&record.b).right("");
    for row in &record.rows {
        let shown = |v: Option<f64>| v.map_or("-".to_owned(), |v| human(v, row.unit));
        let change = match (row.a, row.b) {
            (Some(a), Some(b)) if a != 0.0 && (b / a - 1.0).abs() > 1e-9 => {
                crate::format::change(b / a - 1.0)
            }
            _ => String::new(),
        };
        table.push([row.what.as_str().into(), shown(row.a).into(), shown(row.b).into(), change.into()]);
    }
    out.push_str(&table.render(style, 1));
    out
}
