use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_reports::record::{ActionRun, Run, TierRun};
use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::{Scenario, SourceFile};

use crate::calendar::{self, slice};
use crate::outcome::summarise;
use crate::recovery;
use crate::simulate::{Mode, Options, SAMPLED, is_sampled, simulate, simulate_exact};

/// A day large enough to be sampled and small enough to be played request by request: caches, a shared database that
/// half of the requests come to, links.
fn shop(events: &str) -> Scenario {
    read(&shop_text(events))
}

fn shop_text(events: &str) -> String {
    format!(
        "
name: shop
population:
  users: 40 K
  regions:
    - {{name: east, share: 60 %, utc_offset: +8 h, sites: 3}}
    - {{name: west, share: 40 %, utc_offset: -8 h, sites: 2}}
  diurnal: {{peak_to_mean: 1.8, peak_at: 20:00}}
datasets:
  photo: {{count: 30 K, size: 100 KB, popularity: {{zipf: 0.9}}}}
actions:
  view: {{per_user: 40/day, of: photo, response: 100 KB, path: [edge, app, store]}}
  buy: {{per_user: 8/day, path: [app, store]}}
tiers:
  edge: {{per: site, cache: {{capacity: 300 MB, policy: lru}}, servers: 20, concurrency: 8, service_time: 1 ms, link: 100 Mbit/s, rtt: 10 ms}}
  app: {{per: region, servers: 8, concurrency: 1, service_time: 150 ms, queue_max: 100, rtt: 5 ms}}
  store: {{servers: 8, concurrency: 4, service_time: 5 ms, rtt: 1 ms}}
events:{}
",
        if events.is_empty() { " []".to_owned() } else { format!("\n{events}") }
    )
}

fn read(text: &str) -> Scenario {
    Scenario::from_yaml(&SourceFile::new("shop.yaml", text)).unwrap_or_else(|error| panic!("{error}"))
}

fn options(threads: usize, replications: u64) -> Options {
    Options { seed: 7, threads, replications, precision: None, mode: Mode::Day }
}

fn played(scenario: &Scenario, threads: usize, replications: u64) -> Run {
    let options = options(threads, replications);
    assert!(is_sampled(scenario, &options));
    simulate(scenario, &options, &|_| {}, &AtomicBool::new(false)).unwrap()
}

/// The whole day, request by request, with caches as full as they usually are.
fn whole(scenario: &Scenario, replications: u64) -> Run {
    let plan = calendar::Plan {
        seed: 11,
        replications,
        threads: 2,
        from_s: 0.0,
        warmup_s: 0.0,
        duration_s: DAY_S,
        slots: 96,
        same_requests: false,
    };
    let slice = slice::slice(scenario, 1.0);
    let never = AtomicBool::new(false);
    let (outcome, _) = calendar::play(&slice.scenario, plan, Some(&slice), &|_| {}, &never).unwrap();
    let mut run = summarise(scenario, &outcome, plimsoll_reports::record::Provenance::default());
    run.events = recovery::happenings(scenario, &run, &[]);
    run
}

fn action<'r>(run: &'r Run, name: &str) -> &'r ActionRun {
    run.actions.iter().find(|a| a.name == name).unwrap()
}

fn tier<'r>(run: &'r Run, name: &str) -> &'r TierRun {
    run.tiers.iter().find(|t| t.name == name).unwrap()
}

const SLOW: &str = "  - {name: slow app, at: 12:05, slow: {tier: app, factor: 6}, for: 40 min}\n";

