//! How fast the engine's kernels are, beside other software, in one run: `cargo bench -p plimsoll-sim`.
//!
//! Why no framework: the question is a ratio, and machines are noisy. Contestants take turns, each turn
//! starts fresh, and the best turn of each counts, so that whatever slows the machine slows all of them.
//! Arguments choose groups by their names: `cargo bench -p plimsoll-sim -- small`.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use plimsoll_scenarios::distribution::Distribution;
use plimsoll_scenarios::popularity::Popularity;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::Seconds;
use plimsoll_scenarios::{Balance, Policy, load_with};
use plimsoll_sim::cache::{Cache, Sizes};
use plimsoll_sim::station::Station;
use plimsoll_sim::{Mode, Options, simulate_exact};
use rand_distr::Distribution as _;

const TURNS: usize = 5;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let groups: [(&str, fn()); 5] = [
        ("small", small_caches),
        ("large", large_caches),
        ("zipf", zipf),
        ("station", stations),
        ("exact", exact_day),
    ];
    for (name, run) in groups {
        if chosen.is_empty() || chosen.iter().any(|c| c == name) {
            run();
        }
    }
}

/// One contestant: its name, and a turn that says how long it took (setting up left out) and a figure that
/// shows what it did.
struct Contestant<'a> {
    name: String,
    turn: Box<dyn Fn() -> (Duration, u64) + 'a>,
}

fn contestant<'a>(name: impl Into<String>, turn: impl Fn() -> (Duration, u64) + 'a) -> Contestant<'a> {
    Contestant { name: name.into(), turn: Box::new(turn) }
}

/// Lets them take turns; prints operations a second and the ratio to the first.
fn compete(title: &str, operations: usize, turns: usize, figure: &str, contestants: &[Contestant]) {
    println!("\n{title}");
    println!("{:<28} {:>9} {:>9} {:>7}  {figure}", "", "M/s", "ns each", "ratio");
    let mut best = vec![(Duration::MAX, 0); contestants.len()];
    for _ in 0..turns {
        for (best, contestant) in best.iter_mut().zip(contestants) {
            *best = (*best).min((contestant.turn)());
        }
    }
    let first = best[0].0;
    for ((time, shown), contestant) in best.iter().zip(contestants) {
        let each = time.as_secs_f64() / operations as f64;
        let ratio = first.as_secs_f64() / time.as_secs_f64();
        println!("{:<28} {:>9.1} {:>9.1} {ratio:>7.2}  {shown}", contestant.name, 1e-6 / each, each * 1e9);
    }
}

fn timed(run: impl FnOnce() -> u64) -> (Duration, u64) {
    let began = Instant::now();
    let shown = black_box(run());
    (began.elapsed(), shown)
}

/// Ids by a Zipf law, scattered over the catalogue.
fn trace(objects: u32, exponent: f64, requests: usize) -> Vec<u32> {
    let sampler = Popularity::zipf(exponent).over(u64::from(objects)).sampler();
    let mut stream = Stream::new(1, "bench", "ids", 0);
    let scatter = |rank: u64| (rank * 2_654_435_761 % u64::from(objects)) as u32;
    (0..requests).map(|_| scatter(sampler.draw(&mut stream))).collect()
}

fn ours(policy: Policy, objects: u32, capacity: usize, ids: &[u32], batched: bool) -> (Duration, u64) {
    let mut cache = Cache::new(policy, objects, capacity as u64, Sizes::Same(1));
    if !batched {
        return timed(|| ids.iter().map(|&id| u64::from(!cache.request(id))).sum());
    }
    timed(|| played(&mut cache, ids))
}

/// Misses of requests given in batches.
fn played(cache: &mut Cache, ids: &[u32]) -> u64 {
    let mut hits = Vec::with_capacity(1 << 16);
    let misses = |batch: &[u32]| {
        hits.clear();
        cache.request_batch(batch, &mut hits);
        hits.iter().map(|&hit| u64::from(!hit)).sum::<u64>()
    };
    ids.chunks(1 << 16).map(misses).sum()
}

fn lru_crate(capacity: usize, ids: &[u32]) -> (Duration, u64) {
    let mut cache = lru::LruCache::new(NonZeroUsize::new(capacity).expect("capacities here are above 0"));
    timed(|| {
        let mut misses = 0;
        for &id in ids {
            if cache.get(&id).is_none() {
                misses += 1;
                cache.put(id, ());
            }
        }
        misses
    })
}

fn quick_cache_crate(capacity: usize, ids: &[u32]) -> (Duration, u64) {
    let mut cache = quick_cache::unsync::Cache::new(capacity);
    timed(|| {
        let mut misses = 0;
        for &id in ids {
            if cache.get(&id).is_none() {
                misses += 1;
                cache.insert(id, ());
            }
        }
        misses
    })
}

