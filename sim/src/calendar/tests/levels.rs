//! Caches in memory and on disk: hits on disk go through the disks of their server.

use super::{agrees, over, plan, played, read};
use crate::analytic::queues::mdc_wait;
use crate::outcome::{BesideSums, Counted};

/// A sum over the slots of the first tier.
fn sum(counted: &Counted, of: impl Fn(BesideSums) -> f64) -> f64 {
    (0..40).map(|slot| of(counted.beside.at(0, 0, slot))).sum()
}

fn all(grid: &[Vec<f64>]) -> f64 {
    grid.iter().flatten().sum()
}

/// A hundred pages of 4 KB, all of them in the cache soon.
fn edge(rate: f64, cache: &str, store: &str) -> String {
    format!(
        "name: levels\npopulation: {{users: 1}}\ndatasets: {{page: {{count: 100, size: 4 KB, popularity: uniform}}}}\n\
         actions: {{ask: {{rate: {rate}/s, of: page, path: [edge, origin]}}}}\ntiers:\n  edge: {{servers: 1, concurrency: 64, \
         service_time: 1 us, cache: {{capacity: 400 KB, {cache}}}, store: {{{store}}}}}\n  origin: {{servers: 1, concurrency: \
         64, service_time: 1 ms}}\n"
    )
}

#[test]
fn hits_on_disk_wait_as_in_m_d_1_and_hits_in_memory_do_not() {
    // Memory has room for one page of a hundred: 99 of 100 requests read from disk.
    let scenario = read(&edge(80.0, "memory: 4 KB", "iops: 100/s"));
    let counted = played(&scenario, plan(1, 12, 100.0, 2_000.0));
    let want = mdc_wait(1, 79.2, 0.01);
    agrees("M/D/1", over(&counted, |c| sum(c, |x| x.disk_wait_s) / sum(c, |x| x.disk_calls)), want, 0.06);
    // The service, and of 99 in 100 the wait and the operation itself.
    let latency = 1e-6 + 0.99 * (want + 0.01);
    agrees("latency", over(&counted, |c| c.first_byte[0].mean()), latency, 0.05);
    // An object of five operations holds the disks for five.
    let scenario = read(&edge(16.0, "memory: 4 KB", "iops: 100/s, io_size: 800 B"));
    let counted = played(&scenario, plan(1, 12, 300.0, 4_000.0));
    let latency = 1e-6 + 0.99 * (mdc_wait(1, 15.84, 0.05) + 0.05);
    agrees("five operations", over(&counted, |c| c.first_byte[0].mean()), latency, 0.06);
    let scenario = read(&edge(80.0, "memory: 400 KB", "iops: 100/s"));
    let counted = &played(&scenario, plan(1, 1, 300.0, 600.0))[0];
    assert!(sum(counted, |x| x.disk_calls) == 0.0 && counted.first_byte[0].mean() < 2e-6, "all is in memory");
}

#[test]
fn what_is_fetched_is_written_and_disks_that_cannot_keep_up_keep_nothing() {
    // Every request is for a page that is stale: fetched and written, and read by nobody.
    let scenario = read(&edge(2.0, "memory: 400 KB, ttl: 0.01 s", "iops: 100/s"));
    let counted = &played(&scenario, plan(1, 1, 100.0, 2_000.0))[0];
    let (calls, kept) = (all(&counted.calls[0]), all(&counted.beside.levels.kept[0]));
    assert!((kept / calls - 1.0).abs() < 0.01, "{kept} of {calls}");
    assert!((sum(counted, |x| x.disk_calls) - kept).abs() <= 2.0);
    // Twice as many as the disks write: what would wait behind 4,096 others passes.
    let scenario = read(&edge(200.0, "memory: 400 KB, ttl: 0.01 s", "iops: 100/s"));
    let counted = &played(&scenario, plan(1, 1, 200.0, 400.0))[0];
    let (missed, kept) =
        (all(&counted.calls[0]) - all(&counted.hits[0]), all(&counted.beside.levels.kept[0]));
    assert!((kept / 40_000.0 - 1.0).abs() < 0.02 && kept < 0.7 * missed, "{kept} of {missed}");
    assert_eq!(counted.failed[0].iter().flatten().sum::<f64>(), 0.0, "nobody waits for a write");
}

#[test]
fn servers_that_start_again_have_lost_their_memory_and_not_their_disks() {
    let after = |memory: &str| {
        let scenario = read(&format!(
            "name: again\npopulation: {{users: 1}}\ndatasets: {{page: {{count: 50, size: 4 KB, popularity: uniform}}}}\n\
             actions: {{ask: {{rate: 100/s, of: page, path: [edge, origin]}}}}\ntiers:\n  edge: {{servers: 4, concurrency: 64, \
             service_time: 1 ms, cache: {{capacity: 200 KB, per_server: true{memory}}}}}\n  origin: {{servers: 1, concurrency: \
             64, service_time: 1 ms}}\nevents: [{{at: 0:05, deploy: {{tier: edge, at_a_time: 50 %}}, for: 20 s}}]\n"
        ));
        let counted = played(&scenario, plan(1, 1, 200.0, 400.0)).remove(0);
        let in_memory = counted.beside.levels.in_memory[0].iter().flatten().sum::<f64>();
        (all(&counted.calls[0]) - all(&counted.hits[0]), all(&counted.hits[0]) - in_memory)
    };
    let (missed, _) = after("");
    assert!(missed > 150.0, "each of four servers has lost fifty pages: {missed}");
    let (missed, from_disk) = after(", memory: 200 KB");
    assert!(missed == 0.0 && from_disk > 150.0, "{missed} missed, {from_disk} read again");
}
