//! What events did to a system, and whether it came back.
//!
//! Why of its own: a mean over a day hides it. A metastable failure is one that outlasts its cause (Bronson et al.,
//! "Metastable failures in distributed systems", 2021), so what counts is how it is doing well after the end.

use std::ops::Range;

use plimsoll_reports::format::{human, significant};
use plimsoll_reports::record::{ActionRun, Happening, Impact, Method, Run, TierRun, Unit};
use plimsoll_scenarios::{Event, Scenario};

use crate::calendar;

/// Share of failed requests beyond that of before the event at which a system is down.
const DOWN: f64 = 0.05;
/// What failures and misses may be above what they usually are, as shares of 1, where nothing else happens.
const MORE_SHARE: f64 = 0.01;
/// The same of 99th percentiles, of queues, and the share of a tier's slots that may wait without anybody noticing.
const MORE_TIME: f64 = 0.25;
const MORE_QUEUE: f64 = 0.5;
const QUEUE_NONE: f64 = 0.05;
/// Requests of a slot, as they were played, from which its 99th percentile says anything, and its shares and queues.
const TAIL_MIN: f64 = 1_000.0;
const SHARE_MIN: f64 = 100.0;

/// A run that shows events, and what it is like without them: the same stretch without any, else what was before.
#[derive(Debug, Clone, Copy)]
pub struct Reference<'r> {
    pub seen: &'r Run,
    pub calm: Option<&'r Run>,
}

/// Whether all is in a slot as it is in the same slot of a run without events, but for chance.
#[must_use]
pub fn as_usual(seen: &Run, slot: usize, calm: &Run) -> bool {
    is_usual(seen, slot, (calm, slot..slot + 1))
}

/// Whether all is in a slot as it is in these slots of a run, but for chance.
fn is_usual(seen: &Run, slot: usize, (calm, slots): (&Run, Range<usize>)) -> bool {
    let played = |rate: f64| played(seen, rate);
    let actions = seen.actions.iter().zip(&calm.actions).all(|(a, b)| {
        let n = played(a.series.rate_per_s[slot]);
        let failed = a.series.failed_share[slot];
        let fails =
            n >= SHARE_MIN && failed > mean(&b.series.failed_share, &slots) + MORE_SHARE + 0.3 / n.sqrt();
        let slow = match (a.series.first_byte_p99_s[slot], p99(b, &slots)) {
            (Some(now), Some(usual)) if n >= TAIL_MIN => {
                now > usual * (1.0 + MORE_TIME + 6.0 / n.sqrt()) + 0.001
            }
            _ => false,
        };
        !fails && !slow
    });
    actions
        && seen.tiers.iter().zip(&calm.tiers).all(|(a, b)| {
            let n = played(a.series.rate_per_s[slot]);
            if n < SHARE_MIN {
                return true;
            }
            let misses = match (a.series.hit_ratio[slot], known(&b.series.hit_ratio, &slots)) {
                (Some(now), Some(usual)) => now < usual - MORE_SHARE - 1.5 / n.sqrt(),
                _ => false,
            };
            !misses && !queues(a, slot, (b, &slots))
        })
}

/// Requests at a rate in a slot of a run that were played, over all replications.
fn played(run: &Run, rate: f64) -> f64 {
    let Method { objects_per_sample, replications, .. } = run.method;
    rate * run.slot_s / objects_per_sample as f64 * replications as f64
}

/// Whether more wait at a tier than usual.
fn queues(tier: &TierRun, slot: usize, (calm, slots): (&TierRun, &Range<usize>)) -> bool {
    let (Some(station), Some(now)) = (&tier.station, tier.series.queue[slot]) else { return false };
    let usual = known(&calm.series.queue, slots).unwrap_or(0.0);
    let room = (station.servers * station.concurrency) as f64;
    now > usual * (1.0 + MORE_QUEUE) + QUEUE_NONE * room
}

fn mean(values: &[f64], slots: &Range<usize>) -> f64 {
    values[slots.clone()].iter().sum::<f64>() / slots.len().max(1) as f64
}

