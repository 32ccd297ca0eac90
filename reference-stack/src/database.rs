//! The song database: `SQLite` with an FTS5 index, read by a few threads with a connection each.
//!
//! Why threads of its own and not tokio's blocking pool: a connection keeps its statements prepared only
//! while its thread keeps it, and their number is bounded without regard to what else blocks.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, Statement};
use tokio::sync::oneshot;

use crate::catalogue;
use crate::catalogue_db::{
    Album, AlbumLine, Artist, Country, DbFault, Found, Question, Rows, Song, page_of, text,
};
use crate::error::StackError;

/// Reading threads; slots beyond that wait for one.
const THREADS_MAX: usize = 8;
/// Questions that may wait for a thread. The gate before it admits fewer.
const WAITING_MAX: usize = 1 << 16;

type Job = (Question, oneshot::Sender<Rows>);

/// A handle to the reading threads; they end when it is dropped.
#[derive(Debug)]
pub struct Sqlite {
    jobs: SyncSender<Job>,
    file: PathBuf,
    seed: u64,
}

const TABLES: &str = "
    CREATE TABLE artist(id INTEGER PRIMARY KEY, name TEXT NOT NULL, also TEXT, country_code TEXT NOT NULL,
        country TEXT NOT NULL);
    CREATE TABLE album(id INTEGER PRIMARY KEY, title TEXT NOT NULL, artist INTEGER NOT NULL,
        released TEXT NOT NULL);
    CREATE TABLE song(id INTEGER PRIMARY KEY, title TEXT NOT NULL, artist INTEGER NOT NULL,
        album INTEGER NOT NULL, track INTEGER NOT NULL, duration_s INTEGER NOT NULL);
    CREATE VIRTUAL TABLE song_text USING fts5(title, artist, also, content = '',
        tokenize = 'unicode61 remove_diacritics 2');";

/// Once everything is in, for rows come in the order of these anyway.
const INDEXES: &str = "
    CREATE INDEX song_by_album ON song(album, track);
    CREATE INDEX song_by_artist ON song(artist, id);
    CREATE INDEX album_by_artist ON album(artist, id);
    INSERT INTO song_text(song_text) VALUES ('optimize');";

/// Makes the database with this many songs.
///
/// # Errors
/// If the file can't be written.
pub fn build(file: &Path, seed: u64, songs: u64) -> Result<(), StackError> {
    let mut connection = Connection::open(file)?;
    // Nothing here outlives the process, so nothing needs to survive a crash.
    connection
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -64000;")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    Writer::prepare(&transaction)?.songs(seed, 1..songs + 1)?;
    transaction.execute_batch(INDEXES)?;
    transaction.commit()?;
    // From now on somebody may read while a song is published.
    connection.execute_batch("PRAGMA journal_mode = WAL;")?;
    Ok(())
}

/// The statements that fill the tables.
struct Writer<'a> {
    artist: Statement<'a>,
    album: Statement<'a>,
    song: Statement<'a>,
    text: Statement<'a>,
}

impl<'a> Writer<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            artist: connection.prepare("INSERT OR IGNORE INTO artist VALUES (?1, ?2, ?3, ?4, ?5)")?,
            album: connection.prepare("INSERT OR IGNORE INTO album VALUES (?1, ?2, ?3, ?4)")?,
            song: connection.prepare("INSERT INTO song VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            text: connection
                .prepare("INSERT INTO song_text(rowid, title, artist, also) VALUES (?1, ?2, ?3, ?4)")?,
        })
    }

    /// Puts songs in, with artists and albums that are not there yet.
    fn songs(&mut self, seed: u64, songs: std::ops::Range<u64>) -> rusqlite::Result<()> {
        let (mut artist, mut album) = (None, None);
        for id in songs {
            let song = catalogue::song(seed, id);
            if artist.as_ref().is_none_or(|(known, _)| *known != song.artist) {
                artist = Some((song.artist, catalogue::artist(seed, song.artist)));
            }
            let Some((artist_id, by)) = &artist else { continue };
            let also = by.also_known_as.as_deref();
            if album != Some(song.album) {
                self.artist.execute((
                    number(*artist_id),
                    &by.name,
                    also,
                    by.country.code,
                    by.country.name,
                ))?;
                let on = catalogue::album(seed, song.album);
                self.album.execute((number(song.album), on.title, number(on.artist), on.released.text()))?;
                album = Some(song.album);
            }
            let (track, duration) = (number(song.track), number(song.duration_s));
            self.song.execute((
                number(id),
                &song.title,
                number(song.artist),
                number(song.album),
                track,
                duration,
            ))?;
            self.text.execute((number(id), song.title, &by.name, also.unwrap_or_default()))?;
        }
        Ok(())
    }
}

