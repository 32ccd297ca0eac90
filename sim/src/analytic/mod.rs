//! Closed forms: queues and caches. Each function cites its source; the tests hold known answers.

pub mod caches;
pub mod queues;
