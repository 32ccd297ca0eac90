//! The web servers: the API, an audio cache in the memory of each, and the tiers behind it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, VARY,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::{self, Call, Op, Query, Wrong};
use crate::audio::AudioStore;
use crate::catalogue;
use crate::catalogue_db::{Page, Question};
use crate::digest;
use crate::front::{self, Arrived, Shared};
use crate::gate::Gate;
use crate::inner::Fault;
use crate::metadata::Metadata;
use crate::openapi;
use crate::plan::TierPlan;
use crate::reply::{self, Body, Object, REPR_DIGEST, conditions, encoding};
use crate::through::ReadThrough;
use crate::tiers;
use crate::users::{self, UserError, Users};
use crate::visit::Visit;

/// Answers without a key.
pub const HEALTH_PATH: &str = "/healthz";

/// Songs never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Pages change when a song is published.
const FOR_A_WHILE: HeaderValue =
    HeaderValue::from_static("public, max-age=60, stale-while-revalidate=30, stale-if-error=600");
/// A user's own.
const FOR_ONE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// A page of a search that has no word to look for.
const NOTHING_FOUND: &[u8] = br#"{"songs":[],"next_offset":null}"#;

/// What the web servers share.
#[derive(Debug)]
pub struct Behind {
    pub audio: AudioStore,
    pub metadata: Arc<Metadata>,
    pub users: Users,
}

/// One web server.
#[derive(Debug)]
pub struct Web {
    shared: Shared,
    rtt: Duration,
    gate: Arc<Gate>,
    /// Songs in memory.
    cache: ReadThrough,
    behind: Arc<Behind>,
}

#[derive(Deserialize)]
struct NewPlaylist {
    name: String,
}

#[derive(Deserialize)]
struct Added {
    #[serde(deserialize_with = "crate::number::whole")]
    song: u64,
}

/// A request on its way through one web server.
struct Task<'a> {
    request: &'a request::Parts,
    body: &'a Bytes,
    call: Call,
    query: Query,
    cached: Option<Bytes>,
}

impl Web {
    pub fn new(shared: Shared, plan: &TierPlan, gate: Arc<Gate>, behind: Arc<Behind>) -> Arc<Self> {
        let (rtt, cache) = (shared.rtt(plan), ReadThrough::new(plan.cache));
        Arc::new(Self { shared, rtt, gate, cache, behind })
    }

    /// Forgets the songs in memory.
    pub fn clear(&self) {
        self.cache.clear();
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (request, body) = request.into_parts();
        if request.uri.path() == HEALTH_PATH {
            return reply::empty(if self.gate.is_up() {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            });
        }
        let routed = api::route(&request.method, request.uri.path());
        let op = routed.as_ref().map_or(Op::Other, |call| call.endpoint.op);
        let mut arrived = Arrived::at(&self.shared, &self.gate, op, self.rtt, &request.headers).await;
        let mut by = tiers::WEB;
        let admitted = async {
            self.shared.admit(&request.headers).map_err(|refusal| *refusal)?;
            let takes = routed.as_ref().is_ok_and(|call| call.endpoint.takes.is_some());
            let body = if takes { front::read(body).await? } else { Bytes::new() };
            let work = async {
                let call = routed.map_err(wrong)?;
                let query = Query::read(call.endpoint, request.uri.query())
                    .map_err(|detail| reply::problem(StatusCode::BAD_REQUEST, &detail))?;
                let cached =
                    if op == Op::Audio { self.cache.get(&call.ids[0].to_string()).await } else { None };
                Ok((call, query, cached))
            };
            Ok((body, arrived.pass(work).await?))
        };
        let answer = match admitted.await {
            Err(refusal) => Err(refusal),
            Ok((_, Err(wrong))) => Ok(reply::headless(&request.method, wrong)),
            Ok((body, Ok((call, query, cached)))) => {
                let task = Task { request: &request, body: &body, call, query, cached };
                Ok(self.serve(&mut arrived.visit, &mut by, task).await)
            }
        };
        arrived.leave(HeaderValue::from_static(by), answer)
    }

