//! The Redis server: answers of the song database, kept in memory.
//!
//! Why a server that can't be reached is a miss and no fault: whoever asks a cache must be able to do without it. The
//! wait for it is short; the connection is made anew in the background.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::Signal;
use plimsoll_scenarios::Policy;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult, cmd};

use super::supervise::{Identity, Spec, private_directory};
use super::{Programs, Setting};
use crate::error::StackError;
use crate::plan::CachePlan;

/// Answers take no longer; after that the database is asked.
const WAIT_MAX: Duration = Duration::from_millis(500);
/// What the server needs for itself, beyond what it keeps.
const OWN_BYTES: u64 = 3 << 20;

/// How to reach the server.
#[derive(Debug, Clone)]
pub struct Redis {
    at: SocketAddr,
    password: String,
}

impl Redis {
    /// Says how the server is run, with a cache of this size.
    ///
    /// # Errors
    /// If its files can't be written.
    pub fn prepare(setting: &Setting<'_>, cache: CachePlan) -> Result<(Self, Spec), StackError> {
        let identity = Identity::of_server("redis")?;
        let directory = setting.directory.join("redis");
        private_directory(&directory, identity)?;
        let redis = Self { at: setting.ports.take("Redis")?, password: super::secret()? };
        let policy = policy(cache.policy);
        let config = format!(
            "bind 127.0.0.1\nport {}\nrequirepass {}\nsave \"\"\nappendonly no\ndaemonize no\n\
             maxmemory {}\nmaxmemory-policy {policy}\nmaxmemory-samples 10\ntcp-backlog 511\n",
            redis.at.port(),
            redis.password,
            cache.bytes.saturating_add(OWN_BYTES),
        );
        let file = directory.join("redis.conf");
        super::write_private(&file, &config, identity).map_err(|cause| StackError::Prepare {
            what: "Redis",
            place: file.clone(),
            cause,
        })?;
        let at = redis.clone();
        let spec = Spec {
            name: "Redis".to_owned(),
            program: setting.programs.get(Programs::REDIS),
            args: vec![file.into()],
            env: Vec::new(),
            directory,
            output: setting.output("redis"),
            identity,
            stop: Signal::SIGTERM,
            probe: Box::new(move || {
                let at = at.clone();
                Box::pin(async move { at.ping().await.is_ok() })
            }),
        };
        Ok((redis, spec))
    }

    fn client(&self) -> RedisResult<Client> {
        Client::open(format!("redis://:{}@{}/", self.password, self.at))
    }

    async fn ping(&self) -> RedisResult<()> {
        let mut connection = self.client()?.get_multiplexed_async_connection().await?;
        cmd("PING").exec_async(&mut connection).await
    }

    /// A connection that is made anew when it breaks.
    ///
    /// # Errors
    /// If the server does not take it.
    pub async fn answers(&self) -> Result<Answers, StackError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(10))
            .set_max_delay(Duration::from_millis(100))
            .set_connection_timeout(Some(WAIT_MAX))
            .set_response_timeout(Some(WAIT_MAX));
        let connect = async { ConnectionManager::new_with_config(self.client()?, config).await };
        let failed =
            |error: redis::RedisError| StackError::Service { name: "Redis", cause: error.to_string() };
        Ok(Answers { connection: connect.await.map_err(failed)?, generation: AtomicU64::new(0) })
    }
}

/// Redis has two of the policies, in their sampled forms; the others become the nearer of them.
pub const fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Lfu | Policy::WTinyLfu => "allkeys-lfu",
        _ => "allkeys-lru",
    }
}

/// Answers in the server.
pub struct Answers {
    connection: ConnectionManager,
    /// Part of every key: a cache that is told to forget has forgotten, also if the server did not hear of it.
    generation: AtomicU64,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Answers {
    pub async fn get(&self, key: &str) -> Option<Bytes> {
        let mut connection = self.connection.clone();
        let ask =
            async { cmd("GET").arg(self.name(key)).query_async::<Option<Vec<u8>>>(&mut connection).await };
        let answer = tokio::time::timeout(WAIT_MAX, ask).await;
        answer.ok()?.ok()?.map(Bytes::from)
    }

    pub async fn set(&self, key: &str, value: &Bytes) {
        let mut connection = self.connection.clone();
        let tell = async { cmd("SET").arg(self.name(key)).arg(&value[..]).exec_async(&mut connection).await };
        // What is not kept is asked for again.
        let _ = tokio::time::timeout(WAIT_MAX, tell).await;
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn name(&self, key: &str) -> String {
        format!("{}:{key}", self.generation.load(Ordering::Relaxed))
    }
}
