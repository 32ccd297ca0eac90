//! Calling the next tier over HTTP/1.1: the way there and back, its time limit, and the headers that go along.

use std::error::Error as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, PRAGMA, RANGE, VIA,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;

use crate::auth::API_KEY;
use crate::front::Shared;
use crate::peer::{Answer, Peer};
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
    timer: Timer,
    /// Half of the emulated round trip.
    half_rtt: Duration,
}

impl Upstream {
    pub fn new(tier: &'static str, rtt: Duration, sleeper: Timer) -> Self {
        Self { tier, timer: sleeper, half_rtt: rtt / 2 }
    }

    /// Sends a request to one of the tier's instances and waits for the response's headers.
    ///
    /// # Errors
    /// If the tier can't be reached or takes too long.
    pub async fn call(
        &self,
        peer: &Peer,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Answer>, HopError> {
        let path = PathAndQuery::try_from(path)
            .map_err(|error| HopError::Unreachable { tier: self.tier, cause: error.to_string() })?;
        self.call_at(peer, method, path, headers, body).await
    }

    /// As [`Upstream::call`], for a path that has been read already.
    ///
    /// # Errors
    /// As there.
    pub async fn call_at(
        &self,
        peer: &Peer,
        method: Method,
        path: PathAndQuery,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Answer>, HopError> {
        headers.insert(HOST, peer.host());
        let mut outgoing = Request::new(Full::new(body));
        *outgoing.method_mut() = method;
        *outgoing.uri_mut() = Uri::from(path);
        *outgoing.headers_mut() = headers;
        self.timer.sleep(self.half_rtt).await;
        let answer = tokio::time::timeout(HOP_TIMEOUT, peer.ask(outgoing)).await;
        let response = answer.map_err(|_| HopError::TimedOut { tier: self.tier })?;
        let response = response.map_err(|error| HopError::Unreachable {
            tier: self.tier,
            cause: error.source().map_or_else(|| error.to_string(), ToString::to_string),
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
    debug_assert!(!passed.contains_key(HOST), "that of the next tier is set when it is called");
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
