//! The plan in the worlds that the scenario's ranges make: how often it holds, what more certainty costs, and which
//! size is regretted least.
//!
//! Why all candidates in the same worlds: what differs between two of them is then the candidates and not the draw.
//! Regret is the cost above that of the plan made for the very world, and a shortfall weighs more than a surplus,
//! since it has to be bought in haste (as in Netflix's service-capacity-modeling, whose weights these are).

use std::sync::atomic::AtomicBool;

use plimsoll_reports::plan::{Confidence, Worlds};
use plimsoll_scenarios::{Origin, Scenario};

use super::Options;
use super::evaluate::{Evaluator, Sizing};
use super::hits::HitModel;
use super::problem::Problem;
use super::search::Found;
use super::size;
use crate::flow::Flow;
use crate::sheet::Scores;
use crate::threads;

/// Shares of the worlds that tiers are sized for, beside the plan itself.
const SIZED_FOR: [f64; 4] = [0.75, 0.9, 0.95, 0.99];
/// What a dollar too much and a dollar too little weigh.
const SURPLUS: f64 = 1.0;
const SHORTFALL: f64 = 1.25;
/// Tiers told of.
const TIERS_MAX: usize = 6;

/// What one world asks for at the plan's capacities: servers by tier; nothing where no number will do.
struct Needs(Option<Vec<Option<u64>>>);

/// `None` where the scenario has no ranges, or no worlds are wanted.
#[must_use]
pub fn worlds(problem: &Problem<'_>, found: &Found, options: &Options<'_>) -> Option<Worlds> {
    let uncertain = problem.scenario.uncertain();
    if uncertain.is_empty() || options.worlds < 2 {
        return None;
    }
    let scores = Scores::draw(options.seed, uncertain.len(), options.worlds, "plan");
    let jobs: Vec<usize> = (0..options.worlds).collect();
    let score = |world: usize, origin: Origin| {
        uncertain.iter().position(|u| u.origin == origin).map(|i| f64::from(scores.0[i][world]))
    };
    let vary = hits_vary(problem, found, &uncertain.iter().map(|u| u.origin).collect::<Vec<_>>());
    let needs = threads::parallel(&jobs, options.threads, &AtomicBool::new(false), |&world| {
        needs_of(problem, found, &problem.scenario.world(&|origin| score(world, origin)), vary)
    });
    let needs: Vec<Needs> = needs.into_iter().flatten().collect();
    Some(summary(problem, found, &needs))
}

/// Score at which it is looked whether an input changes hit ratios.
const PROBE: f64 = 1.5;

/// Whether hit ratios are not the same in all worlds: most ranges are of demand, which changes none.
fn hits_vary(problem: &Problem<'_>, found: &Found, inputs: &[Origin]) -> bool {
    let differ = |input: &Origin| {
        let world = problem.scenario.world(&|origin| Some(if origin == *input { PROBE } else { 0.0 }));
        let flow = Flow::of(&world);
        let choice = &found.sizing.choice;
        let hits = HitModel::new(&world, &flow).at(&choice.caches, choice.sites_of(&world));
        hits.iter().zip(found.sizing.hits.iter()).any(|(a, b)| (a - b).abs() > 1e-9)
    };
    inputs.iter().any(differ)
}

fn needs_of(problem: &Problem<'_>, found: &Found, world: &Scenario, hits_vary: bool) -> Needs {
    let flow = Flow::of(world);
    let mut evaluator = if hits_vary {
        Evaluator::new(problem, world, &flow)
    } else {
        Evaluator::with_hits(problem, world, &flow, &found.sizing)
    };
    let sized = evaluator.size_choice(found.sizing.choice.clone());
    Needs(sized.ok().map(|s| s.tiers.iter().map(|t| t.as_ref().map(|t| t.servers)).collect()))
}

