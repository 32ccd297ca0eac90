//! Times of whole paths as mixtures of shifted lognormals: who answers decides the mode, and the tail follows.
//!
//! Why mixtures and not moments of the whole: a request that the edge answers and one that goes to the disks have
//! different times, and a 99th percentile lies in one of them. Within a mode times add up along the path, and a
//! sum of a few variable times is nearly lognormal above what is constant in it (Fenton, "The sum of
//! log-normal probability distributions in scatter transmission systems", IRE Transactions CS-8, 1960). The
//! p99 of a path is within a few per cent of a simulation; the simulator has the last word.

/// One way that a request can take: how often, what is constant of its time, and mean and variance of the rest, s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Way {
    pub share: f64,
    pub fixed: f64,
    pub mean: f64,
    pub variance: f64,
}

/// Ways whose shares add up to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture(Vec<Way>);

/// Ways that are told apart; the rarest are put together beyond.
const WAYS_MAX: usize = 24;
/// Of each side, where all pairs of two are looked at.
const SLOWER_WAYS_MAX: usize = 6;

impl Mixture {
    /// Always the same time, s.
    #[must_use]
    pub fn constant(fixed: f64) -> Self {
        Self(vec![Way { share: 1.0, fixed, mean: 0.0, variance: 0.0 }])
    }

    /// A constant and a variable part.
    #[must_use]
    pub fn single(fixed: f64, mean: f64, variance: f64) -> Self {
        Self(vec![Way { share: 1.0, fixed, mean, variance }])
    }

    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.iter().map(|w| w.share * (w.fixed + w.mean)).sum()
    }

    /// One after the other, independently.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let pair = |a: &Way, b: &Way| Way {
            share: a.share * b.share,
            fixed: a.fixed + b.fixed,
            mean: a.mean + b.mean,
            variance: a.variance + b.variance,
        };
        Self(self.0.iter().flat_map(|a| next.0.iter().map(move |b| pair(a, b))).collect()).merged()
    }

    /// This with probability `share`, else nothing.
    #[must_use]
    pub fn with_probability(&self, share: f64) -> Self {
        if share >= 1.0 {
            return self.clone();
        }
        let mut ways: Vec<Way> = self.0.iter().map(|w| Way { share: w.share * share, ..*w }).collect();
        ways.push(Way { share: 1.0 - share, fixed: 0.0, mean: 0.0, variance: 0.0 });
        Self(ways).merged()
    }

    /// So many times, one after the other; parts of a time are proportions of it.
    #[must_use]
    pub fn times(&self, number: f64) -> Self {
        let way = |w: &Way| Way {
            fixed: w.fixed * number,
            mean: w.mean * number,
            variance: w.variance * number,
            ..*w
        };
        Self(self.0.iter().map(way).collect())
    }

    /// The `k`-th of `n` such times at once, independently.
    #[must_use]
    pub fn kth_of(&self, n: u64, k: u64) -> Self {
        if n <= 1 {
            return self.clone();
        }
        // Median and spread of the order statistic: its quantiles are quantiles of one, at the beta's own
        // (Blom, Statistical Estimates and Transformed Beta-Variables, 1958).
        let (n, k) = (n as f64, k.min(n) as f64);
        let middle = (k - 0.375) / (n + 0.25);
        let spread = (middle * (1.0 - middle) / (n + 2.0)).sqrt();
        let at = |p: f64| self.quantile(p.clamp(1e-9, 1.0 - 1e-9));
        let (low, mid, high) = (at(middle - spread), at(middle), at(middle + spread));
        let fixed = self.0.iter().map(|w| w.fixed).fold(f64::INFINITY, f64::min);
        Self::single(fixed, (mid - fixed).max(0.0), (0.5 * (high - low)).powi(2))
    }

    /// The slowest of several, independently.
    #[must_use]
    pub fn slowest(list: &[Self]) -> Self {
        let [first, rest @ ..] = list else { return Self::constant(0.0) };
        rest.iter().fold(first.clone(), |slowest, next| slowest.slower(next))
    }

    /// The slower of two, independently: of each way of one with each of the other.
    fn slower(&self, other: &Self) -> Self {
        let (a, b) = (self.clone().merged_to(SLOWER_WAYS_MAX), other.clone().merged_to(SLOWER_WAYS_MAX));
        Self(a.0.iter().flat_map(|a| b.0.iter().map(move |b| a.slower(b))).collect()).merged()
    }

    /// Probability of a longer time than `t`.
    #[must_use]
    pub fn tail(&self, t: f64) -> f64 {
        self.0.iter().map(|w| w.share * w.tail(t)).sum()
    }

    /// Quantile `p`, s.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        let tails: Vec<(f64, Tail)> = self.0.iter().map(|w| (w.share, Tail::of(w))).collect();
        let late = |t: f64| tails.iter().map(|(share, tail)| share * tail.at(t)).sum::<f64>();
        solve(|t| (1.0 - p) - late(t), self.mean().max(1e-9))
    }

    fn merged(self) -> Self {
        self.merged_to(WAYS_MAX)
    }

    fn merged_to(mut self, ways_max: usize) -> Self {
        self.0.retain(|w| w.share > 1e-12);
        while self.0.len() > ways_max {
            self.0.sort_by(|a, b| b.share.total_cmp(&a.share));
            if let (Some(a), Some(b)) = (self.0.pop(), self.0.pop()) {
                self.0.push(a.joined(&b));
            }
        }
        self
    }
}

