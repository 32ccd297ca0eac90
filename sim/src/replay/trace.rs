//! A recorded trace, read batch by batch: keys become dense ids as they appear, whatever the kind.

use std::io::{BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

use super::error::TraceError;
use super::formats::{Reader, TraceFormat};
use super::keys::Keys;
use super::unpack::{Unpacked, is_zstd};

/// Bytes that tell the kind of a trace.
const HEAD: u64 = 4096;
const BUFFER: usize = 1 << 18;
/// Different objects of a trace.
const OBJECTS_MAX: u32 = 1 << 30;

/// Requests in order: the object of each and the bytes it got.
#[derive(Debug, Default)]
pub struct Batch {
    pub ids: Vec<u32>,
    pub bytes: Vec<u64>,
    /// When each was made, seconds, never before the one before it; empty unless the trace is [timed](Trace::timed).
    pub times_s: Vec<f64>,
}

/// A trace under way.
pub struct Trace {
    reader: Reader<Box<dyn BufRead + Send>>,
    format: TraceFormat,
    keys: Keys,
    sizes: Arc<Vec<u64>>,
    requests: u64,
    bytes: u64,
    changed: u64,
    /// The time of the last request, where times are read.
    at_s: Option<f64>,
}

impl TraceError {
    /// A read that failed: of the file, or since what is in it cannot be unpacked.
    pub(super) fn reading(after: u64, what: &'static str, cause: std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::InvalidData {
            Self::Unpack { after, what, cause }
        } else {
            Self::Read { after, what, cause }
        }
    }
}

impl Trace {
    /// Begins to read a trace, packed with zstd or not. Without a format the first bytes tell it.
    ///
    /// # Errors
    /// Where nothing can be read, there is nothing, or nobody can tell what it is.
    pub fn open(source: impl Read + Send + 'static, format: Option<TraceFormat>) -> Result<Self, TraceError> {
        let (head, mut source) = peek(Box::new(source))?;
        let mut plain_head = head;
        if is_zstd(&plain_head) {
            (plain_head, source) = peek(Box::new(Unpacked::new(source)))?;
        }
        if plain_head.is_empty() {
            return Err(TraceError::Empty(String::new()));
        }
        let format = format.map_or_else(|| TraceFormat::of_head(&plain_head), Ok)?;
        Ok(Self {
            reader: format.reader(source),
            format,
            keys: Keys::default(),
            sizes: Arc::default(),
            requests: 0,
            bytes: 0,
            changed: 0,
            at_s: None,
        })
    }

    /// Reads times as well, from now on; a request without one is an error then.
    pub const fn timed(&mut self) {
        self.at_s = Some(f64::NEG_INFINITY);
    }

    #[must_use]
    pub const fn format(&self) -> TraceFormat {
        self.format
    }

    /// Requests read.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Bytes of the requests read.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Different objects read.
    #[must_use]
    pub fn objects(&self) -> u32 {
        self.sizes.len() as u32
    }

    /// Bytes of each object: those of its first request, at least 1.
    #[must_use]
    pub const fn sizes(&self) -> &Arc<Vec<u64>> {
        &self.sizes
    }

    /// Requests whose bytes were not those of the object's first request.
    #[must_use]
    pub const fn changed(&self) -> u64 {
        self.changed
    }

    /// Lines that were passed over since no cache keeps anything of them.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.reader.skipped()
    }

    /// Reads up to so many requests into the batch, instead of what it held; none at the end.
    ///
    /// # Errors
    /// At the first that cannot be read.
    pub fn read(&mut self, batch: &mut Batch, requests_max: usize) -> Result<(), TraceError> {
        batch.ids.clear();
        batch.bytes.clear();
        batch.times_s.clear();
        // No cache holds the sizes between batches, so they are not copied here.
        let sizes = Arc::make_mut(&mut self.sizes);
        while batch.ids.len() < requests_max {
            let Some(item) = self.reader.next()? else { break };
            let next = sizes.len() as u32;
            let id = self.keys.id(item.key, next);
            if id == next {
                if next >= OBJECTS_MAX {
                    return Err(TraceError::TooManyObjects { max: OBJECTS_MAX });
                }
                sizes.push(item.bytes.max(1));
            } else if sizes[id as usize] != item.bytes.max(1) {
                self.changed += 1;
            }
            self.requests += 1;
            self.bytes = self.bytes.saturating_add(item.bytes);
            batch.ids.push(id);
            batch.bytes.push(item.bytes);
            if let Some(last_s) = &mut self.at_s {
                // Servers log when they are done; to a cache time does not go back.
                *last_s = self.reader.at_s()?.max(*last_s);
                batch.times_s.push(*last_s);
            }
        }
        if self.requests == 0 {
            let skipped = self.skipped();
            let which = if skipped > 0 {
                format!(
                    " that a cache could answer: all {skipped} lines are of other methods than GET or failed"
                )
            } else {
                String::new()
            };
            return Err(TraceError::Empty(which));
        }
        Ok(())
    }
}

/// The first bytes, and a reader that still gives them.
fn peek(mut source: Box<dyn Read + Send>) -> Result<(Vec<u8>, Box<dyn BufRead + Send>), TraceError> {
    let mut head = Vec::new();
    source
        .by_ref()
        .take(HEAD)
        .read_to_end(&mut head)
        .map_err(|cause| TraceError::reading(0, "bytes", cause))?;
    let whole = Cursor::new(head.clone()).chain(source);
    Ok((head, Box::new(BufReader::with_capacity(BUFFER, whole))))
}
