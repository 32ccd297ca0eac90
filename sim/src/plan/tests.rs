//! The search against all combinations there are, and what must be true of every plan.

use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Open, Scenario, SourceFile, resolve};

use super::evaluate::{Broken, Evaluator};
use super::problem::{Assumed, Problem};
use super::search::search;
use super::size;
use crate::flow::Flow;

const ASSUMED: Assumed = Assumed { utilisation: 0.7, spare: true, under: Vec::new() };

fn open(name: &str, settings: &[&str]) -> Open {
    let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
    resolve(name, &settings).unwrap().open().unwrap()
}

/// A small system whose figures hang on a seed.
fn small(seed: u64) -> Scenario {
    let mut draw = Stream::new(seed, "small", "figures", 0);
    let mut from = |low: f64, high: f64| low + (high - low) * draw.uniform();
    let text = format!(
        "name: small\npopulation: {{users: {users:.0}, regions: [{{name: a, share: 62 %, sites: 2}}, {{name: b, share: 38 %, sites: 1}}], diurnal: {{peak_to_mean: {peak:.2}}}}}\n\
         datasets:\n  page: {{count: {count:.0}, size: 200 KB, popularity: {{zipf: {zipf:.2}}}, in: disk}}\n\
         actions:\n  get: {{per_user: 40/day, of: page, path: [edge, web, memory, disk]}}\n\
         tiers:\n  \
         edge: {{per: site, rtt: 10 ms, link: 1 Gbit/s, cache: {{capacity: 1 GB}}, servers: 3, concurrency: 16, service_time: {{lognormal: {{mean: 1 ms, cv: 1}}}}, price: {{server: c7gn.large}}}}\n  \
         web: {{per: region, rtt: 5 ms, servers: 3, concurrency: 2, service_time: {{lognormal: {{mean: {web:.1} ms, cv: 1}}}}, balance: least-connections, price: {{server: c7g.xlarge}}}}\n  \
         memory: {{per: region, rtt: 1 ms, cache: {{capacity: 1 GB}}, servers: 2, concurrency: 4, service_time: 0.5 ms, price: {{server: cache.r7g.large}}}}\n  \
         disk: {{rtt: 2 ms, servers: 4, concurrency: 4, service_time: {{lognormal: {{mean: {disk:.1} ms, cv: 1}}}}, copies: 3, price: {{server: i4i.large}}}}\n\
         slos:\n  - get.first_byte p99 < {p99:.0} ms\n  - edge.hit_ratio > {hit:.0} %\n",
        users = from(2e5, 2e6),
        peak = from(1.2, 3.0),
        count = from(2e5, 2e6),
        zipf = from(0.7, 1.1),
        web = from(4.0, 30.0),
        disk = from(5.0, 40.0),
        p99 = from(120.0, 400.0),
        hit = from(20.0, 60.0),
    );
    Scenario::from_yaml(&SourceFile::new("small", &text)).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_search_finds_what_trying_everything_finds() {
    let prices = PriceList::bundled();
    let (mut plans, mut none) = (0, 0);
    for seed in 0..12 {
        let open = Open { scenario: small(seed), free: Vec::new() };
        let mut problem = Problem::new(&open, &prices, &ASSUMED).unwrap();
        for axis in &mut problem.axes {
            // Every fifth step, so that all combinations can be tried.
            axis.values = axis.values.iter().copied().step_by(5).collect();
        }
        let flow = Flow::of(&problem.scenario);
        let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
        let mut least = f64::INFINITY;
        let lengths: Vec<usize> = problem.axes.iter().map(|a| a.values.len()).collect();
        assert_eq!(lengths.len(), 2);
        for i in 0..lengths[0] {
            for j in 0..lengths[1] {
                if let Ok(sizing) = evaluator.size_at(&[i, j]) {
                    least = least.min(sizing.objective);
                }
            }
        }
        if let Ok(found) = search(&mut evaluator, None) {
            plans += 1;
            let cost = found.sizing.objective;
            assert!((cost / least - 1.0).abs() < 1e-9, "{seed}: {cost} {least}");
            assert!(found.proved > 1.0 - 1e-9, "{seed}: proved {}", found.proved);
        } else {
            none += 1;
            assert!(least.is_infinite(), "{seed}: {least}");
        }
    }
    assert!(plans >= 6 && plans + none == 12, "{plans} plans");
}

/// All numbers of servers near those of a plan, tried one by one.
#[test]
fn no_fewer_servers_keep_the_targets() {
    let prices = PriceList::bundled();
    let mut tried = 0;
    for seed in 20..28 {
        let open = Open { scenario: small(seed), free: Vec::new() };
        let problem = Problem::new(&open, &prices, &ASSUMED).unwrap();
        let flow = Flow::of(&problem.scenario);
        let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
        let Ok(found) = search(&mut evaluator, None) else { continue };
        for tier in 0..found.sizing.tiers.len() {
            let (Some(sized), Some(fleet)) = (&found.sizing.tiers[tier], &problem.fleets[tier]) else {
                continue;
            };
            let less = size::step(sized.servers, &found.sizing.loads[tier], false, (1, fleet.range.1));
            let Some((servers, _)) = less else { continue };
            tried += 1;
            // With one step less forced on this tier alone, nothing at this point is a plan.
            let mut forced = Problem::new(&open, &prices, &ASSUMED).unwrap();
            forced.axes.clone_from(&problem.axes);
            for (t, fleet) in forced.fleets.iter_mut().enumerate() {
                let now = found.sizing.tiers[t].as_ref().map_or(1, |s| s.servers);
                let most = if t == tier { servers } else { now };
                if let Some(fleet) = fleet {
                    fleet.range = (1, most);
                }
            }
            let mut again = Evaluator::new(&forced, &forced.scenario, &flow);
            assert!(again.size_at(&found.point).is_err(), "{seed}: {tier} with {servers}");
        }
    }
    assert!(tried > 15, "{tried} steps tried");
}

#[test]
fn a_target_that_nothing_meets_is_named() {
    let prices = PriceList::bundled();
    let open = open("spotify", &["slos=[play.first_byte p99 < 12 ms]"]);
    let problem = Problem::new(&open, &prices, &ASSUMED).unwrap();
    let flow = Flow::of(&problem.scenario);
    let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
    let Err(Broken::Goal { goal: 0, value }) = search(&mut evaluator, None) else {
        panic!("no plan is there")
    };
    assert!(value > 0.012, "{value}");
}

#[test]
fn the_six_systems_with_figures_are_planned() {
    let prices = PriceList::bundled();
    let stop = std::sync::atomic::AtomicBool::new(false);
    for name in ["spotify", "uber", "netflix", "whatsapp", "twitter", "url-shortener"] {
        let open = open(name, &[]);
        let options = super::Options {
            seed: 1,
            prices: &prices,
            assumed: ASSUMED,
            worlds: 0,
            verify: false,
            relax: true,
            threads: 2,
        };
        let plan = super::plan(&open, &options, &|_| {}, &stop).unwrap_or_else(|e| panic!("{name}: {e}"));
        let relaxed = plan.notes.iter().any(|n| n.starts_with("Relaxed"));
        assert!(relaxed || plan.targets.iter().all(|t| t.holds), "{name}: {:?}", plan.targets);
        assert!(plan.tiers.iter().all(|t| t.servers.is_none_or(|n| n > 0)), "{name}");
        assert!(plan.cost.total_per_month > 0.0, "{name}");
        assert!(plan.load_line.as_ref().is_some_and(|l| l.factor >= 1.0), "{name}: {:?}", plan.load_line);
    }
}
