//! What a request costs the generator, and how late it is. Not a check but a measurement:
//! `cargo test --release -p plimsoll-loadgen --test cost -- --ignored --nocapture`

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;

use common::{Behaviour, Server, scenario};
use plimsoll_loadgen::{LoadOptions, load};

/// CPU seconds of this process's threads by name (Linux; elsewhere nothing).
fn cpu_s_by_thread() -> BTreeMap<String, f64> {
    let mut by_name = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else { continue };
        let fields: Vec<&str> = stat[close + 2..].split(' ').collect();
        // utime and stime, fields 14 and 15 of proc(5), in ticks of 10 ms.
        let ticks: f64 = fields[11..13].iter().map(|f| f.parse::<f64>().unwrap()).sum();
        *by_name.entry(stat[open + 1..close].to_owned()).or_insert(0.0) += ticks / 100.0;
    }
    by_name
}

#[test]
#[ignore = "a measurement, for people to read"]
fn lag_and_cpu_per_request() {
    for rate in [200, 1_000, 3_000, 6_000] {
        let server = Server::start(Behaviour::Answer);
        let cpu = Mutex::new(BTreeMap::new());
        let run = load(&scenario(rate, false), &server.targets(), &LoadOptions::new(1, 1.0, 9.0), &|_| {
            cpu.lock().unwrap().extend(cpu_s_by_thread());
        })
        .unwrap();
        let cpu = cpu.into_inner().unwrap();
        let us = |name: &str| cpu.get(name).map_or(0.0, |s| s * 1e6 / (run.sent as f64 * 10.0 / 9.0));
        let ms = |p: f64| run.lag.at(p).unwrap() * 1e3;
        let latency = &run.actions[0].complete;
        println!(
            "{rate}/s: sent {} missed {} failed {}; lag p50 {:.3} p99 {:.3} p99.9 {:.3} max {:.1} ms; \
             latency p50 {:.3} p99 {:.3} ms; CPU a request: users {:.0} us, pacer {:.0} us, goose {:.0} us, server {:.0} us",
            run.sent,
            run.missed,
            run.failed,
            ms(0.5),
            ms(0.99),
            ms(0.999),
            run.lag.max_s * 1e3,
            latency.at(0.5).unwrap() * 1e3,
            latency.at(0.99).unwrap() * 1e3,
            us("plimsoll-user"),
            us("plimsoll-pace"),
            us("plimsoll-load"),
            us("test-server")
        );
    }
}
