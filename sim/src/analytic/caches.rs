//! Hit ratios by formula, for caches one behind the other.
//!
//! Che's approximation gives every object of a cache the same characteristic time. What a cache misses is
//! taken as independent references with the rates that are left, which is the usual approximation for the
//! next cache (Fricker, Robert and Roberts, "A versatile and accurate approximation for LRU cache
//! performance", ITC 24, 2012, section V); simulation shows how good it is.

use plimsoll_scenarios::popularity::{Atom, lru_characteristic_time};
use plimsoll_scenarios::trace::DeviceCache;
use plimsoll_scenarios::{Policy, Scenario, Scope, TierId};

/// A cache under the approximation: its policy and characteristic time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Approximation {
    policy: Approximated,
    time: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Approximated {
    /// Time since the last request.
    Lru,
    /// Time since the object came in; also for RANDOM, and near CLOCK.
    Fifo,
}

impl Approximation {
    /// Solves for the characteristic time of a cache of `capacity` (in the atoms' count) under requests at
    /// the atoms' rates. `None` where no approximation is known for the policy.
    #[must_use]
    pub fn solve(policy: Policy, atoms: &[Atom], capacity: f64) -> Option<Self> {
        match policy {
            Policy::Lru => {
                Some(Self { policy: Approximated::Lru, time: lru_characteristic_time(atoms, capacity) })
            }
            Policy::Fifo => Some(Self { policy: Approximated::Fifo, time: fifo_time(atoms, capacity) }),
            Policy::Clock | Policy::Sieve | Policy::S3Fifo | Policy::Lfu | Policy::WTinyLfu => None,
        }
    }

    /// Probability that a request for an object of this rate is a hit.
    #[must_use]
    pub fn hit(&self, rate: f64) -> f64 {
        if self.time == f64::INFINITY {
            return if rate > 0.0 { 1.0 } else { 0.0 };
        }
        match self.policy {
            Approximated::Lru => -(-rate * self.time).exp_m1(),
            Approximated::Fifo => rate * self.time / (1.0 + rate * self.time),
        }
    }

    /// Share of all requests that hit.
    #[must_use]
    pub fn hit_ratio(&self, atoms: &[Atom]) -> f64 {
        let requests: f64 = atoms.iter().map(|a| a.count * a.p).sum();
        if requests <= 0.0 {
            0.0
        } else {
            atoms.iter().map(|a| a.count * a.p * self.hit(a.p)).sum::<f64>() / requests
        }
    }
}

