//! M/M/c through an ordinary scenario, and the least that a calendar can do.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, SourceFile};
use plimsoll_sim::{Mode, Options, simulate};

use super::stopwatch::Clock;

/// Customers of a turn.
pub const CUSTOMERS: f64 = 2e7;

/// One action at a rate, over tiers of which the last is `server`.
pub fn read(rate: f64, path: &str, tier: &str, events: &str) -> Scenario {
    let yaml = format!(
        "name: bench\npopulation: {{users: 1}}\nactions: {{ask: {{rate: {rate}/s, path: {path}}}}}\n\
         tiers: {{server: {{{tier}}}}}\n{events}"
    );
    Scenario::from_yaml(&SourceFile::new("bench.yaml", &yaml)).expect("the scenario of a bench is valid")
}

/// An event that changes nothing: what has one is played on the calendar.
const EVENT: &str = "events: [{at: 0:00, slow: {tier: server, factor: 1}, for: 1 s}]\n";

/// M/M/c at 80 % of what it can do, with means of a second, and its rate. It feeds forward only, so that `simulate` takes
/// the recursion; the second one it plays on the calendar.
pub fn mmc(slots: u32) -> ([Scenario; 2], f64) {
    let rate = 0.8 * f64::from(slots);
    let tier =
        format!("servers: 1, concurrency: {slots}, service_time: {{exponential: 1 s}}, queue_max: 10000000");
    (["", EVENT].map(|events| read(rate, "[server]", &tier, events)), rate)
}

/// Time and requests of one run of `simulate`.
pub fn ours(scenario: &Scenario, rate: f64) -> (Duration, f64) {
    let mode = Mode::Every { warmup_s: 0.0, duration_s: CUSTOMERS / rate };
    let options = Options { seed: 1, threads: 1, replications: 1, precision: None, mode };
    let began = Clock::now();
    let run = simulate(scenario, &options, &|_| {}, &AtomicBool::new(false)).expect("nothing stops it");
    (began.elapsed(), run.method.simulated_requests as f64)
}

/// The least that a calendar can do: one heap of times, nothing counted but the waits.
pub fn by_hand(slots: u32, rate: f64) -> (Duration, f64) {
    let began = Clock::now();
    let mut stream = Stream::new(1, "by hand", "draws", 0);
    let mut heap = BinaryHeap::new();
    let mut queue: VecDeque<f64> = VecDeque::new();
    let (mut busy, mut waits, mut next, mut served) = (0, 0.0, 0.0_f64, 0_u64);
    while (served as f64) < CUSTOMERS {
        let departure = heap.peek().map_or(f64::INFINITY, |Reverse(bits)| f64::from_bits(*bits));
        let now = next.min(departure);
        let mut start = None;
        if next <= departure {
            next = now + stream.exponential() / rate;
            if busy < slots {
                (busy, start) = (busy + 1, Some(now));
            } else {
                queue.push_back(now);
            }
        } else {
            heap.pop();
            served += 1;
            start = queue.pop_front();
            busy -= u32::from(start.is_none());
        }
        if let Some(came) = start {
            waits += now - came;
            heap.push(Reverse((now + stream.exponential()).to_bits()));
        }
    }
    black_box(waits);
    (began.elapsed(), served as f64)
}
