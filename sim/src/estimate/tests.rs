use plimsoll_reports::record::{Estimate, Unit};
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::quantities::{self, Measure};
use plimsoll_scenarios::{Scenario, SourceFile, bundled, load};

use super::{Options, WORLDS, estimate, ids};

fn of(scenario: &Scenario, worlds: usize) -> Estimate {
    estimate(scenario, &Options { seed: 1, worlds, prices: &PriceList::bundled(), threads: 2 })
}

fn read(yaml: &str) -> Scenario {
    Scenario::from_yaml(&SourceFile::new("test.yaml", yaml)).unwrap_or_else(|e| panic!("{e}"))
}

fn value(estimate: &Estimate, id: &str) -> f64 {
    estimate.quantities.iter().find(|q| q.id == id).unwrap_or_else(|| panic!("no {id}")).value
}

#[test]
fn every_claim_of_every_bundled_scenario_holds() {
    for bundled in bundled() {
        let scenario = load(bundled.name).unwrap();
        let estimate = of(&scenario, 0);
        assert_eq!(
            estimate.claims.len(),
            scenario.claims.len(),
            "{}: a claim names no quantity",
            bundled.name
        );
        for claim in &estimate.claims {
            assert!(
                claim.holds,
                "{}: {} is {} and not {}",
                bundled.name, claim.what, claim.estimated, claim.claimed_text
            );
        }
    }
}

#[test]
fn no_bundled_system_breaks_at_its_own_peak() {
    for bundled in bundled() {
        let estimate = of(&load(bundled.name).unwrap(), 0);
        let fullest = &estimate.growth[0].resources[0];
        assert!(fullest.used < 0.9, "{}: {} is {:.2} full", bundled.name, fullest.id, fullest.used);
        for slo in &estimate.slos {
            assert!(slo.holds, "{}: {} is {}", bundled.name, slo.text, slo.value);
        }
    }
}

