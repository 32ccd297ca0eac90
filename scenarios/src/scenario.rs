//! The validated scenario. Its fields are what a file may say; see the README of this crate for the language.
//!
//! Why indices: names are resolved once, here, so that no engine meets a name that does not exist.

use indexmap::IndexMap;

use crate::arrivals::{Diurnal, Weekly};
use crate::calls::Calls;
use crate::diagnostic::{Origin, SourceFile};
use crate::distribution::Distribution;
use crate::event::Event;
use crate::popularity::Popularity;
use crate::size_classes::SizeClasses;
use crate::slo::Slo;
use crate::tier::{Cache, Tier};
use crate::units::{Area, Bandwidth, Bytes, Count, Duration, Fraction, Number, Rate, Ratio, Seconds, Size};

/// Position of a tier in [`Scenario::tiers`].
pub type TierId = usize;
/// Position of an action in [`Scenario::actions`].
pub type ActionId = usize;
/// Position of an actor in [`Population::actors`].
pub type ActorId = usize;
/// Position of a dataset in [`Scenario::datasets`].
pub type DatasetId = usize;

/// Name of the source of a setting from the command line.
pub(crate) const SETTING: &str = "--set";
/// Name of the source of a quantity that the planner chose.
pub(crate) const SIZED: &str = "sized by plimsoll plan";

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
    /// What happens on the day.
    pub events: Vec<Event>,
    /// How to play the scenario against a real stack, scaled down.
    pub load: Option<Load>,
    /// Sessions in which its requests come: those of `load`, and only once it was scaled down for that.
    pub sessions: Option<SessionPlan>,
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
    /// Length of the cables to a site over the distance.
    pub path_stretch: Number,
    /// More users every year, as a share of those there are.
    pub growth_per_year: Ratio,
    /// Shape of the week.
    pub weekly: Weekly,
    /// How often and how long a user is there.
    pub sessions: Option<Sessions>,
    /// Others who act: drivers, agents, publishers. By name.
    pub actors: IndexMap<String, Actor>,
}

/// Visits of one active user.
#[derive(Debug, Clone)]
pub struct Sessions {
    pub per_user: Rate,
    pub lasts: Duration,
}

/// A group that acts besides the users, in the same regions by the same clocks.
#[derive(Debug, Clone)]
pub struct Actor {
    pub number: ActorNumber,
    /// Share of them who are active on a day.
    pub active: Fraction,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub enum ActorNumber {
    Count(Count),
    /// Of all users.
    Share(Fraction),
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
    /// Where its users live, and sites may stand, square metres; without it distance takes no time.
    pub area: Option<Area>,
    /// Shape of the day in local time.
    pub diurnal: Diurnal,
    /// Its height, where the file states that.
    pub peak_to_mean: Option<Number>,
    pub origin: Origin,
}

/// A collection of stored objects.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Objects today.
    pub count: Count,
    /// Objects that come.
    pub growth: Option<Growth>,
    /// How long an object is kept; for ever where not said.
    pub retention: Option<Duration>,
    /// Mean bytes of one object.
    pub size: Size,
    /// The law of the sizes of objects.
    pub sizes: Distribution<Bytes>,
    /// Bytes of metadata kept for one object.
    pub metadata: Option<Size>,
    /// Which objects are asked for.
    pub popularity: Popularity,
    /// Share of the requested objects that new ones take the place of, a day.
    pub churn_per_day: Ratio,
    /// The tier that keeps it, where it is kept.
    pub stored_in: Option<TierId>,
    pub origin: Origin,
}

impl Dataset {
    /// What share of the objects a cache is ready to keep by their size, and their mean bytes.
    #[must_use]
    pub fn kept_by(&self, cache: &Cache) -> (f64, f64) {
        let all = (1.0, self.size.get());
        // An object as large as all the others fits or does not: a cache smaller than it is by mistake, and says so by
        // what little it answers.
        let bound = cache.size_max();
        match &self.sizes {
            Distribution::Constant(_) if cache.admit.max_size.is_none() || self.size.get() <= bound => all,
            Distribution::Constant(_) => (0.0, self.size.get()),
            law => SizeClasses::of(law).up_to(bound),
        }
    }
}

