//! One file per command. Each stage is a function that `run` composes and a command of its own.

mod compare;
mod estimate;
mod gate;
mod load;
mod plan;
mod replay;
mod report;
mod run;
mod scenarios;
mod simulate;
mod solve;
mod stack;

use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

pub fn run(cli: &Cli, terminal: &Terminal) -> Result<Code, Failure> {
    match &cli.command {
        Command::Run(args) => run::run(args, terminal),
        Command::Estimate(args) => estimate::run(args, terminal),
        Command::Plan(args) => plan::run(args, terminal),
        Command::Simulate(args) => simulate::run(args, terminal),
        Command::Stack(args) => stack::run(args, terminal),
        Command::Load(args) => load::run(args, terminal),
        Command::Gate(args) => gate::run(args, terminal),
        Command::Compare(args) => compare::run(args, terminal),
        Command::Report(args) => report::run(args, terminal),
        Command::Replay(args) => replay::run(args, terminal),
        Command::Scenarios(args) => scenarios::run(args, terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "plimsoll", &mut script);
            terminal.print(&String::from_utf8_lossy(&script))?;
            Ok(Code::Success)
        }
    }
}
