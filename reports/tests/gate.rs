//! The gate's promises on data that looks like a system's: queues that remember, a machine that drifts, rounds
//! that a neighbour disturbs.

use std::collections::BTreeMap;

use plimsoll_reports::gate::{
    Answer, Baseline, BaselineError, Check, Judge, Machine, Round, Series, Share, Threshold, Times, busier,
    judge,
};
use plimsoll_reports::record::{Comparison, ComparisonRow, Provenance, Unit};
use plimsoll_scenarios::rng::Stream;

const ROUNDS: u64 = 20;
const REQUESTS: u64 = 4_000;

/// How a system differs from the one that was recorded.
#[derive(Debug, Clone, Copy, Default)]
struct Injected {
    /// The slowest 2 % take this much longer.
    tail: f64,
    errors: f64,
    hit_ratio: f64,
}

/// Noise of the machine, by round.
#[derive(Debug, Clone, Copy)]
struct Mood {
    /// Standard deviation of a round's speed; one half of it carries over to the next round.
    drift: f64,
    /// Share of rounds that a neighbour makes slower by 30 %.
    disturbed: f64,
}

const QUIET: Mood = Mood { drift: 0.015, disturbed: 0.03 };

fn normal(stream: &mut Stream) -> f64 {
    (-2.0 * (1.0 - stream.uniform()).ln()).sqrt() * (std::f64::consts::TAU * stream.uniform()).cos()
}

/// One system, watched for some rounds: a queue with one server, 40 % busy, so that a request's latency depends on
/// those before it. `run` is what differs between two watches of the same system; requests come from the
/// round's seed.
fn rounds(run: u64, n: u64, mood: Mood, injected: Injected) -> Vec<Round> {
    let mut weather = Stream::new(run, "machine", "mood", 0);
    let mut carried = 0.0;
    (1..=n)
        .map(|seed| {
            let spread = mood.drift * (0.75_f64).sqrt();
            carried = 0.5 * carried + spread * normal(&mut weather);
            let disturbed = if weather.uniform() < mood.disturbed { 1.3 } else { 1.0 };
            round(seed, run, carried.exp() * disturbed, injected)
        })
        .collect()
}

fn round(seed: u64, run: u64, speed: f64, injected: Injected) -> Round {
    let mut requests = Stream::new(seed, "requests", "of the seed", 0);
    let mut chance = Stream::new(seed, "chance", "of the run", run);
    let mut wait = 0.0_f64;
    let mut latencies = Vec::with_capacity(REQUESTS as usize);
    let (mut failed, mut hits) = (0.0, 0.0);
    for _ in 0..REQUESTS {
        // Nine of ten service times follow from the request, as in the bundled stack; the others are new in each
        // run.
        let (same, new) = (normal(&mut requests), normal(&mut chance));
        let z = if requests.uniform() < 0.9 { same } else { new };
        let service_s = 0.010 * (0.8 * z - 0.32).exp() * speed;
        latencies.push(0.005 + wait + service_s);
        wait = (wait + service_s - requests.exponential() * 0.010 / 0.4).max(0.0);
        failed += f64::from(u8::from(chance.uniform() < 0.0002 + injected.errors));
        hits += f64::from(u8::from(requests.uniform() < 0.85 + injected.hit_ratio));
    }
    let mut sorted = latencies.clone();
    sorted.sort_by(f64::total_cmp);
    let slow = sorted[sorted.len() * 98 / 100];
    for latency in &mut latencies {
        if *latency >= slow {
            *latency *= 1.0 + injected.tail;
        }
    }
    let total = REQUESTS as f64;
    Round {
        seed,
        times: BTreeMap::from([(
            "play.first_byte".to_owned(),
            Times::from_buckets(latencies.into_iter().map(|latency| (latency, 1))),
        )]),
        shares: BTreeMap::from([
            ("errors".to_owned(), Share { hits: failed, total }),
            ("edge.hit_ratio".to_owned(), Share { hits, total }),
        ]),
        values: BTreeMap::from([("play.rate".to_owned(), 800.0)]),
    }
}

fn provenance() -> Provenance {
    Provenance {
        version: "0.1.0".into(),
        scenario: "spotify".into(),
        seed: 1,
        options: BTreeMap::new(),
        partial: false,
    }
}

