//! When requests are sent, apart from which: the scenario's own times, other open models, or a closed one.
//!
//! Why apart: what is asked for (actions, objects, sites) must stay the scenario's, or a run at another rate
//! would measure another cache. An open model here only puts other times under the scenario's requests, in
//! their order. Its rate counts what goes out, each branch of an action by itself.
//!
//! Rates that change over time are Poisson processes, thinned to the shape (Lewis and Shedler, "Simulation of
//! Nonhomogeneous Poisson Processes by Thinning", Naval Research Logistics Quarterly 26, 1979).

use std::fmt;
use std::sync::Arc;

use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::units::{Duration, Rate};

use crate::recorded::Recorded;

/// The model of arrivals.
#[derive(Debug, Clone, Default)]
pub enum Arrivals {
    /// The scenario's own: Poisson, at the scaled-down rates.
    #[default]
    Scenario,
    /// The same gap between all requests.
    Constant { rate_per_s: f64 },
    /// Independent requests.
    Poisson { rate_per_s: f64 },
    /// A Poisson process from one rate to another over the seconds that count; the warm-up has the first.
    Ramp { from_per_s: f64, to_per_s: f64 },
    /// A Poisson process whose rate jumps once, so many seconds into those that count, or half way.
    Step { from_per_s: f64, to_per_s: f64, at_s: Option<f64> },
    /// A Poisson process with the shape of a whole day, compressed into the seconds that count.
    Day { day: Day, mean_per_s: f64 },
    /// The scenario's sessions, so many of which begin each second; actions that are in none at their own rates.
    Sessions { rate_per_s: f64 },
    /// Recorded times, actions and objects.
    Recorded(Arc<Recorded>),
    /// Users who each wait for their answer and then think, exponentially long, before they ask again; without a time
    /// to think, and where the scenario has sessions, they walk these. It slows down with the system, and so hides its
    /// worst moments: for systems whose users do the same.
    Closed { users: usize, think_s: f64 },
}

/// Rates of a day relative to their mean, at even distances.
#[derive(Debug, Clone, PartialEq)]
pub struct Day(Arc<[f64]>);

/// Points of a day: every 5 minutes.
const DAY_POINTS: usize = 288;
const RATE_MAX: f64 = 1e6;
const THINK_S_MAX: f64 = 3_600.0;
const EXPECTED: &str = "write `scenario`, `constant 500/s`, `poisson 500/s`, `ramp 100/s to 900/s`, `step 100/s to 900/s at 10 s`, `day 500/s`, `sessions 5/s`, `recorded trace.csv` or `closed 50 users think 200 ms`";

/// What an option says; some models need more than its text.
#[derive(Debug, Clone)]
pub enum Wanted {
    Ready(Arrivals),
    /// The day of the scenario, which is not in its scaled-down form.
    Day {
        mean_per_s: f64,
    },
    /// A file.
    Recorded {
        path: String,
    },
}

