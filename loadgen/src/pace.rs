//! The clock of a run: sends each request when it is due, whatever happened to the ones before.
//!
//! Why a thread of its own: an async timer ticks once a millisecond and waits its turn behind other tasks;
//! a thread that sleeps to an absolute deadline is late by tens of microseconds and never drifts. It sleeps
//! until shortly before the deadline and spins for the rest; how shortly, it learns as it goes ([`Sleeper`]).
//!
//! Why it sends itself: whoever else it had to wake for that would add his own lateness. It writes the request on an
//! open connection, in the name of a user who waits ([`crate::desk`]). Without such a connection the user is woken to
//! open one.
//!
//! Why it never blocks: if all users are busy and too many requests wait for one, the request is counted as
//! missed. Waiting for room would make the load follow the system under test.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::client::HttpClient;
use crate::connections::UnderWay;
use crate::desk::Desk;
use crate::record::Shared;
use crate::schedule::{HttpRequest, Plan, Schedule, Wanted, What};

/// How far before a deadline a sleep may be told to end, and so the longest spin after one that ends early. Spinning costs a
/// request that much of a processor.
const EARLY_MAX: Duration = Duration::from_micros(100);
/// How much is learnt from one sleep.
const EARLY_STEP: Duration = Duration::from_micros(1);
/// How often a sleeping pacer looks whether the run was stopped.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// While enough waits for the users of a closed model: the fastest take less than that meanwhile.
const SUPPLY_PAUSE: Duration = Duration::from_millis(5);

/// A request on its way to a goose user.
#[derive(Debug)]
pub struct Planned {
    pub about: About,
    /// What the pacer has sent; what it could not send the user makes and sends.
    pub sent: Option<UnderWay>,
}

impl From<About> for Planned {
    fn from(about: About) -> Self {
        Self { about, sent: None }
    }
}

/// Where requests wait for users.
pub type Requests = Desk<About, Planned>;

/// Which request it is.
#[derive(Debug, Clone, Copy)]
pub struct About {
    /// When it should start; of a closed model, when a user takes it.
    pub due: Instant,
    pub wanted: Wanted,
    /// Of the user who asks, in the scenario's order; 0 where there is only one.
    pub region: usize,
    /// Position of the base url that it goes to.
    pub base: usize,
    /// Due in the seconds that count.
    pub counted: bool,
}

impl About {
    pub fn new(plan: &Plan, wanted: Wanted, due: Instant, counted: bool) -> Self {
        Self { due, wanted, region: plan.regions.of_site(wanted.site), base: plan.base_of(wanted), counted }
    }
}

/// Sends all requests, from `start` on, until the schedule ends or the run is halted.
///
/// Its thread sleeps as exactly as the system can from then on.
pub fn pace(
    plan: &Plan,
    schedule: Schedule<'_>,
    start: Instant,
    warmup_s: f64,
    (desk, client): (&Requests, &HttpClient),
    shared: &Shared,
) {
    let mut sleeper = Sleeper::new();
    for due in schedule {
        let at = start + Duration::from_secs_f64(due.at_s);
        let counted = due.at_s >= warmup_s;
        let What::Send(wanted) = due.what else {
            if !sleeper.until(at, shared) {
                return;
            }
            shared.local.fetch_add(u64::from(counted), Relaxed);
            continue;
        };
        // Made before the wait, so that making it delays nothing.
        let request = plan.request(wanted);
        if !sleeper.until(at, shared) {
            return;
        }
        let about = About::new(plan, wanted, at, counted);
        shared.fell_due(about.region, counted);
        shared.starved.fetch_add(u64::from(counted && shared.all_busy()), Relaxed);
        // A request that cannot be made (the plan has tried each template) stays unsent, so it is missed.
        let Ok(request) = request else { continue };
        send(about, request, (desk, client), shared);
    }
}

