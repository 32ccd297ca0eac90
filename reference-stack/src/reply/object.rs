//! A complete representation of a resource, and the answers that can be cut from it.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE,
    ETAG, EXPIRES, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::conditions::{self, Validators, Verdict};
use super::ranges::{self, Wanted};
use super::{headless, problem, wire};
use crate::body::Body;

/// Digest of the whole representation (RFC 9530).
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Headers of a 304: those that a cache may need to bring its copy up to date (RFC 9110, 15.4.5).
const OF_NOT_MODIFIED: [HeaderName; 8] =
    [CACHE_CONTROL, CONTENT_LOCATION, EXPIRES, DATE, ETAG, LAST_MODIFIED, VARY, REPR_DIGEST];

/// What a confirmation can't change: it describes the bytes that are there already (RFC 9111, 3.2).
const OF_THE_BYTES: [HeaderName; 4] = [CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE, ACCEPT_RANGES];

/// A representation: its bytes and the headers that describe them.
#[derive(Debug, Clone)]
pub struct Object {
    pub body: Bytes,
    pub headers: HeaderMap,
    last_modified: Option<SystemTime>,
}

impl Object {
    /// With the headers that describe it.
    pub fn new(body: Bytes, mut headers: HeaderMap) -> Self {
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let last_modified = conditions::last_modified(&headers);
        Self { body, headers, last_modified }
    }

