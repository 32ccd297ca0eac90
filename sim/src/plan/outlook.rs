//! What it would take to be wrong: the load line, what has to be bought as the demand grows, and what stricter
//! targets cost.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::plan::{Curve, LoadLine, Purchase};
use plimsoll_reports::record::Unit;

use super::Options;
use super::evaluate::{Evaluator, Sizing};
use super::explain;
use super::load::loads;
use super::problem::{GoalMetric, Problem};
use super::search::{Found, near};
use super::slots;
use crate::flow::Flow;
use crate::threads;

/// Demand beyond which nobody asks.
const FACTOR_MAX: f64 = 1_000.0;
/// Multiples of the demand at which purchases are told.
const GROWTH: [f64; 5] = [1.1, 1.25, 1.5, 2.0, 3.0];
/// Purchases named for a multiple.
const ADDED_MAX: usize = 4;
/// Targets of which a curve is drawn, and factors on their bounds.
const CURVES_MAX: usize = 3;
const BOUNDS: [f64; 7] = [0.7, 0.8, 0.9, 1.0, 1.15, 1.35, 1.6];
/// Share of the cost by which a curve must rise to be shown.
const FLAT: f64 = 0.01;
/// Years beyond which growth is not told.
const YEARS_MAX: f64 = 50.0;

/// The plan's servers under a multiple of the demand.
fn under(evaluator: &Evaluator<'_>, sizing: &Sizing, factor: f64) -> (Sizing, Option<String>) {
    let scenario = evaluator.changed(&sizing.choice);
    let more = evaluator.demand.times(evaluator.flow, factor);
    let mut then = sizing.clone();
    then.loads = loads(&scenario, evaluator.flow, &more, &sizing.hits);
    let broken = evaluator.first_broken(&scenario, &then);
    (then, broken)
}

/// The demand at which the plan first breaks a target, and the one at which something is full.
#[must_use]
pub fn load_line(evaluator: &Evaluator<'_>, found: &Found) -> Option<LoadLine> {
    let (factor, breaks) = first(|factor| under(evaluator, &found.sizing, factor).1)?;
    let full = first(|factor| full(evaluator, &under(evaluator, &found.sizing, factor).0));
    Some(LoadLine { factor, breaks, full_factor: full.as_ref().map(|f| f.0), full: full.map(|f| f.1) })
}

/// The least multiple at which something is said.
fn first(says: impl Fn(f64) -> Option<String>) -> Option<(f64, String)> {
    let (mut low, mut high) = (1.0, 1.05);
    while says(high).is_none() {
        low = high;
        high *= 1.3;
        if high > FACTOR_MAX {
            return None;
        }
    }
    for _ in 0..24 {
        let middle = 0.5 * (low + high);
        if says(middle).is_some() { high = middle } else { low = middle }
    }
    says(high).map(|what| (high, what))
}

/// The first tier all of whose slots or links are taken somewhere.
fn full(evaluator: &Evaluator<'_>, sizing: &Sizing) -> Option<String> {
    let scenario = evaluator.changed(&sizing.choice);
    let state = super::goals::State::normal(evaluator, &scenario, sizing);
    for (tier, sized) in sizing.tiers.iter().enumerate() {
        let (Some(sized), Some(fleet)) = (sized, &evaluator.problem.fleets[tier]) else { continue };
        let name = scenario.tier_name(tier);
        for (place, load) in sizing.loads[tier].places.iter().enumerate() {
            if state.busy(tier, place).is_some_and(|busy| busy >= 1.0) {
                return Some(format!("{name}: every slot is busy"));
            }
            let links = sized.pools[place] as f64 * load.instances;
            if fleet.kinds[sized.kind].link.is_some_and(|link| load.egress >= links * link) {
                return Some(format!("{name}: its links are full"));
            }
        }
    }
    None
}

/// What has to be there at multiples of the demand, capacities as planned.
#[must_use]
pub fn growth(evaluator: &mut Evaluator<'_>, found: &Found) -> Vec<Purchase> {
    let yearly = evaluator.world.population.growth_per_year.get();
    let calm = evaluator.demand.clone();
    let mut all = Vec::new();
    for factor in GROWTH {
        evaluator.demand = calm.times(evaluator.flow, factor);
        let sized = evaluator.size_choice(found.sizing.choice.clone());
        evaluator.demand.clone_from(&calm);
        let Ok(sizing) = sized else { continue };
        let mut add = explain::changes(evaluator, &found.sizing, &sizing);
        add.truncate(ADDED_MAX);
        let years = (yearly > 0.0).then(|| factor.ln() / yearly.ln_1p()).filter(|y| *y < YEARS_MAX);
        all.push(Purchase { factor, years, add, cost_per_month: sizing.bill() });
    }
    all
}

/// What stricter and looser bounds cost a month, of the targets that decide the most. What the simulator asked for of the
/// plan, it is taken to ask for under each of them.
#[must_use]
pub fn curves(raised: &Evaluator<'_>, found: &Found, options: &Options<'_>) -> Vec<Curve> {
    // Copies, since an evaluator is of one thread.
    let (problem, margins, least) = (raised.problem, raised.margins.clone(), raised.least.clone());
    let goals: Vec<usize> = (0..problem.goals.len())
        .filter(|&g| problem.goals[g].failure.is_none())
        .filter(|&g| {
            matches!(problem.goals[g].metric, GoalMetric::HitRatio(_))
                || matches!(problem.goals[g].metric, GoalMetric::Time { p, .. } if p > 0.9)
        })
        .take(CURVES_MAX)
        .collect();
    let jobs: Vec<(usize, f64)> =
        goals.iter().flat_map(|&goal| BOUNDS.map(|factor| (goal, factor))).collect();
    let flow = Flow::of(&problem.scenario);
    let solved = threads::parallel(&jobs, options.threads, &AtomicBool::new(false), |&(goal, factor)| {
        let bound = bound_of(problem, goal, factor);
        if factor == 1.0 {
            return (bound, Some(found.sizing.bill()));
        }
        let mut evaluator = Evaluator::new(problem, &problem.scenario, &flow);
        (evaluator.margins, evaluator.least) = (margins.clone(), least.clone());
        // Of a share, what is missing to 1.
        evaluator.margins[goal] *= factor;
        let then = near(&mut evaluator, &found.point).ok().map(|mut then| {
            slots::trim(&evaluator, &mut then.sizing);
            then.sizing.bill()
        });
        (bound, then)
    });
    let mut solved = solved.into_iter().flatten();
    let mut curves = Vec::new();
    for goal in goals {
        let mut points: Vec<(f64, Option<f64>)> = solved.by_ref().take(BOUNDS.len()).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let costs = || points.iter().filter_map(|point| point.1);
        let (least, most) = (costs().fold(f64::INFINITY, f64::min), costs().fold(0.0, f64::max));
        // Nobody sees less in a curve.
        if most - least < FLAT * most && points.iter().all(|point| point.1.is_some()) {
            continue;
        }
        let here = &problem.goals[goal];
        let unit = if matches!(here.metric, GoalMetric::Time { .. }) { Unit::Seconds } else { Unit::Share };
        curves.push(Curve { target: here.text.clone(), unit, bound: here.bound, points });
    }
    curves
}

fn bound_of(problem: &Problem<'_>, goal: usize, factor: f64) -> f64 {
    let here = &problem.goals[goal];
    match here.metric {
        GoalMetric::Time { .. } | GoalMetric::Loss(_) => here.bound * factor,
        _ => 1.0 - (1.0 - here.bound) * factor,
    }
}
