//! Caches by the formulas: those that every server has of its own, so many alike that their hit probabilities are
//! a table, and what all the others hold when the day begins.

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{DatasetId, Scope, TierId};

use super::setup::Setup;
use crate::analytic::caches::{Asked, Standing, spoils};
use crate::cache::{Keeper, Rules};

/// Hit probabilities by id in the per-server caches of a tier. All servers of a tier see the same mix, so only
/// that mix matters, not how many they are: the solved times are those of one cache that sees the rate of all.
pub(super) fn table(setup: &Setup<'_>, tier: TierId) -> Option<Vec<f32>> {
    let cache = setup.scenario.tiers[tier].cache.as_ref().filter(|c| c.per_server)?;
    let mut table = vec![0.0_f32; setup.ids as usize];
    if setup.chain.caches[tier].is_none() || setup.scenario.tiers[tier].scope == Scope::User {
        return Some(table);
    }
    for (dataset, blocks) in setup.blocks.iter().enumerate() {
        let Some(blocks) = blocks else { continue };
        let held = cache.of.as_ref().is_none_or(|of| of.contains(&dataset));
        if !held {
            continue;
        }
        for (i, &mass) in blocks.masses.iter().enumerate() {
            let p = mass / blocks.block as f64;
            table[blocks.first_id as usize + i] = found(setup, tier, dataset, p) as f32;
        }
    }
    Some(table)
}

/// How often all lookups of a tier ask for such an object of a dataset, 1/s.
pub(super) fn asked(setup: &Setup<'_>, tier: TierId, dataset: DatasetId, p: f64) -> Asked {
    let asks = |n: &usize| setup.flow.nodes[*n].lookup && setup.flow.nodes[*n].call.of == Some(dataset);
    let by_all = |tier: TierId| setup.flow.at(tier).filter(asks).map(|n| rate(setup, n, p)).sum();
    let before = setup.chain.behind[tier].get(&dataset).copied();
    Asked { rate: by_all(tier), before: before.map(by_all) }
}

/// How often writes make such an object stale in the caches of a tier, 1/s.
pub(super) fn written(setup: &Setup<'_>, tier: TierId, dataset: DatasetId, p: f64) -> f64 {
    let writes = |n: &usize| {
        let call = setup.flow.nodes[*n].call;
        call.of == Some(dataset) && spoils(setup.scenario, call)
    };
    setup.flow.at(tier).filter(writes).map(|n| rate(setup, n, p)).sum()
}

/// Probability that a lookup of such an object at a tier is a hit.
pub(super) fn found(setup: &Setup<'_>, tier: TierId, dataset: DatasetId, p: f64) -> f64 {
    let asked = asked(setup, tier, dataset, p);
    setup.chain.found(tier, dataset, asked, written(setup, tier, dataset, p))
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
        (true, _, Some(_)) => 1.0 - found(setup, tier, above.call.of.unwrap_or_default(), p),
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
#[derive(Debug, Clone, Default)]
pub(super) struct Steady {
    held: Vec<Held>,
    /// By object, how it stands with the rules of the cache; empty where there are none.
    standing: Vec<Standing>,
}

/// What the caches of a tier hold in the steady state of the formulas.
///
/// Why: a shield that keeps most of a catalogue takes weeks to fill, and a day begins where the weeks before it
/// left the caches.
pub(super) fn steady(setup: &Setup<'_>, tier: TierId) -> Steady {
    let Some(solved) = setup.chain.caches[tier] else { return Steady::default() };
    let ruled = setup.scenario.tiers[tier].cache.as_ref().is_some_and(plimsoll_scenarios::Cache::has_rules);
    let mut steady = Steady::default();
    for dataset in setup.looked_up(tier) {
        let Some(blocks) = &setup.blocks[dataset] else { continue };
        for (i, &mass) in blocks.masses.iter().enumerate() {
            let p = mass / blocks.block as f64;
            let asked = asked(setup, tier, dataset, p);
            let standing = solved.standing(asked, written(setup, tier, dataset, p));
            let hit = standing.recent as f32;
            if hit > 0.0 {
                let rate = solved.equivalent_rate(asked, standing.recent);
                steady.held.push(Held { id: blocks.first_id + i as u32, rate: rate as f32, hit });
                if ruled {
                    steady.standing.push(standing);
                }
            }
        }
    }
    steady
}

/// Puts into an empty cache what it would hold, the longest unused first.
pub(super) fn fill(cache: &mut Keeper, steady: &Steady, rules: Rules, draws: &mut Stream) {
    let mut first = FirstContent::default();
    for (i, held) in steady.held.iter().enumerate() {
        first.draw((held.id, held.rate, held.hit), steady.standing.get(i), rules, draws);
    }
    first.put_into(cache);
}

/// What a cache holds at first, as it is drawn object by object.
#[derive(Debug, Default)]
pub(super) struct FirstContent {
    /// How long ago it was asked for (or came in), its id, and when it was fetched; `None` for one that is stale.
    there: Vec<(f32, u32, Option<f64>)>,
    /// The same of what the history has.
    remembered: Vec<(f32, u32)>,
}

impl FirstContent {
    /// Draws whether an object is there, given its id, its rate and the probability that it was asked for lately enough.
    pub fn draw(
        &mut self,
        (id, rate, hit): (u32, f32, f32),
        standing: Option<&Standing>,
        rules: Rules,
        draws: &mut Stream,
    ) {
        // It is there if its last request is recent enough; the same number says how long ago that was.
        let chance = draws.uniform() as f32;
        let age = -(-chance).ln_1p() / rate;
        let Some(standing) = standing else {
            if chance < hit {
                self.there.push((age, id, Some(0.0)));
            }
            return;
        };
        if chance < standing.remembered as f32 {
            self.remembered.push((age, id));
        }
        let (kept, fresh) = (draws.uniform(), draws.uniform());
        if chance < hit && kept < standing.kept {
            let ago = if rules.ttl_s < f64::INFINITY { rules.ttl_s * fresh / standing.fresh } else { 0.0 };
            self.there.push((age, id, (fresh < standing.fresh).then_some(-ago)));
        }
    }

    /// Puts it in, the longest unused first.
    pub fn put_into(mut self, cache: &mut Keeper) {
        self.there.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, id, fetched_s) in self.there {
            cache.put(id, fetched_s);
        }
        self.remembered.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, id) in self.remembered {
            cache.remember(id);
        }
    }
}
