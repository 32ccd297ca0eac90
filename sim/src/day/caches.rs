//! The caches of a day, epoch by epoch, from the outermost inwards.

use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scope, TierId};

use super::setup::Setup;
use super::{Plan, SLOTS};
use crate::cache::{Cache, Sizes};
use crate::model;
use crate::outcome::Counted;

/// Epochs of a slot: within one, tiers are played one after the other.
pub(super) const EPOCHS_PER_SLOT: usize = 3;
/// Requests whose memory is fetched together.
const BATCH: usize = 64;

/// A request on its way: what, whose, and when within the epoch.
#[derive(Debug, Clone, Copy)]
struct Item {
    at_s: f32,
    action: u16,
    region: u16,
    site: u16,
    id: u32,
}

/// One replication of all caches over warm-up and day.
struct CachePlay<'s, 'a> {
    setup: &'s Setup<'a>,
    /// By tier: inbox of every instance (site, region or one).
    inbox: Vec<Vec<Vec<Item>>>,
    caches: Vec<Vec<Cache>>,
    coins: Stream,
    counted: Counted,
    slot: Option<usize>,
}

pub(super) fn play_caches(
    setup: &Setup<'_>,
    plan: Plan,
    replication: u64,
    report: &impl Fn(u64),
    stop: &AtomicBool,
) -> Option<Counted> {
    let mut play = CachePlay::new(setup, plan.seed, replication);
    let mut sources = sources(setup, plan.seed, replication);
    let epoch_s = DAY_S / (SLOTS * EPOCHS_PER_SLOT) as f64;
    let per_day = SLOTS * EPOCHS_PER_SLOT;
    for day in 0..=plan.warmup_days {
        for epoch in 0..per_day {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            play.slot = (day == plan.warmup_days).then_some(epoch / EPOCHS_PER_SLOT);
            let from_s = epoch as f64 * epoch_s;
            for source in &mut sources {
                source.emit(setup, from_s, epoch_s, &mut play);
            }
            for &tier in &setup.order {
                play.pass(tier);
            }
            report(1);
        }
    }
    play.finish();
    Some(play.counted)
}

/// One action from one place: a Poisson process whose rate is constant over an epoch.
struct Source {
    action: usize,
    region: usize,
    site: u16,
    /// Share of the region's requests that come from here.
    share: f64,
    arrivals: Stream,
    choices: Stream,
}

fn sources(setup: &Setup<'_>, seed: u64, replication: u64) -> Vec<Source> {
    let scenario = setup.scenario;
    let mut sources = Vec::new();
    for (action, (name, _)) in scenario.actions.iter().enumerate() {
        if setup.demand[action].1.is_none() {
            continue;
        }
        let route = &setup.routes[action];
        let per_site = route.path.iter().any(|&t| scenario.tiers[t].scope == Scope::Site);
        let mut first_site = 0_u32;
        for (region, place) in scenario.population.regions.iter().enumerate() {
            let sites = if per_site { place.sites } else { 1 };
            for site in 0..sites {
                let entity = format!("{name}/{}/{site}", place.name);
                sources.push(Source {
                    action,
                    region,
                    site: (first_site + site) as u16,
                    share: 1.0 / f64::from(sites),
                    arrivals: Stream::new(seed, &entity, "sampled arrivals", replication),
                    choices: Stream::new(seed, &entity, "sampled choices", replication),
                });
            }
            first_site += place.sites;
        }
    }
    sources
}

impl Source {
    /// Puts the epoch's requests into the inbox of the first tier that looks them up.
    fn emit(&mut self, setup: &Setup<'_>, from_s: f64, epoch_s: f64, play: &mut CachePlay<'_, '_>) {
        let scenario = setup.scenario;
        let action = &scenario.actions[self.action];
        let (local, Some(sampler)) = (setup.demand[self.action].0, &setup.demand[self.action].1) else {
            return;
        };
        let Some(blocks) = action.of.and_then(|d| setup.blocks[d].as_ref()) else { return };
        let real = model::rate(scenario, action, self.region, from_s, from_s + epoch_s) * self.share;
        let rate = real * (1.0 - local) / blocks.block as f64;
        if rate <= 0.0 {
            return;
        }
        let mut at = self.arrivals.exponential() / rate;
        while at < epoch_s {
            let id = blocks.first_id + sampler.draw(&mut self.choices) as u32;
            let item = Item {
                at_s: at as f32,
                action: self.action as u16,
                region: self.region as u16,
                site: self.site,
                id,
            };
            play.forward(item, setup.routes[self.action].entry);
            play.counted.simulated_requests += 1;
            at += self.arrivals.exponential() / rate;
        }
    }
}

