//! Numbers as JSON has them: there is one kind only, and `5.0` is as whole as `5`.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

/// Whole numbers beyond this can't be told apart in the other notation.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A whole number from 0, however it is written.
///
/// # Errors
/// Anything else.
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(deserializer)?;
    let written_otherwise = || {
        let value =
            number.as_f64().filter(|value| value.fract() == 0.0 && (0.0..=EXACT_MAX).contains(value))?;
        Some(value as u64)
    };
    let whole = number.as_u64().or_else(written_otherwise);
    whole.ok_or_else(|| D::Error::custom(format!("{number} is no whole number from 0")))
}

#[cfg(test)]
mod tests {
    #[derive(serde::Deserialize)]
    struct Holds(#[serde(deserialize_with = "super::whole")] u64);

    #[test]
    fn whole_numbers_are_whole_in_every_notation() {
        for (text, expected) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("5e0", Some(5)),
            ("18446744073709551615", Some(u64::MAX)),
            ("5.5", None),
            ("-5", None),
            ("-5.0", None),
            ("1e300", None),
            ("18446744073709551616", None),
            ("\"5\"", None),
            ("null", None),
        ] {
            let read = serde_json::from_str::<Holds>(text).ok().map(|holds| holds.0);
            assert_eq!(read, expected, "{text}");
        }
    }
}
