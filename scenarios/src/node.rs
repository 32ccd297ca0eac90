//! A YAML document as a tree that remembers places.
//!
//! Why not straight into structs: a deserialiser stops at the first error. Over a tree, every problem of a
//! file is found in one pass, each with its place.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Location, Spanned};
use std::fmt;

use crate::diagnostic::{Origin, Problem, Problems, SourceFile};
use crate::syntax;

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    /// A scalar as text; numbers and booleans in their plain form.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub value: Value,
    pub origin: Origin,
}

/// Deepest nesting that a scenario may have.
pub const DEPTH_MAX: usize = 24;
/// Longest file that is read, bytes.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// Most parser events that aliases may stand for. Scenarios need no aliases; files that mean to become large do.
const ALIASED_MAX: usize = 20_000;

/// Reads a document.
///
/// # Errors
/// The parser's complaint, with its place.
pub fn parse(source: &SourceFile) -> Result<Node, Problems> {
    let fail = |problem| Problems { sources: vec![source.clone()], list: vec![problem] };
    if source.text.len() > FILE_BYTES_MAX {
        let cause = format!("the file has more than {FILE_BYTES_MAX} bytes");
        return Err(fail(Problem {
            origin: Origin::default(),
            cause,
            fix: "a scenario is a page or two".into(),
        }));
    }
    let limits = serde_yaml::alias_limits! { max_total_replayed_events: ALIASED_MAX };
    let options = serde_yaml::options! { alias_limits: limits };
    match serde_yaml::from_str_with_options::<Spanned<Tree>>(&source.text, options) {
        Ok(tree) => {
            let node = place(tree, &source.text);
            too_deep(&node, DEPTH_MAX).map_or(Ok(node), |origin| Err(fail(syntax::nested(origin))))
        }
        Err(error) => Err(fail(syntax::problem(&error))),
    }
}

/// The place of a node that is nested deeper than this many levels.
fn too_deep(node: &Node, levels: usize) -> Option<Origin> {
    match &node.value {
        _ if levels == 0 => Some(node.origin),
        Value::List(items) => items.iter().find_map(|n| too_deep(n, levels - 1)),
        Value::Map(pairs) => pairs.iter().find_map(|(_, v)| too_deep(v, levels - 1)),
        Value::Null | Value::Text(_) => None,
    }
}

/// Gives every node its place; a scalar is underlined as long as it stands in the file.
fn place(tree: Spanned<Tree>, text: &str) -> Node {
    let location = tree.referenced;
    let mut origin =
        Origin { file: 0, line: location.line() as u32, column: location.column() as u32, length: 1 };
    let value = match tree.value {
        Tree::Null => Value::Null,
        Tree::Text(scalar) => {
            origin.length = written_length(text, location, &scalar);
            Value::Text(scalar)
        }
        Tree::List(items) => Value::List(items.into_iter().map(|n| place(n, text)).collect()),
        Tree::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(k, v)| {
                    (
                        place(
                            Spanned {
                                value: Tree::Text(k.value),
                                referenced: k.referenced,
                                defined: k.defined,
                            },
                            text,
                        ),
                        place(v, text),
                    )
                })
                .collect(),
        ),
    };
    Node { value, origin }
}

/// Longest scalar that is underlined whole, characters; a bound because a file may be one line of many scalars.
const UNDERLINED_MAX: usize = 200;

/// Characters of the scalar as the file writes it: up to a comment or to what ends it in flow style.
fn written_length(text: &str, location: Location, scalar: &str) -> u32 {
    let start = location.span().byte_offset().and_then(|at| text.get(at as usize..));
    let rest: Vec<char> = start.map_or(Vec::new(), |rest| {
        rest.chars().take_while(|c| !matches!(c, '\n' | '\r')).take(UNDERLINED_MAX).collect()
    });
    if let Some(&quote) = rest.first().filter(|c| **c == '"' || **c == '\'') {
        return rest.iter().skip(1).position(|&c| c == quote).map_or(rest.len(), |i| i + 2) as u32;
    }
    let wanted = scalar.chars().take(UNDERLINED_MAX).count();
    let starts_like = rest.iter().copied().take(wanted).eq(scalar.chars().take(wanted));
    if starts_like {
        return wanted.max(1) as u32;
    }
    rest.iter().position(|c| matches!(c, ',' | '}' | ']' | '#')).unwrap_or(rest.len()).max(1) as u32
}

enum Tree {
    Null,
    Text(String),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar, a list or a map")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Tree, D::Error> {
                Tree::deserialize(d)
            }
            fn visit_bool<E>(self, v: bool) -> Result<Tree, E> {
                Ok(Tree::Text(v.to_string()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Tree, E> {
                Ok(Tree::Text(v.to_string()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Tree, E> {
                Ok(Tree::Text(v.to_string()))
            }
            fn visit_i128<E>(self, v: i128) -> Result<Tree, E> {
                Ok(Tree::Text(v.to_string()))
            }
            fn visit_u128<E>(self, v: u128) -> Result<Tree, E> {
                Ok(Tree::Text(v.to_string()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Tree, E> {
                Ok(Tree::Text(v.to_string()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Tree, E> {
                Ok(Tree::Text(v.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Tree::Map(pairs))
            }
        }
        deserializer.deserialize_any(TreeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_text() {
        let source = SourceFile::new("t.yaml", "a: 1\nb: {c: 5 MB, d: [x, 'y z']} # note\n");
        let node = parse(&source).unwrap();
        let Value::Map(pairs) = &node.value else { panic!("a map") };
        let Value::Map(inner) = &pairs[1].1.value else { panic!("a map") };
        assert_eq!(inner[0].1.value, Value::Text("5 MB".into()));
        assert_eq!(inner[0].1.origin, Origin { file: 0, line: 2, column: 8, length: 4 });
        let Value::List(items) = &inner[1].1.value else { panic!("a list") };
        assert_eq!(items[1].origin, Origin { file: 0, line: 2, column: 21, length: 5 });
        assert_eq!(inner[1].0.origin, Origin { file: 0, line: 2, column: 14, length: 1 });
    }

    #[test]
    fn bad_syntax_has_a_place() {
        let problems = parse(&SourceFile::new("t.yaml", "a: [1, 2\nb: 3\n")).unwrap_err();
        assert!(problems.list[0].cause.starts_with("not valid YAML"), "{problems}");
        assert!(problems.list[0].origin.line > 0);
    }

    #[test]
    fn bombs_are_refused() {
        let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(parse(&SourceFile::new("deep", &deep)).is_err());
        let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 9].join(",");
            laughs += &format!("a{i}: &a{i} [{refs}]\n");
        }
        assert!(parse(&SourceFile::new("laughs", &laughs)).is_err());
    }
}
