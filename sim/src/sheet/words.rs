//! A cell's formula in words, and with the numbers put in.

use plimsoll_reports::format::{human, significant, with_separators};
use plimsoll_reports::record::Unit;

use super::{CellId, Op, Sheet};

/// Most parts of a sum that are written out.
const PARTS_MAX: usize = 8;

impl Sheet<'_> {
    /// `users x active share x times a day / seconds a day`. Empty for an input.
    #[must_use]
    pub fn words(&self, cell: CellId) -> String {
        self.written(cell, true, &|sheet, cell| sheet.cells[cell].name.clone())
    }

    /// The same with numbers: `1,000,000,000 x 100 % x 30 / 86,400 s`.
    #[must_use]
    pub fn working(&self, cell: CellId) -> String {
        self.written(cell, true, &|sheet, cell| {
            let cell = &sheet.cells[cell];
            shown(cell.value, cell.unit)
        })
    }

    fn written(&self, cell: CellId, top: bool, leaf: &dyn Fn(&Self, CellId) -> String) -> String {
        let here = &self.cells[cell];
        if !top && !here.name.is_empty() {
            return leaf(self, cell);
        }
        let part = |c: &CellId| self.written(*c, false, leaf);
        let joined = |list: &[CellId], with: &str| {
            let mut parts: Vec<String> = list.iter().take(PARTS_MAX).map(part).collect();
            if list.len() > PARTS_MAX {
                parts.push(format!("{} more", list.len() - PARTS_MAX));
            }
            parts.join(with)
        };
        match &here.op {
            Op::Input(_) | Op::Constant | Op::Surface(_) if top => String::new(),
            Op::Input(_) | Op::Constant | Op::Surface(_) => shown(here.value, here.unit),
            Op::Sum(list) if list.len() == 1 => part(&list[0]),
            Op::Sum(list) if top => joined(list, " + "),
            Op::Sum(list) => format!("({})", joined(list, " + ")),
            Op::Product(list) => joined(list, " x "),
            Op::Quotient(over, under) => {
                let under_text = part(under);
                let compound = self.cells[*under].name.is_empty()
                    && matches!(&self.cells[*under].op, Op::Product(l) if l.len() > 1);
                if compound {
                    format!("{} / ({under_text})", part(over))
                } else {
                    format!("{} / {under_text}", part(over))
                }
            }
            Op::Complement(of) => format!("(1 - {})", part(of)),
            Op::Max(list) => format!("the largest of {}", joined(list, ", ")),
            Op::Ceil(of) => format!("{}, rounded up", part(of)),
            Op::Function(words, list, _) => {
                if list.is_empty() {
                    (*words).to_owned()
                } else {
                    format!("{words} of {}", joined(list, ", "))
                }
            }
        }
    }
}

/// A number as it stands in a formula: counts in full, all else as people say it.
fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count if value.fract() == 0.0 && value.abs() < 1e15 => with_separators(value as u64),
        Unit::Count | Unit::Number => significant(value, 5),
        Unit::Seconds if value == 86_400.0 => "86,400 s".to_owned(),
        Unit::Share => format!("{} %", significant(value * 100.0, 4)),
        _ => human(value, unit),
    }
}
