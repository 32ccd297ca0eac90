//! A popularity law from a trace, for use in a scenario.
//!
//! Why by distinct objects: what a cache of a size hits follows from how many different objects a stretch of requests
//! asks for (Che's characteristic time is the length of the stretch that asks for as many as fit). So the law is
//! fitted to that curve, which counts give exactly for any part of the trace; an exponent fitted to the ranks of
//! counts is biased, since the tail's ranks are chance (Clauset, Shalizi and Newman, "Power-law distributions in
//! empirical data", SIAM Review 51(4), 2009, section 3.5).

use plimsoll_reports::record::{FitCheck, FittedGroup, PopularityFit};
use plimsoll_scenarios::popularity::{Atom, Popularity, lru_characteristic_time};

/// Requests by object, as a trace is read.
#[derive(Debug, Default)]
pub struct Counts(Vec<u64>);

/// Largest catalogue that is told from an endless one.
const OBJECTS_MAX: f64 = 1e12;
/// Exponents tried.
const EXPONENT_MAX: f64 = 3.0;
/// Parts of the trace at which different objects are compared: all, a half, a quarter and so on.
const PARTS_MAX: u32 = 12;
/// The smallest part has this many requests.
const PART_MIN: f64 = 64.0;
/// Objects of one row of the table have at least this share of the requests of its first.
const ALIKE: f64 = 0.75;
/// Objects seen up to this often are taken as rarely seen, where there are so many of each kind.
const RARE_MAX: u64 = 8;
const MANY: f64 = 50.0;
const BISECTIONS: u32 = 60;
const GOLDEN: f64 = 0.618_033_988_749_894_9;

impl Counts {
    pub fn request(&mut self, id: u32) {
        let id = id as usize;
        if id >= self.0.len() {
            self.0.resize(id + 1, 0);
        }
        self.0[id] += 1;
    }

    /// The laws, checked against exact misses of LRU: `exact` has (objects, misses). `None` where no object is
    /// asked for twice: then there is nothing to fit.
    pub fn fit(mut self, exact: &[(u64, u64)]) -> Option<PopularityFit> {
        self.0.retain(|&count| count > 0);
        self.0.sort_unstable_by(|a, b| b.cmp(a));
        let requests: u64 = self.0.iter().sum();
        let objects = self.0.len();
        if requests as usize <= objects {
            return None;
        }
        let parts = self.distinct_by_part(requests as f64);
        let (exponent, catalogue) = zipf(&parts)?;
        let zipf_atoms = Popularity::zipf(exponent).over(catalogue as u64).atoms();
        let (table, table_objects) = self.table(requests as f64);
        let table_atoms: Vec<Atom> = atoms(&table, table_objects);
        let n = requests as f64;
        let checks = exact.iter().filter(|&&(capacity, _)| (capacity as usize) < objects).map(
            |&(capacity, misses)| FitCheck {
                objects: capacity,
                exact: misses as f64 / n,
                zipf: miss_ratio(&zipf_atoms, capacity as f64, n),
                table: miss_ratio(&table_atoms, capacity as f64, n),
            },
        );
        let checks = checks.collect();
        Some(PopularityFit {
            zipf: exponent,
            objects: catalogue,
            seen: objects as u64,
            table,
            table_objects,
            checks,
        })
    }

    /// (requests, different objects that so many requests, drawn from the trace at random, ask for), the whole first.
    fn distinct_by_part(&self, requests: f64) -> Vec<(f64, f64)> {
        let mut parts = Vec::new();
        for halvings in 0..PARTS_MAX {
            let share = 0.5_f64.powi(halvings as i32);
            if halvings > 1 && requests * share < PART_MIN {
                break;
            }
            // An object of c requests is missing from the part with probability (1 - share)^c.
            let missing = |&c: &u64| if share == 1.0 { 0.0 } else { (c as f64 * (-share).ln_1p()).exp() };
            parts.push((requests * share, self.0.iter().map(|c| 1.0 - missing(c)).sum()));
        }
        parts
    }

