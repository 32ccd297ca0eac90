//! What caches have: played, or in a slice of a system drawn from the law of the whole.
//!
//! Why drawn: a slice sees too few requests to fill what the whole fills in hours, and a catalogue cut down to the
//! slice's part is less skewed than the whole. Under Che's approximation an object is there with a probability that its
//! own rate and one time of the cache decide, so a slice needs neither: the catalogue stays whole, and every lookup
//! asks the law. After a flush the time is that since the flush, until the cache is full again.

use std::sync::Arc;

use hashbrown::HashMap;
use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::Atom;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::Quantity;
use plimsoll_scenarios::{DatasetId, Scenario, Scope};

use crate::analytic::caches::{Approximation, Asked, chain_of};
use crate::cache::{Keeper, Sizes};
use crate::flow::Flow;
use crate::model;

/// How a tier's caches have objects.
#[derive(Debug)]
pub struct Law {
    cache: Approximation,
    /// Requests for all objects, 1/s, of all instances together.
    asked: f64,
    /// By dataset: groups of ranks as the rank after the last, and how often each object of it is asked for and written,
    /// 1/s.
    groups: Vec<Vec<(f64, Asked, f64)>>,
    /// By dataset: how often an object gives way to another, times the instances, 1/s.
    churn: Vec<f64>,
    instances: f64,
    /// Bytes of the largest object that one keeps, and how long what it fetched is fresh, seconds.
    size_max: f64,
    ttl_s: f64,
}

/// By tier.
#[derive(Debug)]
pub struct Laws(Vec<Option<Arc<Law>>>);

impl Laws {
    /// The laws of a whole system's caches; `None` where one of them has a policy without.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Option<Self> {
        let caches =
            || scenario.tiers.values().filter(|t| t.scope != Scope::User).filter_map(|t| t.cache.as_ref());
        if !caches().all(|cache| Approximation::known(cache.policy)) {
            return None;
        }
        let chain = chain_of(scenario, &Flow::of(scenario));
        let law = |tier: usize| {
            let stated =
                scenario.tiers[tier].cache.as_ref().filter(|_| scenario.tiers[tier].scope != Scope::User)?;
            // One that nobody gets to as long as those before it are full has nothing, until they are not.
            let cache = chain.caches[tier]
                .or_else(|| Approximation::solve(stated.policy, &[], stated.capacity.get()))?;
            let instances = model::cache_instances(scenario, tier) as f64;
            let mut groups = vec![Vec::new(); scenario.datasets.len()];
            let mut asked = 0.0;
            for (&dataset, atoms) in &chain.asked[tier] {
                let mut rank = 0.0;
                let written = chain.written[tier].get(&dataset);
                let writes = |i: usize| written.and_then(|atoms| atoms.get(i)).map_or(0.0, |atom| atom.p);
                let group = |(i, atom): (usize, &Atom)| {
                    let asked = Asked { rate: atom.p, before: chain.asked_before(tier, dataset, i) };
                    (step(&mut rank, atom.count), asked, writes(i))
                };
                groups[dataset] = atoms.iter().enumerate().map(group).collect();
                asked += atoms.iter().map(|atom| atom.count * atom.p).sum::<f64>();
            }
            let churn =
                scenario.datasets.values().map(|d| d.churn_per_day.get() / DAY_S * instances).collect();
            let size_max = stated.admit.max_size.as_ref().map_or(f64::INFINITY, Quantity::get);
            let ttl_s = stated.ttl.as_ref().map_or(f64::INFINITY, Quantity::get);
            Some(Arc::new(Law { cache, asked, groups, churn, instances, size_max, ttl_s }))
        };
        Some(Self((0..scenario.tiers.len()).map(law).collect()))
    }
}

fn step(sum: &mut f64, by: f64) -> f64 {
    *sum += by;
    *sum
}