impl<'s, 'a> CachePlay<'s, 'a> {
    fn new(setup: &'s Setup<'a>, seed: u64, replication: u64) -> Self {
        let scenario = setup.scenario;
        let ranges: Vec<(u32, u64)> = setup.blocks.iter().flatten().map(|b| (b.first_id, b.bytes)).collect();
        let sizes = if let [(_, bytes)] = ranges[..] { Sizes::Same(bytes) } else { Sizes::Ranges(ranges) };
        let (mut inbox, mut caches) = (Vec::new(), Vec::new());
        for (id, tier) in scenario.tiers.values().enumerate() {
            let instances = match tier.scope {
                Scope::User => 0,
                Scope::Site => scenario.sites() as usize,
                Scope::Region => scenario.population.regions.len(),
                Scope::Global => 1,
            };
            let cache = tier.cache.as_ref().filter(|c| !c.per_server && instances > 0);
            let wanted = cache.map_or(0, |_| instances);
            caches.push(
                (0..wanted)
                    .filter_map(|_| {
                        cache.map(|c| Cache::new(c.policy, setup.ids, c.capacity.get() as u64, sizes.clone()))
                    })
                    .collect(),
            );
            let looks_up = cache.is_some() || setup.mean_field[id].is_some();
            inbox.push(vec![Vec::new(); if looks_up { instances } else { 0 }]);
        }
        Self {
            setup,
            inbox,
            caches,
            coins: Stream::new(seed, "caches", "coins", replication),
            counted: Counted::new(scenario, &setup.flow, SLOTS),
            slot: None,
        }
    }

    /// Sends a request on from a position: to the next lookup, or to the end of its path.
    #[inline]
    fn forward(&mut self, item: Item, from: usize) {
        let route = &self.setup.routes[item.action as usize];
        let Some(at) = (from..route.path.len()).find(|&i| route.lookup[i]) else {
            self.count(item, route.path.len() - 1, false);
            return;
        };
        let tier = route.path[at];
        let instance = match self.setup.scenario.tiers[tier].scope {
            Scope::Site => item.site as usize,
            Scope::Region => item.region as usize,
            _ => 0,
        };
        self.inbox[tier][instance].push(item);
    }

    /// Counts a request that gets as far as a position, where a cache answers it or not.
    #[inline]
    fn count(&mut self, item: Item, position: usize, hit: bool) {
        if let Some(slot) = self.slot {
            let (action, region) = (item.action as usize, item.region as usize);
            let of = self.setup.scenario.actions[action].of;
            let weight = of.and_then(|d| self.setup.blocks[d].as_ref()).map_or(1, |b| b.block) as f64;
            let first = self.setup.first_call[action];
            for call in first + self.setup.routes[action].entry..=first + position {
                self.counted.calls[call][region][slot] += weight;
            }
            if hit {
                self.counted.hits[first + position][region][slot] += weight;
            }
        }
    }

    /// Adds what no cache was played for: requests that the device answers, those of paths without lookups,
    /// and messages.
    fn finish(&mut self) {
        let (setup, scenario) = (self.setup, self.setup.scenario);
        let slot_s = DAY_S / SLOTS as f64;
        for (id, action) in scenario.actions.values().enumerate() {
            let (route, first) = (&setup.routes[id], setup.first_call[id]);
            let (local, sampler) = &setup.demand[id];
            for region in 0..scenario.population.regions.len() {
                for slot in 0..SLOTS {
                    let from = slot as f64 * slot_s;
                    let expected = model::rate(scenario, action, region, from, from + slot_s) * slot_s;
                    let mut requests = expected;
                    if sampler.is_some() {
                        requests *= local;
                        let entry = self.counted.calls[first + route.entry][region][slot];
                        requests += entry;
                        for position in 0..route.entry {
                            self.counted.calls[first + position][region][slot] += requests;
                        }
                        if route.entry > 0 {
                            self.counted.hits[first + route.entry - 1][region][slot] += expected * local;
                        }
                    } else {
                        for position in 0..route.path.len() {
                            self.counted.calls[first + position][region][slot] += requests;
                        }
                    }
                    self.counted.requests[id][region][slot] = requests;
                    for &message in &setup.messages[id] {
                        self.counted.calls[message][region][slot] = requests;
                    }
                }
            }
        }
    }

    /// Plays the epoch's requests at a tier, in order of time.
    fn pass(&mut self, tier: TierId) {
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
                let hit = if let Some(table) = &self.setup.mean_field[tier] {
                    self.coins.uniform() < f64::from(table[item.id as usize])
                } else {
                    self.caches[tier][instance].request(item.id)
                };
                let route = &self.setup.routes[item.action as usize];
                let position = route.path.iter().position(|&t| t == tier).unwrap_or(0);
                if hit || position + 1 == route.path.len() {
                    self.count(item, position, hit);
                } else {
                    self.forward(item, position + 1);
                }
            }
            items.clear();
            self.inbox[tier][instance] = items;
        }
    }
}
