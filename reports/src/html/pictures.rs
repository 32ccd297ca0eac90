//! Charts, each with its numbers in a table below it.

use super::element::{Column, Row, details, escape, table};
use crate::format::{clock, error, human, significant};
use crate::plot::{self, Plot};
use crate::record::{
    ActionMeasured, ActionRun, Comparison, ComparisonRow, Estimate, Influence, Report, Run, Unit,
};
use crate::story;

type Series<'a> = (String, Unit, Vec<Option<f64>>);

/// All charts that the report has figures for.
pub fn all(report: &Report) -> String {
    let mut out = String::new();
    if let Some(comparison) = &report.comparison {
        out.push_str(&figure(plot::shares(comparison), &comparison_table(comparison, |u| u == Unit::Share)));
        out.push_str(&figure(plot::errors(comparison), &comparison_table(comparison, |u| u != Unit::Share)));
    }
    out.push_str(&latencies(report));
    if let Some(run) = story::main_run(report) {
        out.push_str(&over_the_day(run));
    }
    if let Some(estimate) = &report.estimate {
        out.push_str(&tornadoes(estimate));
    }
    if out.is_empty() { out } else { format!("<div class=\"pictures\">\n{out}</div>\n") }
}

pub fn figure(plot: Option<Plot>, numbers: &str) -> String {
    let Some(plot) = plot else { return String::new() };
    format!(
        "<figure>\n<figcaption>{}</figcaption>\n{}<p>{}</p>\n{}</figure>\n",
        escape(&plot.title),
        plot.svg,
        escape(&plot.caption),
        details("the numbers", numbers)
    )
}

/// What the estimate hangs on.
fn tornadoes(estimate: &Estimate) -> String {
    let one = |influence: &Influence| {
        let quantity = estimate.quantities.iter().find(|q| q.id == influence.of)?;
        let rows: Vec<Row> = influence
            .inputs
            .iter()
            .map(|i| {
                Row::of([
                    i.input.clone(),
                    i.text.clone(),
                    human(i.share, Unit::Share),
                    human(i.low, quantity.unit),
                    human(i.high, quantity.unit),
                ])
            })
            .collect();
        Some(figure(plot::tornado(quantity, influence), &table("", &TORNADO, &rows)))
    };
    estimate.hangs_on.iter().take(TORNADOES_MAX).filter_map(one).collect()
}

/// Quantities whose inputs are drawn.
const TORNADOES_MAX: usize = 4;
const TORNADO: [Column<'static>; 5] = [
    Column::Text("input"),
    Column::Text("range"),
    Column::Number("share"),
    Column::Number("at its 5 %"),
    Column::Number("at its 95 %"),
];

/// One percentile chart an action: the scaled-down run if it was predicted or measured, else the full day.
fn latencies(report: &Report) -> String {
    let measured: &[ActionMeasured] = report.measurement.as_ref().map_or(&[], |m| &m.actions);
    let run = if measured.is_empty() { story::main_run(report) } else { report.prediction.as_ref() };
    let predicted: &[ActionRun] = run.map_or(&[], |r| &r.actions);
    let mut names: Vec<&str> = predicted.iter().map(|a| a.name.as_str()).collect();
    names
        .extend(measured.iter().map(|a| a.name.as_str()).filter(|n| !predicted.iter().any(|p| p.name == *n)));
    let mut out = String::new();
    for name in names {
        let (p, m) = (predicted.iter().find(|a| a.name == name), measured.iter().find(|a| a.name == name));
        out.push_str(&figure(plot::percentiles(p, m), &percentile_table(p, m)));
    }
    out
}

fn percentile_table(predicted: Option<&ActionRun>, measured: Option<&ActionMeasured>) -> String {
    let quantiles = |a: &crate::record::Latency| a.quantiles.iter().map(|q| q.p).collect::<Vec<_>>();
    let mut ps = predicted.map(|a| quantiles(&a.first_byte)).unwrap_or_default();
    ps.extend(measured.map(|a| quantiles(&a.first_byte)).unwrap_or_default());
    ps.sort_by(f64::total_cmp);
    ps.dedup();
    let time = |v: Option<f64>| v.map(|v| human(v, Unit::Seconds)).unwrap_or_default();
    let rows: Vec<Row> = ps
        .iter()
        .map(|p| {
            Row::of([
                format!("p{}", significant(p * 100.0, 6)),
                time(predicted.and_then(|a| a.first_byte.at(*p))),
                time(measured.and_then(|a| a.first_byte.at(*p))),
            ])
        })
        .collect();
    table("", &[Column::Text("first byte"), Column::Number("predicted"), Column::Number("measured")], &rows)
}

