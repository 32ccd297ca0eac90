//! The command line. One definition gives parser, help and completions.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use plimsoll_scenarios::Policy;
use plimsoll_sim::replay::TraceFormat;
use plimsoll_stack::BreakKind;

const EXIT_CODES: &str = "\
Exit codes: 0 success · 1 failure · 2 usage or bad scenario · 3 SLO or threshold breached · 4 gate inconclusive ·
130 Ctrl-C (what was finished is kept)
Data goes to stdout, talk to stderr.";

/// Capacity planning from one scenario file: estimate, simulate, load a real stack, compare.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Colour: auto, always or never
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: When,
    /// No progress on stderr
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything: estimate, simulate, start the stack, load it, compare, write a report
    #[command(
        after_help = "Examples:\n  plimsoll run spotify\n  plimsoll run my-system.yaml --seed 7 --out results"
    )]
    Run(RunArgs),
    /// Closed-form figures with their working
    #[command(
        after_help = "Examples:\n  plimsoll estimate spotify\n  plimsoll estimate spotify --explain\n  plimsoll estimate spotify --set 'population.users=2 B' --set datasets.song.popularity.zipf=0.8\n  plimsoll estimate spotify --format markdown > estimate.md\n  plimsoll estimate spotify --solve population.users --until 'web.servers <= 500'\n  plimsoll estimate --users 1B --per-user 30/day --size 5MB --objects 100M --copies 3"
    )]
    Estimate(Box<EstimateArgs>),
    /// Sizes of all tiers at least cost that keep the targets, why, and what it would take to be wrong
    #[command(
        after_help = "Examples:\n  plimsoll plan spotify\n  plimsoll plan spotify --under region-down --no-verify\n  plimsoll plan spotify --set tiers.web.servers=auto --set 'tiers.web.price.server=auto r7g.4xlarge or c7g.8xlarge'\n  plimsoll plan my-system.yaml --write sized.yaml --html plan.html\n  plimsoll plan spotify my-spotify.yaml"
    )]
    Plan(Box<PlanArgs>),
    /// A full day, simulated
    #[command(
        after_help = "Examples:\n  plimsoll simulate spotify\n  plimsoll simulate spotify --set 'tiers.edge.cache.capacity=60 TB'\n  plimsoll simulate spotify --scaled --format json > prediction.json"
    )]
    Simulate(SimulateArgs),
    /// The bundled reference stack: start it, look at it, break it, stop it
    #[command(
        args_conflicts_with_subcommands = true,
        arg_required_else_help = true,
        after_help = "`plimsoll stack SCENARIO` is short for `plimsoll stack up SCENARIO`.\n\nExamples:\n  plimsoll stack up spotify --port 8080\n  plimsoll stack up --detach\n  plimsoll stack break kill web/0 --for 10s\n  plimsoll stack down"
    )]
    Stack(StackArgs),
    /// Play a scenario, scaled down, against the bundled stack or another one on this machine
    #[command(
        after_help = "Examples:\n  plimsoll load spotify\n  plimsoll load spotify --target http://127.0.0.1:8080 --duration 60 --format json > measurement.json\n  plimsoll load spotify --arrivals 'ramp 100/s to 900/s' --csv load.csv\n  plimsoll load spotify --find-capacity --slo 'play.first_byte p99 < 250 ms'"
    )]
    Load(LoadArgs),
    /// Play rounds of the load and say whether the system is still as good: for CI
    #[command(
        after_help = "Examples:\n  plimsoll gate spotify\n  plimsoll gate spotify --baseline spotify.baseline.json --update-baseline\n  plimsoll gate spotify --baseline spotify.baseline.json --threshold 'play.first_byte p99 < 250 ms' --junit gate.xml\n  plimsoll gate spotify --target http://127.0.0.1:8081 --against http://127.0.0.1:8080"
    )]
    Gate(GateArgs),
    /// Hold a prediction against a measurement
    #[command(
        after_help = "Examples:\n  plimsoll compare prediction.json measurement.json\n  plimsoll compare plimsoll-out/spotify-2026-11-21T18-30-00"
    )]
    Compare(CompareArgs),
    /// Write the HTML report of the records in a directory again
    #[command(after_help = "Examples:\n  plimsoll report plimsoll-out/spotify-2026-11-21T18-30-00")]
    Report(ReportArgs),
    /// Play a recorded trace through caches: miss counts by policy and capacity
    #[command(
        after_help = "Examples:\n  plimsoll replay trace.oracleGeneral.zst --policy lru,sieve --capacity 1000,10000\n  plimsoll replay access.log --policy s3-fifo --capacity '10 GB'\n  plimsoll replay access.log --capacity '10 GB' --ttl '1 h' --admit-on 2\n  plimsoll replay trace.csv --mrc --out results\n  plimsoll replay trace.csv --fit\n  gzip -dc access.log.gz | plimsoll replay - --capacity '1 GB'"
    )]
    Replay(ReplayArgs),
    /// List, show, check and begin scenarios
    #[command(
        after_help = "Examples:\n  plimsoll scenarios list\n  plimsoll scenarios new my-system\n  plimsoll scenarios check my-system.yaml"
    )]
    Scenarios(ScenariosArgs),
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  plimsoll completions bash > ~/.local/share/bash-completion/completions/plimsoll"
    )]
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    Text,
    Json,
    Markdown,
}

