//! Request templates: text with `{object}`, `{query}` and `{user}` in it, split once, filled for every request.

use std::fmt::Write as _;

use plimsoll_scenarios::catalogue;

/// A text with placeholders. Other braces stand for themselves, so that JSON bodies need no escaping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// The object's number, from 1.
    Object,
    /// The search text that belongs to the object, percent-encoded.
    Query,
    /// The user's number, from 1.
    User,
}

impl Template {
    pub fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let next = [("{object}", Part::Object), ("{query}", Part::Query), ("{user}", Part::User)]
                .into_iter()
                .filter_map(|(name, part)| rest.find(name).map(|at| (at, name.len(), part)))
                .min_by_key(|(at, _, _)| *at);
            let (at, len, part) = match next {
                Some((at, len, part)) => (at, len, Some(part)),
                None => (rest.len(), 0, None),
            };
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            parts.extend(part);
            rest = &rest[at + len..];
        }
        Self(parts)
    }

    /// Appends the text for the object of this rank and for this user (both from 0).
    pub fn fill(&self, rank: u64, user: u64, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Object => write!(out, "{}", rank + 1).expect("writing to a String does not fail"),
                Part::User => write!(out, "{}", user + 1).expect("writing to a String does not fail"),
                Part::Query => percent_encode(&catalogue::query(rank), out),
            }
        }
    }
}

/// Everything but RFC 3986's unreserved characters becomes `%XX`.
fn percent_encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, rank: u64) -> String {
        let mut out = String::new();
        Template::new(text).fill(rank, 8, &mut out);
        out
    }

    #[test]
    fn object_is_the_number_from_1_and_other_braces_stay() {
        assert_eq!(filled("/v1/songs/{object}/audio", 0), "/v1/songs/1/audio");
        assert_eq!(filled(r#"{"song":{object},"again":{object}}"#, 41), r#"{"song":42,"again":42}"#);
        assert_eq!(filled("/users/{user}/songs/{object}", 2), "/users/9/songs/3");
        assert_eq!(filled("/plain", 7), "/plain");
    }

    #[test]
    fn queries_are_percent_encoded_to_a_valid_uri() {
        for rank in 0..500 {
            let uri = filled("/v1/search?q={query}&n=10", rank);
            assert!(uri.is_ascii() && !uri.contains(' '), "{uri}");
            uri.parse::<http::Uri>().unwrap();
        }
        let mut out = String::new();
        percent_encode("é &/~", &mut out);
        assert_eq!(out, "%C3%A9%20%26%2F~");
    }
}
