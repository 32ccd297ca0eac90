//! What-ifs: one scenario laid over another (`extends:`), and single values put in from the command line
//! (`--set`).
//!
//! Why on trees and not on scenarios: a value keeps the place at which it was written, in whichever file
//! that is, so a problem of the whole still points to the right line, and an estimate can say where a number
//! comes from.

use crate::decode::Kind;
use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::fields::{self, name_of};
use crate::node::{self, Node, Value};

/// Longest chain of files that extend each other.
pub const EXTENDS_MAX: usize = 8;

/// Lays `over` on `base`: maps are merged by key, everything else is replaced. List items that have a
/// `name` are merged with the item of that name; other lists are replaced whole. Of fields of which only one
/// can be there (`per_user` and `rate`), the one in `over` takes the place of the other.
pub fn merge(base: &mut Node, over: Node) {
    merge_as(base, over, &[fields::WHOLE]);
}

fn merge_as(base: &mut Node, over: Node, kinds: &[&'static Kind]) {
    match (&mut base.value, over.value) {
        (Value::Map(pairs), Value::Map(new)) => {
            for (key, value) in new {
                let name = if let Value::Text(name) = &key.value { name.as_str() } else { "" };
                make_room(pairs, kinds, name);
                let inner = fields::below(kinds, Some(name));
                match pairs.iter_mut().find(|(k, _)| k.value == key.value) {
                    Some((_, old)) => merge_as(old, value, &inner),
                    None => pairs.push((key, value)),
                }
            }
        }
        (Value::List(items), Value::List(new)) if new.iter().chain(&*items).all(|n| name_of(n).is_some()) => {
            let inner = fields::below(kinds, None);
            for item in new {
                match items.iter_mut().find(|n| name_of(n) == name_of(&item)) {
                    Some(old) => merge_as(old, item, &inner),
                    None => items.push(item),
                }
            }
        }
        (_, value) => *base = Node { value, origin: over.origin },
    }
}

/// Takes out the fields that can't stand beside a new one.
fn make_room(pairs: &mut Vec<(Node, Node)>, kinds: &[&'static Kind], name: &str) {
    let rivals = fields::rivals(kinds, name);
    if !rivals.is_empty() {
        pairs.retain(|(key, _)| !matches!(&key.value, Value::Text(text) if rivals.contains(&text.as_str())));
    }
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
    let segments: Vec<&str> = path.split('.').collect();
    let names: Vec<&str> = segments.iter().map(|s| s.trim()).collect();
    let columns: Vec<usize> = segments
        .iter()
        .scan(0, |next, s| Some(std::mem::replace(next, *next + s.chars().count() + 1)))
        .collect();
    let length = |i: usize| segments[i].chars().count();
    fields::follow(root, &names)
        .map_err(|lost| fail(columns[lost.segment], length(lost.segment), lost.cause, lost.fix))?;
    let mut here = root;
    let mut kinds = vec![fields::WHOLE];
    for (i, name) in names.iter().enumerate() {
        let origin = Origin { file, line: 1, column: columns[i] as u32 + 1, length: length(i) as u32 };
        if let Value::Map(pairs) = &mut here.value {
            make_room(pairs, &kinds, name);
        }
        kinds = fields::below(&kinds, Some(name));
        here = step(here, name, origin).ok_or_else(|| {
            let cause = format!("the list has no item `{name}`");
            fail(columns[i], length(i), cause, "name one of its items, or its number from 0".into())
        })?;
    }
    *here = parsed;
    Ok(())
}

/// The child of this name; a map gets one if it has none, and a list has none but its own.
fn step<'n>(here: &'n mut Node, name: &str, origin: Origin) -> Option<&'n mut Node> {
    if !matches!(here.value, Value::Map(_) | Value::List(_)) {
        // A single value becomes a map: `service_time: 20 ms` in the file, `service_time.exponential` here.
        *here = Node { value: Value::Map(Vec::new()), origin };
    }
    match &mut here.value {
        Value::List(items) => fields::position(items, name).map(|index| &mut items[index]),
        Value::Map(pairs) => {
            let found = pairs.iter().position(|(k, _)| matches!(&k.value, Value::Text(t) if t == name));
            let index = found.unwrap_or(pairs.len());
            if found.is_none() {
                let key = Node { value: Value::Text(name.to_owned()), origin };
                pairs.push((key, Node { value: Value::Null, origin }));
            }
            Some(&mut pairs[index].1)
        }
        Value::Null | Value::Text(_) => None,
    }
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
