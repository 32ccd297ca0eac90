//! `tiers`: what serves the actions, with its caches, servers, disks, queues and limits.

mod caches;
mod replication;
mod servers;

use super::{Names, clients, laws};
use crate::decode::{Decoder, Fields, Kind, Shape, field, must, quantity};
use crate::node::Node;
use crate::tier::{External, OnWrite, Queue, Scope, Store, Tier, TierPrice};
use crate::units::{self, BitsPerSecond, Bytes, PerSecond, Seconds, Share, Size, Things};
use caches::{CACHE, cache};
use replication::{COPIES_MAX, REPLICATION, SHARDS, SHARDS_MAX, replication, sharding};
use servers::{AUTOSCALE, BATCH, CONCURRENCY_MAX, QUEUE_MAX, SERVER_KIND, SERVERS_MAX, mean_link, station};

pub const EXAMPLE: &str = "{web: {servers: 10, service_time: 20 ms}}";

const ZONES_MAX: u32 = 100;

const SCOPES: [(&str, Scope); 4] =
    [("user", Scope::User), ("site", Scope::Site), ("region", Scope::Region), ("global", Scope::Global)];
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

fn flag(decoder: &mut Decoder, fields: &mut Fields<'_>, field: &str) -> Option<bool> {
    let name = fields.name(field);
    fields.take(field).and_then(|n| decoder.one_of(n, &name, &FLAGS))
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
