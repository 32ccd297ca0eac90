//! From a tree of nodes to values: fields by name, every problem noted, decoding goes on.

use crate::diagnostic::{Origin, Problem};
use crate::node::{Node, Value};
use crate::units::{Count, Dimension, Quantity, show_count};

/// Fields that a map may have, and what such a map looks like. The decoder takes fields by name from it, and
/// the JSON Schema and the tables of the language page are made of it.
#[derive(Debug)]
pub struct Shape {
    pub fields: &'static [Field],
    pub example: &'static str,
}

impl Shape {
    pub fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|f| f.name).collect()
    }
}

/// One field: its name, what may stand there, whether it must, and what it means.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    /// One line for people, with the default.
    pub means: &'static str,
}

/// Whether a field must be there, for the JSON Schema and the language page; the decoder asks by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It may be left out.
    May,
    /// It must be there.
    Must,
    /// Exactly one of the fields marked so must be there.
    Either,
}

/// A field that may be left out.
pub const fn field(name: &'static str, kind: Kind, means: &'static str) -> Field {
    Field { name, kind, need: Need::May, means }
}

/// A field that must be there.
pub const fn must(name: &'static str, kind: Kind, means: &'static str) -> Field {
    Field { name, kind, need: Need::Must, means }
}

/// One of several fields of which exactly one must be there.
pub const fn either(name: &'static str, kind: Kind, means: &'static str) -> Field {
    Field { name, kind, need: Need::Either, means }
}

/// A field known by its name alone.
pub const fn named(name: &'static str) -> Field {
    field(name, Kind::Text, "")
}

