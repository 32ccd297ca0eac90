//! The caches of a day, epoch by epoch, from the outermost inwards.

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::IndexSampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{DatasetId, Scope, TierId};

use super::answers::Answers;
use super::blocks::Blocks;
use super::mean_field;
use super::setup::Setup;
use super::streams::Source;
use super::turnover::Turnover;
use super::{Plan, SLOTS};
use crate::analytic::caches::spoils;
use crate::cache::{Answer, Keeper, Rules, Sizes};
use crate::model;

/// Epochs of a slot: within one, tiers are played one after the other.
pub(super) const EPOCHS_PER_SLOT: usize = 3;
/// Requests whose memory is fetched together.
const BATCH: usize = 64;
/// What an epoch's share of hits counts in the next one.
const DECAY: f64 = 0.7;
/// Lookups from which on a share of hits is believed rather than the formula.
const BELIEVED: f64 = 50.0;

/// A call on its way: which, whose, and when within the epoch.
#[derive(Debug, Clone, Copy)]
struct Item {
    at_s: f32,
    node: u32,
    id: u32,
    region: u16,
    site: u16,
}

/// One replication of all caches over warm-up and day.
struct CachePlay<'s, 'a> {
    setup: &'s Setup<'a>,
    /// By tier: inbox of every instance (site, region or one).
    inbox: Vec<Vec<Vec<Item>>>,
    caches: Vec<Vec<Keeper>>,
    /// By call: it makes objects stale.
    spoils: Vec<bool>,
    /// By call: one of so many requests for its dataset is played, so that much slower goes its caches' time.
    slower: Vec<f64>,
    /// When the epoch began, seconds since the first day's.
    from_s: f64,
    coins: Stream,
    turnover: Vec<Option<Turnover>>,
    /// By call: lookups and hits lately, the latest epochs most.
    lately: Vec<(f64, f64)>,
    answers: Answers,
    slot: Option<usize>,
}

pub(super) fn play_caches(
    setup: &Setup<'_>,
    plan: Plan,
    replication: u64,
    report: &impl Fn(u64),
    stop: &AtomicBool,
) -> Option<Answers> {
    let mut play = CachePlay::new(setup, plan.seed, replication);
    let mut origins = origins(setup, plan.seed, replication, &mut play.answers);
    let epoch_s = DAY_S / (SLOTS * EPOCHS_PER_SLOT) as f64;
    for day in 0..=plan.warmup_days {
        for epoch in 0..SLOTS * EPOCHS_PER_SLOT {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            play.slot = (day == plan.warmup_days).then_some(epoch / EPOCHS_PER_SLOT);
            play.turnover.iter_mut().flatten().for_each(|t| t.pass(epoch_s));
            let from_s = epoch as f64 * epoch_s;
            play.from_s = day as f64 * DAY_S + from_s;
            for origin in &mut origins {
                origin.emit(setup, from_s, epoch_s, &mut play);
            }
            for &tier in &setup.order {
                play.pass(tier);
            }
            for (lookups, hits) in &mut play.lately {
                *lookups *= DECAY;
                *hits *= DECAY;
            }
            report(1);
        }
    }
    Some(play.answers)
}

/// One source in one place: a Poisson process whose rate is constant over an epoch.
struct Origin<'s> {
    source: &'s Source,
    sampler: Rc<IndexSampler>,
    region: usize,
    site: u16,
    /// Played requests for one of the region's.
    share: f64,
    arrivals: Stream,
    choices: Stream,
}

/// All origins; what devices answer is noted in `answers`.
fn origins<'s>(setup: &'s Setup<'_>, seed: u64, replication: u64, answers: &mut Answers) -> Vec<Origin<'s>> {
    let scenario = setup.scenario;
    let mut origins = Vec::new();
    for source in setup.sources.iter().chain(&setup.writes) {
        let Some(blocks) = &setup.blocks[source.dataset] else { continue };
        let (local, sampler) = blocks.beyond_device(source);
        if source.device.is_some() {
            answers.set_device(source.node, local);
        }
        let sampler = Rc::new(sampler);
        let name = scenario.action_name(source.action);
        let mut first_site = 0_u32;
        for (region, place) in scenario.population.regions.iter().enumerate() {
            let sites = if source.per_site { place.sites } else { 1 };
            for site in 0..sites {
                let entity = format!("{name}/{}/{}/{site}", source.node, place.name);
                origins.push(Origin {
                    source,
                    sampler: sampler.clone(),
                    region,
                    site: (first_site + site) as u16,
                    share: source.number * (1.0 - local) / (f64::from(sites) * blocks.weight()),
                    arrivals: Stream::new(seed, &entity, "sampled arrivals", replication),
                    choices: Stream::new(seed, &entity, "sampled choices", replication),
                });
            }
            first_site += place.sites;
        }
    }
    origins
}