impl Way {
    fn tail(&self, t: f64) -> f64 {
        Tail::of(self).at(t)
    }

    /// The slower of both, with the median and the 99th percentile of the maximum.
    fn slower(&self, other: &Self) -> Self {
        let share = self.share * other.share;
        let (early, late) = if self.fixed <= other.fixed { (self, other) } else { (other, self) };
        if early.mean <= 0.0 {
            return Self { share, ..*late };
        }
        let (one, two) = (Tail::of(self), Tail::of(other));
        let below = |t: f64| (1.0 - one.at(t)) * (1.0 - two.at(t));
        let scale = late.fixed + self.mean + other.mean;
        let (middle, high) = (solve(|t| below(t) - 0.5, scale), solve(|t| below(t) - 0.99, scale));
        // Above the other, the more variable one is what it was by itself.
        let fixed = if self.variance >= other.variance { self.fixed } else { other.fixed };
        // Of a lognormal: its median, and how far its 99th percentile lies beyond.
        let median = (middle - fixed).max(1e-9 * scale);
        let sigma = (((high - fixed) / median).max(1.0)).ln() / 2.326_347_874;
        let mean = median * (0.5 * sigma * sigma).exp();
        Self { share, fixed, mean, variance: mean * mean * (sigma * sigma).exp_m1() }
    }

    /// Both as one, with their common mean and variance.
    fn joined(&self, other: &Self) -> Self {
        let share = self.share + other.share;
        let (a, b) = (self.share / share, other.share / share);
        let fixed = self.fixed.min(other.fixed);
        let (x, y) = (self.fixed - fixed + self.mean, other.fixed - fixed + other.mean);
        let mean = a * x + b * y;
        let variance = a * (self.variance + (x - mean).powi(2)) + b * (other.variance + (y - mean).powi(2));
        Self { share, fixed, mean, variance }
    }
}

/// The tail of one way, with what does not hang on the time worked out once.
#[derive(Debug, Clone, Copy)]
struct Tail {
    /// Up to then nobody is through.
    fixed: f64,
    /// Of the lognormal beyond: its median's logarithm, and one over its spread; none where all are through at a time.
    variable: Option<(f64, f64)>,
    /// Where all are through at a time: how long after `fixed`.
    at_once: f64,
}

impl Tail {
    fn of(way: &Way) -> Self {
        let cv2 = way.variance / (way.mean * way.mean);
        let variable = (way.mean > 0.0 && cv2 >= 1e-12).then(|| {
            let sigma2 = cv2.ln_1p();
            (way.mean.ln() - 0.5 * sigma2, 1.0 / (2.0 * sigma2).sqrt())
        });
        Self { fixed: way.fixed, variable, at_once: way.mean.max(0.0) }
    }

