//! Requests by object, counted in a log: the law as it was, without a formula.

/// Counts of requests, one for each object seen, in any order. A catalogue of another size is the same curve
/// stretched: the most popular hundredth of it gets what the most popular hundredth of these got.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts(Vec<f64>);

impl Counts {
    /// Of these counts, 0 or more; `None` if all are 0.
    #[must_use]
    pub fn new(mut counts: Vec<f64>) -> Option<Self> {
        counts.sort_by(|a, b| b.total_cmp(a));
        counts.first().is_some_and(|&most| most > 0.0).then_some(Self(counts))
    }

    /// (objects, requests), with objects of the same count put together.
    pub(super) fn groups(&self) -> Vec<(f64, f64)> {
        self.0.chunk_by(|a, b| a == b).map(|same| (same.len() as f64, same.iter().sum())).collect()
    }
}
