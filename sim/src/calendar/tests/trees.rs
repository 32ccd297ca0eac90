use super::{agrees, over, plan, played, read};
use crate::analytic::order;

/// A caller without a queue, and shards of one slot for every request, so that nothing waits.
fn fanned(call: &str, shard: &str) -> plimsoll_scenarios::Scenario {
    read(&format!(
        "name: fan\npopulation: {{users: 1}}\nactions: {{ask: {{rate: 20/s, path: [front, {call}]}}}}\ntiers:\n  \
         front: {{}}\n  shard: {{servers: 1, concurrency: 100000, service_time: {shard}}}\n  other: {{servers: 1, \
         concurrency: 100000, service_time: 3 s}}\n"
    ))
}

fn latency(call: &str, shard: &str) -> plimsoll_reports::record::Interval {
    over(&played(&fanned(call, shard), plan(1, 8, 20.0, 400.0)), |c| c.first_byte[0].mean())
}

#[test]
fn who_asks_many_waits_for_the_slowest_it_needs() {
    let law = "{exponential: 1 s}";
    agrees(
        "all of 100",
        latency("{call: shard, fan_out: 100}", law),
        order::max_exponential_mean(100, 1.0),
        0.01,
    );
    agrees(
        "90 of 100",
        latency("{call: shard, fan_out: 100, wait_for: 90}", law),
        order::kth_exponential_mean(100, 90, 1.0),
        0.01,
    );
    agrees("the first of 4", latency("{call: shard, fan_out: 4, wait_for: first}", law), 0.25, 0.02);
    agrees("three in a row", latency("{call: shard, times: 3}", law), 3.0, 0.02);
    agrees("one in three", latency("{call: shard, share: 1/3}", law), 1.0 / 3.0, 0.04);
}

#[test]
fn groups_take_the_sum_the_longest_or_nothing() {
    let exactly = |call: &str, want: f64| {
        let got = latency(call, "1 s").value;
        assert!((got - want).abs() < 1e-9, "{call}: {got}");
    };
    exactly("{sequence: [shard, other, shard]}", 5.0);
    exactly("{parallel: [shard, other, [shard]]}", 3.0);
    exactly("{parallel: [{sequence: [shard, shard]}, other], wait_for: first}", 2.0);
    exactly("{async: other}", 0.0);
    exactly("{parallel: [{async: other}, {call: shard, times: 2}]}", 2.0);
    exactly(
        "{sequence: [{call: shard, times: 2, fan_out: 3}, {parallel: [{sequence: [shard, {parallel: [other, shard]}]}]}]}",
        6.0,
    );
}

#[test]
fn calls_are_counted_where_the_flow_list_has_them() {
    let scenario = fanned("{parallel: [{call: shard, fan_out: 5}, {call: other, share: 50 %}]}", "10 ms");
    let counted = &played(&scenario, plan(1, 1, 0.0, 500.0))[0];
    let sum = |grid: &crate::outcome::Grid| grid.iter().flatten().sum::<f64>();
    let requests = sum(&counted.requests[0]);
    assert!((requests / 10_000.0 - 1.0).abs() < 0.05, "{requests}");
    assert_eq!(sum(&counted.calls[0]), requests);
    assert_eq!(sum(&counted.calls[1]), 5.0 * requests);
    assert!((sum(&counted.calls[2]) / requests - 0.5).abs() < 0.02);
}

#[test]
fn a_write_is_work_for_all_copies_and_waits_for_its_quorum() {
    let scenario = |write: &str, quorum: u32| {
        read(&format!(
            "name: copies\npopulation: {{users: 1}}\ndatasets: {{row: {{count: 1000, size: 1 KB}}}}\nactions: {{put: \
             {{rate: 20/s, of: row, write: {write}, path: [db]}}}}\ntiers: {{db: {{servers: 6, concurrency: 10000, \
             service_time: {{exponential: 1 s}}, replication: {{copies: 3, write_quorum: {quorum}, read_quorum: 2}}}}}}\n"
        ))
    };
    for (write, quorum, needed, copies) in [("true", 2, 2, 3), ("true", 3, 3, 3), ("false", 2, 2, 2)] {
        let counted = played(&scenario(write, quorum), plan(1, 8, 20.0, 300.0));
        let want = order::kth_exponential_mean(copies, needed, 1.0);
        agrees("quorum", over(&counted, |c| c.first_byte[0].mean()), want, 0.02);
        let busy =
            over(&counted, |c| c.stations[0][0].iter().map(|s| s.utilisation).sum::<f64>() / 40.0 * 60_000.0);
        agrees("work", busy, 20.0 * copies as f64, 0.03);
    }
}

