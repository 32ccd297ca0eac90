//! What an LRU cache answers under Che's approximation, with what bounds it besides its capacity: a time to live, writes
//! that make objects stale, and admission from the second request on.
//!
//! Why renewals: between two fetches of an object nothing but its own requests matters. A fetch is followed by as many
//! hits as requests come with gaps shorter than the characteristic time `T` before the object is stale; then it is
//! fetched again. With `M` hits per fetch, requests hit with probability `M / (1 + M)` (Fofack, Nain, Neglia and Towsley,
//! "Performance evaluation of hierarchical TTL-based cache networks", Computer Networks 65, 2014, section 3; of a cache
//! without bound Jung, Berger and Balakrishnan, "Modeling TTL-based Internet caches", INFOCOM 2003:
//! `rate x ttl / (1 + rate x ttl)`). What is stale stays in its place until it is fetched again or pushed out, so `T` is
//! that of the same cache without a time to live.
//!
//! Of a cache in memory and on disk, memory has what was asked for last: a hit is one of memory if its own gap is shorter
//! than the characteristic time of an LRU list of that many bytes (Mattson et al. 1970: what a smaller LRU cache has, a
//! larger one has too).

use super::{Atom, asked_for, lru_characteristic_time, time_that_holds};

/// Terms of the series at most; each is smaller than the one before by far more than a digit then.
const TERMS_MAX: u32 = 200;
/// The series alternates, and its largest term is about `e` to this: six digits are lost of sixteen.
const SPREAD_MAX: f64 = 15.0;
/// Multiples of the characteristic time after which nothing rarely asked for has been hit without a gap.
const GAPS_MAX: f64 = 40.0;
/// Beyond this exponent nothing is left.
const NOTHING_LEFT: f64 = 40.0;

/// An LRU cache, solved. Times are in the unit of the rates' inverse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LruLaw {
    /// Characteristic time: an object that is not asked for so long is pushed out.
    pub time: f64,
    /// How long after its fetch an object is fresh; infinite where for ever.
    pub ttl: f64,
    /// The characteristic time of the history, where an object is kept from its second request in it on.
    pub history: Option<f64>,
}

impl LruLaw {
    /// Solves for the characteristic time of a cache of `capacity` (in the atoms' count) under requests at the atoms'
    /// rates. With `on_second` an object is kept only if its id is in a history of as many bytes of objects, which is
    /// LRU itself (2-LRU: Martina, Garetto and Leonardi, "A unified approach to the performance analysis of caching
    /// systems", INFOCOM 2014, section IV): both are given one time each, of which the second follows from the first.
    #[must_use]
    pub fn solve(atoms: &[Atom], capacity: f64, ttl: f64, on_second: bool) -> Self {
        let first = lru_characteristic_time(atoms, capacity);
        if !on_second {
            return Self { time: first, ttl, history: None };
        }
        let law = |time| Self { time, ttl, history: Some(first) };
        if first == f64::INFINITY || first <= 0.0 {
            return law(first);
        }
        let held = |time: f64| atoms.iter().map(|a| a.count * law(time).held(a.p)).sum::<f64>();
        // What comes in more seldom stays longer.
        law(time_that_holds(capacity, asked_for(atoms), 2.0 * first, held))
    }

    /// Probability that a request for an object of this rate is a hit.
    #[must_use]
    pub fn hit(&self, rate: f64) -> f64 {
        self.hit_with(rate, 0.0, 0.0)
    }

    /// The same where the object gives way to an unknown one at the rate `churn`, and is written, so that it is stale,
    /// at the rate `writes`.
    #[must_use]
    pub fn hit_with(&self, rate: f64, churn: f64, writes: f64) -> f64 {
        if rate <= 0.0 {
            return 0.0;
        }
        let after = self.after_request(rate, churn);
        if self.ttl == f64::INFINITY {
            return after * found(rate, churn + writes, self.time);
        }
        let hits = hits_per_fetch(rate, self.time, self.ttl, churn + writes);
        if hits == f64::INFINITY { after } else { after * hits / (1.0 + hits) }
    }

    /// The characteristic time of the cache's memory: `memory` (in the atoms' count) of what it has, the latest asked for.
    #[must_use]
    pub fn memory_time(&self, atoms: &[Atom], memory: f64) -> f64 {
        let kept = |a: &Atom| Atom { count: a.count * self.after_request(a.p, 0.0), p: a.p };
        let time = if self.history.is_some() {
            lru_characteristic_time(&atoms.iter().map(kept).collect::<Vec<Atom>>(), memory)
        } else {
            lru_characteristic_time(atoms, memory)
        };
        time.min(self.time)
    }

