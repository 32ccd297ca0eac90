//! A simulated run: what binds, what holds, then the tables.

use super::style::{Style, Tone, clean, wrap};
use super::table::{Cell, Table};
use super::{quantile, section, sentences, slos, title};
use crate::format::{human, signed, with_margin, with_separators};
use crate::record::{ActionRun, Run, Unit};
use crate::story;

/// Shares below this are shown as nothing rejected or failed.
const NONE_SHARE: f64 = 1e-12;

/// Bottleneck and SLOs first, then actions, traffic, caches, servers and links.
#[must_use]
pub fn run(record: &Run, style: Style) -> String {
    let mut out = title(style, &record.provenance.scenario, &story::method(record));
    if record.provenance.partial {
        out.push_str(&format!(" {}\n", style.paint(Tone::Bad, "partial: stopped early")));
    }
    if let Some(sentence) = story::bottleneck(record) {
        out.push('\n');
        for line in wrap(&clean(&sentence), style.width.saturating_sub(1)) {
            out.push_str(&format!(" {line}\n"));
        }
    }
    if !record.slos.is_empty() {
        let heading = format!("SLOs: {}", story::slo_count(&record.slos));
        out.push_str(&section(style, &heading, &slos(style, &record.slos)));
    }
    out.push_str(&section(style, "events", &events(record, style)));
    out.push_str(&section(style, "actions", &actions(record, style)));
    out.push_str(&section(style, "served by", &served_by(record, style)));
    out.push_str(&section(style, "traffic", &traffic(record, style)));
    out.push_str(&section(style, "caches", &caches(record, style)));
    out.push_str(&section(style, "memory and disk", &levels(record, style)));
    out.push_str(&section(style, "servers", &stations(record, style)));
    out.push_str(&section(style, "kinds of servers", &kinds(record, style)));
    out.push_str(&section(style, "links", &links(record, style)));
    out.push_str(&section(style, "disks", &disks(record, style)));
    out.push_str(&section(style, "connections", &connections(record, style)));
    out.push_str(&section(style, "copies", &copies(record, style)));
    out.push_str(&section(style, "notes", &sentences(style, Tone::Plain, 3, &record.notes)));
    out.push('\n');
    for line in wrap(&clean(&story::provenance(&record.provenance)), style.width.saturating_sub(1)) {
        out.push_str(&format!(" {}\n", style.paint(Tone::Quiet, &line)));
    }
    out
}

fn actions(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("mean")
        .right("peak")
        .right("first byte p50")
        .right("p99")
        .right("complete p50")
        .right("p99")
        .right("failed");
    for action in &record.actions {
        table.push([
            action.name.as_str().into(),
            human(action.rate_mean_per_s, Unit::PerSecond).into(),
            human(action.rate_peak_per_s, Unit::PerSecond).into(),
            with_margin(&action.first_byte_p50_s, Unit::Seconds).into(),
            with_margin(&action.first_byte_p99_s, Unit::Seconds).into(),
            quantile(&action.complete, 0.5).into(),
            quantile(&action.complete, 0.99).into(),
            failed(action.failed_share),
        ]);
    }
    table.render(style, 3)
}

/// What each event did to the actions that it hit.
fn events(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .left("UTC")
        .left("hits")
        .right("first byte p99")
        .right("usually")
        .right("failed")
        .left("as usual again");
    for event in &record.events {
        let hit = story::hit(event);
        for at in 0..hit.len().max(1) {
            let first = |text: String| if at == 0 { text } else { String::new() };
            let impact = hit.get(at).copied();
            let time = |of: Option<f64>| of.map(|s| human(s, Unit::Seconds)).unwrap_or_default();
            table.push([
                first(event.name.clone()).as_str().into(),
                first(story::lasts(record, event)).into(),
                story::whom(event, impact).into(),
                time(impact.and_then(|i| i.first_byte_p99_s)).into(),
                time(impact.and_then(|i| i.usual_p99_s)).into(),
                impact.map_or_else(|| "".into(), |i| failed(i.failed_share)),
                first(story::recovered(record, event)).into(),
            ]);
        }
    }
    table.render(style, 3)
}