fn machine() -> Machine {
    Machine {
        cpu: "A Processor".into(),
        cores: 2,
        memory_bytes: 8 << 30,
        system: "linux x86_64".into(),
        build: "release".into(),
    }
}

fn baseline(rounds: &[Round]) -> Baseline {
    Baseline::of(rounds, provenance(), machine(), "http://127.0.0.1:1", (20.0, 5.0))
}

/// Answers by series, against a baseline.
fn answers(now: &[Round], before: &[Round]) -> BTreeMap<String, Answer> {
    let baseline = baseline(before);
    judge(&Judge::new(1), now, Some(&baseline), &[]).into_iter().map(|v| (v.series, v.answer)).collect()
}

/// How many of 100 pairs of watches get this answer; `grouped` has twice as many rounds before, so that they cannot be
/// compared one by one.
fn count(
    n: u64,
    mood: Mood,
    injected: Injected,
    grouped: bool,
    wanted: impl Fn(&BTreeMap<String, Answer>) -> bool,
) -> u32 {
    (0..100)
        .map(|trial| {
            let earlier = if grouped { 2 * n } else { n };
            let before = rounds(2 * trial, earlier, mood, Injected::default());
            let now = rounds(2 * trial + 1, n, mood, injected);
            u32::from(wanted(&answers(&now, &before)))
        })
        .sum()
}

fn alarm(answers: &BTreeMap<String, Answer>) -> bool {
    answers.values().any(|answer| *answer == Answer::Breached)
}

#[test]
fn a_system_that_has_not_changed_raises_at_most_five_alarms_in_a_hundred() {
    let restless = Mood { drift: 0.06, disturbed: 0.15 };
    for (n, mood, grouped) in
        [(ROUNDS, QUIET, false), (ROUNDS, QUIET, true), (12, restless, false), (5, restless, true)]
    {
        let alarms = count(n, mood, Injected::default(), grouped, alarm);
        println!("{n} rounds, {mood:?}, grouped {grouped}: {alarms} false alarms");
        assert!(alarms <= 5, "{n} rounds, {mood:?}, grouped {grouped}: {alarms} false alarms");
    }
}

#[test]
fn on_a_quiet_machine_an_unchanged_system_mostly_passes() {
    let passed = count(ROUNDS, QUIET, Injected::default(), false, |a| {
        Answer::all(a.values().copied()) == Answer::Passed
    });
    println!("{passed} passed");
    assert!(passed >= 70, "{passed}");
}

#[test]
fn ten_per_cent_on_p99_are_found_in_at_least_95_of_a_hundred() {
    let injected = Injected { tail: 0.10, ..Injected::default() };
    let found = count(ROUNDS, QUIET, injected, false, |a| a["play.first_byte p99"] == Answer::Breached);
    println!("{found} found");
    assert!(found >= 95, "{found}");
}

#[test]
fn five_points_of_errors_are_always_found_and_ten_points_of_hits_too() {
    let restless = Mood { drift: 0.06, disturbed: 0.15 };
    let injected = Injected { errors: 0.05, hit_ratio: -0.10, ..Injected::default() };
    for series in ["errors", "edge.hit_ratio"] {
        let found = count(5, restless, injected, true, |a| a[series] == Answer::Breached);
        assert_eq!(found, 100, "{series}");
    }
}

fn times(ms: &[u64]) -> Times {
    Times::from_buckets(ms.iter().map(|&ms| (ms as f64 / 1e3, 100)))
}

/// Rounds of 1,000 requests with these 99th percentiles, in milliseconds, and failures.
fn plain(p99_ms: &[u64], failures: &[u64]) -> Vec<Round> {
    let round = |(i, (&ms, &failed)): (usize, (&u64, &u64))| Round {
        seed: i as u64,
        times: BTreeMap::from([("play.first_byte".into(), times(&[10, 10, 10, 10, 10, 10, 10, 10, 10, ms]))]),
        shares: BTreeMap::from([("errors".into(), Share { hits: failed as f64, total: 1_000.0 })]),
        values: BTreeMap::new(),
    };
    p99_ms.iter().zip(failures).enumerate().map(round).collect()
}

fn held(threshold: &str, rounds: &[Round]) -> (Answer, String) {
    let mut asked = Judge::new(1);
    asked.thresholds = vec![Threshold::parse(threshold).unwrap()];
    let mut verdicts = judge(&asked, rounds, None, &[]);
    assert_eq!(verdicts.len(), 1);
    let verdict = verdicts.remove(0);
    (verdict.answer, verdict.why)
}

