//! Retries: what they add to the load, and when they hold a system down that could stand up.
//!
//! Why a fixed point: attempts load the servers, load makes attempts time out, and timed-out attempts are
//! sent again. Where the load has two solutions, a short disturbance moves the system from the good one to
//! the bad one and leaves it there (Bronson et al., "Metastable failures in distributed systems", 2021).

use super::numeric::boundary;
use super::queues::mmc_sojourn_tail;

/// Mean attempts per request, at most `attempts_max`, each failing with probability `failing` independently:
/// `(1 - p^n) / (1 - p)`.
#[must_use]
pub fn mean_attempts(failing: f64, attempts_max: u64) -> f64 {
    let (p, n) = (failing.clamp(0.0, 1.0), attempts_max as f64);
    if p == 1.0 || attempts_max <= 1 {
        return n;
    }
    -(n * p.ln()).exp_m1() / (1.0 - p)
}

/// Probability that all attempts of a request fail.
#[must_use]
pub fn all_fail(failing: f64, attempts_max: u64) -> f64 {
    failing.clamp(0.0, 1.0).powf(attempts_max as f64)
}

/// Attempts at the bottom of a call chain for each request at its top, where every tier above the bottom
/// tries `attempts_max` times and the bottom fails with probability `failing`: a tier fails when all its
/// attempts do. `attempts_max^tiers` when everything fails.
#[must_use]
pub fn amplification(failing: f64, attempts_max: u64, tiers: u64) -> f64 {
    let (mut factor, mut p) = (1.0, failing.clamp(0.0, 1.0));
    for _ in 0..tiers {
        let more = mean_attempts(p, attempts_max);
        factor *= more;
        p = all_fail(p, attempts_max);
        if more == 1.0 || factor == f64::INFINITY || factor == 0.0 {
            break;
        }
    }
    factor
}

/// Mean attempts per request under a retry budget: retries are at most the share `budget` of first attempts
/// (Google SRE book, 2016, chapter 21).
#[must_use]
pub fn mean_attempts_budgeted(failing: f64, attempts_max: u64, budget: f64) -> f64 {
    mean_attempts(failing, attempts_max).min(1.0 + budget.max(0.0))
}

/// A state in which load and failures keep each other as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equilibrium {
    /// Attempts per second that arrive at the servers.
    pub attempt_rate: f64,
    /// Share of attempts that fail.
    pub failing: f64,
    /// Requests per second that succeed within their attempts.
    pub goodput: f64,
    /// Whether the system returns to it after a small disturbance.
    pub stable: bool,
}

/// Clients that time out and try again, before one M/M/c queue that serves also what nobody waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryLoop {
    /// Requests per second, without retries.
    pub fresh_rate: f64,
    /// Attempts per request, the first included.
    pub attempts_max: u64,
    /// Seconds after which an attempt counts as failed.
    pub timeout: f64,
    pub servers: u64,
    pub service_mean: f64,
    /// Retries are at most this share of first attempts, if given.
    pub budget: Option<f64>,
}

/// Points at which the fixed-point equation is looked at; solutions closer together are not told apart.
const POINTS: u32 = 1_000;
/// Halvings of the bracket of the safe rate: to 10^-9 of the capacity.
const SAFE_HALVINGS: u32 = 30;

impl RetryLoop {
    /// All equilibria, from the lowest load to the highest: one, or two stable ones about an unstable one.
    #[must_use]
    pub fn equilibria(&self) -> Vec<Equilibrium> {
        equilibria(self.fresh_rate, self.attempts_max, self.budget, |rate| {
            mmc_sojourn_tail(self.servers, rate, self.service_mean, self.timeout)
        })
    }

    /// Whether a disturbance can hold it down: there is a second, congested equilibrium.
    #[must_use]
    pub fn is_metastable(&self) -> bool {
        self.equilibria().iter().filter(|e| e.stable).count() > 1
    }

    /// Highest fresh rate (1/s) at which there is one equilibrium only and at least the share `p` succeeds:
    /// below it the system recovers by itself. 0 where there is none.
    #[must_use]
    pub fn safe_rate(&self, p: f64) -> f64 {
        let capacity = self.servers as f64 / self.service_mean;
        if !capacity.is_finite() {
            return if self.servers == 0 { 0.0 } else { f64::INFINITY };
        }
        let recovers = |fresh_rate: f64| {
            let all = Self { fresh_rate, ..*self }.equilibria();
            all.len() == 1 && all[0].goodput >= p * fresh_rate
        };
        let (mut low, mut high) = (0.0, capacity);
        for _ in 0..SAFE_HALVINGS {
            let middle = 0.5 * (low + high);
            if recovers(middle) { low = middle } else { high = middle }
        }
        low
    }
}

