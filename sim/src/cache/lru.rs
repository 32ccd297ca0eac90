//! Least recently used, exact. The order of use is a [`Log`]; a hit costs one random read.

use super::log::{Log, NOWHERE};
use super::positions::{Positions, Sparse};
use super::{Eviction, Sizes};

#[derive(Debug, Clone)]
pub struct Lru<P = Vec<u32>> {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    /// Position in the log, by id.
    positions: P,
    log: Log,
}

impl Lru {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self::with(vec![NOWHERE; objects as usize], capacity, sizes)
    }
}

impl Lru<Sparse> {
    /// For a catalogue far larger than what is cached.
    pub fn sparse(capacity: u64, sizes: Sizes) -> Self {
        Self::with(Sparse::new(), capacity, sizes)
    }
}

impl<P: Positions> Lru<P> {
    fn with(positions: P, capacity: u64, sizes: Sizes) -> Self {
        Self { used: 0, capacity, sizes, positions, log: Log::new() }
    }
}

impl<P: Positions> Eviction for Lru<P> {
    #[inline]
    fn lookup(&mut self, id: u32) -> bool {
        let place = self.positions.find(id);
        if self.positions.at(place) == NOWHERE {
            return false;
        }
        self.log.renew_lazily(id, place, &mut self.positions);
        true
    }

    #[inline]
    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.positions.at(self.positions.find(id)) != NOWHERE {
            return;
        }
        while self.used + size > self.capacity {
            let Some(oldest) = self.log.pop(&mut self.positions) else { break };
            self.used -= self.sizes.of(oldest);
        }
        self.used += size;
        self.log.push(id, &mut self.positions);
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        self.positions.touch(id)
    }

    #[inline]
    fn touch_victim(&self, turn: u32) -> u32 {
        self.log.ahead(turn).map_or(0, |id| self.positions.touch(id))
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.positions.reach(objects);
        self.sizes = sizes;
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_scenarios::rng::Stream;

    use super::*;

    #[test]
    fn a_sparse_table_gives_the_same_hits() {
        let mut random = Stream::splitmix(5);
        let sizes: Vec<u64> = (0..20_000).map(|_| 1 + random.below(30)).collect();
        for sizes in [Sizes::Same(3), Sizes::Each(sizes.into())] {
            let mut dense = Lru::new(20_000, 9_000, sizes.clone());
            let mut sparse = Lru::sparse(9_000, sizes);
            let mut hits = 0;
            for _ in 0..60_000 {
                let id = (random.uniform().powi(4) * 20_000.0) as u32;
                let hit = dense.request(id);
                assert_eq!(hit, sparse.request(id));
                assert_eq!(dense.used(), sparse.used());
                hits += u32::from(hit);
            }
            assert!((10_000..50_000).contains(&hits), "{hits}");
        }
    }
}
