//! Starting and stopping the whole stack.
//!
//! Why a thread that owns everything: the runtime, the listeners and the data live and die on it, so a
//! stack can be started and stopped from anywhere, also from within somebody else's runtime.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use plimsoll_scenarios::Scenario;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audio::{self, AudioStore};
use crate::auth::{ApiKey, RequestIds};
use crate::cdn::Cdn;
use crate::database::{self, Database};
use crate::error::StackError;
use crate::events::Events;
use crate::front::Shared;
use crate::gate::Gate;
use crate::gateway::Gateway;
use crate::inner::Replicas;
use crate::metadata::Metadata;
use crate::metrics::{self, TierMetrics};
use crate::plan::{Plan, TierPlan};
use crate::reply::{self, Body};
use crate::scratch::Scratch;
use crate::timer::Timer;
use crate::web::Web;
use crate::{server, tiers};

/// Tasks that outlast the drain are cut off after this time.
const SHUTDOWN: Duration = Duration::from_secs(1);
/// Threads of the runtime.
const WORKERS_MAX: usize = 8;

/// How to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackOptions {
    /// Of service times, random balancing and the songs' bytes.
    pub seed: u64,
    /// Port of the gateway; any free one without it.
    pub port: Option<u16>,
    /// Emulate the scenario's service times and round trips. Without it, every tier is as fast as it can.
    pub emulate: bool,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self { seed: 1, port: None, emulate: true }
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
}

/// A running stack. Dropping it stops it.
#[derive(Debug)]
pub struct Stack {
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
        Self::start_planned(Plan::of(scenario)?, options.clone())
    }

    /// Whether [`Stack::start`] could play a scenario that has been scaled down already; starts nothing.
    ///
    /// # Errors
    /// [`StackError::Unplayable`] with everything that stands in the way.
    pub fn check(scenario: &Scenario) -> Result<(), StackError> {
        Plan::of(scenario).map(drop)
    }

    fn start_planned(plan: Plan, options: StackOptions) -> Result<Self, StackError> {
        let (stop, stopped) = watch::channel(false);
        let (ready, started) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("plimsoll-stack".into())
            .spawn(move || run(&plan, &options, &stopped, &ready))
            .map_err(StackError::Threads)?;
        // From here on, dropping the stack ends the thread.
        let mut stack = Self { endpoints: nowhere(), stop, thread: Some(thread) };
        stack.endpoints = started.recv().map_err(|_| StackError::Gone)??;
        Ok(stack)
    }

    #[must_use]
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
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

fn nowhere() -> Endpoints {
    Endpoints { tiers: BTreeMap::new(), metrics: String::new(), api_key: String::new() }
}

type Ready = mpsc::SyncSender<Result<Endpoints, StackError>>;

/// Life of the stack's thread.
fn run(plan: &Plan, options: &StackOptions, stop: &watch::Receiver<bool>, ready: &Ready) {
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
        Ok((endpoints, mut listeners)) => {
            report(ready, Ok(endpoints));
            runtime.block_on(async { while listeners.join_next().await.is_some() {} });
        }
        Err(error) => report(ready, Err(error)),
    }
    runtime.shutdown_timeout(SHUTDOWN);
    drop(directory);
}

fn report(ready: &Ready, result: Result<Endpoints, StackError>) {
    // Whoever started the stack waits for this; if not, the stop signal comes next.
    let _ = ready.send(result);
}

/// Ports, before anything behind them exists.
struct Ports {
    edge: Vec<Port>,
    shield: Port,
    gateway: Port,
    web: Vec<Port>,
    events: Port,
    metrics: Port,
}

struct Port {
    listener: TcpListener,
    authority: String,
}

impl Port {
    async fn open(tier: &str, port: Option<u16>) -> Result<Self, StackError> {
        let (listener, address) = server::listen(tier, port).await?;
        Ok(Self { listener, authority: address.to_string() })
    }

    async fn open_all(tier: &TierPlan) -> Result<Vec<Self>, StackError> {
        let mut ports = Vec::with_capacity(tier.instances.len());
        for _ in &tier.instances {
            ports.push(Self::open(tier.name, None).await?);
        }
        Ok(ports)
    }

