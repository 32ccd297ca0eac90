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

mod caches;
mod queues;
mod setup;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::arrivals::DAY_S;

use crate::model;
use crate::outcome::{Counted, Outcome};
use crate::threads::parallel;
use queues::{Rates, RegionPart};
use setup::Setup;

/// Replications whose queues are played at the same time.
const REPLICATIONS_TOGETHER: usize = 4;
/// Slots of a day in the results.
const SLOTS: usize = 96;

/// How a sampled run is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub replications: u64,
    pub threads: usize,
    /// Days played before the one that counts, to fill the caches.
    pub warmup_days: u32,
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
    let counted =
        parallel(&jobs, plan.threads, stop, |&r| caches::play_caches(&setup, plan, r, &report, stop));
    let mut counted: Vec<Counted> = counted.into_iter().map(Option::flatten).collect::<Option<_>>()?;
    let rates = Rates::mean(scenario, &setup.flow, &counted);
    // A few replications at a time, so that the parts of all of them need not be held at once.
    for some in jobs.chunks(REPLICATIONS_TOGETHER) {
        let jobs: Vec<(u64, usize)> =
            some.iter().flat_map(|&r| (0..regions as usize).map(move |g| (r, g))).collect();
        let parts = parallel(&jobs, plan.threads, stop, |&(replication, region)| {
            let caches = &counted[replication as usize];
            let part = queues::play_queues(&setup, plan.seed, replication, region, &rates, caches, stop);
            report(epochs / regions);
            part
        });
        for ((replication, region), part) in jobs.into_iter().zip(parts) {
            merge_region(scenario, &mut counted[replication as usize], region, &part.flatten()?);
        }
    }
    let blocks = setup.blocks.iter().flatten().map(|b| b.block).max().unwrap_or(1);
    Some(Outcome {
        counted,
        slot_s: DAY_S / SLOTS as f64,
        slots: SLOTS,
        from_s: 0.0,
        mode: "sampled",
        objects_per_sample: blocks,
        notes: setup.notes(),
        simulated_servers: (0..scenario.tiers.len()).map(|_| queues::SERVERS_TOGETHER).collect(),
    })
}

fn merge_region(scenario: &Scenario, counted: &mut Counted, region: usize, part: &RegionPart) {
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
