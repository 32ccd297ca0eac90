//! Caches in memory and on disk: every engine against the formulas, which know neither of them, and disks that bind.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::{LevelsRun, Run, TierRun};
use plimsoll_scenarios::{Scenario, SourceFile};
use plimsoll_sim::{Mode, Options, simulate, simulate_exact};

fn read(text: &str) -> Scenario {
    Scenario::from_yaml(&SourceFile::new("levels.yaml", text)).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Two caches one behind the other in two regions of a flat day, whose rates the formulas know to the second.
fn scenario(edge: &str) -> Scenario {
    read(&format!(
        "name: levels\npopulation:\n  users: 40 K\n  regions:\n    - {{name: east, share: 50 %, sites: 2}}\n    \
         - {{name: west, share: 50 %, sites: 2}}\n\
         datasets: {{photo: {{count: 20 K, size: 100 KB, popularity: {{zipf: 0.8}}}}}}\n\
         actions:\n  view: {{per_user: 80/day, of: photo, path: [edge, shield, store]}}\n  \
         change: {{per_user: 8/day, of: photo, write: true, path: [edge, shield, store]}}\n\
         tiers:\n  edge: {{per: site, cache: {{{edge}}}, servers: 8, concurrency: 8, service_time: 1 ms, \
         store: {{iops: 200/s}}}}\n  \
         shield: {{per: region, cache: {{capacity: 400 MB}}, servers: 8, concurrency: 8, service_time: 1 ms}}\n  \
         store: {{servers: 8, concurrency: 8, service_time: 5 ms}}\n"
    ))
}

fn options(mode: Mode, replications: u64) -> Options {
    Options { seed: 3, threads: 2, replications, precision: None, mode }
}

fn day(scenario: &Scenario) -> Run {
    simulate(scenario, &options(Mode::Day, 2), &|_| {}, &AtomicBool::new(false)).unwrap()
}

fn exact(scenario: &Scenario) -> Run {
    simulate_exact(scenario, &options(Mode::Day, 1), &|_| {}, &AtomicBool::new(false)).unwrap().unwrap()
}

fn calendar(scenario: &Scenario) -> Run {
    let window = Mode::Every { warmup_s: 40_000.0, duration_s: 30_000.0 };
    simulate(scenario, &options(window, 1), &|_| {}, &AtomicBool::new(false)).unwrap()
}

fn tier<'r>(run: &'r Run, name: &str) -> &'r TierRun {
    run.tiers.iter().find(|t| t.name == name).unwrap()
}

fn levels(run: &Run) -> &LevelsRun {
    tier(run, "edge").cache.as_ref().unwrap().levels.as_ref().unwrap()
}

/// A policy, rules, and memory of a cache of 200 MB.
const CACHES: [&str; 7] = [
    "capacity: 200 MB, memory: 20 MB",
    "capacity: 200 MB, memory: 80 MB",
    "capacity: 200 MB, memory: 20 MB, policy: fifo",
    "capacity: 200 MB, memory: 20 MB, ttl: 10 min",
    "capacity: 200 MB, memory: 20 MB, admit: {on: 2}",
    "capacity: 200 MB, memory: 20 MB, on_write: invalidate",
    "capacity: 50 MB, memory: 5 MB, per_server: true",
];

fn check(room: f64, play: impl Fn(&Scenario) -> Run) {
    let mut seen = Vec::new();
    for cache in CACHES {
        let run = play(&scenario(cache));
        let (found, of_all) = (levels(&run), tier(&run, "edge").cache.as_ref().unwrap());
        let want = found.formula_memory_hit_ratio.unwrap();
        let got = found.memory_hit_ratio.value;
        assert!((got - want).abs() < room, "{cache}: {got} in memory, {want} by the formula");
        let hits = got + found.disk_hit_ratio.value;
        assert!((hits - of_all.hit_ratio.value).abs() < 1e-9, "{cache}: {hits} of both, {of_all:?}");
        let che = of_all.che_hit_ratio.unwrap();
        assert!((hits - che).abs() < room, "{cache}: {hits} hits, {che} by the formula");
        seen.push(got);
    }
    // They differ by more than the room, so that none can pass for another.
    assert!(seen[0] + 0.1 < seen[1] && seen[0] + 0.04 < seen[4] && seen[2] + 0.02 < seen[0], "{seen:?}");
}

#[test]
fn a_sampled_day_agrees_with_the_formulas() {
    check(0.012, day);
}

#[test]
fn an_exact_day_agrees_with_the_formulas() {
    check(0.012, exact);
}

#[test]
fn the_event_calendar_agrees_with_the_formulas() {
    check(0.015, calendar);
}

