//! Whatever scenario the reader accepts, the engines play: no panic, no hang, no result that is not a number.
//!
//! Why crossings: values taken from where another bundled scenario has the same field are mostly valid, and bring
//! together what nobody has written together yet. Cases are drawn from a seed, so one that fails is drawn again by
//! its number. `PLIMSOLL_FUZZ_CASES` sets how many, `PLIMSOLL_FUZZ_FROM` the number of the first.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{bundled, resolve};
use plimsoll_sim::plan::{self, Assumed};
use plimsoll_sim::{Mode, estimate, simulate};
use serde_json::Value;

const CASES: u64 = 10;
/// After this time a plan or a simulation is told to end with what it has.
const PLAY_MAX: Duration = Duration::from_millis(300);
/// No case takes longer, however slow the machine.
const CASE_MAX: Duration = Duration::from_mins(2);

/// The fields of all bundled scenarios: where they are, and what others have there.
struct Corpus {
    /// By scenario.
    paths: Vec<(&'static str, Vec<(String, Value)>)>,
    /// By the name of a field.
    values: BTreeMap<String, Vec<Value>>,
}

impl Corpus {
    fn new() -> Self {
        let mut corpus = Self { paths: Vec::new(), values: BTreeMap::new() };
        for bundled in bundled() {
            let resolved = resolve(bundled.name, &[]).unwrap().yaml();
            let tree: Value = serde_yaml::from_str(&resolved).unwrap();
            let mut paths = Vec::new();
            walk("", &tree, &mut paths);
            for (path, value) in &paths {
                let name = path.rsplit('.').find(|part| part.parse::<usize>().is_err()).unwrap();
                let name = name.trim_matches('\'').to_owned();
                corpus.values.entry(name).or_default().push(value.clone());
            }
            corpus.paths.push((bundled.name, paths));
        }
        corpus
    }

    /// A bundled scenario's name and settings of it.
    fn case(&self, number: u64) -> (&'static str, Vec<String>) {
        let mut draw = Stream::new(number, "any scenario", "settings", 0);
        let (name, paths) = &self.paths[draw.below(self.paths.len() as u64) as usize];
        let count = 1 + draw.below(4);
        let settings = (0..count).map(|_| {
            let (path, old) = &paths[draw.below(paths.len() as u64) as usize];
            let field = path.rsplit('.').find(|part| part.parse::<usize>().is_err()).unwrap();
            let others = &self.values[field.trim_matches('\'')];
            let other = &others[draw.below(others.len() as u64) as usize];
            let value = match (draw.below(4), scaled(old, 10_f64.powi(draw.below(9) as i32 - 4))) {
                (0 | 1, Some(scaled)) => scaled,
                _ => other.clone(),
            };
            format!("{path}={value}")
        });
        (name, settings.collect())
    }
}

fn walk(path: &str, value: &Value, paths: &mut Vec<(String, Value)>) {
    if !path.is_empty() {
        paths.push((path.to_owned(), value.clone()));
    }
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(&below(key), value, paths)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, value)| walk(&below(&i.to_string()), value, paths));
        }
        _ => {}
    }
}

/// A quantity such as `20 MB` times a factor.
fn scaled(value: &Value, factor: f64) -> Option<Value> {
    match value {
        Value::Number(number) => serde_json::Number::from_f64(number.as_f64()? * factor).map(Value::Number),
        Value::String(text) => {
            let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')?;
            let number: f64 = text[..end].replace('_', "").parse().ok()?;
            Some(Value::String(format!("{}{}", number * factor, &text[end..])))
        }
        _ => None,
    }
}

/// Raised after a time, unless what comes with it was dropped before.
fn stopped_after(time: Duration) -> (Arc<AtomicBool>, mpsc::Sender<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let (raise, (ended, wait)) = (Arc::clone(&stop), mpsc::channel());
    std::thread::spawn(move || {
        if wait.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout) {
            raise.store(true, Ordering::Relaxed);
        }
    });
    (stop, ended)
}

/// What was done with a case: read, planned, played.
type Done = [bool; 3];

fn exercise(name: &str, settings: &[String], seed: u64) -> Done {
    let Ok(resolved) = resolve(name, settings) else { return [false; 3] };
    let Ok(scenario) = resolved.scenario() else { return [false; 3] };
    let prices = PriceList::bundled();
    if prices.check(&scenario).is_err() {
        return [false; 3];
    }
    let figures =
        estimate::estimate(&scenario, &estimate::Options { seed, worlds: 100, prices: &prices, threads: 1 });
    for quantity in &figures.quantities {
        assert!(!quantity.value.is_nan(), "{} is not a number", quantity.id);
    }
    let (stop, _ended) = stopped_after(PLAY_MAX);
    let options = plan::Options {
        seed,
        prices: &prices,
        assumed: Assumed { utilisation: 0.7, spare: true, under: Vec::new() },
        worlds: 32,
        verify: false,
        relax: false,
        threads: 1,
    };
    let planned = resolved.open().is_ok_and(|open| match plan::plan(&open, &options, &|_| (), &stop) {
        Ok(plan) => {
            assert!(!plan.cost.total_per_month.is_nan());
            true
        }
        Err(error) => {
            assert!(!error.to_string().contains("NaN"), "{error}");
            false
        }
    });
    let window = Mode::Window { from_s: 64_800.0, to_s: 64_801.0 };
    let mut played = false;
    let scaled = scenario.scaled_for_load().ok();
    let modes = [
        (Some(&scenario), window),
        (Some(&scenario), Mode::Day),
        (scaled.as_ref(), Mode::Every { warmup_s: 1.0, duration_s: 2.0 }),
    ];
    for (scenario, mode) in modes {
        let Some(scenario) = scenario else { continue };
        let options = plimsoll_sim::Options { seed, threads: 1, replications: 2, precision: None, mode };
        let (stop, _ended) = stopped_after(PLAY_MAX);
        let run = simulate(scenario, &options, &|_| (), &stop);
        if let Some(run) = run {
            assert!(run.slos.iter().all(|slo| !slo.value.is_nan()), "{mode:?}: {:?}", run.slos);
            played = true;
        }
    }
    [true, planned, played]
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |n| n.parse().unwrap())
}

#[test]
fn every_engine_takes_every_scenario_that_is_valid() {
    let corpus = Corpus::new();
    let from = from_environment("PLIMSOLL_FUZZ_FROM", 0);
    let cases = from_environment("PLIMSOLL_FUZZ_CASES", CASES);
    let mut counts = [0; 3];
    let mut failures = Vec::new();
    for number in from..from + cases {
        let (name, settings) = corpus.case(number);
        let (told, heard) = mpsc::channel();
        let given = settings.clone();
        std::thread::spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(|| exercise(name, &given, number)));
            told.send(done.map_err(|_| "panicked")).ok();
        });
        let done = heard.recv_timeout(CASE_MAX).unwrap_or(Err("hangs"));
        match done {
            Ok(done) => counts.iter_mut().zip(done).for_each(|(count, done)| *count += u64::from(done)),
            Err(what) => failures.push(format!("case {number} {what}: {name} {settings:?}")),
        }
    }
    println!("{cases} cases; valid, planned, played: {counts:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // How many are played to their end in time is the machine's affair.
    assert!(cases < CASES || counts[0] * 5 > cases, "too few are valid: {counts:?}");
}