/// The scenario, and what-ifs on it.
#[derive(Debug, Clone, Args)]
pub struct What {
    /// A bundled scenario's name, or a path to a YAML file
    pub scenario: String,
    /// Put a value into the scenario; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

impl What {
    /// Reads and checks it.
    pub fn load(&self) -> Result<plimsoll_scenarios::Scenario, plimsoll_scenarios::LoadError> {
        plimsoll_scenarios::load_with(&self.scenario, &self.set)
    }
}

/// What makes a result reproducible.
#[derive(Debug, Clone, Args)]
pub struct Repeat {
    /// Seed of every random number; the same seed gives the same simulation to the byte
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads of the simulation; the result is the same for any number [default: all cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub repeat: Repeat,
    /// Directory for results; each run makes a directory of its own in it
    #[arg(long, default_value = "plimsoll-out", value_name = "DIR")]
    pub out: PathBuf,
    /// Print the summary, or the whole report as JSON
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct EstimateArgs {
    /// A bundled scenario's name, or a path to a YAML file; without one, --users and the like describe it
    #[arg(required_unless_present = "users")]
    pub scenario: Option<String>,
    /// Put a value into the scenario; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Each quantity as formula, numbers put in, result and source
    #[arg(long)]
    pub explain: bool,
    /// The largest (or smallest) value of this field with which --until still holds
    #[arg(long, value_name = "PATH", requires = "until")]
    pub solve: Option<String>,
    /// A bound on a quantity, such as "web.servers <= 500"
    #[arg(long, value_name = "BOUND", requires = "solve")]
    pub until: Option<String>,
    /// A price list: a bundled name, or a path to a YAML file
    #[arg(long, default_value = "aws", value_name = "LIST")]
    pub prices: String,
    /// Seed of the worlds that ranges are drawn in
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Worlds to draw where the scenario has ranges; 0 draws none
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub worlds: u64,
    /// Write record, page and pictures into this directory as well
    #[arg(long, value_name = "DIR", conflicts_with = "solve")]
    pub out: Option<PathBuf>,
    #[arg(long, default_value = "text")]
    pub format: PageFormat,
    // Last: its heading goes for all that follows.
    #[command(flatten)]
    pub quick: Quick,
}

/// A system in a few figures, without a file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Without a file")]
pub struct Quick {
    /// Number of users: 1B, 20M
    #[arg(long, conflicts_with = "scenario")]
    pub users: Option<String>,
    /// Share of them who are active on a day
    #[arg(long, requires = "users")]
    pub active: Option<String>,
    /// What one active user does: 30/day
    #[arg(long, requires = "users", value_name = "RATE")]
    pub per_user: Option<String>,
    /// Bytes of one object: 5MB
    #[arg(long, requires = "users")]
    pub size: Option<String>,
    /// Number of objects: 100M
    #[arg(long, requires = "users")]
    pub objects: Option<String>,
    /// Whole copies of each
    #[arg(long, requires = "users")]
    pub copies: Option<String>,
    /// Bytes of metadata of one object
    #[arg(long, requires = "users")]
    pub metadata: Option<String>,
    /// Exponent of the objects' popularity (Zipf)
    #[arg(long, requires = "users", value_name = "EXPONENT")]
    pub zipf: Option<String>,
    /// Highest rate of the day over its mean
    #[arg(long, requires = "users", value_name = "RATIO")]
    pub peak_to_mean: Option<String>,
    /// Time a server takes for one request: 20ms
    #[arg(long, requires = "users", value_name = "TIME")]
    pub service_time: Option<String>,
    /// Share of actions that write: 1%
    #[arg(long, requires = "users", value_name = "SHARE")]
    pub writes: Option<String>,
    /// How long objects are kept that writes add
    #[arg(long, requires = "users", value_name = "TIME")]
    pub retention: Option<String>,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// A bundled scenario's name, or a path to a YAML file. What is `auto` in it is chosen; without any, all servers
    /// and capacities of caches
    pub scenario: String,
    /// A second one: both are planned and compared, line by line
    pub other: Option<String>,
    /// Put a value into the scenario; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// How busy servers, links and disks without a target of their own may be at the peak
    #[arg(long, default_value = "70 %", value_name = "SHARE")]
    pub utilisation: String,
    /// No spare server at every place (N+1)
    #[arg(long)]
    pub no_spare: bool,
    /// A failure under which all targets must hold; may be given several times
    #[arg(long, value_name = "FAILURE", value_parser = PossibleValuesParser::new(plimsoll_scenarios::slo::Failure::NAMES.map(|(name, _)| name)))]
    pub under: Vec<String>,
    /// Relax targets that nothing meets to what can be had
    #[arg(long)]
    pub relax: bool,
    /// Don't play the plan in the simulator
    #[arg(long)]
    pub no_verify: bool,
    /// A price list: a bundled name, or a path to a YAML file
    #[arg(long, default_value = "aws", value_name = "LIST")]
    pub prices: String,
    /// Write the scenario with the sizes filled in
    #[arg(long, value_name = "FILE", conflicts_with = "other")]
    pub write: Option<PathBuf>,
    /// Write the plan as one HTML page with plots
    #[arg(long, value_name = "FILE", conflicts_with = "other")]
    pub html: Option<PathBuf>,
    #[command(flatten)]
    pub repeat: Repeat,
    /// Worlds in which candidates are compared where the scenario has ranges; 0 draws none
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub worlds: u64,
    #[arg(long, default_value = "text")]
    pub format: PageFormat,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub repeat: Repeat,
    /// Independent replications; their spread gives the confidence intervals
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub replications: u64,
    /// Go on until every 99th percentile is known this well: `2%`
    #[arg(long, value_name = "SHARE", value_parser = precision)]
    pub precision: Option<f64>,
    /// Play a part of the day only, request by request, with its events: `17:30..19:00` (UTC)
    #[arg(long, value_name = "FROM..TO", value_parser = window, conflicts_with = "scaled")]
    pub window: Option<Window>,
    /// Simulate the scaled-down load run instead of the full day
    #[arg(long, conflicts_with = "precision")]
    pub scaled: bool,
    /// Play every request of the day through the caches, unsampled: minutes instead of seconds
    #[arg(long, conflicts_with_all = ["scaled", "window", "precision"])]
    pub exact: bool,
    /// Write the run as one HTML page with plots
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// A part of the day, seconds after 00:00 UTC.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub from_s: f64,
    pub to_s: f64,
}

fn window(text: &str) -> Result<Window, String> {
    let time = |text: &str| {
        // The end of the day has no name of its own among its minutes.
        if text.trim() == "24:00" {
            return Ok(plimsoll_scenarios::arrivals::DAY_S);
        }
        plimsoll_scenarios::units::parse_time_of_day(text).map_err(|(cause, fix)| format!("{cause}, {fix}"))
    };
    let (from, to) = text.split_once("..").ok_or("write two times of day, such as `17:30..19:00`")?;
    let (from_s, to_s) = (time(from)?, time(to)?);
    if from_s >= to_s {
        return Err(format!("it ends at {to}, which is not after {from}"));
    }
    Ok(Window { from_s, to_s })
}

fn precision(text: &str) -> Result<f64, String> {
    let share =
        plimsoll_scenarios::units::Fraction::parse(text).map_err(|(cause, fix)| format!("{cause}, {fix}"))?;
    if share.get() < 1e-4 {
        return Err("expected 0.01 % or more".to_owned());
    }
    Ok(share.get())
}

#[derive(Debug, Args)]
pub struct StackArgs {
    #[command(subcommand)]
    pub command: Option<StackCommand>,
    #[command(flatten)]
    pub up: StackUpArgs,
}

#[derive(Debug, Subcommand)]
pub enum StackCommand {
    /// Start it and keep it up until Ctrl-C
    #[command(
        after_help = "Examples:\n  plimsoll stack up\n  plimsoll stack up spotify --port 8080 --format json\n  plimsoll stack up --detach --data playlists"
    )]
    Up(StackUpArgs),
    /// What is up, and how it is
    #[command(after_help = "Examples:\n  plimsoll stack status\n  plimsoll stack status --format json")]
    Status {
        #[command(flatten)]
        which: Which,
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Stop what is up
    #[command(after_help = "Examples:\n  plimsoll stack down")]
    Down(Which),
    /// What happened so far, line by line: failures, breaks, repairs
    #[command(after_help = "Examples:\n  plimsoll stack logs")]
    Logs(Which),
    /// Break something on purpose
    #[command(
        after_help = "Targets: a tier (web), a replica (web/1) or a song (song/7).\n\nExamples:\n  plimsoll stack break kill web/0 --for 10s\n  plimsoll stack break slow metadata-db --by 200ms\n  plimsoll stack break cut-bandwidth edge --to '1 Mbit/s'\n  plimsoll stack break corrupt song/7 --copies 2\n  plimsoll stack break hot-release"
    )]
    Break(StackBreakArgs),
    /// Heal all that is broken
    #[command(after_help = "Examples:\n  plimsoll stack heal")]
    Heal(Which),
}

