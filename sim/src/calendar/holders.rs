//! Connections that stay, where the servers that hold them take only so many.
//!
//! Why no event closes one: all connections of an action last as long, so that they close in the order in which they were
//! opened, and how many are open matters only when one more wants to be. Who balances connections knows who is full: one
//! is refused when all servers of its place are.

use std::collections::VecDeque;

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::frame::{Frame, NONE};
use super::machine::Machine;
use crate::model;

/// What holds connections, and those that are open.
#[derive(Debug, Default)]
pub struct Holders {
    /// By tier, where there is a limit: connections of one server, and by instance how many are open.
    limits: Vec<Option<(f64, Vec<u64>)>>,
    /// By action: when each of its connections closes, and the instance that has it.
    open: Vec<VecDeque<(f64, u32)>>,
}

impl Holders {
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let held = |tier: TierId| {
            scenario.actions.values().any(|a| a.connection.as_ref().is_some_and(|c| c.tier == tier))
        };
        let limit = |tier: TierId| {
            let here = &scenario.tiers[tier];
            let each = here.connections_max.as_ref().filter(|_| held(tier) && here.scope != Scope::User)?;
            Some((each.get(), vec![0; model::instances(scenario, tier) as usize]))
        };
        Self {
            limits: (0..scenario.tiers.len()).map(limit).collect(),
            open: vec![VecDeque::new(); scenario.actions.len()],
        }
    }

    /// Closes what is over by now.
    fn close(&mut self, scenario: &Scenario, now: f64) {
        for (action, open) in scenario.actions.values().zip(&mut self.open) {
            let Some(connection) = &action.connection else { continue };
            let Some(Some((_, there))) = self.limits.get_mut(connection.tier) else { continue };
            while let Some((_, instance)) = open.pop_front_if(|(closes, _)| *closes <= now) {
                there[instance as usize] -= 1;
            }
        }
    }
}

impl Machine<'_> {
    /// Whether a request's connection is opened; it is refused where the servers that would hold it are full.
    pub(super) fn opens(&mut self, request: &Frame) -> bool {
        let scenario = self.setup.scenario;
        let Some(connection) = &scenario.actions[usize::from(request.action)].connection else { return true };
        let tier = connection.tier;
        if self.holders.limits[tier].is_none() {
            return true;
        }
        let instance = match self.tiers[tier].scope {
            Scope::Site => request.site,
            Scope::Region => u32::from(request.region),
            Scope::User | Scope::Global => 0,
        };
        self.holders.close(scenario, self.now);
        let (room, place) = self.room(tier, instance);
        let opened = self.open_at(
            usize::from(request.action),
            tier,
            (instance, room),
            self.now + connection.lasts.get(),
        );
        let there = self.holders.limits[tier].as_ref().map_or(0, |(_, open)| open[instance as usize]);
        let slot = self.tally.slot();
        let before = (there as f64 - f64::from(u8::from(opened))) / room.max(1.0);
        self.tally.beside.opened((tier, place, slot), before, opened);
        opened
    }

    /// Connections that an instance of a tier may hold, and its place.
    fn room(&self, tier: TierId, instance: u32) -> (f64, u16) {
        let each = self.holders.limits[tier].as_ref().map_or(f64::INFINITY, |(each, _)| *each);
        let first = self.tiers[tier].first_pool;
        if first == NONE {
            return (each, self.place_of(tier, instance));
        }
        let pool = &self.pools[(first + instance) as usize];
        (each * f64::from(pool.servers - pool.away), pool.place)
    }

    /// The place of an instance of a tier without servers.
    fn place_of(&self, tier: TierId, instance: u32) -> u16 {
        let scenario = self.setup.scenario;
        let mut left = u64::from(instance);
        for place in 0..model::places(scenario, tier) {
            let here = model::instances_at(scenario, tier, place);
            if left < here {
                return place as u16;
            }
            left -= here;
        }
        0
    }

    fn open_at(&mut self, action: usize, tier: TierId, (instance, room): (u32, f64), closes_s: f64) -> bool {
        let Some((_, there)) = &mut self.holders.limits[tier] else { return true };
        let there = &mut there[instance as usize];
        if (*there + 1) as f64 > room {
            return false;
        }
        *there += 1;
        self.holders.open[action].push_back((closes_s, instance));
        true
    }

    /// Opens what was opened before the run begins and is open still, as far as there is room.
    pub(super) fn hold_standing(&mut self, (seed, replication): (u64, u64)) {
        let scenario = self.setup.scenario;
        let mut draws = Stream::new(seed, "calendar", "held connections", replication);
        for (id, action) in scenario.actions.values().enumerate() {
            let Some(connection) = &action.connection else { continue };
            let (tier, lasts) = (connection.tier, connection.lasts.get());
            if self.holders.limits[tier].is_none() {
                continue;
            }
            let regions = &scenario.population.regions;
            let rates: Vec<f64> = (0..regions.len())
                .map(|region| model::rate(scenario, action, region, self.now - lasts, self.now))
                .collect();
            let all: f64 = rates.iter().sum();
            // In the order in which they close, whatever the region.
            let mut age = lasts;
            loop {
                age -= draws.exponential() / all;
                if age.is_nan() || age <= 0.0 {
                    break;
                }
                let mut rest = draws.uniform() * all;
                let region = rates.iter().position(|rate| {
                    rest -= rate;
                    rest < 0.0
                });
                let region = region.unwrap_or(regions.len() - 1);
                let before: u32 = regions[..region].iter().map(|r| r.sites).sum();
                let instance = match self.tiers[tier].scope {
                    Scope::Site => before + draws.below(u64::from(regions[region].sites.max(1))) as u32,
                    Scope::Region => region as u32,
                    Scope::User | Scope::Global => 0,
                };
                let (room, _) = self.room(tier, instance);
                self.open_at(id, tier, (instance, room), self.now + lasts - age);
            }
        }
    }
}
