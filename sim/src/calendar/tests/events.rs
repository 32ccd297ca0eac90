use std::sync::atomic::AtomicBool;

use super::{over, plan, play, played, read};
use crate::calendar::slice::slice;
use crate::outcome::Counted;

/// A hundred requests a second for ten minutes; slots of 15 s.
fn with(tier: &str, event: &str) -> Counted {
    let scenario = read(&format!(
        "name: eventful\npopulation: {{users: 1000, regions: [{{name: a, share: 60 %}}, {{name: b, share: 40 %}}]}}\n\
         datasets: {{song: {{count: 100, size: 1 KB}}}}\nactions: {{play: {{rate: 100/s, of: song, response: 125 KB, path: \
         [web, store]}}}}\ntiers:\n  web: {{per: region, {tier}}}\n  store: {{servers: 20, concurrency: 10, service_time: 5 \
         ms}}\nevents: [{event}]\n"
    ));
    played(&scenario, plan(1, 1, 0.0, 600.0)).remove(0)
}

const WEB: &str = "servers: 10, concurrency: 4, service_time: 20 ms";

fn requests(counted: &Counted, region: usize, slot: usize) -> f64 {
    counted.requests[0][region][slot]
}

fn near(got: f64, want: f64, within: f64) {
    assert!((got / want - 1.0).abs() < within, "{got} for {want}");
}

#[test]
fn a_crowd_comes_on_top_where_and_while_it_lasts() {
    let calm = with(WEB, "");
    let crowd = with(WEB, "{at: 0:02, flash_crowd: {factor: 3, region: a}, for: 2 min}");
    for slot in 0..40 {
        let factor = if (8..16).contains(&slot) { 3.0 } else { 1.0 };
        near(requests(&crowd, 0, slot), factor * 900.0, 0.2);
        assert_eq!(requests(&crowd, 1, slot), requests(&calm, 1, slot));
        if factor == 1.0 {
            assert_eq!(requests(&crowd, 0, slot), requests(&calm, 0, slot), "others are the same requests");
        }
    }
}

#[test]
fn a_lost_region_is_served_by_the_others() {
    let lost = with(WEB, "{at: 0:02, region_down: a, for: 2 min}");
    for slot in 8..16 {
        assert_eq!(requests(&lost, 0, slot), 0.0);
        near(requests(&lost, 1, slot), 1500.0, 0.15);
    }
    near(requests(&lost, 0, 20), 900.0, 0.2);
}

#[test]
fn servers_that_are_down_fail_requests_until_it_is_noticed() {
    let event = "{at: 0:02, servers_down: {tier: web, servers: 5, noticed_after: 30 s}, for: 2 min}";
    let down = with(WEB, event);
    for slot in 0..40 {
        let failed = down.failed[0][0][slot];
        match slot {
            8 | 9 => assert!((0.35..0.65).contains(&failed), "{slot}: {failed}"),
            _ => assert!(failed < 0.01, "{slot}: {failed}"),
        }
    }
    let busy = |slot: usize| down.stations[0][0][slot].utilisation;
    near(busy(12), busy(20), 0.2);
}

#[test]
fn slow_service_and_thin_links_show_in_the_latencies() {
    let p50 = |counted: &Counted, slot: usize| counted.first_byte_slots[0][slot].quantile(0.5).unwrap();
    let slow = with(WEB, "{at: 0:02, slow: {tier: web, factor: 5}, for: 2 min}");
    near(p50(&slow, 4), 0.025, 0.05);
    near(p50(&slow, 12), 0.105, 0.05);
    near(p50(&slow, 20), 0.025, 0.05);
    // A megabit a response, thirty a second and link at the least: a fiftieth of a gigabit is less than that. First bytes
    // are there as before; bodies share what is left of the link.
    let link = "servers: 2, concurrency: 40, service_time: 20 ms, link: 1 Gbit/s";
    let cut = with(link, "{at: 0:02, cut: {tier: web, to: 2 %}, for: 1 min}");
    assert!(p50(&cut, 4) < 0.03 && p50(&cut, 11) < 0.03, "{} {}", p50(&cut, 4), p50(&cut, 11));
    let body_s = |slot: usize| {
        let sums = cut.beside.at(0, 0, slot);
        sums.body_s / sums.bodies
    };
    assert!(body_s(4) < 0.002 && body_s(11) > 1.0, "{} {}", body_s(4), body_s(11));
}

