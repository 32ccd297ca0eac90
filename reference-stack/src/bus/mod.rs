//! The bus of play events: a durable log, and the heat map as a group of one consumer that remembers how far
//! it has read.

mod consumer;
mod events;
mod heat;
mod log;

pub use consumer::{Bus, Refusal};
pub use events::EventLog;
pub use heat::HeatSong;
#[cfg(feature = "services")]
pub use log::Event;

/// Length of the window in which plays are hot, seconds.
pub const WINDOW_S: u64 = heat::WINDOW_MS / 1000;
