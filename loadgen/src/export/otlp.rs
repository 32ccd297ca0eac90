//! The run's metrics sent to an OpenTelemetry collector while it runs: OTLP over HTTP, as JSON.
//!
//! Why JSON: every collector takes it on the same port (OTLP specification, "OTLP/HTTP", JSON Protobuf encoding), and it
//! needs neither gRPC nor generated code. Why a thread and the standard library: see its neighbour, `prometheus`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::totals::{BUCKETS_US, RouteTotals, Totals, sum_s};
use crate::error::LoadError;
use crate::interval::Interval;
use crate::targets::Base;

/// Time between two exports.
const EVERY: Duration = Duration::from_secs(5);
/// For the collector to take an export and to answer.
const COLLECTOR_MAX: Duration = Duration::from_secs(3);
/// Where metrics go, if the url names no path.
const PATH: &str = "/v1/metrics";
/// Cumulative since the start of the run.
const CUMULATIVE: u8 = 2;
const ANSWER_MAX: u64 = 4_096;

/// Sends what was counted so far every few seconds, and once more at the end.
#[derive(Debug)]
pub struct Otlp {
    totals: Arc<Mutex<Totals>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Sent>>,
}

/// How it went.
#[derive(Debug, Default)]
pub struct Sent {
    pub exports: u64,
    pub failed: u64,
    /// Why the last one failed that did.
    pub cause: Option<String>,
}

/// Where the metrics go, and what they are of.
struct Destination {
    base: Base,
    path: String,
    scenario: String,
    seed: u64,
    start: SystemTime,
    /// The same moment by a clock that nobody sets: a wall clock that jumps back would end the run before its start.
    began: Instant,
}

impl Otlp {
    /// Begins to send to a collector on this machine, such as `http://127.0.0.1:4318`.
    ///
    /// # Errors
    /// If the url is none, or not of this machine; or no thread can be had. That nobody listens there is told at the
    /// end, and does not stop a run.
    pub fn start(url: &str, scenario: &str, seed: u64) -> Result<Self, LoadError> {
        let base = Base::parse(url)?;
        let path = if base.path().is_empty() { PATH.to_owned() } else { base.path().to_owned() };
        let to = Destination {
            base,
            path,
            scenario: scenario.to_owned(),
            seed,
            start: SystemTime::now(),
            began: Instant::now(),
        };
        let totals = Arc::new(Mutex::default());
        let seen = Arc::clone(&totals);
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("plimsoll-otlp".to_owned())
            .spawn(move || export(&to, &seen, &stopped))
            .map_err(|source| LoadError::Start { what: "thread for OTLP", source })?;
        Ok(Self { totals, stop: Some(stop), thread: Some(thread) })
    }

    /// Adds what happened in an interval.
    pub fn add(&self, interval: &Interval<'_>) {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(interval);
    }

    /// Sends the end of the run, and tells how it went.
    #[must_use]
    pub fn close(mut self) -> Sent {
        self.end()
    }

