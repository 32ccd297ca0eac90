//! First in, first out: a ring of ids in order of admission; a hit changes nothing.

use std::collections::VecDeque;

use super::Sizes;

#[derive(Debug, Clone)]
pub struct Fifo {
    pub(super) used: u64,
    capacity: u64,
    sizes: Sizes,
    present: Vec<bool>,
    queue: VecDeque<u32>,
}

impl Fifo {
    #[must_use]
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self { used: 0, capacity, sizes, present: vec![false; objects as usize], queue: VecDeque::new() }
    }

    #[inline]
    pub(super) fn touch(&self, id: u32) -> bool {
        self.present[id as usize]
    }

    #[inline]
    pub fn lookup(&mut self, id: u32) -> bool {
        self.present[id as usize]
    }

    pub fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.present[id as usize] {
            return;
        }
        while self.used + size > self.capacity {
            let Some(oldest) = self.queue.pop_front() else { break };
            self.present[oldest as usize] = false;
            self.used -= self.sizes.of(oldest);
        }
        self.present[id as usize] = true;
        self.used += size;
        self.queue.push_back(id);
    }
}
