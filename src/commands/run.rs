//! `plimsoll run`: every stage, one after the other, and whatever was finished is kept.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use plimsoll_reports::compare::compare;
use plimsoll_reports::record::{Report, Stage};
use plimsoll_reports::{json, text};
use plimsoll_scenarios::Scenario;
use plimsoll_stack::StackOptions;

use super::simulate::REPLICATIONS;
use super::{load, simulate, stack};
use crate::cli::{Format, RunArgs};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;
use crate::{machine, output};

pub fn run(args: &RunArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let scenario = args.what.load()?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    if not_loaded(&scenario).is_none() {
        // Said now and not after the simulation.
        plimsoll_stack::Stack::check(&scenario.scaled_for_load()?, plimsoll_stack::Profile::Embedded)?;
    }
    let directory = output::directory(&args.out, &scenario.name)?;
    terminal.say(&format!(
        "{} · seed {} · results in {}",
        scenario.name,
        args.repeat.seed,
        directory.display()
    ));
    let mut report = Report::new(&scenario.name, &scenario.summary);
    let result = stages(&scenario, args, &mut report, terminal, &stop);
    // What is there is written, however the stages ended.
    let written = output::write_report(&directory, &report);
    let interrupted = stop.load(Ordering::Relaxed) || matches!(result, Err(Failure::Interrupted));
    if interrupted {
        written?;
        terminal.say(&format!("interrupted; what was finished is in {}", directory.display()));
        return Ok(Code::Interrupted);
    }
    result?;
    written?;
    finish(args, &report, &directory, terminal)
}

fn finish(args: &RunArgs, report: &Report, directory: &Path, terminal: &Terminal) -> Result<Code, Failure> {
    let page = directory.join(output::REPORT);
    match args.format {
        Format::Json => terminal.print(&json::to_string(report)?)?,
        Format::Text => {
            let summary = text::report(report, terminal.style);
            terminal.print(&format!("{}\n report             {}\n", summary.trim_end(), page.display()))?;
        }
    }
    let measured = report.measurement.as_ref().map_or(Code::Success, load::code);
    let judged = report.simulation.as_ref().map_or(Code::Success, simulate::verdict);
    Ok(if measured == Code::Success { judged } else { measured })
}

/// Fills the report stage by stage; after an error or Ctrl-C it holds what was finished.
fn stages(
    scenario: &Scenario,
    args: &RunArgs,
    report: &mut Report,
    terminal: &Terminal,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let repeat = &args.repeat;
    let go_on = || if stop.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) };
    report.estimate = Some(timed(&mut report.stages, "estimate", || {
        Ok(terminal.stage("estimate", |_| super::estimate::record(scenario, 1)))
    })?);
    report.simulation = Some(timed(&mut report.stages, "simulate", || {
        simulate::day(scenario, repeat, REPLICATIONS, terminal, stop)
    })?);
    if let Some(why) = not_loaded(scenario) {
        terminal.say(&format!("nothing is played for real: {why}"));
        return Ok(());
    }
    report.prediction = Some(timed(&mut report.stages, "predict", || {
        simulate::predict(scenario, repeat, REPLICATIONS, None, terminal, stop)
    })?);
    go_on()?;
    let options = StackOptions { seed: repeat.seed, ..StackOptions::default() };
    let running = timed(&mut report.stages, "stack", || stack::start(scenario, &options, terminal))?;
    let window = load::window(scenario).unwrap_or((0.0, 1.0));
    let measured = timed(&mut report.stages, "load", || {
        load::play(scenario, &load::targets(running.endpoints()), repeat.seed, window, 512, terminal, stop)
    });
    running.stop();
    report.measurement = Some(measured?);
    if let (Some(prediction), Some(measurement)) = (&report.prediction, &report.measurement) {
        report.comparison = Some(compare(prediction, measurement));
    }
    Ok(())
}

/// Why the scenario ends with its simulation, if it does.
fn not_loaded(scenario: &Scenario) -> Option<String> {
    if scenario.load.is_none() {
        return Some("the scenario has no `load` section".to_owned());
    }
    let missing = scenario.not_emulated();
    (!missing.is_empty()).then(|| format!("the bundled stack does not do\n  {}", missing.join("\n  ")))
}

fn timed<T>(
    stages: &mut Vec<Stage>,
    name: &str,
    run: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    machine::reset_peak();
    let began = Instant::now();
    let result = run();
    stages.push(Stage {
        name: name.to_owned(),
        wall_s: began.elapsed().as_secs_f64(),
        peak_memory_bytes: machine::peak_memory(),
    });
    result
}
