//! An instance that a tier calls, and the connections to it, driven by whoever uses one.
//!
//! Why not a client with a pool of its own: there each connection is a task beside the caller's, so that every request
//! and every piece of an answer goes from one task to the other, often over two processors. Here the request that has
//! taken a connection polls it itself, and so does whoever reads the body; who is done puts it back.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::unconstrained;

/// A connection must be there within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that are kept while nobody uses them.
const IDLE_MAX: usize = 512;
/// Shorter than the servers' own limit, so that a kept connection is never closed under a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// What a tier sends.
pub type Asked = Request<Full<Bytes>>;

type Http1 = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// One instance; clones share its connections.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Instance>);

#[derive(Debug)]
struct Instance {
    address: SocketAddr,
    host: HeaderValue,
    /// Those that nobody uses, the one that was used last at the end.
    idle: Mutex<VecDeque<Idle>>,
}

#[derive(Debug)]
struct Idle {
    open: Box<Open>,
    since: Instant,
}

/// One connection.
#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    /// What reads and writes; gone once either side has closed it.
    connection: Option<Http1>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error(transparent)]
    Connect(Error),
    #[error(transparent)]
    Http(hyper::Error),
}

impl Peer {
    /// Nothing is opened before something is asked.
    pub fn at(address: SocketAddr) -> Self {
        let host = HeaderValue::try_from(address.to_string()).expect("an address is a header value");
        Self(Arc::new(Instance { address, host, idle: Mutex::default() }))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// As the header `Host` has it.
    pub fn host(&self) -> HeaderValue {
        self.0.host.clone()
    }

    /// Sends a request and waits for the head of its answer: over a kept connection, or over a new one where none is
    /// left that is still open. A request of which the other side may have seen something is not sent again.
    ///
    /// # Errors
    /// If nobody listens there, or what comes back is no answer.
    pub async fn ask(&self, mut request: Asked) -> Result<Response<Answer>, NoAnswer> {
        while let Some(open) = self.0.take() {
            match self.ask_over(open, request).await {
                Ok(answer) => return Ok(answer),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(NoAnswer::Http(failed.into_error())),
                },
            }
        }
        let open = self.0.connect().await?;
        self.ask_over(open, request).await.map_err(|failed| NoAnswer::Http(failed.into_error()))
    }

    async fn ask_over(
        &self,
        mut open: Box<Open>,
        request: Asked,
    ) -> Result<Response<Answer>, TrySendError<Asked>> {
        // The answer must not be what yields: see `come`.
        let mut answer = pin!(unconstrained(open.sender.try_send_request(request)));
        let connection = &mut open.connection;
        let answer = poll_fn(|context| come(connection, context, |context| answer.as_mut().poll(context)));
        Ok(answer.await?.map(|body| Answer::new(body, open, Arc::clone(&self.0))))
    }
}

impl Instance {
    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // Poisoning needs a panic within a push or pop; the connections are then still whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, if it is not too old. Whether the other side has closed it meanwhile, its
    /// next user will see before anything is sent.
    fn take(&self) -> Option<Box<Open>> {
        let mut idle = self.idle();
        let last = idle.pop_back()?;
        if last.since.elapsed() < IDLE_TIMEOUT {
            return Some(last.open);
        }
        // The others are older.
        idle.clear();
        None
    }

    /// Keeps a connection whose answer was read to the end.
    fn put(&self, mut open: Box<Open>) {
        if !open.sender.is_ready() {
            // It may not have noticed yet that all is read and written.
            work(&mut open.connection, &mut Context::from_waker(Waker::noop()));
        }
        if open.connection.is_none() || !open.sender.is_ready() {
            return;
        }
        let now = Instant::now();
        let mut idle = self.idle();
        let is_old = |first: &Idle| now.duration_since(first.since) >= IDLE_TIMEOUT;
        while idle.front().is_some_and(is_old) || idle.len() >= IDLE_MAX {
            idle.pop_front();
        }
        idle.push_back(Idle { open, since: now });
    }

    async fn connect(&self) -> Result<Box<Open>, NoAnswer> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address));
        let stream = connecting.await.unwrap_or_else(|_| {
            let cause = format!("no connection within {} s", CONNECT_TIMEOUT.as_secs());
            Err(Error::new(ErrorKind::TimedOut, cause))
        });
        let stream = stream.map_err(NoAnswer::Connect)?;
        // Without it a small request may wait for an acknowledgement; not fatal where refused.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = Builder::new()
            // What a tier sends is small: one piece is sent sooner than a list of pieces.
            .writev(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(NoAnswer::Http)?;
        Ok(Box::new(Open { sender, connection: Some(connection) }))
    }
}

