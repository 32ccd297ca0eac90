//! What retries do to a system: what is asked for, what is tried, what is answered.
//!
//! Why one chart: a metastable failure is the gap between these three lines that stays when its cause is gone (Bronson et
//! al., "Metastable failures in distributed systems", `HotOS` 2021).

use super::Plot;
use super::day::{Line, axis, finish, highest, some};
use super::svg::Ink;
use crate::format::{human, significant};
use crate::record::{ActionRun, Run, Unit};

/// Attempts for a request, on top of the first, below which there is nothing to show.
const MORE_MIN: f64 = 0.02;
/// Share of what was answered before that is answered again where a system has recovered.
const RECOVERED: f64 = 0.9;

/// Requests, attempts and answers of the action that tries most; `None` where no caller ever tries again.
#[must_use]
pub fn storm(run: &Run) -> Option<Plot> {
    let more = |a: &ActionRun| {
        let (tried, asked): (f64, f64) =
            (a.series.attempts_per_s.iter().sum(), a.series.rate_per_s.iter().sum());
        if asked > 0.0 { tried / asked - 1.0 } else { 0.0 }
    };
    let action = run.actions.iter().filter(|a| !a.series.attempts_per_s.is_empty());
    let action = action.max_by(|a, b| more(a).total_cmp(&more(b))).filter(|a| more(a) > MORE_MIN)?;
    let attempts = some(&action.series.attempts_per_s);
    let line =
        |name: &str, values, ink| Line { name: name.to_owned(), values, ink, dashed: false, band: None };
    let lines = [
        line("attempts", attempts.clone(), Ink::Series(1)),
        line("requests", some(&action.series.rate_per_s), Ink::Series(0)),
        line("answered", some(&answered(action)), Ink::Series(2)),
    ];
    let top = highest(&attempts)?.1;
    let caption = "Requests that users make, attempts that callers make for them, and requests that are answered, each \
                   second; shaded while an event lasts.";
    finish(run, title(run, action), caption, &lines, &axis(top, Unit::PerSecond, "per second"), true)
}

/// Requests a second that are answered, by slot of when they were made.
pub fn answered(action: &ActionRun) -> Vec<f64> {
    let series = &action.series;
    series.rate_per_s.iter().zip(&series.failed_share).map(|(rate, failed)| rate * (1.0 - failed)).collect()
}

/// Whether it came back from the last event that is over, in a sentence.
fn title(run: &Run, action: &ActionRun) -> String {
    let slot = |at_s: f64| ((at_s - run.from_s) / run.slot_s).ceil().max(0.0) as usize;
    let series = &action.series;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let good: Vec<f64> = series.failed_share.iter().map(|failed| 1.0 - failed).collect();
    let over = run.events.iter().filter(|e| slot(e.from_s) > 0 && slot(e.to_s) + 1 < good.len());
    let Some(event) = over.max_by(|a, b| a.to_s.total_cmp(&b.to_s)) else {
        let (asked, tried) = (mean(&series.rate_per_s), mean(&series.attempts_per_s));
        return format!("{} tries {} times for a request", action.name, significant(tried / asked, 2));
    };
    // The second half of what is left: it had the first to recover.
    let after = slot(event.to_s) + (good.len() - slot(event.to_s)) / 2;
    let (before, now) = (mean(&good[..slot(event.from_s)]), mean(&good[after..]));
    if now >= RECOVERED * before {
        return format!("{} recovers from {}", action.name, event.name);
    }
    let tried = mean(&series.attempts_per_s[after..]) / mean(&series.rate_per_s[after..]);
    format!(
        "{} stays down after {} is over: {} attempts a request, {} answered",
        action.name,
        event.name,
        significant(tried, 2),
        human(now, Unit::Share)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ActionSeries, Happening, Interval, Latency, Method, Provenance};

    /// A hundred requests a second for an hour from noon, slots of a minute, an event from 12:10 to 12:20.
    fn run(attempts: fn(usize) -> f64, failed: fn(usize) -> f64) -> Run {
        let series = |of: fn(usize) -> f64| (0..60).map(of).collect::<Vec<f64>>();
        let action = ActionRun {
            name: "buy".to_owned(),
            requests: 360_000.0,
            rate_mean_per_s: 100.0,
            rate_peak_per_s: 100.0,
            served_by: Vec::new(),
            first_byte: Latency::default(),
            complete: Latency::default(),
            first_byte_p50_s: Interval::exact(0.1),
            first_byte_p99_s: Interval::exact(0.1),
            failed_share: 0.0,
            series: ActionSeries {
                failed_share: series(failed),
                attempts_per_s: series(attempts),
                rate_per_s: vec![100.0; 60],
                ..ActionSeries::default()
            },
        };
        Run {
            provenance: Provenance {
                version: String::new(),
                scenario: "buy".to_owned(),
                seed: 1,
                options: std::collections::BTreeMap::new(),
                partial: false,
            },
            method: Method {
                mode: "every request".to_owned(),
                objects_per_sample: 1,
                replications: 1,
                simulated_requests: 1,
                simulated_customers: 1,
            },
            duration_s: 3_600.0,
            slot_s: 60.0,
            from_s: 43_200.0,
            events: vec![Happening {
                name: "slow disks".to_owned(),
                from_s: 43_800.0,
                to_s: 44_400.0,
                recovered_s: None,
                impacts: Vec::new(),
            }],
            tiers: Vec::new(),
            actions: vec![action],
            bottleneck: None,
            slos: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_title_says_whether_it_came_back() {
        let stays =
            run(|slot| if slot < 10 { 100.0 } else { 300.0 }, |slot| if slot < 10 { 0.0 } else { 0.9 });
        let plot = storm(&stays).unwrap();
        assert_eq!(
            plot.title,
            "buy stays down after slow disks is over: 3 attempts a request, 10 % answered"
        );
        for word in ["slow disks", "attempts", "requests", "answered", "12:00", "12:30", "13:00"] {
            assert!(plot.svg.contains(word), "{word}: {}", plot.svg);
        }
        let back = run(
            |slot| if (10..20).contains(&slot) { 110.0 } else { 100.0 },
            |slot| if (10..20).contains(&slot) { 0.9 } else { 0.0 },
        );
        let mut worse = back.clone();
        worse.actions[0].series.attempts_per_s[15] = 900.0;
        assert_eq!(storm(&worse).unwrap().title, "buy recovers from slow disks");
    }

    #[test]
    fn who_never_tries_again_has_no_chart() {
        let mut calm = run(|_| 100.0, |_| 0.0);
        assert!(storm(&calm).is_none(), "every request is tried once");
        calm.actions[0].series.attempts_per_s.clear();
        assert!(storm(&calm).is_none());
    }
}
