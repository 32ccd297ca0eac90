//! A costly function of the scenario in many worlds: solved exactly in a few, and between them by a fitted
//! polynomial of the inputs' scores.
//!
//! Why: a hit ratio by Che's approximation takes a millisecond and is needed in ten thousand worlds, but it is a
//! smooth function of the few inputs that matter to it (a catalogue's size, an exponent, a capacity).
//! A polynomial in normal scores is a truncated Hermite expansion (Wiener 1938; Ghanem and Spanos 1991).

use plimsoll_scenarios::{Origin, Scenario, Uncertain};

use super::worlds::Scores;
use crate::threads;
use std::sync::atomic::AtomicBool;

/// A fitted output, a value between 0 and 1.
#[derive(Debug, Clone)]
pub struct Surface {
    /// The inputs it depends on.
    inputs: Vec<usize>,
    /// Powers of the inputs' scores, and what each is worth.
    terms: Vec<(Vec<u8>, f64)>,
    /// Least and greatest that were solved; the surface stays between them.
    ends: (f64, f64),
    /// The terms add up to log-odds.
    odds: bool,
}

/// Log-odds are cut here, at one in a thousand: a cache that holds everything has a kink there, and a
/// polynomial through far values would swing between near ones.
const LOG_ODDS_MAX: f64 = 7.0;
/// A change of an output by less than this is no dependence.
const SEEN: f64 = 1e-9;
/// Score at which dependence is looked for.
const PROBE: f64 = 1.5;
/// Furthest score at which it is solved; beyond, the surface is held constant.
const SCORE_MAX: f32 = 2.5;

fn log_odds(value: f64) -> f64 {
    (value / (1.0 - value)).ln().clamp(-LOG_ODDS_MAX, LOG_ODDS_MAX)
}

