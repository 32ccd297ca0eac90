//! A tiny system under test, and scenarios to play against it.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use plimsoll_loadgen::{LoadError, LoadOptions, Progress, Targets, load};
use plimsoll_reports::record::Measurement;
use plimsoll_scenarios::{Scenario, SourceFile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// One action, `get`, at this rate from two sites, with a branch, `get.events`, if asked for.
pub fn scenario(rate_per_s: u32, branch: bool) -> Scenario {
    let then = r#"then: [{to: events, size: 20 B, http: {post: /v1/events, body: '{"item":{object}}'}}]"#;
    let yaml = format!(
        r#"
name: tiny
summary: get items
population:
  users: {rate_per_s}
  active: 100 %
  regions: [{{name: here, share: 100 %, utc_offset: +0 h, sites: 2}}]
datasets:
  item: {{count: 1000, size: 1 KB, popularity: {{zipf: 1.0}}, in: store}}
actions:
  get:
    per_user: 1/s
    of: item
    path: [edge, store]
    http: {{get: "/v1/items/{{object}}?q={{query}}"}}
    {}
tiers:
  edge: {{per: site, cache: {{capacity: 100 KB, policy: lru}}, servers: 2, concurrency: 8, service_time: 1 ms, queue_max: 64}}
  store: {{servers: 2, concurrency: 8, service_time: 1 ms, queue_max: 64}}
  events: {{servers: 2, concurrency: 8, service_time: 1 ms, queue_max: 64}}
"#,
        if branch { then } else { "" }
    );
    Scenario::from_yaml(&SourceFile::new("tiny.yaml", &yaml)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What the server does with a request.
#[derive(Debug, Clone, Copy)]
pub enum Behaviour {
    Answer,
    /// One in ten is refused.
    Refuse,
    /// Promises 100 bytes, sends 5, closes.
    ShortBody,
    /// Closes without an answer.
    HangUp,
    /// Never answers.
    Silent,
    /// Answers after this time.
    After(Duration),
    /// Sends its body in four pieces, so long apart.
    Drip(Duration),
    /// Answers with something that is no HTTP.
    Garbage,
    /// Answers as a TLS server does to somebody who speaks HTTP: with an alert.
    Tls,
    /// Sends more than it has promised.
    LongBody,
}

/// A server on an ephemeral port; its threads end with it.
pub struct Server {
    pub url: String,
    pub state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Default)]
pub struct State {
    pub gets: AtomicU64,
    pub posts: AtomicU64,
    /// Nobody is answered before.
    pub stalled_until: Mutex<Option<Instant>>,
    pub last_body: Mutex<String>,
    pub gaps: Mutex<Gaps>,
    /// Requests in the server, and the most that ever were.
    pub inside: AtomicU64,
    pub inside_max: AtomicU64,
}

/// Times between the arrivals of requests, by their moments alone (Welford).
#[derive(Debug, Default)]
pub struct Gaps {
    last: Option<Instant>,
    n: u64,
    mean_s: f64,
    squares: f64,
}

impl Gaps {
    fn arrive(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            let gap_s = now.saturating_duration_since(last).as_secs_f64();
            self.n += 1;
            let from_mean = gap_s - self.mean_s;
            self.mean_s += from_mean / self.n as f64;
            self.squares += from_mean * (gap_s - self.mean_s);
        }
    }

    /// Standard deviation over mean; NaN of fewer than two gaps.
    pub fn coefficient_of_variation(&self) -> f64 {
        (self.squares / (self.n as f64 - 1.0)).sqrt() / self.mean_s
    }
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("test-server")
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        runtime.spawn(accept(listener, behaviour, Arc::clone(&state)));
        Self { url: format!("http://{address}"), state, runtime: Some(runtime) }
    }

    pub fn targets(&self) -> Targets {
        Targets { fallback: Some(self.url.clone()), ..Targets::default() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, behaviour: Behaviour, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, which the generator may give back.
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            match behaviour {
                Behaviour::Answer | Behaviour::Refuse | Behaviour::After(_) => {
                    let service = hyper::service::service_fn(|request| answer(request, behaviour, &state));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                }
                _ => raw(stream, behaviour).await,
            }
        });
    }
}

