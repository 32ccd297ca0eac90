//! Whether a scenario feeds forward only, and in which order its tiers are played.

use plimsoll_scenarios::{Balance, TierId};

use crate::calendar::machine::Setup;
use crate::calendar::program::{Part, Program, Step};
use crate::calendar::tiers::is_simple;
use crate::model;

/// A call of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// The call in the plan.
    pub site: u32,
    /// Position of its tier in the order.
    pub position: usize,
    /// Half a round trip, seconds.
    pub half_trip: f64,
}

/// What the recursion plays: chains of calls over tiers that never look back.
#[derive(Debug, Clone)]
pub struct Line {
    /// By action: its calls, the first one first; at least one.
    pub chains: Vec<Vec<Stop>>,
    /// Tiers, callers before the called.
    pub order: Vec<TierId>,
}

impl Line {
    /// `None` where something asks for the machine: events, policies of callers, caches, links, disks, copies, branches,
    /// messages, connections, other disciplines, balancers that look at how busy servers are, and regions that are not
    /// equally far from their sites.
    #[must_use]
    pub fn of(setup: &Setup<'_>) -> Option<Self> {
        let (scenario, program) = (setup.scenario, &setup.program);
        if !scenario.events.is_empty() || program.roots.is_empty() {
            return None;
        }
        let mut chains = Vec::new();
        for (action, root) in scenario.actions.values().zip(&program.roots) {
            let plain = action.connection.is_none() && root.device.is_empty() && root.messages.is_empty();
            chains.push(chain(setup, root.request).filter(|sites| plain && !sites.is_empty())?);
        }
        let tiers = |sites: &Vec<u32>| sites.iter().map(|&s| program.sites[s as usize].tier).collect();
        let order = in_order(&chains.iter().map(tiers).collect::<Vec<Vec<TierId>>>(), scenario.tiers.len())?;
        let stop = |&site: &u32| {
            let call = &program.sites[site as usize];
            let position = order.iter().position(|&t| t == call.tier)?;
            Some(Stop { site, position, half_trip: call.one_half_trip()? })
        };
        let chains: Option<Vec<Vec<Stop>>> =
            chains.iter().map(|sites| sites.iter().map(stop).collect()).collect();
        Some(Self { chains: chains?, order })
    }

    /// Position of a tier in the order.
    #[must_use]
    pub fn position(&self, tier: TierId) -> Option<usize> {
        self.order.iter().position(|&t| t == tier)
    }
}

/// The calls of a part, where they are one after the other, each made by the tier before.
fn chain(setup: &Setup<'_>, part: Part) -> Option<Vec<u32>> {
    let program: &Program = &setup.program;
    let mut sites = Vec::new();
    let mut part = part;
    loop {
        match program.steps[part.from as usize..part.to as usize] {
            [] => return Some(sites),
            // Calls are laid out callers first, so that this ends.
            [Step::Call(site)] if sites.last().is_none_or(|&last| last < site) => {
                let call = &program.sites[site as usize];
                let plain = call.is_plain()
                    && call.copies == 1
                    && !call.lookup
                    && !call.pulled
                    && call.disk.is_none();
                if !plain || !plays(setup, call.tier) {
                    return None;
                }
                sites.push(site);
                part = call.body;
            }
            _ => return None,
        }
    }
}

/// Whether a tier serves first come, first served, and nothing that happens there changes where customers go.
fn plays(setup: &Setup<'_>, tier: TierId) -> bool {
    let here = &setup.scenario.tiers[tier];
    let Some(station) = here.station.as_ref().filter(|s| is_simple(s) && s.autoscale.is_none()) else {
        return false;
    };
    let mut pools =
        (0..model::places(setup.scenario, tier)).filter_map(|p| model::pool(setup.scenario, tier, p));
    let alone = pools.all(|pool| pool.servers == 1);
    let blind = matches!(station.balance, Balance::Random | Balance::RoundRobin) && here.sharding.is_none();
    here.link.is_none() && here.external.is_none() && here.replication.lag.is_none() && (alone || blind)
}

/// Tiers in an order in which no chain goes back; `None` where there is none.
fn in_order(chains: &[Vec<TierId>], tiers: usize) -> Option<Vec<TierId>> {
    let mut left: Vec<TierId> = (0..tiers).filter(|t| chains.iter().flatten().any(|c| c == t)).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        let called = |tier: TierId| {
            chains.iter().any(|chain| chain.windows(2).any(|pair| pair[1] == tier && left.contains(&pair[0])))
        };
        let first = left.iter().position(|&tier| !called(tier))?;
        order.push(left.remove(first));
    }
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_come_before_the_called_and_circles_have_no_order() {
        assert_eq!(in_order(&[vec![2, 0, 3], vec![1, 0]], 5), Some(vec![1, 2, 0, 3]));
        assert_eq!(in_order(&[vec![0, 1], vec![1, 0]], 2), None);
        assert_eq!(in_order(&[vec![0, 1, 0]], 2), None);
    }
}
