//! The bundled scenarios, and reading one by bundled name or by path.

use std::path::Path;

use crate::decode::suggestion;
use crate::diagnostic::{Problems, SourceFile};
use crate::node::FILE_BYTES_MAX;
use crate::scenario::Scenario;

/// A scenario that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    pub name: &'static str,
    pub yaml: &'static str,
}

const LIBRARY: &[Bundled] = &[Bundled { name: "spotify", yaml: include_str!("../library/spotify.yaml") }];

/// All bundled scenarios, in order of name.
#[must_use]
pub const fn bundled() -> &'static [Bundled] {
    LIBRARY
}

/// Why a scenario could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("no bundled scenario is named `{name}`, and no file is there{}", hint(*.nearest))]
    Unknown { name: String, nearest: Option<&'static str> },
    #[error("cannot read {path}: {cause}")]
    Unreadable { path: String, cause: std::io::Error },
    #[error("{0}")]
    Invalid(#[from] Problems),
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || "\nhint: `plimsoll scenarios list` shows the bundled ones; a file is given by its path".to_owned(),
        |name| format!("\nhint: did you mean `{name}`?"),
    )
}

/// The bundled name most like a text.
#[must_use]
pub fn nearest(text: &str) -> Option<&'static str> {
    let names: Vec<&'static str> = LIBRARY.iter().map(|b| b.name).collect();
    suggestion(text, &names)
}

/// The scenario of this bundled name, or in the file at this path.
///
/// # Errors
/// Unknown name, unreadable file, or every problem of the file.
pub fn load(name_or_path: &str) -> Result<Scenario, LoadError> {
    if let Some(found) = LIBRARY.iter().find(|b| b.name == name_or_path) {
        let source = SourceFile::new(&format!("{}.yaml", found.name), found.yaml);
        return Ok(Scenario::from_yaml(&source)?);
    }
    let path = Path::new(name_or_path);
    if !path.exists() {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or(name_or_path);
        return Err(LoadError::Unknown { name: name_or_path.to_owned(), nearest: nearest(stem) });
    }
    let unreadable = |cause| LoadError::Unreadable { path: name_or_path.to_owned(), cause };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > FILE_BYTES_MAX as u64 {
        let cause = std::io::Error::other(format!("{length} bytes are no scenario"));
        return Err(unreadable(cause));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    Ok(Scenario::from_yaml(&SourceFile::new(name_or_path, &text))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_scenario_is_valid_and_named_as_its_file() {
        for bundled in bundled() {
            let scenario = load(bundled.name).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(scenario.name, bundled.name);
        }
    }

    #[test]
    fn the_example_of_the_language_page_is_valid() {
        let page = include_str!("../README.md");
        let blocks: Vec<&str> =
            page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty());
        for yaml in blocks {
            let scenario =
                Scenario::from_yaml(&SourceFile::new("README.md", yaml)).unwrap_or_else(|e| panic!("{e}"));
            assert!(scenario.scaled_for_load().is_ok());
        }
    }

    #[test]
    fn an_unknown_name_suggests_the_nearest() {
        assert_eq!(
            load("spotfy").unwrap_err().to_string().lines().last(),
            Some("hint: did you mean `spotify`?")
        );
    }
}
