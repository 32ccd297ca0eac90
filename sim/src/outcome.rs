//! From what an engine counted to the record of a run. Both engines count the same things.

use plimsoll_reports::record::{
    ActionRun, ActionSeries, Bottleneck, CacheRun, Interval, LinkRun, Method, Provenance, Run, Served,
    SloVerdict, StationRun, TierRun, TierSeries, Unit,
};
use plimsoll_scenarios::slo::Metric;
use plimsoll_scenarios::{Balance, Scenario, Scope, TierId};

use crate::analytic::caches::{self, Chain};
use crate::analytic::queues;
use crate::histogram::Latencies;
use crate::model;

/// What one replication counted, in requests of the whole system.
#[derive(Debug, Clone)]
pub struct Counted {
    /// By action, position in the path, region and slot: requests answered there.
    pub served: Vec<Vec<Vec<Vec<f64>>>>,
    /// By action, region and slot: share of requests that failed.
    pub failed: Vec<Vec<Vec<f64>>>,
    /// By tier and place, then slot.
    pub stations: Vec<Vec<Vec<StationSlot>>>,
    /// By tier.
    pub waits: Vec<Latencies>,
    pub sojourns: Vec<Latencies>,
    /// By action.
    pub first_byte: Vec<Latencies>,
    pub complete: Vec<Latencies>,
    /// By action and slot.
    pub first_byte_slots: Vec<Vec<Latencies>>,
    pub simulated_requests: u64,
    pub simulated_customers: u64,
}

/// One station at one place in one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StationSlot {
    pub utilisation: f64,
    pub wait_mean_s: f64,
    /// Mean number waiting at all its servers.
    pub queue: f64,
    pub rejected_share: f64,
}

/// Everything an engine hands over.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub counted: Vec<Counted>,
    pub slot_s: f64,
    pub slots: usize,
    pub mode: &'static str,
    pub objects_per_sample: u64,
    pub notes: Vec<String>,
    /// Servers of each station that were simulated together at one place.
    pub simulated_servers: Vec<u64>,
}

impl Counted {
    pub fn new(scenario: &Scenario, slots: usize) -> Self {
        let regions = scenario.population.regions.len();
        let grid = || vec![vec![0.0; slots]; regions];
        Self {
            served: scenario.actions.values().map(|a| a.path.iter().map(|_| grid()).collect()).collect(),
            failed: scenario.actions.values().map(|_| grid()).collect(),
            stations: (0..scenario.tiers.len())
                .map(|t| vec![vec![StationSlot::default(); slots]; model::places(scenario, t)])
                .collect(),
            waits: vec![Latencies::default(); scenario.tiers.len()],
            sojourns: vec![Latencies::default(); scenario.tiers.len()],
            first_byte: vec![Latencies::default(); scenario.actions.len()],
            complete: vec![Latencies::default(); scenario.actions.len()],
            first_byte_slots: vec![vec![Latencies::coarse(); slots]; scenario.actions.len()],
            simulated_requests: 0,
            simulated_customers: 0,
        }
    }

    /// Requests of an action that get as far as a position, by region and slot.
    pub fn arriving(&self, action: usize, position: usize, region: usize, slot: usize) -> f64 {
        self.served[action][position..].iter().map(|p| p[region][slot]).sum()
    }
}

/// Mean with a 95 % confidence interval over replications (Student's t).
#[must_use]
pub fn interval(values: &[f64]) -> Interval {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return Interval::exact(mean);
    }
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let margin = student_95(values.len() - 1) * (variance / n).sqrt();
    Interval { value: mean, low: mean - margin, high: mean + margin }
}

/// Two-sided 95 % quantile of Student's t.
fn student_95(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    // Beyond the table the next term of the expansion in 1/freedom is below 0.001.
    TABLE.get(freedom.saturating_sub(1)).copied().unwrap_or(1.96 + 2.42 / freedom as f64)
}

/// Sums over replications, divided by their number.
struct Means<'a> {
    scenario: &'a Scenario,
    outcome: &'a Outcome,
}

