//! One place's whole day: a site's caches, a region's, or those that are one for all.

use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::DatasetId;
use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::rng::Stream;

use super::super::SLOTS;
use super::super::caches::EPOCHS_PER_SLOT;
use super::super::mean_field;
use super::super::turnover::Turnover;
use super::EPOCHS;
use super::first::{Before, Workspace};
use super::ranks::{bucket, poisson};
use super::tables::{Asked, Tables, left};
use crate::analytic::caches::spoils;
use crate::cache::Keeper;

/// Parts of an epoch: what comes from several places and sources is mixed part by part.
pub(super) const PARTS: u64 = 64;

/// Which caches a place has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Site,
    Region,
    Global,
}

/// A part of the day that is played by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub level: Level,
    pub region: usize,
    pub site: usize,
    /// The datasets that meet in its caches.
    pub group: usize,
}

/// What a place sends on: by epoch and call, ids of objects in their order.
pub(super) struct Misses {
    group: usize,
    /// Calls that go on, and by epoch the ids for each.
    nodes: Vec<usize>,
    by_epoch: Vec<Vec<Vec<u32>>>,
}

/// What a place did.
pub(super) struct Played {
    pub misses: Misses,
    /// Requests that began here.
    pub own: u64,
    /// By call, then slot.
    tallies: Vec<(usize, Vec<Counts>)>,
}

impl Played {
    /// Call, slot, and what was counted.
    pub fn counts(&self) -> impl Iterator<Item = (usize, usize, Counts)> + '_ {
        let of = |(node, slots): &'_ (usize, Vec<Counts>)| {
            let node = *node;
            slots.clone().into_iter().enumerate().map(move |(slot, counts)| (node, slot, counts))
        };
        self.tallies.iter().flat_map(of)
    }
}

/// A cache at work, with the calls that it is asked by.
struct Here<'t> {
    asked: &'t Asked,
    /// `None` where the formula stands for it.
    cache: Option<Keeper>,
    nodes: Vec<Asking>,
}

/// A call that a cache is asked by.
struct Asking {
    node: usize,
    /// First id of its dataset in the cache.
    first: u32,
    /// Which of the cache's datasets it asks for.
    of: usize,
    /// It makes objects stale, and asks for none.
    spoils: bool,
    pending: Vec<u32>,
    slots: Vec<Counts>,
}

/// What a call's lookups came to in a slot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub lookups: u64,
    pub hits: u64,
    /// Where a part of the cache is on disk: hits of memory, and misses that were kept.
    pub in_memory: u64,
    pub kept: u64,
}

struct Play<'t, 's, 'a> {
    tables: &'t Tables<'s, 'a>,
    here: Vec<Here<'t>>,
    /// By call: where its ids wait, as cache and call of it, or as a call that goes on.
    at: Vec<At>,
    on: Vec<usize>,
    out: Vec<Vec<u32>>,
    coins: Stream,
    ids: Vec<u32>,
    hits: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum At {
    Nowhere,
    Here(usize, usize),
    Out(usize),
}

