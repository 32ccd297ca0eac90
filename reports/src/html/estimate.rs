//! The estimate: one table a group, every line with its formula and the numbers put in.

use super::element::{Column, Row, escape, mark, table};
use crate::format::{self, change, human};
use crate::record::{Estimate, Quantity, Report};

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
    out
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
