//! One request over the wire: sent, answered, read to the end, and named if it failed.

use std::error::Error;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};

use crate::checks::{Expected, Reading};
use crate::connections::{NoConnection, Open, Pool, UnderWay};
use crate::player::{Play, Playback, Player};
use crate::record::Shared;
use crate::schedule::HttpRequest;

/// Longest answer to a scrape, bytes.
const TEXT_MAX: usize = 16 << 20;

/// Keep-alive connections that all users share.
#[derive(Debug)]
pub struct HttpClient {
    /// By the position of the base url in the plan.
    pools: Vec<Pool>,
    shared: Arc<Shared>,
}

impl HttpClient {
    pub fn new(addresses: impl Iterator<Item = SocketAddr>, shared: &Arc<Shared>) -> Self {
        Self { pools: addresses.map(Pool::new).collect(), shared: Arc::clone(shared) }
    }

    /// A connection that can be used at once.
    pub fn idle(&self, base: usize) -> Option<Open> {
        self.pools[base].take()
    }

    /// The head of an answer, and the connection on which its body follows.
    async fn respond(&self, base: usize, ask: Ask) -> Result<(Open, Response<Incoming>), &'static str> {
        let pool = &self.pools[base];
        let mut request = match ask {
            Ask::Unsent(request) => request,
            Ask::UnderWay(under_way) => match under_way.answer().await {
                (open, Ok(response)) => return Ok((open, response)),
                (_, Err(mut error)) => {
                    error.take_message().ok_or_else(|| failure_of_request(error.error()))?
                }
            },
        };
        while let Some(mut open) = pool.take() {
            match open.ask(request).await {
                Ok(response) => return Ok((open, response)),
                Err(mut error) => match error.take_message() {
                    // The other side was about to close it, and has seen nothing of the request.
                    Some(back) => request = back,
                    None => return Err(failure_of_request(error.error())),
                },
            }
        }
        let mut open = pool.connect(&self.shared).await.map_err(|e| match e {
            NoConnection::Io(error) => failure_to_connect(&error),
            NoConnection::Http(error) => failure_of_request(&error),
        })?;
        let response = open.ask(request).await.map_err(|e| failure_of_request(e.error()))?;
        Ok((open, response))
    }
}

/// A request, sent or not.
#[derive(Debug)]
pub enum Ask {
    Unsent(HttpRequest),
    UnderWay(UnderWay),
}

/// How the answers to one kind of request are read.
#[derive(Debug, Clone, Default)]
pub struct Handling {
    pub expected: Expected,
    pub playback: Option<Playback>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    pub bytes: u64,
    pub result: Result<Success, String>,
}

/// A whole answer, as it was expected.
#[derive(Debug)]
pub struct Success {
    /// The response headers were there.
    pub first_byte: Instant,
    /// The first bytes of the body were there; `None` of an empty one.
    pub first_data: Option<Instant>,
    /// The body's end was there.
    pub complete: Instant,
    /// What a listener heard of it.
    pub play: Option<Play>,
    pub served_by: Option<String>,
}

/// Sends a request that is not sent yet, and reads the whole answer. A failure is named by its kind: `connect`, `timeout`,
/// `status_503`, `short_body`, `reset`, `too_many_files`, `no_ports`, `protocol`, `check_body` and so on.
pub async fn send(
    client: &HttpClient,
    (base, ask): (usize, Ask),
    timeout: Duration,
    handling: &Handling,
) -> Outcome {
    let mut bytes = 0;
    let since = match &ask {
        Ask::Unsent(_) => Instant::now(),
        Ask::UnderWay(under_way) => under_way.since,
    };
    let exchange = exchange(client, base, ask, handling, &mut bytes);
    let ended = tokio::time::timeout_at((since + timeout).into(), exchange).await;
    let result = ended.unwrap_or_else(|_| Err("timeout".to_owned()));
    Outcome { bytes, result }
}

