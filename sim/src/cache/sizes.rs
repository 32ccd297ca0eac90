//! Bytes of objects, by id.

use std::sync::Arc;

use plimsoll_scenarios::{Dataset, SizeClasses};

/// Bytes of every object. An object's size never changes.
#[derive(Debug, Clone)]
pub enum Sizes {
    Same(u64),
    /// By ranges of ids: first id of each range, rising from 0, and the size in it.
    Ranges(Vec<(u32, u64)>),
    /// The same where the sizes of some range follow a law.
    Drawn(Arc<Vec<Range>>),
    /// Each by its id; shared among the caches that need it.
    Each(Arc<Vec<u64>>),
}

/// Ids of one dataset.
#[derive(Debug, Clone)]
pub struct Range {
    first: u32,
    /// Bytes by class, all of which are equally likely.
    classes: Vec<u64>,
}

impl Sizes {
    /// Sizes of datasets whose ids begin at these, rising from 0; `scale` objects of a dataset go as one.
    #[must_use]
    pub fn of_datasets<'d>(datasets: impl Iterator<Item = (u32, &'d Dataset, f64)>) -> Self {
        let mut ranges = Vec::new();
        let mut drawn = false;
        for (first, dataset, scale) in datasets {
            let classes = SizeClasses::of(&dataset.sizes);
            let classes = match classes.bytes() {
                // The mean as it is stated, unrounded.
                [_] => vec![(dataset.size.get() * scale) as u64],
                several => {
                    drawn = true;
                    several.iter().map(|&bytes| (bytes as f64 * scale) as u64).collect()
                }
            };
            ranges.push(Range { first, classes });
        }
        if drawn {
            return Self::Drawn(Arc::new(ranges));
        }
        let same: Vec<(u32, u64)> = ranges.iter().map(|range| (range.first, range.classes[0])).collect();
        if let [(_, size)] = same[..] { Self::Same(size) } else { Self::Ranges(same) }
    }

    #[inline]
    pub(crate) fn of(&self, id: u32) -> u64 {
        match self {
            Self::Same(size) => *size,
            Self::Ranges(ranges) => {
                ranges.iter().rev().find(|(first, _)| *first <= id).map_or(0, |(_, size)| *size)
            }
            Self::Drawn(ranges) => {
                ranges.iter().rev().find(|range| range.first <= id).map_or(0, |range| range.of(id))
            }
            Self::Each(sizes) => sizes[id as usize],
        }
    }
}

impl Range {
    /// The class of an object by its number in the dataset: the same in every cache, place and replication.
    ///
    /// Multiples of the golden ratio fall into the classes evenly, whatever run of numbers is looked at (Weyl's sequence;
    /// Kuipers and Niederreiter, "Uniform distribution of sequences", 1974, section 2.3). So the few objects that most
    /// requests ask for are not all large by chance, and sizes say nothing of popularity.
    #[inline]
    fn of(&self, id: u32) -> u64 {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        let part = u64::from(id - self.first).wrapping_mul(GOLDEN).wrapping_add(1 << 63);
        self.classes[(((part >> 32) * self.classes.len() as u64) >> 32) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::{Scenario, SourceFile};

    fn scenario(size: &str) -> Scenario {
        let text = format!(
            "name: sizes\npopulation: {{users: 1 M}}\n\
             datasets: {{page: {{count: 1 K, size: 3 KB}}, film: {{count: 100 K, size: {size}}}}}\n\
             actions: {{see: {{per_user: 1/day, of: film, path: [cache]}}, read: {{per_user: 1/day, of: page, path: [cache]}}}}\n\
             tiers: {{cache: {{cache: {{capacity: 1 GB}}, servers: 1, service_time: 1 ms}}}}\n"
        );
        Scenario::from_yaml(&SourceFile::new("sizes.yaml", &text)).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn objects_have_sizes_of_their_own_with_the_mean_and_spread_of_the_law() {
        let scenario = scenario("{lognormal: {mean: 2 MB, cv: 1}}");
        let datasets = || scenario.datasets.values();
        let sizes =
            Sizes::of_datasets(datasets().zip([0, 1_001]).map(|(dataset, first)| (first, dataset, 1.0)));
        assert!(matches!(sizes, Sizes::Drawn(_)));
        assert_eq!(sizes.of(1_000), 3_000);
        let n = 100_000;
        let all: Vec<f64> = (0..n).map(|id| sizes.of(1_001 + id) as f64).collect();
        let mean = all.iter().sum::<f64>() / f64::from(n);
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(n);
        // Classes have the mean of their objects, so that a hundredth of the spread is inside of the last.
        assert!((mean / 2e6 - 1.0).abs() < 0.01, "{mean}");
        assert!((0.9..1.02).contains(&(variance.sqrt() / mean)), "{}", variance.sqrt() / mean);
    }

    #[test]
    fn constant_sizes_stay_a_number() {
        let scenario = scenario("2.5 MB");
        let film = &scenario.datasets["film"];
        let sizes = Sizes::of_datasets([(0, film, 4.0)].into_iter());
        assert!(matches!(sizes, Sizes::Same(10_000_000)), "{sizes:?}");
    }
}
