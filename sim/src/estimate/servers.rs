//! How full the servers are at the peak, and how many there should be: by work, by waiting, by link, by disk
//! and by connections; the largest of these counts.

use std::collections::BTreeMap;

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::slo::Metric;
use plimsoll_scenarios::{Balance, Calls, Scope, ShardBy, Station, TierId};

use super::book::Book;
use crate::analytic::queues::{GiGc, Service, servers_for_wait_quantile};
use crate::model;
use crate::sheet::CellId;

const GROUP: &str = "servers";
/// Utilisation at which servers, links and disks' operations are called well used.
const TARGET: f64 = 0.7;
/// Use of disks and connections up to which they are filled.
const FILL: f64 = 0.8;
/// Targets on percentiles from this one on bound the waits.
const SLOW_P: f64 = 0.9;
/// The percentile of waits that sizes a tier.
const WAIT_P: f64 = 0.99;

impl Book<'_> {
    pub fn servers(&mut self) {
        // What is called is sized before its callers, which may hold a slot while they wait for it.
        let mut order = self.scenario.tier_order();
        order.reverse();
        for &tier in &order {
            if self.scenario.tiers[tier].scope != Scope::User {
                self.tier_load(tier);
            }
        }
        for tier in 0..self.scenario.tiers.len() {
            self.tier_lines(tier);
        }
        let needed: Vec<CellId> =
            self.lines.iter().filter(|l| l.id.ends_with(".servers")).map(|l| l.cell).collect();
        if needed.len() > 1 {
            let all = self.sheet.sum(needed);
            self.line("total.servers".to_owned(), GROUP, "all servers", all, Unit::Count);
        }
    }

    /// Rates, work, service and wait of a tier: what latencies and sizes rest on.
    fn tier_load(&mut self, tier: TierId) {
        let scenario = self.scenario;
        let here = &scenario.tiers[tier];
        let name = scenario.tier_name(tier).to_owned();
        if let Some(rtt) = &here.rtt {
            self.tiers[tier].round_trip =
                Some(self.sheet.input(format!("round trip to {name}"), rtt, (1.0, Unit::Seconds)));
        }
        self.distance(tier);
        if let Some(external) = &here.external {
            self.tiers[tier].service =
                Some(self.mean_time(format!("latency of {name}"), &external.latency, tier));
        }
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        if nodes.is_empty() {
            return;
        }
        let calls = nodes.iter().map(|&n| self.calls[n]).collect();
        let rate = self.total(calls);
        let rate = self.sheet.named(rate, format!("calls of {name}, mean"), Unit::PerSecond);
        self.tiers[tier].rate = Some(rate);
        let mut work = Vec::new();
        for &node in &nodes {
            let here = self.flow.nodes[node].clone();
            let rates = self.rates[here.action];
            let global = scenario.tiers[tier].scope == Scope::Global;
            let mut factors = vec![self.calls[node], if global { rates.factor_global } else { rates.factor }];
            let here_tier = &scenario.tiers[tier];
            let call_writes = here.call.write;
            let replication = &here_tier.replication;
            let (what, times) = if here.call.write {
                ("copies written", replication.write_work())
            } else {
                ("copies read", replication.read_work())
            };
            // A cache's copies share its reads; somebody else's service has copies of its own.
            let counts = here_tier.external.is_none() && (call_writes || here_tier.cache.is_none());
            if times != 1.0 && counts {
                factors.push(self.sheet.stated(what, times, Unit::Number, replication.origin));
            }
            work.push(self.sheet.product(factors));
        }
        let work = self.total(work);
        let work = self.sheet.named(work, format!("calls of {name} servers at the peak"), Unit::PerSecond);
        self.tiers[tier].work_peak = Some(work);
        if let Some(station) = &scenario.tiers[tier].station {
            self.station_load(tier, &name, station, work);
        }
    }

    fn station_load(&mut self, tier: TierId, name: &str, station: &Station, work: CellId) {
        let mut service = self.mean_time(format!("{name} service time"), &station.service_time, tier);
        if !station.kinds.is_empty() {
            let slowness = self.sheet.constant(
                "its servers' slowness, as requests meet it",
                station.slowness(),
                Unit::Number,
            );
            service = self.sheet.product(vec![service, slowness]);
        }
        if station.blocking {
            let behind = self.behind(tier);
            let held = self.sheet.sum(vec![service, behind]);
            service = self.sheet.named(held, format!("time a {name} slot is held"), Unit::Seconds);
        }
        self.tiers[tier].service = Some(service);
        let servers = self.sheet.input(format!("{name} servers"), &station.servers, (1.0, Unit::Count));
        let slots = self.sheet.input("slots of one", &station.concurrency, (1.0, Unit::Count));
        let busy = self.sheet.product(vec![work, service]);
        let room = self.sheet.product(vec![servers, slots]);
        let mut used = self.sheet.quotient(busy, room);
        if let Some(factor) = busiest_kind(station) {
            let label = format!("{name}, all servers busy at the peak");
            let all = self.detail(format!("{name}.utilisation_all_kinds"), GROUP, label, used, Unit::Share);
            let factor = self.sheet.constant("its busiest kind of servers over all", factor, Unit::Number);
            used = self.sheet.product(vec![all, factor]);
        }
        self.tiers[tier].utilisation =
            Some(self.sheet.named(used, format!("{name}, busy at the peak"), Unit::Share));
        let (pools, pooled) = pools(self, tier, station);
        let cv = station.service_time.cv();
        let round_robin = matches!(station.balance, Balance::RoundRobin | Balance::Weighted);
        let wait = self.sheet.function(
            "mean wait in GI/G/c (Erlang C, Kimura)",
            vec![work, service, servers, slots],
            move |x| {
                let slots = (x[2] * x[3] / pools).round().max(1.0);
                // Taking turns, a server gets every n-th arrival: an Erlang-n stream.
                let arrival_cv = if round_robin { (1.0 / (x[2] / pooled).max(1.0)).sqrt() } else { 1.0 };
                let queue = GiGc {
                    servers: slots as u64,
                    arrival_rate: x[0] / pools,
                    arrival_cv,
                    service: Service::lognormal(x[1], cv),
                };
                queue.wait_mean()
            },
        );
        self.tiers[tier].wait =
            Some(self.sheet.named(wait, format!("{name}, mean wait at the peak"), Unit::Seconds));
    }

    fn tier_lines(&mut self, tier: TierId) {
        let scenario = self.scenario;
        let here = &scenario.tiers[tier];
        let cells = self.tiers[tier];
        let name = scenario.tier_name(tier).to_owned();
        let (Some(rate), Some(work)) = (cells.rate, cells.work_peak) else { return };
        self.line(format!("{name}.rate"), GROUP, format!("{name}, calls, mean"), rate, Unit::PerSecond);
        self.reads_and_writes(tier, &name);
        let peak = self.peak_calls(tier);
        self.line(format!("{name}.peak_rate"), GROUP, format!("{name}, calls, peak"), peak, Unit::PerSecond);
        if (self.sheet.value(work) / self.sheet.value(peak) - 1.0).abs() > 1e-9 {
            let label = format!("{name}, calls of servers at the peak, with copies");
            self.line(format!("{name}.work_peak"), GROUP, label, work, Unit::PerSecond);
        }
        let mut needed: Vec<CellId> = Vec::new();
        if let Some(station) = &here.station {
            self.by_work(tier, &name, station, &mut needed);
        }
        self.by_link(tier, &name, &mut needed);
        self.by_disk(tier, &name, &mut needed);
        self.by_connections(tier, &name, &mut needed);
        self.stale_reads(tier, &name);
        if let Some(external) = here.external.as_ref().and_then(|e| e.rate_max.as_ref()) {
            let most = self.sheet.input("calls that it takes", external, (1.0, Unit::PerSecond));
            let used = self.sheet.quotient(work, most);
            self.limit(tier, "limit_utilisation_peak", format!("{name}, limit used at the peak"), used, true);
        }
        self.concentration(tier, &name);
        if here.station.is_none() || needed.is_empty() {
            return;
        }
        let most = self.sheet.max(needed);
        self.line(format!("{name}.servers"), GROUP, format!("{name}, servers needed"), most, Unit::Count);
    }

    /// Calls of a tier at the peak, 1/s.
    fn peak_calls(&mut self, tier: TierId) -> CellId {
        let global = self.scenario.tiers[tier].scope == Scope::Global;
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let mut parts = Vec::new();
        for node in nodes {
            let rates = self.rates[self.flow.nodes[node].action];
            let factor = if global { rates.factor_global } else { rates.factor };
            parts.push(self.sheet.product(vec![self.calls[node], factor]));
        }
        self.total(parts)
    }

    fn reads_and_writes(&mut self, tier: TierId, name: &str) {
        let of_kind = |book: &Self, write: bool| -> Vec<CellId> {
            let nodes = book.flow.at(tier).filter(|&n| book.flow.nodes[n].call.write == write);
            nodes.map(|n| book.calls[n]).collect()
        };
        let (reads, writes) = (of_kind(self, false), of_kind(self, true));
        if !reads.is_empty() && !writes.is_empty() {
            let (reads, writes) = (self.total(reads), self.total(writes));
            self.detail(format!("{name}.reads"), GROUP, format!("{name}, reads"), reads, Unit::PerSecond);
            self.detail(format!("{name}.writes"), GROUP, format!("{name}, writes"), writes, Unit::PerSecond);
        }
    }

    fn by_work(&mut self, tier: TierId, name: &str, station: &Station, needed: &mut Vec<CellId>) {
        let cells = self.tiers[tier];
        let (Some(work), Some(service), Some(used), Some(_)) =
            (cells.work_peak, cells.service, cells.utilisation, cells.wait)
        else {
            return;
        };
        self.limit(tier, "utilisation_peak", format!("{name}, busy at the peak"), used, true);
        let slots_cell = self.sheet.input("slots of one", &station.concurrency, (1.0, Unit::Count));
        let target = self.sheet.constant("utilisation to plan for", TARGET, Unit::Share);
        let busy = self.sheet.product(vec![work, service]);
        let busy = self.sheet.named(busy, format!("busy slots of {name} at the peak"), Unit::Number);
        let at_target = self.sheet.product(vec![slots_cell, target]);
        let cell = self.sheet.quotient(busy, at_target);
        let cell = if let Some(factor) = busiest_kind(station) {
            let factor = self.sheet.constant("its busiest kind of servers over all", factor, Unit::Number);
            self.sheet.product(vec![cell, factor])
        } else {
            cell
        };
        let cell = self.sheet.ceil(cell);
        let label = format!("{name}, servers for {} % busy", TARGET * 100.0);
        needed.push(self.detail(format!("{name}.servers_by_utilisation"), GROUP, label, cell, Unit::Count));
        self.by_wait(tier, name, station, busy, needed);
        let (pools, _) = pools(self, tier, station);
        let (cv, slots, servers) =
            (station.service_time.cv(), station.concurrency.get(), station.servers.get());
        let load = (self.sheet.value(work), self.sheet.value(service));
        let queue = GiGc::poisson(
            (servers * slots / pools).round().max(1.0) as u64,
            load.0 / pools,
            Service::lognormal(load.1, cv),
        );
        // A percentile is stated for the middle of all ranges only: it costs too much for every world.
        let p99 = self.sheet.fixed(
            "99th percentile of the wait in GI/G/c",
            vec![work, service, slots_cell],
            queue.wait_quantile(WAIT_P),
        );
        self.detail(
            format!("{name}.wait_p99"),
            GROUP,
            format!("{name}, p99 wait at the peak"),
            p99,
            Unit::Seconds,
        );
    }

    /// Servers by Erlang C: so that the 99th percentile of the wait stays within the tier's part of the
    /// tightest latency target, or else within its service time.
    fn by_wait(
        &mut self,
        tier: TierId,
        name: &str,
        station: &Station,
        busy: CellId,
        needed: &mut Vec<CellId>,
    ) {
        let service = self.tiers[tier].service.map_or(0.0, |c| self.sheet.value(c));
        let budget = self.wait_budget(tier).filter(|b| *b > 0.0).unwrap_or(service);
        let load = self.sheet.value(busy);
        // By site or region, as if its servers shared one queue: with a queue for each, balancing decides, and
        // the mean wait above tells.
        let pools = places(self, tier);
        let cv = station.service_time.cv();
        let Some(slots) =
            servers_for_wait_quantile(load / pools, &Service::lognormal(service, cv), WAIT_P, budget)
        else {
            return;
        };
        // In other worlds by the square-root rule (Halfin and Whitt 1981) through this very point.
        let spare = (slots as f64 - load / pools) / (load / pools).sqrt().max(1e-9);
        let concurrency = station.concurrency.get();
        let cell = self.sheet.function(
            "servers by Erlang C for the 99th percentile of the wait",
            vec![busy],
            move |x| {
                let each = x[0] / pools;
                ((each + spare * each.sqrt()) * pools / concurrency * (1.0 - 1e-9)).ceil()
            },
        );
        let shown = plimsoll_reports::format::human(budget, Unit::Seconds);
        let label = format!("{name}, servers for a p99 wait within {shown}");
        needed.push(self.detail(format!("{name}.servers_by_wait"), GROUP, label, cell, Unit::Count));
    }

    /// The time that a tier may add to the tightest latency target of the actions that pass it: what the
    /// target leaves after round trips and service on the full path, shared by the stations of the path.
    fn wait_budget(&self, tier: TierId) -> Option<f64> {
        let scenario = self.scenario;
        let bounds = scenario.slos.iter().filter_map(|slo| match &slo.metric {
            // A median says nothing of the waits of the slowest.
            Metric::FirstByte { action, p } | Metric::Complete { action, p } if *p >= SLOW_P => {
                Some((action, slo.bound))
            }
            _ => None,
        });
        let of_one = |(action, bound): (&String, f64)| {
            let calls = &scenario.actions.get(action)?.calls;
            let (fixed, stations) = self.slowest_way(calls);
            if !waited_for(calls, tier) {
                return None;
            }
            Some((bound - fixed) / stations.max(1.0))
        };
        bounds.filter_map(of_one).min_by(f64::total_cmp)
    }

    /// Round trips and service times on the slowest way through a tree of calls where every cache misses, and
    /// the stations on it.
    fn slowest_way(&self, calls: &Calls) -> (f64, f64) {
        let together = |list: &[Calls]| {
            list.iter().map(|c| self.slowest_way(c)).fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        match calls {
            Calls::Nothing | Calls::Async(_) => (0.0, 0.0),
            Calls::Sequence(list) => together(list),
            Calls::Parallel { branches, .. } => branches
                .iter()
                .map(|c| self.slowest_way(c))
                .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a }),
            Calls::One(call) => {
                let cells = self.tiers[call.tier];
                let known = |cell: Option<CellId>| cell.map_or(0.0, |c| self.sheet.value(c));
                let here = known(self.round_trip_of(call)) + known(cells.service);
                let station = f64::from(u8::from(self.scenario.tiers[call.tier].station.is_some()));
                let (behind, stations) = self.slowest_way(&call.next);
                let held = self.scenario.tiers[call.tier].station.as_ref().is_some_and(|s| s.blocking);
                let behind = if held { 0.0 } else { behind };
                ((here + behind) * call.times.get(), station + stations)
            }
        }
    }

    fn by_link(&mut self, tier: TierId, name: &str, needed: &mut Vec<CellId>) {
        let scenario = self.scenario;
        let here = &scenario.tiers[tier];
        let (Some(link), Some(peak)) = (&here.link, self.tiers[tier].egress_peak) else { return };
        let link = self.sheet.input("link of one", link, (1.0, Unit::BitsPerSecond));
        let many = if let Some(station) = &here.station {
            self.sheet.input(format!("{name} servers"), &station.servers, (1.0, Unit::Count))
        } else {
            let instances = model::instances(scenario, tier) as f64;
            self.sheet.stated(format!("number of {name}"), instances, Unit::Count, here.origin)
        };
        let room = self.sheet.product(vec![many, link]);
        let mut used = self.sheet.quotient(peak, room);
        let kinds = here.station.as_ref().map_or_else(Vec::new, |s| s.links_by_kind(self.sheet.value(link)));
        if let Some(fullest) =
            kinds.iter().map(|kind| kind.2).reduce(f64::max).filter(|full| *full > 1.0 + 1e-9)
        {
            let factor = self.sheet.constant("its fullest kind of links over all", fullest, Unit::Number);
            used = self.sheet.product(vec![used, factor]);
        }
        self.limit(tier, "link_utilisation_peak", format!("{name}, links full at the peak"), used, true);
        let target = self.sheet.constant("utilisation to plan for", TARGET, Unit::Share);
        let at_target = self.sheet.product(vec![link, target]);
        let cell = self.sheet.quotient(peak, at_target);
        let cell = self.sheet.ceil(cell);
        let label = format!("{name}, servers for links {} % full", TARGET * 100.0);
        needed.push(self.detail(format!("{name}.servers_by_link"), GROUP, label, cell, Unit::Count));
        self.transfer(tier, name, (peak, link, many));
    }

    fn by_disk(&mut self, tier: TierId, name: &str, needed: &mut Vec<CellId>) {
        let scenario = self.scenario;
        let here = &scenario.tiers[tier];
        let stored = self.kept(tier, name);
        self.tiers[tier].stored = stored;
        self.disk_traffic(tier, name);
        let Some(store) = &here.store else { return };
        let servers = here
            .station
            .as_ref()
            .map(|s| self.sheet.input(format!("{name} servers"), &s.servers, (1.0, Unit::Count)));
        if let (Some(capacity), Some(stored)) = (&store.capacity, stored) {
            let disk = self.sheet.input("disk of one", capacity, (1.0, Unit::Bytes));
            if let Some(servers) = servers {
                let room = self.sheet.product(vec![servers, disk]);
                let used = self.sheet.quotient(stored, room);
                self.limit(tier, "store_utilisation", format!("{name}, disks full"), used, false);
            }
            let fill = self.sheet.constant("how full to plan for", FILL, Unit::Share);
            let room = self.sheet.product(vec![disk, fill]);
            let cell = self.sheet.quotient(stored, room);
            let cell = self.sheet.ceil(cell);
            let label = format!("{name}, servers for disks {} % full", FILL * 100.0);
            needed.push(self.detail(format!("{name}.servers_by_storage"), GROUP, label, cell, Unit::Count));
        }
        let operations = self.operations(tier, name, store.io_size.get());
        if let (Some(most), Some(operations)) = (&store.iops, operations) {
            let most = self.sheet.input("operations of one", most, (1.0, Unit::PerSecond));
            if let Some(servers) = servers {
                let room = self.sheet.product(vec![servers, most]);
                let used = self.sheet.quotient(operations, room);
                self.limit(
                    tier,
                    "iops_utilisation_peak",
                    format!("{name}, IOPS used at the peak"),
                    used,
                    true,
                );
                self.disk_wait(tier, name, (operations, servers, most));
            }
            let target = self.sheet.constant("utilisation to plan for", TARGET, Unit::Share);
            let room = self.sheet.product(vec![most, target]);
            let cell = self.sheet.quotient(operations, room);
            let cell = self.sheet.ceil(cell);
            let label = format!("{name}, servers for IOPS {} % used", TARGET * 100.0);
            needed.push(self.detail(format!("{name}.servers_by_iops"), GROUP, label, cell, Unit::Count));
        }
    }

    /// Bytes that a tier keeps: its datasets with their copies, and what is in its queue.
    fn kept(&mut self, tier: TierId, name: &str) -> Option<CellId> {
        let scenario = self.scenario;
        let mut parts: Vec<CellId> = (0..scenario.datasets.len())
            .filter(|&d| scenario.datasets[d].stored_in == Some(tier))
            .filter_map(|d| self.stored[d])
            .collect();
        if let Some(queue) = &scenario.tiers[tier].queue {
            let retention =
                self.sheet.input("time messages are kept", &queue.retention, (1.0, Unit::Seconds));
            let replication = &scenario.tiers[tier].replication;
            let copies =
                self.sheet.stated("copies", replication.overhead(), Unit::Number, replication.origin);
            let nodes: Vec<usize> = self.flow.at(tier).collect();
            let mut messages = Vec::new();
            for node in nodes {
                let call = self.flow.nodes[node].call;
                let size = self.sheet.input("message", &call.request, (1.0, Unit::Bytes));
                messages.push(self.sheet.product(vec![self.calls[node], size]));
            }
            if !messages.is_empty() {
                let flow = self.total(messages);
                let cell = self.sheet.product(vec![flow, retention, copies]);
                parts.push(self.line(
                    format!("{name}.backlog"),
                    "storage",
                    format!("{name}, messages kept"),
                    cell,
                    Unit::Bytes,
                ));
            }
        }
        if parts.is_empty() {
            return None;
        }
        let cell = self.sheet.sum(parts);
        Some(self.detail(format!("{name}.stored"), "storage", format!("kept in {name}"), cell, Unit::Bytes))
    }

    /// Reads and writes of disks at the peak, 1/s.
    fn operations(&mut self, tier: TierId, name: &str, io_size: f64) -> Option<CellId> {
        let scenario = self.scenario;
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let mut parts = Vec::new();
        for node in nodes {
            let here = self.flow.nodes[node].clone();
            let rates = self.rates[here.action];
            let replication = &scenario.tiers[tier].replication;
            let (bytes, work) = if here.call.write {
                (&here.call.request, replication.write_work())
            } else {
                (&here.call.response, replication.read_work())
            };
            let each = (bytes.get() / io_size).ceil().max(1.0);
            let global = scenario.tiers[tier].scope == Scope::Global;
            let factor = if global { rates.factor_global } else { rates.factor };
            let of_cache = scenario.tiers[tier].cache.as_ref().is_some_and(|cache| cache.memory.is_some());
            if of_cache {
                // Disks that have the rest of a cache are used by hits there and by what is kept alone.
                let Some(uses) = self.disk_uses(node) else { continue };
                let each = self.sheet.constant("operations of one use", each, Unit::Number);
                parts.push(self.sheet.product(vec![self.calls[node], factor, uses, each]));
                continue;
            }
            let each = self.sheet.constant("operations of one call", each * work, Unit::Number);
            parts.push(self.sheet.product(vec![self.calls[node], factor, each]));
        }
        if parts.is_empty() {
            return None;
        }
        let cell = self.total(parts);
        Some(self.detail(
            format!("{name}.iops_peak"),
            GROUP,
            format!("{name}, IOPS at the peak"),
            cell,
            Unit::PerSecond,
        ))
    }

    fn by_connections(&mut self, tier: TierId, name: &str, needed: &mut Vec<CellId>) {
        let id = format!("{name}.connections_peak");
        let Some(open) = self.lines.iter().find(|l| l.id == id).map(|l| l.cell) else { return };
        let Some(most) = &self.scenario.tiers[tier].connections_max else { return };
        let most = self.sheet.input("connections of one server", most, (1.0, Unit::Count));
        let fill = self.sheet.constant("how full to plan for", FILL, Unit::Share);
        let room = self.sheet.product(vec![most, fill]);
        let cell = self.sheet.quotient(open, room);
        let cell = self.sheet.ceil(cell);
        let label = format!("{name}, servers for connections {} % used", FILL * 100.0);
        needed.push(self.detail(format!("{name}.servers_by_connections"), GROUP, label, cell, Unit::Count));
    }

    /// The hottest shard, and the hottest key of a single writer.
    fn concentration(&mut self, tier: TierId, name: &str) {
        let scenario = self.scenario;
        let here = &scenario.tiers[tier];
        let single = here.station.as_ref().is_some_and(|s| s.single_writer);
        if here.sharding.is_none() && !single {
            return;
        }
        let chain = crate::analytic::caches::chain_of(scenario, &self.flow);
        let nodes: Vec<usize> = self.flow.at(tier).collect();
        let total: f64 = nodes.iter().map(|&n| self.sheet.value(self.calls[n])).sum();
        if total <= 0.0 {
            return;
        }
        // Shares of all calls of the tier; calls for the same dataset agree on which object is hottest.
        let mut by_dataset: BTreeMap<usize, f64> = BTreeMap::new();
        let mut squares = 0.0;
        for &node in &nodes {
            let part = self.sheet.value(self.calls[node]) / total;
            let (most, square) = chain.concentration[node];
            if let Some(dataset) = self.flow.nodes[node].call.of {
                let most = match self.hot {
                    // A cache in front has the new object after its first request.
                    Some((hot, share)) if hot == dataset && !self.cached_before(node) => most.max(share),
                    _ => most,
                };
                *by_dataset.entry(dataset).or_default() += part * most;
            }
            squares += part * part * square;
        }
        let hottest = by_dataset.values().copied().fold(0.0, f64::max);
        let Some(used) = self.tiers[tier].utilisation else { return };
        if let Some(sharding) = &here.sharding {
            let n = f64::from(sharding.shards);
            let rest = (1.0 - hottest) / n;
            let uneven = (2.0 * n.ln() * (squares - hottest * hottest).max(0.0) / n).sqrt();
            let (words, share) = match sharding.by {
                ShardBy::Hash => ("hottest key + even rest + unevenness of hashing", hottest + rest + uneven),
                ShardBy::Consistent { virtual_nodes } => {
                    let arcs = (2.0 * n.ln() / f64::from(virtual_nodes)).sqrt();
                    ("hottest key + rest over arcs of the ring", hottest + rest * (1.0 + arcs) + uneven)
                }
                ShardBy::Range => ("share of the first range of keys", self.first_range(&nodes, total, n)),
            };
            let shards = self.sheet.stated("shards", n, Unit::Count, sharding.origin);
            let share = self.sheet.fixed(words, vec![shards], share.min(1.0));
            let share = self.line(
                format!("{name}.hottest_shard"),
                GROUP,
                format!("{name}, hottest of {n} shards"),
                share,
                Unit::Share,
            );
            let cell = self.sheet.product(vec![used, share, shards]);
            self.limit(
                tier,
                "hottest_shard_utilisation",
                format!("{name}, hottest shard busy at the peak"),
                cell,
                true,
            );
        }
        if let (true, Some(work), Some(service)) =
            (single, self.tiers[tier].work_peak, self.tiers[tier].service)
        {
            let share = self.sheet.constant("share of the hottest key", hottest, Unit::Share);
            let cell = self.sheet.product(vec![work, share, service]);
            self.limit(
                tier,
                "hottest_key_utilisation",
                format!("{name}, hottest key busy at the peak"),
                cell,
                true,
            );
        }
    }

    /// Whether a cache before this call looks for the same object.
    fn cached_before(&self, node: usize) -> bool {
        let of = self.flow.nodes[node].call.of;
        let mut here = self.flow.nodes[node].caller;
        while let Some(caller) = here {
            if self.flow.nodes[caller].lookup && self.flow.nodes[caller].call.of == of {
                return true;
            }
            here = self.flow.nodes[caller].caller;
        }
        false
    }

    /// Share of a tier's calls that goes to the first of n equal ranges of keys, the most popular ones.
    fn first_range(&self, nodes: &[usize], total: f64, n: f64) -> f64 {
        let share = |&node: &usize| {
            let Some(dataset) = self.flow.nodes[node].call.of else { return 0.0 };
            let dataset = &self.scenario.datasets[dataset];
            let count = dataset.count.get().max(1.0);
            let part = self.sheet.value(self.calls[node]) / total;
            part * dataset.popularity.over(count as u64).mass(0, (count / n).ceil() as u64)
        };
        nodes.iter().map(share).sum()
    }
}

/// How busy the busiest kind of servers is over all of them together; `None` where all are alike.
fn busiest_kind(station: &Station) -> Option<f64> {
    let busiest = station.busy_by_kind().into_iter().reduce(f64::max)?;
    Some(busiest / station.slowness())
}

/// Whether a tree of calls waits for a tier.
fn waited_for(calls: &Calls, tier: TierId) -> bool {
    let mut found = false;
    calls.each(false, &mut |call, asynchronous| found |= !asynchronous && call.tier == tier);
    found
}

/// Places (sites, regions) that a tier's servers are spread over.
fn places(book: &Book<'_>, tier: TierId) -> f64 {
    model::instances(book.scenario, tier).max(1) as f64
}

/// Queues that a tier's calls are spread over, and servers that share one.
fn pools(book: &Book<'_>, tier: TierId, station: &Station) -> (f64, f64) {
    match station.balance {
        Balance::LeastConnections | Balance::PowerOfTwo => (places(book, tier), places(book, tier)),
        Balance::Random | Balance::RoundRobin | Balance::ConsistentHash | Balance::Weighted => {
            (station.servers.get().max(1.0), places(book, tier))
        }
    }
}