impl Law {
    /// Probability that an object is there when all have been asked for so often since the cache was empty.
    fn has(&self, dataset: DatasetId, rank: u32, requests: f64) -> f64 {
        let groups = &self.groups[dataset];
        let group = groups.partition_point(|(end, ..)| *end <= f64::from(rank));
        let Some((_, asked, writes)) = groups.get(group).or(groups.last()) else { return 0.0 };
        self.cache.within(requests / self.asked).hit_with(*asked, self.churn[dataset], *writes)
    }
}

/// An object of a dataset: its dense id, and its rank; `None` for one that came out on the day.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    pub id: u32,
    pub of: DatasetId,
    pub rank: Option<u32>,
}

/// The caches of a tier in a slice.
#[derive(Debug)]
pub struct Drawn {
    law: Arc<Law>,
    /// Requests that one cache of the whole has seen for each that one cache of the slice sees.
    scale: f64,
    /// By cache: requests since it was flushed.
    seen: Vec<f64>,
    /// Objects that the law does not know, by cache, and when they were fetched.
    new: HashMap<(u32, u32), f64>,
    sizes: Sizes,
    draws: Stream,
}

impl Drawn {
    /// Whether an object is small enough to be kept.
    fn keeps(&self, id: u32) -> bool {
        self.law.size_max == f64::INFINITY || self.sizes.of(id) as f64 <= self.law.size_max
    }
}

/// What the caches of a tier have.
#[derive(Debug)]
pub enum Kept {
    Played(Vec<Keeper>),
    Drawn(Drawn),
}

impl Kept {
    /// The caches of a tier in a slice, as full as they usually are; one request stands for `weight`. A tier without
    /// caches keeps nothing.
    #[must_use]
    pub fn drawn(laws: &Laws, tier: usize, caches: usize, weight: f64, sizes: &Sizes, draws: Stream) -> Self {
        let Some(law) = &laws.0[tier] else { return Self::Played(Vec::new()) };
        let scale = weight * caches as f64 / law.instances;
        Self::Drawn(Drawn {
            law: Arc::clone(law),
            scale,
            seen: vec![f64::INFINITY; caches],
            new: HashMap::new(),
            sizes: sizes.clone(),
            draws,
        })
    }

    /// Whether a cache has an object, and fresh.
    pub fn lookup(&mut self, which: usize, object: Object, now_s: f64) -> bool {
        match self {
            Self::Played(caches) => caches[which].lookup(object.id, now_s),
            Self::Drawn(drawn) => {
                drawn.seen[which] += drawn.scale;
                let Some(rank) = object.rank else {
                    let fetched = drawn.new.get(&(which as u32, object.id));
                    return fetched.is_some_and(|fetched_s| now_s - fetched_s < drawn.law.ttl_s);
                };
                let chance = drawn.draws.uniform();
                drawn.keeps(object.id) && chance < drawn.law.has(object.of, rank, drawn.seen[which])
            }
        }
    }

    pub fn insert(&mut self, which: usize, object: Object, now_s: f64) {
        match self {
            Self::Played(caches) => caches[which].insert(object.id, now_s),
            Self::Drawn(drawn) => {
                if object.rank.is_none() && drawn.keeps(object.id) {
                    drawn.new.insert((which as u32, object.id), now_s);
                }
            }
        }
    }

    /// An object is written, so that what a cache has of it is stale. The law knows how often objects are.
    pub fn spoil(&mut self, which: usize, object: Object) {
        match self {
            Self::Played(caches) => caches[which].write(object.id),
            Self::Drawn(drawn) => {
                drawn.new.remove(&(which as u32, object.id));
            }
        }
    }

