//! `tiers`: what serves the actions, with its caches, servers, disks, queues and limits.

use super::{Names, clients, laws, reference};
use crate::decode::{Decoder, Fields, Kind, Shape, either, field, must, quantity};
use crate::diagnostic::Origin;
use crate::kinds::ServerKind;
use crate::node::{Node, Value};
use crate::tier::{
    Admission, Autoscale, Balance, Batch, Cache, Discipline, External, OnWrite, Policy, Queue, Replication,
    Scheme, Scope, ShardBy, Sharding, Station, Store, Tier, TierPrice,
};
use crate::units::{
    self, Bandwidth, BitsPerSecond, Bytes, Count, Fraction, Number, PerSecond, Plain, Seconds, Share, Size,
    Things,
};

pub const EXAMPLE: &str = "{web: {servers: 10, service_time: 20 ms}}";

const SERVERS_MAX: u32 = 10_000_000;
const CONCURRENCY_MAX: u32 = 1_000_000;
const QUEUE_MAX: u32 = 10_000_000;
/// Most whole copies of what a tier stores, and most pieces of an erasure code.
const COPIES_MAX: u32 = 1000;
const SHARDS_MAX: u32 = 10_000_000;
const BATCH_MAX: u32 = 100_000;
/// Most kinds of servers of one tier.
const KINDS_MAX: usize = 20;
const ZONES_MAX: u32 = 100;
const VIRTUAL_NODES_MAX: u32 = 100_000;

const SCOPES: [(&str, Scope); 4] =
    [("user", Scope::User), ("site", Scope::Site), ("region", Scope::Region), ("global", Scope::Global)];
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
const ON_WRITES: [(&str, OnWrite); 2] = [("none", OnWrite::Nothing), ("invalidate", OnWrite::Invalidate)];
/// Least and most of a cache's time to live, seconds.
const TTL_S: (f64, f64) = (0.01, 10.0 * 365.0 * 86_400.0);
const FLAGS: [(&str, bool); 2] = [("true", true), ("false", false)];

