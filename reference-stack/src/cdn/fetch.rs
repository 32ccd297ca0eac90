//! Getting an object from the tier below: whole, and held against its hash before anybody may have it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};

use super::Cdn;
#[cfg(feature = "services")]
use super::Keeper;
use super::stored::{self, Answer, Stored};
use crate::digest;
use crate::peer;
use crate::reply::{self, CACHE_STATUS, REPR_DIGEST, SERVED_BY};
use crate::upstream::{HOP_TIMEOUT, HopError};
use crate::visit::Trail;

/// Largest object that is fetched, bytes; songs are bounded by the plan.
const OBJECT_BYTES_MAX: usize = 65 << 20;

/// Result of a fetch, shared by all who waited for it.
#[derive(Debug, Clone)]
#[cfg_attr(
    feature = "services",
    expect(clippy::struct_excessive_bools, reason = "what happened to a fetch, each by itself")
)]
pub struct Fetched {
    pub answer: Answer,
    /// The copy that we had was confirmed.
    pub confirmed: bool,
    /// The bytes that came are not what their hash says.
    #[cfg(feature = "services")]
    pub is_wrong: bool,
    pub took: Duration,
    pub tier: &'static str,
    pub trail: Trail,
    pub served_by: HeaderValue,
    /// What caches below did.
    pub status: Option<HeaderValue>,
    /// Nobody below has answered at all.
    pub unreachable: bool,
    /// Nobody was asked: it is a copy that the server has.
    #[cfg(feature = "services")]
    pub is_copy: bool,
}

impl Cdn {
    /// Fetches the whole object, and leaves the cache as it is.
    pub(super) async fn fetch_past_cache(&self, path: &str, headers: HeaderMap) -> Fetched {
        match &self.keeper {
            #[cfg(feature = "services")]
            Keeper::Nginx(store) => self.fetch_past_nginx(store, path, headers).await,
            _ => self.fetch(path, headers, None).await,
        }
    }

    /// Fetches the whole object, or the confirmation of the copy that is there.
    pub(super) async fn fetch(&self, path: &str, headers: HeaderMap, known: Option<&Stored>) -> Fetched {
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
                let failed = Fetched::failed(tier, begun, error.status(), &error.to_string());
                return Fetched { unreachable: true, ..failed };
            }
        };
        self.received(begun, tier, response, &asked, known).await
    }

    /// Takes in what the tier below has answered.
    pub(super) async fn received(
        &self,
        begun: Instant,
        tier: &'static str,
        response: Response<peer::Answer>,
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
            unreachable: false,
            #[cfg(feature = "services")]
            is_copy: false,
        };
        if let (StatusCode::NOT_MODIFIED, Some(known)) = (head.status, known)
            && let Some(stored) = known.confirmed(asked, &head.headers, begun.elapsed())
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
    ) -> Result<(&'static str, Response<peer::Answer>), HopError> {
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
}

/// Why there is no body.
pub struct Torn {
    status: StatusCode,
    detail: String,
    /// It is there, and is not what its hash says.
    #[cfg(feature = "services")]
    is_wrong: bool,
}

/// The whole body, if it comes in time and is what its hash says.
pub async fn whole(tier: &str, headers: &HeaderMap, body: peer::Answer) -> Result<Bytes, Torn> {
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
    pub fn landed(stored: Arc<Stored>) -> Self {
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
            unreachable: false,
            #[cfg(feature = "services")]
            is_copy: false,
        }
    }

    pub fn failed(tier: &'static str, begun: Instant, status: StatusCode, detail: &str) -> Self {
        let (headers, body) = (reply::problem_headers(status), reply::problem_text(status, detail));
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
            unreachable: false,
            #[cfg(feature = "services")]
            is_copy: false,
        }
    }

    /// Whether the tier below failed, rather than saying no.
    pub fn is_failure(&self) -> bool {
        matches!(&self.answer, Answer::Other { status, .. } if status.is_server_error())
    }

    /// Whether it is a copy that must not be used without being confirmed.
    #[cfg(feature = "services")]
    pub fn is_outdated(&self) -> bool {
        let stale = |stored: &Stored| !stored.freshness.is_fresh();
        self.is_copy && matches!(&self.answer, Answer::Stored(stored) if stale(stored))
    }

    /// Whether somebody who asked with these headers may have it too.
    pub fn is_for(&self, asked: &HeaderMap) -> bool {
        match &self.answer {
            Answer::Stored(stored) => stored.suits(asked),
            Answer::Other { shareable, .. } => *shareable,
        }
    }
}
