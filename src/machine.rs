//! What this process has used of the machine, and which machine it is.

use plimsoll_reports::gate::Machine;

/// Highest resident memory since [`reset_peak`], bytes; `None` where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Starts a new peak, where the system can.
pub fn reset_peak() {
    // Linux: 5 resets the peak of resident memory (proc(5)). Elsewhere the peak stays that of the process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Threads that make sense here.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// What makes figures of two runs comparable.
pub fn fingerprint() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let memory_kib = memory.and_then(|m| m.split(' ').next()?.parse::<u64>().ok()).unwrap_or(0);
    Machine {
        // ARM has no model's name there.
        cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cores: threads() as u64,
        memory_bytes: memory_kib * 1024,
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
    }
}
