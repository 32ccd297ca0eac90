//! The plan under failures: one server, one zone, one region, a cold cache, a hot release.
//!
//! Why all of them, required or not: a plan that holds in fair weather should say which storm it does not stand.
//! Where a failure may befall one of several (a server of any tier, any cache), each is a case, and the worst counts.

use plimsoll_reports::format::human;
use plimsoll_reports::plan::{FailureCheck, Target};
use plimsoll_reports::record::Unit;
use plimsoll_scenarios::slo::{Failure, Metric};
use plimsoll_scenarios::{DatasetId, Scenario, Scope, TierId};

use super::FAILURES;
use super::evaluate::{Evaluator, Sizing};
use super::goals::State;
use super::load::{TierLoad, loads};
use super::moments::Seen;

/// Share of a dataset's requests that a hot release draws.
pub const HOT: f64 = 0.05;
/// Broken things that are named.
const NAMED_MAX: usize = 3;
/// Use from which on servers don't keep up.
const FULL: f64 = 1.0;

/// Whom a failure befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurt {
    /// Every tier alike.
    All,
    /// One server of a tier, at every place.
    Server(TierId),
    /// The cache of a tier.
    Cache(TierId),
    /// Whoever keeps the object of a dataset that all want.
    Object(DatasetId),
}

/// A failure that befalls somebody, by formula.
#[derive(Debug, Clone)]
pub struct Case {
    pub hurt: Hurt,
    /// By target of the scenario: its value; infinite where nobody is answered, nothing where it has none then.
    pub values: Vec<Option<f64>>,
    /// By tier: how busy what is left of it is, at its fullest place.
    pub busy: Vec<Option<f64>>,
    /// How busy the one writer of the object is that all want.
    writer: Option<(TierId, f64)>,
}

impl Case {
    /// The use of the fullest tier.
    #[must_use]
    pub fn fullest(&self) -> f64 {
        self.busy.iter().flatten().copied().fold(0.0, f64::max)
    }

    fn of(
        evaluator: &Evaluator<'_>,
        scenario: &Scenario,
        sizing: &Sizing,
        hurt: Hurt,
        state: &State<'_, '_>,
    ) -> Self {
        let busy = |tier: TierId| {
            sizing.tiers[tier].as_ref()?;
            Some(state.fullest(tier)).filter(|busy| *busy > 0.0)
        };
        let all: Vec<Option<f64>> = (0..sizing.tiers.len()).map(busy).collect();
        let value = |slo: &plimsoll_scenarios::slo::Slo| match &slo.metric {
            Metric::Utilisation { tier } => all[scenario.tier(tier)?.0],
            Metric::Headroom { tier } => all[scenario.tier(tier)?.0].map(|busy| 1.0 - busy),
            // What is kept and for how long does not change in an hour of failure.
            Metric::Durability { .. } => None,
            Metric::Availability => Some(1.0 - state.lost()),
            _ => {
                let goal = evaluator.problem.goals.iter().find(|g| g.text == slo.text)?;
                Some(state.exactly(goal)).filter(|v| !v.is_nan())
            }
        };
        let values = scenario.slos.iter().map(value).collect();
        let only = |tier: TierId| !matches!(hurt, Hurt::Server(one) if one != tier);
        let busy = all.iter().enumerate().map(|(t, busy)| busy.filter(|_| only(t))).collect();
        Self { hurt, values, busy, writer: None }
    }
}

/// Everybody whom a failure may befall, and what comes of it by formula.
#[must_use]
pub fn cases(evaluator: &Evaluator<'_>, scenario: &Scenario, sizing: &Sizing, failure: Failure) -> Vec<Case> {
    let under = |tier| State::normal(evaluator, scenario, sizing).under(failure, tier);
    let case = |hurt, state: &State<'_, '_>| Case::of(evaluator, scenario, sizing, hurt, state);
    match failure {
        Failure::ServerDown => {
            stations(sizing).map(|tier| case(Hurt::Server(tier), &under(Some(tier)))).collect()
        }
        Failure::RegionDown if scenario.population.regions.len() < 2 => Vec::new(),
        Failure::ZoneDown | Failure::RegionDown => vec![case(Hurt::All, &under(None))],
        Failure::ColdCache => caches(scenario, sizing)
            .map(|cache| {
                let hits = evaluator.cold(&sizing.hits, cache);
                let loads: Vec<TierLoad> = loads(scenario, evaluator.flow, &evaluator.demand, &hits);
                case(Hurt::Cache(cache), &under(None).with(&hits, &loads))
            })
            .collect(),
        Failure::HotRelease => hot(evaluator, scenario, sizing).into_iter().collect(),
    }
}

/// The plan under every failure; `seen` is what the simulator made of them.
#[must_use]
pub fn checks(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    seen: &[Seen],
) -> Vec<FailureCheck> {
    let check = |failure: Failure| {
        let cases = cases(evaluator, scenario, sizing, failure);
        let played: Vec<&Seen> = seen.iter().filter(|s| s.failure == Some(failure)).collect();
        check(evaluator, scenario, failure, &cases, &played)
    };
    FAILURES.into_iter().map(check).collect()
}

