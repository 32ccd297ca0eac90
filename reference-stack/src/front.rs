//! What every tier that listens does first: emulate the way to it, check the key, name the request.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode};

use crate::auth::{ApiKey, RequestIds};
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
    pub timer: Timer,
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
        if !plan_rtt.is_zero() && !headers.contains_key(INSIDE) {
            let begun = std::time::Instant::now();
            self.timer.sleep(plan_rtt).await;
            visit.arrival = begun.elapsed();
        }
    }

    /// The refusal of a request without the right key.
    pub fn refuse(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        (!self.key.admits(headers)).then(|| {
            reply::problem(StatusCode::UNAUTHORIZED, "send the key of this start in the header x-api-key")
        })
    }
}
