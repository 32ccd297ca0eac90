//! More servers for the targets that several tiers meet together, and fewer where they are not missed.
//!
//! Why greedily: a dollar is spent where it does most for the target that is missed by most, and what that has made
//! superfluous elsewhere is taken back, the dearest first. Why in steps that double: what is missed by far takes as many
//! rounds as the number of servers has digits, and what doubling adds too much is taken back by halving.

use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::evaluate::{Broken, Evaluator, Sizing};
use super::goals::{self, State};
use super::load::TierLoad;
use super::size::{self, Reason, Sized};

/// Rounds of adding servers for a target.
const ROUNDS_MAX: usize = 2_000;
/// Times in a row that a tier is raised for the same target before its steps double.
const PATIENCE: u32 = 4;
/// Times the servers of every tier beyond which no more would help a target.
const MANY: u64 = 4_096;

/// The tier that was raised last, for which target, how often in a row, and by how many servers at least the next time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Stride {
    last: Option<(TierId, usize)>,
    times: u32,
    servers: u64,
}

impl Stride {
    /// Notes that a tier was raised by so many servers for a target.
    fn raised(&mut self, tier: TierId, goal: usize, by: u64) {
        if self.last == Some((tier, goal)) {
            self.times += 1;
        } else {
            *self = Self { last: Some((tier, goal)), times: 1, servers: 0 };
        }
        if self.times >= PATIENCE {
            self.servers = (2 * by).max(self.servers);
        }
    }

    /// Servers by which a tier is raised at least for a target.
    fn of(&self, tier: TierId, goal: usize) -> u64 {
        if self.last == Some((tier, goal)) { self.servers } else { 0 }
    }
}

