//! The tiers in motion: pools of servers, caches, links and limits, as the scenario has them at the start.

use std::collections::VecDeque;

use hashbrown::HashMap;
use plimsoll_scenarios::distribution::Sampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Balance, DatasetId, Discipline, Scenario, Scope, ShardBy, Station, TierId};

use super::draws::Draws;
use super::frame::{List, NONE};
use super::kept::{Kept, Object};
use super::links::Link;
use super::machine::Setup;
use super::sharing::Shared;
use super::tally::Sums;
use super::versions::Versions;
use crate::cache::{Keeper, Sizes};
use crate::model;

/// Levels of priority.
pub const LEVELS: usize = 8;

/// Whether a server can be chosen, and works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Up,
    /// Works off what it has and gets nothing new.
    Draining,
    /// Lost, and still chosen because nobody has noticed.
    Lost,
    /// Lost, and not chosen any more.
    Gone,
}

impl Health {
    pub const fn chosen(self) -> bool {
        matches!(self, Self::Up | Self::Lost)
    }

    pub const fn works(self) -> bool {
        matches!(self, Self::Up | Self::Draining)
    }
}

/// One server.
#[derive(Debug, Clone)]
pub struct Server {
    pub busy: u32,
    /// Who waits, first come first served.
    pub queue: List,
    pub health: Health,
    /// How often it has crashed: work begun before the last time is lost.
    pub crashes: u16,
    pub pool: u32,
    /// When its next departure or batch is due; what is due at another time is out of date.
    pub due_s: f64,
}

/// The servers of a tier at one of its instances.
#[derive(Debug, Clone)]
pub struct Pool {
    pub tier: TierId,
    pub place: u16,
    pub first: u32,
    pub servers: u32,
    /// Servers that are not chosen.
    pub away: u32,
    pub next: u32,
    /// Work begun since the autoscaler looked last, seconds.
    pub work_s: f64,
    /// What its stations count in the slot that it is, before it is added to what is counted.
    pub lately: Sums,
    /// Servers on their way: when, and how many there will be.
    pub coming: VecDeque<(f64, u32)>,
}

/// What a tier's servers do.
#[derive(Debug, Clone)]
pub struct StationPlay {
    pub services: Draws,
    pub choices: Stream,
    pub concurrency: u32,
    pub queue_max: u32,
    pub balance: Balance,
    pub discipline: Discipline,
    pub blocking: bool,
    pub single_writer: bool,
    pub batch: Option<(u32, f64)>,
    /// By priority, for every server; empty unless it serves by priority.
    pub levels: Vec<[List; LEVELS]>,
    /// For every server; empty unless all are served at once.
    pub shared: Vec<Shared>,
    /// Objects being worked on, and who waits for each; only with a single writer.
    pub keys: HashMap<u64, List>,
    /// Shards, and how they find their server; 0 where keys do not matter.
    pub shards: u64,
    /// Points of the ring and their shards, in order; empty unless the ring is consistent.
    pub ring: Vec<(u64, u32)>,
    pub by_range: bool,
    /// For every server; empty where all are alike.
    pub kinds: Vec<KindPlay>,
}

/// What a server is among others that differ.
#[derive(Debug, Clone, Copy)]
pub struct KindPlay {
    pub kind: u16,
    /// What service takes, as a multiple of what the tier says.
    pub slower: f64,
    pub weight: f64,
    /// What a balancer in turn owes it.
    pub owed: f64,
}

impl StationPlay {
    /// What service takes at a server, by its position in the tier, as a multiple of what the tier says.
    pub fn slowness(&self, local: usize) -> f64 {
        self.kinds.get(local).map_or(1.0, |kind| kind.slower)
    }
}

