//! Several laws behind one name: nine requests of ten are found in memory, one goes to the disk.

use std::sync::Arc;

use super::{Distribution, Sampler, Shape, invert, mixed};
use crate::popularity::IndexSampler;
use crate::units::{Dimension, Fraction};

/// Each value comes from one of the components, chosen by weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Mixture<D> {
    /// At least one.
    pub components: Vec<Component<D>>,
}

/// A share of the values that follows a law of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Component<D> {
    /// Share of all values; of the sum of the weights, where they are ranges.
    pub weight: Fraction,
    pub law: Distribution<D>,
}

impl<D: Dimension> Mixture<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        let component = |c: &Component<D>| Component { weight: c.weight.clone(), law: c.law.scale(factor) };
        Self { components: self.components.iter().map(component).collect() }
    }

    /// (weight, law), weights adding up to 1.
    fn parts(&self) -> impl Iterator<Item = (f64, &Distribution<D>)> + Clone {
        let total: f64 = self.components.iter().map(|c| c.weight.get()).sum();
        self.components.iter().map(move |c| (c.weight.get() / total, &c.law))
    }

    fn moments(&self) -> (f64, f64) {
        mixed(self.parts().map(|(weight, law)| (weight, law.mean(), law.variance())))
    }
}

impl<D: Dimension> Shape for Mixture<D> {
    fn mean(&self) -> f64 {
        self.moments().0
    }

    fn variance(&self) -> f64 {
        self.moments().1
    }

    fn cdf(&self, x: f64) -> f64 {
        self.parts().map(|(weight, law)| weight * law.cdf(x)).sum::<f64>().min(1.0)
    }

    /// By bisection: it lies between the least and the greatest of the components' quantiles.
    fn quantile(&self, p: f64) -> f64 {
        let of_parts = self.components.iter().map(|c| c.law.quantile(p));
        let (low, high) = of_parts.fold((f64::INFINITY, 0.0_f64), |(low, high), q| (low.min(q), high.max(q)));
        if p >= 1.0 || self.cdf(low) >= p {
            return if p >= 1.0 { high } else { low };
        }
        invert(|x| self.cdf(x), p, (low, high))
    }

    fn sampler(&self) -> Sampler {
        let (weights, samplers): (Vec<f64>, Vec<Sampler>) =
            self.parts().map(|(weight, law)| (weight, law.sampler())).unzip();
        Sampler::Mixture(Arc::new((IndexSampler::new(&weights), samplers)))
    }
}
