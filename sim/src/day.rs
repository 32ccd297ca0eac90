//! A full day at full population, sampled.
//!
//! Why sampling works here: in a large cache an object's fate depends on its own requests and on the
//! cache's characteristic time, not on any other object by name. So every `block`-th rank is played for all
//! objects of its block, with the block's mean popularity and the block's bytes: request masses are exact,
//! the characteristic time is kept, and a cache sees its full capacity. Queues are different, small pools
//! queue more, so of a large pool whole servers are played at their full rate.
//!
//! Data flows forward only: caches in epochs from the device inwards, then queues at the rates that came
//! out, then the latencies of whole paths. Caches of which there are very many alike (one per user, one per
//! server) are their mean field: a table of hit probabilities by block.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::{IndexSampler, Law};
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use crate::analytic::caches::{Approximation, chain};
use crate::cache::{Cache, Sizes};
use crate::model::{self, Route};
use crate::outcome::{Counted, Outcome, StationSlot, arrivals_in};
use crate::station::{Outcome as Served, Station};

/// Slots of a day in the results.
pub const SLOTS: usize = 96;
/// Epochs of a slot: within one, tiers are played one after the other.
const EPOCHS_PER_SLOT: usize = 3;
/// Requests to simulate per dataset, replication and day.
const REQUESTS_TARGET: f64 = 2.5e6;
/// Fewest blocks that a dataset is cut into, where it has as many objects.
const BLOCKS_MIN: f64 = 20_000.0;
/// Customers per station, place, slot and replication, in the mean; busier slots get more.
const CUSTOMERS_PER_SLOT: f64 = 1500.0;
/// Customers of the quietest slot.
const CUSTOMERS_MIN: usize = 400;
/// Servers of a pool that are played together.
const SERVERS_TOGETHER: u64 = 8;
/// Whole paths drawn per action, region, day and replication.
const PATHS_TARGET: f64 = 60_000.0;

/// Requests whose memory is fetched together.
const BATCH: usize = 64;

/// How a sampled run is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub replications: u64,
    pub threads: usize,
    /// Days played before the one that counts, to fill the caches.
    pub warmup_days: u32,
}

/// A dataset cut into blocks of ranks, each played by one representative.
#[derive(Debug, Clone)]
struct Blocks {
    /// Objects of a block.
    block: u64,
    /// First id of the dataset's representatives; ids of all datasets are dense.
    first_id: u32,
    /// By block: share of the action's requests.
    masses: Vec<f64>,
    law: Law,
    bytes: u64,
}

/// A request on its way: what, whose, and when within the epoch.
#[derive(Debug, Clone, Copy)]
struct Item {
    at_s: f32,
    action: u16,
    region: u16,
    site: u16,
    id: u32,
}

/// Plays the day. `progress` hears the share that is done; `stop` ends the run early, and what comes back
/// then is `None` unless every replication finished (a day cut short is not a day).
pub fn play(
    scenario: &Scenario,
    plan: Plan,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Option<Outcome> {
    let setup = Setup::new(scenario);
    let done = AtomicU64::new(0);
    let epochs = (SLOTS * EPOCHS_PER_SLOT) as u64 * u64::from(plan.warmup_days + 1);
    let regions = scenario.population.regions.len() as u64;
    // Caches take about as long as queues and paths together.
    let steps = 2 * epochs * plan.replications;
    let report = |n: u64| {
        let so_far = done.fetch_add(n, Ordering::Relaxed) + n;
        progress(so_far as f64 / steps as f64);
    };
    let jobs: Vec<u64> = (0..plan.replications).collect();
    let counted = parallel(&jobs, plan.threads, |&r| play_caches(&setup, plan, r, &report, stop));
    let mut counted: Vec<Counted> = counted.into_iter().collect::<Option<_>>()?;
    let rates = Rates::mean(scenario, &counted);
    let jobs: Vec<(u64, usize)> =
        (0..plan.replications).flat_map(|r| (0..regions as usize).map(move |g| (r, g))).collect();
    let parts = parallel(&jobs, plan.threads, |&(replication, region)| {
        let part =
            play_queues(&setup, plan.seed, replication, region, &rates, &counted[replication as usize], stop);
        report(epochs / regions);
        part
    });
    for ((replication, region), part) in jobs.into_iter().zip(parts) {
        merge_region(scenario, &mut counted[replication as usize], region, part?);
    }
    let blocks = setup.blocks.iter().flatten().map(|b| b.block).max().unwrap_or(1);
    Some(Outcome {
        counted,
        slot_s: DAY_S / SLOTS as f64,
        slots: SLOTS,
        mode: "sampled",
        objects_per_sample: blocks,
        notes: setup.notes(),
        simulated_servers: (0..scenario.tiers.len()).map(|_| SERVERS_TOGETHER).collect(),
    })
}

/// Runs jobs on threads; results come in the order of the jobs, whoever ran them.
fn parallel<J: Sync, T: Send>(jobs: &[J], threads: usize, run: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, jobs.len().max(1)))
            .map(|_| {
                scope.spawn(|| {
                    let mut mine = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed) as usize;
                        let Some(job) = jobs.get(index) else { return mine };
                        mine.push((index, run(job)));
                    }
                })
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().expect("a worker runs no code that panics")).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

