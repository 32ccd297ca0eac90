//! What is counted beside servers: bodies on links.
//!
//! Why apart from the [tally](super::tally): most systems have none of it, and then it is nothing to count.

use std::collections::BTreeMap;

use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::frame::UNCOUNTED;
use super::times::{FINE, Times};
use crate::histogram::Latencies;
use crate::model;
use crate::outcome::{Beside, BesideSums};

/// The counts of a replication.
#[derive(Debug, Default)]
pub struct BesideTally {
    /// By tier and place, then slot; empty where the tier has nothing of it.
    sums: Vec<Vec<Vec<BesideSums>>>,
    bodies: BTreeMap<TierId, Times<FINE>>,
}

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
            let any = here.link.is_some() && here.scope != Scope::User;
            let places = if any { model::places(scenario, tier) } else { 0 };
            vec![vec![BesideSums::default(); slots]; places]
        };
        Self { sums: (0..scenario.tiers.len()).map(of).collect(), bodies: BTreeMap::new() }
    }

    /// The sums of a tier at a place in a slot; `None` outside of what counts.
    fn at(&mut self, tier: TierId, place: u16, slot: u16) -> Option<&mut BesideSums> {
        if slot == UNCOUNTED {
            return None;
        }
        self.sums.get_mut(tier)?.get_mut(usize::from(place))?.get_mut(usize::from(slot))
    }

    /// A body is through in a slot.
    pub fn sent(&mut self, (tier, place, slot): (TierId, u16, u16), sent: Sent) {
        let Some(sums) = self.at(tier, place, slot) else { return };
        sums.bodies += 1.0;
        sums.body_bits += sent.bits;
        sums.body_s += sent.time_s;
        self.bodies.entry(tier).or_default().record(sent.time_s);
    }

    /// As the engines hand it over.
    #[must_use]
    pub fn counted(self) -> Beside {
        let poured = |(tier, times): (TierId, Times<FINE>)| {
            let mut latencies = Latencies::default();
            times.pour_into(&mut latencies);
            (tier, latencies)
        };
        Beside { sums: self.sums, bodies: self.bodies.into_iter().map(poured).collect() }
    }
}
