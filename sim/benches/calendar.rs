//! How fast the calendar plays ordinary scenarios, beside other software, in one run:
//! `cargo bench -p plimsoll-sim --bench calendar`.
//!
//! Why through a scenario: what counts is the speed of `simulate`, with its requests, counts and histograms.
//! Contestants take turns and the best turn of each counts. Where the kernel tells it, time is that of the processor, so
//! that others on the machine do not count.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, SourceFile};
use plimsoll_sim::{Mode, Options, simulate};

const TURNS: usize = 3;
const CUSTOMERS: f64 = 5e6;

fn main() {
    println!("{:<34} {:>9} {:>9}", "", "M/s", "ns each");
    for slots in [1_u32, 16] {
        let tier = format!(
            "servers: 1, concurrency: {slots}, service_time: {{exponential: 1 s}}, queue_max: 10000000"
        );
        let scenario = scenario(0.8 * f64::from(slots), "[server]", &tier);
        report(&format!("M/M/{slots}, calendar"), || ours(&scenario, 0.8 * f64::from(slots)));
        report(&format!("M/M/{slots}, a heap written by hand"), || by_hand(slots, 0.8 * f64::from(slots)));
    }
    let tier = "servers: 4, concurrency: 4, service_time: {exponential: 1 s}, balance: least-connections";
    let chain = scenario(12.8, "[a, b, server]", &format!("{tier}}}, a: {{{tier}}}, b: {{{tier}"));
    report("chain of three tiers, per call", || {
        let (time, requests) = ours(&chain, 12.8);
        (time, 3.0 * requests)
    });
    let retries =
        scenario(12.8, "[{call: server, timeout: 3 s, retries: {attempts: 3, backoff: 1 s}}]", tier);
    report("timeouts and retries", || ours(&retries, 12.8));
}

fn scenario(rate: f64, path: &str, tier: &str) -> Scenario {
    let yaml = format!(
        "name: bench\npopulation: {{users: 1}}\nactions: {{ask: {{rate: {rate}/s, path: {path}}}}}\n\
         tiers: {{server: {{{tier}}}}}\n"
    );
    Scenario::from_yaml(&SourceFile::new("bench.yaml", &yaml)).expect("the scenario of a bench is valid")
}

/// Time of this process on processors, or of the clock on the wall.
enum Clock {
    Processor(f64),
    Wall(Instant),
}

impl Clock {
    fn now() -> Self {
        processor_s().map_or_else(|| Self::Wall(Instant::now()), Self::Processor)
    }

    fn elapsed(&self) -> Duration {
        match self {
            Self::Processor(began) => {
                Duration::from_secs_f64(processor_s().map_or(0.0, |now| (now - began).max(0.0)))
            }
            Self::Wall(began) => began.elapsed(),
        }
    }
}

/// User and system time of this process, in hundredths of a second.
fn processor_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields after the name, which may have blanks: the 12th and 13th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / 100.0)
}

/// The best of several turns of what says how long it took, and for how many.
fn report(name: &str, turn: impl Fn() -> (Duration, f64)) {
    let best =
        (0..TURNS).map(|_| turn()).map(|(time, n)| time.as_secs_f64() / n).fold(f64::INFINITY, f64::min);
    println!("{name:<34} {:>9.1} {:>9.1}", 1e-6 / best, best * 1e9);
}

fn ours(scenario: &Scenario, rate: f64) -> (Duration, f64) {
    let mode = Mode::Every { warmup_s: 0.0, duration_s: CUSTOMERS / rate };
    let options = Options { seed: 1, threads: 1, replications: 1, precision: None, mode };
    let began = Clock::now();
    let run = simulate(scenario, &options, &|_| {}, &AtomicBool::new(false)).expect("nothing stops it");
    (began.elapsed(), run.method.simulated_requests as f64)
}

/// The least that a calendar can do: one heap of times, nothing counted but the waits.
fn by_hand(slots: u32, rate: f64) -> (Duration, f64) {
    use std::cmp::Reverse;
    use std::collections::{BinaryHeap, VecDeque};
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
