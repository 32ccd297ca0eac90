//! One combination of capacities, copies and the like: the servers that it takes, and what comes of it.
//!
//! Why servers are inside and capacities outside: given what the caches let through, each tier's least number of
//! servers follows by itself (see [`super::size`]); only times and availabilities are shared by tiers, and where
//! these are not kept, servers are added where a dollar does most, and taken away again wherever it is not missed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::slo::Failure;
use plimsoll_scenarios::{Knob, Policy, Scenario, Scheme, Scope, ShardBy, TierId};

use super::goals::{self, State};
use super::hits::{CacheSize, HitModel, Hits};
use super::load::{Demand, TierLoad, loads};
use super::problem::{Axis, Chosen, GoalMetric, Problem};
use super::shards::{Keys, Shards};
use super::size::{self, Case, Reason, Sized, TierProblem};
use crate::flow::Flow;

/// What the axes come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// By tier.
    pub caches: Vec<Option<CacheSize>>,
    pub copies: Vec<Option<u32>>,
    pub schemes: Vec<Option<Scheme>>,
    pub zones: Vec<Option<u32>>,
    /// By region, where some region's number of sites is free.
    pub sites: Option<Vec<u32>>,
}

impl Choice {
    /// What a scenario states.
    #[must_use]
    pub fn stated(world: &Scenario) -> Self {
        let tiers = world.tiers.len();
        Self {
            caches: super::hits::stated(world),
            copies: vec![None; tiers],
            schemes: vec![None; tiers],
            zones: vec![None; tiers],
            sites: None,
        }
    }

    /// Sites over all regions.
    #[must_use]
    pub fn sites_of(&self, world: &Scenario) -> u64 {
        let stated = || u64::from(world.sites());
        self.sites.as_ref().map_or_else(stated, |sites| sites.iter().map(|&n| u64::from(n)).sum())
    }
}

/// A plan in numbers.
#[derive(Debug, Clone)]
pub struct Sizing {
    pub choice: Choice,
    pub hits: Hits,
    pub loads: Vec<TierLoad>,
    /// By tier, where the number of its shards is free.
    pub keys: Vec<Option<Keys>>,
    /// By tier.
    pub tiers: Vec<Option<Sized>>,
    /// By tier: US dollars a month, and what is not in the bill.
    pub costs: Vec<(f64, f64)>,
    /// What the search makes least: bill, shadow prices, and next to nothing for every byte of a cache.
    pub objective: f64,
}

impl Sizing {
    /// One whose servers are still to be found.
    pub fn begun(choice: Choice, hits: Hits, loads: Vec<TierLoad>, keys: Vec<Option<Keys>>) -> Self {
        let tiers = vec![None; loads.len()];
        Self { choice, hits, loads, keys, tiers, costs: Vec::new(), objective: 0.0 }
    }

    /// US dollars a month.
    #[must_use]
    pub fn bill(&self) -> f64 {
        self.costs.iter().map(|(bill, _)| bill).sum()
    }
}

/// Why a combination is no plan.
#[derive(Debug, Clone, PartialEq)]
pub enum Broken {
    /// A target, with the best value that servers can give it here.
    Goal { goal: usize, value: f64 },
    /// A rule of one tier.
    Tier { tier: TierId, reason: Reason },
}

/// Sizes a scenario in one world.
pub struct Evaluator<'p> {
    pub problem: &'p Problem<'p>,
    pub world: &'p Scenario,
    pub flow: &'p Flow<'p>,
    pub demand: Demand,
    hits: Option<HitModel<'p>>,
    /// Hit ratios, and how uneven keys are, that are known, whatever the caches.
    known: Hits,
    known_keys: Vec<Option<Keys>>,
    /// Calls by address, for walking trees.
    pub calls: BTreeMap<usize, usize>,
    /// Tiers, called before callers.
    pub(super) inwards: Vec<TierId>,
    /// Factors on targets' bounds, from the simulator's disagreement.
    pub margins: Vec<f64>,
    /// By tier: fewest servers, from the simulator's disagreement.
    pub least: Vec<u64>,
    /// While it is raised, nothing is sized any more.
    pub stop: Option<&'p AtomicBool>,
}

