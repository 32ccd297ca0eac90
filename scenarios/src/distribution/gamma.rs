//! Sums of exponential phases: from nearly constant to burstier than exponential, by one number.

use super::special::gamma_cdf;
use super::{Sampler, Shape, invert};
use crate::units::{Dimension, Number, Quantity};

/// Gamma, by mean and coefficient of variation; Erlang's law where `1 / cv^2` is whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Gamma<D> {
    pub mean: Quantity<D>,
    pub cv: Number,
}

impl<D: Dimension> Gamma<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        Self { mean: self.mean.times(factor), cv: self.cv.clone() }
    }

    /// Shape and scale.
    fn parameters(&self) -> (f64, f64) {
        let shape = (self.cv.get() * self.cv.get()).recip();
        (shape, self.mean.get() / shape)
    }
}

impl<D: Dimension> Shape for Gamma<D> {
    fn mean(&self) -> f64 {
        self.mean.get()
    }

    fn variance(&self) -> f64 {
        (self.mean.get() * self.cv.get()).powi(2)
    }

    fn cdf(&self, x: f64) -> f64 {
        let (shape, scale) = self.parameters();
        gamma_cdf(shape, x / scale)
    }

    fn quantile(&self, p: f64) -> f64 {
        let (shape, scale) = self.parameters();
        if p <= 0.0 {
            return 0.0;
        }
        if p >= 1.0 {
            return f64::INFINITY;
        }
        // The distribution function is below x^shape / gamma(shape + 1), and equals it for tiny values.
        let low = ((p.ln() + libm::lgamma(shape + 1.0)) / shape).exp();
        if low < 1e-17 {
            // A wide law has half of its values below all that a double can hold.
            return (scale * low).max(f64::MIN_POSITIVE);
        }
        let mut high = shape.max(low);
        // Twice as far each time; beyond some hundreds, nothing is left that a double could tell from 1.
        for _ in 0..64 {
            if gamma_cdf(shape, high) >= p {
                break;
            }
            high *= 2.0;
        }
        scale * invert(|x| gamma_cdf(shape, x), p, (low, high))
    }

    fn sampler(&self) -> Sampler {
        let (shape, scale) = self.parameters();
        // A valid mean and cv give positive parameters; the fallback keeps the mean all the same.
        rand_distr::Gamma::new(shape, scale).map_or(Sampler::Constant(self.mean.get()), Sampler::Gamma)
    }
}
