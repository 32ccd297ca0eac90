//! What a cache holds when the day begins, by the formulas: every object with its probability, the longest unused first.
//!
//! Why memory goes from place to place: a cache of a large catalogue is a gigabyte, and to be given fresh pages of it costs
//! more than to write on them. So a thread that is done with one site's cache empties it for the next one's.

use std::sync::{Mutex, PoisonError};

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{DatasetId, TierId};

use super::super::mean_field::FirstContent;
use super::ranks;
use super::tables::{Asked, Tables};
use crate::analytic::caches::Approximation;
use crate::cache::{Cache, Keeper, Rules};

/// Steps of the logarithm of an age by which objects are put in order.
const AGES: usize = 1 << 16;
const AGES_PER_OCTAVE: f32 = 1024.0;
/// Octaves of ages that are told apart below one second.
const OCTAVES_BELOW: f32 = 24.0;
/// Steps of a chance by which an age is looked up.
const CHANCES: usize = 1 << 14;
/// Ranks that are looked at together.
const CHUNK: usize = 2048;
/// Times of a characteristic time for which misses before a cache are looked for, so that it is full.
const SPARE: f64 = 1.5;
/// Misses within that time below which there are none.
const SELDOM: f32 = 1e-5;

/// Memory that a thread uses for one place after the other.
#[derive(Default)]
pub(super) struct Workspace {
    /// Caches of the place before, empty.
    caches: Vec<(TierId, Cache)>,
    held: Vec<Held>,
}

/// An object that is there, and its place in the order of ages: 0 is the oldest.
#[derive(Clone, Copy)]
struct Held {
    id: u32,
    step: u16,
}

/// Workspaces of threads that have none at the moment.
#[derive(Default)]
pub(super) struct Workspaces(Mutex<Vec<Workspace>>);

impl Workspaces {
    /// Lends a workspace. What is in it makes no difference to results.
    pub fn with<T>(&self, work: impl FnOnce(&mut Workspace) -> T) -> T {
        // Poisoning needs a panic within a push or pop.
        let unused = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut workspace = unused().pop().unwrap_or_default();
        let result = work(&mut workspace);
        unused().push(workspace);
        result
    }
}

impl Workspace {
    /// Takes a cache back that a place no longer needs; one with rules or on disk goes.
    pub fn keep(&mut self, tier: TierId, cache: Option<Keeper>) {
        if let Some(Keeper::Plain(cache)) = cache {
            self.caches.extend(cache.emptied().map(|empty| (tier, empty)));
        }
    }

    /// Gives up caches of tiers that the next place does not have.
    pub fn keep_only(&mut self, needed: impl Fn(TierId) -> bool) {
        self.caches.retain(|&(tier, _)| needed(tier));
    }

    /// A cache as it is when the day begins; `None` where the formula stands for it all day. `before` are those that ask it
    /// for what they miss.
    pub fn filled(
        &mut self,
        tables: &Tables<'_, '_>,
        asked: &Asked,
        (seed, name): (u64, &str),
        before: Option<&Before<'_>>,
    ) -> Option<Keeper> {
        let cache = tables.setup.scenario.tiers[asked.tier].cache.as_ref().filter(|_| !asked.mean_field)?;
        let (rules, capacity) = (Rules::of(cache), cache.capacity.get() as u64);
        if rules != Rules::NONE || cache.memory.is_some() {
            let mut fresh = Keeper::of(cache, asked.ids, asked.sizes.clone());
            let mut draws = Stream::new(seed, name, "first content", 0);
            first_content(tables, asked, rules, &mut draws).put_into(&mut fresh);
            return Some(fresh);
        }
        let joint = before.and_then(|before| before.held(tables, asked, seed));
        let used = self.caches.iter().position(|&(tier, _)| tier == asked.tier);
        let mut fresh = match used {
            Some(used) => self.caches.swap_remove(used).1,
            None => Cache::new(cache.policy, asked.ids, capacity, asked.sizes.clone()),
        };
        // Objects by their steps, and then the first place of every step.
        let mut places = vec![0_u32; AGES];
        self.held.clear();
        if let Some(held) = joint {
            held.for_each(|held| self.held.push(held));
        } else {
            let mut draws = Stream::new(seed, name, "first content", 0);
            let ages = Ages::new();
            each_drawn(
                tables,
                asked,
                &mut draws,
                |hit, _| hit,
                |bucket, drawn| {
                    let octave = OCTAVES_BELOW - bucket.rate.log2();
                    let held = |&(id, chance): &(u32, f32)| Held { id, step: ages.step(chance, octave) };
                    self.held.extend(drawn.iter().map(held));
                },
            );
        }
        for held in &self.held {
            places[usize::from(held.step)] += 1;
        }
        let mut sum = 0;
        for place in &mut places {
            sum += std::mem::replace(place, sum);
        }
        fresh.fill(self.held.iter().map(|held| {
            let place = &mut places[usize::from(held.step)];
            *place += 1;
            (held.id, *place - 1)
        }));
        Some(Keeper::Plain(fresh))
    }
}

