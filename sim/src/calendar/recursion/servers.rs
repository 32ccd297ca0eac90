//! A server of a few slots and a bounded queue, first come, first served.
//!
//! Why slots in order and not a heap, where they are few: to put a time in its place among sorted ones is a least and a
//! greatest for every slot, without a branch and without waiting for each other, which takes half of what a heap does.

use std::collections::VecDeque;

use crate::heap::replace_first;

/// Beginnings of service that are kept before it is looked which of them are over.
const KEPT_MAX: usize = 1024;

/// When its slots are free, and who waits.
#[derive(Debug, Clone)]
pub struct Server {
    /// A heap of the times at which each slot is free of what it has been given.
    free: Vec<f64>,
    /// Beginnings of service that may lie ahead; they rise, since the queue is first come, first served. Those that lie
    /// behind are taken out many at a time.
    waiting: VecDeque<f64>,
}

impl Server {
    #[must_use]
    pub fn new(slots: u32) -> Self {
        Self { free: vec![0.0; slots.max(1) as usize], waiting: VecDeque::new() }
    }

    /// When the service of who comes now begins; `None` where the queue is full. Times of arrival rise.
    #[inline]
    pub fn admit(&mut self, now: f64, queue_max: u32) -> Option<f64> {
        let free = self.free[0];
        if free <= now {
            // Who waits would have the slot: nobody does.
            self.waiting.clear();
            return Some(now);
        }
        if self.waiting.len() >= KEPT_MAX.min(queue_max as usize) {
            while self.waiting.front().is_some_and(|&start| start <= now) {
                self.waiting.pop_front();
            }
            if self.waiting.len() >= queue_max as usize {
                return None;
            }
        }
        self.waiting.push_back(free);
        Some(free)
    }

    /// The slot that is free first has been given away until then.
    #[inline]
    pub fn serves_until(&mut self, finish: f64) {
        replace_first(&mut self.free, finish);
    }
}

impl Server {
    /// Whether nobody of so many more will be turned away.
    pub fn has_room(&self, more: usize, queue_max: u32) -> bool {
        self.waiting.len() + more <= queue_max as usize
    }

    /// When the last slot is free of what it has been given.
    pub fn busy_until(&self) -> f64 {
        self.free.iter().copied().fold(0.0, later_of)
    }

    /// Serves customers who come at rising times, where it [has room](Self::has_room) for all of them: says when each
    /// service begins and ends, which is what [`Self::admit`] and [`Self::serves_until`] say of one after the other. Each
    /// wait and stay is told to `each`.
    pub fn serve_all(
        &mut self,
        at: &[f64],
        durations: &[f64],
        (starts, ends): (&mut [f64], &mut [f64]),
        each: impl FnMut(f64, f64),
    ) {
        let Some(&last) = at.last() else { return };
        let starts_now = &mut starts[..at.len()];
        let served = at.iter().zip(durations).zip(starts_now.iter_mut().zip(ends));
        let all = served.map(|((&at, &duration), (start, end))| Service { at, duration, start, end });
        match self.free.len() {
            0..=1 => serve_with_one(&mut self.free[0], all, each),
            2..=4 => self.serve_in_order::<4>(all, each),
            5..=8 => self.serve_in_order::<8>(all, each),
            9..=16 => self.serve_in_order::<16>(all, each),
            17..=32 => self.serve_in_order::<32>(all, each),
            _ => self.serve_from_heap(all, each),
        }
        let behind = self.waiting.partition_point(|&start| start <= last);
        self.waiting.drain(..behind);
        self.waiting.extend(&starts[starts.partition_point(|&start| start <= last)..]);
    }

    #[inline]
    fn serve_from_heap<'a>(
        &mut self,
        all: impl Iterator<Item = Service<'a>>,
        mut each: impl FnMut(f64, f64),
    ) {
        for service in all {
            let finish = service.begin(self.free[0], &mut each);
            replace_first(&mut self.free, finish);
        }
    }

    /// With slots in the order in which they are free, at most `WIDTH` of them.
    #[inline]
    fn serve_in_order<'a, const WIDTH: usize>(
        &mut self,
        all: impl Iterator<Item = Service<'a>>,
        mut each: impl FnMut(f64, f64),
    ) {
        // Slots that are not there are never free. In order the times are a heap as well.
        let mut slots = [f64::INFINITY; WIDTH];
        self.free.sort_unstable_by(f64::total_cmp);
        slots[..self.free.len()].copy_from_slice(&self.free);
        for service in all {
            let finish = service.begin(slots[0], &mut each);
            let before = slots;
            slots[0] = earlier_of(before[1], finish);
            for i in 1..WIDTH - 1 {
                slots[i] = earlier_of(before[i + 1], later_of(before[i], finish));
            }
            slots[WIDTH - 1] = later_of(before[WIDTH - 1], finish);
        }
        let slots_there = self.free.len();
        self.free.copy_from_slice(&slots[..slots_there]);
    }
}