/// A tier.
#[derive(Debug)]
pub struct TierPlay {
    pub scope: Scope,
    /// Its first pool and server; `NONE` where it has none.
    pub first_pool: u32,
    pub first_server: u32,
    pub station: Option<StationPlay>,
    /// It is simple ([`is_simple_tier`]).
    pub simple: bool,
    pub latency: Option<(Sampler, Stream)>,
    /// Calls that somebody else's service takes, 1/s, and by instance what it would take now.
    pub rate_max: Option<f64>,
    pub tokens: Vec<(f64, f64)>,
    /// The first of its links, where it has any: one for every server, or one an instance.
    pub first_link: Option<u32>,
    /// What its caches have: one an instance, or one a server.
    pub kept: Kept,
    pub cache_per_server: bool,
    /// Objects being fetched, by cache and object, and who waits for them.
    pub fetches: HashMap<u64, List>,
    /// Copies that lag, where they do.
    pub versions: Option<Versions>,
    /// What service takes, as a multiple of usual, and what is left of the link.
    pub slower: f64,
    pub cut: f64,
}

/// Where dense ids begin, by dataset, and how many of them caches have to know.
#[derive(Debug, Clone)]
pub struct Ids {
    pub first: Vec<u32>,
    pub count: Vec<u32>,
    pub cached: u32,
    pub sizes: Sizes,
}

impl Ids {
    /// Datasets that some cache keeps come first: only these cost memory. Each has one id more than objects, for
    /// one that comes out on the day.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let looked_up = |id: usize| (0..scenario.tiers.len()).any(|t| scenario.caches(t, id));
        let mut first = vec![0; scenario.datasets.len()];
        let mut count = first.clone();
        let (mut next, mut cached, mut known) = (0_u32, 0, Vec::new());
        for kept in [true, false] {
            for (id, dataset) in scenario.datasets.values().enumerate() {
                if looked_up(id) != kept {
                    continue;
                }
                first[id] = next;
                count[id] = dataset.count.get().min(f64::from(u32::MAX / 4)) as u32;
                if kept {
                    known.push((next, dataset, 1.0));
                }
                next = next.saturating_add(count[id] + 1).min(NONE - 1);
            }
            if kept {
                cached = next;
            }
        }
        let sizes = Sizes::of_datasets(known.into_iter());
        Self { first, count, cached, sizes }
    }
}

impl Ids {
    /// An object by its dense id.
    #[must_use]
    pub fn object(&self, id: u32, of: DatasetId) -> Object {
        let rank = id.wrapping_sub(self.first[of]);
        Object { id, of, rank: (rank < self.count[of]).then_some(rank) }
    }

    /// The dataset that a dense id belongs to.
    #[must_use]
    pub fn dataset(&self, id: u32) -> Option<DatasetId> {
        let starts = self.first.iter().enumerate().filter(|(_, first)| **first <= id);
        starts.max_by_key(|(_, first)| **first).map(|(dataset, _)| dataset)
    }
}

/// All tiers with their pools and servers.
pub struct Stage {
    pub tiers: Vec<TierPlay>,
    pub pools: Vec<Pool>,
    pub servers: Vec<Server>,
    pub links: Vec<Link>,
}

impl Stage {
    #[must_use]
    pub fn new(setup: &Setup<'_>, seed: u64, replication: u64) -> Self {
        let mut stage = Self { tiers: Vec::new(), pools: Vec::new(), servers: Vec::new(), links: Vec::new() };
        for tier in 0..setup.scenario.tiers.len() {
            let play = stage.tier(setup, tier, (seed, replication));
            stage.tiers.push(play);
        }
        stage
    }