/// What a cache with rules holds: also how old what it has is, and what its history has.
fn first_content(tables: &Tables<'_, '_>, asked: &Asked, rules: Rules, draws: &mut Stream) -> FirstContent {
    let mut first = FirstContent::default();
    for (&(dataset, first_id), formula) in asked.datasets.iter().zip(&asked.formula) {
        let Some(law) = &tables.laws[dataset] else { continue };
        for (b, (&rate, standing)) in formula.rate.iter().zip(&formula.standing).enumerate() {
            let hit = standing.recent as f32;
            if hit <= 0.0 {
                continue;
            }
            for rank in ranks::first(b)..ranks::first(b + 1).min(law.count()) {
                first.draw((first_id + rank as u32, rate, hit), Some(standing), rules, draws);
            }
        }
    }
    first
}

/// Steps of ages by the chances with which they come.
struct Ages {
    /// The logarithm of an exponential time, by its chance.
    waits: Vec<f32>,
}

impl Ages {
    fn new() -> Self {
        let wait = |i: usize| (-(-(i as f32 + 0.5) / CHANCES as f32).ln_1p()).log2();
        Self { waits: (0..=CHANCES).map(|i| wait(i.min(CHANCES - 1))).collect() }
    }

    fn step(&self, chance: f32, octave: f32) -> u16 {
        step(self.waits[(chance * CHANCES as f32) as usize] + octave)
    }
}

/// The place of an age in the order of ages, by its logarithm above the least that is told.
fn step(octaves: f32) -> u16 {
    (AGES - 1) as u16 - (octaves * AGES_PER_OCTAVE).clamp(0.0, (AGES - 1) as f32) as u16
}

/// What the formula says of objects of neighbouring ranks.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    hit: f32,
    rate: f32,
    /// Position of the dataset among those that the cache is asked for.
    of: usize,
}

/// Draws for every object the chance that says how long ago it was asked for, and visits those whose chance is below what
/// `reach` makes of hit probability and rate, chunk by chunk, by rank.
fn each_drawn(
    tables: &Tables<'_, '_>,
    asked: &Asked,
    draws: &mut Stream,
    reach: impl Fn(f32, f32) -> f32,
    mut visit: impl FnMut(Bucket, &[(u32, f32)]),
) {
    let mut there = [(0_u32, 0.0_f32); CHUNK];
    for (of, (&(dataset, first_id), formula)) in asked.datasets.iter().zip(&asked.formula).enumerate() {
        let Some(law) = &tables.laws[dataset] else { continue };
        for (b, (&hit, &rate)) in formula.hit.iter().zip(&formula.rate).enumerate() {
            if hit <= 0.0 {
                continue;
            }
            let below = reach(hit, rate);
            let (mut from, to) = (ranks::first(b), ranks::first(b + 1).min(law.count()));
            while from < to {
                let count = (to - from).min(CHUNK as u64) as usize;
                // Written whether it is visited or not: nobody could guess which.
                let mut n = 0;
                for rank in from as u32..from as u32 + count as u32 {
                    let chance = draws.uniform() as f32;
                    there[n] = (first_id + rank, chance);
                    n += usize::from(chance < below);
                }
                visit(Bucket { hit, rate, of }, &there[..n]);
                from += count as u64;
            }
        }
    }
}

