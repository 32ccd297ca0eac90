//! One load run, from the checks before it to the measurement after it.
//!
//! Three parties: the pacer (a thread) puts requests into a bounded queue, goose's users (tasks of a runtime
//! of our own) take them out, and the supervisor, here, starts both at one moment, reads the stack's
//! metrics at both ends of the seconds that count, and sees to it that every run ends: by itself when
//! the schedule is done, soon after a stop, and at the latest when no request can still be under way.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use goose::{GooseAttack, GooseError};
use plimsoll_reports::gate::Round;
use plimsoll_reports::record::{Measurement, TierMeasured};
use plimsoll_scenarios::Scenario;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::arrivals::Arrivals;
use crate::attack::{Closed, Work, attack};
use crate::checks::Check;
use crate::client::{self, HttpClient};
use crate::cpu::{CpuTimes, CpuUse};
use crate::error::LoadError;
use crate::files;
use crate::interrupt::stop_on_ctrl_c;
use crate::interval::{Interval, Watch};
use crate::measure::{Course, generators_fault, measurement, round};
use crate::pace::{pace, supply};
use crate::player::Playback;
use crate::queue::{CloseAtEnd, Queue};
use crate::record::{Record, Shared, Spare};
use crate::schedule::{Plan, What};
use crate::scrape::{self, Snapshot};
use crate::targets::Targets;

/// How to run the load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub seed: u64,
    /// Seconds before those that count.
    pub warmup_s: f64,
    /// Seconds that count.
    pub duration_s: f64,
    /// When requests are sent.
    pub arrivals: Arrivals,
    /// What answers must be beyond a success.
    pub checks: Vec<Check>,
    /// How the bodies of these actions are played by their listeners.
    pub playback: Vec<(String, Playback)>,
    /// Goose users: requests that can be under way at the same time (a closed model has its own number).
    pub users_max: usize,
    /// Requests that are due and wait for a user; one more is missed.
    pub queue_max: usize,
    /// A request that takes longer has failed, seconds.
    pub timeout_s: f64,
    /// Ends the run early when set; what was measured is kept.
    pub stop: Arc<AtomicBool>,
}

impl LoadOptions {
    /// The usual bounds: 512 users, 16,384 waiting requests, 30 s for a request.
    #[must_use]
    pub fn new(seed: u64, warmup_s: f64, duration_s: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self {
            seed,
            warmup_s,
            duration_s,
            arrivals: Arrivals::Scenario,
            checks: Vec::new(),
            playback: Vec::new(),
            users_max: 512,
            queue_max: 16_384,
            timeout_s: 30.0,
            stop,
        }
    }

    /// Whether [`load`] would take these options, for programs that want to know before they start a stack.
    ///
    /// # Errors
    /// [`LoadError::BadOption`], for the first that is out of range.
    pub fn check(&self) -> Result<(), LoadError> {
        let bad = |option, value: String, expected| Err(LoadError::BadOption { option, value, expected });
        if !(self.duration_s > 0.0 && self.duration_s <= SECONDS_MAX) {
            return bad("duration", format!("{} s", self.duration_s), "more than 0 s, and at most a day");
        }
        if !(0.0..=SECONDS_MAX).contains(&self.warmup_s) {
            return bad("warm-up", format!("{} s", self.warmup_s), "0 s to a day");
        }
        if !(self.timeout_s > 0.0 && self.timeout_s <= 120.0) {
            return bad("timeout", format!("{} s", self.timeout_s), "more than 0 s, and at most 120 s");
        }
        if !(1..=8_192).contains(&self.users()) {
            return bad("users", self.users().to_string(), "1 to 8192");
        }
        if !(1..=1_048_576).contains(&self.queue_max) {
            return bad("queue", self.queue_max.to_string(), "1 to 1048576");
        }
        let sound = |p: &Playback| p.bitrate_bit_per_s > 0.0 && (0.0..=SECONDS_MAX).contains(&p.buffer_s);
        if let Some((action, playback)) = self.playback.iter().find(|(_, playback)| !sound(playback)) {
            return bad(
                "play",
                format!("{playback:?} of `{action}`"),
                "a bitrate above 0 and a buffer of 0 s or more",
            );
        }
        Ok(())
    }

    /// Goose users that the model of arrivals needs.
    fn users(&self) -> usize {
        self.arrivals.closed().map_or(self.users_max, |(users, _)| users)
    }

    fn total_s(&self) -> f64 {
        self.warmup_s + self.duration_s
    }
}

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

