//! Queueing formulas. Rates in 1/s, times in seconds; `servers` are parallel servers of one queue.

/// Erlang's loss formula: probability that all `servers` are busy in M/G/c/c under `load` erlang.
///
/// By the recursion `B(0) = 1, B(n) = a B(n-1) / (n + a B(n-1))`, which is stable for any size
/// (Cooper, Introduction to Queueing Theory, 1981, section 3.4).
#[must_use]
pub fn erlang_b(servers: u64, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, n| load * b / (n as f64 + load * b))
}

/// Erlang's delay formula: probability that an arrival waits in M/M/c. 1 where `load >= servers`.
#[must_use]
pub fn erlang_c(servers: u64, load: f64) -> f64 {
    if load >= servers as f64 {
        return 1.0;
    }
    let b = erlang_b(servers, load);
    let rho = load / servers as f64;
    b / (1.0 - rho * (1.0 - b))
}

/// Mean wait in M/M/c; infinite where `load >= servers`.
#[must_use]
pub fn mmc_wait(servers: u64, arrival_rate: f64, service_mean: f64) -> f64 {
    let load = arrival_rate * service_mean;
    if load >= servers as f64 {
        return f64::INFINITY;
    }
    erlang_c(servers, load) * service_mean / (servers as f64 - load)
}

/// Quantile `p` of the wait in M/M/c: 0 where fewer than `1 - p` wait at all.
#[must_use]
pub fn mmc_wait_quantile(servers: u64, arrival_rate: f64, service_mean: f64, p: f64) -> f64 {
    let load = arrival_rate * service_mean;
    if load >= servers as f64 {
        return f64::INFINITY;
    }
    let waits = erlang_c(servers, load);
    if waits <= 1.0 - p { 0.0 } else { (waits / (1.0 - p)).ln() * service_mean / (servers as f64 - load) }
}

/// Mean wait in GI/G/c: M/M/c times the mean of the squared coefficients of variation
/// (Allen, Probability, Statistics and Queueing Theory, 1990, section 5.3). Exact for M/M/c and M/G/1.
#[must_use]
pub fn allen_cunneen_wait(
    servers: u64,
    arrival_rate: f64,
    arrival_cv: f64,
    service_mean: f64,
    service_cv: f64,
) -> f64 {
    mmc_wait(servers, arrival_rate, service_mean) * (arrival_cv.powi(2) + service_cv.powi(2)) / 2.0
}

/// Share of arrivals that find M/M/c with `waiting_max` places to wait full.
#[must_use]
pub fn mmck_blocking(servers: u64, waiting_max: u64, load: f64) -> f64 {
    // Beyond c the state probabilities fall by rho: B(c + k) from B(c) by the same kind of recursion.
    let rho = load / servers as f64;
    (0..waiting_max).fold(erlang_b(servers, load), |b, _| rho * b / (1.0 + rho * b))
}

/// Fewest servers of one M/M/c queue with a probability to wait of at most `waits_max`.
#[must_use]
pub fn servers_for_wait(load: f64, waits_max: f64) -> u64 {
    // Erlang B is monotone in the servers, so go up once, reusing the recursion.
    let mut servers = 0_u64;
    let mut b = 1.0;
    loop {
        servers += 1;
        b = load * b / (servers as f64 + load * b);
        let rho = load / servers as f64;
        if rho < 1.0 && b / (1.0 - rho * (1.0 - b)) <= waits_max {
            return servers;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-6 || (got - want).abs() < 5e-7, "got {got}, want {want}");
    }

    #[test]
    fn known_answers_at_utilisation_point_eight() {
        for (servers, c, wait) in [
            (1, 0.8, 4.0),
            (2, 0.711_111_1, 1.777_777_8),
            (4, 0.596_432, 0.745_541),
            (16, 0.304_884, 0.095_276_2),
        ] {
            let load = 0.8 * servers as f64;
            assert!((erlang_c(servers, load) - c).abs() < 1e-6);
            assert!((mmc_wait(servers, load, 1.0) - wait).abs() < 1e-6);
        }
        near(mmc_wait_quantile(1, 0.8, 1.0, 0.99), 21.910_133);
        near(mmc_wait_quantile(16, 12.8, 1.0, 0.99), 1.067_921);
    }

    #[test]
    fn known_answers_for_loss_and_sizing() {
        near(erlang_b(10, 7.0), 0.078_740_9);
        near(mmck_blocking(1, 9, 0.9), 0.050_813_7);
        let load = 1e9 * 30.0 / 86_400.0 * 3.0 * 0.005;
        near(load, 5_208.333_333);
        assert_eq!(servers_for_wait(load, 0.2), 5286);
        assert_eq!(servers_for_wait(load, 0.01), 5381);
    }

    #[test]
    fn general_service_times_correct_the_wait() {
        // M/D/1 and M/G/1 with cv^2 = 4 at rho = .8: exact for one server.
        near(allen_cunneen_wait(1, 0.8, 1.0, 1.0, 0.0), 2.0);
        near(allen_cunneen_wait(1, 0.8, 1.0, 1.0, 2.0), 10.0);
    }

    #[test]
    fn overload_is_infinite_and_not_nonsense() {
        assert_eq!(mmc_wait(4, 5.0, 1.0), f64::INFINITY);
        assert_eq!(erlang_c(4, 4.0), 1.0);
        assert!((mmck_blocking(1, 1_000_000, 2.0) - 0.5).abs() < 1e-9);
    }
}
