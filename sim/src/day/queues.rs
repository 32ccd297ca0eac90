//! The queues of a day at the rates that the caches leave, and the latencies of whole paths.

use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::IndexSampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::SLOTS;
use super::setup::Setup;
use crate::flow::Flow;
use crate::model::{self, transfer_time};
use crate::outcome::{Counted, StationSlot};
use crate::station::{Outcome as Served, Station};

/// Customers per station, place, slot and replication, in the mean; busier slots get more.
const CUSTOMERS_PER_SLOT: f64 = 1000.0;
/// Customers of the quietest slot.
const CUSTOMERS_MIN: usize = 300;
/// Servers of a pool that are played together.
pub(super) const SERVERS_TOGETHER: u64 = 8;
/// Whole paths drawn per action, region, day and replication.
const PATHS_TARGET: f64 = 60_000.0;

/// Arrival rates of every tier by region and slot, mean over replications, 1/s.
pub(super) struct Rates(Vec<Vec<Vec<f64>>>);

impl Rates {
    pub fn mean(scenario: &Scenario, flow: &Flow<'_>, counted: &[Counted]) -> Self {
        let slot_s = DAY_S / SLOTS as f64;
        let rate = |tier: TierId, region: usize, slot: usize| {
            let calls = |c: &Counted| -> f64 { flow.at(tier).map(|n| c.calls[n][region][slot]).sum() };
            let sum: f64 = counted.iter().map(calls).sum();
            sum / counted.len() as f64 / slot_s
        };
        Self(
            (0..scenario.tiers.len())
                .map(|t| {
                    (0..scenario.population.regions.len())
                        .map(|r| (0..SLOTS).map(|s| rate(t, r, s)).collect())
                        .collect()
                })
                .collect(),
        )
    }

    /// How this slot of this region compares with the tier's mean over slots and regions.
    fn weight(&self, tier: TierId, region: usize, slot: usize) -> f64 {
        let all = &self.0[tier];
        let total: f64 = all.iter().flatten().sum();
        if total > 0.0 { all[region][slot] / total * (all.len() * SLOTS) as f64 } else { 0.0 }
    }

    /// Rate at one instance of the tier in a region.
    fn at_instance(&self, scenario: &Scenario, tier: TierId, region: usize, slot: usize) -> f64 {
        if scenario.tiers[tier].scope == Scope::Global {
            return self.0[tier].iter().map(|r| r[slot]).sum();
        }
        self.0[tier][region][slot] / model::instances_at(scenario, tier, region) as f64
    }
}

/// Queues and latencies of one region in one replication.
pub(super) struct RegionPart {
    /// By tier and slot.
    pub stations: Vec<Vec<StationSlot>>,
    /// By action and slot.
    pub failed: Vec<Vec<f64>>,
    pub counted: Counted,
}

/// A station of the region, with its draws.
struct PlayedStation {
    station: Station,
    sampler: plimsoll_scenarios::distribution::Sampler,
    arrivals: Stream,
    services: Stream,
    choices: Stream,
    now: f64,
    played: u64,
    pool: model::Pool,
    /// Stations like this one at the place.
    instances: f64,
    /// Waits plus services of the current slot, and how many were rejected.
    sojourns: Vec<f32>,
    rejected_share: f64,
}

pub(super) fn play_queues(
    setup: &Setup<'_>,
    seed: u64,
    replication: u64,
    region: usize,
    rates: &Rates,
    caches: &Counted,
    stop: &AtomicBool,
) -> Option<RegionPart> {
    let scenario = setup.scenario;
    let name = &scenario.population.regions[region].name;
    let mut stations: Vec<Option<PlayedStation>> = (0..scenario.tiers.len())
        .map(|t| PlayedStation::new(scenario, t, region, seed, replication))
        .collect();
    let mut part = RegionPart {
        stations: vec![vec![StationSlot::default(); SLOTS]; scenario.tiers.len()],
        failed: vec![vec![0.0; SLOTS]; scenario.actions.len()],
        counted: Counted::new(scenario, &setup.flow, SLOTS),
    };
    let mut paths = Stream::new(seed, name, "paths", replication);
    for slot in 0..SLOTS {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        for (tier, station) in stations.iter_mut().enumerate() {
            if let Some(station) = station {
                let rate = rates.at_instance(scenario, tier, region, slot);
                let weight = rates.weight(tier, region, slot);
                part.stations[tier][slot] = station.play(scenario, tier, rate, weight, &mut part.counted);
            }
        }
        for action in 0..scenario.actions.len() {
            draw_paths(setup, action, region, slot, &stations, caches, &mut part, &mut paths);
        }
    }
    Some(part)
}

impl PlayedStation {
    fn new(scenario: &Scenario, tier: TierId, region: usize, seed: u64, replication: u64) -> Option<Self> {
        let station = scenario.tiers[tier].station.as_ref()?;
        let pool = model::pool(scenario, tier, model::place_of(scenario, tier, region))?;
        let entity = format!("{}/{}", scenario.tier_name(tier), scenario.population.regions[region].name);
        let together = pool.servers.min(SERVERS_TOGETHER);
        Some(Self {
            station: Station::new(
                together as usize,
                pool.concurrency as usize,
                station.queue_max as usize,
                station.balance,
            ),
            sampler: station.service_time.sampler(),
            arrivals: Stream::new(seed, &entity, "queue arrivals", replication),
            services: Stream::new(seed, &entity, "services", replication),
            choices: Stream::new(seed, &entity, "balance", replication),
            now: 0.0,
            played: together,
            pool,
            instances: model::instances_at(scenario, tier, model::place_of(scenario, tier, region)) as f64,
            sojourns: Vec::new(),
            rejected_share: 0.0,
        })
    }