    fn tier(&mut self, setup: &Setup<'_>, tier: TierId, (seed, replication): (u64, u64)) -> TierPlay {
        let scenario = setup.scenario;
        let here = &scenario.tiers[tier];
        let name = scenario.tier_name(tier);
        let stream = |purpose: &str| Stream::new(seed, name, purpose, replication);
        let (first_pool, first_server) = (self.pools.len() as u32, self.servers.len() as u32);
        let mut instances = 0;
        for place in 0..model::places(scenario, tier) {
            let many = if here.scope == Scope::User { 1 } else { model::instances_at(scenario, tier, place) };
            for _ in 0..many {
                instances += 1;
                self.pool(scenario, tier, place);
            }
        }
        let servers = self.servers.len() - first_server as usize;
        let station = here.station.as_ref().map(|station| StationPlay {
            services: Draws::new(station.service_time.sampler(), stream("services")),
            choices: stream("balance"),
            concurrency: station.concurrency.get() as u32,
            queue_max: station.queue_max,
            balance: station.balance,
            discipline: station.discipline,
            blocking: station.blocking,
            single_writer: station.single_writer,
            batch: station.batch.as_ref().map(|b| (b.size, b.wait.get())),
            levels: if station.discipline == Discipline::Priority {
                vec![[List::EMPTY; LEVELS]; servers]
            } else {
                Vec::new()
            },
            shared: if station.discipline == Discipline::ProcessorSharing {
                vec![Shared::default(); servers]
            } else {
                Vec::new()
            },
            keys: HashMap::new(),
            shards: here.sharding.as_ref().map_or(0, |s| u64::from(s.shards)),
            ring: here.sharding.as_ref().map_or_else(Vec::new, |s| match s.by {
                ShardBy::Consistent { virtual_nodes } => ring(s.shards, virtual_nodes),
                _ => Vec::new(),
            }),
            kinds: self.kinds(station, first_pool),
            by_range: here.sharding.as_ref().is_some_and(|s| s.by == ShardBy::Range),
        });
        let cache = here.cache.as_ref().filter(|_| here.scope != Scope::User);
        let per_server = cache.is_some_and(|c| c.per_server);
        let caches = match cache {
            None => 0,
            Some(_) if per_server => servers,
            Some(_) => instances,
        };
        TierPlay {
            scope: here.scope,
            first_pool: if here.station.is_some() { first_pool } else { NONE },
            first_server,
            simple: is_simple_tier(scenario, tier),
            station,
            latency: here.external.as_ref().map(|e| (e.latency.sampler(), stream("latency"))),
            rate_max: here
                .external
                .as_ref()
                .and_then(|e| e.rate_max.as_ref())
                .map(plimsoll_scenarios::units::Quantity::get),
            tokens: vec![(1.0, 0.0); instances],
            first_link: self.links(scenario, tier, (first_pool, first_server)),
            kept: match setup.slice.and_then(|slice| Some((slice.laws.as_ref()?, slice.factor))) {
                Some((laws, weight)) if caches > 0 => {
                    Kept::drawn(laws, tier, caches, weight, &setup.ids.sizes, stream("hits"))
                }
                _ => Kept::Played(
                    (0..caches).filter_map(|_| empty_cache(scenario, &setup.ids, tier)).collect(),
                ),
            },
            cache_per_server: per_server,
            fetches: HashMap::new(),
            versions: Versions::new(&here.replication, stream("lags"), stream("copies asked")),
            slower: 1.0,
            cut: 1.0,
        }
    }

    /// What each server of a tier is, by the pools from the first on; empty where all are alike.
    fn kinds(&self, station: &Station, first_pool: u32) -> Vec<KindPlay> {
        let weights = station.weights();
        let kind = |kind: usize| KindPlay {
            kind: kind as u16,
            slower: 1.0 / station.kinds[kind].speed.get(),
            weight: weights[kind],
            owed: 0.0,
        };
        let pools = &self.pools[first_pool as usize..];
        pools.iter().flat_map(|pool| station.kinds_of(u64::from(pool.servers))).map(kind).collect()
    }

