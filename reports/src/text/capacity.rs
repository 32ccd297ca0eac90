//! The load line first, then the probes it rests on.

use super::style::{Style, Tone, clean, wrap};
use super::table::{Cell, Table};
use super::{section, title};
use crate::capacity::{Capacity, FittedLaw};
use crate::format::{human, significant};
use crate::record::Unit;
use crate::story;

/// The line with its interval, the law, and every probe by its rate.
#[must_use]
pub fn capacity(record: &Capacity, style: Style) -> String {
    let quiet = format!("load line, against {}", record.target);
    let mut out = title(style, &record.provenance.scenario, &quiet);
    out.push_str(&format!("\n {}\n", style.paint(Tone::Strong, &line(record))));
    for text in [why(record), record.law.as_ref().map_or_else(String::new, law)] {
        for text in wrap(&clean(&text), style.width.saturating_sub(1)).iter().filter(|t| !t.is_empty()) {
            out.push_str(&format!(" {text}\n"));
        }
    }
    out.push_str(&section(style, "probes", &probes(record, style)));
    out.push('\n');
    for line in wrap(&clean(&story::provenance(&record.provenance)), style.width.saturating_sub(1)) {
        out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
    }
    out
}

fn line(record: &Capacity) -> String {
    let rate = |x: f64| human(x, Unit::PerSecond);
    match record.breaks_per_s {
        Some(breaks) if record.holds_per_s > 0.0 => {
            format!("carries {} ({} is too much)", rate(record.holds_per_s), rate(breaks))
        }
        Some(breaks) => format!("carries less than {}", rate(breaks)),
        None => format!("carries at least {}", rate(record.holds_per_s)),
    }
}

fn why(record: &Capacity) -> String {
    let slos = format!("Held: {}.", record.slos.join(", "));
    let cause = if record.breaks_per_s.is_some() { "First to break" } else { "The search ended there" };
    if record.why.is_empty() { slos } else { format!("{slos} {cause}: {}.", record.why) }
}

fn law(law: &FittedLaw) -> String {
    let shares = format!(
        "Scalability law: {} with one request in the system, {} in series, {} for each pair, fits within {}",
        human(law.lambda_per_s, Unit::PerSecond),
        human(law.sigma, Unit::Share),
        significant(law.kappa, 2),
        human(law.error, Unit::Share),
    );
    match law.peak {
        Some((n, x)) => format!(
            "{shares}; throughput peaks at {} with {} in the system.",
            human(x, Unit::PerSecond),
            significant(n, 3)
        ),
        None => format!("{shares}; no peak in sight."),
    }
}

fn probes(record: &Capacity, style: Style) -> String {
    let mut table =
        Table::new().left("").right("offered").right("answered").right("mean").right("in flight").left("");
    let mut probes: Vec<_> = record.probes.iter().collect();
    probes.sort_by(|a, b| a.offered_per_s.total_cmp(&b.offered_per_s));
    for probe in probes {
        let (sign, tone, word) = match (&probe.unsound, &probe.broken) {
            (Some(cause), _) => ("?", Tone::Strong, cause.as_str()),
            (None, Some(cause)) => ("✗", Tone::Bad, cause.as_str()),
            (None, None) => ("✓", Tone::Good, ""),
        };
        table.push([
            Cell::toned(tone, sign),
            human(probe.offered_per_s, Unit::PerSecond).into(),
            human(probe.achieved_per_s, Unit::PerSecond).into(),
            human(probe.latency_mean_s, Unit::Seconds).into(),
            significant(probe.in_flight, 3).into(),
            word.into(),
        ]);
    }
    table.render(style, 3)
}
