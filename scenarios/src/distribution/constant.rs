//! One value, as of a fixed amount of work.

use super::{Sampler, Shape};
use crate::units::{Dimension, Quantity};

/// Always the same value. A range says that it is not known well, not that it varies.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant<D> {
    pub value: Quantity<D>,
}

impl<D: Dimension> Constant<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        Self { value: self.value.times(factor) }
    }
}

impl<D: Dimension> Shape for Constant<D> {
    fn mean(&self) -> f64 {
        self.value.get()
    }

    fn variance(&self) -> f64 {
        0.0
    }

    fn cdf(&self, x: f64) -> f64 {
        if x >= self.value.get() { 1.0 } else { 0.0 }
    }

    fn quantile(&self, _: f64) -> f64 {
        self.value.get()
    }

    fn sampler(&self) -> Sampler {
        Sampler::Constant(self.value.get())
    }
}
