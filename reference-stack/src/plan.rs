//! What a scenario means for this stack: sizes of tiers, caches and data, or why it can't be played.
//!
//! Why a plan of its own: everything that can be wrong with a scenario is said here, all at once, before
//! any port is opened or file written.

use std::time::Duration;

use plimsoll_scenarios::distribution::Distribution;
use plimsoll_scenarios::units::{Quantity, Seconds};
use plimsoll_scenarios::{Balance, Policy, Scenario, Tier, TierId};

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
/// Bytes of all copies of all songs, on disk.
const LIBRARY_BYTES_MAX: u64 = 16 << 30;
/// Copies of the audio that are kept; more than three tell nothing new.
const COPIES_MAX: usize = 3;
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
    /// Each of its caches, where the tier has caches.
    pub cache: Option<CachePlan>,
    /// Bits per second that one instance sends.
    pub link_bits_per_s: Option<f64>,
    /// Whole copies of what is stored here.
    pub copies: usize,
}

/// One cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePlan {
    pub policy: Policy,
    pub bytes: u64,
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
    /// Name of the scenario.
    pub name: String,
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
            name: scenario.name.clone(),
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
    let Some((id, tier)) = scenario.tier(name) else {
        // Already reported; the plan is never used.
        return TierPlan {
            name,
            rtt: Duration::ZERO,
            instances: Vec::new(),
            service: None,
            balance: Balance::RoundRobin,
            cache: None,
            link_bits_per_s: None,
            copies: 1,
        };
    };
    let instances = instances(scenario, name, tier, problems);
    let cache = tier.cache.as_ref().filter(|_| tiers::is_cache(name));
    TierPlan {
        name,
        rtt: Duration::from_secs_f64(round_trip(scenario, id, tier).clamp(0.0, 60.0)),
        instances,
        service: tier.station.as_ref().map(|station| station.service_time.clone()),
        balance: tier.station.as_ref().map_or(Balance::RoundRobin, |station| station.balance),
        cache: cache
            .map(|cache| CachePlan { policy: cache.policy, bytes: cache.capacity.get().round() as u64 }),
        link_bits_per_s: tier.link.as_ref().map(Quantity::get),
        copies: (tier.copies() as usize).clamp(1, COPIES_MAX),
    }
}

/// Round trip to a tier, s; of one that users call at sites, with the way to the nearest.
fn round_trip(scenario: &Scenario, id: TierId, tier: &Tier) -> f64 {
    let stated = tier.rtt.as_ref().map_or(0.0, Quantity::get);
    if scenario.is_crossed_to(id) { stated + scenario.mean_distance_s() } else { stated }
}

/// The edge has one instance per site with its share of the servers, by its region's users where there are several
/// regions; every other tier has one per server.
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
                let regions = &scenario.population.regions;
                let share: Box<dyn Fn(usize) -> usize> = if regions.len() > 1 {
                    let of_site: Vec<f64> = regions
                        .iter()
                        .flat_map(|r| std::iter::repeat_n(r.share / f64::from(r.sites), r.sites as usize))
                        .collect();
                    Box::new(move |site| count(station.servers.get() * of_site[site]))
                } else {
                    Box::new(|site| (servers / sites + usize::from(site < servers % sites)).max(1))
                };
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
    let copies = scenario
        .tier(tiers::AUDIO_STORE)
        .map_or(1, |(_, tier)| u64::from(tier.copies()).clamp(1, COPIES_MAX as u64));
    let library = count.saturating_mul(bytes).saturating_mul(copies);
    if count > SONGS_MAX || bytes > SONG_BYTES_MAX || library > LIBRARY_BYTES_MAX {
        return Err(format!(
            "dataset `{name}` has {count} objects of {bytes} B in {copies} copies after scaling; the stack keeps at most \
             {SONGS_MAX} objects, {SONG_BYTES_MAX} B each and {LIBRARY_BYTES_MAX} B in all: scale down under `load.scale` (objects, sizes)"
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
