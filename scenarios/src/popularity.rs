//! Which object is asked for.
//!
//! A [`Popularity`] is a shape (Zipf, uniform), a [`Law`] is that shape over a number of objects. Ranks
//! count from 0, the most popular first; the formulas of the literature count from 1.

use crate::rng::Stream;

/// Shape of popularity over ranks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Popularity {
    /// Every object alike.
    Uniform,
    /// Rank `k` (from 1) in proportion to `k^-exponent`.
    Zipf { exponent: f64 },
}

impl Popularity {
    /// Visits the parameters that a file states.
    pub(crate) fn each_quantity(&mut self, _visit: &mut dyn FnMut(&mut dyn crate::AnyQuantity)) {}

    /// Relative weight at a rank counted from 1. Decreasing.
    fn weight(self, rank: f64) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Zipf { exponent } => rank.powf(-exponent),
        }
    }

    /// Sum of weights over ranks `from..to` counted from 1.
    ///
    /// Small ranks are added up; beyond, Euler-Maclaurin with the first two derivatives, whose error is
    /// below 1e-12 of the sum from rank 64 on.
    fn weight_sum(self, from: u64, to: u64) -> f64 {
        const DIRECT: u64 = 64;
        if to <= from {
            return 0.0;
        }
        let Self::Zipf { exponent: s } = self else { return (to - from) as f64 };
        let direct_end = to.min(DIRECT.max(from));
        let mut sum: f64 = (from..direct_end).map(|k| self.weight(k as f64)).sum();
        let start = direct_end.max(from);
        if start < to {
            let (a, b) = (start as f64, to as f64);
            let log = (b / a).ln();
            let integral = if (1.0 - s).abs() < 1e-12 {
                log
            } else {
                a.powf(1.0 - s) * ((1.0 - s) * log).exp_m1() / (1.0 - s)
            };
            let f = |x: f64| x.powf(-s);
            let d1 = |x: f64| -s * x.powf(-s - 1.0);
            let d3 = |x: f64| -s * (s + 1.0) * (s + 2.0) * x.powf(-s - 3.0);
            sum += integral + (f(a) - f(b)) / 2.0 + (d1(b) - d1(a)) / 12.0 - (d3(b) - d3(a)) / 720.0;
        }
        sum
    }

    /// The law over `count` objects (at least 1).
    #[must_use]
    pub fn over(self, count: u64) -> Law {
        let count = count.max(1);
        Law { popularity: self, count, total: self.weight_sum(1, count + 1) }
    }
}

/// A popularity over a definite number of objects; probabilities add up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Law {
    popularity: Popularity,
    count: u64,
    total: f64,
}

/// A group of objects that are asked for alike: `count` objects, each with probability `p`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atom {
    pub count: f64,
    pub p: f64,
}

/// Geometric growth of the groups beyond the head in [`Law::atoms`].
const ATOM_GROWTH: f64 = 1.02;
/// Ranks that are atoms of their own.
const ATOM_HEAD: u64 = 4096;

impl Law {
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Probability that a request is for this rank (from 0).
    #[must_use]
    pub fn p(&self, rank: u64) -> f64 {
        self.popularity.weight((rank + 1) as f64) / self.total
    }

    /// Probability that a request is for a rank in `from..to` (from 0).
    #[must_use]
    pub fn mass(&self, from: u64, to: u64) -> f64 {
        self.popularity.weight_sum(from + 1, to.min(self.count) + 1) / self.total
    }

    /// The law as a few thousand groups of equal probability, for sums over all objects: every sum of a
    /// smooth function of `p` over the objects is `sum(count * f(p))` to about 1e-9 relative.
    ///
    /// The head is exact. Beyond, three Gauss-Legendre nodes per geometric interval integrate over
    /// `[a - 1/2, b - 1/2]`, which is the midpoint rule for the sum over ranks `a..b`.
    #[must_use]
    pub fn atoms(&self) -> Vec<Atom> {
        let head = self.count.min(ATOM_HEAD);
        let mut atoms: Vec<Atom> = (0..head).map(|rank| Atom { count: 1.0, p: self.p(rank) }).collect();
        let node = 0.6_f64.sqrt();
        let nodes = [(-node, 5.0 / 18.0), (0.0, 8.0 / 18.0), (node, 5.0 / 18.0)];
        let mut from = head;
        while from < self.count {
            let to = ((from as f64 * ATOM_GROWTH).ceil() as u64).clamp(from + 1, self.count);
            let (low, high) = (from as f64 + 0.5, to as f64 + 0.5);
            for (x, weight) in nodes {
                let rank = 0.5 * (low + high) + 0.5 * (high - low) * x;
                atoms.push(Atom {
                    count: weight * (high - low),
                    p: self.popularity.weight(rank) / self.total,
                });
            }
            from = to;
        }
        atoms
    }

