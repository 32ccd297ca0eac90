use super::{agrees, over, plan, played, read};
use crate::analytic::queues::{Service, erlang_b, mdc_wait, mg1_wait};
use crate::outcome::{BesideSums, Counted};

/// A sum over the slots of the only tier.
fn sum(counted: &Counted, of: impl Fn(BesideSums) -> f64) -> f64 {
    (0..40).map(|slot| of(counted.beside.at(0, 0, slot))).sum()
}

fn failed(counted: &Counted) -> f64 {
    let parts = counted.failed[0].iter().flatten().zip(counted.requests[0].iter().flatten());
    parts.map(|(share, requests)| share * requests).sum()
}

#[test]
fn operations_wait_for_disks_one_after_the_other() {
    let disks = |action: &str, store: &str| {
        let scenario = read(&format!(
            "name: disks\npopulation: {{users: 1}}\nactions: {{{action}}}\ntiers: {{db: {{servers: 1, concurrency: 64, \
             service_time: 1 us, store: {{{store}}}}}}}\n"
        ));
        played(&scenario, plan(1, 12, 100.0, 2_000.0))
    };
    let wait = |counted: &[Counted]| over(counted, |c| sum(c, |x| x.disk_wait_s) / sum(c, |x| x.disk_calls));
    let counted = disks("ask: {rate: 80/s, response: 4 KB, path: [db]}", "iops: 100/s");
    let want = mdc_wait(1, 80.0, 0.01);
    agrees("M/D/1", wait(&counted), want, 0.05);
    // The wait is a part of the answer's time, and the operation itself of the service.
    agrees("latency", over(&counted, |c| c.first_byte[0].mean()), want + 1e-6, 0.05);
    // One operation of ten reads, five of every write: 90 of 100 a second.
    let counted = disks(
        "ask: {rate: 40/s, response: 4 KB, path: [db]}, put: {rate: 10/s, write: true, request: 20 KB, path: [db]}",
        "iops: 100/s, io_size: 4 KB",
    );
    let service = Service { mean: 0.018, second: (0.8 + 0.2 * 25.0) * 1e-4, third: 0.0 };
    agrees("M/G/1", wait(&counted), mg1_wait(50.0, &service), 0.1);
}

#[test]
fn what_finds_too_many_operations_is_turned_away_and_all_others_are_served() {
    let scenario = read(
        "name: full\npopulation: {users: 1}\nactions: {ask: {rate: 200/s, response: 4 KB, path: [db]}}\ntiers: {db: \
         {servers: 1, concurrency: 64, service_time: 1 us, store: {iops: 100/s}}}\n",
    );
    let counted = &played(&scenario, plan(1, 1, 200.0, 400.0))[0];
    let (calls, refused) = (sum(counted, |x| x.disk_calls), sum(counted, |x| x.disk_refused));
    assert!((refused / (calls + refused) - 0.5).abs() < 0.02, "{refused} of {calls}");
    assert!((failed(counted) - refused).abs() < 1.0, "{} {refused}", failed(counted));
    // As many wait as may: 4,096 at a hundred a second.
    assert!((counted.beside.disk_waits[&0].mean() - 40.96).abs() < 0.5);
}

#[test]
fn a_copy_uses_the_disks_of_its_own_server() {
    let scenario = read(
        "name: copies\npopulation: {users: 1}\nactions: {put: {rate: 50/s, write: true, request: 4 KB, path: [db]}}\ntiers: \
         {db: {servers: 3, concurrency: 64, service_time: 1 us, store: {iops: 100/s}, replication: {copies: 3, \
         write_quorum: 3}}}\n",
    );
    let counted = &played(&scenario, plan(1, 1, 100.0, 2_000.0))[0];
    // Every write is an operation of each of the three, all at the same time: M/D/1 at half, whoever is first.
    let wait = sum(counted, |x| x.disk_wait_s) / sum(counted, |x| x.disk_calls);
    assert!((wait / mdc_wait(1, 50.0, 0.01) - 1.0).abs() < 0.05, "{wait}");
    assert!((sum(counted, |x| x.disk_calls) / 300_000.0 - 1.0).abs() < 0.02);
}

#[test]
fn connections_beyond_the_limit_are_refused_as_erlang_says() {
    for (servers, each) in [(1, 20), (4, 5)] {
        let scenario = read(&format!(
            "name: held\npopulation: {{users: 1}}\nactions: {{listen: {{rate: 0.2/s, path: [chat], connection: {{lasts: 100 \
             s}}}}}}\ntiers: {{chat: {{servers: {servers}, service_time: 1 us, connections_max: {each}}}}}\n"
        ));
        let counted = played(&scenario, plan(1, 12, 500.0, 40_000.0));
        let refused = over(&counted, |c| sum(c, |x| x.opens_refused) / sum(c, |x| x.opens));
        // Twenty want to be open, whatever the law of how long they last.
        let want = erlang_b(20, 20.0);
        agrees("Erlang B", refused, want, 0.06);
        // Poisson arrivals see time averages: those that are open are those let in times how long they last.
        let used = over(&counted, |c| sum(c, |x| x.opens_used) / sum(c, |x| x.opens));
        agrees("open", used, 1.0 - want, 0.02);
        assert!(counted.iter().all(|c| (failed(c) - sum(c, |x| x.opens_refused)).abs() < 1e-6));
    }
}

#[test]
fn connections_that_were_open_before_take_their_room_from_the_start() {
    let scenario = read(
        "name: held\npopulation: {users: 1}\nactions: {listen: {rate: 0.2/s, path: [chat], connection: {lasts: 1000 \
         s}}}\ntiers: {chat: {servers: 1, service_time: 1 us, connections_max: 1000}}\n",
    );
    let used = |standing: bool| {
        let mut whole = crate::calendar::slice::slice(&scenario, 1.0);
        whole.standing = standing;
        let stop = std::sync::atomic::AtomicBool::new(false);
        let (outcome, _) =
            crate::calendar::play(&whole.scenario, plan(3, 20, 0.0, 100.0), Some(&whole), &|_| {}, &stop)
                .unwrap();
        over(&outcome.counted, |c| sum(c, |x| x.opens_used) / sum(c, |x| x.opens)).value
    };
    assert!((used(true) / 0.2 - 1.0).abs() < 0.1 && used(false) < 0.02, "{} {}", used(true), used(false));
}
