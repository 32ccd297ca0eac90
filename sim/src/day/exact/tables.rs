//! What all places of an exact day share: who asks for what at which level, and what formulas say by bucket.

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::popularity::Law;
use plimsoll_scenarios::{Cache, DatasetId, Scope, TierId};

use super::super::mean_field;
use super::super::setup::Setup;
use super::super::streams::Source;
use super::TooLarge;
use super::place::{Level, Place};
use super::ranks::{Draws, buckets, first};
use crate::analytic::caches::Standing;
use crate::cache::Sizes;
use crate::model;

/// Bytes that caches and misses may take.
const MEMORY_MAX: f64 = 12e9;
/// Bytes of a cache for an object that it is asked for, whether it holds it or not, and for one that it may hold.
const BYTES_ASKED: f64 = 5.0;
const BYTES_HELD: f64 = 16.0;
/// What rules add for an object that it is asked for: its age, its place in a history, and whether that knows it.
const BYTES_RULED: f64 = 9.0;
/// Bytes of a request that one place hands on to another.
const BYTES_MISSED: f64 = 4.0;
/// Objects that ids can tell apart in one cache.
const IDS_MAX: u64 = 4_000_000_000;

/// Ids kept apart for one that is in use, at most.
const SPARE_MAX: f64 = 4.0;

/// The formulas' word on the objects of a dataset at a tier, by bucket of ranks.
#[derive(Debug, Clone)]
pub(super) struct ByBucket {
    /// Probability that the cache holds it; of one that every server has of its own, that a lookup finds it.
    pub hit: Vec<f32>,
    /// The rate that says how long ago it was asked for, 1/s.
    pub rate: Vec<f32>,
    /// How it stands with the rules of the cache; empty where it has none.
    pub standing: Vec<Standing>,
}

/// A source with what draws its objects.
pub(super) struct Own<'s> {
    pub source: &'s Source,
    pub level: Level,
    pub draws: Draws,
    /// It makes objects stale, and asks for none.
    pub write: bool,
}

/// A tier's cache: which datasets it is asked for, numbered one after the other.
pub(super) struct Asked {
    pub tier: TierId,
    pub level: Level,
    /// Datasets with the first id of each.
    pub datasets: Vec<(DatasetId, u32)>,
    pub ids: u32,
    pub sizes: Sizes,
    /// By dataset of the list.
    pub formula: Vec<ByBucket>,
    /// Every server has a cache of its own, so that the formula stands for all of them.
    pub mean_field: bool,
}

pub(super) struct Tables<'s, 'a> {
    pub setup: &'s Setup<'a>,
    pub own: Vec<Own<'s>>,
    /// In the order of the calls, callers first.
    pub asked: Vec<Asked>,
    /// By dataset.
    pub laws: Vec<Option<Law>>,
    /// Groups of datasets that meet in caches; each is played by itself.
    pub groups: Vec<Vec<DatasetId>>,
    /// Requests of the day that sources make.
    pub expected: f64,
    /// Requests of the day that devices answer.
    pub local: u64,
}

impl<'s, 'a> Tables<'s, 'a> {
    pub fn of(setup: &'s Setup<'a>) -> Result<Self, TooLarge> {
        let scenario = setup.scenario;
        let law = |d: DatasetId| setup.blocks[d].as_ref().map(|b| b.law.clone());
        let laws: Vec<Option<Law>> = (0..scenario.datasets.len()).map(law).collect();
        let mut asked = Vec::new();
        for &tier in &setup.order {
            if let Some(level) = level_of(scenario.tiers[tier].scope).filter(|_| setup.instances(tier) > 0) {
                asked.push(ask(setup, &laws, tier, level)?);
            }
        }
        let week = scenario.population.weekly.peak();
        let (mut own, mut expected, mut local) = (Vec::new(), 0.0, 0.0);
        for source in &setup.sources {
            let Some(law) = &laws[source.dataset] else { continue };
            let draws = Draws::new(law, &|p| left(source, p));
            let requests = source.rate * week * DAY_S;
            expected += requests * draws.left;
            local += requests * (1.0 - draws.left);
            own.push(Own { source, level: lowest(setup, &source.entries), draws, write: false });
        }
        for source in &setup.writes {
            let Some(law) = &laws[source.dataset] else { continue };
            let draws = Draws::new(law, &|_| 1.0);
            own.push(Own { source, level: lowest(setup, &source.entries), draws, write: true });
        }
        let mut groups: Vec<Vec<DatasetId>> = Vec::new();
        for (dataset, law) in laws.iter().enumerate() {
            if law.is_some() && !groups.iter().flatten().any(|&d| d == dataset) {
                groups.push(super::super::blocks::sharing(scenario, &setup.flow, dataset, 0.0));
            }
        }
        Ok(Self { setup, own, asked, laws, groups, expected, local: local as u64 })
    }

