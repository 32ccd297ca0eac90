//! The clock of a run: hands out each request when it is due, whatever happened to the ones before.
//!
//! Why a thread of its own: an async timer ticks once a millisecond and waits its turn behind other tasks;
//! a thread that sleeps to an absolute deadline is late by tens of microseconds and never drifts. It sleeps
//! until shortly before the deadline and spins for the rest, which is at most [`SPIN_MAX`] a request.
//!
//! Why it never blocks: if all users are busy and the queue before them is full, the request is counted as
//! missed. Waiting for room would make the load follow the system under test.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::queue::Queue;
use crate::record::Shared;
use crate::schedule::{HttpRequest, Plan, Schedule, What};

/// Longest spin before a deadline; about what a sleep overshoots by. Spinning costs a request that much of a processor.
const SPIN_MAX: Duration = Duration::from_micros(10);
/// How often a sleeping pacer looks whether the run was stopped.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// While the queue of a closed model is full. Users then have enough to take for some time.
const SUPPLY_PAUSE: Duration = Duration::from_millis(1);

/// A request on its way to a goose user.
#[derive(Debug)]
pub struct Planned {
    /// When it should start; of a closed model, when a user takes it.
    pub due: Instant,
    pub route: usize,
    /// Position of the base url that it goes to.
    pub base: usize,
    /// Due in the seconds that count.
    pub counted: bool,
    pub request: HttpRequest,
}

/// Hands out all requests, from `start` on, until the schedule ends or the run is halted.
///
/// Its thread sleeps as exactly as the system can from then on.
pub fn pace(
    plan: &Plan,
    schedule: Schedule<'_>,
    start: Instant,
    warmup_s: f64,
    queue: &Queue<Planned>,
    shared: &Shared,
) {
    sleep_exactly();
    for due in schedule {
        let at = start + Duration::from_secs_f64(due.at_s);
        let counted = due.at_s >= warmup_s;
        let What::Send { route, site, object, user } = due.what else {
            if !wait_until(at, shared) {
                return;
            }
            shared.local.fetch_add(u64::from(counted), Relaxed);
            continue;
        };
        // Made before the wait, so that making it delays nothing.
        let request = plan.request(route, (site, object, user));
        if !wait_until(at, shared) {
            return;
        }
        shared.due.fetch_add(1, Relaxed);
        shared.planned.fetch_add(u64::from(counted), Relaxed);
        shared.starved.fetch_add(u64::from(counted && shared.all_busy()), Relaxed);
        // A request that cannot be made (the plan has tried each template) stays unsent, so it is missed.
        let Ok(request) = request else { continue };
        // Whatever is planned and not sent is missed, so a full queue needs no count of its own.
        let _ = queue.push(Planned { due: at, route, base: plan.base_of(route, site), counted, request });
    }
}

/// Keeps the queue filled for users who take a request when they are ready for one (a closed model), from `start`
/// to `end` or until the run is halted.
pub fn supply(
    plan: &Plan,
    schedule: Schedule<'_>,
    (start, counted_from, end): (Instant, Instant, Instant),
    queue: &Queue<Planned>,
    shared: &Shared,
) {
    if !wait_until(start, shared) {
        return;
    }
    for due in schedule {
        let What::Send { route, site, object, user } = due.what else {
            shared.local.fetch_add(u64::from(Instant::now() >= counted_from), Relaxed);
            continue;
        };
        let Ok(request) = plan.request(route, (site, object, user)) else { continue };
        let mut planned =
            Planned { due: end, route, base: plan.base_of(route, site), counted: false, request };
        while let Err(back) = queue.push(planned) {
            if Instant::now() >= end || !wait_until(Instant::now() + SUPPLY_PAUSE, shared) {
                return;
            }
            planned = back;
        }
        if Instant::now() >= end || shared.halted() {
            return;
        }
    }
}

/// Linux lets sleepers of a thread oversleep by 50 us so that it can wake several at once; not this one.
fn sleep_exactly() {
    #[cfg(target_os = "linux")]
    // A refusal leaves it as it was: a little later.
    let _ = nix::sys::prctl::set_timerslack(1);
}

/// Waits for an instant; `false` if the run was halted before it.
pub fn wait_until(at: Instant, shared: &Shared) -> bool {
    loop {
        if shared.halted() {
            return false;
        }
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if left > SPIN_MAX {
            std::thread::sleep(left.saturating_sub(SPIN_MAX).min(STOP_CHECK));
        } else {
            std::hint::spin_loop();
        }
    }
}
