//! What a run says of links, disks and connections that stay.

use std::collections::BTreeMap;

use plimsoll_reports::record::{ConnectionRun, DiskRun, KindRun, StaleRun, TransferRun};
use plimsoll_scenarios::{Scheme, Scope, TierId};

use super::Counted;
use super::levels::Levels;
use super::means::Means;
use super::stations::{local_time, place_name};
use crate::analytic::queues::{Service, SharedLink, erlang_b, mg1_wait};
use crate::analytic::replication::Quorum;
use crate::analytic::staleness::Staleness;
use crate::histogram::Latencies;
use crate::model;

/// What the calendar counts beside servers.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// By tier and place, then slot; without places where the tier has nothing of it, empty where nobody counts.
    pub sums: Vec<Vec<Vec<BesideSums>>>,
    /// By tier: how long bodies took.
    pub bodies: BTreeMap<TierId, Latencies>,
    /// How long services waited for disks.
    pub disk_waits: BTreeMap<TierId, Latencies>,
    /// By tier and kind of its servers, then slot; empty where nobody counts.
    pub kinds: Vec<Vec<Vec<KindSums>>>,
    /// What caches in memory and on disk did.
    pub levels: Levels,
}

/// One kind of a tier's servers in one slot, over all places.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct KindSums {
    pub services: f64,
    pub work_s: f64,
}

/// One tier at one place in one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BesideSums {
    /// Bodies that were through, their bits, and how long they took together, seconds.
    pub bodies: f64,
    pub body_bits: f64,
    pub body_s: f64,
    /// Services that used disks, how long they waited for them together, seconds, and those turned away there.
    pub disk_calls: f64,
    pub disk_wait_s: f64,
    pub disk_refused: f64,
    /// Connections asked for, of these refused, and the sum of how full the holders were when each was.
    pub opens: f64,
    pub opens_refused: f64,
    pub opens_used: f64,
    /// Reads of copies that lag, and those of them that missed the latest write.
    pub reads: f64,
    pub stale: f64,
}

impl Beside {
    /// The sums of a tier at a place in a slot.
    #[must_use]
    pub fn at(&self, tier: TierId, place: usize, slot: usize) -> BesideSums {
        let here = self.sums.get(tier).and_then(|places| places.get(place));
        here.and_then(|slots| slots.get(slot)).copied().unwrap_or_default()
    }
}

/// Transfers over a tier's links, whose fullest hour is at this place and slot; `None` where nobody counted them.
pub(super) fn transfers(
    means: &Means<'_>,
    tier: TierId,
    (place, slot): (usize, usize),
) -> Option<TransferRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let mut time = Latencies::default();
    for counted in &outcome.counted {
        if let Some(bodies) = counted.beside.bodies.get(&tier) {
            time.merge(bodies);
        }
    }
    if time.count() == 0 || !outcome.counts_beside(slot) {
        return None;
    }
    let mean = |counted: &Counted| {
        let sums = counted.beside.at(tier, place, slot);
        if sums.bodies > 0.0 { sums.body_s / sums.bodies } else { 0.0 }
    };
    let (mut bodies, mut bits) = (0.0, 0.0);
    for counted in &outcome.counted {
        let sums = counted.beside.at(tier, place, slot);
        (bodies, bits) = (bodies + sums.bodies, bits + sums.body_bits);
    }
    let pool = model::pool(scenario, tier, place).map_or(1, |p| p.servers);
    let links = (pool * model::instances_at(scenario, tier, place)) as f64;
    let of_users = |node: usize| {
        let caller = means.flow.nodes[node].caller;
        caller.is_none_or(|c| scenario.tiers[means.flow.nodes[c].call.tier].scope == Scope::User)
    };
    let with_body = || means.flow.at(tier).filter(|&n| means.flow.nodes[n].call.response.get() > 0.0);
    let downlink = scenario.population.downlink.as_ref().map(plimsoll_scenarios::units::Quantity::get);
    let bound = match downlink {
        Some(bound) if with_body().all(of_users) => Some(bound),
        Some(_) if with_body().any(of_users) => None,
        _ => Some(f64::INFINITY),
    };
    let load = means.bytes_out(tier, place, slot) * 8.0 / outcome.slot_s / links;
    let formula = bound.map(|per_flow| {
        let capacity = scenario.tiers[tier]
            .link
            .as_ref()
            .map_or(f64::INFINITY, plimsoll_scenarios::units::Quantity::get);
        let station = scenario.tiers[tier].station.as_ref();
        let kinds = station.map_or_else(|| vec![(1.0, capacity, 1.0)], |s| s.links_by_kind(capacity));
        let size = bits / f64::max(bodies, 1.0);
        let over = |(part, link, full): (f64, f64, f64)| {
            part * SharedLink { capacity: link, per_flow, load: load / capacity * full * link }.time_of(size)
        };
        kinds.into_iter().map(over).sum::<f64>()
    });
    Some(TransferRun {
        time: time.summary(),
        mean_peak_s: means.interval(mean),
        formula_peak_s: formula.filter(|seconds| seconds.is_finite()),
    })
}

