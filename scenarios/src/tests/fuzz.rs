//! No text makes the reader panic, hang or use much memory, whoever wrote it.
//!
//! Cases are drawn from a seed, so one that fails is drawn again by its number. `PLIMSOLL_FUZZ_CASES` sets how
//! many, and `PLIMSOLL_FUZZ_FROM` the number of the first; the default suits every day.

use std::panic::catch_unwind;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::generate::{self, Draw};
use super::shapes;
use crate::diagnostic::{Problems, SourceFile};
use crate::node;
use crate::overlay;
use crate::scenario::Scenario;
use crate::{bundled, starter, write};

const CASES: usize = 4000;
/// No case takes longer, however slow the machine.
const CASE_MAX: Duration = Duration::from_secs(20);
/// Longest message about any text, bytes.
const MESSAGE_MAX: usize = 40_000;
/// Memory that all cases together may add to the process, KiB.
const MEMORY_MAX: u64 = 600 << 10;

/// Reads a text as far as it goes, and does with a scenario what reading promises to be safe.
fn exercise(text: &str, settings: &[String]) -> bool {
    let source = SourceFile::new("fuzz.yaml", text);
    let told = |problems: &Problems| {
        let message = problems.to_string();
        assert!(message.len() < MESSAGE_MAX, "a message of {} bytes", message.len());
        // The one message that may quote nothing, where `popularity` has nothing between its quotes.
        let message = message.replace("popularity: unknown value ``", "");
        let quotes = text.contains('`') || settings.iter().any(|s| s.contains('`'));
        assert!(quotes || !message.contains("``"), "an empty name: {message}");
        assert!(problems.list.iter().all(|p| !p.cause.is_empty()), "{message}");
    };
    let mut root = match node::parse(&source) {
        Ok(root) => root,
        Err(problems) => {
            told(&problems);
            return false;
        }
    };
    let mut sources = vec![source];
    for setting in settings {
        let source = SourceFile::new("--set", setting);
        match overlay::set(&mut root, &source, sources.len() as u16) {
            Ok(()) => sources.push(source),
            Err(problems) => told(&problems),
        }
    }
    let yaml = write::yaml(&root, &|origin| (origin.file > 0).then(|| format!("there:{}", origin.line)));
    match node::parse(&SourceFile::new("again.yaml", &yaml)) {
        Ok(again) => assert_eq!(write::yaml(&again, &|_| None).is_empty(), yaml.is_empty()),
        // A setting may nest a tree deeper than a file may be.
        Err(problems) => assert!(!settings.is_empty() || text.len() > 100_000, "{problems}\n{yaml}"),
    }
    match Scenario::from_tree(&root, sources) {
        Ok(scenario) => {
            for action in scenario.actions.values() {
                assert!(scenario.mean_rate(action) >= 0.0);
            }
            assert_eq!(scenario.tier_order().len(), scenario.tiers.len());
            let _ = scenario.scaled_for_load();
            true
        }
        Err(problems) => {
            told(&problems);
            false
        }
    }
}

/// The texts that others are made of.
struct Corpus {
    texts: Vec<String>,
    words: Vec<String>,
}

