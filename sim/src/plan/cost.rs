//! What a plan costs: servers, room for caches, bytes kept and sent, requests.
//!
//! Why a bill and shadow prices apart: who buys a cache by the byte pays nothing for its servers, and a search that did
//! not count them would make it as large as can be.

use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::evaluate::{Evaluator, Sizing};
use super::kinds::Billing;
use super::load::TierLoad;
use super::size;
use crate::model;

/// Next to nothing for a byte of a cache, US dollars a month: of two equal plans the smaller one is taken.
const PER_BYTE: f64 = 1e-15;
/// Seconds of a month.
const MONTH_S: f64 = plimsoll_scenarios::prices::HOURS_PER_MONTH * 3600.0;

impl Evaluator<'_> {
    /// What it costs.
    pub(super) fn price(&self, scenario: &Scenario, sizing: &mut Sizing) {
        let costs: Vec<(f64, f64)> =
            (0..scenario.tiers.len()).map(|tier| self.price_of(scenario, sizing, tier)).collect();
        let bytes: f64 = sizing
            .choice
            .caches
            .iter()
            .enumerate()
            .filter(|(tier, _)| scenario.tiers[*tier].scope != Scope::User)
            .filter_map(|(tier, size)| Some(size.as_ref()?.capacity * size::instances(scenario, tier)))
            .sum();
        sizing.objective = costs.iter().map(|(bill, shadow)| bill + shadow).sum::<f64>() + bytes * PER_BYTE;
        sizing.costs = costs;
    }

    fn price_of(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId) -> (f64, f64) {
        let load = &sizing.loads[tier];
        let (mut bill, mut shadow) = (self.fixed(scenario, load, tier) + self.sites(scenario, tier), 0.0);
        if let (Some(sized), Some(fleet)) = (&sizing.tiers[tier], &self.problem.fleets[tier]) {
            let bytes = sizing.choice.caches[tier].map_or(0.0, |size| size.capacity);
            let caches = if fleet.per_byte > 0.0 {
                bytes * model::cache_instances(scenario, tier) as f64 * fleet.per_byte
            } else {
                0.0
            };
            let cost = sized.deployed(load) as f64 * fleet.kinds[sized.kind].monthly + caches;
            if fleet.billing == Billing::Shadow { shadow += cost } else { bill += cost }
        }
        (bill, shadow)
    }

    /// What the sites of a tier cost by themselves.
    fn sites(&self, scenario: &Scenario, tier: TierId) -> f64 {
        let price = scenario.tiers[tier].price.site.as_ref();
        let each = price.and_then(|name| self.problem.prices.service(name));
        each.map_or(0.0, |service| service.monthly() * f64::from(scenario.sites()))
    }

    /// What a tier costs beside its servers: bytes kept, bytes out, requests.
    #[must_use]
    pub fn fixed(&self, scenario: &Scenario, load: &TierLoad, tier: TierId) -> f64 {
        let (prices, here) = (self.problem.prices, &scenario.tiers[tier]);
        let price = &here.price;
        let mut sum = 0.0;
        if let Some(storage) = price.storage.as_ref().and_then(|n| prices.storage(n)) {
            // A price that holds copies already is not paid for each of them.
            let included = f64::from(storage.copies).min(here.replication.overhead()).max(1.0);
            sum += storage.monthly(load.stored / included);
        }
        if let Some(traffic) = price.traffic.as_ref().and_then(|n| prices.traffic(n)) {
            sum += traffic.monthly(load.egress_mean * MONTH_S / 8.0);
        }
        if let Some(requests) = price.requests.as_ref().and_then(|n| prices.requests(n)) {
            sum += requests.monthly(load.calls_mean * MONTH_S);
        }
        sum
    }
}
