//! How the load goes, renewed every second: a small table on a terminal, one line in a log.
//!
//! Why a table whose columns stay where they are: figures that do not move can be read while they change. Why the last
//! half a minute as bars: whether something just went wrong, or has all along, is what a person looks up for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use plimsoll_loadgen::{Interval, Progress, RouteRecord};
use plimsoll_reports::format::{human, with_separators};
use plimsoll_reports::record::Unit;

use crate::terminal::{Ink, Line, Stage};

/// Tiers that are named; the line must fit a terminal.
const TIERS_MAX: usize = 4;
/// Kinds of requests that have a line of their own.
const ROUTES_MAX: usize = 8;
/// Seconds that are remembered.
const PAST_MAX: usize = 32;
/// From nothing to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub struct Live<'a> {
    stage: &'a Stage,
    view: Mutex<View>,
}

/// What is shown until the next second.
#[derive(Debug, Default)]
struct View {
    word: String,
    lines: Vec<Line>,
    past: Past,
}

/// The last seconds, the oldest first.
#[derive(Debug, Default)]
struct Past {
    rates_per_s: VecDeque<f64>,
    /// 99th percentile of the main action's first byte; 0 in a second without any.
    p99_s: VecDeque<f64>,
}

impl<'a> Live<'a> {
    pub fn new(stage: &'a Stage) -> Self {
        Self { stage, view: Mutex::default() }
    }

    pub fn progress(&self, progress: Progress) {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        self.stage.view(progress.elapsed_s / progress.total_s, &view.word, &view.lines);
    }

    pub fn interval(&self, interval: &Interval<'_>) {
        // The last one may be empty: nothing new to say.
        if interval.record.sent() > 0 {
            self.view.lock().unwrap_or_else(PoisonError::into_inner).add(interval);
        }
    }
}

impl View {
    fn add(&mut self, interval: &Interval<'_>) {
        self.past.add(interval);
        self.word = word(interval);
        self.lines = lines(interval, &self.past);
    }
}

impl Past {
    fn add(&mut self, interval: &Interval<'_>) {
        let keep = |past: &mut VecDeque<f64>, value: f64| {
            past.push_back(value);
            if past.len() > PAST_MAX {
                past.pop_front();
            }
        };
        keep(&mut self.rates_per_s, interval.record.sent() as f64 / length_s(interval));
        keep(&mut self.p99_s, main_action(interval).map_or(0.0, |(_, route)| at_s(route, 0.99)));
    }
}

fn length_s(interval: &Interval<'_>) -> f64 {
    interval.length_s().max(1e-3)
}

fn per_s(n: u64, interval: &Interval<'_>) -> String {
    human(n as f64 / length_s(interval), Unit::PerSecond)
}

fn at_s(route: &RouteRecord, p: f64) -> f64 {
    route.first_byte.value_at_quantile(p) as f64 * 1e-6
}

/// The action with the most answers speaks for all; messages that it sets off, `play.events`, only if there is no other.
fn main_action<'a>(interval: &Interval<'a>) -> Option<(&'a String, &'a RouteRecord)> {
    let answered =
        interval.routes.iter().zip(&interval.record.routes).filter(|(_, r)| !r.first_byte.is_empty());
    answered.max_by_key(|(name, route)| (!name.contains('.'), route.first_byte.len()))
}

/// Who answered, the busiest first.
fn answered_by(route: &RouteRecord) -> String {
    let total: u64 = route.served_by.values().sum();
    let mut tiers: Vec<(&String, &u64)> = route.served_by.iter().collect();
    tiers.sort_by(|a, b| b.1.cmp(a.1));
    let share = |(tier, n): &(&String, &u64)| format!("{tier} {:.0} %", **n as f64 / total as f64 * 100.0);
    tiers.iter().take(TIERS_MAX).map(share).collect::<Vec<_>>().join(" · ")
}

/// The second in one line.
fn word(interval: &Interval<'_>) -> String {
    let record = interval.record;
    let mut parts =
        vec![format!("{} of {}", per_s(record.sent(), interval), per_s(interval.planned, interval))];
    if let Some((name, route)) = main_action(interval) {
        let at = |p: f64| human(at_s(route, p), Unit::Seconds);
        parts.push(format!("{name} p50 {} p99 {}", at(0.5), at(0.99)));
        parts.extend(Some(answered_by(route)).filter(|shares| !shares.is_empty()));
    }
    if record.failed() > 0 {
        parts.push(format!("{} failed", record.failed()));
    }
    parts.join(" · ")
}

/// The second as a table, and the seconds before it as bars.
fn lines(interval: &Interval<'_>, past: &Past) -> Vec<Line> {
    let record = interval.record;
    let line = |ink, text: String| Line { text, ink };
    let warming = if interval.counted { "" } else { " · warm-up, does not count" };
    let totals = format!(
        "  sent {} of {} planned · {} failed{warming}",
        per_s(record.sent(), interval),
        per_s(interval.planned, interval),
        with_separators(record.failed())
    );
    let width = interval.routes.iter().map(|name| name.chars().count()).max().unwrap_or(0).clamp(8, 24);
    let row = |name: &str, cells: [&str; 4], last: &str| {
        let [rate, p50, p99, failed] = cells;
        format!("  {name:<width$} {rate:>10} {p50:>9} {p99:>9} {failed:>7}   {last}").trim_end().to_owned()
    };
    let mut lines = vec![
        line(if record.failed() > 0 { Ink::Bad } else { Ink::Plain }, totals),
        line(Ink::Quiet, row("", ["sent", "p50", "p99", "failed"], "answered by")),
    ];
    for (name, route) in interval.routes.iter().zip(&record.routes).take(ROUTES_MAX) {
        let at = |p| {
            if route.first_byte.is_empty() { "-".to_owned() } else { human(at_s(route, p), Unit::Seconds) }
        };
        let cells = [per_s(route.sent, interval), at(0.5), at(0.99), with_separators(route.failed)];
        let ink = if route.failed > 0 { Ink::Bad } else { Ink::Plain };
        lines.push(line(ink, row(name, cells.each_ref().map(String::as_str), &answered_by(route))));
    }
    if interval.routes.len() > ROUTES_MAX {
        lines.push(line(Ink::Quiet, format!("  and {} kinds more", interval.routes.len() - ROUTES_MAX)));
    }
    let bars = |name: &str, values: &VecDeque<f64>, unit: Unit| {
        let highest = values.iter().copied().fold(0.0, f64::max);
        line(
            Ink::Quiet,
            format!("  {name:<width$} {:<PAST_MAX$} up to {}", bars(values), human(highest, unit)),
        )
    };
    lines.push(bars("sent", &past.rates_per_s, Unit::PerSecond));
    if let Some((name, _)) = main_action(interval) {
        lines.push(bars(&format!("{name} p99"), &past.p99_s, Unit::Seconds));
    }
    lines
}

/// One bar a value, the highest full.
fn bars(values: &VecDeque<f64>) -> String {
    let highest = values.iter().copied().fold(0.0, f64::max);
    let last = BARS.len() - 1;
    let bar = |value: &f64| {
        let step = if highest > 0.0 { (value / highest * last as f64).round() as usize } else { 0 };
        BARS[step.min(last)]
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_share_of_the_highest() {
        assert_eq!(bars(&VecDeque::from([0.0, 1.0, 3.5, 7.0])), "▁▂▅█");
        assert_eq!(bars(&VecDeque::from([0.0, 0.0])), "▁▁");
        assert_eq!(bars(&VecDeque::new()), "");
    }
}
