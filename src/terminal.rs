//! Talking: results to stdout, all else to stderr, progress that suits a terminal or a log.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use plimsoll_reports::text::Style;

use crate::cli::{Cli, When};
use crate::failure::Failure;

/// How to write, decided once.
pub struct Terminal {
    pub style: Style,
    error_color: bool,
    quiet: bool,
    bars: bool,
}

/// Seconds between lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const WIDTH_MAX: usize = 120;

impl Terminal {
    pub fn new(cli: &Cli) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let colored = |is_terminal: bool| match cli.color {
            When::Always => true,
            When::Never => false,
            When::Auto => is_terminal && !plain,
        };
        let bars = std::io::stderr().is_terminal();
        let width = console_width().clamp(60, WIDTH_MAX);
        Self {
            style: Style { color: colored(std::io::stdout().is_terminal()), width },
            error_color: colored(bars),
            quiet: cli.quiet,
            bars,
        }
    }

    /// Prints a result. A reader that went away (`| head`) is no error; a full disk is.
    #[expect(clippy::unused_self, reason = "all that is said goes through the terminal")]
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
            Err(cause) if cause.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::Write { path: "the standard output".to_owned(), cause })
            }
            _ => Ok(()),
        }
    }

    /// Says something beside the result.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    pub fn error(&self, failure: &Failure) {
        let text = failure.to_string();
        let (red, end) = if self.error_color { ("\u{1b}[31;1m", "\u{1b}[0m") } else { ("", "") };
        // Problems of a scenario bring their own heading.
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let _ = writeln!(std::io::stderr(), "{red}error{end}: {text}");
    }

    /// Runs a stage with progress: a bar on a terminal, a line now and then in a log.
    pub fn stage<T>(&self, name: &str, run: impl FnOnce(&Stage) -> T) -> T {
        let bar = if self.bars && !self.quiet {
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{prefix:<12} {bar:24} {percent:>3} % {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─");
            bar.set_style(style);
            bar.set_prefix(name.to_owned());
            Some(bar)
        } else {
            None
        };
        let now = Instant::now();
        let (quiet, color) = (self.quiet, self.error_color);
        let stage = Stage { name: name.to_owned(), quiet, color, bar, began: now, said: Mutex::new(now) };
        let result = run(&stage);
        stage.end();
        result
    }
}

fn console_width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    columns.unwrap_or_else(|| {
        let (_, columns) = indicatif_console_size();
        if std::io::stdout().is_terminal() { columns } else { 100 }
    })
}

fn indicatif_console_size() -> (usize, usize) {
    let (rows, columns) = console::Term::stdout().size();
    (rows.into(), columns.into())
}

/// A line under the bar of a stage, and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub ink: Ink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Plain,
    /// What may be skipped.
    Quiet,
    Bad,
}

impl Line {
    /// Cut to what fits beside each other: a line that wraps would push all others down.
    fn shown(&self, columns: usize, color: bool) -> String {
        let fits = self.text.chars().count() <= columns;
        let cut: String = self.text.chars().take(columns.saturating_sub(usize::from(!fits))).collect();
        let text = if fits { cut } else { cut + "…" };
        match self.ink {
            Ink::Quiet if color => format!("\u{1b}[2m{text}\u{1b}[0m"),
            Ink::Bad if color => format!("\u{1b}[31m{text}\u{1b}[0m"),
            _ => text,
        }
    }
}

/// A stage under way.
pub struct Stage {
    name: String,
    quiet: bool,
    color: bool,
    bar: Option<ProgressBar>,
    began: Instant,
    said: Mutex<Instant>,
}

impl Stage {
    /// The share that is done, 0 to 1, and a word on it.
    pub fn progress(&self, share: f64, word: &str) {
        self.view(share, word, &[]);
    }

    /// The same with lines under the bar, which take the place of the word on a terminal.
    pub fn view(&self, share: f64, word: &str, lines: &[Line]) {
        let share = share.clamp(0.0, 1.0);
        let elapsed = self.began.elapsed().as_secs_f64();
        let left = if share > 0.01 {
            format!("{:.0} s left", elapsed * (1.0 - share) / share)
        } else {
            String::new()
        };
        if let Some(bar) = self.bar.as_ref().filter(|_| !lines.is_empty()) {
            let columns = usize::from(console::Term::stderr().size().1).saturating_sub(1);
            let lines = lines.iter().map(|line| line.shown(columns, self.color));
            bar.set_position((share * 1000.0) as u64);
            bar.set_message(std::iter::once(left).chain(lines).collect::<Vec<_>>().join("\n"));
            return;
        }
        let message = match (left.is_empty(), word.is_empty()) {
            (false, false) => format!("{left} · {word}"),
            (true, _) => word.to_owned(),
            (_, true) => left,
        };
        if let Some(bar) = &self.bar {
            bar.set_position((share * 1000.0) as u64);
            bar.set_message(message);
            return;
        }
        if self.quiet {
            return;
        }
        let Ok(mut said) = self.said.try_lock() else { return };
        if said.elapsed() >= LINE_EVERY {
            *said = Instant::now();
            let _ = writeln!(std::io::stderr(), "{:<12} {:>3.0} % {message}", self.name, share * 100.0);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if !self.quiet {
            let _ =
                writeln!(std::io::stderr(), "{:<12} {:.1} s", self.name, self.began.elapsed().as_secs_f64());
        }
    }
}