#[test]
fn a_flushed_cache_misses_and_a_release_is_asked_for() {
    let cached = "cache: {capacity: 200 KB}";
    let flushed = with(cached, "{at: 0:02, flush: web}");
    let misses = |counted: &Counted, slot: usize| counted.calls[0][0][slot] - counted.hits[0][0][slot];
    assert!(misses(&flushed, 0) > 50.0 && misses(&flushed, 8) > 50.0);
    assert_eq!(misses(&flushed, 5) + misses(&flushed, 30), 0.0);
    let release = with(cached, "{at: 0:02, hot_release: {of: song, share: 50 %}, for: 1 min}");
    assert!((1.0..=2.0).contains(&misses(&release, 8)), "one object more: {}", misses(&release, 8));
}

#[test]
fn a_deploy_goes_through_all_servers_and_loses_nothing() {
    let deploy = with(WEB, "{at: 0:02, deploy: {tier: web, at_a_time: 20 %}, for: 5 min}");
    assert!(deploy.failed[0].iter().flatten().all(|share| *share == 0.0));
}

#[test]
fn servers_come_after_a_while_where_the_load_grows() {
    let scaled = "servers: 4, concurrency: 1, service_time: 20 ms, queue_max: 100000, balance: least-connections, \
                  autoscale: {max: 20, target: 60 %, delay: 60 s}";
    let crowd = "{at: 0:02, flash_crowd: {factor: 3}, for: 6 min}";
    let grown = with(scaled, crowd);
    let fixed = with("servers: 4, concurrency: 1, service_time: 20 ms, queue_max: 100000", crowd);
    let wait = |counted: &Counted, slot: usize| counted.stations[0][0][slot].wait_mean_s;
    assert!(wait(&grown, 10) > 1.0, "before they come: {}", wait(&grown, 10));
    assert!(wait(&grown, 30) < 0.1, "after: {}", wait(&grown, 30));
    assert!(wait(&fixed, 30) > 10.0, "{}", wait(&fixed, 30));
}

#[test]
fn open_connections_send_heartbeats() {
    let scenario = read(
        "name: open\npopulation: {users: 1}\nactions: {listen: {rate: 1/s, path: [chat], connection: {lasts: 100 s, heartbeat: \
         {every: 10 s}}}}\ntiers: {chat: {servers: 1, concurrency: 100, service_time: 1 ms}}\n",
    );
    let counted = &played(&scenario, plan(1, 1, 300.0, 1_000.0))[0];
    let calls = |node: usize| counted.calls[node].iter().flatten().sum::<f64>();
    // Ten intervals, the last of which ends with the connection: nine heartbeats.
    near(calls(1), 9.0 * calls(0), 0.1);
}

#[test]
fn connections_that_were_open_before_have_heartbeats_from_the_start() {
    let scenario = read(
        "name: open\npopulation: {users: 1}\nactions: {listen: {rate: 5/s, path: [chat], connection: {lasts: 95 s, heartbeat: \
         {every: 10 s}}}}\ntiers: {chat: {servers: 1, concurrency: 100, service_time: 1 ms}}\n",
    );
    let beats = |standing: bool, duration_s: f64| {
        let mut whole = slice(&scenario, 1.0);
        whole.standing = standing;
        let plan = plan(3, 20, 0.0, duration_s);
        let (outcome, _) =
            play(&whole.scenario, plan, Some(&whole), &|_| {}, &AtomicBool::new(false)).unwrap();
        let calls = |counted: &Counted| counted.calls[1].iter().flatten().sum::<f64>();
        over(&outcome.counted, calls)
    };
    // Nine heartbeats of each of five a second, whether or not a run is as long as an interval.
    for duration_s in [4.0, 15.0, 60.0] {
        let (said, now) = (45.0 * duration_s, beats(true, duration_s));
        assert!((now.value / said - 1.0).abs() < 0.06, "{duration_s}: {now:?} {said}");
        assert!(beats(false, duration_s).value < 0.5 * said);
    }
}
