//! `plimsoll load`: the scaled-down scenario, played for real.

mod aim;
mod capacity;
mod exports;
mod live;

pub use aim::{aimed, checks, named};
pub use capacity::of_actions;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use plimsoll_loadgen::arrivals::{Day, Wanted};
use plimsoll_loadgen::{Arrivals, LoadOptions, Playback, Played, Recorded, Targets};
use plimsoll_reports::record::Measurement;
use plimsoll_reports::{json, text};
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::units::Bandwidth;
use plimsoll_stack::Endpoints;

use crate::cli::{Format, LoadArgs};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;
use exports::Exports;

pub fn run(args: &LoadArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let scenario = args.what.load()?;
    args.aim.check(&scenario, "load")?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let options = options(args, &scenario, &stop)?;
    options.check()?;
    let scaled = scenario.scaled_for_load()?;
    if args.find_capacity {
        return capacity::run(args, &scenario, &scaled, &options, terminal);
    }
    let exports = Exports::open(args, &scenario.name, terminal)?;
    let aimed = aimed(&args.aim, &scenario, args.seed, terminal)?;
    let played = watched(&scaled, &aimed.targets, &options, terminal, Some(&exports));
    aimed.stop();
    let record = played?.measurement;
    terminal.print(&match args.format {
        Format::Json => json::to_string(&record)?,
        Format::Text => text::measurement(&record, terminal.style),
    })?;
    exports.close(terminal)?;
    Ok(code(&record))
}

/// Code of a measurement: a generator that could not keep up, or a target that did not answer, is a failure.
pub fn code(record: &Measurement) -> Code {
    if record.provenance.partial {
        Code::Interrupted
    } else if record.invalid.is_empty() {
        Code::Success
    } else {
        Code::Failure
    }
}

/// Warm-up and duration that the scenario states, seconds.
pub fn window(scenario: &Scenario) -> Option<(f64, f64)> {
    scenario.load.as_ref().map(|l| (l.warmup.get(), l.duration.get()))
}

/// Where the bundled stack listens.
pub fn targets(endpoints: &Endpoints) -> Targets {
    Targets {
        by_tier: endpoints.tiers.clone(),
        fallback: None,
        metrics: Some(endpoints.metrics.clone()),
        headers: vec![("x-api-key".to_owned(), endpoints.api_key.clone())],
    }
}

/// Plays the load of a scenario as it says itself, and shows it.
pub fn play(
    scenario: &Scenario,
    targets: &Targets,
    seed: u64,
    (warmup_s, duration_s): (f64, f64),
    users: usize,
    terminal: &Terminal,
    stop: &Arc<AtomicBool>,
) -> Result<Measurement, Failure> {
    let scaled = scenario.scaled_for_load()?;
    let options = LoadOptions {
        users_max: users,
        stop: Arc::clone(stop),
        ..LoadOptions::new(seed, warmup_s, duration_s)
    };
    Ok(watched(&scaled, targets, &options, terminal, None)?.measurement)
}

/// Plays a scenario that has been scaled down, and shows how it goes.
fn watched(
    scaled: &Scenario,
    targets: &Targets,
    options: &LoadOptions,
    terminal: &Terminal,
    exports: Option<&Exports>,
) -> Result<Played, Failure> {
    let played = terminal.stage("load", |stage| {
        let live = live::Live::new(stage);
        plimsoll_loadgen::play(
            scaled,
            targets,
            options,
            plimsoll_loadgen::Watch {
                progress: &|progress| live.progress(progress),
                interval: &|interval| {
                    live.interval(interval);
                    if let Some(exports) = exports {
                        exports.add(interval);
                    }
                },
            },
        )
    });
    Ok(played?)
}

fn options(args: &LoadArgs, scenario: &Scenario, stop: &Arc<AtomicBool>) -> Result<LoadOptions, Failure> {
    let (warmup_s, duration_s) = window(scenario).unwrap_or((0.0, 1.0));
    let playback = args.playback.iter().map(|text| playback(text, args.buffer)).collect::<Result<_, _>>()?;
    Ok(LoadOptions {
        users_max: args.users,
        stop: Arc::clone(stop),
        arrivals: arrivals(&args.arrivals, scenario)?,
        checks: checks(&args.aim)?,
        timeout_s: args.aim.timeout,
        playback,
        ..LoadOptions::new(args.seed, args.warmup.unwrap_or(warmup_s), args.duration.unwrap_or(duration_s))
    })
}

fn arrivals(text: &str, scenario: &Scenario) -> Result<Arrivals, Failure> {
    let usage = |cause: String| Failure::Usage(format!("--arrivals: {cause}"));
    match Arrivals::parse(text).map_err(usage)? {
        Wanted::Ready(arrivals) => Ok(arrivals),
        Wanted::Day { mean_per_s } => Ok(Arrivals::Day { day: Day::of(scenario), mean_per_s }),
        Wanted::Recorded { path } => {
            let failed = |cause: String| Failure::Read {
                path: path.clone(),
                cause,
                hint: "a recording is a CSV of `seconds,action,object,site`".to_owned(),
            };
            let file = std::fs::File::open(&path).map_err(|e| failed(e.to_string()))?;
            let recorded = Recorded::read(&path, std::io::BufReader::new(file), scenario);
            recorded.map(|recorded| Arrivals::Recorded(recorded.into())).map_err(|e| usage(e.to_string()))
        }
    }
}

/// `play=160 kbit/s`
fn playback(text: &str, buffer_s: f64) -> Result<(String, Playback), Failure> {
    let usage = |cause: String| {
        Failure::Usage(format!("--play `{text}`: {cause}\nhint: write `--play 'play=160 Kbit/s'`"))
    };
    let (action, bitrate) = text.split_once('=').ok_or_else(|| usage("it has no `=`".to_owned()))?;
    let bitrate = Bandwidth::parse(bitrate).map_err(|(cause, _)| usage(cause))?;
    Ok((action.trim().to_owned(), Playback { bitrate_bit_per_s: bitrate.get(), buffer_s }))
}
