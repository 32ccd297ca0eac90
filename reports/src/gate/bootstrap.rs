//! Confidence intervals by resampling rounds.
//!
//! Why the bootstrap: a quantile of merged rounds and a median of differences have no formula for their error
//! that holds for the skewed, heavy-tailed figures of a busy machine. Drawing whole rounds with replacement,
//! and computing the figure anew each time, shows how much it moves (Efron and Tibshirani, "An Introduction
//! to the Bootstrap", 1993, chapters 8 and 13).
//!
//! Why widened: with ten rounds the plain percentile interval is too short by a third or so. It is stretched
//! about the estimate to the length of a Student interval (Hesterberg, "What Teachers Should Know About the
//! Bootstrap", The American Statistician 69, 2015, section 5.3: by `t / z` and `sqrt(n / (n - 1))`). A stretch
//! also reaches error probabilities for which a few rounds have too few different resamples.

use plimsoll_scenarios::rng::Stream;

/// Resamples. The ends below are at 2.5 %, where 2,000 leave a Monte Carlo error of about 2 % of the length.
const RESAMPLES: u64 = 2_000;
/// Fewest rounds that say anything about their own spread.
pub const ROUNDS_MIN: usize = 3;
/// Largest correlation of neighbouring rounds that is believed.
const MEMORY_MAX: f64 = 0.6;
/// Share of resamples beyond either end of the interval that is stretched, and the normal quantile for it.
const TAIL: f64 = 0.025;
const TAIL_Z: f64 = 1.959_963_985;

/// An estimate, and how far resampling moves it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub value: f64,
    /// 2.5 % and 97.5 % of the resampled values.
    ends: (f64, f64),
    /// Rounds of the smaller side.
    rounds: usize,
    /// How much longer intervals are because neighbouring rounds are alike.
    memory: f64,
}

impl Spread {
    /// The value that the true one exceeds but for an error probability `p` (0 to 0.5).
    #[must_use]
    pub fn low(&self, p: f64) -> f64 {
        self.value - (self.value - self.ends.0).max(0.0) * self.stretch(p)
    }

    /// The value that the true one stays below but for an error probability `p` (0 to 0.5).
    #[must_use]
    pub fn high(&self, p: f64) -> f64 {
        self.value + (self.ends.1 - self.value).max(0.0) * self.stretch(p)
    }

    /// The same for rounds that remember each other: see [`memory`].
    #[must_use]
    pub const fn remembering(self, memory: f64) -> Self {
        Self { memory, ..self }
    }

    fn stretch(&self, p: f64) -> f64 {
        let n = self.rounds as f64;
        self.memory * student(self.rounds.saturating_sub(1), 1.0 - p) / TAIL_Z * (n / (n - 1.0)).sqrt()
    }
}

/// Resamples `sizes.len()` sides of so many rounds each, all by themselves, and computes `statistic` of the
/// chosen rounds each time. `None` if a side has fewer than [`ROUNDS_MIN`] rounds or a value is not finite.
///
/// `name` and `seed` name the random stream: the same rounds give the same interval.
pub fn resample<const SIDES: usize>(
    sizes: [usize; SIDES],
    seed: u64,
    name: &str,
    mut statistic: impl FnMut([&[usize]; SIDES]) -> f64,
) -> Option<Spread> {
    let rounds = sizes.iter().copied().min().filter(|&n| n >= ROUNDS_MIN)?;
    let mut chosen = sizes.map(|n| (0..n).collect::<Vec<usize>>());
    let value = statistic(chosen.each_ref().map(Vec::as_slice));
    let mut stream = Stream::new(seed, name, "bootstrap", 0);
    let mut values = Vec::with_capacity(RESAMPLES as usize);
    for _ in 0..RESAMPLES {
        for (side, &n) in chosen.iter_mut().zip(&sizes) {
            side.fill_with_draws(&mut stream, n);
        }
        values.push(statistic(chosen.each_ref().map(Vec::as_slice)));
    }
    if !value.is_finite() || values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |p: f64| values[((p * RESAMPLES as f64) as usize).min(values.len() - 1)];
    Some(Spread { value, ends: (at(TAIL), at(1.0 - TAIL)), rounds, memory: 1.0 })
}

