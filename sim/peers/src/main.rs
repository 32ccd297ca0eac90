//! M/M/1 and M/M/16 through `simulate` and through other discrete-event simulators, in one run:
//! `cargo run --release --manifest-path sim/peers/Cargo.toml`.
//!
//! Why a package of its own: their trees of dependencies would add minutes to everybody's tests. All play the same
//! system at 80 % of what it can do, draw from the same generator, and must find the mean wait that Erlang's formula
//! gives. Ours counts more than waits: rates, histograms by tier, action and slot, and Little's law.

#[path = "../../benches/calendar/contestants.rs"]
mod contestants;
mod nexosim_queue;
mod simcore_queue;
#[path = "../../benches/calendar/stopwatch.rs"]
mod stopwatch;

use contestants::{CUSTOMERS, by_hand, mmc, ours};
use plimsoll_sim::analytic::queues::mmc_wait;

/// What a contestant says at the end.
#[derive(Debug, Clone, Copy)]
pub struct Played {
    pub customers: u64,
    pub mean_wait_s: f64,
}

fn main() {
    println!("{:<34} {:>9} {:>9} {:>14}", "", "M/s", "ns each", "calendar is");
    for slots in [1_u32, 16] {
        let ([forward, calendar], rate) = mmc(slots);
        let calendar = stopwatch::best(|| ours(&calendar, rate));
        let report = |name: &str, each_s: f64| {
            println!(
                "M/M/{slots:<3} {name:<27} {:>9.2} {:>9.1} {:>12.2} x",
                1e-6 / each_s,
                each_s * 1e9,
                each_s / calendar
            );
        };
        report("plimsoll, calendar", calendar);
        report("plimsoll, recursion", stopwatch::best(|| ours(&forward, rate)));
        report("simcore", stopwatch::best(|| timed(slots, simcore_queue::play)));
        report("nexosim, one thread", stopwatch::best(|| timed(slots, nexosim_queue::play)));
        report("a heap written by hand", stopwatch::best(|| by_hand(slots, rate)));
    }
}

/// Plays a peer; its mean wait must be right.
fn timed(slots: u32, play: impl Fn(u32, f64, u64) -> Played) -> (std::time::Duration, f64) {
    let rate = 0.8 * f64::from(slots);
    // Fewer than ours: the slowest would take minutes.
    let clock = stopwatch::Clock::now();
    let played = play(slots, rate, (CUSTOMERS / 5.0) as u64);
    let took = clock.elapsed();
    let want = mmc_wait(u64::from(slots), rate, 1.0);
    let off = (played.mean_wait_s / want - 1.0).abs();
    assert!(off < 0.1, "mean wait {} s, should be {want} s", played.mean_wait_s);
    (took, played.customers as f64)
}
