//! What links, disks and copies do to an answer: how long bodies take, how long operations wait, and what is out of date.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::{Scheme, Scope, TierId};

use super::book::Book;
use crate::analytic::queues::{Service, SharedLink, mg1_wait};
use crate::analytic::replication::Quorum;
use crate::analytic::staleness::Staleness;
use crate::model;
use crate::sheet::CellId;

const GROUP: &str = "servers";

impl Book<'_> {
    /// The mean time of a body over a tier's link at the peak, where all are bounded alike: by the access of users, or by
    /// nothing but the link. `peak` is what leaves the tier, over `many` links of `link` bits per second each.
    pub fn transfer(&mut self, tier: TierId, name: &str, (peak, link, many): (CellId, CellId, CellId)) {
        let scenario = self.scenario;
        let nodes: Vec<usize> =
            self.flow.at(tier).filter(|&n| self.flow.nodes[n].call.response.get() > 0.0).collect();
        let to_user = |&node: &usize| {
            let caller = self.flow.nodes[node].caller;
            caller.is_none_or(|c| scenario.tiers[self.flow.nodes[c].call.tier].scope == Scope::User)
        };
        let downlink = scenario.population.downlink.as_ref();
        let bounded = match (nodes.iter().all(to_user), nodes.iter().any(to_user)) {
            (true, _) => downlink,
            (_, true) if downlink.is_some() => return,
            _ => None,
        };
        let global = scenario.tiers[tier].scope == Scope::Global;
        let mut bodies = Vec::new();
        for node in nodes {
            let rates = self.rates[self.flow.nodes[node].action];
            let factor = if global { rates.factor_global } else { rates.factor };
            bodies.push(self.sheet.product(vec![self.calls[node], factor]));
        }
        let bodies = self.total(bodies);
        let size = self.sheet.quotient(peak, bodies);
        let size = self.sheet.named(size, format!("bits of one body of {name}"), Unit::Number);
        let mut inputs = vec![size, peak, many, link];
        if let Some(bound) = bounded {
            inputs.push(self.sheet.input("a user's access", bound, (1.0, Unit::BitsPerSecond)));
        }
        let capacity = self.sheet.value(link);
        let station = scenario.tiers[tier].station.as_ref();
        let kinds = station.map_or_else(|| vec![(1.0, capacity, 1.0)], |s| s.links_by_kind(capacity));
        let time = self.sheet.function(
            "mean time of a body on a shared link (processor sharing with a bound for each)",
            inputs,
            move |x| {
                let per_flow = x.get(4).copied().unwrap_or(f64::INFINITY);
                let over = |&(part, link, full): &(f64, f64, f64)| {
                    let wide = link / capacity * x[3];
                    part * SharedLink { capacity: wide, per_flow, load: x[1] / x[2] / x[3] * full * wide }
                        .time_of(x[0])
                };
                kinds.iter().map(over).sum()
            },
        );
        let label = format!("{name}, a body over its link, mean at the peak");
        self.detail(format!("{name}.transfer_peak"), GROUP, label, time, Unit::Seconds);
    }

    /// The mean wait of a call for the disks of its server at the peak: M/G/1, since one call may be several operations.
    /// `operations` a second of all calls, over `servers` of `most` each.
    pub fn disk_wait(
        &mut self,
        tier: TierId,
        name: &str,
        (operations, servers, most): (CellId, CellId, CellId),
    ) {
        let Some((first, second)) = self.disk_moments(tier) else { return };
        let wait = self.sheet.function(
            "mean wait in M/G/1 (Pollaczek and Khinchine)",
            vec![operations, servers, most],
            move |x| {
                let service = Service { mean: first / x[2], second: second / x[2].powi(2), third: 0.0 };
                mg1_wait(x[0] / first / x[1], &service)
            },
        );
        let label = format!("{name}, mean wait for disks at the peak");
        self.detail(format!("{name}.disk_wait_peak"), GROUP, label, wait, Unit::Seconds);
    }

    /// Mean and second moment of the operations of one call that uses a tier's disks; `None` where none does.
    pub(super) fn disk_moments(&mut self, tier: TierId) -> Option<(f64, f64)> {
        let scenario = self.scenario;
        let (mut calls, mut first, mut second) = (0.0, 0.0, 0.0);
        for node in self.flow.at(tier).collect::<Vec<usize>>() {
            let call = self.flow.nodes[node].call;
            let uses = if model::has_levels(scenario, call) {
                self.disk_uses(node).map_or(0.0, |uses| self.sheet.value(uses))
            } else {
                1.0
            };
            let each = self.sheet.value(self.calls[node]) * model::work(scenario, call) * uses;
            let operations = model::disk_operations_of_one(scenario, call);
            let each = if operations > 0.0 { each } else { 0.0 };
            calls += each;
            first += each * operations;
            second += each * operations.powi(2);
        }
        (calls > 0.0).then(|| (first / calls, second / calls))
    }

    /// Reads that miss the latest write at the peak, where copies lag.
    pub fn stale_reads(&mut self, tier: TierId, name: &str) {
        let scenario = self.scenario;
        let replication = &scenario.tiers[tier].replication;
        let (Some(lag), Scheme::Copies { count, write, read }) = (&replication.lag, replication.scheme)
        else {
            return;
        };
        let quorum = Quorum { copies: u64::from(count), writes: u64::from(write), reads: u64::from(read) };
        let law = Staleness::new(quorum, |p| lag.quantile(p));
        let global = scenario.tiers[tier].scope == Scope::Global;
        let instances = model::instances(scenario, tier).max(1) as f64;
        // By dataset: writes and reads a second at the peak.
        let mut rates = vec![(0.0, 0.0); scenario.datasets.len()];
        for node in self.flow.at(tier).collect::<Vec<usize>>() {
            let of_action = self.rates[self.flow.nodes[node].action];
            let call = self.flow.nodes[node].call;
            let Some(dataset) = call.of else { continue };
            let factor = if global { of_action.factor_global } else { of_action.factor };
            let rate = self.sheet.value(self.calls[node]) * self.sheet.value(factor);
            let (writes, reads) = &mut rates[dataset];
            *(if call.write { writes } else { reads }) += rate;
        }
        let (mut stale, mut all) = (0.0, 0.0);
        for (dataset, (writes, reads)) in scenario.datasets.values().zip(rates) {
            if reads > 0.0 {
                let popularity = dataset.popularity.over(dataset.count.get() as u64);
                all += reads;
                stale += reads * law.share_over(&popularity, writes / instances);
            }
        }
        if all <= 0.0 {
            return;
        }
        let inputs = vec![
            self.sheet.stated("copies", f64::from(count), Unit::Count, replication.origin),
            self.sheet.stated("a write waits for", f64::from(write), Unit::Count, replication.origin),
            self.sheet.stated("a read asks", f64::from(read), Unit::Count, replication.origin),
            self.mean_time(format!("lag of {name}'s copies"), lag, tier),
        ];
        let share = self.sheet.fixed(
            "reads before the first copy they ask has the latest write (Bailis et al. 2012)",
            inputs,
            stale / all,
        );
        self.line(
            format!("{name}.stale_reads"),
            GROUP,
            format!("{name}, stale reads at the peak"),
            share,
            Unit::Share,
        );
    }
}