async fn exchange(
    client: &HttpClient,
    base: usize,
    ask: Ask,
    handling: &Handling,
    bytes: &mut u64,
) -> Result<Success, String> {
    let (mut open, response) = client.respond(base, ask).await.map_err(str::to_owned)?;
    let first_byte = Instant::now();
    let (head, mut body) = response.into_parts();
    let declared = body.size_hint().exact();
    let mut first_data = None;
    let mut player = handling.playback.map(Player::new);
    let mut reading = handling.expected.start();
    while let Some(frame) = open.drive(body.frame()).await {
        let frame = frame.map_err(|e| failure_of_body(&e).to_owned())?;
        let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) else { continue };
        *bytes += data.len() as u64;
        if first_data.is_none() || player.is_some() {
            let now = Instant::now();
            first_data.get_or_insert(now);
            if let Some(player) = &mut player {
                player.arrive(now, data.len());
            }
        }
        if let Some(reading) = &mut reading {
            reading.read(data);
        }
    }
    let complete = Instant::now();
    client.pools[base].put(open);
    if declared.is_some_and(|declared| declared != *bytes) {
        return Err("short_body".to_owned());
    }
    let as_expected = match handling.expected.status {
        Some(status) => head.status.as_u16() == status,
        None => head.status.is_success(),
    };
    if !as_expected {
        return Err(format!("status_{}", head.status.as_u16()));
    }
    reading.map_or(Ok(()), Reading::end)?;
    let play = player.map(|player| player.end(complete));
    Ok(Success { first_byte, first_data, complete, play, served_by: served_by(&head.headers) })
}

/// The body of a successful `GET` of a path, as text.
pub async fn get_text(
    client: &HttpClient,
    base: usize,
    (host, path): (&str, &str),
    timeout: Duration,
) -> Result<String, String> {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.uri_mut() = path.parse().map_err(|e: http::uri::InvalidUri| e.to_string())?;
    request.headers_mut().insert(HOST, HeaderValue::try_from(host).map_err(|e| e.to_string())?);
    let read = async {
        let (mut open, response) = client.respond(base, Ask::Unsent(request)).await.map_err(str::to_owned)?;
        if !response.status().is_success() {
            return Err(format!("status {}", response.status().as_u16()));
        }
        let mut body: Incoming = response.into_body();
        let mut text = Vec::new();
        while let Some(frame) = open.drive(body.frame()).await {
            if let Ok(data) = frame.map_err(|e| failure_of_body(&e).to_owned())?.into_data() {
                text.extend_from_slice(&data);
            }
            if text.len() > TEXT_MAX {
                return Err(format!("more than {TEXT_MAX} bytes"));
            }
        }
        client.pools[base].put(open);
        String::from_utf8(text).map_err(|e| e.to_string())
    };
    tokio::time::timeout(timeout, read).await.unwrap_or_else(|_| Err("timeout".to_owned()))
}

fn failure_to_connect(error: &std::io::Error) -> &'static str {
    match (error.kind(), error.raw_os_error()) {
        (_, Some(EMFILE | ENFILE)) => "too_many_files",
        (ErrorKind::AddrNotAvailable, _) => "no_ports",
        (ErrorKind::TimedOut, _) => "timeout",
        _ => "connect",
    }
}

fn failure_of_request(error: &hyper::Error) -> &'static str {
    match io_kind(error) {
        Some(ErrorKind::TimedOut) => "timeout",
        Some(_) => "reset",
        // Closed before any of the answer came.
        None if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => "reset",
        None => "protocol",
    }
}

fn failure_of_body(error: &hyper::Error) -> &'static str {
    match io_kind(error) {
        Some(ErrorKind::UnexpectedEof) => "short_body",
        Some(_) => "reset",
        None if error.is_incomplete_message() => "short_body",
        None if error.is_canceled() || error.is_closed() => "reset",
        None => "protocol",
    }
}

/// Too many open files, in this process and on this machine.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

fn io_kind(error: &hyper::Error) -> Option<ErrorKind> {
    let causes = std::iter::successors(Error::source(error), |&cause| Error::source(cause));
    causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind).next()
}

/// The tier that answered: `x-served-by`, or else the last entry of `Server-Timing` that is no queue.
fn served_by(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(tier) = text("x-served-by") {
        return Some(tier.trim().to_owned());
    }
    text("server-timing")?
        .split(',')
        .filter_map(|entry| entry.split(';').next())
        .map(str::trim)
        .rfind(|name| !name.is_empty() && !name.ends_with("-queue"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_that_answered_is_read_from_either_header() {
        let with = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            served_by(&headers)
        };
        let timing = ("server-timing", "edge;dur=1.2, edge-queue;dur=0.1, web;dur=3, web-queue;dur=0");
        assert_eq!(with(&[timing]).as_deref(), Some("web"));
        assert_eq!(with(&[("x-served-by", "shield"), timing]).as_deref(), Some("shield"));
        assert_eq!(with(&[("server-timing", "web-queue;dur=1")]), None);
        assert_eq!(with(&[]), None);
    }
}