fn check(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    failure: Failure,
    cases: &[Case],
    played: &[&Seen],
) -> FailureCheck {
    let mut found: Vec<(String, f64, String)> = Vec::new();
    for case in cases {
        let why = match case.hurt {
            Hurt::Cache(cache) => format!(" while {} is cold", scenario.tier_name(cache)),
            _ => String::new(),
        };
        let busy = case.busy.iter().enumerate().filter_map(|(tier, busy)| Some((tier, (*busy)?)));
        found.extend(busy.map(|(tier, busy)| (scenario.tier_name(tier).to_owned(), busy, why.clone())));
        found.extend(case.writer.map(|(tier, busy)| {
            (scenario.tier_name(tier).to_owned(), busy, " at the object's one writer".to_owned())
        }));
    }
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
        what: what(scenario, failure, cases),
        required: evaluator.problem.failures.contains(&failure),
        breaks,
        fullest: found.first().filter(|(_, busy, _)| busy.is_finite()).map(|(n, b, _)| (n.clone(), *b)),
        targets: targets(scenario, failure, cases, played),
        played: played.iter().map(|seen| seen.what.clone()).collect(),
    }
}

/// All targets of a scenario under a failure: the worst by formula, and the worst that was played.
fn targets(scenario: &Scenario, failure: Failure, cases: &[Case], played: &[&Seen]) -> Vec<Target> {
    let mut all = Vec::new();
    for (id, slo) in scenario.slos.iter().enumerate() {
        let worse = |a: f64, b: f64| if (b > a) == slo.less_than { b } else { a };
        let predicted = cases.iter().filter_map(|c| c.values[id]).reduce(worse);
        let simulated = played.iter().filter_map(|s| s.values[id]).reduce(worse);
        let Some(value) = simulated.or(predicted) else { continue };
        all.push(Target {
            text: slo.text.clone(),
            under: Some(failure.name().to_owned()),
            assumed: false,
            unit: unit(&slo.metric),
            bound: slo.bound,
            less_than: slo.less_than,
            predicted: predicted.filter(|v| v.is_finite()),
            simulated: simulated.filter(|v| v.is_finite()),
            simulated_day: None,
            holds: slo.holds(value),
        });
    }
    all
}

/// What a target counts in.
#[must_use]
pub const fn unit(metric: &Metric) -> Unit {
    match metric {
        Metric::FirstByte { .. } | Metric::Complete { .. } => Unit::Seconds,
        _ => Unit::Share,
    }
}

fn what(scenario: &Scenario, failure: Failure, cases: &[Case]) -> String {
    match failure {
        Failure::ServerDown => "one server of any place, the worst of all".to_owned(),
        Failure::ZoneDown => {
            "one availability zone of every tier; of a tier in one zone, its place".to_owned()
        }
        Failure::RegionDown => {
            largest_region(scenario).map_or("there is one region only".to_owned(), |region| {
                let name = &scenario.population.regions[region].name;
                format!("{name} is lost, the others take its users at their own peaks")
            })
        }
        Failure::ColdCache => "one cache starts empty, the worst of all".to_owned(),
        Failure::HotRelease => match cases.first().map(|case| case.hurt) {
            Some(Hurt::Object(dataset)) => {
                let name = scenario.datasets.get_index(dataset).map_or("", |(n, _)| n.as_str());
                format!("one new {name} draws {} of the requests for it", human(HOT, Unit::Share))
            }
            _ => "nothing is asked for by name".to_owned(),
        },
    }
}

/// The region with most users, where there are others.
#[must_use]
pub fn largest_region(scenario: &Scenario) -> Option<usize> {
    let regions = &scenario.population.regions;
    let largest = (0..regions.len()).max_by(|&a, &b| regions[a].share.total_cmp(&regions[b].share));
    largest.filter(|_| regions.len() > 1)
}

fn stations(sizing: &Sizing) -> impl Iterator<Item = TierId> + '_ {
    (0..sizing.tiers.len()).filter(|&t| sizing.tiers[t].is_some())
}

fn caches<'s>(scenario: &'s Scenario, sizing: &'s Sizing) -> impl Iterator<Item = TierId> + 's {
    let shared = |t: &TierId| sizing.choice.caches[*t].is_some() && scenario.tiers[*t].scope != Scope::User;
    (0..scenario.tiers.len()).filter(shared)
}

/// A new object draws a share of the requests for the dataset that is asked for most. Caches have it after its first
/// request; what has no cache before it finds the object on one shard or under one writer.
fn hot(evaluator: &Evaluator<'_>, scenario: &Scenario, sizing: &Sizing) -> Option<Case> {
    let rate = |d: usize| -> f64 {
        let actions = scenario.actions.values().enumerate().filter(|(_, a)| a.of == Some(d));
        actions.map(|(id, _)| evaluator.demand.rates[id]).sum()
    };
    let asked = (0..scenario.datasets.len()).filter(|d| rate(*d) > 0.0);
    let dataset = asked.max_by(|&a, &b| rate(a).total_cmp(&rate(b)))?;
    let mut hits = sizing.hits.clone();
    for (node, here) in evaluator.flow.nodes.iter().enumerate() {
        if here.lookup && here.call.of == Some(dataset) {
            hits.warm(node, HOT);
        }
    }
    let loads: Vec<TierLoad> = loads(scenario, evaluator.flow, &evaluator.demand, &hits);
    let state =
        State::normal(evaluator, scenario, sizing).under(Failure::HotRelease, None).with(&hits, &loads);
    let mut case = Case::of(evaluator, scenario, sizing, Hurt::Object(dataset), &state);
    let writers = stations(sizing).filter_map(|tier| {
        let station = scenario.tiers[tier].station.as_ref().filter(|s| s.single_writer)?;
        let uncached = |n: usize| {
            let node = &evaluator.flow.nodes[n];
            node.call.of == Some(dataset) && !node.lookup
        };
        let calls: f64 = loads[tier].places.iter().map(|p| p.work).sum();
        evaluator.flow.at(tier).any(uncached).then(|| (tier, calls * HOT * station.service_time.mean()))
    });
    case.writer = writers.max_by(|a, b| a.1.total_cmp(&b.1));
    Some(case)
}
