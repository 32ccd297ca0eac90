//! Caches whose policy has no law (SIEVE, S3-FIFO, CLOCK, LFU, W-TinyLFU), by a short simulation.
//!
//! Why as an LRU cache of another size: a law says for every object how likely it is there, and what is behind a cache
//! needs that. So the policy is played over a few thousand objects that stand for the catalogue, LRU's law is asked how
//! large it would have to be to answer as much, and that capacity takes the place of the real one. The requests are as
//! the popularity says, as if nothing before the cache had filtered them; the day of the verification has the rest.

use std::cell::RefCell;
use std::collections::BTreeMap;

use plimsoll_scenarios::popularity::Atom;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Policy, Scenario, TierId};

use crate::cache::{Cache, Sizes};
use crate::flow::Flow;

/// Objects that are played.
const OBJECTS: f64 = 4096.0;
/// Requests for each of them before it counts, and while it does.
const REQUESTS: u64 = 20;
/// Capacities that are played, a decade; between them it is interpolated.
const GRID: f64 = 4.0;

/// What stands for the objects of a tier's cache.
struct Sample {
    /// Objects that one of these stands for.
    each: f64,
    sizes: Sizes,
    /// Bytes and rate of each.
    atoms: Vec<Atom>,
    /// Sums of the rates.
    sums: Vec<f64>,
}

/// Capacities of LRU that are worth as much as other policies', played once each.
pub struct Policies<'s> {
    scenario: &'s Scenario,
    flow: &'s Flow<'s>,
    played: RefCell<BTreeMap<(TierId, Policy, i32), f64>>,
}

impl<'s> Policies<'s> {
    #[must_use]
    pub fn new(scenario: &'s Scenario, flow: &'s Flow<'s>) -> Self {
        Self { scenario, flow, played: RefCell::default() }
    }

    /// Bytes of LRU that answer as much as so many bytes with this policy.
    #[must_use]
    pub fn like_lru(&self, tier: TierId, policy: Policy, capacity: f64) -> f64 {
        let at = capacity.max(1.0).log10() * GRID;
        let (low, part) = (at.floor(), at - at.floor());
        let factor = |step: f64| self.factor(tier, policy, step as i32).ln();
        let between = factor(low) * (1.0 - part) + if part > 0.0 { factor(low + 1.0) * part } else { 0.0 };
        capacity * between.exp()
    }

    /// What a byte of a policy is worth in bytes of LRU, at a capacity of the grid.
    fn factor(&self, tier: TierId, policy: Policy, step: i32) -> f64 {
        if let Some(&known) = self.played.borrow().get(&(tier, policy, step)) {
            return known;
        }
        let capacity = 10_f64.powf(f64::from(step) / GRID);
        let factor = self.sample(tier).map_or(1.0, |sample| sample.factor(policy, capacity));
        self.played.borrow_mut().insert((tier, policy, step), factor);
        factor
    }

    /// Objects of equal blocks of ranks of every dataset, each as popular as its block is on average.
    fn sample(&self, tier: TierId) -> Option<Sample> {
        let mut rates: BTreeMap<usize, f64> = BTreeMap::new();
        for node in self.flow.at(tier).map(|n| &self.flow.nodes[n]).filter(|n| n.lookup) {
            let Some(dataset) = node.call.of else { continue };
            let rate = self.scenario.mean_rate(&self.scenario.actions[node.action]);
            *rates.entry(dataset).or_default() += rate * node.call.mean_number();
        }
        let count = |d: usize| self.scenario.datasets[d].count.get().max(1.0);
        let all: f64 = rates.keys().map(|&d| count(d)).sum();
        let each = (all / OBJECTS).max(1.0);
        let (mut atoms, mut sums, mut ranges, mut sum) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
        for (&dataset, rate) in &rates {
            let here = &self.scenario.datasets[dataset];
            let law = here.popularity.over(count(dataset) as u64);
            let size = here.size.get().round().max(1.0);
            ranges.push((atoms.len() as u32, size as u64));
            let blocks = (count(dataset) / each).round().max(1.0);
            let end = |block: f64| (block / blocks * law.count() as f64).round() as u64;
            for block in 0..blocks as u64 {
                let asked = rate * law.mass(end(block as f64), end(block as f64 + 1.0));
                sum += asked;
                atoms.push(Atom { count: size, p: asked });
                sums.push(sum);
            }
        }
        (sum > 0.0).then_some(Sample { each, sizes: Sizes::Ranges(ranges), atoms, sums })
    }
}

