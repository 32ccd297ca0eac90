//! Keep-alive connections, driven by whoever uses one.
//!
//! Why not a client with a pool of its own: there each connection is a task beside the user's, so that every request
//! goes from one task to the other and back, often over two processors. On a small request that is a third of all
//! work. Here the user who has taken a connection polls it himself; who is done puts it back on a stack, so that as
//! few are in use as suffice. A request may also be sent by one thread in the name of a user ([`Open::begin`]), who is
//! woken when its answer comes.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::record::Shared;
use crate::schedule::HttpRequest;

/// The connections to one address that nobody uses.
#[derive(Debug)]
pub struct Pool {
    address: SocketAddr,
    idle: Mutex<Vec<Open>>,
}

/// One connection.
#[derive(Debug)]
pub struct Open {
    sender: SendRequest<Full<Bytes>>,
    /// What reads and writes; gone once either side has closed it.
    connection: Option<Pin<Box<Http1>>>,
}

type Http1 = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// Why there is no connection.
#[derive(Debug)]
pub enum NoConnection {
    Io(std::io::Error),
    Http(hyper::Error),
}

impl Pool {
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// The connection that was used last. Should the other side have closed it meanwhile, what is asked for is given
    /// back.
    pub fn take(&self) -> Option<Open> {
        // Poisoning needs a panic within a push or pop of a `Vec`; its items are then still whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps a connection whose answer was read to the end, unless that was its last.
    pub fn put(&self, mut open: Open) {
        // It forgets whom to wake: who used it has other things to do when the next one does.
        open.work(&mut Context::from_waker(Waker::noop()));
        if open.connection.is_some() && open.sender.is_ready() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(open);
        }
    }

    /// Opens a new one, and records how long that took, whatever came of it.
    pub async fn connect(&self, shared: &Shared) -> Result<Open, NoConnection> {
        let began = Instant::now();
        let connected = TcpStream::connect(self.address).await;
        shared.connected(began.elapsed());
        let stream = connected.map_err(NoConnection::Io)?;
        stream.set_nodelay(true).map_err(NoConnection::Io)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(NoConnection::Http)?;
        Ok(Open { sender, connection: Some(Box::pin(connection)) })
    }
}

/// A request that has been written, and the connection on which its answer comes.
pub struct UnderWay {
    open: Open,
    answer: Pin<Box<dyn Future<Output = Answer> + Send>>,
    pub since: Instant,
}

/// The head of an answer. An error gives the request back if nothing of it was sent.
pub type Answer = Result<Response<Incoming>, TrySendError<HttpRequest>>;

impl UnderWay {
    /// Waits for the head of the answer.
    pub async fn answer(mut self) -> (Open, Answer) {
        let answer = self.open.drive(self.answer).await;
        (self.open, answer)
    }

    /// The connection has ended: nobody will be woken, and `answer` says at once how.
    pub const fn ended(&self) -> bool {
        self.open.connection.is_none()
    }
}

impl std::fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnderWay").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Open {
    /// Writes a request now, on the thread that calls; `waker` is woken when there is something to read.
    pub fn begin(mut self, request: HttpRequest, waker: &Waker) -> UnderWay {
        let since = Instant::now();
        let answer = Box::pin(self.sender.try_send_request(request));
        self.work(&mut Context::from_waker(waker));
        UnderWay { open: self, answer, since }
    }

    /// Sends a request and waits for the head of its answer. An error gives the request back if nothing of it was sent.
    pub async fn ask(&mut self, request: HttpRequest) -> Answer {
        let answer = self.sender.try_send_request(request);
        self.drive(answer).await
    }

    /// Waits for something that comes over this connection.
    pub async fn drive<F: Future>(&mut self, wanted: F) -> F::Output {
        let mut wanted = pin!(wanted);
        poll_fn(|context| {
            self.work(context);
            wanted.as_mut().poll(context)
        })
        .await
    }

    /// Lets it read and write what it can.
    fn work(&mut self, context: &mut Context<'_>) {
        // How it ended, whoever waits for an answer is told by that.
        let ended = self.connection.as_mut().is_some_and(|c| c.as_mut().poll(context).is_ready());
        if ended {
            self.connection = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::Request;
    use tokio::net::TcpListener;

    use super::*;

    /// A connection that looks open when it is taken and has been closed when it is used.
    #[tokio::test]
    async fn a_request_on_a_connection_that_was_just_closed_is_given_back_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Pool::new(listener.local_addr().unwrap());
        let mut open = pool.connect(&Shared::new(1, 1, 0)).await.unwrap();
        open.work(&mut Context::from_waker(Waker::noop()));
        assert!(open.sender.is_ready());
        drop(listener.accept().await.unwrap());
        // Until its end has been seen by the runtime, and not by the connection.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let asked = open.ask(Request::new(Full::new(Bytes::new())));
        let answer = tokio::time::timeout(Duration::from_secs(10), asked).await;
        let mut refused = answer.expect("it must not be waited for").expect_err("nobody answers");
        assert!(refused.take_message().is_some(), "nothing of it was sent: {refused:?}");
        pool.put(open);
        assert!(pool.take().is_none());
    }
}