/// Solutions of `x = fresh_rate * attempts(failing(x))`, where `failing` gives the share of attempts that fail
/// at the attempt rate x and rises with it. Saturation (`failing` jumping to 1) is a solution like others.
#[must_use]
pub fn equilibria(
    fresh_rate: f64,
    attempts_max: u64,
    budget: Option<f64>,
    failing: impl Fn(f64) -> f64,
) -> Vec<Equilibrium> {
    let fresh_rate = fresh_rate.max(0.0);
    let attempts = |p: f64| match budget {
        Some(budget) => mean_attempts_budgeted(p, attempts_max.max(1), budget),
        None => mean_attempts(p, attempts_max.max(1)),
    };
    // Above 0 while load grows: the clients send more than x.
    let excess = |x: f64| fresh_rate * attempts(failing(x)) - x;
    let at = |attempt_rate: f64, stable: bool| {
        let failing = failing(attempt_rate).clamp(0.0, 1.0);
        // A budget stops at so many attempts on average, whatever their largest number.
        let goodput = fresh_rate * (attempts(failing) * (1.0 - failing)).min(1.0);
        Equilibrium { attempt_rate, failing, goodput, stable }
    };
    let highest = fresh_rate * attempts(1.0);
    if !(highest > fresh_rate && highest.is_finite()) {
        return vec![at(fresh_rate, true)];
    }
    let mut found = Vec::new();
    let ratio = (highest / fresh_rate).ln() / f64::from(POINTS);
    let point = |k: u32| if k == POINTS { highest } else { fresh_rate * (ratio * f64::from(k)).exp() };
    // At the lowest point load can only grow: count it as growing also where nothing fails.
    let mut growing = true;
    for k in 0..=POINTS {
        // At the highest it can only fall.
        let now_growing = k < POINTS && excess(point(k)) > 0.0;
        if now_growing != growing {
            let low = point(k.saturating_sub(1));
            let rate = if k == 0 { low } else { boundary(low, point(k), |x| (excess(x) > 0.0) == growing) };
            found.push(at(if k == POINTS && excess(highest) >= 0.0 { highest } else { rate }, growing));
            growing = now_growing;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "got {got}, want {want}");
    }

    #[test]
    fn attempts_add_up() {
        near(mean_attempts(0.1, 3), 1.11);
        near(mean_attempts(0.999_999_999, 1_000), 999.999_500_5);
        assert_eq!((mean_attempts(0.0, 5), mean_attempts(1.0, 5), mean_attempts(0.5, 0)), (1.0, 5.0, 0.0));
        near(amplification(1.0, 3, 3), 27.0);
        near(amplification(0.1, 3, 2), 1.11 * (1.0 + 0.001 + 0.000_001));
        near(mean_attempts_budgeted(1.0, 3, 0.1), 1.1);
        assert_eq!(amplification(1.0, 3, u64::MAX), f64::INFINITY);
    }

    const LOOP: RetryLoop = RetryLoop {
        fresh_rate: 60.0,
        attempts_max: 3,
        timeout: 0.5,
        servers: 10,
        service_mean: 0.1,
        budget: None,
    };

    #[test]
    fn a_busy_system_with_retries_can_stay_down() {
        // 60 % loaded, but three attempts each would be 180 %.
        let all = LOOP.equilibria();
        assert_eq!(all.iter().map(|e| e.stable).collect::<Vec<_>>(), [true, false, true], "{all:?}");
        assert!(all[0].attempt_rate < 61.0 && all[0].goodput > 59.9, "{all:?}");
        near(all[2].attempt_rate, 180.0);
        assert_eq!(all[2].goodput, 0.0);
        assert!(LOOP.is_metastable());
        // Solutions solve the equation.
        for e in &all[..2] {
            assert!((60.0 * mean_attempts(e.failing, 3) - e.attempt_rate).abs() < 1e-3, "{e:?}");
        }
    }

    #[test]
    fn a_lightly_loaded_or_budgeted_system_recovers() {
        assert!(!RetryLoop { fresh_rate: 30.0, ..LOOP }.is_metastable());
        assert!(!RetryLoop { budget: Some(0.1), ..LOOP }.is_metastable());
        assert!(!RetryLoop { attempts_max: 1, ..LOOP }.is_metastable());
    }

    #[test]
    fn the_safe_rate_is_capacity_over_attempts() {
        // Congestion keeps itself up as soon as 3 attempts each fill the servers.
        let safe = LOOP.safe_rate(0.99);
        assert!((safe - 100.0 / 3.0).abs() < 0.1, "{safe}");
        let budgeted = RetryLoop { budget: Some(0.1), ..LOOP }.safe_rate(0.99);
        assert!((85.0..100.0 / 1.1 + 0.1).contains(&budgeted), "{budgeted}");
    }

    #[test]
    fn extremes_are_answers() {
        let overloaded = RetryLoop { fresh_rate: 150.0, ..LOOP }.equilibria();
        assert_eq!(overloaded.len(), 1, "{overloaded:?}");
        assert_eq!((overloaded[0].attempt_rate, overloaded[0].goodput), (450.0, 0.0));
        let idle = RetryLoop { fresh_rate: 0.0, ..LOOP }.equilibria();
        assert_eq!((idle.len(), idle[0].attempt_rate), (1, 0.0));
        // Retries without end: the good state is still found.
        let endless = RetryLoop { attempts_max: u64::MAX, ..LOOP }.equilibria();
        assert!(endless.len() == 3 && endless[0].goodput > 59.9, "{endless:?}");
        assert_eq!(RetryLoop { servers: 0, ..LOOP }.equilibria()[0].goodput, 0.0);
        assert_eq!(RetryLoop { timeout: 0.0, ..LOOP }.equilibria()[0].goodput, 0.0);
    }
}
