//! Ranks in buckets of nearly equal popularity, and draws of ranks by any weight that falls slowly over them.
//!
//! Why: whatever a formula says of an object follows from its popularity, and over 10^8 objects that changes by one or two
//! per cent from bucket to bucket. So tables have two thousand entries and stay in a core's own cache, beside a cache that
//! is played.

use plimsoll_scenarios::popularity::{IndexSampler, Law};
use plimsoll_scenarios::rng::Stream;

/// Ranks that are buckets of their own.
const HEAD: u64 = 1024;
/// Buckets for every doubling of the rank beyond, and the bits that tell them apart.
const BITS: u32 = 6;
const HEAD_BITS: u32 = HEAD.trailing_zeros();
const TWO_TO_32: f64 = 4_294_967_296.0;
/// Ranks that are drawn together: what one waits for, others need not.
const TOGETHER: usize = 64;
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

/// Sixteen bytes, so that all of them stay near.
#[derive(Clone, Copy)]
struct Group {
    from: u32,
    count: u32,
    /// Weight of the highest of its ranks, or a little more.
    highest: f32,
    /// Weight of the least of its ranks as a share of the highest, out of 2^32.
    surely: u32,
}

impl Draws {
    /// For a law over fewer than 2^32 ranks.
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
            let surely = if count == 1 { u32::MAX } else { (share * TWO_TO_32) as u32 };
            groups.push(Group { from: from as u32, count: count as u32, highest: highest as f32, surely });
            masses.push(mean * count as f64);
        }
        Self { left: masses.iter().sum(), choice: IndexSampler::new(&masses), groups, law: law.clone() }
    }

    /// Adds so many ranks, counted from 0.
    pub fn draw(&self, n: u64, stream: &mut Stream, left: &dyn Fn(f64) -> f64, ranks: &mut Vec<u32>) {
        // A copy whose figures stay in registers.
        let mut draws = stream.clone();
        let mut groups = [0_usize; TOGETHER];
        let mut wanted = n as usize;
        ranks.reserve(wanted);
        while wanted > 0 {
            let groups = &mut groups[..wanted.min(TOGETHER)];
            for group in &mut *groups {
                *group = self.choice.draw(&mut draws);
            }
            for &mut group in &mut *groups {
                ranks.push(self.within(self.groups[group], &mut draws, left));
            }
            wanted -= groups.len();
        }
        *stream = draws;
    }

    #[inline]
    fn within(&self, group: Group, stream: &mut Stream, left: &dyn Fn(f64) -> f64) -> u32 {
        let mut rank = group.from;
        for _ in 0..TRIES_MAX {
            let product = u128::from(stream.bits()) * u128::from(group.count);
            let (place, chance) = ((product >> 64) as u32, (product >> 32) as u32);
            rank = group.from + place;
            if chance <= group.surely || self.accepted(chance, group.highest, rank, left) {
                break;
            }
        }
        rank
    }

    #[cold]
    #[inline(never)]
    fn accepted(&self, chance: u32, highest: f32, rank: u32, left: &dyn Fn(f64) -> f64) -> bool {
        let p = self.law.p(u64::from(rank));
        f64::from(chance) / TWO_TO_32 * f64::from(highest) < p * left(p)
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
        let mut ranks = Vec::new();
        draws.draw(u64::from(n), &mut stream, &left, &mut ranks);
        assert_eq!(ranks.len(), n as usize);
        let cuts = [0, 10, 100, 1_000, 5_000, 20_000, 100_000, 1_000_000];
        let mut seen = [0_u32; 7];
        for rank in ranks {
            seen[cuts.partition_point(|&c| c <= u64::from(rank)) - 1] += 1;
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
