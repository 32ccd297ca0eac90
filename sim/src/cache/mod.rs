//! Eviction policies over dense ids with a byte budget.
//!
//! Why dense ids: a simulated cache knows its catalogue, so a table by id replaces a hash map, and what is
//! left of a hit is one or two memory accesses. One file per policy; [`Cache`] chooses among them.
//!
//! An object larger than the whole budget is never admitted. Otherwise a miss admits the object and evicts
//! until the budget holds again.

mod clock;
mod fifo;
mod lru;
mod sieve;

use plimsoll_scenarios::Policy;

pub use clock::Clock;
pub use fifo::Fifo;
pub use lru::Lru;
pub use sieve::Sieve;

/// Bytes of every object.
#[derive(Debug, Clone)]
pub enum Sizes {
    Same(u64),
    /// By ranges of ids: first id of each range, rising from 0, and the size in it.
    Ranges(Vec<(u32, u64)>),
}

impl Sizes {
    #[inline]
    pub(crate) fn of(&self, id: u32) -> u64 {
        match self {
            Self::Same(size) => *size,
            Self::Ranges(ranges) => {
                ranges.iter().rev().find(|(first, _)| *first <= id).map_or(0, |(_, size)| *size)
            }
        }
    }
}

/// A cache with one of the policies.
#[derive(Debug, Clone)]
pub enum Cache {
    Lru(Lru),
    Fifo(Fifo),
    Clock(Clock),
    Sieve(Sieve),
}

impl Cache {
    /// An empty cache for ids `0..objects` (fewer than `u32::MAX`).
    #[must_use]
    pub fn new(policy: Policy, objects: u32, capacity: u64, sizes: Sizes) -> Self {
        match policy {
            Policy::Lru => Self::Lru(Lru::new(objects, capacity, sizes)),
            Policy::Fifo => Self::Fifo(Fifo::new(objects, capacity, sizes)),
            Policy::Clock => Self::Clock(Clock::new(objects, capacity, sizes)),
            Policy::Sieve => Self::Sieve(Sieve::new(objects, capacity, sizes)),
        }
    }

    /// Whether the object is there; counts as a use of it.
    #[inline]
    pub fn lookup(&mut self, id: u32) -> bool {
        match self {
            Self::Lru(c) => c.lookup(id),
            Self::Fifo(c) => c.lookup(id),
            Self::Clock(c) => c.lookup(id),
            Self::Sieve(c) => c.lookup(id),
        }
    }

    /// Puts an object in, unless it is there or larger than the budget.
    #[inline]
    pub fn insert(&mut self, id: u32) {
        match self {
            Self::Lru(c) => c.insert(id),
            Self::Fifo(c) => c.insert(id),
            Self::Clock(c) => c.insert(id),
            Self::Sieve(c) => c.insert(id),
        }
    }

    /// Reads what a lookup would read, and nothing else. Called for a batch of ids before their lookups, it
    /// lets the processor fetch them from memory at the same time instead of one after the other.
    #[inline]
    #[must_use]
    pub fn touch(&self, id: u32) -> u32 {
        match self {
            Self::Lru(c) => c.touch(id),
            Self::Fifo(c) => u32::from(c.touch(id)),
            Self::Clock(c) => c.touch(id) as u32,
            Self::Sieve(c) => c.touch(id) as u32,
        }
    }

    /// A request that fills the cache at once: `true` for a hit.
    #[inline]
    pub fn request(&mut self, id: u32) -> bool {
        let hit = self.lookup(id);
        if !hit {
            self.insert(id);
        }
        hit
    }

    /// Bytes held; never more than the budget.
    #[must_use]
    pub const fn used(&self) -> u64 {
        match self {
            Self::Lru(c) => c.used,
            Self::Fifo(c) => c.used,
            Self::Clock(c) => c.used,
            Self::Sieve(c) => c.used,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::rng::Stream;

    /// The reference trace: inverse-cdf Zipf over splitmix64, ids scattered by a multiplicative hash.
    fn reference_trace(n: usize, requests: usize, seed: u64) -> Vec<u32> {
        let mut cdf = Vec::with_capacity(n);
        let mut sum = 0.0;
        for k in 1..=n {
            sum += 1.0 / k as f64;
            cdf.push(sum);
        }
        let mut stream = Stream::splitmix(seed);
        (0..requests)
            .map(|_| {
                let target = stream.uniform() * sum;
                let rank = cdf.partition_point(|&c| c <= target);
                (1 + (rank as u64 * 2_654_435_761) % n as u64) as u32
            })
            .collect()
    }

    fn misses(policy: Policy, n: u32, capacity: u64, trace: &[u32]) -> usize {
        let mut cache = Cache::new(policy, n + 1, capacity, Sizes::Same(1));
        trace.iter().filter(|&&id| !cache.request(id)).count()
    }

    #[test]
    fn exact_miss_counts_on_the_reference_trace() {
        let trace = reference_trace(100_000, 500_000, 42);
        assert_eq!(trace[..8], [69596, 7284, 36416, 51636, 1, 49609, 50328, 26498]);
        for (capacity, lru, fifo, clock, sieve) in [
            (100, 355_345, 375_115, 348_868, 293_810),
            (1_000, 247_299, 267_885, 241_565, 203_823),
            (10_000, 133_678, 150_991, 129_933, 116_970),
        ] {
            assert_eq!(misses(Policy::Lru, 100_000, capacity, &trace), lru, "LRU {capacity}");
            assert_eq!(misses(Policy::Fifo, 100_000, capacity, &trace), fifo, "FIFO {capacity}");
            assert_eq!(misses(Policy::Clock, 100_000, capacity, &trace), clock, "CLOCK {capacity}");
            assert_eq!(misses(Policy::Sieve, 100_000, capacity, &trace), sieve, "SIEVE {capacity}");
        }
    }

    #[test]
    fn a_larger_lru_never_misses_more_and_the_budget_holds() {
        let trace = reference_trace(5_000, 60_000, 7);
        let sizes = Sizes::Ranges(vec![(0, 3), (1_000, 10), (2_500, 1)]);
        let mut last = usize::MAX;
        for capacity in [0, 1, 9, 10, 100, 1_000, 5_000, 100_000] {
            for policy in [Policy::Lru, Policy::Fifo, Policy::Clock, Policy::Sieve] {
                let mut cache = Cache::new(policy, 5_001, capacity, sizes.clone());
                let mut missed = 0;
                for &id in &trace {
                    missed += usize::from(!cache.request(id));
                    assert!(cache.used() <= capacity);
                }
                if policy == Policy::Lru {
                    assert!(missed <= last, "capacity {capacity}: {missed} > {last}");
                    last = missed;
                }
            }
        }
    }
}
