//! The estimate as Markdown: one table per group, every line with its working, to paste into a design.

use super::estimate::{claim_text, groups, range};
use crate::format::human;
use crate::record::{ClaimCheck, Estimate, Quantity};
use crate::story;

/// Markdown with tables, as GitHub and others read them.
#[must_use]
pub fn estimate(record: &Estimate) -> String {
    let mut out = format!("# {}\n\n{}\n", inline(&record.provenance.scenario), inline(&record.summary));
    for group in groups(record) {
        out.push_str(&format!("\n## {}\n\n", inline(group)));
        out.push_str("| quantity | value | working | from |\n|---|---:|---|---|\n");
        for quantity in record.quantities.iter().filter(|q| q.group == group) {
            out.push_str(&row(record, quantity));
        }
    }
    out.push_str(&format!("\n{}\n", inline(&story::provenance(&record.provenance))));
    out
}

fn row(record: &Estimate, quantity: &Quantity) -> String {
    let mut value = human(quantity.value, quantity.unit);
    if quantity.range.is_some() {
        value = format!("{value} ({})", range(quantity));
    }
    let claims: Vec<String> = record
        .claims
        .iter()
        .filter(|c: &&ClaimCheck| c.what == quantity.id)
        .map(|c| format!("<br>{}", inline(&claim_text(c))))
        .collect();
    let working: Vec<String> = [&quantity.formula, &quantity.working]
        .into_iter()
        .filter(|t| !t.is_empty())
        .map(|t| inline(t))
        .collect();
    format!(
        "| {}{} | {} | {} | {} |\n",
        inline(&quantity.label),
        claims.concat(),
        inline(&value),
        working.join("<br>= "),
        inline(&quantity.sources.join(", "))
    )
}

/// Text that Markdown shows as it is, on one line.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '*' | '_' | '`' | '[' | ']' | '#' | '\\' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn marks_of_the_language_are_escaped() {
        assert_eq!(super::inline("a|b*c_d\n<x>"), "a\\|b\\*c\\_d &lt;x>");
    }
}
