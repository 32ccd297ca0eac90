//! How long a stored response may be used (RFC 9111), and beyond that where it helps (RFC 5861).

use std::time::{Duration, Instant, SystemTime};

use http::header::{AGE, AUTHORIZATION, CACHE_CONTROL, DATE, EXPIRES, PRAGMA};
use http::{HeaderMap, StatusCode};

use crate::reply::conditions;

/// Share of the time since the last change that a response without a lifetime may be kept, and its limit
/// (RFC 9111, section 4.2.2).
const HEURISTIC_SHARE: f64 = 0.1;
const HEURISTIC_MAX: Duration = Duration::from_hours(24);
/// Statuses whose responses may be kept without a lifetime of their own (RFC 9110, section 15.1), as far as a
/// response of no length of its own (206, 304) is not meant and no server has failed.
const HEURISTIC: [u16; 9] = [200, 203, 204, 300, 301, 308, 404, 405, 410];
/// The longest time that a directive can mean, seconds (section 1.2.2).
const SECONDS_MAX: u64 = 1 << 31;

/// What `Cache-Control` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "directives are independent of each other")]
pub struct Control {
    pub no_store: bool,
    /// Not to be given to anybody else.
    pub private: bool,
    /// To be given to anybody, whoever asked first.
    public: bool,
    /// To be confirmed before every use.
    no_cache: bool,
    /// Never to be used beyond its lifetime.
    pub must_revalidate: bool,
    pub only_if_cached: bool,
    max_age: Option<Duration>,
    s_maxage: Option<Duration>,
    stale_while_revalidate: Option<Duration>,
    stale_if_error: Option<Duration>,
    /// Of a request: how long a copy shall still be fresh, and how long it may be beyond that.
    min_fresh: Option<Duration>,
    max_stale: Option<Duration>,
}

impl Control {
    pub fn read(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for value in headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()) {
            for directive in directives(value) {
                let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
                control.note(name.trim_end(), argument.trim().trim_matches('"'));
            }
        }
        control
    }

    fn note(&mut self, name: &str, argument: &str) {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // Of a directive that comes twice, the first counts (section 4.2.1).
        let first = |place: &mut Option<Duration>| {
            place.get_or_insert_with(|| seconds(argument));
        };
        if is("no-store") {
            self.no_store = true;
        } else if is("private") {
            self.private = true;
        } else if is("public") {
            self.public = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("must-revalidate") || is("proxy-revalidate") {
            self.must_revalidate = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            first(&mut self.max_age);
        } else if is("s-maxage") {
            first(&mut self.s_maxage);
        } else if is("stale-while-revalidate") {
            first(&mut self.stale_while_revalidate);
        } else if is("stale-if-error") {
            first(&mut self.stale_if_error);
        } else if is("min-fresh") {
            first(&mut self.min_fresh);
        } else if is("max-stale") {
            // Without a number, however stale.
            let any = Duration::from_secs(SECONDS_MAX);
            self.max_stale.get_or_insert_with(|| if argument.is_empty() { any } else { seconds(argument) });
        }
    }

    /// What a request says; a request without the header, as most are, costs nothing.
    pub fn of_request(headers: &HeaderMap) -> Self {
        if headers.contains_key(CACHE_CONTROL) {
            Self::read(headers)
        } else {
            let pragma = headers.get(PRAGMA).is_some_and(|value| value.as_bytes() == b"no-cache");
            Self { no_cache: pragma, ..Self::default() }
        }
    }

    /// Whether a shared cache may give the response to anybody else.
    pub const fn is_shareable(&self) -> bool {
        !self.no_store && !self.private
    }

    /// Whether the response may be used for others although the request named its user (section 3.5).
    const fn outranks_authorization(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }
}

/// The directives of a list; commas may stand in quotes.
fn directives(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = list.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    });
    parts.map(str::trim).filter(|directive| !directive.is_empty())
}

/// What is no number makes the response stale (section 4.2.1).
fn seconds(argument: &str) -> Duration {
    let is_number = !argument.is_empty() && argument.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if is_number { argument.parse().unwrap_or(SECONDS_MAX) } else { 0 };
    Duration::from_secs(seconds.min(SECONDS_MAX))
}

/// What may be done with a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is the answer.
    Fresh,
    /// It is the answer, outdated as it is: the client puts up with that.
    Stale,
    /// It is the answer, while the tier below is being asked for the next one.
    Meanwhile,
    /// The tier below must confirm it.
    Confirmed,
}

/// Age and lifetime of a stored response.
#[derive(Debug, Clone, Copy)]
pub struct Freshness {
    control: Control,
    received: Instant,
    age_then: Duration,
    lifetime: Duration,
}

