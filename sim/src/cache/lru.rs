//! Least recently used, exact. The order of use is a [`Log`]; a hit costs one random read.

use super::log::{Log, NOWHERE};
use super::{Eviction, Sizes};

#[derive(Debug, Clone)]
pub struct Lru {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    /// Position in the log, by id.
    positions: Vec<u32>,
    log: Log,
}

impl Lru {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self { used: 0, capacity, sizes, positions: vec![NOWHERE; objects as usize], log: Log::new() }
    }
}

impl Eviction for Lru {
    #[inline]
    fn lookup(&mut self, id: u32) -> bool {
        if self.positions[id as usize] == NOWHERE {
            return false;
        }
        self.log.renew_lazily(id, &mut self.positions);
        true
    }

    #[inline]
    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.positions[id as usize] != NOWHERE {
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
        self.positions[id as usize]
    }

    #[inline]
    fn touch_victim(&self, turn: u32) -> u32 {
        self.log.ahead(turn).map_or(0, |id| self.positions[id as usize])
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.positions.resize(objects as usize, NOWHERE);
        self.sizes = sizes;
    }
}
