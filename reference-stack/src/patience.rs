//! A connection whose peer must read what it asked for.
//!
//! Why: a client that stops reading holds a connection, its buffers and perhaps a slot for ever; the limit on
//! the head of a request does not see it. A write that makes no progress for too long ends the connection.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Bytes up to which a list of pieces is copied into one: that is sooner sent.
const ONE_PIECE_MAX: usize = 2048;

/// A stream with a limit on how long a write may be stuck.
#[derive(Debug)]
pub struct Patient<S> {
    stream: S,
    limit: Duration,
    /// Runs while a write is stuck.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub const fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, stuck: None }
    }

    /// Passes a result on, and minds how long there has been none.
    fn mind<T>(&mut self, cx: &mut Context<'_>, result: Poll<Result<T>>) -> Poll<Result<T>> {
        if result.is_ready() {
            self.stuck = None;
            return result;
        }
        let limit = self.limit;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        match stuck.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the peer does not read what it asked for")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.mind(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let length: usize = bytes.iter().map(|piece| piece.len()).sum();
        let result = if length <= ONE_PIECE_MAX {
            let mut piece = [0; ONE_PIECE_MAX];
            let mut rest = &mut piece[..];
            for bytes in bytes {
                let (head, tail) = rest.split_at_mut(bytes.len());
                head.copy_from_slice(bytes);
                rest = tail;
            }
            Pin::new(&mut self.stream).poll_write(cx, &piece[..length])
        } else {
            Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
        };
        self.mind(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.mind(cx, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_now_and_then_is_waited_for_and_one_that_does_not_is_left() {
        let (ours, mut theirs) = tokio::io::duplex(10);
        let mut ours = Patient::new(ours, Duration::from_millis(150));
        let reading = async {
            let mut bytes = [0; 10];
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(60)).await;
                theirs.read_exact(&mut bytes).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[7; 50]), reading);
        written.unwrap();
        assert_eq!(ours.write_all(&[7; 50]).await.unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
