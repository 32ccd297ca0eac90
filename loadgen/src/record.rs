//! What is recorded while the load runs: counters and bounded histograms, in shards that users share.
//!
//! Why histograms and not samples: memory stays the same however long the run is. Why shards: a user locks
//! the one of its number, so users on different cores do not wait for each other.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use plimsoll_reports::record::{Latency, QUANTILES, Quantile};

use crate::client::Outcome;
use crate::pace::Planned;

/// Longest latency that is told apart, microseconds.
const LATENCY_US_MAX: u64 = 120_000_000;
const SHARDS: usize = 4;
/// Distinct names of tiers, and kinds of failures, that are kept apart.
const NAMES_MAX: usize = 64;
const OTHER: &str = "other";

/// Shared by the pacer, all users and the supervisor.
#[derive(Debug)]
pub struct Shared {
    /// Requests that have fallen due, warm-up included.
    pub due: AtomicU64,
    /// Requests that have been sent, warm-up included.
    pub sent: AtomicU64,
    /// Requests that have failed, warm-up included.
    pub failed: AtomicU64,
    /// Requests that have fallen due in the seconds that count.
    pub planned: AtomicU64,
    /// Requests answered on the device in the seconds that count.
    pub local: AtomicU64,
    /// Goose users that have started.
    pub ready: AtomicUsize,
    /// The run was stopped: send nothing more.
    halt: AtomicBool,
    shards: Vec<Mutex<Record>>,
}

impl Shared {
    pub fn new(routes: usize) -> Self {
        Self {
            due: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            planned: AtomicU64::new(0),
            local: AtomicU64::new(0),
            ready: AtomicUsize::new(0),
            halt: AtomicBool::new(false),
            shards: (0..SHARDS).map(|_| Mutex::new(Record::new(routes))).collect(),
        }
    }

    /// Whatever is still unsent stays so.
    pub fn halt(&self) {
        self.halt.store(true, Relaxed);
    }

    pub fn halted(&self) -> bool {
        self.halt.load(Relaxed)
    }

    /// A request leaves now.
    pub fn sending(&self, user: usize, planned: &Planned) {
        self.sent.fetch_add(1, Relaxed);
        if planned.counted {
            let lag = planned.due.elapsed();
            self.with(user, |record| {
                record.lag.saturating_record(micros(lag));
                record.routes[planned.route].sent += 1;
            });
        }
    }

    /// A request came to its end.
    pub fn ended(&self, user: usize, due: Instant, route: usize, counted: bool, outcome: Outcome) {
        self.failed.fetch_add(u64::from(outcome.result.is_err()), Relaxed);
        if counted {
            self.with(user, |record| record.ended(due, route, outcome));
        }
    }

    fn with(&self, user: usize, change: impl FnOnce(&mut Record)) {
        // A poisoned shard has at worst half of one update; the counts are kept.
        let mut record = self.shards[user % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut record);
    }

    /// Everything recorded so far.
    pub fn total(&self) -> Record {
        let mut total = Record::new(0);
        for shard in &self.shards {
            total.add(&shard.lock().unwrap_or_else(PoisonError::into_inner));
        }
        total
    }
}

/// What was recorded in the seconds that count.
#[derive(Debug, Clone)]
pub struct Record {
    pub routes: Vec<RouteRecord>,
    /// Actual less intended start.
    pub lag: Histogram<u64>,
    /// By kind.
    pub failures: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
pub struct RouteRecord {
    pub sent: u64,
    pub failed: u64,
    pub bytes: u64,
    pub first_byte: Histogram<u64>,
    pub complete: Histogram<u64>,
    /// Successes by the tier that answered, as far as responses name it.
    pub served_by: BTreeMap<String, u64>,
}

impl Record {
    fn new(routes: usize) -> Self {
        let routes = (0..routes).map(|_| RouteRecord::new()).collect();
        Self { routes, lag: histogram(), failures: BTreeMap::new() }
    }

