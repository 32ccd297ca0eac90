//! Hit ratios of small caches exactly, under independent references.
//!
//! Why beside the approximations: Che's time is off by half a point for a cache of three objects and by
//! nothing for one of a million; these say by how much. Objects have the same size; `popularity` need not be
//! normalised; `capacity` counts objects. Cost: objects times capacity, for LRU some 100 to 1,000 times that.

use super::numeric::{boundary, integrate_panels};

/// Exact hit ratio of LRU: a request hits if fewer than `capacity` others were asked for since the last one
/// (Flajolet, Gardy and Thimonier, "Birthday paradox, coupon collectors, caching algorithms and
/// self-organizing search", Discrete Applied Mathematics 39, 1992, section 6), as an integral over the
/// exponential time since then.
#[must_use]
pub fn lru_hit_ratio(popularity: &[f64], capacity: usize) -> f64 {
    let p = normalised(popularity);
    if capacity == 0 || p.is_empty() {
        return 0.0;
    }
    if capacity >= p.len() {
        return 1.0;
    }
    let least = p.iter().copied().fold(f64::INFINITY, f64::min);
    // Over the logarithm of time, from far below one request to far above the rarest object's time.
    let (low, high) = (1e-18_f64.ln(), (50.0 / least).ln());
    let hit = |u: f64| {
        let t = u.exp();
        t * others_below(&p, capacity, t)
    };
    integrate_panels(&hit, low, high, ((high - low) / 0.7).ceil() as usize).clamp(0.0, 1.0)
}

/// Density of "object i is asked for, its last request was t ago, and fewer than `capacity` others came since",
/// summed over i.
fn others_below(p: &[f64], capacity: usize, t: f64) -> f64 {
    // Ways to have seen k others: without and with the object in question chosen already.
    let (mut none, mut chosen) = (vec![0.0; capacity], vec![0.0; capacity]);
    none[0] = 1.0;
    for &p in p {
        let unseen = (-p * t).exp();
        let seen = -(-p * t).exp_m1();
        for k in (0..capacity).rev() {
            let before = |ways: &[f64]| if k == 0 { 0.0 } else { ways[k - 1] };
            chosen[k] = chosen[k] * unseen + before(&chosen) * seen + none[k] * p * p * unseen;
            none[k] = none[k] * unseen + before(&none) * seen;
        }
    }
    chosen.iter().sum()
}

/// Exact hit ratio of FIFO, which is that of RANDOM: the content is any set of `capacity` objects, with a
/// probability in proportion to the product of their popularities (Gelenbe, "A unified approach to the
/// evaluation of a class of replacement algorithms", IEEE Transactions on Computers 22, 1973).
#[must_use]
pub fn fifo_hit_ratio(popularity: &[f64], capacity: usize) -> f64 {
    let p = normalised(popularity);
    if capacity == 0 || p.is_empty() {
        return 0.0;
    }
    if capacity >= p.len() {
        return 1.0;
    }
    // Each object in with odds p * time, all independent, given that `capacity` are in: the same law, and
    // with the time at which that many are in on average nothing underflows.
    let held = |time: f64| p.iter().map(|p| p * time / (1.0 + p * time)).sum::<f64>();
    let time = boundary(-700.0, 700.0, |u| held(u.exp()) < capacity as f64).exp();
    // Probability of k in, and its share of the popularity inside.
    let (mut sets, mut inside) = (vec![0.0; capacity + 1], vec![0.0; capacity + 1]);
    sets[0] = 1.0;
    for p in &p {
        let (held, not) = (p * time / (1.0 + p * time), 1.0 / (1.0 + p * time));
        for k in (0..=capacity).rev() {
            let (set, within) = if k == 0 { (0.0, 0.0) } else { (sets[k - 1], inside[k - 1]) };
            inside[k] = inside[k] * not + (within + p * set) * held;
            sets[k] = sets[k] * not + set * held;
        }
    }
    (inside[capacity] / sets[capacity]).clamp(0.0, 1.0)
}

/// Best hit ratio of a cache whose content never changes: the most popular objects.
#[must_use]
pub fn static_hit_ratio(popularity: &[f64], capacity: usize) -> f64 {
    let mut p = normalised(popularity);
    p.sort_by(|a, b| b.total_cmp(a));
    p.iter().take(capacity).sum::<f64>().min(1.0)
}

fn normalised(popularity: &[f64]) -> Vec<f64> {
    let positive = |p: &f64| *p > 0.0 && p.is_finite();
    let top = popularity.iter().copied().filter(positive).fold(0.0, f64::max);
    let total: f64 = popularity.iter().copied().filter(positive).map(|p| p / top).sum();
    popularity.iter().copied().filter(positive).map(|p| p / top / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipf(exponent: f64, count: usize) -> Vec<f64> {
        (1..=count).map(|k| (k as f64).powf(-exponent)).collect()
    }

    /// Every order in which three objects can have been asked for last, for a cache of two.
    #[test]
    fn three_objects_by_hand() {
        let p = [0.5, 0.3, 0.2];
        let (mut lru, mut fifo, mut sets) = (0.0, 0.0, 0.0);
        for (i, &a) in p.iter().enumerate() {
            for (j, &b) in p.iter().enumerate().filter(|(j, _)| *j != i) {
                lru += a * b / (1.0 - a) * (a + b);
                if i < j {
                    fifo += a * b * (a + b);
                    sets += a * b;
                }
            }
        }
        assert!((lru_hit_ratio(&p, 2) - lru).abs() < 1e-12, "{lru}");
        assert!((fifo_hit_ratio(&p, 2) - fifo / sets).abs() < 1e-12);
        assert!((lru - 0.719_286).abs() < 1e-6);
    }

    #[test]
    fn static_beats_lru_beats_fifo() {
        for exponent in [0.5, 1.0, 1.5] {
            let p = zipf(exponent, 200);
            for capacity in [1, 10, 150] {
                let (best, lru, fifo) = (
                    static_hit_ratio(&p, capacity),
                    lru_hit_ratio(&p, capacity),
                    fifo_hit_ratio(&p, capacity),
                );
                // With one place, both hold what was asked for last.
                assert!(best > lru && lru >= fifo - 1e-12, "{exponent} {capacity}: {best} {lru} {fifo}");
            }
        }
    }

    #[test]
    fn equal_objects_hit_by_their_share() {
        for ratio in [lru_hit_ratio, fifo_hit_ratio, static_hit_ratio] {
            assert!((ratio(&[3.0; 1_000], 100) - 0.1).abs() < 1e-10);
            assert_eq!(ratio(&[], 3), 0.0);
            assert_eq!(ratio(&[1.0, 0.0, f64::NAN, -2.0], 0), 0.0);
            assert_eq!(ratio(&[1.0, 0.0, f64::NAN, -2.0], 1), 1.0);
        }
        // Popularities 10^300 apart.
        assert!((lru_hit_ratio(&[1.0, 1e-300, 1e-300], 1) - 1.0).abs() < 1e-9);
        assert!((fifo_hit_ratio(&[1.0, 1e-300, 1e-300], 1) - 1.0).abs() < 1e-9);
    }
}
