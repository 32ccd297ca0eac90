//! What a tier sends leaves over a link: one after the other, at so many bits per second.
//!
//! Why in user space: containers rarely let a program shape traffic in the kernel. A link is a clock that says
//! when it will be free; whoever sends moves it forward by the time that the bytes take, and waits.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::body::Body;
use crate::timer::Timer;

/// Bytes that are sent at once; less on slow links, so that they share fairly and stay smooth.
const CHUNK_BYTES: u64 = 64 << 10;
/// Time that one chunk takes at most.
const CHUNK_TIME_MS: u64 = 20;

/// One instance's way out.
#[derive(Debug)]
pub struct Link {
    /// Zero: as fast as it goes.
    bytes_per_s: AtomicU64,
    /// As the scenario says, for when a cut is over.
    planned_bytes_per_s: u64,
    free_at: Mutex<Instant>,
    timer: Timer,
}

impl Link {
    /// A link of this bandwidth, or of none that anybody would notice.
    pub fn new(bits_per_s: Option<f64>, timer: Timer) -> Arc<Self> {
        let bytes_per_s = bits_per_s.map_or(0, |bits| (bits / 8.0).clamp(1.0, 1e15) as u64);
        Arc::new(Self {
            bytes_per_s: AtomicU64::new(bytes_per_s),
            planned_bytes_per_s: bytes_per_s,
            free_at: Mutex::new(Instant::now()),
            timer,
        })
    }

    /// Cuts the bandwidth to this; at least a byte per second.
    pub fn cut(&self, bits_per_s: f64) {
        self.bytes_per_s.store((bits_per_s / 8.0).clamp(1.0, 1e15) as u64, Ordering::Relaxed);
    }

    pub fn restore(&self) {
        self.bytes_per_s.store(self.planned_bytes_per_s, Ordering::Relaxed);
    }

    /// Sends so many bytes: takes the time that they take, and that of those before them.
    pub async fn send(&self, bytes: usize) {
        if let Some(due) = self.reserve(bytes as u64) {
            self.timer.sleep_until(due).await;
        }
    }

    /// Has a body leave over this link, where it has a limit.
    pub fn carry(self: &Arc<Self>, body: Body) -> Body {
        if self.bytes_per_s.load(Ordering::Relaxed) == 0 || body.is_end_stream() {
            return body;
        }
        let (link, waiting) = (Arc::clone(self), Bytes::new());
        Body::Paced(Box::new(Paced { body, link, waiting, leaving: None }))
    }

    /// When the last of these bytes is out; `None` on a link without a limit.
    fn reserve(&self, bytes: u64) -> Option<Instant> {
        let rate = self.bytes_per_s.load(Ordering::Relaxed);
        if rate == 0 {
            return None;
        }
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = (*free_at).max(Instant::now()) + takes;
        Some(*free_at)
    }

    fn chunk(&self) -> usize {
        let rate = self.bytes_per_s.load(Ordering::Relaxed);
        if rate == 0 { usize::MAX } else { (rate * CHUNK_TIME_MS / 1000).clamp(1, CHUNK_BYTES) as usize }
    }
}

type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A body that leaves in chunks.
pub struct Paced {
    body: Body,
    link: Arc<Link>,
    /// What the body gave and the link has not taken yet.
    waiting: Bytes,
    /// What the link has taken, and when it is out.
    leaving: Option<(Bytes, Sleep)>,
}

impl std::fmt::Debug for Paced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paced").field("body", &self.body).finish_non_exhaustive()
    }
}

