//! `plimsoll gate`: rounds of the load, judged by statistics. Passed, breached, or inconclusive.

mod report;
mod rounds;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use plimsoll_reports::gate::{
    Answer, Baseline, BaselineError, Check, Gate, Judge, Machine, Series, Threshold, Verdict, busier, judge,
};
use plimsoll_reports::json;
use plimsoll_reports::record::{Comparison, Provenance, Unit};
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::units::Fraction;

use crate::cli::{GateArgs, TIMEOUT_S};
use crate::commands::load;
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;
use crate::{machine, output};
use rounds::{Both, Rounds};

/// Rounds of an eighth of the scenario's duration, within these seconds.
const ROUND_SHARE: f64 = 0.125;
const ROUND_S: (f64, f64) = (1.0, 10.0);

pub fn run(args: &GateArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let began = Instant::now();
    let scenario = args.what.load()?;
    args.aim.check(&scenario, "gate")?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let mut asked = asked(args, &scenario)?;
    let spans_s = spans(args, &scenario);
    let here = machine::fingerprint();
    let baseline = baseline(args, &scenario, &here, spans_s)?;
    if asked.thresholds.is_empty() && baseline.is_none() && args.against.is_none() {
        asked.thresholds = load::of_actions(&scenario);
    }
    let watched =
        baseline.is_some() || args.against.is_some() || args.update_baseline || asked.tolerance.is_some();
    if asked.thresholds.is_empty() && !watched {
        return Err(Failure::Usage(format!(
            "there is nothing to judge: {} has no SLO on the times of its actions\nhint: add `--threshold 'errors < 0.1 %'`, or `--baseline FILE`",
            scenario.name
        )));
    }
    // Before minutes of rounds whose answer would have no place.
    let kept = args.baseline.as_deref().filter(|_| args.update_baseline);
    args.junit.as_deref().into_iter().chain(kept).try_for_each(output::prepare)?;
    let planned = Rounds { args, scenario: &scenario, spans_s, stop: &stop, terminal };
    planned.check()?;
    let predicted = predicted(args, &scenario, spans_s, terminal, &stop)?;
    let Both { now, before, target, notes, restless, comparisons } = planned.play(predicted.as_ref())?;
    // Ports that are others in every run say nothing.
    let target = if args.aim.target.is_some() { target } else { "the bundled stack".to_owned() };
    let stopped = stop.load(Ordering::Relaxed);
    if stopped && now.len() < 3 {
        return Err(Failure::Interrupted);
    }
    let provenance = provenance(args, &scenario, spans_s, stopped);
    if args.update_baseline && !stopped {
        let fresh = Baseline::of(&now, provenance.clone(), here.clone(), &target, spans_s);
        write_baseline(args.baseline.as_deref(), &fresh, terminal)?;
    }
    let against = if before.is_empty() {
        baseline
    } else {
        Some(Baseline::of(&before, provenance.clone(), here, &target, spans_s))
    };
    let mut checks = judge(&asked, &now, against.as_ref(), &comparisons);
    if restless {
        let why = "the machine was too busy for the generator to measure times";
        checks.iter_mut().filter(|v| v.unit == Unit::Seconds).for_each(|verdict| doubt(verdict, why));
    }
    // Of a target that is not ours nobody knows which of the others it is.
    let company = against.as_ref().filter(|_| args.aim.target.is_none()).and_then(|b| busier(&now, b));
    if let Some(why) = company {
        let slower = |v: &&mut Verdict| {
            v.unit == Unit::Seconds && v.answer == Answer::Breached && matches!(v.check, Check::Baseline(_))
        };
        checks.iter_mut().filter(slower).for_each(|verdict| doubt(verdict, &why));
    }
    let answer = Answer::all(checks.iter().map(|verdict| verdict.answer));
    let rounds = now.len() as u64;
    let record = Gate { provenance, target, answer, rounds, round_s: spans_s.1, checks, notes };
    report::write(args, &record, began.elapsed().as_secs_f64(), terminal)?;
    Ok(if stopped { Code::Interrupted } else { code(answer) })
}

const fn code(answer: Answer) -> Code {
    match answer {
        Answer::Passed => Code::Success,
        Answer::Breached => Code::Breached,
        Answer::Inconclusive => Code::Inconclusive,
    }
}

/// Takes back what a time seems to say.
fn doubt(verdict: &mut Verdict, why: &str) {
    verdict.answer = Answer::Inconclusive;
    verdict.rounds_needed = None;
    verdict.why = format!("{why}; seen was {}", verdict.why);
}

