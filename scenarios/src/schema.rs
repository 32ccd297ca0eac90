//! The JSON Schema of scenario files, for editors: completion, descriptions and early warnings.
//!
//! Why made of the decoder's tables: a schema written by hand would drift from what is read. What only the
//! decoder can know (names that refer to each other, circles, sums) is left to `plimsoll scenarios check`.

use indexmap::IndexMap;
use serde::Serialize;

use crate::auto::AUTO;
use crate::decode::{Kind, Need, Shape};
use crate::units::{
    BitsPerSecond, Bytes, Dimension, PerSecond, Portion, Seconds, Share, Spread, SquareMetres, Things,
};
use crate::validate::{SCENARIO, STEP, STEPS_MAX};

/// Draft 2020-12, <https://json-schema.org/draft/2020-12>.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// What names of parts are made of.
const NAME: &str = "^[a-z0-9_-]+$";

/// The JSON Schema (draft 2020-12) of scenario files, as text.
///
/// A file that `extends` another may leave out what the other says; every other file must be whole.
#[must_use]
pub fn json_schema() -> String {
    let mut definitions = Definitions::default();
    let whole = Whole::of(&SCENARIO);
    let root = Schema {
        dialect: Some(DIALECT),
        title: Some("plimsoll scenario"),
        description: Some("One system: who uses it, what it stores, what serves it, and what it must hold."),
        condition: Some(Box::new(Schema { required: vec!["extends"], ..Schema::default() })),
        otherwise: whole.map(|whole| Box::new(whole.schema())),
        ..definitions.fields(&SCENARIO, "scenario")
    };
    let root = Schema { definitions: definitions.found, ..root };
    let text = serde_json::to_string_pretty(&root).expect("texts, numbers and lists always have a JSON form");
    text + "\n"
}

/// The words of JSON Schema that are used here.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Schema {
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'static str>,
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    types: Vec<&'static str>,
    #[serde(rename = "enum", skip_serializing_if = "<[_]>::is_empty")]
    choices: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum: Option<u32>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    properties: IndexMap<&'static str, Self>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_properties: Option<Additional>,
    #[serde(skip_serializing_if = "Option::is_none")]
    property_names: Option<Box<Self>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<Self>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_items: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_items: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    any_of: Vec<Self>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    one_of: Vec<Self>,
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    condition: Option<Box<Self>>,
    #[serde(rename = "then", skip_serializing_if = "Option::is_none")]
    consequence: Option<Box<Self>>,
    #[serde(rename = "else", skip_serializing_if = "Option::is_none")]
    otherwise: Option<Box<Self>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    examples: Vec<&'static str>,
    #[serde(rename = "$defs", skip_serializing_if = "IndexMap::is_empty")]
    definitions: IndexMap<String, Self>,
}

/// Fields beyond those named: none, or as many as the user likes, each like this.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Additional {
    Refused(bool),
    Like(Box<Schema>),
}

/// Schemas that are referred to by name. Equal ones share a name.
#[derive(Default)]
struct Definitions {
    found: IndexMap<String, Schema>,
}

impl Definitions {
    /// The fields of a map, all of which may be left out.
    fn fields(&mut self, shape: &'static Shape, name: &str) -> Schema {
        let mut properties = IndexMap::new();
        // A field without a meaning is read only to be refused.
        for field in shape.fields.iter().filter(|f| !f.means.is_empty()) {
            let place = Place { owner: name, field: field.name, inside: shape.is_step() };
            let schema = self.kind(&field.kind, place);
            properties.insert(field.name, Schema { description: Some(field.means), ..schema });
        }
        Schema {
            types: vec!["object"],
            properties,
            required: if shape.is_step() { shape.required() } else { Vec::new() },
            additional_properties: Some(Additional::Refused(false)),
            ..Schema::default()
        }
    }

