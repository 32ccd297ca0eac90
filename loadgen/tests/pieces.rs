//! Answers that arrive in many small pieces, thousands of them on connections that are kept: whoever forgets to wake the
//! user who waits for the next piece makes him wait until the timeout.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{options, play, scenario};
use plimsoll_loadgen::{Arrivals, LoadOptions, Targets};
use plimsoll_scenarios::rng::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BODY: usize = 20_000;

/// Runs until it is dropped.
struct Server {
    url: String,
    answered: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answered = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&answered);
        runtime.spawn(async move {
            for n in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let draws = Stream::new(1, "server", "pieces", n);
                tokio::spawn(serve(stream, draws, Arc::clone(&count)));
            }
        });
        Self { url, answered, _runtime: runtime }
    }
}

/// Answers on one connection, every third time in chunks; one in a hundred connections ends after an answer.
async fn serve(mut stream: TcpStream, mut draws: Stream, answered: Arc<AtomicU64>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut asked, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        while !asked.ends_with(b"\r\n\r\n") {
            let n = stream.read(&mut buffer).await?;
            if n == 0 {
                return Ok(());
            }
            asked.extend_from_slice(&buffer[..n]);
        }
        asked.clear();
        let answer = answer(draws.below(3) == 0);
        let mut rest = answer.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + draws.below(3_000) as usize).min(rest.len()));
            stream.write_all(piece).await?;
            rest = after;
            match draws.below(4) {
                0 => tokio::time::sleep(Duration::from_micros(draws.below(3_000))).await,
                1 | 2 => tokio::task::yield_now().await,
                _ => {}
            }
        }
        answered.fetch_add(1, Ordering::Relaxed);
        if draws.below(100) == 0 {
            return Ok(());
        }
    }
}

fn answer(chunked: bool) -> Vec<u8> {
    if !chunked {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n").into_bytes();
        answer.resize(answer.len() + BODY, b'x');
        return answer;
    }
    let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for size in [1, 999, BODY - 1_500, 500] {
        answer.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        answer.resize(answer.len() + size, b'x');
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    answer
}

#[test]
fn nobody_waits_for_ever_for_a_piece_that_has_arrived() {
    let server = Server::start();
    let targets = Targets { fallback: Some(server.url.clone()), ..Targets::default() };
    let models = [
        // The pacer sends, and a thread of users reads.
        (Arrivals::Poisson { rate_per_s: 1_000.0 }, 4.0),
        // Users send themselves, on as many threads as there are.
        (Arrivals::Closed { users: 16, think_s: 0.0 }, 2.0),
    ];
    for (arrivals, seconds) in models {
        let before = server.answered.load(Ordering::Relaxed);
        let options = LoadOptions { arrivals, timeout_s: 20.0, ..options(0.0, seconds) };
        let run = play(&scenario(5_000, false), &targets, &options).unwrap();
        // A server that closes may do so while the next request is on its way.
        let lost = run.failures.iter().filter(|(kind, _)| *kind != "reset").map(|(_, n)| n).sum::<u64>();
        assert_eq!(lost, 0, "{}: {:?}", options.arrivals, run.failures);
        assert!(run.failed * 20 <= run.sent, "{}: {} of {} failed", options.arrivals, run.failed, run.sent);
        let whole = run.sent - run.failed;
        assert_eq!(run.actions[0].bytes, whole * BODY as u64, "{}", options.arrivals);
        assert!(whole > 500, "{}: only {whole}", options.arrivals);
        assert!(server.answered.load(Ordering::Relaxed) - before >= whole);
    }
}
