//! `popularity`: which objects are asked for.

use super::{
    ROWS_MAX, SHARE_MIN, SUM_WITHIN, each, items, named, named_in_part, number, weight, weights_add_up,
};
use crate::decode::{Decoder, Fields, Kind, Shape, either, field, must, quantity, suggestion};
use crate::node::{Node, Value};
use crate::popularity::{Counts, Group, HotSet, Mixture, Part, Popularity, Table, Zipf};
use crate::units::{Count, Fraction, Number, Plain, Share, Things};

/// Steepest Zipf law.
const EXPONENT_MAX: f64 = 5.0;
/// Farthest rank of a head or a cutoff; as many objects as a dataset may have.
const RANK_MAX: f64 = 1e13;
/// Gentlest and sharpest cutoff.
const STRETCH: (f64, f64) = (0.1, 5.0);
/// Most counts.
const COUNTS_MAX: usize = 100_000;
/// Highest count of requests for one object.
const COUNT_MAX: f64 = 1e15;

const LAWS: &[&str] = &["uniform", "zipf", "hot_set", "table", "counts", "mixture"];
/// In a mixture there is no other.
const PART_LAWS: &[&str] = &["uniform", "zipf", "hot_set", "table", "counts"];
const EXAMPLES: &str = "`uniform`, `{zipf: 1.0}` or `{hot_set: {objects: 20 %, requests: 80 %}}`";
const TABLE_EXAMPLE: &str = "[{top: 1 %, requests: 60 %}, {top: 10 %, requests: 90 %}]";

/// What may stand where a popularity does.
pub const POPULARITY: Kind = Kind::Any(&[Kind::Choice(&["uniform"]), Kind::Fields(&LAW)]);
const ZIPFS: Kind = Kind::Any(&[quantity::<Plain>(), Kind::Fields(&ZIPF)]);
const COUNT: Kind = quantity::<Things>();

const LAW: Shape = Shape {
    fields: &[
        either("uniform", Kind::Never, "every object alike"),
        either("zipf", ZIPFS, "rank k in proportion to k^-exponent"),
        either("hot_set", Kind::Fields(&HOT_SET), "a share of the objects gets a share of the requests"),
        either("table", Kind::List(&Kind::Fields(&ROW)), "groups of objects with their shares of requests"),
        either("counts", Kind::List(&COUNT), "requests by object, stretched over the catalogue"),
        either("mixture", Kind::List(&Kind::Fields(&PART)), "several laws over the same ranks, by weight"),
    ],
    example: "{zipf: 1.0}",
};
const ZIPF: Shape = Shape {
    fields: &[
        must("exponent", quantity::<Plain>(), "how steep"),
        field("head", quantity::<Things>(), "ranks over which the head is flattened (none)"),
        field("cutoff", quantity::<Things>(), "rank from which on it falls faster (none)"),
        field("stretch", quantity::<Plain>(), "how sharp the cutoff is (1)"),
    ],
    example: "{exponent: 1.0, head: 50, cutoff: 20 M, stretch: 0.7}",
};
const HOT_SET: Shape = Shape {
    fields: &[
        field("objects", quantity::<Share>(), "share of the objects"),
        must("requests", quantity::<Share>(), "share of the requests that they get"),
    ],
    example: "{objects: 20 %, requests: 80 %}",
};
const ROW: Shape = Shape {
    fields: &[
        field("objects", quantity::<Share>(), "share of the objects in this group"),
        field("top", quantity::<Share>(), "share of the objects from the most popular on, instead"),
        must("requests", quantity::<Share>(), "their share of the requests"),
    ],
    example: "{top: 1 %, requests: 60 %}",
};
const PART: Shape = Shape {
    fields: &[
        must("weight", quantity::<Share>(), "share of the requests"),
        either("uniform", Kind::Never, "every object alike"),
        either("zipf", ZIPFS, "rank k in proportion to k^-exponent"),
        either("hot_set", Kind::Fields(&HOT_SET), "a share of the objects gets a share of the requests"),
        either("table", Kind::List(&Kind::Fields(&ROW)), "groups of objects with their shares of requests"),
        either("counts", Kind::List(&COUNT), "requests by object, stretched over the catalogue"),
        // Read to be told that it can't stand here.
        either("mixture", Kind::Never, ""),
    ],
    example: "{weight: 70 %, zipf: 1.0}",
};

