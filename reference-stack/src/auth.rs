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

    /// Whether the request carries the key; takes as long for a wrong key as for a nearly right one.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        headers.get(API_KEY).is_some_and(|key| key.as_bytes().ct_eq(self.0.as_bytes()).into())
    }
}

/// Names requests, so that one can be followed through all tiers.
#[derive(Debug, Default)]
pub struct RequestIds(AtomicU64);

impl RequestIds {
    /// The id that the request brought, or a new one.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(REQUEST_ID) {
            Some(id) if id.len() <= REQUEST_ID_MAX && id.to_str().is_ok() => id.clone(),
            _ => {
                let number = self.0.fetch_add(1, Ordering::Relaxed);
                HeaderValue::try_from(format!("plimsoll-{number:x}"))
                    .expect("hexadecimal digits are a header value")
            }
        }
    }
}