    /// Probability of a longer time than `t`.
    fn at(&self, t: f64) -> f64 {
        let over = t - self.fixed;
        let Some((mu, slope)) = self.variable else {
            return if over < self.at_once || over < 0.0 { 1.0 } else { 0.0 };
        };
        if over <= 0.0 { 1.0 } else { 0.5 * libm::erfc((over.ln() - mu) * slope) }
    }
}

/// Regions with their shares of the requests.
#[must_use]
pub fn quantile_over(regions: &[(f64, Mixture)], p: f64) -> f64 {
    let scale = regions.iter().map(|(_, m)| m.mean()).fold(1e-9, f64::max);
    let all: f64 = regions.iter().map(|(share, _)| share).sum();
    let ways =
        regions.iter().flat_map(|(share, m)| m.0.iter().map(move |way| (share * way.share, Tail::of(way))));
    let ways: Vec<(f64, Tail)> = ways.collect();
    let late = |t: f64| ways.iter().map(|(share, tail)| share * tail.at(t)).sum::<f64>();
    solve(|t| (1.0 - p) - late(t) / all.max(f64::MIN_POSITIVE), scale)
}

/// Probability of a longer time over all regions.
#[must_use]
pub fn tail_over(regions: &[(f64, Mixture)], t: f64) -> f64 {
    let all: f64 = regions.iter().map(|(share, _)| share).sum();
    regions.iter().map(|(share, m)| share * m.tail(t)).sum::<f64>() / all.max(f64::MIN_POSITIVE)
}

