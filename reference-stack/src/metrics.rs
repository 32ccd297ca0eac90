//! Counters of every tier, and their Prometheus text.
//!
//! Why by hand: a fixed set of atomics known at the start needs no registry, no locks and no label maps,
//! and nothing can ever be labelled by song.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the histograms' buckets, seconds.
const BUCKETS_S: [f64; 18] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256,
    0.512, 1.024, 2.048, 4.096, 8.192,
];

/// How a request ended in one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The tier did its part (a 404 is an answer too).
    Ok,
    /// Turned away before any work: queue full, key refused, over the rate limit.
    Rejected,
    /// The tier or one below it failed.
    Failed,
}

/// What a cache said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Hit,
    Miss,
    /// Waited for the fetch of an earlier miss.
    Coalesced,
}

impl Found {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
        }
    }
}

/// Metrics of one instance of a tier.
#[derive(Debug, Default)]
pub struct TierMetrics {
    pub tier: &'static str,
    pub replica: usize,
    pub slots: usize,
    /// Whether the instance has a cache, and so results of lookups to show.
    has_cache: bool,
    outcomes: [AtomicU64; 3],
    found: [AtomicU64; 3],
    in_flight: AtomicU64,
    queue_depth: AtomicU64,
    queue_wait: Histogram,
    service: Histogram,
    response_bytes: AtomicU64,
}

impl TierMetrics {
    pub fn new(tier: &'static str, replica: usize, slots: usize, has_cache: bool) -> Arc<Self> {
        Arc::new(Self { tier, replica, slots, has_cache, ..Self::default() })
    }

    /// A request is done with this tier.
    pub fn ended(&self, outcome: Outcome, bytes: u64) {
        self.outcomes[outcome as usize].fetch_add(1, Relaxed);
        self.response_bytes.fetch_add(bytes, Relaxed);
    }

    pub fn looked_up(&self, found: Found) {
        self.found[found as usize].fetch_add(1, Relaxed);
    }

    pub fn queue_entered(&self) {
        self.queue_depth.fetch_add(1, Relaxed);
    }

    pub fn queue_left(&self) {
        self.queue_depth.fetch_sub(1, Relaxed);
    }

    pub fn slot_taken(&self, waited: Duration) {
        self.queue_wait.observe(waited);
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub fn slot_freed(&self, held: Duration) {
        self.service.observe(held);
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Slots taken and requests waiting, for load balancing.
    pub fn load(&self) -> u64 {
        self.in_flight.load(Relaxed) + self.queue_depth.load(Relaxed)
    }
}

/// A histogram with the buckets of [`BUCKETS_S`].
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BUCKETS_S.len()],
    count: AtomicU64,
    sum_ns: AtomicU64,
}

