//! Caches by the formulas: those that every server has of its own, so many alike that their hit probabilities are
//! a table, and what all the others hold when the day begins.

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{DatasetId, Scope, TierId};

use super::setup::Setup;
use crate::cache::Cache;

/// Hit probabilities by id in the per-server caches of a tier. All servers of a tier see the same mix, so only
/// that mix matters, not how many they are: the solved times are those of one cache that sees the rate of all.
pub(super) fn table(setup: &Setup<'_>, tier: TierId) -> Option<Vec<f32>> {
    let cache = setup.scenario.tiers[tier].cache.as_ref().filter(|c| c.per_server)?;
    let mut table = vec![0.0_f32; setup.ids as usize];
    let (Some(solved), Scope::Site | Scope::Region | Scope::Global) =
        (setup.chain.caches[tier], setup.scenario.tiers[tier].scope)
    else {
        return Some(table);
    };
    for (dataset, blocks) in setup.blocks.iter().enumerate() {
        let Some(blocks) = blocks else { continue };
        let held = cache.of.as_ref().is_none_or(|of| of.contains(&dataset));
        if !held {
            continue;
        }
        for (i, &mass) in blocks.masses.iter().enumerate() {
            let p = mass / blocks.block as f64;
            table[blocks.first_id as usize + i] = solved.hit(asked(setup, tier, dataset, p)) as f32;
        }
    }
    Some(table)
}

/// How often all lookups of a tier ask for such an object of a dataset, 1/s.
pub(super) fn asked(setup: &Setup<'_>, tier: TierId, dataset: DatasetId, p: f64) -> f64 {
    let asks = |n: &usize| setup.flow.nodes[*n].lookup && setup.flow.nodes[*n].call.of == Some(dataset);
    setup.flow.at(tier).filter(asks).map(|n| rate(setup, n, p)).sum()
}

/// How often a call asks for an object that has probability `p` where it is first asked for, 1/s: what the
/// caches before it leave, by the formulas.
pub(super) fn rate(setup: &Setup<'_>, node: usize, p: f64) -> f64 {
    let here = &setup.flow.nodes[node];
    let same = here.caller.filter(|&c| setup.flow.nodes[c].call.of == here.call.of);
    let Some(caller) = same else {
        // Where no cache is asked for it, nothing has filtered it either.
        let rate = setup.scenario.mean_rate(&setup.scenario.actions[here.action]);
        return p * rate * reach(setup, node);
    };
    let before = rate(setup, caller, p);
    let above = &setup.flow.nodes[caller];
    let tier = above.call.tier;
    let passes = match (above.lookup, setup.scenario.tiers[tier].scope, setup.chain.caches[tier]) {
        (false, ..) | (true, Scope::Site | Scope::Region | Scope::Global, None) => 1.0,
        (true, Scope::User, _) => {
            let source = setup.sources.iter().find(|s| s.node == caller);
            source.and_then(|s| s.device).map_or(1.0 - setup.chain.hits[caller], |device| {
                (1.0 - device.repeat) * (1.0 - device.hit(p))
            })
        }
        (true, _, Some(cache)) => {
            let dataset = above.call.of.unwrap_or_default();
            1.0 - cache.hit(asked(setup, tier, dataset, p))
        }
    };
    before * passes * here.call.mean_number()
}

/// Calls for one request of the action, by the formulas.
pub(super) fn reach(setup: &Setup<'_>, node: usize) -> f64 {
    let here = &setup.flow.nodes[node];
    let action = &setup.scenario.actions[here.action];
    let number = here.call.mean_number();
    here.caller.map_or_else(
        || number * crate::flow::occurrences(action, here.cause),
        |caller| number * reach(setup, caller) * (1.0 - setup.chain.hits[caller]),
    )
}

/// An object that a cache may hold: its id, how often all lookups of the tier ask for it, 1/s, and the
/// probability that it is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Held {
    id: u32,
    rate: f32,
    hit: f32,
}

/// What the caches of a tier hold in the steady state of the formulas.
///
/// Why: a shield that keeps most of a catalogue takes weeks to fill, and a day begins where the weeks before it
/// left the caches.
pub(super) fn steady(setup: &Setup<'_>, tier: TierId) -> Vec<Held> {
    let Some(solved) = setup.chain.caches[tier] else { return Vec::new() };
    let mut held = Vec::new();
    for dataset in setup.looked_up(tier) {
        let Some(blocks) = &setup.blocks[dataset] else { continue };
        for (i, &mass) in blocks.masses.iter().enumerate() {
            let rate = asked(setup, tier, dataset, mass / blocks.block as f64);
            let hit = solved.hit(rate) as f32;
            if hit > 0.0 {
                held.push(Held { id: blocks.first_id + i as u32, rate: rate as f32, hit });
            }
        }
    }
    held
}

/// Puts into an empty cache what it would hold, the longest unused first.
pub(super) fn fill(cache: &mut Cache, steady: &[Held], draws: &mut Stream) {
    let mut there: Vec<(f32, u32)> = Vec::new();
    for held in steady {
        // It is there if its last request is recent enough; the same number says how long ago that was.
        let chance = draws.uniform() as f32;
        if chance < held.hit {
            there.push((-(-chance).ln_1p() / held.rate, held.id));
        }
    }
    there.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, id) in there {
        cache.insert(id);
    }
}
