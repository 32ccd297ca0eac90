//! The `plimsoll` program: reads the command line, runs one command, ends with the documented exit code.

mod cli;
mod commands;
mod failure;
mod machine;
mod output;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // A stack of real servers starts this program once more, as its object store.
    #[cfg(feature = "services")]
    if let Some(code) = plimsoll_stack::serve_objects() {
        return ExitCode::from(code);
    }
    let cli = cli::Cli::parse();
    let terminal = terminal::Terminal::new(&cli);
    match commands::run(&cli, &terminal) {
        Ok(code) => code.into(),
        Err(failure) => {
            terminal.error(&failure);
            failure.code().into()
        }
    }
}
