//! The API in one table: what the router answers, what the metrics call it, and what the `OpenAPI` document
//! says are the same entries, so that none can be forgotten in one of the places.

use std::fmt::Write as _;

use http::Method;

use crate::catalogue_db::QUERY_BYTES_MAX;
use crate::tiers;

/// What can be asked for; also the label `op` of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Song,
    Audio,
    Artist,
    ArtistSongs,
    Album,
    Search,
    Heat,
    Play,
    PlaylistList,
    PlaylistCreate,
    Playlist,
    PlaylistDelete,
    PlaylistAdd,
    PlaylistRemove,
    OpenApi,
    /// Nothing in the table.
    Other,
}

impl Op {
    /// Number of operations.
    pub const COUNT: usize = Self::Other as usize + 1;

    /// Every operation with its name in metrics and documents.
    pub const NAMES: [(Self, &'static str); Self::COUNT] = [
        (Self::Song, "song"),
        (Self::Audio, "audio"),
        (Self::Artist, "artist"),
        (Self::ArtistSongs, "artist-songs"),
        (Self::Album, "album"),
        (Self::Search, "search"),
        (Self::Heat, "heat"),
        (Self::Play, "play-event"),
        (Self::PlaylistList, "playlists"),
        (Self::PlaylistCreate, "playlist-create"),
        (Self::Playlist, "playlist"),
        (Self::PlaylistDelete, "playlist-delete"),
        (Self::PlaylistAdd, "playlist-add"),
        (Self::PlaylistRemove, "playlist-remove"),
        (Self::OpenApi, "openapi"),
        (Self::Other, "other"),
    ];

    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].1
    }
}

/// One operation on one path.
#[derive(Debug)]
pub struct Endpoint {
    pub op: Op,
    pub method: &'static str,
    /// Segments in braces are numbers from 1.
    pub path: &'static str,
    /// The tier behind the gateway that answers.
    pub tier: &'static str,
    pub summary: &'static str,
    pub query: &'static [Param],
    /// Whether the header `x-user` says whose it is.
    pub of_user: bool,
    /// Schema of the request's body.
    pub takes: Option<&'static str>,
    pub gives: Gives,
    /// Other statuses of its own; those that any request may get are not listed.
    pub fails: &'static [u16],
}

/// What comes back if all goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// Status and schema.
    Json(u16, &'static str),
    /// Bytes with validators, ranges and a lifetime.
    Audio,
    /// Status.
    Nothing(u16),
}

/// A parameter of the query.
#[derive(Debug)]
pub struct Param {
    pub name: &'static str,
    pub what: &'static str,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Integer {
        min: u64,
        max: u64,
        default: u64,
    },
    /// Required; bytes at most.
    Text {
        max: usize,
    },
}

pub const LIMIT: Param =
    Param { name: "limit", what: "entries on a page", kind: Kind::Integer { min: 1, max: 50, default: 10 } };
pub const OFFSET: Param = Param {
    name: "offset",
    what: "entries before the page: `next_offset` of the page before",
    kind: Kind::Integer { min: 0, max: 10_000, default: 0 },
};
const QUERY: Param = Param {
    name: "q",
    what: "words to look for in titles and artists",
    kind: Kind::Text { max: QUERY_BYTES_MAX },
};
pub const TOP: Param = Param {
    name: "top",
    what: "songs in the answer",
    kind: Kind::Integer { min: 1, max: 1000, default: 10 },
};

/// An entry that takes nothing and may fail in no way of its own.
const PLAIN: Endpoint = Endpoint {
    op: Op::Other,
    method: "GET",
    path: "",
    tier: tiers::WEB,
    summary: "",
    query: &[],
    of_user: false,
    takes: None,
    gives: Gives::Nothing(204),
    fails: &[],
};

