//! What the YAML parser complains of, in the words of plimsoll.
//!
//! Why not its own words: they speak to programmers, of its options and types, and say the place twice.

use serde_yaml::budget::BudgetBreach;
use serde_yaml::granit_parser::ErrorKind;
use serde_yaml::{Error, ExternalMessageSource};

use crate::diagnostic::{Origin, Problem};
use crate::node::DEPTH_MAX;

/// A complaint as a problem of the file.
pub fn problem(error: &Error) -> Problem {
    let origin = error.location().map_or(Origin::default(), |l| Origin {
        file: 0,
        line: l.line() as u32,
        column: l.column() as u32,
        length: 1,
    });
    let (cause, fix) = told(error.without_snippet());
    Problem { origin, cause, fix }
}

/// Too many levels of lists and maps in each other.
pub fn nested(origin: Origin) -> Problem {
    let (cause, fix) = too_deep();
    Problem { origin, cause, fix }
}

fn too_deep() -> (String, String) {
    (format!("nested deeper than {DEPTH_MAX} levels"), "flatten it".into())
}

fn told(error: &Error) -> (String, String) {
    let invalid = |what: &str, fix: &str| (format!("not valid YAML: {what}"), fix.to_owned());
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => told(error),
        Error::DuplicateMappingKey { key, .. } => {
            let field = key.as_ref().map_or("a field".to_owned(), |key| format!("field `{key}`"));
            (format!("{field} is here twice"), "keep one of them".into())
        }
        Error::MultipleDocuments { .. } => (
            "the file has more than one document".into(),
            "put each scenario into a file of its own, without `---`".into(),
        ),
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => (
            "too many values, or aliases (`*name`) that stand for too many".into(),
            "a scenario is a page or two; write it without aliases".into(),
        ),
        Error::UnknownAnchor { .. } => invalid(
            "`*` starts an alias, and nothing is named so",
            "put the text in quotes, or name a value with `&` first",
        ),
        Error::Eof { .. } => invalid("the text ends too early", "is something left out at the end?"),
        Error::ExternalMessage { source, msg, .. } => match source.as_ref() {
            ExternalMessageSource::Parser(error) => match scanned(error.kind()) {
                Some((cause, fix)) => invalid(cause, fix),
                None if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) => too_deep(),
                None => invalid(first_line(msg), MEND),
            },
            _ => invalid(first_line(msg), MEND),
        },
        Error::NonFiniteFloat { value, .. } => {
            (format!("`{value}` is not a number"), "write a number, such as `1e9`".into())
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            invalid("`<<` takes in something that is no map", "give it an alias of a map, or drop it")
        }
        _ => invalid("this can't be read as text, a number, a list or a map", MEND),
    }
}

const MEND: &str = "mend the syntax here or just before";

/// The complaints that mistakes in scenarios raise most often.
fn scanned(kind: &ErrorKind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::UnexpectedEofFlowMapping => {
            ("a map in `{}` lacks a `,` or its `}`", MEND)
        }
        ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::UnexpectedEofFlowSequence => {
            ("a list in `[]` lacks a `,` or its `]`", MEND)
        }
        ErrorKind::UnclosedFlowCollection { open: '[' } => ("a `[` has no `]`", "add the `]`"),
        ErrorKind::UnclosedFlowCollection { .. } => ("a `{` has no `}`", "add the `}`"),
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            ("a quote is not closed", "add the closing quote")
        }
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabInPlainScalar => ("a tab stands where blanks are expected", "indent with blanks"),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("a name has no `:` behind it", "write `name: value`")
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
            ("this line does not line up with those above", "indent the fields of one map alike")
        }
        ErrorKind::MappingValueNotAllowed => (
            "a `:` is not expected here",
            "put a text that has `: ` in it in quotes, or mend the indentation",
        ),
        ErrorKind::InvalidColonPlacement => {
            ("a `:` is not expected here", "is a bracket or a quote above not closed?")
        }
        _ => return None,
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::SourceFile;
    use crate::node::parse;

    fn said(text: &str) -> String {
        parse(&SourceFile::new("t.yaml", text)).unwrap_err().to_string()
    }

    #[test]
    fn complaints_are_told_in_our_words_and_with_the_place_once() {
        let mut bad = Vec::new();
        for (text, cause, place) in [
            ("a: 1\na: 2\n", "field `a` is here twice", "t.yaml:2:1"),
            ("a: 1\n---\na: 2\n", "more than one document", "t.yaml:3:1"),
            ("a: {b: 1\n", "a `{` has no `}`", "t.yaml:1:4"),
            ("a: [1, 2\nb: 3\n", "not valid YAML: a ", "t.yaml:2:"),
            ("a: \"b\n", "a quote is not closed", "t.yaml:"),
            ("a:\n\tb: 1\n", "a tab", "t.yaml:2:"),
            ("a: *b\n", "`*` starts an alias", "t.yaml:1:4"),
            ("a: b: c\n", "a `:` is not expected", "t.yaml:1:"),
            ("a: 1\nb\nc: 2\n", "a name has no `:`", "t.yaml:"),
            ("a: 1\n b: 2\n", "not valid YAML: ", "t.yaml:2:"),
            ("? [a]\n: b\n", "not valid YAML: ", "t.yaml:1:"),
            ("a: 1e999\n", "`1e999` is not a number", "t.yaml:1:4"),
            ("a: !!binary x\n", "not valid YAML: ", "t.yaml:1:"),
            ("<<: 3\n", "not valid YAML: `<<`", "t.yaml:1:"),
        ] {
            let said = said(text);
            if !said.contains(cause) || !said.contains(place) || said.contains(" at line ") {
                bad.push(format!("{text}{said}"));
            }
        }
        assert!(bad.is_empty(), "{}", bad.join("\n\n"));
    }

    #[test]
    fn what_is_too_deep_or_too_much_is_told_so() {
        for depth in [30, 100, 5000] {
            let deep = format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
            assert!(said(&deep).contains("nested deeper than 24 levels"), "{}", said(&deep));
        }
        let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 9].join(",");
            laughs += &format!("a{i}: &a{i} [{refs}]\n");
        }
        assert!(said(&laughs).contains("too many values"), "{}", said(&laughs));
    }
}
