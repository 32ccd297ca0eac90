//! `servers` and what goes with them: queues, balancing, batches, servers that come and go, and kinds of them.

use super::super::laws;
use super::flag;
use crate::decode::{Decoder, Fields, Kind, Shape, field, must, quantity};
use crate::kinds::ServerKind;
use crate::node::Node;
use crate::tier::{Autoscale, Balance, Batch, Discipline, Station};
use crate::units::{self, Bandwidth, BitsPerSecond, Count, Fraction, Number, Plain, Seconds, Share};

pub(super) const SERVERS_MAX: u32 = 10_000_000;
pub(super) const CONCURRENCY_MAX: u32 = 1_000_000;
pub(super) const QUEUE_MAX: u32 = 10_000_000;
const BATCH_MAX: u32 = 100_000;
/// Most kinds of servers of one tier.
const KINDS_MAX: usize = 20;
const BALANCES: [(&str, Balance); 6] = [
    ("random", Balance::Random),
    ("round-robin", Balance::RoundRobin),
    ("least-connections", Balance::LeastConnections),
    ("power-of-two", Balance::PowerOfTwo),
    ("consistent-hash", Balance::ConsistentHash),
    ("weighted", Balance::Weighted),
];
const DISCIPLINES: [(&str, Discipline); 3] =
    [("fcfs", Discipline::Fcfs), ("ps", Discipline::ProcessorSharing), ("priority", Discipline::Priority)];
pub(super) const BATCH: Shape = Shape {
    fields: &[
        must("size", Kind::Whole(2, BATCH_MAX), "most requests of one; together they take one service time"),
        field("wait", quantity::<Seconds>(), "how long a free slot waits for more (0)"),
    ],
    example: "{size: 32, wait: 5 ms}",
};
pub(super) const AUTOSCALE: Shape = Shape {
    fields: &[
        must("max", Kind::Whole(1, SERVERS_MAX), "most servers in total"),
        field("min", Kind::Whole(1, SERVERS_MAX), "fewest servers in total (`servers`)"),
        field("target", quantity::<Share>(), "utilisation that it steers at (60 %)"),
        field("delay", quantity::<Seconds>(), "from the decision to the first request (2 min)"),
    ],
    example: "{max: 100, target: 60 %, delay: 2 min}",
};
pub(super) const SERVER_KIND: Shape = Shape {
    fields: &[
        must("share", quantity::<Share>(), "share of the tier's servers"),
        field("speed", quantity::<Plain>(), "times as fast as `service_time` says (1)"),
        field("link", quantity::<BitsPerSecond>(), "egress of one server (that of the tier)"),
    ],
    example: "{share: 25 %, speed: 2}",
};

/// The mean link of servers whose kinds say theirs.
pub(super) fn mean_link(station: &Station) -> Option<Bandwidth> {
    let links: Option<Vec<f64>> =
        station.kinds.iter().map(|kind| Some(kind.share.get() * kind.link.as_ref()?.get())).collect();
    let mean: f64 = links?.iter().sum();
    (mean > 0.0).then(|| Bandwidth::given(mean, &format!("{mean} bit/s")))
}

pub(super) fn station(decoder: &mut Decoder, fields: &mut Fields<'_>, path: &str) -> Option<Station> {
    const OF_SERVERS: [&str; 10] = [
        "concurrency",
        "service_time",
        "queue_max",
        "balance",
        "blocking",
        "single_writer",
        "discipline",
        "batch",
        "autoscale",
        "kinds",
    ];
    let has_servers = fields.take("servers").is_some();
    let stray = OF_SERVERS.into_iter().find(|field| fields.take(field).is_some());
    let servers = fields.whole(decoder, "servers", (1, SERVERS_MAX), "10");
    let concurrency = fields.whole(decoder, "concurrency", (1, CONCURRENCY_MAX), "8");
    let service_node = fields.take("service_time");
    let service_time = service_node.and_then(|n| laws::duration(decoder, n, &format!("{path}.service_time")));
    let queue_max = fields.number(decoder, "queue_max", (0, QUEUE_MAX), "512");
    let balance_name = fields.name("balance");
    let balance = fields.take("balance").and_then(|n| decoder.one_of(n, &balance_name, &BALANCES));
    let blocking = flag(decoder, fields, "blocking").unwrap_or(false);
    let single_writer = flag(decoder, fields, "single_writer").unwrap_or(false);
    let discipline_name = fields.name("discipline");
    let discipline_node = fields.take("discipline");
    let discipline = discipline_node.and_then(|n| decoder.one_of(n, &discipline_name, &DISCIPLINES));
    let discipline = discipline.unwrap_or(Discipline::Fcfs);
    let batch_path = fields.name("batch");
    let batch = fields.take("batch").and_then(|n| batch(decoder, n, &batch_path));
    let autoscale_path = fields.name("autoscale");
    let autoscale =
        fields.take("autoscale").and_then(|n| autoscale(decoder, n, &autoscale_path, servers.as_ref()));
    let kinds_path = fields.name("kinds");
    let kinds = fields.take("kinds").map(|n| kinds(decoder, n, &kinds_path)).unwrap_or_default();
    if let (Discipline::ProcessorSharing, Some(node)) = (discipline, discipline_node)
        && (blocking || batch.is_some())
    {
        let cause =
            format!("`{path}` shares its slots among all requests, which `blocking` and `batch` cannot");
        decoder.problem(node.origin, cause, "drop `discipline: ps`, or the other");
    }
    if !has_servers {
        if let Some(field) = stray
            && !fields.misspelt("servers")
        {
            let cause = format!("`{path}` has `{field}` and no `servers`");
            decoder.problem(fields.origin, cause, "add `servers: 10`");
        }
        return None;
    }
    if service_node.is_none() && !fields.misspelt("service_time") {
        decoder.problem(
            fields.origin,
            format!("`{path}.service_time` is missing"),
            "add `service_time: {lognormal: {mean: 20 ms, cv: 1}}`",
        );
    }
    Some(Station {
        servers: servers?,
        concurrency: concurrency.unwrap_or_else(|| Count::given(1.0, "1")),
        service_time: service_time?,
        queue_max: queue_max.unwrap_or(1024),
        balance: balance.unwrap_or(Balance::Random),
        blocking,
        single_writer,
        discipline,
        batch,
        autoscale,
        kinds,
    })
}