trait Draws {
    fn fill_with_draws(&mut self, stream: &mut Stream, n: usize);
}

impl Draws for Vec<usize> {
    fn fill_with_draws(&mut self, stream: &mut Stream, n: usize) {
        for i in self.iter_mut() {
            *i = stream.below(n as u64) as usize;
        }
    }
}

/// The median of the means of all pairs, a value with itself included: nearly as exact as the mean where
/// errors are normal, and unmoved by a few wild rounds (Hodges and Lehmann, "Estimates of Location Based on
/// Rank Tests", Annals of Mathematical Statistics 34, 1963).
#[must_use]
pub fn centre(values: &[f64]) -> f64 {
    let mut means = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (i, a) in values.iter().enumerate() {
        means.extend(values[i..].iter().map(|b| 0.5 * (a + b)));
    }
    median(&mut means)
}

/// How much the second group lies above the first: the median of all differences (Hodges and Lehmann, same).
#[must_use]
pub fn shift(first: &[f64], second: &[f64]) -> f64 {
    let mut differences: Vec<f64> = first.iter().flat_map(|a| second.iter().map(move |b| b - a)).collect();
    median(&mut differences)
}

/// How much longer an interval must be because neighbouring rounds are alike (a warm machine stays warm): for a
/// process whose neighbours have correlation `r` the error of a mean grows by `sqrt((1 + r) / (1 - r))`. Measured
/// `r` of so few rounds is too small by about `1 / n`, and random; only what is above 0 counts.
#[must_use]
pub fn memory(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let middle = centre(values);
    let from_middle: Vec<f64> = values.iter().map(|v| v - middle).collect();
    let square: f64 = from_middle.iter().map(|d| d * d).sum();
    if square <= 0.0 || !square.is_finite() {
        return 1.0;
    }
    let product: f64 = from_middle.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let r = (product / square + 1.0 / n).clamp(0.0, MEMORY_MAX);
    ((1.0 + r) / (1.0 - r)).sqrt()
}

#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// NaN of no values.
fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return f64::NAN;
    }
    let (_, upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    let upper = *upper;
    if n % 2 == 1 {
        return upper;
    }
    let lower = values[..n / 2].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (lower + upper)
}

