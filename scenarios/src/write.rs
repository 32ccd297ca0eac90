//! A tree as YAML again, with the places of its values as comments.
//!
//! Why: after `extends` and `--set` a scenario is no text anywhere, and whoever asks what it came to, and from
//! which line of which file, should see it in the language of the question. What is read back is the same tree.

use std::fmt::Write as _;

use crate::diagnostic::{Origin, SourceFile};
use crate::node::{self, Node, Value};

/// Longest map or list that is kept on one line, characters.
const LINE_MAX: usize = 120;
/// Longest name in the form `name: value`, bytes; YAML wants `? name` for longer ones.
const NAME_MAX: usize = 1000;

/// A document. `note` says what to remark behind a value from its place, if anything.
pub fn yaml(root: &Node, note: &dyn Fn(Origin) -> Option<String>) -> String {
    let mut writer = Writer { out: String::new(), note };
    match &root.value {
        Value::Map(pairs) if !pairs.is_empty() && blocky(pairs) => writer.pairs(pairs, 0, false),
        _ => {
            writer.out.push_str(&flow(root));
            writer.end(root.origin);
        }
    }
    writer.out
}

struct Writer<'a> {
    out: String,
    note: &'a dyn Fn(Origin) -> Option<String>,
}

impl Writer<'_> {
    /// Lines of `name: value`, the first of them behind a dash if it is an item's.
    fn pairs(&mut self, pairs: &[(Node, Node)], indent: usize, mut behind_dash: bool) {
        for (key, value) in pairs {
            if !std::mem::take(&mut behind_dash) {
                self.indent(indent);
            }
            let Value::Text(name) = &key.value else { continue };
            self.out.push_str(&scalar(name, true));
            self.out.push(':');
            self.value(value, indent, false);
        }
    }

    /// What stands behind a name or a dash, with the end of its line.
    fn value(&mut self, node: &Node, indent: usize, behind_dash: bool) {
        if let Some(line) = one_line(node) {
            self.out.push(' ');
            self.out.push_str(&line);
            self.end(node.origin);
            return;
        }
        match &node.value {
            Value::Map(pairs) => {
                self.out.push(if behind_dash { ' ' } else { '\n' });
                self.pairs(pairs, indent + 2, behind_dash);
            }
            Value::List(items) => {
                self.out.push('\n');
                for item in items {
                    self.indent(indent + 2);
                    self.out.push('-');
                    self.value(item, indent + 2, true);
                }
            }
            Value::Null | Value::Text(_) => {}
        }
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn end(&mut self, origin: Origin) {
        if let Some(note) = (self.note)(origin) {
            let plain = |c: char| if c == ' ' || is_plain_sight(c) { c } else { ' ' };
            self.out.push_str("  # ");
            self.out.extend(note.chars().map(plain));
        }
        self.out.push('\n');
    }
}

/// Whether all names of a map may stand before a colon on a line.
fn blocky(pairs: &[(Node, Node)]) -> bool {
    pairs.iter().all(|(key, _)| matches!(&key.value, Value::Text(name) if name.len() <= NAME_MAX))
}

/// A value on one line: a scalar, what is empty, and what stood on one line of one file, unless that is long.
fn one_line(node: &Node) -> Option<String> {
    let whole = match &node.value {
        Value::Null | Value::Text(_) => true,
        Value::List(items) => items.is_empty(),
        Value::Map(pairs) => pairs.is_empty() || !blocky(pairs),
    };
    if !whole && !together(node, node.origin) {
        return None;
    }
    let line = flow(node);
    (whole || line.chars().nth(LINE_MAX).is_none()).then_some(line)
}

/// Whether all values of a tree come from one line.
fn together(node: &Node, origin: Origin) -> bool {
    let here = (node.origin.file, node.origin.line) == (origin.file, origin.line);
    here && match &node.value {
        Value::List(items) => items.iter().all(|item| together(item, origin)),
        Value::Map(pairs) => pairs.iter().all(|(_, value)| together(value, origin)),
        Value::Null | Value::Text(_) => true,
    }
}

/// A tree in braces and brackets.
fn flow(node: &Node) -> String {
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Text(text) => scalar(text, false),
        Value::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Map(pairs) => {
            let pair = |(key, value): &(Node, Node)| {
                let Value::Text(name) = &key.value else { return None };
                let mark = if name.len() > NAME_MAX { "? " } else { "" };
                Some(format!("{mark}{}: {}", scalar(name, true), flow(value)))
            };
            format!("{{{}}}", pairs.iter().filter_map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A scalar as plain as it can stand anywhere and still be read as this text.
fn scalar(text: &str, is_name: bool) -> String {
    if is_plain(text) && (is_surely_text(text) || is_read_as(text, text, is_name)) {
        return text.to_owned();
    }
    if !text.contains('\'') && text.chars().all(|c| c == ' ' || is_plain_sight(c)) {
        return format!("'{text}'");
    }
    quoted(text)
}

/// Whether the words of YAML let a text stand without quotes, be it in braces.
fn is_plain(text: &str) -> bool {
    let first = text.chars().next().is_some_and(|c| c.is_alphanumeric() || "/.+_$<".contains(c));
    let signed = text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let inside = |c: char| c.is_alphanumeric() || " /._+-%<>=:()$*;\"".contains(c);
    (first || signed)
        && !text.starts_with("...")
        && text.chars().all(inside)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && text.len() <= NAME_MAX
}

/// Words that YAML, in one version or another, takes for something else.
const WORDS: [&str; 11] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
/// Longest whole number that is surely written back as it is, digits.
const DIGITS_MAX: usize = 15;

/// Whether a plain text needs no look of the parser: no number has a blank or begins with a letter, and a short
/// whole number is what it says.
fn is_surely_text(text: &str) -> bool {
    let word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let number = text.len() <= DIGITS_MAX
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    number || text.contains(' ') || text.starts_with(|c: char| c.is_ascii_alphabetic()) && !word
}

/// Whether a text, written so, is read as what is meant: numbers and words such as `null` may not be.
fn is_read_as(written: &str, meant: &str, is_name: bool) -> bool {
    let probe = if is_name { format!("{{{written}: x}}") } else { format!("[{written}]") };
    let Ok(node) = node::parse(&SourceFile::new("probe", &probe)) else { return false };
    let text = match &node.value {
        Value::Map(pairs) if is_name => pairs.first().map(|(key, _)| &key.value),
        Value::List(items) if !is_name => items.first().filter(|_| items.len() == 1).map(|n| &n.value),
        _ => None,
    };
    matches!(text, Some(Value::Text(read)) if read == meant)
}

/// Letters, digits and marks that look like what they are, in any editor.
fn is_plain_sight(c: char) -> bool {
    c.is_ascii_graphic() || c.is_alphanumeric()
}

/// In double quotes, with escapes for all that can't be seen.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' ' => out.push(' '),
            c if is_plain_sight(c) => out.push(c),
            c => {
                // Writing to a text can't fail.
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}
