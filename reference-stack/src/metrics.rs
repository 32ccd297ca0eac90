//! Counters of every tier, and their Prometheus text.
//!
//! Why by hand: a fixed set of atomics known at the start needs no registry, no locks and no label maps,
//! and nothing can ever be labelled by song.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::api::Op;
use crate::tiers;

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
    /// There, but had to be confirmed by the tier below.
    Revalidated,
    /// There and outdated, and served because the tier below failed or is being asked meanwhile.
    Stale,
}

impl Found {
    const ALL: [Self; 5] = [Self::Hit, Self::Miss, Self::Coalesced, Self::Revalidated, Self::Stale];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Revalidated => "revalidated",
            Self::Stale => "stale",
        }
    }
}

/// Metrics of one instance of a tier.
#[derive(Debug)]
pub struct TierMetrics {
    pub tier: &'static str,
    pub replica: usize,
    pub slots: usize,
    /// Whether the instance has a cache, and so results of lookups to show.
    has_cache: bool,
    ops: [OpMetrics; Op::COUNT],
    found: [AtomicU64; Found::ALL.len()],
    in_flight: AtomicU64,
    queue_depth: AtomicU64,
    pub up: AtomicBool,
    pub cache_bytes: AtomicU64,
    /// Requests that were sent to another instance below after one had failed.
    pub retries: AtomicU64,
    /// Stored copies that were found wrong or missing.
    pub bad_copies: AtomicU64,
    /// Stored copies that were put right.
    pub repairs: AtomicU64,
    /// Of the events tier: how far its bus is.
    pub bus: Option<BusMetrics>,
}

/// Counters of the bus.
#[derive(Debug, Default)]
pub struct BusMetrics {
    /// Offset of the next event.
    pub appended: AtomicU64,
    /// Offset of the next event that the consumer will count.
    pub consumed: AtomicU64,
}

impl BusMetrics {
    /// Events in the log that the consumer has not counted.
    pub fn lag(&self) -> u64 {
        self.appended.load(Relaxed).saturating_sub(self.consumed.load(Relaxed))
    }
}

/// Metrics of one operation.
#[derive(Debug, Default)]
struct OpMetrics {
    outcomes: [AtomicU64; 3],
    queue_wait: Histogram,
    service: Histogram,
    downstream: Histogram,
    response_bytes: AtomicU64,
}

impl OpMetrics {
    fn is_used(&self) -> bool {
        self.queue_wait.count.load(Relaxed) > 0 || self.outcomes.iter().any(|count| count.load(Relaxed) > 0)
    }
}

impl TierMetrics {
    pub fn new(tier: &'static str, replica: usize, slots: usize, has_cache: bool) -> Arc<Self> {
        Arc::new(Self {
            tier,
            replica,
            slots,
            has_cache,
            ops: std::array::from_fn(|_| OpMetrics::default()),
            found: Default::default(),
            in_flight: AtomicU64::new(0),
            queue_depth: AtomicU64::new(0),
            up: AtomicBool::new(true),
            cache_bytes: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            bad_copies: AtomicU64::new(0),
            repairs: AtomicU64::new(0),
            bus: (tier == tiers::EVENTS && replica == 0).then(BusMetrics::default),
        })
    }

    /// A request is done with this tier.
    pub fn ended(&self, op: Op, outcome: Outcome, bytes: u64) {
        let metrics = &self.ops[op as usize];
        metrics.outcomes[outcome as usize].fetch_add(1, Relaxed);
        metrics.response_bytes.fetch_add(bytes, Relaxed);
    }

    pub fn looked_up(&self, found: Found) {
        self.found[found as usize].fetch_add(1, Relaxed);
    }

    /// The tier below was called and has answered, or not.
    pub fn came_back(&self, op: Op, took: Duration) {
        self.ops[op as usize].downstream.observe(took);
    }

    pub fn queue_entered(&self) {
        self.queue_depth.fetch_add(1, Relaxed);
    }

    pub fn queue_left(&self) {
        self.queue_depth.fetch_sub(1, Relaxed);
    }

    pub fn slot_taken(&self, op: Op, waited: Duration) {
        self.ops[op as usize].queue_wait.observe(waited);
        self.in_flight.fetch_add(1, Relaxed);
    }

