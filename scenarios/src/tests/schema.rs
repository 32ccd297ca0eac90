//! The schema for editors: current, true of every scenario there is, and of use where something is wrong.

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

use super::{keep, shapes};
use crate::units::{
    BitsPerSecond, Bytes, Dimension, PerSecond, Plain, Portion, Quantity, Seconds, Share, SquareMetres,
    Things,
};
use crate::{bundled, json_schema, starter};

/// A schema that is ready to hold documents against.
struct Held {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Held {
    fn of(schema: &str, at: &str) -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("scenario.json", serde_json::from_str(schema).unwrap()).unwrap();
        let index = compiler
            .compile(&format!("scenario.json{at}"), &mut schemas)
            .unwrap_or_else(|error| panic!("{at}: {error:#}"));
        Self { schemas, index }
    }

    fn says(&self, yaml: &str) -> Result<(), String> {
        let value: Value = serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"));
        self.schemas.validate(&value, self.index).map_err(|error| error.to_string())
    }
}

fn whole() -> Held {
    Held::of(&json_schema(), "")
}

/// Holds a text against the schema, as that of a file.
pub fn complaint(yaml: &str) -> Option<String> {
    thread_local! {
        static WHOLE: Held = whole();
    }
    WHOLE.with(|whole| whole.says(yaml).err())
}

#[test]
fn the_kept_schema_is_that_of_the_tables() {
    keep("scenario.schema.json", &json_schema());
}

#[test]
fn every_bundled_scenario_and_the_starter_pass() {
    let held = whole();
    for scenario in bundled() {
        held.says(scenario.yaml).unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
    }
    held.says(&starter("fresh").unwrap()).unwrap();
}

#[test]
fn the_example_of_every_shape_passes_and_is_whole() {
    let schema = json_schema();
    let value: Value = serde_json::from_str(&schema).unwrap();
    let definitions = value["$defs"].as_object().unwrap();
    for (path, shape) in shapes().into_iter().filter(|(path, _)| !path.is_empty()) {
        let field = path.rsplit('.').next().unwrap();
        let fields: Vec<&str> = shape.names();
        let candidates = definitions.iter().filter(|(name, definition)| {
            let named = name.as_str() == field || name.ends_with(&format!("-{field}"));
            let has = definition["properties"].as_object();
            named && has.is_some_and(|has| has.keys().all(|f| fields.contains(&f.as_str())))
        });
        // Laws of times and of sizes have the same fields: the example passes one of them.
        let said: Vec<Result<(), String>> = candidates
            .map(|(name, _)| Held::of(&schema, &format!("#/$defs/{name}")).says(shape.example))
            .collect();
        assert!(said.iter().any(Result::is_ok), "{path}: {}: {said:?}", shape.example);
        let said: Value = serde_yaml::from_str(shape.example).unwrap();
        for field in shape.fields.iter().filter(|field| field.need == crate::decode::Need::Must) {
            assert!(said.get(field.name).is_some(), "{path}: {} lacks `{}`", shape.example, field.name);
        }
    }
}

#[test]
fn what_is_wrong_in_an_editor_is_marked() {
    let held = whole();
    let good = starter("fresh").unwrap();
    for (from, to) in [
        ("users: 10 M", "usrs: 10 M"),
        ("users: 10 M", ""),
        ("users: 10 M", "users: many"),
        ("link: 10 Gbit/s", "link: 10 GB"),
        ("link: 10 Gbit/s", "link: 10"),
        ("policy: lru", "policy: lruu"),
        ("per_user: 20 to 40/day", "per_user: 20 to 40"),
        ("per_user: 20 to 40/day", "per_user: 20 to 40/day normal-ish"),
        ("per_user: 20 to 40/day", "per_user: 5/day\n    rate: 5/s"),
        ("per_user: 20 to 40/day", ""),
        ("peak_at: 19:00", "peak_at: 25:00"),
        ("servers: 40", "servers: 0"),
        ("write: true", "write: maybe"),
        ("path: [web, store]", "path: []"),
        ("path: [web, store]", "path: web"),
        ("path: [web, store]", "path: [{cal: web}]"),
        ("path: [web, store]", "path: [{share: 5 %}]"),
        ("path: [web, store]", "path: [web, {parallel: [[store]], waits: 1}]"),
        ("{get: \"/items/{object}\"}", "{get: /a, post: /b}"),
    ] {
        assert!(good.contains(from), "{from}");
        let bad = good.replacen(from, to, 1);
        assert!(held.says(&bad).is_err(), "`{to}` passes");
    }
    for (from, to) in [
        ("per_user: 20 to 40/day", "per_user: 20 to 40/day uniform"),
        ("per_user: 20 to 40/day", "rate: every 2 to 4 s"),
        ("servers: 40", "servers: 4_0"),
        ("path: [web, store]", "path: [web, {parallel: [store, [{call: web, times: 2}]], wait_for: first}]"),
    ] {
        held.says(&good.replacen(from, to, 1)).unwrap_or_else(|error| panic!("`{to}`: {error}"));
    }
}

#[test]
fn a_what_if_may_leave_out_what_its_base_says() {
    let held = whole();
    held.says("extends: spotify\ndatasets: {song: {popularity: {zipf: 0.8}}}\n").unwrap();
    assert!(held.says("datasets: {song: {popularity: {zipf: 0.8}}}\n").is_err());
    assert!(held.says("extends: spotify\ndatasets: {song: {popularty: {zipf: 0.8}}}\n").is_err());
}

/// Every word that any unit has, alone and in the forms of rates and bandwidths.
fn units() -> Vec<String> {
    let prefixes =
        ["", "k", "K", "M", "G", "T", "P", "E", "B", "Ki", "Mi", "ki", "thousand", "million", "billion"];
    let bases = [
        "", "B", "bit", "byte", "bytes", "bps", "s", "ms", "us", "µs", "ns", "min", "sec", "second", "h",
        "hours", "d", "day", "days", "week", "weeks", "month", "year", "years", "m", "%", "percent", "km2",
        "km²", "m2", "trillion",
    ];
    let mut units = Vec::new();
    for prefix in prefixes {
        for base in bases {
            units.push(format!("{prefix}{base}"));
            units.push(format!("{prefix}{base}/s"));
            units.push(format!("{prefix}/{base}"));
            units.push(format!("{prefix} per {base}"));
            units.push(format!("{prefix} a {base}"));
        }
    }
    units
}

#[test]
fn the_schema_knows_exactly_the_units_that_are_read() {
    fn each<D: Dimension>(field: &str) {
        let quantity = Quantity::<D>::parse;
        let held = Held::of(&json_schema(), field);
        for unit in units() {
            for text in [format!("1 {unit}"), format!("0.5{unit}"), format!("0.2 to 1 {unit}")] {
                let (read, passes) = (quantity(text.trim()), held.says(&format!("'{}'", text.trim())));
                assert_eq!(read.is_ok(), passes.is_ok(), "{field}: `{text}`: {read:?}, {passes:?}");
            }
        }
    }
    each::<Bytes>("#/$defs/datasets/properties/size");
    each::<Seconds>("#/$defs/datasets/properties/retention");
    each::<Things>("#/$defs/datasets/properties/count");
    each::<PerSecond>("#/$defs/actions/properties/rate");
    each::<BitsPerSecond>("#/$defs/tiers/properties/link");
    each::<SquareMetres>("#/$defs/regions/properties/area");
    each::<Share>("#/$defs/actions/properties/repeat");
    each::<Portion>("#/$defs/datasets/properties/churn_per_day");
    each::<Plain>("#/$defs/call/properties/fan_out");
}