    /// Probability that a request for an object of this rate is a hit, and in memory of this characteristic time; the
    /// rest of [`Self::hit_with`] is on disk.
    #[must_use]
    pub fn hit_in_memory(&self, memory_time: f64, rate: f64, churn: f64, writes: f64) -> f64 {
        if rate <= 0.0 {
            return 0.0;
        }
        let time = memory_time.min(self.time);
        let (after, ends) = (self.after_request(rate, churn), churn + writes);
        if self.ttl == f64::INFINITY {
            return after * found(rate, ends, time);
        }
        let soon = -(-rate * time).exp_m1();
        let hits = hits_per_fetch(rate, self.time, self.ttl, ends);
        if hits == f64::INFINITY {
            return after * soon;
        }
        if self.ttl <= time {
            return after * hits / (1.0 + hits);
        }
        // Of the requests after a fetch all come soon enough at first; then those with a gap that is short enough, of all
        // as long as nothing can have been pushed out, and of those with a gap that the cache bears later on.
        let at_first = until(rate, ends, time);
        let surely = until(rate, ends, self.ttl.min(self.time)) - at_first;
        let later = (hits - at_first - surely).max(0.0);
        let of_later = if later > 0.0 { shorter_gaps(rate * self.time, time / self.time) } else { 0.0 };
        after * (at_first + soon * surely + of_later * later) / (1.0 + hits)
    }

    /// Probability that a request is a miss after which the cache has the object.
    #[must_use]
    pub fn kept(&self, rate: f64, churn: f64, writes: f64) -> f64 {
        if rate <= 0.0 {
            return 0.0;
        }
        (self.after_request(rate, churn) - self.hit_with(rate, churn, writes)).max(0.0)
    }

    /// Probability that an object is in the cache at a time, fresh or stale.
    #[must_use]
    pub fn held(&self, rate: f64) -> f64 {
        if rate <= 0.0 { 0.0 } else { self.after_request(rate, 0.0) * found(rate, 0.0, self.time) }
    }

    /// Probability that an object is in the cache right after a request for it: always, or with a history if it was
    /// there and asked for soon enough, or remembered. Gaps between requests are independent, so
    /// `p = p F(time) + F(history) - p F(the lesser)`.
    fn after_request(&self, rate: f64, churn: f64) -> f64 {
        let Some(history) = self.history else { return 1.0 };
        let remembered = found(rate, churn, history);
        let both = found(rate, churn, history.min(self.time));
        let kept = 1.0 - found(rate, churn, self.time) + both;
        if kept > 0.0 { (remembered / kept).min(1.0) } else { 1.0 }
    }

    /// The same cache no longer than a time after it was empty.
    #[must_use]
    pub fn within(&self, time: f64) -> Self {
        Self { time: self.time.min(time), ttl: self.ttl, history: self.history.map(|h| h.min(time)) }
    }
}

/// Probability that the next request comes within `time`, and before an end that comes at the rate `ends`.
fn found(rate: f64, ends: f64, time: f64) -> f64 {
    let all = rate + ends;
    if time == f64::INFINITY { rate / all } else { rate / all * -(-all * time).exp_m1() }
}

/// Hits that follow a fetch: requests at gaps below `time`, until `ttl` after it or until an end that comes at the rate
/// `ends`.
///
/// The density of such a request `t` after the fetch has the transform `rate (1 - x) / (s + rate x)` with
/// `x = exp(-(rate + s) time)`. Its expansion in powers of `x` is a sum of as many terms as gaps fit into `t`.
fn hits_per_fetch(rate: f64, time: f64, ttl: f64, ends: f64) -> f64 {
    let never = (-(rate + ends) * time).exp();
    let for_ever = || {
        let left = ends + rate * never;
        if left > 0.0 { rate * (1.0 - never) / left } else { f64::INFINITY }
    };
    if ttl <= time {
        return until(rate, ends, ttl);
    }
    let gaps = ttl / time;
    let spread = gaps * rate * time * never;
    let decayed = spread > SPREAD_MAX || (rate * time <= 1.0 && gaps > GAPS_MAX);
    if time <= 0.0 || decayed || ends * ttl > NOTHING_LEFT {
        return for_ever();
    }
    let mut sum = until(rate, ends, ttl);
    let (mut sign, mut log_factorial) = (1.0, 0.0);
    for k in 1..=TERMS_MAX {
        let left = ttl - f64::from(k) * time;
        if left <= 0.0 {
            break;
        }
        sign = -sign;
        // Of rate x left the k-th power over k!, and the next one, both with exp(-k (rate + ends) time).
        log_factorial += f64::from(k).ln();
        let log = f64::from(k) * ((rate * left).ln() - (rate + ends) * time) - log_factorial;
        let (first, second) = (log.exp(), (log + (rate * left / f64::from(k + 1)).ln()).exp());
        let term = first * damped(f64::from(k), ends * left) + second * damped(f64::from(k + 1), ends * left);
        sum += sign * term;
        if term < 1e-17 * sum.abs() {
            break;
        }
    }
    sum.max(0.0)
}