fn small_caches() {
    const OBJECTS: u32 = 1_000_000;
    const REQUESTS: usize = 10_000_000;
    let ids = trace(OBJECTS, 1.0, REQUESTS);
    for capacity in [10_000, 100_000] {
        let mut contestants = vec![
            contestant("lru crate", || lru_crate(capacity, &ids)),
            contestant("quick_cache crate", || quick_cache_crate(capacity, &ids)),
        ];
        for (_, policy) in Policy::NAMES {
            for (how, batched) in [("", false), (", batched", true)] {
                let name = format!("plimsoll {}{how}", policy.label());
                let ids = &ids;
                contestants.push(contestant(name, move || ours(policy, OBJECTS, capacity, ids, batched)));
            }
        }
        let title = format!("1 M objects, Zipf 1.0, capacity {capacity}, 10 M requests");
        compete(&title, REQUESTS, TURNS, "misses", &contestants);
    }
}

/// Full caches: what counts in a run of a day is how fast they go on, not how fast they fill.
fn large_caches() {
    const OBJECTS: u32 = 100_000_000;
    const WARM: usize = 60_000_000;
    const REQUESTS: usize = 20_000_000;
    for exponent in [0.8, 1.0] {
        let ids = trace(OBJECTS, exponent, WARM + REQUESTS);
        let (warm, ids) = ids.split_at(WARM);
        for capacity in [1_000_000, 10_000_000] {
            let contestants = [Policy::Lru, Policy::Sieve, Policy::Clock, Policy::Fifo].map(|policy| {
                contestant(format!("plimsoll {}, batched", policy.label()), move || {
                    let mut cache = Cache::new(policy, OBJECTS, capacity, Sizes::Same(1));
                    played(&mut cache, warm);
                    timed(|| played(&mut cache, ids))
                })
            });
            let title = format!("100 M objects, Zipf {exponent}, capacity {capacity}, 20 M requests, warm");
            compete(&title, REQUESTS, 2, "misses", &contestants);
        }
    }
}

fn zipf() {
    const DRAWS: usize = 20_000_000;
    for (objects, exponent) in [(1_000_000, 1.0), (100_000_000, 0.8), (100_000_000, 1.0)] {
        let theirs = rand_distr::Zipf::new(objects as f64, exponent).expect("the parameters are in range");
        let sampler = Popularity::zipf(exponent).over(objects).sampler();
        let stream = || Stream::new(1, "bench", "ranks", 0);
        let contestants = [
            contestant("rand_distr::Zipf", || {
                let mut stream = stream();
                timed(|| (0..DRAWS).map(|_| theirs.sample(&mut stream) as u64).fold(0, u64::wrapping_add))
            }),
            contestant("plimsoll sampler", || {
                let mut stream = stream();
                timed(|| (0..DRAWS).map(|_| sampler.draw(&mut stream) + 1).fold(0, u64::wrapping_add))
            }),
        ];
        let title = format!("Zipf {exponent} over {objects} ranks");
        compete(&title, DRAWS, TURNS, "sum of ranks", &contestants);
    }
}

fn stations() {
    const CUSTOMERS: usize = 10_000_000;
    let queue = |slots: usize| {
        let mut station = Station::new(1, slots, 1_000_000, Balance::Random);
        let [mut arrivals, mut services, mut choices] =
            ["arrivals", "services", "choices"].map(|purpose| Stream::new(1, "bench", purpose, 0));
        let sampler = Distribution::<Seconds>::exponential(1.0).sampler();
        let rate = 0.8 * slots as f64;
        timed(|| {
            let mut now = 0.0;
            for _ in 0..CUSTOMERS {
                now += arrivals.exponential() / rate;
                black_box(station.arrive(now, &sampler, &mut services, &mut choices));
            }
            (station.take_tally().wait_s / CUSTOMERS as f64 * 1e6) as u64
        })
    };
    let contestants = [1, 4, 16].map(|slots| contestant(format!("M/M/{slots}"), move || queue(slots)));
    compete("Customers through a station at 80 %", CUSTOMERS, TURNS, "mean wait, millionths", &contestants);
}

/// A day of every request of a fiftieth of the users over the whole catalogue: what a request costs.
fn exact_day() {
    let scenario = load_with("spotify", &["population.users=20 M".to_owned()]).expect("it is bundled");
    for threads in [1, 2] {
        let options = Options { seed: 1, threads, replications: 1, mode: Mode::Day };
        let began = Instant::now();
        let run = simulate_exact(&scenario, &options, &|_| {}, &AtomicBool::new(false));
        let took = began.elapsed();
        let run = run.expect("it fits").expect("nothing stops it");
        let per_day = run.actions.iter().map(|a| a.requests).sum::<f64>();
        println!(
            "\nexact day of spotify, 20 M users, {threads} threads: {:.1} s for {:.0} M requests, {:.0} M through caches: {:.1} ns each",
            took.as_secs_f64(),
            per_day / 1e6,
            run.method.simulated_requests as f64 / 1e6,
            took.as_secs_f64() * 1e9 / run.method.simulated_requests as f64
        );
    }
}
