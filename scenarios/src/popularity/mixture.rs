//! Several laws over the same ranks: most listeners follow the charts, some browse.

use super::{Law, Popularity};
use crate::units::Fraction;

/// Parts with their weights. The most popular object of one part is the most popular of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture {
    pub parts: Vec<Part>,
}

/// A share of requests that follows a law of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Share of all requests; of the sum of the weights, where they are ranges.
    pub weight: Fraction,
    pub popularity: Popularity,
}

impl Mixture {
    pub(super) fn over(&self, count: u64) -> Vec<(f64, Law)> {
        let total: f64 = self.parts.iter().map(|part| part.weight.get()).sum();
        self.parts.iter().map(|part| (part.weight.get() / total, part.popularity.over(count))).collect()
    }

    pub(super) fn scaled(&self, factor: f64) -> Self {
        let part = |part: &Part| Part { popularity: part.popularity.scaled(factor), ..part.clone() };
        Self { parts: self.parts.iter().map(part).collect() }
    }
}