impl Means<'_> {
    fn over(&self, each: impl Fn(&Counted) -> f64) -> f64 {
        self.outcome.counted.iter().map(each).sum::<f64>() / self.outcome.counted.len() as f64
    }

    fn interval(&self, each: impl Fn(&Counted) -> f64) -> Interval {
        interval(&self.outcome.counted.iter().map(each).collect::<Vec<_>>())
    }

    /// (action, position) of every path through a tier.
    fn passing(&self, tier: TierId) -> Vec<(usize, usize)> {
        let actions = self.scenario.actions.values().enumerate();
        actions.filter_map(|(id, a)| a.path.iter().position(|&t| t == tier).map(|at| (id, at))).collect()
    }

    /// Requests that reach a tier at a place in a slot, messages sent without waiting among them.
    fn arrivals(&self, tier: TierId, place: usize, slot: usize) -> f64 {
        let regions = 0..self.scenario.population.regions.len();
        let regions = regions.filter(|&r| model::place_of(self.scenario, tier, r) == place);
        regions.map(|r| self.over(|c| arrivals_in(self.scenario, c, tier, r, slot))).sum()
    }

    fn bytes_out(&self, tier: TierId, place: usize, slot: usize) -> f64 {
        if self.scenario.tiers[tier].scope == Scope::User {
            return 0.0;
        }
        let mut bytes = 0.0;
        for (id, at) in self.passing(tier) {
            let size = self.scenario.actions[id].response.get();
            for region in 0..self.scenario.population.regions.len() {
                if model::place_of(self.scenario, tier, region) == place {
                    bytes += size * self.over(|c| c.arriving(id, at, region, slot));
                }
            }
        }
        bytes
    }
}

/// Requests that reach a tier from a region in a slot, messages sent without waiting among them.
pub fn arrivals_in(scenario: &Scenario, counted: &Counted, tier: TierId, region: usize, slot: usize) -> f64 {
    let mut sum = 0.0;
    for (id, action) in scenario.actions.values().enumerate() {
        if let Some(at) = action.path.iter().position(|&t| t == tier) {
            sum += counted.arriving(id, at, region, slot);
        }
        let sent = action.then.iter().filter(|b| b.tier == tier).count();
        if sent > 0 {
            sum += sent as f64 * counted.arriving(id, 0, region, slot);
        }
    }
    sum
}

/// The record of a run.
#[must_use]
pub fn summarise(scenario: &Scenario, outcome: &Outcome, provenance: Provenance) -> Run {
    let means = Means { scenario, outcome };
    let chain = caches::chain(scenario);
    let tiers: Vec<TierRun> = (0..scenario.tiers.len()).map(|t| tier_run(&means, &chain, t)).collect();
    let actions: Vec<ActionRun> = (0..scenario.actions.len()).map(|a| action_run(&means, a)).collect();
    let bottleneck = bottleneck(&tiers);
    let slos = judge(scenario, &tiers, &actions);
    let mut notes = outcome.notes.clone();
    for slo in scenario.slos.iter().filter(|slo| !slos.iter().any(|judged| judged.text == slo.text)) {
        let why = match slo.metric {
            Metric::Durability { .. } => "a day does not show it",
            _ => "there were no requests to judge it by",
        };
        notes.push(format!("`{}` is not judged: {why}", slo.text));
    }
    let unlimited: Vec<&str> = tiers
        .iter()
        .filter(|t| t.station.as_ref().is_some_and(|s| s.utilisation_peak.value >= 0.999))
        .map(|t| t.name.as_str())
        .collect();
    if !unlimited.is_empty() {
        notes.push(format!("{} cannot keep up at the peak and turns requests away", unlimited.join(", ")));
    }
    Run {
        provenance,
        method: Method {
            mode: outcome.mode.to_owned(),
            objects_per_sample: outcome.objects_per_sample,
            replications: outcome.counted.len() as u64,
            simulated_requests: outcome.counted.iter().map(|c| c.simulated_requests).sum(),
            simulated_customers: outcome.counted.iter().map(|c| c.simulated_customers).sum(),
        },
        duration_s: outcome.slot_s * outcome.slots as f64,
        slot_s: outcome.slot_s,
        tiers,
        actions,
        bottleneck,
        slos,
        notes,
    }
}

