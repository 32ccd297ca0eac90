//! Whether a window had forgotten its start when it began to count.
//!
//! Why at all: nobody gives a window a warm-up. What is played before it is as long as the window at first; where the
//! latencies of that time have not settled ([MSER-5](crate::outcome::mser5)), twice as long, up to two hours.

use plimsoll_reports::format::human;
use plimsoll_reports::record::Unit;

use crate::calendar::Plan;
use crate::outcome::{Outcome, mser5};

/// Most time before a window that is played and does not count, seconds.
pub const WARMUP_MAX_S: f64 = 7_200.0;

/// Time after which latencies had settled, seconds from the start of the run; `None` where they had not, or where too few
/// requests were answered to tell.
#[must_use]
pub fn settled(outcome: &Outcome, warmup_s: f64) -> Option<f64> {
    let parts = outcome.counted.iter().map(|c| c.before.len()).max().unwrap_or(0);
    // Averaged over replications, as Welch does before he looks.
    let mean = |part: usize| {
        let all = outcome.counted.iter().filter_map(|c| c.before.get(part));
        let (number, sum_s) = all.fold((0.0, 0.0), |(n, sum), &(m, s)| (n + f64::from(m), sum + s));
        (number > 0.0).then_some((part, sum_s / number))
    };
    let (at, means): (Vec<usize>, Vec<f64>) = (0..parts).filter_map(mean).unzip();
    let cut = mser5(&means)?;
    at.get(cut).map(|&part| part as f64 / parts as f64 * warmup_s)
}

/// The same window after twice as much that does not count; `None` where that is as long as it may be, or the day begins.
#[must_use]
pub fn longer(plan: &Plan) -> Option<Plan> {
    let window_s = plan.from_s + plan.warmup_s;
    let warmup_s = (2.0 * plan.warmup_s).min(WARMUP_MAX_S).min(window_s);
    (warmup_s > plan.warmup_s).then_some(Plan { from_s: window_s - warmup_s, warmup_s, ..*plan })
}

/// What a reader should know of it.
#[must_use]
pub fn note(settled_s: Option<f64>, warmup_s: f64) -> String {
    let before = human(warmup_s, Unit::Seconds);
    match settled_s {
        Some(after) if after <= 0.0 => {
            format!("latencies were steady from the start, {before} before the window (MSER-5)")
        }
        Some(after) => format!(
            "latencies had settled {} after the start (MSER-5), of {before} before the window that do not count",
            human(after, Unit::Seconds)
        ),
        None => format!(
            "latencies had not settled in the {before} before the window (MSER-5): its first slots may show the start"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_grows_to_two_hours_and_not_into_yesterday() {
        let plan = |from_s: f64, warmup_s: f64| Plan {
            seed: 1,
            replications: 1,
            threads: 1,
            from_s,
            warmup_s,
            duration_s: 60.0,
            slots: 1,
            same_requests: false,
        };
        let grown = |from_s, warmup_s| longer(&plan(from_s, warmup_s)).map(|p| (p.from_s, p.warmup_s));
        assert_eq!(grown(36_000.0, 600.0), Some((35_400.0, 1_200.0)));
        assert_eq!(grown(36_000.0, 5_000.0), Some((33_800.0, 7_200.0)));
        assert_eq!(grown(36_000.0, 7_200.0), None);
        assert_eq!(grown(300.0, 600.0), Some((0.0, 900.0)));
        assert_eq!(grown(0.0, 600.0), None);
    }
}
