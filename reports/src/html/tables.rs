//! Tables of runs, the measurement, the comparison and the stages.

use super::element::{Column, Row, definitions, escape, id, list, table};
use super::pictures::{COMPARISON, comparison_row};
use crate::format::{human, signed, with_margin, with_separators};
use crate::record::{Latency, Measurement, Report, Run, Served, TierRun, Unit};
use crate::story;
use Column::{Number, Text};

pub fn comparison(report: &Report) -> String {
    let Some(comparison) = &report.comparison else { return String::new() };
    let worst = story::worst(comparison).map(|(row, _)| row.id.as_str());
    let rows: Vec<Row> = comparison
        .rows
        .iter()
        .map(|row| comparison_row(row).with_class(if worst == Some(row.id.as_str()) { "worst" } else { "" }))
        .collect();
    let note = "<p>The row in bold has the largest error. One point of a share counts as much as one per cent \
                of anything else. A positive error means that the prediction is too high.</p>\n";
    let body = table("", &COMPARISON, &rows);
    if body.is_empty() { body } else { format!("{note}{body}") }
}

/// The full day; its rows are what links lead to.
pub fn simulation(report: &Report) -> String {
    report.simulation.as_ref().map(|run| tables_of(run, true)).unwrap_or_default()
}

/// The scaled-down run as predicted.
pub fn prediction(report: &Report) -> String {
    let links = report.simulation.is_none();
    report.prediction.as_ref().map(|run| tables_of(run, links)).unwrap_or_default()
}

pub fn measurement(report: &Report) -> String {
    report.measurement.as_ref().map(measured).unwrap_or_default()
}

pub fn stages(report: &Report) -> String {
    let rows: Vec<Row> = report
        .stages
        .iter()
        .map(|s| {
            let memory = s.peak_memory_bytes.map(|b| human(b as f64, Unit::Bytes)).unwrap_or_default();
            Row::of([s.name.clone(), human(s.wall_s, Unit::Seconds), memory])
        })
        .collect();
    table("Stages", &[Text("stage"), Number("took"), Number("memory, at most")], &rows)
}

fn tables_of(run: &Run, links: bool) -> String {
    let body = [
        event_table(run),
        actions(run, links),
        traffic(run, links),
        caches(run, links),
        level_table(run),
        stations(run, links),
        kind_table(run),
        link_table(run, links),
        disk_table(run, links),
        connection_table(run),
        copy_table(run),
    ]
    .concat();
    if links && !body.is_empty() { format!("<div id=\"actions\"></div>\n{body}") } else { body }
}

fn anchored(row: Row, links: bool, kind: &str, name: &str) -> Row {
    if links { row.with_id(id(kind, name)) } else { row }
}

/// What each event did to the actions that it hit.
fn event_table(run: &Run) -> String {
    let mut rows = Vec::new();
    for event in &run.events {
        let hit = story::hit(event);
        for at in 0..hit.len().max(1) {
            let first = |text: String| if at == 0 { text } else { String::new() };
            let impact = hit.get(at).copied();
            let time = |of: Option<f64>| of.map(|s| human(s, Unit::Seconds)).unwrap_or_default();
            rows.push(Row::of([
                first(event.name.clone()),
                first(story::lasts(run, event)),
                story::whom(event, impact).to_owned(),
                time(impact.and_then(|i| i.first_byte_p99_s)),
                time(impact.and_then(|i| i.usual_p99_s)),
                impact.map(|i| human(i.failed_share, Unit::Share)).unwrap_or_default(),
                first(story::recovered(run, event)),
            ]));
        }
    }
    let columns = [
        Text("event"),
        Text("UTC"),
        Text("hits"),
        Number("first byte p99, worst slot"),
        Number("usually"),
        Number("failed, worst slot"),
        Text("as usual again"),
    ];
    table("Events", &columns, &rows)
}

fn actions(run: &Run, links: bool) -> String {
    let rows: Vec<Row> = run
        .actions
        .iter()
        .map(|a| {
            let row = Row::of([
                a.name.clone(),
                human(a.rate_mean_per_s, Unit::PerSecond),
                human(a.rate_peak_per_s, Unit::PerSecond),
                with_margin(&a.first_byte_p50_s, Unit::Seconds),
                with_margin(&a.first_byte_p99_s, Unit::Seconds),
                quantile(&a.complete, 0.5),
                quantile(&a.complete, 0.99),
                human(a.failed_share, Unit::Share),
                String::new(),
            ]);
            with_last(anchored(row, links, "action", &a.name), served(&a.served_by))
        })
        .collect();
    let columns = [
        Text("action"),
        Number("mean"),
        Number("peak"),
        Number("first byte p50"),
        Number("p99"),
        Number("complete p50"),
        Number("p99"),
        Number("failed"),
        Text("served by"),
    ];
    table("Actions", &columns, &rows)
}