impl Origin<'_> {
    /// Puts the epoch's requests into the inboxes of the first lookups.
    fn emit(&mut self, setup: &Setup<'_>, from_s: f64, epoch_s: f64, play: &mut CachePlay<'_, '_>) {
        let scenario = setup.scenario;
        let action = &scenario.actions[self.source.action];
        let real = model::rate(scenario, action, self.region, from_s, from_s + epoch_s) * self.share;
        let passes: f64 = self.source.above.iter().map(|&node| 1.0 - play.share_lately(node)).product();
        let rate = real * passes;
        if rate <= 0.0 {
            return;
        }
        let Some(blocks) = &setup.blocks[self.source.dataset] else { return };
        let mut at = self.arrivals.exponential() / rate;
        while at < epoch_s {
            let block = self.sampler.draw(&mut self.choices) as u32;
            let id = match &play.turnover[self.source.dataset] {
                Some(turnover) => turnover.alive(block),
                None => blocks.first_id + block,
            };
            let item = Item { at_s: at as f32, node: 0, id, region: self.region as u16, site: self.site };
            play.send(item, &self.source.entries);
            play.answers.simulated_requests += 1;
            at += self.arrivals.exponential() / rate;
        }
    }
}

impl<'s, 'a> CachePlay<'s, 'a> {
    fn new(setup: &'s Setup<'a>, seed: u64, replication: u64) -> Self {
        let scenario = setup.scenario;
        let blocks = || scenario.datasets.values().zip(&setup.blocks);
        let cut = || blocks().filter_map(|(dataset, blocks)| Some((dataset, blocks.as_ref()?)));
        let sizes = Sizes::of_datasets(cut().map(|(d, b)| (b.first_id, d, b.block as f64)));
        let own = Sizes::of_datasets(cut().map(|(d, b)| (b.first_id, d, 1.0)));
        let (mut inbox, mut caches) = (Vec::new(), Vec::new());
        for (id, tier) in scenario.tiers.values().enumerate() {
            let instances = setup.instances(id);
            let mut made = Vec::new();
            if let Some(cache) = tier.cache.as_ref().filter(|c| !c.per_server) {
                for instance in 0..instances {
                    let rules = Rules::of(cache);
                    let mut fresh = Keeper::of(cache, setup.ids, sizes.clone());
                    fresh.set_own(|| own.clone());
                    let entity = format!("{}/{instance}", scenario.tier_name(id));
                    let mut draws = Stream::new(seed, &entity, "first content", replication);
                    mean_field::fill(&mut fresh, &setup.steady[id], rules, &mut draws);
                    made.push(fresh);
                }
            }
            caches.push(made);
            inbox.push(vec![Vec::new(); instances]);
        }
        Self {
            setup,
            inbox,
            caches,
            spoils: setup.flow.nodes.iter().map(|node| spoils(scenario, node.call)).collect(),
            slower: setup.flow.nodes.iter().map(|node| thinned(setup, node.call.of)).collect(),
            from_s: 0.0,
            coins: Stream::new(seed, "caches", "coins", replication),
            turnover: turnovers(setup, seed, replication),
            lately: vec![(0.0, 0.0); setup.flow.nodes.len()],
            answers: Answers::empty(setup),
            slot: None,
        }
    }

    /// Share of a call's lookups that hit lately, or by the formula where there were too few.
    fn share_lately(&self, node: usize) -> f64 {
        let (lookups, hits) = self.lately[node];
        if lookups >= BELIEVED { hits / lookups } else { self.setup.chain.hits[node] }
    }

    /// Sends calls for an item's object to the inboxes of lookups, as many of each as said, in the mean.
    #[inline]
    fn send(&mut self, item: Item, to: &[(usize, f64)]) {
        for &(node, number) in to {
            let mut times = number as u32;
            let part = number - f64::from(times);
            if part > 0.0 && self.coins.uniform() < part {
                times += 1;
            }
            let tier = self.setup.flow.nodes[node].call.tier;
            let instance = match self.setup.scenario.tiers[tier].scope {
                Scope::Site => item.site as usize,
                Scope::Region => item.region as usize,
                _ => 0,
            };
            for _ in 0..times {
                self.inbox[tier][instance].push(Item { node: node as u32, ..item });
            }
        }
    }

