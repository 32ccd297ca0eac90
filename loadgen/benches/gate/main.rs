//! How often the gate errs: `cargo build --release && cargo bench -p plimsoll-loadgen --bench gate -- --trials 10`.
//!
//! Why whole gates and not simulated rounds: false alarms come from what neighbouring rounds have in common, and that
//! the machine makes, not a formula. So each trial runs the program itself: it records a baseline of a target, and holds
//! against it the same target, one whose slowest requests take longer, and one that fails now and then. The delays and
//! the failures are real; only the rounds are short.
//!
//! A hundred of each kind take three quarters of an hour. `--keep FILE` remembers each answer: Ctrl-C ends the bench with
//! the table so far, and the same command goes on where it ended.

mod kept;
mod target;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use kept::{Gate, Kept};
use serde_json::Value;
use target::{Change, Target};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Requests of one action, 3,200 a second: a round of 0.4 s has more than the thousand that a 99th percentile needs.
const SCENARIO: &str = "\
name: gate-trial
population: {users: 3_200}
datasets:
  item: {count: 1000, size: 1 KB, popularity: {zipf: 1.0}}
actions:
  get: {per_user: 1/s, of: item, path: [web], http: {get: '/items/{object}'}}
tiers:
  web: {}
load: {scale: {users: 1}, warmup: 0 s, duration: 8 s}
";

#[derive(Debug, Parser)]
#[command(about = "How often the gate errs")]
struct Cli {
    /// Gates of each kind
    #[arg(long, default_value_t = 10)]
    trials: u64,
    /// What to hold against the baseline; all kinds unless told otherwise
    #[arg(value_enum)]
    kinds: Vec<Kind>,
    /// Rounds of a gate
    #[arg(long, default_value_t = 12)]
    rounds: u64,
    /// Seconds of a round
    #[arg(long, default_value_t = 0.4)]
    seconds: f64,
    /// Seconds before each round
    #[arg(long, default_value_t = 0.1)]
    settle: f64,
    /// How the two sides take turns
    #[arg(long, value_enum, default_value_t = Mode::Baseline)]
    mode: Mode,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The program [default: beside this bench]
    #[arg(long)]
    plimsoll: Option<PathBuf>,
    /// Remembers every answer here, and goes on after those that are in it
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// `cargo bench` gives it to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// First the baseline's rounds, then the others
    Baseline,
    /// In turn, round by round
    Against,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Nothing has changed: a breach is a false alarm
    Same,
    /// The slowest tenth takes so much longer that the 99th percentile is 10 % up
    Slower,
    /// 5 % of the requests fail
    Errors,
}

const KINDS: [Kind; 3] = [Kind::Same, Kind::Slower, Kind::Errors];

impl Kind {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    const fn change(self) -> Change {
        match self {
            Self::Same => Change::None,
            Self::Slower => Change::Slower,
            Self::Errors => Change::Errors,
        }
    }

    /// What must breach.
    const fn series(self) -> Option<&'static str> {
        match self {
            Self::Same => None,
            Self::Slower => Some("get.first_byte p99"),
            Self::Errors => Some("errors"),
        }
    }
}

/// What all gates of a kind have said.
#[derive(Debug, Default)]
struct Tally {
    passed: u64,
    breached: u64,
    inconclusive: u64,
    /// Breaches of the series that was changed.
    found: u64,
    /// Its changes as measured, relative for times.
    changes: Vec<f64>,
    seconds: f64,
}

fn main() -> ExitCode {
    match trials(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("error: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn trials(cli: &Cli) -> Outcome<()> {
    let program = program(cli)?;
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("gate-trial.yaml"), SCENARIO)?;
    let bench = Bench { cli, program, directory: directory.path(), same: Target::start(Change::None)? };
    let kinds = if cli.kinds.is_empty() { KINDS.to_vec() } else { cli.kinds.clone() };
    let what = format!("{:?}, {} rounds of {} s after {} s", cli.mode, cli.rounds, cli.seconds, cli.settle);
    let mut kept = Kept::open(cli.keep.as_deref(), &what)?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    for trial in 0..cli.trials {
        let left: Vec<Kind> = kinds.iter().copied().filter(|kind| !kept.knows(trial, &kind.name())).collect();
        if left.is_empty() {
            continue;
        }
        let gates = bench.trial(trial, &left);
        // The gates heard it too, and have ended.
        if stop.load(Relaxed) {
            break;
        }
        gates?.into_iter().try_for_each(|gate| kept.add(gate))?;
        let counts = tallies(&kinds, &kept).into_iter().map(|(kind, t)| {
            let judged = t.passed + t.breached + t.inconclusive;
            match kind.series() {
                Some(_) => format!("{} found {} of {judged}", kind.name(), t.found),
                None => format!("{} breached {} of {judged}", kind.name(), t.breached),
            }
        });
        eprintln!("{} of {}: {}", trial + 1, cli.trials, counts.collect::<Vec<_>>().join(", "));
    }
    print(&what, &tallies(&kinds, &kept));
    Ok(())
}

/// What trials have in common.
struct Bench<'a> {
    cli: &'a Cli,
    program: PathBuf,
    directory: &'a Path,
    same: Target,
}

