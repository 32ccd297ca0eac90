//! Who used the processors: the generator's threads, and the whole machine.
//!
//! Why: a generator that has run out of CPU measures itself. Its lag says that something was late; this says who
//! had the processors meanwhile. The pacer is not looked at here: its lateness is the lag. Linux tells (proc(5)); elsewhere nothing is known, and nothing is claimed.

use std::time::Instant;

/// Threads on which the generator's users run; the system keeps 15 characters of a name.
const THREADS: [&str; 2] = ["plimsoll-user", "plimsoll-load"];
/// Ticks of a second in `/proc`: the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// CPU time at one moment.
#[derive(Debug, Clone, Copy)]
pub struct CpuTimes {
    at: Instant,
    users_s: f64,
    /// This whole process, a bundled stack included.
    process_s: f64,
    /// All processors: busy, and in all.
    machine_ticks: (f64, f64),
}

/// CPU use between two moments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CpuUse {
    /// Processors that the generator's users kept busy.
    pub users: f64,
    /// Share of all processors that were busy, with whatever.
    pub machine: f64,
    /// Share of all processors that other processes kept busy.
    pub others: f64,
}

impl CpuTimes {
    pub fn now() -> Option<Self> {
        let mut users_s = 0.0;
        for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
            // A thread may end meanwhile.
            let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
            users_s += users_cpu_s(&stat).unwrap_or(0.0);
        }
        let process_s = cpu_s(&std::fs::read_to_string("/proc/self/stat").ok()?)?;
        let machine_ticks = machine_ticks(&std::fs::read_to_string("/proc/stat").ok()?)?;
        Some(Self { at: Instant::now(), users_s, process_s, machine_ticks })
    }

    pub fn until(&self, later: &Self) -> Option<CpuUse> {
        let window_s = later.at.duration_since(self.at).as_secs_f64();
        let (busy, all) =
            (later.machine_ticks.0 - self.machine_ticks.0, later.machine_ticks.1 - self.machine_ticks.1);
        if window_s <= 0.0 || all <= 0.0 {
            return None;
        }
        let users = (later.users_s - self.users_s).max(0.0) / window_s;
        let own = (later.process_s - self.process_s) * TICKS_PER_S;
        let (machine, others) = ((busy / all).clamp(0.0, 1.0), ((busy - own) / all).clamp(0.0, 1.0));
        Some(CpuUse { users, machine, others })
    }
}

/// User and system time of a thread, if it is the users', from its `stat`.
fn users_cpu_s(stat: &str) -> Option<f64> {
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    if THREADS.contains(&stat.get(open + 1..close)?) { cpu_s(stat) } else { None }
}

/// User and system time of a thread or process, from its `stat`.
fn cpu_s(stat: &str) -> Option<f64> {
    let close = stat.rfind(')')?;
    // Fields 14 and 15; the name is field 2.
    let mut fields = stat.get(close + 2..)?.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS_PER_S)
}

/// Busy and all ticks of the line `cpu`.
fn machine_ticks(stat: &str) -> Option<(f64, f64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // Guests are counted in user already.
    let ticks: Vec<f64> = line.split_whitespace().take(8).filter_map(|t| t.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    let all: f64 = ticks.iter().sum();
    Some((all - idle, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_lines_are_read() {
        let line = "7 (plimsoll-user) S 1 7 7 0 -1 64 10 0 0 0 150 50 0 0 20 0 9 0 100";
        assert_eq!(users_cpu_s(line), Some(2.0));
        assert_eq!(users_cpu_s(&line.replace("user", "stack")), None);
        assert_eq!(machine_ticks("cpu  10 0 20 60 10 0 0 0 5 0\ncpu0 1 1 1 1"), Some((30.0, 100.0)));
        assert_eq!(machine_ticks("intr 1"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_of_the_users_that_spins_is_seen() {
        let before = CpuTimes::now().unwrap();
        let (stop, spinning) =
            (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::Ordering::Relaxed);
        let used = std::thread::scope(|scope| {
            std::thread::Builder::new()
                .name("plimsoll-user".into())
                .spawn_scoped(scope, || {
                    while !stop.load(spinning) {
                        std::hint::spin_loop();
                    }
                })
                .unwrap();
            std::thread::sleep(std::time::Duration::from_millis(400));
            let used = before.until(&CpuTimes::now().unwrap()).unwrap();
            stop.store(true, spinning);
            used
        });
        // A busy machine gives it less than all of one processor, though something.
        assert!(used.users > 0.05 && used.machine > 0.05, "{used:?}");
    }
}
