//! A plan in words: what binds each tier, what breaks with one step less, and why not something else.

use plimsoll_reports::format::{human, significant};
use plimsoll_reports::plan::{Alternative, PlannedSites};
use plimsoll_reports::record::Unit;
use plimsoll_scenarios::distance::mean_distance_m;
use plimsoll_scenarios::{Knob, Policy, Scenario, Scheme, TierId};

use super::PlanError;
use super::evaluate::{Broken, Evaluator, Sizing};
use super::goals::{self, State};
use super::problem::{Chosen, Goal, GoalMetric};
use super::search::Found;
use super::shards::HOT_MAX;
use super::size::{self, Reason, Rule, Sized};
use super::slots;

/// Steps away from a chosen value at which it is asked what would be: next to it, and about half and double.
const STEPS: [i64; 4] = [-1, 1, -7, 7];

/// A share that should be near 1 with as many nines as it takes, else as usual.
fn share(value: f64) -> String {
    if value > 0.999 && value < 1.0 {
        let digits = ((-(1.0 - value).log10()).ceil() as usize).clamp(3, 14);
        return format!("{:.*} %", digits.saturating_sub(1), value * 100.0);
    }
    human(value, Unit::Share)
}

/// A goal's value.
#[must_use]
pub fn shown(goal: &Goal, value: f64) -> String {
    match goal.metric {
        GoalMetric::Time { .. } => human(value, Unit::Seconds),
        _ => share(value),
    }
}

/// `edge.hit_ratio 83.1 % < 85 %`.
fn missed(goal: &Goal, value: f64) -> String {
    let name = goal.text.split(['<', '>']).next().unwrap_or_default().trim();
    let sign = if goal.less_than { "≥" } else { "≤" };
    let under = goal.failure.map_or(String::new(), |f| format!(" under {}", f.name()));
    format!("{name} {} {sign} {}{under}", shown(goal, value), shown(goal, goal.bound))
}

/// What is broken, in words.
#[must_use]
pub fn broken(evaluator: &Evaluator<'_>, broken: &Broken) -> String {
    match broken {
        Broken::Goal { goal, value } => missed(&evaluator.problem.goals[*goal], *value),
        Broken::Tier { tier, reason } => {
            format!("{}: {}", evaluator.world.tier_name(*tier), unkept(evaluator, *tier, *reason))
        }
    }
}

/// A reason as something that no permitted number of servers keeps.
fn unkept(evaluator: &Evaluator<'_>, tier: TierId, reason: Reason) -> String {
    let most = evaluator.problem.fleets[tier].as_ref().map_or(0, |f| f.range.1);
    let rule = |index: usize| evaluator.problem.fleets[tier].as_ref().and_then(|f| f.rules.get(index));
    let servers = format!("with {most} servers at most");
    match reason {
        Reason::Busy(i) => format!("busier than {} {servers}", limit(rule(i), true)),
        Reason::Link(i) => format!("links fuller than {} {servers}", limit(rule(i), false)),
        Reason::Operations(i) => format!("disks' operations beyond {} {servers}", limit(rule(i), false)),
        Reason::Storage => format!("what it keeps does not fit {servers}"),
        Reason::Connections => format!("its connections do not fit {servers}"),
        Reason::Room => "the cache does not fit a server".to_owned(),
        Reason::Pieces => format!("a server for every copy or piece is not there {servers}"),
        Reason::Shards => unshardable(evaluator, tier, most),
        Reason::Least | Reason::Stated | Reason::Target(_) => servers,
    }
}

/// Why no shards will do: they may be too few, or one key too hot.
fn unshardable(evaluator: &Evaluator<'_>, tier: TierId, most: u64) -> String {
    let bound = evaluator.problem.free(tier, Knob::Shards).and_then(|f| f.range).map(|(_, high)| high);
    let bound = bound.map_or(String::new(), |n| format!(", {n} shards"));
    format!(
        "the servers of the hottest shard are busier than {} (assumed) with {most} servers{bound} at most",
        human(HOT_MAX, Unit::Share)
    )
}

