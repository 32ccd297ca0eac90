//! Predicted beside measured.
//!
//! Why rows with stable ids: a gate, a table, a chart and next month's run must mean the same thing by
//! `edge.hit_ratio`. A row exists only where both sides have the quantity and the measured value is
//! large enough for an error to mean something.
//!
//! **Which error is worst.** Shares differ by points and all else by per cent; one point counts as much
//! as one per cent. So the worst row is the one with the largest absolute [`ComparisonRow::error`].

use crate::record::{
    ActionMeasured, ActionRun, Comparison, ComparisonRow, Latency, Measurement, Run, Served, TierMeasured,
    TierRun, Unit,
};

/// Times below this are noise of clocks and schedulers, seconds. A row whose times are both below is left
/// out, and no time is divided by less than this.
pub const NEGLIGIBLE_S: f64 = 1e-4;
/// The same for waits, which a measurement sees through timers and wake-ups of about this length, seconds.
pub const NEGLIGIBLE_WAIT_S: f64 = 1e-3;
/// The same for rates, 1/s.
pub const NEGLIGIBLE_PER_S: f64 = 1e-2;
/// Observations that must lie beyond a quantile on either side: with fewer, the quantile is one request's
/// luck.
const BEYOND_MIN: f64 = 10.0;

/// Lookups of one region that a hit ratio must rest on: with fewer it is chance by more than a point.
const LOOKUPS_MIN: f64 = 1_000.0;

/// Holds a prediction against the measurement of the same scaled-down scenario.
///
/// Requests that a device answers itself never reach the generator's sockets. Where the prediction has a
/// tier that answers requests and the measurement does not know it, that tier's share is taken out of the
/// predicted rates and shares.
#[must_use]
pub fn compare(prediction: &Run, measurement: &Measurement) -> Comparison {
    let mut rows = Vec::new();
    for tier in &prediction.tiers {
        if let Some(measured) = measurement.tiers.iter().find(|t| t.name == tier.name) {
            tier_rows(tier, measured, &mut rows);
        }
    }
    region_rows(prediction, measurement, &mut rows);
    for action in &prediction.actions {
        if let Some(measured) = measurement.actions.iter().find(|a| a.name == action.name) {
            let local = local_share(action, measurement, measured);
            action_rows(action, measured, local, &mut rows);
        }
    }
    let worst = worst(&rows).map(|row| row.id.clone());
    Comparison { provenance: measurement.provenance.clone(), rows, worst }
}

/// The row with the largest absolute error; the first of equals.
#[must_use]
pub fn worst(rows: &[ComparisonRow]) -> Option<&ComparisonRow> {
    let mut worst: Option<&ComparisonRow> = None;
    for row in rows.iter().filter(|row| row.error.is_finite()) {
        if worst.is_none_or(|w| row.error.abs() > w.error.abs()) {
            worst = Some(row);
        }
    }
    worst
}

