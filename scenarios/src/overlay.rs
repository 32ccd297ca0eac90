//! What-ifs: one scenario laid over another (`extends:`), and single values put in from the command line
//! (`--set`).
//!
//! Why on trees and not on scenarios: a value keeps the place at which it was written, in whichever file
//! that is, so a problem of the whole still points to the right line, and an estimate can say where a number
//! comes from.

use crate::decode::suggestion;
use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::node::{self, Node, Value};

/// Longest chain of files that extend each other.
pub const EXTENDS_MAX: usize = 8;

/// Lays `over` on `base`: maps are merged by key, everything else is replaced. List items that have a
/// `name` are merged with the item of that name; other lists are replaced whole.
pub fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(pairs), Value::Map(new)) => {
            for (key, value) in new {
                match pairs.iter_mut().find(|(k, _)| k.value == key.value) {
                    Some((_, old)) if other_law(&key, old, &value) => *old = value,
                    Some((_, old)) => merge(old, value),
                    None => pairs.push((key, value)),
                }
            }
        }
        (Value::List(items), Value::List(new)) if new.iter().chain(&*items).all(|n| name_of(n).is_some()) => {
            for item in new {
                match items.iter_mut().find(|n| name_of(n) == name_of(&item)) {
                    Some(old) => merge(old, item),
                    None => items.push(item),
                }
            }
        }
        (_, value) => *base = Node { value, origin: over.origin },
    }
}

/// Fields whose value names one law of several: another law takes the place of the one before.
const LAW_FIELDS: [&str; 3] = ["popularity", "service_time", "size"];

fn holds_law(field: &str, value: &Node) -> bool {
    LAW_FIELDS.contains(&field) && matches!(&value.value, Value::Map(pairs) if pairs.len() == 1)
}

fn other_law(key: &Node, old: &Node, new: &Node) -> bool {
    let Value::Text(field) = &key.value else { return false };
    match (&old.value, &new.value) {
        (Value::Map(before), Value::Map(now)) if holds_law(field, old) && holds_law(field, new) => {
            before[0].0.value != now[0].0.value
        }
        _ => false,
    }
}

/// The value of the field `name` of a map.
pub(crate) fn name_of(node: &Node) -> Option<&str> {
    field(node, "name")
        .and_then(|n| if let Value::Text(text) = &n.value { Some(text.as_str()) } else { None })
}

fn field<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(pairs) = &node.value else { return None };
    pairs.iter().find(|(k, _)| matches!(&k.value, Value::Text(t) if t == key)).map(|(_, v)| v)
}

/// Takes the text of `extends` out of a document.
pub fn take_extends(root: &mut Node) -> Option<(String, Origin)> {
    let Value::Map(pairs) = &mut root.value else { return None };
    let index = pairs.iter().position(|(k, _)| matches!(&k.value, Value::Text(t) if t == "extends"))?;
    let (_, node) = pairs.remove(index);
    if let Value::Text(text) = node.value {
        Some((text, node.origin))
    } else {
        Some((String::new(), node.origin))
    }
}

/// Puts `path=value` into a document. `source` holds the whole argument, and is file number `file`.
///
/// A path goes by field names, and by `name` or position (from 0) through lists, such as
/// `population.regions.europe.share=40 %`. Fields that are not there yet are added; whether they mean
/// anything is for the checks that follow.
pub fn set(root: &mut Node, source: &SourceFile, file: u16) -> Result<(), Problems> {
    let fail = |column: usize, length: usize, cause: String, fix: String| Problems {
        sources: vec![source.clone()],
        list: vec![Problem {
            origin: Origin { file: 0, line: 1, column: column as u32 + 1, length: length as u32 },
            cause,
            fix,
        }],
    };
    let text: &str = &source.text;
    let Some((path, value)) =
        text.split_once('=').filter(|(p, v)| !p.trim().is_empty() && !v.trim().is_empty())
    else {
        let cause = format!("`{text}` sets nothing");
        return Err(fail(0, text.chars().count(), cause, "write `--set population.users=2e9`".to_owned()));
    };
    // The value is read as YAML, behind as many blanks as the path is long, so that its places are right.
    let padded = SourceFile::new(&source.name, &format!("{}{value}", " ".repeat(path.chars().count() + 1)));
    let mut parsed = node::parse(&padded).map_err(|p| Problems { sources: vec![source.clone()], ..p })?;
    in_file(&mut parsed, file);
    let mut here = root;
    let (mut column, mut field) = (0, "");
    for segment in path.split('.') {
        let name = segment.trim();
        if let (true, Value::Map(pairs)) = (holds_law(field, here), &mut here.value) {
            pairs.retain(|(key, _)| matches!(&key.value, Value::Text(law) if law == name));
        }
        field = name;
        let origin =
            Origin { file, line: 1, column: column as u32 + 1, length: segment.chars().count() as u32 };
        here = step(here, name, origin)
            .map_err(|(cause, fix)| fail(column, segment.chars().count(), cause, fix))?;
        column += segment.chars().count() + 1;
    }
    *here = parsed;
    Ok(())
}

/// The child of this name; a map gets one if it has none.
fn step<'n>(here: &'n mut Node, name: &str, origin: Origin) -> Result<&'n mut Node, (String, String)> {
    if !matches!(here.value, Value::Map(_) | Value::List(_)) {
        // A single value becomes a map: `service_time: 20 ms` in the file, `service_time.exponential` here.
        *here = Node { value: Value::Map(Vec::new()), origin };
    }
    match &mut here.value {
        Value::List(items) => {
            let index = item(items, name)?;
            Ok(&mut items[index])
        }
        Value::Map(pairs) => {
            let found = pairs.iter().position(|(k, _)| matches!(&k.value, Value::Text(t) if t == name));
            let index = found.unwrap_or(pairs.len());
            if found.is_none() {
                let key = Node { value: Value::Text(name.to_owned()), origin };
                pairs.push((key, Node { value: Value::Null, origin }));
            }
            Ok(&mut pairs[index].1)
        }
        Value::Null | Value::Text(_) => {
            Err((format!("`{name}` is not a field"), "name a field of a map, or an item of a list".into()))
        }
    }
}

/// Position of a list's item by its `name`, or by its number.
fn item(items: &[Node], name: &str) -> Result<usize, (String, String)> {
    let found = items.iter().position(|n| name_of(n) == Some(name));
    found.or_else(|| name.parse().ok().filter(|i| *i < items.len())).ok_or_else(|| {
        let known: Vec<&str> = items.iter().filter_map(name_of).collect();
        let fix = suggestion(name, &known).map_or_else(
            || format!("there are {} items: {}", items.len(), known.join(", ")),
            |n| format!("did you mean `{n}`?"),
        );
        (format!("the list has no item `{name}`"), fix)
    })
}

/// Marks all places of a tree as those of a file.
pub fn in_file(node: &mut Node, file: u16) {
    node.origin.file = file;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|n| in_file(n, file)),
        Value::Map(pairs) => {
            for (key, value) in pairs {
                in_file(key, file);
                in_file(value, file);
            }
        }
        _ => {}
    }
}
