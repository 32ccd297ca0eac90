//! The reference stack: a small music service that is real enough to be loaded.
//!
//! Why: a prediction is worth what a measurement says of it. The tiers of a scenario run here as real
//! HTTP servers, caches, a database and an object store, each behind a bounded queue and a number of
//! slots, as in the simulator; what is emulated (service times, round trips) is drawn from the very
//! distributions that the simulator uses. All of it lives in this process, on ephemeral ports of 127.0.0.1,
//! and leaves nothing behind.
//!
//! ```text
//! client -> edge (per site) -> shield -> gateway -> web -> audio-store
//!        -> gateway -> web -> metadata-cache -> metadata-db
//!        -> events (also through the gateway)
//! ```
//!
//! The API is one table (`api.rs`), documented at `/v1/openapi.json`. Parts can be broken on purpose (`breaks.rs`)
//! through an admin API of its own; a stack that is up is found by the card it leaves (`state.rs`).
//!
//! Every response says who answered (`x-served-by`) and where its time went (`Server-Timing`, see
//! `visit.rs`); every tier counts (`/metrics`, see `metrics.rs`).

mod admin;
mod api;
mod assemble;
mod audio;
mod auth;
mod balance;
mod body;
mod breaks;
mod bus;
mod cache;
mod catalogue;
mod catalogue_db;
mod cdn;
mod database;
mod digest;
mod error;
mod events;
mod flights;
mod freshness;
mod front;
mod gate;
mod gateway;
mod inner;
mod link;
mod log;
mod metadata;
mod metrics;
mod number;
mod openapi;
mod patience;
mod peer;
mod plan;
mod ports;
mod reply;
mod scratch;
mod server;
#[cfg(feature = "services")]
mod services;
mod stack;
mod state;
mod stores;
mod through;
pub mod tiers;
mod timer;
mod upstream;
mod users;
mod visit;
mod web;

pub use audio::song_bytes;
pub use breaks::{Break, BreakKind, Done};
pub use error::StackError;
#[cfg(feature = "services")]
pub use services::objects::serve_objects;
pub use stack::{Endpoints, Profile, Stack, StackOptions};
pub use state::{PartStatus, RemoteError, Running, StackStatus};
