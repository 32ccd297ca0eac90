//! A slice of a large system: one part in so many of its users and servers, and all that one of them sees.
//!
//! Why whole servers: a queue before half a server waits as no queue of the system does. A slice has whole servers at
//! the load that each has in the system. Catalogues and caches stay whole, and what a cache has is drawn from the
//! [law](super::kept) of the whole system; where a policy has none, datasets lose ranks evenly and caches the bytes of
//! these, so that what is left is nearly as popular as before and stays as long as before.

use plimsoll_scenarios::units::Count;
use plimsoll_scenarios::{ActorNumber, Demand, EventKind, Scenario, Scope};

use super::arrivals::affected;
use super::changes::ends;
use super::kept::Laws;
use crate::model;

/// Requests of one replication up to which a system is played whole.
pub const REQUESTS_MAX: f64 = 3e6;

/// What to expect of a whole system between two times, crowds included, where a request of an action counts as `each`.
#[must_use]
pub fn expected(scenario: &Scenario, (from_s, to_s): (f64, f64), each: &dyn Fn(usize) -> f64) -> f64 {
    let made = |(from_s, to_s): (f64, f64), times: &dyn Fn(usize, usize) -> f64| -> f64 {
        let regions = 0..scenario.population.regions.len();
        let all = scenario.actions.values().enumerate().flat_map(|(id, action)| {
            let of = move |region| {
                each(id) * times(id, region) * model::rate(scenario, action, region, from_s, to_s)
            };
            regions.clone().map(of)
        });
        all.sum::<f64>() * (to_s - from_s)
    };
    let crowds = scenario.events.iter().filter_map(|event| {
        let EventKind::FlashCrowd { factor, region, action } = &event.kind else { return None };
        let (from_s, to_s) = (from_s.max(event.at_s), to_s.min(ends(event)));
        let actions = affected(scenario, *action);
        let more = |id: usize, at: usize| {
            let there = actions[id] && region.is_none_or(|only| only == at);
            if there { (factor.get() - 1.0).max(0.0) } else { 0.0 }
        };
        (from_s < to_s).then(|| made((from_s, to_s), &more))
    });
    made((from_s, to_s), &|_, _| 1.0) + crowds.sum::<f64>()
}

/// The slice and what a reader should know of it.
#[derive(Debug)]
pub struct Slice {
    pub scenario: Scenario,
    /// One request in the slice stands for so many.
    pub factor: f64,
    /// How caches have objects, where all have a law; the catalogue is whole then.
    pub laws: Option<Laws>,
    /// Connections that were opened before it begins are open when it does.
    pub standing: bool,
    pub notes: Vec<String>,
}

/// One part in `factor` (1 or more) of a system.
#[must_use]
pub fn slice(scenario: &Scenario, factor: f64) -> Slice {
    let mut sliced = scenario.clone();
    let part = 1.0 / factor;
    let count = |value: f64| {
        let value = value.max(1.0);
        Count::given(value, &value.to_string())
    };
    sliced.population.users = count(scenario.population.users.get() * part);
    for actor in sliced.population.actors.values_mut() {
        if let ActorNumber::Count(number) = &mut actor.number {
            *number = count(number.get() * part);
        }
    }
    for region in &mut sliced.population.regions {
        let before = f64::from(region.sites);
        region.sites = (before * part).round().max(1.0) as u32;
        // As far from its users as before.
        region.area = region.area.as_ref().map(|area| area.times(f64::from(region.sites) / before));
    }
    for action in sliced.actions.values_mut() {
        if let Demand::Total(rate) = &mut action.demand {
            *rate = rate.times(part);
        }
    }
    let laws = Laws::of(scenario);
    if laws.is_none() {
        for dataset in sliced.datasets.values_mut() {
            dataset.count = count((dataset.count.get() * part).round());
            dataset.popularity = dataset.popularity.scaled(part);
        }
        for cache in sliced.tiers.values_mut().filter_map(|tier| tier.cache.as_mut()) {
            cache.capacity = cache.capacity.times(part);
            cache.memory = cache.memory.as_ref().map(|memory| memory.times(part));
        }
    }
    let mut small = Vec::new();
    for tier in 0..scenario.tiers.len() {
        if slice_tier(scenario, &mut sliced, tier, part) {
            small.push(scenario.tier_name(tier));
        }
    }
    let (what, caches) = if laws.is_some() {
        ("user and server", "; caches are as full as they usually are (Che)")
    } else {
        ("user, server and object", "")
    };
    let mut notes = vec![format!(
        "a slice is played: one {what} in {factor:.0}; counts are those of the whole system{caches}"
    )];
    if !small.is_empty() {
        notes.push(format!(
            "too few servers to be sliced: {}; whole servers are played at a part of their load, and their waits \
             are too short; a shorter `--window` plays a larger slice",
            small.join(", ")
        ));
    }
    Slice { scenario: sliced, factor, laws, standing: false, notes }
}

