//! What a shared cache keeps of a response, and for which requests it is an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT_ENCODING, AGE, DATE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, request};

use crate::freshness::{Control, Freshness};
use crate::reply::{self, Body, Object, conditions, encoding, wire};

/// A response that may be used again.
#[derive(Debug)]
pub struct Stored {
    status: StatusCode,
    pub object: Object,
    pub freshness: Freshness,
    /// Headers that chose among the variants of the resource, and their values in the request.
    vary: Vec<(HeaderName, Option<HeaderValue>)>,
}

/// What the tier below gave.
#[derive(Debug, Clone)]
pub enum Answer {
    /// May be cached.
    Stored(Arc<Stored>),
    /// Anything else, passed on as it came.
    Other { status: StatusCode, headers: HeaderMap, body: bytes::Bytes, shareable: bool },
}

impl Stored {
    /// `None` for a response that must not be kept.
    pub fn of(
        status: StatusCode,
        asked: &HeaderMap,
        headers: &HeaderMap,
        body: bytes::Bytes,
        delay: Duration,
    ) -> Option<Self> {
        let freshness = Freshness::of(status, asked, headers, delay)?;
        let vary = vary(headers)?.into_iter().map(|name| (name.clone(), chosen_by(asked, &name))).collect();
        let mut headers = wire::of_content(headers);
        // Whoever gets it later must learn how old it is (RFC 9110, section 6.6.1).
        headers.entry(DATE).or_insert_with(|| conditions::http_date(SystemTime::now()));
        Some(Self { status, object: Object::new(body, headers), freshness, vary })
    }

    /// The same object, confirmed by a 304 with these headers to a request with those.
    pub fn confirmed(&self, asked: &HeaderMap, newer: &HeaderMap, delay: Duration) -> Option<Self> {
        let object = self.object.refreshed(newer);
        // The copy is as old as the one that confirmed it.
        let mut dated = object.headers.clone();
        dated.extend(newer.get(AGE).map(|age| (AGE, age.clone())));
        let freshness = Freshness::of(self.status, asked, &dated, delay)?;
        Some(Self { status: self.status, object, freshness, vary: self.vary.clone() })
    }

    /// Whether it answers a request with these headers (RFC 9111, section 4.1).
    pub fn suits(&self, asked: &HeaderMap) -> bool {
        self.vary.iter().all(|(name, value)| chosen_by(asked, name) == *value)
    }

    /// Whether a 304 could say that it is still right.
    #[cfg(feature = "services")]
    pub fn can_be_confirmed(&self) -> bool {
        [http::header::ETAG, http::header::LAST_MODIFIED]
            .iter()
            .any(|name| self.object.headers.contains_key(name))
    }

    /// Names of the headers that choose the variant.
    pub fn varies_by(&self) -> Vec<HeaderName> {
        self.vary.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The object, or what the request wants of it.
    pub fn answer(&self, request: &request::Parts) -> Response<Body> {
        let age = self.freshness.age();
        if self.status == StatusCode::OK {
            return self.object.answer(&request.method, &request.headers, Some(age));
        }
        // Conditions and ranges are about what was found (RFC 9110, section 13.2.1).
        let mut response = Response::new(Body::from(self.object.body.clone()));
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.object.headers);
        response.headers_mut().insert(AGE, age.as_secs().into());
        reply::headless(&request.method, response)
    }
}

/// The variants of a resource that a cache has.
#[derive(Debug, Clone)]
pub struct Variants {
    /// The headers that choose among them.
    pub names: Arc<[HeaderName]>,
    /// Those that a change has driven out were of an earlier series; nobody finds them any more.
    series: u64,
}

impl Variants {
    /// None yet, chosen by these headers.
    pub fn new(names: Vec<HeaderName>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { names: names.into(), series: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// Name in the cache of the variant that a request gets.
    pub fn key(&self, path: &str, asked: &HeaderMap) -> String {
        // No path holds such a character.
        let mut key = format!("{path}\n{}", self.series);
        for name in &*self.names {
            key.push('\n');
            if let Some(value) = chosen_by(asked, name) {
                // Told apart from a header that is not there.
                key.push('=');
                key.push_str(&String::from_utf8_lossy(value.as_bytes()));
            }
        }
        key
    }
}

/// The value of a header that chooses a variant; encodings that come to the same are the same.
fn chosen_by(asked: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    if name == ACCEPT_ENCODING {
        return encoding::accepts_gzip(asked).then(|| HeaderValue::from_static("gzip"));
    }
    let mut values = asked.get_all(name).iter();
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(first.clone()) };
    // Several lines are one list (RFC 9110, section 5.3).
    let lines = [first, second].into_iter().chain(values).map(HeaderValue::as_bytes);
    HeaderValue::from_bytes(&lines.collect::<Vec<_>>().join(&b", "[..])).ok()
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
    if let Some(stored) = Stored::of(status, asked, headers, body.clone(), delay) {
        return Answer::Stored(Arc::new(stored));
    }
    let shareable = Control::read(headers).is_shareable() || status.is_server_error();
    let age = headers.get(AGE).map(|age| (AGE, age.clone()));
    let mut headers = wire::of_content(headers);
    headers.extend(age);
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
    use http::header::{CACHE_CONTROL, ETAG};

    use super::*;

    fn headers(of: &[(HeaderName, &str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn kept(asked: &HeaderMap, headers: &HeaderMap, body: &'static str) -> Option<Stored> {
        Stored::of(StatusCode::OK, asked, headers, body.into(), Duration::ZERO)
    }

    #[test]
    fn variants_are_kept_apart() {
        let zipped = headers(&[(ACCEPT_ENCODING, "br, gzip;q=0.8")]);
        let page = headers(&[(CACHE_CONTROL, "max-age=60"), (VARY, "Accept-Encoding")]);
        let stored = kept(&zipped, &page, "").unwrap();
        for (encodings, suits) in [("gzip", true), ("*", true), ("identity", false), ("gzip;q=0", false)] {
            assert_eq!(stored.suits(&headers(&[(ACCEPT_ENCODING, encodings)])), suits, "{encodings}");
        }
        assert!(!stored.suits(&HeaderMap::new()));
        let variants = Variants::new(stored.varies_by());
        let key = |asked: &HeaderMap| variants.key("/a", asked);
        assert!(key(&zipped) != key(&HeaderMap::new()) && key(&zipped).starts_with("/a\n"));
        assert_ne!(key(&zipped), Variants::new(stored.varies_by()).key("/a", &zipped), "driven out");
        let all = headers(&[(CACHE_CONTROL, "max-age=60"), (VARY, "accept, *")]);
        assert!(kept(&zipped, &all, "").is_none());
    }

    #[test]
    fn a_confirmation_makes_a_stored_response_young_again() {
        let old = headers(&[(CACHE_CONTROL, "max-age=60"), (AGE, "61"), (ETAG, "\"a\"")]);
        let none = HeaderMap::new();
        let stored = kept(&none, &old, "x").unwrap();
        assert!(!stored.freshness.is_fresh());
        let young =
            stored.confirmed(&none, &headers(&[(CACHE_CONTROL, "max-age=90")]), Duration::ZERO).unwrap();
        assert!(
            young.freshness.is_fresh() && young.object.body == "x" && young.object.headers[ETAG] == "\"a\""
        );
        let forbidden = headers(&[(CACHE_CONTROL, "no-store")]);
        assert!(stored.confirmed(&none, &forbidden, Duration::ZERO).is_none());
    }
}