#[test]
fn every_price_that_a_bundled_scenario_names_is_in_the_list() {
    for bundled in bundled() {
        PriceList::bundled().check(&load(bundled.name).unwrap()).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn every_quantity_is_one_that_can_be_claimed() {
    let prices = PriceList::bundled();
    for bundled in bundled() {
        let scenario = load(bundled.name).unwrap();
        let estimate = of(&scenario, 0);
        for id in ids(&scenario, &prices) {
            let (subject, quantity) = id.rsplit_once('.').unwrap();
            let table = if subject == quantities::WHOLE {
                quantities::TOTAL
            } else if scenario.actions.contains_key(subject) {
                quantities::ACTION
            } else if scenario.datasets.contains_key(subject) {
                quantities::DATASET
            } else {
                assert!(scenario.tiers.contains_key(subject), "{}: whose is {id}?", bundled.name);
                quantities::TIER
            };
            let measure =
                quantities::measure(table, quantity).unwrap_or_else(|| panic!("{id} is in no table"));
            let unit = estimate.quantities.iter().find(|q| q.id == id).map(|q| q.unit);
            let expected = match measure {
                Measure::Rate => Unit::PerSecond,
                Measure::PerDay => Unit::PerDay,
                Measure::Bandwidth => Unit::BitsPerSecond,
                Measure::Size => Unit::Bytes,
                Measure::Count => Unit::Count,
                Measure::Share => Unit::Share,
                Measure::Duration => Unit::Seconds,
                Measure::Money => Unit::DollarsPerMonth,
                Measure::Number => Unit::Number,
            };
            assert!(unit.is_none_or(|u| u == expected), "{id}: {unit:?} and not {expected:?}");
        }
    }
}

#[test]
fn no_id_is_given_twice() {
    for bundled in bundled() {
        let mut ids = ids(&load(bundled.name).unwrap(), &PriceList::bundled());
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{}", bundled.name);
    }
}

#[test]
fn spotify_has_the_figures_of_its_sources() {
    let estimate = of(&load("spotify").unwrap(), 0);
    assert!((value(&estimate, "play.rate") - 347_222.222_222).abs() < 1e-3);
    assert!((value(&estimate, "song.storage") - 500e12).abs() < 1.0);
    assert!((value(&estimate, "song.storage_replicated") - 1.5e15).abs() < 1.0);
    assert!((value(&estimate, "song.metadata") - 10e9).abs() < 1e-3);
    assert!((value(&estimate, "user.storage") - 1e12).abs() < 1e-1);
    assert!((value(&estimate, "play.egress_uncached") - 13.888_888_9e12).abs() < 1e6);
    assert!((value(&estimate, "play.peak_rate") - 694_444.44).abs() < 0.1);
}

#[test]
fn doubling_the_users_never_lowers_a_rate() {
    for bundled in bundled() {
        let double = |text: &str| plimsoll_scenarios::amount::times(text, 2.0).unwrap();
        let users =
            plimsoll_scenarios::amount::value_at(bundled.name, &[], "population.users").unwrap().unwrap();
        let more =
            plimsoll_scenarios::load_with(bundled.name, &[format!("population.users={}", double(&users))])
                .unwrap();
        let (one, two) = (of(&load(bundled.name).unwrap(), 0), of(&more, 0));
        for quantity in one.quantities.iter().filter(|q| q.unit == Unit::PerSecond || q.unit == Unit::PerDay)
        {
            let after = value(&two, &quantity.id);
            assert!(after >= quantity.value * (1.0 - 1e-9), "{}: {}", bundled.name, quantity.id);
        }
    }
}

const TWO_RANGES: &str = "
name: two-ranges
population: {users: 50 to 200}
actions: {ask: {per_user: 8 to 12/day, path: [web]}}
tiers: {web: {}}
";

#[test]
fn ranges_go_through_products_as_lognormals_do() {
    let estimate = of(&read(TWO_RANGES), WORLDS);
    let rate = estimate.quantities.iter().find(|q| q.id == "ask.per_day").unwrap();
    // Logarithms of independent lognormals add their variances.
    let (a, b) = ((200.0_f64 / 50.0).ln() / 2.0, (12.0_f64 / 8.0).ln() / 2.0);
    let half = (a * a + b * b).sqrt();
    let (low, high) = rate.range.unwrap();
    let middle = 100.0 * 96_f64.sqrt();
    assert!((low / (middle * (-half).exp()) - 1.0).abs() < 0.02, "{low}");
    assert!((high / (middle * half.exp()) - 1.0).abs() < 0.02, "{high}");
    assert!((rate.median.unwrap() / middle - 1.0).abs() < 0.01);
    // And each input's share is its part of that variance.
    let told = &estimate.hangs_on[0];
    let share = |name: &str| told.inputs.iter().find(|i| i.input == name).unwrap().share;
    let users = a * a / (a * a + b * b);
    assert!((share("users") - users).abs() < 0.02, "{} {users}", share("users"));
    assert!((told.inputs.iter().map(|i| i.share).sum::<f64>() - 1.0).abs() < 0.01);
}

#[test]
fn worlds_are_the_same_for_a_seed_and_for_any_number_of_threads() {
    let scenario = load("spotify").unwrap();
    let prices = PriceList::bundled();
    let with =
        |seed, threads| estimate(&scenario, &Options { seed, worlds: 2_000, prices: &prices, threads });
    assert_eq!(with(1, 1), with(1, 2));
    assert_ne!(with(1, 1).quantities, with(2, 1).quantities);
}

const CACHED: &str = "
name: cached
population: {users: 1 M}
datasets: {page: {count: 1 M to 4 M, size: 10 KB, popularity: {zipf: 0.8 to 1.1}, in: store}}
actions: {view: {per_user: 10/day, of: page, path: [cache, store]}}
tiers:
  cache: {cache: {capacity: 2 to 8 GB}}
  store: {servers: 20, concurrency: 4, service_time: 10 ms}
";

#[test]
fn hit_ratios_in_worlds_are_near_exact_ones() {
    use crate::analytic::caches::chain;
    use crate::sheet::{Scores, Sheet};
    let scenario = read(CACHED);
    let solve = |world: &Scenario| vec![chain(world).hit_ratio[0].unwrap()];
    let mut sheet = Sheet::new(&scenario, 2);
    let cell = sheet.surfaces(&solve(&scenario), &solve)[0];
    let scores = Scores::draw(7, 3, 200, "check");
    let fitted = sheet.evaluate(&scores, &[cell]).of(cell).unwrap().to_vec();
    let uncertain = scenario.uncertain();
    let mut errors = Vec::new();
    for (world, fitted) in fitted.iter().enumerate() {
        let exact = solve(&scenario.world(&|origin| {
            uncertain.iter().position(|u| u.origin == origin).map(|i| f64::from(scores.0[i][world]))
        }))[0];
        errors.push((exact - fitted).abs());
    }
    errors.sort_by(f64::total_cmp);
    let (typical, worst) = (errors[190], errors[199]);
    assert!(typical < 0.015 && worst < 0.08, "95 % within {typical}, worst {worst}");
}

const TREE: &str = "
name: tree
population: {users: 864_000}
actions:
  ask:
    per_user: 100/day
    path: [front, {parallel: [[quick], {call: slow, share: 50 %}]}, {async: [log]}, {call: shard, fan_out: 10}]
  save: {per_action: {ask: 1/4}, write: true, request: 1 KB, path: [front, db]}
tiers:
  front: {servers: 100, concurrency: 10, service_time: 1 ms}
  quick: {servers: 100, concurrency: 10, service_time: 2 ms}
  slow: {servers: 100, concurrency: 10, service_time: 8 ms}
  shard: {servers: 1000, concurrency: 10, service_time: {exponential: 1 ms}}
  log: {servers: 100, concurrency: 10, service_time: 50 ms}
  db: {servers: 100, concurrency: 10, service_time: 1 ms, copies: 3}
";

#[test]
fn calls_are_counted_over_the_tree() {
    let estimate = of(&read(TREE), 0);
    for (id, rate) in [
        ("ask.rate", 1000.0),
        ("save.rate", 250.0),
        ("front.rate", 1250.0),
        ("quick.rate", 1000.0),
        ("slow.rate", 500.0),
        ("shard.rate", 10_000.0),
        ("log.rate", 1000.0),
        ("db.rate", 250.0),
        ("db.work_peak", 750.0),
        ("total.reads_per_write", 4.0),
    ] {
        assert!((value(&estimate, id) / rate - 1.0).abs() < 1e-9, "{id}: {}", value(&estimate, id));
    }
    // 1 ms, then 4 ms (the slower of 2 ms and half of 8 ms), then the slowest of ten exponentials; no log.
    let slowest: f64 = (1..=10).map(|k| 1e-3 / f64::from(k)).sum();
    let latency = value(&estimate, "ask.latency");
    assert!((latency / (0.001 + 0.004 + slowest) - 1.0).abs() < 0.01, "{latency}");
}

#[test]
fn a_blocking_tier_is_busy_while_it_waits() {
    let text = TREE.replace(
        "front: {servers: 100, concurrency: 10, service_time: 1 ms}",
        "front: {servers: 100, concurrency: 10, service_time: 1 ms, blocking: true}",
    );
    let (free, held) = (of(&read(TREE), 0), of(&read(&text), 0));
    let busy = |e: &Estimate| value(e, "front.utilisation_peak");
    assert!(busy(&held) > 3.0 * busy(&free), "{} {}", busy(&held), busy(&free));
    assert!((value(&held, "ask.latency") / value(&free, "ask.latency") - 1.0).abs() < 0.2);
}

const GROWING: &str = "
name: growing
population: {users: 1 M, growth_per_year: 100 %}
datasets:
  note: {growth: {by: write-note}, size: 1 KB, in: store}
  log: {count: 1 M, growth: 1 M/day, retention: 30 days, size: 100 B, in: store}
actions: {write-note: {per_user: 1/day, write: true, of: note, path: [store]}}
tiers: {store: {replication: {erasure: {data: 10, parity: 5}}}}
";

#[test]
fn storage_grows_with_users_and_forgets_what_is_not_kept() {
    let estimate = of(&read(GROWING), 0);
    let year = 365.0 * 1e6 * 1000.0;
    assert!((value(&estimate, "note.storage_per_day") / 1e9 - 1.0).abs() < 1e-9);
    // The mean of 2^t over the first year is 1 / ln 2.
    assert!((value(&estimate, "note.storage_1_year") / (year / 2_f64.ln()) - 1.0).abs() < 1e-9);
    let ten = year * (1024.0 - 1.0) / 2_f64.ln();
    assert!((value(&estimate, "note.storage_10_years") / ten - 1.0).abs() < 1e-9);
    assert!((value(&estimate, "note.storage_10_years_replicated") / (1.5 * ten) - 1.0).abs() < 1e-9);
    let log = value(&estimate, "log.storage_1_year");
    // Thirty days' worth, at the rate of the last thirty days of the year.
    let last = 2.0 * (1.0 - 0.5_f64.powf(30.0 / 365.0)) / (2_f64.ln() * 30.0 / 365.0);
    assert!((log / (30.0 * 1e8 * last) - 1.0).abs() < 1e-9, "{log}");
}

#[test]
fn as_many_zones_may_fail_as_the_others_can_carry() {
    let page = |sites: u32, servers: u32| {
        let text = format!(
            "name: zones\nsummary: zones\npopulation: {{users: 1 M, regions: [{{name: all, share: 100 %, utc_offset: 0 h, sites: {sites}}}]}}\n\
             actions:\n  get: {{per_user: 86.4/day, path: [edge, app]}}\n\
             tiers:\n  edge: {{per: site, servers: 1000, service_time: 100 ms, availability: 99.9 %}}\n  \
             app: {{servers: {servers}, service_time: 100 ms, zones: 3, availability: 99.9 %}}\n"
        );
        of(&read(&text), 0)
    };
    // 1,000 calls a second keep 100 slots busy: 10 of 100 sites carry them, and all fail together never.
    let edge = value(&page(100, 110), "edge.availability_zone_loss");
    assert!(edge > 0.999_999_999, "{edge}");
    // 110 servers in 3 zones at 91 %: none may fail. 200: two of three carry the peak. 400: one does.
    let all_three = value(&page(100, 110), "app.availability_zone_loss");
    assert!((all_three - 0.9995_f64.powi(3)).abs() < 1e-6, "{all_three}");
    let (q, p) = (0.0005_f64, 0.9995_f64);
    let two = value(&page(100, 200), "app.availability_zone_loss");
    assert!((two - (p.powi(3) + 3.0 * p * p * q)).abs() < 1e-9, "{two}");
    let one = value(&page(100, 400), "app.availability_zone_loss");
    assert!((one - (1.0 - q.powi(3))).abs() < 1e-12, "{one}");
}
