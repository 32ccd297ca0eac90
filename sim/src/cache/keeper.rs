//! Caches that are more than a policy and a capacity: with a time to live, admission, and writes that make objects stale.
//!
//! Why around the policies and not in them: each rule holds for all of them alike. A cache without rules is the policy
//! alone, and runs the very code that it does without this.

use std::hint::black_box;

use plimsoll_scenarios::{OnWrite, Policy};

use super::freshness::Freshness;
use super::levels::{Found, Levels};
use super::queued::Lru;
use super::table::Table;
use super::{BATCH, Cache, Eviction, Sizes};

/// What a cache does besides choosing which object goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How long an object is fresh after its fetch, seconds; infinite where for ever.
    pub ttl_s: f64,
    /// It keeps only what its history of requests knows.
    pub on_second: bool,
    /// Bytes of the largest object that it keeps.
    pub size_max: u64,
    /// Writes make objects stale.
    pub invalidated: bool,
}

impl Rules {
    /// None.
    pub const NONE: Self =
        Self { ttl_s: f64::INFINITY, on_second: false, size_max: u64::MAX, invalidated: false };

    /// Those of a scenario's cache.
    #[must_use]
    pub fn of(cache: &plimsoll_scenarios::Cache) -> Self {
        Self {
            ttl_s: cache.ttl.as_ref().map_or(f64::INFINITY, plimsoll_scenarios::units::Quantity::get),
            on_second: cache.admit.on_second,
            size_max: cache.admit.max_size.as_ref().map_or(u64::MAX, |size| size.get() as u64),
            invalidated: cache.on_write == OnWrite::Invalidate,
        }
    }
}

/// A cache with its rules.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are plain, and asked for millions of objects a second"
)]
#[derive(Debug, Clone)]
pub enum Keeper {
    /// It has none.
    Plain(Cache),
    Ruled(Box<Ruled>),
    /// A part of it is in memory; rules or none.
    Levels(Box<Levels>),
}

/// A cache that has some.
#[derive(Debug, Clone)]
pub struct Ruled {
    cache: Cache,
    /// Bytes of an object; not of all that it stands for.
    own: Sizes,
    size_max: u64,
    ages: Option<Freshness>,
    history: Option<History>,
}

/// Ids that were asked for lately: as many as the cache has room for the objects of (the first cache of 2-LRU: Martina,
/// Garetto and Leonardi, INFOCOM 2014).
#[derive(Debug, Clone)]
struct History {
    asked: Lru,
    /// 1 for an object whose last request found it in the history or in the cache: what is fetched for it is kept.
    known: Table<u8>,
}

impl Keeper {
    /// An empty cache of a scenario for ids `0..objects` (fewer than `u32::MAX`).
    #[must_use]
    pub fn of(cache: &plimsoll_scenarios::Cache, objects: u32, sizes: Sizes) -> Self {
        let (policy, capacity) = (cache.policy, cache.capacity.get() as u64);
        let whole = Self::new(policy, Rules::of(cache), objects, capacity, sizes.clone());
        match cache.in_memory() {
            Some(memory) => {
                let bytes = (capacity, memory as u64);
                Self::Levels(Box::new(Levels::new(whole, policy, bytes, objects, sizes)))
            }
            None => whole,
        }
    }

    /// An empty cache for ids `0..objects` (fewer than `u32::MAX`) with a budget of `capacity` bytes.
    #[must_use]
    pub fn new(policy: Policy, rules: Rules, objects: u32, capacity: u64, sizes: Sizes) -> Self {
        if rules == Rules::NONE {
            return Self::Plain(Cache::new(policy, objects, capacity, sizes));
        }
        let history = rules.on_second.then(|| History {
            asked: Lru::new(objects, capacity, sizes.clone()),
            known: Table::new(objects as usize),
        });
        let dated = rules.ttl_s < f64::INFINITY || rules.invalidated;
        Self::Ruled(Box::new(Ruled {
            cache: Cache::new(policy, objects, capacity, sizes.clone()),
            own: sizes,
            size_max: rules.size_max,
            ages: dated.then(|| Freshness::new(objects, rules.ttl_s)),
            history,
        }))
    }

