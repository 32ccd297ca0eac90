//! A gate's answers as people and CI systems read them.

mod fixture;

use fixture::provenance;
use plimsoll_reports::capacity::{Capacity, CapacityProbe, FittedLaw};
use plimsoll_reports::gate::{Answer, Change, Check, Gate, Verdict};
use plimsoll_reports::junit::junit;
use plimsoll_reports::record::{Interval, Unit};
use plimsoll_reports::text::{self, Style};

fn verdict(series: &str, unit: Unit, check: Check, answer: Answer, why: &str) -> Verdict {
    Verdict { series: series.into(), unit, check, answer, why: why.into(), rounds_needed: None }
}

fn gate() -> Gate {
    let change = Change {
        before: 0.1,
        now: 0.112,
        change: Interval { value: 0.12, low: 0.09, high: 0.15 },
        sure: 0.08,
        min_effect: 0.05,
        paired: true,
    };
    let measured = Some(Interval { value: 0.112, low: 0.105, high: 0.12 });
    let bound = |text: &str| Check::Threshold { text: text.into(), bound: 0.25, measured };
    let off = Interval { value: 0.01, low: -0.02, high: 0.04 };
    let prediction = Check::Prediction { predicted: 0.79, measured: 0.78, error: off, tolerance: 0.05 };
    let checks = vec![
        verdict(
            "play.first_byte p99",
            Unit::Seconds,
            bound("play.first_byte p99 < 250 ms"),
            Answer::Passed,
            "112 ms, and 120 ms at worst",
        ),
        verdict(
            "play.first_byte p99",
            Unit::Seconds,
            Check::Baseline(Some(change)),
            Answer::Breached,
            "100 ms to 112 ms, +12 % (at least +8 %)",
        ),
        verdict(
            "errors",
            Unit::Share,
            Check::Baseline(None),
            Answer::Inconclusive,
            "no round measured `errors` & <\"none\"> 'x' | y\u{1}",
        ),
        verdict("edge.hit_ratio", Unit::Share, prediction, Answer::Passed, "off by +1 points"),
    ];
    Gate {
        provenance: provenance(),
        target: "http://127.0.0.1:8080".into(),
        answer: Answer::all(checks.iter().map(|v| v.answer)),
        rounds: 20,
        round_s: 5.0,
        checks,
        notes: vec!["2 rounds were played again".into()],
    }
}

#[test]
fn a_terminal_gets_the_answer_first_and_why_it_is_not_a_pass() {
    let page = text::gate(&gate(), Style::PLAIN);
    let lines: Vec<&str> = page.lines().collect();
    assert!(lines[0].starts_with("spotify · 20 rounds of 5 s, against http://127.0.0.1:8080"), "{page}");
    assert_eq!(lines[2], " breached: 1 of 4 checks, 1 inconclusive");
    let row =
        |mark: &str, text: &str| lines.iter().any(|l| l.trim_start().starts_with(mark) && l.contains(text));
    assert!(row("✓", "< 250 ms") && row("✗", "was 100 ms") && row("?", "errors"), "{page}");
    assert!(
        page.contains("- play.first_byte p99 against the baseline: 100 ms to 112 ms, +12 % (at least +8 %)"),
        "{page}"
    );
    assert!(!page.contains('\u{1}') && lines.iter().all(|l| l.chars().count() <= 100), "{page}");
    let colored = text::gate(&gate(), Style { color: true, width: 100 });
    assert!(colored.contains("\u{1b}[31;1m✗"), "{colored}");
}

#[test]
fn a_summary_is_a_markdown_table() {
    let page = text::gate_markdown(&gate());
    assert!(page.starts_with("## ✗ breached: 1 of 4 checks, 1 inconclusive\n"), "{page}");
    let rows: Vec<&str> = page.lines().filter(|l| l.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + 4);
    let bars = |row: &&str| row.replace("\\|", "").matches('|').count();
    assert!(rows.iter().all(|row| bars(row) == 7), "{page}");
    assert!(
        page.contains("- **errors against the baseline**: ") && page.contains("2 rounds were played again")
    );
}

