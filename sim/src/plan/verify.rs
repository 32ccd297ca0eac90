//! The simulator has the last word: the plan is played for a day, and at its peak under what it must stand, and raised
//! where a target breaks.
//!
//! Why in rounds: a formula that is kind to a target is as kind a step further on, so its bound is tightened by what
//! the simulator found, the plan is made again from where it was, and played again. Why a day and moments: the day has
//! every region's own peak and caches as they really fill; the [moments](super::moments) have the failures. Moments come
//! first, since they are over sooner, and a plan that they raise need not be played for a day before.

use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_reports::format::human;
use plimsoll_reports::plan::Verification;
use plimsoll_reports::record::{Run, Unit};
use plimsoll_scenarios::slo::Failure;
use plimsoll_scenarios::units::{Bandwidth, Count, Size};
use plimsoll_scenarios::{Knob, Scenario, TierId};

use super::evaluate::{Evaluator, Sizing};
use super::failures::cases;
use super::moments::{self, Seen};
use super::problem::GoalMetric;
use super::search::{Found, near};
use super::{FAILURES, Options, size, slots};
use crate::simulate::{self, Mode, Progress, simulate};

/// Times that a plan is raised.
const ROUNDS_MAX: usize = 6;
const REPLICATIONS: u64 = 2;
/// Stages that a verification usually has: days, and moments.
const STAGES: f64 = 4.0;
/// Further than the simulator asks, so that the next round is the last.
const FURTHER: f64 = 0.99;
/// What a sampled utilisation may lie above an assumed limit.
const SAMPLED: f64 = 1.01;

/// What the simulator said.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    pub record: Option<Verification>,
    /// The last day.
    pub day: Option<Run>,
    /// The peak, in normal operation and under failures.
    pub seen: Vec<Seen>,
    pub notes: Vec<String>,
    /// Stopped before all was played.
    pub stopped: bool,
}

/// A verification under way.
struct Stages<'a> {
    options: &'a Options<'a>,
    progress: Progress<'a>,
    stop: &'a AtomicBool,
    done: f64,
    record: Verification,
    verified: Verified,
}

/// Plays a plan and raises it until the simulator agrees. Where `stop` is raised, what there is stands.
#[must_use]
pub fn verify(
    evaluator: &mut Evaluator<'_>,
    mut found: Found,
    options: &Options<'_>,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> (Found, Verified) {
    if !options.verify {
        return (found, Verified { stopped: stop.load(Ordering::Relaxed), ..Verified::default() });
    }
    let record = Verification {
        runs: 0,
        moments: 0,
        requests: 0,
        adjusted: Vec::new(),
        seconds_simulated: 0.0,
        note: "a day is sampled, a moment is the peak, request by request; of availability the simulator sees what is \
               turned away and fails, not what is down"
            .to_owned(),
    };
    let mut stages = Stages { options, progress, stop, done: 0.0, record, verified: Verified::default() };
    stages.verified.stopped = stages.all(evaluator, &mut found).is_none();
    let Stages { record, mut verified, .. } = stages;
    if verified.stopped {
        verified.notes.push(
            "Stopped before all was simulated: sizes are by formula where no simulated value stands."
                .to_owned(),
        );
    }
    verified.record = Some(record);
    (found, verified)
}

