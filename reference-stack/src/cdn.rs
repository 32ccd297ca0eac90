//! Edge and shield: HTTP caches of whole objects (RFC 9111, the part that immutable audio needs).
//!
//! Whatever the origin marks `public` with a lifetime is kept, by path and query, and served to whoever
//! has the key, in whole or in part. Concurrent misses of one object become one fetch, which goes on
//! even if the client that caused it leaves. Everything else passes through.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;

use crate::balance::Balancer;
use crate::cache::LruCache;
use crate::flights::{Flights, Lead, Role};
use crate::front::Shared;
use crate::gate::{Full as QueueFull, Gate};
use crate::metrics::{Found, Outcome};
use crate::plan::TierPlan;
use crate::reply::{self, Body, Object, SERVED_BY};
use crate::upstream::{self, HOP_TIMEOUT, Upstream};
use crate::visit::{Trail, Visit};

/// Largest object that is fetched, bytes; songs are bounded by the plan.
const OBJECT_BYTES_MAX: usize = 65 << 20;

/// One cache with its gates: an edge site, or the shield.
#[derive(Debug)]
pub struct Cdn {
    shared: Shared,
    rtt: Duration,
    gates: Vec<Arc<Gate>>,
    balancer: Balancer,
    /// None: everything comes from the tier below, each time.
    cache: Option<LruCache<Arc<Stored>>>,
    flights: Flights<Fetched>,
    upstream: Upstream,
    /// The tier below, `127.0.0.1:port`.
    below: String,
}

/// A cached object.
#[derive(Debug)]
struct Stored {
    object: Object,
    kept_at: Instant,
    /// Age when it came.
    age: Duration,
    lifetime: Duration,
}

impl Stored {
    fn age(&self) -> Duration {
        self.age + self.kept_at.elapsed()
    }

    fn is_fresh(&self) -> bool {
        self.age() < self.lifetime
    }

    /// The object, or what the request wants of it.
    fn answer(&self, request: &http::request::Parts) -> Response<Body> {
        reply::object(&request.method, &request.headers, &self.object, Some(self.age()))
    }
}

/// Result of a fetch, shared by all who waited for it.
#[derive(Debug, Clone)]
struct Fetched {
    answer: Answer,
    took: Duration,
    trail: Trail,
    served_by: HeaderValue,
}

#[derive(Debug, Clone)]
enum Answer {
    /// May be cached.
    Object(Arc<Stored>),
    /// Anything else, passed on as it came.
    Other { status: StatusCode, headers: HeaderMap, body: bytes::Bytes, shareable: bool },
}

impl Cdn {
    pub fn new(
        shared: Shared,
        plan: &TierPlan,
        gates: Vec<Arc<Gate>>,
        below: &TierPlan,
        below_at: &str,
    ) -> Arc<Self> {
        let upstream = Upstream::new(below.name, shared.rtt(below), shared.timer.clone());
        Arc::new(Self {
            rtt: shared.rtt(plan),
            balancer: Balancer::new(plan.balance, shared.seed, plan.name),
            cache: plan.cache_bytes.map(LruCache::new),
            flights: Flights::new(),
            below: below_at.to_owned(),
            upstream,
            gates,
            shared,
        })
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (request, _) = request.into_parts();
        let gate = &self.gates[self.balancer.pick(&self.gates, |gate| gate.metrics.load())];
        let mut visit = Visit::start(&gate.metrics);
        let id = self.shared.ids.of(&request.headers);
        self.shared.arrive(&mut visit, self.rtt, &request.headers).await;

        let mut by = HeaderValue::from_static(gate.metrics.tier);
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let (mut response, outcome) = if let Some(refusal) = self.shared.refuse(&request.headers) {
            (refusal, Outcome::Rejected)
        } else {
            match gate.pass(async { self.cached(path) }).await {
                Err(QueueFull) => (reply::busy(gate.metrics.tier), Outcome::Rejected),
                Ok((cached, queued)) => {
                    visit.queued = queued;
                    let response = if request.method == Method::GET || request.method == Method::HEAD {
                        self.serve(&mut visit, &mut by, path, &request, &id, cached).await
                    } else {
                        read_only()
                    };
                    let failed = response.status().is_server_error();
                    (response, if failed { Outcome::Failed } else { Outcome::Ok })
                }
            }
        };
        let trail = visit.end(outcome, reply::length(&response));
        reply::sign(&mut response, &trail, by, id);
        response
    }

