//! Starting and stopping the whole stack.
//!
//! Why a thread that owns everything: the runtime, the listeners and the data live and die on it, so a
//! stack can be started and stopped from anywhere, also from within somebody else's runtime.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use plimsoll_scenarios::Scenario;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin::Admin;
use crate::assemble::{Tiers, assemble};
use crate::auth::{ApiKey, RequestIds};
use crate::breaks::Breaker;
use crate::error::StackError;
use crate::front::Shared;
use crate::log::Log;
use crate::metrics::{self, TierMetrics};
use crate::plan::Plan;
use crate::ports::{Port, Ports};
use crate::reply::{self, Body};
use crate::scratch::Scratch;
use crate::server;
use crate::server::Door;
use crate::state::{self, Running};
use crate::stores::{self, Making, Servers};
use crate::timer::Timer;

/// Tasks that outlast the drain are cut off after this time.
const SHUTDOWN: Duration = Duration::from_secs(1);
/// Threads of the runtime.
const WORKERS_MAX: usize = 8;
/// How often breaks are looked at that heal by themselves.
const HEAL_EVERY: Duration = Duration::from_millis(20);
/// Songs that are brought into the edge caches each time.
const WARM_SONGS: usize = 20;

/// What the tiers are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// All in this process.
    #[default]
    Embedded,
    /// Real servers as child processes, behind the tiers; in builds with the feature `services`.
    Services,
}

impl Profile {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Services => "services",
        }
    }
}

/// How to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackOptions {
    /// Of service times, random balancing, the catalogue and the songs' bytes.
    pub seed: u64,
    /// Port of the gateway; any free one without it.
    pub port: Option<u16>,
    /// Emulate the scenario's service times and round trips. Without it, every tier is as fast as it can.
    pub emulate: bool,
    /// Requests per second that the gateway lets one client (address) make; any number without it.
    pub rate_limit_per_s: Option<NonZeroU32>,
    /// Where playlists and play events are kept beyond this start; gone with it without.
    pub data: Option<PathBuf>,
    /// How often the songs that are played most are brought into the edge caches; never without it, as in
    /// the simulator.
    pub warm_every: Option<Duration>,
    pub profile: Profile,
    /// The program that is the S3 server of the services profile when its first argument is `serve-objects`, which
    /// the program must see to (`serve_objects`); this very program without.
    pub object_server: Option<PathBuf>,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            port: None,
            emulate: true,
            rate_limit_per_s: None,
            data: None,
            warm_every: None,
            profile: Profile::default(),
            object_server: None,
        }
    }
}

/// Where the stack can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// By tier, the base URL (`http://127.0.0.1:1234`) of each instance that listens, in order of site or
    /// replica: edge, shield, gateway, web and events.
    pub tiers: BTreeMap<String, Vec<String>>,
    /// URL of the metrics, in Prometheus text.
    pub metrics: String,
    /// Goes into the header `x-api-key` of every request.
    pub api_key: String,
    /// Base URL of the admin API (`http://127.0.0.1:1234/admin`).
    pub admin: String,
    /// Goes into the header `authorization: Bearer ...` of requests to the admin API.
    pub admin_token: String,
}

/// A running stack. Dropping it stops it.
#[derive(Debug)]
pub struct Stack {
    running: Running,
    endpoints: Endpoints,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Stack {
    /// Starts all tiers of a scenario that has been scaled down already; returns once they answer.
    ///
    /// # Errors
    /// What stands in the way, and the way out.
    pub fn start(scenario: &Scenario, options: &StackOptions) -> Result<Self, StackError> {
        Self::check(scenario, options.profile)?;
        Self::start_planned(Plan::of(scenario)?, options.clone())
    }

    /// Whether [`Stack::start`] could play a scenario that has been scaled down already; starts nothing.
    ///
    /// # Errors
    /// [`StackError::Unplayable`] with everything that stands in the way; for the services profile
    /// [`StackError::NoServices`] and [`StackError::MissingPrograms`] too.
    pub fn check(scenario: &Scenario, profile: Profile) -> Result<(), StackError> {
        if profile == Profile::Services {
            #[cfg(not(feature = "services"))]
            return Err(StackError::NoServices);
            #[cfg(feature = "services")]
            crate::services::Programs::find()?;
        }
        Plan::of(scenario).map(drop)
    }

    /// What the stack does otherwise than a scenario says, that has been scaled down already: a sentence each.
    ///
    /// # Errors
    /// As [`Stack::check`].
    pub fn notes(scenario: &Scenario, profile: Profile) -> Result<Vec<String>, StackError> {
        Self::check(scenario, profile)?;
        let plan = Plan::of(scenario)?;
        #[cfg(feature = "services")]
        if profile == Profile::Services {
            return Ok(crate::services::notes(&plan));
        }
        let _ = plan;
        Ok(Vec::new())
    }

    fn start_planned(plan: Plan, options: StackOptions) -> Result<Self, StackError> {
        let (stop, _) = watch::channel(false);
        let (ready, started) = mpsc::sync_channel(1);
        let stopping = stop.clone();
        let thread = std::thread::Builder::new()
            .name("plimsoll-stack".into())
            .spawn(move || run(&plan, &options, &stopping, &ready))
            .map_err(StackError::Threads)?;
        match started.recv() {
            Ok(Ok((endpoints, running))) => Ok(Self { running, endpoints, stop, thread: Some(thread) }),
            failed => {
                // It is on its way out. A panic there has been printed already.
                let _ = thread.join();
                Err(failed.map_or(StackError::Gone, |result| result.err().unwrap_or(StackError::Gone)))
            }
        }
    }

    #[must_use]
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// As other processes find it.
    #[must_use]
    pub const fn running(&self) -> &Running {
        &self.running
    }

    /// Whether somebody has stopped it through the admin API.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Stops all tiers: ports are closed and files removed when it returns, within two seconds or so.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already, and there is nothing more to stop.
            let _ = thread.join();
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.end();
    }
}