    /// Groups of objects that are asked for about alike, by falling popularity, and the objects of the catalogue.
    ///
    /// An object seen twice is seldom as popular as its two requests say: for rarely seen ones the requests are those
    /// that Good and Turing expect, and some go to objects not seen at all, as many as Chao estimates (Good, "The
    /// population frequencies of species", Biometrika 40, 1953, equation 2; Chao, Scandinavian Journal of Statistics
    /// 11, 1984, equation 8).
    fn table(&self, requests: f64) -> (Vec<FittedGroup>, f64) {
        // (objects, requests) of each group.
        let mut groups: Vec<(f64, f64)> = Vec::new();
        let mut rest = &self.0[..];
        while let Some(&first) = rest.first() {
            let alike = rest.partition_point(|&count| count as f64 >= ALIKE * first as f64);
            groups.push((alike as f64, rest[..alike].iter().sum::<u64>() as f64));
            rest = &rest[alike..];
        }
        let seen = |times: u64| {
            let below = self.0.partition_point(|&count| count >= times);
            (below - self.0.partition_point(|&count| count > times)) as f64
        };
        // Where rarely seen objects are many: their groups are one for each count.
        let rare = (1..=RARE_MAX).take_while(|&times| seen(times) >= MANY && seen(times + 1) >= MANY).last();
        if let Some(rare) = rare {
            let kept = self.0.partition_point(|&count| count > rare);
            let mut objects = 0;
            groups.retain(|(own, _)| {
                objects += *own as usize;
                objects <= kept
            });
            let held: f64 = groups.iter().map(|(own, _)| own).sum();
            let between = &self.0[held as usize..kept];
            if !between.is_empty() {
                groups.push((between.len() as f64, between.iter().sum::<u64>() as f64));
            }
            for times in (1..=rare).rev() {
                groups.push((seen(times), (times + 1) as f64 * seen(times + 1)));
            }
            groups.push((seen(1) * seen(1) / (2.0 * seen(2)), seen(1)));
        }
        let (objects, given) = groups.iter().fold((0.0, 0.0), |(o, r), group| (o + group.0, r + group.1));
        debug_assert!(given >= requests * 0.5, "most requests are in the table");
        let (mut top, mut sum) = (0.0, 0.0);
        let row = |(own, its): &(f64, f64)| {
            top += own / objects;
            sum += its / given;
            FittedGroup { top: top.min(1.0), requests: sum.min(1.0) }
        };
        (groups.iter().map(row).collect(), objects)
    }
}