impl Stages<'_> {
    /// Everything; `None` where it was stopped.
    fn all(&mut self, evaluator: &mut Evaluator<'_>, found: &mut Found) -> Option<()> {
        let required = evaluator.problem.failures.clone();
        for round in 0..=ROUNDS_MAX {
            let before = (evaluator.margins.clone(), evaluator.least.clone());
            self.verified.seen = self.moments(evaluator, &found.sizing, &required, true)?;
            let mut asked = moments_disagree(evaluator, &found.sizing, &self.verified.seen);
            // The last one has a day in any case.
            if asked.is_empty() || round == ROUNDS_MAX {
                let day = self.day(evaluator, &found.sizing)?;
                asked.extend(disagreements(evaluator, &found.sizing, &day));
                self.verified.day = Some(day);
            }
            if asked.is_empty() {
                break;
            }
            if round == ROUNDS_MAX {
                (evaluator.margins, evaluator.least) = before;
                self.verified.notes.push(format!("The simulator still disagrees: {}.", asked.join("; ")));
                break;
            }
            self.record.adjusted.extend(asked);
            if !raised(evaluator, found) {
                (evaluator.margins, evaluator.least) = before;
                self.verified.notes.push("No larger sizes keep what the simulator asks for.".to_owned());
                if self.verified.day.is_none() {
                    self.verified.day = Some(self.day(evaluator, &found.sizing)?);
                }
                break;
            }
        }
        let others: Vec<Failure> = FAILURES.into_iter().filter(|f| !required.contains(f)).collect();
        let seen = self.moments(evaluator, &found.sizing, &others, false)?;
        self.verified.seen.extend(seen);
        Some(())
    }

    /// A day. Where it is sampled it is one without events: what a plan must stand is played as moments, and its targets
    /// are those of ordinary days.
    fn day(&mut self, evaluator: &Evaluator<'_>, sizing: &Sizing) -> Option<Run> {
        let options = simulate::Options {
            seed: self.options.seed,
            threads: self.options.threads,
            replications: REPLICATIONS,
            mode: Mode::Day,
            precision: None,
        };
        let mut scenario = sized(evaluator, sizing);
        if simulate::is_sampled(&scenario, &options) {
            scenario.events.clear();
        }
        let run = simulate(&scenario, &options, &|share| self.tell(share), self.stop)?;
        if run.provenance.partial {
            return None;
        }
        self.done += 1.0;
        self.record.runs += 1;
        self.record.requests += run.method.simulated_requests;
        self.record.seconds_simulated += run.duration_s;
        Some(run)
    }

    /// The peak under failures, and in normal operation before them where that is wanted.
    fn moments(
        &mut self,
        evaluator: &Evaluator<'_>,
        sizing: &Sizing,
        failures: &[Failure],
        normal: bool,
    ) -> Option<Vec<Seen>> {
        let scenario = sized(evaluator, sizing);
        let mut all = Vec::new();
        if normal {
            all.extend(moments::normal(evaluator, sizing, &scenario));
        }
        for &failure in failures {
            let cases = cases(evaluator, &scenario, sizing, failure);
            all.extend(moments::under(evaluator, sizing, &scenario, (failure, normal), &cases));
        }
        let seen = moments::play(&all, self.options, &|share| self.tell(share), self.stop)?;
        self.done += 1.0;
        self.record.moments += seen.len() as u64;
        self.record.requests += seen.iter().map(|s| s.requests).sum::<u64>();
        self.record.seconds_simulated += seen.iter().map(|s| s.span_s).sum::<f64>();
        Some(seen)
    }

    fn tell(&self, share: f64) {
        (self.progress)((self.done + share) / STAGES.max(self.done + 1.0));
    }
}

/// The same capacities with more servers, or else others near them; `false` where neither is a plan.
fn raised(evaluator: &mut Evaluator<'_>, found: &mut Found) -> bool {
    if let Ok(sizing) = evaluator.size_at(&found.point) {
        found.sizing = sizing;
    } else if let Ok(again) = near(evaluator, &found.point) {
        *found = Found { combinations: found.combinations, proved: found.proved, ..again };
    } else {
        return false;
    }
    slots::trim(evaluator, &mut found.sizing);
    true
}

/// By how much goals are to be tightened: once each, by the worst that was seen.
struct Tighter(Vec<f64>);

impl Tighter {
    fn none(evaluator: &Evaluator<'_>) -> Self {
        Self(vec![1.0; evaluator.problem.goals.len()])
    }

    /// Notes by how much the simulator misses a goal.
    fn missed(&mut self, evaluator: &Evaluator<'_>, goal: usize, value: f64) {
        let here = &evaluator.problem.goals[goal];
        let factor = match here.metric {
            GoalMetric::Time { .. } | GoalMetric::Loss(_) => here.bound / value,
            _ => (1.0 - here.bound) / (1.0 - value).max(1e-12),
        };
        self.0[goal] = self.0[goal].min((factor * FURTHER).clamp(0.1, FURTHER));
    }

    fn apply(self, evaluator: &mut Evaluator<'_>) {
        evaluator.margins.iter_mut().zip(self.0).for_each(|(margin, factor)| *margin *= factor);
    }
}

/// Asks for so many times the servers of a tier, where they are free.
fn ask_for(evaluator: &mut Evaluator<'_>, sizing: &Sizing, tier: TierId, times: f64) -> bool {
    let (Some(sized), Some(fleet)) = (&sizing.tiers[tier], &evaluator.problem.fleets[tier]) else {
        return false;
    };
    if !fleet.free {
        return false;
    }
    let wanted = (sized.servers as f64 * times * FURTHER.recip().sqrt()).ceil() as u64 - 1;
    let next = size::step(wanted.max(sized.servers), &sizing.loads[tier], true, fleet.range);
    let Some((servers, _)) = next else { return false };
    evaluator.least[tier] = servers;
    true
}

