//! How many connections are open at once, by Little's law: those opened a second times how long each lasts.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::TierId;
use plimsoll_scenarios::quantities::WHOLE;

use super::book::Book;
use crate::analytic::queues::erlang_b;
use crate::model;
use crate::sheet::CellId;

const GROUP: &str = "connections";

impl Book<'_> {
    pub fn connections(&mut self) {
        let scenario = self.scenario;
        let mut held: Vec<(TierId, CellId)> = Vec::new();
        for (id, (name, action)) in scenario.actions.iter().enumerate() {
            let Some(connection) = &action.connection else { continue };
            let lasts = self.sheet.input("time a connection lasts", &connection.lasts, (1.0, Unit::Seconds));
            let rates = self.rates[id];
            let mean = self.sheet.product(vec![rates.mean, lasts]);
            self.line(format!("{name}.connections"), GROUP, format!("{name}, open, mean"), mean, Unit::Count);
            let peak = self.sheet.product(vec![rates.peak, lasts]);
            let peak = self.line(
                format!("{name}.connections_peak"),
                GROUP,
                format!("{name}, open, peak"),
                peak,
                Unit::Count,
            );
            held.push((connection.tier, peak));
            if let Some(beat) = &connection.heartbeat {
                let every = self.sheet.input("time between heartbeats", &beat.every, (1.0, Unit::Seconds));
                let cell = self.sheet.quotient(mean, every);
                self.line(
                    format!("{name}.heartbeats"),
                    GROUP,
                    format!("{name}, heartbeats"),
                    cell,
                    Unit::PerSecond,
                );
            }
        }
        if held.is_empty() {
            return;
        }
        for tier in 0..scenario.tiers.len() {
            let cells: Vec<CellId> = held.iter().filter(|(t, _)| *t == tier).map(|(_, c)| *c).collect();
            if !cells.is_empty() {
                self.held(tier, cells);
            }
        }
        let all = self.sheet.sum(held.iter().map(|(_, cell)| *cell).collect());
        self.detail(format!("{WHOLE}.connections_peak"), GROUP, "all connections, peak", all, Unit::Count);
    }

    fn held(&mut self, tier: TierId, cells: Vec<CellId>) {
        let scenario = self.scenario;
        let name = scenario.tier_name(tier).to_owned();
        let open = self.sheet.sum(cells);
        let open = self.detail(
            format!("{name}.connections_peak"),
            GROUP,
            format!("{name}, connections at the peak"),
            open,
            Unit::Count,
        );
        let tier_ = &scenario.tiers[tier];
        let Some(most) = &tier_.connections_max else { return };
        let most = self.sheet.input("connections of one server", most, (1.0, Unit::Count));
        if let Some(station) = &tier_.station {
            let servers = self.sheet.input(format!("{name} servers"), &station.servers, (1.0, Unit::Count));
            let room = self.sheet.product(vec![servers, most]);
            let used = self.sheet.quotient(open, room);
            let label = format!("{name}, connections used at the peak");
            self.limit(tier, "connections_utilisation_peak", label, used, true);
            let places = model::instances(scenario, tier).max(1) as f64;
            let refused = self.sheet.function("Erlang's loss formula", vec![open, servers, most], move |x| {
                erlang_b((x[1] * x[2] / places).floor().max(0.0) as u64, x[0] / places)
            });
            let label = format!("{name}, connections refused at the peak");
            self.detail(format!("{name}.connections_refused_peak"), GROUP, label, refused, Unit::Share);
        }
    }
}
