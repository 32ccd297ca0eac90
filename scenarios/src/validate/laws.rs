//! Laws of service times and popularity.

use crate::decode::{Decoder, Kind, Shape, field, quantity, suggestion};
use crate::distribution::Distribution;
use crate::node::{Node, Value};
use crate::popularity::Popularity;
use crate::units::{Duration, Number, Plain, Seconds};

/// Widest spread of service times, standard deviation over mean.
const CV_MAX: f64 = 20.0;
/// Steepest Zipf law.
const EXPONENT_MAX: f64 = 5.0;

pub const DURATION: Kind = Kind::Any(&[quantity::<Seconds>(), Kind::Fields(&DISTRIBUTION)]);
const DISTRIBUTION: Shape = Shape {
    fields: &[
        field("constant", quantity::<Seconds>(), "always the same"),
        field("exponential", quantity::<Seconds>(), "its mean"),
        field("lognormal", Kind::Fields(&LOGNORMAL), "by mean and coefficient of variation"),
    ],
    example: "{lognormal: {mean: 20 ms, cv: 1}}",
};
const LOGNORMAL: Shape = Shape {
    fields: &[
        field("mean", quantity::<Seconds>(), "mean"),
        field("cv", quantity::<Plain>(), "standard deviation over mean"),
    ],
    example: "{mean: 20 ms, cv: 1}",
};
pub const POPULARITY: Kind = Kind::Any(&[Kind::Choice(&["uniform"]), Kind::Fields(&POPULARITIES)]);
const POPULARITIES: Shape = Shape {
    fields: &[field("zipf", quantity::<Plain>(), "rank k in proportion to k^-exponent")],
    example: "{zipf: 1.0}",
};

/// A mean must be above 0.
fn mean(decoder: &mut Decoder, path: &str, quantity: Option<Duration>) -> Option<f64> {
    let quantity = quantity?;
    if quantity.get() <= 0.0 {
        let cause = format!("{path} is {}", quantity.text);
        decoder.problem(quantity.origin, cause, "expected more than 0, such as `20 ms`");
        return None;
    }
    Some(quantity.get())
}

pub fn duration(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Distribution> {
    if let Value::Text(_) = &node.value {
        let quantity = decoder.quantity(node, path);
        return mean(decoder, path, quantity).map(|mean| Distribution::Constant { mean });
    }
    let mut fields = decoder.fields(node, path, &DISTRIBUTION)?;
    let constant = fields.take("constant");
    let exponential = fields.take("exponential");
    let lognormal = fields.take("lognormal");
    let (origin, misspelt) =
        (fields.origin, DISTRIBUTION.fields.iter().any(|field| fields.misspelt(field.name)));
    fields.finish(decoder);
    if let Some(node) = lognormal {
        let path = format!("{path}.lognormal");
        let mut inner = decoder.fields(node, &path, &LOGNORMAL)?;
        let value = inner.need_quantity(decoder, "mean");
        let value = mean(decoder, &format!("{path}.mean"), value);
        let cv: Option<Number> = inner.need_quantity_like(decoder, "cv", "1.0");
        inner.finish(decoder);
        let cv = cv?;
        decoder.between(&cv, &format!("{path}.cv"), (0.0, CV_MAX), "expected up to 20");
        return Some(Distribution::Lognormal { mean: value?, cv: cv.get() });
    }
    if let Some(node) = constant {
        let quantity = decoder.quantity(node, path);
        return mean(decoder, path, quantity).map(|mean| Distribution::Constant { mean });
    }
    if let Some(node) = exponential {
        let quantity = decoder.quantity(node, path);
        return mean(decoder, path, quantity).map(|mean| Distribution::Exponential { mean });
    }
    if !misspelt {
        decoder.problem(
            origin,
            format!("`{path}` names no distribution"),
            "write `20 ms`, `{exponential: 20 ms}` or `{lognormal: {mean: 20 ms, cv: 1}}`",
        );
    }
    None
}

pub fn popularity(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Popularity> {
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
    let mut fields = decoder.fields(node, path, &POPULARITIES)?;
    let exponent: Option<Number> = fields.need_quantity_like(decoder, "zipf", "1.0");
    fields.finish(decoder);
    let exponent = exponent?;
    let fix = "expected an exponent up to 5; music is near 1";
    decoder.between(&exponent, &format!("{path}.zipf"), (0.0, EXPONENT_MAX), fix);
    Some(Popularity::Zipf { exponent: exponent.get() })
}