/// Of the requests that come at gaps below the characteristic time, long after a fetch, the share with gaps below the part
/// `shorter` of it; `x` requests come in the time.
///
/// There are ever fewer of them, in proportion to `exp(-c t)`: those with long gaps began when there were more. With
/// `y = c - rate` in the unit of the time, `y = x (exp(y) - 1)`, and not 0.
fn shorter_gaps(x: f64, shorter: f64) -> f64 {
    const NEAR: f64 = 1e-4;
    if (x - 1.0).abs() < NEAR {
        return shorter;
    }
    let over = |y: f64| x * y.exp_m1() - y;
    let (mut low, mut high) = if x > 1.0 { (-x, -NEAR) } else { (NEAR, 2.0 - 2.0 * x.ln()) };
    let falls = x > 1.0;
    for _ in 0..50 {
        let y = 0.5 * (low + high);
        if (over(y) > 0.0) == falls { low = y } else { high = y }
    }
    let y = 0.5 * (low + high);
    (x * (y * shorter).exp_m1() / y).clamp(0.0, 1.0)
}

/// `rate` times the integral of `exp(-ends t)` up to a time.
fn until(rate: f64, ends: f64, to: f64) -> f64 {
    if ends > 0.0 { rate / ends * -(-ends * to).exp_m1() } else { rate * to }
}

