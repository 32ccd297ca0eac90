//! The answer: does it hold, what binds first, three numbers.

use super::element::{escape, id, mark};
use crate::format::{human, with_separators};
use crate::record::{Estimate, Measurement, Report, Run, SloVerdict, Unit};
use crate::story;

/// Numbers shown large.
const NUMBERS_MAX: usize = 3;

/// The first screen of the page.
pub fn answer(report: &Report) -> String {
    let mut out = String::from("<section class=\"answer\">\n");
    out.push_str(&warnings(report));
    out.push_str(&verdict(report));
    if let Some((tier, rest)) = story::main_run(report).and_then(story::bottleneck_parts) {
        let row = id("servers", tier);
        let link_row = id("link", tier);
        let by_link = story::main_run(report)
            .and_then(|r| r.bottleneck.as_ref())
            .is_some_and(|b| b.resource != "servers");
        let target = if by_link { link_row } else { row };
        out.push_str(&format!(
            "<p><a href=\"#{target}\">{}</a> binds first: {}</p>\n",
            escape(tier),
            escape(&rest)
        ));
    }
    if story::main_run(report).is_none()
        && let Some(sentence) = report.estimate.as_ref().and_then(story::fullest)
    {
        out.push_str(&format!("<p>{}</p>\n", escape(&sentence)));
    }
    out.push_str(&numbers(report));
    if let Some((_, worst)) = report.comparison.as_ref().and_then(story::worst) {
        out.push_str(&format!(
            "<p>Predicted against measured, the largest error is <a href=\"#comparison\">{}</a>.</p>\n",
            escape(&worst)
        ));
    }
    out.push_str(&slos(report));
    out.push_str("</section>\n");
    out
}

/// What makes the figures doubtful stands before them.
fn warnings(report: &Report) -> String {
    let mut reasons: Vec<String> = Vec::new();
    if let Some(m) = &report.measurement {
        reasons.extend(m.invalid.iter().map(|r| format!("The load run should not be trusted: {r}")));
    }
    let partial = [
        report.simulation.as_ref().map(|r| r.provenance.partial),
        report.prediction.as_ref().map(|r| r.provenance.partial),
        report.measurement.as_ref().map(|m| m.provenance.partial),
    ];
    if partial.contains(&Some(true)) {
        reasons.push("Stopped early: the figures cover what was finished.".to_owned());
    }
    reasons.iter().map(|r| format!("<p class=\"warning\">{}</p>\n", escape(r))).collect()
}

fn verdict(report: &Report) -> String {
    if let Some(run) = story::main_run(report).filter(|r| !r.slos.is_empty()) {
        let holds = run.slos.iter().all(|s| s.holds);
        return format!("<p class=\"verdict\">{} SLOs: {}</p>\n", mark(holds), story::slo_count(&run.slos));
    }
    match report.estimate.as_ref().filter(|e| !e.claims.is_empty()) {
        Some(estimate) => {
            let held = estimate.claims.iter().filter(|c| c.holds).count();
            let all = estimate.claims.len();
            format!("<p class=\"verdict\">{} {held} of {all} stated figures agree</p>\n", mark(held == all))
        }
        None => String::new(),
    }
}

fn numbers(report: &Report) -> String {
    let numbers = story::main_run(report)
        .map(run_numbers)
        .or_else(|| report.measurement.as_ref().map(measured_numbers))
        .or_else(|| report.estimate.as_ref().map(estimated_numbers))
        .unwrap_or_default();
    if numbers.is_empty() {
        return String::new();
    }
    let items: String = numbers
        .iter()
        .take(NUMBERS_MAX)
        .map(|(value, name)| {
            format!("<div><strong>{}</strong><span>{}</span></div>\n", escape(value), escape(name))
        })
        .collect();
    format!("<div class=\"numbers\">\n{items}</div>\n")
}

