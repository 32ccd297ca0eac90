//! The validated scenario. Its fields are what a file may say; see the README of this crate for the language.
//!
//! Why indices: names are resolved once, here, so that no engine meets a name that does not exist.

use indexmap::IndexMap;

use crate::arrivals::Diurnal;
use crate::diagnostic::{Origin, SourceFile};
use crate::distribution::Distribution;
use crate::popularity::Popularity;
use crate::slo::Slo;
use crate::units::{Bandwidth, Count, Duration, Fraction, Rate, Seconds, Size};

/// Position of a tier in [`Scenario::tiers`].
pub type TierId = usize;
/// Position of an action in [`Scenario::actions`].
pub type ActionId = usize;
/// Position of a dataset in [`Scenario::datasets`].
pub type DatasetId = usize;

/// Name of the source of a setting from the command line.
pub(crate) const SETTING: &str = "--set";

/// A checked scenario: every name resolves, every path is free of cycles, every unit fits.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Short name, as used on the command line.
    pub name: String,
    /// One line: what the system does.
    pub summary: String,
    /// Who does it, where, and when.
    pub population: Population,
    /// What is stored, by name.
    pub datasets: IndexMap<String, Dataset>,
    /// What users do, by name.
    pub actions: IndexMap<String, Action>,
    /// What serves them, by name.
    pub tiers: IndexMap<String, Tier>,
    /// Targets.
    pub slos: Vec<Slo>,
    /// Figures that the scenario's sources state, checked by the estimate.
    pub claims: Vec<Claim>,
    /// How to play the scenario against a real stack, scaled down.
    pub load: Option<Load>,
    /// The texts it was read from: its file first, then those it extends and settings from the command line.
    pub sources: Vec<SourceFile>,
}

/// Users and where they are.
#[derive(Debug, Clone)]
pub struct Population {
    /// Number of users.
    pub users: Count,
    /// Share of users who are active on a day.
    pub active: Fraction,
    /// Regions; their shares add up to 1.
    pub regions: Vec<Region>,
    /// Access link of one user, bits per second: bounds how fast one body can arrive.
    pub downlink: Option<Bandwidth>,
}

/// A part of the population with one clock.
#[derive(Debug, Clone)]
pub struct Region {
    pub name: String,
    /// Share of all users, 0 to 1.
    pub share: f64,
    /// Local time minus UTC, seconds.
    pub utc_offset_s: f64,
    /// Number of sites for tiers placed per site (CDN points of presence).
    pub sites: u32,
    /// Shape of the day in local time.
    pub diurnal: Diurnal,
    pub origin: Origin,
}

/// A collection of stored objects.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub count: Count,
    /// Mean bytes of one object.
    pub size: Size,
    /// Bytes of metadata kept for one object.
    pub metadata: Option<Size>,
    /// Which objects are asked for.
    pub popularity: Popularity,
    /// The tier that keeps it, where it is kept.
    pub stored_in: Option<TierId>,
    pub origin: Origin,
}

/// Something users do.
#[derive(Debug, Clone)]
pub struct Action {
    /// Times per active user, per second.
    pub per_user: Rate,
    /// The dataset whose objects it asks for.
    pub of: Option<DatasetId>,
    /// Share of requests that replay something from the user's own recent past; they are served by the
    /// first tier of the path with scope [`Scope::User`].
    pub repeat: Fraction,
    /// Bytes of the request.
    pub request: Size,
    /// Bytes of the response (the object's size unless the file says otherwise).
    pub response: Size,
    /// Tiers in the order in which they are called: each calls the next, a cache only on a miss.
    pub path: Vec<TierId>,
    /// Messages sent without anybody waiting for them.
    pub then: Vec<Branch>,
    /// How the load generator asks for it.
    pub http: Option<Http>,
    pub origin: Origin,
}

/// An asynchronous message to a tier, sent once per action by the client.
#[derive(Debug, Clone)]
pub struct Branch {
    pub tier: TierId,
    /// Bytes of the message.
    pub size: Size,
    pub http: Option<Http>,
}

/// An HTTP request template. `{object}` is the object's number (1 is the most popular) and `{query}` a
/// search text that belongs to it ([`crate::catalogue::query`]), percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `GET` or `POST`.
    pub method: String,
    /// Path with placeholders, starting with `/`.
    pub path: String,
    /// Body with placeholders, for `POST`.
    pub body: Option<String>,
}

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
    /// Whole copies of what is stored here.
    pub copies: u32,
    pub origin: Origin,
}

