//! Listening: one bounded accept loop per port.
//!
//! Why limits everywhere: a load generator is the most hostile client that a server meets; whatever it
//! does, memory and file descriptors must stay within bounds that are known beforehand.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Sleep, Timer};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::MissedTickBehavior;

use crate::body::Body;
use crate::error::StackError;
use crate::patience::Patient;

/// Connections of one listener; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 4096;
/// Bytes of a request's head, of a hundred headers at most, which is hyper's limit.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Buffer of one connection.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// A client must have sent its headers within this time; an idle connection is closed after it, or up to a
/// [`GLANCE_EVERY`] later.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Each connection looks at its time limit this often.
const GLANCE_EVERY: Duration = Duration::from_secs(3);
/// Open requests may take this long to end when the stack stops.
const DRAIN: Duration = Duration::from_millis(500);
/// Pause after a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A client that asked for something must read on within this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections that wait in the kernel. As many as are served: where it is full, the kernel drops what comes without a
/// word, and who connects tries again after a second, then after two, four and eight, while others get in.
const BACKLOG: u32 = CONNECTIONS_MAX as u32;

/// A port must have followed its door within this time.
const FOLLOW_TIMEOUT: Duration = Duration::from_secs(5);

/// What a port does. Openings have numbers, so that shutting and opening again at once is not overlooked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open(u64),
    /// Refuses connections and has cut those it had, like a process that was killed. The next opening has this number.
    Shut(u64),
    /// Lets open requests end.
    Stopping,
}

/// The port was shut while a request was being answered: its connection is cut without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the port was shut")]
struct Dead;

/// A handle to a port, to shut and open it.
#[derive(Debug, Clone)]
pub struct Door(Arc<Hinge>);

#[derive(Debug)]
struct Hinge {
    phase: watch::Sender<Phase>,
    /// The opening that there is, or that comes next: read before every answer, and so not under the phase's lock.
    opening: AtomicU64,
    /// The opening for which there is a listener.
    listens: Mutex<Option<u64>>,
    followed: Condvar,
}

impl Door {
    pub fn new() -> Self {
        Self(Arc::new(Hinge {
            phase: watch::Sender::new(Phase::Open(0)),
            opening: AtomicU64::new(0),
            listens: Mutex::new(Some(0)),
            followed: Condvar::new(),
        }))
    }

    /// Cuts all connections and refuses new ones. No request is answered from here on, wherever it is.
    pub fn shut(&self) {
        self.turn(|phase| match phase {
            Phase::Open(opening) => Some(Phase::Shut(opening + 1)),
            Phase::Shut(_) | Phase::Stopping => None,
        });
    }

    pub fn open(&self) {
        self.turn(|phase| match phase {
            Phase::Shut(opening) => Some(Phase::Open(opening)),
            Phase::Open(_) | Phase::Stopping => None,
        });
    }

    /// For good, but gently.
    pub fn stop(&self) {
        self.0.phase.send_replace(Phase::Stopping);
    }

    fn turn(&self, to: impl FnOnce(Phase) -> Option<Phase>) {
        self.0.phase.send_if_modified(|phase| {
            let turned = to(*phase);
            if let Some(Phase::Shut(opening)) = turned {
                self.0.opening.store(opening, Ordering::Release);
            }
            *phase = turned.unwrap_or(*phase);
            turned.is_some()
        });
    }

