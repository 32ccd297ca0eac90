//! Draws values of a distribution.
//!
//! Why apart from the distribution: a draw is made millions of times and wants its parameters worked out.

use std::sync::Arc;

use rand_distr::{Distribution as _, LogNormal};

use super::pareto::ParetoInverse;
use super::quantiles::Segment;
use crate::popularity::IndexSampler;
use crate::rng::Stream;

/// Draws values of a [`Distribution`](super::Distribution), in its base unit. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Sampler {
    Constant(f64),
    /// By its mean.
    Exponential(f64),
    Lognormal(LogNormal<f64>),
    Gamma(rand_distr::Gamma<f64>),
    Pareto(ParetoInverse),
    /// Which one, and their values.
    Empirical(Arc<(IndexSampler, Vec<f64>)>),
    /// Between which quantiles, and these.
    Quantiles(Arc<(IndexSampler, Vec<Segment>)>),
    /// Which component, and their samplers.
    Mixture(Arc<(IndexSampler, Vec<Sampler>)>),
}

impl Sampler {
    #[inline]
    pub fn draw(&self, stream: &mut Stream) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential(mean) => mean * stream.exponential(),
            Self::Lognormal(law) => law.sample(stream),
            Self::Gamma(law) => law.sample(stream),
            Self::Pareto(inverse) => inverse.at(stream.uniform()),
            Self::Empirical(of) => of.1[of.0.draw(stream)],
            Self::Quantiles(of) => of.1[of.0.draw(stream)].at(stream.uniform()),
            Self::Mixture(of) => of.1[of.0.draw(stream)].draw(stream),
        }
    }

    /// What as many calls of [`Self::draw`] would give: the law is looked at once for all of them.
    pub fn fill(&self, stream: &mut Stream, into: &mut [f64]) {
        match self {
            Self::Constant(value) => into.fill(*value),
            Self::Exponential(mean) => {
                stream.exponentials(into);
                into.iter_mut().for_each(|value| *value *= mean);
            }
            law => into.iter_mut().for_each(|value| *value = law.draw(stream)),
        }
    }
}
