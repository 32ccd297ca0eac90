//! A day of which parts were played by another engine: by slot each figure comes from one of them.
//!
//! Why by counts and not by records: what is true of a day (its 99th percentile, its share of failures, its intervals) is
//! no mean of what is true of its parts. So the counts of slots change places, and histograms add up, each observation
//! with the number of requests it stands for: a sample of a quiet hour stands for more or fewer than a request that was
//! played in a slice of a busy one.

use std::ops::Range;

use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::means::Means;
use super::{Beside, BesideSums, Counted, Distributions, Outcome, StationSlot};
use crate::flow::{Cause, Flow, Node};
use crate::histogram::Latencies;
use crate::model;

/// Observations that the one standing for least counts as: others stand for a whole number of hundredths of it.
const GRAIN: f64 = 100.0;
/// Most that another stands for, in those of the least: counts stay far below what a histogram holds.
const WEIGHT_MAX: f64 = 1e9;

/// Slots of servers, for one of the whole, from which their queues are not those of the whole.
const MANY: f64 = 1.25;
/// Calls in a slot, over all replications, from which their work is that of the whole.
const CALLS_MIN: f64 = 1_000.0;

/// A part of a day, by another engine.
#[derive(Debug)]
pub struct Part {
    /// The slot of the day that is its first.
    pub first: usize,
    pub outcome: Outcome,
    /// Requests that one of its requests stands for.
    pub factor: f64,
    /// By tier and place: slots of its servers that stand for one of the whole; more than one where whole servers were
    /// played at a part of their load.
    pub servers: Vec<Vec<f64>>,
}

impl Part {
    fn slots(&self) -> Range<usize> {
        self.first..self.first + self.outcome.slots
    }
}

/// Slots of an outcome that another engine played than the others.
#[derive(Debug, Clone)]
pub struct Spliced {
    pub slots: Range<usize>,
    /// As [`Outcome::simulated_servers`].
    pub simulated_servers: Vec<u64>,
}

/// Puts parts into a day that has what is outside of them beside the whole. Replication i of the day goes with
/// replication i of each part; there are as many of each. Also says by tier how busy servers would have to be that were
/// played at a part of their load.
#[must_use]
pub fn splice(scenario: &Scenario, mut day: Outcome, parts: &[Part]) -> (Outcome, Vec<f64>) {
    let weights = Weights::new(scenario, &day, parts);
    let mut busy = vec![0.0; scenario.tiers.len()];
    let loads: Vec<Loads> = parts.iter().map(|part| Loads::new(scenario, part)).collect();
    for (tier, busy) in busy.iter_mut().enumerate() {
        *busy = loads.iter().map(|loads| loads.highest(tier)).fold(0.0, f64::max);
    }
    for (replication, counted) in day.counted.iter_mut().enumerate() {
        let others: Vec<&Counted> = parts.iter().map(|p| &p.outcome.counted[replication]).collect();
        // What is told by call changes places like hits; the rest is counted in the parts only.
        let levels = std::mem::take(&mut counted.beside.levels);
        counted.beside = Beside { levels, ..beside(scenario, parts, &others, (day.slots, &weights)) };
        for ((part, other), loads) in parts.iter().zip(&others).zip(&loads) {
            put(counted, other, part.slots());
            put_stations(counted, other, part, loads);
            put_failures(scenario, counted, part, loads);
        }
        merge(counted, &others, &weights);
    }
    day.stretches = parts
        .iter()
        .map(|p| Spliced { slots: p.slots(), simulated_servers: p.outcome.simulated_servers.clone() })
        .collect();
    (day, busy)
}

/// Everything that is counted by slot.
fn put(counted: &mut Counted, other: &Counted, slots: Range<usize>) {
    let grids = [
        (&mut counted.requests, &other.requests),
        (&mut counted.failed, &other.failed),
        (&mut counted.calls, &other.calls),
        (&mut counted.hits, &other.hits),
        (&mut counted.beside.levels.in_memory, &other.beside.levels.in_memory),
        (&mut counted.beside.levels.kept, &other.beside.levels.kept),
    ];
    for (into, from) in grids {
        for (into, from) in into.iter_mut().flatten().zip(from.iter().flatten()) {
            into[slots.clone()].copy_from_slice(from);
        }
    }
    for (into, from) in counted.first_byte_slots.iter_mut().zip(&other.first_byte_slots) {
        into[slots.clone()].clone_from_slice(from);
    }
    counted.simulated_requests += other.simulated_requests;
    counted.simulated_customers += other.simulated_customers;
}