    fn end(&mut self) -> Sent {
        // The other end wakes up when this one is gone.
        self.stop = None;
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Otlp {
    fn drop(&mut self) {
        self.end();
    }
}

fn export(to: &Destination, totals: &Mutex<Totals>, stopped: &Receiver<()>) -> Sent {
    let mut sent = Sent::default();
    loop {
        let last = !matches!(stopped.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
        let body = body(to, &totals.lock().unwrap_or_else(PoisonError::into_inner)).to_string();
        match post(to, &body) {
            Ok(()) => sent.exports += 1,
            Err(cause) => {
                sent.failed += 1;
                sent.cause = Some(cause.to_string());
            }
        }
        if last {
            return sent;
        }
    }
}

fn post(to: &Destination, body: &str) -> io::Result<()> {
    let address = to.base.address();
    let mut stream = TcpStream::connect_timeout(&address, COLLECTOR_MAX)?;
    stream.set_read_timeout(Some(COLLECTOR_MAX))?;
    stream.set_write_timeout(Some(COLLECTOR_MAX))?;
    let host = to.base.host.clone();
    write!(
        stream,
        "POST {} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        to.path,
        body.len()
    )?;
    let mut answer = String::new();
    // Whatever the collector says beyond its status is for its own log.
    let read = stream.take(ANSWER_MAX).read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
    match status.as_str() {
        "" => Err(read.err().unwrap_or_else(|| io::Error::other("no answer of HTTP"))),
        ok if ok.starts_with('2') => Ok(()),
        other => Err(io::Error::other(format!("the collector answered {other}"))),
    }
}

fn nanos(at: SystemTime) -> String {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

/// An `ExportMetricsServiceRequest`. Whole numbers of 64 bits are text there.
fn body(to: &Destination, totals: &Totals) -> Value {
    let span = (nanos(to.start), nanos(to.start + to.began.elapsed()));
    let of = |route: &RouteTotals| json!([{"key": "request", "value": {"stringValue": route.name}}]);
    let counter = |name: &str, unit: &str, points: Vec<(Value, u64)>| {
        let points: Vec<Value> = points
            .into_iter()
            .map(|(attributes, value)| {
                json!({"attributes": attributes, "startTimeUnixNano": span.0, "timeUnixNano": span.1,
                       "asInt": value.to_string()})
            })
            .collect();
        json!({"name": name, "unit": unit,
               "sum": {"aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points}})
    };
    let times = |name: &str, points: Vec<(Value, &Histogram<u64>)>| {
        let points: Vec<Value> = points
            .into_iter()
            .map(|(attributes, values)| {
                let mut point = distribution(values);
                point["attributes"] = attributes;
                point["startTimeUnixNano"] = json!(span.0);
                point["timeUnixNano"] = json!(span.1);
                point
            })
            .collect();
        json!({"name": name, "unit": "s",
               "histogram": {"aggregationTemporality": CUMULATIVE, "dataPoints": points}})
    };
    let each = |value: fn(&RouteTotals) -> u64| totals.routes.iter().map(|r| (of(r), value(r))).collect();
    let metrics = json!([
        counter("plimsoll.load.planned", "{request}", vec![(json!([]), totals.planned)]),
        counter("plimsoll.load.sent", "{request}", each(|r| r.sent)),
        counter("plimsoll.load.failed", "{request}", each(|r| r.failed)),
        counter("plimsoll.load.body", "By", each(|r| r.bytes)),
        times("plimsoll.load.first_byte", totals.routes.iter().map(|r| (of(r), &r.first_byte)).collect()),
        times("plimsoll.load.complete", totals.routes.iter().map(|r| (of(r), &r.complete)).collect()),
        times("plimsoll.load.lag", totals.lag.iter().map(|lag| (json!([]), lag)).collect()),
    ]);
    let version = env!("CARGO_PKG_VERSION");
    json!({"resourceMetrics": [{
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "plimsoll"}},
            {"key": "service.version", "value": {"stringValue": version}},
            {"key": "plimsoll.scenario", "value": {"stringValue": to.scenario}},
            {"key": "plimsoll.seed", "value": {"intValue": to.seed.to_string()}},
        ]},
        "scopeMetrics": [{"scope": {"name": "plimsoll.load", "version": version}, "metrics": metrics}],
    }]})
}

/// Buckets of their own each: (previous bound, bound].
fn distribution(values: &Histogram<u64>) -> Value {
    let bounds: Vec<f64> = BUCKETS_US.iter().map(|&bound| bound as f64 * 1e-6).collect();
    let mut below = 0;
    let mut counts: Vec<String> = Vec::with_capacity(BUCKETS_US.len() + 1);
    for bound in BUCKETS_US {
        let upto = values.count_between(0, bound);
        counts.push((upto - below).to_string());
        below = upto;
    }
    counts.push((values.len() - below).to_string());
    json!({"count": values.len().to_string(), "sum": sum_s(values), "bucketCounts": counts, "explicitBounds": bounds})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_was_set_back_ends_no_run_before_its_start() {
        // As if it had been an hour later when the run began.
        let start = SystemTime::now() + Duration::from_hours(1);
        let base = Base::parse("http://127.0.0.1:4318").unwrap();
        let to = Destination {
            base,
            path: PATH.to_owned(),
            scenario: "t".to_owned(),
            seed: 1,
            start,
            began: Instant::now(),
        };
        let body = body(&to, &Totals::default());
        let point = &body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"][0];
        let nanos = |name: &str| point[name].as_str().unwrap().parse::<u128>().unwrap();
        assert!(nanos("timeUnixNano") >= nanos("startTimeUnixNano"), "{point}");
        assert_eq!(nanos("startTimeUnixNano"), start.duration_since(UNIX_EPOCH).unwrap().as_nanos());
    }
}
