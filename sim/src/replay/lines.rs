//! Traces that are text: CSV of time, key and size; common and combined access logs.

use std::io::{BufRead, Read};
use std::ops::Range;

use super::error::TraceError;
use super::formats::Item;
use super::keys::Key;

/// Longest line, bytes.
const LINE_MAX: u64 = 1 << 20;
const CSV_HINT: &str = "a line is `time,key,size`; a header may name the columns in another order";
const LOG_HINT: &str =
    "a line is `host - - [time] \"GET /path HTTP/1.1\" 200 1234`, in the common or combined log format";

/// Lines of a text, numbered.
struct Lines<R> {
    source: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    const fn new(source: R) -> Self {
        Self { source, number: 0, line: Vec::new() }
    }

    /// Reads the next line that is not blank; `false` at the end.
    fn advance(&mut self) -> Result<bool, TraceError> {
        loop {
            self.line.clear();
            let read = (&mut self.source).take(LINE_MAX).read_until(b'\n', &mut self.line);
            match read {
                Ok(0) => return Ok(false),
                Ok(_) => self.number += 1,
                Err(cause) => return Err(TraceError::reading(self.number, "lines", cause)),
            }
            if self.line.len() as u64 == LINE_MAX && !self.line.ends_with(b"\n") {
                let cause = format!("the line is longer than {LINE_MAX} bytes");
                return Err(self.wrong(0, cause, "say what the trace is with `--trace-format`"));
            }
            while self.line.last().is_some_and(u8::is_ascii_whitespace) {
                self.line.pop();
            }
            if !self.line.is_empty() {
                return Ok(true);
            }
        }
    }

    fn wrong(&self, at: usize, cause: String, hint: &'static str) -> TraceError {
        TraceError::Line { line: self.number, column: at + 1, cause, hint }
    }
}

/// At most 40 characters of what a line says, for a message.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut short: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(40).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

/// CSV of time, key, size; more columns are ignored. Where the first line has no number for a size it is a
/// header, whose names tell the columns.
pub struct Csv<R> {
    lines: Lines<R>,
    fields: Vec<Range<usize>>,
    key: usize,
    size: usize,
}

impl<R: BufRead> Csv<R> {
    pub const fn new(source: R) -> Self {
        Self { lines: Lines::new(source), fields: Vec::new(), key: 1, size: 2 }
    }

    pub fn next(&mut self) -> Result<Option<Item<'_>>, TraceError> {
        if !self.next_line()? {
            return Ok(None);
        }
        if self.lines.number == 1 && self.field(self.size).and_then(number).is_none() {
            self.header()?;
            if !self.next_line()? {
                return Ok(None);
            }
        }
        let (Some(key), Some(size)) = (self.field(self.key), self.field(self.size)) else {
            let (found, needed) = (self.fields.len(), self.key.max(self.size) + 1);
            let cause = format!("{found} columns where {needed} are needed");
            return Err(self.lines.wrong(self.lines.line.len(), cause, CSV_HINT));
        };
        let Some(bytes) = number(size) else {
            let cause = format!("`{}` is no size in bytes", shown(size));
            return Err(self.lines.wrong(self.fields[self.size].start, cause, CSV_HINT));
        };
        Ok(Some(Item { key: Key::Text(key), bytes }))
    }

    fn next_line(&mut self) -> Result<bool, TraceError> {
        let more = self.lines.advance()?;
        if self.lines.number == 1 && self.lines.line.starts_with(b"\xEF\xBB\xBF") {
            self.lines.line.drain(..3);
        }
        if let Err(at) = split(&self.lines.line, &mut self.fields) {
            return Err(self.lines.wrong(at, "a quote is not closed".to_owned(), CSV_HINT));
        }
        Ok(more)
    }

    fn field(&self, index: usize) -> Option<&[u8]> {
        self.fields.get(index).and_then(|range| self.lines.line.get(range.clone()))
    }

    fn header(&mut self) -> Result<(), TraceError> {
        let named = |names: &[&str]| {
            (0..self.fields.len()).find(|&i| {
                let name = String::from_utf8_lossy(self.field(i).unwrap_or_default());
                names.contains(&name.trim().to_ascii_lowercase().as_str())
            })
        };
        let key = named(&["key", "id", "obj_id", "object_id", "object", "url", "path"]);
        let size = named(&["size", "bytes", "obj_size", "object_size"]);
        let (Some(key), Some(size)) = (key, size) else {
            let found = shown(&self.lines.line);
            let cause = format!("`{found}` is neither a request nor a header with `key` and `size`");
            return Err(self.lines.wrong(0, cause, CSV_HINT));
        };
        (self.key, self.size) = (key, size);
        Ok(())
    }
}

