//! Problems of a file: cause, place and next step, all of them at once.

use std::fmt;
use std::sync::Arc;

/// A text that was read, with the name to show for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path or bundled name, as shown in messages.
    pub name: Arc<str>,
    pub text: Arc<str>,
}

impl SourceFile {
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// Where a value stands in its file. Lines and columns count from 1; 0 means unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// Position in the list of sources; 0 is the scenario's own file.
    pub file: u16,
    pub line: u32,
    pub column: u32,
    /// Characters to underline.
    pub length: u32,
}

/// One thing wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    /// What is wrong.
    pub cause: String,
    /// What to do, shown behind the caret.
    pub fix: String,
}

/// Everything wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// The texts it was read from: its file, those it extends, and settings from the command line.
    pub sources: Vec<SourceFile>,
    /// In order of place; never empty.
    pub list: Vec<Problem>,
}

impl std::error::Error for Problems {}

/// Most problems that are shown; who has mended these may ask again.
const SHOWN_MAX: usize = 10;

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.list.iter().take(SHOWN_MAX).enumerate() {
            if i > 0 {
                write!(f, "\n\n")?;
            }
            write_problem(f, self.source(problem), problem)?;
        }
        let count = self.list.len();
        if count > 1 {
            let more =
                if count > SHOWN_MAX { format!("and {} more: ", count - SHOWN_MAX) } else { String::new() };
            write!(f, "\n\n{more}{count} problems in {}", self.sources.first().map_or("", |s| &s.name))?;
        }
        Ok(())
    }
}

impl Problems {
    /// The text in which a problem stands.
    ///
    /// # Panics
    /// If there is no source, which no reader of this crate brings about.
    #[must_use]
    pub fn source(&self, problem: &Problem) -> &SourceFile {
        let index = usize::from(problem.origin.file).min(self.sources.len().saturating_sub(1));
        self.sources.get(index).unwrap_or_else(|| self.sources.first().expect("problems have a source"))
    }
}

/// Widest source line shown; a longer one is cut around the caret.
const SHOWN_COLUMNS_MAX: usize = 160;

fn write_problem(f: &mut fmt::Formatter<'_>, source: &SourceFile, problem: &Problem) -> fmt::Result {
    let Origin { line, column, length, .. } = problem.origin;
    let fix = shown(&problem.fix);
    write!(f, "error: {}", shown(&problem.cause))?;
    if line == 0 {
        write!(f, "\n  --> {}", source.name)?;
        return if fix.is_empty() { Ok(()) } else { write!(f, "\n  = {fix}") };
    }
    let text = source.text.lines().nth(line as usize - 1).unwrap_or("");
    let start = (column.max(1) as usize) - 1;
    let skip = start.saturating_sub(SHOWN_COLUMNS_MAX / 2);
    let text: String = text.chars().skip(skip).take(SHOWN_COLUMNS_MAX).map(printable).collect();
    let shown_len = text.chars().count();
    let caret_at = (start - skip).min(shown_len);
    let caret_len = (length.max(1) as usize).min((shown_len - caret_at).max(1));
    let gutter = line.to_string().len();
    writeln!(f, "\n{:gutter$}--> {}:{line}:{column}", "", source.name)?;
    writeln!(f, "{:gutter$} |", "")?;
    writeln!(f, "{line} | {text}")?;
    write!(f, "{:gutter$} | {:caret_at$}{}", "", "", "^".repeat(caret_len))?;
    if fix.is_empty() { Ok(()) } else { write!(f, " {fix}") }
}

/// Longest cause or fix that is shown, characters: a file's values in it may be of any length.
const SHOWN_TEXT_MAX: usize = 400;

/// A text of a message on one line, cut where it is long.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_TEXT_MAX).map(printable).collect();
    if text.chars().nth(SHOWN_TEXT_MAX).is_some() {
        shown.push_str(" ...");
    }
    shown
}

/// Line ends, tabs and what steers a terminal as one blank each, so that carets stay in place.
fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}
