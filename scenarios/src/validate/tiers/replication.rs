//! Copies, erasure codes and shards of what a tier stores.

use super::super::laws;
use crate::decode::{Decoder, Fields, Kind, Shape, either, field, must};
use crate::diagnostic::Origin;
use crate::node::{Node, Value};
use crate::tier::{Replication, Scheme, ShardBy, Sharding};

/// Most whole copies of what a tier stores, and most pieces of an erasure code.
pub(super) const COPIES_MAX: u32 = 1000;
pub(super) const SHARDS_MAX: u32 = 10_000_000;
const VIRTUAL_NODES_MAX: u32 = 100_000;
pub(super) const REPLICATION: Shape = Shape {
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
pub(super) const SHARDS: Shape = Shape {
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

pub(super) fn replication(decoder: &mut Decoder, fields: &mut Fields<'_>, path: &str) -> Replication {
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

pub(super) fn sharding(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Sharding> {
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
