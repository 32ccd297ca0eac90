//! From what was recorded to the [`Measurement`], with the reasons not to trust it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use plimsoll_reports::format::human;
use plimsoll_reports::gate::{Round, Share};
use plimsoll_reports::record::{ActionMeasured, Measurement, Provenance, Served, TierMeasured, Unit};
use plimsoll_scenarios::Scenario;

use crate::cpu::CpuUse;
use crate::options::LoadOptions;
use crate::record::{Record, RouteRecord, Shared, histogram, latency_from_histogram, merge, times};
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

/// Share of planned requests that may find every user waiting.
const STARVED_MAX: f64 = 0.005;
/// Share of their threads' processors that the users may use.
const GENERATOR_BUSY_MAX: f64 = 0.9;
/// Share of the machine from which a late generator has lacked processors.
const MACHINE_BUSY: f64 = 0.9;

/// How the run went, apart from what was recorded.
#[derive(Debug)]
pub struct Course {
    /// Seconds that counted, fewer than planned if the run was stopped.
    pub counted_s: f64,
    pub partial: bool,
    /// Seconds from the start of the warm-up to the last answer.
    pub ended_s: f64,
    pub tiers: Vec<TierMeasured>,
    /// The stack's metrics could not be read.
    pub scrape_error: Option<String>,
    pub cpu: Option<CpuUse>,
    /// Threads on which users run.
    pub workers: usize,
}

pub fn measurement(
    scenario: &Scenario,
    plan: &Plan,
    options: &LoadOptions,
    shared: &Shared,
    record: &Record,
    course: Course,
) -> Measurement {
    let planned = shared.planned.load(Relaxed);
    let (sent, failed) = (record.sent(), record.failed());
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
        connect: latency_from_histogram(&record.connect),
        actions: actions.collect(),
        tiers: course.tiers,
        invalid: Vec::new(),
        failures: record.failures.clone(),
        regions: plan.regions.measured(&plan.routes, &shared.planned_by_region(), &record.regions),
    };
    let mut latencies = histogram();
    for route in &record.routes {
        merge(&mut latencies, &route.complete);
    }
    let signs = Signs {
        median_s: latency_from_histogram(&latencies).at(0.5),
        woken_s: shared.woken_s(),
        starved: shared.starved.load(Relaxed),
        cpu: course.cpu,
        workers: course.workers,
    };
    measurement.invalid = doubts(&measurement, &signs);
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
        first_data: latency_from_histogram(&seen.first_data),
        rebuffer: seen.rebuffer.as_ref().map(latency_from_histogram),
        stalled: seen.stalled,
        complete: latency_from_histogram(&seen.complete),
        served_by: served(route, &seen.served_by),
    }
}

