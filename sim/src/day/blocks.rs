//! Datasets cut into blocks of ranks, each played by one representative.
//!
//! In a large cache an object's fate depends on its own requests and on the cache's characteristic time, not on
//! any other object by name. So one object plays for all of its block, with the block's mean popularity and the
//! block's bytes. Where even blocks as coarse as they may be would be asked for too often, requests are thinned:
//! independent references that are thinned are independent references with the same mix. What replaces objects
//! is slowed down as much.

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::{IndexSampler, Law};
use plimsoll_scenarios::{DatasetId, Scenario};

use super::setup::played;
use super::streams::Source;
use crate::flow::Flow;

/// Requests to simulate per dataset, replication and day, and per cache that they meet.
const REQUESTS_TARGET: f64 = 2.5e6;
const REQUESTS_PER_CACHE: f64 = 50_000.0;
/// Requests of a dataset beyond which they are thinned.
const REQUESTS_MAX: f64 = 6.0e6;
/// Fewest blocks that a dataset is cut into, where it has as many objects.
const BLOCKS_MIN: f64 = 20_000.0;
/// Blocks that a cache's memory holds at least, where the rest of it is on disk.
const BLOCKS_IN_MEMORY_MIN: f64 = 64.0;
/// Most blocks.
const BLOCKS_MAX: f64 = 4e6;
/// Share of a cache's room below which a dataset does not disturb others.
const SMALL: f64 = 0.01;
/// Ids kept apart for one that is in use, at most: an id comes back when caches have long forgotten it.
const SPARE_MAX: f64 = 8.0;
/// Days for which ids of new objects are kept apart, warm-up included.
const DAYS: f64 = 2.0;

/// A dataset cut into blocks.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    /// Objects of a block.
    pub block: u64,
    /// One of so many requests is played.
    pub thinned: f64,
    /// First id of the dataset's representatives; ids of all datasets are dense.
    pub first_id: u32,
    /// Ids for objects that take the place of others.
    pub spare: u32,
    /// By block: share of the requests.
    pub masses: Vec<f64>,
    pub law: Law,
}

impl Blocks {
    /// Ids of the dataset.
    pub fn ids(&self) -> u32 {
        self.masses.len() as u32 + self.spare
    }

    /// Requests that one played request stands for.
    pub fn weight(&self) -> f64 {
        self.block as f64 * self.thinned
    }

    /// What the device leaves: the share it answers itself, and a sampler over blocks for the rest. Within the
    /// first blocks popularity falls steeply, so the device's hits are summed rank by rank there.
    pub fn beyond_device(&self, source: &Source) -> (f64, IndexSampler) {
        const RANK_BY_RANK: u64 = 1 << 17;
        let Some(device) = source.device else { return (0.0, IndexSampler::new(&self.masses)) };
        let left: Vec<f64> = self
            .masses
            .iter()
            .enumerate()
            .map(|(i, &mass)| {
                let from = i as u64 * self.block;
                let to = (from + self.block).min(self.law.count());
                let missed = if from < RANK_BY_RANK {
                    (from..to).map(|k| self.law.p(k)).map(|p| p * (1.0 - device.hit(p))).sum()
                } else {
                    mass * (1.0 - device.hit(mass / (to - from) as f64))
                };
                missed * (1.0 - device.repeat)
            })
            .collect();
        (1.0 - left.iter().sum::<f64>(), IndexSampler::new(&left))
    }
}

