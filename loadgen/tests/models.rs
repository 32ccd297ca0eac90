//! Models of arrivals against a real server: when requests leave.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Behaviour, Server, options, play, scenario};
use plimsoll_loadgen::{Arrivals, LoadOptions, Recorded};

fn with(arrivals: Arrivals, warmup_s: f64, duration_s: f64) -> LoadOptions {
    LoadOptions { arrivals, ..options(warmup_s, duration_s) }
}

#[test]
fn a_constant_rate_sends_exactly_what_was_planned() {
    let server = Server::start(Behaviour::Answer);
    let arrivals = Arrivals::Constant { rate_per_s: 400.0 };
    // The scenario's own rate does not matter.
    let run = play(&scenario(3, true), &server.targets(), &with(arrivals, 0.5, 2.0)).unwrap();
    assert_eq!((run.planned, run.sent, run.missed), (800, 800, 0));
    assert_eq!(run.provenance.options["arrivals"], "constant 400/s");
    // Branches count as requests of their own.
    assert_eq!(run.actions.iter().map(|a| a.requests).collect::<Vec<_>>(), [400, 400]);
}

#[test]
fn a_ramp_ends_faster_than_it_begins() {
    let server = Server::start(Behaviour::Answer);
    let arrivals = Arrivals::Ramp { from_per_s: 50.0, to_per_s: 450.0 };
    let run = play(&scenario(10, false), &server.targets(), &with(arrivals, 0.5, 3.0)).unwrap();
    // 250/s on average, Poisson.
    assert!((run.planned as f64 - 750.0).abs() < 110.0, "{}", run.planned);
    assert_eq!(run.planned, run.sent);
}

#[test]
fn a_recording_is_played_at_its_own_times() {
    let server = Server::start(Behaviour::Answer);
    let scenario = scenario(10, false);
    let lines: Vec<String> =
        (0..200).map(|i| format!("{},get,{}", f64::from(i) * 0.005, i % 7 + 1)).collect();
    let text = lines.join("\n");
    let recorded = Recorded::read("trace.csv", text.as_bytes(), &scenario).unwrap();
    let run =
        play(&scenario, &server.targets(), &with(Arrivals::Recorded(recorded.into()), 0.0, 2.0)).unwrap();
    assert_eq!((run.planned, run.sent, run.failed), (200, 200, 0));
    // Only 0.5 s of it.
    let recorded = Recorded::read("trace.csv", text.as_bytes(), &scenario).unwrap();
    let run =
        play(&scenario, &server.targets(), &with(Arrivals::Recorded(recorded.into()), 0.0, 0.5)).unwrap();
    assert_eq!(run.planned, 100);
}

#[test]
fn users_of_a_closed_model_wait_for_their_answers_and_think() {
    let server = Server::start(Behaviour::After(Duration::from_millis(20)));
    let scenario = scenario(10, false);
    let run =
        play(&scenario, &server.targets(), &with(Arrivals::Closed { users: 8, think_s: 0.0 }, 0.5, 2.0))
            .unwrap();
    assert!(server.state.inside_max.load(Ordering::Relaxed) <= 8);
    assert_eq!((run.planned, run.missed, run.failed), (run.sent, 0, 0));
    // At most 8 users / 20 ms; the rest of the loop takes some time too.
    let rate = run.actions[0].rate_per_s;
    assert!(rate <= 410.0 && rate > 150.0, "{rate}");

    let run =
        play(&scenario, &server.targets(), &with(Arrivals::Closed { users: 8, think_s: 0.08 }, 0.5, 3.0))
            .unwrap();
    let rate = run.actions[0].rate_per_s;
    // Little's law: 8 users in loops of 80 ms and a little more than 20 ms.
    assert!((55.0..90.0).contains(&rate), "{rate}");
    assert!(run.lag.at(0.5).unwrap() < 0.005);
}

/// Not a check but a measurement: `cargo test --release -p plimsoll-loadgen --test models -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, for people to read"]
fn delivered_rate_and_lag() {
    for rate_per_s in [100.0, 1_000.0, 5_000.0] {
        for arrivals in [Arrivals::Constant { rate_per_s }, Arrivals::Poisson { rate_per_s }] {
            let name = arrivals.to_string();
            let server = Server::start(Behaviour::Answer);
            let options = LoadOptions { arrivals, ..LoadOptions::new(1, 1.0, 10.0) };
            let run = play(&scenario(10, false), &server.targets(), &options).unwrap();
            let us = |p: f64| run.lag.at(p).unwrap() * 1e6;
            println!(
                "{name}: planned {} sent {} ({:+.3} %) missed {}; lag p50 {:.0} us p99 {:.0} us max {:.1} ms; {:?}",
                run.planned,
                run.sent,
                (run.sent as f64 / run.planned as f64 - 1.0) * 100.0,
                run.missed,
                us(0.5),
                us(0.99),
                run.lag.max_s * 1e3,
                run.invalid,
            );
        }
    }
}