/// Numbers here are far below what `SQLite` can hold.
const fn number(value: u64) -> i64 {
    value.cast_signed()
}

impl Sqlite {
    /// Opens the file for reading, with a thread per slot up to a limit.
    ///
    /// # Errors
    /// If it can't be opened, or there are no threads.
    pub fn open(file: &Path, seed: u64, slots: usize) -> Result<Self, StackError> {
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
        Ok(Self { jobs, file: file.to_owned(), seed })
    }

    /// Asks and waits.
    pub async fn ask(&self, question: Question) -> Rows {
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send((question, reply)).map_err(|error| match error {
            TrySendError::Full(_) => DbFault::Broken("too many questions are waiting".to_owned()),
            TrySendError::Disconnected(_) => DbFault::Broken("its threads have ended".to_owned()),
        })?;
        answer.await.unwrap_or_else(|_| Err(DbFault::Broken("its thread has ended".to_owned())))
    }

    /// Puts in one more song. Blocks.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn publish(&self, song: u64) -> rusqlite::Result<()> {
        let mut connection = Connection::open(&self.file)?;
        let transaction = connection.transaction()?;
        Writer::prepare(&transaction)?.songs(self.seed, song..song + 1)?;
        transaction.commit()
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
        let rows = reader.answer(&question).map_err(|error| DbFault::Broken(error.to_string()));
        // Whoever asked may be gone.
        let _ = reply.send(rows);
    }
}

/// The prepared statements of one connection.
struct Reader<'a> {
    search: Statement<'a>,
    song: Statement<'a>,
    artist: Statement<'a>,
    artist_albums: Statement<'a>,
    artist_songs: Statement<'a>,
    album: Statement<'a>,
    album_songs: Statement<'a>,
}

