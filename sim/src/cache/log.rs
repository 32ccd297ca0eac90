//! A queue in which any entry can be renewed or removed: the order of use behind LRU and its relatives.
//!
//! Why no linked list: an entry is appended to a ring and its position noted in a table by id. To renew an
//! entry is to append it again; one bit for every position says whether what is there still counts, and the
//! oldest is the first bit that is set. So a use costs one random read of the table and one of bits that are
//! a hundredth of its size, where a linked list follows three or four pointers through memory.
//!
//! When the ring is full, live entries are moved up against the newest; where they are more than a third
//! of it, it doubles instead, and every entry keeps its position.

/// Position of what is in no queue; tables of positions begin as zeros, which cost no memory until used.
pub const NOWHERE: u32 = 0;
/// Shortest ring; a power of two, as all are, and a whole number of words.
const RING_MIN: usize = 256;

/// The ring. The table of positions stays with the owner, so that several queues can share one.
#[derive(Debug, Clone)]
pub struct Log {
    ring: Vec<u32>,
    /// A bit for every place of the ring: what is there is in the queue.
    live: Vec<u64>,
    /// Positions count up from 1 and fall on the ring by their low bits.
    head: u32,
    tail: u32,
    /// Where `tail` must stop and look for room.
    full: u32,
    len: u32,
    /// The table of positions is this queue's own: positions before the head are nowhere too.
    alone: bool,
}

impl Log {
    /// A queue whose table others may use as well: who is in no queue is [`NOWHERE`] there.
    pub fn new() -> Self {
        Self {
            ring: vec![0; RING_MIN],
            live: vec![0; RING_MIN / 64],
            head: 1,
            tail: 1,
            full: 1 + RING_MIN as u32,
            len: 0,
            alone: false,
        }
    }

    /// A queue that has its table for itself, and takes out from the oldest end only ([`Self::pop_alone`]).
    pub fn alone() -> Self {
        Self { alone: true, ..Self::new() }
    }

    /// Entries of the queue.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether a position is one of an entry, for a queue that has its table for itself.
    #[inline]
    pub const fn holds(&self, position: u32) -> bool {
        position >= self.head
    }

    #[inline]
    const fn slot(&self, position: u32) -> usize {
        position as usize & (self.ring.len() - 1)
    }

    /// The word of a position's bit, and the bit.
    #[inline]
    const fn bit(&self, position: u32) -> (usize, u64) {
        (self.slot(position) / 64, 1 << (position % 64))
    }

    #[inline]
    fn set(&mut self, position: u32) {
        let (word, bit) = self.bit(position);
        self.live[word] |= bit;
    }

    #[inline]
    fn clear(&mut self, position: u32) {
        let (word, bit) = self.bit(position);
        self.live[word] &= !bit;
    }

    fn is_live(&self, position: u32) -> bool {
        let (word, bit) = self.bit(position);
        self.live[word] & bit != 0
    }

    /// Reads what renewing entries at these positions would read, and nothing else.
    #[inline]
    pub fn touch(&self, positions: &[u32]) -> u64 {
        positions.iter().fold(0, |read, &position| read ^ self.live[self.bit(position).0])
    }

    /// Puts an id that is not in the queue at its newest end.
    #[inline]
    pub fn push(&mut self, id: u32, positions: &mut [u32]) {
        self.len += 1;
        self.append(id, positions);
    }

    /// Moves an id of the queue to its newest end.
    #[inline]
    pub fn renew(&mut self, id: u32, positions: &mut [u32]) {
        self.clear(positions[id as usize]);
        self.append(id, positions);
    }

    /// Takes an id of the queue out.
    #[inline]
    pub fn remove(&mut self, id: u32, positions: &mut [u32]) {
        self.clear(positions[id as usize]);
        positions[id as usize] = NOWHERE;
        self.len -= 1;
    }

    /// Takes the oldest out.
    #[inline]
    pub fn pop(&mut self, positions: &mut [u32]) -> Option<u32> {
        let id = self.pop_alone()?;
        positions[id as usize] = NOWHERE;
        Some(id)
    }

    /// Takes the oldest out of a queue that has its table for itself, which spares a write far from everything else.
    #[inline]
    pub fn pop_alone(&mut self) -> Option<u32> {
        let id = self.oldest()?;
        self.clear(self.head);
        self.head += 1;
        self.len -= 1;
        Some(id)
    }

