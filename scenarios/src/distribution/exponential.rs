//! The law without memory, which closed forms of queues are about.

use super::{Sampler, Shape};
use crate::units::{Dimension, Quantity};

/// Exponential, by its mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Exponential<D> {
    pub mean: Quantity<D>,
}

impl<D: Dimension> Exponential<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        Self { mean: self.mean.times(factor) }
    }
}

impl<D: Dimension> Shape for Exponential<D> {
    fn mean(&self) -> f64 {
        self.mean.get()
    }

    fn variance(&self) -> f64 {
        self.mean.get() * self.mean.get()
    }

    fn cdf(&self, x: f64) -> f64 {
        -(-x / self.mean.get()).exp_m1()
    }

    fn quantile(&self, p: f64) -> f64 {
        -self.mean.get() * (-p).ln_1p()
    }

    fn sampler(&self) -> Sampler {
        Sampler::Exponential(self.mean.get())
    }
}
