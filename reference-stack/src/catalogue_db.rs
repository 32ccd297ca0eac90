//! What the song database is asked and what it answers, and the databases that there are to be asked.
//!
//! Why apart from them: both profiles of the stack must give the same answers to the same questions, so questions,
//! records and their text are the same code.

use serde::Serialize;

use crate::database::Sqlite;
#[cfg(feature = "services")]
use crate::services::songs::Songs;

/// Words of a query that count.
const WORDS_MAX: usize = 16;
/// Bytes of a query.
pub const QUERY_BYTES_MAX: usize = 256;

/// What the database is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Songs that have any of these words; see [`Question::search`].
    Search(Vec<String>, Page),
    Song(u64),
    Artist(u64),
    ArtistSongs(u64, Page),
    Album(u64),
}

/// Which results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    pub limit: u64,
    pub offset: u64,
}

impl Question {
    /// A search for any of the words of a text; `None` if it has no word. Words are runs of letters and digits in
    /// lower case, so whatever language a database has for queries, they hold nothing that means something in it.
    pub fn search(text: &str, page: Page) -> Option<Self> {
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(WORDS_MAX)
            .map(str::to_lowercase)
            .collect();
        (!words.is_empty()).then_some(Self::Search(words, page))
    }

    /// Name of its answer in a cache.
    pub fn key(&self) -> String {
        match self {
            Self::Search(words, Page { limit, offset }) => {
                format!("search:{limit}:{offset}:{}", words.join(" "))
            }
            Self::Song(song) => format!("song:{song}"),
            Self::Artist(artist) => format!("artist:{artist}"),
            Self::ArtistSongs(artist, Page { limit, offset }) => {
                format!("artist-songs:{limit}:{offset}:{artist}")
            }
            Self::Album(album) => format!("album:{album}"),
        }
    }
}

/// JSON text, nothing if there is no such thing, or what went wrong.
pub type Rows = Result<Option<Vec<u8>>, DbFault>;

/// Why a database gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DbFault {
    /// It can't be reached.
    #[cfg(feature = "services")]
    Down,
    Broken(String),
}

/// A song database.
#[derive(Debug)]
pub enum CatalogueDb {
    /// In this process.
    Sqlite(Sqlite),
    /// A server of its own.
    #[cfg(feature = "services")]
    Postgres(Songs),
}

impl CatalogueDb {
    /// Asks and waits.
    pub async fn ask(&self, question: Question) -> Rows {
        match self {
            Self::Sqlite(database) => database.ask(question).await,
            #[cfg(feature = "services")]
            Self::Postgres(songs) => Box::pin(songs.ask(&question)).await,
        }
    }

    /// Puts in one more song. Blocks.
    ///
    /// # Errors
    /// What went wrong.
    pub fn publish(&self, song: u64) -> Result<(), String> {
        match self {
            Self::Sqlite(database) => database.publish(song).map_err(|error| error.to_string()),
            #[cfg(feature = "services")]
            Self::Postgres(songs) => songs.publish(song),
        }
    }
}

#[derive(Serialize)]
pub struct Song {
    pub id: u64,
    pub title: String,
    pub artist: String,
    pub artist_id: u64,
    pub album: String,
    pub album_id: u64,
    pub track: u64,
    pub duration_s: u64,
    pub released: String,
    pub audio: String,
}

/// A song in a list: what a player needs to show and play it.
#[derive(Serialize)]
pub struct Found {
    pub id: u64,
    pub title: String,
    pub artist: String,
    pub artist_id: u64,
    pub album_id: u64,
    pub duration_s: u64,
    pub audio: String,
}

#[derive(Serialize)]
pub struct FoundPage {
    pub songs: Vec<Found>,
    pub next_offset: Option<u64>,
}

#[derive(Serialize)]
pub struct Artist {
    pub id: u64,
    pub name: String,
    pub also_known_as: Option<String>,
    pub country: Country,
    pub albums: Vec<AlbumLine>,
}

#[derive(Serialize)]
pub struct Country {
    pub code: String,
    pub name: String,
}

#[derive(Serialize)]
pub struct AlbumLine {
    pub id: u64,
    pub title: String,
    pub released: String,
    pub songs: u64,
}

#[derive(Serialize)]
pub struct Album {
    pub id: u64,
    pub title: String,
    pub artist: String,
    pub artist_id: u64,
    pub released: String,
    pub songs: Vec<Found>,
}

/// A page of which one song more than wanted was asked for.
pub fn page_of(mut songs: Vec<Found>, page: Page) -> FoundPage {
    let more = songs.len() as u64 > page.limit;
    songs.truncate(page.limit as usize);
    FoundPage { songs, next_offset: more.then(|| page.offset + page.limit) }
}

pub fn text(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("these records hold only numbers and text")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Page = Page { limit: 10, offset: 0 };

    #[test]
    fn any_text_makes_a_harmless_query() {
        for (text, expected) in [
            ("Golden Light", Some("golden light")),
            ("a\" OR title:b*", Some("a or title b")),
            ("NEAR(x, 2)", Some("near x 2")),
            ("Café São 雪", Some("café são 雪")),
            (" '\"; -- ", None),
        ] {
            let words = |text: &str| text.split(' ').map(str::to_owned).collect();
            let expected = expected.map(|text| Question::Search(words(text), FIRST));
            assert_eq!(Question::search(text, FIRST), expected, "{text}");
        }
        let many = "word ".repeat(1000);
        let Some(Question::Search(words, _)) = Question::search(&many, FIRST) else { panic!("it has words") };
        assert_eq!(words, vec!["word"; WORDS_MAX]);
    }
}
