//! Signals during a run, in a process of its own: goose would take them over if it could.
#![cfg(unix)]

mod common;

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Behaviour, Server, options, play, scenario};
use plimsoll_loadgen::stop_on_ctrl_c;

/// Not a test by itself: what the process below does.
#[test]
#[ignore = "run by the tests below"]
fn play_until_interrupted() {
    // Requests that are under way are waited for, so that a second signal comes in time.
    let silent = std::env::var_os("SILENT").is_some();
    let server = Server::start(if silent { Behaviour::Silent } else { Behaviour::Answer });
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

fn start(silent: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "play_until_interrupted", "--nocapture", "-q"]);
    if silent {
        command.env("SILENT", "1");
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // By now goose has tried to register, too.
    std::thread::sleep(Duration::from_secs(2));
    child
}

fn signal(child: &Child, name: &str) {
    Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
}

/// How the process ends, within `limit`, and what it has said.
fn end(mut child: Child, limit: Duration) -> (ExitStatus, String, String) {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > limit {
            child.kill().unwrap();
            panic!("still running {limit:?} after the signal");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (child.wait().unwrap(), out, err)
}

#[test]
fn a_signal_ends_the_run_with_what_it_has_and_nobody_else_talks() {
    for name in ["INT", "TERM", "HUP"] {
        let child = start(false);
        signal(&child, name);
        let (status, out, err) = end(child, Duration::from_secs(3));
        assert!(status.success(), "{name}: {status} {out}{err}");
        assert!(out.contains("partial true sent true flag true"), "{name}: {out}{err}");
        assert!(!format!("{out}{err}").to_lowercase().contains("goose"), "{name}: {out}{err}");
        assert_eq!(err, "", "{name}");
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once_with_130() {
    for (first, second) in [("TERM", "INT"), ("INT", "HUP")] {
        let child = start(true);
        signal(&child, first);
        std::thread::sleep(Duration::from_millis(100));
        signal(&child, second);
        let (status, out, err) = end(child, Duration::from_millis(500));
        assert_eq!(status.code(), Some(130), "{first} {second}: {out}{err}");
        assert!(!out.contains("partial"), "{first} {second}: {out}");
    }
}
