//! How fast the calendar plays ordinary scenarios, in one run beside the least that a calendar can do:
//! `cargo bench -p plimsoll-sim --bench calendar`. Other software is measured in `sim/peers`.
//!
//! Why through a scenario: what counts is the speed of `simulate`, with its requests, counts and histograms.
//! Contestants take turns and the best turn of each counts.

mod contestants;
mod stopwatch;

use contestants::{by_hand, mmc, ours, read};

fn main() {
    println!("{:<38} {:>9} {:>9} {:>14}", "", "M/s", "ns each", "of by hand");
    for slots in [1_u32, 16] {
        let ([forward, calendar], rate) = mmc(slots);
        let hand = stopwatch::best(|| by_hand(slots, rate));
        let calendar = stopwatch::best(|| ours(&calendar, rate));
        let forward = stopwatch::best(|| ours(&forward, rate));
        report(&format!("M/M/{slots}, a heap written by hand"), hand, hand);
        report(&format!("M/M/{slots}, calendar"), calendar, hand);
        report(&format!("M/M/{slots}, recursion"), forward, hand);
    }
    for balance in ["random", "least-connections"] {
        let tier =
            format!("servers: 4, concurrency: 4, service_time: {{exponential: 1 s}}, balance: {balance}");
        let chain = read(12.8, "[a, b, server]", &format!("{tier}}}, a: {{{tier}}}, b: {{{tier}"), "");
        let calls = stopwatch::best(|| {
            let (time, requests) = ours(&chain, 12.8);
            (time, 3.0 * requests)
        });
        report(&format!("three tiers, {balance}, a call"), calls, f64::NAN);
    }
    let tier = "servers: 4, concurrency: 4, service_time: {exponential: 1 s}, balance: least-connections";
    let retries =
        read(12.8, "[{call: server, timeout: 3 s, retries: {attempts: 3, backoff: 1 s}}]", tier, "");
    report("timeouts and retries", stopwatch::best(|| ours(&retries, 12.8)), f64::NAN);
}

fn report(name: &str, each_s: f64, hand_s: f64) {
    println!("{name:<38} {:>9.1} {:>9.1} {}", 1e-6 / each_s, each_s * 1e9, {
        if hand_s.is_nan() { String::new() } else { format!("{:>14.2}", hand_s / each_s) }
    });
}
