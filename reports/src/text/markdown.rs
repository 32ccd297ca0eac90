//! The estimate as Markdown: one table per group, every line with its working, to paste into a design; then what
//! breaks as demand grows, what events do, and what the answers hang on.

use super::estimate::{claim_text, groups, range};
use crate::format::human;
use crate::record::{ClaimCheck, Estimate, Quantity, Unit};
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
    out.push_str(&growth(record));
    out.push_str(&events(record));
    out.push_str(&hangs_on(record));
    out.push_str(&slos(record));
    if !record.notes.is_empty() {
        out.push('\n');
    }
    for note in &record.notes {
        out.push_str(&format!("- {}\n", inline(note)));
    }
    out.push_str(&format!("\n{}\n", inline(&story::provenance(&record.provenance))));
    out
}

fn growth(record: &Estimate) -> String {
    if record.growth.is_empty() {
        return String::new();
    }
    let mut out = "\n## as demand grows\n\n| demand | fullest | used |\n|---:|---|---:|\n".to_owned();
    for step in &record.growth {
        for resource in &step.resources {
            out.push_str(&format!(
                "| {}x | {} | {} |\n",
                human(step.factor, Unit::Number),
                inline(&resource.label),
                inline(&human(resource.used, Unit::Share))
            ));
        }
    }
    out
}

fn events(record: &Estimate) -> String {
    if record.events.is_empty() {
        return String::new();
    }
    let mut out =
        "\n## under its events\n\n| event | fullest then | used | without it |\n|---|---|---:|---:|\n"
            .to_owned();
    for event in &record.events {
        for (resource, before) in &event.resources {
            out.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                inline(&event.what),
                inline(&resource.label),
                inline(&human(resource.used, Unit::Share)),
                inline(&human(*before, Unit::Share))
            ));
        }
    }
    out
}

fn hangs_on(record: &Estimate) -> String {
    let mut out = String::new();
    for influence in record.hangs_on.iter().filter(|i| !i.inputs.is_empty()) {
        let unit = record.quantities.iter().find(|q| q.id == influence.of).map_or(Unit::Number, |q| q.unit);
        out.push_str(&format!(
            "\n## {} hangs on\n\n| input | range | share | at its 5 % | at its 95 % |\n|---|---|---:|---:|---:|\n",
            inline(&influence.label)
        ));
        for input in &influence.inputs {
            out.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                inline(&input.input),
                inline(&input.text),
                inline(&human(input.share, Unit::Share)),
                inline(&human(input.low, unit)),
                inline(&human(input.high, unit))
            ));
        }
    }
    out
}

fn slos(record: &Estimate) -> String {
    if record.slos.is_empty() {
        return String::new();
    }
    let mut out =
        "\n## SLOs that closed forms can judge\n\n| SLO | value | holds |\n|---|---:|---|\n".to_owned();
    for slo in &record.slos {
        out.push_str(&format!(
            "| {} | {} | {} |\n",
            inline(&slo.text),
            inline(&human(slo.value, slo.unit)),
            if slo.holds { "yes" } else { "no" }
        ));
    }
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