    async fn serve(&self, visit: &mut Visit<'_>, by: &mut &'static str, task: Task<'_>) -> Response<Body> {
        let (request, op, [id, _]) = (task.request, task.call.endpoint.op, task.call.ids);
        let method = &request.method;
        let page = Page { limit: task.query.limit, offset: task.query.offset };
        let result = match op {
            Op::Audio => self
                .audio(visit, by, id, task.cached)
                .await
                .map(|body| self.song(id, body).answer(method, &request.headers, None)),
            Op::Search => match Question::search(&task.query.q, page) {
                // No song is called that.
                None => return reply::json(method, Bytes::from_static(NOTHING_FOUND), "no-store"),
                Some(question) => self
                    .metadata(visit, by, op, question)
                    .await
                    .map(|text| reply::json(method, text, "no-store")),
            },
            Op::Song => self.page(visit, by, request, op, Question::Song(id)).await,
            Op::Artist => self.page(visit, by, request, op, Question::Artist(id)).await,
            Op::ArtistSongs => self.page(visit, by, request, op, Question::ArtistSongs(id, page)).await,
            Op::Album => self.page(visit, by, request, op, Question::Album(id)).await,
            Op::OpenApi => Ok(page_of(request, &openapi::document(), FOR_A_WHILE)),
            Op::PlaylistList
            | Op::PlaylistCreate
            | Op::Playlist
            | Op::PlaylistDelete
            | Op::PlaylistAdd
            | Op::PlaylistRemove => return self.playlists(&task).await,
            Op::Play | Op::Heat | Op::Other => {
                return reply::headless(method, wrong(Wrong::Path));
            }
        };
        result.unwrap_or_else(|fault| reply::headless(method, faulty(&fault)))
    }

    async fn audio(
        &self,
        visit: &mut Visit<'_>,
        by: &mut &'static str,
        song: u64,
        cached: Option<Bytes>,
    ) -> Result<Bytes, Fault> {
        self.cache.or_fetch(&song.to_string(), cached, visit, by, self.behind.audio.get(song)).await
    }

    async fn metadata(
        &self,
        visit: &mut Visit<'_>,
        by: &mut &'static str,
        op: Op,
        question: Question,
    ) -> Result<Bytes, Fault> {
        let answered = self.behind.metadata.ask(op, question).await;
        visit.came_back(answered.tier, answered.took, answered.trail);
        *by = answered.served_by;
        answered.result
    }

    /// A page that anybody may keep for a while.
    async fn page(
        &self,
        visit: &mut Visit<'_>,
        by: &mut &'static str,
        request: &request::Parts,
        op: Op,
        question: Question,
    ) -> Result<Response<Body>, Fault> {
        let text = self.metadata(visit, by, op, question).await?;
        Ok(page_of(request, &text, FOR_A_WHILE))
    }