    /// Whether all of it can be in memory: a place for every thread, and the misses of the largest two regions.
    pub fn fits(&self, threads: usize) -> Result<(), TooLarge> {
        let scenario = self.setup.scenario;
        let cache = |asked: &&Asked| {
            let size =
                asked.datasets.iter().map(|&(d, _)| scenario.datasets[d].size.get()).fold(f64::MAX, f64::min);
            let here = scenario.tiers[asked.tier].cache.as_ref();
            let capacity = here.map_or(0.0, |c| c.capacity.get());
            let ruled = here.is_some_and(Cache::has_rules);
            let each = if ruled { BYTES_ASKED + BYTES_RULED } else { BYTES_ASKED };
            each * f64::from(asked.ids) + BYTES_HELD * (capacity / size).min(f64::from(asked.ids))
        };
        let at = |level: Level| {
            let of = self.asked.iter().filter(|a| a.level == level && !a.mean_field);
            of.map(|a| cache(&a)).sum::<f64>()
        };
        let caches = [Level::Site, Level::Region, Level::Global].map(at).into_iter().fold(0.0, f64::max);
        let largest = scenario.population.regions.iter().map(|r| r.share).fold(0.0, f64::max);
        let [_, to_regions, to_all] = self.handed_on();
        let bytes = caches * threads.max(1) as f64
            + BYTES_MISSED * to_regions.mul_add((2.0 * largest).min(1.0), to_all);
        if bytes > MEMORY_MAX {
            return Err(TooLarge::Memory {
                scenario: scenario.name.clone(),
                gigabytes: (bytes / 1e9).ceil() as u64,
                most: (MEMORY_MAX / 1e9) as u64,
            });
        }
        Ok(())
    }

    /// Requests of the day that places of a level get from those of the levels before, by level, in the mean.
    fn handed_on(&self) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for own in &self.own {
            let requests = own.source.rate * DAY_S * own.draws.left;
            hand_on(self.setup, own.level, &own.source.entries, requests, &mut sums);
        }
        sums
    }

    /// The places of a level in a region (and site), one for every group of datasets that something is played of
    /// there.
    pub fn places(&self, level: Level, region: usize, site: usize) -> impl Iterator<Item = Place> + '_ {
        (0..self.groups.len())
            .filter(move |&g| {
                let here = |a: &Asked| {
                    a.level == level && a.datasets.iter().any(|(d, _)| self.groups[g].contains(d))
                };
                let own = |o: &Own<'_>| o.level == level && self.groups[g].contains(&o.source.dataset);
                self.asked.iter().any(here) || self.own.iter().any(own)
            })
            .map(move |group| Place { level, region, site, group })
    }

    /// Ids kept apart for objects that take the place of others.
    pub fn spare(&self, dataset: DatasetId) -> u32 {
        spare(self.setup, dataset)
    }

    /// Requests of a source in an epoch of a place, in the mean.
    pub fn mean(&self, own: &Own<'_>, place: Place, from_s: f64, to_s: f64, passes: f64) -> f64 {
        let scenario = self.setup.scenario;
        let action = &scenario.actions[own.source.action];
        let rate = |region: usize| model::rate(scenario, action, region, from_s, to_s);
        let regions = scenario.population.regions.iter();
        let rate = match place.level {
            Level::Site => rate(place.region) / f64::from(scenario.population.regions[place.region].sites),
            Level::Region => rate(place.region),
            Level::Global => regions.enumerate().map(|(r, _)| rate(r)).sum(),
        };
        rate * own.source.number * own.draws.left * passes * (to_s - from_s)
    }
}