impl<'a> Reader<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        let prepare = |sql| connection.prepare(sql);
        Ok(Self {
            // A word of a title counts twice; ties go to the more popular song, which has the lower number.
            search: prepare(
                "SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s FROM (SELECT rowid AS id,
                 bm25(song_text, 2.0, 1.0, 1.0) AS rank FROM song_text WHERE song_text MATCH ?1
                 ORDER BY rank, rowid LIMIT ?2 OFFSET ?3) AS f
                 CROSS JOIN song s ON s.id = f.id CROSS JOIN artist a ON a.id = s.artist ORDER BY f.rank, f.id",
            )?,
            song: prepare(
                "SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s, b.title, s.track, b.released
                 FROM song s JOIN artist a ON a.id = s.artist JOIN album b ON b.id = s.album WHERE s.id = ?1",
            )?,
            artist: prepare("SELECT name, also, country_code, country FROM artist WHERE id = ?1")?,
            artist_albums: prepare(
                "SELECT b.id, b.title, b.released, (SELECT count(*) FROM song s WHERE s.album = b.id)
                 FROM album b WHERE b.artist = ?1 ORDER BY b.released, b.id",
            )?,
            artist_songs: prepare(
                "SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s FROM song s
                 JOIN artist a ON a.id = s.artist WHERE s.artist = ?1 ORDER BY s.id LIMIT ?2 OFFSET ?3",
            )?,
            album: prepare(
                "SELECT b.title, a.name, a.id, b.released FROM album b JOIN artist a ON a.id = b.artist
                 WHERE b.id = ?1",
            )?,
            album_songs: prepare(
                "SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s FROM song s
                 JOIN artist a ON a.id = s.artist WHERE s.album = ?1 ORDER BY s.track",
            )?,
        })
    }

    fn answer(&mut self, question: &Question) -> rusqlite::Result<Option<Vec<u8>>> {
        match question {
            Question::Search(words, page) => {
                // One more than wanted tells whether there is more.
                // Each word is a quoted string of FTS5, in which nothing has a meaning but the quote.
                let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                let window = (quoted.join(" OR "), number(page.limit + 1), number(page.offset));
                let songs = self.search.query_map(window, found)?.collect::<rusqlite::Result<_>>()?;
                Ok(Some(text(&page_of(songs, *page))))
            }
            Question::Song(id) => self.song(*id),
            Question::Artist(id) => self.artist(*id),
            Question::ArtistSongs(id, page) => {
                let Ok(id) = i64::try_from(*id) else { return Ok(None) };
                if self.artist.query_row((id,), |_| Ok(())).optional()?.is_none() {
                    return Ok(None);
                }
                let window = (id, number(page.limit + 1), number(page.offset));
                let songs = self.artist_songs.query_map(window, found)?.collect::<rusqlite::Result<_>>()?;
                Ok(Some(text(&page_of(songs, *page))))
            }
            Question::Album(id) => self.album(*id),
        }
    }

    fn song(&mut self, id: u64) -> rusqlite::Result<Option<Vec<u8>>> {
        // Beyond SQLite's numbers there is no song either.
        let Ok(id) = i64::try_from(id) else { return Ok(None) };
        let song = self.song.query_row((id,), |row| {
            let Found { id, title, artist, artist_id, album_id, duration_s, audio } = found(row)?;
            let (album, track, released) = (row.get(6)?, unsigned(row, 7)?, row.get(8)?);
            Ok(Song { id, title, artist, artist_id, album, album_id, track, duration_s, released, audio })
        });
        Ok(song.optional()?.map(|song| text(&song)))
    }

    fn artist(&mut self, id: u64) -> rusqlite::Result<Option<Vec<u8>>> {
        let Ok(key) = i64::try_from(id) else { return Ok(None) };
        let lines = self.artist_albums.query_map((key,), |row| {
            let (id, songs) = (unsigned(row, 0)?, unsigned(row, 3)?);
            Ok(AlbumLine { id, title: row.get(1)?, released: row.get(2)?, songs })
        })?;
        let albums = lines.collect::<rusqlite::Result<_>>()?;
        let artist = self.artist.query_row((key,), |row| {
            let country = Country { code: row.get(2)?, name: row.get(3)? };
            Ok(Artist { id, name: row.get(0)?, also_known_as: row.get(1)?, country, albums })
        });
        Ok(artist.optional()?.map(|artist| text(&artist)))
    }

    fn album(&mut self, id: u64) -> rusqlite::Result<Option<Vec<u8>>> {
        let Ok(key) = i64::try_from(id) else { return Ok(None) };
        let songs = self.album_songs.query_map((key,), found)?.collect::<rusqlite::Result<_>>()?;
        let album = self.album.query_row((key,), |row| {
            let (title, artist, artist_id) = (row.get(0)?, row.get(1)?, unsigned(row, 2)?);
            Ok(Album { id, title, artist, artist_id, released: row.get(3)?, songs })
        });
        Ok(album.optional()?.map(|album| text(&album)))
    }
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.unsigned_abs())
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let id = unsigned(row, 0)?;
    Ok(Found {
        id,
        title: row.get(1)?,
        artist: row.get(2)?,
        artist_id: unsigned(row, 3)?,
        album_id: unsigned(row, 4)?,
        duration_s: unsigned(row, 5)?,
        audio: format!("/v1/songs/{id}/audio"),
    })
}

#[cfg(test)]
mod tests {
    use plimsoll_scenarios::catalogue as names;
    use serde_json::Value;

    use super::*;
    use crate::catalogue_db::Page;

    const FIRST: Page = Page { limit: 10, offset: 0 };