fn traffic(run: &Run, links: bool) -> String {
    let rows: Vec<Row> = run
        .tiers
        .iter()
        .map(|t| {
            let row = Row::of([
                t.name.clone(),
                human(t.requests, Unit::Count),
                human(t.rate_mean_per_s, Unit::PerSecond),
                human(t.rate_peak_per_s, Unit::PerSecond),
                human(t.bytes_out, Unit::Bytes),
                human(t.egress_peak_bit_per_s, Unit::BitsPerSecond),
            ]);
            anchored(row, links, "tier", &t.name)
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("requests"),
        Number("mean"),
        Number("peak"),
        Number("bytes out"),
        Number("egress at peak"),
    ];
    table("Traffic", &columns, &rows)
}

fn caches(run: &Run, links: bool) -> String {
    let cached = run.tiers.iter().filter_map(|t| t.cache.as_ref().map(|c| (t, c)));
    let rows: Vec<Row> = cached
        .map(|(t, c)| {
            let row = Row::of([
                t.name.clone(),
                c.policy.clone(),
                human(c.instances as f64, Unit::Count),
                human(c.capacity_bytes, Unit::Bytes),
                with_margin(&c.hit_ratio, Unit::Share),
                c.che_hit_ratio.map(|v| human(v, Unit::Share)).unwrap_or_default(),
                c.che_hit_ratio.map(|v| signed(c.hit_ratio.value - v, Unit::Share)).unwrap_or_default(),
            ]);
            anchored(row, links, "cache", &t.name)
        })
        .collect();
    let columns = [
        Text("tier"),
        Text("policy"),
        Number("caches"),
        Number("of"),
        Number("hit ratio"),
        Number("by Che"),
        Number("less Che"),
    ];
    table("Caches", &columns, &rows)
}

fn level_table(run: &Run) -> String {
    let of = |t: &TierRun| Some((t.name.clone(), t.cache.as_ref()?.levels.clone()?));
    let rows: Vec<Row> = run
        .tiers
        .iter()
        .filter_map(of)
        .map(|(name, l)| {
            Row::of([
                name,
                human(l.memory_bytes, Unit::Bytes),
                with_margin(&l.memory_hit_ratio, Unit::Share),
                l.formula_memory_hit_ratio.map(|v| human(v, Unit::Share)).unwrap_or_default(),
                with_margin(&l.disk_hit_ratio, Unit::Share),
                human(l.reads_peak_per_s, Unit::PerSecond),
                human(l.writes_peak_per_s, Unit::PerSecond),
                human(l.throughput_peak_bit_per_s, Unit::BitsPerSecond),
            ])
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("memory of one"),
        Number("hits from memory"),
        Number("by Che"),
        Number("from disk"),
        Number("read at peak"),
        Number("written"),
        Number("of both"),
    ];
    table("Memory and disk", &columns, &rows)
}

fn stations(run: &Run, links: bool) -> String {
    let with_servers = run.tiers.iter().filter_map(|t| t.station.as_ref().map(|s| (t, s)));
    let rows: Vec<Row> = with_servers
        .map(|(t, s)| {
            let row = Row::of([
                t.name.clone(),
                format!("{} × {}", with_separators(s.servers), with_separators(s.concurrency)),
                human(s.service_mean_s, Unit::Seconds),
                human(s.utilisation_mean, Unit::Share),
                with_margin(&s.utilisation_peak, Unit::Share),
                story::short_moment_in(run, s.peak_at_s, s.peak_local_s, &s.peak_region),
                with_margin(&s.wait_mean_peak_s, Unit::Seconds),
                human(s.erlang_wait_peak_s, Unit::Seconds),
                quantile(&s.sojourn, 0.99),
                human(s.queue_peak, Unit::Count),
                human(s.rejected_share, Unit::Share),
            ]);
            anchored(row, links, "servers", &t.name)
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("servers × slots"),
        Number("service"),
        Number("busy"),
        Number("busy at peak"),
        Text(story::moment_heading(run)),
        Number("mean wait then"),
        Number("by formula"),
        Number("wait + service p99"),
        Number("queue at peak"),
        Number("rejected"),
    ];
    table("Servers", &columns, &rows)
}

fn kind_table(run: &Run) -> String {
    let rows: Vec<Row> = run
        .tiers
        .iter()
        .flat_map(|t| t.kinds.iter().map(move |k| (t, k)))
        .map(|(t, k)| {
            Row::of([
                t.name.clone(),
                with_separators(k.servers),
                human(k.speed, Unit::Number),
                k.link_bit_per_s.map(|link| human(link, Unit::BitsPerSecond)).unwrap_or_default(),
                human(k.requests_share, Unit::Share),
                human(k.formula_requests_share, Unit::Share),
                human(k.utilisation_mean, Unit::Share),
                human(k.utilisation_peak, Unit::Share),
            ])
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("servers"),
        Number("speed"),
        Number("link"),
        Number("of requests"),
        Number("by policy"),
        Number("busy"),
        Number("busy at peak"),
    ];
    table("Kinds of servers", &columns, &rows)
}

fn link_table(run: &Run, links: bool) -> String {
    let linked = || run.tiers.iter().filter_map(|t| t.link.as_ref().map(|l| (t, l)));
    // Only a run of every request knows how long bodies take.
    let timed = linked().any(|(_, l)| l.transfer.is_some());
    let rows: Vec<Row> = linked()
        .map(|(t, l)| {
            let mut row = Row::of([
                t.name.clone(),
                with_separators(l.instances),
                human(l.capacity_bit_per_s, Unit::BitsPerSecond),
                human(l.utilisation_peak, Unit::Share),
                story::short_moment_in(run, l.peak_at_s, l.peak_local_s, &l.peak_region),
            ]);
            if timed {
                let shared = l.transfer.as_ref();
                let formula = shared.and_then(|t| t.formula_peak_s);
                row.cells.push(
                    shared.map(|t| escape(&with_margin(&t.mean_peak_s, Unit::Seconds))).unwrap_or_default(),
                );
                row.cells.push(formula.map(|s| human(s, Unit::Seconds)).unwrap_or_default());
            }
            anchored(row, links, "link", &t.name)
        })
        .collect();
    let mut columns = vec![
        Text("tier"),
        Number("links"),
        Number("of"),
        Number("full at peak"),
        Text(story::moment_heading(run)),
    ];
    if timed {
        columns.extend([Number("mean time of a body then"), Number("by formula")]);
    }
    table("Links", &columns, &rows)
}

fn disk_table(run: &Run, links: bool) -> String {
    let rows: Vec<Row> = run
        .tiers
        .iter()
        .filter_map(|t| t.disks.as_ref().map(|d| (t, d)))
        .map(|(t, d)| {
            let row = Row::of([
                t.name.clone(),
                with_separators(d.servers),
                human(d.iops_per_server, Unit::PerSecond),
                human(d.utilisation_peak, Unit::Share),
                story::short_moment_in(run, d.peak_at_s, d.peak_local_s, &d.peak_region),
                d.wait_mean_peak_s.as_ref().map(|w| with_margin(w, Unit::Seconds)).unwrap_or_default(),
                d.formula_wait_peak_s.map(|s| human(s, Unit::Seconds)).unwrap_or_default(),
                human(d.rejected_share, Unit::Share),
            ]);
            anchored(row, links, "disks", &t.name)
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("servers"),
        Number("operations of one"),
        Number("used at peak"),
        Text(story::moment_heading(run)),
        Number("mean wait then"),
        Number("by formula"),
        Number("rejected"),
    ];
    table("Disks", &columns, &rows)
}

fn connection_table(run: &Run) -> String {
    let rows: Vec<Row> = run
        .tiers
        .iter()
        .filter_map(|t| t.connections.as_ref().map(|c| (t, c)))
        .map(|(t, c)| {
            Row::of([
                t.name.clone(),
                human(c.each, Unit::Count),
                human(c.used_peak, Unit::Share),
                story::short_moment_in(run, c.peak_at_s, c.peak_local_s, &c.peak_region),
                with_margin(&c.refused_peak, Unit::Share),
                human(c.formula_refused_peak, Unit::Share),
                human(c.refused_share, Unit::Share),
            ])
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("connections of one server"),
        Number("used at peak"),
        Text(story::moment_heading(run)),
        Number("refused then"),
        Number("by formula"),
        Number("refused"),
    ];
    table("Connections", &columns, &rows)
}

fn copy_table(run: &Run) -> String {
    let rows: Vec<Row> = run
        .tiers
        .iter()
        .filter_map(|t| t.staleness.as_ref().map(|s| (t, s)))
        .map(|(t, s)| {
            Row::of([
                t.name.clone(),
                s.copies.to_string(),
                s.write_quorum.to_string(),
                s.read_quorum.to_string(),
                human(s.lag_mean_s, Unit::Seconds),
                with_margin(&s.stale_share, Unit::Share),
                human(s.formula_stale_share, Unit::Share),
            ])
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("copies"),
        Number("a write waits for"),
        Number("a read asks"),
        Number("mean lag"),
        Number("stale reads"),
        Number("by formula"),
    ];
    table("Copies", &columns, &rows)
}

fn measured(m: &Measurement) -> String {
    let count = |n: u64| with_separators(n);
    let lag = if m.lag.count == 0 {
        "not measured".to_owned()
    } else {
        format!(
            "p50 {}, p99 {}, at most {}",
            quantile(&m.lag, 0.5),
            quantile(&m.lag, 0.99),
            human(m.lag.max_s, Unit::Seconds)
        )
    };
    let pairs = [
        ("against", m.target.clone()),
        ("counted", human(m.duration_s, Unit::Seconds)),
        ("warm-up before", human(m.warmup_s, Unit::Seconds)),
        ("planned", count(m.planned)),
        ("sent", count(m.sent)),
        ("missed", count(m.missed)),
        ("failed", count(m.failed)),
        ("on the device", format!("{}, without traffic", count(m.local))),
        ("sent late by", lag),
    ];
    let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), escape(v))).collect();
    let failures: Vec<Row> = m
        .failures
        .iter()
        .map(|(kind, n)| Row::of([kind.clone(), with_separators(*n), story::failure(kind).to_owned()]))
        .collect();
    let body = [
        definitions(&pairs),
        list(&m.invalid),
        measured_actions(m),
        measured_regions(m),
        measured_tiers(m),
        table("Failures", &[Text("kind"), Number("requests"), Text("what it means")], &failures),
    ];
    body.concat()
}

fn measured_actions(m: &Measurement) -> String {
    let rows: Vec<Row> = m
        .actions
        .iter()
        .map(|a| {
            let row = Row::of([
                a.name.clone(),
                with_separators(a.requests),
                human(a.rate_per_s, Unit::PerSecond),
                quantile(&a.first_byte, 0.5),
                quantile(&a.first_byte, 0.99),
                quantile(&a.complete, 0.5),
                quantile(&a.complete, 0.99),
                human(a.bytes as f64, Unit::Bytes),
                with_separators(a.failed),
                String::new(),
            ]);
            with_last(row, served(&a.served_by))
        })
        .collect();
    let columns = [
        Text("action"),
        Number("requests"),
        Number("rate"),
        Number("first byte p50"),
        Number("p99"),
        Number("complete p50"),
        Number("p99"),
        Number("bytes"),
        Number("failed"),
        Text("served by"),
    ];
    table("Actions", &columns, &rows)
}

fn measured_regions(m: &Measurement) -> String {
    let share = |v: f64| human(v, Unit::Share);
    let rows: Vec<Row> = m
        .regions
        .iter()
        .map(|region| {
            let hits = region.caches.iter().map(|c| format!("{} {}", c.tier, share(c.hit_ratio)));
            Row::of([
                region.name.clone(),
                with_separators(region.sites),
                share(region.share),
                with_separators(region.planned),
                with_separators(region.sent),
                share(region.sent as f64 / m.sent.max(1) as f64),
                with_separators(region.failed),
                hits.collect::<Vec<_>>().join(" · "),
            ])
        })
        .collect();
    let columns = [
        Text("region"),
        Number("sites"),
        Number("of the demand"),
        Number("planned"),
        Number("sent"),
        Number("of all sent"),
        Number("failed"),
        Text("hit ratios"),
    ];
    table("Regions", &columns, &rows)
}

fn measured_tiers(m: &Measurement) -> String {
    let share = |v: Option<f64>| v.map(|v| human(v, Unit::Share)).unwrap_or_default();
    let time = |v: Option<f64>| v.map(|v| human(v, Unit::Seconds)).unwrap_or_default();
    let rows: Vec<Row> = m
        .tiers
        .iter()
        .map(|t| {
            Row::of([
                t.name.clone(),
                with_separators(t.requests),
                human(t.rate_per_s, Unit::PerSecond),
                share(t.hit_ratio),
                share(t.utilisation),
                time(t.wait_mean_s),
                time(t.service_mean_s),
                human(t.bytes_out as f64, Unit::Bytes),
                with_separators(t.rejected),
            ])
        })
        .collect();
    let columns = [
        Text("tier"),
        Number("requests"),
        Number("rate"),
        Number("hit ratio"),
        Number("busy"),
        Number("mean wait"),
        Number("mean service"),
        Number("bytes out"),
        Number("rejected"),
    ];
    table("Tiers", &columns, &rows)
}

fn with_last(mut row: Row, cell: String) -> Row {
    if let Some(last) = row.cells.last_mut() {
        *last = cell;
    }
    row
}

fn served(shares: &[Served]) -> String {
    let parts: Vec<String> = shares
        .iter()
        .filter(|s| s.share > 0.0)
        // Blanks that do not break, so that a number stays with its tier.
        .map(|s| format!("{} {}", s.tier, human(s.share, Unit::Share)).replace(' ', "\u{a0}"))
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("<div class=\"wrap\">{}</div>", escape(&parts.join(" · ")))
    }
}

fn quantile(latency: &Latency, p: f64) -> String {
    latency.at(p).map(|v| human(v, Unit::Seconds)).unwrap_or_default()
}
