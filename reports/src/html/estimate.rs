//! The estimate: one table a group, every line with its formula and the numbers put in; then what breaks as demand
//! grows and what events do.

use super::element::{Column, Row, escape, list, mark, table};
use crate::format::{self, change, human};
use crate::record::{Estimate, Quantity, Report, Resource, Unit};

/// The tables; empty without an estimate.
pub fn section(report: &Report) -> String {
    let Some(estimate) = &report.estimate else { return String::new() };
    let mut groups: Vec<&str> = Vec::new();
    for quantity in &estimate.quantities {
        if !groups.contains(&quantity.group.as_str()) {
            groups.push(&quantity.group);
        }
    }
    let columns =
        [Column::Text("quantity"), Column::Number("value"), Column::Text("working"), Column::Text("from")];
    let mut out = String::new();
    for group in groups {
        let quantities = estimate.quantities.iter().filter(|q| q.group == group);
        let rows: Vec<Row> = quantities.map(|q| row(estimate, q)).collect();
        out.push_str(&table(group, &columns, &rows));
    }
    out.push_str(&growth(estimate));
    out.push_str(&events(estimate));
    out.push_str(&list(&estimate.notes));
    out
}

/// What is fullest at multiples of the demand.
fn growth(estimate: &Estimate) -> String {
    let rows: Vec<Row> = estimate
        .growth
        .iter()
        .flat_map(|step| {
            step.resources.iter().enumerate().map(|(i, resource)| {
                let factor = format!("{}x", human(step.factor, Unit::Number));
                Row {
                    cells: vec![
                        if i == 0 { factor } else { String::new() },
                        escape(&resource.label),
                        used(resource),
                    ],
                    ..Row::default()
                }
            })
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    table(
        "as demand grows",
        &[Column::Text("demand"), Column::Text("fullest"), Column::Number("used")],
        &rows,
    )
}

/// What the scenario's events do.
fn events(estimate: &Estimate) -> String {
    let rows: Vec<Row> = estimate
        .events
        .iter()
        .flat_map(|event| {
            event.resources.iter().enumerate().map(|(i, (resource, before))| Row {
                cells: vec![
                    if i == 0 { escape(&event.what) } else { String::new() },
                    escape(&resource.label),
                    used(resource),
                    escape(&human(*before, Unit::Share)),
                ],
                ..Row::default()
            })
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let columns = [
        Column::Text("event"),
        Column::Text("fullest then"),
        Column::Number("used"),
        Column::Number("without it"),
    ];
    table("under its events", &columns, &rows)
}

fn used(resource: &Resource) -> String {
    let text = escape(&human(resource.used, Unit::Share));
    if resource.used < 1.0 { text } else { format!("{} <b>{text}</b>", mark(false)) }
}

fn row(estimate: &Estimate, quantity: &Quantity) -> Row {
    let mut label = escape(&quantity.label);
    for claim in estimate.claims.iter().filter(|c| c.what == quantity.id) {
        let off = if claim.holds { String::new() } else { format!(", this is {}", change(claim.deviation)) };
        let text = format!("source says {}{off}", claim.claimed_text);
        label.push_str(&format!("<br><small>{} {}</small>", mark(claim.holds), escape(&text)));
    }
    let mut value = format!("<b>{}</b>", escape(&human(quantity.value, quantity.unit)));
    if let Some((low, high)) = quantity.range {
        let range = format::range(low, high, quantity.unit);
        value.push_str(&format!("<br><small>{}</small>", escape(&range)));
    }
    let working: Vec<String> = [&quantity.formula, &quantity.working]
        .into_iter()
        .filter(|t| !t.is_empty())
        .map(|t| format!("<span>= {}</span>", escape(t)))
        .collect();
    let working = if working.is_empty() {
        String::new()
    } else {
        format!("<div class=\"working\">{}</div>", working.concat())
    };
    let sources: Vec<String> = quantity.sources.iter().map(|s| escape(s)).collect();
    let sources =
        if sources.is_empty() { String::new() } else { format!("<small>{}</small>", sources.join("<br>")) };
    Row { cells: vec![label, value, working, sources], ..Row::default() }
}
