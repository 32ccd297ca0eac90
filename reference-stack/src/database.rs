//! The song database: `SQLite` with an FTS5 index, read by a few threads with a connection each.
//!
//! Why threads of its own and not tokio's blocking pool: a connection keeps its statements prepared only
//! while its thread keeps it, and their number is bounded without regard to what else blocks.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use plimsoll_scenarios::catalogue;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Statement};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::error::StackError;

/// Reading threads; slots beyond that wait for one.
const THREADS_MAX: usize = 8;
/// Questions that may wait for a thread. The gate before it admits fewer.
const WAITING_MAX: usize = 1 << 16;
/// Results on a page.
const PAGE: u32 = 10;
/// Words of a query that count.
const WORDS_MAX: usize = 16;
/// Bytes of a query.
pub const QUERY_BYTES_MAX: usize = 256;

/// What the database is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Songs that match a query, in FTS5's language; see [`Question::search`].
    Search(String),
    Song(u64),
}

impl Question {
    /// A search for any of the words of a text; `None` if it has no word.
    ///
    /// Each word becomes a quoted string of FTS5, in which nothing has a meaning but the quote; and as
    /// words are runs of letters and digits, they hold none.
    pub fn search(text: &str) -> Option<Self> {
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(WORDS_MAX)
            .map(|word| format!("\"{}\"", word.to_lowercase()))
            .collect();
        (!words.is_empty()).then(|| Self::Search(words.join(" OR ")))
    }

    /// Name of its answer in a cache.
    pub fn key(&self) -> String {
        match self {
            Self::Search(query) => format!("search:{query}"),
            Self::Song(song) => format!("song:{song}"),
        }
    }
}

/// JSON text, nothing if there is no such song, or what went wrong.
pub type Rows = Result<Option<Vec<u8>>, String>;

type Job = (Question, oneshot::Sender<Rows>);

/// A handle to the reading threads; they end when it is dropped.
#[derive(Debug)]
pub struct Database {
    jobs: SyncSender<Job>,
}

#[derive(Serialize)]
struct Song {
    id: u64,
    title: String,
    artist: String,
    audio: String,
}

#[derive(Serialize)]
struct Page {
    songs: Vec<Song>,
}

/// Makes the database with this many songs.
///
/// # Errors
/// If the file can't be written.
pub fn build(file: &Path, songs: u64) -> Result<(), StackError> {
    let mut connection = Connection::open(file)?;
    // Nothing here outlives the process, so nothing needs to survive a crash.
    connection
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -64000;")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE VIRTUAL TABLE song USING fts5(title, artist, tokenize = 'unicode61 remove_diacritics 2');",
    )?;
    {
        let mut insert = transaction.prepare("INSERT INTO song(rowid, title, artist) VALUES (?1, ?2, ?3)")?;
        for song in 1..=songs {
            insert.execute((song.cast_signed(), catalogue::title(song), catalogue::artist(song)))?;
        }
    }
    transaction.execute_batch("INSERT INTO song(song) VALUES ('optimize');")?;
    transaction.commit()?;
    Ok(())
}

