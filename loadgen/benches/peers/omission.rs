//! Coordinated omission: the target, which takes 100 ms, is paused for 1 s in a run of 20 s at 200 requests a second.
//!
//! By hand: 1 in 20 requests falls due within the pause and waits for the rest of it, evenly from 1 s down to nothing.
//! So percentile p above 95 is (p - 95) / 5 of a second, and 100 ms; all below is 100 ms.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::common::{Behaviour, Server};
use crate::contestant::{Contestant, Task};
use crate::table::{ms, print, row};
use crate::{Asked, Outcome};

const SERVICE_S: f64 = 0.1;
const RATE: f64 = 200.0;
const SECONDS: f64 = 20.0;
/// Requests before the pause: half of the run.
const BEFORE: u64 = 2_000;
/// A contestant that sends fewer is not waited for longer.
const BEFORE_MAX: Duration = Duration::from_secs(15);

pub fn measure(asked: &Asked) -> Outcome<()> {
    let by_hand = |p: f64| SERVICE_S + ((p - 0.95) / 0.05).max(0.0);
    let expected = [0.5, 0.9, 0.99, 1.0].map(by_hand);
    let mut rows = vec![row(["", "connections", "requests", "p50", "p90", "p99", "max", "furthest off"])];
    let [p50, p90, p99, max] = expected.map(ms);
    rows.push(row(["by hand", "", &format!("{:.0}", RATE * SECONDS), &p50, &p90, &p99, &max, ""]));
    // 20 are what 200 a second of 100 ms need; few people give many more.
    for (contestant, connections) in [
        (Contestant::Plimsoll, 400),
        (Contestant::Oha, 40),
        (Contestant::OhaCorrected, 40),
        (Contestant::Oha, 400),
        (Contestant::OhaCorrected, 400),
        (Contestant::Goose, 40),
        (Contestant::GooseMitigated, 40),
    ] {
        if let Some(why) = contestant.missing(asked) {
            rows.push(row([contestant.name(), &connections.to_string(), &format!("left out: {why}")]));
            continue;
        }
        let server = Server::start(Behaviour::After(Duration::from_secs_f64(SERVICE_S)));
        let pauser = pause(&server);
        let task = Task { url: server.url.clone(), seconds: SECONDS, connections, rate: Some(RATE) };
        let turn = contestant.turn(asked, &task)?;
        pauser.join().map_err(|_| "the pauser has panicked")?;
        let said = turn.said;
        let off = said.latency_s.iter().zip(expected).map(|(seen, expected)| seen / expected - 1.0);
        let furthest = off.fold(0.0, |most: f64, off| if off.abs() > most.abs() { off } else { most });
        let [p50, p90, p99, max] = said.latency_s.map(ms);
        let (connections, requests) = (connections.to_string(), said.requests.to_string());
        let furthest = format!("{:+.1} %", furthest * 100.0);
        rows.push(row([contestant.name(), &connections, &requests, &p50, &p90, &p99, &max, &furthest]));
    }
    print("A pause of 1 s in 20 s at 200 requests a second, to a target that takes 100 ms", &rows);
    Ok(())
}

/// Pauses the target once, after half of the run.
fn pause(server: &Server) -> std::thread::JoinHandle<()> {
    let state = Arc::clone(&server.state);
    std::thread::spawn(move || {
        let deadline = Instant::now() + BEFORE_MAX;
        while state.gets.load(Ordering::Relaxed) < BEFORE && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        let until = Instant::now() + Duration::from_secs(1);
        *state.stalled_until.lock().expect("nobody panics while holding it") = Some(until);
    })
}