/// Which of several stacks.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The stack of this process, where several are up
    #[arg(long, value_name = "NUMBER")]
    pub process: Option<u32>,
}

#[derive(Debug, Args)]
pub struct StackUpArgs {
    /// A bundled scenario's name, or a path to a YAML file [default: spotify]
    pub scenario: Option<String>,
    /// Put a value into the scenario; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Everything in one process, or real servers as its children
    #[arg(long, default_value = "embedded")]
    pub profile: Profile,
    /// Go on in the background; `plimsoll stack down` stops it
    #[arg(long)]
    pub detach: bool,
    /// Port of the gateway on 127.0.0.1 [default: any free one]
    #[arg(long)]
    pub port: Option<u16>,
    /// Every tier as fast as it can: no emulated service times, round trips and links
    #[arg(long)]
    pub no_emulation: bool,
    /// Requests per second that one client may make [default: any number]
    #[arg(long, value_name = "NUMBER")]
    pub rate_limit: Option<std::num::NonZeroU32>,
    /// Directory that keeps playlists and play events beyond this start, for each profile its own
    /// playlists [default: none]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Bring the songs played most into the edge caches this often, as in `30s` [default: never]
    #[arg(long, value_name = "TIME")]
    pub warm_every: Option<String>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    Embedded,
    Services,
}

