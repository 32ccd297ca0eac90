//! Eviction policies over dense ids with a byte budget.
//!
//! Why dense ids: a simulated cache knows its catalogue, so a table by id replaces a hash map, and what is
//! left of a hit is one or two memory accesses. One file per policy, but for those that are one queue; [`Cache`] chooses among them, and [`Keeper`] is one
//! with rules of its scenario: a time to live, admission, writes, and with [`Levels`]: memory and disks.
//!
//! An object larger than the whole budget is never admitted. Otherwise a miss admits the object and evicts
//! until the budget holds again (W-TinyLFU may evict the object itself).

mod freshness;
mod keeper;
mod levels;
mod lfu;
mod log;
mod queued;
mod ring;
mod s3_fifo;
mod sieve;
mod sizes;
mod sketch;
mod table;
#[cfg(test)]
mod tests;
mod w_tiny_lfu;

use std::hint::black_box;

use plimsoll_scenarios::Policy;

pub use keeper::{Keeper, Rules};
pub use levels::{Answer, Answers, Found, Levels};
pub use sizes::Sizes;

/// Requests whose memory is fetched together.
const BATCH: usize = 64;

/// What every policy can do.
trait Eviction {
    /// Whether the object is there; counts as a use of it.
    fn lookup(&mut self, id: u32) -> bool;

    /// Puts an object in, unless it is there or larger than the budget.
    fn insert(&mut self, id: u32);

    /// Reads what a lookup would read first, and nothing else.
    fn touch(&self, id: u32) -> u32;

    /// Reads what the eviction after `turn` others would read, where that can be known.
    #[inline]
    fn touch_victim(&self, _turn: u32) -> u32 {
        0
    }

    /// Bytes held.
    fn used(&self) -> u64;

    /// Puts objects into an empty cache as inserting them in the order of their places would: `content` has ids, each
    /// once, with places from 0 on, in any order of its own.
    fn fill(&mut self, content: impl ExactSizeIterator<Item = (u32, u32)>) {
        let mut order = vec![0; content.len()];
        for (id, place) in content {
            order[place as usize] = id;
        }
        for id in order {
            self.insert(id);
        }
    }

    /// Takes everything out, where that costs less than a new one: whether it did.
    fn clear(&mut self) -> bool {
        false
    }

    /// Makes room for ids up to `objects`; the sizes of those before stay as they are.
    fn grow(&mut self, objects: u32, sizes: Sizes);

    #[inline]
    fn request(&mut self, id: u32) -> bool {
        let hit = self.lookup(id);
        if !hit {
            self.insert(id);
        }
        hit
    }

    fn request_batch(&mut self, ids: &[u32], hits: &mut Vec<bool>) {
        for batch in ids.chunks(BATCH) {
            let read = batch.iter().fold(0, |read, &id| read ^ self.touch(id));
            let read = (0..batch.len() as u32).fold(read, |read, turn| read ^ self.touch_victim(turn));
            black_box(read);
            hits.extend(batch.iter().map(|&id| self.request(id)));
        }
    }
}

/// A cache with one of the policies.
#[derive(Debug, Clone)]
pub enum Cache {
    Lru(queued::Lru),
    Fifo(queued::Fifo),
    Clock(queued::SecondChance),
    Sieve(sieve::Sieve),
    S3Fifo(s3_fifo::S3Fifo),
    Lfu(lfu::Lfu),
    WTinyLfu(w_tiny_lfu::WTinyLfu),
}

/// Does the same with whatever policy it is.
macro_rules! each {
    ($cache:expr, $policy:ident => $body:expr) => {
        match $cache {
            Self::Lru($policy) => $body,
            Self::Fifo($policy) => $body,
            Self::Clock($policy) => $body,
            Self::Sieve($policy) => $body,
            Self::S3Fifo($policy) => $body,
            Self::Lfu($policy) => $body,
            Self::WTinyLfu($policy) => $body,
        }
    };
}

impl Cache {
    /// An empty cache for ids `0..objects` (fewer than `u32::MAX`) with a budget of `capacity` bytes.
    #[must_use]
    pub fn new(policy: Policy, objects: u32, capacity: u64, sizes: Sizes) -> Self {
        match policy {
            Policy::Lru => Self::Lru(queued::Lru::new(objects, capacity, sizes)),
            Policy::Fifo => Self::Fifo(queued::Fifo::new(objects, capacity, sizes)),
            Policy::Clock => Self::Clock(queued::SecondChance::new(objects, capacity, sizes)),
            Policy::Sieve => Self::Sieve(sieve::Sieve::new(objects, capacity, sizes)),
            Policy::S3Fifo => Self::S3Fifo(s3_fifo::S3Fifo::new(objects, capacity, sizes)),
            Policy::Lfu => Self::Lfu(lfu::Lfu::new(objects, capacity, sizes)),
            Policy::WTinyLfu => Self::WTinyLfu(w_tiny_lfu::WTinyLfu::new(objects, capacity, sizes)),
        }
    }

    /// Whether the object is there; counts as a use of it.
    #[inline]
    pub fn lookup(&mut self, id: u32) -> bool {
        each!(self, c => c.lookup(id))
    }

    /// Puts an object in, unless it is there or larger than the budget.
    #[inline]
    pub fn insert(&mut self, id: u32) {
        each!(self, c => c.insert(id));
    }

    /// Reads what a lookup would read, and nothing else. Called for a batch of ids before their lookups, it
    /// lets the processor fetch them from memory at the same time instead of one after the other.
    #[inline]
    #[must_use]
    pub fn touch(&self, id: u32) -> u32 {
        each!(self, c => c.touch(id))
    }

    /// A request that fills the cache at once: `true` for a hit.
    #[inline]
    pub fn request(&mut self, id: u32) -> bool {
        each!(self, c => c.request(id))
    }

    /// Requests in order, as [`Self::request`], several times as fast where the tables are larger than the
    /// processor's caches. Adds to `hits` whether each was one.
    pub fn request_batch(&mut self, ids: &[u32], hits: &mut Vec<bool>) {
        hits.reserve(ids.len());
        each!(self, c => c.request_batch(ids, hits));
    }

    /// Puts objects into an empty cache as inserting them in the order of their places would: `content` has ids, each
    /// once, with places from 0 on, in any order of its own; fastest in that of the ids.
    pub fn fill(&mut self, content: impl ExactSizeIterator<Item = (u32, u32)>) {
        each!(self, c => c.fill(content));
    }

    /// The cache without its content, where that costs less than a new one.
    #[must_use]
    pub fn emptied(mut self) -> Option<Self> {
        let done = each!(&mut self, c => c.clear());
        done.then_some(self)
    }

    /// Bytes held; never more than the budget.
    #[must_use]
    pub fn used(&self) -> u64 {
        each!(self, c => c.used())
    }

    /// Makes room for ids `0..objects` where the catalogue becomes known as it is played. The sizes of ids
    /// that were there before must stay as they were.
    pub fn grow(&mut self, objects: u32, sizes: Sizes) {
        each!(self, c => c.grow(objects, sizes));
    }
}
