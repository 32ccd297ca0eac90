//! A day with its events: the stretches around them on the event calendar, the rest by the engine of the day.
//!
//! Why not the whole day on the calendar: a slice small enough to be played for a day has too few servers of most tiers,
//! and an event takes hours at most. So each stretch is tried out first, once with its events and once without: whether
//! it had forgotten its start when it begins to count, and when all is again as it would have been. What comes out is
//! how long it is; then it is played as often as the day, and takes the day's place there.
//!
//! A stretch begins with caches as full as they usually are, and after it the day goes on as if there had been no event;
//! it lasts until that is so.

mod pools;
mod spans;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicBool;

use plimsoll_reports::format::{clock, human, significant};
use plimsoll_reports::record::{Provenance, Run, Unit};
use plimsoll_scenarios::{Scenario, Scope};

use crate::analytic::caches::chain_of;
use crate::calendar::{self, Laws, slice};
use crate::day::{SlotSet, WITHOUT_EVENTS};
use crate::flow::{self, Flow};
use crate::outcome::{self, Outcome, Part, summarise};
use crate::recovery::{self, Reference};
use crate::simulate::{Options, Progress};
use crate::threads::parallel;
use crate::{model, settle};
use spans::Span;

/// Requests of one replication that are played of all stretches of a day together, at most, and calls of these: a request
/// may be a thousand calls.
const REQUESTS_MAX: f64 = 3e6;
const CALLS_MAX: f64 = 8e6;

/// The stretches of a day, tried out.
#[derive(Debug)]
pub struct Stretches {
    all: Vec<Stretch>,
    /// Requests that one of a stretch stands for.
    factor: f64,
    /// Caches are as full as they usually are when one begins.
    full: bool,
}

#[derive(Debug)]
struct Stretch {
    span: Span,
    /// When latencies had settled, seconds after the start.
    settled_s: Option<f64>,
    /// All was as usual in its last slot.
    recovered: bool,
    /// As it was tried out: with its events and without any.
    seen: Run,
    calm: Run,
}

impl Stretches {
    /// Their slots.
    #[must_use]
    pub fn slots(&self) -> SlotSet {
        let mut all = SlotSet::default();
        self.all.iter().for_each(|stretch| all.add(stretch.span.slots.clone()));
        all
    }

    /// Puts them, each played as often as the day, into a day that was played with these slots set aside. Where `stop`
    /// was raised before all were, the day stays as it is; the second value is false then.
    #[must_use]
    pub fn put_into(
        &self,
        (scenario, mut day): (&Scenario, Outcome),
        options: &Options,
        progress: Progress<'_>,
        stop: &AtomicBool,
    ) -> (Outcome, bool) {
        let Some((parts, mut notes)) = self.play(scenario, options, progress, stop) else {
            day.notes
                .push("stopped before the hours with its events were played request by request".to_owned());
            return (day, false);
        };
        day.notes.retain(|note| note != WITHOUT_EVENTS);
        notes.append(&mut day.notes);
        day.notes = notes;
        day.mode = match day.mode {
            "sampled" => "sampled, its events request by request",
            _ => "every request through caches, sampled queues, its events request by request",
        };
        let (mut spliced, busy) = outcome::splice(scenario, day, &parts);
        let over = busy.into_iter().enumerate().filter(|(_, busy)| *busy > 1.0);
        let over =
            over.map(|(tier, busy)| format!("{} {}", scenario.tier_name(tier), human(busy, Unit::Share)));
        let over: Vec<String> = over.collect();
        if !over.is_empty() {
            spliced.notes.push(format!(
                "events ask for more than all of {}: as much of the requests fails as is too much; waits there are longer than \
                 these latencies, since the slice has more than its part of these servers",
                over.join(", ")
            ));
        }
        (spliced, true)
    }