/// `70 % (assumed)`, `95 % with one server lost (assumed)`.
fn limit(rule: Option<&Rule>, busy: bool) -> String {
    let Some(rule) = rule else { return String::new() };
    let share = human(if busy { rule.busy } else { rule.link }, Unit::Share);
    let under = rule.failure.map_or(String::new(), |f| format!(" under {}", f.name()));
    let assumed = if rule.assumed || !busy { " (assumed)" } else { "" };
    format!("{share}{under}{assumed}")
}

/// What keeps a tier from being smaller: `links 68.2 % full, at most 70 % (assumed)`.
#[must_use]
pub fn binding(evaluator: &Evaluator<'_>, scenario: &Scenario, sizing: &Sizing, tier: TierId) -> String {
    let (Some(sized), Some(fleet)) = (&sizing.tiers[tier], &evaluator.problem.fleets[tier]) else {
        return String::new();
    };
    let rule = |index: usize| fleet.rules.get(index);
    let kind = &fleet.kinds[sized.kind];
    let load = &sizing.loads[tier];
    let most = |what: &dyn Fn(usize) -> f64| (0..load.places.len()).map(what).fold(0.0, f64::max);
    match sized.reason {
        Reason::Busy(i) => {
            let mut state = State::normal(evaluator, scenario, sizing);
            if let Some(failure) = rule(i).and_then(|r| r.failure) {
                state = state.under(failure, Some(tier));
            }
            let busy = most(&|p| state.busy(tier, p).unwrap_or(0.0));
            if busy.is_infinite() {
                return format!("nothing is left, at most {}", limit(rule(i), true));
            }
            format!("{} busy, at most {}", human(busy, Unit::Share), limit(rule(i), true))
        }
        Reason::Link(i) => {
            let failure = rule(i).and_then(|r| r.failure);
            let here = &scenario.tiers[tier];
            let factor = size::more(failure, here.scope, size::largest_share(scenario));
            let full = most(&|p| {
                let place = &load.places[p];
                let k = size::left(failure, sized.pools[p] as f64, place.instances, here.scope, here.zones);
                place.egress * factor / (k * place.instances * kind.link.unwrap_or(f64::INFINITY))
            });
            if full.is_infinite() {
                return format!("nothing is left, at most {}", limit(rule(i), false));
            }
            format!("links {} full, at most {}", human(full, Unit::Share), limit(rule(i), false))
        }
        Reason::Operations(i) => format!("operations of disks, at most {}", limit(rule(i), false)),
        Reason::Storage => format!("disks at most {} full", human(size::FILL, Unit::Share)),
        Reason::Connections => format!("connections at most {} of what fits", human(size::FILL, Unit::Share)),
        Reason::Room => "room for its cache".to_owned(),
        Reason::Pieces => "a server for every copy or piece at every place".to_owned(),
        Reason::Shards => format!(
            "the hottest shard {} busy, at most {} (assumed)",
            human(evaluator.hottest_shard(scenario, sizing, tier).unwrap_or(0.0), Unit::Share),
            human(HOT_MAX, Unit::Share)
        ),
        Reason::Least => "one server at every place".to_owned(),
        Reason::Stated if evaluator.least[tier] > 1 => "raised until the simulator agreed".to_owned(),
        Reason::Stated => "as the scenario states".to_owned(),
        Reason::Target(goal) => evaluator.problem.goals[goal].text.clone(),
    }
}

