//! The cheapest combination: descent along the axes from several starts, then branch and bound for the proof.
//!
//! Why both: descent finds a good plan in a few hundred sizings and can't know that it is the best one. A box of
//! combinations costs at least what its far corner has to carry and its near corner has to hold; boxes that
//! cost more than the plan are cut off, and when none is left the plan is proved. The number of boxes is
//! bounded, and where it runs out the plan says to within which share it is proved.

use std::collections::{BTreeMap, BinaryHeap};

use super::evaluate::{Broken, Evaluator, Sizing};

/// Boxes looked at for a proof.
const BOXES_MAX: usize = 4_000;
/// Combinations of what has no order (policies, copies, zones) that are gone through.
const UNORDERED_MAX: usize = 1_000;
/// Rounds over all axes.
const ROUNDS_MAX: usize = 20;
/// First stride of a line search, as a part of the axis.
const STRIDES: usize = 12;
/// Relative difference below which two plans cost the same.
const SAME: f64 = 1e-9;

/// A plan, and how sure it is.
#[derive(Debug, Clone)]
pub struct Found {
    pub point: Vec<usize>,
    pub sizing: Sizing,
    pub combinations: f64,
    pub sized: u64,
    /// Share of the plan's cost below which no plan lies; 1 where it is proved.
    pub proved: f64,
}

/// The search's memory: what each point came to.
pub struct Searcher<'e, 'p> {
    evaluator: &'e mut Evaluator<'p>,
    known: BTreeMap<Vec<usize>, f64>,
    sized: u64,
    best: Option<(f64, Vec<usize>)>,
    broken: Option<Broken>,
    /// Boxes looked at.
    looked: usize,
}

/// # Errors
/// Why the last combination tried is none, where none is.
pub fn search(evaluator: &mut Evaluator<'_>, start: Option<&[usize]>) -> Result<Found, Broken> {
    let lengths: Vec<usize> = evaluator.problem.axes.iter().map(|a| a.values.len()).collect();
    let combinations = lengths.iter().map(|&n| n as f64).product();
    let mut searcher = Searcher::new(evaluator);
    let far: Vec<usize> = lengths.iter().map(|n| n - 1).collect();
    let middle: Vec<usize> = lengths.iter().map(|n| n / 2).collect();
    let mut starts = vec![far, middle];
    starts.splice(0..0, start.map(<[usize]>::to_vec));
    for start in &starts {
        searcher.descend(start.clone());
    }
    let least = searcher.prove(&lengths);
    searcher.finish(combinations, least)
}

/// Descent from a plan that is near, without a proof: for what-ifs.
///
/// # Errors
/// As [`search`].
pub fn near(evaluator: &mut Evaluator<'_>, start: &[usize]) -> Result<Found, Broken> {
    let mut searcher = Searcher::new(evaluator);
    searcher.descend(start.to_vec());
    if searcher.best.is_none() {
        let far = searcher.evaluator.problem.axes.iter().map(|a| a.values.len() - 1).collect();
        searcher.descend(far);
    }
    searcher.finish(f64::NAN, 0.0)
}

impl<'e, 'p> Searcher<'e, 'p> {
    pub(super) fn new(evaluator: &'e mut Evaluator<'p>) -> Self {
        Self { evaluator, known: BTreeMap::new(), sized: 0, best: None, broken: None, looked: 0 }
    }
}

impl Searcher<'_, '_> {
    /// The cost of a point; infinite where it is no plan.
    fn cost(&mut self, point: &[usize]) -> f64 {
        if let Some(&known) = self.known.get(point) {
            return known;
        }
        if self.evaluator.stopped() {
            return f64::INFINITY;
        }
        // Shared targets are dear to check, and only ever add to the cost.
        if let (Some((best, _)), Ok(least)) = (&self.best, self.evaluator.bound(point, point))
            && least > best * (1.0 + SAME)
        {
            self.known.insert(point.to_vec(), least);
            return least;
        }
        self.sized += 1;
        let cost = match self.evaluator.size_at(point) {
            Ok(sizing) => sizing.objective,
            Err(broken) => {
                // The first is the far corner's, which has the most of everything.
                self.broken.get_or_insert(broken);
                f64::INFINITY
            }
        };
        self.known.insert(point.to_vec(), cost);
        let better = match &self.best {
            None => cost.is_finite(),
            Some((least, at)) => cost < least * (1.0 - SAME) || (cost <= *least && point < at.as_slice()),
        };
        if better {
            self.best = Some((cost, point.to_vec()));
        }
        cost
    }

    /// Along one axis after the other, and along pairs of axes, until nothing gets better.
    pub(super) fn descend(&mut self, mut at: Vec<usize>) {
        let mut cost = self.cost(&at);
        for _ in 0..ROUNDS_MAX {
            let before = cost;
            for axis in 0..at.len() {
                cost = self.line(&mut at, axis, cost);
            }
            if cost.is_finite() && cost >= before * (1.0 - SAME) {
                cost = self.exchange(&mut at, cost);
            }
            if cost >= before * (1.0 - SAME) || cost.is_infinite() {
                break;
            }
        }
    }

