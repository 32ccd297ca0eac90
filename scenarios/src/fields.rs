//! Where a path such as `tiers.web.servers` leads, by the tables of fields and the names of one scenario.
//!
//! Why before anything is decoded: a misspelt path would add a field that means nothing, and the complaint about
//! it could not say which path was meant. The tables know optional fields that no file has used yet.

use crate::decode::{Kind, Need, Shape, suggestion};
use crate::node::{Node, Value};
use crate::validate::{SCENARIO, STEP};

/// Most paths that are looked through for the one that was meant.
const PATHS_MAX: usize = 50_000;
/// Longest path, segments: no scenario is nested deeper.
pub const SEGMENTS_MAX: usize = crate::node::DEPTH_MAX;

/// Why a path leads nowhere: which of its segments, and cause and fix.
#[derive(Debug, PartialEq, Eq)]
pub struct Lost {
    pub segment: usize,
    pub cause: String,
    pub fix: String,
}

/// Follows a path through the tables and the tree.
///
/// # Errors
/// The first segment that no scenario can have there.
pub fn follow(root: &Node, segments: &[&str]) -> Result<(), Lost> {
    if segments.len() > SEGMENTS_MAX {
        let cause = format!("the path has {} parts", segments.len());
        return Err(Lost {
            segment: SEGMENTS_MAX,
            cause,
            fix: format!("at most {SEGMENTS_MAX} lead somewhere"),
        });
    }
    let mut kinds: Vec<&Kind> = vec![WHOLE];
    let mut node = Some(root);
    for (i, name) in segments.iter().enumerate() {
        let last = i + 1 == segments.len();
        let next: Vec<&Kind> =
            kinds.iter().filter_map(|kind| step(kind, node, name, last)).flat_map(spread).collect();
        if next.is_empty() {
            return Err(lost(root, segments, i, &kinds, node));
        }
        node = node.and_then(|node| child(node, name));
        kinds = next;
    }
    Ok(())
}

/// The kinds that may stand where one of several may.
fn spread(kind: &'static Kind) -> Vec<&'static Kind> {
    match kind {
        Kind::Any(kinds) => kinds.iter().flat_map(spread).collect(),
        other => vec![other],
    }
}

/// What stands behind one more segment.
fn step(kind: &Kind, node: Option<&Node>, name: &str, last: bool) -> Option<&'static Kind> {
    match kind {
        Kind::Fields(shape) => shape.fields.iter().find(|f| f.name == name).map(|f| &f.kind),
        // A new part is put in whole: one field of it alone is a name mistyped.
        Kind::Named(each) => {
            let there = node.is_some_and(|node| child(node, name).is_some());
            (there || last && !name.is_empty()).then_some(each)
        }
        Kind::List(each) => node.and_then(|node| child(node, name)).map(|_| *each),
        Kind::Path => node.and_then(|node| child(node, name)).map(|_| &STEP),
        _ => None,
    }
}

