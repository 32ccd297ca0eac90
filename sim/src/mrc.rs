//! The exact miss ratio of LRU at every capacity, in one pass over the requests.
//!
//! Why one pass is enough: LRU of any capacity holds the objects used last, so a request is a hit if the
//! object's stack distance, the number of different objects used since its last use, itself among them, is
//! at most the capacity (Mattson, Gecsei, Slutz and Traiger 1970). A histogram of distances is the curve.
//!
//! Each object marks the time of its last use with a bit; the distance is the number of bits from there on,
//! found by a Fenwick tree over blocks of bits and a few population counts. When the times run out, they
//! are numbered anew without gaps, so memory follows the number of different objects: about 13 bytes each.

/// Bits of a block, and words that hold them.
const BLOCK: usize = 512;
const WORD: usize = 64;
const WORDS: usize = BLOCK / WORD;
/// Fewest times before they are numbered anew, and how many there are per object.
const TIMES_MIN: usize = 1 << 14;
const TIMES_PER_OBJECT: usize = 4;

/// Counts of stack distances of the requests so far.
#[derive(Debug, Clone)]
pub struct StackDistances {
    /// Time of the last use and one, by id; 0 for never.
    last: Vec<u32>,
    bits: Vec<u64>,
    /// Set bits by blocks, as a Fenwick tree.
    tree: Vec<u32>,
    /// The next time.
    now: usize,
    /// Requests by distance less one.
    counts: Vec<u64>,
    requests: u64,
}

impl Default for StackDistances {
    fn default() -> Self {
        let mut new = Self { last: vec![], bits: vec![], tree: vec![], now: 0, counts: vec![], requests: 0 };
        new.renumber();
        new
    }
}

impl StackDistances {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A use of an object. Ids should be dense: a table has as many places as the highest id.
    pub fn request(&mut self, id: u32) {
        if self.now == self.bits.len() * WORD {
            self.renumber();
        }
        self.requests += 1;
        let index = id as usize;
        if index >= self.last.len() {
            self.last.resize(index + 1, 0);
        }
        let last = self.last[index];
        if last == 0 {
            self.counts.push(0);
        } else {
            let at = last as usize - 1;
            let distance = self.counts.len() - self.set_before(at);
            self.counts[distance - 1] += 1;
            self.bits[at / WORD] ^= 1 << (at % WORD);
            self.add(at / BLOCK, u32::MAX);
        }
        self.bits[self.now / WORD] |= 1 << (self.now % WORD);
        self.add(self.now / BLOCK, 1);
        self.now += 1;
        self.last[index] = self.now as u32;
    }

    /// Requests so far.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Different objects so far. So many requests miss at any capacity.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.counts.len() as u64
    }

    /// Misses of LRU at rising capacities, in objects of equal size.
    #[must_use]
    pub fn misses(&self, capacities: &[u64]) -> Vec<u64> {
        let mut counts = self.counts.iter();
        let (mut counted, mut hits) = (0, 0);
        let misses = |&capacity: &u64| {
            let more = usize::try_from(capacity.saturating_sub(counted)).unwrap_or(usize::MAX);
            hits += counts.by_ref().take(more).sum::<u64>();
            counted = counted.max(capacity);
            self.requests - hits
        };
        capacities.iter().map(misses).collect()
    }

    /// Set bits before a time.
    fn set_before(&self, time: usize) -> usize {
        let block = time / BLOCK;
        let mut set = 0;
        let mut node = block;
        while node > 0 {
            set += self.tree[node] as usize;
            node &= node - 1;
        }
        let (first, word) = (block * WORDS, time / WORD);
        set += self.bits[first..word].iter().map(|w| w.count_ones() as usize).sum::<usize>();
        set + (self.bits[word] & ((1 << (time % WORD)) - 1)).count_ones() as usize
    }

    /// Adds to a block's count; `u32::MAX` takes one away.
    fn add(&mut self, block: usize, count: u32) {
        let mut node = block + 1;
        while node < self.tree.len() {
            self.tree[node] = self.tree[node].wrapping_add(count);
            node += node & node.wrapping_neg();
        }
    }

    /// Gives the times of last use the numbers from 0, in order, and room for as many again.
    fn renumber(&mut self) {
        let mut before = Vec::with_capacity(self.bits.len());
        let mut set = 0;
        for word in &self.bits {
            before.push(set);
            set += word.count_ones();
        }
        for last in &mut self.last {
            if *last > 0 {
                let at = *last as usize - 1;
                let below = self.bits[at / WORD] & ((1 << (at % WORD)) - 1);
                *last = before[at / WORD] + below.count_ones() + 1;
            }
        }
        let objects = set as usize;
        let blocks = (TIMES_PER_OBJECT * objects).max(TIMES_MIN).div_ceil(BLOCK);
        self.bits.clear();
        self.bits.resize(blocks * WORDS, 0);
        self.bits[..objects / WORD].fill(u64::MAX);
        self.bits[objects / WORD] = (1 << (objects % WORD)) - 1;
        self.now = objects;
        self.tree.clear();
        self.tree.resize(blocks + 1, 0);
        for node in 1..=blocks {
            // A node counts the blocks from here to its own.
            let from = (node & (node - 1)) * BLOCK;
            self.tree[node] = (objects.min(node * BLOCK).saturating_sub(from)) as u32;
        }
    }
}