/// Plays a place's day; `None` where it was stopped. `before` are the misses of the places before it.
pub(super) fn play(
    tables: &Tables<'_, '_>,
    place: Place,
    before: &[Misses],
    (seed, workspace): (u64, &mut Workspace),
    report: &impl Fn(u64),
    stop: &AtomicBool,
) -> Option<Played> {
    let before: Vec<&Misses> = before.iter().filter(|m| m.group == place.group).collect();
    let mut play = Play::new(tables, place, seed, workspace);
    let group = &tables.groups[place.group];
    let mut sources: Vec<Drawing> = Vec::new();
    for (i, own) in tables.own.iter().enumerate() {
        if own.level == place.level && group.contains(&own.source.dataset) {
            let name = name(tables, place, &format!("source {i}"));
            sources.push(Drawing { index: i, draws: Stream::new(seed, &name, "exact", 0), left: 0 });
        }
    }
    let mut turnover: Vec<Option<Turnover>> =
        (0..tables.laws.len()).map(|d| turnover(tables, group, d, seed)).collect();
    let mut own = 0;
    let mut by_epoch = Vec::with_capacity(EPOCHS);
    let epoch_s = DAY_S / EPOCHS as f64;
    for epoch in 0..EPOCHS {
        turnover.iter_mut().flatten().for_each(|t| t.pass(epoch_s));
        let from = epoch as f64 * epoch_s;
        for source in &mut sources {
            let drawn = &tables.own[source.index];
            let above = drawn.source.above.iter();
            let passes: f64 = above.map(|&n| 1.0 - tables.setup.chain.hits[n]).product();
            let mean = tables.mean(drawn, place, from, from + epoch_s, passes);
            source.left = poisson(mean, &mut source.draws);
        }
        let begun: u64 = sources.iter().filter(|s| !tables.own[s.index].write).map(|s| s.left).sum();
        for part in 0..PARTS {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            for misses in &before {
                play.take(misses, epoch, part);
            }
            for source in &mut sources {
                play.draw(source, part, &turnover);
            }
            play.pass(epoch / EPOCHS_PER_SLOT, from + part as f64 * epoch_s / PARTS as f64);
        }
        own += begun;
        report(begun);
        let mut out = std::mem::replace(&mut play.out, vec![Vec::new(); play.on.len()]);
        out.iter_mut().for_each(Vec::shrink_to_fit);
        by_epoch.push(out);
    }
    let mut tallies = Vec::new();
    for here in play.here {
        let asking = here.nodes.into_iter().filter(|asking| !asking.spoils);
        tallies.extend(asking.map(|asking| (asking.node, asking.slots)));
        workspace.keep(here.asked.tier, here.cache);
    }
    let misses = Misses { group: place.group, nodes: play.on, by_epoch };
    Some(Played { misses, own, tallies })
}

/// A source's draws in a place, and what is left of the epoch's.
struct Drawing {
    index: usize,
    draws: Stream,
    left: u64,
}

fn name(tables: &Tables<'_, '_>, place: Place, what: &str) -> String {
    let region = &tables.setup.scenario.population.regions[place.region].name;
    format!("{:?}/{region}/{}/{}/{what}", place.level, place.site, place.group)
}

/// The places of an outer level whose misses come to a place.
fn outwards(tables: &Tables<'_, '_>, place: Place, level: Level) -> impl Iterator<Item = Place> {
    let regions = tables.setup.scenario.population.regions.iter().enumerate();
    let here = regions.filter(move |(region, _)| place.level == Level::Global || *region == place.region);
    here.flat_map(move |(region, r)| {
        let sites = if level == Level::Site { r.sites as usize } else { 1 };
        (0..sites).map(move |site| Place { level, region, site, ..place })
    })
}

fn turnover(tables: &Tables<'_, '_>, group: &[DatasetId], dataset: DatasetId, seed: u64) -> Option<Turnover> {
    let law = tables.laws[dataset].as_ref().filter(|_| group.contains(&dataset))?;
    let churn = tables.setup.scenario.datasets[dataset].churn_per_day.get();
    Turnover::new(0, law.count() as u32, tables.spare(dataset), churn / DAY_S, (seed, 0), dataset)
}

