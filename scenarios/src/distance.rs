//! How far users are from the nearest site, and what that adds to a round trip.
//!
//! Why a mean: sites that are put where there happens to be room lie like points thrown at random, and then the mean
//! distance to the nearest of `n` on an area `A` is half of `sqrt(A/n)` (Clark and Evans, "Distance to nearest neighbor
//! as a measure of spatial relationships in populations", Ecology 35, 1954). One figure for all users of a region is
//! what a plan can weigh sites by, and every engine takes it from here. Light in glass has two thirds of its speed, and
//! cables are longer than the way of a crow, by the path stretch.

use crate::calls::{Call, Calls};
use crate::scenario::{Region, Scenario, TierId};
use crate::tier::{Scope, Tier};
use crate::units::Quantity;
use indexmap::IndexMap;

/// Speed of light in fibre, m/s: two thirds of that in the void.
pub const FIBRE_M_PER_S: f64 = 299_792_458.0 * 2.0 / 3.0;
/// Line-of-sight distance times this, over the speed of light in fibre, is what latencies of the Internet come to
/// (Bozkurt et al., "Dissecting latency in the Internet's fiber infrastructure", arXiv 1811.10737, 2018).
pub const PATH_STRETCH: f64 = 2.1;

/// Mean distance to the nearest of `sites` on an area (m²), m.
#[must_use]
pub fn mean_distance_m(area_m2: f64, sites: f64) -> f64 {
    0.5 * (area_m2 / sites.max(1.0)).sqrt()
}

/// A round trip over a distance (m) by cables so many times as long, s.
#[must_use]
pub fn round_trip_s(distance_m: f64, path_stretch: f64) -> f64 {
    2.0 * distance_m * path_stretch / FIBRE_M_PER_S
}

impl Scenario {
    /// What the way to the nearest of so many sites adds to the round trip of a region's users, s; 0 where the region
    /// does not say how large it is.
    #[must_use]
    pub fn distance_s(&self, region: &Region, sites: u32) -> f64 {
        region.area.as_ref().map_or(0.0, |area| {
            let distance = mean_distance_m(area.get(), f64::from(sites));
            round_trip_s(distance, self.population.path_stretch.get())
        })
    }

    /// Round trip of a call in a region, s: what its tier says, and the way to the nearest site where users call one.
    #[must_use]
    pub fn round_trip(&self, call: &Call, region: usize) -> f64 {
        self.round_trip_with(call, region, 0)
    }

    /// The same where so many of the region's sites are gone.
    #[must_use]
    pub fn round_trip_with(&self, call: &Call, region: usize, gone: u32) -> f64 {
        let stated = self.tiers[call.tier].rtt.as_ref().map_or(0.0, Quantity::get);
        match self.population.regions.get(region).filter(|_| self.crosses(call)) {
            Some(region) => stated + self.distance_s(region, region.sites.saturating_sub(gone).max(1)),
            None => stated,
        }
    }

    /// Whether a call crosses the distance between users and sites.
    #[must_use]
    pub fn crosses(&self, call: &Call) -> bool {
        call.from_user && self.tiers[call.tier].scope == Scope::Site
    }

    /// The calls of a tier that cross the distance between users and sites, in some action.
    #[must_use]
    pub fn is_crossed_to(&self, tier: TierId) -> bool {
        let mut found = false;
        self.each_call(&mut |call| found |= call.tier == tier && self.crosses(call));
        found
    }

    /// The mean over all users of what the way to the nearest site adds to a round trip, s.
    #[must_use]
    pub fn mean_distance_s(&self) -> f64 {
        let regions = self.population.regions.iter();
        regions.map(|region| region.share * self.distance_s(region, region.sites)).sum()
    }

    /// Every call of every action.
    fn each_call<'a>(&'a self, visit: &mut dyn FnMut(&'a Call)) {
        for action in self.actions.values() {
            let beat = action.connection.as_ref().and_then(|c| c.heartbeat.as_ref());
            let messages = action.then.iter().map(|branch| &branch.calls);
            for calls in std::iter::once(&action.calls).chain(messages).chain(beat.map(|b| &b.calls)) {
                calls.each(false, &mut |call, _| visit(call));
            }
        }
    }

    /// Marks the calls that users and their devices make.
    pub(crate) fn mark_users_calls(&mut self) {
        let Self { actions, tiers, .. } = self;
        for action in actions.values_mut() {
            mark(&mut action.calls, tiers, true);
            for branch in &mut action.then {
                mark(&mut branch.calls, tiers, true);
            }
            if let Some(beat) = action.connection.as_mut().and_then(|c| c.heartbeat.as_mut()) {
                mark(&mut beat.calls, tiers, true);
            }
        }
    }
}

