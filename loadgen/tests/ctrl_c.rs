//! Ctrl-C during a run, in a process of its own: goose would take it over if it could.
#![cfg(unix)]

mod common;

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Behaviour, Server, options, play, scenario};
use plimsoll_loadgen::stop_on_ctrl_c;

/// Not a test by itself: what the process below does.
#[test]
#[ignore = "run by the test below"]
fn play_until_interrupted() {
    let server = Server::start(Behaviour::Answer);
    let mut options = options(0.0, 30.0);
    // As the command line does it: one flag for all stages.
    options.stop = stop_on_ctrl_c();
    let run = play(&scenario(100, false), &server.targets(), &options).unwrap();
    println!(
        "partial {} sent {} flag {}",
        run.provenance.partial,
        run.sent > 0,
        options.stop.load(Ordering::Relaxed)
    );
}

#[test]
fn ctrl_c_ends_the_run_with_what_it_has_and_nobody_else_talks() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "play_until_interrupted", "--nocapture", "-q"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let interrupted = Instant::now();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    while child.try_wait().unwrap().is_none() {
        if interrupted.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            panic!("still running 10 s after Ctrl-C");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(interrupted.elapsed() < Duration::from_secs(3), "{:?}", interrupted.elapsed());
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(child.wait().unwrap().success(), "{out}{err}");
    assert!(out.contains("partial true sent true flag true"), "{out}{err}");
    assert!(!format!("{out}{err}").to_lowercase().contains("goose"), "{out}{err}");
    assert_eq!(err, "");
}
