//! Recorded requests: a CSV with the moment, action and object of each.
//!
//! Why all in memory and bounded: a file is checked to its last line before anything is sent, and nothing is
//! read from a disk in the middle of a measurement.

use std::io::BufRead;

use plimsoll_scenarios::{ActionId, Scenario};

/// Most requests of a recording: 32 bytes each.
const REQUESTS_MAX: usize = 5_000_000;
const LINE_MAX: usize = 4_096;
const FORMAT: &str = "expected lines of `seconds,action,object,site`, such as `0.25,play,17,3`; object (1 is the most popular) and site may be left out";

/// Requests in time order.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Of the file, for people.
    pub name: String,
    pub requests: Vec<RecordedRequest>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordedRequest {
    /// Seconds since the first.
    pub at_s: f64,
    pub action: ActionId,
    /// Rank from 0.
    pub object: u64,
    pub site: u32,
}

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordedError {
    #[error("{name}:{line}: {cause}; {FORMAT}")]
    Line { name: String, line: usize, cause: String },
    #[error("{name} has no requests; {FORMAT}")]
    Empty { name: String },
    #[error("{name} has more than {REQUESTS_MAX} requests: cut it into parts")]
    TooLong { name: String },
    #[error("cannot read {name}: {source}")]
    Read { name: String, source: std::io::Error },
}

impl Recorded {
    /// Reads a recording of a scenario's actions. A first line that does not start with a number is a heading.
    ///
    /// # Errors
    /// The first line that is wrong, or what else stands in the way.
    pub fn read(name: &str, mut text: impl BufRead, scenario: &Scenario) -> Result<Self, RecordedError> {
        let mut requests: Vec<RecordedRequest> = Vec::new();
        let (mut line, mut number) = (String::new(), 0);
        let read_error = |source| RecordedError::Read { name: name.to_owned(), source };
        loop {
            line.clear();
            let mut limited = std::io::Read::take(&mut text, LINE_MAX as u64);
            if limited.read_line(&mut line).map_err(read_error)? == 0 {
                break;
            }
            number += 1;
            let bad = |cause: String| RecordedError::Line { name: name.to_owned(), line: number, cause };
            if line.len() == LINE_MAX {
                return Err(bad(format!("it has more than {LINE_MAX} bytes")));
            }
            let content = line.trim();
            let heading = number == 1 && !content.starts_with(|c: char| c.is_ascii_digit() || c == '.');
            if content.is_empty() || content.starts_with('#') || heading {
                continue;
            }
            let request = request(content, scenario).map_err(bad)?;
            if requests.last().is_some_and(|before| before.at_s > request.at_s) {
                return Err(bad("it is earlier than the one before".to_owned()));
            }
            if requests.len() == REQUESTS_MAX {
                return Err(RecordedError::TooLong { name: name.to_owned() });
            }
            requests.push(request);
        }
        let Some(first_s) = requests.first().map(|first| first.at_s) else {
            return Err(RecordedError::Empty { name: name.to_owned() });
        };
        for request in &mut requests {
            request.at_s -= first_s;
        }
        Ok(Self { name: name.to_owned(), requests })
    }
}

fn request(line: &str, scenario: &Scenario) -> Result<RecordedRequest, String> {
    let mut fields = line.split(',').map(str::trim);
    let at = fields.next().unwrap_or("");
    let at_s = at.parse::<f64>().ok().filter(|s| s.is_finite() && *s >= 0.0);
    let at_s = at_s.ok_or_else(|| format!("`{at}` is no time in seconds"))?;
    let name = fields.next().unwrap_or("");
    let action = scenario.actions.get_index_of(name).ok_or_else(|| {
        let known: Vec<&str> = scenario.actions.keys().map(String::as_str).collect();
        format!("`{name}` is no action of {}, which has {}", scenario.name, known.join(", "))
    })?;
    let object = match fields.next().filter(|field| !field.is_empty()) {
        None => 1,
        Some(field) => field
            .parse()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| format!("`{field}` is no object: 1 or more"))?,
    };
    let site = match fields.next().filter(|field| !field.is_empty()) {
        None => 0,
        Some(field) => field.parse().map_err(|_| format!("`{field}` is no site"))?,
    };
    if let Some(extra) = fields.next() {
        return Err(format!("`{extra}` is one field too many"));
    }
    Ok(RecordedRequest { at_s, action, object: object - 1, site })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recorded, RecordedError> {
        Recorded::read("trace.csv", text.as_bytes(), &plimsoll_scenarios::load("spotify").unwrap())
    }

    #[test]
    fn lines_are_requests_from_the_first_on() {
        let recorded =
            read("time,action,object,site\n# a comment\n10.5,play,17,3\n\n10.75, search\n").unwrap();
        let of = |at_s, action, object, site| RecordedRequest { at_s, action, object, site };
        assert_eq!(recorded.requests, [of(0.0, 0, 16, 3), of(0.25, 1, 0, 0)]);
    }

    #[test]
    fn a_bad_line_is_named_with_what_is_wrong() {
        for (text, says) in [
            ("1,play\nx,play", "trace.csv:2: `x` is no time"),
            ("1,dance", "`dance` is no action of spotify, which has play, search"),
            ("2,play\n1,play", "trace.csv:2: it is earlier"),
            ("1,play,0", "no object"),
            ("1,play,1,here", "no site"),
            ("1,play,1,1,1", "too many"),
            ("nan,play\nnan,play", "no time"),
            ("time,action", "has no requests"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("expected lines of"), "{text}: {error}");
        }
        let long = format!("1,play\n{}\n", "1".repeat(5_000));
        assert!(read(&long).unwrap_err().to_string().contains("more than 4096 bytes"));
    }
}
