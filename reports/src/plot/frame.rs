//! The frame of a chart: axes with few gridlines, and labels beside the lines that never overlap.
//!
//! Why our own over plotters' mesh: it puts ticks where they fit, not where people look for them
//! (06:00, p99, 50 %), and it has no labels at the ends of lines.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::svg::{FINE, FONT_PX, Ink, finish, text_width};

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
/// What drawing can fail with. Drawing into a string does not fail.
pub type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// Lines of text need this distance, CSS pixels.
const LINE_PX: f64 = 15.0;
/// Plotters writes sizes of its own fonts' boxes; this undoes it.
const PLOTTERS_FONT: f64 = 1.24;
const LABEL_WIDTH_MAX: f64 = 112.0;

/// One axis: its ends and where its ticks are, with their text.
#[derive(Debug, Clone)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
    /// What it shows, with the unit.
    pub title: String,
}

/// Sizes in CSS pixels.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub width: i32,
    pub height: i32,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

/// A name beside the end of a line.
#[derive(Debug, Clone)]
pub struct EndLabel {
    /// In the axis' own values.
    pub y: f64,
    pub text: String,
    pub ink: Ink,
}

impl Layout {
    /// A chart of the usual size with room for these tick labels and end labels.
    pub fn fit(y: &Axis, labels: impl IntoIterator<Item = String>) -> Self {
        let ticks = y.ticks.iter().map(|(_, text)| text_width(text)).fold(0.0, f64::max);
        let ends = labels.into_iter().map(|text| text_width(&text)).fold(0.0, f64::max);
        let right = if ends > 0.0 { ends.min(LABEL_WIDTH_MAX) + 22.0 } else { 14.0 };
        Self { width: 420, height: 255, left: ticks + 10.0, right, top: 26.0, bottom: 40.0 }
    }
}

/// Draws a chart into a string: axes first, then `body`.
pub fn draw<F>(layout: Layout, x: &Axis, y: &Axis, title: &str, body: F) -> Option<String>
where
    F: for<'a> FnOnce(&Area<'a>, &mut Chart<'a>) -> Drawn,
{
    let size = (layout.width, layout.height);
    if !(x.low < x.high && y.low < y.high) {
        return None;
    }
    let mut svg = String::new();
    {
        let fine = |px: i32| u32::try_from(px * FINE).unwrap_or(1);
        let root = SVGBackend::with_string(&mut svg, (fine(size.0), fine(size.1))).into_drawing_area();
        // Writing into a string does not fail; if it ever did, a page without the chart is the best left.
        chart(&root, layout, x, y, body).ok()?;
        root.present().ok()?;
    }
    Some(finish(&svg, size, title))
}

fn chart<'a, F>(root: &Area<'a>, layout: Layout, x: &Axis, y: &Axis, body: F) -> Drawn
where
    F: FnOnce(&Area<'a>, &mut Chart<'a>) -> Drawn,
{
    let mut chart = ChartBuilder::on(root)
        .margin_left(fine(layout.left))
        .margin_right(fine(layout.right))
        .margin_top(fine(layout.top))
        .margin_bottom(fine(layout.bottom))
        .build_cartesian_2d(x.low..x.high, y.low..y.high)?;
    let (left, right) = (fine(layout.left), fine(f64::from(layout.width) - layout.right));
    let axis_row = fine(f64::from(layout.height) - layout.bottom);
    for (at, label) in &y.ticks {
        let (_, line) = chart.backend_coord(&(x.low, *at));
        path(root, &[(left, line), (right, line)], Ink::Grid, 1.0)?;
        text(root, label, (left - fine(6.0), line), Ink::Muted, HPos::Right, VPos::Center)?;
    }
    for (at, label) in &x.ticks {
        let (column, _) = chart.backend_coord(&(*at, y.low));
        path(root, &[(column, axis_row), (column, axis_row + fine(4.0))], Ink::Muted, 1.0)?;
        text(root, label, (column, axis_row + fine(6.0)), Ink::Muted, HPos::Center, VPos::Top)?;
    }
    path(root, &[(left, axis_row), (right, axis_row)], Ink::Muted, 1.0)?;
    text(root, &y.title, (fine(2.0), fine(2.0)), Ink::Muted, HPos::Left, VPos::Top)?;
    let below = fine(f64::from(layout.height) - 3.0);
    text(root, &x.title, (right, below), Ink::Muted, HPos::Right, VPos::Bottom)?;
    body(root, &mut chart)
}