    fn database(songs: u64) -> (tempfile::TempDir, Sqlite) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("songs.db");
        build(&file, 3, songs).unwrap();
        let database = Sqlite::open(&file, 3, 3).unwrap();
        (directory, database)
    }

    async fn json(database: &Sqlite, question: Question) -> Value {
        serde_json::from_slice(&database.ask(question).await.unwrap().unwrap()).unwrap()
    }

    async fn search(database: &Sqlite, text: &str, page: Page) -> Value {
        json(database, Question::search(text, page).unwrap()).await
    }

    fn ids(page: &Value) -> Vec<u64> {
        page["songs"].as_array().unwrap().iter().map(|song| song["id"].as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn songs_are_found_by_their_words_without_regard_to_accents() {
        let (_directory, database) = database(500);
        for song in [1, 250, 500] {
            let text = format!("{} {}", names::title(song), names::artist(song));
            let found = search(&database, &text, FIRST).await;
            assert!(ids(&found).contains(&song), "{text}: {found}");
            assert_eq!(found["songs"][0]["title"], names::title(song), "all words rank above some");
        }
        assert_eq!(search(&database, "cafe", FIRST).await, search(&database, "Café", FIRST).await);
        let nothing = search(&database, "zzzzz", FIRST).await;
        assert_eq!(nothing.to_string(), "{\"next_offset\":null,\"songs\":[]}");
        for question in
            [Question::Song(501), Question::Song(u64::MAX), Question::Artist(0), Question::Album(999)]
        {
            assert_eq!(database.ask(question).await, Ok(None));
        }
        let at_home = (1..70).find_map(|id| Some((id, catalogue::artist(3, id).also_known_as?))).unwrap();
        let found = search(&database, &at_home.1, Page { limit: 50, offset: 0 }).await;
        assert!(found["songs"].as_array().unwrap().iter().any(|song| song["artist_id"] == at_home.0));
    }

    #[tokio::test]
    async fn pages_follow_each_other_without_gap_or_repetition() {
        let (_directory, database) = database(500);
        let all = search(&database, "golden", Page { limit: 50, offset: 0 }).await;
        assert_eq!(all["next_offset"], Value::Null);
        let (mut paged, mut offset) = (Vec::new(), 0);
        loop {
            let page = search(&database, "golden", Page { limit: 3, offset }).await;
            paged.extend(ids(&page));
            let Some(next) = page["next_offset"].as_u64() else { break };
            offset = next;
        }
        assert!(paged.len() > 3 && paged == ids(&all), "{paged:?}");
    }

    #[tokio::test]
    async fn artists_albums_and_songs_lead_to_each_other() {
        let (_directory, database) = database(500);
        let song = json(&database, Question::Song(42)).await;
        assert_eq!((&song["title"], &song["artist"]), (&names::title(42).into(), &names::artist(42).into()));
        let artist = json(&database, Question::Artist(song["artist_id"].as_u64().unwrap())).await;
        assert_eq!(artist["name"], song["artist"]);
        let on = artist["albums"].as_array().unwrap().iter().find(|album| album["id"] == song["album_id"]);
        assert_eq!(on.unwrap()["title"], song["album"]);
        let album = json(&database, Question::Album(song["album_id"].as_u64().unwrap())).await;
        assert_eq!(album["released"], song["released"]);
        let track = song["track"].as_u64().unwrap() as usize;
        assert_eq!(album["songs"][track - 1]["id"], 42);
        let page = json(&database, Question::ArtistSongs(7, Page { limit: 3, offset: 3 })).await;
        assert_eq!((ids(&page), &page["next_offset"]), (vec![45, 46, 47], &6.into()));
    }

    #[tokio::test]
    async fn a_song_published_later_is_found() {
        let (_directory, database) = database(10);
        assert_eq!(database.ask(Question::Song(11)).await, Ok(None));
        database.publish(11).unwrap();
        assert_eq!(json(&database, Question::Song(11)).await["title"], names::title(11));
        assert!(ids(&search(&database, &names::title(11), FIRST).await).contains(&11));
    }
}
