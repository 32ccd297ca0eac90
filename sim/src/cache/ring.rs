//! A queue in order of admission, behind FIFO, and with a mark for each entry behind CLOCK.
//!
//! Entries lie next to each other in a ring, and their positions count up from 1. Who is before the head is out without
//! being told: the table of positions, which is far from everything else, is not touched.

use super::log::NOWHERE;
use super::queued::Queue;

/// Shortest ring; a power of two, as all are, and a whole number of words.
const RING_MIN: usize = 256;
/// Entries are numbered anew behind this position; a word of marks more can still be renewed.
const LAST: u32 = u32::MAX - 64;

/// First in, first out: a use changes nothing.
#[derive(Debug, Clone)]
pub struct Ring {
    ids: Vec<u32>,
    head: u32,
    tail: u32,
}

impl Ring {
    pub fn new() -> Self {
        Self { ids: vec![0; RING_MIN], head: 1, tail: 1 }
    }

    #[inline]
    const fn slot(&self, position: u32) -> usize {
        position as usize & (self.ids.len() - 1)
    }

    const fn len(&self) -> usize {
        (self.tail - self.head) as usize
    }

    /// Puts an id at the newest end, where there is room.
    #[inline]
    fn append(&mut self, id: u32, positions: &mut [u32]) {
        let slot = self.slot(self.tail);
        self.ids[slot] = id;
        positions[id as usize] = self.tail;
        self.tail += 1;
    }

    /// Whether there is neither a place nor a number for one more.
    #[inline]
    const fn is_full(&self) -> bool {
        self.len() == self.ids.len() || self.tail >= LAST
    }

    /// A ring with the same entries that has room for so many, numbered from a position on.
    fn moved(&self, room: usize, from: u32) -> Self {
        let mut ids = vec![0; room.next_power_of_two().max(RING_MIN)];
        let mask = ids.len() - 1;
        for (at, id) in self.ids().enumerate() {
            ids[(from as usize + at) & mask] = id;
        }
        Self { ids, head: from, tail: from + self.len() as u32 }
    }

    /// Makes room for one more, where it is [full](Self::is_full); `true` where all have new positions.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, positions: &mut [u32]) -> bool {
        let anew = self.tail >= LAST;
        let from = if anew { NOWHERE + 1 } else { self.head };
        *self = self.moved(self.len() + 1, from);
        if anew {
            positions.fill(NOWHERE);
            for (at, id) in self.ids().enumerate() {
                positions[id as usize] = from + at as u32;
            }
        }
        anew
    }
}

impl Queue for Ring {
    #[inline]
    fn holds(&self, position: u32) -> bool {
        position >= self.head
    }

    #[inline]
    fn used(&mut self, _: u32, _: &mut [u32]) {}

    #[inline]
    fn push(&mut self, id: u32, positions: &mut [u32]) {
        if self.is_full() {
            self.make_room(positions);
        }
        self.append(id, positions);
    }

    #[inline]
    fn evict(&mut self, _: &mut [u32]) -> Option<u32> {
        if self.head == self.tail {
            return None;
        }
        let id = self.ids[self.slot(self.head)];
        self.head += 1;
        Some(id)
    }

    #[inline]
    fn touch(&mut self, places: &[u32], _: &[u32]) -> u64 {
        places.iter().fold(0, |read, &place| read ^ u64::from(place))
    }

    fn fill(&mut self, content: impl ExactSizeIterator<Item = (u32, u32)>, positions: &mut [u32]) {
        let n = content.len() as u32;
        if self.tail >= LAST - n {
            positions.fill(NOWHERE);
            (self.head, self.tail) = (NOWHERE + 1, NOWHERE + 1);
        }
        if n as usize > self.ids.len() {
            *self = self.moved(n as usize, self.head);
        }
        for (id, place) in content {
            let position = self.head + place;
            let slot = self.slot(position);
            self.ids[slot] = id;
            positions[id as usize] = position;
        }
        self.tail = self.head + n;
    }

