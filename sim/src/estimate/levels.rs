//! Caches in memory and on disk: what is answered from where, and what that asks of the disks.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::{Scope, TierId};

use super::book::Book;
use crate::analytic::caches::Approximation;
use crate::analytic::queues::{Service, mg1_wait};
use crate::model;
use crate::sheet::CellId;

const GROUP: &str = "caches";
/// How the part of memory comes about.
const MEMORY: &str =
    "requests whose object was asked for so lately that it is still in memory (Che's time of memory); out";

/// Of the lookups of a call at a cache in memory and on disk, the share that memory answers, and the share that is missed
/// and kept.
#[derive(Clone, Copy)]
pub struct LevelCells {
    pub in_memory: CellId,
    pub kept: CellId,
}

impl Book<'_> {
    /// Share of a tier's lookups that memory answers, and that disks do.
    pub(super) fn level_ratios(&mut self, tier: TierId, name: &str, hit: CellId) {
        let scenario = self.scenario;
        let Some(cache) = &scenario.tiers[tier].cache else { return };
        let Some(memory) = &cache.memory else { return };
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let (mut parts, mut calls, mut only) = (Vec::new(), Vec::new(), None);
        for node in nodes {
            let Some(cells) = self.levels[node] else { continue };
            parts.push(self.sheet.product(vec![self.calls[node], cells.in_memory]));
            calls.push(self.calls[node]);
            only = Some(cells.in_memory);
        }
        let Some(mut share) = only else { return };
        if calls.len() > 1 {
            let (parts, all) = (self.sheet.sum(parts), self.sheet.sum(calls));
            share = self.sheet.quotient(parts, all);
        }
        let own = Approximation::known(cache.policy) || scenario.tiers[tier].scope == Scope::User;
        let as_lru = if own { "" } else { " if it were LRU" };
        let bytes = self.sheet.input(format!("{name} memory"), memory, (1.0, Unit::Bytes));
        let share = self.sheet.function(MEMORY, vec![share, bytes], |x| x[0]);
        let label = format!("{name}, hits from memory{as_lru}");
        let share = self.line(format!("{name}.memory_hit_ratio"), GROUP, label, share, Unit::Share);
        let rest =
            self.sheet.function("hits less those from memory", vec![hit, share], |x| (x[0] - x[1]).max(0.0));
        let label = format!("{name}, hits from disk{as_lru}");
        self.line(format!("{name}.disk_hit_ratio"), GROUP, label, rest, Unit::Share);
    }

    /// Of a call's lookups those that read from disk; `None` where its cache has none.
    fn on_disk(&mut self, node: usize) -> Option<CellId> {
        let (hit, levels) = (self.hits[node]?, self.levels[node]?);
        let words = "hits less those from memory";
        Some(self.sheet.function(words, vec![hit, levels.in_memory], |x| (x[0] - x[1]).max(0.0)))
    }

    /// The same that use disks: to read, or to write what was fetched.
    pub(super) fn disk_uses(&mut self, node: usize) -> Option<CellId> {
        let (read, levels) = (self.on_disk(node)?, self.levels[node]?);
        Some(self.sheet.sum(vec![read, levels.kept]))
    }

    /// Reads, writes and bytes of a cache's disks at the peak.
    pub(super) fn disk_traffic(&mut self, tier: TierId, name: &str) {
        let global = self.scenario.tiers[tier].scope == Scope::Global;
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let (mut reads, mut writes, mut bits) = (Vec::new(), Vec::new(), Vec::new());
        for node in nodes {
            let call = self.flow.nodes[node].call;
            let Some(levels) = self.levels[node].filter(|_| model::has_levels(self.scenario, call)) else {
                continue;
            };
            let Some(read) = self.on_disk(node) else { continue };
            let rates = self.rates[self.flow.nodes[node].action];
            let factor = if global { rates.factor_global } else { rates.factor };
            let peak = self.sheet.product(vec![self.calls[node], factor]);
            reads.push(self.sheet.product(vec![peak, read]));
            writes.push(self.sheet.product(vec![peak, levels.kept]));
            let size = self.sheet.input("response", &call.response, (1.0, Unit::Bytes));
            let both = self.sheet.sum(vec![read, levels.kept]);
            bits.push(self.sheet.product(vec![peak, both, size, self.common.bits]));
        }
        if reads.is_empty() {
            return;
        }
        for (parts, quantity, what, unit) in [
            (reads, "disk_reads_peak", "hits read from disk at the peak", Unit::PerSecond),
            (writes, "disk_writes_peak", "objects written to disk at the peak", Unit::PerSecond),
            (bits, "disk_throughput_peak", "read from and written to disk at the peak", Unit::BitsPerSecond),
        ] {
            let cell = self.total(parts);
            self.detail(format!("{name}.{quantity}"), "servers", format!("{name}, {what}"), cell, unit);
        }
    }

    /// Mean time that a call waits for its cache's disks at the peak: over all its lookups, of which some are read from
    /// disk. `None` where disks are no limit.
    pub(super) fn read_time(&mut self, node: usize) -> Option<CellId> {
        let scenario = self.scenario;
        let call = self.flow.nodes[node].call;
        let tier = call.tier;
        let here = &scenario.tiers[tier];
        if !model::has_levels(scenario, call) {
            return None;
        }
        model::disk_time(scenario, call)?;
        let (iops, servers) = (here.store.as_ref()?.iops.as_ref()?, &here.station.as_ref()?.servers);
        let read = self.on_disk(node)?;
        let (first, second) = self.disk_moments(tier)?;
        let uses = self.disk_calls_peak(tier)?;
        let servers = self.sheet.input("servers", servers, (1.0, Unit::Count));
        let most = self.sheet.input("operations of one", iops, (1.0, Unit::PerSecond));
        let own = model::disk_operations_of_one(scenario, call);
        let time = self.sheet.function(
            "mean wait for disks (M/G/1) and the operations of a hit on disk",
            vec![uses, servers, most],
            move |x| {
                let service = Service { mean: first / x[2], second: second / x[2].powi(2), third: 0.0 };
                mg1_wait(x[0] / x[1], &service) + own / x[2]
            },
        );
        Some(self.sheet.product(vec![read, time]))
    }

    /// Calls at the peak that use the disks of a tier's cache, 1/s.
    fn disk_calls_peak(&mut self, tier: TierId) -> Option<CellId> {
        let global = self.scenario.tiers[tier].scope == Scope::Global;
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let mut parts = Vec::new();
        for node in nodes {
            let Some(uses) = self.disk_uses(node) else { continue };
            let rates = self.rates[self.flow.nodes[node].action];
            let factor = if global { rates.factor_global } else { rates.factor };
            parts.push(self.sheet.product(vec![self.calls[node], factor, uses]));
        }
        (!parts.is_empty()).then(|| self.total(parts))
    }
}
