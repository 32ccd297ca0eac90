//! A sheet of cells, as in a spreadsheet: inputs, constants, and formulas over other cells.
//!
//! Why not plain arithmetic: from one and the same cell come the value, the formula in words, the formula with
//! the numbers put in, the lines of the file it rests on, and its value in ten thousand worlds. What is shown
//! as the working can't differ from what was computed.

mod surface;
mod words;
mod worlds;

use std::collections::BTreeSet;

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::units::{Dimension, Quantity};
use plimsoll_scenarios::{Origin, Scenario};

pub use worlds::Scores;

/// A cell, by its position; formulas refer to earlier cells only.
pub type CellId = usize;

/// A formula that is no plain arithmetic.
pub type Formula = Box<dyn Fn(&[f64]) -> f64 + Send + Sync>;

enum Op {
    /// Value at a world's score, where the file gives a range.
    Input(Option<Draw>),
    Constant,
    Sum(Vec<CellId>),
    Product(Vec<CellId>),
    Quotient(CellId, CellId),
    /// One less the cell.
    Complement(CellId),
    Max(Vec<CellId>),
    Ceil(CellId),
    Function(&'static str, Vec<CellId>, Formula),
    /// One output of a costly function of the whole scenario.
    Surface(usize),
}

struct Draw {
    /// Position in [`Sheet::uncertain`].
    input: usize,
    at_score: Box<dyn Fn(f64) -> f64 + Send + Sync>,
}

struct Cell {
    op: Op,
    value: f64,
    /// Empty for a cell that is only part of another's formula.
    name: String,
    unit: Unit,
    /// Where an input is said.
    origin: Origin,
    /// Its value is not the same in all worlds.
    varies: bool,
}

/// The cells, and the inputs that are ranges.
pub struct Sheet<'s> {
    pub scenario: &'s Scenario,
    threads: usize,
    cells: Vec<Cell>,
    /// Ranged inputs, in order of place: where and what.
    uncertain: Vec<plimsoll_scenarios::Uncertain>,
    /// Outputs of costly functions in worlds: coefficients by output.
    surfaces: Vec<surface::Surface>,
}

impl<'s> Sheet<'s> {
    #[must_use]
    pub fn new(scenario: &'s Scenario, threads: usize) -> Self {
        Self { scenario, threads, cells: Vec::new(), uncertain: scenario.uncertain(), surfaces: Vec::new() }
    }

    pub fn value(&self, cell: CellId) -> f64 {
        self.cells[cell].value
    }

    pub fn varies(&self, cell: CellId) -> bool {
        self.cells[cell].varies
    }

    pub fn uncertain(&self) -> &[plimsoll_scenarios::Uncertain] {
        &self.uncertain
    }

    fn push(&mut self, op: Op, value: f64, varies: bool) -> CellId {
        let (name, unit, origin) = (String::new(), Unit::Number, Origin::default());
        self.cells.push(Cell { op, value, name, unit, origin, varies });
        self.cells.len() - 1
    }

    /// Gives a cell its name and unit: formulas over it show these.
    pub fn named(&mut self, cell: CellId, name: impl Into<String>, unit: Unit) -> CellId {
        let cell_ = &mut self.cells[cell];
        // A cell that has a name keeps it; the new name is another way to say the same.
        if !cell_.name.is_empty() {
            let (value, varies) = (cell_.value, cell_.varies);
            let alias = self.push(Op::Sum(vec![cell]), value, varies);
            return self.named(alias, name, unit);
        }
        cell_.name = name.into();
        cell_.unit = unit;
        cell
    }

    /// A quantity of the scenario, times a factor (`per_day` of a rate: 86,400).
    pub fn input<D: Dimension>(
        &mut self,
        name: impl Into<String>,
        quantity: &Quantity<D>,
        (factor, unit): (f64, Unit),
    ) -> CellId {
        let ranged = quantity.range.is_some();
        let input = self.uncertain.iter().position(|u| ranged && u.origin == quantity.origin);
        let known = quantity.clone();
        let draw = input
            .map(|input| Draw { input, at_score: Box::new(move |score| known.at_score(score) * factor) });
        let cell = self.push(Op::Input(draw), quantity.get() * factor, input.is_some());
        self.cells[cell].origin = quantity.origin;
        self.named(cell, name, unit)
    }

    /// A number that the scenario states without being a quantity, such as a number of copies.
    pub fn stated(&mut self, name: impl Into<String>, value: f64, unit: Unit, origin: Origin) -> CellId {
        let cell = self.push(Op::Constant, value, false);
        self.cells[cell].origin = origin;
        self.named(cell, name, unit)
    }

    /// A constant of the formula, named for what it is: `seconds a day`.
    pub fn constant(&mut self, name: impl Into<String>, value: f64, unit: Unit) -> CellId {
        let cell = self.push(Op::Constant, value, false);
        self.named(cell, name, unit)
    }

