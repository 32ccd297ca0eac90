//! From a file's tree to a [`Scenario`]: every field decoded, every name resolved, every rule checked,
//! all problems noted.
//!
//! Why what is bad stays in its list as `None`: its name is there all the same, so what refers to it is no
//! second mistake, and what is checked over several parts leaves it out.

use indexmap::IndexMap;

use crate::arrivals::DAY_S;
use crate::auto::Open;
use crate::decode::{Decoder, Kind, Shape, a, counted, describe, did_you_mean, field, must};
use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::node::{self, Node, Value};
use crate::scenario::{Action, Dataset, Growth, Scenario};
use crate::tier::Tier;
use crate::units::Count;

mod actions;
mod clients;
mod datasets;
mod events;
mod http;
mod laws;
mod load;
mod paths;
mod population;
mod rules;
mod tiers;

pub(crate) use paths::{STEP, STEPS_MAX};
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
        Open::from_tree(root, sources)?.closed()
    }

    /// Checks a tree in which nothing is left to the planner.
    pub(crate) fn settled(root: &Node, sources: Vec<SourceFile>) -> Result<Self, Problems> {
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

pub const SCENARIO: Shape = Shape {
    fields: &[
        must("name", Kind::Text, "short name, as on the command line"),
        field("summary", Kind::Text, "one line: what the system does"),
        must("population", Kind::Fields(&population::POPULATION), "who does it, where and when"),
        field("datasets", Kind::Named(&Kind::Fields(&datasets::DATASET)), "what is stored, by name"),
        must("actions", Kind::Named(&Kind::Fields(&actions::ACTION)), "what they do, by name"),
        must("tiers", Kind::Named(&Kind::Fields(&tiers::TIER)), "what serves them, by name"),
        field("slos", Kind::List(&rules::SLO), "targets, a line each"),
        field("claims", Kind::List(&Kind::Fields(&rules::CLAIM)), "figures that a source states, checked"),
        field("events", Kind::List(&Kind::Fields(&events::EVENT)), "what happens on the day"),
        field("load", Kind::Fields(&load::LOAD), "how to play it on one machine"),
        field(
            "extends",
            Kind::Text,
            "a scenario that this one is laid over: a bundled name, or a file beside it",
        ),
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
        actors: actors(root),
    };
    let tiers = tier_node
        .map(|n| named(decoder, n, ("tiers", tiers::EXAMPLE), |d, n, path| tiers::tier(d, n, path, &names)));
    let datasets = dataset_node.map(|n| {
        named(decoder, n, ("datasets", datasets::EXAMPLE), |d, n, path| datasets::dataset(d, n, path, &names))
    });
    let (tiers, datasets) = (tiers.unwrap_or_default(), datasets.unwrap_or_default());
    let known = actions::Known { names: &names, datasets: &datasets, tiers: &tiers };
    let actions = action_node.map(|n| {
        named(decoder, n, ("actions", actions::EXAMPLE), |d, n, path| actions::action(d, n, path, &known))
    });
    let places = [("tier", tier_node), ("dataset", dataset_node), ("action", action_node)];
    let places = places.into_iter().flat_map(|(kind, node)| key_places(kind, node)).collect::<Vec<_>>();
    let parts = Parts { tiers, datasets, actions: actions.unwrap_or_default(), names: &names };
    let slos = fields.take("slos").map(|n| rules::slos(decoder, n, &parts)).unwrap_or_default();
    let claims = fields.take("claims").map(|n| rules::claims(decoder, n, &parts)).unwrap_or_default();
    rules::names(decoder, &parts, &places);
    let region_names: Option<Vec<String>> =
        population.as_ref().map(|p| p.regions.iter().map(|r| r.name.clone()).collect());
    let events = fields
        .take("events")
        .map(|n| events::events(decoder, n, &parts, region_names.as_deref()))
        .unwrap_or_default();
    let load = fields.take("load").and_then(|n| load::load(decoder, n, &parts, region_names.as_deref()));
    fields.finish(decoder);
    rules::paths(decoder, &parts);
    rules::disks(decoder, &parts);
    let (tiers, datasets, actions) = (whole(parts.tiers)?, whole(parts.datasets)?, whole(parts.actions)?);
    let mut scenario = Scenario {
        name: name?,
        summary,
        population: population?,
        datasets,
        actions,
        tiers,
        slos,
        claims,
        events,
        load,
        sessions: None,
        sources: sources.to_vec(),
    };
    // Rates of actions that follow each other in a circle have no end.
    if decoder.problems.is_empty() {
        count_growing(&mut scenario);
        scenario.mark_users_calls();
    }
    Some(scenario)
}

/// A dataset that only grows has as many objects as come while one is kept, at most in a year.
fn count_growing(scenario: &mut Scenario) {
    const YEAR_S: f64 = 365.0 * DAY_S;
    for id in 0..scenario.datasets.len() {
        let dataset = &scenario.datasets[id];
        let Some(growth) = dataset.growth.as_ref().filter(|_| dataset.count.get().is_nan()) else { continue };
        let rate = scenario.growth_rate(growth);
        let kept = dataset.retention.as_ref().map_or(YEAR_S, |time| time.get().min(YEAR_S));
        let text = match growth {
            Growth::Rate(rate) => format!("{} for a year, or while kept", rate.text),
            Growth::By { .. } => "what comes in a year, or while kept".to_owned(),
        };
        let origin = dataset.origin;
        scenario.datasets[id].count = Count::given((rate * kept).max(1.0), &text).at(origin);
    }
}

/// Results are kept in a directory of this name, so it must not lead anywhere else.
fn scenario_name(decoder: &mut Decoder, node: &Node) -> Option<String> {
    let name = decoder.text(node, "name", &name_fix())?;
    check_name(&name).map_err(|(cause, fix)| decoder.problem(node.origin, cause, fix)).ok()?;
    Some(name)
}

fn name_fix() -> String {
    format!(
        "write 1 to {SCENARIO_NAME_MAX} of letters, digits, `-`, `_` and `.`, first a letter or digit, \
         such as `my-system`"
    )
}

/// Whether a scenario may have this name.
///
/// # Errors
/// Cause and fix.
pub(crate) fn check_name(name: &str) -> Result<(), (String, String)> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= SCENARIO_NAME_MAX;
    if good {
        return Ok(());
    }
    let cause = if name.is_empty() {
        "`name` is empty".to_owned()
    } else {
        format!("name: `{name}` can't name a scenario")
    };
    Err((cause, name_fix()))
}

