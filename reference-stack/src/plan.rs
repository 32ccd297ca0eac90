//! What a scenario means for this stack: sizes of tiers, caches and data, or why it can't be played.
//!
//! Why a plan of its own: everything that can be wrong with a scenario is said here, all at once, before
//! any port is opened or file written.

use std::time::Duration;

use plimsoll_scenarios::distribution::Distribution;
use plimsoll_scenarios::units::Seconds;
use plimsoll_scenarios::{Balance, Policy, Scenario, Tier};

use crate::error::StackError;
use crate::tiers;

/// Instances with a listener or gate of their own, per tier.
const INSTANCES_MAX: usize = 256;
/// Slots of one instance.
const SLOTS_MAX: usize = 1 << 20;
/// Songs in the catalogue.
const SONGS_MAX: u64 = 5_000_000;
/// Bytes of one song.
const SONG_BYTES_MAX: u64 = 64 << 20;
/// Bytes of all songs, on disk.
const LIBRARY_BYTES_MAX: u64 = 16 << 30;
/// Slots of a tier that the scenario gives no servers: it shall never queue.
const UNLIMITED_SLOTS: usize = 1 << 16;

/// One tier.
#[derive(Debug, Clone, PartialEq)]
pub struct TierPlan {
    pub name: &'static str,
    /// Round trip from the caller.
    pub rtt: Duration,
    /// One entry per replica (per site at the edge).
    pub instances: Vec<InstancePlan>,
    pub service: Option<Distribution<Seconds>>,
    pub balance: Balance,
    /// Bytes of one cache, where the tier has caches.
    pub cache_bytes: Option<u64>,
}

/// One replica, or one site's share of the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstancePlan {
    pub slots: usize,
    pub queue_max: usize,
}

/// The whole stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub edge: TierPlan,
    pub shield: TierPlan,
    pub gateway: TierPlan,
    pub web: TierPlan,
    pub metadata_cache: TierPlan,
    pub metadata_db: TierPlan,
    pub audio_store: TierPlan,
    pub events: TierPlan,
    pub songs: u64,
    pub song_bytes: usize,
    /// Bytes of one page of search results.
    pub search_bytes: usize,
    /// Requests a second that the gateway lets one key make.
    pub rate_limit_per_s: u32,
}

impl Plan {
    /// Reads the plan from a scenario that is already scaled down.
    ///
    /// # Errors
    /// [`StackError::Unplayable`] with everything that stands in the way.
    pub fn of(scenario: &Scenario) -> Result<Self, StackError> {
        let mut problems = Vec::new();
        let missing: Vec<&str> =
            tiers::ALL.into_iter().filter(|name| scenario.tier(name).is_none()).collect();
        if !missing.is_empty() {
            problems.push(format!(
                "it has no tier {}: add {} under `tiers`, or extend the bundled scenario `spotify`",
                missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
                if missing.len() == 1 { "it" } else { "them" },
            ));
        }
        let mut tier = |name| tier_plan(scenario, name, &mut problems);
        let mut plan = Self {
            edge: tier(tiers::EDGE),
            shield: tier(tiers::SHIELD),
            gateway: tier(tiers::GATEWAY),
            web: tier(tiers::WEB),
            metadata_cache: tier(tiers::METADATA_CACHE),
            metadata_db: tier(tiers::METADATA_DB),
            audio_store: tier(tiers::AUDIO_STORE),
            events: tier(tiers::EVENTS),
            songs: 0,
            song_bytes: 0,
            search_bytes: search_bytes(scenario),
            rate_limit_per_s: rate_limit(scenario),
        };
        match songs(scenario) {
            Ok((count, bytes)) => (plan.songs, plan.song_bytes) = (count, bytes),
            Err(problem) if missing.contains(&tiers::AUDIO_STORE) => drop(problem),
            Err(problem) => problems.push(problem),
        }
        if problems.is_empty() {
            Ok(plan)
        } else {
            Err(StackError::Unplayable { scenario: scenario.name.clone(), problems })
        }
    }
}