#[derive(Debug, Args)]
pub struct StackBreakArgs {
    /// What to do
    #[arg(value_parser = PossibleValuesParser::new(BreakKind::NAMES.map(|(name, ..)| name)))]
    pub kind: String,
    /// What to do it to [default: depends on the kind]
    pub target: Option<String>,
    /// Heal by itself after this time, as in `30s` [default: when told]
    #[arg(long = "for", value_name = "TIME")]
    pub time: Option<String>,
    /// slow: by this much [default: 100ms]
    #[arg(long, value_name = "TIME")]
    pub by: Option<String>,
    /// cut-bandwidth: to this much [default: 1 Mbit/s]
    #[arg(long, value_name = "BANDWIDTH")]
    pub to: Option<String>,
    /// corrupt, lose: how many copies [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub copies: Option<usize>,
    #[command(flatten)]
    pub which: Which,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

/// Where the load goes.
#[derive(Debug, Clone, Args)]
pub struct Aim {
    /// Base URL on this machine that gets all requests [default: a bundled stack started for the run]
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// URL of the target's Prometheus metrics
    #[arg(long, value_name = "URL", requires = "target")]
    pub metrics: Option<String>,
    /// Header for every request; may be given several times
    #[arg(long = "header", value_name = "NAME:VALUE", requires = "target")]
    pub headers: Vec<String>,
    /// What answers must be, such as `play.status = 206`, `play.length = 20000`, `play.body contains "title"`
    /// or `play.sha256 = HEX`; may be given several times
    #[arg(long = "check", value_name = "RULE")]
    pub checks: Vec<String>,
    /// Seconds after which an answer that is not whole counts as failed, at most 120
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT_S)]
    pub timeout: f64,
}