/// Slices a tier; `true` where its pools are smaller than that.
fn slice_tier(scenario: &Scenario, sliced: &mut Scenario, tier: usize, part: f64) -> bool {
    let sites = |scenario: &Scenario| f64::from(scenario.sites());
    let fewer_sites = sites(sliced) / sites(scenario);
    let whole = &scenario.tiers[tier];
    let here = &mut sliced.tiers[tier];
    if let Some(external) = &mut here.external {
        external.rate_max = external.rate_max.as_ref().map(|rate| rate.times(part));
    }
    let Some(station) = &mut here.station else {
        // The link of an instance; of fewer sites each keeps more of its own.
        let left = if whole.scope == Scope::Site { part / fewer_sites } else { part };
        here.link = here.link.as_ref().map(|link| link.times(left.min(1.0)));
        return false;
    };
    let before = station.servers.get();
    let wanted = before * part;
    station.servers = Count::given(wanted.max(1.0), &wanted.max(1.0).to_string());
    if let Some(scale) = &mut station.autoscale {
        for bound in [&mut scale.min, &mut scale.max] {
            *bound = Count::given((bound.get() * part).max(1.0), &bound.text.clone());
        }
    }
    let left = (wanted / before).min(1.0);
    for event in &mut sliced.events {
        if let EventKind::ServersDown { tier: of, servers, .. } = &mut event.kind
            && *of == tier
        {
            *servers = servers.times(left);
        }
    }
    // Shared out over places as whole servers, at least one each.
    let played: f64 = (0..model::places(sliced, tier))
        .map(|p| {
            let instances = model::instances_at(sliced, tier, p);
            model::pool(sliced, tier, p).map_or(0.0, |pool| (pool.servers * instances) as f64)
        })
        .sum();
    played > 1.25 * wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::load;

    #[test]
    fn a_slice_keeps_the_load_of_a_server_and_what_caches_hold() {
        let whole = load("spotify").unwrap();
        let sliced = slice(&whole, 100.0);
        let rate = |s: &Scenario| s.actions.values().map(|a| s.mean_rate(a)).sum::<f64>();
        assert!((rate(&whole) / rate(&sliced.scenario) / 100.0 - 1.0).abs() < 1e-9);
        let servers = |s: &Scenario| s.tiers["web"].station.as_ref().unwrap().servers.get();
        assert!((servers(&whole) / servers(&sliced.scenario) / 100.0 - 1.0).abs() < 0.01);
        assert_eq!(sliced.scenario.datasets["song"].count.get(), whole.datasets["song"].count.get());
        assert!(sliced.notes[0].contains("one user and server in 100"), "{:?}", sliced.notes);
    }

    #[test]
    fn a_policy_without_a_law_is_played_over_fewer_objects() {
        let text = std::fs::read_to_string("../scenarios/library/spotify.yaml").unwrap();
        assert!(text.contains("policy: lru"), "{text}");
        let text = text.replace("policy: lru", "policy: sieve");
        let source = plimsoll_scenarios::SourceFile::new("sieve.yaml", &text);
        let whole = Scenario::from_yaml(&source).unwrap();
        let sliced = slice(&whole, 100.0);
        assert!(sliced.laws.is_none());
        let held = |s: &Scenario| {
            s.tiers["edge"].cache.as_ref().unwrap().capacity.get()
                / (s.datasets["song"].count.get() * s.datasets["song"].size.get())
        };
        assert!((held(&whole) / held(&sliced.scenario) - 1.0).abs() < 1e-6);
    }
}