/// A cache of objects.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Bytes of one instance: per user, site, region; per server where `per_server`.
    pub capacity: Size,
    pub policy: Policy,
    /// Each server has a cache of its own (in memory) rather than one shared by the instance.
    pub per_server: bool,
    /// The datasets whose objects it keeps; `None` keeps whatever is asked for through it.
    pub of: Option<Vec<DatasetId>>,
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
    /// Time one request holds one slot of one server.
    pub service_time: Distribution<Seconds>,
    /// Requests that may wait at one server; one more is rejected.
    pub queue_max: u32,
    /// How requests are spread over servers.
    pub balance: Balance,
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
}

/// A figure stated by one of the scenario's sources.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Id of the estimated quantity, such as `song.storage`.
    pub what: String,
    /// The figure, in the base unit of its dimension (bytes, 1/s, ...).
    pub is: f64,
    /// The figure as written.
    pub text: String,
    /// Relative tolerance that the source's rounding implies.
    pub within: f64,
    pub origin: Origin,
}

/// At which point of the day the load is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peak {
    Mean,
    Peak,
}

/// How to play the scenario for real, scaled down to one machine.
#[derive(Debug, Clone)]
pub struct Load {
    pub scale: LoadScale,
    /// Seconds that count.
    pub duration: Duration,
    /// Seconds before that warm caches and connections, and do not count.
    pub warmup: Duration,
    pub at: Peak,
    pub origin: Origin,
}

/// Divisors of the load run, each a factor of at most 1.
#[derive(Debug, Clone)]
pub struct LoadScale {
    /// Users, and with them every rate and server count.
    pub users: f64,
    /// Objects of every dataset, and with them every cache.
    pub objects: f64,
    /// Object sizes by dataset (1 where not named), and with them every cache.
    pub sizes: IndexMap<DatasetId, f64>,
    /// Sites in the scaled run.
    pub sites: u32,
}

impl Scenario {
    /// The tier with this name.
    #[must_use]
    pub fn tier(&self, name: &str) -> Option<(TierId, &Tier)> {
        self.tiers.get_full(name).map(|(i, _, t)| (i, t))
    }

    /// Name of a tier.
    ///
    /// # Panics
    /// If the id is not of this scenario.
    #[must_use]
    pub fn tier_name(&self, id: TierId) -> &str {
        self.tiers.get_index(id).expect("tier ids come from the scenario").0
    }

    /// Name of an action.
    ///
    /// # Panics
    /// If the id is not of this scenario.
    #[must_use]
    pub fn action_name(&self, id: ActionId) -> &str {
        self.actions.get_index(id).expect("action ids come from the scenario").0
    }

    /// Whether an action's requests are looked up in the cache of a tier on their way.
    #[must_use]
    pub fn looks_up(&self, action: &Action, tier: TierId) -> bool {
        let (Some(dataset), Some(cache)) = (action.of, &self.tiers[tier].cache) else { return false };
        action.path.contains(&tier) && cache.of.as_ref().is_none_or(|held| held.contains(&dataset))
    }

    /// The tiers in an order in which every call of every path goes forward.
    #[must_use]
    pub fn tier_order(&self) -> Vec<TierId> {
        crate::validate::tier_order(self.actions.values(), self.tiers.len())
            .expect("a scenario has no cycles")
    }

    /// Settings from the command line, as given.
    #[must_use]
    pub fn settings(&self) -> Vec<&str> {
        self.sources.iter().filter(|s| &*s.name == SETTING).map(|s| &*s.text).collect()
    }

    /// `spotify.yaml:14`, for a value that some text states.
    #[must_use]
    pub fn place(&self, origin: Origin) -> Option<String> {
        let source = self.sources.get(usize::from(origin.file)).filter(|_| origin.line > 0)?;
        if &*source.name == SETTING {
            return Some(format!("{SETTING} {}", source.text));
        }
        Some(format!("{}:{}", source.name, origin.line))
    }

    /// Sites over all regions.
    #[must_use]
    pub fn sites(&self) -> u32 {
        self.population.regions.iter().map(|r| r.sites).sum()
    }

    /// Mean rate of an action over the day and over all users, 1/s.
    #[must_use]
    pub fn mean_rate(&self, action: &Action) -> f64 {
        self.population.users.get() * self.population.active.get() * action.per_user.get()
    }
}
