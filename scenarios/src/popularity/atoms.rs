//! A law as a few hundred groups of equal probability, for sums over all objects.
//!
//! Why: closed forms of caches are sums of smooth functions of the probability over 10^8 objects, and they are
//! asked for thousands of times.

use super::gauss::{NODES_MAX, POINTS_MIN, sum_rule};
use super::{Law, Shape};

/// A group of objects that are asked for alike: `count` objects, each with probability `p`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atom {
    pub count: f64,
    pub p: f64,
}

/// Ranks that are atoms of their own where the law is not constant.
const HEAD: u64 = 64;
/// Widest panel, as the ratio of its end to its start.
const RATIO_MAX: f64 = 1.5;
/// Most by which the logarithm of the probability falls over a panel that is not taken rank by rank.
const FALL_MAX: f64 = 0.7;
/// Below this probability only objects are counted: no cache that forgets will ever see them.
const P_MIN: f64 = 1e-40;

impl Law {
    /// The law as groups of equal probability: every sum over the objects of a smooth function of their
    /// probability is `sum(count * f(p))`, to about 1e-9 relative where `f` is what caches make of it.
    ///
    /// The head and whatever is constant are exact. Beyond, Gauss rules for the sums over panels of ranks.
    #[must_use]
    pub fn atoms(&self) -> Vec<Atom> {
        let flat = self.is_flat();
        let mut atoms = Vec::new();
        let mut from = 0;
        for cut in self.cuts() {
            while from < cut {
                let to = if flat { cut } else { self.panel_end(from, cut) };
                if flat || to - from == 1 {
                    atoms.push(Atom { count: (to - from) as f64, p: self.p(from) });
                } else {
                    self.panel(from, to, &mut atoms);
                }
                from = to;
            }
        }
        atoms
    }

    fn panel_end(&self, from: u64, cut: u64) -> u64 {
        if from < HEAD {
            return from + 1;
        }
        let widest = (from as f64 * RATIO_MAX).ceil() as u64;
        let mut to = widest.min(cut);
        while to - from >= POINTS_MIN && self.fall(from, to - 1) > FALL_MAX {
            to = from + (to - from).div_ceil(2);
        }
        to
    }

    /// By how much the logarithm of the probability falls between two ranks, at most in any part of a mixture:
    /// where a part is cut off, the whole may hardly show it.
    fn fall(&self, first: u64, last: u64) -> f64 {
        match &self.shape {
            Shape::Power(_) => {
                let highest = self.p(first);
                if highest > P_MIN { (highest / self.p(last)).ln() } else { 0.0 }
            }
            Shape::Steps(_) => 0.0,
            Shape::Mixture(parts) => parts.iter().map(|(_, law)| law.fall(first, last)).fold(0.0, f64::max),
        }
    }

    fn panel(&self, from: u64, to: u64, atoms: &mut Vec<Atom>) {
        if to - from < POINTS_MIN {
            atoms.extend((from..to).map(|rank| Atom { count: 1.0, p: self.p(rank) }));
            return;
        }
        let nodes = match (to as f64 / from as f64).ln().max(self.fall(from, to - 1)) {
            spread if spread < 0.01 => 2,
            spread if spread < 0.1 => 4,
            _ => NODES_MAX,
        };
        atoms.extend(
            sum_rule(to - from, nodes)
                .map(|(place, count)| Atom { count, p: self.p_between(from as f64 + place) }),
        );
    }
}
