//! The `PostgreSQL` server: songs with full-text search, users' playlists.
//!
//! One server and one pool of connections for each of the two uses. It listens on a loopback port with a password
//! of this start. What only this start needs is handed to the kernel at a commit,
//! which outlives a killed server, and not waited for on the disk.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use nix::sys::signal::Signal;
use tokio_postgres::NoTls;

use super::supervise::{Identity, Probe, Spec, private_directory, run_to_end};
use super::{Programs, Setting};
use crate::error::StackError;

/// Connections of one pool.
const POOL_MAX: usize = 16;
/// Of the server: both pools, and somebody who looks.
const CONNECTIONS_MAX: usize = 2 * POOL_MAX + 8;
/// A connection must be there, or made, within this time.
const WAIT_MAX: Duration = Duration::from_secs(2);
const USER: &str = "plimsoll";

/// How to reach the server.
#[derive(Debug, Clone)]
pub struct Postgres {
    pub at: SocketAddr,
    password: String,
}

/// Why a statement came to nothing.
#[derive(Debug)]
pub enum Failed {
    /// The server can't be reached, or has hung up.
    Down,
    Statement(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failed {
    fn from(error: tokio_postgres::Error) -> Self {
        use tokio_postgres::error::SqlState;

        let leaving = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
        let down = error.is_closed() || error.code().is_none_or(|code| leaving.contains(code));
        if down { Self::Down } else { Self::Statement(error) }
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Down => f.write_str("the database can't be reached"),
            Self::Statement(error) => match error.as_db_error() {
                Some(error) => write!(f, "{}", error.message()),
                None => write!(f, "{error}"),
            },
        }
    }
}

/// Connections for one use, made when first needed and anew when they break.
#[derive(Debug, Clone)]
pub struct Connections(Pool);

impl Connections {
    /// One of them.
    ///
    /// # Errors
    /// If none can be had in time.
    pub async fn get(&self) -> Result<Object, Failed> {
        self.0.get().await.map_err(|_| Failed::Down)
    }
}

impl Postgres {
    /// Prepares a cluster in `directory`, unless there is one, and says how its server is run.
    ///
    /// # Errors
    /// If it can't be made.
    pub async fn prepare(
        setting: &Setting<'_>,
        directory: &Path,
        lasts: bool,
    ) -> Result<(Self, Spec), StackError> {
        let identity = Identity::of_server("postgres")?;
        private_directory(directory, identity)?;
        let at = setting.ports.take("PostgreSQL")?;
        let postgres = Self { at, password: super::secret()? };
        let data = directory.join("data");
        let run = |name: &str, program: PathBuf, args: Vec<OsString>| Spec {
            name: name.to_owned(),
            program,
            args,
            env: Vec::new(),
            directory: directory.to_owned(),
            output: setting.output("postgres"),
            identity,
            stop: Signal::SIGQUIT,
            probe: postgres.probe(),
        };
        let password_file = directory.join("password");
        write_private(&password_file, &postgres.password, identity)?;
        if data.join("PG_VERSION").exists() {
            // Its password is that of an earlier start, and the server's port is only ours.
            let trusting = "host all all 127.0.0.1/32 trust\n";
            write_private(&data.join("pg_hba.conf"), trusting, identity)?;
        } else {
            let args =
                ["-D", &data.to_string_lossy(), "-U", USER, "--pwfile", &password_file.to_string_lossy()]
                    .into_iter()
                    .chain([
                        "-A",
                        "scram-sha-256",
                        "-E",
                        "UTF8",
                        "--locale",
                        "C.UTF-8",
                        "--no-sync",
                        "--no-instructions",
                    ])
                    .map(OsString::from)
                    .collect();
            run_to_end(&run("initdb", setting.programs.get(Programs::INITDB), args), setting.guardian)
                .await?;
        }
        let mut args: Vec<OsString> =
            ["-D", &data.to_string_lossy(), "-p", &at.port().to_string()].map(OsString::from).into();
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("max_connections={CONNECTIONS_MAX}"),
            "jit=off".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "restart_after_crash=on".to_owned(),
            "timezone=UTC".to_owned(),
        ];
        if !lasts {
            settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        }
        for setting in settings {
            args.extend([OsString::from("-c"), OsString::from(setting)]);
        }
        let spec = run("PostgreSQL", setting.programs.get(Programs::POSTGRES), args);
        Ok((postgres, spec))
    }

    /// A pool of connections.
    ///
    /// # Errors
    /// If its settings contradict each other, which they do not.
    pub fn connections(&self) -> Result<Connections, StackError> {
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let timeouts = Timeouts { wait: Some(WAIT_MAX), create: Some(WAIT_MAX), recycle: Some(WAIT_MAX) };
        Pool::builder(Manager::from_config(self.config(), NoTls, manager))
            .max_size(POOL_MAX)
            .runtime(Runtime::Tokio1)
            .timeouts(timeouts)
            .build()
            .map(Connections)
            .map_err(|error| StackError::Service { name: "PostgreSQL", cause: error.to_string() })
    }

    fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(self.at.ip().to_string()).port(self.at.port()).dbname("postgres").user(USER);
        config.password(&self.password).connect_timeout(WAIT_MAX).application_name("plimsoll");
        config
    }

    fn probe(&self) -> Probe {
        let config = self.config();
        Box::new(move || {
            let config = config.clone();
            Box::pin(async move {
                let Ok((client, connection)) = config.connect(NoTls).await else { return false };
                // It ends with the client.
                tokio::spawn(connection);
                client.simple_query("SELECT 1").await.is_ok()
            })
        })
    }
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str, owner: Option<Identity>) -> Result<(), StackError> {
    super::write_private(path, text, owner).map_err(|cause| StackError::Prepare {
        what: "the database",
        place: path.to_owned(),
        cause,
    })
}
