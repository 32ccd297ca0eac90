//! A CSV with one line for every second and kind of request.

use std::io::{self, Write};

use hdrhistogram::Histogram;

use crate::interval::Interval;
use crate::record::RouteRecord;

const HEADINGS: &str = "from_s,to_s,counted,request,planned,sent,failed,bytes,first_byte_p50_s,first_byte_p99_s,\
    complete_p50_s,complete_p99_s,complete_max_s,lag_p99_s";
/// The name of the lines on all requests together.
const ALL: &str = "all";

/// Writes the lines of intervals as they come.
#[derive(Debug)]
pub struct TimeSeries<W>(W);

impl<W: Write> TimeSeries<W> {
    /// Begins with the headings.
    ///
    /// # Errors
    /// As the writer's.
    pub fn new(mut to: W) -> io::Result<Self> {
        writeln!(to, "{HEADINGS}")?;
        Ok(Self(to))
    }

    /// Adds an interval: a line for each kind of request, and one for all. Cells are empty where nothing was seen.
    ///
    /// # Errors
    /// As the writer's.
    pub fn add(&mut self, interval: &Interval<'_>) -> io::Result<()> {
        let head = format!("{:.3},{:.3},{}", interval.from_s, interval.to_s, interval.counted);
        let record = interval.record;
        for (name, route) in interval.routes.iter().zip(&record.routes) {
            writeln!(self.0, "{head},{},,{},", quoted(name), cells(route))?;
        }
        let bytes: u64 = record.routes.iter().map(|route| route.bytes).sum();
        let lag = quantile(&record.lag, 0.99);
        let (planned, sent, failed) = (interval.planned, record.sent(), record.failed());
        writeln!(self.0, "{head},{ALL},{planned},{sent},{failed},{bytes},,,,,,{lag}")?;
        self.0.flush()
    }

    /// The writer, with everything written.
    pub fn into_inner(self) -> W {
        self.0
    }
}

fn cells(route: &RouteRecord) -> String {
    let max = if route.complete.is_empty() { String::new() } else { seconds(route.complete.max()) };
    format!(
        "{},{},{},{},{},{},{},{max}",
        route.sent,
        route.failed,
        route.bytes,
        quantile(&route.first_byte, 0.5),
        quantile(&route.first_byte, 0.99),
        quantile(&route.complete, 0.5),
        quantile(&route.complete, 0.99),
    )
}

fn quantile(histogram: &Histogram<u64>, p: f64) -> String {
    if histogram.is_empty() { String::new() } else { seconds(histogram.value_at_quantile(p)) }
}

fn seconds(us: u64) -> String {
    format!("{:.6}", us as f64 * 1e-6)
}

/// As RFC 4180 has it.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
