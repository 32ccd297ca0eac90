//! plimsoll's own generator, as a process.

use std::process::Command;

use clap::Args;
use plimsoll_loadgen::arrivals::Wanted;
use plimsoll_loadgen::{Arrivals, LoadOptions, Targets, load};
use plimsoll_reports::json;
use plimsoll_reports::record::Measurement;
use plimsoll_scenarios::{Scenario, SourceFile};

use crate::Outcome;
use crate::contestant::{Said, Task};

/// One action on a thousand objects: each request is drawn and written anew, which peers need not do.
const SCENARIO: &str = r#"
name: peers
summary: one file, as a thousand objects
population: {users: 10}
datasets:
  item: {count: 1000, size: 1 KB, popularity: {zipf: 1.0}}
actions:
  get:
    per_user: 1/s
    of: item
    path: [web]
    http: {get: "/item?object={object}"}
tiers:
  web: {}
"#;

#[derive(Debug, Args)]
pub struct Ours {
    #[arg(long)]
    url: String,
    /// As `plimsoll load --arrivals`
    #[arg(long)]
    arrivals: String,
    #[arg(long)]
    users: usize,
    #[arg(long, default_value_t = 0.0)]
    warmup: f64,
    #[arg(long)]
    seconds: f64,
}

impl Ours {
    /// Plays, and prints the measurement as JSON.
    pub fn play(&self) -> Outcome<()> {
        let scenario = Scenario::from_yaml(&SourceFile::new("peers.yaml", SCENARIO))
            .map_err(|problems| problems.to_string())?;
        let targets = Targets { fallback: Some(self.url.clone()), ..Targets::default() };
        let Wanted::Ready(arrivals) = Arrivals::parse(&self.arrivals)? else {
            return Err(format!("{} needs more than its text", self.arrivals).into());
        };
        let options =
            LoadOptions { arrivals, users_max: self.users, ..LoadOptions::new(1, self.warmup, self.seconds) };
        let measurement = load(&scenario, &targets, &options, &|_| {})?;
        print!("{}", json::to_string(&measurement)?);
        Ok(())
    }
}

/// At a rate it is an open model, and without one a closed one.
pub fn command(task: &Task) -> Outcome<Command> {
    let arrivals = match task.rate {
        Some(rate) => format!("constant {rate}/s"),
        None => format!("closed {} users", task.connections),
    };
    with(&arrivals, task)
}

/// With any model of arrivals.
pub fn with(arrivals: &str, task: &Task) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["ours", "--url", &task.url, "--arrivals", arrivals]);
    command.args(["--users", &task.connections.to_string(), "--seconds", &task.seconds.to_string()]);
    Ok(command)
}

pub fn read(text: &str) -> Outcome<Said> {
    let run: Measurement = json::from_str(text)?;
    let latency = &run.actions.first().ok_or("a measurement without an action")?.complete;
    let at = |p: f64| latency.at(p).ok_or("a measurement without a percentile");
    Ok(Said {
        requests: run.sent,
        failed: run.failed,
        requests_per_s: run.sent as f64 / run.duration_s,
        latency_s: [at(0.5)?, at(0.9)?, at(0.99)?, latency.max_s],
        all: serde_json::from_str(text)?,
    })
}
