//! The output vocabulary: records that stages write, and everything that reads them.
//!
//! Why a crate of its own: an engine hands over plain [`record`]s and knows nothing of terminals or
//! pages, and a renderer is a function from a record to a string and knows nothing of engines. So a
//! record that was stored last month renders today, and tests need no simulation.
//!
//! This crate opens no file, reads no clock and never writes to a terminal.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "texts and pages read best as a list of formatted lines; none of them is hot"
)]

pub mod capacity;
pub mod compare;
pub mod format;
pub mod gate;
pub mod html;
pub mod json;
pub mod junit;
pub mod plan;
pub mod plot;
pub mod record;
mod story;
pub mod text;
