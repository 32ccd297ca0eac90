//! W-TinyLFU: new objects enter a small LRU window; who leaves it is admitted to the main part only if a
//! sketch of the recent past says that it was asked for more often than whom it would replace (Einziger,
//! Friedman and Manes, ACM Transactions on Storage 2017).
//!
//! The window is 1 % of the budget. The main part is a segmented LRU: objects wait on probation, a hit there
//! protects them, and who is pushed out of the protected 80 % goes back to probation. A large object must
//! win against each of those it needs the room of.

use super::log::Log;
use super::sketch::Sketch;
use super::table::Table;
use super::{Eviction, Sizes};

const WINDOW: u8 = 1;
const PROBATION: u8 = 2;
const PROTECTED: u8 = 3;

#[derive(Debug, Clone)]
pub struct WTinyLfu {
    sizes: Sizes,
    capacity: u64,
    window_max: u64,
    main_max: u64,
    protected_max: u64,
    window_used: u64,
    probation_used: u64,
    protected_used: u64,
    /// Segment by id, 0 for none, and the position there.
    segment: Table<u8>,
    positions: Table<u32>,
    window: Log,
    probation: Log,
    protected: Log,
    sketch: Sketch,
}

impl WTinyLfu {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        let window_max = (capacity / 100).max(1).min(capacity);
        let main_max = capacity - window_max;
        Self {
            sizes,
            capacity,
            window_max,
            main_max,
            protected_max: main_max / 5 * 4 + main_max % 5 * 4 / 5,
            window_used: 0,
            probation_used: 0,
            protected_used: 0,
            segment: Table::new(objects as usize),
            positions: Table::new(objects as usize),
            window: Log::new(),
            probation: Log::new(),
            protected: Log::new(),
            sketch: Sketch::new(),
        }
    }

    /// A hit on probation: protected from now on, and the least recent of the protected may go back.
    fn protect(&mut self, id: u32) {
        let size = self.sizes.of(id);
        self.probation.remove(id, &mut self.positions);
        self.probation_used -= size;
        self.protected.push(id, &mut self.positions);
        self.protected_used += size;
        self.segment[id as usize] = PROTECTED;
        while self.protected_used > self.protected_max {
            let Some(oldest) = self.protected.pop(&mut self.positions) else { break };
            let size = self.sizes.of(oldest);
            self.protected_used -= size;
            self.put_on_probation(oldest, size);
        }
    }

    fn put_on_probation(&mut self, id: u32, size: u64) {
        self.probation.push(id, &mut self.positions);
        self.probation_used += size;
        self.segment[id as usize] = PROBATION;
    }

    /// Who leaves the window asks for a place in the main part.
    fn contest(&mut self, candidate: u32) {
        let size = self.sizes.of(candidate);
        self.segment[candidate as usize] = 0;
        if size > self.main_max {
            return;
        }
        let strength = self.sketch.estimate(candidate);
        while self.probation_used + self.protected_used + size > self.main_max {
            let on_probation = self.probation.oldest();
            let Some(victim) = on_probation.or_else(|| self.protected.oldest()) else {
                return;
            };
            if self.sketch.estimate(victim) >= strength {
                return;
            }
            if on_probation.is_some() {
                self.probation.remove(victim, &mut self.positions);
                self.probation_used -= self.sizes.of(victim);
            } else {
                self.protected.remove(victim, &mut self.positions);
                self.protected_used -= self.sizes.of(victim);
            }
            self.segment[victim as usize] = 0;
        }
        self.put_on_probation(candidate, size);
    }
}

impl Eviction for WTinyLfu {
    fn lookup(&mut self, id: u32) -> bool {
        self.sketch.count(id);
        match self.segment[id as usize] {
            WINDOW => self.window.renew(id, &mut self.positions),
            PROBATION => self.protect(id),
            PROTECTED => self.protected.renew(id, &mut self.positions),
            _ => return false,
        }
        true
    }

    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.segment[id as usize] != 0 {
            return;
        }
        self.window.push(id, &mut self.positions);
        self.window_used += size;
        self.segment[id as usize] = WINDOW;
        while self.window_used > self.window_max {
            let Some(oldest) = self.window.pop(&mut self.positions) else { break };
            self.window_used -= self.sizes.of(oldest);
            self.contest(oldest);
        }
        self.sketch.fit(self.window.len() + self.probation.len() + self.protected.len());
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        u32::from(self.segment[id as usize]) ^ self.positions[id as usize]
    }

    fn used(&self) -> u64 {
        self.window_used + self.probation_used + self.protected_used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.segment.grow(objects as usize);
        self.positions.grow(objects as usize);
        self.sizes = sizes;
    }
}
