//! Sizing: the fewest servers that keep a promise. `None` where no number does.
//!
//! Why by bracketing: waiting falls with every server added, so doubling steps of sqrt(load) and halving
//! finds the exact minimum in about twenty evaluations, also for a million servers.

use super::erlang::{erlang_b, erlang_c};
use super::gigc::GiGc;
use super::mg1::Service;
use crate::analytic::numeric::least;

/// Fewest servers of one M/M/c queue with a probability to wait of at most `waits_max`, which is above 0.
#[must_use]
pub fn servers_for_wait(load: f64, waits_max: f64) -> Option<u64> {
    if waits_max.is_nan() || waits_max <= 0.0 {
        return None;
    }
    least(load, step(load), |servers| erlang_c(servers, load) <= waits_max)
}

/// Fewest servers of M/G/c/c (no places to wait) that lose at most the share `blocking_max`, above 0.
#[must_use]
pub fn servers_for_loss(load: f64, blocking_max: f64) -> Option<u64> {
    if blocking_max.is_nan() || blocking_max <= 0.0 {
        return None;
    }
    if blocking_max >= 1.0 {
        return Some(0);
    }
    least(0.0, load.max(1.0), |servers| erlang_b(servers, load) <= blocking_max)
}

/// Fewest servers with a mean wait of at most `wait_max` seconds, above 0, under Poisson arrivals. Exact for
/// exponential service, else as exact as [`GiGc::wait_mean`].
#[must_use]
pub fn servers_for_mean_wait(load: f64, service: &Service, wait_max: f64) -> Option<u64> {
    if wait_max.is_nan() || wait_max <= 0.0 || service.mean <= 0.0 {
        return None;
    }
    let rate = load / service.mean;
    least(load, step(load), |servers| GiGc::poisson(servers, rate, *service).wait_mean() <= wait_max)
}

/// Fewest servers such that the share `p` of all waits at most `wait_max` seconds, under Poisson arrivals.
/// Exact for exponential service, else as exact as [`GiGc::wait_tail`].
#[must_use]
pub fn servers_for_wait_quantile(load: f64, service: &Service, p: f64, wait_max: f64) -> Option<u64> {
    if p.is_nan() || p >= 1.0 || wait_max.is_nan() || wait_max < 0.0 || service.mean <= 0.0 {
        return None;
    }
    let rate = load / service.mean;
    least(load, step(load), |servers| GiGc::poisson(servers, rate, *service).wait_tail(wait_max) <= 1.0 - p)
}

fn step(load: f64) -> f64 {
    load.max(1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::queues::{mmc_wait, mmc_wait_tail};

    #[test]
    fn one_server_less_breaks_the_promise() {
        for load in [0.0, 1e-6, 0.5, 4.0, 97.3, 5_208.333, 1e6] {
            let servers = servers_for_wait(load, 0.05).unwrap();
            assert!(erlang_c(servers, load) <= 0.05 && (servers == 1 || erlang_c(servers - 1, load) > 0.05));
            let servers = servers_for_loss(load, 0.01).unwrap();
            assert!(erlang_b(servers, load) <= 0.01 && (servers <= 1 || erlang_b(servers - 1, load) > 0.01));
            let servers = servers_for_mean_wait(load, &Service::exponential(2.0), 0.01).unwrap();
            assert!(mmc_wait(servers, load / 2.0, 2.0) <= 0.01 * (1.0 + 1e-12));
            assert!(servers == 1 || mmc_wait(servers - 1, load / 2.0, 2.0) > 0.01 * (1.0 - 1e-12));
            let servers = servers_for_wait_quantile(load, &Service::exponential(2.0), 0.99, 0.5).unwrap();
            assert!(mmc_wait_tail(servers, load / 2.0, 2.0, 0.5) <= 0.01 * (1.0 + 1e-12));
            assert!(servers == 1 || mmc_wait_tail(servers - 1, load / 2.0, 2.0, 0.5) > 0.01 * (1.0 - 1e-12));
        }
    }

    #[test]
    fn what_nobody_can_promise_is_refused() {
        assert_eq!(servers_for_wait(10.0, 0.0), None);
        assert_eq!(servers_for_wait(f64::MAX, 0.5), None);
        assert_eq!(servers_for_wait(f64::NAN, 0.5), None);
        assert_eq!(servers_for_wait_quantile(10.0, &Service::exponential(1.0), 1.0, 1.0), None);
        assert_eq!(servers_for_mean_wait(10.0, &Service::exponential(1.0), 0.0), None);
        assert_eq!(servers_for_loss(10.0, 1.0), Some(0));
    }

    #[test]
    fn regular_service_needs_no_more_servers() {
        let need = |cv| servers_for_wait_quantile(100.0, &Service::gamma(1.0, cv), 0.999, 0.2).unwrap();
        assert!(need(0.0) < need(1.0) && need(1.0) < need(3.0), "{} {} {}", need(0.0), need(1.0), need(3.0));
    }
}
