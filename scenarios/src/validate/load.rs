//! `load`: how the scenario is played on one machine.

use indexmap::IndexMap;

use super::{Names, unknown};
use crate::arrivals::DAY_S;
use crate::decode::{Decoder, Fields, Kind, Shape, field, must, quantity};
use crate::node::Node;
use crate::scenario::{DatasetId, Load, LoadScale, Peak};
use crate::units::{Duration, Fraction, Seconds, Share};

/// Most sites of a load run.
const SITES_MAX: u32 = 10_000;
/// A scale as messages show it.
const SCALE_EXAMPLE: &str = "1/1000";

const SCALED: Kind = quantity::<Share>();

pub const LOAD: Shape = Shape {
    fields: &[
        must("scale", Kind::Fields(&SCALE), "what is made smaller, and by how much"),
        field("warmup", quantity::<Seconds>(), "time before that warms caches, and does not count (10 s)"),
        field("duration", quantity::<Seconds>(), "time that counts (30 s)"),
        field("at", Kind::Choice(&["mean", "peak"]), "at which rate of the day (mean)"),
    ],
    example: "{scale: {users: 1/1000, objects: 1/1000}}",
};
const SCALE: Shape = Shape {
    fields: &[
        field("users", quantity::<Share>(), "users, and with them rates and servers (1)"),
        field("objects", quantity::<Share>(), "objects of every dataset, and with them caches (1)"),
        field("sizes", Kind::Named(&SCALED), "object sizes by dataset (1)"),
        field("sites", Kind::Whole(1, SITES_MAX), "sites (1)"),
    ],
    example: "{users: 1/1000, objects: 1/1000}",
};

pub fn load(decoder: &mut Decoder, node: &Node, names: &Names) -> Option<Load> {
    let mut fields = decoder.fields(node, "load", &LOAD)?;
    let scale = fields.need(decoder, "scale", SCALE.example).and_then(|n| load_scale(decoder, n, names));
    let warmup: Duration =
        fields.quantity_like(decoder, "warmup", "10 s").unwrap_or_else(|| Duration::given(10.0, "10 s"));
    let duration: Duration =
        fields.quantity_like(decoder, "duration", "30 s").unwrap_or_else(|| Duration::given(30.0, "30 s"));
    let at = fields
        .take("at")
        .and_then(|n| decoder.one_of(n, "load.at", &[("mean", Peak::Mean), ("peak", Peak::Peak)]));
    let origin = fields.origin;
    fields.finish(decoder);
    decoder.between(&warmup, "load.warmup", (0.0, DAY_S), "expected at most a day");
    let fix = "expected more than 0 and at most a day, such as `30 s`";
    decoder.between(&duration, "load.duration", (f64::MIN_POSITIVE, DAY_S), fix);
    Some(Load { scale: scale?, duration, warmup, at: at.unwrap_or(Peak::Mean), origin })
}

fn load_scale(decoder: &mut Decoder, node: &Node, names: &Names) -> Option<LoadScale> {
    let mut fields = decoder.fields(node, "load.scale", &SCALE)?;
    let (users, objects) = (factor(decoder, &mut fields, "users"), factor(decoder, &mut fields, "objects"));
    let sizes = fields.take("sizes").map(|n| sizes(decoder, n, names)).unwrap_or_default();
    let sites = fields.number(decoder, "sites", (1, SITES_MAX), "2").unwrap_or(1);
    fields.finish(decoder);
    Some(LoadScale { users, objects, sizes, sites })
}

fn factor(decoder: &mut Decoder, fields: &mut Fields<'_>, field: &str) -> f64 {
    let factor: Option<Fraction> = fields.quantity_like(decoder, field, SCALE_EXAMPLE);
    factor.map_or(1.0, |q| above_zero(decoder, &q, &fields.name(field)))
}

fn above_zero(decoder: &mut Decoder, factor: &Fraction, what: &str) -> f64 {
    let fix = format!("expected more than 0, such as `{SCALE_EXAMPLE}`");
    decoder.between(factor, what, (f64::MIN_POSITIVE, 1.0), &fix);
    factor.get()
}

fn sizes(decoder: &mut Decoder, node: &Node, names: &Names) -> IndexMap<DatasetId, f64> {
    let mut sizes = IndexMap::new();
    let path = "load.scale.sizes";
    for (name, origin, value) in decoder.entries(node, path, "{photo: 1/100}").unwrap_or_default() {
        let Some(known) = &names.datasets else { continue };
        if let Some(id) = known.iter().position(|n| n == name) {
            let factor = decoder.quantity_like::<Share>(value, path, SCALE_EXAMPLE);
            sizes.extend(factor.map(|q| (id, above_zero(decoder, &q, &format!("{path}.{name}")))));
        } else {
            unknown(decoder, origin, (path, "dataset"), name, known);
        }
    }
    sizes
}