    /// Something that draws ranks.
    #[must_use]
    pub fn sampler(&self) -> RankSampler {
        RankSampler::new(self)
    }
}

/// Characteristic time of an LRU cache under Che's approximation: the time `t`, in requests, after which
/// `capacity` different objects have been asked for, `sum(1 - exp(-p t)) = capacity`.
/// Infinite where the cache holds everything.
///
/// Che, Tung and Wang, "Hierarchical Web caching systems", IEEE JSAC 20(7), 2002.
#[must_use]
pub fn lru_characteristic_time(atoms: &[Atom], capacity: f64) -> f64 {
    let objects: f64 = atoms.iter().filter(|a| a.p > 0.0).map(|a| a.count).sum();
    if capacity >= objects {
        return f64::INFINITY;
    }
    if capacity <= 0.0 {
        return 0.0;
    }
    let held = |t: f64| atoms.iter().map(|a| -a.count * (-a.p * t).exp_m1()).sum::<f64>();
    let (mut low, mut high) = (0.0, capacity);
    while held(high) < capacity {
        low = high;
        high *= 2.0;
        if high > 1e30 {
            return f64::INFINITY;
        }
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if held(middle) < capacity {
            low = middle;
        } else {
            high = middle;
        }
        if high - low <= 1e-13 * high {
            break;
        }
    }
    0.5 * (low + high)
}

/// Draws ranks of a [`Law`] in a few nanoseconds, with tables of a few kilobytes for any catalogue.
///
/// Two levels: an alias table (Walker 1977, as improved by Vose 1991) over the most popular ranks and over
/// geometric groups of the others, then a uniform rank in the group, accepted in proportion to its weight.
/// Groups grow by 1/16, so that more than 94 % of first tries are accepted without a call to `powf`.
#[derive(Debug, Clone)]
pub struct RankSampler {
    popularity: Popularity,
    slots: Vec<AliasSlot>,
    /// First rank (from 0) of every entry, and one past the last.
    starts: Vec<u64>,
    /// By entry: the weight of its first rank, and that of its last as a share of it.
    bounds: Vec<(f64, f64)>,
}

/// Eight bytes, so that a table of tens of thousands of entries stays in a core's own cache.
#[derive(Debug, Clone, Copy)]
struct AliasSlot {
    /// Stay here if the fraction is below this, out of 2^32.
    keep: u32,
    other: u32,
}

const SAMPLER_HEAD: u64 = 1024;

impl RankSampler {
    fn new(law: &Law) -> Self {
        let head = law.count.min(SAMPLER_HEAD);
        let mut starts: Vec<u64> = (0..head).collect();
        let mut from = head;
        while from < law.count {
            starts.push(from);
            from = (from + (from / 16).max(1)).min(law.count);
        }
        starts.push(law.count);
        let masses: Vec<f64> = starts.windows(2).map(|w| law.mass(w[0], w[1])).collect();
        let weight = |rank: u64| law.popularity.weight(rank as f64);
        let bounds = starts.windows(2).map(|w| (weight(w[0] + 1), weight(w[1]) / weight(w[0] + 1))).collect();
        Self { popularity: law.popularity, slots: alias_table(&masses), starts, bounds }
    }

    /// A rank, counted from 0.
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> u64 {
        let product = u128::from(stream.bits()) * self.slots.len() as u128;
        let (index, fraction) = ((product >> 64) as usize, (product >> 32) as u32);
        let slot = self.slots[index];
        let index = if fraction < slot.keep { index } else { slot.other as usize };
        let (from, to) = (self.starts[index], self.starts[index + 1]);
        if to - from == 1 { from } else { self.draw_within(index, from, to, stream) }
    }

