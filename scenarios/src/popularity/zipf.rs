//! Zipf's law and its two usual corrections.
//!
//! Why corrections: catalogues are flatter than Zipf at the top (no song is asked for ten times as often as the
//! tenth) and steeper at the bottom (most songs are asked for never). The head is Mandelbrot's,
//! `(k + head)^-exponent` ("An informational theory of the statistical structure of language", 1953); the
//! cutoff is a stretched exponential, `exp(-(k / cutoff)^stretch)` (Laherrère and Sornette, "Stretched
//! exponential distributions in nature and economy", European Physical Journal B 2, 1998).

use crate::units::{Count, Number};

/// Rank `k` (from 1) in proportion to `(k + head)^-exponent * exp(-(k / cutoff)^stretch)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Zipf {
    pub exponent: Number,
    /// Ranks over which the head is flat; none in Zipf's own law.
    pub head: Option<Count>,
    /// Rank from which on popularity falls faster than any power; none in Zipf's own law.
    pub cutoff: Option<Count>,
    /// How sharp the cutoff is: 1 is exponential, less is gentler.
    pub stretch: Number,
}

impl Zipf {
    /// Zipf's own law.
    #[must_use]
    pub fn new(exponent: Number) -> Self {
        Self { exponent, head: None, cutoff: None, stretch: Number::given(1.0, "1") }
    }

    pub(super) fn scaled(&self, factor: f64) -> Self {
        let times = |count: &Option<Count>| count.as_ref().map(|count| count.times(factor));
        Self { head: times(&self.head), cutoff: times(&self.cutoff), ..self.clone() }
    }

    pub(super) fn over(&self, count: u64) -> Power {
        let mut power = Power {
            exponent: self.exponent.get(),
            head: self.head.as_ref().map_or(0.0, Count::get),
            cutoff: self.cutoff.as_ref().map(|cutoff| Cutoff::new(cutoff.get(), self.stretch.get())),
            total: 1.0,
        };
        power.total = power.sum(1, count + 1);
        power
    }
}

/// The law in plain numbers, over a number of objects.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Power {
    exponent: f64,
    head: f64,
    cutoff: Option<Cutoff>,
    /// Sum of the weights of all objects.
    total: f64,
}

/// `exp(-depth)` with a depth that grows with the rank.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cutoff {
    rank: f64,
    stretch: f64,
    /// Depth at the first rank.
    first: f64,
}

impl Cutoff {
    fn new(rank: f64, stretch: f64) -> Self {
        Self { rank, stretch, first: (1.0 / rank).powf(stretch) }
    }

    fn depth(&self, k: f64) -> f64 {
        (k / self.rank).powf(self.stretch)
    }
}

/// Ranks below this are added up one by one (the flat head counts, but for cutoffs).
const DIRECT: f64 = 64.0;
/// So are those where a cutoff takes more than this share of a rank's weight from the next.
const STEEP: f64 = 0.1;

impl Power {
    /// Probability at a rank counted from 1, which may lie between ranks.
    #[inline]
    pub fn p(&self, k: f64) -> f64 {
        self.weight(k) / self.total
    }

    /// Probability of ranks `from..to` counted from 1.
    pub fn mass(&self, from: u64, to: u64) -> f64 {
        self.sum(from, to) / self.total
    }

    /// Relative weight; decreasing. Scaled so that the cutoff takes nothing from the first rank: a cutoff far
    /// above the head leaves plain numbers, one inside the head does not underflow them.
    #[inline]
    fn weight(&self, k: f64) -> f64 {
        let power = (k + self.head).powf(-self.exponent);
        match self.cutoff {
            None => power,
            Some(cutoff) => power * (cutoff.first - cutoff.depth(k)).exp(),
        }
    }

