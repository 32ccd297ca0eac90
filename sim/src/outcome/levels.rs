//! What caches in memory and on disk answered, and from where.
//!
//! Why by call, as hits are: the disks' operations are those of the calls that hit there, each of its own size.

use plimsoll_reports::record::LevelsRun;
use plimsoll_scenarios::{Scenario, TierId};

use super::means::Means;
use super::{Counted, Grid};
use crate::analytic::caches::Chain;
use crate::flow::Flow;
use crate::model;

/// By call, of one that is looked up in a cache in memory and on disk; empty for others.
#[derive(Debug, Clone, Default)]
pub struct Levels {
    /// Calls that memory answered.
    pub in_memory: Vec<Grid>,
    /// Calls that were missed, and whose object was kept: it is written to disk.
    pub kept: Vec<Grid>,
}

impl Levels {
    #[must_use]
    pub fn new(scenario: &Scenario, flow: &Flow<'_>, slots: usize) -> Self {
        let regions = scenario.population.regions.len();
        let grid = |node: &crate::flow::Node<'_>| {
            let any = model::has_levels(scenario, node.call);
            if any { vec![vec![0.0; slots]; regions] } else { Grid::new() }
        };
        let grids = || flow.nodes.iter().map(grid).collect();
        Self { in_memory: grids(), kept: grids() }
    }

    /// All of it times a factor.
    pub fn scale(&mut self, factor: f64) {
        let all = self.in_memory.iter_mut().chain(&mut self.kept).flatten().flatten();
        all.for_each(|calls| *calls *= factor);
    }

    /// Calls that use disks, of so many hits of a call in a region and slot: hits that memory does not answer, and what is
    /// kept.
    #[must_use]
    pub fn uses(&self, hits: f64, (node, region, slot): (usize, usize, usize)) -> f64 {
        let at =
            |grids: &[Grid]| grids.get(node).and_then(|grid| grid.get(region)).map_or(0.0, |row| row[slot]);
        (hits - at(&self.in_memory)).max(0.0) + at(&self.kept)
    }
}

/// A tier's cache in memory and on disk; `None` where it is in memory alone, or of users.
pub(super) fn levels_run(means: &Means<'_>, chain: &Chain, tier: TierId) -> Option<LevelsRun> {
    let scenario = means.scenario;
    let nodes: Vec<usize> =
        means.flow.at(tier).filter(|&n| model::has_levels(scenario, means.flow.nodes[n].call)).collect();
    let memory_bytes = scenario.tiers[tier].cache.as_ref()?.in_memory()?;
    let sum = |of: &[Grid]| nodes.iter().flat_map(|&n| of[n].iter().flatten()).sum::<f64>();
    if nodes.is_empty() || means.outcome.counted.iter().all(|c| sum(&c.calls) <= 0.0) {
        return None;
    }
    let ratio = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
    let (mut reads, mut writes, mut bytes) = (0.0_f64, 0.0_f64, 0.0_f64);
    for slot in 0..means.outcome.slots {
        let (mut read, mut written, mut moved) = (0.0, 0.0, 0.0);
        for &node in &nodes {
            let size = means.flow.nodes[node].call.response.get();
            for region in 0..means.regions() {
                let at = |grids: &[Grid]| grids[node][region][slot];
                let on_disk = (at(&means.hits) - at(&means.levels.in_memory)).max(0.0);
                let kept = at(&means.levels.kept);
                read += on_disk;
                written += kept;
                moved += (on_disk + kept) * size;
            }
        }
        let per_s = |sum: f64| sum / means.outcome.slot_s;
        (reads, writes, bytes) =
            (reads.max(per_s(read)), writes.max(per_s(written)), bytes.max(per_s(moved)));
    }
    Some(LevelsRun {
        memory_bytes,
        memory_hit_ratio: means.interval(|c: &Counted| ratio(sum(&c.beside.levels.in_memory), sum(&c.calls))),
        disk_hit_ratio: means.interval(|c: &Counted| {
            ratio(sum(&c.hits) - sum(&c.beside.levels.in_memory), sum(&c.calls)).max(0.0)
        }),
        formula_memory_hit_ratio: chain.memory_hit_ratio[tier],
        reads_peak_per_s: reads,
        writes_peak_per_s: writes,
        throughput_peak_bit_per_s: 8.0 * bytes,
    })
}
