//! `simulate`: chooses the engine, plays, and hands over the record.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::{Provenance, Run};
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::arrivals::DAY_S;

pub use crate::day::TooLarge;
use crate::outcome::summarise;
use crate::{day, every};

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// A full day: every request where they are few, else sampled.
    Day,
    /// Every request from 00:00 UTC on, after a warm-up that does not count.
    Every { warmup_s: f64, duration_s: f64 },
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub seed: u64,
    /// Does not change the result.
    pub threads: usize,
    pub replications: u64,
    pub mode: Mode,
}

/// Hears the share that is done, 0 to 1.
pub type Progress<'a> = &'a (dyn Fn(f64) + Sync);

/// Requests of a day up to which every one is played.
const EVERY_MAX: f64 = 3e5;

/// Plays a scenario. `None` if `stop` was raised before anything was complete: half a day is no result. A
/// run of every request keeps the replications that were.
#[must_use]
pub fn simulate(
    scenario: &Scenario,
    options: &Options,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Option<Run> {
    let per_day: f64 = scenario.actions.values().map(|a| scenario.mean_rate(a)).sum::<f64>() * DAY_S;
    let window = match options.mode {
        Mode::Every { warmup_s, duration_s } => Some((warmup_s, duration_s)),
        // Few requests are played one by one, if the calendar knows all that they do.
        Mode::Day if per_day <= EVERY_MAX && scenario.only_estimated().is_empty() => Some((0.0, DAY_S)),
        Mode::Day => None,
    };
    let Options { seed, replications, threads, .. } = *options;
    let (outcome, partial) = if let Some((warmup_s, duration_s)) = window {
        every::play(
            scenario,
            every::Plan { seed, replications, threads, warmup_s, duration_s },
            progress,
            stop,
        )?
    } else {
        (
            day::play(scenario, day::Plan { seed, replications, threads, warmup_days: 1 }, progress, stop)?,
            false,
        )
    };
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        seed: options.seed,
        options: described(scenario, options, window),
        partial,
    };
    Some(summarise(scenario, &outcome, provenance))
}

/// Plays every request of the full day through the caches, unsampled. `Ok(None)` if `stop` was raised before
/// anything was played; a run that it ended later is partial.
///
/// # Errors
/// [`TooLarge`] where the day does not fit into memory.
pub fn simulate_exact(
    scenario: &Scenario,
    options: &Options,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Result<Option<Run>, TooLarge> {
    let Options { seed, replications, threads, .. } = *options;
    let plan = day::Plan { seed, replications, threads, warmup_days: 0 };
    let Some((outcome, whole)) = day::play_exact(scenario, plan, progress, stop)? else { return Ok(None) };
    let mut described = described(scenario, options, None);
    described.remove("warmup");
    described.insert("exact".to_owned(), "true".to_owned());
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        seed,
        options: described,
        partial: !whole,
    };
    Ok(Some(summarise(scenario, &outcome, provenance)))
}

fn described(scenario: &Scenario, options: &Options, window: Option<(f64, f64)>) -> BTreeMap<String, String> {
    let mut all = settings(scenario);
    all.insert("replications".to_owned(), options.replications.to_string());
    if let Some((warmup, duration)) = window {
        all.insert("warmup".to_owned(), format!("{warmup} s"));
        all.insert("duration".to_owned(), format!("{duration} s"));
    } else {
        all.insert("warmup".to_owned(), "1 day".to_owned());
        all.insert("duration".to_owned(), "1 day".to_owned());
    }
    all
}

/// What the command line has changed in the scenario, as an option of the record.
pub(crate) fn settings(scenario: &Scenario) -> BTreeMap<String, String> {
    let set = scenario.settings();
    if set.is_empty() { BTreeMap::new() } else { BTreeMap::from([("set".to_owned(), set.join(" · "))]) }
}
