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

    /// Index of the replica to call, of those that can be used and whose loads `load` tells (ties go to the
    /// first); `None` where none can be used.
    pub fn pick<T>(
        &self,
        replicas: &[T],
        usable: impl Fn(&T) -> bool,
        load: impl Fn(&T) -> u64,
    ) -> Option<usize> {
        let count = replicas.len();
        if count <= 1 {
            return (count == 1 && usable(&replicas[0])).then_some(0);
        }
        match self.kind {
            // Without an object at hand its hash is as good as any: `not_emulated` keeps such scenarios out.
            Balance::Random | Balance::ConsistentHash => {
                let mut usable = (0..count).filter(|&i| usable(&replicas[i]));
                let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
                let left = usable.clone().count() as u64;
                if left == 0 { None } else { usable.nth(draws.below(left) as usize) }
            }
            // Servers are alike: `not_emulated` keeps others out.
            Balance::RoundRobin | Balance::Weighted => {
                let first = self.next.fetch_add(1, Ordering::Relaxed);
                (0..count).map(|step| first.wrapping_add(step) % count).find(|&i| usable(&replicas[i]))
            }
            Balance::PowerOfTwo => {
                let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
                let usable = (0..count).filter(|&i| usable(&replicas[i]));
                let left = usable.clone().count() as u64;
                if left == 0 {
                    return None;
                }
                let mut drawn = || usable.clone().nth(draws.below(left) as usize);
                [drawn(), drawn()].into_iter().flatten().min_by_key(|&i| load(&replicas[i]))
            }
            Balance::LeastConnections => {
                (0..count).filter(|&i| usable(&replicas[i])).min_by_key(|&i| load(&replicas[i]))
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
            (0..n).map(|_| balancer.pick(&loads, |_| true, |&load| load).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(picks(Balance::RoundRobin, 6), [0, 1, 2, 3, 0, 1]);
        assert_eq!(picks(Balance::LeastConnections, 3), [1, 1, 1]);
        assert!(picks(Balance::PowerOfTwo, 200).iter().filter(|&&i| i == 0).count() < 40);
        let random = picks(Balance::Random, 4000);
        for replica in 0..4 {
            let share = random.iter().filter(|&&i| i == replica).count();
            assert!((800..1200).contains(&share), "{replica}: {share}");
        }
    }

    #[test]
    fn who_is_down_is_passed_over() {
        let loads = [3_u64, 1, 1, 2];
        for kind in [Balance::RoundRobin, Balance::LeastConnections, Balance::Random, Balance::PowerOfTwo] {
            let balancer = Balancer::new(kind, 1, "web");
            for _ in 0..20 {
                let picked = balancer.pick(&loads, |&load| load > 1, |&load| load).unwrap();
                assert!([0, 3].contains(&picked), "{kind:?}");
            }
            assert_eq!(balancer.pick(&loads, |_| false, |&load| load), None);
            assert_eq!(balancer.pick(&loads[..1], |_| false, |&load| load), None);
        }
    }
}
