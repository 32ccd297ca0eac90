//! Least recently used, exact. The order of use is a [`Log`]; a hit costs one random read.

use std::hint::black_box;

use super::log::Log;
use super::table::Table;
use super::{BATCH, Eviction, Sizes};

#[derive(Debug, Clone)]
pub struct Lru {
    order: Order,
    /// Position in the order of use, by id.
    positions: Table<u32>,
}

/// Everything but the table of positions, which a batch looks up once.
#[derive(Debug, Clone)]
struct Order {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    log: Log,
}

impl Lru {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        let order = Order { used: 0, capacity, sizes, log: Log::alone() };
        Self { order, positions: Table::new(objects as usize) }
    }
}

impl Order {
    #[inline]
    fn lookup(&mut self, id: u32, positions: &mut [u32]) -> bool {
        let hit = self.log.holds(positions[id as usize]);
        if hit {
            self.log.renew(id, positions);
        }
        hit
    }

    #[inline]
    fn insert(&mut self, id: u32, positions: &mut [u32]) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.log.holds(positions[id as usize]) {
            return;
        }
        self.evict_down_to(self.capacity - size);
        self.used += size;
        self.log.push(id, positions);
    }

    #[inline]
    fn evict_down_to(&mut self, bytes: u64) {
        while self.used > bytes {
            let Some(oldest) = self.log.pop_alone() else { break };
            self.used -= self.sizes.of(oldest);
        }
    }
}

impl Eviction for Lru {
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
            black_box(self.order.log.touch(&places[..batch.len()]));
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
        self.order.log.fill_alone(content, &mut self.positions);
        let ids = self.order.log.ids();
        self.order.used = ids.map(|id| self.order.sizes.of(id)).sum();
        self.order.evict_down_to(self.order.capacity);
    }

    fn clear(&mut self) -> bool {
        self.order.log.clear_alone();
        self.order.used = 0;
        true
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.positions.grow(objects as usize);
        self.order.sizes = sizes;
    }
}
