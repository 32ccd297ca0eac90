//! SIEVE: FIFO with a hand that moves from the oldest object to the newest and spares what was used since
//! it last passed; unlike CLOCK it leaves the spared where they are (Zhang et al., NSDI'24).
//!
//! An array in order of admission, with holes where objects were evicted, squeezed when half is holes: the
//! hand moves through memory in order.

use super::table::Table;
use super::{Eviction, Sizes};

const HOLE: u32 = u32::MAX;
/// Holes that are not worth squeezing out.
const HOLES_MIN: usize = 1024;

const ABSENT: u8 = 0;
const UNUSED: u8 = 1;
const USED: u8 = 2;

#[derive(Debug, Clone)]
pub struct Sieve {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    state: Table<u8>,
    /// Oldest first; the last is never a hole.
    order: Vec<u32>,
    held: usize,
    /// Where the next search for a victim starts.
    hand: usize,
}

impl Sieve {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        let state = Table::new(objects as usize);
        Self { used: 0, capacity, sizes, state, order: Vec::new(), held: 0, hand: 0 }
    }

    fn evict(&mut self) {
        loop {
            // Past the newest the search goes on from the oldest.
            let Some(&id) = self.order.get(self.hand) else {
                self.hand = 0;
                continue;
            };
            self.hand += 1;
            if id == HOLE {
                continue;
            }
            let state = &mut self.state[id as usize];
            if *state == USED {
                *state = UNUSED;
                continue;
            }
            *state = ABSENT;
            self.used -= self.sizes.of(id);
            self.held -= 1;
            self.order[self.hand - 1] = HOLE;
            if self.hand == self.order.len() {
                // Behind the newest there is nobody: the next search starts from the oldest, whatever
                // comes in meanwhile.
                self.hand = 0;
                while self.order.last() == Some(&HOLE) {
                    self.order.pop();
                }
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

impl Eviction for Sieve {
    #[inline]
    fn lookup(&mut self, id: u32) -> bool {
        let state = &mut self.state[id as usize];
        let hit = *state != ABSENT;
        *state = USED * u8::from(hit);
        hit
    }

    #[inline]
    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.state[id as usize] != ABSENT {
            return;
        }
        while self.used + size > self.capacity && self.held > 0 {
            self.evict();
        }
        self.state[id as usize] = UNUSED;
        self.used += size;
        self.held += 1;
        self.order.push(id);
        if self.order.len() > 2 * self.held + HOLES_MIN {
            self.squeeze();
        }
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        u32::from(self.state[id as usize])
    }

    #[inline]
    fn touch_victim(&self, turn: u32) -> u32 {
        match self.order.get(self.hand + turn as usize) {
            Some(&id) if id != HOLE => self.touch(id),
            _ => 0,
        }
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.state.grow(objects as usize);
        self.sizes = sizes;
    }
}
