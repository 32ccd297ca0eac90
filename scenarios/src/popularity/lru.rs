//! Che's approximation: the one number that a cache's size comes down to.

use super::Atom;

/// Longest characteristic time that is told from forever, in requests.
const TIME_MAX: f64 = 1e30;
/// Most iterations; a dozen are usual.
const ITERATIONS_MAX: usize = 200;

/// Characteristic time of an LRU cache under Che's approximation: the time `t`, in requests, after which
/// `capacity` different objects have been asked for, `sum(1 - exp(-p t)) = capacity`.
/// Infinite where the cache holds everything.
///
/// Che, Tung and Wang, "Hierarchical Web caching systems", IEEE JSAC 20(7), 2002.
#[must_use]
pub fn lru_characteristic_time(atoms: &[Atom], capacity: f64) -> f64 {
    let (mut objects, mut requests) = (0.0, 0.0);
    for atom in atoms.iter().filter(|a| a.p > 0.0) {
        objects += atom.count;
        requests += atom.count * atom.p;
    }
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

/// What a cache of characteristic time `t` holds, and how fast that grows.
fn held(atoms: &[Atom], t: f64) -> (f64, f64) {
    atoms.iter().fold((0.0, 0.0), |(held, slope), atom| {
        let hit = -(-atom.p * t).exp_m1();
        (held + atom.count * hit, slope + atom.count * atom.p * (1.0 - hit))
    })
}
