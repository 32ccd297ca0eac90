//! What is recorded while the load runs: counters and bounded histograms, in shards that users share.
//!
//! Why histograms and not samples: memory stays the same however long the run is. Why shards: a user locks
//! the one of its number, so users on different cores do not wait for each other. Why two halves of a shard,
//! emptied once an interval: what happens in the warm-up is shown live and does not count, and an interval's
//! histograms must be exact while nothing is recorded twice.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use plimsoll_reports::gate::Times;
use plimsoll_reports::record::{Latency, QUANTILES, Quantile};

use crate::client::Outcome;
use crate::pace::About;
use crate::regions::RegionRecord;

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
    /// The same by region, where there are several.
    planned_by_region: Vec<AtomicU64>,
    /// Requests answered on the device in the seconds that count.
    pub local: AtomicU64,
    /// Requests that fell due, in the seconds that count, while every user was waiting for an answer.
    pub starved: AtomicU64,
    /// Goose users that have started.
    pub ready: AtomicUsize,
    /// Goose users that have nothing more to do.
    pub done: AtomicUsize,
    /// Users that wait for an answer, and all of them.
    busy: AtomicUsize,
    users: usize,
    /// The run was stopped: send nothing more.
    halt: AtomicBool,
    /// How long connections took, since the last interval.
    connects: Mutex<Histogram<u64>>,
    /// How late the users' threads woke in the seconds that count, microseconds.
    woken: Mutex<Histogram<u64>>,
    shards: Vec<Mutex<Halves>>,
    routes: usize,
    regions: usize,
}

/// What one shard has recorded since the last interval.
#[derive(Debug)]
struct Halves {
    warmup: Record,
    counted: Record,
}

impl Halves {
    fn new(routes: usize, regions: usize) -> Self {
        Self { warmup: Record::new(routes, regions), counted: Record::new(routes, regions) }
    }
}

impl Shared {
    /// `regions` is 0 where there is no telling them apart.
    pub fn new(routes: usize, users: usize, regions: usize) -> Self {
        Self {
            due: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            planned: AtomicU64::new(0),
            planned_by_region: (0..regions).map(|_| AtomicU64::new(0)).collect(),
            local: AtomicU64::new(0),
            starved: AtomicU64::new(0),
            ready: AtomicUsize::new(0),
            done: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            users,
            halt: AtomicBool::new(false),
            connects: Mutex::new(histogram()),
            woken: Mutex::new(histogram()),
            shards: (0..SHARDS).map(|_| Mutex::new(Halves::new(routes, regions))).collect(),
            routes,
            regions,
        }
    }

    /// A request of a region falls due.
    pub fn fell_due(&self, region: usize, counted: bool) {
        self.due.fetch_add(1, Relaxed);
        if counted {
            self.planned.fetch_add(1, Relaxed);
            if let Some(planned) = self.planned_by_region.get(region) {
                planned.fetch_add(1, Relaxed);
            }
        }
    }

    /// Requests that have fallen due in the seconds that count, by region.
    pub fn planned_by_region(&self) -> Vec<u64> {
        self.planned_by_region.iter().map(|planned| planned.load(Relaxed)).collect()
    }

    /// Whatever is still unsent stays so.
    pub fn halt(&self) {
        self.halt.store(true, Relaxed);
    }

    pub fn halted(&self) -> bool {
        self.halt.load(Relaxed)
    }

    /// Whether every user waits for an answer: what falls due now leaves late, and not by the generator's fault.
    pub fn all_busy(&self) -> bool {
        self.busy.load(Relaxed) >= self.users
    }

    /// A request leaves now.
    pub fn sending(&self, user: usize, about: About) {
        self.sent.fetch_add(1, Relaxed);
        self.busy.fetch_add(1, Relaxed);
        let lag = about.due.elapsed();
        self.with(user, about.counted, |record| {
            record.lag.saturating_record(micros(lag));
            record.routes[about.wanted.route].sent += 1;
            if let Some(region) = record.regions.get_mut(about.region) {
                region.sent += 1;
            }
        });
    }