    /// A cache becomes empty; `empty` makes one that is played.
    pub fn flush(&mut self, which: usize, empty: impl FnOnce() -> Option<Keeper>) {
        match self {
            Self::Played(caches) => {
                if let Some(empty) = empty() {
                    caches[which] = empty;
                }
            }
            Self::Drawn(drawn) => {
                drawn.seen[which] = 0.0;
                drawn.new.retain(|(cache, _), _| *cache as usize != which);
            }
        }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Played(caches) => caches.len(),
            Self::Drawn(drawn) => drawn.seen.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::load;

    #[test]
    fn what_is_drawn_is_what_the_formula_says() {
        let spotify = load("spotify").unwrap();
        let laws = Laws::of(&spotify).unwrap();
        let chain = chain_of(&spotify, &Flow::of(&spotify));
        let song = spotify.datasets.get_index_of("song").unwrap();
        let edge = spotify.tiers.get_index_of("edge").unwrap();
        let law = laws.0[edge].as_ref().unwrap();
        let mut from = 0.0;
        let (mut hits, mut all) = (0.0, 0.0);
        for &(end, Asked { rate, .. }, _) in &law.groups[song] {
            // A rank in the middle of its group.
            let has = law.has(song, (0.5 * (from + end)) as u32, f64::INFINITY);
            hits += (end - from) * rate * has;
            all += (end - from) * rate;
            from = end;
        }
        let want = chain.hit_ratio[edge].unwrap();
        assert!((hits / all - want).abs() < 1e-9, "{} {want}", hits / all);
    }

    #[test]
    fn a_cache_that_nobody_gets_to_has_nothing_and_may_still_be_asked() {
        let text = "name: full\npopulation: {users: 1 M}\n\
             datasets: {page: {count: 1 K, size: 1 MB, popularity: {zipf: 1}}}\n\
             actions: {read: {per_user: 9/day, of: page, path: [edge, shield, origin]}}\n\
             tiers:\n  edge: {cache: {capacity: 9 GB, policy: lru}}\n  shield: {cache: {capacity: 9 GB, policy: lru}}\n  \
             origin: {servers: 9, concurrency: 9, service_time: 1 ms}\n";
        let source = plimsoll_scenarios::SourceFile::new("full.yaml", text);
        let full = Scenario::from_yaml(&source).unwrap();
        let laws = Laws::of(&full).unwrap();
        let mut kept = Kept::drawn(&laws, 1, 1, 10.0, &Sizes::Same(1), Stream::new(1, "shield", "hits", 0));
        let old = Object { id: 0, of: 0, rank: Some(0) };
        let new = Object { id: 1_000, of: 0, rank: None };
        assert!(!kept.lookup(0, old, 0.0) && !kept.lookup(0, new, 0.0));
        kept.insert(0, new, 0.0);
        assert!(kept.lookup(0, new, 0.0));
        kept.flush(0, || None);
        assert!(!kept.lookup(0, old, 0.0) && !kept.lookup(0, new, 0.0));
    }

    #[test]
    fn a_flushed_cache_fills_again_and_knows_new_objects_at_once() {
        let spotify = load("spotify").unwrap();
        let laws = Laws::of(&spotify).unwrap();
        let song = spotify.datasets.get_index_of("song").unwrap();
        let edge = spotify.tiers.get_index_of("edge").unwrap();
        let mut kept = Kept::drawn(&laws, edge, 2, 1e6, &Sizes::Same(1), Stream::new(1, "edge", "hits", 0));
        // Not of the very first ranks, which every device has.
        let first = Object { id: 0, of: song, rank: Some(1_000) };
        let rare = Object { id: 1, of: song, rank: Some(30_000_000) };
        let new = Object { id: 2, of: song, rank: None };
        assert!(kept.lookup(0, first, 0.0) && !kept.lookup(0, new, 0.0));
        kept.insert(0, new, 0.0);
        assert!(kept.lookup(0, new, 0.0) && !kept.lookup(1, new, 0.0));
        let warm = (0..200).filter(|_| kept.lookup(0, rare, 0.0)).count();
        kept.flush(0, || None);
        assert!(!kept.lookup(0, new, 0.0), "a flush forgets");
        // A million times two over fifty requests of the whole's caches for each: rare ones take many.
        let cold = (0..20).filter(|_| kept.lookup(0, rare, 0.0)).count();
        assert!(warm > 20 && cold <= 2, "{warm} of 200, then {cold} of 20");
        let again = (0..20_000).filter(|_| kept.lookup(0, rare, 0.0)).count();
        assert!(again > 1_000, "{again}");
    }
}
