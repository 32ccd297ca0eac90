//! `cache`: what a tier keeps, where, and for how long.

use super::super::reference;
use super::flag;
use crate::decode::{Decoder, Kind, Shape, field, must, quantity};
use crate::node::Node;
use crate::tier::{Admission, Cache, OnWrite, Policy};
use crate::units::{self, Bytes, Seconds, Size};

const ON_WRITES: [(&str, OnWrite); 2] = [("none", OnWrite::Nothing), ("invalidate", OnWrite::Invalidate)];
/// Least and most of a cache's time to live, seconds.
const TTL_S: (f64, f64) = (0.01, 10.0 * 365.0 * 86_400.0);
pub(super) const CACHE: Shape = Shape {
    fields: &[
        must("capacity", Kind::Any(&[quantity::<Bytes>(), Kind::Auto]), "bytes of one instance"),
        field("memory", quantity::<Bytes>(), "bytes of it in memory, the rest is on disk (all)"),
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

pub(super) fn cache(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    datasets: Option<&[String]>,
) -> Option<Cache> {
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
