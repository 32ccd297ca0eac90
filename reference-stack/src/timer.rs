//! Sleeping to a tenth of a millisecond.
//!
//! Why not tokio's timer: it counts whole milliseconds and rounds up, so a service time of 0.5 ms would
//! last 1.5 ms. One thread waits on a condition variable for the earliest of all deadlines instead; what
//! remains is the kernel's wake-up latency, twice (this thread, then the worker that runs the task). That
//! latency is always to the late side, so it is measured and deadlines are moved forward by its mean:
//! sleeps then last as long as asked *on average*, which is what a utilisation depends on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Sleeps that may be pending at once; more fall back to tokio's coarser timer.
const PENDING_MAX: usize = 1 << 17;
/// Bound of the correction: a machine that wakes later than this is overloaded, not slow to wake.
const EARLY_MAX_NS: i64 = 250_000;
/// Weight of one observation in the moving mean of lateness.
const LATENESS_SHIFT: u32 = 6;

/// A handle to the timer thread; clones share it. The thread ends with the last handle.
#[derive(Debug, Clone)]
pub struct Timer {
    shared: Arc<Shared>,
    _thread: Arc<Thread>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Moving mean of how late sleepers woke, nanoseconds.
    early_ns: AtomicI64,
}

#[derive(Debug, Default)]
struct State {
    pending: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    closed: bool,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    sequence: u64,
    wake: oneshot::Sender<()>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.sequence).cmp(&(other.due, other.sequence))
    }
}

impl Timer {
    /// Starts the timer's thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            early_ns: AtomicI64::new(0),
        });
        let of_thread = Arc::clone(&shared);
        let handle =
            std::thread::Builder::new().name("plimsoll-timer".into()).spawn(move || of_thread.run())?;
        let thread = Thread { shared: Arc::clone(&shared), handle: Some(handle) };
        Ok(Self { shared, _thread: Arc::new(thread) })
    }

    /// Sleeps for this long; not at all if it is zero.
    pub async fn sleep(&self, duration: Duration) {
        if !duration.is_zero() {
            self.sleep_until(Instant::now() + duration).await;
        }
    }

    /// Sleeps until the deadline; returns at once if it has passed.
    pub async fn sleep_until(&self, deadline: Instant) {
        let early = Duration::from_nanos(self.shared.early_ns.load(Ordering::Relaxed).unsigned_abs());
        let now = Instant::now();
        if deadline <= now {
            return;
        }
        let due = deadline.checked_sub(early).unwrap_or(deadline);
        if due > now {
            match self.shared.schedule(due) {
                // An error means that the timer is closing: whoever sleeps is being torn down too.
                Some(woken) => drop(woken.await),
                None => tokio::time::sleep_until(deadline.into()).await,
            }
            self.shared.learn(due);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, due: Instant) -> Option<oneshot::Receiver<()>> {
        let (wake, woken) = oneshot::channel();
        let mut state = self.state();
        if state.closed || state.pending.len() >= PENDING_MAX {
            return None;
        }
        let earliest = state.pending.peek().is_none_or(|Reverse(first)| due < first.due);
        state.sequence += 1;
        let sequence = state.sequence;
        state.pending.push(Reverse(Entry { due, sequence, wake }));
        drop(state);
        if earliest {
            self.changed.notify_one();
        }
        Some(woken)
    }

    /// Notes how late a sleeper woke. A lost update between two threads only delays the mean.
    fn learn(&self, due: Instant) {
        let late = i64::try_from(due.elapsed().as_nanos()).unwrap_or(EARLY_MAX_NS).min(2 * EARLY_MAX_NS);
        let mean = self.early_ns.load(Ordering::Relaxed);
        let next = mean + ((late - mean) >> LATENESS_SHIFT);
        self.early_ns.store(next.clamp(0, EARLY_MAX_NS), Ordering::Relaxed);
    }

    fn run(&self) {
        let mut due = Vec::new();
        let mut state = self.state();
        while !state.closed {
            let now = Instant::now();
            while state.pending.peek().is_some_and(|Reverse(first)| first.due <= now) {
                due.extend(state.pending.pop());
            }
            if !due.is_empty() {
                // Wake outside the lock: a woken task may want to sleep again at once.
                drop(state);
                for Reverse(entry) in due.drain(..) {
                    // The sleeper may be gone.
                    let _ = entry.wake.send(());
                }
                state = self.state();
                continue;
            }
            state = match state.pending.peek() {
                Some(Reverse(first)) => {
                    let wait = first.due - now;
                    self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.pending.clear();
    }
}

/// Ends the thread when the last handle goes.
#[derive(Debug)]
struct Thread {
    shared: Arc<Shared>,
    handle: Option<JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_one();
        if let Some(handle) = self.handle.take() {
            // A panic there has been printed already, and nothing depends on the thread any more.
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_end_in_order_of_their_deadlines_and_close_to_them() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let timer = Timer::start().unwrap();
        let mut errors_us = runtime.block_on(async {
            let mut errors = Vec::new();
            for round in 0..400_u64 {
                let asked = Duration::from_micros(300 + round * 7 % 2000);
                let timer = timer.clone();
                // On a worker, as in the stack.
                let took = tokio::spawn(async move {
                    let start = Instant::now();
                    timer.sleep(asked).await;
                    start.elapsed()
                });
                errors.push(took.await.unwrap().as_secs_f64() * 1e6 - asked.as_secs_f64() * 1e6);
            }
            errors
        });
        errors_us.sort_by(f64::total_cmp);
        let mean = errors_us.iter().sum::<f64>() / errors_us.len() as f64;
        let at = |p: f64| errors_us[(p * (errors_us.len() - 1) as f64) as usize];
        println!(
            "timer error: mean {mean:.0} us, p1 {:.0}, p50 {:.0}, p99 {:.0}",
            at(0.01),
            at(0.5),
            at(0.99)
        );
        // Generous: other builds may keep the machine busy.
        assert!(at(0.5).abs() < 1000.0, "median error {:.0} us", at(0.5));
        assert!(at(0.01) > -600.0, "woke {:.0} us early", at(0.01));
    }

    #[test]
    fn dropping_the_timer_ends_its_sleepers() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let timer = Timer::start().unwrap();
        let woken = timer.shared.schedule(Instant::now() + Duration::from_hours(1)).unwrap();
        drop(timer);
        assert!(runtime.block_on(woken).is_err());
    }
}
