//! Kinds of recorded traces, and how to tell them apart.

use std::io::BufRead;

use super::error::TraceError;
use super::keys::Key;
use super::lines::{AccessLog, Csv, is_logged};
use super::oracle::Oracle;

/// A kind of recorded trace. Any of them may be packed with zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceFormat {
    /// libCacheSim's packed records.
    OracleGeneral,
    /// time, key, size.
    Csv,
    /// Common or combined log format.
    AccessLog,
}

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item<'a> {
    pub key: Key<'a>,
    pub bytes: u64,
}

/// The reader of a kind.
pub enum Reader<R> {
    Oracle(Oracle<R>),
    Csv(Csv<R>),
    AccessLog(AccessLog<R>),
}

impl TraceFormat {
    /// Every kind, by the name that options and records use.
    pub const NAMES: [(&'static str, Self); 3] =
        [("oracle-general", Self::OracleGeneral), ("csv", Self::Csv), ("access-log", Self::AccessLog)];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OracleGeneral => "oracle-general",
            Self::Csv => "csv",
            Self::AccessLog => "access-log",
        }
    }

    /// The kind that a file's name tells, such as `cloud.oracleGeneral.bin.zst` or `access.log`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".zst").unwrap_or(&name);
        let name = name.strip_suffix(".bin").unwrap_or(name);
        let ends = |suffix: &str| name.ends_with(suffix);
        if ends(".oraclegeneral") {
            Some(Self::OracleGeneral)
        } else if ends(".csv") {
            Some(Self::Csv)
        } else if ends(".log") {
            Some(Self::AccessLog)
        } else {
            None
        }
    }

    /// The kind that the first bytes of a trace tell.
    pub(super) fn of_head(head: &[u8]) -> Result<Self, TraceError> {
        for (magic, with, unpack) in [
            (&[0x1F, 0x8B][..], "gzip", "gzip -dc"),
            (&[0xFD, b'7', b'z', b'X', b'Z'], "xz", "xz -dc"),
            (b"BZh", "bzip2", "bzip2 -dc"),
        ] {
            if head.starts_with(magic) {
                return Err(TraceError::Packed { with, unpack });
            }
        }
        // A record has a size below 16 MB, a time or a position of few bytes: texts have no zeros.
        if head.contains(&0) {
            return Ok(Self::OracleGeneral);
        }
        let line = head.split(|&b| b == b'\n').find(|line| !line.trim_ascii().is_empty());
        match line.map(<[u8]>::trim_ascii) {
            None => Err(TraceError::Empty(String::new())),
            Some(line) if is_logged(line) => Ok(Self::AccessLog),
            Some(line) if line.contains(&b',') => Ok(Self::Csv),
            Some(_) => Err(TraceError::UnknownFormat),
        }
    }

    pub(super) fn reader<R: BufRead>(self, source: R) -> Reader<R> {
        match self {
            Self::OracleGeneral => Reader::Oracle(Oracle::new(source)),
            Self::Csv => Reader::Csv(Csv::new(source)),
            Self::AccessLog => Reader::AccessLog(AccessLog::new(source)),
        }
    }
}

impl<R: BufRead> Reader<R> {
    pub fn next(&mut self) -> Result<Option<Item<'_>>, TraceError> {
        match self {
            Self::Oracle(reader) => reader.next(),
            Self::Csv(reader) => reader.next(),
            Self::AccessLog(reader) => reader.next(),
        }
    }

    /// When the last request was made, in seconds from wherever the trace counts.
    pub fn at_s(&self) -> Result<f64, TraceError> {
        match self {
            Self::Oracle(reader) => Ok(reader.at_s()),
            Self::Csv(reader) => reader.at_s(),
            Self::AccessLog(reader) => reader.at_s(),
        }
    }

    /// Lines that were passed over since no cache keeps anything of them.
    pub const fn skipped(&self) -> u64 {
        match self {
            Self::AccessLog(reader) => reader.skipped(),
            Self::Oracle(_) | Self::Csv(_) => 0,
        }
    }
}