/// All of the API.
pub static ENDPOINTS: [Endpoint; 15] = [
    Endpoint {
        op: Op::Audio,
        path: "/v1/songs/{song}/audio",
        summary: "The song itself, whole or in parts",
        gives: Gives::Audio,
        fails: &[404],
        ..PLAIN
    },
    Endpoint {
        op: Op::Search,
        path: "/v1/search",
        summary: "Songs by words of their titles and artists, best match first",
        query: &[QUERY, LIMIT, OFFSET],
        gives: Gives::Json(200, "SearchPage"),
        fails: &[400],
        ..PLAIN
    },
    Endpoint {
        op: Op::Play,
        method: "POST",
        path: "/v1/events",
        tier: tiers::EVENTS,
        summary: "Says that a song is played",
        takes: Some("Play"),
        gives: Gives::Nothing(202),
        fails: &[400, 404, 413],
        ..PLAIN
    },
    Endpoint {
        op: Op::Song,
        path: "/v1/songs/{song}",
        summary: "What is known of a song",
        gives: Gives::Json(200, "Song"),
        fails: &[404],
        ..PLAIN
    },
    Endpoint {
        op: Op::Artist,
        path: "/v1/artists/{artist}",
        summary: "An artist and their albums",
        gives: Gives::Json(200, "Artist"),
        fails: &[404],
        ..PLAIN
    },
    Endpoint {
        op: Op::ArtistSongs,
        path: "/v1/artists/{artist}/songs",
        summary: "The songs of an artist, the most popular first",
        query: &[LIMIT, OFFSET],
        gives: Gives::Json(200, "SongPage"),
        fails: &[400, 404],
        ..PLAIN
    },
    Endpoint {
        op: Op::Album,
        path: "/v1/albums/{album}",
        summary: "An album and its songs in order",
        gives: Gives::Json(200, "Album"),
        fails: &[404],
        ..PLAIN
    },
    Endpoint {
        op: Op::Heat,
        path: "/v1/heat",
        tier: tiers::EVENTS,
        summary: "The songs played most in the last minute",
        query: &[TOP],
        gives: Gives::Json(200, "Heat"),
        fails: &[400],
        ..PLAIN
    },
    Endpoint {
        op: Op::PlaylistList,
        path: "/v1/playlists",
        summary: "The playlists of a user",
        query: &[LIMIT, OFFSET],
        of_user: true,
        gives: Gives::Json(200, "PlaylistPage"),
        fails: &[400],
        ..PLAIN
    },
    Endpoint {
        op: Op::PlaylistCreate,
        method: "POST",
        path: "/v1/playlists",
        summary: "Makes a playlist",
        of_user: true,
        takes: Some("NewPlaylist"),
        gives: Gives::Json(201, "Playlist"),
        fails: &[400, 409, 413],
        ..PLAIN
    },
    Endpoint {
        op: Op::Playlist,
        path: "/v1/playlists/{playlist}",
        summary: "A playlist with its songs",
        of_user: true,
        gives: Gives::Json(200, "Playlist"),
        fails: &[400, 404],
        ..PLAIN
    },
    Endpoint {
        op: Op::PlaylistDelete,
        method: "DELETE",
        path: "/v1/playlists/{playlist}",
        summary: "Deletes a playlist",
        of_user: true,
        fails: &[400, 404],
        ..PLAIN
    },
    Endpoint {
        op: Op::PlaylistAdd,
        method: "POST",
        path: "/v1/playlists/{playlist}/songs",
        summary: "Adds a song to the end of a playlist, unless it is there",
        of_user: true,
        takes: Some("Play"),
        gives: Gives::Json(200, "Playlist"),
        fails: &[400, 404, 409, 413],
        ..PLAIN
    },
    Endpoint {
        op: Op::PlaylistRemove,
        method: "DELETE",
        path: "/v1/playlists/{playlist}/songs/{song}",
        summary: "Takes a song off a playlist",
        of_user: true,
        fails: &[400, 404],
        ..PLAIN
    },
    Endpoint {
        op: Op::OpenApi,
        path: "/v1/openapi.json",
        summary: "This document",
        gives: Gives::Json(200, "OpenApi"),
        ..PLAIN
    },
];

