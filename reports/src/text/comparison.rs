//! Predicted, measured, error.

use super::style::{Style, Tone, clean};
use super::table::{Cell, Table};
use super::title;
use crate::format::{error, human};
use crate::record::{Comparison, ComparisonRow};
use crate::story;

/// All rows, the worst one marked.
#[must_use]
pub fn comparison(record: &Comparison, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, "predicted beside measured");
    out.push('\n');
    let worst = story::worst(record);
    let worst_id = worst.as_ref().map(|(row, _)| row.id.as_str());
    out.push_str(&rows(&record.rows, worst_id, style));
    match &worst {
        Some((_, text)) => out.push_str(&format!("\n largest error: {}\n", clean(text))),
        None => out.push_str(" nothing was both predicted and measured\n"),
    }
    out
}

/// The rows as a table; the one with id `worst` is strong and marked in words.
pub fn rows<'a>(
    rows: impl IntoIterator<Item = &'a ComparisonRow>,
    worst: Option<&str>,
    style: Style,
) -> String {
    let mut table = Table::new().left("").right("predicted").right("measured").right("error").left("");
    for row in rows {
        let is_worst = worst == Some(row.id.as_str());
        let tone = if is_worst { Tone::Strong } else { Tone::Plain };
        table.push([
            Cell::toned(tone, &row.label),
            human(row.predicted, row.unit).into(),
            human(row.measured, row.unit).into(),
            Cell::toned(tone, error(row.error, row.unit)),
            Cell::toned(Tone::Quiet, if is_worst { "largest" } else { "" }),
        ]);
    }
    table.render(style, 3)
}
