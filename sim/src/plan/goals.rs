//! The targets that tiers meet together: times of whole paths, hit ratios, availability, losses, durability.
//!
//! Why with states: under a failure the same plan has other loads and fewer servers, and the same formulas hold.

use plimsoll_scenarios::slo::Failure;
use plimsoll_scenarios::{Balance, Call, Calls, Scenario, Scope, TierId, WaitFor};

use super::durability;
use super::evaluate::{Evaluator, Sizing};
use super::hits::Hits;
use super::load::TierLoad;
use super::mixture::{Mixture, quantile_over, tail_over};
use super::problem::{Goal, GoalMetric};
use super::size::{largest_share, left, more};
use crate::analytic::queues::{GiGc, Service, mmck_blocking};
use crate::analytic::reliability::unavailability_of_k_of_n;
use crate::flow::Cause;
use crate::model;

/// Waits of less than this share of requests are left out.
const WAITS_MIN: f64 = 1e-4;
/// A share of lost calls that is none.
const LOSS_MIN: f64 = 1e-12;
/// Availability of one zone, as the estimate assumes it.
const ZONE: f64 = 0.9995;
/// Use of disks beyond which their waits are not told apart: no plan permits it.
const DISKS_MAX: f64 = 0.999;
/// Calls at once beyond which one more makes nothing slower.
const FAN_OUT_MAX: f64 = 1e6;

/// A plan in normal operation, or under a failure.
pub struct State<'a, 'p> {
    evaluator: &'a Evaluator<'p>,
    scenario: &'a Scenario,
    sizing: &'a Sizing,
    hits: &'a Hits,
    loads: &'a [TierLoad],
    failure: Option<Failure>,
    /// The one tier that has lost a server.
    hurt: Option<TierId>,
    /// Nobody waits for a slot.
    no_waits: bool,
}

impl<'a, 'p> State<'a, 'p> {
    #[must_use]
    pub fn normal(evaluator: &'a Evaluator<'p>, scenario: &'a Scenario, sizing: &'a Sizing) -> Self {
        Self {
            evaluator,
            scenario,
            sizing,
            hits: &sizing.hits,
            loads: &sizing.loads,
            failure: None,
            hurt: None,
            no_waits: false,
        }
    }

    /// Under a failure; `hurt` is the tier that has lost a server.
    #[must_use]
    pub fn under(self, failure: Failure, hurt: Option<TierId>) -> Self {
        Self { failure: Some(failure), hurt, ..self }
    }

    /// With other hit ratios, and the loads that these make.
    #[must_use]
    pub fn with(self, hits: &'a Hits, loads: &'a [TierLoad]) -> Self {
        Self { hits, loads, ..self }
    }

    /// The failure as a tier feels it.
    fn felt(&self, tier: TierId) -> Option<Failure> {
        match self.failure {
            Some(Failure::ServerDown) if self.hurt != Some(tier) => None,
            other => other,
        }
    }

