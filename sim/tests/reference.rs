//! The reference table: answers known from elsewhere, computed at 40 to 50 digits, beside what the closed
//! forms say. `cargo test -p plimsoll-sim --test reference -- --nocapture` prints it.

use plimsoll_scenarios::Policy;
use plimsoll_scenarios::popularity::{Atom, Popularity};
use plimsoll_sim::analytic::caches::Approximation;
use plimsoll_sim::analytic::networks::{Centre, Usl, closed};
use plimsoll_sim::analytic::queues::{
    Class, GiGc, Service, erlang_b, erlang_c, mdc_wait, mg1_nonpreemptive_waits, mg1_ps_response, mg1_wait,
    mmc_nonpreemptive_waits, mmc_sojourn_quantile, mmc_wait, mmc_wait_quantile, mmck, servers_for_wait,
    servers_for_wait_quantile,
};
use plimsoll_sim::analytic::reliability::{
    Repair, Units, downtime_minutes_per_year, k_of_n, mttdl_hours, series, unavailability_of_k_of_n,
};
use plimsoll_sim::analytic::replication::{Quorum, catch_up};
use plimsoll_sim::analytic::retries::{amplification, mean_attempts};
use plimsoll_sim::analytic::statistics::{mm1_wait_asymptotic_variance, run_length};
use plimsoll_sim::analytic::{caches_exact, order};

