//! One load run, from the checks before it to the measurement after it.
//!
//! Three parties: the pacer (a thread) sends requests in the names of goose's users (tasks of a runtime of our
//! own), who read the answers, and the supervisor ([`mod@crate::supervisor`]) watches over both.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use plimsoll_reports::gate::Round;
use plimsoll_reports::record::Measurement;
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::visits::Visits;

use crate::arrivals::Arrivals;
use crate::attack::{Closed, Work, attack};
use crate::client::HttpClient;
use crate::desk::{CloseAtEnd, Desk};
use crate::error::LoadError;
use crate::files;
use crate::interrupt::stop_on_ctrl_c;
use crate::interval::Watch;
use crate::measure::{generators_fault, measurement, round};
use crate::options::LoadOptions;
use crate::pace::{pace, supply, wait_until};
use crate::record::Shared;
use crate::schedule::{Plan, What};
use crate::seconds::Seconds;
use crate::supervisor::{Supervisor, goose_error};
use crate::targets::{Base, Targets};
use crate::walks::Walks;

/// What a run has found.
#[derive(Debug, Clone)]
pub struct Played {
    pub measurement: Measurement,
    /// The same as a gate judges it.
    pub round: Round,
    /// The generator was the bottleneck: nothing is known of the target.
    pub disturbed: bool,
}

/// How far a run is; counts include the warm-up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub elapsed_s: f64,
    /// Warm-up and the seconds that count.
    pub total_s: f64,
    /// Requests that have fallen due.
    pub planned: u64,
    pub sent: u64,
    pub failed: u64,
}

const WORKERS_MAX: usize = 4;
/// Requests that wait for the users of a closed model: enough for some hundredths of a second of the fastest.
const SUPPLY_MAX: usize = 1_024;
/// Processor time of reading a request's answer and of each byte of it, seconds, with room for slow machines and for
/// checks.
const REQUEST_S: f64 = 5e-5;
const BYTE_S: f64 = 5e-9;
/// Share of its time that a thread should be busy at most: with more, answers wait for each other.
const WORKER_BUSY: f64 = 0.4;