impl<'p> Evaluator<'p> {
    pub(super) fn stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    #[must_use]
    pub fn new(problem: &'p Problem<'p>, world: &'p Scenario, flow: &'p Flow<'p>) -> Self {
        Self::made(problem, world, flow, Some(HitModel::new(world, flow)))
    }

    fn made(
        problem: &'p Problem<'p>,
        world: &'p Scenario,
        flow: &'p Flow<'p>,
        hits: Option<HitModel<'p>>,
    ) -> Self {
        let mut inwards = world.tier_order();
        inwards.reverse();
        let address = |(n, node): (usize, &crate::flow::Node<'_>)| (std::ptr::from_ref(node.call).addr(), n);
        Self {
            problem,
            world,
            flow,
            demand: Demand::of(world, flow),
            hits,
            known: Vec::new(),
            known_keys: Vec::new(),
            calls: flow.nodes.iter().enumerate().map(address).collect(),
            inwards,
            margins: vec![1.0; problem.goals.len()],
            least: vec![1; world.tiers.len()],
            stop: None,
        }
    }

    /// Where hit ratios are known and no capacity will change.
    #[must_use]
    pub fn with_hits(
        problem: &'p Problem<'p>,
        world: &'p Scenario,
        flow: &'p Flow<'p>,
        known: &Sizing,
    ) -> Self {
        let (hits, keys) = (known.hits.clone(), known.keys.clone());
        Self { known: hits, known_keys: keys, ..Self::made(problem, world, flow, None) }
    }

    /// What positions on the axes mean.
    #[must_use]
    pub fn choice(&self, point: &[usize]) -> Choice {
        let mut choice = Choice::stated(self.world);
        if !self.problem.sites.is_empty() {
            choice.sites = Some(self.world.population.regions.iter().map(|r| r.sites).collect());
        }
        for (axis, &at) in self.problem.axes.iter().zip(point) {
            let value = axis.values[at];
            let (tier, knob) = match axis.of {
                Chosen::Tier(tier, knob) => (tier, knob),
                Chosen::Sites(region) => {
                    choice.sites.iter_mut().for_each(|sites| sites[region] = value as u32);
                    continue;
                }
            };
            match (knob, &mut choice.caches[tier]) {
                (Knob::Capacity, Some(size)) => size.capacity = value,
                (Knob::Policy, Some(size)) => size.policy = Policy::NAMES[value as usize].1,
                (Knob::Copies, _) => choice.copies[tier] = Some(value as u32),
                (Knob::Replication, _) => {
                    choice.schemes[tier] = Some(self.problem.schemes[&tier][value as usize]);
                }
                (Knob::Zones, _) => choice.zones[tier] = Some(value as u32),
                _ => {}
            }
        }
        choice
    }

    /// The scenario with the copies, zones and sites of a choice.
    #[must_use]
    pub fn changed(&self, choice: &Choice) -> Cow<'p, Scenario> {
        let kept = choice.copies.iter().all(Option::is_none) && choice.schemes.iter().all(Option::is_none);
        if kept && choice.zones.iter().all(Option::is_none) && choice.sites.is_none() {
            return Cow::Borrowed(self.world);
        }
        let mut changed = self.world.clone();
        for (region, &sites) in changed.population.regions.iter_mut().zip(choice.sites.iter().flatten()) {
            region.sites = sites;
        }
        for (id, tier) in changed.tiers.values_mut().enumerate() {
            if let (Some(copies), Scheme::Copies { read, .. }) = (choice.copies[id], tier.replication.scheme)
            {
                let (write, read) = (copies / 2 + 1, read.min(copies));
                tier.replication.scheme = Scheme::Copies { count: copies, write, read };
            }
            tier.replication.scheme = choice.schemes[id].unwrap_or(tier.replication.scheme);
            tier.zones = choice.zones[id].unwrap_or(tier.zones);
        }
        Cow::Owned(changed)
    }

    /// The capacity of LRU that is worth as much as a tier's cache.
    #[must_use]
    pub fn like_lru(&self, tier: TierId, size: CacheSize) -> f64 {
        self.hits.as_ref().map_or(size.capacity, |model| model.like_lru(tier, size))
    }