impl Paced {
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            if let Some((bytes, sleep)) = &mut self.leaving {
                ready!(sleep.as_mut().poll(cx));
                let bytes = std::mem::take(bytes);
                self.leaving = None;
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if self.waiting.is_empty() {
                match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) => self.waiting = data,
                        Err(other) => return Poll::Ready(Some(Ok(other))),
                    },
                }
                continue;
            }
            let bytes = self.waiting.split_to(self.link.chunk().min(self.waiting.len()));
            let link = Arc::clone(&self.link);
            let length = bytes.len();
            self.leaving = Some((bytes, Box::pin(async move { link.send(length).await })));
        }
    }

    pub fn size_hint(&self) -> SizeHint {
        let held = self.waiting.len() + self.leaving.as_ref().map_or(0, |(bytes, _)| bytes.len());
        let mut hint = self.body.size_hint();
        if let Some(exact) = hint.exact() {
            hint.set_exact(exact + held as u64);
        }
        hint
    }

    pub fn is_end_stream(&self) -> bool {
        self.waiting.is_empty() && self.leaving.is_none() && self.body.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use http::{Request, Response};
    use http_body_util::{BodyExt as _, Full};
    use hyper::body::Incoming;

    use super::*;
    use crate::peer::Peer;
    use crate::server::{self, Door};

    #[tokio::test]
    async fn bodies_share_a_link_and_take_the_time_that_their_bytes_take() {
        let link = Link::new(Some(8e5), Timer::start().unwrap());
        let begun = Instant::now();
        let body = || link.carry(Body::from(Bytes::from(vec![7; 10_000])));
        assert_eq!(body().size_hint().exact(), Some(10_000));
        let (a, b) = tokio::join!(body().collect(), body().collect());
        let took = begun.elapsed().as_secs_f64();
        assert!((0.19..0.6).contains(&took), "20 kB at 100 kB/s took {took:.3} s");
        assert!(a.unwrap().to_bytes() == b.unwrap().to_bytes());
    }

    /// Many bodies at once over real connections, every one of them with hundreds of sleeps: a wake-up that is lost
    /// anywhere between the timer's thread and whoever reads would leave one of them waiting for ever.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_paced_bodies_all_come_to_their_end_beside_busy_threads() {
        const READERS: usize = 48;
        const ROUNDS: usize = 6;
        let timer = Timer::start().unwrap();
        let links: Vec<_> = [2e8, 6e8, 1e9].map(|rate| Link::new(Some(rate), timer.clone())).into();
        let song = Bytes::from((0..300_000_u32).map(|at| (at % 251) as u8).collect::<Vec<_>>());
        let (listener, address) = server::listen("edge", None).unwrap();
        let (door, body) = (Door::new(), song.clone());
        let handler = move |request: Request<Incoming>, _| {
            let link = request.uri().path()[1..].parse::<usize>().unwrap();
            std::future::ready(Response::new(links[link].carry(Body::from(body.clone()))))
        };
        let served = tokio::spawn(server::serve(listener, address, door.clone(), handler));
        let ended = Arc::new(AtomicBool::new(false));
        let busy = [(); 2].map(|()| {
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || while !ended.load(Ordering::Relaxed) {})
        });
        let peer = Peer::at(address);
        let readers = (0..READERS).map(|reader| {
            let (peer, song) = (peer.clone(), song.clone());
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let mut request = Request::new(Full::default());
                    *request.uri_mut() = format!("/{}", (reader + round) % 3).parse().unwrap();
                    let answer = peer.ask(request).await.unwrap();
                    let body = tokio::time::timeout(Duration::from_mins(1), answer.into_body().collect());
                    assert!(body.await.expect("it never ends").unwrap().to_bytes() == song);
                }
            })
        });
        let done = futures_util::future::join_all(readers).await;
        ended.store(true, Ordering::Relaxed);
        for thread in busy {
            thread.join().unwrap();
        }
        assert!(done.iter().all(Result::is_ok), "{done:?}");
        door.stop();
        served.await.unwrap();
    }

    #[tokio::test]
    async fn a_link_without_a_limit_leaves_bodies_alone_until_it_is_cut() {
        let link = Link::new(None, Timer::start().unwrap());
        let body = || link.carry(Body::from(Bytes::from_static(b"abc")));
        assert!(matches!(body(), Body::Full(_)));
        link.cut(800.0);
        assert!(matches!(body(), Body::Paced(_)));
        let begun = Instant::now();
        link.send(10).await;
        assert!(begun.elapsed() > Duration::from_millis(90));
        link.restore();
        assert!(matches!(body(), Body::Full(_)));
    }
}
