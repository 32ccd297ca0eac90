//! The servers of a tier at one place, slot by slot: whole servers of the pool at their full rate.

use plimsoll_scenarios::distribution::{Distribution, Sampler};
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::Seconds;
use plimsoll_scenarios::{Balance, Scenario, TierId};

use super::SLOT_S;
use crate::model;
use crate::outcome::StationSlot;
use crate::station::{Outcome as Served, Station};

/// Customers per station, place, slot and replication, in the mean; busier slots get more.
const CUSTOMERS_PER_SLOT: f64 = 1000.0;
/// Customers of the quietest slot.
const CUSTOMERS_MIN: usize = 300;
/// Servers of a pool that are played together.
pub(super) const SERVERS_TOGETHER: u64 = 8;
/// Share of its slots that a consumer with a backlog keeps busy.
const CATCHING_UP: f64 = 0.97;
/// Below one customer in thirty years nobody comes, 1/s.
const RATE_MIN: f64 = 1e-9;
/// Requests that may wait for one disk.
const DISK_QUEUE_MAX: usize = 4096;

/// What calls of a tier meet in a slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// Waits plus services.
    pub sojourns: Vec<f32>,
    pub rejected_share: f64,
    /// The same of the hottest shard, where it is told apart, and the share of calls that go there.
    pub hot: Option<(f64, Box<Sample>)>,
    /// Waits for disks.
    pub disk: Vec<f32>,
    pub disk_rejected: f64,
    /// They are those of the tier's cache: only who is answered from disk waits.
    pub disk_of_cache: bool,
}

/// Demand of a slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    /// Work that comes to one instance, in calls of one server, 1/s.
    pub rate: f64,
    /// The slot's part of the tier's demand, 1 in the mean: its distributions hold so many customers of it.
    pub weight: f64,
}

/// Time that a slot is held beyond the service itself: what is waited for downstream, drawn beforehand.
pub(super) type Behind<'b> = &'b [f32];

/// A station with its draws.
pub(super) struct PlayedStation {
    station: Station,
    sampler: Sampler,
    service_mean_s: f64,
    queue_max: u32,
    arrivals: Stream,
    services: Stream,
    choices: Stream,
    now: f64,
    played: u64,
    pool: model::Pool,
    /// Stations like this one at the place.
    instances: f64,
    /// Waits are for a queue that keeps what its consumers do not get to.
    pulled: bool,
    /// What is handed out are waits alone.
    waits_only: bool,
    backlog: f64,
    pub customers: u64,
    pub waits: Vec<f32>,
    pub sojourns: Vec<f32>,
    /// By slot: how many of these there are when it is over.
    pub recorded: Vec<usize>,
}

impl PlayedStation {
    /// The servers of a tier at a place; `None` without any.
    pub fn of(
        scenario: &Scenario,
        tier: TierId,
        place: usize,
        entity: &str,
        (seed, replication): (u64, u64),
        pulled: bool,
    ) -> Option<Self> {
        let station = scenario.tiers[tier].station.as_ref()?;
        let pool = model::pool(scenario, tier, place)?;
        let together = pool.servers.min(SERVERS_TOGETHER);
        let stream = |purpose| Stream::new(seed, entity, purpose, replication);
        Some(Self {
            station: Station::new(
                together as usize,
                pool.concurrency as usize,
                station.queue_max as usize,
                station.balance,
            ),
            sampler: station.service_time.sampler(),
            service_mean_s: station.service_time.mean(),
            queue_max: station.queue_max,
            arrivals: stream("queue arrivals"),
            services: stream("services"),
            choices: stream("balance"),
            now: 0.0,
            played: together,
            pool,
            instances: model::instances_at(scenario, tier, place) as f64,
            pulled,
            waits_only: false,
            backlog: 0.0,
            customers: 0,
            waits: Vec::new(),
            sojourns: Vec::new(),
            recorded: Vec::new(),
        })
    }

    /// The servers that a shard of the station lies on.
    pub fn of_servers(mut self, scenario: &Scenario, tier: TierId, servers: u64) -> Option<Self> {
        let station = scenario.tiers[tier].station.as_ref()?;
        self.pool.servers = servers.max(1);
        self.played = self.pool.servers.min(SERVERS_TOGETHER);
        let (together, slots) = (self.played as usize, self.pool.concurrency as usize);
        self.station = Station::new(together, slots, station.queue_max as usize, station.balance);
        self.pulled = false;
        Some(self)
    }

