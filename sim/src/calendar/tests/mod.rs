//! The calendar against closed forms, against the recursion of stations, and against itself.

mod beside;
mod clients;
mod coverage;
mod events;
mod kinds;
mod levels;
mod links;
mod queues;
mod random;
mod recursion;
mod staleness;
mod storm;
mod trees;

use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::Interval;
use plimsoll_scenarios::{Scenario, SourceFile};

use super::{Plan, play};
use crate::outcome::{Counted, interval};

fn read(yaml: &str) -> Scenario {
    Scenario::from_yaml(&SourceFile::new("test.yaml", yaml)).unwrap_or_else(|e| panic!("{e}\n{yaml}"))
}

/// One tier, called at a rate.
fn station(rate: f64, tier: &str) -> Scenario {
    read(&format!(
        "name: one\npopulation: {{users: 1}}\nactions: {{ask: {{rate: {rate}/s, path: [server]}}}}\n\
         tiers: {{server: {{{tier}}}}}\n"
    ))
}

fn plan(seed: u64, replications: u64, warmup_s: f64, duration_s: f64) -> Plan {
    Plan {
        seed,
        replications,
        threads: 2,
        from_s: 0.0,
        warmup_s,
        duration_s,
        slots: 40,
        same_requests: false,
    }
}

fn played(scenario: &Scenario, plan: Plan) -> Vec<Counted> {
    play(scenario, plan, None, &|_| {}, &AtomicBool::new(false)).expect("nothing stops it").0.counted
}

/// A figure of every replication as an interval.
fn over(counted: &[Counted], of: impl Fn(&Counted) -> f64) -> Interval {
    interval(&counted.iter().map(of).collect::<Vec<_>>())
}

/// The figure lies near what is known: within twice the 95 % interval, which is no wider than it should be.
fn agrees(what: &str, got: Interval, want: f64, width: f64) {
    assert!((got.value - want).abs() <= 2.0 * got.margin(), "{what}: {got:?} for {want}");
    assert!(got.margin() <= width * want, "{what}: {got:?} is too wide for {want} to mean anything");
}
