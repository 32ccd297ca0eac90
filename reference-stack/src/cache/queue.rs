//! The policies of one queue: LRU moves what is used to its end, FIFO does not, CLOCK spares once who was
//! used since it last came to the front (second chance; Corbató 1968).

use super::list::List;
use super::{Entries, Entry, Eviction};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Lru,
    Fifo,
    Clock,
}

#[derive(Debug)]
pub(super) struct Queue {
    kind: Kind,
    capacity: u64,
    held: u64,
    entries: Entries,
    order: List,
    /// CLOCK: used since the last time at the front.
    spared: Vec<bool>,
}

impl Queue {
    pub fn new(kind: Kind, capacity: u64) -> Self {
        let (entries, order) = (Entries::default(), List::default());
        Self { kind, capacity, held: 0, entries, order, spared: Vec::new() }
    }
}

impl Eviction for Queue {
    fn used(&mut self, id: u32) {
        match self.kind {
            Kind::Lru => self.order.move_to_back(id),
            Kind::Fifo => {}
            Kind::Clock => self.spared[id as usize] = true,
        }
    }

    fn admit(&mut self, entry: Entry, leaving: &mut Vec<u32>) {
        while self.held + entry.bytes > self.capacity {
            let Some(oldest) = self.order.pop_front() else { break };
            if self.kind == Kind::Clock && std::mem::take(&mut self.spared[oldest as usize]) {
                self.order.push_back(oldest);
                continue;
            }
            self.held -= self.entries.bytes(oldest);
            leaving.push(oldest);
        }
        self.held += entry.bytes;
        self.entries.put(entry);
        self.order.push_back(entry.id);
        if self.spared.len() <= entry.id as usize {
            self.spared.resize(entry.id as usize + 1, false);
        }
        self.spared[entry.id as usize] = false;
    }

    fn remove(&mut self, id: u32) {
        self.order.remove(id);
        self.held -= self.entries.bytes(id);
    }
}
