//! What a FIFO (or RANDOM) cache answers under Che's approximation, also with a time to live, writes that make objects
//! stale, and admission from the second request on.
//!
//! Why stays: an object is there for a fixed time after it came in, whatever is asked for meanwhile, and then away until a
//! request brings it back. In a stay it is fetched again whenever a request finds it stale; all other requests of the stay
//! are hits (Fofack, Nain, Neglia and Towsley, Computer Networks 65, 2014, section 3; Fricker, Robert and Roberts, ITC 24,
//! 2012, section IV).

use plimsoll_scenarios::popularity::{Atom, asked_for, lru_characteristic_time, time_that_holds};

/// Times to live in a stay up to which fetches are summed one by one; beyond, a renewal process has long settled.
const FETCHES_MAX: u32 = 512;

/// A FIFO cache, solved. Times are in the unit of the rates' inverse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FifoLaw {
    /// Time that an object stays after it came in.
    pub time: f64,
    /// How long after its fetch it is fresh; infinite where for ever.
    pub ttl: f64,
    /// The characteristic time of the history, where an object is kept from its second request in it on.
    pub history: Option<f64>,
}

impl FifoLaw {
    /// Solves for the time that objects stay in a cache of `capacity` (in the atoms' count) under requests at the atoms'
    /// rates.
    #[must_use]
    pub fn solve(atoms: &[Atom], capacity: f64, ttl: f64, on_second: bool) -> Self {
        let history = on_second.then(|| lru_characteristic_time(atoms, capacity));
        let law = |time| Self { time, ttl, history };
        // As LRU it would have this one; it is not far.
        let first = history.unwrap_or_else(|| lru_characteristic_time(atoms, capacity));
        if first == f64::INFINITY || first <= 0.0 {
            return law(first);
        }
        let held = |time: f64| atoms.iter().map(|a| a.count * law(time).held(a.p)).sum::<f64>();
        law(time_that_holds(capacity, asked_for(atoms), first, held))
    }

    /// Probability that an object of this rate is in the cache, fresh or stale.
    #[must_use]
    pub fn held(&self, rate: f64) -> f64 {
        if rate <= 0.0 {
            return 0.0;
        }
        if self.time == f64::INFINITY {
            return 1.0;
        }
        let stay = rate * self.time;
        stay / (self.requests_away(rate) + stay)
    }

    /// Probability that a request for it is a hit, where the object is written at the rate `writes` as well.
    #[must_use]
    pub fn hit(&self, rate: f64, writes: f64) -> f64 {
        if rate <= 0.0 {
            return 0.0;
        }
        if self.ttl == f64::INFINITY && writes <= 0.0 {
            return self.held(rate);
        }
        self.held(rate) * self.fresh(rate, writes)
    }

    /// Time that objects stay in the cache's memory: `memory` (in the atoms' count) of what it has, FIFO as well. It sees all
    /// requests for what the cache has, and an object comes back into it from disk.
    #[must_use]
    pub fn memory_time(&self, atoms: &[Atom], memory: f64) -> f64 {
        let on_disk = |a: &Atom| Atom { count: a.count * self.held(a.p), p: a.p };
        let time = if self.history.is_some() {
            let there: Vec<Atom> = atoms.iter().map(on_disk).collect();
            Self::solve(&there, memory, f64::INFINITY, false).time
        } else {
            Self::solve(atoms, memory, f64::INFINITY, false).time
        };
        time.min(self.time)
    }

    /// Probability that a request is a hit, and in memory in which objects stay so long; the rest of [`Self::hit`] is on disk.
    ///
    /// What the cache has let go may linger in its memory, and is a miss. How likely memory has it then is taken as at any
    /// other time, which is exact where stays on disk are many stays in memory.
    #[must_use]
    pub fn hit_in_memory(&self, memory_time: f64, rate: f64, writes: f64) -> f64 {
        let (hit, held) = (self.hit(rate, writes), self.held(rate));
        if memory_time >= self.time || held <= 0.0 {
            return hit;
        }
        let stay = rate * memory_time;
        let there = stay / (1.0 + stay);
        let both = if self.history.is_some() {
            held * there
        } else {
            let next_in_time = if stay > 0.0 { 1.0 + (-stay).exp_m1() / stay } else { 0.0 };
            there - (1.0 - held) * there * next_in_time
        };
        hit * (both / held).clamp(0.0, 1.0)
    }

    /// Probability that a request is a miss after which the cache has the object: it comes in, or was there and stale.
    #[must_use]
    pub fn kept(&self, rate: f64, writes: f64) -> f64 {
        let (hit, held) = (self.hit(rate, writes), self.held(rate));
        let comes_in = if self.time == f64::INFINITY || rate <= 0.0 {
            0.0
        } else {
            1.0 / (self.requests_away(rate) + rate * self.time)
        };
        (comes_in + held - hit).max(0.0)
    }

    /// The same cache no longer than a time after it was empty.
    #[must_use]
    pub fn within(&self, time: f64) -> Self {
        Self { time: self.time.min(time), ttl: self.ttl, history: self.history.map(|h| h.min(time)) }
    }

    /// Requests while it is away, the one that brings it back included: one, or with a history as many as it takes until
    /// two come soon enough after each other. The first comes after a stay, of which the last request is some time ago.
    fn requests_away(&self, rate: f64) -> f64 {
        let Some(history) = self.history else { return 1.0 };
        let soon = -(-rate * history).exp_m1();
        let at_once = 1.0 - (-rate * history).exp() * (1.0 + rate * history.min(self.time));
        if soon > 0.0 { 1.0 + (1.0 - at_once) / soon } else { f64::INFINITY }
    }

