//! `plimsoll load`: the scaled-down scenario, played for real.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use plimsoll_loadgen::{LoadOptions, Targets};
use plimsoll_reports::record::Measurement;
use plimsoll_reports::{json, text};
use plimsoll_scenarios::Scenario;
use plimsoll_stack::{Endpoints, StackOptions};

use crate::cli::{Format, LoadArgs};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

pub fn run(args: &LoadArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let scenario = args.what.load()?;
    crate::failure::playable(&scenario, "load")?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let (warmup_s, duration_s) = window(&scenario).unwrap_or((0.0, 1.0));
    let window = (args.warmup.unwrap_or(warmup_s), args.duration.unwrap_or(duration_s));
    LoadOptions { users_max: args.users, ..LoadOptions::new(args.seed, window.0, window.1) }.check()?;
    scenario.scaled_for_load()?;
    let record = if let Some(url) = &args.target {
        let headers = args.headers.iter().map(|h| header(h)).collect::<Result<_, _>>()?;
        let targets = Targets {
            by_tier: BTreeMap::new(),
            fallback: Some(url.clone()),
            metrics: args.metrics.clone(),
            headers,
        };
        play(&scenario, &targets, args.seed, window, args.users, terminal, &stop)?
    } else {
        let stack = super::stack::start(
            &scenario,
            &StackOptions { seed: args.seed, ..StackOptions::default() },
            terminal,
        )?;
        let played =
            play(&scenario, &targets(stack.endpoints()), args.seed, window, args.users, terminal, &stop);
        stack.stop();
        played?
    };
    terminal.print(&match args.format {
        Format::Json => json::to_string(&record)?,
        Format::Text => text::measurement(&record, terminal.style),
    })?;
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

/// Plays the load and shows it.
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
    let played = terminal.stage("load", |stage| {
        plimsoll_loadgen::load(&scaled, targets, &options, &|p| {
            let rate = if p.elapsed_s > 0.0 { p.sent as f64 / p.elapsed_s } else { 0.0 };
            let failed = if p.failed > 0 { format!(" · {} failed", p.failed) } else { String::new() };
            stage.progress(p.elapsed_s / p.total_s, &format!("{rate:.0} requests/s{failed}"));
        })
    });
    Ok(played?)
}

fn header(text: &str) -> Result<(String, String), Failure> {
    text.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).ok_or_else(
        || Failure::Usage(format!("--header `{text}` has no colon\nhint: write `--header 'x-api-key: 123'`")),
    )
}
