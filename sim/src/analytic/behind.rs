//! What an LRU cache answers that is asked only for what a few others, all alike, have missed.
//!
//! Why not as any other: who has just missed an object keeps it, and so does not ask for it again for at least its own
//! characteristic time. To the cache behind, the misses of one are a renewal process with long gaps, and those of `n`
//! are `n` of them side by side. Independent references would hit too often there, by points where few caches stand
//! before one (Martina, Garetto and Leonardi, "A unified approach to the performance analysis of caching systems",
//! INFOCOM 2014, section V, for trees; Fofack, Nain, Neglia and Towsley, "Performance evaluation of hierarchical
//! TTL-based cache networks", Computer Networks 65, 2014, section 4, for the superposition).

use std::collections::BTreeMap;

use plimsoll_scenarios::popularity::{Atom, asked_for, lru_characteristic_time, time_that_holds};
use plimsoll_scenarios::{DatasetId, Scenario, Scope, TierId};

use crate::flow::Flow;

/// Characteristic times of the cache before up to which gaps are summed term by term; beyond, one root of the transform
/// is left.
const TERMS_MAX: f64 = 24.0;
const ITERATIONS: u32 = 60;

/// The misses of one cache for one object, a renewal process.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Gaps {
    /// A gap is a busy period, in which requests follow each other within the time, and then as long without one:
    /// its transform is `y / (s + y)` with `y = rate exp(-(rate + s) time)`.
    Lru,
    /// A gap is the stay and the time until the next request.
    Fifo,
}

/// The caches before: their policy and characteristic time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Before {
    gaps: Gaps,
    time: f64,
    /// How many of them stand before one cache.
    number: f64,
}

impl Before {
    #[must_use]
    pub const fn lru(time: f64, number: f64) -> Self {
        Self { gaps: Gaps::Lru, time, number }
    }

    #[must_use]
    pub const fn fifo(time: f64, number: f64) -> Self {
        Self { gaps: Gaps::Fifo, time, number }
    }

    /// Probability that the gap after a miss is longer than `t`, and the integral of that from 0 to `t`, for an object
    /// that one of the caches is asked for at a rate.
    fn longer(&self, rate: f64, t: f64) -> (f64, f64) {
        if t <= self.time {
            return (1.0, t);
        }
        match self.gaps {
            Gaps::Fifo => {
                let left = (-rate * (t - self.time)).exp();
                (left, self.time + (1.0 - left) / rate)
            }
            Gaps::Lru => {
                // In units of the characteristic time; its logarithm, since it may be too small for a number.
                let (x, gaps) = (rate * self.time, t / self.time);
                let each = x * (-x).exp();
                let (mut left, mut sum) = expansion(each, gaps.min(TERMS_MAX));
                if gaps > TERMS_MAX {
                    let root = slowest(each);
                    let further = gaps - TERMS_MAX;
                    let decay = (-root * further).exp();
                    sum += if root * further > 1e-12 { left * (1.0 - decay) / root } else { left * further };
                    left *= decay;
                }
                (left, sum * self.time)
            }
        }
    }
}

/// The survival function of a gap and its integral, time in characteristic times, `each` the misses in one:
/// `1 / (s + each exp(-s))` as a series in its second term.
fn expansion(each: f64, t: f64) -> (f64, f64) {
    let (mut left, mut sum) = (0.0, 0.0);
    let mut log_factorial = 0.0;
    let log_each = each.ln();
    for k in 0..=(TERMS_MAX as u32) {
        let rest = t - f64::from(k);
        if rest <= 0.0 {
            break;
        }
        let k = f64::from(k);
        log_factorial += if k > 1.0 { k.ln() } else { 0.0 };
        let size = if k > 0.0 { (k * (log_each + rest.ln()) - log_factorial).exp() } else { 1.0 };
        let term = if k % 2.0 == 0.0 { size } else { -size };
        left += term;
        sum += term * rest / (k + 1.0);
    }
    (left.clamp(0.0, 1.0), sum.max(0.0))
}

