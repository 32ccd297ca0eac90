//! Users' playlists, kept in a database file of their own.
//!
//! Why `SQLite` here too: playlists must survive a crash in one piece, and it is there already. One thread owns
//! the connection, so that a write never blocks a thread that serves requests.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use http::HeaderMap;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::catalogue_db::Page;
use crate::error::StackError;
#[cfg(feature = "services")]
use crate::services::playlists::Playlists;
use crate::upstream::USER;

/// Requests that may wait for the thread.
const WAITING_MAX: usize = 1 << 12;
/// Playlists of one user.
pub const PLAYLISTS_MAX: u64 = 1000;
/// Songs of one playlist.
pub const SONGS_MAX: u64 = 10_000;
/// Characters of a playlist's name.
const NAME_MAX: usize = 200;
/// Whoever does not say who they are.
const GUEST: &str = "guest";
const USER_MAX: usize = 64;

const TABLES: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
    CREATE TABLE IF NOT EXISTS playlist(id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL,
        name TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS playlist_by_user ON playlist(user, id);
    CREATE TABLE IF NOT EXISTS entry(playlist INTEGER NOT NULL REFERENCES playlist(id) ON DELETE CASCADE,
        place INTEGER NOT NULL, song INTEGER NOT NULL, PRIMARY KEY(playlist, song)) WITHOUT ROWID;";

/// Why nothing came of a request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("{0}")]
    Wrong(String),
    #[error("there is no such {0}")]
    Missing(&'static str),
    #[error("{0}")]
    Limit(String),
    #[error("too many requests wait for the playlists; try again later")]
    Busy,
    #[cfg(feature = "services")]
    #[error("the playlists' database can't be reached; try again later")]
    Down,
    #[error("the playlists can't be read or written: {0}")]
    Broken(String),
}

impl From<rusqlite::Error> for UserError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => Self::Busy,
            _ => Self::Broken(error.to_string()),
        }
    }
}

/// A playlist in full.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Playlist {
    pub id: u64,
    pub name: String,
    pub songs: Vec<u64>,
}

/// A page of playlists.
#[derive(Debug, Serialize)]
pub struct PlaylistPage {
    pub playlists: Vec<PlaylistLine>,
    pub next_offset: Option<u64>,
}

#[derive(Debug, Serialize)]
pub struct PlaylistLine {
    pub id: u64,
    pub name: String,
    pub songs: u64,
}

/// Where playlists are kept.
#[derive(Debug)]
pub enum Users {
    /// In a file, by this process.
    Sqlite(Sqlite),
    /// In a server of its own.
    #[cfg(feature = "services")]
    Postgres(Playlists),
}

/// Has the store do it, whichever it is.
macro_rules! on {
    ($users:expr, |$store:ident| $work:expr) => {
        match $users {
            Users::Sqlite($store) => $work,
            #[cfg(feature = "services")]
            Users::Postgres($store) => $work,
        }
    };
}

impl Users {
    pub async fn list(&self, user: &str, page: Page) -> Result<PlaylistPage, UserError> {
        on!(self, |store| store.list(user, page).await)
    }

    pub async fn create(&self, user: &str, name: String) -> Result<Playlist, UserError> {
        // A database's text holds anything but this one character.
        let sane = !name.trim().is_empty() && name.chars().count() <= NAME_MAX && !name.contains('\0');
        if !sane {
            return Err(UserError::Wrong(format!("a name has 1 to {NAME_MAX} characters, none of them NUL")));
        }
        on!(self, |store| store.create(user, name).await)
    }

    pub async fn get(&self, user: &str, id: u64) -> Result<Playlist, UserError> {
        on!(self, |store| store.get(user, id).await)
    }

    pub async fn delete(&self, user: &str, id: u64) -> Result<(), UserError> {
        on!(self, |store| store.delete(user, id).await)
    }

    pub async fn add(&self, user: &str, id: u64, song: u64) -> Result<Playlist, UserError> {
        on!(self, |store| store.add(user, id, song).await)
    }