    fn any_varies(&self, cells: &[CellId]) -> bool {
        cells.iter().any(|&c| self.cells[c].varies)
    }

    pub fn sum(&mut self, cells: Vec<CellId>) -> CellId {
        let (value, varies) = (cells.iter().map(|&c| self.value(c)).sum(), self.any_varies(&cells));
        self.push(Op::Sum(cells), value, varies)
    }

    pub fn product(&mut self, cells: Vec<CellId>) -> CellId {
        let (value, varies) = (cells.iter().map(|&c| self.value(c)).product(), self.any_varies(&cells));
        self.push(Op::Product(cells), value, varies)
    }

    pub fn quotient(&mut self, over: CellId, under: CellId) -> CellId {
        let (value, varies) = (self.value(over) / self.value(under), self.any_varies(&[over, under]));
        self.push(Op::Quotient(over, under), value, varies)
    }

    /// `1 - cell`.
    pub fn complement(&mut self, cell: CellId) -> CellId {
        let (value, varies) = (1.0 - self.value(cell), self.varies(cell));
        self.push(Op::Complement(cell), value, varies)
    }

    pub fn max(&mut self, cells: Vec<CellId>) -> CellId {
        let value = cells.iter().map(|&c| self.value(c)).fold(f64::NEG_INFINITY, f64::max);
        let varies = self.any_varies(&cells);
        self.push(Op::Max(cells), value, varies)
    }

    pub fn ceil(&mut self, cell: CellId) -> CellId {
        let (value, varies) = (ceil(self.value(cell)), self.varies(cell));
        self.push(Op::Ceil(cell), value, varies)
    }

    /// A formula of its own: `words` say what it is, over the cells it takes.
    pub fn function(
        &mut self,
        words: &'static str,
        cells: Vec<CellId>,
        formula: impl Fn(&[f64]) -> f64 + Send + Sync + 'static,
    ) -> CellId {
        let values: Vec<f64> = cells.iter().map(|&c| self.value(c)).collect();
        let (value, varies) = (formula(&values), self.any_varies(&cells));
        self.push(Op::Function(words, cells, Box::new(formula)), value, varies)
    }

    /// A value computed beforehand from the middle of all ranges, for what would cost too much in every world;
    /// it is shown over the cells that it rests on.
    pub fn fixed(&mut self, words: &'static str, cells: Vec<CellId>, value: f64) -> CellId {
        self.push(Op::Function(words, cells, Box::new(move |_| value)), value, false)
    }

    /// Outputs of a costly function of the scenario, solved exactly here and by a fitted surface in worlds.
    /// Each output lies between 0 and 1.
    pub fn surfaces(
        &mut self,
        outputs: &[f64],
        solve: &(dyn Fn(&Scenario) -> Vec<f64> + Sync),
    ) -> Vec<CellId> {
        let fitted = surface::fit(self.scenario, &self.uncertain, outputs, self.threads, solve);
        let mut cells = Vec::with_capacity(outputs.len());
        for (&value, surface) in outputs.iter().zip(fitted) {
            let varies = surface.varies();
            self.surfaces.push(surface);
            cells.push(self.push(Op::Surface(self.surfaces.len() - 1), value, varies));
        }
        cells
    }

    /// Where the inputs that a cell's formula shows are said in the file; where it shows none, all that it
    /// rests on.
    pub fn origins(&self, cell: CellId) -> Vec<Origin> {
        let mut found = BTreeSet::new();
        self.collect_origins(cell, true, false, &mut found);
        if found.is_empty() {
            self.collect_origins(cell, true, true, &mut found);
        }
        let place = |(file, line, column)| Origin { file, line, column, length: 0 };
        found.into_iter().map(place).collect()
    }

    fn collect_origins(&self, cell: CellId, top: bool, deep: bool, found: &mut BTreeSet<(u16, u32, u32)>) {
        let here = &self.cells[cell];
        if here.origin.line > 0 {
            found.insert((here.origin.file, here.origin.line, here.origin.column));
        }
        if top || deep || here.name.is_empty() {
            for part in self.parts(cell) {
                self.collect_origins(part, false, deep, found);
            }
        }
    }

    fn parts(&self, cell: CellId) -> Vec<CellId> {
        match &self.cells[cell].op {
            Op::Input(_) | Op::Constant | Op::Surface(_) => Vec::new(),
            Op::Sum(list) | Op::Product(list) | Op::Max(list) | Op::Function(_, list, _) => list.clone(),
            Op::Quotient(a, b) => vec![*a, *b],
            Op::Complement(a) | Op::Ceil(a) => vec![*a],
        }
    }
}

/// Rounded up, but not because of the last bits of a float: 420.00000000001 servers are 420.
fn ceil(value: f64) -> f64 {
    (value * (1.0 - 1e-12)).ceil()
}
