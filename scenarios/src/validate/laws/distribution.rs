//! `service_time` and sizes: how much work, how many bytes.

use super::{ROWS_MAX, each, items, named, named_in_part, number, weight, weights_add_up};
use crate::decode::{Decoder, Fields, Kind, Shape, either, must, quantity};
use crate::distribution::{
    Component, Constant, Distribution, Empirical, Exponential, Gamma, Lognormal, Mixture, Outcome, Pareto,
    QuantileAt, Quantiles,
};
use crate::node::{Node, Value};
use crate::units::{Bytes, Dimension, Number, Plain, Quantity, Seconds, Share};

/// Widest spread, standard deviation over mean.
const CV_MAX: f64 = 20.0;
/// Least spread of a gamma law; with less it is a constant.
const GAMMA_CV_MIN: f64 = 0.01;
/// Heaviest and lightest tail of a Pareto law.
const TAIL: (f64, f64) = (0.01, 20.0);

const LAWS: &[&str] =
    &["constant", "exponential", "lognormal", "gamma", "pareto", "empirical", "quantiles", "mixture"];
/// In a mixture there is no other.
const PART_LAWS: &[&str] =
    &["constant", "exponential", "lognormal", "gamma", "pareto", "empirical", "quantiles"];

/// What may stand where a service time does.
pub const DURATION: Kind = Kind::Any(&[quantity::<Seconds>(), Kind::Fields(&<Seconds as Example>::LAW)]);
/// What may stand where a size does.
pub const SIZE: Kind = Kind::Any(&[quantity::<Bytes>(), Kind::Fields(&<Bytes as Example>::LAW)]);

/// What maps look like, by dimension: nobody should be told to write a size of `20 ms`.
trait Example: Dimension {
    const LAW: Shape;
    const VALUE: Kind;
    const OUTCOMES: Kind;
    const MEAN_CV: Shape;
    const PARETO: Shape;
    const OUTCOME: Shape;
    const PART: Shape;
    const LAWS_EXAMPLE: &'static str;
    const QUANTILES: &'static str;
    const LIST: &'static str;
    const PARTS: &'static str;
}

macro_rules! example {
    ($dimension:ty, $low:literal, $mean:literal, $high:literal) => {
        impl Example for $dimension {
            const LAW: Shape = Shape {
                fields: &[
                    either("constant", quantity::<$dimension>(), "always the same"),
                    either("exponential", quantity::<$dimension>(), "by its mean"),
                    either("lognormal", Kind::Fields(&Self::MEAN_CV), "by mean and coefficient of variation"),
                    either("gamma", Kind::Fields(&Self::MEAN_CV), "by mean and coefficient of variation"),
                    either("pareto", Kind::Fields(&Self::PARETO), "heavy-tailed between two ends"),
                    either("empirical", Kind::List(&Self::OUTCOMES), "values, with weights"),
                    either("quantiles", Kind::Named(&Self::VALUE), "values by percentile, up to `p100`"),
                    either("mixture", Kind::List(&Kind::Fields(&Self::PART)), "one of several, by weight"),
                ],
                example: concat!("{lognormal: {mean: ", $mean, ", cv: 1}}"),
            };
            const VALUE: Kind = quantity::<$dimension>();
            const OUTCOMES: Kind = Kind::Any(&[quantity::<$dimension>(), Kind::Fields(&Self::OUTCOME)]);
            const MEAN_CV: Shape = Shape {
                fields: &[
                    must("mean", quantity::<$dimension>(), "mean"),
                    must("cv", quantity::<Plain>(), "standard deviation over mean"),
                ],
                example: concat!("{mean: ", $mean, ", cv: 1}"),
            };
            const PARETO: Shape = Shape {
                fields: &[
                    must("min", quantity::<$dimension>(), "least value"),
                    must("max", quantity::<$dimension>(), "greatest value"),
                    must("shape", quantity::<Plain>(), "exponent of the tail"),
                ],
                example: concat!("{min: ", $low, ", max: ", $high, ", shape: 1.2}"),
            };
            const OUTCOME: Shape = Shape {
                fields: &[
                    must("value", quantity::<$dimension>(), "the value"),
                    must("weight", quantity::<Plain>(), "how often, relative to the others"),
                ],
                example: concat!("{value: ", $mean, ", weight: 3}"),
            };
            const PART: Shape = Shape {
                fields: &[
                    must("weight", quantity::<Share>(), "how often"),
                    either("constant", quantity::<$dimension>(), "always the same"),
                    either("exponential", quantity::<$dimension>(), "by its mean"),
                    either("lognormal", Kind::Fields(&Self::MEAN_CV), "by mean and coefficient of variation"),
                    either("gamma", Kind::Fields(&Self::MEAN_CV), "by mean and coefficient of variation"),
                    either("pareto", Kind::Fields(&Self::PARETO), "heavy-tailed between two ends"),
                    either("empirical", Kind::List(&Self::OUTCOMES), "values, with weights"),
                    either("quantiles", Kind::Named(&Self::VALUE), "values by percentile, up to `p100`"),
                    // Read to be told that it can't stand here.
                    either("mixture", Kind::Never, ""),
                ],
                example: concat!("{weight: 90 %, exponential: ", $mean, "}"),
            };
            const LAWS_EXAMPLE: &'static str = concat!(
                "`",
                $mean,
                "`, `{exponential: ",
                $mean,
                "}` or `{lognormal: {mean: ",
                $mean,
                ", cv: 1}}`"
            );
            const QUANTILES: &'static str = concat!("{p50: ", $low, ", p99: ", $mean, ", p100: ", $high, "}");
            const LIST: &'static str =
                concat!("[{value: ", $low, ", weight: 3}, {value: ", $mean, ", weight: 1}]");
            const PARTS: &'static str =
                concat!("[{weight: 90 %, exponential: ", $low, "}, {weight: 10 %, constant: ", $mean, "}]");
        }
    };
}
example!(Seconds, "5 ms", "20 ms", "200 ms");
example!(Bytes, "1 KB", "5 MB", "1 GB");

