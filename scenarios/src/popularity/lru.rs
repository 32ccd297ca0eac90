//! Che's approximation: the one number that a cache's size comes down to.

use super::Atom;

/// Longest characteristic time that is told from forever, in requests.
const TIME_MAX: f64 = 1e30;
/// A time is known when its bounds are as near to each other as this share of it.
const PRECISE: f64 = 1e-13;
/// The first step away from a time that is not far, in its logarithm.
const STEP: f64 = 0.25;
/// Most iterations; a dozen are usual.
const ITERATIONS_MAX: usize = 200;

/// Characteristic time of an LRU cache under Che's approximation: the time `t`, in requests, after which
/// `capacity` different objects have been asked for, `sum(1 - exp(-p t)) = capacity`.
/// Infinite where the cache holds everything.
///
/// Che, Tung and Wang, "Hierarchical Web caching systems", IEEE JSAC 20(7), 2002.
#[must_use]
pub fn lru_characteristic_time(atoms: &[Atom], capacity: f64) -> f64 {
    let objects = asked_for(atoms);
    let requests: f64 = atoms.iter().map(|a| a.count * a.p).sum();
    if capacity >= objects {
        return f64::INFINITY;
    }
    if capacity <= 0.0 {
        return 0.0;
    }
    // What is held is at most what was asked for, so this is a lower bound; there is no upper one yet.
    let (mut low, mut high) = (capacity / requests, f64::INFINITY);
    let mut t = low;
    for _ in 0..ITERATIONS_MAX {
        let (held, slope) = held(atoms, t);
        if held < capacity {
            low = t;
        } else {
            high = t;
        }
        if low > TIME_MAX {
            return f64::INFINITY;
        }
        // Newton's method. A cache with room for little is nearly a power of time, so logarithms of both; what
        // a nearly full one lacks is nearly an exponential, so the logarithm of that. From below neither goes
        // too far: the first curve is concave, the second convex.
        let next = if 2.0 * capacity > objects && held < objects {
            t + (objects - held) / slope * ((objects - held) / (objects - capacity)).ln()
        } else {
            t * ((capacity / held).ln() * held / (t * slope)).exp()
        };
        if low < next && next < high && next.is_finite() {
            let step = (next / t - 1.0).abs();
            t = next;
            // Steps shrink quadratically: after one this small, the next would be lost in rounding.
            if step < 1e-8 {
                break;
            }
        } else {
            t = if high == f64::INFINITY { 2.0 * low } else { (low * high).sqrt() };
            if high - low <= 1e-13 * high {
                break;
            }
        }
    }
    if t > TIME_MAX { f64::INFINITY } else { t }
}

/// Objects that are asked for at all.
#[must_use]
pub fn asked_for(atoms: &[Atom]) -> f64 {
    atoms.iter().filter(|a| a.p > 0.0).map(|a| a.count).sum()
}

/// The time with which a cache holds `capacity` of so many objects, where `held` says what it holds with a time: more, the
/// longer it is. `first` is a time that is not far, above 0. Infinite where it holds everything.
///
/// Regula falsi over logarithms, with the Illinois rule (Dowell and Jarratt, "A modified regula falsi method for computing the
/// root of an equation", BIT 11, 1971) and a step that halves the bounds now and then.
#[must_use]
pub fn time_that_holds(capacity: f64, objects: f64, first: f64, held: impl Fn(f64) -> f64) -> f64 {
    if capacity >= objects {
        return f64::INFINITY;
    }
    if capacity <= 0.0 {
        return 0.0;
    }
    // Negative where too little is held. What a nearly full one lacks tells more than what it has.
    let over = |time: f64| {
        let held = held(time);
        if 2.0 * capacity > objects {
            ((objects - capacity) / (objects - held).max(0.0)).ln()
        } else {
            (held / capacity).ln()
        }
    };
    let exact = f64::EPSILON * (objects / (objects - capacity)).max(100.0);
    let (mut low, mut below) = (first.ln(), over(first));
    if below.abs() <= exact {
        return first;
    }
    let (mut high, mut above) = (low, below);
    let mut step = STEP;
    while below > 0.0 {
        (high, above) = (low, below);
        low -= step;
        below = over(low.exp());
        step *= 2.0;
    }
    while above < 0.0 {
        (low, below) = (high, above);
        high += step;
        if high > TIME_MAX.ln() {
            return f64::INFINITY;
        }
        above = over(high.exp());
        step *= 2.0;
    }
    let mut rose = above < -below;
    for iteration in 1..ITERATIONS_MAX {
        let secant = low - below * (high - low) / (above - below);
        let inside = low < secant && secant < high && iteration % 5 != 0;
        let next = if inside { secant } else { f64::midpoint(low, high) };
        let value = over(next.exp());
        if value.abs() <= exact || high - low <= PRECISE {
            return next.exp();
        }
        // The bound that stays a second time counts half.
        let again = std::mem::replace(&mut rose, value < 0.0) == rose;
        if rose {
            (low, below) = (next, value);
            above *= if again { 0.5 } else { 1.0 };
        } else {
            (high, above) = (next, value);
            below *= if again { 0.5 } else { 1.0 };
        }
    }
    f64::midpoint(low, high).exp()
}

/// What a cache of characteristic time `t` holds, and how fast that grows.
fn held(atoms: &[Atom], t: f64) -> (f64, f64) {
    atoms.iter().fold((0.0, 0.0), |(held, slope), atom| {
        let hit = -(-atom.p * t).exp_m1();
        (held + atom.count * hit, slope + atom.count * atom.p * (1.0 - hit))
    })
}
