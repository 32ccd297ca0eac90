//! Targets in trouble: the run goes on or ends as a person would want, says so, and keeps its data.

mod common;

use std::time::{Duration, Instant};

use common::{Behaviour, Server, options, play, scenario};
use plimsoll_loadgen::{Arrivals, LoadError, LoadOptions, Targets};

fn at_100() -> LoadOptions {
    LoadOptions { arrivals: Arrivals::Constant { rate_per_s: 100.0 }, timeout_s: 0.3, ..options(0.0, 1.0) }
}

#[test]
fn each_trouble_has_a_name_and_no_run_hangs() {
    for (behaviour, kind) in [
        (Behaviour::Garbage, "protocol"),
        (Behaviour::Tls, "protocol"),
        (Behaviour::ShortBody, "short_body"),
        (Behaviour::HangUp, "reset"),
        (Behaviour::Silent, "timeout"),
        (Behaviour::After(Duration::from_secs(2)), "timeout"),
        (Behaviour::Drip(Duration::from_secs(2)), "timeout"),
    ] {
        let server = Server::start(behaviour);
        let began = Instant::now();
        let run = play(&scenario(10, false), &server.targets(), &at_100()).unwrap();
        assert!(began.elapsed() < Duration::from_secs(8), "{behaviour:?}: {:?}", began.elapsed());
        assert_eq!((run.planned, run.sent), (100, 100), "{behaviour:?}");
        assert_eq!(run.failures.get(kind), Some(&100), "{behaviour:?}: {:?}", run.failures);
        assert!(run.invalid.iter().any(|why| why.contains("target not usable")), "{:?}", run.invalid);
    }
}

#[test]
fn more_than_was_promised_is_not_read_into_the_next_answer() {
    let server = Server::start(Behaviour::LongBody);
    let run = play(&scenario(10, false), &server.targets(), &at_100()).unwrap();
    // HTTP/1.1 says where a body ends; what follows spoils its connection and no other.
    assert_eq!(run.sent, 100);
    assert!(run.actions[0].bytes <= 300, "{}", run.actions[0].bytes);
}

#[test]
fn a_target_that_goes_down_in_the_middle_is_counted_and_the_run_goes_on() {
    let mut server = Some(Server::start(Behaviour::Answer));
    let targets = server.as_ref().unwrap().targets();
    let stopper = {
        let server = server.take();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(1));
            drop(server);
        })
    };
    let options = LoadOptions { duration_s: 2.5, ..at_100() };
    let run = play(&scenario(10, false), &targets, &options).unwrap();
    stopper.join().unwrap();
    assert_eq!((run.planned, run.sent), (250, 250));
    let answered = run.actions[0].complete.count;
    assert!((40..=240).contains(&answered) && answered + run.failed == 250, "{answered} {:?}", run.failures);
    assert!(
        run.failures.keys().all(|kind| ["connect", "reset"].contains(&kind.as_str())),
        "{:?}",
        run.failures
    );
    assert!(run.failures.contains_key("connect"), "{:?}", run.failures);
}

#[test]
fn a_name_that_is_nobody_s_and_tls_are_refused_before_anything_is_sent() {
    let fails = |url: &str| {
        let targets = Targets { fallback: Some(url.to_owned()), ..Targets::default() };
        play(&scenario(10, false), &targets, &at_100()).unwrap_err()
    };
    assert!(matches!(fails("http://no-such-host.invalid:80"), LoadError::NotLoopback { .. }));
    let tls = fails("https://127.0.0.1:443").to_string();
    assert!(tls.contains("must start with http://"), "{tls}");
}

/// Not a test by itself: what the process below does. More requests than files, all of them waiting.
#[test]
#[ignore = "run by the test below"]
fn run_out_of_files() {
    let server = Server::start(Behaviour::Silent);
    let arrivals = Arrivals::Constant { rate_per_s: 1_000.0 };
    let run = play(&scenario(10, false), &server.targets(), &LoadOptions { arrivals, ..at_100() }).unwrap();
    println!("failures {:?} invalid {:?}", run.failures, run.invalid);
}

#[test]
#[cfg(unix)]
fn files_that_run_out_in_the_middle_are_the_generator_s_fault() {
    // Enough for the connections of all users, and not for the other ends that this target holds in the same process.
    let script = "ulimit -n 200; exec \"$0\" --ignored --exact run_out_of_files --nocapture -q";
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new("sh").arg("-c").arg(script).arg(program).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("\"too_many_files\": "), "{said}");
    assert!(said.contains("the generator ran out of open files"), "{said}");
}

/// Not a test by itself: what the process below does.
#[test]
#[ignore = "run by the test below"]
fn play_with_few_files() {
    let server = Server::start(Behaviour::Answer);
    match play(&scenario(10, false), &server.targets(), &at_100()) {
        Ok(run) => println!("played {}", run.sent),
        Err(error) => println!("refused {error}"),
    }
}

#[test]
#[cfg(unix)]
fn too_few_files_are_raised_or_said_before_the_run() {
    let said = |limits: &str| {
        let program = std::env::current_exe().unwrap();
        let script = format!("{limits}; exec \"$0\" --ignored --exact play_with_few_files --nocapture -q");
        let output = std::process::Command::new("sh").arg("-c").arg(&script).arg(program).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let raised = said("ulimit -S -n 64");
    assert!(raised.contains("played 100"), "{raised}");
    let refused = said("ulimit -n 100");
    assert!(
        refused.contains("lets this process open 100 files") && refused.contains("`ulimit -n 192`"),
        "{refused}"
    );
}
