//! What was recorded, second by second, and everything that counted at the end.

use std::sync::atomic::Ordering::Relaxed;

use crate::interval::{Interval, Watch};
use crate::options::LoadOptions;
use crate::record::{Record, Shared, Spare};
use crate::schedule::Plan;

/// Collects what was recorded, second by second, and tells whoever watches.
pub struct Seconds<'a> {
    options: &'a LoadOptions,
    shared: &'a Shared,
    routes: Vec<String>,
    counted: Record,
    spare: Spare,
    /// Where the next interval begins, seconds since the start.
    from_s: f64,
    planned: u64,
}

impl<'a> Seconds<'a> {
    pub fn new(plan: &Plan, options: &'a LoadOptions, shared: &'a Shared) -> Self {
        Self {
            options,
            shared,
            routes: plan.routes.iter().map(|route| route.name.clone()).collect(),
            counted: shared.record(),
            spare: shared.spare(),
            from_s: 0.0,
            planned: 0,
        }
    }

    /// Ends an interval now.
    pub fn tick(&mut self, to_s: f64, watch: Watch<'_>) {
        let record = self.shared.drain(&mut self.counted, &mut self.spare);
        let due = self.shared.due.load(Relaxed);
        (watch.interval)(&Interval {
            from_s: self.from_s,
            to_s,
            counted: self.from_s >= self.options.warmup_s - 1e-9,
            planned: due - self.planned,
            routes: &self.routes,
            record: &record,
        });
        (self.from_s, self.planned) = (to_s, due);
    }

    /// The last interval, and everything that counted.
    pub fn end(mut self, watch: Watch<'_>, ended_s: f64) -> Record {
        let to_s = ended_s.max(self.from_s);
        self.tick(to_s, watch);
        self.counted.cut_off();
        self.counted
    }
}