fn tier_run(means: &Means<'_>, chain: &Chain, tier: TierId) -> TierRun {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let places = model::places(scenario, tier);
    let slots = outcome.slots;
    let sum = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..slots).map(|s| (0..places).map(|p| f(p, s)).sum::<f64>() / outcome.slot_s).collect()
    };
    let rates = sum(&|p, s| means.arrivals(tier, p, s));
    let egress: Vec<f64> = sum(&|p, s| means.bytes_out(tier, p, s)).iter().map(|b| b * 8.0).collect();
    let requests = rates.iter().sum::<f64>() * outcome.slot_s;
    let duration = outcome.slot_s * slots as f64;
    let cache = cache_run(means, chain, tier);
    let station = station_run(means, tier);
    let utilisation =
        (0..slots).map(|s| station.as_ref().map(|_| pool_mean(means, tier, s, |x| x.utilisation))).collect();
    let queue = (0..slots)
        .map(|s| {
            station.as_ref().map(|_| (0..places).map(|p| means.over(|c| c.stations[tier][p][s].queue)).sum())
        })
        .collect();
    let hit_ratio = (0..slots)
        .map(|s| cache.as_ref().and_then(|_| hit_ratio(means, tier, Some(s)).map(|i| i.value)))
        .collect();
    TierRun {
        name: scenario.tier_name(tier).to_owned(),
        requests,
        rate_mean_per_s: requests / duration,
        rate_peak_per_s: rates.iter().copied().fold(0.0, f64::max),
        bytes_out: egress.iter().sum::<f64>() * outcome.slot_s / 8.0,
        egress_peak_bit_per_s: egress.iter().copied().fold(0.0, f64::max),
        link: link_run(means, tier),
        cache,
        station,
        series: TierSeries { rate_per_s: rates, egress_bit_per_s: egress, hit_ratio, utilisation, queue },
    }
}

