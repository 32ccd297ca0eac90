use proptest::prelude::*;

use super::*;
use crate::rng::Stream;
use crate::units::{Count, Fraction};

fn share(value: f64) -> Fraction {
    Fraction::given(value, "")
}

fn cut_zipf(exponent: f64, head: f64, cutoff: f64, stretch: f64) -> Popularity {
    Popularity::Zipf(Zipf {
        exponent: Number::given(exponent, ""),
        head: (head > 0.0).then(|| Count::given(head, "")),
        cutoff: cutoff.is_finite().then(|| Count::given(cutoff, "")),
        stretch: Number::given(stretch, ""),
    })
}

fn hot_set(objects: f64, requests: f64) -> Popularity {
    Popularity::HotSet(HotSet { objects: share(objects), requests: share(requests) })
}

fn table(rows: &[(f64, f64)], cumulative: bool) -> Popularity {
    let groups = rows.iter().map(|&(o, r)| Group { objects: share(o), requests: share(r) }).collect();
    Popularity::Table(Table { groups, cumulative })
}

fn mixture(parts: Vec<(f64, Popularity)>) -> Popularity {
    let parts = parts.into_iter().map(|(w, popularity)| Part { weight: share(w), popularity }).collect();
    Popularity::Mixture(Mixture { parts })
}

fn counts(counts: &[f64]) -> Popularity {
    Popularity::Counts(Counts::new(counts.to_vec()).unwrap())
}

/// One of every kind, with ends of groups inside, at and between ranks.
fn examples() -> Vec<Popularity> {
    vec![
        Popularity::Uniform,
        Popularity::zipf(0.6),
        Popularity::zipf(1.0),
        Popularity::zipf(1.3),
        Popularity::zipf(4.0),
        cut_zipf(1.0, 50.0, f64::INFINITY, 1.0),
        cut_zipf(1.0, 50.0, 200_000.0, 0.7),
        cut_zipf(0.7, 3_000.0, 30_000.0, 2.0),
        cut_zipf(0.9, 0.0, 100.0, 1.0),
        cut_zipf(0.5, 0.0, 1.0, 5.0),
        hot_set(0.2, 0.8),
        hot_set(1e-7, 0.3),
        table(&[(0.01, 0.6), (0.1, 0.9)], true),
        table(&[(0.3, 0.1), (0.000_123_4, 0.5), (0.2, 0.2)], false),
        counts(&[12.0, 9_000.0, 0.0, 350.0, 12.0]),
        counts(&(1..3_000).map(|i| f64::from(3_000 / i)).collect::<Vec<_>>()),
        mixture(vec![(0.7, Popularity::zipf(1.0)), (0.3, Popularity::Uniform)]),
        mixture(vec![(0.4, cut_zipf(1.1, 9.0, 5_000.0, 1.0)), (0.6, hot_set(0.003_3, 0.9))]),
        mixture(vec![(0.5, hot_set(0.1, 0.5)), (0.5, hot_set(0.37, 0.9))]),
    ]
}

#[test]
fn masses_agree_with_reference_values() {
    // Harmonic number of 1e8 and shares of the most popular objects, computed at 40 digits.
    let law = Popularity::zipf(1.0).over(100_000_000);
    assert!((1.0 / law.p(0) - 18.997_896_413_853_9).abs() < 1e-9, "{}", law.p(0));
    for (top, share) in
        [(10_000, 0.515_194), (100_000, 0.636_394), (1_000_000, 0.757_596), (10_000_000, 0.878_798)]
    {
        assert!((law.mass(0, top) - share).abs() < 1e-6, "{top}: {}", law.mass(0, top));
    }
}

