//! The goose attack: its users take requests from the pacer's desk, send those that are not sent yet, and read the answers.
//!
//! One transaction is some requests (one each would cost twice as much): goose starts the users, runs their loops and counts their iterations,
//! and waits for them at the end. What it must not do is set aside here: it reads no command line, prints
//! nothing, listens on no port, keeps no metrics (ours count from the intended start), and opens no
//! connection with its own client, which all users share, unused.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionResult};
use goose::{GooseAttack, GooseError};
use plimsoll_scenarios::rng::Stream;

use crate::client::{self, Ask, HttpClient};
use crate::pace::{About, Planned, Requests};
use crate::record::Shared;
use crate::schedule::Plan;
use crate::walks::Walks;

/// What every user needs.
#[derive(Debug)]
pub struct Work {
    pub desk: Requests,
    pub plan: Arc<Plan>,
    pub client: HttpClient,
    pub timeout: Duration,
    pub shared: Arc<Shared>,
    pub closed: Option<Closed>,
}

/// What users of a closed model need: they keep the time themselves.
#[derive(Debug)]
pub struct Closed {
    think_s: f64,
    thoughts: Mutex<Stream>,
    /// The sessions that users walk, if they do not take the next request of anybody.
    pub walks: Option<Walks>,
    /// The start, the first moment that counts and the end; set when the run starts.
    pub span: OnceLock<(Instant, Instant, Instant)>,
}

/// How often a thinking user looks whether the run is over.
const THINK_CHECK: Duration = Duration::from_millis(50);
/// How often a user who walks a session looks whether the run has begun.
const START_CHECK: Duration = Duration::from_millis(2);

impl Closed {
    pub fn new(think_s: f64, walks: Option<Walks>, seed: u64) -> Self {
        let thoughts = Mutex::new(Stream::new(seed, "users", "think", 0));
        Self { think_s, thoughts, walks, span: OnceLock::new() }
    }

    /// As long as anybody thinks who has no session.
    fn thought_s(&self) -> f64 {
        if self.think_s <= 0.0 {
            return 0.0;
        }
        self.think_s * self.thoughts.lock().unwrap_or_else(PoisonError::into_inner).exponential()
    }

    async fn think(&self, thought_s: f64, shared: &Shared) {
        if thought_s <= 0.0 {
            return;
        }
        let until = Instant::now() + Duration::from_secs_f64(thought_s);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let over = self.span.get().is_some_and(|(.., end)| Instant::now() >= *end);
            if left.is_zero() || over || shared.halted() {
                return;
            }
            tokio::time::sleep(left.min(THINK_CHECK)).await;
        }
    }

    /// Waits for the start; `None` if the run is over before it.
    async fn started(&self, shared: &Shared) -> Option<(Instant, Instant, Instant)> {
        loop {
            if shared.halted() {
                return None;
            }
            match self.span.get() {
                Some(span) if Instant::now() >= span.0 => return Some(*span),
                Some(span) => tokio::time::sleep_until(span.0.into()).await,
                None => tokio::time::sleep(START_CHECK).await,
            }
        }
    }

    /// Takes a request now, as the user's own idea; `None` after the end.
    fn take(&self, about: About, shared: &Shared) -> Option<About> {
        let (_, counted_from, end) = *self.span.get()?;
        let due = Instant::now();
        if due >= end {
            return None;
        }
        let counted = due >= counted_from;
        shared.fell_due(about.region, counted);
        Some(About { due, counted, ..about })
    }
}

/// Users a second that goose starts; far more than it can, so that all start at once.
const START_RATE: &str = "1000000";

/// An attack by `users` users that ends when the desk is closed and nothing waits.
pub fn attack(work: Arc<Work>, users: usize, host: &str) -> Result<GooseAttack, GooseError> {
    let mut configuration =
        GooseConfiguration::parse_args_default(&["--no-metrics", "--no-telnet", "--quiet"])?;
    configuration.host = Some(host.to_owned());
    configuration.users = Some(users);
    configuration.increase_rate = Some(START_RATE.to_owned());

    let arrived = Arc::clone(&work.shared);
    let arrive = Transaction::new(Arc::new(move |_| {
        arrived.ready.fetch_add(1, Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }))
    .set_on_start();
    let request = Transaction::new(Arc::new(move |user| Box::pin(requests(user, Arc::clone(&work)))));
    let scenario = Scenario::new("plimsoll").register_transaction(arrive).register_transaction(request);
    Ok(GooseAttack::initialize_with_config(configuration)?
        .set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())?
        .register_scenario(scenario))
}

/// Requests of one transaction.
const REQUESTS: usize = 256;

/// Some requests, one after the other. A user ends after so many iterations, and this is one; once all users have
/// ended, goose ends the attack.
async fn requests(user: &mut GooseUser, work: Arc<Work>) -> TransactionResult {
    for _ in 0..REQUESTS {
        if !one_request(user, &work).await {
            let first = user.config.iterations.replace(1).is_none();
            work.shared.done.fetch_add(usize::from(first), Relaxed);
            break;
        }
    }
    Ok(())
}

/// Takes the next due request, sends it and records what came of it; `false` when the schedule is over.
async fn one_request(user: &GooseUser, work: &Work) -> bool {
    if let Some(closed) = &work.closed {
        if let Some(walks) = &closed.walks {
            return walk(user, work, closed, walks).await;
        }
        closed.think(closed.thought_s(), &work.shared).await;
    }
    let Some(planned) = work.desk.next(user.weighted_users_index).await else { return false };
    if work.shared.halted() && planned.sent.is_none() {
        // Planned and not sent: missed.
        return true;
    }
    let planned = match &work.closed {
        Some(closed) => closed.take(planned.about, &work.shared).map(Planned::from),
        None => Some(planned),
    };
    if let Some(planned) = planned {
        exchange(user, work, planned).await;
    }
    true
}

/// One turn of a user's own session: a request, what it sets off, and a thought; `false` when the run is over.
async fn walk(user: &GooseUser, work: &Work, closed: &Closed, walks: &Walks) -> bool {
    let Some((_, _, end)) = closed.started(&work.shared).await else { return false };
    let (whats, think_s) = walks.turn(user.weighted_users_index);
    for what in whats {
        let Some(about) = walks.planned(what, end) else {
            let counted =
                closed.span.get().is_some_and(|(_, from, end)| (*from..*end).contains(&Instant::now()));
            work.shared.local.fetch_add(u64::from(counted), Relaxed);
            continue;
        };
        if work.shared.halted() {
            break;
        }
        if let Some(about) = closed.take(about, &work.shared) {
            exchange(user, work, about.into()).await;
        }
    }
    closed.think(think_s, &work.shared).await;
    // What the device answers takes no time, and others want their turn.
    tokio::task::yield_now().await;
    Instant::now() < end && !work.shared.halted()
}

/// Sends a request, if nobody has, and records what came of it.
async fn exchange(user: &GooseUser, work: &Work, Planned { about, sent }: Planned) {
    let number = user.weighted_users_index;
    let ask = if let Some(under_way) = sent {
        Ask::UnderWay(under_way)
    } else {
        // One that cannot be made (the plan has tried each template) stays unsent, so it is missed.
        let Ok(request) = work.plan.request(about.wanted) else { return };
        work.shared.sending(number, about);
        Ask::Unsent(request)
    };
    let handling = &work.plan.routes[about.wanted.route].handling;
    let outcome = client::send(&work.client, (about.base, ask), work.timeout, handling).await;
    work.shared.ended(number, about, outcome);
}
