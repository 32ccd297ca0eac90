//! The admin API: a port of its own, behind a token of its own, to look at the stack, break it and stop it.
//!
//! Why apart: whoever may play songs must not be able to kill servers, whatever mistake a route makes.

use std::sync::Arc;
use std::time::Instant;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::watch;

use crate::auth::ApiKey;
use crate::breaks::{Break, BreakError, Breaker};
use crate::front;
use crate::reply::{self, Body};
use crate::stack::Profile;
use crate::state::{PartStatus, StackStatus};

/// Songs that are warmed at once.
const WARM_MAX: usize = 1000;

/// What the admin API works on.
pub struct Admin {
    pub token: ApiKey,
    pub breaker: Arc<Breaker>,
    pub stop: watch::Sender<bool>,
    pub started: Instant,
    pub scenario: String,
    pub profile: Profile,
}

impl Admin {
    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        if !self.admits(&head.headers) {
            let detail = "send the admin token of this start as `authorization: Bearer TOKEN`";
            return reply::problem(StatusCode::UNAUTHORIZED, detail);
        }
        let path = head.uri.path().trim_start_matches("/admin").to_owned();
        let get = head.method == Method::GET;
        let response = match (&head.method, path.as_str()) {
            (&Method::GET, "/status") => json(&self.status()),
            (&Method::GET, "/breaks") => json(&self.breaker.active()),
            (&Method::POST, "/breaks") => match front::read(body).await {
                Ok(body) => self.break_it(&body).await,
                Err((refusal, _)) => refusal,
            },
            (&Method::DELETE, path) if path.starts_with("/breaks") => self.heal(path).await,
            (&Method::POST, "/warm") => {
                let top = head.uri.query().and_then(|query| query.strip_prefix("top=")?.parse().ok());
                let warm = self.breaker.warm(top.unwrap_or(10).min(WARM_MAX)).await;
                json(&serde_json::json!({ "warm": warm }))
            }
            (&Method::POST, "/stop") => {
                self.stop.send_replace(true);
                reply::empty(StatusCode::ACCEPTED)
            }
            (_, "/status") => reply::not_allowed("GET"),
            (_, "/breaks") => reply::not_allowed("GET, POST, DELETE"),
            (_, "/warm" | "/stop") => reply::not_allowed("POST"),
            _ => reply::problem(
                StatusCode::NOT_FOUND,
                "try /admin/status, /admin/breaks, /admin/warm or /admin/stop",
            ),
        };
        if get { reply::headless(&head.method, response) } else { response }
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        given.is_some_and(|token| self.token.is(token))
    }

    fn status(&self) -> StackStatus {
        let part = |part: &crate::breaks::Part| {
            let metrics = &part.gate.metrics;
            let up = metrics.up.load(std::sync::atomic::Ordering::Relaxed) && part.server_answers();
            PartStatus {
                tier: part.tier.to_owned(),
                replica: part.replica,
                up,
                slots: metrics.slots,
                load: metrics.load(),
            }
        };
        let parts = self.breaker.parts.iter();
        let bus = parts.clone().find_map(|part| part.gate.metrics.bus.as_ref());
        StackStatus {
            scenario: self.scenario.clone(),
            profile: self.profile.name().to_owned(),
            uptime_s: self.started.elapsed().as_secs_f64(),
            songs: self.breaker.songs.load(std::sync::atomic::Ordering::Relaxed),
            bus_lag_events: bus.map_or(0, crate::metrics::BusMetrics::lag),
            parts: parts.map(part).collect(),
            broken: self.breaker.active(),
        }
    }

    async fn break_it(&self, body: &[u8]) -> Response<Body> {
        let wish: Break = match serde_json::from_slice(body) {
            Ok(wish) => wish,
            Err(error) => {
                let detail = format!("expected {{\"kind\": \"kill\", \"target\": \"web/0\"}}: {error}");
                return reply::problem(StatusCode::BAD_REQUEST, &detail);
            }
        };
        let breaker = Arc::clone(&self.breaker);
        answered(tokio::task::spawn_blocking(move || breaker.break_it(&wish)).await)
    }

    /// `/breaks` heals everything, `/breaks/7` one thing.
    async fn heal(&self, path: &str) -> Response<Body> {
        let id = match path.strip_prefix("/breaks").unwrap_or_default() {
            "" => None,
            id => match id.strip_prefix('/').map(str::parse) {
                Some(Ok(id)) => Some(id),
                _ => {
                    return reply::problem(
                        StatusCode::NOT_FOUND,
                        "breaks have numbers, as in /admin/breaks/7",
                    );
                }
            },
        };
        let breaker = Arc::clone(&self.breaker);
        answered(tokio::task::spawn_blocking(move || breaker.heal(id)).await)
    }
}

fn answered<T: Serialize>(done: Result<Result<T, BreakError>, tokio::task::JoinError>) -> Response<Body> {
    match done {
        Ok(Ok(done)) => json(&done),
        Ok(Err(BreakError::Wrong(detail))) => reply::problem(StatusCode::BAD_REQUEST, &detail),
        Ok(Err(BreakError::Failed(detail))) => reply::problem(StatusCode::INTERNAL_SERVER_ERROR, &detail),
        Err(_) => reply::problem(StatusCode::SERVICE_UNAVAILABLE, "the stack is stopping"),
    }
}

fn json(value: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_vec(value).expect("these records hold only numbers and text");
    reply::json(&Method::GET, text.into(), "no-store")
}
