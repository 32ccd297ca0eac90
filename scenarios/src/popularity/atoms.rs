//! A law as a few hundred groups of equal probability, for sums over all objects.
//!
//! Why: closed forms of caches are sums of smooth functions of the probability over 10^8 objects, and they are
//! asked for thousands of times.

use super::Law;
use super::gauss::{NODES_MAX, POINTS_MIN, sum_rule};

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
/// Most by which the logarithm of the probability falls over a panel.
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
        let highest = self.p(from);
        while to - from > POINTS_MIN && highest > P_MIN && self.p(to - 1) < highest * (-FALL_MAX).exp() {
            to = from + (to - from).div_ceil(2);
        }
        to
    }

    fn panel(&self, from: u64, to: u64, atoms: &mut Vec<Atom>) {
        if to - from < POINTS_MIN {
            atoms.extend((from..to).map(|rank| Atom { count: 1.0, p: self.p(rank) }));
            return;
        }
        let ratio = to as f64 / from as f64;
        let fall = self.p(from) / self.p(to - 1);
        let nodes = match ratio.max(fall) {
            spread if spread < 1.01 => 2,
            spread if spread < 1.1 => 4,
            _ => NODES_MAX,
        };
        atoms.extend(
            sum_rule(to - from, nodes)
                .map(|(place, count)| Atom { count, p: self.p_between(from as f64 + place) }),
        );
    }
}
