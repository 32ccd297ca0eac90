//! `plimsoll stack status`: what is up, and how it is.

use plimsoll_stack::{Running, StackStatus};

use crate::cli::{Format, Which};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;
use plimsoll_reports::json;

/// A stack with what it says of itself.
#[derive(serde::Serialize)]
struct Known {
    #[serde(flatten)]
    running: Running,
    status: StackStatus,
}

pub fn run(which: &Which, format: Format, terminal: &Terminal) -> Result<Code, Failure> {
    let all = match which.process {
        Some(_) => vec![super::the_one(which)?],
        None => Running::all(),
    };
    let known = all
        .into_iter()
        .map(|running| Ok(Known { status: running.status()?, running }))
        .collect::<Result<Vec<_>, Failure>>()?;
    if format == Format::Json {
        terminal.print(&json::to_string(&known)?)?;
        return Ok(Code::Success);
    }
    if known.is_empty() {
        terminal.say("no stack is up");
    }
    let pages: Vec<String> = known.iter().map(page).collect();
    if !pages.is_empty() {
        terminal.print(&pages.join("\n"))?;
    }
    Ok(Code::Success)
}

fn page(known: &Known) -> String {
    let Known { running, status } = known;
    let mut text = format!(
        "{} · {} · process {} · up for {:.0} s · {} songs · bus {} events behind\n",
        running.scenario,
        status.profile,
        running.process,
        status.uptime_s,
        status.songs,
        status.bus_lag_events
    );
    let mut tiers: Vec<&str> = Vec::new();
    for part in &status.parts {
        if !tiers.contains(&part.tier.as_str()) {
            tiers.push(&part.tier);
        }
    }
    for tier in tiers {
        let parts = || status.parts.iter().filter(|part| part.tier == tier);
        let (all, up) = (parts().count(), parts().filter(|part| part.up).count());
        let (load, slots): (u64, usize) =
            parts().fold((0, 0), |(load, slots), part| (load + part.load, slots + part.slots));
        let urls = running.tiers.get(tier).map(|urls| urls.join("  ")).unwrap_or_default();
        let line = format!("  {tier:<15} {up} of {all} up · {load} requests on {slots} slots");
        text += format!("{line:<64} {urls}").trim_end();
        text += "\n";
    }
    for broken in &status.broken {
        text += &format!("  broken: {} {}: {}\n", broken.kind.name(), broken.target, broken.what);
    }
    text
}