pub fn popularity(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Popularity> {
    if let Value::Text(text) = &node.value {
        if text == "uniform" {
            return Some(Popularity::Uniform);
        }
        let fix = match suggestion(text, LAWS) {
            Some("uniform") => "did you mean `uniform`?".to_owned(),
            Some(law) => format!("`{law}` has parameters: write {EXAMPLES}"),
            None => format!("write {EXAMPLES}"),
        };
        decoder.problem(node.origin, format!("{path}: unknown value `{text}`"), fix);
        return None;
    }
    let mut fields = decoder.fields(node, path, &LAW)?;
    let law = named(decoder, &mut fields, path, LAWS, EXAMPLES);
    fields.finish(decoder);
    law_of(decoder, law?, path)
}

fn law_of(decoder: &mut Decoder, (law, node): (&str, &Node), path: &str) -> Option<Popularity> {
    let path = &format!("{path}.{law}");
    match law {
        "zipf" => zipf(decoder, node, path).map(Popularity::Zipf),
        "hot_set" => hot_set(decoder, node, path).map(Popularity::HotSet),
        "table" => table(decoder, node, path).map(Popularity::Table),
        "counts" => counts(decoder, node, path).map(Popularity::Counts),
        "mixture" => mixture(decoder, node, path).map(Popularity::Mixture),
        _ => {
            if node.value != Value::Null {
                decoder.problem(node.origin, format!("`{path}` has no parameters"), "write `uniform` alone");
            }
            Some(Popularity::Uniform)
        }
    }
}

fn zipf(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Zipf> {
    const FIX: &str = "expected an exponent up to 5; music is near 1";
    let steep = (0.0, EXPONENT_MAX);
    if !matches!(node.value, Value::Map(_)) {
        let exponent: Number = decoder.quantity_like(node, path, "1.0")?;
        decoder.between(&exponent, path, steep, FIX);
        return Some(Zipf::new(exponent));
    }
    let mut fields = decoder.fields(node, path, &ZIPF)?;
    let exponent: Option<Number> = fields.need_quantity_like(decoder, "exponent", "1.0");
    if let Some(exponent) = &exponent {
        decoder.between(exponent, &fields.name("exponent"), steep, FIX);
    }
    let head = rank(decoder, &mut fields, "head", "50");
    let cutoff = rank(decoder, &mut fields, "cutoff", "20 M");
    let has_stretch = fields.take("stretch").is_some();
    let stretch = if has_stretch { number(decoder, &mut fields, "stretch", (STRETCH, "0.7")) } else { None };
    if has_stretch && fields.take("cutoff").is_none() && !fields.misspelt("cutoff") {
        let cause = format!("`{path}` has `stretch` and no `cutoff`");
        decoder.problem(fields.origin, cause, "add `cutoff: 20 M`, the rank from which on it falls faster");
    }
    fields.finish(decoder);
    let exponent = exponent?;
    Some(Zipf { head, cutoff, stretch: stretch.unwrap_or_else(|| Number::given(1.0, "1")), exponent })
}

fn rank(decoder: &mut Decoder, fields: &mut Fields<'_>, field: &str, example: &str) -> Option<Count> {
    let rank: Count = fields.quantity_like(decoder, field, example)?;
    decoder.between(&rank, &fields.name(field), (1.0, RANK_MAX), "expected a rank, 1 to 10 T (10^13)");
    Some(rank)
}

fn hot_set(decoder: &mut Decoder, node: &Node, path: &str) -> Option<HotSet> {
    let mut fields = decoder.fields(node, path, &HOT_SET)?;
    let objects: Option<Fraction> = fields.need_quantity_like(decoder, "objects", "20 %");
    let requests: Option<Fraction> = fields.need_quantity_like(decoder, "requests", "80 %");
    if let Some(objects) = &objects {
        let bounds = (SHARE_MIN, 1.0 - 1e-6);
        decoder.between(objects, &fields.name("objects"), bounds, "expected more than 0 and less than 100 %");
    }
    fields.finish(decoder);
    let (objects, requests) = (objects?, requests?);
    if requests.get() < objects.get() {
        let cause =
            format!("`{path}`: {} of the objects get {} of the requests", objects.text, requests.text);
        decoder.problem(requests.origin, cause, "the hot ones get more than their share: swap the two");
    }
    Some(HotSet { objects, requests })
}

fn table(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Table> {
    let rows = items(decoder, node, path, ROWS_MAX, TABLE_EXAMPLE)?;
    let rows = each(decoder, rows, path, row)?;
    let cumulative = rows.iter().any(|(top, _)| *top);
    if rows.iter().any(|(top, _)| *top != cumulative) {
        let cause = format!("`{path}` has rows with `top` and rows with `objects`");
        let fix = "keep to one: `top` counts from the most popular on, `objects` those of the row only";
        decoder.problem(node.origin, cause, fix);
        return None;
    }
    let table = Table { groups: rows.into_iter().map(|(_, group)| group).collect(), cumulative };
    let ascending =
        |a: &Group, b: &Group| a.objects.get() < b.objects.get() && a.requests.get() <= b.requests.get();
    if cumulative && !table.groups.windows(2).all(|w| ascending(&w[0], &w[1])) {
        let cause = format!("`{path}` does not ascend");
        decoder.problem(node.origin, cause, "each row counts those before it as well: let both columns grow");
        return None;
    }
    shares_add_up(decoder, node, path, &table);
    Some(table)
}

/// Whether a row counts from the top, and the row.
fn row(decoder: &mut Decoder, node: &Node, path: &str) -> Option<(bool, Group)> {
    let mut fields = decoder.fields(node, path, &ROW)?;
    let top: Option<Fraction> = fields.quantity_like(decoder, "top", "1 %");
    let has_top = fields.take("top").is_some() || fields.misspelt("top");
    let objects = if has_top {
        if fields.take("objects").is_some() {
            let cause = format!("`{path}` has both `top` and `objects`");
            decoder.problem(fields.origin, cause, "keep one of them");
        }
        top
    } else {
        fields.need_quantity_like(decoder, "objects", "1 %")
    };
    let requests: Option<Fraction> = fields.need_quantity_like(decoder, "requests", "60 %");
    if let Some(objects) = &objects {
        let field = fields.name(if has_top { "top" } else { "objects" });
        decoder.between(objects, &field, (SHARE_MIN, 1.0), "expected more than 0, such as `1 %`");
    }
    fields.finish(decoder);
    Some((has_top, Group { objects: objects?, requests: requests? }))
}

fn shares_add_up(decoder: &mut Decoder, node: &Node, path: &str, table: &Table) {
    let sum = |share: fn(&Group) -> &Fraction| {
        let shares = table.groups.iter().map(|group| share(group).get());
        if table.cumulative { shares.fold(0.0, f64::max) } else { shares.sum() }
    };
    let (objects, requests) = (sum(|group| &group.objects), sum(|group| &group.requests));
    let cause = if objects > 1.0 + 1e-9 {
        format!("the objects of `{path}` add up to {:.4} %", objects * 100.0)
    } else if requests > 1.0 + SUM_WITHIN || (objects > 1.0 - 1e-9 && requests < 1.0 - SUM_WITHIN) {
        format!("the requests of `{path}` add up to {:.4} %", requests * 100.0)
    } else {
        return;
    };
    let fix = "make them add up to 100 %, or leave the last row out: the other objects get the rest";
    decoder.problem(node.origin, cause, fix);
}

fn counts(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Counts> {
    let list = items(decoder, node, path, COUNTS_MAX, "[9000, 4100, 350, 12]")?;
    let mut counts = Vec::with_capacity(list.len());
    for item in list {
        let text = decoder.text(item, path, "write counts, such as `[9000, 4100, 350, 12]`")?;
        let count = if text.trim() == "0" {
            0.0
        } else {
            let parsed = Count::parse_like(&text, "a count of requests", "350");
            // One of a hundred thousand: more than the first bad one tells nothing.
            let count = decoder.noted(item.origin, path, parsed)?.at(item.origin);
            let before = decoder.problems.len();
            decoder.between(&count, path, (0.0, COUNT_MAX), "expected up to 10^15 requests");
            if decoder.problems.len() > before {
                return None;
            }
            count.get()
        };
        counts.push(count);
    }
    let counts = Counts::new(counts);
    if counts.is_none() {
        decoder.problem(node.origin, format!("`{path}` are all 0"), "at least one object is asked for");
    }
    counts
}

fn mixture(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Mixture> {
    const EXAMPLE: &str = "[{weight: 70 %, zipf: 1.0}, {weight: 30 %, uniform}]";
    let list = items(decoder, node, path, super::PARTS_MAX, EXAMPLE)?;
    let parts = each(decoder, list, path, |decoder, node, path| {
        let mut fields = decoder.fields(node, path, &PART)?;
        let weight = weight(decoder, &mut fields);
        let law = named_in_part(decoder, &mut fields, path, PART_LAWS, EXAMPLES);
        fields.finish(decoder);
        let popularity = law_of(decoder, law?, path);
        Some(Part { weight: weight?, popularity: popularity? })
    })?;
    weights_add_up(decoder, node.origin, path, parts.iter().map(|part| &part.weight));
    Some(Mixture { parts })
}