/// One step less of a tier's servers, all else as planned, and what breaks then.
#[must_use]
pub fn one_less(
    evaluator: &Evaluator<'_>,
    scenario: &Scenario,
    sizing: &Sizing,
    tier: TierId,
) -> Option<String> {
    let (sized, fleet) = (sizing.tiers[tier].as_ref()?, evaluator.problem.fleets[tier].as_ref()?);
    if !fleet.free {
        return None;
    }
    if sized.reason == Reason::Stated {
        return None;
    }
    let Some((servers, pools)) = size::step(sized.servers, &sizing.loads[tier], false, (1, fleet.range.1))
    else {
        return Some("less: some place would have none".to_owned());
    };
    let mut less = sizing.clone();
    less.tiers[tier] = Some(Sized { servers, pools, ..sized.clone() });
    let what = if let Reason::Target(goal) = sized.reason {
        let value = goals::value(evaluator, scenario, &less, &[], goal);
        missed(&evaluator.problem.goals[goal], value)
    } else {
        // The limit is said already.
        let text = binding(evaluator, scenario, &less, tier);
        text.split(", at most").next().filter(|t| !t.is_empty())?.to_owned()
    };
    Some(format!("{servers}: {what}"))
}

/// `3 copies`, `6+3`.
#[must_use]
pub fn scheme(scheme: Scheme) -> String {
    match scheme {
        Scheme::Copies { count: 1, .. } => "1 copy".to_owned(),
        Scheme::Copies { count, .. } => format!("{count} copies"),
        Scheme::Erasure { data, parity } => format!("{data}+{parity}"),
    }
}

/// `edge.cache.capacity = 100 TB`.
fn named(evaluator: &Evaluator<'_>, axis: usize, value: f64) -> String {
    let (tier, knob) = match evaluator.problem.axes[axis].of {
        Chosen::Tier(tier, knob) => (tier, knob),
        Chosen::Sites(region) => {
            return format!("{}.sites = {value}", evaluator.world.population.regions[region].name);
        }
    };
    let field = knob.field().rsplit('.').next().unwrap_or_default();
    let path = format!("{}.{field}", evaluator.world.tier_name(tier));
    let value = match knob {
        Knob::Capacity => human(value, Unit::Bytes),
        Knob::Policy => Policy::NAMES[value as usize].0.to_owned(),
        Knob::Replication => scheme(evaluator.problem.schemes[&tier][value as usize]),
        _ => significant(value, 3),
    };
    format!("{path} = {value}")
}

/// The sites of every region where their number was free.
#[must_use]
pub fn sites(evaluator: &mut Evaluator<'_>, found: &Found) -> Vec<PlannedSites> {
    let scenario = evaluator.changed(&found.sizing.choice).into_owned();
    let mut all = Vec::new();
    for axis in 0..found.point.len() {
        let Chosen::Sites(id) = evaluator.problem.axes[axis].of else { continue };
        let region = &scenario.population.regions[id];
        let one_less = found.point[axis].checked_sub(1).map(|less| {
            let mut point = found.point.clone();
            point[axis] = less;
            match evaluator.size_at(&point) {
                Err(why) => format!("breaks {}", broken(evaluator, &why)),
                Ok(sizing) => {
                    let extra = (sizing.objective - found.sizing.objective).max(0.0);
                    format!("holds, and costs {} more", human(extra, Unit::DollarsPerMonth))
                }
            }
        });
        let distance =
            region.area.as_ref().map_or(0.0, |a| mean_distance_m(a.get(), f64::from(region.sites)));
        all.push(PlannedSites {
            region: region.name.clone(),
            sites: u64::from(region.sites),
            distance_m: distance,
            round_trip_s: scenario.distance_s(region, region.sites),
            one_less: one_less.or_else(|| Some("is less than the scenario permits".to_owned())),
        });
    }
    all
}