/// The integral of `v^(j-1) exp(-e v)` up to `t` over that of `v^(j-1)`, for `x = e t`.
fn damped(j: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for i in 1..1000 {
        term *= x / (j + f64::from(i));
        sum += term;
        if term < 1e-17 * sum {
            break;
        }
    }
    (-x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::popularity::Popularity;
    use crate::rng::Stream;

    /// One object of a rate, played: present while gaps are short, fresh for so long, replaced and written at rates.
    fn played(law: LruLaw, rate: f64, churn: f64, writes: f64) -> f64 {
        played_twice(law, 0.0, rate, churn, writes)[0]
    }

    /// The same: hits, those of memory, and misses after which it is there.
    fn played_twice(law: LruLaw, memory_time: f64, rate: f64, churn: f64, writes: f64) -> [f64; 3] {
        let mut draws = Stream::new(5, "law", "one object", 0);
        let n = 400_000;
        let (mut hits, mut there, mut known, mut age) = (0, false, false, 0.0);
        let (mut in_memory, mut kept) = (0, 0);
        for _ in 0..n {
            let gap = draws.exponential() / rate;
            let of = |rate: f64, draws: &mut Stream| rate > 0.0 && draws.exponential() / rate < gap;
            let (replaced, written) = (of(churn, &mut draws), of(writes, &mut draws));
            age += gap;
            if written {
                age = f64::INFINITY;
            }
            let remembered = known && !replaced && law.history.is_none_or(|h| gap < h);
            there &= !replaced && gap < law.time;
            if there && age < law.ttl {
                hits += 1;
                in_memory += i32::from(gap < memory_time);
            } else {
                there |= law.history.is_none() || remembered;
                kept += i32::from(there);
                age = 0.0;
            }
            known = true;
        }
        [hits, in_memory, kept].map(|count| f64::from(count) / f64::from(n))
    }

    #[test]
    fn memory_answers_what_comes_back_soonest_and_disks_keep_what_the_law_says() {
        for (rate, time, memory, ttl, history, churn, writes) in [
            (1.0, 2.0, 0.5, f64::INFINITY, None, 0.0, 0.0),
            (1.0, 2.0, 0.5, f64::INFINITY, None, 0.1, 0.3),
            (1.0, 2.0, 0.5, 0.3, None, 0.0, 0.0),
            (1.0, 2.0, 0.5, 1.5, None, 0.0, 0.1),
            (1.0, 2.0, 0.5, 7.0, None, 0.0, 0.0),
            (0.3, 2.0, 0.5, 30.0, None, 0.0, 0.05),
            (4.0, 1.5, 0.2, 60.0, None, 0.0, 0.0),
            (1.0, f64::INFINITY, 0.7, 4.0, None, 0.0, 0.0),
            (1.0, 2.0, 0.5, f64::INFINITY, Some(0.7), 0.0, 0.0),
            (1.0, 2.0, 0.5, 3.0, Some(0.7), 0.0, 0.1),
        ] {
            let law = LruLaw { time, ttl, history };
            let [_, in_memory, kept] = played_twice(law, memory, rate, churn, writes);
            let case = (rate, time, memory, ttl, history, churn, writes);
            let want = law.hit_in_memory(memory, rate, churn, writes);
            assert!((want - in_memory).abs() < 0.006, "{case:?}: {want} by the law, {in_memory} played");
            let want = law.kept(rate, churn, writes);
            assert!((want - kept).abs() < 0.006, "{case:?}: {want} kept by the law, {kept} played");
            assert_eq!(
                law.hit_in_memory(time, rate, churn, writes),
                law.hit_with(rate, churn, writes),
                "{case:?}"
            );
        }
    }

    #[test]
    fn an_object_that_is_played_hits_as_often_as_the_law_says() {
        for (rate, time, ttl, history, churn, writes) in [
            (1.0, 2.0, f64::INFINITY, None, 0.0, 0.0),
            (1.0, 2.0, 1.0, None, 0.0, 0.0),
            (1.0, 2.0, 7.0, None, 0.0, 0.0),
            (0.3, 2.0, 30.0, None, 0.0, 0.0),
            (4.0, 1.5, 60.0, None, 0.0, 0.0),
            (1.0, 2.0, 7.0, None, 0.05, 0.2),
            (3.0, f64::INFINITY, 2.0, None, 0.0, 0.0),
            (1.0, 2.0, f64::INFINITY, None, 0.0, 0.5),
            (1.0, 2.0, f64::INFINITY, Some(0.7), 0.0, 0.0),
            (1.0, 0.6, f64::INFINITY, Some(1.5), 0.0, 0.0),
            (1.0, 2.0, 3.0, Some(0.7), 0.0, 0.1),
            (1.0, 2.0, 3.0, Some(0.7), 0.1, 0.0),
        ] {
            let law = LruLaw { time, ttl, history };
            let (want, got) = (law.hit_with(rate, churn, writes), played(law, rate, churn, writes));
            let case = (rate, time, ttl, history, churn, writes);
            assert!((want - got).abs() < 0.004, "{case:?}: {want} by the law, {got} played");
        }
    }

    #[test]
    fn a_time_to_live_is_that_of_jung_and_others_where_nothing_is_pushed_out() {
        let law = LruLaw { time: f64::INFINITY, ttl: 30.0, history: None };
        for rate in [1e-4, 0.1, 1.0, 50.0] {
            assert!((law.hit(rate) - 30.0 * rate / (1.0 + 30.0 * rate)).abs() < 1e-12, "{rate}");
        }
    }

    #[test]
    fn hits_per_fetch_rise_smoothly_from_one_way_of_computing_them_to_another() {
        for rate in [1e-6, 0.01, 0.5, 1.0, 1.5, 3.0, 8.0, 30.0] {
            for ends in [0.0, 1e-3, 0.2] {
                let mut last = 0.0;
                // From far below the characteristic time to far beyond.
                for step in -40..400 {
                    let ttl = 10_f64.powf(f64::from(step) / 20.0);
                    let hits = hits_per_fetch(rate, 1.0, ttl, ends);
                    assert!(hits >= last * (1.0 - 1e-5), "{rate} {ends} {ttl}: {hits} after {last}");
                    last = hits;
                }
                let x = (-(rate + ends)).exp();
                let want = rate * (1.0 - x) / (ends + rate * x);
                assert!((last / want - 1.0).abs() < 1e-5, "{rate} {ends}: {last} for {want}");
            }
        }
    }

    #[test]
    fn a_cache_with_a_history_is_full_and_keeps_the_popular() {
        let atoms = Popularity::zipf(0.8).over(10_000).atoms();
        let (plain, second) = (
            LruLaw::solve(&atoms, 500.0, f64::INFINITY, false),
            LruLaw::solve(&atoms, 500.0, f64::INFINITY, true),
        );
        let holds: f64 = atoms.iter().map(|a| a.count * second.held(a.p)).sum();
        assert!((holds / 500.0 - 1.0).abs() < 1e-9, "{holds}");
        let ratio = |law: LruLaw| atoms.iter().map(|a| a.count * a.p * law.hit(a.p)).sum::<f64>();
        assert!(ratio(second) > ratio(plain) + 0.03, "{} {}", ratio(second), ratio(plain));
    }
}
