//! Order statistics: the slowest of a fan-out, the k-th answer of a quorum, the faster of a hedged pair.
//!
//! Why these decide a page's latency: a request that needs all of 100 answers meets one server's 99th
//! percentile two times out of three (Dean and Barroso, "The tail at scale", Communications of the ACM 56,
//! 2013).

use super::numeric::{binomial_tail, boundary, integrate, quantile};

/// Euler and Mascheroni's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

/// `1 + 1/2 + .. + 1/n`.
#[must_use]
pub fn harmonic(n: u64) -> f64 {
    if n < 64 {
        return (1..=n).rev().map(|k| 1.0 / k as f64).sum();
    }
    let (n, s) = (n as f64, (n as f64).powi(-2));
    n.ln() + EULER + 0.5 / n - s * (1.0 / 12.0 - s * (1.0 / 120.0 - s / 252.0))
}

/// Mean of the k-th smallest of n exponential times with this mean: `mean * (H(n) - H(n-k))`
/// (Arnold, Balakrishnan and Nagaraja, A First Course in Order Statistics, 1992, section 4.6). `k = n` is the
/// maximum, `k = 1` the minimum. 0 for `k = 0`; infinite for `k > n`, which never happens.
#[must_use]
pub fn kth_exponential_mean(n: u64, k: u64, mean: f64) -> f64 {
    if k == 0 {
        0.0
    } else if k > n {
        f64::INFINITY
    } else if k <= 1_000 {
        mean * (n - k + 1..=n).map(|j| 1.0 / j as f64).sum::<f64>()
    } else {
        mean * (harmonic(n) - harmonic(n - k))
    }
}

/// Mean of the slowest of n exponential times with this mean.
#[must_use]
pub fn max_exponential_mean(n: u64, mean: f64) -> f64 {
    mean * harmonic(n)
}

/// Probability that all of n independent times are below their quantile `p`.
#[must_use]
pub fn all_under(n: u64, p: f64) -> f64 {
    p.clamp(0.0, 1.0).powf(n as f64)
}

/// The quantile each of n parts must keep so that all together keep the quantile `p`: `p^(1/n)`.
#[must_use]
pub fn quantile_of_each(n: u64, p: f64) -> f64 {
    if n == 0 { 0.0 } else { (p.clamp(0.0, 1.0).ln() / n as f64).exp() }
}

/// Probability that at least k of n independent events of probability `p` happen: the distribution function
/// of the k-th order statistic, where `p` is that of one time.
#[must_use]
pub fn at_least(n: u64, k: u64, p: f64) -> f64 {
    binomial_tail(n, k, p)
}

/// `P(k-th smallest of n > t)` where a single time exceeds t with probability `tail`.
#[must_use]
pub fn kth_tail(n: u64, k: u64, tail: f64) -> f64 {
    // The k-th is late if at least n - k + 1 are; from the tail, so that small ones stay exact.
    if k > n {
        1.0
    } else if k == 0 {
        0.0
    } else {
        binomial_tail(n, n - k + 1, tail)
    }
}

/// Quantile `p` of the k-th smallest of n times, from the quantile function of one. Infinite for `k > n`.
#[must_use]
pub fn kth_quantile(n: u64, k: u64, p: f64, quantile_of_one: impl Fn(f64) -> f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    if k > n {
        return f64::INFINITY;
    }
    quantile_of_one(boundary(0.0, 1.0, |u| binomial_tail(n, k, u) < p))
}

/// Mean of the k-th smallest of n times >= 0, from `P(one > t)`, by integration; `scale` is a guess of the
/// size of one. Infinite for `k > n`, and where the tail is too heavy for a mean.
#[must_use]
pub fn kth_mean(n: u64, k: u64, scale: f64, tail: impl Fn(f64) -> f64) -> f64 {
    if k > n {
        return f64::INFINITY;
    }
    mean_of_tail(scale, |t| kth_tail(n, k, tail(t).clamp(0.0, 1.0)))
}

/// `P(answer later than t)` if a copy of the request is sent to another server after `delay` seconds, given
/// `P(one > t)`: the earlier of two independent answers.
#[must_use]
pub fn hedged_tail(delay: f64, t: f64, tail: impl Fn(f64) -> f64) -> f64 {
    if t < delay { tail(t) } else { tail(t) * tail(t - delay) }
}

/// Quantile `p` of the latency of a request hedged after `delay`.
#[must_use]
pub fn hedged_quantile(delay: f64, p: f64, scale: f64, tail: impl Fn(f64) -> f64) -> f64 {
    quantile(p, scale, |t| hedged_tail(delay, t, &tail))
}

