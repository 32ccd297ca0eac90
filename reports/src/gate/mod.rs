//! The gate: whether a system is still as good as it was, decided by statistics and not by a bare percentage.
//!
//! Why three answers: two runs of the very same system never measure the same, so "5 % slower" may be a
//! regression or the machine's mood. A gate that fails on moods is switched off by the people it annoys. So
//! each question is answered by an interval: **passed** and **breached** are said only where the whole
//! interval says so; everything else is **inconclusive**, with what would settle it.
//!
//! The unit of evidence is a [`Round`]: within one, thousands of requests share queues, caches and a noisy
//! second of the machine, so they are nearly one observation; rounds are nearly independent. All intervals
//! come from resampling whole rounds ([`bootstrap`]), seeded, so that the same rounds get the same verdict.
//!
//! - [`Series`]: what can be judged: `play.first_byte p99`, `errors`, `edge.hit_ratio`.
//! - [`Threshold`]: `play.first_byte p99 < 250 ms`, held against all rounds together.
//! - [`Baseline`]: the rounds of an earlier run on the same machine; its rounds had the same seeds, hence the
//!   same requests, and caches of the same age, so rounds are compared in pairs and both cancel.

mod baseline;
pub mod bootstrap;
mod judge;
mod rounds;
mod series;
mod threshold;
mod verdict;

pub use baseline::{Baseline, BaselineError, Machine};
pub use judge::{Judge, busier, judge, usual};
pub use rounds::{Round, Share, Times};
pub use series::{Kind, Series};
pub use threshold::Threshold;
pub use verdict::{Answer, Change, Check, Gate, Verdict};
