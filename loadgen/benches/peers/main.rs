//! The load generator beside its peers, in one run: `cargo bench -p plimsoll-loadgen --bench peers`.
//!
//! Why in one run: a figure of another day, or of another machine, is no comparison. Every contestant is a process of
//! its own, so what the system says of its CPU time is all of its work and nobody else's, and contestants take turns,
//! so that a restless minute meets all of them. A peer that is not installed is left out, and the table says so.
//!
//! What to install: nginx (any), and `cargo install oha`. Stock goose is in here: it is a dependency anyway.

#[path = "../../tests/common/mod.rs"]
mod common;
mod contestant;
mod floor;
mod machine;
mod memory;
mod nginx;
mod oha;
mod omission;
mod ours;
mod rate;
mod speed;
mod stamped;
mod stock_goose;
mod table;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Anything that goes wrong ends the bench with its cause.
type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Debug, Parser)]
#[command(about = "The load generator beside its peers", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    asked: Asked,
    #[command(subcommand)]
    contestant: Option<Child>,
}

#[derive(Debug, Args)]
struct Asked {
    /// What to measure; everything unless told otherwise
    #[arg(value_enum)]
    sections: Vec<Section>,
    /// Seconds of one contestant's turn
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Turns of each contestant in the speed section
    #[arg(long, default_value_t = 5)]
    turns: usize,
    /// Connections, where contestants are compared
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests a second in the comparison at the same rate
    #[arg(long, default_value_t = 3_000.0)]
    rate: f64,
    /// Requests of the memory section
    #[arg(long, default_value_t = 600_000)]
    memory_requests: u64,
    /// Requests a second of the memory section
    #[arg(long, default_value_t = 10_000.0)]
    memory_rate: f64,
    #[arg(long, default_value = "oha")]
    oha: PathBuf,
    #[arg(long, default_value = "nginx")]
    nginx: PathBuf,
    /// `cargo bench` gives it to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Section {
    /// CPU per request and requests a second, beside oha and stock goose
    Speed,
    /// Delivered rate against the plan, gaps, and how late requests leave
    Rate,
    /// What each says of a target that pauses for a second
    Omission,
    /// Growth of memory over many requests
    Memory,
}

/// The processes that this one starts.
#[derive(Debug, Subcommand)]
enum Child {
    #[command(hide = true)]
    Ours(ours::Ours),
    #[command(hide = true)]
    Goose(stock_goose::StockGoose),
    #[command(hide = true)]
    Floor(floor::Floor),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.contestant {
        Some(Child::Ours(ours)) => ours.play(),
        Some(Child::Goose(goose)) => goose.play(),
        Some(Child::Floor(floor)) => floor.play(),
        None => measure(&cli.asked),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("error: {cause}");
            ExitCode::FAILURE
        }
    }
}

fn measure(asked: &Asked) -> Outcome<()> {
    let wanted = |section| asked.sections.is_empty() || asked.sections.contains(&section);
    if wanted(Section::Speed) {
        speed::measure(asked)?;
    }
    if wanted(Section::Rate) {
        rate::measure(asked)?;
    }
    if wanted(Section::Omission) {
        omission::measure(asked)?;
    }
    if wanted(Section::Memory) {
        memory::measure(asked)?;
    }
    Ok(())
}