fn served_by(record: &Run, style: Style) -> String {
    let mut table = Table::new().left("").left("");
    for action in record.actions.iter().filter(|a| !a.served_by.is_empty()) {
        table.push([action.name.as_str().into(), shares(action).into()]);
    }
    table.render(style, 3)
}

fn shares(action: &ActionRun) -> String {
    let parts = action.served_by.iter().filter(|s| s.share > 0.0);
    parts.map(|s| format!("{} {}", s.tier, human(s.share, Unit::Share))).collect::<Vec<_>>().join(" · ")
}

fn traffic(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("requests")
        .right("mean")
        .right("peak")
        .right("bytes out")
        .right("egress peak");
    for tier in &record.tiers {
        table.push([
            tier.name.as_str().into(),
            human(tier.requests, Unit::Count).into(),
            human(tier.rate_mean_per_s, Unit::PerSecond).into(),
            human(tier.rate_peak_per_s, Unit::PerSecond).into(),
            human(tier.bytes_out, Unit::Bytes).into(),
            human(tier.egress_peak_bit_per_s, Unit::BitsPerSecond).into(),
        ]);
    }
    table.render(style, 3)
}

fn caches(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .left("policy")
        .right("caches")
        .right("of")
        .right("hit ratio")
        .right("by Che")
        .right("less Che");
    for tier in &record.tiers {
        let Some(cache) = &tier.cache else { continue };
        let che = cache.che_hit_ratio;
        table.push([
            tier.name.as_str().into(),
            cache.policy.as_str().into(),
            human(cache.instances as f64, Unit::Count).into(),
            human(cache.capacity_bytes, Unit::Bytes).into(),
            with_margin(&cache.hit_ratio, Unit::Share).into(),
            che.map(|c| human(c, Unit::Share)).unwrap_or_default().into(),
            che.map(|c| signed(cache.hit_ratio.value - c, Unit::Share)).unwrap_or_default().into(),
        ]);
    }
    table.render(style, 3)
}

fn levels(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("memory of one")
        .right("hits from memory")
        .right("by Che")
        .right("from disk")
        .right("read at peak")
        .right("written")
        .right("of both");
    for tier in &record.tiers {
        let Some(levels) = tier.cache.as_ref().and_then(|cache| cache.levels.as_ref()) else { continue };
        table.push([
            tier.name.as_str().into(),
            human(levels.memory_bytes, Unit::Bytes).into(),
            with_margin(&levels.memory_hit_ratio, Unit::Share).into(),
            levels.formula_memory_hit_ratio.map(|c| human(c, Unit::Share)).unwrap_or_default().into(),
            with_margin(&levels.disk_hit_ratio, Unit::Share).into(),
            human(levels.reads_peak_per_s, Unit::PerSecond).into(),
            human(levels.writes_peak_per_s, Unit::PerSecond).into(),
            human(levels.throughput_peak_bit_per_s, Unit::BitsPerSecond).into(),
        ]);
    }
    table.render(style, 3)
}

fn stations(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("servers")
        .right("busy")
        .right("at peak")
        .left(story::moment_heading(record))
        .right("mean wait")
        .right("by formula")
        .right("rejected");
    for tier in &record.tiers {
        let Some(station) = &tier.station else { continue };
        table.push([
            tier.name.as_str().into(),
            format!("{} x {}", with_separators(station.servers), with_separators(station.concurrency)).into(),
            human(station.utilisation_mean, Unit::Share).into(),
            with_margin(&station.utilisation_peak, Unit::Share).into(),
            story::short_moment_in(record, station.peak_at_s, station.peak_local_s, &station.peak_region)
                .into(),
            with_margin(&station.wait_mean_peak_s, Unit::Seconds).into(),
            human(station.erlang_wait_peak_s, Unit::Seconds).into(),
            failed(station.rejected_share),
        ]);
    }
    table.render(style, 3)
}

