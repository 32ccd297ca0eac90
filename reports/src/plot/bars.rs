//! Predicted beside measured, one line a quantity: shares as pairs of points, all else as errors.

use plotters::style::text_anchor::{HPos, VPos};

use super::Plot;
use super::frame::{Area, Axis, Chart, Drawn, Layout, cut, draw, fine, path, point, text};
use super::svg::{Ink, text_width};
use crate::compare::worst;
use crate::format::{error, human};
use crate::record::{Comparison, ComparisonRow, Unit};

/// Rows of one chart.
const ROWS_MAX: usize = 12;
/// Errors beyond this are drawn at it; their number stands beside them.
const ERROR_MAX: f64 = 1.0;
const ROW_PX: f64 = 22.0;
const NAME_CHARS_MAX: usize = 28;

/// Shares (hit ratios, busy shares, who answered): the distance between two points is the error.
#[must_use]
pub fn shares(comparison: &Comparison) -> Option<Plot> {
    let (rows, left_out) = largest(comparison, |row| row.unit == Unit::Share);
    let title = format!("Shares: the largest error is {}", sentence(&rows)?);
    let ticks = [0.0, 0.5, 1.0].map(|v| (v, human(v, Unit::Share)));
    let x = Axis { low: 0.0, high: 1.0, ticks: ticks.to_vec(), title: String::new() };
    let svg = rows_chart(&rows, &x, &title, |root, chart, row, line| {
        let at = |v: f64| (chart.backend_coord(&(v.clamp(0.0, 1.0), 0.0)).0, line);
        path(root, &[at(row.predicted), at(row.measured)], Ink::Muted, 1.5)?;
        point(root, at(row.predicted), 4.75, Ink::Series(0), true)?;
        point(root, at(row.measured), 2.75, Ink::Series(1), false)
    })?;
    let caption =
        caption("Hollow points: predicted. Full points: measured. At the right: the error.", left_out);
    Some(Plot { title, caption, svg })
}

/// Rates, times and the like: by how much the prediction is off.
#[must_use]
pub fn errors(comparison: &Comparison) -> Option<Plot> {
    let (rows, left_out) = largest(comparison, |row| row.unit != Unit::Share);
    let title = format!("Rates and times: the largest error is {}", sentence(&rows)?);
    let reach = rows.iter().map(|r| r.error.abs()).fold(0.05, f64::max).min(ERROR_MAX);
    let reach = [0.05, 0.1, 0.2, 0.5, 1.0].into_iter().find(|r| *r >= reach - 1e-12).unwrap_or(ERROR_MAX);
    let ticks = [-1.0, 0.0, 1.0].map(|k| (k * reach, error(k * reach, Unit::Seconds)));
    let x = Axis { low: -reach, high: reach, ticks: ticks.to_vec(), title: String::new() };
    let svg = rows_chart(&rows, &x, &title, |root, chart, row, line| {
        let at = |v: f64| (chart.backend_coord(&(v.clamp(-reach, reach), 0.0)).0, line);
        path(root, &[at(0.0), at(row.error)], Ink::Series(0), 2.0)?;
        point(root, at(row.error), 3.5, Ink::Series(0), false)
    })?;
    let caption =
        caption("Predicted over measured: left of the middle, the prediction is too low.", left_out);
    Some(Plot { title, caption, svg })
}

/// The rows with the largest errors, largest first, and how many there are besides.
fn largest(comparison: &Comparison, of: impl Fn(&ComparisonRow) -> bool) -> (Vec<&ComparisonRow>, usize) {
    let mut rows: Vec<&ComparisonRow> =
        comparison.rows.iter().filter(|r| of(r) && r.error.is_finite()).collect();
    rows.sort_by(|a, b| b.error.abs().total_cmp(&a.error.abs()));
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    rows.truncate(ROWS_MAX);
    (rows, left_out)
}

fn sentence(rows: &[&ComparisonRow]) -> Option<String> {
    let rows: Vec<ComparisonRow> = rows.iter().map(|r| (*r).clone()).collect();
    let row = worst(&rows)?;
    Some(format!("{} ({})", error(row.error, row.unit), row.label))
}

fn caption(text: &str, left_out: usize) -> String {
    if left_out == 0 {
        return text.to_owned();
    }
    format!("{text} The {left_out} smallest errors are in the table only.")
}

/// A chart with one row a quantity: its name to the left, its error to the right.
fn rows_chart<F>(rows: &[&ComparisonRow], x: &Axis, title: &str, one: F) -> Option<String>
where
    F: for<'a> Fn(&Area<'a>, &Chart<'a>, &ComparisonRow, i32) -> Drawn,
{
    let names: Vec<String> =
        rows.iter().map(|r| cut(&r.label.replace(" served by ", " from "), NAME_CHARS_MAX)).collect();
    let left = names.iter().map(|n| text_width(n)).fold(40.0, f64::max) + 12.0;
    let ends: Vec<String> = rows.iter().map(|r| error(r.error, r.unit).replace(" points", " pt")).collect();
    let right = ends.iter().map(|e| text_width(e)).fold(20.0, f64::max) + 18.0;
    let height = 8.0 + ROW_PX * rows.len() as f64 + 24.0;
    let layout = Layout { width: 420, height: height.ceil() as i32, left, right, top: 8.0, bottom: 24.0 };
    let y = Axis { low: -1.0, high: 1.0, ticks: Vec::new(), title: String::new() };
    draw(layout, x, &y, title, |root, chart| {
        let (head, foot) = (fine(layout.top), fine(f64::from(layout.height) - layout.bottom));
        for (at, _) in &x.ticks {
            let column = chart.backend_coord(&(*at, 0.0)).0;
            path(root, &[(column, head), (column, foot)], Ink::Grid, 1.0)?;
        }
        for (i, ((row, name), end)) in rows.iter().zip(&names).zip(&ends).enumerate() {
            let line = fine(layout.top + ROW_PX * (i as f64 + 0.5));
            text(root, name, (fine(layout.left - 10.0), line), Ink::Text, HPos::Right, VPos::Center)?;
            one(root, chart, row, line)?;
            let column = fine(f64::from(layout.width) - 4.0);
            text(root, end, (column, line), Ink::Text, HPos::Right, VPos::Center)?;
        }
        Ok(())
    })
}