/// The kinds behind a name, whether or not a tree has it.
pub fn below(kinds: &[&'static Kind], name: Option<&str>) -> Vec<&'static Kind> {
    let each = kinds.iter().filter_map(|kind| match kind {
        Kind::Fields(shape) => shape.fields.iter().find(|f| Some(f.name) == name).map(|f| &f.kind),
        Kind::Named(each) | Kind::List(each) => Some(*each),
        Kind::Path => Some(&STEP),
        _ => None,
    });
    each.flat_map(spread).collect()
}

/// The fields that can't stand beside one of this name: of those marked so exactly one may be there.
pub fn rivals(kinds: &[&'static Kind], name: &str) -> Vec<&'static str> {
    let mut shapes =
        kinds.iter().filter_map(|kind| if let Kind::Fields(shape) = kind { Some(shape) } else { None });
    let (Some(shape), None) = (shapes.next(), shapes.next()) else { return Vec::new() };
    let either: Vec<&str> = shape.fields.iter().filter(|f| f.need == Need::Either).map(|f| f.name).collect();
    if either.contains(&name) {
        either.into_iter().filter(|other| *other != name).collect()
    } else {
        Vec::new()
    }
}

/// What a whole scenario is.
pub const WHOLE: &Kind = &Kind::Fields(&SCENARIO);

/// The child of this name, or the item of this name or number.
pub fn child<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(pairs) => {
            pairs.iter().find(|(k, _)| matches!(&k.value, Value::Text(t) if t == name)).map(|(_, v)| v)
        }
        Value::List(items) => position(items, name).map(|i| &items[i]),
        Value::Null | Value::Text(_) => None,
    }
}

/// Position of a list's item by its `name`, or by its number.
pub fn position(items: &[Node], name: &str) -> Option<usize> {
    let found = items.iter().position(|item| name_of(item) == Some(name));
    found.or_else(|| name.parse().ok().filter(|i| *i < items.len()))
}

/// The value of the field `name` of a map.
pub fn name_of(node: &Node) -> Option<&str> {
    let Value::Map(pairs) = &node.value else { return None };
    let (_, value) = pairs.iter().find(|(k, _)| matches!(&k.value, Value::Text(t) if t == "name"))?;
    if let Value::Text(text) = &value.value { Some(text) } else { None }
}

fn lost(root: &Node, segments: &[&str], at: usize, kinds: &[&Kind], node: Option<&Node>) -> Lost {
    let (name, above) = (segments[at], segments[..at].join("."));
    let known = names(kinds, node);
    let cause = match kinds.first() {
        _ if name.is_empty() => "the path has an empty part".to_owned(),
        Some(Kind::Fields(_)) if at == 0 => format!("a scenario has no field `{name}`"),
        Some(Kind::List(_) | Kind::Path) => format!("the list `{above}` has no item `{name}`"),
        Some(Kind::Fields(_) | Kind::Named(_)) => format!("`{above}` has no `{name}`"),
        _ => format!("`{above}` is a single value and has no `{name}`"),
    };
    let fix = match nearest(root, segments, at) {
        Some(path) => format!("did you mean `{path}`?"),
        None if known.is_empty() => format!("set it whole: `--set {above}=...`"),
        None => format!("known here: {}", known.join(", ")),
    };
    Lost { segment: at, cause, fix }
}

/// The names that may stand next.
fn names(kinds: &[&Kind], node: Option<&Node>) -> Vec<String> {
    let of_tree = |node: Option<&Node>| match node.map(|n| &n.value) {
        Some(Value::Map(pairs)) => pairs.iter().filter_map(|(k, _)| text(k)).collect(),
        Some(Value::List(items)) => (0..items.len()).map(|i| item_name(items, i)).collect(),
        _ => Vec::new(),
    };
    let each = kinds.iter().flat_map(|kind| match kind {
        Kind::Fields(shape) => shape.names().into_iter().map(str::to_owned).collect(),
        Kind::Named(_) | Kind::List(_) | Kind::Path => of_tree(node),
        _ => Vec::new(),
    });
    each.collect()
}

fn text(node: &Node) -> Option<String> {
    if let Value::Text(text) = &node.value { Some(text.clone()) } else { None }
}

fn item_name(items: &[Node], index: usize) -> String {
    name_of(&items[index]).map_or_else(|| index.to_string(), str::to_owned)
}

/// The whole path most like this one: one that ends with it, or one with as few letters changed as a mistyped
/// segment has.
fn nearest(root: &Node, segments: &[&str], wrong: usize) -> Option<String> {
    let wanted = segments.join(".");
    let mut known = Vec::new();
    collect(WHOLE, Some(root), &mut String::new(), &mut known);
    let end = format!(".{wanted}");
    if let Some(path) = known.iter().filter(|path| path.ends_with(&end)).min_by_key(|path| path.len()) {
        return Some(path.clone());
    }
    // What leads to the wrong segment was found, so only what begins with that can be meant; and a path that
    // differs in length by more than the letters that may be wrong can't.
    let permitted = (segments[wrong].chars().count() / 3).max(1);
    let above: String = segments[..wrong].iter().flat_map(|segment| [*segment, "."]).collect();
    let length = wanted.chars().count();
    let near = known.iter().filter(|path| path.starts_with(&above));
    let near: Vec<&str> =
        near.filter(|path| path.chars().count().abs_diff(length) <= permitted).map(String::as_str).collect();
    let near = suggestion(&wanted, &near)?;
    (strsim::damerau_levenshtein(&wanted.to_lowercase(), &near.to_lowercase()) <= permitted)
        .then(|| near.to_owned())
}

/// Every path that a setting may have, with the names of this scenario's parts.
fn collect(kind: &Kind, node: Option<&Node>, path: &mut String, found: &mut Vec<String>) {
    let mut inner = |kind: &Kind, node: Option<&Node>, name: &str| {
        if found.len() >= PATHS_MAX {
            return;
        }
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        found.push(path.clone());
        collect(kind, node, path, found);
        path.truncate(length);
    };
    match kind {
        Kind::Fields(shape) => of_fields(shape, node, &mut inner),
        Kind::Named(each) => {
            if let Some(Value::Map(pairs)) = node.map(|n| &n.value) {
                for (key, value) in pairs {
                    inner(each, Some(value), &text(key).unwrap_or_default());
                }
            }
        }
        Kind::List(_) | Kind::Path => {
            let each = if let Kind::List(each) = kind { each } else { &STEP };
            if let Some(Value::List(items)) = node.map(|n| &n.value) {
                for (i, item) in items.iter().enumerate() {
                    inner(each, Some(item), &item_name(items, i));
                }
            }
        }
        Kind::Any(kinds) => kinds.iter().for_each(|kind| collect(kind, node, path, found)),
        _ => {}
    }
}

fn of_fields(
    shape: &'static Shape,
    node: Option<&Node>,
    inner: &mut impl FnMut(&'static Kind, Option<&Node>, &str),
) {
    for field in shape.fields {
        inner(&field.kind, node.and_then(|node| child(node, field.name)), field.name);
    }
}
