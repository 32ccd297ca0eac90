//! Whether a request's conditions hold (RFC 9110, section 13), in the order of section 13.2.2.

use std::time::{Duration, SystemTime};

use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// What identifies a state of a resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct Validators<'a> {
    pub etag: Option<&'a HeaderValue>,
    pub last_modified: Option<SystemTime>,
}

/// What the conditions leave to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Proceed,
    /// The client has this very state: 304.
    NotModified,
    /// The client wanted another state: 412.
    Failed,
}

/// Judges all conditions but `If-Range`.
pub fn judge(method: &Method, asked: &HeaderMap, ours: Validators<'_>) -> Verdict {
    let reads = method == Method::GET || method == Method::HEAD;
    if asked.contains_key(IF_MATCH) {
        if !lists(asked, &IF_MATCH, ours.etag, strongly) {
            return Verdict::Failed;
        }
    } else if let (Some(date), Some(modified)) = (date(asked, &IF_UNMODIFIED_SINCE), ours.last_modified)
        && modified > date
    {
        return Verdict::Failed;
    }
    if asked.contains_key(IF_NONE_MATCH) {
        return match (lists(asked, &IF_NONE_MATCH, ours.etag, weakly), reads) {
            (true, true) => Verdict::NotModified,
            (true, false) => Verdict::Failed,
            (false, _) => Verdict::Proceed,
        };
    }
    match (date(asked, &IF_MODIFIED_SINCE), ours.last_modified) {
        (Some(date), Some(modified)) if reads && modified <= date => Verdict::NotModified,
        _ => Verdict::Proceed,
    }
}

/// Whether `If-Range`, where there is one, lets a range be answered: the very same strong tag, or the very
/// same date, which is strong here because objects are never changed within a second of their date.
pub fn if_range_holds(asked: &HeaderMap, ours: Validators<'_>) -> bool {
    let Some(validator) = asked.get(IF_RANGE) else { return true };
    if validator.as_bytes().starts_with(b"\"") {
        return ours.etag == Some(validator);
    }
    let date = validator.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    date.is_some() && date == ours.last_modified
}

/// Whole seconds, as HTTP's dates are.
pub fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

pub fn http_date(time: SystemTime) -> HeaderValue {
    HeaderValue::try_from(httpdate::fmt_http_date(time)).expect("dates are letters, digits and spaces")
}

/// The date in `Last-Modified`.
pub fn last_modified(headers: &HeaderMap) -> Option<SystemTime> {
    date(headers, &LAST_MODIFIED)
}

pub fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// Whether a list of tags names ours; `*` names any.
fn lists(
    asked: &HeaderMap,
    name: &HeaderName,
    ours: Option<&HeaderValue>,
    same: fn(&str, &str) -> bool,
) -> bool {
    let ours = ours.and_then(|etag| etag.to_str().ok());
    asked.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        list.trim() == "*" || ours.is_some_and(|ours| tags(list).any(|theirs| same(theirs, ours)))
    })
}

/// The tags of a list. Commas may stand inside of quotes.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([',', ' ', '\t']);
        let open = rest.find('"')?;
        let close = open + 1 + rest[open + 1..].find('"')?;
        let tag = &rest[..=close];
        rest = &rest[close + 1..];
        Some(tag)
    })
}

fn strongly(a: &str, b: &str) -> bool {
    a == b && !a.starts_with("W/")
}

fn weakly(a: &str, b: &str) -> bool {
    a.strip_prefix("W/").unwrap_or(a) == b.strip_prefix("W/").unwrap_or(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EARLIER: &str = "Fri, 20 Nov 2026 10:00:00 GMT";
    const THEN: &str = "Sat, 21 Nov 2026 10:00:00 GMT";
    const LATER: &str = "Sun, 22 Nov 2026 10:00:00 GMT";

    fn judged(method: &Method, conditions: &[(HeaderName, &str)]) -> Verdict {
        let etag = HeaderValue::from_static("\"a,b\"");
        let last_modified = httpdate::parse_http_date(THEN).ok();
        let asked = conditions.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        judge(method, &asked, Validators { etag: Some(&etag), last_modified })
    }

    #[test]
    fn conditions_are_judged_in_the_order_of_the_rfc() {
        use Verdict::{Failed, NotModified, Proceed};
        for (conditions, expected) in [
            (&[(IF_NONE_MATCH, "\"a,b\"")][..], NotModified),
            (&[(IF_NONE_MATCH, "W/\"a,b\"")], NotModified),
            (&[(IF_NONE_MATCH, "\"x\", \"a,b\"")], NotModified),
            (&[(IF_NONE_MATCH, "*")], NotModified),
            (&[(IF_NONE_MATCH, "\"a\"")], Proceed),
            (&[(IF_MATCH, "\"a,b\"")], Proceed),
            (&[(IF_MATCH, "*")], Proceed),
            (&[(IF_MATCH, "W/\"a,b\"")], Failed),
            (&[(IF_MATCH, "\"x\"")], Failed),
            (&[(IF_MODIFIED_SINCE, THEN)], NotModified),
            (&[(IF_MODIFIED_SINCE, LATER)], NotModified),
            (&[(IF_MODIFIED_SINCE, EARLIER)], Proceed),
            (&[(IF_MODIFIED_SINCE, "yesterday")], Proceed),
            (&[(IF_UNMODIFIED_SINCE, EARLIER)], Failed),
            (&[(IF_UNMODIFIED_SINCE, THEN)], Proceed),
            // A tag is better than a date.
            (&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, LATER)], Proceed),
            (&[(IF_MATCH, "\"a,b\""), (IF_UNMODIFIED_SINCE, EARLIER)], Proceed),
            (&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, "\"a,b\"")], Failed),
        ] {
            assert_eq!(judged(&Method::GET, conditions), expected, "{conditions:?}");
        }
        assert_eq!(judged(&Method::PUT, &[(IF_NONE_MATCH, "*")]), Failed);
        assert_eq!(judged(&Method::PUT, &[(IF_MODIFIED_SINCE, LATER)]), Proceed);
    }

    #[test]
    fn if_range_needs_the_very_same_tag_or_date() {
        let etag = HeaderValue::from_static("\"a\"");
        let ours = Validators { etag: Some(&etag), last_modified: httpdate::parse_http_date(THEN).ok() };
        for (validator, holds) in [
            ("\"a\"", true),
            ("\"b\"", false),
            ("W/\"a\"", false),
            (THEN, true),
            (LATER, false),
            (EARLIER, false),
            ("nonsense", false),
        ] {
            let asked = HeaderMap::from_iter([(IF_RANGE, validator.parse().unwrap())]);
            assert_eq!(if_range_holds(&asked, ours), holds, "{validator}");
        }
        assert!(if_range_holds(&HeaderMap::new(), ours));
    }
}
