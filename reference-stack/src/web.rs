//! The web servers: routes, an audio cache in the memory of each, and the tiers behind it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::ALLOW;
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;

use crate::audio::AudioStore;
use crate::database::{QUERY_BYTES_MAX, Question};
use crate::front::Shared;
use crate::gate::{Full as QueueFull, Gate};
use crate::inner::Fault;
use crate::metadata::Metadata;
use crate::metrics::Outcome;
use crate::plan::TierPlan;
use crate::reply::{self, Body, Object};
use crate::through::ReadThrough;
use crate::tiers;
use crate::visit::Visit;

/// One web server.
#[derive(Debug)]
pub struct Web {
    shared: Shared,
    rtt: Duration,
    gate: Arc<Gate>,
    /// Songs in memory.
    cache: ReadThrough,
    audio: Arc<AudioStore>,
    metadata: Arc<Metadata>,
}

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Audio(u64),
    Song(u64),
    Search(Question),
    /// Status and what to do instead.
    Wrong(StatusCode, &'static str),
}

impl Web {
    pub fn new(
        shared: Shared,
        plan: &TierPlan,
        gate: Arc<Gate>,
        audio: Arc<AudioStore>,
        metadata: Arc<Metadata>,
    ) -> Arc<Self> {
        let (rtt, cache) = (shared.rtt(plan), ReadThrough::new(plan.cache_bytes));
        Arc::new(Self { shared, rtt, gate, cache, audio, metadata })
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (request, _) = request.into_parts();
        let mut visit = Visit::start(&self.gate.metrics);
        let id = self.shared.ids.of(&request.headers);
        self.shared.arrive(&mut visit, self.rtt, &request.headers).await;
        let mut by = tiers::WEB;
        let (mut response, outcome) = if let Some(refusal) = self.shared.refuse(&request.headers) {
            (refusal, Outcome::Rejected)
        } else {
            let work = async {
                let route = route(&request.method, request.uri.path(), request.uri.query());
                let cached = match route {
                    Route::Audio(song) => self.cache.get(&song.to_string()),
                    _ => None,
                };
                (route, cached)
            };
            match self.gate.pass(work).await {
                Err(QueueFull) => (reply::busy(tiers::WEB), Outcome::Rejected),
                Ok(((route, cached), queued)) => {
                    visit.queued = queued;
                    let response = self.serve(&mut visit, &mut by, &request, route, cached).await;
                    let failed = response.status().is_server_error();
                    (response, if failed { Outcome::Failed } else { Outcome::Ok })
                }
            }
        };
        let trail = visit.end(outcome, reply::length(&response));
        reply::sign(&mut response, &trail, HeaderValue::from_static(by), id);
        response
    }

