//! One line on how the load goes, renewed every second: planned and sent, times, failures, who answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use plimsoll_loadgen::{Interval, Progress};
use plimsoll_reports::format::human;
use plimsoll_reports::record::Unit;

use crate::terminal::Stage;

/// Tiers that are named; the line must fit a terminal.
const TIERS_MAX: usize = 4;

pub struct Live<'a> {
    stage: &'a Stage,
    line: Mutex<String>,
}

impl<'a> Live<'a> {
    pub const fn new(stage: &'a Stage) -> Self {
        Self { stage, line: Mutex::new(String::new()) }
    }

    pub fn progress(&self, progress: Progress) {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        self.stage.progress(progress.elapsed_s / progress.total_s, &line);
    }

    pub fn interval(&self, interval: &Interval<'_>) {
        // The last one may be empty: nothing new to say.
        if interval.record.sent() > 0 {
            *self.line.lock().unwrap_or_else(PoisonError::into_inner) = said(interval);
        }
    }
}

fn said(interval: &Interval<'_>) -> String {
    let length_s = interval.length_s().max(1e-3);
    let per_s = |n: u64| human(n as f64 / length_s, Unit::PerSecond);
    let record = interval.record;
    let mut parts = vec![format!("{} of {}", per_s(record.sent()), per_s(interval.planned))];
    // The action with the most requests speaks for all; messages that it sets off, `play.events`, only if there is no other.
    let main = record.routes.iter().zip(interval.routes).max_by_key(|(route, name)| {
        (!route.first_byte.is_empty() && !name.contains('.'), route.first_byte.len())
    });
    if let Some((route, name)) = main.filter(|(route, _)| !route.first_byte.is_empty()) {
        let at = |p: f64| human(route.first_byte.value_at_quantile(p) as f64 * 1e-6, Unit::Seconds);
        parts.push(format!("{name} p50 {} p99 {}", at(0.5), at(0.99)));
        let total: u64 = route.served_by.values().sum();
        let mut tiers: Vec<(&String, &u64)> =
            route.served_by.iter().collect::<BTreeMap<_, _>>().into_iter().collect();
        tiers.sort_by(|a, b| b.1.cmp(a.1));
        let share =
            |(tier, n): &(&String, &u64)| format!("{tier} {:.0} %", **n as f64 / total as f64 * 100.0);
        let shares: Vec<String> = tiers.iter().take(TIERS_MAX).map(share).collect();
        if !shares.is_empty() {
            parts.push(shares.join(" "));
        }
    }
    if record.failed() > 0 {
        parts.push(format!("{} failed", record.failed()));
    }
    parts.join(" · ")
}
