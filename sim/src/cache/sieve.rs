//! SIEVE: FIFO with a hand that moves from the oldest object to the newest and spares what was used since
//! it last passed; unlike CLOCK it leaves the spared where they are (Zhang et al., NSDI'24).
//!
//! An array in order of admission, with holes where objects were evicted, squeezed when half is holes: the
//! hand moves through memory in order.

use super::Sizes;

const HOLE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    Unused,
    Used,
}

#[derive(Debug, Clone)]
pub struct Sieve {
    pub(super) used: u64,
    capacity: u64,
    sizes: Sizes,
    state: Vec<State>,
    /// Oldest first.
    order: Vec<u32>,
    held: usize,
    /// Where the next search for a victim starts.
    hand: usize,
}

impl Sieve {
    #[must_use]
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self {
            used: 0,
            capacity,
            sizes,
            state: vec![State::Absent; objects as usize],
            order: Vec::new(),
            held: 0,
            hand: 0,
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
        while self.used + size > self.capacity && self.held > 0 {
            self.evict();
        }
        self.state[id as usize] = State::Unused;
        self.used += size;
        self.held += 1;
        self.order.push(id);
        if self.order.len() > 2 * self.held + 1024 {
            self.squeeze();
        }
    }

    fn evict(&mut self) {
        loop {
            if self.hand >= self.order.len() {
                self.hand = 0;
            }
            let id = self.order[self.hand];
            if id == HOLE {
                self.hand += 1;
                continue;
            }
            if self.state[id as usize] == State::Used {
                self.state[id as usize] = State::Unused;
                self.hand += 1;
                continue;
            }
            self.state[id as usize] = State::Absent;
            self.order[self.hand] = HOLE;
            self.hand += 1;
            self.used -= self.sizes.of(id);
            self.held -= 1;
            // Past the newest there is nobody: the next search starts from the oldest, whatever comes in.
            if self.order[self.hand..].iter().all(|&next| next == HOLE) {
                self.hand = 0;
            }
            return;
        }
    }

    fn squeeze(&mut self) {
        let before = self.order[..self.hand].iter().filter(|&&id| id != HOLE).count();
        self.order.retain(|&id| id != HOLE);
        self.hand = before;
    }
}
