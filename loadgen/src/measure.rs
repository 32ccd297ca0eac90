//! From what was recorded to the [`Measurement`], with the reasons not to trust it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use plimsoll_reports::record::{ActionMeasured, Measurement, Provenance, Served, TierMeasured};
use plimsoll_scenarios::Scenario;

use crate::record::{RouteRecord, Shared, histogram, latency_from_histogram, merge};
use crate::run::LoadOptions;
use crate::schedule::{Plan, Route};

/// Fewer requests than this say nothing.
const COUNTED_MIN: u64 = 100;
/// Share of planned requests that may be missed.
const MISSED_MAX: f64 = 0.001;
/// Share of failures above which the target is not usable.
const FAILED_MAX: f64 = 0.5;
/// The generator may be this late (99th percentile), seconds ...
const LAG_MAX_S: f64 = 0.010;
/// ... or this share of the median latency, whichever is more.
const LAG_SHARE_MAX: f64 = 0.2;

/// How the run went, apart from what was recorded.
#[derive(Debug)]
pub struct Course {
    /// Seconds that counted, fewer than planned if the run was stopped.
    pub counted_s: f64,
    pub partial: bool,
    pub tiers: Vec<TierMeasured>,
    /// The stack's metrics could not be read.
    pub scrape_error: Option<String>,
}

pub fn measurement(
    scenario: &Scenario,
    plan: &Plan,
    options: &LoadOptions,
    shared: &Shared,
    course: Course,
) -> Measurement {
    let mut record = shared.total();
    record.cut_off();
    let planned = shared.planned.load(Relaxed);
    let sent = record.routes.iter().map(|route| route.sent).sum::<u64>();
    let failed = record.routes.iter().map(|route| route.failed).sum::<u64>();
    let actions =
        plan.routes.iter().zip(&record.routes).map(|(route, seen)| action(route, seen, course.counted_s));
    let mut measurement = Measurement {
        provenance: provenance(scenario, options, course.partial),
        target: targets(plan),
        warmup_s: options.warmup_s,
        duration_s: course.counted_s,
        planned,
        sent,
        missed: planned.saturating_sub(sent),
        failed,
        local: shared.local.load(Relaxed),
        lag: latency_from_histogram(&record.lag),
        actions: actions.collect(),
        tiers: course.tiers,
        invalid: Vec::new(),
        failures: record.failures,
    };
    let mut latencies = histogram();
    for route in &record.routes {
        merge(&mut latencies, &route.complete);
    }
    let median_s = latency_from_histogram(&latencies).at(0.5);
    measurement.invalid = doubts(&measurement, median_s);
    if let Some(cause) = course.scrape_error {
        measurement
            .invalid
            .push(format!("the stack's metrics could not be read ({cause}): nothing is known of its tiers"));
    }
    measurement
}

fn action(route: &Route, seen: &RouteRecord, counted_s: f64) -> ActionMeasured {
    ActionMeasured {
        name: route.name.clone(),
        requests: seen.sent,
        rate_per_s: if counted_s > 0.0 { seen.sent as f64 / counted_s } else { 0.0 },
        failed: seen.failed,
        bytes: seen.bytes,
        first_byte: latency_from_histogram(&seen.first_byte),
        complete: latency_from_histogram(&seen.complete),
        served_by: served(route, &seen.served_by),
    }
}

/// Shares by tier, in path order, tiers that are not in the path after it.
fn served(route: &Route, by_tier: &BTreeMap<String, u64>) -> Vec<Served> {
    let all = by_tier.values().sum::<u64>();
    let share = |(tier, n): (&String, &u64)| Served { tier: tier.clone(), share: *n as f64 / all as f64 };
    let in_path = route.tiers.iter().filter_map(|tier| by_tier.get_key_value(tier));
    let others = by_tier.iter().filter(|(tier, _)| !route.tiers.contains(tier));
    in_path.chain(others).map(share).collect()
}

