//! Hit ratios by formula, for caches one behind the other.
//!
//! Che's approximation gives every object of a cache the same characteristic time. An LRU cache that is asked for what
//! others miss, and for nothing else, is solved with the gaps that they leave ([`super::behind`]). Otherwise what a cache
//! misses is taken as independent references with the rates that are left, which is the usual approximation for the next
//! one (Fricker, Robert and Roberts, "A versatile and accurate approximation for LRU cache performance", ITC 24, 2012,
//! section V); simulation shows how good it is.

use std::collections::BTreeMap;

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::{Atom, LruLaw};
use plimsoll_scenarios::trace::DeviceCache;
use plimsoll_scenarios::units::Quantity;
use plimsoll_scenarios::{Cache, Call, DatasetId, OnWrite, Policy, Scenario, Scope, TierId};

pub use super::behind::{Asked, Before, BehindLaw, behind};
use super::fifo::FifoLaw;
use crate::flow::{self, Cause, Flow};
use crate::model;

/// A cache under the approximation: its policy and characteristic time, with what else bounds what it answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Approximation {
    /// Time since the last request.
    Lru(LruLaw),
    /// Time since the object came in; also for RANDOM, and near CLOCK.
    Fifo(FifoLaw),
    /// LRU behind other caches.
    Behind(BehindLaw),
}

/// What a cache has an approximation of besides its policy and capacity, in the unit of the rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// How long an object is fresh; infinite where for ever.
    pub ttl: f64,
    /// Kept from the second request in a history on.
    pub on_second: bool,
}

impl Bounds {
    pub const NONE: Self = Self { ttl: f64::INFINITY, on_second: false };

    /// Those of a scenario's cache, where rates are those of all its `instances` together: what one of them sees in a
    /// second takes them all that much less.
    #[must_use]
    pub fn of(cache: &Cache, instances: f64) -> Self {
        let ttl = cache.ttl.as_ref().map_or(f64::INFINITY, Quantity::get);
        Self { ttl: ttl / instances, on_second: cache.admit.on_second }
    }
}

/// How an object stands with a cache that has been in use for long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Probability that its last request (of FIFO, its coming in) is recent enough for it to be there.
    pub recent: f64,
    /// Then, that it is.
    pub kept: f64,
    /// Then, that it is fresh.
    pub fresh: f64,
    /// Probability that a history has it.
    pub remembered: f64,
}

impl Approximation {
    /// Solves for the characteristic time of a cache of `capacity` (in the atoms' count) under requests at
    /// the atoms' rates. `None` where no approximation is known for the policy.
    #[must_use]
    pub fn solve(policy: Policy, atoms: &[Atom], capacity: f64) -> Option<Self> {
        Self::bounded(policy, Bounds::NONE, atoms, capacity)
    }

    /// The same for a cache with bounds.
    #[must_use]
    pub fn bounded(policy: Policy, bounds: Bounds, atoms: &[Atom], capacity: f64) -> Option<Self> {
        match policy {
            Policy::Lru => Some(Self::Lru(LruLaw::solve(atoms, capacity, bounds.ttl, bounds.on_second))),
            Policy::Fifo => Some(Self::Fifo(FifoLaw::solve(atoms, capacity, bounds.ttl, bounds.on_second))),
            Policy::Clock | Policy::Sieve | Policy::S3Fifo | Policy::Lfu | Policy::WTinyLfu => None,
        }
    }

    /// The same for a cache without bounds behind others: `asked_before` says of atoms how often those are asked, where they
    /// alone ask for them.
    #[must_use]
    pub fn behind(atoms: &[Atom], asked_before: &[Option<f64>], capacity: f64, before: Before) -> Self {
        Self::Behind(BehindLaw::solve(atoms, asked_before, capacity, before))
    }

    /// `number` such caches as those before one; `None` where their misses have no law.
    #[must_use]
    pub fn before(&self, number: f64) -> Option<Before> {
        match self {
            _ if number < 1.0 => None,
            Self::Lru(LruLaw { time, ttl: f64::INFINITY, history: None }) => Some(Before::lru(*time, number)),
            Self::Fifo(FifoLaw { time, ttl: f64::INFINITY, history: None }) => {
                Some(Before::fifo(*time, number))
            }
            Self::Lru(_) | Self::Fifo(_) | Self::Behind(_) => None,
        }
    }

