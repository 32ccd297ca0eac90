//! What an engine counts, by call of the flow list.
//!
//! Why by call and not by tier: the same tier is called by several actions and in several places of one
//! action's tree, with other objects, other sizes and other hit ratios. Tiers are sums over calls.

use plimsoll_scenarios::Scenario;

use super::Beside;
use crate::flow::Flow;
use crate::histogram::Latencies;
use crate::model;

/// A figure by region and slot.
pub type Grid = Vec<Vec<f64>>;

/// What one replication counted, in requests and calls of the whole system.
#[derive(Debug, Clone)]
pub struct Counted {
    /// By action: requests, those that its device answers among them.
    pub requests: Vec<Grid>,
    /// By action: of these, the share that failed.
    pub failed: Vec<Grid>,
    /// By call of the [`Flow`]: calls that reached its tier.
    pub calls: Vec<Grid>,
    /// By call: of these, how many the tier's cache answered.
    pub hits: Vec<Grid>,
    /// By tier and place, then slot.
    pub stations: Vec<Vec<Vec<StationSlot>>>,
    /// By tier.
    pub waits: Vec<Latencies>,
    pub sojourns: Vec<Latencies>,
    /// By action.
    pub first_byte: Vec<Latencies>,
    pub complete: Vec<Latencies>,
    /// The same of the slots that nothing else will play, where some are set aside.
    pub outside: Option<Distributions>,
    /// By action and slot.
    pub first_byte_slots: Vec<Vec<Latencies>>,
    /// Before what counts: number and sum of latencies to the first byte, seconds, by equal parts of the time. Empty
    /// where the engine has no such time.
    pub before: Vec<(u32, f64)>,
    /// Links and what else stands beside servers.
    pub beside: Beside,
    pub simulated_requests: u64,
    pub simulated_customers: u64,
}

/// How long things took, in a part of the slots; as in [`Counted`].
#[derive(Debug, Clone, Default)]
pub struct Distributions {
    pub waits: Vec<Latencies>,
    pub sojourns: Vec<Latencies>,
    pub first_byte: Vec<Latencies>,
    pub complete: Vec<Latencies>,
}

impl Distributions {
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let (tiers, actions) = (scenario.tiers.len(), scenario.actions.len());
        let of = |number: usize| vec![Latencies::default(); number];
        Self { waits: of(tiers), sojourns: of(tiers), first_byte: of(actions), complete: of(actions) }
    }
}

/// One station at one place in one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StationSlot {
    pub utilisation: f64,
    pub wait_mean_s: f64,
    /// Mean time that a call holds a slot: its service, and what is behind where the station blocks.
    pub held_mean_s: f64,
    /// Mean number waiting at all its servers.
    pub queue: f64,
    pub rejected_share: f64,
}

impl Counted {
    #[must_use]
    pub fn new(scenario: &Scenario, flow: &Flow<'_>, slots: usize) -> Self {
        let regions = scenario.population.regions.len();
        let grids = |n: usize| vec![vec![vec![0.0; slots]; regions]; n];
        let (actions, calls, tiers) = (scenario.actions.len(), flow.nodes.len(), scenario.tiers.len());
        Self {
            requests: grids(actions),
            failed: grids(actions),
            calls: grids(calls),
            hits: grids(calls),
            stations: (0..tiers)
                .map(|t| vec![vec![StationSlot::default(); slots]; model::places(scenario, t)])
                .collect(),
            waits: vec![Latencies::default(); tiers],
            sojourns: vec![Latencies::default(); tiers],
            first_byte: vec![Latencies::default(); actions],
            complete: vec![Latencies::default(); actions],
            outside: None,
            first_byte_slots: vec![vec![Latencies::coarse(); slots]; actions],
            before: Vec::new(),
            beside: Beside::default(),
            simulated_requests: 0,
            simulated_customers: 0,
        }
    }
}