    /// Sizes of objects by which they are admitted, where the budget counts something else: an id stands for several, or
    /// every object counts as one. Until it [grows](Self::grow).
    pub fn set_own(&mut self, own: impl FnOnce() -> Sizes) {
        match self {
            Self::Plain(_) => {}
            Self::Ruled(ruled) => ruled.own = own(),
            Self::Levels(levels) => levels.whole_mut().set_own(own),
        }
    }

    /// Whether the object is there and fresh; counts as a use of it.
    #[inline]
    pub fn lookup(&mut self, id: u32, now_s: f64) -> bool {
        match self {
            Self::Plain(cache) => cache.lookup(id),
            Self::Ruled(ruled) => ruled.lookup(id, now_s),
            Self::Levels(levels) => levels.lookup(id, now_s) != Found::Nowhere,
        }
    }

    /// Puts in an object that was fetched after a lookup, where the cache keeps it.
    #[inline]
    pub fn insert(&mut self, id: u32, now_s: f64) {
        match self {
            Self::Plain(cache) => cache.insert(id),
            Self::Ruled(ruled) => ruled.insert(id, now_s),
            Self::Levels(levels) => {
                levels.insert(id, now_s);
            }
        }
    }

    /// Whether it would keep an object that is fetched after a lookup, where it fits at all.
    pub(super) fn admits(&self, id: u32) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Ruled(ruled) => {
                let known = ruled.history.as_ref().is_none_or(|history| history.known[id as usize] != 0);
                known && self.is_small_enough(id)
            }
            Self::Levels(levels) => levels.whole().admits(id),
        }
    }

    /// Whether its rules let an object of this size in.
    pub(super) fn is_small_enough(&self, id: u32) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Ruled(ruled) => ruled.own.of(id) <= ruled.size_max,
            Self::Levels(levels) => levels.whole().is_small_enough(id),
        }
    }

    /// A request that fills the cache at once: `true` for a hit.
    #[inline]
    pub fn request(&mut self, id: u32, now_s: f64) -> bool {
        match self {
            Self::Plain(cache) => cache.request(id),
            Self::Ruled(ruled) => ruled.request(id, now_s),
            Self::Levels(levels) => !matches!(levels.request(id, now_s), super::Answer::Missed { .. }),
        }
    }

    /// Requests in order, all at this time. Adds to `hits` whether each was one.
    pub fn request_batch(&mut self, ids: &[u32], now_s: f64, hits: &mut Vec<bool>) {
        match self {
            Self::Plain(cache) => cache.request_batch(ids, hits),
            Self::Ruled(ruled) => ruled.request_all(ids, |_| now_s, hits),
            Self::Levels(levels) => {
                levels.request_all(ids, now_s, hits);
            }
        }
    }

    /// Requests in order, each at its time; without times all are at 0.
    pub fn request_at(&mut self, ids: &[u32], times_s: &[f64], hits: &mut Vec<bool>) {
        match self {
            Self::Plain(cache) => cache.request_batch(ids, hits),
            Self::Ruled(ruled) => ruled.request_all(ids, |i| times_s.get(i).copied().unwrap_or(0.0), hits),
            Self::Levels(levels) => {
                levels.request_each(ids, |i| times_s.get(i).copied().unwrap_or(0.0), hits);
            }
        }
    }

    /// An object is written: it is stale where writes make it so.
    #[inline]
    pub fn write(&mut self, id: u32) {
        match self {
            Self::Plain(_) => {}
            Self::Ruled(ruled) => {
                if let Some(ages) = &mut ruled.ages {
                    ages.spoil(id);
                }
            }
            Self::Levels(levels) => levels.whole_mut().write(id),
        }
    }

    /// Puts in what was there before all requests, whoever asked for it; `None` for one that is stale.
    pub fn put(&mut self, id: u32, fetched_s: Option<f64>) {
        match self {
            Self::Plain(cache) => cache.insert(id),
            Self::Ruled(ruled) => ruled.put(id, fetched_s),
            Self::Levels(levels) => levels.put(id, fetched_s),
        }
    }

    /// Notes a request from before all requests in the history, where there is one.
    pub fn remember(&mut self, id: u32) {
        match self {
            Self::Plain(_) => {}
            Self::Ruled(ruled) => {
                if let Some(history) = &mut ruled.history
                    && ruled.own.of(id) <= ruled.size_max
                {
                    history.asked.insert(id);
                }
            }
            Self::Levels(levels) => levels.whole_mut().remember(id),
        }
    }

    /// Reads what a lookup would read, and nothing else.
    #[inline]
    #[must_use]
    pub fn touch(&self, id: u32) -> u32 {
        match self {
            Self::Plain(cache) => cache.touch(id),
            Self::Ruled(ruled) => ruled.touch(id),
            Self::Levels(levels) => levels.touch(id),
        }
    }

    /// Bytes held, stale ones too; never more than the budget.
    #[must_use]
    pub fn used(&self) -> u64 {
        match self {
            Self::Plain(cache) => cache.used(),
            Self::Ruled(ruled) => ruled.cache.used(),
            Self::Levels(levels) => levels.whole().used(),
        }
    }

    /// Makes room for ids `0..objects`. The sizes of ids that were there before must stay as they were.
    pub fn grow(&mut self, objects: u32, sizes: Sizes) {
        match self {
            Self::Plain(cache) => cache.grow(objects, sizes),
            Self::Ruled(ruled) => ruled.grow(objects, sizes),
            Self::Levels(levels) => levels.grow(objects, sizes),
        }
    }
}

