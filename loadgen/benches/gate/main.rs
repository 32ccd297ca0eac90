//! How often the gate errs: `cargo build --release && cargo bench -p plimsoll-loadgen --bench gate -- --trials 10`.
//!
//! Why whole gates and not simulated rounds: false alarms come from what neighbouring rounds have in common, and that
//! the machine makes, not a formula. So each trial runs the program itself: it records a baseline of a target, and holds
//! against it the same target, one whose slowest requests take longer, and one that fails now and then. The delays and
//! the failures are real; only the rounds are short.

mod target;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Instant;

use clap::{Parser, ValueEnum};
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
    #[arg(long, default_value_t = 8)]
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
    let place = |name: &str| directory.path().join(name);
    std::fs::write(place("gate-trial.yaml"), SCENARIO)?;
    let same = Target::start(Change::None)?;
    let kinds = if cli.kinds.is_empty() { KINDS.to_vec() } else { cli.kinds.clone() };
    let mut tallies: Vec<(Kind, Tally)> = kinds.iter().map(|kind| (*kind, Tally::default())).collect();
    let gate = |seed: u64, url: &str| {
        let mut command = Command::new(&program);
        command
            .arg("gate")
            .arg(place("gate-trial.yaml"))
            .args(["--target", url, "--format", "json", "--quiet"]);
        command.args(["--rounds", &cli.rounds.to_string(), "--duration", &cli.seconds.to_string()]);
        command.args(["--settle", &cli.settle.to_string(), "--warmup", "0", "--seed", &seed.to_string()]);
        command
    };
    for trial in 0..cli.trials {
        // Rounds take their seeds from here on.
        let seed = cli.seed + trial * 1_000;
        let baseline = place("baseline.json");
        if cli.mode == Mode::Baseline {
            let mut record = gate(seed, &same.url);
            record
                .arg("--baseline")
                .arg(&baseline)
                .arg("--update-baseline")
                .args(["--threshold", "errors < 99 %"]);
            said(&record.stdin(Stdio::null()).output()?)?;
        }
        for (kind, tally) in &mut tallies {
            let target = Target::start(kind.change())?;
            let mut command = gate(seed, &target.url);
            match cli.mode {
                Mode::Baseline => command.arg("--baseline").arg(&baseline),
                Mode::Against => command.args(["--against", &same.url]),
            };
            let began = Instant::now();
            let record = said(&command.stdin(Stdio::null()).output()?)?;
            tally.seconds += began.elapsed().as_secs_f64();
            tally.add(*kind, &record);
        }
        let counts = tallies.iter().map(|(kind, t)| {
            format!("{kind:?} {} passed {} breached {} inconclusive", t.passed, t.breached, t.inconclusive)
        });
        eprintln!("{} of {}: {}", trial + 1, cli.trials, counts.collect::<Vec<_>>().join(", "));
    }
    print(cli, &tallies);
    Ok(())
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
    fn add(&mut self, kind: Kind, record: &Value) {
        match record["answer"].as_str() {
            Some("passed") => self.passed += 1,
            Some("breached") => self.breached += 1,
            _ => self.inconclusive += 1,
        }
        let wanted = kind.series().unwrap_or("get.first_byte p99");
        let checks = record["checks"].as_array().into_iter().flatten();
        for check in checks.filter(|check| check["series"] == wanted) {
            self.found += u64::from(check["answer"] == "breached");
            self.changes.extend(check.pointer("/check/baseline/change/value").and_then(Value::as_f64));
        }
    }
}

fn print(cli: &Cli, tallies: &[(Kind, Tally)]) {
    println!(
        "\n{} gates of each kind, {} rounds of {} s, {:?}\n\n  {:<8} {:>7} {:>9} {:>13} {:>22} {:>24} {:>10}",
        cli.trials,
        cli.rounds,
        cli.seconds,
        cli.mode,
        "",
        "passed",
        "breached",
        "inconclusive",
        "found / false alarms",
        "change, middle of all",
        "s a gate"
    );
    for (kind, tally) in tallies {
        let found = match kind.series() {
            Some(series) => format!("{} ({series})", tally.found),
            None => format!("{} false", tally.breached),
        };
        let mut changes = tally.changes.clone();
        changes.sort_by(f64::total_cmp);
        let change =
            changes.get(changes.len() / 2).map_or("-".to_owned(), |x| format!("{:+.1} %", x * 100.0));
        println!(
            "  {:<8} {:>7} {:>9} {:>13} {found:>22} {change:>24} {:>10.1}",
            format!("{kind:?}").to_lowercase(),
            tally.passed,
            tally.breached,
            tally.inconclusive,
            tally.seconds / cli.trials.max(1) as f64
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
