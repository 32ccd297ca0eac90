//! The universal scalability law (Gunther, "Guerrilla Capacity Planning", Springer 2007, chapter 4): throughput
//! `X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1))` with `N` requests in the system. `sigma` is the
//! part that is done one after the other, and `kappa` what requests cost each other pair by pair; with the
//! latter, more load makes less throughput beyond a peak.
//!
//! `N / X` is linear in `1/lambda`, `sigma/lambda` and `kappa/lambda`, so the least squares have a closed form.
//! Residuals are weighted by `X / N`, so that they are relative errors, and both coefficients are kept from
//! turning negative by leaving them out.

/// A fitted law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalabilityLaw {
    /// Throughput with one request in the system, 1/s.
    pub lambda_per_s: f64,
    pub sigma: f64,
    pub kappa: f64,
    /// Root mean square of the relative errors of throughput.
    pub error: f64,
}

impl ScalabilityLaw {
    /// Throughput with `n` requests in the system, 1/s.
    #[must_use]
    pub fn at(&self, n: f64) -> f64 {
        self.lambda_per_s * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    /// Requests in the system at which throughput is highest, and that throughput; `None` where it only grows.
    #[must_use]
    pub fn peak(&self) -> Option<(f64, f64)> {
        let n = ((1.0 - self.sigma) / self.kappa).sqrt();
        (self.kappa > 0.0 && n.is_finite() && n >= 1.0).then(|| (n, self.at(n)))
    }
}

/// Fits the law to pairs of requests in the system and throughput; `None` with fewer than four, or where they
/// do not differ enough.
#[must_use]
pub fn fit(points: &[(f64, f64)]) -> Option<ScalabilityLaw> {
    let sound = |(n, x): &&(f64, f64)| n.is_finite() && x.is_finite() && *n > 0.0 && *x > 0.0;
    let points: Vec<(f64, f64)> = points.iter().filter(sound).copied().collect();
    if points.len() < 4 {
        return None;
    }
    // With and without either coefficient; the first that has none below 0 and the least error.
    [[true, true], [true, false], [false, true], [false, false]]
        .into_iter()
        .filter_map(|with| solved(&points, with))
        .filter(|law| law.lambda_per_s > 0.0 && law.sigma >= 0.0 && law.kappa >= 0.0)
        .min_by(|a, b| a.error.total_cmp(&b.error))
}

fn solved(points: &[(f64, f64)], with: [bool; 2]) -> Option<ScalabilityLaw> {
    let columns = |n: f64| {
        let mut row = vec![1.0];
        if with[0] {
            row.push(n - 1.0);
        }
        if with[1] {
            row.push(n * (n - 1.0));
        }
        row
    };
    let size = columns(1.0).len();
    let mut matrix = vec![vec![0.0; size + 1]; size];
    for &(n, x) in points {
        let (weight, row) = ((x / n) * (x / n), columns(n));
        for i in 0..size {
            for j in 0..size {
                matrix[i][j] += weight * row[i] * row[j];
            }
            matrix[i][size] += weight * row[i] * n / x;
        }
    }
    let mut solution = eliminated(matrix)?.into_iter();
    let first = solution.next()?;
    let mut next = |wanted: bool| if wanted { solution.next() } else { Some(0.0) };
    let (sigma, kappa) = (next(with[0])? / first, next(with[1])? / first);
    let mut law = ScalabilityLaw { lambda_per_s: 1.0 / first, sigma, kappa, error: 0.0 };
    let squares: f64 = points.iter().map(|&(n, x)| (law.at(n) / x - 1.0).powi(2)).sum();
    law.error = (squares / points.len() as f64).sqrt();
    law.error.is_finite().then_some(law)
}

/// Solves a small linear system, its right side in the last column, by elimination with pivots.
fn eliminated(mut matrix: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let size = matrix.len();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|&a, &b| matrix[a][column].abs().total_cmp(&matrix[b][column].abs()))?;
        matrix.swap(column, pivot);
        let scale: f64 = matrix[column].iter().map(|v| v.abs()).fold(0.0, f64::max);
        if matrix[column][column].abs() <= 1e-12 * scale {
            return None;
        }
        for row in (0..size).filter(|&row| row != column) {
            let factor = matrix[row][column] / matrix[column][column];
            let from = matrix[column].clone();
            for (into, from) in matrix[row].iter_mut().zip(&from).skip(column) {
                *into -= factor * from;
            }
        }
    }
    Some((0..size).map(|i| matrix[i][size] / matrix[i][i]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(law: &ScalabilityLaw, noise: f64) -> Vec<(f64, f64)> {
        let n = [1.0, 2.0, 4.0, 8.0, 16.0, 24.0, 32.0, 48.0, 64.0];
        let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        n.iter().enumerate().map(|(i, &n)| (n, law.at(n) * (1.0 + noise * sign(i)))).collect()
    }

    #[test]
    fn the_law_is_found_again_and_so_is_its_peak() {
        // Gunther's ray-tracing benchmark, about.
        let law = ScalabilityLaw { lambda_per_s: 1_000.0, sigma: 0.05, kappa: 0.001, error: 0.0 };
        let fitted = fit(&points(&law, 0.0)).unwrap();
        assert!((fitted.lambda_per_s - 1_000.0).abs() < 1e-6 && (fitted.sigma - 0.05).abs() < 1e-9);
        let (n, x) = fitted.peak().unwrap();
        assert!((n - 950.0_f64.sqrt()).abs() < 1e-6 && (x - law.at(n)).abs() < 1e-6, "{n} {x}");
        let noisy = fit(&points(&law, 0.02)).unwrap();
        assert!((noisy.peak().unwrap().1 / x - 1.0).abs() < 0.05, "{noisy:?}");
        assert!(noisy.error < 0.025);
    }

    #[test]
    fn coefficients_never_turn_negative() {
        let linear: Vec<(f64, f64)> =
            (1..10).map(|n| (f64::from(n), 100.0 * f64::from(n).powf(1.05))).collect();
        let law = fit(&linear).unwrap();
        assert!(law.sigma >= 0.0 && law.kappa >= 0.0 && law.peak().is_none(), "{law:?}");
    }

    #[test]
    fn too_few_points_or_all_the_same_have_no_law() {
        assert_eq!(fit(&[(1.0, 10.0), (2.0, 19.0), (3.0, 27.0)]), None);
        assert_eq!(fit(&[(0.0, 0.0); 9]), None);
        let same = fit(&[(2.0, 10.0); 9]);
        assert!(same.is_none_or(|law| law.sigma == 0.0 || law.kappa == 0.0), "{same:?}");
    }
}