impl Ruled {
    fn lookup(&mut self, id: u32, now_s: f64) -> bool {
        let there = self.cache.lookup(id);
        if let Some(history) = &mut self.history
            && self.own.of(id) <= self.size_max
        {
            let known = history.asked.request(id);
            history.known[id as usize] = u8::from(there || known);
        }
        there && self.ages.as_ref().is_none_or(|ages| ages.is_fresh(id, now_s))
    }

    fn insert(&mut self, id: u32, now_s: f64) {
        if self.history.as_ref().is_none_or(|history| history.known[id as usize] != 0) {
            self.put(id, Some(now_s));
        }
    }

    fn request(&mut self, id: u32, now_s: f64) -> bool {
        let hit = self.lookup(id, now_s);
        if !hit {
            self.insert(id, now_s);
        }
        hit
    }

    fn request_all(&mut self, ids: &[u32], now_s: impl Fn(usize) -> f64, hits: &mut Vec<bool>) {
        hits.reserve(ids.len());
        for (batch, first) in ids.chunks(BATCH).zip((0..).step_by(BATCH)) {
            black_box(batch.iter().fold(0, |read, &id| read ^ self.touch(id)));
            hits.extend(batch.iter().zip(first..).map(|(&id, i)| self.request(id, now_s(i))));
        }
    }

    fn put(&mut self, id: u32, fetched_s: Option<f64>) {
        if self.own.of(id) > self.size_max {
            return;
        }
        self.cache.insert(id);
        if let Some(ages) = &mut self.ages {
            match fetched_s {
                Some(at_s) => ages.fetch(id, at_s),
                None => ages.spoil(id),
            }
        }
    }

