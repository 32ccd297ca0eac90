//! What is free, what must hold, and what is taken for granted: a scenario as a problem of sizing.

use std::collections::BTreeMap;

use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::slo::{Failure, Metric};
use plimsoll_scenarios::{
    Free, FreeSites, Knob, Open, Policy, Scenario, Scheme, Scope, ShardBy, TierId, sites_path,
};

use super::PlanError;
use super::kinds::{Billing, ServerKind, byte_price, kinds_of};
use super::shards::HOT_MAX;
use super::size::Rule;
use super::slots;

/// What is assumed where a scenario says nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Assumed {
    /// How busy servers, links and disks' operations may be at the peak.
    pub utilisation: f64,
    /// One server of a place may fail.
    pub spare: bool,
    /// Failures under which all targets must hold, beside those that targets name.
    pub under: Vec<Failure>,
}

/// How busy the servers that are left may be where nothing is said about that.
pub const UNDER_FAILURE: f64 = 0.95;
/// Most copies, and most zones, that are tried unless the scenario says more.
const COPIES_MAX: u32 = 5;
const ZONES_MAX: u32 = 3;
/// Most sites of a region that are tried unless the scenario says more, and most that a scenario may have.
const SITES_MAX: f64 = 500.0;
const SITES_AT_ALL: f64 = 10_000.0;
/// Servers of a tier that are sized at most.
pub const SERVERS_MAX: u64 = 10_000_000;

/// What an axis is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// A quantity of a tier.
    Tier(TierId, Knob),
    /// The number of sites of a region, by position.
    Sites(usize),
}

impl Chosen {
    /// Whether more of it never makes what is inwards, or a latency, worse: a box of it has a bound.
    #[must_use]
    pub const fn is_ordered(self) -> bool {
        matches!(self, Self::Tier(_, Knob::Capacity) | Self::Sites(_))
    }
}

/// A quantity that the search chooses, with its values in rising order.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub of: Chosen,
    pub values: Vec<f64>,
}

/// A target that several tiers meet together.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    pub text: String,
    pub metric: GoalMetric,
    pub bound: f64,
    pub less_than: bool,
    pub failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GoalMetric {
    /// A quantile of an action's time, to the last byte where `complete`.
    Time {
        action: usize,
        p: f64,
        complete: bool,
    },
    HitRatio(TierId),
    Availability,
    Loss(Option<TierId>),
    Durability(usize),
}

/// Servers of a tier: the kinds to choose from, who pays, and in which numbers.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub kinds: Vec<ServerKind>,
    pub billing: Billing,
    pub range: (u64, u64),
    pub free: bool,
    pub rules: Vec<Rule>,
    /// Of a cache whose servers are assumed, US dollars a month.
    pub per_byte: f64,
}

/// A scenario as a problem.
#[derive(Debug)]
pub struct Problem<'p> {
    pub scenario: Scenario,
    pub prices: &'p PriceList,
    pub free: Vec<Free>,
    /// Regions whose number of sites is free.
    pub sites: Vec<FreeSites>,
    /// By tier; `None` without a station.
    pub fleets: Vec<Option<Fleet>>,
    pub axes: Vec<Axis>,
    /// By tier, where it is free how its data is kept: the ways to choose from, by position on the axis.
    pub schemes: BTreeMap<TierId, Vec<Scheme>>,
    pub goals: Vec<Goal>,
    /// Failures that something must hold under.
    pub failures: Vec<Failure>,
    pub assumptions: Vec<String>,
    /// Without any `auto`, what is free was chosen here.
    pub by_default: bool,
}

