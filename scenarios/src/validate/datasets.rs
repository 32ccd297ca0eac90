//! `datasets`: what is stored, and which of it is asked for.

use super::{Names, reference};
use crate::decode::{Decoder, Shape, suggestion};
use crate::node::{Node, Value};
use crate::popularity::Popularity;
use crate::scenario::Dataset;
use crate::units::{Count, Number};

pub const EXAMPLE: &str = "{photo: {count: 1 M, size: 200 KB}}";

/// Most objects of a dataset.
const COUNT_MAX: f64 = 1e13;
/// Steepest Zipf law.
const EXPONENT_MAX: f64 = 5.0;

const DATASET: Shape = Shape {
    fields: &["count", "size", "metadata", "popularity", "in"],
    example: "{count: 1 M, size: 200 KB, popularity: {zipf: 1.0}}",
};
const POPULARITY: Shape = Shape { fields: &["zipf"], example: "{zipf: 1.0}" };

pub fn dataset(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Dataset> {
    let mut fields = decoder.fields(node, path, &DATASET)?;
    let count: Option<Count> = fields.need_quantity(decoder, "count");
    if let Some(count) = &count {
        let bounds = (1.0, COUNT_MAX);
        decoder.between(count, &fields.name("count"), bounds, "expected 1 to 10 T (10^13) objects");
    }
    let size = fields.need_quantity(decoder, "size");
    let metadata = fields.quantity(decoder, "metadata");
    let popularity = match fields.take("popularity") {
        Some(n) => popularity(decoder, n, &format!("{path}.popularity")),
        None => Some(Popularity::Uniform),
    };
    let in_name = fields.name("in");
    let in_node = fields.take("in");
    let stored_in = in_node.and_then(|n| reference(decoder, n, &in_name, "tier", names.tiers.as_deref()));
    let origin = fields.origin;
    fields.finish(decoder);
    if in_node.is_some() && stored_in.is_none() {
        return None;
    }
    Some(Dataset { count: count?, size: size?, metadata, popularity: popularity?, stored_in, origin })
}

fn popularity(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Popularity> {
    if let Value::Text(text) = &node.value {
        if text == "uniform" {
            return Some(Popularity::Uniform);
        }
        let fix = suggestion(text, &["uniform"]).map_or_else(
            || "write `uniform` or `{zipf: 1.0}`".to_owned(),
            |n| format!("did you mean `{n}`?"),
        );
        decoder.problem(node.origin, format!("{path}: unknown value `{text}`"), fix);
        return None;
    }
    let mut fields = decoder.fields(node, path, &POPULARITY)?;
    let exponent: Option<Number> = fields.need_quantity_like(decoder, "zipf", "1.0");
    fields.finish(decoder);
    let exponent = exponent?;
    let fix = "expected an exponent up to 5; music is near 1";
    decoder.between(&exponent, &format!("{path}.zipf"), (0.0, EXPONENT_MAX), fix);
    Some(Popularity::Zipf { exponent: exponent.get() })
}
