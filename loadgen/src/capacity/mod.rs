//! Where the load line is: the highest rate at which the targets still hold.
//!
//! Why climbing and then bisection: nothing is known of a system beforehand, and time spent far above its limit
//! is time spent in queues that must drain. Rates grow by half until something breaks, and the last interval is
//! halved (on a logarithmic scale) until it is as narrow as wanted. A probe that breaks is repeated, because one
//! hiccup of the machine would put the line too low; the majority of three decides.

mod law;

pub use law::{ScalabilityLaw, fit};

/// What one probe found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Requests a second that were sent.
    pub offered_per_s: f64,
    /// Answers a second, failures not among them.
    pub achieved_per_s: f64,
    /// Mean time in the system, seconds.
    pub latency_mean_s: f64,
    /// The first target that broke, with its value.
    pub broken: Option<String>,
    /// The generator could not keep up: nothing is known of the system.
    pub unsound: Option<String>,
}

impl Probe {
    /// Requests in the system at the same time, on average (Little's law).
    #[must_use]
    pub fn in_flight(&self) -> f64 {
        self.achieved_per_s * self.latency_mean_s
    }
}

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    pub start_per_s: f64,
    /// Width of the bracket at the end, relative to its lower end.
    pub within: f64,
    /// Most probes.
    pub probes_max: usize,
}

/// What the search has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// All probes, in the order in which they were made.
    pub probes: Vec<Probe>,
    /// Highest rate at which all targets held; 0 if at none.
    pub holds_per_s: f64,
    /// Lowest rate at which one broke; `None` if none was found.
    pub breaks_per_s: Option<f64>,
    /// What broke there, or why the search ended before anything did.
    pub why: String,
    /// The search ended because the generator could not keep up.
    pub unsound: bool,
}

/// Probes of a rate at which the generator was in its own way, before it is believed to be.
const UNSOUND_MAX: usize = 3;
/// Rates grow and shrink by this.
const FACTOR: f64 = 1.5;
/// Lowest rate that is tried, of the first.
const LOWEST: f64 = 1e-3;

enum Outcome {
    Holds,
    Breaks(String),
    Unsound(String),
}

/// Searches; `measure` plays one rate, with a number that differs for each probe, and `None` stops the search.
///
/// # Errors
/// As `measure`.
pub fn search<E>(
    search: Search,
    mut measure: impl FnMut(f64, u64) -> Result<Option<Probe>, E>,
) -> Result<Found, E> {
    let mut found = Found {
        probes: Vec::new(),
        holds_per_s: 0.0,
        breaks_per_s: None,
        why: String::new(),
        unsound: false,
    };
    let mut rate = search.start_per_s;
    while found.probes.len() < search.probes_max {
        match decided(rate, &search, &mut found, &mut measure)? {
            None => {
                "stopped before the line was found".clone_into(&mut found.why);
                return Ok(found);
            }
            Some(Outcome::Unsound(cause)) => {
                (found.why, found.unsound) = (cause, true);
                break;
            }
            Some(Outcome::Holds) => found.holds_per_s = found.holds_per_s.max(rate),
            Some(Outcome::Breaks(cause)) => {
                if found.breaks_per_s.is_none_or(|breaks| rate < breaks) {
                    found.breaks_per_s = Some(rate);
                    found.why = cause;
                }
            }
        }
        let (low, high) = (found.holds_per_s, found.breaks_per_s);
        rate = match high {
            None => low * FACTOR,
            Some(high) if low == 0.0 => high / FACTOR,
            Some(high) if high <= low * (1.0 + search.within) => break,
            Some(high) => (low * high).sqrt(),
        };
        if rate < search.start_per_s * LOWEST {
            break;
        }
    }
    Ok(found)
}