const SECONDS_MAX: f64 = 86_400.0;
/// From the moment all users stand ready to the start of the schedule.
const LEAD_IN: Duration = Duration::from_millis(20);
/// For all goose users to start.
const READY_MAX: Duration = Duration::from_secs(30);
/// After the schedule's end, for requests that wait for a user; what still waits then is missed.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// After a stop, for requests that are under way.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// For goose to notice that its users have ended.
const GOOSE_GRACE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(20);
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
const INTERVAL: Duration = Duration::from_secs(1);
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);
const WORKERS_MAX: usize = 4;

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
    let mut plan = Plan::new(scenario, targets)?;
    plan.handle(&options.checks, &options.playback)?;
    files::room_for(options.users())?;
    plan.reach()?;
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
    /// Seconds that are counted, and the most requests.
    const SPAN_S: f64 = 30.0;
    const REQUESTS_MAX: usize = 100_000;
    let plan = Plan::new(scenario, targets)?;
    let schedule = plan.schedule(scenario, &Arrivals::Scenario, seed, (0.0, SPAN_S));
    let sent = schedule.filter(|due| due.what != What::Local).take(REQUESTS_MAX);
    let (n, last_s) = sent.fold((0_u64, 0.0), |(n, _), due| (n + 1, due.at_s));
    Ok(if n == REQUESTS_MAX as u64 { n as f64 / last_s } else { n as f64 / SPAN_S })
}

fn run(
    scenario: &Scenario,
    plan: &Plan,
    options: &LoadOptions,
    watch: Watch<'_>,
) -> Result<Played, LoadError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .thread_name("plimsoll-user")
        .enable_all()
        .build()
        .map_err(|source| LoadError::Start { what: "runtime", source })?;
    let shared = Arc::new(Shared::new(plan.routes.len()));
    let (starter, start) = mpsc::sync_channel::<Instant>(1);
    let work = {
        let _context = runtime.enter();
        Arc::new(work(plan, options, &shared))
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
                let _close = CloseAtEnd(&paced.queue);
                // An error means that the run ended before it began.
                if let Ok(start) = start.recv() {
                    feed(scenario, plan, options, paced, start);
                }
            })
            .map_err(|source| LoadError::Start { what: "pacer", source })?;
        let supervisor =
            Supervisor { plan, options, shared: &shared, client: &work.client, ctrl_c: &ctrl_c, watch };
        // The pacer must end in any case, or the scope would wait for it.
        let _halt = HaltAtEnd(&shared);
        runtime.block_on(supervisor.run(attack, starter, &mut seconds))
    });
    // Drops the tasks of requests that were cut off, and idle connections.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let course = ending?.course(scenario, options);
    let record = seconds.end(watch, course.ended_s);
    let measurement = measurement(scenario, plan, options, &shared, &record, course);
    let round = round(plan, options.seed, &record, &measurement);
    let disturbed = generators_fault(&measurement.invalid);
    Ok(Played { measurement, round, disturbed })
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)
}

fn work(plan: &Plan, options: &LoadOptions, shared: &Arc<Shared>) -> Work {
    let timeout = Duration::from_secs_f64(options.timeout_s);
    let closed = options.arrivals.closed().map(|(_, think_s)| Closed::new(think_s, options.seed));
    // What users of a closed model will ask for needs no long list.
    let queue_max = if closed.is_some() { options.users().min(options.queue_max) } else { options.queue_max };
    Work {
        queue: Arc::new(Queue::new(queue_max)),
        client: client::client(timeout, shared),
        timeout,
        shared: Arc::clone(shared),
        handling: plan.routes.iter().map(|route| route.handling.clone()).collect(),
        closed,
    }
}

/// The pacer's thread: hands out the schedule.
fn feed(scenario: &Scenario, plan: &Plan, options: &LoadOptions, work: &Work, start: Instant) {
    let spans = (options.warmup_s, options.duration_s);
    let schedule = plan.schedule(scenario, &options.arrivals, options.seed, spans);
    let Some(closed) = &work.closed else {
        return pace(plan, schedule, start, options.warmup_s, &work.queue, &work.shared);
    };
    let after = |s: f64| start + Duration::from_secs_f64(s);
    let (counted_from, end) = (after(options.warmup_s), after(options.total_s()));
    let (counted_from, end) = *closed.span.get_or_init(|| (counted_from, end));
    supply(plan, schedule, (start, counted_from, end), &work.queue, &work.shared);
}