/// A tier's disks where and when they are fullest with operations.
pub(super) fn disks(means: &Means<'_>, tier: TierId) -> Option<DiskRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let iops = scenario.tiers[tier].store.as_ref()?.iops.as_ref()?.get();
    let (mut place, mut slot, mut highest, mut servers) = (0, 0, -1.0, 1.0);
    for p in 0..model::places(scenario, tier) {
        let here = (model::pool(scenario, tier, p)?.servers * model::instances_at(scenario, tier, p)) as f64;
        for s in 0..outcome.slots {
            let used = means.operations(tier, p, s) / outcome.slot_s / (here * iops);
            if used > highest {
                (place, slot, highest, servers) = (p, s, used, here);
            }
        }
    }
    let mut wait = Latencies::default();
    for waits in outcome.counted.iter().filter_map(|c| c.beside.disk_waits.get(&tier)) {
        wait.merge(waits);
    }
    let counted = wait.count() > 0 && outcome.counts_beside(slot);
    let mean = |counted: &Counted| {
        let sums = counted.beside.at(tier, place, slot);
        if sums.disk_calls > 0.0 { sums.disk_wait_s / sums.disk_calls } else { 0.0 }
    };
    let formula = disk_wait(means, (tier, place, slot), servers, iops);
    Some(DiskRun {
        iops_per_server: iops,
        servers: (0..model::places(scenario, tier))
            .filter_map(|p| {
                Some(model::pool(scenario, tier, p)?.servers * model::instances_at(scenario, tier, p))
            })
            .sum(),
        utilisation_peak: highest.max(0.0),
        peak_at_s: (slot as f64 + 0.5) * outcome.slot_s,
        peak_local_s: local_time(means, tier, place, slot),
        peak_region: place_name(scenario, tier, place),
        wait: counted.then(|| wait.summary()),
        wait_mean_peak_s: counted.then(|| means.interval(mean)),
        formula_wait_peak_s: formula.is_finite().then_some(formula),
        rejected_share: share(
            outcome
                .counted
                .iter()
                .map(|c| total(c, tier, |x| (x.disk_refused, x.disk_calls + x.disk_refused))),
        ),
    })
}