/// Why not: values beside those chosen, with everything else sized anew.
#[must_use]
pub fn alternatives(evaluator: &mut Evaluator<'_>, found: &Found) -> Vec<Alternative> {
    let mut all = Vec::new();
    for axis in 0..found.point.len() {
        let last = evaluator.problem.axes[axis].values.len() as i64 - 1;
        let here = found.point[axis] as i64;
        let steps = match evaluator.problem.axes[axis].of {
            // One after the other, and not 24 a decade.
            Chosen::Sites(_) => {
                let sites = evaluator.problem.axes[axis].values[found.point[axis]] as i64;
                [-1, 1, -sites / 2, sites]
            }
            Chosen::Tier(..) => STEPS,
        };
        let mut values: Vec<usize> = steps
            .iter()
            .map(|step| (here + step).clamp(0, last) as usize)
            .filter(|&v| v != found.point[axis])
            .collect();
        values.sort_unstable();
        values.dedup();
        for value in values {
            let mut point = found.point.clone();
            point[axis] = value;
            let what = named(evaluator, axis, evaluator.problem.axes[axis].values[value]);
            all.push(alternative(evaluator, found, &point, what));
        }
    }
    all.extend(kinds(evaluator, found));
    all.extend(slots::alternatives(evaluator, &found.sizing));
    all.extend(shards(evaluator, &found.sizing));
    all
}

fn alternative(evaluator: &mut Evaluator<'_>, found: &Found, point: &[usize], what: String) -> Alternative {
    match evaluator.size_at(point) {
        Err(why) => Alternative {
            what,
            verdict: format!("breaks {}", broken(evaluator, &why)),
            extra_per_month: None,
        },
        Ok(sizing) => {
            let extra = sizing.objective - found.sizing.objective;
            let mut changes = changes(evaluator, &found.sizing, &sizing);
            changes.truncate(2);
            let verdict = if changes.is_empty() {
                "holds with the same servers, and is larger".to_owned()
            } else {
                format!("holds with {}", changes.join(", "))
            };
            Alternative { what, verdict, extra_per_month: Some(extra) }
        }
    }
}

