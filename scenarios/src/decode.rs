//! From a tree of nodes to values: fields by name, every problem noted, decoding goes on.

use crate::diagnostic::{Origin, Problem};
use crate::node::{Node, Value};
use crate::units::{Dimension, Quantity};

/// Collects problems while decoding.
#[derive(Debug, Default)]
pub struct Decoder {
    pub problems: Vec<Problem>,
}

impl Decoder {
    pub fn problem(&mut self, origin: Origin, cause: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(Problem { origin, cause: cause.into(), fix: fix.into() });
    }

    /// The text of a scalar.
    pub fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        if let Value::Text(text) = &node.value {
            return Some(text.clone());
        }
        self.problem(node.origin, format!("`{what}` is {}, expected a single value", describe(node)), "");
        None
    }

    pub fn quantity<D: Dimension>(&mut self, node: &Node, what: &str) -> Option<Quantity<D>> {
        let text = self.text(node, what)?;
        let parsed = Quantity::<D>::parse(&text);
        self.noted(node.origin, what, parsed).map(|mut q| {
            q.origin = node.origin;
            q
        })
    }

    /// The value of a parse, or its cause and fix as a problem.
    pub fn noted<T>(&mut self, origin: Origin, what: &str, result: Result<T, (String, String)>) -> Option<T> {
        result.map_err(|(cause, fix)| self.problem(origin, format!("{what}: {cause}"), fix)).ok()
    }

    /// One of a closed set of words.
    pub fn one_of<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(node, what)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let fix = suggestion(&text, &names).map_or_else(
                || format!("write one of {}", names.join(", ")),
                |n| format!("did you mean `{n}`?"),
            );
            self.problem(node.origin, format!("{what}: unknown value `{text}`"), fix);
        }
        found
    }

    /// The fields of a map.
    pub fn fields<'n>(&mut self, node: &'n Node, path: &str) -> Option<Fields<'n>> {
        if let Value::Map(pairs) = &node.value {
            return Some(Fields {
                pairs,
                used: vec![false; pairs.len()],
                path: path.to_owned(),
                origin: node.origin,
            });
        }
        self.problem(
            node.origin,
            format!("`{path}` is {}, expected fields", describe(node)),
            "write `name: value` pairs",
        );
        None
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Value::List(items) = &node.value {
            return items;
        }
        self.problem(
            node.origin,
            format!("`{what}` is {}, expected a list", describe(node)),
            "write `[a, b]`",
        );
        &[]
    }
}

fn describe(node: &Node) -> &'static str {
    match node.value {
        Value::Null => "empty",
        Value::Text(_) => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

/// The name most like `text`, if any is like it.
pub fn suggestion<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&text.to_lowercase(), &name.to_lowercase()), *name))
        .filter(|(distance, name)| *distance <= (name.chars().count().max(text.chars().count()) / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

/// The fields of one map, taken one by one; what is left over at the end is unknown.
#[derive(Debug)]
pub struct Fields<'n> {
    pairs: &'n [(Node, Node)],
    used: Vec<bool>,
    path: String,
    pub origin: Origin,
}

impl<'n> Fields<'n> {
    /// Full name of a field, for messages.
    pub fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// A field that may be absent.
    pub fn take(&mut self, field: &str) -> Option<&'n Node> {
        let index =
            self.pairs.iter().position(|(key, _)| matches!(&key.value, Value::Text(k) if k == field))?;
        self.used[index] = true;
        let node = &self.pairs[index].1;
        (node.value != Value::Null).then_some(node)
    }

    /// A field that must be there.
    pub fn need(&mut self, decoder: &mut Decoder, field: &str, example: &str) -> Option<&'n Node> {
        let node = self.take(field);
        if node.is_none() {
            decoder.problem(
                self.origin,
                format!("`{}` is missing", self.name(field)),
                format!("add `{field}: {example}`"),
            );
        }
        node
    }

    pub fn quantity<D: Dimension>(&mut self, decoder: &mut Decoder, field: &str) -> Option<Quantity<D>> {
        let name = self.name(field);
        self.take(field).and_then(|node| decoder.quantity(node, &name))
    }

    pub fn need_quantity<D: Dimension>(&mut self, decoder: &mut Decoder, field: &str) -> Option<Quantity<D>> {
        let name = self.name(field);
        self.need(decoder, field, D::EXAMPLE).and_then(|node| decoder.quantity(node, &name))
    }

    /// A whole number of at least `least`.
    pub fn whole(&mut self, decoder: &mut Decoder, field: &str, least: u32) -> Option<u32> {
        let name = self.name(field);
        let node = self.take(field)?;
        let text = decoder.text(node, &name)?;
        let value = text.replace('_', "").parse::<u32>().ok().filter(|v| *v >= least);
        if value.is_none() {
            decoder.problem(
                node.origin,
                format!("{name} is `{text}`, expected a whole number of {least} or more"),
                "",
            );
        }
        value
    }

    pub fn text(&mut self, decoder: &mut Decoder, field: &str) -> Option<String> {
        let name = self.name(field);
        self.take(field).and_then(|node| decoder.text(node, &name))
    }

    /// All fields as (name, node); for maps whose keys the user chooses.
    pub fn entries(&mut self) -> Vec<(String, Origin, &'n Node)> {
        self.used.fill(true);
        self.pairs
            .iter()
            .filter_map(|(key, node)| match &key.value {
                Value::Text(text) => Some((text.clone(), key.origin, node)),
                _ => None,
            })
            .collect()
    }

    /// Notes every field that nobody took. `known` are the fields that may stand here.
    pub fn finish(self, decoder: &mut Decoder, known: &[&str]) {
        for ((key, _), used) in self.pairs.iter().zip(&self.used) {
            if let (Value::Text(name), false) = (&key.value, used) {
                let fix = suggestion(name, known).map_or_else(
                    || format!("known here: {}", known.join(", ")),
                    |n| format!("did you mean `{n}`?"),
                );
                let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
                decoder.problem(key.origin, format!("unknown field `{name}`{place}"), fix);
            }
        }
    }
}
