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

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.list.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
                writeln!(f)?;
            }
            write_problem(f, self.source(problem), problem)?;
        }
        if self.list.len() > 1 {
            write!(
                f,
                "\n\n{} problems in {}",
                self.list.len(),
                self.sources.first().map_or("", |s| &s.name)
            )?;
        }
        Ok(())
    }
}

impl Problems {
    /// The text in which a problem stands.
    fn source(&self, problem: &Problem) -> &SourceFile {
        let index = usize::from(problem.origin.file).min(self.sources.len().saturating_sub(1));
        self.sources.get(index).unwrap_or_else(|| self.sources.first().expect("problems have a source"))
    }
}

/// Widest source line shown; a longer one is cut around the caret.
const SHOWN_COLUMNS_MAX: usize = 160;

fn write_problem(f: &mut fmt::Formatter<'_>, source: &SourceFile, problem: &Problem) -> fmt::Result {
    let Origin { line, column, length, .. } = problem.origin;
    write!(f, "error: {}", problem.cause)?;
    if line == 0 {
        write!(f, "\n  --> {}", source.name)?;
        return if problem.fix.is_empty() { Ok(()) } else { write!(f, "\n  = {}", problem.fix) };
    }
    let text = source.text.lines().nth(line as usize - 1).unwrap_or("");
    let start = (column.max(1) as usize) - 1;
    let skip = start.saturating_sub(SHOWN_COLUMNS_MAX / 2);
    let shown: String = text.chars().skip(skip).take(SHOWN_COLUMNS_MAX).collect();
    let shown_len = shown.chars().count();
    let caret_at = (start - skip).min(shown_len);
    let caret_len = (length.max(1) as usize).min((shown_len - caret_at).max(1));
    let gutter = line.to_string().len();
    writeln!(f, "\n{:gutter$}--> {}:{line}:{column}", "", source.name)?;
    writeln!(f, "{:gutter$} |", "")?;
    writeln!(f, "{line} | {shown}")?;
    write!(f, "{:gutter$} | {:caret_at$}{}", "", "", "^".repeat(caret_len))?;
    if problem.fix.is_empty() { Ok(()) } else { write!(f, " {}", problem.fix) }
}