/// Wilson's interval of a share, each side with error probability `p`, for `hits` of `total` independent trials:
/// what no resampling of rounds without a single failure can know (Wilson, JASA 22, 1927).
#[must_use]
pub fn wilson(hits: f64, total: f64, p: f64) -> (f64, f64) {
    if total <= 0.0 {
        return (0.0, 1.0);
    }
    // Enough degrees of freedom to be normal.
    let z = student(10_000, 1.0 - p);
    let share = (hits / total).clamp(0.0, 1.0);
    let middle = share + z * z / (2.0 * total);
    let half = z * (share * (1.0 - share) / total + z * z / (4.0 * total * total)).sqrt();
    let scale = 1.0 + z * z / total;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

/// Quantile `p` (0.5 to 1) of Student's distribution with a whole number of degrees of freedom.
fn student(degrees: usize, p: f64) -> f64 {
    let degrees = degrees.max(1);
    let (mut low, mut high) = (0.0, 1.0);
    while student_below(degrees, high) < p && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if student_below(degrees, middle) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Probability that Student's t stays below `t` (0 or more): Abramowitz and Stegun, 26.7.3 and 26.7.4.
fn student_below(degrees: usize, t: f64) -> f64 {
    let angle = (t / (degrees as f64).sqrt()).atan();
    let (sine, cosine) = angle.sin_cos();
    let square = cosine * cosine;
    let odd = degrees % 2 == 1;
    let (mut term, mut sum) = (if odd { cosine } else { 1.0 }, 0.0);
    let mut k = usize::from(odd);
    while k + 2 <= degrees {
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
        k += 2;
        term *= square * (k - 1) as f64 / k as f64;
    }
    // `between` is the probability of -t to t.
    let between = if odd { std::f64::consts::FRAC_2_PI * (angle + sine * sum) } else { sine * sum };
    0.5 + 0.5 * between
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_s_quantiles_agree_with_tables() {
        // Abramowitz and Stegun, table 26.10.
        for (degrees, p, expected) in [
            (1, 0.95, 6.314),
            (2, 0.95, 2.920),
            (3, 0.99, 4.541),
            (4, 0.975, 2.776),
            (9, 0.95, 1.833),
            (9, 0.995, 3.250),
            (30, 0.95, 1.697),
            (10_000, 0.975, 1.960),
        ] {
            assert!((student(degrees, p) - expected).abs() < 6e-4, "{degrees} {p}: {}", student(degrees, p));
        }
    }

    #[test]
    fn centres_and_shifts_are_not_moved_by_one_wild_round() {
        assert!((centre(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 3.0).abs() < 1e-12);
        assert!(centre(&[1.0, 2.0, 3.0, 4.0, 500.0]) < 3.6);
        assert!((shift(&[1.0, 2.0, 3.0], &[11.0, 12.0, 13.0]) - 10.0).abs() < 1e-12);
        assert!(shift(&[1.0, 2.0, 300.0], &[11.0, 12.0, 13.0]) > 8.9);
        assert!(centre(&[]).is_nan());
    }

    #[test]
    fn wilson_s_interval_knows_that_nothing_seen_is_not_nothing() {
        // 1.645^2 / (900 + 1.645^2)
        let (low, high) = wilson(0.0, 900.0, 0.05);
        assert!(low == 0.0 && (high - 0.002_997).abs() < 1e-5, "{low} {high}");
        let (low, high) = wilson(50.0, 100.0, 0.025);
        assert!((low - 0.4038).abs() < 1e-3 && (high - 0.5962).abs() < 1e-3);
    }

    /// Share of intervals, 95 % on each side, that miss the true mean on the low and on the high side.
    fn misses(
        n: usize,
        draw: impl Fn(&mut Stream) -> f64,
        truth: f64,
        statistic: fn(&[f64]) -> f64,
    ) -> (f64, f64) {
        let trials = 300;
        let (mut low, mut high) = (0, 0);
        for trial in 0..trials {
            let mut stream = Stream::new(trial, "misses", "values", 0);
            let values: Vec<f64> = (0..n).map(|_| draw(&mut stream)).collect();
            let spread = resample([n], trial, "x", |[chosen]| {
                statistic(&chosen.iter().map(|&i| values[i]).collect::<Vec<_>>())
            })
            .unwrap();
            low += u32::from(spread.low(0.05) > truth);
            high += u32::from(spread.high(0.05) < truth);
        }
        (f64::from(low) / trials as f64, f64::from(high) / trials as f64)
    }

    fn normal(stream: &mut Stream) -> f64 {
        (-2.0 * (1.0 - stream.uniform()).ln()).sqrt() * (std::f64::consts::TAU * stream.uniform()).cos()
    }

    #[test]
    fn intervals_miss_as_often_as_they_say() {
        for n in [5, 12] {
            for statistic in [mean, centre] {
                let (low, high) = misses(n, normal, 0.0, statistic);
                assert!((0.01..0.10).contains(&low) && (0.01..0.10).contains(&high), "{n}: {low} {high}");
            }
        }
    }

    #[test]
    fn the_same_rounds_give_the_same_interval_and_too_few_none() {
        let of = |n: usize| resample([n], 1, "x", |[chosen]| chosen.iter().sum::<usize>() as f64);
        assert_eq!(of(8), of(8));
        assert_eq!(of(2), None);
        assert_eq!(resample([5, 2], 1, "x", |_| 0.0), None);
        assert_eq!(resample([5], 1, "x", |_| f64::NAN), None);
    }
}
