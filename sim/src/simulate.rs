//! `simulate`: chooses the engine, plays, and hands over the record.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::{Provenance, Run};
use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::{Discipline, Scenario};

use crate::calendar::{self, slice};
pub use crate::day::TooLarge;
use crate::events::{self, Stretches};
use crate::outcome::{Outcome, summarise};
use crate::{day, recovery, settle};

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mode {
    /// A full day: every request where they are few, a slice where calls feed back on load, else sampled, with the hours
    /// around its events request by request.
    Day,
    /// Every request from 00:00 UTC on, after a warm-up that does not count.
    Every { warmup_s: f64, duration_s: f64 },
    /// A part of the day, with its events; seconds after 00:00 UTC, the second after the first.
    Window { from_s: f64, to_s: f64 },
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub seed: u64,
    /// Does not change the result.
    pub threads: usize,
    pub replications: u64,
    /// Half width of the 95 % intervals of every action's 99th percentile, as a share of it: as many replications
    /// are played as it takes, from `replications` to a hundred.
    pub precision: Option<f64>,
    pub mode: Mode,
}

/// Hears the share that is done, 0 to 1.
pub type Progress<'a> = &'a (dyn Fn(f64) + Sync);

/// Requests of a day up to which every one is played.
const EVERY_MAX: f64 = 3e5;
/// Most replications that a wanted precision may take.
const REPLICATIONS_MAX: u64 = 100;
/// Least time before a window that is played and does not count, seconds.
const WARMUP_MIN_S: f64 = 600.0;
/// Shares of the time at which a day begins and is over that has stretches around its events: sampled, and with every
/// request through the caches.
pub(crate) const SAMPLED: (f64, f64) = (0.4, 0.6);
const EXACT: (f64, f64) = (0.05, 0.9);
/// Slots of the results of a day, a window and a run.
const SLOTS_DAY: usize = 96;
const SLOTS: usize = 40;

