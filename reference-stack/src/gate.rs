//! The gate in front of every instance: a bounded FIFO queue before a fixed number of slots.
//!
//! Why: the simulator's stations queue in exactly this way, so what is measured here can be held against
//! what was predicted. A slot is held for the longer of the real work and a drawn service time, and never
//! while a request waits for the tier below.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plimsoll_scenarios::distribution::{Distribution, Sampler};
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::Seconds;
use tokio::sync::{Semaphore, watch};

use crate::api::Op;
use crate::link::Link;
use crate::metrics::TierMetrics;
use crate::plan::InstancePlan;
use crate::timer::Timer;

/// Why an instance did not do the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The queue is full.
    Full,
    /// The instance is down, or went down before the work was done.
    Down,
}

/// What is the matter with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Up,
    /// Takes requests and answers none, like a stopped process.
    Paused,
    Down,
}

/// Admission to one instance.
#[derive(Debug)]
pub struct Gate {
    /// Fair: permits go to waiters in the order in which they came.
    slots: Semaphore,
    waiting: AtomicUsize,
    queue_max: usize,
    /// None: a slot is held for the real work only.
    service: Option<Mutex<(Sampler, Stream)>>,
    timer: Timer,
    health: watch::Sender<Health>,
    /// Whether health is anything but up, or work is slowed: all that a request of a sound instance looks at.
    troubled: AtomicBool,
    /// Added to every service time.
    slow_ns: AtomicU64,
    pub link: Arc<Link>,
    pub metrics: Arc<TierMetrics>,
}

impl Gate {
    pub fn new(
        plan: InstancePlan,
        service: Option<&Distribution<Seconds>>,
        link_bits_per_s: Option<f64>,
        seed: u64,
        timer: Timer,
        metrics: Arc<TierMetrics>,
    ) -> Self {
        let stream = Stream::new(seed, metrics.tier, "stack service time", metrics.replica as u64);
        Self {
            slots: Semaphore::new(plan.slots.min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            queue_max: plan.queue_max,
            service: service.map(|law| Mutex::new((law.sampler(), stream))),
            link: Link::new(link_bits_per_s, timer.clone()),
            timer,
            health: watch::Sender::new(Health::Up),
            troubled: AtomicBool::new(false),
            slow_ns: AtomicU64::new(0),
            metrics,
        }
    }

    /// Whether requests should be sent here. A paused instance looks healthy, as a stopped process does.
    pub fn is_up(&self) -> bool {
        !self.troubled.load(Ordering::Relaxed) || *self.health.borrow() != Health::Down
    }

    pub fn set_health(&self, health: Health) {
        self.health.send_replace(health);
        self.metrics.up.store(health == Health::Up, Ordering::Relaxed);
        self.note_trouble();
    }

    /// Makes all work here take this much longer.
    pub fn slow_by(&self, extra: Duration) {
        self.slow_ns.store(u64::try_from(extra.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.note_trouble();
    }

    fn note_trouble(&self) {
        let slow = self.slow_ns.load(Ordering::Relaxed) > 0;
        self.troubled.store(slow || *self.health.borrow() != Health::Up, Ordering::Relaxed);
    }

    /// Waits for a slot, does the work in it, and keeps the slot for the drawn service time at least.
    /// Gives the work's result and the time spent waiting.
    ///
    /// # Errors
    /// [`Refused::Full`] at once, where nobody more may wait; [`Refused::Down`] from an instance that is down.
    pub async fn pass<T>(&self, op: Op, work: impl Future<Output = T>) -> Result<(T, Duration), Refused> {
        let asked = Instant::now();
        let mut since = asked;
        if self.troubled.load(Ordering::Relaxed) {
            self.sound().await?;
            since = Instant::now();
        }
        let _permit = if let Ok(permit) = self.slots.try_acquire() {
            permit
        } else {
            let _place = Place::take(self).ok_or(Refused::Full)?;
            let permit = self.slots.acquire().await.expect("the semaphore is never closed");
            since = Instant::now();
            permit
        };
        // Dropped before the permit, also when the caller goes away in the middle.
        let slot = Slot::take(&self.metrics, op, since, since - asked);
        let least = self.service.as_ref().map(|service| {
            let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
            let (sampler, stream) = &mut *service;
            Duration::from_secs_f64(sampler.draw(stream).clamp(0.0, 3600.0))
        });
        let result = work.await;
        if let Some(least) = least {
            self.timer.sleep_until(slot.since + least).await;
        }
        if self.troubled.load(Ordering::Relaxed) {
            self.timer.sleep(Duration::from_nanos(self.slow_ns.load(Ordering::Relaxed))).await;
            self.sound().await?;
        }
        Ok((result, slot.waited))
    }

    /// Waits until the instance is up; refuses where it is down.
    #[cold]
    async fn sound(&self) -> Result<(), Refused> {
        let mut health = self.health.subscribe();
        let health = health.wait_for(|health| *health != Health::Paused).await;
        if health.is_ok_and(|health| *health == Health::Up) { Ok(()) } else { Err(Refused::Down) }
    }
}

/// A place in the queue.
struct Place<'a>(&'a Gate);

impl<'a> Place<'a> {
    fn take(gate: &'a Gate) -> Option<Self> {
        gate.waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| (n < gate.queue_max).then_some(n + 1))
            .ok()?;
        gate.metrics.queue_entered();
        Some(Self(gate))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
        self.0.metrics.queue_left();
    }
}

/// A slot that is held.
struct Slot<'a> {
    metrics: &'a TierMetrics,
    op: Op,
    since: Instant,
    waited: Duration,
}

