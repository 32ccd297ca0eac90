//! Prices that change with the volume of a month: the first 10 TB at one price, the next 40 TB at another.
//!
//! Why a list of ranges and not a formula: each range has its own price for what falls into it (marginal
//! pricing), so the cost is the sum over ranges. It is continuous, and never falls as the volume grows.

use crate::units::Money;

/// A range of a month's volume, and the price of what falls into it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where the range ends, in bytes or requests; `None` for the last, which has no end.
    pub up_to: Option<f64>,
    /// Of one unit: a gigabyte, or a million requests.
    pub price: Money,
}

/// Ranges from 0 up without a gap; the last is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    list: Vec<Step>,
    unit: f64,
}

/// What a volume costs within one range.
#[derive(Debug, Clone, PartialEq)]
pub struct StepCost {
    /// Where the range begins, in bytes or requests.
    pub from: f64,
    /// Where it ends; `None` for the last.
    pub up_to: Option<f64>,
    /// How much of the volume falls into it, in bytes or requests.
    pub volume: f64,
    /// The same in the unit that has the price: gigabytes, or millions.
    pub units: f64,
    /// Of one unit, with the place that states it.
    pub price: Money,
    /// Dollars.
    pub cost: f64,
}

impl Steps {
    /// Ranges whose ends rise, the last one without an end; `None` if they are not such.
    /// `unit` is how many bytes or requests a price is for.
    pub(super) fn new(list: Vec<Step>, unit: f64) -> Option<Self> {
        let (last, before) = list.split_last()?;
        let mut end = 0.0;
        let rises = before.iter().all(|step| {
            let rises = step.up_to.is_some_and(|up_to| up_to > end);
            end = step.up_to.unwrap_or(end);
            rises
        });
        (rises && last.up_to.is_none() && unit > 0.0).then_some(Self { list, unit })
    }

    /// The ranges, from 0 up.
    #[must_use]
    pub fn list(&self) -> &[Step] {
        &self.list
    }

    /// Bytes or requests that a price is for.
    #[must_use]
    pub const fn unit(&self) -> f64 {
        self.unit
    }

    /// What a month's volume (bytes or requests) costs, dollars. Less than nothing costs nothing.
    #[must_use]
    pub fn monthly(&self, volume: f64) -> f64 {
        self.used(volume).map(|(_, part, step)| self.cost(part, step)).sum()
    }

    /// The ranges that a volume reaches, with what each contributes; their costs add up to [`Steps::monthly`].
    #[must_use]
    pub fn explain(&self, volume: f64) -> Vec<StepCost> {
        let explained = |(from, part, step): (f64, f64, &Step)| StepCost {
            from,
            up_to: step.up_to,
            volume: part,
            units: part / self.unit,
            price: step.price.clone(),
            cost: self.cost(part, step),
        };
        self.used(volume).map(explained).collect()
    }

    fn cost(&self, part: f64, step: &Step) -> f64 {
        part / self.unit * step.price.get()
    }

    /// Where each reached range begins, how much of the volume falls into it, and its step.
    fn used(&self, volume: f64) -> impl Iterator<Item = (f64, f64, &Step)> {
        // Of a number that is none, and of less than nothing, too.
        let volume = volume.max(0.0);
        let mut from = 0.0;
        self.list.iter().map_while(move |step| {
            let begin = from;
            let end = step.up_to.map_or(volume, |up_to| volume.min(up_to));
            from = step.up_to.unwrap_or(volume);
            (end > begin).then_some((begin, end - begin, step))
        })
    }
}