/// The mean wait for disks by formula: M/G/1, since one call may be several operations (Pollaczek and Khinchine).
fn disk_wait(means: &Means<'_>, (tier, place, slot): (TierId, usize, usize), servers: f64, iops: f64) -> f64 {
    let scenario = means.scenario;
    let (mut rate, mut first, mut second) = (0.0, 0.0, 0.0);
    for node in means.flow.at(tier) {
        let call = means.flow.nodes[node].call;
        let work = model::work(scenario, call);
        let calls: f64 = means.regions_at(tier, place).map(|r| means.disk_calls(node, r, slot)).sum();
        let each = calls * work / means.outcome.slot_s / servers;
        let operations = model::disk_operations_of_one(scenario, call);
        rate += each;
        first += each * operations / iops;
        second += each * (operations / iops).powi(2);
    }
    if rate <= 0.0 {
        return 0.0;
    }
    mg1_wait(rate, &Service { mean: first / rate, second: second / rate, third: 0.0 })
}

/// Two sums over all places and slots of a tier.
fn total(counted: &Counted, tier: TierId, of: impl Fn(&BesideSums) -> (f64, f64)) -> (f64, f64) {
    let slots = counted.beside.sums.get(tier).into_iter().flatten().flatten();
    slots.map(of).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
}

