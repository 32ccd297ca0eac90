//! A small client for the tests, and scenarios to start.

// Each test binary uses a part of it.
#![allow(dead_code, unused_imports)]

mod answer;

pub use answer::{Answer, PATIENCE, until};
use answer::{HttpClient, client, exchange};
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

/// A client with the stack's key.
#[derive(Clone)]
pub struct User {
    client: HttpClient,
    key: String,
}

impl User {
    pub fn new(stack: &Stack) -> Self {
        Self { client: client(usize::MAX), key: stack.endpoints().api_key.clone() }
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
        let mut all = vec![("x-api-key", self.key.as_str())];
        all.extend_from_slice(headers);
        exchange(&self.client, method, &format!("{base}{path}"), &all, body).await.unwrap()
    }

    /// The value of one series of the metrics, summed over replicas.
    pub async fn metric(&self, stack: &Stack, name: &str, tier: &str, label: &str) -> f64 {
        let text = self.get(&stack.endpoints().metrics, "").await.body;
        answer::metric(str::from_utf8(&text).unwrap(), name, tier, label)
    }
}

/// First instance of a tier.
pub fn at<'a>(stack: &'a Stack, tier: &str) -> &'a str {
    &stack.endpoints().tiers[tier][0]
}