/// Pages of 4 KB that all fit on disk, with as much in memory, at one server's worth of load a server.
fn pages(memory: &str, more: &str) -> Scenario {
    read(&format!(
        "name: pages\npopulation: {{users: 1 K}}\n\
         datasets: {{page: {{count: 2 K, size: 4 KB, popularity: {{zipf: 0.8}}}}}}\n\
         actions: {{ask: {{rate: 200/s, of: page, path: [edge, origin]}}}}\n\
         tiers:\n  edge: {{servers: 4, concurrency: 64, service_time: 1 us, cache: {{capacity: 8 MB, memory: {memory}}}, \
         store: {{iops: 50/s{more}}}}}\n  origin: {{servers: 4, concurrency: 8, service_time: 1 ms}}\n"
    ))
}

#[test]
fn a_day_and_the_calendar_have_the_same_disks() {
    for more in ["", ", io_size: 2 KB"] {
        let scenario = pages(if more.is_empty() { "800 KB" } else { "3 MB" }, more);
        let (day, calendar) = (day(&scenario), calendar(&scenario));
        let disks = |run: &Run| tier(run, "edge").disks.clone().unwrap();
        let (a, b) = (disks(&day), disks(&calendar));
        assert!((0.4..0.9).contains(&a.utilisation_peak), "{a:?}");
        assert!((a.utilisation_peak / b.utilisation_peak - 1.0).abs() < 0.05, "{a:?} {b:?}");
        let (simulated, formula) = (b.wait_mean_peak_s.unwrap().value, b.formula_wait_peak_s.unwrap());
        assert!((simulated / formula - 1.0).abs() < 0.15, "{simulated} simulated, {formula} by M/G/1");
        let mean = |run: &Run| run.actions[0].first_byte.mean_s;
        assert!((mean(&day) / mean(&calendar) - 1.0).abs() < 0.06, "{} {}", mean(&day), mean(&calendar));
        let estimated = plimsoll_sim::estimate::value_of(
            &scenario,
            &plimsoll_scenarios::prices::PriceList::bundled(),
            "ask.latency",
        );
        assert!(
            (mean(&calendar) / estimated.unwrap() - 1.0).abs() < 0.1,
            "{} {estimated:?}",
            mean(&calendar)
        );
        let binds = day.bottleneck.as_ref().unwrap();
        assert_eq!((binds.tier.as_str(), binds.resource.as_str()), ("edge", "disks"));
    }
}

#[test]
fn more_memory_never_reads_more_from_disk() {
    let prices = plimsoll_scenarios::prices::PriceList::bundled();
    for policy in ["lru", "fifo"] {
        let mut before = (f64::INFINITY, f64::INFINITY);
        for memory in ["40 KB", "400 KB", "1 MB", "4 MB", "8 MB"] {
            let scenario = pages(&format!("{memory}, policy: {policy}"), "");
            let value = |id: &str| plimsoll_sim::estimate::value_of(&scenario, &prices, id).unwrap();
            let (formula, played) =
                (value("edge.disk_reads_peak"), levels(&exact(&scenario)).reads_peak_per_s);
            assert!(
                formula <= before.0 && played <= before.1 * 1.02,
                "{policy}, {memory}: {formula} {played} {before:?}"
            );
            // The fullest of 96 slots of a flat day is a little more than the mean.
            assert!(
                (played - formula).abs() < 4.0,
                "{policy}, {memory}: {played} played, {formula} by the formula"
            );
            before = (formula, played);
        }
        assert_eq!(before.0, 0.0, "all is in memory");
    }
}

#[test]
fn memory_may_be_a_target_and_devices_are_by_formula() {
    let judged = |target: &str, text: &str| {
        let text = text.replace("actions:", &format!("slos: [{target}]\nactions:"));
        let scenario = read(&text);
        let options = plimsoll_sim::estimate::Options {
            seed: 1,
            worlds: 0,
            prices: &plimsoll_scenarios::prices::PriceList::bundled(),
            threads: 1,
        };
        let estimate = plimsoll_sim::estimate::estimate(&scenario, &options);
        (estimate.slos[0].value, day(&scenario).slos.first().map(|slo| slo.value))
    };
    let text = "name: phone\npopulation: {users: 1 K}\n\
         datasets: {page: {count: 2 K, size: 4 KB, popularity: {zipf: 0.8}}}\n\
         actions: {ask: {per_user: 500/day, of: page, repeat: 20 %, path: [phone, edge, origin]}}\n\
         tiers:\n  phone: {per: user, cache: {capacity: 1 MB, memory: 100 KB}}\n  \
         edge: {servers: 4, concurrency: 64, service_time: 1 us, cache: {capacity: 4 MB, memory: 1 MB}}\n  \
         origin: {servers: 4, concurrency: 8, service_time: 1 ms}\n";
    let (estimated, simulated) = judged("edge.memory_hit_ratio > 10 %", text);
    assert!((estimated - simulated.unwrap()).abs() < 0.03, "{estimated} {simulated:?}");
    let (estimated, simulated) = judged("phone.memory_hit_ratio > 10 %", text);
    // Repeats, and what was among the latest 25 of a user's 2,000.
    assert!((0.25..0.45).contains(&estimated) && simulated.is_none(), "{estimated} {simulated:?}");
}
