//! What this process has used of the machine.

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