/// A request that the table knows.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub endpoint: &'static Endpoint,
    /// The numbers in the path, in order; 0 where there are fewer.
    pub ids: [u64; 2],
}

/// A request that the table does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    Path,
    /// Methods that the path has.
    Method(String),
    /// `OPTIONS`: the methods that the path has.
    Options(String),
    /// The name of a part of the path that is no number.
    Number(&'static str),
}

/// Finds the entry for a request.
pub fn route(method: &Method, path: &str) -> Result<Call, Wrong> {
    let asked = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut on_path = false;
    let mut no_number = None;
    for endpoint in &ENDPOINTS {
        let Some(ids) = matched(endpoint.path, path) else { continue };
        on_path = true;
        if endpoint.method != asked {
            continue;
        }
        match ids {
            Ok(ids) => return Ok(Call { endpoint, ids }),
            Err(name) => no_number = Some(name),
        }
    }
    match no_number {
        Some(name) => Err(Wrong::Number(name)),
        None if !on_path => Err(Wrong::Path),
        None if method == Method::OPTIONS => Err(Wrong::Options(methods(path))),
        None => Err(Wrong::Method(methods(path))),
    }
}

/// The operation of a request, for metrics.
pub fn op(method: &Method, path: &str) -> Op {
    route(method, path).map_or(Op::Other, |call| call.endpoint.op)
}

/// The numbers in a path of this form; `None` for a path of another, `Err` for a part that is no number.
fn matched(template: &'static str, path: &str) -> Option<Result<[u64; 2], &'static str>> {
    // Most templates differ from most paths before their first number.
    let pairs = template.bytes().zip(path.bytes());
    let same = pairs.take_while(|(expected, given)| expected == given && *expected != b'{').count();
    if template.as_bytes().get(same).is_some_and(|expected| *expected != b'{') {
        return None;
    }
    let (mut ids, mut found, mut wrong) = ([0; 2], 0, None);
    let mut given = path.split('/');
    for expected in template.split('/') {
        let part = given.next()?;
        if let Some(name) = expected.strip_prefix('{') {
            match part.parse() {
                Ok(id) if part.bytes().all(|byte| byte.is_ascii_digit()) => ids[found] = id,
                _ => wrong = Some(name.trim_end_matches('}')),
            }
            found += 1;
        } else if part != expected {
            return None;
        }
    }
    given.next().is_none().then(|| wrong.map_or(Ok(ids), Err))
}

/// The methods of a path, as `Allow` lists them.
fn methods(path: &str) -> String {
    let mut text = String::new();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| matched(endpoint.path, path).is_some()) {
        let comma = if text.is_empty() { "" } else { ", " };
        let head = if endpoint.method == "GET" { ", HEAD" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{}{head}", endpoint.method);
    }
    text.push_str(", OPTIONS");
    text
}

/// The parameters of a query, checked against the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub limit: u64,
    pub offset: u64,
    pub top: u64,
    pub q: String,
}

impl Query {
    /// Reads what the endpoint takes; what it does not take is passed over.
    ///
    /// # Errors
    /// A sentence on the parameter that is missing or wrong.
    pub fn read(endpoint: &Endpoint, query: Option<&str>) -> Result<Self, String> {
        let mut read = Self::default();
        for param in endpoint.query {
            let given = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .find_map(|(name, value)| (name == param.name).then_some(value));
            match param.kind {
                Kind::Integer { min, max, default } => {
                    let value = match given {
                        None => default,
                        Some(text) => number(&text, min, max).ok_or_else(|| {
                            format!("{} is `{text}`; it is a whole number from {min} to {max}", param.name)
                        })?,
                    };
                    match param.name {
                        "limit" => read.limit = value,
                        "offset" => read.offset = value,
                        _ => read.top = value,
                    }
                }
                Kind::Text { max } => match given {
                    None => {
                        return Err(format!("say what to search for, as in {}?q=golden", endpoint.path));
                    }
                    Some(text) if text.len() > max => {
                        return Err(format!(
                            "{} is longer than {max} bytes; search for fewer words",
                            param.name
                        ));
                    }
                    Some(text) => read.q = text.into_owned(),
                },
            }
        }
        Ok(read)
    }
}

