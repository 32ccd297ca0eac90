//! `plimsoll report`: the page of records that are there already.

use plimsoll_reports::{html, json};

use crate::cli::{Format, ReportArgs};
use crate::failure::{Code, Failure};
use crate::output;
use crate::terminal::Terminal;

pub fn run(args: &ReportArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let report = output::read_report(&args.directory)?;
    output::write(&args.directory, output::REPORT, &html::html(&report))?;
    terminal.print(&match args.format {
        Format::Json => json::to_string(&report)?,
        Format::Text => args.directory.join(output::REPORT).display().to_string(),
    })?;
    Ok(Code::Success)
}
