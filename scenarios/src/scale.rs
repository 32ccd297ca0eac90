//! The scaled-down scenario that one machine can play.
//!
//! What is kept: Zipf exponent, action mix, service times, round trips, the share of all data that a cache
//! holds, and (up to whole slots) the utilisation of every station. What changes: one region at a constant
//! rate, fewer sites, and links, which nothing on one machine emulates yet, are left out.

use crate::arrivals::{Diurnal, Weekly};
use crate::scenario::{ActorNumber, Demand, Peak, Region, Scenario};
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
        let peak = match load.at {
            Peak::Mean => 1.0,
            Peak::Peak => {
                let days: f64 = self.population.regions.iter().map(|r| r.share * r.diurnal.peak()).sum();
                days * self.population.weekly.peak()
            }
        };
        scaled.population.users = whole(&self.population.users, scale.users);
        scaled.population.downlink = None;
        scaled.population.weekly = Weekly::FLAT;
        scaled.events.clear();
        for actor in scaled.population.actors.values_mut() {
            if let ActorNumber::Count(count) = &mut actor.number {
                *count = count.times(scale.users);
            }
        }
        scaled.population.regions = vec![Region {
            name: "scaled".into(),
            share: 1.0,
            utc_offset_s: 0.0,
            sites: scale.sites,
            area: self.area_of_all(scale.sites),
            diurnal: Diurnal::Flat,
            peak_to_mean: None,
            origin: load.origin,
        }];
        for action in scaled.actions.values_mut() {
            let at = match (load.at, &action.diurnal) {
                (Peak::Peak, Some(day)) => day.peak() * self.population.weekly.peak(),
                _ => peak,
            };
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
            cache.capacity = cache.capacity.times(load.scale.objects * size_factor);
        }
        if let Some(station) = &mut tier.station {
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

fn whole(count: &Count, factor: f64) -> Count {
    let value = (count.get() * factor).round().max(1.0);
    let mut scaled = Count::given(value, &format!("{} x {factor}", count.text));
    scaled.origin = count.origin;
    scaled
}

#[cfg(test)]
mod tests {
    use crate::library::load;

    #[test]
    fn the_scaled_scenario_keeps_proportions() {
        let full = load("spotify").unwrap();
        let scaled = full.scaled_for_load().unwrap();
        assert_eq!(scaled.population.users.get(), 2e6);
        assert_eq!(scaled.datasets["song"].count.get(), 5_000.0);
        assert_eq!(scaled.datasets["song"].size.get(), 20_000.0);
        assert_eq!(scaled.actions["play"].response.get(), 20_000.0);
        let held = |s: &crate::Scenario| {
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