/// The smaller root of `r = each exp(r)`, with which the survival function falls in the end. `each` is 1/e at most.
fn slowest(each: f64) -> f64 {
    let mut root = each;
    for _ in 0..ITERATIONS {
        let next = each * root.exp();
        if next - root <= 1e-14 * next {
            return next;
        }
        root = next;
    }
    root
}

/// An LRU cache behind others, solved. Times are in the unit of the rates' inverse, and rates those of one of the caches
/// before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BehindLaw {
    /// Characteristic time.
    pub time: f64,
    pub before: Before,
}

/// How often an object is asked for: of the cache, by all before it together, and of those, where they alone ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    pub rate: f64,
    pub before: Option<f64>,
}

impl From<f64> for Asked {
    fn from(rate: f64) -> Self {
        Self { rate, before: None }
    }
}

impl BehindLaw {
    /// Solves for the characteristic time of a cache of `capacity` (in the atoms' count) under requests at the atoms'
    /// rates, which are what the caches before miss where `before` says how often they are asked.
    #[must_use]
    pub fn solve(atoms: &[Atom], asked_before: &[Option<f64>], capacity: f64, before: Before) -> Self {
        let law = |time| Self { time, before };
        // As any other, it would have this one; it is not far.
        let first = lru_characteristic_time(atoms, capacity);
        if first == f64::INFINITY || first <= 0.0 {
            return law(first);
        }
        let asked = |i: usize, rate: f64| Asked { rate, before: asked_before.get(i).copied().flatten() };
        let held = |time: f64| {
            let law = law(time);
            atoms.iter().enumerate().map(|(i, a)| a.count * law.held(asked(i, a.p))).sum::<f64>()
        };
        law(time_that_holds(capacity, asked_for(atoms), first, held))
    }

    /// Probability that a request for an object is a hit, where it gives way to an unknown one at the rate `churn`.
    #[must_use]
    pub fn hit(&self, asked: Asked, churn: f64) -> f64 {
        if asked.rate <= 0.0 {
            return 0.0;
        }
        let poisson = |rate: f64| -(-rate * self.time).exp_m1();
        // Of requests that come within the time, those that come before it is another object.
        let same = |all: f64| asked.rate / all * poisson(all) / poisson(asked.rate);
        let lasts = if churn > 0.0 && self.time > 0.0 { same(asked.rate + churn) } else { 1.0 };
        let Some(before) = asked.before else { return lasts * poisson(asked.rate) };
        let (longer, none) = self.without(asked.rate, before);
        lasts * (1.0 - longer * none.powf(self.before.number - 1.0))
    }

    /// Probability that an object is in the cache at a time.
    #[must_use]
    pub fn held(&self, asked: Asked) -> f64 {
        match asked.before {
            _ if asked.rate <= 0.0 => 0.0,
            None => -(-asked.rate * self.time).exp_m1(),
            Some(before) => {
                let (_, none) = self.without(asked.rate, before);
                1.0 - none.powf(self.before.number)
            }
        }
    }

    /// The characteristic time in the time of the rates of the caches before.
    #[must_use]
    pub const fn time_before(&self) -> f64 {
        self.time / self.before.number
    }

    /// How many caches stand before one.
    #[must_use]
    pub const fn number(&self) -> f64 {
        self.before.number
    }

    /// The same cache no longer than a time after it was empty.
    #[must_use]
    pub fn within(&self, time: f64) -> Self {
        Self { time: self.time.min(time), ..*self }
    }

    /// Probabilities that one of the caches before misses nothing within the characteristic time: after a miss, and from
    /// any moment on.
    fn without(&self, rate: f64, before: f64) -> (f64, f64) {
        if self.time == f64::INFINITY || before <= 0.0 {
            return (0.0, 0.0);
        }
        let number = self.before.number;
        // Rates are those of all caches together, so times are as much shorter; of one of those before they are these.
        let (longer, sum) = self.before.longer(before, self.time * number.recip());
        (longer, (1.0 - rate * sum).clamp(0.0, 1.0))
    }
}