/// Somebody's service, of whom it is to be said when it begins and ends.
struct Service<'a> {
    at: f64,
    duration: f64,
    start: &'a mut f64,
    end: &'a mut f64,
}

impl Service<'_> {
    /// Begins when a slot is free; returns when it ends.
    #[inline]
    fn begin(self, free: f64, each: &mut impl FnMut(f64, f64)) -> f64 {
        let start = later_of(free, self.at);
        let end = start + self.duration;
        (*self.start, *self.end) = (start, end);
        each(start - self.at, end - self.at);
        end
    }
}

/// Lindley, "The theory of queues with a single server", 1952.
#[inline]
fn serve_with_one<'a>(
    free: &mut f64,
    all: impl Iterator<Item = Service<'a>>,
    mut each: impl FnMut(f64, f64),
) {
    let mut until = *free;
    for service in all {
        until = service.begin(until, &mut each);
    }
    *free = until;
}

/// Of numbers: without a thought for others, so that it is one instruction.
#[inline]
fn later_of(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[inline]
fn earlier_of(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_a_time_are_served_as_one_after_the_other() {
        let mut draws = plimsoll_scenarios::rng::Stream::new(1, "test", "many", 0);
        for slots in [1, 2, 3, 4, 5, 8, 11, 16, 17, 32, 40] {
            let (mut single, mut many) = (Server::new(slots), Server::new(slots));
            let mut now = 0.0;
            for customers in [1, 100, 0, 7, 512, 300] {
                let at: Vec<f64> = (0..customers)
                    .map(|_| {
                        now += draws.exponential() / (0.9 * f64::from(slots));
                        now
                    })
                    .collect();
                let durations: Vec<f64> = at.iter().map(|_| draws.exponential()).collect();
                let (mut starts, mut ends) = (vec![0.0; customers], vec![0.0; customers]);
                let mut told = Vec::new();
                many.serve_all(&at, &durations, (&mut starts, &mut ends), |wait, stay| {
                    told.push((wait, stay));
                });
                assert_eq!(told.len(), customers);
                for (i, &at) in at.iter().enumerate() {
                    assert_eq!(single.admit(at, u32::MAX), Some(starts[i]), "{slots} slots");
                    assert_eq!(ends[i], starts[i] + durations[i]);
                    assert_eq!(told[i], (starts[i] - at, ends[i] - at));
                    single.serves_until(ends[i]);
                }
                assert_eq!(many.busy_until(), single.busy_until());
                let ahead = |server: &Server| server.waiting.iter().filter(|s| **s > now).copied().collect();
                let (one, other): (Vec<f64>, Vec<f64>) = (ahead(&single), ahead(&many));
                assert_eq!(one, other);
                assert!(customers == 0 || one.len() == many.waiting.len(), "none that lie behind are kept");
                assert!(many.has_room(2, one.len() as u32 + 2) && !many.has_room(3, one.len() as u32 + 2));
            }
        }
    }

    #[test]
    fn slots_are_given_in_the_order_in_which_they_become_free() {
        let mut server = Server::new(7);
        let mut free = [0.0_f64; 7];
        let mut draws = plimsoll_scenarios::rng::Stream::new(1, "test", "slots", 0);
        let mut now = 0.0;
        for _ in 0..10_000 {
            now += draws.exponential() / 6.5;
            free.sort_by(f64::total_cmp);
            let start = server.admit(now, u32::MAX).unwrap();
            assert_eq!(start, free[0].max(now));
            free[0] = start + draws.exponential();
            server.serves_until(free[0]);
        }
    }

    #[test]
    fn a_full_queue_lets_nobody_in_until_a_service_begins() {
        let mut server = Server::new(1);
        let mut comes = |now: f64| {
            let start = server.admit(now, 1)?;
            server.serves_until(start + 10.0);
            Some(start)
        };
        assert_eq!(
            [comes(1.0), comes(2.0), comes(3.0), comes(12.0)],
            [Some(1.0), Some(11.0), None, Some(21.0)]
        );
    }
}
