//! How often it works: servers in parallel, tiers in series, and beside the figure for independent failures the
//! one where a whole zone fails, since independence alone gives absurd nines.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::{Calls, Scope, TierId, WaitFor};

use super::book::Book;
use crate::analytic::reliability::unavailability_of_k_of_n;
use crate::flow::Cause;
use crate::sheet::CellId;

const GROUP: &str = "availability";
/// Availability of one zone, an assumption: clouds promise 99.99 % for a region, that is for several zones.
const ZONE: f64 = 0.9995;
const YEAR_S: f64 = 365.0 * 86_400.0;

impl Book<'_> {
    pub fn availability(&mut self) {
        let scenario = self.scenario;
        let mut correlated: Vec<Option<CellId>> = vec![None; scenario.tiers.len()];
        for (tier, slot) in correlated.iter_mut().enumerate() {
            *slot = self.of_tier(tier);
        }
        if correlated.iter().all(Option::is_none) {
            return;
        }
        for (id, (name, action)) in scenario.actions.iter().enumerate() {
            let mut needed = Vec::new();
            required(&action.calls, &mut needed);
            let mut factors: Vec<CellId> = Vec::new();
            let mut seen: Vec<TierId> = Vec::new();
            for node in 0..self.flow.nodes.len() {
                let here = &self.flow.nodes[node];
                let (tier, mine) = (here.call.tier, here.action == id && here.cause == Cause::Request);
                let (Some(works), true) =
                    (correlated[tier], mine && needed.contains(&tier) && !seen.contains(&tier))
                else {
                    continue;
                };
                seen.push(tier);
                factors.push(self.as_often_as_needed(node, works));
            }
            if factors.is_empty() {
                continue;
            }
            let cell = self.sheet.product(factors);
            let label = format!("{name}, the tiers it needs as often as it needs them, with zones");
            self.line(format!("{name}.availability"), GROUP, label, cell, Unit::Share);
        }
    }

    /// The availability of a tier for one request of an action, which needs it only where no cache before has
    /// answered.
    fn as_often_as_needed(&mut self, node: usize, works: CellId) -> CellId {
        let rate = self.rates[self.flow.nodes[node].action].mean;
        let calls = self.calls[node];
        if self.sheet.value(calls) >= self.sheet.value(rate) * (1.0 - 1e-9) {
            return works;
        }
        let reach = self.sheet.quotient(calls, rate);
        let down = self.sheet.complement(works);
        let lost = self.sheet.product(vec![reach, down]);
        self.sheet.complement(lost)
    }

    /// Availability of a tier with its zones, where the file states one of its servers.
    fn of_tier(&mut self, tier: TierId) -> Option<CellId> {
        let scenario = self.scenario;
        let here = &scenario.tiers[tier];
        let one = here.availability.as_ref()?;
        let name = scenario.tier_name(tier).to_owned();
        let stated = self.sheet.input(format!("availability of one {name}"), one, (1.0, Unit::Share));
        if here.external.is_some() {
            return Some(self.line(
                format!("{name}.availability"),
                GROUP,
                format!("{name}, as stated"),
                stated,
                Unit::Share,
            ));
        }
        let (pieces, needed_pieces) = here.replication.pieces();
        let servers = here.station.as_ref().map_or(1.0, |s| s.servers.get()).round().max(1.0);
        // Without servers of its own, such as a managed queue, any zone can carry it.
        let used = self.tiers[tier].utilisation.map_or(0.0, |c| self.sheet.value(c)).min(1.0);
        // Copies of an object, or else servers enough for the peak.
        let (n, k, words) = if pieces > 1 {
            (
                u64::from(pieces),
                u64::from(needed_pieces),
                format!("{needed_pieces} of {pieces} copies or pieces"),
            )
        } else {
            let k = (servers * used).ceil().max(1.0);
            (servers as u64, k as u64, format!("{k} of {servers} servers, enough for the peak"))
        };
        let cell = self.sheet.function("k of n independent servers", vec![stated], move |a| {
            1.0 - unavailability_of_k_of_n(n, k, a[0])
        });
        let label = format!("{name}, {words}, independent");
        let independent = self.line(format!("{name}.availability"), GROUP, label, cell, Unit::Share);
        // A site that fails sends its users to the next one.
        let sites = if here.scope == Scope::Site { scenario.sites() } else { 1 };
        let zones = u64::from(here.zones.max(sites));
        // As many as carry the peak; a rounding error must not ask for one more.
        let kept = ((used * zones as f64 - 1e-9).ceil().max(1.0) as u64).min(zones);
        let label = if zones == 1 {
            "its one zone works".to_owned()
        } else {
            format!("{kept} of {zones} zones work")
        };
        let zone = self.sheet.constant(label, 1.0 - unavailability_of_k_of_n(zones, kept, ZONE), Unit::Share);
        let with_zones = self.sheet.product(vec![independent, zone]);
        let label = format!("{name}, with whole zones failing ({} % each)", ZONE * 100.0);
        let with_zones =
            self.line(format!("{name}.availability_zone_loss"), GROUP, label, with_zones, Unit::Share);
        let down = self.sheet.complement(with_zones);
        let year = self.sheet.constant("seconds a year", YEAR_S, Unit::Seconds);
        let down = self.sheet.product(vec![down, year]);
        self.detail(
            format!("{name}.downtime_per_year"),
            GROUP,
            format!("{name}, down a year"),
            down,
            Unit::Seconds,
        );
        Some(with_zones)
    }
}

/// The tiers that an action can't do without: those it always waits for.
fn required(calls: &Calls, tiers: &mut Vec<TierId>) {
    match calls {
        Calls::Nothing | Calls::Async(_) => {}
        Calls::One(call) => {
            if call.share.get() >= 1.0 {
                tiers.push(call.tier);
                required(&call.next, tiers);
            }
        }
        Calls::Sequence(list) => list.iter().for_each(|calls| required(calls, tiers)),
        Calls::Parallel { branches, wait_for } => {
            if *wait_for == WaitFor::All {
                for calls in branches {
                    required(calls, tiers);
                }
            }
        }
    }
}
