//! Slots of the results: parts of the time that counts.
//!
//! Why looked up like this: times come nearly in order, so that the slot of one is mostly that of the one before.

use super::frame::UNCOUNTED;

/// Which slot a time is in, for times of which most are in the slot of the one before.
#[derive(Debug, Clone, Copy)]
pub struct Slots {
    from_s: f64,
    slot_s: f64,
    number: usize,
    slot: u16,
    begins: f64,
    ends: f64,
}

impl Slots {
    /// So many slots, each so long, from a time on.
    #[must_use]
    pub const fn new(from_s: f64, slot_s: f64, number: usize) -> Self {
        Self { from_s, slot_s, number, slot: UNCOUNTED, begins: f64::NEG_INFINITY, ends: from_s }
    }

    /// The slot of a time; `UNCOUNTED` before and after what counts.
    #[inline]
    pub fn at(&mut self, time_s: f64) -> u16 {
        if time_s < self.begins || time_s >= self.ends {
            self.turn(time_s);
        }
        self.slot
    }

    /// The slot of all times between two, where it is the same.
    #[inline]
    pub fn of_all(&mut self, (least_s, most_s): (f64, f64)) -> Option<u16> {
        let slot = self.at(least_s);
        (most_s < self.ends).then_some(slot)
    }

    fn turn(&mut self, time_s: f64) {
        if time_s < self.from_s {
            (self.slot, self.begins, self.ends) = (UNCOUNTED, f64::NEG_INFINITY, self.from_s);
            return;
        }
        let slot = ((time_s - self.from_s) / self.slot_s) as usize;
        let begins = |slot: usize| self.from_s + slot as f64 * self.slot_s;
        (self.slot, self.begins, self.ends) = if slot >= self.number {
            (UNCOUNTED, begins(self.number), f64::INFINITY)
        } else {
            (slot as u16, begins(slot), begins(slot + 1))
        };
    }
}