/// What may stand in a field.
#[derive(Debug)]
pub enum Kind {
    /// Free text.
    Text,
    /// A time of day, such as `19:00`.
    TimeOfDay,
    /// Local time less UTC, such as `+1 h`.
    Offset,
    /// A quantity: name of its dimension, an example, whether a number without unit will do.
    Quantity(&'static str, &'static str, bool),
    /// A whole number between two values.
    Whole(u32, u32),
    /// One of a closed set of words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// `auto`, with bounds or choices behind it: left to the planner.
    Auto,
    /// Nothing: the field stands by itself, or is read only to be told that it may not stand here.
    Never,
    /// The name of a part of the scenario: a tier, a dataset, an action ...
    Name(&'static str),
    /// Fields.
    Fields(&'static Shape),
    /// Names that the user chooses, each with this.
    Named(&'static Kind),
    /// A list of these.
    List(&'static Kind),
    /// Any of these.
    Any(&'static [Kind]),
    /// A list of steps, each of which may hold a path again.
    Path,
}

/// A quantity of a dimension.
pub const fn quantity<D: Dimension>() -> Kind {
    Kind::Quantity(D::NAME, D::EXAMPLE, D::BARE)
}

/// Most fields of a map whose fields are known; no map has nearly as many, unless to cost much.
const FIELDS_MAX: usize = 100;

/// Collects problems while decoding.
#[derive(Debug, Default)]
pub struct Decoder {
    pub problems: Vec<Problem>,
}

impl Decoder {
    pub fn problem(&mut self, origin: Origin, cause: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(Problem { origin, cause: cause.into(), fix: fix.into() });
    }

    /// What `decode` gives, unless it notes a problem: what follows from a bad value is nobody's mistake.
    pub fn clean<T>(&mut self, decode: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.problems.len();
        decode(self).filter(|_| self.problems.len() == before)
    }

    /// The text of a scalar; nothing between quotes is no text.
    pub fn text(&mut self, node: &Node, what: &str, fix: &str) -> Option<String> {
        let cause = match &node.value {
            Value::Text(text) if text.trim().is_empty() => format!("`{what}` is empty"),
            Value::Text(text) => return Some(text.clone()),
            _ => format!("`{what}` is {}, expected a single value", describe(node)),
        };
        self.problem(node.origin, cause, fix);
        None
    }

    pub fn quantity<D: Dimension>(&mut self, node: &Node, what: &str) -> Option<Quantity<D>> {
        self.quantity_like(node, what, D::EXAMPLE)
    }

    /// A quantity; messages show this example of it.
    pub fn quantity_like<D: Dimension>(
        &mut self,
        node: &Node,
        what: &str,
        example: &str,
    ) -> Option<Quantity<D>> {
        let text = self.text(node, what, &format!("write {} such as `{example}`", D::NAME))?;
        let parsed = Quantity::<D>::parse_like(&text, D::NAME, example);
        self.noted(node.origin, what, parsed).map(|q| q.at(node.origin))
    }

    /// A quantity must lie between two values with all of its range.
    pub fn between<D: Dimension>(
        &mut self,
        quantity: &Quantity<D>,
        what: &str,
        (low, high): (f64, f64),
        fix: &str,
    ) {
        let (least, most) = quantity.range.unwrap_or((quantity.get(), quantity.get()));
        if least < low || most > high {
            self.problem(quantity.origin, format!("{what} is {}", quantity.text), fix);
        }
    }

    /// The value of a parse, or its cause and fix as a problem.
    pub fn noted<T>(&mut self, origin: Origin, what: &str, result: Result<T, (String, String)>) -> Option<T> {
        result.map_err(|(cause, fix)| self.problem(origin, format!("{what}: {cause}"), fix)).ok()
    }

    /// A whole number between two values.
    pub fn whole(
        &mut self,
        node: &Node,
        what: &str,
        (low, high): (u32, u32),
        example: &str,
    ) -> Option<Count> {
        let (from, to) = (show_count(f64::from(low)), show_count(f64::from(high)));
        let fix = format!("write a whole number from {from} to {to}, such as `{example}`");
        let text = self.text(node, what, &fix)?;
        // Counts are above 0 by their dimension; here 0 may do.
        let parsed = if text.trim() == "0" {
            Ok(Count::given(0.0, "0"))
        } else {
            Count::parse_like(&text, "a whole number", example)
        };
        let parsed = parsed.map_err(|(cause, _)| (cause, fix.clone()));
        let count = self.noted(node.origin, what, parsed)?.at(node.origin);
        let permitted = f64::from(low)..=f64::from(high);
        if count.get().fract() != 0.0 || !permitted.contains(&count.get()) {
            self.problem(node.origin, format!("{what} is {text}"), fix);
            return None;
        }
        Some(count)
    }

    /// One of a closed set of words.
    pub fn one_of<T: Copy>(&mut self, node: &Node, what: &str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let known = format!("write one of {}", names.join(", "));
        let text = self.text(node, what, &known)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let fix = suggestion(&text, &names).map_or(known, |n| format!("did you mean `{n}`?"));
            self.problem(node.origin, format!("{what}: unknown value `{text}`"), fix);
        }
        found
    }

    /// The fields of a map.
    pub fn fields<'n>(&mut self, node: &'n Node, path: &str, shape: &'static Shape) -> Option<Fields<'n>> {
        if let Value::Map(pairs) = &node.value {
            if pairs.len() > FIELDS_MAX {
                let what = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
                let cause = format!("{what} has {} fields", pairs.len());
                self.problem(node.origin, cause, format!("write `{}`", shape.example));
                return None;
            }
            return Some(Fields {
                pairs,
                used: vec![false; pairs.len()],
                path: path.to_owned(),
                shape,
                origin: node.origin,
            });
        }
        let cause = format!("`{path}` is {}, expected fields", describe(node));
        self.problem(node.origin, cause, format!("write `{}`", shape.example));
        None
    }

    /// The entries of a map whose keys the user chooses, as (name, place of the name, node).
    pub fn entries<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        example: &str,
    ) -> Option<Vec<(&'n str, Origin, &'n Node)>> {
        let Value::Map(pairs) = &node.value else {
            let cause = format!("`{path}` is {}, expected names with fields", describe(node));
            self.problem(node.origin, cause, format!("write `{example}`"));
            return None;
        };
        let entry = |(key, value): &'n (Node, Node)| match &key.value {
            Value::Text(text) => Some((text.as_str(), key.origin, value)),
            _ => None,
        };
        Some(pairs.iter().filter_map(entry).collect())
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str, example: &str) -> Option<&'n [Node]> {
        if let Value::List(items) = &node.value {
            return Some(items);
        }
        self.problem(
            node.origin,
            format!("`{what}` is {}, expected a list", describe(node)),
            format!("write `{example}`"),
        );
        None
    }
}

/// `a tier`, `an action`.
pub fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// `1 value`, `6 values`.
pub fn counted(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        _ if noun.ends_with("ch") => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// What a node is, in words.
pub fn describe(node: &Node) -> &'static str {
    match node.value {
        Value::Null => "empty",
        Value::Text(_) => "a single value",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
    }
}

/// The name most like `text`, if any is like it.
pub fn suggestion<'a>(text: &str, names: &[&'a str]) -> Option<&'a str> {
    // Nobody mistypes a name of this length; and the distance costs its square.
    if text.len() > TYPED_MAX {
        return None;
    }
    names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&text.to_lowercase(), &name.to_lowercase()), *name))
        .filter(|(distance, name)| *distance <= (name.chars().count().max(text.chars().count()) / 3).max(1))
        .min()
        .map(|(_, name)| name)
}

/// Longest text that may be a mistyped name, bytes.
const TYPED_MAX: usize = 100;

