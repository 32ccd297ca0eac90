//! Every bundled system, simulated, beside what the formulas say of it.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::{Estimate, Run};
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::{Policy, Scenario};
use plimsoll_sim::{Mode, Options, estimate, simulate};

fn simulated(scenario: &Scenario) -> Run {
    let options = Options { seed: 1, threads: 2, replications: 1, precision: None, mode: Mode::Day };
    simulate(scenario, &options, &|_| {}, &AtomicBool::new(false)).unwrap()
}

fn estimated(scenario: &Scenario) -> Estimate {
    let prices = PriceList::bundled();
    estimate::estimate(scenario, &estimate::Options { seed: 1, worlds: 0, prices: &prices, threads: 2 })
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

    /// Whether what reaches a tier hangs on a cache that the formula knows well: one of a policy that it has, whose
    /// objects do not give way many times a day (the formula has the mean rate, and a day has hours at which few
    /// ask for what is new).
    fn formula_holds(&self, tier: &str) -> bool {
        let fast = |d: &plimsoll_scenarios::Dataset| d.churn_per_day.get() > 10.0;
        self.scenario.actions.values().all(|action| {
            let mut fits = true;
            action.calls.each(false, &mut |call, _| {
                let here = &self.scenario.tiers[call.tier];
                let known =
                    here.cache.as_ref().is_none_or(|c| matches!(c.policy, Policy::Lru | Policy::Fifo));
                let stale = call.of.is_some_and(|d| fast(&self.scenario.datasets[d])) && here.cache.is_some();
                let mut meets = self.scenario.tier_name(call.tier) == tier;
                meets |= call.next.tiers().iter().any(|&t| self.scenario.tier_name(t) == tier);
                fits &= !meets || (known && !stale);
            });
            fits
        })
    }
}

#[test]
fn every_system_plays_at_the_rates_and_loads_of_its_estimate() {
    let mut problems = Vec::new();
    // A storm is unlike its estimate: that is what it shows.
    let systems = plimsoll_scenarios::bundled().iter().filter(|b| !b.name.starts_with("retry-storm"));
    for bundled in systems {
        let scenario = plimsoll_scenarios::load(bundled.name).unwrap();
        let run = simulated(&scenario);
        let mut check = Check { estimate: estimated(&scenario), scenario: &scenario, problems: Vec::new() };
        // The day is the busiest of the week.
        let week = scenario.population.weekly.peak();
        for action in &run.actions {
            let about = |x: f64| (x * week * 0.999, x * week * 1.001);
            check.within(&format!("{}.rate", action.name), action.rate_mean_per_s, about);
            assert!(action.first_byte.count > 0, "{} {}: no latencies", scenario.name, action.name);
            assert!(action.failed_share < 0.05, "{} {}: fails", scenario.name, action.name);
        }
        for tier in run.tiers.iter().filter(|t| check.formula_holds(&t.name)).collect::<Vec<_>>() {
            let about = |x: f64| (x * week * 0.92, x * week * 1.08);
            check.within(&format!("{}.rate", tier.name), tier.rate_mean_per_s, about);
            if let Some(cache) = &tier.cache {
                let near = |x: f64| (x - 0.035, x + 0.035);
                check.within(&format!("{}.hit_ratio", tier.name), cache.hit_ratio.value, near);
            }
            if let Some(station) = &tier.station {
                // The worst region has whole servers, where the estimate has parts of them.
                let bounds = |x: f64| (x * 0.85, x * 1.5);
                let id = format!("{}.utilisation_peak", tier.name);
                check.within(&id, station.utilisation_peak.value, bounds);
                assert!(station.wait_mean_peak_s.value.is_finite(), "{} {}", scenario.name, tier.name);
            }
        }
        problems.append(&mut check.problems);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
