//! Real servers as private child processes: started, watched, started again when they die, ended with the stack.
//!
//! Why started again: a real operator has something that does so, and a stack that is loaded while parts of it are
//! killed must recover by itself. A server that was killed on purpose stays down until it is wanted again.

use std::ffi::OsString;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, User};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::guardian::Guardian;
use crate::error::StackError;
use crate::log::Log;

/// A server must be ready within this time.
const READY_MAX: Duration = Duration::from_secs(30);
/// Pause between two looks whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// One look takes no longer.
const LOOK_MAX: Duration = Duration::from_secs(2);
/// Pause before a server that died is started again, at first and at most.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A server that was told to stop has this long.
const STOP_MAX: Duration = Duration::from_secs(2);
/// Of a server's own words, so many bytes are quoted.
const QUOTED_MAX: u64 = 2000;
/// The guardian must know of a process before it becomes a server: it waits for a line, and for nothing if we die.
const WAIT_FOR_GUARDIAN: &str = "read -r go || exit 1; exec \"$@\" </dev/null";

/// Whether a server answers.
pub type Probe = Box<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// How a server is run.
pub struct Spec {
    /// As messages and the log have it, such as `nginx of edge/0`.
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(&'static str, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// What it says, beyond its own log files.
    pub output: PathBuf,
    /// Whom it runs as, where we are root.
    pub identity: Option<Identity>,
    /// Asks it to stop.
    pub stop: Signal,
    pub probe: Probe,
}

/// A user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
}

impl Identity {
    /// Where we are root: the user of this name, or `nobody`.
    ///
    /// # Errors
    /// If there is neither.
    pub fn of_server(name: &str) -> Result<Option<Self>, StackError> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(None);
        }
        let user = [name, "nobody"].into_iter().find_map(|name| User::from_name(name).ok().flatten());
        let user = user.ok_or_else(|| StackError::NoUser { name: name.to_owned() })?;
        Ok(Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() }))
    }
}

