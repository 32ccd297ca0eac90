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
}
