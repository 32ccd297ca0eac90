//! Choosing one of a tier's replicas.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use plimsoll_scenarios::Balance;
use plimsoll_scenarios::rng::Stream;

/// Spreads requests over replicas as the scenario says.
#[derive(Debug)]
pub struct Balancer {
    kind: Balance,
    next: AtomicUsize,
    draws: Mutex<Stream>,
}

impl Balancer {
    pub fn new(kind: Balance, seed: u64, tier: &str) -> Self {
        Self {
            kind,
            next: AtomicUsize::new(0),
            draws: Mutex::new(Stream::new(seed, tier, "stack balance", 0)),
        }
    }

    /// Index of the replica to call, of those whose loads `load` tells (ties go to the first). 0 for none.
    pub fn pick<T>(&self, replicas: &[T], load: impl Fn(&T) -> u64) -> usize {
        let count = replicas.len();
        if count <= 1 {
            return 0;
        }
        match self.kind {
            Balance::Random => {
                self.draws.lock().unwrap_or_else(PoisonError::into_inner).below(count as u64) as usize
            }
            Balance::RoundRobin => self.next.fetch_add(1, Ordering::Relaxed) % count,
            Balance::LeastConnections => {
                replicas.iter().enumerate().min_by_key(|(_, replica)| load(replica)).map_or(0, |(i, _)| i)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_balancing_picks_what_its_name_says() {
        let loads = [3_u64, 1, 1, 2];
        let picks = |kind, n: usize| {
            let balancer = Balancer::new(kind, 1, "web");
            (0..n).map(|_| balancer.pick(&loads, |&load| load)).collect::<Vec<_>>()
        };
        assert_eq!(picks(Balance::RoundRobin, 6), [0, 1, 2, 3, 0, 1]);
        assert_eq!(picks(Balance::LeastConnections, 3), [1, 1, 1]);
        let random = picks(Balance::Random, 4000);
        for replica in 0..4 {
            let share = random.iter().filter(|&&i| i == replica).count();
            assert!((800..1200).contains(&share), "{replica}: {share}");
        }
    }
}
