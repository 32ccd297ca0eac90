//! Heavy tails, as sizes of files and of responses have them.
//!
//! Why bounded: of an unbounded one with shape below 2 the variance is infinite, and no queue behind it has a
//! mean wait. Real values have a largest one.

use super::{Sampler, Shape};
use crate::units::{Dimension, Number, Quantity};

/// Pareto's law between two values: density in proportion to `x^-(shape + 1)`.
///
/// Harchol-Balter, "Performance Modeling and Design of Computer Systems", 2013, section 20.4.
#[derive(Debug, Clone, PartialEq)]
pub struct Pareto<D> {
    pub min: Quantity<D>,
    pub max: Quantity<D>,
    pub shape: Number,
}

impl<D: Dimension> Pareto<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        Self { min: self.min.times(factor), max: self.max.times(factor), shape: self.shape.clone() }
    }

    /// Logarithm of max over min.
    fn log_ratio(&self) -> f64 {
        (self.max.get() / self.min.get()).ln()
    }

    fn inverse(&self) -> ParetoInverse {
        let shape = self.shape.get();
        ParetoInverse {
            min: self.min.get(),
            max: self.max.get(),
            above: (-shape * self.log_ratio()).exp_m1(),
            power: -shape.recip(),
        }
    }

    /// Mean of the `n`-th power, over that of `min`.
    fn moment(&self, n: f64) -> f64 {
        let (shape, log) = (self.shape.get(), self.log_ratio());
        part(shape - n, log) / part(shape, log)
    }
}

/// `(1 - exp(-a log)) / a`, which tends to `log` for small `a`.
fn part(a: f64, log: f64) -> f64 {
    if (a * log).abs() < 1e-15 { log } else { -(-a * log).exp_m1() / a }
}

impl<D: Dimension> Shape for Pareto<D> {
    fn mean(&self) -> f64 {
        self.min.get() * self.moment(1.0)
    }

    fn variance(&self) -> f64 {
        let mean = self.moment(1.0);
        (self.min.get() * self.min.get() * (self.moment(2.0) - mean * mean)).max(0.0)
    }

    fn cdf(&self, x: f64) -> f64 {
        let (shape, log) = (self.shape.get(), self.log_ratio());
        let at = (x / self.min.get()).ln().clamp(0.0, log);
        (-shape * at).exp_m1() / (-shape * log).exp_m1()
    }

    fn quantile(&self, p: f64) -> f64 {
        self.inverse().at(p)
    }

    fn sampler(&self) -> Sampler {
        Sampler::Pareto(self.inverse())
    }
}

/// The inverse of the distribution function.
#[derive(Debug, Clone, Copy)]
pub struct ParetoInverse {
    min: f64,
    max: f64,
    /// `(min / max)^shape - 1`.
    above: f64,
    /// `-1 / shape`.
    power: f64,
}

impl ParetoInverse {
    #[inline]
    pub(super) fn at(&self, p: f64) -> f64 {
        (self.min * ((p * self.above).ln_1p() * self.power).exp()).clamp(self.min, self.max)
    }
}