    pub async fn remove(&self, user: &str, id: u64, song: u64) -> Result<(), UserError> {
        on!(self, |store| store.remove(user, id, song).await)
    }
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle to the thread that owns the file; it ends when this is dropped.
pub struct Sqlite {
    jobs: SyncSender<Job>,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

/// Whose request it is.
///
/// # Errors
/// If the name is not one that a user may have.
pub fn user(headers: &HeaderMap) -> Result<String, UserError> {
    let Some(user) = headers.get(USER) else { return Ok(GUEST.to_owned()) };
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let text = user.to_str().ok().filter(|text| (1..=USER_MAX).contains(&text.len()));
    text.filter(|text| text.as_bytes().iter().all(sane)).map(str::to_owned).ok_or_else(|| {
        UserError::Wrong(format!("x-user has 1 to {USER_MAX} letters, digits, dashes and underscores"))
    })
}

impl Sqlite {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// If it can't be used, or there is no thread.
    pub fn open(file: &Path) -> Result<Self, StackError> {
        let connection = Connection::open(file)?;
        connection.execute_batch(TABLES)?;
        let (jobs, waiting) = sync_channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("plimsoll-users".into())
            .spawn(move || work(connection, &waiting))
            .map_err(StackError::Threads)?;
        Ok(Self { jobs })
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, UserError> + Send + 'static,
    ) -> Result<T, UserError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked may be gone.
            let _ = reply.send(job(connection));
        });
        self.jobs.try_send(job).map_err(|_| UserError::Busy)?;
        answer.await.unwrap_or_else(|_| Err(UserError::Broken("its thread has ended".to_owned())))
    }

    async fn list(&self, user: &str, page: Page) -> Result<PlaylistPage, UserError> {
        let user = user.to_owned();
        self.run(move |connection| list(connection, &user, page)).await
    }

    async fn create(&self, user: &str, name: String) -> Result<Playlist, UserError> {
        let user = user.to_owned();
        self.run(move |connection| create(connection, &user, name)).await
    }

    async fn get(&self, user: &str, id: u64) -> Result<Playlist, UserError> {
        let user = user.to_owned();
        self.run(move |connection| get(connection, &user, id)).await
    }

    async fn delete(&self, user: &str, id: u64) -> Result<(), UserError> {
        let user = user.to_owned();
        let sql = "DELETE FROM playlist WHERE id = ?1 AND user = ?2";
        self.run(move |connection| match connection.prepare(sql)?.execute((id as i64, &user))? {
            0 => Err(UserError::Missing("playlist")),
            _ => Ok(()),
        })
        .await
    }

    async fn add(&self, user: &str, id: u64, song: u64) -> Result<Playlist, UserError> {
        let user = user.to_owned();
        self.run(move |connection| add(connection, &user, id, song)).await
    }

    async fn remove(&self, user: &str, id: u64, song: u64) -> Result<(), UserError> {
        let user = user.to_owned();
        self.run(move |connection| {
            named(connection, &user, id)?;
            let sql = "DELETE FROM entry WHERE playlist = ?1 AND song = ?2";
            match connection.prepare(sql)?.execute((id as i64, song as i64))? {
                0 => Err(UserError::Missing("song on this playlist")),
                _ => Ok(()),
            }
        })
        .await
    }
}

fn work(mut connection: Connection, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job(&mut connection);
    }
}

fn list(connection: &Connection, user: &str, page: Page) -> Result<PlaylistPage, UserError> {
    let mut query = connection.prepare(
        "SELECT id, name, (SELECT count(*) FROM entry WHERE playlist = id) FROM playlist WHERE user = ?1
         ORDER BY id LIMIT ?2 OFFSET ?3",
    )?;
    let rows = query.query_map((user, page.limit as i64 + 1, page.offset as i64), |row| {
        let (id, songs) = (row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs());
        Ok(PlaylistLine { id, name: row.get(1)?, songs })
    })?;
    let mut playlists = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = playlists.len() as u64 > page.limit;
    playlists.truncate(page.limit as usize);
    Ok(PlaylistPage { playlists, next_offset: more.then(|| page.offset + page.limit) })
}

fn create(connection: &Connection, user: &str, name: String) -> Result<Playlist, UserError> {
    let count = "SELECT count(*) FROM playlist WHERE user = ?1";
    let there: i64 = connection.prepare(count)?.query_row((user,), |row| row.get(0))?;
    if there.unsigned_abs() >= PLAYLISTS_MAX {
        return Err(UserError::Limit(format!("a user has at most {PLAYLISTS_MAX} playlists; delete one")));
    }
    let insert = "INSERT INTO playlist(user, name) VALUES (?1, ?2)";
    let id = connection.prepare(insert)?.insert((user, &name))?.unsigned_abs();
    Ok(Playlist { id, name, songs: Vec::new() })
}

/// Name of a user's playlist; there is none of another user's.
fn named(connection: &Connection, user: &str, id: u64) -> Result<String, UserError> {
    let id = i64::try_from(id).map_err(|_| UserError::Missing("playlist"))?;
    connection
        .prepare("SELECT name FROM playlist WHERE id = ?1 AND user = ?2")?
        .query_row((id, user), |row| row.get(0))
        .optional()?
        .ok_or(UserError::Missing("playlist"))
}

