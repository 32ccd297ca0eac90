//! The log format of `HdrHistogram`: one line for every second and series, which its tools read and merge.
//!
//! Values are microseconds and times are seconds since the start; each line's tag is the name of its series,
//! such as `play.first_byte`.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, IntervalLogWriterError, Tag};

use crate::interval::Interval;

const COMMENTS: [&str; 2] =
    ["[Histogram log format version 1.3]", "[Values: microseconds; tags: series of plimsoll]"];

/// Writes the lines of intervals as they come.
pub struct HistogramLog<W> {
    to: W,
    serializer: V2DeflateSerializer,
}

impl<W: Write> HistogramLog<W> {
    /// Begins with the head of the log; the run started at `start`.
    ///
    /// # Errors
    /// As the writer's.
    pub fn new(mut to: W, start: SystemTime) -> io::Result<Self> {
        let mut serializer = V2DeflateSerializer::new();
        let mut head = IntervalLogWriterBuilder::new();
        for comment in COMMENTS {
            head.add_comment(comment);
        }
        head.with_start_time(start).with_base_time(start).begin_log_with(&mut to, &mut serializer)?;
        Ok(Self { to, serializer })
    }

    /// Adds an interval; series of which nothing was seen have no line.
    ///
    /// # Errors
    /// As the writer's.
    pub fn add(&mut self, interval: &Interval<'_>) -> io::Result<()> {
        let mut log = IntervalLogWriterBuilder::new().begin_log_with(&mut self.to, &mut self.serializer)?;
        let (from, length) =
            (Duration::from_secs_f64(interval.from_s), Duration::from_secs_f64(interval.length_s().max(0.0)));
        for (name, histogram) in interval.histograms().filter(|(_, histogram)| !histogram.is_empty()) {
            // A tag has no commas and no blanks; names of actions have none either.
            let written = log.write_histogram(histogram, from, length, Tag::new(&name));
            written.map_err(|error| match error {
                IntervalLogWriterError::IoError(error) => error,
                IntervalLogWriterError::SerializeError(error) => io::Error::other(error.to_string()),
            })?;
        }
        self.to.flush()
    }

    /// The writer, with everything written.
    pub fn into_inner(self) -> W {
        self.to
    }
}