    /// Whether the policy has an approximation of its own.
    #[must_use]
    pub const fn known(policy: Policy) -> bool {
        matches!(policy, Policy::Lru | Policy::Fifo)
    }

    /// Probability that a request for an object of this rate is a hit.
    #[must_use]
    pub fn hit(&self, rate: f64) -> f64 {
        self.hit_with(rate, 0.0, 0.0)
    }

    /// The same where the object gives way to another one at the rate `churn`, and is made stale at the rate `writes`: only
    /// a request that comes before that finds it. For LRU the interval to the next request is exponential, so both races
    /// are: `rate / (rate + churn) x (1 - exp(-(rate + churn) t))`.
    #[must_use]
    pub fn hit_with(&self, asked: impl Into<Asked>, churn: f64, writes: f64) -> f64 {
        let asked = asked.into();
        let rate = asked.rate;
        match self {
            Self::Behind(law) => law.hit(asked, churn),
            Self::Lru(law) => law.hit_with(rate, churn, writes),
            Self::Fifo(law) if churn > 0.0 && rate > 0.0 => {
                rate / (rate + churn) * law.hit(rate + churn, writes)
            }
            Self::Fifo(law) => law.hit(rate, writes),
        }
    }

    /// The characteristic time of `memory` (in the atoms' count) of what the cache has, by its own policy. `asked_before` is
    /// as in [`Self::behind`].
    #[must_use]
    pub fn memory_time(&self, atoms: &[Atom], asked_before: &[Option<f64>], memory: f64) -> f64 {
        match self {
            Self::Lru(law) => law.memory_time(atoms, memory),
            Self::Fifo(law) => law.memory_time(atoms, memory),
            Self::Behind(law) => BehindLaw::solve(atoms, asked_before, memory, law.before).time.min(law.time),
        }
    }

    /// Probability that a request is a hit of memory with this characteristic time, as [`Self::hit_with`] says of both
    /// memory and disk.
    #[must_use]
    pub fn hit_in_memory(&self, memory_time: f64, asked: impl Into<Asked>, churn: f64, writes: f64) -> f64 {
        let asked = asked.into();
        let rate = asked.rate;
        match self {
            Self::Behind(law) => law.within(memory_time).hit(asked, churn),
            Self::Lru(law) => law.hit_in_memory(memory_time, rate, churn, writes),
            Self::Fifo(law) if churn > 0.0 && rate > 0.0 => {
                rate / (rate + churn) * law.hit_in_memory(memory_time, rate + churn, writes)
            }
            Self::Fifo(law) => law.hit_in_memory(memory_time, rate, writes),
        }
    }

    /// Probability that a request is a miss after which the cache has the object.
    #[must_use]
    pub fn kept(&self, asked: impl Into<Asked>, churn: f64, writes: f64) -> f64 {
        let asked = asked.into();
        let rate = asked.rate;
        match self {
            Self::Behind(_) => 1.0 - self.hit_with(asked, churn, writes),
            Self::Lru(law) => law.kept(rate, churn, writes),
            Self::Fifo(law) => {
                // Of an object's misses as many as if it gave way to none.
                let missed = 1.0 - law.hit(rate, writes);
                let part = if missed > 0.0 { law.kept(rate, writes) / missed } else { 0.0 };
                part * (1.0 - self.hit_with(asked, churn, writes))
            }
        }
    }

    /// The same cache no longer than a time after it was empty; time in that of the rates.
    #[must_use]
    pub fn within(&self, time: f64) -> Self {
        match self {
            Self::Lru(law) => Self::Lru(law.within(time)),
            Self::Fifo(law) => Self::Fifo(law.within(time)),
            Self::Behind(law) => Self::Behind(law.within(time)),
        }
    }

    /// How an object that is asked for and written so often stands with the cache.
    #[must_use]
    pub fn standing(&self, asked: impl Into<Asked>, writes: f64) -> Standing {
        let asked = asked.into();
        let rate = asked.rate;
        let hit = self.hit_with(asked, 0.0, writes);
        let within = |time: f64| if rate > 0.0 { -(-rate * time).exp_m1() } else { 0.0 };
        let (held, recent, history) = match self {
            // Such caches have no rules.
            Self::Behind(law) => {
                return Standing { recent: law.held(asked), kept: 1.0, fresh: 1.0, remembered: 0.0 };
            }
            Self::Lru(law) => (law.held(rate), within(law.time), law.history),
            Self::Fifo(law) => (law.held(rate), law.held(rate), law.history),
        };
        let share = |part: f64, of: f64| if of > 0.0 { (part / of).min(1.0) } else { 0.0 };
        Standing {
            recent,
            kept: share(held, recent),
            fresh: share(hit, held),
            remembered: history.map_or(0.0, within),
        }
    }