    pub fn slot_freed(&self, op: Op, held: Duration) {
        self.ops[op as usize].service.observe(held);
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// Slots taken and requests waiting, for load balancing.
    pub fn load(&self) -> u64 {
        self.in_flight.load(Relaxed) + self.queue_depth.load(Relaxed)
    }

    fn used_ops(&self) -> impl Iterator<Item = (&'static str, &OpMetrics)> {
        Op::NAMES.iter().zip(&self.ops).filter(|(_, ops)| ops.is_used()).map(|((_, name), ops)| (*name, ops))
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

/// Reads one number of an instance, where it has it.
type Read = fn(&TierMetrics) -> Option<u64>;
/// Reads one histogram of an operation.
type ReadHistogram = fn(&OpMetrics) -> &Histogram;

const PLAIN: [(&str, &str, &str, Read); 10] = [
    ("plimsoll_up", "gauge", "Whether the instance works.", |m| Some(u64::from(m.up.load(Relaxed)))),
    ("plimsoll_slots", "gauge", "Requests the instance can work on at once.", |m| Some(m.slots as u64)),
    ("plimsoll_in_flight", "gauge", "Slots taken.", |m| Some(m.in_flight.load(Relaxed))),
    ("plimsoll_queue_depth", "gauge", "Requests waiting for a slot.", |m| Some(m.queue_depth.load(Relaxed))),
    ("plimsoll_cache_bytes", "gauge", "Bytes in the cache.", |m| {
        m.has_cache.then(|| m.cache_bytes.load(Relaxed))
    }),
    ("plimsoll_retries_total", "counter", "Calls made again at another instance.", |m| {
        (m.tier == tiers::GATEWAY).then(|| m.retries.load(Relaxed))
    }),
    ("plimsoll_bad_copies_total", "counter", "Stored copies found wrong or missing.", |m| {
        (m.tier == tiers::AUDIO_STORE).then(|| m.bad_copies.load(Relaxed))
    }),
    ("plimsoll_repairs_total", "counter", "Stored copies put right.", |m| {
        (m.tier == tiers::AUDIO_STORE).then(|| m.repairs.load(Relaxed))
    }),
    ("plimsoll_bus_events_total", "counter", "Events in the log.", |m| {
        m.bus.as_ref().map(|bus| bus.appended.load(Relaxed))
    }),
    ("plimsoll_bus_lag_events", "gauge", "Events in the log that the heat map has not counted.", |m| {
        m.bus.as_ref().map(BusMetrics::lag)
    }),
];

const HISTOGRAMS: [(&str, &str, ReadHistogram); 3] = [
    ("plimsoll_queue_wait_seconds", "Wait for a slot.", |ops| &ops.queue_wait),
    ("plimsoll_service_seconds", "Time a slot was held.", |ops| &ops.service),
    ("plimsoll_downstream_seconds", "Time spent waiting for the tier below.", |ops| &ops.downstream),
];

/// All metrics as Prometheus text (exposition format 0.0.4).
pub fn render(all: &[Arc<TierMetrics>]) -> String {
    let mut text = String::with_capacity(all.len() * 8192);
    let counters = [("ok", 0), ("rejected", 1), ("failed", 2)];
    heading(&mut text, "plimsoll_requests_total", "counter", "Requests by how they ended in the tier.");
    for m in all {
        for (op, metrics) in m.used_ops() {
            for (outcome, i) in counters {
                let value = metrics.outcomes[i].load(Relaxed);
                let labels = format!(",op=\"{op}\",outcome=\"{outcome}\"");
                line(&mut text, "plimsoll_requests_total", m, &labels, &value);
            }
        }
    }
    heading(&mut text, "plimsoll_cache_results_total", "counter", "Cache lookups by result.");
    for m in all.iter().filter(|m| m.has_cache) {
        for found in Found::ALL {
            let labels = format!(",result=\"{}\"", found.name());
            let value = m.found[found as usize].load(Relaxed);
            line(&mut text, "plimsoll_cache_results_total", m, &labels, &value);
        }
    }
    for (name, kind, help, read) in PLAIN {
        heading(&mut text, name, kind, help);
        for m in all {
            if let Some(value) = read(m) {
                line(&mut text, name, m, "", &value);
            }
        }
    }
    heading(&mut text, "plimsoll_response_bytes_total", "counter", "Bytes of response bodies.");
    for m in all {
        for (op, metrics) in m.used_ops() {
            let (labels, value) = (format!(",op=\"{op}\""), metrics.response_bytes.load(Relaxed));
            line(&mut text, "plimsoll_response_bytes_total", m, &labels, &value);
        }
    }
    for (name, help, read) in HISTOGRAMS {
        heading(&mut text, name, "histogram", help);
        for m in all {
            for (op, metrics) in m.used_ops().filter(|(_, metrics)| read(metrics).count.load(Relaxed) > 0) {
                histogram(&mut text, name, m, op, read(metrics));
            }
        }
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

fn histogram(text: &mut String, name: &str, m: &TierMetrics, op: &str, histogram: &Histogram) {
    let mut below = 0;
    let bucket_name = format!("{name}_bucket");
    for (bound, bucket) in BUCKETS_S.iter().zip(&histogram.buckets) {
        below += bucket.load(Relaxed);
        line(text, &bucket_name, m, &format!(",op=\"{op}\",le=\"{bound}\""), &below);
    }
    // A scrape between two updates must not show a bucket above the total.
    let count = histogram.count.load(Relaxed).max(below);
    line(text, &bucket_name, m, &format!(",op=\"{op}\",le=\"+Inf\""), &count);
    let op = format!(",op=\"{op}\"");
    line(text, &format!("{name}_sum"), m, &op, &(histogram.sum_ns.load(Relaxed) as f64 * 1e-9));
    line(text, &format!("{name}_count"), m, &op, &count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_series_with_cumulative_buckets() {
        let m = TierMetrics::new("edge", 1, 4, true);
        m.ended(Op::Audio, Outcome::Rejected, 10);
        m.looked_up(Found::Coalesced);
        m.slot_taken(Op::Audio, Duration::ZERO);
        m.slot_freed(Op::Audio, Duration::from_millis(3));
        m.slot_taken(Op::Audio, Duration::from_mins(1));
        m.came_back(Op::Audio, Duration::from_millis(20));
        let events = TierMetrics::new("events", 0, 4, false);
        events.bus.as_ref().unwrap().appended.store(3, Relaxed);
        let text = render(&[m, events]);
        for absent in ["cache_results_total{tier=\"events\"", "bus_lag_events{tier=\"edge\"", "op=\"song\""] {
            assert!(!text.contains(absent), "{absent}\n{text}");
        }
        for expected in [
            "plimsoll_requests_total{tier=\"edge\",replica=\"1\",op=\"audio\",outcome=\"rejected\"} 1",
            "plimsoll_cache_results_total{tier=\"edge\",replica=\"1\",result=\"coalesced\"} 1",
            "plimsoll_up{tier=\"edge\",replica=\"1\"} 1",
            "plimsoll_slots{tier=\"edge\",replica=\"1\"} 4",
            "plimsoll_in_flight{tier=\"edge\",replica=\"1\"} 1",
            "plimsoll_bus_lag_events{tier=\"events\",replica=\"0\"} 3",
            "plimsoll_response_bytes_total{tier=\"edge\",replica=\"1\",op=\"audio\"} 10",
            "plimsoll_service_seconds_bucket{tier=\"edge\",replica=\"1\",op=\"audio\",le=\"0.002\"} 0",
            "plimsoll_service_seconds_bucket{tier=\"edge\",replica=\"1\",op=\"audio\",le=\"0.004\"} 1",
            "plimsoll_service_seconds_bucket{tier=\"edge\",replica=\"1\",op=\"audio\",le=\"+Inf\"} 1",
            "plimsoll_service_seconds_sum{tier=\"edge\",replica=\"1\",op=\"audio\"} 0.003",
            "plimsoll_queue_wait_seconds_bucket{tier=\"edge\",replica=\"1\",op=\"audio\",le=\"8.192\"} 1",
            "plimsoll_queue_wait_seconds_count{tier=\"edge\",replica=\"1\",op=\"audio\"} 2",
            "plimsoll_downstream_seconds_count{tier=\"edge\",replica=\"1\",op=\"audio\"} 1",
        ] {
            assert!(text.lines().any(|line| line == expected), "missing {expected} in\n{text}");
        }
    }
}