/// As long as a person might wait.
pub const TIMEOUT_S: f64 = 30.0;

#[derive(Debug, Args)]
pub struct LoadArgs {
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub aim: Aim,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Seconds that count [default: as the scenario says]
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Seconds before them [default: as the scenario says]
    #[arg(long, value_name = "SECONDS")]
    pub warmup: Option<f64>,
    /// Most requests under way at the same time
    #[arg(long, default_value_t = 512)]
    pub users: usize,
    /// When requests are sent: `scenario`, `constant 500/s`, `poisson 500/s`, `ramp 100/s to 900/s`,
    /// `step 100/s to 900/s at 10 s`, `day 500/s` (the scenario's day, compressed), `recorded FILE.csv`
    /// (seconds,action,object,site) or `closed 50 users think 200 ms`
    #[arg(long, value_name = "MODEL", default_value = "scenario")]
    pub arrivals: String,
    /// Play an action's bodies at a bitrate and count interruptions; may be given several times
    #[arg(long = "play", value_name = "ACTION=BITRATE")]
    pub playback: Vec<String>,
    /// Seconds that a listener buffers before the music starts
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub buffer: f64,
    /// Write a CSV with one line for every second and kind of request
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write a histogram log (`HdrHistogram`'s format)
    #[arg(long, value_name = "FILE")]
    pub hdr_log: Option<PathBuf>,
    /// Serve Prometheus metrics on this port of 127.0.0.1 while the run lasts
    #[arg(long, value_name = "PORT")]
    pub prometheus: Option<u16>,
    /// Send metrics to an OpenTelemetry collector on this machine while the run lasts, such as at
    /// `http://127.0.0.1:4318` (OTLP over HTTP)
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// Search for the highest rate at which all targets hold; a probe lasts --duration, or 5 s
    #[arg(long, conflicts_with_all = ["arrivals", "csv", "hdr_log", "prometheus", "otlp"])]
    pub find_capacity: bool,
    /// A target for --find-capacity; may be given several times [default: the scenario's SLOs of actions, and
    /// errors < 1 %]
    #[arg(long, value_name = "TARGET", requires = "find_capacity")]
    pub slo: Vec<String>,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct GateArgs {
    #[command(flatten)]
    pub what: What,
    #[command(flatten)]
    pub aim: Aim,
    /// Base URL of another instance on this machine: rounds of both alternate, and the target must be no worse
    #[arg(long, value_name = "URL", requires = "target", conflicts_with = "baseline")]
    pub against: Option<String>,
    /// Header for the requests to it, where they are not those of the target; may be given several times
    #[arg(long = "against-header", value_name = "NAME:VALUE", requires = "against")]
    pub against_headers: Vec<String>,
    /// Rounds of an earlier run, to compare with
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write the rounds to the baseline's file, instead of comparing with it
    #[arg(long, requires = "baseline")]
    pub update_baseline: bool,
    /// A bound on a series, such as `play.first_byte p99 < 250 ms`, `errors < 0.1 %` or `edge.hit_ratio > 75 %`;
    /// may be given several times [default without a baseline: the scenario's SLOs of actions]
    #[arg(long = "threshold", value_name = "BOUND")]
    pub thresholds: Vec<String>,
    /// A series to compare with the baseline; may be given several times [default: errors, hit ratios, and each
    /// action's first byte at p50 and p99]
    #[arg(long, value_name = "SERIES")]
    pub watch: Vec<String>,
    /// Smallest change of a time that matters
    #[arg(long, value_name = "SHARE", default_value = "5 %")]
    pub min_effect: String,
    /// Hold the rounds against the simulation too, within this tolerance
    #[arg(long, value_name = "TOLERANCE")]
    pub prediction: Option<String>,
    /// Rounds that count
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(3..=1000))]
    pub rounds: u64,
    /// Seconds of a round [default: an eighth of the scenario's duration, 1 to 10]
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Seconds before the first round [default: as the scenario says]
    #[arg(long, value_name = "SECONDS")]
    pub warmup: Option<f64>,
    /// Seconds before each round, for connections and queues to be as they are under load
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5, hide = true)]
    pub settle: f64,
    /// Seed of the first round; the others follow
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Most requests under way at the same time
    #[arg(long, default_value_t = 512)]
    pub users: usize,
    #[arg(long, value_name = "FILE", help = "Write the answers as JUnit XML")]
    pub junit: Option<PathBuf>,
    #[arg(long, default_value = "text")]
    pub format: PageFormat,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// prediction.json, or a directory that holds both records
    pub prediction: PathBuf,
    /// measurement.json
    pub measurement: Option<PathBuf>,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Directory with records of a run
    pub directory: PathBuf,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    Objects,
    Bytes,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A recorded trace, also packed with zstd: libCacheSim's oracleGeneral, CSV of time,key,size, or an
    /// access log; `-` is the standard input
    pub trace: PathBuf,
    /// Eviction policies, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "lru", ignore_case = true,
        value_parser = PossibleValuesParser::new(Policy::NAMES.map(|(name, _)| name)))]
    pub policy: Vec<String>,
    /// Capacities, separated by commas: objects such as `1000`, or bytes such as `10 GB`
    #[arg(long, value_name = "SIZES", value_delimiter = ',', allow_hyphen_values = true)]
    pub capacity: Vec<String>,
    /// What capacities count [default: as their units say]
    #[arg(long)]
    pub by: Option<By>,
    /// How long what was fetched is fresh, such as `1 h`: an older object is a miss, and is fetched again
    #[arg(long, value_name = "TIME")]
    pub ttl: Option<String>,
    /// 2: an object is kept from the second request on that a history as long as the cache remembers
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub admit_on: u8,
    /// Larger objects pass without being kept, such as `20 MB`
    #[arg(long, value_name = "SIZE")]
    pub admit_max_size: Option<String>,
    /// The exact miss ratio of LRU at every capacity, in objects
    #[arg(long)]
    pub mrc: bool,
    /// A popularity law fitted to the trace, as a scenario takes it
    #[arg(long)]
    pub fit: bool,
    /// Kind of the trace [default: as its name or its first bytes say]
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(TraceFormat::NAMES.map(|(name, _)| name)))]
    pub trace_format: Option<String>,
    /// Directory for replay.json and, with --mrc, miss-ratio-curve.svg [default: none]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct ScenariosArgs {
    #[command(subcommand)]
    pub what: ScenariosCommand,
}

