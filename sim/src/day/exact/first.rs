//! What a cache holds when the day begins, by the formulas: every object with its probability, the longest unused first.
//!
//! Why memory goes from place to place: a cache of a large catalogue is a gigabyte, and to be given fresh pages of it costs
//! more than to write on them. So a thread that is done with one site's cache empties it for the next one's.

use std::sync::{Mutex, PoisonError};

use plimsoll_scenarios::TierId;
use plimsoll_scenarios::rng::Stream;

use super::super::mean_field::FirstContent;
use super::ranks;
use super::tables::{Asked, Tables};
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

    /// A cache as it is when the day begins; `None` where the formula stands for it all day.
    pub fn filled(
        &mut self,
        tables: &Tables<'_, '_>,
        asked: &Asked,
        (seed, name): (u64, &str),
    ) -> Option<Keeper> {
        let cache = tables.setup.scenario.tiers[asked.tier].cache.as_ref().filter(|_| !asked.mean_field)?;
        let (rules, capacity) = (Rules::of(cache), cache.capacity.get() as u64);
        if rules != Rules::NONE || cache.memory.is_some() {
            let mut fresh = Keeper::of(cache, asked.ids, asked.sizes.clone());
            let mut draws = Stream::new(seed, name, "first content", 0);
            first_content(tables, asked, rules, &mut draws).put_into(&mut fresh);
            return Some(fresh);
        }
        let used = self.caches.iter().position(|&(tier, _)| tier == asked.tier);
        let mut fresh = match used {
            Some(used) => self.caches.swap_remove(used).1,
            None => Cache::new(cache.policy, asked.ids, capacity, asked.sizes.clone()),
        };
        // Objects by their steps, and then the first place of every step.
        let mut places = vec![0_u32; AGES];
        self.held.clear();
        each_held(tables, asked, &mut Stream::new(seed, name, "first content", 0), |held| {
            for held in held {
                places[usize::from(held.step)] += 1;
            }
            self.held.extend_from_slice(held);
        });
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

/// Visits what the cache holds, chunk by chunk, by rank.
fn each_held(tables: &Tables<'_, '_>, asked: &Asked, draws: &mut Stream, mut visit: impl FnMut(&[Held])) {
    // The logarithm of an exponential time that comes with a chance.
    let wait = |i: usize| (-(-(i as f32 + 0.5) / CHANCES as f32).ln_1p()).log2();
    let waits: Vec<f32> = (0..=CHANCES).map(|i| wait(i.min(CHANCES - 1))).collect();
    let mut there = [(0_u32, 0.0_f32); CHUNK];
    let mut chunk = Vec::with_capacity(CHUNK);
    for (&(dataset, first_id), formula) in asked.datasets.iter().zip(&asked.formula) {
        let Some(law) = &tables.laws[dataset] else { continue };
        for (b, (&hit, &rate)) in formula.hit.iter().zip(&formula.rate).enumerate() {
            if hit <= 0.0 {
                continue;
            }
            // An object is there if its last request is recent enough; the same number says how long ago that was.
            let octave = OCTAVES_BELOW - rate.log2();
            let step = |chance: f32| {
                let age = (waits[(chance * CHANCES as f32) as usize] + octave) * AGES_PER_OCTAVE;
                (AGES - 1) as u16 - age.clamp(0.0, (AGES - 1) as f32) as u16
            };
            let (mut from, to) = (ranks::first(b), ranks::first(b + 1).min(law.count()));
            while from < to {
                let count = (to - from).min(CHUNK as u64) as usize;
                // Written whether it is there or not: nobody could guess which.
                let mut n = 0;
                for rank in from as u32..from as u32 + count as u32 {
                    let chance = draws.uniform() as f32;
                    there[n] = (first_id + rank, chance);
                    n += usize::from(chance < hit);
                }
                chunk.clear();
                chunk.extend(there[..n].iter().map(|&(id, chance)| Held { id, step: step(chance) }));
                visit(&chunk);
                from += count as u64;
            }
        }
    }
}
