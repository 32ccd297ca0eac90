use super::{agrees, over, plan, played, read};
use crate::analytic::order;
use crate::analytic::retries::mean_attempts;

/// A caller with a policy, and a tier that never queues.
fn called(policy: &str, tier: &str) -> plimsoll_scenarios::Scenario {
    read(&format!(
        "name: policy\npopulation: {{users: 1}}\nactions: {{ask: {{rate: 20/s, path: [front, {{call: back, {policy}}}]}}}}\n\
         tiers:\n  front: {{}}\n  back: {{{tier}}}\n"
    ))
}

const PATIENT: &str = "servers: 1, concurrency: 100000, service_time: {exponential: 1 s}";

fn sum(grid: &crate::outcome::Grid) -> f64 {
    grid.iter().flatten().sum()
}

fn failed(counted: &crate::outcome::Counted) -> f64 {
    let shares = counted.failed[0].iter().flatten().zip(counted.requests[0].iter().flatten());
    shares.map(|(share, n)| share * n).sum::<f64>() / sum(&counted.requests[0])
}

#[test]
fn attempts_that_take_too_long_fail_and_are_made_again() {
    let p = (-1.0_f64).exp();
    let scenario = called("timeout: 1 s, retries: {attempts: 3}", PATIENT);
    let counted = played(&scenario, plan(1, 8, 10.0, 300.0));
    let attempts = over(&counted, |c| sum(&c.calls[1]) / sum(&c.requests[0]));
    agrees("attempts", attempts, mean_attempts(p, 3), 0.02);
    agrees("all fail", over(&counted, failed), p.powi(3), 0.1);
    // What was given up on goes on: the servers' work is that of all attempts.
    let busy =
        over(&counted, |c| c.stations[1][0].iter().map(|s| s.utilisation).sum::<f64>() / 40.0 * 100_000.0);
    agrees("work", busy, 20.0 * mean_attempts(p, 3), 0.03);
}

#[test]
fn back_off_takes_its_time() {
    let scenario = called(
        "timeout: 1 s, retries: {attempts: 4, backoff: 2 s, factor: 3, max: 10 s, jitter: none}",
        "servers: 1, concurrency: 100000, service_time: 100 s",
    );
    let counted = &played(&scenario, plan(1, 1, 0.0, 10.0))[0];
    assert_eq!(failed(counted), 1.0);
    assert_eq!(sum(&counted.calls[1]), 4.0 * sum(&counted.requests[0]));
}

#[test]
fn a_budget_bounds_the_retries() {
    let scenario = called(
        "timeout: 1 s, retries: {attempts: 5, budget: 10 %}",
        "servers: 1, concurrency: 100000, service_time: 100 s",
    );
    let counted = &played(&scenario, plan(1, 1, 0.0, 1_000.0))[0];
    let attempts = sum(&counted.calls[1]) / sum(&counted.requests[0]);
    assert!((1.10..1.12).contains(&attempts), "{attempts}");
}

#[test]
fn a_hedge_is_the_better_of_two() {
    let tail = |t: f64| (-t).exp();
    let counted = played(&called("hedge: {after: 500 ms}", PATIENT), plan(1, 8, 10.0, 400.0));
    agrees("mean", over(&counted, |c| c.first_byte[0].mean()), order::hedged_mean(0.5, 1.0, tail), 0.02);
    let calls = over(&counted, |c| sum(&c.calls[1]) / sum(&c.requests[0]));
    agrees("load", calls, 1.0 + order::hedged_extra_load(0.5, tail), 0.02);
}

#[test]
fn an_open_breaker_spares_what_is_down() {
    let policy = "timeout: 100 ms, breaker: {failures: 50 %, window: 10 s, open: 5 s}";
    let counted = &played(
        &called(policy, "servers: 1, concurrency: 100000, service_time: 100 s"),
        plan(1, 1, 0.0, 100.0),
    )[0];
    let (calls, requests) = (sum(&counted.calls[1]), sum(&counted.requests[0]));
    // Twenty to see it, then one probe every five seconds.
    assert!(calls < 50.0 && requests > 1_800.0, "{calls} of {requests}");
    assert_eq!(failed(counted), 1.0);
}

#[test]
fn a_pool_bounds_what_is_under_way_at_a_time() {
    let scenario = read(
        "name: pool\npopulation: {users: 1}\nactions: {ask: {rate: 3.2/s, path: [front, back]}}\ntiers:\n  front: {servers: 1, \
         concurrency: 100000, service_time: 1 us}\n  back: {servers: 1, concurrency: 100000, service_time: {exponential: 1 \
         s}, client: {pool: 4}}\n",
    );
    let counted = played(&scenario, plan(1, 10, 500.0, 20_000.0));
    // The pool is a queue with four servers, before a tier in which nobody waits.
    agrees("pool", over(&counted, |c| c.first_byte[0].mean() - 1.0), 0.745_541, 0.1);
    assert!(counted.iter().all(|c| c.waits[1].mean() < 1e-6));
}

/// A system at 70 % whose users give up after a second and try again twice; at 100 s it is slow for a minute.
fn storm(policy: &str) -> Vec<f64> {
    let scenario = read(&format!(
        "name: storm\npopulation: {{users: 1}}\nactions: {{ask: {{rate: 70/s, path: [{{call: web, {policy}}}]}}}}\n\
         tiers: {{web: {{servers: 1, concurrency: 10, service_time: {{exponential: 100 ms}}, queue_max: 1000}}}}\n\
         events: [{{at: 0:02, slow: {{tier: web, factor: 3}}, for: 1 min}}]\n"
    ));
    let counted = &played(&scenario, plan(1, 1, 0.0, 600.0))[0];
    counted.failed[0][0].clone()
}

#[test]
fn a_storm_of_retries_outlasts_its_cause_unless_there_is_a_budget() {
    let without = storm("timeout: 1 s, retries: {attempts: 3}");
    let with = storm("timeout: 1 s, retries: {attempts: 3, budget: 10 %}");
    let mean = |series: &[f64]| series.iter().sum::<f64>() / series.len() as f64;
    // Slots of 15 s: the cause lasts from the 8th to the 12th.
    for series in [&without, &with] {
        assert!(mean(&series[..8]) < 0.01, "calm before: {series:?}");
        assert!(mean(&series[9..12]) > 0.5, "it bites: {series:?}");
    }
    assert!(mean(&without[24..]) > 0.5, "minutes later it is still down: {without:?}");
    assert!(mean(&with[24..]) < 0.01, "it has recovered: {with:?}");
}
