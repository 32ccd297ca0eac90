//! What every tier has to carry at its peak, place by place, once the caches are known.
//!
//! Why by place: servers are shared out over regions and sites in whole numbers, and each region has its own
//! clock. A tier is as full as its fullest place. Rates and factors are those of the estimate.

use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::hits::Hits;
use crate::flow::{self, Flow};
use crate::model;

/// What one place of a tier carries at its own peak, over all its instances.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PlaceLoad {
    /// Share of the users, by which servers are shared out.
    pub share: f64,
    /// Sites of the region, or 1.
    pub instances: f64,
    /// Calls, 1/s.
    pub calls: f64,
    /// Calls of single servers, copies counted, 1/s.
    pub work: f64,
    /// Towards the callers, bit/s.
    pub egress: f64,
    /// Reads and writes of disks, 1/s.
    pub operations: f64,
    /// Open connections.
    pub connections: f64,
}

/// What a tier carries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TierLoad {
    pub places: Vec<PlaceLoad>,
    /// Bytes kept, with their copies.
    pub stored: f64,
    /// Mean over the day and all places: calls (1/s) and egress (bit/s), for prices by use.
    pub calls_mean: f64,
    pub egress_mean: f64,
}

/// What does not hang on the caches: rates and heights of the day.
#[derive(Debug, Clone)]
pub struct Demand {
    /// By call, where every cache misses: calls for one of its caller's misses; of a root, calls a second.
    numbers: Vec<f64>,
    /// By action and region: peak over mean.
    factors: Vec<Vec<f64>>,
    /// By action: the same over all regions' clocks together.
    global: Vec<f64>,
    /// By action: mean rate, 1/s.
    pub rates: Vec<f64>,
}

/// Steps of a day at which the regions' sum is looked at.
const STEPS: u32 = 96;

impl Demand {
    #[must_use]
    pub fn of(scenario: &Scenario, flow: &Flow<'_>) -> Self {
        let regions = &scenario.population.regions;
        let week = scenario.population.weekly.peak();
        let rates: Vec<f64> = scenario.actions.values().map(|a| scenario.mean_rate(a)).collect();
        let number = |n: &flow::Node<'_>| {
            let each = n.call.mean_number();
            if n.caller.is_some() {
                return each;
            }
            each * rates[n.action] * flow::occurrences(&scenario.actions[n.action], n.cause)
        };
        let factors = scenario.actions.values().map(|action| {
            (0..regions.len()).map(|r| week * scenario.day_of(action, r).peak()).collect::<Vec<f64>>()
        });
        let together = |action: &plimsoll_scenarios::Action| {
            let at = |step: u32| -> f64 {
                let utc = f64::from(step) * 86_400.0 / f64::from(STEPS);
                let day = |(r, region): (usize, &plimsoll_scenarios::Region)| {
                    region.share * scenario.day_of(action, r).at(utc + region.utc_offset_s)
                };
                regions.iter().enumerate().map(day).sum()
            };
            week * (0..STEPS).map(at).fold(0.0, f64::max)
        };
        let global = scenario.actions.values().map(together).collect();
        Self { numbers: flow.nodes.iter().map(number).collect(), factors: factors.collect(), global, rates }
    }

    /// This demand times a factor.
    #[must_use]
    pub fn times(&self, flow: &Flow<'_>, factor: f64) -> Self {
        let mut more = self.clone();
        for (number, node) in more.numbers.iter_mut().zip(&flow.nodes) {
            *number *= if node.caller.is_none() { factor } else { 1.0 };
        }
        more.rates.iter_mut().for_each(|rate| *rate *= factor);
        more
    }

    /// Calls a second of every call, mean.
    #[must_use]
    pub fn calls(&self, flow: &Flow<'_>, hits: &Hits) -> Vec<f64> {
        let mut calls: Vec<f64> = Vec::with_capacity(flow.nodes.len());
        for (number, node) in self.numbers.iter().zip(&flow.nodes) {
            let from = node.caller.map_or(1.0, |caller| calls[caller] * (1.0 - hits[caller]));
            calls.push(number * from);
        }
        calls
    }

    fn factor(&self, action: usize, place: usize, global: bool) -> f64 {
        if global { self.global[action] } else { self.factors[action][place] }
    }
}

/// The loads of all tiers. `scenario` gives sizes, copies and what is stored.
#[must_use]
pub fn loads(scenario: &Scenario, flow: &Flow<'_>, demand: &Demand, hits: &Hits) -> Vec<TierLoad> {
    let calls = demand.calls(flow, hits);
    (0..scenario.tiers.len()).map(|tier| tier_load(scenario, flow, demand, (&calls, hits), tier)).collect()
}

