use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::Run;

use crate::simulate::{Mode, Options, simulate};

fn played(mode: Mode) -> Run {
    let scenario = plimsoll_scenarios::load("spotify").unwrap().scaled_for_load().unwrap();
    let options = Options { seed: 1, threads: 2, replications: 1, precision: None, mode };
    simulate(&scenario, &options, &|_| {}, &AtomicBool::new(false)).unwrap()
}

fn tier<'r>(run: &'r Run, name: &str) -> &'r plimsoll_reports::record::TierRun {
    run.tiers.iter().find(|t| t.name == name).unwrap()
}

/// What a tier's cache misses is what its callers send on, and all actions are answered somewhere.
fn check_flow(run: &Run) {
    for (from, to) in [("edge", "shield"), ("shield", "gateway")] {
        let (from, to) = (tier(run, from), tier(run, to));
        let missed = from.requests * (1.0 - from.cache.as_ref().unwrap().hit_ratio.value);
        let search = run.actions.iter().find(|a| a.name == "search").unwrap().requests;
        let others = if to.name == "gateway" { search } else { 0.0 };
        assert!((to.requests / (missed + others) - 1.0).abs() < 0.01, "{}: {}", to.name, to.requests);
    }
    let play = run.actions.iter().find(|a| a.name == "play").unwrap();
    assert!((tier(run, "device").requests / play.requests - 1.0).abs() < 1e-9);
    assert!((tier(run, "events").requests / play.requests - 1.0).abs() < 0.01);
    for action in &run.actions {
        let all: f64 = action.served_by.iter().map(|s| s.share).sum();
        assert!((all - 1.0).abs() < 1e-9, "{}: {:?}", action.name, action.served_by);
    }
}

#[test]
fn calls_of_every_request_are_conserved_from_tier_to_tier() {
    check_flow(&played(Mode::Every { warmup_s: 5.0, duration_s: 20.0 }));
}

#[test]
fn calls_of_a_sampled_day_are_conserved_from_tier_to_tier() {
    check_flow(&played(Mode::Day));
}
