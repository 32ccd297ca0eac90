//! The engine: closed forms and discrete events, pure functions of a scenario and a seed.
//!
//! Nothing here reads a clock, a file or the environment. [`estimate`] answers in microseconds by formula,
//! [`simulate`] plays the requests. Where a formula for a simulated value is known, both are given.

pub mod analytic;
pub mod cache;
mod calendar;
mod day;
pub mod estimate;
mod events;
mod flow;
mod heap;
pub mod histogram;
mod model;
pub mod mrc;
mod outcome;
pub mod plan;
mod recovery;
pub mod replay;
mod settle;
mod sheet;
mod simulate;
pub mod station;
mod threads;

pub use simulate::{Mode, Options, Progress, TooLarge, simulate, simulate_exact};