    fn clear(&mut self) {
        self.head = self.tail;
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        (self.head..self.tail).map(|position| self.ids[self.slot(position)])
    }
}

/// CLOCK with one bit (second chance, Corbató 1968): a use marks an object, and one that is marked when its turn comes goes
/// once more to the newest end.
#[derive(Debug, Clone)]
pub struct Clock {
    ring: Ring,
    /// A bit for every place of the ring; those of places without an entry are not set.
    marks: Vec<u64>,
    /// Position up to which it has been read what renewing entries would write.
    read: u32,
}

impl Clock {
    pub fn new() -> Self {
        Self { ring: Ring::new(), marks: vec![0; RING_MIN / 64], read: 0 }
    }

    /// The word of a position's mark; its bit is that of the position's last six.
    #[inline]
    const fn word(&self, position: u32) -> usize {
        self.ring.slot(position) / 64
    }

    /// Makes room for one more.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, positions: &mut [u32]) {
        let before = self.ring.head;
        let marked: Vec<bool> = (before..self.ring.tail)
            .map(|position| self.marks[self.word(position)] >> (position % 64) & 1 == 1)
            .collect();
        if self.ring.make_room(positions) {
            self.read = 0;
        }
        self.marks = vec![0; self.ring.ids.len() / 64];
        for (position, _) in (self.ring.head..).zip(marked).filter(|(_, marked)| *marked) {
            let word = self.word(position);
            self.marks[word] |= 1 << (position % 64);
        }
    }

    /// Those who are marked at the oldest end, up to a word of them, go to the newest.
    #[inline]
    fn renew(&mut self, positions: &mut [u32]) -> u32 {
        let (word, bit) = (self.word(self.ring.head), self.ring.head % 64);
        let marked = (self.marks[word] >> bit).trailing_ones();
        if marked == 0 {
            return 0;
        }
        // Who is not there has no mark: all of these are.
        self.marks[word] &= !(u64::MAX >> (64 - marked) << bit);
        for _ in 0..marked {
            let id = self.ring.ids[self.ring.slot(self.ring.head)];
            self.ring.head += 1;
            self.ring.append(id, positions);
        }
        marked
    }
}

impl Queue for Clock {
    #[inline]
    fn holds(&self, position: u32) -> bool {
        self.ring.holds(position)
    }

    #[inline]
    fn used(&mut self, id: u32, positions: &mut [u32]) {
        let position = positions[id as usize];
        let word = self.word(position);
        self.marks[word] |= 1 << (position % 64);
    }

    #[inline]
    fn push(&mut self, id: u32, positions: &mut [u32]) {
        if self.ring.is_full() {
            self.make_room(positions);
        }
        self.ring.append(id, positions);
    }

    #[inline]
    fn evict(&mut self, positions: &mut [u32]) -> Option<u32> {
        loop {
            if self.ring.tail >= LAST {
                self.make_room(positions);
            }
            if self.renew(positions) == 0 {
                return self.ring.evict(positions);
            }
        }
    }

    #[inline]
    fn touch(&mut self, places: &[u32], positions: &[u32]) -> u64 {
        let marks = places.iter().fold(0, |read, &place| read ^ self.marks[self.word(place)]);
        let to = self.ring.head.saturating_add(2 * places.len() as u32).min(self.ring.tail);
        let mut from = self.read.max(self.ring.head);
        let mut read = marks;
        while from < to {
            let bit = from % 64;
            let n = (64 - bit).min(to - from);
            let mut marked = self.marks[self.word(from)] >> bit & (u64::MAX >> (64 - n));
            while marked != 0 {
                let position = from + marked.trailing_zeros();
                read ^= u64::from(positions[self.ring.ids[self.ring.slot(position)] as usize]);
                marked &= marked - 1;
            }
            from += n;
        }
        self.read = from;
        read
    }