/// Servers by slot. Where whole servers were played at a part of their load, their queues are shorter than those of the
/// whole: the day's stand where they are longer, and how busy they are follows from the work.
fn put_stations(counted: &mut Counted, other: &Counted, part: &Part, loads: &Loads) {
    for (tier, places) in other.stations.iter().enumerate() {
        for (place, slots) in places.iter().enumerate() {
            let into = &mut counted.stations[tier][place][part.slots()];
            if part.servers[tier][place] <= MANY {
                into.copy_from_slice(slots);
                continue;
            }
            for (slot, (into, from)) in into.iter_mut().zip(slots).enumerate() {
                let busy = loads.0[tier][place][slot];
                let beyond = loads.beyond(tier, place, slot);
                *into = StationSlot {
                    utilisation: busy.map_or(into.utilisation, |busy| busy.min(1.0)),
                    wait_mean_s: into.wait_mean_s.max(from.wait_mean_s),
                    held_mean_s: into.held_mean_s.max(from.held_mean_s),
                    queue: into.queue.max(from.queue),
                    rejected_share: into.rejected_share.max(from.rejected_share).max(beyond),
                };
            }
        }
    }
}

/// What pools turn away that were played at a part of their load: requests fail that come to them. Of several on a path the
/// one that does least lets through what the others get.
fn put_failures(scenario: &Scenario, counted: &mut Counted, part: &Part, loads: &Loads) {
    let flow = Flow::of(scenario);
    for (node, here) in flow.nodes.iter().enumerate() {
        let waited = here.cause == Cause::Request && !here.asynchronous;
        for region in 0..if waited { scenario.population.regions.len() } else { 0 } {
            let place = model::place_of(scenario, here.call.tier, region);
            for slot in part.slots() {
                let beyond = loads.beyond(here.call.tier, place, slot - part.first);
                let requests = counted.requests[here.action][region][slot];
                if beyond > 0.0 && requests > 0.0 {
                    let share = (counted.calls[node][region][slot] / requests).min(1.0);
                    let failed = &mut counted.failed[here.action][region][slot];
                    *failed = failed.max(beyond * share);
                }
            }
        }
    }
}

/// By tier, place and slot of a part: how busy servers that are played at a part of their load are in the whole, where
/// there are calls enough to tell.
struct Loads(Vec<Vec<Vec<Option<f64>>>>);

impl Loads {
    fn new(scenario: &Scenario, part: &Part) -> Self {
        let means = Means::new(scenario, &part.outcome);
        let replications = part.outcome.counted.len() as f64;
        let of = |tier: TierId, place: usize, slot: usize| {
            let servers = part.servers[tier][place];
            let calls = means.work(tier, place, slot) / part.factor * replications;
            let enough = servers > MANY && calls >= CALLS_MIN;
            enough.then(|| means.stations[tier][place][slot].utilisation * servers)
        };
        let by_slot = |tier, place| (0..part.outcome.slots).map(|slot| of(tier, place, slot)).collect();
        let by_place = |tier| (0..model::places(scenario, tier)).map(|place| by_slot(tier, place)).collect();
        Self((0..scenario.tiers.len()).map(by_place).collect())
    }

    /// Share of what comes that is more than all servers can do: exact where they are many.
    fn beyond(&self, tier: TierId, place: usize, slot: usize) -> f64 {
        self.0[tier][place][slot].map_or(0.0, |busy| 1.0 - 1.0 / busy.max(1.0))
    }

    fn highest(&self, tier: TierId) -> f64 {
        self.0[tier].iter().flatten().flatten().copied().fold(0.0, f64::max)
    }
}

/// What stands beside servers: counted in the parts only.
fn beside(
    scenario: &Scenario,
    parts: &[Part],
    others: &[&Counted],
    (slots, weights): (usize, &Weights),
) -> Beside {
    let mut all = Beside::default();
    for (at, (part, other)) in parts.iter().zip(others).enumerate() {
        all.sums.resize(scenario.tiers.len(), Vec::new());
        for (into, from) in all.sums.iter_mut().zip(&other.beside.sums) {
            into.resize(from.len(), vec![BesideSums::default(); slots]);
            for (into, from) in into.iter_mut().zip(from) {
                into[part.slots()].copy_from_slice(from);
            }
        }
        let times = weights.parts[at];
        for (into, from) in
            [(&mut all.bodies, &other.beside.bodies), (&mut all.disk_waits, &other.beside.disk_waits)]
        {
            for (&tier, latencies) in from {
                into.entry(tier).or_default().merge_times(latencies, times);
            }
        }
    }
    all
}

