//! `plan`: sizes at least cost that keep the scenario's targets, why each is what it is, and what it would take
//! to be wrong.
//!
//! Why it can be fast and exact: tiers interact only through rates. A cache's size decides the load inwards; given
//! the loads, each tier's least number of servers follows by itself; times add up along calls and costs over
//! tiers. So the search is over capacities, copies and the like ([`search`]), and servers are solved inside
//! ([`evaluate`], [`size`]).

mod bound;
mod cost;
mod durability;
mod evaluate;
mod explain;
mod failures;
mod goals;
mod hits;
mod kinds;
mod load;
mod mixture;
mod moments;
mod outlook;
mod peaks;
mod policies;
mod problem;
mod raise;
mod record;
mod search;
mod shards;
mod size;
mod slots;
#[cfg(test)]
mod tests;
mod verify;
mod worlds;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use plimsoll_reports::plan::Plan;
use plimsoll_scenarios::Open;
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::slo::Failure;

pub use problem::Assumed;

use crate::simulate::Progress;

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
    /// Targets that nothing meets are relaxed to what can be had, instead of an error.
    pub relax: bool,
    /// Changes nothing but the time it takes.
    pub threads: usize,
}

/// Times that a target is relaxed: what very many servers would reach may be more than can be had by adding some.
const RELAXED_MAX: usize = 4;
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
    #[error(
        "tiers.{tier} has servers of several kinds, and a plan sizes servers that are alike\nhint: leave `kinds` out, and let \
         `price.server: auto` choose the type"
    )]
    Kinds { tier: String },
    #[error("{cause}\nhint: {fix}")]
    Prices { cause: String, fix: String },
    #[error("no sizes keep all targets: {cause}\nhint: {fix}")]
    Infeasible { cause: String, fix: String },
    #[error("interrupted before there was any plan")]
    Stopped,
}

/// Plans. Where `stop` is raised, the plan is the best so far, what was not simulated yet is by formula, and the plan
/// says that it is partial.
///
/// # Errors
/// Nothing to size, prices that are missing, targets that no sizes keep, or `stop` raised before there was any plan.
pub fn plan(
    open: &Open,
    options: &Options<'_>,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Result<Plan, PlanError> {
    let mut problem = problem::Problem::new(open, options.prices, &options.assumed)?;
    let world = problem.scenario.clone();
    let flow = crate::flow::Flow::of(&world);
    // By target: what was relaxed, in words.
    let mut relaxed: BTreeMap<usize, String> = BTreeMap::new();
    for _ in 0..=RELAXED_MAX * problem.goals.len() {
        let mut evaluator = evaluate::Evaluator::new(&problem, &world, &flow);
        evaluator.stop = Some(stop);
        let broken = match search::search(&mut evaluator, None) {
            Err(_) if evaluator.stopped() => return Err(PlanError::Stopped),
            Ok(mut found) => {
                evaluator.stop = None;
                slots::trim(&evaluator, &mut found.sizing);
                let (found, verified) = verify::verify(&mut evaluator, found, options, progress, stop);
                let relaxed = relaxed.into_values().collect();
                return Ok(record::record(&mut evaluator, &found, verified, relaxed, options));
            }
            Err(broken) => broken,
        };
        evaluator.stop = None;
        let error = explain::infeasible(&mut evaluator, &broken);
        let Some((goal, bound)) = explain::relaxed(&mut evaluator, &broken).filter(|_| options.relax) else {
            return Err(error);
        };
        let before = &problem.goals[goal];
        let under = before.failure.map_or(String::new(), |failure| format!(" under {}", failure.name()));
        let told = format!("Relaxed: {} to {}{under}.", before.text, explain::shown(before, bound));
        relaxed.insert(goal, told);
        problem.goals[goal].bound = bound;
    }
    Err(PlanError::Infeasible {
        cause: "relaxing every target is not enough".to_owned(),
        fix: "look at the targets of utilisation and at bounds of `auto`".to_owned(),
    })
}

/// The failures that a plan is held against, in order.
const FAILURES: [Failure; 5] =
    [Failure::ServerDown, Failure::ZoneDown, Failure::RegionDown, Failure::ColdCache, Failure::HotRelease];
