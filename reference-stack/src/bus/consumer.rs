//! The bus as tiers see it: events go in, the heat map comes out, and a thread between them reads the log.
//!
//! Why counts and offset in one transaction: a consumer that is killed between two steps would count plays twice
//! or not at all. So what it has counted and how far it has read are written together, and it goes on from there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _};

use super::events::{EventLog, Reader};
use super::heat::{Heat, HeatSong, WINDOW_MS};
use super::log::Event;
use crate::error::StackError;
use crate::metrics::{BusMetrics, TierMetrics};

/// Events that are counted in one transaction.
const BATCH_MAX: usize = 4096;
/// Events that may wait for the consumer; more are refused, for the log does not keep more for it.
const LAG_MAX: u64 = 4 << 20;
/// Of the events before the offset, those that may still be in the window.
const REPLAYED_MAX: u64 = 1 << 20;
/// The consumer looks this often, although it is woken for every event.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A batch should be counted within this time.
const BATCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the disk refused something.
const PAUSE: Duration = Duration::from_millis(200);

const TABLES: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE IF NOT EXISTS plays(song INTEGER PRIMARY KEY, plays INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS groups(name TEXT PRIMARY KEY, next_offset INTEGER NOT NULL);";

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the consumer is {LAG_MAX} events behind; try again later")]
    Behind,
    #[error("the log can't be written: {0}")]
    Disk(#[from] std::io::Error),
}

/// The bus. Dropping it ends the consumer.
#[derive(Debug)]
pub struct Bus {
    shared: Arc<Shared>,
    consumer: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    log: EventLog,
    /// Offset of the next event.
    end: AtomicU64,
    heat: Mutex<Heat>,
    state: Mutex<State>,
    changed: Condvar,
    metrics: Arc<TierMetrics>,
}

/// What the consumer is to do.
#[derive(Debug, Default)]
struct State {
    end: u64,
    stalled: bool,
    ended: bool,
    /// The consumer reads and counts, and looks at nothing here meanwhile.
    counting: bool,
}

impl Bus {
    /// Opens the consumer's memory in a directory and starts the consumer of this log where it left off.
    ///
    /// # Errors
    /// If the directory can't be used, or there is no thread.
    pub fn open(directory: &Path, log: EventLog, metrics: Arc<TierMetrics>) -> Result<Self, StackError> {
        std::fs::create_dir_all(directory).map_err(|cause| StackError::Prepare {
            what: "the heat map's memory",
            place: directory.to_owned(),
            cause,
        })?;
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            state: Mutex::new(State { end: log.end(), ..State::default() }),
            end: AtomicU64::new(log.end()),
            log,
            heat: Mutex::default(),
            changed: Condvar::new(),
            metrics,
        });
        let bus = Self { shared, consumer: Mutex::new(None) };
        bus.start()?;
        Ok(bus)
    }

    /// Puts a play into the log. It is counted later.
    ///
    /// # Errors
    /// If the consumer is too far behind, or the disk refuses.
    pub async fn append(&self, song: u64) -> Result<(), Refusal> {
        let shared = &self.shared;
        if shared.counters(BusMetrics::lag) >= LAG_MAX {
            return Err(Refusal::Behind);
        }
        let end = shared.log.append(Event { at_ms: now_ms(), song }).await?;
        shared.end.fetch_max(end, Ordering::Relaxed);
        shared.counters(|bus| bus.appended.fetch_max(end, Ordering::Relaxed));
        let mut state = lock(&shared.state);
        state.end = state.end.max(end);
        drop(state);
        shared.changed.notify_one();
        Ok(())
    }

    /// The songs played most in the last minute.
    pub fn top(&self, count: usize) -> Vec<HeatSong> {
        lock(&self.shared.heat).top(count, now_ms())
    }

    /// Holds the consumer up, or lets it go on. Once it is held up, no later event is counted; so a batch that is
    /// being counted is waited for, within limits. Blocks.
    pub fn stall(&self, stalled: bool) {
        let shared = &self.shared;
        let mut state = lock(&shared.state);
        state.stalled = stalled;
        shared.changed.notify_all();
        if stalled {
            let counted = shared.changed.wait_timeout_while(state, BATCH_TIMEOUT, |state| state.counting);
            drop(counted.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Kills the consumer: what it knows in memory is gone.
    pub fn crash(&self) {
        lock(&self.shared.state).ended = true;
        self.shared.changed.notify_all();
        if let Some(consumer) = lock(&self.consumer).take() {
            // A panic there has been printed already.
            let _ = consumer.join();
        }
        *lock(&self.shared.heat) = Heat::default();
    }

    /// Starts the consumer where it left off, unless it runs.
    ///
    /// # Errors
    /// If its memory can't be read, or there is no thread.
    pub fn start(&self) -> Result<(), StackError> {
        let mut consumer = lock(&self.consumer);
        if consumer.is_some() {
            return Ok(());
        }
        let mut memory = Memory::open(&self.shared.directory.join("heat.db"), self.shared.log.group())?;
        // A log that somebody has begun anew: what comes is counted, and not waited for.
        memory.next = memory.next.min(self.shared.end.load(Ordering::Relaxed));
        *lock(&self.shared.heat) = memory.heat(&self.shared.log)?;
        lock(&self.shared.state).ended = false;
        let shared = Arc::clone(&self.shared);
        shared.note_offsets(memory.next);
        let thread = std::thread::Builder::new()
            .name("plimsoll-heat".into())
            .spawn(move || shared.consume(&mut memory))
            .map_err(StackError::Threads)?;
        *consumer = Some(thread);
        Ok(())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.crash();
    }
}

impl Shared {
    fn counters<T: Default>(&self, read: impl FnOnce(&BusMetrics) -> T) -> T {
        self.metrics.bus.as_ref().map(read).unwrap_or_default()
    }

    fn note_offsets(&self, next: u64) {
        let end = self.end.load(Ordering::Relaxed);
        self.counters(|bus| {
            bus.appended.fetch_max(end, Ordering::Relaxed);
            bus.consumed.store(next, Ordering::Relaxed);
        });
    }

    fn consume(&self, memory: &mut Memory) {
        let mut reader = self.log.reader(memory.next);
        loop {
            let mut state = lock(&self.state);
            while !state.ended && (state.stalled || state.end <= memory.next) {
                state =
                    self.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner).0;
            }
            if state.ended {
                return;
            }
            state.counting = true;
            drop(state);
            let before = memory.next;
            if self.count(memory, &mut reader).is_err() {
                reader.rewind(memory.next);
            }
            self.note_offsets(memory.next);
            lock(&self.state).counting = false;
            self.changed.notify_all();
            if memory.next == before {
                // What should be there can't be had: not so soon again.
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Counts the next batch.
    fn count(&self, memory: &mut Memory, reader: &mut Reader<'_>) -> Result<(), StackError> {
        let (events, next) = reader.read(BATCH_MAX).map_err(|cause| StackError::Prepare {
            what: "the event log",
            place: self.directory.clone(),
            cause,
        })?;
        memory.add(&events, next)?;
        let now_ms = now_ms();
        let mut heat = lock(&self.heat);
        for event in events {
            heat.play(event.song, event.at_ms, now_ms);
        }
        Ok(())
    }
}

/// What outlives the consumer: plays by song, and the offset of the next event to count.
#[derive(Debug)]
struct Memory {
    connection: Connection,
    /// What it reads, by which its offset is known.
    group: &'static str,
    next: u64,
}

impl Memory {
    fn open(file: &Path, group: &'static str) -> rusqlite::Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch(TABLES)?;
        let query = "SELECT next_offset FROM groups WHERE name = ?1";
        let next = connection.query_row(query, (group,), |row| row.get::<_, i64>(0)).optional()?;
        Ok(Self { connection, group, next: next.unwrap_or(0).unsigned_abs() })
    }

    /// The heat map as it was: totals from the table, the window from the end of the log.
    fn heat(&self, log: &EventLog) -> Result<Heat, StackError> {
        let mut totals = HashMap::new();
        let mut query = self.connection.prepare("SELECT song, plays FROM plays")?;
        let rows = query.query_map((), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        for row in rows {
            let (song, plays) = row?;
            totals.insert(song.unsigned_abs(), plays.unsigned_abs());
        }
        let mut heat = Heat::with_totals(totals);
        let (now_ms, mut at) = (now_ms(), self.next.saturating_sub(REPLAYED_MAX));
        let mut reader = log.reader(at);
        while at < self.next {
            let count = (self.next - at).min(BATCH_MAX as u64) as usize;
            // A log that can't be read costs the window, not the totals.
            let Ok((events, next)) = reader.read(count) else { break };
            if next <= at {
                break;
            }
            for event in events.iter().filter(|event| event.at_ms + WINDOW_MS >= now_ms) {
                heat.warm(event.song, event.at_ms, now_ms);
            }
            at = next;
        }
        Ok(heat)
    }

    /// Counts events and notes where the next begin, both or neither.
    fn add(&mut self, events: &[Event], next: u64) -> rusqlite::Result<()> {
        let mut plays: HashMap<u64, i64> = HashMap::new();
        for event in events {
            *plays.entry(event.song).or_default() += 1;
        }
        let transaction = self.connection.transaction()?;
        {
            let mut count = transaction.prepare(
                "INSERT INTO plays VALUES (?1, ?2) ON CONFLICT(song) DO UPDATE SET plays = plays + ?2",
            )?;
            for (song, plays) in plays {
                count.execute((song.cast_signed(), plays))?;
            }
            transaction
                .prepare("INSERT OR REPLACE INTO groups VALUES (?1, ?2)")?
                .execute((self.group, next.cast_signed()))?;
        }
        transaction.commit()?;
        self.next = next;
        Ok(())
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn open(directory: &Path) -> Bus {
        let log = EventLog::segments(&directory.join("log")).unwrap();
        Bus::open(directory, log, TierMetrics::new("events", 0, 1, false)).unwrap()
    }

    /// Tells of a play; files are written without waiting.
    fn tell(bus: &Bus, song: u64) {
        futures_util::FutureExt::now_or_never(bus.append(song)).unwrap().unwrap();
    }

    fn lag(bus: &Bus) -> u64 {
        bus.shared.counters(BusMetrics::lag)
    }

    fn caught_up(bus: &Bus) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while lag(bus) > 0 {
            assert!(Instant::now() < deadline, "{} events behind", lag(bus));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn plays(bus: &Bus) -> Vec<(u64, u64)> {
        bus.top(10).into_iter().map(|song| (song.song, song.plays)).collect()
    }

    #[test]
    fn plays_are_counted_once_although_the_consumer_is_killed_and_the_bus_reopened() {
        let directory = tempfile::tempdir().unwrap();
        let bus = open(directory.path());
        (0..3000).for_each(|n| tell(&bus, n % 3 + 1));
        caught_up(&bus);
        assert_eq!(plays(&bus), [(1, 1000), (2, 1000), (3, 1000)]);
        for _ in 0..5 {
            (0..500).for_each(|_| tell(&bus, 2));
            bus.crash();
            assert_eq!(plays(&bus), []);
            tell(&bus, 3);
            bus.start().unwrap();
        }
        drop(bus);
        let bus = open(directory.path());
        caught_up(&bus);
        assert_eq!(plays(&bus), [(2, 3500), (3, 1005), (1, 1000)], "also those of the window, from the log");
    }

    #[test]
    fn a_log_that_was_begun_anew_is_counted_from_its_begin_and_adds_to_what_was_counted() {
        let directory = tempfile::tempdir().unwrap();
        let bus = open(directory.path());
        (0..100).for_each(|_| tell(&bus, 7));
        caught_up(&bus);
        drop(bus);
        std::fs::remove_dir_all(directory.path().join("log")).unwrap();
        let bus = open(directory.path());
        (0..10).for_each(|_| tell(&bus, 7));
        caught_up(&bus);
        assert_eq!(plays(&bus), [(7, 110)]);
    }

    #[test]
    fn a_stalled_bus_takes_events_and_falls_behind() {
        let directory = tempfile::tempdir().unwrap();
        let bus = open(directory.path());
        bus.stall(true);
        (0..100).for_each(|_| tell(&bus, 7));
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!((lag(&bus), plays(&bus)), (100, vec![]));
        bus.stall(false);
        caught_up(&bus);
        assert_eq!(plays(&bus), [(7, 100)]);
    }
}