/// By dataset: the tier whose caches ask those of a tier for all that they miss, where nobody else asks these.
pub fn behind(scenario: &Scenario, flow: &Flow<'_>, tier: TierId) -> BTreeMap<DatasetId, TierId> {
    let plain = |tier: TierId| {
        let here = &scenario.tiers[tier];
        here.scope != Scope::User && here.cache.as_ref().is_some_and(|c| !c.per_server && !c.has_rules())
    };
    if !plain(tier) {
        return BTreeMap::new();
    }
    let asking = |tier: TierId, dataset: DatasetId| {
        let asks = move |&n: &usize| flow.nodes[n].lookup && flow.nodes[n].call.of == Some(dataset);
        flow.at(tier).filter(asks)
    };
    let mut found: BTreeMap<DatasetId, TierId> = BTreeMap::new();
    for dataset in 0..scenario.datasets.len() {
        let callers: Option<Vec<usize>> = asking(tier, dataset).map(|n| lookup_before(flow, n)).collect();
        let Some(mut callers) = callers else { continue };
        let Some(&first) = callers.first() else { continue };
        let before = flow.nodes[first].call.tier;
        // Each lookup there must lead to one here.
        callers.sort_unstable();
        let all = asking(before, dataset).eq(callers);
        // One law knows one kind of caches before it, and what these miss only where nothing is before them.
        let same = found.values().all(|&tier| tier == before);
        if all && same && before != tier && plain(before) && behind(scenario, flow, before).is_empty() {
            found.insert(dataset, before);
        }
    }
    found
}

