//! Least frequently used since admission; among equals, who has had that number of uses for longest.

use std::collections::BTreeSet;

use super::{Entries, Entry, Eviction};

#[derive(Debug)]
pub(super) struct Lfu {
    capacity: u64,
    held: u64,
    entries: Entries,
    /// Uses and the turn of the last, by entry.
    ranks: Vec<(u64, u64)>,
    /// Uses, turn, entry: the first leaves first.
    order: BTreeSet<(u64, u64, u32)>,
    turn: u64,
}

impl Lfu {
    pub fn new(capacity: u64) -> Self {
        let (entries, order) = (Entries::default(), BTreeSet::new());
        Self { capacity, held: 0, entries, ranks: Vec::new(), order, turn: 0 }
    }

    fn rank(&mut self, id: u32, uses: u64) {
        self.turn += 1;
        self.ranks[id as usize] = (uses, self.turn);
        self.order.insert((uses, self.turn, id));
    }
}

impl Eviction for Lfu {
    fn used(&mut self, id: u32) {
        let (uses, turn) = self.ranks[id as usize];
        self.order.remove(&(uses, turn, id));
        self.rank(id, uses + 1);
    }

    fn admit(&mut self, entry: Entry, leaving: &mut Vec<u32>) {
        while self.held + entry.bytes > self.capacity {
            let Some((_, _, victim)) = self.order.pop_first() else { break };
            self.held -= self.entries.bytes(victim);
            leaving.push(victim);
        }
        self.held += entry.bytes;
        self.entries.put(entry);
        if self.ranks.len() <= entry.id as usize {
            self.ranks.resize(entry.id as usize + 1, (0, 0));
        }
        self.rank(entry.id, 1);
    }

    fn remove(&mut self, id: u32) {
        let (uses, turn) = self.ranks[id as usize];
        self.order.remove(&(uses, turn, id));
        self.held -= self.entries.bytes(id);
    }
}
