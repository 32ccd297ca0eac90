//! Which of a pool's servers a request goes to.

use plimsoll_scenarios::{Balance, Discipline, TierId};

use super::frame::NONE;
use super::machine::Machine;

/// Servers drawn until one is taken for its weight.
const DRAWS_MAX: u32 = 1000;

impl Machine<'_> {
    /// A server of a pool; `None` where none is there.
    pub(super) fn choose(&mut self, at: u32, tier: TierId, pool: u32) -> Option<u32> {
        let pool_id = pool as usize;
        let (first, n) = (self.pools[pool_id].first, self.pools[pool_id].servers);
        let all_there = self.pools[pool_id].away == 0;
        if n == 1 {
            return (all_there).then_some(first);
        }
        if self.pools[pool_id].away >= n {
            return None;
        }
        let object = self.frames[at].object;
        let station = self.tiers[tier].station.as_ref()?;
        if object != NONE && (station.shards > 0 || station.balance == Balance::ConsistentHash) {
            let wanted = self.by_key(tier, self.key(object), n);
            return self.from(first, n, wanted);
        }
        match station.balance {
            Balance::Random | Balance::ConsistentHash => {
                let station = self.tiers[tier].station.as_mut()?;
                if all_there {
                    return Some(first + station.choices.below(u64::from(n)) as u32);
                }
                let there = u64::from(n - self.pools[pool_id].away);
                let nth = station.choices.below(there) as usize;
                (first..first + n).filter(|&s| self.servers[s as usize].health.chosen()).nth(nth)
            }
            Balance::Weighted if station.kinds.is_empty() => self.in_turn(pool_id, (first, n)),
            Balance::RoundRobin => self.in_turn(pool_id, (first, n)),
            Balance::LeastConnections => {
                // Ties go to the first from a moving start, so that an idle pool is used evenly.
                let start = (self.pools[pool_id].next + 1) % n;
                self.pools[pool_id].next = start;
                let there = (0..n).map(|i| first + (start + i) % n);
                let there = there.filter(|&s| self.servers[s as usize].health.chosen());
                if station.kinds.is_empty() {
                    there.min_by_key(|&s| self.load(tier, s))
                } else {
                    there.min_by(|&a, &b| self.weighed_load(tier, a).total_cmp(&self.weighed_load(tier, b)))
                }
            }
            Balance::PowerOfTwo => {
                let drawn = [(); 2].map(|()| self.draw(tier, (first, n)));
                let [one, other] = drawn.map(|wanted| self.from(first, n, wanted));
                let (one, other) = (one?, other?);
                let better = if self.tiers[tier].station.as_ref().is_none_or(|s| s.kinds.is_empty()) {
                    self.load(tier, other) < self.load(tier, one)
                } else {
                    self.weighed_load(tier, other) < self.weighed_load(tier, one)
                };
                Some(if better { other } else { one })
            }
            Balance::Weighted => self.owed_most(tier, (first, n)),
        }
    }

    /// One of a pool's servers, each as likely as its weight says, by position in the pool.
    fn draw(&mut self, tier: TierId, (first, n): (u32, u32)) -> u32 {
        let play = &mut self.tiers[tier];
        let first_local = (first - play.first_server) as usize;
        let Some(station) = &mut play.station else { return 0 };
        if station.kinds.is_empty() {
            return station.choices.below(u64::from(n)) as u32;
        }
        let kinds = &station.kinds[first_local..first_local + n as usize];
        let most = kinds.iter().map(|kind| kind.weight).fold(0.0, f64::max);
        // By rejection; so many tries fail only where next to no server is worth much.
        let mut drawn = 0;
        for _ in 0..DRAWS_MAX {
            drawn = station.choices.below(u64::from(n)) as u32;
            if station.choices.uniform() * most < kinds[drawn as usize].weight {
                break;
            }
        }
        drawn
    }

    /// The next of a pool's servers that is there.
    fn in_turn(&mut self, pool: usize, (first, n): (u32, u32)) -> Option<u32> {
        let chosen = self.from(first, n, (self.pools[pool].next + 1) % n)?;
        self.pools[pool].next = chosen - first;
        Some(chosen)
    }

    /// The server that is owed most of what all are owed by their weights: smooth weighted round robin, as nginx does it.
    fn owed_most(&mut self, tier: TierId, (first, n): (u32, u32)) -> Option<u32> {
        let Self { tiers, servers, .. } = self;
        let play = &mut tiers[tier];
        let first_local = (first - play.first_server) as usize;
        let kinds = &mut play.station.as_mut()?.kinds[first_local..first_local + n as usize];
        let (mut all, mut chosen) = (0.0, None::<usize>);
        for i in 0..kinds.len() {
            if !servers[first as usize + i].health.chosen() {
                continue;
            }
            all += kinds[i].weight;
            kinds[i].owed += kinds[i].weight;
            // What is owed alike but for rounding goes to the first.
            if chosen.is_none_or(|best| kinds[i].owed > kinds[best].owed + 1e-9) {
                chosen = Some(i);
            }
        }
        let chosen = chosen?;
        kinds[chosen].owed -= all;
        Some(first + chosen as u32)
    }

    /// Requests at a server over what it is worth.
    fn weighed_load(&self, tier: TierId, server: u32) -> f64 {
        let play = &self.tiers[tier];
        let kinds = play.station.as_ref().map_or(&[][..], |station| &station.kinds);
        let weight = kinds.get((server - play.first_server) as usize).map_or(1.0, |kind| kind.weight);
        f64::from(self.load(tier, server)) / weight
    }

    /// The first server from this one on that is there.
    fn from(&self, first: u32, n: u32, wanted: u32) -> Option<u32> {
        (0..n).map(|i| first + (wanted + i) % n).find(|&s| self.servers[s as usize].health.chosen())
    }

    /// Requests at a server.
    fn load(&self, tier: TierId, server: u32) -> u32 {
        let here = &self.servers[server as usize];
        let Some(station) = &self.tiers[tier].station else { return 0 };
        let local = (server - self.tiers[tier].first_server) as usize;
        match station.discipline {
            Discipline::Fcfs => here.busy + here.queue.len,
            Discipline::Priority => here.busy + station.levels[local].iter().map(|l| l.len).sum::<u32>(),
            Discipline::ProcessorSharing => station.shared[local].len() as u32,
        }
    }

    /// What stands for an object where its place depends on it. In a slice that has the whole catalogue neighbours
    /// go together, so that the hottest is as hot for one of the fewer servers as it is in the whole.
    pub(super) fn key(&self, object: u32) -> u32 {
        let Some(slice) = self.setup.slice.filter(|slice| slice.laws.is_some()) else { return object };
        let ids = &self.setup.ids;
        let Some(first) = ids.dataset(object).map(|dataset| ids.first[dataset]) else { return object };
        let block = slice.factor.round().max(1.0) as u32;
        first + (object - first) / block * block
    }

    /// The server that an object's shard or hash belongs to.
    fn by_key(&self, tier: TierId, object: u32, servers: u32) -> u32 {
        let Some(station) = &self.tiers[tier].station else { return 0 };
        let hash = scatter(u64::from(object));
        let n = u64::from(servers);
        let spread = |hash: u64, over: u64| ((u128::from(hash) * u128::from(over)) >> 64) as u64;
        let shards = station.shards;
        let shard = if shards == 0 {
            return spread(hash, n) as u32;
        } else if !station.ring.is_empty() {
            let after = station.ring.partition_point(|(point, _)| *point < hash);
            let (_, shard) = station.ring.get(after).copied().unwrap_or(station.ring[0]);
            u64::from(shard)
        } else if station.by_range {
            let ids = &self.setup.ids;
            let dataset = ids.dataset(object);
            let (rank, count) = dataset.map_or((0, 1), |d| (object - ids.first[d], ids.count[d].max(1)));
            (u64::from(rank) * shards / u64::from(count)).min(shards - 1)
        } else {
            spread(hash, shards)
        };
        (shard % n) as u32
    }
}

/// A hash of a number (the finaliser of `SplitMix64`).
const fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
