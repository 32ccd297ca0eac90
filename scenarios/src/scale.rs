//! The scaled-down scenario that one machine can play.
//!
//! What is kept: Zipf exponent, action mix, service times, round trips, the share of all data that a cache
//! holds, and (up to whole slots) the utilisation of every station. What changes: rates stay as they are at one
//! time of the day, there are fewer sites, and links, which nothing on one machine emulates yet, are left out.
//!
//! Why one region unless the file gives each its sites: a region without a site of its own would share another's
//! caches, which its users never do. Where regions stay, each has the share of the demand that it has at that time,
//! and what there is one of in every region is there once: one machine is one place.

use crate::arrivals::{Diurnal, Weekly};
use crate::scenario::{ActorNumber, Demand, Load, LoadSites, Peak, Region, Scenario};
use crate::tier::Scope;
use crate::units::{Area, Count};

/// Why a scenario has no scaled-down form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{scenario} has no `load` section, so there is nothing to play\nhint: add `load: {{scale: {{users: 1/1000, objects: 1/1000}}}}` to it"
)]
pub struct NoLoad {
    pub scenario: String,
}

impl Scenario {
    /// The scenario as `load.scale` shrinks it.
    ///
    /// # Errors
    /// [`NoLoad`] where the scenario has no `load` section.
    pub fn scaled_for_load(&self) -> Result<Self, NoLoad> {
        let load = self.load.as_ref().ok_or_else(|| NoLoad { scenario: self.name.clone() })?;
        let scale = &load.scale;
        let mut scaled = self.clone();
        scaled.population.users = whole(&self.population.users, scale.users);
        scaled.population.downlink = None;
        scaled.population.weekly = Weekly::FLAT;
        scaled.events.clear();
        for actor in scaled.population.actors.values_mut() {
            if let ActorNumber::Count(count) = &mut actor.number {
                *count = count.times(scale.users);
            }
        }
        scaled.population.regions = self.scaled_regions(load);
        if scaled.population.regions.len() > 1 {
            let in_regions = scaled.tiers.values_mut().filter(|tier| tier.scope == Scope::Region);
            in_regions.for_each(|tier| tier.scope = Scope::Global);
        }
        for action in scaled.actions.values_mut() {
            let at = self.height(load.at, action.diurnal.as_ref());
            action.diurnal = None;
            action.demand = match &action.demand {
                Demand::PerUser(rate) => Demand::PerUser(rate.times(at)),
                Demand::PerActor(id, rate) => Demand::PerActor(*id, rate.times(at)),
                Demand::Total(rate) => Demand::Total(rate.times(at * scale.users)),
                Demand::PerAction(id, each) => Demand::PerAction(*id, each.clone()),
            };
            if let Some(factor) = action.of.and_then(|d| scale.sizes.get(&d)) {
                action.response = action.response.times(*factor);
            }
            let sizes = &scale.sizes;
            action.calls.each_mut(&mut |call| {
                if let Some(factor) = call.of.and_then(|d| sizes.get(&d)) {
                    call.response = call.response.times(*factor);
                }
            });
        }
        for (id, dataset) in scaled.datasets.values_mut().enumerate() {
            dataset.count = whole(&dataset.count, scale.objects);
            dataset.popularity = dataset.popularity.scaled(scale.objects);
            let size = scale.sizes.get(&id).copied().unwrap_or(1.0);
            dataset.size = dataset.size.times(size);
            dataset.sizes = dataset.sizes.scale(size);
        }
        if let Some(plan) = &load.sessions {
            // Formulas and engines go by rates, and these are now what sessions make of them.
            for (action, demand) in plan.demands(&scaled) {
                scaled.actions[action].demand = demand;
            }
            scaled.sessions = Some(plan.clone());
        }
        for tier in 0..scaled.tiers.len() {
            let size_factor = self.cached_size_factor(tier);
            self.scale_tier(&mut scaled, tier, size_factor);
        }
        Ok(scaled)
    }

    /// The area on which so many sites are as far from users as those of all regions are on average.
    fn area_of_all(&self, sites: u32) -> Option<Area> {
        let regions = self.population.regions.iter();
        let side = |region: &Region| {
            let area = region.area.as_ref()?.get();
            Some(region.share * (area / f64::from(region.sites)).sqrt())
        };
        let side: f64 = regions.filter_map(side).sum();
        (side > 0.0).then(|| Area::given(side * side * f64::from(sites), "as far as all regions on average"))
    }

