//! `plimsoll stack up`: in the foreground until Ctrl-C, or in the background.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read as _, Seek as _};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use plimsoll_reports::json;
use plimsoll_scenarios::{Scenario, units};
use plimsoll_stack::{Running, Stack, StackOptions};

use crate::cli::{Format, Profile, StackUpArgs, What};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

/// A stack in the background must be up within this time; a large catalogue takes its while.
const UP_MAX: Duration = Duration::from_mins(10);

#[derive(serde::Serialize)]
struct Ready<'a> {
    process: u32,
    tiers: &'a BTreeMap<String, Vec<String>>,
    metrics: &'a str,
    api_key: &'a str,
    admin: &'a str,
    admin_token: &'a str,
    log: String,
}

pub fn run(args: &StackUpArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let what = What {
        scenario: args.scenario.clone().unwrap_or_else(|| "spotify".to_owned()),
        set: args.set.clone(),
    };
    let scenario = what.load()?;
    crate::failure::loadable(&scenario, "stack")?;
    let options = StackOptions {
        seed: args.seed,
        port: args.port,
        emulate: !args.no_emulation,
        rate_limit_per_s: args.rate_limit,
        data: args.data.clone(),
        profile: match args.profile {
            Profile::Embedded => plimsoll_stack::Profile::Embedded,
            Profile::Services => plimsoll_stack::Profile::Services,
        },
        object_server: None,
        warm_every: args.warm_every.as_deref().map(|text| time("--warm-every", text)).transpose()?,
    };
    // What can be wrong with the scenario is said here, also where the stack starts in the background.
    let notes = Stack::notes(&scenario.scaled_for_load()?, options.profile)?;
    if args.detach {
        for note in &notes {
            terminal.say(&format!("note: {note}"));
        }
        return detach(args, terminal);
    }
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let stack = start(&scenario, &options, terminal)?;
    for note in &notes {
        terminal.say(&format!("note: {note}"));
    }
    show(stack.running(), args.format, terminal)?;
    terminal.say("up; Ctrl-C stops it");
    while !stop.load(Ordering::Relaxed) && !stack.has_ended() {
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

/// A time as scenarios have it, such as `30s`.
pub fn time(option: &str, text: &str) -> Result<Duration, Failure> {
    let seconds = units::Duration::parse(text)
        .map_err(|(what, hint)| Failure::Usage(format!("{option}: {what}\nhint: {hint}")))?
        .get();
    if !(seconds > 0.0 && seconds <= 86_400.0) {
        return Err(Failure::Usage(format!(
            "{option} `{text}` is not more than nothing and at most a day\nhint: write `30s` or `500ms`"
        )));
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Starts the same command in a process of its own, and waits until it is up.
fn detach(args: &StackUpArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let failed = |cause: std::io::Error| {
        Failure::Process(format!(
            "can't start a process in the background: {cause}\nhint: leave out `--detach`"
        ))
    };
    let program = std::env::current_exe().map_err(failed)?;
    let kept: Vec<OsString> = std::env::args_os().skip(1).filter(|arg| arg != "--detach").collect();
    let mut said = tempfile::tempfile().map_err(failed)?;
    let mut command = Command::new(program);
    command.args(kept).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone().map_err(failed)?);
    // Ctrl-C in this terminal is not meant for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command.spawn().map_err(failed)?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let began = Instant::now();
    loop {
        if let Some(running) = Running::all().into_iter().find(|running| running.process == child.id()) {
            show(&running, args.format, terminal)?;
            terminal.say("up in the background; `plimsoll stack down` stops it");
            return Ok(Code::Success);
        }
        if let Some(status) = child.try_wait().map_err(failed)? {
            let mut text = String::new();
            let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
            let text = text.trim().trim_start_matches("error: ");
            let text = if text.is_empty() { "the stack ended before it was up" } else { text };
            let wrong = status.code() == Some(Code::Usage as i32);
            let text = text.to_owned();
            return Err(if wrong { Failure::Usage(text) } else { Failure::Process(text) });
        }
        let interrupted = stop.load(Ordering::Relaxed);
        if interrupted || began.elapsed() > UP_MAX {
            // Nobody would know of it.
            let _ = child.kill().and_then(|()| child.wait());
            return Err(if interrupted {
                Failure::Interrupted
            } else {
                Failure::Process(format!("the stack was not up after {} s", UP_MAX.as_secs()))
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn show(running: &Running, format: Format, terminal: &Terminal) -> Result<(), Failure> {
    terminal.print(&match format {
        Format::Json => json::to_string(&Ready {
            process: running.process,
            tiers: &running.tiers,
            metrics: &running.metrics,
            api_key: &running.api_key,
            admin: &running.admin,
            admin_token: &running.admin_token,
            log: running.log.display().to_string(),
        })?,
        Format::Text => described(running),
    })
}

fn described(running: &Running) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text += &format!("{name:<16} {value}\n");
    for (tier, urls) in &running.tiers {
        line(tier, &urls.join("  "));
    }
    line("metrics", &running.metrics);
    line("api key", &running.api_key);
    line("admin", &running.admin);
    line("admin token", &running.admin_token);
    line("process", &running.process.to_string());
    if let Some(edge) = running.tiers.get("edge").and_then(|urls| urls.first()) {
        let key = &running.api_key;
        text += &format!(
            "\ntry              curl -sD- -o /dev/null -H 'x-api-key: {key}' {edge}/v1/songs/1/audio\n"
        );
        text += &format!("the API          curl -s -H 'x-api-key: {key}' {edge}/v1/openapi.json\n");
    }
    text
}