impl Freshness {
    /// Of a response to a request with the headers `asked`, that took `delay` to come; `None` where a shared cache
    /// must not keep it (section 3).
    pub fn of(status: StatusCode, asked: &HeaderMap, headers: &HeaderMap, delay: Duration) -> Option<Self> {
        let control = Control::read(headers);
        let whole = status != StatusCode::PARTIAL_CONTENT && status != StatusCode::NOT_MODIFIED;
        let kept = whole && !status.is_informational() && !status.is_server_error();
        let named = asked.contains_key(AUTHORIZATION) && !control.outranks_authorization();
        if !kept || named || !control.is_shareable() {
            return None;
        }
        let lifetime = lifetime(status, headers, &control)?;
        let stated = headers.get(AGE).and_then(|age| age.to_str().ok());
        let stated = stated.and_then(|age| age.split(',').next()?.trim().parse().ok()).unwrap_or(0);
        let apparent = conditions::date(headers, &DATE)
            .and_then(|date| conditions::whole_seconds(SystemTime::now()).duration_since(date).ok())
            .unwrap_or_default();
        let age_then = apparent.max(Duration::from_secs(SECONDS_MAX.min(stated)) + delay);
        Some(Self { control, received: Instant::now(), age_then, lifetime })
    }

    pub fn age(&self) -> Duration {
        self.age_then + self.received.elapsed()
    }

    /// Whether it may be used without asking, for a request that says nothing about it.
    pub fn is_fresh(&self) -> bool {
        self.use_for(&Control::default()) == Use::Fresh
    }

    /// What may be done with it for a request that says so much (sections 4.2 and 5.2.1).
    pub fn use_for(&self, request: &Control) -> Use {
        let age = self.age();
        let too_old = request.max_age.is_some_and(|max| age > max || max.is_zero());
        if self.control.no_cache || request.no_cache || too_old {
            return Use::Confirmed;
        }
        if age + request.min_fresh.unwrap_or_default() < self.lifetime {
            return Use::Fresh;
        }
        if age >= self.lifetime && self.lasts(age, request.max_stale) {
            return Use::Stale;
        }
        // A client that wants it fresh does not want it meanwhile.
        if request.min_fresh.is_none() && self.lasts(age, self.control.stale_while_revalidate) {
            return Use::Meanwhile;
        }
        Use::Confirmed
    }

    /// Whether it may be used because the tier below has failed: the origin or the client says so (RFC 5861).
    pub fn serves_on_error(&self, request: &Control) -> bool {
        let age = self.age();
        self.lasts(age, self.control.stale_if_error) || self.lasts(age, request.stale_if_error)
    }

    /// Whether nobody may have it without asking, whatever happens (section 5.2.2.2).
    pub fn is_strict(&self) -> bool {
        self.control.no_cache || self.control.must_revalidate || self.control.s_maxage.is_some()
    }

    fn lasts(&self, age: Duration, beyond: Option<Duration>) -> bool {
        !self.is_strict() && beyond.is_some_and(|beyond| age < self.lifetime + beyond)
    }
}

