//! Which slots of a day its events touch.
//!
//! Why whole slots: by slot each figure of the day then comes from one engine.

use std::ops::Range;

use plimsoll_scenarios::Scenario;

use crate::calendar;
use crate::day::{SLOT_S, SLOTS};
use crate::settle;

/// Slots that are played at least after an event is over, to see whether it has an end.
const AFTER: usize = 2;
/// Slots between two stretches below which they are one: as much is played before each of them anyway.
const NEAR: usize = 2;
/// Time before a stretch that is played first and does not count, seconds.
const WARMUP_S: f64 = 900.0;

/// A stretch of the day around events that overlap or are near each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// From the slot in which the first begins to before the slot in which all is as usual.
    pub slots: Range<usize>,
    /// The first slot in which all of them are over.
    pub over: usize,
    /// Time before it that is played and does not count, seconds.
    pub warmup_s: f64,
}

impl Span {
    fn new(slots: Range<usize>, over: usize, warmup_s: f64) -> Self {
        let warmup_s = warmup_s.min(slots.start as f64 * SLOT_S);
        Self { slots, over, warmup_s }
    }

    /// When what counts begins, seconds after midnight UTC.
    #[must_use]
    pub fn begins_s(&self) -> f64 {
        self.slots.start as f64 * SLOT_S
    }

    #[must_use]
    pub fn ends_s(&self) -> f64 {
        self.slots.end as f64 * SLOT_S
    }

    /// Whether the day ends before it could go on.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.slots.end >= SLOTS
    }

    /// Goes on for twice as long after its events.
    pub fn extend(&mut self) {
        let after = (self.slots.end - self.over).max(1);
        self.slots.end = (self.over + 2 * after).min(SLOTS);
    }

    /// Whether another one that begins later belongs to it.
    fn reaches(&self, later: &Self) -> bool {
        later.slots.start <= self.slots.end + NEAR
    }

    fn and(self, later: &Self) -> Self {
        let over = self.over.max(later.over);
        let end = self.slots.end.max(later.slots.end).max((over + AFTER).min(SLOTS));
        Self { slots: self.slots.start..end, over, ..self }
    }
}

/// The stretches of a scenario's day, in its order. Caches that are not `full` from the start get all the time to fill
/// that there may be.
#[must_use]
pub fn of(scenario: &Scenario, full: bool) -> Vec<Span> {
    let warmup_s = if full { WARMUP_S } else { settle::WARMUP_MAX_S };
    let of = |event| {
        let event: &plimsoll_scenarios::Event = event;
        let first = ((event.at_s / SLOT_S) as usize).min(SLOTS - 1);
        let over = ((calendar::ends(event) / SLOT_S).ceil() as usize).clamp(first + 1, SLOTS);
        Span::new(first..(over + AFTER).min(SLOTS), over, warmup_s)
    };
    let mut spans: Vec<Span> = scenario.events.iter().map(of).collect();
    spans.sort_by_key(|span| (span.slots.start, span.slots.end));
    merged(spans)
}

/// Makes one of those that are near each other; `spans` are in the order of the day.
#[must_use]
pub fn merged(spans: Vec<Span>) -> Vec<Span> {
    let mut all: Vec<Span> = Vec::new();
    for span in spans {
        match all.pop() {
            Some(last) if last.reaches(&span) => all.push(last.and(&span)),
            Some(last) => all.extend([last, span]),
            None => all.push(span),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::SourceFile;

    fn spans(events: &str) -> Vec<(Range<usize>, usize)> {
        let text = format!(
            "name: shop\npopulation: {{users: 1 M}}\nactions: {{buy: {{per_user: 9/day, path: [web]}}}}\n\
             tiers: {{web: {{servers: 9, concurrency: 9, service_time: 1 ms}}}}\nevents:\n{events}"
        );
        let scenario = Scenario::from_yaml(&SourceFile::new("shop.yaml", &text)).unwrap();
        of(&scenario, true).into_iter().map(|span| (span.slots, span.over)).collect()
    }

    #[test]
    fn a_stretch_is_whole_slots_from_an_event_to_half_an_hour_after_it() {
        let one = spans("  - {at: 18:05, slow: {tier: web, factor: 2}, for: 30 min}\n");
        assert_eq!(one, [(72..77, 75)]);
        let late = spans("  - {at: 23:50, slow: {tier: web, factor: 2}, for: 30 min}\n");
        assert_eq!(late, [(95..96, 96)], "a day ends at midnight");
        let rest = spans("  - {at: 20:00, slow: {tier: web, factor: 2}}\n");
        assert_eq!(rest, [(80..96, 96)]);
    }

    #[test]
    fn events_that_overlap_or_are_near_are_one_stretch() {
        let slow = |at: &str| format!("  - {{at: '{at}', slow: {{tier: web, factor: 2}}, for: 15 min}}\n");
        let near = spans(&[slow("18:00"), slow("16:45"), slow("03:00")].concat());
        assert_eq!(near, [(12..15, 13), (67..75, 73)]);
        let apart = spans(&[slow("16:00"), slow("18:00")].concat());
        assert_eq!(apart, [(64..67, 65), (72..75, 73)]);
    }

    #[test]
    fn a_stretch_that_is_extended_doubles_what_follows_until_midnight() {
        let mut span = Span::new(80..86, 84, 900.0);
        let mut ends = Vec::new();
        while !span.is_last() {
            span.extend();
            ends.push(span.slots.end);
        }
        assert_eq!(ends, [88, 92, 96]);
    }
}