impl Arrivals {
    /// Reads an option such as `ramp 100/s to 900/s`.
    ///
    /// # Errors
    /// What is wrong with it, and what may be written.
    pub fn parse(text: &str) -> Result<Wanted, String> {
        let bad = |cause: String| format!("{cause}; {EXPECTED}");
        let (name, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        let arrivals = match name {
            "scenario" if rest.is_empty() => Self::Scenario,
            "constant" => Self::Constant { rate_per_s: rate(rest).map_err(bad)? },
            "poisson" => Self::Poisson { rate_per_s: rate(rest).map_err(bad)? },
            "ramp" => {
                let (from_per_s, to_per_s) = two_rates(rest).map_err(bad)?;
                Self::Ramp { from_per_s, to_per_s }
            }
            "step" => {
                let (rates, at) = rest.split_once(" at ").map_or((rest, None), |(r, at)| (r, Some(at)));
                let (from_per_s, to_per_s) = two_rates(rates).map_err(bad)?;
                let at_s = at.map(seconds).transpose().map_err(bad)?;
                Self::Step { from_per_s, to_per_s, at_s }
            }
            "day" => return Ok(Wanted::Day { mean_per_s: rate(rest).map_err(bad)? }),
            "sessions" => Self::Sessions { rate_per_s: rate(rest).map_err(bad)? },
            "recorded" if !rest.is_empty() => return Ok(Wanted::Recorded { path: rest.to_owned() }),
            "closed" => closed(rest).map_err(bad)?,
            _ => return Err(bad(format!("`{text}` is no model of arrivals"))),
        };
        Ok(Wanted::Ready(arrivals))
    }

    /// Whether requests wait for answers.
    pub const fn closed(&self) -> Option<(usize, f64)> {
        match self {
            Self::Closed { users, think_s } => Some((*users, *think_s)),
            _ => None,
        }
    }

    /// Requests a second at the busiest moment, where the model says so itself.
    pub(crate) fn rate_max(&self) -> Option<f64> {
        match self {
            Self::Constant { rate_per_s } | Self::Poisson { rate_per_s } => Some(*rate_per_s),
            Self::Ramp { from_per_s, to_per_s } | Self::Step { from_per_s, to_per_s, .. } => {
                Some(from_per_s.max(*to_per_s))
            }
            Self::Day { day, mean_per_s } => Some(mean_per_s * day.peak()),
            Self::Scenario | Self::Sessions { .. } | Self::Recorded(_) | Self::Closed { .. } => None,
        }
    }

    /// Times of an open model that is not the scenario's or a recording, from the start of the warm-up on.
    pub fn times(&self, seed: u64, warmup_s: f64, duration_s: f64) -> Option<Times> {
        let shape = match self {
            Self::Constant { rate_per_s } => Shape::Even { gap_s: 1.0 / rate_per_s },
            Self::Poisson { rate_per_s } => Shape::Ramp { from: *rate_per_s, to: *rate_per_s },
            Self::Ramp { from_per_s, to_per_s } => Shape::Ramp { from: *from_per_s, to: *to_per_s },
            Self::Step { from_per_s, to_per_s, at_s } => {
                Shape::Step { from: *from_per_s, to: *to_per_s, at_s: at_s.unwrap_or(0.5 * duration_s) }
            }
            Self::Day { day, mean_per_s } => Shape::Day { day: day.clone(), mean: *mean_per_s },
            Self::Scenario | Self::Sessions { .. } | Self::Recorded(_) | Self::Closed { .. } => return None,
        };
        let stream = Stream::new(seed, "load", "arrivals", 0);
        Some(Times { shape, stream, warmup_s, duration_s, at_s: 0.0, sent: 0 })
    }
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scenario => f.write_str("scenario"),
            Self::Constant { rate_per_s } => write!(f, "constant {rate_per_s}/s"),
            Self::Poisson { rate_per_s } => write!(f, "poisson {rate_per_s}/s"),
            Self::Ramp { from_per_s, to_per_s } => write!(f, "ramp {from_per_s}/s to {to_per_s}/s"),
            Self::Step { from_per_s, to_per_s, at_s } => {
                write!(f, "step {from_per_s}/s to {to_per_s}/s")?;
                at_s.map_or(Ok(()), |at_s| write!(f, " at {at_s} s"))
            }
            Self::Day { mean_per_s, .. } => write!(f, "day {mean_per_s}/s"),
            Self::Sessions { rate_per_s } => write!(f, "sessions {rate_per_s}/s"),
            Self::Recorded(recorded) => write!(f, "recorded {}", recorded.name),
            Self::Closed { users, think_s } => write!(f, "closed {users} users think {think_s} s"),
        }
    }
}

impl Day {
    /// The whole population's day of a scenario that is not scaled down, in UTC from 00:00.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let at = |utc_s: f64| -> f64 {
            let regions = &scenario.population.regions;
            regions.iter().map(|r| r.share * r.diurnal.at(utc_s + r.utc_offset_s)).sum()
        };
        let points: Vec<f64> = (0..DAY_POINTS).map(|i| at(i as f64 * DAY_S / DAY_POINTS as f64)).collect();
        let mean = points.iter().sum::<f64>() / DAY_POINTS as f64;
        Self(points.iter().map(|point| if mean > 0.0 { point / mean } else { 1.0 }).collect())
    }

    /// At a part of the day, 0 to 1, linear between points.
    fn at(&self, part: f64) -> f64 {
        let position = part.clamp(0.0, 1.0) * self.0.len() as f64;
        let (index, rest) = (position as usize, position.fract());
        let value = |i: usize| self.0[i % self.0.len()];
        value(index) * (1.0 - rest) + value(index + 1) * rest
    }

    fn peak(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = Rate::parse(text).map_err(|(cause, _)| cause)?.get();
    if rate > 0.0 && rate <= RATE_MAX {
        return Ok(rate);
    }
    Err(format!("`{text}` is out of range, more than 0 and at most {RATE_MAX}/s"))
}