struct Setup<'a> {
    scenario: &'a Scenario,
    routes: Vec<Route>,
    /// By dataset; `None` where no action asks for it.
    blocks: Vec<Option<Blocks>>,
    ids: u32,
    order: Vec<TierId>,
    /// By action: share of its requests that the device answers, and the choice of a block for the others.
    demand: Vec<(f64, Option<IndexSampler>)>,
    /// By tier and id: hit probability in a cache that every server has of its own.
    mean_field: Vec<Option<Vec<f32>>>,
}

impl<'a> Setup<'a> {
    fn new(scenario: &'a Scenario) -> Self {
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
        let mut setup = Self {
            scenario,
            routes,
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
    /// servers of a tier see the same mix, so only that mix matters, not how many they are.
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
                    &self.mix(tier, &chain.arriving, id),
                );
            }
            self.mean_field[tier] = Some(table);
        }
    }

    /// For every tier of an action's path up to `last`: the action's rate over the rate of all that is
    /// looked up there.
    fn mix(&self, last: TierId, arriving: &[Vec<f64>], action: usize) -> Vec<f64> {
        let of = |id: usize| self.scenario.mean_rate(&self.scenario.actions[id]);
        let path = &self.routes[action].path;
        let end = path.iter().position(|&t| t == last).unwrap_or(0);
        path[..=end]
            .iter()
            .map(|&tier| {
                let total: f64 = (0..self.routes.len())
                    .filter(|&id| self.scenario.looks_up(&self.scenario.actions[id], tier))
                    .filter_map(|id| {
                        self.routes[id]
                            .path
                            .iter()
                            .position(|&t| t == tier)
                            .map(|at| of(id) * arriving[id][at])
                    })
                    .sum();
                if total > 0.0 { of(action) / total } else { 0.0 }
            })
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            "latencies are those of requests that leave the device; bodies stream through, so inner hops add round trips and waits, not transfer times".to_owned(),
        ];
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
    let block = wanted.min(count as f64 / BLOCKS_MIN).ceil().max(1.0) as u64;
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
    mix: &[f64],
) {
    let Some(solved) = solved else { return };
    for (i, &mass) in blocks.masses.iter().enumerate() {
        let mut p = mass / blocks.block as f64;
        for (at, (&before, &share)) in route.path.iter().zip(mix).enumerate() {
            if before == tier {
                table[blocks.first_id as usize + i] = solved.hit(p * share) as f32;
                break;
            }
            if let (Some(device), true) = (&route.device, at < route.entry) {
                p *= (1.0 - device.repeat) * (1.0 - device.hit(p));
            } else if let (Some(cache), true) = (caches[before], route.lookup[at]) {
                p *= 1.0 - cache.hit(p * share);
            }
        }
    }
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

fn play_caches(
    setup: &Setup<'_>,
    plan: Plan,
    replication: u64,
    report: &impl Fn(u64),
    stop: &AtomicBool,
) -> Option<Counted> {
    let scenario = setup.scenario;
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
    // Requests that need no cache: answered by the device, or at the end of a path without lookups.
    for (id, action) in scenario.actions.values().enumerate() {
        let route = &setup.routes[id];
        for region in 0..scenario.population.regions.len() {
            for slot in 0..SLOTS {
                let slot_s = DAY_S / SLOTS as f64;
                let from = slot as f64 * slot_s;
                let requests = model::rate(scenario, action, region, from, from + slot_s) * slot_s;
                let (local, sampler) = &setup.demand[id];
                if *local > 0.0 {
                    play.counted.served[id][0][region][slot] += requests * local;
                }
                if sampler.is_none() {
                    play.counted.served[id][route.path.len() - 1][region][slot] += requests;
                }
            }
        }
    }
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
            counted: Counted::new(scenario, SLOTS),
            slot: None,
        }
    }

    /// Sends a request on from a position: to the next lookup, or to the end of its path.
    #[inline]
    fn forward(&mut self, item: Item, from: usize) {
        let route = &self.setup.routes[item.action as usize];
        let Some(at) = (from..route.path.len()).find(|&i| route.lookup[i]) else {
            self.count(item, route.path.len() - 1);
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

    #[inline]
    fn count(&mut self, item: Item, position: usize) {
        if let Some(slot) = self.slot {
            let action = &self.setup.scenario.actions[item.action as usize];
            let weight = action.of.and_then(|d| self.setup.blocks[d].as_ref()).map_or(1, |b| b.block);
            self.counted.served[item.action as usize][position][item.region as usize][slot] += weight as f64;
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
                if hit {
                    self.count(item, position);
                } else if position + 1 == route.path.len() {
                    self.count(item, position);
                } else {
                    self.forward(item, position + 1);
                }
            }
            items.clear();
            self.inbox[tier][instance] = items;
        }
    }
}

