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
    /// Columns.
    time: usize,
    key: usize,
    size: usize,
}

impl<R: BufRead> Csv<R> {
    pub const fn new(source: R) -> Self {
        Self { lines: Lines::new(source), fields: Vec::new(), time: 0, key: 1, size: 2 }
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
        let time = named(&["time", "timestamp", "ts", "at"]);
        (self.time, self.key, self.size) = (time.unwrap_or(usize::MAX), key, size);
        Ok(())
    }

    /// When the last line's object was asked for, seconds.
    pub fn at_s(&self) -> Result<f64, TraceError> {
        const HINT: &str =
            "a time to live needs times in seconds, in the first column or in one that a header names `time`";
        let field = self.field(self.time);
        let text = field.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let time = text.and_then(|text| text.trim().parse::<f64>().ok()).filter(|at_s| at_s.is_finite());
        time.ok_or_else(|| {
            let cause = field.map_or_else(
                || "there is no column of times".to_owned(),
                |bytes| format!("`{}` is no time in seconds", shown(bytes)),
            );
            self.lines.wrong(self.fields.get(self.time).map_or(0, |range| range.start), cause, HINT)
        })
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

    /// When the last line's object was asked for, seconds since 1970.
    pub fn at_s(&self) -> Result<f64, TraceError> {
        const HINT: &str = "a time to live needs times such as `[10/Oct/2000:13:55:36 -0700]`";
        let wrong = |at| self.lines.wrong(at, "the time cannot be read".to_owned(), HINT);
        logged_at(&self.lines.line).map_err(wrong)
    }
}

/// The time of a line of an access log, such as `[10/Oct/2000:13:55:36 -0700]`, in seconds since 1970; where it is wrong
/// otherwise.
fn logged_at(line: &[u8]) -> Result<f64, usize> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = line.iter().position(|&b| b == b'[').ok_or(0_usize)? + 1;
    let text = line.get(at..at + 26).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or(at)?;
    let part = |range: Range<usize>| text.get(range).and_then(|digits| digits.parse::<u32>().ok()).ok_or(at);
    let (day, year) = (part(0..2)?, part(7..11)?);
    let (hour, minute, second) = (part(12..14)?, part(15..17)?, part(18..20)?);
    let month = text.get(3..6).and_then(|name| MONTHS.iter().position(|m| *m == name)).ok_or(at)?;
    let (hours_off, minutes_off) = (part(22..24)?, part(24..26)?);
    let west = match text.as_bytes()[21] {
        b'-' => 1.0,
        b'+' => -1.0,
        _ => return Err(at),
    };
    // Days before a month in years that begin in March, so that the leap day is the last (Richards 2013, algorithm E).
    let (year, month) = if month < 2 { (year.wrapping_sub(1), month + 10) } else { (year, month - 2) };
    let year = f64::from(year);
    let leap_days = (year / 4.0).floor() - (year / 100.0).floor() + (year / 400.0).floor();
    let days = 365.0 * year + leap_days + ((153 * month + 2) / 5) as f64 + f64::from(day) - 1.0 - 719_468.0;
    let time_s = f64::from(hour * 3600 + minute * 60 + second);
    Ok(days * 86_400.0 + time_s + west * f64::from(hours_off * 3600 + minutes_off * 60))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_access_logs_are_seconds_since_1970_wherever_they_were_written() {
        for (time, want) in [
            ("01/Jan/1970:00:00:00 +0000", 0.0),
            ("10/Oct/2000:13:55:36 -0700", 971_211_336.0),
            ("29/Feb/2024:23:59:59 +0530", 1_709_231_399.0),
            ("01/Mar/1900:00:00:00 +0000", -2_203_891_200.0),
        ] {
            let line = format!("host - - [{time}] \"GET / HTTP/1.1\" 200 1");
            assert_eq!(logged_at(line.as_bytes()), Ok(want), "{time}");
        }
        for wrong in ["host - - [10/Okt/2000:13:55:36 -0700] \"", "host - - [yesterday] \"", "host", "h [é"]
        {
            assert!(logged_at(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
