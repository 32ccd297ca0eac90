//! `datasets`: what is stored, what comes, how long it stays, and which of it is asked for.

use super::{Names, laws, reference};
use crate::decode::{Decoder, Kind, Shape, field, must, quantity};
use crate::node::{Node, Value};
use crate::popularity::Popularity;
use crate::scenario::{Dataset, Growth};
use crate::units::{Bytes, Count, Duration, Number, PerSecond, Plain, Portion, Rate, Ratio, Seconds, Things};

pub const EXAMPLE: &str = "{photo: {count: 1 M, size: 200 KB}}";

/// Most objects of a dataset.
const COUNT_MAX: f64 = 1e13;
/// Objects that one action may add.
const EACH_MAX: f64 = 1e6;

pub const DATASET: Shape = Shape {
    fields: &[
        field(
            "count",
            quantity::<Things>(),
            "objects today (with `growth`: what comes in `retention`, at most a year's)",
        ),
        field(
            "growth",
            Kind::Any(&[quantity::<PerSecond>(), Kind::Fields(&GROWTH)]),
            "objects that come (none)",
        ),
        field("retention", quantity::<Seconds>(), "how long an object is kept (for ever)"),
        must("size", laws::SIZE, "bytes of one object"),
        field("metadata", quantity::<Bytes>(), "bytes kept about one object"),
        field("popularity", laws::POPULARITY, "which objects are asked for (uniform)"),
        field(
            "churn_per_day",
            quantity::<Portion>(),
            "share of the requested objects that new ones replace in a day (0)",
        ),
        field("in", Kind::Name("tier"), "the tier that keeps it"),
    ],
    example: "{count: 1 M, size: 200 KB, popularity: {zipf: 1.0}}",
};
const GROWTH: Shape = Shape {
    fields: &[
        must("by", Kind::Name("action"), "the action that adds objects"),
        field("each", quantity::<Plain>(), "objects that one such action adds (1)"),
    ],
    example: "{by: upload, each: 1}",
};

pub fn dataset(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Dataset> {
    let mut fields = decoder.fields(node, path, &DATASET)?;
    let count_node = fields.take("count").is_some();
    let count: Option<Count> = fields.quantity(decoder, "count");
    if let Some(count) = &count {
        let bounds = (1.0, COUNT_MAX);
        decoder.between(count, &fields.name("count"), bounds, "expected 1 to 10 T (10^13) objects");
    }
    let growth_node = fields.take("growth");
    let growth = growth_node.and_then(|n| growth(decoder, n, &format!("{path}.growth"), names));
    if growth_node.is_none() && !count_node && !fields.misspelt("growth") {
        fields.need(decoder, "count", "100 M");
    }
    let retention: Option<Duration> = fields.quantity_like(decoder, "retention", "5 years");
    if let Some(time) = &retention {
        let what = fields.name("retention");
        decoder.between(
            time,
            &what,
            (f64::MIN_POSITIVE, f64::MAX),
            "expected more than 0, such as `5 years`",
        );
    }
    let size_name = fields.name("size");
    let sizes = fields.need(decoder, "size", "5 MB").and_then(|n| laws::size(decoder, n, &size_name));
    let metadata = fields.quantity(decoder, "metadata");
    let popularity = match fields.take("popularity") {
        Some(n) => laws::popularity(decoder, n, &format!("{path}.popularity")),
        None => Some(Popularity::Uniform),
    };
    let churn_per_day = fields.quantity(decoder, "churn_per_day").unwrap_or_else(|| Ratio::given(0.0, "0 %"));
    let in_name = fields.name("in");
    let in_node = fields.take("in");
    let stored_in = in_node.and_then(|n| reference(decoder, n, &in_name, "tier", names.tiers.as_deref()));
    let origin = fields.origin;
    fields.finish(decoder);
    if in_node.is_some() && stored_in.is_none() || growth_node.is_some() && growth.is_none() {
        return None;
    }
    // What comes in a year, or is kept, is put in once all rates are known.
    let count = count.or_else(|| growth.as_ref().map(|_| Count::given(f64::NAN, "")));
    Some(Dataset {
        count: count?,
        growth,
        retention,
        size: sizes.as_ref()?.mean_quantity(),
        sizes: sizes?,
        metadata,
        popularity: popularity?,
        churn_per_day,
        stored_in,
        origin,
    })
}

fn growth(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Growth> {
    if let Value::Text(_) = &node.value {
        let rate: Rate = decoder.quantity_like(node, path, "5 M/day")?;
        return Some(Growth::Rate(rate));
    }
    let mut fields = decoder.fields(node, path, &GROWTH)?;
    let by_name = fields.name("by");
    let by = fields
        .need(decoder, "by", "upload")
        .and_then(|n| reference(decoder, n, &by_name, "action", names.actions.as_deref()));
    let each: Number = fields.quantity_like(decoder, "each", "1").unwrap_or_else(|| Number::given(1.0, "1"));
    decoder.between(&each, &fields.name("each"), (0.0, EACH_MAX), "expected at most a million");
    fields.finish(decoder);
    Some(Growth::By { action: by?, each })
}
