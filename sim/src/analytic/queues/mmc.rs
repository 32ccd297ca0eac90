//! M/M/c in full: mean, distribution and quantiles of wait and sojourn, and the queue with limited places.

use super::erlang::{erlang_b, erlang_c};
use crate::analytic::numeric::quantile;

/// Mean wait in M/M/c; infinite where `load >= servers`.
#[must_use]
pub fn mmc_wait(servers: u64, arrival_rate: f64, service_mean: f64) -> f64 {
    let load = offered(arrival_rate, service_mean);
    if load >= servers as f64 {
        return f64::INFINITY;
    }
    erlang_c(servers, load) * service_mean / (servers as f64 - load)
}

/// Mean time in system (wait and service) in M/M/c.
#[must_use]
pub fn mmc_sojourn(servers: u64, arrival_rate: f64, service_mean: f64) -> f64 {
    mmc_wait(servers, arrival_rate, service_mean) + service_mean
}

/// `P(wait > t)` in M/M/c: Erlang C times an exponential tail (Cooper, Introduction to Queueing Theory,
/// 1981, section 3.4).
#[must_use]
pub fn mmc_wait_tail(servers: u64, arrival_rate: f64, service_mean: f64, t: f64) -> f64 {
    let load = offered(arrival_rate, service_mean);
    if load >= servers as f64 {
        return 1.0;
    }
    erlang_c(servers, load) * (-decay(servers as f64 - load, service_mean, t)).exp()
}

/// Quantile `p` of the wait in M/M/c: 0 where fewer than `1 - p` wait at all.
#[must_use]
pub fn mmc_wait_quantile(servers: u64, arrival_rate: f64, service_mean: f64, p: f64) -> f64 {
    let load = offered(arrival_rate, service_mean);
    if load >= servers as f64 {
        return f64::INFINITY;
    }
    let waits = erlang_c(servers, load);
    let late = (1.0 - p).max(0.0);
    if waits <= late { 0.0 } else { (waits / late).ln() * service_mean / (servers as f64 - load) }
}

/// `P(wait + service > t)` in M/M/c (Gross, Shortle, Thompson and Harris, Fundamentals of Queueing Theory,
/// 4th edition, section 2.3).
#[must_use]
pub fn mmc_sojourn_tail(servers: u64, arrival_rate: f64, service_mean: f64, t: f64) -> f64 {
    let load = offered(arrival_rate, service_mean);
    if load >= servers as f64 {
        return 1.0;
    }
    sojourn_tail(erlang_c(servers, load), servers as f64 - load, service_mean, t)
}

/// Quantile `p` of wait and service in M/M/c.
#[must_use]
pub fn mmc_sojourn_quantile(servers: u64, arrival_rate: f64, service_mean: f64, p: f64) -> f64 {
    let load = offered(arrival_rate, service_mean);
    if load >= servers as f64 {
        return f64::INFINITY;
    }
    let (waits, spare) = (erlang_c(servers, load), servers as f64 - load);
    quantile(p, service_mean, |t| sojourn_tail(waits, spare, service_mean, t))
}

/// The sum of a service (rate 1) and, with probability `waits`, an exponential wait (rate `spare`).
fn sojourn_tail(waits: f64, spare: f64, service_mean: f64, t: f64) -> f64 {
    let x = decay(1.0, service_mean, t);
    if x == f64::INFINITY {
        return 0.0;
    }
    // (e^-x - e^-(spare x)) / (spare - 1), from the smaller exponent and without cancellation.
    let apart = spare - 1.0;
    let slow = (-x * spare.min(1.0)).exp();
    let both = if apart == 0.0 { x } else { -(-x * apart.abs()).exp_m1() / apart.abs() };
    ((-x).exp() + waits * slow * both).min(1.0)
}

/// Load in erlang; at least 0.
fn offered(arrival_rate: f64, service_mean: f64) -> f64 {
    let load = arrival_rate * service_mean;
    if load < 0.0 { 0.0 } else { load }
}

/// `rate * t / service_mean`, which is infinite or 0, not NaN, at the limits.
fn decay(rate: f64, service_mean: f64, t: f64) -> f64 {
    if t <= 0.0 {
        0.0
    } else if service_mean <= 0.0 {
        f64::INFINITY
    } else {
        rate * (t / service_mean)
    }
}

