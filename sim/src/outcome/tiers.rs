//! The record of a tier: what reached it, what it answered, how full its links were.

use std::fmt::Write as _;

use plimsoll_reports::record::{CacheRun, Interval, LinkRun, TierRun, TierSeries};
use plimsoll_scenarios::{Cache, OnWrite, Region, Scope, TierId};

use super::Counted;
use super::beside::{connections, disks, kinds, staleness, transfers};
use super::levels::levels_run;
use super::means::Means;
use super::stations::{local_time, place_name, pool_mean, station_run};
use crate::analytic::caches::Chain;
use crate::model;

pub(super) fn tier_run(means: &Means<'_>, chain: &Chain, tier: TierId) -> TierRun {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let places = model::places(scenario, tier);
    let slots = outcome.slots;
    let sum = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..slots).map(|s| (0..places).map(|p| f(p, s)).sum::<f64>() / outcome.slot_s).collect()
    };
    let rates = sum(&|p, s| means.arrivals(tier, p, s));
    let egress: Vec<f64> = sum(&|p, s| means.bytes_out(tier, p, s)).iter().map(|b| b * 8.0).collect();
    let requests = rates.iter().sum::<f64>() * outcome.slot_s;
    let duration = outcome.slot_s * slots as f64;
    let cache = cache_run(means, chain, tier);
    let station = station_run(means, tier);
    let utilisation =
        (0..slots).map(|s| station.as_ref().map(|_| pool_mean(means, tier, s, |x| x.utilisation))).collect();
    let queue = (0..slots)
        .map(|s| station.as_ref().map(|_| (0..places).map(|p| means.stations[tier][p][s].queue).sum()))
        .collect();
    let hit_ratio = (0..slots)
        .map(|s| cache.as_ref().and_then(|_| hit_ratio(means, tier, Some(s), None).map(|i| i.value)))
        .collect();
    TierRun {
        name: scenario.tier_name(tier).to_owned(),
        requests,
        rate_mean_per_s: requests / duration,
        rate_peak_per_s: rates.iter().copied().fold(0.0, f64::max),
        bytes_out: egress.iter().sum::<f64>() * outcome.slot_s / 8.0,
        egress_peak_bit_per_s: egress.iter().copied().fold(0.0, f64::max),
        link: link_run(means, tier),
        disks: disks(means, tier),
        connections: connections(means, tier),
        kinds: kinds(means, tier),
        staleness: staleness(means, tier),
        cache,
        station,
        series: TierSeries { rate_per_s: rates, egress_bit_per_s: egress, hit_ratio, utilisation, queue },
    }
}

/// The hit ratio of every region's users, where regions have caches of their own.
fn by_region(means: &Means<'_>, tier: TierId) -> Vec<(String, f64)> {
    let regions = &means.scenario.population.regions;
    if regions.len() < 2 || !matches!(means.scenario.tiers[tier].scope, Scope::Site | Scope::Region) {
        return Vec::new();
    }
    let of = |(id, region): (usize, &Region)| {
        Some((region.name.clone(), hit_ratio(means, tier, None, Some(id))?.value))
    };
    regions.iter().enumerate().filter_map(of).collect()
}

/// Hits over lookups of a tier's cache, over all slots or in one, and of all regions or of one.
fn hit_ratio(
    means: &Means<'_>,
    tier: TierId,
    slot: Option<usize>,
    region: Option<usize>,
) -> Option<Interval> {
    let lookups: Vec<usize> = means.flow.at(tier).filter(|&n| means.flow.nodes[n].lookup).collect();
    let ratio = |c: &Counted| {
        let slots = slot.map_or(0..means.outcome.slots, |s| s..s + 1);
        let sum = |of: &Vec<super::Grid>| -> f64 {
            let chosen = region.map_or(0..means.scenario.population.regions.len(), |r| r..r + 1);
            let regions = lookups.iter().flat_map(|&node| &of[node][chosen.clone()]);
            regions.map(|by_slot| by_slot[slots.clone()].iter().sum::<f64>()).sum()
        };
        (sum(&c.hits), sum(&c.calls))
    };
    let any = means.outcome.counted.iter().any(|c| ratio(c).1 > 0.0);
    any.then(|| {
        means.interval(|c| {
            let (hits, lookups) = ratio(c);
            if lookups > 0.0 { hits / lookups } else { 0.0 }
        })
    })
}

fn cache_run(means: &Means<'_>, chain: &Chain, tier: TierId) -> Option<CacheRun> {
    let cache = means.scenario.tiers[tier].cache.as_ref()?;
    let servers = means.scenario.tiers[tier].station.as_ref().map_or(1, |s| s.servers.get() as u64);
    Some(CacheRun {
        policy: described(cache),
        capacity_bytes: cache.capacity.get(),
        instances: if cache.per_server { servers } else { model::instances(means.scenario, tier) },
        hit_ratio: hit_ratio(means, tier, None, None)?,
        che_hit_ratio: chain.hit_ratio[tier],
        levels: levels_run(means, chain, tier),
        by_region: by_region(means, tier),
    })
}

/// The policy with the rules beside it, as the file states them: `LRU, ttl 1 h, admit on 2`.
fn described(cache: &Cache) -> String {
    let mut text = cache.policy.label().to_owned();
    if let Some(ttl) = &cache.ttl {
        let _ = write!(text, ", ttl {}", ttl.text);
    }
    if cache.admit.on_second {
        text.push_str(", admit on 2");
    }
    if let Some(size) = &cache.admit.max_size {
        let _ = write!(text, ", admit max_size {}", size.text);
    }
    if cache.on_write == OnWrite::Invalidate {
        text.push_str(", on_write invalidate");
    }
    text
}

fn link_run(means: &Means<'_>, tier: TierId) -> Option<LinkRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let capacity = scenario.tiers[tier].link.as_ref()?.get();
    // Of servers that differ, the links that their balancer fills most.
    let kinds = scenario.tiers[tier].station.as_ref().map_or_else(Vec::new, |s| s.links_by_kind(capacity));
    let fullest = kinds.iter().map(|kind| kind.2).reduce(f64::max).unwrap_or(1.0);
    let links_at = |place| {
        model::instances_at(scenario, tier, place)
            * model::pool(scenario, tier, place).map_or(1, |p| p.servers)
    };
    let places = model::places(scenario, tier);
    let (mut place, mut slot, mut highest) = (0, 0, -1.0);
    for p in 0..places {
        for s in 0..outcome.slots {
            let u = means.bytes_out(tier, p, s) * 8.0 / outcome.slot_s / (links_at(p) as f64 * capacity);
            if u > highest {
                (place, slot, highest) = (p, s, u);
            }
        }
    }
    let highest = highest * fullest;
    Some(LinkRun {
        capacity_bit_per_s: capacity,
        instances: (0..places).map(links_at).sum(),
        utilisation_peak: highest.max(0.0),
        peak_at_s: (slot as f64 + 0.5) * outcome.slot_s,
        peak_local_s: local_time(means, tier, place, slot),
        peak_region: place_name(scenario, tier, place),
        transfer: transfers(means, tier, (place, slot)),
    })
}
