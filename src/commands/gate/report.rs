//! The answers, wherever they are wanted: terminal, JSON, `JUnit`, the summary of a CI job.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use plimsoll_reports::gate::Gate;
use plimsoll_reports::junit::junit;
use plimsoll_reports::{json, text};

use crate::cli::{GateArgs, PageFormat};
use crate::failure::Failure;
use crate::output;
use crate::terminal::Terminal;

/// GitHub Actions names the file whose Markdown it shows with the job.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

pub fn write(args: &GateArgs, record: &Gate, wall_s: f64, terminal: &Terminal) -> Result<(), Failure> {
    terminal.print(&match args.format {
        PageFormat::Json => json::to_string(record)?,
        PageFormat::Markdown => text::gate_markdown(record),
        PageFormat::Text => text::gate(record, terminal.style),
    })?;
    if let Some(path) = &args.junit {
        output::put(path, &junit(record, wall_s))?;
    }
    if let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty()) {
        // A summary that cannot be written must not hide the answer.
        let appended = OpenOptions::new().create(true).append(true).open(&path);
        if let Err(cause) =
            appended.and_then(|mut file| file.write_all(text::gate_markdown(record).as_bytes()))
        {
            terminal.say(&format!("cannot append to {} ({SUMMARY}): {cause}", Path::new(&path).display()));
        }
    }
    Ok(())
}
