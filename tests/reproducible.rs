//! The same seed gives the same bytes, on any number of threads.

mod common;

use std::path::Path;

use common::{out_of, record, small, small_with};
use plimsoll_reports::record::Run;

fn simulated(scenario: &Path, more: &[&str]) -> String {
    let path = scenario.to_str().unwrap();
    out_of(&[&["simulate", path, "--format", "json", "--replications", "2", "--quiet"], more].concat())
}

/// The options that must not change a byte, and the one that must.
fn holds(scenario: &Path, mode: &str, more: &[&str]) {
    let run = |options: &[&str]| simulated(scenario, &[more, options].concat());
    let one = run(&["--seed", "7", "--threads", "1"]);
    let parsed: Run = record(&one);
    assert_eq!((parsed.method.mode.as_str(), parsed.provenance.partial), (mode, false));
    assert_eq!(one, run(&["--seed", "7", "--threads", "1"]), "twice the same seed");
    assert_eq!(one, run(&["--seed", "7", "--threads", "2"]), "another number of threads");
    let other: Run = record(&run(&["--seed", "8", "--threads", "2"]));
    assert_ne!(parsed.tiers, other.tiers, "another seed");
}

#[test]
fn a_sampled_day_is_reproducible_to_the_byte() {
    holds(&small(), "sampled", &[]);
}

#[test]
fn a_day_of_every_request_is_reproducible_to_the_byte() {
    let directory = tempfile::TempDir::new().unwrap();
    let few = small_with(directory.path(), &[("users: 100 K", "users: 1 K")]);
    holds(&few, "every request", &[]);
}

#[test]
fn a_scaled_run_is_reproducible_to_the_byte() {
    holds(&small(), "every request", &["--scaled"]);
}

#[test]
fn the_seed_is_told_so_that_a_run_can_be_repeated() {
    let run: Run = record(&simulated(&small(), &["--scaled", "--seed", "42"]));
    assert_eq!(run.provenance.seed, 42);
    let path = small();
    let page = out_of(&["simulate", path.to_str().unwrap(), "--scaled", "--seed", "42"]);
    assert!(page.contains("seed 42"), "{page}");
}