/// Where new objects come from.
#[derive(Debug, Clone)]
pub enum Growth {
    Rate(Rate),
    /// Every such action adds so many.
    By {
        action: ActionId,
        each: Number,
    },
}

/// Something users do.
#[derive(Debug, Clone)]
pub struct Action {
    pub demand: Demand,
    /// Shape of its own day; the regions' where not said.
    pub diurnal: Option<Diurnal>,
    /// The dataset whose objects it asks for.
    pub of: Option<DatasetId>,
    /// Caches never answer it, and every replica does its work.
    pub write: bool,
    /// Share of requests that replay something from the user's own recent past; they are served by the
    /// first tier of the path with scope [`Scope::User`](crate::tier::Scope::User).
    pub repeat: Fraction,
    /// Who goes first where a tier serves by priority: 0 before 1.
    pub priority: u32,
    /// Bytes of the request.
    pub request: Size,
    /// Bytes of the response (the object's size unless the file says otherwise).
    pub response: Size,
    /// What it sets off and waits for.
    pub calls: Calls,
    /// The tiers of `calls`, in the order in which they are first called; where `calls` is a chain, each
    /// calls the next, a cache only on a miss.
    pub path: Vec<TierId>,
    /// Messages sent without anybody waiting for them.
    pub then: Vec<Branch>,
    /// A connection that it opens and that stays.
    pub connection: Option<Connection>,
    /// How the load generator asks for it.
    pub http: Option<Http>,
    pub origin: Origin,
}

/// How often an action happens.
#[derive(Debug, Clone)]
pub enum Demand {
    /// Times per active user.
    PerUser(Rate),
    /// Times per active actor.
    PerActor(ActorId, Rate),
    /// Times for every action of another kind.
    PerAction(ActionId, Number),
    /// Times over all.
    Total(Rate),
}

/// A long-lived connection: how long it lasts and what keeps it alive.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The tier that holds it open.
    pub tier: TierId,
    pub lasts: Duration,
    pub heartbeat: Option<Heartbeat>,
}

/// What an open connection sends at intervals.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    pub every: Duration,
    /// Bytes of one.
    pub size: Size,
    pub calls: Calls,
}

/// An asynchronous message to a tier, sent by the client.
#[derive(Debug, Clone)]
pub struct Branch {
    pub tier: TierId,
    /// Bytes of the message.
    pub size: Size,
    /// The call of the tier, with what that does in turn.
    pub calls: Calls,
    pub http: Option<Http>,
}

/// An HTTP request template. `{object}` is the object's number (1 is the most popular), `{query}` a search text that
/// belongs to it ([`crate::catalogue::query`]), percent-encoded, and `{user}` the user's number, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Path with placeholders, starting with `/`.
    pub path: String,
    /// Body with placeholders.
    pub body: Option<String>,
    /// Header fields, with placeholders in their values.
    pub headers: Vec<(String, String)>,
    pub expect: Expect,
}

/// What an answer must be; otherwise the request has failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expect {
    /// Any 2xx where `None`.
    pub status: Option<u16>,
    /// Bytes of the body.
    pub length: Option<u64>,
    /// Texts in the body.
    pub contains: Vec<String>,
    /// SHA-256 of the body, 64 hexadecimal digits in lower case.
    pub sha256: Option<String>,
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
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Peak {
    Mean,
    /// Every region at its own peak.
    Peak,
    /// At this time of the day, seconds after 00:00 UTC: some regions are asleep.
    At(f64),
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
    /// How requests follow each other, if they do.
    pub sessions: Option<SessionPlan>,
    pub origin: Origin,
}

