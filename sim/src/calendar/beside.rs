//! What is counted beside servers: bodies on links, operations of disks, connections that stay.
//!
//! Why apart from the [tally](super::tally): most systems have none of it, and then it is nothing to count.

use std::collections::BTreeMap;

use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::frame::UNCOUNTED;
use super::times::{FINE, Times};
use crate::flow::Flow;
use crate::histogram::Latencies;
use crate::model;
use crate::outcome::{Beside, BesideSums, Grid, KindSums, Levels};

/// The counts of a replication.
#[derive(Debug, Default)]
pub struct BesideTally {
    /// By tier and place, then slot; empty where the tier has nothing of it.
    sums: Vec<Vec<Vec<BesideSums>>>,
    bodies: BTreeMap<TierId, Times<FINE>>,
    disk_waits: BTreeMap<TierId, Times<FINE>>,
    /// By tier and kind of its servers, then slot.
    kinds: Vec<Vec<Vec<KindSums>>>,
    levels: Levels,
}

/// A tier, one of its places, and a slot.
type Where = (TierId, u16, u16);

/// A body whose last byte has left its tier.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub bits: f64,
    pub time_s: f64,
}

impl BesideTally {
    #[must_use]
    pub fn new(scenario: &Scenario, slots: usize) -> Self {
        let of = |tier: TierId| {
            let here = &scenario.tiers[tier];
            let disks = here.store.as_ref().is_some_and(|s| s.iops.is_some());
            let any = here.link.is_some()
                || disks
                || here.connections_max.is_some()
                || here.replication.lag.is_some();
            let any = any && here.scope != Scope::User;
            let places = if any { model::places(scenario, tier) } else { 0 };
            vec![vec![BesideSums::default(); slots]; places]
        };
        let kinds = scenario.tiers.values().map(|tier| {
            let kinds = tier.station.as_ref().map_or(0, |station| station.kinds.len());
            vec![vec![KindSums::default(); slots]; kinds]
        });
        let kinds = kinds.collect();
        let levels = Levels::new(scenario, &Flow::of(scenario), slots);
        Self { sums: (0..scenario.tiers.len()).map(of).collect(), kinds, levels, ..Self::default() }
    }

    /// The sums of a tier at a place in a slot; `None` outside of what counts.
    fn at(&mut self, (tier, place, slot): Where) -> Option<&mut BesideSums> {
        if slot == UNCOUNTED {
            return None;
        }
        self.sums.get_mut(tier)?.get_mut(usize::from(place))?.get_mut(usize::from(slot))
    }

    /// A body is through in a slot.
    pub fn sent(&mut self, at: Where, sent: Sent) {
        let Some(sums) = self.at(at) else { return };
        sums.bodies += 1.0;
        sums.body_bits += sent.bits;
        sums.body_s += sent.time_s;
        self.bodies.entry(at.0).or_default().record(sent.time_s);
    }

    /// A service's operations wait so long for the disks of its server.
    pub fn used_disks(&mut self, at: Where, wait_s: f64) {
        let Some(sums) = self.at(at) else { return };
        sums.disk_calls += 1.0;
        sums.disk_wait_s += wait_s;
        self.disk_waits.entry(at.0).or_default().record(wait_s);
    }

    /// A server of a kind begins a service, in a slot.
    pub fn served(&mut self, (tier, kind, slot): Where, work_s: f64) {
        if slot != UNCOUNTED
            && let Some(sums) = self.kinds[tier][usize::from(kind)].get_mut(usize::from(slot))
        {
            sums.services += 1.0;
            sums.work_s += work_s;
        }
    }

    /// Too many operations wait already.
    pub fn turned_away_by_disks(&mut self, at: Where) {
        if let Some(sums) = self.at(at) {
            sums.disk_refused += 1.0;
        }
    }

    /// A read comes to copies that lag.
    pub fn read(&mut self, at: Where, stale: bool) {
        if let Some(sums) = self.at(at) {
            sums.reads += 1.0;
            sums.stale += f64::from(u8::from(stale));
        }
    }

    /// Memory answers a call, of a region and slot, at a cache that is in memory and on disk.
    pub fn answered_from_memory(&mut self, (call, region, slot): (u32, u16, u16)) {
        add(&mut self.levels.in_memory, (call, region, slot));
    }

    /// What a call fetched is kept there.
    pub fn kept(&mut self, (call, region, slot): (u32, u16, u16)) {
        add(&mut self.levels.kept, (call, region, slot));
    }

    /// Somebody wants to open a connection where this share of all that there may be is open.
    pub fn opened(&mut self, at: Where, used: f64, opened: bool) {
        if let Some(sums) = self.at(at) {
            sums.opens += 1.0;
            sums.opens_used += used;
            sums.opens_refused += f64::from(u8::from(!opened));
        }
    }

    /// As the engines hand it over.
    #[must_use]
    pub fn counted(self) -> Beside {
        let poured = |(tier, times): (TierId, Times<FINE>)| {
            let mut latencies = Latencies::default();
            times.pour_into(&mut latencies);
            (tier, latencies)
        };
        Beside {
            sums: self.sums,
            kinds: self.kinds,
            levels: self.levels,
            bodies: self.bodies.into_iter().map(poured).collect(),
            disk_waits: self.disk_waits.into_iter().map(poured).collect(),
        }
    }
}

/// One more call of a region, where its slot counts.
fn add(grids: &mut [Grid], (call, region, slot): (u32, u16, u16)) {
    if slot != UNCOUNTED
        && let Some(row) = grids.get_mut(call as usize).and_then(|grid| grid.get_mut(usize::from(region)))
    {
        row[usize::from(slot)] += 1.0;
    }
}