#[test]
fn masses_are_sums_of_probabilities() {
    for count in [1, 7, 1_000, 200_003] {
        for popularity in examples() {
            let law = popularity.over(count);
            let p: Vec<f64> = (0..count).map(|rank| law.p(rank)).collect();
            assert!(p.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-12)), "{popularity:?} rises");
            for (from, to) in
                [(0, count), (0, 1), (0, 70), (3, 900), (40, 5_000), (900, 70_000), (150_000, count)]
            {
                let (from, to) = (from.min(count), to.min(count));
                let direct: f64 = p.get(from as usize..to as usize).map_or(0.0, |p| p.iter().sum());
                let mass = law.mass(from, to);
                let close = (mass - direct).abs() <= 1e-9 * direct + 1e-13;
                assert!(close, "{popularity:?} over {count}, {from}..{to}: {mass} for {direct}");
            }
        }
    }
}

#[test]
fn atoms_give_the_sums_over_all_objects() {
    let count = 1_000_000;
    for popularity in examples() {
        let law = popularity.over(count);
        let p: Vec<f64> = (0..count).map(|rank| law.p(rank)).collect();
        let atoms = law.atoms();
        let check = |what: &str, f: &dyn Fn(f64) -> f64| {
            let direct: f64 = p.iter().map(|&p| f(p)).sum();
            let sum: f64 = atoms.iter().map(|a| a.count * f(a.p)).sum();
            assert!(
                (sum - direct).abs() <= 1e-9 * direct + 1e-15,
                "{popularity:?} {what}: {sum} for {direct}"
            );
        };
        check("objects", &|_| 1.0);
        check("requests", &|p| p);
        for t in [1.0, 30.0, 1e3, 1e5, 1e6, 1e7, 1e9] {
            check(&format!("held at {t}"), &|p| -(-p * t).exp_m1());
            check(&format!("hits at {t}"), &|p| -p * (-p * t).exp_m1());
            // What a cache gets that is behind another.
            check(&format!("missed at {t}"), &|p| {
                let left = p * (-p * t).exp();
                -left * (-left * 3.0 * t).exp_m1()
            });
        }
    }
}

#[test]
fn atoms_are_few() {
    for (popularity, most) in [
        (Popularity::Uniform, 1),
        (Popularity::zipf(1.0), 300),
        (cut_zipf(1.0, 50.0, 20e6, 0.7), 400),
        (cut_zipf(1.0, 50.0, 1_000.0, 1.0), 3_000),
        (mixture(vec![(0.7, Popularity::zipf(1.0)), (0.3, hot_set(0.2, 0.8))]), 400),
    ] {
        let atoms = popularity.over(100_000_000).atoms().len();
        assert!(atoms <= most, "{popularity:?}: {atoms}");
    }
}

#[test]
fn the_characteristic_time_gives_the_reference_hit_ratios() {
    // Che's approximation for s = 1 and N = 1e8, computed independently.
    let atoms = Popularity::zipf(1.0).over(100_000_000).atoms();
    for (capacity, hit) in [(1e5, 0.547_765), (1e6, 0.685_699), (1e7, 0.832_842)] {
        let t = lru_characteristic_time(&atoms, capacity);
        let ratio: f64 = atoms.iter().map(|a| -a.count * a.p * (-a.p * t).exp_m1()).sum();
        assert!((ratio - hit).abs() < 1e-6, "{capacity}: {ratio}");
    }
}

#[test]
fn at_the_characteristic_time_the_cache_is_full() {
    let count = 1_000_000;
    for popularity in examples() {
        let atoms = popularity.over(count).atoms();
        let objects: f64 = atoms.iter().filter(|a| a.p > 0.0).map(|a| a.count).sum();
        for share in [1e-9, 1e-4, 0.1, 0.5, 0.9, 0.999_999] {
            let t = lru_characteristic_time(&atoms, share * objects);
            if t == f64::INFINITY {
                let lost: f64 = atoms.iter().map(|a| a.count * (-a.p * 1e30).exp()).sum();
                assert!(lost > (1.0 - share) * objects * (1.0 - 1e-9), "{popularity:?} {share}");
                continue;
            }
            let held: f64 = atoms.iter().map(|a| -a.count * (-a.p * t).exp_m1()).sum();
            assert!((held / (share * objects) - 1.0).abs() < 1e-11, "{popularity:?} {share}: {held}");
        }
        assert_eq!(lru_characteristic_time(&atoms, 0.0), 0.0);
        assert_eq!(lru_characteristic_time(&atoms, objects), f64::INFINITY);
    }
    assert_eq!(lru_characteristic_time(&[], 0.0), f64::INFINITY);
}