/// Arrival rates of every tier by region and slot, mean over replications, 1/s.
struct Rates(Vec<Vec<Vec<f64>>>);

impl Rates {
    fn mean(scenario: &Scenario, counted: &[Counted]) -> Self {
        let slot_s = DAY_S / SLOTS as f64;
        let rate = |tier, region, slot| {
            let sum: f64 = counted.iter().map(|c| arrivals_in(scenario, c, tier, region, slot)).sum();
            sum / counted.len() as f64 / slot_s
        };
        Self(
            (0..scenario.tiers.len())
                .map(|t| {
                    (0..scenario.population.regions.len())
                        .map(|r| (0..SLOTS).map(|s| rate(t, r, s)).collect())
                        .collect()
                })
                .collect(),
        )
    }

    /// How this slot of this region compares with the tier's mean over slots and regions.
    fn weight(&self, tier: TierId, region: usize, slot: usize) -> f64 {
        let all = &self.0[tier];
        let total: f64 = all.iter().flatten().sum();
        if total > 0.0 { all[region][slot] / total * (all.len() * SLOTS) as f64 } else { 0.0 }
    }

    /// Rate at one instance of the tier in a region.
    fn at_instance(&self, scenario: &Scenario, tier: TierId, region: usize, slot: usize) -> f64 {
        if scenario.tiers[tier].scope == Scope::Global {
            return self.0[tier].iter().map(|r| r[slot]).sum();
        }
        self.0[tier][region][slot] / model::instances_at(scenario, tier, region) as f64
    }
}

/// Queues and latencies of one region in one replication.
struct RegionPart {
    /// By tier and slot.
    stations: Vec<Vec<StationSlot>>,
    /// By action and slot.
    failed: Vec<Vec<f64>>,
    counted: Counted,
}

/// A station of the region, with its draws.
struct PlayedStation {
    station: Station,
    sampler: plimsoll_scenarios::distribution::Sampler,
    arrivals: Stream,
    services: Stream,
    choices: Stream,
    now: f64,
    played: u64,
    pool: model::Pool,
    /// Stations like this one at the place.
    instances: f64,
    /// Waits plus services of the current slot, and how many were rejected.
    sojourns: Vec<f32>,
    rejected_share: f64,
}

