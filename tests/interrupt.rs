//! Ctrl-C: a command ends soon, keeps what it has finished, and leaves nothing running and nothing behind.
#![cfg(unix)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Playing, names, only_run, record, small_with};
use plimsoll_reports::record::{Estimate, Measurement, Run};
use tempfile::TempDir;

/// From Ctrl-C to the end.
const SOON: Duration = Duration::from_secs(5);

/// Interrupts, and checks what holds of every command.
fn interrupted(playing: &mut Playing, code: i32) {
    playing.interrupt();
    let status = playing.end(SOON);
    assert_eq!(status.code(), Some(code), "{}{}", playing.out(), playing.err());
    assert!(!playing.group_runs(), "a process is left running");
    assert_eq!(playing.left_behind(), Vec::<String>::new());
    assert!(!playing.err().contains("panicked"), "{}", playing.err());
}

/// A scenario whose day is simulated at once and whose load takes long.
fn long_load(directory: &Path) -> PathBuf {
    small_with(directory, &[("users: 100 K", "users: 2 K"), ("duration: 2 s", "duration: 50 s")])
}

#[test]
fn a_simulation_is_stopped() {
    let path = common::small();
    let path = path.to_str().unwrap();
    let mut playing = Playing::start(&["simulate", path, "--replications", "100", "--format", "json"]);
    std::thread::sleep(Duration::from_millis(700));
    interrupted(&mut playing, 130);
    // A day cut short is not a day: either nothing is said of it, or that it is partial.
    if playing.out().is_empty() {
        assert!(playing.err().contains("interrupted"), "{}", playing.err());
    } else {
        assert!(record::<Run>(&playing.out()).provenance.partial);
    }
}

#[test]
fn a_scaled_simulation_keeps_the_replications_that_were_finished() {
    let path = common::small();
    let path = path.to_str().unwrap();
    // Long enough that a fast machine is not through with a hundred of them.
    let longer = ["--set", "load.duration=40 s"];
    let args = ["simulate", path, "--scaled", "--replications", "100", "--format", "json"];
    let args = [&args[..], &longer].concat();
    let mut playing = Playing::start(&args);
    std::thread::sleep(Duration::from_millis(700));
    interrupted(&mut playing, 130);
    let run: Run = record(&playing.out());
    assert!(run.provenance.partial);
    assert!((1..1000).contains(&run.method.replications), "{}", run.method.replications);
}

#[test]
fn a_stack_that_is_stopped_has_done_its_work() {
    let path = common::small();
    let mut playing = Playing::start(&["stack", path.to_str().unwrap(), "--format", "json"]);
    playing.until("address", |playing| playing.err().contains("up;"));
    interrupted(&mut playing, 0);
    assert!(playing.err().contains("stopped"), "{}", playing.err());
}

#[test]
fn a_load_keeps_what_was_measured_and_marks_it_partial() {
    let directory = TempDir::new().unwrap();
    let path = long_load(directory.path());
    let mut playing = Playing::start(&["load", path.to_str().unwrap(), "--format", "json"]);
    playing.until_stage("stack");
    std::thread::sleep(Duration::from_millis(2500));
    interrupted(&mut playing, 130);
    let measurement: Measurement = record(&playing.out());
    assert!(measurement.provenance.partial);
    assert!(measurement.sent > 0 && measurement.duration_s < 10.0, "{measurement:?}");
}

#[test]
fn a_load_that_is_stopped_in_its_warm_up_ends_too() {
    let directory = TempDir::new().unwrap();
    let path = long_load(directory.path());
    let mut playing = Playing::start(&["load", path.to_str().unwrap(), "--warmup", "40", "--format", "json"]);
    playing.until_stage("stack");
    std::thread::sleep(Duration::from_millis(700));
    interrupted(&mut playing, 130);
}

#[test]
fn a_run_that_is_stopped_while_it_simulates_keeps_its_estimate() {
    let out = TempDir::new().unwrap();
    let mut playing = Playing::start(&["run", "spotify", "--out", out.path().to_str().unwrap()]);
    playing.until_stage("estimate");
    std::thread::sleep(Duration::from_millis(500));
    interrupted(&mut playing, 130);
    let run = only_run(out.path());
    assert_eq!(names(&run), ["estimate.json", "report.html", "stages.json"]);
    record::<Estimate>(&std::fs::read_to_string(run.join("estimate.json")).unwrap());
    assert!(playing.err().contains("interrupted; what was finished is in"), "{}", playing.err());
}

#[test]
fn a_run_that_is_stopped_while_it_loads_keeps_its_prediction_and_marks_the_rest() {
    let (directory, out) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = long_load(directory.path());
    let out_path = out.path().to_str().unwrap();
    let mut playing = Playing::start(&["run", path.to_str().unwrap(), "--out", out_path]);
    playing.until_stage("stack");
    std::thread::sleep(Duration::from_millis(2500));
    interrupted(&mut playing, 130);
    let run = only_run(out.path());
    let text = |name: &str| std::fs::read_to_string(run.join(name)).unwrap();
    assert!(!record::<Run>(&text("simulation.json")).provenance.partial);
    assert!(!record::<Run>(&text("prediction.json")).provenance.partial);
    assert!(record::<Measurement>(&text("measurement.json")).provenance.partial);
    let page = text("report.html").to_lowercase();
    assert!(page.contains("partial") || page.contains("stopped"), "the page hides that the run was cut");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let directory = TempDir::new().unwrap();
    let path = long_load(directory.path());
    let mut playing = Playing::start(&["load", path.to_str().unwrap()]);
    playing.until_stage("stack");
    playing.interrupt();
    playing.interrupt();
    let status = playing.end(Duration::from_secs(2));
    assert_eq!(status.code(), Some(130), "{}", playing.err());
    assert!(!playing.group_runs());
}

#[test]
fn a_stack_that_is_terminated_cleans_up_too() {
    // What `docker stop`, `timeout` and CI send.
    let path = common::small();
    let mut playing = Playing::start(&["stack", path.to_str().unwrap()]);
    playing.until("address", |playing| playing.err().contains("up;"));
    playing.signal("TERM");
    playing.end(SOON);
    assert!(!playing.group_runs());
    assert_eq!(playing.left_behind(), Vec::<String>::new());
}
