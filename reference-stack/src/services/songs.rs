//! The song catalogue in `PostgreSQL`: tables as in the embedded profile, and a full-text index.
//!
//! A word of a title counts twice, as there; ranks are `PostgreSQL`'s own (`ts_rank`), so the order of results that
//! have equally many of the words differs from that of the embedded profile.

use std::fmt::Write as _;

use bytes::Bytes;
use futures_util::SinkExt as _;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::postgres::{Connections, Failed};
use crate::catalogue;
use crate::catalogue_db::{
    Album, AlbumLine, Artist, Country, DbFault, Found, Page, Question, Rows, Song, page_of, text,
};
use crate::error::StackError;

/// Bytes that are sent at once while tables are filled.
const CHUNK_BYTES: usize = 256 << 10;

const TABLES: &str = "
    DROP SCHEMA IF EXISTS catalogue CASCADE;
    CREATE SCHEMA catalogue;
    CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA public;
    CREATE TEXT SEARCH CONFIGURATION catalogue.words (COPY = simple);
    ALTER TEXT SEARCH CONFIGURATION catalogue.words ALTER MAPPING FOR hword, hword_part, word
        WITH public.unaccent, simple;
    CREATE TABLE catalogue.artist(id bigint NOT NULL, name text NOT NULL, also text, country_code text NOT NULL,
        country text NOT NULL);
    CREATE TABLE catalogue.album(id bigint NOT NULL, title text NOT NULL, artist bigint NOT NULL,
        released text NOT NULL);
    CREATE TABLE catalogue.song(id bigint NOT NULL, title text NOT NULL, artist bigint NOT NULL,
        album bigint NOT NULL, track bigint NOT NULL, duration_s bigint NOT NULL);
    CREATE TABLE catalogue.song_words(id bigint NOT NULL, words tsvector NOT NULL);";

/// Once everything is in.
const INDEXES: &str = "
    ALTER TABLE catalogue.artist ADD PRIMARY KEY (id);
    ALTER TABLE catalogue.album ADD PRIMARY KEY (id);
    ALTER TABLE catalogue.song ADD PRIMARY KEY (id);
    CREATE INDEX ON catalogue.song(album, track);
    CREATE INDEX ON catalogue.song(artist, id);
    CREATE INDEX ON catalogue.album(artist, id);
    INSERT INTO catalogue.song_words SELECT s.id, catalogue_words(s.title, a.name, a.also)
        FROM catalogue.song s JOIN catalogue.artist a ON a.id = s.artist ORDER BY s.id;
    ALTER TABLE catalogue.song_words ADD PRIMARY KEY (id);
    CREATE INDEX ON catalogue.song_words USING gin(words) WITH (fastupdate = off);
    ANALYZE catalogue.artist, catalogue.album, catalogue.song, catalogue.song_words;";