impl Corpus {
    fn new() -> Self {
        let mut texts: Vec<String> = bundled().iter().map(|b| b.yaml.to_owned()).collect();
        texts.push(starter("fresh").unwrap());
        let page = include_str!("../../README.md");
        texts.extend(
            page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned),
        );
        let mut words: Vec<String> =
            shapes().iter().flat_map(|(_, shape)| shape.names()).map(|name| format!("{name}: ")).collect();
        words.extend(WORDS.iter().map(|&word| word.to_owned()));
        Self { texts, words }
    }

    fn text(&self, draw: &mut Draw) -> String {
        self.texts[draw.below(self.texts.len())].clone()
    }

    fn word<'a>(&'a self, draw: &mut Draw) -> &'a str {
        &self.words[draw.below(self.words.len())]
    }

    /// One case.
    fn case(&self, draw: &mut Draw) -> (String, Vec<String>) {
        let text = match draw.below(20) {
            0 => bytes(draw),
            1..3 => self.soup(draw),
            3 => bomb(draw),
            4..7 => generate::by_tables(draw.below(usize::MAX) as u64),
            7..9 => mutated(self, &generate::scenario(draw.below(1 << 40) as u64), draw),
            9..11 => generate::scenario(draw.below(1 << 40) as u64),
            _ => {
                let text = self.text(draw);
                mutated(self, &text, draw)
            }
        };
        let settings = (0..draw.below(8).saturating_sub(5)).map(|_| self.setting(draw)).collect();
        (text, settings)
    }

    fn soup(&self, draw: &mut Draw) -> String {
        let count = draw.from(1, 300);
        (0..count).map(|_| self.word(draw).to_owned()).collect()
    }

    /// `--set` with a path that may or may not lead somewhere.
    fn setting(&self, draw: &mut Draw) -> String {
        let parts = [
            "tiers",
            "web",
            "edge",
            "actions",
            "play",
            "path",
            "0",
            "2",
            "population",
            "regions",
            "europe",
            "servers",
            "service_time",
            "cache",
            "",
            "sequence",
            "call",
            "share",
            "é",
            "datasets",
            "song",
            "popularity",
        ];
        let count = if draw.chance(0.02) { 200 } else { draw.from(1, 5) };
        let path: Vec<&str> = (0..count).map(|_| draw.one(&parts)).collect();
        format!("{}={}", path.join("."), self.word(draw))
    }
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "# ",
    "'",
    "\"",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "|\n",
    ">\n",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\t",
    "\r\n",
    "\u{feff}",
    "\0",
    "é",
    "日本",
    "\u{202e}",
    "1e999",
    "-1",
    "1e300 B",
    "99999999999999999999999999",
    "0x7fffffffffffffff",
    ".inf",
    ".nan",
    "1/0",
    "1/1e-300",
    "20 to 40 ms",
    "1 to 2 to 3",
    "every every 4 s",
    "every 0 s",
    "every 1e-300 s",
    "5 to 4 s uniform",
    "100 %",
    "1e30 EB",
    "19:00",
    "+1 h",
    "~",
    "null",
    "true",
    "web",
    "edge",
    "song",
    "play",
    "spotify",
    "extends: spotify\n",
    "{zipf: 1.0}",
    "path: [{parallel: [[web]], wait_for: 2}]",
    "a.b.c p99 < 1 s",
    "total.rate",
    "per_action: {play: 1}",
    "per_action: {view: 1}",
    "growth: {by: view}",
    " to ",
    "/",
    "%",
    "K",
    "B/s",
];