/// Histograms of the whole: what is outside of the parts, and the parts.
fn merge(counted: &mut Counted, others: &[&Counted], weights: &Weights) {
    let outside = counted.outside.take().unwrap_or_default();
    let Distributions { waits, sojourns, first_byte, complete } = &outside;
    let all =
        |into: &mut Vec<Latencies>, from: &[Latencies], of: fn(&Counted) -> &Vec<Latencies>, day: &[u64]| {
            for (id, into) in into.iter_mut().enumerate() {
                *into = Latencies::default();
                // What was all set aside has nothing left.
                if let Some(from) = from.get(id).filter(|from| from.count() > 0) {
                    into.merge_times(from, day[id]);
                }
                for (other, &times) in others.iter().zip(&weights.parts) {
                    into.merge_times(&of(other)[id], times);
                }
            }
        };
    all(&mut counted.waits, waits, |c| &c.waits, &weights.tiers);
    all(&mut counted.sojourns, sojourns, |c| &c.sojourns, &weights.tiers);
    all(&mut counted.first_byte, first_byte, |c| &c.first_byte, &weights.actions);
    all(&mut counted.complete, complete, |c| &c.complete, &weights.actions);
}

/// Times that an observation counts: of the day by action and by tier, and of each part.
struct Weights {
    actions: Vec<u64>,
    tiers: Vec<u64>,
    parts: Vec<u64>,
}

impl Weights {
    fn new(scenario: &Scenario, day: &Outcome, parts: &[Part]) -> Self {
        let means = Means::new(scenario, day);
        let aside = |slot: usize| parts.iter().any(|part| part.slots().contains(&slot));
        let slots: Vec<usize> = (0..day.slots).filter(|&slot| !aside(slot)).collect();
        let replications = day.counted.len() as f64;
        let each = |number: f64, of: &dyn Fn(&Distributions) -> &Latencies| {
            let observed = day.counted.iter().filter_map(|c| c.outside.as_ref()).map(|d| of(d).count());
            let observed = observed.sum::<u64>() as f64 / replications;
            if observed > 0.0 && number > 0.0 { number / observed } else { 1.0 }
        };
        let actions: Vec<f64> = (0..scenario.actions.len())
            .map(|a| each(slots.iter().map(|&s| answered(&means, a, s)).sum(), &|d| &d.first_byte[a]))
            .collect();
        let tiers: Vec<f64> = (0..scenario.tiers.len())
            .map(|t| each(slots.iter().map(|&s| served(&means, t, s)).sum(), &|d| &d.waits[t]))
            .collect();
        let parts: Vec<f64> = parts.iter().map(|part| part.factor).collect();
        let least = actions.iter().chain(&tiers).chain(&parts).copied().fold(f64::INFINITY, f64::min);
        let whole = |weights: Vec<f64>| -> Vec<u64> {
            weights.into_iter().map(|w| (GRAIN * (w / least).min(WEIGHT_MAX)).round() as u64).collect()
        };
        Self { actions: whole(actions), tiers: whole(tiers), parts: whole(parts) }
    }
}

/// Requests of an action in a slot that leave their device and are answered.
fn answered(means: &Means<'_>, action: usize, slot: usize) -> f64 {
    let of_user = |tier: TierId| means.scenario.tiers[tier].scope == Scope::User;
    let on_device = |here: &Node<'_>| {
        here.action == action
            && here.cause == Cause::Request
            && of_user(here.call.tier)
            && here.caller.is_none_or(|caller| of_user(means.flow.nodes[caller].call.tier))
    };
    let nodes: Vec<usize> =
        (0..means.flow.nodes.len()).filter(|&n| on_device(&means.flow.nodes[n])).collect();
    let in_region = |region: usize| {
        let local: f64 = nodes.iter().map(|&n| means.hits[n][region][slot]).sum();
        means.requests[action][region][slot] * (1.0 - means.failed[action][region][slot]) - local
    };
    (0..means.regions()).map(in_region).sum()
}

/// Work of a tier in a slot that is let in.
fn served(means: &Means<'_>, tier: TierId, slot: usize) -> f64 {
    let at = |place: usize| {
        means.work(tier, place, slot) * (1.0 - means.stations[tier][place][slot].rejected_share)
    };
    (0..model::places(means.scenario, tier)).map(at).sum()
}
