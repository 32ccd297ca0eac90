//! A cache in memory and on disk.
//!
//! Why one beside the other and not one behind the other: what is on disk is what the cache has, so the cache alone, as it
//! would be without levels, decides what is a hit. Memory is a smaller cache with the same policy that sees every request
//! for what the cache has: a hit that is not in memory is read from disk and comes (back) into memory, what was fetched
//! comes into both. What memory still has of an object that the cache has let go, or that is stale, is no hit. With LRU
//! memory has a part of what is on disk (Mattson, Gecsei, Slutz and Traiger, "Evaluation techniques for storage
//! hierarchies", IBM Systems Journal 9, 1970): requests hit as if there were no levels, in memory where their stack
//! distance fits into it.

use std::hint::black_box;

use plimsoll_scenarios::Policy;

use super::{BATCH, Cache, Keeper, Sizes};

/// Where a lookup finds an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nowhere,
    OnDisk,
    InMemory,
}

/// What a request does at a cache that fetches at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was fetched, and kept (which is written to disk) or not.
    Missed {
        kept: bool,
    },
    OnDisk,
    InMemory,
}

/// Sums of answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    pub in_memory: u64,
    pub on_disk: u64,
    /// Missed, fetched and kept.
    pub kept: u64,
}

impl Answers {
    fn add(&mut self, answer: Answer) {
        match answer {
            Answer::Missed { kept } => self.kept += u64::from(kept),
            Answer::OnDisk => self.on_disk += 1,
            Answer::InMemory => self.in_memory += 1,
        }
    }
}

/// A cache a part of which is in memory.
#[derive(Debug, Clone)]
pub struct Levels {
    /// What is on disk.
    whole: Keeper,
    /// Bytes of that.
    capacity: u64,
    memory: Cache,
    /// What makes an empty memory.
    policy: Policy,
    memory_bytes: u64,
    objects: u32,
    sizes: Sizes,
}

impl Levels {
    /// `memory` bytes of an empty cache of `capacity` for ids `0..objects`.
    #[must_use]
    pub fn new(
        whole: Keeper,
        policy: Policy,
        (capacity, memory): (u64, u64),
        objects: u32,
        sizes: Sizes,
    ) -> Self {
        Self {
            whole,
            capacity,
            memory: Cache::new(policy, objects, memory, sizes.clone()),
            policy,
            memory_bytes: memory,
            objects,
            sizes,
        }
    }

    /// Where the object is, if it is there and fresh; counts as a use of it.
    pub fn lookup(&mut self, id: u32, now_s: f64) -> Found {
        if !self.whole.lookup(id, now_s) {
            Found::Nowhere
        } else if self.memory.request(id) {
            Found::InMemory
        } else {
            Found::OnDisk
        }
    }

    /// Puts in an object that was fetched after a lookup; whether it is kept.
    pub fn insert(&mut self, id: u32, now_s: f64) -> bool {
        let kept = self.admits(id);
        self.whole.insert(id, now_s);
        if kept {
            self.memory.request(id);
        }
        kept
    }

    /// Whether it would keep an object that is fetched after a lookup.
    #[must_use]
    pub fn admits(&self, id: u32) -> bool {
        self.whole.admits(id) && self.sizes.of(id) <= self.capacity
    }

    /// A request that fills the cache at once.
    pub fn request(&mut self, id: u32, now_s: f64) -> Answer {
        match self.lookup(id, now_s) {
            Found::Nowhere => Answer::Missed { kept: self.insert(id, now_s) },
            Found::OnDisk => Answer::OnDisk,
            Found::InMemory => Answer::InMemory,
        }
    }

    /// Requests in order, all at this time. Adds to `hits` whether each was one; the sums say where.
    pub fn request_all(&mut self, ids: &[u32], now_s: f64, hits: &mut Vec<bool>) -> Answers {
        self.request_each(ids, |_| now_s, hits)
    }

    /// The same, each at its time.
    pub(super) fn request_each(
        &mut self,
        ids: &[u32],
        now_s: impl Fn(usize) -> f64,
        hits: &mut Vec<bool>,
    ) -> Answers {
        let mut sums = Answers::default();
        hits.reserve(ids.len());
        for (batch, first) in ids.chunks(BATCH).zip((0..).step_by(BATCH)) {
            black_box(batch.iter().fold(0, |read, &id| read ^ self.touch(id)));
            for (&id, i) in batch.iter().zip(first..) {
                let answer = self.request(id, now_s(i));
                hits.push(!matches!(answer, Answer::Missed { .. }));
                sums.add(answer);
            }
        }
        sums
    }