    /// Waits until the port does what the door says: listens, or refuses connections. Gives whether it does so in
    /// time. Blocks; not to be called on a thread of the runtime.
    pub fn followed(&self) -> bool {
        let wanted = match *self.0.phase.borrow() {
            Phase::Open(opening) => Some(opening),
            Phase::Shut(_) => None,
            Phase::Stopping => return true,
        };
        let listens = self.0.listens.lock().unwrap_or_else(PoisonError::into_inner);
        let followed =
            self.0.followed.wait_timeout_while(listens, FOLLOW_TIMEOUT, |listens| *listens != wanted);
        !followed.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn follows(&self, listens: Option<u64>) {
        *self.0.listens.lock().unwrap_or_else(PoisonError::into_inner) = listens;
        self.0.followed.notify_all();
    }
}

/// Opens a port on 127.0.0.1; any free one without `port`. Called on the runtime that will serve it.
///
/// # Errors
/// [`StackError::PortTaken`], or whatever else keeps us from listening.
pub fn listen(tier: &str, port: Option<u16>) -> Result<(TcpListener, SocketAddr), StackError> {
    let failed = |cause: std::io::Error| match port {
        Some(port) if cause.kind() == std::io::ErrorKind::AddrInUse => StackError::PortTaken { port },
        _ => StackError::Listen { tier: tier.to_owned(), cause },
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    let listener = bound(address).and_then(|socket| socket.listen(BACKLOG)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// A socket that has its address and does not listen yet.
fn bound(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address).map(|()| socket)
}

/// Serves until the door is stopped, then closes the port and lets open requests end.
pub async fn serve<H, F>(mut listener: TcpListener, address: SocketAddr, door: Door, handler: H)
where
    H: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut phase = door.0.phase.subscribe();
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut opening = 0;
    loop {
        door.follows(Some(opening));
        tokio::select! {
            () = accept(&listener, opening, &connections, &door, &handler) => {}
            _ = phase.wait_for(|phase| *phase != Phase::Open(opening)) => {}
        }
        drop(listener);
        door.follows(None);
        if *phase.borrow_and_update() == Phase::Stopping {
            break;
        }
        match reopened(address, &mut phase).await {
            Some(open) => (listener, opening) = open,
            None => break,
        }
    }
    // All permits are back once every connection has ended.
    let _ = tokio::time::timeout(DRAIN, connections.acquire_many(CONNECTIONS_MAX as u32)).await;
}

/// Keeps the port without listening, so that connections are refused and nobody else takes it, until the door
/// is open again, and says which opening that is; `None` if it stops instead.
async fn reopened(address: SocketAddr, phase: &mut watch::Receiver<Phase>) -> Option<(TcpListener, u64)> {
    let mut held = bound(address);
    loop {
        let turned = phase.wait_for(|phase| !matches!(phase, Phase::Shut(_))).await.ok().map(|phase| *phase);
        let Some(Phase::Open(opening)) = turned else { return None };
        match held.and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return Some((listener, opening)),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        held = bound(address);
    }
}

async fn accept<H, F>(
    listener: &TcpListener,
    opening: u64,
    connections: &Arc<Semaphore>,
    door: &Door,
    handler: &H,
) where
    H: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    loop {
        let Ok(permit) = Arc::clone(connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer.ip(), (door.clone(), opening), handler.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Serves one connection for as long as the opening lasts that it came in by.
async fn connection<H, F>(stream: TcpStream, peer: IpAddr, (door, opening): (Door, u64), handler: H)
where
    H: Fn(Request<Incoming>, IpAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut phase = door.0.phase.subscribe();
    // Without it a small response may wait for an acknowledgement; not fatal where refused.
    let _ = stream.set_nodelay(true);
    let hinge = &door.0;
    let service = service_fn(|request| {
        let response = handler(request, peer);
        async move {
            let response = response.await;
            // The dead say nothing, not even that they are dead: who asked shall ask another.
            if hinge.opening.load(Ordering::Acquire) == opening { Ok(response) } else { Err(Dead) }
        }
    });
    let connection = http1::Builder::new()
        .timer(Glances)
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_TIMEOUT)), service);
    let mut connection = pin!(connection);
    let mut glances = tokio::time::interval(GLANCE_EVERY);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // An error here is the client's: it went away or spoke no HTTP. hyper has answered what can be answered.
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            _ = phase.wait_for(|phase| *phase != Phase::Open(opening)) => break,
            _ = glances.tick() => {}
        }
    }
    if *phase.borrow() == Phase::Stopping {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(DRAIN, connection).await;
    }
}

/// Time limits that wake nobody: a connection looks at its own every [`GLANCE_EVERY`].
///
/// Why: each request begins and ends one, and the runtime's timers are shared by all threads.
#[derive(Debug, Clone, Copy)]
struct Glances;

#[derive(Debug)]
struct Until(Instant);

impl Timer for Glances {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until(deadline))
    }
}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() < self.0 { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Sleep for Until {}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::reply;

    #[tokio::test]
    async fn a_head_that_does_not_come_ends_the_connection_at_the_next_glance() {
        let (ours, theirs) = tokio::io::duplex(100);
        let service = service_fn(|_| std::future::ready(Ok::<_, Dead>(reply::empty(StatusCode::OK))));
        let connection = http1::Builder::new()
            .timer(Glances)
            .header_read_timeout(Duration::from_millis(20))
            .serve_connection(TokioIo::new(ours), service);
        let mut connection = pin!(connection);
        let begun = Instant::now();
        let ended = loop {
            let glance = tokio::time::timeout(Duration::from_millis(5), connection.as_mut());
            if let Ok(ended) = glance.await {
                break ended;
            }
        };
        assert!(ended.unwrap_err().is_timeout() && begun.elapsed() >= Duration::from_millis(20));
        drop(theirs);
    }

    #[tokio::test]
    async fn a_port_that_is_shut_while_it_answers_says_nothing_and_may_be_opened_again() {
        let (listener, address) = listen("web", None).unwrap();
        let door = Door::new();
        let (shuts, answers) = (door.clone(), StatusCode::SERVICE_UNAVAILABLE);
        let handler = move |request: Request<Incoming>, _| {
            if request.uri().path() == "/die" {
                shuts.shut();
            }
            std::future::ready(reply::empty(answers))
        };
        let served = tokio::spawn(serve(listener, address, door.clone(), handler));
        let ask = async |path: &str| {
            let mut stream = TcpStream::connect(address).await?;
            let head = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        assert!(ask("/live").await.unwrap().starts_with("HTTP/1.1 503 "));
        let followed = async || {
            let door = door.clone();
            tokio::task::spawn_blocking(move || door.followed()).await.unwrap()
        };
        let mut kept = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask("/die").await.unwrap_or_default(), "");
        assert!(followed().await && ask("/live").await.is_err(), "nobody listens");
        door.open();
        assert!(followed().await);
        assert!(ask("/live").await.unwrap().starts_with("HTTP/1.1 503 "));
        // However short it was shut, who was connected is cut.
        let mut cut = TcpStream::connect(address).await.unwrap();
        door.shut();
        door.open();
        assert!(followed().await);
        for stream in [&mut kept, &mut cut] {
            assert_eq!(stream.read(&mut [0; 9]).await.unwrap_or_default(), 0);
        }
        assert!(ask("/live").await.unwrap().starts_with("HTTP/1.1 503 "));
        door.stop();
        served.await.unwrap();
    }
}