/// The run as a gate judges it.
pub fn round(
    plan: &Plan,
    seed: u64,
    record: &Record,
    measurement: &Measurement,
    cpu: Option<CpuUse>,
) -> Round {
    let mut round = Round { seed, ..Round::default() };
    let share = |hits: u64, total: u64| Share { hits: hits as f64, total: total as f64 };
    for (route, seen) in plan.routes.iter().zip(&record.routes) {
        let name = &route.name;
        let series = [
            ("first_byte", &seen.first_byte),
            ("first_data", &seen.first_data),
            ("complete", &seen.complete),
        ];
        for (quantity, histogram) in series {
            round.times.insert(format!("{name}.{quantity}"), times(histogram));
        }
        if let Some(rebuffer) = &seen.rebuffer {
            round.times.insert(format!("{name}.rebuffer"), times(rebuffer));
            round.shares.insert(format!("{name}.stalled"), share(seen.stalled, rebuffer.len()));
        }
        round.shares.insert(format!("{name}.errors"), share(seen.failed, seen.sent));
    }
    round.times.insert("lag".to_owned(), times(&record.lag));
    round.times.insert("connect".to_owned(), times(&record.connect));
    let (sent, failed) = (measurement.sent, measurement.failed);
    round.shares.insert("errors".to_owned(), share(failed, sent));
    round.shares.insert("availability".to_owned(), share(sent - failed, sent));
    for tier in &measurement.tiers {
        if let Some(hit_ratio) = tier.hit_ratio {
            let total = tier.requests as f64;
            round.shares.insert(format!("{}.hit_ratio", tier.name), Share { hits: hit_ratio * total, total });
        }
        if let Some(utilisation) = tier.utilisation {
            round.values.insert(format!("{}.utilisation", tier.name), utilisation);
        }
    }
    for action in &measurement.actions {
        round.values.insert(format!("{}.rate", action.name), action.rate_per_s);
    }
    if let Some(cpu) = cpu {
        round.values.insert("others_busy".to_owned(), cpu.others);
    }
    round.values.insert("rate".to_owned(), measurement.actions.iter().map(|action| action.rate_per_s).sum());
    round
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
        ("arrivals", options.arrivals.to_string()),
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

/// Whether the generator, and not the target, is why a run should not be trusted.
pub fn generators_fault(reasons: &[String]) -> bool {
    reasons.iter().any(|reason| reason.starts_with(GENERATOR))
}

/// Every reason that is the generator's own fault begins so.
const GENERATOR: &str = "the generator ";

/// What else is known of a run.
#[derive(Debug, Clone, Copy, Default)]
struct Signs {
    /// Of all latencies.
    median_s: Option<f64>,
    /// How late the users' threads woke, 99th percentile.
    woken_s: Option<f64>,
    /// Requests that fell due while every user waited.
    starved: u64,
    cpu: Option<CpuUse>,
    /// Threads of the users.
    workers: usize,
}

/// Reasons not to trust a run, each with what to do.
fn doubts(run: &Measurement, signs: &Signs) -> Vec<String> {
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
    doubts.extend(lateness(run, signs));
    let Signs { cpu, workers, .. } = *signs;
    if let Some(cpu) = cpu.filter(|cpu| cpu.users > GENERATOR_BUSY_MAX * workers as f64) {
        doubts.push(format!(
            "{GENERATOR}used {:.1} of the {workers} processors that its users may: what it measured may be itself: scale the load down",
            cpu.users
        ));
    }
    for (kind, cause, remedy) in [
        ("too_many_files", "open files", "raise the limit (`ulimit -n`), or allow fewer users"),
        ("no_ports", "free ports", "let the target keep connections open, or scale the load down"),
    ] {
        if let Some(n) = run.failures.get(kind) {
            doubts.push(format!("{GENERATOR}ran out of {cause} {n} times: {remedy}"));
        }
    }
    doubts
}

/// Why requests left late, or answers were read late, if they were.
fn lateness(run: &Measurement, signs: &Signs) -> Option<String> {
    let bound_s = LAG_MAX_S.max(LAG_SHARE_MAX * signs.median_s.unwrap_or(0.0));
    let late = |s: Option<f64>| s.filter(|&s| s > bound_s);
    let (left_s, read_s) = (late(run.lag.at(0.99)), late(signs.woken_s));
    // A request that finds every user waiting leaves late by the target's fault, not by the generator's.
    if left_s.is_some() && signs.starved as f64 > STARVED_MAX * run.planned as f64 {
        return Some(format!(
            "every user was waiting for an answer when {} of {} requests fell due, and they left late: \
             the target is too slow for this rate, or has too few users (`--users`)",
            signs.starved, run.planned
        ));
    }
    let (late_s, what) = match (left_s, read_s) {
        (Some(late_s), _) => (late_s, "requests left"),
        (None, late_s) => (late_s?, "answers may have been read"),
    };
    let busy = signs.cpu.filter(|cpu| cpu.machine > MACHINE_BUSY);
    let busy = busy.map(|cpu| format!(" (the machine was {:.0} % busy)", cpu.machine * 100.0));
    Some(format!(
        "{GENERATOR}was late{}: 1 % of {what} more than {} after their time, {} are allowed: \
         free the machine, allow more users, or scale the load down",
        busy.unwrap_or_default(),
        human(late_s, Unit::Seconds),
        human(bound_s, Unit::Seconds)
    ))
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
            connect: Latency::default(),
            lag: Latency { count: sent, mean_s: 0.0, max_s: lag_p99_s, quantiles },
            actions: Vec::new(),
            tiers: Vec::new(),
            invalid: Vec::new(),
            failures: BTreeMap::new(),
            regions: Vec::new(),
        }
    }

    #[test]
    fn a_sound_run_has_no_doubts_and_each_fault_is_named() {
        let signs = |median_s: f64, starved| Signs {
            median_s: Some(median_s),
            starved,
            workers: 2,
            ..Signs::default()
        };
        let about = |run: &Measurement, median_s: f64| doubts(run, &signs(median_s, 0)).join("\n");
        assert_eq!(about(&run(10_000, 9_995, 4_000, 0.009), 0.01), "");
        assert_eq!(about(&run(10_000, 10_000, 0, 0.15), 1.0), "");
        assert!(about(&run(99, 99, 0, 0.0), 0.01).contains("only 99 requests"));
        assert!(about(&run(10_000, 9_980, 0, 0.0), 0.01).contains("never sent"));
        assert!(about(&run(10_000, 10_000, 5_001, 0.0), 0.01).contains("target not usable"));
        assert!(about(&run(10_000, 10_000, 0, 0.011), 0.01).contains("generator was late"));
        assert!(about(&run(10_000, 10_000, 0, 0.25), 1.0).contains("generator was late"));
        let with = |users, machine, lag_s| {
            let cpu = Some(CpuUse { users, machine, others: 0.0 });
            doubts(&run(10_000, 10_000, 0, lag_s), &Signs { cpu, ..signs(0.01, 0) }).join("\n")
        };
        assert_eq!(with(1.7, 1.0, 0.0), "");
        assert!(with(1.9, 1.0, 0.0).contains("used 1.9 of the 2 processors"));
        assert!(with(0.1, 0.98, 0.011).contains("late (the machine was 98 % busy): "));
        let slow = doubts(&run(10_000, 10_000, 0, 0.5), &signs(0.1, 900));
        assert!(
            slow[0].contains("waiting for an answer when 900 of 10000") && !generators_fault(&slow),
            "{slow:?}"
        );
        assert!(generators_fault(&doubts(&run(10_000, 10_000, 0, 0.5), &signs(0.1, 9))));
        let read = |woken_s| {
            doubts(&run(10_000, 10_000, 0, 0.0), &Signs { woken_s: Some(woken_s), ..signs(0.01, 900) })
        };
        assert_eq!(read(0.009), Vec::<String>::new());
        assert!(read(0.011)[0].contains("1 % of answers may have been read more than 11 ms"));
        let starved = Measurement {
            failures: BTreeMap::from([("no_ports".to_owned(), 3)]),
            ..run(10_000, 10_000, 3, 0.0)
        };
        assert!(about(&starved, 0.01).contains("out of free ports 3 times"));
    }
}