fn play_queues(
    setup: &Setup<'_>,
    seed: u64,
    replication: u64,
    region: usize,
    rates: &Rates,
    caches: &Counted,
    stop: &AtomicBool,
) -> Option<RegionPart> {
    let scenario = setup.scenario;
    let name = &scenario.population.regions[region].name;
    let mut stations: Vec<Option<PlayedStation>> = (0..scenario.tiers.len())
        .map(|t| PlayedStation::new(scenario, t, region, seed, replication))
        .collect();
    let mut part = RegionPart {
        stations: vec![vec![StationSlot::default(); SLOTS]; scenario.tiers.len()],
        failed: vec![vec![0.0; SLOTS]; scenario.actions.len()],
        counted: Counted::new(scenario, SLOTS),
    };
    let mut paths = Stream::new(seed, name, "paths", replication);
    for slot in 0..SLOTS {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        for (tier, station) in stations.iter_mut().enumerate() {
            if let Some(station) = station {
                let rate = rates.at_instance(scenario, tier, region, slot);
                let weight = rates.weight(tier, region, slot);
                part.stations[tier][slot] = station.play(scenario, tier, rate, weight, &mut part.counted);
            }
        }
        for action in 0..scenario.actions.len() {
            draw_paths(setup, action, region, slot, &stations, caches, &mut part, &mut paths);
        }
    }
    Some(part)
}

impl PlayedStation {
    fn new(scenario: &Scenario, tier: TierId, region: usize, seed: u64, replication: u64) -> Option<Self> {
        let station = scenario.tiers[tier].station.as_ref()?;
        let pool = model::pool(scenario, tier, model::place_of(scenario, tier, region))?;
        let entity = format!("{}/{}", scenario.tier_name(tier), scenario.population.regions[region].name);
        let together = pool.servers.min(SERVERS_TOGETHER);
        Some(Self {
            station: Station::new(
                together as usize,
                pool.concurrency as usize,
                station.queue_max as usize,
                station.balance,
            ),
            sampler: station.service_time.sampler(),
            arrivals: Stream::new(seed, &entity, "queue arrivals", replication),
            services: Stream::new(seed, &entity, "services", replication),
            choices: Stream::new(seed, &entity, "balance", replication),
            now: 0.0,
            played: together,
            pool,
            instances: model::instances_at(scenario, tier, model::place_of(scenario, tier, region)) as f64,
            sojourns: Vec::new(),
            rejected_share: 0.0,
        })
    }

    /// Plays enough customers at this rate to know the slot. The queue goes on from the slot before, whose
    /// rate is near, and the first fifth does not count. `weight` is the slot's part of the tier's demand:
    /// the tier's distributions hold so many customers of it.
    fn play(
        &mut self,
        scenario: &Scenario,
        tier: TierId,
        rate: f64,
        weight: f64,
        counted: &mut Counted,
    ) -> StationSlot {
        self.sojourns.clear();
        let Some(station) = scenario.tiers[tier].station.as_ref().filter(|_| rate > 0.0) else {
            return StationSlot::default();
        };
        let here = rate * self.played as f64 / self.pool.servers as f64;
        let slots = (self.played * self.pool.concurrency) as f64;
        let offered = here * station.service_time.mean() / slots;
        // An overloaded queue must be able to fill before it is judged.
        let fill = if offered > 0.95 {
            4.0 * self.played as f64 * (f64::from(station.queue_max) + self.pool.concurrency as f64)
        } else {
            0.0
        };
        let typical = CUSTOMERS_PER_SLOT * weight;
        let customers =
            CUSTOMERS_MIN.max(typical as usize).max(fill.min(200.0 * CUSTOMERS_PER_SLOT) as usize);
        let first = customers / 5;
        let recorded = first + (0.8 * typical) as usize;
        for i in 0..customers {
            if i == first {
                self.station.take_tally();
            }
            self.now += self.arrivals.exponential() / here;
            let served = self.station.arrive(self.now, &self.sampler, &mut self.services, &mut self.choices);
            if let (Served::Served { start, finish }, true) = (served, i >= first) {
                if i < recorded {
                    counted.waits[tier].record(start - self.now);
                    counted.sojourns[tier].record(finish - self.now);
                }
                self.sojourns.push((finish - self.now) as f32);
            }
        }
        counted.simulated_customers += customers as u64;
        let tally = self.station.take_tally();
        let accepted = tally.arrivals - tally.rejected;
        self.rejected_share = tally.rejected as f64 / tally.arrivals.max(1) as f64;
        let wait_mean_s = tally.wait_s / accepted.max(1) as f64;
        StationSlot {
            utilisation: (offered * (1.0 - self.rejected_share)).min(1.0),
            wait_mean_s,
            // Little's law, over all servers of the place.
            queue: rate * (1.0 - self.rejected_share) * wait_mean_s * self.instances,
            rejected_share: self.rejected_share,
        }
    }
}

