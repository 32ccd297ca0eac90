//! Hit ratios of all caches at any choice of capacities, each solved once.
//!
//! Why not the chain of the estimate: a search asks for thousands of combinations of capacities, and most of them
//! differ in one cache only. What a cache answers depends on its own capacity and on those of the caches before
//! it on the way of its datasets, so a solution is kept under these alone. The formulas are those of
//! [`crate::analytic::caches`]: Che's approximation, and what one cache misses is independent references for
//! the next.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::rc::Rc;

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::Atom;
use plimsoll_scenarios::trace::DeviceCache;
use plimsoll_scenarios::{DatasetId, Policy, Scenario, Scope, TierId};

use super::policies::Policies;
use super::shards::Keys;
use crate::analytic::caches::{Approximation, Asked, Before, Bounds, behind, kept_by_size, spoils};
use crate::flow::{self, Flow};
use crate::model;

/// Capacity (bytes) and policy of one cache.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CacheSize {
    pub capacity: f64,
    pub policy: Policy,
}

/// By call: share of the arriving calls that its tier's cache answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hits {
    of: Vec<f64>,
    /// Where a part of the cache is on disk: shares that are answered from there, and that are missed and kept.
    levels: BTreeMap<usize, (f64, f64)>,
}

impl Deref for Hits {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.of
    }
}

impl Hits {
    fn none(calls: usize) -> Self {
        Self { of: vec![0.0; calls], levels: BTreeMap::new() }
    }

    /// Share of a call's lookups that are read from disk.
    #[must_use]
    pub fn on_disk(&self, node: usize) -> f64 {
        self.levels.get(&node).map_or(0.0, |(on_disk, _)| *on_disk)
    }

    /// Share that uses the disks of the cache, to read or to write what was fetched.
    #[must_use]
    pub fn disk_uses(&self, node: usize) -> f64 {
        self.levels.get(&node).map_or(0.0, |(on_disk, kept)| on_disk + kept)
    }

    /// The cache of a call is empty.
    pub fn forget(&mut self, node: usize) {
        self.of[node] = 0.0;
        self.levels.entry(node).and_modify(|levels| *levels = (0.0, 1.0));
    }

    /// A share of a call's requests is for an object that the cache has in memory.
    pub fn warm(&mut self, node: usize, share: f64) {
        self.of[node] = share + (1.0 - share) * self.of[node];
        let rest = |(on_disk, kept): &mut (f64, f64)| {
            *on_disk *= 1.0 - share;
            *kept *= 1.0 - share;
        };
        self.levels.entry(node).and_modify(rest);
    }
}

/// The caches of a tier, solved.
#[derive(Default)]
struct Solved {
    /// By call of the tier, the share of hits, and by atom the probability of one.
    hits: BTreeMap<usize, f64>,
    levels: BTreeMap<usize, (f64, f64)>,
    found: BTreeMap<usize, Vec<f64>>,
    cache: Option<Approximation>,
    /// By dataset and atom: how often they are asked for an object, 1/s; of caches that others are behind.
    asked: BTreeMap<DatasetId, Vec<f64>>,
}

/// A cache of a size, solved.
struct Filled {
    law: Approximation,
    /// Characteristic time of the part in memory, where the rest is on disk.
    memory_time: Option<f64>,
}

impl Filled {
    /// By atom, asked for so often: probabilities that a request is answered from disk, and that it is missed and kept;
    /// `None` where nothing is on disk.
    fn levels(
        &self,
        admitted: f64,
        churn: f64,
        asked: &[Asked],
        writes: &dyn Fn(usize) -> f64,
    ) -> Option<(Vec<f64>, Vec<f64>)> {
        let (law, time) = (&self.law, self.memory_time?);
        let of = |(i, &asked): (usize, &Asked)| {
            let hit = law.hit_with(asked, churn, writes(i));
            let on_disk = (hit - law.hit_in_memory(time, asked, churn, writes(i))).max(0.0);
            (admitted * on_disk, admitted * law.kept(asked, churn, writes(i)))
        };
        Some(asked.iter().enumerate().map(of).unzip())
    }
}

/// The caches before those of a tier, and by dataset and atom how often they are asked for an object, 1/s.
struct Gaps<'a> {
    law: Before,
    asked: BTreeMap<DatasetId, &'a [f64]>,
}