/// What users do in a session, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPlan {
    /// Share of sessions whose user has come before.
    pub returning: f64,
    pub steps: Vec<SessionStep>,
}

/// One thing that is done in a session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionStep {
    pub action: ActionId,
    /// Probability that it is done at all.
    pub share: f64,
    /// Times one after the other.
    pub times: u32,
    /// Probability that it is done once more, after those times and each time more.
    pub again: f64,
    /// Probability that the user leaves after it, each time.
    pub leave: f64,
    /// Time before what comes next.
    pub think: Distribution<Seconds>,
    /// It asks for what the session asked for last, of the same dataset.
    pub same: bool,
}

/// Sites of a load run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadSites {
    /// So many in all; all users are one region.
    All(u32),
    /// By region of the population, in its order: users stay in their regions.
    ByRegion(Vec<u32>),
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
    pub sites: LoadSites,
}

/// `spotify.yaml:14`, or `--set` with what it sets.
pub(crate) fn place(sources: &[SourceFile], origin: Origin) -> Option<String> {
    let source = sources.get(usize::from(origin.file)).filter(|_| origin.line > 0)?;
    if &*source.name == SETTING {
        return Some(format!("{SETTING} {}", source.text));
    }
    if &*source.name == SIZED {
        return Some(SIZED.to_owned());
    }
    Some(format!("{}:{}", source.name, origin.line))
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
        let Some(dataset) = action.of else { return false };
        !action.write && action.path.contains(&tier) && self.caches(tier, dataset)
    }

    /// The tiers in an order in which every call of every path goes forward.
    #[must_use]
    pub fn tier_order(&self) -> Vec<TierId> {
        crate::validate::tier_order(
            self.actions.values(),
            &self.tiers.values().map(|t| t.cache.is_some()).collect::<Vec<_>>(),
        )
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
        place(&self.sources, origin)
    }

    /// Sites over all regions.
    #[must_use]
    pub fn sites(&self) -> u32 {
        self.population.regions.iter().map(|r| r.sites).sum()
    }

    /// Mean rate of an action over the week and over all users, 1/s.
    #[must_use]
    pub fn mean_rate(&self, action: &Action) -> f64 {
        let population = &self.population;
        match &action.demand {
            Demand::PerUser(rate) => population.users.get() * population.active.get() * rate.get(),
            Demand::PerActor(id, rate) => self.active_actors(*id) * rate.get(),
            // Actions never rest on each other in a circle.
            Demand::PerAction(id, each) => self.mean_rate(&self.actions[*id]) * each.get(),
            Demand::Total(rate) => rate.get(),
        }
    }

    /// How many do it: active users, or active actors of a kind.
    #[must_use]
    pub fn people(&self, action: &Action) -> f64 {
        match &action.demand {
            Demand::PerActor(id, _) => self.active_actors(*id),
            Demand::PerAction(id, _) => self.people(&self.actions[*id]),
            Demand::PerUser(_) | Demand::Total(_) => {
                self.population.users.get() * self.population.active.get()
            }
        }
    }

    /// Objects that come, 1/s.
    #[must_use]
    pub fn growth_rate(&self, growth: &Growth) -> f64 {
        match growth {
            Growth::Rate(rate) => rate.get(),
            Growth::By { action, each } => self.mean_rate(&self.actions[*action]) * each.get(),
        }
    }

    /// Actors of a kind who are active on a day.
    #[must_use]
    pub fn active_actors(&self, id: ActorId) -> f64 {
        let actor = &self.population.actors[id];
        let number = match &actor.number {
            ActorNumber::Count(count) => count.get(),
            ActorNumber::Share(share) => self.population.users.get() * share.get(),
        };
        number * actor.active.get()
    }

    /// The shape of an action's day in a region.
    #[must_use]
    pub fn day_of<'s>(&'s self, action: &'s Action, region: usize) -> &'s Diurnal {
        action.diurnal.as_ref().unwrap_or(&self.population.regions[region].diurnal)
    }
}