    pub fn validators(&self) -> Validators<'_> {
        Validators {
            etag: self.headers.get(ETAG),
            last_modified: self.last_modified,
            date: self.headers.get(DATE),
        }
    }

    /// The same bytes with the headers of a 304 put over the old ones (RFC 9111, 3.2).
    pub fn refreshed(&self, newer: &HeaderMap) -> Self {
        let mut headers = self.headers.clone();
        let newer = wire::of_content(newer);
        for name in newer.keys().filter(|name| !OF_THE_BYTES.contains(name)) {
            headers.remove(name);
            for value in newer.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        Self::new(self.body.clone(), headers)
    }

    /// The object, or the part or the confirmation of it that the request asks for. `age` is that of a
    /// cached copy.
    pub fn answer(&self, method: &Method, asked: &HeaderMap, age: Option<Duration>) -> Response<Body> {
        match conditions::judge(method, asked, self.validators()) {
            Verdict::Proceed => {}
            Verdict::NotModified => return self.not_modified(age),
            Verdict::Failed => {
                let detail = "the object is not in the state that the request's conditions name";
                return headless(method, problem(StatusCode::PRECONDITION_FAILED, detail));
            }
        }
        // A range has a meaning for GET only.
        let wanted = if method == Method::GET && conditions::if_range_holds(asked, self.validators()) {
            ranges::wanted(asked, self.body.len())
        } else {
            Wanted::Whole
        };
        let mut headers = self.headers.clone();
        if let Some(age) = age {
            headers.insert(AGE, age.as_secs().into());
        }
        let (status, body) = match wanted {
            Wanted::Whole => (StatusCode::OK, self.body.clone()),
            Wanted::Outside => return self.outside(),
            Wanted::Parts(parts) => {
                let body = match &parts[..] {
                    [part] => {
                        headers.insert(CONTENT_RANGE, content_range(part, self.body.len()));
                        self.body.slice(part.clone())
                    }
                    parts => self.multipart(parts, &mut headers),
                };
                (StatusCode::PARTIAL_CONTENT, body)
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        headless(method, response)
    }

    fn not_modified(&self, age: Option<Duration>) -> Response<Body> {
        let mut response = Response::new(Body::default());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        let headers = response.headers_mut();
        for name in OF_NOT_MODIFIED {
            if let Some(value) = self.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        if let Some(age) = age {
            headers.insert(AGE, age.as_secs().into());
        }
        response
    }

    fn outside(&self) -> Response<Body> {
        let total = self.body.len();
        let detail = format!("the object has {total} bytes; ask for a range within it");
        let mut response = problem(StatusCode::RANGE_NOT_SATISFIABLE, &detail);
        let range = HeaderValue::try_from(format!("bytes */{total}")).expect("digits are a header value");
        response.headers_mut().insert(CONTENT_RANGE, range);
        response
    }

    /// Several parts in one body (RFC 9110, section 14.6).
    fn multipart(&self, parts: &[Range<usize>], headers: &mut HeaderMap) -> Bytes {
        let boundary = boundary();
        let kind = self.headers.get(CONTENT_TYPE).cloned();
        let frame = 128 + boundary.len() + kind.as_ref().map_or(0, HeaderValue::len);
        let bytes: usize = parts.iter().map(Range::len).sum();
        let mut body = BytesMut::with_capacity(bytes + frame * (parts.len() + 1));
        for part in parts {
            body.put_slice(format!("\r\n--{boundary}\r\n").as_bytes());
            if let Some(kind) = &kind {
                body.put_slice(b"Content-Type: ");
                body.put_slice(kind.as_bytes());
                body.put_slice(b"\r\n");
            }
            body.put_slice(b"Content-Range: ");
            body.put_slice(content_range(part, self.body.len()).as_bytes());
            body.put_slice(b"\r\n\r\n");
            body.put_slice(&self.body[part.clone()]);
        }
        body.put_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let kind = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"))
            .expect("digits are a header value");
        headers.insert(CONTENT_TYPE, kind);
        body.freeze()
    }
}

fn content_range(part: &Range<usize>, total: usize) -> HeaderValue {
    HeaderValue::try_from(format!("bytes {}-{}/{total}", part.start, part.end - 1))
        .expect("digits are a header value")
}

/// A separator that no two answers share; random bytes do not hold it, but for one chance in 2^128.
fn boundary() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut stream = plimsoll_scenarios::rng::Stream::new(number, "multipart", "boundary", 0);
    format!("{:016x}{:016x}", stream.bits(), stream.bits())
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_LENGTH, IF_MATCH, IF_NONE_MATCH, RANGE};
    use hyper::body::Body as _;

    use super::*;

    fn object() -> Object {
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("audio/mpeg")),
            (ETAG, HeaderValue::from_static("\"a\"")),
            (CACHE_CONTROL, HeaderValue::from_static("public, max-age=60")),
        ]);
        Object::new(Bytes::from_static(b"0123456789"), headers)
    }

    fn text(response: Response<Body>) -> String {
        let Body::Full(full) = response.into_body() else { panic!("at hand") };
        let collected = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(full));
        String::from_utf8(collected.unwrap().unwrap().to_bytes().to_vec()).unwrap()
    }

    fn asked(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn parts_are_cut_and_framed() {
        let one = object().answer(&Method::GET, &asked(RANGE, "bytes=-3"), None);
        assert_eq!(one.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(one.headers()[CONTENT_RANGE], "bytes 7-9/10");
        assert_eq!(one.headers()[CONTENT_TYPE], "audio/mpeg");
        assert_eq!(text(one), "789");
        let two = object().answer(&Method::GET, &asked(RANGE, "bytes=8-,0-1"), None);
        assert!(!two.headers().contains_key(CONTENT_RANGE));
        let kind = two.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let part = |range: &str, bytes: &str| {
            format!(
                "\r\n--{boundary}\r\nContent-Type: audio/mpeg\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}"
            )
        };
        let expected = format!("{}{}\r\n--{boundary}--\r\n", part("8-9", "89"), part("0-1", "01"));
        assert_eq!(text(two), expected);
    }

    #[test]
    fn a_head_has_the_headers_of_a_get_and_ignores_ranges() {
        let head = object().answer(&Method::HEAD, &asked(RANGE, "bytes=0-0"), Some(Duration::from_secs(7)));
        assert_eq!((head.status(), head.body().size_hint().exact()), (StatusCode::OK, Some(0)));
        assert_eq!(head.headers()[CONTENT_LENGTH], "10");
        assert_eq!(head.headers()[AGE], "7");
    }

    #[test]
    fn confirmations_carry_validators_and_no_content_type() {
        let known = object().answer(&Method::GET, &asked(IF_NONE_MATCH, "\"a\""), None);
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(known.headers()[ETAG], "\"a\"");
        assert!(!known.headers().contains_key(CONTENT_TYPE) && known.headers().contains_key(CACHE_CONTROL));
        let newer = HeaderMap::from_iter([
            (CACHE_CONTROL, HeaderValue::from_static("max-age=9")),
            (CONTENT_TYPE, HeaderValue::from_static("text/html")),
            (HeaderName::from_static("x-new"), HeaderValue::from_static("1")),
        ]);
        let refreshed = object().refreshed(&newer).headers;
        assert_eq!(
            (&refreshed[CACHE_CONTROL], &refreshed["x-new"]),
            (&newer[CACHE_CONTROL], &newer["x-new"])
        );
        assert_eq!(refreshed[CONTENT_TYPE], "audio/mpeg", "the bytes are the same");
        let other = object().answer(&Method::GET, &asked(IF_MATCH, "\"b\""), None);
        assert_eq!(other.status(), StatusCode::PRECONDITION_FAILED);
    }
}