    /// Plays enough customers at this rate to know the slot. The queue goes on from the slot before, whose
    /// rate is near, and the first fifth does not count. `weight` is the slot's part of the tier's demand:
    /// the tier's distributions hold so many customers of it.
    fn play(
        &mut self,
        scenario: &Scenario,
        tier: TierId,
        rate: f64,
        weight: f64,
        counted: &mut Counted,
    ) -> StationSlot {
        self.sojourns.clear();
        let Some(station) = scenario.tiers[tier].station.as_ref().filter(|_| rate > 0.0) else {
            return StationSlot::default();
        };
        let here = rate * self.played as f64 / self.pool.servers as f64;
        let slots = (self.played * self.pool.concurrency) as f64;
        let offered = here * station.service_time.mean() / slots;
        // An overloaded queue must be able to fill before it is judged.
        let fill = if offered > 0.95 {
            4.0 * self.played as f64 * (f64::from(station.queue_max) + self.pool.concurrency as f64)
        } else {
            0.0
        };
        let typical = CUSTOMERS_PER_SLOT * weight;
        let customers =
            CUSTOMERS_MIN.max(typical as usize).max(fill.min(200.0 * CUSTOMERS_PER_SLOT) as usize);
        let first = customers / 5;
        let recorded = first + (0.8 * typical) as usize;
        for i in 0..customers {
            if i == first {
                self.station.take_tally();
            }
            self.now += self.arrivals.exponential() / here;
            let served = self.station.arrive(self.now, &self.sampler, &mut self.services, &mut self.choices);
            if let (Served::Served { start, finish }, true) = (served, i >= first) {
                if i < recorded {
                    counted.waits[tier].record(start - self.now);
                    counted.sojourns[tier].record(finish - self.now);
                }
                self.sojourns.push((finish - self.now) as f32);
            }
        }
        counted.simulated_customers += customers as u64;
        let tally = self.station.take_tally();
        let accepted = tally.arrivals - tally.rejected;
        self.rejected_share = tally.rejected as f64 / tally.arrivals.max(1) as f64;
        let wait_mean_s = tally.wait_s / accepted.max(1) as f64;
        StationSlot {
            utilisation: (offered * (1.0 - self.rejected_share)).min(1.0),
            wait_mean_s,
            held_mean_s: tally.work_s / accepted.max(1) as f64,
            // Little's law, over all servers of the place.
            queue: rate * (1.0 - self.rejected_share) * wait_mean_s * self.instances,
            rejected_share: self.rejected_share,
        }
    }
}

/// Draws whole paths of an action in a slot: who answers, as the caches said, and the time at every tier up
/// to there, as the queues said. Tiers are independent of each other given the slot, which is the limit for
/// large pools.
#[allow(clippy::too_many_arguments, reason = "one call site; the parts have nothing else in common")]
fn draw_paths(
    setup: &Setup<'_>,
    action: usize,
    region: usize,
    slot: usize,
    stations: &[Option<PlayedStation>],
    caches: &Counted,
    part: &mut RegionPart,
    stream: &mut Stream,
) {
    let scenario = setup.scenario;
    let route = &setup.routes[action];
    let calls: Vec<f64> =
        (0..route.path.len()).map(|p| caches.calls[setup.first_call[action] + p][region][slot]).collect();
    // Where requests end: what reaches a position and not the next one.
    let ends = |p: usize| calls[p] - calls.get(p + 1).copied().unwrap_or(0.0);
    let beyond: Vec<f64> = (route.entry..route.path.len()).map(|p| ends(p).max(0.0)).collect();
    let requests: f64 = beyond.iter().sum();
    if requests <= 0.0 {
        return;
    }
    let day: f64 = scenario.mean_rate(&scenario.actions[action]) * DAY_S;
    let remote = requests / day;
    let draws = (remote * PATHS_TARGET * scenario.population.regions.len() as f64).ceil() as u64;
    let ends = IndexSampler::new(&beyond);
    let transfer = transfer_time(scenario, action, route);
    let mut failed = 0_u64;
    for _ in 0..draws {
        let end = route.entry + ends.draw(stream);
        let mut first_byte = 0.0;
        let mut rejected = false;
        for &tier in &route.path[route.entry..=end] {
            first_byte +=
                scenario.tiers[tier].rtt.as_ref().map_or(0.0, plimsoll_scenarios::units::Quantity::get);
            if let Some(station) = &stations[tier] {
                if station.rejected_share > 0.0 && stream.uniform() < station.rejected_share {
                    rejected = true;
                    break;
                }
                if !station.sojourns.is_empty() {
                    first_byte +=
                        f64::from(station.sojourns[stream.below(station.sojourns.len() as u64) as usize]);
                }
            }
        }
        if rejected {
            failed += 1;
            continue;
        }
        part.counted.first_byte[action].record(first_byte);
        part.counted.first_byte_slots[action][slot].record(first_byte);
        part.counted.complete[action].record(first_byte + transfer);
    }
    // The device never fails; the share is of all the action's requests.
    let all = caches.requests[action][region][slot];
    part.failed[action][slot] = failed as f64 / draws as f64 * requests / all;
}
