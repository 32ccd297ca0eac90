//! `estimate`: closed forms, each with its formula and the numbers put in.
//!
//! Every quantity is a cell of a [`Sheet`](crate::sheet::Sheet), so its working is what was computed. Ranges of
//! the scenario go through the same cells in ten thousand worlds. One file for each question an estimate answers.

mod availability;
mod bandwidth;
mod book;
mod caches;
mod connections;
mod cost;
mod demand;
mod distance;
mod events;
mod hardware;
mod latency;
mod levels;
mod ranges;
mod servers;
mod slos;
mod storage;

use plimsoll_reports::record::{ClaimCheck, Estimate, Growth, Provenance, Quantity};
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::prices::PriceList;

use book::Book;

/// What to estimate with.
#[derive(Debug, Clone, Copy)]
pub struct Options<'p> {
    pub seed: u64,
    /// Worlds to draw where inputs are ranges.
    pub worlds: usize,
    pub prices: &'p PriceList,
    /// Changes nothing but the time it takes.
    pub threads: usize,
}

/// Worlds that an estimate draws unless told otherwise.
pub const WORLDS: usize = 10_000;

/// Multiples of the demand at which it is asked what breaks.
const FACTORS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
/// Resources shown of each multiple and event.
const RESOURCES_MAX: usize = 5;

/// Everything the closed forms say of a scenario, and its claims checked.
#[must_use]
pub fn estimate(scenario: &Scenario, options: &Options<'_>) -> Estimate {
    let book = Book::of(scenario, options.prices, None, options.threads);
    let ranges = ranges::ranges(&book, options);
    let quantities = quantities(&book, &ranges);
    let growth = FACTORS.map(|factor| Growth { factor, resources: book.resources_at(factor) });
    Estimate {
        provenance: Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: scenario.name.clone(),
            seed: options.seed,
            options: crate::simulate::settings(scenario),
            partial: false,
        },
        summary: scenario.summary.clone(),
        headline: book.headline(),
        claims: claims(scenario, &quantities),
        slos: slos::slos(scenario, &quantities),
        quantities,
        worlds: ranges.worlds,
        hangs_on: ranges::influences(&book, options),
        growth: growth.into_iter().filter(|g| !g.resources.is_empty()).collect(),
        events: events::effects(scenario, options),
        notes: book.notes(),
    }
}

/// The value of one quantity alone, without worlds, claims or events.
#[must_use]
pub fn value_of(scenario: &Scenario, prices: &PriceList, id: &str) -> Option<f64> {
    let book = Book::of(scenario, prices, None, 1);
    book.lines.iter().find(|line| line.id == id).map(|line| book.sheet.value(line.cell))
}

/// Ids of all quantities that the estimate of a scenario gives.
#[must_use]
pub fn ids(scenario: &Scenario, prices: &PriceList) -> Vec<String> {
    Book::of(scenario, prices, None, 1).lines.into_iter().map(|line| line.id).collect()
}

fn quantities(book: &Book<'_>, ranges: &ranges::Ranges) -> Vec<Quantity> {
    let places = |cell| {
        let mut places: Vec<String> =
            book.sheet.origins(cell).into_iter().filter_map(|o| book.scenario.place(o)).collect();
        places.dedup();
        places
    };
    book.lines
        .iter()
        .enumerate()
        .filter(|(_, line)| book.sheet.value(line.cell).is_finite())
        .map(|(i, line)| Quantity {
            id: line.id.clone(),
            group: line.group.to_owned(),
            label: line.label.clone(),
            value: book.sheet.value(line.cell),
            range: ranges.of(i).map(|(low, _, high)| (low, high)),
            median: ranges.of(i).map(|(_, median, _)| median),
            unit: line.unit,
            formula: book.sheet.words(line.cell),
            working: book.sheet.working(line.cell),
            sources: places(line.cell),
            detail: line.detail,
        })
        .collect()
}

fn claims(scenario: &Scenario, quantities: &[Quantity]) -> Vec<ClaimCheck> {
    let check = |claim: &plimsoll_scenarios::Claim| {
        let found = quantities.iter().find(|q| q.id == claim.what)?;
        let deviation = found.value / claim.is - 1.0;
        Some(ClaimCheck {
            what: claim.what.clone(),
            claimed_text: claim.text.clone(),
            claimed: claim.is,
            estimated: found.value,
            deviation,
            within: claim.within,
            holds: deviation.abs() <= claim.within,
        })
    };
    scenario.claims.iter().filter_map(check).collect()
}

#[cfg(test)]
mod tests;