#[test]
fn with_the_time_that_is_searched_for_a_cache_holds_its_capacity() {
    for popularity in examples() {
        let atoms = popularity.over(1_000_000).atoms();
        let objects = asked_for(&atoms);
        // An LRU cache, and a FIFO one.
        let lru = |a: &Atom, t: f64| -(-a.p * t).exp_m1();
        let fifo = |a: &Atom, t: f64| a.p * t / (1.0 + a.p * t);
        for share in [1e-6, 1e-3, 0.1, 0.5, 0.9, 0.999] {
            let first = lru_characteristic_time(&atoms, share * objects);
            if first > 1e20 {
                continue;
            }
            for (how, law) in [("LRU", &lru as &dyn Fn(&Atom, f64) -> f64), ("FIFO", &fifo)] {
                let held = |t: f64| atoms.iter().map(|a| a.count * law(a, t)).sum::<f64>();
                for (first, evaluations) in [(first, 30), (1e-9 * first, 60), (1e9 * first, 60)] {
                    let asked = std::cell::Cell::new(0);
                    let t = time_that_holds(share * objects, objects, first, |t| {
                        asked.set(asked.get() + 1);
                        held(t)
                    });
                    let off = held(t) / (share * objects) - 1.0;
                    assert!(off.abs() < 1e-9, "{popularity:?} {how} {share} from {first}: {off}");
                    assert!(asked.get() <= evaluations, "{popularity:?} {how} {share}: {}", asked.get());
                }
            }
        }
        assert_eq!(time_that_holds(objects, objects, 1.0, |_| 0.0), f64::INFINITY);
        assert_eq!(time_that_holds(0.0, objects, 1.0, |_| 0.0), 0.0);
    }
}

/// Draws and compares with masses, over bins that split groups and heads.
#[track_caller]
fn follows(popularity: &Popularity, count: u64, draws: u32) {
    let law = popularity.over(count);
    let (sampler, mut stream) = (law.sampler(), Stream::new(11, "law", "ranks", 0));
    let mut edges: Vec<u64> = [0, 1, 2, 10, 100, 500, 1_000, 1_100, 10_000, 20_001, 300_000, 371_000]
        .into_iter()
        .filter(|&e| e < count)
        .collect();
    edges.push(count);
    let mut seen = vec![0_u32; edges.len() - 1];
    for _ in 0..draws {
        let rank = sampler.draw(&mut stream);
        assert!(rank < count);
        seen[edges.partition_point(|&e| e <= rank) - 1] += 1;
    }
    for (bin, &seen) in seen.iter().enumerate() {
        let expected = law.mass(edges[bin], edges[bin + 1]) * f64::from(draws);
        // Five standard deviations of a Poisson count, and some for the smallest.
        let close = (f64::from(seen) - expected).abs() < 5.0 * expected.sqrt() + 6.0;
        assert!(close, "{popularity:?} bin {bin}: {seen} for {expected}");
    }
}

#[test]
fn the_sampler_follows_every_law() {
    for popularity in examples() {
        follows(&popularity, 1_000_000, 1_000_000);
        follows(&popularity, 37, 100_000);
    }
}

#[test]
fn a_group_may_be_less_than_one_object() {
    let law = hot_set(0.001, 0.5).over(10);
    // The hot hundredth of the first object gets half, the other 99 hundredths their share of the rest.
    assert!((law.p(0) - (0.5 + 0.5 * 0.99 / 9.99)).abs() < 1e-12, "{}", law.p(0));
    assert!((law.p(9) - 0.5 / 9.99).abs() < 1e-12);
}