#[test]
fn what_a_queue_takes_in_is_not_turned_away_behind_it() {
    let scenario = read(
        "name: queued\npopulation: {users: 1}\nactions: {put: {rate: 2/s, path: [jobs, worker]}}\ntiers:\n  jobs: {queue: \
         {}, servers: 1, concurrency: 8, service_time: 1 ms}\n  worker: {servers: 1, service_time: {exponential: 450 \
         ms}, queue_max: 0}\n",
    );
    let counted = &played(&scenario, plan(1, 1, 200.0, 4_000.0))[0];
    assert!(counted.first_byte[0].mean() < 0.002, "the sender goes on");
    assert!(counted.failed[0].iter().flatten().all(|share| *share == 0.0));
    let wait = counted.waits[1].mean();
    assert!((wait / (0.9 / 0.1 * 0.45) - 1.0).abs() < 0.4, "messages wait: {wait}");
}

#[test]
fn a_thread_that_waits_downstream_keeps_its_slot() {
    let scenario = |blocking: bool| {
        read(&format!(
            "name: threads\npopulation: {{users: 1}}\nactions: {{ask: {{rate: 8/s, path: [web, db]}}}}\ntiers:\n  web: \
             {{servers: 1, concurrency: 10, service_time: 10 ms, blocking: {blocking}}}\n  db: {{servers: 1, concurrency: \
             1000, service_time: 1 s}}\n"
        ))
    };
    let busy = |blocking| {
        let counted = &played(&scenario(blocking), plan(1, 1, 20.0, 800.0))[0];
        counted.stations[0][0].iter().map(|s| s.utilisation).sum::<f64>() / 40.0
    };
    assert!((busy(false) / 0.008 - 1.0).abs() < 0.1, "{}", busy(false));
    assert!((busy(true) / 0.808 - 1.0).abs() < 0.1, "{}", busy(true));
}

#[test]
fn one_writer_at_a_time_works_on_an_object() {
    let scenario = |single: bool| {
        read(&format!(
            "name: writer\npopulation: {{users: 1}}\ndatasets: {{doc: {{count: 1, size: 1 KB}}}}\nactions: {{edit: {{rate: \
             0.8/s, of: doc, write: true, path: [server]}}}}\ntiers: {{server: {{servers: 1, concurrency: 50, service_time: \
             {{exponential: 1 s}}, single_writer: {single}, queue_max: 100000}}}}\n"
        ))
    };
    let wait =
        |single| over(&played(&scenario(single), plan(1, 10, 2_000.0, 60_000.0)), |c| c.waits[0].mean());
    // All edits are of one document: fifty slots are one.
    agrees("one document", wait(true), 4.0, 0.1);
    assert!(wait(false).value < 1e-6);
}

#[test]
fn hits_go_no_further_and_misses_of_one_object_are_fetched_once() {
    let scenario = read(
        "name: cached\npopulation: {users: 1}\ndatasets: {song: {count: 10, size: 1 KB}}\nactions: {play: {rate: 100/s, of: \
         song, path: [cache, store]}}\ntiers:\n  cache: {cache: {capacity: 10 KB}}\n  store: {servers: 1, concurrency: \
         1000, service_time: 10 s}\n",
    );
    let counted = &played(&scenario, plan(1, 1, 0.0, 100.0))[0];
    let sum = |grid: &crate::outcome::Grid| grid.iter().flatten().sum::<f64>();
    assert_eq!(sum(&counted.calls[1]), 10.0, "each of ten songs is fetched once");
    assert_eq!(sum(&counted.calls[0]) - sum(&counted.hits[0]), 10.0);
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let scenario = fanned(
        "{parallel: [{call: shard, fan_out: 2.5, timeout: 500 ms, retries: {attempts: 3}}, other]}",
        "{exponential: 1 s}",
    );
    let one = played(&scenario, super::Plan { threads: 1, ..plan(7, 5, 5.0, 50.0) });
    let many = played(&scenario, super::Plan { threads: 5, ..plan(7, 5, 5.0, 50.0) });
    assert_eq!(format!("{one:?}"), format!("{many:?}"));
}
