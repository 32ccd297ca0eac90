//! LRU, FIFO and CLOCK, exact: objects stand in one queue and leave it at its oldest end. They differ in what a use does.
//!
//! Why so: positions in the queue only rise, so that who is before its head is out without being told. A hit then costs one
//! random read of the table of positions, and an eviction none.

use std::fmt::Debug;
use std::hint::black_box;

use super::log::Log;
use super::ring::{Clock, Ring};
use super::table::Table;
use super::{BATCH, Eviction, Sizes};

/// A queue whose positions only rise. Who is in it has its position in a table by id, which belongs to nobody else.
pub trait Queue: Debug + Clone {
    /// Whether a position is one of an entry.
    fn holds(&self, position: u32) -> bool;

    /// An entry is used.
    fn used(&mut self, id: u32, positions: &mut [u32]);

    /// Puts an id that is not in the queue at its newest end.
    fn push(&mut self, id: u32, positions: &mut [u32]);

    /// Takes out who leaves next.
    fn evict(&mut self, positions: &mut [u32]) -> Option<u32>;

    /// Reads what uses of these places, and the next evictions, would read and write, and nothing else.
    fn touch(&mut self, places: &[u32], positions: &[u32]) -> u64;

    /// Puts ids into the empty queue, each once, with its place in the queue, from 0 on.
    fn fill(&mut self, content: impl ExactSizeIterator<Item = (u32, u32)>, positions: &mut [u32]);

    /// Takes all out; the table stays as it is.
    fn clear(&mut self);

    /// The ids, the oldest first.
    fn ids(&self) -> impl Iterator<Item = u32>;
}

/// Least recently used: a use is a way to the newest end.
impl Queue for Log {
    #[inline]
    fn holds(&self, position: u32) -> bool {
        self.holds(position)
    }

    #[inline]
    fn used(&mut self, id: u32, positions: &mut [u32]) {
        self.renew(id, positions);
    }

    #[inline]
    fn push(&mut self, id: u32, positions: &mut [u32]) {
        self.push(id, positions);
    }

    #[inline]
    fn evict(&mut self, _: &mut [u32]) -> Option<u32> {
        self.pop_alone()
    }

    #[inline]
    fn touch(&mut self, places: &[u32], _: &[u32]) -> u64 {
        Self::touch(self, places)
    }

    fn fill(&mut self, content: impl ExactSizeIterator<Item = (u32, u32)>, positions: &mut [u32]) {
        self.fill_alone(content, positions);
    }

    fn clear(&mut self) {
        self.clear_alone();
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        self.ids()
    }
}

/// A cache whose objects stand in a queue.
#[derive(Debug, Clone)]
pub struct Queued<Q> {
    order: Order<Q>,
    /// Position in the queue, by id.
    positions: Table<u32>,
}

/// Everything but the table of positions, which a batch looks up once.
#[derive(Debug, Clone)]
struct Order<Q> {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    queue: Q,
}

pub type Lru = Queued<Log>;
pub type Fifo = Queued<Ring>;
pub type SecondChance = Queued<Clock>;

impl Lru {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self::with(Log::alone(), objects, capacity, sizes)
    }
}

impl Fifo {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self::with(Ring::new(), objects, capacity, sizes)
    }
}

impl SecondChance {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self::with(Clock::new(), objects, capacity, sizes)
    }
}

impl<Q: Queue> Queued<Q> {
    fn with(queue: Q, objects: u32, capacity: u64, sizes: Sizes) -> Self {
        let order = Order { used: 0, capacity, sizes, queue };
        Self { order, positions: Table::new(objects as usize) }
    }
}

impl<Q: Queue> Order<Q> {
    #[inline]
    fn lookup(&mut self, id: u32, positions: &mut [u32]) -> bool {
        let hit = self.queue.holds(positions[id as usize]);
        if hit {
            self.queue.used(id, positions);
        }
        hit
    }

    #[inline]
    fn insert(&mut self, id: u32, positions: &mut [u32]) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.queue.holds(positions[id as usize]) {
            return;
        }
        self.evict_down_to(self.capacity - size, positions);
        self.used += size;
        self.queue.push(id, positions);
    }

    #[inline]
    fn evict_down_to(&mut self, bytes: u64, positions: &mut [u32]) {
        while self.used > bytes {
            let Some(id) = self.queue.evict(positions) else { break };
            self.used -= self.sizes.of(id);
        }
    }
}

impl<Q: Queue> Eviction for Queued<Q> {
    #[inline]
    fn lookup(&mut self, id: u32) -> bool {
        self.order.lookup(id, &mut self.positions)
    }

    #[inline]
    fn insert(&mut self, id: u32) {
        self.order.insert(id, &mut self.positions);
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        self.positions[id as usize]
    }

    fn request_batch(&mut self, ids: &[u32], hits: &mut Vec<bool>) {
        let positions: &mut [u32] = &mut self.positions;
        let mut places = [0; BATCH];
        for batch in ids.chunks(BATCH) {
            // What one read waits for, the next need not; places that change meanwhile are read again.
            for (place, &id) in places.iter_mut().zip(batch) {
                *place = positions[id as usize];
            }
            black_box(self.order.queue.touch(&places[..batch.len()], positions));
            hits.extend(batch.iter().map(|&id| {
                let hit = self.order.lookup(id, positions);
                if !hit {
                    self.order.insert(id, positions);
                }
                hit
            }));
        }
    }

    fn used(&self) -> u64 {
        self.order.used
    }

    fn fill(&mut self, content: impl ExactSizeIterator<Item = (u32, u32)>) {
        self.order.queue.fill(content, &mut self.positions);
        let ids = self.order.queue.ids();
        self.order.used = ids.map(|id| self.order.sizes.of(id)).sum();
        self.order.evict_down_to(self.order.capacity, &mut self.positions);
    }

    fn clear(&mut self) -> bool {
        self.order.queue.clear();
        self.order.used = 0;
        true
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.positions.grow(objects as usize);
        self.order.sizes = sizes;
    }
}
