//! What a month costs at list prices: servers as stated, bytes kept with their copies, bytes out, requests.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::TierId;
use plimsoll_scenarios::prices::HOURS_PER_MONTH;
use plimsoll_scenarios::quantities::WHOLE;

use super::book::Book;
use crate::sheet::CellId;

const GROUP: &str = "cost a month";
const MONTH_S: f64 = HOURS_PER_MONTH * 3600.0;

impl Book<'_> {
    pub fn cost(&mut self) {
        let mut all = Vec::new();
        for tier in 0..self.scenario.tiers.len() {
            all.extend(self.cost_of(tier));
        }
        if !all.is_empty() {
            let cell = self.sheet.sum(all);
            self.line(format!("{WHOLE}.cost"), GROUP, "all that has a price", cell, Unit::DollarsPerMonth);
        }
    }

    fn cost_of(&mut self, tier: TierId) -> Option<CellId> {
        let scenario = self.scenario;
        let here = &scenario.tiers[tier];
        let name = scenario.tier_name(tier).to_owned();
        let price = here.price.clone();
        let mut parts: Vec<CellId> = Vec::new();
        if let (Some(server), Some(station)) =
            (price.server.as_ref().and_then(|n| self.prices.server(n)), &here.station)
        {
            let servers = self.sheet.input(format!("{name} servers"), &station.servers, (1.0, Unit::Count));
            let label = price.server.clone().unwrap_or_default();
            let each = self.sheet.constant(label, server.monthly(), Unit::DollarsPerMonth);
            let cell = self.sheet.product(vec![servers, each]);
            parts.push(self.detail(
                format!("{name}.cost_servers"),
                GROUP,
                format!("{name}, servers"),
                cell,
                Unit::DollarsPerMonth,
            ));
        }
        if let (Some(storage), Some(stored)) =
            (price.storage.as_ref().and_then(|n| self.prices.storage(n)), self.tiers[tier].stored)
        {
            let storage = storage.clone();
            // A price that holds copies already is not paid for each of them.
            let included = f64::from(storage.copies).min(here.replication.overhead()).max(1.0);
            let cell =
                self.sheet.function("list price", vec![stored], move |b| storage.monthly(b[0] / included));
            parts.push(self.detail(
                format!("{name}.cost_storage"),
                GROUP,
                format!("{name}, storage"),
                cell,
                Unit::DollarsPerMonth,
            ));
        }
        let month = self.sheet.constant("seconds a month", MONTH_S, Unit::Seconds);
        if let (Some(traffic), Some(egress)) =
            (price.traffic.as_ref().and_then(|n| self.prices.traffic(n)), self.tiers[tier].egress)
        {
            let traffic = traffic.clone();
            let bits = self.common.bits;
            let out = self.sheet.product(vec![egress, month]);
            let bytes = self.sheet.quotient(out, bits);
            let bytes = self.sheet.named(bytes, format!("bytes out of {name} a month"), Unit::Bytes);
            let cell = self.sheet.function("list price", vec![bytes], move |b| traffic.monthly(b[0]));
            parts.push(self.detail(
                format!("{name}.cost_traffic"),
                GROUP,
                format!("{name}, traffic"),
                cell,
                Unit::DollarsPerMonth,
            ));
        }
        if let (Some(requests), Some(rate)) =
            (price.requests.as_ref().and_then(|n| self.prices.requests(n)), self.tiers[tier].rate)
        {
            let requests = requests.clone();
            let count = self.sheet.product(vec![rate, month]);
            let count = self.sheet.named(count, format!("calls of {name} a month"), Unit::Count);
            let cell = self.sheet.function("list price", vec![count], move |c| requests.monthly(c[0]));
            parts.push(self.detail(
                format!("{name}.cost_requests"),
                GROUP,
                format!("{name}, requests"),
                cell,
                Unit::DollarsPerMonth,
            ));
        }
        if let Some(site) = price.site.as_ref().and_then(|n| self.prices.service(n)) {
            let sites = f64::from(scenario.sites());
            let sites = self.sheet.constant(format!("sites of {name}"), sites, Unit::Count);
            let label = price.site.clone().unwrap_or_default();
            let each = self.sheet.constant(label, site.monthly(), Unit::DollarsPerMonth);
            let cell = self.sheet.product(vec![sites, each]);
            parts.push(self.detail(
                format!("{name}.cost_sites"),
                GROUP,
                format!("{name}, sites"),
                cell,
                Unit::DollarsPerMonth,
            ));
        }
        if parts.is_empty() {
            return None;
        }
        let cell = self.sheet.sum(parts);
        Some(self.line(format!("{name}.cost"), GROUP, name.clone(), cell, Unit::DollarsPerMonth))
    }
}
