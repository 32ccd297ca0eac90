//! S3-FIFO: a small queue that most entries leave unused, a main queue for those that were used there, and a
//! ghost queue of names that remembers who left (Yang et al., SOSP'23).
//!
//! Parameters of the paper's code: a tenth of the budget is the small queue's, two uses there earn a place in
//! the main queue, whose entries count uses up to three, and ghosts stand for as many bytes as main may hold.

use std::collections::{HashMap, VecDeque};

use super::list::List;
use super::{Entries, Entry, Eviction};

const USES_MAX: u8 = 3;
const USES_TO_MOVE: u8 = 2;

#[derive(Debug)]
pub(super) struct S3Fifo {
    capacity: u64,
    main_max: u64,
    entries: Entries,
    /// Uses, and whether the entry is in the main queue.
    state: Vec<(u8, bool)>,
    small: List,
    small_held: u64,
    main: List,
    main_held: u64,
    ghosts: Ghosts,
}

/// Names that left the small queue, oldest first.
#[derive(Debug, Default)]
struct Ghosts {
    /// Names with the turn in which each was remembered last.
    turns: HashMap<u64, (u64, u64)>,
    /// Turn, name; outdated where the turn of the name is another.
    order: VecDeque<(u64, u64)>,
    turn: u64,
    bytes: u64,
}

impl Ghosts {
    fn forget(&mut self, hash: u64) -> bool {
        let known = self.turns.remove(&hash);
        self.bytes -= known.map_or(0, |(_, bytes)| bytes);
        known.is_some()
    }

    fn remember(&mut self, hash: u64, bytes: u64, bytes_max: u64) {
        self.forget(hash);
        while self.bytes + bytes > bytes_max {
            let Some((turn, oldest)) = self.order.pop_front() else { return };
            if self.turns.get(&oldest).is_some_and(|&(known, _)| known == turn) {
                self.forget(oldest);
            }
        }
        self.turn += 1;
        self.turns.insert(hash, (self.turn, bytes));
        self.order.push_back((self.turn, hash));
        self.bytes += bytes;
        // Outdated turns must not outgrow the names.
        if self.order.len() > 2 * self.turns.len() + 64 {
            let turns = &self.turns;
            self.order.retain(|(turn, hash)| turns.get(hash).is_some_and(|(known, _)| known == turn));
        }
    }
}

impl S3Fifo {
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            main_max: capacity - capacity / 10,
            entries: Entries::default(),
            state: Vec::new(),
            small: List::default(),
            small_held: 0,
            main: List::default(),
            main_held: 0,
            ghosts: Ghosts::default(),
        }
    }

    fn evict(&mut self) -> Option<u32> {
        let from_small = if self.main_held > self.main_max { None } else { self.evict_small() };
        from_small.or_else(|| self.evict_main())
    }

    fn evict_small(&mut self) -> Option<u32> {
        while let Some(id) = self.small.pop_front() {
            let bytes = self.entries.bytes(id);
            self.small_held -= bytes;
            let (uses, in_main) = &mut self.state[id as usize];
            if *uses < USES_TO_MOVE {
                self.ghosts.remember(self.entries.hash(id), bytes, self.main_max);
                return Some(id);
            }
            (*uses, *in_main) = (0, true);
            self.main_held += bytes;
            self.main.push_back(id);
        }
        None
    }

    fn evict_main(&mut self) -> Option<u32> {
        while let Some(id) = self.main.pop_front() {
            let uses = &mut self.state[id as usize].0;
            if *uses == 0 {
                self.main_held -= self.entries.bytes(id);
                return Some(id);
            }
            *uses -= 1;
            self.main.push_back(id);
        }
        None
    }
}

impl Eviction for S3Fifo {
    fn used(&mut self, id: u32) {
        let uses = &mut self.state[id as usize].0;
        *uses = (*uses + 1).min(USES_MAX);
    }

    fn admit(&mut self, entry: Entry, leaving: &mut Vec<u32>) {
        let in_main = self.ghosts.forget(entry.hash);
        while self.small_held + self.main_held + entry.bytes > self.capacity {
            let Some(victim) = self.evict() else { break };
            leaving.push(victim);
        }
        self.entries.put(entry);
        if self.state.len() <= entry.id as usize {
            self.state.resize(entry.id as usize + 1, (0, false));
        }
        self.state[entry.id as usize] = (0, in_main);
        let (queue, held) = if in_main {
            (&mut self.main, &mut self.main_held)
        } else {
            (&mut self.small, &mut self.small_held)
        };
        queue.push_back(entry.id);
        *held += entry.bytes;
    }

    fn remove(&mut self, id: u32) {
        let (queue, held) = if self.state[id as usize].1 {
            (&mut self.main, &mut self.main_held)
        } else {
            (&mut self.small, &mut self.small_held)
        };
        queue.remove(id);
        *held -= self.entries.bytes(id);
    }
}
