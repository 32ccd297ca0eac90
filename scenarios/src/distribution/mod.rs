//! Distributions of service times and of sizes.
//!
//! Why generic over the dimension: the laws of a service time in seconds and of a size in bytes are the same
//! ones, and a mean keeps what a file says of it (range, text, place). All values are in base units.

mod constant;
mod empirical;
mod exponential;
mod gamma;
mod lognormal;
mod mixture;
mod pareto;
mod quantiles;
mod sampler;
mod special;
#[cfg(test)]
mod tests;

pub use constant::Constant;
pub use empirical::{Empirical, Outcome};
pub use exponential::Exponential;
pub use gamma::Gamma;
pub use lognormal::Lognormal;
pub use mixture::{Component, Mixture};
pub use pareto::Pareto;
pub use quantiles::{QuantileAt, Quantiles};
pub use sampler::Sampler;

use crate::units::{Dimension, Number, Quantity};

/// A distribution of positive values. Of parameters that are ranges the medians count.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution<D> {
    Constant(Constant<D>),
    Exponential(Exponential<D>),
    Lognormal(Lognormal<D>),
    Gamma(Gamma<D>),
    Pareto(Pareto<D>),
    Empirical(Empirical<D>),
    Quantiles(Quantiles<D>),
    Mixture(Mixture<D>),
}

/// What every law can tell of itself, in base units.
trait Shape {
    fn mean(&self) -> f64;
    fn variance(&self) -> f64;
    /// Probability of a value up to `x`, which is 0 or more.
    fn cdf(&self, x: f64) -> f64;
    /// The least value with `cdf(value) >= p`, for `p` in `[0, 1]`.
    fn quantile(&self, p: f64) -> f64;
    fn sampler(&self) -> Sampler;
}

impl<D: Dimension> Distribution<D> {
    /// Always this value, which no file states.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self::Constant(Constant { value: given(value) })
    }

    /// Exponential with this mean, which no file states.
    #[must_use]
    pub fn exponential(mean: f64) -> Self {
        Self::Exponential(Exponential { mean: given(mean) })
    }

    /// Lognormal with this mean and coefficient of variation, which no file states.
    #[must_use]
    pub fn lognormal(mean: f64, cv: f64) -> Self {
        Self::Lognormal(Lognormal { mean: given(mean), cv: Number::given(cv, &cv.to_string()) })
    }

    #[must_use]
    pub fn mean(&self) -> f64 {
        self.shape().mean()
    }

    /// The mean as the file states it, with its range; of a law without one, the computed mean.
    #[must_use]
    pub fn mean_quantity(&self) -> Quantity<D> {
        match self {
            Self::Constant(law) => law.value.clone(),
            Self::Exponential(law) => law.mean.clone(),
            Self::Lognormal(law) => law.mean.clone(),
            Self::Gamma(law) => law.mean.clone(),
            Self::Pareto(_) | Self::Empirical(_) | Self::Quantiles(_) | Self::Mixture(_) => {
                given(self.mean())
            }
        }
    }

    /// Visits the parameters that a file states.
    pub(crate) fn each_quantity(&mut self, visit: &mut dyn FnMut(&mut dyn crate::AnyQuantity)) {
        match self {
            Self::Constant(law) => visit(&mut law.value),
            Self::Exponential(law) => visit(&mut law.mean),
            Self::Lognormal(law) => {
                visit(&mut law.mean);
                visit(&mut law.cv);
            }
            Self::Gamma(law) => {
                visit(&mut law.mean);
                visit(&mut law.cv);
            }
            Self::Pareto(law) => {
                visit(&mut law.min);
                visit(&mut law.max);
                visit(&mut law.shape);
            }
            Self::Empirical(law) => law.outcomes.iter_mut().for_each(|o| visit(&mut o.value)),
            Self::Quantiles(law) => law.points.iter_mut().for_each(|p| visit(&mut p.value)),
            Self::Mixture(law) => law.components.iter_mut().for_each(|c| {
                visit(&mut c.weight);
                c.law.each_quantity(visit);
            }),
        }
    }

    /// Square of the base unit.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.shape().variance()
    }

    /// Coefficient of variation: standard deviation over mean.
    #[must_use]
    pub fn cv(&self) -> f64 {
        self.variance().sqrt() / self.mean()
    }

    /// Mean of the square, as the Pollaczek-Khinchine formula asks for it.
    #[must_use]
    pub fn second_moment(&self) -> f64 {
        let mean = self.mean();
        self.variance() + mean * mean
    }

    /// Probability of a value up to `x`.
    #[must_use]
    pub fn cdf(&self, x: f64) -> f64 {
        if x < 0.0 { 0.0 } else { self.shape().cdf(x) }
    }

    /// The least value that is not exceeded with probability `p` (brought into `[0, 1]`); infinite at 1 where
    /// the law has no greatest value.
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        self.shape().quantile(p.clamp(0.0, 1.0))
    }

    /// Something that draws from it.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        self.shape().sampler()
    }

    /// The same law of values `factor` times as large.
    #[must_use]
    pub fn scale(&self, factor: f64) -> Self {
        match self {
            Self::Constant(law) => Self::Constant(law.scale(factor)),
            Self::Exponential(law) => Self::Exponential(law.scale(factor)),
            Self::Lognormal(law) => Self::Lognormal(law.scale(factor)),
            Self::Gamma(law) => Self::Gamma(law.scale(factor)),
            Self::Pareto(law) => Self::Pareto(law.scale(factor)),
            Self::Empirical(law) => Self::Empirical(law.scale(factor)),
            Self::Quantiles(law) => Self::Quantiles(law.scale(factor)),
            Self::Mixture(law) => Self::Mixture(law.scale(factor)),
        }
    }

    fn shape(&self) -> &dyn Shape {
        match self {
            Self::Constant(law) => law,
            Self::Exponential(law) => law,
            Self::Lognormal(law) => law,
            Self::Gamma(law) => law,
            Self::Pareto(law) => law,
            Self::Empirical(law) => law,
            Self::Quantiles(law) => law,
            Self::Mixture(law) => law,
        }
    }
}

fn given<D: Dimension>(value: f64) -> Quantity<D> {
    Quantity::given(value, &value.to_string())
}

/// Mean and variance of a mixture of parts with (weight, mean, variance), weights adding up to 1. Centred, so
/// that little spread around a large mean keeps its digits.
fn mixed(parts: impl Iterator<Item = (f64, f64, f64)> + Clone) -> (f64, f64) {
    let mean: f64 = parts.clone().map(|(weight, mean, _)| weight * mean).sum();
    let variance =
        parts.map(|(weight, its, variance)| weight * (variance + (its - mean) * (its - mean))).sum();
    (mean, variance)
}

/// The least `x` between two values with `cdf(x) >= p`, by bisection; `cdf(high) >= p`.
fn invert(cdf: impl Fn(f64) -> f64, p: f64, (mut low, mut high): (f64, f64)) -> f64 {
    // Halving the ratio of two doubles, 64 steps end at neighbours; from 0 on there is no ratio.
    for _ in 0..200 {
        let middle = if low > 0.0 { low.sqrt() * high.sqrt() } else { 0.5 * high };
        if middle <= low || middle >= high {
            break;
        }
        if cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}
