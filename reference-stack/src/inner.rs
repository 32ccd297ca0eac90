//! Tiers inside the process: called like a library, gated and measured like every other tier.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::api::Op;
use crate::balance::Balancer;
use crate::front::{self, Shared};
use crate::gate::{Gate, Refused};
use crate::metrics::{Outcome, TierMetrics};
use crate::plan::TierPlan;
use crate::visit::{Trail, Visit};

/// Why a tier gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A queue is full.
    #[error("the queue of {0} is full; try again later")]
    Busy(&'static str),
    /// No replica works.
    #[error("{0} is down; try again later")]
    Down(&'static str),
    #[error("{0}")]
    Missing(String),
    #[error("{tier} failed: {cause}")]
    Broken { tier: &'static str, cause: String },
}

/// What a tier answered, who did, and how long all of it took.
#[derive(Debug)]
pub struct Answered<T> {
    pub tier: &'static str,
    pub result: Result<T, Fault>,
    /// The tier that had the answer.
    pub served_by: &'static str,
    pub trail: Trail,
    /// As the caller sees it, with the way there and back.
    pub took: Duration,
}

/// Replicas of one tier.
#[derive(Debug)]
pub struct Replicas {
    pub tier: &'static str,
    gates: Vec<Arc<Gate>>,
    balancer: Balancer,
    shared: Shared,
    half_rtt: Duration,
}

impl Replicas {
    pub fn new(shared: Shared, plan: &TierPlan, gates: Vec<Arc<Gate>>) -> Self {
        Self {
            tier: plan.name,
            gates,
            balancer: Balancer::new(plan.balance, shared.seed, plan.name),
            half_rtt: shared.rtt(plan) / 2,
            shared,
        }
    }

    /// Goes to one of the replicas. If all are down, to the first, which will say so.
    pub async fn enter(&self, op: Op) -> Stay<'_> {
        let begun = Instant::now();
        self.shared.timer.sleep(self.half_rtt).await;
        let gate = front::pick(&self.gates, &self.balancer);
        Stay { replicas: self, gate, op, visit: Visit::start(&gate.metrics, op), begun }
    }
}

/// A call that is with one replica.
#[derive(Debug)]
pub struct Stay<'a> {
    replicas: &'a Replicas,
    gate: &'a Gate,
    op: Op,
    pub visit: Visit<'a>,
    begun: Instant,
}

impl Stay<'_> {
    /// Metrics of the replica.
    pub fn metrics(&self) -> &TierMetrics {
        &self.gate.metrics
    }

    /// Does the work in one of the replica's slots.
    ///
    /// # Errors
    /// [`Fault::Busy`] if the queue is full, [`Fault::Down`] if the replica does not work.
    pub async fn pass<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Fault> {
        match self.gate.pass(self.op, work).await {
            Ok((result, queued)) => {
                self.visit.queued = queued;
                Ok(result)
            }
            Err(Refused::Full) => Err(Fault::Busy(self.replicas.tier)),
            Err(Refused::Down) => Err(Fault::Down(self.replicas.tier)),
        }
    }

    /// Goes back to the caller with a result of so many bytes.
    pub async fn leave<T>(
        self,
        result: Result<T, Fault>,
        served_by: &'static str,
        bytes: usize,
    ) -> Answered<T> {
        let tier = self.replicas.tier;
        let outcome = match &result {
            Ok(_) | Err(Fault::Missing(_)) => Outcome::Ok,
            Err(Fault::Busy(full)) if *full == tier => Outcome::Rejected,
            Err(_) => Outcome::Failed,
        };
        let trail = self.visit.end(outcome, bytes as u64);
        self.gate.link.send(bytes).await;
        self.replicas.shared.timer.sleep(self.replicas.half_rtt).await;
        Answered { tier, result, served_by, trail, took: self.begun.elapsed() }
    }
}
