//! Edge and shield: HTTP caches of whole objects (RFC 9111), from which parts are served.
//!
//! Concurrent misses of one object become one fetch, which goes on even if the client that caused it leaves.
//! An outdated copy is confirmed rather than fetched anew, and served where the tier below fails and the origin
//! permits it. Bodies are held against the hash that the origin states before anybody gets them. Whatever
//! changes something passes through, and drives out the copy of what it changed.

mod fetch;
#[cfg(feature = "services")]
mod nginx;
mod stored;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LOCATION, HOST, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, request};
use hyper::body::Incoming;

use crate::api;
use crate::balance::Balancer;
use crate::cache::Cache;
use crate::flights::{Flights, Lead, Role};
use crate::freshness::{Control, Use};
use crate::front::{self, Arrived, Refusal, Shared};
use crate::gate::Gate;
use crate::metrics::Found;
use crate::peer::{self, Peer};
use crate::plan::TierPlan;
use crate::reply::{self, Body, CACHE_STATUS, SERVED_BY, wire};
#[cfg(feature = "services")]
use crate::services::nginx::{NginxCache, NginxStore};
use crate::upstream::{self, Upstream};
use crate::visit::{Trail, Visit};
use fetch::Fetched;
use stored::{Answer, Stored, Variants, answered};

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

    /// nginx would keep for all what was an answer to one who gave a name (RFC 9111, section 3.5).
    #[cfg(feature = "services")]
    fn is_told_too_little(&self, asked: &HeaderMap) -> bool {
        matches!(self, Self::Nginx(_)) && asked.contains_key(http::header::AUTHORIZATION)
    }

    #[cfg(not(feature = "services"))]
    #[expect(clippy::unused_self, reason = "who keeps the objects here reads all of the headers")]
    const fn is_told_too_little(&self, _: &HeaderMap) -> bool {
        false
    }
}

/// A tier that objects come from.
#[derive(Debug)]
pub struct Below {
    pub upstream: Upstream,
    pub at: Peer,
}

#[derive(Debug, Clone)]
enum Entry {
    Stored(Arc<Stored>),
    /// The variants are kept under names of their own.
    Varies(Variants),
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
            Keeper::Nginx(store) => store.forget_all(),
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
        let mut headers =
            upstream::pass_on(&self.shared, self.tier, &asked, &id, Ipv4Addr::LOCALHOST.into(), false);
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
        let gate = front::pick(&self.gates, &self.balancer);
        let op = api::op(&request.method, request.uri.path());
        let mut arrived = Arrived::at(&self.shared, gate, op, self.rtt, &request.headers).await;
        let mut by = HeaderValue::from_static(self.tier);
        let answer = self.answer(&mut arrived, &mut by, &request, body, peer).await;
        arrived.leave(by, answer)
    }

    async fn answer(
        self: &Arc<Self>,
        arrived: &mut Arrived<'_>,
        by: &mut HeaderValue,
        request: &request::Parts,
        body: Incoming,
        peer: IpAddr,
    ) -> Result<Response<Body>, Refusal> {
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let reads = request.method == Method::GET || request.method == Method::HEAD;
        let client = self.shared.client(&request.headers, peer);
        self.shared.admit(&request.headers).map_err(|refusal| *refusal)?;
        // Read first: a client that sends slowly must not hold a slot.
        let body = if reads { Bytes::new() } else { front::read(body).await? };
        let look = async { if reads { self.look(path, &request.headers, true).await } else { None } };
        let known = arrived.pass(look).await?;
        let (visit, id) = (&mut arrived.visit, &arrived.id);
        let passed =
            |conditions| upstream::pass_on(&self.shared, self.tier, &request.headers, id, client, conditions);
        Ok(if reads {
            self.serve(visit, by, path, request, || passed(false), known).await
        } else {
            self.pass_through(visit, by, path, request, passed(true), body).await
        })
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
            Entry::Varies(variants) => match get(&variants.key(path, asked))? {
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
        if let Some(stored) = &known {
            let (found, did) = match stored.freshness.use_for(&control) {
                Use::Fresh => (Some(Found::Hit), "hit"),
                Use::Stale => (Some(Found::Stale), "hit; detail=max-stale"),
                Use::Meanwhile => {
                    self.refresh(path, headers(), stored);
                    (Some(Found::Stale), "hit; detail=stale-while-revalidate")
                }
                Use::Confirmed => (None, ""),
            };
            if let Some(found) = found {
                visit.looked_up(found);
                return self.with_status(stored.answer(request), None, did);
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
        if let (true, Some(stored)) = (fetched.is_failure(), known) {
            if stored.freshness.serves_on_error(&control) {
                visit.looked_up(Found::Stale);
                return self.with_status(stored.answer(request), None, "hit; detail=stale-if-error");
            }
            if stored.freshness.is_strict() && fetched.unreachable {
                visit.looked_up(Found::Miss);
                // RFC 9111, section 5.2.2.2.
                let detail = "the copy of this must be confirmed, and nobody can be reached who could do so";
                let problem = reply::problem(StatusCode::GATEWAY_TIMEOUT, detail);
                return reply::headless(&request.method, problem);
            }
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
        if !self.keeper.is_there() || control.no_store || self.keeper.is_told_too_little(&headers) {
            let fetched = self.fetch_past_cache(path, headers).await;
            visit.came_back(fetched.tier, fetched.took, fetched.trail.clone());
            return (Some(fetched), Found::Miss);
        }
        let landed = || {
            let stored = self.look_in_memory(path, &headers, false)?;
            (stored.freshness.use_for(control) == Use::Fresh).then(|| Fetched::landed(stored))
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
                let variants = match cache.peek(&path) {
                    Some(Entry::Varies(known)) if *known.names == *names => known,
                    _ => Variants::new(names),
                };
                cache.insert(&variants.key(&path, &headers), entry, bytes);
                cache.insert(&path, Entry::Varies(variants), path.len());
            }
        }
        lead.land(fetched);
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
                wire::off_the_wire(response.headers_mut());
                self.forget_changed(path, request, &response);
                *by = response.headers().get(SERVED_BY).cloned().unwrap_or_else(|| by.clone());
                response.map(Body::Through)
            }
            Err(error) => {
                visit.came_back(below.upstream.tier, begun.elapsed(), Trail::default());
                reply::problem(error.status(), &error.to_string())
            }
        }
    }

    /// Forgets what a request has changed (RFC 9111, section 4.4): the object that it went to, and those that the
    /// response names on the same host.
    fn forget_changed(&self, path: &str, request: &request::Parts, response: &Response<peer::Answer>) {
        let failed = response.status().is_client_error() || response.status().is_server_error();
        if request.method.is_safe() || failed {
            return;
        }
        self.forget(path);
        let named = [LOCATION, CONTENT_LOCATION].into_iter().filter_map(|name| response.headers().get(name));
        for uri in named.filter_map(|named| Uri::try_from(named.as_bytes()).ok()) {
            let here = request.headers.get(HOST).map(HeaderValue::as_bytes);
            let there = uri.authority().map(|authority| authority.as_str().as_bytes());
            if let Some(path) = uri.path_and_query().filter(|_| there.is_none() || there == here) {
                self.forget(path.as_str());
            }
        }
    }

    fn forget(&self, path: &str) {
        match &self.keeper {
            Keeper::Nobody => {}
            Keeper::Memory(cache) => cache.remove(path),
            #[cfg(feature = "services")]
            Keeper::Nginx(store) => store.forget(path),
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
