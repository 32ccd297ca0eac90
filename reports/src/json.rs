//! JSON as it is stored and printed.
//!
//! Why a module: files in `plimsoll-out/`, `--format json` and the page's embedded records must be the
//! same text. The order is that of the record's fields, so that two runs differ only where their figures
//! do; a value that is no number becomes `null`; the text ends with a newline, as files should.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A record could not be turned into JSON or back.
#[derive(Debug, Error)]
pub enum JsonError {
    #[error("the record could not be written as JSON: {0}; this is a defect of plimsoll, please report it")]
    Write(#[source] serde_json::Error),
    #[error("this is not a record of plimsoll: {0}; expected a file from `--out` or `--format json`")]
    Read(#[source] serde_json::Error),
}

/// Indented JSON with a newline at the end. Infinite values and NaN become `null`.
///
/// # Errors
/// If the record has a map with keys that are no strings; none of [`crate::record`] has.
pub fn to_string<T: Serialize>(record: &T) -> Result<String, JsonError> {
    let mut text = serde_json::to_string_pretty(record).map_err(JsonError::Write)?;
    text.push('\n');
    Ok(text)
}

/// JSON that can stand inside `<script type="application/json">`: no `<`, so that nothing in it ends
/// the element.
///
/// # Errors
/// As [`to_string`].
pub fn to_script<T: Serialize>(record: &T) -> Result<String, JsonError> {
    let text = serde_json::to_string(record).map_err(JsonError::Write)?;
    // Outside strings JSON has none of these, and inside strings the escapes mean the same.
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
}

/// Reads a record back.
///
/// # Errors
/// If the text is no JSON or not of this record.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    serde_json::from_str(text).map_err(JsonError::Read)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn numbers_that_are_none_become_null() {
        let text = to_string(&BTreeMap::from([("b", f64::NAN), ("a", f64::INFINITY), ("c", 1.0)]));
        assert_eq!(text.unwrap(), "{\n  \"a\": null,\n  \"b\": null,\n  \"c\": 1.0\n}\n");
    }

    #[test]
    fn a_script_cannot_be_ended_from_inside() {
        let script = to_script(&"</script><!--&").unwrap();
        assert!(!script.contains('<') && !script.contains('&'));
        assert_eq!(from_str::<String>(&script).unwrap(), "</script><!--&");
    }
}