fn fifo_time(atoms: &[Atom], capacity: f64) -> f64 {
    let objects: f64 = atoms.iter().filter(|a| a.p > 0.0).map(|a| a.count).sum();
    if capacity >= objects {
        return f64::INFINITY;
    }
    let held = |t: f64| atoms.iter().map(|a| a.count * a.p * t / (1.0 + a.p * t)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1.0);
    while held(high) < capacity && high < 1e30 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if held(middle) < capacity { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// What the approximation says of a whole scenario.
#[derive(Debug, Clone)]
pub struct Chain {
    /// By tier: hit ratio of its cache, where one is known.
    pub hit_ratio: Vec<Option<f64>>,
    /// By tier: the solved cache.
    pub caches: Vec<Option<Approximation>>,
    /// By action and position in its path: share of the action's requests that get this far.
    pub arriving: Vec<Vec<f64>>,
    /// By action and position in its path: rate of each of its atoms, in requests of the action.
    pub atoms: Vec<Vec<Vec<Atom>>>,
}

/// Follows every action's requests through the caches of its path.
///
/// Caches that several actions share see the mix of their streams. Every instance of a tier sees the same
/// mix, and only the mix matters, since a characteristic time counts requests and not seconds.
#[must_use]
pub fn chain(scenario: &Scenario) -> Chain {
    let tiers = scenario.tiers.len();
    let mut chain = Chain {
        hit_ratio: vec![None; tiers],
        caches: vec![None; tiers],
        arriving: scenario.actions.values().map(|a| vec![1.0; a.path.len()]).collect(),
        atoms: scenario.actions.values().map(|a| vec![Vec::new(); a.path.len()]).collect(),
    };
    for (id, action) in scenario.actions.values().enumerate() {
        if let (Some(dataset), false) = (action.of, action.path.is_empty()) {
            let dataset = &scenario.datasets[dataset];
            chain.atoms[id][0] = dataset.popularity.over(dataset.count.get() as u64).atoms();
        }
    }
    for tier in scenario.tier_order() {
        solve_tier(scenario, tier, &mut chain);
    }
    chain
}

fn solve_tier(scenario: &Scenario, tier: TierId, chain: &mut Chain) {
    let passing: Vec<(usize, usize)> = scenario
        .actions
        .values()
        .enumerate()
        .filter_map(|(id, action)| action.path.iter().position(|&t| t == tier).map(|at| (id, at)))
        .collect();
    let on_device = scenario.tiers[tier].scope == Scope::User;
    let mixed_rate: f64 = passing
        .iter()
        .filter(|&&(id, _)| scenario.looks_up(&scenario.actions[id], tier))
        .map(|&(id, at)| scenario.mean_rate(&scenario.actions[id]) * chain.arriving[id][at])
        .sum();
    if let (Some(cache), false, true) = (&scenario.tiers[tier].cache, on_device, mixed_rate > 0.0) {
        // Atoms of all streams together, weighed in bytes: an atom's count is its bytes.
        let mut mixed = Vec::new();
        for &(id, at) in &passing {
            let action = &scenario.actions[id];
            let (true, Some(dataset)) = (scenario.looks_up(action, tier), action.of) else { continue };
            let size = scenario.datasets[dataset].size.get();
            let rate = scenario.mean_rate(action) / mixed_rate;
            mixed.extend(chain.atoms[id][at].iter().map(|a| Atom { count: a.count * size, p: a.p * rate }));
        }
        chain.caches[tier] = Approximation::solve(cache.policy, &mixed, cache.capacity.get());
    }
    let (mut hits, mut lookups) = (0.0, 0.0);
    for (id, at) in passing {
        let action = &scenario.actions[id];
        let rate = scenario.mean_rate(action);
        let before = chain.atoms[id][at].clone();
        let looked_up = scenario.looks_up(action, tier);
        let device = if on_device && looked_up { DeviceCache::of(scenario, action) } else { None };
        let solved = chain.caches[tier];
        let after: Vec<Atom> = before
            .iter()
            .map(|a| {
                let kept = match (&device, solved, looked_up) {
                    (Some(device), ..) => (1.0 - device.repeat) * (1.0 - device.hit(a.p)),
                    (None, Some(cache), true) => 1.0 - cache.hit(a.p * rate / mixed_rate),
                    _ => 1.0,
                };
                Atom { count: a.count, p: a.p * kept }
            })
            .collect();
        let mass = |atoms: &[Atom]| atoms.iter().map(|a| a.count * a.p).sum::<f64>();
        let left = if before.is_empty() { chain.arriving[id][at] } else { mass(&after) };
        if looked_up {
            lookups += rate * chain.arriving[id][at];
            hits += rate * (chain.arriving[id][at] - left);
        }
        if at + 1 < action.path.len() {
            chain.arriving[id][at + 1] = left;
            chain.atoms[id][at + 1] = after;
        }
    }
    let known = on_device || chain.caches[tier].is_some();
    if scenario.tiers[tier].cache.is_some() && known && lookups > 0.0 {
        chain.hit_ratio[tier] = Some(hits / lookups);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::popularity::Popularity;

    #[test]
    fn small_caches_match_the_reference() {
        // Che's approximation of LRU and the exact FIFO = RANDOM value for s = 1, N = 10, C = 3 (the
        // approximation of FIFO is close to it, not equal).
        let atoms = Popularity::zipf(1.0).over(10).atoms();
        let lru = Approximation::solve(Policy::Lru, &atoms, 3.0).unwrap().hit_ratio(&atoms);
        assert!((lru - 0.465_724).abs() < 1e-6, "{lru}");
        let fifo = Approximation::solve(Policy::Fifo, &atoms, 3.0).unwrap().hit_ratio(&atoms);
        assert!((fifo - 0.445_104).abs() < 0.02, "{fifo}");
    }

    #[test]
    fn spotify_flows_shrink_along_the_path() {
        let scenario = plimsoll_scenarios::load("spotify").unwrap();
        let chain = chain(&scenario);
        let play = scenario.actions.get_index_of("play").unwrap();
        let arriving = &chain.arriving[play];
        assert!(arriving.windows(2).all(|w| w[1] <= w[0] + 1e-12), "{arriving:?}");
        let (edge, _) = scenario.tier("edge").unwrap();
        let hit = chain.hit_ratio[edge].unwrap();
        assert!((0.8..0.95).contains(&hit), "{hit}");
        let (device, _) = scenario.tier("device").unwrap();
        assert!((0.5..0.65).contains(&chain.hit_ratio[device].unwrap()));
    }
}