/// As many as come in a day, or so many that one that comes back is long forgotten.
fn spare(setup: &Setup<'_>, dataset: DatasetId) -> u32 {
    let data = &setup.scenario.datasets[dataset];
    (data.churn_per_day.get().min(SPARE_MAX) * 1.1 * data.count.get()).min(IDS_MAX as f64 / 2.0).ceil() as u32
}

/// What the device leaves of requests for an object of probability `p`.
pub(super) fn left(source: &Source, p: f64) -> f64 {
    source.device.map_or(1.0, |device| (1.0 - device.repeat) * (1.0 - device.hit(p)))
}

fn level_of(scope: Scope) -> Option<Level> {
    match scope {
        Scope::User => None,
        Scope::Site => Some(Level::Site),
        Scope::Region => Some(Level::Region),
        Scope::Global => Some(Level::Global),
    }
}

fn hand_on(setup: &Setup<'_>, from: Level, to: &[(usize, f64)], requests: f64, sums: &mut [f64; 3]) {
    for &(node, number) in to {
        let level =
            level_of(setup.scenario.tiers[setup.flow.nodes[node].call.tier].scope).unwrap_or(from).max(from);
        for sum in &mut sums[from as usize + 1..=level as usize] {
            *sum += requests * number;
        }
        let missed = requests * number * (1.0 - setup.chain.hits[node]);
        hand_on(setup, level, &setup.next[node], missed, sums);
    }
}

/// The outermost level at which any lookup from these on is made.
fn lowest(setup: &Setup<'_>, from: &[(usize, f64)]) -> Level {
    let each = from.iter().map(|&(node, _)| {
        let scope = setup.scenario.tiers[setup.flow.nodes[node].call.tier].scope;
        level_of(scope).unwrap_or(Level::Global).min(lowest(setup, &setup.next[node]))
    });
    each.min().unwrap_or(Level::Global)
}

fn ask(setup: &Setup<'_>, laws: &[Option<Law>], tier: TierId, level: Level) -> Result<Asked, TooLarge> {
    let scenario = setup.scenario;
    let (mut ids, mut datasets, mut known, mut formula) = (0_u64, Vec::new(), Vec::new(), Vec::new());
    for dataset in setup.looked_up(tier) {
        let Some(law) = &laws[dataset] else { continue };
        datasets.push((dataset, ids as u32));
        known.push((ids as u32, &scenario.datasets[dataset], 1.0));
        ids += law.count() + u64::from(spare(setup, dataset));
        if ids > IDS_MAX {
            return Err(TooLarge::Objects { tier: scenario.tier_name(tier).to_owned(), objects: ids });
        }
        formula.push(by_bucket(setup, law, tier, dataset));
    }
    let sizes = Sizes::of_datasets(known.into_iter());
    let mean_field = scenario.tiers[tier].cache.as_ref().is_some_and(|c| c.per_server);
    Ok(Asked { tier, level, datasets, ids: ids as u32, sizes, formula, mean_field })
}

fn by_bucket(setup: &Setup<'_>, law: &Law, tier: TierId, dataset: DatasetId) -> ByBucket {
    let n = buckets(law.count());
    let (mut hit, mut rate, mut standing) = (Vec::with_capacity(n), Vec::with_capacity(n), Vec::new());
    let cache = setup.scenario.tiers[tier].cache.as_ref();
    let (ruled, per_server) = (cache.is_some_and(Cache::has_rules), cache.is_some_and(|c| c.per_server));
    for bucket in 0..n {
        let middle = (first(bucket) + first(bucket + 1).min(law.count()) - 1) / 2;
        let p = law.p(middle);
        let asked = mean_field::asked(setup, tier, dataset, p);
        let Some(solved) = setup.chain.caches[tier].filter(|_| !per_server) else {
            hit.push(mean_field::found(setup, tier, dataset, p) as f32);
            rate.push(asked.rate as f32);
            continue;
        };
        let stands = solved.standing(asked, mean_field::written(setup, tier, dataset, p));
        hit.push(stands.recent as f32);
        rate.push(solved.equivalent_rate(asked, stands.recent) as f32);
        if ruled {
            standing.push(stands);
        }
    }
    ByBucket { hit, rate, standing }
}