/// Draws whole paths of an action in a slot: who answers, as the caches said, and the time at every tier up
/// to there, as the queues said. Tiers are independent of each other given the slot, which is the limit for
/// large pools.
#[allow(clippy::too_many_arguments, reason = "one call site; the parts have nothing else in common")]
fn draw_paths(
    setup: &Setup<'_>,
    action: usize,
    region: usize,
    slot: usize,
    stations: &[Option<PlayedStation>],
    caches: &Counted,
    part: &mut RegionPart,
    stream: &mut Stream,
) {
    let scenario = setup.scenario;
    let route = &setup.routes[action];
    let beyond: Vec<f64> =
        (route.entry..route.path.len()).map(|p| caches.served[action][p][region][slot]).collect();
    let requests: f64 = beyond.iter().sum();
    if requests <= 0.0 {
        return;
    }
    let day: f64 = scenario.mean_rate(&scenario.actions[action]) * DAY_S;
    let remote = requests / day;
    let draws = (remote * PATHS_TARGET * scenario.population.regions.len() as f64).ceil() as u64;
    let ends = IndexSampler::new(&beyond);
    let transfer = transfer_time(scenario, action, route);
    let mut failed = 0_u64;
    for _ in 0..draws {
        let end = route.entry + ends.draw(stream);
        let mut first_byte = 0.0;
        let mut rejected = false;
        for &tier in &route.path[route.entry..=end] {
            first_byte += scenario.tiers[tier].rtt.as_ref().map_or(0.0, |d| d.get());
            if let Some(station) = &stations[tier] {
                if station.rejected_share > 0.0 && stream.uniform() < station.rejected_share {
                    rejected = true;
                    break;
                }
                if !station.sojourns.is_empty() {
                    first_byte +=
                        f64::from(station.sojourns[stream.below(station.sojourns.len() as u64) as usize]);
                }
            }
        }
        if rejected {
            failed += 1;
            continue;
        }
        part.counted.first_byte[action].record(first_byte);
        part.counted.first_byte_slots[action][slot].record(first_byte);
        part.counted.complete[action].record(first_byte + transfer);
    }
    // The device never fails; the share is of all the action's requests.
    let all: f64 = (0..route.path.len()).map(|p| caches.served[action][p][region][slot]).sum();
    part.failed[action][slot] = failed as f64 / draws as f64 * requests / all;
}

/// Seconds for the body over the slowest of the user's own access and the entry tier's link.
pub fn transfer_time(scenario: &Scenario, action: usize, route: &Route) -> f64 {
    let bits = scenario.actions[action].response.get() * 8.0;
    let entry = route.path.get(route.entry).and_then(|&t| scenario.tiers[t].link.as_ref());
    let slowest = [scenario.population.downlink.as_ref(), entry]
        .into_iter()
        .flatten()
        .map(|b| b.get())
        .fold(f64::INFINITY, f64::min);
    bits / slowest
}

fn merge_region(scenario: &Scenario, counted: &mut Counted, region: usize, part: RegionPart) {
    for tier in 0..scenario.tiers.len() {
        let place = model::place_of(scenario, tier, region);
        // A global tier was played once per region; the first one stands.
        if place == region || region == 0 {
            counted.stations[tier][place].clone_from(&part.stations[tier]);
        }
        counted.waits[tier].merge(&part.counted.waits[tier]);
        counted.sojourns[tier].merge(&part.counted.sojourns[tier]);
    }
    for action in 0..scenario.actions.len() {
        counted.failed[action][region].clone_from(&part.failed[action]);
        counted.first_byte[action].merge(&part.counted.first_byte[action]);
        counted.complete[action].merge(&part.counted.complete[action]);
        for (all, one) in
            counted.first_byte_slots[action].iter_mut().zip(&part.counted.first_byte_slots[action])
        {
            all.merge(one);
        }
    }
    counted.simulated_customers += part.counted.simulated_customers;
}