#[test]
fn a_threshold_passes_is_breached_or_says_how_many_rounds_would_settle_it() {
    let rounds = plain(&[200, 210, 190, 205, 195, 202], &[0; 6]);
    assert_eq!(held("play.first_byte p99 < 250 ms", &rounds).0, Answer::Passed);
    assert_eq!(held("play.first_byte p99 < 150 ms", &rounds).0, Answer::Breached);
    let (answer, why) = held("play.first_byte p95 < 203 ms", &rounds);
    assert_eq!(answer, Answer::Inconclusive, "{why}");
    assert!(why.contains("is possible; about ") && why.contains(" rounds would settle it"), "{why}");
    let (answer, why) = held("search.first_byte p99 < 1 s", &rounds);
    assert_eq!(answer, Answer::Inconclusive);
    assert!(
        why.contains("no round measured `search.first_byte`; measured were errors, play.first_byte"),
        "{why}"
    );
    let (answer, why) = held("play.first_byte p99 < 1 s", &rounds[..2]);
    assert!(answer == Answer::Inconclusive && why.contains("3 are the least"), "{why}");
}

#[test]
fn no_failure_in_a_few_requests_is_no_proof_of_few_failures() {
    let few = plain(&[20; 3], &[0; 3]);
    let (answer, why) = held("errors < 0.05 %", &few);
    assert_eq!(answer, Answer::Inconclusive, "{why}");
    assert_eq!(held("errors < 1 %", &few).0, Answer::Passed);
    assert_eq!(held("errors < 0.05 %", &plain(&[20; 20], &[0; 20])).0, Answer::Passed);
    assert_eq!(held("errors < 1 %", &plain(&[20; 5], &[50, 48, 55, 47, 51])).0, Answer::Breached);
}

#[test]
fn a_doubt_is_settled_by_about_as_many_rounds_as_it_asks_for() {
    let restless = Mood { drift: 0.06, disturbed: 0.1 };
    let injected = Injected { tail: 0.12, ..Injected::default() };
    let series = "play.first_byte p99";
    let (mut asked, mut settled) = (0, 0);
    for trial in 0..30 {
        let (before, now) = (2 * trial + 1_000, 2 * trial + 1_001);
        let of = |n| {
            let baseline = baseline(&rounds(before, n, restless, Injected::default()));
            let verdicts = judge(&Judge::new(1), &rounds(now, n, restless, injected), Some(&baseline), &[]);
            verdicts.into_iter().find(|v| v.series == series).unwrap()
        };
        let first = of(6);
        if let (Answer::Inconclusive, Some(needed)) = (first.answer, first.rounds_needed)
            && needed <= 60
        {
            asked += 1;
            settled += u32::from(of(needed).answer != Answer::Inconclusive);
        }
    }
    println!("{settled} of {asked} settled");
    assert!(asked >= 10, "{asked}");
    assert!(2 * settled >= asked, "{settled} of {asked}");
}

#[test]
fn a_round_with_other_requests_does_not_blur_the_comparison() {
    let of = |hits: &[f64], seeds: &[u64]| -> Vec<Round> {
        let round = |(&hits, &seed): (&f64, &u64)| Round {
            seed,
            shares: BTreeMap::from([("edge.hit_ratio".into(), Share { hits, total: 1_000.0 })]),
            ..Round::default()
        };
        hits.iter().zip(seeds).map(round).collect()
    };
    let before = of(&[500.0, 600.0, 650.0, 700.0, 720.0, 740.0], &[1, 2, 3, 4, 5, 6]);
    // The third was played again with other requests, of which more were in the cache.
    let now = of(&[501.0, 600.0, 900.0, 699.0, 721.0, 740.0], &[1, 2, 7, 4, 5, 6]);
    let verdicts = judge(&Judge::new(1), &now, Some(&baseline(&before)), &[]);
    let verdict = verdicts.iter().find(|v| v.series == "edge.hit_ratio").unwrap();
    let Check::Baseline(Some(change)) = &verdict.check else { panic!("{verdict:?}") };
    assert!(change.paired && change.change.high < 0.005, "{change:?}");
    assert_eq!(verdict.answer, Answer::Passed);
}

