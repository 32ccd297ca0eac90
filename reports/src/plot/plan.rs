//! Plots of a plan: what a target costs, what growth costs, and what certainty costs.

use plotters::prelude::*;

use super::Plot;
use super::frame::{Axis, Layout, draw, fine, point, ticks_from_zero};
use super::svg::Ink;
use crate::format::human;
use crate::plan::{Curve, Plan};
use crate::record::Unit;

/// The cost of the cheapest plan by the bound of a target; the plan's own bound is the full point.
#[must_use]
pub fn target_cost(curve: &Curve) -> Option<Plot> {
    let points: Vec<(f64, f64)> = curve.points.iter().filter_map(|(x, y)| Some((*x, (*y)?))).collect();
    let here = points.iter().find(|p| (p.0 / curve.bound - 1.0).abs() < 1e-9).copied();
    let cheapest = points.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let dearest = points.iter().map(|p| p.1).fold(0.0, f64::max);
    let title = format!(
        "{}: from {} to {} over these bounds",
        curve.target,
        human(cheapest, Unit::DollarsPerMonth),
        human(dearest, Unit::DollarsPerMonth)
    );
    let caption = "Cost of the cheapest plan, with servers that are not billed at their assumed price, by the bound of \
                   the target. Full: the scenario's bound. Bounds that no plan meets are left out.";
    line(&points, here, (curve.unit, "bound"), title, caption)
}

/// The cost by the multiple of the demand.
#[must_use]
pub fn growth_cost(plan: &Plan) -> Option<Plot> {
    let mut points = vec![(1.0, plan.cost.total_per_month)];
    points.extend(plan.growth.iter().map(|g| (g.factor, g.cost_per_month)));
    let last = points.last().copied()?;
    let title = format!(
        "{} times the demand costs {} times as much",
        human(last.0, Unit::Number),
        human(last.1 / plan.cost.total_per_month.max(1e-9), Unit::Number)
    );
    let caption = "Cost a month by the multiple of the demand, capacities as planned. Full: today.";
    line(&points, points.first().copied(), (Unit::Number, "demand"), title, caption)
}

/// The cost by the share of the worlds in which all targets hold.
#[must_use]
pub fn certainty_cost(plan: &Plan) -> Option<Plot> {
    let worlds = plan.worlds.as_ref()?;
    let mut points: Vec<(f64, f64)> = worlds.confidence.iter().map(|c| (c.holds, c.cost_per_month)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let least = worlds.confidence.get(worlds.least_regret)?;
    let title = format!(
        "Least regret: {}, which holds in {} of the worlds",
        human(least.cost_per_month, Unit::DollarsPerMonth),
        human(least.holds, Unit::Share)
    );
    let caption = "Cost a month by the share of the worlds in which all targets hold. Full: least regret.";
    line(&points, Some((least.holds, least.cost_per_month)), (Unit::Share, "holds in"), title, caption)
}

fn line(
    points: &[(f64, f64)],
    marked: Option<(f64, f64)>,
    (unit, name): (Unit, &str),
    title: String,
    caption: &str,
) -> Option<Plot> {
    let (first, last) = (points.first()?, points.last()?);
    let ticks: Vec<(f64, String)> =
        [first.0, f64::midpoint(first.0, last.0), last.0].into_iter().map(|v| (v, human(v, unit))).collect();
    let x = Axis { low: first.0, high: last.0, ticks, title: name.to_owned() };
    let most = points.iter().map(|p| p.1).fold(0.0, f64::max);
    let ticks: Vec<(f64, String)> = ticks_from_zero(most, 4.0)
        .into_iter()
        .map(|v| (v, human(v, Unit::DollarsPerMonth).replace("/month", "")))
        .collect();
    let y = Axis { low: 0.0, high: ticks.last()?.0, ticks, title: "cost a month".to_owned() };
    let layout = Layout { right: 28.0, ..Layout::fit(&y, Vec::new()) };
    let svg = draw(layout, &x, &y, &title, |root, chart| {
        let width = u32::try_from(fine(2.0)).unwrap_or(1);
        let style = Ink::Series(0).color().stroke_width(width);
        chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
        for at in points {
            point(root, chart.backend_coord(at), 3.5, Ink::Series(0), true)?;
        }
        if let Some(at) = marked {
            point(root, chart.backend_coord(&at), 4.5, Ink::Series(1), false)?;
        }
        Ok(())
    })?;
    Some(Plot { title, caption: caption.to_owned(), svg })
}