/// The mean of the values that there are.
fn known(values: &[Option<f64>], slots: &Range<usize>) -> Option<f64> {
    let there: Vec<f64> = values[slots.clone()].iter().flatten().copied().collect();
    (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
}

fn p99(action: &ActionRun, slots: &Range<usize>) -> Option<f64> {
    known(&action.series.first_byte_p99_s, slots)
}

/// The events that a run has seen, with what each did. Without references what was before an event is usual.
#[must_use]
pub fn happenings(scenario: &Scenario, run: &Run, references: &[Reference<'_>]) -> Vec<Happening> {
    let own = [Reference { seen: run, calm: None }];
    let references = if references.is_empty() { &own[..] } else { references };
    let (from_s, to_s) = (run.from_s, run.from_s + run.duration_s);
    let during = |event: &&Event| {
        event.at_s < to_s && calendar::ends(event) >= from_s && {
            // What is over when it begins is not seen.
            calendar::ends(event) > from_s || event.at_s >= from_s
        }
    };
    let of = |event: &Event| {
        let mut happening = Happening {
            name: event.name.clone(),
            from_s: event.at_s,
            to_s: calendar::ends(event),
            recovered_s: None,
            impacts: Vec::new(),
        };
        let within =
            |r: &&Reference<'_>| (r.seen.from_s..r.seen.from_s + r.seen.duration_s).contains(&event.at_s);
        if let Some(reference) = references.iter().find(within) {
            judge(&mut happening, run, reference);
        }
        happening
    };
    scenario.events.iter().filter(during).map(of).collect()
}

/// What an event did, where there is something to hold it against.
fn judge(happening: &mut Happening, run: &Run, reference: &Reference<'_>) {
    let Reference { seen, calm } = *reference;
    let number = (seen.duration_s / seen.slot_s).round() as usize;
    let slot = |at_s: f64| ((at_s - seen.from_s) / seen.slot_s).max(0.0);
    let first = (slot(happening.from_s) as usize).min(number - 1);
    let over = (slot(happening.to_s).ceil() as usize).clamp(first + 1, number.max(first + 1));
    if calm.is_none() && first == 0 {
        return;
    }
    let usual = |slot: usize| calm.map_or((seen, 0..first), |calm| (calm, slot..slot + 1));
    let recovered = (over..number).find(|&slot| is_usual(seen, slot, usual(slot)));
    happening.recovered_s = recovered.map(|slot| seen.from_s + slot as f64 * seen.slot_s);
    let span = first..recovered.unwrap_or(number);
    // The same slots of the run, which may be longer.
    let before = ((seen.from_s - run.from_s) / run.slot_s).round() as usize;
    for (id, action) in run.actions.iter().enumerate() {
        // Of a few requests the worst is chance.
        let enough =
            |slot: usize, least: f64| played(seen, seen.actions[id].series.rate_per_s[slot]) >= least;
        let highest = |least: f64, of: &dyn Fn(usize) -> Option<f64>| {
            let slots = span.clone().filter(|&slot| enough(slot, least));
            let all = slots.filter_map(|slot| of(slot + before).map(|value| (slot, value)));
            all.reduce(|a, b| if b.1 > a.1 { b } else { a })
        };
        let worst = highest(SHARE_MIN, &|slot| action.series.first_byte_p99_s[slot]);
        let failed = highest(SHARE_MIN, &|slot| Some(action.series.failed_share[slot]));
        let (failed_at, failed_share) = failed.unwrap_or((first, 0.0));
        happening.impacts.push(Impact {
            action: action.name.clone(),
            first_byte_p99_s: worst.map(|(_, seconds)| seconds),
            usual_p99_s: worst.and_then(|(slot, _)| {
                let (usual, slots) = usual(slot);
                p99(&usual.actions[id], &slots)
            }),
            failed_share,
            usual_failed_share: {
                let (usual, slots) = usual(failed_at);
                mean(&usual.actions[id].series.failed_share, &slots)
            },
        });
    }
}

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
