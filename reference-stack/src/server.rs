//! Listening: one bounded accept loop per port.
//!
//! Why limits everywhere: a load generator is the most hostile client that a server meets; whatever it
//! does, memory and file descriptors must stay within bounds that are known beforehand.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::error::StackError;
use crate::reply::Body;

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

/// Serves until `stop` turns true (or its sender is gone), then closes the port and lets open requests end.
pub async fn serve<H, F>(listener: TcpListener, mut stop: watch::Receiver<bool>, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let stopped = stop.clone();
    let accepting = async {
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = connection(stream, stopped.clone(), handler.clone());
                    tokio::spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stop.wait_for(|&stop| stop) => {}
    }
    drop(listener);
    // All permits are back once every connection has ended.
    let _ = tokio::time::timeout(DRAIN, connections.acquire_many(CONNECTIONS_MAX as u32)).await;
}

async fn connection<H, F>(stream: TcpStream, mut stop: watch::Receiver<bool>, handler: H)
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Without it a small response may wait for an acknowledgement; not fatal where refused.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let response = handler(request);
        async move { Ok::<_, Infallible>(response.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // An error here is the client's: it went away or spoke no HTTP. hyper has answered what can be answered.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|&stop| stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(DRAIN, connection).await;
}
