//! Erlang's formulas, exact and fast for pools of any size.
//!
//! Why not the well-known recursion over the servers: a planner asks for them dozens of times with 10^6
//! servers. The inverse of the loss formula is a sum whose terms die after about nine times the square root
//! of the load; from a million servers on it is an integral over a peak that a few panels resolve.

use crate::analytic::numeric::{deviance, integrate_panels};

/// Servers from which on the integral takes the place of the sum.
const INTEGRAL_FROM: u64 = 1_000_000;
/// Deviance from which on there are this many servers or fewer in use with certainty, to the last bit of an f64
/// (Chernoff: the probability of more is below `exp` of less the deviance).
const CERTAIN: f64 = 37.0;
/// Servers from which on four terms of Stirling's series are exact to 1e-14.
const STIRLING_FROM: u64 = 16;

/// Erlang's loss formula: probability that all `servers` are busy in M/G/c/c under `load` erlang.
///
/// `1/B = sum over k of c (c-1) .. (c-k+1) / a^k`, all terms positive (Jagerman, "Some properties of the
/// Erlang loss function", Bell System Technical Journal 53, 1974, section II).
#[must_use]
pub fn erlang_b(servers: u64, load: f64) -> f64 {
    if load.is_nan() {
        return f64::NAN;
    }
    if servers == 0 || load == f64::INFINITY {
        return 1.0;
    }
    if load <= 0.0 {
        return 0.0;
    }
    let spare = servers as f64 - load;
    if spare > 0.0 && servers >= STIRLING_FROM {
        let peak = deviance(servers as f64, load, spare);
        if peak > CERTAIN {
            return poisson(servers as f64, peak);
        }
    }
    if servers >= INTEGRAL_FROM { by_integral(servers as f64, load) } else { by_sum(servers, load) }
}

/// A Poisson variable's probability of `n`, its deviance from the mean given (Loader, "Fast and accurate
/// computation of binomial probabilities", 2000). The loss is that probability over the one of `n` or fewer.
fn poisson(n: f64, deviance: f64) -> f64 {
    let square = n * n;
    let stirling =
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / 1680.0 / square) / square) / square) / n;
    (-stirling - deviance).exp() / (2.0 * std::f64::consts::PI * n).sqrt()
}

fn by_sum(servers: u64, load: f64) -> f64 {
    let (mut term, mut sum) = (1.0_f64, 1.0_f64);
    for k in 0..servers {
        let ratio = (servers - k) as f64 / load;
        term *= ratio;
        sum += term;
        // The terms left are below a geometric series of this ratio.
        if ratio < 1.0 && term * ratio < sum * (1.0 - ratio) * 1e-17 {
            break;
        }
        if sum == f64::INFINITY {
            return 0.0;
        }
    }
    1.0 / sum
}

/// `1/B = a * integral over y >= 0 of e^(-a y) (1 + y)^c` (Fortet's integral; Jagerman 1974, section II),
/// with the peak taken out of the integral.
fn by_integral(servers: f64, load: f64) -> f64 {
    let spare = servers - load;
    // The integrand peaks at c/a - 1, if that is positive; in units of the peak's width sqrt(c)/a.
    let unit = servers.sqrt();
    if spare > 0.0 {
        let peak = deviance(servers, load, spare);
        let from = (-spare / unit).max(-9.5);
        let f = |x: f64| (servers * ln_1p_minus(x / unit)).exp();
        (-peak).exp() / (unit * integrate_panels(&f, from, 9.5, 8))
    } else {
        let slope = -spare / unit;
        let to = if slope > 4.0 { 40.0 / slope } else { 9.5 };
        let f = |x: f64| (servers * ln_1p_minus(x / unit) - slope * x).exp();
        // Here y = x / sqrt(c), so a dy = a / sqrt(c) dx.
        1.0 / (load / unit * integrate_panels(&f, 0.0, to, 6))
    }
}

/// `ln(1 + w) - w` without cancellation near 0.
fn ln_1p_minus(w: f64) -> f64 {
    if w.abs() > 0.02 {
        return w.ln_1p() - w;
    }
    // Horner's form of -w^2/2 + w^3/3 - ..; the eleventh term is below 1e-17 of the first.
    let tail = (2..=11).rev().fold(0.0, |sum, n| 1.0 / f64::from(n) - w * sum);
    -w * w * tail
}

/// Erlang's delay formula: probability that an arrival waits in M/M/c. 1 where `load >= servers`.
#[must_use]
pub fn erlang_c(servers: u64, load: f64) -> f64 {
    let (c, load) = (servers as f64, if load < 0.0 { 0.0 } else { load });
    if load >= c {
        return 1.0;
    }
    let b = erlang_b(servers, load);
    c * b / ((c - load) + load * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursion over the servers (Cooper 1981, section 3.4): slow, stable, and independent of the above.
    fn by_recursion(servers: u64, load: f64) -> f64 {
        (1..=servers).fold(1.0, |b, n| load * b / (n as f64 + load * b))
    }

    #[test]
    fn the_sum_is_the_recursion() {
        for servers in [1, 2, 7, 16, 17, 64, 300, 5_286, 100_000] {
            for share in [1e-3, 0.1, 0.3, 0.5, 0.8, 0.9, 0.99, 1.0, 1.01, 3.0, 1e6] {
                let load = servers as f64 * share;
                let (got, want) = (erlang_b(servers, load), by_recursion(servers, load));
                assert!(
                    (got - want).abs() <= 1e-11 * want + 1e-300,
                    "B({servers}, {load}) = {got}, not {want}"
                );
            }
        }
    }

    #[test]
    fn the_integral_is_the_recursion() {
        for servers in [1_000_000_u64, 10_000_000] {
            for deviations in [-300.0, -20.0, -5.0, -4.0, -1.0, 0.0, 1e-9, 0.5, 3.0, 9.0, 30.0] {
                let load = servers as f64 - deviations * (servers as f64).sqrt();
                let (got, want) = (erlang_b(servers, load), by_recursion(servers, load));
                assert!(
                    (got - want).abs() <= 1e-10 * want + 1e-300,
                    "B({servers}, {load}) = {got}, not {want}"
                );
            }
        }
    }

    #[test]
    fn extremes_are_answers() {
        for servers in [0, 1, 1_000, u64::MAX] {
            for load in [-1.0, 0.0, 1e-300, 1.0, 1e9, 1.8e19, f64::MAX, f64::INFINITY] {
                let (b, c) = (erlang_b(servers, load), erlang_c(servers, load));
                assert!((0.0..=1.0).contains(&b) && (0.0..=1.0).contains(&c), "{servers} {load}: {b} {c}");
                assert!(c >= b || servers == 0, "{servers} {load}: {b} {c}");
            }
        }
    }
}
