//! Least frequently used since admission; among equals, who has had that number of uses for longest.
//!
//! Objects with the same number of uses are a list, and the lists are a list in order of that number, so
//! every operation takes constant time (Shah, Mitra and Matani 2010).

use super::table::Table;
use super::{Eviction, Sizes};

/// No neighbour. Object links hold id + 1 and group links index + 1, so that tables begin as zeros, which
/// cost no memory until used.
const NONE: u32 = 0;

/// Of an object: its group, and its neighbours there.
const GROUP: usize = 0;
const BEFORE: usize = 1;
const AFTER: usize = 2;

/// Objects with the same number of uses.
#[derive(Debug, Clone, Default)]
struct Group {
    uses: u64,
    oldest: u32,
    newest: u32,
    /// The groups with fewer and with more uses.
    fewer: u32,
    more: u32,
}

#[derive(Debug, Clone)]
pub struct Lfu {
    used: u64,
    capacity: u64,
    sizes: Sizes,
    links: Table<[u32; 3]>,
    groups: Vec<Group>,
    free: Vec<u32>,
    /// The group with the fewest uses.
    fewest: u32,
}

impl Lfu {
    pub fn new(objects: u32, capacity: u64, sizes: Sizes) -> Self {
        let links = Table::new(objects as usize);
        Self { used: 0, capacity, sizes, links, groups: Vec::new(), free: Vec::new(), fewest: NONE }
    }

    fn group(&mut self, group: u32) -> &mut Group {
        &mut self.groups[group as usize - 1]
    }

    /// The group with this many uses that follows `fewer`, made if it is not there.
    fn group_after(&mut self, fewer: u32, uses: u64) -> u32 {
        let more = if fewer == NONE { self.fewest } else { self.group(fewer).more };
        if more != NONE && self.group(more).uses == uses {
            return more;
        }
        let made = Group { uses, fewer, more, ..Group::default() };
        let group = if let Some(group) = self.free.pop() {
            *self.group(group) = made;
            group
        } else {
            self.groups.push(made);
            self.groups.len() as u32
        };
        if fewer == NONE {
            self.fewest = group;
        } else {
            self.group(fewer).more = group;
        }
        if more != NONE {
            self.group(more).fewer = group;
        }
        group
    }

    fn join(&mut self, id: u32, group: u32) {
        let last = self.group(group).newest;
        self.links[id as usize] = [group, last, NONE];
        self.group(group).newest = id + 1;
        if last == NONE {
            self.group(group).oldest = id + 1;
        } else {
            self.links[last as usize - 1][AFTER] = id + 1;
        }
    }

    /// Takes an object out of its group, and the group away if it was the last.
    fn leave(&mut self, id: u32) {
        let [group, before, after] = std::mem::take(&mut self.links[id as usize]);
        if before == NONE {
            self.group(group).oldest = after;
        } else {
            self.links[before as usize - 1][AFTER] = after;
        }
        if after == NONE {
            self.group(group).newest = before;
        } else {
            self.links[after as usize - 1][BEFORE] = before;
        }
        if self.group(group).oldest != NONE {
            return;
        }
        let Group { fewer, more, .. } = *self.group(group);
        if fewer == NONE {
            self.fewest = more;
        } else {
            self.group(fewer).more = more;
        }
        if more != NONE {
            self.group(more).fewer = fewer;
        }
        self.free.push(group);
    }
}

impl Eviction for Lfu {
    fn lookup(&mut self, id: u32) -> bool {
        let [group, before, after] = self.links[id as usize];
        if group == NONE {
            return false;
        }
        let Group { uses, more, .. } = *self.group(group);
        let alone = before == NONE && after == NONE;
        if alone && (more == NONE || self.group(more).uses > uses + 1) {
            self.group(group).uses += 1;
            return true;
        }
        let next = self.group_after(group, uses + 1);
        self.leave(id);
        self.join(id, next);
        true
    }

    fn insert(&mut self, id: u32) {
        let size = self.sizes.of(id);
        if size > self.capacity || self.links[id as usize][GROUP] != NONE {
            return;
        }
        while self.used + size > self.capacity && self.fewest != NONE {
            let victim = self.groups[self.fewest as usize - 1].oldest - 1;
            self.leave(victim);
            self.used -= self.sizes.of(victim);
        }
        self.used += size;
        let group = self.group_after(NONE, 1);
        self.join(id, group);
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        self.links[id as usize][GROUP]
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, objects: u32, sizes: Sizes) {
        self.links.grow(objects as usize);
        self.sizes = sizes;
    }
}
