//! The gateway: key, rate limit, and a choice among the web servers that work. It passes responses through
//! unread.
//!
//! Why a budget for retries: when everything fails, trying everything twice makes it fail twice as hard. So
//! every request earns a tenth of a retry, and no more than a few are saved up.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::api;
use crate::balance::Balancer;
use crate::front::{self, Arrived, Refusal, Shared};
use crate::gate::Gate;
use crate::metrics::Outcome;
use crate::peer::Peer;
use crate::plan::Plan;
use crate::reply::{self, Body, SERVED_BY, wire};
use crate::tiers;
use crate::upstream::{self, HopError, Upstream};
use crate::visit::{Trail, Visit};
use crate::web::HEALTH_PATH;

/// Tenths of a retry: what a request earns, what one costs, and how many are saved up.
const RETRY_COSTS: i64 = 10;
const RETRIES_SAVED_MAX: i64 = 100 * RETRY_COSTS;
/// Web servers that did not answer are asked this often whether they are back.
const HEALTH_EVERY: Duration = Duration::from_millis(100);
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
/// Clients whose rates are remembered; beyond that those who were quiet are forgotten.
const CLIENTS_MAX: usize = 1 << 16;

/// All gateway replicas: one port, a gate for each.
#[derive(Debug)]
pub struct Gateway {
    shared: Shared,
    rtt: Duration,
    gates: Vec<Arc<Gate>>,
    balancer: Balancer,
    /// None: as often as they like.
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    upstream: Upstream,
    webs: Vec<WebServer>,
    web_balancer: Balancer,
    /// Tenths of retries that may be made.
    retries: AtomicI64,
    events: Upstream,
    events_at: Peer,
    /// The server that balances for us, and how to call it.
    #[cfg(feature = "services")]
    nginx: Option<(Upstream, Peer)>,
}

/// A web server as the gateway sees it.
#[derive(Debug)]
struct WebServer {
    at: Peer,
    open: AtomicU64,
    answers: AtomicBool,
}

/// A request as it is passed on.
struct Asked<'a> {
    head: &'a request::Parts,
    id: &'a HeaderValue,
    client: IpAddr,
    body: Bytes,
}

