//! A cache inside a tier: what it lacks is fetched from the tier behind it, once for all who miss it at
//! the same time, as at every cache of the simulator.

use std::future::Future;
use std::time::Instant;

use bytes::Bytes;

use crate::cache::Cache;
use crate::flights::{Flights, Role};
use crate::inner::{Answered, Fault};
use crate::metrics::Found;
use crate::plan::CachePlan;
#[cfg(feature = "services")]
use crate::services::redis::Answers;
use crate::visit::Visit;

/// A cache with fetches; or neither, where the scenario gives the tier none.
#[derive(Debug)]
pub struct ReadThrough(Option<Cached>);

#[derive(Debug)]
struct Cached {
    cache: Keeper,
    flights: Flights<Result<Bytes, Fault>>,
}

/// What keeps the objects.
#[derive(Debug)]
pub enum Keeper {
    /// In this process, by the scenario's policy.
    Memory(Cache<Bytes>),
    /// In a server of its own.
    #[cfg(feature = "services")]
    Redis(Answers),
}

impl Keeper {
    /// A cache in this process.
    pub fn memory(plan: CachePlan) -> Self {
        Self::Memory(Cache::new(plan.policy, plan.bytes))
    }

    #[cfg_attr(
        not(feature = "services"),
        expect(clippy::unused_async, reason = "only a server is waited for")
    )]
    async fn get(&self, key: &str) -> Option<Bytes> {
        match self {
            Self::Memory(cache) => cache.get(key),
            #[cfg(feature = "services")]
            Self::Redis(answers) => Box::pin(answers.get(key)).await,
        }
    }

    /// What landed just now, where that can be known without waiting.
    fn peek(&self, key: &str) -> Option<Bytes> {
        match self {
            Self::Memory(cache) => cache.peek(key),
            #[cfg(feature = "services")]
            Self::Redis(_) => None,
        }
    }

    /// What landed between a look and the lead of a fetch, where only a server knows.
    #[cfg_attr(
        not(feature = "services"),
        expect(clippy::unused_async, unused_variables, reason = "only a server is asked and waited for")
    )]
    async fn landed(&self, key: &str) -> Option<Bytes> {
        match self {
            Self::Memory(_) => None,
            #[cfg(feature = "services")]
            Self::Redis(answers) => Box::pin(answers.get(key)).await,
        }
    }

    #[cfg_attr(
        not(feature = "services"),
        expect(clippy::unused_async, reason = "only a server is waited for")
    )]
    async fn insert(&self, key: &str, object: &Bytes) {
        match self {
            Self::Memory(cache) => cache.insert(key, object.clone(), object.len()),
            #[cfg(feature = "services")]
            Self::Redis(answers) => Box::pin(answers.set(key, object)).await,
        }
    }

    fn clear(&self) {
        match self {
            Self::Memory(cache) => cache.clear(),
            #[cfg(feature = "services")]
            Self::Redis(answers) => answers.clear(),
        }
    }

    /// Bytes that it holds; a server is not asked.
    fn bytes(&self) -> u64 {
        match self {
            Self::Memory(cache) => cache.bytes(),
            #[cfg(feature = "services")]
            Self::Redis(_) => 0,
        }
    }
}

impl ReadThrough {
    pub fn new(plan: Option<CachePlan>) -> Self {
        Self::of(plan.map(Keeper::memory))
    }

    /// With whatever keeps the objects.
    pub fn of(keeper: Option<Keeper>) -> Self {
        Self(keeper.map(|cache| Cached { cache, flights: Flights::new() }))
    }

    /// Forgets everything.
    pub fn clear(&self) {
        if let Some(cached) = &self.0 {
            cached.cache.clear();
        }
    }

    pub async fn get(&self, key: &str) -> Option<Bytes> {
        self.0.as_ref()?.cache.get(key).await
    }