    /// Sum of weights over ranks `from..to` counted from 1.
    ///
    /// Small ranks and steep ones are added up; beyond, Euler-Maclaurin with the first two derivatives, whose
    /// error is below 1e-12 of the sum from rank 64 on (below 1e-9 where a cutoff is steep).
    fn sum(&self, from: u64, to: u64) -> f64 {
        if to <= from {
            return 0.0;
        }
        let mut k = from;
        let mut sum = 0.0;
        while k < to && self.is_rough(k as f64) {
            let weight = self.weight(k as f64);
            sum += weight;
            k += 1;
            // So steep that the rest is nothing.
            if weight < sum * 1e-20 {
                return sum;
            }
        }
        if k < to {
            let (a, b) = (k as f64, to as f64);
            let integral = match &self.cutoff {
                Some(cutoff) => self.integral_cut(cutoff, a, b),
                None => self.integral_power(a, b),
            };
            let ((f_a, d1_a, d3_a), (f_b, d1_b, d3_b)) = (self.derivatives(a), self.derivatives(b));
            sum += integral + (f_a - f_b) / 2.0 + (d1_b - d1_a) / 12.0 - (d3_b - d3_a) / 720.0;
        }
        sum
    }

    /// Whether the weight changes so much from one rank to the next that an integral is no good start.
    fn is_rough(&self, k: f64) -> bool {
        k + self.head < DIRECT
            || self.cutoff.is_some_and(|cutoff| k < DIRECT || cutoff.stretch * cutoff.depth(k) / k > STEEP)
    }

    /// The integral of the weight where there is no cutoff, in closed form.
    fn integral_power(&self, a: f64, b: f64) -> f64 {
        let (a, b, s) = (a + self.head, b + self.head, self.exponent);
        // Of close ends the ratio is exact only this way.
        let log = ((b - a) / a).ln_1p();
        if (1.0 - s).abs() < 1e-12 { log } else { a.powf(1.0 - s) * ((1.0 - s) * log).exp_m1() / (1.0 - s) }
    }

    /// The integral with a cutoff: Gauss-Legendre over `ln k`, in panels over which the weight changes by a
    /// few times at most; what is below `e^-50` of the first panel's is left out.
    fn integral_cut(&self, cutoff: &Cutoff, a: f64, b: f64) -> f64 {
        if self.weight(a) == 0.0 {
            return 0.0;
        }
        let deepest = cutoff.depth(a) + 50.0;
        let (mut x, mut sum) = (a, 0.0);
        while x < b && cutoff.depth(x) < deepest {
            let steepness = self.exponent + cutoff.stretch * cutoff.depth(x);
            let width = (2.0 / steepness).min(0.5 / cutoff.stretch.max(1.0));
            let end = (x * width.exp()).min(b);
            let half = 0.5 * ((end - x) / x).ln_1p();
            let middle = x * half.exp();
            for (node, weight) in LEGENDRE_8 {
                for node in [-node, node] {
                    let k = middle * (half * node).exp();
                    sum += weight * half * k * self.weight(k);
                }
            }
            x = end;
        }
        sum
    }

    /// The weight and its first and third derivatives, by those of its logarithm.
    fn derivatives(&self, k: f64) -> (f64, f64, f64) {
        let (f, x, s) = (self.weight(k), k + self.head, self.exponent);
        if f == 0.0 {
            return (0.0, 0.0, 0.0);
        }
        let (mut g1, mut g2, mut g3) = (-s / x, s / (x * x), -2.0 * s / (x * x * x));
        if let Some(cutoff) = &self.cutoff {
            let (depth, stretch) = (cutoff.depth(k), cutoff.stretch);
            g1 -= stretch * depth / k;
            g2 -= stretch * (stretch - 1.0) * depth / (k * k);
            g3 -= stretch * (stretch - 1.0) * (stretch - 2.0) * depth / (k * k * k);
        }
        (f, f * g1, f * (g1 * g1 * g1 + 3.0 * g1 * g2 + g3))
    }
}

/// Positive nodes and weights of the Gauss-Legendre rule with eight nodes on `[-1, 1]`
/// (Abramowitz and Stegun, table 25.4).
const LEGENDRE_8: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_26),
];
