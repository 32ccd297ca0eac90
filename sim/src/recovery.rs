//! Whether a system came back after what befell it.
//!
//! Why of its own: a mean over a day hides it. A metastable failure is one that outlasts its cause (Bronson et al.,
//! "Metastable failures in distributed systems", 2021), so what counts is how it is doing well after the end.

use plimsoll_reports::format::{human, significant};
use plimsoll_reports::record::{Run, Unit};
use plimsoll_scenarios::Scenario;

/// Share of failed requests beyond that of before the event at which a system is down.
const DOWN: f64 = 0.05;

/// A line for every action and event that is over within the run and that the action has not, or not soon,
/// recovered from.
#[must_use]
pub fn notes(scenario: &Scenario, run: &Run) -> Vec<String> {
    let mut notes = Vec::new();
    for event in &scenario.events {
        let Some(lasts) = &event.lasts else { continue };
        let slot_at = |at_s: f64| (at_s - run.from_s) / run.slot_s;
        let (begins, ends) = (slot_at(event.at_s), slot_at(event.at_s + lasts.get()));
        for action in &run.actions {
            let failed = &action.series.failed_share;
            // The slot in which it ends is still its own.
            let after = ends.ceil().max(0.0) as usize;
            if begins < 1.0 || after >= failed.len() {
                continue;
            }
            let before = &failed[..begins as usize];
            let usual = before.iter().sum::<f64>() / before.len() as f64;
            let down = |share: &f64| *share > usual + DOWN;
            let Some(last) = failed.iter().rposition(down).filter(|&last| last >= after) else { continue };
            let since = (last + 1) as f64 * run.slot_s - (event.at_s + lasts.get() - run.from_s);
            notes.push(if last + 1 == failed.len() {
                format!(
                    "{} has not recovered from `{}` when the run ends, {} after it: {} % of requests fail",
                    action.name,
                    event.name,
                    human(since, Unit::Seconds),
                    significant(100.0 * failed[last], 2)
                )
            } else {
                format!(
                    "{} takes {} to recover from `{}`",
                    action.name,
                    human(since, Unit::Seconds),
                    event.name
                )
            });
        }
    }
    notes
}
