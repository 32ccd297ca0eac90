//! The queues of a day at the rates that the caches leave, and the latencies of whole requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::distribution::Sampler;
use plimsoll_scenarios::popularity::IndexSampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::SLOTS;
use super::paths::{Draws, EACH_MAX};
use super::rates::Rates;
use super::setup::Setup;
use super::shards::{self, Hottest};
use super::stations::{Demand, PlayedStation, Sample};
use crate::outcome::{Counted, StationSlot};

/// Whole requests drawn per action, region, day and replication, where they are of a few calls.
const PATHS_TARGET: f64 = 60_000.0;
/// Calls of such a request.
const PATH_CALLS: f64 = 8.0;
/// Fewest of them.
const PATHS_MIN: f64 = 4_000.0;
/// Times downstream that are drawn for a blocking station's slot.
const BEHIND: usize = 400;

/// What does not change from slot to slot.
pub(super) struct Fixed<'a> {
    pub setup: &'a Setup<'a>,
    pub rates: Rates,
    /// By tier.
    hottest: Vec<Option<Hottest>>,
    /// By tier: it is called from behind a durable queue only.
    pulled: Vec<bool>,
    latencies: Vec<Option<Sampler>>,
    /// By action: requests to draw a day and region.
    paths: Vec<f64>,
}

impl<'a> Fixed<'a> {
    pub fn new(setup: &'a Setup<'a>, rates: Rates) -> Self {
        let tiers = &setup.scenario.tiers;
        let paths = setup.steps.roots.iter().map(|root| {
            let calls = setup.steps.draws(&setup.flow, root, EACH_MAX).max(1.0);
            (PATHS_TARGET * (PATH_CALLS / calls).min(1.0)).max(PATHS_MIN)
        });
        Self {
            hottest: (0..tiers.len()).map(|t| shards::hottest(setup, t)).collect(),
            pulled: (0..tiers.len()).map(|t| pulled(setup, t)).collect(),
            latencies: tiers.values().map(|t| t.external.as_ref().map(|e| e.latency.sampler())).collect(),
            paths: paths.collect(),
            setup,
            rates,
        }
    }

    /// Latencies of services of somebody else, and the share of calls that they turn away in a slot.
    fn external(&self, slot: usize) -> Vec<Option<(Sampler, f64)>> {
        let beyond = |tier: TierId| {
            let limit = self.setup.scenario.tiers[tier].external.as_ref()?.rate_max.as_ref()?.get();
            let calls = self.rates.calls_everywhere(tier, slot);
            (calls > limit).then(|| 1.0 - limit / calls)
        };
        let each = self.latencies.iter().enumerate();
        each.map(|(t, l)| l.as_ref().map(|l| (l.clone(), beyond(t).unwrap_or(0.0)))).collect()
    }
}

/// Whether every call of a tier comes from behind a durable queue, so that what it cannot take waits there.
fn pulled(setup: &Setup<'_>, tier: TierId) -> bool {
    let behind_queue = |mut node: usize| {
        while let Some(caller) = setup.flow.nodes[node].caller {
            if setup.scenario.tiers[setup.flow.nodes[caller].call.tier].queue.is_some() {
                return true;
            }
            node = caller;
        }
        false
    };
    let mut nodes = setup.flow.at(tier).peekable();
    nodes.peek().is_some() && nodes.all(behind_queue)
}

/// One replication's queues at a place: a region, or what is one for all.
#[derive(Default)]
pub(super) struct Part {
    /// By tier of this place and slot.
    pub stations: BTreeMap<TierId, Vec<StationSlot>>,
    /// By tier: a sample.
    pub waits: BTreeMap<TierId, Vec<f32>>,
    pub sojourns: BTreeMap<TierId, Vec<f32>>,
    /// By tier and slot: how many of these samples there are when it is over.
    pub recorded: BTreeMap<TierId, Vec<usize>>,
    /// By slot and tier, kept where others ask for it.
    pub samples: Vec<Vec<Option<Sample>>>,
    /// By action and slot: seconds, and the share that failed.
    pub first_byte: Vec<Vec<Vec<f32>>>,
    pub failed: Vec<Vec<f64>>,
    /// By tier: how busy the servers of its hottest shard are at the most.
    pub hot_peak: BTreeMap<TierId, f64>,
    pub customers: u64,
}

