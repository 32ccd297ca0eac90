//! Records as text for a terminal, one file per record.
//!
//! Why strings and not writers: the caller decides where text goes; a test compares it; `--format
//! markdown` and a terminal share the words.

mod capacity;
mod comparison;
mod estimate;
mod gate;
mod markdown;
mod measurement;
pub(crate) mod plan;
mod plan_markdown;
mod replay;
mod report;
mod run;
mod style;
mod table;

pub use capacity::capacity;
pub use comparison::comparison;
pub use estimate::{estimate, estimate_explained};
pub use gate::{gate, gate_markdown, headline as gate_headline};
pub use markdown::estimate as estimate_markdown;
pub use measurement::measurement;
pub use plan::{plan, plans_compared};
pub use plan_markdown::{plan as plan_markdown, plans_compared as plans_compared_markdown};
pub use replay::replay;
pub use report::report;
pub use run::run;
pub use style::Style;

use crate::format::human;
use crate::record::{Latency, SloVerdict, Unit};
use style::{Tone, clean, mark, wrap};
use table::Table;

/// First line of a text: what it is about, strong, and a quiet remainder.
fn title(style: Style, strong: &str, quiet: &str) -> String {
    let mut line = style.paint(Tone::Strong, &clean(strong));
    for (i, more) in wrap(&clean(quiet), style.width.saturating_sub(1)).iter().enumerate() {
        let room = strong.chars().count() + more.chars().count() + 3 <= style.width;
        if more.is_empty() {
            continue;
        }
        line.push_str(if i == 0 && room { " · " } else { "\n " });
        line.push_str(&style.paint(Tone::Quiet, more));
    }
    line.push('\n');
    line
}

/// A heading with what stands under it; nothing if that is empty.
fn section(style: Style, heading: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("\n {}\n{body}", style.paint(Tone::Strong, heading))
}

/// Sentences, each wrapped and indented by `indent`.
fn sentences<'a>(
    style: Style,
    tone: Tone,
    indent: usize,
    texts: impl IntoIterator<Item = &'a String>,
) -> String {
    let mut out = String::new();
    for text in texts {
        for (i, line) in wrap(&clean(text), style.width.saturating_sub(indent + 2)).iter().enumerate() {
            let bullet = if i == 0 { "- " } else { "  " };
            out.push_str(&" ".repeat(indent));
            out.push_str(bullet);
            out.push_str(&style.paint(tone, line));
            out.push('\n');
        }
    }
    out
}

/// One line per SLO: mark, text, value.
fn slos(style: Style, verdicts: &[SloVerdict]) -> String {
    let mut table = Table::new().left("").left("").right("").left("");
    for slo in verdicts {
        let (sign, tone) = mark(slo.holds);
        let verdict = if slo.holds { "" } else { "breached" };
        table.push([
            table::Cell::toned(tone, sign),
            slo.text.as_str().into(),
            table::Cell::toned(if slo.holds { Tone::Plain } else { tone }, human(slo.value, slo.unit)),
            table::Cell::toned(tone, verdict),
        ]);
    }
    table.render(style, 3)
}

fn quantile(latency: &Latency, p: f64) -> String {
    latency.at(p).map_or_else(String::new, |v| human(v, Unit::Seconds))
}
