//! From a file's tree to a [`Scenario`]: every field decoded, every name resolved, every rule checked,
//! all problems noted.
//!
//! Why what is bad stays in its list as `None`: its name is there all the same, so what refers to it is no
//! second mistake, and what is checked over several parts leaves it out.

use indexmap::IndexMap;

use crate::decode::{Decoder, Shape, describe, did_you_mean};
use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::node::{self, Node, Value};
use crate::scenario::{Action, Dataset, Scenario, Tier};

mod actions;
mod datasets;
mod laws;
mod load;
mod population;
mod rules;
mod tiers;

pub(crate) use rules::tier_order;

/// Most objects, tiers or actions that a file may name; keeps a hostile file from costing much.
const NAMES_MAX: usize = 1000;
/// Longest name of a scenario, characters: directories are named after it.
const SCENARIO_NAME_MAX: usize = 64;

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// Every problem of the file, in order of place.
    pub fn from_yaml(source: &SourceFile) -> Result<Self, Problems> {
        Self::from_tree(&node::parse(source)?, vec![source.clone()])
    }

    /// Checks a tree that was put together from several texts.
    pub(crate) fn from_tree(root: &Node, sources: Vec<SourceFile>) -> Result<Self, Problems> {
        let mut decoder = Decoder::default();
        let scenario = scenario(&mut decoder, root, &sources);
        let mut list = decoder.problems;
        if let (Some(scenario), true) = (scenario, list.is_empty()) {
            return Ok(scenario);
        }
        if list.is_empty() {
            list.push(Problem {
                origin: root.origin,
                cause: "this is no scenario".into(),
                fix: START_FROM.into(),
            });
        }
        list.sort_by_key(|p| (p.origin.file, p.origin.line, p.origin.column));
        Err(Problems { sources, list })
    }
}

const SCENARIO: Shape = Shape {
    fields: &[
        "name",
        "summary",
        "population",
        "datasets",
        "actions",
        "tiers",
        "slos",
        "claims",
        "load",
        "extends",
    ],
    example: "name: my-system",
};

const START_FROM: &str = "`plimsoll scenarios show spotify > my-system.yaml` gives one to start from";

fn scenario(decoder: &mut Decoder, root: &Node, sources: &[SourceFile]) -> Option<Scenario> {
    if !matches!(root.value, Value::Map(_)) {
        let origin = Origin { file: root.origin.file, ..Origin::default() };
        let cause = format!("the file is {}, expected a scenario", describe(root));
        decoder.problem(origin, cause, START_FROM);
        return None;
    }
    let mut fields = decoder.fields(root, "", &SCENARIO)?;
    // What a file extends was put in before; here the field comes from nowhere that could be read.
    if let Some(node) = fields.take("extends") {
        decoder.problem(node.origin, "`extends` works only in a file", "write it into the scenario's file");
    }
    let name = fields.need(decoder, "name", "my-system").and_then(|n| scenario_name(decoder, n));
    let summary = fields.text(decoder, "summary", "say in one line what the system does").unwrap_or_default();
    let population =
        fields.need(decoder, "population", "{users: 1 M}").and_then(|n| population::population(decoder, n));
    let tier_node = fields.need(decoder, "tiers", tiers::EXAMPLE);
    let dataset_node = fields.take("datasets");
    let action_node = fields.need(decoder, "actions", actions::EXAMPLE);
    let none_needed = (dataset_node.is_none() && !fields.misspelt("datasets")).then(Vec::new);
    let names = Names {
        tiers: tier_node.and_then(keys),
        datasets: dataset_node.map_or(none_needed, keys),
        actions: action_node.and_then(keys),
    };
    let tiers = tier_node
        .map(|n| named(decoder, n, ("tiers", tiers::EXAMPLE), |d, n, path| tiers::tier(d, n, path, &names)));
    let datasets = dataset_node.map(|n| {
        named(decoder, n, ("datasets", datasets::EXAMPLE), |d, n, path| datasets::dataset(d, n, path, &names))
    });
    let datasets = datasets.unwrap_or_default();
    let actions = action_node.map(|n| {
        named(decoder, n, ("actions", actions::EXAMPLE), |d, n, path| {
            actions::action(d, n, path, &names, &datasets)
        })
    });
    let parts = Parts {
        tiers: tiers.unwrap_or_default(),
        datasets,
        actions: actions.unwrap_or_default(),
        names: &names,
    };
    let slos = fields.take("slos").map(|n| rules::slos(decoder, n, &parts)).unwrap_or_default();
    let claims = fields.take("claims").map(|n| rules::claims(decoder, n, &parts)).unwrap_or_default();
    let load = fields.take("load").and_then(|n| load::load(decoder, n, &names));
    fields.finish(decoder);
    rules::paths(decoder, &parts);
    let (tiers, datasets, actions) = (whole(parts.tiers)?, whole(parts.datasets)?, whole(parts.actions)?);
    Some(Scenario {
        name: name?,
        summary,
        population: population?,
        datasets,
        actions,
        tiers,
        slos,
        claims,
        load,
        sources: sources.to_vec(),
    })
}

