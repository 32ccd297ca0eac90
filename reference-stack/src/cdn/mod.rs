//! Edge and shield: HTTP caches of whole objects (RFC 9111), from which parts are served.
//!
//! Concurrent misses of one object become one fetch, which goes on even if the client that caused it leaves.
//! An outdated copy is confirmed rather than fetched anew, and served where the tier below fails and the origin
//! permits it. Bodies are held against the hash that the origin states before anybody gets them. Whatever
//! changes something passes through, and drives out the copy of what it changed.

#[cfg(feature = "services")]
mod nginx;
mod stored;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, request};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use crate::api;
use crate::balance::Balancer;
use crate::cache::Cache;
use crate::digest;
use crate::flights::{Flights, Lead, Role};
use crate::freshness::Control;
use crate::front::{self, Shared};
use crate::gate::Gate;
use crate::metrics::Found;
use crate::plan::TierPlan;
use crate::reply::{self, Body, REPR_DIGEST, SERVED_BY};
#[cfg(feature = "services")]
use crate::services::nginx::{NginxCache, NginxStore};
use crate::upstream::{self, HOP_TIMEOUT, HopError, Upstream};
use crate::visit::{Trail, Visit};
use stored::{Answer, Stored, answered};

/// How a cache dealt with a request (RFC 9211).
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Largest object that is fetched, bytes; songs are bounded by the plan.
const OBJECT_BYTES_MAX: usize = 65 << 20;

/// One cache with its gates: an edge site, or the shield.
#[derive(Debug)]
pub struct Cdn {
    shared: Shared,
    tier: &'static str,
    rtt: Duration,
    gates: Vec<Arc<Gate>>,
    balancer: Balancer,
    keeper: Keeper,
    flights: Flights<Fetched>,
    /// Where objects come from: the tier below, and if it can't be reached, the one behind it.
    below: Vec<Below>,
}

/// Who keeps the objects.
#[derive(Debug)]
enum Keeper {
    /// Nobody: everything comes from the tier below, each time.
    Nobody,
    /// This process, by the scenario's policy.
    Memory(Cache<Entry>),
    /// A server of its own, which also fetches.
    #[cfg(feature = "services")]
    Nginx(Box<NginxStore>),
}

impl Keeper {
    const fn is_there(&self) -> bool {
        !matches!(self, Self::Nobody)
    }
}

/// A tier that objects come from.
#[derive(Debug)]
pub struct Below {
    pub upstream: Upstream,
    /// `127.0.0.1:port`.
    pub at: String,
}

#[derive(Debug, Clone)]
enum Entry {
    Stored(Arc<Stored>),
    /// The variants are kept under names of their own.
    Varies(Arc<[HeaderName]>),
}

/// Result of a fetch, shared by all who waited for it.
#[derive(Debug, Clone)]
struct Fetched {
    answer: Answer,
    /// The copy that we had was confirmed.
    confirmed: bool,
    /// The bytes that came are not what their hash says.
    #[cfg(feature = "services")]
    is_wrong: bool,
    took: Duration,
    tier: &'static str,
    trail: Trail,
    served_by: HeaderValue,
    /// What caches below did.
    status: Option<HeaderValue>,
}

impl Cdn {
    pub fn new(shared: Shared, plan: &TierPlan, gates: Vec<Arc<Gate>>, below: Vec<Below>) -> Arc<Self> {
        Arc::new(Self {
            tier: plan.name,
            rtt: shared.rtt(plan),
            balancer: Balancer::new(plan.balance, shared.seed, plan.name),
            keeper: plan
                .cache
                .map_or(Keeper::Nobody, |cache| Keeper::Memory(Cache::new(cache.policy, cache.bytes))),
            flights: Flights::new(),
            below,
            gates,
            shared,
        })
    }

    /// As [`Cdn::new`], with an nginx that keeps and fetches the objects.
    #[cfg(feature = "services")]
    pub fn with_nginx(
        shared: Shared,
        plan: &TierPlan,
        gates: Vec<Arc<Gate>>,
        below: Vec<Below>,
        cache: NginxCache,
    ) -> Arc<Self> {
        Arc::new(Self {
            tier: plan.name,
            rtt: shared.rtt(plan),
            balancer: Balancer::new(plan.balance, shared.seed, plan.name),
            keeper: Keeper::Nginx(Box::new(cache.store(shared.timer.clone()))),
            flights: Flights::new(),
            below,
            gates,
            shared,
        })
    }

