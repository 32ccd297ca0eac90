use plimsoll_scenarios::load;

use super::{Plan, played};

/// Share of checkouts that fail in the minutes of a bundled scenario from 11:50 to 12:50.
fn failed(name: &str) -> Vec<f64> {
    let plan = Plan {
        seed: 1,
        replications: 1,
        threads: 1,
        from_s: 11.75 * 3600.0,
        warmup_s: 300.0,
        duration_s: 3600.0,
        slots: 60,
        same_requests: false,
    };
    played(&load(name).unwrap(), plan)[0].failed[0][0].clone()
}

#[test]
fn the_bundled_storm_stays_after_its_cause_and_a_budget_ends_it() {
    let mean = |series: &[f64]| series.iter().sum::<f64>() / series.len() as f64;
    let (storm, budget) = (failed("retry-storm"), failed("retry-storm-budget"));
    for series in [&storm, &budget] {
        assert!(mean(&series[..9]) < 0.001, "calm before: {series:?}");
        assert!(mean(&series[12..20]) > 0.5, "slow disks: {series:?}");
    }
    assert!(mean(&storm[30..]) > 0.5, "half an hour later it is still down: {storm:?}");
    assert!(mean(&budget[30..]) < 0.001, "it has recovered: {budget:?}");
}
