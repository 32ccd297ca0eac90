//! How many shards a tier's keys are spread over, where that is free, and what the hottest of them asks for.
//!
//! Why few: each shard's keys are on as many servers as there are copies, so there must be enough shards for every
//! server to have keys; more than that make the hottest one hotter than the mean, since chance spreads keys unevenly.
//! So the number follows from the servers, and what is left to keep is the hottest shard's own load.

use plimsoll_scenarios::ShardBy;

use super::kinds::ServerKind;
use super::load::TierLoad;
use super::size::{Reason, pools, step};

/// How busy the servers of the hottest shard may be.
pub const HOT_MAX: f64 = 0.85;
/// Steps up to the servers that the hottest shard asks for.
const STEPS_MAX: usize = 20_000;

/// How unevenly a tier's keys are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Keys {
    /// Share of the calls that the hottest key has, and the sum of the squares of all keys' shares.
    pub hottest: f64,
    pub squares: f64,
}

/// A tier's shards as sizing sees them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shards {
    pub by: ShardBy,
    pub keys: Keys,
    /// Servers that have a key.
    pub copies: u64,
    /// Fewest and most shards.
    pub range: (u64, u64),
}

impl Shards {
    /// The fewest that give every server keys; `None` where more would be needed than there may be.
    #[must_use]
    pub fn fewest(&self, pools: &[u64]) -> Option<u64> {
        let needed = pools.iter().map(|k| k.div_ceil(self.copies.max(1))).max().unwrap_or(1);
        (needed <= self.range.1).then_some(needed.max(self.range.0).max(1))
    }

    /// Share of the calls that the hottest of so many shards has: its hottest key, an even part of the rest, and what
    /// chance adds to the fullest of `n` bins (as the estimate has it).
    #[must_use]
    pub fn hottest(&self, n: u64) -> f64 {
        let n = n as f64;
        let Keys { hottest, squares } = self.keys;
        let rest = (1.0 - hottest) / n;
        let uneven = (2.0 * n.ln() * (squares - hottest * hottest).max(0.0) / n).sqrt();
        let share = match self.by {
            ShardBy::Hash | ShardBy::Range => hottest + rest + uneven,
            ShardBy::Consistent { virtual_nodes } => {
                let arcs = (2.0 * n.ln() / f64::from(virtual_nodes)).sqrt();
                hottest + rest * (1.0 + arcs) + uneven
            }
        };
        share.min(1.0)
    }

    /// How busy the servers of the hottest of `n` shards are, of `k` servers that are `busy` on average.
    #[must_use]
    pub fn busy(&self, n: u64, k: u64, busy: f64) -> f64 {
        let (share, each) = (self.hottest(n), k as f64 / n as f64);
        if each >= 1.0 {
            // A part of a server's shards is no server.
            return busy * k as f64 * share / each.floor().min(self.copies.max(1) as f64);
        }
        // Shards are whole: of six on four servers two have two.
        let others = n.div_ceil(k.max(1)) as f64 - 1.0;
        let share = share + others * (1.0 - share) / (n as f64 - 1.0).max(1.0);
        busy * k as f64 * share.min(1.0)
    }

    /// From this number of servers on, the fewest whose hottest shard keeps up.
    ///
    /// # Errors
    /// No number does.
    pub fn servers(
        &self,
        from: u64,
        load: &TierLoad,
        kind: &ServerKind,
        service: f64,
        range: (u64, u64),
    ) -> Result<u64, Reason> {
        let each = service / kind.concurrency;
        let floor = |work: f64| work * each * self.keys.hottest / self.copies.max(1) as f64;
        if load.places.iter().any(|p| floor(p.work / p.instances) > HOT_MAX) {
            return Err(Reason::Shards);
        }
        let mut servers = from;
        for _ in 0..STEPS_MAX {
            let there = pools(servers, load);
            let n = self.fewest(&there).ok_or(Reason::Shards)?;
            let hot = load
                .places
                .iter()
                .zip(&there)
                .map(|(place, &k)| self.busy(n, k, place.work / place.instances * each / k as f64));
            if hot.fold(0.0, f64::max) <= HOT_MAX {
                return Ok(servers);
            }
            servers = step(servers, load, true, range).ok_or(Reason::Shards)?.0;
        }
        Err(Reason::Shards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::load::PlaceLoad;
    use plimsoll_scenarios::rng::Stream;

    fn kind() -> ServerKind {
        ServerKind { name: "x".into(), monthly: 1.0, concurrency: 4.0, link: None, fits: None }
    }

    /// Whether a number of servers will do with some number of shards, tried one by one.
    fn does(shards: &Shards, load: &TierLoad, servers: u64) -> Option<u64> {
        let there = pools(servers, load);
        let own = |n: u64| there.iter().all(|&k| k <= n * shards.copies);
        let cool = |n: u64| {
            there
                .iter()
                .zip(&load.places)
                .all(|(&k, p)| shards.busy(n, k, p.work / p.instances * 0.01 / 4.0 / k as f64) <= HOT_MAX)
        };
        (shards.range.0..=shards.range.1).find(|&n| own(n)).filter(|&n| cool(n))
    }

    #[test]
    fn the_fewest_shards_and_servers_are_those_of_trying_all() {
        let mut draw = Stream::new(5, "shards", "cases", 0);
        let (mut found, mut none) = (0, 0);
        for case in 0..200 {
            let hottest = 0.2 * draw.uniform() * draw.uniform();
            let keys = Keys { hottest, squares: hottest * hottest * (1.0 + draw.uniform()) };
            let by =
                if draw.uniform() < 0.5 { ShardBy::Hash } else { ShardBy::Consistent { virtual_nodes: 128 } };
            let copies = 1 + draw.below(3);
            let shards = Shards { by, keys, copies, range: (1 + draw.below(4), 8 + draw.below(60)) };
            let place = |share: f64, draw: &mut Stream| PlaceLoad {
                share,
                instances: 1.0,
                work: share * (500.0 + 8_000.0 * draw.uniform()),
                ..PlaceLoad::default()
            };
            let places = vec![place(0.6, &mut draw), place(0.4, &mut draw)];
            let load = TierLoad { places, ..TierLoad::default() };
            let from = 1 + draw.below(6);
            let range = (1, 120);
            let tried = (from..=range.1).find(|&k| does(&shards, &load, k).is_some());
            match shards.servers(from, &load, &kind(), 0.01, range) {
                Ok(servers) => {
                    found += 1;
                    let best = tried.unwrap_or_else(|| panic!("{case}: {shards:?}"));
                    // The same places, however the total is written.
                    assert_eq!(pools(servers, &load), pools(best, &load), "{case}: {shards:?}");
                    assert_eq!(shards.fewest(&pools(servers, &load)), does(&shards, &load, best), "{case}");
                }
                Err(reason) => {
                    none += 1;
                    assert_eq!(reason, Reason::Shards);
                    assert_eq!(tried, None, "{case}: {shards:?} {load:?}");
                }
            }
        }
        assert!(found > 50 && none > 20, "{found} found, {none} without");
    }

    #[test]
    fn more_shards_are_hotter_than_the_mean() {
        let keys = Keys { hottest: 0.01, squares: 0.0005 };
        let shards = Shards { by: ShardBy::Hash, keys, copies: 1, range: (1, 1_000) };
        let uneven: Vec<f64> = [1, 4, 16, 64].into_iter().map(|n| shards.hottest(n) * n as f64).collect();
        assert!((uneven[0] - 1.0).abs() < 1e-12 && uneven.is_sorted(), "{uneven:?}");
    }
}
