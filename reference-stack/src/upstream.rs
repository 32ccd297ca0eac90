//! Calling the next tier over HTTP/1.1, with a pool of kept connections per calling tier.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, PRAGMA, RANGE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::auth::API_KEY;
use crate::front::Shared;
use crate::reply::REQUEST_ID;
use crate::tiers;
use crate::timer::Timer;

/// Marks a call from one tier to another: its caller has emulated the way already.
pub const INSIDE: HeaderName = HeaderName::from_static("x-plimsoll-inside");

/// Marks a call that a server between two tiers has passed on: the way is still to be emulated.
#[cfg(feature = "services")]
pub const WAY: HeaderName = HeaderName::from_static("x-plimsoll-way");

/// A tier must answer within this time.
pub const HOP_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections kept per called instance.
const IDLE_MAX: usize = 512;
/// Shorter than the servers' own limit, so that a kept connection is never closed under a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Whose request it is, and who asked first.
pub const USER: HeaderName = HeaderName::from_static("x-user");
pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Headers that one tier passes on to the next. No others are: what a client adds must not be taken for what the
/// tiers and their servers tell each other.
const PASSED_ON: [HeaderName; 9] = [
    API_KEY,
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    AUTHORIZATION,
    USER,
    CONTENT_TYPE,
    CACHE_CONTROL,
    PRAGMA,
];
/// Those that ask for less than the whole; a cache answers them itself.
const CONDITIONS: [HeaderName; 6] =
    [RANGE, IF_RANGE, IF_NONE_MATCH, IF_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];

/// A hop that failed.
#[derive(Debug, thiserror::Error)]
pub enum HopError {
    #[error("{tier} does not answer: {cause}")]
    Unreachable { tier: &'static str, cause: String },
    #[error("{tier} has not answered within {} s", HOP_TIMEOUT.as_secs())]
    TimedOut { tier: &'static str },
}

impl HopError {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unreachable { .. } => StatusCode::BAD_GATEWAY,
            Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// The way to the tier below.
#[derive(Debug)]
pub struct Upstream {
    pub tier: &'static str,
    client: Client<HttpConnector, Full<Bytes>>,
    timer: Timer,
    /// Half of the emulated round trip.
    half_rtt: Duration,
}

impl Upstream {
    pub fn new(tier: &'static str, rtt: Duration, sleeper: Timer) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Self { tier, client, timer: sleeper, half_rtt: rtt / 2 }
    }

    /// Sends a request to `authority` (`127.0.0.1:1234`) and waits for the response's headers.
    ///
    /// # Errors
    /// If the tier can't be reached or takes too long.
    pub async fn call(
        &self,
        authority: &str,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, HopError> {
        let uri = Uri::builder().scheme("http").authority(authority).path_and_query(path).build();
        let uri = uri.map_err(|error| HopError::Unreachable { tier: self.tier, cause: error.to_string() })?;
        self.call_at(uri, method, headers, body).await
    }

    /// As [`Upstream::call`], for an address that is an URI already.
    ///
    /// # Errors
    /// As there.
    pub async fn call_at(
        &self,
        uri: Uri,
        method: Method,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, HopError> {
        let unreachable = |cause: String| HopError::Unreachable { tier: self.tier, cause };
        let mut outgoing = Request::new(Full::new(body));
        *outgoing.method_mut() = method;
        *outgoing.uri_mut() = uri;
        *outgoing.headers_mut() = headers;
        self.timer.sleep(self.half_rtt).await;
        let answer = tokio::time::timeout(HOP_TIMEOUT, self.client.request(outgoing)).await;
        let response = answer.map_err(|_| HopError::TimedOut { tier: self.tier })?.map_err(|error| {
            unreachable(error.source().map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        self.timer.sleep(self.half_rtt).await;
        Ok(response)
    }
}

/// Headers for the next tier: those of the request that concern it.
pub fn pass_on(
    shared: &Shared,
    tier: &'static str,
    headers: &HeaderMap,
    request_id: &HeaderValue,
    client: IpAddr,
    conditions: bool,
) -> HeaderMap {
    let mut passed = HeaderMap::with_capacity(12);
    let conditions = if conditions { &CONDITIONS[..] } else { &[] };
    for name in PASSED_ON.iter().chain(conditions) {
        for value in headers.get_all(name) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed.insert(VIA, via(tier, headers));
    passed.extend(named(client).map(|client| (FORWARDED_FOR, client)));
    passed.insert(REQUEST_ID, request_id.clone());
    passed.insert(INSIDE, shared.inside_proof.clone());
    debug_assert!(!passed.contains_key(HOST), "the client sets it");
    passed
}

/// An address as a header; mostly it is our own.
fn named(client: IpAddr) -> Option<HeaderValue> {
    if client == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return Some(HeaderValue::from_static("127.0.0.1"));
    }
    HeaderValue::try_from(client.to_string()).ok()
}

/// The way of a request, with this tier at its end (RFC 9110, section 7.6.3).
fn via(tier: &'static str, headers: &HeaderMap) -> HeaderValue {
    let so_far: Vec<&str> = headers.get_all(VIA).iter().filter_map(|via| via.to_str().ok()).collect();
    let own = match tier {
        tiers::EDGE => "1.1 edge",
        tiers::SHIELD => "1.1 shield",
        _ => "1.1 gateway",
    };
    if so_far.is_empty() {
        return HeaderValue::from_static(own);
    }
    HeaderValue::try_from(format!("{}, {own}", so_far.join(", "))).unwrap_or(HeaderValue::from_static(own))
}