impl Surface {
    pub fn varies(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// The surface nearest to some values, of their log-odds or of themselves, and its mean squared error.
    fn through(
        inputs: &[usize],
        terms: &[Vec<u8>],
        rows: &[Vec<f64>],
        values: &[f64],
        odds: bool,
    ) -> (Self, f64) {
        let bent: Vec<f64> = values.iter().map(|&v| if odds { log_odds(v) } else { v }).collect();
        let worth = least_squares(rows, &bent);
        let least = bent.iter().copied().fold(f64::INFINITY, f64::min);
        let most = bent.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let terms = terms.iter().cloned().zip(worth.iter().copied()).collect();
        let surface = Self { inputs: inputs.to_vec(), terms, ends: (least, most), odds };
        let error = |(row, value): (&Vec<f64>, &f64)| {
            let sum: f64 = row.iter().zip(&worth).map(|(r, w)| r * w).sum();
            (surface.straight(sum) - value).powi(2)
        };
        let squares: f64 = rows.iter().zip(values).map(error).sum();
        (surface, squares / values.len() as f64)
    }

    /// The value that a sum of terms stands for.
    fn straight(&self, sum: f64) -> f64 {
        let sum = sum.clamp(self.ends.0, self.ends.1);
        if self.odds { 1.0 / (1.0 + (-sum).exp()) } else { sum }
    }

    /// Values in all worlds.
    pub fn column(&self, scores: &Scores) -> Vec<f64> {
        let mut at = vec![0.0; self.inputs.len()];
        (0..scores.worlds())
            .map(|world| {
                for (x, &input) in at.iter_mut().zip(&self.inputs) {
                    *x = f64::from(scores.0[input][world].clamp(-SCORE_MAX, SCORE_MAX));
                }
                let sum: f64 = self.terms.iter().map(|(powers, worth)| worth * monomial(powers, &at)).sum();
                self.straight(sum)
            })
            .collect()
    }
}

fn monomial(powers: &[u8], at: &[f64]) -> f64 {
    powers.iter().zip(at).map(|(&power, x)| x.powi(i32::from(power))).product()
}

/// All products of powers of `inputs` scores up to a total degree.
fn products(inputs: usize, degree: u8) -> Vec<Vec<u8>> {
    let mut list = vec![Vec::new()];
    for _ in 0..inputs {
        list = list
            .into_iter()
            .flat_map(|powers: Vec<u8>| {
                let left = degree - powers.iter().sum::<u8>();
                (0..=left).map(move |power| [&powers[..], &[power]].concat())
            })
            .collect();
    }
    list
}

/// Fits every output of `solve`, whose values at the middle of all ranges are `middle`.
pub fn fit(
    scenario: &Scenario,
    uncertain: &[Uncertain],
    middle: &[f64],
    threads: usize,
    solve: &(dyn Fn(&Scenario) -> Vec<f64> + Sync),
) -> Vec<Surface> {
    let constant = Surface { inputs: Vec::new(), terms: Vec::new(), ends: (0.0, 0.0), odds: false };
    if uncertain.is_empty() || middle.is_empty() {
        return vec![constant; middle.len()];
    }
    let at = |score: &dyn Fn(usize) -> f64| {
        let of = |origin: Origin| uncertain.iter().position(|u| u.origin == origin).map(score);
        solve(&scenario.world(&of))
    };
    let many = |jobs: usize, score: &(dyn Fn(usize, usize) -> f64 + Sync)| -> Vec<Vec<f64>> {
        let jobs: Vec<usize> = (0..jobs).collect();
        let solved =
            threads::parallel(&jobs, threads, &AtomicBool::new(false), |&job| at(&|input| score(job, input)));
        solved.into_iter().flatten().collect()
    };
    let probes = many(uncertain.len(), &|job, input| if input == job { PROBE } else { 0.0 });
    let seen = |input: &usize| probes[*input].iter().zip(middle).any(|(a, b)| (a - b).abs() > SEEN);
    let inputs: Vec<usize> = (0..uncertain.len()).filter(seen).collect();
    if inputs.is_empty() {
        return vec![constant; middle.len()];
    }
    let degree = match inputs.len() {
        1 => 5,
        2 | 3 => 3,
        4..=8 => 2,
        _ => 1,
    };
    let terms = products(inputs.len(), degree);
    // Four times as many worlds as unknowns, spread wider than the worlds to come so that their tails lie inside.
    let samples = 4 * terms.len();
    let spread = Scores::draw(0, inputs.len(), samples, "surface");
    let points: Vec<Vec<f64>> = (0..samples)
        .map(|s| spread.0.iter().map(|c| f64::from((c[s] * 1.1).clamp(-SCORE_MAX, SCORE_MAX))).collect())
        .collect();
    let solved =
        many(samples, &|s, i| inputs.iter().position(|&input| input == i).map_or(0.0, |k| points[s][k]));
    let rows: Vec<Vec<f64>> = points.iter().map(|p| terms.iter().map(|t| monomial(t, p)).collect()).collect();
    let of_output = |output: usize| {
        let values: Vec<f64> = solved.iter().map(|s| s[output]).collect();
        let spread = values.iter().map(|v| (v - values[0]).abs()).fold(0.0, f64::max);
        if spread < SEEN {
            return constant.clone();
        }
        // Log-odds bend less, unless some of the solutions are at 0 or 1, where they have a cliff.
        let fitted = [true, false].map(|odds| Surface::through(&inputs, &terms, &rows, &values, odds));
        let [(by_odds, odds_error), (as_is, error)] = fitted;
        if odds_error <= error { by_odds } else { as_is }
    };
    (0..middle.len()).map(of_output).collect()
}

/// Coefficients that bring `rows x coefficients` nearest to `values`: the normal equations, by Gaussian
/// elimination with pivoting. A touch of ridge keeps a degenerate design solvable.
fn least_squares(rows: &[Vec<f64>], values: &[f64]) -> Vec<f64> {
    let n = rows.first().map_or(0, Vec::len);
    let mut a = vec![vec![0.0; n + 1]; n];
    for (row, value) in rows.iter().zip(values) {
        for i in 0..n {
            for j in 0..n {
                a[i][j] += row[i] * row[j];
            }
            a[i][n] += row[i] * value;
        }
    }
    for (i, row) in a.iter_mut().enumerate() {
        row[i] += 1e-9 * rows.len() as f64;
    }
    for i in 0..n {
        let pivot = (i..n).max_by(|&x, &y| a[x][i].abs().total_cmp(&a[y][i].abs())).unwrap_or(i);
        a.swap(i, pivot);
        let (above, below) = a.split_at_mut(i + 1);
        let head = &above[i];
        for row in below {
            let factor = row[i] / head[i];
            row.iter_mut().zip(head).skip(i).for_each(|(x, h)| *x -= factor * h);
        }
    }
    let mut x = vec![0.0; n];
    for i in (0..n).rev() {
        let rest: f64 = (i + 1..n).map(|j| a[i][j] * x[j]).sum();
        x[i] = (a[i][n] - rest) / a[i][i];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_squares_finds_the_polynomial_that_made_the_values() {
        let terms = products(2, 2);
        assert_eq!(terms.len(), 6);
        let points: Vec<[f64; 2]> =
            (0..14).map(|i| [f64::from(i % 5) - 2.0, f64::from(i % 3) - 1.0]).collect();
        let made: Vec<f64> =
            points.iter().map(|p| 1.0 + 2.0 * p[0] - 0.5 * p[1] * p[1] + p[0] * p[1]).collect();
        let rows: Vec<Vec<f64>> =
            points.iter().map(|p| terms.iter().map(|t| monomial(t, p)).collect()).collect();
        let found = least_squares(&rows, &made);
        for (row, value) in rows.iter().zip(&made) {
            let sum: f64 = row.iter().zip(&found).map(|(r, f)| r * f).sum();
            assert!((sum - value).abs() < 1e-6, "{sum} {value}");
        }
    }
}