/// Plays a scenario, already scaled to the load, against the targets.
///
/// Blocks until the run is over, and calls `progress` about five times a second. It may be called from
/// within an async runtime, whose thread it then blocks.
///
/// # Errors
/// [`LoadError`], before anything is sent, if the plan does not hold or a target cannot be reached; and if
/// goose does not start. Failing requests are no error: see `Measurement::failures` and `invalid`.
pub fn load(
    scenario: &Scenario,
    targets: &Targets,
    options: &LoadOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Measurement, LoadError> {
    let watch = Watch { progress, interval: &|_| {} };
    Ok(play(scenario, targets, options, watch)?.measurement)
}

/// The same, watched second by second, with what a gate needs of it.
///
/// # Errors
/// As [`load`].
pub fn play(
    scenario: &Scenario,
    targets: &Targets,
    options: &LoadOptions,
    watch: Watch<'_>,
) -> Result<Played, LoadError> {
    options.check()?;
    if matches!(options.arrivals, Arrivals::Sessions { .. }) && Visits::of(scenario, options.seed).is_none() {
        return Err(LoadError::NoSessions { scenario: scenario.name.clone() });
    }
    let mut plan = Plan::new(scenario, targets)?;
    plan.handle(&options.checks, &options.playback)?;
    files::room_for(options.users())?;
    plan.reach()?;
    let plan = Arc::new(plan);
    // A thread of its own, because a runtime must not be started or dropped inside another one.
    std::thread::scope(|scope| {
        let run = std::thread::Builder::new()
            .name("plimsoll-load".to_owned())
            .spawn_scoped(scope, || run(scenario, &plan, options, watch))
            .map_err(|source| LoadError::Start { what: "supervisor", source })?;
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Requests a second that the scenario's own schedule sends, on average; a few seconds of it are counted.
///
/// # Errors
/// [`LoadError`] if the plan does not hold. Nothing is connected to.
pub fn planned_rate(scenario: &Scenario, targets: &Targets, seed: u64) -> Result<f64, LoadError> {
    let plan = Plan::new(scenario, targets)?;
    Ok(mean_rate(scenario, &plan, &Arrivals::Scenario, seed))
}

/// Requests a second of a model whose rate only its schedule tells.
fn mean_rate(scenario: &Scenario, plan: &Plan, arrivals: &Arrivals, seed: u64) -> f64 {
    /// Seconds that are counted, and the most requests.
    const SPAN_S: f64 = 30.0;
    const REQUESTS_MAX: usize = 100_000;
    let schedule = plan.schedule(scenario, arrivals, seed, (0.0, SPAN_S));
    let sent = schedule.filter(|due| due.what != What::Local).take(REQUESTS_MAX);
    let (n, last_s) = sent.fold((0_u64, 0.0), |(n, _), due| (n + 1, due.at_s));
    if n == REQUESTS_MAX as u64 { n as f64 / last_s } else { n as f64 / SPAN_S }
}

fn run(
    scenario: &Scenario,
    plan: &Arc<Plan>,
    options: &LoadOptions,
    watch: Watch<'_>,
) -> Result<Played, LoadError> {
    let workers = workers(scenario, plan, options);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("plimsoll-user")
        .enable_all()
        .build()
        .map_err(|source| LoadError::Start { what: "runtime", source })?;
    let shared = Arc::new(Shared::new(plan.routes.len(), options.users(), plan.regions.len()));
    let (starter, start) = mpsc::sync_channel::<Instant>(1);
    let work = {
        let _context = runtime.enter();
        Arc::new(work(scenario, plan, options, &shared))
    };
    let host = plan.bases.first().map_or("http://127.0.0.1", |base| base.prefix.as_str());
    let attack = attack(Arc::clone(&work), options.users(), host).map_err(|e| goose_error(&e))?;
    let ctrl_c = stop_on_ctrl_c();
    let mut seconds = Seconds::new(plan, options, &shared);

    let ending = std::thread::scope(|scope| {
        let paced = &work;
        std::thread::Builder::new()
            .name("plimsoll-pace".to_owned())
            .spawn_scoped(scope, move || {
                let _close = CloseAtEnd(&paced.desk);
                feed(scenario, plan, options, paced, &start);
            })
            .map_err(|source| LoadError::Start { what: "pacer", source })?;
        let supervisor = Supervisor { plan, options, work: &work, ctrl_c: &ctrl_c, watch };
        // The pacer must end in any case, or the scope would wait for it.
        let _halt = HaltAtEnd(&shared);
        runtime.block_on(supervisor.run(attack, starter, &mut seconds))
    });
    // Drops the tasks of requests that were cut off, and idle connections.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let course = ending?.course(scenario, options, workers);
    let record = seconds.end(watch, course.ended_s);
    let cpu = course.cpu;
    let measurement = measurement(scenario, plan, options, &shared, &record, course);
    let round = round(plan, options.seed, &record, &measurement, cpu);
    let disturbed = generators_fault(&measurement.invalid);
    Ok(Played { measurement, round, disturbed })
}

/// Threads for the users: as few as have time enough. One that is woken wakes the next to look for work, which on a
/// machine that is mostly idle costs more than the requests.
fn workers(scenario: &Scenario, plan: &Plan, options: &LoadOptions) -> usize {
    // What they ask runs on this machine too.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let most = (processors / 2).clamp(1, WORKERS_MAX);
    if most == 1 {
        // Counting half a minute of requests would change nothing.
        return most;
    }
    let Some(rate_per_s) = rate_max(scenario, plan, options) else { return most };
    let (requests, bytes) = scenario.actions.values().fold((0.0, 0.0), |(requests, bytes), action| {
        let rate = scenario.mean_rate(action);
        (requests + rate, bytes + rate * action.response.get())
    });
    let bytes_each = if requests > 0.0 { bytes / requests } else { 0.0 };
    let busy = rate_per_s * (REQUEST_S + bytes_each * BYTE_S);
    ((busy / WORKER_BUSY).ceil() as usize).clamp(1, most)
}

/// Requests a second at the busiest moment; `None` of a closed model, which is as fast as its target.
fn rate_max(scenario: &Scenario, plan: &Plan, options: &LoadOptions) -> Option<f64> {
    match &options.arrivals {
        Arrivals::Closed { .. } => None,
        arrivals => {
            let known = arrivals.rate_max();
            Some(known.unwrap_or_else(|| mean_rate(scenario, plan, arrivals, options.seed)))
        }
    }
}

fn work(scenario: &Scenario, plan: &Arc<Plan>, options: &LoadOptions, shared: &Arc<Shared>) -> Work {
    let timeout = Duration::from_secs_f64(options.timeout_s);
    let closed = options.arrivals.closed().map(|(users, think_s)| {
        let visits = Visits::of(scenario, options.seed).filter(|_| think_s == 0.0);
        let walks = visits.map(|visits| Walks::new(visits, Arc::clone(plan), users));
        Closed::new(think_s, walks, options.seed)
    });
    let queue_max = if closed.is_some() { SUPPLY_MAX.min(options.queue_max) } else { options.queue_max };
    Work {
        desk: Desk::new(options.users(), queue_max),
        plan: Arc::clone(plan),
        client: HttpClient::new(plan.bases.iter().chain(&plan.metrics).map(Base::address), shared),
        timeout,
        shared: Arc::clone(shared),
        closed,
    }
}

/// The pacer's thread: hands out the schedule.
fn feed(
    scenario: &Scenario,
    plan: &Plan,
    options: &LoadOptions,
    work: &Work,
    starter: &mpsc::Receiver<Instant>,
) {
    let spans = (options.warmup_s, options.duration_s);
    // Made before the start: sessions that are under way then take time to find.
    let schedule = plan.schedule(scenario, &options.arrivals, options.seed, spans);
    // An error means that the run ended before it began.
    let Ok(start) = starter.recv() else { return };
    let Some(closed) = &work.closed else {
        return pace(plan, schedule, start, options.warmup_s, (&work.desk, &work.client), &work.shared);
    };
    let after = |s: f64| start + Duration::from_secs_f64(s);
    let (counted_from, end) = (after(options.warmup_s), after(options.total_s()));
    let (_, counted_from, end) = *closed.span.get_or_init(|| (start, counted_from, end));
    if closed.walks.is_some() {
        // Users know themselves what they do next.
        wait_until(end, &work.shared);
        return;
    }
    supply(plan, schedule, (start, counted_from, end), &work.desk, &work.shared);
}

/// Halts the run when dropped, be it by a panic of the caller's `progress`.
struct HaltAtEnd<'a>(&'a Shared);

impl Drop for HaltAtEnd<'_> {
    fn drop(&mut self) {
        self.0.halt();
    }
}
