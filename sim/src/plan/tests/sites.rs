//! Numbers of sites: against trying all of them, and that every engine takes the same distance.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::plan::Plan;
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::slo::Failure;
use plimsoll_scenarios::{Open, Scenario, resolve};

use super::super::evaluate::Evaluator;
use super::super::plan;
use super::super::problem::{Assumed, Problem};
use super::{ASSUMED, by_formula, finds};
use crate::estimate::value_of;
use crate::flow::Flow;
use crate::simulate::{self, Mode, simulate};

/// Pages from caches at sites, with figures drawn from a seed.
fn pages(seed: u64) -> String {
    let mut draws = Stream::new(seed, "test", "sites", 0);
    let mut from = |low: f64, high: f64| low + (high - low) * draws.uniform();
    format!(
        "name: pages
population:
  users: {users:.0}
  regions:
    - {{name: a, share: 60 %, area: {a:.1} M km2, sites: auto 1 to 9}}
    - {{name: b, share: 40 %, area: {b:.1} M km2, sites: auto 2 to 7}}
  diurnal: {{peak_to_mean: 2}}
datasets: {{page: {{count: 1 M, size: 100 KB, popularity: {{zipf: 0.9}}, churn_per_day: {churn:.0} %, in: store}}}}
actions: {{view: {{per_user: 40/day, of: page, path: [edge, web, store]}}}}
tiers:
  edge: {{per: site, rtt: 4 ms, cache: {{capacity: auto 5 to 40 GB}}, servers: auto, concurrency: 4, \
         service_time: {{lognormal: {{mean: 3 ms, cv: 1}}}}, price: {{server: i4i.large, site: {site}}}}}
  web: {{per: region, rtt: 20 ms, servers: auto, concurrency: 4, \
        service_time: {{lognormal: {{mean: 10 ms, cv: 1}}}}, price: {{server: c7g.xlarge}}}}
  store: {{rtt: 15 ms, servers: auto, concurrency: 4, service_time: {{exponential: 8 ms}}, \
          price: {{server: c7g.xlarge}}}}
slos: [view.first_byte p90 < {p90:.0} ms, edge.hit_ratio > {hit:.0} %]
",
        users = from(5e5, 5e6),
        a = from(4.0, 25.0),
        b = from(1.0, 15.0),
        churn = from(0.0, 60.0),
        site = if seed.is_multiple_of(2) { "direct-connect-10g" } else { "alb" },
        p90 = from(62.0, 90.0),
        hit = from(10.0, 40.0),
    )
}

pub(super) fn open(text: &str, settings: &[&str]) -> Open {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pages.yaml");
    std::fs::write(&path, text).unwrap();
    let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
    resolve(path.to_str().unwrap(), &settings).unwrap().open().unwrap_or_else(|e| panic!("{e}"))
}

