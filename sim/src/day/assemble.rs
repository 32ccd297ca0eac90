//! From the parts of a replication to what it counted.

use std::collections::BTreeMap;

use plimsoll_scenarios::TierId;

use super::answers::Answers;
use super::queues::Part;
use super::rates;
use super::setup::Setup;
use crate::model::{self, Route};
use crate::outcome::Counted;

/// Puts together what the caches answered and what was played at every place: regions in order, and what is one
/// for all.
pub(super) fn assemble(setup: &Setup<'_>, answers: &Answers, everywhere: &Part, regions: &[Part]) -> Counted {
    let scenario = setup.scenario;
    let mut counted = rates::count(setup, answers);
    for (region, part) in regions.iter().enumerate() {
        add_stations(&mut counted, region, part);
    }
    add_stations(&mut counted, 0, everywhere);
    for (action, it) in scenario.actions.values().enumerate() {
        let transfer = model::transfer_time(scenario, action, &Route::of(scenario, it));
        for (region, part) in regions.iter().enumerate() {
            counted.failed[action][region].clone_from(&part.failed[action]);
            for (slot, times) in part.first_byte[action].iter().enumerate() {
                for &time in times {
                    let time = f64::from(time);
                    counted.first_byte[action].record(time);
                    counted.first_byte_slots[action][slot].record(time);
                    counted.complete[action].record(time + transfer);
                }
            }
        }
    }
    counted
}

fn add_stations(counted: &mut Counted, place: usize, part: &Part) {
    for (&tier, slots) in &part.stations {
        if let Some(here) = counted.stations[tier].get_mut(place) {
            here.clone_from(slots);
        }
    }
    let record = |into: &mut Vec<crate::histogram::Latencies>, samples: &BTreeMap<TierId, Vec<f32>>| {
        for (&tier, times) in samples {
            for &time in times {
                into[tier].record(f64::from(time));
            }
        }
    };
    record(&mut counted.waits, &part.waits);
    record(&mut counted.sojourns, &part.sojourns);
    counted.simulated_customers += part.customers;
}

/// What is to be said of hottest shards.
pub(super) fn shard_notes(setup: &Setup<'_>, hot_peak: &BTreeMap<TierId, f64>) -> Vec<String> {
    let note = |(&tier, peak): (&TierId, &f64)| {
        let shards = setup.scenario.tiers[tier].sharding.as_ref()?.shards;
        let name = setup.scenario.tier_name(tier);
        Some(format!("the hottest of {shards} shards of {name} is {:.0} % busy at its peak", peak * 100.0))
    };
    hot_peak.iter().filter_map(note).collect()
}