    #[must_use]
    pub const fn scenario(&self) -> &'a Scenario {
        self.scenario
    }

    /// Calls of a tier in a region between two times of the day, 1/s: what its servers there are asked for.
    #[must_use]
    pub fn asked_at(&self, tier: TierId, region: usize, (from_s, to_s): (f64, f64)) -> f64 {
        let calls = self.evaluator.demand.calls(self.evaluator.flow, self.hits);
        let here = &self.scenario.population.regions[region];
        let of = |node: usize| {
            let flow = &self.evaluator.flow.nodes[node];
            let day = self.scenario.day_of(&self.scenario.actions[flow.action], region);
            let shape = day.mean_over(from_s + here.utc_offset_s, to_s + here.utc_offset_s);
            let calls = calls[node] * here.share * shape;
            calls * model::work(self.scenario, flow.call)
        };
        self.evaluator.flow.at(tier).map(of).sum()
    }

    /// Servers of an instance that are left at a place, and calls of its servers a second, at the peak.
    fn at(&self, tier: TierId, place: usize) -> Option<(f64, f64)> {
        let sized = self.sizing.tiers[tier].as_ref()?;
        let here = &self.scenario.tiers[tier];
        let load = self.loads[tier].places.get(place)?;
        let failure = self.felt(tier);
        let k = left(failure, sized.pools[place] as f64, load.instances, here.scope, here.zones);
        let factor = more(failure, here.scope, largest_share(self.scenario));
        Some((k, load.work * factor / load.instances))
    }

    /// Share of the slots that are busy at a place's peak.
    #[must_use]
    pub fn busy(&self, tier: TierId, place: usize) -> Option<f64> {
        let (k, rate) = self.at(tier, place)?;
        let fleet = self.evaluator.problem.fleets[tier].as_ref()?;
        let sized = self.sizing.tiers[tier].as_ref()?;
        let station = self.scenario.tiers[tier].station.as_ref()?;
        Some(rate * station.service_time.mean() / (k * fleet.kinds[sized.kind].concurrency))
    }

    /// The same at its fullest place; infinite where nothing is left.
    #[must_use]
    pub fn fullest(&self, tier: TierId) -> f64 {
        let places = 0..self.loads[tier].places.len();
        let busy = places.filter_map(|p| self.busy(tier, p)).filter(|busy| !busy.is_nan());
        busy.fold(0.0, f64::max)
    }

    /// The value of a goal, whatever its bound.
    #[must_use]
    pub fn exactly(&self, goal: &Goal) -> f64 {
        self.value(goal, goal.bound, true).0
    }

    /// Share of all requests that full queues turn away.
    #[must_use]
    pub fn lost(&self) -> f64 {
        self.failing(false)
    }

    /// The queue that a call of a tier meets in a region: one server's, or the instance's where the balancer
    /// finds the emptiest.
    fn queue(&self, tier: TierId, region: usize) -> Option<(GiGc, f64)> {
        let place = model::place_of(self.scenario, tier, region);
        let (k, rate) = self.at(tier, place)?;
        let sized = self.sizing.tiers[tier].as_ref()?;
        let slots = self.evaluator.problem.fleets[tier].as_ref()?.kinds[sized.kind].concurrency;
        let station = self.scenario.tiers[tier].station.as_ref()?;
        let (mean, cv) = (station.service_time.mean(), station.service_time.cv());
        let service = Service::lognormal(mean, cv);
        let queue_max = f64::from(station.queue_max);
        if k <= 0.0 {
            return Some((GiGc { servers: 0, arrival_rate: rate, arrival_cv: 1.0, service }, 0.0));
        }
        let pooled = station.balance == Balance::LeastConnections;
        let (servers, arrival_rate) =
            if pooled { ((k * slots).round().max(1.0) as u64, rate) } else { (slots as u64, rate / k) };
        let in_turn = matches!(station.balance, Balance::RoundRobin | Balance::Weighted);
        let arrival_cv = if in_turn { (1.0 / k.max(1.0)).sqrt() } else { 1.0 };
        Some((
            GiGc { servers, arrival_rate, arrival_cv, service },
            if pooled { queue_max * k } else { queue_max },
        ))
    }

    /// Whether a failure takes a whole site of a tier in a region.
    fn loses_a_site(&self, tier: TierId, region: usize) -> bool {
        let here = &self.scenario.tiers[tier];
        let alone = || self.sizing.tiers[tier].as_ref().is_none_or(|sized| sized.pools[region] < 2);
        here.scope == Scope::Site
            && match self.felt(tier) {
                Some(Failure::ServerDown) => alone(),
                Some(Failure::ZoneDown) => here.zones < 2,
                _ => false,
            }
    }

    /// Round trip, wait and service of one call.
    fn of_tier(&self, call: &Call, region: usize) -> Mixture {
        let tier = call.tier;
        let here = &self.scenario.tiers[tier];
        let gone = u32::from(self.scenario.crosses(call) && self.loses_a_site(tier, region));
        let rtt = self.scenario.round_trip_with(call, region, gone);
        if let Some(external) = &here.external {
            let law = &external.latency;
            return variable(rtt, law.mean(), law.variance());
        }
        let Some(station) = &here.station else { return Mixture::constant(rtt) };
        let law = &station.service_time;
        let served = variable(rtt, law.mean(), law.variance());
        let Some((queue, _)) = self.queue(tier, region).filter(|_| !self.no_waits) else { return served };
        let waits = queue.waits();
        if waits < WAITS_MIN || queue.arrival_rate <= 0.0 {
            return served;
        }
        let wait = queue.wait_mean() / waits;
        let spread = queue.conditional_cv_squared().max(0.0);
        Mixture::single(0.0, wait, spread * wait * wait).with_probability(waits).then(&served)
    }

    /// Time of a tree of calls in a region.
    fn of_calls(&self, calls: &Calls, region: usize) -> Mixture {
        match calls {
            Calls::Nothing | Calls::Async(_) => Mixture::constant(0.0),
            Calls::One(call) => self.of_call(call, region),
            Calls::Sequence(list) => {
                list.iter().fold(Mixture::constant(0.0), |sum, calls| sum.then(&self.of_calls(calls, region)))
            }
            Calls::Parallel { branches, wait_for } => {
                let waited = branches.iter().filter(|b| !matches!(b, Calls::Async(_) | Calls::Nothing));
                let mut all: Vec<Mixture> = waited.map(|b| self.of_calls(b, region)).collect();
                all.sort_by(|a, b| a.mean().total_cmp(&b.mean()));
                all.truncate(wait_for.of(all.len()).max(1));
                Mixture::slowest(&all)
            }
        }
    }

    fn of_call(&self, call: &Call, region: usize) -> Mixture {
        let node = self.evaluator.calls.get(&std::ptr::from_ref(call).addr()).copied();
        let hit = node.map_or(0.0, |n| self.hits[n]);
        let next = self.of_calls(&call.next, region);
        if self.scenario.tiers[call.tier].scope == Scope::User {
            // Times are those of requests that leave the device.
            return next;
        }
        let mut time = self.of_tier(call, region).then(&next.with_probability(1.0 - hit));
        if let Some(read) = node.and_then(|node| self.of_disks(node, region)) {
            time = time.then(&read);
        }
        let n = call.fan_out.get().round().clamp(1.0, FAN_OUT_MAX) as u64;
        if n > 1 {
            let k = match call.wait_for {
                WaitFor::All => n,
                WaitFor::First(k) => u64::from(k).min(n),
            };
            time = time.kth_of(n, k);
        }
        if call.times.get() != 1.0 {
            time = time.times(call.times.get());
        }
        time.with_probability(call.share.get())
    }

    /// Hits on disk of a call, where its cache is in memory and on disk: the wait for the disks of its server (M/G/1 as if
    /// all calls of the tier were of its size), and its operations.
    fn of_disks(&self, node: usize, region: usize) -> Option<Mixture> {
        let on_disk = Some(self.hits.on_disk(node)).filter(|share| *share > 0.0)?;
        let call = self.evaluator.flow.nodes[node].call;
        let busy_s = model::disk_time(self.scenario, call)?;
        let iops = self.scenario.tiers[call.tier].store.as_ref()?.iops.as_ref()?.get();
        let read = Mixture::constant(busy_s);
        let place = model::place_of(self.scenario, call.tier, region);
        let load = self.loads[call.tier].places.get(place)?;
        let Some((k, _)) = self.at(call.tier, place).filter(|(k, _)| *k > 0.0 && !self.no_waits) else {
            return Some(read.with_probability(on_disk));
        };
        let factor =
            more(self.felt(call.tier), self.scenario.tiers[call.tier].scope, largest_share(self.scenario));
        let used = (load.operations * factor / load.instances / (k * iops)).min(DISKS_MAX);
        let wait = 0.5 * busy_s / (1.0 - used);
        let waits = Mixture::single(0.0, wait, wait * wait).with_probability(used);
        Some(waits.then(&read).with_probability(on_disk))
    }

    /// Regions with their shares of an action, and the time there.
    fn of_action(&self, action: usize, complete: bool) -> Vec<(f64, Mixture)> {
        let scenario = self.scenario;
        let here = &self.evaluator.world.actions[action];
        let transfer = if complete { transfer(self.evaluator.world, action) } else { 0.0 };
        let region = |r: usize| {
            let share = scenario.population.regions[r].share;
            (share, self.of_calls(&here.calls, r).then(&Mixture::constant(transfer)))
        };
        let mut all: Vec<(f64, Mixture)> = (0..scenario.population.regions.len()).map(region).collect();
        if self.failure == Some(Failure::RegionDown) && all.len() > 1 {
            // The largest region is the one that is gone.
            let gone = (0..all.len()).max_by(|&a, &b| all[a].0.total_cmp(&all[b].0)).unwrap_or(0);
            all.remove(gone);
        }
        all
    }

    /// Share of the calls of a tier that full queues turn away, at its fullest place.
    #[must_use]
    pub fn loss_of(&self, tier: TierId) -> f64 {
        let places = self.scenario.population.regions.len();
        let of = |region: usize| {
            let Some((queue, waiting)) = self.queue(tier, region) else { return 0.0 };
            if queue.servers == 0 {
                return if queue.arrival_rate > 0.0 { 1.0 } else { 0.0 };
            }
            // Beyond all servers the states fall by the utilisation, one for every place to wait.
            let used = queue.load() / queue.servers.max(1) as f64;
            if used < 1.0 && used.powf(waiting) < LOSS_MIN {
                return 0.0;
            }
            mmck_blocking(queue.servers, waiting as u64, queue.load())
        };
        (0..places).map(of).fold(0.0, f64::max)
    }

    /// Share of all requests that some tier that they need turns away or that finds it down.
    fn failing(&self, with_downtime: bool) -> f64 {
        let evaluator = self.evaluator;
        let down: Vec<f64> =
            (0..self.scenario.tiers.len()).map(|t| if with_downtime { self.down(t) } else { 0.0 }).collect();
        let lost: Vec<f64> = (0..self.scenario.tiers.len()).map(|t| self.loss_of(t)).collect();
        let calls = evaluator.demand.calls(evaluator.flow, self.hits);
        let (mut failing, mut all) = (0.0, 0.0);
        for (id, rate) in evaluator.demand.rates.iter().enumerate() {
            let mut works = 1.0;
            let mut seen: Vec<TierId> = Vec::new();
            for (node, here) in evaluator.flow.nodes.iter().enumerate() {
                let tier = here.call.tier;
                let mine = here.action == id && here.cause == Cause::Request && !here.asynchronous;
                if !mine || seen.contains(&tier) {
                    continue;
                }
                seen.push(tier);
                let reach = (calls[node] / rate.max(f64::MIN_POSITIVE)).min(1.0);
                works *= 1.0 - reach * (1.0 - (1.0 - down[tier]) * (1.0 - lost[tier]));
            }
            failing += rate * (1.0 - works);
            all += rate;
        }
        if all > 0.0 { failing / all } else { 0.0 }
    }

    /// Share of time that a tier is down: too many of its servers or copies at once, or its zones.
    fn down(&self, tier: TierId) -> f64 {
        let here = &self.scenario.tiers[tier];
        let Some(one) = here.availability.as_ref().map(plimsoll_scenarios::units::Quantity::get) else {
            return 0.0;
        };
        if here.external.is_some() {
            return 1.0 - one;
        }
        let (pieces, needed) = here.replication.pieces();
        let places = self.loads[tier].places.len().max(1);
        let busy = (0..places).filter_map(|p| self.busy(tier, p)).fold(0.0, f64::max).min(1.0);
        let servers = self.sizing.tiers[tier].as_ref().map_or(1, |s| s.deployed(&self.loads[tier]));
        let independent = if pieces > 1 {
            unavailability_of_k_of_n(u64::from(pieces), u64::from(needed), one)
        } else {
            let k = (servers as f64 * busy).ceil().max(1.0) as u64;
            unavailability_of_k_of_n(servers, k, one)
        };
        let sites = if here.scope == Scope::Site { self.scenario.sites() } else { 1 };
        let zones = u64::from(here.zones.max(sites));
        // As many zones as carry the peak.
        let kept = ((zones as f64 * busy - 1e-9).ceil().max(1.0) as u64).min(zones);
        1.0 - (1.0 - independent) * (1.0 - unavailability_of_k_of_n(zones, kept, ZONE))
    }

    /// The value of a goal, and by how much of itself it misses its bound (below 0 where it is met).
    fn value(&self, goal: &Goal, bound: f64, exact: bool) -> (f64, f64) {
        match goal.metric {
            GoalMetric::Time { action, p, complete } => {
                let regions = self.of_action(action, complete);
                let late = tail_over(&regions, bound);
                let excess = (late / (1.0 - p)).max(1e-300).ln();
                let value = if exact { quantile_over(&regions, p) } else { f64::NAN };
                (value, excess)
            }
            GoalMetric::HitRatio(tier) => {
                let value = hit_ratio(self.evaluator, self.hits, tier);
                (value, bound - value)
            }
            GoalMetric::Availability => {
                let failing = self.failing(true);
                (1.0 - failing, (failing.max(1e-300) / (1.0 - bound).max(1e-300)).ln())
            }
            GoalMetric::Loss(tier) => {
                let lost = tier.map_or_else(|| self.failing(false), |t| self.loss_of(t));
                (lost, (lost.max(1e-300) / bound.max(1e-300)).ln())
            }
            GoalMetric::Durability(dataset) => {
                let loss = durability::of_dataset(self.scenario, self.sizing, dataset);
                (1.0 - loss, (loss.max(1e-300) / (1.0 - bound).max(1e-300)).ln())
            }
        }
    }
}