/// Where a day breaks a target: tightens the target's bound, or raises the tier; in words.
fn disagreements(evaluator: &mut Evaluator<'_>, sizing: &Sizing, run: &Run) -> Vec<String> {
    let (mut asked, mut tighter) = (Vec::new(), Tighter::none(evaluator));
    for goal in 0..evaluator.problem.goals.len() {
        let here = &evaluator.problem.goals[goal];
        let verdict = run.slos.iter().find(|s| s.text == here.text).filter(|_| here.failure.is_none());
        let Some(verdict) = verdict.filter(|v| !v.holds) else { continue };
        asked.push(format!("{}: simulated {} over the day", here.text, human(verdict.value, verdict.unit)));
        tighter.missed(evaluator, goal, verdict.value);
    }
    tighter.apply(evaluator);
    for tier in 0..sizing.tiers.len() {
        let name = evaluator.world.tier_name(tier);
        let (Some(fleet), Some(played)) =
            (&evaluator.problem.fleets[tier], run.tiers.iter().find(|t| t.name == name))
        else {
            continue;
        };
        let rule = &fleet.rules[0];
        let most = if rule.assumed { rule.busy * SAMPLED } else { rule.busy };
        let busy = played.station.as_ref().map_or(0.0, |s| s.utilisation_peak.value);
        let link = played.link.as_ref().map_or(0.0, |l| l.utilisation_peak);
        let over = (busy / most).max(link / (rule.link * SAMPLED));
        if over > 1.0 && ask_for(evaluator, sizing, tier, over) {
            asked.push(format!(
                "{name}: simulated {} busy, links {} full",
                human(busy, Unit::Share),
                human(link, Unit::Share)
            ));
        }
    }
    asked
}

/// The same for the peak: targets that are to hold then, and how busy servers may be under what has failed. (How
/// busy they are in normal operation the day knows better, at every place's own peak.)
fn moments_disagree(evaluator: &mut Evaluator<'_>, sizing: &Sizing, seen: &[Seen]) -> Vec<String> {
    let (mut asked, mut tighter) = (Vec::new(), Tighter::none(evaluator));
    for one in seen {
        let under = one.failure.map_or("at the peak".to_owned(), |f| format!("under {}", f.name()));
        for goal in 0..evaluator.problem.goals.len() {
            let here = &evaluator.problem.goals[goal];
            let slos = evaluator.world.slos.iter().zip(&one.values);
            let value = slos.filter(|(slo, _)| slo.text == here.text).find_map(|(_, value)| *value);
            let meets = |v: f64| if here.less_than { v < here.bound } else { v > here.bound };
            let Some(value) = value.filter(|v| here.failure == one.failure && !meets(*v)) else { continue };
            asked.push(format!("{}: simulated {} {under}", here.text, super::explain::shown(here, value)));
            tighter.missed(evaluator, goal, value);
        }
        for (tier, busy) in one.busy.iter().enumerate() {
            let (Some((busy, chance)), Some(fleet)) = (busy, &evaluator.problem.fleets[tier]) else {
                continue;
            };
            let Some(rule) = fleet.rules.iter().find(|r| r.failure == one.failure && r.failure.is_some())
            else {
                continue;
            };
            let over = busy / (rule.busy * SAMPLED.max(1.0 + chance));
            if over > 1.0 && ask_for(evaluator, sizing, tier, over) {
                let name = evaluator.world.tier_name(tier);
                asked.push(format!("{name}: simulated {} busy {under}", human(*busy, Unit::Share)));
            }
        }
    }
    tighter.apply(evaluator);
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
            if let Some(station) = &mut scenario.tiers[tier].station {
                station.servers = Count::given(sized.servers as f64, &sized.servers.to_string());
                station.concurrency = Count::given(kind.concurrency, &kind.concurrency.to_string());
            }
            let shards = evaluator.shards_of(&scenario, sizing, tier);
            if let (Some(n), Some(sharding)) = (shards, &mut scenario.tiers[tier].sharding) {
                sharding.shards = n as u32;
            }
            if evaluator.problem.is_free(tier, Knob::Link) {
                scenario.tiers[tier].link =
                    kind.link.map(|link| Bandwidth::given(link, &format!("{link} bit/s")));
            }
        }
    }
    scenario
}
