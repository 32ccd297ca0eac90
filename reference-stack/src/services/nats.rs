//! The NATS server with `JetStream`: the log of plays.
//!
//! A play is acknowledged once the server has it in its file. The heat map's consumer reads by sequence numbers and
//! keeps its own offset beside its counts, as it does with the log of the embedded profile.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::{self, Context, stream};
use async_nats::{Client, ConnectOptions};
use bytes::Bytes;
use futures_util::StreamExt as _;
use nix::sys::signal::Signal;

use super::supervise::{Identity, Spec, private_directory};
use super::{Programs, Setting};
use crate::bus::Event;
use crate::error::StackError;

const STREAM: &str = "plays";
/// Plays that are kept; the oldest go first.
const EVENTS_MAX: i64 = 8 << 20;
/// The server acknowledges, and gives what it has, within this time.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Pause between two attempts to reach the server.
const RECONNECT: Duration = Duration::from_millis(50);
/// The server forgets a reader that asks for nothing.
const READER_IDLE: Duration = Duration::from_mins(1);

/// How to reach the server.
#[derive(Debug, Clone)]
pub struct Nats {
    at: SocketAddr,
    token: String,
}

impl Nats {
    /// Says how the server is run.
    ///
    /// # Errors
    /// If its files can't be written.
    pub fn prepare(setting: &Setting<'_>, directory: &Path) -> Result<(Self, Spec), StackError> {
        let identity = Identity::of_server("nats")?;
        private_directory(directory, identity)?;
        let nats = Self { at: setting.ports.take("NATS")?, token: super::secret()? };
        let config = format!(
            "listen: \"{}\"\nauthorization {{ token: \"{}\" }}\nmax_payload: 65536\nmax_connections: 256\n\
             jetstream {{ store_dir: \"{}\", max_memory_store: 16777216, max_file_store: 4294967296 }}\n",
            nats.at,
            nats.token,
            directory.join("store").display(),
        );
        let file = directory.join("nats.conf");
        super::write_private(&file, &config, identity).map_err(|cause| StackError::Prepare {
            what: "NATS",
            place: file.clone(),
            cause,
        })?;
        let at = nats.clone();
        let spec = Spec {
            name: "NATS".to_owned(),
            program: setting.programs.get(Programs::NATS),
            args: vec!["-c".into(), file.into()],
            env: Vec::new(),
            directory: directory.to_owned(),
            output: setting.output("nats"),
            identity,
            stop: Signal::SIGTERM,
            probe: Box::new(move || {
                let at = at.clone();
                Box::pin(async move {
                    let Ok(client) = at.connect().await else { return false };
                    // Raw: what it says of the account differs between versions.
                    client.request("$JS.API.INFO", Bytes::new()).await.is_ok()
                })
            }),
        };
        Ok((nats, spec))
    }

    async fn connect(&self) -> Result<Client, async_nats::ConnectError> {
        let options = ConnectOptions::with_token(self.token.clone())
            .connection_timeout(WAIT_MAX)
            .request_timeout(Some(WAIT_MAX))
            .reconnect_delay_callback(|_| RECONNECT);
        options.connect(self.at.to_string()).await
    }

    /// The log of plays, begun unless it is there. Called on the stack's runtime.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn plays(&self) -> Result<Plays, StackError> {
        let failed = |cause: String| StackError::Service { name: "NATS", cause };
        let client = self.connect().await.map_err(|error| failed(error.to_string()))?;
        let mut context = jetstream::new(client);
        context.set_timeout(WAIT_MAX);
        let config = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![STREAM.to_owned()],
            max_messages: EVENTS_MAX,
            storage: stream::StorageType::File,
            ..stream::Config::default()
        };
        let stream = context.get_or_create_stream(config).await.map_err(|error| failed(error.to_string()))?;
        let end = stream.cached_info().state.last_sequence;
        Ok(Plays { context, end, runtime: tokio::runtime::Handle::current() })
    }
}

/// The log of plays. Offsets count from 0, as in the embedded profile; the server's numbers from 1.
#[derive(Debug)]
pub struct Plays {
    context: Context,
    /// Offset of the next event when it was opened.
    pub end: u64,
    runtime: tokio::runtime::Handle,
}

impl Plays {
    /// Adds an event at the end; gives the offset after it.
    ///
    /// # Errors
    /// If the server has not acknowledged it; then it may be in the log or not.
    pub async fn append(&self, event: Event) -> Result<u64, String> {
        let told = async {
            let acknowledged =
                self.context.publish(STREAM, event.payload()).await.map_err(|e| e.to_string())?;
            acknowledged.await.map_err(|error| error.to_string())
        };
        let acknowledged = tokio::time::timeout(WAIT_MAX, told).await;
        acknowledged.map_err(|_| "it was not acknowledged in time".to_owned())?.map(|ack| ack.sequence)
    }

    /// Reads on from an offset. Blocks; not to be called on a thread of the runtime.
    ///
    /// # Errors
    /// If the server does not give it.
    pub fn reader(&self, from: u64) -> Result<Reader, String> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from + 1 },
            ack_policy: AckPolicy::None,
            inactive_threshold: READER_IDLE,
            memory_storage: true,
            ..pull::Config::default()
        };
        let opened = self.runtime.block_on(async {
            let made = self.context.create_consumer_on_stream(config, STREAM);
            tokio::time::timeout(WAIT_MAX, made).await
        });
        let consumer =
            opened.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.to_string())?;
        Ok(Reader { consumer, next: from, runtime: self.runtime.clone() })
    }
}

/// Somebody who reads the log in order.
#[derive(Debug)]
pub struct Reader {
    consumer: PullConsumer,
    /// Offset of the next event.
    pub next: u64,
    runtime: tokio::runtime::Handle,
}

impl Reader {
    /// The next events that there are, at most so many; none where there are none yet. Blocks. What is no longer
    /// kept is passed over.
    ///
    /// # Errors
    /// If the server gives nothing in time: the reader is of no use then.
    pub fn read(&mut self, count_max: usize) -> Result<Vec<Event>, String> {
        let runtime = self.runtime.clone();
        let fetched = runtime.block_on(async { tokio::time::timeout(WAIT_MAX, self.fetch(count_max)).await });
        fetched.map_err(|_| "no answer in time".to_owned())?
    }

    async fn fetch(&mut self, count_max: usize) -> Result<Vec<Event>, String> {
        let batch = self.consumer.fetch().max_messages(count_max).messages().await;
        let mut batch = batch.map_err(|error| error.to_string())?;
        let mut events = Vec::new();
        while let Some(message) = batch.next().await {
            let message = message.map_err(|error| error.to_string())?;
            self.next = message.info().map_err(|error| error.to_string())?.stream_sequence;
            // What is no play was put there by somebody else.
            events.extend(Event::of_payload(&message.payload));
        }
        Ok(events)
    }
}