fn two_rates(text: &str) -> Result<(f64, f64), String> {
    let (from, to) = text.split_once(" to ").ok_or_else(|| format!("`{text}` is not two rates"))?;
    Ok((rate(from)?, rate(to)?))
}

fn seconds(text: &str) -> Result<f64, String> {
    Duration::parse(text).map(|d| d.get()).map_err(|(cause, _)| cause)
}

fn closed(text: &str) -> Result<Arrivals, String> {
    let (users, think) = text.split_once("think").map_or((text, None), |(users, think)| (users, Some(think)));
    let users = users.trim().trim_end_matches("users").trim();
    let users = users.parse().map_err(|_| format!("`{users}` is no number of users"))?;
    let think_s = think.map_or(Ok(0.0), |think| seconds(think.trim()))?;
    if think_s > THINK_S_MAX {
        return Err(format!("nobody thinks for {think_s} s: at most {THINK_S_MAX} s"));
    }
    Ok(Arrivals::Closed { users, think_s })
}

#[derive(Debug, Clone)]
enum Shape {
    Even { gap_s: f64 },
    Ramp { from: f64, to: f64 },
    Step { from: f64, to: f64, at_s: f64 },
    Day { day: Day, mean: f64 },
}

/// Times in seconds since the start of the warm-up, rising.
#[derive(Debug, Clone)]
pub struct Times {
    shape: Shape,
    stream: Stream,
    warmup_s: f64,
    duration_s: f64,
    at_s: f64,
    sent: u64,
}

impl Times {
    fn rate(&self, at_s: f64) -> f64 {
        let counted_s = (at_s - self.warmup_s).max(0.0);
        match &self.shape {
            Shape::Even { gap_s } => 1.0 / gap_s,
            Shape::Ramp { from, to } => from + (to - from) * (counted_s / self.duration_s).min(1.0),
            Shape::Step { from, to, at_s } => {
                if counted_s < *at_s {
                    *from
                } else {
                    *to
                }
            }
            Shape::Day { day, mean } => mean * day.at(counted_s / self.duration_s),
        }
    }

    fn rate_max(&self) -> f64 {
        match &self.shape {
            Shape::Even { gap_s } => 1.0 / gap_s,
            Shape::Ramp { from, to } | Shape::Step { from, to, .. } => from.max(*to),
            Shape::Day { day, mean } => mean * day.peak(),
        }
    }
}

