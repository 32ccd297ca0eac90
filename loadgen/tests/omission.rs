//! Coordinated omission: a pause of the target, and what the figures say of it. By itself in its file, so that no
//! other test takes its processors.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Behaviour, Server, options, play, scenario};
use plimsoll_loadgen::{Arrivals, LoadOptions};

/// The coordinated omission test. A target that takes 200 ms is paused for 1 s in a run of 20 s at 200/s: 1 in 20
/// requests falls due within the pause and waits for the rest of it, evenly from 1 s down to nothing. So
/// quantile p above 0.95 is (p - 0.95) / 0.05 of a second, and 200 ms; all below is 200 ms.
#[test]
fn a_pause_of_a_second_is_in_the_figures_as_computed_by_hand() {
    const SERVICE_S: f64 = 0.2;
    let server = Server::start(Behaviour::After(Duration::from_secs_f64(SERVICE_S)));
    let state = Arc::clone(&server.state);
    let pauser = std::thread::spawn(move || {
        while state.gets.load(Ordering::Relaxed) < 1_900 {
            std::thread::sleep(Duration::from_millis(1));
        }
        *state.stalled_until.lock().unwrap() = Some(Instant::now() + Duration::from_secs(1));
    });
    let options = LoadOptions {
        users_max: 400,
        arrivals: Arrivals::Constant { rate_per_s: 200.0 },
        ..options(0.0, 20.0)
    };
    let run = play(&scenario(10, false), &server.targets(), &options).unwrap();
    pauser.join().unwrap();

    assert_eq!((run.planned, run.sent, run.missed, run.failed), (4_000, 4_000, 0, 0));
    let seen = &run.actions[0].complete;
    let by_hand = |p: f64| SERVICE_S + ((p - 0.95) / 0.05).max(0.0);
    for (name, seen_s, expected_s) in [
        ("p50", seen.at(0.50).unwrap(), by_hand(0.50)),
        ("p90", seen.at(0.90).unwrap(), by_hand(0.90)),
        ("p99", seen.at(0.99).unwrap(), by_hand(0.99)),
        ("max", seen.max_s, by_hand(1.0)),
    ] {
        println!("{name}: {:.1} ms, by hand {:.1} ms", seen_s * 1e3, expected_s * 1e3);
        // A test machine has other things to do, too; on a quiet one all are within 5 %.
        let allowed_s = 0.05 * expected_s + 0.010;
        assert!((seen_s - expected_s).abs() < allowed_s, "{name}: {seen_s} s, by hand {expected_s} s");
    }
}