    fn play(
        &self,
        scenario: &Scenario,
        options: &Options,
        progress: Progress<'_>,
        stop: &AtomicBool,
    ) -> Option<(Vec<Part>, Vec<String>)> {
        let all: f64 = self.all.iter().map(|s| s.span.ends_s() - s.span.begins_s()).sum();
        let (mut parts, mut small, mut done) = (Vec::new(), Vec::new(), 0.0);
        for Stretch { span, .. } in &self.all {
            let share = (span.ends_s() - span.begins_s()) / all;
            let plan = plan(options, span, options.replications);
            let tell = |part: f64| progress(done + share * part);
            let Played { outcome, servers, notes } = play(scenario, plan, self.factor, &tell, stop)?;
            parts.push(Part { first: span.slots.start, outcome, factor: self.factor, servers });
            // The first says what a slice is, which is said of all below.
            small.extend(notes.into_iter().skip(1));
            done += share;
        }
        small.sort();
        small.dedup();
        let mut notes = self.notes(scenario);
        notes.append(&mut small);
        Some((parts, notes))
    }

    /// What was played how, in words.
    fn notes(&self, scenario: &Scenario) -> Vec<String> {
        let all: Vec<String> = self.all.iter().map(|s| hours(&s.span)).collect();
        let how = if self.factor > 1.0 {
            format!(" in a slice of the system, one user and server in {}", significant(self.factor, 3))
        } else {
            String::new()
        };
        let mut notes = vec![format!(
            "the hours around its events ({} UTC) are played request by request{how}; the rest of the day is as if there had \
             been none",
            all.join(", ")
        )];
        if scenario.tiers.values().any(|t| {
            t.connections_max.is_some()
                || t.replication.lag.is_some()
                || (t.link.is_some() && t.scope != Scope::User)
        }) {
            notes.push(
                "bodies that share links, connections that stay and stale reads are counted in these hours only"
                    .to_owned(),
            );
        }
        if !self.full {
            notes.push(format!(
                "of a policy of theirs no law is known: caches begin empty {} before these hours, and large ones are not full yet",
                human(settle::WARMUP_MAX_S, Unit::Seconds)
            ));
        }
        for stretch in &self.all {
            let at = hours(&stretch.span);
            if stretch.settled_s.is_none() && stretch.span.warmup_s > 0.0 {
                notes.push(format!("{at}: {}", settle::note(None, stretch.span.warmup_s)));
            }
            let over = stretch.span.over < stretch.span.slots.end;
            if over && !stretch.recovered {
                notes.push(format!("{at}: not all is as usual again when the day ends"));
            }
        }
        notes
    }

    /// The events of the day as they were tried out, to tell what each did.
    #[must_use]
    pub fn references(&self) -> Vec<Reference<'_>> {
        self.all.iter().map(|s| Reference { seen: &s.seen, calm: Some(&s.calm) }).collect()
    }
}

/// `18:00 to 20:30`.
fn hours(span: &Span) -> String {
    let to = if span.is_last() { "24:00".to_owned() } else { clock(span.ends_s()) };
    format!("{} to {to}", clock(span.begins_s()))
}

