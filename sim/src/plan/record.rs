//! A plan that was found, as the record that renderers read.

use std::collections::BTreeMap;

use plimsoll_reports::plan::{Cost, Plan, PlannedTier, RegionServers, Search, Target};
use plimsoll_reports::record::{Provenance, Run, Unit};
use plimsoll_scenarios::slo::{Failure, Metric};
use plimsoll_scenarios::{Knob, Scenario, Scheme, Scope, TierId, sites_path};

use super::evaluate::{Evaluator, Sizing};
use super::goals::{self, State};
use super::kinds::Billing;
use super::problem::{GoalMetric, UNDER_FAILURE};
use super::search::Found;
use super::verify::Verified;
use super::{Options, durability, explain, failures, outlook, worlds};
use crate::model;

/// Everything a plan says.
#[must_use]
pub fn record(
    evaluator: &mut Evaluator<'_>,
    found: &Found,
    verified: Verified,
    relaxed: Vec<String>,
    options: &Options<'_>,
) -> Plan {
    let problem = evaluator.problem;
    let sites = explain::sites(evaluator, found);
    let scenario = evaluator.changed(&found.sizing.choice).into_owned();
    let tiers = (0..scenario.tiers.len()).filter_map(|t| tier(evaluator, &scenario, found, t)).collect();
    let targets = targets(evaluator, &scenario, &found.sizing, &verified, options);
    let checks = failures::checks(evaluator, &scenario, &found.sizing, &verified.seen);
    let storage = durability::checks(&scenario, &found.sizing);
    let mut assumptions = problem.assumptions.clone();
    if !storage.is_empty() {
        assumptions.push(durability::ASSUMED.to_owned());
    }
    let mut notes = relaxed;
    notes.extend(verified.notes);
    notes.extend(idle(evaluator, &found.sizing));
    notes.push(format!(
        "Prices: {}, {}, as of {}. On demand, without discounts.",
        options.prices.source, options.prices.region, options.prices.as_of
    ));
    Plan {
        provenance: Provenance { partial: verified.stopped, ..provenance(&scenario, options) },
        summary: scenario.summary.clone(),
        tiers,
        sites,
        targets,
        cost: cost(evaluator, &scenario, &found.sizing),
        search: Search { combinations: found.combinations, sized: found.sized, proved: found.proved },
        load_line: outlook::load_line(evaluator, found),
        growth: outlook::growth(evaluator, found),
        curves: outlook::curves(evaluator, found, options),
        worlds: worlds::worlds(problem, found, options),
        alternatives: explain::alternatives(evaluator, found),
        failures: checks,
        storage,
        verification: verified.record,
        settings: settings(evaluator, &scenario, &found.sizing),
        assumptions,
        notes,
    }
}

fn provenance(scenario: &Scenario, options: &Options<'_>) -> Provenance {
    let mut all = crate::simulate::settings(scenario);
    let mut put = |name: &str, value: String| all.insert(name.to_owned(), value);
    put("utilisation", format!("{} %", options.assumed.utilisation * 100.0));
    put("spare", options.assumed.spare.to_string());
    put("worlds", options.worlds.to_string());
    put("verify", options.verify.to_string());
    if !options.assumed.under.is_empty() {
        let names: Vec<&str> = options.assumed.under.iter().map(|f| f.name()).collect();
        put("under", names.join(", "));
    }
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        seed: options.seed,
        options: all.into_iter().collect::<BTreeMap<_, _>>(),
        partial: false,
    }
}

fn cost(evaluator: &mut Evaluator<'_>, scenario: &Scenario, sizing: &Sizing) -> Cost {
    let fixed = (0..scenario.tiers.len()).map(|t| evaluator.fixed(scenario, &sizing.loads[t], t)).sum();
    let (stated, breaks) = if evaluator.problem.by_default {
        let (stated, broken) = evaluator.stated();
        (Some(stated.bill()), broken)
    } else {
        (None, None)
    };
    Cost {
        total_per_month: sizing.bill(),
        fixed_per_month: fixed,
        stated_per_month: stated,
        stated_breaks: breaks,
    }
}

