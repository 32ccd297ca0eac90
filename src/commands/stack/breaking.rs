//! `plimsoll stack break` and `heal`.

use plimsoll_reports::json;
use plimsoll_scenarios::units;
use plimsoll_stack::{Break, BreakKind};

use super::up::time;
use crate::cli::{Format, StackBreakArgs, Which};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

pub fn run(args: &StackBreakArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let running = super::the_one(&args.which)?;
    let done = running.break_it(&wish(args)?)?;
    if args.format == Format::Json {
        terminal.print(&json::to_string(&done)?)?;
        return Ok(Code::Success);
    }
    let end = match (&args.time, done.lasts) {
        (_, false) => "",
        (Some(_), true) => "; it heals by itself",
        (None, true) => "; `plimsoll stack heal` ends it",
    };
    terminal.print(&format!("{}{end}", done.what))?;
    Ok(Code::Success)
}

pub fn heal(which: &Which, terminal: &Terminal) -> Result<Code, Failure> {
    let healed = super::the_one(which)?.heal()?;
    if healed.is_empty() {
        terminal.say("nothing is broken");
    }
    for done in &healed {
        terminal.print(&format!("healed: {} {}", done.kind.name(), done.target))?;
    }
    Ok(Code::Success)
}

/// The command line as a wish; an option that the kind has no use for is a mistake.
fn wish(args: &StackBreakArgs) -> Result<Break, Failure> {
    let kind = BreakKind::NAMES.into_iter().find(|(name, ..)| *name == args.kind);
    let Some((_, kind, _)) = kind else {
        return Err(Failure::Usage(format!("there is no break `{}`", args.kind)));
    };
    let harms_songs = [BreakKind::Corrupt, BreakKind::Lose].contains(&kind);
    for (option, given, of_use) in [
        ("--by", args.by.is_some(), kind == BreakKind::Slow),
        ("--to", args.to.is_some(), kind == BreakKind::CutBandwidth),
        ("--copies", args.copies.is_some(), harms_songs),
    ] {
        if given && !of_use {
            return Err(Failure::Usage(format!("{option} means nothing for `{}`", args.kind)));
        }
    }
    let seconds = |option, text: Option<&String>| text.map(|text| time(option, text)).transpose();
    let bandwidth = args.to.as_deref().map(units::Bandwidth::parse).transpose();
    let bandwidth =
        bandwidth.map_err(|(what, hint)| Failure::Usage(format!("--to: {what}\nhint: {hint}")))?;
    Ok(Break {
        target: args.target.clone(),
        for_s: seconds("--for", args.time.as_ref())?.map(|time| time.as_secs_f64()),
        by_ms: seconds("--by", args.by.as_ref())?.map(|time| time.as_secs_f64() * 1e3),
        bits_per_s: bandwidth.map(|bandwidth| bandwidth.get()),
        copies: args.copies,
        ..Break::new(kind)
    })
}
