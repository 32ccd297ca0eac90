//! A gate's answers as `JUnit` XML, which every CI system shows: one test case a question.
//!
//! Why by hand: three kinds of elements and one escape need no XML library; a parser reads them in the tests.
//! An inconclusive answer is an `<error>` and not a `<failure>`: the test could not be carried out, as `JUnit`
//! has it, and CI systems show the two apart.

use std::fmt::Write as _;

use crate::gate::{Answer, Check, Gate, Verdict};

/// The document. `wall_s` is what the whole gate took.
#[must_use]
pub fn junit(record: &Gate, wall_s: f64) -> String {
    let count = |answer: Answer| record.checks.iter().filter(|v| v.answer == answer).count();
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{wall_s:.3}\"",
        record.checks.len(),
        count(Answer::Breached),
        count(Answer::Inconclusive),
    );
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    push(&mut out, format_args!("<testsuites name=\"plimsoll gate\" {totals}>\n"));
    let suite = escaped(&record.provenance.scenario);
    // Jenkins' schema knows `skipped` of a suite only.
    push(&mut out, format_args!("  <testsuite name=\"{suite}\" {totals} skipped=\"0\">\n"));
    properties(record, &mut out);
    for verdict in &record.checks {
        case(&record.provenance.scenario, verdict, &mut out);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn properties(record: &Gate, out: &mut String) {
    out.push_str("    <properties>\n");
    let own = [
        ("target", record.target.clone()),
        ("rounds", record.rounds.to_string()),
        ("round_seconds", record.round_s.to_string()),
        ("seed", record.provenance.seed.to_string()),
        ("version", record.provenance.version.clone()),
    ];
    let own = own.iter().map(|(name, value)| (*name, value));
    let notes = record.notes.iter().map(|note| ("note", note));
    for (name, value) in own.chain(notes) {
        let (name, value) = (escaped(name), escaped(value));
        push(out, format_args!("      <property name=\"{name}\" value=\"{value}\"/>\n"));
    }
    out.push_str("    </properties>\n");
}

fn case(scenario: &str, verdict: &Verdict, out: &mut String) {
    let kind = match verdict.check {
        Check::Threshold { .. } => "threshold",
        Check::Baseline(_) => "baseline",
        Check::Prediction { .. } => "prediction",
    };
    let (class, name) = (escaped(&format!("{scenario}.{kind}")), escaped(&verdict.question()));
    let why = escaped(&verdict.why);
    push(out, format_args!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\">\n"));
    match verdict.answer {
        Answer::Passed => push(out, format_args!("      <system-out>{why}</system-out>\n")),
        Answer::Breached => {
            push(out, format_args!("      <failure type=\"breached\" message=\"{why}\">{why}</failure>\n"));
        }
        Answer::Inconclusive => {
            push(out, format_args!("      <error type=\"inconclusive\" message=\"{why}\">{why}</error>\n"));
        }
    }
    out.push_str("    </testcase>\n");
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String does not fail");
}

/// Text that may stand in an element or an attribute; characters that XML 1.0 has no way to say become `U+FFFD`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\t' | '\r' => push(&mut out, format_args!("&#{};", c as u32)),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
