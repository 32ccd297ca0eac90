//! How restless the machine was during a turn. Linux tells (proc(5)); elsewhere nothing is known.

use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Ticks of a second in `/proc`: the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// Counters at one moment.
pub struct Machine {
    at: Instant,
    busy_s: f64,
    stolen_s: f64,
    /// This process, and children of it that have ended.
    own_s: f64,
}

/// What was not ours in a span of time, in processors.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    /// Kept busy by other processes.
    pub busy: f64,
    /// Not given to this machine by the one that it is a guest of.
    pub stolen: f64,
}

impl Machine {
    pub fn now() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/stat").ok()?;
        let mut ticks = stat.lines().next()?.split_whitespace().skip(1).map(str::parse::<f64>);
        let mut next = || ticks.next()?.ok().map(|ticks| ticks / TICKS_PER_S);
        let (user, nice, system, _idle, _waiting) = (next()?, next()?, next()?, next()?, next()?);
        let (irq, softirq, stolen_s) = (next()?, next()?, next()?);
        let own = |who| {
            let usage = getrusage(who).ok()?;
            Some(
                (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 * 1e-6,
            )
        };
        let own_s = own(UsageWho::RUSAGE_SELF)? + own(UsageWho::RUSAGE_CHILDREN)?;
        Some(Self { at: Instant::now(), busy_s: user + nice + system + irq + softirq, stolen_s, own_s })
    }

    /// From then until now; children that are counted have ended.
    pub fn others(&self) -> Option<Others> {
        let now = Self::now()?;
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        let busy_s = (now.busy_s - self.busy_s) - (now.own_s - self.own_s);
        Some(Others { busy: busy_s.max(0.0) / seconds, stolen: (now.stolen_s - self.stolen_s) / seconds })
    }
}
