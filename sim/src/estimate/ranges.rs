//! What the ranges of the scenario do to the figures: their 5 % and 95 % ends, and what they hang on.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::record::{Influence, InputShare};

use super::Options;
use super::book::Book;
use crate::sheet::{CellId, Scores};
use crate::threads::parallel;

/// Worlds evaluated at once: a cell's values stay in a core's cache.
const CHUNK: usize = 1024;
/// Pairs of worlds for the shares of inputs.
const PAIRS: usize = 1500;
/// Pairs that are walked at once; fixed, so that sums are the same for any number of threads.
const PAIRS_AT_ONCE: usize = 250;
/// Shares are stated down to this.
const SHARE_MIN: f64 = 0.005;
/// What the answer hangs on is told of these, where they have a range; the first one leads.
const TOLD: [&str; 4] =
    ["total.cost", "total.servers", "total.storage_10_years_replicated", "total.peak_rate"];

/// By line: 5 %, 50 % and 95 % of its values.
pub struct Ranges {
    pub worlds: u64,
    quantiles: Vec<Option<(f64, f64, f64)>>,
}

impl Ranges {
    pub fn of(&self, line: usize) -> Option<(f64, f64, f64)> {
        self.quantiles.get(line).copied().flatten()
    }
}

pub fn ranges(book: &Book<'_>, options: &Options<'_>) -> Ranges {
    let inputs = book.sheet.uncertain().len();
    if inputs == 0 || options.worlds < 2 {
        return Ranges { worlds: 0, quantiles: vec![None; book.lines.len()] };
    }
    let all = Scores::draw(options.seed, inputs, options.worlds, "ranges");
    let cells: Vec<CellId> = book.lines.iter().map(|line| line.cell).collect();
    let chunks: Vec<Scores> = all.chunks(CHUNK).collect();
    let never = AtomicBool::new(false);
    let of_chunk = |chunk: &Scores| -> Vec<Vec<f64>> {
        let columns = book.sheet.evaluate(chunk, &cells);
        cells.iter().map(|&cell| columns.of(cell).unwrap_or_default().to_vec()).collect()
    };
    let parts: Vec<Vec<Vec<f64>>> =
        parallel(&chunks, options.threads, &never, of_chunk).into_iter().flatten().collect();
    let of_line = |&line: &usize| {
        let mut values: Vec<f64> = parts.iter().flat_map(|part| &part[line]).copied().collect();
        if values.is_empty() { None } else { ends(&mut values) }
    };
    let lines: Vec<usize> = (0..cells.len()).collect();
    let quantiles =
        parallel(&lines, options.threads, &never, of_line).into_iter().map(Option::flatten).collect();
    Ranges { worlds: options.worlds as u64, quantiles }
}

/// 5 %, 50 % and 95 % of some values; nothing where they are all the same or not all finite.
fn ends(values: &mut [f64]) -> Option<(f64, f64, f64)> {
    if !values.iter().all(|v| v.is_finite()) {
        return None;
    }
    let index = |p: f64| ((values.len() - 1) as f64 * p).round() as usize;
    let (low, middle, high) = (index(0.05), index(0.5), index(0.95));
    // The median first: the others are then looked for in a half each.
    let (below, &mut median, above) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let nth = |half: &mut [f64], n: usize| {
        if half.is_empty() { median } else { *half.select_nth_unstable_by(n, f64::total_cmp).1 }
    };
    let (low, high) = (nth(below, low), nth(above, high.saturating_sub(middle + 1)));
    ((high - low).abs() > 1e-12 * high.abs()).then_some((low, median, high))
}

/// Shapley effects of the inputs on the logarithm of some quantities.
///
/// The variance that a set of inputs explains by itself is shared out over its members, averaged over all
/// orders in which inputs may become known, so that the shares add up to the whole and do not depend on an
/// order (Owen, "Sobol' indices and Shapley value", SIAM/ASA JUQ 2, 2014). Estimated by walking from one world
/// to another, one input at a time in a random order: each step's change, weighted by the whole change.
pub fn influences(book: &Book<'_>, options: &Options<'_>) -> Vec<Influence> {
    let inputs = book.sheet.uncertain().len();
    let told = told(book);
    if inputs == 0 || told.is_empty() || options.worlds < 2 {
        return Vec::new();
    }
    let draw = |purpose| Scores::draw(options.seed, inputs, PAIRS, purpose);
    let (from, to, orders) = (draw("from"), draw("to"), draw("orders"));
    let cells: Vec<CellId> = told.iter().map(|&line| book.lines[line].cell).collect();
    let walks: Vec<[Scores; 3]> = from
        .chunks(PAIRS_AT_ONCE)
        .zip(to.chunks(PAIRS_AT_ONCE))
        .zip(orders.chunks(PAIRS_AT_ONCE))
        .map(|((from, to), orders)| [from, to, orders])
        .collect();
    let walked = parallel(&walks, options.threads, &AtomicBool::new(false), |[from, to, orders]| {
        walk(book, &cells, from, to, orders)
    });
    let mut shares = vec![vec![0.0; inputs]; cells.len()];
    for part in walked.iter().flatten() {
        for (sum, part) in shares.iter_mut().flatten().zip(part.iter().flatten()) {
            *sum += part;
        }
    }
    told.iter().zip(shares).map(|(&line, shares)| influence(book, line, &shares)).collect()
}

