//! How much is kept: today, a day's growth, after 1 and 10 years, with all copies.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::quantities::WHOLE;
use plimsoll_scenarios::{Dataset, DatasetId, Growth, Scheme};

use super::book::Book;
use crate::sheet::CellId;

const GROUP: &str = "storage";
const YEAR_DAYS: f64 = 365.0;

/// Cells of which the totals are sums.
#[derive(Default)]
struct Totals {
    today: Vec<CellId>,
    replicated: Vec<CellId>,
    metadata: Vec<CellId>,
    a_day: Vec<CellId>,
    in_1_year: Vec<CellId>,
    in_10_years: Vec<CellId>,
    in_10_years_replicated: Vec<CellId>,
}

impl Book<'_> {
    pub fn storage(&mut self) {
        let mut totals = Totals::default();
        for id in 0..self.scenario.datasets.len() {
            self.dataset(id, &mut totals);
        }
        let several = totals.today.len() > 1;
        let grows = !totals.a_day.is_empty();
        for (cells, quantity, label, shown) in [
            (totals.today, "storage", "all, one copy", several),
            (totals.replicated, "storage_replicated", "all, with copies", several),
            (totals.metadata, "metadata", "all metadata", false),
            (totals.a_day, "storage_per_day", "all, a day", several),
            (totals.in_1_year, "storage_1_year", "all, in 1 year", several && grows),
            (totals.in_10_years, "storage_10_years", "all, in 10 years", several && grows),
            (
                totals.in_10_years_replicated,
                "storage_10_years_replicated",
                "all, in 10 years with copies",
                several && grows,
            ),
        ] {
            if cells.is_empty() {
                continue;
            }
            let cell = self.sheet.sum(cells);
            let id = format!("{WHOLE}.{quantity}");
            if shown {
                self.line(id, GROUP, label, cell, Unit::Bytes);
            } else {
                self.detail(id, GROUP, label, cell, Unit::Bytes);
            }
        }
    }

    fn dataset(&mut self, id: DatasetId, totals: &mut Totals) {
        let scenario = self.scenario;
        let (name, dataset) = scenario.datasets.get_index(id).expect("ids come from the scenario");
        // A dataset that only grows has the number of objects that its growth gives.
        let derived = dataset.growth.is_some() && dataset.count.origin == dataset.origin;
        let daily = dataset.growth.as_ref().map(|growth| self.added_per_day(name, growth));
        let count = match (derived, daily) {
            (true, Some(daily)) => {
                let kept = dataset
                    .retention
                    .as_ref()
                    .map_or(YEAR_DAYS, |time| (time.get() / 86_400.0).min(YEAR_DAYS));
                let days = self.sheet.constant("days kept, at most a year", kept, Unit::Count);
                self.sheet.product(vec![daily, days])
            }
            _ => self.sheet.input(format!("{name} objects"), &dataset.count, (1.0, Unit::Count)),
        };
        let count =
            self.detail(format!("{name}.objects"), GROUP, format!("{name}, objects"), count, Unit::Count);
        let size = self.sheet.input(format!("{name} size"), &dataset.size, (1.0, Unit::Bytes));
        let today = self.sheet.product(vec![count, size]);
        let kept = dataset.retention.as_ref().is_some_and(|time| time.get() < YEAR_DAYS * 86_400.0);
        let label = match (derived, kept) {
            (true, true) => format!("{name}, while kept, one copy"),
            (true, false) => format!("{name}, of a year, one copy"),
            (false, _) => format!("{name}, one copy"),
        };
        let today = self.line(format!("{name}.storage"), GROUP, label, today, Unit::Bytes);
        totals.today.push(today);
        let copies = self.copies(dataset);
        let mut replicated = today;
        if let (Some(tier), Some((copies, words))) = (dataset.stored_in, &copies) {
            let cell = self.sheet.product(vec![today, *copies]);
            let label = format!("{name}, {words} in {}", scenario.tier_name(tier));
            replicated = self.line(format!("{name}.storage_replicated"), GROUP, label, cell, Unit::Bytes);
        }
        self.stored.push(Some(replicated));
        totals.replicated.push(replicated);
        if let Some(metadata) = &dataset.metadata {
            let one = self.sheet.input("metadata of one", metadata, (1.0, Unit::Bytes));
            let cell = self.sheet.product(vec![count, one]);
            totals.metadata.push(self.line(
                format!("{name}.metadata"),
                GROUP,
                format!("{name}, metadata"),
                cell,
                Unit::Bytes,
            ));
        }
        let Some(daily) = daily else {
            totals.in_1_year.push(today);
            totals.in_10_years.push(today);
            totals.in_10_years_replicated.push(replicated);
            return;
        };
        let a_day = self.sheet.product(vec![daily, size]);
        totals.a_day.push(self.line(
            format!("{name}.storage_per_day"),
            GROUP,
            format!("{name}, a day"),
            a_day,
            Unit::Bytes,
        ));
        let start = (!derived).then_some(count);
        for (years, quantity, label) in
            [(1.0, "storage_1_year", "in 1 year"), (10.0, "storage_10_years", "in 10 years")]
        {
            let objects = self.later(dataset, start, daily, years);
            if years > 1.0 {
                let label = format!("{name}, objects in 10 years");
                self.detail(format!("{name}.objects_10_years"), GROUP, label, objects, Unit::Count);
            }
            let cell = self.sheet.product(vec![objects, size]);
            let cell =
                self.line(format!("{name}.{quantity}"), GROUP, format!("{name}, {label}"), cell, Unit::Bytes);
            if years == 1.0 {
                totals.in_1_year.push(cell);
                continue;
            }
            totals.in_10_years.push(cell);
            let mut with_copies = cell;
            if let (Some(tier), Some((copies, words))) = (dataset.stored_in, &copies) {
                let cell = self.sheet.product(vec![cell, *copies]);
                let label = format!("{name}, in 10 years, {words} in {}", scenario.tier_name(tier));
                with_copies =
                    self.line(format!("{name}.storage_10_years_replicated"), GROUP, label, cell, Unit::Bytes);
            }
            totals.in_10_years_replicated.push(with_copies);
        }
    }

    fn added_per_day(&mut self, name: &str, growth: &Growth) -> CellId {
        let daily = match growth {
            Growth::Rate(rate) => {
                self.sheet.input(format!("{name} objects a day, as stated"), rate, (86_400.0, Unit::PerDay))
            }
            Growth::By { action, each } => {
                let (rate, day) = (self.rates[*action].mean, self.common.day);
                let mut factors = vec![rate, day];
                if each.get() != 1.0 || each.range.is_some() {
                    factors.push(self.sheet.input("objects of one", each, (1.0, Unit::Number)));
                }
                self.sheet.product(factors)
            }
        };
        self.detail(
            format!("{name}.added_per_day"),
            GROUP,
            format!("{name}, objects a day"),
            daily,
            Unit::PerDay,
        )
    }

    /// Objects after so many years: those of today and all that come, as far as they are kept.
    fn later(&mut self, dataset: &Dataset, start: Option<CellId>, daily: CellId, years: f64) -> CellId {
        let span = years * YEAR_DAYS;
        let kept = dataset.retention.as_ref().map_or(f64::INFINITY, |time| time.get() / 86_400.0);
        let days = self.sheet.constant(
            if kept < span {
                "days kept".to_owned()
            } else {
                format!("days of {years} year{}", if years == 1.0 { "" } else { "s" })
            },
            span.min(kept),
            Unit::Count,
        );
        let mut factors = vec![daily, days];
        let growth = &self.scenario.population.growth_per_year;
        if growth.get() > 0.0 {
            let growth = self.sheet.input("growth a year", growth, (1.0, Unit::Share));
            // Mean over the years counted of what grows all the time; what is kept is the last of them.
            let counted = span.min(kept) / YEAR_DAYS;
            let first = years - counted;
            let mean =
                self.sheet.function("mean of (1 + growth)^t over the years kept", vec![growth], move |g| {
                    let rate = g[0].ln_1p();
                    if rate.abs() < 1e-12 {
                        1.0
                    } else {
                        (first * rate).exp() * (counted * rate).exp_m1() / (counted * rate)
                    }
                });
            factors.push(self.sheet.named(mean, "growth of the users", Unit::Number));
        }
        let come = self.sheet.product(factors);
        match start {
            Some(count) if kept >= span => self.sheet.sum(vec![count, come]),
            _ => come,
        }
    }

    /// Bytes kept for a byte, and what to call it.
    fn copies(&mut self, dataset: &Dataset) -> Option<(CellId, String)> {
        let replication = &self.scenario.tiers[dataset.stored_in?].replication;
        let words = match replication.scheme {
            Scheme::Copies { count: 1, .. } => "1 copy".to_owned(),
            Scheme::Copies { count, .. } => format!("{count} copies"),
            Scheme::Erasure { data, parity } => format!("erasure code {data}+{parity}"),
        };
        let name = match replication.scheme {
            Scheme::Copies { .. } => "copies",
            Scheme::Erasure { .. } => "(data + parity) / data",
        };
        Some((self.sheet.stated(name, replication.overhead(), Unit::Number, replication.origin), words))
    }
}
