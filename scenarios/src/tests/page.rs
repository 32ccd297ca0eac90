//! The language page: its tables are those of the decoder, and every example on it is read.

use std::fmt::Write as _;

use super::schema::complaint;
use super::{keep, shapes};
use crate::decode::{Kind, Need, Shape};
use crate::diagnostic::SourceFile;
use crate::node::{self, Node};
use crate::overlay;
use crate::quantities::{self, Measure};
use crate::scenario::Scenario;
use crate::units::show_count;

const PAGE: &str = include_str!("../../README.md");

/// The page with every generated part as it should be now. A part stands between `<!-- fields: PATH -->` or
/// `<!-- quantities -->` and `<!-- end -->`.
fn generated() -> String {
    let mut page = String::new();
    let mut rest = PAGE;
    while let Some(start) = rest.find("<!-- fields: ").or_else(|| rest.find("<!-- quantities")) {
        let start = rest.find("<!-- quantities").map_or(start, |other| other.min(start));
        let head_end = start + rest[start..].find("-->").expect("a comment ends") + 3;
        let head = &rest[start..head_end];
        let end =
            head_end + rest[head_end..].find("<!-- end -->").unwrap_or_else(|| panic!("{head} has no end"));
        page.push_str(&rest[..head_end]);
        page.push_str("\n\n");
        match head.strip_prefix("<!-- fields: ") {
            Some(path) => page.push_str(&fields(path.trim_end_matches("-->").trim())),
            None => page.push_str(&all_quantities()),
        }
        page.push('\n');
        rest = &rest[end..];
    }
    page + rest
}

/// The table of one or several shapes: `tiers tiers.cache`. Where they are in one another, or of one another's
/// parent, a field is named from there: `cache.capacity`.
fn fields(paths: &str) -> String {
    let mut text = String::from("| field | write | means |\n|---|---|---|\n");
    let paths: Vec<&str> = paths.split_whitespace().collect();
    let outer = paths[0];
    let inside = |parent: &str| paths[1..].iter().all(|path| path.starts_with(&format!("{parent}.")));
    let parent = if inside(outer) { outer } else { outer.rsplit_once('.').map_or("", |(parent, _)| parent) };
    for path in &paths {
        let below = path.strip_prefix(parent).unwrap_or(path).trim_start_matches('.');
        let steps = parent == "path" || paths.len() == 1;
        let prefix = if steps || below.is_empty() { String::new() } else { format!("{below}.") };
        let path = if *path == "top" { "" } else { path };
        let shape = shapes().into_iter().find(|(other, _)| other == path);
        let (_, shape) =
            shape.unwrap_or_else(|| panic!("the page asks for the fields of `{path}`, which has none"));
        rows(&mut text, shape, &prefix);
    }
    text
}

fn rows(text: &mut String, shape: &Shape, prefix: &str) {
    for field in shape.fields {
        let name = format!("`{prefix}{}`", field.name);
        let name = match field.need {
            Need::May => name,
            Need::Must => format!("**{name}**"),
            Need::Either => format!("*{name}*"),
        };
        let means = field.means.replace('|', "\\|");
        writeln!(text, "| {name} | {} | {means} |", written(&field.kind)).unwrap();
    }
}

/// What may stand in a field, in a few words.
fn written(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::TimeOfDay => "a time, `19:00`".into(),
        Kind::Offset => "hours, `+1 h`".into(),
        Kind::Quantity(name, example, _) => format!("{name}, `{example}`"),
        Kind::Whole(low, high) => {
            format!("{} to {}", show_count(f64::from(*low)), show_count(f64::from(*high)))
        }
        Kind::Choice(names) => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        Kind::Auto => "`auto`".into(),
        Kind::Never => "nothing".into(),
        Kind::Flag => "`true`, `false`".into(),
        Kind::Name(of) => format!("name of {}", crate::decode::a(of)),
        Kind::Fields(shape) => format!("`{}`", shape.example),
        Kind::Named(each) => format!("by name, {}", written(each)),
        Kind::List(each) => format!("a list: {}", written(each)),
        Kind::Any(kinds) => kinds.iter().map(written).collect::<Vec<_>>().join(" or "),
        Kind::Path => "a path".into(),
    }
}

