//! What is decided before a day is played: which requests ask caches for objects, how datasets are cut into
//! blocks for them, and what of the rest is a mean field.

use plimsoll_scenarios::{DatasetId, Scenario, Scope, TierId};

use super::blocks::{Blocks, cut};
use super::mean_field;
use super::steps::Steps;
use super::streams::{self, Source};
use crate::analytic::caches::{Chain, chain_of};
use crate::flow::Flow;
use crate::model;

/// What a reader is told of a day without its events.
pub const WITHOUT_EVENTS: &str = "this is a day without the scenario's events";

/// Objects to put into all caches of a tier before the day, at most.
const FILL_MAX: usize = 200_000_000;

pub(super) struct Setup<'a> {
    pub scenario: &'a Scenario,
    pub flow: Flow<'a>,
    /// What the formulas say of the same calls.
    pub chain: Chain,
    pub steps: Steps,
    /// Tiers, callers before the called.
    pub order: Vec<TierId>,
    /// Requests for objects that caches are asked for.
    pub sources: Vec<Source>,
    /// Writes that make objects stale in caches.
    pub writes: Vec<Source>,
    /// By dataset; `None` where no cache is asked for it.
    pub blocks: Vec<Option<Blocks>>,
    pub ids: u32,
    /// By call: the lookups that a miss (or a call without a cache) leads to for the same object, and how many
    /// of each in the mean.
    pub next: Vec<Vec<(usize, f64)>>,
    /// By tier: hit probabilities in a cache that every server has of its own.
    pub mean_field: Vec<Option<mean_field::Table>>,
    /// By call of a cache in memory and on disk: seconds that its operations take the disks, where these are limited.
    pub read_s: Vec<Option<f64>>,
    /// By tier: what its caches hold when the day begins.
    pub steady: Vec<mean_field::Steady>,
}

impl<'a> Setup<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let flow = Flow::of(scenario);
        let chain = chain_of(scenario, &flow);
        let next = streams::lookups_behind(scenario, &flow, &chain);
        let sources = streams::sources(scenario, &flow, &chain, &next);
        let writes = streams::writes(scenario, &flow, &chain);
        let blocks = cut(scenario, &flow, &sources);
        let ids = blocks.iter().flatten().map(|b| b.first_id + b.ids()).max().unwrap_or(0);
        let mut setup = Self {
            scenario,
            steps: Steps::of(scenario, &flow),
            order: scenario.tier_order(),
            sources,
            writes,
            blocks,
            ids,
            next,
            mean_field: Vec::new(),
            read_s: Vec::new(),
            steady: Vec::new(),
            flow,
            chain,
        };
        setup.mean_field = (0..scenario.tiers.len()).map(|t| mean_field::table(&setup, t)).collect();
        let calls = setup.flow.nodes.iter().map(|node| node.call);
        let read_s =
            calls.map(|call| model::disk_time(scenario, call).filter(|_| model::has_levels(scenario, call)));
        setup.read_s = read_s.collect();
        setup.steady = (0..scenario.tiers.len())
            .map(|t| {
                let instances = setup.instances(t);
                // Where there is too much to put in, the warm-up has to do.
                let objects: usize =
                    setup.looked_up(t).filter_map(|d| setup.blocks[d].as_ref()).map(|b| b.masses.len()).sum();
                let fits = objects.saturating_mul(instances) <= FILL_MAX;
                let shared = scenario.tiers[t].cache.as_ref().is_some_and(|c| !c.per_server);
                if fits && shared && instances > 0 {
                    mean_field::steady(&setup, t)
                } else {
                    mean_field::Steady::default()
                }
            })
            .collect();
        setup
    }

    /// Caches (or places of per-server caches) of a tier that are played.
    pub fn instances(&self, tier: TierId) -> usize {
        if !self.flow.at(tier).any(|n| self.played(n)) {
            return 0;
        }
        match self.scenario.tiers[tier].scope {
            Scope::User => 0,
            Scope::Site => self.scenario.sites() as usize,
            Scope::Region => self.scenario.population.regions.len(),
            Scope::Global => 1,
        }
    }

    /// Datasets that a tier's caches are asked for.
    pub fn looked_up(&self, tier: TierId) -> impl Iterator<Item = DatasetId> + '_ {
        let asks = move |d: &DatasetId| {
            self.flow.at(tier).any(|n| self.played(n) && self.flow.nodes[n].call.of == Some(*d))
        };
        (0..self.scenario.datasets.len()).filter(asks)
    }

    /// Whether a call is looked up in a cache that is played (those on devices are a mean field of users).
    pub fn played(&self, node: usize) -> bool {
        played(self.scenario, &self.flow, node)
    }

    /// What is to be said of requests that are not all played.
    pub fn thinning_notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, blocks) in self.scenario.datasets.keys().zip(&self.blocks) {
            if let Some(b) = blocks.as_ref().filter(|b| b.thinned > 1.0) {
                notes.push(format!(
                    "of the requests for {name} every {:.0}th is played: its caches see them in the same mix, and turn over so much slower",
                    b.thinned
                ));
            }
        }
        notes
    }

    pub fn notes(&self) -> Vec<String> {
        let scenario = self.scenario;
        let mut notes = vec![
            "latencies are those of requests that leave the device; bodies stream through, so inner hops add round trips and waits, not transfer times".to_owned(),
        ];
        if scenario.population.weekly.peak() > 1.0 {
            notes.push(format!(
                "the day is the busiest of the week, {:.2} times the mean day",
                scenario.population.weekly.peak()
            ));
        }
        let name = |id: TierId| scenario.tier_name(id);
        for (id, tier) in scenario.tiers.values().enumerate() {
            if self.mean_field[id].is_some() {
                notes.push(format!(
                    "the per-server caches of {} are played by their mean-field hit probabilities, as independent requests",
                    name(id)
                ));
            }
            if tier.scope == Scope::User && tier.cache.is_some() {
                notes.push(format!(
                    "{} is one cache per user, played by its mean-field hit probabilities in a steady state",
                    name(id)
                ));
            }
            if tier.station.as_ref().is_some_and(|s| s.single_writer) {
                notes.push(format!(
                    "{} works on one request for an object at a time; the day has its servers' queues, not those of single objects",
                    name(id)
                ));
            }
        }
        if !scenario.events.is_empty() {
            notes.push(WITHOUT_EVENTS.to_owned());
        }
        notes
    }
}

/// Whether a call is looked up in a cache that is not on a device.
pub(super) fn played(scenario: &Scenario, flow: &Flow<'_>, node: usize) -> bool {
    let here = &flow.nodes[node];
    here.lookup && scenario.tiers[here.call.tier].scope != Scope::User
}
