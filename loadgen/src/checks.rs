//! What an answer must be beyond a success: its status, its length, a text in it, its hash.
//!
//! Why while it streams: bodies are read in pieces and thrown away, so that memory does not follow their size;
//! a hash and a search need only what they remember of the piece before.

use plimsoll_scenarios::Expect;
use sha2::{Digest, Sha256};

/// One rule for the answers of an action, such as `play.status = 206`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// As written.
    pub text: String,
    /// The action (or its branch, `play.events`).
    pub action: String,
    pub rule: Rule,
}

/// What must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Status(u16),
    /// Bytes of the body.
    Length(u64),
    /// A text in the body.
    Contains(String),
    /// SHA-256 of the body.
    Hash([u8; 32]),
}

impl Rule {
    /// What a scenario says an answer must be.
    pub fn of(expect: &Expect) -> Vec<Self> {
        let status = expect.status.map(Self::Status);
        let length = expect.length.map(Self::Length);
        let hash = expect.sha256.as_deref().and_then(hash).map(Self::Hash);
        let contains = expect.contains.iter().cloned().map(Self::Contains);
        status.into_iter().chain(length).chain(hash).chain(contains).collect()
    }
}

const EXAMPLES: &str = "write `ACTION.status = 206`, `ACTION.length = 20000`, `ACTION.body contains \"title\"` or `ACTION.sha256 = HEX`";
/// Longest text that is searched for, bytes: so much of each piece is remembered.
const TEXT_MAX: usize = 4_096;

impl Check {
    /// Reads a check.
    ///
    /// # Errors
    /// What is wrong with it, and what may be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = |cause: &str| format!("{cause}; {EXAMPLES}");
        let contains = text.split_once(" contains ");
        let (left, right) =
            contains.or_else(|| text.split_once('=')).ok_or_else(|| bad(&format!("`{text}` is no check")))?;
        let (action, what) =
            left.trim().rsplit_once('.').ok_or_else(|| bad(&format!("`{text}` names no action")))?;
        let right = right.trim();
        let rule = match (what, contains.is_some()) {
            ("status", false) => right
                .parse()
                .ok()
                .filter(|status| (100..600).contains(status))
                .map(Rule::Status)
                .ok_or_else(|| bad(&format!("`{right}` is no HTTP status")))?,
            ("length", false) => right
                .parse()
                .map(Rule::Length)
                .map_err(|_| bad(&format!("`{right}` is no number of bytes")))?,
            ("sha256", false) => Rule::Hash(
                hash(right).ok_or_else(|| bad(&format!("`{right}` is no SHA-256: 64 hexadecimal digits")))?,
            ),
            ("body", true) => {
                let wanted = right.strip_prefix('"').and_then(|r| r.strip_suffix('"')).unwrap_or(right);
                if wanted.is_empty() || wanted.len() > TEXT_MAX {
                    return Err(bad(&format!("a text has 1 to {TEXT_MAX} bytes")));
                }
                Rule::Contains(wanted.to_owned())
            }
            _ => return Err(bad(&format!("`{}` cannot be checked so", left.trim()))),
        };
        Ok(Self { text: text.trim().to_owned(), action: action.to_owned(), rule })
    }
}

fn hash(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

/// All rules for one kind of request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// A 2xx status unless this is set.
    pub status: Option<u16>,
    length: Option<u64>,
    contains: Vec<String>,
    hash: Option<[u8; 32]>,
}

impl Expected {
    pub fn add(&mut self, rule: Rule) {
        match rule {
            Rule::Status(status) => self.status = Some(status),
            Rule::Length(length) => self.length = Some(length),
            Rule::Contains(text) => self.contains.push(text),
            Rule::Hash(hash) => self.hash = Some(hash),
        }
    }