/// Collects what was recorded, second by second, and tells whoever watches.
struct Seconds<'a> {
    options: &'a LoadOptions,
    shared: &'a Shared,
    routes: Vec<String>,
    counted: Record,
    spare: Spare,
    /// Where the next interval begins, seconds since the start.
    from_s: f64,
    planned: u64,
}

impl<'a> Seconds<'a> {
    fn new(plan: &Plan, options: &'a LoadOptions, shared: &'a Shared) -> Self {
        Self {
            options,
            shared,
            routes: plan.routes.iter().map(|route| route.name.clone()).collect(),
            counted: shared.record(),
            spare: shared.spare(),
            from_s: 0.0,
            planned: 0,
        }
    }

    /// Ends an interval now.
    fn tick(&mut self, to_s: f64, watch: Watch<'_>) {
        let record = self.shared.drain(&mut self.counted, &mut self.spare);
        let due = self.shared.due.load(Relaxed);
        (watch.interval)(&Interval {
            from_s: self.from_s,
            to_s,
            counted: self.from_s >= self.options.warmup_s - 1e-9,
            planned: due - self.planned,
            routes: &self.routes,
            record: &record,
        });
        (self.from_s, self.planned) = (to_s, due);
    }

    /// The last interval, and everything that counted.
    fn end(mut self, watch: Watch<'_>, ended_s: f64) -> Record {
        let to_s = ended_s.max(self.from_s);
        self.tick(to_s, watch);
        self.counted.cut_off();
        self.counted
    }
}

/// Halts the run when dropped, be it by a panic of the caller's `progress`.
struct HaltAtEnd<'a>(&'a Shared);

impl Drop for HaltAtEnd<'_> {
    fn drop(&mut self) {
        self.0.halt();
    }
}

fn goose_error(error: &GooseError) -> LoadError {
    LoadError::Goose { cause: error.to_string() }
}

/// What the supervisor needs to see.
struct Supervisor<'a> {
    plan: &'a Plan,
    options: &'a LoadOptions,
    shared: &'a Shared,
    client: &'a HttpClient,
    ctrl_c: &'a AtomicBool,
    watch: Watch<'a>,
}

/// How a run ended.
struct Ending {
    start: Instant,
    stopped: Option<Instant>,
    /// Requests that were under way were not waited for.
    cut_off: bool,
    scrapes: Scrapes,
    ended: Instant,
}

/// The stack's metrics at both ends of the seconds that count, and the CPU time that was used between.
struct Scrapes {
    metrics: Metrics,
    cpu: Option<CpuUse>,
}

enum Metrics {
    /// There are none, or the run ended before they count.
    None,
    Both {
        before: (Instant, Snapshot),
        after: (Instant, Snapshot),
    },
    Failed(String),
}