fn variable(rtt: f64, mean: f64, variance: f64) -> Mixture {
    if variance > 0.0 { Mixture::single(rtt, mean, variance) } else { Mixture::constant(rtt + mean) }
}

/// Seconds for the body over the slowest of the user's own access and the link of the first tier beyond the device.
fn transfer(scenario: &Scenario, action: usize) -> f64 {
    let here = &scenario.actions[action];
    let entry = here.path.iter().find(|&&t| scenario.tiers[t].scope != Scope::User);
    let links = [scenario.population.downlink.as_ref(), entry.and_then(|&t| scenario.tiers[t].link.as_ref())];
    let slowest = links
        .into_iter()
        .flatten()
        .map(plimsoll_scenarios::units::Quantity::get)
        .fold(f64::INFINITY, f64::min);
    here.response.get() * 8.0 / slowest
}

/// Hits of a tier's cache over its lookups.
#[must_use]
pub fn hit_ratio(evaluator: &Evaluator<'_>, hits: &Hits, tier: TierId) -> f64 {
    let calls = evaluator.demand.calls(evaluator.flow, hits);
    let looked = || evaluator.flow.at(tier).filter(|&n| evaluator.flow.nodes[n].lookup);
    let (found, all) = looked().fold((0.0, 0.0), |(f, a), n| (f + calls[n] * hits[n], a + calls[n]));
    if all > 0.0 { found / all } else { 0.0 }
}

