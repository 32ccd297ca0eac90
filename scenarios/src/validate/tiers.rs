//! `tiers`: what serves the actions, with its caches and servers.

use super::{Names, laws, reference};
use crate::decode::{Decoder, Fields, Shape};
use crate::node::Node;
use crate::scenario::{Balance, Cache, Policy, Scope, Station, Tier};
use crate::units::{self, Count};

pub const EXAMPLE: &str = "{web: {servers: 10, service_time: 20 ms}}";

const SERVERS_MAX: u32 = 10_000_000;
const CONCURRENCY_MAX: u32 = 1_000_000;
const QUEUE_MAX: u32 = 10_000_000;
/// Most whole copies of what a tier stores.
const COPIES_MAX: u32 = 1000;

const TIER: Shape = Shape {
    fields: &[
        "per",
        "rtt",
        "link",
        "cache",
        "servers",
        "concurrency",
        "service_time",
        "queue_max",
        "balance",
        "copies",
    ],
    example: "{servers: 10, service_time: 20 ms}",
};
const CACHE: Shape =
    Shape { fields: &["capacity", "policy", "per_server", "of"], example: "{capacity: 1 GB, policy: lru}" };

pub fn tier(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Tier> {
    let mut fields = decoder.fields(node, path, &TIER)?;
    let per_name = fields.name("per");
    let scopes =
        [("user", Scope::User), ("site", Scope::Site), ("region", Scope::Region), ("global", Scope::Global)];
    let scope =
        fields.take("per").and_then(|n| decoder.one_of(n, &per_name, &scopes)).unwrap_or(Scope::Global);
    let rtt = fields.quantity::<units::Seconds>(decoder, "rtt");
    let link = fields.quantity::<units::BitsPerSecond>(decoder, "link");
    let cache = fields
        .take("cache")
        .and_then(|n| cache(decoder, n, &format!("{path}.cache"), names.datasets.as_deref()));
    let has_servers = fields.take("servers").is_some() || fields.misspelt("servers");
    let station = station(decoder, &mut fields, path);
    let copies = fields.number(decoder, "copies", (1, COPIES_MAX), "3").unwrap_or(1);
    let origin = fields.origin;
    fields.finish(decoder);
    if scope == Scope::User && has_servers {
        decoder.problem(
            origin,
            format!("`{path}` is on the user's device and has servers"),
            "drop `servers` or `per: user`",
        );
    }
    if let Some(cache) = &cache
        && cache.per_server
        && !has_servers
    {
        decoder.problem(
            origin,
            format!("`{path}.cache` is per server, and `{path}` has no servers"),
            "add `servers`, or drop `per_server`",
        );
    }
    Some(Tier { scope, rtt, link, cache, station, copies, origin })
}

fn cache(decoder: &mut Decoder, node: &Node, path: &str, datasets: Option<&[String]>) -> Option<Cache> {
    let mut fields = decoder.fields(node, path, &CACHE)?;
    let capacity = fields.need_quantity(decoder, "capacity");
    let policy_name = fields.name("policy");
    let policy = fields
        .take("policy")
        .and_then(|n| decoder.one_of(n, &policy_name, &Policy::NAMES))
        .unwrap_or(Policy::Lru);
    let per_name = fields.name("per_server");
    let per_server = fields
        .take("per_server")
        .and_then(|n| decoder.one_of(n, &per_name, &[("true", true), ("false", false)]))
        .unwrap_or(false);
    let of_name = fields.name("of");
    let of = fields.take("of").map(|n| {
        let items = decoder.list(n, &of_name, "[photo]").unwrap_or_default();
        items.iter().filter_map(|item| reference(decoder, item, &of_name, "dataset", datasets)).collect()
    });
    fields.finish(decoder);
    Some(Cache { capacity: capacity?, policy, per_server, of })
}

fn station(decoder: &mut Decoder, fields: &mut Fields<'_>, path: &str) -> Option<Station> {
    let has_servers = fields.take("servers").is_some();
    let servers = fields.whole(decoder, "servers", (1, SERVERS_MAX), "10");
    let has_concurrency = fields.take("concurrency").is_some();
    let concurrency = fields.whole(decoder, "concurrency", (1, CONCURRENCY_MAX), "8");
    let service_node = fields.take("service_time");
    let service_time = service_node.and_then(|n| laws::duration(decoder, n, &format!("{path}.service_time")));
    let has_queue = fields.take("queue_max").is_some();
    let queue_max = fields.number(decoder, "queue_max", (0, QUEUE_MAX), "512");
    let balance_name = fields.name("balance");
    let balances = [
        ("random", Balance::Random),
        ("round-robin", Balance::RoundRobin),
        ("least-connections", Balance::LeastConnections),
    ];
    let balance_node = fields.take("balance");
    let balance = balance_node.and_then(|n| decoder.one_of(n, &balance_name, &balances));
    if !has_servers {
        let stray = [
            ("concurrency", has_concurrency),
            ("service_time", service_node.is_some()),
            ("queue_max", has_queue),
            ("balance", balance_node.is_some()),
        ];
        if let Some((field, _)) = stray.iter().find(|(_, there)| *there)
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
    })
}