/// Everything that the command line asks, each series being one of the scenario's.
fn asked(args: &GateArgs, scenario: &Scenario) -> Result<Judge, Failure> {
    let usage = |option: &str, cause: String| Failure::Usage(format!("--{option}: {cause}"));
    let share = |option: &str, text: &str| {
        Fraction::parse(text)
            .map(|f| f.get())
            .map_err(|(cause, fix)| usage(option, format!("{cause}; {fix}")))
    };
    let mut judge = Judge::new(args.seed);
    for text in &args.thresholds {
        let threshold = Threshold::parse(text).map_err(|cause| usage("threshold", cause))?;
        known(scenario, &threshold.series).map_err(|cause| usage("threshold", cause))?;
        judge.thresholds.push(threshold);
    }
    for text in &args.watch {
        let series = Series::parse(text).map_err(|cause| usage("watch", cause))?;
        known(scenario, &series).map_err(|cause| usage("watch", cause))?;
        judge.watched.push(series);
    }
    judge.min_effect = share("min-effect", &args.min_effect)?;
    judge.tolerance = args.prediction.as_deref().map(|text| share("prediction", text)).transpose()?;
    Ok(judge)
}

/// Whether the scenario has what a series is about.
fn known(scenario: &Scenario, series: &Series) -> Result<(), String> {
    let Some(subject) = &series.subject else { return Ok(()) };
    let branches = scenario.actions.iter().flat_map(|(name, action)| {
        action.then.iter().map(move |branch| format!("{name}.{}", scenario.tier_name(branch.tier)))
    });
    let names: Vec<String> =
        scenario.actions.keys().chain(scenario.tiers.keys()).cloned().chain(branches).collect();
    if names.contains(subject) {
        return Ok(());
    }
    Err(format!(
        "`{series}`: {} has no action or tier `{subject}`; it has {}",
        scenario.name,
        names.join(", ")
    ))
}

/// Warm-up before the first round, and length of a round, seconds.
fn spans(args: &GateArgs, scenario: &Scenario) -> (f64, f64) {
    let (warmup_s, duration_s) = load::window(scenario).unwrap_or((0.0, 8.0));
    let round_s = (duration_s * ROUND_SHARE).clamp(ROUND_S.0, ROUND_S.1);
    (args.warmup.unwrap_or(warmup_s), args.duration.unwrap_or(round_s))
}

/// The baseline to compare with, if there is to be one.
fn baseline(
    args: &GateArgs,
    scenario: &Scenario,
    here: &Machine,
    spans_s: (f64, f64),
) -> Result<Option<Baseline>, Failure> {
    let Some(path) = args.baseline.as_deref().filter(|_| !args.update_baseline) else { return Ok(None) };
    let failed = |cause: String, hint: &str| Failure::Read {
        path: path.display().to_string(),
        cause,
        hint: hint.to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|e| {
        failed(e.to_string(), "record one with `--update-baseline`, and keep it in the repository")
    })?;
    let read = |text: &str| -> Result<Baseline, BaselineError> {
        let baseline = Baseline::read(text)?;
        baseline.accepts(&scenario.name, here, spans_s)?;
        Ok(baseline)
    };
    read(&text)
        .map(Some)
        .map_err(|e| failed(e.to_string(), "a baseline holds for one scenario on one machine"))
}

fn write_baseline(path: Option<&Path>, baseline: &Baseline, terminal: &Terminal) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    output::put(path, &json::to_string(baseline)?)?;
    terminal.say(&format!("baseline     {} rounds in {}", baseline.seeds.len(), path.display()));
    Ok(())
}

/// What the rounds should measure, if they are to be held against it.
fn predicted(
    args: &GateArgs,
    scenario: &Scenario,
    (warmup_s, round_s): (f64, f64),
    terminal: &Terminal,
    stop: &Arc<AtomicBool>,
) -> Result<Option<plimsoll_reports::record::Run>, Failure> {
    if args.prediction.is_none() {
        return Ok(None);
    }
    let repeat = crate::cli::Repeat { seed: args.seed, threads: None };
    let window = Some((warmup_s, round_s * args.rounds as f64));
    let replications = crate::commands::simulate::REPLICATIONS;
    crate::commands::simulate::predict(scenario, &repeat, replications, window, terminal, stop).map(Some)
}

fn provenance(args: &GateArgs, scenario: &Scenario, spans_s: (f64, f64), partial: bool) -> Provenance {
    let mut options: std::collections::BTreeMap<String, String> = [
        ("rounds", args.rounds.to_string()),
        ("warmup", format!("{} s", spans_s.0)),
        ("round", format!("{} s", spans_s.1)),
        ("min_effect", args.min_effect.clone()),
        ("users", args.users.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if args.aim.timeout != TIMEOUT_S {
        options.insert("timeout".to_owned(), format!("{} s", args.aim.timeout));
    }
    let settings = scenario.settings();
    if !settings.is_empty() {
        options.insert("set".to_owned(), settings.join(", "));
    }
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        seed: args.seed,
        options,
        partial,
    }
}

/// Rows of a comparison that a gate holds a system to: what users see and what caches answer.
fn judged(comparison: Comparison) -> Comparison {
    let judged = |id: &str| [".hit_ratio", ".first_byte.", ".complete."].iter().any(|part| id.contains(part));
    let rows = comparison.rows.into_iter().filter(|row| judged(&row.id)).collect();
    Comparison { rows, ..comparison }
}