fn run_numbers(run: &Run) -> Vec<(String, String)> {
    let mut numbers = Vec::new();
    if let Some(action) = story::main_action(run) {
        let peak = human(action.rate_peak_per_s, Unit::PerSecond);
        numbers.push((peak, format!("{} at the peak", action.name)));
    }
    if let Some((tier, cache)) = story::main_cache(run).and_then(|t| t.cache.as_ref().map(|c| (t, c))) {
        numbers.push((human(cache.hit_ratio.value, Unit::Share), format!("{} hit ratio", tier.name)));
    }
    if let Some(action) = story::main_action(run) {
        let p99 = human(action.first_byte_p99_s.value, Unit::Seconds);
        numbers.push((p99, format!("{} first byte, p99", action.name)));
    }
    numbers
}

fn measured_numbers(measurement: &Measurement) -> Vec<(String, String)> {
    let mut numbers = vec![(with_separators(measurement.sent), "requests sent".to_owned())];
    let busiest = measurement.actions.iter().reduce(|a, b| if b.requests > a.requests { b } else { a });
    if let Some(p99) = busiest.and_then(|a| a.first_byte.at(0.99).map(|v| (a, v))) {
        numbers.push((human(p99.1, Unit::Seconds), format!("{} first byte, p99", p99.0.name)));
    }
    numbers.push((with_separators(measurement.failed), "failed".to_owned()));
    numbers
}

fn estimated_numbers(estimate: &Estimate) -> Vec<(String, String)> {
    let told = ["total.peak_rate", "total.servers", "total.cost", "total.storage_replicated"];
    let named = told.iter().filter_map(|id| estimate.quantities.iter().find(|q| q.id == *id));
    let others = estimate.quantities.iter().filter(|q| !q.detail && !told.contains(&q.id.as_str()));
    named.chain(others).take(NUMBERS_MAX).map(|q| (human(q.value, q.unit), q.label.clone())).collect()
}

fn slos(report: &Report) -> String {
    let Some(run) = story::main_run(report).filter(|r| !r.slos.is_empty()) else {
        return estimated_slos(report);
    };
    let items: String = run
        .slos
        .iter()
        .map(|slo| {
            let text = match (slo.holds, cause(run, slo)) {
                (false, Some(target)) => format!("<a href=\"#{target}\">{}</a>", escape(&slo.text)),
                _ => escape(&slo.text),
            };
            format!("<li>{} {text}: <b>{}</b></li>\n", mark(slo.holds), human(slo.value, slo.unit))
        })
        .collect();
    format!("<ul class=\"slos\">\n{items}</ul>\n")
}

/// Targets that the closed forms can judge, where nothing was simulated.
fn estimated_slos(report: &Report) -> String {
    let Some(estimate) = report.estimate.as_ref().filter(|e| !e.slos.is_empty()) else {
        return String::new();
    };
    let item = |slo: &SloVerdict| {
        format!("<li>{} {}: <b>{}</b></li>\n", mark(slo.holds), escape(&slo.text), human(slo.value, slo.unit))
    };
    format!("<ul class=\"slos\">\n{}</ul>\n", estimate.slos.iter().map(item).collect::<String>())
}

/// The row that shows why an SLO is breached.
fn cause(run: &Run, slo: &SloVerdict) -> Option<String> {
    let subject = story::slo_subject(slo);
    if run.actions.iter().any(|a| a.name == subject) {
        return Some(id("action", subject));
    }
    let tier = run.tiers.iter().find(|t| t.name == subject);
    let Some(tier) = tier else { return (!run.actions.is_empty()).then(|| "actions".to_owned()) };
    let about_cache = slo.text.contains("hit_ratio") && tier.cache.is_some();
    let about_servers = !about_cache && tier.station.is_some();
    Some(id(
        if about_cache {
            "cache"
        } else if about_servers {
            "servers"
        } else {
            "tier"
        },
        subject,
    ))
}
