//! What happened, line by line, with the id of the request it happened to.
//!
//! Why a thread: a request must not wait for a disk. Lines that come faster than they can be written are
//! dropped and counted; the file is bounded.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;

use crate::catalogue::Date;

/// Lines between those who write them and the file.
const WAITING_MAX: usize = 1 << 14;
/// Bytes of the file; later lines are dropped.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// A handle; clones share the file. The thread ends with the last.
#[derive(Debug, Clone)]
pub struct Log {
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Begins a file.
    ///
    /// # Errors
    /// If it can't be made, or there is no thread.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        std::thread::Builder::new()
            .name("plimsoll-log".into())
            .spawn(move || write(&waiting, file, &counted))?;
        Ok(Self { lines, dropped })
    }

    /// Notes something that happened to a tier.
    pub fn note(&self, tier: &str, what: impl Display) {
        self.line(tier, "-", what);
    }

    /// Notes something that happened to a request.
    pub fn request(&self, tier: &str, id: &str, what: impl Display) {
        self.line(tier, id, what);
    }

    fn line(&self, tier: &str, id: &str, what: impl Display) {
        let line = format!("{} {tier} {id} {what}\n", stamp(SystemTime::now()));
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(lines: &Receiver<String>, file: File, dropped: &AtomicU64) {
    let mut file = BufWriter::new(file);
    let mut written = 0;
    while let Ok(first) = lines.recv() {
        for line in std::iter::once(first).chain(lines.try_iter()) {
            if written < FILE_BYTES_MAX {
                written += line.len() as u64;
                // A full disk costs the log, not the service.
                let _ = file.write_all(line.as_bytes());
            }
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(file, "{} log - {lost} lines were dropped", stamp(SystemTime::now()));
        }
        let _ = file.flush();
    }
}

/// `2026-11-22T10:15:30.123Z`
pub fn stamp(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let day = Date::of_day(days).text();
    format!("{day}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn lines_carry_time_tier_and_request() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = Log::open(&path).unwrap();
        log.request("web", "mine-1", format_args!("failed: {}", 7));
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        let text = loop {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.ends_with('\n') || std::time::Instant::now() > deadline {
                break text;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert!(text.ends_with("Z web mine-1 failed: 7\n"), "{text}");
        let then = SystemTime::UNIX_EPOCH + Duration::from_millis(86_400_000 * 59 + 3_723_004);
        assert_eq!(stamp(then), "1970-03-01T01:02:03.004Z");
    }
}