pub const TIER: Shape = Shape {
    fields: &[
        field(
            "per",
            Kind::Choice(&["user", "site", "region", "global"]),
            "of what there is one each (global)",
        ),
        field("rtt", quantity::<Seconds>(), "round trip from the caller to here (0)"),
        field(
            "link",
            Kind::Any(&[quantity::<BitsPerSecond>(), Kind::Auto]),
            "egress of one server, or of one instance without servers; bodies under way share it",
        ),
        field(
            "cache",
            Kind::Fields(&CACHE),
            "keeps objects, so that what is behind is called on a miss only",
        ),
        field(
            "servers",
            Kind::Any(&[Kind::Whole(1, SERVERS_MAX), Kind::Auto]),
            "servers in total, shared out over regions and sites",
        ),
        field(
            "concurrency",
            Kind::Any(&[Kind::Whole(1, CONCURRENCY_MAX), Kind::Auto]),
            "requests one server works on at a time (1)",
        ),
        field("service_time", laws::DURATION, "time one request holds one slot"),
        field(
            "queue_max",
            Kind::Whole(0, QUEUE_MAX),
            "requests waiting at one server; one more is rejected (1024)",
        ),
        field(
            "balance",
            Kind::Choice(&[
                "random",
                "round-robin",
                "least-connections",
                "power-of-two",
                "consistent-hash",
                "weighted",
            ]),
            "how requests are spread (random)",
        ),
        field(
            "blocking",
            Kind::Flag,
            "a slot stays held while the request waits downstream: a thread per request (false)",
        ),
        field("single_writer", Kind::Flag, "one request at a time for any one object (false)"),
        field(
            "discipline",
            Kind::Choice(&["fcfs", "ps", "priority"]),
            "first come first served, all at once at equal shares, or by the action's `priority` (fcfs)",
        ),
        field("batch", Kind::Fields(&BATCH), "one slot serves several requests together"),
        field("autoscale", Kind::Fields(&AUTOSCALE), "servers that come and go with the load"),
        field(
            "kinds",
            Kind::List(&Kind::Fields(&SERVER_KIND)),
            "servers that differ; shares add up to 100 %",
        ),
        field("client", Kind::Fields(&clients::CLIENT), "what callers do where it is slow or fails"),
        field("store", Kind::Fields(&STORE), "disks of one server"),
        field(
            "queue",
            Kind::Fields(&QUEUE),
            "a durable queue: its caller goes on at once, what follows is asynchronous",
        ),
        field("external", Kind::Fields(&EXTERNAL), "somebody else's service"),
        field(
            "copies",
            Kind::Any(&[Kind::Whole(1, COPIES_MAX), Kind::Auto]),
            "whole copies of what is stored here (1)",
        ),
        field(
            "replication",
            Kind::Any(&[Kind::Fields(&REPLICATION), Kind::Auto]),
            "copies with quorums, or an erasure code",
        ),
        field(
            "shards",
            Kind::Any(&[Kind::Whole(1, SHARDS_MAX), Kind::Fields(&SHARDS), Kind::Auto]),
            "parts that keys are spread over",
        ),
        field("connections_max", quantity::<Things>(), "open connections that one server holds"),
        field("availability", quantity::<Share>(), "share of time that one server works"),
        field(
            "zones",
            Kind::Any(&[Kind::Whole(1, ZONES_MAX), Kind::Auto]),
            "availability zones that it is spread over (1)",
        ),
        field("price", Kind::Fields(&PRICE), "entries of the price file"),
    ],
    example: "{servers: 10, service_time: 20 ms}",
};
const BATCH: Shape = Shape {
    fields: &[
        must("size", Kind::Whole(2, BATCH_MAX), "most requests of one; together they take one service time"),
        field("wait", quantity::<Seconds>(), "how long a free slot waits for more (0)"),
    ],
    example: "{size: 32, wait: 5 ms}",
};
const AUTOSCALE: Shape = Shape {
    fields: &[
        must("max", Kind::Whole(1, SERVERS_MAX), "most servers in total"),
        field("min", Kind::Whole(1, SERVERS_MAX), "fewest servers in total (`servers`)"),
        field("target", quantity::<Share>(), "utilisation that it steers at (60 %)"),
        field("delay", quantity::<Seconds>(), "from the decision to the first request (2 min)"),
    ],
    example: "{max: 100, target: 60 %, delay: 2 min}",
};
const SERVER_KIND: Shape = Shape {
    fields: &[
        must("share", quantity::<Share>(), "share of the tier's servers"),
        field("speed", quantity::<Plain>(), "times as fast as `service_time` says (1)"),
        field("link", quantity::<BitsPerSecond>(), "egress of one server (that of the tier)"),
    ],
    example: "{share: 25 %, speed: 2}",
};
const CACHE: Shape = Shape {
    fields: &[
        must("capacity", Kind::Any(&[quantity::<Bytes>(), Kind::Auto]), "bytes of one instance"),
        field("memory", quantity::<Bytes>(), "bytes of it in memory, the rest is on disk (no disk is asked)"),
        field(
            "policy",
            Kind::Any(&[
                Kind::Choice(&["lru", "fifo", "clock", "sieve", "s3-fifo", "lfu", "w-tinylfu"]),
                Kind::Auto,
            ]),
            "which object goes (lru)",
        ),
        field("per_server", Kind::Flag, "every server has one of its own (false)"),
        field("of", Kind::List(&Kind::Name("dataset")), "the datasets that it keeps (all that pass)"),
        field(
            "ttl",
            quantity::<Seconds>(),
            "how long what was fetched is fresh; hits do not prolong it (for ever)",
        ),
        field("admit", Kind::Fields(&ADMIT), "what it keeps of what it fetched (everything)"),
        field(
            "on_write",
            Kind::Choice(&["none", "invalidate"]),
            "what a write that passes does to the object there (none)",
        ),
    ],
    example: "{capacity: 1 GB, policy: lru}",
};
const ADMIT: Shape = Shape {
    fields: &[
        field("on", Kind::Whole(1, 2), "2: from the second request on that is remembered (1)"),
        field("max_size", quantity::<Bytes>(), "larger objects pass and are not kept (no bound)"),
    ],
    example: "{on: 2, max_size: 20 MB}",
};
const STORE: Shape = Shape {
    fields: &[
        field("capacity", quantity::<Bytes>(), "bytes that one server keeps"),
        field("iops", quantity::<PerSecond>(), "reads and writes of one server"),
        field("io_size", quantity::<Bytes>(), "bytes of one read or write (256 KiB)"),
    ],
    example: "{capacity: 4 TB, iops: 16 K/s}",
};
const QUEUE: Shape = Shape {
    fields: &[field("retention", quantity::<Seconds>(), "how long messages are kept (7 days)")],
    example: "{retention: 7 days}",
};
const EXTERNAL: Shape = Shape {
    fields: &[
        must("latency", laws::DURATION, "time to answer"),
        field("rate_max", quantity::<PerSecond>(), "calls that it takes"),
    ],
    example: "{latency: 80 ms, rate_max: 5 K/s}",
};
const REPLICATION: Shape = Shape {
    fields: &[
        either("copies", Kind::Any(&[Kind::Whole(1, COPIES_MAX), Kind::Auto]), "whole copies"),
        field("write_quorum", Kind::Whole(1, COPIES_MAX), "copies that a write waits for (a majority)"),
        field("read_quorum", Kind::Whole(1, COPIES_MAX), "copies that a read asks (1)"),
        field("lag", laws::DURATION, "until copies that a write does not wait for have it (none)"),
        either("erasure", Kind::Fields(&ERASURE), "an erasure code instead of copies"),
    ],
    example: "{copies: 3, write_quorum: 2, read_quorum: 2}",
};
const ERASURE: Shape = Shape {
    fields: &[
        must("data", Kind::Whole(1, COPIES_MAX), "pieces that give the object"),
        must("parity", Kind::Whole(1, COPIES_MAX), "pieces that may be lost"),
    ],
    example: "{data: 10, parity: 4}",
};
const SHARDS: Shape = Shape {
    fields: &[
        must("count", Kind::Any(&[Kind::Whole(1, SHARDS_MAX), Kind::Auto]), "shards"),
        field("by", Kind::Choice(&["hash", "range", "consistent"]), "how keys find their shard (hash)"),
        field(
            "virtual_nodes",
            Kind::Whole(1, VIRTUAL_NODES_MAX),
            "points of one shard on a consistent ring (128)",
        ),
    ],
    example: "{count: 64, by: consistent}",
};
const PRICE: Shape = Shape {
    fields: &[
        field("server", Kind::Text, "an instance type, for every server; `auto` leaves it to `plan`"),
        field("storage", Kind::Text, "a storage type, for every byte kept"),
        field("traffic", Kind::Text, "a traffic price, for every byte out"),
        field("requests", Kind::Text, "a price for requests"),
        field("site", Kind::Text, "a service, for every site: what one costs beside its servers"),
    ],
    example: "{server: m7g.xlarge, storage: gp3}",
};

