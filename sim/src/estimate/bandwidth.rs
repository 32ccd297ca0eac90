//! How much: bytes in and out, of actions before any cache, and of tiers behind what their callers' caches leave.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::quantities::WHOLE;
use plimsoll_scenarios::{Scope, TierId};

use super::book::Book;
use crate::sheet::CellId;

const GROUP: &str = "bandwidth";

impl Book<'_> {
    pub fn bandwidth(&mut self) {
        let scenario = self.scenario;
        let (mut into, mut out) = (Vec::new(), Vec::new());
        for (id, (name, action)) in scenario.actions.iter().enumerate() {
            let (rate, factor, bits, day) =
                (self.rates[id].mean, self.rates[id].factor, self.common.bits, self.common.day);
            if action.request.get() > 0.0 {
                let size = self.sheet.input("request", &action.request, (1.0, Unit::Bytes));
                let cell = self.sheet.product(vec![rate, size, bits]);
                let cell = self.line(
                    format!("{name}.ingress"),
                    GROUP,
                    format!("{name} in, mean"),
                    cell,
                    Unit::BitsPerSecond,
                );
                into.push(cell);
                let peak = self.sheet.product(vec![cell, factor]);
                self.line(
                    format!("{name}.ingress_peak"),
                    GROUP,
                    format!("{name} in, peak"),
                    peak,
                    Unit::BitsPerSecond,
                );
            }
            let mut sizes = Vec::new();
            for (what, size) in [("request", &action.request), ("response", &action.response)] {
                if size.get() > 0.0 {
                    sizes.push(self.sheet.input(what, size, (1.0, Unit::Bytes)));
                }
            }
            if !sizes.is_empty() {
                let size = self.total(sizes);
                let bytes = self.sheet.product(vec![rate, day, size]);
                let label = format!("{name}, bytes a day, both ways");
                self.detail(format!("{name}.bytes_per_day"), GROUP, label, bytes, Unit::Bytes);
            }
            if action.response.get() > 0.0 {
                let size = self.sheet.input("response", &action.response, (1.0, Unit::Bytes));
                let cell = self.sheet.product(vec![rate, size, bits]);
                let label = format!("{name} out, no cache, mean");
                let cell =
                    self.line(format!("{name}.egress_uncached"), GROUP, label, cell, Unit::BitsPerSecond);
                out.push(cell);
                let peak = self.sheet.product(vec![cell, factor]);
                let label = format!("{name} out, no cache, peak");
                self.line(format!("{name}.egress_uncached_peak"), GROUP, label, peak, Unit::BitsPerSecond);
            }
        }
        for (cells, quantity, label) in
            [(into, "ingress", "all in, mean"), (out, "egress_uncached", "all out, no cache, mean")]
        {
            if !cells.is_empty() {
                let several = cells.len() > 1;
                let cell = self.sheet.sum(cells);
                let id = format!("{WHOLE}.{quantity}");
                if several {
                    self.line(id, GROUP, label, cell, Unit::BitsPerSecond);
                } else {
                    self.detail(id, GROUP, label, cell, Unit::BitsPerSecond);
                }
            }
        }
        for tier in 0..scenario.tiers.len() {
            self.tier_bandwidth(tier);
        }
    }

    fn tier_bandwidth(&mut self, tier: TierId) {
        if self.scenario.tiers[tier].scope == Scope::User {
            return;
        }
        let name = self.scenario.tier_name(tier).to_owned();
        let global = self.scenario.tiers[tier].scope == Scope::Global;
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let bits = self.common.bits;
        let (mut out, mut peak, mut into) = (Vec::new(), Vec::new(), Vec::new());
        for node in nodes {
            let call = self.flow.nodes[node].call;
            let rates = self.rates[self.flow.nodes[node].action];
            let calls = self.calls[node];
            if call.response.get() > 0.0 {
                let size = self.sheet.input("response", &call.response, (1.0, Unit::Bytes));
                out.push(self.sheet.product(vec![calls, size, bits]));
                let factor = if global { rates.factor_global } else { rates.factor };
                peak.push(self.sheet.product(vec![calls, factor, size, bits]));
            }
            if call.request.get() > 0.0 {
                let size = self.sheet.input("request", &call.request, (1.0, Unit::Bytes));
                into.push(self.sheet.product(vec![calls, size, bits]));
            }
        }
        let bits_out: f64 = out.iter().map(|&c| self.sheet.value(c)).sum();
        // What a cache in front leaves may be next to nothing.
        if bits_out >= 1.0 {
            let (cell, peak) = (self.total(out), self.total(peak));
            let cell = self.line(
                format!("{name}.egress"),
                GROUP,
                format!("out of {name}, mean"),
                cell,
                Unit::BitsPerSecond,
            );
            let peak = self.line(
                format!("{name}.egress_peak"),
                GROUP,
                format!("out of {name}, peak"),
                peak,
                Unit::BitsPerSecond,
            );
            self.tiers[tier].egress = Some(cell);
            self.tiers[tier].egress_peak = Some(peak);
        }
        if !into.is_empty() {
            let cell = self.total(into);
            self.detail(
                format!("{name}.ingress"),
                GROUP,
                format!("into {name}, mean"),
                cell,
                Unit::BitsPerSecond,
            );
        }
    }

    /// A sum, unless there is nothing to add.
    pub fn total(&mut self, cells: Vec<CellId>) -> CellId {
        if let [one] = cells[..] { one } else { self.sheet.sum(cells) }
    }
}
