//! The universal scalability law: throughput that bends for contention and falls for coherency.
//!
//! Why least squares on the law itself after a linear start: the transformed points (N/X) weigh the small
//! loads, where nobody is interested, most.

/// `X(N) = gamma N / (1 + sigma (N - 1) + kappa N (N - 1))`
/// (Gunther, Guerrilla Capacity Planning, 2007, chapter 4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usl {
    /// Throughput of one.
    pub gamma: f64,
    /// Contention: the share that is serial.
    pub sigma: f64,
    /// Coherency: what each pair costs.
    pub kappa: f64,
}

/// A fit and how good it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UslFit {
    pub law: Usl,
    /// Share of the variance that the law explains.
    pub r_squared: f64,
}

/// Steps of the fit; it settles in a dozen.
const STEPS_MAX: usize = 500;

impl Usl {
    /// Throughput at `n` (processors, clients); 0 for `n <= 0`.
    #[must_use]
    pub fn throughput(&self, n: f64) -> f64 {
        if n <= 0.0 {
            return 0.0;
        }
        self.gamma * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    /// Where throughput is highest: `sqrt((1 - sigma) / kappa)`, infinite without coherency cost.
    #[must_use]
    pub fn peak(&self) -> f64 {
        if self.sigma >= 1.0 { 1.0 } else { ((1.0 - self.sigma) / self.kappa).sqrt().max(1.0) }
    }

    /// Least-squares fit of the law, with all three numbers at least 0, to points (n, throughput).
    /// `None` for fewer than three different n, points that are not positive and
    /// finite, or so far apart that f64 cannot hold the sums.
    #[must_use]
    pub fn fit(points: &[(f64, f64)]) -> Option<UslFit> {
        let valid = |&(n, x): &(f64, f64)| n > 0.0 && x > 0.0 && n.is_finite() && x.is_finite();
        let mut loads: Vec<f64> = points.iter().map(|p| p.0).collect();
        loads.sort_by(f64::total_cmp);
        loads.dedup();
        if loads.len() < 3 || !points.iter().all(valid) {
            return None;
        }
        let law = refine(start(points), points);
        let mean = points.iter().map(|p| p.1).sum::<f64>() / points.len() as f64;
        let total: f64 = points.iter().map(|p| (p.1 - mean).powi(2)).sum();
        let left = residual(&law, points);
        let r_squared = if total > 0.0 { 1.0 - left / total } else { f64::from(u8::from(left == 0.0)) };
        let usable = [law.gamma, law.sigma, law.kappa, r_squared].iter().all(|x| x.is_finite());
        usable.then_some(UslFit { law, r_squared })
    }
}

/// `n / X = a + b (n - 1) + c n (n - 1)` is linear; the points are weighed by X to make errors relative.
fn start(points: &[(f64, f64)]) -> Usl {
    // Without a term that would come out negative, until none does.
    for used in [[true, true, true], [true, true, false], [true, false, true], [true, false, false]] {
        let rows = points.iter().map(|&(n, x)| {
            let row = [x / n, (n - 1.0) * x / n, (n - 1.0) * x];
            (std::array::from_fn(|k| if used[k] { row[k] } else { 0.0 }), 1.0)
        });
        if let Some([a, b, c]) = least_squares(rows, 0.0)
            && a > 0.0
            && b >= 0.0
            && c >= 0.0
        {
            return Usl { gamma: 1.0 / a, sigma: b / a, kappa: c / a };
        }
    }
    let best = points.iter().map(|p| p.1 / p.0).fold(0.0, f64::max);
    Usl { gamma: best, sigma: 0.0, kappa: 0.0 }
}

/// Levenberg and Marquardt's steps from there, kept in the positive.
fn refine(mut law: Usl, points: &[(f64, f64)]) -> Usl {
    let (mut damping, mut error) = (1e-3, residual(&law, points));
    for _ in 0..STEPS_MAX {
        let rows = points.iter().map(|&(n, x)| {
            let value = law.throughput(n);
            let bend = value / (1.0 + law.sigma * (n - 1.0) + law.kappa * n * (n - 1.0));
            ([value / law.gamma, -bend * (n - 1.0), -bend * n * (n - 1.0)], x - value)
        });
        let Some([gamma, sigma, kappa]) = least_squares(rows, damping) else { break };
        let next = Usl {
            gamma: (law.gamma + gamma).max(law.gamma * 1e-3),
            sigma: (law.sigma + sigma).max(0.0),
            kappa: (law.kappa + kappa).max(0.0),
        };
        let next_error = residual(&next, points);
        if next_error < error {
            let settled = error - next_error <= 1e-15 * error;
            (law, error, damping) = (next, next_error, damping * 0.1);
            if settled {
                break;
            }
        } else {
            damping *= 10.0;
            if damping > 1e12 {
                break;
            }
        }
    }
    law
}

fn residual(law: &Usl, points: &[(f64, f64)]) -> f64 {
    points.iter().map(|&(n, x)| (x - law.throughput(n)).powi(2)).sum()
}

/// Solves the normal equations of three unknowns, the diagonal raised by the share `damping`. Unknowns whose
/// column is 0 come out as 0. `None` if the rest is singular.
fn least_squares(rows: impl Iterator<Item = ([f64; 3], f64)>, damping: f64) -> Option<[f64; 3]> {
    let (mut m, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for (row, y) in rows {
        for i in 0..3 {
            right[i] += row[i] * y;
            for j in 0..3 {
                m[i][j] += row[i] * row[j];
            }
        }
    }
    // Columns of very different size (1 and n^2): scale the diagonal to 1.
    let size: [f64; 3] = std::array::from_fn(|k| if m[k][k] > 0.0 { m[k][k].sqrt() } else { 1.0 });
    for i in 0..3 {
        right[i] /= size[i];
        for j in 0..3 {
            m[i][j] /= size[i] * size[j];
        }
        m[i][i] = if m[i][i] > 0.0 { m[i][i] + damping } else { 1.0 };
    }
    // Cholesky's square root of the matrix.
    let mut l = [[0.0; 3]; 3];
    for i in 0..3 {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            if i == j {
                if m[i][i] - sum <= 1e-14 {
                    return None;
                }
                l[i][i] = (m[i][i] - sum).sqrt();
            } else {
                l[i][j] = (m[i][j] - sum) / l[j][j];
            }
        }
    }
    let mut x = right;
    for i in 0..3 {
        let sum: f64 = (0..i).map(|k| l[i][k] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i][i];
    }
    for i in (0..3).rev() {
        let sum: f64 = (i + 1..3).map(|k| l[k][i] * x[k]).sum();
        x[i] = (x[i] - sum) / l[i][i];
    }
    Some(std::array::from_fn(|k| x[k] / size[k]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAW: Usl = Usl { gamma: 995.0, sigma: 0.03, kappa: 1e-4 };

    #[test]
    fn exact_points_give_the_law_back() {
        for law in
            [LAW, Usl { gamma: 20.0, sigma: 0.2, kappa: 0.0 }, Usl { gamma: 1e-3, sigma: 0.0, kappa: 0.02 }]
        {
            let points: Vec<_> =
                [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 128.0].map(|n| (n, law.throughput(n))).to_vec();
            let fit = Usl::fit(&points).unwrap();
            assert!((fit.law.gamma / law.gamma - 1.0).abs() < 1e-8, "{fit:?}");
            assert!(
                (fit.law.sigma - law.sigma).abs() < 1e-8 && (fit.law.kappa - law.kappa).abs() < 1e-9,
                "{fit:?}"
            );
            assert!(fit.r_squared > 1.0 - 1e-12);
        }
    }

    #[test]
    fn no_law_nearby_fits_noisy_points_better() {
        let noise = [1.03, 0.98, 1.01, 0.97, 1.02, 1.0, 0.96, 1.04];
        let points: Vec<_> = noise
            .iter()
            .enumerate()
            .map(|(k, e)| {
                let n = f64::from(1 << k);
                (n, LAW.throughput(n) * e)
            })
            .collect();
        let fit = Usl::fit(&points).unwrap();
        let best = residual(&fit.law, &points);
        for (g, s, k) in [
            (1.001, 1.0, 1.0),
            (0.999, 1.0, 1.0),
            (1.0, 1.01, 1.0),
            (1.0, 0.99, 1.0),
            (1.0, 1.0, 1.01),
            (1.0, 1.0, 0.99),
        ] {
            let other = Usl { gamma: fit.law.gamma * g, sigma: fit.law.sigma * s, kappa: fit.law.kappa * k };
            assert!(residual(&other, &points) >= best);
        }
    }

    #[test]
    fn superlinear_points_are_called_linear() {
        let fit = Usl::fit(&[(1.0, 1.0), (2.0, 2.2), (4.0, 4.8), (8.0, 10.0)]).unwrap();
        assert_eq!((fit.law.sigma, fit.law.kappa), (0.0, 0.0));
        assert_eq!(fit.law.peak(), f64::INFINITY);
    }

    #[test]
    fn too_few_points_are_refused() {
        assert_eq!(Usl::fit(&[(1.0, 1.0), (1.0, 1.1), (2.0, 2.0)]), None);
        assert_eq!(Usl::fit(&[(1.0, 1.0), (2.0, f64::NAN), (3.0, 2.0)]), None);
        assert_eq!(Usl::fit(&[]), None);
    }
}
