//! The record of an action: how often, who answered, how long it took.

use plimsoll_reports::record::{ActionRun, ActionSeries, Served};
use plimsoll_scenarios::TierId;

use super::means::Means;
use crate::flow::{Cause, Node};
use crate::histogram::Latencies;

pub(super) fn action_run(means: &Means<'_>, id: usize) -> ActionRun {
    let outcome = means.outcome;
    let rates: Vec<f64> = (0..outcome.slots)
        .map(|s| means.requests[id].iter().map(|region| region[s]).sum::<f64>() / outcome.slot_s)
        .collect();
    let requests = rates.iter().sum::<f64>() * outcome.slot_s;
    let (mut first_byte, mut complete) = (Latencies::default(), Latencies::default());
    let mut slots = vec![Latencies::coarse(); outcome.slots];
    for counted in &outcome.counted {
        first_byte.merge(&counted.first_byte[id]);
        complete.merge(&counted.complete[id]);
        for (all, one) in slots.iter_mut().zip(&counted.first_byte_slots[id]) {
            all.merge(one);
        }
    }
    let quantile = |p: f64| means.interval(|c| c.first_byte[id].quantile(p).unwrap_or(0.0));
    let failed: f64 = means.failed[id]
        .iter()
        .flatten()
        .zip(means.requests[id].iter().flatten())
        .map(|(share, requests)| share * requests)
        .sum();
    ActionRun {
        name: means.scenario.action_name(id).to_owned(),
        requests,
        rate_mean_per_s: requests / (outcome.slot_s * outcome.slots as f64),
        rate_peak_per_s: rates.iter().copied().fold(0.0, f64::max),
        served_by: served_by(means, id),
        first_byte: first_byte.summary(),
        complete: complete.summary(),
        first_byte_p50_s: quantile(0.5),
        first_byte_p99_s: quantile(0.99),
        failed_share: failed / requests.max(f64::MIN_POSITIVE),
        series: ActionSeries {
            failed_share: failed_by_slot(means, id),
            attempts_per_s: attempts(means, id),
            rate_per_s: rates,
            first_byte_p50_s: slots.iter().map(|l| l.quantile(0.5)).collect(),
            first_byte_p99_s: slots.iter().map(|l| l.quantile(0.99)).collect(),
        },
    }
}

/// By slot, the share of requests over all regions that failed.
fn failed_by_slot(means: &Means<'_>, id: usize) -> Vec<f64> {
    let by_slot = |slot: usize| {
        let regions = means.requests[id].iter().zip(&means.failed[id]);
        let (failed, all) = regions.fold((0.0, 0.0), |(failed, all), (requests, shares)| {
            (failed + shares[slot] * requests[slot], all + requests[slot])
        });
        if all > 0.0 { failed / all } else { 0.0 }
    };
    (0..means.outcome.slots).map(by_slot).collect()
}

/// By slot, the calls a second of the first call of an action that its caller may make again; empty where there is none,
/// or where a request does not make just one of them.
fn attempts(means: &Means<'_>, id: usize) -> Vec<f64> {
    let nodes = &means.flow.nodes;
    let again = |n: &&Node<'_>| n.call.client.retries.is_some() || n.call.client.hedge.is_some();
    let mut of_action =
        (0..nodes.len()).filter(|&n| nodes[n].action == id && nodes[n].cause == Cause::Request);
    let Some(first) = of_action.find(|&n| again(&&nodes[n])) else { return Vec::new() };
    let mut node = Some(first);
    while let Some(here) = node {
        let call = nodes[here].call;
        if call.share.get() < 1.0 || call.times.get() != 1.0 || call.fan_out.get() != 1.0 {
            return Vec::new();
        }
        node = nodes[here].caller;
    }
    let outcome = means.outcome;
    let calls = |slot: usize| means.calls[first].iter().map(|region| region[slot]).sum::<f64>();
    (0..outcome.slots).map(|slot| calls(slot) / outcome.slot_s).collect()
}

/// Of the calls that are waited for, the share that ends at each tier. Of a chain one ends for every request.
fn served_by(means: &Means<'_>, id: usize) -> Vec<Served> {
    let mut ends: Vec<(TierId, f64)> = Vec::new();
    for (node, here) in means.flow.nodes.iter().enumerate().filter(|(_, n)| n.action == id) {
        let grid = (0..means.regions()).flat_map(|r| (0..means.outcome.slots).map(move |s| (r, s)));
        let ending: f64 = grid.map(|(r, s)| means.ending(node, r, s)).sum();
        match ends.iter_mut().find(|(tier, _)| *tier == here.call.tier) {
            Some((_, sum)) => *sum += ending,
            None => ends.push((here.call.tier, ending)),
        }
    }
    let all: f64 = ends.iter().map(|(_, ending)| ending).sum();
    let share = |(tier, ending): (TierId, f64)| Served {
        tier: means.scenario.tier_name(tier).to_owned(),
        share: ending / all.max(f64::MIN_POSITIVE),
    };
    ends.into_iter().map(share).filter(|s| s.share > 0.0).collect()
}
