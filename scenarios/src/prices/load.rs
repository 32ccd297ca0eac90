//! The bundled price lists, and reading one by bundled name or by path, with what it extends.

use std::path::{Path, PathBuf};

use super::PriceList;
use super::decode::{from_tree, lay};
use crate::decode::suggestion;
use crate::diagnostic::{Problem, Problems, SourceFile};
use crate::library::read_text;
use crate::node::{self, Node};
use crate::overlay::{self, EXTENDS_MAX};

/// A price list that comes with the program.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    pub name: &'static str,
    pub yaml: &'static str,
}

const LISTS: &[Bundled] = &[Bundled { name: "aws", yaml: include_str!("../../prices/aws.yaml") }];

/// All bundled price lists, in order of name; the first is [`PriceList::bundled`].
#[must_use]
pub const fn bundled_lists() -> &'static [Bundled] {
    LISTS
}

/// Why a price list could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("no bundled price list is named `{name}`, and no file is there\nhint: {}", hint(*.nearest))]
    Unknown { name: String, nearest: Option<&'static str> },
    #[error("cannot read {path}: {cause}\nhint: {}", remedy(.cause))]
    Unreadable { path: String, cause: std::io::Error },
    #[error("{0}")]
    Invalid(#[from] Problems),
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || format!("bundled: {}; a file is given by its path", names().join(", ")),
        |name| format!("did you mean `{name}`?"),
    )
}

/// What to do about a file that can't be read.
fn remedy(cause: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match cause.kind() {
        ErrorKind::IsADirectory => "name a file in it".to_owned(),
        ErrorKind::InvalidData => "save it as text in UTF-8".to_owned(),
        ErrorKind::PermissionDenied => "check who may read it".to_owned(),
        ErrorKind::FileTooLarge => "is this the right file?".to_owned(),
        _ => hint(None),
    }
}

fn names() -> Vec<&'static str> {
    LISTS.iter().map(|list| list.name).collect()
}

fn nearest_list(text: &str) -> Option<&'static str> {
    suggestion(text, &names())
}

impl PriceList {
    /// Public list prices of one large cloud provider; its `as_of`, `source` and `region` say which.
    #[must_use]
    pub fn bundled() -> Self {
        Self::load(LISTS[0].name).expect("the bundled price lists are valid, as a test checks")
    }

    /// The price list of this bundled name, or in the file at this path.
    ///
    /// # Errors
    /// Unknown name, unreadable file, or every problem of the file.
    pub fn load(name_or_path: &str) -> Result<Self, LoadError> {
        let mut sources = Vec::new();
        let root = read_tree(name_or_path, None, &mut sources)?;
        Ok(from_tree(&root, sources)?)
    }

    /// Reads and checks a price list that extends no other.
    ///
    /// # Errors
    /// Every problem of the file, in order of place.
    pub fn from_yaml(source: &SourceFile) -> Result<Self, Problems> {
        from_tree(&node::parse(source)?, vec![source.clone()])
    }
}

/// Reads a file with all that it extends: bases first, each laid over by what extends it.
fn read_tree(name: &str, from: Option<&Path>, sources: &mut Vec<SourceFile>) -> Result<Node, LoadError> {
    let (source, directory) = read_source(name, from)?;
    let file = sources.len() as u16;
    // A complaint of the parser stands in the file it is about, and that is the only one it knows.
    let mut node = node::parse(&source)?;
    overlay::in_file(&mut node, file);
    sources.push(source);
    let Some((base, origin)) = overlay::take_extends(&mut node) else { return Ok(node) };
    let problem = |sources: &[SourceFile], cause: String, fix: String| Problems {
        sources: sources.to_vec(),
        list: vec![Problem { origin, cause, fix }],
    };
    if base.trim().is_empty() {
        let cause = "`extends` names no price list".to_owned();
        return Err(problem(sources, cause, format!("write `extends: {}`", LISTS[0].name)).into());
    }
    if sources.len() >= EXTENDS_MAX {
        let cause = format!("more than {EXTENDS_MAX} files extend each other");
        return Err(problem(sources, cause, "is there a circle?".to_owned()).into());
    }
    let mut root = match read_tree(&base, directory.as_deref(), sources) {
        Err(LoadError::Unknown { name, nearest }) => {
            let cause = format!("`extends`: there is no price list `{name}`");
            return Err(problem(sources, cause, hint(nearest)).into());
        }
        other => other?,
    };
    lay(&mut root, node);
    Ok(root)
}

/// The text of a bundled name or of a file, and the directory that its own `extends` is relative to.
fn read_source(name: &str, from: Option<&Path>) -> Result<(SourceFile, Option<PathBuf>), LoadError> {
    if let Some(found) = LISTS.iter().find(|list| list.name == name) {
        return Ok((SourceFile::new(&format!("{}.yaml", found.name), found.yaml), None));
    }
    let path = from.map_or_else(|| PathBuf::from(name), |directory| directory.join(name));
    if !path.exists() {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or(name);
        return Err(LoadError::Unknown { name: name.to_owned(), nearest: nearest_list(stem) });
    }
    let shown = path.display().to_string();
    let text = read_text(&path).map_err(|cause| LoadError::Unreadable { path: shown.clone(), cause })?;
    Ok((SourceFile::new(&shown, &text), path.parent().map(Path::to_path_buf)))
}
