//! First in, first out: a queue of ids in order of admission; a hit changes nothing.

use std::collections::VecDeque;

use super::table::Table;
use super::{Eviction, Sizes};

#[derive(Debug, Clone)]
pub struct Fifo {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    /// 1 for what is held, by id. Bytes of zeros, unlike `bool`s, cost no memory until used.
    present: Table<u8>,
    queue: VecDeque<u32>,
}

impl Fifo {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self { used: 0, capacity, sizes, present: Table::new(objects as usize), queue: VecDeque::new() }
    }
}

impl Eviction for Fifo {
    #[inline]
    fn lookup(&mut self, id: u32) -> bool {
        self.present[id as usize] != 0
    }

    #[inline]
    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.present[id as usize] != 0 {
            return;
        }
        while self.used + size > self.capacity {
            let Some(oldest) = self.queue.pop_front() else { break };
            self.present[oldest as usize] = 0;
            self.used -= self.sizes.of(oldest);
        }
        self.present[id as usize] = 1;
        self.used += size;
        self.queue.push_back(id);
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        u32::from(self.present[id as usize])
    }

    #[inline]
    fn touch_victim(&self, turn: u32) -> u32 {
        self.queue.get(turn as usize).map_or(0, |&id| self.touch(id))
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.present.grow(objects as usize);
        self.sizes = sizes;
    }
}
