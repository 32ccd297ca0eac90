//! What a run has counted so far, for those who collect metrics.

use hdrhistogram::Histogram;

use crate::interval::Interval;
use crate::record::{histogram, merge};

/// Upper bounds of the buckets, microseconds.
pub const BUCKETS_US: [u64; 16] = [
    500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 125_000, 250_000, 500_000, 1_000_000, 2_000_000,
    4_000_000, 8_000_000, 16_000_000,
];

#[derive(Debug, Default)]
pub struct Totals {
    pub planned: u64,
    pub routes: Vec<RouteTotals>,
    pub lag: Option<Histogram<u64>>,
}

#[derive(Debug)]
pub struct RouteTotals {
    pub name: String,
    pub sent: u64,
    pub failed: u64,
    pub bytes: u64,
    pub first_byte: Histogram<u64>,
    pub complete: Histogram<u64>,
}

impl Totals {
    /// Adds what happened in an interval.
    pub fn add(&mut self, interval: &Interval<'_>) {
        self.planned += interval.planned;
        merge(self.lag.get_or_insert_with(histogram), &interval.record.lag);
        if self.routes.is_empty() {
            self.routes = interval.routes.iter().map(|name| RouteTotals::new(name)).collect();
        }
        for (into, from) in self.routes.iter_mut().zip(&interval.record.routes) {
            into.sent += from.sent;
            into.failed += from.failed;
            into.bytes += from.bytes;
            merge(&mut into.first_byte, &from.first_byte);
            merge(&mut into.complete, &from.complete);
        }
    }
}

impl RouteTotals {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sent: 0,
            failed: 0,
            bytes: 0,
            first_byte: histogram(),
            complete: histogram(),
        }
    }
}

/// The sum of what a histogram of microseconds holds, seconds.
pub fn sum_s(values: &Histogram<u64>) -> f64 {
    if values.is_empty() { 0.0 } else { values.mean() * values.len() as f64 * 1e-6 }
}
