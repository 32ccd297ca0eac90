//! Where the entries of a [`Log`](super::log::Log) are, by id.
//!
//! Why two ways: a table with a place for every id there is has one read for an answer and no search. Of a catalogue of a
//! hundred million ids, though, it is so large that most reads go to memory which neither the processor's caches nor its
//! tables of pages hold, while a cache for one in a hundred of them could have all that it knows nearby: in a hash table.

/// Position of what is in no queue; tables of positions begin as zeros, which cost no memory until used.
pub const NOWHERE: u32 = 0;

/// A table of positions.
pub trait Positions {
    /// Where an id is looked up: holds until something else is put in or taken out.
    type Place: Copy;

    fn find(&self, id: u32) -> Self::Place;

    /// The position noted at a place; `NOWHERE` where the id is in no queue.
    fn at(&self, place: Self::Place) -> u32;

    /// Notes the position of an id whose place this is.
    fn note(&mut self, place: Self::Place, id: u32, position: u32);

    fn forget(&mut self, place: Self::Place);

    /// Makes room for one more id; before its place is looked up.
    fn make_room(&mut self) {}

    /// Reads what a lookup would read first.
    fn touch(&self, id: u32) -> u32;

    /// The ids reach so far from now on.
    fn reach(&mut self, _objects: u32) {}
}

/// By id.
impl Positions for Vec<u32> {
    type Place = u32;

    #[inline]
    fn find(&self, id: u32) -> u32 {
        id
    }

    #[inline]
    fn at(&self, place: u32) -> u32 {
        self[place as usize]
    }

    #[inline]
    fn note(&mut self, place: u32, _id: u32, position: u32) {
        self[place as usize] = position;
    }

    #[inline]
    fn forget(&mut self, place: u32) {
        self[place as usize] = NOWHERE;
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        self[id as usize]
    }

    fn reach(&mut self, objects: u32) {
        self.resize(objects as usize, NOWHERE);
    }
}

/// A hash table with open addressing and linear probing, at most half full, without marks of what was taken out: those
/// behind move up (Knuth, "The Art of Computer Programming", volume 3, section 6.4, algorithm R).
#[derive(Debug, Clone)]
pub struct Sparse {
    /// The id above its position; 0 where there is none. A power of two.
    entries: Vec<u64>,
    /// What a hash is shifted by to give a place.
    shift: u32,
    used: usize,
}

const ENTRIES_MIN: usize = 256;

impl Sparse {
    pub fn new() -> Self {
        Self::with(ENTRIES_MIN)
    }

    fn with(entries: usize) -> Self {
        Self { entries: vec![0; entries], shift: u64::BITS - entries.trailing_zeros(), used: 0 }
    }

    /// Where the search for an id begins (multiplicative hashing).
    #[inline]
    fn home(&self, id: u32) -> usize {
        (u64::from(id).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> self.shift) as usize
    }

    #[inline]
    fn next(&self, place: usize) -> usize {
        (place + 1) & (self.entries.len() - 1)
    }

    /// How far a place is behind another, around the end.
    #[inline]
    fn behind(&self, place: usize, other: usize) -> usize {
        place.wrapping_sub(other) & (self.entries.len() - 1)
    }

    #[cold]
    fn double(&mut self) {
        let mut larger = Self::with(2 * self.entries.len());
        for entry in self.entries.iter().filter(|entry| **entry != 0) {
            let id = (entry >> 32) as u32;
            let place = larger.find(id);
            larger.note(place, id, *entry as u32);
        }
        *self = larger;
    }
}

impl Positions for Sparse {
    type Place = usize;

    /// The place of an id, or the free one where it would be.
    #[inline]
    fn find(&self, id: u32) -> usize {
        let mut place = self.home(id);
        // Half of the places are free, so that this ends.
        loop {
            let entry = self.entries[place];
            if entry == 0 || (entry >> 32) as u32 == id {
                return place;
            }
            place = self.next(place);
        }
    }

    #[inline]
    fn at(&self, place: usize) -> u32 {
        self.entries[place] as u32
    }

    #[inline]
    fn note(&mut self, place: usize, id: u32, position: u32) {
        let entry = &mut self.entries[place];
        self.used += usize::from(*entry == 0);
        *entry = u64::from(id) << 32 | u64::from(position);
    }

    #[inline]
    fn forget(&mut self, place: usize) {
        let mut free = place;
        let mut at = self.next(place);
        while self.entries[at] != 0 {
            let entry = self.entries[at];
            let home = self.home((entry >> 32) as u32);
            if self.behind(at, home) >= self.behind(at, free) {
                self.entries[free] = entry;
                free = at;
            }
            at = self.next(at);
        }
        self.entries[free] = 0;
        self.used -= 1;
    }

    #[inline]
    fn make_room(&mut self) {
        if 2 * (self.used + 1) > self.entries.len() {
            self.double();
        }
    }

    #[inline]
    fn touch(&self, id: u32) -> u32 {
        self.entries[self.home(id)] as u32
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use plimsoll_scenarios::rng::Stream;

    use super::*;

    #[test]
    fn a_sparse_table_knows_what_a_map_knows() {
        let mut random = Stream::splitmix(1);
        // Few ids are put in and taken out often, and many grow the table.
        for (ids, steps) in [(30_u64, 20_000_u32), (1 << 32, 5_000)] {
            let (mut table, mut map) = (Sparse::new(), BTreeMap::new());
            for step in 1..=steps {
                let known = map.keys().nth(random.below(map.len().max(1) as u64) as usize).copied();
                let drawn = random.below(ids) as u32;
                match (known, random.below(4)) {
                    (Some(id), 0) => {
                        table.forget(table.find(id));
                        map.remove(&id);
                    }
                    (Some(id), 1) => {
                        table.note(table.find(id), id, step);
                        map.insert(id, step);
                    }
                    _ => {
                        table.make_room();
                        table.note(table.find(drawn), drawn, step);
                        map.insert(drawn, step);
                    }
                }
                assert_eq!(table.used, map.len());
                assert_eq!(table.at(table.find(drawn)), map.get(&drawn).copied().unwrap_or(NOWHERE));
            }
            assert!(map.iter().all(|(&id, &position)| table.at(table.find(id)) == position));
            assert!(2 * table.used <= table.entries.len());
        }
    }
}