pub fn tier(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Tier> {
    let mut fields = decoder.fields(node, path, &TIER)?;
    let per_name = fields.name("per");
    let scope =
        fields.take("per").and_then(|n| decoder.one_of(n, &per_name, &SCOPES)).unwrap_or(Scope::Global);
    let rtt = fields.quantity::<Seconds>(decoder, "rtt");
    let own_link = fields.quantity::<BitsPerSecond>(decoder, "link");
    let cache = fields
        .take("cache")
        .and_then(|n| cache(decoder, n, &format!("{path}.cache"), names.datasets.as_deref()));
    let has_servers = fields.take("servers").is_some() || fields.misspelt("servers");
    let station = station(decoder, &mut fields, path);
    let link = own_link.or_else(|| station.as_ref().and_then(mean_link));
    let store = fields.take("store").and_then(|n| store(decoder, n, &format!("{path}.store")));
    let queue = fields.take("queue").and_then(|n| queue(decoder, n, &format!("{path}.queue")));
    let external = fields.take("external").and_then(|n| external(decoder, n, &format!("{path}.external")));
    let replication = replication(decoder, &mut fields, path);
    let client_path = fields.name("client");
    let client = fields.take("client").and_then(|n| clients::client(decoder, n, &client_path));
    let sharding = fields.take("shards").and_then(|n| sharding(decoder, n, &format!("{path}.shards")));
    let connections_max = fields.quantity(decoder, "connections_max");
    let availability = fields.quantity(decoder, "availability");
    let zones = fields.number(decoder, "zones", (1, ZONES_MAX), "3").unwrap_or(1);
    let price =
        fields.take("price").and_then(|n| price(decoder, n, &format!("{path}.price"))).unwrap_or_default();
    let origin = fields.origin;
    fields.finish(decoder);
    let tier = Tier {
        scope,
        rtt,
        link,
        cache,
        station,
        store,
        queue,
        external,
        replication,
        sharding,
        client: client.unwrap_or_default(),
        connections_max,
        availability,
        zones,
        price,
        origin,
    };
    together(decoder, &tier, path, has_servers);
    Some(tier)
}

/// The mean link of servers whose kinds say theirs.
fn mean_link(station: &Station) -> Option<Bandwidth> {
    let links: Option<Vec<f64>> =
        station.kinds.iter().map(|kind| Some(kind.share.get() * kind.link.as_ref()?.get())).collect();
    let mean: f64 = links?.iter().sum();
    (mean > 0.0).then(|| Bandwidth::given(mean, &format!("{mean} bit/s")))
}

/// Rules over several fields of one tier.
fn together(decoder: &mut Decoder, tier: &Tier, path: &str, has_servers: bool) {
    if tier.scope == Scope::User && has_servers {
        let cause = format!("`{path}` is on the user's device and has servers");
        decoder.problem(tier.origin, cause, "drop `servers` or `per: user`");
    }
    if tier.cache.as_ref().is_some_and(|c| c.per_server) && !has_servers {
        let cause = format!("`{path}.cache` is per server, and `{path}` has no servers");
        decoder.problem(tier.origin, cause, "add `servers`, or drop `per_server`");
    }
    if tier.external.is_some() && has_servers {
        let cause = format!("`{path}` is somebody else's service and has servers");
        decoder.problem(tier.origin, cause, "drop `servers` or `external`");
    }
    if tier.price.site.is_some() && tier.scope != Scope::Site {
        let cause = format!("`{path}.price.site` is the price of a site, and `{path}` has none");
        decoder.problem(tier.price.origin, cause, "add `per: site`, or drop it");
    }
    let invalidated = tier.cache.as_ref().is_some_and(|c| c.on_write == OnWrite::Invalidate);
    if invalidated && tier.scope == Scope::User {
        let cause = format!("`{path}.cache` is on the user's device, where nobody else's write comes by");
        decoder.problem(
            tier.origin,
            cause,
            "drop `on_write`, or bound how old an object may be with `ttl: 5 min`",
        );
    }
    let some_links = tier.station.iter().flat_map(|s| &s.kinds).any(|kind| kind.link.is_some());
    if some_links && tier.link.is_none() {
        let cause = format!("`{path}.kinds` say the link of some servers and not of others");
        decoder.problem(tier.origin, cause, "write `link` for every kind, or for the tier");
    }
    if tier.queue.is_some() && tier.cache.is_some() {
        let cause = format!("`{path}` is a queue and a cache");
        decoder.problem(tier.origin, cause, "make two tiers of it");
    }
}

fn cache(decoder: &mut Decoder, node: &Node, path: &str, datasets: Option<&[String]>) -> Option<Cache> {
    let mut fields = decoder.fields(node, path, &CACHE)?;
    let capacity: Option<Size> = fields.need_quantity(decoder, "capacity");
    let memory_node = fields.take("memory").map(|n| n.origin);
    let memory: Option<Size> = fields.quantity_like(decoder, "memory", "64 GB");
    if let (Some(origin), Some(memory), Some(capacity)) = (memory_node, &memory, &capacity)
        && !(memory.get() >= 1.0 && memory.get() <= capacity.get())
    {
        let cause = format!("`{path}.memory` is {}, of a cache of {}", memory.text, capacity.text);
        decoder.problem(
            origin,
            cause,
            "`capacity` counts memory and disks together: let `memory` be a part of it",
        );
    }
    let policy_name = fields.name("policy");
    let policy = fields
        .take("policy")
        .and_then(|n| decoder.one_of(n, &policy_name, &Policy::NAMES))
        .unwrap_or(Policy::Lru);
    let per_server = flag(decoder, &mut fields, "per_server").unwrap_or(false);
    let of_name = fields.name("of");
    let of = fields.take("of").map(|n| {
        let items = decoder.list(n, &of_name, "[photo]").unwrap_or_default();
        items.iter().filter_map(|item| reference(decoder, item, &of_name, "dataset", datasets)).collect()
    });
    let ttl: Option<units::Duration> = fields.quantity_like(decoder, "ttl", "1 h");
    if let Some(ttl) = &ttl {
        decoder.between(ttl, &fields.name("ttl"), TTL_S, "expected 10 ms to 10 years, such as `1 h`");
    }
    let admit_path = fields.name("admit");
    let admit = fields
        .take("admit")
        .map_or_else(|| Some(Admission::default()), |n| admission(decoder, n, &admit_path));
    let on_write_name = fields.name("on_write");
    let on_write = fields.take("on_write").and_then(|n| decoder.one_of(n, &on_write_name, &ON_WRITES));
    fields.finish(decoder);
    Some(Cache {
        capacity: capacity?,
        memory,
        policy,
        per_server,
        of,
        ttl,
        admit: admit?,
        on_write: on_write.unwrap_or_default(),
    })
}

fn admission(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Admission> {
    let mut fields = decoder.fields(node, path, &ADMIT)?;
    let on = fields.number(decoder, "on", (1, 2), "2").unwrap_or(1);
    let max_size: Option<Size> = fields.quantity_like(decoder, "max_size", "20 MB");
    if let Some(size) = &max_size {
        let fix = "expected more than 0, such as `20 MB`";
        decoder.between(size, &fields.name("max_size"), (1.0, f64::MAX), fix);
    }
    fields.finish(decoder);
    Some(Admission { on_second: on == 2, max_size })
}

fn flag(decoder: &mut Decoder, fields: &mut Fields<'_>, field: &str) -> Option<bool> {
    let name = fields.name(field);
    fields.take(field).and_then(|n| decoder.one_of(n, &name, &FLAGS))
}

fn station(decoder: &mut Decoder, fields: &mut Fields<'_>, path: &str) -> Option<Station> {
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

fn store(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Store> {
    let mut fields = decoder.fields(node, path, &STORE)?;
    let capacity = fields.quantity(decoder, "capacity");
    let iops = fields.quantity_like(decoder, "iops", "16 K/s");
    let io_size = fields.quantity(decoder, "io_size").unwrap_or_else(|| Size::given(262_144.0, "256 KiB"));
    fields.finish(decoder);
    Some(Store { capacity, iops, io_size })
}

fn queue(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Queue> {
    let mut fields = decoder.fields(node, path, &QUEUE)?;
    let retention = fields.quantity_like(decoder, "retention", "7 days");
    fields.finish(decoder);
    Some(Queue { retention: retention.unwrap_or_else(|| units::Duration::given(7.0 * 86_400.0, "7 days")) })
}

fn external(decoder: &mut Decoder, node: &Node, path: &str) -> Option<External> {
    let mut fields = decoder.fields(node, path, &EXTERNAL)?;
    let latency_path = fields.name("latency");
    let latency =
        fields.need(decoder, "latency", "80 ms").and_then(|n| laws::duration(decoder, n, &latency_path));
    let rate_max = fields.quantity_like(decoder, "rate_max", "5 K/s");
    fields.finish(decoder);
    Some(External { latency: latency?, rate_max })
}

fn replication(decoder: &mut Decoder, fields: &mut Fields<'_>, path: &str) -> Replication {
    let copies = fields.number(decoder, "copies", (1, COPIES_MAX), "3");
    let plain = |count: u32, origin: Origin| Replication {
        scheme: Scheme::Copies { count, write: count / 2 + 1, read: 1 },
        lag: None,
        origin,
    };
    let Some(node) = fields.take("replication") else { return plain(copies.unwrap_or(1), fields.origin) };
    if copies.is_some() {
        let cause = format!("`{path}` has `copies` and `replication`");
        decoder.problem(node.origin, cause, "put `copies` into `replication`");
    }
    schemed(decoder, node, &format!("{path}.replication")).unwrap_or_else(|| plain(1, node.origin))
}

fn schemed(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Replication> {
    let mut fields = decoder.fields(node, path, &REPLICATION)?;
    let origin = fields.origin;
    let count = fields.number(decoder, "copies", (1, COPIES_MAX), "3");
    let write = fields.number(decoder, "write_quorum", (1, COPIES_MAX), "2");
    let read = fields.number(decoder, "read_quorum", (1, COPIES_MAX), "1");
    let lag_path = fields.name("lag");
    let lag_node = fields.take("lag");
    let lag = lag_node.and_then(|n| laws::duration(decoder, n, &lag_path));
    let erasure = fields.take("erasure");
    let misspelt = fields.misspelt("copies") || fields.misspelt("erasure");
    fields.finish(decoder);
    if let Some(node) = erasure {
        if count.or(write).or(read).is_some() || lag_node.is_some() {
            let cause = format!("`{path}` has both an erasure code and copies");
            decoder.problem(origin, cause, "keep one of them");
        }
        let mut fields = decoder.fields(node, &format!("{path}.erasure"), &ERASURE)?;
        let data = fields.number(decoder, "data", (1, COPIES_MAX), "10");
        let parity = fields.number(decoder, "parity", (1, COPIES_MAX), "4");
        if data.is_none() || parity.is_none() {
            fields.need(decoder, "data", "10");
            fields.need(decoder, "parity", "4");
        }
        fields.finish(decoder);
        let scheme = Scheme::Erasure { data: data?, parity: parity? };
        return Some(Replication { scheme, lag: None, origin });
    }
    if count.is_none() && !misspelt {
        let cause = format!("`{path}` says neither `copies` nor `erasure`");
        decoder.problem(origin, cause, format!("write `{}`", REPLICATION.example));
    }
    let count = count?;
    let (write, read) = (write.unwrap_or(count / 2 + 1), read.unwrap_or(1));
    for (field, quorum) in [("write_quorum", write), ("read_quorum", read)] {
        if quorum > count {
            let cause = format!("`{path}.{field}` is {quorum}, of {count} copies");
            decoder.problem(origin, cause, "ask for at most as many as there are");
        }
    }
    Some(Replication { scheme: Scheme::Copies { count, write, read }, lag, origin })
}

fn sharding(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Sharding> {
    if let Value::Text(_) = &node.value {
        let shards = decoder.whole(node, path, (1, SHARDS_MAX), "64")?.get() as u32;
        return Some(Sharding { shards, by: ShardBy::Hash, origin: node.origin });
    }
    let mut fields = decoder.fields(node, path, &SHARDS)?;
    let shards = fields.number(decoder, "count", (1, SHARDS_MAX), "64");
    if shards.is_none() {
        fields.need(decoder, "count", "64");
    }
    let by_name = fields.name("by");
    let virtual_node = fields.take("virtual_nodes").map(|n| n.origin);
    let virtual_nodes = fields.number(decoder, "virtual_nodes", (1, VIRTUAL_NODES_MAX), "128").unwrap_or(128);
    let ways = [
        ("hash", ShardBy::Hash),
        ("range", ShardBy::Range),
        ("consistent", ShardBy::Consistent { virtual_nodes }),
    ];
    let by = fields.take("by").and_then(|n| decoder.one_of(n, &by_name, &ways)).unwrap_or(ShardBy::Hash);
    let origin = fields.origin;
    fields.finish(decoder);
    if let (Some(origin), ShardBy::Hash | ShardBy::Range) = (virtual_node, by) {
        let cause = format!("`{path}.virtual_nodes` is only for a consistent ring");
        decoder.problem(origin, cause, "add `by: consistent`, or drop it");
    }
    Some(Sharding { shards: shards?, by, origin })
}

fn price(decoder: &mut Decoder, node: &Node, path: &str) -> Option<TierPrice> {
    const FIX: &str = "write the name of an entry of the price file";
    let mut fields = decoder.fields(node, path, &PRICE)?;
    let server = fields.text(decoder, "server", FIX);
    let storage = fields.text(decoder, "storage", FIX);
    let traffic = fields.text(decoder, "traffic", FIX);
    let requests = fields.text(decoder, "requests", FIX);
    let site = fields.text(decoder, "site", FIX);
    let origin = fields.origin;
    fields.finish(decoder);
    Some(TierPrice { server, storage, traffic, requests, site, origin })
}
