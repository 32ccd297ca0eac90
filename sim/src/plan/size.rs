//! The fewest servers of one tier that keep what it must keep by itself: busy slots, links, disks, connections,
//! room for its cache, and that one of them may fail.
//!
//! Why this is exact: each rule holds from some number of servers of a place on, so the least number is the largest
//! of these, and the whole number in total is the least that gives every place its own when servers are shared
//! out by users.

use plimsoll_scenarios::slo::Failure;
use plimsoll_scenarios::{Scenario, Scope, Store};

use super::kinds::ServerKind;
use super::load::{PlaceLoad, TierLoad};
use super::shards::Shards;
use crate::model;

/// How full disks and connections may be.
pub const FILL: f64 = 0.8;
/// Shards of a tier at most.
pub const SHARDS_MAX: u64 = 10_000_000;
/// Servers of one place beyond which nothing is sized.
const POOL_MAX: f64 = 1e9;

/// How busy the servers of a tier may be, in normal operation or under a failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub failure: Option<Failure>,
    /// Share of the slots.
    pub busy: f64,
    /// Share of links and of disks' operations.
    pub link: f64,
    /// Not said by the scenario.
    pub assumed: bool,
}

/// What decides a tier's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A rule, by position: its busy slots.
    Busy(usize),
    /// A rule, by position: its links.
    Link(usize),
    /// A rule, by position: operations of disks.
    Operations(usize),
    Storage,
    Connections,
    /// Room for the cache.
    Room,
    /// A server for each copy or piece.
    Pieces,
    /// Keys for every server, and the load of the hottest shard.
    Shards,
    /// One server everywhere.
    Least,
    /// What the scenario states, or the end of what it permits.
    Stated,
    /// Raised for a latency, an availability or the like: position of the target.
    Target(usize),
}

/// A tier's servers.
#[derive(Debug, Clone, PartialEq)]
pub struct Sized {
    /// Position among the tier's kinds.
    pub kind: usize,
    /// In total, as a scenario states it.
    pub servers: u64,
    /// By place: servers of one instance.
    pub pools: Vec<u64>,
    pub reason: Reason,
}

impl Sized {
    /// Servers that there are, whole ones at every instance.
    #[must_use]
    pub fn deployed(&self, load: &TierLoad) -> u64 {
        self.pools.iter().zip(&load.places).map(|(k, p)| k * p.instances as u64).sum()
    }
}

/// A tier as sizing sees it.
#[derive(Debug)]
pub struct TierProblem<'s> {
    pub scope: Scope,
    pub zones: u32,
    pub store: Option<&'s Store>,
    pub connections_max: Option<f64>,
    pub rules: &'s [Rule],
    /// Bytes of one instance's cache that its servers share; per server they must fit each.
    pub cache: Option<(f64, bool)>,
    /// Least and greatest number of servers in total.
    pub range: (u64, u64),
    /// Time that a request holds a slot, s.
    pub service: f64,
    pub share_lost: f64,
    /// Copies or pieces, each of which wants a server of its own.
    pub pieces: u64,
    pub shards: Option<Shards>,
}

/// Servers of an instance of `k` that a failure leaves, as an equivalent number.
#[must_use]
pub fn left(failure: Option<Failure>, k: f64, instances: f64, scope: Scope, zones: u32) -> f64 {
    // A site that is lost leaves its users to the region's other sites.
    let without_a_site = k * (instances - 1.0) / instances.max(1.0);
    match failure {
        Some(Failure::ServerDown) if k >= 2.0 => k - 1.0,
        Some(Failure::ServerDown) => without_a_site,
        Some(Failure::ZoneDown) if zones > 1 => (k * f64::from(zones - 1) / f64::from(zones)).floor(),
        Some(Failure::ZoneDown) if scope == Scope::Site => without_a_site,
        Some(Failure::ZoneDown) => 0.0,
        _ => k,
    }
}

/// Times the load that the others take when the largest region is lost.
#[must_use]
pub fn more(failure: Option<Failure>, scope: Scope, share_lost: f64) -> f64 {
    match (failure, scope) {
        (Some(Failure::RegionDown), Scope::Region | Scope::Site) => 1.0 / (1.0 - share_lost).max(0.0),
        _ => 1.0,
    }
}

/// A load, and the failure it comes with.
pub type Case<'a> = (Option<Failure>, &'a TierLoad);

/// The cheapest kind and number of servers; what can't be kept at any number is the error.
///
/// # Errors
/// The rule that no number of servers keeps.
pub fn size(tier: &TierProblem<'_>, cases: &[Case<'_>], kinds: &[ServerKind]) -> Result<Sized, Reason> {
    let mut best: Option<(f64, Sized)> = None;
    let mut broken = Reason::Least;
    for (index, kind) in kinds.iter().enumerate() {
        match size_with(tier, cases, kind) {
            Ok(sized) => {
                let load = cases.first().map_or(0, |(_, load)| sized.deployed(load));
                let cost = load as f64 * kind.monthly;
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, Sized { kind: index, ..sized }));
                }
            }
            Err(reason) => broken = reason,
        }
    }
    best.map(|(_, sized)| sized).ok_or(broken)
}

