//! What every tier that listens does first: emulate the way to it, check the key, name the request.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::api::Op;
use crate::auth::{ApiKey, RequestIds};
use crate::balance::Balancer;
use crate::gate::{Gate, Refused};
use crate::log::Log;
use crate::metrics::Outcome;
use crate::plan::TierPlan;
use crate::reply::{self, Body};
use crate::timer::Timer;
use crate::upstream::{FORWARDED_FOR, INSIDE};
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
    async fn arrive(&self, visit: &mut Visit<'_>, plan_rtt: Duration, headers: &HeaderMap) {
        let emulated = self.is_inside(headers) && caller_emulates(headers);
        if !plan_rtt.is_zero() && !emulated {
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
    fn outcome(&self, tier: &str, id: &HeaderValue, response: &Response<Body>) -> Outcome {
        if !response.status().is_server_error() {
            return Outcome::Ok;
        }
        let id = id.to_str().unwrap_or("-");
        self.log.request(tier, id, format_args!("answered {}", response.status()));
        Outcome::Failed
    }

    /// Lets in requests with the right key.
    ///
    /// # Errors
    /// The answer to one without it.
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Box<Refusal>> {
        if self.key.admits(headers) {
            return Ok(());
        }
        let detail = "send the key of this start in the header x-api-key";
        Err(Box::new((reply::problem(StatusCode::UNAUTHORIZED, detail), Outcome::Rejected)))
    }

    /// Whose request it is: the address it came from, or whom one of our own tiers speaks for.
    pub fn client(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let told = || headers.get(FORWARDED_FOR)?.to_str().ok()?.parse().ok();
        if self.is_inside(headers) { told().unwrap_or(peer) } else { peer }
    }
}

/// Whether the caller has emulated the way here; a server between two tiers does not.
#[cfg(feature = "services")]
fn caller_emulates(headers: &HeaderMap) -> bool {
    !headers.contains_key(crate::upstream::WAY)
}

#[cfg(not(feature = "services"))]
const fn caller_emulates(_: &HeaderMap) -> bool {
    true
}

/// A request that is with one instance of a tier that listens.
pub struct Arrived<'a> {
    shared: &'a Shared,
    pub gate: &'a Gate,
    pub op: Op,
    pub visit: Visit<'a>,
    pub id: HeaderValue,
}

impl<'a> Arrived<'a> {
    /// Brings a request to an instance: begins the visit, names the request and emulates the way.
    pub async fn at(
        shared: &'a Shared,
        gate: &'a Gate,
        op: Op,
        plan_rtt: Duration,
        headers: &HeaderMap,
    ) -> Arrived<'a> {
        let mut visit = Visit::start(&gate.metrics, op);
        shared.arrive(&mut visit, plan_rtt, headers).await;
        Self { shared, gate, op, visit, id: shared.ids.of(headers) }
    }

    /// Waits for a slot and does the work in it.
    ///
    /// # Errors
    /// The answer of an instance that is full or down.
    pub async fn pass<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Refusal> {
        match self.gate.pass(self.op, work).await {
            Ok((result, queued)) => {
                self.visit.queued = queued;
                Ok(result)
            }
            Err(Refused::Full) => Err((reply::busy(self.gate.metrics.tier), Outcome::Rejected)),
            Err(Refused::Down) => Err((reply::unavailable(self.gate.metrics.tier), Outcome::Failed)),
        }
    }

    /// Ends the visit with an answer, or the refusal of one, that `by` has made.
    pub fn leave(self, by: HeaderValue, answer: Result<Response<Body>, Refusal>) -> Response<Body> {
        let tier = self.gate.metrics.tier;
        let (mut response, outcome) = match answer {
            Ok(response) => {
                let outcome = self.shared.outcome(tier, &self.id, &response);
                (response, outcome)
            }
            Err(refusal) => refusal,
        };
        let trail = self.visit.end(outcome, reply::length(&response));
        reply::sign(&mut response, trail, by, self.id);
        response.map(|body| self.gate.link.carry(body))
    }
}

/// The instance that a request goes to. If all are down, the first, which will say so.
pub fn pick<'a>(gates: &'a [Arc<Gate>], balancer: &Balancer) -> &'a Gate {
    let picked = balancer.pick(gates, |gate| gate.is_up(), |gate| gate.metrics.load());
    &gates[picked.unwrap_or(0)]
}

/// Bytes of a request's body; nothing that this API takes is longer.
const BODY_BYTES_MAX: usize = 4096;
/// A client must have sent its body within this time.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer without any work, and how it is counted.
pub type Refusal = (Response<Body>, Outcome);

/// The whole body of a request.
///
/// # Errors
/// The answer to one that is too long, comes too slowly or breaks off.
pub async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    let refusal = |status, detail: &str| (reply::problem(status, detail), Outcome::Rejected);
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_BYTES_MAX).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("a body has at most {BODY_BYTES_MAX} bytes");
            Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, &detail))
        }
        Ok(Err(_)) => Err(refusal(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => {
            let detail = format!("the body did not come within {} s", BODY_TIMEOUT.as_secs());
            Err(refusal(StatusCode::REQUEST_TIMEOUT, &detail))
        }
    }
}