    /// A request came to its end.
    pub fn ended(&self, user: usize, about: About, outcome: Outcome) {
        self.busy.fetch_sub(1, Relaxed);
        self.failed.fetch_add(u64::from(outcome.result.is_err()), Relaxed);
        self.with(user, about.counted, |record| record.ended(about, outcome));
    }

    /// A connection was made, or was given up.
    pub fn connected(&self, took: Duration) {
        self.connects.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros(took));
    }

    /// One of the users' threads woke so late.
    pub fn woken(&self, late: Duration) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).saturating_record(micros(late));
    }

    /// How late 99 % of the times at most; `None` if nobody looked.
    pub fn woken_s(&self) -> Option<f64> {
        latency_from_histogram(&self.woken.lock().unwrap_or_else(PoisonError::into_inner)).at(0.99)
    }

    fn with(&self, user: usize, counted: bool, change: impl FnOnce(&mut Record)) {
        // A poisoned shard has at worst half of one update; the counts are kept.
        let mut halves = self.shards[user % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        change(if counted { &mut halves.counted } else { &mut halves.warmup });
    }

    /// Adds what was recorded since the last call to `counted`, and gives all of it, warm-up included.
    /// `spare` is emptied and takes the place of what was there, so that users wait for a swap and no more.
    pub fn drain(&self, counted: &mut Record, spare: &mut Spare) -> Record {
        let mut all = Record::new(self.routes, self.regions);
        for shard in &self.shards {
            let mut halves = shard.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut *halves, &mut spare.0);
            drop(halves);
            all.add(&spare.0.warmup);
            all.add(&spare.0.counted);
            counted.add(&spare.0.counted);
            spare.0.warmup.clear();
            spare.0.counted.clear();
        }
        let mut connects = self.connects.lock().unwrap_or_else(PoisonError::into_inner);
        merge(&mut all.connect, &connects);
        merge(&mut counted.connect, &connects);
        connects.reset();
        all
    }

    /// For [`Shared::drain`].
    pub fn spare(&self) -> Spare {
        Spare(Halves::new(self.routes, self.regions))
    }

    pub fn record(&self) -> Record {
        Record::new(self.routes, self.regions)
    }
}

/// An empty shard to swap in.
#[derive(Debug)]
pub struct Spare(Halves);

/// What was recorded in a span of time.
#[derive(Debug, Clone)]
pub struct Record {
    /// In the order of the plan's routes.
    pub routes: Vec<RouteRecord>,
    /// Actual less intended start, microseconds.
    pub lag: Histogram<u64>,
    /// Time to open a connection, microseconds; most requests use one that is open.
    pub connect: Histogram<u64>,
    /// By kind.
    pub failures: BTreeMap<String, u64>,
    /// In the scenario's order; empty where there is only one.
    pub regions: Vec<RegionRecord>,
}

/// One kind of request. Histograms hold microseconds from the intended start.
#[derive(Debug, Clone)]
pub struct RouteRecord {
    pub sent: u64,
    pub failed: u64,
    pub bytes: u64,
    /// To the response headers.
    pub first_byte: Histogram<u64>,
    /// To the first bytes of the body.
    pub first_data: Histogram<u64>,
    /// To the end of the body.
    pub complete: Histogram<u64>,
    /// What a listener had to wait once the music had begun, for actions that are played.
    pub rebuffer: Option<Histogram<u64>>,
    /// Plays that were interrupted at least once.
    pub stalled: u64,
    /// Successes by the tier that answered, as far as responses name it.
    pub served_by: BTreeMap<String, u64>,
}

impl Record {
    fn new(routes: usize, regions: usize) -> Self {
        let regions = (0..regions).map(|_| RegionRecord::new(routes)).collect();
        let routes = (0..routes).map(|_| RouteRecord::new()).collect();
        Self { routes, lag: histogram(), connect: histogram(), failures: BTreeMap::new(), regions }
    }