fn tier(evaluator: &Evaluator<'_>, scenario: &Scenario, found: &Found, tier: TierId) -> Option<PlannedTier> {
    let (problem, sizing) = (evaluator.problem, &found.sizing);
    let here = &scenario.tiers[tier];
    let (bill, shadow) = sizing.costs[tier];
    if here.scope == Scope::User || (here.station.is_none() && here.cache.is_none() && bill <= 0.0) {
        return None;
    }
    let state = State::normal(evaluator, scenario, sizing);
    let load = &sizing.loads[tier];
    let busy = |place: usize| state.busy(tier, place).unwrap_or(0.0);
    let (fleet, sized) = (problem.fleets[tier].as_ref(), sizing.tiers[tier].as_ref());
    let regions = sized.map_or_else(Vec::new, |sized| {
        let row = |(place, at): (usize, &super::load::PlaceLoad)| RegionServers {
            region: if here.scope == Scope::Global {
                "everywhere".to_owned()
            } else {
                scenario.population.regions[place].name.clone()
            },
            servers: sized.pools[place] * at.instances as u64,
            utilisation_peak: busy(place),
        };
        load.places.iter().enumerate().map(row).collect()
    });
    let kind = fleet.zip(sized).map(|(f, s)| &f.kinds[s.kind]);
    let known = |knob: Knob| problem.is_free(tier, knob);
    let chosen: Vec<String> =
        Knob::ALL.into_iter().filter(|&k| known(k)).map(|k| k.field().to_owned()).collect();
    let copies = match here.replication.scheme {
        Scheme::Copies { count, .. } if count > 1 || known(Knob::Copies) => Some(count),
        _ => None,
    };
    let cache = here.cache.as_ref().and(sizing.choice.caches[tier]);
    let instances = here.cache.as_ref().map_or(0, |c| {
        if c.per_server { sized.map_or(1, |s| s.deployed(load)) } else { model::instances(scenario, tier) }
    });
    let stated = problem.by_default;
    Some(PlannedTier {
        name: scenario.tier_name(tier).to_owned(),
        chosen,
        servers: sized.map(|s| s.deployed(load)),
        servers_stated: here.station.as_ref().map(|s| s.servers.get()).filter(|_| stated),
        regions,
        instance: kind.map(|k| match fleet.map(|f| f.billing) {
            Some(Billing::Named) => k.name.clone(),
            _ => format!("{} (assumed)", k.name),
        }),
        capacity_bytes: cache.map(|c| c.capacity),
        capacity_stated_bytes: here.cache.as_ref().map(|c| c.capacity.get()).filter(|_| stated),
        caches: instances,
        policy: here.cache.as_ref().and(cache).map(|c| c.policy.label().to_owned()),
        hit_ratio: here.cache.as_ref().map(|_| goals::hit_ratio(evaluator, &sizing.hits, tier)),
        copies,
        kept_as: (known(Knob::Replication) || !matches!(here.replication.scheme, Scheme::Copies { .. }))
            .then(|| explain::scheme(here.replication.scheme)),
        shards: evaluator
            .shards_of(scenario, sizing, tier)
            .or(here.sharding.as_ref().map(|s| u64::from(s.shards))),
        concurrency: kind.map(|k| k.concurrency as u64),
        zones: here.zones,
        link_bit_per_s: kind.and_then(|k| k.link),
        utilisation_peak: sized.map(|_| (0..load.places.len()).map(busy).fold(0.0, f64::max)),
        binding: explain::binding(evaluator, scenario, sizing, tier),
        one_less: explain::one_less(evaluator, scenario, sizing, tier),
        cost_per_month: bill,
        shadow_per_month: shadow,
    })
}

