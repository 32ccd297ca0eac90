//! What can be judged, by the names of the rest of plimsoll: `play.first_byte p99`, `edge.hit_ratio`, `errors`.

use std::fmt;

use crate::record::Unit;

/// A series of values, one a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// An action or a tier; `None` for the run as a whole.
    pub subject: Option<String>,
    /// `first_byte`, `errors`, `hit_ratio` and so on; see [`Series::QUANTITIES`].
    pub quantity: &'static str,
    pub kind: Kind,
}

/// How a series is measured, and so how its changes are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A quantile of a distribution of times; changes are ratios.
    Time { p: f64 },
    /// A count out of a count; changes are differences (points).
    Share,
    /// A plain value; changes are ratios for rates and differences for shares of time.
    Value,
}

/// Whether a quantity may, must or must not have a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Action,
    Tier,
    Run,
    ActionOrRun,
}

struct Quantity {
    name: &'static str,
    of: Of,
    unit: Unit,
    time: bool,
    counted: bool,
    higher_is_worse: bool,
}

const fn times(name: &'static str, of: Of) -> Quantity {
    Quantity { name, of, unit: Unit::Seconds, time: true, counted: false, higher_is_worse: true }
}

const fn share(name: &'static str, of: Of, counted: bool, higher_is_worse: bool) -> Quantity {
    Quantity { name, of, unit: Unit::Share, time: false, counted, higher_is_worse }
}

const QUANTITIES: [Quantity; 13] = [
    times("first_byte", Of::Action),
    times("first_data", Of::Action),
    times("complete", Of::Action),
    times("rebuffer", Of::Action),
    times("connect", Of::Run),
    times("lag", Of::Run),
    share("errors", Of::ActionOrRun, true, true),
    share("stalled", Of::Action, true, true),
    share("availability", Of::Run, true, false),
    share("hit_ratio", Of::Tier, true, false),
    share("utilisation", Of::Tier, false, true),
    share("others_busy", Of::Run, false, true),
    Quantity {
        name: "rate",
        of: Of::ActionOrRun,
        unit: Unit::PerSecond,
        time: false,
        counted: false,
        higher_is_worse: false,
    },
];

impl Series {
    /// Every quantity with what it belongs to, for messages.
    pub const QUANTITIES: &str = "ACTION.first_byte p99, ACTION.first_data p99, ACTION.complete p99, \
        ACTION.rebuffer p99, ACTION.stalled, ACTION.errors, ACTION.rate, TIER.hit_ratio, TIER.utilisation, \
        errors, availability, rate, lag p99, connect p99, others_busy";

    /// Reads `play.first_byte p99` or `errors`.
    ///
    /// # Errors
    /// What is wrong with it, and what may be written.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known = || format!("known are {}", Self::QUANTITIES);
        let mut words = text.split_whitespace();
        let (name, quantile) = (words.next().unwrap_or(""), words.next());
        if let Some(extra) = words.next() {
            return Err(format!("`{extra}` is not expected after `{name}`; {}", known()));
        }
        let (subject, name) = match name.rsplit_once('.') {
            Some((subject, name)) => (Some(subject), name),
            None => (None, name),
        };
        let quantity = QUANTITIES
            .iter()
            .find(|q| q.name == name)
            .ok_or_else(|| format!("`{text}` names no series; {}", known()))?;
        let fits = match quantity.of {
            Of::Action | Of::Tier => subject.is_some_and(|s| !s.is_empty()),
            Of::Run => subject.is_none(),
            Of::ActionOrRun => subject != Some(""),
        };
        if !fits {
            let place = if quantity.of == Of::Run { "the whole run" } else { "an action or tier" };
            return Err(format!("`{name}` is a series of {place}; {}", known()));
        }
        let kind = match (quantity.time, quantile) {
            (true, Some(quantile)) => Kind::Time { p: percentile(quantile)? },
            (true, None) => return Err(format!("`{text}` needs a percentile, such as `{text} p99`")),
            (false, Some(quantile)) => {
                return Err(format!("`{name}` has no percentile: leave `{quantile}` out"));
            }
            (false, None) if quantity.counted => Kind::Share,
            (false, None) => Kind::Value,
        };
        Ok(Self { subject: subject.map(str::to_owned), quantity: quantity.name, kind })
    }

    /// Name of the series in a round: without the percentile.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.subject {
            Some(subject) => format!("{subject}.{}", self.quantity),
            None => self.quantity.to_owned(),
        }
    }

    #[must_use]
    pub fn unit(&self) -> Unit {
        self.of().map_or(Unit::Count, |q| q.unit)
    }

    #[must_use]
    pub fn higher_is_worse(&self) -> bool {
        self.of().is_none_or(|q| q.higher_is_worse)
    }

    /// Whether changes are ratios; those of shares are differences.
    #[must_use]
    pub fn by_ratio(&self) -> bool {
        self.unit() != Unit::Share
    }

    fn of(&self) -> Option<&'static Quantity> {
        QUANTITIES.iter().find(|q| q.name == self.quantity)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())?;
        match self.kind {
            // Rounded, so that 0.999 x 100 is no 99.900...01.
            Kind::Time { p } => write!(f, " p{}", (p * 1e8).round() / 1e6),
            Kind::Share | Kind::Value => Ok(()),
        }
    }
}

fn percentile(text: &str) -> Result<f64, String> {
    text.strip_prefix('p')
        .and_then(|digits| digits.parse::<f64>().ok())
        .filter(|percent| (0.0..100.0).contains(percent))
        .map(|percent| percent / 100.0)
        .ok_or_else(|| format!("`{text}` is no percentile; write `p50`, `p99` or `p99.9`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_the_same() {
        for text in [
            "play.first_byte p99",
            "play.events.complete p99.9",
            "errors",
            "play.errors",
            "edge.hit_ratio",
            "lag p50",
            "rate",
        ] {
            assert_eq!(Series::parse(text).unwrap().to_string(), text);
        }
        let series = Series::parse("play.events.first_byte p99").unwrap();
        assert_eq!((series.subject.as_deref(), series.kind), (Some("play.events"), Kind::Time { p: 0.99 }));
    }

    #[test]
    fn what_is_no_series_is_told_what_is() {
        for (text, says) in [
            ("", "names no series"),
            ("play.speed p99", "names no series"),
            ("play.first_byte", "needs a percentile"),
            ("play.first_byte p100", "no percentile"),
            ("play.first_byte p99 twice", "`twice` is not expected"),
            ("first_byte p99", "an action or tier"),
            (".errors", "an action or tier"),
            ("play.lag p99", "the whole run"),
            ("errors p99", "leave `p99` out"),
        ] {
            let error = Series::parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
