//! `plimsoll simulate`: the full day, or the scaled-down load run.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::Run;
use plimsoll_reports::{json, text};
use plimsoll_scenarios::Scenario;
use plimsoll_sim::{Mode, Options, simulate, simulate_exact};

use crate::cli::{Format, Repeat, SimulateArgs};
use crate::failure::{Code, Failure};
use crate::machine;
use crate::terminal::Terminal;

/// Replications of the stages of `run`.
pub const REPLICATIONS: u64 = 4;

pub fn run(args: &SimulateArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let scenario = args.what.load()?;
    let mode =
        args.window.map_or(Mode::Day, |window| Mode::Window { from_s: window.from_s, to_s: window.to_s });
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let record = if args.scaled {
        crate::failure::loadable(&scenario, "simulate --scaled")?;
        predict(&scenario, &args.repeat, args.replications, None, terminal, &stop)?
    } else if args.exact {
        exact(&scenario, &args.repeat, args.replications, terminal, &stop)?
    } else {
        let options = Options { precision: args.precision, ..options(&args.repeat, args.replications, mode) };
        played(&scenario, &options, terminal, &stop)?
    };
    terminal.print(&match args.format {
        Format::Json => json::to_string(&record)?,
        Format::Text => text::run(&record, terminal.style),
    })?;
    if record.provenance.partial {
        return Ok(Code::Interrupted);
    }
    Ok(verdict(&record))
}

/// Code of a run by its SLOs.
pub fn verdict(record: &Run) -> Code {
    if record.slos.iter().all(|s| s.holds) { Code::Success } else { Code::Breached }
}

/// The full day at full population.
pub fn day(
    scenario: &Scenario,
    repeat: &Repeat,
    replications: u64,
    terminal: &Terminal,
    stop: &AtomicBool,
) -> Result<Run, Failure> {
    played(scenario, &options(repeat, replications, Mode::Day), terminal, stop)
}

fn played(
    scenario: &Scenario,
    options: &Options,
    terminal: &Terminal,
    stop: &AtomicBool,
) -> Result<Run, Failure> {
    let played =
        terminal.stage("simulate", |s| simulate(scenario, options, &|share| s.progress(share, ""), stop));
    played.ok_or(Failure::Interrupted)
}

/// The full day at full population, every request.
fn exact(
    scenario: &Scenario,
    repeat: &Repeat,
    replications: u64,
    terminal: &Terminal,
    stop: &AtomicBool,
) -> Result<Run, Failure> {
    let options = options(repeat, replications, Mode::Day);
    let played = terminal
        .stage("simulate", |s| simulate_exact(scenario, &options, &|share| s.progress(share, ""), stop))?;
    played.ok_or(Failure::Interrupted)
}

/// What the load run should measure. `window` are its warm-up and duration where they are not the
/// scenario's.
pub fn predict(
    scenario: &Scenario,
    repeat: &Repeat,
    replications: u64,
    window: Option<(f64, f64)>,
    terminal: &Terminal,
    stop: &AtomicBool,
) -> Result<Run, Failure> {
    let scaled = scenario.scaled_for_load()?;
    let (warmup_s, duration_s) = window.or_else(|| super::load::window(scenario)).unwrap_or((0.0, 1.0));
    let options = options(repeat, replications, Mode::Every { warmup_s, duration_s });
    let played =
        terminal.stage("predict", |s| simulate(&scaled, &options, &|share| s.progress(share, ""), stop));
    let mut record = played.ok_or(Failure::Interrupted)?;
    // The targets are those of the full system; a scaled-down run has smaller pools and colder caches.
    record.slos.clear();
    Ok(record)
}

fn options(repeat: &Repeat, replications: u64, mode: Mode) -> Options {
    let threads = repeat.threads.map_or_else(machine::threads, usize::from);
    Options { seed: repeat.seed, threads, replications, precision: None, mode }
}
