//! The simulator has the last word: the plan is played for a day, and raised where a target breaks.
//!
//! Why in rounds: a formula that is kind to a target is as kind a step further on, so its bound is tightened by what
//! the simulator found, the plan is made again from where it was, and played again.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::format::human;
use plimsoll_reports::plan::Verification;
use plimsoll_reports::record::{Run, Unit};
use plimsoll_scenarios::slo::Failure;
use plimsoll_scenarios::units::{Bandwidth, Count, Size};
use plimsoll_scenarios::{Knob, Scenario, Scope, TierId};

use super::evaluate::{Evaluator, Sizing};
use super::problem::GoalMetric;
use super::search::{Found, near};
use super::{FAILURES, Options, PlanError, size};
use crate::simulate::{self, Mode, Progress, simulate};

/// Times that a plan is raised.
const ROUNDS_MAX: usize = 4;
const REPLICATIONS: u64 = 2;
/// Runs that a plan usually takes.
const RUNS: f64 = 5.0;
/// Further than the simulator asks, so that the next round is the last.
const FURTHER: f64 = 0.99;
/// What a sampled utilisation may lie above an assumed limit.
const SAMPLED: f64 = 1.01;

/// What the simulator said.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    pub record: Option<Verification>,
    /// The last run.
    pub run: Option<Run>,
    /// Under failures: what broke, in words.
    pub failures: Vec<(Failure, String)>,
    pub notes: Vec<String>,
}

/// Plays a plan and raises it until the simulator agrees.
///
/// # Errors
/// `stop` was raised.
pub fn verify(
    evaluator: &mut Evaluator<'_>,
    mut found: Found,
    options: &Options<'_>,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Result<(Found, Verified), PlanError> {
    let mut verified = Verified::default();
    if !options.verify {
        return Ok((found, verified));
    }
    let mut record = Verification {
        runs: 0,
        adjusted: Vec::new(),
        seconds_simulated: 0.0,
        note: "a full day, sampled; the simulated values are those of the whole day, the predicted ones of the peak"
            .to_owned(),
    };
    // Every run is as long as the others; how many there are is known when the last one begins.
    let part = |runs: u64| move |share: f64| progress((runs as f64 + share) / RUNS.max(runs as f64 + 1.0));
    let mut rounds = 0;
    loop {
        let run = play(&sized(evaluator, &found.sizing), REPLICATIONS, options, &part(record.runs), stop)?;
        record.runs += 1;
        record.seconds_simulated += run.duration_s;
        let asked = disagreements(evaluator, &found.sizing, &run);
        verified.run = Some(run);
        rounds += 1;
        if asked.is_empty() || rounds > ROUNDS_MAX {
            if !asked.is_empty() {
                verified.notes.push(format!("The simulator still disagrees: {}.", asked.join("; ")));
            }
            break;
        }
        record.adjusted.extend(asked);
        // The same capacities with more servers, or else others near them.
        if let Ok(sizing) = evaluator.size_at(&found.point) {
            found.sizing = sizing;
        } else if let Ok(again) = near(evaluator, &found.point) {
            found = Found { combinations: found.combinations, proved: found.proved, ..again };
        } else {
            verified.notes.push("No larger sizes keep what the simulator asks for.".to_owned());
            break;
        }
    }
    for failure in FAILURES {
        if let Some(scenario) = under(evaluator, &found.sizing, failure) {
            let run = play(&scenario, 1, options, &part(record.runs), stop)?;
            record.runs += 1;
            record.seconds_simulated += run.duration_s;
            verified.failures.push((failure, said(&run)));
        }
    }
    verified.record = Some(record);
    Ok((found, verified))
}

fn play(
    scenario: &Scenario,
    replications: u64,
    options: &Options<'_>,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Result<Run, PlanError> {
    let options = simulate::Options {
        seed: options.seed,
        threads: options.threads,
        replications,
        mode: Mode::Day,
        precision: None,
    };
    simulate(scenario, &options, progress, stop).ok_or(PlanError::Stopped)
}

