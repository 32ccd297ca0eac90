//! The search against all combinations there are, and what must be true of every plan.

mod sites;

use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Open, Scenario, SourceFile, resolve};

use super::evaluate::{Broken, Choice, Evaluator, Sizing};
use super::load::loads;
use super::problem::{Assumed, Problem};
use super::search::{Found, Searcher, search};
use super::{Options, PlanError, explain, goals, plan, size};
use crate::flow::Flow;

pub(super) const ASSUMED: Assumed = Assumed { utilisation: 0.7, spare: true, under: Vec::new() };

fn open(name: &str, settings: &[&str]) -> Open {
    let settings: Vec<String> = settings.iter().map(|&s| s.to_owned()).collect();
    resolve(name, &settings).unwrap().open().unwrap()
}

/// Plans without worlds, simulation and relaxed targets.
fn by_formula(prices: &PriceList) -> Options<'_> {
    Options { seed: 1, prices, assumed: ASSUMED, worlds: 0, verify: false, relax: false, threads: 1 }
}

/// A small system whose figures hang on a seed.
pub(super) fn small(seed: u64) -> Scenario {
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
    let mut plans = 0;
    for seed in 0..12 {
        let open = Open { scenario: small(seed), free: Vec::new(), sites: Vec::new() };
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
        plans += usize::from(finds(&mut evaluator, least, seed));
    }
    assert!(plans >= 6, "{plans} plans");
}

/// Whether the search finds a plan: the one that costs least of all, and none only where there is none.
pub(super) fn finds(evaluator: &mut Evaluator<'_>, least: f64, seed: u64) -> bool {
    let Ok(found) = search(evaluator, None) else {
        assert!(least.is_infinite(), "{seed}: {least}");
        return false;
    };
    let cost = found.sizing.objective;
    assert!((cost / least - 1.0).abs() < 1e-9, "{seed}: {cost} {least}");
    assert!(found.proved > 1.0 - 1e-9, "{seed}: proved {}", found.proved);
    true
}