    /// Plays the epoch's calls at a tier, in order of time.
    fn pass(&mut self, tier: TierId) {
        let setup = self.setup;
        let levels = setup.scenario.tiers[tier].cache.as_ref().is_some_and(|cache| cache.memory.is_some());
        for instance in 0..self.inbox[tier].len() {
            let mut items = std::mem::take(&mut self.inbox[tier][instance]);
            if !items.is_sorted_by(|a, b| a.at_s <= b.at_s) {
                // Stable, so that equal times stay in the order of their sources.
                items.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
            }
            for (i, &item) in items.iter().enumerate() {
                if i % BATCH == 0
                    && let Some(cache) = self.caches[tier].get(instance)
                {
                    let batch = &items[i..(i + BATCH).min(items.len())];
                    std::hint::black_box(batch.iter().fold(0, |acc, item| acc ^ cache.touch(item.id)));
                }
                let node = item.node as usize;
                if self.spoils[node] {
                    self.caches[tier][instance].write(item.id);
                    continue;
                }
                let hit = if levels {
                    self.request_of_levels(item, (tier, instance))
                } else if let Some(table) = &setup.mean_field[tier] {
                    self.coins.uniform() < f64::from(table.hit[item.id as usize])
                } else {
                    let at_s = (self.from_s + f64::from(item.at_s)) / self.slower[node];
                    self.caches[tier][instance].request(item.id, at_s)
                };
                self.lately[node].0 += 1.0;
                self.lately[node].1 += f64::from(u8::from(hit));
                if let Some(slot) = self.slot {
                    self.answers.add(node, item.region as usize, slot, 1.0, f64::from(u8::from(hit)));
                }
                if !hit {
                    self.send(item, &setup.next[node]);
                }
            }
            items.clear();
            self.inbox[tier][instance] = items;
        }
    }
}

impl CachePlay<'_, '_> {
    /// A call of a cache in memory and on disk: whether it is a hit.
    fn request_of_levels(&mut self, item: Item, (tier, instance): (TierId, usize)) -> bool {
        let node = item.node as usize;
        let at_s = (self.from_s + f64::from(item.at_s)) / self.slower[node];
        let (hit, in_memory, kept) = if let Some(table) = &self.setup.mean_field[tier] {
            let (chance, id) = (self.coins.uniform(), item.id as usize);
            let hit = chance < f64::from(table.hit[id]);
            let in_memory = hit && chance < f64::from(table.in_memory[id]);
            (hit, in_memory, if hit { 0.0 } else { mean_field::kept_of_missed(self.setup, node) })
        } else if let Keeper::Levels(levels) = &mut self.caches[tier][instance] {
            match levels.request(item.id, at_s) {
                Answer::Missed { kept } => (false, false, f64::from(u8::from(kept))),
                Answer::OnDisk => (true, false, 0.0),
                Answer::InMemory => (true, true, 0.0),
            }
        } else {
            (false, false, 0.0)
        };
        if let Some(slot) = self.slot {
            let at = (node, item.region as usize, slot);
            self.answers.add_levels(at, f64::from(u8::from(in_memory)), kept);
        }
        hit
    }
}

/// One of so many requests for a dataset is played.
fn thinned(setup: &Setup<'_>, dataset: Option<DatasetId>) -> f64 {
    dataset.and_then(|d| setup.blocks[d].as_ref()).map_or(1.0, |blocks| blocks.thinned)
}

/// By dataset: its blocks' representatives as new objects take the place of old ones.
fn turnovers(setup: &Setup<'_>, seed: u64, replication: u64) -> Vec<Option<Turnover>> {
    let of = |(dataset, blocks): (usize, &Option<Blocks>)| {
        let blocks = blocks.as_ref()?;
        let churn = setup.scenario.datasets[dataset].churn_per_day.get();
        // Where one of many requests is played, objects give way as much slower.
        let per_s = churn / DAY_S / blocks.thinned;
        let n = blocks.masses.len() as u32;
        Turnover::new(blocks.first_id, n, blocks.spare, per_s, (seed, replication), dataset)
    };
    setup.blocks.iter().enumerate().map(of).collect()
}