    /// The rate of independent references at which an object would be in the cache with this probability: what draws how
    /// long ago it was asked for, so that nothing there is older than the characteristic time.
    #[must_use]
    pub fn equivalent_rate(&self, asked: Asked, held: f64) -> f64 {
        match self {
            Self::Behind(law) if law.time < f64::INFINITY && held < 1.0 => -(-held).ln_1p() / law.time,
            _ => asked.rate,
        }
    }

    /// Share of all requests that hit.
    #[must_use]
    pub fn hit_ratio(&self, atoms: &[Atom]) -> f64 {
        let requests: f64 = atoms.iter().map(|a| a.count * a.p).sum();
        if requests <= 0.0 {
            0.0
        } else {
            atoms.iter().map(|a| a.count * a.p * self.hit(a.p)).sum::<f64>() / requests
        }
    }
}

/// What the approximation says of a whole scenario.
#[derive(Debug, Clone)]
pub struct Chain {
    /// By tier: hit ratio of its cache, where one is known.
    pub hit_ratio: Vec<Option<f64>>,
    /// By tier: the solved cache.
    pub caches: Vec<Option<Approximation>>,
    /// By tier of which a part is in memory: the characteristic time of that, and the share of lookups that it answers,
    /// where that is known.
    pub memory_times: Vec<Option<f64>>,
    pub memory_hit_ratio: Vec<Option<f64>>,
    /// By tier and dataset: how often its caches are asked for each object, 1/s, all instances together.
    pub asked: Vec<BTreeMap<usize, Vec<Atom>>>,
    /// By tier and dataset: the tier whose caches are all that its own are asked by, where it is solved with their gaps.
    pub behind: Vec<BTreeMap<DatasetId, TierId>>,
    /// By tier and dataset, where writes make what the cache has stale: how often each object is written there, 1/s, all
    /// instances together.
    pub written: Vec<BTreeMap<usize, Vec<Atom>>>,
    /// By tier and dataset: share of the objects that its cache keeps by their size.
    pub admitted: Vec<Vec<f64>>,
    /// By action and position in its path, for actions whose calls are a chain: share of the action's
    /// requests that get this far.
    pub arriving: Vec<Vec<f64>>,
    /// By call (as in [`Flow`]): share of the arriving calls that its tier's cache answers; 0 without one.
    pub hits: Vec<f64>,
    /// By call: share of the arriving calls that memory answers, and of those that are missed and kept; 0 where the cache
    /// has no disks.
    pub memory_hits: Vec<f64>,
    pub kept: Vec<f64>,
    /// By call: share of the arriving calls that the most popular object has, and the sum of the squares of
    /// all objects' shares; 0 where nothing asks which objects they are.
    pub concentration: Vec<(f64, f64)>,
}

impl Chain {
    /// Probability that a lookup of a tier finds an object of a rate there that is written so often, 1/s.
    #[must_use]
    pub fn found(&self, tier: TierId, dataset: DatasetId, asked: impl Into<Asked>, writes: f64) -> f64 {
        let hit = self.caches[tier].map_or(0.0, |cache| cache.hit_with(asked, 0.0, writes));
        self.admitted[tier][dataset] * hit
    }

    /// The same of memory, where a part of the cache is in memory.
    #[must_use]
    pub fn found_in_memory(
        &self,
        tier: TierId,
        dataset: DatasetId,
        asked: impl Into<Asked>,
        writes: f64,
    ) -> f64 {
        let (Some(cache), Some(time)) = (self.caches[tier], self.memory_times[tier]) else { return 0.0 };
        self.admitted[tier][dataset] * cache.hit_in_memory(time, asked, 0.0, writes)
    }

    /// How often the caches before those of a tier are asked for an object of an atom, 1/s, where they alone ask these.
    #[must_use]
    pub fn asked_before(&self, tier: TierId, dataset: DatasetId, atom: usize) -> Option<f64> {
        let before = *self.behind[tier].get(&dataset)?;
        self.asked[before].get(&dataset)?.get(atom).map(|atom| atom.p)
    }
}

