//! Thresholds: `play.first_byte p99 < 250 ms`, `errors < 0.1 %`, `edge.hit_ratio > 85 %`.

use std::fmt;

use plimsoll_scenarios::units::{Duration, Fraction, Rate};

use super::series::Series;
use crate::record::Unit;

/// A bound on a series, which all rounds together must keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As written.
    pub text: String,
    pub series: Series,
    pub less_than: bool,
    /// In base units.
    pub bound: f64,
}

impl Threshold {
    /// Reads a threshold.
    ///
    /// # Errors
    /// What is wrong with it, and what may be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (left, right, less_than) = text
            .split_once('<')
            .map(|(l, r)| (l, r, true))
            .or_else(|| text.split_once('>').map(|(l, r)| (l, r, false)))
            .ok_or_else(|| {
                format!("`{text}` has no `<` or `>`; write something like `play.first_byte p99 < 250 ms`")
            })?;
        let series = Series::parse(left.trim())?;
        let right = right.trim_start_matches('=').trim();
        let bound = match series.unit() {
            Unit::Seconds => Duration::parse(right).map(|q| q.get()),
            Unit::PerSecond => Rate::parse(right).map(|q| q.get()),
            _ => Fraction::parse(right).map(|q| q.get()),
        }
        .map_err(|(cause, fix)| format!("{cause}; {fix}"))?;
        Ok(Self { text: text.trim().to_owned(), series, less_than, bound })
    }

    /// Whether a value keeps the bound.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        if self.less_than { value < self.bound } else { value > self.bound }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_in_base_units() {
        for (text, less_than, bound) in [
            ("play.first_byte p99 < 250 ms", true, 0.25),
            ("errors < 0.1 %", true, 0.001),
            (" edge.hit_ratio >= 85 % ", false, 0.85),
            ("play.rate > 700/s", false, 700.0),
        ] {
            let threshold = Threshold::parse(text).unwrap();
            assert_eq!(threshold.less_than, less_than, "{text}");
            assert!((threshold.bound - bound).abs() < 1e-12, "{text}: {}", threshold.bound);
            assert_eq!(threshold.text, text.trim());
        }
        let p99 = Threshold::parse("play.first_byte p99 < 250 ms").unwrap();
        assert!(p99.holds(0.2) && !p99.holds(0.25));
    }

    #[test]
    fn what_is_no_threshold_says_why() {
        for (text, says) in [
            ("errors", "no `<` or `>`"),
            ("errors < 3 ms", "unit"),
            ("play.first_byte p99 < 250", "unit"),
            ("nonsense < 1 %", "names no series"),
        ] {
            let error = Threshold::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