/// Targets of the scenario, and those assumed.
fn targets(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    verified: &Verified,
    options: &Options<'_>,
) -> Vec<Target> {
    let cold = evaluator.cold_loads(scenario, sizing);
    let run = verified.day.as_ref();
    let over_the_day = |text: &str| run.and_then(|r| r.slos.iter().find(|s| s.text == text)).map(|s| s.value);
    let mut all = Vec::new();
    for (id, goal) in evaluator.problem.goals.iter().enumerate() {
        let value = goals::value(evaluator, scenario, sizing, &cold, id);
        let day = over_the_day(&goal.text).filter(|_| goal.failure.is_none());
        let peak = at_the_peak(scenario, verified, &goal.text, goal.failure, goal.less_than);
        let meets = |v: f64| if goal.less_than { v < goal.bound } else { v > goal.bound };
        all.push(Target {
            text: goal.text.clone(),
            under: goal.failure.map(|f| f.name().to_owned()),
            assumed: false,
            unit: if matches!(goal.metric, GoalMetric::Time { .. }) { Unit::Seconds } else { Unit::Share },
            bound: goal.bound,
            less_than: goal.less_than,
            predicted: Some(value).filter(|v| v.is_finite()),
            simulated: peak,
            simulated_day: day,
            holds: holds(value, [peak, day], meets),
        });
    }
    let state = State::normal(evaluator, scenario, sizing);
    let busy = |tier: TierId| {
        (0..sizing.loads[tier].places.len()).filter_map(|p| state.busy(tier, p)).fold(0.0, f64::max)
    };
    for slo in &scenario.slos {
        let (tier, headroom) = match &slo.metric {
            Metric::Utilisation { tier } => (tier, false),
            Metric::Headroom { tier } => (tier, true),
            _ => continue,
        };
        let Some((tier, _)) = scenario.tier(tier) else { continue };
        let value = if headroom { 1.0 - busy(tier) } else { busy(tier) };
        let day = over_the_day(&slo.text);
        let peak = at_the_peak(scenario, verified, &slo.text, None, slo.less_than);
        all.push(Target {
            text: slo.text.clone(),
            under: None,
            assumed: false,
            unit: Unit::Share,
            bound: slo.bound,
            less_than: slo.less_than,
            predicted: Some(value),
            simulated: peak,
            simulated_day: day,
            // At its own peak every place is busier than at that of all together, and measured for longer.
            holds: holds(value, [day, None], |v| slo.holds(v)),
        });
    }
    all.extend(assumed(evaluator, sizing, &state, run, options));
    all
}

/// The simulator's word where it has one, else the formula's.
fn holds(predicted: f64, simulated: [Option<f64>; 2], meets: impl Fn(f64) -> bool) -> bool {
    let mut said = simulated.into_iter().flatten().peekable();
    if said.peek().is_none() { meets(predicted) } else { said.all(meets) }
}

/// A target's value at the peak as it was played, in the worst case of a failure.
fn at_the_peak(
    scenario: &Scenario,
    verified: &Verified,
    text: &str,
    failure: Option<Failure>,
    less_than: bool,
) -> Option<f64> {
    let id = scenario.slos.iter().position(|slo| slo.text == text)?;
    let worse = |a: f64, b: f64| if (b > a) == less_than { b } else { a };
    verified
        .seen
        .iter()
        .filter(|seen| seen.failure == failure)
        .filter_map(|seen| seen.values[id])
        .reduce(worse)
}