/// All numbers of servers near those of a plan, tried one by one.
#[test]
fn no_fewer_servers_keep_the_targets() {
    let prices = PriceList::bundled();
    let mut tried = 0;
    for seed in 20..28 {
        let open = Open { scenario: small(seed), free: Vec::new(), sites: Vec::new() };
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
    let stop = AtomicBool::new(false);
    for name in ["spotify", "uber", "netflix", "whatsapp", "twitter", "url-shortener"] {
        let open = open(name, &[]);
        let options = Options { relax: true, ..by_formula(&prices) };
        let plan = plan(&open, &options, &|_| {}, &stop).unwrap_or_else(|e| panic!("{name}: {e}"));
        let relaxed = plan.notes.iter().any(|n| n.starts_with("Relaxed"));
        assert!(relaxed || plan.targets.iter().all(|t| t.holds), "{name}: {:?}", plan.targets);
        assert!(plan.tiers.iter().all(|t| t.servers.is_none_or(|n| n > 0)), "{name}");
        assert!(plan.cost.total_per_month > 0.0, "{name}");
        let why = |t: &plimsoll_reports::plan::PlannedTier| format!("{} {:?}", t.binding, t.one_less);
        assert!(plan.tiers.iter().all(|t| !why(t).contains('∞')), "{name}: {:?}", plan.tiers);
        assert!(plan.load_line.as_ref().is_some_and(|l| l.factor >= 1.0), "{name}: {:?}", plan.load_line);
        plan.curves.iter().for_each(|curve| passes_through(curve, plan.cost.total_per_month));
    }
}

/// A curve goes through what the plan itself costs, and strict targets cost no less than loose ones.
fn passes_through(curve: &plimsoll_reports::plan::Curve, total: f64) {
    let own = curve.points.iter().find(|(bound, _)| (bound / curve.bound - 1.0).abs() < 1e-9);
    assert!(own.and_then(|point| point.1).is_some_and(|cost| (cost / total - 1.0).abs() < 1e-9), "{curve:?}");
    let mut costs: Vec<f64> = curve.points.iter().map(|point| point.1.unwrap_or(f64::INFINITY)).collect();
    if curve.target.contains('>') {
        costs.reverse();
    }
    // Points are sorted by their bounds. What steers the choice is not all in the bill, so a hair less may be.
    assert!(costs.windows(2).all(|pair| pair[0] >= 0.99 * pair[1]), "{curve:?}");
}

/// What the servers of a plan break with other capacities, copies and the like.
fn broken_with(evaluator: &mut Evaluator<'_>, plan: &Sizing, choice: Choice) -> Option<String> {
    let scenario = evaluator.changed(&choice).into_owned();
    let hits = evaluator.hits_at(&choice);
    let missed = goals::of_caches(evaluator, &hits).into_iter().find(|(g, v)| !goals::met(evaluator, *g, *v));
    if let Some((goal, value)) = missed {
        return Some(explain::broken(evaluator, &Broken::Goal { goal, value }));
    }
    let loads = loads(&scenario, evaluator.flow, &evaluator.demand, &hits);
    let keys = evaluator.keys_at(&choice);
    let other = Sizing { tiers: plan.tiers.clone(), ..Sizing::begun(choice, hits, loads, keys) };
    evaluator.first_broken(&scenario, &other)
}

/// One step less of everything that was sized, one at a time, and the target or rule that it breaks.
fn broken_by_one_less(evaluator: &mut Evaluator<'_>, found: &Found) -> Vec<(String, Option<String>)> {
    let mut all = Vec::new();
    for tier in 0..found.sizing.tiers.len() {
        let (Some(sized), Some(fleet)) = (&found.sizing.tiers[tier], &evaluator.problem.fleets[tier]) else {
            continue;
        };
        let step = size::step(sized.servers, &found.sizing.loads[tier], false, (1, fleet.range.1));
        // There is no less than one server at every place.
        let Some((servers, pools)) = step else { continue };
        let mut less = found.sizing.clone();
        less.tiers[tier] = Some(size::Sized { servers, pools, ..sized.clone() });
        let scenario = evaluator.changed(&less.choice).into_owned();
        let name = format!("{} servers of {}", servers, scenario.tier_name(tier));
        all.push((name, evaluator.first_broken(&scenario, &less)));
    }
    for axis in 0..found.point.len() {
        let Some(below) = found.point[axis].checked_sub(1) else { continue };
        let mut point = found.point.clone();
        point[axis] = below;
        let choice = evaluator.choice(&point);
        let name = format!("{:?} of {}", evaluator.problem.axes[axis], below);
        all.push((name, broken_with(evaluator, &found.sizing, choice)));
    }
    all
}

#[test]
fn a_search_that_is_stopped_keeps_what_it_has_found() {
    let prices = PriceList::bundled();
    let open = Open { scenario: small(3), free: Vec::new(), sites: Vec::new() };
    let options = by_formula(&prices);
    let stopped = plan(&open, &options, &|_| (), &AtomicBool::new(true));
    assert!(matches!(stopped, Err(PlanError::Stopped)), "{stopped:?}");
    // Some way into it.
    let problem = Problem::new(&open, &prices, &ASSUMED).unwrap();
    let flow = Flow::of(&problem.scenario);
    let stop = AtomicBool::new(false);
    let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
    evaluator.stop = Some(&stop);
    let whole = search(&mut evaluator, None).unwrap();
    evaluator.stop = Some(&stop);
    let mut searcher = Searcher::new(&mut evaluator);
    let far: Vec<usize> = problem.axes.iter().map(|axis| axis.values.len() - 1).collect();
    searcher.descend(far.clone());
    stop.store(true, Ordering::Relaxed);
    let least = searcher.prove(&far.iter().map(|last| last + 1).collect::<Vec<usize>>());
    let part = searcher.finish(1.0, least).unwrap();
    assert!(part.sizing.objective >= whole.sizing.objective && part.proved < 1.0, "{part:?}");
}

#[test]
fn one_step_less_anywhere_breaks_a_target_of_the_six_systems() {
    let prices = PriceList::bundled();
    let mut tried = 0;
    for name in ["spotify", "uber", "netflix", "whatsapp", "twitter", "url-shortener"] {
        let open = open(name, &[]);
        let problem = Problem::new(&open, &prices, &ASSUMED).unwrap();
        let flow = Flow::of(&problem.scenario);
        let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
        let found = search(&mut evaluator, None).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        let scenario = evaluator.changed(&found.sizing.choice).into_owned();
        assert_eq!(evaluator.first_broken(&scenario, &found.sizing), None, "{name}");
        for (what, broken) in broken_by_one_less(&mut evaluator, &found) {
            tried += 1;
            assert!(broken.is_some(), "{name}: {what} would do");
        }
    }
    assert!(tried > 50, "{tried} steps tried");
}

/// A store whose copies, shards and slots are for the plan to choose.
fn ledger(settings: &[&str]) -> Open {
    let text = "name: ledger\npopulation: {users: 4 M, diurnal: {peak_to_mean: 2}}\n\
        datasets: {entry: {count: 20 M, size: 100 KB, popularity: {zipf: 0.7}, in: store}}\n\
        actions:\n  read: {per_user: 60/day, of: entry, path: [web, store]}\n  \
        write: {per_user: 10/day, of: entry, write: true, path: [web, store]}\n\
        tiers:\n  web: {rtt: 5 ms, servers: auto, concurrency: auto 2 to 12, service_time: 8 ms, \
        price: {server: c7g.xlarge}}\n  \
        store: {rtt: 1 ms, servers: auto, concurrency: 4, service_time: {exponential: 6 ms}, \
        replication: auto, shards: auto, zones: 3, store: {capacity: 4 TB}, price: {server: i4i.large}}\n\
        slos: [read.first_byte p99 < 120 ms, entry.durability > 99.99999 %]\n";
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.yaml");
    std::fs::write(&path, text).unwrap();
    open(path.to_str().unwrap(), settings)
}

fn planned(open: &Open) -> Result<plimsoll_reports::plan::Plan, PlanError> {
    plan(open, &by_formula(&PriceList::bundled()), &|_| {}, &AtomicBool::new(false))
}

#[test]
fn copies_shards_and_slots_are_chosen_and_every_other_choice_is_dearer_or_breaks_something() {
    let plan = planned(&ledger(&[])).unwrap();
    let tier = |name: &str| plan.tiers.iter().find(|t| t.name == name).unwrap().clone();
    let (web, store) = (tier("web"), tier("store"));
    let slots = web.concurrency.unwrap();
    assert!((2..=12).contains(&slots), "{web:?}");
    let kept = store.kept_as.unwrap();
    let shards = store.shards.unwrap();
    for field in ["replication", "shards", "concurrency", "servers"] {
        assert!(plan.settings.iter().any(|s| s.contains(&format!(".{field}="))), "{:?}", plan.settings);
    }
    // By brute force: every way to keep it, alone.
    let mut costs = Vec::new();
    for scheme in ["2 copies", "3 copies", "4+2", "6+3", "10+4"] {
        let one = planned(&ledger(&[&format!("tiers.store.replication=auto {scheme}")]));
        costs.extend(one.ok().map(|p| (p.cost.total_per_month, scheme)));
    }
    let best = costs.iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    assert_eq!(best.1, kept, "{costs:?}");
    assert!((best.0 / plan.cost.total_per_month - 1.0).abs() < 1e-9, "{costs:?}");
    // More slots save nothing, and one less costs servers or breaks a target.
    let fewest = |slots: u64| {
        let set = format!("tiers.web.concurrency={slots}");
        let plan = planned(&ledger(&[&set])).unwrap();
        plan.tiers.iter().find(|t| t.name == "web").unwrap().servers
    };
    assert_eq!(fewest(12), web.servers);
    assert!(slots == 2 || fewest(slots - 1) > web.servers, "{slots} slots, {:?}", web.servers);
    let said = |what: &str| plan.alternatives.iter().any(|a| a.what.starts_with(what));
    assert!(
        said("web.concurrency") && said("store.replication") && said("store.shards"),
        "{:?}",
        plan.alternatives
    );
    // With one shard less some server would have no keys.
    let copies = if kept.ends_with("copies") { kept[..1].parse().unwrap() } else { shards };
    assert!(store.servers.unwrap() > (shards - 1) * copies || kept.contains('+'), "{kept} {shards}");
}

#[test]
fn what_the_new_choices_can_t_do_is_told() {
    let told = |settings: &[&str]| planned(&ledger(settings)).unwrap_err().to_string();
    let text = told(&["tiers.web.concurrency=auto"]);
    assert!(text.contains("tiers.web.concurrency") && text.contains("auto 4 to 64"), "{text}");
    let text = told(&["tiers.store.replication=auto 1 copies"]);
    assert!(text.contains("entry.durability") && text.contains("the best that sizes can do"), "{text}");
    let text = told(&["tiers.store.replication=auto 6 and 3"]);
    assert!(
        text.contains("neither a number of copies nor an erasure code") && text.contains("6+3"),
        "{text}"
    );
    let text = told(&["tiers.store.replication=auto 3 copies", "tiers.store.shards=auto 1 to 2"]);
    assert!(text.contains("hottest shard") && text.contains("2 shards"), "{text}");
    let text = told(&["tiers.store.shards={count: auto, by: range}"]);
    assert!(text.contains("ranges of keys") && text.contains("by: hash"), "{text}");
    let text = told(&["tiers.store.link=auto 400 to 500 Gbit/s"]);
    assert!(text.contains("tiers.store.link") && text.contains("faster types"), "{text}");
}

#[test]
fn a_plan_that_is_stopped_keeps_its_sizes_and_says_so() {
    let prices = PriceList::bundled();
    let open = Open { scenario: small(3), free: Vec::new(), sites: Vec::new() };
    let options = |verify| Options { verify, relax: true, ..by_formula(&prices) };
    let unplayed = plan(&open, &options(false), &|_| {}, &AtomicBool::new(false)).unwrap();
    assert!(!unplayed.provenance.partial);
    let stop = AtomicBool::new(false);
    let at_once = plan(&open, &options(true), &|_| stop.store(true, Ordering::Relaxed), &stop).unwrap();
    assert!(at_once.provenance.partial && at_once.settings == unplayed.settings);
    assert!(at_once.targets.iter().all(|t| t.simulated.is_none() && t.simulated_day.is_none()));
    // After the moments, before the day.
    let stop = AtomicBool::new(false);
    let progress = |share: f64| stop.store(share >= 0.25, Ordering::Relaxed);
    let later = plan(&open, &options(true), &progress, &stop).unwrap();
    assert!(
        later.provenance.partial && later.notes.iter().any(|n| n.starts_with("Stopped")),
        "{:?}",
        later.notes
    );
    assert!(later.failures.iter().any(|f| !f.played.is_empty()), "{:?}", later.failures);
    assert!(later.targets.iter().any(|t| t.simulated.is_some()), "{:?}", later.targets);
    assert!(later.targets.iter().all(|t| t.simulated_day.is_none()), "{:?}", later.targets);
}

#[test]
fn what_no_number_of_servers_reaches_is_relaxed_to_what_can_be_had() {
    let prices = PriceList::bundled();
    let open = open("twitter", &["slos=[availability > 99.9999999 %]"]);
    let strict = plan(&open, &by_formula(&prices), &|_| {}, &AtomicBool::new(false)).unwrap_err();
    assert!(strict.to_string().contains("availability"), "{strict}");
    let options = Options { relax: true, ..by_formula(&prices) };
    let relaxed = plan(&open, &options, &|_| {}, &AtomicBool::new(false)).unwrap_or_else(|e| panic!("{e}"));
    let told = relaxed.notes.iter().filter(|n| n.starts_with("Relaxed: availability")).count();
    assert!(told == 1 && relaxed.targets.iter().all(|t| t.holds), "{:?}", relaxed.notes);
}

#[test]
fn disks_of_a_cache_bind_and_more_memory_relieves_them() {
    let prices = PriceList::bundled();
    let never = AtomicBool::new(false);
    let mut before = u64::MAX;
    for memory in ["1 GB", "10 GB", "40 GB"] {
        let text = format!(
            "name: levels\npopulation: {{users: 10 M, diurnal: {{peak_to_mean: 2}}}}\n\
             datasets: {{page: {{count: 2 M, size: 100 KB, popularity: {{zipf: 0.8}}}}}}\n\
             actions: {{get: {{per_user: 40/day, of: page, path: [edge, origin]}}}}\n\
             tiers:\n  edge: {{servers: auto, concurrency: 64, service_time: 0.1 ms, cache: {{capacity: auto 90 to 110 GB, \
             memory: {memory}}}, store: {{iops: 500/s}}}}\n  origin: {{servers: auto, concurrency: 8, service_time: 5 ms}}\n"
        );
        let open = sites::open(&text, &[]);
        let plan = plan(&open, &by_formula(&prices), &|_| {}, &never).unwrap_or_else(|e| panic!("{e}"));
        let edge = plan.tiers.iter().find(|t| t.name == "edge").unwrap();
        assert!(edge.binding.contains("operations of disks"), "{memory}: {}", edge.binding);
        // 0.7 of 500 a second each, and one server more than that.
        let misses_memory = edge.servers.unwrap();
        assert!(misses_memory < before, "{memory}: {misses_memory} servers, {before} with less");
        before = misses_memory;
    }
}
