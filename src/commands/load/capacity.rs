//! `plimsoll load --find-capacity`: the highest rate at which all targets hold.

use std::cell::RefCell;

use plimsoll_loadgen::capacity::{Found, Probe, Search, fit, search};
use plimsoll_loadgen::{Arrivals, LoadOptions, Played, Targets};
use plimsoll_reports::capacity::{Capacity, CapacityProbe, FittedLaw};
use plimsoll_reports::format::human;
use plimsoll_reports::gate::{Round, Threshold};
use plimsoll_reports::record::{Provenance, Unit};
use plimsoll_reports::{json, text};
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::slo::Metric;

use super::{aimed, watched};
use crate::cli::{Format, LoadArgs};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

/// Seconds of a probe, unless told otherwise.
const PROBE_S: f64 = 5.0;
/// Before each probe, so that it starts in its own steady state.
const SETTLE_S: f64 = 1.0;
const WITHIN: f64 = 0.05;
const PROBES_MAX: usize = 60;
/// The first rate, of the scenario's own: below it, where most systems still hold.
const START: f64 = 0.5;
/// Held where the scenario says nothing of failures.
const ERRORS: &str = "errors < 1 %";

pub fn run(
    args: &LoadArgs,
    scenario: &Scenario,
    scaled: &Scenario,
    options: &LoadOptions,
    terminal: &Terminal,
) -> Result<Code, Failure> {
    let slos = slos(args, scenario)?;
    let aimed = aimed(&args.aim, scenario, args.seed, terminal)?;
    let found = climb(args, scaled, &aimed.targets, options, &slos, terminal);
    aimed.stop();
    let (found, target) = found?;
    let unsound = found.unsound;
    let record = record(scenario, options, &slos, found, target);
    terminal.print(&match args.format {
        Format::Json => json::to_string(&record)?,
        Format::Text => text::capacity(&record, terminal.style),
    })?;
    let stopped = options.stop.load(std::sync::atomic::Ordering::Relaxed);
    Ok(if stopped {
        Code::Interrupted
    } else if unsound {
        Code::Failure
    } else if record.holds_per_s == 0.0 {
        Code::Breached
    } else {
        Code::Success
    })
}

/// Warms up once, then probes rate after rate.
fn climb(
    args: &LoadArgs,
    scaled: &Scenario,
    targets: &Targets,
    options: &LoadOptions,
    slos: &[Threshold],
    terminal: &Terminal,
) -> Result<(Found, String), Failure> {
    let start_per_s = START * plimsoll_loadgen::planned_rate(scaled, targets, options.seed)?;
    if options.warmup_s > 0.0 {
        let warm = LoadOptions { warmup_s: 0.0, duration_s: options.warmup_s, ..options.clone() };
        watched(scaled, targets, &warm, terminal, None)?;
    }
    let target = RefCell::new(String::new());
    let probe_s = args.duration.unwrap_or(PROBE_S);
    let found =
        search(Search { start_per_s, within: WITHIN, probes_max: PROBES_MAX }, |rate_per_s, number| {
            let options = LoadOptions {
                seed: options.seed.wrapping_add(1 + number),
                warmup_s: SETTLE_S,
                duration_s: probe_s,
                arrivals: Arrivals::Poisson { rate_per_s },
                ..options.clone()
            };
            let played = watched(scaled, targets, &options, terminal, None)?;
            target.borrow_mut().clone_from(&played.measurement.target);
            if played.measurement.provenance.partial {
                return Ok::<_, Failure>(None);
            }
            let probe = probe(rate_per_s, &played, slos);
            terminal.say(&said(&probe));
            Ok(Some(probe))
        })?;
    Ok((found, target.into_inner()))
}

fn said(probe: &Probe) -> String {
    let word = match (&probe.unsound, &probe.broken) {
        (Some(cause), _) => format!("unsound: {cause}"),
        (None, Some(cause)) => format!("breaks: {cause}"),
        (None, None) => "holds".to_owned(),
    };
    format!("probe        {} {word}", human(probe.offered_per_s, Unit::PerSecond))
}

