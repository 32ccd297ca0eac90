//! A sheet in many worlds at once: in each, every ranged input has one value.
//!
//! Why by column: a formula over ten thousand worlds is one loop over two arrays, so a whole page takes a
//! few milliseconds. Cells that are the same in all worlds stay one number.
//!
//! Worlds are a Latin hypercube (`McKay`, Beckman and Conover, Technometrics 21, 1979): each input's range is
//! cut into as many parts of equal probability as there are worlds, and each part is drawn from once.

use plimsoll_scenarios::rng::Stream;

use super::{CellId, Op, Sheet, ceil};

/// Standard normal scores: by input, one a world.
#[derive(Debug, Clone)]
pub struct Scores(pub Vec<Vec<f32>>);

impl Scores {
    /// Draws `worlds` worlds of `inputs` inputs from a seed.
    #[must_use]
    pub fn draw(seed: u64, inputs: usize, worlds: usize, purpose: &str) -> Self {
        let column = |input: usize| {
            let mut stream = Stream::new(seed, "world", purpose, input as u64);
            let mut parts: Vec<u32> = (0..worlds as u32).collect();
            for i in (1..worlds).rev() {
                parts.swap(i, stream.below(i as u64 + 1) as usize);
            }
            let score = |part: u32| normal_score((f64::from(part) + stream.uniform()) / worlds as f64) as f32;
            parts.into_iter().map(score).collect()
        };
        Self((0..inputs).map(column).collect())
    }

    #[must_use]
    pub fn worlds(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }
}

impl Scores {
    /// The same worlds, some at a time.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = Self> + '_ {
        let part =
            move |from: usize, column: &Vec<f32>| column[from..(from + size).min(column.len())].to_vec();
        (0..self.worlds()).step_by(size).map(move |from| Self(self.0.iter().map(|c| part(from, c)).collect()))
    }
}

/// The score below which the share `u` of a standard normal distribution lies (Wichura, algorithm AS 241,
/// Applied Statistics 37, 1988, by way of the error function's inverse; refined by one step of Halley's).
fn normal_score(u: f64) -> f64 {
    let u = u.clamp(1e-12, 1.0 - 1e-12);
    // Hastings' rational approximation (Abramowitz and Stegun 26.2.23), good to 4.5e-4 ...
    let tail = u.min(1.0 - u);
    let t = (-2.0 * tail.ln()).sqrt();
    let over = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let under = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = t - over / under;
    // ... and Halley's step, which cubes the error.
    let excess = 0.5 * libm::erfc(x * std::f64::consts::FRAC_1_SQRT_2) - tail;
    let step = excess * (2.0 * std::f64::consts::PI).sqrt() * (x * x / 2.0).exp();
    x += step / (1.0 - x * step / 2.0);
    if u < 0.5 { -x } else { x }
}

/// Values of cells in worlds.
#[derive(Debug)]
pub struct Columns {
    columns: Vec<Option<Vec<f64>>>,
}

impl Columns {
    /// A wanted cell's values; `None` where it is the same in all worlds.
    #[must_use]
    pub fn of(&self, cell: CellId) -> Option<&[f64]> {
        self.columns[cell].as_deref()
    }
}