    /// One region of all users, or every region with its share of the demand at the time that is played.
    fn scaled_regions(&self, load: &Load) -> Vec<Region> {
        let flat = |name: &str, share, sites, area| Region {
            name: name.to_owned(),
            share,
            utc_offset_s: 0.0,
            sites,
            area,
            diurnal: Diurnal::Flat,
            peak_to_mean: None,
            origin: load.origin,
        };
        let by_region = match &load.scale.sites {
            LoadSites::All(sites) => {
                return vec![flat("scaled", 1.0, *sites, self.area_of_all(*sites))];
            }
            LoadSites::ByRegion(by_region) => by_region,
        };
        let regions = &self.population.regions;
        let demand = |region: &Region| region.share * height(load.at, region, &region.diurnal);
        let of_all: f64 = regions.iter().map(demand).sum();
        // As far from a site as they were.
        let area_of = |region: &Region, sites: u32| {
            let each = region.area.as_ref()?.get() / f64::from(region.sites);
            Some(Area::given(each * f64::from(sites), "as far as in the whole"))
        };
        // Where nobody is up anywhere, all are as quiet.
        let share = |region| if of_all > 0.0 { demand(region) / of_all } else { region.share };
        regions
            .iter()
            .zip(by_region)
            .map(|(region, &sites)| flat(&region.name, share(region), sites, area_of(region, sites)))
            .collect()
    }

    /// Demand of the whole population at a time over its mean, of an action that has a day of its own or of all others.
    fn height(&self, at: Peak, own: Option<&Diurnal>) -> f64 {
        let regions = &self.population.regions;
        let days = match (at, own) {
            (Peak::Mean, _) => return 1.0,
            (Peak::Peak, Some(day)) => day.peak(),
            (_, own) => regions.iter().map(|r| r.share * height(at, r, own.unwrap_or(&r.diurnal))).sum(),
        };
        days * self.population.weekly.peak()
    }

    /// How the sizes of what a tier caches shrink: by the datasets of the actions that pass it, weighted by
    /// their rates. A cache is looked up by the actions that ask for something it can hold.
    fn cached_size_factor(&self, tier: usize) -> f64 {
        let Some(load) = &self.load else { return 1.0 };
        let (mut weight, mut sum) = (0.0, 0.0);
        for action in self.actions.values().filter(|a| self.looks_up(a, tier)) {
            let factor = action.of.and_then(|d| load.scale.sizes.get(&d)).copied().unwrap_or(1.0);
            let rate = self.mean_rate(action);
            weight += rate;
            sum += rate * factor;
        }
        if weight > 0.0 { sum / weight } else { 1.0 }
    }

    fn scale_tier(&self, scaled: &mut Self, id: usize, size_factor: f64) {
        let Some(load) = &self.load else { return };
        let tier = &mut scaled.tiers[id];
        tier.link = None;
        if let Some(cache) = &mut tier.cache {
            let smaller = load.scale.objects * size_factor;
            cache.capacity = cache.capacity.times(smaller);
            cache.memory = cache.memory.as_ref().map(|memory| memory.times(smaller));
            cache.admit.max_size = cache.admit.max_size.as_ref().map(|size| size.times(size_factor));
        }
        if let Some(station) = &mut tier.station {
            station.kinds.iter_mut().for_each(|kind| kind.link = None);
            // At least two servers where there were two, so that balancing is played too; the slots follow
            // the users, so that utilisation stays as it was.
            let slots = station.servers.get() * station.concurrency.get() * load.scale.users;
            let least = station.servers.get().min(2.0);
            let servers = (station.servers.get() * load.scale.users).round().max(least);
            let concurrency = (slots / servers).round().max(1.0);
            station.servers = Count::given(servers, &servers.to_string());
            station.concurrency = Count::given(concurrency, &concurrency.to_string());
        }
    }
}

/// Demand at a time over its mean, in a region whose users have this day.
fn height(at: Peak, region: &Region, day: &Diurnal) -> f64 {
    match at {
        Peak::Mean => 1.0,
        Peak::Peak => day.peak(),
        Peak::At(utc_s) => day.at(utc_s + region.utc_offset_s),
    }
}