/// Time of what a call's tier does behind it.
#[must_use]
pub fn behind(state: &State<'_, '_>, node: usize) -> Mixture {
    let call = state.evaluator.flow.nodes[node].call;
    let regions = state.scenario.population.regions.len();
    let mut slowest = Mixture::constant(0.0);
    for region in 0..regions {
        let time = state.of_calls(&call.next, region).with_probability(1.0 - state.hits[node]);
        if time.mean() > slowest.mean() {
            slowest = time;
        }
    }
    slowest
}

/// The longest service that some target's time waits for, mean, s.
#[must_use]
pub fn slowest_waited_for(evaluator: &Evaluator<'_>) -> f64 {
    let waits = |id: usize| {
        let of = |goal: &Goal| matches!(goal.metric, GoalMetric::Time { action, .. } if action == id);
        evaluator.problem.goals.iter().any(of)
    };
    let nodes = evaluator.flow.nodes.iter();
    let nodes = nodes.filter(|n| n.cause == Cause::Request && !n.asynchronous && waits(n.action));
    let service = |n: &crate::flow::Node<'_>| {
        evaluator.world.tiers[n.call.tier].station.as_ref().map(|s| s.service_time.mean())
    };
    nodes.filter_map(service).fold(0.0, f64::max)
}

/// A goal's bound, tightened where the simulator has shown the formula to be kind.
fn bound(evaluator: &Evaluator<'_>, goal: usize) -> f64 {
    let here = &evaluator.problem.goals[goal];
    match here.metric {
        GoalMetric::Time { .. } | GoalMetric::Loss(_) => here.bound * evaluator.margins[goal],
        // Of a share, what is missing to 1.
        _ => 1.0 - (1.0 - here.bound) * evaluator.margins[goal],
    }
}