#[test]
fn a_day_with_its_events_is_the_day_that_plays_every_request() {
    let scenario = shop(SLOW);
    let (mixed, every) = (played(&scenario, 2, 3), whole(&scenario, 3));
    assert_eq!(mixed.method.mode, "sampled, its events request by request");
    for name in ["view", "buy"] {
        let (a, b) = (action(&mixed, name), action(&every, name));
        assert!((a.requests / b.requests - 1.0).abs() < 0.01, "{name}: {} {}", a.requests, b.requests);
        // Most of a day's failures and all of its slowest hundredth are of this hour.
        assert!(b.failed_share > 0.002, "{}", b.failed_share);
        assert!(
            (a.failed_share / b.failed_share - 1.0).abs() < 0.15,
            "{} {}",
            a.failed_share,
            b.failed_share
        );
        let (p, q) = (&a.first_byte_p99_s, &b.first_byte_p99_s);
        let chance = (p.high - p.low + q.high - q.low) / 2.0;
        assert!((p.value - q.value).abs() < chance + 0.05 * q.value, "{name}: {p:?} {q:?}");
        let far = |run: &ActionRun, slots: std::ops::Range<usize>| {
            let all: Vec<f64> = run.series.first_byte_p99_s[slots].iter().flatten().copied().collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        // Before the event, at its height, and after it.
        for slots in [40..48, 49..51, 60..70] {
            let (a, b) = (far(a, slots.clone()), far(b, slots.clone()));
            assert!((a / b - 1.0).abs() < 0.15, "{name} {slots:?}: {a} {b}");
        }
        let (a, b) = (a.first_byte.at(0.5).unwrap(), b.first_byte.at(0.5).unwrap());
        assert!((a / b - 1.0).abs() < 0.05, "{name}: {a} {b}");
    }
    let (a, b) = (tier(&mixed, "edge"), tier(&every, "edge"));
    let hits = |t: &TierRun| t.cache.as_ref().unwrap().hit_ratio.value;
    assert!((hits(a) - hits(b)).abs() < 0.01, "{} {}", hits(a), hits(b));
    let busy = |run: &Run| tier(run, "app").station.as_ref().unwrap().utilisation_peak.value;
    assert!((busy(&mixed) / busy(&every) - 1.0).abs() < 0.03, "{} {}", busy(&mixed), busy(&every));
    // What a run says of the event, held against itself without the event or against what was before.
    let (a, b) = (&mixed.events[0], &every.events[0]);
    assert!(a.recovered_s.is_some() && a.recovered_s == b.recovered_s, "{a:?} {b:?}");
    for (a, b) in a.impacts.iter().zip(&b.impacts) {
        assert!(a.first_byte_p99_s.unwrap() > 2.0 * a.usual_p99_s.unwrap(), "{a:?}");
        assert!((a.failed_share - b.failed_share).abs() < 0.1 && a.failed_share > 0.1, "{a:?} {b:?}");
    }
}

/// The values of all series of a run, by slot.
fn by_slot(run: &Run, slot: usize) -> Vec<Option<f64>> {
    let actions = run.actions.iter().flat_map(|a| {
        let s = &a.series;
        [
            Some(s.rate_per_s[slot]),
            Some(s.failed_share[slot]),
            s.first_byte_p50_s[slot],
            s.first_byte_p99_s[slot],
        ]
    });
    let tiers = run.tiers.iter().flat_map(|t| {
        let s = &t.series;
        [
            Some(s.rate_per_s[slot]),
            Some(s.egress_bit_per_s[slot]),
            s.hit_ratio[slot],
            s.utilisation[slot],
            s.queue[slot],
        ]
    });
    actions.chain(tiers).collect()
}

#[test]
fn outside_of_its_events_a_day_is_the_one_without_them() {
    let (mixed, calm) = (played(&shop(SLOW), 2, 2), played(&shop(""), 2, 2));
    let differing: Vec<usize> = (0..96).filter(|&s| by_slot(&mixed, s) != by_slot(&calm, s)).collect();
    let (first, last) = (differing[0], *differing.last().unwrap());
    assert_eq!(first, 48, "the slot in which it begins");
    assert!((51..60).contains(&last), "to the slot in which all is as usual: {last}");
    assert_eq!(differing.len(), last + 1 - first);
    assert_eq!((calm.events.len(), calm.method.mode.as_str()), (0, "sampled"));
    // By the exact day as well, and the stretch is the same in both.
    let never = AtomicBool::new(false);
    let exact = |scenario| simulate_exact(scenario, &options(2, 2), &|_| {}, &never).unwrap().unwrap();
    let (exact, calm) = (exact(&shop(SLOW)), exact(&shop("")));
    for slot in 0..96 {
        let other = if differing.contains(&slot) { &mixed } else { &calm };
        assert_eq!(by_slot(&exact, slot), by_slot(other, slot), "slot {slot}");
    }
    assert_eq!(exact.events, mixed.events);
}

#[test]
fn a_day_with_its_events_is_the_same_for_any_number_of_threads() {
    let events = format!("{SLOW}  - {{at: 20:00, flash_crowd: {{factor: 3}}, for: 20 min}}\n");
    let one = played(&shop(&events), 1, 2);
    assert_eq!(one, played(&shop(&events), 2, 2));
    assert_eq!(one, played(&shop(&events), 3, 2));
}

#[test]
fn every_kind_of_event_shows_in_its_hours() {
    let calm = played(&shop(""), 2, 1);
    let view = |run: &Run| action(run, "view").clone();
    let edge = |run: &Run| tier(run, "edge").clone();
    let shows = |event: &str, what: &dyn Fn(&Run, usize) -> f64, grows: std::ops::Range<f64>| {
        let run = played(&shop(&format!("  - {{at: '12:00', {event}}}\n")), 2, 1);
        let times = what(&run, 48) / what(&calm, 48);
        assert!(grows.contains(&times), "{event}: {times}");
        let [happening] = &run.events[..] else { panic!("{:?}", run.events) };
        assert_eq!(happening.impacts.len(), 2, "{happening:?}");
        assert!(happening.recovered_s.is_some(), "{happening:?}");
    };
    let hits = |run: &Run, slot: usize| edge(run).series.hit_ratio[slot].unwrap();
    let rate = |run: &Run, slot: usize| view(run).series.rate_per_s[slot];
    let p99 = |run: &Run, slot: usize| view(run).series.first_byte_p99_s[slot].unwrap();
    let answered = |run: &Run, slot: usize| 1.0 - view(run).series.failed_share[slot];
    shows("hot_release: {of: photo, share: 50 %}, for: 30 min", &hits, 1.2..3.0);
    shows("flash_crowd: {factor: 2}, for: 30 min", &rate, 1.9..2.1);
    shows("region_down: east, for: 30 min", &p99, 1.05..1000.0);
    shows("servers_down: {tier: app, servers: 6, noticed_after: 5 min}, for: 30 min", &answered, 0.0..0.95);
    shows("flush: edge", &hits, 0.1..0.97);
    shows("slow: {tier: store, factor: 20}, for: 30 min", &p99, 1.1..100.0);
    shows("deploy: {tier: app, at_a_time: 80 %}, for: 15 min", &p99, 1.2..1000.0);
    let cut = |run: &Run, _| view(run).complete.at(0.99).unwrap();
    shows("cut: {tier: edge, to: 2 %}, for: 30 min", &cut, 1.5..1e6);
}

#[test]
fn a_day_that_is_stopped_before_its_events_is_one_without_them() {
    let scenario = shop(SLOW);
    let never = AtomicBool::new(true);
    assert!(simulate(&scenario, &options(1, 1), &|_| {}, &never).is_none(), "half a day is no result");
    let stop = AtomicBool::new(false);
    // The day is over then, and one of two replications of the stretch.
    let at = |share: f64| stop.store(share > SAMPLED.1 + 1e-6, Ordering::Relaxed);
    let run = simulate(&scenario, &options(1, 2), &at, &stop).unwrap();
    let calm = played(&shop(""), 1, 2);
    assert!(run.provenance.partial && run.events.is_empty());
    assert_eq!((&run.actions, &run.tiers), (&calm.actions, &calm.tiers));
    assert!(run.notes.iter().any(|note| note.contains("stopped before the hours")), "{:?}", run.notes);
}

#[test]
fn a_crowd_that_lasts_is_a_long_stretch_and_what_never_ends_says_so() {
    let scenario = shop("  - {name: strike, at: 21:00, servers_down: {tier: app, servers: 2}}\n");
    let run = played(&scenario, 2, 1);
    assert!(run.notes[0].contains("21:00 to 24:00 UTC"), "{:?}", run.notes);
    assert_eq!((run.events[0].to_s, run.events[0].recovered_s), (DAY_S, None));
}

#[test]
fn a_pool_that_a_slice_is_too_thin_for_fails_what_is_too_much() {
    // Thousands of times the users, and few fast servers for them: pools are played at a part of their load.
    let large = |events: &str| {
        let changes = [
            ("users: 40 K", "users: 100 M"),
            ("servers: 20,", "servers: 500,"),
            ("servers: 8,", "servers: 200,"),
            ("time: 150 ms", "time: 1.5 ms"),
            ("time: 1 ms", "time: 0.01 ms"),
            ("time: 5 ms", "time: 0.05 ms"),
            ("link: 100 Mbit/s", "link: 100 Gbit/s"),
        ];
        read(&changes.iter().fold(shop_text(events), |text, (from, to)| text.replace(from, to)))
    };
    let crowd = large("  - {at: '12:00', flash_crowd: {factor: 8}, for: 30 min}\n");
    let mut crowd = played(&crowd, 2, 1);
    let calm = played(&large(""), 2, 1);
    let app = |run: &Run| tier(run, "app").series.rate_per_s[48];
    let busy = |run: &Run| tier(run, "app").series.utilisation[48].unwrap();
    assert!(app(&crowd) > 5.0 * app(&calm), "{} {}", app(&crowd), app(&calm));
    assert!(busy(&crowd) > 1.5 * busy(&calm) && busy(&crowd) <= 1.0, "{} {}", busy(&crowd), busy(&calm));
    // East is at its peak then: what its servers cannot do fails, of those who come to them.
    let buy = action(&crowd, "buy").series.failed_share[48];
    let view = action(&crowd, "view").series.failed_share[48];
    assert!(buy > 0.3 && view > 0.05 && view < buy, "{buy} {view}");
    assert_eq!(action(&calm, "buy").failed_share, 0.0);
    crowd.notes.retain(|note| note.contains("events ask for more than all of"));
    assert!(matches!(&crowd.notes[..], [note] if note.contains("app ")), "{:?}", crowd.notes);
}