/// Share of an action's requests that the prediction answers where the measurement has no tier.
fn local_share(action: &ActionRun, measurement: &Measurement, measured: &ActionMeasured) -> f64 {
    let known = |name: &str| {
        measurement.tiers.iter().any(|t| t.name == name) || measured.served_by.iter().any(|s| s.tier == name)
    };
    let share: f64 = action.served_by.iter().filter(|s| !known(&s.tier)).map(|s| s.share).sum();
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

fn tier_rows(tier: &TierRun, measured: &TierMeasured, rows: &mut Vec<ComparisonRow>) {
    let name = &tier.name;
    if let (Some(cache), Some(hit_ratio)) = (&tier.cache, measured.hit_ratio) {
        let (id, label) = (format!("{name}.hit_ratio"), format!("{name} hit ratio"));
        rows.extend(row(id, label, Unit::Share, cache.hit_ratio.value, hit_ratio));
    }
    let (id, label) = (format!("{name}.rate"), format!("{name} rate"));
    rows.extend(row(id, label, Unit::PerSecond, tier.rate_mean_per_s, measured.rate_per_s));
    let Some(station) = &tier.station else { return };
    if let Some(utilisation) = measured.utilisation {
        let (id, label) = (format!("{name}.utilisation"), format!("{name} busy"));
        rows.extend(row(id, label, Unit::Share, station.utilisation_mean, utilisation));
    }
    if let Some(wait) = measured.wait_mean_s {
        let (id, label) = (format!("{name}.wait_mean"), format!("{name} mean wait"));
        rows.extend(row_above(NEGLIGIBLE_WAIT_S, id, label, Unit::Seconds, station.wait.mean_s, wait));
    }
}

/// What the caches of each region answered: a busy region keeps its caches fuller of what is asked for.
fn region_rows(prediction: &Run, measurement: &Measurement, rows: &mut Vec<ComparisonRow>) {
    for tier in &prediction.tiers {
        for (region, predicted) in tier.cache.iter().flat_map(|cache| &cache.by_region) {
            let measured = measurement.regions.iter().find(|measured| measured.name == *region);
            let caches = measured.into_iter().flat_map(|measured| &measured.caches);
            let seen =
                caches.filter(|cache| cache.lookups >= LOOKUPS_MIN).find(|cache| cache.tier == tier.name);
            if let Some(cache) = seen {
                let (id, label) = (
                    format!("{}.hit_ratio.{region}", tier.name),
                    format!("{} hit ratio, {region}", tier.name),
                );
                rows.extend(row(id, label, Unit::Share, *predicted, cache.hit_ratio));
            }
        }
    }
}

fn action_rows(action: &ActionRun, measured: &ActionMeasured, local: f64, rows: &mut Vec<ComparisonRow>) {
    let name = &action.name;
    let sent = 1.0 - local;
    let (id, label) = (format!("{name}.rate"), format!("{name} rate"));
    rows.extend(row(id, label, Unit::PerSecond, action.rate_mean_per_s * sent, measured.rate_per_s));
    let times: [(&str, &str, &Latency, &Latency, &[u32]); 2] = [
        ("first_byte", "first byte", &action.first_byte, &measured.first_byte, &[50, 90, 99]),
        ("complete", "complete", &action.complete, &measured.complete, &[50, 99]),
    ];
    for (key, words, predicted, observed, percentiles) in times {
        for percentile in percentiles {
            let p = f64::from(*percentile) / 100.0;
            if let (Some(predicted), Some(observed)) = (quantile(predicted, p), quantile(observed, p)) {
                let id = format!("{name}.{key}.p{percentile}");
                let label = format!("{name} {words} p{percentile}");
                rows.extend(row(id, label, Unit::Seconds, predicted, observed));
            }
        }
    }
    if sent <= 0.0 {
        return;
    }
    for Served { tier, share } in &action.served_by {
        if let Some(observed) = measured.served_by.iter().find(|s| s.tier == *tier) {
            let id = format!("{name}.served_by.{tier}");
            let label = format!("{name} served by {tier}");
            rows.extend(row(id, label, Unit::Share, share / sent, observed.share));
        }
    }
}

/// A quantile with enough observations beyond it to be one.
fn quantile(latency: &Latency, p: f64) -> Option<f64> {
    let beyond = latency.count as f64 * (1.0 - p);
    if beyond < BEYOND_MIN { None } else { latency.at(p) }
}

fn row(id: String, label: String, unit: Unit, predicted: f64, measured: f64) -> Option<ComparisonRow> {
    let negligible = match unit {
        Unit::Share => 0.0,
        Unit::Seconds => NEGLIGIBLE_S,
        _ => NEGLIGIBLE_PER_S,
    };
    row_above(negligible, id, label, unit, predicted, measured)
}

/// A row, unless both values are below `negligible`; never divides by less than that.
fn row_above(
    negligible: f64,
    id: String,
    label: String,
    unit: Unit,
    predicted: f64,
    measured: f64,
) -> Option<ComparisonRow> {
    if !predicted.is_finite() || !measured.is_finite() {
        return None;
    }
    if unit == Unit::Share {
        return Some(ComparisonRow { id, label, unit, predicted, measured, error: predicted - measured });
    }
    if predicted < negligible && measured < negligible {
        return None;
    }
    let error = predicted.max(negligible) / measured.max(negligible) - 1.0;
    Some(ComparisonRow { id, label, unit, predicted, measured, error })
}
