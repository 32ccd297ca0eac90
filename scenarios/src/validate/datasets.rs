//! `datasets`: what is stored, and which of it is asked for.

use super::{Names, laws, reference};
use crate::decode::{Decoder, Shape};
use crate::node::Node;
use crate::popularity::Popularity;
use crate::scenario::Dataset;
use crate::units::Count;

pub const EXAMPLE: &str = "{photo: {count: 1 M, size: 200 KB}}";

/// Most objects of a dataset.
const COUNT_MAX: f64 = 1e13;

const DATASET: Shape = Shape {
    fields: &["count", "size", "metadata", "popularity", "in"],
    example: "{count: 1 M, size: 200 KB, popularity: {zipf: 1.0}}",
};

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
        Some(n) => laws::popularity(decoder, n, &format!("{path}.popularity")),
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