/// What is asked, what we say, what is known.
type Row = (&'static str, f64, f64);

/// Relative closeness of closed forms; the table is given to 12 digits.
const TOLERANCE: f64 = 1e-10;
/// The same where the catalogue is lumped into ranks of nearly the same popularity, and the table has 6 digits.
const TOLERANCE_LUMPED: f64 = 1e-6;

fn check(title: &str, tolerance: f64, rows: &[Row]) {
    println!("{title}");
    let mut wrong = Vec::new();
    for (what, got, want) in rows {
        println!("  {what:<48} {got:>22.12} {want:>18}");
        let close = (got / want - 1.0).abs() < tolerance;
        if !close {
            wrong.push(format!("{what}: expected {want}, got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{title}:\n{}", wrong.join("\n"));
}

#[test]
fn queues() {
    let exponential = |arrival_rate| Class { arrival_rate, service: Service::exponential(1.0) };
    let mixed = Service::hyperexponential(&[(0.9, 0.5), (0.1, 5.5)]);
    let classes = mg1_nonpreemptive_waits(&[exponential(0.3), exponential(0.5)]);
    let pool = mmc_nonpreemptive_waits(1, &[0.3, 0.5], 1.0);
    check(
        "Queues at utilisation 0.8",
        TOLERANCE,
        &[
            ("M/M/1 Wq", mmc_wait(1, 0.8, 1.0), 4.0),
            ("M/M/1 Lq", 0.8 * mmc_wait(1, 0.8, 1.0), 3.2),
            ("M/M/1 p99 wait", mmc_wait_quantile(1, 0.8, 1.0, 0.99), 21.910_133_173_37),
            ("M/M/1 p99 sojourn", mmc_sojourn_quantile(1, 0.8, 1.0, 0.99), 23.025_850_929_94),
            ("M/M/2 Erlang C", erlang_c(2, 1.6), 0.711_111_111_111_1),
            ("M/M/2 Wq", mmc_wait(2, 1.6, 1.0), 1.777_777_777_778),
            ("M/M/4 Erlang C", erlang_c(4, 3.2), 0.596_432_471_787),
            ("M/M/4 Wq", mmc_wait(4, 3.2, 1.0), 0.745_540_589_734),
            ("M/M/16 Erlang C", erlang_c(16, 12.8), 0.304_883_912_930),
            ("M/M/16 Wq", mmc_wait(16, 12.8, 1.0), 0.095_276_222_790_6),
            ("M/M/16 p99 wait", mmc_wait_quantile(16, 12.8, 1.0, 0.99), 1.067_920_624_318),
            ("Erlang B(10, 7)", erlang_b(10, 7.0), 0.078_740_882_969_6),
            ("M/D/1 Wq", mdc_wait(1, 0.8, 1.0), 2.0),
            ("M/D/4 Wq", mdc_wait(4, 3.2, 1.0), 0.386_094_930_847),
            ("M/D/16 Wq", mdc_wait(16, 12.8, 1.0), 0.052_547_891_103_7),
            ("M/G/1 Wq, cv^2 = 4", mg1_wait(0.8, &Service::lognormal(1.0, 2.0)), 10.0),
            (
                "  by the two-moment formula",
                GiGc::poisson(1, 0.8, Service::lognormal(1.0, 2.0)).wait_mean(),
                10.0,
            ),
            ("M/H2/1 Wq", mg1_wait(0.8, &mixed), 13.0),
            ("M/M/1/10 blocking, rho 0.9", mmck(1, 9, 0.9, 1.0).blocking, 0.050_813_731_327_4),
            ("Two classes, Wq1", classes[0], 1.142_857_142_857),
            ("Two classes, Wq2", classes[1], 5.714_285_714_286),
            ("  in M/M/c, Wq1", pool[0], 1.142_857_142_857),
            ("  in M/M/c, Wq2", pool[1], 5.714_285_714_286),
            ("M/G/1-PS, job of size 2", mg1_ps_response(0.8, 1.0, 2.0), 10.0),
        ],
    );
}

#[test]
fn networks_and_sizing() {
    let centres = [0.05, 0.08, 0.03].map(|demand| Centre::Queue { demand });
    let solved = closed(&centres, 5.0, 50);
    let law = Usl { gamma: 1.0, sigma: 0.03, kappa: 1e-4 };
    let points: Vec<(f64, f64)> =
        [1.0, 4.0, 16.0, 32.0, 150.0].iter().map(|&n| (n, 700.0 * law.throughput(n))).collect();
    let fit = Usl::fit(&points).expect("five different loads").law;
    let plays = 1e9 * 30.0 / 86_400.0;
    let load = plays * 3.0 * 0.005;
    let servers = |count: Option<u64>| count.map_or(f64::NAN, |count| count as f64);
    let variance = mm1_wait_asymptotic_variance(0.8, 1.0);
    check(
        "Networks, fan-out, sizing, retries, statistics",
        TOLERANCE,
        &[
            ("Fan-out of 100, mean of the maximum", order::max_exponential_mean(100, 1.0), 5.187_377_517_640),
            ("  by integration", order::kth_mean(100, 100, 1.0, |t| (-t).exp()), 5.187_377_517_640),
            ("Fan-out of 100, all under p99", order::all_under(100, 0.99), 0.366_032_341_273),
            ("Closed network, X(50)", solved.throughput, 9.262_703_095_054),
            ("Closed network, R(50)", solved.response, 0.397_992_301_696),
            ("USL C(64)", law.throughput(64.0), 19.433_985_181_586),
            ("USL peak", law.peak(), 98.488_578_017_961),
            ("  of a fit to five points", fit.peak(), 98.488_578_017_961),
            ("Requests per second of 1 B users", plays, 347_222.222_222_2),
            ("Load, erlang", load, 5_208.333_333_333),
            ("Servers for P(wait) <= 0.2", servers(servers_for_wait(load, 0.2)), 5_286.0),
            ("Servers for P(wait) <= 0.01", servers(servers_for_wait(load, 0.01)), 5_381.0),
            (
                "  as a quantile: p99 of the wait 0",
                servers(servers_for_wait_quantile(load, &Service::exponential(0.005), 0.99, 0.0)),
                5_381.0,
            ),
            ("Mean attempts, p = .1, 3 attempts", mean_attempts(0.1, 3), 1.11),
            ("3 tiers of 3 attempts, all failing", amplification(1.0, 3, 3), 27.0),
            ("M/M/1 asymptotic variance of the wait", variance, 1_976.0),
            ("  customers for 1 % at 95 %", run_length(variance, 4.0, 0.01, 0.95), 4_744_201.643_557),
        ],
    );
}

#[test]
fn availability_durability_replication() {
    let five = series(&[0.9999; 5]);
    let three = mttdl_hours(Units::replicas(3), 1e6, 24.0, Repair::Parallel);
    let two = mttdl_hours(Units::replicas(2), 1e6, 24.0, Repair::Serial);
    check(
        "Availability, durability, replication",
        TOLERANCE,
        &[
            ("2 of 3 at .999", k_of_n(3, 2, 0.999), 0.999_997_002),
            ("  unavailability", unavailability_of_k_of_n(3, 2, 0.999), 2.998e-6),
            (
                "Erasure code 10+4 at .99, unavailability",
                unavailability_of_k_of_n(14, 10, 0.99),
                1.856_894_283_864e-7,
            ),
            ("Five tiers at .9999", five, 0.999_500_099_990),
            ("  downtime, minutes per year", downtime_minutes_per_year(five), 262.747_445_255_737),
            ("MTTDL of 3 replicas, h", three, 5.787_523_166_481e14),
            ("MTTDL of 2 replicas, h", two, 2.083_483_333_333e10),
            (
                "Stale read, N=3 W=1 R=1",
                Quorum { copies: 3, writes: 1, reads: 1 }.stale_read(),
                0.666_666_666_667,
            ),
            ("Catch-up after 600 s at 70 %, s", catch_up(600.0, 0.7), 1_400.0),
        ],
    );
}

#[test]
fn caches() {
    let small: Vec<f64> = (1..=10).map(|k| 1.0 / f64::from(k)).collect();
    let atoms = Popularity::zipf(1.0).over(10).atoms();
    let che = |atoms: &[Atom], capacity: f64| {
        let solved = Approximation::solve(Policy::Lru, atoms, capacity).expect("known for LRU");
        solved.hit_ratio(atoms)
    };
    let total = order::harmonic(100_000_000);
    let share = |top: u64| order::harmonic(top) / total;
    let large = Popularity::zipf(1.0).over(100_000_000).atoms();
    check(
        "Caches under Zipf popularity, s = 1",
        TOLERANCE,
        &[
            ("Harmonic number of 1e8", total, 18.997_896_413_854),
            ("Share of the top 1e4", share(10_000), 0.515_194_199_549),
            ("Share of the top 1e5", share(100_000), 0.636_393_938_912),
            ("Share of the top 1e6", share(1_000_000), 0.757_595_810_048),
            ("Share of the top 1e7", share(10_000_000), 0.878_797_894_365),
            ("Exact LRU, 3 of 10", caches_exact::lru_hit_ratio(&small, 3), 0.470_664_190_015),
            ("  Che's approximation", che(&atoms, 3.0), 0.465_723_906_427),
            ("Exact FIFO and RANDOM, 3 of 10", caches_exact::fifo_hit_ratio(&small, 3), 0.445_104_460_581),
            ("Static optimum, 3 of 10", caches_exact::static_hit_ratio(&small, 3), 0.625_931_445_604),
            (
                "Exact LRU, p = (.5, .3, .2), 2",
                caches_exact::lru_hit_ratio(&[0.5, 0.3, 0.2], 2),
                0.719_285_714_286,
            ),
        ],
    );
    check(
        "Large caches under Zipf popularity, s = 1",
        TOLERANCE_LUMPED,
        &[
            ("Che LRU, 1e5 of 1e8", che(&large, 1e5), 0.547_765),
            ("Che LRU, 1e6 of 1e8", che(&large, 1e6), 0.685_699),
            ("Che LRU, 1e7 of 1e8", che(&large, 1e7), 0.832_842),
        ],
    );
}
