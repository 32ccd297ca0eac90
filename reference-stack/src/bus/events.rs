//! The log of events as the bus sees it, whoever keeps it.
//!
//! Why a reader with a place: the consumer must read every event once and in order. It says where it begins; what
//! it has counted it knows itself.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::log::{self, Event, Log};
use crate::error::StackError;
#[cfg(feature = "services")]
use crate::services::nats::{Plays, Reader as PlaysReader};

/// A log of events.
#[derive(Debug)]
pub enum EventLog {
    /// In files of this process.
    Segments { directory: PathBuf, log: Mutex<Log> },
    /// In a server of its own.
    #[cfg(feature = "services")]
    JetStream(Plays),
}

/// Somebody who reads in order.
#[derive(Debug)]
pub enum Reader<'a> {
    Segments {
        directory: &'a Path,
        next: u64,
    },
    #[cfg(feature = "services")]
    JetStream {
        plays: &'a Plays,
        next: u64,
        open: Option<Box<PlaysReader>>,
    },
}

impl EventLog {
    /// The log in a directory.
    ///
    /// # Errors
    /// If it can't be opened.
    pub fn segments(directory: &Path) -> Result<Self, StackError> {
        let failed =
            |cause| StackError::Prepare { what: "the event log", place: directory.to_owned(), cause };
        let log = Log::open(directory).map_err(failed)?;
        Ok(Self::Segments { directory: directory.to_owned(), log: Mutex::new(log) })
    }

    /// The name under which the consumer remembers how far it is. Both logs may be in one data directory, each with
    /// offsets of its own.
    pub const fn group(&self) -> &'static str {
        match self {
            Self::Segments { .. } => "heat",
            #[cfg(feature = "services")]
            Self::JetStream(_) => "heat of jetstream",
        }
    }

    /// Offset of the next event when it was opened.
    pub fn end(&self) -> u64 {
        match self {
            Self::Segments { log, .. } => log.lock().unwrap_or_else(PoisonError::into_inner).end(),
            #[cfg(feature = "services")]
            Self::JetStream(plays) => plays.end,
        }
    }

    /// Adds an event at the end; gives the offset after it.
    #[cfg_attr(
        not(feature = "services"),
        expect(clippy::unused_async, reason = "only a server is waited for")
    )]
    pub async fn append(&self, event: Event) -> std::io::Result<u64> {
        match self {
            Self::Segments { log, .. } => {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.append(event)?;
                Ok(log.end())
            }
            #[cfg(feature = "services")]
            Self::JetStream(plays) => Box::pin(plays.append(event)).await.map_err(std::io::Error::other),
        }
    }

    pub fn reader(&self, from: u64) -> Reader<'_> {
        match self {
            Self::Segments { directory, .. } => Reader::Segments { directory, next: from },
            #[cfg(feature = "services")]
            Self::JetStream(plays) => Reader::JetStream { plays, next: from, open: None },
        }
    }
}

impl Reader<'_> {
    /// The next events that there are, at most so many, and the offset after them. What is no longer kept is passed
    /// over. Blocks.
    pub fn read(&mut self, count_max: usize) -> std::io::Result<(Vec<Event>, u64)> {
        match self {
            Self::Segments { directory, next } => {
                let (events, after) = log::read(directory, *next, count_max)?;
                *next = after;
                Ok((events, after))
            }
            #[cfg(feature = "services")]
            Self::JetStream { plays, next, open } => {
                let mut reader = match open.take() {
                    Some(reader) => reader,
                    None => Box::new(plays.reader(*next).map_err(std::io::Error::other)?),
                };
                let events = reader.read(count_max).map_err(std::io::Error::other)?;
                *next = reader.next;
                // One that gives nothing may have been forgotten by its server: the next read opens another.
                *open = (!events.is_empty()).then_some(reader);
                Ok((events, *next))
            }
        }
    }

    /// Goes back to an offset: what was read since came to nothing.
    pub fn rewind(&mut self, to: u64) {
        match self {
            Self::Segments { next, .. } => *next = to,
            #[cfg(feature = "services")]
            Self::JetStream { next, open, .. } => (*next, *open) = (to, None),
        }
    }
}
