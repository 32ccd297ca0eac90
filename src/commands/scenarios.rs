//! `plimsoll scenarios`: list, show, check.

use plimsoll_reports::json;
use plimsoll_scenarios::{LoadError, bundled, load, nearest};

use crate::cli::{Format, ScenariosArgs, ScenariosCommand};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

#[derive(serde::Serialize)]
struct Entry {
    name: String,
    summary: String,
}

pub fn run(args: &ScenariosArgs, terminal: &Terminal) -> Result<Code, Failure> {
    match &args.what {
        ScenariosCommand::List { format } => list(*format, terminal),
        ScenariosCommand::Show { name } => {
            let Some(found) = bundled().iter().find(|b| b.name == name) else {
                return Err(LoadError::Unknown { name: name.clone(), nearest: nearest(name) }.into());
            };
            terminal.print(found.yaml)?;
            Ok(Code::Success)
        }
        ScenariosCommand::Check { files } => check(files, terminal),
    }
}

fn list(format: Format, terminal: &Terminal) -> Result<Code, Failure> {
    let mut entries = Vec::new();
    for scenario in bundled() {
        entries.push(Entry { name: scenario.name.to_owned(), summary: load(scenario.name)?.summary });
    }
    terminal.print(&match format {
        Format::Json => json::to_string(&entries)?,
        Format::Text => {
            entries.iter().fold(String::new(), |text, e| text + &format!("{:<24} {}\n", e.name, e.summary))
        }
    })?;
    Ok(Code::Success)
}

/// Checks every file, not only up to the first bad one.
fn check(files: &[String], terminal: &Terminal) -> Result<Code, Failure> {
    let mut code = Code::Success;
    for file in files {
        match load(file) {
            Ok(scenario) => terminal.print(&format!(
                "{file}: valid · {} actions, {} datasets, {} tiers, {} regions",
                scenario.actions.len(),
                scenario.datasets.len(),
                scenario.tiers.len(),
                scenario.population.regions.len()
            ))?,
            Err(error) => {
                terminal.error(&error.into());
                code = Code::Usage;
            }
        }
    }
    Ok(code)
}
