//! A server of a few slots and a bounded queue, first come, first served.

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

#[cfg(test)]
mod tests {
    use super::*;

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
