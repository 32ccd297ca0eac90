//! A law by its quantiles, as dashboards show it: p50, p90, p99 and the largest.
//!
//! Why geometric between them: latencies spread over decades, and most of what lies between p90 and p99 lies
//! near p90. A straight line would put too much near p99, and so too much into the mean.

use std::sync::Arc;

use super::{Sampler, Shape, mixed};
use crate::popularity::IndexSampler;
use crate::units::{Dimension, Quantity};

/// Quantiles, ascending; the last is that of 1. Between two of them the logarithm of the value is uniform.
/// Where the first is not that of 0, values below it are uniform from 0 on.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantiles<D> {
    /// At least one.
    pub points: Vec<QuantileAt<D>>,
}

/// The value that is not exceeded with probability `p`.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantileAt<D> {
    /// 0 to 1.
    pub p: f64,
    pub value: Quantity<D>,
}

/// From one quantile to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Probabilities at its ends.
    p: (f64, f64),
    /// Values at its ends; the first may be 0.
    value: (f64, f64),
}

impl<D: Dimension> Quantiles<D> {
    pub(super) fn scale(&self, factor: f64) -> Self {
        let point = |q: &QuantileAt<D>| QuantileAt { p: q.p, value: q.value.times(factor) };
        Self { points: self.points.iter().map(point).collect() }
    }

    fn segments(&self) -> impl Iterator<Item = Segment> + Clone {
        let points = self.points.iter().map(|point| (point.p, point.value.get()));
        let starts = std::iter::once((0.0, 0.0)).chain(points.clone());
        let all = starts.zip(points).map(|(a, b)| Segment { p: (a.0, b.0), value: (a.1, b.1) });
        all.filter(|segment| segment.p.0 < segment.p.1)
    }

    fn moments(&self) -> (f64, f64) {
        mixed(self.segments().map(|s| (s.p.1 - s.p.0, s.mean(), s.variance())))
    }
}

impl<D: Dimension> Shape for Quantiles<D> {
    fn mean(&self) -> f64 {
        self.moments().0
    }

    fn variance(&self) -> f64 {
        self.moments().1
    }

    fn cdf(&self, x: f64) -> f64 {
        // The last segment that begins at `x` or below; two quantiles may have the same value.
        self.segments().take_while(|s| s.value.0 <= x).last().map_or(0.0, |s| s.cdf(x))
    }

    fn quantile(&self, p: f64) -> f64 {
        let segment = self.segments().find(|s| p <= s.p.1);
        segment.or(self.segments().last()).map_or(0.0, |s| s.at((p - s.p.0) / (s.p.1 - s.p.0)))
    }

    fn sampler(&self) -> Sampler {
        let (weights, segments): (Vec<f64>, Vec<Segment>) =
            self.segments().map(|s| (s.p.1 - s.p.0, s)).unzip();
        Sampler::Quantiles(Arc::new((IndexSampler::new(&weights), segments)))
    }
}

impl Segment {
    /// Logarithm of the last value over the first; infinite from 0 on.
    fn log(&self) -> f64 {
        (self.value.1 / self.value.0).ln()
    }

    fn mean(&self) -> f64 {
        let (low, high) = self.value;
        if low <= 0.0 {
            return high / 2.0;
        }
        let log = self.log();
        if log <= 0.0 { low } else { low * log.exp_m1() / log }
    }

    fn variance(&self) -> f64 {
        let (low, high) = self.value;
        if low <= 0.0 {
            return high * high / 12.0;
        }
        let log = self.log();
        if log <= 0.0 {
            return 0.0;
        }
        let mean = log.exp_m1() / log;
        low * low * ((2.0 * log).exp_m1() / (2.0 * log) - mean * mean).max(0.0)
    }

    fn cdf(&self, x: f64) -> f64 {
        let (low, high) = self.value;
        let share = if x >= high {
            1.0
        } else if low <= 0.0 {
            x / high
        } else {
            (x / low).ln() / self.log()
        };
        self.p.0 + share * (self.p.1 - self.p.0)
    }

    /// The value at a share of the way, 0 to 1.
    #[inline]
    pub(super) fn at(&self, share: f64) -> f64 {
        let (low, high) = self.value;
        if low <= 0.0 { high * share } else { low * (high / low).powf(share) }
    }
}
