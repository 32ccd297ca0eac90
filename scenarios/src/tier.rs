//! Tiers: what serves the calls. Any of a cache, a station, a link, a store, a queue and a service of
//! somebody else's, in one place.

use crate::client::Client;
use crate::diagnostic::Origin;
use crate::distribution::Distribution;
use crate::kinds::ServerKind;
use crate::scenario::DatasetId;
use crate::units::{Bandwidth, Count, Duration, Fraction, Rate, Seconds, Size};

/// Of what a tier has one instance each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// On every user's device.
    User,
    /// At every site of every region.
    Site,
    /// In every region.
    Region,
    /// Once.
    Global,
}

/// A tier: any of a cache, a station (queue and servers), a link and a store.
#[derive(Debug, Clone)]
pub struct Tier {
    pub scope: Scope,
    /// Round trip from the caller to here, seconds.
    pub rtt: Option<Duration>,
    /// Egress of one instance (of one server where the tier has servers), bits per second.
    pub link: Option<Bandwidth>,
    pub cache: Option<Cache>,
    pub station: Option<Station>,
    pub store: Option<Store>,
    /// A durable queue or log: its caller goes on once the message is in, and what follows is asynchronous.
    pub queue: Option<Queue>,
    /// Somebody else's service.
    pub external: Option<External>,
    pub replication: Replication,
    pub sharding: Option<Sharding>,
    /// What its callers do where it is slow or fails, unless they say otherwise.
    pub client: Client,
    /// Open connections that one server holds.
    pub connections_max: Option<Count>,
    /// Share of time that one server (or the whole of a service of somebody else's) works.
    pub availability: Option<Fraction>,
    /// Availability zones that its servers and copies are spread over.
    pub zones: u32,
    pub price: TierPrice,
    pub origin: Origin,
}

/// A cache of objects.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Bytes of one instance: per user, site, region; per server where `per_server`.
    pub capacity: Size,
    /// Bytes of `capacity` in memory; the rest is on the disks of the tier's servers. `None`: nothing is asked of disks
    /// for what the cache has.
    pub memory: Option<Size>,
    pub policy: Policy,
    /// Each server has a cache of its own (in memory) rather than one shared by the instance.
    pub per_server: bool,
    /// The datasets whose objects it keeps; `None` keeps whatever is asked for through it.
    pub of: Option<Vec<DatasetId>>,
    /// How long an object is fresh after it was fetched; then it is fetched again, and a hit does not prolong it.
    pub ttl: Option<Duration>,
    pub admit: Admission,
    pub on_write: OnWrite,
}

/// What a cache keeps of what it fetched.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// From the second request on that is remembered: a history of ids as long as the cache holds objects, itself in
    /// the order of use (the 2-LRU of Martina, Garetto and Leonardi 2014).
    pub on_second: bool,
    /// Larger objects pass without being kept.
    pub max_size: Option<Size>,
}

/// What a write that passes a cache does to the object there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnWrite {
    #[default]
    Nothing,
    /// It is no longer fresh.
    Invalidate,
}

impl Cache {
    /// Bytes of the largest object that it keeps.
    #[must_use]
    pub fn size_max(&self) -> f64 {
        let most = self.admit.max_size.as_ref().map_or(f64::INFINITY, Size::get);
        most.min(self.capacity.get())
    }

    /// Bytes in memory, where the rest is on disk; no more than the capacity, which may be a planner's or a world's.
    #[must_use]
    pub fn in_memory(&self) -> Option<f64> {
        self.memory.as_ref().map(|memory| memory.get().min(self.capacity.get()))
    }

    /// Whether it is more than a policy and a capacity.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        self.ttl.is_some()
            || self.admit.on_second
            || self.admit.max_size.is_some()
            || self.on_write != OnWrite::Nothing
    }
}

/// Eviction policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Policy {
    Lru,
    Fifo,
    Clock,
    Sieve,
    S3Fifo,
    Lfu,
    WTinyLfu,
}

impl Policy {
    /// Every policy, by the name that files and options use.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("lru", Self::Lru),
        ("fifo", Self::Fifo),
        ("clock", Self::Clock),
        ("sieve", Self::Sieve),
        ("s3-fifo", Self::S3Fifo),
        ("lfu", Self::Lfu),
        ("w-tinylfu", Self::WTinyLfu),
    ];

    /// For people, as the literature writes it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Lru => "LRU",
            Self::Fifo => "FIFO",
            Self::Clock => "CLOCK",
            Self::Sieve => "SIEVE",
            Self::S3Fifo => "S3-FIFO",
            Self::Lfu => "LFU",
            Self::WTinyLfu => "W-TinyLFU",
        }
    }
}

/// Servers with queues.
#[derive(Debug, Clone)]
pub struct Station {
    /// Servers in total; shared out over regions and sites by their share of users.
    pub servers: Count,
    /// Requests one server works on at the same time.
    pub concurrency: Count,
    /// Time one request holds one slot of one server, seconds.
    pub service_time: Distribution<Seconds>,
    /// Requests that may wait at one server; one more is rejected.
    pub queue_max: u32,
    /// How requests are spread over servers.
    pub balance: Balance,
    /// A slot stays held while the request waits downstream (a thread per request).
    pub blocking: bool,
    /// Requests for the same object are worked on one at a time (a single writer per key).
    pub single_writer: bool,
    /// Who is served next.
    pub discipline: Discipline,
    /// Requests that one slot serves together.
    pub batch: Option<Batch>,
    /// Servers that come and go with the load.
    pub autoscale: Option<Autoscale>,
    /// Kinds of servers; empty where all are alike.
    pub kinds: Vec<ServerKind>,
}

