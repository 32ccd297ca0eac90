//! The approximations beside simulated queues: what their documentation claims of their errors.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use plimsoll_scenarios::distribution::Distribution;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::Seconds;
use plimsoll_sim::analytic::queues::{GiGc, Mdc, Service};

const CUSTOMERS: usize = 1_000_000;

/// What a simulation of GI/G/c saw.
struct Seen {
    wait_mean: f64,
    waits: f64,
    wait_p99: f64,
}

/// First come, first served, by the moments at which servers become free (Kiefer and Wolfowitz). Times in
/// whole picoseconds, so that they have an order.
fn simulate(servers: u64, arrivals: &Distribution<Seconds>, service: &Distribution<Seconds>) -> Seen {
    let (mut coming, mut serving) =
        (Stream::new(5, "queue", "arrivals", 0), Stream::new(5, "queue", "service", 0));
    let (arrivals, service) = (arrivals.sampler(), service.sampler());
    let mut free: BinaryHeap<Reverse<u64>> = (0..servers).map(|_| Reverse(0)).collect();
    let (mut now, mut waits) = (0_u64, Vec::with_capacity(CUSTOMERS));
    let ticks = |seconds: f64| (seconds * 1e12) as u64;
    for customer in 0..CUSTOMERS + CUSTOMERS / 10 {
        now += ticks(arrivals.draw(&mut coming));
        let start = free.pop().expect("as many as servers").0.max(now);
        free.push(Reverse(start + ticks(service.draw(&mut serving))));
        if customer >= CUSTOMERS / 10 {
            waits.push((start - now) as f64 * 1e-12);
        }
    }
    waits.sort_by(f64::total_cmp);
    let late = waits.iter().filter(|w| **w > 0.0).count();
    Seen {
        wait_mean: waits.iter().sum::<f64>() / CUSTOMERS as f64,
        waits: late as f64 / CUSTOMERS as f64,
        wait_p99: waits[CUSTOMERS / 100 * 99],
    }
}

/// (servers, utilisation, arrival cv, service cv): both lognormal unless 0 or 1.
fn check(servers: u64, utilisation: f64, arrival_cv: f64, service_cv: f64, mean: f64, p99: f64) {
    let law = |mean: f64, cv: f64| match cv {
        0.0 => Distribution::constant(mean),
        1.0 => Distribution::exponential(mean),
        _ => Distribution::lognormal(mean, cv),
    };
    let rate = utilisation * servers as f64;
    let seen = simulate(servers, &law(1.0 / rate, arrival_cv), &law(1.0, service_cv));
    let service =
        if service_cv == 1.0 { Service::exponential(1.0) } else { Service::lognormal(1.0, service_cv) };
    let queue = GiGc { servers, arrival_rate: rate, arrival_cv, service };
    for (what, got, want, tolerance) in [
        ("mean wait", queue.wait_mean(), seen.wait_mean, mean),
        ("share that waits", queue.waits(), seen.waits, 0.12),
        ("p99 of the wait", queue.wait_quantile(0.99), seen.wait_p99, p99),
    ] {
        println!(
            "c={servers} rho={utilisation} ca={arrival_cv} cs={service_cv} {what}: {got:.4}, seen {want:.4}"
        );
        assert!(
            (got / want - 1.0).abs() < tolerance,
            "c={servers} rho={utilisation} ca={arrival_cv} cs={service_cv} {what}: {got}, simulated {want}"
        );
    }
}

#[test]
fn pools_with_poisson_arrivals() {
    check(2, 0.7, 1.0, 2.0, 0.1, 0.2);
    check(8, 0.8, 1.0, 0.0, 0.05, 0.1);
    check(8, 0.8, 1.0, 0.5, 0.05, 0.1);
    check(8, 0.8, 1.0, 2.0, 0.1, 0.2);
    check(64, 0.9, 1.0, 2.0, 0.15, 0.2);
}

#[test]
fn other_arrivals() {
    check(1, 0.8, 0.5, 1.0, 0.1, 0.15);
    check(8, 0.8, 0.5, 1.0, 0.1, 0.2);
    check(8, 0.8, 0.5, 0.5, 0.1, 0.2);
    check(8, 0.8, 2.0, 1.0, 0.2, 0.25);
    check(64, 0.9, 2.0, 1.0, 0.25, 0.3);
}

#[test]
fn constant_service_is_exact() {
    let seen = simulate(16, &Distribution::exponential(1.0 / 13.6), &Distribution::constant(1.0));
    let solved = Mdc::solve(16, 13.6, 1.0).expect("not saturated");
    for (got, want) in [
        (solved.wait_mean(), seen.wait_mean),
        (solved.wait_tail(0.0), seen.waits),
        (solved.wait_quantile(0.99), seen.wait_p99),
    ] {
        // Some 10,000 independent busy periods.
        assert!((got / want - 1.0).abs() < 0.03, "{got}, simulated {want}");
    }
}

#[test]
fn a_pool_with_variable_service_is_not_allen_and_cunneens() {
    // Why the estimate should not use the best-known formula.
    let seen = simulate(64, &Distribution::exponential(1.0 / 57.6), &Distribution::lognormal(1.0, 3.0));
    let queue = GiGc::poisson(64, 57.6, Service::lognormal(1.0, 3.0));
    assert!(queue.wait_mean_allen_cunneen() > 1.5 * seen.wait_mean, "{}", seen.wait_mean);
    assert!((queue.wait_mean() / seen.wait_mean - 1.0).abs() < 0.2, "{}", seen.wait_mean);
}