impl<'t, 's, 'a> Play<'t, 's, 'a> {
    fn new(tables: &'t Tables<'s, 'a>, place: Place, seed: u64, workspace: &mut Workspace) -> Self {
        let setup = tables.setup;
        let group = &tables.groups[place.group];
        workspace.keep_only(|tier| tables.asked.iter().any(|a| a.tier == tier && a.level == place.level));
        let mut at = vec![At::Nowhere; setup.flow.nodes.len()];
        let (mut here, mut on) = (Vec::new(), Vec::new());
        for asked in &tables.asked {
            let mut nodes = Vec::new();
            for node in setup.flow.at(asked.tier) {
                let call = setup.flow.nodes[node].call;
                let (dataset, spoils) = (call.of, spoils(setup.scenario, call));
                if !spoils && !setup.played(node) {
                    continue;
                }
                let known = asked.datasets.iter().position(|&(d, _)| Some(d) == dataset);
                let Some(of) = known.filter(|_| dataset.is_some_and(|d| group.contains(&d))) else {
                    continue;
                };
                if asked.level == place.level {
                    at[node] = At::Here(here.len(), nodes.len());
                    let first = asked.datasets[of].1;
                    let slots = vec![Counts::default(); SLOTS];
                    nodes.push(Asking { node, first, of, spoils, pending: Vec::new(), slots });
                } else if asked.level > place.level {
                    at[node] = At::Out(on.len());
                    on.push(node);
                }
            }
            if asked.level == place.level && !nodes.is_empty() {
                let before = Before::of(tables, asked, |before| {
                    let of = |place| name(tables, place, setup.scenario.tier_name(before.tier));
                    outwards(tables, place, before.level).map(of).collect()
                });
                let name = name(tables, place, setup.scenario.tier_name(asked.tier));
                let cache = workspace.filled(tables, asked, (seed, &name), before.as_ref());
                here.push(Here { asked, cache, nodes });
            }
        }
        let out = vec![Vec::new(); on.len()];
        let coins = Stream::new(seed, &name(tables, place, "coins"), "exact", 0);
        Self { tables, here, at, on, out, coins, ids: Vec::new(), hits: Vec::new() }
    }

    /// Takes a part of an epoch's misses of a place before.
    fn take(&mut self, misses: &Misses, epoch: usize, part: u64) {
        for (i, &node) in misses.nodes.iter().enumerate() {
            let ids = &misses.by_epoch[epoch][i];
            let cut = |p: u64| (ids.len() as u64 * p / PARTS) as usize;
            let ids = &ids[cut(part)..cut(part + 1)];
            match self.at[node] {
                At::Here(cache, call) => self.here[cache].nodes[call].pending.extend_from_slice(ids),
                At::Out(to) => self.out[to].extend_from_slice(ids),
                At::Nowhere => {}
            }
        }
    }

    /// Draws a part of an epoch's requests of a source.
    fn draw(&mut self, drawing: &mut Drawing, part: u64, turnover: &[Option<Turnover>]) {
        let own = &self.tables.own[drawing.index];
        let n = drawing.left / (PARTS - part);
        drawing.left -= n;
        let source = own.source;
        let rest = |p: f64| left(source, p);
        let mut ids = std::mem::take(&mut self.ids);
        ids.clear();
        own.draws.draw(n, &mut drawing.draws, &rest, &mut ids);
        if let Some(turnover) = &turnover[source.dataset] {
            for id in &mut ids {
                *id = turnover.alive(*id);
            }
        }
        self.send(&source.entries, &ids);
        self.ids = ids;
    }

    /// Sends ids on to lookups, as many of each as said, in the mean.
    fn send(&mut self, to: &[(usize, f64)], ids: &[u32]) {
        for &(node, number) in to {
            let into = match self.at[node] {
                At::Here(cache, call) => &mut self.here[cache].nodes[call].pending,
                At::Out(to) => &mut self.out[to],
                At::Nowhere => continue,
            };
            let (whole, part) = (number as usize, number.fract());
            for _ in 0..whole {
                into.extend_from_slice(ids);
            }
            if part > 0.0 {
                into.extend(ids.iter().copied().filter(|_| self.coins.uniform() < part));
            }
        }
    }