fn summary(problem: &Problem<'_>, found: &Found, needs: &[Needs]) -> Worlds {
    let plan: Vec<Option<u64>> = found.sizing.tiers.iter().map(|t| t.as_ref().map(|t| t.servers)).collect();
    let mut columns: Vec<Vec<u64>> =
        (0..plan.len()).map(|t| needs.iter().filter_map(|n| n.0.as_ref()?[t]).collect()).collect();
    for column in &mut columns {
        column.sort_unstable();
    }
    let at = |tier: usize, share: f64| -> Option<u64> {
        let column = &columns[tier];
        column.get(((column.len() as f64 * share).ceil() as usize).saturating_sub(1)).copied()
    };
    let mut candidates = vec![("the middle of all ranges".to_owned(), plan.clone())];
    for share in SIZED_FOR {
        let sizes = (0..plan.len()).map(|t| plan[t].and_then(|_| at(t, share))).collect();
        candidates.push((format!("{} % of the worlds, each tier", share * 100.0), sizes));
    }
    let mut confidence: Vec<Confidence> = candidates
        .into_iter()
        .map(|(sized_for, sizes)| Confidence {
            holds: holds(needs, &sizes),
            cost_per_month: found.sizing.bill() + extra(problem, &found.sizing, &plan, &sizes, true),
            regret_per_month: regret(problem, &found.sizing, needs, &sizes),
            sized_for,
        })
        .collect();
    confidence.sort_by(|a, b| a.cost_per_month.total_cmp(&b.cost_per_month));
    confidence.dedup_by(|a, b| a.cost_per_month == b.cost_per_month && a.holds == b.holds);
    let least_regret = (0..confidence.len())
        .min_by(|&a, &b| confidence[a].regret_per_month.total_cmp(&confidence[b].regret_per_month))
        .unwrap_or(0);
    let spread = |t: usize| -> Option<(f64, f64, f64)> {
        Some((at(t, 0.05)? as f64, at(t, 0.5)? as f64, at(t, 0.95)? as f64))
    };
    let mut tiers: Vec<(String, f64, f64, f64)> = (0..plan.len())
        .filter_map(|t| spread(t).map(|(l, m, h)| (problem.scenario.tier_name(t).to_owned(), l, m, h)))
        .filter(|(_, low, _, high)| high > low)
        .collect();
    tiers.sort_by(|a, b| (b.3 / b.1).total_cmp(&(a.3 / a.1)));
    tiers.truncate(TIERS_MAX);
    Worlds { worlds: needs.len() as u64, plan_holds: holds(needs, &plan), confidence, least_regret, tiers }
}

/// Share of the worlds in which no tier has fewer servers than it needs.
fn holds(needs: &[Needs], sizes: &[Option<u64>]) -> f64 {
    let enough =
        |n: &&Needs| n.0.as_ref().is_some_and(|n| n.iter().zip(sizes).all(|(need, have)| need <= have));
    needs.iter().filter(enough).count() as f64 / needs.len().max(1) as f64
}

/// What some sizes cost more than others, US dollars a month: all of it, or what has to be added only.
fn extra(
    problem: &Problem<'_>,
    plan: &Sizing,
    from: &[Option<u64>],
    to: &[Option<u64>],
    billed: bool,
) -> f64 {
    let mut sum = 0.0;
    for tier in 0..from.len() {
        let (Some(a), Some(b)) = (from[tier], to[tier]) else { continue };
        sum += price(problem, plan, tier, billed) * (b as f64 - a as f64);
    }
    sum
}

fn price(problem: &Problem<'_>, plan: &Sizing, tier: usize, billed: bool) -> f64 {
    let (Some(sized), Some(fleet)) = (&plan.tiers[tier], &problem.fleets[tier]) else { return 0.0 };
    if billed && fleet.billing == super::kinds::Billing::Shadow {
        return 0.0;
    }
    let whole = size::pools(sized.servers, &plan.loads[tier]);
    let there: u64 = whole.iter().zip(&plan.loads[tier].places).map(|(k, p)| k * p.instances as u64).sum();
    fleet.kinds[sized.kind].monthly * there as f64 / sized.servers.max(1) as f64
}

/// Mean over the worlds of what is spent in vain and what falls short. Worlds that no number of servers helps
/// are the same for all.
fn regret(problem: &Problem<'_>, plan: &Sizing, needs: &[Needs], sizes: &[Option<u64>]) -> f64 {
    let mut sum = 0.0;
    for need in needs.iter().filter_map(|n| n.0.as_ref()) {
        for (tier, (need, have)) in need.iter().zip(sizes).enumerate() {
            let (Some(need), Some(have)) = (need, have) else { continue };
            let over = (*have as f64 - *need as f64) * price(problem, plan, tier, false);
            sum += if over >= 0.0 { SURPLUS * over } else { -SHORTFALL * over };
        }
    }
    sum / needs.len().max(1) as f64
}
