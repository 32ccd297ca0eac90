//! Every bundled system, simulated, beside what the formulas say of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use plimsoll_reports::record::{Estimate, Run};
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::{Policy, Scenario};
use plimsoll_sim::{Mode, Options, estimate, simulate};

/// A day without events, as an estimate is.
fn simulated(scenario: &Scenario) -> Run {
    let scenario = &Scenario { events: Vec::new(), ..scenario.clone() };
    let options = Options { seed: 1, threads: 1, replications: 1, precision: None, mode: Mode::Day };
    simulate(scenario, &options, &|_| {}, &AtomicBool::new(false)).unwrap()
}

fn estimated(scenario: &Scenario) -> Estimate {
    let prices = PriceList::bundled();
    estimate::estimate(scenario, &estimate::Options { seed: 1, worlds: 0, prices: &prices, threads: 1 })
}

struct Check<'a> {
    scenario: &'a Scenario,
    estimate: Estimate,
    problems: Vec<String>,
}

impl Check<'_> {
    fn within(&mut self, id: &str, simulated: f64, bounds: impl Fn(f64) -> (f64, f64)) {
        let Some(found) = self.estimate.quantities.iter().find(|q| q.id == id) else { return };
        let (low, high) = bounds(found.value);
        if !(low..=high).contains(&simulated) {
            self.problems.push(format!(
                "{} {id}: simulated {simulated:.5}, expected {low:.5} to {high:.5}",
                self.scenario.name
            ));
        }
    }
}

/// Whether what reaches a tier hangs on a cache that the formula knows well: one of a policy that it has, whose
/// objects do not give way many times a day (the formula has the mean rate, and a day has hours at which few ask for
/// what is new).
fn known(scenario: &Scenario, tier: &str) -> bool {
    scenario.actions.values().all(|action| {
        let mut fits = true;
        action.calls.each(false, &mut |call, _| {
            let here = &scenario.tiers[call.tier];
            let known = here.cache.as_ref().is_none_or(|c| matches!(c.policy, Policy::Lru | Policy::Fifo));
            let fast = call.of.is_some_and(|d| scenario.datasets[d].churn_per_day.get() > 10.0);
            let meets = scenario.tier_name(call.tier) == tier
                || call.next.tiers().iter().any(|&t| scenario.tier_name(t) == tier);
            fits &= !meets || (known && !(fast && here.cache.is_some()));
        });
        fits
    })
}

#[test]
fn every_system_plays_at_the_rates_and_loads_of_its_estimate() {
    // A storm is unlike its estimate: that is what it shows.
    let systems: Vec<_> =
        plimsoll_scenarios::bundled().iter().filter(|b| !b.name.starts_with("retry-storm")).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut problems = Vec::new();
        while let Some(system) = systems.get(next.fetch_add(1, Ordering::Relaxed)) {
            problems.extend(problems_of(&plimsoll_scenarios::load(system.name).unwrap()));
        }
        problems
    };
    let problems: Vec<String> = std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|w| w.join().unwrap()).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn problems_of(scenario: &Scenario) -> Vec<String> {
    let run = simulated(scenario);
    let mut check = Check { estimate: estimated(scenario), scenario, problems: Vec::new() };
    // The day is the busiest of the week.
    let week = scenario.population.weekly.peak();
    for action in &run.actions {
        let about = |x: f64| (x * week * 0.999, x * week * 1.001);
        check.within(&format!("{}.rate", action.name), action.rate_mean_per_s, about);
        if action.first_byte.count == 0 || action.failed_share > 0.05 {
            check.problems.push(format!("{} {}: {:?}", scenario.name, action.name, action.failed_share));
        }
    }
    for tier in run.tiers.iter().filter(|t| known(scenario, &t.name)) {
        let about = |x: f64| (x * week * 0.92, x * week * 1.08);
        check.within(&format!("{}.rate", tier.name), tier.rate_mean_per_s, about);
        if let Some(cache) = &tier.cache {
            let near = |x: f64| (x - 0.035, x + 0.035);
            check.within(&format!("{}.hit_ratio", tier.name), cache.hit_ratio.value, near);
        }
        if let Some(station) = &tier.station {
            // The worst region has whole servers, where the estimate has parts of them.
            // A quarter of an hour may be busy at less than its busiest second.
            let id = format!("{}.peak_rate", tier.name);
            let second = check.estimate.quantities.iter().find(|q| q.id == id).map_or(0.0, |q| q.value);
            let slot = if second > 0.0 { (tier.rate_peak_per_s / second).min(1.0) } else { 1.0 };
            let bounds = |x: f64| (x * slot * 0.85, x * 1.5);
            check.within(&format!("{}.utilisation_peak", tier.name), station.utilisation_peak.value, bounds);
            if !station.wait_mean_peak_s.value.is_finite() {
                check.problems.push(format!("{} {}: no wait", scenario.name, tier.name));
            }
        }
    }
    check.problems
}
