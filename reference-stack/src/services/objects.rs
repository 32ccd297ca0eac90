//! The object store: an S3 server (s3s-fs) in a process of its own, and its client.
//!
//! One copy of the songs is a bucket, a song is an object. What a start stores is written to the server's directory,
//! as somebody does who moves a library in; whatever is read or written afterwards goes through the protocol, signed.
//! Disks are harmed behind the server's back.

use std::ffi::OsString;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::sys::signal::Signal;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ClientOptions, ObjectStoreExt as _, RetryConfig};

use super::Setting;
use super::supervise::{Identity, Spec, listens};
use crate::audio::Layout;
use crate::error::StackError;

/// The first argument of a process that is to be the server; the others are its directory and its port.
pub const SERVE: &str = "serve-objects";
const KEY: &str = "PLIMSOLL_OBJECTS_KEY";
const SECRET: &str = "PLIMSOLL_OBJECTS_SECRET";
/// Whom the server becomes, where it is started as root: `UID:GID`.
const USER: &str = "PLIMSOLL_OBJECTS_USER";
/// Connections of the server.
const CONNECTIONS_MAX: usize = 1024;
/// Songs that share a directory, and are lost together.
const SONGS_PER_SHELF: u64 = 1000;
/// A request takes no longer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How to reach the server.
#[derive(Debug, Clone)]
pub struct ObjectServer {
    at: SocketAddr,
    key: String,
    secret: String,
    root: PathBuf,
    user: Option<Identity>,
}

impl ObjectServer {
    /// Says how the server is run: by `program`, on the directory in which [`crate::audio`] keeps its copies.
    ///
    /// # Errors
    /// If there is no port.
    pub fn prepare(setting: &Setting<'_>, program: PathBuf, root: &Path) -> Result<(Self, Spec), StackError> {
        let at = setting.ports.take("the object store")?;
        let user = Identity::of_server("nobody")?;
        let server =
            Self { at, key: super::secret()?, secret: super::secret()?, root: root.to_owned(), user };
        let mut env = vec![(KEY, OsString::from(&server.key)), (SECRET, OsString::from(&server.secret))];
        env.extend(user.map(|Identity { uid, gid }| (USER, OsString::from(format!("{uid}:{gid}")))));
        let spec = Spec {
            name: "the S3 server".to_owned(),
            program,
            args: vec![SERVE.into(), root.into(), at.port().to_string().into()],
            env,
            directory: root.to_owned(),
            output: setting.output("objects"),
            // It runs what we run, which others may not be able to read; so it becomes somebody else by itself.
            identity: None,
            stop: Signal::SIGTERM,
            probe: listens(at),
        };
        Ok((server, spec))
    }

    /// Gives the server what was written to its directory on its behalf.
    ///
    /// # Errors
    /// If it can't be given.
    pub fn hand_over(&self) -> std::io::Result<()> {
        let Some(user) = self.user else { return Ok(()) };
        let mut places = vec![self.root.clone()];
        while let Some(place) = places.pop() {
            std::os::unix::fs::lchown(&place, Some(user.uid), Some(user.gid))?;
            if std::fs::symlink_metadata(&place)?.is_dir() {
                for entry in std::fs::read_dir(&place)? {
                    places.push(entry?.path());
                }
            }
        }
        Ok(())
    }

    /// The client of one copy. Called on the stack's runtime.
    ///
    /// # Errors
    /// If its settings contradict each other, which they do not.
    pub fn bucket(&self, copy: &Path, layout: Layout) -> Result<Objects, StackError> {
        let name = copy.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(20),
            max_backoff: Duration::from_millis(200),
            base: 2.0,
        };
        let retry = RetryConfig { backoff, max_retries: 3, retry_timeout: Duration::from_secs(2) };
        let options = ClientOptions::new().with_allow_http(true).with_http1_only().with_timeout(WAIT_MAX);
        let bucket = AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", self.at))
            .with_region("local")
            .with_bucket_name(&name)
            .with_access_key_id(&self.key)
            .with_secret_access_key(&self.secret)
            .with_virtual_hosted_style_request(false)
            .with_retry(retry)
            .with_client_options(options)
            .build()?;
        let runtime = tokio::runtime::Handle::current();
        let lost = self.root.parent().unwrap_or(&self.root).to_owned();
        Ok(Objects { bucket, directory: self.root.join(name), lost, layout, runtime })
    }
}

/// One copy of all songs.
#[derive(Debug)]
pub struct Objects {
    bucket: AmazonS3,
    /// Where the server keeps it.
    directory: PathBuf,
    /// Beside all copies, on the same disk.
    lost: PathBuf,
    layout: Layout,
    runtime: tokio::runtime::Handle,
}

