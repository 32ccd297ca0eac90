//! Listening: one bounded accept loop per port.
//!
//! Why limits everywhere: a load generator is the most hostile client that a server meets; whatever it
//! does, memory and file descriptors must stay within bounds that are known beforehand.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::body::Body;
use crate::error::StackError;
use crate::patience::Patient;

/// Connections of one listener; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 4096;
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Buffer of one connection.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// A client must have sent its headers within this time; an idle connection is closed after it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Open requests may take this long to end when the stack stops.
const DRAIN: Duration = Duration::from_millis(500);
/// Pause after a failed accept (no file descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A client that asked for something must read on within this time.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections that wait in the kernel.
const BACKLOG: u32 = 1024;

/// What a port does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Refuses connections and has cut those it had, like a process that was killed.
    Shut,
    /// Lets open requests end.
    Stopping,
}

/// The port was shut while a request was being answered: its connection is cut without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the port was shut")]
struct Dead;

/// A handle to a port, to shut and open it.
#[derive(Debug, Clone)]
pub struct Door(watch::Sender<Phase>);

impl Door {
    pub fn new() -> Self {
        Self(watch::Sender::new(Phase::Open))
    }

    /// Cuts all connections and refuses new ones. No request is answered from here on, wherever it is.
    pub fn shut(&self) {
        self.turn(Phase::Shut);
    }

    pub fn open(&self) {
        self.turn(Phase::Open);
    }

    /// For good, but gently.
    pub fn stop(&self) {
        self.0.send_replace(Phase::Stopping);
    }

    fn turn(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let turns = *phase != Phase::Stopping && *phase != to;
            if turns {
                *phase = to;
            }
            turns
        });
    }
}

/// Opens a port on 127.0.0.1; any free one without `port`.
///
/// # Errors
/// [`StackError::PortTaken`], or whatever else keeps us from listening.
pub async fn listen(tier: &str, port: Option<u16>) -> Result<(TcpListener, SocketAddr), StackError> {
    let failed = |cause: std::io::Error| match port {
        Some(port) if cause.kind() == std::io::ErrorKind::AddrInUse => StackError::PortTaken { port },
        _ => StackError::Listen { tier: tier.to_owned(), cause },
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Serves until the door is stopped, then closes the port and lets open requests end.
pub async fn serve<H, F>(mut listener: TcpListener, address: SocketAddr, door: Door, handler: H)
where
    H: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let (mut phase, watched) = (door.0.subscribe(), door.0.subscribe());
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        tokio::select! {
            () = accept(&listener, &connections, &watched, &handler) => {}
            _ = phase.wait_for(|phase| *phase != Phase::Open) => {}
        }
        drop(listener);
        if *phase.borrow_and_update() == Phase::Stopping {
            break;
        }
        match reopened(address, &mut phase).await {
            Some(open) => listener = open,
            None => break,
        }
    }
    // All permits are back once every connection has ended.
    let _ = tokio::time::timeout(DRAIN, connections.acquire_many(CONNECTIONS_MAX as u32)).await;
}

/// Keeps the port without listening, so that connections are refused and nobody else takes it, until the door
/// is open again; `None` if it stops instead.
async fn reopened(address: SocketAddr, phase: &mut watch::Receiver<Phase>) -> Option<TcpListener> {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address).map(|()| socket)
    };
    let mut held = bind();
    let _ = phase.wait_for(|phase| *phase != Phase::Shut).await;
    loop {
        if *phase.borrow() == Phase::Stopping || phase.has_changed().is_err() {
            return None;
        }
        match held.and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return Some(listener),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        held = bind();
    }
}

async fn accept<H, F>(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
    phase: &watch::Receiver<Phase>,
    handler: &H,
) where
    H: Fn(Request<Incoming>, IpAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    loop {
        let Ok(permit) = Arc::clone(connections).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let connection = connection(stream, peer.ip(), phase.clone(), handler.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection<H, F>(stream: TcpStream, peer: IpAddr, mut phase: watch::Receiver<Phase>, handler: H)
where
    H: Fn(Request<Incoming>, IpAddr) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Without it a small response may wait for an acknowledgement; not fatal where refused.
    let _ = stream.set_nodelay(true);
    let door = phase.clone();
    let service = service_fn(|request| {
        let response = handler(request, peer);
        let door = &door;
        async move {
            let response = response.await;
            // The dead say nothing, not even that they are dead: who asked shall ask another.
            if *door.borrow() == Phase::Shut { Err(Dead) } else { Ok(response) }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_TIMEOUT)), service);
    let mut connection = pin!(connection);
    // An error here is the client's: it went away or spoke no HTTP. hyper has answered what can be answered.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase != Phase::Open) => {}
    }
    if *phase.borrow() == Phase::Stopping {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(DRAIN, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::reply;

    #[tokio::test]
    async fn a_port_that_is_shut_while_it_answers_says_nothing_and_may_be_opened_again() {
        let (listener, address) = listen("web", None).await.unwrap();
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
        assert_eq!(ask("/die").await.unwrap_or_default(), "");
        door.open();
        // It listens again a moment later.
        let back = async {
            while ask("/live").await.unwrap_or_default().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), back).await.unwrap();
        door.stop();
        served.await.unwrap();
    }
}
