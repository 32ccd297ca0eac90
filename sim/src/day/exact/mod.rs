//! Every request of the day, unsampled, through every cache.
//!
//! Why places one after the other and not one clock for all: a cache sees only what its own users ask for and what
//! the caches before it miss. So a site's whole day is played on its own, and its misses are kept, epoch by epoch,
//! for the region; then the region's, and then what is one for all. At any time there are as many sites in memory
//! as threads, and the misses of the regions under way: memory does not grow with the users' requests that hit.
//!
//! What is a mean field here: the device (a billion caches of some hundred objects each; its hits are a number
//! drawn by formula, what it leaves is played) and caches that every server has of its own. All else is exact: every
//! request draws an object of the whole catalogue and meets the cache's real policy at its real size.

mod first;
mod place;
mod ranks;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plimsoll_reports::format::human;
use plimsoll_reports::record::Unit;
use plimsoll_scenarios::arrivals::DAY_S;

use super::answers::Answers;
use super::setup::Setup;
use super::{Plan, SLOTS};
use crate::model;
use crate::threads::parallel;
use first::Workspaces;
use place::{Level, Misses, Place, Played};
use tables::Tables;

/// Epochs of a slot, as of a sampled day.
const EPOCHS: usize = SLOTS * super::caches::EPOCHS_PER_SLOT;

/// Why a scenario cannot be played exactly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    #[error(
        "{tier} is asked for {objects} different objects, more than an exact day can number\nhint: leave `--exact` away, or shrink the catalogue with `--set`"
    )]
    Objects { tier: String, objects: u64 },
    #[error(
        "an exact day of {scenario} would take about {gigabytes} GB of memory, more than {most} GB\nhint: leave `--exact` away, or shrink the catalogue with `--set`"
    )]
    Memory { scenario: String, gigabytes: u64, most: u64 },
}

/// What a day of every request gave: answers by call, what was played, and whether all of it was.
pub(super) struct Exact {
    pub answers: Answers,
    /// Requests that left devices and met caches.
    pub played: u64,
    /// Requests that devices answered.
    pub local: u64,
    pub share: f64,
    /// At what grain objects grow old, where some cache has a time to live.
    grain: Option<String>,
}

impl Exact {
    /// What is exact, and what is not.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "of the day's requests for objects devices answered {} (by their mean field), and {} were drawn and played through caches one by one, from the full catalogue",
            human(self.local as f64, Unit::Count),
            human(self.played as f64, Unit::Count)
        )];
        notes.push(
            "every cache begins the day with what the formulas say it holds; queues and latencies are sampled"
                .to_owned(),
        );
        if let Some(note) = &self.grain {
            notes.push(note.clone());
        }
        if self.share < 1.0 {
            notes.push(format!(
                "stopped after {:.0} % of the requests: caches that were not reached are by formula",
                self.share * 100.0
            ));
        }
        notes
    }
}

/// Plays every request of a day. A raised `stop` ends it; what was finished counts.
pub(super) fn play(
    setup: &Setup<'_>,
    plan: Plan,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Result<Exact, TooLarge> {
    let tables = Tables::of(setup)?;
    tables.fits(plan.threads)?;
    let done = AtomicU64::new(0);
    let all = tables.expected.max(1.0);
    let report = |n: u64| progress(((done.fetch_add(n, Ordering::Relaxed) + n) as f64 / all).min(1.0));
    let regions = setup.scenario.population.regions.len();
    let mut exact = Exact {
        answers: Answers::empty(setup),
        played: 0,
        local: tables.local,
        share: 0.0,
        grain: grain(setup),
    };
    for own in tables.own.iter().filter(|own| own.source.device.is_some()) {
        exact.answers.set_device(own.source.node, 1.0 - own.draws.left);
    }
    let mut waiting: Vec<Option<Vec<Misses>>> = (0..regions).map(|_| None).collect();
    let mut global: Vec<Misses> = Vec::new();
    let workspaces = Workspaces::default();
    let play = |job: &Place, before: &[Misses]| {
        workspaces.with(|w| place::play(&tables, *job, before, (plan.seed, w), &report, stop))
    };
    // Region by region, so that the misses of few are in memory; a region's own caches beside the next one's sites.
    for step in 0..=regions {
        let mut jobs: Vec<Place> = Vec::new();
        if let Some(before) = step.checked_sub(1) {
            jobs.extend(tables.places(Level::Region, before, 0));
        }
        if step < regions {
            let sites = setup.scenario.population.regions[step].sites as usize;
            jobs.extend((0..sites).flat_map(|site| tables.places(Level::Site, step, site)));
        }
        let results = parallel(&jobs, plan.threads, stop, |job| {
            let before = waiting[job.region].as_deref().filter(|_| job.level == Level::Region);
            play(job, before.unwrap_or_default())
        });
        if let Some(before) = step.checked_sub(1) {
            waiting[before] = None;
        }
        let mut sites = Vec::new();
        for (job, result) in jobs.iter().zip(results) {
            let Some(Played { misses, .. }) = add(&mut exact, setup, *job, result.flatten()) else {
                continue;
            };
            if job.level == Level::Site { sites.push(misses) } else { global.push(misses) }
        }
        if step < regions {
            waiting[step] = Some(sites);
        }
    }
    let jobs: Vec<Place> = tables.places(Level::Global, 0, 0).collect();
    let results = parallel(&jobs, plan.threads, stop, |job| play(job, &global));
    for (job, result) in jobs.iter().zip(results) {
        add(&mut exact, setup, *job, result.flatten());
    }
    exact.share =
        if stop.load(Ordering::Relaxed) { (done.load(Ordering::Relaxed) as f64 / all).min(1.0) } else { 1.0 };
    Ok(exact)
}

fn grain(setup: &Setup<'_>) -> Option<String> {
    let ages = setup.scenario.tiers.values().any(|tier| tier.cache.as_ref().is_some_and(|c| c.ttl.is_some()));
    let part_s = DAY_S / (EPOCHS as u64 * place::PARTS) as f64;
    ages.then(|| {
        format!("caches know the time to {}: objects are as old as that", human(part_s, Unit::Seconds))
    })
}

/// Adds what a place counted; hands back its misses.
fn add(exact: &mut Exact, setup: &Setup<'_>, job: Place, played: Option<Played>) -> Option<Played> {
    let played = played?;
    exact.played += played.own;
    let regions = match job.level {
        Level::Global => 0..setup.scenario.population.regions.len(),
        Level::Site | Level::Region => job.region..job.region + 1,
    };
    for (node, slot, counts) in played.counts() {
        let levels = model::has_levels(setup.scenario, setup.flow.nodes[node].call);
        for region in regions.clone() {
            exact.answers.add(node, region, slot, counts.lookups as f64, counts.hits as f64);
            if levels {
                let at = (node, region, slot);
                exact.answers.add_levels(at, counts.in_memory as f64, counts.kept as f64);
            }
        }
    }
    Some(played)
}