impl Histogram {
    fn observe(&self, value: Duration) {
        let bucket = BUCKETS_S.partition_point(|&bound| bound < value.as_secs_f64());
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Reads one number of an instance.
type Read = fn(&TierMetrics) -> u64;

/// All metrics as Prometheus text (exposition format 0.0.4).
pub fn render(all: &[Arc<TierMetrics>]) -> String {
    let mut text = String::with_capacity(all.len() * 4096);
    let counters = [("ok", 0), ("rejected", 1), ("failed", 2)];
    heading(&mut text, "plimsoll_requests_total", "counter", "Requests by how they ended in the tier.");
    for m in all {
        for (outcome, i) in counters {
            let value = m.outcomes[i].load(Relaxed);
            line(&mut text, "plimsoll_requests_total", m, &format!(",outcome=\"{outcome}\""), &value);
        }
    }
    heading(&mut text, "plimsoll_cache_results_total", "counter", "Cache lookups by result.");
    for m in all.iter().filter(|m| m.has_cache) {
        for found in [Found::Hit, Found::Miss, Found::Coalesced] {
            let labels = format!(",result=\"{}\"", found.name());
            let value = m.found[found as usize].load(Relaxed);
            line(&mut text, "plimsoll_cache_results_total", m, &labels, &value);
        }
    }
    let plain: [(&str, &str, &str, Read); 4] = [
        ("plimsoll_slots", "gauge", "Requests the instance can work on at once.", |m| m.slots as u64),
        ("plimsoll_in_flight", "gauge", "Slots taken.", |m| m.in_flight.load(Relaxed)),
        ("plimsoll_queue_depth", "gauge", "Requests waiting for a slot.", |m| m.queue_depth.load(Relaxed)),
        ("plimsoll_response_bytes_total", "counter", "Bytes of response bodies.", |m| {
            m.response_bytes.load(Relaxed)
        }),
    ];
    for (name, kind, help, read) in plain {
        heading(&mut text, name, kind, help);
        for m in all {
            line(&mut text, name, m, "", &read(m));
        }
    }
    heading(&mut text, "plimsoll_queue_wait_seconds", "histogram", "Wait for a slot.");
    for m in all {
        histogram(&mut text, "plimsoll_queue_wait_seconds", m, &m.queue_wait);
    }
    heading(&mut text, "plimsoll_service_seconds", "histogram", "Time a slot was held.");
    for m in all {
        histogram(&mut text, "plimsoll_service_seconds", m, &m.service);
    }
    text
}

fn heading(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, m: &TierMetrics, labels: &str, value: &dyn std::fmt::Display) {
    let _ = writeln!(text, "{name}{{tier=\"{}\",replica=\"{}\"{labels}}} {value}", m.tier, m.replica);
}

fn histogram(text: &mut String, name: &str, m: &TierMetrics, histogram: &Histogram) {
    let mut below = 0;
    for (bound, bucket) in BUCKETS_S.iter().zip(&histogram.buckets) {
        below += bucket.load(Relaxed);
        line(text, &format!("{name}_bucket"), m, &format!(",le=\"{bound}\""), &below);
    }
    // A scrape between two updates must not show a bucket above the total.
    let count = histogram.count.load(Relaxed).max(below);
    line(text, &format!("{name}_bucket"), m, ",le=\"+Inf\"", &count);
    line(text, &format!("{name}_sum"), m, "", &(histogram.sum_ns.load(Relaxed) as f64 * 1e-9));
    line(text, &format!("{name}_count"), m, "", &count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_series_with_cumulative_buckets() {
        let m = TierMetrics::new("edge", 1, 4, true);
        m.ended(Outcome::Rejected, 10);
        m.looked_up(Found::Coalesced);
        m.slot_taken(Duration::ZERO);
        m.slot_freed(Duration::from_millis(3));
        m.slot_taken(Duration::from_mins(1));
        let web = TierMetrics::new("web", 0, 4, false);
        let text = render(&[m, web]);
        assert!(!text.contains("plimsoll_cache_results_total{tier=\"web\""), "no cache, no results\n{text}");
        for expected in [
            "plimsoll_requests_total{tier=\"edge\",replica=\"1\",outcome=\"rejected\"} 1",
            "plimsoll_cache_results_total{tier=\"edge\",replica=\"1\",result=\"coalesced\"} 1",
            "plimsoll_slots{tier=\"edge\",replica=\"1\"} 4",
            "plimsoll_in_flight{tier=\"edge\",replica=\"1\"} 1",
            "plimsoll_response_bytes_total{tier=\"edge\",replica=\"1\"} 10",
            "plimsoll_service_seconds_bucket{tier=\"edge\",replica=\"1\",le=\"0.002\"} 0",
            "plimsoll_service_seconds_bucket{tier=\"edge\",replica=\"1\",le=\"0.004\"} 1",
            "plimsoll_service_seconds_bucket{tier=\"edge\",replica=\"1\",le=\"+Inf\"} 1",
            "plimsoll_service_seconds_sum{tier=\"edge\",replica=\"1\"} 0.003",
            "plimsoll_queue_wait_seconds_bucket{tier=\"edge\",replica=\"1\",le=\"8.192\"} 1",
            "plimsoll_queue_wait_seconds_count{tier=\"edge\",replica=\"1\"} 2",
        ] {
            assert!(text.lines().any(|line| line == expected), "missing {expected} in\n{text}");
        }
    }
}