fn all_quantities() -> String {
    let measured = |measure: Measure| match measure {
        Measure::Rate => "/s",
        Measure::PerDay => "/day",
        Measure::Bandwidth => "bit/s",
        Measure::Size => "bytes",
        Measure::Count => "count",
        Measure::Share => "share",
        Measure::Duration => "time",
        Measure::Money => "USD a month",
        Measure::Number => "number",
    };
    let mut text = String::from("| of | quantities |\n|---|---|\n");
    for (subject, table) in [
        ("`ACTION.`", quantities::ACTION),
        ("`DATASET.`", quantities::DATASET),
        ("`TIER.`", quantities::TIER),
        ("`total.`", quantities::TOTAL),
    ] {
        let each: Vec<String> =
            table.iter().map(|(name, measure)| format!("`{name}` ({})", measured(*measure))).collect();
        writeln!(text, "| {subject} | {} |", each.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_tables_of_the_page_are_those_of_the_decoder() {
    keep("README.md", &generated());
}

#[test]
fn the_page_has_every_field_of_the_language() {
    let shown: Vec<&str> = PAGE
        .split("<!-- fields: ")
        .skip(1)
        .filter_map(|rest| rest.split("-->").next())
        .flat_map(str::split_whitespace)
        .collect();
    for (path, shape) in shapes() {
        let path = if path.is_empty() { "top" } else { &path };
        // A shape that is used at several places is shown at one of them.
        let same = |other: &str| shapes().iter().any(|(p, s)| p == other && s.example == shape.example);
        assert!(
            shown.contains(&path) || shown.iter().any(|other| same(other)),
            "the page has no table of `{path}`"
        );
    }
}

/// The YAML on the page, with the line of each.
fn blocks() -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = PAGE[at..].find("```yaml\n").map(|i| at + i + "```yaml\n".len()) {
        let end = start + PAGE[start..].find("```").expect("a block ends");
        found.push((PAGE[..start].lines().count() + 1, &PAGE[start..end]));
        at = end + 3;
    }
    found
}

fn tree(yaml: &str) -> Node {
    node::parse(&SourceFile::new("README.md", yaml)).unwrap_or_else(|problems| panic!("{problems}\n{yaml}"))
}

#[test]
fn every_example_of_the_page_is_valid() {
    let blocks = blocks();
    let whole = |yaml: &str| yaml.starts_with("name: ") || yaml.contains("\nname: ");
    let (_, base) = blocks.iter().find(|(_, yaml)| whole(yaml)).expect("the page has a whole scenario");
    assert!(blocks.len() > 12, "{} examples", blocks.len());
    for (line, yaml) in &blocks {
        let mut node = tree(yaml);
        // A whole scenario stands alone; a what-if names its base; all else is laid over the first one.
        let extends = overlay::take_extends(&mut node);
        let root = match &extends {
            Some((name, _)) => {
                let found = crate::bundled().iter().find(|b| b.name == name);
                let mut base = tree(found.unwrap_or_else(|| panic!("line {line}: {name}")).yaml);
                overlay::merge(&mut base, node);
                base
            }
            None if whole(yaml) => node,
            None => {
                let mut base = tree(base);
                overlay::merge(&mut base, node);
                base
            }
        };
        let source = SourceFile::new("README.md", yaml);
        let scenario = Scenario::from_tree(&root, vec![source])
            .unwrap_or_else(|problems| panic!("line {line} of the page: {problems}\n{yaml}"));
        assert!(scenario.scaled_for_load().is_ok());
        let told = if extends.is_some() || whole(yaml) {
            (*yaml).to_owned()
        } else {
            format!("extends: photo-wall\n{yaml}")
        };
        assert_eq!(complaint(&told), None, "line {line} of the page:\n{yaml}");
    }
}