/// The caches that ask one for what they miss.
///
/// Why from what those hold: who has not asked for an object for long has not missed it either. Drawn by itself, a cache
/// would have more of what is missed in the day's first hours than in all others.
pub(super) struct Before<'t> {
    asked: &'t Asked,
    /// The names under which each is filled.
    names: Vec<String>,
    /// The characteristic time behind them, in the time of their rates.
    time: f64,
}

impl<'t> Before<'t> {
    /// Those of a tier behind which a cache is solved; `names` has a name for each that stands before this one.
    pub fn of(
        tables: &'t Tables<'_, '_>,
        asked: &Asked,
        names: impl FnOnce(&Asked) -> Vec<String>,
    ) -> Option<Self> {
        let chain = &tables.setup.chain;
        let Approximation::Behind(law) = chain.caches[asked.tier]? else { return None };
        let behind = &chain.behind[asked.tier];
        let tier = *behind.values().next()?;
        let before =
            tables.asked.iter().find(|a| a.tier == tier && a.level < asked.level && !a.mean_field)?;
        let known = |d: &DatasetId| before.datasets.iter().any(|(other, _)| other == d);
        let all = asked.datasets.iter().all(|(d, _)| behind.contains_key(d) && known(d));
        if !all || law.time == f64::INFINITY {
            return None;
        }
        let names = names(before);
        // Behind fewer than usual it takes as much longer until a cache is full, and what is too old finds no room.
        let time = law.time_before() * (law.number() / names.len() as f64).max(1.0) * SPARE;
        Some(Self { asked: before, names, time })
    }

    /// What the cache behind holds: what one of these has missed within the characteristic time, by the latest miss.
    fn held(
        &self,
        tables: &Tables<'_, '_>,
        behind: &Asked,
        seed: u64,
    ) -> Option<impl Iterator<Item = Held> + use<>> {
        let first_id = |asked: &Asked, dataset: DatasetId| {
            asked.datasets.iter().find(|(d, _)| *d == dataset).map(|(_, first)| *first)
        };
        let ids: Option<Vec<(u32, u32)>> =
            self.asked.datasets.iter().map(|&(d, first)| Some((first, first_id(behind, d)?))).collect();
        let ids = ids?;
        // By object the step of the latest miss and one; nothing for what is not there.
        let mut latest = vec![0_u16; behind.ids as usize];
        let time = self.time as f32;
        for name in &self.names {
            let mut draws = Stream::new(seed, name, "first content", 0);
            let mut back = Stream::new(seed, name, "misses before", 0);
            // Of what is asked for all the time next to nothing is missed.
            let reach = |hit: f32, rate: f32| {
                if (1.0 - hit) * rate * time < SELDOM { 0.0 } else { -(-rate * time).exp_m1() }
            };
            each_drawn(tables, self.asked, &mut draws, reach, |bucket, drawn| {
                let (from, to) = ids[bucket.of];
                for &(id, chance) in drawn {
                    if let Some(age) = missed(chance, bucket, time, &mut back) {
                        let place = &mut latest[(id - from + to) as usize];
                        *place = (*place).max(step(age.log2() + OCTAVES_BELOW).saturating_add(1));
                    }
                }
            });
        }
        let held = |(id, latest): (usize, u16)| {
            let step = latest.checked_sub(1)?;
            Some(Held { id: id as u32, step })
        };
        Some(latest.into_iter().enumerate().filter_map(held))
    }
}

/// How long ago an object was missed that was last asked for as long ago as a chance says: each request was a miss if none
/// had come within the characteristic time before it, which is the probability that the cache does not hold it.
fn missed(chance: f32, Bucket { hit, rate, .. }: Bucket, time: f32, back: &mut Stream) -> Option<f32> {
    let wait = |chance: f32| -(-chance).ln_1p() / rate;
    let mut age = wait(chance);
    while age < time {
        let past = back.uniform() as f32;
        if past >= hit {
            return Some(age);
        }
        // As likely as it is below `hit`, it says how long before the one before was.
        age += wait(past);
    }
    None
}