/// The stations of a tier at a place.
struct Servers {
    tier: TierId,
    pool: Option<PlayedStation>,
    /// Those of its hottest shard, and the share of calls that go there.
    hot: Option<(PlayedStation, f64)>,
    disks: Option<PlayedStation>,
    /// Those that a cache has the rest of what is in memory on.
    disks_of_cache: Option<PlayedStation>,
    slots: Vec<StationSlot>,
}

/// Plays a place (`None`: the tiers that are one for all). `everywhere` has what was played of those.
pub(super) fn play_place(
    fixed: &Fixed<'_>,
    counted: &Counted,
    (seed, replication): (u64, u64),
    region: Option<usize>,
    everywhere: Option<&Part>,
    stop: &AtomicBool,
) -> Option<Part> {
    let setup = fixed.setup;
    let name = region.map_or("everywhere", |r| setup.scenario.population.regions[r].name.as_str());
    let mut servers = servers(fixed, region, name, (seed, replication));
    let mut part = Part::default();
    if region.is_some() {
        part.first_byte = vec![Vec::with_capacity(SLOTS); setup.scenario.actions.len()];
        part.failed = vec![Vec::with_capacity(SLOTS); setup.scenario.actions.len()];
    }
    let mut stream = Stream::new(seed, name, "paths", replication);
    for slot in 0..SLOTS {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let miss = misses(setup, counted, region, slot);
        let on_disk = on_disk(setup, counted, region, slot);
        let external = fixed.external(slot);
        let mut here: Vec<Option<Sample>> = vec![None; setup.scenario.tiers.len()];
        let global = everywhere.map(|part| part.samples[slot].as_slice());
        for at in &mut servers {
            here[at.tier] = at.play_disks_of_cache(fixed, counted, (region, slot));
            let mut draws = Draws {
                setup,
                // What is one for all calls no site in the users' name.
                region: region.unwrap_or(0),
                here: &here,
                everywhere: global,
                miss: &miss,
                on_disk: &on_disk,
                external: &external,
                stream: &mut stream,
                pools: BTreeMap::new(),
            };
            let (behind, failed) = behind(fixed, at.tier, (region, slot), counted, &mut draws);
            let mut sample = at.play(fixed, (region, slot), &behind, &mut part);
            if let Some(disks) = here[at.tier].take() {
                sample = Sample {
                    disk: disks.disk,
                    disk_rejected: disks.disk_rejected,
                    disk_of_cache: true,
                    ..sample
                };
            }
            sample.rejected_share = 1.0 - (1.0 - sample.rejected_share) * (1.0 - failed);
            here[at.tier] = Some(sample);
        }
        if let Some(region) = region {
            let mut draws = Draws {
                setup,
                region,
                here: &here,
                everywhere: global,
                miss: &miss,
                on_disk: &on_disk,
                external: &external,
                stream: &mut stream,
                pools: BTreeMap::new(),
            };
            draw_requests(fixed, counted, (region, slot), &mut draws, &mut part);
        } else {
            part.samples.push(here);
        }
    }
    for at in servers {
        part.stations.insert(at.tier, at.slots);
        if let Some(pool) = at.pool {
            part.customers += pool.customers;
            part.waits.insert(at.tier, pool.waits);
            part.sojourns.insert(at.tier, pool.sojourns);
            part.recorded.insert(at.tier, pool.recorded);
        }
    }
    Some(part)
}

/// The stations of a place, the called before their callers.
fn servers(fixed: &Fixed<'_>, region: Option<usize>, name: &str, draws: (u64, u64)) -> Vec<Servers> {
    let (setup, scenario) = (fixed.setup, fixed.setup.scenario);
    let of_here = |&tier: &TierId| match scenario.tiers[tier].scope {
        Scope::User => false,
        Scope::Global => region.is_none(),
        Scope::Site | Scope::Region => region.is_some(),
    };
    let place = region.unwrap_or(0);
    let of = |tier: TierId| {
        let entity = format!("{}/{name}", scenario.tier_name(tier));
        let pool = PlayedStation::of(scenario, tier, place, &entity, draws, fixed.pulled[tier]);
        let hot = fixed.hottest[tier].and_then(|hottest| {
            let (servers, share) = hottest.on(pool.as_ref()?.servers());
            let entity = format!("{entity}/hottest shard");
            let hot = PlayedStation::of(scenario, tier, place, &entity, draws, false)?;
            Some((hot.of_servers(scenario, tier, servers)?, share))
        });
        let disks = PlayedStation::disks(scenario, tier, place, &entity, draws);
        let of_cache = setup.flow.at(tier).any(|n| setup.read_s[n].is_some());
        let (disks, disks_of_cache) =
            if of_cache { (None, disks.map(PlayedStation::of_calls)) } else { (disks, None) };
        Servers { tier, pool, hot, disks, disks_of_cache, slots: Vec::with_capacity(SLOTS) }
    };
    setup.order.iter().rev().copied().filter(of_here).map(of).collect()
}