    fn ended(&mut self, about: About, outcome: Outcome) {
        let mut region = self.regions.get_mut(about.region);
        if let Some(region) = &mut region {
            region.ended += 1;
            region.failed += u64::from(outcome.result.is_err());
        }
        let route = &mut self.routes[about.wanted.route];
        route.bytes += outcome.bytes;
        match outcome.result {
            Ok(success) => {
                let since_due = |at: Instant| micros(at.duration_since(about.due));
                route.first_byte.saturating_record(since_due(success.first_byte));
                if let Some(at) = success.first_data {
                    route.first_data.saturating_record(since_due(at));
                }
                route.complete.saturating_record(since_due(success.complete));
                if let Some(play) = success.play {
                    route.rebuffer.get_or_insert_with(histogram).saturating_record(micros(play.rebuffer));
                    route.stalled += u64::from(play.stalls > 0);
                }
                if let Some(tier) = success.served_by {
                    if let Some(region) = region {
                        count(&mut region.served_by[about.wanted.route], tier.clone(), 1);
                    }
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
        for (into, from) in self.routes.iter_mut().zip(&other.routes) {
            into.add(from);
        }
        for (into, from) in self.regions.iter_mut().zip(&other.regions) {
            into.add(from);
        }
        merge(&mut self.lag, &other.lag);
        merge(&mut self.connect, &other.connect);
        for (kind, n) in &other.failures {
            count(&mut self.failures, kind.clone(), *n);
        }
    }

    fn clear(&mut self) {
        self.routes.iter_mut().for_each(RouteRecord::clear);
        self.regions.iter_mut().for_each(RegionRecord::clear);
        clear(&mut self.lag);
        clear(&mut self.connect);
        self.failures.clear();
    }

    /// Requests that were sent.
    pub fn sent(&self) -> u64 {
        self.routes.iter().map(|route| route.sent).sum()
    }

    pub fn failed(&self) -> u64 {
        self.routes.iter().map(|route| route.failed).sum()
    }

    /// Counts what was sent and has not come to an end as failed: the run was stopped before.
    pub fn cut_off(&mut self) {
        let mut unfinished = 0;
        self.regions.iter_mut().for_each(RegionRecord::cut_off);
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
            first_data: histogram(),
            complete: histogram(),
            rebuffer: None,
            stalled: 0,
            served_by: BTreeMap::new(),
        }
    }

    fn add(&mut self, from: &Self) {
        self.sent += from.sent;
        self.failed += from.failed;
        self.bytes += from.bytes;
        self.stalled += from.stalled;
        merge(&mut self.first_byte, &from.first_byte);
        merge(&mut self.first_data, &from.first_data);
        merge(&mut self.complete, &from.complete);
        if let Some(from) = &from.rebuffer {
            merge(self.rebuffer.get_or_insert_with(histogram), from);
        }
        for (tier, n) in &from.served_by {
            count(&mut self.served_by, tier.clone(), *n);
        }
    }

    fn clear(&mut self) {
        (self.sent, self.failed, self.bytes, self.stalled) = (0, 0, 0, 0);
        for histogram in [&mut self.first_byte, &mut self.first_data, &mut self.complete] {
            clear(histogram);
        }
        if let Some(rebuffer) = &mut self.rebuffer {
            clear(rebuffer);
        }
        self.served_by.clear();
    }
}

pub fn count(map: &mut BTreeMap<String, u64>, name: String, n: u64) {
    let name = if map.len() < NAMES_MAX || map.contains_key(&name) { name } else { OTHER.to_owned() };
    *map.entry(name).or_insert(0) += n;
}

/// A histogram of microseconds, 1 us to 120 s, three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
        .expect("1 to 120 s and three digits are in hdrhistogram's bounds")
}

pub fn merge(into: &mut Histogram<u64>, from: &Histogram<u64>) {
    // Most histograms of an interval are empty, and each has 18,000 buckets.
    if !from.is_empty() {
        into.add(from).expect("all histograms have the same bounds");
    }
}

fn clear(histogram: &mut Histogram<u64>) {
    if !histogram.is_empty() {
        histogram.reset();
    }
}

/// The buckets of a histogram of microseconds, as a gate resamples them.
pub fn times(histogram: &Histogram<u64>) -> Times {
    Times::from_buckets(
        histogram.iter_recorded().map(|step| (step.value_iterated_to() as f64 * 1e-6, step.count_at_value())),
    )
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