/// M/M/c with limited places to wait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mmck {
    /// Share of arrivals that find it full and are lost.
    pub blocking: f64,
    /// Rate of those that are served, 1/s.
    pub throughput: f64,
    /// Mean number waiting.
    pub queue_mean: f64,
    /// Mean wait of those that are let in, s.
    pub wait_mean: f64,
    /// Share of time a server is busy.
    pub utilisation: f64,
}

/// M/M/c with `waiting_max` places to wait: a birth-death process (Gross et al., section 2.5). Stable at any
/// load, since the queue is bounded. No servers lose everybody.
#[must_use]
pub fn mmck(servers: u64, waiting_max: u64, arrival_rate: f64, service_mean: f64) -> Mmck {
    let (c, arrival_rate) = (servers as f64, arrival_rate.max(0.0));
    let load = arrival_rate * service_mean;
    let blocking = mmck_blocking(servers, waiting_max, load);
    let throughput = arrival_rate * (1.0 - blocking);
    let queue_mean = if servers == 0 || load <= 0.0 {
        0.0
    } else if load <= c {
        // From the state where all servers are busy and none waits, outwards.
        let rho = load / c;
        let none_waits = 1.0 / (1.0 / erlang_b(servers, load) + geometric(rho, waiting_max));
        none_waits * ramp(rho, waiting_max)
    } else {
        // From the full state inwards: j = K - i wait with probability blocking * (c/a)^i.
        let inwards = c / load;
        let states = if waiting_max == 0 { 0.0 } else { 1.0 + geometric(inwards, waiting_max - 1) };
        blocking * (waiting_max as f64 * states - ramp(inwards, waiting_max.saturating_sub(1)))
    };
    let wait_mean = if throughput > 0.0 { queue_mean / throughput } else { 0.0 };
    let utilisation = if servers == 0 { 0.0 } else { throughput * service_mean / c };
    Mmck { blocking, throughput, queue_mean, wait_mean, utilisation }
}

/// Share of arrivals that find M/M/c with `waiting_max` places to wait full.
///
/// Beyond c the states fall by rho, so with `r = c/a` the inverse is `r^K / B + (1 + r + .. + r^(K-1))`.
#[must_use]
pub fn mmck_blocking(servers: u64, waiting_max: u64, load: f64) -> f64 {
    if servers == 0 {
        return 1.0;
    }
    if load <= 0.0 {
        return 0.0;
    }
    if load == f64::INFINITY {
        return 1.0;
    }
    let loss = erlang_b(servers, load);
    if waiting_max == 0 {
        return loss;
    }
    let r = servers as f64 / load;
    let top = (waiting_max as f64 * ratio_ln(servers as f64, load)).exp();
    if loss == 0.0 || top == f64::INFINITY {
        return 0.0;
    }
    1.0 / (top / loss + 1.0 + geometric(r, waiting_max - 1))
}

/// `ln(c / a)`, to full accuracy where they are close.
fn ratio_ln(c: f64, a: f64) -> f64 {
    let apart = (c - a) / a;
    if apart.abs() < 0.5 { apart.ln_1p() } else { (c / a).ln() }
}

/// Terms that are summed one by one; formulas take over beyond.
const TERMS_MAX: u64 = 10_000;

/// `x + x^2 + .. + x^n`.
fn geometric(x: f64, n: u64) -> f64 {
    let h = n as f64 * (x - 1.0).ln_1p();
    if n <= TERMS_MAX && x < 2.0 {
        (0..n).fold((0.0, 1.0), |(sum, power): (f64, f64), _| (sum + power * x, power * x)).0
    } else if x == 1.0 {
        n as f64
    } else {
        x * h.exp_m1() / (x - 1.0)
    }
}

