//! `gate` and the searches of `load`, end to end on small stacks. Times are those of a test machine, so what is
//! asserted of them leaves room.

mod common;

use std::path::{Path, PathBuf};

use common::{LIMIT, Playing, Said, plimsoll, record, said, small};
use plimsoll_reports::capacity::Capacity;
use plimsoll_reports::gate::{Answer, Baseline, Check, Gate};
use tempfile::TempDir;

/// The small scenario in a few short rounds.
fn gate_in(directory: &Path, more: &[&str]) -> Said {
    let path = small();
    let rounds: &[&str] = if more.contains(&"--rounds") { &[] } else { &["--rounds", "4"] };
    let short = ["gate", path.to_str().unwrap(), "--duration", "1", "--warmup", "0.5"];
    let output = plimsoll()
        .args(short)
        .args(rounds)
        .args(more)
        .current_dir(directory)
        .env("GITHUB_STEP_SUMMARY", directory.join("summary.md"))
        .output()
        .unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn read(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).unwrap()
}

const SOUND: &str = "errors < 2 %";

#[test]
fn answers_have_a_place_before_the_first_round() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("taken"), "").unwrap();
    for options in
        [["--junit", "taken/gate.xml"].as_slice(), &["--update-baseline", "--baseline", "taken/a.json"]]
    {
        let said = gate_in(directory.path(), &[options, &["--threshold", SOUND]].concat());
        assert_eq!(said.code, Some(1), "{said:?}");
        let place = options.last().unwrap();
        assert!(
            said.err.contains(&format!("cannot write {place}")) && !said.err.contains("stack"),
            "{said:?}"
        );
    }
}

