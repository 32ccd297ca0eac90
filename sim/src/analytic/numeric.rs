//! Numerical tools of the closed forms: stable probabilities, quadrature, roots.
//!
//! Why own code: binomial and Poisson terms are needed at real arguments of 10^8 to full relative accuracy,
//! which the textbook forms (factorials, differences of cumulative sums) lose.

use std::f64::consts::{PI, SQRT_2};

/// Positive nodes and weights of the 20-point Gauss-Legendre rule on (-1, 1).
const GAUSS: [(f64, f64); 10] = [
    (0.076_526_521_133_497_33, 0.152_753_387_130_725_85),
    (0.227_785_851_141_645_08, 0.149_172_986_472_603_75),
    (0.373_706_088_715_419_56, 0.142_096_109_318_382_05),
    (0.510_867_001_950_827_1, 0.131_688_638_449_176_63),
    (0.636_053_680_726_515, 0.118_194_531_961_518_42),
    (0.746_331_906_460_150_8, 0.101_930_119_817_240_44),
    (0.839_116_971_822_218_8, 0.083_276_741_576_704_75),
    (0.912_234_428_251_326, 0.062_672_048_334_109_06),
    (0.963_971_927_277_913_8, 0.040_601_429_800_386_94),
    (0.993_128_599_185_094_9, 0.017_614_007_139_152_118),
];

/// Intervals an adaptive integral may be cut into.
const INTERVALS_MAX: usize = 4_000;
/// Variance from which on a binomial is a normal distribution (to 10^-6): the sums would be too long.
const VARIANCE_MAX: f64 = 1e12;
/// Factors that are multiplied one by one.
const FACTORS_MAX: u64 = 1_000_000;
/// Halvings of a bracket; a f64 has no more to tell.
const HALVINGS_MAX: usize = 200;

/// Gauss-Legendre estimate of the integral of `f` over one interval.
pub(crate) fn gauss(f: &impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    half * GAUSS.iter().map(|&(x, w)| w * (f(middle - half * x) + f(middle + half * x))).sum::<f64>()
}

/// Integral over `panels` equal intervals; for smooth functions of known width.
pub(crate) fn integrate_panels(f: &impl Fn(f64) -> f64, low: f64, high: f64, panels: usize) -> f64 {
    let width = (high - low) / panels as f64;
    (0..panels).map(|k| gauss(f, low + k as f64 * width, low + (k + 1) as f64 * width)).sum()
}

/// Adaptive integral to about `tolerance` relative; jumps are closed in on by halving, boundedly often.
pub(crate) fn integrate(f: &impl Fn(f64) -> f64, low: f64, high: f64, tolerance: f64) -> f64 {
    let first = gauss(f, low, high);
    let mut pending = vec![(low, high, first)];
    let (mut sum, mut intervals) = (0.0, 1_usize);
    let mut scale = first.abs();
    while let Some((low, high, whole)) = pending.pop() {
        let middle = 0.5 * (low + high);
        let (left, right) = (gauss(f, low, middle), gauss(f, middle, high));
        scale = scale.max(sum + left + right);
        let settled = (left + right - whole).abs() <= tolerance * scale;
        if settled || intervals >= INTERVALS_MAX || middle <= low || middle >= high {
            sum += left + right;
        } else {
            intervals += 1;
            pending.push((middle, high, right));
            pending.push((low, middle, left));
        }
    }
    sum
}

