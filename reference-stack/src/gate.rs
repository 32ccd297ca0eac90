//! The gate in front of every instance: a bounded FIFO queue before a fixed number of slots.
//!
//! Why: the simulator's stations queue in exactly this way, so what is measured here can be held against
//! what was predicted. A slot is held for the longer of the real work and a drawn service time, and never
//! while a request waits for the tier below.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plimsoll_scenarios::distribution::{Distribution, Sampler};
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::Seconds;
use tokio::sync::Semaphore;

use crate::metrics::TierMetrics;
use crate::plan::InstancePlan;
use crate::timer::Timer;

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

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
    pub metrics: Arc<TierMetrics>,
}

impl Gate {
    pub fn new(
        plan: InstancePlan,
        service: Option<&Distribution<Seconds>>,
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
            timer,
            metrics,
        }
    }

    /// Waits for a slot, does the work in it, and keeps the slot for the drawn service time at least.
    /// Gives the work's result and the time spent waiting.
    ///
    /// # Errors
    /// [`Full`] at once, where nobody more may wait.
    pub async fn pass<T>(&self, work: impl Future<Output = T>) -> Result<(T, Duration), Full> {
        let asked = Instant::now();
        let _permit = if let Ok(permit) = self.slots.try_acquire() {
            permit
        } else {
            let _place = Place::take(self).ok_or(Full)?;
            self.slots.acquire().await.expect("the semaphore is never closed")
        };
        // Dropped before the permit, also when the caller goes away in the middle.
        let slot = Slot::take(&self.metrics, asked.elapsed());
        let least = self.service.as_ref().map(|service| {
            let mut service = service.lock().unwrap_or_else(PoisonError::into_inner);
            let (sampler, stream) = &mut *service;
            Duration::from_secs_f64(sampler.draw(stream).clamp(0.0, 3600.0))
        });
        let result = work.await;
        if let Some(least) = least {
            self.timer.sleep_until(slot.since + least).await;
        }
        Ok((result, slot.waited))
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
    since: Instant,
    waited: Duration,
}

impl<'a> Slot<'a> {
    fn take(metrics: &'a TierMetrics, waited: Duration) -> Self {
        metrics.slot_taken(waited);
        Self { metrics, since: Instant::now(), waited }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.metrics.slot_freed(self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(slots: usize, queue_max: usize, service_s: Option<f64>) -> Arc<Gate> {
        let plan = InstancePlan { slots, queue_max };
        let law = service_s.map(Distribution::constant);
        Arc::new(Gate::new(
            plan,
            law.as_ref(),
            1,
            Timer::start().unwrap(),
            TierMetrics::new("web", 0, slots, false),
        ))
    }

    #[tokio::test]
    async fn requests_are_served_in_the_order_in_which_they_came() {
        let gate = gate(1, 100, Some(0.002));
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
                tokio::spawn(
                    async move { gate.pass(async { order.lock().unwrap().push(i) }).await.unwrap().1 },
                )
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
            tokio::spawn(async move { gate.pass(async {}).await.map(drop) })
        };
        let first = hold(&gate);
        while gate.metrics.load() < 1 {
            tokio::task::yield_now().await;
        }
        let second = hold(&gate);
        while gate.metrics.load() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.pass(async {}).await, Err(Full));
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        assert_eq!(gate.metrics.load(), 1);
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        assert_eq!(gate.metrics.load(), 0);
        assert_eq!(gate.slots.available_permits(), 1);
    }
}
