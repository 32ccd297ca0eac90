//! What a shared cache keeps of a response, and for which requests it is an answer.

use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, AGE, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};

use crate::freshness::{Control, Freshness};
use crate::reply::{self, Body, Object, encoding};

/// A response that may be used again.
#[derive(Debug)]
pub struct Stored {
    pub object: Object,
    pub freshness: Freshness,
    /// Headers that chose among the variants of the resource, and their values in the request.
    vary: Vec<(HeaderName, Option<HeaderValue>)>,
}

/// What the tier below gave.
#[derive(Debug, Clone)]
pub enum Answer {
    /// May be cached.
    Stored(std::sync::Arc<Stored>),
    /// Anything else, passed on as it came.
    Other { status: StatusCode, headers: HeaderMap, body: bytes::Bytes, shareable: bool },
}

impl Stored {
    /// `None` for a response that must not be kept.
    pub fn of(asked: &HeaderMap, headers: &HeaderMap, body: bytes::Bytes, delay: Duration) -> Option<Self> {
        let freshness = Freshness::of(headers, delay)?;
        let vary = vary(headers)?.into_iter().map(|name| (name.clone(), chosen_by(asked, &name))).collect();
        Some(Self { object: Object::new(body, headers), freshness, vary })
    }

    /// The same object, confirmed by a 304 with these headers.
    pub fn confirmed(&self, newer: &HeaderMap, delay: Duration) -> Option<Self> {
        let object = self.object.refreshed(newer);
        // The copy is as old as the one that confirmed it.
        let mut dated = object.headers.clone();
        dated.extend(newer.get(AGE).map(|age| (AGE, age.clone())));
        let freshness = Freshness::of(&dated, delay)?;
        Some(Self { object, freshness, vary: self.vary.clone() })
    }

    /// Whether it answers a request with these headers (RFC 9111, section 4.1).
    pub fn suits(&self, asked: &HeaderMap) -> bool {
        self.vary.iter().all(|(name, value)| chosen_by(asked, name) == *value)
    }

    /// Names of the headers that choose the variant.
    pub fn varies_by(&self) -> Vec<HeaderName> {
        self.vary.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The object, or what the request wants of it.
    pub fn answer(&self, request: &request::Parts) -> Response<Body> {
        self.object.answer(&request.method, &request.headers, Some(self.freshness.age()))
    }
}

/// Name in the cache of the variant of a resource that a request gets.
pub fn variant_key(path: &str, names: &[HeaderName], asked: &HeaderMap) -> String {
    let mut key = path.to_owned();
    for name in names {
        // No path holds such a character.
        key.push('\n');
        let value = chosen_by(asked, name);
        key.push_str(value.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default());
    }
    key
}

/// The value of a header that chooses a variant; encodings that come to the same are the same.
fn chosen_by(asked: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    if name == ACCEPT_ENCODING {
        return encoding::accepts_gzip(asked).then(|| HeaderValue::from_static("gzip"));
    }
    asked.get(name).cloned()
}

/// Names in `Vary`; `None` where everything chooses.
fn vary(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let lists = headers.get_all(VARY).iter().filter_map(|value| value.to_str().ok());
    let names = lists.flat_map(|list| list.split(',')).map(str::trim).filter(|name| !name.is_empty());
    names.map(|name| if name == "*" { None } else { name.parse().ok() }).collect()
}

/// Decides what may be done with a response.
pub fn answer(
    status: StatusCode,
    asked: &HeaderMap,
    headers: &HeaderMap,
    body: bytes::Bytes,
    delay: Duration,
) -> Answer {
    if status == StatusCode::OK
        && let Some(stored) = Stored::of(asked, headers, body.clone(), delay)
    {
        return Answer::Stored(std::sync::Arc::new(stored));
    }
    let kept = [ALLOW, CONTENT_TYPE, CONTENT_ENCODING, CACHE_CONTROL, ETAG, VARY, RETRY_AFTER];
    let shareable = Control::read(headers).is_shareable() || status.is_server_error();
    let headers = kept.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect();
    Answer::Other { status, headers, body, shareable }
}

/// The response to a request whose object was fetched.
pub fn answered(request: &request::Parts, answer: Answer) -> Response<Body> {
    match answer {
        Answer::Stored(stored) => stored.answer(request),
        Answer::Other { status, headers, body, .. } => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            reply::headless(&request.method, response)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(of: &[(HeaderName, &str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn variants_are_kept_apart() {
        let zipped = headers(&[(ACCEPT_ENCODING, "br, gzip;q=0.8")]);
        let page = headers(&[(CACHE_CONTROL, "max-age=60"), (VARY, "Accept-Encoding")]);
        let stored = Stored::of(&zipped, &page, bytes::Bytes::new(), Duration::ZERO).unwrap();
        for (encodings, suits) in [("gzip", true), ("*", true), ("identity", false), ("gzip;q=0", false)] {
            assert_eq!(stored.suits(&headers(&[(ACCEPT_ENCODING, encodings)])), suits, "{encodings}");
        }
        assert!(!stored.suits(&HeaderMap::new()));
        let names = stored.varies_by();
        assert_eq!(variant_key("/a", &names, &zipped), "/a\ngzip");
        assert_eq!(variant_key("/a", &names, &HeaderMap::new()), "/a\n");
        let all = headers(&[(CACHE_CONTROL, "max-age=60"), (VARY, "accept, *")]);
        assert!(Stored::of(&zipped, &all, bytes::Bytes::new(), Duration::ZERO).is_none());
    }

    #[test]
    fn a_confirmation_makes_a_stored_response_young_again() {
        let old = headers(&[(CACHE_CONTROL, "max-age=60"), (AGE, "61"), (ETAG, "\"a\"")]);
        let stored = Stored::of(&HeaderMap::new(), &old, bytes::Bytes::from_static(b"x"), Duration::ZERO);
        let stored = stored.unwrap();
        assert!(!stored.freshness.is_fresh());
        let young = stored.confirmed(&headers(&[(CACHE_CONTROL, "max-age=90")]), Duration::ZERO).unwrap();
        assert!(
            young.freshness.is_fresh() && young.object.body == "x" && young.object.headers[ETAG] == "\"a\""
        );
        assert!(stored.confirmed(&headers(&[(CACHE_CONTROL, "no-store")]), Duration::ZERO).is_none());
    }
}