/// Share of the objects of each dataset that a tier's cache keeps by their size, and their mean bytes.
#[must_use]
pub fn kept_by_size(scenario: &Scenario, tier: TierId) -> Vec<(f64, f64)> {
    let cache = scenario.tiers[tier].cache.as_ref();
    let kept = |dataset: &plimsoll_scenarios::Dataset| cache.map_or((1.0, 1.0), |c| dataset.kept_by(c));
    scenario.datasets.values().map(kept).collect()
}

/// Whether a call is a write that makes the object stale in its tier's cache.
#[must_use]
pub fn spoils(scenario: &Scenario, call: &Call) -> bool {
    let told = |cache: &Cache| cache.on_write == OnWrite::Invalidate;
    call.write
        && scenario.tiers[call.tier].cache.as_ref().is_some_and(told)
        && call.of.is_some_and(|dataset| scenario.caches(call.tier, dataset))
}

/// A stream of references: calls for one request of the action, by object.
struct Stream {
    arriving: f64,
    atoms: Vec<Atom>,
}

struct Solver<'s, 'f> {
    scenario: &'s Scenario,
    flow: &'f Flow<'s>,
    streams: Vec<Option<Stream>>,
    /// By call that is looked up: probability of a hit by atom.
    found: Vec<Vec<f64>>,
    chain: Chain,
}

/// Follows every action's requests through the caches of its calls.
#[must_use]
pub fn chain(scenario: &Scenario) -> Chain {
    chain_of(scenario, &Flow::of(scenario))
}

/// The same, for calls that are listed already.
///
/// Caches that several actions share see the mix of their streams. Every instance of a tier sees the same
/// mix, and only the mix matters, since a characteristic time counts requests and not seconds.
#[must_use]
pub fn chain_of(scenario: &Scenario, flow: &Flow<'_>) -> Chain {
    let tiers = scenario.tiers.len();
    let chain = Chain {
        hit_ratio: vec![None; tiers],
        caches: vec![None; tiers],
        memory_times: vec![None; tiers],
        memory_hit_ratio: vec![None; tiers],
        asked: vec![BTreeMap::new(); tiers],
        behind: vec![BTreeMap::new(); tiers],
        written: vec![BTreeMap::new(); tiers],
        admitted: vec![vec![1.0; scenario.datasets.len()]; tiers],
        arriving: Vec::new(),
        hits: vec![0.0; flow.nodes.len()],
        memory_hits: vec![0.0; flow.nodes.len()],
        kept: vec![0.0; flow.nodes.len()],
        concentration: vec![(0.0, 0.0); flow.nodes.len()],
    };
    let streams = flow.nodes.iter().map(|_| None).collect();
    let found = vec![Vec::new(); flow.nodes.len()];
    let mut solver = Solver { scenario, flow, streams, found, chain };
    for tier in scenario.tier_order() {
        solver.solve(tier);
    }
    // What a call that goes back on itself leaves over has no cache, so any order will do.
    for node in 0..flow.nodes.len() {
        solver.arrive(node);
    }
    let arriving = |action: usize| {
        let requests = |i: &usize| flow.nodes[*i].action == action && flow.nodes[*i].cause == Cause::Request;
        (0..flow.nodes.len())
            .filter(requests)
            .map(|i| solver.streams[i].as_ref().map_or(0.0, |s| s.arriving))
            .collect()
    };
    let arriving = (0..scenario.actions.len()).map(arriving).collect();
    Chain { arriving, ..solver.chain }
}

impl Solver<'_, '_> {
    /// The stream that arrives at a call: what its caller's cache leaves of the caller's.
    fn arrive(&mut self, node: usize) {
        if self.streams[node].is_some() {
            return;
        }
        let here = &self.flow.nodes[node];
        let action = &self.scenario.actions[here.action];
        let number = here.call.mean_number();
        let stream = if let Some(caller) = here.caller {
            self.arrive(caller);
            let same = self.flow.nodes[caller].call.of == here.call.of;
            let left =
                self.streams[caller].as_ref().map_or(0.0, |s| s.arriving) * (1.0 - self.chain.hits[caller]);
            let atoms = match &self.streams[caller] {
                Some(stream) if same => self.missed(caller, &stream.atoms, number),
                _ => self.fresh(here.call.of, left * number),
            };
            Stream { arriving: left * number, atoms }
        } else {
            let arriving = number * flow::occurrences(action, here.cause);
            Stream { arriving, atoms: self.fresh(here.call.of, arriving) }
        };
        if stream.arriving > 0.0 {
            let shares = || stream.atoms.iter().map(|a| (a.count, a.p / stream.arriving));
            let most = shares().map(|(_, share)| share).fold(0.0, f64::max);
            self.chain.concentration[node] =
                (most, shares().map(|(count, share)| count * share * share).sum());
        }
        self.streams[node] = Some(stream);
    }