/// Results are kept in a directory of this name, so it must not lead anywhere else.
fn scenario_name(decoder: &mut Decoder, node: &Node) -> Option<String> {
    let fix = format!(
        "write 1 to {SCENARIO_NAME_MAX} of letters, digits, `-`, `_` and `.`, first a letter or digit, \
         such as `my-system`"
    );
    let name = decoder.text(node, "name", &fix)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= SCENARIO_NAME_MAX;
    if !good {
        let cause = if name.is_empty() {
            "`name` is empty".to_owned()
        } else {
            format!("name: `{name}` can't name a scenario")
        };
        decoder.problem(node.origin, cause, fix);
    }
    good.then_some(name)
}

/// The names that a file gives to its parts, in its order; `None` where the section can't be read, so that
/// nobody can say which names are known.
struct Names {
    tiers: Option<Vec<String>>,
    datasets: Option<Vec<String>>,
    actions: Option<Vec<String>>,
}

/// What was read of a file; the parts with a problem are `None`.
struct Parts<'n> {
    tiers: IndexMap<String, Option<Tier>>,
    datasets: IndexMap<String, Option<Dataset>>,
    actions: IndexMap<String, Option<Action>>,
    names: &'n Names,
}

fn keys(node: &Node) -> Option<Vec<String>> {
    let Value::Map(pairs) = &node.value else { return None };
    let text = |(key, _): &(Node, Node)| {
        if let Value::Text(t) = &key.value { Some(t.clone()) } else { None }
    };
    (1..=NAMES_MAX).contains(&pairs.len()).then(|| pairs.iter().filter_map(text).collect())
}

/// All parts, if none is bad.
fn whole<T>(parts: IndexMap<String, Option<T>>) -> Option<IndexMap<String, T>> {
    parts.into_iter().map(|(name, part)| part.map(|part| (name, part))).collect()
}

/// A map from names that the user chooses.
fn named<T>(
    decoder: &mut Decoder,
    node: &Node,
    (path, example): (&str, &str),
    mut each: impl FnMut(&mut Decoder, &Node, &str) -> Option<T>,
) -> IndexMap<String, Option<T>> {
    let Some(entries) = decoder.entries(node, path, example) else { return IndexMap::new() };
    if entries.is_empty() || entries.len() > NAMES_MAX {
        let cause = format!("`{path}` has {} entries, expected 1 to {NAMES_MAX}", entries.len());
        let fix = if entries.is_empty() { format!("write `{example}`") } else { "name fewer".to_owned() };
        decoder.problem(node.origin, cause, fix);
        return IndexMap::new();
    }
    let mut found = IndexMap::new();
    for (name, origin, node) in entries {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.is_empty() {
            decoder.problem(origin, format!("a name in `{path}` is empty"), NAME_FIX);
        } else if !name.chars().all(plain) {
            decoder.problem(origin, format!("`{name}` is no name"), NAME_FIX);
        }
        let value = decoder.clean(|decoder| each(decoder, node, &format!("{path}.{name}")));
        found.insert(name.to_owned(), value);
    }
    found
}

const NAME_FIX: &str = "use a-z, 0-9, - and _";

/// The position of a name in a list of names. Where the names aren't known, nothing is said.
fn reference(
    decoder: &mut Decoder,
    node: &Node,
    what: &str,
    kind: &str,
    names: Option<&[String]>,
) -> Option<usize> {
    let text = decoder.text(node, what, &format!("write the name of a {kind}"))?;
    let names = names?;
    let found = names.iter().position(|n| *n == text);
    if found.is_none() {
        unknown(decoder, node.origin, (what, kind), &text, names);
    }
    found
}

/// Notes that there is no tier, dataset or action of this name.
fn unknown(decoder: &mut Decoder, origin: Origin, (what, kind): (&str, &str), name: &str, names: &[String]) {
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    let cause = if name.is_empty() {
        format!("{what}: the name of a {kind} is missing")
    } else {
        format!("{what}: no {kind} is named `{name}`")
    };
    decoder.problem(origin, cause, did_you_mean(name, &known, &format!("add it under `{kind}s`")));
}

#[cfg(test)]
mod tests;
