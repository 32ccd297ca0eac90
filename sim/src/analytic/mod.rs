//! Closed forms: queues, networks of them, caches, order statistics, failures, copies, retries.
//!
//! Why beside a simulator: an answer in microseconds, exact where the theory is, that a simulation can be
//! held against. Pure functions of `f64`; each cites its source, and the tests hold known answers.

mod behind;
pub mod caches;
pub mod caches_exact;
mod fifo;
pub mod networks;
mod numeric;
pub mod order;
pub mod queues;
pub mod reliability;
pub mod replication;
pub mod retries;
pub mod staleness;
pub mod statistics;
