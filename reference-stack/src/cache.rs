//! A cache weighed in bytes that evicts what was used longest ago.
//!
//! Why moka behind a wrapper: it is a cache that real services run. It applies reads and writes to its LRU
//! order in batches; the simulator's LRU is exact. So pending work is done after each insertion, before the
//! next lookup can see too full a cache. Hit ratios are then those of an exact LRU (tested below).

use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

/// A shared cache by text key. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LruCache<V: Clone + Send + Sync + 'static> {
    entries: Cache<Arc<str>, (u32, V)>,
}

impl<V: Clone + Send + Sync + 'static> LruCache<V> {
    pub fn new(capacity_bytes: u64) -> Self {
        let entries = Cache::builder()
            .max_capacity(capacity_bytes)
            .weigher(|_, (bytes, _): &(u32, V)| *bytes)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self { entries }
    }

    pub fn get(&self, key: &str) -> Option<V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// Keeps a value that weighs `bytes`; one larger than the whole cache is not kept.
    pub fn insert(&self, key: &str, value: V, bytes: usize) {
        self.entries.insert(key.into(), (u32::try_from(bytes).unwrap_or(u32::MAX), value));
        self.entries.run_pending_tasks();
    }

    /// Bytes in the cache.
    #[cfg(test)]
    fn bytes(&self) -> u64 {
        self.entries.weighted_size()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use plimsoll_scenarios::popularity::Popularity;
    use plimsoll_scenarios::rng::Stream;

    use super::*;

    /// Hits of an exact LRU with room for `capacity` objects, and of ours, on the same requests.
    fn hits(objects: u64, capacity: u64, requests: u64, bytes: usize) -> (u64, u64) {
        let law = Popularity::zipf(1.0).over(objects);
        let sampler = law.sampler();
        let mut stream = Stream::new(5, "cache", "test", 0);
        let cache = LruCache::new(capacity * bytes as u64);
        let (mut used, mut by_time) = (HashMap::new(), BTreeMap::new());
        let (mut exact, mut ours) = (0, 0);
        for now in 0..requests {
            let object = sampler.draw(&mut stream);
            let key = object.to_string();
            if cache.get(&key).is_some() {
                ours += 1;
            } else {
                cache.insert(&key, (), bytes);
            }
            if let Some(before) = used.insert(object, now) {
                exact += 1;
                by_time.remove(&before);
            } else if used.len() as u64 > capacity {
                let (_, oldest) = by_time.pop_first().unwrap();
                used.remove(&oldest);
            }
            by_time.insert(now, object);
            assert!(cache.bytes() <= capacity * bytes as u64);
        }
        (exact, ours)
    }

    #[test]
    fn hit_ratios_are_those_of_an_exact_lru() {
        for (objects, capacity) in [(10_000, 100), (10_000, 2400), (10_000, 1)] {
            let requests = 100_000;
            let (exact, ours) = hits(objects, capacity, requests, 20_000);
            let difference = (exact as f64 - ours as f64).abs() / requests as f64;
            println!("lru of {capacity}/{objects}: exact {exact}, moka {ours}, difference {difference:.5}");
            assert!(difference < 0.002, "{capacity} of {objects}: exact {exact}, ours {ours}");
        }
    }

    #[test]
    fn an_object_larger_than_the_cache_is_not_kept() {
        let cache = LruCache::new(100);
        cache.insert("large", 1, 101);
        assert_eq!(cache.get("large"), None);
        cache.insert("fits", 2, 100);
        assert_eq!(cache.get("fits"), Some(2));
    }
}
