//! SIEVE: a queue whose hand moves from the oldest to the newest, evicts who was not used since it last
//! passed, and leaves the others where they are (Zhang et al., NSDI'24).

use super::list::List;
use super::{Entries, Entry, Eviction};

#[derive(Debug)]
pub(super) struct Sieve {
    capacity: u64,
    held: u64,
    entries: Entries,
    order: List,
    visited: Vec<bool>,
    /// Where the next search begins; the oldest where it is none.
    hand: Option<u32>,
}

impl Sieve {
    pub fn new(capacity: u64) -> Self {
        let (entries, order) = (Entries::default(), List::default());
        Self { capacity, held: 0, entries, order, visited: Vec::new(), hand: None }
    }

    fn evict(&mut self) -> Option<u32> {
        loop {
            let id = self.hand.or_else(|| self.order.front())?;
            if !std::mem::take(&mut self.visited[id as usize]) {
                self.remove(id);
                return Some(id);
            }
            self.hand = self.order.behind(id);
        }
    }
}

impl Eviction for Sieve {
    fn used(&mut self, id: u32) {
        self.visited[id as usize] = true;
    }

    fn admit(&mut self, entry: Entry, leaving: &mut Vec<u32>) {
        while self.held + entry.bytes > self.capacity {
            let Some(victim) = self.evict() else { break };
            leaving.push(victim);
        }
        self.held += entry.bytes;
        self.entries.put(entry);
        self.order.push_back(entry.id);
        if self.visited.len() <= entry.id as usize {
            self.visited.resize(entry.id as usize + 1, false);
        }
        self.visited[entry.id as usize] = false;
    }

    fn remove(&mut self, id: u32) {
        // Where the hand stands: at nobody means at the oldest.
        if self.hand.or_else(|| self.order.front()) == Some(id) {
            self.hand = self.order.behind(id);
        }
        self.order.remove(id);
        self.held -= self.entries.bytes(id);
    }
}