/// A time that is drawn: a service time.
pub fn duration(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Distribution<Seconds>> {
    distribution(decoder, node, path)
}

/// A size that is drawn: of objects, of responses.
pub fn size(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Distribution<Bytes>> {
    distribution(decoder, node, path)
}

fn distribution<D: Example>(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Distribution<D>> {
    if let Value::Text(_) = &node.value {
        return Some(Distribution::Constant(Constant { value: positive(decoder, node, path)? }));
    }
    let mut fields = decoder.fields(node, path, &D::LAW)?;
    let law = named(decoder, &mut fields, path, LAWS, D::LAWS_EXAMPLE);
    fields.finish(decoder);
    law_of(decoder, law?, path)
}

fn law_of<D: Example>(
    decoder: &mut Decoder,
    (law, node): (&str, &Node),
    path: &str,
) -> Option<Distribution<D>> {
    let path = &format!("{path}.{law}");
    Some(match law {
        "constant" => Distribution::Constant(Constant { value: positive(decoder, node, path)? }),
        "exponential" => Distribution::Exponential(Exponential { mean: positive(decoder, node, path)? }),
        "lognormal" => {
            let (mean, cv) = mean_cv(decoder, node, path, 0.0)?;
            Distribution::Lognormal(Lognormal { mean, cv })
        }
        "gamma" => {
            let (mean, cv) = mean_cv(decoder, node, path, GAMMA_CV_MIN)?;
            Distribution::Gamma(Gamma { mean, cv })
        }
        "pareto" => Distribution::Pareto(pareto(decoder, node, path)?),
        "empirical" => Distribution::Empirical(empirical(decoder, node, path)?),
        "quantiles" => Distribution::Quantiles(quantiles(decoder, node, path)?),
        _ => Distribution::Mixture(mixture(decoder, node, path)?),
    })
}

/// A quantity above 0.
fn positive<D: Dimension>(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Quantity<D>> {
    let quantity: Quantity<D> = decoder.quantity(node, path)?;
    if quantity.get() <= 0.0 {
        let fix = format!("expected more than 0, such as `{}`", D::EXAMPLE);
        decoder.problem(quantity.origin, format!("{path} is {}", quantity.text), fix);
        return None;
    }
    Some(quantity)
}

fn need_positive<D: Dimension>(
    decoder: &mut Decoder,
    fields: &mut Fields<'_>,
    field: &str,
) -> Option<Quantity<D>> {
    let path = fields.name(field);
    fields.need(decoder, field, D::EXAMPLE).and_then(|node| positive(decoder, node, &path))
}

fn mean_cv<D: Example>(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    cv_min: f64,
) -> Option<(Quantity<D>, Number)> {
    let mut fields = decoder.fields(node, path, &D::MEAN_CV)?;
    let mean = need_positive(decoder, &mut fields, "mean");
    let cv = number(decoder, &mut fields, "cv", ((cv_min, CV_MAX), "1.0"));
    fields.finish(decoder);
    Some((mean?, cv?))
}

fn pareto<D: Example>(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Pareto<D>> {
    let mut fields = decoder.fields(node, path, &D::PARETO)?;
    let min: Option<Quantity<D>> = need_positive(decoder, &mut fields, "min");
    let max: Option<Quantity<D>> = need_positive(decoder, &mut fields, "max");
    let shape = number(decoder, &mut fields, "shape", (TAIL, "1.2"));
    fields.finish(decoder);
    let (min, max, shape) = (min?, max?, shape?);
    let greatest_min = min.range.map_or(min.get(), |range| range.1);
    let least_max = max.range.map_or(max.get(), |range| range.0);
    if greatest_min >= least_max {
        let cause = format!("`{path}` goes from {} to {}", min.text, max.text);
        decoder.problem(max.origin, cause, "let `max` be more than `min`");
        return None;
    }
    Some(Pareto { min, max, shape })
}

fn empirical<D: Example>(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Empirical<D>> {
    let list = items(decoder, node, path, ROWS_MAX, D::LIST)?;
    let outcomes = each(decoder, list, path, |decoder, node, path| {
        if let Value::Text(_) = &node.value {
            return Some(Outcome { value: positive(decoder, node, path)?, weight: Number::given(1.0, "1") });
        }
        let mut fields = decoder.fields(node, path, &D::OUTCOME)?;
        let value = need_positive(decoder, &mut fields, "value");
        let weight = number(decoder, &mut fields, "weight", ((1e-12, 1e12), "3"));
        fields.finish(decoder);
        Some(Outcome { value: value?, weight: weight? })
    })?;
    Some(Empirical { outcomes })
}

fn quantiles<D: Example>(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Quantiles<D>> {
    let entries = decoder.entries(node, path, D::QUANTILES)?;
    if entries.len() > ROWS_MAX {
        let cause = format!("`{path}` has {} entries, expected up to {ROWS_MAX}", entries.len());
        decoder.problem(node.origin, cause, "keep a dozen");
        return None;
    }
    let mut points = decoder.clean(|decoder| {
        let mut points = Vec::with_capacity(entries.len());
        for (name, origin, node) in entries {
            let Some(p) = percent(name) else {
                let fix = format!("write `p` and a number from 0 to 100, such as `{}`", D::QUANTILES);
                decoder.problem(origin, format!("{path}: `{name}` is no quantile"), fix);
                continue;
            };
            let path = format!("{path}.{name}");
            // Only the least value may be 0.
            let value = if p > 0.0 { positive(decoder, node, &path) } else { decoder.quantity(node, &path) };
            points.extend(value.map(|value| QuantileAt { p, value }));
        }
        Some(points)
    })?;
    points.sort_by(|a, b| a.p.total_cmp(&b.p));
    if points.last().is_none_or(|last| last.p < 1.0) {
        let fix = format!("say how much it can be at most: `{}`", D::QUANTILES);
        decoder.problem(node.origin, format!("`{path}.p100` is missing"), fix);
        return None;
    }
    let ascending = |a: &QuantileAt<D>, b: &QuantileAt<D>| a.p < b.p && a.value.get() <= b.value.get();
    if let Some([low, high]) = points.array_windows().find(|[a, b]| !ascending(a, b)) {
        let (p_low, p_high) = (low.p * 100.0, high.p * 100.0);
        let cause = format!("`{path}`: p{p_low} is {} and p{p_high} is {}", low.value.text, high.value.text);
        decoder.problem(high.value.origin, cause, "quantiles ascend, and each stands once");
        return None;
    }
    Some(Quantiles { points })
}

/// `p99.9` as 0.999.
fn percent(name: &str) -> Option<f64> {
    let digits = name.strip_prefix('p')?;
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let percent: f64 = digits.parse().ok().filter(|_| plain)?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

fn mixture<D: Example>(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Mixture<D>> {
    let list = items(decoder, node, path, super::PARTS_MAX, D::PARTS)?;
    let components = each(decoder, list, path, |decoder, node, path| {
        let mut fields = decoder.fields(node, path, &D::PART)?;
        let weight = weight(decoder, &mut fields);
        let law = named_in_part(decoder, &mut fields, path, PART_LAWS, D::LAWS_EXAMPLE);
        fields.finish(decoder);
        let law = law_of(decoder, law?, path);
        Some(Component { weight: weight?, law: law? })
    })?;
    weights_add_up(decoder, node.origin, path, components.iter().map(|c| &c.weight));
    Some(Mixture { components })
}
