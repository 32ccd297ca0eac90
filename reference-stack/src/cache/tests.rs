use std::collections::{BTreeMap, HashMap};

use plimsoll_scenarios::Policy;
use plimsoll_scenarios::popularity::Popularity;
use plimsoll_scenarios::rng::Stream;

use super::*;

/// Plays a word, a letter a request, each of one byte; `+` marks the hits.
fn played(policy: Policy, capacity: u64, word: &str) -> String {
    let cache = Cache::new(policy, capacity);
    word.chars()
        .map(|name| {
            let key = name.to_string();
            if cache.get(&key).is_some() {
                return '+';
            }
            cache.insert(&key, (), 1);
            '.'
        })
        .collect()
}

#[test]
fn each_policy_keeps_what_its_paper_says() {
    for (policy, capacity, word, hits) in [
        (Policy::Lru, 2, "abacab", "..+.+."),
        (Policy::Fifo, 2, "abacab", "..+..."),
        // a is spared once, so b leaves for c; then nobody is spared and a, the older, leaves for d.
        (Policy::Clock, 2, "abacada", "..+.+.+"),
        // The hand passes a, evicts b, and stands behind it: then c leaves for d although a is older.
        (Policy::Sieve, 3, "abcadbe", "...+..."),
        (Policy::Sieve, 2, "abacac", "..+.++"),
        (Policy::Lfu, 2, "aabcab", ".+..+."),
        // a was used twice in the small queue and so moves to main when its turn comes.
        (Policy::S3Fifo, 10, "aaabcdefghijka", ".++..........+"),
    ] {
        assert_eq!(played(policy, capacity, word), hits, "{policy:?} {word}");
    }
}

#[test]
fn s3_fifo_takes_back_into_main_whom_it_remembers() {
    let cache = Cache::new(Policy::S3Fifo, 10);
    for name in 'a'..='k' {
        cache.insert(&name.to_string(), (), 1);
    }
    assert_eq!(cache.peek("a"), None, "it left for k");
    cache.insert("a", (), 1);
    for name in 'l'..='z' {
        cache.insert(&name.to_string(), (), 1);
    }
    assert_eq!(cache.peek("a"), Some(()), "in main, which is within its share");
    assert_eq!(cache.peek("k"), None);
}

#[test]
fn w_tiny_lfu_keeps_the_often_asked_from_the_once_asked() {
    let cache = Cache::new(Policy::WTinyLfu, 100);
    for _ in 0..3 {
        for name in 0..50 {
            let key = name.to_string();
            if cache.get(&key).is_none() {
                cache.insert(&key, (), 1);
            }
        }
    }
    for name in 1000..3000 {
        let key = name.to_string();
        assert_eq!(cache.get(&key), None);
        cache.insert(&key, (), 1);
    }
    let kept = (0..50).filter(|name| cache.peek(&name.to_string()).is_some()).count();
    assert!(kept >= 45, "{kept} of 50 survived the scan");
}

/// Hits of an exact LRU with room for `capacity` objects, and of ours, on the same requests.
fn lru_hits(objects: u64, capacity: u64, requests: u64, bytes: usize) -> (u64, u64) {
    let law = Popularity::zipf(1.0).over(objects);
    let sampler = law.sampler();
    let mut stream = Stream::new(5, "cache", "test", 0);
    let cache = Cache::new(Policy::Lru, capacity * bytes as u64);
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
    }
    (exact, ours)
}

#[test]
fn lru_is_exact() {
    for (objects, capacity) in [(10_000, 100), (10_000, 2400), (10_000, 1)] {
        let (exact, ours) = lru_hits(objects, capacity, 100_000, 20_000);
        assert_eq!(exact, ours, "{capacity} of {objects}");
    }
}

#[test]
fn the_budget_holds_whatever_comes_and_goes() {
    for (name, policy) in Policy::NAMES {
        let cache = Cache::new(policy, 1000);
        let mut stream = Stream::new(9, "cache", name, 0);
        let mut hits = 0;
        for _ in 0..20_000 {
            let key = (stream.below(40) * stream.below(40) / 8).to_string();
            match stream.below(20) {
                0 => cache.remove(&key),
                1 => cache.insert(&key, (), 1 + stream.below(60) as usize),
                _ if cache.get(&key).is_some() => hits += 1,
                _ => cache.insert(&key, (), 20),
            }
            let inner = cache.lock();
            assert!(inner.bytes <= 1000, "{name}");
            let weights: u64 = inner.slots.iter().flatten().map(|slot| slot.bytes).sum();
            assert_eq!((inner.bytes, inner.ids.len()), (weights, inner.slots.iter().flatten().count()));
        }
        assert!(hits > 2000, "{name}: {hits}");
        cache.clear();
        assert_eq!((cache.bytes(), cache.get("1")), (0, None), "{name}");
    }
}

#[test]
fn an_object_larger_than_the_cache_is_not_kept_and_drives_its_older_self_out() {
    for (name, policy) in Policy::NAMES {
        let cache = Cache::new(policy, 100);
        cache.insert("a", 1, 60);
        cache.insert("a", 2, 60);
        assert_eq!((cache.get("a"), cache.bytes()), (Some(2), 60), "{name}");
        cache.insert("a", 3, 101);
        assert_eq!((cache.get("a"), cache.bytes()), (None, 0), "{name}");
        cache.insert("b", 4, 100);
        // A window of one byte, and a main part too small, take no object of 100 bytes.
        assert_eq!(cache.get("b").is_some(), policy != Policy::WTinyLfu, "{name}");
    }
}
