//! Values as they were measured, with their weights.

use std::sync::Arc;

use super::{Sampler, Shape, mixed};
use crate::popularity::IndexSampler;
use crate::units::{Dimension, Number, Quantity};

/// A finite list of values, in any order; each is drawn in proportion to its weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Empirical<D> {
    /// At least one.
    pub outcomes: Vec<Outcome<D>>,
}

/// One value and how often it comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<D> {
    pub value: Quantity<D>,
    /// In proportion to those of the others.
    pub weight: Number,
}

/// Rounding of sums of weights.
const SUM_WITHIN: f64 = 1e-12;

impl<D: Dimension> Empirical<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        let outcome = |o: &Outcome<D>| Outcome { value: o.value.times(factor), weight: o.weight.clone() };
        Self { outcomes: self.outcomes.iter().map(outcome).collect() }
    }

    /// (weight, value), weights adding up to 1.
    fn parts(&self) -> impl Iterator<Item = (f64, f64)> + Clone {
        let total: f64 = self.outcomes.iter().map(|o| o.weight.get()).sum();
        self.outcomes.iter().map(move |o| (o.weight.get() / total, o.value.get()))
    }
}

impl<D: Dimension> Shape for Empirical<D> {
    fn mean(&self) -> f64 {
        mixed(self.parts().map(|(weight, value)| (weight, value, 0.0))).0
    }

    fn variance(&self) -> f64 {
        mixed(self.parts().map(|(weight, value)| (weight, value, 0.0))).1
    }

    fn cdf(&self, x: f64) -> f64 {
        self.parts().filter(|&(_, value)| value <= x).map(|(weight, _)| weight).sum::<f64>().min(1.0)
    }

    fn quantile(&self, p: f64) -> f64 {
        let mut parts: Vec<(f64, f64)> = self.parts().collect();
        parts.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut sum = 0.0;
        let reached = parts.iter().find(|(weight, _)| {
            sum += weight;
            sum >= p - SUM_WITHIN
        });
        reached.or(parts.last()).map_or(0.0, |part| part.1)
    }

    fn sampler(&self) -> Sampler {
        let (weights, values): (Vec<f64>, Vec<f64>) = self.parts().unzip();
        Sampler::Empirical(Arc::new((IndexSampler::new(&weights), values)))
    }
}