fn provenance(scenario: &Scenario, options: &LoadOptions, partial: bool) -> Provenance {
    let options_used = [
        ("warmup", format!("{} s", options.warmup_s)),
        ("duration", format!("{} s", options.duration_s)),
        ("users", options.users_max.to_string()),
        ("queue", options.queue_max.to_string()),
        ("timeout", format!("{} s", options.timeout_s)),
    ];
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        seed: options.seed,
        options: options_used.map(|(name, value)| (name.to_owned(), value)).into(),
        partial,
    }
}

fn targets(plan: &Plan) -> String {
    let urls: BTreeSet<&str> = plan.bases.iter().map(|base| base.url.as_str()).collect();
    urls.into_iter().collect::<Vec<_>>().join(", ")
}

/// Reasons not to trust a run, each with what to do.
fn doubts(run: &Measurement, median_s: Option<f64>) -> Vec<String> {
    let mut doubts = Vec::new();
    if run.sent < COUNTED_MIN {
        doubts.push(format!(
            "only {} requests counted, {COUNTED_MIN} are the least that says anything: run longer or at a larger scale",
            run.sent
        ));
    }
    if run.missed as f64 > MISSED_MAX * run.planned as f64 {
        doubts.push(format!(
            "{} of {} planned requests were never sent (at most {} % may be): allow more users, or scale the load down",
            run.missed,
            run.planned,
            MISSED_MAX * 100.0
        ));
    }
    if run.failed as f64 > FAILED_MAX * run.sent as f64 {
        let kinds: Vec<String> = run.failures.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        doubts.push(format!(
            "target not usable: {} of {} requests failed ({}): mend or enlarge the target, or scale the load down",
            run.failed,
            run.sent,
            kinds.join(", ")
        ));
    }
    let bound_s = LAG_MAX_S.max(LAG_SHARE_MAX * median_s.unwrap_or(0.0));
    if let Some(lag_s) = run.lag.at(0.99).filter(|&lag_s| lag_s > bound_s) {
        doubts.push(format!(
            "the generator was late: 1 % of requests left more than {:.1} ms after their time, {:.1} ms are allowed: \
             free the machine, allow more users, or scale the load down",
            lag_s * 1e3,
            bound_s * 1e3
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_reports::record::{Latency, Quantile};

    fn run(planned: u64, sent: u64, failed: u64, lag_p99_s: f64) -> Measurement {
        let quantiles = [0.0, 0.99].map(|p| Quantile { p, value_s: lag_p99_s * p / 0.99 }).to_vec();
        Measurement {
            provenance: Provenance {
                version: String::new(),
                scenario: String::new(),
                seed: 1,
                options: BTreeMap::new(),
                partial: false,
            },
            target: String::new(),
            warmup_s: 0.0,
            duration_s: 10.0,
            planned,
            sent,
            missed: planned - sent,
            failed,
            local: 0,
            lag: Latency { count: sent, mean_s: 0.0, max_s: lag_p99_s, quantiles },
            actions: Vec::new(),
            tiers: Vec::new(),
            invalid: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    #[test]
    fn a_sound_run_has_no_doubts_and_each_fault_is_named() {
        let about = |run: &Measurement, median_s: f64| doubts(run, Some(median_s)).join("\n");
        assert_eq!(about(&run(10_000, 9_995, 4_000, 0.009), 0.01), "");
        assert_eq!(about(&run(10_000, 10_000, 0, 0.15), 1.0), "");
        assert!(about(&run(99, 99, 0, 0.0), 0.01).contains("only 99 requests"));
        assert!(about(&run(10_000, 9_980, 0, 0.0), 0.01).contains("never sent"));
        assert!(about(&run(10_000, 10_000, 5_001, 0.0), 0.01).contains("target not usable"));
        assert!(about(&run(10_000, 10_000, 0, 0.011), 0.01).contains("generator was late"));
        assert!(about(&run(10_000, 10_000, 0, 0.25), 1.0).contains("generator was late"));
    }
}
