//! Responses: objects with ranges and conditions (RFC 9110 sections 13 and 14), problems (RFC 9457).

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    IF_RANGE, RANGE, RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::{Body as _, Incoming};

use crate::visit::Trail;

/// A body that is at hand, or one that is passed through.
pub type Body = Either<Full<Bytes>, Incoming>;

pub const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Content type of a problem.
pub const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Seconds after which a client that was turned away should come back.
const RETRY_AFTER_S: &str = "1";

/// A complete representation of a resource.
#[derive(Debug, Clone)]
pub struct Object {
    pub body: Bytes,
    pub etag: Option<HeaderValue>,
    pub content_type: HeaderValue,
    pub cache_control: HeaderValue,
}

/// Bytes that a body will have, where known.
pub fn length(response: &Response<Body>) -> u64 {
    response.body().size_hint().exact().unwrap_or(0)
}

/// Adds what every response carries.
pub fn sign(response: &mut Response<Body>, trail: &Trail, served_by: HeaderValue, request_id: HeaderValue) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(trail.text()) {
        headers.insert(SERVER_TIMING, value);
    }
    headers.insert(SERVED_BY, served_by);
    headers.insert(REQUEST_ID, request_id);
}

/// The object, or the part or the confirmation of it that the request asks for.
pub fn object(method: &Method, asked: &HeaderMap, object: &Object, age: Option<Duration>) -> Response<Body> {
    let total = object.body.len();
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, object.content_type.clone());
    headers.insert(CACHE_CONTROL, object.cache_control.clone());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(etag) = &object.etag {
        headers.insert(ETAG, etag.clone());
    }
    if let Some(age) = age {
        headers.insert(AGE, age.as_secs().into());
    }
    let etag = object.etag.as_ref();
    let (status, body) = if is_known(asked, etag) {
        headers.remove(CONTENT_TYPE);
        (StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        // A range has a meaning for GET only.
        match if method == Method::GET { range(asked, etag, total) } else { Part::Whole } {
            Part::Whole => (StatusCode::OK, object.body.clone()),
            Part::Bytes(range) => {
                let text = format!("bytes {}-{}/{total}", range.start, range.end - 1);
                headers
                    .insert(CONTENT_RANGE, HeaderValue::try_from(text).expect("digits are a header value"));
                (StatusCode::PARTIAL_CONTENT, object.body.slice(range))
            }
            Part::Outside => {
                let mut response = problem(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    &format!("the object has {total} bytes; ask for a range within it"),
                );
                let text =
                    HeaderValue::try_from(format!("bytes */{total}")).expect("digits are a header value");
                response.headers_mut().insert(CONTENT_RANGE, text);
                return response;
            }
        }
    };
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    headless(method, response)
}

/// A JSON document.
pub fn json(method: &Method, body: Bytes, cache_control: &'static str) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headless(method, response)
}

/// A status without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    response
}

/// What went wrong, as `application/problem+json`.
pub fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(problem_text(status, detail))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM);
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    }
    response
}

/// The body of a problem.
pub fn problem_text(status: StatusCode, detail: &str) -> Bytes {
    let title = status.canonical_reason().unwrap_or("Error");
    serde_json::json!({"title": title, "status": status.as_u16(), "detail": detail}).to_string().into()
}

/// The tier's queue is full.
pub fn busy(tier: &str) -> Response<Body> {
    problem(StatusCode::SERVICE_UNAVAILABLE, &format!("the queue of {tier} is full; try again later"))
}

/// For HEAD: the same headers, no body.
pub fn headless(method: &Method, mut response: Response<Body>) -> Response<Body> {
    if method == Method::HEAD {
        let length = length(&response);
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        *response.body_mut() = Either::Left(Full::default());
    }
    response
}

/// Whether `If-None-Match` names the object (weak comparison).
fn is_known(asked: &HeaderMap, etag: Option<&HeaderValue>) -> bool {
    let Some(ours) = etag.and_then(|etag| etag.to_str().ok()) else { return false };
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.trim() == "*" || list.split(',').any(|theirs| opaque(theirs.trim()) == opaque(ours)))
}

/// What part of an object a request wants.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Bytes(Range<usize>),
    Outside,
}

/// Reads `Range`, if `If-Range` permits it. Several ranges, other units and nonsense mean the whole
/// object, as the RFC lets a server do.
fn range(asked: &HeaderMap, etag: Option<&HeaderValue>, total: usize) -> Part {
    let Some(text) = asked.get(RANGE).and_then(|value| value.to_str().ok()) else { return Part::Whole };
    // Only a strong tag can match: dates never do, for there is no Last-Modified.
    if asked.get(IF_RANGE).is_some_and(|tag| Some(tag) != etag || tag.as_bytes().starts_with(b"W/")) {
        return Part::Whole;
    }
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|spec| spec.split_once('-')) else {
        return Part::Whole;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // A number beyond usize lies outside any object.
    let number = |text: &str| text.parse::<usize>().unwrap_or(usize::MAX);
    let (first, last) = (first.trim(), last.trim());
    match (digits(first), digits(last)) {
        (true, _) if last.is_empty() || digits(last) => {
            let start = number(first);
            let end = if last.is_empty() { total } else { number(last).saturating_add(1).min(total) };
            if !last.is_empty() && number(last) < start {
                Part::Whole
            } else if start >= total {
                Part::Outside
            } else {
                Part::Bytes(start..end)
            }
        }
        (false, true) if first.is_empty() => match number(last).min(total) {
            0 => Part::Outside,
            suffix => Part::Bytes(total - suffix..total),
        },
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        for (text, expected) in [
            ("bytes=0-9", Part::Bytes(0..10)),
            ("bytes=90-", Part::Bytes(90..100)),
            ("bytes=90-1000", Part::Bytes(90..100)),
            ("bytes=-10", Part::Bytes(90..100)),
            ("bytes=-1000", Part::Bytes(0..100)),
            ("bytes=99-99", Part::Bytes(99..100)),
            ("bytes=100-", Part::Outside),
            ("bytes=99999999999999999999999-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=9-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("items=0-1", Part::Whole),
        ] {
            let mut asked = HeaderMap::new();
            asked.insert(RANGE, text.parse().unwrap());
            assert_eq!(range(&asked, None, 100), expected, "{text}");
        }
    }

    #[test]
    fn if_range_needs_the_very_same_tag() {
        let etag = HeaderValue::from_static("\"a\"");
        for (tag, partial) in
            [("\"a\"", true), ("\"b\"", false), ("W/\"a\"", false), ("Sat, 01 Jan 2000 00:00:00 GMT", false)]
        {
            let mut asked = HeaderMap::new();
            asked.insert(RANGE, "bytes=0-0".parse().unwrap());
            asked.insert(IF_RANGE, tag.parse().unwrap());
            assert_eq!(range(&asked, Some(&etag), 10) == Part::Bytes(0..1), partial, "{tag}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly_and_takes_lists() {
        let etag = HeaderValue::from_static("\"a\"");
        for (list, known) in
            [("\"a\"", true), ("W/\"a\"", true), ("\"b\", \"a\"", true), ("*", true), ("\"b\"", false)]
        {
            let mut asked = HeaderMap::new();
            asked.insert(IF_NONE_MATCH, list.parse().unwrap());
            assert_eq!(is_known(&asked, Some(&etag)), known, "{list}");
        }
    }
}