    /// Puts in what was there before all requests, the longest unused first.
    pub fn put(&mut self, id: u32, fetched_s: Option<f64>) {
        if self.whole.is_small_enough(id) {
            self.whole.put(id, fetched_s);
            self.memory.insert(id);
        }
    }

    /// Memory loses what it has, as where a server starts again; what is on disk is still there.
    pub fn forget_memory(&mut self) {
        self.memory = Cache::new(self.policy, self.objects, self.memory_bytes, self.sizes.clone());
    }

    /// What is on disk.
    pub(super) const fn whole(&self) -> &Keeper {
        &self.whole
    }

    pub(super) const fn whole_mut(&mut self) -> &mut Keeper {
        &mut self.whole
    }

    pub(super) fn touch(&self, id: u32) -> u32 {
        self.whole.touch(id) ^ self.memory.touch(id)
    }

    pub(super) fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.whole.grow(objects, sizes.clone());
        self.memory.grow(objects, sizes.clone());
        (self.objects, self.sizes) = (objects, sizes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rules;
    use super::super::tests::reference_trace;
    use super::*;

    fn levels(
        policy: Policy,
        rules: Rules,
        (capacity, memory): (u64, u64),
        objects: u32,
        sizes: &Sizes,
    ) -> Levels {
        let whole = Keeper::new(policy, rules, objects, capacity, sizes.clone());
        Levels::new(whole, policy, (capacity, memory), objects, sizes.clone())
    }

    fn check(mut levels: Levels, requests: &[(f64, u32, Answer)]) {
        for &(at_s, id, want) in requests {
            assert_eq!(levels.request(id, at_s), want, "object {id} at {at_s} s");
        }
    }

    const FETCHED: Answer = Answer::Missed { kept: true };
    const PASSED: Answer = Answer::Missed { kept: false };
    use Answer::{InMemory, OnDisk};

    #[test]
    fn by_hand_with_room_for_two_of_four_in_memory() {
        check(
            levels(Policy::Lru, Rules::NONE, (4, 2), 10, &Sizes::Same(1)),
            &[
                (0.0, 1, FETCHED),
                (0.0, 2, FETCHED),
                (0.0, 3, FETCHED),  // memory: 3, 2
                (0.0, 2, InMemory), // 2, 3
                (0.0, 1, OnDisk),   // back into memory: 1, 2
                (0.0, 3, OnDisk),   // 3, 1
                (0.0, 1, InMemory),
                (0.0, 4, FETCHED), // on disk 4, 1, 3, 2
                (0.0, 5, FETCHED), // which pushes 2 out
                (0.0, 2, FETCHED), // and this 3
                (0.0, 1, OnDisk),
                (0.0, 2, InMemory),
                (0.0, 3, FETCHED),
            ],
        );
    }

    #[test]
    fn by_hand_with_a_policy_that_does_not_look_at_use() {
        check(
            levels(Policy::Fifo, Rules::NONE, (3, 1), 10, &Sizes::Same(1)),
            &[
                (0.0, 1, FETCHED),
                (0.0, 2, FETCHED), // memory: 2
                (0.0, 1, OnDisk),  // memory: 1
                (0.0, 1, InMemory),
                (0.0, 3, FETCHED), // on disk 1, 2, 3
                (0.0, 1, OnDisk),
                (0.0, 4, FETCHED), // 1 came first and goes, whatever asked for it; memory: 4
                (0.0, 1, FETCHED), // 2 goes; memory: 1
                (0.0, 3, OnDisk),
                (0.0, 3, InMemory),
                (0.0, 2, FETCHED), // 3 goes; memory: 2
                (0.0, 3, FETCHED), // 4 goes; memory: 3
            ],
        );
    }

    #[test]
    fn what_memory_has_and_the_cache_does_not_is_a_miss() {
        // On disk 1 comes in first, in memory last.
        check(
            levels(Policy::Fifo, Rules::NONE, (2, 1), 10, &Sizes::Same(1)),
            &[
                (0.0, 1, FETCHED),
                (0.0, 2, FETCHED),
                (0.0, 1, OnDisk),
                (0.0, 3, FETCHED), // 1 goes from disk; memory: 3
                (0.0, 2, OnDisk),
                (0.0, 1, FETCHED), // 2 goes from disk; memory: 1
                (0.0, 2, FETCHED),
            ],
        );
        let rules = Rules { ttl_s: 10.0, ..Rules::NONE };
        check(
            levels(Policy::Lru, rules, (4, 2), 10, &Sizes::Same(1)),
            &[(0.0, 1, FETCHED), (9.0, 1, InMemory), (10.0, 1, FETCHED), (19.0, 1, InMemory)],
        );
    }

    #[test]
    fn what_is_not_kept_is_in_neither_and_what_is_too_large_for_memory_is_on_disk() {
        let rules = Rules { on_second: true, ..Rules::NONE };
        check(
            levels(Policy::Lru, rules, (4, 2), 10, &Sizes::Same(1)),
            &[(0.0, 1, PASSED), (1.0, 1, FETCHED), (2.0, 1, InMemory), (3.0, 2, PASSED), (4.0, 1, InMemory)],
        );
        let sizes = Sizes::Ranges(vec![(0, 1), (5, 3), (8, 9)]);
        check(
            levels(Policy::Lru, Rules::NONE, (8, 2), 10, &sizes),
            &[
                (0.0, 6, FETCHED),
                (1.0, 6, OnDisk),
                (2.0, 1, FETCHED),
                (3.0, 6, OnDisk),
                (4.0, 1, InMemory),
                (5.0, 9, PASSED), // larger than all of it
                (6.0, 9, PASSED),
            ],
        );
    }

    #[test]
    fn levels_change_no_hit_and_memory_that_holds_all_leaves_disks_nothing_to_read() {
        let trace = reference_trace(2_000, 40_000, 7);
        for (name, policy) in Policy::NAMES {
            for rules in [Rules::NONE, Rules { ttl_s: 20_000.0, on_second: true, ..Rules::NONE }] {
                let mut plain = Keeper::new(policy, rules, 2_001, 150, Sizes::Same(1));
                let times: Vec<f64> = (0..trace.len()).map(|i| i as f64).collect();
                let mut want = Vec::new();
                plain.request_at(&trace, &times, &mut want);
                for memory in [1, 40, 150] {
                    let mut levels = levels(policy, rules, (150, memory), 2_001, &Sizes::Same(1));
                    let mut hits = Vec::new();
                    let sums = levels.request_each(&trace, |i| times[i], &mut hits);
                    assert!(hits == want, "{name} with {memory} in memory");
                    let all = hits.iter().filter(|&&hit| hit).count() as u64;
                    assert_eq!(sums.in_memory + sums.on_disk, all, "{name} {memory}");
                    // Both levels are the same cache then, unless what it lets in by itself differs.
                    if memory == 150 && policy == Policy::Lru {
                        assert_eq!(sums.on_disk, 0, "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn with_lru_a_hit_is_in_memory_where_a_smaller_cache_has_it_and_more_memory_reads_less() {
        let trace = reference_trace(2_000, 40_000, 7);
        let mut before = u64::MAX;
        for memory in [10, 20, 40, 80, 160, 320] {
            let mut smaller = Cache::new(Policy::Lru, 2_001, memory, Sizes::Same(1));
            let mut levels = levels(Policy::Lru, Rules::NONE, (320, memory), 2_001, &Sizes::Same(1));
            let mut reads = 0;
            for &id in &trace {
                let (in_smaller, answer) = (smaller.request(id), levels.request(id, 0.0));
                assert_eq!(in_smaller, answer == InMemory);
                reads += u64::from(answer == OnDisk);
            }
            assert!(reads <= before, "{reads} reads with {memory} in memory, {before} with half of it");
            before = reads;
        }
        assert_eq!(before, 0);
    }

    #[test]
    fn a_server_that_starts_again_has_its_disks() {
        let mut levels = levels(Policy::Lru, Rules::NONE, (4, 2), 10, &Sizes::Same(1));
        assert_eq!((levels.request(1, 0.0), levels.request(1, 0.0)), (FETCHED, InMemory));
        levels.forget_memory();
        assert_eq!((levels.request(1, 0.0), levels.request(1, 0.0)), (OnDisk, InMemory));
    }
}