#[test]
fn a_threshold_that_holds_passes_and_is_told_to_people_and_to_ci() {
    let directory = TempDir::new().unwrap();
    let said = gate_in(directory.path(), &["--threshold", SOUND, "--junit", "made/for/it.xml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.out.contains("passed: all 1 check") && said.out.contains("✓  errors"), "{said:?}");
    let junit = read(directory.path(), "made/for/it.xml");
    let document = roxmltree::Document::parse(&junit).unwrap();
    let case = document.descendants().find(|n| n.has_tag_name("testcase")).unwrap();
    assert_eq!(case.attribute("name"), Some(SOUND));
    assert!(case.children().any(|n| n.has_tag_name("system-out")));
    let summary = read(directory.path(), "summary.md");
    assert!(summary.starts_with("## ✓ passed: all 1 check"), "{summary}");

    // Appended, as CI expects.
    let said = gate_in(directory.path(), &["--threshold", "errors > 50 %", "--format", "json"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let gate: Gate = record(&said.out);
    assert_eq!((gate.answer, gate.rounds, gate.checks.len()), (Answer::Breached, 4, 1));
    let summaries = read(directory.path(), "summary.md");
    assert!(
        summaries.starts_with(&summary) && summaries.contains("## ✗ breached: 1 of 1 check"),
        "{summaries}"
    );
}

#[test]
fn a_doubt_ends_with_4_and_says_what_would_settle_it() {
    let directory = TempDir::new().unwrap();
    // No failure in 4 s is no proof of so few.
    let said = gate_in(directory.path(), &["--threshold", "availability > 99.999 %"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.out.contains("inconclusive: 1 of 1 check") && said.out.contains("settle"), "{said:?}");
}

#[test]
fn a_baseline_is_recorded_and_the_same_system_raises_no_alarm() {
    let directory = TempDir::new().unwrap();
    let baseline = ["--baseline", "base.json"];
    let missing = gate_in(directory.path(), &baseline);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.err.contains("base.json") && missing.err.contains("--update-baseline"), "{missing:?}");

    let recorded =
        gate_in(directory.path(), &[&baseline[..], &["--update-baseline", "--threshold", SOUND]].concat());
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    let text = read(directory.path(), "base.json");
    assert!(text.len() < 20_000, "{} bytes", text.len());
    let kept = Baseline::read(&text).unwrap();
    // Rounds that a busy machine disturbs are played again with seeds after those.
    assert_eq!(kept.seeds.len(), 4);
    assert!(kept.seeds.iter().all(|seed| (1..=6).contains(seed)), "{:?}", kept.seeds);
    assert!(kept.values.contains_key("errors") && kept.values.contains_key("edge.hit_ratio"), "{text}");

    let watch = ["--watch", "errors", "--watch", "edge.hit_ratio", "--format", "json"];
    let again = gate_in(directory.path(), &[&baseline[..], &watch].concat());
    let gate: Gate = record(&again.out);
    assert_eq!(gate.checks.len(), 2);
    assert_eq!(
        (gate.checks[0].series.as_str(), gate.checks[0].answer),
        ("errors", Answer::Passed),
        "{gate:?}"
    );
    assert!(matches!(&gate.checks[1].check, Check::Baseline(Some(change)) if change.paired), "{gate:?}");

    let other = text.replacen("\"cores\": ", "\"cores\": 9", 1);
    std::fs::write(directory.path().join("base.json"), other).unwrap();
    let refused = gate_in(directory.path(), &baseline);
    assert_eq!((refused.code, refused.out.as_str()), (Some(2), ""), "{refused:?}");
    assert!(refused.err.contains("of another machine (processors `9"), "{refused:?}");
    assert!(!refused.err.contains("stack "), "a stack was started: {refused:?}");
}

#[test]
fn what_cannot_be_judged_is_refused_before_anything_is_started() {
    let directory = TempDir::new().unwrap();
    for (more, says) in [
        (&["--threshold", "play.first_byte p99"][..], "no `<` or `>`"),
        (&["--threshold", "plai.first_byte p99 < 1 s"], "no action or tier `plai`"),
        (&["--watch", "speed"], "names no series"),
        (&["--min-effect", "5 ms"], "--min-effect"),
        (&["--prediction", "lots"], "--prediction"),
        (&["--update-baseline"], "--baseline"),
        (&["--rounds", "2"], "3..=1000"),
        (&["--against", "http://127.0.0.1:1"], "--target"),
        (&["--check", "play.colour = red"], "cannot be checked"),
        (&["--users", "0"], "users is 0"),
    ] {
        let said = gate_in(directory.path(), more);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{more:?}: {said:?}");
        assert!(said.err.contains(says) && !said.err.contains("stack "), "{more:?}: {said:?}");
    }
}

/// A stack of its own, and what a load on it needs.
fn stack(more: &[&str]) -> (Playing, String, String) {
    #[derive(serde::Deserialize)]
    struct Ready {
        tiers: std::collections::BTreeMap<String, Vec<String>>,
        api_key: String,
    }
    let path = small();
    let playing = Playing::start(&[&["stack", path.to_str().unwrap(), "--format", "json"], more].concat());
    playing.until("address", |playing| playing.err().contains("up;"));
    let ready: Ready = record(&playing.out());
    (playing, ready.tiers["gateway"][0].clone(), ready.api_key)
}

#[test]
fn a_slower_system_is_told_from_the_one_beside_it_in_alternating_rounds() {
    let directory = TempDir::new().unwrap();
    let (_old, before, key) = stack(&[]);
    let (_new, now, other_key) = stack(&["--set", "tiers.metadata-cache.rtt=40 ms"]);
    let header = format!("x-api-key: {other_key}");
    let other = format!("x-api-key: {key}");
    let sides = [
        "--target",
        &now,
        "--against",
        &before,
        "--header",
        &header,
        "--against-header",
        &other,
        "--watch",
        "search.first_byte p50",
    ];
    let slower = gate_in(directory.path(), &[&sides[..], &["--format", "json"]].concat());
    let gate: Gate = record(&slower.out);
    // A machine too busy for the generator leaves a doubt, and says so.
    let busy = gate.notes.iter().any(|note| note.contains("generator was late"));
    assert!(slower.code == Some(3) || (busy && slower.code == Some(4)), "{slower:?}");
    assert!(gate.checks[0].why.contains('+'), "{gate:?}");
}

#[test]
fn the_load_line_is_found_between_a_rate_that_holds_and_one_that_does_not() {
    let path = small();
    let args = [
        "load",
        path.to_str().unwrap(),
        "--find-capacity",
        "--warmup",
        "0.3",
        "--duration",
        "0.6",
        "--slo",
        "rate < 300/s",
        "--format",
        "json",
    ];
    let said = said(&args);
    if said.code == Some(1) {
        assert!(said.out.contains("generator was late"), "{said:?}");
        return;
    }
    assert_eq!(said.code, Some(0), "{said:?}");
    let found: Capacity = record(&said.out);
    let breaks = found.breaks_per_s.unwrap();
    // A target that any machine breaks at the same rate, but for the luck of Poisson arrivals.
    assert!(found.holds_per_s > 180.0 && breaks < 420.0 && breaks > found.holds_per_s, "{found:?}");
    assert!(found.why.contains("rate < 300/s is "), "{found:?}");
    assert!(found.probes.len() >= 5);
}

#[test]
fn a_run_writes_its_seconds_and_serves_its_metrics() {
    let directory = TempDir::new().unwrap();
    let path = small();
    let file = |name: &str| -> PathBuf { directory.path().join(name) };
    let (csv, log) = (file("load.csv"), file("load.hlog"));
    let args = [
        "load",
        path.to_str().unwrap(),
        "--warmup",
        "0.2",
        "--duration",
        "2",
        "--arrivals",
        "constant 200/s",
        "--prometheus",
        "0",
        "--csv",
        csv.to_str().unwrap(),
        "--hdr-log",
        log.to_str().unwrap(),
        "--play",
        "play=160 Kbit/s",
    ];
    let said = said(&args);
    // A generator that was late is said to have been.
    assert!([Some(0), Some(1)].contains(&said.code), "{said:?}");
    assert!(said.err.contains("metrics      http://127.0.0.1:"), "{said:?}");
    assert!(read(directory.path(), "load.csv").lines().count() > 4);
    assert!(read(directory.path(), "load.hlog").contains("Tag=play.first_byte,"));
}

#[test]
fn options_of_a_load_that_cannot_be_are_refused_with_what_can_be() {
    let path = small();
    for (more, says) in [
        (&["--arrivals", "often"][..], "is no model of arrivals"),
        (&["--arrivals", "recorded nowhere.csv"], "nowhere.csv"),
        (&["--arrivals", "closed 0 users"], "users is 0"),
        (&["--play", "play"], "it has no `=`"),
        (&["--play", "play=160 ms"], "--play"),
        (&["--slo", "errors < 1 %"], "--find-capacity"),
        (&["--find-capacity", "--slo", "nonsense"], "no `<` or `>`"),
    ] {
        let said = said(&[&["load", path.to_str().unwrap()], more].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{more:?}: {said:?}");
        assert!(said.err.contains(says) && !said.err.contains("stack "), "{more:?}: {said:?}");
    }
}

#[test]
#[cfg(unix)]
fn an_interrupted_gate_ends_with_130() {
    let path = small();
    let mut playing = Playing::start(&[
        "gate",
        path.to_str().unwrap(),
        "--threshold",
        SOUND,
        "--warmup",
        "0.2",
        "--duration",
        "1",
        "--rounds",
        "50",
    ]);
    playing.until_stage("warm-up");
    std::thread::sleep(std::time::Duration::from_millis(500));
    playing.interrupt();
    let status = playing.end(LIMIT);
    assert_eq!(status.code(), Some(130), "{}{}", playing.out(), playing.err());
    assert!(!playing.group_runs());
}
