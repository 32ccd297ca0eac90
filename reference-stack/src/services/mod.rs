//! The services profile: real servers behind the tiers, as private child processes.
//!
//! What is real: the metadata cache is Redis, the song and playlist databases are `PostgreSQL`, songs are in an S3
//! server, plays go through NATS `JetStream`, the caches of edge and shield and the balancing of the gateway are
//! nginx. What stays: the tier in front of each, which admits (queue, slots, service times, links, keys), measures
//! and checks; so both profiles behave alike under load and under breaks, and pass one test suite.
//!
//! Every server listens on a loopback port of its own, with a password of this start where it knows passwords, and
//! runs as a user without rights where we are root.

mod guardian;
pub mod nats;
pub mod nginx;
pub mod objects;
pub mod playlists;
mod postgres;
mod programs;
pub mod redis;
pub mod songs;
mod supervise;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use plimsoll_scenarios::Policy;
use tokio::net::TcpSocket;

use crate::error::StackError;
use crate::log::Log;
use crate::plan::Plan;
use crate::ports::Ports;
use crate::stack::StackOptions;
use crate::tiers;
pub use guardian::Guardian;
use nats::{Nats, Plays};
use nginx::NginxCache;
use objects::ObjectServer;
use playlists::Playlists;
use postgres::Postgres;
pub use programs::Programs;
use redis::{Answers, Redis};
use songs::Songs;
pub use supervise::Server;
use supervise::{Identity, Spec};

/// What servers are prepared with.
pub struct Setting<'a> {
    /// What goes with the stack.
    pub directory: &'a Path,
    pub programs: &'a Programs,
    pub ports: &'a ServerPorts,
    pub guardian: &'a Guardian,
}

impl Setting<'_> {
    /// Where a server's words go.
    fn output(&self, server: &str) -> PathBuf {
        self.directory.join(format!("{server}.out"))
    }
}

/// Ports of servers: each is kept by a socket that does not listen, so that nobody else gets it, also while its
/// server is down.
#[derive(Debug, Default)]
pub struct ServerPorts(Mutex<Vec<TcpSocket>>);

impl ServerPorts {
    /// A free port on 127.0.0.1.
    ///
    /// # Errors
    /// If there is none.
    pub fn take(&self, server: &str) -> Result<SocketAddr, StackError> {
        let take = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
            let at = socket.local_addr()?;
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
            Ok(at)
        };
        take().map_err(|cause| StackError::Listen { tier: server.to_owned(), cause })
    }
}

