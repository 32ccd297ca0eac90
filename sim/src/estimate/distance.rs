//! The way between users and the nearest site, where regions say how large they are.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::distance::{mean_distance_m, round_trip_s};
use plimsoll_scenarios::{Call, TierId};

use super::book::Book;
use super::latency::GROUP;
use crate::sheet::CellId;

/// Square metres of a square kilometre.
const SQUARE_KM: f64 = 1e6;

impl Book<'_> {
    /// The round trip of a call, without what its tier does.
    pub fn round_trip_of(&self, call: &Call) -> Option<CellId> {
        let cells = self.tiers[call.tier];
        if self.scenario.crosses(call) {
            cells.round_trip_of_users.or(cells.round_trip)
        } else {
            cells.round_trip
        }
    }

    /// The round trip of a tier that users call at sites, the mean over all regions.
    pub(super) fn distance(&mut self, tier: TierId, name: &str) {
        let scenario = self.scenario;
        let regions = &scenario.population.regions;
        if regions.iter().all(|region| region.area.is_none()) || !scenario.is_crossed_to(tier) {
            return;
        }
        let stretch =
            self.sheet.input("path stretch", &scenario.population.path_stretch, (1.0, Unit::Number));
        let mut ways = Vec::new();
        for region in regions {
            let Some(area) = &region.area else { continue };
            let label = format!("km² of {}", region.name);
            let area = self.sheet.input(label, area, (1.0 / SQUARE_KM, Unit::Number));
            let label = format!("sites of {}", region.name);
            let sites = self.sheet.stated(label, f64::from(region.sites), Unit::Count, region.origin);
            let way = self.sheet.function(
                "there and back to the nearest of Poisson points, ½ √(area / sites) (Clark and Evans), at ⅔ c",
                vec![area, sites, stretch],
                |x| round_trip_s(mean_distance_m(x[0] * SQUARE_KM, x[1]), x[2]),
            );
            let way = self.sheet.named(way, format!("way to a site in {}", region.name), Unit::Seconds);
            let share = self.sheet.stated(
                format!("share of {}", region.name),
                region.share,
                Unit::Share,
                region.origin,
            );
            ways.push(self.sheet.product(vec![share, way]));
        }
        let mut parts: Vec<CellId> = self.tiers[tier].round_trip.into_iter().collect();
        parts.extend(ways);
        let all = self.total(parts);
        let all = self.sheet.named(all, format!("round trip from users to {name}"), Unit::Seconds);
        self.tiers[tier].round_trip_of_users = Some(all);
    }

    /// A line for every tier that is as far from users as its sites are.
    pub(super) fn distances(&mut self) {
        for tier in 0..self.scenario.tiers.len() {
            let Some(cell) = self.tiers[tier].round_trip_of_users else { continue };
            let name = self.scenario.tier_name(tier);
            let (id, label) = (format!("{name}.round_trip"), format!("{name}, round trip from users"));
            self.line(id, GROUP, label, cell, Unit::Seconds);
        }
    }
}
