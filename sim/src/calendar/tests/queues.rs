use plimsoll_scenarios::distribution::Distribution;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::Seconds;
use plimsoll_scenarios::{Balance, trace};

use super::{agrees, over, plan, played, read, station};
use crate::analytic::networks::{Centre, closed};
use crate::analytic::queues::{
    Class, Service, mdc_wait, mg1_nonpreemptive_waits, mg1_ps_sojourn, mg1_wait, mmc_wait, mmck,
};
use crate::station::{Outcome, Station};

const BOUNDLESS: &str = "queue_max: 10000000";

/// Mean waits over replications.
fn wait(rate: f64, tier: &str) -> plimsoll_reports::record::Interval {
    let scenario = station(rate, tier);
    let counted = played(&scenario, plan(3, 12, 2_000.0, 60_000.0 / rate));
    over(&counted, |c| c.waits[0].mean())
}

#[test]
fn mean_waits_are_those_of_the_closed_forms() {
    for servers in [1_u64, 2, 4, 16] {
        let rate = 0.8 * servers as f64;
        let tier =
            format!("servers: 1, concurrency: {servers}, service_time: {{exponential: 1 s}}, {BOUNDLESS}");
        agrees(&format!("M/M/{servers}"), wait(rate, &tier), mmc_wait(servers, rate, 1.0), 0.08);
        let tier = format!("servers: 1, concurrency: {servers}, service_time: 1 s, {BOUNDLESS}");
        agrees(&format!("M/D/{servers}"), wait(rate, &tier), mdc_wait(servers, rate, 1.0), 0.08);
    }
    let tier = format!("servers: 1, service_time: {{gamma: {{mean: 1 s, cv: 2}}}}, {BOUNDLESS}");
    agrees("M/G/1", wait(0.8, &tier), mg1_wait(0.8, &Service::gamma(1.0, 2.0)), 0.12);
    let mixed = Service::hyperexponential(&[(0.9, 0.5), (0.1, 5.5)]);
    let law = "mixture: [{weight: 90 %, exponential: 0.5 s}, {weight: 10 %, exponential: 5.5 s}]";
    let tier = format!("servers: 1, service_time: {{{law}}}, {BOUNDLESS}");
    agrees("M/H2/1", wait(0.8, &tier), mg1_wait(0.8, &mixed), 0.12);
}

#[test]
fn quantiles_of_waits_are_those_of_the_closed_forms() {
    let scenario = station(
        12.8,
        &format!("servers: 1, concurrency: 16, service_time: {{exponential: 1 s}}, {BOUNDLESS}"),
    );
    let counted = played(&scenario, plan(5, 10, 1_000.0, 8_000.0));
    agrees("p99 of M/M/16", over(&counted, |c| c.waits[0].quantile(0.99).unwrap()), 1.067_921, 0.12);
}

#[test]
fn a_bounded_queue_rejects_as_the_formula_says() {
    let scenario = station(0.9, "servers: 1, service_time: {exponential: 1 s}, queue_max: 9");
    let counted = played(&scenario, plan(1, 10, 1_000.0, 60_000.0));
    let rejected = over(&counted, |c| {
        let slots = &c.stations[0][0];
        slots.iter().map(|s| s.rejected_share).sum::<f64>() / slots.len() as f64
    });
    agrees("M/M/1/10", rejected, mmck(1, 9, 0.9, 1.0).blocking, 0.07);
    let failed = over(&counted, |c| {
        let (failed, all) = (c.failed[0].iter().flatten(), c.requests[0].iter().flatten());
        let sum: f64 = failed.zip(all.clone()).map(|(share, n)| share * n).sum();
        sum / all.sum::<f64>()
    });
    assert!((failed.value / rejected.value - 1.0).abs() < 0.05, "{failed:?} {rejected:?}");
}

#[test]
fn who_goes_first_waits_less_and_by_how_much() {
    let scenario = read(
        "name: two\npopulation: {users: 1}\nactions:\n  urgent: {rate: 0.3/s, path: [a, server]}\n  \
         other: {rate: 0.5/s, priority: 5, path: [a, server]}\ntiers:\n  a: {}\n  server: {servers: 1, \
         service_time: {exponential: 1 s}, discipline: priority, queue_max: 10000000}\n",
    );
    let counted = played(&scenario, plan(2, 12, 2_000.0, 80_000.0));
    let class = |arrival_rate| Class { arrival_rate, service: Service::exponential(1.0) };
    let wants = mg1_nonpreemptive_waits(&[class(0.3), class(0.5)]);
    for (action, want) in wants.iter().enumerate() {
        agrees("priority", over(&counted, |c| c.first_byte[action].mean() - 1.0), *want, 0.08);
    }
}

#[test]
fn all_at_once_takes_as_long_whatever_the_law_of_service() {
    for law in ["{exponential: 1 s}", "{gamma: {mean: 1 s, cv: 2}}", "1 s"] {
        let tier = format!("servers: 1, service_time: {law}, discipline: ps, {BOUNDLESS}");
        let counted = played(&station(0.8, &tier), plan(4, 12, 2_000.0, 60_000.0));
        agrees(law, over(&counted, |c| c.sojourns[0].mean()), mg1_ps_sojourn(0.8, 1.0), 0.08);
    }
    // With two slots and one request each has a slot; M/M/2 without preference has the same mean.
    let tier = format!(
        "servers: 1, concurrency: 2, service_time: {{exponential: 1 s}}, discipline: ps, {BOUNDLESS}"
    );
    let counted = played(&station(1.6, &tier), plan(4, 12, 2_000.0, 40_000.0));
    agrees("two slots", over(&counted, |c| c.sojourns[0].mean()), 1.0 + mmc_wait(2, 1.6, 1.0), 0.08);
}

