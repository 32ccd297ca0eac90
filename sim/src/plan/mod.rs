//! `plan`: sizes at least cost that keep the scenario's targets, why each is what it is, and what it would take
//! to be wrong.
//!
//! Why it can be fast and exact: tiers interact only through rates. A cache's size decides the load inwards; given
//! the loads, each tier's least number of servers follows by itself; times add up along calls and costs over
//! tiers. So the search is over capacities, copies and the like ([`search`]), and servers are solved inside
//! ([`evaluate`], [`size`]).

mod durability;
mod evaluate;
//mod explain;
//mod failures;
mod goals;
mod hits;
mod kinds;
mod load;
mod mixture;
//mod outlook;
mod problem;
//mod record;
mod search;
mod size;
#[cfg(test)]
mod tests;
//mod verify;
//mod worlds;

use std::sync::atomic::AtomicBool;

use plimsoll_reports::plan::Plan;
use plimsoll_scenarios::Open;
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::slo::Failure;

pub use problem::Assumed;

/// How to plan.
#[derive(Debug, Clone)]
pub struct Options<'p> {
    pub seed: u64,
    pub prices: &'p PriceList,
    pub assumed: Assumed,
    /// Worlds in which candidates are compared where the scenario has ranges.
    pub worlds: usize,
    /// Play the plan in the simulator, and adjust it where that disagrees.
    pub verify: bool,
    /// Changes nothing but the time it takes.
    pub threads: usize,
}

/// Worlds that a plan is compared in unless told otherwise.
pub const WORLDS: usize = 512;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(
        "{scenario} has nothing to size: no servers, and no cache that is not on a device\nhint: write `servers: auto` \
         into a tier"
    )]
    NothingFree { scenario: String },
    #[error("{cause}\nhint: {fix}")]
    Prices { cause: String, fix: String },
    #[error("no sizes keep all targets: {cause}\nhint: {fix}")]
    Infeasible { cause: String, fix: String },
    #[error("interrupted before the plan was complete")]
    Stopped,
}

/// The failures that a plan is held against, in order.
const FAILURES: [Failure; 5] = [
    Failure::ServerDown,
    Failure::ZoneDown,
    Failure::RegionDown,
    Failure::ColdCache,
    Failure::HotRelease,
];
