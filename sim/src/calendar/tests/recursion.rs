//! The machine and the recursion are one semantics: from the same draws they count the same.

use std::sync::atomic::AtomicBool;

use super::{plan, read};
use crate::calendar::machine::Setup;
use crate::calendar::recursion::Line;
use crate::calendar::replicate;
use crate::histogram::Latencies;
use crate::outcome::Counted;

/// Plays a scenario both ways.
fn both(yaml: &str) -> (Counted, Counted) {
    let scenario = read(yaml);
    let setup = Setup::new(&scenario, None);
    let line = Line::of(&setup).unwrap_or_else(|| panic!("it feeds forward only:\n{yaml}"));
    let play = |line: Option<&Line>| {
        replicate(&setup, line, plan(7, 1, 300.0, 4_000.0), 1.0, 0, &AtomicBool::new(false))
            .expect("nothing stops it")
    };
    (play(None), play(Some(&line)))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn same(what: &str, machine: &Latencies, recursion: &Latencies) {
    assert_eq!(machine.count(), recursion.count(), "{what}");
    for p in [0.01, 0.5, 0.9, 0.99, 0.999, 1.0] {
        assert_eq!(machine.quantile(p), recursion.quantile(p), "{what} {p}");
    }
    assert!(near(machine.mean(), recursion.mean()), "{what}: {} {}", machine.mean(), recursion.mean());
}

fn agree(yaml: &str) {
    let (machine, recursion) = both(yaml);
    assert_eq!(machine.requests, recursion.requests);
    assert_eq!(machine.failed, recursion.failed);
    assert_eq!(machine.calls, recursion.calls);
    assert_eq!(machine.simulated_requests, recursion.simulated_requests);
    assert_eq!(machine.simulated_customers, recursion.simulated_customers);
    assert!(machine.simulated_requests > 1_000, "there is something to compare");
    for (a, b) in
        machine.stations.iter().flatten().flatten().zip(recursion.stations.iter().flatten().flatten())
    {
        assert_eq!(a.rejected_share, b.rejected_share);
        for (a, b) in [(a.utilisation, b.utilisation), (a.wait_mean_s, b.wait_mean_s), (a.queue, b.queue)] {
            assert!(near(a, b), "{a} {b}\n{yaml}");
        }
    }
    let all = |of: fn(&Counted) -> Vec<&Latencies>| of(&machine).into_iter().zip(of(&recursion)).enumerate();
    for (i, (a, b)) in all(|c| c.waits.iter().collect()) {
        same(&format!("waits {i}"), a, b);
    }
    for (i, (a, b)) in all(|c| c.sojourns.iter().collect()) {
        same(&format!("sojourns {i}"), a, b);
    }
    for (i, (a, b)) in all(|c| c.first_byte.iter().chain(&c.complete).collect()) {
        same(&format!("first byte {i}"), a, b);
    }
    for (i, (a, b)) in all(|c| c.first_byte_slots.iter().flatten().collect()) {
        same(&format!("slot {i}"), a, b);
    }
}

fn system(regions: &str, actions: &str, tiers: &str) -> String {
    format!("name: line\npopulation: {{users: 1000{regions}}}\nactions: {{{actions}}}\ntiers: {{{tiers}}}\n")
}

#[test]
fn one_station_of_any_number_of_slots_and_any_law() {
    for slots in [1_u32, 2, 5, 16] {
        for law in ["{exponential: 1 s}", "1 s", "{lognormal: {mean: 1 s, cv: 2}}"] {
            for queue_max in [0, 4, 100_000] {
                let rate = 0.95 * f64::from(slots);
                agree(&system(
                    "",
                    &format!("ask: {{rate: {rate}/s, path: [web]}}"),
                    &format!(
                        "web: {{servers: 1, concurrency: {slots}, service_time: {law}, queue_max: {queue_max}}}"
                    ),
                ));
            }
        }
    }
}

#[test]
fn one_pool_alone_with_a_way_to_go_several_servers_and_several_actions() {
    let actions = [
        "ask: {rate: 4/s, path: [web], response: 10 KB}",
        "ask: {rate: 3/s, path: [web]}, tell: {rate: 1/s, path: [web], response: 1 MB}",
    ];
    let people = ", downlink: 20 Mbit/s, diurnal: {peak_to_mean: 1.5, peak_at: 0:30}, \
                  regions: [{name: x, share: 70 %, sites: 2}, {name: y, share: 30 %}]";
    for actions in actions {
        for people in ["", people] {
            for pool in [
                "servers: 1, concurrency: 6",
                "servers: 3, concurrency: 2",
                "servers: 6, balance: round-robin",
            ] {
                for queue_max in [2, 100_000] {
                    let station = format!(
                        "web: {{{pool}, service_time: {{exponential: 1 s}}, queue_max: {queue_max}, rtt: 40 ms}}"
                    );
                    agree(&system(people, actions, &station));
                }
            }
        }
    }
}

#[test]
fn chains_that_meet_with_round_trips_and_bodies() {
    agree(&system(
        "",
        "a: {rate: 2/s, path: [front, web, db], response: 10 KB}, b: {rate: 1/s, path: [front, db]}, c: {rate: 1/s, path: [db]}",
        "front: {servers: 1, concurrency: 8, service_time: {exponential: 1 s}, rtt: 3 ms}, \
         web: {servers: 3, concurrency: 1, service_time: {gamma: {mean: 1 s, cv: 1.5}}, queue_max: 3, rtt: 100 ms}, \
         db: {servers: 2, concurrency: 3, service_time: {exponential: 1 s}, balance: round-robin, queue_max: 6}",
    ));
}

#[test]
fn places_of_their_own_and_days_with_a_peak() {
    agree(&system(
        ", downlink: 20 Mbit/s, regions: [{name: x, share: 70 %, sites: 2}, {name: y, share: 30 %, utc_offset: +5 h}], \
         diurnal: {peak_to_mean: 2, peak_at: 0:30}",
        "a: {rate: 8/s, path: [edge, web, db], response: 1 MB}",
        "edge: {per: site, servers: 6, service_time: {exponential: 200 ms}}, \
         web: {per: region, servers: 10, service_time: {exponential: 400 ms}, balance: round-robin, rtt: 10 ms}, \
         db: {servers: 1, concurrency: 4, service_time: 200 ms, rtt: 1 ms}",
    ));
}

#[test]
fn what_feeds_back_is_left_to_the_machine() {
    let asked = |path: &str, tier: &str, more: &str| {
        let actions = format!("a: {{rate: 1/s, path: {path}}}");
        let tiers = format!(
            "t: {{servers: 4, concurrency: 1, service_time: 1 s{tier}}}, u: {{servers: 1, service_time: 1 s}}"
        );
        let scenario = read(&(system("", &actions, &tiers) + more));
        Line::of(&Setup::new(&scenario, None)).is_some()
    };
    assert!(asked("[t, u]", "", ""));
    for (path, tier, more) in [
        ("[{call: t, timeout: 3 s}]", "", ""),
        ("[{call: t, share: 50 %}]", "", ""),
        ("[{call: t, times: 2}]", "", ""),
        ("[{parallel: [[t], [u]]}]", "", ""),
        ("[t]", ", discipline: ps", ""),
        ("[t]", ", blocking: true", ""),
        ("[t]", ", balance: least-connections", ""),
        ("[t]", ", batch: {size: 4, wait: 10 ms}", ""),
        ("[t]", ", link: 1 Gbit/s", ""),
        ("[t]", ", store: {iops: 100/s}", ""),
        ("[t]", ", kinds: [{share: 50 %, speed: 2}, {share: 50 %}]", ""),
        ("[t]", ", balance: weighted", ""),
        ("[t]", ", replication: {copies: 2, lag: 1 s}", ""),
        ("[t]", ", autoscale: {max: 9}", ""),
        ("[t]", "", "events: [{at: 0:02, slow: {tier: t, factor: 5}, for: 2 min}]\n"),
    ] {
        assert!(!asked(path, tier, more), "{path} {tier} {more}");
    }
}
