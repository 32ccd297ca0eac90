//! libCacheSim's oracleGeneral: packed little-endian records of u32 time, u64 id, u32 size and i64 position
//! of the next use. The last is for policies that know the future; none here does.

use std::io::{ErrorKind, Read};

use super::error::TraceError;
use super::formats::Item;
use super::keys::Key;

const RECORD: usize = 24;

pub struct Oracle<R> {
    source: R,
    records: u64,
    /// When the last one was asked for, seconds.
    at_s: u32,
}

impl<R: Read> Oracle<R> {
    pub const fn new(source: R) -> Self {
        Self { source, records: 0, at_s: 0 }
    }

    pub fn next(&mut self) -> Result<Option<Item<'_>>, TraceError> {
        let mut record = [0; RECORD];
        let mut filled = 0;
        while filled < RECORD {
            match self.source.read(&mut record[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(TraceError::CutShort { record: self.records + 1, bytes: filled }),
                Ok(read) => filled += read,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(TraceError::reading(self.records, "records", cause)),
            }
        }
        self.records += 1;
        let [i, j, k, l, a, b, c, d, e, f, g, h, s, t, u, v, ..] = record;
        self.at_s = u32::from_le_bytes([i, j, k, l]);
        let id = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        let size = u32::from_le_bytes([s, t, u, v]);
        Ok(Some(Item { key: Key::Number(id), bytes: size.into() }))
    }

    /// When the last record was asked for, seconds.
    pub fn at_s(&self) -> f64 {
        f64::from(self.at_s)
    }
}
