//! Latency histograms: bounded memory, mergeable, three digits.

use hdrhistogram::Histogram;
use plimsoll_reports::record::{Latency, QUANTILES, Quantile};

/// A histogram of latencies from 1 µs to an hour; 0 is kept apart from 1 µs.
#[derive(Debug, Clone)]
pub struct Latencies {
    histogram: Histogram<u64>,
    sum_s: f64,
    /// Latencies that were recorded, each once, whatever it stands for.
    observed: u64,
}

const MAX_US: u64 = 3_600_000_000;

impl Default for Latencies {
    fn default() -> Self {
        Self::with_digits(3)
    }
}

impl Latencies {
    /// With two digits, in an eighth of the memory: for one histogram a slot.
    #[must_use]
    pub fn coarse() -> Self {
        Self::with_digits(2)
    }

    fn with_digits(digits: u8) -> Self {
        let histogram = Histogram::new_with_bounds(1, MAX_US, digits).expect("constant bounds are valid");
        Self { histogram, sum_s: 0.0, observed: 0 }
    }

    /// Adds one latency. Longer than an hour counts as an hour.
    #[inline]
    pub fn record(&mut self, seconds: f64) {
        self.histogram.saturating_record((seconds * 1e6).round() as u64);
        self.sum_s += seconds;
        self.observed += 1;
    }

    /// Adds times by value and number; `sum_s` is their exact sum.
    pub fn record_buckets(&mut self, buckets: impl Iterator<Item = (f64, u64)>, sum_s: f64) {
        for (seconds, number) in buckets {
            self.histogram.saturating_record_n((seconds * 1e6).round() as u64, number);
            self.observed += number;
        }
        self.sum_s += sum_s;
    }

    /// Adds all of another histogram.
    pub fn merge(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all histograms reach to the same maximum");
        self.sum_s += other.sum_s;
        self.observed += other.observed;
    }

    /// Adds all of another histogram, each latency so many times: histograms whose latencies stand for different numbers
    /// of requests add up to one.
    pub fn merge_times(&mut self, other: &Self, times: u64) {
        for bucket in other.histogram.iter_recorded() {
            let number = bucket.count_at_value().saturating_mul(times);
            self.histogram.saturating_record_n(bucket.value_iterated_to(), number);
        }
        self.sum_s += other.sum_s * times as f64;
        self.observed += other.observed;
    }

    /// Latencies that were recorded.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.observed
    }

    /// Quantile `p` in seconds; `None` without observations.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<f64> {
        (self.count() > 0).then(|| self.histogram.value_at_quantile(p) as f64 * 1e-6)
    }

    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.sum_s / self.histogram.len() as f64 }
    }

    /// As a record.
    #[must_use]
    pub fn summary(&self) -> Latency {
        if self.count() == 0 {
            return Latency::default();
        }
        let quantiles =
            QUANTILES.iter().map(|&p| Quantile { p, value_s: self.quantile(p).unwrap_or(0.0) }).collect();
        Latency {
            count: self.count(),
            mean_s: self.mean(),
            max_s: self.histogram.max() as f64 * 1e-6,
            quantiles,
        }
    }
}