    /// Share of a stay in which the object is fresh.
    fn fresh(&self, rate: f64, writes: f64) -> f64 {
        let stay = self.time;
        // How long it is fresh after a fetch, on average.
        let lasts = if writes > 0.0 { -(-writes * self.ttl).exp_m1() / writes } else { self.ttl };
        let settled = lasts / (lasts + 1.0 / rate);
        if stay == f64::INFINITY {
            return settled;
        }
        if writes <= 0.0 {
            return 1.0 - fetches(rate, stay, self.ttl) / (rate * stay);
        }
        // Two states with the mean times that they last: exact where only writes make it stale.
        let change = rate + 1.0 / lasts;
        settled + (1.0 - settled) * -(-change * stay).exp_m1() / (change * stay)
    }
}

/// Times that an object is fetched again in a stay: the j-th at least `ttl` after the one before and at the first request
/// from then on, so that it comes in time if j requests fit into what the `j` times to live leave.
fn fetches(rate: f64, stay: f64, ttl: f64) -> f64 {
    let most = stay / ttl;
    if most > f64::from(FETCHES_MAX) {
        // The renewal function's asymptote (Smith 1958), with the squared coefficient of variation of the cycle.
        let cycle = ttl + 1.0 / rate;
        let spread = (1.0 / (rate * cycle)).powi(2);
        return stay / cycle + 0.5 * (spread - 1.0);
    }
    let times = (1..=most as u32).map(|j| at_least(j, rate * (stay - f64::from(j) * ttl)));
    times.sum()
}

/// Probability that a Poisson number of this mean is `j` or more.
fn at_least(j: u32, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    // From the likeliest term on outwards, so that none is lost to underflow before it counts.
    let log = |k: f64| k * mean.ln() - mean - libm::lgamma(k + 1.0);
    let j = f64::from(j);
    if j > mean {
        let (mut term, mut sum, mut k) = (log(j).exp(), 0.0, j);
        while term > 1e-17 * sum && term > 0.0 {
            sum += term;
            k += 1.0;
            term *= mean / k;
        }
        return sum;
    }
    let (mut term, mut sum, mut k) = (log(j - 1.0).exp(), 0.0, j - 1.0);
    while k >= 0.0 && term > 1e-17 * sum && term > 0.0 {
        sum += term;
        term *= k / mean;
        k -= 1.0;
    }
    1.0 - sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::rng::Stream;

    /// One object of a rate, played.
    fn played(law: FifoLaw, rate: f64, writes: f64) -> f64 {
        let mut draws = Stream::new(5, "law", "one object", 0);
        let n = 400_000;
        let (mut hits, mut since, mut age) = (0, f64::INFINITY, f64::INFINITY);
        for _ in 0..n {
            let gap = draws.exponential() / rate;
            (since, age) = (since + gap, age + gap);
            if writes > 0.0 && draws.exponential() / writes < gap {
                age = f64::INFINITY;
            }
            let there = since < law.time;
            if there && age < law.ttl {
                hits += 1;
                continue;
            }
            if !there && law.history.is_none_or(|h| gap < h) {
                since = 0.0;
            }
            age = 0.0;
        }
        f64::from(hits) / f64::from(n)
    }

    #[test]
    fn an_object_that_is_played_hits_as_often_as_the_law_says() {
        for (rate, time, ttl, history, writes) in [
            (1.0, 2.0, f64::INFINITY, None, 0.0),
            (1.0, 20.0, 3.0, None, 0.0),
            (5.0, 20.0, 3.0, None, 0.0),
            (0.2, 4.0, 0.1, None, 0.0),
            (3.0, 1e3, 0.2, None, 0.0),
            (1.0, 5.0, f64::INFINITY, None, 0.4),
            (1.0, 3.0, f64::INFINITY, Some(0.6), 0.0),
            (1.0, 0.5, f64::INFINITY, Some(1.5), 0.0),
            (1.0, 6.0, 2.0, Some(0.6), 0.0),
        ] {
            let law = FifoLaw { time, ttl, history };
            let (want, got) = (law.hit(rate, writes), played(law, rate, writes));
            let case = (rate, time, ttl, history, writes);
            assert!((want - got).abs() < 0.004, "{case:?}: {want} by the law, {got} played");
        }
    }

    #[test]
    fn fetches_are_told_one_by_one_as_by_their_limit() {
        let sum = |j: u32, mean: f64| -> f64 {
            let below: f64 = (0..j)
                .map(|k| (f64::from(k) * mean.ln() - mean - libm::lgamma(f64::from(k) + 1.0)).exp())
                .sum();
            1.0 - below
        };
        for (j, mean) in [(1, 0.01), (3, 2.0), (10, 9.0), (10, 30.0), (40, 20.0)] {
            assert!((at_least(j, mean) - sum(j, mean)).abs() < 1e-12, "{j} {mean}");
        }
        for rate in [0.5, 2.0, 20.0] {
            let (below, above) = (fetches(rate, 511.9, 1.0), fetches(rate, 512.1 * 1.002, 1.0));
            assert!((above / below - 1.002).abs() < 2e-3, "{rate}: {below} {above}");
        }
    }
}