impl Supervisor<'_> {
    async fn run(
        &self,
        attack: GooseAttack,
        starter: mpsc::SyncSender<Instant>,
        seconds: &mut Seconds<'_>,
    ) -> Result<Ending, LoadError> {
        let mut goose = pin!(attack.execute());
        tokio::select! {
            ended = &mut goose => {
                let cause = ended.err().map_or_else(|| "it ended before the load began".to_owned(), |e| e.to_string());
                return Err(LoadError::Goose { cause });
            }
            ready = self.users_ready() => ready?,
        }
        let start = Instant::now() + LEAD_IN;
        // The pacer waits for this, and nobody else sends.
        let _ = starter.send(start);
        let end = start + Duration::from_secs_f64(self.options.total_s());
        let mut reading = pin!(self.scrapes(start, end));
        let mut metrics = None;
        let mut goose_ended = false;
        let mut stopped = None;
        let mut cut_off = false;
        let (mut next_progress, mut next_interval) = (start, start + INTERVAL);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !goose_ended || metrics.is_none() {
            tokio::select! {
                ended = &mut goose, if !goose_ended => {
                    ended.map_err(|e| goose_error(&e))?;
                    goose_ended = true;
                }
                seen = &mut reading, if metrics.is_none() => metrics = Some(seen),
                _ = ticks.tick() => {
                    let now = Instant::now();
                    if stopped.is_none() && now < end && self.stop_wanted() {
                        stopped = Some(now);
                    }
                    if stopped.is_some() || now >= end + DRAIN_MAX || self.stop_wanted() {
                        self.shared.halt();
                    }
                    if self.overdue(now, end, stopped) {
                        cut_off = true;
                        break;
                    }
                    if now >= next_progress {
                        next_progress = now + PROGRESS_EVERY;
                        self.report(start);
                    }
                    if now >= next_interval && now < end {
                        seconds.tick(now.duration_since(start).as_secs_f64(), self.watch);
                        next_interval += INTERVAL;
                    }
                }
            }
        }
        self.report(start);
        let scrapes = metrics.unwrap_or(Scrapes { metrics: Metrics::None, cpu: None });
        Ok(Ending { start, stopped, cut_off, scrapes, ended: Instant::now() })
    }

    /// Whether to wait no more for requests that are under way.
    fn overdue(&self, now: Instant, end: Instant, stopped: Option<Instant>) -> bool {
        let timeout = Duration::from_secs_f64(self.options.timeout_s);
        match stopped {
            Some(at) => now >= at + STOP_GRACE,
            // Stopped while draining.
            None if self.stop_wanted() && now >= end + STOP_GRACE => true,
            None => now >= end + DRAIN_MAX + timeout + GOOSE_GRACE,
        }
    }

    fn stop_wanted(&self) -> bool {
        self.options.stop.load(Relaxed) || self.ctrl_c.load(Relaxed)
    }

    async fn users_ready(&self) -> Result<(), LoadError> {
        let users = self.options.users();
        let deadline = Instant::now() + READY_MAX;
        loop {
            let ready = self.shared.ready.load(Relaxed);
            if ready >= users {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(LoadError::UsersNotReady { ready, users, within_s: READY_MAX.as_secs() });
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    async fn scrapes(&self, start: Instant, end: Instant) -> Scrapes {
        let counted_from = start + Duration::from_secs_f64(self.options.warmup_s);
        self.until(counted_from).await;
        if Instant::now() < counted_from {
            return Scrapes { metrics: Metrics::None, cpu: None };
        }
        let cpu_before = CpuTimes::now();
        let before = self.scrape().await;
        self.until(end).await;
        let cpu = cpu_before.and_then(|before| before.until(&CpuTimes::now()?));
        let after = self.scrape().await;
        let metrics = match (before, after) {
            (Some(Ok(before)), Some(Ok(after))) => Metrics::Both { before, after },
            (Some(Err(cause)), _) | (_, Some(Err(cause))) => Metrics::Failed(cause),
            _ => Metrics::None,
        };
        Scrapes { metrics, cpu }
    }

    async fn scrape(&self) -> Option<Result<(Instant, Snapshot), String>> {
        let metrics = self.plan.metrics.as_ref()?;
        let at = Instant::now();
        let text = client::get_text(self.client, &metrics.prefix, SCRAPE_TIMEOUT).await;
        Some(text.map(|text| (at, scrape::parse(&text))).map_err(|cause| format!("{}: {cause}", metrics.url)))
    }

    /// Sleeps until an instant, or until the run is halted.
    async fn until(&self, at: Instant) {
        while !self.shared.halted() {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(TICK)).await;
        }
    }

    fn report(&self, start: Instant) {
        let total_s = self.options.total_s();
        (self.watch.progress)(Progress {
            elapsed_s: start.elapsed().as_secs_f64().min(total_s),
            total_s,
            planned: self.shared.due.load(Relaxed),
            sent: self.shared.sent.load(Relaxed),
            failed: self.shared.failed.load(Relaxed),
        });
    }
}

impl Ending {
    fn course(self, scenario: &Scenario, options: &LoadOptions) -> Course {
        let played_s = self.stopped.map(|at| at.saturating_duration_since(self.start).as_secs_f64());
        let counted_s =
            played_s.map_or(options.duration_s, |s| (s - options.warmup_s).clamp(0.0, options.duration_s));
        let (tiers, scrape_error) = match self.scrapes.metrics {
            Metrics::None => (Vec::new(), None),
            Metrics::Failed(cause) => (Vec::new(), Some(cause)),
            Metrics::Both { before, after } => (tiers(scenario, &before, &after), None),
        };
        let ended_s = self.ended.saturating_duration_since(self.start).as_secs_f64();
        let partial = self.stopped.is_some() || self.cut_off;
        Course { counted_s, partial, ended_s, tiers, scrape_error, cpu: self.scrapes.cpu, workers: workers() }
    }
}

fn tiers(
    scenario: &Scenario,
    before: &(Instant, Snapshot),
    after: &(Instant, Snapshot),
) -> Vec<TierMeasured> {
    let window_s = after.0.duration_since(before.0).as_secs_f64();
    if window_s <= 0.0 {
        return Vec::new();
    }
    scrape::between(&before.1, &after.1, window_s, scenario.tiers.keys().map(String::as_str))
}