    fn url(&self) -> String {
        format!("http://{}", self.authority)
    }
}

impl Ports {
    async fn open(plan: &Plan, gateway: Option<u16>) -> Result<Self, StackError> {
        Ok(Self {
            // First: it is the one that may be taken.
            gateway: Port::open(tiers::GATEWAY, gateway).await?,
            edge: Port::open_all(&plan.edge).await?,
            shield: Port::open(tiers::SHIELD, None).await?,
            web: Port::open_all(&plan.web).await?,
            events: Port::open(tiers::EVENTS, None).await?,
            metrics: Port::open("metrics", None).await?,
        })
    }

    fn endpoints(&self, key: &ApiKey) -> Endpoints {
        let urls = |ports: &[Port]| ports.iter().map(Port::url).collect::<Vec<_>>();
        let tiers = [
            (tiers::EDGE, urls(&self.edge)),
            (tiers::SHIELD, vec![self.shield.url()]),
            (tiers::GATEWAY, vec![self.gateway.url()]),
            (tiers::WEB, urls(&self.web)),
            (tiers::EVENTS, vec![self.events.url()]),
        ];
        Endpoints {
            tiers: tiers.into_iter().map(|(tier, urls)| (tier.to_owned(), urls)).collect(),
            metrics: format!("{}/metrics", self.metrics.url()),
            api_key: key.text().to_owned(),
        }
    }
}

/// Opens ports, makes data and starts all tiers.
fn build(
    runtime: &Runtime,
    plan: &Plan,
    options: &StackOptions,
    directory: &Path,
    stop: &watch::Receiver<bool>,
) -> Result<(Endpoints, JoinSet<()>), StackError> {
    let ports = runtime.block_on(Ports::open(plan, options.port))?;
    let (songs, database) = prepare(plan, options.seed, directory)?;
    let key = Arc::new(ApiKey::new()?);
    let endpoints = ports.endpoints(&key);
    let shared = Shared {
        key,
        ids: Arc::new(RequestIds::default()),
        timer: Timer::start().map_err(StackError::Threads)?,
        seed: options.seed,
        emulate: options.emulate,
    };
    let mut gates = Gates { shared: &shared, metrics: Vec::new() };
    // Called from within: its runtime must be known while tiers are made.
    let _entered = runtime.enter();

    let cdn = |tier: &TierPlan, gates: Vec<Arc<Gate>>, below: &TierPlan, at: &str| {
        Cdn::new(shared.clone(), tier, gates, below, at)
    };
    let edge = |gate| cdn(&plan.edge, vec![gate], &plan.shield, &ports.shield.authority);
    let edges: Vec<Arc<Cdn>> = gates.of(&plan.edge).into_iter().map(edge).collect();
    let shield = cdn(&plan.shield, gates.of(&plan.shield), &plan.gateway, &ports.gateway.authority);
    let web_addresses: Vec<String> = ports.web.iter().map(|port| port.authority.clone()).collect();
    let gateway =
        Gateway::new(shared.clone(), plan, gates.of(&plan.gateway), &web_addresses, &ports.events.authority);
    let mut replicas = |tier: &TierPlan| Replicas::new(shared.clone(), tier, gates.of(tier));
    let (cache, db) = (replicas(&plan.metadata_cache), replicas(&plan.metadata_db));
    let metadata = Metadata::new(cache, plan.metadata_cache.cache_bytes, db, database, plan.search_bytes);
    let store = replicas(&plan.audio_store);
    let audio = Arc::new(AudioStore::open(store, &songs, plan.songs, plan.song_bytes)?);
    let web = |gate| Web::new(shared.clone(), &plan.web, gate, Arc::clone(&audio), Arc::clone(&metadata));
    let webs: Vec<Arc<Web>> = gates.of(&plan.web).into_iter().map(web).collect();
    let log = directory.join("events.jsonl");
    let events = Events::start(shared.clone(), &plan.events, gates.of(&plan.events), &log, plan.songs)?;
    let metrics = gates.metrics.into();
    Ok((endpoints, serve(ports, stop, Tiers { edges, shield, gateway, webs, events, metrics })))
}

