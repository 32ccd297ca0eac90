//! Ranks in buckets of nearly equal popularity, and draws of ranks by any weight that falls slowly over them.
//!
//! Why: whatever a formula says of an object follows from its popularity, and over 10^8 objects that changes by a
//! third of a per cent from bucket to bucket. So tables have some thousand entries and stay in a core's cache.

use plimsoll_scenarios::popularity::{IndexSampler, Law};
use plimsoll_scenarios::rng::Stream;

/// Ranks that are buckets of their own.
const HEAD: u64 = 4096;
/// Buckets for every doubling of the rank beyond, and the bits that tell them apart.
const BITS: u32 = 8;
const HEAD_BITS: u32 = HEAD.trailing_zeros();
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
/// Tries of a draw, each of which is accepted with a chance near 1.
const TRIES_MAX: usize = 64;

/// The bucket of a rank.
#[inline]
pub(super) fn bucket(rank: u64) -> usize {
    if rank < HEAD {
        return rank as usize;
    }
    let doubling = rank.ilog2() - HEAD_BITS;
    let within = (rank >> (rank.ilog2() - BITS)) as usize & ((1 << BITS) - 1);
    HEAD as usize + ((doubling as usize) << BITS) + within
}

/// First rank of a bucket.
pub(super) fn first(bucket: usize) -> u64 {
    if bucket < HEAD as usize {
        return bucket as u64;
    }
    let (doubling, within) = ((bucket - HEAD as usize) >> BITS, (bucket - HEAD as usize) & ((1 << BITS) - 1));
    let base = HEAD << doubling;
    base + ((within as u64 * base) >> BITS)
}

/// Buckets of so many ranks.
pub(super) fn buckets(count: u64) -> usize {
    if count == 0 { 0 } else { bucket(count - 1) + 1 }
}

/// Draws ranks in proportion to the law's probability times what `left` leaves of it; exactly, by rejection
/// within a bucket.
pub(super) struct Draws {
    choice: IndexSampler,
    groups: Vec<Group>,
    law: Law,
    /// Share of the law's requests that is left.
    pub left: f64,
}

#[derive(Clone, Copy)]
struct Group {
    from: u64,
    count: u64,
    highest: f64,
    /// Weight of the least of its ranks as a share of the highest, out of 2^64.
    surely: u64,
}

impl Draws {
    pub fn new(law: &Law, left: &dyn Fn(f64) -> f64) -> Self {
        let weight = |rank: u64| {
            let p = law.p(rank);
            p * left(p)
        };
        let (mut groups, mut masses) = (Vec::new(), Vec::new());
        for bucket in 0..buckets(law.count()) {
            let (from, to) = (first(bucket), first(bucket + 1).min(law.count()));
            let count = to - from;
            // Where a law jumps or what is left of it rises, the ends do not bound what is between.
            let steps = count.min(16);
            let at = |i: u64| weight(from + i * (count - 1) / steps.max(2).saturating_sub(1).max(1));
            let sampled: Vec<f64> = (0..steps.max(1)).map(at).collect();
            let highest = sampled.iter().copied().fold(0.0, f64::max) * (1.0 + 1e-3);
            let least = sampled.iter().copied().fold(f64::INFINITY, f64::min) * (1.0 - 1e-3);
            let mean = if count <= 16 {
                (from..to).map(weight).sum::<f64>() / count as f64
            } else {
                sampled.iter().sum::<f64>() / sampled.len() as f64
            };
            let share = if highest > 0.0 { least / highest } else { 1.0 };
            let surely = if count == 1 { u64::MAX } else { (share * TWO_TO_64) as u64 };
            groups.push(Group { from, count, highest, surely });
            masses.push(mean * count as f64);
        }
        Self { left: masses.iter().sum(), choice: IndexSampler::new(&masses), groups, law: law.clone() }
    }

    /// A rank, counted from 0.
    #[inline]
    pub fn draw(&self, stream: &mut Stream, left: &dyn Fn(f64) -> f64) -> u64 {
        let group = self.groups[self.choice.draw(stream)];
        let mut rank = group.from;
        for _ in 0..TRIES_MAX {
            let product = u128::from(stream.bits()) * u128::from(group.count);
            let (place, chance) = ((product >> 64) as u64, product as u64);
            rank = group.from + place;
            if chance <= group.surely || self.accepted(chance, group.highest, rank, left) {
                break;
            }
        }
        rank
    }

    #[cold]
    #[inline(never)]
    fn accepted(&self, chance: u64, highest: f64, rank: u64, left: &dyn Fn(f64) -> f64) -> bool {
        let p = self.law.p(rank);
        chance as f64 / TWO_TO_64 * highest < p * left(p)
    }
}

/// A whole number of independent events of so many in the mean (Poisson; beyond a thousand as a rounded normal
/// number, whose distribution differs by less than one in a thousand).
pub(super) fn poisson(mean: f64, stream: &mut Stream) -> u64 {
    if mean > 1000.0 {
        // Box and Muller.
        let radius = (-2.0 * (1.0 - stream.uniform()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * stream.uniform()).cos();
        return mean.sqrt().mul_add(normal, mean).round().max(0.0) as u64;
    }
    let (mut events, mut at) = (0, stream.exponential());
    while at < mean {
        events += 1;
        at += stream.exponential();
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::popularity::Popularity;

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for b in 0..buckets(100_000_000) {
            assert!(first(b) < first(b + 1));
            assert_eq!(bucket(first(b)), b);
            assert_eq!(bucket(first(b + 1) - 1), b);
        }
    }

    #[test]
    fn ranks_are_drawn_by_what_is_left() {
        let law = Popularity::zipf(1.0).over(1_000_000);
        let left = |p: f64| (-200.0 * p).exp();
        let draws = Draws::new(&law, &left);
        let exact = |from: u64, to: u64| (from..to).map(|k| law.p(k) * left(law.p(k))).sum::<f64>();
        assert!((draws.left / exact(0, 1_000_000) - 1.0).abs() < 1e-4);
        let mut stream = Stream::new(1, "test", "ranks", 0);
        let n = 2_000_000_u32;
        let cuts = [0, 10, 100, 1_000, 5_000, 20_000, 100_000, 1_000_000];
        let mut seen = [0_u32; 7];
        for _ in 0..n {
            let rank = draws.draw(&mut stream, &left);
            seen[cuts.partition_point(|&c| c <= rank) - 1] += 1;
        }
        for (i, &got) in seen.iter().enumerate() {
            let want = exact(cuts[i], cuts[i + 1]) / draws.left * f64::from(n);
            assert!((f64::from(got) - want).abs() < 5.0 * want.sqrt().max(1.0), "{i}: {got} for {want}");
        }
    }

    #[test]
    fn events_have_the_right_mean_and_variance() {
        for mean in [0.3, 20.0, 50_000.0] {
            let mut stream = Stream::new(2, "test", "poisson", 0);
            let n = 4000;
            let draws: Vec<f64> = (0..n).map(|_| poisson(mean, &mut stream) as f64).collect();
            let got = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|d| (d - got).powi(2)).sum::<f64>() / f64::from(n);
            assert!((got - mean).abs() < 5.0 * (mean / f64::from(n)).sqrt(), "{mean}: {got}");
            assert!((variance / mean - 1.0).abs() < 0.15, "{mean}: {variance}");
        }
    }
}