fn links(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("links")
        .right("of")
        .right("full at peak")
        .left(story::moment_heading(record))
        .right("a body then")
        .right("by formula");
    for tier in &record.tiers {
        let Some(link) = &tier.link else { continue };
        let shared = link.transfer.as_ref();
        table.push([
            tier.name.as_str().into(),
            with_separators(link.instances).into(),
            human(link.capacity_bit_per_s, Unit::BitsPerSecond).into(),
            human(link.utilisation_peak, Unit::Share).into(),
            story::short_moment_in(record, link.peak_at_s, link.peak_local_s, &link.peak_region).into(),
            shared.map(|t| with_margin(&t.mean_peak_s, Unit::Seconds)).unwrap_or_default().into(),
            shared.and_then(|t| t.formula_peak_s).map(|s| human(s, Unit::Seconds)).unwrap_or_default().into(),
        ]);
    }
    table.render(style, 3)
}

fn kinds(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("servers")
        .right("speed")
        .right("link")
        .right("of requests")
        .right("by policy")
        .right("busy")
        .right("at peak");
    for tier in &record.tiers {
        for kind in &tier.kinds {
            table.push([
                tier.name.as_str().into(),
                with_separators(kind.servers).into(),
                human(kind.speed, Unit::Number).into(),
                kind.link_bit_per_s.map(|link| human(link, Unit::BitsPerSecond)).unwrap_or_default().into(),
                human(kind.requests_share, Unit::Share).into(),
                human(kind.formula_requests_share, Unit::Share).into(),
                human(kind.utilisation_mean, Unit::Share).into(),
                human(kind.utilisation_peak, Unit::Share).into(),
            ]);
        }
    }
    table.render(style, 3)
}

fn disks(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("servers")
        .right("operations of one")
        .right("used at peak")
        .left(story::moment_heading(record))
        .right("mean wait")
        .right("by formula")
        .right("rejected");
    for tier in &record.tiers {
        let Some(disks) = &tier.disks else { continue };
        let wait = disks.wait_mean_peak_s.as_ref();
        table.push([
            tier.name.as_str().into(),
            with_separators(disks.servers).into(),
            human(disks.iops_per_server, Unit::PerSecond).into(),
            human(disks.utilisation_peak, Unit::Share).into(),
            story::short_moment_in(record, disks.peak_at_s, disks.peak_local_s, &disks.peak_region).into(),
            wait.map(|w| with_margin(w, Unit::Seconds)).unwrap_or_default().into(),
            disks.formula_wait_peak_s.map(|s| human(s, Unit::Seconds)).unwrap_or_default().into(),
            failed(disks.rejected_share),
        ]);
    }
    table.render(style, 3)
}

fn copies(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("copies")
        .right("a write waits for")
        .right("a read asks")
        .right("mean lag")
        .right("stale reads")
        .right("by formula");
    for tier in &record.tiers {
        let Some(stale) = &tier.staleness else { continue };
        table.push([
            tier.name.as_str().into(),
            stale.copies.to_string().into(),
            stale.write_quorum.to_string().into(),
            stale.read_quorum.to_string().into(),
            human(stale.lag_mean_s, Unit::Seconds).into(),
            with_margin(&stale.stale_share, Unit::Share).into(),
            human(stale.formula_stale_share, Unit::Share).into(),
        ]);
    }
    table.render(style, 3)
}

fn connections(record: &Run, style: Style) -> String {
    let mut table = Table::new()
        .left("")
        .right("of one server")
        .right("used at peak")
        .left(story::moment_heading(record))
        .right("refused then")
        .right("by formula")
        .right("refused");
    for tier in &record.tiers {
        let Some(held) = &tier.connections else { continue };
        table.push([
            tier.name.as_str().into(),
            human(held.each, Unit::Count).into(),
            human(held.used_peak, Unit::Share).into(),
            story::short_moment_in(record, held.peak_at_s, held.peak_local_s, &held.peak_region).into(),
            with_margin(&held.refused_peak, Unit::Share).into(),
            human(held.formula_refused_peak, Unit::Share).into(),
            failed(held.refused_share),
        ]);
    }
    table.render(style, 3)
}

fn failed(share: f64) -> Cell {
    if share > NONE_SHARE { Cell::toned(Tone::Bad, human(share, Unit::Share)) } else { "none".into() }
}