/// The names that a file gives to its parts, in its order; `None` where the section can't be read, so that
/// nobody can say which names are known.
struct Names {
    tiers: Option<Vec<String>>,
    datasets: Option<Vec<String>>,
    actions: Option<Vec<String>>,
    actors: Option<Vec<String>>,
}

/// What was read of a file; the parts with a problem are `None`.
struct Parts<'n> {
    tiers: IndexMap<String, Option<Tier>>,
    datasets: IndexMap<String, Option<Dataset>>,
    actions: IndexMap<String, Option<Action>>,
    names: &'n Names,
}

/// The names under `population.actors`.
fn actors(root: &Node) -> Option<Vec<String>> {
    let child = |node: &Node, name: &str| {
        let Value::Map(pairs) = &node.value else { return None };
        pairs.iter().find(|(k, _)| matches!(&k.value, Value::Text(t) if t == name)).map(|(_, v)| v.clone())
    };
    let population = child(root, "population")?;
    child(&population, "actors").map_or(Some(Vec::new()), |node| keys(&node))
}

/// The names of a section with their places.
fn key_places(kind: &'static str, node: Option<&Node>) -> Vec<(String, &'static str, Origin)> {
    let Some(Value::Map(pairs)) = node.map(|n| &n.value) else { return Vec::new() };
    let place = |(key, _): &(Node, Node)| match &key.value {
        Value::Text(name) => Some((name.clone(), kind, key.origin)),
        _ => None,
    };
    pairs.iter().take(NAMES_MAX).filter_map(place).collect()
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
        let cause = format!("`{path}` has {}, expected 1 to {NAMES_MAX}", counted(entries.len(), "entry"));
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
    let text = decoder.text(node, what, &format!("write the name of {}", a(kind)))?;
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
        format!("{what}: the name of {} is missing", a(kind))
    } else {
        format!("{what}: no {kind} is named `{name}`")
    };
    decoder.problem(origin, cause, did_you_mean(name, &known, &format!("add it under `{kind}s`")));
}

#[cfg(test)]
mod tests;