    fn cached(&self, path: &str) -> Option<Arc<Stored>> {
        self.cache.as_ref()?.get(path).filter(|stored| stored.is_fresh())
    }

    /// From the cache, or from a fetch that this request leads or follows.
    async fn serve(
        self: &Arc<Self>,
        visit: &mut Visit<'_>,
        by: &mut HeaderValue,
        path: &str,
        request: &http::request::Parts,
        id: &HeaderValue,
        cached: Option<Arc<Stored>>,
    ) -> Response<Body> {
        if let Some(stored) = cached {
            visit.looked_up(Found::Hit);
            return stored.answer(request);
        }
        let headers = upstream::pass_on(&request.headers, id, false);
        if self.cache.is_none() {
            let fetched = self.fetch(path, headers).await;
            visit.came_back(self.upstream.tier, fetched.took, fetched.trail.clone());
            *by = fetched.served_by;
            return answered(request, fetched.answer);
        }
        let landed = || self.cached(path).map(Fetched::landed);
        let fetched = match self.flights.join(path, landed) {
            Role::Landed(fetched) => {
                visit.looked_up(Found::Hit);
                Some(Fetched { served_by: by.clone(), ..fetched })
            }
            Role::Crowded => return reply::busy("fetches"),
            Role::Leader(lead, waiter) => {
                visit.looked_up(Found::Miss);
                tokio::spawn(Arc::clone(self).lead(lead, path.to_owned(), headers));
                let fetched = waiter.wait().await;
                if let Some(fetched) = &fetched {
                    visit.came_back(self.upstream.tier, fetched.took, fetched.trail.clone());
                }
                fetched
            }
            Role::Follower(waiter) => {
                visit.looked_up(Found::Coalesced);
                let begun = Instant::now();
                let fetched = waiter.wait().await;
                visit.waited = begun.elapsed();
                match fetched {
                    // Meant for the leader alone.
                    Some(Fetched { answer: Answer::Other { shareable: false, .. }, .. }) => {
                        let fetched = self.fetch(path, headers).await;
                        visit.came_back(self.upstream.tier, fetched.took, fetched.trail.clone());
                        Some(fetched)
                    }
                    // Nothing below has seen this request.
                    fetched => fetched.map(|fetched| Fetched { served_by: by.clone(), ..fetched }),
                }
            }
        };
        let Some(fetched) = fetched else {
            return reply::problem(
                StatusCode::BAD_GATEWAY,
                "the fetch of this object was abandoned; try again",
            );
        };
        *by = fetched.served_by;
        answered(request, fetched.answer)
    }

    async fn lead(self: Arc<Self>, lead: Lead<Fetched>, path: String, headers: HeaderMap) {
        let fetched = self.fetch(&path, headers).await;
        if let (Answer::Object(stored), Some(cache)) = (&fetched.answer, &self.cache) {
            cache.insert(&path, Arc::clone(stored), stored.object.body.len());
        }
        lead.land(fetched);
    }

    /// Fetches the whole object from the tier below.
    async fn fetch(&self, path: &str, headers: HeaderMap) -> Fetched {
        let begun = Instant::now();
        let response =
            match self.upstream.call(&self.below, Method::GET, path, headers, bytes::Bytes::new()).await {
                Ok(response) => response,
                Err(error) => return Fetched::failed(begun, error.status(), &error.to_string()),
            };
        let (head, body) = response.into_parts();
        let trail = Trail::read(&head.headers);
        let served_by = head
            .headers
            .get(SERVED_BY)
            .cloned()
            .unwrap_or_else(|| HeaderValue::from_static(self.upstream.tier));
        let body =
            match tokio::time::timeout(HOP_TIMEOUT, Limited::new(body, OBJECT_BYTES_MAX).collect()).await {
                Ok(Ok(body)) => body.to_bytes(),
                Ok(Err(error)) => {
                    let detail = format!("the body from {} broke off: {error}", self.upstream.tier);
                    return Fetched::failed(begun, StatusCode::BAD_GATEWAY, &detail);
                }
                Err(_) => {
                    let detail = format!("the body from {} did not end in time", self.upstream.tier);
                    return Fetched::failed(begun, StatusCode::GATEWAY_TIMEOUT, &detail);
                }
            };
        Fetched { answer: answer(head.status, &head.headers, body), took: begun.elapsed(), trail, served_by }
    }
}

