//! The service under test, and a client for it.

#[path = "../common/answer.rs"]
mod answer;

use std::path::PathBuf;

pub use answer::{Answer, until};
use answer::{HttpClient, client, exchange};
use http::StatusCode;
use plimsoll_scenarios::units::Count;
use plimsoll_stack::{Profile, Running, Stack, StackOptions};
use serde_json::{Value, json};

pub struct Service {
    pub card: Running,
    client: HttpClient,
    /// Stopped when dropped; none where somebody else's is tested.
    _stack: Option<Stack>,
}

/// What the environment asks for.
fn profile() -> Profile {
    match std::env::var("PLIMSOLL_STACK_PROFILE").as_deref() {
        Ok("services") => Profile::Services,
        Ok("embedded") | Err(_) => Profile::Embedded,
        Ok(other) => panic!("PLIMSOLL_STACK_PROFILE is {other}; expected embedded or services"),
    }
}

/// The S3 server, where this build has one.
fn objects() -> Option<PathBuf> {
    option_env!("CARGO_BIN_EXE_plimsoll-objects").map(PathBuf::from)
}

impl Service {
    /// The service that the environment names, healed and with cold caches; or one of one's own.
    pub async fn start() -> Self {
        // A connection that the service cuts must not fail the next request.
        let client = client(0);
        let Some(card) = std::env::var_os("PLIMSOLL_STACK_CARD") else {
            let mut scenario = plimsoll_scenarios::load("spotify").unwrap().scaled_for_load().unwrap();
            scenario.datasets["song"].count = Count::given(300.0, "300");
            let options = StackOptions {
                emulate: false,
                profile: profile(),
                object_server: objects(),
                ..StackOptions::default()
            };
            let stack = Stack::start(&scenario, &options).unwrap();
            return Self { card: stack.running().clone(), client, _stack: Some(stack) };
        };
        let card = serde_json::from_slice(&std::fs::read(card).unwrap()).unwrap();
        let service = Self { card, client, _stack: None };
        assert_eq!(service.admin("DELETE", "/breaks", "").await.status, StatusCode::OK);
        for tier in ["edge", "shield", "web", "metadata-cache"] {
            service.break_it(&json!({"kind": "flush-cache", "target": tier})).await;
        }
        service
    }

    /// The address that users know.
    pub fn base(&self) -> &str {
        &self.card.tiers["edge"][0]
    }

    pub fn gateway(&self) -> &str {
        &self.card.tiers["gateway"][0]
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", self.base(), path, &[], "").await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send("GET", self.base(), path, headers, "").await
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.send("POST", self.base(), path, headers, &body.to_string()).await
    }

    pub async fn send(
        &self,
        method: &str,
        base: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.try_send(method, base, path, headers, body).await.unwrap()
    }

    /// An error is a connection that was refused or cut.
    pub async fn try_send(
        &self,
        method: &str,
        base: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let mut all = headers.to_vec();
        if !headers.iter().any(|(name, _)| *name == "x-api-key") {
            all.push(("x-api-key", &self.card.api_key));
        }
        exchange(&self.client, method, &format!("{base}{path}"), &all, body).await
    }

    pub async fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        let token = format!("Bearer {}", self.card.admin_token);
        self.send(method, &self.card.admin, path, &[("authorization", &token)], body).await
    }

    pub async fn break_it(&self, wish: &Value) -> Value {
        let done = self.admin("POST", "/breaks", &wish.to_string()).await;
        assert_eq!(done.status, StatusCode::OK, "{wish}: {done:?}");
        done.json()
    }

    pub async fn heal(&self) {
        assert_eq!(self.admin("DELETE", "/breaks", "").await.status, StatusCode::OK);
    }

    pub async fn songs(&self) -> u64 {
        self.admin("GET", "/status", "").await.json()["songs"].as_u64().unwrap()
    }

    /// The value of one metric, summed over all series of a tier.
    pub async fn metric(&self, name: &str, tier: &str) -> f64 {
        let text = self.send("GET", &self.card.metrics, "", &[], "").await.body;
        answer::metric(str::from_utf8(&text).unwrap(), name, tier, "")
    }

    /// Whose answer the first cache gave: RFC 9211's `hit` or `fwd`.
    pub async fn play(&self, song: u64) -> Answer {
        let answer = self.get(&format!("/v1/songs/{song}/audio")).await;
        assert!(
            answer.is_right() || !answer.status.is_success(),
            "wrong bytes of song {song}: {:?}",
            answer.headers
        );
        answer
    }
}