#[test]
fn more_slots_never_wait_longer_with_the_same_draws() {
    let mut last = f64::INFINITY;
    for slots in 1..10 {
        let tier =
            format!("servers: 1, concurrency: {slots}, service_time: {{exponential: 1 s}}, {BOUNDLESS}");
        let counted = played(&station(0.95, &tier), plan(8, 1, 0.0, 20_000.0));
        let wait = counted[0].waits[0].mean();
        assert!(wait <= last + 1e-12, "{slots}: {wait} after {last}");
        last = wait;
    }
}

#[test]
fn the_calendar_and_the_recursion_give_the_same_waits_from_the_same_draws() {
    for (slots, queue_max) in [(1, 10_000_000), (4, 10_000_000), (2, 5), (16, 20)] {
        let rate = 0.9 * f64::from(slots);
        let tier = format!(
            "servers: 1, concurrency: {slots}, service_time: {{exponential: 1 s}}, queue_max: {queue_max}"
        );
        let scenario = station(rate, &tier);
        let end = 5_000.0;
        let counted = &played(&scenario, plan(6, 1, 0.0, end))[0];
        let mut recursion = Station::new(1, slots as usize, queue_max as usize, Balance::Random);
        let law = Distribution::<Seconds>::exponential(1.0).sampler();
        let (mut services, mut choices) =
            (Stream::new(6, "server", "services", 0), Stream::new(6, "server", "balance", 0));
        let mut waits = 0.0;
        let mut served = 0_u32;
        for request in trace::requests(&scenario, 6, end) {
            match recursion.arrive(request.at_s, &law, &mut services, &mut choices) {
                Outcome::Served { start, .. } => {
                    waits += start - request.at_s;
                    served += 1;
                }
                Outcome::Rejected => {}
            }
        }
        // The calendar draws a service when it begins, the recursion when its customer comes: with one queue and
        // first come, first served these are the same order. Those served after the end do not count as waits.
        let failed = counted.failed[0].iter().flatten().zip(counted.requests[0].iter().flatten());
        let failed: f64 = failed.map(|(share, n)| share * n).sum();
        assert!((failed - recursion.tally.rejected as f64).abs() < 1e-6, "{failed}");
        let sojourns = counted.first_byte[0].mean() * f64::from(served);
        let want = waits + recursion.tally.work_s;
        assert!((sojourns / want - 1.0).abs() < 1e-9, "{slots} {queue_max}: {sojourns} {want}");
    }
}

#[test]
fn two_choices_are_much_better_than_one_and_the_best_of_all_better_still() {
    let wait = |balance: &str| {
        let tier =
            format!("servers: 16, service_time: {{exponential: 1 s}}, balance: {balance}, {BOUNDLESS}");
        played(&station(14.4, &tier), plan(9, 1, 500.0, 6_000.0))[0].waits[0].mean()
    };
    let (one, two, best) = (wait("random"), wait("power-of-two"), wait("least-connections"));
    // By one choice 9 s; Mitzenmacher's fixed point for two choices at 0.9 is 1.6 s.
    assert!((7.0..12.0).contains(&one) && (1.2..2.2).contains(&two) && best < two, "{one} {two} {best}");
}

#[test]
fn closed_forms_of_closed_networks_bound_a_pool_of_connections() {
    // 20 connections to two stations in a row, always all in use: a closed network without thinking.
    let scenario = read(
        "name: closed\npopulation: {users: 1}\nactions: {ask: {rate: 60/s, path: [front, a, b]}}\ntiers:\n  \
         front: {servers: 1, concurrency: 20, service_time: 1 us, blocking: true, queue_max: 10}\n  \
         a: {servers: 1, service_time: {exponential: 50 ms}, queue_max: 10000000}\n  \
         b: {servers: 1, service_time: {exponential: 30 ms}, queue_max: 10000000}\n",
    );
    let counted = played(&scenario, plan(1, 8, 50.0, 400.0));
    let want = closed(&[Centre::Queue { demand: 0.05 }, Centre::Queue { demand: 0.03 }], 0.0, 20);
    let through = over(&counted, |c| c.waits[2].count() as f64 / 400.0);
    agrees("throughput", through, want.throughput, 0.02);
}

#[test]
fn a_batch_serves_many_in_the_time_of_one() {
    let tier = "servers: 1, service_time: 1 s, batch: {size: 10, wait: 100 ms}, queue_max: 100000";
    let counted = &played(&station(8.0, tier), plan(1, 1, 50.0, 2_000.0))[0];
    // Eight a second by one slot of a second: alone it would drown.
    assert!(counted.sojourns[0].mean() < 3.0, "{}", counted.sojourns[0].mean());
    let busy: f64 = counted.stations[0][0].iter().map(|s| s.utilisation).sum::<f64>() / 40.0;
    assert!((0.8..=1.01).contains(&busy), "{busy}");
}
