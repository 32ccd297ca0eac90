//! What a run says of links beside how full they are.

use std::collections::BTreeMap;

use plimsoll_reports::record::TransferRun;
use plimsoll_scenarios::{Scope, TierId};

use super::Counted;
use super::means::Means;
use crate::analytic::queues::SharedLink;
use crate::histogram::Latencies;
use crate::model;

/// What the calendar counts beside servers.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// By tier and place, then slot; without places where the tier has nothing of it, empty where nobody counts.
    pub sums: Vec<Vec<Vec<BesideSums>>>,
    /// By tier: how long bodies took.
    pub bodies: BTreeMap<TierId, Latencies>,
}

/// One tier at one place in one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BesideSums {
    /// Bodies that were through, their bits, and how long they took together, seconds.
    pub bodies: f64,
    pub body_bits: f64,
    pub body_s: f64,
}

impl Beside {
    /// The sums of a tier at a place in a slot.
    #[must_use]
    pub fn at(&self, tier: TierId, place: usize, slot: usize) -> BesideSums {
        let here = self.sums.get(tier).and_then(|places| places.get(place));
        here.and_then(|slots| slots.get(slot)).copied().unwrap_or_default()
    }
}

/// Transfers over a tier's links, whose fullest hour is at this place and slot; `None` where nobody counted them.
pub(super) fn transfers(means: &Means<'_>, tier: TierId, (place, slot): (usize, usize)) -> Option<TransferRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let mut time = Latencies::default();
    for counted in &outcome.counted {
        if let Some(bodies) = counted.beside.bodies.get(&tier) {
            time.merge(bodies);
        }
    }
    if time.count() == 0 {
        return None;
    }
    let mean = |counted: &Counted| {
        let sums = counted.beside.at(tier, place, slot);
        if sums.bodies > 0.0 { sums.body_s / sums.bodies } else { 0.0 }
    };
    let (mut bodies, mut bits) = (0.0, 0.0);
    for counted in &outcome.counted {
        let sums = counted.beside.at(tier, place, slot);
        (bodies, bits) = (bodies + sums.bodies, bits + sums.body_bits);
    }
    let pool = model::pool(scenario, tier, place).map_or(1, |p| p.servers);
    let links = (pool * model::instances_at(scenario, tier, place)) as f64;
    let of_users = |node: usize| {
        let caller = means.flow.nodes[node].caller;
        caller.is_none_or(|c| scenario.tiers[means.flow.nodes[c].call.tier].scope == Scope::User)
    };
    let with_body = || means.flow.at(tier).filter(|&n| means.flow.nodes[n].call.response.get() > 0.0);
    let downlink = scenario.population.downlink.as_ref().map(plimsoll_scenarios::units::Quantity::get);
    let bound = match downlink {
        Some(bound) if with_body().all(of_users) => Some(bound),
        Some(_) if with_body().any(of_users) => None,
        _ => Some(f64::INFINITY),
    };
    let load = means.bytes_out(tier, place, slot) * 8.0 / outcome.slot_s / links;
    let formula = bound.map(|per_flow| {
        let capacity = scenario.tiers[tier].link.as_ref().map_or(f64::INFINITY, plimsoll_scenarios::units::Quantity::get);
        SharedLink { capacity, per_flow, load }.time_of(bits / f64::max(bodies, 1.0))
    });
    Some(TransferRun {
        time: time.summary(),
        mean_peak_s: means.interval(mean),
        formula_peak_s: formula.filter(|seconds| seconds.is_finite()),
    })
}
