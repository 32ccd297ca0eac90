//! Tables by id.
//!
//! Why not always a vector: ids of a large catalogue fall all over their table, and with pages of 4 KB the processor looks
//! up not only the entry but where its page is. A large table asks the kernel for pages of 2 MB, of which it knows a
//! hundred times as much by heart. Tables begin as zeros, which cost no memory until used.

use std::fmt;
use std::ops::{Deref, DerefMut};

use bytemuck::Pod;
use memmap2::MmapMut;

/// Bytes from which a table has pages of its own.
const LARGE: usize = 8 << 20;

/// A slice of numbers, zeros at first.
pub(super) struct Table<T> {
    place: Place<T>,
}

enum Place<T> {
    Small(Vec<T>),
    /// A mapping, and how many numbers of it are used.
    Large(MmapMut, usize),
}

impl<T: Pod> Table<T> {
    pub fn new(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let large = (bytes >= LARGE).then(|| map(bytes)).flatten();
        let place = large.map_or_else(|| Place::Small(vec![T::zeroed(); len]), |map| Place::Large(map, len));
        Self { place }
    }

    /// Makes it longer; what is new is zero.
    pub fn grow(&mut self, len: usize) {
        match &mut self.place {
            Place::Small(numbers) if len * size_of::<T>() < 2 * LARGE => {
                numbers.resize(len.max(numbers.len()), T::zeroed());
            }
            Place::Large(map, used) if len * size_of::<T>() <= map.len() => *used = len.max(*used),
            _ => {
                // Twice as long, so that one which grows step by step is not moved at each.
                let mut longer = Self::new(2 * len);
                longer[..self.len()].copy_from_slice(self);
                match &mut longer.place {
                    Place::Small(numbers) => numbers.truncate(len),
                    Place::Large(_, used) => *used = len,
                }
                *self = longer;
            }
        }
    }
}

/// Pages of zeros, large ones where the system has them; `None` where it gives none.
fn map(bytes: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(bytes).ok()?;
    // Where the kernel has no large pages small ones do, more slowly.
    #[cfg(target_os = "linux")]
    drop(map.advise(memmap2::Advice::HugePage));
    Some(map)
}

impl<T: Pod> Deref for Table<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match &self.place {
            Place::Small(numbers) => numbers,
            Place::Large(map, used) => &bytemuck::cast_slice(map)[..*used],
        }
    }
}

impl<T: Pod> DerefMut for Table<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.place {
            Place::Small(numbers) => numbers,
            Place::Large(map, used) => &mut bytemuck::cast_slice_mut(map)[..*used],
        }
    }
}

impl<T: Pod> Clone for Table<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl<T: Pod> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table of {}", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_zero_and_what_was_there_stays() {
        let some = LARGE / size_of::<u32>();
        for steps in [vec![1, 10, 100], vec![some - 1, some, 2 * some, 5 * some, 5 * some + 1], vec![some, 3]]
        {
            let mut table = Table::<u32>::new(0);
            let mut len = 0;
            for step in steps {
                table.grow(step);
                assert_eq!(table.len(), len.max(step));
                assert!(table[len..].iter().all(|&number| number == 0));
                len = table.len();
                table[len - 1] = 7;
                table[0] += 1;
                let copy = table.clone();
                assert_eq!(copy[..], table[..]);
            }
        }
    }
}