impl Gaps<'_> {
    fn asked(&self, dataset: DatasetId, atom: usize) -> Option<f64> {
        self.asked.get(&dataset)?.get(atom).copied()
    }
}

/// What a solution rests on: the tier, the sites, whether gaps count, and the sizes of it and of all caches before it.
type Key = (TierId, u64, bool, Vec<(u64, Policy)>);

/// A scenario's caches, to be asked at any sizes.
pub struct HitModel<'s> {
    scenario: &'s Scenario,
    flow: &'s Flow<'s>,
    /// By dataset: groups of objects with their probabilities; empty where no cache asks.
    atoms: Vec<Vec<Atom>>,
    /// By action.
    devices: Vec<Option<DeviceCache>>,
    /// Tiers that look something up, callers first.
    order: Vec<TierId>,
    /// By position in `order`: positions of the caches before it.
    before: Vec<Vec<usize>>,
    kept: BTreeMap<Key, Rc<Solved>>,
    /// Sites over all regions.
    sites: u64,
    /// Whether hit ratios hang on how many caches there are: each has to fetch what is new, and what it has grown old.
    churns: bool,
    /// By tier and dataset: the tier whose caches are all that its own are asked by.
    behind: Vec<BTreeMap<DatasetId, TierId>>,
    /// By tier and dataset: share of the objects that its cache keeps by their size, and their mean bytes.
    kept_by_size: Vec<Vec<(f64, f64)>>,
    policies: Policies<'s>,
}

/// Solutions that are kept at most; beyond, the search starts to forget.
const KEPT_MAX: usize = 20_000;

impl<'s> HitModel<'s> {
    #[must_use]
    pub fn new(scenario: &'s Scenario, flow: &'s Flow<'s>) -> Self {
        let looked_up = |tier: TierId| flow.at(tier).any(|n| flow.nodes[n].lookup);
        let order: Vec<TierId> = scenario.tier_order().into_iter().filter(|&t| looked_up(t)).collect();
        let cares = |n: &flow::Node<'_>| n.lookup || scenario.tiers[n.call.tier].sharding.is_some();
        let asks = |d: usize| flow.nodes.iter().any(|n| n.call.of == Some(d) && cares(n));
        let atoms = scenario.datasets.values().enumerate().map(|(d, dataset)| {
            if asks(d) { dataset.popularity.over(dataset.count.get() as u64).atoms() } else { Vec::new() }
        });
        let atoms = atoms.collect();
        let devices = scenario.actions.values().map(|action| DeviceCache::of(scenario, action)).collect();
        let mut before: Vec<Vec<usize>> = Vec::new();
        for &tier in &order {
            let mut found: Vec<usize> = Vec::new();
            for node in flow.at(tier) {
                let mut here = flow.nodes[node].caller;
                while let Some(caller) = here {
                    let at = order.iter().position(|&t| t == flow.nodes[caller].call.tier);
                    if let Some(at) = at.filter(|_| flow.nodes[caller].lookup) {
                        found.push(at);
                        // What filtered that one's own requests counts too, where datasets share a cache.
                        found.extend(before.get(at).into_iter().flatten());
                    }
                    here = flow.nodes[caller].caller;
                }
            }
            found.sort_unstable();
            found.dedup();
            before.push(found);
        }
        let policies = Policies::new(scenario, flow);
        let ages = scenario.tiers.values().any(|tier| tier.cache.as_ref().is_some_and(|c| c.ttl.is_some()));
        let churns = ages || scenario.datasets.values().any(|dataset| dataset.churn_per_day.get() > 0.0);
        let kept_by_size = (0..scenario.tiers.len()).map(|tier| kept_by_size(scenario, tier)).collect();
        let sites = u64::from(scenario.sites());
        let kept = BTreeMap::new();
        let behind: Vec<_> = (0..scenario.tiers.len()).map(|tier| behind(scenario, flow, tier)).collect();
        // How many stand before one hangs on the sites as well.
        let counted = |tier: TierId| scenario.tiers[tier].scope == Scope::Site;
        let churns = churns || behind.iter().flat_map(BTreeMap::values).any(|&tier| counted(tier));
        Self {
            scenario,
            flow,
            atoms,
            devices,
            order,
            before,
            kept,
            sites,
            churns,
            behind,
            kept_by_size,
            policies,
        }
    }

