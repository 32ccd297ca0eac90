//! CLOCK with one bit (second chance, FIFO with reinsertion): a hit sets the bit, and an object whose bit
//! is set when its turn comes goes once more to the end of the queue (Corbató 1968).

use std::collections::VecDeque;

use super::table::Table;
use super::{Eviction, Sizes};

const ABSENT: u8 = 0;
const UNUSED: u8 = 1;
const USED: u8 = 2;

#[derive(Debug, Clone)]
pub struct Clock {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    state: Table<u8>,
    queue: VecDeque<u32>,
}

impl Clock {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self { used: 0, capacity, sizes, state: Table::new(objects as usize), queue: VecDeque::new() }
    }
}

impl Eviction for Clock {
    #[inline]
    fn lookup(&mut self, id: u32) -> bool {
        let state = &mut self.state[id as usize];
        let hit = *state != ABSENT;
        // Without a branch that nobody can predict: absent stays 0, all else becomes 2.
        *state = USED * u8::from(hit);
        hit
    }

    #[inline]
    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.state[id as usize] != ABSENT {
            return;
        }
        while self.used + size > self.capacity {
            let Some(oldest) = self.queue.pop_front() else { break };
            let state = &mut self.state[oldest as usize];
            if *state == USED {
                *state = UNUSED;
                self.queue.push_back(oldest);
            } else {
                *state = ABSENT;
                self.used -= self.sizes.of(oldest);
            }
        }
        self.state[id as usize] = UNUSED;
        self.used += size;
        self.queue.push_back(id);
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        u32::from(self.state[id as usize])
    }

    #[inline]
    fn touch_victim(&self, turn: u32) -> u32 {
        self.queue.get(turn as usize).map_or(0, |&id| self.touch(id))
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.state.grow(objects as usize);
        self.sizes = sizes;
    }
}