/// The least time at which a rising function is no longer below 0.
///
/// By false position with halved ends (Dowell and Jarratt, "A modified regula falsi method for computing the root of an
/// equation", BIT 11, 1971), and by the middle where that is slow: a step has no slope.
fn solve(excess: impl Fn(f64) -> f64, scale: f64) -> f64 {
    /// A target is never stated finer.
    const FINE: f64 = 1.5e-8;
    /// Rounds, at the very most one middle for two others.
    const ROUNDS_MAX: usize = 96;
    if !scale.is_finite() {
        return f64::INFINITY;
    }
    let (mut low, mut high) = (0.0, scale);
    let (mut at_low, mut at_high) = (f64::NAN, excess(high));
    for _ in 0..200 {
        if high > 1e300 || at_high >= 0.0 {
            break;
        }
        (low, at_low) = (high, at_high);
        high *= 2.0;
        at_high = excess(high);
    }
    let (mut before, mut last) = (high - low, None);
    for round in 0..ROUNDS_MAX {
        if high - low <= FINE * high {
            break;
        }
        let middle = low + 0.5 * (high - low);
        let guess = low - at_low * (high - low) / (at_high - at_low);
        // Every third round must have halved what was left.
        let slow = round % 3 == 2 && high - low > 0.5 * before;
        if round % 3 == 2 {
            before = high - low;
        }
        let near = 0.5 * FINE * high;
        let at = if slow || !guess.is_finite() { middle } else { guess.clamp(low + near, high - near) };
        let value = excess(at);
        let is_high = value >= 0.0;
        // An end that stays twice counts half.
        let stays = if last == Some(is_high) { 0.5 } else { 1.0 };
        if is_high {
            (high, at_high) = (at, value);
            at_low *= stays;
        } else {
            (low, at_low) = (at, value);
            at_high *= stays;
        }
        last = Some(is_high);
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lognormal_has_its_own_quantiles() {
        // Mean 20 ms, cv 1: sigma^2 = ln 2, median 20/sqrt(2), p99 = median * exp(2.3263 sigma).
        let one = Mixture::single(0.0, 0.020, 0.020_f64.powi(2));
        let sigma = 2.0_f64.ln().sqrt();
        let want = 0.020 / 2.0_f64.sqrt() * (2.326_347_874 * sigma).exp();
        assert!((one.quantile(0.99) / want - 1.0).abs() < 1e-6);
        assert!((one.quantile(0.5) - 0.020 / 2.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn times_are_found_to_a_ten_millionth_whatever_the_shape() {
        // Against halving alone, with steps, flat parts and long tails.
        let mut draws = plimsoll_scenarios::rng::Stream::new(3, "test", "mixture", 0);
        let mut from = |low: f64, high: f64| low + (high - low) * draws.uniform();
        for round in 0..300 {
            let mut path = Mixture::constant(from(0.0, 0.05));
            for _ in 0..4 {
                let mean = 10_f64.powf(from(-5.0, 0.0));
                let variance = if round % 3 == 0 { 0.0 } else { (mean * from(0.01, 4.0)).powi(2) };
                path = path.then(
                    &Mixture::single(from(0.0, 0.02), mean, variance).with_probability(from(0.001, 1.0)),
                );
            }
            let p = 1.0 - 10_f64.powf(from(-4.0, -0.1));
            let (mut low, mut high) = (0.0, 1e4);
            for _ in 0..80 {
                let middle = 0.5 * (low + high);
                if path.tail(middle) <= 1.0 - p { high = middle } else { low = middle }
            }
            let found = path.quantile(p);
            assert!((found / high - 1.0).abs() < 1e-7, "{round}: {found} {high}: {path:?} {p}");
        }
    }

    #[test]
    fn a_rare_slow_way_is_the_tail() {
        let fast = Mixture::single(0.010, 0.001, 1e-6);
        let slow = Mixture::single(0.100, 0.020, 4e-4);
        let both = fast.then(&slow.with_probability(0.05));
        assert!(both.quantile(0.9) < 0.03, "{}", both.quantile(0.9));
        assert!(both.quantile(0.99) > 0.11, "{}", both.quantile(0.99));
        assert!((both.mean() - (0.011 + 0.05 * 0.12)).abs() < 1e-12);
    }

    #[test]
    fn the_slowest_of_many_is_slower() {
        let one = Mixture::single(0.0, 0.010, 1e-4);
        let mut last = one.mean();
        for n in [2, 8, 64] {
            let slowest = one.kth_of(n, n).mean();
            assert!(slowest > last, "{n}: {slowest}");
            last = slowest;
        }
        assert!(one.kth_of(8, 1).mean() < one.mean());
        // The larger of two exponentials of mean 1: about 1.5.
        let two = Mixture::single(0.0, 1.0, 1.0);
        let larger = Mixture::slowest(&[two.clone(), two]).mean();
        assert!((1.3..1.75).contains(&larger), "{larger}");
    }

    #[test]
    fn a_rare_slow_branch_is_the_tail_of_all_branches() {
        // 70 % take 80 ms one way, 30 % a lognormal time the other: p99 of both is p96.7 of the slow ones.
        let often = Mixture::constant(0.080).with_probability(0.7);
        let push = Mixture::single(0.0, 0.200, 0.04);
        let both = Mixture::slowest(&[often, push.with_probability(0.3)]);
        let want = push.quantile(1.0 - 0.01 / 0.3);
        assert!((both.quantile(0.99) / want - 1.0).abs() < 0.01, "{} {want}", both.quantile(0.99));
        // Neither is asked with 0.7 x 0.3.
        assert!(both.quantile(0.2) < 1e-6, "{}", both.quantile(0.2));
        let slower = Mixture::slowest(&[push.clone(), push.clone()]);
        let exact = push.quantile(0.99_f64.sqrt());
        assert!((slower.quantile(0.99) / exact - 1.0).abs() < 1e-5, "{} {exact}", slower.quantile(0.99));
    }

    #[test]
    fn many_ways_are_put_together_and_keep_their_mean() {
        let mut path = Mixture::constant(0.0);
        let mut mean = 0.0;
        for i in 1..12 {
            path = path.then(&Mixture::single(0.001, 0.01, 1e-4).with_probability(0.5 / f64::from(i)));
            mean += 0.5 / f64::from(i) * 0.011;
        }
        assert!(path.0.len() <= WAYS_MAX);
        assert!((path.mean() / mean - 1.0).abs() < 1e-6);
    }
}