/// Cuts every dataset that caches are asked for.
pub(super) fn cut(scenario: &Scenario, flow: &Flow<'_>, sources: &[Source]) -> Vec<Option<Blocks>> {
    let mut first_id = 0;
    let mut blocks = Vec::new();
    for (id, data) in scenario.datasets.values().enumerate() {
        // Datasets that share a cache are thinned alike, unless they take next to no room in it.
        let together = sharing(scenario, flow, id, SMALL);
        let thinned = together.iter().map(|&d| surplus(scenario, flow, sources, d)).fold(1.0, f64::max);
        let requests = daily(sources, id) / thinned;
        if requests <= 0.0 {
            blocks.push(None);
            continue;
        }
        let count = data.count.get().max(1.0);
        let sites = sources.iter().any(|s| s.dataset == id && s.per_site);
        let caches = if sites { scenario.sites() as usize } else { scenario.population.regions.len() };
        let target = (caches as f64 * REQUESTS_PER_CACHE).clamp(REQUESTS_TARGET, REQUESTS_MAX);
        let coarse = (requests / target).min(count / blocks_min(scenario, flow, id));
        let block = coarse.max(count / BLOCKS_MAX).ceil().max(1.0) as u64;
        let law = data.popularity.over(count as u64);
        let masses: Vec<f64> =
            (0..law.count().div_ceil(block)).map(|i| law.mass(i * block, (i + 1) * block)).collect();
        let n = masses.len() as f64;
        let replaced = data.churn_per_day.get() / thinned * DAYS * n * 1.1;
        let spare = replaced.min(SPARE_MAX * n).min(BLOCKS_MAX).ceil() as u32;
        let cut = Blocks { block, thinned, first_id, spare, masses, law };
        first_id += cut.ids();
        blocks.push(Some(cut));
    }
    blocks
}

/// Requests of a day for a dataset that caches are asked for.
fn daily(sources: &[Source], dataset: DatasetId) -> f64 {
    sources.iter().filter(|s| s.dataset == dataset).map(|s| s.rate).sum::<f64>() * DAY_S
}

/// Fewest blocks of a dataset: so many that none is a large part of what a cache has in memory.
fn blocks_min(scenario: &Scenario, flow: &Flow<'_>, dataset: DatasetId) -> f64 {
    let data = &scenario.datasets[dataset];
    let lookups = flow
        .nodes
        .iter()
        .enumerate()
        .filter(|(i, n)| n.call.of == Some(dataset) && played(scenario, flow, *i));
    let memory = lookups.filter_map(|(_, n)| scenario.tiers[n.call.tier].cache.as_ref()?.in_memory());
    let bytes = data.count.get() * data.size.get();
    let fine = memory.map(|memory| BLOCKS_IN_MEMORY_MIN * bytes / memory.max(1.0));
    fine.fold(BLOCKS_MIN, f64::max).min(BLOCKS_MAX)
}

/// By what factor a dataset's requests are too many, if its blocks are as coarse as they may be.
fn surplus(scenario: &Scenario, flow: &Flow<'_>, sources: &[Source], dataset: DatasetId) -> f64 {
    let coarsest = (scenario.datasets[dataset].count.get() / blocks_min(scenario, flow, dataset)).max(1.0);
    daily(sources, dataset) / coarsest / REQUESTS_MAX
}

/// The datasets whose objects meet those of this one in some cache, or meet others that do. Those whose objects all
/// together take less than the share `small` of a cache's room are not met there.
pub(super) fn sharing(
    scenario: &Scenario,
    flow: &Flow<'_>,
    dataset: DatasetId,
    small: f64,
) -> Vec<DatasetId> {
    let weighs = |of: DatasetId, tier: usize| {
        let data = &scenario.datasets[of];
        let room = scenario.tiers[tier].cache.as_ref().map_or(0.0, |c| c.capacity.get());
        data.count.get() * data.size.get() >= small * room
    };
    let mut found = vec![dataset];
    let mut at = 0;
    while let Some(&here) = found.get(at) {
        at += 1;
        let lookups = |of: DatasetId| {
            let nodes = flow.nodes.iter().enumerate();
            nodes.filter(move |(i, n)| {
                n.call.of == Some(of) && played(scenario, flow, *i) && weighs(of, n.call.tier)
            })
        };
        let tiers: Vec<usize> = lookups(here).map(|(_, n)| n.call.tier).collect();
        for other in 0..scenario.datasets.len() {
            if !found.contains(&other) && lookups(other).any(|(_, n)| tiers.contains(&n.call.tier)) {
                found.push(other);
            }
        }
    }
    found
}
