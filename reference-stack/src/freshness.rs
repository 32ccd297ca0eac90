//! How long a stored response may be used (RFC 9111), and beyond that where it helps (RFC 5861).

use std::time::{Duration, Instant, SystemTime};

use http::HeaderMap;
use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, PRAGMA};

use crate::reply::conditions;

/// Share of the time since the last change that a response without a lifetime may be kept, and its limit
/// (RFC 9111, section 4.2.2).
const HEURISTIC_SHARE: f64 = 0.1;
const HEURISTIC_MAX: Duration = Duration::from_hours(24);

/// What `Cache-Control` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "directives are independent of each other")]
pub struct Control {
    pub no_store: bool,
    /// Not to be given to anybody else.
    pub private: bool,
    /// To be confirmed before every use.
    pub no_cache: bool,
    /// Never to be used beyond its lifetime.
    pub must_revalidate: bool,
    pub only_if_cached: bool,
    max_age: Option<Duration>,
    s_maxage: Option<Duration>,
    stale_while_revalidate: Option<Duration>,
    stale_if_error: Option<Duration>,
}

impl Control {
    pub fn read(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        for value in headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()) {
            for directive in value.split(',') {
                let (name, argument) = directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
                // What is no number makes the response stale (section 4.2.1).
                let seconds = || Some(Duration::from_secs(argument.trim_matches('"').parse().unwrap_or(0)));
                match name.to_ascii_lowercase().as_str() {
                    "no-store" => control.no_store = true,
                    "private" => control.private = true,
                    "no-cache" => control.no_cache = true,
                    "must-revalidate" | "proxy-revalidate" => control.must_revalidate = true,
                    "only-if-cached" => control.only_if_cached = true,
                    "max-age" => control.max_age = seconds(),
                    "s-maxage" => control.s_maxage = seconds(),
                    "stale-while-revalidate" => control.stale_while_revalidate = seconds(),
                    "stale-if-error" => control.stale_if_error = seconds(),
                    _ => {}
                }
            }
        }
        control
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

    /// Whether the client wants no copy that has not been confirmed for it.
    pub fn wants_confirmation(&self) -> bool {
        self.no_cache || self.max_age == Some(Duration::ZERO)
    }

    /// Whether a shared cache may give the response to anybody else.
    pub const fn is_shareable(&self) -> bool {
        !self.no_store && !self.private
    }
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
    /// Of a response that took `delay` to come; `None` where a shared cache must not keep it.
    pub fn of(headers: &HeaderMap, delay: Duration) -> Option<Self> {
        let control = Control::read(headers);
        if !control.is_shareable() {
            return None;
        }
        let lifetime = lifetime(headers, &control)?;
        let stated = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
        let apparent = conditions::date(headers, &DATE)
            .and_then(|date| conditions::whole_seconds(SystemTime::now()).duration_since(date).ok())
            .unwrap_or_default();
        let age_then = apparent.max(Duration::from_secs(stated) + delay);
        Some(Self { control, received: Instant::now(), age_then, lifetime })
    }

    pub fn age(&self) -> Duration {
        self.age_then + self.received.elapsed()
    }

    /// Whether it may be used without asking.
    pub fn is_fresh(&self) -> bool {
        !self.control.no_cache && self.age() < self.lifetime
    }

    /// Whether it may be used while the tier below is being asked.
    pub fn serves_while_asking(&self) -> bool {
        self.is_usable_for(self.control.stale_while_revalidate)
    }

    /// Whether it may be used because the tier below has failed.
    pub fn serves_on_error(&self) -> bool {
        self.is_usable_for(self.control.stale_if_error)
    }

    fn is_usable_for(&self, beyond: Option<Duration>) -> bool {
        let strict = self.control.no_cache || self.control.must_revalidate || self.control.s_maxage.is_some();
        !strict && beyond.is_some_and(|beyond| self.age() < self.lifetime + beyond)
    }
}

/// Nothing where the response says nothing that a lifetime could be made of.
fn lifetime(headers: &HeaderMap, control: &Control) -> Option<Duration> {
    if let Some(lifetime) = control.s_maxage.or(control.max_age) {
        return Some(lifetime);
    }
    if headers.contains_key(EXPIRES) {
        let (expires, date) = (conditions::date(headers, &EXPIRES), conditions::date(headers, &DATE));
        let from = date.unwrap_or_else(SystemTime::now);
        // An invalid date means the past (section 5.3).
        return Some(expires.and_then(|until| until.duration_since(from).ok()).unwrap_or_default());
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
        Freshness::of(&headers(of), Duration::ZERO).map(|freshness| freshness.lifetime.as_secs())
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
            Freshness::of(&headers(&[(CACHE_CONTROL, control), (AGE, age)]), Duration::ZERO).unwrap()
        };
        assert!(stored("max-age=60", "10").is_fresh());
        let stale = stored("max-age=60, stale-while-revalidate=30, stale-if-error=600", "70");
        assert!(!stale.is_fresh() && stale.serves_while_asking() && stale.serves_on_error());
        let older = stored("max-age=60, stale-while-revalidate=30, stale-if-error=600", "100");
        assert!(!older.serves_while_asking() && older.serves_on_error());
        let oldest = stored("max-age=60, stale-if-error=600", "700");
        assert!(!oldest.serves_on_error() && oldest.age().as_secs() == 700);
        assert!(!stored("max-age=60, must-revalidate, stale-if-error=600", "70").serves_on_error());
        assert!(!stored("max-age=60, no-cache", "0").is_fresh());
        let delayed =
            Freshness::of(&headers(&[(CACHE_CONTROL, "max-age=60"), (AGE, "1")]), Duration::from_secs(3));
        assert_eq!(delayed.unwrap().age().as_secs(), 4);
    }

    #[test]
    fn requests_may_want_a_confirmation() {
        for (header, value, wants) in [
            (CACHE_CONTROL, "no-cache", true),
            (CACHE_CONTROL, "max-age=0", true),
            (CACHE_CONTROL, "max-age=5", false),
            (PRAGMA, "no-cache", true),
        ] {
            let control = Control::of_request(&headers(&[(header, value)]));
            assert_eq!(control.wants_confirmation(), wants, "{value}");
        }
        assert!(Control::of_request(&headers(&[(CACHE_CONTROL, "only-if-cached")])).only_if_cached);
    }
}