    fn fill(&mut self, content: impl ExactSizeIterator<Item = (u32, u32)>, positions: &mut [u32]) {
        self.ring.fill(content, positions);
        self.marks = vec![0; self.ring.ids.len() / 64];
        self.read = 0;
    }

    fn clear(&mut self) {
        self.ring.clear();
        self.marks.fill(0);
    }

    fn ids(&self) -> impl Iterator<Item = u32> {
        self.ring.ids()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use plimsoll_scenarios::rng::Stream;

    use super::*;

    /// Plays random operations on a queue and on a plain one; `spares` is whether who is used goes around once more.
    fn check(mut queue: impl Queue, spares: bool, ids: u32, steps: u32, seed: u64) {
        let mut positions = vec![NOWHERE; ids as usize];
        let mut model: VecDeque<(u32, bool)> = VecDeque::new();
        let evict = |model: &mut VecDeque<(u32, bool)>| loop {
            let (id, used) = model.pop_front()?;
            if !(used && spares) {
                return Some(id);
            }
            model.push_back((id, false));
        };
        let mut random = Stream::splitmix(seed);
        for _ in 0..steps {
            let id = random.below(u64::from(ids)) as u32;
            let known = model.iter().position(|&(m, _)| m == id);
            assert_eq!(known.is_some(), queue.holds(positions[id as usize]));
            match (known, random.below(1000)) {
                (_, 0) => {
                    model.clear();
                    queue.clear();
                }
                (_, 1..250) => assert_eq!(queue.evict(&mut positions), evict(&mut model)),
                (_, 250..300) => _ = queue.touch(&[positions[id as usize]; 3], &positions),
                (Some(at), _) => {
                    model[at].1 = true;
                    queue.used(id, &mut positions);
                }
                (None, _) => {
                    model.push_back((id, false));
                    queue.push(id, &mut positions);
                }
            }
            assert!(queue.ids().eq(model.iter().map(|&(id, _)| id)));
        }
        while let Some(id) = evict(&mut model) {
            assert_eq!(queue.evict(&mut positions), Some(id));
        }
        assert_eq!(queue.evict(&mut positions), None);
    }

    #[test]
    fn it_is_a_queue_with_or_without_a_second_chance() {
        for (ids, steps) in [(20, 20_000), (2_000, 20_000)] {
            check(Ring::new(), false, ids, steps, 1);
            check(Clock::new(), true, ids, steps, 2);
        }
    }

    #[test]
    fn positions_that_run_out_are_numbered_anew() {
        let near_the_end = LAST - 3_000;
        let ring = || Ring { head: near_the_end, tail: near_the_end, ..Ring::new() };
        check(ring(), false, 300, 20_000, 3);
        check(Clock { ring: ring(), ..Clock::new() }, true, 300, 20_000, 4);
    }

    #[test]
    fn a_queue_that_is_filled_at_once_is_one_that_was_filled_one_by_one() {
        for (n, head) in [(0, 1), (3, 1), (700, 5_000), (700, LAST - 100)] {
            let mut clock = Clock { ring: Ring { head, tail: head, ..Ring::new() }, ..Clock::new() };
            let mut positions = vec![NOWHERE; 1_000];
            clock.fill((0..n).map(|place| (n - 1 - place, place)), &mut positions);
            assert!(clock.ids().eq((0..n).rev()));
            assert!((0..1_000).all(|id| clock.holds(positions[id]) == (id < n as usize)));
            (0..n).step_by(2).for_each(|id| clock.used(id, &mut positions));
            let left: Vec<u32> = std::iter::from_fn(|| clock.evict(&mut positions)).collect();
            let (spared, first): (Vec<u32>, Vec<u32>) = (0..n).rev().partition(|id| id % 2 == 0);
            assert_eq!(left, [first, spared].concat());
        }
    }
}