/// Names beside the right ends of lines, moved apart where they would overlap; a thin line leads to a
/// name that had to move.
pub fn end_labels<'a>(
    root: &Area<'a>,
    chart: &Chart<'a>,
    layout: Layout,
    x_end: f64,
    labels: &[EndLabel],
) -> Drawn {
    let wanted: Vec<f64> =
        labels.iter().map(|l| f64::from(chart.backend_coord(&(x_end, l.y)).1) / f64::from(FINE)).collect();
    let top = layout.top - 6.0;
    let placed = spread(&wanted, LINE_PX, top, f64::from(layout.height) - layout.bottom - 2.0);
    let edge =
        f64::from(chart.backend_coord(&(x_end, labels.first().map_or(0.0, |l| l.y))).0) / f64::from(FINE);
    let letters = ((layout.right - 20.0) / text_width("x")).max(4.0) as usize;
    for ((label, from), to) in labels.iter().zip(&wanted).zip(&placed) {
        let points = [(fine(edge + 3.0), fine(*from)), (fine(edge + 12.0), fine(*to))];
        path(root, &points, label.ink, 1.5)?;
        text(
            root,
            &cut(&label.text, letters),
            (fine(edge + 15.0), fine(*to)),
            Ink::Text,
            HPos::Left,
            VPos::Center,
        )?;
    }
    Ok(())
}

/// Moves positions apart to at least `gap`, within `low` to `high` if they fit, keeping their order and as
/// near to where they were as one pass down and one up allow.
pub fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut placed = wanted.to_vec();
    let mut least = low;
    for i in &order {
        placed[*i] = placed[*i].max(least);
        least = placed[*i] + gap;
    }
    let mut most = high;
    for i in order.iter().rev() {
        placed[*i] = placed[*i].min(most);
        most = placed[*i] - gap;
    }
    placed
}

/// Ticks of a linear axis from 0, about `count` of them, at 1, 2, 2.5 or 5 times a power of ten.
pub fn ticks_from_zero(high: f64, count: f64) -> Vec<f64> {
    if !(high.is_finite() && high > 0.0) {
        return vec![0.0, 1.0];
    }
    let rough = high / count;
    let unit = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * unit).find(|s| *s >= rough * 0.999);
    let step = step.unwrap_or(unit * 10.0);
    let last = (high / step - 1e-9).ceil().clamp(1.0, 20.0) as u32;
    (0..=last).map(|i| f64::from(i) * step).collect()
}

pub fn fine(px: f64) -> i32 {
    (px * f64::from(FINE)).round() as i32
}

pub fn path(root: &Area<'_>, points: &[(i32, i32)], ink: Ink, width_px: f64) -> Drawn {
    let style = ink.color().stroke_width(u32::try_from(fine(width_px)).unwrap_or(1));
    root.draw(&PathElement::new(points.to_vec(), style))
}

pub fn text(root: &Area<'_>, words: &str, at: (i32, i32), ink: Ink, h: HPos, v: VPos) -> Drawn {
    let font = ("system-ui, sans-serif", FONT_PX * f64::from(FINE) * PLOTTERS_FONT);
    let color = ink.color();
    let style = TextStyle::from(font.into_font()).color(&color).pos(Pos::new(h, v));
    root.draw(&Text::new(words.to_owned(), at, style))
}

/// Filled, or hollow with the page's colour inside.
pub fn point(root: &Area<'_>, at: (i32, i32), radius_px: f64, ink: Ink, hollow: bool) -> Drawn {
    let radius = fine(radius_px);
    if !hollow {
        return root.draw(&Circle::new(at, radius, ink.color().filled()));
    }
    root.draw(&Circle::new(at, radius, Ink::Paper.color().filled()))?;
    let width = u32::try_from(fine(1.75)).unwrap_or(1);
    root.draw(&Circle::new(at, radius, ink.color().stroke_width(width)))
}

pub fn cut(words: &str, chars: usize) -> String {
    if words.chars().count() <= chars {
        return words.to_owned();
    }
    let mut short: String = words.chars().take(chars.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_distance_and_their_order() {
        let placed = spread(&[50.0, 52.0, 51.0, 200.0], 14.0, 0.0, 200.0);
        assert_eq!(placed, [50.0, 78.0, 64.0, 200.0]);
        let low = spread(&[199.0, 198.0, 197.0], 14.0, 0.0, 200.0);
        assert_eq!(low, [200.0, 186.0, 172.0]);
        assert!(spread(&[], 14.0, 0.0, 200.0).is_empty());
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        assert_eq!(ticks_from_zero(694.0, 4.0), [0.0, 200.0, 400.0, 600.0, 800.0]);
        assert_eq!(ticks_from_zero(1.0, 4.0), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks_from_zero(0.0, 4.0), [0.0, 1.0]);
        assert_eq!(ticks_from_zero(f64::NAN, 4.0), [0.0, 1.0]);
    }
}