    /// The object that a request looked up: from the cache if it was there, else from a fetch of its
    /// own or the one that is under way. Nothing is looked up, nor counted, where there is no cache.
    pub async fn or_fetch(
        &self,
        key: &str,
        known: Option<Bytes>,
        visit: &mut Visit<'_>,
        by: &mut &'static str,
        fetch: impl Future<Output = Answered<Bytes>>,
    ) -> Result<Bytes, Fault> {
        let Some(Cached { cache, flights }) = &self.0 else { return came_back(visit, by, fetch.await) };
        if let Some(known) = known {
            visit.looked_up(Found::Hit);
            return Ok(known);
        }
        let lead = match flights.join(key, || cache.peek(key).map(Ok)) {
            Role::Landed(result) => {
                visit.looked_up(Found::Hit);
                return result;
            }
            Role::Follower(waiter) => {
                visit.looked_up(Found::Coalesced);
                let begun = Instant::now();
                let result = waiter.wait().await;
                visit.waited = begun.elapsed();
                if let Some(result) = result {
                    return result;
                }
                // The leader's client went away, and the leader with it.
                None
            }
            Role::Leader(lead, _) => {
                if let Some(landed) = cache.landed(key).await {
                    visit.looked_up(Found::Hit);
                    lead.land(Ok(landed.clone()));
                    return Ok(landed);
                }
                visit.looked_up(Found::Miss);
                Some(lead)
            }
            Role::Crowded => {
                visit.looked_up(Found::Miss);
                None
            }
        };
        let result = came_back(visit, by, fetch.await);
        if let Ok(object) = &result {
            cache.insert(key, object).await;
            visit.cache_holds(cache.bytes());
        }
        if let Some(lead) = lead {
            lead.land(result.clone());
        }
        result
    }
}

fn came_back(
    visit: &mut Visit<'_>,
    by: &mut &'static str,
    answered: Answered<Bytes>,
) -> Result<Bytes, Fault> {
    visit.came_back(answered.tier, answered.took, answered.trail);
    *by = answered.served_by;
    answered.result
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::Op;
    use crate::metrics::{Outcome, TierMetrics, render};
    use crate::visit::Trail;

    fn answer(result: Result<Bytes, Fault>) -> Answered<Bytes> {
        Answered { tier: "db", result, served_by: "db", trail: Trail::default(), took: Duration::ZERO }
    }

    #[tokio::test]
    async fn one_fetch_serves_all_who_miss_together_and_an_abandoned_one_is_made_up_for() {
        let metrics = TierMetrics::new("web", 0, 1, true);
        let through =
            ReadThrough::new(Some(CachePlan { policy: plimsoll_scenarios::Policy::Lru, bytes: 100 }));
        let ask = async |fetch: Duration, text: &'static str| {
            let (mut visit, mut by) = (Visit::start(&metrics, Op::Song), "web");
            let fetch = async {
                tokio::time::sleep(fetch).await;
                answer(Ok(Bytes::from_static(text.as_bytes())))
            };
            let result = through.or_fetch("a", through.get("a").await, &mut visit, &mut by, fetch).await;
            visit.end(Outcome::Ok, 0);
            (result.unwrap(), by)
        };
        let soon = Duration::from_millis(20);
        // The leader leaves in the middle of its fetch.
        let leaving = tokio::time::timeout(soon / 2, ask(soon, "left"));
        let (left, made_up) = tokio::join!(leaving, ask(Duration::ZERO, "made up"));
        assert!(left.is_err());
        assert_eq!(made_up, (Bytes::from_static(b"made up"), "db"));
        assert_eq!(ask(Duration::ZERO, "unused").await, (Bytes::from_static(b"made up"), "web"));

        let through =
            ReadThrough::new(Some(CachePlan { policy: plimsoll_scenarios::Policy::Lru, bytes: 100 }));
        let metrics = TierMetrics::new("web", 0, 1, true);
        let ask = async |fetched: Result<Bytes, Fault>| {
            let (mut visit, mut by) = (Visit::start(&metrics, Op::Song), "web");
            let fetch = async {
                tokio::time::sleep(soon).await;
                answer(fetched)
            };
            let result = through.or_fetch("b", through.get("b").await, &mut visit, &mut by, fetch).await;
            visit.end(Outcome::Ok, 0);
            (result, by)
        };
        let full = Err(Fault::Busy("db"));
        let both = tokio::join!(ask(full.clone()), ask(Ok(Bytes::new())));
        assert_eq!(both, ((full.clone(), "db"), (full, "web")));
        assert_eq!(ask(Ok(Bytes::from_static(b"b"))).await.1, "db", "a failure is not kept");
        let text = render(&[metrics]);
        for (result, count) in [("miss", 2), ("coalesced", 1), ("hit", 0)] {
            assert!(text.contains(&format!("result=\"{result}\"}} {count}\n")), "{result}: {text}");
        }
    }
}