impl Servers {
    /// The disks of a cache in memory and on disk. They wait for nobody, so they come first: who is answered from them may
    /// hold a slot meanwhile.
    fn play_disks_of_cache(
        &mut self,
        fixed: &Fixed<'_>,
        counted: &Counted,
        (region, slot): (Option<usize>, usize),
    ) -> Option<Sample> {
        let (setup, rates) = (fixed.setup, &fixed.rates);
        let disks = self.disks_of_cache.as_mut()?;
        let mut times: Vec<(f32, f64)> = Vec::new();
        for node in setup.flow.at(self.tier) {
            let Some(read_s) = setup.read_s[node] else { continue };
            let uses = sum_at(region, counted.calls[node].len(), |r| {
                counted.beside.levels.uses(counted.hits[node][r][slot], (node, r, slot))
            });
            times.push((read_s as f32, uses));
        }
        let all: f64 = times.iter().map(|(_, uses)| uses).sum();
        let rate = rates.operations_at(setup.scenario, self.tier, region, slot);
        let weight = rates.weight(self.tier, region, slot);
        // Calls of several sizes in the proportion of their number.
        let many = if let [_] = times[..] { 1.0 } else { BEHIND as f64 };
        let parts = times
            .iter()
            .map(|&(time, uses)| (time, (uses / all.max(f64::MIN_POSITIVE) * many).ceil() as usize));
        let behind: Vec<f32> = parts.flat_map(|(time, n)| std::iter::repeat_n(time, n)).collect();
        let (_, calls) = disks.play(Demand { rate, weight }, &behind);
        Some(Sample {
            disk: calls.sojourns,
            disk_rejected: calls.rejected_share,
            disk_of_cache: true,
            ..Sample::default()
        })
    }

    fn play(
        &mut self,
        fixed: &Fixed<'_>,
        (region, slot): (Option<usize>, usize),
        behind: &[f32],
        part: &mut Part,
    ) -> Sample {
        let (scenario, rates) = (fixed.setup.scenario, &fixed.rates);
        let weight = rates.weight(self.tier, region, slot);
        let rate = rates.work_at(scenario, self.tier, region, slot);
        let Some(pool) = &mut self.pool else {
            self.slots.push(StationSlot::default());
            return Sample::default();
        };
        let (played, mut sample) = pool.play(Demand { rate, weight }, behind);
        self.slots.push(played);
        if let Some((hot, share)) = &mut self.hot {
            let (played, hottest) = hot.play(Demand { rate: rate * *share, weight }, behind);
            let peak = part.hot_peak.entry(self.tier).or_default();
            *peak = peak.max(played.utilisation);
            sample.hot = Some((*share, Box::new(hottest)));
        }
        if let Some(disks) = &mut self.disks {
            let rate = rates.operations_at(scenario, self.tier, region, slot);
            let service = disks.service_mean_s() as f32;
            let (_, operations) = disks.play(Demand { rate, weight }, &[]);
            sample.disk_rejected = operations.rejected_share;
            // An operation itself is part of the tier's service time.
            sample.disk = operations.sojourns.iter().map(|t| (t - service).max(0.0)).collect();
        }
        sample
    }
}

/// A figure of a region, or of all together.
fn sum_at(region: Option<usize>, regions: usize, of: impl Fn(usize) -> f64) -> f64 {
    match region {
        Some(region) => of(region),
        None => (0..regions).map(of).sum(),
    }
}

/// By call: probability that its cache answers from disk.
fn on_disk(setup: &Setup<'_>, counted: &Counted, region: Option<usize>, slot: usize) -> Vec<f64> {
    let share = |node: usize| {
        let in_memory = &counted.beside.levels.in_memory[node];
        if in_memory.is_empty() {
            return 0.0;
        }
        let sum = |of: &[Vec<f64>]| sum_at(region, of.len(), |r| of[r][slot]);
        let calls = sum(&counted.calls[node]);
        let hits = sum(&counted.hits[node]) - sum(in_memory);
        if calls > 0.0 { (hits / calls).clamp(0.0, 1.0) } else { 0.0 }
    };
    (0..setup.flow.nodes.len()).map(share).collect()
}