/// `x ln(x/m) + m - x`, without the cancellation where `x` is near `m`. `difference` is `x - m`, given apart
/// because a caller often knows it more exactly than the subtraction would.
pub(crate) fn deviance(x: f64, m: f64, difference: f64) -> f64 {
    if difference.abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() - difference;
    }
    // Loader, "Fast and accurate computation of binomial probabilities", 2000: the series of ln.
    let v = difference / (x + m);
    let mut sum = difference * v;
    let mut term = 2.0 * x * v;
    for j in 1..1_000 {
        term *= v * v;
        let next = sum + term / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// `ln(k!) - ln(sqrt(2 pi k) (k/e)^k)`, the error of Stirling's formula, for real `k > 0`.
pub(crate) fn stirling_error(k: f64) -> f64 {
    if k < 15.0 {
        return libm::lgamma(k + 1.0) - (k + 0.5) * k.ln() + k - 0.5 * (2.0 * PI).ln();
    }
    let s = 1.0 / (k * k);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / k
}

/// Poisson probability `m^k e^-m / k!` for real `k >= 0`; `difference` is `k - m`.
pub(crate) fn poisson(k: f64, mean: f64, difference: f64) -> f64 {
    if mean <= 0.0 {
        return if k == 0.0 { 1.0 } else { 0.0 };
    }
    if k <= 0.0 {
        return (-mean).exp();
    }
    (-stirling_error(k) - deviance(k, mean, difference)).exp() / (2.0 * PI * k).sqrt()
}

/// Binomial probability of `k` out of `n`, each with probability `p`.
pub(crate) fn binomial(n: u64, k: u64, p: f64) -> f64 {
    let (n_, k_, q) = (n as f64, k as f64, 1.0 - p);
    if k > n {
        return 0.0;
    }
    if p <= 0.0 || p >= 1.0 {
        return if (p <= 0.0 && k == 0) || (p >= 1.0 && k == n) { 1.0 } else { 0.0 };
    }
    if k == 0 {
        return (n_ * (-p).ln_1p()).exp();
    }
    if k == n {
        return (n_ * p.ln()).exp();
    }
    let apart = k_ - n_ * p;
    let exponent = stirling_error(n_)
        - stirling_error(k_)
        - stirling_error(n_ - k_)
        - deviance(k_, n_ * p, apart)
        - deviance(n_ - k_, n_ * q, -apart);
    exponent.exp() * (n_ / (2.0 * PI * k_ * (n_ - k_))).sqrt()
}

/// `P(X >= k)` of a binomial, to full relative accuracy where it is small. Terms are summed from `k` away
/// from the mean, so there are of the order of sqrt(n) of them.
pub(crate) fn binomial_tail(n: u64, k: u64, p: f64) -> f64 {
    let p = p.clamp(0.0, 1.0);
    if k == 0 {
        return 1.0;
    }
    if k > n || p == 0.0 {
        return 0.0;
    }
    if p == 1.0 {
        return 1.0;
    }
    let (mean, variance) = (n as f64 * p, n as f64 * p * (1.0 - p));
    if variance > VARIANCE_MAX {
        return normal_tail((k as f64 - 0.5 - mean) / variance.sqrt());
    }
    let odds = p / (1.0 - p);
    if k as f64 > mean {
        let (mut term, mut sum) = (binomial(n, k, p), 0.0);
        for j in k..=n {
            sum += term;
            term *= (n - j) as f64 / (j as f64 + 1.0) * odds;
            if term <= sum * 1e-18 {
                break;
            }
        }
        sum.min(1.0)
    } else {
        let (mut term, mut sum) = (binomial(n, k - 1, p), 0.0);
        for j in (0..k).rev() {
            sum += term;
            term *= j as f64 / (((n - j) as f64 + 1.0) * odds);
            if term <= sum * 1e-18 {
                break;
            }
        }
        (1.0 - sum).clamp(0.0, 1.0)
    }
}

/// Probability that `drawn` out of `n`, drawn without replacement, all are among `some` of them:
/// `C(some, drawn) / C(n, drawn)`.
pub(crate) fn all_among(n: u64, some: u64, drawn: u64) -> f64 {
    let some = some.min(n);
    if drawn > some {
        return if drawn == 0 { 1.0 } else { 0.0 };
    }
    // The same with the roles of the drawn and of the others exchanged; the shorter product.
    let (drawn, some) = if drawn <= n - some { (drawn, some) } else { (n - some, n - drawn) };
    if drawn > FACTORS_MAX {
        let ln = |n: u64| libm::lgamma(n as f64 + 1.0);
        return (ln(some) - ln(some - drawn) - ln(n) + ln(n - drawn)).exp().min(1.0);
    }
    let mut product = 1.0;
    for k in 0..drawn {
        product *= (some - k) as f64 / (n - k) as f64;
        if product == 0.0 {
            break;
        }
    }
    product
}

/// Upper tail of the gamma distribution of this `shape` and scale 1: regularised `Q(shape, x)`
/// (Abramowitz and Stegun 6.5.29 below the mean, the continued fraction 6.5.31 above).
pub(crate) fn gamma_tail(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    // The same saddle point as the Poisson probability: x^shape e^-x / Gamma(shape + 1).
    let front = poisson(shape, x, shape - x);
    if x < shape + 1.0 {
        let (mut term, mut sum) = (1.0, 1.0);
        for n in 1..100_000 {
            term *= x / (shape + f64::from(n));
            sum += term;
            if term <= sum * 1e-17 {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    // Lentz's method.
    let tiny = 1e-300;
    let mut b = x + 1.0 - shape;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut h = d;
    for n in 1..100_000 {
        let an = -f64::from(n) * (f64::from(n) - shape);
        b += 2.0;
        d = an * d + b;
        d = 1.0 / if d.abs() < tiny { tiny } else { d };
        c = b + an / c;
        if c.abs() < tiny {
            c = tiny;
        }
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (front * shape * h).clamp(0.0, 1.0)
}

/// Upper tail of the standard normal distribution.
pub(crate) fn normal_tail(x: f64) -> f64 {
    0.5 * libm::erfc(x / SQRT_2)
}

/// Quantile `p` of the standard normal distribution.
pub(crate) fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p < 0.5 {
        return -normal_quantile(1.0 - p);
    }
    boundary(0.0, 40.0, |x| normal_tail(x) > 1.0 - p)
}

/// Where `below` turns from true to false between `low` and `high`.
pub(crate) fn boundary(mut low: f64, mut high: f64, below: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS_MAX {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if below(middle) { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Quantile `p` of a time >= 0 with this upper `tail`; `scale` is any guess of its size. 0 where the tail at
/// 0 is small enough already, infinite where `p >= 1` or the tail never gets down.
pub(crate) fn quantile(p: f64, scale: f64, tail: impl Fn(f64) -> f64) -> f64 {
    let late = (1.0 - p).max(0.0);
    let above = |t: f64| tail(t) > late;
    if !above(0.0) {
        return 0.0;
    }
    if p >= 1.0 || p.is_nan() {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, if scale > 0.0 && scale.is_finite() { scale } else { 1.0 });
    while above(high) {
        low = high;
        high *= 2.0;
        if high == f64::INFINITY {
            return high;
        }
    }
    boundary(low, high, above)
}

/// Least whole number above `floor` that is `enough`, for a condition that stays true once it is; `step` is
/// a guess of how far it is. `None` if there is none below 2^63.
pub(crate) fn least(floor: f64, step: f64, enough: impl Fn(u64) -> bool) -> Option<u64> {
    const MAX: f64 = 9.0e18;
    if floor.is_nan() || floor >= MAX {
        return None;
    }
    let mut low = floor.max(0.0) as u64;
    let mut step = step.clamp(1.0, MAX) as u64;
    let mut high = low + 1;
    while !enough(high) {
        low = high;
        high += step;
        step = step.saturating_mul(2);
        if high as f64 > MAX || step as f64 > MAX {
            return None;
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-12, "got {got}, want {want}");
    }

    #[test]
    fn tails_match_values_of_thirty_digits() {
        near(poisson(10.0, 7.0, 3.0), 0.070_983_268_650_413_74);
        near(binomial_tail(14, 5, 0.01), 1.856_894_283_863_540_4e-7);
        near(gamma_tail(3.0, 2.0), 0.676_676_416_183_063_5);
        near(gamma_tail(0.5, 9.0), 2.209_049_699_858_544e-5);
        near(normal_tail(3.0), 1.349_898_031_630_094_6e-3);
        near(normal_quantile(0.975), 1.959_963_984_540_054);
    }

    #[test]
    fn drawing_is_symmetric() {
        near(all_among(10, 7, 4), 35.0 / 210.0);
        near(all_among(10, 6, 3), 20.0 / 120.0);
        assert_eq!((all_among(5, 5, 5), all_among(5, 3, 4), all_among(5, 0, 0)), (1.0, 0.0, 1.0));
        assert_eq!(all_among(u64::MAX, u64::MAX - 1, 7), 1.0);
    }

    #[test]
    fn huge_binomials_are_normal() {
        // 10^12 draws: just below the limit by the sum, just above by the normal distribution.
        let (below, above) = (3_999_999_999_999_u64, 4_000_000_100_000_u64);
        let tail = |n: u64| binomial_tail(n, n / 2 + 1_000_000, 0.5);
        assert!((tail(below) / tail(above) - 1.0).abs() < 1e-5, "{} {}", tail(below), tail(above));
    }

    #[test]
    fn integrals_survive_a_jump() {
        let step = |x: f64| if x < 0.3 { 1.0 } else { 0.0 };
        assert!((integrate(&step, 0.0, 1.0, 1e-10) - 0.3).abs() < 1e-9);
        near(integrate(&|x: f64| (-x).exp(), 0.0, 50.0, 1e-13), 1.0);
    }

    #[test]
    fn the_least_number_is_found_from_either_end() {
        assert_eq!(least(0.0, 1.0, |n| n >= 12_345), Some(12_345));
        assert_eq!(least(7.0, 1e3, |_| true), Some(8));
        assert_eq!(least(0.0, 1.0, |_| false), None);
        assert_eq!(least(f64::INFINITY, 1.0, |_| true), None);
    }
}
