//! Targets, in one line each: `play.first_byte p99 < 250 ms`, `edge.hit_ratio > 85 %`, `availability > 99.99 %`.

use crate::units::{Duration, Fraction};

/// A target on one measured series.
#[derive(Debug, Clone, PartialEq)]
pub struct Slo {
    /// As written.
    pub text: String,
    pub metric: Metric,
    pub less_than: bool,
    /// In base units.
    pub bound: f64,
    /// Failures under which it must hold too.
    pub under: Vec<Failure>,
}

/// Something that goes wrong, under which a target may have to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// One server of a place is lost, of any one tier.
    ServerDown,
    /// One availability zone of every tier.
    ZoneDown,
    /// The largest region; its users go to the others.
    RegionDown,
    /// One cache starts empty.
    ColdCache,
    /// One new object draws a share of a dataset's requests.
    HotRelease,
}

impl Failure {
    /// Every failure, by the name that files and options use.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("server-down", Self::ServerDown),
        ("zone-down", Self::ZoneDown),
        ("region-down", Self::RegionDown),
        ("cold-cache", Self::ColdCache),
        ("hot-release", Self::HotRelease),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, failure)| *failure == self).map_or("", |(name, _)| name)
    }
}

/// What a target is about. Names are those of the scenario's actions and tiers.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// Quantile `p` of the time to the first byte.
    FirstByte {
        action: String,
        p: f64,
    },
    /// Quantile `p` of the time to the last byte.
    Complete {
        action: String,
        p: f64,
    },
    HitRatio {
        tier: String,
    },
    /// Hits that a cache answers from memory, over its lookups.
    MemoryHitRatio {
        tier: String,
    },
    /// Highest over the day.
    Utilisation {
        tier: String,
    },
    /// What the utilisation leaves, lowest over the day.
    Headroom {
        tier: String,
    },
    /// Share of requests that full queues turn away: of a tier, or of all.
    Loss {
        tier: Option<String>,
    },
    /// Share of reads that miss the latest write.
    Stale {
        tier: String,
    },
    /// Probability that an object is kept for a year.
    Durability {
        dataset: String,
    },
    /// Share of requests that succeed.
    Availability,
}

impl Slo {
    /// Reads a target.
    ///
    /// # Errors
    /// Cause and fix.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        let fail = |cause: String| {
            (cause, "write `ACTION.first_byte p99 < 250 ms`, `TIER.hit_ratio > 85 %`, `TIER.utilisation < 80 %` or `availability > 99.9 %`".to_owned())
        };
        let (left, right, less_than) = text
            .split_once('<')
            .map(|(l, r)| (l, r, true))
            .or_else(|| text.split_once('>').map(|(l, r)| (l, r, false)))
            .ok_or_else(|| fail(format!("`{text}` has no `<` or `>`")))?;
        let right = right.trim_start_matches('=').trim();
        let mut words = left.split_whitespace();
        let subject = words.next().ok_or_else(|| fail(format!("`{text}` names nothing to measure")))?;
        let quantile = words.next();
        if let Some(extra) = words.next() {
            return Err(fail(format!("`{extra}` is not expected in a target")));
        }
        let metric = Self::metric(subject, quantile).map_err(fail)?;
        let bound = match &metric {
            Metric::FirstByte { .. } | Metric::Complete { .. } => Duration::parse(right)?.get(),
            _ => Fraction::parse(right)?.get(),
        };
        Ok(Self { text: text.trim().to_owned(), metric, less_than, bound, under: Vec::new() })
    }

    fn metric(subject: &str, quantile: Option<&str>) -> Result<Metric, String> {
        match subject {
            "availability" => return Ok(Metric::Availability),
            "loss" => return Ok(Metric::Loss { tier: None }),
            _ => {}
        }
        let (name, series) =
            subject.rsplit_once('.').ok_or_else(|| format!("`{subject}` names no series"))?;
        let name = name.to_owned();
        let p = || {
            let text = quantile.ok_or_else(|| format!("`{subject}` needs a percentile, such as `p99`"))?;
            let digits = text
                .strip_prefix('p')
                .and_then(|d| d.parse::<f64>().ok())
                .filter(|d| (0.0..100.0).contains(d));
            digits.map(|d| d / 100.0).ok_or_else(|| format!("`{text}` is no percentile"))
        };
        match series {
            "first_byte" => Ok(Metric::FirstByte { action: name, p: p()? }),
            "complete" => Ok(Metric::Complete { action: name, p: p()? }),
            "hit_ratio" => Ok(Metric::HitRatio { tier: name }),
            "memory_hit_ratio" => Ok(Metric::MemoryHitRatio { tier: name }),
            "utilisation" => Ok(Metric::Utilisation { tier: name }),
            "headroom" => Ok(Metric::Headroom { tier: name }),
            "loss" => Ok(Metric::Loss { tier: Some(name) }),
            "stale" => Ok(Metric::Stale { tier: name }),
            "durability" => Ok(Metric::Durability { dataset: name }),
            "" => Err(format!("`{subject}` names no series")),
            _ => Err(format!("unknown series `{series}`")),
        }
    }

    /// Whether a value meets the target.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        if self.less_than { value < self.bound } else { value > self.bound }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        let slo = Slo::parse("play.first_byte p99 < 250 ms").unwrap();
        assert_eq!(slo.metric, Metric::FirstByte { action: "play".into(), p: 0.99 });
        assert!(slo.holds(0.2) && !slo.holds(0.3));
        let slo = Slo::parse("edge.hit_ratio > 85 %").unwrap();
        assert_eq!(slo.metric, Metric::HitRatio { tier: "edge".into() });
        assert!((slo.bound - 0.85).abs() < 1e-12);
        let slo = Slo::parse("song.durability > 99.999999999 %").unwrap();
        assert_eq!(slo.metric, Metric::Durability { dataset: "song".into() });
        let slo = Slo::parse("edge.memory_hit_ratio > 60 %").unwrap();
        assert_eq!(slo.metric, Metric::MemoryHitRatio { tier: "edge".into() });
        assert_eq!(Slo::parse("loss < 0.1 %").unwrap().metric, Metric::Loss { tier: None });
        assert_eq!(Slo::parse("db.stale < 1 %").unwrap().metric, Metric::Stale { tier: "db".into() });
        assert!(Slo::parse("edge.hit_ratio = 85 %").is_err());
        assert!(Slo::parse("play.first_byte < 250 ms").unwrap_err().0.contains("percentile"));
        assert!(Slo::parse("play.first_byte p99 < 250 GB").unwrap_err().0.contains("unit"));
    }
}
