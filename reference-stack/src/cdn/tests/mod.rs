//! How far edge and shield keep to RFC 9110 and 9111, point by point.
//!
//! Why against an origin of its own: the service behind the caches says only what it has to say, and a cache must be
//! right about what any origin may say. `points.txt` has the points, each with an exchange that shows it; the page
//! `HTTP-CACHE.md` is written from it (`PLIMSOLL_BLESS=1`), so it claims nothing that is not tried.

mod origin;
mod script;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use plimsoll_scenarios::{Balance, Policy};

use super::{Below, Cdn};
use crate::auth::{ApiKey, RequestIds};
use crate::front::Shared;
use crate::gate::Gate;
use crate::log::Log;
use crate::metrics::TierMetrics;
use crate::peer::Peer;
use crate::plan::{CachePlan, InstancePlan, TierPlan};
use crate::server::{self, Door};
use crate::tiers;
use crate::timer::Timer;
use crate::upstream::Upstream;
use origin::Origin;
use script::{Asks, Expected, Point, Step};

const POINTS: &str = include_str!("points.txt");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/HTTP-CACHE.md");
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A cache before an origin, and a client.
struct Bench {
    origin: Origin,
    base: String,
    key: String,
    client: Client<HttpConnector, Full<Bytes>>,
    _directory: tempfile::TempDir,
}

fn shared(directory: &std::path::Path) -> Shared {
    let inside = ApiKey::new().unwrap();
    Shared {
        key: Arc::new(ApiKey::new().unwrap()),
        ids: Arc::new(RequestIds::default()),
        inside_proof: inside.header(),
        inside: Arc::new(inside),
        timer: Timer::start().unwrap(),
        log: Log::open(&directory.join("log")).unwrap(),
        seed: 1,
        emulate: false,
    }
}

fn plan() -> TierPlan {
    TierPlan {
        name: tiers::EDGE,
        rtt: Duration::ZERO,
        instances: vec![InstancePlan { slots: 100, queue_max: 100 }],
        service: None,
        balance: Balance::RoundRobin,
        cache: Some(CachePlan { policy: Policy::Lru, bytes: 1 << 20 }),
        link_bits_per_s: None,
        copies: 1,
    }
}

impl Bench {
    /// With the cache that `make` makes before an origin at an address.
    async fn start(make: impl AsyncFnOnce(Shared, TierPlan, Vec<Arc<Gate>>, Vec<Below>) -> Arc<Cdn>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (origin, address) = Origin::start().await;
        let (shared, plan) = (shared(directory.path()), plan());
        let metrics = TierMetrics::new(tiers::EDGE, 0, 100, true);
        let gate = Gate::new(plan.instances[0], None, None, 1, shared.timer.clone(), metrics);
        let upstream = Upstream::new(tiers::GATEWAY, Duration::ZERO, shared.timer.clone());
        let below = vec![Below { upstream, at: Peer::at(address) }];
        let key = shared.key.text().to_owned();
        let cdn = make(shared, plan, vec![Arc::new(gate)], below).await;
        let (listener, at) = server::listen(tiers::EDGE, None).unwrap();
        let handler = move |request, peer| Arc::clone(&cdn).handle(request, peer);
        tokio::spawn(server::serve(listener, at, Door::new(), handler));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { origin, base: format!("http://{at}"), key, client, _directory: directory }
    }

    async fn send(&self, path: &str, step: &Step) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let mut request = Request::builder()
            .method(step.method.as_str())
            .uri(format!("{}{path}", self.base))
            .header("x-api-key", &self.key);
        for (name, value) in &step.headers {
            request = request.header(name, value);
        }
        let body = if step.method == "GET" || step.method == "HEAD" { "" } else { "{}" };
        let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| error.to_string())?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok((head.status, head.headers, body))
        };
        tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| "no answer".to_owned())?
    }

    /// What is wrong with what comes of a step; nothing, if nothing is.
    async fn try_step(&self, path: &str, step: &Step) -> Result<(), String> {
        let path = format!("{path}{}", step.object);
        let before = self.origin.asked(&path).len();
        let sends = (0..step.times).map(|_| self.send(&path, step));
        for answer in futures_util::future::join_all(sends).await {
            let (status, headers, body) = answer?;
            if status.as_u16() != step.status {
                return Err(format!("{status}, {}", String::from_utf8_lossy(&body)));
            }
            if step.body.as_ref().is_some_and(|expected| body != expected.as_bytes()) {
                return Err(format!("the body is {body:?}"));
            }
            hold(&step.answered, |name| values(&headers, name))?;
        }
        if step.asks == Asks::Meanwhile {
            let began = Instant::now();
            while self.origin.asked(&path).len() == before {
                if began.elapsed() > PATIENCE {
                    return Err("nobody asked the origin".to_owned());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // The answer is on its way into the cache; the next step must meet it there.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let asked = self.origin.asked(&path);
        let expected = before + usize::from(step.asks != Asks::Kept);
        if asked.len() != expected {
            return Err(format!(
                "the origin was asked {} times, expected {}",
                asked.len() - before,
                expected - before
            ));
        }
        let last = asked.last().cloned().unwrap_or_default();
        hold(&step.forwarded, |name| {
            let values = last.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone());
            values.collect::<Vec<_>>()
        })
        .map_err(|wrong| format!("the origin got {wrong}"))
    }

    async fn try_point(&self, number: usize, point: &Point) -> Result<(), String> {
        let path = format!("/point/{number}");
        for (object, answer) in &point.answers {
            self.origin.script(&format!("{path}{object}"), answer.clone());
        }
        for step in &point.steps {
            self.try_step(&path, step).await.map_err(|wrong| format!("{}: {wrong}", step.line))?;
        }
        Ok(())
    }
}

fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.get_all(name).iter().map(text).collect()
}