/// The exponent and the number of objects whose curve of different objects is nearest; the whole trace is met exactly.
fn zipf(parts: &[(f64, f64)]) -> Option<(f64, f64)> {
    let error = |exponent: f64| -> (f64, f64) {
        let objects = catalogue(exponent, parts[0]);
        let atoms = Popularity::zipf(exponent).over(objects as u64).atoms();
        let squares = parts.iter().map(|&(n, distinct)| (asked_for(&atoms, n) / distinct).ln().powi(2));
        (squares.sum(), objects)
    };
    // The error has one valley in all but contrived traces: find it coarsely, then by golden section.
    let coarse = (0..=30).map(|i| EXPONENT_MAX * f64::from(i) / 30.0);
    let best = coarse.map(|s| (error(s).0, s)).min_by(|a, b| a.0.total_cmp(&b.0))?.1;
    let (mut low, mut high) = ((best - 0.1).max(0.0), (best + 0.1).min(EXPONENT_MAX));
    for _ in 0..BISECTIONS {
        let (a, b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if error(a).0 <= error(b).0 {
            high = b;
        } else {
            low = a;
        }
        if high - low < 1e-6 {
            break;
        }
    }
    let exponent = 0.5 * (low + high);
    Some((exponent, error(exponent).1))
}

/// The number of objects with which so many requests ask for so many different ones.
fn catalogue(exponent: f64, (requests, distinct): (f64, f64)) -> f64 {
    let asked = |objects: f64| asked_for(&Popularity::zipf(exponent).over(objects as u64).atoms(), requests);
    let (mut low, mut high) = (distinct.floor().max(1.0), OBJECTS_MAX);
    if asked(high) < distinct {
        return high;
    }
    for _ in 0..BISECTIONS {
        let middle = (low * high).sqrt();
        if asked(middle) < distinct {
            low = middle;
        } else {
            high = middle;
        }
        if high - low <= 0.5 {
            break;
        }
    }
    high.round()
}

/// Different objects among so many requests.
fn asked_for(atoms: &[Atom], requests: f64) -> f64 {
    atoms.iter().map(|atom| -atom.count * (-atom.p * requests).exp_m1()).sum()
}

/// The table's groups as atoms.
fn atoms(table: &[FittedGroup], objects: f64) -> Vec<Atom> {
    let (mut top, mut requests) = (0.0, 0.0);
    table
        .iter()
        .map(|row| {
            let count = (row.top - top) * objects;
            let p = (row.requests - requests) / count;
            (top, requests) = (row.top, row.requests);
            Atom { count, p }
        })
        .collect()
}

/// Miss ratio of an LRU cache over `n` requests from empty, by Che: a request hits where its object was asked for
/// within the characteristic time before, and since the beginning.
fn miss_ratio(atoms: &[Atom], capacity: f64, n: f64) -> f64 {
    let t = lru_characteristic_time(atoms, capacity).min(n);
    let hits: f64 = atoms
        .iter()
        .map(|atom| {
            // The integral of p (1 - exp(-p min(s, t))) over s from 0 to n.
            let within = -(-atom.p * t).exp_m1();
            atom.count * (atom.p * t - within + atom.p * (n - t) * within)
        })
        .sum();
    (1.0 - hits / n).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use plimsoll_scenarios::popularity::HotSet;
    use plimsoll_scenarios::rng::Stream;
    use plimsoll_scenarios::units::Fraction;

    use super::*;
    use crate::mrc::StackDistances;

    fn fitted(law: &Popularity, objects: u64, requests: u64) -> PopularityFit {
        let sampler = law.over(objects).sampler();
        let mut stream = Stream::new(7, "fit", "test", 0);
        let (mut counts, mut distances) = (Counts::default(), StackDistances::new());
        for _ in 0..requests {
            // Scattered, so that ids say nothing of ranks.
            let id = (sampler.draw(&mut stream) * 2_654_435_761 % objects) as u32;
            counts.request(id);
            distances.request(id);
        }
        let at = [10, 100, 1_000, 10_000];
        let exact: Vec<(u64, u64)> = at.into_iter().zip(distances.misses(&at)).collect();
        counts.fit(&exact).unwrap()
    }

    #[test]
    fn the_law_that_made_a_trace_is_found_with_objects_that_nobody_asked_for() {
        for (exponent, objects, requests) in
            [(0.6, 50_000, 200_000), (0.8, 100_000, 200_000), (1.0, 100_000, 500_000), (1.2, 30_000, 200_000)]
        {
            let fit = fitted(&Popularity::zipf(exponent), objects, requests);
            assert!((fit.zipf - exponent).abs() < 0.02, "{exponent}: {}", fit.zipf);
            assert!(
                (fit.objects / objects as f64 - 1.0).abs() < 0.1,
                "{exponent}: {} of {objects}",
                fit.objects
            );
            assert!(fit.seen < objects);
            for check in &fit.checks {
                assert!((check.zipf - check.exact).abs() < 0.01, "{exponent}: {check:?}");
                assert!((check.table - check.exact).abs() < 0.015, "{exponent}: {check:?}");
            }
        }
    }

    #[test]
    fn a_hot_set_is_met_by_the_table_where_no_zipf_fits() {
        let share = |value: f64| Fraction::given(value, "");
        let hot = Popularity::HotSet(HotSet { objects: share(0.01), requests: share(0.8) });
        let fit = fitted(&hot, 20_000, 400_000);
        for check in &fit.checks {
            assert!((check.table - check.exact).abs() < 0.02, "{check:?}");
        }
        let worst = fit.checks.iter().map(|c| (c.zipf - c.exact).abs()).fold(0.0, f64::max);
        assert!(worst > 0.03, "{worst}");
    }

    #[test]
    fn nothing_comes_from_a_trace_without_repetition() {
        let mut counts = Counts::default();
        (0..100).for_each(|id| counts.request(id));
        assert!(counts.fit(&[]).is_none());
        assert!(Counts::default().fit(&[]).is_none());
    }

    #[test]
    fn one_object_over_and_over_is_a_catalogue_of_one() {
        let mut counts = Counts::default();
        (0..100).for_each(|_| counts.request(3));
        let fit = counts.fit(&[(1, 1)]).unwrap();
        assert_eq!((fit.seen, fit.table.len()), (1, 1));
        assert!(fit.zipf.is_finite() && fit.objects >= 1.0);
    }
}
