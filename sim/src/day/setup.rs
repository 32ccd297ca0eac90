//! What is decided before a day is played: how datasets are cut into blocks, and what the device leaves.

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::{IndexSampler, Law};
use plimsoll_scenarios::{Scenario, Scope, TierId};

use crate::analytic::caches::{Approximation, chain};
use crate::flow::{Cause, Flow};
use crate::model::Route;

/// Requests to simulate per dataset, replication and day.
const REQUESTS_TARGET: f64 = 2.5e6;
/// Requests at which blocks become coarser than they should be.
const REQUESTS_MAX: f64 = 2.0e7;
/// Fewest blocks that a dataset is cut into, where it has as many objects.
const BLOCKS_MIN: f64 = 20_000.0;

/// A dataset cut into blocks of ranks, each played by one representative.
#[derive(Debug, Clone)]
pub(super) struct Blocks {
    /// Objects of a block.
    pub block: u64,
    /// First id of the dataset's representatives; ids of all datasets are dense.
    pub first_id: u32,
    /// By block: share of the action's requests.
    masses: Vec<f64>,
    law: Law,
    pub bytes: u64,
}

pub(super) struct Setup<'a> {
    pub scenario: &'a Scenario,
    pub routes: Vec<Route>,
    pub flow: Flow<'a>,
    /// By action: the first call of its path in the flow list, and those of its messages.
    pub first_call: Vec<usize>,
    pub messages: Vec<Vec<usize>>,
    /// By dataset; `None` where no action asks for it.
    pub blocks: Vec<Option<Blocks>>,
    pub ids: u32,
    pub order: Vec<TierId>,
    /// By action: share of its requests that the device answers, and the choice of a block for the others.
    pub demand: Vec<(f64, Option<IndexSampler>)>,
    /// By tier and id: hit probability in a cache that every server has of its own.
    pub mean_field: Vec<Option<Vec<f32>>>,
}

impl<'a> Setup<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let routes: Vec<Route> = scenario.actions.values().map(|a| Route::of(scenario, a)).collect();
        let mut ids = 0;
        let mut blocks = Vec::new();
        for dataset in 0..scenario.datasets.len() {
            let cut = cut(scenario, dataset, ids);
            ids += cut.as_ref().map_or(0, |b| b.masses.len() as u32);
            blocks.push(cut);
        }
        let demand = scenario
            .actions
            .values()
            .zip(&routes)
            .map(|(action, route)| match action.of.and_then(|d| blocks[d].as_ref()) {
                Some(b) => demand_beyond_device(b, route),
                None => (0.0, None),
            })
            .collect();
        let order = scenario.tier_order();
        let flow = Flow::of(scenario);
        let of = |action: usize, cause: Cause| {
            let nodes = flow.nodes.iter().enumerate();
            nodes.filter(move |(_, n)| n.action == action && n.cause == cause).map(|(i, _)| i)
        };
        let actions = 0..scenario.actions.len();
        let first_call = actions.clone().map(|a| of(a, Cause::Request).next().unwrap_or(0)).collect();
        let messages = actions.map(|a| of(a, Cause::Message).collect()).collect();
        let mut setup = Self {
            scenario,
            routes,
            flow,
            first_call,
            messages,
            blocks,
            ids,
            order,
            demand,
            mean_field: vec![None; scenario.tiers.len()],
        };
        setup.solve_mean_fields();
        setup
    }

    /// Hit probabilities of per-server caches, by the rates that the formulas leave at each of them. All
    /// servers of a tier see the same mix, so only that mix matters, not how many they are: the solved
    /// times are those of one cache that sees the rate of all.
    fn solve_mean_fields(&mut self) {
        let chain = chain(self.scenario);
        for tier in 0..self.scenario.tiers.len() {
            let Some(cache) = &self.scenario.tiers[tier].cache else { continue };
            if !cache.per_server {
                continue;
            }
            let mut table = vec![0.0_f32; self.ids as usize];
            let solved = chain.caches[tier];
            for (id, action) in self.scenario.actions.values().enumerate() {
                let (true, Some(b)) =
                    (self.scenario.looks_up(action, tier), action.of.and_then(|d| self.blocks[d].as_ref()))
                else {
                    continue;
                };
                fill_mean_field(
                    &mut table,
                    b,
                    &self.routes[id],
                    tier,
                    &chain.caches,
                    solved,
                    self.scenario.mean_rate(action),
                );
            }
            self.mean_field[tier] = Some(table);
        }
    }

    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "latencies are those of requests that leave the device; bodies stream through, so inner hops add round trips and waits, not transfer times".to_owned(),
        ];
        for (name, blocks) in self.scenario.datasets.keys().zip(&self.blocks) {
            let coarse = |b: &Blocks| b.block > 1 && (b.masses.len() as f64) < BLOCKS_MIN / 2.0;
            if let Some(b) = blocks.as_ref().filter(|b| coarse(b)) {
                notes.push(format!(
                    "{name} is sampled coarsely, in {} blocks: its requests are many for its objects, and hit ratios may be off by points",
                    b.masses.len()
                ));
            }
        }
        for (id, tier) in self.scenario.tiers.values().enumerate() {
            if self.mean_field[id].is_some() {
                notes.push(format!(
                    "the per-server caches of {} are played by their mean-field hit probabilities, as independent requests",
                    self.scenario.tier_name(id)
                ));
            }
            if tier.scope == Scope::User {
                notes.push(format!(
                    "{} is one cache per user, played by its mean-field hit probabilities in a steady state",
                    self.scenario.tier_name(id)
                ));
            }
        }
        notes
    }
}

