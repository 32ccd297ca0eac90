//! Tables without borders: columns aligned, numbers to the right.
//!
//! Why not a crate: a calm table is two loops, and the width of a cell must be that of its text, not of
//! its escape codes.

use super::style::{Style, Tone, clean, cut};

const GAP: &str = "  ";
/// Names are not cut below this.
const NAME_MIN: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// Rows under headings.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub fn toned(tone: Tone, text: impl AsRef<str>) -> Self {
        Self { text: clean(text.as_ref()), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl Table {
    /// A table with no headings shown if all are empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column of text.
    #[must_use]
    pub fn left(mut self, heading: &str) -> Self {
        self.columns.push((heading.to_owned(), Align::Left));
        self
    }

    /// Adds a column of numbers.
    #[must_use]
    pub fn right(mut self, heading: &str) -> Self {
        self.columns.push((heading.to_owned(), Align::Right));
        self
    }

    pub fn push<const N: usize>(&mut self, row: [Cell; N]) {
        self.rows.push(row.into());
    }

    /// Lines, each with `indent` blanks before it; empty without rows. Columns whose cells are all empty
    /// are left out.
    pub fn render(&self, style: Style, indent: usize) -> String {
        let widths = self.widths(style.width.saturating_sub(indent));
        let mut text = String::new();
        if self.rows.is_empty() {
            return text;
        }
        if self.columns.iter().any(|(heading, _)| !heading.is_empty()) {
            let headings: Vec<Cell> =
                self.columns.iter().map(|(heading, _)| Cell::toned(Tone::Quiet, heading)).collect();
            self.line(&headings, &widths, style, indent, &mut text);
        }
        for row in &self.rows {
            self.line(row, &widths, style, indent, &mut text);
        }
        text
    }

    fn widths(&self, available: usize) -> Vec<usize> {
        let width = |i: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(i)).map(|c| c.text.chars().count());
            cells.max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for (width, (heading, _)) in widths.iter_mut().zip(&self.columns) {
            if *width > 0 {
                *width = (*width).max(heading.chars().count());
            }
        }
        let gaps = GAP.len() * widths.iter().filter(|w| **w > 0).count().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(available);
        // Columns of text give way, the widest first; numbers never.
        while excess > 0 {
            let widest = (0..widths.len())
                .filter(|i| self.columns.get(*i).is_some_and(|c| c.1 == Align::Left))
                .max_by_key(|i| widths.get(*i).copied().unwrap_or(0));
            match widest.and_then(|i| widths.get_mut(i)) {
                Some(width) if *width > NAME_MIN => {
                    let less = excess.min(*width - NAME_MIN);
                    *width -= less;
                    excess -= less;
                }
                _ => break,
            }
        }
        widths
    }

    fn line(&self, row: &[Cell], widths: &[usize], style: Style, indent: usize, out: &mut String) {
        let mut line = " ".repeat(indent);
        let mut pending = 0;
        let mut first = true;
        for ((cell, width), (_, align)) in row.iter().zip(widths).zip(&self.columns) {
            if *width == 0 {
                continue;
            }
            if !first {
                pending += GAP.len();
            }
            first = false;
            let text = cut(&cell.text, *width);
            let blank = width - text.chars().count();
            if *align == Align::Right {
                pending += blank;
            }
            if !text.is_empty() {
                line.push_str(&" ".repeat(pending));
                pending = 0;
                line.push_str(&style.paint(cell.tone, &text));
            }
            if *align == Align::Left {
                pending += blank;
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new().left("tier").right("rate").right("unused").left("policy");
        table.push(["edge".into(), "190 K/s".into(), "".into(), "lru".into()]);
        table.push(["shield".into(), "".into(), "".into(), Cell::toned(Tone::Good, "sieve")]);
        table
    }

    #[test]
    fn columns_line_up_and_empty_ones_vanish() {
        assert_eq!(
            table().render(Style::PLAIN, 1),
            " tier       rate  policy\n edge    190 K/s  lru\n shield           sieve\n"
        );
    }

    #[test]
    fn colour_does_not_move_columns() {
        let colored = table().render(Style { color: true, width: 100 }, 0);
        let plain: String =
            colored.replace("\u{1b}[2m", "").replace("\u{1b}[32m", "").replace("\u{1b}[0m", "");
        assert_eq!(plain, table().render(Style::PLAIN, 0));
    }

    #[test]
    fn a_huge_name_is_cut_and_numbers_are_not() {
        let mut table = Table::new().left("tier").right("rate");
        table.push(["x".repeat(300).into(), "190 K/s".into()]);
        table.push(["a\u{1b}[31m\nb".into(), "1 /s".into()]);
        let text = table.render(Style { color: false, width: 40 }, 0);
        assert!(text.lines().all(|l| l.chars().count() <= 40), "{text}");
        assert!(text.contains("…  190 K/s") && !text.contains('\u{1b}'));
        assert_eq!(text.lines().count(), 3);
    }
}