/// Load balancing over the servers of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// A server drawn uniformly.
    Random,
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests; ties to the first.
    LeastConnections,
    /// Of two drawn uniformly, the one with fewer requests (Mitzenmacher 2001).
    PowerOfTwo,
    /// The server that the object's hash belongs to.
    ConsistentHash,
    /// In turn, each as often as its link or speed is worth (smooth weighted round robin).
    Weighted,
}

/// Who is served next at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discipline {
    /// First come, first served.
    Fcfs,
    /// All at once, each at an equal share of the slots (at most one).
    ProcessorSharing,
    /// By the action's priority, first come first served among equals; who is being served stays.
    Priority,
}

/// Requests served together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Most of them; together they take one service time.
    pub size: u32,
    /// How long a slot waits for them to come together.
    pub wait: Duration,
}

/// Servers that come and go with the load.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoscale {
    /// Utilisation that it steers at.
    pub target: Fraction,
    /// Fewest and most servers in total; `servers` are there at first.
    pub min: Count,
    pub max: Count,
    /// Time between the decision and the first request on a new server.
    pub delay: Duration,
}

/// Disks of one server.
#[derive(Debug, Clone)]
pub struct Store {
    /// Bytes that one server keeps.
    pub capacity: Option<Size>,
    /// Reads and writes of one server, 1/s.
    pub iops: Option<Rate>,
    /// Bytes of one read or write; a larger object takes several.
    pub io_size: Size,
}

/// A durable queue or log.
#[derive(Debug, Clone)]
pub struct Queue {
    /// How long messages are kept.
    pub retention: Duration,
}

/// A service of somebody else's: no queue of ours, a latency, perhaps a limit.
#[derive(Debug, Clone)]
pub struct External {
    /// Seconds.
    pub latency: Distribution<Seconds>,
    /// Calls that it takes, 1/s.
    pub rate_max: Option<Rate>,
}

/// How what a tier stores is protected.
#[derive(Debug, Clone, PartialEq)]
pub struct Replication {
    pub scheme: Scheme,
    /// From a write's acknowledgement until a copy that has not acknowledged it has it, seconds; `None` is at once.
    pub lag: Option<Distribution<Seconds>>,
    pub origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Whole copies, of which a write waits for `write` and a read asks `read`.
    Copies { count: u32, write: u32, read: u32 },
    /// `data` pieces and `parity` more; any `data` of them give the object.
    Erasure { data: u32, parity: u32 },
}

impl Replication {
    /// Bytes stored for a byte.
    #[must_use]
    pub fn overhead(&self) -> f64 {
        match self.scheme {
            Scheme::Copies { count, .. } => f64::from(count),
            Scheme::Erasure { data, parity } => f64::from(data + parity) / f64::from(data),
        }
    }

    /// Work that one read is for the tier, in reads of one server.
    #[must_use]
    pub fn read_work(&self) -> f64 {
        match self.scheme {
            Scheme::Copies { read, .. } => f64::from(read),
            Scheme::Erasure { data, .. } => f64::from(data),
        }
    }

    /// Work that one write is, in writes of one server.
    #[must_use]
    pub fn write_work(&self) -> f64 {
        match self.scheme {
            Scheme::Copies { count, .. } => f64::from(count),
            Scheme::Erasure { data, parity } => f64::from(data + parity),
        }
    }

    /// Servers or disks an object lies on, and how many of them a read needs.
    #[must_use]
    pub fn pieces(&self) -> (u32, u32) {
        match self.scheme {
            Scheme::Copies { count, read, .. } => (count, read),
            Scheme::Erasure { data, parity } => (data + parity, data),
        }
    }
}

/// How keys are spread over servers.
#[derive(Debug, Clone)]
pub struct Sharding {
    pub shards: u32,
    pub by: ShardBy,
    pub origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardBy {
    /// Modulo of a hash: keys spread evenly, and so does all but the hottest key.
    Hash,
    /// Neighbouring keys together; the most popular ones too, as with time-ordered keys.
    Range,
    /// A ring with this many points a shard.
    Consistent { virtual_nodes: u32 },
}

/// Entries of the price file that this tier is billed by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TierPrice {
    /// One server.
    pub server: Option<String>,
    /// Bytes stored, replicated.
    pub storage: Option<String>,
    /// Bytes out.
    pub traffic: Option<String>,
    /// Requests.
    pub requests: Option<String>,
    /// One site of it, whatever is there: what the list has under `services`.
    pub site: Option<String>,
    pub origin: Origin,
}

impl Tier {
    /// Whole copies of what is stored here, or 1 with erasure coding.
    #[must_use]
    pub fn copies(&self) -> u32 {
        match self.replication.scheme {
            Scheme::Copies { count, .. } => count,
            Scheme::Erasure { .. } => 1,
        }
    }
}
