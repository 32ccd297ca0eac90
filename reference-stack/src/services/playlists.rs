//! Users' playlists in `PostgreSQL`.

use tokio_postgres::GenericClient;

use super::postgres::{Connections, Failed};
use crate::catalogue_db::Page;
use crate::error::StackError;
use crate::users::{PLAYLISTS_MAX, Playlist, PlaylistLine, PlaylistPage, SONGS_MAX, UserError};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS playlist(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL,
        name text NOT NULL);
    CREATE INDEX IF NOT EXISTS playlist_by_owner ON playlist(owner, id);
    CREATE TABLE IF NOT EXISTS entry(playlist bigint NOT NULL REFERENCES playlist(id) ON DELETE CASCADE,
        place bigint NOT NULL, song bigint NOT NULL, PRIMARY KEY (playlist, song));";

/// The playlists' database.
#[derive(Debug)]
pub struct Playlists(Connections);

impl From<Failed> for UserError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Down => Self::Down,
            failed @ Failed::Statement(_) => Self::Broken(failed.to_string()),
        }
    }
}

impl From<tokio_postgres::Error> for UserError {
    fn from(error: tokio_postgres::Error) -> Self {
        Failed::from(error).into()
    }
}

impl Playlists {
    /// Makes the tables, unless they are there.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn open(connections: Connections) -> Result<Self, StackError> {
        let made = async { Ok::<_, Failed>(connections.get().await?.batch_execute(TABLES).await?) };
        let failed = |error: Failed| StackError::Service { name: "PostgreSQL", cause: error.to_string() };
        made.await.map_err(failed)?;
        Ok(Self(connections))
    }

    pub async fn list(&self, user: &str, page: Page) -> Result<PlaylistPage, UserError> {
        let client = self.0.get().await?;
        let sql = "SELECT id, name, (SELECT count(*) FROM entry WHERE playlist = id) FROM playlist
            WHERE owner = $1 ORDER BY id LIMIT $2 OFFSET $3";
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        let statement = client.prepare_cached(sql).await?;
        let rows = client.query(&statement, &[&user, &(page.limit.cast_signed() + 1), &offset]).await?;
        let line = |row: &tokio_postgres::Row| {
            let (id, songs) = (row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(2)?);
            Ok(PlaylistLine { id: id.unsigned_abs(), name: row.try_get(1)?, songs: songs.unsigned_abs() })
        };
        let mut playlists = rows.iter().map(line).collect::<Result<Vec<_>, UserError>>()?;
        let more = playlists.len() as u64 > page.limit;
        playlists.truncate(page.limit as usize);
        Ok(PlaylistPage { playlists, next_offset: more.then(|| page.offset + page.limit) })
    }

    pub async fn create(&self, user: &str, name: String) -> Result<Playlist, UserError> {
        let mut client = self.0.get().await?;
        let transaction = client.transaction().await?;
        // One of a user's playlists is made after the other, so that the limit holds.
        transaction.execute("SELECT pg_advisory_xact_lock(1, hashtext($1))", &[&user]).await?;
        let count = transaction.query_one("SELECT count(*) FROM playlist WHERE owner = $1", &[&user]).await?;
        if count.try_get::<_, i64>(0)?.unsigned_abs() >= PLAYLISTS_MAX {
            return Err(UserError::Limit(format!(
                "a user has at most {PLAYLISTS_MAX} playlists; delete one"
            )));
        }
        let insert = "INSERT INTO playlist(owner, name) VALUES ($1, $2) RETURNING id";
        let id = transaction.query_one(insert, &[&user, &name]).await?.try_get::<_, i64>(0)?.unsigned_abs();
        transaction.commit().await?;
        Ok(Playlist { id, name, songs: Vec::new() })
    }

    pub async fn get(&self, user: &str, id: u64) -> Result<Playlist, UserError> {
        playlist(&**self.0.get().await?, user, id).await
    }

    pub async fn delete(&self, user: &str, id: u64) -> Result<(), UserError> {
        let client = self.0.get().await?;
        let sql = "DELETE FROM playlist WHERE id = $1 AND owner = $2";
        match client.execute(sql, &[&number(id)?, &user]).await? {
            0 => Err(UserError::Missing("playlist")),
            _ => Ok(()),
        }
    }

    pub async fn add(&self, user: &str, id: u64, song: u64) -> Result<Playlist, UserError> {
        let mut client = self.0.get().await?;
        let transaction = client.transaction().await?;
        let (key, song) = (number(id)?, song.cast_signed());
        // Locked, so that songs are added one after the other.
        let lock = "SELECT id FROM playlist WHERE id = $1 AND owner = $2 FOR UPDATE";
        if transaction.query_opt(lock, &[&key, &user]).await?.is_none() {
            return Err(UserError::Missing("playlist"));
        }
        let ends = "SELECT count(*), coalesce(max(place), 0) FROM entry WHERE playlist = $1";
        let row = transaction.query_one(ends, &[&key]).await?;
        let (count, last): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if count.unsigned_abs() >= SONGS_MAX {
            return Err(UserError::Limit(format!("a playlist has at most {SONGS_MAX} songs; begin another")));
        }
        let insert = "INSERT INTO entry(playlist, place, song) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        transaction.execute(insert, &[&key, &(last + 1), &song]).await?;
        let playlist = playlist(&*transaction, user, id).await?;
        transaction.commit().await?;
        Ok(playlist)
    }

    pub async fn remove(&self, user: &str, id: u64, song: u64) -> Result<(), UserError> {
        let client = self.0.get().await?;
        let key = number(id)?;
        let named = "SELECT id FROM playlist WHERE id = $1 AND owner = $2";
        if client.query_opt(named, &[&key, &user]).await?.is_none() {
            return Err(UserError::Missing("playlist"));
        }
        let Ok(song) = i64::try_from(song) else { return Err(UserError::Missing("song on this playlist")) };
        match client.execute("DELETE FROM entry WHERE playlist = $1 AND song = $2", &[&key, &song]).await? {
            0 => Err(UserError::Missing("song on this playlist")),
            _ => Ok(()),
        }
    }
}

/// Beyond the database's numbers there is no playlist.
fn number(id: u64) -> Result<i64, UserError> {
    i64::try_from(id).map_err(|_| UserError::Missing("playlist"))
}

async fn playlist<C: GenericClient + Sync>(client: &C, user: &str, id: u64) -> Result<Playlist, UserError> {
    let key = number(id)?;
    let named = "SELECT name FROM playlist WHERE id = $1 AND owner = $2";
    let row = client.query_opt(named, &[&key, &user]).await?.ok_or(UserError::Missing("playlist"))?;
    let rows = client.query("SELECT song FROM entry WHERE playlist = $1 ORDER BY place", &[&key]).await?;
    let song = |row: &tokio_postgres::Row| Ok(row.try_get::<_, i64>(0)?.unsigned_abs());
    let songs = rows.iter().map(song).collect::<Result<_, UserError>>()?;
    Ok(Playlist { id, name: row.try_get(0)?, songs })
}
