//! Models of arrivals against a real server: when requests leave.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{Behaviour, Server, options, play, scenario};
use plimsoll_loadgen::{Arrivals, LoadOptions, Recorded};
use plimsoll_scenarios::{Scenario, SourceFile};

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

/// Two searches, each followed by one to look at what the first found; half of the users come back.
fn visitors(yaml: &str) -> Scenario {
    let text = format!(
        "name: shop\npopulation: {{users: 1000}}\n\
         datasets: {{item: {{count: 1000, size: 1 KB, popularity: uniform}}}}\n\
         actions:\n  find: {{rate: 50/s, of: item, path: [web], http: {{get: '/find/{{object}}'}}}}\n  \
         buy: {{rate: 50/s, of: item, path: [web], http: {{post: '/buy/{{object}}', body: 'user {{user}} item {{object}}'}}}}\n\
         tiers: {{web: {{}}}}\nload: {{scale: {{users: 1}}, sessions: {{returning: 50 %, steps: [{yaml}]}}}}\n"
    );
    let source = SourceFile::new("shop.yaml", &text);
    let scenario = Scenario::from_yaml(&source).unwrap_or_else(|problems| panic!("{problems}"));
    scenario.scaled_for_load().unwrap()
}

#[test]
fn sessions_are_sent_at_their_own_times_and_each_asks_for_what_it_found() {
    let server = Server::start(Behaviour::Answer);
    let scenario = visitors("{do: find, think: {exponential: 0.2 s}}, {do: buy, object: same}");
    let run = play(&scenario, &server.targets(), &with(Arrivals::Scenario, 0.5, 2.0)).unwrap();
    assert_eq!((run.sent, run.missed, run.failed), (run.planned, 0, 0));
    // The same requests as the trace that the simulator plays.
    assert_eq!(run.planned, common::planned(&scenario, 7, 0.5, 2.5));
    let [find, buy] = [0, 1].map(|i| run.actions[i].requests as f64);
    // 100 each, and they come in pairs; sessions under way at the start have bought without finding.
    assert!((65.0..140.0).contains(&find) && (find - buy).abs() < 40.0, "{find} {buy}");
    let body = server.state.last_body.lock().unwrap().clone();
    assert!(body.starts_with("user ") && body.contains(" item "), "{body}");

    let faster = Arrivals::Sessions { rate_per_s: 200.0 };
    let run = play(&scenario, &server.targets(), &with(faster, 0.5, 2.0)).unwrap();
    assert_eq!((run.sent, run.missed), (run.planned, 0));
    assert!((650..=950).contains(&run.planned), "{}", run.planned);
    let none = common::scenario(10, false);
    let refused = play(&none, &server.targets(), &with(Arrivals::Sessions { rate_per_s: 1.0 }, 0.0, 1.0));
    assert!(refused.unwrap_err().to_string().contains("has no sessions"));
}

#[test]
fn users_of_a_closed_model_walk_sessions_and_wait_for_each_answer() {
    let server = Server::start(Behaviour::After(Duration::from_millis(20)));
    let scenario = visitors("{do: find, think: 0.06 s}, {do: buy, object: same}");
    let closed = Arrivals::Closed { users: 8, think_s: 0.0 };
    let run = play(&scenario, &server.targets(), &with(closed, 0.5, 3.0)).unwrap();
    assert!(server.state.inside_max.load(Ordering::Relaxed) <= 8);
    assert_eq!((run.missed, run.failed), (0, 0));
    let [find, buy] = [0, 1].map(|i| run.actions[i].requests);
    // Two answers of 20 ms and a thought of 60 ms make 0.1 s, for two requests: at most 160/s, and somewhat fewer.
    assert!(find + buy <= 490 && find + buy > 180, "{find} {buy}");
    assert!(find.abs_diff(buy) <= 16, "{find} {buy}");
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
