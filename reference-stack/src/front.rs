//! What every tier that listens does first: emulate the way to it, check the key, name the request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::auth::{ApiKey, RequestIds};
use crate::log::Log;
use crate::metrics::Outcome;
use crate::plan::TierPlan;
use crate::reply::{self, Body};
use crate::timer::Timer;
use crate::upstream::INSIDE;
use crate::visit::Visit;

/// What all tiers of one stack share.
#[derive(Debug, Clone)]
pub struct Shared {
    pub key: Arc<ApiKey>,
    pub ids: Arc<RequestIds>,
    /// Proves that a call comes from one of our own tiers.
    pub inside: Arc<ApiKey>,
    /// The same as a header.
    pub inside_proof: HeaderValue,
    pub timer: Timer,
    pub log: Log,
    pub seed: u64,
    /// Hold slots for drawn service times, and delay hops by their round trips.
    pub emulate: bool,
}

impl Shared {
    /// The round trip to a tier, zero where nothing is emulated.
    pub const fn rtt(&self, plan: &TierPlan) -> Duration {
        if self.emulate { plan.rtt } else { Duration::ZERO }
    }

    /// Emulates the round trip of a request from outside; a tier that calls does so itself.
    pub async fn arrive(&self, visit: &mut Visit<'_>, plan_rtt: Duration, headers: &HeaderMap) {
        if !plan_rtt.is_zero() && !self.is_inside(headers) {
            let begun = std::time::Instant::now();
            self.timer.sleep(plan_rtt).await;
            visit.arrival = begun.elapsed();
        }
    }

    /// Whether one of our own tiers calls.
    pub fn is_inside(&self, headers: &HeaderMap) -> bool {
        headers.get(INSIDE).is_some_and(|proof| self.inside.is(proof.as_bytes()))
    }

    /// Counts and notes how a tier answered a request; a failure is one of this tier or of one below.
    pub fn outcome(&self, tier: &str, id: &HeaderValue, response: &Response<Body>) -> Outcome {
        if !response.status().is_server_error() {
            return Outcome::Ok;
        }
        let id = id.to_str().unwrap_or("-");
        self.log.request(tier, id, format_args!("answered {}", response.status()));
        Outcome::Failed
    }

    /// The refusal of a request without the right key.
    pub fn refuse(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        (!self.key.admits(headers)).then(|| {
            reply::problem(StatusCode::UNAUTHORIZED, "send the key of this start in the header x-api-key")
        })
    }
}

/// Bytes of a request's body; nothing that this API takes is longer.
const BODY_BYTES_MAX: usize = 4096;
/// A client must have sent its body within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The whole body of a request.
///
/// # Errors
/// The answer to one that is too long, comes too slowly or breaks off.
pub async fn read(body: Incoming) -> Result<Bytes, Response<Body>> {
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("a body has at most {BODY_BYTES_MAX} bytes");
            Err(reply::problem(StatusCode::PAYLOAD_TOO_LARGE, &detail))
        }
        Ok(Err(_)) => Err(reply::problem(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => {
            let detail = format!("the body did not come within {} s", BODY_TIMEOUT.as_secs());
            Err(reply::problem(StatusCode::REQUEST_TIMEOUT, &detail))
        }
    }
}
