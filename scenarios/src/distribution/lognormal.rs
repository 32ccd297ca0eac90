//! The usual shape of service times: a product of many small influences, with a heavy but tame tail.

use rand_distr::LogNormal;

use super::special::{normal_cdf, normal_quantile};
use super::{Sampler, Shape};
use crate::units::{Dimension, Number, Quantity};

/// Lognormal, by mean and coefficient of variation (standard deviation over mean).
#[derive(Debug, Clone, PartialEq)]
pub struct Lognormal<D> {
    pub mean: Quantity<D>,
    pub cv: Number,
}

impl<D: Dimension> Lognormal<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        Self { mean: self.mean.times(factor), cv: self.cv.clone() }
    }

    /// Mean and standard deviation of the logarithm.
    fn of_logarithm(&self) -> (f64, f64) {
        let variance = (self.cv.get() * self.cv.get()).ln_1p();
        (self.mean.get().ln() - variance / 2.0, variance.sqrt())
    }
}

impl<D: Dimension> Shape for Lognormal<D> {
    fn mean(&self) -> f64 {
        self.mean.get()
    }

    fn variance(&self) -> f64 {
        (self.mean.get() * self.cv.get()).powi(2)
    }

    fn cdf(&self, x: f64) -> f64 {
        let (mean, deviation) = self.of_logarithm();
        normal_cdf((x.ln() - mean) / deviation)
    }

    fn quantile(&self, p: f64) -> f64 {
        let (mean, deviation) = self.of_logarithm();
        (mean + deviation * normal_quantile(p)).exp()
    }

    fn sampler(&self) -> Sampler {
        let (mean, deviation) = self.of_logarithm();
        // A valid mean and cv give finite parameters; the fallback keeps the mean all the same.
        LogNormal::new(mean, deviation).map_or(Sampler::Constant(self.mean.get()), Sampler::Lognormal)
    }
}
