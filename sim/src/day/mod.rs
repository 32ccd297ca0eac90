//! A full day at full population, sampled, for any tree of calls.
//!
//! Why sampling works here: in a large cache an object's fate depends on its own requests and on the
//! cache's characteristic time, not on any other object by name. So every `block`-th rank is played for all
//! objects of its block, with the block's mean popularity and the block's bytes: request masses are exact,
//! the characteristic time is kept, and a cache sees its full capacity. Queues are different, small pools
//! queue more, so of a large pool whole servers are played at their full rate.
//!
//! Data flows forward only: caches in epochs from the device inwards, then rates down the trees of calls, then
//! queues at these rates from the innermost tier outwards (a blocking tier holds its slot for what is behind),
//! then the latencies of whole requests along the trees. Caches of which there are very many alike (one per
//! user, one per server) are their mean field: a table of hit probabilities by block.

mod answers;
mod assemble;
mod blocks;
mod caches;
mod exact;
mod mean_field;
mod paths;
mod queues;
mod rates;
mod setup;
mod shards;
mod stations;
mod steps;
mod streams;
mod turnover;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::arrivals::DAY_S;

use crate::outcome::{Counted, Outcome};
use crate::threads::parallel;
use answers::Answers;
pub use exact::TooLarge;
use queues::{Fixed, Part};
use rates::Rates;
use setup::Setup;
pub use setup::WITHOUT_EVENTS;

/// Replications whose queues are played at the same time.
const REPLICATIONS_TOGETHER: usize = 4;
/// Slots of a day in the results.
pub const SLOTS: usize = 96;
/// How long each is, seconds.
pub const SLOT_S: f64 = DAY_S / SLOTS as f64;

/// Some of the slots of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlotSet(u128);

impl SlotSet {
    /// Adds the slots from one to before another.
    pub fn add(&mut self, slots: std::ops::Range<usize>) {
        slots.for_each(|slot| self.0 |= 1 << slot);
    }

    #[must_use]
    pub const fn has(self, slot: usize) -> bool {
        self.0 >> slot & 1 == 1
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// How a sampled run is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub replications: u64,
    pub threads: usize,
    /// Days played before the one that counts, to fill the caches.
    pub warmup_days: u32,
    /// Slots that something else will play: what is outside of them is handed over beside the whole.
    pub aside: SlotSet,
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
    let epochs = (SLOTS * caches::EPOCHS_PER_SLOT) as u64 * u64::from(plan.warmup_days + 1);
    let regions = scenario.population.regions.len() as u64;
    // Caches take about as long as queues and paths together.
    let steps = 2 * epochs * plan.replications;
    let report = |n: u64| {
        let so_far = done.fetch_add(n, Ordering::Relaxed) + n;
        progress(so_far as f64 / steps as f64);
    };
    let jobs: Vec<u64> = (0..plan.replications).collect();
    let answers =
        parallel(&jobs, plan.threads, stop, |&r| caches::play_caches(&setup, plan, r, &report, stop));
    let answers: Vec<Answers> = answers.into_iter().map(Option::flatten).collect::<Option<_>>()?;
    let share_done = |_: f64| report(epochs / regions);
    let blocks = setup.blocks.iter().flatten().map(|b| b.block).max().unwrap_or(1);
    let mut outcome = queues_and_paths(&setup, &answers, plan, &share_done, stop)?;
    outcome.objects_per_sample = blocks;
    outcome.notes.extend(setup.thinning_notes());
    Some(outcome)
}

/// Queues at the rates that answers of caches leave, and the latencies of whole requests. `progress` hears a share
/// that was done.
fn queues_and_paths(
    setup: &Setup<'_>,
    answers: &[Answers],
    plan: Plan,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Option<Outcome> {
    let scenario = setup.scenario;
    let regions = scenario.population.regions.len();
    let jobs: Vec<u64> = (0..plan.replications).collect();
    let rates: Vec<Counted> = answers.iter().map(|a| rates::count(setup, a)).collect();
    let fixed = Fixed::new(setup, Rates::mean(setup, &rates));
    let mut counted = Vec::new();
    let mut hot_peak = BTreeMap::new();
    // A few replications at a time, so that the parts of all of them need not be held at once.
    for some in jobs.chunks(REPLICATIONS_TOGETHER) {
        let everywhere = parallel(some, plan.threads, stop, |&r| {
            queues::play_place(&fixed, &rates[r as usize], (plan.seed, r), None, None, stop)
        });
        let everywhere: Vec<Part> = everywhere.into_iter().map(Option::flatten).collect::<Option<_>>()?;
        let places: Vec<(usize, usize)> =
            (0..some.len()).flat_map(|i| (0..regions).map(move |g| (i, g))).collect();
        let parts = parallel(&places, plan.threads, stop, |&(i, region)| {
            let r = some[i];
            let global = Some(&everywhere[i]);
            let part =
                queues::play_place(&fixed, &rates[r as usize], (plan.seed, r), Some(region), global, stop);
            progress(1.0 / (regions * plan.replications as usize) as f64);
            part
        });
        let parts: Vec<Part> = parts.into_iter().map(Option::flatten).collect::<Option<_>>()?;
        for (&tier, &peak) in everywhere.iter().chain(&parts).flat_map(|part| &part.hot_peak) {
            let highest: &mut f64 = hot_peak.entry(tier).or_default();
            *highest = highest.max(peak);
        }
        let whole: Vec<usize> = (0..some.len()).collect();
        let assembled = parallel(&whole, plan.threads, stop, |&i| {
            let regions = &parts[i * regions..(i + 1) * regions];
            assemble::assemble(setup, &answers[some[i] as usize], &everywhere[i], regions, plan.aside)
        });
        counted.extend(assembled.into_iter().collect::<Option<Vec<_>>>()?);
    }
    let mut notes = setup.notes();
    notes.extend(assemble::shard_notes(setup, &hot_peak));
    Some(Outcome {
        counted,
        slot_s: SLOT_S,
        slots: SLOTS,
        from_s: 0.0,
        mode: "sampled",
        objects_per_sample: 1,
        notes,
        simulated_servers: (0..scenario.tiers.len()).map(|_| stations::SERVERS_TOGETHER).collect(),
        stretches: Vec::new(),
    })
}

/// Plays every request of the day through the caches, unsampled, and the rest as [`play`] does. `stop` ends the
/// caches early: what was played until then counts, and the second value is false.
pub fn play_exact(
    scenario: &Scenario,
    plan: Plan,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Result<Option<(Outcome, bool)>, TooLarge> {
    let setup = Setup::new(scenario);
    let exact = exact::play(&setup, plan, progress, stop)?;
    let whole = exact.share >= 1.0;
    let mut notes = exact.notes();
    let exact::Exact { answers, played, .. } = exact;
    if played == 0 && !whole {
        return Ok(None);
    }
    // The caches' day has no noise to speak of; queues and paths are replicated as ever.
    let same: Vec<Answers> = vec![answers; plan.replications as usize];
    let never = AtomicBool::new(false);
    let outcome = queues_and_paths(&setup, &same, plan, &|_| (), &never);
    Ok(outcome.map(|mut outcome| {
        outcome.mode = "every request through caches, sampled queues";
        notes.append(&mut outcome.notes);
        outcome.notes = notes;
        for (i, counted) in outcome.counted.iter_mut().enumerate() {
            counted.simulated_requests = if i == 0 { played } else { 0 };
        }
        (outcome, whole)
    }))
}
