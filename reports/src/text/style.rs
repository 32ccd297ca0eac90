//! Colour, and what stands in for it.
//!
//! Why tones and not colours: a line says what it means (good, bad, less important) and this file alone
//! decides how that looks. No tone is the only signal: ✓ and ✗ stand in the text too.

/// How a text is laid out and coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Write ANSI escape codes; off for pipes, files and `NO_COLOR`.
    pub color: bool,
    /// Columns to use. Numbers are never cut for it, names and sentences are.
    pub width: usize,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// The first thing to read.
    Strong,
    /// Headings of columns, sources, what may be skipped.
    Quiet,
    Good,
    Bad,
}

impl Style {
    /// Without escape codes, 100 columns.
    pub const PLAIN: Self = Self { color: false, width: 100 };

    /// The text with the tone's escape codes around it.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Quiet => "2",
            Tone::Good => "32",
            Tone::Bad => "31;1",
        };
        if !self.color || text.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

impl Default for Style {
    fn default() -> Self {
        Self::PLAIN
    }
}

/// `✓` or `✗` with its tone.
#[must_use]
pub fn mark(holds: bool) -> (&'static str, Tone) {
    if holds { ("✓", Tone::Good) } else { ("✗", Tone::Bad) }
}

/// Breaks `text` at blanks so that no line is longer than `width`, except for words that are.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// At most `width` characters, with `…` where something was cut off.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// One line without control characters: names come from files and must not steer a terminal.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