/// All servers of a stack.
pub struct Services {
    servers: Vec<(&'static str, usize, Arc<Server>)>,
    // After the servers: it ends what they leave.
    guardian: Arc<Guardian>,
    _ports: ServerPorts,
}

/// What the tiers put in the place of their own.
pub struct Backends {
    pub songs: Songs,
    pub playlists: Playlists,
    /// None where the scenario gives the tier no cache.
    pub answers: Option<Answers>,
    pub plays: Plays,
    pub objects: ObjectServer,
    pub nginx: NginxParts,
}

/// What nginx does for the tiers. Each is none where the scenario gives the tier no cache.
#[derive(Default)]
pub struct NginxParts {
    /// By site.
    pub edges: Vec<Option<NginxCache>>,
    pub shield: Option<NginxCache>,
    /// Where the gateway's balancer listens.
    pub gateway: Option<SocketAddr>,
}

impl Services {
    /// Starts all servers, fills the database, and returns when everything answers.
    ///
    /// # Errors
    /// If a program is missing, or a server does not start.
    pub async fn start(
        plan: &Plan,
        options: &StackOptions,
        directory: &Path,
        audio: &Path,
        ports_of_tiers: &Ports,
        log: &Log,
    ) -> Result<(Self, Backends), StackError> {
        let programs = Programs::find()?;
        open_to_servers(directory)?;
        let own = directory.join("services");
        open_to_servers(&own)?;
        let guardian = Guardian::start(directory).map_err(StackError::Threads)?;
        let ports = ServerPorts::default();
        let setting = Setting { directory: &own, programs: &programs, ports: &ports, guardian: &guardian };
        let (kept, lasts) = options.data.as_deref().map_or((own.as_path(), false), |kept| (kept, true));
        if lasts {
            std::fs::create_dir_all(kept).map_err(|cause| StackError::Prepare {
                what: "the data directory",
                place: kept.to_owned(),
                cause,
            })?;
        }
        let cache = plan.metadata_cache.cache.map(|cache| Redis::prepare(&setting, cache)).transpose()?;
        let (redis, redis_spec) = cache.unzip();
        let (nats, nats_spec) = Nats::prepare(&setting, &kept.join("nats"))?;
        let program = match &options.object_server {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(StackError::Threads)?,
        };
        let (objects, objects_spec) = ObjectServer::prepare(&setting, program, audio)?;
        let (nginx, nginx_specs) = nginx_parts(&setting, plan, ports_of_tiers)?;
        let (postgres, postgres_spec) = Postgres::prepare(&setting, &kept.join("postgres"), lasts).await?;

        let guardian = Arc::new(guardian);
        let start = |spec: Spec| Arc::new(Server::start(spec, Arc::clone(&guardian), log.clone()));
        let mut servers: Vec<(&'static str, usize, Arc<Server>)> =
            redis_spec.into_iter().map(|spec| (tiers::METADATA_CACHE, 0, start(spec))).collect();
        servers.push((tiers::METADATA_DB, 0, start(postgres_spec)));
        servers.push((tiers::AUDIO_STORE, 0, start(objects_spec)));
        servers.push((tiers::EVENTS, 0, start(nats_spec)));
        servers.extend(nginx_specs.into_iter().map(|(tier, number, spec)| (tier, number, start(spec))));
        let services = Self { servers, guardian, _ports: ports };
        match services.backends(plan, options.seed, (redis, postgres, nats, objects)).await {
            Ok(backends) => Ok((services, Backends { nginx, ..backends })),
            Err(error) => {
                services.end().await;
                Err(error)
            }
        }
    }

    async fn backends(
        &self,
        plan: &Plan,
        seed: u64,
        (redis, postgres, nats, objects): (Option<Redis>, Postgres, Nats, ObjectServer),
    ) -> Result<Backends, StackError> {
        for (_, _, server) in &self.servers {
            server.ready().await?;
        }
        let songs = Songs::build(postgres.connections()?, seed, plan.songs).await?;
        let playlists = Playlists::open(postgres.connections()?).await?;
        let answers = match redis {
            Some(redis) => Some(redis.answers().await?),
            None => None,
        };
        Ok(Backends {
            songs,
            playlists,
            answers,
            plays: nats.plays().await?,
            objects,
            nginx: NginxParts::default(),
        })
    }

    /// The server behind a replica of a tier; replicas share one where there is one only.
    pub fn of(&self, tier: &str, replica: usize) -> Option<Arc<Server>> {
        let of_tier = || self.servers.iter().filter(|(name, ..)| *name == tier);
        let own = of_tier().find(|(_, number, _)| *number == replica).or_else(|| of_tier().next());
        own.map(|(.., server)| Arc::clone(server))
    }

    /// Ends all servers; returns once they are gone.
    pub async fn end(&self) {
        futures_util::future::join_all(self.servers.iter().map(|(.., server)| server.end())).await;
        debug_assert!(Arc::strong_count(&self.guardian) >= 1, "it goes last");
    }
}

/// What the servers do otherwise than the scenario says.
pub fn notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    for tier in [&plan.edge, &plan.shield] {
        if let Some(cache) = tier.cache.filter(|cache| cache.policy != Policy::Lru) {
            let name = cache.policy.label();
            notes.push(format!(
                "{} is nginx, which evicts by LRU only: the scenario's {name} is not played",
                tier.name
            ));
        }
    }
    if let Some(cache) = plan.metadata_cache.cache.filter(|cache| cache.policy != Policy::Lru) {
        let (name, nearest) = (cache.policy.label(), redis::policy(cache.policy));
        let tier = plan.metadata_cache.name;
        notes.push(format!("{tier} is Redis, which comes nearest to the scenario's {name} by its {nearest}"));
    }
    notes
}

type Parts = (NginxParts, Vec<(&'static str, usize, Spec)>);

/// An nginx for every cache of edge and shield, and one for the gateway.
fn nginx_parts(setting: &Setting<'_>, plan: &Plan, ports: &Ports) -> Result<Parts, StackError> {
    let (mut parts, mut specs) = (NginxParts::default(), Vec::new());
    let (shield, gateway) = (ports.shield.address, ports.gateway.address);
    for (site, _) in plan.edge.instances.iter().enumerate() {
        let cache = |cache| nginx::cache(setting, tiers::EDGE, site, cache, &[shield, gateway]);
        let (cache, spec) = plan.edge.cache.map(cache).transpose()?.unzip();
        parts.edges.push(cache);
        specs.extend(spec.map(|spec| (tiers::EDGE, site, spec)));
    }
    let cache = |cache| nginx::cache(setting, tiers::SHIELD, 0, cache, &[gateway]);
    let (cache, spec) = plan.shield.cache.map(cache).transpose()?.unzip();
    parts.shield = cache;
    specs.extend(spec.map(|spec| (tiers::SHIELD, 0, spec)));
    let webs: Vec<SocketAddr> = ports.web.iter().map(|port| port.address).collect();
    let of_events = crate::api::ENDPOINTS.iter().filter(|endpoint| endpoint.tier == tiers::EVENTS);
    let paths: Vec<&str> = of_events.map(|endpoint| endpoint.path).collect();
    let (at, spec) = nginx::gateway(setting, &plan.gateway, &plan.web, &webs, ports.events.address, &paths)?;
    parts.gateway = Some(at);
    specs.push((tiers::GATEWAY, 0, spec));
    Ok((parts, specs))
}

/// Lets servers that run as other users pass through a directory, and see nothing in it.
pub fn open_to_servers(directory: &Path) -> Result<(), StackError> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
    let open = || {
        std::fs::create_dir_all(directory)?;
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(mode))
    };
    let place = || directory.to_owned();
    open().map_err(|cause| StackError::Prepare { what: "the servers' directory", place: place(), cause })
}

/// A password of this start.
fn secret() -> Result<String, StackError> {
    Ok(crate::auth::ApiKey::new()?.text().to_owned())
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str, owner: Option<Identity>) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    if let Some(Identity { uid, gid }) = owner {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
    }
    Ok(())
}
