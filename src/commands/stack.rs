//! `plimsoll stack`: the reference stack, in the foreground.

use std::sync::atomic::Ordering;
use std::time::Duration;

use plimsoll_reports::json;
use plimsoll_scenarios::Scenario;
use plimsoll_stack::{Endpoints, Stack, StackOptions};

use crate::cli::{Format, StackArgs};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

#[derive(serde::Serialize)]
struct Ready<'a> {
    tiers: &'a std::collections::BTreeMap<String, Vec<String>>,
    metrics: &'a str,
    api_key: &'a str,
}

pub fn run(args: &StackArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let scenario = args.what.load()?;
    crate::failure::playable(&scenario, "stack")?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let options = StackOptions { seed: args.seed, port: args.port, emulate: !args.no_emulation };
    let stack = start(&scenario, &options, terminal)?;
    let endpoints = stack.endpoints();
    terminal.print(&match args.format {
        Format::Json => json::to_string(&Ready {
            tiers: &endpoints.tiers,
            metrics: &endpoints.metrics,
            api_key: &endpoints.api_key,
        })?,
        Format::Text => described(endpoints),
    })?;
    terminal.say("up; Ctrl-C stops it");
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
    stack.stop();
    terminal.say("stopped");
    Ok(Code::Success)
}

/// Starts the stack for the scaled-down scenario.
pub fn start(scenario: &Scenario, options: &StackOptions, terminal: &Terminal) -> Result<Stack, Failure> {
    let scaled = scenario.scaled_for_load()?;
    Ok(terminal.stage("stack", |_| Stack::start(&scaled, options))?)
}

fn described(endpoints: &Endpoints) -> String {
    let mut text = String::new();
    for (tier, urls) in &endpoints.tiers {
        text += &format!("{tier:<16} {}\n", urls.join("  "));
    }
    text += &format!("{:<16} {}\n", "metrics", endpoints.metrics);
    text += &format!("{:<16} {}\n\n", "api key", endpoints.api_key);
    if let Some(edge) = endpoints.tiers.get("edge").and_then(|urls| urls.first()) {
        text += &format!(
            "try              curl -sD- -o /dev/null -H 'x-api-key: {}' {edge}/v1/songs/1/audio\n",
            endpoints.api_key
        );
    }
    text
}
