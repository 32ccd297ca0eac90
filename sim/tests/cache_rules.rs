//! Caches with a time to live, admission and invalidation: every engine against the formulas, which know neither.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::Run;
use plimsoll_scenarios::{Scenario, SourceFile};
use plimsoll_sim::{Mode, Options, simulate, simulate_exact};

/// Two caches one behind the other in two regions of a flat day, whose rates the formulas know to the second.
fn scenario(size: &str, edge: &str, shield: &str) -> Scenario {
    let text = format!(
        "name: ruled\npopulation:\n  users: 40 K\n  regions:\n    - {{name: east, share: 50 %, sites: 2}}\n    \
         - {{name: west, share: 50 %, sites: 2}}\n\
         datasets: {{photo: {{count: 20 K, size: {size}, popularity: {{zipf: 0.8}}}}}}\n\
         actions:\n  view: {{per_user: 80/day, of: photo, path: [edge, shield, store]}}\n  \
         change: {{per_user: 8/day, of: photo, write: true, path: [edge, shield, store]}}\n\
         tiers:\n  edge: {{per: site, cache: {{capacity: 200 MB{edge}}}, servers: 8, concurrency: 8, service_time: 1 ms}}\n  \
         shield: {{per: region, cache: {{capacity: 400 MB{shield}}}, servers: 8, concurrency: 8, service_time: 1 ms}}\n  \
         store: {{servers: 8, concurrency: 8, service_time: 5 ms}}\n"
    );
    Scenario::from_yaml(&SourceFile::new("ruled.yaml", &text)).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn options(mode: Mode, replications: u64) -> Options {
    Options { seed: 3, threads: 2, replications, precision: None, mode }
}

/// Simulated hit ratio of the edge, and that of the formula.
fn edge(run: &Run) -> (f64, f64) {
    let cache = run.tiers.iter().find(|t| t.name == "edge").unwrap().cache.as_ref().unwrap();
    (cache.hit_ratio.value, cache.che_hit_ratio.unwrap())
}

const RULES: [(&str, &str); 9] = [
    ("100 KB", ", policy: lru"),
    ("100 KB", ", policy: lru, ttl: 1 min"),
    ("100 KB", ", policy: lru, ttl: 10 min"),
    ("100 KB", ", policy: fifo, ttl: 10 min"),
    ("100 KB", ", policy: lru, admit: {on: 2}"),
    ("100 KB", ", policy: lru, on_write: invalidate"),
    ("100 KB", ", policy: fifo, on_write: invalidate"),
    ("{lognormal: {mean: 100 KB, cv: 2}}", ", policy: lru, admit: {max_size: 150 KB}"),
    (
        "{lognormal: {mean: 100 KB, cv: 2}}",
        ", policy: lru, ttl: 10 min, on_write: invalidate, admit: {on: 2}",
    ),
];

fn check(room: f64, play: impl Fn(&Scenario) -> Run) {
    let mut seen = Vec::new();
    for (size, rules) in RULES {
        let (got, want) = edge(&play(&scenario(size, rules, "")));
        assert!((got - want).abs() < room, "{size}{rules}: {got} simulated, {want} by the formula");
        seen.push(got);
    }
    // The rules differ by more than the room, so that none can pass for another.
    assert!(seen[1] + 0.05 < seen[2] && seen[2] + 0.02 < seen[0] && seen[0] + 0.02 < seen[4], "{seen:?}");
    assert!(seen[5] + 0.02 < seen[0] && seen[0] + 0.02 < seen[7], "{seen:?}");
}

#[test]
fn a_sampled_day_agrees_with_the_formulas() {
    let never = AtomicBool::new(false);
    check(0.012, |scenario| {
        let run = simulate(scenario, &options(Mode::Day, 2), &|_| {}, &never).unwrap();
        assert_eq!(run.method.mode, "sampled");
        run
    });
}

#[test]
fn an_exact_day_agrees_with_the_formulas() {
    let never = AtomicBool::new(false);
    check(0.012, |scenario| {
        let run = simulate_exact(scenario, &options(Mode::Day, 1), &|_| {}, &never).unwrap().unwrap();
        let grain = run.notes.iter().any(|note| note.contains("caches know the time to"));
        let ages = scenario.tiers.values().any(|t| t.cache.as_ref().is_some_and(|c| c.ttl.is_some()));
        assert_eq!(grain, ages, "{:?}", run.notes);
        run
    });
}

#[test]
fn the_event_calendar_agrees_with_the_formulas() {
    let never = AtomicBool::new(false);
    let window = Mode::Every { warmup_s: 40_000.0, duration_s: 30_000.0 };
    check(0.015, |scenario| simulate(scenario, &options(window, 1), &|_| {}, &never).unwrap());
}

#[test]
fn what_an_edge_lets_through_meets_the_rules_behind_it() {
    let never = AtomicBool::new(false);
    let ruled = scenario("100 KB", "", ", ttl: 1 h, admit: {on: 2}, on_write: invalidate");
    let shield = |run: Run| {
        let cache = run.tiers.into_iter().find(|t| t.name == "shield").unwrap().cache.unwrap();
        (cache.hit_ratio.value, cache.che_hit_ratio.unwrap())
    };
    let run = simulate(&ruled, &options(Mode::Day, 1), &|_| {}, &never).unwrap();
    let policy =
        run.tiers.iter().find(|t| t.name == "shield").and_then(|t| t.cache.as_ref()).map(|c| &c.policy);
    assert_eq!(policy.unwrap(), "LRU, ttl 1 h, admit on 2, on_write invalidate");
    let sampled = shield(simulate(&ruled, &options(Mode::Day, 2), &|_| {}, &never).unwrap());
    let exact = shield(simulate_exact(&ruled, &options(Mode::Day, 1), &|_| {}, &never).unwrap().unwrap());
    // What an edge misses of an object comes at longer intervals than independent requests do, which the formula does not
    // know; the engines do.
    assert!((sampled.0 - exact.0).abs() < 0.012, "{sampled:?} sampled, {exact:?} exact");
    assert!((exact.0 - exact.1).abs() < 0.06, "{exact:?}");
}