fn bytes(draw: &mut Draw) -> String {
    let bytes: Vec<u8> = (0..draw.below(400)).map(|_| draw.below(256) as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Texts that are small and mean to become large.
fn bomb(draw: &mut Draw) -> String {
    let n = draw.from(2, 30);
    match draw.below(7) {
        0 => format!("a: {}{}", "[".repeat(n * n * 9), "]".repeat(n * n * 9)),
        1 => format!("{}x", "a: {".repeat(n)) + &"}".repeat(n),
        2 => {
            let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
            for i in 1..n {
                let refs = vec![format!("*a{}", i - 1); 9].join(",");
                laughs += &format!("a{i}: &a{i} [{refs}]\n");
            }
            laughs
        }
        3 => format!(
            "name: a\nactions: {{a: {{rate: 1/s, path: {}web{}}}}}\n",
            "[{async: ".repeat(n),
            "}]".repeat(n)
        ),
        4 => format!(
            "tiers: {{{}}}\n",
            (0..n * 40).map(|i| format!("t{i}: {{servers: 1}}")).collect::<Vec<_>>().join(", ")
        ),
        5 => format!("name: {}\n", "x".repeat(n * n * 1000)),
        _ => format!(
            "actions:\n{}",
            (0..n * 30)
                .map(|i| format!("  a{i}: {{per_action: {{a{}: 1}}, path: [web]}}", i + 1))
                .collect::<Vec<_>>()
                .join("\n")
        ),
    }
}

/// A text with a few things done to it.
fn mutated(corpus: &Corpus, text: &str, draw: &mut Draw) -> String {
    let mut tokens: Vec<String> = tokens(text);
    for _ in 0..draw.from(1, 6) {
        if tokens.is_empty() {
            break;
        }
        let (i, j) = (draw.below(tokens.len()), draw.below(tokens.len()));
        match draw.below(9) {
            0 => tokens.swap(i, j),
            1 => {
                tokens.remove(i);
            }
            2 => tokens.insert(i, tokens[j].clone()),
            3 => tokens[i] = corpus.word(draw).to_owned(),
            4 => tokens[i].insert_str(0, corpus.word(draw)),
            5 => tokens[i] = "9".repeat(draw.from(1, 400)),
            6 => {
                let depth = draw.from(1, 40);
                tokens[i] = format!("{}{}{}", "[".repeat(depth), tokens[i], "]".repeat(depth));
            }
            7 => {
                let end = (i + draw.below(40)).min(tokens.len());
                let part = tokens[i..end].to_vec();
                tokens.splice(j..j, part);
            }
            _ => {
                let end = (i + draw.below(40)).min(tokens.len());
                tokens.drain(i..end);
            }
        }
    }
    tokens.concat()
}

/// Words, numbers, blanks and marks, each by itself.
fn tokens(text: &str) -> Vec<String> {
    let class = |c: char| {
        if c.is_alphanumeric() || c == '_' || c == '-' {
            0
        } else if c == ' ' {
            1
        } else {
            2
        }
    };
    let mut tokens: Vec<String> = Vec::new();
    let mut last = 3;
    for c in text.chars() {
        match tokens.last_mut().filter(|_| class(c) == last && last < 2) {
            Some(token) => token.push(c),
            None => tokens.push(c.to_string()),
        }
        last = class(c);
    }
    tokens
}

/// The highest memory of this process so far, KiB, where the system says it.
fn memory_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// What came of a case.
struct Done {
    number: usize,
    took: Duration,
    valid: bool,
}

#[test]
fn no_text_makes_the_reader_panic_hang_or_grow() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<usize>().ok());
    let cases = number("PLIMSOLL_FUZZ_CASES").unwrap_or(CASES);
    let from = number("PLIMSOLL_FUZZ_FROM").unwrap_or(0);
    let before = memory_peak();
    let began = Instant::now();
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::Builder::new().name("fuzz".into()).stack_size(2 << 20).spawn(move || {
        let corpus = Corpus::new();
        for number in from..from + cases {
            let (text, settings) = corpus.case(&mut Draw::new("fuzz", number as u64));
            let began = Instant::now();
            let done = catch_unwind(|| exercise(&text, &settings));
            let took = began.elapsed();
            let sent = match done {
                Ok(valid) => sender.send(Ok(Done { number, took, valid })),
                Err(_) => sender.send(Err(format!("case {number} panics:\n{text}\n{settings:?}"))),
            };
            if sent.is_err() {
                return;
            }
        }
    });
    let worker = worker.unwrap();
    let (mut worst, mut valid, mut last) = ((Duration::ZERO, 0), 0, None);
    for _ in 0..cases {
        let next = last.map_or(from, |n: usize| n + 1);
        let done = receiver.recv_timeout(CASE_MAX).unwrap_or_else(|_| panic!("case {next} hangs"));
        let done = done.unwrap_or_else(|said| panic!("{said}"));
        worst = worst.max((done.took, done.number));
        valid += usize::from(done.valid);
        last = Some(done.number);
    }
    worker.join().unwrap();
    let grown = memory_peak().zip(before).map(|(after, before)| after.saturating_sub(before));
    println!(
        "{cases} cases in {:.1} s, {valid} of them valid scenarios; longest {:.1} ms (case {}); {} MiB more memory",
        began.elapsed().as_secs_f64(),
        worst.0.as_secs_f64() * 1e3,
        worst.1,
        grown.unwrap_or(0) >> 10,
    );
    assert!(valid * 20 > cases, "only {valid} of {cases} are valid scenarios: the fuzz reaches little");
    assert!(grown.is_none_or(|kib| kib < MEMORY_MAX), "{grown:?} KiB more memory");
}