impl<'a> Slot<'a> {
    fn take(metrics: &'a TierMetrics, op: Op, since: Instant, waited: Duration) -> Self {
        metrics.slot_taken(op, waited);
        Self { metrics, op, since, waited }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.metrics.slot_freed(self.op, self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(slots: usize, queue_max: usize, service_s: Option<f64>) -> Arc<Gate> {
        let plan = InstancePlan { slots, queue_max };
        let law = service_s.map(Distribution::constant);
        let metrics = TierMetrics::new("web", 0, slots, false);
        Arc::new(Gate::new(plan, law.as_ref(), None, 1, Timer::start().unwrap(), metrics))
    }

    #[tokio::test]
    async fn requests_are_served_in_the_order_in_which_they_came() {
        let gate = gate(1, 100, Some(0.002));
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
                tokio::spawn(async move {
                    gate.pass(Op::Song, async { order.lock().unwrap().push(i) }).await.unwrap().1
                })
            })
            .collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.push(task.await.unwrap());
        }
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!(gate.metrics.load(), 0);
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_at_once_and_a_waiter_that_leaves_makes_room() {
        let gate = gate(1, 1, Some(30.0));
        let hold = |gate: &Arc<Gate>| {
            let gate = Arc::clone(gate);
            tokio::spawn(async move { gate.pass(Op::Song, async {}).await.map(drop) })
        };
        let first = hold(&gate);
        while gate.metrics.load() < 1 {
            tokio::task::yield_now().await;
        }
        let second = hold(&gate);
        while gate.metrics.load() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.pass(Op::Song, async {}).await, Err(Refused::Full));
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        assert_eq!(gate.metrics.load(), 1);
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(gate.metrics.load(), 0);
        assert_eq!(gate.slots.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_slowed_instance_takes_longer_a_paused_one_waits_and_one_that_goes_down_gives_nothing() {
        let gate = gate(4, 4, None);
        gate.slow_by(Duration::from_millis(30));
        let begun = Instant::now();
        assert!(gate.pass(Op::Song, async {}).await.is_ok() && gate.is_up());
        assert!(begun.elapsed() > Duration::from_millis(28), "{:?}", begun.elapsed());
        gate.slow_by(Duration::ZERO);

        gate.set_health(Health::Paused);
        let held = {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.pass(Op::Song, async {}).await.map(drop) })
        };
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!held.is_finished() && gate.is_up());
        gate.set_health(Health::Up);
        assert_eq!(held.await.unwrap(), Ok(()));

        let cut = {
            let gate = Arc::clone(&gate);
            let work = async { tokio::time::sleep(Duration::from_millis(20)).await };
            tokio::spawn(async move { gate.pass(Op::Song, work).await.map(drop) })
        };
        tokio::task::yield_now().await;
        gate.set_health(Health::Down);
        assert!(!gate.is_up());
        assert_eq!(cut.await.unwrap(), Err(Refused::Down), "the work was done, but nobody hears of it");
        assert_eq!(gate.pass(Op::Song, async {}).await.map(drop), Err(Refused::Down));
        assert_eq!(gate.metrics.load(), 0);
    }
}
