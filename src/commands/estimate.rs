//! `plimsoll estimate`: closed forms.

use plimsoll_reports::{json, text};
use plimsoll_sim::estimate;

use crate::cli::{EstimateArgs, PageFormat};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

pub fn run(args: &EstimateArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let scenario = args.what.load()?;
    let record = estimate(&scenario);
    let page = match args.format {
        PageFormat::Json => json::to_string(&record)?,
        PageFormat::Markdown => text::estimate_markdown(&record),
        PageFormat::Text if args.explain => text::estimate_explained(&record, terminal.style),
        PageFormat::Text => text::estimate(&record, terminal.style),
    };
    terminal.print(&page)?;
    Ok(Code::Success)
}
