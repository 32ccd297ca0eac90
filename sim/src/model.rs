//! What both engines read off a scenario once, instead of at every request.

use plimsoll_scenarios::{Action, Call, Scenario, Scheme, Scope, Tier, TierId};

/// Servers of a station at one place (a site, a region, or everywhere).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    pub servers: u64,
    pub concurrency: u64,
}

/// The places of a tier: one for each region, or a single one.
#[must_use]
pub fn places(scenario: &Scenario, tier: TierId) -> usize {
    if scenario.tiers[tier].scope == Scope::Global { 1 } else { scenario.population.regions.len() }
}

/// The place of a region's requests.
#[must_use]
pub fn place_of(scenario: &Scenario, tier: TierId, region: usize) -> usize {
    if scenario.tiers[tier].scope == Scope::Global { 0 } else { region }
}

/// Instances of the tier at a place: its sites, or one.
#[must_use]
pub fn instances_at(scenario: &Scenario, tier: TierId, place: usize) -> u64 {
    match scenario.tiers[tier].scope {
        Scope::Site => u64::from(scenario.population.regions[place].sites),
        _ => 1,
    }
}

/// Instances of a tier over all places; users for a tier on the device.
#[must_use]
pub fn instances(scenario: &Scenario, tier: TierId) -> u64 {
    match scenario.tiers[tier].scope {
        Scope::User => scenario.population.users.get() as u64,
        _ => (0..places(scenario, tier)).map(|p| instances_at(scenario, tier, p)).sum(),
    }
}

/// Caches that a tier has: one an instance, or one a server.
#[must_use]
pub fn cache_instances(scenario: &Scenario, tier: TierId) -> u64 {
    let servers = scenario.tiers[tier].station.as_ref().map(|s| s.servers.get() as u64);
    match &scenario.tiers[tier].cache {
        Some(cache) if cache.per_server => servers.unwrap_or(1),
        _ => instances(scenario, tier),
    }
}

/// The servers of one instance of a tier at a place: shared out by the regions' shares of users, whole
/// servers, at least one.
#[must_use]
pub fn pool(scenario: &Scenario, tier: TierId, place: usize) -> Option<Pool> {
    let station = scenario.tiers[tier].station.as_ref()?;
    let share = match scenario.tiers[tier].scope {
        Scope::Global => 1.0,
        _ => scenario.population.regions[place].share / instances_at(scenario, tier, place) as f64,
    };
    let servers = (station.servers.get() * share).round().max(1.0) as u64;
    Some(Pool { servers, concurrency: station.concurrency.get() as u64 })
}

/// Work that one call is for the servers of its tier, in calls of one server: a write is one for every copy, a
/// read one for every copy or piece that is asked. A cache's copies share its reads, and somebody else's
/// service has copies of its own.
#[must_use]
pub fn work(scenario: &Scenario, call: &Call) -> f64 {
    let tier = &scenario.tiers[call.tier];
    match (tier.external.is_some(), call.write, tier.cache.is_some()) {
        (true, ..) | (false, false, true) => 1.0,
        (false, true, _) => tier.replication.write_work(),
        (false, false, false) => tier.replication.read_work(),
    }
}

/// Whether a call is looked up in a cache in memory and on disk: hits on disk and what is kept use the disks, nothing else.
#[must_use]
pub fn has_levels(scenario: &Scenario, call: &Call) -> bool {
    let tier = &scenario.tiers[call.tier];
    let levels = tier.scope != Scope::User && has_disks_of_its_own(tier);
    levels && scenario.call_looks_up(call)
}

/// Whether a tier's disks are those of its cache.
fn has_disks_of_its_own(tier: &Tier) -> bool {
    tier.cache.as_ref().is_some_and(|cache| cache.memory.is_some())
}

/// Reads and writes of disks that one call makes at all copies or pieces together, each of the tier's size of
/// one operation. At a cache in memory and on disk: that each call makes which uses them, if any does.
#[must_use]
pub fn disk_operations(scenario: &Scenario, call: &Call) -> f64 {
    let tier = &scenario.tiers[call.tier];
    let work = match (has_levels(scenario, call), call.write) {
        (true, _) => 1.0,
        (false, true) => tier.replication.write_work(),
        (false, false) => tier.replication.read_work(),
    };
    disk_operations_of_one(scenario, call) * work
}

/// The same at each copy or piece.
#[must_use]
pub fn disk_operations_of_one(scenario: &Scenario, call: &Call) -> f64 {
    let tier = &scenario.tiers[call.tier];
    let Some(store) = &tier.store else { return 0.0 };
    if has_disks_of_its_own(tier) && !has_levels(scenario, call) {
        return 0.0;
    }
    let bytes = if call.write { call.request.get() } else { call.response.get() };
    (bytes / store.io_size.get()).ceil().max(1.0)
}

/// Seconds that the disks of one server are busy with a call that uses them, where they are limited.
#[must_use]
pub fn disk_time(scenario: &Scenario, call: &Call) -> Option<f64> {
    let tier = &scenario.tiers[call.tier];
    let store = tier.store.as_ref().filter(|_| tier.station.is_some())?;
    let operations = disk_operations_of_one(scenario, call);
    (operations > 0.0).then_some(operations / store.iops.as_ref()?.get())
}

/// Copies (or pieces) that a call asks at once, and how many of their answers it waits for.
#[must_use]
pub fn quorum(scenario: &Scenario, call: &Call) -> (u32, u32) {
    let tier = &scenario.tiers[call.tier];
    if tier.external.is_some() || (tier.cache.is_some() && !call.write) {
        return (1, 1);
    }
    match (tier.replication.scheme, call.write) {
        (Scheme::Copies { count, write, .. }, true) => (count, write),
        (Scheme::Copies { read, .. }, false) => (read, read),
        (Scheme::Erasure { data, parity }, true) => (data + parity, data + parity),
        (Scheme::Erasure { data, .. }, false) => (data, data),
    }
}

/// An action's path, with what is decided before any request is played.
#[derive(Debug, Clone)]
pub struct Route {
    pub path: Vec<TierId>,
    /// Position of the first tier that is not on the device.
    pub entry: usize,
}

impl Route {
    #[must_use]
    pub fn of(scenario: &Scenario, action: &Action) -> Self {
        let entry = action.path.iter().take_while(|&&t| scenario.tiers[t].scope == Scope::User).count();
        Self { path: action.path.clone(), entry }
    }
}

/// Rate of an action in a region at a UTC time, 1/s.
#[must_use]
pub fn rate(scenario: &Scenario, action: &Action, region: usize, from_s: f64, to_s: f64) -> f64 {
    let day = scenario.day_of(action, region);
    let region = &scenario.population.regions[region];
    let shape = day.mean_over(from_s + region.utc_offset_s, to_s + region.utc_offset_s);
    scenario.mean_rate(action) * scenario.population.weekly.peak() * region.share * shape
}

/// Seconds for the body over the slowest of the user's own access and the entry tier's link.
pub fn transfer_time(scenario: &Scenario, action: usize, route: &Route) -> f64 {
    let bits = scenario.actions[action].response.get() * 8.0;
    let entry = route.path.get(route.entry).and_then(|&t| scenario.tiers[t].link.as_ref());
    let slowest = [scenario.population.downlink.as_ref(), entry]
        .into_iter()
        .flatten()
        .map(plimsoll_scenarios::units::Quantity::get)
        .fold(f64::INFINITY, f64::min);
    bits / slowest
}
