//! The supervisor of a run: starts pacer and users at one moment, reads the stack's metrics at both ends of the
//! seconds that count, and sees to it that every run ends: by itself when the schedule is done, soon after a
//! stop, and at the latest when no request can still be under way.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use goose::{GooseAttack, GooseError};
use plimsoll_reports::record::TierMeasured;
use plimsoll_scenarios::Scenario;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::attack::Work;
use crate::client;
use crate::cpu::{CpuTimes, CpuUse};
use crate::error::LoadError;
use crate::interval::Watch;
use crate::measure::Course;
use crate::options::LoadOptions;
use crate::run::Progress;
use crate::schedule::Plan;
use crate::scrape::{self, Snapshot};
use crate::seconds::Seconds;

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
/// How often it is looked how late the users' threads wake.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(5);

pub fn goose_error(error: &GooseError) -> LoadError {
    LoadError::Goose { cause: error.to_string() }
}

/// What the supervisor needs to see.
pub struct Supervisor<'a> {
    pub plan: &'a Plan,
    pub options: &'a LoadOptions,
    pub work: &'a Arc<Work>,
    pub ctrl_c: &'a AtomicBool,
    pub watch: Watch<'a>,
}

/// How a run ended.
pub struct Ending {
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
    /// Starts the run through `starter` and sees it to its end.
    pub async fn run(
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
        let counted_from = start + Duration::from_secs_f64(self.options.warmup_s);
        tokio::spawn(look(Arc::clone(self.work), counted_from, end));
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
                        self.work.shared.halt();
                    }
                    // Whose answer takes longer sees to its deadline himself.
                    self.work.desk.call(TICK);
                    // Goose itself looks every half second only.
                    goose_ended = goose_ended || self.work.shared.done.load(Relaxed) >= self.options.users();
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
            let ready = self.work.shared.ready.load(Relaxed);
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
        // Its connections are the last ones of the client.
        let base = self.plan.bases.len();
        let text = client::get_text(
            &self.work.client,
            base,
            (&metrics.host, metrics.path_or_root()),
            SCRAPE_TIMEOUT,
        )
        .await;
        Some(text.map(|text| (at, scrape::parse(&text))).map_err(|cause| format!("{}: {cause}", metrics.url)))
    }

    /// Sleeps until an instant, or until the run is halted.
    async fn until(&self, at: Instant) {
        while !self.work.shared.halted() {
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
            planned: self.work.shared.due.load(Relaxed),
            sent: self.work.shared.sent.load(Relaxed),
            failed: self.work.shared.failed.load(Relaxed),
        });
    }
}

/// Wakes on the users' threads at known times, to see how late they are: an answer is read as late. Who was late is not
/// spared the times that passed meanwhile.
async fn look(work: Arc<Work>, from: Instant, until: Instant) {
    let mut at = from;
    while at < until && !work.shared.halted() {
        tokio::time::sleep_until(at.into()).await;
        work.shared.woken(at.elapsed());
        at += LOOK_EVERY;
    }
}

impl Ending {
    /// How the run went, for its measurement.
    pub fn course(self, scenario: &Scenario, options: &LoadOptions, workers: usize) -> Course {
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
        Course { counted_s, partial, ended_s, tiers, scrape_error, cpu: self.scrapes.cpu, workers }
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