impl Database {
    /// Opens the file for reading, with a thread per slot up to a limit.
    ///
    /// # Errors
    /// If it can't be opened, or there are no threads.
    pub fn open(file: &Path, slots: usize) -> Result<Self, StackError> {
        let (jobs, queue) = sync_channel(WAITING_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..slots.clamp(1, THREADS_MAX) {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(file, flags)?;
            // Fail here, not in the thread.
            Reader::prepare(&connection)?;
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name("plimsoll-db".into())
                .spawn(move || answer_all(&connection, &queue))
                .map_err(StackError::Threads)?;
        }
        Ok(Self { jobs })
    }

    /// Asks and waits.
    pub async fn ask(&self, question: Question) -> Rows {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send((question, reply)).map_err(|error| match error {
            TrySendError::Full(_) => "too many questions are waiting".to_owned(),
            TrySendError::Disconnected(_) => "its threads have ended".to_owned(),
        })?;
        answer.await.unwrap_or_else(|_| Err("its thread has ended".to_owned()))
    }
}

/// One thread: answers until the database is dropped.
fn answer_all(connection: &Connection, queue: &Mutex<Receiver<Job>>) {
    let Ok(mut reader) = Reader::prepare(connection) else { return };
    loop {
        // One thread waits for the next question, the others for the lock.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((question, reply)) = job else { return };
        if reply.is_closed() {
            continue;
        }
        let rows = reader.answer(&question).map_err(|error| error.to_string());
        // Whoever asked may be gone.
        let _ = reply.send(rows);
    }
}

/// The prepared statements of one connection.
struct Reader<'a> {
    search: Statement<'a>,
    song: Statement<'a>,
}

impl<'a> Reader<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            // Ties go to the more popular song.
            search: connection.prepare(
                "SELECT rowid, title, artist FROM song WHERE song MATCH ?1 ORDER BY bm25(song), rowid LIMIT ?2",
            )?,
            song: connection.prepare("SELECT rowid, title, artist FROM song WHERE rowid = ?1")?,
        })
    }

    fn answer(&mut self, question: &Question) -> rusqlite::Result<Option<Vec<u8>>> {
        match question {
            Question::Search(query) => {
                let songs = self.search.query_map((query, PAGE), song)?.collect::<rusqlite::Result<_>>()?;
                Ok(Some(text(&Page { songs })))
            }
            Question::Song(id) => {
                // Beyond SQLite's numbers there is no song either.
                let Ok(id) = i64::try_from(*id) else { return Ok(None) };
                let song = self.song.query_row((id,), song).optional()?;
                Ok(song.map(|song| text(&song)))
            }
        }
    }
}

fn song(row: &Row<'_>) -> rusqlite::Result<Song> {
    let id = row.get::<_, i64>(0)?.unsigned_abs();
    Ok(Song { id, title: row.get(1)?, artist: row.get(2)?, audio: format!("/v1/songs/{id}/audio") })
}

fn text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("these records hold only numbers and text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_makes_a_harmless_query() {
        for (text, expected) in [
            ("Golden Light", Some("\"golden\" OR \"light\"")),
            ("a\" OR title:b*", Some("\"a\" OR \"or\" OR \"title\" OR \"b\"")),
            ("NEAR(x, 2)", Some("\"near\" OR \"x\" OR \"2\"")),
            ("Café São", Some("\"café\" OR \"são\"")),
            (" '\"; -- ", None),
        ] {
            let expected = expected.map(|query| Question::Search(query.to_owned()));
            assert_eq!(Question::search(text), expected, "{text}");
        }
        let many = "word ".repeat(1000);
        let Some(Question::Search(query)) = Question::search(&many) else { panic!("it has words") };
        assert_eq!(query.matches("\"word\"").count(), WORDS_MAX);
    }

    #[tokio::test]
    async fn songs_are_found_by_their_words_without_regard_to_accents() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("songs.db");
        build(&file, 500).unwrap();
        let database = Database::open(&file, 3).unwrap();
        let found = |text: &str| {
            let question = Question::search(text).unwrap();
            async { String::from_utf8(database.ask(question).await.unwrap().unwrap()).unwrap() }
        };
        for song in [1, 250, 500] {
            let text = format!("{} {}", catalogue::title(song), catalogue::artist(song));
            assert!(found(&text).await.contains(&format!("\"id\":{song},")), "{text}");
        }
        assert_eq!(found("cafe").await, found("Café").await);
        assert_eq!(found("zzzzz").await, "{\"songs\":[]}");
        assert_eq!(database.ask(Question::Song(501)).await, Ok(None));
        assert_eq!(database.ask(Question::Song(u64::MAX)).await, Ok(None));
    }
}
