//! Which object is asked for.
//!
//! Why two types: a [`Popularity`] is what a file says (a shape, with its ranges and places), a [`Law`] is that
//! shape over a definite number of objects, in plain numbers, which is what everything that computes needs.
//! Ranks count from 0, the most popular first; the formulas of the literature count from 1.
//!
//! Invariant: the probability never increases with the rank. Laws that are given as groups are sorted for it,
//! and a mixture of decreasing laws decreases.

mod atoms;
mod counts;
mod gauss;
mod hot_set;
mod lru;
mod lru_law;
mod mixture;
mod sampler;
mod steps;
mod table;
#[cfg(test)]
mod tests;
mod zipf;

use std::sync::Arc;

pub use atoms::Atom;
pub use counts::Counts;
pub use hot_set::HotSet;
pub use lru::{asked_for, lru_characteristic_time, time_that_holds};
pub use lru_law::LruLaw;
pub use mixture::{Mixture, Part};
pub use sampler::{IndexSampler, RankSampler};
pub use table::{Group, Table};
pub use zipf::Zipf;

use crate::units::Number;
use steps::Steps;
use zipf::Power;

/// Shape of popularity over ranks, as a file states it.
#[derive(Debug, Clone, PartialEq)]
pub enum Popularity {
    /// Every object alike.
    Uniform,
    /// Zipf's law, also with a flattened head and a cutoff.
    Zipf(Zipf),
    /// A share of the objects gets a share of the requests; uniform in it and outside.
    HotSet(HotSet),
    /// Groups of objects with their shares of requests.
    Table(Table),
    /// Counts of requests by object, stretched over the catalogue.
    Counts(Counts),
    /// Several laws over the same ranks.
    Mixture(Mixture),
}

impl Popularity {
    /// Zipf's law with this exponent, which no file states.
    #[must_use]
    pub fn zipf(exponent: f64) -> Self {
        Self::Zipf(Zipf::new(Number::given(exponent, &exponent.to_string())))
    }

    /// The law over `count` objects (at least 1). Of ranges the medians count.
    #[must_use]
    pub fn over(&self, count: u64) -> Law {
        let count = count.max(1);
        let steps = |groups: Vec<(f64, f64)>| Shape::Steps(Arc::new(Steps::new(groups, count)));
        let shape = match self {
            Self::Uniform => steps(vec![(1.0, 1.0)]),
            Self::Zipf(zipf) => Shape::Power(zipf.over(count)),
            Self::HotSet(hot_set) => steps(hot_set.groups()),
            Self::Table(table) => steps(table.groups()),
            Self::Counts(counts) => steps(counts.groups()),
            Self::Mixture(mixture) => Shape::Mixture(mixture.over(count).into()),
        };
        Law { shape, count }
    }

    /// Visits the parameters that a file states.
    pub(crate) fn each_quantity(&mut self, visit: &mut dyn FnMut(&mut dyn crate::AnyQuantity)) {
        match self {
            Self::Uniform | Self::Counts(_) => {}
            Self::Zipf(law) => {
                visit(&mut law.exponent);
                law.head.iter_mut().for_each(|q| visit(q));
                law.cutoff.iter_mut().for_each(|q| visit(q));
                visit(&mut law.stretch);
            }
            Self::HotSet(law) => {
                visit(&mut law.objects);
                visit(&mut law.requests);
            }
            Self::Table(law) => law.groups.iter_mut().for_each(|group| {
                visit(&mut group.objects);
                visit(&mut group.requests);
            }),
            Self::Mixture(law) => law.parts.iter_mut().for_each(|part| {
                visit(&mut part.weight);
                part.popularity.each_quantity(visit);
            }),
        }
    }

    /// The same shape for a catalogue of `factor` times as many objects: what is stated in ranks follows.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        match self {
            Self::Zipf(zipf) => Self::Zipf(zipf.scaled(factor)),
            Self::Mixture(mixture) => Self::Mixture(mixture.scaled(factor)),
            Self::Uniform | Self::HotSet(_) | Self::Table(_) | Self::Counts(_) => self.clone(),
        }
    }
}

/// A popularity over a definite number of objects; probabilities add up to 1. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    shape: Shape,
    count: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Power(Power),
    Steps(Arc<Steps>),
    /// Laws over the same ranks, with weights that add up to 1.
    Mixture(Arc<[(f64, Law)]>),
}

impl Law {
    /// Number of objects.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Probability that a request is for this rank (from 0).
    #[must_use]
    #[inline]
    pub fn p(&self, rank: u64) -> f64 {
        match &self.shape {
            Shape::Power(power) => power.p((rank + 1) as f64),
            Shape::Steps(steps) => steps.p(rank),
            Shape::Mixture(parts) => parts.iter().map(|(weight, law)| weight * law.p(rank)).sum(),
        }
    }

    /// Probability that a request is for a rank in `from..to` (from 0).
    #[must_use]
    pub fn mass(&self, from: u64, to: u64) -> f64 {
        let to = to.min(self.count);
        if to <= from {
            return 0.0;
        }
        match &self.shape {
            Shape::Power(power) => power.mass(from + 1, to + 1),
            Shape::Steps(steps) => steps.mass(from as f64, to as f64),
            Shape::Mixture(parts) => parts.iter().map(|(weight, law)| weight * law.mass(from, to)).sum(),
        }
    }

    /// Something that draws ranks.
    #[must_use]
    pub fn sampler(&self) -> RankSampler {
        RankSampler::new(self)
    }

    /// The probability between ranks, as a smooth function where no cut lies.
    fn p_between(&self, rank: f64) -> f64 {
        match &self.shape {
            Shape::Power(power) => power.p(rank + 1.0),
            Shape::Steps(steps) => steps.p(rank as u64),
            Shape::Mixture(parts) => parts.iter().map(|(weight, law)| weight * law.p_between(rank)).sum(),
        }
    }

    /// Between two neighbouring cuts the probability is constant.
    fn is_flat(&self) -> bool {
        match &self.shape {
            Shape::Power(_) => false,
            Shape::Steps(_) => true,
            Shape::Mixture(parts) => parts.iter().all(|(_, law)| law.is_flat()),
        }
    }

    /// Ranks at which the probability may jump, ascending and each once; the last is the number of objects.
    fn cuts(&self) -> Vec<u64> {
        let mut cuts = match &self.shape {
            Shape::Power(_) => Vec::new(),
            Shape::Steps(steps) => steps.cuts(),
            Shape::Mixture(parts) => parts.iter().flat_map(|(_, law)| law.cuts()).collect(),
        };
        cuts.retain(|&cut| 0 < cut && cut < self.count);
        cuts.push(self.count);
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }
}
