//! A target that says when requests have reached it, by the kernel's clock and not by its own.
//!
//! Why the kernel's: on loopback a packet is stamped within the very call that sends it, so the stamps are the moments
//! of sending, told by neither the generator nor a target that had to wait for a processor.

use std::io::{ErrorKind, IoSliceMut};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nix::cmsg_space;
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::{TcpListener, TcpStream};

use crate::Outcome;

const END: &[u8] = b"\r\n\r\n";

/// Answers every request with 1,000 bytes, from a thread of its own.
pub struct Stamped {
    pub url: String,
    arrived: Arc<Mutex<Vec<Duration>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// What has arrived.
pub struct Arrived {
    pub requests: usize,
    /// Standard deviation of the gaps over their mean; 1 of a Poisson process.
    pub cv: f64,
}

impl Stamped {
    pub fn start() -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("stamped-target")
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        setsockopt(&listener, ReceiveTimestampns, &true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let stamps = Arc::clone(&arrived);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&stamps)));
            }
        });
        Ok(Self { url, arrived, runtime: Some(runtime) })
    }

    /// Ends it.
    pub fn end(mut self) -> Outcome<Arrived> {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
        let mut stamps = std::mem::take(&mut *self.arrived.lock().map_err(|_| "the target has panicked")?);
        // It reads connections one by one, and not in the order in which they were written.
        stamps.sort_unstable();
        let gaps: Vec<f64> = stamps.windows(2).map(|pair| pair[1].abs_diff(pair[0]).as_secs_f64()).collect();
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Ok(Arrived { requests: stamps.len(), cv: variance.sqrt() / mean })
    }
}

async fn serve(mut stream: TcpStream, arrived: Arc<Mutex<Vec<Duration>>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    setsockopt(&stream, ReceiveTimestampns, &true)?;
    let mut answer = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 1_000, b'x');
    let (mut buffer, mut request) = ([0; 4_096], Vec::new());
    loop {
        let (bytes, stamp) = stream.async_io(Interest::READABLE, || receive(&stream, &mut buffer)).await?;
        if bytes == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..bytes]);
        // Requests have no bodies. Who does not wait for answers may have sent several.
        while let Some(end) = request.windows(END.len()).position(|window| window == END) {
            request.drain(..end + END.len());
            arrived.lock().map_err(|_| ErrorKind::Other)?.push(stamp);
            stream.write_all(&answer).await?;
        }
    }
}

/// What is there, and when the last of it came: by the kernel's stamp, or by the clock until it has begun to stamp, which
/// it does some time after the first socket has asked for it.
fn receive(stream: &TcpStream, buffer: &mut [u8]) -> std::io::Result<(usize, Duration)> {
    let mut control = cmsg_space!(TimeSpec);
    let mut into = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut into, Some(&mut control), MsgFlags::MSG_DONTWAIT)?;
    let stamp = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    });
    let by_clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok((message.bytes, stamp.unwrap_or_else(by_clock)))
}
