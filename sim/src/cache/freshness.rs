//! How old what a cache holds is: when each object was fetched.
//!
//! Why a table beside the policy: what is stale stays in its place until it is fetched again or pushed out, so no policy
//! has to know of it.

use super::table::Table;

/// A time to live up to which time is counted in thousandths of a second, and beyond in seconds.
const FINE_S: f64 = 3600.0;
const FINE_TICK_S: f64 = 1e-3;

/// When objects were fetched. Times are in ticks and wrap: after 49 days in a cache with a time to live of an hour or
/// less, and after 136 years in others.
#[derive(Debug, Clone)]
pub(super) struct Freshness {
    tick_s: f64,
    /// In ticks; `None` where objects are fresh until they are written.
    ttl: Option<u32>,
    /// The tick after the one in which the object was fetched, by id; 0 for one that is stale.
    fetched: Table<u32>,
}

impl Freshness {
    pub fn new(objects: u32, ttl_s: f64) -> Self {
        let tick_s = if ttl_s <= FINE_S { FINE_TICK_S } else { 1.0 };
        let ttl = (ttl_s < f64::INFINITY).then(|| ((ttl_s / tick_s).round() as u32).max(1));
        Self { tick_s, ttl, fetched: Table::new(objects as usize) }
    }

    /// Times before 0 are a day before that began.
    fn tick(&self, at_s: f64) -> u32 {
        (at_s / self.tick_s).round() as i64 as u32
    }

    #[inline]
    pub fn is_fresh(&self, id: u32, now_s: f64) -> bool {
        let fetched = self.fetched[id as usize];
        fetched != 0
            && self.ttl.is_none_or(|ttl| self.tick(now_s).wrapping_sub(fetched.wrapping_sub(1)) < ttl)
    }

    #[inline]
    pub fn fetch(&mut self, id: u32, now_s: f64) {
        // In the one tick of all whose next is 0 the object is a tick older than it is.
        let next = self.tick(now_s).wrapping_add(1);
        self.fetched[id as usize] = if next == 0 { u32::MAX } else { next };
    }

    #[inline]
    pub fn spoil(&mut self, id: u32) {
        self.fetched[id as usize] = 0;
    }

    #[inline]
    pub fn touch(&self, id: u32) -> u32 {
        self.fetched[id as usize]
    }

    pub fn grow(&mut self, objects: u32) {
        self.fetched.grow(objects as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_fresh_for_its_time_to_the_tick() {
        for (ttl_s, tick_s) in [(0.01, 1e-3), (10.0, 1e-3), (3600.0, 1e-3), (86_400.0, 1.0)] {
            for start_s in [0.0, 12.0, -5e4, 4_294_967.0, 4_294_967.295, 1e9] {
                let mut ages = Freshness::new(2, ttl_s);
                assert!(!ages.is_fresh(1, start_s));
                ages.fetch(1, start_s);
                assert!(ages.is_fresh(1, start_s), "{ttl_s} {start_s}");
                assert!(ages.is_fresh(1, start_s + ttl_s - 2.0 * tick_s), "{ttl_s} {start_s}");
                assert!(!ages.is_fresh(1, start_s + ttl_s + 2.0 * tick_s), "{ttl_s} {start_s}");
                ages.fetch(1, start_s + ttl_s);
                ages.spoil(1);
                assert!(!ages.is_fresh(1, start_s + ttl_s), "{ttl_s} {start_s}");
            }
        }
    }

    #[test]
    fn without_a_time_to_live_an_object_is_fresh_until_it_is_written() {
        let mut ages = Freshness::new(1, f64::INFINITY);
        ages.fetch(0, 5.0);
        assert!(ages.is_fresh(0, 1e12));
        ages.spoil(0);
        assert!(!ages.is_fresh(0, 5.0));
    }
}
