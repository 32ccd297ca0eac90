//! A small client for the tests, and scenarios to start.

// Each test binary uses a part of it.
#![allow(dead_code)]

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::units::{Count, Size};
use plimsoll_stack::{Stack, StackOptions};

pub const SEED: u64 = 7;

/// The bundled scenario at its load scale, with fewer songs so that it starts at once.
pub fn scenario() -> Scenario {
    let mut scenario = plimsoll_scenarios::load("spotify").unwrap().scaled_for_load().unwrap();
    scenario.datasets["song"].count = Count::given(200.0, "200");
    scenario
}

/// Changes servers, slots and queue of a tier.
pub fn resize(scenario: &mut Scenario, tier: &str, servers: f64, concurrency: f64, queue_max: u32) {
    let station = scenario.tiers[tier].station.as_mut().unwrap();
    station.servers = Count::given(servers, "test");
    station.concurrency = Count::given(concurrency, "test");
    station.queue_max = queue_max;
}

pub fn set_cache(scenario: &mut Scenario, tier: &str, bytes: f64) {
    scenario.tiers[tier].cache.as_mut().unwrap().capacity = Size::given(bytes, "test");
}

pub fn start(scenario: &Scenario, emulate: bool) -> Stack {
    Stack::start(scenario, &StackOptions { seed: SEED, emulate, ..StackOptions::default() }).unwrap()
}

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
}

/// A client with the stack's key.
#[derive(Clone)]
pub struct User {
    client: Client<HttpConnector, Full<Bytes>>,
    key: String,
}

impl User {
    pub fn new(stack: &Stack) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, key: stack.endpoints().api_key.clone() }
    }

    pub fn with_key(&self, key: &str) -> Self {
        Self { client: self.client.clone(), key: key.to_owned() }
    }

    pub async fn get(&self, base: &str, path: &str) -> Answer {
        self.send("GET", base, path, &[], "").await
    }

    pub async fn get_with(&self, base: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", base, path, headers, "").await
    }

    pub async fn send(
        &self,
        method: &str,
        base: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(format!("{base}{path}")).header("x-api-key", &self.key);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// The value of one series of the metrics, summed over replicas.
    pub async fn metric(&self, stack: &Stack, name: &str, tier: &str, label: &str) -> f64 {
        let text = self.get(&stack.endpoints().metrics, "").await.body;
        String::from_utf8(text.to_vec())
            .unwrap()
            .lines()
            .filter(|line| line.starts_with(&format!("{name}{{tier=\"{tier}\",")) && line.contains(label))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum()
    }
}

/// First instance of a tier.
pub fn at<'a>(stack: &'a Stack, tier: &str) -> &'a str {
    &stack.endpoints().tiers[tier][0]
}
