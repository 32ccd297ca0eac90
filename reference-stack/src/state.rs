//! Which stacks are up, and where: each leaves a card in its private directory.
//!
//! Why there: the directory bears the process's number, belongs to the user, is removed when the stack stops
//! and swept up when it was killed; so a card can neither be forgotten nor be read by others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};

use crate::breaks::{Break, Done};
use crate::scratch;
use crate::stack::{Endpoints, Profile};

const CARD: &str = "stack.json";
pub const LOG: &str = "log";
/// Bytes of an answer.
const ANSWER_MAX: usize = 4 << 20;
const TIMEOUT: Duration = Duration::from_secs(20);

/// A stack that is up, in this process or another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub process: u32,
    pub scenario: String,
    pub profile: String,
    pub tiers: BTreeMap<String, Vec<String>>,
    pub metrics: String,
    pub api_key: String,
    pub admin: String,
    pub admin_token: String,
    /// What happened so far, line by line.
    pub log: PathBuf,
}

/// How a stack is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StackStatus {
    pub scenario: String,
    pub profile: String,
    pub uptime_s: f64,
    pub songs: u64,
    /// Events in the log that the heat map has not counted.
    pub bus_lag_events: u64,
    pub parts: Vec<PartStatus>,
    pub broken: Vec<Done>,
}

/// One instance of a tier, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartStatus {
    pub tier: String,
    pub replica: usize,
    pub up: bool,
    pub slots: usize,
    /// Requests that it works on or lets wait.
    pub load: u64,
}

/// Why a stack did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    #[error(
        "the stack of process {process} does not answer at {url}: {cause}; it may be starting or stopping"
    )]
    Unreachable { process: u32, url: String, cause: String },
    #[error("{detail}")]
    Refused { status: u16, detail: String },
}

impl Running {
    pub(crate) fn new(scenario: &str, profile: Profile, endpoints: &Endpoints, directory: &Path) -> Self {
        Self {
            process: std::process::id(),
            scenario: scenario.to_owned(),
            profile: profile.name().to_owned(),
            tiers: endpoints.tiers.clone(),
            metrics: endpoints.metrics.clone(),
            api_key: endpoints.api_key.clone(),
            admin: endpoints.admin.clone(),
            admin_token: endpoints.admin_token.clone(),
            log: directory.join(LOG),
        }
    }

    /// Leaves the card, whole or not at all.
    pub(crate) fn write(&self, directory: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        let beside = directory.join("stack.json.part");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // There are keys on it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        std::io::Write::write_all(&mut options.open(&beside)?, &text)?;
        std::fs::rename(beside, directory.join(CARD))
    }

    /// All stacks of this user that are up, by process.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = scratch::alive(&std::env::temp_dir())
            .into_iter()
            .filter_map(|directory| {
                let text = std::fs::read(directory.join(CARD)).ok()?;
                serde_json::from_slice(&text).ok()
            })
            .collect();
        all.sort_by_key(|running| running.process);
        all
    }

    /// How the stack is.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn status(&self) -> Result<StackStatus, RemoteError> {
        self.ask(Method::GET, "/status", Bytes::new())
    }

    /// Breaks something.
    ///
    /// # Errors
    /// If the stack does not answer, or there is no such thing to break.
    pub fn break_it(&self, wish: &Break) -> Result<Done, RemoteError> {
        let body = serde_json::to_vec(wish).expect("a wish holds only numbers and text");
        self.ask(Method::POST, "/breaks", body.into())
    }

    /// Heals what is broken; gives what was.
    ///
    /// # Errors
    /// If the stack does not answer, or can't.
    pub fn heal(&self) -> Result<Vec<Done>, RemoteError> {
        self.ask(Method::DELETE, "/breaks", Bytes::new())
    }

    /// Asks the stack to stop; gives as soon as it has agreed.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn stop(&self) -> Result<(), RemoteError> {
        self.send(Method::POST, "/stop", Bytes::new()).map(drop)
    }

    /// Whether its directory is still there: it goes last.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.log.parent().is_some_and(Path::exists)
    }

    fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, RemoteError> {
        let answer = self.send(method, path, body)?;
        serde_json::from_slice(&answer).map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, cause: &dyn std::fmt::Display) -> RemoteError {
        RemoteError::Unreachable { process: self.process, url: self.admin.clone(), cause: cause.to_string() }
    }

    fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, RemoteError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.unreachable(&error))?;
        let asked = runtime.block_on(async {
            let exchange = self.exchange(method, path, body);
            tokio::time::timeout(TIMEOUT, exchange)
                .await
                .map_err(|_| self.unreachable(&"no answer in time"))?
        });
        let (status, answer) = asked?;
        if status.is_success() {
            return Ok(answer);
        }
        let problem: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("it gave no reason").to_owned();
        Err(RemoteError::Refused { status: status.as_u16(), detail })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), RemoteError> {
        let authority = self.admin.trim_start_matches("http://").trim_end_matches("/admin");
        let stream =
            tokio::net::TcpStream::connect(authority).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.unreachable(&error))?;
        // It ends with the sender.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(format!("/admin{path}"))
            .header(HOST, authority)
            .header(AUTHORIZATION, format!("Bearer {}", self.admin_token))
            .body(Full::new(body))
            .map_err(|error| self.unreachable(&error))?;
        let response = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        Ok((status, body.map_err(|error| self.unreachable(&error))?.to_bytes()))
    }
}