/// Whether a tier's servers can change a goal's value.
#[must_use]
pub fn hangs_on(evaluator: &Evaluator<'_>, goal: usize, tier: TierId) -> bool {
    match evaluator.problem.goals[goal].metric {
        GoalMetric::Time { action, .. } => {
            let here = |node: &crate::flow::Node<'_>| node.action == action && node.call.tier == tier;
            evaluator.flow.nodes.iter().any(here)
        }
        GoalMetric::HitRatio(_) => false,
        GoalMetric::Durability(_) | GoalMetric::Availability | GoalMetric::Loss(_) => true,
    }
}

/// Whether a value meets a goal.
#[must_use]
pub fn met(evaluator: &Evaluator<'_>, goal: usize, value: f64) -> bool {
    let bound = bound(evaluator, goal);
    if evaluator.problem.goals[goal].less_than { value < bound } else { value > bound }
}

/// Goals that caches alone decide, with their values.
#[must_use]
pub fn of_caches(evaluator: &Evaluator<'_>, hits: &Hits) -> Vec<(usize, f64)> {
    let goals = evaluator.problem.goals.iter().enumerate();
    goals
        .filter_map(|(i, goal)| match goal.metric {
            GoalMetric::HitRatio(tier) => Some((i, hit_ratio(evaluator, hits, tier))),
            _ => None,
        })
        .collect()
}