impl<'p> Problem<'p> {
    /// # Errors
    /// Missing or unknown prices, and bounds that contradict each other.
    pub fn new(open: &Open, prices: &'p PriceList, assumed: &Assumed) -> Result<Self, PlanError> {
        let scenario = open.scenario.clone();
        let differ =
            |tier: &plimsoll_scenarios::Tier| tier.station.as_ref().is_some_and(|s| !s.kinds.is_empty());
        if let Some((name, _)) = scenario.tiers.iter().find(|(_, tier)| differ(tier)) {
            return Err(PlanError::Kinds { tier: name.clone() });
        }
        let by_default = open.free.is_empty() && open.sites.is_empty();
        let free = if by_default { default_free(&scenario) } else { open.free.clone() };
        if free.is_empty() && open.sites.is_empty() {
            return Err(PlanError::NothingFree { scenario: scenario.name });
        }
        let mut problem = Self {
            fleets: Vec::new(),
            axes: Vec::new(),
            schemes: BTreeMap::new(),
            goals: Vec::new(),
            failures: Vec::new(),
            assumptions: Vec::new(),
            scenario,
            prices,
            free,
            sites: open.sites.clone(),
            by_default,
        };
        problem.goals = problem.goals(assumed);
        problem.failures = problem.failures_of(assumed);
        problem.schemes = problem.schemes()?;
        problem.axes = problem.axes()?;
        for tier in 0..problem.scenario.tiers.len() {
            let fleet = problem.fleet(tier, assumed)?;
            problem.fleets.push(fleet);
        }
        problem.assume(assumed);
        Ok(problem)
    }

    /// The quantity's bounds, where it is free.
    #[must_use]
    pub fn free(&self, tier: TierId, knob: Knob) -> Option<&Free> {
        self.free.iter().find(|f| f.tier == tier && f.knob == knob)
    }

    /// Whether the plan chooses a quantity.
    #[must_use]
    pub fn is_free(&self, tier: TierId, knob: Knob) -> bool {
        self.free(tier, knob).is_some()
    }

    fn goals(&self, assumed: &Assumed) -> Vec<Goal> {
        let scenario = &self.scenario;
        let mut goals = Vec::new();
        for slo in &scenario.slos {
            let action = |name: &str| scenario.actions.get_index_of(name);
            let metric = match &slo.metric {
                Metric::FirstByte { action: name, p } => {
                    action(name).map(|action| GoalMetric::Time { action, p: *p, complete: false })
                }
                Metric::Complete { action: name, p } => {
                    action(name).map(|action| GoalMetric::Time { action, p: *p, complete: true })
                }
                Metric::HitRatio { tier } => scenario.tiers.get_index_of(tier).map(GoalMetric::HitRatio),
                Metric::Availability => Some(GoalMetric::Availability),
                Metric::Loss { tier } => {
                    Some(GoalMetric::Loss(tier.as_ref().and_then(|name| scenario.tiers.get_index_of(name))))
                }
                Metric::Durability { dataset } => {
                    scenario.datasets.get_index_of(dataset).map(GoalMetric::Durability)
                }
                // Quorums, lags and how much of a cache is in memory are nothing that a plan chooses.
                Metric::Utilisation { .. }
                | Metric::Headroom { .. }
                | Metric::Stale { .. }
                | Metric::MemoryHitRatio { .. } => None,
            };
            let Some(metric) = metric else { continue };
            let mut under: Vec<Option<Failure>> = vec![None];
            // What is kept and for how long does not change in an hour of failure.
            if !matches!(metric, GoalMetric::Durability(_) | GoalMetric::Availability) {
                under.extend(slo.under.iter().chain(&assumed.under).map(|&f| Some(f)));
            }
            under.sort_unstable();
            under.dedup();
            goals.extend(under.into_iter().map(|failure| Goal {
                text: slo.text.clone(),
                metric,
                bound: slo.bound,
                less_than: slo.less_than,
                failure,
            }));
        }
        goals
    }