    /// Plays what waits at every cache, callers first. All of a part of an epoch is at one time: objects are as old as
    /// that.
    fn pass(&mut self, slot: usize, now_s: f64) {
        for cache in 0..self.here.len() {
            for call in 0..self.here[cache].nodes.len() {
                let mut pending = std::mem::take(&mut self.here[cache].nodes[call].pending);
                self.hits.clear();
                if self.here[cache].nodes[call].spoils {
                    self.spoil(cache, call, &mut pending);
                    continue;
                }
                let (in_memory, kept) = self.look_up(cache, call, &mut pending, now_s);
                let here = &mut self.here[cache].nodes[call];
                let counts = &mut here.slots[slot];
                counts.lookups += pending.len() as u64;
                counts.hits += self.hits.iter().map(|&hit| u64::from(hit)).sum::<u64>();
                (counts.in_memory, counts.kept) = (counts.in_memory + in_memory, counts.kept + kept);
                let node = here.node;
                let next = &self.tables.setup.next[node];
                if !next.is_empty() {
                    let mut missed = std::mem::take(&mut self.ids);
                    missed.clear();
                    missed
                        .extend(pending.iter().zip(&self.hits).filter(|(_, hit)| !**hit).map(|(id, _)| *id));
                    self.send(next, &missed);
                    self.ids = missed;
                }
                pending.clear();
                self.here[cache].nodes[call].pending = pending;
            }
        }
    }

    /// Objects are written.
    fn spoil(&mut self, cache: usize, call: usize, pending: &mut Vec<u32>) {
        let here = &mut self.here[cache];
        let first = here.nodes[call].first;
        if let Some(cache) = &mut here.cache {
            for id in pending.iter() {
                cache.write(id + first);
            }
        }
        pending.clear();
        std::mem::swap(&mut here.nodes[call].pending, pending);
    }

    /// Looks ids up; whether each was a hit is in `hits` then. Returns hits of memory and misses that were kept, where a
    /// part of the cache is on disk.
    fn look_up(&mut self, cache: usize, call: usize, pending: &mut [u32], now_s: f64) -> (u64, u64) {
        let here = &mut self.here[cache];
        let first = here.nodes[call].first;
        if let Some(cache) = &mut here.cache {
            if first == 0 {
                return request_batch(cache, pending, now_s, &mut self.hits);
            }
            for id in pending.iter_mut() {
                *id += first;
            }
            let sums = request_batch(cache, pending, now_s, &mut self.hits);
            for id in pending.iter_mut() {
                *id -= first;
            }
            return sums;
        }
        let formula = &here.asked.formula[here.nodes[call].of];
        let count = formula.hit.len();
        let coins = &mut self.coins;
        self.hits.extend(pending.iter().map(|&id| {
            let chance = formula.hit[bucket(u64::from(id)).min(count - 1)];
            coins.uniform() < f64::from(chance)
        }));
        if formula.in_memory.is_empty() {
            return (0, 0);
        }
        self.levels_by_formula((cache, call), pending)
    }

    /// Of what the formula made hits, those of memory, and of its misses those that were kept.
    fn levels_by_formula(&mut self, (cache, call): (usize, usize), pending: &[u32]) -> (u64, u64) {
        let here = &self.here[cache];
        let formula = &here.asked.formula[here.nodes[call].of];
        let kept_share = mean_field::kept_of_missed(self.tables.setup, here.nodes[call].node);
        let count = formula.hit.len();
        let (mut in_memory, mut kept) = (0, 0);
        for (&id, &hit) in pending.iter().zip(&self.hits) {
            let at = bucket(u64::from(id)).min(count - 1);
            let of = if hit { f64::from(formula.in_memory[at] / formula.hit[at]) } else { kept_share };
            let so = u64::from(of >= 1.0 || self.coins.uniform() < of);
            *(if hit { &mut in_memory } else { &mut kept }) += so;
        }
        (in_memory, kept)
    }
}

/// Requests of a batch in order, and where those of a cache in memory and on disk found their objects.
fn request_batch(cache: &mut Keeper, ids: &[u32], now_s: f64, hits: &mut Vec<bool>) -> (u64, u64) {
    if let Keeper::Levels(levels) = cache {
        let sums = levels.request_all(ids, now_s, hits);
        return (sums.in_memory, sums.kept);
    }
    cache.request_batch(ids, now_s, hits);
    (0, 0)
}