    pub fn hits_at(&mut self, choice: &Choice) -> Hits {
        let (known, sites) = (&self.known, choice.sites_of(self.world));
        self.hits.as_mut().map_or_else(|| known.clone(), |model| model.at(&choice.caches, sites))
    }

    /// The most that caches answer where a choice is the kindest of a box with these corners.
    pub fn hits_at_most(&mut self, kindest: &Choice, (near, far): (&Choice, &Choice)) -> Hits {
        let (known, sites) = (&self.known, kindest.sites_of(self.world));
        let open: Vec<bool> = near.caches.iter().zip(&far.caches).map(|(near, far)| near != far).collect();
        self.hits.as_mut().map_or_else(|| known.clone(), |model| model.at_most(&kindest.caches, sites, &open))
    }

    /// How uneven the keys are, by tier, where there are shards and servers to be found for them.
    pub fn keys_at(&mut self, choice: &Choice) -> Vec<Option<Keys>> {
        let Some(model) = self.hits.as_mut() else { return self.known_keys.clone() };
        let sites = choice.sites_of(self.world);
        let keys = |tier: TierId| {
            let free = self.problem.fleets[tier].as_ref().is_some_and(|fleet| fleet.free);
            let sharded = self.world.tiers[tier].sharding.is_some() && free;
            sharded.then(|| model.keys((&choice.caches, sites), tier))
        };
        (0..self.world.tiers.len()).map(keys).collect()
    }

    /// A tier's shards as sizing sees them. Of stated ones it is not said which servers have which.
    fn shards(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId) -> Option<Shards> {
        let here = &scenario.tiers[tier];
        let sharding = here.sharding.as_ref().filter(|s| s.by != ShardBy::Range)?;
        let keys = sizing.keys[tier]?;
        let most = size::SHARDS_MAX as f64;
        let Some(free) = self.problem.free(tier, Knob::Shards) else {
            let stated = u64::from(sharding.shards);
            return Some(Shards { by: sharding.by, keys, copies: u64::MAX, range: (stated, stated) });
        };
        let (low, high) = free.range.unwrap_or((1.0, most));
        Some(Shards {
            by: sharding.by,
            keys,
            copies: u64::from(here.replication.pieces().0),
            range: (low.ceil().max(1.0) as u64, high.min(most) as u64),
        })
    }

    /// Shards of a tier of a plan, where their number is free.
    #[must_use]
    pub fn shards_of(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId) -> Option<u64> {
        self.problem.free(tier, Knob::Shards)?;
        self.shards(scenario, sizing, tier)?.fewest(&sizing.tiers[tier].as_ref()?.pools)
    }

    /// How busy the servers of the hottest shard are.
    #[must_use]
    pub fn hottest_shard(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId) -> Option<f64> {
        let shards = self.shards(scenario, sizing, tier)?;
        self.hottest_of(scenario, sizing, tier, shards.fewest(&sizing.tiers[tier].as_ref()?.pools)?)
    }

    /// The same with so many shards.
    #[must_use]
    pub fn hottest_of(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId, n: u64) -> Option<f64> {
        let shards = self.shards(scenario, sizing, tier)?;
        let state = State::normal(self, scenario, sizing);
        let pools = &sizing.tiers[tier].as_ref()?.pools;
        let busy = pools.iter().enumerate().filter_map(|(p, &k)| Some((k, state.busy(tier, p)?)));
        Some(busy.map(|(k, busy)| shards.busy(n, k, busy)).fold(0.0, f64::max))
    }

    /// The cheapest servers at a point.
    ///
    /// # Errors
    /// The target that can't be met here.
    pub fn size_at(&mut self, point: &[usize]) -> Result<Sizing, Broken> {
        let choice = self.choice(point);
        self.size_choice(choice)
    }

