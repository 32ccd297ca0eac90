//! How often every call is made: down the trees, from the rate of the action and what caches answered.
//!
//! Why not count the played calls: those are a sample, and the real ones are so many that their number in a
//! slot is its mean. So caches give shares, and the numbers are computed.

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::SLOTS;
use super::answers::Answers;
use super::setup::Setup;
use crate::flow;
use crate::model;
use crate::outcome::{Counted, Levels};

/// The requests, calls and hits of a replication.
pub(super) fn count(setup: &Setup<'_>, answers: &Answers) -> Counted {
    let (scenario, flow) = (setup.scenario, &setup.flow);
    let mut counted = Counted::new(scenario, flow, SLOTS);
    counted.simulated_requests = answers.simulated_requests;
    counted.beside.levels = Levels::new(scenario, flow, SLOTS);
    let slot_s = DAY_S / SLOTS as f64;
    for (id, action) in scenario.actions.values().enumerate() {
        for region in 0..scenario.population.regions.len() {
            for slot in 0..SLOTS {
                let from = slot as f64 * slot_s;
                counted.requests[id][region][slot] =
                    model::rate(scenario, action, region, from, from + slot_s) * slot_s;
            }
        }
    }
    for (node, here) in flow.nodes.iter().enumerate() {
        let each = here.call.mean_number();
        let once = flow::occurrences(&scenario.actions[here.action], here.cause);
        for region in 0..scenario.population.regions.len() {
            for slot in 0..SLOTS {
                let reaching = match here.caller {
                    Some(caller) => counted.calls[caller][region][slot] - counted.hits[caller][region][slot],
                    None => counted.requests[here.action][region][slot] * once,
                };
                let calls = reaching * each;
                counted.calls[node][region][slot] = calls;
                if here.lookup {
                    let share = answers.share(node, region, slot, setup.chain.hits[node]);
                    counted.hits[node][region][slot] = calls * share;
                }
                if model::has_levels(scenario, here.call) {
                    let otherwise = (setup.chain.memory_hits[node], setup.chain.kept[node]);
                    let (in_memory, kept) = answers.level_shares((node, region, slot), otherwise);
                    counted.beside.levels.in_memory[node][region][slot] = calls * in_memory;
                    counted.beside.levels.kept[node][region][slot] = calls * kept;
                }
            }
        }
    }
    counted
}

/// Means over replications that queues are played at.
pub(super) struct Rates {
    /// Work of every tier by region and slot, in calls of one server, 1/s.
    work: Vec<Vec<Vec<f64>>>,
    /// Operations of its disks, 1/s; of a cache in memory and on disk, calls that make some.
    operations: Vec<Vec<Vec<f64>>>,
    /// Calls.
    calls: Vec<Vec<Vec<f64>>>,
}

impl Rates {
    pub fn mean(setup: &Setup<'_>, counted: &[Counted]) -> Self {
        let scenario = setup.scenario;
        let work = |node: usize| model::work(scenario, setup.flow.nodes[node].call);
        let levels = |node: usize| model::has_levels(scenario, setup.flow.nodes[node].call);
        let operations = |node: usize| {
            if levels(node) { 0.0 } else { model::disk_operations(scenario, setup.flow.nodes[node].call) }
        };
        let mut rates = Self {
            work: sums(setup, counted, work),
            operations: sums(setup, counted, operations),
            calls: sums(setup, counted, |_| 1.0),
        };
        for node in (0..setup.flow.nodes.len()).filter(|&n| levels(n)) {
            rates.add_disk_calls(setup, counted, node);
        }
        rates
    }

    /// Adds the calls of a node that use the disks of its cache.
    fn add_disk_calls(&mut self, setup: &Setup<'_>, counted: &[Counted], node: usize) {
        let per_s = SLOTS as f64 / DAY_S / counted.len().max(1) as f64;
        let sums = &mut self.operations[setup.flow.nodes[node].call.tier];
        for counted in counted {
            for (region, slots) in sums.iter_mut().enumerate() {
                for (slot, sum) in slots.iter_mut().enumerate() {
                    let hits = counted.hits[node][region][slot];
                    *sum += per_s * counted.beside.levels.uses(hits, (node, region, slot));
                }
            }
        }
    }

    /// How this slot of these regions compares with the tier's mean over slots and regions.
    pub fn weight(&self, tier: TierId, region: Option<usize>, slot: usize) -> f64 {
        let all = &self.work[tier];
        let total: f64 = all.iter().flatten().sum();
        let places = if region.is_some() { all.len() } else { 1 };
        let here: f64 = match region {
            Some(region) => all[region][slot],
            None => all.iter().map(|r| r[slot]).sum(),
        };
        if total > 0.0 { here / total * (places * SLOTS) as f64 } else { 0.0 }
    }

    /// Work at one instance of the tier in a region, or of a tier that is one for all.
    pub fn work_at(&self, scenario: &Scenario, tier: TierId, region: Option<usize>, slot: usize) -> f64 {
        at(&self.work[tier], scenario, tier, region, slot)
    }

    pub fn operations_at(
        &self,
        scenario: &Scenario,
        tier: TierId,
        region: Option<usize>,
        slot: usize,
    ) -> f64 {
        at(&self.operations[tier], scenario, tier, region, slot)
    }

    /// Calls of a tier over all regions.
    pub fn calls_everywhere(&self, tier: TierId, slot: usize) -> f64 {
        self.calls[tier].iter().map(|r| r[slot]).sum()
    }
}

fn at(grid: &[Vec<f64>], scenario: &Scenario, tier: TierId, region: Option<usize>, slot: usize) -> f64 {
    match region.filter(|_| scenario.tiers[tier].scope != Scope::Global) {
        Some(region) => grid[region][slot] / model::instances_at(scenario, tier, region) as f64,
        None => grid.iter().map(|r| r[slot]).sum(),
    }
}

fn sums(setup: &Setup<'_>, counted: &[Counted], weight: impl Fn(usize) -> f64) -> Vec<Vec<Vec<f64>>> {
    let regions = setup.scenario.population.regions.len();
    let per_s = SLOTS as f64 / DAY_S / counted.len().max(1) as f64;
    let mut sums = vec![vec![vec![0.0; SLOTS]; regions]; setup.scenario.tiers.len()];
    for (node, here) in setup.flow.nodes.iter().enumerate() {
        let weight = weight(node) * per_s;
        for counted in counted {
            for (sum, calls) in sums[here.call.tier].iter_mut().zip(&counted.calls[node]) {
                sum.iter_mut().zip(calls).for_each(|(sum, calls)| *sum += weight * calls);
            }
        }
    }
    sums
}