fn size_with(tier: &TierProblem<'_>, cases: &[Case<'_>], kind: &ServerKind) -> Result<Sized, Reason> {
    let Some((_, normal)) = cases.first() else { return Err(Reason::Least) };
    let mut needed: Vec<(f64, Reason)> = vec![(1.0, Reason::Least); normal.places.len()];
    for (failure, load) in cases {
        for (place, at) in load.places.iter().enumerate() {
            for (rule, of) in tier.rules.iter().enumerate().filter(|(_, r)| r.failure == *failure) {
                raise(&mut needed[place], by_rule(tier, kind, of, rule, at)?);
            }
        }
    }
    for (place, at) in normal.places.iter().enumerate() {
        raise(&mut needed[place], by_room(tier, kind, at)?);
    }
    let mut least = (1.0_f64, Reason::Least);
    for ((k, reason), at) in needed.iter().zip(&normal.places) {
        if *k > 1.0 {
            // Servers are shared out by users and rounded: from half a server below on there are k.
            let total = ((k - 0.5) * at.instances / at.share.max(1e-12) * (1.0 - 1e-12)).ceil();
            raise(&mut least, (total, *reason));
        }
    }
    if let Some(capacity) = tier.store.and_then(|s| s.capacity.as_ref()) {
        raise(&mut least, (ceil(normal.stored / (capacity.get() * FILL)), Reason::Storage));
    }
    if least.0.is_nan() || least.0 > POOL_MAX.min(tier.range.1 as f64) {
        return Err(least.1);
    }
    let mut servers = (least.0.max(1.0) as u64).max(tier.range.0);
    if let Some(shards) = &tier.shards {
        let enough = shards.servers(servers, normal, kind, tier.service, tier.range)?;
        if enough > servers {
            (servers, least) = (enough, (enough as f64, Reason::Shards));
        }
    }
    let reason = if servers as f64 > least.0 { Reason::Stated } else { least.1 };
    let pools = pools(servers, normal);
    let servers = settled(servers, &pools, normal, tier.range);
    Ok(Sized { kind: 0, servers, pools, reason })
}

/// Servers of one instance of each place, as scenarios share them out.
#[must_use]
pub fn pools(servers: u64, load: &TierLoad) -> Vec<u64> {
    let pool = |p: &PlaceLoad| (servers as f64 * p.share / p.instances).round().max(1.0) as u64;
    load.places.iter().map(pool).collect()
}

/// The number that there are in the end, where stating it gives the same places as before.
pub fn settled(servers: u64, there: &[u64], load: &TierLoad, range: (u64, u64)) -> u64 {
    let sum: u64 = there.iter().zip(&load.places).map(|(k, p)| k * p.instances as u64).sum();
    let same = (range.0..=range.1).contains(&sum) && pools(sum, load) == there;
    if same { sum } else { servers }
}

fn raise(most: &mut (f64, Reason), other: (f64, Reason)) {
    if other.0 > most.0 || other.0.is_nan() {
        *most = other;
    }
}

/// Rounded up, but not because of the last bits of a float.
fn ceil(value: f64) -> f64 {
    (value * (1.0 - 1e-12)).ceil()
}

/// Servers of one instance that a rule asks for.
fn by_rule(
    tier: &TierProblem<'_>,
    kind: &ServerKind,
    rule: &Rule,
    index: usize,
    at: &PlaceLoad,
) -> Result<(f64, Reason), Reason> {
    let factor = more(rule.failure, tier.scope, tier.share_lost) / at.instances;
    let busy = at.work * factor * tier.service / (kind.concurrency * rule.busy);
    let mut most = (busy, Reason::Busy(index));
    if let Some(link) = kind.link.filter(|_| at.egress > 0.0) {
        raise(&mut most, (at.egress * factor / (link * rule.link), Reason::Link(index)));
    }
    if let Some(iops) = tier.store.and_then(|s| s.iops.as_ref()) {
        raise(&mut most, (at.operations * factor / (iops.get() * rule.link), Reason::Operations(index)));
    }
    let (wanted, reason) = most;
    if !wanted.is_finite() || wanted > POOL_MAX {
        return Err(reason);
    }
    let mut k = ceil(wanted).max(1.0);
    // A failure takes a server or a share of them; a few more than double at most.
    for _ in 0..64 {
        if left(rule.failure, k, at.instances, tier.scope, tier.zones) >= wanted * (1.0 - 1e-12) {
            return Ok((k, reason));
        }
        let short = wanted - left(rule.failure, k, at.instances, tier.scope, tier.zones);
        k += ceil(short).max(1.0);
    }
    Err(reason)
}

