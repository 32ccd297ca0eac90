//! Objects that new ones take the place of.
//!
//! Why ids and not a chance of a miss: a new object is unknown to every cache on its way and known to each after
//! its first request there, and the old one stays in the caches until it is pushed out.

use std::collections::VecDeque;

use plimsoll_scenarios::DatasetId;
use plimsoll_scenarios::rng::Stream;

/// The objects of a dataset as time goes on: what stands at a rank gets another id, which no cache knows.
#[derive(Debug)]
pub(super) struct Turnover {
    /// By rank: the id that stands there now.
    alive: Vec<u32>,
    /// Ids that stand nowhere, the longest unused first.
    unused: VecDeque<u32>,
    per_s: f64,
    draws: Stream,
    due_s: f64,
}

impl Turnover {
    /// `n` objects with ids from `first` on and `spare` ids after them; each gives way `per_s` times a second.
    /// `None` where none does.
    pub fn new(
        first: u32,
        n: u32,
        spare: u32,
        per_s: f64,
        (seed, replication): (u64, u64),
        dataset: DatasetId,
    ) -> Option<Self> {
        if per_s <= 0.0 || spare == 0 || n == 0 {
            return None;
        }
        let mut draws = Stream::new(seed, &format!("dataset {dataset}"), "churn", replication);
        let per_s = per_s * f64::from(n);
        Some(Self {
            alive: (first..first + n).collect(),
            unused: (first + n..first + n + spare).collect(),
            per_s,
            due_s: draws.exponential() / per_s,
            draws,
        })
    }

    /// The id that stands at a rank, or at a block of ranks, counted from 0.
    #[inline]
    pub fn alive(&self, rank: u32) -> u32 {
        self.alive[rank as usize]
    }

    /// Time goes by.
    pub fn pass(&mut self, seconds: f64) {
        self.due_s -= seconds;
        while self.due_s < 0.0 {
            let rank = self.draws.below(self.alive.len() as u64) as usize;
            // An id comes back after all the others had their turn, when no cache remembers it.
            if let Some(fresh) = self.unused.pop_front() {
                self.unused.push_back(std::mem::replace(&mut self.alive[rank], fresh));
            }
            self.due_s += self.draws.exponential() / self.per_s;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_objects_give_way_as_said_and_ids_stay_apart() {
        let mut turnover = Turnover::new(10, 1_000, 4_000, 1e-3, (1, 0), 0).unwrap();
        for _ in 0..10 {
            turnover.pass(100.0);
        }
        // 1,000 objects at 1/1,000 s over 1,000 s: each gave way once in the mean, so e^-1 of them never.
        let same = (0..1_000).filter(|&rank| turnover.alive(rank) == rank + 10).count();
        assert!((330..410).contains(&same), "{same}");
        let mut ids = turnover.alive.clone();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| (10..5_010).contains(id)));
        assert!(Turnover::new(0, 10, 5, 0.0, (1, 0), 0).is_none());
    }
}
