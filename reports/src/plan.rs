//! The record of a plan: sizes, why each is what it is, and what it would take to be wrong.
//!
//! Why every target holds two values: the search goes by formula and the simulator has the last word, so whoever
//! reads a plan should see by how much they differ. Values are in base units.

use serde::{Deserialize, Serialize};

use crate::record::{Provenance, Unit};

/// The sizes of a scenario's tiers at least cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub provenance: Provenance,
    pub summary: String,
    pub tiers: Vec<PlannedTier>,
    /// Regions whose number of sites was chosen.
    #[serde(default)]
    pub sites: Vec<PlannedSites>,
    pub targets: Vec<Target>,
    pub cost: Cost,
    pub search: Search,
    /// Values that were considered and not taken, and why.
    pub alternatives: Vec<Alternative>,
    /// Over the worlds that the scenario's ranges make; nothing without ranges.
    pub worlds: Option<Worlds>,
    /// The demand at which the plan first breaks a target.
    pub load_line: Option<LoadLine>,
    /// What has to be bought as the demand grows.
    pub growth: Vec<Purchase>,
    /// What a stricter or looser target costs.
    pub curves: Vec<Curve>,
    /// What the plan does under failures.
    pub failures: Vec<FailureCheck>,
    /// Copies and what they are worth, of every tier that keeps data.
    pub storage: Vec<StorageCheck>,
    pub verification: Option<Verification>,
    /// The sizes as settings of the scenario: `tiers.web.servers=420`.
    pub settings: Vec<String>,
    /// What was taken for granted where the scenario says nothing.
    pub assumptions: Vec<String>,
    pub notes: Vec<String>,
}

/// One tier of the bill of materials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedTier {
    pub name: String,
    /// What was chosen here: `servers`, `cache.capacity` ... Empty where all was given.
    pub chosen: Vec<String>,
    /// Servers in total; nothing for a tier without.
    pub servers: Option<u64>,
    /// Servers that the scenario states, where it does.
    pub servers_stated: Option<f64>,
    /// Servers by region, summed over sites.
    pub regions: Vec<RegionServers>,
    /// Instance type.
    pub instance: Option<String>,
    /// Bytes of one cache, and hit ratio.
    pub capacity_bytes: Option<f64>,
    pub capacity_stated_bytes: Option<f64>,
    pub caches: u64,
    pub policy: Option<String>,
    pub hit_ratio: Option<f64>,
    pub copies: Option<u32>,
    /// `6+3`, where it is not copies or was chosen.
    #[serde(default)]
    pub kept_as: Option<String>,
    #[serde(default)]
    pub shards: Option<u64>,
    /// Requests that one server works on at a time.
    #[serde(default)]
    pub concurrency: Option<u64>,
    pub zones: u32,
    pub link_bit_per_s: Option<f64>,
    /// Share of the slots that are busy at the peak, of the fullest place.
    pub utilisation_peak: Option<f64>,
    /// What keeps it from being smaller.
    pub binding: String,
    /// One step less, and what breaks.
    pub one_less: Option<String>,
    pub cost_per_month: f64,
    /// What the servers would cost where the tier is billed otherwise; counted in the search, not in the bill.
    pub shadow_per_month: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionServers {
    pub region: String,
    pub servers: u64,
    /// Share of the slots busy at the region's own peak.
    pub utilisation_peak: f64,
}

/// The sites of a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedSites {
    pub region: String,
    pub sites: u64,
    /// Mean distance from a user to the nearest, m.
    pub distance_m: f64,
    /// What that way adds to a round trip, s.
    pub round_trip_s: f64,
    /// One site less, with everything else sized anew: what breaks, or what more it costs.
    pub one_less: Option<String>,
}

/// A target and what the plan makes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// As written, or in words where it is assumed.
    pub text: String,
    /// Failure under which it holds; nothing in normal operation.
    pub under: Option<String>,
    pub assumed: bool,
    pub unit: Unit,
    pub bound: f64,
    pub less_than: bool,
    /// By formula, at the peak.
    pub predicted: Option<f64>,
    /// By the simulator, at the peak.
    pub simulated: Option<f64>,
    /// By the simulator, over a day; of utilisations the highest of the day.
    #[serde(default)]
    pub simulated_day: Option<f64>,
    pub holds: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// All that has a price, US dollars a month.
    pub total_per_month: f64,
    /// Of it, what sizes don't change: traffic, storage, requests.
    pub fixed_per_month: f64,
    /// The same for the scenario as it was written, where it states all sizes.
    pub stated_per_month: Option<f64>,
    /// What the scenario as written breaks first.
    pub stated_breaks: Option<String>,
}

/// How the plan was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// Combinations of capacities, copies and the like that there are.
    pub combinations: f64,
    /// Of which so many were sized.
    pub sized: u64,
    /// No cheaper plan costs less than this share of it; 1 where it is proved to be the cheapest.
    pub proved: f64,
}