impl Sample {
    fn factor(&self, policy: Policy, capacity: f64) -> f64 {
        let budget = (capacity / self.each).floor();
        let bytes: f64 = self.atoms.iter().map(|a| a.count).sum();
        let largest = self.atoms.iter().map(|a| a.count).fold(0.0, f64::max);
        // All fits, or next to nothing does: the policy does not matter.
        if budget >= bytes || budget < 8.0 * largest {
            return 1.0;
        }
        let hits = self.play(policy, budget as u64);
        (self.lru_bytes(hits) / budget).max(1e-3)
    }

    /// Share of the requests that the policy answers.
    fn play(&self, policy: Policy, budget: u64) -> f64 {
        let n = self.atoms.len() as u64;
        let mut cache = Cache::new(policy, n as u32, budget, self.sizes.clone());
        let mut draws = Stream::new(0, "plan", "policies", 0);
        let all = self.sums.last().copied().unwrap_or(0.0);
        let mut hits = 0_u64;
        for request in 0..2 * REQUESTS * n {
            let asked = draws.uniform() * all;
            let id = self.sums.partition_point(|sum| *sum <= asked).min(self.sums.len() - 1);
            if cache.request(id as u32) && request >= REQUESTS * n {
                hits += 1;
            }
        }
        hits as f64 / (REQUESTS * n) as f64
    }

    /// Bytes at which LRU answers this share: by Che's law at the time at which it does.
    fn lru_bytes(&self, hits: f64) -> f64 {
        let all = self.sums.last().copied().unwrap_or(0.0);
        let sum = |time: f64, of: fn(&Atom) -> f64| -> f64 {
            self.atoms.iter().map(|a| of(a) * -(-a.p * time).exp_m1()).sum()
        };
        let (mut low, mut high) = (0.0, 1.0 / all);
        for _ in 0..100 {
            if sum(high, |a| a.p) >= hits * all {
                break;
            }
            (low, high) = (high, high * 4.0);
        }
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if sum(middle, |a| a.p) >= hits * all { high = middle } else { low = middle }
        }
        sum(high, |a| a.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::hits::{HitModel, stated};
    use plimsoll_scenarios::SourceFile;

    fn scenario(policy: &str) -> Scenario {
        let text = format!(
            "name: one\npopulation: {{users: 1 M}}\n\
             datasets: {{page: {{count: 100 K, size: 1 KB, popularity: {{zipf: 0.9}}}}}}\n\
             actions: {{get: {{per_user: 50/day, of: page, path: [cache]}}}}\n\
             tiers: {{cache: {{cache: {{capacity: 6 MB, policy: {policy}}}, servers: 4, service_time: 1 ms}}}}\n"
        );
        Scenario::from_yaml(&SourceFile::new("one", &text)).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn every_policy_answers_as_much_as_when_all_its_objects_are_played() {
        let mut seen = Vec::new();
        for policy in ["lru", "sieve", "s3-fifo", "lfu", "w-tinylfu", "clock"] {
            let scenario = scenario(policy);
            let flow = Flow::of(&scenario);
            let predicted = HitModel::new(&scenario, &flow).at(&stated(&scenario), 1)[0];
            let law = scenario.datasets["page"].popularity.over(100_000);
            let mut sum = 0.0;
            let sums: Vec<f64> = (0..100_000)
                .map(|rank| {
                    sum += law.p(rank);
                    sum
                })
                .collect();
            let kind = scenario.tiers["cache"].cache.as_ref().unwrap().policy;
            let mut cache = Cache::new(kind, 100_000, 6_000_000, Sizes::Same(1_000));
            let mut draws = Stream::new(9, "test", "requests", 0);
            let mut request = || {
                let asked = draws.uniform() * sum;
                cache.request(sums.partition_point(|s| *s <= asked).min(99_999) as u32)
            };
            (0..600_000).for_each(|_| {
                request();
            });
            let hits = (0..600_000).filter(|_| request()).count() as f64 / 600_000.0;
            assert!((predicted - hits).abs() < 0.03, "{policy}: {predicted} predicted, {hits} played");
            seen.push(predicted);
        }
        // What remembers how often something was asked for does better than what remembers when.
        assert!(seen[1] > seen[0] + 0.02 && seen[3] > seen[0] + 0.02, "{seen:?}");
    }

    #[test]
    fn a_larger_cache_is_worth_more_whatever_the_policy() {
        let scenario = scenario("sieve");
        let flow = Flow::of(&scenario);
        let policies = Policies::new(&scenario, &flow);
        let worth: Vec<f64> =
            [2e5, 1e6, 3e6, 1e7, 5e7, 1e8].map(|c| policies.like_lru(0, Policy::Sieve, c)).to_vec();
        assert!(worth.is_sorted(), "{worth:?}");
        // All of it fits.
        assert!((policies.like_lru(0, Policy::Sieve, 1e9) / 1e9 - 1.0).abs() < 1e-9);
    }
}
