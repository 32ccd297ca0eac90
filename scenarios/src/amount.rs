//! A single field of a scenario, as its files state it.

use crate::fields;
use crate::library::{LoadError, read_tree};
use crate::node::{Node, Value};
use crate::overlay;
use crate::scenario::SETTING;
use crate::{Problems, SourceFile};

/// The text at a path such as `population.users`, after `extends` and settings; `None` where nothing is
/// written there, or no single value.
///
/// # Errors
/// As [`crate::load_with`], as far as the files can be read.
pub fn value_at(name_or_path: &str, settings: &[String], path: &str) -> Result<Option<String>, LoadError> {
    let mut sources = Vec::new();
    let mut root = read_tree(name_or_path, None, &mut sources)?;
    for setting in settings {
        let source = SourceFile::new(SETTING, setting);
        overlay::set(&mut root, &source, sources.len() as u16)
            .map_err(|problems: Problems| LoadError::Invalid(problems))?;
        sources.push(source);
    }
    Ok(walk(&root, path))
}

fn walk(root: &Node, path: &str) -> Option<String> {
    let mut here = root;
    for segment in path.split('.').map(str::trim) {
        here = fields::child(here, segment)?;
    }
    if let Value::Text(text) = &here.value { Some(text.clone()) } else { None }
}

/// The text of a quantity times a factor: `120 TB` times 2 is `240 TB`, `3 to 6/day` is `6 to 12/day`. `None`
/// where it holds no number.
#[must_use]
pub fn times(text: &str, factor: f64) -> Option<String> {
    let text = text.trim();
    let (head, tail) = match text.split_once(" to ") {
        Some((low, high)) => (Some(low.trim()), high.trim()),
        None => (None, text),
    };
    // `every 4 s` twice as often is `every 2 s`.
    if let Some(interval) = text.strip_prefix("every ") {
        return times(interval, 1.0 / factor).map(|t| format!("every {t}"));
    }
    let one = |part: &str| {
        let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '+' | '-' | 'e' | 'E');
        let mut end = part.find(|c: char| !digits(c)).unwrap_or(part.len());
        // `5 EB`: an `E` that no digit follows belongs to the unit.
        while end > 0 && !part[..end].ends_with(|c: char| c.is_ascii_digit() || c == '.') {
            end -= 1;
        }
        let value: f64 = part[..end].replace('_', "").parse().ok()?;
        Some(format!("{}{}", value * factor, &part[end..]))
    };
    match head {
        Some(low) => Some(format!("{} to {}", one(low)?, one(tail)?)),
        None => one(tail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_multiplied_in_its_own_unit() {
        for (text, factor, wanted) in [
            ("120 TB", 2.0, "240 TB"),
            ("3 to 6/day", 2.0, "6 to 12/day"),
            ("1 B", 0.5, "0.5 B"),
            ("1e9", 2.0, "2000000000"),
            ("every 4 s", 2.0, "every 2 s"),
            ("5 EB", 3.0, "15 EB"),
        ] {
            assert_eq!(times(text, factor).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(times("lru", 2.0), None);
    }

    #[test]
    fn a_field_is_found_by_its_path() {
        let at = |path: &str| value_at("spotify", &[], path).unwrap();
        assert_eq!(at("population.users").as_deref(), Some("1 B"));
        assert_eq!(at("tiers.edge.cache.capacity").as_deref(), Some("120 TB"));
        assert_eq!(at("population.regions.europe.sites").as_deref(), Some("15"));
        assert_eq!(at("population.nobody"), None);
    }
}
