//! `run`, `report` and `compare`: the whole loop on a small scenario, and what it leaves on disk.

mod common;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use common::{Said, code_of, names, only_run, out_of, record, said, small, small_with};
use plimsoll_reports::record::{Comparison, Estimate, Measurement, Report, Run, Stage};
use tempfile::TempDir;

/// Files of a run with a `load` section.
const FILES: [&str; 7] = [
    "comparison.json",
    "estimate.json",
    "measurement.json",
    "prediction.json",
    "report.html",
    "simulation.json",
    "stages.json",
];

/// A run that is through.
struct Played {
    directory: PathBuf,
    said: Said,
}

impl Played {
    /// The results go to a directory of this name in Cargo's own for tests, which is emptied first: a
    /// temporary one would outlive the tests that share a run.
    fn of(name: &str, scenario: &Path, more: &[&str]) -> Self {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&out);
        let args = ["run", scenario.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let said = said(&[&args[..], more].concat());
        Self { directory: only_run(&out), said }
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap()
    }

    fn path(&self) -> &str {
        self.directory.to_str().unwrap()
    }
}

/// The run that most tests look at.
fn played() -> &'static Played {
    static PLAYED: OnceLock<Played> = OnceLock::new();
    PLAYED.get_or_init(|| Played::of("run-once", &small(), &[]))
}

fn expected_code(run: &Played) -> i32 {
    code_of(&record(&run.text("measurement.json")))
}

#[test]
fn a_run_whose_targets_hold_ends_with_0() {
    assert_eq!(played().said.code, Some(expected_code(played())), "{:?}", played().said);
}

#[test]
fn every_record_is_written_and_can_be_read() {
    let run = played();
    assert_eq!(names(&run.directory), FILES);
    let estimate: Estimate = record(&run.text("estimate.json"));
    let simulation: Run = record(&run.text("simulation.json"));
    let prediction: Run = record(&run.text("prediction.json"));
    let measurement: Measurement = record(&run.text("measurement.json"));
    let comparison: Comparison = record(&run.text("comparison.json"));
    let stages: Vec<Stage> = record(&run.text("stages.json"));
    for scenario in [
        estimate.provenance.scenario,
        simulation.provenance.scenario,
        prediction.provenance.scenario,
        measurement.provenance.scenario,
        comparison.provenance.scenario,
    ] {
        assert_eq!(scenario, "small");
    }
    let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["estimate", "simulate", "predict", "stack", "load"]);
    assert!(!simulation.provenance.partial && !measurement.provenance.partial);
}

#[test]
fn the_measurement_can_be_trusted() {
    let measurement: Measurement = record(&played().text("measurement.json"));
    expected_code(played());
    assert_eq!((measurement.failed, measurement.missed), (0, 0), "{:?}", measurement.failures);
    assert_eq!(measurement.sent, measurement.planned);
    assert!(measurement.sent > 500, "{}", measurement.sent);
    assert!(measurement.target.contains("127.0.0.1"), "{}", measurement.target);
}

#[test]
fn predicted_hit_ratios_and_rates_are_near_the_measured() {
    let comparison: Comparison = record(&played().text("comparison.json"));
    let row = |id: &str| {
        comparison
            .rows
            .iter()
            .find(|row| row.id == id)
            .unwrap_or_else(|| panic!("no row {id}: {comparison:?}"))
    };
    for tier in ["edge", "shield", "metadata-cache"] {
        let row = row(&format!("{tier}.hit_ratio"));
        assert!(row.error.abs() < 0.10, "{row:?}");
        assert!(row.measured > 0.0 && row.measured < 1.0, "{row:?}");
    }
    for id in ["play.rate", "search.rate", "edge.rate", "gateway.rate"] {
        let row = row(id);
        assert!(row.error.abs() < 0.15, "{row:?}");
    }
    assert!(comparison.worst.is_some());
}

#[test]
fn the_screen_says_what_was_found_and_where_the_report_is() {
    let said = &played().said;
    for part in ["predicted", "measured", "error", "edge hit ratio", "binds first", "SLOs", "report.html"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(said.err.contains("seed 1"), "{}", said.err);
    assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "colour in a pipe");
    assert!(said.out.lines().all(|line| line.chars().count() <= 100), "wider than the screen: {}", said.out);
}

#[test]
fn the_page_is_one_file_without_network() {
    let page = played().text("report.html");
    let lower = page.to_lowercase();
    assert!(lower.starts_with("<!doctype html>"));
    // Names of XML vocabularies look like addresses and are never fetched.
    let mut rest =
        lower.replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xlink", "");
    // The stack's own address is a fact of the measurement.
    let measurement: Measurement = record(&played().text("measurement.json"));
    for url in measurement.target.split_whitespace() {
        rest = rest.replace(url, "");
    }
    for reference in ["src=\"http", "href=\"http", "src=\"//", "href=\"//", "url(", "@import", "https://"] {
        assert!(!rest.contains(reference), "{reference}");
    }
    for tag in ["<link", "<iframe", "<object", "<embed", "<script src"] {
        assert!(!rest.contains(tag), "{tag}");
    }
    assert!(lower.contains("<svg"), "no picture");
    assert!(!lower.contains(">nan") && !lower.contains("infinity"), "a figure that is none");
}