/// Makes a directory that only a server, or we, can read.
///
/// # Errors
/// If it can't be made.
pub fn private_directory(path: &Path, owner: Option<Identity>) -> Result<(), StackError> {
    let make = || {
        use std::os::unix::fs::PermissionsExt as _;

        std::fs::create_dir_all(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
        if let Some(Identity { uid, gid }) = owner {
            std::os::unix::fs::chown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    };
    let failed = |cause| StackError::Prepare { what: "a server's directory", place: path.to_owned(), cause };
    make().map_err(failed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Up,
    /// Killed on purpose.
    Down,
    /// For good.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    Starting,
    Ready,
    Down,
}

/// One server. It ends when this is dropped and its runtime still runs; see [`Server::end`] for certainty.
pub struct Server {
    name: String,
    wanted: watch::Sender<Wanted>,
    is: watch::Receiver<Is>,
    output: PathBuf,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name)
            .field("is", &*self.is.borrow())
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a server and returns at once; see [`Server::ready`].
    pub fn start(spec: Spec, guardian: Arc<Guardian>, log: Log) -> Self {
        let (wanted, wanting) = watch::channel(Wanted::Up);
        let (being, is) = watch::channel(Is::Starting);
        let (name, output) = (spec.name.clone(), spec.output.clone());
        let task = tokio::spawn(Watcher { spec, guardian, log, wanted: wanting, is: being }.run());
        Self { name, wanted, is, output, task: std::sync::Mutex::new(Some(task)) }
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// If it does not in time; with its last words.
    pub async fn ready(&self) -> Result<(), StackError> {
        let mut is = self.is.clone();
        let ready = tokio::time::timeout(READY_MAX, is.wait_for(|is| *is == Is::Ready)).await;
        match ready {
            Ok(Ok(_)) => Ok(()),
            _ => Err(StackError::Server { name: self.name.clone(), said: last_words(&self.output) }),
        }
    }

    /// Whether it answers now.
    pub fn is_ready(&self) -> bool {
        *self.is.borrow() == Is::Ready
    }

    /// Kills it, all of a sudden; it stays down. Returns once it is gone.
    pub async fn kill(&self) {
        self.wanted.send_if_modified(|wanted| {
            let turns = *wanted == Wanted::Up;
            if turns {
                *wanted = Wanted::Down;
            }
            turns
        });
        // An error means that its task has ended, and it with it.
        let _ = self.is.clone().wait_for(|is| *is == Is::Down).await;
    }

    /// Starts it again after [`Server::kill`]; waits until it answers.
    ///
    /// # Errors
    /// If it does not in time.
    pub async fn revive(&self) -> Result<(), StackError> {
        self.wanted.send_if_modified(|wanted| {
            let turns = *wanted == Wanted::Down;
            if turns {
                *wanted = Wanted::Up;
            }
            turns
        });
        self.ready().await
    }

    /// Ends it for good; returns once it is gone.
    pub async fn end(&self) {
        self.wanted.send_replace(Wanted::Ended);
        let task = self.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(task) = task {
            // A panic there has been printed already; the guardian does the rest.
            let _ = task.await;
        }
    }
}

/// The end of what a server said, for an error.
fn last_words(output: &Path) -> String {
    use std::io::{Read as _, Seek as _, SeekFrom};

    let read = || {
        let mut file = std::fs::File::open(output)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(QUOTED_MAX)))?;
        let mut bytes = Vec::new();
        file.take(QUOTED_MAX).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let said = read().unwrap_or_default();
    if said.is_empty() { "it said nothing".to_owned() } else { said }
}

/// The task that looks after one server.
struct Watcher {
    spec: Spec,
    guardian: Arc<Guardian>,
    log: Log,
    wanted: watch::Receiver<Wanted>,
    is: watch::Sender<Is>,
}

impl Watcher {
    async fn run(mut self) {
        let mut pause = PAUSE;
        // An error means that the handle is gone: the same as for good.
        while self.wanted.has_changed().is_ok() {
            let wanted = *self.wanted.borrow_and_update();
            match wanted {
                Wanted::Ended => return,
                Wanted::Down => {
                    self.is.send_replace(Is::Down);
                    if self.wanted.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
                Wanted::Up => {}
            }
            let began = Instant::now();
            self.is.send_replace(Is::Starting);
            match spawn(&self.spec, &self.guardian).await {
                Ok(child) => self.watch(child).await,
                Err(error) => {
                    self.log.note("servers", format_args!("{} can't be started: {error}", self.spec.name));
                }
            }
            self.is.send_replace(Is::Starting);
            // Who lived for a while is started again at once.
            pause = if began.elapsed() > PAUSE_MAX { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
            if *self.wanted.borrow() == Wanted::Up {
                let _ = tokio::time::timeout(pause, self.wanted.changed()).await;
            }
        }
    }

    /// Looks after a process until it is gone.
    async fn watch(&mut self, mut child: Child) {
        let Some(group) = child.id() else { return };
        let began = Instant::now();
        let readiness = async {
            loop {
                if tokio::time::timeout(LOOK_MAX, (self.spec.probe)()).await == Ok(true) {
                    return;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let mut readiness = std::pin::pin!(readiness);
        let mut is_ready = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status.ok(),
                () = readiness.as_mut(), if !is_ready => {
                    is_ready = true;
                    self.is.send_replace(Is::Ready);
                    let took = began.elapsed().as_secs_f64();
                    self.log.note("servers", format_args!("{} is up after {took:.2} s", self.spec.name));
                }
                // An error means that the handle is gone, and nobody wants it any more.
                _ = self.wanted.wait_for(|wanted| *wanted != Wanted::Up) => {
                    break None;
                }
            }
        };
        if let Some(status) = status {
            self.log.note("servers", format_args!("{} died: {status}; it is started again", self.spec.name));
        } else {
            let kindly = *self.wanted.borrow() != Wanted::Down;
            if kindly {
                signal(group, self.spec.stop);
            }
            let end = tokio::time::timeout(if kindly { STOP_MAX } else { Duration::ZERO }, child.wait());
            if end.await.is_err() {
                signal(group, Signal::SIGKILL);
                let _ = child.wait().await;
            }
        }
        // Workers that have lost their master.
        signal(group, Signal::SIGKILL);
        self.guardian.forget(group);
    }
}

/// Starts the process, which the guardian knows before it becomes the server.
async fn spawn(spec: &Spec, guardian: &Guardian) -> std::io::Result<Child> {
    let output = std::fs::OpenOptions::new().create(true).append(true).open(&spec.output)?;
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(WAIT_FOR_GUARDIAN).arg("sh").arg(&spec.program).args(&spec.args);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
    for (name, value) in &spec.env {
        command.env(name, value);
    }
    command.current_dir(&spec.directory).stdin(Stdio::piped());
    command.stdout(output.try_clone()?).stderr(output).process_group(0).kill_on_drop(true);
    if let Some(Identity { uid, gid }) = spec.identity {
        command.gid(gid).uid(uid);
    }
    let mut child = command.spawn()?;
    let group = child.id().ok_or_else(|| std::io::Error::other("it ended at once"))?;
    guardian.guard(group, spec.stop.as_str().trim_start_matches("SIG"))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(b"go\n").await?;
    }
    Ok(child)
}

/// Runs a program that ends by itself.
///
/// # Errors
/// If it can't be run, fails or takes too long; with its last words.
pub async fn run_to_end(spec: &Spec, guardian: &Guardian) -> Result<(), StackError> {
    let failed = |said| StackError::Server { name: spec.name.clone(), said };
    let mut child = spawn(spec, guardian).await.map_err(|error| failed(error.to_string()))?;
    let group = child.id();
    let ended = tokio::time::timeout(READY_MAX, child.wait()).await;
    if let Some(group) = group {
        signal(group, Signal::SIGKILL);
        guardian.forget(group);
    }
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        _ => Err(failed(last_words(&spec.output))),
    }
}

/// A group without processes is no failure.
fn signal(group: u32, signal: Signal) {
    let _ = killpg(Pid::from_raw(group.cast_signed()), signal);
}

/// Whether somebody listens there.
pub fn listens(at: SocketAddr) -> Probe {
    Box::new(move || Box::pin(async move { tokio::net::TcpStream::connect(at).await.is_ok() }))
}