/// Mean over places, weighted by their slots.
fn pool_mean(means: &Means<'_>, tier: TierId, slot: usize, what: impl Fn(&StationSlot) -> f64) -> f64 {
    let (mut weight, mut sum) = (0.0, 0.0);
    for place in 0..model::places(means.scenario, tier) {
        let Some(pool) = model::pool(means.scenario, tier, place) else { continue };
        let size =
            (pool.servers * pool.concurrency * model::instances_at(means.scenario, tier, place)) as f64;
        weight += size;
        sum += size * means.over(|c| what(&c.stations[tier][place][slot]));
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// Hits over lookups of a tier's cache, over all slots or in one.
fn hit_ratio(means: &Means<'_>, tier: TierId, slot: Option<usize>) -> Option<Interval> {
    let scenario = means.scenario;
    let passing: Vec<_> = means
        .passing(tier)
        .into_iter()
        .filter(|&(id, _)| scenario.looks_up(&scenario.actions[id], tier))
        .collect();
    let ratio = |c: &Counted| {
        let (mut hits, mut lookups) = (0.0, 0.0);
        let slots = slot.map_or(0..means.outcome.slots, |s| s..s + 1);
        for &(id, at) in &passing {
            for region in 0..scenario.population.regions.len() {
                for s in slots.clone() {
                    hits += c.served[id][at][region][s];
                    lookups += c.arriving(id, at, region, s);
                }
            }
        }
        (hits, lookups)
    };
    let any = means.outcome.counted.iter().any(|c| ratio(c).1 > 0.0);
    any.then(|| {
        means.interval(|c| {
            let (hits, lookups) = ratio(c);
            if lookups > 0.0 { hits / lookups } else { 0.0 }
        })
    })
}

fn cache_run(means: &Means<'_>, chain: &Chain, tier: TierId) -> Option<CacheRun> {
    let cache = means.scenario.tiers[tier].cache.as_ref()?;
    let policy = cache.policy.label();
    let servers = means.scenario.tiers[tier].station.as_ref().map_or(1, |s| s.servers.get() as u64);
    Some(CacheRun {
        policy: policy.to_owned(),
        capacity_bytes: cache.capacity.get(),
        instances: if cache.per_server { servers } else { model::instances(means.scenario, tier) },
        hit_ratio: hit_ratio(means, tier, None)?,
        che_hit_ratio: chain.hit_ratio[tier],
    })
}

fn station_run(means: &Means<'_>, tier: TierId) -> Option<StationRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let station = scenario.tiers[tier].station.as_ref()?;
    // Where and when it is busiest.
    let (mut place, mut slot, mut highest) = (0, 0, -1.0);
    for p in 0..model::places(scenario, tier) {
        for s in 0..outcome.slots {
            let u = means.over(|c| c.stations[tier][p][s].utilisation);
            if u > highest {
                (place, slot, highest) = (p, s, u);
            }
        }
    }
    let pool = model::pool(scenario, tier, place)?;
    let instances = model::instances_at(scenario, tier, place) as f64;
    let rate = means.arrivals(tier, place, slot) / outcome.slot_s / instances;
    let (mut waits, mut sojourns) = (Latencies::default(), Latencies::default());
    for counted in &outcome.counted {
        waits.merge(&counted.waits[tier]);
        sojourns.merge(&counted.sojourns[tier]);
    }
    let utilisations: Vec<f64> =
        (0..outcome.slots).map(|s| pool_mean(means, tier, s, |x| x.utilisation)).collect();
    let queue_peak = (0..outcome.slots)
        .map(|s| {
            (0..model::places(scenario, tier))
                .map(|p| means.over(|c| c.stations[tier][p][s].queue))
                .sum::<f64>()
        })
        .fold(0.0, f64::max);
    Some(StationRun {
        servers: station.servers.get() as u64,
        concurrency: station.concurrency.get() as u64,
        service_mean_s: station.service_time.mean(),
        utilisation_mean: utilisations.iter().sum::<f64>() / outcome.slots as f64,
        utilisation_peak: means.interval(|c| c.stations[tier][place][slot].utilisation),
        peak_at_s: (slot as f64 + 0.5) * outcome.slot_s,
        peak_local_s: local_time(means, tier, place, slot),
        peak_region: place_name(scenario, tier, place),
        wait_mean_peak_s: means.interval(|c| c.stations[tier][place][slot].wait_mean_s),
        erlang_wait_peak_s: formula_wait(station, pool, rate, outcome.simulated_servers[tier]),
        wait: waits.summary(),
        sojourn: sojourns.summary(),
        queue_peak,
        rejected_share: rejected_share(means, tier),
    })
}

/// The wait by formula: Erlang C with the Allen-Cunneen correction. Servers that are chosen at random or in
/// turn are queues of their own (in turn, their arrivals are more regular); servers chosen by the fewest
/// requests act as one queue. Infinite values become the wait behind a full queue.
fn formula_wait(station: &plimsoll_scenarios::Station, pool: model::Pool, rate: f64, together: u64) -> f64 {
    let (mean, cv) = (station.service_time.mean(), station.service_time.cv());
    let per_server = rate / pool.servers as f64;
    let wait = match station.balance {
        Balance::Random => queues::allen_cunneen_wait(pool.concurrency, per_server, 1.0, mean, cv),
        Balance::RoundRobin => {
            let arrival_cv = (1.0 / pool.servers.min(together.max(1)) as f64).sqrt();
            queues::allen_cunneen_wait(pool.concurrency, per_server, arrival_cv, mean, cv)
        }
        Balance::LeastConnections => {
            let servers = pool.servers.min(together.max(1));
            queues::allen_cunneen_wait(pool.concurrency * servers, per_server * servers as f64, 1.0, mean, cv)
        }
    };
    if wait.is_finite() { wait } else { f64::from(station.queue_max) * mean / pool.concurrency as f64 }
}

fn rejected_share(means: &Means<'_>, tier: TierId) -> f64 {
    let (mut rejected, mut arrived) = (0.0, 0.0);
    for place in 0..model::places(means.scenario, tier) {
        for slot in 0..means.outcome.slots {
            let arrivals = means.arrivals(tier, place, slot);
            arrived += arrivals;
            rejected += arrivals * means.over(|c| c.stations[tier][place][slot].rejected_share);
        }
    }
    if arrived > 0.0 { rejected / arrived } else { 0.0 }
}

/// Local time of day of the middle of a slot, seconds.
fn local_time(means: &Means<'_>, tier: TierId, place: usize, slot: usize) -> f64 {
    let at_s = (slot as f64 + 0.5) * means.outcome.slot_s;
    let offset = match means.scenario.tiers[tier].scope {
        Scope::Global => 0.0,
        _ => means.scenario.population.regions[place].utc_offset_s,
    };
    (at_s + offset).rem_euclid(plimsoll_scenarios::arrivals::DAY_S)
}

fn place_name(scenario: &Scenario, tier: TierId, place: usize) -> String {
    if scenario.tiers[tier].scope == Scope::Global {
        "everywhere".to_owned()
    } else {
        scenario.population.regions[place].name.clone()
    }
}

fn link_run(means: &Means<'_>, tier: TierId) -> Option<LinkRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let capacity = scenario.tiers[tier].link.as_ref()?.get();
    let links_at = |place| {
        model::instances_at(scenario, tier, place)
            * model::pool(scenario, tier, place).map_or(1, |p| p.servers)
    };
    let places = model::places(scenario, tier);
    let (mut place, mut slot, mut highest) = (0, 0, -1.0);
    for p in 0..places {
        for s in 0..outcome.slots {
            let u = means.bytes_out(tier, p, s) * 8.0 / outcome.slot_s / (links_at(p) as f64 * capacity);
            if u > highest {
                (place, slot, highest) = (p, s, u);
            }
        }
    }
    Some(LinkRun {
        capacity_bit_per_s: capacity,
        instances: (0..places).map(links_at).sum(),
        utilisation_peak: highest.max(0.0),
        peak_at_s: (slot as f64 + 0.5) * outcome.slot_s,
        peak_local_s: local_time(means, tier, place, slot),
        peak_region: place_name(scenario, tier, place),
    })
}

fn action_run(means: &Means<'_>, id: usize) -> ActionRun {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let regions = scenario.population.regions.len();
    let action = &scenario.actions[id];
    let total = |position: usize, slot: usize| -> f64 {
        (0..regions).map(|r| means.over(|c| c.served[id][position][r][slot])).sum()
    };
    let rates: Vec<f64> = (0..outcome.slots)
        .map(|s| (0..action.path.len()).map(|p| total(p, s)).sum::<f64>() / outcome.slot_s)
        .collect();
    let requests = rates.iter().sum::<f64>() * outcome.slot_s;
    let served_by = (0..action.path.len())
        .map(|p| Served {
            tier: scenario.tier_name(action.path[p]).to_owned(),
            share: (0..outcome.slots).map(|s| total(p, s)).sum::<f64>() / requests.max(f64::MIN_POSITIVE),
        })
        .filter(|s| s.share > 0.0)
        .collect();
    let (mut first_byte, mut complete) = (Latencies::default(), Latencies::default());
    let mut slots = vec![Latencies::coarse(); outcome.slots];
    for counted in &outcome.counted {
        first_byte.merge(&counted.first_byte[id]);
        complete.merge(&counted.complete[id]);
        for (all, one) in slots.iter_mut().zip(&counted.first_byte_slots[id]) {
            all.merge(one);
        }
    }
    let quantile = |p: f64| means.interval(|c| c.first_byte[id].quantile(p).unwrap_or(0.0));
    let failed: f64 = (0..outcome.slots)
        .flat_map(|s| (0..regions).map(move |r| (s, r)))
        .map(|(s, r)| means.over(|c| c.failed[id][r][s] * c.arriving(id, 0, r, s)))
        .sum();
    ActionRun {
        name: scenario.action_name(id).to_owned(),
        requests,
        rate_mean_per_s: requests / (outcome.slot_s * outcome.slots as f64),
        rate_peak_per_s: rates.iter().copied().fold(0.0, f64::max),
        served_by,
        first_byte: first_byte.summary(),
        complete: complete.summary(),
        first_byte_p50_s: quantile(0.5),
        first_byte_p99_s: quantile(0.99),
        failed_share: failed / requests.max(f64::MIN_POSITIVE),
        series: ActionSeries {
            rate_per_s: rates,
            first_byte_p50_s: slots.iter().map(|l| l.quantile(0.5)).collect(),
            first_byte_p99_s: slots.iter().map(|l| l.quantile(0.99)).collect(),
        },
    }
}

fn bottleneck(tiers: &[TierRun]) -> Option<Bottleneck> {
    let mut found: Option<Bottleneck> = None;
    let mut consider = |candidate: Bottleneck| {
        if candidate.utilisation > 0.0 && found.as_ref().is_none_or(|f| candidate.utilisation > f.utilisation)
        {
            found = Some(candidate);
        }
    };
    for tier in tiers {
        if let Some(s) = &tier.station {
            // What arrives and not what is let in: a tier that turns requests away has no headroom.
            let offered = s.utilisation_peak.value / (1.0 - s.rejected_share).max(0.01);
            consider(Bottleneck {
                tier: tier.name.clone(),
                resource: "servers".to_owned(),
                utilisation: s.utilisation_peak.value,
                at_s: s.peak_at_s,
                local_s: s.peak_local_s,
                region: s.peak_region.clone(),
                headroom: 1.0 / offered.max(f64::MIN_POSITIVE),
            });
        }
        if let Some(l) = &tier.link {
            consider(Bottleneck {
                tier: tier.name.clone(),
                resource: "link".to_owned(),
                utilisation: l.utilisation_peak,
                at_s: l.peak_at_s,
                local_s: l.peak_local_s,
                region: l.peak_region.clone(),
                headroom: 1.0 / l.utilisation_peak.max(f64::MIN_POSITIVE),
            });
        }
    }
    found
}

/// Share of all requests that failed; `None` without requests.
fn failed_share(actions: &[ActionRun]) -> Option<f64> {
    let requests: f64 = actions.iter().map(|a| a.requests).sum();
    let failed: f64 = actions.iter().map(|a| a.requests * a.failed_share).sum();
    (requests > 0.0).then(|| failed / requests)
}

fn judge(scenario: &Scenario, tiers: &[TierRun], actions: &[ActionRun]) -> Vec<SloVerdict> {
    let tier = |name: &str| tiers.iter().find(|t| t.name == name);
    let action = |name: &str| actions.iter().find(|a| a.name == name);
    let mut verdicts = Vec::new();
    for slo in &scenario.slos {
        let (value, unit) = match &slo.metric {
            Metric::FirstByte { action: name, p } => {
                (action(name).and_then(|a| a.first_byte.at(*p)), Unit::Seconds)
            }
            Metric::Complete { action: name, p } => {
                (action(name).and_then(|a| a.complete.at(*p)), Unit::Seconds)
            }
            Metric::HitRatio { tier: name } => {
                (tier(name).and_then(|t| t.cache.as_ref()).map(|c| c.hit_ratio.value), Unit::Share)
            }
            Metric::Utilisation { tier: name } => {
                (tier(name).and_then(|t| t.station.as_ref()).map(|s| s.utilisation_peak.value), Unit::Share)
            }
            Metric::Headroom { tier: name } => (
                tier(name).and_then(|t| t.station.as_ref()).map(|s| 1.0 - s.utilisation_peak.value),
                Unit::Share,
            ),
            Metric::Loss { tier: Some(name) } => {
                (tier(name).and_then(|t| t.station.as_ref()).map(|s| s.rejected_share), Unit::Share)
            }
            Metric::Loss { tier: None } => (failed_share(actions), Unit::Share),
            // No day is long enough to see it.
            Metric::Durability { .. } => (None, Unit::Share),
            Metric::Availability => (failed_share(actions).map(|failed| 1.0 - failed), Unit::Share),
        };
        // Without an observation (an empty run) nothing is judged.
        verdicts.extend(value.map(|value| SloVerdict {
            text: slo.text.clone(),
            value,
            bound: slo.bound,
            unit,
            holds: slo.holds(value),
        }));
    }
    verdicts
}
