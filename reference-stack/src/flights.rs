//! One fetch for many askers: whoever misses first fetches, the others wait for the same result.
//!
//! Why not the cache's own coalescing: a fetch must outlive the client that caused it, its result may be
//! something that must not be cached, and each request must know whether it led or followed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Fetches that may be under way at once.
const FLIGHTS_MAX: usize = 1 << 16;

/// Where to wait, by key. Shared with those who lead, so that they can take themselves off.
type Open<V> = Arc<Mutex<HashMap<Arc<str>, watch::Receiver<Option<V>>>>>;

/// Fetches under way, by key.
#[derive(Debug)]
pub struct Flights<V> {
    open: Open<V>,
}

/// What a request is to a fetch.
#[derive(Debug)]
pub enum Role<V> {
    /// It must fetch, and call [`Lead::land`].
    Leader(Lead<V>, Waiter<V>),
    Follower(Waiter<V>),
    /// A fetch landed between the request's lookup and now.
    Landed(V),
    /// Too many fetches are under way.
    Crowded,
}

/// Duty to bring a result. Dropping it fails everybody who waits.
#[derive(Debug)]
pub struct Lead<V> {
    key: Arc<str>,
    open: Open<V>,
    result: watch::Sender<Option<V>>,
}

/// Right to a result.
#[derive(Debug)]
pub struct Waiter<V>(watch::Receiver<Option<V>>);

impl<V: Clone> Flights<V> {
    pub fn new() -> Self {
        Self { open: Arc::default() }
    }

    /// Joins the fetch of `key` or begins it, unless `landed` finds that it is there by now.
    pub fn join(&self, key: &str, landed: impl FnOnce() -> Option<V>) -> Role<V> {
        let mut open = lock(&self.open);
        if let Some(waiter) = open.get(key) {
            return Role::Follower(Waiter(waiter.clone()));
        }
        // Under the lock: a result is cached before its flight is taken off the list.
        if let Some(value) = landed() {
            return Role::Landed(value);
        }
        if open.len() >= FLIGHTS_MAX {
            return Role::Crowded;
        }
        let key: Arc<str> = key.into();
        let (result, waiter) = watch::channel(None);
        open.insert(Arc::clone(&key), waiter.clone());
        Role::Leader(Lead { key, open: Arc::clone(&self.open), result }, Waiter(waiter))
    }
}

impl<V> Lead<V> {
    /// Gives the result to everybody who waits.
    pub fn land(self, value: V) {
        self.result.send_replace(Some(value));
    }
}

impl<V> Drop for Lead<V> {
    fn drop(&mut self) {
        lock(&self.open).remove(&self.key);
    }
}

impl<V: Clone> Waiter<V> {
    /// The result; `None` if the fetch was abandoned.
    pub async fn wait(mut self) -> Option<V> {
        self.0.wait_for(Option::is_some).await.ok().and_then(|value| value.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn followers_get_the_leaders_result_and_nobody_waits_for_a_fetch_that_was_abandoned() {
        let flights = Flights::new();
        let Role::Leader(lead, leader) = flights.join("a", || None) else { panic!("nobody else fetches") };
        let Role::Follower(follower) = flights.join("a", || None) else { panic!("a fetch is under way") };
        lead.land(7);
        assert_eq!((leader.wait().await, follower.wait().await), (Some(7), Some(7)));
        assert!(matches!(flights.join("a", || Some(8)), Role::Landed(8)));
        let Role::Leader(lead, _) = flights.join("a", || None) else { panic!("the flight has landed") };
        let Role::Follower(follower) = flights.join("a", || None) else { panic!("a fetch is under way") };
        drop(lead);
        assert_eq!(follower.wait().await, None);
        assert!(matches!(flights.join("a", || None), Role::Leader(..)));
    }
}