    fn kind(&mut self, kind: &'static Kind, place: Place<'_>) -> Schema {
        match kind {
            Kind::Text => scalar(&["string", "number", "boolean"]),
            Kind::TimeOfDay => {
                Schema { examples: vec!["19:00"], ..matching("^([01]?[0-9]|2[0-3]):[0-5]?[0-9]$") }
            }
            Kind::Offset => Schema {
                types: vec!["string", "number"],
                examples: vec!["+1 h"],
                ..matching("^[-+]?[0-9.]+( ?(h|hours?|min))?$")
            },
            Kind::Quantity(dimension, example, bare) => amount(dimension, example, *bare),
            Kind::Whole(low, high) => Schema {
                types: vec!["integer", "string"],
                minimum: Some(*low),
                maximum: Some(*high),
                ..matching("^[0-9][0-9_]*( ?(k|K|thousand|M|million))?$")
            },
            Kind::Choice(names) => Schema { choices: names, ..Schema::default() },
            Kind::Auto => Schema { examples: vec![AUTO], ..matching("^auto( .+)?$") },
            Kind::Flag => scalar(&["boolean"]),
            Kind::Never => scalar(&["null"]),
            Kind::Name(of) => Schema { title: Some(of), ..scalar(&["string", "integer"]) },
            Kind::Fields(shape) => self.named(shape, place),
            Kind::Named(each) => Schema {
                types: vec!["object"],
                property_names: Some(Box::new(Schema { pattern: Some(NAME.into()), ..Schema::default() })),
                additional_properties: Some(Additional::Like(Box::new(self.kind(each, place)))),
                ..Schema::default()
            },
            Kind::List(each) => {
                Schema { items: Some(Box::new(self.kind(each, place))), ..scalar(&["array"]) }
            }
            Kind::Any(kinds) => Schema {
                any_of: kinds.iter().map(|kind| self.kind(kind, place)).collect(),
                ..Schema::default()
            },
            Kind::Path => self.path(place.inside),
        }
    }

    /// A reference to the fields of a shape.
    fn named(&mut self, shape: &'static Shape, place: Place<'_>) -> Schema {
        let schema = self.fields(shape, place.field);
        // A step is called after what makes it one.
        let field = if shape.is_step() { shape.fields[0].name } else { place.field };
        let mut name = field.to_owned();
        if self.found.get(&name).is_some_and(|other| *other != schema) {
            name = format!("{}-{field}", place.owner);
        }
        while self.found.get(&name).is_some_and(|other| *other != schema) {
            name.push('_');
        }
        let reference = refer(&name);
        self.found.insert(name, schema);
        reference
    }

    /// A list of steps; inside a step also a single one.
    fn path(&mut self, inside: bool) -> Schema {
        const STEP_NAME: &str = "step";
        const PATH_NAME: &str = "steps";
        if !self.found.contains_key(PATH_NAME) {
            let steps = Schema {
                items: Some(Box::new(refer(STEP_NAME))),
                min_items: Some(1),
                max_items: Some(STEPS_MAX),
                ..scalar(&["array"])
            };
            self.found.insert(PATH_NAME.into(), steps);
            let step = self.kind(&STEP, Place { owner: "path", field: STEP_NAME, inside: true });
            self.found.insert(STEP_NAME.into(), step);
        }
        if inside {
            return Schema { any_of: vec![refer(STEP_NAME), refer(PATH_NAME)], ..Schema::default() };
        }
        refer(PATH_NAME)
    }
}

/// Where a kind stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// Name of the shape whose field it is of.
    owner: &'a str,
    field: &'a str,
    /// Within a step of a path.
    inside: bool,
}

impl Shape {
    /// Whether it is a step of a path: steps are never laid over others, so theirs are never left out.
    fn is_step(&self) -> bool {
        let Kind::Any(steps) = &STEP else { return false };
        steps.iter().any(|kind| matches!(kind, Kind::Fields(step) if step.example == self.example))
    }

    fn required(&self) -> Vec<&'static str> {
        self.fields.iter().filter(|f| f.need == Need::Must).map(|f| f.name).collect()
    }
}

/// What a file must have that extends no other.
struct Whole {
    required: Vec<&'static str>,
    either: Vec<&'static str>,
    inner: IndexMap<&'static str, Schema>,
}

impl Whole {
    /// Nothing, where all may be left out.
    fn of(shape: &'static Shape) -> Option<Self> {
        let either = shape.fields.iter().filter(|f| f.need == Need::Either).map(|f| f.name).collect();
        let inner: IndexMap<_, _> =
            shape.fields.iter().filter_map(|f| Some((f.name, Self::kind(&f.kind)?))).collect();
        let whole = Self { required: shape.required(), either, inner };
        (!(whole.required.is_empty() && whole.either.is_empty() && whole.inner.is_empty())).then_some(whole)
    }