impl Iterator for Times {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if let Shape::Even { gap_s } = self.shape {
            // A product and not a sum, so that no error adds up.
            self.at_s = self.sent as f64 * gap_s;
            self.sent += 1;
        } else {
            let (rate_max, end_s) = (self.rate_max(), self.warmup_s + self.duration_s);
            // Not beyond the end, behind which the rate may be nothing for ever.
            while self.at_s < end_s {
                self.at_s += self.stream.exponential() / rate_max;
                if self.stream.uniform() * rate_max <= self.rate(self.at_s) {
                    break;
                }
            }
        }
        (self.at_s < self.warmup_s + self.duration_s).then_some(self.at_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(text: &str) -> Arrivals {
        match Arrivals::parse(text) {
            Ok(Wanted::Ready(arrivals)) => arrivals,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn times(text: &str, warmup_s: f64, duration_s: f64) -> Vec<f64> {
        ready(text).times(1, warmup_s, duration_s).unwrap().collect()
    }

    fn between(times: &[f64], from_s: f64, to_s: f64) -> f64 {
        times.iter().filter(|t| (from_s..to_s).contains(*t)).count() as f64
    }

    #[test]
    fn what_falls_to_nothing_ends() {
        for text in ["ramp 900/s to 0.001/day", "step 50/s to 0.001/day at 2 s"] {
            let times = times(text, 0.0, 4.0);
            assert!(times.len() > 50 && times.iter().all(|&t| t < 4.0), "{text}: {}", times.len());
        }
    }

    #[test]
    fn a_constant_rate_has_the_same_gap_everywhere_and_does_not_drift() {
        let times = times("constant 300/s", 1.0, 99.0);
        assert_eq!(times.len(), 30_000);
        assert!((times[29_999] - 29_999.0 / 300.0).abs() < 1e-9);
    }

    #[test]
    fn poisson_gaps_have_a_coefficient_of_variation_of_one() {
        let times = times("poisson 1000/s", 0.0, 60.0);
        let gaps: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let cv = (gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt() / mean;
        assert!((0.98..1.02).contains(&cv), "{cv}");
        assert!((times.len() as f64 / 60_000.0 - 1.0).abs() < 0.02, "{}", times.len());
    }

    #[test]
    fn ramps_and_steps_change_in_the_seconds_that_count() {
        let ramp = times("ramp 100/s to 900/s", 10.0, 40.0);
        for (from_s, to_s, expected) in [(0.0, 10.0, 1_000.0), (10.0, 20.0, 2_000.0), (40.0, 50.0, 8_000.0)] {
            let seen = between(&ramp, from_s, to_s);
            assert!((seen / expected - 1.0).abs() < 0.1, "{from_s}: {seen}");
        }
        let step = times("step 100/s to 900/s at 30 s", 10.0, 40.0);
        assert!((between(&step, 30.0, 40.0) / 1_000.0 - 1.0).abs() < 0.1);
        assert!((between(&step, 40.0, 50.0) / 9_000.0 - 1.0).abs() < 0.1);
        let half = times("step 100/s to 900/s", 0.0, 40.0);
        assert!((between(&half, 20.0, 40.0) / 18_000.0 - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_compressed_day_has_the_scenario_s_peak_and_mean() {
        let scenario = plimsoll_scenarios::load("spotify").unwrap();
        let day = Day::of(&scenario);
        assert!((day.0.iter().sum::<f64>() / DAY_POINTS as f64 - 1.0).abs() < 1e-9);
        let arrivals = Arrivals::Day { day: day.clone(), mean_per_s: 1_000.0 };
        let times: Vec<f64> = arrivals.times(1, 0.0, 24.0).unwrap().collect();
        assert!((times.len() as f64 / 24_000.0 - 1.0).abs() < 0.03, "{}", times.len());
        for hour in [3.0, 12.0, 19.0] {
            let expected = 1_000.0 * day.at((hour + 0.5) / 24.0);
            let seen = between(&times, hour, hour + 1.0);
            assert!((seen / expected - 1.0).abs() < 0.15, "{hour}: {seen} {expected}");
        }
    }

    #[test]
    fn models_are_read_as_they_are_written_and_bad_ones_say_why() {
        for text in [
            "scenario",
            "constant 500/s",
            "ramp 100/s to 900/s",
            "step 1/s to 9/s at 10 s",
            "sessions 5/s",
            "closed 50 users think 0.2 s",
        ] {
            assert_eq!(ready(text).to_string(), text);
        }
        assert_eq!(ready("closed 8").closed(), Some((8, 0.0)));
        assert!(matches!(Arrivals::parse("day 5 K/s"), Ok(Wanted::Day { mean_per_s: 5_000.0 })));
        for (text, says) in [
            ("", "is no model"),
            ("bursty 5/s", "is no model"),
            ("constant", "nothing is written"),
            ("constant 0/s", "out of range"),
            ("constant 5 ms", "unit"),
            ("ramp 5/s", "not two rates"),
            ("closed many users", "no number of users"),
            ("closed 5 users think 2 h", "nobody thinks"),
        ] {
            let error = Arrivals::parse(text).unwrap_err();
            assert!(error.contains(says) && error.contains("write `scenario`"), "{text}: {error}");
        }
    }
}