#[test]
fn junit_is_xml_whose_counts_and_cases_agree() {
    let text = junit(&gate(), 12.5);
    let document = roxmltree::Document::parse(&text).unwrap();
    let suites = document.root_element();
    assert_eq!(suites.tag_name().name(), "testsuites");
    let suite = suites.children().find(|n| n.has_tag_name("testsuite")).unwrap();
    for (name, value) in
        [("tests", "4"), ("failures", "1"), ("errors", "1"), ("name", "spotify"), ("time", "12.500")]
    {
        assert_eq!(suite.attribute(name), Some(value), "{name}");
    }
    let cases: Vec<_> = suite.children().filter(|n| n.has_tag_name("testcase")).collect();
    let outcome = |i: usize| cases[i].children().find(roxmltree::Node::is_element).unwrap();
    let kinds: Vec<&str> = (0..4).map(|i| outcome(i).tag_name().name()).collect();
    assert_eq!(kinds, ["system-out", "failure", "error", "system-out"]);
    assert_eq!(cases[0].attribute("name"), Some("play.first_byte p99 < 250 ms"));
    assert_eq!(cases[1].attribute("classname"), Some("spotify.baseline"));
    // What XML cannot say is replaced, all else comes back as it was.
    assert_eq!(outcome(2).text(), Some("no round measured `errors` & <\"none\"> 'x' | y\u{fffd}"));
    assert_eq!(outcome(2).attribute("message"), outcome(2).text());
}

#[test]
fn records_survive_json() {
    let gate = gate();
    let text = plimsoll_reports::json::to_string(&gate).unwrap();
    assert!(text.contains("\"answer\": \"breached\""), "{text}");
    assert_eq!(plimsoll_reports::json::from_str::<Gate>(&text).unwrap(), gate);
}

fn capacity() -> Capacity {
    let probe = |offered_per_s: f64, broken: Option<&str>| CapacityProbe {
        offered_per_s,
        achieved_per_s: offered_per_s,
        latency_mean_s: 0.02,
        in_flight: offered_per_s * 0.02,
        broken: broken.map(str::to_owned),
        unsound: None,
    };
    Capacity {
        provenance: provenance(),
        target: "http://127.0.0.1:8080".into(),
        slos: vec!["play.first_byte p99 < 250 ms".into()],
        holds_per_s: 1_140.0,
        breaks_per_s: Some(1_190.0),
        why: "play.first_byte p99 < 250 ms is 311 ms".into(),
        probes: vec![probe(1_190.0, Some("too slow")), probe(500.0, None)],
        law: Some(FittedLaw {
            lambda_per_s: 55.0,
            sigma: 0.01,
            kappa: 2e-4,
            error: 0.03,
            peak: Some((70.4, 1_300.0)),
        }),
    }
}

#[test]
fn the_load_line_comes_with_its_interval_and_what_broke() {
    let page = text::capacity(&capacity(), Style::PLAIN);
    assert!(page.contains("\n carries 1.14 K/s (1.19 K/s is too much)\n"), "{page}");
    assert!(page.contains("First to break: play.first_byte p99 < 250 ms is 311 ms."), "{page}");
    let flat = page.replace("\n ", " ");
    assert!(flat.contains("throughput peaks at 1.3 K/s with 70.4 in the system."), "{page}");
    // By rate, whatever their order was.
    assert!(page.find("500 /s").unwrap() < page.rfind("1.19 K/s").unwrap(), "{page}");
    let unbroken =
        Capacity { breaks_per_s: None, why: "the generator was late".into(), law: None, ..capacity() };
    let page = text::capacity(&unbroken, Style::PLAIN);
    assert!(
        page.contains("carries at least 1.14 K/s")
            && page.contains("The search ended there: the generator was late."),
        "{page}"
    );
}
