//! A load run: whether it may be trusted, then what it measured.

use super::style::{Style, Tone, clean, mark, wrap};
use super::table::{Cell, Table};
use super::{quantile, section, sentences, title};
use crate::format::{human, with_separators};
use crate::record::{ActionMeasured, Measurement, Unit};
use crate::story;

/// Trust first, then the generator's own figures, actions, tiers and failures.
#[must_use]
pub fn measurement(record: &Measurement, style: Style) -> String {
    let span = format!(
        "{} measured after {} of warm-up, against {}",
        human(record.duration_s, Unit::Seconds),
        human(record.warmup_s, Unit::Seconds),
        record.target
    );
    let mut out = title(style, &record.provenance.scenario, &span);
    let (sign, tone) = mark(record.invalid.is_empty());
    let verdict =
        if record.invalid.is_empty() { "the run is sound" } else { "the run should not be trusted" };
    out.push_str(&format!("\n {}\n", style.paint(tone, &format!("{sign} {verdict}"))));
    out.push_str(&sentences(style, Tone::Bad, 3, &record.invalid));
    out.push_str(&section(style, "requests", &requests(record, style)));
    out.push_str(&section(style, "actions", &actions(record, style)));
    out.push_str(&section(style, "served by", &served_by(record, style)));
    out.push_str(&section(style, "regions", &regions(record, style)));
    out.push_str(&section(style, "tiers", &tiers(record, style)));
    out.push_str(&section(style, "failures", &failures(record, style)));
    out.push('\n');
    for line in wrap(&clean(&story::provenance(&record.provenance)), style.width.saturating_sub(1)) {
        out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
    }
    out
}

fn requests(record: &Measurement, style: Style) -> String {
    let mut table = Table::new().left("").right("").left("");
    let lag = format!(
        "p50 {}, p99 {}, at most {}",
        quantile(&record.lag, 0.5),
        quantile(&record.lag, 0.99),
        human(record.lag.max_s, Unit::Seconds)
    );
    let count = |n: u64| Cell::from(with_separators(n));
    let bad = |n: u64| Cell::toned(if n > 0 { Tone::Bad } else { Tone::Plain }, with_separators(n));
    table.push(["planned".into(), count(record.planned), "".into()]);
    let lag = if record.lag.count > 0 { format!("late by {lag}") } else { String::new() };
    table.push(["sent".into(), count(record.sent), lag.into()]);
    if record.connect.count > 0 {
        let took = format!("p50 {}, p99 {}", quantile(&record.connect, 0.5), quantile(&record.connect, 0.99));
        table.push(["connections".into(), count(record.connect.count), took.into()]);
    }
    table.push(["missed".into(), bad(record.missed), "planned and never sent".into()]);
    table.push(["failed".into(), bad(record.failed), "".into()]);
    table.push(["on the device".into(), count(record.local), "answered without traffic".into()]);
    table.render(style, 3)
}

fn actions(record: &Measurement, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("requests")
        .right("rate")
        .right("first byte p50")
        .right("p99")
        .right("complete p50")
        .right("p99")
        .right("bytes")
        .right("stalled")
        .right("silence p99")
        .right("failed");
    for action in &record.actions {
        let played = action.rebuffer.as_ref();
        let tone = if action.failed > 0 { Tone::Bad } else { Tone::Plain };
        table.push([
            action.name.as_str().into(),
            with_separators(action.requests).into(),
            human(action.rate_per_s, Unit::PerSecond).into(),
            quantile(&action.first_byte, 0.5).into(),
            quantile(&action.first_byte, 0.99).into(),
            quantile(&action.complete, 0.5).into(),
            quantile(&action.complete, 0.99).into(),
            human(action.bytes as f64, Unit::Bytes).into(),
            played.map(|_| with_separators(action.stalled)).unwrap_or_default().into(),
            played.map(|rebuffer| quantile(rebuffer, 0.99)).unwrap_or_default().into(),
            Cell::toned(tone, with_separators(action.failed)),
        ]);
    }
    table.render(style, 3)
}

fn served_by(record: &Measurement, style: Style) -> String {
    let shares = |action: &ActionMeasured| {
        let parts = action.served_by.iter().filter(|s| s.share > 0.0);
        parts.map(|s| format!("{} {}", s.tier, human(s.share, Unit::Share))).collect::<Vec<_>>().join(" · ")
    };
    let mut table = Table::new().left("").left("");
    for action in record.actions.iter().filter(|a| !a.served_by.is_empty()) {
        table.push([action.name.as_str().into(), shares(action).into()]);
    }
    table.render(style, 3)
}

/// The mix that the scenario wants, that was planned and that was sent, and what each region's caches answered.
fn regions(record: &Measurement, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("sites")
        .right("of the demand")
        .right("planned")
        .right("sent")
        .right("of all sent")
        .right("failed")
        .left("hit ratios");
    for region in &record.regions {
        let tone = if region.failed > 0 { Tone::Bad } else { Tone::Plain };
        let hits = region
            .caches
            .iter()
            .map(|cache| format!("{} {}", cache.tier, human(cache.hit_ratio, Unit::Share)));
        table.push([
            region.name.as_str().into(),
            with_separators(region.sites).into(),
            human(region.share, Unit::Share).into(),
            with_separators(region.planned).into(),
            with_separators(region.sent).into(),
            human(region.sent as f64 / record.sent.max(1) as f64, Unit::Share).into(),
            Cell::toned(tone, with_separators(region.failed)),
            hits.collect::<Vec<_>>().join(" · ").into(),
        ]);
    }
    table.render(style, 3)
}

fn tiers(record: &Measurement, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("requests")
        .right("rate")
        .right("hit ratio")
        .right("busy")
        .right("wait")
        .right("service")
        .right("bytes out")
        .right("rejected");
    let share = |v: Option<f64>| v.map(|v| human(v, Unit::Share)).unwrap_or_default();
    let time = |v: Option<f64>| v.map(|v| human(v, Unit::Seconds)).unwrap_or_default();
    for tier in &record.tiers {
        let tone = if tier.rejected > 0 { Tone::Bad } else { Tone::Plain };
        table.push([
            tier.name.as_str().into(),
            with_separators(tier.requests).into(),
            human(tier.rate_per_s, Unit::PerSecond).into(),
            share(tier.hit_ratio).into(),
            share(tier.utilisation).into(),
            time(tier.wait_mean_s).into(),
            time(tier.service_mean_s).into(),
            human(tier.bytes_out as f64, Unit::Bytes).into(),
            Cell::toned(tone, with_separators(tier.rejected)),
        ]);
    }
    table.render(style, 3)
}

fn failures(record: &Measurement, style: Style) -> String {
    let mut table = Table::new().right("").left("").left("");
    for (kind, count) in &record.failures {
        let words = Cell::toned(Tone::Quiet, story::failure(kind));
        table.push([with_separators(*count).into(), kind.as_str().into(), words]);
    }
    table.render(style, 3)
}