/// Probes a rate once, or three times if it breaks: the majority decides.
fn decided<E>(
    rate: f64,
    search: &Search,
    found: &mut Found,
    measure: &mut impl FnMut(f64, u64) -> Result<Option<Probe>, E>,
) -> Result<Option<Outcome>, E> {
    let (mut held, mut broken, mut unsound) = (0, 0, 0);
    loop {
        let Some(probe) = measure(rate, found.probes.len() as u64)? else { return Ok(None) };
        found.probes.push(probe.clone());
        if let Some(cause) = probe.unsound {
            unsound += 1;
            if unsound == UNSOUND_MAX || found.probes.len() >= search.probes_max {
                return Ok(Some(Outcome::Unsound(cause)));
            }
            continue;
        }
        match probe.broken {
            None => held += 1,
            Some(cause) => {
                broken += 1;
                if broken == 2 || found.probes.len() >= search.probes_max {
                    return Ok(Some(Outcome::Breaks(cause)));
                }
            }
        }
        if held > broken || held == 2 || found.probes.len() >= search.probes_max {
            return Ok(Some(Outcome::Holds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Search = Search { start_per_s: 100.0, within: 0.05, probes_max: 60 };

    fn probe(rate: f64, breaks: bool) -> Probe {
        Probe {
            offered_per_s: rate,
            achieved_per_s: rate,
            latency_mean_s: 0.01,
            broken: breaks.then(|| "p99".to_owned()),
            unsound: None,
        }
    }

    fn line(limit: f64) -> Found {
        search(SEARCH, |rate, _| Ok::<_, ()>(Some(probe(rate, rate > limit)))).unwrap()
    }

    #[test]
    fn the_line_is_bracketed_wherever_the_search_starts() {
        for limit in [3.0, 77.0, 100.0, 101.0, 640.0, 9_999.0] {
            let found = line(limit);
            let breaks = found.breaks_per_s.unwrap();
            assert!(found.holds_per_s <= limit && limit < breaks, "{limit}: {found:?}");
            assert!(breaks <= found.holds_per_s * 1.05, "{limit}: {} {breaks}", found.holds_per_s);
            assert_eq!(found.why, "p99");
        }
    }

    #[test]
    fn one_hiccup_does_not_lower_the_line() {
        let mut hiccups = 0;
        let found = search(SEARCH, |rate, number| {
            let hiccup = number % 5 == 1 && rate < 640.0;
            hiccups += u32::from(hiccup);
            Ok::<_, ()>(Some(probe(rate, hiccup || rate > 640.0)))
        })
        .unwrap();
        assert!(hiccups > 1);
        assert!(found.holds_per_s > 608.0 && found.holds_per_s <= 640.0, "{found:?}");
    }

    #[test]
    fn a_system_that_never_holds_or_never_breaks_ends_the_search() {
        let never = line(0.0);
        assert!(never.holds_per_s == 0.0 && never.probes.len() < 60, "{never:?}");
        let ever = search(SEARCH, |rate, _| {
            let unsound = (rate > 5_000.0).then(|| "the generator was late".to_owned());
            Ok::<_, ()>(Some(Probe { unsound, ..probe(rate, false) }))
        })
        .unwrap();
        assert_eq!(
            (ever.breaks_per_s, ever.why.as_str(), ever.unsound),
            (None, "the generator was late", true)
        );
        // Once late is the machine's mood, and probed again.
        let moody = search(SEARCH, |rate, number| {
            let unsound = number.is_multiple_of(3).then(|| "the generator was late".to_owned());
            Ok::<_, ()>(Some(Probe { unsound, ..probe(rate, rate > 640.0) }))
        })
        .unwrap();
        assert!(!moody.unsound && moody.holds_per_s > 608.0, "{moody:?}");
        assert!(ever.holds_per_s > 3_000.0);
    }

    #[test]
    fn a_stop_keeps_what_was_found_and_probes_are_bounded() {
        let mut left = 3;
        let stopped = search(SEARCH, |rate, _| {
            left -= 1;
            Ok::<_, ()>((left >= 0).then(|| probe(rate, false)))
        })
        .unwrap();
        assert_eq!((stopped.probes.len(), stopped.breaks_per_s), (3, None));
        let bounded = search(Search { probes_max: 7, ..SEARCH }, |rate, _| {
            Ok::<_, ()>(Some(probe(rate, rate > 640.0)))
        });
        assert_eq!(bounded.unwrap().probes.len(), 7);
        assert!(search(SEARCH, |_, _| Err("broken")).is_err());
    }
}
