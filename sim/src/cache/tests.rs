//! All policies against published counts, plain models and properties that hold for each.

mod known_counts;
mod models;
mod properties;

use plimsoll_scenarios::Policy;
use plimsoll_scenarios::rng::Stream;

use super::{Cache, Sizes};

/// The reference trace: inverse-cdf Zipf over splitmix64, ids scattered by a multiplicative hash.
pub(super) fn reference_trace(n: usize, requests: usize, seed: u64) -> Vec<u32> {
    let mut cdf = Vec::with_capacity(n);
    let mut sum = 0.0;
    for k in 1..=n {
        sum += 1.0 / k as f64;
        cdf.push(sum);
    }
    let mut stream = Stream::splitmix(seed);
    (0..requests)
        .map(|_| {
            let target = stream.uniform() * sum;
            let rank = cdf.partition_point(|&c| c <= target);
            (1 + (rank as u64 * 2_654_435_761) % n as u64) as u32
        })
        .collect()
}

fn misses(policy: Policy, n: u32, capacity: u64, trace: &[u32]) -> usize {
    let mut cache = Cache::new(policy, n + 1, capacity, Sizes::Same(1));
    let mut hits = Vec::new();
    cache.request_batch(trace, &mut hits);
    hits.iter().filter(|&&hit| !hit).count()
}