fn planned(open: &Open) -> Plan {
    let prices = PriceList::bundled();
    plan(open, &by_formula(&prices), &|_| {}, &AtomicBool::new(false)).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_sites_found_are_those_that_trying_all_of_them_finds() {
    let prices = PriceList::bundled();
    let mut plans = 0;
    for seed in 0..10 {
        let under = if seed % 3 == 0 { vec![Failure::ServerDown] } else { Vec::new() };
        let assumed = Assumed { under, ..ASSUMED };
        let open = open(&pages(seed), &[]);
        let mut problem = Problem::new(&open, &prices, &assumed).unwrap();
        // Every fourth capacity, so that all combinations can be tried.
        let capacities = problem.axes.last_mut().unwrap();
        capacities.values = capacities.values.iter().copied().step_by(4).collect();
        let lengths: Vec<usize> = problem.axes.iter().map(|a| a.values.len()).collect();
        assert_eq!((lengths.len(), lengths[0], lengths[1]), (3, 9, 6));
        let flow = Flow::of(&problem.scenario);
        let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
        let mut least = f64::INFINITY;
        for i in 0..lengths[0] {
            for j in 0..lengths[1] {
                for k in 0..lengths[2] {
                    let Ok(sizing) = evaluator.size_at(&[i, j, k]) else { continue };
                    least = least.min(sizing.objective);
                    // No box that holds this point is cut off by mistake.
                    let far: Vec<usize> = lengths.iter().map(|n| n - 1).collect();
                    for (near, far) in [(vec![0; 3], far), (vec![i / 2, 0, k], vec![i, j, k])] {
                        let bound = evaluator.bound(&near, &far).unwrap_or_else(|e| panic!("{seed}: {e:?}"));
                        assert!(bound <= sizing.objective * (1.0 + 1e-9), "{seed}: {i} {j} {k}: {bound}");
                    }
                }
            }
        }
        plans += usize::from(finds(&mut evaluator, least, seed));
    }
    assert!(plans >= 6, "{plans} plans");
}

#[test]
fn sites_are_told_written_and_one_less_breaks_something() {
    let open = open(&pages(3), &[]);
    let plan = planned(&open);
    assert_eq!(plan.sites.len(), 2);
    for sites in &plan.sites {
        let setting = format!("population.regions.{}.sites={}", sites.region, sites.sites);
        assert!(plan.settings.contains(&setting), "{setting}: {:?}", plan.settings);
        assert!(sites.distance_m > 1e4 && sites.round_trip_s > 1e-4, "{sites:?}");
        let less = sites.one_less.as_deref().unwrap();
        let told = ["breaks view.first_byte p90", "more", "is less than"].iter().any(|t| less.contains(t));
        assert!(told, "{less}");
    }
    assert!(
        plan.sites.iter().any(|s| s.one_less.as_deref().unwrap().starts_with("breaks")),
        "{:?}",
        plan.sites
    );
    let why_not = plan.alternatives.iter().filter(|a| a.what.contains(".sites = ")).count();
    assert!(why_not >= 4, "{:?}", plan.alternatives);
    // Far away, more of them.
    let far = planned(&super::sites::open(&pages(3), &["population.path_stretch=4"]));
    let all = |plan: &Plan| plan.sites.iter().map(|s| s.sites).sum::<u64>();
    assert!(all(&far) > all(&plan), "{:?} {:?}", far.sites, plan.sites);
}

/// Pages with given sites, near or far.
fn given(seed: u64, far: bool) -> Scenario {
    let text = pages(seed)
        .replace("users: ", "users: 20 K # ")
        .replace("auto 1 to 9", "3")
        .replace("auto 2 to 7", "2")
        .replace("auto 5 to 40 GB", "20 GB")
        .replace("servers: auto", "servers: 12");
    let text = if far {
        text
    } else {
        let start = |line: &str| line.split(", area:").next().unwrap_or_default().to_owned();
        let near = |line: &str| {
            if line.contains("area:") {
                format!("{}, sites: {}", start(line), line.rsplit("sites: ").next().unwrap_or_default())
            } else {
                line.to_owned()
            }
        };
        text.lines().map(near).collect::<Vec<_>>().join("\n")
    };
    open(&text, &[]).scenario
}

#[test]
fn every_engine_takes_the_same_distance() {
    let prices = PriceList::bundled();
    let (far, near) = (given(1, true), given(1, false));
    let way = far.mean_distance_s();
    assert!(way > 0.005 && near.mean_distance_s() == 0.0, "{way}");
    let latency = |scenario: &Scenario| value_of(scenario, &prices, "view.latency").unwrap();
    assert!((latency(&far) - latency(&near) - way).abs() < 1e-12);
    let trip = value_of(&far, &prices, "edge.round_trip").unwrap();
    assert!((trip - 0.004 - way).abs() < 1e-12, "{trip}");
    assert_eq!(value_of(&near, &prices, "edge.round_trip"), None);
    let every = Mode::Every { warmup_s: 60.0, duration_s: 1200.0 };
    let window = Mode::Window { from_s: 19.0 * 3600.0, to_s: 19.4 * 3600.0 };
    for mode in [Mode::Day, every, window] {
        let mean = |scenario: &Scenario| {
            let options = simulate::Options { seed: 1, threads: 2, replications: 1, mode, precision: None };
            let run = simulate(scenario, &options, &|_| {}, &AtomicBool::new(false)).unwrap();
            run.actions[0].first_byte.mean_s
        };
        let more = mean(&far) - mean(&near);
        assert!((more / way - 1.0).abs() < 0.03, "{mode:?}: {more} {way}");
    }
}
