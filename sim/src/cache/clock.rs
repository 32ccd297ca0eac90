//! CLOCK with one bit (second chance, FIFO with reinsertion): a hit sets the bit, and an object whose bit
//! is set when its turn comes goes once more to the end of the queue (Corbató 1968).

use std::collections::VecDeque;

use super::Sizes;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    Unused,
    Used,
}

#[derive(Debug, Clone)]
pub struct Clock {
    pub(super) used: u64,
    capacity: u64,
    sizes: Sizes,
    state: Vec<State>,
    queue: VecDeque<u32>,
}

impl Clock {
    #[must_use]
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self {
            used: 0,
            capacity,
            sizes,
            state: vec![State::Absent; objects as usize],
            queue: VecDeque::new(),
        }
    }

    #[inline]
    pub(super) fn touch(&self, id: u32) -> State {
        self.state[id as usize]
    }

    #[inline]
    pub fn lookup(&mut self, id: u32) -> bool {
        let state = &mut self.state[id as usize];
        if *state == State::Absent {
            return false;
        }
        *state = State::Used;
        true
    }

    pub fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.state[id as usize] != State::Absent {
            return;
        }
        while self.used + size > self.capacity {
            let Some(oldest) = self.queue.pop_front() else { break };
            if self.state[oldest as usize] == State::Used {
                self.state[oldest as usize] = State::Unused;
                self.queue.push_back(oldest);
            } else {
                self.state[oldest as usize] = State::Absent;
                self.used -= self.sizes.of(oldest);
            }
        }
        self.state[id as usize] = State::Unused;
        self.used += size;
        self.queue.push_back(id);
    }
}
