//! Means over replications, made once: every figure of a record is a sum over some of them.

use plimsoll_reports::record::Interval;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::{Counted, Grid, Levels, Outcome, StationSlot, interval};
use crate::flow::{Cause, Flow};
use crate::model;

pub(super) struct Means<'a> {
    pub scenario: &'a Scenario,
    pub outcome: &'a Outcome,
    pub flow: Flow<'a>,
    /// By action.
    pub requests: Vec<Grid>,
    pub failed: Vec<Grid>,
    /// By call.
    pub calls: Vec<Grid>,
    pub hits: Vec<Grid>,
    pub levels: Levels,
    /// By tier, place and slot.
    pub stations: Vec<Vec<Vec<StationSlot>>>,
}

impl<'a> Means<'a> {
    pub fn new(scenario: &'a Scenario, outcome: &'a Outcome) -> Self {
        Self {
            scenario,
            outcome,
            flow: Flow::of(scenario),
            requests: grids(outcome, |c| &c.requests),
            failed: grids(outcome, |c| &c.failed),
            calls: grids(outcome, |c| &c.calls),
            hits: grids(outcome, |c| &c.hits),
            levels: Levels {
                in_memory: grids(outcome, |c| &c.beside.levels.in_memory),
                kept: grids(outcome, |c| &c.beside.levels.kept),
            },
            stations: stations(outcome),
        }
    }

    pub fn interval(&self, each: impl Fn(&Counted) -> f64) -> Interval {
        interval(&self.outcome.counted.iter().map(each).collect::<Vec<_>>())
    }

    pub fn regions(&self) -> usize {
        self.scenario.population.regions.len()
    }

    /// Regions whose calls of a tier go to this place.
    pub fn regions_at(&self, tier: TierId, place: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.regions()).filter(move |&r| model::place_of(self.scenario, tier, r) == place)
    }

    /// Of the calls in a region and slot, those that use disks, where the tier has any.
    pub fn disk_calls(&self, node: usize, region: usize, slot: usize) -> f64 {
        if model::has_levels(self.scenario, self.flow.nodes[node].call) {
            self.levels.uses(self.hits[node][region][slot], (node, region, slot))
        } else {
            self.calls[node][region][slot]
        }
    }

    /// Calls of a tier at a place in a slot, each multiplied by what `weight` says of it.
    fn weighed(&self, tier: TierId, place: usize, slot: usize, weight: impl Fn(usize) -> f64) -> f64 {
        let mut sum = 0.0;
        for node in self.flow.at(tier) {
            let weight = weight(node);
            sum += self.regions_at(tier, place).map(|r| weight * self.calls[node][r][slot]).sum::<f64>();
        }
        sum
    }

    /// Calls that reach a tier at a place in a slot.
    pub fn arrivals(&self, tier: TierId, place: usize, slot: usize) -> f64 {
        self.weighed(tier, place, slot, |_| 1.0)
    }

    /// The same as work of its servers, in calls of one: a write is one for every copy.
    pub fn work(&self, tier: TierId, place: usize, slot: usize) -> f64 {
        self.weighed(tier, place, slot, |node| model::work(self.scenario, self.flow.nodes[node].call))
    }

    /// Reads and writes of a tier's disks.
    pub fn operations(&self, tier: TierId, place: usize, slot: usize) -> f64 {
        let mut sum = 0.0;
        for node in self.flow.at(tier) {
            let each = model::disk_operations(self.scenario, self.flow.nodes[node].call);
            sum += self.regions_at(tier, place).map(|r| each * self.disk_calls(node, r, slot)).sum::<f64>();
        }
        sum
    }

    pub fn bytes_out(&self, tier: TierId, place: usize, slot: usize) -> f64 {
        if self.scenario.tiers[tier].scope == Scope::User {
            return 0.0;
        }
        self.weighed(tier, place, slot, |node| self.flow.nodes[node].call.response.get())
    }

    /// Of an action's calls, those that end at a call: its cache answers, or nobody behind it is waited for.
    pub fn ending(&self, node: usize, region: usize, slot: usize) -> f64 {
        let here = &self.flow.nodes[node];
        let waited = |n: &&crate::flow::Node<'_>| n.caller == Some(node) && !n.asynchronous;
        let none_made: f64 =
            self.flow.nodes.iter().filter(waited).map(|n| 1.0 - n.call.share.get().min(1.0)).product();
        if here.cause != Cause::Request || here.asynchronous {
            return 0.0;
        }
        let (calls, hits) = (self.calls[node][region][slot], self.hits[node][region][slot]);
        hits + (calls - hits) * none_made
    }
}

fn grids(outcome: &Outcome, of: impl Fn(&Counted) -> &Vec<Grid>) -> Vec<Grid> {
    let Some((first, others)) = outcome.counted.split_first() else { return Vec::new() };
    let mut sums = of(first).clone();
    for counted in others {
        for (sum, grid) in sums.iter_mut().flatten().flatten().zip(of(counted).iter().flatten().flatten()) {
            *sum += grid;
        }
    }
    let n = outcome.counted.len() as f64;
    sums.iter_mut().flatten().flatten().for_each(|sum| *sum /= n);
    sums
}

fn stations(outcome: &Outcome) -> Vec<Vec<Vec<StationSlot>>> {
    let Some((first, others)) = outcome.counted.split_first() else { return Vec::new() };
    let mut sums = first.stations.clone();
    for counted in others {
        let all = counted.stations.iter().flatten().flatten();
        for (sum, one) in sums.iter_mut().flatten().flatten().zip(all) {
            *sum = StationSlot {
                utilisation: sum.utilisation + one.utilisation,
                wait_mean_s: sum.wait_mean_s + one.wait_mean_s,
                held_mean_s: sum.held_mean_s + one.held_mean_s,
                queue: sum.queue + one.queue,
                rejected_share: sum.rejected_share + one.rejected_share,
            };
        }
    }
    let n = outcome.counted.len() as f64;
    for sum in sums.iter_mut().flatten().flatten() {
        for part in [
            &mut sum.utilisation,
            &mut sum.wait_mean_s,
            &mut sum.held_mean_s,
            &mut sum.queue,
            &mut sum.rejected_share,
        ] {
            *part /= n;
        }
    }
    sums
}