#[test]
fn a_mixture_of_one_is_its_part_and_a_table_of_one_row_a_hot_set() {
    let zipf = Popularity::zipf(1.0).over(5_000);
    let mixed = mixture(vec![(1.0, Popularity::zipf(1.0))]).over(5_000);
    assert!((0..5_000).all(|rank| zipf.p(rank) == mixed.p(rank)));
    let (hot, row) = (hot_set(0.2, 0.8).over(5_000), table(&[(0.2, 0.8)], true).over(5_000));
    assert!((0..5_000).all(|rank| hot.p(rank) == row.p(rank)));
}

#[test]
fn a_scaled_law_is_the_same_curve() {
    let full = cut_zipf(1.0, 50_000.0, 200_000.0, 0.7);
    let (large, small) = (full.over(1_000_000), full.scaled(0.01).over(10_000));
    for share in [0.01, 0.1, 0.5] {
        let (a, b) = (large.mass(0, (share * 1e6) as u64), small.mass(0, (share * 1e4) as u64));
        assert!((a - b).abs() < 1e-3, "{share}: {a} {b}");
    }
}

fn any_part() -> impl Strategy<Value = Popularity> {
    let rows = prop::collection::vec((0.001..1.0_f64, 0.0..1.0_f64), 1..20).prop_map(|rows| {
        let objects: f64 = rows.iter().map(|row| row.0).sum::<f64>() * 1.1;
        let requests: f64 = rows.iter().map(|row| row.1).sum::<f64>() * 1.01 + 1e-9;
        let rows: Vec<_> = rows.iter().map(|row| (row.0 / objects, row.1 / requests)).collect();
        table(&rows, false)
    });
    prop_oneof![
        Just(Popularity::Uniform),
        (0.01..5.0_f64).prop_map(Popularity::zipf),
        (0.01..3.0_f64, 0.0..1e5_f64, 0.0..7.0_f64, 0.1..5.0_f64)
            .prop_map(|(s, head, log_cutoff, stretch)| cut_zipf(s, head, 10_f64.powf(log_cutoff), stretch)),
        (1e-9..0.5_f64, 0.5..1.0_f64).prop_map(|(objects, requests)| hot_set(objects, requests)),
        rows,
        prop::collection::vec(0_u32..1_000, 1..300)
            .prop_map(|list| counts(&list.into_iter().map(|c| f64::from(c) + 0.5).collect::<Vec<_>>())),
    ]
}

fn any_popularity() -> impl Strategy<Value = Popularity> {
    prop_oneof![any_part(), prop::collection::vec((0.01..1.0_f64, any_part()), 1..5).prop_map(mixture),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn masses_add_up(popularity in any_popularity(), count in 1_u64..10_000_000, cut in 0.0..1.0_f64) {
        let law = popularity.over(count);
        let middle = (cut * count as f64) as u64;
        prop_assert!((law.mass(0, count) - 1.0).abs() < 1e-9);
        prop_assert!((law.mass(0, middle) + law.mass(middle, count) - 1.0).abs() < 1e-9);
        let atoms = law.atoms();
        let objects: f64 = atoms.iter().map(|a| a.count).sum();
        let requests: f64 = atoms.iter().map(|a| a.count * a.p).sum();
        prop_assert!((objects / count as f64 - 1.0).abs() < 1e-9, "{}", objects);
        prop_assert!((requests - 1.0).abs() < 1e-9, "{}", requests);
        prop_assert!(atoms.iter().all(|a| a.count > 0.0 && (0.0..=1.0 + 1e-9).contains(&a.p)));
    }

    #[test]
    fn probabilities_never_rise(popularity in any_popularity(), count in 2_u64..10_000_000, at in 0.0..1.0_f64) {
        let law = popularity.over(count);
        let rank = (at * (count - 1) as f64) as u64;
        prop_assert!(law.p(rank + 1) <= law.p(rank) * (1.0 + 1e-9));
    }

    #[test]
    fn draws_follow_masses(popularity in any_popularity(), count in 1_u64..1_000_000) {
        follows(&popularity, count, 20_000);
    }
}
