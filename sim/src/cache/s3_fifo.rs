//! S3-FIFO: a small queue that most objects leave unseen again, a main queue for those that were used
//! there, and a ghost queue that remembers who left (Yang et al., SOSP'23).
//!
//! As in the paper's own code: a tenth of the budget is the small queue's; an object moves on from it with
//! two uses; the ghost remembers as many bytes as the main queue may hold; main is a CLOCK that counts to
//! three. A share is no limit of its own: whichever queue is over its share gives way first.

use std::collections::VecDeque;

use super::log::{Log, NOWHERE};
use super::table::Table;
use super::{Eviction, Sizes};

/// Uses in the small queue that earn a place in the main one.
const MOVE_AT: u8 = 2;

// Low two bits: uses, up to 3. Above: where the object is.
const USES: u8 = 0b11;
const SMALL: u8 = 0b100;
const MAIN: u8 = 0b1000;

#[derive(Debug, Clone)]
pub struct S3Fifo {
    sizes: Sizes,
    capacity: u64,
    main_max: u64,
    small_used: u64,
    main_used: u64,
    ghost_used: u64,
    state: Table<u8>,
    small: VecDeque<u32>,
    main: VecDeque<u32>,
    ghost: Log,
    /// Position in the ghost queue, by id.
    ghosts: Table<u32>,
}

impl S3Fifo {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        Self {
            sizes,
            capacity,
            main_max: capacity - capacity / 10,
            small_used: 0,
            main_used: 0,
            ghost_used: 0,
            state: Table::new(objects as usize),
            small: VecDeque::new(),
            main: VecDeque::new(),
            ghost: Log::new(),
            ghosts: Table::new(objects as usize),
        }
    }

    /// Evicts one object, from main where it is over its share.
    fn evict(&mut self) {
        if self.main_used > self.main_max || !self.evict_small() {
            self.evict_main();
        }
    }

    /// Whether somebody left; the used move to main meanwhile.
    fn evict_small(&mut self) -> bool {
        while let Some(id) = self.small.pop_front() {
            let size = self.sizes.of(id);
            self.small_used -= size;
            if self.state[id as usize] & USES >= MOVE_AT {
                self.state[id as usize] = MAIN;
                self.main_used += size;
                self.main.push_back(id);
                continue;
            }
            self.state[id as usize] = 0;
            self.remember(id, size);
            return true;
        }
        false
    }

    fn evict_main(&mut self) {
        while let Some(id) = self.main.pop_front() {
            let state = &mut self.state[id as usize];
            if *state & USES > 0 {
                *state -= 1;
                self.main.push_back(id);
                continue;
            }
            *state = 0;
            self.main_used -= self.sizes.of(id);
            return;
        }
    }

    fn remember(&mut self, id: u32, size: u64) {
        while self.ghost_used + size > self.main_max {
            let Some(oldest) = self.ghost.pop(&mut self.ghosts) else { return };
            self.ghost_used -= self.sizes.of(oldest);
        }
        self.ghost_used += size;
        self.ghost.push(id, &mut self.ghosts);
    }
}

impl Eviction for S3Fifo {
    #[inline]
    fn lookup(&mut self, id: u32) -> bool {
        let state = &mut self.state[id as usize];
        let hit = *state != 0;
        *state += u8::from(hit && *state & USES < USES);
        hit
    }

    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.state[id as usize] != 0 {
            return;
        }
        let remembered = self.ghosts[id as usize] != NOWHERE;
        if remembered {
            self.ghost.remove(id, &mut self.ghosts);
            self.ghost_used -= size;
        }
        while self.used() + size > self.capacity {
            self.evict();
        }
        if remembered {
            self.state[id as usize] = MAIN;
            self.main_used += size;
            self.main.push_back(id);
        } else {
            self.state[id as usize] = SMALL;
            self.small_used += size;
            self.small.push_back(id);
        }
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        u32::from(self.state[id as usize])
    }

    fn used(&self) -> u64 {
        self.small_used + self.main_used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.state.grow(objects as usize);
        self.ghosts.grow(objects as usize);
        self.sizes = sizes;
    }
}
