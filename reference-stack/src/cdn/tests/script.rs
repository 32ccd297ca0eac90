//! Reads `points.txt`; the language is explained at its beginning.

use std::time::{Duration, SystemTime};

/// One point with the exchange that shows it.
#[derive(Debug, Default)]
pub struct Point {
    /// Of the chapter it stands in.
    pub title: String,
    /// RFC and section.
    pub section: String,
    pub what: String,
    /// Why it does not hold where nginx keeps the objects.
    pub not_with_nginx: Option<String>,
    pub answers: Vec<(String, Answer)>,
    pub steps: Vec<Step>,
}

/// What the origin gives.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Nothing: the connection is closed.
    Drop,
    Response {
        status: u16,
        body: String,
        headers: Headers,
        /// Breaks off in the body.
        torn: bool,
        slow: bool,
    },
}

pub type Headers = Vec<(String, String)>;

/// A request and what must come of it.
#[derive(Debug)]
pub struct Step {
    pub line: String,
    pub times: usize,
    pub method: String,
    /// What the path of the point is followed by.
    pub object: String,
    pub headers: Headers,
    pub status: u16,
    /// None: any.
    pub body: Option<String>,
    pub asks: Asks,
    pub answered: Vec<Expected>,
    /// Of the request that the origin got.
    pub forwarded: Vec<Expected>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    Asked,
    Kept,
    Meanwhile,
}

/// What is expected of a header.
#[derive(Debug)]
pub enum Expected {
    Is(String, String),
    Holds(String, String),
    There(String),
    Missing(String),
}

/// All points. Panics on what is not in the language: these are tests.
pub fn read(text: &str) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let (mut title, mut last) = (String::new(), String::new());
    for line in text.lines().map(str::trim) {
        if let Some(chapter) = line.strip_prefix("## ") {
            chapter.clone_into(&mut title);
        } else if line.is_empty() || line.starts_with('#') {
        } else if let Some(why) = line.strip_prefix("~ ") {
            points.last_mut().expect("a point before").not_with_nginx = Some(why.to_owned());
        } else if let Some(answer) = line.strip_prefix('<') {
            points.last_mut().expect("a point before").answers.push(self::answer(answer));
        } else if let Some(step) = line.strip_prefix("> ") {
            points.last_mut().expect("a point before").steps.push(self::step(step));
        } else {
            let (section, what) = line.split_once(" | ").unwrap_or_else(|| panic!("not understood: {line}"));
            // `...` goes on from the point before.
            let what = if let Some(rest) = what.strip_prefix("... ") {
                format!("{last} … {rest}")
            } else {
                what.split(':').next().unwrap_or(what).clone_into(&mut last);
                what.to_owned()
            };
            let (title, section) = (title.clone(), section.to_owned());
            points.push(Point { title, section, what, ..Point::default() });
        }
    }
    points
}

fn answer(line: &str) -> (String, Answer) {
    let (words, braces) = parts(line, '{', '}');
    let mut words: Vec<&str> = words.split_whitespace().collect();
    let object = if words[0].starts_with('+') { words.remove(0)[1..].to_owned() } else { String::new() };
    if words == ["drop"] {
        return (object, Answer::Drop);
    }
    let mut takes = |word| {
        let found = words[0] == word;
        if found {
            words.remove(0);
        }
        found
    };
    let (torn, slow) = (takes("torn"), takes("slow"));
    let status = words[0].parse().unwrap_or_else(|_| panic!("no status: {line}"));
    let body = words.get(1).copied().unwrap_or("-").replace('-', "");
    (object, Answer::Response { status, body, headers: headers(&braces), torn, slow })
}

fn step(line: &str) -> Step {
    let (asked, expected) = line.split_once(" = ").unwrap_or_else(|| panic!("no ` = `: {line}"));
    let (words, braces) = parts(asked, '{', '}');
    let mut words: Vec<&str> = words.split_whitespace().collect();
    let times = match words[..] {
        [times, "x", ..] => {
            words.drain(..2);
            times.parse().expect("a number")
        }
        _ => 1,
    };
    let object = words.get(1).and_then(|word| word.strip_prefix('+')).unwrap_or_default().to_owned();
    let (rest, answered) = parts(expected, '{', '}');
    let (rest, forwarded) = parts(&rest, '[', ']');
    let rest: Vec<&str> = rest.split_whitespace().collect();
    let [status, body, asks] = rest[..] else { panic!("status, body and `asked` or `kept`: {line}") };
    let asks = match asks {
        "asked" => Asks::Asked,
        "kept" => Asks::Kept,
        "meanwhile" => Asks::Meanwhile,
        other => panic!("`{other}`: {line}"),
    };
    Step {
        line: line.to_owned(),
        times,
        method: words[0].to_owned(),
        object,
        headers: headers(&braces),
        status: status.parse().expect("a status"),
        body: (body != "*").then(|| body.replace('-', "")),
        asks,
        answered: answered.iter().map(|text| self::expected(text)).collect(),
        forwarded: forwarded.iter().map(|text| self::expected(text)).collect(),
    }
}

/// The text outside of brackets, and what stands in each.
fn parts(text: &str, open: char, close: char) -> (String, Vec<String>) {
    let (mut outside, mut inside) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let (within, after) = after.split_once(close).unwrap_or_else(|| panic!("no `{close}`: {text}"));
        outside += before;
        inside.push(within.to_owned());
        rest = after;
    }
    (outside + rest, inside)
}

fn headers(braces: &[String]) -> Headers {
    let header = |text: &String| {
        let (name, value) = text.split_once(": ").unwrap_or_else(|| panic!("no header: {text}"));
        (name.to_owned(), dated(value))
    };
    braces.iter().map(header).collect()
}

fn expected(text: &str) -> Expected {
    if let Some(name) = text.strip_prefix('!') {
        Expected::Missing(name.to_owned())
    } else if let Some((name, value)) = text.split_once(": ") {
        Expected::Is(name.to_owned(), dated(value))
    } else if let Some((name, part)) = text.split_once(" ~ ") {
        Expected::Holds(name.to_owned(), part.to_owned())
    } else {
        Expected::There(text.to_owned())
    }
}

/// `@-60` as the date a minute before this test began.
fn dated(value: &str) -> String {
    static BEGAN: std::sync::LazyLock<SystemTime> = std::sync::LazyLock::new(SystemTime::now);
    let Some(seconds) = value.strip_prefix('@') else { return value.to_owned() };
    let seconds: i64 = seconds.parse().expect("seconds after @");
    let distance = Duration::from_secs(seconds.unsigned_abs());
    httpdate::fmt_http_date(if seconds < 0 { *BEGAN - distance } else { *BEGAN + distance })
}
