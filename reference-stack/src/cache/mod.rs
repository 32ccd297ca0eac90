//! A cache of named values weighed in bytes, with the eviction policy of the scenario.
//!
//! Why not a ready-made one: the caches of the stack are held against simulated ones, so a LRU must be an exact
//! LRU and a SIEVE a SIEVE; cache crates offer one policy of their own, and approximate it in batches. The
//! policies here are written anew from the papers and share no code with the simulator's, so that a mistake
//! in either shows when the two are compared. One file per policy; a lock is held for a lookup only.

mod lfu;
mod list;
mod queue;
mod s3_fifo;
mod sieve;
mod w_tiny_lfu;

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which entries stay. Entries are numbered; a number is used again once its entry has left.
trait Eviction: fmt::Debug + Send {
    /// Somebody asked for the name with this hash, whether it is there or not.
    fn asked(&mut self, _hash: u64) {}

    /// An entry was found.
    fn used(&mut self, id: u32);

    /// Takes an entry in that is not there and fits the budget, and pushes those that leave for it, which may
    /// be the new one itself.
    fn admit(&mut self, entry: Entry, leaving: &mut Vec<u32>);

    /// An entry that is there leaves on request.
    fn remove(&mut self, id: u32);
}

/// An entry as a policy sees it.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    id: u32,
    hash: u64,
    bytes: u64,
}

/// Entries by number, as policies keep them.
#[derive(Debug, Default)]
struct Entries(Vec<Entry>);

impl Entries {
    fn put(&mut self, entry: Entry) {
        let index = entry.id as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, Entry::default());
        }
        self.0[index] = entry;
    }

    fn bytes(&self, id: u32) -> u64 {
        self.0[id as usize].bytes
    }

    fn hash(&self, id: u32) -> u64 {
        self.0[id as usize].hash
    }
}

/// A shared cache by text key.
#[derive(Debug)]
pub struct Cache<V> {
    inner: Mutex<Inner<V>>,
    policy: plimsoll_scenarios::Policy,
    capacity: u64,
}

#[derive(Debug)]
struct Inner<V> {
    ids: HashMap<Arc<str>, u32>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<u32>,
    bytes: u64,
    policy: Box<dyn Eviction>,
    leaving: Vec<u32>,
}

#[derive(Debug)]
struct Slot<V> {
    key: Arc<str>,
    value: V,
    bytes: u64,
}

impl<V: Clone> Cache<V> {
    pub fn new(policy: plimsoll_scenarios::Policy, capacity_bytes: u64) -> Self {
        Self { inner: Mutex::new(Inner::new(policy, capacity_bytes)), policy, capacity: capacity_bytes }
    }

    /// The value of a key; counts as a use of it.
    pub fn get(&self, key: &str) -> Option<V> {
        let mut inner = self.lock();
        inner.policy.asked(hash(key));
        let id = *inner.ids.get(key)?;
        inner.policy.used(id);
        inner.value(id)
    }

    /// The value of a key, without a trace.
    pub fn peek(&self, key: &str) -> Option<V> {
        let inner = self.lock();
        inner.value(*inner.ids.get(key)?)
    }

    /// Keeps a value that weighs `bytes`; one larger than the whole cache is not kept.
    pub fn insert(&self, key: &str, value: V, bytes: usize) {
        let bytes = bytes as u64;
        let mut inner = self.lock();
        if let Some(&id) = inner.ids.get(key) {
            if let Some(slot) = inner.slots[id as usize].as_mut().filter(|slot| slot.bytes == bytes) {
                slot.value = value;
                return;
            }
            inner.policy.remove(id);
            inner.leave(id);
        }
        if bytes <= self.capacity {
            inner.admit(key, value, bytes);
        }
    }

    /// Forgets a key.
    pub fn remove(&self, key: &str) {
        let mut inner = self.lock();
        if let Some(&id) = inner.ids.get(key) {
            inner.policy.remove(id);
            inner.leave(id);
        }
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.lock() = Inner::new(self.policy, self.capacity);
    }

    /// Bytes in the cache.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Inner<V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Clone> Inner<V> {
    fn new(policy: plimsoll_scenarios::Policy, capacity: u64) -> Self {
        use plimsoll_scenarios::Policy;
        let policy: Box<dyn Eviction> = match policy {
            Policy::Lru => Box::new(queue::Queue::new(queue::Kind::Lru, capacity)),
            Policy::Fifo => Box::new(queue::Queue::new(queue::Kind::Fifo, capacity)),
            Policy::Clock => Box::new(queue::Queue::new(queue::Kind::Clock, capacity)),
            Policy::Sieve => Box::new(sieve::Sieve::new(capacity)),
            Policy::S3Fifo => Box::new(s3_fifo::S3Fifo::new(capacity)),
            Policy::Lfu => Box::new(lfu::Lfu::new(capacity)),
            Policy::WTinyLfu => Box::new(w_tiny_lfu::WTinyLfu::new(capacity)),
        };
        let (slots, free, leaving) = (Vec::new(), Vec::new(), Vec::new());
        Self { ids: HashMap::new(), slots, free, bytes: 0, policy, leaving }
    }

    fn value(&self, id: u32) -> Option<V> {
        self.slots[id as usize].as_ref().map(|slot| slot.value.clone())
    }

    fn admit(&mut self, key: &str, value: V, bytes: u64) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        let key: Arc<str> = key.into();
        let entry = Entry { id, hash: hash(&key), bytes };
        self.ids.insert(Arc::clone(&key), id);
        self.slots[id as usize] = Some(Slot { key, value, bytes });
        self.bytes += bytes;
        let mut leaving = std::mem::take(&mut self.leaving);
        self.policy.admit(entry, &mut leaving);
        for id in leaving.drain(..) {
            self.leave(id);
        }
        self.leaving = leaving;
    }

    fn leave(&mut self, id: u32) {
        if let Some(slot) = self.slots[id as usize].take() {
            self.ids.remove(&slot.key);
            self.bytes -= slot.bytes;
            self.free.push(id);
        }
    }
}

/// The same for the same key in every process.
fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