/// One request, answered byte by byte.
async fn raw(mut stream: tokio::net::TcpStream, behaviour: Behaviour) {
    let mut head = [0; 4096];
    if stream.read(&mut head).await.unwrap_or(0) == 0 {
        return;
    }
    let mut write = async |bytes: &[u8]| stream.write_all(bytes).await.unwrap_or(());
    match behaviour {
        Behaviour::ShortBody => write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort").await,
        Behaviour::LongBody => write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nlonger").await,
        Behaviour::Garbage => write(b"220 mail.example ESMTP\r\n\r\n").await,
        Behaviour::Tls => write(&[0x15, 3, 1, 0, 2, 2, 70]).await,
        Behaviour::Silent => tokio::time::sleep(Duration::from_mins(1)).await,
        Behaviour::Drip(pause) => {
            write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n").await;
            for piece in 0..4 {
                if piece > 0 {
                    tokio::time::sleep(pause).await;
                }
                write(&[b'x'; 250]).await;
            }
        }
        _ => {}
    }
}

async fn answer(
    request: Request<Incoming>,
    behaviour: Behaviour,
    state: &State,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/metrics" {
        return Ok(Response::new(Full::new(metrics(state).into())));
    }
    state.gaps.lock().unwrap().arrive(Instant::now());
    let inside = state.inside.fetch_add(1, Ordering::Relaxed) + 1;
    state.inside_max.fetch_max(inside, Ordering::Relaxed);
    let answered = answered(request, behaviour, state).await;
    state.inside.fetch_sub(1, Ordering::Relaxed);
    Ok(answered)
}

async fn answered(request: Request<Incoming>, behaviour: Behaviour, state: &State) -> Response<Full<Bytes>> {
    let stalled_until = *state.stalled_until.lock().unwrap();
    if let Some(until) = stalled_until {
        tokio::time::sleep_until(until.into()).await;
    }
    if let Behaviour::After(time) = behaviour {
        tokio::time::sleep(time).await;
    }
    let post = request.method() == http::Method::POST;
    let n = if post { &state.posts } else { &state.gets }.fetch_add(1, Ordering::Relaxed);
    if post {
        let body = request.into_body().collect().await.map(Collected::to_bytes).unwrap_or_default();
        *state.last_body.lock().unwrap() = String::from_utf8_lossy(&body).into_owned();
    }
    let mut response = Response::new(Full::new(Bytes::from_static(&[b'x'; 1000])));
    let tier = if n % 4 == 0 { "store" } else { "edge" };
    response.headers_mut().insert("x-served-by", tier.parse().unwrap());
    if matches!(behaviour, Behaviour::Refuse) && n % 10 == 0 {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// The counters of a tier that is hit in three of four requests and spends 1 ms on each of two slots.
fn metrics(state: &State) -> String {
    let n = state.gets.load(Ordering::Relaxed);
    format!(
        "plimsoll_requests_total{{tier=\"edge\",replica=\"0\",outcome=\"ok\"}} {n}\n\
         plimsoll_cache_results_total{{tier=\"edge\",replica=\"0\",result=\"hit\"}} {}\n\
         plimsoll_cache_results_total{{tier=\"edge\",replica=\"0\",result=\"miss\"}} {}\n\
         plimsoll_slots{{tier=\"edge\",replica=\"0\"}} 2\n\
         plimsoll_service_seconds_sum{{tier=\"edge\",replica=\"0\"}} {}\n\
         plimsoll_service_seconds_count{{tier=\"edge\",replica=\"0\"}} {n}\n\
         plimsoll_response_bytes_total{{tier=\"edge\",replica=\"0\"}} {}\n",
        n - n / 4,
        n / 4,
        n as f64 * 0.001,
        n * 1000
    )
}

pub fn options(warmup_s: f64, duration_s: f64) -> LoadOptions {
    LoadOptions { users_max: 128, ..LoadOptions::new(7, warmup_s, duration_s) }
}

pub fn play(scenario: &Scenario, targets: &Targets, options: &LoadOptions) -> Result<Measurement, LoadError> {
    load(scenario, targets, options, &|_: Progress| {})
}

/// Requests of the trace from `from_s` to `to_s`.
pub fn planned(scenario: &Scenario, seed: u64, from_s: f64, to_s: f64) -> u64 {
    plimsoll_scenarios::trace::requests(scenario, seed, to_s).filter(|r| r.at_s >= from_s).count() as u64
}

/// Reasons not to trust a run, but for the generator's own lateness, which a busy test machine may cause.
pub fn doubts(run: &Measurement) -> Vec<&String> {
    run.invalid.iter().filter(|reason| !reason.contains("generator was late")).collect()
}