/// Finds the fields of a line, without their quotes; the error is where a quote begins that never ends.
fn split(line: &[u8], fields: &mut Vec<Range<usize>>) -> Result<(), usize> {
    fields.clear();
    let mut at = 0;
    loop {
        if line.get(at) == Some(&b'"') {
            let from = at + 1;
            let mut end = from;
            loop {
                match (line.get(end), line.get(end + 1)) {
                    (None, _) => return Err(at),
                    (Some(b'"'), Some(b'"')) => end += 2,
                    (Some(b'"'), _) => break,
                    _ => end += 1,
                }
            }
            fields.push(from..end);
            at = end + 1;
        } else {
            let end = line[at..].iter().position(|&b| b == b',').map_or(line.len(), |n| at + n);
            fields.push(at..end);
            at = end;
        }
        // Behind a closing quote nothing but a comma makes sense; whatever else is there is passed over.
        match line[at..].iter().position(|&b| b == b',') {
            Some(comma) => at += comma + 1,
            None => return Ok(()),
        }
    }
}

/// Common and combined logs. Of other methods than GET and other answers than 2xx and 304 a cache keeps
/// nothing: they are passed over and counted.
pub struct AccessLog<R> {
    lines: Lines<R>,
    skipped: u64,
}

impl<R: BufRead> AccessLog<R> {
    pub const fn new(source: R) -> Self {
        Self { lines: Lines::new(source), skipped: 0 }
    }

    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    pub fn next(&mut self) -> Result<Option<Item<'_>>, TraceError> {
        loop {
            if !self.lines.advance()? {
                return Ok(None);
            }
            match logged(&self.lines.line) {
                Ok(Some((path, bytes))) => {
                    return Ok(Some(Item { key: Key::Text(&self.lines.line[path]), bytes }));
                }
                Ok(None) => self.skipped += 1,
                Err((at, cause)) => return Err(self.lines.wrong(at, cause.to_owned(), LOG_HINT)),
            }
        }
    }
}

/// Whether a line looks like one of an access log.
pub fn is_logged(line: &[u8]) -> bool {
    logged(line).is_ok()
}

/// Where the path of an answered request stands in its line, and its bytes.
type Answered = (Range<usize>, u64);

/// Path and bytes of a line, `None` if a cache keeps nothing of it; or where it is wrong, and what is.
fn logged(line: &[u8]) -> Result<Option<Answered>, (usize, &'static str)> {
    let find =
        |from: usize, what: &[u8]| line[from..].windows(what.len()).position(|w| w == what).map(|n| from + n);
    let time = find(0, b"[").ok_or((0, "there is no `[time]`"))?;
    let request = find(time, b"] \"").map(|at| at + 3).ok_or((time, "no `\"` follows the time"))?;
    let mut end = request;
    while line.get(end).is_some_and(|&b| b != b'"') {
        // A backslash takes the next character along.
        end += if line[end] == b'\\' { 2 } else { 1 };
    }
    if end >= line.len() {
        return Err((request - 1, "the quote of the request is not closed"));
    }
    let mut words = line[end + 1..].split(|&b| b == b' ').filter(|w| !w.is_empty());
    let status = words.next().and_then(number).filter(|s| (100..1000).contains(s));
    let status = status.ok_or((end + 1, "no status follows the request"))?;
    let size = words.next().ok_or((line.len(), "no size follows the status"))?;
    let bytes = if size == b"-" { Some(0) } else { number(size) };
    let bytes = bytes.ok_or((end + 5, "the size is neither a number nor `-`"))?;
    if !((200..300).contains(&status) || status == 304) {
        return Ok(None);
    }
    let Some(target) = line[request..end].strip_prefix(b"GET ") else { return Ok(None) };
    let length = target.iter().position(|&b| b == b' ').unwrap_or(target.len());
    if length == 0 {
        return Err((request + 4, "the request has no path"));
    }
    Ok(Some((request + 4..request + 4 + length, bytes)))
}