    /// The best value of one axis: coarse strides, then finer ones around the best.
    fn line(&mut self, at: &mut [usize], axis: usize, mut cost: f64) -> f64 {
        let last = self.evaluator.problem.axes[axis].values.len() - 1;
        let mut stride = (last / STRIDES).max(1);
        let all: Vec<usize> = (0..=last).step_by(stride).chain([last]).collect();
        let mut best = at[axis];
        let mut look = |searcher: &mut Self, at: &mut [usize], value: usize, best: &mut usize| {
            at[axis] = value;
            let now = searcher.cost(at);
            if now < cost * (1.0 - SAME) || (now.is_finite() && now <= cost && value < *best) {
                (cost, *best) = (now, value);
            }
        };
        for value in all {
            look(self, at, value, &mut best);
        }
        while stride > 1 {
            stride = stride.div_ceil(2);
            let middle = best;
            for value in [middle.saturating_sub(stride), (middle + stride).min(last)] {
                look(self, at, value, &mut best);
            }
            if stride == 1 {
                break;
            }
        }
        // Step by step downhill from there.
        loop {
            let from = best;
            for value in [from.saturating_sub(1), (from + 1).min(last)] {
                look(self, at, value, &mut best);
            }
            if best == from {
                break;
            }
        }
        at[axis] = best;
        cost
    }

    /// One axis up, another one down.
    fn exchange(&mut self, at: &mut Vec<usize>, mut cost: f64) -> f64 {
        let lasts: Vec<usize> = self.evaluator.problem.axes.iter().map(|a| a.values.len() - 1).collect();
        for up in 0..at.len() {
            for down in 0..at.len() {
                for by in [1, 3] {
                    let mut other = at.clone();
                    if up == down || other[down] < by || other[up] + by > lasts[up] {
                        continue;
                    }
                    other[up] += by;
                    other[down] -= by;
                    let now = self.cost(&other);
                    if now < cost * (1.0 - SAME) {
                        (cost, *at) = (now, other);
                    }
                }
            }
        }
        cost
    }

    /// Cuts off boxes that cost more than the best plan; the least cost that may be left.
    pub(super) fn prove(&mut self, lengths: &[usize]) -> f64 {
        let ordered: Vec<bool> = self.evaluator.problem.axes.iter().map(|a| a.of.is_ordered()).collect();
        let mut waiting = BinaryHeap::new();
        for (near, far) in unordered(lengths, &ordered) {
            // What no point of a whole box can do is the reason, and not what the first point lacked.
            match self.waiting(&near, &far) {
                Ok(one) => waiting.push(one),
                Err(broken) => self.broken = Some(broken),
            }
        }
        while let Some(Waiting { least, near, far }) = waiting.pop() {
            let best = self.best.as_ref().map_or(f64::INFINITY, |(cost, _)| *cost);
            if least >= best * (1.0 - SAME) {
                return best;
            }
            if self.looked >= BOXES_MAX || self.evaluator.stopped() {
                return least;
            }
            if near == far {
                self.cost(&near);
                continue;
            }
            for half in self.halves(&near, &far) {
                waiting.push(half);
            }
        }
        self.best.as_ref().map_or(f64::INFINITY, |(cost, _)| *cost)
    }

    /// The two halves of a box that say most: along the axis whose cheaper half is dearest.
    fn halves(&mut self, near: &[usize], far: &[usize]) -> Vec<Waiting> {
        let mut best: Option<((f64, f64), Vec<Waiting>)> = None;
        for axis in (0..near.len()).filter(|&axis| far[axis] > near[axis]) {
            let middle = near[axis].midpoint(far[axis]);
            let (mut low, mut high) = (far.to_vec(), near.to_vec());
            low[axis] = middle;
            high[axis] = middle + 1;
            let halves: Vec<Waiting> =
                [self.waiting(near, &low), self.waiting(&high, far)].into_iter().flatten().collect();
            let least = |f: fn(f64, f64) -> f64, start: f64| halves.iter().map(|w| w.least).fold(start, f);
            // One half that is cut off leaves the other alone.
            let said = match halves.len() {
                2 => (least(f64::min, f64::INFINITY), least(f64::max, 0.0)),
                1 => (least(f64::min, f64::INFINITY), f64::INFINITY),
                _ => (f64::INFINITY, f64::INFINITY),
            };
            if best.as_ref().is_none_or(|(most, _)| said > *most) {
                best = Some((said, halves));
            }
        }
        best.map(|(_, halves)| halves).unwrap_or_default()
    }

    fn waiting(&mut self, near: &[usize], far: &[usize]) -> Result<Waiting, Broken> {
        self.looked += 1;
        let least = self.evaluator.bound(near, far)?;
        Ok(Waiting { least, near: near.to_vec(), far: far.to_vec() })
    }

    pub(super) fn finish(self, combinations: f64, least: f64) -> Result<Found, Broken> {
        let Some((cost, point)) = self.best else {
            return Err(self.broken.unwrap_or(Broken::Goal { goal: 0, value: f64::NAN }));
        };
        // What was found by then is kept.
        self.evaluator.stop = None;
        let sizing = self.evaluator.size_at(&point)?;
        let proved = if cost > 0.0 { (least / cost).clamp(0.0, 1.0) } else { 1.0 };
        Ok(Found { point, sizing, combinations, sized: self.sized, proved })
    }
}

/// One box for every combination of the axes that have no order.
fn unordered(lengths: &[usize], ordered: &[bool]) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut boxes = vec![(Vec::new(), Vec::new())];
    for (&length, &is_ordered) in lengths.iter().zip(ordered) {
        let ends: Vec<(usize, usize)> =
            if is_ordered { vec![(0, length - 1)] } else { (0..length).map(|i| (i, i)).collect() };
        boxes = boxes
            .into_iter()
            .flat_map(|(near, far): (Vec<usize>, Vec<usize>)| {
                ends.iter().map(move |&(a, b)| ([&near[..], &[a]].concat(), [&far[..], &[b]].concat()))
            })
            .take(UNORDERED_MAX)
            .collect();
    }
    boxes
}

/// A box that waits, the one with the least bound first.
struct Waiting {
    least: f64,
    near: Vec<usize>,
    far: Vec<usize>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other
            .least
            .total_cmp(&self.least)
            .then_with(|| (&other.near, &other.far).cmp(&(&self.near, &self.far)))
    }
}
