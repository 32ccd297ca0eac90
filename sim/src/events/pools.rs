//! Pools of servers in a slice that is too thin for them.
//!
//! Why not one server each: what a crash or a rolling restart takes is a share of a pool, and of one server that is all or
//! nothing. So a pool has some servers at least, at a part of their load: who fails is right then, and how busy they are
//! follows from the work; only their queues are shorter than those of the whole.

use plimsoll_scenarios::units::Count;
use plimsoll_scenarios::{EventKind, Scenario, Scope, TierId};

use crate::calendar::Machine;
use crate::model;

/// Servers of a pool that make shares of it.
const SERVERS_MIN: f64 = 20.0;
/// Slots of servers, for one of the whole, from which a pool is one that the slice is too thin for.
const MANY: f64 = 1.25;

/// Gives pools that a slice is too thin for more servers, as many as the whole has at most.
pub fn widen(whole: &Scenario, slice: &mut Scenario, factor: f64) {
    let before = for_one(whole, slice, factor);
    for (tier, places) in before.iter().enumerate() {
        if places.iter().any(|&part| part > MANY) {
            widen_tier(whole, slice, tier);
        }
    }
}

fn widen_tier(whole: &Scenario, slice: &mut Scenario, tier: TierId) {
    let Some(all) = whole.tiers[tier].station.as_ref().map(|s| s.servers.get()) else { return };
    let share = |place: usize| match slice.tiers[tier].scope {
        Scope::Global => 1.0,
        _ => slice.population.regions[place].share / model::instances_at(slice, tier, place) as f64,
    };
    // So many that the smallest pool has enough.
    let least = (0..model::places(slice, tier)).map(share).fold(1.0, f64::min).max(f64::MIN_POSITIVE);
    let Some(station) = &mut slice.tiers[tier].station else { return };
    let wanted = (SERVERS_MIN / least).min(all).max(station.servers.get()).round();
    station.servers = Count::given(wanted, &wanted.to_string());
    for (event, before) in slice.events.iter_mut().zip(&whole.events) {
        if let (
            EventKind::ServersDown { tier: of, servers, .. },
            EventKind::ServersDown { servers: lost, .. },
        ) = (&mut event.kind, &before.kind)
            && *of == tier
        {
            let lost = (lost.get() / all).min(1.0) * wanted;
            *servers = Count::given(lost, &lost.to_string());
        }
    }
}

/// By tier and place: slots of the servers of a slice that stand for one of the whole; see
/// [`servers`](crate::outcome::Part::servers).
#[must_use]
pub fn for_one(whole: &Scenario, slice: &Scenario, factor: f64) -> Vec<Vec<f64>> {
    let (whole, slice) = (Machine::capacity(whole), Machine::capacity(slice));
    let of = |(whole, slice): (&f64, &f64)| if *whole > 0.0 { slice * factor / whole } else { 1.0 };
    whole.iter().zip(&slice).map(|(whole, slice)| whole.iter().zip(slice).map(of).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::slice;
    use plimsoll_scenarios::load;

    #[test]
    fn a_thin_slice_has_pools_of_which_a_share_can_be_lost() {
        let whole = load("gaming").unwrap();
        let mut thin = slice::slice(&whole, 1e5).scenario;
        widen(&whole, &mut thin, 1e5);
        for (tier, _) in whole.tiers.values().enumerate().filter(|(_, t)| t.station.is_some()) {
            for place in 0..model::places(&whole, tier) {
                let pool = |s: &Scenario| model::pool(s, tier, place).unwrap().servers;
                // Of fewer sites each has more.
                let all = pool(&whole) * model::instances_at(&whole, tier, place) + 1;
                let (least, has) = (pool(&whole).min(SERVERS_MIN as u64 / 2), pool(&thin));
                assert!((least..=all).contains(&has), "{tier} {place}: {has} of {all}");
            }
        }
    }
}