    fn kind(kind: &'static Kind) -> Option<Schema> {
        match kind {
            Kind::Fields(shape) => Self::of(shape).map(Self::schema),
            Kind::Named(each) => {
                let each = Additional::Like(Box::new(Self::kind(each)?));
                Some(Schema { additional_properties: Some(each), ..Schema::default() })
            }
            Kind::List(each) => {
                Some(Schema { items: Some(Box::new(Self::kind(each)?)), ..Schema::default() })
            }
            Kind::Any(kinds) => {
                // What asks for fields lets pass whatever is no map; with several maps, any of them may hold.
                let mut each: Vec<Schema> = kinds.iter().filter_map(Self::kind).collect();
                let maps = kinds.iter().filter(|k| matches!(k, Kind::Fields(_))).count();
                match (each.len(), maps) {
                    (1, 1) => each.pop(),
                    (n, m) if n > 1 && n == m => Some(Schema { any_of: each, ..Schema::default() }),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn schema(self) -> Schema {
        let whole = Schema { required: self.required, properties: self.inner, ..Schema::default() };
        if self.either.is_empty() {
            return whole;
        }
        // Unlike `required`, `oneOf` would refuse what is no map.
        let needs = |name: &'static str| Schema { required: vec![name], ..Schema::default() };
        let one = Schema { one_of: self.either.into_iter().map(needs).collect(), ..Schema::default() };
        Schema { condition: Some(Box::new(scalar(&["object"]))), consequence: Some(Box::new(one)), ..whole }
    }
}

fn scalar(types: &[&'static str]) -> Schema {
    Schema { types: types.to_vec(), ..Schema::default() }
}

fn matching(pattern: &str) -> Schema {
    Schema { pattern: Some(pattern.to_owned()), ..scalar(&["string"]) }
}

fn refer(name: &str) -> Schema {
    Schema { reference: Some(format!("#/$defs/{name}")), ..Schema::default() }
}

/// A quantity: a text with a unit of its dimension, or a range of two.
fn amount(dimension: &str, example: &'static str, bare: bool) -> Schema {
    const NUMBER: &str = r"\+?[0-9._]+([eE][-+]?[0-9]+)?";
    let spreads = Spread::NAMES.map(|(name, _)| name).join("|");
    let spread = format!("( +({spreads}))?");
    let unit = unit_pattern(dimension);
    let single = if !bare {
        format!("{NUMBER} *({unit})")
    } else if unit.is_empty() {
        format!("{NUMBER}( */ *{NUMBER})?")
    } else {
        format!("{NUMBER}( *({unit})| */ *{NUMBER})?")
    };
    let units = if unit.is_empty() { String::new() } else { format!("( *({unit}))?") };
    let low = if bare { single.clone() } else { format!("{NUMBER}{units}") };
    let mut pattern = format!("{single}|{low} +to +{single}{spread}");
    if dimension == PerSecond::NAME {
        pattern += &format!("|every +{NUMBER} *({TIME})");
        pattern += &format!("|every +{NUMBER}( *({TIME}))? +to +{NUMBER} *({TIME}){spread}");
    }
    Schema {
        types: if bare { vec!["number", "string"] } else { vec!["string"] },
        pattern: Some(format!("^ *({pattern}) *$")),
        examples: vec![example],
        ..Schema::default()
    }
}

const TIME: &str = "ns|us|µs|μs|ms|s|sec|second|seconds|min|minute|minutes|h|hour|hours|d|day|days|\
                    week|weeks|month|months|year|years";
const COUNT: &str = "k|K|thousand|M|million|B|G|billion|T|trillion";
const SIZE: &str = "(k|[KMGTPE]i?)?B|bytes?";

/// The units of a dimension as a regular expression; a test holds it against what the units module reads.
fn unit_pattern(dimension: &str) -> String {
    match dimension {
        Bytes::NAME => SIZE.to_owned(),
        Seconds::NAME => TIME.to_owned(),
        Things::NAME => COUNT.to_owned(),
        PerSecond::NAME => format!("(({COUNT}) *)?(/ *|per +)({TIME})|a +({TIME})"),
        BitsPerSecond::NAME => format!("[kKMGTPE]?(bps|bit/s)|({SIZE})/s"),
        SquareMetres::NAME => format!("(({COUNT}) *)?k?(m2|m²)"),
        Share::NAME | Portion::NAME => "%|percent".to_owned(),
        _ => String::new(),
    }
}