/// `x + 2 x^2 + .. + n x^n` for `x <= 1`.
fn ramp(x: f64, n: u64) -> f64 {
    if n <= TERMS_MAX {
        let next = |(sum, power): (f64, f64), j: u64| (sum + j as f64 * power * x, power * x);
        return (1..=n).fold((0.0, 1.0), next).0;
    }
    let m = n as f64;
    let h = -m * (x - 1.0).ln_1p();
    if h < 1e-5 {
        // All powers are near 1: the first two terms of the expansion in h.
        return 0.5 * m * (m + 1.0) * (1.0 - 2.0 / 3.0 * h);
    }
    x / (1.0 - x) * (-(-h).exp_m1() / (1.0 - x) - m * (-h).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-9 * want.abs(), "got {got}, want {want}");
    }

    #[test]
    fn the_sojourn_tail_is_exponential_for_one_server() {
        for t in [0.0, 0.5, 3.0, 100.0, 1e9] {
            near(mmc_sojourn_tail(1, 0.8, 1.0, t), (-0.2 * t).exp());
        }
        // Spare capacity of exactly one server is the removable singularity.
        near(mmc_sojourn_tail(3, 2.0, 1.0, 2.0), mmc_sojourn_tail(3, 2.0 - 1e-12, 1.0, 2.0));
        near(mmc_sojourn_quantile(1, 0.8, 1.0, 0.99), 100.0_f64.ln() / 0.2);
    }

    #[test]
    fn the_tail_and_the_quantile_are_inverses() {
        for (servers, rate) in [(1, 0.5), (4, 3.9), (64, 60.0)] {
            for p in [0.5, 0.9, 0.99, 0.999_9] {
                let t = mmc_sojourn_quantile(servers, rate, 1.0, p);
                assert!((mmc_sojourn_tail(servers, rate, 1.0, t) - (1.0 - p)).abs() < 1e-12);
                let t = mmc_wait_quantile(servers, rate, 1.0, p);
                assert!(t == 0.0 || (mmc_wait_tail(servers, rate, 1.0, t) - (1.0 - p)).abs() < 1e-12);
            }
        }
    }

    /// The state probabilities one by one.
    fn by_states(servers: u64, waiting_max: u64, load: f64) -> (f64, f64) {
        let mut states = vec![1.0];
        for n in 1..=servers + waiting_max {
            let last = states[n as usize - 1];
            states.push(last * load / n.min(servers) as f64);
        }
        let total: f64 = states.iter().sum();
        let queue: f64 =
            states.iter().enumerate().map(|(n, p)| (n as f64 - servers as f64).max(0.0) * p).sum();
        (states[states.len() - 1] / total, queue / total)
    }

    #[test]
    fn limited_places_match_the_state_probabilities() {
        for (servers, waiting_max) in [(1, 0), (1, 9), (4, 20), (16, 3), (3, 200)] {
            for share in [0.05, 0.8, 0.999, 1.0, 1.2, 4.0] {
                let load = share * servers as f64;
                let got = mmck(servers, waiting_max, load, 1.0);
                let (blocking, queue) = by_states(servers, waiting_max, load);
                near(got.blocking, blocking);
                assert!((got.queue_mean - queue).abs() <= 1e-9 * queue, "{} {queue}", got.queue_mean);
            }
        }
    }

    #[test]
    fn a_long_queue_is_as_exact_as_a_short_one() {
        // 20,001 places to wait: the formulas instead of the sums.
        for share in [0.99, 0.999_99, 0.999_999_999_9, 1.0, 1.000_01, 1.01] {
            let got = mmck(1, 20_001, share, 1.0);
            let (blocking, queue) = by_states(1, 20_001, share);
            assert!((got.blocking - blocking).abs() <= 1e-9 * blocking, "{share}");
            assert!((got.queue_mean / queue - 1.0).abs() < 1e-8, "{share}: {} {queue}", got.queue_mean);
        }
        near(mmck(1, u64::MAX, 2.0, 1.0).blocking, 0.5);
        near(mmck(1, u64::MAX, 0.8, 1.0).wait_mean, 4.0);
    }

    #[test]
    fn overload_is_infinite_and_not_nonsense() {
        assert_eq!(mmc_wait(4, 5.0, 1.0), f64::INFINITY);
        assert_eq!(mmc_wait(0, 0.0, 1.0), f64::INFINITY);
        assert_eq!(mmc_sojourn_quantile(4, 4.0, 1.0, 0.5), f64::INFINITY);
        assert_eq!(mmc_wait_tail(4, 5.0, 1.0, 9.0), 1.0);
        assert_eq!(mmc_wait_quantile(4, 1.0, 1.0, 1.0), f64::INFINITY);
        assert!((mmck_blocking(1, 1_000_000, 2.0) - 0.5).abs() < 1e-9);
    }
}
