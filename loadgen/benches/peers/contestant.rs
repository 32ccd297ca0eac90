//! One contestant's turn: a process, what it says of itself, and what the system says of it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::Value;

use crate::{Asked, Outcome, oha, ours, stock_goose};

/// What a contestant says of its turn.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    pub requests: u64,
    pub failed: u64,
    /// From its first request to its last answer.
    pub requests_per_s: f64,
    /// Seconds, by percentile: 50, 90, 99, and the largest.
    pub latency_s: [f64; 4],
    /// Everything else, as it was printed.
    pub all: Value,
}

/// A turn: with the CPU time of the whole process, seconds.
#[derive(Debug, Clone)]
pub struct Turn {
    pub said: Said,
    pub cpu_s: f64,
}

impl Turn {
    pub fn cpu_us_per_request(&self) -> f64 {
        self.cpu_s * 1e6 / self.said.requests.max(1) as f64
    }
}

/// What a contestant is to do.
#[derive(Debug, Clone)]
pub struct Task {
    pub url: String,
    pub seconds: f64,
    pub connections: usize,
    /// Requests a second at even distances, or as fast as the answers come.
    pub rate: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    Plimsoll,
    Oha,
    /// With `--latency-correction`.
    OhaCorrected,
    Goose,
    /// With `--co-mitigation average`.
    GooseMitigated,
}

impl Contestant {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plimsoll => "plimsoll",
            Self::Oha => "oha",
            Self::OhaCorrected => "oha --latency-correction",
            Self::Goose => "goose",
            Self::GooseMitigated => "goose --co-mitigation average",
        }
    }

    /// Why it cannot take part, if it can't.
    pub fn missing(self, asked: &Asked) -> Option<String> {
        matches!(self, Self::Oha | Self::OhaCorrected)
            .then(|| missing(&asked.oha, "install it with `cargo install oha`, or name it with --oha"))
            .flatten()
    }

    /// Lets it do its task, and waits for its end.
    pub fn turn(self, asked: &Asked, task: &Task) -> Outcome<Turn> {
        match self {
            Self::Plimsoll => run(ours::command(task)?, task, ours::read),
            Self::Oha => run(oha::command(asked, task, false), task, oha::read),
            Self::OhaCorrected => run(oha::command(asked, task, true), task, oha::read),
            Self::Goose => run(stock_goose::command(task, false)?, task, stock_goose::read),
            Self::GooseMitigated => run(stock_goose::command(task, true)?, task, stock_goose::read),
        }
    }
}

/// Why a program cannot be used, if it can't.
pub fn missing(program: &Path, remedy: &str) -> Option<String> {
    let started = Command::new(program).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.err().map(|cause| format!("{}: {cause}; {remedy}", program.display()))
}

/// A turn may take this much longer than its task.
const GRACE: Duration = Duration::from_mins(1);

/// Runs one process at a time, so that the CPU time of ended children is its own.
pub fn run(mut command: Command, task: &Task, read: fn(&str) -> Outcome<Said>) -> Outcome<Turn> {
    let before = children_cpu_s()?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let mut out = child.stdout.take().ok_or("a child has no output")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut out, &mut text).map(|_| text)
    });
    let deadline = Instant::now() + Duration::from_secs_f64(task.seconds) + GRACE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(format!("{command:?} did not end in time").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let text = reader.join().map_err(|_| "the reader of a child's output panicked")??;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}: {text}").into());
    }
    Ok(Turn { said: read(&text)?, cpu_s: children_cpu_s()? - before })
}

fn children_cpu_s() -> Outcome<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    Ok((usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 * 1e-6)
}