fn tier_load(
    scenario: &Scenario,
    flow: &Flow<'_>,
    demand: &Demand,
    (calls, hits): (&[f64], &Hits),
    tier: TierId,
) -> TierLoad {
    let here = &scenario.tiers[tier];
    if here.scope == Scope::User {
        return TierLoad::default();
    }
    let global = here.scope == Scope::Global;
    let io_size = here.store.as_ref().map_or(f64::INFINITY, |s| s.io_size.get());
    let mut load = TierLoad { stored: stored(scenario, flow, calls, tier), ..TierLoad::default() };
    for place in 0..model::places(scenario, tier) {
        let share = if global { 1.0 } else { scenario.population.regions[place].share };
        let instances = model::instances_at(scenario, tier, place) as f64;
        load.places.push(PlaceLoad { share, instances, ..PlaceLoad::default() });
    }
    for node in flow.at(tier) {
        let call = flow.nodes[node].call;
        let bits = call.response.get() * 8.0;
        load.calls_mean += calls[node];
        load.egress_mean += calls[node] * bits;
        // A cache's copies share its reads; somebody else's service has copies of its own.
        let counts = here.external.is_none() && (call.write || here.cache.is_none());
        let (copies, bytes) = if call.write {
            (here.replication.write_work(), call.request.get())
        } else {
            (here.replication.read_work(), call.response.get())
        };
        let operations = if here.cache.as_ref().is_some_and(|cache| cache.memory.is_some()) {
            // Disks that have the rest of a cache are used by hits there and by what is kept alone.
            model::disk_operations_of_one(scenario, call) * hits.disk_uses(node)
        } else {
            (bytes / io_size).ceil().max(1.0) * copies
        };
        for (place, at) in load.places.iter_mut().enumerate() {
            let peak = calls[node] * at.share * demand.factor(flow.nodes[node].action, place, global);
            at.calls += peak;
            at.work += peak * if counts { copies } else { 1.0 };
            at.egress += peak * bits;
            at.operations += peak * operations;
        }
    }
    for (id, action) in scenario.actions.values().enumerate() {
        let Some(connection) = action.connection.as_ref().filter(|c| c.tier == tier) else { continue };
        for (place, at) in load.places.iter_mut().enumerate() {
            let opened = demand.rates[id] * at.share * demand.factor(id, place, global);
            at.connections += opened * connection.lasts.get();
        }
    }
    load
}

/// Bytes that a tier keeps, with copies: its datasets, and what is in its queue.
fn stored(scenario: &Scenario, flow: &Flow<'_>, calls: &[f64], tier: TierId) -> f64 {
    let here = &scenario.tiers[tier];
    let datasets = scenario.datasets.values().filter(|d| d.stored_in == Some(tier));
    let kept: f64 = datasets.map(|d| d.count.get() * d.size.get()).sum();
    let waiting: f64 = here.queue.as_ref().map_or(0.0, |queue| {
        let bytes = |n: usize| calls[n] * flow.nodes[n].call.request.get();
        flow.at(tier).map(bytes).sum::<f64>() * queue.retention.get()
    });
    (kept + waiting) * here.replication.overhead()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::value_of;
    use crate::plan::hits::{HitModel, stated};
    use plimsoll_scenarios::prices::PriceList;

    #[test]
    fn the_loads_are_those_of_the_estimate() {
        let prices = PriceList::bundled();
        let mut with_levels = 0;
        for name in ["spotify", "url-shortener", "twitter", "uber", "cdn"] {
            let scenario = plimsoll_scenarios::load(name).unwrap();
            let flow = Flow::of(&scenario);
            let hits = HitModel::new(&scenario, &flow).at(&stated(&scenario), u64::from(scenario.sites()));
            let loads = loads(&scenario, &flow, &Demand::of(&scenario, &flow), &hits);
            for (tier, load) in loads.iter().enumerate() {
                let tier_name = scenario.tier_name(tier);
                let known = |what: &str| value_of(&scenario, &prices, &format!("{tier_name}.{what}"));
                if let Some(rate) = known("rate") {
                    assert!((load.calls_mean / rate - 1.0).abs() < 1e-9, "{name} {tier_name}");
                }
                if let Some(stored) = known("stored") {
                    assert!((load.stored / stored - 1.0).abs() < 1e-9, "{name} {tier_name}");
                }
                let work: f64 = load.places.iter().map(|p| p.work).sum();
                if let Some(peak) = known("work_peak").or(known("peak_rate")) {
                    // A day in a few steps finds its peak to a thousandth.
                    assert!((work / peak - 1.0).abs() < 3e-3, "{name} {tier_name}: {work} {peak}");
                }
                let levels = scenario.tiers[tier].cache.as_ref().is_some_and(|cache| cache.memory.is_some());
                if let Some(operations) = known("iops_peak").filter(|_| levels) {
                    let sum: f64 = load.places.iter().map(|p| p.operations).sum();
                    assert!((sum / operations - 1.0).abs() < 3e-3, "{name} {tier_name}: {sum} {operations}");
                    with_levels += 1;
                }
                if let Some(open) = known("connections_peak") {
                    let sum: f64 = load.places.iter().map(|p| p.connections).sum();
                    assert!((sum / open - 1.0).abs() < 3e-3, "{name} {tier_name}: {sum} {open}");
                }
            }
        }
        assert!(with_levels > 0);
    }
}