    /// The capacity of LRU that is worth as much as a cache whose policy has no law; the cache's own where it has.
    #[must_use]
    pub fn like_lru(&self, tier: TierId, size: CacheSize) -> f64 {
        if Approximation::known(size.policy) {
            return size.capacity;
        }
        self.policies.like_lru(tier, size.policy, size.capacity)
    }

    /// Hit ratios where the caches have these sizes, by tier, and there are so many sites.
    pub fn at(&mut self, sizes: &[Option<CacheSize>], sites: u64) -> Hits {
        self.sites = sites;
        self.solved(sizes, &[]).0
    }

    /// The most that they can answer where these sizes are the kindest of many, and those of the tiers in `open` may be
    /// others.
    ///
    /// Why not simply at these sizes: a larger cache leaves longer gaps, so that the one behind it may lose more hits than
    /// it gains. As independent references the two answer more, the more room they have.
    pub fn at_most(&mut self, sizes: &[Option<CacheSize>], sites: u64, open: &[bool]) -> Hits {
        self.sites = sites;
        self.solved(sizes, open).0
    }

    /// How unevenly the keys of a tier are asked for behind caches of these sizes.
    pub fn keys(&mut self, (sizes, sites): (&[Option<CacheSize>], u64), tier: TierId) -> Keys {
        self.sites = sites;
        let (hits, solved) = self.solved(sizes, &[]);
        let streams = self.flow.at(tier).map(|node| {
            let rate = self.scenario.mean_rate(&self.scenario.actions[self.flow.nodes[node].action]);
            let (arriving, atoms) = self.stream(node, &solved, &hits);
            (self.flow.nodes[node].call.of, arriving * rate, atoms, rate)
        });
        let streams: Vec<_> = streams.collect();
        let total: f64 = streams.iter().map(|(_, calls, ..)| calls).sum();
        // Calls for the same dataset agree on which key is the hottest.
        let mut hottest: BTreeMap<usize, f64> = BTreeMap::new();
        let mut squares = 0.0;
        for (of, _, atoms, rate) in streams.iter().filter(|_| total > 0.0) {
            let Some(dataset) = *of else { continue };
            let shares = || atoms.iter().map(|p| p * rate / total);
            *hottest.entry(dataset).or_default() += shares().fold(0.0, f64::max);
            squares += self.atoms[dataset].iter().zip(shares()).map(|(a, p)| a.count * p * p).sum::<f64>();
        }
        Keys { hottest: hottest.values().copied().fold(0.0, f64::max), squares }
    }

    fn solved(&mut self, sizes: &[Option<CacheSize>], open: &[bool]) -> (Hits, Vec<Rc<Solved>>) {
        let mut hits = Hits::none(self.flow.nodes.len());
        let mut solved: Vec<Rc<Solved>> = Vec::with_capacity(self.order.len());
        for (position, &tier) in self.order.iter().enumerate() {
            let size = |at: usize| {
                sizes[self.order[at]].map_or((0, Policy::Lru), |s| (s.capacity.to_bits(), s.policy))
            };
            let mut key: Vec<(u64, Policy)> = self.before[position].iter().map(|&at| size(at)).collect();
            key.push(size(position));
            let before = self.behind[tier].values().next();
            let gaps = before.is_some_and(|&before| !open.get(before).copied().unwrap_or(false));
            let key = (tier, if self.churns { self.sites } else { 0 }, gaps, key);
            let found = self.kept.get(&key).cloned();
            let one = found.unwrap_or_else(|| {
                let gaps = if gaps { self.gaps(tier, &solved) } else { None };
                Rc::new(self.solve(tier, sizes[tier], (&solved, gaps), &hits))
            });
            if self.kept.len() < KEPT_MAX {
                self.kept.entry(key).or_insert_with(|| Rc::clone(&one));
            }
            for (&node, &hit) in &one.hits {
                hits.of[node] = hit;
            }
            hits.levels.extend(&one.levels);
            solved.push(one);
        }
        (hits, solved)
    }