    /// Takes all out of a queue that has its table for itself. The table stays as it is: positions before the head are nowhere.
    pub fn clear_alone(&mut self) {
        self.live.fill(0);
        (self.head, self.len) = (self.tail, 0);
        self.full = self.limit();
    }

    /// Puts ids into an empty queue that has its table for itself, each once, with its place in the queue, from 0 on.
    pub fn fill_alone(&mut self, ids: impl ExactSizeIterator<Item = (u32, u32)>, positions: &mut [u32]) {
        let n = ids.len();
        if n == 0 {
            return;
        }
        let length = (2 * n).next_power_of_two();
        if length > self.ring.len() {
            (self.ring, self.live) = (vec![0; length], vec![0; length / 64]);
        }
        if self.limit() == u32::MAX {
            positions.fill(NOWHERE);
            (self.head, self.tail) = (1, 1);
        }
        for (id, place) in ids {
            let position = self.head + place;
            let slot = self.slot(position);
            self.ring[slot] = id;
            positions[id as usize] = position;
        }
        (self.tail, self.len, self.full) = (self.head + n as u32, n as u32, self.limit());
        (self.head..self.tail).for_each(|position| self.set(position));
    }

    /// The ids of the queue, the oldest first.
    pub fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        let live = (self.head..self.tail).filter(|&position| self.is_live(position));
        live.map(|position| self.ring[self.slot(position)])
    }

    /// The oldest.
    #[inline]
    pub fn oldest(&mut self) -> Option<u32> {
        if self.len == 0 {
            self.head = self.tail;
            return None;
        }
        let mut word = self.slot(self.head) / 64;
        let mut left = self.live[word] & (u64::MAX << (self.head % 64));
        let mut first = self.head - self.head % 64;
        while left == 0 {
            word = (word + 1) & (self.live.len() - 1);
            first += 64;
            left = self.live[word];
        }
        self.head = first + left.trailing_zeros();
        Some(self.ring[self.slot(self.head)])
    }

    #[inline]
    fn append(&mut self, id: u32, positions: &mut [u32]) {
        if self.tail == self.full {
            self.make_room(positions);
        }
        let slot = self.slot(self.tail);
        self.ring[slot] = id;
        self.set(self.tail);
        positions[id as usize] = self.tail;
        self.tail += 1;
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, positions: &mut [u32]) {
        let length = self.ring.len();
        self.full = self.limit();
        if self.tail < self.full {
            return;
        }
        if self.tail == u32::MAX {
            self.renumber(positions);
        } else if 3 * self.len as usize > length {
            self.double();
        } else {
            self.compact(positions);
        }
        self.full = self.limit();
    }

    fn limit(&self) -> u32 {
        let room = u32::try_from(self.ring.len()).unwrap_or(u32::MAX);
        self.head.saturating_add(room)
    }

    /// Moves the entries up against the newest, in order. Reading and writing go backwards, and the
    /// writing never overtakes the reading.
    fn compact(&mut self, positions: &mut [u32]) {
        let mut write = self.tail;
        for read in (self.head..self.tail).rev() {
            if self.is_live(read) {
                write -= 1;
                let id = self.ring[self.slot(read)];
                let slot = self.slot(write);
                self.ring[slot] = id;
                self.clear(read);
                self.set(write);
                // The one that is being renewed has no bit, and is given its position by who asked.
                positions[id as usize] = write;
            }
        }
        self.head = write;
    }

    /// Moves everything to a ring of twice the length. Positions stay as they are.
    fn double(&mut self) {
        let twice = Self { ring: vec![0; 2 * self.ring.len()], live: vec![0; 2 * self.live.len()], ..*self };
        let before = std::mem::replace(self, twice);
        for position in (before.head..before.tail).filter(|&position| before.is_live(position)) {
            let slot = self.slot(position);
            self.ring[slot] = before.ring[before.slot(position)];
            self.set(position);
        }
    }

    /// Moves the entries to a new ring that has room for them, and numbers them from 1.
    fn renumber(&mut self, positions: &mut [u32]) {
        if self.alone {
            positions.fill(NOWHERE);
        }
        let length = self.ring.len().max((2 * self.len as usize).next_power_of_two());
        let fresh =
            Self { ring: vec![0; length], live: vec![0; length / 64], head: 1, tail: 1, full: 1, ..*self };
        let before = std::mem::replace(self, fresh);
        for id in before.ids() {
            let slot = self.slot(self.tail);
            self.ring[slot] = id;
            self.set(self.tail);
            positions[id as usize] = self.tail;
            self.tail += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use plimsoll_scenarios::rng::Stream;

    use super::*;

    /// Plays random operations on the log and on a plain queue.
    fn check(mut log: Log, ids: u32, steps: u32, seed: u64) {
        let mut positions = vec![NOWHERE; ids as usize];
        let alone = log.alone;
        let mut model: VecDeque<u32> = VecDeque::new();
        let mut random = Stream::splitmix(seed);
        for _ in 0..steps {
            let id = random.below(u64::from(ids)) as u32;
            let known = model.iter().position(|&m| m == id);
            let position = positions[id as usize];
            assert_eq!(known.is_some(), if alone { log.holds(position) } else { position != NOWHERE });
            match (known, random.below(8)) {
                (Some(at), 0) if !alone => {
                    model.remove(at);
                    log.remove(id, &mut positions);
                }
                (_, 2) if alone && random.below(200) == 0 => {
                    model.clear();
                    log.clear_alone();
                }
                (_, 0 | 1) if alone => assert_eq!(log.pop_alone(), model.pop_front()),
                (_, 1) => assert_eq!(log.pop(&mut positions), model.pop_front()),
                (Some(at), _) => {
                    model.remove(at);
                    model.push_back(id);
                    log.renew(id, &mut positions);
                }
                (None, _) => {
                    model.push_back(id);
                    log.push(id, &mut positions);
                }
            }
            assert_eq!(log.oldest(), model.front().copied());
            assert_eq!(log.len() as usize, model.len());
        }
        while let Some(id) = log.pop(&mut positions) {
            assert_eq!(Some(id), model.pop_front());
        }
        assert!(model.is_empty());
        assert!(positions.iter().all(|&p| if alone { !log.holds(p) } else { p == NOWHERE }));
    }

    #[test]
    fn it_is_a_queue_with_renewal() {
        for log in [Log::new(), Log::alone()] {
            check(log.clone(), 20, 20_000, 1);
            check(log, 2_000, 30_000, 2);
        }
    }

    #[test]
    fn a_queue_that_is_filled_at_once_is_one_that_was_filled_one_by_one() {
        let mut random = Stream::splitmix(4);
        for (n, head) in [(0, 1), (1, 1), (300, 1), (300, 5_000), (300, u32::MAX - 100)] {
            let mut places: Vec<u32> = (0..n).collect();
            for i in (1..places.len()).rev() {
                places.swap(i, random.below(i as u64 + 1) as usize);
            }
            let mut log = Log { head, tail: head, full: head, ..Log::alone() };
            let mut positions = vec![NOWHERE; 1_000];
            log.fill_alone(
                places.iter().enumerate().map(|(id, &place)| (3 * id as u32, place)),
                &mut positions,
            );
            let mut order = vec![0; n as usize];
            for (id, &place) in places.iter().enumerate() {
                order[place as usize] = 3 * id as u32;
            }
            assert!(log.ids().eq(order.iter().copied()));
            assert!((0..1_000).all(|id| log.holds(positions[id]) == (id % 3 == 0 && id < 3 * n as usize)));
            for id in (0..3 * n).step_by(6) {
                log.renew(id, &mut positions);
            }
            let (renewed, rest): (Vec<u32>, Vec<u32>) = order.iter().partition(|&&id| id % 6 == 0);
            let mut renewed = renewed;
            renewed.sort_unstable();
            let left: Vec<u32> = std::iter::from_fn(|| log.pop_alone()).collect();
            assert_eq!(left, [rest, renewed].concat());
        }
    }

    #[test]
    fn positions_that_run_out_are_numbered_anew() {
        let near_the_end = u32::MAX - 5_000;
        for log in [Log::new(), Log::alone()] {
            check(Log { head: near_the_end, tail: near_the_end, full: near_the_end, ..log }, 300, 20_000, 3);
        }
    }
}
