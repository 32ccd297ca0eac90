//! The events tier: takes plays into the bus, and tells what is hot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use crate::api::{self, Op, Query, Wrong};
use crate::balance::Balancer;
use crate::bus::{Bus, HeatSong, Refusal, WINDOW_S};
use crate::front::{self, Arrived, Shared};
use crate::gate::Gate;
use crate::plan::TierPlan;
use crate::reply::{self, Body};
use crate::tiers;
use crate::web;

#[derive(Debug, Deserialize)]
struct Play {
    #[serde(deserialize_with = "crate::number::whole")]
    song: u64,
}

#[derive(Debug, Serialize)]
struct Heat {
    window_s: u64,
    songs: Vec<HeatSong>,
}

/// The bus's listener.
#[derive(Debug)]
pub struct Events {
    shared: Shared,
    rtt: Duration,
    gates: Vec<Arc<Gate>>,
    balancer: Balancer,
    bus: Arc<Bus>,
    /// Songs that there are.
    songs: Arc<AtomicU64>,
}

impl Events {
    pub fn new(
        shared: Shared,
        plan: &TierPlan,
        gates: Vec<Arc<Gate>>,
        bus: Arc<Bus>,
        songs: Arc<AtomicU64>,
    ) -> Arc<Self> {
        let balancer = Balancer::new(plan.balance, shared.seed, plan.name);
        Arc::new(Self { rtt: shared.rtt(plan), shared, gates, balancer, bus, songs })
    }

    /// Answers one request.
    pub async fn handle(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let gate = front::pick(&self.gates, &self.balancer);
        let op = api::op(&head.method, head.uri.path());
        let mut arrived = Arrived::at(&self.shared, gate, op, self.rtt, &head.headers).await;
        let answer = async {
            self.shared.admit(&head.headers).map_err(|refusal| *refusal)?;
            // The body is read first: a client that sends slowly must not hold a slot.
            let body = front::read(body).await?;
            arrived.pass(self.serve(&head, &body)).await
        };
        let answer = answer.await;
        arrived.leave(HeaderValue::from_static(tiers::EVENTS), answer)
    }

    async fn serve(&self, head: &request::Parts, body: &Bytes) -> Response<Body> {
        let call = match api::route(&head.method, head.uri.path()) {
            Ok(call) => call,
            Err(wrong) => return reply::headless(&head.method, web::wrong(wrong)),
        };
        let response = match (call.endpoint.op, Query::read(call.endpoint, head.uri.query())) {
            (_, Err(detail)) => reply::problem(StatusCode::BAD_REQUEST, &detail),
            (Op::Play, _) => self.accept(body).await,
            (Op::Heat, Ok(query)) => self.heat(query.top),
            _ => web::wrong(Wrong::Path),
        };
        reply::headless(&head.method, response)
    }

    async fn accept(&self, body: &Bytes) -> Response<Body> {
        let songs = self.songs.load(Ordering::Relaxed);
        match serde_json::from_slice::<Play>(body) {
            Ok(play) if play.song >= 1 && play.song <= songs => match self.bus.append(play.song).await {
                Ok(()) => reply::empty(StatusCode::ACCEPTED),
                Err(refusal @ Refusal::Behind) => {
                    reply::problem(StatusCode::SERVICE_UNAVAILABLE, &refusal.to_string())
                }
                Err(refusal @ Refusal::Disk(_)) => {
                    reply::problem(StatusCode::INTERNAL_SERVER_ERROR, &refusal.to_string())
                }
            },
            Ok(play) => {
                let status = if play.song == 0 { StatusCode::BAD_REQUEST } else { StatusCode::NOT_FOUND };
                reply::problem(
                    status,
                    &format!("there is no song {}: they count from 1 to {songs}", play.song),
                )
            }
            Err(error) => {
                reply::problem(StatusCode::BAD_REQUEST, &format!("expected {{\"song\": 1}}: {error}"))
            }
        }
    }

    /// The songs played most in the last minute, most played first.
    fn heat(&self, top: u64) -> Response<Body> {
        let heat = Heat { window_s: WINDOW_S, songs: self.bus.top(top as usize) };
        let text = serde_json::to_vec(&heat).expect("these records hold only numbers");
        reply::json(&Method::GET, text.into(), "no-store")
    }
}
