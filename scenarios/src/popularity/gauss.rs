//! Gauss quadrature for sums.
//!
//! Why not the rule for integrals: a sum over ranks differs from the integral by what a rank's own width
//! makes, 1e-6 near rank 100. The rule for the sum itself has no such error, so a handful of nodes stands for
//! a third of a catalogue.

/// Most nodes of a rule.
pub(super) const NODES_MAX: usize = 6;
/// Fewer points than this are better taken one by one.
pub(super) const POINTS_MIN: u64 = 17;

/// Nodes in `(0, points - 1)` and weights such that `sum(weight * f(node))` is the sum of `f` over
/// `0, 1, .. points - 1`, exactly for polynomials of degree up to `2 * nodes - 1`.
///
/// The nodes are the zeros of the discrete Chebyshev (Gram) polynomial of that degree, by Newton's method from
/// those of Legendre's; their recurrence is in Gautschi, "Orthogonal Polynomials", 2004, table 1.2.
///
/// `nodes` is 1 to [`NODES_MAX`], `points` at least [`POINTS_MIN`].
pub(super) fn sum_rule(points: u64, nodes: usize) -> impl Iterator<Item = (f64, f64)> {
    let n = points as f64;
    // Of the monic polynomials over (-1, 1): p[k + 1] = z p[k] - c[k] p[k - 1].
    let mut c = [0.0; NODES_MAX + 1];
    for (k, c) in c.iter_mut().enumerate().skip(1) {
        let k2 = (k * k) as f64;
        *c = k2 * (1.0 - k2 / (n * n)) / (4.0 * k2 - 1.0);
    }
    (0..nodes).map(move |i| {
        let mut z = -(std::f64::consts::PI * (i as f64 + 0.75) / (nodes as f64 + 0.5)).cos();
        for _ in 0..20 {
            let (mut p, mut before) = (1.0, 0.0);
            let (mut slope, mut slope_before) = (0.0, 0.0);
            for &c in c.iter().take(nodes) {
                (slope, slope_before) = (p + z * slope - c * slope_before, slope);
                (p, before) = (z * p - c * before, p);
            }
            let step = p / slope;
            z -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        // Christoffel's formula: one over the sum of squares of the orthonormal polynomials.
        let (mut p, mut before, mut norm, mut sum) = (1.0, 0.0, n, 0.0);
        for k in 0..nodes {
            sum += p * p / norm;
            (p, before) = (z * p - c[k] * before, p);
            norm *= c[k + 1];
        }
        ((n - 1.0) / 2.0 + z * n / 2.0, 1.0 / sum)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_exact_for_polynomials() {
        for points in [17, 18, 20, 33, 100, 1_000, 1_000_000] {
            for nodes in 1..=NODES_MAX {
                for degree in 0..2 * nodes as i32 {
                    // In (0, 1], so that powers stay comparable.
                    let f = |x: f64| ((x + 1.0) / points as f64).powi(degree);
                    let direct: f64 = (0..points).map(|k| f(k as f64)).sum();
                    let ruled: f64 = sum_rule(points, nodes).map(|(x, weight)| weight * f(x)).sum();
                    assert!(
                        (ruled / direct - 1.0).abs() < 1e-11,
                        "{points} {nodes} {degree}: {ruled} {direct}"
                    );
                }
            }
        }
    }

    #[test]
    fn nodes_ascend_inside_and_weights_are_positive() {
        for points in 17..2_000 {
            let rule: Vec<(f64, f64)> = sum_rule(points, NODES_MAX).collect();
            assert!(rule.windows(2).all(|w| w[0].0 < w[1].0), "{points}: {rule:?}");
            let inside = |x: f64| 0.0 < x && x < (points - 1) as f64;
            assert!(rule.iter().all(|&(x, weight)| inside(x) && weight > 0.0), "{points}: {rule:?}");
        }
    }
}