/// `all 6 targets hold; fullest: gateway 71 % busy`.
fn said(run: &Run) -> String {
    let broken: Vec<String> = run
        .slos
        .iter()
        .filter(|s| !s.holds)
        .map(|s| format!("{} is {}", s.text, human(s.value, s.unit)))
        .collect();
    let fullest = run
        .tiers
        .iter()
        .filter_map(|t| Some((t.name.as_str(), t.station.as_ref()?.utilisation_peak.value)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let fullest = fullest
        .map_or(String::new(), |(name, busy)| format!("; fullest: {name} {} busy", human(busy, Unit::Share)));
    match broken.len() {
        0 => format!("all {} targets hold{fullest}", run.slos.len()),
        _ => format!("broken: {}{fullest}", broken.join(", ")),
    }
}

/// Where the simulator breaks a target: tightens the target's bound, or raises the tier; in words.
fn disagreements(evaluator: &mut Evaluator<'_>, sizing: &Sizing, run: &Run) -> Vec<String> {
    let mut asked = Vec::new();
    for (goal, here) in evaluator.problem.goals.iter().enumerate() {
        let verdict = run.slos.iter().find(|s| s.text == here.text).filter(|_| here.failure.is_none());
        let Some(verdict) = verdict.filter(|v| !v.holds) else { continue };
        let factor = match here.metric {
            GoalMetric::Time { .. } | GoalMetric::Loss(_) => here.bound / verdict.value,
            _ => (1.0 - here.bound) / (1.0 - verdict.value).max(1e-12),
        };
        evaluator.margins[goal] *= (factor * FURTHER).clamp(0.1, FURTHER);
        asked.push(format!("{}: simulated {}", here.text, human(verdict.value, verdict.unit)));
    }
    for tier in 0..sizing.tiers.len() {
        let (Some(sized), Some(fleet)) = (&sizing.tiers[tier], &evaluator.problem.fleets[tier]) else {
            continue;
        };
        let name = evaluator.world.tier_name(tier);
        let Some(played) = run.tiers.iter().find(|t| t.name == name) else { continue };
        let rule = &fleet.rules[0];
        let most = if rule.assumed { rule.busy * SAMPLED } else { rule.busy };
        let busy = played.station.as_ref().map_or(0.0, |s| s.utilisation_peak.value);
        let link = played.link.as_ref().map_or(0.0, |l| l.utilisation_peak);
        let over = (busy / most).max(link / (rule.link * SAMPLED));
        if over <= 1.0 || !fleet.free {
            continue;
        }
        let wanted = ((sized.servers as f64) * over * FURTHER.recip().sqrt()).ceil() as u64 - 1;
        let next = size::step(wanted.max(sized.servers), &sizing.loads[tier], true, fleet.range);
        if let Some((servers, _)) = next {
            evaluator.least[tier] = servers;
            asked.push(format!(
                "{name}: simulated {} busy, links {} full",
                human(busy, Unit::Share),
                human(link, Unit::Share)
            ));
        }
    }
    asked
}

/// The scenario with the sizes of a plan.
#[must_use]
pub fn sized(evaluator: &Evaluator<'_>, sizing: &Sizing) -> Scenario {
    let mut scenario = evaluator.changed(&sizing.choice).into_owned();
    for tier in 0..scenario.tiers.len() {
        if let (Some(cache), Some(size)) = (&mut scenario.tiers[tier].cache, sizing.choice.caches[tier]) {
            cache.capacity = Size::given(size.capacity, &format!("{} B", size.capacity));
            cache.policy = size.policy;
        }
        if let (Some(sized), Some(fleet)) = (&sizing.tiers[tier], &evaluator.problem.fleets[tier]) {
            let kind = &fleet.kinds[sized.kind];
            set_servers(&mut scenario, tier, sized.servers as f64);
            if let Some(station) = &mut scenario.tiers[tier].station {
                station.concurrency = Count::given(kind.concurrency, &kind.concurrency.to_string());
            }
            if evaluator.problem.is_free(tier, Knob::Link) {
                scenario.tiers[tier].link =
                    kind.link.map(|link| Bandwidth::given(link, &format!("{link} bit/s")));
            }
        }
    }
    scenario
}

fn set_servers(scenario: &mut Scenario, tier: TierId, servers: f64) {
    if let Some(station) = &mut scenario.tiers[tier].station {
        station.servers = Count::given(servers, &servers.to_string());
    }
}

/// The plan under a failure, as a scenario that can be played; `None` where nothing would be left to play.
fn under(evaluator: &Evaluator<'_>, sizing: &Sizing, failure: Failure) -> Option<Scenario> {
    let mut scenario = sized(evaluator, sizing);
    match failure {
        Failure::ServerDown => {
            let share = |tier: &TierId| {
                let pools = sizing.tiers[*tier].as_ref().map_or(&[][..], |s| &s.pools);
                pools.iter().copied().min().map_or(1.0, |k| (k as f64 - 1.0).max(0.0) / k.max(1) as f64)
            };
            let stations = (0..scenario.tiers.len()).filter(|&t| sizing.tiers[t].is_some());
            let tier = stations.min_by(|a, b| share(a).total_cmp(&share(b)))?;
            let servers = sizing.tiers[tier].as_ref()?.servers as f64;
            set_servers(&mut scenario, tier, (servers * share(&tier)).floor().max(1.0));
        }
        Failure::ZoneDown => {
            for tier in 0..scenario.tiers.len() {
                let (zones, scope) = (scenario.tiers[tier].zones, scenario.tiers[tier].scope);
                let Some(sized) = &sizing.tiers[tier] else { continue };
                if zones > 1 {
                    let left = sized.servers as f64 * f64::from(zones - 1) / f64::from(zones);
                    set_servers(&mut scenario, tier, left.floor().max(1.0));
                } else if scope != Scope::Site {
                    return None;
                }
            }
        }
        Failure::RegionDown => {
            let regions = &scenario.population.regions;
            let gone = (0..regions.len()).max_by(|&a, &b| regions[a].share.total_cmp(&regions[b].share))?;
            if regions.len() < 2 {
                return None;
            }
            let left = 1.0 - regions[gone].share;
            scenario.population.regions.remove(gone);
            scenario.population.regions.iter_mut().for_each(|r| r.share /= left);
            for tier in 0..scenario.tiers.len() {
                if let (Some(sized), true) =
                    (&sizing.tiers[tier], scenario.tiers[tier].scope != Scope::Global)
                {
                    set_servers(&mut scenario, tier, (sized.servers as f64 * left).max(1.0));
                }
            }
        }
        Failure::ColdCache => {
            let caches = (0..scenario.tiers.len())
                .filter(|&t| sizing.choice.caches[t].is_some() && scenario.tiers[t].scope != Scope::User);
            let load = |t: &TierId| sizing.loads[*t].calls_mean;
            let cache = caches.max_by(|a, b| load(a).total_cmp(&load(b)))?;
            scenario.tiers[cache].cache.as_mut()?.capacity = Size::given(1.0, "1 B");
        }
        Failure::HotRelease => return None,
    }
    Some(scenario)
}