/// `web +12`, by falling change of cost.
#[must_use]
pub fn changes(evaluator: &Evaluator<'_>, from: &Sizing, to: &Sizing) -> Vec<String> {
    let mut found: Vec<(f64, String)> = Vec::new();
    for tier in 0..from.tiers.len() {
        let (Some(a), Some(b)) = (&from.tiers[tier], &to.tiers[tier]) else { continue };
        let change = b.servers as i64 - a.servers as i64;
        if change != 0 {
            let cost = |s: &Sizing| s.costs[tier].0 + s.costs[tier].1;
            let text = format!("{} {change:+}", evaluator.world.tier_name(tier));
            found.push(((cost(to) - cost(from)).abs(), text));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.into_iter().map(|(_, text)| text).collect()
}

/// Fewer shards, and twice as many.
fn shards(evaluator: &Evaluator<'_>, sizing: &Sizing) -> Vec<Alternative> {
    let scenario = evaluator.changed(&sizing.choice);
    let mut all = Vec::new();
    for tier in 0..sizing.tiers.len() {
        let Some(n) = evaluator.shards_of(&scenario, sizing, tier) else { continue };
        let name = scenario.tier_name(tier);
        let mut other = |n: u64, verdict: String| {
            let what = format!("{name}.shards = {n}");
            all.push(Alternative { what, verdict, extra_per_month: None });
        };
        if n > 1 {
            let most = sizing.tiers[tier].as_ref().and_then(|s| s.pools.iter().max()).copied().unwrap_or(1);
            let (copies, _) = scenario.tiers[tier].replication.pieces();
            let of_own = (n - 1) * u64::from(copies);
            let verdict = if of_own < most {
                format!("leaves {} of {most} servers without keys", most - of_own)
            } else {
                "is less than the scenario permits".to_owned()
            };
            other(n - 1, verdict);
        }
        if let Some(hot) = evaluator.hottest_of(&scenario, sizing, tier, 2 * n) {
            other(2 * n, format!("holds, the servers of the hottest {} busy", human(hot, Unit::Share)));
        }
    }
    all
}

/// Other instance types of tiers that had a choice: how many it takes of them, and what that costs.
fn kinds(evaluator: &Evaluator<'_>, found: &Found) -> Vec<Alternative> {
    let mut all = Vec::new();
    for (tier, fleet) in evaluator.problem.fleets.iter().enumerate() {
        let (Some(fleet), Some(sized)) = (fleet, &found.sizing.tiers[tier]) else { continue };
        if fleet.kinds.len() < 2 {
            continue;
        }
        let cost = found.sizing.costs[tier].0 + found.sizing.costs[tier].1;
        let mut others: Vec<Alternative> = Vec::new();
        let differs = |k: &usize| fleet.kinds[*k].name != fleet.kinds[sized.kind].name;
        for kind in (0..fleet.kinds.len()).filter(differs) {
            let what = format!("{}: {}", evaluator.world.tier_name(tier), fleet.kinds[kind].name);
            let Some(other) = evaluator.with_kind(&found.sizing, tier, kind) else {
                let verdict = "the cache does not fit a server".to_owned();
                others.push(Alternative { what, verdict, extra_per_month: None });
                continue;
            };
            let fixed =
                cost - sized.deployed(&found.sizing.loads[tier]) as f64 * fleet.kinds[sized.kind].monthly;
            let then = fixed + other.deployed(&found.sizing.loads[tier]) as f64 * fleet.kinds[kind].monthly;
            let verdict = format!("holds with {} of them", other.servers);
            others.push(Alternative { what, verdict, extra_per_month: Some(then - cost) });
        }
        others.sort_by(|a, b| {
            a.extra_per_month.unwrap_or(f64::INFINITY).total_cmp(&b.extra_per_month.unwrap_or(f64::INFINITY))
        });
        others.dedup_by(|a, b| a.what == b.what);
        others.truncate(3);
        all.extend(others);
    }
    all
}

/// What can't be met, the best value there is, and what to relax.
#[must_use]
pub fn infeasible(evaluator: &mut Evaluator<'_>, why: &Broken) -> PlanError {
    let cause = broken(evaluator, why);
    let fix = match why {
        Broken::Tier { tier, reason } => {
            let name = evaluator.world.tier_name(*tier);
            match reason {
                Reason::Shards => {
                    format!("write `shards: auto` or more `copies` into `tiers.{name}`, or larger servers")
                }
                Reason::Room => format!("let `{name}` have a larger server, or a smaller cache"),
                Reason::Busy(i) | Reason::Link(i) | Reason::Operations(i)
                    if evaluator.problem.fleets[*tier]
                        .as_ref()
                        .and_then(|f| f.rules.get(*i))
                        .is_some_and(|r| r.failure.is_some()) =>
                {
                    format!(
                        "write `servers: auto` and more `zones` into `tiers.{name}`, or ask less of that failure"
                    )
                }
                _ => format!("raise what `tiers.{name}.servers` may be, or write `auto`"),
            }
        }
        Broken::Goal { goal, value } => {
            let best = evaluator.best_of(*goal).unwrap_or(*value);
            let goal = &evaluator.problem.goals[*goal];
            let relax = match goal.metric {
                GoalMetric::Time { .. } => "service times and round trips alone take that long",
                GoalMetric::HitRatio(_) => "permit a larger cache",
                GoalMetric::Availability | GoalMetric::Durability(_) => {
                    "more copies, zones or pieces (`auto`)"
                }
                GoalMetric::Loss(_) => "permit longer queues",
            };
            format!(
                "the best that sizes can do is {}: relax the target ({relax}), or plan with `--relax`",
                shown(goal, best)
            )
        }
    };
    PlanError::Infeasible { cause, fix }
}

/// How far a goal that can't be met would have to be relaxed, with a little room.
#[must_use]
pub fn relaxed(evaluator: &mut Evaluator<'_>, why: &Broken) -> Option<(usize, f64)> {
    /// Beyond the best there is.
    const ROOM: f64 = 1.05;
    let Broken::Goal { goal, value } = why else { return None };
    let best = evaluator.best_of(*goal).unwrap_or(*value);
    let bound = match evaluator.problem.goals[*goal].metric {
        GoalMetric::Time { .. } | GoalMetric::Loss(_) => best * ROOM,
        _ => 1.0 - (1.0 - best) * ROOM,
    };
    bound.is_finite().then_some((*goal, bound))
}