fn number(text: &str, min: u64, max: u64) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|value| digits && (min..=max).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_the_table_says() {
        let get = |path| route(&Method::GET, path).map(|call| (call.endpoint.op, call.ids));
        assert_eq!(get("/v1/songs/7/audio"), Ok((Op::Audio, [7, 0])));
        assert_eq!(get("/v1/songs/7"), Ok((Op::Song, [7, 0])));
        let remove = route(&Method::DELETE, "/v1/playlists/3/songs/9").unwrap();
        assert_eq!((remove.endpoint.op, remove.ids), (Op::PlaylistRemove, [3, 9]));
        for (path, wrong) in [
            ("/v1/songs/seven", Wrong::Number("song")),
            ("/v1/songs/-1/audio", Wrong::Number("song")),
            ("/v1/songs/+1/audio", Wrong::Number("song")),
            ("/v1/songs/99999999999999999999", Wrong::Number("song")),
            ("/v1/songs/", Wrong::Number("song")),
            ("/v1/songs/..", Wrong::Number("song")),
            ("/v1/songs/7/lyrics", Wrong::Path),
            ("/v1/songs/7/audio/../../x", Wrong::Path),
            ("/v1/songs/7/audio/", Wrong::Path),
            ("//v1/search", Wrong::Path),
            ("/", Wrong::Path),
            ("", Wrong::Path),
        ] {
            assert_eq!(get(path), Err(wrong), "{path}");
        }
    }

    #[test]
    fn other_methods_are_told_which_there_are() {
        let with = |method, path| route(&method, path).map(|call| call.endpoint.op);
        assert_eq!(with(Method::HEAD, "/v1/songs/7"), Ok(Op::Song));
        let songs = Wrong::Method("GET, HEAD, OPTIONS".to_owned());
        assert_eq!(with(Method::POST, "/v1/songs/7"), Err(songs));
        let lists = Wrong::Method("GET, HEAD, POST, OPTIONS".to_owned());
        assert_eq!(with(Method::PUT, "/v1/playlists"), Err(lists));
        assert_eq!(with(Method::HEAD, "/v1/events"), Err(Wrong::Method("POST, OPTIONS".to_owned())));
        assert_eq!(with(Method::OPTIONS, "/v1/events"), Err(Wrong::Options("POST, OPTIONS".to_owned())));
    }

    #[test]
    fn queries_are_held_to_the_table() {
        let endpoint = |op| ENDPOINTS.iter().find(|endpoint| endpoint.op == op).unwrap();
        let search = |query| Query::read(endpoint(Op::Search), Some(query));
        let read = search("q=Caf%C3%A9+x&limit=50&colour=red").unwrap();
        assert_eq!((read.q.as_str(), read.limit, read.offset), ("Café x", 50, 0));
        for wrong in
            ["", "limit=3", "q=a&limit=0", "q=a&limit=51", "q=a&limit=+5", "q=a&offset=-1", "q=a&limit="]
        {
            assert!(search(wrong).is_err(), "{wrong}");
        }
        assert!(search(&format!("q={}", "x".repeat(QUERY_BYTES_MAX + 1))).is_err());
        assert!(Query::read(endpoint(Op::Heat), None).is_ok_and(|query| query.top == 10));
    }

    #[test]
    fn every_operation_has_one_entry_and_its_own_name() {
        for (index, (op, _)) in Op::NAMES.iter().enumerate() {
            assert_eq!(*op as usize, index);
            let entries = ENDPOINTS.iter().filter(|endpoint| endpoint.op == *op).count();
            assert_eq!(entries, usize::from(*op != Op::Other), "{op:?}");
        }
        let names: std::collections::BTreeSet<_> = Op::NAMES.iter().map(|(_, name)| name).collect();
        assert_eq!(names.len(), Op::COUNT);
    }
}
