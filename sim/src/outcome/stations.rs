//! The record of a tier's servers: how busy, how long the waits, and what the formula says of them.

use plimsoll_reports::record::StationRun;
use plimsoll_scenarios::distribution::Distribution;
use plimsoll_scenarios::{Balance, Scenario, Scope, TierId};

use super::StationSlot;
use super::means::Means;
use crate::analytic::queues::{GiGc, Service};
use crate::histogram::Latencies;
use crate::model;

pub(super) fn station_run(means: &Means<'_>, tier: TierId) -> Option<StationRun> {
    let (scenario, outcome) = (means.scenario, means.outcome);
    let station = scenario.tiers[tier].station.as_ref()?;
    // Where and when it is busiest.
    let (mut place, mut slot, mut highest) = (0, 0, -1.0);
    for p in 0..model::places(scenario, tier) {
        for s in 0..outcome.slots {
            let u = means.stations[tier][p][s].utilisation;
            if u > highest {
                (place, slot, highest) = (p, s, u);
            }
        }
    }
    let pool = model::pool(scenario, tier, place)?;
    let instances = model::instances_at(scenario, tier, place) as f64;
    let rate = means.work(tier, place, slot) / outcome.slot_s / instances;
    let (mut waits, mut sojourns) = (Latencies::default(), Latencies::default());
    for counted in &outcome.counted {
        waits.merge(&counted.waits[tier]);
        sojourns.merge(&counted.sojourns[tier]);
    }
    let utilisations: Vec<f64> =
        (0..outcome.slots).map(|s| pool_mean(means, tier, s, |x| x.utilisation)).collect();
    let queue_peak = (0..outcome.slots)
        .map(|s| (0..model::places(scenario, tier)).map(|p| means.stations[tier][p][s].queue).sum::<f64>())
        .fold(0.0, f64::max);
    let held = means.stations[tier][place][slot].held_mean_s;
    let own = station.service_time.mean() * station.slowness();
    let held = if station.blocking && held > 0.0 { held } else { own };
    Some(StationRun {
        servers: station.servers.get() as u64,
        concurrency: station.concurrency.get() as u64,
        service_mean_s: held,
        utilisation_mean: utilisations.iter().sum::<f64>() / outcome.slots as f64,
        utilisation_peak: means.interval(|c| c.stations[tier][place][slot].utilisation),
        peak_at_s: (slot as f64 + 0.5) * outcome.slot_s,
        peak_local_s: local_time(means, tier, place, slot),
        peak_region: place_name(scenario, tier, place),
        wait_mean_peak_s: means.interval(|c| c.stations[tier][place][slot].wait_mean_s),
        erlang_wait_peak_s: formula_wait(station, held, pool, rate, outcome.together(tier, slot)),
        wait: waits.summary(),
        sojourn: sojourns.summary(),
        queue_peak,
        rejected_share: rejected_share(means, tier),
    })
}

/// Mean over places, weighted by their slots.
pub(super) fn pool_mean(
    means: &Means<'_>,
    tier: TierId,
    slot: usize,
    what: impl Fn(&StationSlot) -> f64,
) -> f64 {
    let (mut weight, mut sum) = (0.0, 0.0);
    for place in 0..model::places(means.scenario, tier) {
        let Some(pool) = model::pool(means.scenario, tier, place) else { continue };
        let size =
            (pool.servers * pool.concurrency * model::instances_at(means.scenario, tier, place)) as f64;
        weight += size;
        sum += size * what(&means.stations[tier][place][slot]);
    }
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// The wait by formula: Erlang C, corrected for how arrivals and service times vary ([`GiGc::wait_mean`]). Servers that are chosen at random or in
/// turn are queues of their own (in turn, their arrivals are more regular); servers chosen by the fewest
/// requests act as one queue. `mean` is the time that a slot is held, seconds. Infinite values become the
/// wait behind a full queue.
fn formula_wait(
    station: &plimsoll_scenarios::Station,
    mean: f64,
    pool: model::Pool,
    rate: f64,
    together: u64,
) -> f64 {
    let cv = station.service_time.cv();
    let service = match station.service_time {
        Distribution::Lognormal(_) => Service::lognormal(mean, cv),
        _ => Service::gamma(mean, cv),
    };
    let per_server = rate / pool.servers as f64;
    let several = pool.servers.min(together.max(1));
    let (servers, arrival_rate, arrival_cv) = match station.balance {
        Balance::Random | Balance::ConsistentHash => (pool.concurrency, per_server, 1.0),
        Balance::RoundRobin | Balance::Weighted => {
            (pool.concurrency, per_server, (1.0 / several as f64).sqrt())
        }
        // Two choices come close to the best of all (Mitzenmacher 2001).
        Balance::LeastConnections | Balance::PowerOfTwo => {
            (pool.concurrency * several, per_server * several as f64, 1.0)
        }
    };
    let wait = GiGc { servers, arrival_rate, arrival_cv, service }.wait_mean();
    if wait.is_finite() { wait } else { f64::from(station.queue_max) * mean / pool.concurrency as f64 }
}

fn rejected_share(means: &Means<'_>, tier: TierId) -> f64 {
    let (mut rejected, mut arrived) = (0.0, 0.0);
    for place in 0..model::places(means.scenario, tier) {
        for slot in 0..means.outcome.slots {
            let arrivals = means.arrivals(tier, place, slot);
            arrived += arrivals;
            rejected += arrivals * means.stations[tier][place][slot].rejected_share;
        }
    }
    if arrived > 0.0 { rejected / arrived } else { 0.0 }
}

/// Local time of day of the middle of a slot, seconds.
pub(super) fn local_time(means: &Means<'_>, tier: TierId, place: usize, slot: usize) -> f64 {
    let at_s = means.outcome.from_s + (slot as f64 + 0.5) * means.outcome.slot_s;
    let offset = match means.scenario.tiers[tier].scope {
        Scope::Global => 0.0,
        _ => means.scenario.population.regions[place].utc_offset_s,
    };
    (at_s + offset).rem_euclid(plimsoll_scenarios::arrivals::DAY_S)
}

pub(super) fn place_name(scenario: &Scenario, tier: TierId, place: usize) -> String {
    if scenario.tiers[tier].scope == Scope::Global {
        "everywhere".to_owned()
    } else {
        scenario.population.regions[place].name.clone()
    }
}