/// The share that parts are of wholes, over replications.
fn share(parts: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (part, whole) = parts.fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Connections that stay at a tier, where it takes only so many; `None` where nobody counted them.
pub(super) fn connections(means: &Means<'_>, tier: TierId) -> Option<ConnectionRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let each = scenario.tiers[tier].connections_max.as_ref()?.get();
    let (mut place, mut slot, mut highest) = (0, 0, -1.0);
    let sum = |p: usize, s: usize, of: fn(&BesideSums) -> f64| -> f64 {
        outcome.counted.iter().map(|c| of(&c.beside.at(tier, p, s))).sum()
    };
    for p in 0..model::places(scenario, tier) {
        for s in 0..outcome.slots {
            let opens = sum(p, s, |x| x.opens);
            let used = sum(p, s, |x| x.opens_used) / opens.max(1.0);
            if opens > 0.0 && used > highest {
                (place, slot, highest) = (p, s, used);
            }
        }
    }
    if highest < 0.0 {
        return None;
    }
    let instances = model::instances_at(scenario, tier, place) as f64;
    let servers = model::pool(scenario, tier, place).map_or(1, |p| p.servers);
    // By Little's law, at the rate of the slot.
    let opened = scenario.actions.values().enumerate().filter_map(|(id, action)| {
        let connection = action.connection.as_ref().filter(|c| c.tier == tier)?;
        let regions = means.regions_at(tier, place);
        let requests: f64 = regions.map(|r| means.requests[id][r][slot]).sum();
        Some(requests / outcome.slot_s / instances * connection.lasts.get())
    });
    let load: f64 = opened.sum();
    Some(ConnectionRun {
        each,
        used_peak: highest,
        peak_at_s: (slot as f64 + 0.5) * outcome.slot_s,
        peak_local_s: local_time(means, tier, place, slot),
        peak_region: place_name(scenario, tier, place),
        refused_peak: means.interval(|c| {
            let sums = c.beside.at(tier, place, slot);
            sums.opens_refused / sums.opens.max(1.0)
        }),
        formula_refused_peak: erlang_b((each * servers as f64) as u64, load),
        refused_share: share(outcome.counted.iter().map(|c| total(c, tier, |x| (x.opens_refused, x.opens)))),
    })
}

/// The kinds of a tier's servers; empty where all are alike, or nobody counted them.
pub(super) fn kinds(means: &Means<'_>, tier: TierId) -> Vec<KindRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let Some(station) = &scenario.tiers[tier].station else { return Vec::new() };
    let counted: Vec<&Vec<Vec<KindSums>>> =
        outcome.counted.iter().filter_map(|c| c.beside.kinds.get(tier)).filter(|k| !k.is_empty()).collect();
    if counted.is_empty() {
        return Vec::new();
    }
    let mut servers = vec![0_u64; station.kinds.len()];
    for place in 0..model::places(scenario, tier) {
        let here = model::pool(scenario, tier, place).map_or(0, |pool| pool.servers);
        for kind in station.kinds_of(here) {
            servers[kind] += model::instances_at(scenario, tier, place);
        }
    }
    let replications = counted.len() as f64;
    let sum = |kind: usize, slot: usize, of: fn(&KindSums) -> f64| -> f64 {
        counted.iter().map(|kinds| of(&kinds[kind][slot])).sum::<f64>() / replications
    };
    let slots = || 0..outcome.slots;
    let all: f64 = (0..servers.len())
        .flat_map(|k| slots().map(move |s| (k, s)))
        .map(|(k, s)| sum(k, s, |x| x.services))
        .sum();
    let (weights, formula) = (station.weights(), station.requests_by_kind());
    let of = |kind: usize| {
        // What was counted is of the part of the system that was played.
        let room = servers[kind] as f64 * station.concurrency.get() * outcome.slot_s
            / outcome.objects_per_sample as f64;
        let busy = |slot: usize| if room > 0.0 { sum(kind, slot, |x| x.work_s) / room } else { 0.0 };
        KindRun {
            servers: servers[kind],
            speed: station.kinds[kind].speed.get(),
            link_bit_per_s: station.kinds[kind].link.as_ref().map(plimsoll_scenarios::units::Quantity::get),
            weight: weights[kind],
            requests_share: slots().map(|s| sum(kind, s, |x| x.services)).sum::<f64>() / f64::max(all, 1.0),
            formula_requests_share: formula[kind],
            utilisation_mean: slots().map(busy).sum::<f64>() / outcome.slots as f64,
            utilisation_peak: slots().map(busy).fold(0.0, f64::max),
        }
    };
    (0..servers.len()).map(of).collect()
}

/// Reads that missed the latest write at copies that lag; `None` where nobody counted them.
pub(super) fn staleness(means: &Means<'_>, tier: TierId) -> Option<StaleRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let replication = &scenario.tiers[tier].replication;
    let lag = replication.lag.as_ref()?;
    let Scheme::Copies { count, write, read } = replication.scheme else { return None };
    let of = |counted: &Counted| total(counted, tier, |x| (x.stale, x.reads));
    if outcome.counted.iter().map(of).all(|(_, reads)| reads == 0.0) {
        return None;
    }
    let quorum = Quorum { copies: u64::from(count), writes: u64::from(write), reads: u64::from(read) };
    let law = Staleness::new(quorum, |p| lag.quantile(p));
    // Each place and slot has its rate of writes; its reads are stale at that.
    let (mut stale, mut reads) = (0.0, 0.0);
    for place in 0..model::places(scenario, tier) {
        let instances = model::instances_at(scenario, tier, place) as f64;
        for slot in (0..outcome.slots).filter(|&slot| outcome.counts_beside(slot)) {
            for dataset in 0..scenario.datasets.len() {
                let calls = |write: bool| -> f64 {
                    let here = |&n: &usize| {
                        let call = means.flow.nodes[n].call;
                        call.of == Some(dataset) && call.write == write
                    };
                    let regions = |n: usize| means.regions_at(tier, place).map(move |r| (n, r));
                    means
                        .flow
                        .at(tier)
                        .filter(here)
                        .flat_map(regions)
                        .map(|(n, r)| means.calls[n][r][slot])
                        .sum()
                };
                let (written, read) = (calls(true), calls(false));
                if read > 0.0 {
                    let dataset = &scenario.datasets[dataset];
                    let popularity = dataset.popularity.over(dataset.count.get() as u64);
                    reads += read;
                    stale += read * law.share_over(&popularity, written / outcome.slot_s / instances);
                }
            }
        }
    }
    Some(StaleRun {
        copies: count,
        write_quorum: write,
        read_quorum: read,
        lag_mean_s: lag.mean(),
        stale_share: means.interval(|c| {
            let (stale, reads) = of(c);
            if reads > 0.0 { stale / reads } else { 0.0 }
        }),
        formula_stale_share: if reads > 0.0 { stale / reads } else { 0.0 },
    })
}
