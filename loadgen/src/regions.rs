//! Where requests come from: how the load was mixed over regions, and what the caches of each answered.
//!
//! Why by region and not by site: the sites of a region are alike, in the simulator as here, and fewer are counted
//! better. Why from the answers and not from the stack's metrics: an answer names the tier it came from, whatever the
//! target is made of, and the generator knows in whose name it asked.

use std::collections::BTreeMap;

use plimsoll_reports::record::{RegionCache, RegionMeasured};
use plimsoll_scenarios::Scenario;

use crate::schedule::Route;

/// Regions of a (scaled) scenario, in its order; none where there is only one.
#[derive(Debug, Default)]
pub struct Regions(Vec<Region>);

#[derive(Debug)]
struct Region {
    name: String,
    sites: u32,
    /// The first site that belongs to a later one.
    end: u32,
    share: f64,
}

impl Regions {
    pub fn of(scenario: &Scenario) -> Self {
        let regions = &scenario.population.regions;
        if regions.len() < 2 {
            return Self::default();
        }
        let mut end = 0;
        let region = |region: &plimsoll_scenarios::Region| {
            end += region.sites;
            Region { name: region.name.clone(), sites: region.sites, end, share: region.share }
        };
        Self(regions.iter().map(region).collect())
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Position of the region of a site; of a site that nobody has (a recorded trace may name one) the last.
    pub fn of_site(&self, site: u32) -> usize {
        self.0.partition_point(|region| region.end <= site).min(self.0.len().saturating_sub(1))
    }

    /// What was planned and seen, by region.
    pub fn measured(&self, routes: &[Route], planned: &[u64], seen: &[RegionRecord]) -> Vec<RegionMeasured> {
        let all = self.0.iter().zip(planned).zip(seen);
        all.map(|((region, &planned), seen)| RegionMeasured {
            name: region.name.clone(),
            sites: u64::from(region.sites),
            share: region.share,
            planned,
            sent: seen.sent,
            failed: seen.failed,
            caches: seen.caches(routes),
        })
        .collect()
    }
}

/// Requests of one region's users, in the seconds that count.
#[derive(Debug, Clone, Default)]
pub struct RegionRecord {
    pub sent: u64,
    pub failed: u64,
    /// Came to an end, well or not.
    pub ended: u64,
    /// Successes by route, then by the tier that answered, as far as responses name it.
    pub served_by: Vec<BTreeMap<String, u64>>,
}

impl RegionRecord {
    pub fn new(routes: usize) -> Self {
        Self { served_by: vec![BTreeMap::new(); routes], ..Self::default() }
    }

    pub fn add(&mut self, from: &Self) {
        self.sent += from.sent;
        self.failed += from.failed;
        self.ended += from.ended;
        for (into, from) in self.served_by.iter_mut().zip(&from.served_by) {
            for (tier, n) in from {
                crate::record::count(into, tier.clone(), *n);
            }
        }
    }

    pub fn clear(&mut self) {
        (self.sent, self.failed, self.ended) = (0, 0, 0);
        self.served_by.iter_mut().for_each(BTreeMap::clear);
    }

    /// What was sent and has not come to an end has failed.
    pub fn cut_off(&mut self) {
        self.failed += self.sent.saturating_sub(self.ended);
        self.ended = self.sent;
    }

    /// By cache, in path order: how many asked it, and which share of them it answered.
    fn caches(&self, routes: &[Route]) -> Vec<RegionCache> {
        let mut caches: Vec<(&str, u64, u64)> = Vec::new();
        for (route, served_by) in routes.iter().zip(&self.served_by) {
            let answered = |tier: &str| served_by.get(tier).copied().unwrap_or(0);
            // Whoever answers is behind all that come before it in the path.
            let mut left: u64 = served_by.values().sum();
            for tier in &route.tiers {
                let hits = answered(tier);
                if route.lookups.contains(tier) {
                    match caches.iter_mut().find(|(name, ..)| name == tier) {
                        Some((_, lookups, found)) => (*lookups, *found) = (*lookups + left, *found + hits),
                        None => caches.push((tier, left, hits)),
                    }
                }
                left -= hits;
            }
        }
        let asked = caches.into_iter().filter(|(_, lookups, _)| *lookups > 0);
        asked
            .map(|(tier, lookups, hits)| RegionCache {
                tier: tier.to_owned(),
                lookups: lookups as f64,
                hit_ratio: hits as f64 / lookups as f64,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Plan;
    use crate::targets::Targets;

    #[test]
    fn sites_belong_to_regions_and_hits_to_those_that_asked() {
        let mut scenario = plimsoll_scenarios::load("spotify").unwrap();
        let regions = scenario.population.regions.len();
        let load = scenario.load.as_mut().unwrap();
        load.scale.sites = plimsoll_scenarios::LoadSites::ByRegion((1..=regions as u32).collect());
        let scaled = scenario.scaled_for_load().unwrap();
        let places = Regions::of(&scaled);
        assert_eq!(places.len(), regions);
        assert_eq!([0, 1, 2, 3, 5, 6, 14, 99].map(|site| places.of_site(site)), [0, 1, 1, 2, 2, 3, 4, 4]);

        let targets = Targets { fallback: Some("http://127.0.0.1:1".into()), ..Targets::default() };
        let plan = Plan::new(&scaled, &targets).unwrap();
        let mut seen = RegionRecord::new(plan.routes.len());
        let play = plan.routes.iter().position(|route| route.name == "play").unwrap();
        for (tier, n) in [("edge", 60), ("shield", 10), ("audio-store", 30)] {
            seen.served_by[play].insert(tier.to_owned(), n);
        }
        (seen.sent, seen.ended) = (110, 100);
        seen.cut_off();
        let records = vec![seen; regions];
        let measured = places.measured(&plan.routes, &vec![120; regions], &records);
        let first = &measured[0];
        assert_eq!((first.name.as_str(), first.sites, first.planned), ("europe", 1, 120));
        assert_eq!((first.sent, first.failed), (110, 10));
        // Shield and metadata cache are those of all regions.
        let edge = RegionCache { tier: "edge".to_owned(), lookups: 100.0, hit_ratio: 0.6 };
        assert_eq!(first.caches, [edge]);
        assert!((measured.iter().map(|region| region.share).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
