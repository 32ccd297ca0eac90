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
    /// When a copy was made, where it is one.
    pub date: Option<&'a HeaderValue>,
}

impl Validators<'_> {
    fn dated(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.date?.to_str().ok()?).ok()
    }
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
    let Some(date) = date(asked, &IF_MODIFIED_SINCE).filter(|_| reads) else { return Verdict::Proceed };
    // A copy that does not say when it was changed was not changed after it was made (RFC 9111, section 4.3.2).
    match ours.last_modified.or_else(|| ours.dated()) {
        Some(modified) if modified <= date => Verdict::NotModified,
        _ => Verdict::Proceed,
    }
}

/// Whether `If-Range`, where there is one, lets a range be answered: the very same strong tag, or the very
/// same date, if that was over by a second when the copy was made (RFC 9110, section 8.8.2.2). The origin knows
/// that its objects are never changed within a second.
pub fn if_range_holds(asked: &HeaderMap, ours: Validators<'_>) -> bool {
    let Some(validator) = asked.get(IF_RANGE) else { return true };
    if validator.as_bytes().starts_with(b"\"") {
        return ours.etag == Some(validator);
    }
    let date = validator.to_str().ok().and_then(|text| httpdate::parse_http_date(text).ok());
    let is_strong = |modified| {
        ours.dated().is_none_or(|made| made.duration_since(modified).is_ok_and(|since| since.as_secs() >= 1))
    };
    date.is_some_and(|date| ours.last_modified == Some(date) && is_strong(date))
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
        judge(method, &asked, Validators { etag: Some(&etag), last_modified, date: None })
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
        let then = HeaderValue::from_static(THEN);
        let last_modified = httpdate::parse_http_date(THEN).ok();
        let ours = Validators { etag: Some(&etag), last_modified, date: None };
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
        let asked = HeaderMap::from_iter([(IF_RANGE, then.clone())]);
        let later = HeaderValue::from_static(LATER);
        for (made, holds) in [(&then, false), (&later, true)] {
            assert_eq!(if_range_holds(&asked, Validators { date: Some(made), ..ours }), holds);
        }
    }
}
