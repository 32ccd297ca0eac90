//! The bus of play events: a bounded queue, one consumer that appends to a log and counts plays.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::balance::Balancer;
use crate::error::StackError;
use crate::front::Shared;
use crate::gate::{Full as QueueFull, Gate};
use crate::metrics::Outcome;
use crate::plan::TierPlan;
use crate::reply::{self, Body};
use crate::tiers;
use crate::visit::Visit;

/// Where events are sent to.
pub const EVENTS_PATH: &str = "/v1/events";
/// Events between the listener and the consumer.
const BUS_MAX: usize = 1 << 16;
/// Bytes of one event.
const EVENT_BYTES_MAX: usize = 4096;
/// A client must have sent its event within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the log; later events are counted but not kept.
const LOG_BYTES_MAX: u64 = 1 << 30;
/// Songs in the heat map's answer: default and limit.
const HEAT: (usize, usize) = (10, 1000);

#[derive(Debug, Deserialize)]
struct Play {
    song: u64,
}

#[derive(Debug, Serialize)]
struct Warm {
    song: u64,
    plays: u64,
}

/// The bus's listener.
#[derive(Debug)]
pub struct Events {
    shared: Shared,
    rtt: Duration,
    gates: Vec<Arc<Gate>>,
    balancer: Balancer,
    bus: Sender<u64>,
    plays: Arc<[AtomicU64]>,
}

impl Events {
    /// Opens the log and starts the consumer, which ends with this value.
    ///
    /// # Errors
    /// If the log can't be written, or there is no thread.
    pub fn start(
        shared: Shared,
        plan: &TierPlan,
        gates: Vec<Arc<Gate>>,
        log: &Path,
        songs: u64,
    ) -> Result<Arc<Self>, StackError> {
        let file = File::create(log).map_err(|cause| StackError::Prepare {
            what: "the event log",
            place: log.to_owned(),
            cause,
        })?;
        let plays: Arc<[AtomicU64]> = (0..songs).map(|_| AtomicU64::new(0)).collect();
        let (bus, events) = channel(BUS_MAX);
        let counts = Arc::clone(&plays);
        std::thread::Builder::new()
            .name("plimsoll-events".into())
            .spawn(move || consume(events, file, &counts))
            .map_err(StackError::Threads)?;
        let balancer = Balancer::new(plan.balance, shared.seed, plan.name);
        Ok(Arc::new(Self { rtt: shared.rtt(plan), shared, gates, balancer, bus, plays }))
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let gate = &self.gates[self.balancer.pick(&self.gates, |gate| gate.metrics.load())];
        let mut visit = Visit::start(&gate.metrics);
        let id = self.shared.ids.of(request.headers());
        self.shared.arrive(&mut visit, self.rtt, request.headers()).await;
        let (mut response, outcome) = if let Some(refusal) = self.shared.refuse(request.headers()) {
            (refusal, Outcome::Rejected)
        } else {
            // The body is read first: a client that sends slowly must not hold a slot.
            let (head, body) = request.into_parts();
            let body = read(body).await;
            match gate.pass(async { self.serve(&head, body) }).await {
                Err(QueueFull) => (reply::busy(tiers::EVENTS), Outcome::Rejected),
                Ok((response, queued)) => {
                    visit.queued = queued;
                    let failed = response.status().is_server_error();
                    (response, if failed { Outcome::Failed } else { Outcome::Ok })
                }
            }
        };
        let trail = visit.end(outcome, reply::length(&response));
        reply::sign(&mut response, &trail, HeaderValue::from_static(tiers::EVENTS), id);
        response
    }

    fn serve(&self, head: &http::request::Parts, body: Option<Bytes>) -> Response<Body> {
        let allow = match (&head.method, head.uri.path()) {
            (&Method::POST, EVENTS_PATH) => return self.accept(body),
            (&Method::GET, "/v1/heat") => return self.heat(head.uri.query().unwrap_or_default()),
            (_, EVENTS_PATH) => "POST",
            (_, "/v1/heat") => "GET",
            _ => return reply::problem(StatusCode::NOT_FOUND, "try POST /v1/events or GET /v1/heat"),
        };
        let mut response = reply::problem(StatusCode::METHOD_NOT_ALLOWED, &format!("use {allow}"));
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        response
    }

    fn accept(&self, body: Option<Bytes>) -> Response<Body> {
        let Some(body) = body else { return too_long() };
        match serde_json::from_slice::<Play>(&body) {
            Ok(play) if play.song >= 1 && play.song <= self.plays.len() as u64 => {
                match self.bus.try_send(play.song) {
                    Ok(()) => reply::empty(StatusCode::ACCEPTED),
                    Err(TrySendError::Full(_)) => reply::busy("the event bus"),
                    Err(TrySendError::Closed(_)) => {
                        reply::problem(StatusCode::INTERNAL_SERVER_ERROR, "the consumer of events has ended")
                    }
                }
            }
            Ok(_) => {
                let detail = format!("songs count from 1 to {}", self.plays.len());
                reply::problem(StatusCode::BAD_REQUEST, &detail)
            }
            Err(error) => {
                reply::problem(StatusCode::BAD_REQUEST, &format!("expected {{\"song\": 1}}: {error}"))
            }
        }
    }

    /// The songs played most, most played first; ties go to the lower number.
    fn heat(&self, query: &str) -> Response<Body> {
        let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "top");
        let top = match asked.map(|(_, value)| value.parse::<usize>()) {
            None => HEAT.0,
            Some(Ok(top)) => top.min(HEAT.1),
            Some(Err(_)) => {
                return reply::problem(StatusCode::BAD_REQUEST, "top is a number, as in /v1/heat?top=10");
            }
        };
        let mut warm: Vec<Warm> = (1..)
            .zip(self.plays.iter())
            .map(|(song, plays)| Warm { song, plays: plays.load(Ordering::Relaxed) })
            .filter(|warm| warm.plays > 0)
            .collect();
        warm.sort_by_key(|warm| (std::cmp::Reverse(warm.plays), warm.song));
        warm.truncate(top);
        let text = serde_json::to_vec(&warm).expect("these records hold only numbers");
        reply::json(&Method::GET, text.into(), "no-store")
    }
}

/// The body of an event; `None` if it is too long, comes too slowly or breaks off.
pub async fn read(body: Incoming) -> Option<Bytes> {
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, EVENT_BYTES_MAX).collect()).await;
    body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes)
}

/// The answer where [`read`] gave nothing.
pub fn too_long() -> Response<Body> {
    let detail = format!("an event has at most {EVENT_BYTES_MAX} bytes, sent without a long pause");
    reply::problem(StatusCode::PAYLOAD_TOO_LARGE, &detail)
}

/// The consumer: keeps the log and the counts.
fn consume(mut events: Receiver<u64>, log: File, plays: &[AtomicU64]) {
    let mut log = BufWriter::new(log);
    let mut written = 0;
    while let Some(song) = events.blocking_recv() {
        if let Some(count) = plays.get((song - 1) as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if written < LOG_BYTES_MAX {
            let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            let line = format!("{{\"at_ms\":{at_ms},\"song\":{song}}}\n");
            written += line.len() as u64;
            // A full disk costs the log, not the counts.
            let _ = log.write_all(line.as_bytes());
        }
        if events.is_empty() {
            let _ = log.flush();
        }
    }
}
