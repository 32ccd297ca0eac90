//! The plan under failures: one server, one zone, one region, a cold cache, a hot release.
//!
//! Why all of them, required or not: a plan that holds in fair weather should say which storm it does not stand.

use plimsoll_reports::format::human;
use plimsoll_reports::plan::FailureCheck;
use plimsoll_reports::record::Unit;
use plimsoll_scenarios::slo::Failure;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::FAILURES;
use super::evaluate::{Evaluator, Sizing};
use super::goals::State;
use super::load::{TierLoad, loads};

/// Share of a dataset's requests that a hot release draws.
const HOT: f64 = 0.05;
/// Broken things that are named.
const NAMED_MAX: usize = 3;
/// Use from which on servers don't keep up.
const FULL: f64 = 1.0;

#[must_use]
pub fn checks(evaluator: &Evaluator<'_>, scenario: &Scenario, sizing: &Sizing) -> Vec<FailureCheck> {
    FAILURES.into_iter().map(|failure| check(evaluator, scenario, sizing, failure)).collect()
}

fn check(evaluator: &Evaluator<'_>, scenario: &Scenario, sizing: &Sizing, failure: Failure) -> FailureCheck {
    let normal = || State::normal(evaluator, scenario, sizing);
    let mut found: Vec<(String, f64, String)> = Vec::new();
    let what = match failure {
        Failure::ServerDown => {
            for tier in stations(sizing) {
                let state = normal().under(failure, Some(tier));
                found.extend(of_tier(&state, evaluator, sizing, tier));
            }
            "one server of any place, the worst of all".to_owned()
        }
        Failure::ZoneDown => {
            let state = normal().under(failure, None);
            found.extend(stations(sizing).filter_map(|t| of_tier(&state, evaluator, sizing, t)));
            "one availability zone of every tier; of a tier in one zone, its place".to_owned()
        }
        Failure::RegionDown => {
            let state = normal().under(failure, None);
            found.extend(stations(sizing).filter_map(|t| of_tier(&state, evaluator, sizing, t)));
            let largest = scenario.population.regions.iter().max_by(|a, b| a.share.total_cmp(&b.share));
            let name = largest.map_or("", |r| r.name.as_str());
            if scenario.population.regions.len() < 2 {
                "there is one region only".to_owned()
            } else {
                format!("{name} is lost, the others take its users at their own peaks")
            }
        }
        Failure::ColdCache => {
            cold(evaluator, scenario, sizing, &mut found);
            "one cache starts empty, the worst of all".to_owned()
        }
        Failure::HotRelease => hot(evaluator, scenario, sizing, &mut found),
    };
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found.dedup_by(|a, b| a.0 == b.0);
    let breaks: Vec<String> = found
        .iter()
        .filter(|(_, busy, _)| *busy >= FULL)
        .take(NAMED_MAX)
        .map(|(name, busy, why)| {
            if busy.is_finite() {
                format!("{name} {} busy{why}", human(*busy, Unit::Share))
            } else {
                format!("{name} has nothing left{why}")
            }
        })
        .collect();
    FailureCheck {
        failure: failure.name().to_owned(),
        what,
        required: evaluator.problem.failures.contains(&failure),
        breaks,
        fullest: found.first().filter(|(_, busy, _)| busy.is_finite()).map(|(n, b, _)| (n.clone(), *b)),
    }
}

fn stations(sizing: &Sizing) -> impl Iterator<Item = TierId> + '_ {
    (0..sizing.tiers.len()).filter(|&t| sizing.tiers[t].is_some())
}

/// How busy what is left of a tier is, at its fullest place.
fn of_tier(
    state: &State<'_, '_>,
    evaluator: &Evaluator<'_>,
    sizing: &Sizing,
    tier: TierId,
) -> Option<(String, f64, String)> {
    let places = 0..sizing.loads[tier].places.len();
    let busy = places
        .filter_map(|p| state.busy(tier, p))
        .fold(0.0_f64, |most, b| most.max(if b.is_nan() { 0.0 } else { b }));
    (busy > 0.0).then(|| (evaluator.world.tier_name(tier).to_owned(), busy, String::new()))
}

fn cold(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    found: &mut Vec<(String, f64, String)>,
) {
    for cache in 0..scenario.tiers.len() {
        if sizing.choice.caches[cache].is_none() || scenario.tiers[cache].scope == Scope::User {
            continue;
        }
        let hits = evaluator.cold(&sizing.hits, cache);
        let loads: Vec<TierLoad> = loads(scenario, evaluator.flow, &evaluator.demand, &hits);
        let state =
            State::normal(evaluator, scenario, sizing).under(Failure::ColdCache, None).with(&hits, &loads);
        for tier in stations(sizing) {
            if let Some((name, busy, _)) = of_tier(&state, evaluator, sizing, tier) {
                found.push((name, busy, format!(" while {} is cold", scenario.tier_name(cache))));
            }
        }
    }
}

/// A new object draws a share of the requests for a dataset. Caches have it after its first request; what has no
/// cache before it finds the object on one shard or under one writer.
fn hot(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    found: &mut Vec<(String, f64, String)>,
) -> String {
    let rate = |d: usize| -> f64 {
        let actions = scenario.actions.values().enumerate().filter(|(_, a)| a.of == Some(d));
        actions.map(|(id, _)| evaluator.demand.rates[id]).sum()
    };
    let asked = |d: &usize| rate(*d) > 0.0;
    let Some(dataset) =
        (0..scenario.datasets.len()).filter(asked).max_by(|&a, &b| rate(a).total_cmp(&rate(b)))
    else {
        return "nothing is asked for by name".to_owned();
    };
    let mut hits = sizing.hits.clone();
    for (node, here) in evaluator.flow.nodes.iter().enumerate() {
        if here.lookup && here.call.of == Some(dataset) {
            hits[node] = HOT + (1.0 - HOT) * hits[node];
        }
    }
    let loads: Vec<TierLoad> = loads(scenario, evaluator.flow, &evaluator.demand, &hits);
    let state =
        State::normal(evaluator, scenario, sizing).under(Failure::HotRelease, None).with(&hits, &loads);
    for tier in stations(sizing) {
        if let Some(one) = of_tier(&state, evaluator, sizing, tier) {
            found.push(one);
        }
        let station = scenario.tiers[tier].station.as_ref();
        let alone = station.is_some_and(|s| s.single_writer);
        let uncached = evaluator
            .flow
            .at(tier)
            .any(|n| evaluator.flow.nodes[n].call.of == Some(dataset) && !evaluator.flow.nodes[n].lookup);
        if let (true, true, Some(station)) = (alone, uncached, station) {
            let calls: f64 = loads[tier].places.iter().map(|p| p.work).sum();
            let busy = calls * HOT * station.service_time.mean();
            found.push((scenario.tier_name(tier).to_owned(), busy, " at the object's one writer".to_owned()));
        }
    }
    let name = scenario.datasets.get_index(dataset).map_or("", |(n, _)| n.as_str());
    format!("one new {name} draws {} of the requests for it", human(HOT, Unit::Share))
}
