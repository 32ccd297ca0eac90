//! A tornado: by how much each uncertain input moves a quantity, the most telling input at the top.
//!
//! Why both ends and a share: the bar says how far the answer goes with one input, the share says how much of all
//! its uncertainty that input explains, whatever the order in which inputs are settled.

use plotters::element::Rectangle;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, VPos};

use super::Plot;
use super::frame::{Axis, Layout, cut, draw, fine, path, text};
use super::svg::{Ink, text_width};
use crate::format::human;
use crate::record::{Influence, InputShare, Quantity, Unit};

/// Inputs of one chart.
const INPUTS_MAX: usize = 8;
const ROW_PX: f64 = 34.0;
const BAR_PX: f64 = 9.0;
const NAME_CHARS_MAX: usize = 26;

/// The inputs that a quantity hangs on; `None` where nothing moves it.
#[must_use]
pub fn tornado(quantity: &Quantity, influence: &Influence) -> Option<Plot> {
    let inputs: Vec<&InputShare> = influence
        .inputs
        .iter()
        .filter(|i| i.low.is_finite() && i.high.is_finite())
        .take(INPUTS_MAX)
        .collect();
    let first = inputs.first()?;
    let title = format!(
        "{}: {} explains {} of what is uncertain",
        influence.label,
        first.input,
        human(first.share, Unit::Share)
    );
    let middle = quantity.median.unwrap_or(quantity.value);
    let x = axis(&inputs, middle, quantity.unit)?;
    let names: Vec<String> = inputs.iter().map(|i| cut(&i.input, NAME_CHARS_MAX)).collect();
    let texts: Vec<String> = inputs.iter().map(|i| cut(&i.text, NAME_CHARS_MAX)).collect();
    let widest = names.iter().chain(&texts).map(|n| text_width(n)).fold(40.0, f64::max);
    let shares: Vec<String> = inputs.iter().map(|i| human(i.share, Unit::Share)).collect();
    let right = shares.iter().map(|s| text_width(s)).fold(24.0, f64::max) + 16.0;
    let height = 8.0 + ROW_PX * inputs.len() as f64 + 24.0;
    let layout = Layout {
        width: 420,
        height: height.ceil() as i32,
        left: widest + 14.0,
        right,
        top: 8.0,
        bottom: 24.0,
    };
    let y = Axis { low: -1.0, high: 1.0, ticks: Vec::new(), title: String::new() };
    let svg = draw(layout, &x, &y, &title, |root, chart| {
        let (head, foot) = (fine(layout.top), fine(f64::from(layout.height) - layout.bottom));
        let column = |v: f64| chart.backend_coord(&(v, 0.0)).0;
        path(root, &[(column(middle), head), (column(middle), foot)], Ink::Muted, 1.0)?;
        for (i, input) in inputs.iter().enumerate() {
            let line = fine(layout.top + ROW_PX * (i as f64 + 0.5));
            let at = fine(layout.left - 10.0);
            text(root, &names[i], (at, line - fine(7.5)), Ink::Text, HPos::Right, VPos::Center)?;
            text(root, &texts[i], (at, line + fine(7.5)), Ink::Muted, HPos::Right, VPos::Center)?;
            // Each end has its colour: which way an input pushes is half of the answer.
            for (end, ink) in [(input.low, Ink::Series(1)), (input.high, Ink::Series(0))] {
                let (a, b) = (column(middle).min(column(end)), column(middle).max(column(end)));
                let corners = [(a, line - fine(BAR_PX)), (b, line + fine(BAR_PX))];
                root.draw(&Rectangle::new(corners, ink.color().filled()))?;
            }
            let end = fine(f64::from(layout.width) - 4.0);
            text(root, &shares[i], (end, line), Ink::Text, HPos::Right, VPos::Center)?;
        }
        Ok(())
    })?;
    let caption = format!(
        "Each bar: {} with one input at its 5 % end (orange) and its 95 % end (blue), all others in their middle. \
         At the right: the input's share of the variance (Shapley effect).",
        influence.label
    );
    Some(Plot { title, caption, svg })
}

/// From the lowest end to the highest, with ticks at both and in the middle; not from 0, since differences are shown.
fn axis(inputs: &[&InputShare], middle: f64, unit: Unit) -> Option<Axis> {
    let ends = inputs.iter().flat_map(|i| [i.low, i.high]).chain([middle]);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let room = (high - low) * 0.04;
    let distinct = |a: &(f64, String), b: &(f64, String)| a.1 == b.1;
    let mut ticks: Vec<(f64, String)> = [low, middle, high].map(|v| (v, human(v, unit))).to_vec();
    ticks.dedup_by(|b, a| distinct(a, b));
    // The middle's text would run into that of a near end.
    if ticks.len() == 3 {
        let near = |a: f64, b: f64| (a - b).abs() < 0.28 * (high - low);
        if near(ticks[0].0, ticks[1].0) || near(ticks[1].0, ticks[2].0) {
            ticks.remove(1);
        }
    }
    (high > low).then(|| Axis { low: low - room, high: high + room, ticks, title: String::new() })
}
