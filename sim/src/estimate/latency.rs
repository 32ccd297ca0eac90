//! How long: the mean time of an action at the peak, tier by tier along its calls.
//!
//! One after the other adds up; of calls at once the slowest counts, or the k-th; what nobody waits for counts
//! for nothing. Bodies are not in it: it is the time to the first byte.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::{Call, Calls, Scope, TierId, WaitFor};

use super::book::Book;
use crate::analytic::order::kth_exponential_mean;
use crate::sheet::CellId;

pub(super) const GROUP: &str = "latency";
/// Fan-outs beyond this are as slow as this one.
const FAN_OUT_MAX: f64 = 1e6;

impl Book<'_> {
    pub fn latency(&mut self) {
        let scenario = self.scenario;
        self.distances();
        for (id, (name, action)) in scenario.actions.iter().enumerate() {
            let Some(mean) = self.calls_time(&action.calls, false) else { continue };
            let label = format!("{name}, first byte, mean at the peak");
            let mean = self.line(format!("{name}.latency"), GROUP, label, mean, Unit::Seconds);
            if let Some(full) = self.calls_time(&action.calls, true)
                && (self.sheet.value(full) - self.sheet.value(mean)).abs() > 1e-9
            {
                let label = format!("{name}, first byte, every cache missed");
                self.line(format!("{name}.latency_full_path"), GROUP, label, full, Unit::Seconds);
            }
            let peak = self.rates[id].peak_global;
            let there = self.sheet.product(vec![peak, mean]);
            let label = format!("{name}, in flight at the peak (Little)");
            self.detail(format!("{name}.in_flight_peak"), GROUP, label, there, Unit::Count);
        }
    }

    /// Mean time that a call of a tier waits for what is behind it.
    pub fn behind(&mut self, tier: TierId) -> CellId {
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let (mut times, mut calls) = (Vec::new(), Vec::new());
        for node in nodes {
            let call = self.flow.nodes[node].call;
            calls.push(self.calls[node]);
            if let Some(after) = self.after(node, call, false) {
                times.push(self.sheet.product(vec![self.calls[node], after]));
            }
        }
        if times.is_empty() {
            return self.sheet.constant("nothing behind", 0.0, Unit::Seconds);
        }
        let (times, calls) = (self.sheet.sum(times), self.sheet.sum(calls));
        let mean = self.sheet.quotient(times, calls);
        let name = self.scenario.tier_name(tier);
        self.sheet.named(mean, format!("mean time {name} waits for what it calls"), Unit::Seconds)
    }

    /// Time of what a call's tier does downstream, and of what its cache reads from disk; on a miss where it has a cache,
    /// always where `full`.
    fn after(&mut self, node: usize, call: &Call, full: bool) -> Option<CellId> {
        let behind = self.behind_cache(node, call, full);
        let read = if full { None } else { self.read_time(node) };
        let parts: Vec<CellId> = behind.into_iter().chain(read).collect();
        (!parts.is_empty()).then(|| self.total(parts))
    }

    fn behind_cache(&mut self, node: usize, call: &Call, full: bool) -> Option<CellId> {
        let time = self.calls_time(&call.next, full)?;
        match self.hits[node] {
            Some(hit) if !full => {
                let miss = self.sheet.complement(hit);
                Some(self.sheet.product(vec![miss, time]))
            }
            _ => Some(time),
        }
    }

    /// Time of a tree of calls. `full`: everything that may be called is.
    fn calls_time(&mut self, calls: &Calls, full: bool) -> Option<CellId> {
        match calls {
            Calls::Nothing | Calls::Async(_) => None,
            Calls::One(call) => Some(self.call_time(call, full)),
            Calls::Sequence(list) => {
                let times: Vec<CellId> = list.iter().filter_map(|c| self.calls_time(c, full)).collect();
                (!times.is_empty()).then(|| self.total(times))
            }
            Calls::Parallel { branches, wait_for } => {
                let mut times: Vec<CellId> =
                    branches.iter().filter_map(|c| self.calls_time(c, full)).collect();
                if times.is_empty() {
                    return None;
                }
                // The k fastest are waited for: the slowest of these counts.
                times.sort_by(|&a, &b| self.sheet.value(a).total_cmp(&self.sheet.value(b)));
                times.truncate(wait_for.of(times.len()).max(1));
                Some(if let [one] = times[..] { one } else { self.sheet.max(times) })
            }
        }
    }

    fn call_time(&mut self, call: &Call, full: bool) -> CellId {
        let node = self.flow.nodes.iter().position(|n| std::ptr::eq(n.call, call));
        let cells = self.tiers[call.tier];
        let served: Vec<CellId> = [cells.wait, cells.service].into_iter().flatten().collect();
        let mut parts: Vec<CellId> = self.round_trip_of(call).into_iter().collect();
        if !served.is_empty() {
            let slow = slowest_of(call);
            if slow == 1.0 {
                parts.extend(served);
            } else {
                let factor = self.sheet.constant(
                    "of a fan-out, the slowest waited for (exponential)",
                    slow,
                    Unit::Number,
                );
                let all = self.sheet.sum(served);
                parts.push(self.sheet.product(vec![factor, all]));
            }
        }
        // A slot that is held downstream has that time in its service already.
        let holds = self.scenario.tiers[call.tier].station.as_ref().is_some_and(|s| s.blocking);
        if !holds {
            parts.extend(node.and_then(|node| self.after(node, call, full)));
        }
        if parts.is_empty() {
            parts.push(self.sheet.constant("on the device", 0.0, Unit::Seconds));
        }
        let mut time = self.total(parts);
        let tier = self.scenario.tier_name(call.tier);
        if self.scenario.tiers[call.tier].scope != Scope::User {
            time = self.sheet.named(time, format!("time of {tier} and behind"), Unit::Seconds);
        }
        let mut factors = vec![time];
        if call.times.get() != 1.0 {
            factors.push(self.sheet.input(format!("times to {tier}"), &call.times, (1.0, Unit::Number)));
        }
        if call.share.get() != 1.0 && !full {
            factors.push(self.sheet.input(format!("share to {tier}"), &call.share, (1.0, Unit::Share)));
        }
        if let [one] = factors[..] { one } else { self.sheet.product(factors) }
    }
}

/// How much slower than one call the slowest of a fan-out is, of those waited for: the mean of an order
/// statistic of exponentials.
fn slowest_of(call: &Call) -> f64 {
    let n = call.fan_out.get().round().clamp(1.0, FAN_OUT_MAX) as u64;
    let k = match call.wait_for {
        WaitFor::All => n,
        WaitFor::First(k) => u64::from(k).min(n),
    };
    if n == 1 { 1.0 } else { kth_exponential_mean(n, k, 1.0) }
}
