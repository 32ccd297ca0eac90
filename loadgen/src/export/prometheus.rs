//! The run's metrics while it runs, as Prometheus reads them.
//!
//! Why a thread and the standard library: one reader asks once in some seconds. A server on the generator's
//! runtime would take its turns from the users.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::totals::{BUCKETS_US, RouteTotals, Totals, sum_s};
use crate::interval::Interval;

/// How often the thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// For a reader to say what it wants, and to take it.
const READER_MAX: Duration = Duration::from_secs(2);
const REQUEST_MAX: usize = 8_192;

/// An HTTP server on a port of 127.0.0.1 that answers every request with the metrics so far. It ends when dropped.
#[derive(Debug)]
pub struct Exposition {
    pub address: SocketAddr,
    totals: Arc<Mutex<Totals>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Exposition {
    /// Listens; 0 is any free port.
    ///
    /// # Errors
    /// If the port is taken, or no thread can be had.
    pub fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (totals, stop) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (seen, ended) = (Arc::clone(&totals), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("plimsoll-metrics".to_owned())
            .spawn(move || serve(&listener, &seen, &ended))?;
        Ok(Self { address, totals, stop, thread: Some(thread) })
    }

    /// Adds what happened in an interval.
    pub fn add(&self, interval: &Interval<'_>) {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(interval);
    }
}

impl Drop for Exposition {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to say here.
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, totals: &Mutex<Totals>, stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        match listener.accept() {
            // A reader that went away gets nothing.
            Ok((stream, _)) => drop(answer(stream, totals)),
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

fn answer(mut stream: TcpStream, totals: &Mutex<Totals>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(READER_MAX))?;
    stream.set_write_timeout(Some(READER_MAX))?;
    // What is asked for does not matter, but answering before it is read would reset the connection.
    let mut request = Vec::new();
    let mut piece = [0; 1_024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_MAX {
        match stream.read(&mut piece)? {
            0 => break,
            n => request.extend_from_slice(&piece[..n]),
        }
    }
    let body = text(&totals.lock().unwrap_or_else(PoisonError::into_inner));
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A metric's name, what it is, and how it is read of a route.
type Counter = (&'static str, &'static str, fn(&RouteTotals) -> u64);
type Distribution = (&'static str, &'static str, fn(&RouteTotals) -> &Histogram<u64>);

fn text(totals: &Totals) -> String {
    let mut out = String::new();
    family(&mut out, "plimsoll_load_planned_total", "counter", "Requests that have fallen due.");
    line(&mut out, format_args!("plimsoll_load_planned_total {}", totals.planned));
    let counters: [Counter; 3] = [
        ("plimsoll_load_sent_total", "Requests that were sent.", |route| route.sent),
        ("plimsoll_load_failed_total", "Requests that failed.", |route| route.failed),
        ("plimsoll_load_body_bytes_total", "Bytes of bodies that were received.", |route| route.bytes),
    ];
    for (name, help, value) in counters {
        family(&mut out, name, "counter", help);
        for route in &totals.routes {
            line(&mut out, format_args!("{name}{{request=\"{}\"}} {}", label(&route.name), value(route)));
        }
    }
    let times: [Distribution; 2] = [
        ("plimsoll_load_first_byte_seconds", "Intended start to headers.", |route| &route.first_byte),
        ("plimsoll_load_complete_seconds", "Intended start to the end of the body.", |route| &route.complete),
    ];
    for (name, help, of) in times {
        family(&mut out, name, "histogram", help);
        for route in &totals.routes {
            distribution(&mut out, name, &format!("request=\"{}\"", label(&route.name)), of(route));
        }
    }
    if let Some(lag) = &totals.lag {
        family(&mut out, "plimsoll_load_lag_seconds", "histogram", "Actual less intended start.");
        distribution(&mut out, "plimsoll_load_lag_seconds", "", lag);
    }
    out
}

fn distribution(out: &mut String, name: &str, labels: &str, values: &Histogram<u64>) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut bucket = |bound: &str, n: u64| {
        line(out, format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {n}"));
    };
    for bound in BUCKETS_US {
        bucket(&(bound as f64 * 1e-6).to_string(), values.count_between(0, bound));
    }
    bucket("+Inf", values.len());
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    line(out, format_args!("{name}_sum{braced} {}", sum_s(values)));
    line(out, format_args!("{name}_count{braced} {}", values.len()));
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).and_then(|()| out.write_char('\n')).expect("writing to a String does not fail");
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