fn kinds(decoder: &mut Decoder, node: &Node, path: &str) -> Vec<ServerKind> {
    let Some(items) = decoder.list(node, path, "[{share: 25 %, speed: 2}, {share: 75 %}]") else {
        return Vec::new();
    };
    if items.len() > KINDS_MAX {
        let cause = format!("`{path}` has {} kinds", items.len());
        decoder.problem(node.origin, cause, format!("{KINDS_MAX} are the most"));
        return Vec::new();
    }
    let read = |(i, item): (usize, &Node)| server_kind(decoder, item, &format!("{path}.{i}"));
    let kinds: Vec<ServerKind> = items.iter().enumerate().filter_map(read).collect();
    let all: f64 = kinds.iter().map(|kind| kind.share.get()).sum();
    if kinds.len() == items.len() && (all - 1.0).abs() > 1e-3 {
        let cause = format!("the shares of `{path}` add up to {:.1} %", 100.0 * all);
        decoder.problem(node.origin, cause, "let them add up to 100 %");
    }
    kinds
}

fn server_kind(decoder: &mut Decoder, node: &Node, path: &str) -> Option<ServerKind> {
    let mut fields = decoder.fields(node, path, &SERVER_KIND)?;
    let share: Option<Fraction> = fields.need_quantity(decoder, "share");
    if let Some(share) = &share {
        decoder.between(share, &fields.name("share"), (1e-6, 1.0), "expected more than 0 %, up to 100 %");
    }
    let speed: Option<Number> = fields.quantity(decoder, "speed");
    if let Some(speed) = &speed {
        decoder.between(speed, &fields.name("speed"), (1e-3, 1e3), "expected 0.001 to 1000");
    }
    let link = fields.quantity::<BitsPerSecond>(decoder, "link");
    fields.finish(decoder);
    Some(ServerKind { share: share?, speed: speed.unwrap_or_else(|| Number::given(1.0, "1")), link })
}

fn batch(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Batch> {
    let mut fields = decoder.fields(node, path, &BATCH)?;
    let size = fields.number(decoder, "size", (2, BATCH_MAX), "32");
    if size.is_none() {
        fields.need(decoder, "size", "32");
    }
    let wait = fields.quantity_like(decoder, "wait", "5 ms");
    fields.finish(decoder);
    Some(Batch { size: size?, wait: wait.unwrap_or_else(|| units::Duration::given(0.0, "0 s")) })
}

fn autoscale(decoder: &mut Decoder, node: &Node, path: &str, servers: Option<&Count>) -> Option<Autoscale> {
    let mut fields = decoder.fields(node, path, &AUTOSCALE)?;
    let max = fields.whole(decoder, "max", (1, SERVERS_MAX), "100");
    if max.is_none() {
        fields.need(decoder, "max", "100");
    }
    let min = fields.whole(decoder, "min", (1, SERVERS_MAX), "10").or_else(|| servers.cloned());
    let target: Option<Fraction> = fields.quantity_like(decoder, "target", "60 %");
    if let Some(target) = &target {
        decoder.between(target, &fields.name("target"), (0.01, 1.0), "expected 1 % to 100 %");
    }
    let delay = fields.quantity_like(decoder, "delay", "2 min");
    let origin = fields.origin;
    fields.finish(decoder);
    if let (Some(min), Some(max)) = (&min, &max)
        && min.get() > max.get()
    {
        let cause = format!("`{path}` has at least {} and at most {} servers", min.text, max.text);
        decoder.problem(origin, cause, "let `max` be the larger");
    }
    Some(Autoscale {
        target: target.unwrap_or_else(|| Fraction::given(0.6, "60 %")),
        min: min?,
        max: max?,
        delay: delay.unwrap_or_else(|| units::Duration::given(120.0, "2 min")),
    })
}