/// Servers of one instance for connections and for the cache.
fn by_room(tier: &TierProblem<'_>, kind: &ServerKind, at: &PlaceLoad) -> Result<(f64, Reason), Reason> {
    let mut most = (1.0, Reason::Least);
    raise(&mut most, (tier.pieces as f64, Reason::Pieces));
    if let Some(connections) = tier.connections_max {
        raise(&mut most, (ceil(at.connections / at.instances / (connections * FILL)), Reason::Connections));
    }
    if let (Some((bytes, per_server)), Some(fits)) = (tier.cache, kind.fits) {
        if per_server && bytes > fits {
            return Err(Reason::Room);
        }
        if !per_server {
            raise(&mut most, (ceil(bytes / fits), Reason::Room));
        }
    }
    Ok(most)
}

/// The next larger and the next smaller number of servers that change some place, within a range.
#[must_use]
pub fn step(servers: u64, load: &TierLoad, up: bool, range: (u64, u64)) -> Option<(u64, Vec<u64>)> {
    let now = pools(servers, load);
    // The place whose share is smallest changes within so many.
    let longest = load.places.iter().map(|p| (p.instances / p.share.max(1e-9)).ceil()).fold(1.0, f64::max);
    let mut other = servers;
    for _ in 0..(longest.min(1e6) as u64) {
        other = if up { other + 1 } else { other.checked_sub(1)? };
        if other < range.0.max(1) || other > range.1 {
            return None;
        }
        let there = pools(other, load);
        if there != now {
            let settled = settled(other, &there, load, range);
            return Some((settled, there));
        }
    }
    None
}

/// The share of users of the largest region.
#[must_use]
pub fn largest_share(scenario: &Scenario) -> f64 {
    scenario.population.regions.iter().map(|r| r.share).fold(0.0, f64::max)
}

/// Instances of all places.
#[must_use]
pub fn instances(scenario: &Scenario, tier: usize) -> f64 {
    model::instances(scenario, tier) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(share: f64, instances: f64, work: f64) -> PlaceLoad {
        PlaceLoad { share, instances, work, calls: work, ..PlaceLoad::default() }
    }

    fn kind() -> ServerKind {
        ServerKind { name: "x".into(), monthly: 100.0, concurrency: 4.0, link: None, fits: Some(100.0) }
    }

    fn sized(
        rules: &[Rule],
        load: &TierLoad,
        zones: u32,
        cache: Option<(f64, bool)>,
    ) -> Result<Sized, Reason> {
        let tier = TierProblem {
            scope: Scope::Region,
            zones,
            store: None,
            connections_max: None,
            rules,
            cache,
            range: (1, 1_000_000),
            service: 0.02,
            share_lost: 0.6,
            pieces: 1,
            shards: None,
        };
        let cases: Vec<Case<'_>> = [None, Some(Failure::ServerDown), Some(Failure::ZoneDown)]
            .into_iter()
            .map(|failure| (failure, load))
            .collect();
        size(&tier, &cases, &[kind()])
    }

    fn rule(failure: Option<Failure>, busy: f64) -> Rule {
        Rule { failure, busy, link: busy, assumed: true }
    }

    #[test]
    fn one_server_less_breaks_a_rule_somewhere() {
        let rules = [rule(None, 0.7), rule(Some(Failure::ServerDown), 0.95)];
        for scale in [1.0, 7.3, 40.0, 999.0] {
            let load = TierLoad {
                places: vec![place(0.6, 1.0, 300.0 * scale), place(0.4, 1.0, 200.0 * scale)],
                ..TierLoad::default()
            };
            let got = sized(&rules, &load, 1, None).unwrap();
            let holds = |there: &[u64]| {
                there.iter().zip(&load.places).all(|(&k, p)| {
                    let busy = |servers: f64| p.work * 0.02 / (servers * 4.0);
                    busy(k as f64) <= 0.7 + 1e-9
                        && busy(left(rules[1].failure, k as f64, 1.0, Scope::Region, 1)) <= 0.95 + 1e-9
                })
            };
            assert!(holds(&got.pools), "{scale}: {got:?}");
            let (less, there) = step(got.servers, &load, false, (1, 1_000_000)).unwrap();
            assert!(less < got.servers && !holds(&there), "{scale}: {got:?} {there:?}");
        }
    }

    #[test]
    fn zones_and_caches_ask_for_servers() {
        let load = TierLoad { places: vec![place(1.0, 1.0, 560.0)], ..TierLoad::default() };
        let alone = sized(&[rule(None, 0.7)], &load, 3, None).unwrap();
        let with_zone = [rule(None, 0.7), rule(Some(Failure::ZoneDown), 0.7)];
        let zones = sized(&with_zone, &load, 3, None).unwrap();
        assert_eq!((alone.servers, zones.servers), (4, 6));
        assert!(sized(&with_zone, &load, 1, None).is_err());
        let room = sized(&[rule(None, 0.7)], &load, 1, Some((950.0, false))).unwrap();
        assert_eq!((room.servers, room.reason), (10, Reason::Room));
        assert_eq!(sized(&[rule(None, 0.7)], &load, 1, Some((101.0, true))), Err(Reason::Room));
    }
}
