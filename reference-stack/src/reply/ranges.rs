//! Which bytes a request wants (RFC 9110, section 14).

use std::ops::Range;

use http::header::RANGE;
use http::{HeaderMap, HeaderValue};

/// More ranges than this are not worth their multipart frames: the whole object is sent (section 14.2 lets a
/// server do so where a request looks like an attack).
const RANGES_MAX: usize = 32;

/// What part of an object is wanted.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    /// In the order asked for, none empty; at least one.
    Parts(Vec<Range<usize>>),
    /// No range reaches into the object.
    Outside,
}

/// Reads `Range` for an object of `total` bytes. Other units and nonsense mean the whole object.
pub fn wanted(asked: &HeaderMap, total: usize) -> Wanted {
    let mut values = asked.get_all(RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Wanted::Whole };
    parse(value, total).unwrap_or(Wanted::Whole)
}

/// `None` for what is no set of byte ranges, or too much of one.
fn parse(value: &HeaderValue, total: usize) -> Option<Wanted> {
    let (unit, set) = value.to_str().ok()?.trim().split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut parts = Vec::new();
    let mut any = false;
    for spec in set.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        any = true;
        parts.extend(part(spec, total)?);
        if parts.len() > RANGES_MAX {
            return None;
        }
    }
    if !any {
        return None;
    }
    if parts.is_empty() {
        return Some(Wanted::Outside);
    }
    // Ranges that overlap would make the answer longer than the object.
    let bytes: usize = parts.iter().map(Range::len).sum();
    if parts.len() > 1 && bytes >= total {
        parts = merged(parts);
    }
    Some(Wanted::Parts(parts))
}

/// The range of one spec: `Some(None)` where it lies outside the object, `None` where it is nonsense.
#[expect(clippy::option_option, reason = "nonsense is not the same as a range outside")]
fn part(spec: &str, total: usize) -> Option<Option<Range<usize>>> {
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let length = number(last)?.min(total);
        return Some((length > 0).then(|| total - length..total));
    }
    let start = number(first)?;
    let end = if last.is_empty() {
        total
    } else {
        let last = number(last)?;
        if last < start {
            return None;
        }
        last.saturating_add(1).min(total)
    };
    Some((start < total).then_some(start..end))
}

/// A number of digits; beyond `usize` it lies outside any object.
fn number(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

/// The same bytes once each, in order.
fn merged(mut parts: Vec<Range<usize>>) -> Vec<Range<usize>> {
    parts.sort_by_key(|part| part.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => merged.push(part),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let parts = |ranges: &[(usize, usize)]| {
            Wanted::Parts(ranges.iter().map(|&(start, end)| start..end).collect())
        };
        for (text, expected) in [
            ("bytes=0-9", parts(&[(0, 10)])),
            ("Bytes=90-", parts(&[(90, 100)])),
            ("bytes=90-1000", parts(&[(90, 100)])),
            ("bytes=-10", parts(&[(90, 100)])),
            ("bytes=-1000", parts(&[(0, 100)])),
            ("bytes=99-99", parts(&[(99, 100)])),
            ("bytes=100-", Wanted::Outside),
            ("bytes=99999999999999999999999-", Wanted::Outside),
            ("bytes=-0", Wanted::Outside),
            ("bytes=9-3", Wanted::Whole),
            ("bytes=0-1,3-4", parts(&[(0, 2), (3, 5)])),
            ("bytes=3-4, 0-1", parts(&[(3, 5), (0, 2)])),
            ("bytes=0-1,100-", parts(&[(0, 2)])),
            ("bytes=200-,100-", Wanted::Outside),
            ("bytes=0-59,40-99", parts(&[(0, 100)])),
            ("bytes=0-1,,3-4,", parts(&[(0, 2), (3, 5)])),
            ("bytes=0-1,x", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(RANGE, text.parse().unwrap());
            assert_eq!(wanted(&asked, 100), expected, "{text}");
        }
        let mut asked = HeaderMap::new();
        asked.insert(RANGE, format!("bytes={}", ["0-0"; 40].join(",")).parse().unwrap());
        assert_eq!(wanted(&asked, 100), Wanted::Whole, "too many");
        asked.insert(RANGE, "bytes=0-0".parse().unwrap());
        assert_eq!(wanted(&asked, 0), Wanted::Outside, "nothing is inside an empty object");
        asked.append(RANGE, "bytes=1-1".parse().unwrap());
        assert_eq!(wanted(&asked, 100), Wanted::Whole, "the header may come once only");
    }
}
