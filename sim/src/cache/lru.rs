//! Least recently used, exact, without lists.
//!
//! Why a log: a use appends the id to a log and notes its position in `last_seen`; an entry of the log is
//! live if it is the latest of its id, and the oldest live entry is the least recently used object. So a
//! hit costs one random access and one append, where a linked list costs three or four random accesses.
//! The log is compacted when it is full of stale entries, which costs a constant share of the appends.

use super::Sizes;

/// Not in the cache.
const ABSENT: u32 = u32::MAX;

#[derive(Debug, Clone)]
pub struct Lru {
    pub(super) used: u64,
    capacity: u64,
    sizes: Sizes,
    /// Position in `log` of the latest use, by id.
    last_seen: Vec<u32>,
    log: Vec<u32>,
    /// Everything before is stale.
    head: usize,
    live: usize,
}

/// Shortest log that is worth compacting.
const LOG_MIN: usize = 1024;

impl Lru {
    #[must_use]
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self {
            used: 0,
            capacity,
            sizes,
            last_seen: vec![ABSENT; objects as usize],
            log: Vec::with_capacity(LOG_MIN),
            head: 0,
            live: 0,
        }
    }

    #[inline]
    pub(super) fn touch(&self, id: u32) -> u32 {
        self.last_seen[id as usize]
    }

    #[inline]
    pub fn lookup(&mut self, id: u32) -> bool {
        if self.last_seen[id as usize] == ABSENT {
            return false;
        }
        self.append(id);
        true
    }

    pub fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.last_seen[id as usize] != ABSENT {
            return;
        }
        self.used += size;
        self.live += 1;
        self.append(id);
        while self.used > self.capacity {
            self.evict();
        }
    }

    #[inline]
    fn append(&mut self, id: u32) {
        if self.log.len() == self.log.capacity() {
            self.compact();
        }
        self.last_seen[id as usize] = self.log.len() as u32;
        self.log.push(id);
    }

    fn evict(&mut self) {
        loop {
            let (position, id) = (self.head, self.log[self.head]);
            self.head += 1;
            if self.last_seen[id as usize] == position as u32 {
                self.last_seen[id as usize] = ABSENT;
                self.used -= self.sizes.of(id);
                self.live -= 1;
                return;
            }
        }
    }

    /// Keeps the live entries, in order. The log has room for as many stale entries as live ones, so that
    /// the cost per append is constant.
    fn compact(&mut self) {
        let mut kept = 0;
        for position in self.head..self.log.len() {
            let id = self.log[position];
            if self.last_seen[id as usize] == position as u32 {
                self.log[kept] = id;
                self.last_seen[id as usize] = kept as u32;
                kept += 1;
            }
        }
        self.log.truncate(kept);
        self.head = 0;
        let room = (2 * kept).max(LOG_MIN);
        self.log.reserve_exact(room.saturating_sub(kept).max(1));
    }
}