const WORDS: &str = "
    CREATE OR REPLACE FUNCTION catalogue_words(title text, name text, also text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE AS $$
        SELECT setweight(to_tsvector('catalogue.words', title), 'A')
            || setweight(to_tsvector('catalogue.words', name || ' ' || coalesce(also, '')), 'B')
    $$;";

const SEARCH: &str = "
    SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s FROM (
        SELECT w.id, ts_rank('{0, 0, 0.5, 1}', w.words, q) AS rank
        FROM catalogue.song_words w, to_tsquery('catalogue.words', $1) q WHERE w.words @@ q
        ORDER BY rank DESC, w.id LIMIT $2 OFFSET $3) f
    JOIN catalogue.song s ON s.id = f.id JOIN catalogue.artist a ON a.id = s.artist
    ORDER BY f.rank DESC, f.id";
const SONG: &str = "
    SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s, b.title, s.track, b.released
    FROM catalogue.song s JOIN catalogue.artist a ON a.id = s.artist JOIN catalogue.album b ON b.id = s.album
    WHERE s.id = $1";
const ARTIST: &str = "SELECT name, also, country_code, country FROM catalogue.artist WHERE id = $1";
const ARTIST_ALBUMS: &str = "
    SELECT b.id, b.title, b.released, (SELECT count(*) FROM catalogue.song s WHERE s.album = b.id)
    FROM catalogue.album b WHERE b.artist = $1 ORDER BY b.released, b.id";
const ARTIST_SONGS: &str = "
    SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s
    FROM catalogue.song s JOIN catalogue.artist a ON a.id = s.artist
    WHERE s.artist = $1 ORDER BY s.id LIMIT $2 OFFSET $3";
const ALBUM: &str = "
    SELECT b.title, a.name, a.id, b.released
    FROM catalogue.album b JOIN catalogue.artist a ON a.id = b.artist WHERE b.id = $1";
const ALBUM_SONGS: &str = "
    SELECT s.id, s.title, a.name, a.id, s.album, s.duration_s
    FROM catalogue.song s JOIN catalogue.artist a ON a.id = s.artist WHERE s.album = $1 ORDER BY s.track";

/// The catalogue's database.
#[derive(Debug)]
pub struct Songs {
    connections: Connections,
    seed: u64,
    runtime: tokio::runtime::Handle,
}

impl Songs {
    /// Makes the tables anew with this many songs. Called on the stack's runtime.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn build(connections: Connections, seed: u64, songs: u64) -> Result<Self, StackError> {
        let failed = |error: &Failed| StackError::Service { name: "PostgreSQL", cause: error.to_string() };
        let client = connections.get().await.map_err(|error| failed(&error))?;
        let build = async {
            client.batch_execute(TABLES).await?;
            client.batch_execute(WORDS).await?;
            fill(&client, seed, songs).await?;
            Ok::<_, Failed>(client.batch_execute(INDEXES).await?)
        };
        build.await.map_err(|error| failed(&error))?;
        drop(client);
        Ok(Self { connections, seed, runtime: tokio::runtime::Handle::current() })
    }

    /// Asks and waits.
    pub async fn ask(&self, question: &Question) -> Rows {
        self.answer(question).await.map_err(|failed| match failed {
            Failed::Down => DbFault::Down,
            failed @ Failed::Statement(_) => DbFault::Broken(failed.to_string()),
        })
    }

    /// Puts in one more song. Blocks; not to be called on a thread of the runtime.
    ///
    /// # Errors
    /// What went wrong.
    pub fn publish(&self, song: u64) -> Result<(), String> {
        self.runtime.block_on(self.put_in(song)).map_err(|failed| failed.to_string())
    }

    async fn put_in(&self, id: u64) -> Result<(), Failed> {
        let song = catalogue::song(self.seed, id);
        let (by, on) = (catalogue::artist(self.seed, song.artist), catalogue::album(self.seed, song.album));
        let mut client = self.connections.get().await?;
        let transaction = client.transaction().await?;
        let [id, artist, album] = [id, song.artist, song.album].map(u64::cast_signed);
        let also = by.also_known_as.as_deref();
        let (code, country, released) = (by.country.code, by.country.name, on.released.text());
        transaction
            .execute(
                "INSERT INTO catalogue.artist VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                &[&artist, &by.name, &also, &code, &country],
            )
            .await?;
        transaction
            .execute(
                "INSERT INTO catalogue.album VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
                &[&album, &on.title, &artist, &released],
            )
            .await?;
        let (track, duration) = (song.track.cast_signed(), song.duration_s.cast_signed());
        transaction
            .execute(
                "INSERT INTO catalogue.song VALUES ($1, $2, $3, $4, $5, $6)",
                &[&id, &song.title, &artist, &album, &track, &duration],
            )
            .await?;
        let words = "INSERT INTO catalogue.song_words VALUES ($1, catalogue_words($2, $3, $4))";
        transaction.execute(words, &[&id, &song.title, &by.name, &also]).await?;
        Ok(transaction.commit().await?)
    }

    async fn rows(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Failed> {
        let client = self.connections.get().await?;
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query(&statement, params).await?)
    }

    async fn answer(&self, question: &Question) -> Result<Option<Vec<u8>>, Failed> {
        let key = match question {
            Question::Search(words, page) => return self.search(words, *page).await.map(Some),
            Question::Song(id)
            | Question::Artist(id)
            | Question::ArtistSongs(id, _)
            | Question::Album(id) => *id,
        };
        // Beyond the database's numbers there is nothing either.
        let Ok(id) = i64::try_from(key) else { return Ok(None) };
        match question {
            Question::Song(_) => {
                let rows = self.rows(SONG, &[&id]).await?;
                rows.first().map(|row| Ok(text(&song(row)?))).transpose()
            }
            Question::Artist(_) => {
                let lines = self.rows(ARTIST_ALBUMS, &[&id]).await?;
                let albums = lines.iter().map(album_line).collect::<Result<_, _>>()?;
                let rows = self.rows(ARTIST, &[&id]).await?;
                rows.first().map(|row| Ok(text(&artist(key, row, albums)?))).transpose()
            }
            Question::ArtistSongs(_, page) => {
                if self.rows(ARTIST, &[&id]).await?.is_empty() {
                    return Ok(None);
                }
                let (limit, offset) = window(*page);
                let rows = self.rows(ARTIST_SONGS, &[&id, &limit, &offset]).await?;
                Ok(Some(text(&page_of(all_found(&rows)?, *page))))
            }
            _ => {
                let songs = self.rows(ALBUM_SONGS, &[&id]).await?;
                let rows = self.rows(ALBUM, &[&id]).await?;
                rows.first().map(|row| Ok(text(&album(key, row, all_found(&songs)?)?))).transpose()
            }
        }
    }

    async fn search(&self, words: &[String], page: Page) -> Result<Vec<u8>, Failed> {
        // Each word in quotes, in which nothing means anything but the quote and the backslash.
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let (query, (limit, offset)) = (words.join(" | "), window(page));
        let rows = self.rows(SEARCH, &[&query, &limit, &offset]).await?;
        Ok(text(&page_of(all_found(&rows)?, page)))
    }
}