type Ready = mpsc::SyncSender<Result<(Endpoints, Running), StackError>>;

/// Life of the stack's thread.
fn run(plan: &Plan, options: &StackOptions, stop: &watch::Sender<bool>, ready: &Ready) {
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, WORKERS_MAX));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name("plimsoll-tier")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(cause) => return report(ready, Err(StackError::Threads(cause))),
    };
    // Removed at the very end, when nobody uses its files any more.
    let place = std::env::temp_dir();
    let directory = match Scratch::create(&place) {
        Ok(directory) => directory,
        Err(cause) => {
            return report(ready, Err(StackError::Prepare { what: "a private directory", place, cause }));
        }
    };
    match build(&runtime, plan, options, directory.path(), stop) {
        Ok(built) => {
            let Built { endpoints, running, mut listeners, servers } = built;
            report(ready, Ok((endpoints, running)));
            runtime.block_on(async { while listeners.join_next().await.is_some() {} });
            servers.end(&runtime);
        }
        Err(error) => report(ready, Err(error)),
    }
    runtime.shutdown_timeout(SHUTDOWN);
    drop(directory);
}

fn report(ready: &Ready, result: Result<(Endpoints, Running), StackError>) {
    // Whoever started the stack waits for this; if not, the stop signal comes next.
    let _ = ready.send(result);
}

/// A stack that is up.
struct Built {
    endpoints: Endpoints,
    running: Running,
    listeners: JoinSet<()>,
    servers: Servers,
}

/// Opens ports, makes data and starts all tiers.
fn build(
    runtime: &Runtime,
    plan: &Plan,
    options: &StackOptions,
    directory: &Path,
    stop: &watch::Sender<bool>,
) -> Result<Built, StackError> {
    let ports = {
        let _entered = runtime.enter();
        Ports::open(plan, options.port)?
    };
    let prepare = |what, place: &Path| {
        let place = place.to_owned();
        move |cause| StackError::Prepare { what, place, cause }
    };
    let log = directory.join(state::LOG);
    let log = Log::open(&log).map_err(prepare("the log", &log))?;
    let kept = options.data.as_deref().unwrap_or(directory);
    std::fs::create_dir_all(kept).map_err(prepare("the data directory", kept))?;
    let making = Making { runtime, plan, options, directory, ports: &ports, log: &log };
    let (made, servers) = stores::make(&making)?;
    let (token, inside) = (ApiKey::new()?, ApiKey::new()?);
    let shared = Shared {
        key: Arc::new(ApiKey::new()?),
        ids: Arc::new(RequestIds::default()),
        inside_proof: inside.header(),
        inside: Arc::new(inside),
        timer: Timer::start().map_err(StackError::Threads)?,
        log,
        seed: options.seed,
        emulate: options.emulate,
    };
    let endpoints = ports.endpoints(&shared.key, &token);
    // Called from within: its runtime must be known while tiers are made.
    let _entered = runtime.enter();
    let (tiers, breaker) = assemble(plan, options, kept, &ports, &shared, made, &servers)?;
    let running = Running::new(&plan.name, options.profile, &endpoints, directory);
    running.write(directory).map_err(prepare("its card", directory))?;
    let breaker = Arc::new(breaker);
    let admin = Arc::new(Admin {
        token,
        breaker: Arc::clone(&breaker),
        stop: stop.clone(),
        started: Instant::now(),
        scenario: plan.name.clone(),
        profile: options.profile,
    });
    look_after(&breaker, options.warm_every);
    let doors = ports.doors();
    let mut listeners = serve(ports, tiers, admin);
    let mut stopped = stop.subscribe();
    listeners.spawn(async move {
        // Whoever could stop the stack is gone: the same.
        let _ = stopped.wait_for(|&stop| stop).await;
        doors.iter().for_each(Door::stop);
    });
    breaker.log.note("stack", format_args!("up, {} songs", plan.songs));
    Ok(Built { endpoints, running, listeners, servers })
}

