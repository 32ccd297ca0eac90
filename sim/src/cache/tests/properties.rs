//! What holds for every policy, or for a family of them, on any trace.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const OBJECTS: u32 = 40;

fn ids() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec((0..OBJECTS, 0..OBJECTS).prop_map(|(a, b)| a.min(b)), 1..500)
}

fn sizes() -> impl Strategy<Value = Sizes> {
    prop::collection::vec(1..30_u64, OBJECTS as usize).prop_map(|sizes| Sizes::Each(sizes.into()))
}

/// Bytes of what a cache says it holds, asked of a copy.
fn held(cache: &Cache, sizes: &Sizes) -> u64 {
    let mut copy = cache.clone();
    (0..OBJECTS).filter(|&id| copy.lookup(id)).map(|id| sizes.of(id)).sum()
}

proptest! {
    #[test]
    fn the_budget_holds_and_is_what_is_held(ids in ids(), sizes in sizes(), capacity in 0..300_u64) {
        for (_, policy) in Policy::NAMES {
            let mut cache = Cache::new(policy, OBJECTS, capacity, sizes.clone());
            for &id in &ids {
                cache.request(id);
                prop_assert!(cache.used() <= capacity, "{:?}", policy);
            }
            prop_assert_eq!(cache.used(), held(&cache, &sizes), "{:?}", policy);
        }
    }

    #[test]
    fn what_fits_is_there_after_its_insertion(ids in ids(), sizes in sizes(), capacity in 1..300_u64) {
        for (_, policy) in Policy::NAMES {
            let mut cache = Cache::new(policy, OBJECTS, capacity, sizes.clone());
            for &id in &ids {
                cache.request(id);
                let there = cache.clone().lookup(id);
                // W-TinyLFU may refuse whom its window cannot hold.
                let expected = sizes.of(id) <= capacity;
                prop_assert!(there == expected || (expected && policy == Policy::WTinyLfu), "{:?}", policy);
            }
        }
    }

    #[test]
    fn insertions_without_requests_keep_the_budget(
        steps in prop::collection::vec((0..OBJECTS, any::<bool>()), 1..500),
        sizes in sizes(),
        capacity in 0..300_u64,
    ) {
        // A fetch may end long after its request, and another may have filled the cache meanwhile.
        for (_, policy) in Policy::NAMES {
            let mut cache = Cache::new(policy, OBJECTS, capacity, sizes.clone());
            for &(id, inserts) in &steps {
                if inserts { cache.insert(id) } else { cache.lookup(id); }
                prop_assert!(cache.used() <= capacity, "{:?}", policy);
            }
            prop_assert_eq!(cache.used(), held(&cache, &sizes), "{:?}", policy);
        }
    }

    #[test]
    fn a_larger_lru_holds_all_that_a_smaller_one_does(ids in ids(), small in 0..40_u64, more in 0..20_u64) {
        let [mut small, mut large] = [small, small + more]
            .map(|capacity| Cache::new(Policy::Lru, OBJECTS, capacity, Sizes::Same(1)));
        for &id in &ids {
            let hits = (small.request(id), large.request(id));
            prop_assert!(!hits.0 || hits.1);
        }
    }

    #[test]
    fn where_all_fits_only_first_requests_miss(ids in ids(), sizes in sizes()) {
        let first = ids.iter().collect::<HashSet<_>>().len();
        for (_, policy) in Policy::NAMES {
            // W-TinyLFU keeps 1 % for its window, which need not be full.
            let mut cache = Cache::new(policy, OBJECTS, 3_000_000, sizes.clone());
            let misses = ids.iter().filter(|&&id| !cache.request(id)).count();
            prop_assert_eq!(misses, first, "{:?}", policy);
        }
    }

    #[test]
    fn batches_and_growing_tables_change_nothing(ids in ids(), sizes in sizes(), capacity in 0..300_u64) {
        for (_, policy) in Policy::NAMES {
            let mut one_by_one = Cache::new(policy, OBJECTS, capacity, sizes.clone());
            let expected: Vec<bool> = ids.iter().map(|&id| one_by_one.request(id)).collect();
            let mut growing = Cache::new(policy, 0, capacity, sizes.clone());
            let mut hits = Vec::new();
            let mut known = 0;
            for batch in ids.chunks(100) {
                known = batch.iter().fold(known, |known, &id| known.max(id + 1));
                growing.grow(known, sizes.clone());
                growing.request_batch(batch, &mut hits);
            }
            prop_assert_eq!(&hits, &expected, "{:?}", policy);
        }
    }
}
