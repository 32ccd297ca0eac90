//! A cache whose objects nginx keeps and fetches.
//!
//! Why the tier still looks first: nginx can't be asked to confirm a fresh copy, knows no `only-if-cached` and checks
//! no hash. So the tier asks what is there, judges it as it judges its own memory, and sends nginx for what is missing.

use std::sync::Arc;
use std::time::Instant;

use http::header::SERVER;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Cdn;
use super::fetch::{Fetched, whole};
use super::stored::{Answer, Stored};
use crate::reply::SERVED_BY;
use crate::services::nginx::{CACHE, FROM, NginxStore, Wish};

impl Cdn {
    /// What nginx has, if its bytes are right.
    pub(super) async fn look_in_nginx(
        &self,
        store: &NginxStore,
        path: &str,
        asked: &HeaderMap,
    ) -> Option<Arc<Stored>> {
        let begun = Instant::now();
        let (mut head, body) = store.look(path, asked).await.ok()?.into_parts();
        head.headers.remove(SERVER);
        if head.status.is_server_error() {
            return None;
        }
        let body = whole(self.tier, &head.headers, body).await.ok()?;
        let stored = Stored::of(head.status, asked, &head.headers, body, begun.elapsed())?;
        stored.suits(asked).then(|| Arc::new(stored))
    }

    /// Fetches an object by nginx for one request that wants no copy kept.
    pub(super) async fn fetch_past_nginx(
        &self,
        store: &NginxStore,
        path: &str,
        headers: HeaderMap,
    ) -> Fetched {
        match self.fetched(store, Instant::now(), path, &headers, Wish::Pass).await {
            Some(fetched) => fetched,
            None => self.fetch(path, headers, None).await,
        }
    }

    /// Has nginx fetch an object, or the tier below confirm the copy that is known.
    pub(super) async fn fetch_by_nginx(
        &self,
        store: &NginxStore,
        path: &str,
        headers: HeaderMap,
        known: Option<&Stored>,
    ) -> Fetched {
        let mut wish = Wish::Any;
        if let Some(known) = known.filter(|known| known.freshness.is_fresh()) {
            // nginx would take its copy for good enough: the client does not.
            if known.can_be_confirmed() {
                let fetched = self.fetch(path, headers.clone(), Some(known)).await;
                if fetched.confirmed || fetched.is_failure() {
                    return fetched;
                }
            }
            wish = Wish::Renew;
        }
        let begun = Instant::now();
        let mut fetched = self.fetched(store, begun, path, &headers, wish).await;
        let no_good = |fetched: &Fetched| fetched.is_wrong || fetched.is_outdated();
        if wish == Wish::Any && fetched.as_ref().is_some_and(no_good) {
            // Its copy was harmed on the disk, or came with an age, of which nginx knows nothing: another, from below.
            fetched = self.fetched(store, begun, path, &headers, Wish::Renew).await;
        }
        match fetched {
            Some(fetched) => fetched,
            // Without nginx there is no cache, but still a tier below.
            None => self.fetch(path, headers, None).await,
        }
    }

    /// One fetch; nothing if nginx can't be reached.
    async fn fetched(
        &self,
        store: &NginxStore,
        begun: Instant,
        path: &str,
        headers: &HeaderMap,
        wish: Wish,
    ) -> Option<Fetched> {
        let mut response = store.fetch(path, headers, wish).await.ok()?;
        response.headers_mut().remove(SERVER);
        let did = response.headers().get(CACHE).cloned();
        let did = did.as_ref().and_then(|did| did.to_str().ok()).unwrap_or_default();
        let from = response.headers().get(FROM).and_then(|from| from.to_str().ok()).unwrap_or_default();
        // Of several that were asked, the last has answered.
        let from = from.rsplit([',', ' ']).next().unwrap_or_default();
        let below = self.below.iter().find(|below| below.at.host() == from).or_else(|| self.below.first());
        let tier = below.map_or("", |below| below.upstream.tier);
        let status = response.status();
        // An old copy, since the tier below failed: what becomes of it is for others to say.
        let is_old = did == "STALE";
        // A page of nginx's own.
        let is_own = !response.headers().contains_key(SERVED_BY);
        if is_old || is_own {
            let status = if is_old || status.is_success() { StatusCode::BAD_GATEWAY } else { status };
            let detail = if status.is_server_error() {
                format!("{tier} does not answer")
            } else {
                "the server refuses such a request".to_owned()
            };
            let failed = Fetched::failed(tier, begun, status, &detail);
            return Some(Fetched { unreachable: is_own && status.is_server_error(), ..failed });
        }
        if did == "HIT" {
            response.headers_mut().insert(SERVED_BY, HeaderValue::from_static(self.tier));
        }
        let confirmed = did == "REVALIDATED";
        let mut fetched = self.received(begun, tier, response, headers, None).await;
        fetched.confirmed = confirmed && matches!(fetched.answer, Answer::Stored(_));
        fetched.is_copy = did == "HIT";
        Some(fetched)
    }
}