/// The lookup of the same object whose every miss leads to this one.
fn lookup_before(flow: &Flow<'_>, node: usize) -> Option<usize> {
    let mut at = node;
    loop {
        let here = &flow.nodes[at];
        let caller = here.caller.filter(|&c| flow.nodes[c].call.of == here.call.of)?;
        if (here.call.mean_number() - 1.0).abs() > 1e-12 {
            return None;
        }
        if flow.nodes[caller].lookup {
            return Some(caller);
        }
        at = caller;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Cache, Sizes};
    use plimsoll_scenarios::popularity::Popularity;
    use plimsoll_scenarios::rng::Stream;

    #[test]
    fn gaps_between_misses_are_those_of_a_cache_that_is_played() {
        let mut draws = Stream::new(5, "behind", "gaps", 0);
        for (rate, fifo) in [(0.05, false), (1.0, false), (2.5, false), (0.05, true), (2.5, true)] {
            let before = if fifo { Before::fifo(1.0, 1.0) } else { Before::lru(1.0, 1.0) };
            let n = 100_000;
            let gaps: Vec<f64> = (0..n)
                .map(|_| {
                    let (mut now, mut last) = (0.0, 0.0);
                    loop {
                        now += draws.exponential() / rate;
                        if now - last > 1.0 {
                            return now;
                        }
                        if !fifo {
                            last = now;
                        }
                    }
                })
                .collect();
            for t in [0.5, 1.5, 3.0, 10.0, 40.0] {
                let played = gaps.iter().filter(|gap| **gap > t).count() as f64 / f64::from(n);
                let lasts = gaps.iter().map(|gap| gap.min(t)).sum::<f64>() / f64::from(n);
                let (longer, sum) = before.longer(rate, t);
                assert!((longer - played).abs() < 0.007, "{rate} {t} {fifo}: {longer}, {played} played");
                assert!((sum / lasts - 1.0).abs() < 0.01, "{rate} {t} {fifo}: {sum}, {lasts} played");
            }
        }
    }

    #[test]
    fn the_series_goes_on_in_its_root() {
        for rate in [1e-9, 1e-3, 0.1, 0.7, 1.0, 1.4, 3.0, 9.0, 50.0] {
            let before = Before::lru(1.0, 1.0);
            let mut last = (1.0, 0.0);
            for step in 1..600 {
                let here = before.longer(rate, 0.1 * f64::from(step));
                assert!(
                    here.0 <= last.0 + 1e-9 && here.1 >= last.1 - 1e-9,
                    "{rate} {step}: {here:?} after {last:?}"
                );
                // The integral grows by what is left.
                assert!((here.1 - last.1 - 0.05 * (here.0 + last.0)).abs() < 2e-3, "{rate} {step}");
                last = here;
            }
            // Gaps last as long as misses are apart.
            let apart = rate.exp() / rate;
            let (_, mean) = before.longer(rate, 50.0 * apart + 50.0);
            assert!((mean / apart - 1.0).abs() < 1e-6, "{rate}: {mean} {apart}");
        }
    }

    #[test]
    fn behind_very_many_it_is_like_any_other() {
        let atoms = Popularity::zipf(0.9).over(10_000).atoms();
        let asked_before: Vec<Option<f64>> = atoms.iter().map(|a| Some(a.p)).collect();
        // Caches so small that they answer next to nothing.
        let law = BehindLaw::solve(&atoms, &asked_before, 1_000.0, Before::lru(1e-9, 1e6));
        let plain = lru_characteristic_time(&atoms, 1_000.0);
        assert!((law.time / plain - 1.0).abs() < 1e-4, "{} {plain}", law.time);
        let alone = BehindLaw::solve(&atoms, &[], 1_000.0, Before::lru(1.0, 1.0));
        assert!((alone.time / plain - 1.0).abs() < 1e-7, "{} {plain}", alone.time);
    }

    /// Hit ratios of LRU caches side by side and of the one behind them, played.
    fn played(number: usize, objects: u32, front: u64, back: u64) -> (f64, f64) {
        let sampler = Popularity::zipf(0.9).over(u64::from(objects)).sampler();
        let mut draws = Stream::new(9, "behind", "played", number as u64);
        let cache = |capacity| Cache::new(plimsoll_scenarios::Policy::Lru, objects, capacity, Sizes::Same(1));
        let mut fronts: Vec<Cache> = (0..number).map(|_| cache(front)).collect();
        let mut behind = cache(back);
        let n = 3_000_000;
        let (mut hits, mut asked, mut found) = (0_u32, 0_u32, 0_u32);
        for i in 0..n {
            let id = sampler.draw(&mut draws) as u32;
            let hit = fronts[draws.below(number as u64) as usize].request(id);
            let there = !hit && behind.request(id);
            if i > n / 3 {
                hits += u32::from(hit);
                asked += u32::from(!hit);
                found += u32::from(there);
            }
        }
        (f64::from(hits) / f64::from(hits + asked), f64::from(found) / f64::from(asked))
    }

    #[test]
    fn two_levels_of_lru_hit_as_often_as_the_law_says() {
        let objects = 20_000;
        let atoms = Popularity::zipf(0.9).over(u64::from(objects)).atoms();
        for (number, front, back) in
            [(1, 1_000, 3_000), (2, 2_000, 4_000), (4, 2_000, 3_000), (10, 2_000, 8_000)]
        {
            let (hits, found) = played(number, objects, front, back);
            // Of all requests, so that the time is that of all caches together: one sees as much less.
            let time = lru_characteristic_time(&atoms, front as f64);
            let miss = |p: f64| (-p * time).exp();
            let missed: Vec<Atom> =
                atoms.iter().map(|a| Atom { count: a.count, p: a.p * miss(a.p) }).collect();
            let asked: Vec<Option<f64>> = atoms.iter().map(|a| Some(a.p)).collect();
            let law = BehindLaw::solve(&missed, &asked, back as f64, Before::lru(time, number as f64));
            let all: f64 = missed.iter().map(|a| a.count * a.p).sum();
            let hit = |(a, before): (&Atom, &Option<f64>)| {
                a.count * a.p * law.hit(Asked { rate: a.p, before: *before }, 0.0)
            };
            let want = missed.iter().zip(&asked).map(hit).sum::<f64>() / all;
            assert!(
                (1.0 - all - hits).abs() < 0.003,
                "{number} before: {} by formula, {hits} played",
                1.0 - all
            );
            assert!((want - found).abs() < 0.006, "{number} before: {want} by the law, {found} played");
        }
    }
}