    /// The disks of a tier's servers at a place: one operation after the other on each.
    pub fn disks(
        scenario: &Scenario,
        tier: TierId,
        place: usize,
        entity: &str,
        (seed, replication): (u64, u64),
    ) -> Option<Self> {
        let iops = scenario.tiers[tier].store.as_ref()?.iops.as_ref()?.get();
        let mut disks =
            Self::of(scenario, tier, place, &format!("{entity}/disks"), (seed, replication), false)?;
        disks.pool.concurrency = 1;
        disks.station = Station::new(disks.played as usize, 1, DISK_QUEUE_MAX, Balance::Random);
        disks.queue_max = DISK_QUEUE_MAX as u32;
        disks.service_mean_s = 1.0 / iops;
        disks.sampler = Distribution::<Seconds>::constant(1.0 / iops).sampler();
        Some(disks)
    }

    /// The disks of a cache in memory and on disk, which each call takes for the time of all its operations: hand them in
    /// as what a slot is held for.
    pub fn of_calls(mut self) -> Self {
        self.service_mean_s = 0.0;
        self.sampler = Distribution::<Seconds>::constant(0.0).sampler();
        self.waits_only = true;
        self
    }

    /// Plays enough customers at this rate to know the slot. The queue goes on from the slot before, whose
    /// rate is near, and the first fifth does not count.
    pub fn play(&mut self, demand: Demand, behind: Behind<'_>) -> (StationSlot, Sample) {
        let played = self.play_slot(demand, behind);
        self.recorded.push(self.waits.len());
        played
    }

    fn play_slot(&mut self, demand: Demand, behind: Behind<'_>) -> (StationSlot, Sample) {
        let held = self.held(behind);
        let full = self.pool.servers as f64 * self.pool.concurrency as f64 / held;
        let rate = if self.pulled { self.pull(demand.rate, full) } else { demand.rate };
        if rate < RATE_MIN {
            return (StationSlot::default(), Sample::default());
        }
        let here = rate * self.played as f64 / self.pool.servers as f64;
        let offered = rate / full;
        // An overloaded queue must be able to fill before it is judged.
        let fill = if offered > 0.95 {
            4.0 * self.played as f64 * (f64::from(self.queue_max) + self.pool.concurrency as f64)
        } else {
            0.0
        };
        let typical = CUSTOMERS_PER_SLOT * demand.weight;
        let customers =
            CUSTOMERS_MIN.max(typical as usize).max(fill.min(200.0 * CUSTOMERS_PER_SLOT) as usize);
        let first = customers / 5;
        let recorded = first + (0.8 * typical) as usize;
        let mut sojourns = Vec::with_capacity(customers - first);
        for i in 0..customers {
            if i == first {
                self.station.take_tally();
            }
            self.now += self.arrivals.exponential() / here;
            let served = {
                let (sampler, services) = (&self.sampler, &mut self.services);
                self.station.arrive_for(self.now, &mut self.choices, || {
                    let own = sampler.draw(services);
                    if behind.is_empty() {
                        own
                    } else {
                        own + f64::from(behind[services.below(behind.len() as u64) as usize])
                    }
                })
            };
            if let (Served::Served { start, finish }, true) = (served, i >= first) {
                if i < recorded {
                    self.waits.push((start - self.now) as f32);
                    self.sojourns.push((finish - self.now) as f32);
                }
                let until = if self.waits_only { start } else { finish };
                sojourns.push((until - self.now) as f32);
            }
        }
        self.customers += customers as u64;
        let tally = self.station.take_tally();
        let accepted = tally.arrivals - tally.rejected;
        let rejected_share = tally.rejected as f64 / tally.arrivals.max(1) as f64;
        let wait_mean_s = tally.wait_s / accepted.max(1) as f64;
        let slot = StationSlot {
            utilisation: (offered * (1.0 - rejected_share)).min(1.0),
            wait_mean_s,
            held_mean_s: held,
            // Little's law, over all servers of the place, and what is still in the queue before them.
            queue: (rate * (1.0 - rejected_share) * wait_mean_s + self.backlog) * self.instances,
            rejected_share,
        };
        (slot, Sample { sojourns, rejected_share, ..Sample::default() })
    }

    /// Servers of the pool.
    pub const fn servers(&self) -> u64 {
        self.pool.servers
    }

    pub const fn service_mean_s(&self) -> f64 {
        self.service_mean_s
    }

    /// Mean time that a slot is held.
    fn held(&self, behind: Behind<'_>) -> f64 {
        let mean = behind.iter().map(|&t| f64::from(t)).sum::<f64>() / behind.len().max(1) as f64;
        (self.service_mean_s + mean).max(f64::MIN_POSITIVE)
    }

    /// Rate at which consumers take from their queue: what comes, and what they are behind with, as fast as
    /// they can. What is left stays in the queue.
    fn pull(&mut self, rate: f64, full: f64) -> f64 {
        let wanted = rate + self.backlog / SLOT_S;
        let taken = if wanted > CATCHING_UP * full { CATCHING_UP * full } else { wanted };
        self.backlog = (self.backlog + (rate - taken) * SLOT_S).max(0.0);
        taken
    }
}