    /// Forgets everything.
    pub fn clear(&self) {
        match &self.keeper {
            Keeper::Nobody => {}
            Keeper::Memory(cache) => cache.clear(),
            #[cfg(feature = "services")]
            Keeper::Nginx(store) => store.forget(),
        }
        for gate in &self.gates {
            gate.metrics.cache_bytes.store(0, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Fetches a path into the cache unless it is there; gives whether it is there afterwards.
    pub async fn warm(self: &Arc<Self>, path: &str) -> bool {
        let asked = HeaderMap::new();
        let fresh =
            async || self.look(path, &asked, false).await.filter(|stored| stored.freshness.is_fresh());
        if !self.keeper.is_there() || fresh().await.is_some() {
            return self.keeper.is_there();
        }
        let id = self.shared.ids.next();
        let mut headers = upstream::pass_on(&self.shared, &asked, &id, Ipv4Addr::LOCALHOST.into(), false);
        headers.insert(crate::auth::API_KEY, self.shared.key.header());
        if let Role::Leader(lead, waiter) = self.flights.join(path, || None) {
            tokio::spawn(Arc::clone(self).lead(lead, path.to_owned(), headers, None));
            waiter.wait().await;
        }
        fresh().await.is_some()
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let (request, body) = request.into_parts();
        let picked = self.balancer.pick(&self.gates, |gate| gate.is_up(), |gate| gate.metrics.load());
        let gate = &self.gates[picked.unwrap_or(0)];
        let op = api::op(&request.method, request.uri.path());
        let mut visit = Visit::start(&gate.metrics, op);
        let id = self.shared.ids.of(&request.headers);
        self.shared.arrive(&mut visit, self.rtt, &request.headers).await;

        let mut by = HeaderValue::from_static(self.tier);
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let reads = request.method == Method::GET || request.method == Method::HEAD;
        let client = self.shared.client(&request.headers, peer);
        let admitted = async {
            self.shared.admit(&request.headers).map_err(|refusal| *refusal)?;
            // Read first: a client that sends slowly must not hold a slot.
            let body = if reads { Bytes::new() } else { front::read(body).await? };
            let look = async { if reads { self.look(path, &request.headers, true).await } else { None } };
            Ok((body, front::pass(gate, op, &mut visit, look).await?))
        };
        let (mut response, outcome) = match admitted.await {
            Err(refusal) => refusal,
            Ok((body, known)) => {
                let passed =
                    |conditions| upstream::pass_on(&self.shared, &request.headers, &id, client, conditions);
                let response = if reads {
                    self.serve(&mut visit, &mut by, path, &request, || passed(false), known).await
                } else {
                    self.pass_through(&mut visit, &mut by, path, &request, passed(true), body).await
                };
                let outcome = self.shared.outcome(self.tier, &id, &response);
                (response, outcome)
            }
        };
        let trail = visit.end(outcome, reply::length(&response));
        reply::sign(&mut response, &trail, by, id);
        response.map(|body| gate.link.carry(body))
    }

    /// The stored response for a request, fresh or not.
    #[cfg_attr(
        not(feature = "services"),
        expect(clippy::unused_async, reason = "only a server is waited for")
    )]
    async fn look(&self, path: &str, asked: &HeaderMap, counts: bool) -> Option<Arc<Stored>> {
        match &self.keeper {
            #[cfg(feature = "services")]
            Keeper::Nginx(store) => self.look_in_nginx(store, path, asked).await,
            _ => self.look_in_memory(path, asked, counts),
        }
    }

    /// What is in this process; nothing where a server keeps the objects.
    fn look_in_memory(&self, path: &str, asked: &HeaderMap, counts: bool) -> Option<Arc<Stored>> {
        let Keeper::Memory(cache) = &self.keeper else { return None };
        let get = |key: &str| if counts { cache.get(key) } else { cache.peek(key) };
        let stored = match get(path)? {
            Entry::Stored(stored) => stored,
            Entry::Varies(names) => match get(&stored::variant_key(path, &names, asked))? {
                Entry::Stored(stored) => stored,
                Entry::Varies(_) => return None,
            },
        };
        stored.suits(asked).then_some(stored)
    }

    /// From the cache, or from a fetch that this request leads or follows.
    async fn serve(
        self: &Arc<Self>,
        visit: &mut Visit<'_>,
        by: &mut HeaderValue,
        path: &str,
        request: &request::Parts,
        headers: impl Fn() -> HeaderMap,
        known: Option<Arc<Stored>>,
    ) -> Response<Body> {
        let control = Control::of_request(&request.headers);
        if let Some(stored) = &known
            && !control.wants_confirmation()
        {
            if stored.freshness.is_fresh() {
                visit.looked_up(Found::Hit);
                return self.with_status(stored.answer(request), None, "hit");
            }
            if stored.freshness.serves_while_asking() {
                self.refresh(path, headers(), stored);
                visit.looked_up(Found::Stale);
                return self.with_status(stored.answer(request), None, "hit; detail=stale-while-revalidate");
            }
        }
        if control.only_if_cached {
            let detail = "this is not in the cache, and nothing else was asked for";
            return reply::headless(&request.method, reply::problem(StatusCode::GATEWAY_TIMEOUT, detail));
        }
        let (fetched, found) = self.obtain(visit, path, headers(), known.clone(), &control).await;
        let Some(fetched) = fetched else {
            visit.looked_up(found);
            let detail = "the fetch of this object was abandoned; try again";
            return reply::problem(StatusCode::BAD_GATEWAY, detail);
        };
        if let (true, Some(stored)) = (fetched.is_failure(), known.filter(|s| s.freshness.serves_on_error()))
        {
            visit.looked_up(Found::Stale);
            return self.with_status(stored.answer(request), None, "hit; detail=stale-if-error");
        }
        if self.keeper.is_there() {
            visit.looked_up(if fetched.confirmed && found == Found::Miss {
                Found::Revalidated
            } else {
                found
            });
        }
        *by = if found == Found::Miss { fetched.served_by } else { HeaderValue::from_static(self.tier) };
        let status = match (found, fetched.confirmed) {
            (Found::Hit, _) => "hit",
            (Found::Coalesced, _) => "fwd=miss; collapsed",
            (_, true) => "fwd=stale; fwd-status=304",
            _ => "fwd=miss",
        };
        self.with_status(answered(request, fetched.answer), fetched.status.as_ref(), status)
    }

    /// The result of a fetch, one's own or somebody else's, and how it was come by.
    async fn obtain(
        self: &Arc<Self>,
        visit: &mut Visit<'_>,
        path: &str,
        headers: HeaderMap,
        known: Option<Arc<Stored>>,
        control: &Control,
    ) -> (Option<Fetched>, Found) {
        if !self.keeper.is_there() || control.no_store {
            let fetched = self.fetch_past_cache(path, headers).await;
            visit.came_back(fetched.tier, fetched.took, fetched.trail.clone());
            return (Some(fetched), Found::Miss);
        }
        let landed = || {
            let stored = self.look_in_memory(path, &headers, false)?;
            let usable = stored.freshness.is_fresh() && !control.wants_confirmation();
            usable.then(|| Fetched::landed(stored))
        };
        match self.flights.join(path, landed) {
            Role::Landed(fetched) => (Some(fetched), Found::Hit),
            Role::Crowded => (Some(self.crowded()), Found::Miss),
            Role::Leader(lead, waiter) => {
                tokio::spawn(Arc::clone(self).lead(lead, path.to_owned(), headers, known));
                let fetched = waiter.wait().await;
                if let Some(fetched) = &fetched {
                    visit.came_back(fetched.tier, fetched.took, fetched.trail.clone());
                }
                if let Keeper::Memory(cache) = &self.keeper {
                    visit.cache_holds(cache.bytes());
                }
                (fetched, Found::Miss)
            }
            Role::Follower(waiter) => {
                let begun = Instant::now();
                let fetched = waiter.wait().await;
                visit.waited = begun.elapsed();
                match fetched {
                    Some(fetched) if !fetched.is_for(&headers) => {
                        let fetched = self.fetch_past_cache(path, headers).await;
                        visit.came_back(fetched.tier, fetched.took, fetched.trail.clone());
                        (Some(fetched), Found::Miss)
                    }
                    fetched => (fetched, Found::Coalesced),
                }
            }
        }
    }

    /// Asks whether a copy is still right, for later requests.
    fn refresh(self: &Arc<Self>, path: &str, headers: HeaderMap, stored: &Arc<Stored>) {
        if let Role::Leader(lead, _) = self.flights.join(path, || None) {
            tokio::spawn(Arc::clone(self).lead(lead, path.to_owned(), headers, Some(Arc::clone(stored))));
        }
    }

    async fn lead(
        self: Arc<Self>,
        lead: Lead<Fetched>,
        path: String,
        headers: HeaderMap,
        known: Option<Arc<Stored>>,
    ) {
        let fetched = match &self.keeper {
            #[cfg(feature = "services")]
            Keeper::Nginx(store) => {
                self.fetch_by_nginx(store, &path, headers.clone(), known.as_deref()).await
            }
            _ => self.fetch(&path, headers.clone(), known.as_deref()).await,
        };
        if let (Answer::Stored(stored), Keeper::Memory(cache)) = (&fetched.answer, &self.keeper) {
            let (names, bytes) = (stored.varies_by(), stored.object.body.len());
            let entry = Entry::Stored(Arc::clone(stored));
            if names.is_empty() {
                cache.insert(&path, entry, bytes);
            } else {
                cache.insert(&stored::variant_key(&path, &names, &headers), entry, bytes);
                cache.insert(&path, Entry::Varies(names.into()), path.len());
            }
        }
        lead.land(fetched);
    }

    /// Fetches the whole object, and leaves the cache as it is.
    async fn fetch_past_cache(&self, path: &str, headers: HeaderMap) -> Fetched {
        match &self.keeper {
            #[cfg(feature = "services")]
            Keeper::Nginx(store) => self.fetch_past_nginx(store, path, headers).await,
            _ => self.fetch(path, headers, None).await,
        }
    }

    /// Fetches the whole object, or the confirmation of the copy that is there.
    async fn fetch(&self, path: &str, headers: HeaderMap, known: Option<&Stored>) -> Fetched {
        let begun = Instant::now();
        let asked = headers.clone();
        let mut headers = headers;
        if let Some(known) = known {
            for (ours, theirs) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
                if let Some(value) = known.object.headers.get(ours) {
                    headers.insert(theirs, value.clone());
                }
            }
        }
        let (tier, response) = match self.call(path, headers).await {
            Ok(called) => called,
            Err(error) => {
                let tier = self.below.first().map_or("", |below| below.upstream.tier);
                return Fetched::failed(tier, begun, error.status(), &error.to_string());
            }
        };
        self.received(begun, tier, response, &asked, known).await
    }