    /// # Errors
    /// As [`Self::size_at`].
    pub fn size_choice(&mut self, choice: Choice) -> Result<Sizing, Broken> {
        let scenario = self.changed(&choice);
        let hits = self.hits_at(&choice);
        for (goal, value) in goals::of_caches(self, &hits) {
            if !goals::met(self, goal, value) {
                return Err(Broken::Goal { goal, value });
            }
        }
        let loads = loads(&scenario, self.flow, &self.demand, &hits);
        let keys = self.keys_at(&choice);
        let mut sizing = Sizing::begun(choice, hits, loads, keys);
        let cold = self.cold_loads(&scenario, &sizing);
        for position in 0..self.inwards.len() {
            let tier = self.inwards[position];
            let sized = self.size_tier(&scenario, &sizing, &cold, tier);
            sizing.tiers[tier] = sized.map_err(|reason| Broken::Tier { tier, reason })?;
        }
        self.meet_goals(&scenario, &mut sizing, &cold)?;
        self.price(&scenario, &mut sizing);
        Ok(sizing)
    }

    /// Loads with each cache empty, one at a time, where something must hold then.
    pub fn cold_loads(&self, scenario: &Scenario, sizing: &Sizing) -> Vec<Vec<TierLoad>> {
        if !self.problem.failures.contains(&Failure::ColdCache) {
            return Vec::new();
        }
        let caches = (0..self.world.tiers.len())
            .filter(|&t| sizing.choice.caches[t].is_some() && self.world.tiers[t].scope != Scope::User);
        caches.map(|t| loads(scenario, self.flow, &self.demand, &self.cold(&sizing.hits, t))).collect()
    }

    /// Hit ratios with one tier's cache empty.
    #[must_use]
    pub fn cold(&self, hits: &Hits, tier: TierId) -> Hits {
        let mut cold = hits.clone();
        for node in self.flow.at(tier) {
            cold[node] = 0.0;
        }
        cold
    }

    pub(super) fn size_tier(
        &self,
        scenario: &Scenario,
        sizing: &Sizing,
        cold: &[Vec<TierLoad>],
        tier: TierId,
    ) -> Result<Option<Sized>, Reason> {
        let (Some(fleet), Some((problem, cases))) =
            (&self.problem.fleets[tier], self.tier_problem(scenario, sizing, cold, tier))
        else {
            return Ok(None);
        };
        size::size(&problem, &cases, &fleet.kinds).map(Some)
    }