    /// References to a dataset that nothing has filtered yet.
    fn fresh(&self, of: Option<usize>, arriving: f64) -> Vec<Atom> {
        let Some(dataset) = of else { return Vec::new() };
        // Only caches, shards and single writers ask for objects; without any nothing needs to know them.
        let asks = |n: &flow::Node<'_>| {
            let tier = &self.scenario.tiers[n.call.tier];
            let single = tier.station.as_ref().is_some_and(|s| s.single_writer);
            n.call.of == of && (n.lookup || tier.sharding.is_some() || single)
        };
        if !self.flow.nodes.iter().any(asks) {
            return Vec::new();
        }
        let dataset = &self.scenario.datasets[dataset];
        let mut atoms = dataset.popularity.over(dataset.count.get() as u64).atoms();
        for atom in &mut atoms {
            atom.p *= arriving;
        }
        atoms
    }

    /// What the cache of a call's tier lets through, `number` times.
    fn missed(&self, node: usize, atoms: &[Atom], number: f64) -> Vec<Atom> {
        let found = &self.found[node];
        let pass = |i: usize| 1.0 - found.get(i).copied().unwrap_or(0.0);
        atoms.iter().enumerate().map(|(i, a)| Atom { count: a.count, p: a.p * number * pass(i) }).collect()
    }

    /// Shares of a call's lookups that its cache's memory answers, and that are missed and kept.
    fn levels_of(&self, node: usize, asked: &[Atom]) -> (f64, f64) {
        let here = &self.flow.nodes[node];
        let tier = here.call.tier;
        let Some(stream) = self.streams[node].as_ref().filter(|s| s.arriving > 0.0) else {
            return (0.0, 0.0);
        };
        let share = |of: &dyn Fn(usize) -> f64| {
            let parts = stream.atoms.iter().enumerate().map(|(i, a)| a.count * a.p * of(i));
            parts.sum::<f64>() / stream.arriving
        };
        if self.scenario.tiers[tier].scope == Scope::User {
            let device = DeviceCache::of(self.scenario, &self.scenario.actions[here.action]);
            let Some(device) = device.filter(|d| d.memory_time.is_some()) else { return (0.0, 0.0) };
            return (share(&|i| device.hit_in_memory(stream.atoms[i].p / stream.arriving)), 0.0);
        }
        let (Some(cache), Some(time)) = (self.chain.caches[tier], self.chain.memory_times[tier]) else {
            return (0.0, 0.0);
        };
        let Some(dataset) = here.call.of else { return (0.0, 0.0) };
        let churn = self.churn(tier, dataset);
        let admitted = self.chain.admitted[tier][dataset];
        let written = self.chain.written[tier].get(&dataset);
        let writes = |i: usize| written.and_then(|atoms| atoms.get(i)).map_or(0.0, |atom| atom.p);
        let of = |i: usize| Asked {
            rate: asked.get(i).map_or(0.0, |atom| atom.p),
            before: self.chain.asked_before(tier, dataset, i),
        };
        let memory = share(&|i| admitted * cache.hit_in_memory(time, of(i), churn, writes(i)));
        (memory, share(&|i| admitted * cache.kept(of(i), churn, writes(i))))
    }

    /// How often an object of a dataset gives way to another in the caches of a tier, all together, 1/s.
    fn churn(&self, tier: TierId, dataset: DatasetId) -> f64 {
        let churn = self.scenario.datasets[dataset].churn_per_day.get() / DAY_S;
        churn * model::cache_instances(self.scenario, tier) as f64
    }

    /// Probabilities that a call finds its object in its tier's cache, by atom. `asked` is how often all
    /// calls of the tier ask for an object of the atom, 1/s.
    fn hits_of(&self, node: usize, asked: &[Atom]) -> Vec<f64> {
        let tier = self.flow.nodes[node].call.tier;
        let here = &self.flow.nodes[node];
        let Some(stream) = &self.streams[node] else { return Vec::new() };
        if self.scenario.tiers[tier].scope == Scope::User {
            let action = &self.scenario.actions[here.action];
            let Some(device) = DeviceCache::of(self.scenario, action) else { return Vec::new() };
            let hit = |p: f64| 1.0 - (1.0 - device.repeat) * (1.0 - device.hit(p));
            return stream.atoms.iter().map(|a| hit(a.p / stream.arriving)).collect();
        }
        let (Some(cache), Some(dataset)) = (self.chain.caches[tier], here.call.of) else { return Vec::new() };
        let churn = self.churn(tier, dataset);
        let admitted = self.chain.admitted[tier][dataset];
        let written = self.chain.written[tier].get(&dataset);
        let writes = |i: usize| written.and_then(|atoms| atoms.get(i)).map_or(0.0, |atom| atom.p);
        let hit = |(i, atom): (usize, &Atom)| {
            let asked = Asked { rate: atom.p, before: self.chain.asked_before(tier, dataset, i) };
            admitted * cache.hit_with(asked, churn, writes(i))
        };
        asked.iter().enumerate().map(hit).collect()
    }

    /// By dataset: how often calls ask for each of its objects, 1/s. All streams of a dataset have the same atoms.
    fn together(&self, nodes: &[usize]) -> BTreeMap<usize, Vec<Atom>> {
        let mut together: BTreeMap<usize, Vec<Atom>> = BTreeMap::new();
        for &node in nodes {
            let here = &self.flow.nodes[node];
            let (Some(dataset), Some(stream)) = (here.call.of, &self.streams[node]) else { continue };
            let rate = self.scenario.mean_rate(&self.scenario.actions[here.action]);
            let none = || stream.atoms.iter().map(|atom| Atom { p: 0.0, ..*atom }).collect();
            let sums = together.entry(dataset).or_insert_with(none);
            sums.iter_mut().zip(&stream.atoms).for_each(|(sum, atom)| sum.p += atom.p * rate);
        }
        together
    }

    /// A tier's cache under all streams together; `mixed` are its atoms by dataset.
    fn law(
        &mut self,
        tier: TierId,
        cache: &Cache,
        asked: &BTreeMap<usize, Vec<Atom>>,
        mixed: &[Atom],
    ) -> Option<Approximation> {
        let (capacity, instances) =
            (cache.capacity.get(), model::cache_instances(self.scenario, tier) as f64);
        let before = if cache.policy == Policy::Fifo { None } else { self.before(tier, instances) };
        if let Some(before) = before {
            let asked_before = self.asked_before(tier, asked);
            return Some(Approximation::behind(mixed, &asked_before, capacity, before));
        }
        let bounds = Bounds::of(cache, instances);
        // A policy without an approximation of its own passes for LRU towards what is behind it.
        Approximation::bounded(cache.policy, bounds, mixed, capacity)
            .or_else(|| Approximation::bounded(Policy::Lru, bounds, mixed, capacity))
    }

    /// By atom of all datasets in their order, how often the caches before those of a tier are asked for an object.
    fn asked_before(&self, tier: TierId, asked: &BTreeMap<usize, Vec<Atom>>) -> Vec<Option<f64>> {
        let each = asked.iter().flat_map(|(&d, atoms)| (0..atoms.len()).map(move |i| (d, i)));
        each.map(|(d, i)| self.chain.asked_before(tier, d, i)).collect()
    }

    /// The caches before those of a tier, where these are solved with their gaps.
    fn before(&mut self, tier: TierId, instances: f64) -> Option<Before> {
        let datasets = behind(self.scenario, self.flow, tier);
        let before = *datasets.values().next()?;
        let number = model::cache_instances(self.scenario, before) as f64 / instances;
        let law = self.chain.caches[before].and_then(|cache| cache.before(number))?;
        self.chain.behind[tier] = datasets;
        Some(law)
    }

    fn solve(&mut self, tier: TierId) {
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        for &node in &nodes {
            self.arrive(node);
        }
        let spoiling: Vec<usize> =
            nodes.iter().copied().filter(|&node| spoils(self.scenario, self.flow.nodes[node].call)).collect();
        let looked_up: Vec<usize> = nodes.into_iter().filter(|&node| self.flow.nodes[node].lookup).collect();
        let on_device = self.scenario.tiers[tier].scope == Scope::User;
        let asked = self.together(&looked_up);
        self.chain.written[tier] = self.together(&spoiling);
        if let (Some(cache), false) = (&self.scenario.tiers[tier].cache, on_device) {
            let kept = kept_by_size(self.scenario, tier);
            self.chain.admitted[tier] = kept.iter().map(|(share, _)| *share).collect();
            // All streams together, weighed in bytes: an atom's count is its bytes.
            let bytes = |(&dataset, atoms): (&usize, &Vec<Atom>)| {
                let size = kept[dataset].0 * kept[dataset].1;
                atoms.iter().map(|a| Atom { count: a.count * size, p: a.p }).collect::<Vec<Atom>>()
            };
            let mixed: Vec<Atom> = asked.iter().flat_map(bytes).collect();
            if mixed.iter().any(|a| a.p > 0.0) {
                self.chain.caches[tier] = self.law(tier, cache, &asked, &mixed);
                let asked_before = self.asked_before(tier, &asked);
                let time =
                    |law: Approximation| Some(law.memory_time(&mixed, &asked_before, cache.in_memory()?));
                self.chain.memory_times[tier] = self.chain.caches[tier].and_then(time);
            }
        }
        let (mut hits, mut lookups, mut in_memory) = (0.0, 0.0, 0.0);
        for node in looked_up {
            let of = self.flow.nodes[node].call.of;
            let asked = of.and_then(|d| asked.get(&d)).map_or(&[][..], Vec::as_slice);
            let found = self.hits_of(node, asked);
            let (memory, kept) = self.levels_of(node, asked);
            let Some(stream) = &self.streams[node] else { continue };
            let hit: f64 = stream.atoms.iter().zip(&found).map(|(a, hit)| a.count * a.p * hit).sum();
            let rate = self.scenario.mean_rate(&self.scenario.actions[self.flow.nodes[node].action]);
            lookups += rate * stream.arriving;
            hits += rate * hit;
            in_memory += rate * stream.arriving * memory;
            (self.chain.memory_hits[node], self.chain.kept[node]) = (memory, kept);
            self.chain.hits[node] = if stream.arriving > 0.0 { hit / stream.arriving } else { 0.0 };
            self.found[node] = found;
        }
        let known = on_device || self.chain.caches[tier].is_some();
        let own = self.scenario.tiers[tier].cache.as_ref().is_some_and(|c| Approximation::known(c.policy));
        if (own || on_device) && known && lookups > 0.0 {
            self.chain.hit_ratio[tier] = Some(hits / lookups);
            let levels = self.scenario.tiers[tier].cache.as_ref().is_some_and(|c| c.memory.is_some());
            self.chain.memory_hit_ratio[tier] = levels.then(|| in_memory / lookups);
        }
        self.chain.asked[tier] = asked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::popularity::Popularity;

    #[test]
    fn small_caches_match_the_reference() {
        // Che's approximation of LRU and the exact FIFO = RANDOM value for s = 1, N = 10, C = 3 (the
        // approximation of FIFO is close to it, not equal).
        let atoms = Popularity::zipf(1.0).over(10).atoms();
        let lru = Approximation::solve(Policy::Lru, &atoms, 3.0).unwrap().hit_ratio(&atoms);
        assert!((lru - 0.465_724).abs() < 1e-6, "{lru}");
        let fifo = Approximation::solve(Policy::Fifo, &atoms, 3.0).unwrap().hit_ratio(&atoms);
        assert!((fifo - 0.445_104).abs() < 0.02, "{fifo}");
    }

    #[test]
    fn spotify_flows_shrink_along_the_path() {
        let scenario = plimsoll_scenarios::load("spotify").unwrap();
        let chain = chain(&scenario);
        let play = scenario.actions.get_index_of("play").unwrap();
        let arriving = &chain.arriving[play];
        assert!(arriving.windows(2).all(|w| w[1] <= w[0] + 1e-12), "{arriving:?}");
        let (edge, _) = scenario.tier("edge").unwrap();
        let hit = chain.hit_ratio[edge].unwrap();
        assert!((0.8..0.95).contains(&hit), "{hit}");
        let (device, _) = scenario.tier("device").unwrap();
        assert!((0.5..0.65).contains(&chain.hit_ratio[device].unwrap()));
    }
}
