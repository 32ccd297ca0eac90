//! Time that a contestant takes: that of the processor where the kernel tells it, so that others on the machine do not
//! count.

use std::time::{Duration, Instant};

/// Time of this process on processors, or of the clock on the wall.
pub enum Clock {
    Processor(f64),
    Wall(Instant),
}

impl Clock {
    pub fn now() -> Self {
        processor_s().map_or_else(|| Self::Wall(Instant::now()), Self::Processor)
    }

    pub fn elapsed(&self) -> Duration {
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

/// Turns of each contestant; the best counts.
pub const TURNS: usize = 3;

/// Seconds for one customer in the best of several turns of what says how long it took, and for how many.
pub fn best(turn: impl Fn() -> (Duration, f64)) -> f64 {
    let turns = (0..TURNS).map(|_| turn());
    turns.map(|(time, n)| time.as_secs_f64() / n).fold(f64::INFINITY, f64::min)
}