    fn failures_of(&self, assumed: &Assumed) -> Vec<Failure> {
        let named = self.scenario.slos.iter().flat_map(|slo| slo.under.iter().copied());
        let mut all: Vec<Failure> = named.chain(assumed.under.iter().copied()).collect();
        if assumed.spare {
            all.push(Failure::ServerDown);
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// How busy a tier's servers may be, as its own targets say or as is assumed.
    fn rules(&self, tier: TierId, assumed: &Assumed) -> Vec<Rule> {
        let name = self.scenario.tier_name(tier);
        let mut stated: BTreeMap<Option<Failure>, f64> = BTreeMap::new();
        for slo in &self.scenario.slos {
            let busy = match &slo.metric {
                Metric::Utilisation { tier } if tier == name => slo.bound,
                Metric::Headroom { tier } if tier == name => 1.0 - slo.bound,
                _ => continue,
            };
            let under = slo.under.iter().chain(&assumed.under).map(|&f| Some(f));
            for failure in std::iter::once(None).chain(under) {
                let most = stated.entry(failure).or_insert(1.0);
                *most = most.min(busy * (1.0 - 1e-9));
            }
        }
        let rule = |failure: Option<Failure>, otherwise: f64| Rule {
            failure,
            busy: stated.get(&failure).copied().unwrap_or(otherwise),
            link: otherwise,
            assumed: !stated.contains_key(&failure),
        };
        let mut rules = vec![rule(None, assumed.utilisation)];
        rules.extend(self.failures.iter().map(|&failure| rule(Some(failure), UNDER_FAILURE)));
        rules
    }

    fn fleet(&mut self, tier: TierId, assumed: &Assumed) -> Result<Option<Fleet>, PlanError> {
        let here = &self.scenario.tiers[tier];
        let Some(station) = &here.station else { return Ok(None) };
        let free = self.free(tier, Knob::Servers);
        let stated = station.servers.get().round().max(1.0) as u64;
        let range = match free {
            None => (stated, stated),
            Some(Free { range: Some((low, high)), .. }) => (low.ceil().max(1.0) as u64, *high as u64),
            Some(_) => (1, SERVERS_MAX),
        };
        if let (Some(_), Some(ShardBy::Range)) =
            (self.free(tier, Knob::Shards), here.sharding.as_ref().map(|s| s.by))
        {
            let name = self.scenario.tier_name(tier);
            return Err(PlanError::Prices {
                cause: format!(
                    "tiers.{name}.shards: ranges of keys are as hot as their keys, whatever their number"
                ),
                fix: "write `by: hash` or `by: consistent`, or the number of shards".to_owned(),
            });
        }
        let (kinds, billing) = kinds_of(&self.scenario, tier, &self.free, self.prices)
            .map_err(|(cause, fix)| PlanError::Prices { cause, fix })?;
        let kinds = match self.free(tier, Knob::Concurrency) {
            None => kinds,
            Some(free) => slots::kinds(free, self.scenario.tier_name(tier), &kinds)
                .map_err(|(cause, fix)| PlanError::Prices { cause, fix })?,
        };
        let named = billing == Billing::Named || here.cache.is_none();
        let per_byte = if named { None } else { byte_price(self.prices) };
        Ok(Some(Fleet {
            kinds,
            billing,
            range,
            free: free.is_some(),
            rules: self.rules(tier, assumed),
            per_byte: per_byte.map_or(0.0, |(_, price)| price),
        }))
    }

    fn axes(&self) -> Result<Vec<Axis>, PlanError> {
        let mut axes = Vec::new();
        for free in &self.sites {
            let (low, high) = free.range.unwrap_or((1.0, SITES_MAX));
            if low > SITES_AT_ALL {
                let name = &self.scenario.population.regions[free.region].name;
                return Err(PlanError::Prices {
                    cause: format!("{}: a region has at most {SITES_AT_ALL} sites", sites_path(name)),
                    fix: "write lower bounds, such as `auto 4 to 40`".to_owned(),
                });
            }
            let range = (low.ceil().max(1.0), high.floor().min(SITES_AT_ALL));
            axes.push(Axis { of: Chosen::Sites(free.region), values: whole(Some(range), 1) });
        }
        for free in &self.free {
            let name = self.scenario.tier_name(free.tier);
            let values = match free.knob {
                Knob::Capacity => self.capacities(free),
                Knob::Policy => policies(free).map_err(|(cause, fix)| PlanError::Prices {
                    cause: format!("tiers.{name}.cache.policy: {cause}"),
                    fix,
                })?,
                Knob::Copies => whole(free.range, COPIES_MAX),
                Knob::Zones => whole(free.range, ZONES_MAX),
                Knob::Replication => (0..self.schemes[&free.tier].len()).map(|i| i as f64).collect(),
                Knob::Servers | Knob::Link | Knob::Instance | Knob::Shards | Knob::Concurrency => continue,
            };
            axes.push(Axis { of: Chosen::Tier(free.tier, free.knob), values });
        }
        Ok(axes)
    }

    /// The ways to keep data of every tier where that is free.
    fn schemes(&self) -> Result<BTreeMap<TierId, Vec<Scheme>>, PlanError> {
        let free = self.free.iter().filter(|free| free.knob == Knob::Replication);
        free.map(|free| {
            let name = self.scenario.tier_name(free.tier);
            let list = schemes(free).map_err(|(cause, fix)| PlanError::Prices {
                cause: format!("tiers.{name}.replication: {cause}"),
                fix,
            })?;
            Ok((free.tier, list))
        })
        .collect()
    }

    /// Capacities from next to nothing to all that the cache may keep, in steps of about a tenth.
    fn capacities(&self, free: &Free) -> Vec<f64> {
        let scenario = &self.scenario;
        let kept: f64 = scenario
            .datasets
            .values()
            .enumerate()
            .filter(|(d, _)| scenario.caches(free.tier, *d))
            .filter(|(d, _)| scenario.actions.values().any(|a| asks(a, free.tier, *d)))
            .map(|(_, dataset)| dataset.count.get() * dataset.size.get())
            .sum();
        let (low, high) = free.range.unwrap_or((kept * 1e-6, kept));
        preferred(low.max(1.0), high.max(1.0), free.range.is_some())
    }

    fn assume(&mut self, assumed: &Assumed) {
        let scenario = &self.scenario;
        let mut told = Vec::new();
        if self.by_default {
            told.push(
                "nothing is `auto`: all servers, and capacities of caches that are not on a device, were chosen"
                    .to_owned(),
            );
        }
        let silent = self.fleets.iter().flatten().any(|f| f.rules.first().is_some_and(|r| r.assumed));
        if silent {
            let share = assumed.utilisation * 100.0;
            told.push(format!(
                "servers without a target of their own, and all links and disks, at most {share:.0} % busy at the peak; \
                 disks and connections at most 80 % full"
            ));
        }
        let sharded = |tier: TierId| {
            self.fleets[tier].as_ref().is_some_and(|f| f.free) && scenario.tiers[tier].sharding.is_some()
        };
        if (0..scenario.tiers.len()).any(sharded) {
            told.push(format!("servers of the hottest shard at most {:.0} % busy", HOT_MAX * 100.0));
        }
        if assumed.spare {
            told.push("one server of any place may fail (N+1): what is left is at most 95 % busy".to_owned());
        }
        let kinds = |billing: Billing| -> Vec<String> {
            let all = self.fleets.iter().enumerate().filter_map(|(t, f)| Some((t, f.as_ref()?)));
            all.filter(|(_, f)| f.billing == billing && !f.kinds.is_empty())
                .map(|(t, _)| scenario.tier_name(t).to_owned())
                .collect()
        };
        let (guessed, shadow) = (kinds(Billing::Assumed), kinds(Billing::Shadow));
        if !guessed.is_empty() {
            told.push(format!(
                "{} without a price: servers of the cheapest type that has the link and the cores, caches at the \
                 cheapest storage of the list",
                guessed.join(", ")
            ));
        }
        if !shadow.is_empty() {
            told.push(format!(
                "{} billed by bytes: servers of the cheapest type that has the link and the cores, and caches at the \
                 cheapest storage, steer the choice and are not in the bill",
                shadow.join(", ")
            ));
        }
        self.assumptions = told;
    }
}

fn asks(action: &plimsoll_scenarios::Action, tier: TierId, dataset: usize) -> bool {
    let mut found = false;
    let mut look = |call: &plimsoll_scenarios::Call, _: bool| {
        found |= call.tier == tier && call.of == Some(dataset) && !call.write;
    };
    action.calls.each(false, &mut look);
    found
}

/// All servers, and all capacities that are not on a device.
fn default_free(scenario: &Scenario) -> Vec<Free> {
    let mut free = Vec::new();
    for (id, tier) in scenario.tiers.values().enumerate() {
        let one = |knob: Knob| Free {
            tier: id,
            knob,
            field: knob.field(),
            range: None,
            choices: Vec::new(),
            origin: tier.origin,
        };
        if tier.station.is_some() {
            free.push(one(Knob::Servers));
        }
        if tier.cache.is_some() && tier.scope != Scope::User {
            free.push(one(Knob::Capacity));
        }
    }
    free
}

/// Preferred numbers of 24 a decade (IEC 60063) between two ends, up to the high end itself; from the low end itself
/// where that is stated.
fn preferred(low: f64, high: f64, with_low: bool) -> Vec<f64> {
    const E24: [f64; 24] = [
        1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0, 3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2,
        6.8, 7.5, 8.2, 9.1,
    ];
    let mut values = Vec::new();
    let mut decade = low.log10().floor() as i32;
    while 10_f64.powi(decade) <= high && values.len() < 1000 {
        // Whole numbers times a power of ten: no digits from rounding.
        let value = |m: &f64| (m * 10.0).round() * 10_f64.powi(decade - 1);
        values.extend(E24.iter().map(value).filter(|v| (low..=high).contains(v)));
        decade += 1;
    }
    if with_low || values.is_empty() {
        values.push(low);
    }
    values.push(high);
    values.sort_by(f64::total_cmp);
    values.dedup_by(|a, b| (*a / *b - 1.0).abs() < 1e-9);
    values
}

fn whole(range: Option<(f64, f64)>, most: u32) -> Vec<f64> {
    let (low, high) = range.unwrap_or((1.0, f64::from(most)));
    ((low.ceil() as u32)..=(high as u32).max(low.ceil() as u32)).map(f64::from).collect()
}

/// Copies and erasure codes to choose from: those named, or what is usual (`6+3` and `10+4` as in HDFS and f4).
fn schemes(free: &Free) -> Result<Vec<Scheme>, (String, String)> {
    const USUAL: [&str; 5] = ["2 copies", "3 copies", "4+2", "6+3", "10+4"];
    const MOST: u32 = 1_000;
    let scheme = |text: &str| {
        let number = |part: &str| part.trim().parse::<u32>().ok().filter(|n| (1..=MOST).contains(n));
        let found = match text.split_once('+') {
            Some((data, parity)) => {
                number(data).zip(number(parity)).map(|(data, parity)| Scheme::Erasure { data, parity })
            }
            None => number(text.trim_end_matches("copies").trim_end_matches("copy"))
                .map(|count| Scheme::Copies { count, write: count / 2 + 1, read: 1 }),
        };
        found.ok_or_else(|| {
            (
                format!("`{text}` is neither a number of copies nor an erasure code"),
                "write `3 copies`, or `6+3` for six pieces and three more".to_owned(),
            )
        })
    };
    if free.choices.is_empty() {
        return USUAL.into_iter().map(scheme).collect();
    }
    free.choices.iter().map(|text| scheme(text)).collect()
}

/// Positions of policies in [`Policy::NAMES`].
fn policies(free: &Free) -> Result<Vec<f64>, (String, String)> {
    if free.choices.is_empty() {
        return Ok(vec![0.0, 1.0]);
    }
    let position = |name: &String| {
        let found = Policy::NAMES.iter().position(|(known, _)| known == name);
        found.map(|i| i as f64).ok_or_else(|| {
            let names: Vec<&str> = Policy::NAMES.iter().map(|(n, _)| *n).collect();
            let fix = plimsoll_scenarios::suggest(name, &names)
                .map_or(format!("write some of {}", names.join(", ")), |n| format!("did you mean `{n}`?"));
            (format!("unknown value `{name}`"), fix)
        })
    };
    let mut all = free.choices.iter().map(position).collect::<Result<Vec<f64>, _>>()?;
    all.sort_by(f64::total_cmp);
    all.dedup();
    Ok(all)
}
