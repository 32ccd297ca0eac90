//! What must hold of the closed forms for any input: more never hurts, and nothing finite gives NaN.

use plimsoll_sim::analytic::networks::{Centre, JacksonStation, Usl, asymptotic_bounds, closed, jackson};
use plimsoll_sim::analytic::order;
use plimsoll_sim::analytic::queues::*;
use plimsoll_sim::analytic::reliability::*;
use plimsoll_sim::analytic::replication::{Quorum, catch_up, copies_for_reads};
use plimsoll_sim::analytic::retries::{RetryLoop, all_fail, amplification, mean_attempts};
use plimsoll_sim::analytic::statistics::*;
use proptest::prelude::*;

/// Room for rounding where two sides are computed apart.
const ROUNDING: f64 = 1.0 + 1e-9;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn more_servers_never_wait_longer(
        servers in 1_u64..3_000, load in 0.01_f64..3_000.0, cv in 0.0_f64..4.0, t in 0.0_f64..3.0,
    ) {
        let (now, more) = (GiGc::poisson(servers, load, Service::gamma(1.0, cv)), GiGc::poisson(servers + 1, load, Service::gamma(1.0, cv)));
        prop_assert!(erlang_b(servers + 1, load) <= erlang_b(servers, load) * ROUNDING);
        prop_assert!(erlang_c(servers + 1, load) <= erlang_c(servers, load) * ROUNDING);
        prop_assert!(mmc_wait(servers + 1, load, 1.0) <= mmc_wait(servers, load, 1.0) * ROUNDING);
        prop_assert!(mmc_sojourn_tail(servers + 1, load, 1.0, t) <= mmc_sojourn_tail(servers, load, 1.0, t) * ROUNDING);
        prop_assert!(more.wait_mean() <= now.wait_mean() * ROUNDING);
        prop_assert!(mmck_blocking(servers + 1, 7, load) <= mmck_blocking(servers, 7, load) * ROUNDING);
    }

    #[test]
    fn more_load_never_waits_less(servers in 1_u64..500, share in 0.01_f64..0.95, cv in 0.0_f64..4.0) {
        let rate = share * servers as f64;
        let queue = |rate| GiGc::poisson(servers, rate, Service::gamma(1.0, cv));
        prop_assert!(queue(rate * 1.02).wait_mean() >= queue(rate).wait_mean());
        prop_assert!(mmc_wait_quantile(servers, rate * 1.02, 1.0, 0.99) >= mmc_wait_quantile(servers, rate, 1.0, 0.99));
        prop_assert!(mmck(servers, 20, rate * 1.02, 1.0).queue_mean >= mmck(servers, 20, rate, 1.0).queue_mean);
    }

    #[test]
    fn constant_service_waits_less_than_exponential_and_more_than_half(
        servers in 1_u64..200, share in 0.05_f64..0.98,
    ) {
        let rate = share * servers as f64;
        let (constant, exponential) = (mdc_wait(servers, rate, 1.0), mmc_wait(servers, rate, 1.0));
        prop_assert!(constant <= exponential && constant * ROUNDING >= exponential / 2.0, "{constant} {exponential}");
        // Everybody who waits in M/D/c waits less than in M/M/c at the far end, too.
        let solved = Mdc::solve(servers, rate, 1.0).expect("not saturated");
        prop_assert!(solved.wait_quantile(0.999) <= mmc_wait_quantile(servers, rate, 1.0, 0.999) + 1e-9);
        // Tails fall.
        let tails: Vec<f64> = (0..40).map(|k| solved.wait_tail(f64::from(k) * 0.1)).collect();
        prop_assert!(tails.windows(2).all(|w| w[1] <= w[0] * ROUNDING + 1e-14 * tails[0]),
            "{tails:?}");
    }

    #[test]
    fn sizing_is_minimal(load in 0.01_f64..1e5, p in 0.5_f64..0.9999, t in 0.0_f64..1.0) {
        let servers = servers_for_wait_quantile(load, &Service::exponential(1.0), p, t).expect("possible");
        prop_assert!(mmc_wait_tail(servers, load, 1.0, t) <= (1.0 - p) * ROUNDING);
        prop_assert!(servers == 1 || mmc_wait_tail(servers - 1, load, 1.0, t) * ROUNDING >= 1.0 - p);
    }

    #[test]
    fn priority_conserves_work(a in 0.01_f64..0.4, b in 0.01_f64..0.5, servers in 1_u64..50) {
        let rates = [a * servers as f64, b * servers as f64];
        let fair = mmc_wait(servers, rates[0] + rates[1], 1.0);
        for waits in [mmc_nonpreemptive_waits(servers, &rates, 1.0), mmc_preemptive_waits(servers, &rates, 1.0)] {
            prop_assert!(waits[0] <= fair * ROUNDING && waits[1] * ROUNDING >= fair);
            let mixed = (a * waits[0] + b * waits[1]) / (a + b);
            prop_assert!((mixed - fair).abs() <= 1e-7 * fair + 1e-300);
        }
    }

    #[test]
    fn more_copies_are_never_less_durable(
        copies in 1_u64..8, mttf in 10.0_f64..1e7, mttr in 0.01_f64..1e3, beta in 0.0_f64..1.0,
    ) {
        for repair in [Repair::Parallel, Repair::Serial, Repair::Crews(2)] {
            let of = |n| mttdl_hours(Units::replicas(n), mttf, mttr, repair);
            prop_assert!(of(copies + 1) >= of(copies));
            let parity = |m| mttdl_hours(erasure_units(6, m), mttf, mttr, repair);
            prop_assert!(parity(copies + 1) * ROUNDING >= parity(copies));
            // A common cause never helps, and caps the whole at its own rate.
            let common = mttdl_with_common_cause_hours(Units::replicas(copies), mttf, mttr, repair, beta);
            prop_assert!(common <= of(copies) * ROUNDING && common <= mttf / beta * ROUNDING);
        }
    }

    #[test]
    fn more_parts_needed_are_never_more_available(n in 1_u64..40, k in 1_u64..40, a in 0.0_f64..=1.0) {
        let k = k.min(n);
        prop_assert!(k_of_n(n, k, a) <= k_of_n(n, k - 1, a) * ROUNDING);
        prop_assert!(k_of_n(n, k, a) <= k_of_n(n + 1, k, a) * ROUNDING);
        prop_assert!((k_of_n(n, k, a) + unavailability_of_k_of_n(n, k, a) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn larger_quorums_are_fresher_and_slower(copies in 1_u64..9, writes in 1_u64..9, reads in 1_u64..9, t in 0.0_f64..0.1) {
        let (writes, reads) = (writes.min(copies), reads.min(copies));
        let quorum = Quorum { copies, writes, reads };
        let stale = quorum.stale_read_after(t, 0.02, 0.001);
        prop_assert!(stale <= quorum.stale_read() && stale >= quorum.stale_read_after(t * 2.0, 0.02, 0.001));
        if reads < copies {
            let larger = Quorum { reads: reads + 1, ..quorum };
            prop_assert!(larger.stale_read_after(t, 0.02, 0.001) <= stale);
            prop_assert!(larger.read_latency_exponential(1.0) > quorum.read_latency_exponential(1.0));
        }
    }

    #[test]
    fn closed_networks_grow_and_keep_within_bounds(
        demands in prop::collection::vec((0.001_f64..1.0, 1_u64..6), 1..4), think in 0.0_f64..5.0, customers in 1_u64..60,
    ) {
        let centres: Vec<Centre> =
            demands.iter().map(|&(demand, servers)| Centre::Pool { demand, servers }).collect();
        let (now, more) = (closed(&centres, think, customers), closed(&centres, think, customers + 1));
        let bounds = asymptotic_bounds(&centres, think, customers);
        prop_assert!(more.throughput * ROUNDING >= now.throughput);
        prop_assert!(now.throughput <= bounds.throughput_max * ROUNDING);
        prop_assert!(now.throughput * ROUNDING >= bounds.throughput_min);
        // Little's law over the whole cycle.
        prop_assert!((now.throughput * (now.response + think) / customers as f64 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn hedging_never_slows(delay in 0.0_f64..5.0, t in 0.0_f64..10.0) {
        let tail = |t: f64| (1.0 + t.max(0.0)).powf(-2.5);
        prop_assert!(order::hedged_tail(delay, t, tail) <= tail(t));
        prop_assert!(order::hedged_mean(delay, 1.0, tail) <= 1.0 / 1.5 * (1.0 + 1e-6));
    }

    #[test]
    fn equilibria_solve_the_loop(share in 0.05_f64..1.5, attempts in 1_u64..5, timeout in 0.05_f64..2.0) {
        let retry =
            RetryLoop { fresh_rate: share * 100.0, attempts_max: attempts, timeout, servers: 10, service_mean: 0.1, budget: None };
        let all = retry.equilibria();
        // Stable and unstable ones alternate, from stable to stable.
        prop_assert!(all.len() % 2 == 1, "{all:?}");
        for (k, e) in all.iter().enumerate() {
            prop_assert_eq!(e.stable, k % 2 == 0);
            prop_assert!(e.goodput <= retry.fresh_rate * ROUNDING && e.attempt_rate * ROUNDING >= retry.fresh_rate);
        }
    }
}

/// Any finite number, extremes often.
fn finite() -> impl Strategy<Value = f64> {
    let extremes = vec![0.0, -0.0, 1.0, -1.0, 0.5, 1e-300, 5e-324, f64::MAX, f64::MIN, f64::EPSILON];
    prop_oneof![
        2 => any::<f64>().prop_filter("finite", |x| x.is_finite()),
        5 => -2.0_f64..2.0,
        5 => 0.0_f64..1e4,
        3 => prop::sample::select(extremes),
    ]
}

/// Any count, extremes often.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0_u64..20,
        0_u64..5_000,
        prop::sample::select(vec![0, 1, u64::MAX, u64::MAX - 1])
    ]
}

/// Fails on NaN only: infinity is an answer. `inputs` so large or small that their products overflow may give
/// NaN, but must not panic.
fn answers(inputs: &[f64], values: &[f64]) -> Result<(), TestCaseError> {
    let usual = inputs.iter().all(|x| *x == 0.0 || (1e-40..1e40).contains(&x.abs()));
    match values.iter().position(|x| x.is_nan()) {
        Some(at) if usual => Err(TestCaseError::fail(format!("value {at} of {values:?} is NaN"))),
        _ => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn queues_answer_anything_finite(n in count(), k in count(), a in finite(), b in finite(), c in finite(), d in finite(), t in finite()) {
        let inputs = [a, b, c, d, t];
        answers(&inputs, &[erlang_b(n, a), erlang_c(n, a)])?;
        answers(&inputs, &[mmc_wait(n, a, b), mmc_wait_tail(n, a, b, t), mmc_wait_quantile(n, a, b, c)])?;
        answers(&inputs, &[mmc_sojourn(n, a, b), mmc_sojourn_tail(n, a, b, t), mmc_sojourn_quantile(n, a, b, c)])?;
        let limited = mmck(n, k, a, b);
        answers(&inputs, &[limited.blocking, limited.throughput, limited.queue_mean, limited.wait_mean, limited.utilisation])?;
        let queue = GiGc { servers: n, arrival_rate: a, arrival_cv: b, service: Service::gamma(c, d) };
        answers(&inputs, &[queue.wait_mean(), queue.wait_mean_allen_cunneen(), queue.wait_mean_kraemer_langenbach_belz()])?;
        answers(&inputs, &[queue.waits(), queue.wait_tail(t), queue.wait_quantile(0.99)])?;
        let service = Service::gamma(a, b);
        answers(&inputs, &[mg1_wait(c, &service), mg1_wait_second_moment(c, &service), mg1_batch_wait(c, d, t, &service)])?;
        answers(&inputs, &[mg1_ps_response(a, b, c), mg1_ps_sojourn(a, b)])?;
        let classes = [Class { arrival_rate: c, service }, Class { arrival_rate: d, service: Service::lognormal(t, a) }];
        answers(&inputs, &mg1_nonpreemptive_waits(&classes))?;
        answers(&inputs, &mg1_preemptive_waits(&classes))?;
        answers(&inputs, &mmc_nonpreemptive_waits(n, &[a, b], c))?;
        answers(&inputs, &mmc_preemptive_waits(n, &[a, b], c))?;
        let _ = (servers_for_wait(a, b), servers_for_loss(a, b), servers_for_mean_wait(a, &service, d), servers_for_wait_quantile(c, &service, d, t));
    }

    #[test]
    fn constant_service_answers_anything_finite(n in 0_u64..3_000, a in finite(), b in finite(), t in finite()) {
        let inputs = [a, b, t];
        answers(&inputs, &[mdc_wait(n, a, b)])?;
        if let Some(solved) = Mdc::solve(n, a, b) {
            answers(&inputs, &[solved.wait_mean(), solved.queue_mean(), solved.wait_tail(t)])?;
        }
    }

    #[test]
    fn the_rest_answers_anything_finite(n in count(), k in count(), m in count(), a in finite(), b in finite(), c in finite(), d in finite()) {
        let inputs = [a, b, c, d];
        answers(&inputs, &[order::harmonic(n), order::kth_exponential_mean(n, k, a), order::all_under(n, a), order::quantile_of_each(n, a)])?;
        answers(&inputs, &[order::at_least(n, k, a), order::kth_tail(n, k, a), order::kth_quantile(n, k, a, |u| u)])?;
        answers(&inputs, &[availability(a, b), k_of_n(n, k, a), unavailability_of_k_of_n(n, k, a), beta_factor_availability(n, k, a, b)])?;
        answers(&inputs, &[downtime_minutes_per_year(a), nines(a)])?;
        let units = Units { total: n, tolerated: k };
        for repair in [Repair::Parallel, Repair::Serial, Repair::Crews(m)] {
            answers(&inputs, &[mttdl_hours(units, a, b, repair), mttdl_with_common_cause_hours(units, a, b, repair, c)])?;
        }
        let loss = annual_loss(units, a, m, k, b, c);
        answers(&inputs, &[loss.independent, loss.zone, loss.operator, loss.total])?;
        answers(&inputs, &[repair_hours(a, b, n, c), repair_bandwidth(n, a, b, c)])?;
        answers(&inputs, &[copysets_of(n, k, m), random_copysets(n, k, a), loss_probability(n, k, m, a)])?;
        let quorum = Quorum { copies: n, writes: k, reads: m };
        answers(&inputs, &[quorum.stale_read(), quorum.stale_read_after(a, b, c), quorum.visible_after(a, b, c), quorum.read_rate_max(a, b)])?;
        answers(&inputs, &[catch_up(a, b), mean_attempts(a, n), all_fail(a, n), amplification(a, n, k)])?;
        let _ = copies_for_reads(a, b, n, c, d);
        answers(&inputs, &[mm1_wait_asymptotic_variance(a, b), gig1_wait_asymptotic_variance(a, b, c, d), run_length(a, b, c, d), mm1_relaxation(a, b), mm1_number_asymptotic_variance(a, b)])?;
        let law = Usl { gamma: 1.0, sigma: a.abs(), kappa: b.abs() };
        answers(&inputs, &[law.peak()])?;
        let _ = Usl::fit(&[(a, b), (b, c), (c, d), (d, a)]);
        let station = |external_rate| JacksonStation { external_rate, servers: n, service_mean: b, next: vec![0.1, 0.2] };
        for solved in jackson(&[station(a.abs()), station(c.abs())]).unwrap_or_default() {
            answers(&inputs, &[solved.rate, solved.utilisation, solved.sojourn, solved.customers])?;
        }
    }

    #[test]
    fn networks_and_retries_answer_anything_finite(n in 0_u64..200, k in count(), a in finite(), b in finite(), c in finite(), d in finite()) {
        let inputs = [a, b, c, d];
        let centres = [Centre::Queue { demand: a }, Centre::Pool { demand: b, servers: k }, Centre::Delay { demand: c }];
        for customers in [n, n + 100_000_000_000] {
            let solved = closed(&centres, d, customers);
            let bounds = asymptotic_bounds(&centres, d, customers);
            answers(&inputs, &[solved.throughput, solved.response, bounds.throughput_max, bounds.throughput_min, bounds.response_max, bounds.knee])?;
        }
        let retry = RetryLoop { fresh_rate: a, attempts_max: k, timeout: b, servers: n, service_mean: c, budget: Some(d) };
        for e in retry.equilibria() {
            answers(&inputs, &[e.attempt_rate, e.failing, e.goodput])?;
        }
    }
}