impl Bench<'_> {
    /// One gate of each kind, against one baseline.
    fn trial(&self, trial: u64, kinds: &[Kind]) -> Outcome<Vec<Gate>> {
        // Rounds take their seeds from here on.
        let seed = self.cli.seed + trial * 1_000;
        let baseline = self.directory.join("baseline.json");
        if self.cli.mode == Mode::Baseline {
            let mut record = self.gate(seed, &self.same.url);
            record.arg("--baseline").arg(&baseline).arg("--update-baseline");
            said(&record.args(["--threshold", "errors < 99 %"]).output()?)?;
        }
        let mut gates = Vec::new();
        for kind in kinds {
            let target = Target::start(kind.change())?;
            let mut command = self.gate(seed, &target.url);
            match self.cli.mode {
                Mode::Baseline => command.arg("--baseline").arg(&baseline),
                Mode::Against => command.args(["--against", &self.same.url]),
            };
            let began = Instant::now();
            let record = said(&command.output()?)?;
            gates.push(judged(trial, *kind, &record, began.elapsed().as_secs_f64()));
        }
        Ok(gates)
    }

    fn gate(&self, seed: u64, url: &str) -> Command {
        let cli = self.cli;
        let mut command = Command::new(&self.program);
        command.arg("gate").arg(self.directory.join("gate-trial.yaml"));
        command.args(["--target", url, "--format", "json", "--quiet"]);
        command.args(["--rounds", &cli.rounds.to_string(), "--duration", &cli.seconds.to_string()]);
        command.args(["--settle", &cli.settle.to_string(), "--warmup", "0", "--seed", &seed.to_string()]);
        command.stdin(Stdio::null());
        command
    }
}

/// What a gate said of the series that was changed; of an unchanged target, what it said in all.
fn judged(trial: u64, kind: Kind, record: &Value, seconds: f64) -> Gate {
    let wanted = kind.series().unwrap_or("get.first_byte p99");
    let checks = record["checks"].as_array().into_iter().flatten();
    let mut of_series = checks.filter(|check| check["series"] == wanted);
    let check = of_series.next();
    Gate {
        trial,
        kind: kind.name(),
        answer: record["answer"].as_str().unwrap_or("inconclusive").to_owned(),
        found: check.is_some_and(|check| check["answer"] == "breached"),
        change: check.and_then(|check| check.pointer("/check/baseline/change/value")?.as_f64()),
        seconds,
    }
}

fn tallies(kinds: &[Kind], kept: &Kept) -> Vec<(Kind, Tally)> {
    let of = |kind: &Kind| {
        let mut tally = Tally::default();
        kept.gates.iter().filter(|gate| gate.kind == kind.name()).for_each(|gate| tally.add(gate));
        (*kind, tally)
    };
    kinds.iter().map(of).collect()
}

/// The record of a gate, whatever its answer.
fn said(output: &Output) -> Outcome<Value> {
    if !matches!(output.status.code(), Some(0 | 3 | 4)) {
        return Err(format!(
            "the gate ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Tally {
    fn add(&mut self, gate: &Gate) {
        match gate.answer.as_str() {
            "passed" => self.passed += 1,
            "breached" => self.breached += 1,
            _ => self.inconclusive += 1,
        }
        self.found += u64::from(gate.found);
        self.changes.extend(gate.change);
        self.seconds += gate.seconds;
    }
}

fn print(what: &str, tallies: &[(Kind, Tally)]) {
    println!(
        "\n{what}\n\n  {:<8} {:>6} {:>7} {:>9} {:>13} {:>26} {:>22} {:>9}",
        "",
        "gates",
        "passed",
        "breached",
        "inconclusive",
        "found / false alarms",
        "change, middle of all",
        "s a gate"
    );
    for (kind, tally) in tallies {
        let gates = tally.passed + tally.breached + tally.inconclusive;
        let found = match kind.series() {
            Some(series) => format!("{} ({series})", tally.found),
            None => format!("{} false", tally.breached),
        };
        let mut changes = tally.changes.clone();
        changes.sort_by(f64::total_cmp);
        let points = if *kind == Kind::Errors { "points" } else { "%" };
        let change = changes.get(changes.len() / 2);
        let change = change.map_or("-".to_owned(), |x| format!("{:+.1} {points}", x * 100.0));
        println!(
            "  {:<8} {gates:>6} {:>7} {:>9} {:>13} {found:>26} {change:>22} {:>9.1}",
            kind.name(),
            tally.passed,
            tally.breached,
            tally.inconclusive,
            tally.seconds / gates.max(1) as f64
        );
    }
}

/// The program to try: as named, or the one that cargo has put beside its benches.
fn program(cli: &Cli) -> Outcome<PathBuf> {
    let beside = || std::env::current_exe().ok()?.ancestors().nth(2).map(|place| place.join("plimsoll"));
    let program = cli.plimsoll.clone().or_else(beside).ok_or("there is no place beside this bench")?;
    if Path::new(&program).is_file() {
        return Ok(program);
    }
    Err(format!(
        "{} is not there: build it (`cargo build --release`), or name one with --plimsoll",
        program.display()
    )
    .into())
}