fn get(connection: &Connection, user: &str, id: u64) -> Result<Playlist, UserError> {
    let name = named(connection, user, id)?;
    let mut query = connection.prepare("SELECT song FROM entry WHERE playlist = ?1 ORDER BY place")?;
    let rows = query.query_map((id as i64,), |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))?;
    Ok(Playlist { id, name, songs: rows.collect::<rusqlite::Result<_>>()? })
}

fn add(connection: &mut Connection, user: &str, id: u64, song: u64) -> Result<Playlist, UserError> {
    named(connection, user, id)?;
    let transaction = connection.transaction()?;
    let ends = "SELECT count(*), coalesce(max(place), 0) FROM entry WHERE playlist = ?1";
    let (count, last): (i64, i64) =
        transaction.prepare(ends)?.query_row((id as i64,), |row| Ok((row.get(0)?, row.get(1)?)))?;
    if count.unsigned_abs() >= SONGS_MAX {
        return Err(UserError::Limit(format!("a playlist has at most {SONGS_MAX} songs; begin another")));
    }
    transaction
        .prepare("INSERT OR IGNORE INTO entry(playlist, place, song) VALUES (?1, ?2, ?3)")?
        .execute((id as i64, last + 1, song as i64))?;
    transaction.commit()?;
    get(connection, user, id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Page = Page { limit: 2, offset: 0 };

    #[tokio::test]
    async fn playlists_are_their_owners_and_outlive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("users.db");
        let users = Users::Sqlite(Sqlite::open(&file).unwrap());
        let list = users.create("ada", "Für Élise '); DROP TABLE playlist; --".to_owned()).await.unwrap();
        for song in [9, 4, 9, 7] {
            users.add("ada", list.id, song).await.unwrap();
        }
        assert_eq!(users.get("ada", list.id).await.unwrap().songs, [9, 4, 7]);
        let missing = || Err(UserError::Missing("playlist"));
        assert_eq!(users.get("eve", list.id).await, missing());
        assert_eq!(users.add("eve", list.id, 1).await, missing());
        assert_eq!(
            users.delete("eve", list.id).await.map_err(|e| e.to_string()),
            Err("there is no such playlist".to_owned())
        );
        users.remove("ada", list.id, 4).await.unwrap();
        assert!(users.remove("ada", list.id, 4).await.is_err());
        drop(users);
        let users = Users::Sqlite(Sqlite::open(&file).unwrap());
        assert_eq!(users.get("ada", list.id).await.unwrap(), Playlist { songs: vec![9, 7], ..list });
        users.delete("ada", 1).await.unwrap();
        assert_eq!(users.get("ada", 1).await, missing());
        assert_eq!(users.get("ada", u64::MAX).await, missing());
    }

    #[tokio::test]
    async fn lists_come_in_pages_and_have_limits() {
        let directory = tempfile::tempdir().unwrap();
        let users = Users::Sqlite(Sqlite::open(&directory.path().join("users.db")).unwrap());
        for name in ["a", "b", "c"] {
            users.create("ada", name.to_owned()).await.unwrap();
        }
        let first = users.list("ada", FIRST).await.unwrap();
        assert_eq!((first.playlists.len(), first.next_offset), (2, Some(2)));
        let second = users.list("ada", Page { offset: 2, ..FIRST }).await.unwrap();
        assert_eq!((second.playlists[0].name.as_str(), second.next_offset), ("c", None));
        for name in ["", "  ", "a\0b", &"x".repeat(NAME_MAX + 1)] {
            assert!(matches!(users.create("ada", name.to_owned()).await, Err(UserError::Wrong(_))));
        }
        for _ in 3..PLAYLISTS_MAX {
            users.create("ada", "x".to_owned()).await.unwrap();
        }
        assert!(matches!(users.create("ada", "x".to_owned()).await, Err(UserError::Limit(_))));
        assert!(users.create("eve", "x".to_owned()).await.is_ok());
    }

    #[test]
    fn users_have_harmless_names() {
        let named = |name: &str| user(&HeaderMap::from_iter([(USER, name.parse().unwrap())]));
        assert_eq!(user(&HeaderMap::new()), Ok("guest".to_owned()));
        assert_eq!(named("Ada_7-x"), Ok("Ada_7-x".to_owned()));
        for wrong in ["", "a b", "a'b", &"x".repeat(65)] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }
}