/// The name most like `text`, as a fix; else the names that there are, or what to do where there are none.
pub fn did_you_mean(text: &str, names: &[&str], if_none: &str) -> String {
    match suggestion(text, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => if_none.to_owned(),
        None => format!("known: {}", names.join(", ")),
    }
}

/// The fields of one map, taken one by one; what is left over at the end is unknown.
#[derive(Debug)]
pub struct Fields<'n> {
    pairs: &'n [(Node, Node)],
    used: Vec<bool>,
    path: String,
    shape: &'static Shape,
    pub origin: Origin,
}

impl<'n> Fields<'n> {
    /// Full name of a field, for messages.
    pub fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    /// Where these fields stand, for messages.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A field that may be absent.
    pub fn take(&mut self, field: &str) -> Option<&'n Node> {
        let node = self.take_even_empty(field)?;
        (node.value != Value::Null).then_some(node)
    }

    /// A field whose name alone says something, so that it may be empty.
    pub fn take_even_empty(&mut self, field: &str) -> Option<&'n Node> {
        debug_assert!(self.shape.names().contains(&field), "`{field}` is no field of {:?}", self.shape);
        let is_it = |(key, _): &(Node, Node)| matches!(&key.value, Value::Text(k) if k == field);
        let index = self.pairs.iter().position(is_it)?;
        self.used[index] = true;
        Some(&self.pairs[index].1)
    }

    /// Whether an unknown field is this one mistyped: then it's told as unknown, and not as missing too.
    pub fn misspelt(&self, field: &str) -> bool {
        self.pairs.iter().any(|(key, _)| match &key.value {
            Value::Text(name) => {
                let known = self.shape.names();
                !known.contains(&name.as_str()) && suggestion(name, &known) == Some(field)
            }
            _ => false,
        })
    }

    /// A field that must be there.
    pub fn need(&mut self, decoder: &mut Decoder, field: &str, example: &str) -> Option<&'n Node> {
        let node = self.take(field);
        // With `extends` mistyped, everything that the other file has would be missing.
        if node.is_none() && !self.misspelt(field) && !self.misspelt("extends") {
            decoder.problem(
                self.origin,
                format!("`{}` is missing", self.name(field)),
                format!("add `{field}: {example}`"),
            );
        }
        node
    }

    pub fn quantity<D: Dimension>(&mut self, decoder: &mut Decoder, field: &str) -> Option<Quantity<D>> {
        self.quantity_like(decoder, field, D::EXAMPLE)
    }

    pub fn quantity_like<D: Dimension>(
        &mut self,
        decoder: &mut Decoder,
        field: &str,
        example: &str,
    ) -> Option<Quantity<D>> {
        let name = self.name(field);
        self.take(field).and_then(|node| decoder.quantity_like(node, &name, example))
    }

    pub fn need_quantity<D: Dimension>(&mut self, decoder: &mut Decoder, field: &str) -> Option<Quantity<D>> {
        self.need_quantity_like(decoder, field, D::EXAMPLE)
    }

    pub fn need_quantity_like<D: Dimension>(
        &mut self,
        decoder: &mut Decoder,
        field: &str,
        example: &str,
    ) -> Option<Quantity<D>> {
        let name = self.name(field);
        self.need(decoder, field, example).and_then(|node| decoder.quantity_like(node, &name, example))
    }

    /// A whole number between two values.
    pub fn whole(
        &mut self,
        decoder: &mut Decoder,
        field: &str,
        bounds: (u32, u32),
        example: &str,
    ) -> Option<Count> {
        let name = self.name(field);
        self.take(field).and_then(|node| decoder.whole(node, &name, bounds, example))
    }

    /// The same, as a number.
    pub fn number(
        &mut self,
        decoder: &mut Decoder,
        field: &str,
        bounds: (u32, u32),
        example: &str,
    ) -> Option<u32> {
        self.whole(decoder, field, bounds, example).map(|count| count.get() as u32)
    }

    pub fn text(&mut self, decoder: &mut Decoder, field: &str, fix: &str) -> Option<String> {
        let name = self.name(field);
        self.take(field).and_then(|node| decoder.text(node, &name, fix))
    }

    /// Notes every field that may not stand here.
    pub fn finish(self, decoder: &mut Decoder) {
        for ((key, _), used) in self.pairs.iter().zip(&self.used) {
            if let (Value::Text(name), false) = (&key.value, used) {
                let known = self.shape.names();
                let fix = suggestion(name, &known).map_or_else(
                    || format!("known here: {}", known.join(", ")),
                    |n| format!("did you mean `{n}`?"),
                );
                let place = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
                let field = if name.is_empty() {
                    "a field without a name".into()
                } else {
                    format!("unknown field `{name}`")
                };
                decoder.problem(key.origin, format!("{field}{place}"), fix);
            }
        }
    }
}
