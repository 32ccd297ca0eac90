//! What links and disks add to an answer: how long bodies take, and how long operations wait.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::{Scope, TierId};

use super::book::Book;
use crate::analytic::queues::{Service, SharedLink, mg1_wait};
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
        let time = self.sheet.function(
            "mean time of a body on a shared link (processor sharing with a bound for each)",
            inputs,
            |x| {
                let per_flow = x.get(4).copied().unwrap_or(f64::INFINITY);
                SharedLink { capacity: x[3], per_flow, load: x[1] / x[2] }.time_of(x[0])
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
        let scenario = self.scenario;
        let (mut calls, mut first, mut second) = (0.0, 0.0, 0.0);
        for node in self.flow.at(tier).collect::<Vec<usize>>() {
            let call = self.flow.nodes[node].call;
            let each = self.sheet.value(self.calls[node]) * model::work(scenario, call);
            let operations = model::disk_operations_of_one(scenario, call);
            calls += each;
            first += each * operations;
            second += each * operations.powi(2);
        }
        if calls <= 0.0 {
            return;
        }
        let (first, second) = (first / calls, second / calls);
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
}
