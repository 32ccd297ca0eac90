//! From the parts of a replication to what it counted.

use std::collections::BTreeMap;

use plimsoll_scenarios::TierId;

use super::SlotSet;
use super::answers::Answers;
use super::queues::Part;
use super::rates;
use super::setup::Setup;
use crate::histogram::Latencies;
use crate::model::{self, Route};
use crate::outcome::{Counted, Distributions};

/// Puts together what the caches answered and what was played at every place: regions in order, and what is one
/// for all. Where slots are set `aside`, what is outside of them stands beside the whole.
pub(super) fn assemble(
    setup: &Setup<'_>,
    answers: &Answers,
    everywhere: &Part,
    regions: &[Part],
    aside: SlotSet,
) -> Counted {
    let scenario = setup.scenario;
    let mut counted = rates::count(setup, answers);
    let mut outside = (!aside.is_empty()).then(|| Distributions::new(scenario));
    for (region, part) in regions.iter().enumerate() {
        add_stations(&mut counted, region, part, outside.as_mut(), aside);
    }
    add_stations(&mut counted, 0, everywhere, outside.as_mut(), aside);
    for (action, it) in scenario.actions.values().enumerate() {
        let transfer = model::transfer_time(scenario, action, &Route::of(scenario, it));
        for (region, part) in regions.iter().enumerate() {
            counted.failed[action][region].clone_from(&part.failed[action]);
            for (slot, times) in part.first_byte[action].iter().enumerate() {
                let mut outside = outside.as_mut().filter(|_| !aside.has(slot));
                for &time in times {
                    let time = f64::from(time);
                    counted.first_byte[action].record(time);
                    counted.first_byte_slots[action][slot].record(time);
                    counted.complete[action].record(time + transfer);
                    if let Some(outside) = &mut outside {
                        outside.first_byte[action].record(time);
                        outside.complete[action].record(time + transfer);
                    }
                }
            }
        }
    }
    counted.outside = outside;
    counted
}

fn add_stations(
    counted: &mut Counted,
    place: usize,
    part: &Part,
    mut outside: Option<&mut Distributions>,
    aside: SlotSet,
) {
    for (&tier, slots) in &part.stations {
        if let Some(here) = counted.stations[tier].get_mut(place) {
            here.clone_from(slots);
        }
    }
    let record = |into: &mut Vec<Latencies>, tier: TierId, times: &[f32]| {
        for &time in times {
            into[tier].record(f64::from(time));
        }
    };
    for (&tier, ends) in &part.recorded {
        let (waits, sojourns) = (&part.waits[&tier], &part.sojourns[&tier]);
        record(&mut counted.waits, tier, waits);
        record(&mut counted.sojourns, tier, sojourns);
        let Some(outside) = &mut outside else { continue };
        let mut from = 0;
        for (slot, &to) in ends.iter().enumerate() {
            if !aside.has(slot) {
                record(&mut outside.waits, tier, &waits[from..to]);
                record(&mut outside.sojourns, tier, &sojourns[from..to]);
            }
            from = to;
        }
    }
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
