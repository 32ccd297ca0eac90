//! A client and what it gets, for all tests of this crate.

// Each test binary uses a part of it.
#![allow(dead_code)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Nothing here takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// A client that keeps so many idle connections.
pub fn client(idle_max: usize) -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(idle_max).build(connector)
}

/// Sends a request and takes in all of the answer; an error is a connection that was refused or cut.
pub async fn exchange(
    client: &HttpClient,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, Box<dyn std::error::Error>> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
    let exchange = async {
        let (head, body) = client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    };
    tokio::time::timeout(PATIENCE, exchange).await?
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Names of the `Server-Timing` entries.
    pub fn hops(&self) -> Vec<&str> {
        self.header("server-timing").split(", ").filter_map(|entry| entry.split(';').next()).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Its status, of a problem that says what to do.
    pub fn problem(&self) -> u16 {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(
            !problem["detail"].as_str().unwrap().is_empty() && !problem["title"].as_str().unwrap().is_empty()
        );
        self.status.as_u16()
    }

    /// Whether the body is what its hash says.
    pub fn is_right(&self) -> bool {
        use base64::Engine as _;
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&self.body));
        self.status == StatusCode::OK && self.header("repr-digest") == format!("sha-256=:{digest}:")
    }
}

/// Sum of a metric over all series of a tier that hold a label.
pub fn metric(page: &str, name: &str, tier: &str, label: &str) -> f64 {
    let start = format!("{name}{{tier=\"{tier}\",");
    let lines = page.lines().filter(|line| line.starts_with(&start) && line.contains(label));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Waits until something holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
