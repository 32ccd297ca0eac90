//! One round of a gate run, as plain counts.
//!
//! Why sparse buckets and not the histograms themselves: a verdict merges the same few rounds some thousand
//! times, and of a histogram's 18,000 buckets a few hundred are in use.

use std::collections::BTreeMap;

use super::series::{Kind, Series};

/// What one round measured, by the names that [`Series`] uses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Round {
    /// Of the round's schedule: rounds of the same seed had the same requests.
    pub seed: u64,
    /// Distributions of times: `play.first_byte`, `lag`.
    pub times: BTreeMap<String, Times>,
    /// Counts out of counts: `errors`, `edge.hit_ratio`.
    pub shares: BTreeMap<String, Share>,
    /// Plain values: `web.utilisation`, `play.rate`.
    pub values: BTreeMap<String, f64>,
}

/// A distribution of times: buckets of `(seconds, observations)`, rising.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Times(Vec<(f64, u64)>);

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Share {
    pub hits: f64,
    pub total: f64,
}

impl Share {
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.total > 0.0).then(|| self.hits / self.total)
    }
}

impl Times {
    /// From buckets in any order; those without observations, or at no finite time, are left out.
    #[must_use]
    pub fn from_buckets(buckets: impl IntoIterator<Item = (f64, u64)>) -> Self {
        let mut buckets: Vec<(f64, u64)> =
            buckets.into_iter().filter(|(s, n)| s.is_finite() && *n > 0).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self(buckets)
    }

    #[must_use]
    pub fn buckets(&self) -> &[(f64, u64)] {
        &self.0
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, n)| n).sum()
    }

    /// The smallest time that a share `p` of the observations does not exceed.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<f64> {
        quantile(self.0.iter().copied(), self.count(), p)
    }
}

/// The quantile of rising buckets that hold `count` observations (nearest rank).
pub(super) fn quantile(buckets: impl Iterator<Item = (f64, u64)>, count: u64, p: f64) -> Option<f64> {
    if count == 0 {
        return None;
    }
    // The slack keeps 0.9 x 10 from being 9.000...02, and so rank 10.
    let rank = ((p.clamp(0.0, 1.0) * count as f64 - 1e-9).ceil() as u64).clamp(1, count);
    let mut seen = 0;
    let mut last = None;
    for (value, n) in buckets {
        seen += n;
        last = Some(value);
        if seen >= rank {
            break;
        }
    }
    last
}

impl Round {
    /// The round's value of a series; `None` where it has no such series or nothing was observed.
    #[must_use]
    pub fn value(&self, series: &Series) -> Option<f64> {
        let key = series.key();
        match series.kind {
            Kind::Time { p } => self.times.get(&key)?.quantile(p),
            Kind::Share => self.shares.get(&key)?.value(),
            Kind::Value => self.values.get(&key).copied(),
        }
        .filter(|value| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let times = Times::from_buckets((1..=10).rev().map(|i| (f64::from(i), 1)));
        for (p, expected) in
            [(0.0, 1.0), (0.1, 1.0), (0.11, 2.0), (0.5, 5.0), (0.9, 9.0), (0.99, 10.0), (1.0, 10.0)]
        {
            assert_eq!(times.quantile(p), Some(expected), "{p}");
        }
        assert_eq!(Times::default().quantile(0.5), None);
        assert_eq!(Times::from_buckets([(1.0, 0), (f64::NAN, 3)]).count(), 0);
    }
}