impl Sheet<'_> {
    /// Evaluates those of some cells that vary, and what they are made of.
    #[must_use]
    pub fn evaluate(&self, scores: &Scores, wanted: &[CellId]) -> Columns {
        let worlds = scores.worlds();
        let needed = self.needed(wanted);
        let mut columns: Vec<Option<Vec<f64>>> = Vec::with_capacity(self.cells.len());
        for (cell, needed) in self.cells.iter().zip(needed) {
            columns.push(needed.then(|| self.column(&cell.op, scores, &columns, worlds)));
        }
        Columns { columns }
    }

    /// By cell: whether it varies and some cells are made of it.
    fn needed(&self, wanted: &[CellId]) -> Vec<bool> {
        let mut needed = vec![false; self.cells.len()];
        wanted.iter().for_each(|&cell| needed[cell] = true);
        // A formula is over earlier cells.
        for cell in (0..self.cells.len()).rev() {
            needed[cell] &= self.cells[cell].varies;
            if needed[cell] {
                self.parts(cell).into_iter().for_each(|part| needed[part] = true);
            }
        }
        needed
    }

    /// All values where some cells are multiplied by a factor. Costly functions keep theirs: how often a
    /// cache hits does not depend on how many ask.
    #[must_use]
    pub fn revalued(&self, cells: &[CellId], factor: f64) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(self.cells.len());
        for (id, cell) in self.cells.iter().enumerate() {
            let at = |c: &CellId| values[*c];
            let value = match &cell.op {
                Op::Input(_) | Op::Constant | Op::Surface(_) => cell.value,
                Op::Sum(list) => list.iter().map(at).sum(),
                Op::Product(list) => list.iter().map(at).product(),
                Op::Max(list) => list.iter().map(at).fold(f64::NEG_INFINITY, f64::max),
                Op::Quotient(over, under) => at(over) / at(under),
                Op::Complement(of) => 1.0 - at(of),
                Op::Ceil(of) => ceil(at(of)),
                Op::Function(_, list, formula) => formula(&list.iter().map(at).collect::<Vec<f64>>()),
            };
            values.push(if cells.contains(&id) { value * factor } else { value });
        }
        values
    }

    fn column(&self, op: &Op, scores: &Scores, columns: &[Option<Vec<f64>>], worlds: usize) -> Vec<f64> {
        let fold = |list: &[CellId], start: f64, join: fn(f64, f64) -> f64| {
            let mut out = vec![start; worlds];
            for &cell in list {
                match &columns[cell] {
                    Some(column) => out.iter_mut().zip(column).for_each(|(o, v)| *o = join(*o, *v)),
                    None => out.iter_mut().for_each(|o| *o = join(*o, self.cells[cell].value)),
                }
            }
            out
        };
        let at =
            |cell: CellId, world: usize| columns[cell].as_ref().map_or(self.cells[cell].value, |c| c[world]);
        let map = |cell: CellId, f: fn(f64) -> f64| (0..worlds).map(|w| f(at(cell, w))).collect::<Vec<f64>>();
        match op {
            Op::Input(Some(draw)) => {
                scores.0[draw.input].iter().map(|&score| (draw.at_score)(f64::from(score))).collect()
            }
            Op::Input(None) | Op::Constant => Vec::new(),
            Op::Sum(list) => fold(list, 0.0, |a, b| a + b),
            Op::Product(list) => fold(list, 1.0, |a, b| a * b),
            Op::Max(list) => fold(list, f64::NEG_INFINITY, f64::max),
            Op::Quotient(over, under) => (0..worlds).map(|w| at(*over, w) / at(*under, w)).collect(),
            Op::Complement(of) => map(*of, |v| 1.0 - v),
            Op::Ceil(of) => map(*of, ceil),
            Op::Function(_, list, formula) => {
                let mut arguments = vec![0.0; list.len()];
                (0..worlds)
                    .map(|w| {
                        arguments.iter_mut().zip(list).for_each(|(a, &cell)| *a = at(cell, w));
                        formula(&arguments)
                    })
                    .collect()
            }
            Op::Surface(id) => self.surfaces[*id].column(scores),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_quantiles_of_the_normal_distribution() {
        for (u, score) in [
            (0.5, 0.0),
            (0.95, 1.644_853_627),
            (0.975, 1.959_963_985),
            (0.001, -3.090_232_306),
            (1e-6, -4.753_424_309),
        ] {
            assert!((normal_score(u) - score).abs() < 1e-8, "{u}: {}", normal_score(u));
        }
    }

    #[test]
    fn worlds_fill_every_part_of_a_range_once() {
        let scores = Scores::draw(1, 3, 1000, "test");
        for column in &scores.0 {
            let mean: f64 = column.iter().map(|&s| f64::from(s)).sum::<f64>() / 1000.0;
            let square: f64 = column.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / 1000.0;
            assert!(mean.abs() < 1e-3 && (square - 1.0).abs() < 0.01, "{mean} {square}");
        }
        assert_ne!(scores.0[0], scores.0[1]);
    }
}
