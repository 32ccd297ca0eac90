//! Draws ranks, and indices by weight.
//!
//! Why two levels: an alias table over 10^8 objects would not fit a cache; over the head and over groups of
//! nearly equal ranks it is a few kilobytes.

use super::Law;
use crate::rng::Stream;

/// Draws ranks of a [`Law`] in a few nanoseconds, with tables of a few kilobytes for any catalogue (of a few
/// megabytes for a mixture with a hundred thousand counts).
///
/// Two levels: an alias table (Walker 1977, as improved by Vose 1991) over the most popular ranks and over
/// groups of the others, then a uniform rank in the group, accepted in proportion to its probability.
/// Groups grow by 1/16, so that of Zipf's law more than 94 % of first tries are accepted without a call to
/// `powf`; where the law is constant, a group is all that is alike and every try is accepted.
#[derive(Debug, Clone)]
pub struct RankSampler {
    law: Law,
    slots: Vec<AliasSlot>,
    groups: Vec<Ranks>,
}

/// An entry of the table: some ranks next to each other.
#[derive(Debug, Clone, Copy)]
struct Ranks {
    from: u64,
    count: u64,
    /// Probability of its first rank.
    highest: f64,
    /// Probability of its last rank as a share of the first's, out of 2^64; `u64::MAX` is all.
    surely: u64,
}

/// Eight bytes, so that a table of tens of thousands of entries stays in a core's own cache.
#[derive(Debug, Clone, Copy)]
struct AliasSlot {
    /// Stay here if the fraction is below this, out of 2^32.
    keep: u32,
    other: u32,
}

/// Ranks that are entries of their own where the law is not constant.
const HEAD: u64 = 1024;
/// Least probability of a group's last rank, as a share of its first rank's.
const ACCEPTED_MIN: f64 = 0.7;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
/// A tail that gets less than this share of requests is one group, drawn uniformly.
const TAIL: f64 = 1e-15;

impl RankSampler {
    pub(super) fn new(law: &Law) -> Self {
        let flat = law.is_flat();
        let (mut groups, mut masses) = (Vec::new(), Vec::new());
        let mut from = 0;
        for cut in law.cuts() {
            while from < cut {
                let (to, even) = if flat { (cut, true) } else { group_end(law, from, cut) };
                let highest = law.p(from);
                // A conversion to whole numbers ends at their greatest.
                let share = if even || highest <= 0.0 { 1.0 } else { law.p(to - 1) / highest };
                groups.push(Ranks { from, count: to - from, highest, surely: (share * TWO_TO_64) as u64 });
                masses.push(law.mass(from, to));
                from = to;
            }
        }
        Self { law: law.clone(), slots: alias_table(&masses), groups }
    }

    /// A rank, counted from 0.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u64 {
        let product = u128::from(stream.bits()) * self.slots.len() as u128;
        let (index, fraction) = ((product >> 64) as usize, (product >> 32) as u32);
        let slot = self.slots[index];
        let index = if fraction < slot.keep { index } else { slot.other as usize };
        let ranks = &self.groups[index];
        // One number gives the place in the group and, by what is left of it, the chance. An entry of one rank
        // goes the same way: whether it is one is a coin that no processor can guess.
        // A try is accepted with a chance of `ACCEPTED_MIN` or more, so this ends.
        loop {
            let product = u128::from(stream.bits()) * u128::from(ranks.count);
            let (place, chance) = ((product >> 64) as u64, product as u64);
            let rank = ranks.from + place;
            if chance <= ranks.surely || self.accepted(chance, ranks.highest, rank) {
                return rank;
            }
        }
    }

    /// Apart, so that the usual way through a draw stays short.
    #[cold]
    #[inline(never)]
    fn accepted(&self, chance: u64, highest: f64, rank: u64) -> bool {
        chance as f64 / TWO_TO_64 * highest < self.law.p(rank)
    }
}

/// Where the group of ranks ends that starts here, and whether its ranks are drawn alike.
fn group_end(law: &Law, from: u64, cut: u64) -> (u64, bool) {
    if from < HEAD {
        return (from + 1, true);
    }
    let mut to = (from + from / 16).min(cut);
    let least = law.p(from) * ACCEPTED_MIN;
    if law.p(to - 1) < least && law.mass(from, law.count()) < TAIL {
        return (cut, true);
    }
    while to - from > 1 && law.p(to - 1) < least {
        to = from + (to - from) / 2;
    }
    (to, false)
}
fn alias_table(masses: &[f64]) -> Vec<AliasSlot> {
    let n = masses.len();
    let total: f64 = masses.iter().sum();
    let mut scaled: Vec<f64> = masses.iter().map(|m| m / total * n as f64).collect();
    let mut slots: Vec<AliasSlot> = (0..n).map(|i| AliasSlot { keep: u32::MAX, other: i as u32 }).collect();
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..n).partition(|&i| scaled[i] < 1.0);
    while let (Some(&s), Some(&l)) = (small.last(), large.last()) {
        small.pop();
        slots[s] = AliasSlot { keep: (scaled[s] * 4_294_967_296.0) as u32, other: l as u32 };
        scaled[l] -= 1.0 - scaled[s];
        if scaled[l] < 1.0 {
            large.pop();
            small.push(l);
        }
    }
    slots
}

/// Draws an index in proportion to given weights, by an alias table. At least one weight is positive.
#[derive(Debug, Clone)]
pub struct IndexSampler(Vec<AliasSlot>);

impl IndexSampler {
    #[must_use]
    pub fn new(weights: &[f64]) -> Self {
        Self(alias_table(weights))
    }

    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> usize {
        let product = u128::from(stream.bits()) * self.0.len() as u128;
        let (index, fraction) = ((product >> 64) as usize, (product >> 32) as u32);
        let slot = self.0[index];
        if fraction < slot.keep { index } else { slot.other as usize }
    }
}