/// Sends a request in the name of a user who waits, or lets it wait for one.
fn send(about: About, request: HttpRequest, (desk, client): (&Requests, &HttpClient), shared: &Shared) {
    let Some(place) = desk.place() else {
        // Whatever is planned and not sent is missed, so what too many wait before needs no count of its own.
        let _ = desk.push(about);
        return;
    };
    let Some(open) = client.idle(about.base) else {
        return place.leave_and_call(about.into());
    };
    shared.sending(place.user, about);
    let under_way = open.begin(request, place.waker());
    let ended = under_way.ended();
    let planned = Planned { about, sent: Some(under_way) };
    if ended { place.leave_and_call(planned) } else { place.leave(planned) }
}

/// Keeps enough waiting for users who take a request when they are ready for one (a closed model), from `start`
/// to `end` or until the run is halted.
pub fn supply(
    plan: &Plan,
    schedule: Schedule<'_>,
    (start, counted_from, end): (Instant, Instant, Instant),
    desk: &Requests,
    shared: &Shared,
) {
    if !wait_until(start, shared) {
        return;
    }
    for due in schedule {
        let What::Send(wanted) = due.what else {
            shared.local.fetch_add(u64::from(Instant::now() >= counted_from), Relaxed);
            continue;
        };
        let about = About::new(plan, wanted, end, false);
        while desk.push(about).is_err() {
            if Instant::now() >= end || !wait_until(Instant::now() + SUPPLY_PAUSE, shared) {
                return;
            }
        }
        if Instant::now() >= end || shared.halted() {
            return;
        }
    }
}

/// Waits for deadlines, and learns how late this machine wakes its thread.
#[derive(Debug)]
struct Sleeper {
    /// So long before its deadline a sleep is told to end: about the median of what sleeps overshoot by, which
    /// is 5 us on one machine, and 70 us on a virtual one whose processors are put to sleep.
    early: Duration,
}

impl Sleeper {
    /// Sleeps of the thread that calls are as exact as the system can make them from here on.
    fn new() -> Self {
        // Linux lets sleepers of a thread oversleep by 50 us so that it can wake several at once; not this one.
        // A refusal leaves it as it was: a little later.
        #[cfg(target_os = "linux")]
        let _ = nix::sys::prctl::set_timerslack(1);
        Self { early: EARLY_MAX / 4 }
    }

    /// Waits for an instant; `false` if the run was halted before it.
    fn until(&mut self, at: Instant, shared: &Shared) -> bool {
        wait(at, shared, |left| match left.checked_sub(self.early).filter(|sleep| !sleep.is_zero()) {
            None => std::hint::spin_loop(),
            Some(sleep) if sleep > STOP_CHECK => std::thread::sleep(STOP_CHECK),
            Some(sleep) => {
                std::thread::sleep(sleep);
                self.learn(Instant::now() > at);
            }
        })
    }

    /// Sleeps should end too late as often as too early.
    fn learn(&mut self, late: bool) {
        let early = if late { self.early + EARLY_STEP } else { self.early.saturating_sub(EARLY_STEP) };
        self.early = early.clamp(EARLY_STEP, EARLY_MAX);
    }
}

/// Waits for an instant, more or less; `false` if the run was halted before it.
pub fn wait_until(at: Instant, shared: &Shared) -> bool {
    wait(at, shared, |left| std::thread::sleep(left.min(STOP_CHECK)))
}

/// Waits for an instant, a part at a time that `part` chooses from what is left; `false` if the run was halted before.
#[inline]
fn wait(at: Instant, shared: &Shared, mut part: impl FnMut(Duration)) -> bool {
    loop {
        if shared.halted() {
            return false;
        }
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        part(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_waits_at_least_until_its_deadline_and_learns_within_bounds() {
        let shared = Shared::new(1, 1, 0);
        let mut sleeper = Sleeper::new();
        for ms in [0, 1, 3] {
            let at = Instant::now() + Duration::from_millis(ms);
            assert!(sleeper.until(at, &shared) && Instant::now() >= at);
        }
        for (late, expected) in [(true, EARLY_MAX), (false, EARLY_STEP)] {
            (0..1_000).for_each(|_| sleeper.learn(late));
            assert_eq!(sleeper.early, expected);
        }
        shared.halt();
        assert!(!sleeper.until(Instant::now() + Duration::from_hours(1), &shared));
    }
}