fn tier_plan(scenario: &Scenario, name: &'static str, problems: &mut Vec<String>) -> TierPlan {
    let Some((_, tier)) = scenario.tier(name) else {
        // Already reported; the plan is never used.
        return TierPlan {
            name,
            rtt: Duration::ZERO,
            instances: Vec::new(),
            service: None,
            balance: Balance::RoundRobin,
            cache_bytes: None,
        };
    };
    let instances = instances(scenario, name, tier, problems);
    let mut cache_bytes = None;
    if let Some(cache) = tier.cache.as_ref().filter(|_| tiers::is_cache(name)) {
        if cache.policy != Policy::Lru {
            problems.push(format!(
                "tiers.{name}.cache.policy is {:?}: the stack's caches are lru, so write `policy: lru` (the \
                 simulator plays all policies)",
                cache.policy
            ));
        }
        cache_bytes = Some(cache.capacity.get().round() as u64);
    }
    TierPlan {
        name,
        rtt: tier
            .rtt
            .as_ref()
            .map_or(Duration::ZERO, |rtt| Duration::from_secs_f64(rtt.get().clamp(0.0, 60.0))),
        instances,
        service: tier.station.as_ref().map(|station| station.service_time.clone()),
        balance: tier.station.as_ref().map_or(Balance::RoundRobin, |station| station.balance),
        cache_bytes,
    }
}

/// The edge has one instance per site with its share of the servers, every other tier one per server.
fn instances(
    scenario: &Scenario,
    name: &'static str,
    tier: &Tier,
    problems: &mut Vec<String>,
) -> Vec<InstancePlan> {
    let sites = scenario.sites().max(1) as usize;
    let count = |value: f64| value.round().clamp(1.0, SLOTS_MAX as f64) as usize;
    let unlimited = InstancePlan { slots: UNLIMITED_SLOTS, queue_max: 0 };
    let instances: Vec<InstancePlan> = match (&tier.station, name == tiers::EDGE) {
        (None, true) => vec![unlimited; sites.min(INSTANCES_MAX + 1)],
        (None, false) => vec![unlimited],
        (Some(station), edge) => {
            let (servers, slots) = (count(station.servers.get()), count(station.concurrency.get()));
            let queue_max = station.queue_max as usize;
            let of = |servers: usize| InstancePlan {
                slots: servers.saturating_mul(slots).min(SLOTS_MAX),
                queue_max: servers.saturating_mul(queue_max).min(SLOTS_MAX),
            };
            if edge {
                let share = |site| (servers / sites + usize::from(site < servers % sites)).max(1);
                (0..sites.min(INSTANCES_MAX + 1)).map(|site| of(share(site))).collect()
            } else {
                vec![of(1); servers.min(INSTANCES_MAX + 1)]
            }
        }
    };
    if instances.len() > INSTANCES_MAX {
        let what = if name == tiers::EDGE { "sites" } else { "servers" };
        problems.push(format!(
            "tier `{name}` has more than {INSTANCES_MAX} {what} even after scaling: scale down further under `load.scale`"
        ));
    }
    instances
}

/// Number and size of songs: the dataset that is kept in the audio store.
fn songs(scenario: &Scenario) -> Result<(u64, usize), String> {
    let store = scenario.tier(tiers::AUDIO_STORE).map(|(id, _)| id);
    let (name, dataset) = scenario
        .datasets
        .iter()
        .find(|(_, dataset)| dataset.stored_in.is_some() && dataset.stored_in == store)
        .ok_or_else(|| {
            "no dataset is kept in `audio-store`: write `in: audio-store` at the dataset of songs".to_owned()
        })?;
    let count = dataset.count.get().round().max(1.0) as u64;
    let bytes = dataset.size.get().round().max(1.0) as u64;
    if count > SONGS_MAX || bytes > SONG_BYTES_MAX || count.saturating_mul(bytes) > LIBRARY_BYTES_MAX {
        return Err(format!(
            "dataset `{name}` has {count} objects of {bytes} B after scaling; the stack keeps at most {SONGS_MAX} objects, \
             {SONG_BYTES_MAX} B each and {LIBRARY_BYTES_MAX} B in all: scale down under `load.scale` (objects, sizes)"
        ));
    }
    Ok((count, bytes as usize))
}

/// Response size of the action that searches the database (2 KB where none does).
fn search_bytes(scenario: &Scenario) -> usize {
    let database = scenario.tier(tiers::METADATA_DB).map(|(id, _)| id);
    scenario
        .actions
        .values()
        .find(|action| database.is_some_and(|id| action.path.contains(&id)))
        .map_or(2000, |action| action.response.get().round().clamp(1.0, 1e6) as usize)
}

/// Ten times the planned peak, so that only a runaway client meets it.
fn rate_limit(scenario: &Scenario) -> u32 {
    let peak: f64 = scenario
        .actions
        .values()
        .map(|action| {
            let shape: f64 = scenario.population.regions.iter().map(|r| r.share * r.diurnal.peak()).sum();
            scenario.mean_rate(action) * shape
        })
        .sum();
    (peak * 10.0).clamp(20_000.0, 10_000_000.0) as u32
}