    /// A tier as sizing sees it, and the loads that it must carry.
    pub(super) fn tier_problem<'a>(
        &'a self,
        scenario: &'a Scenario,
        sizing: &'a Sizing,
        cold: &'a [Vec<TierLoad>],
        tier: TierId,
    ) -> Option<(TierProblem<'a>, Vec<Case<'a>>)> {
        let here = &scenario.tiers[tier];
        let fleet = self.problem.fleets[tier].as_ref()?;
        here.station.as_ref()?;
        let cache = here.cache.as_ref().map(|c| {
            (sizing.choice.caches[tier].map_or(c.capacity.get(), |size| size.capacity), c.per_server)
        });
        let problem = TierProblem {
            scope: here.scope,
            zones: here.zones,
            store: here.store.as_ref(),
            connections_max: here.connections_max.as_ref().map(plimsoll_scenarios::units::Quantity::get),
            rules: &fleet.rules,
            cache,
            range: (fleet.range.0.max(self.least[tier]).min(fleet.range.1), fleet.range.1),
            service: self.held(scenario, sizing, tier),
            share_lost: size::largest_share(scenario),
            pieces: if [Knob::Copies, Knob::Replication].into_iter().any(|k| self.problem.is_free(tier, k)) {
                u64::from(here.replication.pieces().0)
            } else {
                1
            },
            shards: self.shards(scenario, sizing, tier),
        };
        let mut cases: Vec<Case<'a>> = vec![(None, &sizing.loads[tier])];
        for &failure in &self.problem.failures {
            if failure == Failure::ColdCache {
                cases.extend(cold.iter().map(|loads| (Some(failure), &loads[tier])));
            } else {
                cases.push((Some(failure), &sizing.loads[tier]));
            }
        }
        Some((problem, cases))
    }

    /// Time that a slot of a tier is held: its service, and what it calls where it waits for that.
    fn held(&self, scenario: &Scenario, sizing: &Sizing, tier: TierId) -> f64 {
        let Some(station) = &scenario.tiers[tier].station else { return 0.0 };
        let service = station.service_time.mean();
        if !station.blocking {
            return service;
        }
        let state = State::normal(self, scenario, sizing);
        let calls = self.demand.calls(self.flow, &sizing.hits);
        let (mut times, mut all) = (0.0, 0.0);
        for node in self.flow.at(tier) {
            times += calls[node] * goals::behind(&state, node).mean();
            all += calls[node];
        }
        if all > 0.0 { service + times / all } else { service }
    }

    /// A tier of a plan with another kind of server; `None` where that can't be.
    #[must_use]
    pub fn with_kind(&self, sizing: &Sizing, tier: TierId, kind: usize) -> Option<Sized> {
        let scenario = self.changed(&sizing.choice);
        let cold = self.cold_loads(&scenario, sizing);
        let fleet = self.problem.fleets[tier].as_ref()?;
        let (problem, cases) = self.tier_problem(&scenario, sizing, &cold, tier)?;
        size::size(&problem, &cases, &fleet.kinds[kind..=kind]).ok()
    }

    /// The best value that a goal can have: everything as large as it may be, without waits; for a hit ratio, at as few
    /// sites as there may be.
    #[must_use]
    pub fn best_of(&mut self, goal: usize) -> Option<f64> {
        let of_hits = matches!(self.problem.goals[goal].metric, GoalMetric::HitRatio(_));
        let best = |axis: &Axis| match axis.of {
            Chosen::Sites(_) if of_hits => 0,
            _ => axis.values.len() - 1,
        };
        let far: Vec<usize> = self.problem.axes.iter().map(best).collect();
        let choice = self.choice(&far);
        let scenario = self.changed(&choice);
        let hits = self.hits_at(&choice);
        let found = goals::of_caches(self, &hits).into_iter().find(|(g, _)| *g == goal);
        if let Some((_, value)) = found {
            return Some(value);
        }
        let loads = loads(&scenario, self.flow, &self.demand, &hits);
        let keys = vec![None; loads.len()];
        let sizing = Sizing::begun(choice, hits, loads, keys);
        goals::without_waits(self, &scenario, &sizing).into_iter().find(|(g, _)| *g == goal).map(|(_, v)| v)
    }

    /// The scenario's own sizes, and the first rule or goal that they break.
    #[must_use]
    pub fn stated(&mut self) -> (Sizing, Option<String>) {
        let choice = Choice::stated(self.world);
        let hits = self.hits_at(&choice);
        let loads = loads(self.world, self.flow, &self.demand, &hits);
        let tiers = self.world.tiers.values().zip(&loads).map(|(tier, load)| {
            let servers = tier.station.as_ref()?.servers.get().round().max(1.0) as u64;
            Some(Sized { kind: 0, servers, pools: size::pools(servers, load), reason: Reason::Stated })
        });
        let tiers: Vec<Option<Sized>> = tiers.collect();
        let keys = vec![None; loads.len()];
        let mut sizing = Sizing { tiers, ..Sizing::begun(choice, hits, loads, keys) };
        self.price(self.world, &mut sizing);
        let broken = self.first_broken(self.world, &sizing);
        (sizing, broken)
    }

    /// The first rule or goal that some sizes break, in words.
    #[must_use]
    pub fn first_broken(&self, scenario: &Scenario, sizing: &Sizing) -> Option<String> {
        let cold = self.cold_loads(scenario, sizing);
        for tier in 0..sizing.tiers.len() {
            let Some(sized) = &sizing.tiers[tier] else { continue };
            let Some((problem, cases)) = self.tier_problem(scenario, sizing, &cold, tier) else { continue };
            let fleet = self.problem.fleets[tier].as_ref()?;
            let problem = TierProblem { range: (1, sized.servers), ..problem };
            let needed = size::size(&problem, &cases, &fleet.kinds[sized.kind..=sized.kind]);
            if let Err(reason) = needed {
                let reason = Sized { reason, ..sized.clone() };
                let mut shown = sizing.clone();
                shown.tiers[tier] = Some(reason);
                let name = self.world.tier_name(tier);
                return Some(format!("{name}: {}", super::explain::binding(self, scenario, &shown, tier)));
            }
        }
        let (goal, value, excess) = goals::worst(self, scenario, sizing, &cold)?;
        (excess > 0.0).then(|| super::explain::broken(self, &Broken::Goal { goal, value }))
    }
}
