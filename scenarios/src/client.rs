//! How a caller deals with a slow or failing tier: timeouts, retries, hedges, breakers, connection pools.
//!
//! Why apart from the tier: the same tier is called with patience by one caller and without by another, and it
//! is the callers that turn a slow tier into a storm of retries. What a caller gives up on goes on to cost work.

use crate::units::{Duration, Fraction, Number};

/// What a caller does about calls that are slow or fail. Nothing is assumed: without a timeout a caller waits
/// as long as it takes, without retries the first failure counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Client {
    /// An attempt that takes longer has failed; what it set off goes on.
    pub timeout: Option<Duration>,
    pub retries: Option<Retries>,
    pub hedge: Option<Hedge>,
    pub breaker: Option<Breaker>,
    /// Calls that one server of the caller has under way at a time; more wait for one of them.
    pub pool: Option<u32>,
}

/// Failed attempts made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retries {
    /// Attempts in all, the first among them.
    pub attempts: u32,
    /// Wait before the second attempt.
    pub backoff: Duration,
    /// Every further wait is this many times as long.
    pub factor: Number,
    /// Longest wait.
    pub max: Option<Duration>,
    pub jitter: Jitter,
    /// Retries may be at most this share of calls (a token bucket at every place).
    pub budget: Option<Fraction>,
}

/// How waits before retries are spread, so that callers do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// Uniform between nothing and the wait.
    Full,
    None,
}

/// A second attempt while the first is still under way; the first answer counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Hedge {
    pub after: Duration,
}

/// Calls fail at once while too many have failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker {
    /// Share of failed attempts at which it opens.
    pub failures: Fraction,
    /// Span over which they are counted.
    pub window: Duration,
    /// Time for which it stays open before it lets one attempt through to see.
    pub open: Duration,
}

impl Client {
    /// Whether it does anything at all.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether load can follow from failures: attempts that are made because others failed or are slow.
    #[must_use]
    pub fn feeds_back(&self) -> bool {
        self.timeout.is_some() || self.retries.is_some() || self.hedge.is_some() || self.breaker.is_some()
    }

    /// What is said here, and for the rest what is said in `other`.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self {
            timeout: self.timeout.or_else(|| other.timeout.clone()),
            retries: self.retries.or_else(|| other.retries.clone()),
            hedge: self.hedge.or_else(|| other.hedge.clone()),
            breaker: self.breaker.or_else(|| other.breaker.clone()),
            pool: self.pool.or(other.pool),
        }
    }

    /// Visits what may be a range, with a name for people.
    pub(crate) fn each_quantity(&mut self, visit: &mut dyn FnMut(&str, &mut dyn crate::AnyQuantity)) {
        self.timeout.iter_mut().for_each(|q| visit("timeout", q));
        if let Some(retries) = &mut self.retries {
            visit("back-off", &mut retries.backoff);
            visit("back-off factor", &mut retries.factor);
            retries.max.iter_mut().for_each(|q| visit("longest back-off", q));
            retries.budget.iter_mut().for_each(|q| visit("retry budget", q));
        }
        self.hedge.iter_mut().for_each(|h| visit("hedge", &mut h.after));
        if let Some(breaker) = &mut self.breaker {
            visit("breaker, failures", &mut breaker.failures);
            visit("breaker, window", &mut breaker.window);
            visit("breaker, open", &mut breaker.open);
        }
    }
}