impl Fetched {
    /// Something that was in the cache by the time we looked again.
    fn landed(stored: Arc<Stored>) -> Self {
        Self {
            answer: Answer::Object(stored),
            took: Duration::ZERO,
            trail: Trail::default(),
            served_by: HeaderValue::from_static(""),
        }
    }

    fn failed(begun: Instant, status: StatusCode, detail: &str) -> Self {
        let headers = std::iter::once((CONTENT_TYPE, reply::PROBLEM)).collect();
        Self {
            answer: Answer::Other {
                status,
                headers,
                body: reply::problem_text(status, detail),
                shareable: true,
            },
            took: begun.elapsed(),
            trail: Trail::default(),
            served_by: HeaderValue::from_static("none"),
        }
    }
}

/// The response to a request whose object was fetched.
fn answered(request: &http::request::Parts, answer: Answer) -> Response<Body> {
    match answer {
        Answer::Object(stored) => stored.answer(request),
        Answer::Other { status, headers, body, .. } => {
            let mut response = Response::new(Either::Left(Full::new(body)));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            reply::headless(&request.method, response)
        }
    }
}

/// Decides what may be done with a response.
fn answer(status: StatusCode, headers: &HeaderMap, body: bytes::Bytes) -> Answer {
    let control = CacheControl::read(headers);
    if let (StatusCode::OK, Some(lifetime), Some(content_type)) =
        (status, control.lifetime, headers.get(CONTENT_TYPE))
        && !control.private
        && !lifetime.is_zero()
    {
        let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
        return Answer::Object(Arc::new(Stored {
            object: Object {
                body,
                etag: headers.get(ETAG).cloned(),
                content_type: content_type.clone(),
                cache_control: headers
                    .get(CACHE_CONTROL)
                    .cloned()
                    .unwrap_or_else(|| HeaderValue::from_static("public")),
            },
            kept_at: Instant::now(),
            age: Duration::from_secs(age),
            lifetime,
        }));
    }
    let kept = [CONTENT_TYPE, CACHE_CONTROL, ETAG, RETRY_AFTER];
    let headers = kept.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect();
    Answer::Other { status, headers, body, shareable: !control.private }
}

/// What `Cache-Control` permits a shared cache.
#[derive(Debug, Default, PartialEq, Eq)]
struct CacheControl {
    /// Not to be kept, nor given to anybody else.
    private: bool,
    lifetime: Option<Duration>,
}

impl CacheControl {
    fn read(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        let mut shared = None;
        for value in headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()) {
            for directive in value.split(',') {
                let (name, argument) = directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
                let seconds = || argument.trim_matches('"').parse().ok().map(Duration::from_secs);
                match name.to_ascii_lowercase().as_str() {
                    "no-store" | "private" | "no-cache" => control.private = true,
                    "s-maxage" => shared = seconds(),
                    "max-age" => control.lifetime = seconds(),
                    _ => {}
                }
            }
        }
        control.lifetime = shared.or(control.lifetime);
        control
    }
}

fn read_only() -> Response<Body> {
    let mut response =
        reply::problem(StatusCode::METHOD_NOT_ALLOWED, "this tier only reads; use GET or HEAD");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_is_obeyed() {
        let day = Some(Duration::from_hours(24));
        for (text, private, lifetime) in [
            ("public, max-age=86400, immutable", false, day),
            ("max-age=1, s-maxage=86400", false, day),
            ("private, max-age=86400", true, day),
            ("no-store", true, None),
            ("Max-Age=86400, No-Cache", true, day),
            ("max-age=never", false, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, text.parse().unwrap());
            assert_eq!(CacheControl::read(&headers), CacheControl { private, lifetime }, "{text}");
        }
    }

    #[test]
    fn an_object_ages_from_where_the_tier_below_left_it_and_goes_stale() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("audio/mpeg"));
        for (age, fresh) in [(10, true), (60, false)] {
            headers.insert(AGE, age.into());
            let Answer::Object(stored) = answer(StatusCode::OK, &headers, bytes::Bytes::new()) else {
                panic!("it may be kept")
            };
            assert_eq!(stored.is_fresh(), fresh, "{age}");
        }
        assert!(matches!(answer(StatusCode::NOT_FOUND, &headers, bytes::Bytes::new()), Answer::Other { .. }));
    }
}