/// Everything that has a port.
struct Tiers {
    edges: Vec<Arc<Cdn>>,
    shield: Arc<Cdn>,
    gateway: Arc<Gateway>,
    webs: Vec<Arc<Web>>,
    events: Arc<Events>,
    metrics: Arc<[Arc<TierMetrics>]>,
}

/// Starts to answer on all ports.
fn serve(ports: Ports, stop: &watch::Receiver<bool>, tiers: Tiers) -> JoinSet<()> {
    let Tiers { edges, shield, gateway, webs, events, metrics } = tiers;
    let mut listeners = JoinSet::new();
    for (port, edge) in ports.edge.into_iter().zip(edges) {
        listeners.spawn(server::serve(port.listener, stop.clone(), move |r| Arc::clone(&edge).handle(r)));
    }
    for (port, web) in ports.web.into_iter().zip(webs) {
        listeners.spawn(server::serve(port.listener, stop.clone(), move |r| Arc::clone(&web).handle(r)));
    }
    let Ports { shield: at_shield, gateway: at_gateway, events: at_events, metrics: at_metrics, .. } = ports;
    listeners.spawn(server::serve(at_shield.listener, stop.clone(), move |r| Arc::clone(&shield).handle(r)));
    listeners
        .spawn(server::serve(at_gateway.listener, stop.clone(), move |r| Arc::clone(&gateway).handle(r)));
    listeners.spawn(server::serve(at_events.listener, stop.clone(), move |r| Arc::clone(&events).handle(r)));
    let scrape = move |r| std::future::ready(scrape(&r, &metrics));
    listeners.spawn(server::serve(at_metrics.listener, stop.clone(), scrape));
    listeners
}

/// Makes the songs and the database, side by side.
fn prepare(plan: &Plan, seed: u64, directory: &Path) -> Result<(std::path::PathBuf, Database), StackError> {
    let (songs, file) = (directory.join("audio"), directory.join("songs.db"));
    let slots = plan.metadata_db.instances.iter().map(|instance| instance.slots).sum();
    std::thread::scope(|scope| {
        let indexing = scope.spawn(|| database::build(&file, plan.songs));
        audio::fill(&songs, seed, plan.songs, plan.song_bytes)?;
        indexing.join().unwrap_or(Err(StackError::Gone))
    })?;
    let database = Database::open(&file, slots)?;
    Ok((songs, database))
}

/// Makes gates, and keeps the metrics of each.
struct Gates<'a> {
    shared: &'a Shared,
    metrics: Vec<Arc<TierMetrics>>,
}

impl Gates<'_> {
    fn of(&mut self, tier: &TierPlan) -> Vec<Arc<Gate>> {
        let service = tier.service.as_ref().filter(|_| self.shared.emulate);
        let make = |(replica, &instance): (usize, &crate::plan::InstancePlan)| {
            let metrics = TierMetrics::new(tier.name, replica, instance.slots, tier.cache_bytes.is_some());
            self.metrics.push(Arc::clone(&metrics));
            Arc::new(Gate::new(instance, service, self.shared.seed, self.shared.timer.clone(), metrics))
        };
        tier.instances.iter().enumerate().map(make).collect()
    }
}

/// The metrics listener.
fn scrape(request: &Request<Incoming>, all: &[Arc<TierMetrics>]) -> Response<Body> {
    let text = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => metrics::render(all),
        (&Method::GET | &Method::HEAD, "/healthz") => "ok\n".to_owned(),
        _ => return reply::problem(StatusCode::NOT_FOUND, "try GET /metrics or GET /healthz"),
    };
    let mut response = Response::new(Either::Left(Full::new(text.into())));
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
        let plan = Plan { rate_limit_per_s: 3, ..plan() };
        let stack =
            Stack::start_planned(plan, StackOptions { emulate: false, ..StackOptions::default() }).unwrap();
        let statuses: Vec<String> = (0..20).map(|_| status(&stack, "gateway", "")).collect();
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
