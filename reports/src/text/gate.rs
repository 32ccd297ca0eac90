//! A gate's answers: for a terminal, and as Markdown for a pull request's summary.

use super::markdown::inline;
use super::style::{Style, Tone, clean, wrap};
use super::table::{Cell, Table};
use super::{sentences, title};
use crate::format::{change, error, human, signed};
use crate::gate::{Answer, Check, Gate, Verdict};
use crate::record::{Interval, Unit};
use crate::story;

/// The answer first, then every question, then why those that did not pass did not.
#[must_use]
pub fn gate(record: &Gate, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, &span(record));
    out.push_str(&format!("\n {}\n\n", style.paint(tone(record.answer), &headline(record))));
    out.push_str(&table(record).render(style, 3));
    let open = |verdict: &&Verdict| verdict.answer != Answer::Passed;
    let reasons: Vec<String> =
        record.checks.iter().filter(open).map(|v| format!("{}: {}", v.question(), v.why)).collect();
    if !reasons.is_empty() {
        out.push('\n');
        out.push_str(&sentences(style, Tone::Plain, 1, &reasons));
    }
    if !record.notes.is_empty() {
        out.push('\n');
        out.push_str(&sentences(style, Tone::Quiet, 1, &record.notes));
    }
    out.push('\n');
    for line in wrap(&clean(&story::provenance(&record.provenance)), style.width.saturating_sub(1)) {
        out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
    }
    out
}

/// The same as Markdown.
#[must_use]
pub fn gate_markdown(record: &Gate) -> String {
    let mut out = format!(
        "## {} {}\n\n{}, {}\n\n",
        sign(record.answer),
        inline(&headline(record)),
        inline(&record.provenance.scenario),
        inline(&span(record))
    );
    out.push_str("| | series | held against | measured | change | answer |\n|---|---|---:|---:|---:|---|\n");
    for verdict in &record.checks {
        let cells = Cells::of(verdict);
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            sign(verdict.answer),
            inline(&verdict.series),
            inline(&cells.wanted),
            inline(&cells.measured),
            inline(&cells.change),
            verdict.answer.word()
        ));
    }
    let open: Vec<&Verdict> = record.checks.iter().filter(|v| v.answer != Answer::Passed).collect();
    if !open.is_empty() {
        out.push('\n');
    }
    for verdict in open {
        out.push_str(&format!("- **{}**: {}\n", inline(&verdict.question()), inline(&verdict.why)));
    }
    if !record.notes.is_empty() {
        out.push('\n');
    }
    for note in &record.notes {
        out.push_str(&format!("- {}\n", inline(note)));
    }
    out.push_str(&format!("\n{}\n", inline(&story::provenance(&record.provenance))));
    out
}

/// `passed: all 5 checks`, `breached: 1 of 5 checks, 2 inconclusive`, `passed: nothing was asked`.
#[must_use]
pub fn headline(record: &Gate) -> String {
    let count = |answer: Answer| record.checks.iter().filter(|v| v.answer == answer).count();
    let all = record.checks.len();
    if all == 0 {
        return format!("{}: nothing was asked", record.answer.word());
    }
    let checks = if all == 1 { "check" } else { "checks" };
    match record.answer {
        Answer::Passed => format!("passed: all {all} {checks}"),
        Answer::Inconclusive => {
            format!("inconclusive: {} of {all} {checks}, none breached", count(Answer::Inconclusive))
        }
        Answer::Breached => {
            let open = count(Answer::Inconclusive);
            let more = if open > 0 { format!(", {open} inconclusive") } else { String::new() };
            format!("breached: {} of {all} {checks}{more}", count(Answer::Breached))
        }
    }
}

fn span(record: &Gate) -> String {
    format!("{} rounds of {}, against {}", record.rounds, human(record.round_s, Unit::Seconds), record.target)
}

fn table(record: &Gate) -> Table {
    let mut table = Table::new()
        .left("")
        .left("series")
        .right("held against")
        .right("measured")
        .right("change")
        .right("95 % interval");
    for verdict in &record.checks {
        let cells = Cells::of(verdict);
        table.push([
            Cell::toned(tone(verdict.answer), sign(verdict.answer)),
            verdict.series.as_str().into(),
            Cell::toned(Tone::Quiet, &cells.wanted),
            cells.measured.as_str().into(),
            cells.change.as_str().into(),
            cells.interval.as_str().into(),
        ]);
    }
    table
}

/// What a row says, whatever draws it.
#[derive(Default)]
struct Cells {
    wanted: String,
    measured: String,
    change: String,
    interval: String,
}

impl Cells {
    fn of(verdict: &Verdict) -> Self {
        let unit = verdict.unit;
        match &verdict.check {
            Check::Threshold { text, measured, .. } => {
                let wanted = text.split_at(text.find(['<', '>']).unwrap_or(0)).1.to_owned();
                let Some(measured) = measured else { return Self { wanted, ..Self::default() } };
                let interval = from_to(measured, &|x| human(x, unit));
                Self { wanted, measured: human(measured.value, unit), interval, ..Self::default() }
            }
            Check::Baseline(None) => Self { wanted: "as before".to_owned(), ..Self::default() },
            Check::Baseline(Some(seen)) => {
                let shown = |x: f64| if unit == Unit::Share { signed(x, unit) } else { change(x) };
                Self {
                    wanted: format!("was {}", human(seen.before, unit)),
                    measured: human(seen.now, unit),
                    change: shown(seen.change.value),
                    interval: from_to(&seen.change, &shown),
                }
            }
            Check::Prediction { predicted, measured, error: off, .. } => Self {
                wanted: format!("predicted {}", human(*predicted, unit)),
                measured: human(*measured, unit),
                change: error(off.value, unit),
                interval: from_to(off, &|x| error(x, unit)),
            },
        }
    }
}

/// `-27.4 to +11.5 %`: the unit once, where it is the same.
fn from_to(interval: &Interval, shown: &dyn Fn(f64) -> String) -> String {
    let (low, high) = (shown(interval.low), shown(interval.high));
    let unit = |text: &str| text.split_once(' ').map(|(number, unit)| (number.to_owned(), unit.to_owned()));
    match (unit(&low), unit(&high)) {
        (Some((number, of_low)), Some((_, of_high))) if of_low == of_high => format!("{number} to {high}"),
        _ => format!("{low} to {high}"),
    }
}

/// Shapes, so that no colour is needed.
const fn sign(answer: Answer) -> &'static str {
    match answer {
        Answer::Passed => "✓",
        Answer::Breached => "✗",
        Answer::Inconclusive => "?",
    }
}

const fn tone(answer: Answer) -> Tone {
    match answer {
        Answer::Passed => Tone::Good,
        Answer::Breached => Tone::Bad,
        Answer::Inconclusive => Tone::Strong,
    }
}
