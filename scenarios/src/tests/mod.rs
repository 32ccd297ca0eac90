//! Tests over the whole language: its schema, its page, what holds of every scenario, and what no text may do.

mod fuzz;
mod generate;
mod page;
mod properties;
mod schema;

use std::path::Path;

use crate::decode::{Kind, Shape};
use crate::validate::{SCENARIO, STEP};

/// Set to write generated files instead of comparing them.
const BLESS: &str = "PLIMSOLL_BLESS";

/// Holds a kept text against what it should be now; with `PLIMSOLL_BLESS=1` it is written instead.
fn keep(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == wanted,
        "{} is not what the tables of fields give now; `{BLESS}=1 cargo test -p plimsoll-scenarios` writes it",
        path.display()
    );
}

/// Every shape of the language with the path that leads to it, such as `tiers.cache` or `path.parallel`.
fn shapes() -> Vec<(String, &'static Shape)> {
    fn of(path: &str, shape: &'static Shape, found: &mut Vec<(String, &'static Shape)>) {
        if found.iter().any(|(other, _)| other == path) {
            return;
        }
        found.push((path.to_owned(), shape));
        for field in shape.fields {
            let inner =
                if path.is_empty() { field.name.to_owned() } else { format!("{path}.{}", field.name) };
            kind(&inner, &field.kind, found);
        }
    }
    fn kind(path: &str, each: &'static Kind, found: &mut Vec<(String, &'static Shape)>) {
        match each {
            Kind::Fields(shape) => of(path, shape, found),
            Kind::Named(each) | Kind::List(each) => kind(path, each, found),
            Kind::Any(kinds) => kinds.iter().for_each(|each| kind(path, each, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    of("", &SCENARIO, &mut found);
    let Kind::Any(steps) = &STEP else { panic!("a step is any of several") };
    for step in *steps {
        if let Kind::Fields(shape) = step {
            of(&format!("path.{}", shape.fields[0].name), shape, &mut found);
        }
    }
    found
}
