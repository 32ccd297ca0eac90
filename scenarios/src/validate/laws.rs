//! Laws of popularity and distributions, wherever a file states one.
//!
//! Why together: both are one name of several with its parameters, may be mixtures, and so share their
//! messages.

mod distribution;
mod popularity;
#[cfg(test)]
mod tests;

pub(super) use distribution::duration;
pub(super) use distribution::{DURATION, SIZE, size};
pub(super) use popularity::{POPULARITY, popularity};

use crate::decode::{Decoder, Fields};
use crate::diagnostic::Origin;
use crate::node::Node;
use crate::units::{Fraction, Number};

/// Most rows of a table, of a list of values or of quantiles.
const ROWS_MAX: usize = 1000;
/// Most parts of a mixture.
const PARTS_MAX: usize = 20;
/// Least share of a part or of a group.
const SHARE_MIN: f64 = 1e-12;
/// Rounding of shares that a person writes: 33.3 % three times will do.
const SUM_WITHIN: f64 = 1.001e-3;

/// The one law that a map names, with its parameters; some have none.
fn named<'n>(
    decoder: &mut Decoder,
    fields: &mut Fields<'n>,
    path: &str,
    laws: &'static [&'static str],
    examples: &str,
) -> Option<(&'static str, &'n Node)> {
    let found: Vec<(&str, &Node)> =
        laws.iter().filter_map(|law| fields.take_even_empty(law).map(|node| (*law, node))).collect();
    if let [one] = found[..] {
        return Some(one);
    }
    // A law that is misspelt is told as an unknown field, once all are taken.
    if let [(first, _), .., (last, _)] = found[..] {
        let cause = format!("`{path}` names both `{first}` and `{last}`");
        decoder.problem(fields.origin, cause, "keep one; `mixture` takes several, with weights");
    } else if !laws.iter().any(|law| fields.misspelt(law)) {
        let cause = format!("`{path}` names no law");
        decoder.problem(fields.origin, cause, format!("write {examples}"));
    }
    None
}

/// The same in a part of a mixture, which is no mixture again.
fn named_in_part<'n>(
    decoder: &mut Decoder,
    fields: &mut Fields<'n>,
    path: &str,
    laws: &'static [&'static str],
    examples: &str,
) -> Option<(&'static str, &'n Node)> {
    if fields.take_even_empty("mixture").is_some() {
        for law in laws {
            fields.take(law);
        }
        let fix = "list its parts here, with their weights multiplied";
        decoder.problem(fields.origin, format!("`{path}` is a mixture in a mixture"), fix);
        return None;
    }
    named(decoder, fields, path, laws, examples)
}

/// A list of 1 to `most` items.
fn items<'n>(
    decoder: &mut Decoder,
    node: &'n Node,
    path: &str,
    most: usize,
    example: &str,
) -> Option<&'n [Node]> {
    let items = decoder.list(node, path, example)?;
    if items.is_empty() || items.len() > most {
        let cause = format!("`{path}` has {} items, expected 1 to {most}", items.len());
        let fix =
            if items.is_empty() { format!("write `{example}`") } else { "put some together".to_owned() };
        decoder.problem(node.origin, cause, fix);
        return None;
    }
    Some(items)
}

/// Every item decoded; nothing if one of them is bad.
fn each<T>(
    decoder: &mut Decoder,
    items: &[Node],
    path: &str,
    mut decode: impl FnMut(&mut Decoder, &Node, &str) -> Option<T>,
) -> Option<Vec<T>> {
    decoder.clean(|decoder| {
        let all: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(i, item)| decode(decoder, item, &format!("{path}[{i}]")))
            .collect();
        all.into_iter().collect()
    })
}

/// The weight of a part of a mixture.
fn weight(decoder: &mut Decoder, fields: &mut Fields<'_>) -> Option<Fraction> {
    let weight: Fraction = fields.need_quantity(decoder, "weight")?;
    let what = fields.name("weight");
    decoder.between(&weight, &what, (SHARE_MIN, 1.0), "expected more than 0, such as `30 %`");
    Some(weight)
}

/// Weights add up to 1, unless they are not known exactly.
fn weights_add_up<'a>(
    decoder: &mut Decoder,
    origin: Origin,
    path: &str,
    weights: impl Iterator<Item = &'a Fraction>,
) {
    let (mut total, mut exact) = (0.0, true);
    for weight in weights {
        total += weight.get();
        exact &= weight.range.is_none();
    }
    if exact && (total - 1.0_f64).abs() > SUM_WITHIN {
        let cause = format!("the weights of `{path}` add up to {:.4} %", total * 100.0);
        decoder.problem(origin, cause, "make them add up to 100 %");
    }
}

/// A number that must be there, within bounds.
fn number(
    decoder: &mut Decoder,
    fields: &mut Fields<'_>,
    field: &str,
    (bounds, example): ((f64, f64), &str),
) -> Option<Number> {
    let number: Number = fields.need_quantity_like(decoder, field, example)?;
    let what = fields.name(field);
    decoder.between(&number, &what, bounds, &format!("expected {} to {}", bounds.0, bounds.1));
    Some(number)
}
