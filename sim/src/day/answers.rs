//! What caches answered on the day, by call, however they were played.

use super::SLOTS;
use super::setup::Setup;
use crate::outcome::{Grid, Levels};

/// Lookups and hits, by call, region and slot.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    lookups: Vec<Grid>,
    hits: Vec<Grid>,
    levels: Levels,
    /// By call on a device: share that it answers.
    device: Vec<Option<f64>>,
    pub simulated_requests: u64,
}

impl Answers {
    /// Nothing yet.
    pub fn empty(setup: &Setup<'_>) -> Self {
        let (regions, nodes) = (setup.scenario.population.regions.len(), setup.flow.nodes.len());
        let grids = || vec![vec![vec![0.0; SLOTS]; regions]; nodes];
        Self {
            lookups: grids(),
            hits: grids(),
            levels: Levels::new(setup.scenario, &setup.flow, SLOTS),
            device: vec![None; nodes],
            simulated_requests: 0,
        }
    }

    /// Adds lookups and hits of a call.
    #[inline]
    pub fn add(&mut self, node: usize, region: usize, slot: usize, lookups: f64, hits: f64) {
        self.lookups[node][region][slot] += lookups;
        self.hits[node][region][slot] += hits;
    }

    /// Adds what a call of a cache in memory and on disk did: hits of memory, and misses that were kept.
    #[inline]
    pub fn add_levels(&mut self, (node, region, slot): (usize, usize, usize), in_memory: f64, kept: f64) {
        self.levels.in_memory[node][region][slot] += in_memory;
        self.levels.kept[node][region][slot] += kept;
    }

    /// A call on devices, with the share that they answer.
    pub fn set_device(&mut self, node: usize, share: f64) {
        self.device[node] = Some(share);
    }

    /// Share of a call's lookups that its tier's cache answers; the region's over the whole day, or the
    /// formula's `otherwise`, where the slot has none.
    pub fn share(&self, node: usize, region: usize, slot: usize, otherwise: f64) -> f64 {
        if let Some(share) = self.device[node] {
            return share;
        }
        self.part(&self.hits, (node, region, slot), otherwise)
    }

    /// The same of memory's answers, and of misses that were kept, where the tier's cache is in memory and on disk.
    pub fn level_shares(&self, at: (usize, usize, usize), otherwise: (f64, f64)) -> (f64, f64) {
        (self.part(&self.levels.in_memory, at, otherwise.0), self.part(&self.levels.kept, at, otherwise.1))
    }

    /// What some calls are of a call's lookups.
    fn part(&self, of: &[Grid], (node, region, slot): (usize, usize, usize), otherwise: f64) -> f64 {
        let (lookups, some) = (&self.lookups[node][region], &of[node][region]);
        if lookups[slot] > 0.0 {
            return some[slot] / lookups[slot];
        }
        let all: f64 = lookups.iter().sum();
        if all > 0.0 { some.iter().sum::<f64>() / all } else { otherwise }
    }
}
