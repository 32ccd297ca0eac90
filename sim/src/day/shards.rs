//! Which shard is the hottest, by putting keys on shards.
//!
//! Why not a bound: one key may be most of a shard's load, and which keys share a shard with it is chance. So
//! the most asked keys are placed one by one, as a hash or a ring would, and the rest evenly.

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{DatasetId, ShardBy, Sharding, TierId};

use super::mean_field::{rate, reach};
use super::setup::Setup;

/// Keys of a dataset that are placed one by one.
const KEYS: u64 = 20_000;
/// Shards, and points of a ring, up to which keys are placed.
const SHARDS_MAX: u32 = 100_000;
const POINTS_MAX: u64 = 2_000_000;

/// The hottest shard of a tier: how many shards there are, and its share of all calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hottest {
    pub shards: f64,
    pub share: f64,
}

impl Hottest {
    /// On a pool of servers: those that the shard has, and their share of the pool's calls. A server that holds
    /// several shards has the hottest and as many others.
    pub fn on(&self, servers: u64) -> (u64, f64) {
        let each = servers as f64 / self.shards;
        if each >= 1.0 {
            return (each.round() as u64, self.share);
        }
        let others = 1.0 / each - 1.0;
        (1, (self.share + others * (1.0 - self.share) / (self.shards - 1.0).max(1.0)).min(1.0))
    }
}

/// `None` where there is nothing to choose.
pub(super) fn hottest(setup: &Setup<'_>, tier: TierId) -> Option<Hottest> {
    let sharding = setup.scenario.tiers[tier].sharding.as_ref()?;
    let n = sharding.shards;
    if !(2..=SHARDS_MAX).contains(&n) {
        return None;
    }
    let nodes: Vec<usize> = setup.flow.at(tier).collect();
    let calls = |node: usize| {
        let action = &setup.scenario.actions[setup.flow.nodes[node].action];
        setup.scenario.mean_rate(action) * reach(setup, node)
    };
    let total: f64 = nodes.iter().map(|&n| calls(n)).sum();
    if total <= 0.0 {
        return None;
    }
    let ring = Ring::of(sharding);
    let mut load = vec![0.0; n as usize];
    // What is placed nowhere in particular.
    let mut spread = total;
    let mut datasets: Vec<DatasetId> = nodes.iter().filter_map(|&n| setup.flow.nodes[n].call.of).collect();
    datasets.sort_unstable();
    datasets.dedup();
    for dataset in datasets {
        let asking: Vec<usize> =
            nodes.iter().copied().filter(|&n| setup.flow.nodes[n].call.of == Some(dataset)).collect();
        let data = &setup.scenario.datasets[dataset];
        let law = data.popularity.over(data.count.get() as u64);
        if sharding.by == ShardBy::Range {
            let first = law.mass(0, law.count().div_ceil(u64::from(n)));
            let all: f64 = asking.iter().map(|&n| calls(n)).sum();
            load[0] += first * all;
            spread -= all;
            load[1..].iter_mut().for_each(|l| *l += (1.0 - first) * all / f64::from(n - 1));
            continue;
        }
        for rank in 0..KEYS.min(law.count()) {
            let asked: f64 = asking.iter().map(|&n| rate(setup, n, law.p(rank))).sum();
            load[ring.shard_of(hash(dataset as u64, rank))] += asked;
            spread -= asked;
        }
    }
    let spread = spread.max(0.0);
    let most = load.iter().enumerate().map(|(shard, l)| l + spread * ring.part(shard)).fold(0.0, f64::max);
    Some(Hottest { shards: f64::from(n), share: (most / total).min(1.0) })
}

fn hash(of: u64, key: u64) -> u64 {
    let mixed = Stream::splitmix(of).bits() ^ key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Stream::splitmix(mixed).bits()
}

/// How keys find their shard.
struct Ring {
    shards: u32,
    /// Points of a consistent ring with their shards, ascending; empty for a plain hash.
    points: Vec<(u64, u32)>,
    /// By shard: its part of the ring.
    parts: Vec<f64>,
}

impl Ring {
    fn of(sharding: &Sharding) -> Self {
        let n = sharding.shards;
        let even = || vec![1.0 / f64::from(n); n as usize];
        let ShardBy::Consistent { virtual_nodes } = sharding.by else {
            return Self { shards: n, points: Vec::new(), parts: even() };
        };
        if u64::from(n) * u64::from(virtual_nodes) > POINTS_MAX {
            return Self { shards: n, points: Vec::new(), parts: even() };
        }
        let mut points: Vec<(u64, u32)> = (0..n)
            .flat_map(|shard| {
                (0..virtual_nodes).map(move |v| (hash(u64::from(shard) << 1 | 1, u64::from(v)), shard))
            })
            .collect();
        points.sort_unstable();
        let mut parts = vec![0.0; n as usize];
        let mut before = points.last().map_or(0, |p| p.0);
        for &(at, shard) in &points {
            // The first arc goes over the end of the circle.
            parts[shard as usize] += at.wrapping_sub(before) as f64 / 18_446_744_073_709_551_616.0;
            before = at;
        }
        Self { shards: n, points, parts }
    }

    fn shard_of(&self, hash: u64) -> usize {
        if self.points.is_empty() {
            return ((u128::from(hash) * u128::from(self.shards)) >> 64) as usize;
        }
        let next = self.points.partition_point(|&(at, _)| at < hash);
        self.points[next % self.points.len()].1 as usize
    }

    fn part(&self, shard: usize) -> f64 {
        self.parts[shard]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::Origin;

    fn ring(by: ShardBy) -> Ring {
        Ring::of(&Sharding { shards: 12, by, origin: Origin::default() })
    }

    #[test]
    fn arcs_add_up_and_keys_fall_on_them_in_proportion() {
        for by in [ShardBy::Hash, ShardBy::Consistent { virtual_nodes: 64 }] {
            let ring = ring(by);
            assert!((ring.parts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let mut seen = [0_u32; 12];
            for key in 0..120_000 {
                seen[ring.shard_of(hash(7, key))] += 1;
            }
            for (shard, &n) in seen.iter().enumerate() {
                let expected = ring.part(shard) * 120_000.0;
                assert!(
                    (f64::from(n) - expected).abs() < 6.0 * expected.sqrt(),
                    "{shard}: {n} for {expected}"
                );
            }
        }
    }

    #[test]
    fn a_server_with_several_shards_has_the_hottest_and_others() {
        let hottest = Hottest { shards: 20.0, share: 0.1 };
        assert_eq!(hottest.on(40), (2, 0.1));
        let (servers, share) = hottest.on(5);
        assert_eq!(servers, 1);
        assert!((share - (0.1 + 3.0 * 0.9 / 19.0)).abs() < 1e-12);
    }
}