    /// Whether the body must be looked at.
    pub fn start(&self) -> Option<Reading<'_>> {
        if self.contains.is_empty() && self.hash.is_none() && self.length.is_none() {
            return None;
        }
        Some(Reading {
            expected: self,
            length: 0,
            hash: self.hash.map(|_| Sha256::new()),
            found: vec![false; self.contains.len()],
            tail: Vec::new(),
        })
    }
}

/// A body that is being checked.
pub struct Reading<'a> {
    expected: &'a Expected,
    length: u64,
    hash: Option<Sha256>,
    found: Vec<bool>,
    /// The end of what came, as long as the longest text less one byte.
    tail: Vec<u8>,
}

impl Reading<'_> {
    pub fn read(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        if let Some(hash) = &mut self.hash {
            hash.update(piece);
        }
        if self.found.iter().all(|found| *found) {
            return;
        }
        self.tail.extend_from_slice(piece);
        for (found, text) in self.found.iter_mut().zip(&self.expected.contains) {
            *found |= self.tail.windows(text.len()).any(|window| window == text.as_bytes());
        }
        let keep = self.expected.contains.iter().map(|text| text.len() - 1).max().unwrap_or(0);
        self.tail.drain(..self.tail.len().saturating_sub(keep));
    }

    /// The kind of failure, where the body is not what it must be.
    pub fn end(self) -> Result<(), &'static str> {
        if self.expected.length.is_some_and(|length| length != self.length) {
            return Err("check_length");
        }
        if !self.found.iter().all(|found| *found) {
            return Err("check_body");
        }
        let seen = self.hash.map(|hash| hash.finalize().into());
        if seen == self.expected.hash { Ok(()) } else { Err("check_sha256") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn outcome(checks: &[&str], pieces: &[&str]) -> Result<(), &'static str> {
        let mut expected = Expected::default();
        for check in checks {
            expected.add(Check::parse(check).unwrap().rule);
        }
        let mut reading = expected.start().unwrap();
        for piece in pieces {
            reading.read(piece.as_bytes());
        }
        reading.end()
    }

    #[test]
    fn a_text_is_found_also_across_pieces_and_several_must_all_be_there() {
        let check = "play.body contains \"needle\"";
        assert_eq!(outcome(&[check], &["hay nee", "dle hay"]), Ok(()));
        assert_eq!(outcome(&[check], &["n", "e", "e", "d", "l", "e"]), Ok(()));
        assert_eq!(outcome(&[check], &["need", " le"]), Err("check_body"));
        assert_eq!(outcome(&[check, "play.body contains b"], &["needle"]), Err("check_body"));
        assert_eq!(outcome(&[check, "play.body contains b"], &["b", "needle"]), Ok(()));
    }

    #[test]
    fn lengths_and_hashes_are_those_of_the_whole_body() {
        let hash = format!("play.sha256 = {}", ABC.to_uppercase());
        assert_eq!(outcome(&[&hash], &["a", "bc"]), Ok(()));
        assert_eq!(outcome(&[&hash], &["ab"]), Err("check_sha256"));
        assert_eq!(outcome(&["play.length = 3"], &["a", "bc"]), Ok(()));
        assert_eq!(outcome(&["play.length = 3"], &["abcd"]), Err("check_length"));
    }

    #[test]
    fn checks_name_an_action_and_what_is_wrong_is_said() {
        let check = Check::parse(" play.events.status = 202 ").unwrap();
        assert_eq!((check.action.as_str(), check.rule), ("play.events", Rule::Status(202)));
        for (text, says) in [
            ("status = 200", "names no action"),
            ("play.status = 999", "no HTTP status"),
            ("play.length = many", "no number of bytes"),
            ("play.sha256 = 12", "no SHA-256"),
            ("play.colour = red", "cannot be checked so"),
            ("play.status contains 2", "cannot be checked so"),
            ("play.body contains \"\"", "1 to 4096 bytes"),
            ("play", "is no check"),
        ] {
            let error = Check::parse(text).unwrap_err();
            assert!(error.contains(says) && error.contains("write `ACTION.status"), "{text}: {error}");
        }
    }
}