    /// The links of a tier: one for every server from the first on, or one an instance. Returns the first.
    fn links(
        &mut self,
        scenario: &Scenario,
        tier: TierId,
        (first_pool, first_server): (u32, u32),
    ) -> Option<u32> {
        let bits_per_s = scenario.tiers[tier].link.as_ref()?.get();
        let first = self.links.len() as u32;
        let mut places: Vec<u16> = self.servers[first_server as usize..]
            .iter()
            .map(|server| self.pools[server.pool as usize].place)
            .collect();
        if places.is_empty() && scenario.tiers[tier].scope != Scope::User {
            let at = |place| (0..model::instances_at(scenario, tier, place)).map(move |_| place as u16);
            places = (0..model::places(scenario, tier)).flat_map(at).collect();
        }
        let station = scenario.tiers[tier].station.as_ref();
        let kinds = station.map(|station| self.kinds(station, first_pool)).unwrap_or_default();
        let of_kind = |i: usize| {
            let kind = &station?.kinds[usize::from(kinds.get(i)?.kind)];
            kind.link.as_ref().map(plimsoll_scenarios::units::Quantity::get)
        };
        let links = places.into_iter().enumerate();
        self.links.extend(links.map(|(i, place)| Link::new(tier, place, of_kind(i).unwrap_or(bits_per_s))));
        Some(first)
    }

    /// The servers of one instance at a place. An autoscaled pool has room for all it may get.
    fn pool(&mut self, scenario: &Scenario, tier: TierId, place: usize) {
        let Some(pool) = model::pool(scenario, tier, place) else { return };
        let station = scenario.tiers[tier].station.as_ref();
        let most = station.and_then(|s| s.autoscale.as_ref().map(|a| a.max.get() / s.servers.get()));
        let all = most.map_or(pool.servers, |m| (pool.servers as f64 * m).round() as u64).max(pool.servers);
        let id = self.pools.len() as u32;
        self.pools.push(Pool {
            tier,
            place: place as u16,
            first: self.servers.len() as u32,
            servers: all as u32,
            away: (all - pool.servers) as u32,
            next: 0,
            work_s: 0.0,
            lately: Sums::default(),
            coming: VecDeque::new(),
        });
        for i in 0..all {
            self.servers.push(Server {
                busy: 0,
                queue: List::EMPTY,
                health: if i < pool.servers { Health::Up } else { Health::Gone },
                crashes: 0,
                pool: id,
                due_s: f64::NAN,
            });
        }
    }
}

/// Whether a station is first come, first served, one by one, and a slot is free when its service ends.
pub const fn is_simple(station: &Station) -> bool {
    matches!(station.discipline, Discipline::Fcfs)
        && station.batch.is_none()
        && !station.single_writer
        && !station.blocking
        && station.kinds.is_empty()
}

/// The instance of a tier that somebody at a site of a region goes to.
#[inline]
pub const fn instance(scope: Scope, site: u32, region: u16) -> usize {
    match scope {
        Scope::Site => site as usize,
        Scope::Region => region as usize,
        Scope::User | Scope::Global => 0,
    }
}

/// Whether a tier's station is simple, and reads of it ask nothing about versions.
pub fn is_simple_tier(scenario: &Scenario, tier: TierId) -> bool {
    let here = &scenario.tiers[tier];
    here.station.as_ref().is_some_and(is_simple) && here.replication.lag.is_none()
}

/// An empty cache of a tier.
pub fn empty_cache(scenario: &Scenario, ids: &Ids, tier: TierId) -> Option<Keeper> {
    let cache = scenario.tiers[tier].cache.as_ref()?;
    Some(Keeper::of(cache, ids.cached, ids.sizes.clone()))
}

/// Most points of a ring; of more shards each has fewer.
const POINTS_MAX: u64 = 1 << 20;

fn ring(shards: u32, virtual_nodes: u32) -> Vec<(u64, u32)> {
    let each = u64::from(virtual_nodes).min((POINTS_MAX / u64::from(shards)).max(1));
    let points = u64::from(shards) * each;
    let mut stream = Stream::new(0, "ring", "points", 0);
    let mut ring: Vec<(u64, u32)> = (0..points).map(|i| (stream.bits(), (i / each) as u32)).collect();
    ring.sort_unstable();
    ring
}