/// By call: probability that no cache answers. Latencies are those of requests that leave the device.
fn misses(setup: &Setup<'_>, counted: &Counted, region: Option<usize>, slot: usize) -> Vec<f64> {
    let sum = |grid: &[Vec<f64>]| match region {
        Some(region) => grid[region][slot],
        None => grid.iter().map(|r| r[slot]).sum(),
    };
    let miss = |(node, here): (usize, &crate::flow::Node<'_>)| {
        if setup.scenario.tiers[here.call.tier].scope == Scope::User {
            return 1.0;
        }
        let (calls, hits) = (sum(&counted.calls[node]), sum(&counted.hits[node]));
        if calls > 0.0 { (1.0 - hits / calls).clamp(0.0, 1.0) } else { 1.0 }
    };
    setup.flow.nodes.iter().enumerate().map(miss).collect()
}

/// What a blocking station's slots wait for downstream, and the share of that which fails; nothing for others.
fn behind(
    fixed: &Fixed<'_>,
    tier: TierId,
    (region, slot): (Option<usize>, usize),
    counted: &Counted,
    draws: &mut Draws<'_>,
) -> (Vec<f32>, f64) {
    if !fixed.setup.scenario.tiers[tier].station.as_ref().is_some_and(|s| s.blocking) {
        return (Vec::new(), 0.0);
    }
    let nodes: Vec<usize> = fixed.setup.flow.at(tier).collect();
    let calls = |node: usize| match region {
        Some(region) => counted.calls[node][region][slot],
        None => counted.calls[node].iter().map(|r| r[slot]).sum(),
    };
    let weights: Vec<f64> = nodes.iter().map(|&n| calls(n)).collect();
    if weights.iter().sum::<f64>() <= 0.0 {
        return (Vec::new(), 0.0);
    }
    let choice = IndexSampler::new(&weights);
    let times: Vec<f64> = (0..BEHIND)
        .map(|_| {
            let node = nodes[choice.draw(draws.stream)];
            draws.after(node)
        })
        .collect();
    let good: Vec<f32> = times.iter().filter(|t| t.is_finite()).map(|&t| t as f32).collect();
    let failed = 1.0 - good.len() as f64 / times.len() as f64;
    (good, failed)
}

/// Draws requests of every action of a region in a slot, in proportion to the slot's part of the day.
fn draw_requests(
    fixed: &Fixed<'_>,
    counted: &Counted,
    (region, slot): (usize, usize),
    draws: &mut Draws<'_>,
    part: &mut Part,
) {
    let setup = fixed.setup;
    for action in 0..setup.scenario.actions.len() {
        let all = counted.requests[action][region][slot];
        // Those that the device does not answer.
        let remote = all - local(setup, counted, action, region, slot);
        let day = setup.scenario.mean_rate(&setup.scenario.actions[action]) * DAY_S;
        let mut times = Vec::new();
        let mut failed = 0.0;
        if remote > 0.0 && day > 0.0 {
            let share = remote / day * setup.scenario.population.regions.len() as f64;
            let n = (share * fixed.paths[action]).ceil() as usize;
            times.reserve(n);
            for _ in 0..n {
                let time = draws.time(&setup.steps.roots[action]);
                if time.is_finite() { times.push(time as f32) } else { failed += 1.0 }
            }
            // The device never fails; the share is of all the action's requests.
            failed = failed / n as f64 * remote / all;
        }
        part.first_byte[action].push(times);
        part.failed[action].push(failed);
    }
}

/// Requests of an action that its device answers.
fn local(setup: &Setup<'_>, counted: &Counted, action: usize, region: usize, slot: usize) -> f64 {
    let on_device = |node: &usize| {
        let here = &setup.flow.nodes[*node];
        here.action == action
            && here.cause == crate::flow::Cause::Request
            && here.caller.is_none_or(|c| is_user(setup.scenario, setup.flow.nodes[c].call.tier))
            && is_user(setup.scenario, here.call.tier)
    };
    (0..setup.flow.nodes.len()).filter(on_device).map(|n| counted.hits[n][region][slot]).sum()
}

fn is_user(scenario: &Scenario, tier: TierId) -> bool {
    scenario.tiers[tier].scope == Scope::User
}