impl Evaluator<'_> {
    /// Adds servers until all shared targets are met, then takes back what is not needed.
    pub(super) fn meet_goals(
        &self,
        scenario: &Scenario,
        sizing: &mut Sizing,
        cold: &[Vec<TierLoad>],
    ) -> Result<(), Broken> {
        if goals::worst(self, scenario, sizing, cold).is_none_or(|worst| worst.2 <= 0.0) {
            return Ok(());
        }
        for (goal, value) in goals::without_waits(self, scenario, sizing) {
            if !goals::met(self, goal, value) {
                return Err(Broken::Goal { goal, value });
            }
        }
        self.within_reach(scenario, sizing, cold)?;
        let mut raised: Vec<TierId> = Vec::new();
        let mut stride = Stride::default();
        for _ in 0..ROUNDS_MAX {
            if self.stopped() {
                break;
            }
            let worst = goals::worst(self, scenario, sizing, cold);
            let Some((goal, value, excess)) = worst.filter(|w| w.2 > 0.0) else {
                self.take_back(scenario, sizing, cold, &raised);
                return Ok(());
            };
            let Some((tier, sized)) = self.best_raise(scenario, sizing, cold, (goal, excess), stride) else {
                return Err(Broken::Goal { goal, value });
            };
            let before = sizing.tiers[tier].as_ref().map_or(0, |s| s.servers);
            stride.raised(tier, goal, sized.servers.saturating_sub(before));
            sizing.tiers[tier] = Some(Sized { reason: Reason::Target(goal), ..sized });
            if !raised.contains(&tier) {
                raised.push(tier);
            }
        }
        Err(goals::worst(self, scenario, sizing, cold).map_or(
            Broken::Goal { goal: 0, value: f64::NAN },
            |(goal, value, _)| Broken::Goal { goal, value },
        ))
    }

    /// Whether very many servers everywhere would keep the targets: what these do not, no number does.
    fn within_reach(
        &self,
        scenario: &Scenario,
        sizing: &Sizing,
        cold: &[Vec<TierLoad>],
    ) -> Result<(), Broken> {
        let mut many = sizing.clone();
        for tier in 0..many.tiers.len() {
            let (Some(sized), Some(fleet)) = (&mut many.tiers[tier], &self.problem.fleets[tier]) else {
                continue;
            };
            let servers = sized.servers.saturating_mul(MANY).min(fleet.range.1).max(sized.servers);
            (sized.servers, sized.pools) = (servers, size::pools(servers, &many.loads[tier]));
        }
        match goals::worst(self, scenario, &many, cold) {
            Some((goal, value, excess)) if excess > 0.0 => Err(Broken::Goal { goal, value }),
            _ => Ok(()),
        }
    }

    /// The tier where more servers do most for a target, by the dollar.
    fn best_raise(
        &self,
        scenario: &Scenario,
        sizing: &Sizing,
        cold: &[Vec<TierLoad>],
        (goal, excess): (usize, f64),
        stride: Stride,
    ) -> Option<(TierId, Sized)> {
        let mut best: Option<(f64, TierId, Sized)> = None;
        for tier in 0..sizing.tiers.len() {
            let (Some(now), Some(fleet)) = (&sizing.tiers[tier], &self.problem.fleets[tier]) else {
                continue;
            };
            let load = &sizing.loads[tier];
            if !goals::hangs_on(self, goal, tier) {
                continue;
            }
            let least = now.servers + stride.of(tier, goal).saturating_sub(1);
            for far in self.farther(scenario, sizing, tier, now.servers) {
                let far = far.max(least.min(fleet.range.1.saturating_sub(1)));
                let Some((servers, pools)) = size::step(far, load, true, fleet.range) else { continue };
                let more = Sized { servers, pools, ..now.clone() };
                let added = more.deployed(load).saturating_sub(now.deployed(load)) as f64;
                let cost = added * fleet.kinds[now.kind].monthly.max(1e-6);
                let mut trial = sizing.clone();
                trial.tiers[tier] = Some(more.clone());
                let then = goals::excess(self, scenario, &trial, cold, goal);
                let gain = (excess - then) / cost.max(1e-9);
                if excess - then > 1e-12 && best.as_ref().is_none_or(|(most, ..)| gain > *most) {
                    best = Some((gain, tier, more));
                }
            }
        }
        best.map(|(_, tier, sized)| (tier, sized))
    }

    /// Numbers of servers just below those that are tried: a step or a hundredth more (large fleets are not raised
    /// one by one, and taken back after), and as many as carry the load without one or two of the zones.
    fn farther(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId, now: u64) -> [u64; 3] {
        let near = now + now / 100;
        let zones = scenario.tiers[tier].zones.max(if scenario.tiers[tier].scope == Scope::Site {
            scenario.sites()
        } else {
            1
        });
        if zones < 2 {
            return [near; 3];
        }
        let state = State::normal(self, scenario, sizing);
        let places = 0..sizing.loads[tier].places.len();
        let busy = places.filter_map(|p| state.busy(tier, p)).fold(0.0, f64::max);
        let without = |lost: u32| {
            let left = f64::from(zones - lost.min(zones - 1));
            let enough = now as f64 * busy * f64::from(zones) / left;
            (enough.ceil() as u64).saturating_sub(1).max(near)
        };
        [near, without(1), without(2)]
    }

    /// Takes servers away, the dearest first, as long as all targets are met.
    fn take_back(&self, scenario: &Scenario, sizing: &mut Sizing, cold: &[Vec<TierLoad>], raised: &[TierId]) {
        let price = |tier: &TierId| {
            let sized = sizing.tiers[*tier].as_ref();
            let fleet = self.problem.fleets[*tier].as_ref();
            sized.zip(fleet).map_or(0.0, |(s, f)| f.kinds[s.kind].monthly)
        };
        let mut order = raised.to_vec();
        order.sort_by(|a, b| price(b).total_cmp(&price(a)));
        let least: Vec<Option<Sized>> =
            order.iter().map(|&t| self.size_tier(scenario, sizing, cold, t).ok().flatten()).collect();
        for (&tier, least) in order.iter().zip(&least) {
            let (Some(now), Some(least), Some(fleet)) =
                (sizing.tiers[tier].clone(), least, &self.problem.fleets[tier])
            else {
                continue;
            };
            let load = sizing.loads[tier].clone();
            // What holds, and the most that may not: fewer than these the tier itself does not stand.
            let (mut holds, mut too_few) = (now.servers, least.servers.saturating_sub(1));
            while holds - too_few > 1 {
                let middle = too_few.midpoint(holds);
                sizing.tiers[tier] =
                    Some(Sized { servers: middle, pools: size::pools(middle, &load), ..now.clone() });
                let broken = goals::worst(self, scenario, sizing, cold).is_some_and(|w| w.2 > 0.0);
                if broken { too_few = middle } else { holds = middle }
            }
            sizing.tiers[tier] = Some(if holds == now.servers {
                now
            } else {
                let pools = size::pools(holds, &load);
                Sized { servers: size::settled(holds, &pools, &load, fleet.range), pools, ..now }
            });
        }
    }
}