/// Plays a scenario. `None` if `stop` was raised before anything was complete: half a day is no result. A
/// run of every request keeps the replications that were.
#[must_use]
pub fn simulate(
    scenario: &Scenario,
    options: &Options,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Option<Run> {
    let mut options = *options;
    let stretches = if is_sampled(scenario, &options) && !scenario.events.is_empty() {
        Some(events::prepare(scenario, &options, &|share| progress(SAMPLED.0 * share), stop)?)
    } else {
        None
    };
    loop {
        let run = once(scenario, &options, stretches.as_ref(), progress, stop)?;
        let Some(precision) = options.precision else { return Some(run) };
        let width = widest(&run);
        if width <= precision || options.replications >= REPLICATIONS_MAX || run.provenance.partial {
            return Some(with_width(run, width, precision));
        }
        // Intervals shrink with the root of the number; a tenth more, since the first width is a guess.
        let wanted = options.replications as f64 * (width / precision).powi(2) * 1.1;
        options.replications = (wanted.ceil() as u64).clamp(options.replications + 1, REPLICATIONS_MAX);
    }
}

fn once(
    scenario: &Scenario,
    options: &Options,
    stretches: Option<&Stretches>,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Option<Run> {
    let Some(plan) = plan(scenario, options) else {
        let shares = stretches.map_or((0.0, 1.0), |_| SAMPLED);
        let told = |share: f64| progress(shares.0 + (shares.1 - shares.0) * share);
        let day = day::play(scenario, day_plan(options, 1, stretches), &told, stop)?;
        let described = described(scenario, options, None);
        let told = |share: f64| progress(shares.1 + (1.0 - shares.1) * share);
        return Some(day_run(scenario, options, (day, stretches), described, &told, stop));
    };
    let (outcome, partial, warmup_s) = if let Mode::Window { .. } = options.mode {
        window(scenario, plan, progress, stop)?
    } else {
        let (outcome, partial) = sliced(scenario, plan, progress, stop)?;
        (outcome, partial, plan.warmup_s)
    };
    let described = described(scenario, options, Some((warmup_s, plan.duration_s)));
    let mut run = summarise(scenario, &outcome, provenance(scenario, options.seed, described, partial));
    run.events = recovery::happenings(scenario, &run, &[]);
    run.notes.extend(recovery::notes(scenario, &run));
    Some(run)
}

fn day_plan(options: &Options, warmup_days: u32, stretches: Option<&Stretches>) -> day::Plan {
    let Options { seed, replications, threads, .. } = *options;
    let aside = stretches.map(Stretches::slots).unwrap_or_default();
    day::Plan { seed, replications, threads, warmup_days, aside }
}

/// The record of a day, with the stretches around its events; of one that `stop` ended after the day, without.
fn day_run(
    scenario: &Scenario,
    options: &Options,
    (day, stretches): (Outcome, Option<&Stretches>),
    described: BTreeMap<String, String>,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Run {
    let Some(stretches) = stretches else {
        return summarise(scenario, &day, provenance(scenario, options.seed, described, false));
    };
    let (outcome, whole) = stretches.put_into((scenario, day), options, progress, stop);
    let mut run = summarise(scenario, &outcome, provenance(scenario, options.seed, described, !whole));
    if whole {
        run.events = recovery::happenings(scenario, &run, &stretches.references());
    }
    run
}

fn provenance(
    scenario: &Scenario,
    seed: u64,
    options: BTreeMap<String, String>,
    partial: bool,
) -> Provenance {
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        seed,
        options,
        partial,
    }
}

/// Plays a window, after as much as it takes to forget the start; says how long that was, seconds.
fn window(
    scenario: &Scenario,
    plan: calendar::Plan,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Option<(Outcome, bool, f64)> {
    let mut plan = plan;
    loop {
        let (mut outcome, partial) = sliced(scenario, plan, progress, stop)?;
        let settled = settle::settled(&outcome, plan.warmup_s);
        if let Some(longer) = settle::longer(&plan).filter(|_| settled.is_none() && !partial) {
            plan = longer;
            continue;
        }
        if plan.warmup_s > 0.0 {
            outcome.notes.push(settle::note(settled, plan.warmup_s));
        }
        return Some((outcome, partial, plan.warmup_s));
    }
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
    let prepare = |options| events::prepare(scenario, options, &|share| progress(EXACT.0 * share), stop);
    let stretches = if scenario.events.is_empty() { None } else { Some(prepare(options)) };
    let stretches = match stretches {
        None => None,
        Some(None) => return Ok(None),
        Some(found) => found,
    };
    let shares = stretches.as_ref().map_or((0.0, 1.0), |_| EXACT);
    let told = |share: f64| progress(shares.0 + (shares.1 - shares.0) * share);
    let plan = day_plan(options, 0, stretches.as_ref());
    let Some((mut outcome, whole)) = day::play_exact(scenario, plan, &told, stop)? else {
        return Ok(None);
    };
    if differ(scenario) {
        let note = "servers that differ are taken as so many of the mean speed; `simulate` without `--exact` tells them apart";
        outcome.notes.push(note.to_owned());
    }
    let mut described = described(scenario, options, None);
    described.remove("warmup");
    described.insert("exact".to_owned(), "true".to_owned());
    let told = |share: f64| progress(shares.1 + (1.0 - shares.1) * share);
    let mut run = day_run(scenario, options, (outcome, stretches.as_ref()), described, &told, stop);
    run.provenance.partial |= !whole;
    Ok(Some(run))
}

/// Whether a scenario's day is sampled, and not played on the event calendar as a whole.
#[must_use]
pub fn is_sampled(scenario: &Scenario, options: &Options) -> bool {
    plan(scenario, options).is_none()
}

/// The run on the event calendar; `None` where the sampled day does it.
fn plan(scenario: &Scenario, options: &Options) -> Option<calendar::Plan> {
    let per_day: f64 = scenario.actions.values().map(|a| scenario.mean_rate(a)).sum::<f64>() * DAY_S;
    let Options { seed, replications, threads, mode, .. } = *options;
    let whole_day = per_day <= EVERY_MAX || feeds_back(scenario) || differ(scenario);
    let (from_s, warmup_s, duration_s, slots) = match mode {
        Mode::Every { warmup_s, duration_s } => (0.0, warmup_s, duration_s, SLOTS),
        Mode::Window { from_s, to_s } => {
            let warmup = (to_s - from_s).clamp(WARMUP_MIN_S, settle::WARMUP_MAX_S).min(from_s);
            (from_s - warmup, warmup, to_s - from_s, SLOTS)
        }
        Mode::Day if whole_day => (0.0, 0.0, DAY_S, SLOTS_DAY),
        Mode::Day => return None,
    };
    // The scaled-down run is that of a load generator of the same seed.
    let same_requests = matches!(mode, Mode::Every { .. }) || (mode == Mode::Day && per_day <= EVERY_MAX);
    Some(calendar::Plan { seed, replications, threads, from_s, warmup_s, duration_s, slots, same_requests })
}

/// Plays all of a system where it is small enough, else a slice.
fn sliced(
    scenario: &Scenario,
    plan: calendar::Plan,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Option<(Outcome, bool)> {
    let (from_s, to_s) = (plan.from_s, plan.from_s + plan.warmup_s + plan.duration_s);
    let factor = slice::expected(scenario, (from_s, to_s), &|_| 1.0) / slice::REQUESTS_MAX;
    if factor <= 1.0 || plan.same_requests {
        return calendar::play(scenario, plan, None, progress, stop);
    }
    let slice = slice::slice(scenario, factor);
    let (mut outcome, partial) = calendar::play(&slice.scenario, plan, Some(&slice), progress, stop)?;
    outcome.mode = "a slice, every request";
    outcome.objects_per_sample = factor.round() as u64;
    outcome.notes.extend(slice.notes);
    Some((outcome, partial))
}

/// Whether load depends on what happens to it, so that tiers cannot be played one after the other: callers that
/// give up or try again, and servers that serve by more than order of arrival.
#[must_use]
pub fn feeds_back(scenario: &Scenario) -> bool {
    let mut found = false;
    for action in scenario.actions.values() {
        let trees = std::iter::once(&action.calls).chain(action.then.iter().map(|b| &b.calls));
        trees.for_each(|calls| calls.each(false, &mut |call, _| found |= !call.client.is_plain()));
    }
    let stations = || scenario.tiers.values().filter_map(|t| t.station.as_ref());
    found
        || stations().any(|s| s.discipline != Discipline::Fcfs || s.batch.is_some() || s.autoscale.is_some())
}

/// Whether servers of a tier differ, which the sampled day does not know.
fn differ(scenario: &Scenario) -> bool {
    scenario.tiers.values().filter_map(|t| t.station.as_ref()).any(|s| !s.kinds.is_empty())
}

/// The widest interval of a 99th percentile, as a share of it.
fn widest(run: &Run) -> f64 {
    let seen = run.actions.iter().map(|a| &a.first_byte_p99_s).filter(|i| i.value > 0.0);
    seen.map(|i| (i.high - i.low) / 2.0 / i.value).fold(0.0, f64::max)
}

fn with_width(mut run: Run, width: f64, wanted: f64) -> Run {
    let reached = if width <= wanted { "reached" } else { "not reached" };
    run.notes.push(format!(
        "99th percentiles are known to {:.2} % after {} replications; {:.2} % was asked for and is {reached}",
        100.0 * width,
        run.method.replications,
        100.0 * wanted
    ));
    run
}

fn described(scenario: &Scenario, options: &Options, span: Option<(f64, f64)>) -> BTreeMap<String, String> {
    let mut all = settings(scenario);
    all.insert("replications".to_owned(), options.replications.to_string());
    if let Some((warmup, duration)) = span {
        all.insert("warmup".to_owned(), format!("{warmup} s"));
        all.insert("duration".to_owned(), format!("{duration} s"));
    } else {
        all.insert("warmup".to_owned(), "1 day".to_owned());
        all.insert("duration".to_owned(), "1 day".to_owned());
    }
    if let Mode::Window { from_s, .. } = options.mode {
        let minutes = (from_s / 60.0).round() as u64;
        all.insert("from".to_owned(), format!("{:02}:{:02} UTC", minutes / 60, minutes % 60));
    }
    if let Some(precision) = options.precision {
        all.insert("precision".to_owned(), format!("{} %", 100.0 * precision));
    }
    all
}

/// What the command line has changed in the scenario, as an option of the record.
pub(crate) fn settings(scenario: &Scenario) -> BTreeMap<String, String> {
    let set = scenario.settings();
    if set.is_empty() { BTreeMap::new() } else { BTreeMap::from([("set".to_owned(), set.join(" · "))]) }
}