    fn touch(&self, id: u32) -> u32 {
        let age = self.ages.as_ref().map_or(0, |ages| ages.touch(id));
        let asked = self.history.as_ref().map_or(0, |history| history.asked.touch(id));
        self.cache.touch(id) ^ age ^ asked
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.cache.grow(objects, sizes.clone());
        if let Some(ages) = &mut self.ages {
            ages.grow(objects);
        }
        if let Some(history) = &mut self.history {
            history.asked.grow(objects, sizes.clone());
            history.known.grow(objects as usize);
        }
        self.own = sizes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(rules: Rules, capacity: u64, sizes: Sizes) -> Keeper {
        Keeper::new(Policy::Lru, rules, 10, capacity, sizes)
    }

    /// Requests as (second, object), and whether each is a hit.
    fn check(mut cache: Keeper, requests: &[(f64, u32, bool)]) {
        for &(at_s, id, want) in requests {
            assert_eq!(cache.request(id, at_s), want, "object {id} at {at_s} s");
        }
    }

    #[test]
    fn what_was_fetched_too_long_ago_is_fetched_again_and_hits_do_not_prolong() {
        let rules = Rules { ttl_s: 10.0, ..Rules::NONE };
        check(
            cache(rules, 2, Sizes::Same(1)),
            &[
                (0.0, 1, false),
                (9.0, 1, true),
                (9.999, 1, true),
                (10.0, 1, false), // as old as it may be: fetched again
                (19.0, 1, true),
                (19.5, 2, false),
                (19.6, 3, false), // pushes out 1, used longest ago
                (19.7, 1, false), // and 2
                (29.6, 3, false), // stale, in its place
                (29.65, 1, true),
                (29.7, 3, true),
            ],
        );
    }

    #[test]
    fn with_a_history_an_object_is_kept_from_its_second_request_on() {
        let rules = Rules { on_second: true, ..Rules::NONE };
        check(
            cache(rules, 2, Sizes::Same(1)),
            &[
                (0.0, 1, false), // remembered
                (1.0, 1, false), // kept
                (2.0, 1, true),
                (3.0, 2, false),
                (4.0, 3, false), // the history has room for 2 and 3
                (5.0, 1, true),  // and now for 3 and 1
                (6.0, 2, false), // forgotten: remembered anew, with 1
                (7.0, 3, false), // forgotten, too
                (8.0, 2, false), // kept: 1 and 2 are there
                (9.0, 1, true),
                (9.5, 2, true),
            ],
        );
    }

    #[test]
    fn large_objects_pass_and_push_nothing_out() {
        let rules = Rules { size_max: 5, ..Rules::NONE };
        let sizes = Sizes::Ranges(vec![(0, 4), (5, 6)]);
        check(
            cache(rules, 8, sizes),
            &[
                (0.0, 1, false),
                (1.0, 2, false),
                (2.0, 7, false),
                (3.0, 7, false),
                (4.0, 1, true),
                (5.0, 2, true),
            ],
        );
    }

    #[test]
    fn a_written_object_is_fetched_again() {
        let mut cache = cache(Rules { invalidated: true, ..Rules::NONE }, 2, Sizes::Same(1));
        assert!(!cache.request(1, 0.0) && cache.request(1, 1.0));
        cache.write(1);
        cache.write(2);
        assert!(!cache.request(1, 2.0) && cache.request(1, 3.0) && !cache.request(2, 4.0));
    }

    #[test]
    fn rules_that_never_apply_change_nothing_whatever_the_policy() {
        let trace = super::super::tests::reference_trace(2_000, 40_000, 7);
        let rules = Rules { ttl_s: 1e9, on_second: false, size_max: 1, invalidated: true };
        for (name, policy) in Policy::NAMES {
            let mut plain = Keeper::new(policy, Rules::NONE, 2_001, 150, Sizes::Same(1));
            let mut ruled = Keeper::new(policy, rules, 2_001, 150, Sizes::Same(1));
            assert!(matches!((&plain, &ruled), (Keeper::Plain(_), Keeper::Ruled(_))));
            let (mut a, mut b) = (Vec::new(), Vec::new());
            plain.request_batch(&trace, 0.0, &mut a);
            let times: Vec<f64> = (0..trace.len()).map(|i| i as f64).collect();
            ruled.request_at(&trace, &times, &mut b);
            assert!(a == b && plain.used() == ruled.used(), "{name}");
        }
    }
}
