//! The catalogue around the songs: artists, albums, countries, dates. Made from numbers and the seed, so that a
//! million songs need no file; titles and artists' names are those that the load generator searches for.

use std::time::{Duration, SystemTime};

use plimsoll_scenarios::catalogue as names;
use plimsoll_scenarios::rng::Stream;

/// Songs of one artist: [`names::artist`] gives as many in a row the same name.
const SONGS_OF_ARTIST: u64 = 7;
/// Songs of an artist's first album; the second has the rest.
const SONGS_OF_FIRST: u64 = 4;

/// Code, name, and words of its script for the names that artists have at home (none where it is Latin).
const COUNTRIES: [(&str, &str, &[&str]); 24] = [
    ("US", "United States", &[]),
    ("GB", "United Kingdom", &[]),
    ("BR", "Brazil", &[]),
    ("DE", "Germany", &[]),
    ("FR", "France", &[]),
    ("NG", "Nigeria", &[]),
    ("MX", "Mexico", &[]),
    ("ES", "Spain", &[]),
    ("SE", "Sweden", &[]),
    ("IS", "Iceland", &[]),
    ("TR", "Türkiye", &[]),
    ("CI", "Côte d’Ivoire", &[]),
    ("VN", "Việt Nam", &[]),
    ("PL", "Poland", &[]),
    ("JP", "Japan", &["雪", "波", "夜空", "ひかり", "東京", "鈴", "花火", "カモメ"]),
    ("KR", "South Korea", &["바람", "하늘", "별", "노래", "서울", "달빛"]),
    ("CN", "China", &["月光", "海", "风", "山水", "星", "春天"]),
    ("IN", "India", &["सूरज", "नदी", "गीत", "रात", "सपना", "मेघ"]),
    ("EG", "Egypt", &["نور", "ليل", "قمر", "نهر", "صوت", "حلم"]),
    ("IL", "Israel", &["אור", "לילה", "שיר", "ים", "רוח"]),
    ("GR", "Greece", &["Φως", "Νύχτα", "Θάλασσα", "Όνειρο", "Αστέρι"]),
    ("UA", "Ukraine", &["Світло", "Ніч", "Їжак", "Мрія", "Вітер"]),
    ("TH", "Thailand", &["แสง", "ทะเล", "ดาว", "ฝัน"]),
    ("GE", "Georgia", &["ზღვა", "მთა", "ღამე", "სიმღერა"]),
];

/// Country of an artist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    pub code: &'static str,
    pub name: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artist {
    pub name: String,
    /// The name at home, in another script.
    pub also_known_as: Option<String>,
    pub country: Country,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Album {
    pub title: String,
    pub artist: u64,
    pub released: Date,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Song {
    pub title: String,
    pub artist: u64,
    pub album: u64,
    /// From 1.
    pub track: u64,
    pub duration_s: u64,
}

/// A day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date(u64);

impl Date {
    pub const fn of_day(day: u64) -> Self {
        Self(day)
    }

    pub fn time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0 * 86_400)
    }

    /// `2026-11-22`, from the day's number (Hinnant, "chrono-compatible low-level date algorithms").
    pub fn text(self) -> String {
        let shifted = self.0 + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// The artist of a song. Both count from 1.
pub const fn artist_of(song: u64) -> u64 {
    song / SONGS_OF_ARTIST + 1
}

/// The album of a song, and its place there from 1.
pub const fn album_of(song: u64) -> (u64, u64) {
    let (artist, place) = (artist_of(song), song % SONGS_OF_ARTIST);
    // The first artist has no song 0.
    let place = if artist == 1 { place - 1 } else { place };
    if place < SONGS_OF_FIRST {
        (2 * artist - 1, place + 1)
    } else {
        (2 * artist, place - SONGS_OF_FIRST + 1)
    }
}

pub fn song(seed: u64, song: u64) -> Song {
    let (album, track) = album_of(song);
    let mut stream = Stream::new(seed, "song", "catalogue", song);
    // A bell around three and a half minutes.
    let duration_s = 90 + stream.below(120) + stream.below(120);
    Song { title: names::title(song), artist: artist_of(song), album, track, duration_s }
}

pub fn artist(seed: u64, artist: u64) -> Artist {
    let mut stream = Stream::new(seed, "artist", "catalogue", artist);
    // Of two draws the smaller: the first of the list are the more frequent.
    let draw = stream.below(COUNTRIES.len() as u64).min(stream.below(COUNTRIES.len() as u64 + 8));
    let (code, name, words) = COUNTRIES[draw as usize];
    let word = |stream: &mut Stream| words[stream.below(words.len() as u64) as usize];
    let also_known_as = (!words.is_empty()).then(|| format!("{} {}", word(&mut stream), word(&mut stream)));
    let own_name = names::artist((artist - 1) * SONGS_OF_ARTIST);
    Artist { name: own_name, also_known_as, country: Country { code, name } }
}

pub fn album(seed: u64, album: u64) -> Album {
    let mut stream = Stream::new(seed, "album", "catalogue", album);
    // From 1972 to 2026; of two draws the later, for catalogues grow.
    let day = stream.below(19_700).max(stream.below(19_700)) + 750;
    // Titles far away from those of songs.
    let title = names::title(album.wrapping_mul(1_000_003) + 500_000_000);
    Album { title, artist: album.div_ceil(2), released: Date(day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn songs_artists_and_albums_agree_about_each_other() {
        let songs = 100;
        for number in 1..=songs {
            let song = song(3, number);
            assert_eq!(song.artist, artist_of(number));
            assert_eq!(artist(3, song.artist).name, names::artist(number), "{number}");
            assert_eq!(album(3, song.album).artist, song.artist, "{number}");
            assert!((1..=SONGS_OF_FIRST).contains(&song.track) && (90..330).contains(&song.duration_s));
        }
        let placed: std::collections::BTreeSet<_> = (1..=songs).map(album_of).collect();
        assert_eq!(placed.len() as u64, songs, "one place each");
    }

    #[test]
    fn names_come_in_many_scripts_and_depend_on_the_seed_only() {
        let artists: Vec<Artist> = (1..500).map(|number| artist(1, number)).collect();
        let countries: std::collections::BTreeSet<_> = artists.iter().map(|a| a.country.code).collect();
        assert_eq!(countries.len(), COUNTRIES.len());
        let at_home = artists.iter().filter(|artist| artist.also_known_as.is_some()).count();
        assert!((50..300).contains(&at_home), "{at_home}");
        assert_eq!(artist(1, 77), artist(1, 77));
        assert!((1..500).any(|number| artist(2, number) != artist(1, number)));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (day, text) in
            [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22")]
        {
            assert_eq!(Date(day).text(), text);
        }
    }
}