/// One more than wanted tells whether there is more.
const fn window(page: Page) -> (i64, i64) {
    let offset = if page.offset > i64::MAX as u64 { i64::MAX } else { page.offset.cast_signed() };
    (page.limit.cast_signed() + 1, offset)
}

fn unsigned(row: &Row, column: usize) -> Result<u64, Failed> {
    Ok(row.try_get::<_, i64>(column)?.unsigned_abs())
}

fn all_found(rows: &[Row]) -> Result<Vec<Found>, Failed> {
    rows.iter().map(found).collect()
}

fn found(row: &Row) -> Result<Found, Failed> {
    let id = unsigned(row, 0)?;
    Ok(Found {
        id,
        title: row.try_get(1)?,
        artist: row.try_get(2)?,
        artist_id: unsigned(row, 3)?,
        album_id: unsigned(row, 4)?,
        duration_s: unsigned(row, 5)?,
        audio: format!("/v1/songs/{id}/audio"),
    })
}

fn song(row: &Row) -> Result<Song, Failed> {
    let Found { id, title, artist, artist_id, album_id, duration_s, audio } = found(row)?;
    let (album, track, released) = (row.try_get(6)?, unsigned(row, 7)?, row.try_get(8)?);
    Ok(Song { id, title, artist, artist_id, album, album_id, track, duration_s, released, audio })
}

fn album_line(row: &Row) -> Result<AlbumLine, Failed> {
    let (id, songs) = (unsigned(row, 0)?, unsigned(row, 3)?);
    Ok(AlbumLine { id, title: row.try_get(1)?, released: row.try_get(2)?, songs })
}

fn artist(id: u64, row: &Row, albums: Vec<AlbumLine>) -> Result<Artist, Failed> {
    let country = Country { code: row.try_get(2)?, name: row.try_get(3)? };
    Ok(Artist { id, name: row.try_get(0)?, also_known_as: row.try_get(1)?, country, albums })
}

fn album(id: u64, row: &Row, songs: Vec<Found>) -> Result<Album, Failed> {
    let artist_id = unsigned(row, 2)?;
    Ok(Album {
        id,
        title: row.try_get(0)?,
        artist: row.try_get(1)?,
        artist_id,
        released: row.try_get(3)?,
        songs,
    })
}

/// Fills the tables by `COPY`, one after the other.
async fn fill(client: &Client, seed: u64, songs: u64) -> Result<(), Failed> {
    let artists = 1..=catalogue::artist_of(songs);
    copy(client, "artist", artists, |line, id| {
        let artist = catalogue::artist(seed, id);
        column(line, &id.to_string());
        column(line, &artist.name);
        match &artist.also_known_as {
            Some(also) => column(line, also),
            None => line.push_str("\\N\t"),
        }
        column(line, artist.country.code);
        column(line, artist.country.name);
    })
    .await?;
    copy(client, "album", 1..=catalogue::album_of(songs).0, |line, id| {
        let album = catalogue::album(seed, id);
        column(line, &id.to_string());
        column(line, &album.title);
        column(line, &album.artist.to_string());
        column(line, &album.released.text());
    })
    .await?;
    copy(client, "song", 1..=songs, |line, id| {
        let song = catalogue::song(seed, id);
        column(line, &id.to_string());
        column(line, &song.title);
        for number in [song.artist, song.album, song.track, song.duration_s] {
            column(line, &number.to_string());
        }
    })
    .await
}

async fn copy(
    client: &Client,
    table: &str,
    ids: std::ops::RangeInclusive<u64>,
    row: impl Fn(&mut String, u64),
) -> Result<(), Failed> {
    let sink = client.copy_in::<_, Bytes>(&format!("COPY catalogue.{table} FROM STDIN")).await?;
    let mut sink = std::pin::pin!(sink);
    let mut chunk = String::with_capacity(CHUNK_BYTES + 1024);
    for id in ids {
        row(&mut chunk, id);
        // The tab after the last column.
        chunk.pop();
        chunk.push('\n');
        if chunk.len() >= CHUNK_BYTES {
            sink.send(Bytes::from(std::mem::take(&mut chunk))).await?;
        }
    }
    sink.send(Bytes::from(chunk)).await?;
    sink.finish().await?;
    Ok(())
}

/// A column of `COPY`'s text format, with the tab after it.
fn column(line: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            // Writing to a String cannot fail.
            other => drop(line.write_char(other)),
        }
    }
    line.push('\t');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_escaped_as_copy_wants_it() {
        let mut line = String::new();
        column(&mut line, "Für\t\\N\nx");
        assert_eq!(line, "Für\\t\\\\N\\nx\t");
    }

    #[test]
    fn pages_far_away_stay_numbers_that_the_database_has() {
        assert_eq!(window(Page { limit: 10, offset: 20 }), (11, 20));
        assert_eq!(window(Page { limit: 10, offset: u64::MAX }), (11, i64::MAX));
    }
}