fn whole(count: &Count, factor: f64) -> Count {
    let value = (count.get() * factor).round().max(1.0);
    let mut scaled = Count::given(value, &format!("{} x {factor}", count.text));
    scaled.origin = count.origin;
    scaled
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::SourceFile;
    use crate::library::load;
    use crate::scenario::Scenario;
    use crate::tier::Scope;

    /// Two regions, the second asleep when the first has its evening.
    fn two_regions(load: &str) -> Result<Scenario, String> {
        let text = format!(
            "name: t\npopulation:\n  users: 1 M\n  diurnal: {{peak_to_mean: 2, peak_at: 20:00}}\n  regions:\n    \
             - {{name: west, share: 60 %, sites: 9}}\n    - {{name: east, share: 40 %, utc_offset: +12 h, sites: 5}}\n\
             datasets: {{page: {{count: 10 K, size: 1 KB, popularity: {{zipf: 1.0}}}}}}\n\
             actions:\n  view: {{per_user: 8640/day, of: page, path: [edge, web]}}\n\
             tiers:\n  edge: {{per: site, cache: {{policy: lru, capacity: 100 KB}}}}\n  web: {{per: region, servers: 10, service_time: 1 ms}}\n\
             load:\n{load}"
        );
        Scenario::from_yaml(&SourceFile::new("t.yaml", &text)).map_err(|problems| problems.to_string())
    }

    #[test]
    fn regions_with_sites_keep_their_users_and_their_share_of_the_demand_of_the_hour() {
        let scale = "users: 1/1000, objects: 1/10, sites: {east: 2, west: 3}";
        let scaled = |at: &str| {
            let scenario = two_regions(&format!("  scale: {{{scale}}}\n  at: {at}\n")).unwrap();
            scenario.scaled_for_load().unwrap()
        };
        let view = |s: &Scenario| s.mean_rate(&s.actions["view"]);
        let mean = scaled("mean");
        let regions: Vec<_> =
            mean.population.regions.iter().map(|r| (r.name.as_str(), r.share, r.sites)).collect();
        assert_eq!(regions, [("west", 0.6, 3), ("east", 0.4, 2)]);
        assert!((view(&mean) - 100.0).abs() < 1e-9);
        assert_eq!(mean.tiers["web"].scope, Scope::Global);
        assert_eq!(mean.tiers["edge"].scope, Scope::Site);
        // At its own peak each, so all have twice as much.
        assert!((view(&scaled("peak")) - 200.0).abs() < 1e-9);

        let evening = scaled("20:00");
        let day = &two_regions("  scale: {}\n").unwrap().population.regions[0].diurnal;
        let (west, east) = (0.6 * day.at(20.0 * 3_600.0), 0.4 * day.at(8.0 * 3_600.0));
        assert!(west > 5.0 * east, "{west} {east}");
        let shares: Vec<f64> = evening.population.regions.iter().map(|r| r.share).collect();
        assert!(
            (shares[0] - west / (west + east)).abs() < 1e-12 && (shares[0] + shares[1] - 1.0).abs() < 1e-12
        );
        assert!((view(&evening) - 100.0 * (west + east)).abs() < 1e-9, "{}", view(&evening));

        // The requests are mixed so, each at a site of its region.
        let all: Vec<_> = crate::trace::requests(&evening, 1, 200.0).collect();
        let east = all.iter().filter(|request| request.region == 1).count() as f64 / all.len() as f64;
        assert!((east - shares[1]).abs() < 0.02, "{east} of {}, {} by the scenario", all.len(), shares[1]);
        assert!(all.iter().all(|request| (request.region == 1) == (3..5).contains(&request.site)));
    }

    #[test]
    fn sites_by_region_name_every_region_and_no_other() {
        for (load, says) in [
            ("{west: 1}", "says nothing of `east`"),
            ("{west: 1, east: 1, north: 1}", "no region is named `north`"),
            ("{west: 1, east: 0}", "load.scale.sites.east is 0"),
            ("{west: 9999, east: 2}", "10001 sites in all"),
            ("none", "load.scale.sites"),
        ] {
            let error = two_regions(&format!("  scale: {{sites: {load}}}\n")).unwrap_err();
            assert!(error.contains(says), "{load}: {error}");
        }
        let error = two_regions("  scale: {}\n  at: noon\n").unwrap_err();
        assert!(
            error.contains("load.at: unknown value `noon`") && error.contains("or a time of day"),
            "{error}"
        );
        let error = two_regions("  scale: {}\n  at: 25:00\n").unwrap_err();
        assert!(error.contains("load.at"), "{error}");
    }

    #[test]
    fn the_scaled_scenario_keeps_proportions() {
        let full = load("spotify").unwrap();
        let scaled = full.scaled_for_load().unwrap();
        assert_eq!(scaled.population.users.get(), 2e6);
        assert_eq!(scaled.datasets["song"].count.get(), 5_000.0);
        assert_eq!(scaled.datasets["song"].size.get(), 20_000.0);
        assert_eq!(scaled.actions["play"].response.get(), 20_000.0);
        let held = |s: &Scenario| {
            s.tiers["edge"].cache.as_ref().unwrap().capacity.get()
                / (s.datasets["song"].count.get() * s.datasets["song"].size.get())
        };
        assert!((held(&full) / held(&scaled) - 1.0).abs() < 1e-9);
        let rate = scaled.mean_rate(&scaled.actions["play"]);
        assert!((rate - 2.0 * 347_222.2 / 500.0).abs() < 0.1, "{rate}");
        let web = scaled.tiers["web"].station.as_ref().unwrap();
        assert_eq!(web.servers.get() * web.concurrency.get(), 10.0);
    }
}