    fn draw_within(&self, index: usize, from: u64, to: u64, stream: &mut Stream) -> u64 {
        if self.popularity == Popularity::Uniform {
            return from + stream.below(to - from);
        }
        let (highest, surely) = self.bounds[index];
        loop {
            let rank = from + stream.below(to - from);
            let u = stream.uniform();
            if u < surely || u * highest < self.popularity.weight((rank + 1) as f64) {
                return rank;
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_agree_with_reference_values() {
        // Harmonic number of 1e8 and shares of the most popular objects, computed at 40 digits.
        let law = Popularity::Zipf { exponent: 1.0 }.over(100_000_000);
        assert!((law.total - 18.997_896_413_853_9).abs() < 1e-9, "{}", law.total);
        for (top, share) in
            [(10_000, 0.515_194), (100_000, 0.636_394), (1_000_000, 0.757_596), (10_000_000, 0.878_798)]
        {
            assert!((law.mass(0, top) - share).abs() < 1e-6, "{top}: {}", law.mass(0, top));
        }
    }

    #[test]
    fn sums_by_formula_equal_sums_by_addition() {
        for exponent in [0.5, 0.9, 1.0, 1.2, 2.0] {
            let shape = Popularity::Zipf { exponent };
            for (from, to) in [(1, 2), (1, 1000), (40, 5000), (900, 70_000)] {
                let direct: f64 = (from..to).map(|k| (k as f64).powf(-exponent)).sum();
                assert!((shape.weight_sum(from, to) / direct - 1.0).abs() < 1e-11, "{exponent} {from}..{to}");
            }
        }
    }

    #[test]
    fn atoms_carry_all_objects_and_all_requests() {
        for exponent in [0.6, 0.9, 1.0, 1.3] {
            let atoms = Popularity::Zipf { exponent }.over(100_000_000).atoms();
            let objects: f64 = atoms.iter().map(|a| a.count).sum();
            let mass: f64 = atoms.iter().map(|a| a.count * a.p).sum();
            assert!((objects / 1e8 - 1.0).abs() < 1e-9);
            assert!((mass - 1.0).abs() < 1e-8, "{exponent}: {mass}");
            assert!(atoms.len() < 10_000);
        }
    }

    #[test]
    fn the_characteristic_time_gives_the_reference_hit_ratios() {
        // Che's approximation for s = 1 and N = 1e8, computed independently.
        let atoms = Popularity::Zipf { exponent: 1.0 }.over(100_000_000).atoms();
        for (capacity, hit) in [(1e5, 0.547_765), (1e6, 0.685_699), (1e7, 0.832_842)] {
            let t = lru_characteristic_time(&atoms, capacity);
            let ratio: f64 = atoms.iter().map(|a| -a.count * a.p * (-a.p * t).exp_m1()).sum();
            assert!((ratio - hit).abs() < 1e-6, "{capacity}: {ratio}");
        }
    }

    #[test]
    fn the_sampler_follows_the_law() {
        for shape in [
            Popularity::Uniform,
            Popularity::Zipf { exponent: 0.8 },
            Popularity::Zipf { exponent: 1.0 },
            Popularity::Zipf { exponent: 1.4 },
        ] {
            let law = shape.over(1_000_000);
            let (sampler, mut stream) = (law.sampler(), Stream::new(11, "law", "ranks", 0));
            let n = 2_000_000_u32;
            let edges = [0, 1, 2, 10, 100, 1_000, 1_100, 10_000, 300_000, 1_000_000];
            let mut counts = [0_u32; 9];
            for _ in 0..n {
                let rank = sampler.draw(&mut stream);
                let bin = edges.partition_point(|&e| e <= rank) - 1;
                counts[bin] += 1;
            }
            for (bin, &count) in counts.iter().enumerate() {
                let expected = law.mass(edges[bin], edges[bin + 1]) * f64::from(n);
                // Five standard deviations of a Poisson count.
                assert!(
                    (f64::from(count) - expected).abs() < 5.0 * expected.sqrt() + 1.0,
                    "{shape:?} bin {bin}: {count} for {expected}"
                );
            }
        }
    }
}