/// Something that was not chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alternative {
    /// `edge.cache.capacity = 100 TB`.
    pub what: String,
    pub verdict: String,
    /// More than the plan costs, a month, where it would hold.
    pub extra_per_month: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worlds {
    pub worlds: u64,
    /// Share of the worlds in which the plan holds.
    pub plan_holds: f64,
    /// Plans that hold in a share of the worlds, the cheapest first.
    pub confidence: Vec<Confidence>,
    /// Position in `confidence` of the plan with least regret.
    pub least_regret: usize,
    /// Tiers whose size hangs on the ranges most: name, servers at 5 %, 50 % and 95 % of the worlds.
    pub tiers: Vec<(String, f64, f64, f64)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// `median`, or the share of worlds that each tier is sized for.
    pub sized_for: String,
    /// Share of the worlds in which all targets hold.
    pub holds: f64,
    pub cost_per_month: f64,
    /// Mean regret a month: money spent in vain, and what a shortfall costs.
    pub regret_per_month: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadLine {
    /// Times the demand.
    pub factor: f64,
    /// The target that breaks first.
    pub breaks: String,
    /// Times the demand at which something is full.
    pub full_factor: Option<f64>,
    pub full: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Purchase {
    pub factor: f64,
    /// Years until then at the scenario's growth, where it states one.
    pub years: Option<f64>,
    /// `web +12`.
    pub add: Vec<String>,
    pub cost_per_month: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The target.
    pub target: String,
    pub unit: Unit,
    pub bound: f64,
    /// Bounds and the cost of the cheapest plan for each; no cost where there is none.
    pub points: Vec<(f64, Option<f64>)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureCheck {
    pub failure: String,
    /// In words: what fails.
    pub what: String,
    /// Some target must hold under it.
    pub required: bool,
    /// Targets that break, with their values; empty where all hold.
    pub breaks: Vec<String>,
    /// The fullest tier then.
    pub fullest: Option<(String, f64)>,
    /// All targets of the scenario under it, required or not: the worst value by formula, and as it was played.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// What was played, in words: who was hurt, when and for how long.
    #[serde(default)]
    pub played: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StorageCheck {
    pub tier: String,
    /// `3 copies`, `10+4`.
    pub scheme: String,
    /// Probability that an object is lost in a year, failures independent.
    pub independent_loss: f64,
    /// The same with whole zones, and by an operator's mistake.
    pub zone_loss: f64,
    pub operator_loss: f64,
    /// Probability that some object is lost when 1 % of the servers fail at once.
    pub copyset_loss: f64,
    pub repair_hours: f64,
    /// Bytes a second that repairs take, on average.
    pub repair_bytes_per_s: f64,
    /// Probability that a read right after a write sees the old value.
    pub stale_read: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Days simulated.
    pub runs: u64,
    /// Moments at the peak.
    #[serde(default)]
    pub moments: u64,
    #[serde(default)]
    pub requests: u64,
    /// Times that sizes were raised because the simulator disagreed.
    pub adjusted: Vec<String>,
    pub seconds_simulated: f64,
    pub note: String,
}

/// Two plans, line by line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanComparison {
    pub a: String,
    pub b: String,
    pub rows: Vec<PlanRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    pub what: String,
    pub unit: Unit,
    pub a: Option<f64>,
    pub b: Option<f64>,
}

/// Holds plan `b` against plan `a`: what differs, tier by tier, then targets and cost.
#[must_use]
pub fn compare(a: &Plan, b: &Plan) -> PlanComparison {
    let mut rows = Vec::new();
    let mut row = |what: String, unit: Unit, a: Option<f64>, b: Option<f64>| {
        if a.is_some() || b.is_some() {
            rows.push(PlanRow { what, unit, a, b });
        }
    };
    let names = |plan: &Plan| plan.tiers.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    let mut all = names(a);
    all.extend(names(b).into_iter().filter(|name| !a.tiers.iter().any(|t| t.name == *name)));
    for name in &all {
        let of = |plan: &Plan, what: fn(&PlannedTier) -> Option<f64>| {
            plan.tiers.iter().find(|t| t.name == *name).and_then(what)
        };
        for (label, unit, what) in COMPARED {
            row(format!("{name}, {label}"), unit, of(a, what), of(b, what));
        }
    }
    for sites in a.sites.iter().chain(&b.sites) {
        let of = |plan: &Plan| plan.sites.iter().find(|s| s.region == sites.region).map(|s| s.sites as f64);
        row(format!("{}, sites", sites.region), Unit::Count, of(a), of(b));
    }
    for target in a.targets.iter().chain(&b.targets) {
        let what = match &target.under {
            Some(under) => format!("{} under {under}", target.text),
            None => target.text.clone(),
        };
        let of = |plan: &Plan| {
            let same = |t: &&Target| t.text == target.text && t.under == target.under;
            plan.targets.iter().find(same).and_then(|t| t.predicted)
        };
        row(what, target.unit, of(a), of(b));
    }
    row("load line".to_owned(), Unit::Number, factor(a), factor(b));
    let cost = |plan: &Plan| Some(plan.cost.total_per_month);
    row("cost a month".to_owned(), Unit::DollarsPerMonth, cost(a), cost(b));
    let mut seen = std::collections::BTreeSet::new();
    rows.retain(|row| seen.insert(row.what.clone()));
    PlanComparison { a: a.provenance.scenario.clone(), b: b.provenance.scenario.clone(), rows }
}

fn factor(plan: &Plan) -> Option<f64> {
    plan.load_line.as_ref().map(|line| line.factor)
}

type Compared = (&'static str, Unit, fn(&PlannedTier) -> Option<f64>);

/// What of a tier is compared.
const COMPARED: [Compared; 7] = [
    ("servers", Unit::Count, |t| t.servers.map(|n| n as f64)),
    ("cache", Unit::Bytes, |t| t.capacity_bytes),
    ("copies", Unit::Count, |t| t.copies.map(f64::from)),
    ("shards", Unit::Count, |t| t.shards.map(|n| n as f64)),
    ("slots of a server", Unit::Count, |t| t.concurrency.map(|n| n as f64)),
    ("busy at the peak", Unit::Share, |t| t.utilisation_peak),
    ("cost", Unit::DollarsPerMonth, |t| (t.cost_per_month > 0.0).then_some(t.cost_per_month)),
];