    /// Takes in what the tier below has answered.
    async fn received(
        &self,
        begun: Instant,
        tier: &'static str,
        response: Response<Incoming>,
        asked: &HeaderMap,
        known: Option<&Stored>,
    ) -> Fetched {
        let (head, body) = response.into_parts();
        let (trail, served_by) = (Trail::read(&head.headers), head.headers.get(SERVED_BY).cloned());
        let served_by = served_by.unwrap_or_else(|| HeaderValue::from_static(tier));
        let status = head.headers.get(CACHE_STATUS).cloned();
        let mut fetched = Fetched {
            answer: Answer::none(),
            confirmed: false,
            #[cfg(feature = "services")]
            is_wrong: false,
            took: begun.elapsed(),
            tier,
            trail,
            served_by,
            status,
        };
        if let (StatusCode::NOT_MODIFIED, Some(known)) = (head.status, known)
            && let Some(stored) = known.confirmed(&head.headers, begun.elapsed())
        {
            return Fetched { answer: Answer::Stored(Arc::new(stored)), confirmed: true, ..fetched };
        }
        let delay = begun.elapsed();
        fetched.answer = match whole(tier, &head.headers, body).await {
            Ok(body) => stored::answer(head.status, asked, &head.headers, body, delay),
            Err(torn) => {
                let failed = Fetched::failed(tier, begun, torn.status, &torn.detail);
                #[cfg(feature = "services")]
                let failed = Fetched { is_wrong: torn.is_wrong, ..failed };
                return failed;
            }
        };
        fetched.took = begun.elapsed();
        fetched
    }