#[test]
fn an_improvement_passes_and_says_so() {
    let before = plain(&[200, 210, 190, 205, 195, 202], &[0; 6]);
    let now = plain(&[160, 168, 152, 164, 156, 161], &[0; 6]);
    let mut asked = Judge::new(1);
    asked.watched = vec![Series::parse("play.first_byte p95").unwrap()];
    let verdicts = judge(&asked, &now, Some(&baseline(&before)), &[]);
    assert_eq!(verdicts[0].answer, Answer::Passed);
    assert!(verdicts[0].why.contains("better; --update-baseline"), "{}", verdicts[0].why);
    let Check::Baseline(Some(change)) = &verdicts[0].check else { panic!("{verdicts:?}") };
    assert!(change.paired && (change.change.value + 0.2).abs() < 0.01, "{change:?}");
}

#[test]
fn a_baseline_survives_its_file_and_refuses_what_it_is_not_of() {
    let recorded = baseline(&rounds(1, 4, QUIET, Injected::default()));
    let text = plimsoll_reports::json::to_string(&recorded).unwrap();
    assert!(text.len() < 4_000, "{} bytes", text.len());
    assert_eq!(Baseline::read(&text).unwrap(), recorded);
    recorded.accepts("spotify", &machine(), (20.0, 5.0)).unwrap();

    let refused = |scenario: &str, machine: &Machine, spans| {
        recorded.accepts(scenario, machine, spans).unwrap_err().to_string()
    };
    let other = Machine { cpu: "Another".into(), memory_bytes: 16 << 30, ..machine() };
    let error = refused("spotify", &other, (20.0, 5.0));
    for part in [
        "of another machine",
        "processor `A Processor`, here `Another`",
        "memory `8.0 GiB`, here `16.0 GiB`",
        "--update-baseline",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert!(refused("shop", &machine(), (20.0, 5.0)).contains("scenario `spotify`, this is `shop`"));
    assert!(refused("spotify", &machine(), (20.0, 6.0)).contains("rounds last 5 s, here 6 s"));

    for (bad, says) in [
        ("{}", "not a record"),
        ("{\"layout\": 99}", "layout 99"),
        (text.replacen("    1,\n    2,", "    1,", 1).as_str(), "values for 3 rounds"),
    ] {
        let error = Baseline::read(bad).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(matches!(Baseline::read("{\"layout\": 2}"), Err(BaselineError::OtherLayout(2))));
}

#[test]
fn a_prediction_is_held_within_a_tolerance() {
    let row = |id: &str, unit, error| ComparisonRow {
        id: id.into(),
        label: id.into(),
        unit,
        predicted: 1.0,
        measured: 1.0 / (1.0 + error),
        error,
    };
    let of = |p99, hits| Comparison {
        provenance: provenance(),
        rows: vec![row("play.first_byte.p99", Unit::Seconds, p99), row("edge.hit_ratio", Unit::Share, hits)],
        worst: None,
    };
    let comparisons = [of(0.02, -0.20), of(-0.01, -0.21), of(0.00, -0.19), of(0.01, -0.20), of(0.01, -0.22)];
    let mut asked = Judge::new(1);
    asked.tolerance = Some(0.1);
    let answers: Vec<Answer> = judge(&asked, &[], None, &comparisons).iter().map(|v| v.answer).collect();
    assert_eq!(answers, [Answer::Passed, Answer::Breached]);
    asked.tolerance = Some(0.205);
    let verdicts = judge(&asked, &[], None, &comparisons);
    assert_eq!(verdicts[1].answer, Answer::Inconclusive, "{verdicts:?}");
}

#[test]
fn a_machine_that_others_use_more_is_told() {
    let of = |busy: f64| -> Vec<Round> {
        let round =
            |seed| Round { seed, values: BTreeMap::from([("others_busy".into(), busy)]), ..Round::default() };
        (1..=5).map(round).collect()
    };
    let recorded = baseline(&of(0.10));
    assert_eq!(busier(&of(0.12), &recorded), None);
    assert_eq!(busier(&of(0.02), &recorded), None);
    let words = busier(&of(0.62), &recorded).unwrap();
    assert_eq!(words, "other processes kept 62 % of the machine busy, 10 % when the baseline was recorded");
    // Where the system does not tell, nothing is claimed.
    assert_eq!(busier(&of(0.62), &baseline(&plain(&[20; 5], &[0; 5]))), None);
}