fn probe(rate_per_s: f64, played: &Played, slos: &[Threshold]) -> Probe {
    let run = &played.measurement;
    let all = |of: fn(&plimsoll_reports::record::ActionMeasured) -> (f64, f64)| {
        run.actions.iter().map(of).fold((0.0, 0.0), |(n, sum), (k, s)| (n + k, sum + s))
    };
    let (answered, seconds) = all(|a| (a.complete.count as f64, a.complete.mean_s * a.complete.count as f64));
    Probe {
        offered_per_s: rate_per_s,
        achieved_per_s: answered / run.duration_s.max(1e-9),
        latency_mean_s: if answered > 0.0 { seconds / answered } else { 0.0 },
        broken: broken(&played.round, slos).or_else(|| overrun(run.missed, run.planned)),
        unsound: if played.disturbed { run.invalid.first().cloned() } else { None },
    }
}

/// The first target that does not hold.
fn broken(round: &Round, slos: &[Threshold]) -> Option<String> {
    slos.iter().find_map(|slo| {
        let value = round.value(&slo.series)?;
        (!slo.holds(value)).then(|| format!("{} is {}", slo.text, human(value, slo.series.unit())))
    })
}

/// Requests that nobody could take because all users waited for answers.
fn overrun(missed: u64, planned: u64) -> Option<String> {
    (1_000 * missed > planned).then(|| format!("{missed} of {planned} requests found every user waiting"))
}

/// What must hold: as told, or what the scenario says of its actions.
fn slos(args: &LoadArgs, scenario: &Scenario) -> Result<Vec<Threshold>, Failure> {
    if !args.slo.is_empty() {
        let parse =
            |text: &String| Threshold::parse(text).map_err(|cause| Failure::Usage(format!("--slo: {cause}")));
        return args.slo.iter().map(parse).collect();
    }
    let mut slos = of_actions(scenario);
    slos.extend(Threshold::parse(ERRORS));
    Ok(slos)
}

/// The scenario's targets on the times of its actions: scaling keeps times, and not hit ratios or utilisations.
pub fn of_actions(scenario: &Scenario) -> Vec<Threshold> {
    let times = scenario
        .slos
        .iter()
        .filter(|slo| matches!(slo.metric, Metric::FirstByte { .. } | Metric::Complete { .. }));
    times.filter_map(|slo| Threshold::parse(&slo.text).ok()).collect()
}

fn record(
    scenario: &Scenario,
    options: &LoadOptions,
    slos: &[Threshold],
    found: Found,
    target: String,
) -> Capacity {
    let sound: Vec<&Probe> = found.probes.iter().filter(|probe| probe.unsound.is_none()).collect();
    let points: Vec<(f64, f64)> =
        sound.iter().map(|probe| (probe.in_flight(), probe.achieved_per_s)).collect();
    let law = fit(&points).map(|law| FittedLaw {
        lambda_per_s: law.lambda_per_s,
        sigma: law.sigma,
        kappa: law.kappa,
        error: law.error,
        peak: law.peak(),
    });
    let probes = found.probes.iter().map(|probe| CapacityProbe {
        offered_per_s: probe.offered_per_s,
        achieved_per_s: probe.achieved_per_s,
        latency_mean_s: probe.latency_mean_s,
        in_flight: probe.in_flight(),
        broken: probe.broken.clone(),
        unsound: probe.unsound.clone(),
    });
    Capacity {
        provenance: Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.name.clone(),
            seed: options.seed,
            options: [("users".to_owned(), options.users_max.to_string())].into(),
            partial: options.stop.load(std::sync::atomic::Ordering::Relaxed),
        },
        target,
        slos: slos.iter().map(|slo| slo.text.clone()).collect(),
        holds_per_s: found.holds_per_s,
        breaks_per_s: found.breaks_per_s,
        why: found.why,
        probes: probes.collect(),
        law,
    }
}