fn over_the_day(run: &Run) -> String {
    let some = |values: &[f64]| values.iter().map(|v| Some(*v)).collect::<Vec<_>>();
    let rates: Vec<Series> =
        run.actions.iter().map(|a| (a.name.clone(), Unit::PerSecond, some(&a.series.rate_per_s))).collect();
    let hits: Vec<Series> = run
        .tiers
        .iter()
        .filter(|t| t.cache.is_some())
        .map(|t| (t.name.clone(), Unit::Share, t.series.hit_ratio.clone()))
        .collect();
    let busy: Vec<Series> = run
        .tiers
        .iter()
        .filter(|t| t.station.is_some())
        .map(|t| (t.name.clone(), Unit::Share, t.series.utilisation.clone()))
        .collect();
    let times: Vec<Series> = run
        .actions
        .iter()
        .flat_map(|a| {
            [("p50", &a.series.first_byte_p50_s), ("p99", &a.series.first_byte_p99_s)]
                .map(|(p, values)| (format!("{} {p}", a.name), Unit::Seconds, values.clone()))
        })
        .collect();
    let tried: Vec<Series> = run
        .actions
        .iter()
        .filter(|a| !a.series.attempts_per_s.is_empty())
        .flat_map(|a| {
            let series = [("requests", &a.series.rate_per_s), ("attempts", &a.series.attempts_per_s)];
            let shown =
                series.map(|(what, values)| (format!("{} {what}", a.name), Unit::PerSecond, some(values)));
            let failed = (format!("{} failed", a.name), Unit::Share, some(&a.series.failed_share));
            shown.into_iter().chain([failed])
        })
        .collect();
    [
        figure(plot::storm(run), &series_table(run, &tried)),
        figure(plot::rates(run), &series_table(run, &rates)),
        figure(plot::hit_ratios(run), &series_table(run, &hits)),
        figure(plot::utilisation(run), &series_table(run, &busy)),
        figure(plot::first_byte(run), &series_table(run, &times)),
    ]
    .concat()
}

/// One row a slot, one column a series.
fn series_table(run: &Run, series: &[Series]) -> String {
    let slots = series.iter().map(|(_, _, values)| values.len()).max().unwrap_or(0);
    let day_like = run.duration_s >= 3600.0 || run.from_s > 0.0;
    let mut columns = vec![Column::Text(if day_like { "from, UTC" } else { "second" })];
    columns.extend(series.iter().map(|(name, _, _)| Column::Number(name)));
    let rows: Vec<Row> = (0..slots)
        .map(|slot| {
            let at = slot as f64 * run.slot_s;
            let mut cells = vec![if day_like { clock(run.from_s + at) } else { significant(at, 4) }];
            cells.extend(series.iter().map(|(_, unit, values)| {
                values.get(slot).copied().flatten().map(|v| escape(&human(v, *unit))).unwrap_or_default()
            }));
            Row { cells, ..Row::default() }
        })
        .collect();
    table("", &columns, &rows)
}

fn comparison_table(comparison: &Comparison, of: impl Fn(Unit) -> bool) -> String {
    let rows: Vec<Row> = comparison.rows.iter().filter(|r| of(r.unit)).map(comparison_row).collect();
    table("", &COMPARISON, &rows)
}

/// Columns of [`comparison_row`].
pub const COMPARISON: [Column<'static>; 4] = [
    Column::Text("quantity"),
    Column::Number("predicted"),
    Column::Number("measured"),
    Column::Number("error"),
];

pub fn comparison_row(row: &ComparisonRow) -> Row {
    Row::of([
        row.label.clone(),
        human(row.predicted, row.unit),
        human(row.measured, row.unit),
        error(row.error, row.unit),
    ])
}