/// Mean latency of a request hedged after `delay`.
#[must_use]
pub fn hedged_mean(delay: f64, scale: f64, tail: impl Fn(f64) -> f64) -> f64 {
    mean_of_tail(scale, |t| hedged_tail(delay, t, &tail))
}

/// Share of requests that are sent twice: those without an answer after `delay`.
#[must_use]
pub fn hedged_extra_load(delay: f64, tail: impl Fn(f64) -> f64) -> f64 {
    tail(delay.max(0.0)).clamp(0.0, 1.0)
}

/// Mean of a time >= 0 from its tail: the integral, in ranges that double until what is left is negligible.
fn mean_of_tail(scale: f64, tail: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, if scale > 0.0 && scale.is_finite() { scale } else { 1.0 });
    let mut sum = 0.0;
    // From the size that matters down to nothing, then up.
    while high < f64::MAX / 4.0 {
        let part = integrate(&tail, low, high, 1e-11);
        sum += part;
        let left = tail(high);
        if left <= 0.0 || (left * high <= 1e-12 * sum && part <= 1e-9 * sum) {
            return sum;
        }
        (low, high) = (high, 2.0 * high);
    }
    f64::INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "got {got}, want {want}");
    }

    #[test]
    fn harmonic_numbers_meet_where_the_methods_do() {
        let exact = |n: u64| (1..=n).rev().map(|k| 1.0 / k as f64).sum::<f64>();
        for n in [1, 10, 63, 64, 100, 100_000] {
            assert!((harmonic(n) / exact(n) - 1.0).abs() < 1e-14, "{n}");
        }
        near(harmonic(100_000_000), 18.997_896_413_853_898);
        assert_eq!(harmonic(0), 0.0);
    }

    #[test]
    fn general_times_include_exponential_ones() {
        let tail = |t: f64| (-t / 3.0).exp();
        for (n, k) in [(1, 1), (3, 2), (5, 3), (100, 100), (100, 1), (1_000, 990)] {
            near(kth_mean(n, k, 3.0, tail), kth_exponential_mean(n, k, 3.0));
        }
        near(kth_quantile(5, 5, 0.99, |u| -3.0 * (1.0 - u).ln()), -3.0 * (1.0 - 0.99_f64.powf(0.2)).ln());
        near(kth_quantile(5, 1, 0.99, |u| -3.0 * (-u).ln_1p()), 3.0 * 100.0_f64.ln() / 5.0);
    }

    #[test]
    fn means_of_other_laws() {
        // Uniform times: k/(n+1). Always the same time: that. Pareto with index 2.5: 5/3 of its minimum.
        near(kth_mean(4, 3, 0.1, |t| (1.0 - t).clamp(0.0, 1.0)), 0.6);
        near(kth_mean(4, 3, 10.0, |t| if t < 7.0 { 1.0 } else { 0.0 }), 7.0);
        let pareto = kth_mean(1, 1, 1.0, |t| t.max(1.0).powf(-2.5));
        assert!((pareto / (5.0 / 3.0) - 1.0).abs() < 1e-6, "{pareto}");
        assert_eq!(kth_mean(1, 1, 1.0, |t| t.max(1.0).powf(-0.9)), f64::INFINITY);
    }

    #[test]
    fn hedging_exponential_times() {
        // Without memory the copy halves what is left: mean = 1 - e^-d / 2.
        let tail = |t: f64| (-t.max(0.0)).exp();
        for delay in [0.0, 0.5, 3.0] {
            near(hedged_mean(delay, 1.0, tail), 1.0 - 0.5 * (-delay).exp());
        }
        near(hedged_quantile(2.0, 0.999, 1.0, tail), 1.0 + 0.5 * 1_000.0_f64.ln());
        near(hedged_extra_load(2.0, tail), (-2.0_f64).exp());
        near(hedged_quantile(f64::MAX, 0.999, 1.0, tail), 1_000.0_f64.ln());
    }

    #[test]
    fn extremes_are_answers() {
        assert_eq!(kth_exponential_mean(3, 4, 1.0), f64::INFINITY);
        assert_eq!(kth_tail(3, 4, 0.1), 1.0);
        assert_eq!(kth_quantile(3, 0, 0.5, |u| u), 0.0);
        assert_eq!(all_under(0, 0.0), 1.0);
        assert!((kth_exponential_mean(u64::MAX, u64::MAX, 1.0) - 44.938).abs() < 1e-2);
        near(quantile_of_each(100, 0.99).powi(100), 0.99);
    }
}
