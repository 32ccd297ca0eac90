//! A target whose answers take 20 ms and an exponential 4 ms more: 38.4 ms at the 99th percentile.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use plimsoll_scenarios::rng::Stream;
use tokio::net::TcpListener;

use crate::Outcome;

const LEAST_S: f64 = 0.020;
const MEAN_MORE_S: f64 = 0.004;
/// The slowest tenth begins where an exponential has so many means behind it.
const TENTH: f64 = std::f64::consts::LN_10;
/// A tenth of what a client sees at the 99th percentile: 38.4 ms here, and some 1.5 ms of timer and wire.
const SLOWER_S: f64 = 0.0040;
const FAILING: f64 = 0.05;

/// How it differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    None,
    /// The slowest tenth takes 4 ms longer.
    Slower,
    /// One in twenty fails.
    Errors,
}

pub struct Target {
    pub url: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Target {
    pub fn start(change: Change) -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("gate-target")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}", listener.local_addr()?);
        // Times of its own in every run, as a real target has.
        let port = u64::from(listener.local_addr()?.port());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos() as u64;
        let draws = Arc::new(Mutex::new(Stream::new(now ^ port, "target", "service", 0)));
        runtime.spawn(accept(listener, change, draws));
        Ok(Self { url, runtime: Some(runtime) })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, change: Change, draws: Arc<Mutex<Stream>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let draws = Arc::clone(&draws);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(|request| answer(request, change, &draws));
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    _: Request<Incoming>,
    change: Change,
    draws: &Mutex<Stream>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (more, luck) = {
        let mut draws = draws.lock().unwrap_or_else(PoisonError::into_inner);
        (draws.exponential(), draws.uniform())
    };
    let slower_s = if change == Change::Slower && more > TENTH { SLOWER_S } else { 0.0 };
    tokio::time::sleep(Duration::from_secs_f64(LEAST_S + more * MEAN_MORE_S + slower_s)).await;
    let mut response = Response::new(Full::new(Bytes::from_static(&[b'x'; 1000])));
    if change == Change::Errors && luck < FAILING {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    }
    Ok(response)
}