    fn song(&self, song: u64, body: Bytes) -> Object {
        let digest = self.behind.audio.digest(song).unwrap_or_default();
        let released = catalogue::album(self.shared.seed, catalogue::album_of(song).0).released;
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("audio/mpeg"));
        headers.insert(CACHE_CONTROL, FOR_EVER);
        headers.insert(ETAG, digest::etag(&digest, ""));
        headers.insert(REPR_DIGEST, digest::header(&digest));
        headers.insert(LAST_MODIFIED, conditions::http_date(released.time()));
        Object::new(body, headers)
    }

    async fn playlists(&self, task: &Task<'_>) -> Response<Body> {
        let (request, [id, song]) = (task.request, task.call.ids);
        let users = &self.behind.users;
        let done = async {
            let user = &*users::user(&request.headers)?;
            match task.call.endpoint.op {
                Op::PlaylistList => {
                    let page = Page { limit: task.query.limit, offset: task.query.offset };
                    Ok(own(request, &users.list(user, page).await?))
                }
                Op::PlaylistCreate => {
                    let playlist = users.create(user, parse::<NewPlaylist>(task.body)?.name).await?;
                    let mut response = own(request, &playlist);
                    *response.status_mut() = StatusCode::CREATED;
                    let location = HeaderValue::try_from(format!("/v1/playlists/{}", playlist.id));
                    response.headers_mut().extend(location.ok().map(|location| (LOCATION, location)));
                    Ok(response)
                }
                Op::PlaylistAdd => {
                    let song = parse::<Added>(task.body)?.song;
                    if song == 0 {
                        return Err(UserError::Wrong("songs count from 1".to_owned()));
                    }
                    if self.behind.audio.digest(song).is_none() {
                        return Err(UserError::Missing("song"));
                    }
                    Ok(own(request, &users.add(user, id, song).await?))
                }
                Op::PlaylistRemove => {
                    users.remove(user, id, song).await.map(|()| reply::empty(StatusCode::NO_CONTENT))
                }
                Op::PlaylistDelete => {
                    users.delete(user, id).await.map(|()| reply::empty(StatusCode::NO_CONTENT))
                }
                _ => Ok(own(request, &users.get(user, id).await?)),
            }
        };
        done.await.unwrap_or_else(|error: UserError| {
            let status = match error {
                UserError::Wrong(_) => StatusCode::BAD_REQUEST,
                UserError::Missing(_) => StatusCode::NOT_FOUND,
                UserError::Limit(_) => StatusCode::CONFLICT,
                UserError::Busy => StatusCode::SERVICE_UNAVAILABLE,
                #[cfg(feature = "services")]
                UserError::Down => StatusCode::SERVICE_UNAVAILABLE,
                UserError::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
            };
            reply::headless(&request.method, reply::problem(status, &error.to_string()))
        })
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, UserError> {
    serde_json::from_slice(body)
        .map_err(|error| UserError::Wrong(format!("the body is not as expected: {error}")))
}

/// A document of one user.
fn own(request: &request::Parts, document: &impl serde::Serialize) -> Response<Body> {
    let text = serde_json::to_vec(document).expect("these records hold only numbers and text");
    if request.method.is_safe() {
        return page_of(request, &text.into(), FOR_ONE);
    }
    reply::json(&request.method, text.into(), "no-store")
}

/// A document with a tag, packed where the client takes it.
fn page_of(request: &request::Parts, text: &Bytes, cache_control: HeaderValue) -> Response<Body> {
    let digest = digest::of(text);
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, cache_control);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let packed = text.len() >= encoding::GZIP_BYTES_MIN && encoding::accepts_gzip(&request.headers);
    let body = if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(ETAG, digest::etag(&digest, "-gzip"));
        encoding::gzip(text)
    } else {
        headers.insert(ETAG, digest::etag(&digest, ""));
        text.clone()
    };
    Object::new(body, headers).answer(&request.method, &request.headers, None)
}

fn bad(detail: &str) -> Response<Body> {
    reply::problem(StatusCode::BAD_REQUEST, detail)
}

/// The answer to a request that the table does not know.
pub fn wrong(wrong: Wrong) -> Response<Body> {
    match wrong {
        Wrong::Path => reply::problem(
            StatusCode::NOT_FOUND,
            "there is nothing here; /v1/openapi.json says what there is",
        ),
        Wrong::Number(name) => bad(&format!("a {name} is a number, as in /v1/{name}s/1")),
        Wrong::Method(allow) => reply::not_allowed(&allow),
        Wrong::Options(allow) => {
            let mut response = reply::empty(StatusCode::NO_CONTENT);
            let allow = HeaderValue::try_from(allow);
            response.headers_mut().extend(allow.ok().map(|allow| (ALLOW, allow)));
            response
        }
    }
}

fn faulty(fault: &Fault) -> Response<Body> {
    let status = match fault {
        Fault::Busy(_) | Fault::Down(_) => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Missing(_) => StatusCode::NOT_FOUND,
        Fault::Broken { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    reply::problem(status, &fault.to_string())
}