/// What a connection brings, once it is there.
///
/// It comes by our own work on the connection, so nobody has to wake us for it, and a connection that works in our name
/// would do so in vain, for what we take at once. So our name is given only where we have to wait: for the socket.
fn come<T>(
    connection: &mut Option<Http1>,
    context: &mut Context<'_>,
    mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let nobody = &mut Context::from_waker(Waker::noop());
    work(connection, nobody);
    if let Poll::Ready(it) = wanted(nobody) {
        return Poll::Ready(it);
    }
    // Only now the connection knows that somebody waits for more, which it may have already.
    work(connection, context);
    wanted(nobody)
}

/// Lets a connection read and write what it can.
fn work(connection: &mut Option<Http1>, context: &mut Context<'_>) {
    // How it ended, whoever waits for an answer or a body is told by that.
    if connection.as_mut().is_some_and(|open| Pin::new(open).poll(context).is_ready()) {
        *connection = None;
    }
}

/// The body of an answer, with the connection that it comes over. It goes back to its peer at the end of the body, and
/// is closed where the body is dropped before.
#[derive(Debug)]
pub struct Answer {
    body: Incoming,
    /// Until the end.
    over: Option<(Box<Open>, Arc<Instance>)>,
}

impl Answer {
    fn new(body: Incoming, open: Box<Open>, instance: Arc<Instance>) -> Self {
        let mut answer = Self { body, over: Some((open, instance)) };
        if answer.body.is_end_stream() {
            answer.give_back();
        }
        answer
    }

    fn give_back(&mut self) {
        if let Some((open, instance)) = self.over.take() {
            instance.put(open);
        }
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let mut frame = Pin::new(&mut this.body).poll_frame(&mut Context::from_waker(Waker::noop()));
        if let (Poll::Pending, Some((open, _))) = (&frame, &mut this.over) {
            let body = &mut this.body;
            frame = come(&mut open.connection, cx, |context| Pin::new(&mut *body).poll_frame(context));
        }
        match &frame {
            Poll::Ready(Some(Err(_))) => this.over = None,
            Poll::Ready(None) => this.give_back(),
            Poll::Ready(Some(Ok(_))) if this.body.is_end_stream() => this.give_back(),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers each connection's requests with these texts, one after the other, and then closes it.
    async fn server(answers: &'static [&'static str]) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer::at(listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in answers {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    // In pieces, so that body and head come apart.
                    for piece in answer.as_bytes().chunks(40) {
                        stream.write_all(piece).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                }
            }
        });
        peer
    }

    async fn ask(peer: &Peer) -> Result<Response<Answer>, NoAnswer> {
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(http::header::HOST, peer.host());
        tokio::time::timeout(Duration::from_secs(30), peer.ask(request)).await.expect("an answer or none")
    }

    async fn text(answer: Response<Answer>) -> Result<Bytes, hyper::Error> {
        let read = tokio::time::timeout(Duration::from_secs(30), answer.into_body().collect());
        Ok(read.await.expect("an end")?.to_bytes())
    }

    const LONG: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n\
        0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    const EMPTY: &str = "HTTP/1.1 204 No Content\r\n\r\n";
    const TORN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";

    #[tokio::test]
    async fn a_connection_goes_back_at_the_end_of_each_body_and_one_that_was_closed_meanwhile_costs_nothing()
    {
        let peer = server(&[LONG, CHUNKED, EMPTY]).await;
        for round in 0..3 {
            let long = ask(&peer).await.unwrap();
            assert_eq!((peer.0.idle().len(), long.body().size_hint().exact()), (0, Some(100)));
            assert_eq!(text(long).await.unwrap(), LONG[LONG.len() - 100..], "round {round}");
            assert_eq!(peer.0.idle().len(), 1);
            assert_eq!(text(ask(&peer).await.unwrap()).await.unwrap(), "abcdef");
            let empty = ask(&peer).await.unwrap();
            assert!(empty.body().is_end_stream() && peer.0.idle().len() == 1);
            // By now the server has closed it, which nobody here has seen.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn bodies_that_break_off_are_errors_and_those_that_nobody_reads_close_their_connection() {
        let peer = server(&[TORN]).await;
        assert!(text(ask(&peer).await.unwrap()).await.is_err());
        drop(ask(&peer).await.unwrap());
        assert!(peer.0.idle().is_empty());
        let nobody = Peer::at(TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap());
        assert!(matches!(ask(&nobody).await, Err(NoAnswer::Connect(_))));
    }
}