    /// Calls the tier below; one that can't be reached is passed over for the one behind it.
    async fn call(
        &self,
        path: &str,
        headers: HeaderMap,
    ) -> Result<(&'static str, Response<Incoming>), HopError> {
        let mut failed = HopError::Unreachable { tier: "the tier below", cause: "there is none".to_owned() };
        for below in &self.below {
            let call = below.upstream.call(&below.at, Method::GET, path, headers.clone(), Bytes::new());
            match call.await {
                Ok(response) => return Ok((below.upstream.tier, response)),
                Err(error @ HopError::Unreachable { .. }) => failed = error,
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    /// Has the tier below do what the request asks for, and forgets what it may have changed.
    async fn pass_through(
        &self,
        visit: &mut Visit<'_>,
        by: &mut HeaderValue,
        path: &str,
        request: &request::Parts,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        let Some(below) = self.below.first() else { return reply::unavailable(self.tier) };
        let begun = Instant::now();
        let call = below.upstream.call(&below.at, request.method.clone(), path, headers, body);
        match call.await {
            Ok(mut response) => {
                visit.came_back(below.upstream.tier, begun.elapsed(), Trail::read(response.headers()));
                upstream::off_the_wire(response.headers_mut());
                let safe = request.method.is_safe() || response.status().is_client_error();
                if let (Keeper::Memory(cache), false) =
                    (&self.keeper, safe || response.status().is_server_error())
                {
                    cache.remove(path);
                }
                *by = response.headers().get(SERVED_BY).cloned().unwrap_or_else(|| by.clone());
                response.map(Body::Through)
            }
            Err(error) => {
                visit.came_back(below.upstream.tier, begun.elapsed(), Trail::default());
                reply::problem(error.status(), &error.to_string())
            }
        }
    }

    fn crowded(&self) -> Fetched {
        Fetched::failed(
            self.tier,
            Instant::now(),
            StatusCode::SERVICE_UNAVAILABLE,
            "too many fetches; try again later",
        )
    }

    /// Says what this cache did, after what those below it did.
    fn with_status(
        &self,
        mut response: Response<Body>,
        below: Option<&HeaderValue>,
        did: &'static str,
    ) -> Response<Body> {
        if !self.keeper.is_there() {
            return response;
        }
        let value = match (below.and_then(|below| below.to_str().ok()), did, self.tier) {
            (None, "hit", crate::tiers::EDGE) => Ok(HeaderValue::from_static("edge; hit")),
            (None, ..) => HeaderValue::try_from(format!("{}; {did}", self.tier)),
            (Some(below), ..) => HeaderValue::try_from(format!("{below}, {}; {did}", self.tier)),
        };
        if let Ok(value) = value {
            response.headers_mut().insert(CACHE_STATUS, value);
        }
        response
    }
}

/// Why there is no body.
struct Torn {
    status: StatusCode,
    detail: String,
    /// It is there, and is not what its hash says.
    #[cfg(feature = "services")]
    is_wrong: bool,
}

/// The whole body, if it comes in time and is what its hash says.
async fn whole(tier: &str, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Torn> {
    let torn = |status, detail| Torn {
        status,
        detail,
        #[cfg(feature = "services")]
        is_wrong: false,
    };
    let body = match tokio::time::timeout(HOP_TIMEOUT, Limited::new(body, OBJECT_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => {
            return Err(torn(StatusCode::BAD_GATEWAY, format!("the body from {tier} broke off: {error}")));
        }
        Err(_) => {
            let detail = format!("the body from {tier} did not end in time");
            return Err(torn(StatusCode::GATEWAY_TIMEOUT, detail));
        }
    };
    let stated = headers.get(REPR_DIGEST).and_then(digest::stated);
    match stated {
        Some(stated) if digest::of_body(&body).await != stated && !body.is_empty() => {
            let detail = format!("the body from {tier} is not what its hash says; try again");
            let torn = torn(StatusCode::BAD_GATEWAY, detail);
            #[cfg(feature = "services")]
            let torn = Torn { is_wrong: true, ..torn };
            Err(torn)
        }
        _ => Ok(body),
    }
}

impl Answer {
    /// Until there is one.
    fn none() -> Self {
        Self::Other {
            status: StatusCode::BAD_GATEWAY,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            shareable: true,
        }
    }
}

impl Fetched {
    /// Something that was in the cache by the time we looked again.
    fn landed(stored: Arc<Stored>) -> Self {
        let served_by = HeaderValue::from_static("");
        Self {
            answer: Answer::Stored(stored),
            confirmed: false,
            #[cfg(feature = "services")]
            is_wrong: false,
            took: Duration::ZERO,
            tier: "",
            trail: Trail::default(),
            served_by,
            status: None,
        }
    }

    fn failed(tier: &'static str, begun: Instant, status: StatusCode, detail: &str) -> Self {
        let headers = std::iter::once((CONTENT_TYPE, reply::PROBLEM)).collect();
        let body = reply::problem_text(status, detail);
        Self {
            answer: Answer::Other { status, headers, body, shareable: true },
            confirmed: false,
            #[cfg(feature = "services")]
            is_wrong: false,
            took: begun.elapsed(),
            tier,
            trail: Trail::default(),
            served_by: HeaderValue::from_static("none"),
            status: None,
        }
    }

    /// Whether the tier below failed, rather than saying no.
    fn is_failure(&self) -> bool {
        matches!(&self.answer, Answer::Other { status, .. } if status.is_server_error())
    }

    /// Whether somebody who asked with these headers may have it too.
    fn is_for(&self, asked: &HeaderMap) -> bool {
        match &self.answer {
            Answer::Stored(stored) => stored.suits(asked),
            Answer::Other { shareable, .. } => *shareable,
        }
    }
}
