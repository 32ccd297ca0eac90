//! Who may call: one API key per start of the stack, and names for requests.

use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use subtle::ConstantTimeEq;

use crate::error::StackError;
use crate::reply::REQUEST_ID;

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Longest request id that is taken over from a client.
const REQUEST_ID_MAX: usize = 64;

/// The key of this start.
#[derive(Debug)]
pub struct ApiKey(String);

impl ApiKey {
    /// A fresh key of 128 random bits.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new() -> Result<Self, StackError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(StackError::Key)?;
        Ok(Self(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// The key as the value of a header.
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("hexadecimal digits are a header value")
    }

    /// Whether the request carries the key; takes as long for a wrong key as for a nearly right one.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        headers.get(API_KEY).is_some_and(|key| self.is(key.as_bytes()))
    }

    /// Whether this text is the key, in constant time.
    pub fn is(&self, text: &[u8]) -> bool {
        text.ct_eq(self.0.as_bytes()).into()
    }
}

/// Names requests, so that one can be followed through all tiers.
#[derive(Debug, Default)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// The id that the request brought, or a new one.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(REQUEST_ID) {
            Some(id) if is_sane(id) => id.clone(),
            _ => self.next(),
        }
    }

    /// A new one.
    pub fn next(&self) -> HeaderValue {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("plimsoll-{number:x}")).expect("hexadecimal digits are a header value")
    }
}

/// Short, and of characters that no log and no shell minds.
fn is_sane(id: &HeaderValue) -> bool {
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
    (1..=REQUEST_ID_MAX).contains(&id.len()) && id.as_bytes().iter().all(sane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sane_ids_are_taken_over_and_others_replaced() {
        let ids = RequestIds::default();
        let long = "x".repeat(REQUEST_ID_MAX + 1);
        for (given, kept) in [
            ("mine-1", true),
            ("4bf92f35:77/b34da6.a3==", true),
            ("", false),
            ("two words", false),
            ("<script>", false),
            (long.as_str(), false),
        ] {
            let headers = HeaderMap::from_iter([(REQUEST_ID, given.parse().unwrap())]);
            assert_eq!(ids.of(&headers) == given, kept, "{given}");
        }
    }

    #[test]
    fn only_the_key_itself_is_admitted() {
        let key = ApiKey::new().unwrap();
        let admits =
            |text: &str| key.admits(&HeaderMap::from_iter([(API_KEY, HeaderValue::from_str(text).unwrap())]));
        assert!(admits(key.text()) && !key.admits(&HeaderMap::new()));
        assert!(!admits("") && !admits(&key.text()[1..]) && !admits(&format!("{}0", key.text())));
    }
}