fn cut(scenario: &Scenario, dataset: usize, first_id: u32) -> Option<Blocks> {
    let data = &scenario.datasets[dataset];
    let rate: f64 =
        scenario.actions.values().filter(|a| a.of == Some(dataset)).map(|a| scenario.mean_rate(a)).sum();
    if rate <= 0.0 {
        return None;
    }
    let count = data.count.get() as u64;
    let wanted = (rate * DAY_S / REQUESTS_TARGET).max(count as f64 / 4e6);
    let fine = wanted.min(count as f64 / BLOCKS_MIN);
    // Very many requests for few objects: rather coarse blocks than a run without end.
    let block = fine.max(rate * DAY_S / REQUESTS_MAX).min(count as f64).ceil().max(1.0) as u64;
    let law = data.popularity.over(count);
    let masses = (0..count.div_ceil(block)).map(|i| law.mass(i * block, (i + 1) * block)).collect();
    Some(Blocks { block, first_id, masses, law, bytes: (data.size.get() * block as f64) as u64 })
}

/// What the device leaves: the share it answers itself, and a sampler over blocks for the rest. Within the
/// first blocks popularity falls steeply, so the device's hits are summed rank by rank there.
fn demand_beyond_device(blocks: &Blocks, route: &Route) -> (f64, Option<IndexSampler>) {
    const RANK_BY_RANK: u64 = 1 << 17;
    let Some(device) = route.device.filter(|_| route.entry > 0) else {
        return (0.0, Some(IndexSampler::new(&blocks.masses)));
    };
    let left: Vec<f64> = blocks
        .masses
        .iter()
        .enumerate()
        .map(|(i, &mass)| {
            let from = i as u64 * blocks.block;
            let to = (from + blocks.block).min(blocks.law.count());
            let missed = if from < RANK_BY_RANK {
                (from..to).map(|k| blocks.law.p(k)).map(|p| p * (1.0 - device.hit(p))).sum()
            } else {
                mass * (1.0 - device.hit(mass / (to - from) as f64))
            };
            missed * (1.0 - device.repeat)
        })
        .collect();
    (1.0 - left.iter().sum::<f64>(), Some(IndexSampler::new(&left)))
}

fn fill_mean_field(
    table: &mut [f32],
    blocks: &Blocks,
    route: &Route,
    tier: TierId,
    caches: &[Option<Approximation>],
    solved: Option<Approximation>,
    rate: f64,
) {
    let Some(solved) = solved else { return };
    for (i, &mass) in blocks.masses.iter().enumerate() {
        let mut p = mass / blocks.block as f64;
        for (at, &before) in route.path.iter().enumerate() {
            if before == tier {
                table[blocks.first_id as usize + i] = solved.hit(p * rate) as f32;
                break;
            }
            if let (Some(device), true) = (&route.device, at < route.entry) {
                p *= (1.0 - device.repeat) * (1.0 - device.hit(p));
            } else if let (Some(cache), true) = (caches[before], route.lookup[at]) {
                p *= 1.0 - cache.hit(p * rate);
            }
        }
    }
}