/// Finds out how long each stretch is. `None` where `stop` was raised before.
#[must_use]
pub fn prepare(
    scenario: &Scenario,
    options: &Options,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Option<Stretches> {
    let calm = Scenario { events: Vec::new(), ..scenario.clone() };
    let full = Laws::of(scenario).is_some();
    let mut spans = spans::of(scenario, full);
    let mut stretches: Vec<Stretch> = Vec::new();
    while let Some(mut span) = spans.get(stretches.len()).cloned() {
        let factor = factor(scenario, &spans);
        let mut stretch = try_out([scenario, &calm], &span, (options, factor), stop)?;
        let plan = plan(options, &span, 1);
        if let Some(longer) = settle::longer(&plan).filter(|_| stretch.settled_s.is_none()) {
            spans[stretches.len()].warmup_s = longer.warmup_s;
            continue;
        }
        match stretch.usual_from(&span) {
            Some(usual) => {
                let end = span.slots.start + usual + 1;
                span.slots.end = end.max(span.over + 1).min(span.slots.end);
                stretch.recovered = true;
            }
            None if span.is_last() => {}
            None => {
                spans[stretches.len()].extend();
                spans = spans::merged(spans);
                continue;
            }
        }
        spans[stretches.len()] = span.clone();
        stretch.span = span;
        stretches.push(stretch);
        progress(stretches.len() as f64 / spans.len() as f64);
    }
    Some(Stretches { factor: factor(scenario, &spans), full, all: stretches })
}

/// One part in how many is played, so that all stretches together are not too much.
fn factor(scenario: &Scenario, spans: &[Span]) -> f64 {
    let each = calls_each(scenario);
    let sum = |each: &dyn Fn(usize) -> f64| -> f64 {
        let of = |s: &Span| slice::expected(scenario, (s.begins_s() - s.warmup_s, s.ends_s()), each);
        spans.iter().map(of).sum()
    };
    (sum(&|_| 1.0) / REQUESTS_MAX).max(sum(&|action| each[action]) / CALLS_MAX).max(1.0)
}

/// By action: the calls that a request of it comes to, with what caches usually answer.
fn calls_each(scenario: &Scenario) -> Vec<f64> {
    let flow = Flow::of(scenario);
    let chain = chain_of(scenario, &flow);
    let mut calls = vec![0.0; flow.nodes.len()];
    let mut each = vec![0.0; scenario.actions.len()];
    for (node, here) in flow.nodes.iter().enumerate() {
        let reaching = match here.caller {
            Some(caller) => calls[caller] * (1.0 - chain.hits[caller]),
            None => flow::occurrences(&scenario.actions[here.action], here.cause),
        };
        calls[node] = reaching * here.call.mean_number();
        // Every copy is a call of its own.
        each[here.action] += calls[node] * model::work(scenario, here.call).max(1.0);
    }
    each
}

fn plan(options: &Options, span: &Span, replications: u64) -> calendar::Plan {
    calendar::Plan {
        seed: options.seed,
        replications,
        threads: options.threads,
        from_s: span.begins_s() - span.warmup_s,
        warmup_s: span.warmup_s,
        duration_s: span.ends_s() - span.begins_s(),
        slots: span.slots.len(),
        same_requests: false,
    }
}

/// Plays a stretch with its events and without, once each, from the same draws.
fn try_out(
    both: [&Scenario; 2],
    span: &Span,
    (options, factor): (&Options, f64),
    stop: &AtomicBool,
) -> Option<Stretch> {
    let plan = calendar::Plan { threads: 1, ..plan(options, span, 1) };
    let played = parallel(&both, options.threads, stop, |scenario| {
        play(scenario, plan, factor, &|_| (), stop).map(|Played { outcome, .. }| {
            let settled_s = settle::settled(&outcome, plan.warmup_s);
            (settled_s, summarise(scenario, &outcome, Provenance::default()))
        })
    });
    let mut played = played.into_iter().flatten();
    let ((settled_s, seen), (_, calm)) = (played.next()??, played.next()??);
    Some(Stretch { span: span.clone(), settled_s, recovered: false, seen, calm })
}

impl Stretch {
    /// The first slot after its events from which all is as usual to its end; `None` where the last is not.
    fn usual_from(&self, span: &Span) -> Option<usize> {
        let (over, end) = (span.over - span.slots.start, span.slots.len());
        let usual = |&slot: &usize| recovery::as_usual(&self.seen, slot, &self.calm);
        (over..end).rev().take_while(usual).last()
    }
}

/// A stretch that was played.
struct Played {
    outcome: Outcome,
    servers: Vec<Vec<f64>>,
    /// What a reader should know of the slice.
    notes: Vec<String>,
}

/// Plays one part in `factor` of a scenario.
fn play(
    scenario: &Scenario,
    plan: calendar::Plan,
    factor: f64,
    progress: Progress<'_>,
    stop: &AtomicBool,
) -> Option<Played> {
    // A whole system is a slice too: its caches are as full as they usually are then.
    let mut slice = slice::slice(scenario, factor);
    // A stretch begins in the middle of a day, and connections last.
    slice.standing = true;
    pools::widen(scenario, &mut slice.scenario, factor);
    let (mut outcome, partial) = calendar::play(&slice.scenario, plan, Some(&slice), progress, stop)?;
    outcome.objects_per_sample = factor.round() as u64;
    outcome.notes.clear();
    let servers = pools::for_one(scenario, &slice.scenario, factor);
    (!partial).then_some(Played { outcome, servers, notes: slice.notes })
}
