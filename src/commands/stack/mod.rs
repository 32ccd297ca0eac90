//! `plimsoll stack`: the reference stack, from its start to its end.
//!
//! Why by cards: a stack may run in another terminal or in the background. Each leaves a card that says where it
//! is; commands look there and talk to its admin API.

mod breaking;
mod status;
mod up;

use std::time::{Duration, Instant};

use plimsoll_stack::Running;

use crate::cli::{StackArgs, StackCommand, Which};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

pub use up::start;

/// A stack that was told to stop must be gone within this time.
const DOWN_MAX: Duration = Duration::from_secs(15);

pub fn run(args: &StackArgs, terminal: &Terminal) -> Result<Code, Failure> {
    match &args.command {
        None => up::run(&args.up, terminal),
        Some(StackCommand::Up(up)) => up::run(up, terminal),
        Some(StackCommand::Status { which, format }) => status::run(which, *format, terminal),
        Some(StackCommand::Down(which)) => down(which, terminal),
        Some(StackCommand::Logs(which)) => logs(which, terminal),
        Some(StackCommand::Break(args)) => breaking::run(args, terminal),
        Some(StackCommand::Heal(which)) => breaking::heal(which, terminal),
    }
}

/// The stack that is meant: the one named, or the only one.
fn the_one(which: &Which) -> Result<Running, Failure> {
    let mut all = Running::all();
    if let Some(process) = which.process {
        all.retain(|running| running.process == process);
    }
    match (all.len(), which.process) {
        (1, _) => Ok(all.remove(0)),
        (0, None) => {
            Err(Failure::Usage("no stack is up\nhint: `plimsoll stack up --detach` starts one".to_owned()))
        }
        (0, Some(process)) => Err(Failure::Usage(format!(
            "process {process} is no stack of yours\nhint: `plimsoll stack status` lists those that are up"
        ))),
        _ => {
            let lines: Vec<String> =
                all.iter().map(|one| format!("  --process {}  {}", one.process, one.scenario)).collect();
            Err(Failure::Usage(format!("several stacks are up; say which:\n{}", lines.join("\n"))))
        }
    }
}

fn down(which: &Which, terminal: &Terminal) -> Result<Code, Failure> {
    let running = the_one(which)?;
    running.stop()?;
    let began = Instant::now();
    while running.is_there() {
        if began.elapsed() > DOWN_MAX {
            let process = running.process;
            return Err(Failure::Process(format!(
                "the stack of process {process} still runs after {} s\nhint: end it with `kill {process}`",
                DOWN_MAX.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    terminal.say(&format!("{} of process {} is down", running.scenario, running.process));
    Ok(Code::Success)
}

fn logs(which: &Which, terminal: &Terminal) -> Result<Code, Failure> {
    let running = the_one(which)?;
    let text = std::fs::read(&running.log).map_err(|cause| Failure::Read {
        path: running.log.display().to_string(),
        cause: cause.to_string(),
        hint: "the log goes when the stack stops".to_owned(),
    })?;
    terminal.print(&String::from_utf8_lossy(&text))?;
    Ok(Code::Success)
}