fn hold(expected: &[Expected], values: impl Fn(&str) -> Vec<String>) -> Result<(), String> {
    for expected in expected {
        let (name, holds) = match expected {
            Expected::Is(name, value) => (name, values(name) == [value.as_str()]),
            Expected::Holds(name, part) => (name, values(name).iter().any(|value| value.contains(part))),
            Expected::There(name) => (name, values(name).len() == 1),
            Expected::Missing(name) => (name, values(name).is_empty()),
        };
        if !holds {
            return Err(format!("{name}: {:?}, expected {expected:?}", values(name)));
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_point_holds_where_the_tier_keeps_the_objects() {
    let bench = Bench::start(async |shared, plan, gates, below| Cdn::new(shared, &plan, gates, below)).await;
    let points = script::read(POINTS);
    assert!(points.len() > 80, "{}", points.len());
    let mut wrong = String::new();
    for (number, point) in points.iter().enumerate() {
        if let Err(what) = bench.try_point(number, point).await {
            let _ = writeln!(wrong, "{} {}\n    {what}", point.section, point.what);
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// Where programs are missing this passes and says so, unless CI requires them.
#[cfg(all(feature = "services", target_os = "linux"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_points_that_the_page_says_hold_where_nginx_keeps_the_objects() {
    use crate::services::{Guardian, Programs, Server, ServerPorts, Setting, nginx};

    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(missing) => {
            assert!(std::env::var_os("PLIMSOLL_REQUIRE_SERVICES").is_none(), "{missing}");
            return eprintln!("skipped: {missing}");
        }
    };
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("services");
    for place in [directory.path(), &own] {
        crate::services::open_to_servers(place).unwrap();
    }
    let guardian = Arc::new(Guardian::start(directory.path()).unwrap());
    let ports = ServerPorts::default();
    let setting = Setting { directory: &own, programs: &programs, ports: &ports, guardian: &guardian };
    let mut server = None;
    let bench = Bench::start(async |shared, plan, gates, below| {
        let address = below[0].at.address();
        let (cache, spec) = nginx::cache(&setting, tiers::EDGE, 0, plan.cache.unwrap(), &[address]).unwrap();
        let nginx = Server::start(spec, Arc::clone(&guardian), shared.log.clone());
        nginx.ready().await.unwrap();
        server = Some(nginx);
        Cdn::with_nginx(shared, &plan, gates, below, cache)
    })
    .await;
    let mut wrong = String::new();
    for (number, point) in script::read(POINTS).iter().enumerate() {
        let about = match (bench.try_point(number, point).await, &point.not_with_nginx) {
            (Ok(()), None) | (Err(_), Some(_)) => continue,
            (Err(what), None) => what,
            (Ok(()), Some(_)) => "it holds: take its `~` away".to_owned(),
        };
        let _ = writeln!(wrong, "{} {}\n    {about}", point.section, point.what);
    }
    server.unwrap().end().await;
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_page_lists_the_points() {
    let points = script::read(POINTS);
    let mut text = String::from(
        "# HTTP caching of edge and shield\n\n\
         What RFC 9110, 9111, 5861 and 9211 ask of a shared cache, point by point. Each is an exchange between a client, the\n\
         cache and an origin in `src/cdn/tests/points.txt`, and tried by `cargo test -p plimsoll-stack cdn::tests`, which\n\
         also writes this page (`PLIMSOLL_BLESS=1`). *nginx* is the services profile, where nginx keeps the objects.\n",
    );
    let mut title = "";
    for point in &points {
        if title != point.title {
            title = &point.title;
            let _ = write!(
                text,
                "\n## {title}\n\n| RFC, section | point | embedded | nginx |\n|---|---|---|---|\n"
            );
        }
        let nginx = point.not_with_nginx.as_deref().map_or("✓".to_owned(), |why| format!("no: {why}"));
        let section = point.section.replacen(' ', ", ", 1);
        let _ = writeln!(text, "| {section} | {} | ✓ | {nginx} |", point.what.replace('|', "\\|"));
    }
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(PAGE, &text).unwrap();
    }
    let page = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(page == text, "write it anew: PLIMSOLL_BLESS=1 cargo test -p plimsoll-stack --lib cdn::tests");
}