#[derive(Debug, Subcommand)]
pub enum ScenariosCommand {
    /// The bundled scenarios
    #[command(after_help = "Examples:\n  plimsoll scenarios list\n  plimsoll scenarios list --format json")]
    List {
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Print a scenario with its comments, or what it comes to
    #[command(
        after_help = "Examples:\n  plimsoll scenarios show spotify > my-system.yaml\n  plimsoll scenarios show what-if.yaml --resolved\n  plimsoll scenarios show spotify --resolved --set 'population.users=2 B'"
    )]
    Show(ShowArgs),
    /// Check files and say every problem of each
    #[command(
        after_help = "Examples:\n  plimsoll scenarios check my-system.yaml what-ifs/*.yaml\n  plimsoll scenarios check my-system.yaml --format json\n\nEnds with 2 if any file is bad."
    )]
    Check(CheckArgs),
    /// Write a short scenario to start from
    #[command(
        after_help = "Examples:\n  plimsoll scenarios new my-system\n  plimsoll scenarios new my-system --output systems/mine.yaml\n\nWrites over no file."
    )]
    New(NewArgs),
    /// Print the JSON Schema of scenario files, for editors
    #[command(
        after_help = "Examples:\n  plimsoll scenarios schema > scenario.schema.json\n\nAn editor with a YAML language server uses it for files that begin with\n  # yaml-language-server: $schema=scenario.schema.json"
    )]
    Schema,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    #[command(flatten)]
    pub what: What,
    /// With what it extends and --set put in, and the place of every value that is from there; --set implies it
    #[arg(long)]
    pub resolved: bool,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Bundled names, or paths to YAML files
    #[arg(required = true)]
    pub files: Vec<String>,
    /// Put a value into each before it is checked; may be given several times
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    #[arg(long, default_value = "text")]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct NewArgs {
    /// Name of the scenario
    pub name: String,
    /// File to write, or `-` for the standard output [default: NAME.yaml]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