/// Capacities to show a curve at: 1, 1.25, 1.6, 2, ... 10, ... and the number of objects itself.
#[must_use]
pub fn log_spaced(objects: u64) -> Vec<u64> {
    const STEPS: [u64; 10] = [100, 125, 160, 200, 250, 315, 400, 500, 630, 800];
    let mut capacities: Vec<u64> = (0..=9)
        .flat_map(|decade: u32| STEPS.map(|step| step * 10_u64.pow(decade)))
        .filter(|&step| step % 100 == 0 || step > 1_000)
        .map(|step| step / 100)
        .chain([objects])
        .filter(|&capacity| capacity > 0 && capacity <= objects)
        .collect();
    capacities.sort_unstable();
    capacities.dedup();
    capacities
}

#[cfg(test)]
mod tests {
    use plimsoll_scenarios::Policy;
    use plimsoll_scenarios::popularity::Popularity;
    use plimsoll_scenarios::rng::Stream;
    use proptest::prelude::*;

    use super::*;
    use crate::cache::{Cache, Sizes};

    fn lru_misses(ids: &[u32], objects: u32, capacity: u64) -> u64 {
        let mut cache = Cache::new(Policy::Lru, objects, capacity, Sizes::Same(1));
        ids.iter().map(|&id| u64::from(!cache.request(id))).sum()
    }

    fn distances(ids: &[u32]) -> StackDistances {
        let mut distances = StackDistances::new();
        for &id in ids {
            distances.request(id);
        }
        distances
    }

    #[test]
    fn the_curve_equals_lru_at_every_capacity() {
        let sampler = Popularity::zipf(0.9).over(5_000).sampler();
        let mut stream = Stream::new(1, "mrc", "ids", 0);
        // Long enough for times to be numbered anew several times.
        let ids: Vec<u32> = (0..150_000).map(|_| sampler.draw(&mut stream) as u32).collect();
        let curve = distances(&ids);
        let capacities = log_spaced(curve.objects());
        assert!(capacities.len() > 20);
        for (capacity, misses) in capacities.iter().zip(curve.misses(&capacities)) {
            assert_eq!(misses, lru_misses(&ids, 5_000, *capacity), "capacity {capacity}");
        }
        assert_eq!(curve.misses(&[curve.objects()]), [curve.objects()]);
    }

    #[test]
    fn capacities_are_spaced_evenly_on_a_logarithmic_scale() {
        assert_eq!(log_spaced(30), [1, 2, 4, 5, 8, 10, 12, 16, 20, 25, 30]);
        assert!(log_spaced(0).is_empty());
        assert_eq!(log_spaced(u64::from(u32::MAX)).last(), Some(&u64::from(u32::MAX)));
    }

    proptest! {
        #[test]
        fn short_traces_agree_at_all_capacities(ids in prop::collection::vec(0..30_u32, 0..300)) {
            let curve = distances(&ids);
            let capacities: Vec<u64> = (0..=31).collect();
            let lru: Vec<u64> = capacities.iter().map(|&c| lru_misses(&ids, 30, c)).collect();
            prop_assert_eq!(curve.misses(&capacities), lru);
        }
    }
}
