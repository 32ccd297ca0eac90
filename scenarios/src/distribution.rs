//! Distributions of service times, in seconds.

use rand_distr::{Distribution as _, LogNormal};

use crate::rng::Stream;

/// A distribution of positive values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    Constant {
        mean: f64,
    },
    Exponential {
        mean: f64,
    },
    /// By mean and coefficient of variation (standard deviation over mean).
    Lognormal {
        mean: f64,
        cv: f64,
    },
}

impl Distribution {
    #[must_use]
    pub const fn mean(&self) -> f64 {
        match *self {
            Self::Constant { mean } | Self::Exponential { mean } | Self::Lognormal { mean, .. } => mean,
        }
    }

    /// Coefficient of variation.
    #[must_use]
    pub const fn cv(&self) -> f64 {
        match *self {
            Self::Constant { .. } => 0.0,
            Self::Exponential { .. } => 1.0,
            Self::Lognormal { cv, .. } => cv,
        }
    }

    /// The same law of values `factor` times as large.
    #[must_use]
    pub fn scale(&self, factor: f64) -> Self {
        let mut scaled = *self;
        match &mut scaled {
            Self::Constant { mean } | Self::Exponential { mean } | Self::Lognormal { mean, .. } => {
                *mean *= factor
            }
        }
        scaled
    }

    /// Visits the parameters that a file states.
    pub(crate) fn each_quantity(&mut self, _visit: &mut dyn FnMut(&mut dyn crate::AnyQuantity)) {}

    /// Something that draws from it.
    #[must_use]
    pub fn sampler(&self) -> Sampler {
        match *self {
            Self::Constant { mean } => Sampler::Constant(mean),
            Self::Exponential { mean } => Sampler::Exponential(mean),
            Self::Lognormal { mean, cv } => {
                let variance = (1.0 + cv * cv).ln();
                // A valid mean and cv give finite parameters; the fallback keeps the mean all the same.
                LogNormal::new(mean.ln() - variance / 2.0, variance.sqrt())
                    .map_or(Sampler::Constant(mean), Sampler::Lognormal)
            }
        }
    }
}

/// Draws values of a [`Distribution`].
#[derive(Debug, Clone, Copy)]
pub enum Sampler {
    Constant(f64),
    Exponential(f64),
    Lognormal(LogNormal<f64>),
}

impl Sampler {
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential(mean) => mean * stream.exponential(),
            Self::Lognormal(law) => law.sample(stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_stated_mean_and_cv() {
        for law in [
            Distribution::Constant { mean: 3.0 },
            Distribution::Exponential { mean: 0.004 },
            Distribution::Lognormal { mean: 0.012, cv: 1.5 },
        ] {
            let (sampler, mut stream) = (law.sampler(), Stream::new(3, "law", "test", 0));
            let n = 2_000_000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..n {
                let x = sampler.draw(&mut stream);
                sum += x;
                squares += x * x;
            }
            let mean = sum / f64::from(n);
            let cv = (squares / f64::from(n) - mean * mean).max(0.0).sqrt() / mean;
            assert!((mean / law.mean() - 1.0).abs() < 0.01, "{law:?}: {mean}");
            assert!((cv - law.cv()).abs() < 0.05, "{law:?}: {cv}");
        }
    }
}