#[test]
fn report_builds_the_same_page_from_the_records() {
    let run = played();
    let copy = TempDir::new().unwrap();
    for name in FILES.iter().filter(|name| **name != "report.html") {
        std::fs::copy(run.directory.join(name), copy.path().join(name)).unwrap();
    }
    let path = copy.path().to_str().unwrap();
    assert_eq!(out_of(&["report", path]).trim(), copy.path().join("report.html").to_str().unwrap());
    let page = std::fs::read_to_string(copy.path().join("report.html")).unwrap();
    assert!(page == run.text("report.html"), "the page differs from that of the run");
    let report: Report = record(&out_of(&["report", path, "--format", "json"]));
    assert!(report.comparison.is_some() && report.stages.len() == 5);
}

#[test]
fn compare_prints_the_table_of_a_run() {
    let run = played();
    let table = out_of(&["compare", run.path()]);
    for part in ["predicted", "measured", "edge hit ratio", "largest error"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let compared: Comparison = record(&out_of(&["compare", run.path(), "--format", "json"]));
    assert_eq!(compared, record(&run.text("comparison.json")));
    let file = |name: &str| run.directory.join(name).to_str().unwrap().to_owned();
    let by_file = out_of(&["compare", &file("prediction.json"), &file("measurement.json")]);
    assert_eq!(by_file, table);
}

#[test]
fn the_stages_of_a_run_are_commands_that_give_the_same_records() {
    let (run, path) = (played(), small());
    let path = path.to_str().unwrap();
    assert_eq!(out_of(&["estimate", path, "--format", "json"]), run.text("estimate.json"));
    assert_eq!(out_of(&["simulate", path, "--scaled", "--format", "json"]), run.text("prediction.json"));
}

#[test]
fn a_second_run_predicts_the_same_to_the_byte() {
    let again = Played::of("run-again", &small(), &["--threads", "1", "--format", "json", "--quiet"]);
    assert_eq!(
        (again.said.code, again.said.err.as_str()),
        (Some(expected_code(&again)), ""),
        "{:?}",
        again.said.err
    );
    for name in ["estimate.json", "simulation.json", "prediction.json"] {
        assert!(again.text(name) == played().text(name), "{name} differs");
    }
    let report: Report = record(&again.said.out);
    assert_eq!(report.comparison, Some(record(&again.text("comparison.json"))));
}

#[test]
fn a_run_whose_target_is_missed_ends_with_3_and_names_it() {
    let directory = TempDir::new().unwrap();
    let edits = [
        ("users: 100 K", "users: 1 K"),
        ("p99 < 2 s", "p99 < 2 ms"),
        ("load:", "# load:"),
        ("  scale:", "# "),
    ];
    let text = std::fs::read_to_string(small_with(directory.path(), &edits)).unwrap();
    let path = directory.path().join("edited.yaml");
    let without_load = text.split("# load:").next().unwrap();
    std::fs::write(&path, without_load).unwrap();
    let run = Played::of("run-breached", &path, &[]);
    assert_eq!(run.said.code, Some(3), "{:?}", run.said);
    assert!(run.said.out.contains("✗ play.first_byte p99 < 2 ms"), "{}", run.said.out);
    assert!(run.said.out.contains("3 of 4"), "{}", run.said.out);
    // Without a `load` section the other stages are played all the same, and that is said.
    assert!(run.said.err.contains("no `load` section"), "{}", run.said.err);
    assert_eq!(names(&run.directory), ["estimate.json", "report.html", "simulation.json", "stages.json"]);
}

#[test]
fn a_run_that_cannot_be_played_says_so_before_it_simulates() {
    let directory = TempDir::new().unwrap();
    let path = small_with(directory.path(), &[("in: audio-store", "in: shield")]);
    let out = directory.path().join("out");
    let said = said(&["run", path.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("in: audio-store"), "{said:?}");
    assert!(!said.err.contains("simulate "), "a minute of simulation goes first: {said:?}");
    assert!(!said.err.contains("extend"), "no scenario can extend another: {said:?}");
}

#[test]
fn what_the_bundled_stack_does_not_do_ends_a_run_after_its_simulation() {
    let directory = TempDir::new().unwrap();
    let retried = "[{call: gateway, timeout: 2 s}, web, metadata-cache, metadata-db]";
    let path = small_with(
        directory.path(),
        &[("path: [gateway, web, metadata-cache, metadata-db]", &format!("path: {retried}"))],
    );
    let run = Played::of("run-simulated", &path, &[]);
    assert_eq!(run.said.code, Some(0), "{:?}", run.said);
    assert!(run.said.err.contains("nothing is played for real"), "{:?}", run.said);
    assert!(run.said.err.contains("timeouts, retries"), "{:?}", run.said);
    assert!(
        names(&run.directory).iter().all(|name| name != "measurement.json"),
        "{:?}",
        names(&run.directory)
    );
}

#[test]
fn a_run_whose_measurement_cannot_be_trusted_does_not_end_with_0() {
    let directory = TempDir::new().unwrap();
    // About one request a second: too few to say anything.
    let path = small_with(directory.path(), &[("users: 100 K", "users: 200")]);
    let run = Played::of("run-untrusted", &path, &[]);
    let measurement: Measurement = record(&run.text("measurement.json"));
    assert!(!measurement.invalid.is_empty(), "{measurement:?}");
    assert!(run.said.out.contains("do not trust"), "{}", run.said.out);
    assert_eq!(run.said.code, Some(1), "`load` ends with 1 for the same");
}

#[test]
fn a_day_is_not_compared_with_a_load_run() {
    let run = played();
    let file = |name: &str| run.directory.join(name).to_str().unwrap().to_owned();
    let said = said(&["compare", &file("simulation.json"), &file("measurement.json")]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "a full day beside two seconds");
    assert!(said.err.contains("prediction.json") || said.err.contains("--scaled"), "{}", said.err);
}
