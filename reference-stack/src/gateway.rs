//! The gateway: key, rate limit, and a choice among the web servers. It passes bodies through unread, but for
//! play events: those it reads first, within the limits of the events tier, so that its one address serves
//! every request of the scenario.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderValue, Request, Response, StatusCode, request};
use http_body_util::Either;
use hyper::body::Incoming;

use crate::balance::Balancer;
use crate::events::{self, EVENTS_PATH};
use crate::front::Shared;
use crate::gate::{Full as QueueFull, Gate};
use crate::metrics::Outcome;
use crate::plan::Plan;
use crate::reply::{self, Body, SERVED_BY};
use crate::tiers;
use crate::upstream::{self, Upstream};
use crate::visit::{Trail, Visit};

/// All gateway replicas: one port, a gate for each.
#[derive(Debug)]
pub struct Gateway {
    shared: Shared,
    rtt: Duration,
    gates: Vec<Arc<Gate>>,
    balancer: Balancer,
    /// Of the one client that has a key.
    limiter: DefaultDirectRateLimiter,
    upstream: Upstream,
    webs: Vec<WebServer>,
    web_balancer: Balancer,
    events: Upstream,
    /// The events tier, `127.0.0.1:port`.
    events_at: String,
}

/// A web server as the gateway sees it.
#[derive(Debug)]
struct WebServer {
    authority: String,
    open: AtomicU64,
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
    pub fn new(
        shared: Shared,
        plan: &Plan,
        gates: Vec<Arc<Gate>>,
        webs: &[String],
        events_at: &str,
    ) -> Arc<Self> {
        let per_second = NonZeroU32::new(plan.rate_limit_per_s).unwrap_or(NonZeroU32::MAX);
        let upstream = Upstream::new(tiers::WEB, shared.rtt(&plan.web), shared.timer.clone());
        let events = Upstream::new(tiers::EVENTS, shared.rtt(&plan.events), shared.timer.clone());
        let webs =
            webs.iter().map(|at| WebServer { authority: at.clone(), open: AtomicU64::new(0) }).collect();
        Arc::new(Self {
            rtt: shared.rtt(&plan.gateway),
            gates,
            balancer: Balancer::new(plan.gateway.balance, shared.seed, tiers::GATEWAY),
            limiter: RateLimiter::direct(Quota::per_second(per_second)),
            upstream,
            webs,
            web_balancer: Balancer::new(plan.web.balance, shared.seed, tiers::WEB),
            events,
            events_at: events_at.to_owned(),
            shared,
        })
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let gate = &self.gates[self.balancer.pick(&self.gates, |gate| gate.metrics.load())];
        let mut visit = Visit::start(&gate.metrics);
        let id = self.shared.ids.of(request.headers());
        self.shared.arrive(&mut visit, self.rtt, request.headers()).await;

        let mut by = HeaderValue::from_static(tiers::GATEWAY);
        let (mut response, outcome) = if let Some(refusal) = self.shared.refuse(request.headers()) {
            (refusal, Outcome::Rejected)
        } else if self.limiter.check().is_err() {
            let detail = "this key asks too often; slow down and try again";
            (reply::problem(StatusCode::TOO_MANY_REQUESTS, detail), Outcome::Rejected)
        } else {
            let (head, body) = request.into_parts();
            // Read first: a client that sends slowly must not hold a slot.
            let body =
                if head.uri.path() == EVENTS_PATH { events::read(body).await } else { Some(Bytes::new()) };
            match gate.pass(async {}).await {
                Err(QueueFull) => (reply::busy(tiers::GATEWAY), Outcome::Rejected),
                Ok(((), queued)) => {
                    visit.queued = queued;
                    let response = self.pass_on(&mut visit, &mut by, head, body, &id).await;
                    let failed = response.status().is_server_error();
                    (response, if failed { Outcome::Failed } else { Outcome::Ok })
                }
            }
        };
        let trail = visit.end(outcome, reply::length(&response));
        reply::sign(&mut response, &trail, by, id);
        response
    }

    /// Has the tier answer that the request is for.
    async fn pass_on(
        &self,
        visit: &mut Visit<'_>,
        by: &mut HeaderValue,
        head: request::Parts,
        body: Option<Bytes>,
        id: &HeaderValue,
    ) -> Response<Body> {
        let Some(body) = body else { return events::too_long() };
        if head.uri.path() == EVENTS_PATH {
            return hop(&self.events, &self.events_at, visit, by, head, body, id).await;
        }
        let Some(web) =
            self.webs.get(self.web_balancer.pick(&self.webs, |web| web.open.load(Ordering::Relaxed)))
        else {
            return reply::problem(StatusCode::BAD_GATEWAY, "there is no web server");
        };
        let _open = Open::count(&web.open);
        hop(&self.upstream, &web.authority, visit, by, head, body, id).await
    }
}

/// Calls the tier below and gives its answer.
async fn hop(
    upstream: &Upstream,
    authority: &str,
    visit: &mut Visit<'_>,
    by: &mut HeaderValue,
    head: request::Parts,
    body: Bytes,
    id: &HeaderValue,
) -> Response<Body> {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let headers = upstream::pass_on(&head.headers, id, true);
    let begun = Instant::now();
    match upstream.call(authority, head.method, path, headers, body).await {
        Ok(response) => {
            visit.came_back(upstream.tier, begun.elapsed(), Trail::read(response.headers()));
            if let Some(tier) = response.headers().get(SERVED_BY) {
                *by = tier.clone();
            }
            response.map(Either::Right)
        }
        Err(error) => {
            visit.came_back(upstream.tier, begun.elapsed(), Trail::default());
            reply::problem(error.status(), &error.to_string())
        }
    }
}