    async fn serve(
        &self,
        visit: &mut Visit<'_>,
        by: &mut &'static str,
        request: &request::Parts,
        route: Route,
        cached: Option<Bytes>,
    ) -> Response<Body> {
        let method = &request.method;
        let result = match route {
            Route::Wrong(status, detail) => {
                let mut response = reply::problem(status, detail);
                if status == StatusCode::METHOD_NOT_ALLOWED {
                    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                }
                return reply::headless(method, response);
            }
            Route::Audio(song) => self
                .audio(visit, by, song, cached)
                .await
                .map(|body| reply::object(method, &request.headers, &self.object(song, body), None)),
            Route::Song(song) => self
                .metadata(visit, by, Question::Song(song))
                .await
                .map(|text| reply::json(method, text, "private, max-age=60")),
            Route::Search(question) => {
                self.metadata(visit, by, question).await.map(|text| reply::json(method, text, "no-store"))
            }
        };
        result.unwrap_or_else(|fault| {
            let status = match fault {
                Fault::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
                Fault::Missing(_) => StatusCode::NOT_FOUND,
                Fault::Broken { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            };
            reply::headless(method, reply::problem(status, &fault.to_string()))
        })
    }

    async fn audio(
        &self,
        visit: &mut Visit<'_>,
        by: &mut &'static str,
        song: u64,
        cached: Option<Bytes>,
    ) -> Result<Bytes, Fault> {
        self.cache.or_fetch(&song.to_string(), cached, visit, by, self.audio.get(song)).await
    }

    async fn metadata(
        &self,
        visit: &mut Visit<'_>,
        by: &mut &'static str,
        question: Question,
    ) -> Result<Bytes, Fault> {
        let answered = self.metadata.ask(question).await;
        visit.came_back(answered.tier, answered.took, answered.trail);
        *by = answered.served_by;
        answered.result
    }

    fn object(&self, song: u64, body: Bytes) -> Object {
        // A song never changes, so its number and the seed of its bytes name them.
        let etag = format!("\"song-{song}-{:x}-{}\"", self.shared.seed, body.len());
        Object {
            etag: Some(HeaderValue::try_from(etag).expect("letters, digits and quotes are a header value")),
            content_type: HeaderValue::from_static("audio/mpeg"),
            cache_control: HeaderValue::from_static("public, max-age=31536000, immutable"),
            body,
        }
    }
}

fn route(method: &Method, path: &str, query: Option<&str>) -> Route {
    let known = path == "/v1/search" || path.starts_with("/v1/songs/");
    if !known {
        return Route::Wrong(StatusCode::NOT_FOUND, "try /v1/search?q=, /v1/songs/1 or /v1/songs/1/audio");
    }
    if method != Method::GET && method != Method::HEAD {
        return Route::Wrong(StatusCode::METHOD_NOT_ALLOWED, "songs can only be read; use GET or HEAD");
    }
    if path == "/v1/search" {
        return search(query.unwrap_or_default());
    }
    let rest = path.strip_prefix("/v1/songs/").unwrap_or_default();
    let (id, audio) = rest.strip_suffix("/audio").map_or((rest, false), |id| (id, true));
    match id.parse() {
        Ok(song) if audio => Route::Audio(song),
        Ok(song) => Route::Song(song),
        Err(_) if id.contains('/') => Route::Wrong(StatusCode::NOT_FOUND, "try /v1/songs/1/audio"),
        Err(_) => Route::Wrong(StatusCode::BAD_REQUEST, "a song is a number, as in /v1/songs/1"),
    }
}

fn search(query: &str) -> Route {
    let text =
        form_urlencoded::parse(query.as_bytes()).find_map(|(name, value)| (name == "q").then_some(value));
    match text {
        Some(text) if text.len() > QUERY_BYTES_MAX => {
            Route::Wrong(StatusCode::BAD_REQUEST, "q is longer than 256 bytes; search for fewer words")
        }
        Some(text) => Question::search(&text)
            .map_or(Route::Wrong(StatusCode::BAD_REQUEST, "q has no word to search for"), Route::Search),
        None => Route::Wrong(StatusCode::BAD_REQUEST, "say what to search for, as in /v1/search?q=golden"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say() {
        let get = |path| route(&Method::GET, path, None);
        assert_eq!(get("/v1/songs/7/audio"), Route::Audio(7));
        assert_eq!(get("/v1/songs/7"), Route::Song(7));
        for (path, status) in [
            ("/v1/songs/seven", StatusCode::BAD_REQUEST),
            ("/v1/songs/-1/audio", StatusCode::BAD_REQUEST),
            ("/v1/songs/7/lyrics", StatusCode::NOT_FOUND),
            ("/v1/songs/7/audio/../../x", StatusCode::NOT_FOUND),
            ("/v1/search", StatusCode::BAD_REQUEST),
            ("/", StatusCode::NOT_FOUND),
        ] {
            assert!(matches!(get(path), Route::Wrong(s, _) if s == status), "{path}");
        }
        let search = |query| route(&Method::GET, "/v1/search", Some(query));
        assert_eq!(search("q=Caf%C3%A9+x"), Route::Search(Question::search("Café x").unwrap()));
        assert!(matches!(search("q=%22%22"), Route::Wrong(StatusCode::BAD_REQUEST, _)));
        assert!(matches!(
            route(&Method::POST, "/v1/songs/7", None),
            Route::Wrong(StatusCode::METHOD_NOT_ALLOWED, _)
        ));
    }
}