    fn ended(&mut self, due: Instant, route: usize, outcome: Outcome) {
        let route = &mut self.routes[route];
        route.bytes += outcome.bytes;
        match outcome.result {
            Ok(success) => {
                route.first_byte.saturating_record(micros(success.first_byte.duration_since(due)));
                route.complete.saturating_record(micros(success.complete.duration_since(due)));
                if let Some(tier) = success.served_by {
                    count(&mut route.served_by, tier, 1);
                }
            }
            Err(kind) => {
                route.failed += 1;
                count(&mut self.failures, kind, 1);
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.routes.resize_with(self.routes.len().max(other.routes.len()), RouteRecord::new);
        for (into, from) in self.routes.iter_mut().zip(&other.routes) {
            into.sent += from.sent;
            into.failed += from.failed;
            into.bytes += from.bytes;
            merge(&mut into.first_byte, &from.first_byte);
            merge(&mut into.complete, &from.complete);
            for (tier, n) in &from.served_by {
                count(&mut into.served_by, tier.clone(), *n);
            }
        }
        merge(&mut self.lag, &other.lag);
        for (kind, n) in &other.failures {
            count(&mut self.failures, kind.clone(), *n);
        }
    }

    /// Counts what was sent and has not come to an end as failed: the run was stopped before.
    pub fn cut_off(&mut self) {
        let mut unfinished = 0;
        for route in &mut self.routes {
            let left = route.sent.saturating_sub(route.failed + route.complete.len());
            route.failed += left;
            unfinished += left;
        }
        if unfinished > 0 {
            count(&mut self.failures, "stopped".to_owned(), unfinished);
        }
    }
}

impl RouteRecord {
    fn new() -> Self {
        Self {
            sent: 0,
            failed: 0,
            bytes: 0,
            first_byte: histogram(),
            complete: histogram(),
            served_by: BTreeMap::new(),
        }
    }
}

fn count(map: &mut BTreeMap<String, u64>, name: String, n: u64) {
    let name = if map.len() < NAMES_MAX || map.contains_key(&name) { name } else { OTHER.to_owned() };
    *map.entry(name).or_insert(0) += n;
}

/// A histogram of microseconds, 1 us to 120 s, three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
        .expect("1 to 120 s and three digits are in hdrhistogram's bounds")
}

pub fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    into.add(from).expect("all histograms have the same bounds");
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The record of a histogram whose values are microseconds.
#[must_use]
pub fn latency_from_histogram(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let seconds = |us: u64| us.min(histogram.max()) as f64 * 1e-6;
    let quantiles =
        QUANTILES.iter().map(|&p| Quantile { p, value_s: seconds(histogram.value_at_quantile(p)) });
    Latency {
        count: histogram.len(),
        mean_s: histogram.mean() * 1e-6,
        max_s: seconds(histogram.max()),
        quantiles: quantiles.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_keeps_the_histogram_s_quantiles_in_seconds() {
        let mut values = histogram();
        for ms in 1..=1_000_u64 {
            values.record(ms * 1_000).unwrap();
        }
        let latency = latency_from_histogram(&values);
        assert_eq!(latency.count, 1_000);
        assert!((latency.mean_s - 0.5005).abs() < 0.001, "{}", latency.mean_s);
        assert!((latency.at(0.5).unwrap() - 0.5).abs() < 0.001);
        assert!((latency.at(0.99).unwrap() - 0.99).abs() < 0.002);
        assert!((latency.max_s - 1.0).abs() < 0.002);
        assert!(latency.quantiles.windows(2).all(|w| w[0].value_s <= w[1].value_s));
        assert!(latency.quantiles.iter().all(|q| q.value_s <= latency.max_s));
        assert_eq!(latency_from_histogram(&histogram()), Latency::default());
    }

    #[test]
    fn names_are_bounded() {
        let mut map = BTreeMap::new();
        for i in 0..1_000 {
            count(&mut map, format!("tier-{i}"), 1);
        }
        assert_eq!(map.len(), NAMES_MAX + 1);
        assert_eq!(map.values().sum::<u64>(), 1_000);
    }
}