/// Times and losses as they were if nobody waited: no number of servers does better. Durability, which servers do
/// not change, is among them.
#[must_use]
pub fn without_waits(evaluator: &Evaluator<'_>, scenario: &Scenario, sizing: &Sizing) -> Vec<(usize, f64)> {
    let state = State { no_waits: true, ..State::normal(evaluator, scenario, sizing) };
    let mut found = Vec::new();
    for (i, goal) in evaluator.problem.goals.iter().enumerate() {
        if matches!(goal.metric, GoalMetric::Time { .. } | GoalMetric::Durability(_))
            && goal.failure.is_none()
        {
            let (_, excess) = state.value(goal, bound(evaluator, i), false);
            if excess > 0.0 {
                found.push((i, state.value(goal, bound(evaluator, i), true).0));
            }
        }
    }
    found
}

/// A goal's value, and by how much it is missed, in the worst state of its failure.
fn at_worst(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    cold: &[Vec<TierLoad>],
    goal: usize,
    exact: bool,
) -> (f64, f64) {
    let here = &evaluator.problem.goals[goal];
    let bound = bound(evaluator, goal);
    let normal = || State::normal(evaluator, scenario, sizing);
    let worse = |a: (f64, f64), b: (f64, f64)| if b.1 > a.1 { b } else { a };
    let none = (f64::NAN, f64::NEG_INFINITY);
    match here.failure {
        // A new object is in every cache after its first request, and the rest is a smaller load.
        None | Some(Failure::HotRelease) => normal().value(here, bound, exact),
        Some(Failure::ServerDown) => (0..sizing.tiers.len())
            .filter(|&t| sizing.tiers[t].is_some())
            .map(|t| normal().under(Failure::ServerDown, Some(t)).value(here, bound, exact))
            .fold(none, worse),
        Some(Failure::ColdCache) => {
            let caches = (0..scenario.tiers.len())
                .filter(|&t| sizing.choice.caches[t].is_some() && scenario.tiers[t].scope != Scope::User);
            let each = caches.zip(cold).map(|(tier, loads)| {
                let hits = evaluator.cold(&sizing.hits, tier);
                normal().under(Failure::ColdCache, None).with(&hits, loads).value(here, bound, exact)
            });
            each.fold(none, worse)
        }
        Some(failure) => normal().under(failure, None).value(here, bound, exact),
    }
}

/// By how much a goal is missed; below 0 where it is met.
#[must_use]
pub fn excess(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    cold: &[Vec<TierLoad>],
    goal: usize,
) -> f64 {
    at_worst(evaluator, scenario, sizing, cold, goal, false).1
}

/// The goal that is missed by most, with its value and by how much.
#[must_use]
pub fn worst(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    cold: &[Vec<TierLoad>],
) -> Option<(usize, f64, f64)> {
    let goals = 0..evaluator.problem.goals.len();
    let most = goals
        .map(|goal| (goal, excess(evaluator, scenario, sizing, cold, goal)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let value =
        if most.1 > 0.0 { at_worst(evaluator, scenario, sizing, cold, most.0, true).0 } else { f64::NAN };
    Some((most.0, value, most.1))
}

/// The value of a goal.
#[must_use]
pub fn value(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    cold: &[Vec<TierLoad>],
    goal: usize,
) -> f64 {
    at_worst(evaluator, scenario, sizing, cold, goal, true).0
}
