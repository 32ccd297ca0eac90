//! The calendar's pending events: a 4-ary heap of 16-byte keys.
//!
//! Why one number for an event: time, order of scheduling and what happens are compared and moved together, so a
//! sift is a few moves within a cache line or two, without a branch on ties. Times are never negative, and the
//! bits of such doubles are in the order of their values.

use crate::heap::{ARITY, replace_first};

/// What happens, and to which frame, server or timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due(pub u32);

/// Bits of a due event that say which frame, server or timer it is about.
const INDEX_BITS: u32 = 28;
/// Most frames, servers or timers.
pub const INDEX_MAX: u32 = (1 << INDEX_BITS) - 1;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A call reaches its tier.
    Arrive,
    /// A service ends.
    Finish,
    /// A tier is done with a call and answers it.
    Answer,
    /// An answer reaches the caller.
    Deliver,
    /// After the service: the cache, then what the tier calls.
    Served,
    /// A branch or message begins.
    Go,
    /// The next departure of a server that serves all at once.
    Share,
    /// A batch has waited long enough.
    Gather,
    /// The first of a row of timers is due.
    Timer,
    /// A caller tries again.
    Retry,
    /// An open connection sends its heartbeat.
    Beat,
    /// The number of servers is looked at.
    Scale,
    /// The last byte of a body has left a link.
    Sent,
    /// The disks have come to what a service reads or writes.
    Disk,
}

const KINDS: [Kind; 14] = [
    Kind::Arrive,
    Kind::Finish,
    Kind::Answer,
    Kind::Deliver,
    Kind::Served,
    Kind::Go,
    Kind::Share,
    Kind::Gather,
    Kind::Timer,
    Kind::Retry,
    Kind::Beat,
    Kind::Scale,
    Kind::Sent,
    Kind::Disk,
];

impl Due {
    #[inline]
    pub const fn new(kind: Kind, index: u32) -> Self {
        Self((kind as u32) << INDEX_BITS | index)
    }

    #[inline]
    pub const fn kind(self) -> Kind {
        KINDS[(self.0 >> INDEX_BITS) as usize]
    }

    #[inline]
    pub const fn is(self, kind: Kind) -> bool {
        self.0 >> INDEX_BITS == kind as u32
    }

    #[inline]
    pub const fn index(self) -> u32 {
        self.0 & INDEX_MAX
    }
}

/// Pending events, the earliest first; at the same time in the order in which they were scheduled.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    heap: Vec<u128>,
    sequence: u32,
    /// The first key has been taken and its place is free: what ends a service mostly begins the next, so that one sift
    /// does for both.
    hole: bool,
}

impl Queue {
    /// Schedules an event; `at_s` is neither negative nor NaN.
    #[inline]
    pub fn push(&mut self, at_s: f64, due: Due) {
        debug_assert!(at_s >= 0.0, "{at_s}");
        // After 2^32 events the numbers start again; then two events of the very same time may change places.
        self.sequence = self.sequence.wrapping_add(1);
        let key = u128::from(at_s.to_bits()) << 64 | u128::from(self.sequence) << 32 | u128::from(due.0);
        if self.hole {
            self.hole = false;
            replace_first(&mut self.heap, key);
            return;
        }
        let mut at = self.heap.len();
        self.heap.push(key);
        while at > 0 {
            let above = (at - 1) / ARITY;
            if self.heap[above] <= key {
                break;
            }
            self.heap[at] = self.heap[above];
            at = above;
        }
        self.heap[at] = key;
    }

    /// When the next event is due; infinite where there is none.
    #[inline]
    pub fn next_s(&mut self) -> f64 {
        self.close_up();
        self.heap.first().map_or(f64::INFINITY, |key| f64::from_bits((key >> 64) as u64))
    }

    #[inline]
    pub fn pop(&mut self) -> Option<(f64, Due)> {
        self.close_up();
        let &first = self.heap.first()?;
        self.hole = true;
        Some(unpack(first))
    }

    /// Fills the place of the key that was taken last.
    #[inline]
    fn close_up(&mut self) {
        if self.hole {
            self.hole = false;
            if let Some(last) = self.heap.pop()
                && !self.heap.is_empty()
            {
                replace_first(&mut self.heap, last);
            }
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.heap.len() - usize::from(self.hole)
    }
}

fn unpack(key: u128) -> (f64, Due) {
    (f64::from_bits((key >> 64) as u64), Due(key as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::rng::Stream;

    #[test]
    fn events_come_by_time_and_then_in_the_order_of_scheduling() {
        let mut stream = Stream::new(1, "queue", "times", 0);
        let mut queue = Queue::default();
        let mut wanted: Vec<(u64, u32)> = Vec::new();
        let mut got = Vec::new();
        let mut last = 0.0;
        for i in 0..20_000_u32 {
            // Few different times, so that there are many ties.
            let at = last + stream.below(50) as f64;
            queue.push(at, Due::new(Kind::Finish, i));
            wanted.push((at.to_bits(), i));
            if stream.below(3) == 0 {
                let (at, due) = queue.pop().unwrap();
                assert!(at >= last);
                last = at;
                got.push((at.to_bits(), due.index()));
            }
        }
        while let Some((at, due)) = queue.pop() {
            assert_eq!(due.kind(), Kind::Finish);
            got.push((at.to_bits(), due.index()));
        }
        wanted.sort_unstable();
        assert_eq!(got, wanted);
        assert_eq!((queue.len(), queue.next_s()), (0, f64::INFINITY));
    }

    #[test]
    fn a_due_event_keeps_what_it_is_about() {
        for kind in KINDS {
            for index in [0, 1, INDEX_MAX] {
                let due = Due::new(kind, index);
                assert_eq!((due.kind(), due.index()), (kind, index));
            }
        }
    }
}
