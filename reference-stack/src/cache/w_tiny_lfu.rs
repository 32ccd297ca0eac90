//! W-TinyLFU: new entries enter a small LRU window; who leaves it is admitted to the main part only if a
//! sketch of the recent past says that it was asked for more often than whom it would replace (Einziger,
//! Friedman and Manes, ACM Transactions on Storage 2017).
//!
//! The window is 1 % of the budget; the main part is a segmented LRU, 80 % of it protected. The sketch is a
//! count-min sketch of four rows that stops at 15 and is halved after ten uses per entry.

use super::list::List;
use super::{Entries, Entry, Eviction};

const ROWS: usize = 4;
const COUNT_MAX: u8 = 15;
const USES_PER_ENTRY: u64 = 10;
const COLUMNS_MIN: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    None,
    Window,
    Probation,
    Protected,
}

#[derive(Debug)]
pub(super) struct WTinyLfu {
    window_max: u64,
    main_max: u64,
    protected_max: u64,
    entries: Entries,
    segments: Vec<Segment>,
    window: Part,
    probation: Part,
    protected: Part,
    sketch: Sketch,
}

/// One segment: who used longest ago is in front.
#[derive(Debug, Default)]
struct Part {
    order: List,
    held: u64,
}

impl Part {
    fn push(&mut self, id: u32, bytes: u64) {
        self.order.push_back(id);
        self.held += bytes;
    }

    fn remove(&mut self, id: u32, bytes: u64) {
        self.order.remove(id);
        self.held -= bytes;
    }
}

impl WTinyLfu {
    pub fn new(capacity: u64) -> Self {
        let window_max = (capacity / 100).max(1).min(capacity);
        let main_max = capacity - window_max;
        Self {
            window_max,
            main_max,
            protected_max: main_max / 5 * 4 + main_max % 5 * 4 / 5,
            entries: Entries::default(),
            segments: Vec::new(),
            window: Part::default(),
            probation: Part::default(),
            protected: Part::default(),
            sketch: Sketch { columns: vec![[0; ROWS]; COLUMNS_MIN], uses: 0 },
        }
    }

    fn put_on_probation(&mut self, id: u32) {
        self.probation.push(id, self.entries.bytes(id));
        self.segments[id as usize] = Segment::Probation;
    }

    /// Who leaves the window asks for a place in the main part; `false` if it gets none.
    fn contest(&mut self, candidate: u32, leaving: &mut Vec<u32>) -> bool {
        let bytes = self.entries.bytes(candidate);
        if bytes > self.main_max {
            return false;
        }
        let strength = self.sketch.estimate(self.entries.hash(candidate));
        while self.probation.held + self.protected.held + bytes > self.main_max {
            let on_probation = self.probation.order.front();
            let Some(victim) = on_probation.or_else(|| self.protected.order.front()) else { return false };
            if self.sketch.estimate(self.entries.hash(victim)) >= strength {
                return false;
            }
            self.remove(victim);
            leaving.push(victim);
        }
        self.put_on_probation(candidate);
        true
    }
}

impl Eviction for WTinyLfu {
    fn asked(&mut self, hash: u64) {
        self.sketch.count(hash);
    }

    fn used(&mut self, id: u32) {
        let bytes = self.entries.bytes(id);
        match self.segments[id as usize] {
            Segment::None => {}
            Segment::Window => self.window.order.move_to_back(id),
            Segment::Protected => self.protected.order.move_to_back(id),
            Segment::Probation => {
                self.probation.remove(id, bytes);
                self.protected.push(id, bytes);
                self.segments[id as usize] = Segment::Protected;
                while self.protected.held > self.protected_max {
                    let Some(oldest) = self.protected.order.front() else { break };
                    self.protected.remove(oldest, self.entries.bytes(oldest));
                    self.put_on_probation(oldest);
                }
            }
        }
    }

    fn admit(&mut self, entry: Entry, leaving: &mut Vec<u32>) {
        self.entries.put(entry);
        if self.segments.len() <= entry.id as usize {
            self.segments.resize(entry.id as usize + 1, Segment::None);
        }
        self.segments[entry.id as usize] = Segment::Window;
        self.window.push(entry.id, entry.bytes);
        while self.window.held > self.window_max {
            let Some(oldest) = self.window.order.front() else { break };
            self.window.remove(oldest, self.entries.bytes(oldest));
            self.segments[oldest as usize] = Segment::None;
            if !self.contest(oldest, leaving) {
                leaving.push(oldest);
            }
        }
        let held = self.window.order.len() + self.probation.order.len() + self.protected.order.len();
        self.sketch.fit(held);
    }

    fn remove(&mut self, id: u32) {
        let bytes = self.entries.bytes(id);
        match std::mem::replace(&mut self.segments[id as usize], Segment::None) {
            Segment::None => {}
            Segment::Window => self.window.remove(id, bytes),
            Segment::Probation => self.probation.remove(id, bytes),
            Segment::Protected => self.protected.remove(id, bytes),
        }
    }
}

/// How often a name was asked for lately.
#[derive(Debug)]
struct Sketch {
    /// A power of two of them.
    columns: Vec<[u8; ROWS]>,
    uses: u64,
}

impl Sketch {
    /// Makes room for this many entries. Names keep their counts: a column is doubled with what it holds.
    fn fit(&mut self, entries: usize) {
        while entries > self.columns.len() {
            self.columns.extend_from_within(..);
        }
    }

    fn count(&mut self, hash: u64) {
        let places = self.places(hash);
        for (row, column) in places.into_iter().enumerate() {
            let counter = &mut self.columns[column][row];
            *counter = (*counter + 1).min(COUNT_MAX);
        }
        self.uses += 1;
        if self.uses >= USES_PER_ENTRY * self.columns.len() as u64 {
            self.columns.as_flattened_mut().iter_mut().for_each(|counter| *counter /= 2);
            self.uses /= 2;
        }
    }

    fn estimate(&self, hash: u64) -> u8 {
        let places = self.places(hash);
        places.into_iter().enumerate().map(|(row, column)| self.columns[column][row]).min().unwrap_or(0)
    }

    fn places(&self, hash: u64) -> [usize; ROWS] {
        let step = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        std::array::from_fn(|row| {
            let mixed = hash.wrapping_add(step.wrapping_mul(row as u64));
            (mixed ^ (mixed >> 32)) as usize & (self.columns.len() - 1)
        })
    }
}