impl Objects {
    /// The song as it is stored; whoever reads it checks it.
    pub async fn read(&self, song: u64) -> object_store::Result<Bytes> {
        self.bucket.get(&Key::from(name(song))).await?.bytes().await
    }

    /// Stores a song. Blocks; not to be called on a thread of the runtime.
    pub fn write(&self, song: u64, bytes: &[u8]) -> std::io::Result<()> {
        let (key, body) = (Key::from(name(song)), Bytes::copy_from_slice(bytes));
        let stored = self.runtime.block_on(async { self.bucket.put(&key, body.into()).await });
        stored.map(drop).map_err(std::io::Error::other)
    }

    /// Changes bytes in the middle of a song on the server's disk.
    pub fn corrupt(&self, song: u64) -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).open(self.directory.join(name(song)))?;
        file.seek(SeekFrom::Start(self.layout.song_bytes as u64 / 2))?;
        file.write_all(&b"corrupt!"[..8.min(self.layout.song_bytes)])
    }

    /// Loses the shelf that a song is on, and with it its neighbours.
    pub fn lose(&self, song: u64) -> std::io::Result<()> {
        // Out of the way at once: somebody may be writing there.
        let lost = self.lost.join(format!(
            "{}-{}",
            self.directory.file_name().unwrap_or_default().display(),
            shelf(song)
        ));
        std::fs::rename(self.directory.join(shelf(song)), &lost)?;
        std::fs::remove_dir_all(lost)
    }

    /// All songs of the shelf that a song is on.
    pub fn neighbours(&self, song: u64) -> Range<u64> {
        let first = song / SONGS_PER_SHELF * SONGS_PER_SHELF;
        first.max(1)..(first + SONGS_PER_SHELF).min(self.layout.songs + 1)
    }
}

fn shelf(song: u64) -> String {
    (song / SONGS_PER_SHELF).to_string()
}

/// Name of a song's object.
fn name(song: u64) -> String {
    format!("{}/{song}", shelf(song))
}

/// Where a song is stored before the server is up: its file in the directory of a copy.
///
/// # Errors
/// If its shelf can't be made.
pub fn place(copy: &Path, song: u64) -> std::io::Result<PathBuf> {
    let shelf = copy.join(shelf(song));
    if !shelf.is_dir() {
        std::fs::create_dir_all(&shelf)?;
    }
    Ok(copy.join(name(song)))
}

/// Is the S3 server, if this process was started as one (see [`ObjectServer::prepare`]), and gives its exit code at
/// the end; `None` for any other process. A program that starts stacks calls this first.
#[must_use]
pub fn serve_objects() -> Option<u8> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != SERVE {
        return None;
    }
    let served = match (args.next(), args.next().and_then(|port| port.to_str()?.parse::<u16>().ok())) {
        (Some(root), Some(port)) => serve(Path::new(&root), port),
        _ => Err(std::io::Error::other(format!("usage: {SERVE} DIRECTORY PORT"))),
    };
    match served {
        Ok(()) => Some(0),
        Err(error) => {
            eprintln!("{SERVE}: {error}");
            Some(1)
        }
    }
}

/// Gives up the rights of root for good.
fn become_user(user: &str) -> std::io::Result<()> {
    let parsed = user.split_once(':').and_then(|(uid, gid)| Some((uid.parse().ok()?, gid.parse().ok()?)));
    let (uid, gid) =
        parsed.ok_or_else(|| std::io::Error::other(format!("{USER} is `{user}`, no UID:GID")))?;
    let gid = nix::unistd::Gid::from_raw(gid);
    nix::unistd::setgroups(&[gid])?;
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(nix::unistd::Uid::from_raw(uid))?;
    Ok(())
}

fn serve(root: &Path, port: u16) -> std::io::Result<()> {
    let (Ok(key), Ok(secret)) = (std::env::var(KEY), std::env::var(SECRET)) else {
        return Err(std::io::Error::other(format!("{KEY} and {SECRET} are not set")));
    };
    if nix::unistd::geteuid().is_root() {
        become_user(&std::env::var(USER).unwrap_or_default())?;
    }
    let files = s3s_fs::FileSystem::new(root).map_err(|error| std::io::Error::other(format!("{error:?}")))?;
    let mut service = s3s::service::S3ServiceBuilder::new(files);
    service.set_auth(s3s::auth::SimpleAuth::from_single(key, secret));
    let service = service.build();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let connections = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
        loop {
            let permit =
                std::sync::Arc::clone(&connections).acquire_owned().await.map_err(std::io::Error::other)?;
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Without it a small answer may wait for an acknowledgement; not fatal where refused.
            let _ = stream.set_nodelay(true);
            let service = service.clone();
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                // An error here is the client's.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
                drop(permit);
            });
        }
    })
}