/// By cell and input: the sum over pairs of worlds of an input's step times the whole change, of logarithms.
fn walk(book: &Book<'_>, cells: &[CellId], from: &Scores, to: &Scores, orders: &Scores) -> Vec<Vec<f64>> {
    let inputs = from.0.len();
    let order = |pair: usize| -> Vec<usize> {
        let mut order: Vec<usize> = (0..inputs).collect();
        order.sort_by(|&a, &b| orders.0[a][pair].total_cmp(&orders.0[b][pair]));
        order
    };
    let orders: Vec<Vec<usize>> = (0..from.worlds()).map(order).collect();
    let logs = |scores: &Scores| -> Vec<Vec<f64>> {
        let columns = book.sheet.evaluate(scores, cells);
        let log = |cell: &CellId| {
            columns.of(*cell).unwrap_or_default().iter().map(|x| x.max(1e-300).ln()).collect()
        };
        cells.iter().map(log).collect()
    };
    let (start, end) = (logs(from), logs(to));
    let mut here = from.clone();
    let mut before = start.clone();
    let mut shares = vec![vec![0.0; inputs]; cells.len()];
    for step in 0..inputs {
        for (pair, order) in orders.iter().enumerate() {
            let input = order[step];
            here.0[input][pair] = to.0[input][pair];
        }
        let after = logs(&here);
        for (quantity, shares) in shares.iter_mut().enumerate() {
            for (pair, order) in orders.iter().enumerate() {
                let whole = end[quantity][pair] - start[quantity][pair];
                shares[order[step]] += whole * (after[quantity][pair] - before[quantity][pair]);
            }
        }
        before = after;
    }
    shares
}

/// Lines that it's told of what they hang on.
fn told(book: &Book<'_>) -> Vec<usize> {
    let find = |id: &str| book.lines.iter().position(|l| l.id == id && book.sheet.varies(l.cell));
    let mut told: Vec<usize> = TOLD.iter().filter_map(|id| find(id)).collect();
    if told.is_empty() {
        told.extend(book.lines.iter().position(|l| !l.detail && book.sheet.varies(l.cell)));
    }
    told
}

fn influence(book: &Book<'_>, line: usize, shares: &[f64]) -> Influence {
    let total: f64 = shares.iter().map(|s| s.max(0.0)).sum();
    let uncertain = book.sheet.uncertain();
    // Two worlds for every input: at its 5 % and its 95 %, all others in the middle.
    let ends = Scores(
        (0..uncertain.len())
            .map(|input| {
                let score = |world: usize| {
                    if world / 2 != input {
                        0.0
                    } else if world.is_multiple_of(2) {
                        -1.644_854
                    } else {
                        1.644_854
                    }
                };
                (0..2 * uncertain.len()).map(score).collect()
            })
            .collect(),
    );
    let cell = book.lines[line].cell;
    let columns = book.sheet.evaluate(&ends, &[cell]);
    let values = columns.of(cell).unwrap_or_default();
    let mut inputs: Vec<InputShare> = uncertain
        .iter()
        .enumerate()
        .map(|(i, u)| InputShare {
            input: u.name.clone(),
            text: u.text.replace('_', ","),
            source: book.scenario.place(u.origin).unwrap_or_default(),
            share: if total > 0.0 { shares[i].max(0.0) / total } else { 0.0 },
            low: values.get(2 * i).copied().unwrap_or_default(),
            high: values.get(2 * i + 1).copied().unwrap_or_default(),
        })
        .filter(|input| input.share >= SHARE_MIN)
        .collect();
    inputs.sort_by(|a, b| b.share.total_cmp(&a.share));
    Influence { of: book.lines[line].id.clone(), label: book.lines[line].label.clone(), inputs }
}
