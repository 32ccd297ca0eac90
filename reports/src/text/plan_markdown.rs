//! A plan as Markdown, to paste into a design: the answer, then a table a question.

use super::markdown::inline;
use super::plan::{SITES, answer, chance, chosen, extra, of_sites, verified};
use crate::format::{human, significant};
use crate::plan::{Plan, PlanComparison};
use crate::record::Unit;
use crate::story;

/// The whole plan.
#[must_use]
pub fn plan(record: &Plan) -> String {
    let mut out =
        format!("# {}, planned\n\n{}\n\n", inline(&record.provenance.scenario), inline(&record.summary));
    for line in answer(record) {
        out.push_str(&format!("- {}\n", inline(&line)));
    }
    out.push_str(&tiers(record));
    out.push_str(&table("Sites", &SITES, record.sites.iter().map(|s| of_sites(s).to_vec())));
    out.push_str(&targets(record));
    let rows = record.alternatives.iter().map(|a| vec![a.what.clone(), extra(a), a.verdict.clone()]);
    out.push_str(&table("Why not", &["instead", "costs", "what happens"], rows));
    let rows = record.growth.iter().map(|g| {
        vec![
            format!("{}x", significant(g.factor, 3)),
            g.years.map_or(String::new(), |y| significant(y, 2)),
            human(g.cost_per_month, Unit::DollarsPerMonth),
            g.add.join(", "),
        ]
    });
    out.push_str(&table("When to buy", &["demand", "in years", "cost a month", "add"], rows));
    if let Some(worlds) = &record.worlds {
        let rows = worlds.confidence.iter().enumerate().map(|(i, c)| {
            let least = if i == worlds.least_regret { " (least regret)" } else { "" };
            vec![
                format!("{}{least}", c.sized_for),
                human(c.holds, Unit::Share),
                human(c.cost_per_month, Unit::DollarsPerMonth),
                human(c.regret_per_month, Unit::DollarsPerMonth),
            ]
        });
        let heading = format!("In {} worlds", worlds.worlds);
        out.push_str(&table(&heading, &["sized for", "holds in", "cost a month", "regret"], rows));
    }
    let rows = record.curves.iter().flat_map(|curve| {
        curve.points.iter().map(|(bound, cost)| {
            let cost = cost.map_or("no plan".to_owned(), |c| human(c, Unit::DollarsPerMonth));
            vec![curve.target.clone(), human(*bound, curve.unit), cost]
        })
    });
    out.push_str(&table("What a target costs", &["target", "bound", "cost a month"], rows));
    let rows = record.failures.iter().map(|f| {
        let breaks = if f.breaks.is_empty() { "nothing".to_owned() } else { f.breaks.join(", ") };
        vec![f.failure.clone(), f.what.clone(), breaks]
    });
    out.push_str(&table("Under failures", &["failure", "what happens", "what breaks"], rows));
    out.push_str(&under_failures(record));
    let rows = record.storage.iter().map(|s| {
        vec![
            s.tier.clone(),
            s.scheme.clone(),
            chance(s.independent_loss),
            chance(s.zone_loss),
            chance(s.operator_loss),
        ]
    });
    let headings = ["tier", "kept as", "lost in a year, independent", "with zones", "operator"];
    out.push_str(&table("What is kept, and how safely", &headings, rows));
    out.push_str("\n## Assumed\n\n");
    let verified = record.verification.as_ref().map(verified);
    for text in record.assumptions.iter().chain(&record.notes).chain(&verified) {
        out.push_str(&format!("- {}\n", inline(text)));
    }
    out.push_str(&format!("\n{}\n", inline(&story::provenance(&record.provenance))));
    out
}

fn tiers(record: &Plan) -> String {
    let rows = record.tiers.iter().map(|tier| {
        vec![
            tier.name.clone(),
            tier.servers.map_or(String::new(), |n| n.to_string()),
            tier.instance.clone().unwrap_or_default(),
            tier.capacity_bytes.map_or(String::new(), |b| human(b, Unit::Bytes)),
            tier.utilisation_peak.map_or(String::new(), |u| human(u, Unit::Share)),
            human(tier.cost_per_month, Unit::DollarsPerMonth),
            chosen(tier),
            tier.binding.clone(),
        ]
    });
    let headings =
        ["tier", "servers", "instance", "cache", "busy", "cost a month", "also chosen", "bound by"];
    table("Bill of materials", &headings, rows)
}

fn targets(record: &Plan) -> String {
    let rows = record.targets.iter().map(|target| {
        let value = |v: Option<f64>| v.map_or(String::new(), |v| human(v, target.unit));
        vec![
            if target.holds { "✓" } else { "✗" }.to_owned(),
            target.text.clone(),
            target.under.clone().unwrap_or_default(),
            value(target.predicted),
            value(target.simulated),
            value(target.simulated_day),
        ]
    });
    table("Targets", &["", "target", "under", "predicted", "simulated", "simulated, over the day"], rows)
}

/// Every target under every failure that was played.
fn under_failures(record: &Plan) -> String {
    let played = record.failures.iter().filter(|f| !f.played.is_empty());
    let rows = played.flat_map(|failure| {
        failure.targets.iter().map(|target| {
            let value = |v: Option<f64>| v.map_or(String::new(), |v| human(v, target.unit));
            vec![
                if target.holds { "✓" } else { "✗" }.to_owned(),
                failure.failure.clone(),
                target.text.clone(),
                value(target.predicted),
                value(target.simulated),
            ]
        })
    });
    table("Targets under failures", &["", "failure", "target", "predicted", "simulated"], rows)
}

/// Two plans, line by line.
#[must_use]
pub fn plans_compared(record: &PlanComparison) -> String {
    let rows = record.rows.iter().map(|row| {
        let shown = |v: Option<f64>| v.map_or(String::new(), |v| human(v, row.unit));
        vec![row.what.clone(), shown(row.a), shown(row.b)]
    });
    let heading = format!("{} and {}", record.a, record.b);
    table(&heading, &["", &record.a, &record.b], rows).trim_start().to_owned()
}

/// A heading and a table under it; nothing without rows.
fn table(heading: &str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let body: String = rows
        .map(|row| {
            let cells: Vec<String> = row.iter().map(|cell| inline(cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        })
        .collect();
    if body.is_empty() {
        return String::new();
    }
    let names: Vec<String> = columns.iter().map(|c| inline(c)).collect();
    format!(
        "\n## {}\n\n| {} |\n|{}\n{body}",
        inline(heading),
        names.join(" | "),
        "---|".repeat(columns.len())
    )
}
