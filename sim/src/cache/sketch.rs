//! How often an object was asked for lately, in four bits: a count-min sketch that forgets.
//!
//! Why a sketch where a table by id could be exact: what it mistakes is part of W-TinyLFU as it is deployed,
//! and a simulation should make the same mistakes. An object has four counters up to 15, all in one cache
//! line; the smallest of them is its estimate. After ten times as many uses as the cache has objects all
//! counters are halved (Einziger, Friedman and Manes, ACM Transactions on Storage 2017).

/// Uses per object of the cache between two halvings.
const USES_PER_OBJECT: u64 = 10;
const COUNTER_MAX: u64 = 15;
/// Words of 16 counters in a block, which is a cache line.
const BLOCK: usize = 8;
const OBJECTS_MIN: usize = 16;

#[derive(Debug, Clone)]
pub(super) struct Sketch {
    /// As many words as objects, rounded up to a power of two.
    words: Vec<u64>,
    uses: u64,
}

impl Sketch {
    pub fn new() -> Self {
        Self { words: vec![0; OBJECTS_MIN], uses: 0 }
    }

    /// Makes room for the counters of this many objects. An object's counters keep their values.
    #[inline]
    pub fn fit(&mut self, objects: u32) {
        while objects as usize > self.words.len() {
            self.words.extend_from_within(..);
        }
    }

    /// Counts a use.
    #[inline]
    pub fn count(&mut self, id: u32) {
        let mut counted = false;
        for (word, shift) in self.places(id) {
            let word = &mut self.words[word];
            if (*word >> shift) & COUNTER_MAX < COUNTER_MAX {
                *word += 1 << shift;
                counted = true;
            }
        }
        self.uses += u64::from(counted);
        if self.uses >= USES_PER_OBJECT * self.words.len() as u64 {
            self.halve();
        }
    }

    /// Never less than the uses since admission to the sketch, halvings aside, up to 15.
    #[inline]
    pub fn estimate(&self, id: u32) -> u64 {
        let counters = self.places(id).map(|(word, shift)| (self.words[word] >> shift) & COUNTER_MAX);
        counters.into_iter().min().unwrap_or(0)
    }

    /// The four counters of an object: word and bit.
    #[inline]
    fn places(&self, id: u32) -> [(usize, u32); 4] {
        let mut hash = (u64::from(id) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        hash ^= hash >> 32;
        let block = (hash as usize & (self.words.len() / BLOCK - 1)) * BLOCK;
        // From the top of the hash, five bits a row: one of the row's two words, and one of 16 counters.
        std::array::from_fn(|row| {
            let bits = (hash >> (44 + 5 * row)) as usize;
            (block + 2 * row + (bits & 1), ((bits >> 1) & 15) as u32 * 4)
        })
    }

    #[cold]
    fn halve(&mut self) {
        for word in &mut self.words {
            *word = (*word >> 1) & 0x7777_7777_7777_7777;
        }
        self.uses /= 2;
    }
}

#[cfg(test)]
impl Sketch {
    /// Ids that share no counter, so that their estimates are exact.
    pub fn apart(objects: u32, wanted: usize) -> Vec<u32> {
        let mut sketch = Self::new();
        sketch.fit(objects);
        let mut taken = std::collections::HashSet::new();
        let free = |id: &u32| {
            let places = sketch.places(*id);
            let free = places.iter().all(|p| !taken.contains(p));
            taken.extend(places.into_iter().filter(|_| free));
            free
        };
        (0..1_000_000).filter(free).take(wanted).collect()
    }

    pub const fn words(&self) -> usize {
        self.words.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_never_too_low_and_mostly_right() {
        let mut sketch = Sketch::new();
        sketch.fit(4096);
        let count_of = |id: u32| u64::from(id % 5);
        for id in 0..4096 {
            (0..count_of(id)).for_each(|_| sketch.count(id));
        }
        let over = (0..4096).filter(|&id| sketch.estimate(id) > count_of(id)).count();
        assert!((0..4096).all(|id| sketch.estimate(id) >= count_of(id)));
        assert!(over < 400, "{over} of 4096 estimates are too high");
    }

    #[test]
    fn counters_stop_at_their_maximum_are_halved_and_survive_growth() {
        let mut sketch = Sketch::new();
        (0..100).for_each(|_| sketch.count(7));
        assert_eq!(sketch.estimate(7), 15);
        sketch.fit(1000);
        assert_eq!((sketch.words(), sketch.estimate(7)), (1024, 15));
        sketch.halve();
        assert_eq!(sketch.estimate(7), 7);
    }
}