fn mark(calls: &mut Calls, tiers: &IndexMap<String, Tier>, from_user: bool) {
    match calls {
        Calls::Nothing => {}
        Calls::One(call) => {
            call.from_user = from_user;
            let on_device = tiers[call.tier].scope == Scope::User;
            mark(&mut call.next, tiers, from_user && on_device);
        }
        Calls::Sequence(list) | Calls::Parallel { branches: list, .. } => {
            for calls in list {
                mark(calls, tiers, from_user);
            }
        }
        Calls::Async(calls) => mark(calls, tiers, from_user),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::rng::Stream;

    fn scenario(regions: &str) -> Scenario {
        let text = format!(
            "name: far\npopulation: {{users: 1 M, regions: [{regions}]}}\ndatasets: {{page: {{count: 1 M, size: 10 KB}}}}\n\
             actions: {{view: {{per_user: 1/day, of: page, path: [device, door, edge, home]}}}}\n\
             tiers:\n  device: {{per: user, cache: {{capacity: 1 MB}}}}\n  door: {{per: site, rtt: 10 ms}}\n  \
             edge: {{per: site, rtt: 1 ms}}\n  home: {{per: region, rtt: 30 ms, servers: 1, service_time: 1 ms}}\n\
             load: {{scale: {{users: 1/10, sites: 3}}}}\n"
        );
        Scenario::from_yaml(&SourceFile::new("far.yaml", &text)).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The round trips of the way from the device inwards, s.
    fn trips(scenario: &Scenario, region: usize) -> Vec<f64> {
        let mut found = Vec::new();
        scenario.actions["view"]
            .calls
            .each(false, &mut |call, _| found.push(scenario.round_trip(call, region)));
        found
    }

    #[test]
    fn points_thrown_at_random_are_as_far_as_clark_and_evans_say() {
        let mut draws = Stream::new(5, "test", "distance", 0);
        let (sites, users) = (400, 20_000);
        let points: Vec<(f64, f64)> = (0..sites).map(|_| (draws.uniform(), draws.uniform())).collect();
        let near = |x: f64, y: f64| {
            // On a torus: no edges.
            let apart = |a: f64, b: f64| (a - b).abs().min(1.0 - (a - b).abs());
            points.iter().map(|p| apart(p.0, x).hypot(apart(p.1, y))).fold(f64::INFINITY, f64::min)
        };
        let sum: f64 = (0..users).map(|_| near(draws.uniform(), draws.uniform())).sum();
        let (seen, said) = (sum / f64::from(users), mean_distance_m(1.0, f64::from(sites)));
        assert!((seen / said - 1.0).abs() < 0.05, "{seen} {said}");
    }

    #[test]
    fn users_cross_the_distance_once_and_to_sites_only() {
        let far = scenario("{name: a, share: 100 %, area: 9 M km2, sites: 9}");
        // 500 km as the crow flies, 2,100 km of cable there and back.
        let way = 2.0 * 500e3 * 2.1 / FIBRE_M_PER_S;
        assert!((way - 0.0105).abs() < 1e-4);
        let trips = trips(&far, 0);
        assert_eq!((trips[0], trips[2], trips[3]), (0.0, 0.001, 0.030));
        assert!((trips[1] - 0.010 - way).abs() < 1e-12, "{trips:?}");
        let (door, edge) = (far.tier("door").unwrap().0, far.tier("edge").unwrap().0);
        assert!(far.is_crossed_to(door) && !far.is_crossed_to(edge));
    }

    #[test]
    fn four_times_the_sites_are_half_as_far_and_no_area_is_no_distance() {
        let far =
            scenario("{name: a, share: 60 %, area: 8 M km2, sites: 2}, {name: b, share: 40 %, sites: 7}");
        let here = &far.population.regions[0];
        assert!((far.distance_s(here, 2) / far.distance_s(here, 8) - 2.0).abs() < 1e-9);
        assert_eq!(trips(&far, 1)[1], 0.010);
        assert!((far.mean_distance_s() - 0.6 * far.distance_s(here, 2)).abs() < 1e-15);
        let straight = crate::load_with("cdn", &["population.path_stretch=1".to_owned()]).unwrap();
        assert_eq!(straight.population.path_stretch.get(), 1.0);
    }

    #[test]
    fn a_scaled_scenario_is_as_far_as_all_regions_are_on_average() {
        let far = scenario(
            "{name: a, share: 60 %, area: 8 M km2, sites: 2}, {name: b, share: 40 %, area: 1 M km2, sites: 7}",
        );
        let scaled = far.scaled_for_load().unwrap();
        assert_eq!(scaled.sites(), 3);
        assert!((scaled.mean_distance_s() / far.mean_distance_s() - 1.0).abs() < 1e-9);
        let nowhere = scenario("{name: a, share: 100 %, sites: 9}").scaled_for_load().unwrap();
        assert!(nowhere.population.regions[0].area.is_none());
    }
}