/// Nothing where the response says nothing that a lifetime could be made of.
fn lifetime(status: StatusCode, headers: &HeaderMap, control: &Control) -> Option<Duration> {
    if let Some(lifetime) = control.s_maxage.or(control.max_age) {
        return Some(lifetime);
    }
    if headers.contains_key(EXPIRES) {
        let (expires, date) = (conditions::date(headers, &EXPIRES), conditions::date(headers, &DATE));
        let from = date.unwrap_or_else(SystemTime::now);
        // An invalid date means the past (section 5.3).
        return Some(expires.and_then(|until| until.duration_since(from).ok()).unwrap_or_default());
    }
    if !HEURISTIC.contains(&status.as_u16()) {
        return None;
    }
    if control.no_cache {
        return Some(Duration::ZERO);
    }
    let modified = conditions::last_modified(headers)?;
    let unchanged = conditions::date(headers, &DATE)?.duration_since(modified).ok()?;
    Some(unchanged.mul_f64(HEURISTIC_SHARE).min(HEURISTIC_MAX))
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, LAST_MODIFIED};

    use super::*;

    fn headers(of: &[(HeaderName, &str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn lifetime_s(of: &[(HeaderName, &str)]) -> Option<u64> {
        fresh(&headers(of), Duration::ZERO).map(|freshness| freshness.lifetime.as_secs())
    }

    fn fresh(headers: &HeaderMap, delay: Duration) -> Option<Freshness> {
        Freshness::of(StatusCode::OK, &HeaderMap::new(), headers, delay)
    }

    /// What a request says in `Cache-Control`.
    fn wish(control: &str) -> Control {
        Control::of_request(&headers(&[(CACHE_CONTROL, control)]))
    }

    #[test]
    fn lifetimes_are_taken_from_the_strongest_source() {
        let date = (DATE, "Sun, 22 Nov 2026 10:00:00 GMT");
        let later = (EXPIRES, "Sun, 22 Nov 2026 10:01:00 GMT");
        let changed = (LAST_MODIFIED, "Sun, 22 Nov 2026 09:43:20 GMT");
        for (of, expected) in [
            (&[(CACHE_CONTROL, "public, max-age=86400, immutable")][..], Some(86_400)),
            (&[(CACHE_CONTROL, "max-age=1, s-maxage=\"7\"")], Some(7)),
            (&[(CACHE_CONTROL, "private, max-age=86400")], None),
            (&[(CACHE_CONTROL, "no-store")], None),
            (&[(CACHE_CONTROL, "Max-Age=60"), date.clone(), later.clone()], Some(60)),
            (&[(CACHE_CONTROL, "max-age=never")], Some(0)),
            (&[(CACHE_CONTROL, "max-age=-1")], Some(0)),
            (&[(CACHE_CONTROL, "max-age=1, max-age=2")], Some(1)),
            (&[(CACHE_CONTROL, "max-age=99999999999999999999999")], Some(1 << 31)),
            (&[(CACHE_CONTROL, "note=\"no-store, max-age=1\", max-age=60")], Some(60)),
            (&[date.clone(), later], Some(60)),
            (&[date.clone(), (EXPIRES, "0")], Some(0)),
            (&[date.clone(), changed], Some(100)),
            (&[date.clone(), (LAST_MODIFIED, "Sat, 22 Nov 2025 10:00:00 GMT")], Some(86_400)),
            (&[date], None),
        ] {
            assert_eq!(lifetime_s(of), expected, "{of:?}");
        }
    }

    #[test]
    fn an_object_ages_from_where_the_tier_below_left_it_and_goes_stale() {
        let stored = |control: &str, age: &str| {
            fresh(&headers(&[(CACHE_CONTROL, control), (AGE, age)]), Duration::ZERO).unwrap()
        };
        let (any, none) = (Control::default(), false);
        let usable = |control: &str, age: &str| {
            let stored = stored(control, age);
            (stored.use_for(&any), stored.serves_on_error(&any))
        };
        let both = "max-age=60, stale-while-revalidate=30, stale-if-error=600";
        assert_eq!(usable("max-age=60", "10"), (Use::Fresh, none));
        assert_eq!(usable(both, "70"), (Use::Meanwhile, true));
        assert_eq!(usable(both, "100"), (Use::Confirmed, true));
        assert_eq!(usable(both, "700"), (Use::Confirmed, none));
        for strict in ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"] {
            assert_eq!(usable(&format!("{both}, {strict}"), "70"), (Use::Confirmed, none), "{strict}");
        }
        assert_eq!(usable("max-age=60, no-cache", "0"), (Use::Confirmed, none));
        assert_eq!(stored("max-age=60", "700").age().as_secs(), 700);
        let delayed = fresh(&headers(&[(CACHE_CONTROL, "max-age=60"), (AGE, "1")]), Duration::from_secs(3));
        assert_eq!(delayed.unwrap().age().as_secs(), 4);
    }

    #[test]
    fn requests_may_be_stricter_or_more_lenient_than_the_origin() {
        let stored = |age: &str| {
            fresh(&headers(&[(CACHE_CONTROL, "max-age=60"), (AGE, age)]), Duration::ZERO).unwrap()
        };
        for (age, request, expected) in [
            ("10", "no-cache", Use::Confirmed),
            ("0", "max-age=0", Use::Confirmed),
            ("10", "max-age=5", Use::Confirmed),
            ("10", "max-age=20", Use::Fresh),
            ("10", "min-fresh=20", Use::Fresh),
            ("10", "min-fresh=55", Use::Confirmed),
            ("70", "max-stale=20", Use::Stale),
            ("70", "max-stale", Use::Stale),
            ("70", "max-stale=5", Use::Confirmed),
            ("70", "max-stale=20, max-age=65", Use::Confirmed),
        ] {
            assert_eq!(stored(age).use_for(&wish(request)), expected, "{age} {request}");
        }
        assert!(stored("70").serves_on_error(&wish("stale-if-error=60")));
        assert!(!stored("70").serves_on_error(&wish("stale-if-error=5")));
        let pragma = Control::of_request(&headers(&[(PRAGMA, "no-cache")]));
        assert_eq!(stored("0").use_for(&pragma), Use::Confirmed);
        assert!(wish("only-if-cached").only_if_cached);
    }

    #[test]
    fn not_everything_may_be_kept() {
        let kept = |status: u16, asked: &[(HeaderName, &str)], control: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let given = headers(&[(CACHE_CONTROL, control)]);
            Freshness::of(status, &headers(asked), &given, Duration::ZERO).is_some()
        };
        for (status, control, keeps) in [
            (200, "max-age=9", true),
            (404, "max-age=9", true),
            (302, "max-age=9", true),
            (206, "max-age=9", false),
            (304, "max-age=9", false),
            (503, "max-age=9", false),
            (404, "no-cache", true),
            (302, "no-cache", false),
            (200, "", false),
        ] {
            assert_eq!(kept(status, &[], control), keeps, "{status} {control}");
        }
        let named = [(AUTHORIZATION, "Bearer x")];
        for (control, keeps) in [("max-age=9", false), ("max-age=9, public", true), ("s-maxage=9", true)] {
            assert_eq!(kept(200, &named, control), keeps, "{control}");
        }
    }
}
