//! A queue in which any entry can be renewed or removed: the order of use behind LRU and its relatives.
//!
//! Why no linked list: an entry is appended to a ring and its position noted in a table by id. To renew an
//! entry is to append it again; what stays behind is a hole, or stale, since the table knows a later
//! position. The oldest is found by reading on from the head past both. So a use costs one random read,
//! where a linked list follows three or four pointers through memory.
//!
//! When the ring is full, live entries are moved up against the newest; where they are more than a third
//! of it, it doubles instead, and every entry keeps its position.

/// Position of what is in no queue; tables of positions begin as zeros, which cost no memory until used.
pub(super) const NOWHERE: u32 = 0;
const HOLE: u32 = u32::MAX;
/// Shortest ring; a power of two, as all are.
const RING_MIN: usize = 256;

/// The ring. The table of positions stays with the owner, so that several queues can share one.
#[derive(Debug, Clone)]
pub(super) struct Log {
    ring: Vec<u32>,
    /// Positions count up from 1 and fall on the ring by their low bits.
    head: u32,
    tail: u32,
    /// Where `tail` must stop and look for room.
    full: u32,
    live: u32,
}

impl Log {
    pub fn new() -> Self {
        Self { ring: vec![HOLE; RING_MIN], head: 1, tail: 1, full: 1 + RING_MIN as u32, live: 0 }
    }

    /// Entries that are not holes.
    pub const fn len(&self) -> u32 {
        self.live
    }

    #[inline]
    const fn slot(&self, position: u32) -> usize {
        position as usize & (self.ring.len() - 1)
    }

    /// Puts an id that is not in the queue at its newest end.
    #[inline]
    pub fn push(&mut self, id: u32, positions: &mut [u32]) {
        self.live += 1;
        self.append(id, positions);
    }

    /// Moves an id of the queue to its newest end.
    #[inline]
    pub fn renew(&mut self, id: u32, positions: &mut [u32]) {
        let slot = self.slot(positions[id as usize]);
        self.ring[slot] = HOLE;
        self.append(id, positions);
    }

    /// As [`Self::renew`], and leaves the old entry to be found stale, which spares a write to memory that
    /// may be far from everything else. Only for a queue that has the table of positions for itself.
    #[inline]
    pub fn renew_lazily(&mut self, id: u32, positions: &mut [u32]) {
        self.append(id, positions);
    }

    /// Takes an id of the queue out.
    #[inline]
    pub fn remove(&mut self, id: u32, positions: &mut [u32]) {
        let slot = self.slot(positions[id as usize]);
        self.ring[slot] = HOLE;
        positions[id as usize] = NOWHERE;
        self.live -= 1;
    }

    /// Takes the oldest out.
    #[inline]
    pub fn pop(&mut self, positions: &mut [u32]) -> Option<u32> {
        let id = self.oldest(positions)?;
        self.head += 1;
        self.live -= 1;
        positions[id as usize] = NOWHERE;
        Some(id)
    }

    /// The oldest.
    #[inline]
    pub fn oldest(&mut self, positions: &[u32]) -> Option<u32> {
        while self.head != self.tail {
            let id = self.ring[self.slot(self.head)];
            if is_live(id, self.head, positions) {
                return Some(id);
            }
            self.head += 1;
        }
        None
    }

    /// An id near the head, for reading ahead; `None` for a hole or past the end.
    #[inline]
    pub fn ahead(&self, offset: u32) -> Option<u32> {
        let id = self.ring[self.slot(self.head.wrapping_add(offset))];
        (id != HOLE && offset < self.tail - self.head).then_some(id)
    }

    #[inline]
    fn append(&mut self, id: u32, positions: &mut [u32]) {
        if self.tail == self.full {
            self.make_room(positions);
        }
        let slot = self.slot(self.tail);
        self.ring[slot] = id;
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
        } else if 3 * self.live as usize > length {
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
            let id = self.ring[self.slot(read)];
            if is_live(id, read, positions) {
                write -= 1;
                let slot = self.slot(write);
                self.ring[slot] = id;
                positions[id as usize] = write;
            }
        }
        self.head = write;
    }

    /// Moves everything to a ring of twice the length. Positions stay as they are.
    fn double(&mut self) {
        let length = 2 * self.ring.len();
        let mut ring = vec![HOLE; length];
        for position in self.head..self.tail {
            ring[position as usize & (length - 1)] = self.ring[self.slot(position)];
        }
        self.ring = ring;
    }

    /// Moves the entries to a new ring that has room for them, and numbers them from 1.
    fn renumber(&mut self, positions: &mut [u32]) {
        let length = self.ring.len().max((2 * self.live as usize).next_power_of_two());
        let mut ring = Vec::with_capacity(length);
        // Position 0 is nowhere, so its slot is the last to be used.
        ring.push(HOLE);
        for read in self.head..self.tail {
            let id = self.ring[self.slot(read)];
            if is_live(id, read, positions) {
                positions[id as usize] = ring.len() as u32;
                ring.push(id);
            }
        }
        self.head = 1;
        self.tail = ring.len() as u32;
        ring.resize(length, HOLE);
        self.ring = ring;
    }
}

/// Whether an entry is neither a hole nor stale.
#[inline]
fn is_live(id: u32, position: u32, positions: &[u32]) -> bool {
    id != HOLE && positions[id as usize] == position
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use plimsoll_scenarios::rng::Stream;

    use super::*;

    /// Plays random operations on the log and on a plain queue.
    fn check(mut log: Log, ids: u32, steps: u32, seed: u64, lazily: bool) {
        let mut positions = vec![NOWHERE; ids as usize];
        let mut model: VecDeque<u32> = VecDeque::new();
        let mut random = Stream::splitmix(seed);
        for _ in 0..steps {
            let id = random.below(u64::from(ids)) as u32;
            let known = model.iter().position(|&m| m == id);
            assert_eq!(known.is_some(), positions[id as usize] != NOWHERE);
            match (known, random.below(8)) {
                (Some(at), 0) => {
                    model.remove(at);
                    log.remove(id, &mut positions);
                }
                (_, 1) => assert_eq!(log.pop(&mut positions), model.pop_front()),
                (Some(at), _) => {
                    model.remove(at);
                    model.push_back(id);
                    if lazily {
                        log.renew_lazily(id, &mut positions);
                    } else {
                        log.renew(id, &mut positions);
                    }
                }
                (None, _) => {
                    model.push_back(id);
                    log.push(id, &mut positions);
                }
            }
            assert_eq!(log.oldest(&positions), model.front().copied());
            assert_eq!(log.len() as usize, model.len());
        }
        while let Some(id) = log.pop(&mut positions) {
            assert_eq!(Some(id), model.pop_front());
        }
        assert!(model.is_empty() && positions.iter().all(|&p| p == NOWHERE));
    }

    #[test]
    fn it_is_a_queue_with_renewal() {
        for lazily in [false, true] {
            check(Log::new(), 20, 20_000, 1, lazily);
            check(Log::new(), 2_000, 30_000, 2, lazily);
        }
    }

    #[test]
    fn positions_that_run_out_are_numbered_anew() {
        let near_the_end = u32::MAX - 5_000;
        let log = Log { head: near_the_end, tail: near_the_end, full: near_the_end, ..Log::new() };
        check(log.clone(), 300, 20_000, 3, false);
        check(log, 300, 20_000, 3, true);
    }
}
