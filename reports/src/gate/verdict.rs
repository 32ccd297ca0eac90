//! The record of a gate run.

use serde::{Deserialize, Serialize};

use crate::record::{Interval, Provenance, Unit};

/// What a gate says to one question, or to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Passed,
    /// The rounds leave no doubt that it is bad.
    Breached,
    /// The rounds allow both.
    Inconclusive,
}

impl Answer {
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Breached => "breached",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The answer to all questions: one breach is a breach, and without one a doubt is a doubt.
    #[must_use]
    pub fn all(answers: impl IntoIterator<Item = Self>) -> Self {
        answers.into_iter().fold(Self::Passed, |all, one| match (all, one) {
            (Self::Breached, _) | (_, Self::Breached) => Self::Breached,
            (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
            _ => Self::Passed,
        })
    }
}

/// Everything that a gate run has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    pub provenance: Provenance,
    /// What was measured: urls.
    pub target: String,
    pub answer: Answer,
    /// Rounds that count.
    pub rounds: u64,
    /// Seconds of one round.
    pub round_s: f64,
    pub checks: Vec<Verdict>,
    /// What a reader should know: rounds that were repeated, series that could not be judged.
    pub notes: Vec<String>,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// `play.first_byte p99`
    pub series: String,
    pub unit: Unit,
    pub check: Check,
    pub answer: Answer,
    /// Why, in words, and for an inconclusive one what would settle it.
    pub why: String,
    /// Rounds in all that would probably settle an inconclusive answer.
    pub rounds_needed: Option<u64>,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The series keeps a bound. The interval is 95 % to each side.
    Threshold { text: String, bound: f64, measured: Option<Interval> },
    /// The series is no worse than it was.
    Baseline(Option<Change>),
    /// The measured value is what was predicted.
    Prediction {
        predicted: f64,
        measured: f64,
        /// Error as [`crate::record::ComparisonRow::error`], 95 % to each side.
        error: Interval,
        tolerance: f64,
    },
}

/// How a series differs from the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub before: f64,
    pub now: f64,
    /// Ratio less 1 for times and rates, difference for shares; 95 % to each side.
    pub change: Interval,
    /// The stricter end, next to 0, that must lie beyond 0 for a breach.
    pub sure: f64,
    /// Smallest change that matters, same unit, positive.
    pub min_effect: f64,
    /// Rounds were compared one by one, by their place in the run.
    pub paired: bool,
}

impl Verdict {
    /// The question in a few words: `play.first_byte p99 < 250 ms`, `edge.hit_ratio against the baseline`.
    #[must_use]
    pub fn question(&self) -> String {
        match &self.check {
            Check::Threshold { text, .. } => text.clone(),
            Check::Baseline(_) => format!("{} against the baseline", self.series),
            Check::Prediction { .. } => format!("{} against the prediction", self.series),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Answer::{Breached, Inconclusive, Passed};
    use super::*;

    #[test]
    fn one_breach_breaches_all_and_one_doubt_leaves_a_doubt() {
        assert_eq!(Answer::all([]), Passed);
        assert_eq!(Answer::all([Passed, Inconclusive]), Inconclusive);
        assert_eq!(Answer::all([Inconclusive, Breached, Passed]), Breached);
    }
}
