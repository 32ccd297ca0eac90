//! Bytes of objects, by id.

use std::sync::Arc;

/// Bytes of every object. An object's size never changes.
#[derive(Debug, Clone)]
pub enum Sizes {
    Same(u64),
    /// By ranges of ids: first id of each range, rising from 0, and the size in it.
    Ranges(Vec<(u32, u64)>),
    /// Each by its id; shared among the caches that need it.
    Each(Arc<Vec<u64>>),
}

impl Sizes {
    #[inline]
    pub(crate) fn of(&self, id: u32) -> u64 {
        match self {
            Self::Same(size) => *size,
            Self::Ranges(ranges) => {
                ranges.iter().rev().find(|(first, _)| *first <= id).map_or(0, |(_, size)| *size)
            }
            Self::Each(sizes) => sizes[id as usize],
        }
    }

    /// The mean of all objects, in whole bytes; 0 where there are none.
    pub(crate) fn mean(&self, objects: u32) -> u64 {
        let n = u128::from(objects.max(1));
        match self {
            Self::Same(size) => *size,
            Self::Ranges(ranges) => {
                let ends = ranges.iter().skip(1).map(|(first, _)| *first).chain([objects]);
                let bytes = |((first, size), end): (&(u32, u64), u32)| {
                    u128::from(end.saturating_sub(*first)) * u128::from(*size)
                };
                (ranges.iter().zip(ends).map(bytes).sum::<u128>() / n) as u64
            }
            Self::Each(sizes) => (sizes.iter().map(|&size| u128::from(size)).sum::<u128>() / n) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_all_objects() {
        assert_eq!(Sizes::Same(7).mean(10), 7);
        assert_eq!(Sizes::Ranges(vec![(0, 10), (5, 20)]).mean(10), 15);
        assert_eq!(Sizes::Each(Arc::new(vec![1, 2, 6])).mean(3), 3);
        assert_eq!(Sizes::Ranges(Vec::new()).mean(0), 0);
    }
}