/// The assumed limits, each with the tier that is nearest to it.
fn assumed(
    evaluator: &Evaluator<'_>,
    sizing: &Sizing,
    state: &State<'_, '_>,
    run: Option<&Run>,
    options: &Options<'_>,
) -> Vec<Target> {
    let fullest = |state: &State<'_, '_>, tiers: &[TierId]| -> Option<(TierId, f64)> {
        let busy = |t: TierId| {
            (0..sizing.loads[t].places.len()).filter_map(|p| state.busy(t, p)).fold(0.0, f64::max)
        };
        tiers.iter().map(|&t| (t, busy(t))).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let silent: Vec<TierId> = (0..sizing.tiers.len())
        .filter(|&t| evaluator.problem.fleets[t].as_ref().is_some_and(|f| f.free && f.rules[0].assumed))
        .collect();
    let mut all = Vec::new();
    if let Some((tier, value)) = fullest(state, &silent) {
        let name = evaluator.world.tier_name(tier);
        let played = run.and_then(|r| r.tiers.iter().find(|t| t.name == name));
        let played = played.and_then(|t| t.station.as_ref()).map(|s| s.utilisation_peak.value);
        let bound = options.assumed.utilisation;
        all.push(target(
            format!("every tier at most {} % busy (fullest: {name})", bound * 100.0),
            None,
            bound,
            value,
            played,
        ));
    }
    if options.assumed.spare {
        let hurt = silent.iter().filter_map(|&t| {
            let state = State::normal(evaluator, evaluator.world, sizing);
            fullest(&state.under(Failure::ServerDown, Some(t)), &[t])
        });
        if let Some((tier, value)) = hurt.max_by(|a, b| a.1.total_cmp(&b.1)) {
            let name = evaluator.world.tier_name(tier);
            let text = format!("what is left at most {} % busy (fullest: {name})", UNDER_FAILURE * 100.0);
            all.push(target(text, Some("server-down".to_owned()), UNDER_FAILURE, value, None));
        }
    }
    all
}

fn target(text: String, under: Option<String>, bound: f64, value: f64, simulated: Option<f64>) -> Target {
    Target {
        text,
        under,
        assumed: true,
        unit: Unit::Share,
        bound,
        less_than: true,
        predicted: Some(value),
        simulated: None,
        simulated_day: simulated,
        holds: value <= bound * (1.0 + 1e-9),
    }
}

/// The sizes as settings of the scenario.
fn settings(evaluator: &Evaluator<'_>, scenario: &Scenario, sizing: &Sizing) -> Vec<String> {
    let problem = evaluator.problem;
    let regions = &scenario.population.regions;
    let sites = problem.sites.iter().map(|free| &regions[free.region]);
    let mut all: Vec<String> =
        sites.map(|region| format!("{}={}", sites_path(&region.name), region.sites)).collect();
    for tier in 0..sizing.tiers.len() {
        let name = evaluator.world.tier_name(tier);
        let mut put = |knob: Knob, value: String| {
            if let Some(free) = problem.free(tier, knob) {
                all.push(format!("tiers.{name}.{}={value}", free.field));
            }
        };
        if let Some(size) = sizing.choice.caches[tier] {
            put(Knob::Capacity, bytes(size.capacity));
            let policy = plimsoll_scenarios::Policy::NAMES.iter().find(|(_, p)| *p == size.policy);
            put(Knob::Policy, policy.map_or("lru", |(n, _)| n).to_owned());
        }
        if let Some(copies) = sizing.choice.copies[tier] {
            put(Knob::Copies, copies.to_string());
        }
        if let Some(scheme) = sizing.choice.schemes[tier] {
            put(
                Knob::Replication,
                match scheme {
                    Scheme::Copies { count, .. } => format!("{{copies: {count}}}"),
                    Scheme::Erasure { data, parity } => {
                        format!("{{erasure: {{data: {data}, parity: {parity}}}}}")
                    }
                },
            );
        }
        if let Some(zones) = sizing.choice.zones[tier] {
            put(Knob::Zones, zones.to_string());
        }
        let (Some(sized), Some(fleet)) = (&sizing.tiers[tier], &problem.fleets[tier]) else { continue };
        let kind = &fleet.kinds[sized.kind];
        put(Knob::Servers, sized.servers.to_string());
        put(Knob::Concurrency, kind.concurrency.to_string());
        if let Some(shards) = evaluator.shards_of(scenario, sizing, tier) {
            put(Knob::Shards, shards.to_string());
        }
        put(Knob::Instance, kind.name.clone());
        if let Some(link) = kind.link {
            put(Knob::Link, format!("{} Gbit/s", link / 1e9));
        }
        if problem.is_free(tier, Knob::Instance) && !problem.is_free(tier, Knob::Concurrency) {
            all.push(format!("tiers.{name}.concurrency={}", kind.concurrency));
        }
    }
    all
}

/// Bytes in the largest unit that says them shortly and exactly.
fn bytes(value: f64) -> String {
    let units = [("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)];
    let unit = units.iter().find(|(_, size)| value >= *size);
    unit.map_or_else(|| format!("{value} B"), |(name, size)| format!("{} {name}", value / size))
}

/// Caches of a chosen capacity that hardly ever answer.
fn idle(evaluator: &Evaluator<'_>, sizing: &Sizing) -> Vec<String> {
    /// Share of hits below which a cache is not worth its place.
    const IDLE: f64 = 0.01;
    let tiers = 0..sizing.tiers.len();
    tiers
        .filter(|&t| evaluator.problem.is_free(t, Knob::Capacity))
        .map(|t| (t, goals::hit_ratio(evaluator, &sizing.hits, t)))
        .filter(|(_, hits)| *hits < IDLE)
        .map(|(t, hits)| {
            let name = evaluator.world.tier_name(t);
            let hits = plimsoll_reports::format::human(hits, Unit::Share);
            format!("A cache in {name} does not pay: at the size that costs least it answers {hits}.")
        })
        .collect()
}
