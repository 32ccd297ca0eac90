//! Miss counts that others have found on the same trace.

use super::*;

#[test]
fn exact_miss_counts_on_the_reference_trace() {
    let trace = reference_trace(100_000, 500_000, 42);
    assert_eq!(trace[..8], [69596, 7284, 36416, 51636, 1, 49609, 50328, 26498]);
    for (policy, known) in [
        (Policy::Lru, [355_345, 247_299, 133_678]),
        (Policy::Fifo, [375_115, 267_885, 150_991]),
        (Policy::Clock, [348_868, 241_565, 129_933]),
        (Policy::Sieve, [293_810, 203_823, 116_970]),
        (Policy::S3Fifo, [294_759, 201_880, 116_044]),
        (Policy::Lfu, [296_339, 204_699, 116_970]),
    ] {
        let found = [100, 1_000, 10_000].map(|capacity| misses(policy, 100_000, capacity, &trace));
        assert_eq!(found, known, "{policy:?}");
    }
}

#[test]
fn exact_miss_counts_on_the_large_reference_trace() {
    let trace = reference_trace(1_000_000, 10_000_000, 1);
    for (policy, known) in [(Policy::Lru, 2_229_986), (Policy::Fifo, 2_526_352), (Policy::Clock, 2_163_058)] {
        assert_eq!(misses(policy, 1_000_000, 100_000, &trace), known, "{policy:?}");
    }
}
