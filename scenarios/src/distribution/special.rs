//! Distribution functions of the normal and the gamma law. `libm` has the error function and the logarithm of
//! the gamma function; it is linked anyway, by what draws random numbers.

use std::f64::consts::{PI, SQRT_2};

/// Distribution function of the standard normal law.
pub(super) fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// Its inverse, to a few units of the last place; infinite at 0 and 1.
///
/// A start within 5e-4 (Abramowitz and Stegun, 26.2.23), then Halley's method on the distribution function.
pub(super) fn normal_quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let t = (-2.0 * p.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut z = numerator / denominator - t;
    for _ in 0..3 {
        let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        let step = (normal_cdf(z) - p) / density;
        z -= step / (1.0 + 0.5 * z * step);
    }
    z
}

/// Most terms; near `x = shape` some times the root of the shape are needed.
const TERMS_MAX: usize = 100_000;

/// Distribution function of the gamma law with scale 1: the regularised lower incomplete gamma function.
///
/// A power series below the mean, above it the continued fraction by Lentz's method (Press et al., "Numerical
/// Recipes", section 6.2).
pub(super) fn gamma_cdf(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x == f64::INFINITY {
        return 1.0;
    }
    let factor = power_over_gamma(shape, x);
    if x < shape + 1.0 {
        let (mut term, mut sum) = (1.0, 1.0);
        for n in 1..TERMS_MAX {
            term *= x / (shape + n as f64);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return (factor * sum).min(1.0);
    }
    let tiny = 1e-300;
    let mut b = x + 1.0 - shape;
    let mut c = 1.0 / tiny;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for n in 1..TERMS_MAX {
        let a = -(n as f64) * (n as f64 - shape);
        b += 2.0;
        d = a * d + b;
        c = b + a / c;
        d = if d.abs() < tiny { 1.0 / tiny } else { 1.0 / d };
        c = if c.abs() < tiny { tiny } else { c };
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    (1.0 - factor * shape * fraction).max(0.0)
}

/// `x^shape exp(-x) / gamma(shape + 1)`. Large shapes by Stirling's series, since the logarithms would cancel.
fn power_over_gamma(shape: f64, x: f64) -> f64 {
    if shape < 16.0 {
        return (shape * x.ln() - x - libm::lgamma(shape + 1.0)).exp();
    }
    let off = (x - shape) / shape;
    let i2 = 1.0 / (shape * shape);
    let series = (1.0 / 12.0 - i2 * (1.0 / 360.0 - i2 * (1.0 / 1260.0 - i2 / 1680.0))) / shape;
    (shape * (off.ln_1p() - off) - series).exp() / (2.0 * PI * shape).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // Computed at 30 digits.
        for (p, z) in [
            (0.5, 0.0),
            (0.975, 1.959_963_984_540_054),
            (0.999, 3.090_232_306_167_813_5),
            (1e-10, -6.361_340_902_404_056),
            (1e-100, -21.273_453_560_965_324),
        ] {
            assert!((normal_quantile(p) - z).abs() < 1e-12, "{p}: {}", normal_quantile(p));
        }
        // Of a whole shape the law is Erlang's: 1 - exp(-x) sum(x^k / k!).
        for (shape, x) in [(1, 0.3), (1, 5.0), (4, 2.0), (4, 9.0), (30, 25.0), (30, 40.0), (150, 140.0)] {
            let (mut term, mut sum) = (1.0, 0.0);
            for k in 0..shape {
                sum += term;
                term *= x / f64::from(k + 1);
            }
            let erlang = 1.0 - (-x).exp() * sum;
            let ours = gamma_cdf(f64::from(shape), x);
            assert!((ours - erlang).abs() < 1e-13, "{shape} {x}: {ours} {erlang}");
        }
    }
}