/// Tasks that go on in the background: breaks that heal by themselves, and warming.
fn look_after(breaker: &Arc<Breaker>, warm_every: Option<Duration>) {
    let healing = Arc::downgrade(breaker);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(HEAL_EVERY).await;
            let Some(breaker) = healing.upgrade() else { return };
            // On a thread that may wait for the disk; an error means that the runtime ends.
            if tokio::task::spawn_blocking(move || breaker.heal_what_is_due()).await.is_err() {
                return;
            }
        }
    });
    let Some(every) = warm_every else { return };
    let warming = Arc::downgrade(breaker);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(every).await;
            let Some(breaker) = warming.upgrade() else { return };
            breaker.warm(WARM_SONGS).await;
        }
    });
}

/// Starts to answer on all ports.
fn serve(ports: Ports, tiers: Tiers, admin: Arc<Admin>) -> JoinSet<()> {
    /// One port with what answers there.
    macro_rules! answer {
        ($listeners:expr, $port:expr, $on:ident, |$request:ident, $peer:pat_param| $answer:expr) => {{
            let Port { listener, address, door } = $port;
            let handler = move |$request, $peer| {
                let $on = Arc::clone(&$on);
                $answer
            };
            $listeners.spawn(server::serve(listener, address, door, handler));
        }};
    }
    let Tiers { edges, shield, gateway, webs, events, metrics } = tiers;
    let mut listeners = JoinSet::new();
    for (port, edge) in ports.edge.into_iter().zip(edges) {
        answer!(listeners, port, edge, |request, peer| edge.handle(request, peer));
    }
    for (port, web) in ports.web.into_iter().zip(webs) {
        answer!(listeners, port, web, |request, _| web.handle(request));
    }
    answer!(listeners, ports.shield, shield, |request, peer| shield.handle(request, peer));
    answer!(listeners, ports.gateway, gateway, |request, peer| gateway.handle(request, peer));
    answer!(listeners, ports.events, events, |request, _| events.handle(request));
    answer!(listeners, ports.admin, admin, |request, _| admin.handle(request));
    answer!(listeners, ports.metrics, metrics, |request, _| std::future::ready(scrape(&request, &metrics)));
    listeners
}

/// The metrics listener.
fn scrape(request: &Request<Incoming>, all: &[Arc<TierMetrics>]) -> Response<Body> {
    let text = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => metrics::render(all),
        (&Method::GET | &Method::HEAD, "/healthz") => "ok\n".to_owned(),
        _ => return reply::problem(StatusCode::NOT_FOUND, "try GET /metrics or GET /healthz"),
    };
    let mut response = Response::new(Body::from(bytes::Bytes::from(text)));
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    reply::headless(request.method(), response)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    /// Status of one request on a connection of its own.
    fn status(stack: &Stack, tier: &str, head: &str) -> String {
        let address = stack.endpoints().tiers[tier][0].trim_start_matches("http://").to_owned();
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let key = &stack.endpoints().api_key;
        let request = format!(
            "GET /v1/songs/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {key}\r\n{head}\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A server that refuses a long head may close before it has read all of it.
        let _ = connection.read_to_string(&mut answer);
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    fn plan() -> Plan {
        let mut plan =
            Plan::of(&plimsoll_scenarios::load("spotify").unwrap().scaled_for_load().unwrap()).unwrap();
        plan.songs = 10;
        plan
    }

    #[test]
    fn who_asks_too_often_is_slowed_down() {
        let options =
            StackOptions { emulate: false, rate_limit_per_s: NonZeroU32::new(3), ..StackOptions::default() };
        let stack = Stack::start_planned(plan(), options).unwrap();
        // Who they say they are does not help them.
        let names = |i| format!("x-forwarded-for: 10.0.0.{i}\r\nx-plimsoll-inside: 1\r\n");
        let statuses: Vec<String> = (0..20).map(|i| status(&stack, "gateway", &names(i))).collect();
        assert_eq!(statuses[..3], ["200", "200", "200"]);
        assert!(statuses.contains(&"429".to_owned()), "{statuses:?}");
    }

    #[test]
    fn oversized_heads_are_refused() {
        let stack =
            Stack::start_planned(plan(), StackOptions { emulate: false, ..StackOptions::default() }).unwrap();
        assert_eq!(status(&stack, "gateway", ""), "200");
        assert_eq!(status(&stack, "gateway", &format!("x-long: {}\r\n", "x".repeat(20_000))), "431");
        let many = "x-many: 1\r\n".repeat(100);
        assert_eq!(status(&stack, "gateway", &many), "431");
    }
}