/// A request that a web server has not answered yet.
struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    fn count(open: &'a AtomicU64) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gateway {
    /// Of `rate_limit_per_s` requests a second for each client, where there is a limit. Starts a task that
    /// watches the web servers, and ends with the gateway.
    pub fn start(
        shared: Shared,
        plan: &Plan,
        gates: Vec<Arc<Gate>>,
        webs: &[SocketAddr],
        events_at: SocketAddr,
        rate_limit_per_s: Option<NonZeroU32>,
        #[cfg(feature = "services")] nginx: Option<SocketAddr>,
    ) -> Arc<Self> {
        let upstream = Upstream::new(tiers::WEB, shared.rtt(&plan.web), shared.timer.clone());
        let events = Upstream::new(tiers::EVENTS, shared.rtt(&plan.events), shared.timer.clone());
        let web = |&at: &SocketAddr| WebServer {
            at: Peer::at(at),
            open: AtomicU64::new(0),
            answers: AtomicBool::new(true),
        };
        let gateway = Arc::new(Self {
            rtt: shared.rtt(&plan.gateway),
            gates,
            balancer: Balancer::new(plan.gateway.balance, shared.seed, tiers::GATEWAY),
            limiter: rate_limit_per_s.map(|limit| RateLimiter::keyed(Quota::per_second(limit))),
            upstream,
            webs: webs.iter().map(web).collect(),
            web_balancer: Balancer::new(plan.web.balance, shared.seed, tiers::WEB),
            retries: AtomicI64::new(RETRIES_SAVED_MAX),
            events,
            events_at: Peer::at(events_at),
            #[cfg(feature = "services")]
            nginx: nginx
                .map(|at| (Upstream::new(tiers::WEB, Duration::ZERO, shared.timer.clone()), Peer::at(at))),
            shared,
        });
        tokio::spawn(watch_webs(Arc::downgrade(&gateway)));
        gateway
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let (head, body) = request.into_parts();
        let gate = front::pick(&self.gates, &self.balancer);
        let op = api::op(&head.method, head.uri.path());
        let mut arrived = Arrived::at(&self.shared, gate, op, self.rtt, &head.headers).await;
        let mut by = HeaderValue::from_static(tiers::GATEWAY);
        let answer = self.answer(&mut arrived, &mut by, &head, body, peer).await;
        arrived.leave(by, answer)
    }

    async fn answer(
        &self,
        arrived: &mut Arrived<'_>,
        by: &mut HeaderValue,
        head: &request::Parts,
        body: Incoming,
        peer: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        let client = self.shared.client(&head.headers, peer);
        self.shared.admit(&head.headers).map_err(|refusal| *refusal)?;
        if self.comes_too_often(client) {
            let detail = "this client asks too often; slow down and try again";
            return Err((reply::problem(StatusCode::TOO_MANY_REQUESTS, detail), Outcome::Rejected));
        }
        // Read first: a client that sends slowly must not hold a slot.
        let bodiless = head.method == Method::GET || head.method == Method::HEAD;
        let body = if bodiless { Bytes::new() } else { front::read(body).await? };
        arrived.pass(async {}).await?;
        let asked = Asked { head, id: &arrived.id, client, body };
        Ok(self.pass_on(&mut arrived.visit, by, arrived.gate, &asked).await)
    }

    /// Whether the client has used up what it may ask for.
    fn comes_too_often(&self, client: IpAddr) -> bool {
        let Some(limiter) = &self.limiter else { return false };
        if limiter.len() > CLIENTS_MAX {
            limiter.retain_recent();
        }
        limiter.check_key(&client).is_err()
    }

    /// Has the tier answer that the request is for.
    async fn pass_on(
        &self,
        visit: &mut Visit<'_>,
        by: &mut HeaderValue,
        gate: &Gate,
        asked: &Asked<'_>,
    ) -> Response<Body> {
        #[cfg(feature = "services")]
        if let Some((upstream, at)) = &self.nginx {
            return self.pass_to_nginx(upstream, at, visit, by, gate, asked).await;
        }
        let head = asked.head;
        let for_events = api::ENDPOINTS
            .iter()
            .any(|endpoint| endpoint.tier == tiers::EVENTS && endpoint.path == head.uri.path());
        if for_events {
            return self.hop(&self.events, &self.events_at, visit, by, asked).await.unwrap_or_else(failed);
        }
        self.retries
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
                (saved < RETRIES_SAVED_MAX).then_some(saved + 1)
            })
            .ok();
        let mut tried = None;
        loop {
            let usable = |web: &WebServer| web.answers.load(Ordering::Relaxed);
            let load = |web: &WebServer| web.open.load(Ordering::Relaxed);
            let picked = self.web_balancer.pick(&self.webs, usable, load);
            let Some(web) = picked.filter(|picked| Some(*picked) != tried).map(|picked| &self.webs[picked])
            else {
                return reply::problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "no web server works; try again later",
                );
            };
            let open = Open::count(&web.open);
            let answer = self.hop(&self.upstream, &web.at, visit, by, asked).await;
            drop(open);
            let error = match answer {
                Ok(response) => return response,
                Err(error) => error,
            };
            if matches!(error, HopError::Unreachable { .. }) && web.answers.swap(false, Ordering::Relaxed) {
                self.shared
                    .log
                    .note(tiers::GATEWAY, format_args!("web server {} is out: {error}", web.at.address()));
            }
            // Only what can be asked twice, and once more at most.
            let again =
                tried.is_none() && head.method.is_safe() && matches!(error, HopError::Unreachable { .. });
            if !again || !self.may_retry() {
                return failed(error);
            }
            tried = picked;
            gate.metrics.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has nginx choose the server and pass the request on.
    #[cfg(feature = "services")]
    async fn pass_to_nginx(
        &self,
        upstream: &Upstream,
        at: &Peer,
        visit: &mut Visit<'_>,
        by: &mut HeaderValue,
        gate: &Gate,
        asked: &Asked<'_>,
    ) -> Response<Body> {
        use crate::services::nginx::FROM;

        let mut response = match self.hop(upstream, at, visit, by, asked).await {
            Ok(response) => response,
            Err(error) => return failed(error),
        };
        let tried = response.headers_mut().remove(FROM);
        let tried = tried.as_ref().and_then(|tried| tried.to_str().ok()).unwrap_or_default();
        gate.metrics.retries.fetch_add(tried.matches(',').count() as u64, Ordering::Relaxed);
        response.headers_mut().remove(http::header::SERVER);
        if response.headers().contains_key(SERVED_BY) {
            return response;
        }
        // A page of nginx's own.
        let head = asked.head;
        if let (StatusCode::METHOD_NOT_ALLOWED, Err(wrong)) =
            (response.status(), api::route(&head.method, head.uri.path()))
        {
            // It refuses some methods before anybody else sees them.
            return crate::web::wrong(wrong);
        }
        let status = response.status();
        let detail = match status {
            StatusCode::GATEWAY_TIMEOUT => "the web server has not answered in time",
            status if status.is_server_error() => "no web server answers; try again later",
            _ => "the server refuses such a request",
        };
        reply::headless(&asked.head.method, reply::problem(status, detail))
    }

    fn may_retry(&self) -> bool {
        let spend = |saved: i64| (saved >= RETRY_COSTS).then_some(saved - RETRY_COSTS);
        self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend).is_ok()
    }

    /// Calls the tier below and gives its answer.
    async fn hop(
        &self,
        upstream: &Upstream,
        at: &Peer,
        visit: &mut Visit<'_>,
        by: &mut HeaderValue,
        asked: &Asked<'_>,
    ) -> Result<Response<Body>, HopError> {
        let path = asked.head.uri.path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let (method, body) = (asked.head.method.clone(), asked.body.clone());
        let (given, id) = (&asked.head.headers, asked.id);
        let headers = upstream::pass_on(&self.shared, tiers::GATEWAY, given, id, asked.client, true);
        let begun = Instant::now();
        match upstream.call_at(at, method, path, headers, body).await {
            Ok(mut response) => {
                visit.came_back(upstream.tier, begun.elapsed(), Trail::read(response.headers()));
                wire::off_the_wire(response.headers_mut());
                if let Some(tier) = response.headers().get(SERVED_BY) {
                    *by = tier.clone();
                }
                Ok(response.map(Body::Through))
            }
            Err(error) => {
                visit.came_back(upstream.tier, begun.elapsed(), Trail::default());
                Err(error)
            }
        }
    }

    /// Asks the web servers that did not answer whether they are back.
    async fn look_after_webs(&self) {
        for web in self.webs.iter().filter(|web| !web.answers.load(Ordering::Relaxed)) {
            let headers = HeaderMap::new();
            let ask = self.upstream.call(&web.at, Method::GET, HEALTH_PATH, headers, Bytes::new());
            let answer = tokio::time::timeout(HEALTH_TIMEOUT, ask).await;
            if answer.is_ok_and(|answer| answer.is_ok_and(|response| response.status().is_success())) {
                web.answers.store(true, Ordering::Relaxed);
                self.shared.log.note(tiers::GATEWAY, format_args!("web server {} is back", web.at.address()));
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the end of an error")]
fn failed(error: HopError) -> Response<Body> {
    reply::problem(error.status(), &error.to_string())
}

async fn watch_webs(gateway: std::sync::Weak<Gateway>) {
    loop {
        tokio::time::sleep(HEALTH_EVERY).await;
        let Some(gateway) = gateway.upgrade() else { return };
        gateway.look_after_webs().await;
    }
}
