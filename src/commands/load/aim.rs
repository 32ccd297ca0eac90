//! Where the load goes: a target that somebody runs, or a bundled stack that lives as long as the command.

use std::collections::BTreeMap;

use plimsoll_loadgen::{Check, Targets};
use plimsoll_scenarios::Scenario;
use plimsoll_stack::{Stack, StackOptions};

use crate::cli::Aim;
use crate::failure::{Failure, loadable};
use crate::terminal::Terminal;

impl Aim {
    /// Whether the bundled stack can play the scenario, where it is to. Any other target knows best itself.
    pub fn check(&self, scenario: &Scenario, command: &'static str) -> Result<(), Failure> {
        if self.target.is_some() { Ok(()) } else { loadable(scenario, command) }
    }
}

/// A target, and the stack behind it if it is ours.
pub struct Aimed {
    pub targets: Targets,
    stack: Option<Stack>,
}

impl Aimed {
    /// Stops the stack, if it is ours.
    pub fn stop(self) {
        if let Some(stack) = self.stack {
            stack.stop();
        }
    }
}

/// The target that was named, or a stack started for the scenario.
pub fn aimed(aim: &Aim, scenario: &Scenario, seed: u64, terminal: &Terminal) -> Result<Aimed, Failure> {
    if let Some(url) = &aim.target {
        return Ok(Aimed { targets: named(aim, url)?, stack: None });
    }
    let options = StackOptions { seed, ..StackOptions::default() };
    let stack = crate::commands::stack::start(scenario, &options, terminal)?;
    Ok(Aimed { targets: super::targets(stack.endpoints()), stack: Some(stack) })
}

/// A target at this url, with the headers and metrics of the command line.
pub fn named(aim: &Aim, url: &str) -> Result<Targets, Failure> {
    Ok(Targets {
        by_tier: BTreeMap::new(),
        fallback: Some(url.to_owned()),
        metrics: aim.metrics.clone(),
        headers: aim.headers.iter().map(|h| header(h)).collect::<Result<_, _>>()?,
    })
}

/// The rules for answers.
pub fn checks(aim: &Aim) -> Result<Vec<Check>, Failure> {
    let check =
        |text: &String| Check::parse(text).map_err(|cause| Failure::Usage(format!("--check: {cause}")));
    aim.checks.iter().map(check).collect()
}

fn header(text: &str) -> Result<(String, String), Failure> {
    text.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).ok_or_else(
        || Failure::Usage(format!("--header `{text}` has no colon\nhint: write `--header 'x-api-key: 123'`")),
    )
}