    /// References that arrive at a call for one request of its action: how many, and by atom.
    fn stream(&self, node: usize, solved: &[Rc<Solved>], hits: &Hits) -> (f64, Vec<f64>) {
        let here = &self.flow.nodes[node];
        let number = here.call.mean_number();
        let Some(caller) = here.caller else {
            let arriving = number * flow::occurrences(&self.scenario.actions[here.action], here.cause);
            return (arriving, self.fresh(here.call.of, arriving));
        };
        let (arriving, mut atoms) = self.stream(caller, solved, hits);
        let left = arriving * (1.0 - hits[caller]) * number;
        if self.flow.nodes[caller].call.of != here.call.of {
            return (left, self.fresh(here.call.of, left));
        }
        let found = solved.iter().find_map(|s| s.found.get(&caller));
        for (i, p) in atoms.iter_mut().enumerate() {
            *p *= number * (1.0 - found.and_then(|f| f.get(i)).copied().unwrap_or(0.0));
        }
        (left, atoms)
    }

    fn fresh(&self, of: Option<usize>, arriving: f64) -> Vec<f64> {
        of.map_or_else(Vec::new, |d| self.atoms[d].iter().map(|a| a.p * arriving).collect())
    }

    fn solve(
        &self,
        tier: TierId,
        size: Option<CacheSize>,
        (solved, gaps): (&[Rc<Solved>], Option<Gaps<'_>>),
        hits: &Hits,
    ) -> Solved {
        let nodes: Vec<usize> = self.flow.at(tier).filter(|&n| self.flow.nodes[n].lookup).collect();
        let streams: Vec<(f64, Vec<f64>)> = nodes.iter().map(|&n| self.stream(n, solved, hits)).collect();
        if self.scenario.tiers[tier].scope == Scope::User {
            return self.on_device(&nodes, &streams);
        }
        let asked = self.together(&nodes, &streams);
        let spoiling: Vec<usize> =
            self.flow.at(tier).filter(|&n| spoils(self.scenario, self.flow.nodes[n].call)).collect();
        let writes: Vec<(f64, Vec<f64>)> = spoiling.iter().map(|&n| self.stream(n, solved, hits)).collect();
        let written = self.together(&spoiling, &writes);
        let gaps = gaps.filter(|_| size.is_some_and(|size| size.policy != Policy::Fifo));
        let cache = size.and_then(|size| self.cache(tier, size, &asked, gaps.as_ref()));
        let instances = self.instances(tier);
        let mut one = Solved { cache: cache.as_ref().map(|cache| cache.law), ..Solved::default() };
        for (&node, (arriving, atoms)) in nodes.iter().zip(&streams) {
            let Some(dataset) = self.flow.nodes[node].call.of else { continue };
            let churn = self.scenario.datasets[dataset].churn_per_day.get() / DAY_S * instances;
            let share = |of: &[f64]| self.share(dataset, *arriving, atoms, of);
            let found: Vec<f64> = if let (Some(cache), Some(asked)) = (&cache, asked.get(&dataset)) {
                let admitted = self.kept_by_size[tier][dataset].0;
                let written = written.get(&dataset);
                let writes = |i: usize| written.and_then(|rates| rates.get(i)).copied().unwrap_or(0.0);
                let before = |i: usize| gaps.as_ref().and_then(|gaps| gaps.asked(dataset, i));
                let of = |(i, &rate): (usize, &f64)| Asked { rate, before: before(i) };
                let asked: Vec<Asked> = asked.iter().enumerate().map(of).collect();
                let levels = cache.levels(admitted, churn, &asked, &writes);
                one.levels.extend(levels.map(|(on_disk, kept)| (node, (share(&on_disk), share(&kept)))));
                let hit = |(i, &asked)| admitted * cache.law.hit_with(asked, churn, writes(i));
                asked.iter().enumerate().map(hit).collect()
            } else {
                vec![0.0; atoms.len()]
            };
            one.hits.insert(node, share(&found));
            one.found.insert(node, found);
        }
        if self.behind.iter().flat_map(BTreeMap::values).any(|&before| before == tier) {
            one.asked = asked;
        }
        one
    }

    /// What the caches before those of a tier leave, where these are solved with their gaps.
    fn gaps<'a>(&self, tier: TierId, solved: &'a [Rc<Solved>]) -> Option<Gaps<'a>> {
        let datasets = &self.behind[tier];
        let before = *datasets.values().next()?;
        let caches = &solved[self.order.iter().position(|&tier| tier == before)?];
        let law = caches.cache?.before(self.instances(before) / self.instances(tier))?;
        let asked = |d: &DatasetId| Some((*d, caches.asked.get(d)?.as_slice()));
        Some(Gaps { law, asked: datasets.keys().filter_map(asked).collect() })
    }

    /// By dataset: how often calls with these streams ask for its objects, 1/s.
    fn together(&self, nodes: &[usize], streams: &[(f64, Vec<f64>)]) -> BTreeMap<usize, Vec<f64>> {
        let mut together: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (&node, (_, atoms)) in nodes.iter().zip(streams) {
            let here = &self.flow.nodes[node];
            let Some(dataset) = here.call.of else { continue };
            let rate = self.scenario.mean_rate(&self.scenario.actions[here.action]);
            let sums = together.entry(dataset).or_insert_with(|| vec![0.0; atoms.len()]);
            sums.iter_mut().zip(atoms).for_each(|(sum, p)| *sum += p * rate);
        }
        together
    }

    /// Caches that a tier has.
    fn instances(&self, tier: TierId) -> f64 {
        let here = &self.scenario.tiers[tier];
        let of_sites =
            here.scope == Scope::Site && here.cache.as_ref().is_some_and(|cache| !cache.per_server);
        let all = if of_sites { self.sites } else { model::cache_instances(self.scenario, tier) };
        all as f64
    }

    /// The cache under all streams together, weighed in bytes.
    fn cache(
        &self,
        tier: TierId,
        size: CacheSize,
        asked: &BTreeMap<usize, Vec<f64>>,
        gaps: Option<&Gaps<'_>>,
    ) -> Option<Filled> {
        let mut mixed = Vec::new();
        for (&dataset, asked) in asked {
            let (admitted, bytes) = self.kept_by_size[tier][dataset];
            let bytes = admitted * bytes;
            let atoms = self.atoms[dataset].iter().zip(asked);
            mixed.extend(atoms.map(|(a, &rate)| Atom { count: a.count * bytes, p: rate }));
        }
        if !mixed.iter().any(|a| a.p > 0.0) {
            return None;
        }
        let each = asked.iter().flat_map(|(&d, rates)| (0..rates.len()).map(move |i| (d, i)));
        let asked_before: Vec<Option<f64>> = each.map(|(d, i)| gaps?.asked(d, i)).collect();
        let cache = self.scenario.tiers[tier].cache.as_ref()?;
        let law = if let Some(gaps) = gaps {
            Approximation::behind(&mixed, &asked_before, self.like_lru(tier, size), gaps.law)
        } else {
            let bounds = Bounds::of(cache, self.instances(tier));
            Approximation::bounded(size.policy, bounds, &mixed, size.capacity)
                .or_else(|| Approximation::bounded(Policy::Lru, bounds, &mixed, self.like_lru(tier, size)))?
        };
        let memory_time = cache.memory.as_ref().map(|memory| {
            let capacity = memory.get().min(size.capacity);
            law.memory_time(&mixed, &asked_before, self.like_lru(tier, CacheSize { capacity, ..size }))
        });
        Some(Filled { law, memory_time })
    }

    fn on_device(&self, nodes: &[usize], streams: &[(f64, Vec<f64>)]) -> Solved {
        let mut one = Solved::default();
        for (&node, (arriving, atoms)) in nodes.iter().zip(streams) {
            let here = &self.flow.nodes[node];
            let (Some(device), Some(dataset)) = (&self.devices[here.action], here.call.of) else { continue };
            let hit = |p: &f64| 1.0 - (1.0 - device.repeat) * (1.0 - device.hit(p / arriving));
            let found: Vec<f64> = atoms.iter().map(hit).collect();
            one.hits.insert(node, self.share(dataset, *arriving, atoms, &found));
            one.found.insert(node, found);
        }
        one
    }

    fn share(&self, dataset: usize, arriving: f64, atoms: &[f64], found: &[f64]) -> f64 {
        let hits: f64 =
            self.atoms[dataset].iter().zip(atoms).zip(found).map(|((a, p), f)| a.count * p * f).sum();
        if arriving > 0.0 { (hits / arriving).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// The sizes that a scenario states, by tier.
#[must_use]
pub fn stated(scenario: &Scenario) -> Vec<Option<CacheSize>> {
    let size = |cache: &plimsoll_scenarios::Cache| CacheSize {
        capacity: cache.capacity.get(),
        policy: cache.policy,
    };
    scenario.tiers.values().map(|tier| tier.cache.as_ref().map(size)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::caches::chain_of;

    #[test]
    fn the_hits_are_those_of_the_estimate() {
        let ruled = "name: ruled\npopulation: {users: 1 M}\n\
             datasets: {page: {count: 100 K, size: {lognormal: {mean: 20 KB, cv: 2}}, popularity: {zipf: 0.9}, churn_per_day: 5 %}}\n\
             actions:\n  get: {per_user: 50/day, of: page, path: [device, edge, shield]}\n  \
             put: {per_user: 2/day, of: page, write: true, path: [edge, shield]}\n\
             tiers:\n  device: {per: user, cache: {capacity: 1 MB, ttl: 1 h, admit: {max_size: 30 KB}}}\n  \
             edge: {per: site, cache: {capacity: 200 MB, ttl: 10 min, admit: {on: 2, max_size: 50 KB}, on_write: invalidate}}\n  \
             shield: {cache: {capacity: 500 MB, policy: fifo, ttl: 1 h, on_write: invalidate}}\n";
        let ruled = Scenario::from_yaml(&plimsoll_scenarios::SourceFile::new("ruled.yaml", ruled));
        let bundled = ["spotify", "twitter", "url-shortener", "netflix", "cdn"];
        let bundled = bundled.map(|name| plimsoll_scenarios::load(name).unwrap());
        for scenario in bundled.into_iter().chain([ruled.unwrap_or_else(|e| panic!("{e}"))]) {
            let name = &scenario.name;
            let flow = Flow::of(&scenario);
            let mut model = HitModel::new(&scenario, &flow);
            let sizes = stated(&scenario);
            let (first, again, chain) = (
                model.at(&sizes, u64::from(scenario.sites())),
                model.at(&sizes, u64::from(scenario.sites())),
                chain_of(&scenario, &flow),
            );
            assert_eq!(first, again);
            for (node, (got, want)) in first.iter().zip(&chain.hits).enumerate() {
                assert!((got - want).abs() < 1e-9, "{name}, call {node}: {got} {want}");
            }
        }
    }

    #[test]
    fn no_sizes_up_to_the_kindest_let_less_through_than_it() {
        let scenario = plimsoll_scenarios::load("spotify").unwrap();
        let flow = Flow::of(&scenario);
        let mut model = HitModel::new(&scenario, &flow);
        let mut sizes = stated(&scenario);
        let [edge, shield] = ["edge", "shield"].map(|name| scenario.tier(name).unwrap().0);
        let sites = u64::from(scenario.sites());
        let path: Vec<usize> = (0..flow.nodes.len()).filter(|&n| flow.nodes[n].action == 0).take(5).collect();
        let inwards = |hits: &Hits| -> f64 { path.iter().map(|&n| 1.0 - hits[n]).product() };
        let mut open = vec![false; scenario.tiers.len()];
        open[edge] = true;
        // By edge, then by shield.
        let capacities = [1e12, 10e12, 50e12, 120e12, 300e12];
        let mut left = [[0.0; 5]; 5];
        let mut of = |edge_bytes: f64, shield_bytes: f64, open: &[bool]| {
            sizes[edge] = sizes[edge].map(|s| CacheSize { capacity: edge_bytes, ..s });
            sizes[shield] = sizes[shield].map(|s| CacheSize { capacity: shield_bytes, ..s });
            inwards(&model.at_most(&sizes, sites, open))
        };
        for (e, &edge_bytes) in capacities.iter().enumerate() {
            for (s, &shield_bytes) in capacities.iter().enumerate() {
                left[e][s] = of(edge_bytes, shield_bytes, &[]);
                assert!(s == 0 || left[e][s] < left[e][s - 1], "a larger shield: {left:?}");
                let most = left[..=e].iter().map(|left| left[s]).fold(1.0, f64::min);
                let bound = of(edge_bytes, shield_bytes, &open);
                assert!(bound <= most && bound > 0.7 * most, "{edge_bytes} {shield_bytes}: {bound} {most}");
            }
        }
        // Which is why: larger edges may leave their shield so little that more gets past both.
        assert!(left[1][2] > left[0][2], "{left:?}");
    }
}
