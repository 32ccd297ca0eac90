//! How often: mean and peak rates, and how many are there at once.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::quantities::WHOLE;
use plimsoll_scenarios::{Action, ActorNumber, Demand};

use super::book::{Book, Rates};
use crate::sheet::CellId;

const GROUP: &str = "demand";
const DAY_S: f64 = 86_400.0;

impl Book<'_> {
    pub fn demand(&mut self) {
        let scenario = self.scenario;
        let mut per_day: Vec<Option<CellId>> = vec![None; scenario.actions.len()];
        for id in 0..scenario.actions.len() {
            self.per_day(id, &mut per_day);
        }
        for (id, (name, action)) in scenario.actions.iter().enumerate() {
            let Some(daily) = per_day[id] else { continue };
            let raw = daily;
            let daily = self.sheet.sum(vec![raw]);
            self.line(format!("{name}.per_day"), GROUP, format!("{name}, a day"), daily, Unit::PerDay);
            let day = self.common.day;
            let mean = self.sheet.quotient(raw, day);
            let mean =
                self.line(format!("{name}.rate"), GROUP, format!("{name}, mean rate"), mean, Unit::PerSecond);
            let (factor, factor_global) = self.peaks(name, action);
            let peak = self.sheet.product(vec![mean, factor]);
            let peak = self.line(
                format!("{name}.peak_rate"),
                GROUP,
                format!("{name}, peak rate"),
                peak,
                Unit::PerSecond,
            );
            let mut peak_global = peak;
            if self.sheet.value(factor_global) < self.sheet.value(factor) * (1.0 - 1e-9) {
                let cell = self.sheet.product(vec![mean, factor_global]);
                let label = format!("{name}, peak rate over all regions' clocks");
                peak_global =
                    self.detail(format!("{name}.peak_rate_global"), GROUP, label, cell, Unit::PerSecond);
            }
            self.rates.push(Rates { mean, peak, peak_global, factor, factor_global });
        }
        self.totals();
        self.people();
    }

    /// Times a day of an action, which may follow another one.
    fn per_day(&mut self, id: usize, known: &mut [Option<CellId>]) -> CellId {
        if let Some(cell) = known[id] {
            return cell;
        }
        let scenario = self.scenario;
        let (name, action) = scenario.actions.get_index(id).expect("ids come from the scenario");
        let (users, active) = (self.common.users, self.common.active);
        let cell = match &action.demand {
            Demand::PerUser(rate) => {
                let times = self.sheet.input("times a day", rate, (DAY_S, Unit::Count));
                self.sheet.product(vec![users, active, times])
            }
            Demand::PerActor(actor, rate) => {
                let (kind, actor) =
                    scenario.population.actors.get_index(*actor).expect("ids come from the scenario");
                let mut factors = match &actor.number {
                    ActorNumber::Count(count) => {
                        vec![self.sheet.input(format!("number of {kind}"), count, (1.0, Unit::Count))]
                    }
                    ActorNumber::Share(share) => {
                        vec![users, self.sheet.input(format!("share of {kind}"), share, (1.0, Unit::Share))]
                    }
                };
                factors.push(self.sheet.input("active share", &actor.active, (1.0, Unit::Share)));
                factors.push(self.sheet.input("times a day", rate, (DAY_S, Unit::Count)));
                self.sheet.product(factors)
            }
            Demand::PerAction(other, each) => {
                let before = self.per_day(*other, known);
                let other = scenario.action_name(*other);
                let before = self.sheet.sum(vec![before]);
                let before = self.sheet.named(before, format!("{other}, a day"), Unit::PerDay);
                let each = self.sheet.input(format!("{name} for one {other}"), each, (1.0, Unit::Number));
                self.sheet.product(vec![before, each])
            }
            Demand::Total(rate) => {
                self.sheet.input(format!("{name} a day, as stated"), rate, (DAY_S, Unit::PerDay))
            }
        };
        // The demand of what follows another action grows with that.
        if !matches!(action.demand, Demand::PerAction(..)) {
            self.demand.push(cell);
        }
        known[id] = Some(cell);
        cell
    }

    /// Peak over mean where all regions peak at once, as a region sees it, and over all regions by their
    /// clocks.
    fn peaks(&mut self, name: &str, action: &Action) -> (CellId, CellId) {
        let scenario = self.scenario;
        let population = &scenario.population;
        let regions = &population.regions;
        let mut factors = Vec::new();
        if population.weekly.peak() > 1.0 {
            factors.push(self.sheet.constant("busiest day to mean", population.weekly.peak(), Unit::Number));
        }
        let stated = regions.first().and_then(|r| r.peak_to_mean.as_ref());
        let alike = regions.iter().all(|r| r.peak_to_mean == regions[0].peak_to_mean);
        let height = match (&action.diurnal, stated) {
            (Some(day), _) => {
                self.sheet.stated(format!("peak to mean of {name}"), day.peak(), Unit::Number, action.origin)
            }
            (None, Some(peak)) if alike => self.sheet.input("peak to mean", peak, (1.0, Unit::Number)),
            _ => {
                let mean: f64 = regions.iter().map(|r| r.share * r.diurnal.peak()).sum();
                self.sheet.constant("mean of the regions' peaks", mean, Unit::Number)
            }
        };
        factors.push(height);
        let regional = if factors.len() == 1 { height } else { self.sheet.product(factors) };
        let regional = if regional == height {
            height
        } else {
            self.sheet.named(regional, "peak to mean of the week", Unit::Number)
        };
        let at = |minute: u32| -> f64 {
            let moment = |r: &plimsoll_scenarios::Region| f64::from(minute) * 60.0 + r.utc_offset_s;
            regions.iter().enumerate().map(|(i, r)| r.share * scenario.day_of(action, i).at(moment(r))).sum()
        };
        let together = (0..288).map(|step| at(step * 5)).fold(0.0, f64::max);
        let heights: f64 =
            (0..regions.len()).map(|i| regions[i].share * scenario.day_of(action, i).peak()).sum();
        if together >= heights * (1.0 - 1e-4) {
            return (regional, regional);
        }
        let spread =
            self.sheet.constant("share of it that the clocks leave", together / heights, Unit::Number);
        (regional, self.sheet.product(vec![regional, spread]))
    }

    fn totals(&mut self) {
        let several = self.rates.len() > 1;
        let day = self.common.day;
        let means: Vec<CellId> = self.rates.iter().map(|r| r.mean).collect();
        let rate = self.sheet.sum(means);
        let rate = self.add(several, "rate", "all actions, mean rate", rate, Unit::PerSecond);
        let peaks = self.rates.iter().map(|r| r.peak).collect();
        let peak = self.sheet.sum(peaks);
        self.add(several, "peak_rate", "all actions, peak rate", peak, Unit::PerSecond);
        let daily = self.sheet.product(vec![rate, day]);
        self.add(false, "per_day", "all actions, a day", daily, Unit::PerDay);
        let by_kind = |book: &Self, write: bool| -> Vec<CellId> {
            let of_kind = book.scenario.actions.values().zip(&book.rates).filter(|(a, _)| a.write == write);
            of_kind.map(|(_, r)| r.mean).collect()
        };
        let (reads, writes) = (by_kind(self, false), by_kind(self, true));
        if reads.is_empty() || writes.is_empty() {
            return;
        }
        let (reads, writes) = (self.sheet.sum(reads), self.sheet.sum(writes));
        let reads = self.add(true, "reads", "reads", reads, Unit::PerSecond);
        let writes = self.add(true, "writes", "writes", writes, Unit::PerSecond);
        let ratio = self.sheet.quotient(reads, writes);
        self.add(true, "reads_per_write", "reads for one write", ratio, Unit::Number);
    }

    fn people(&mut self) {
        let scenario = self.scenario;
        let (users, active) = (self.common.users, self.common.active);
        if let Some(sessions) = &scenario.population.sessions {
            let visits = self.sheet.input("visits a day", &sessions.per_user, (DAY_S, Unit::Count));
            let lasts = self.sheet.input("length of a visit", &sessions.lasts, (1.0, Unit::Seconds));
            let day = self.common.day;
            let share = self.sheet.product(vec![users, active, visits, lasts]);
            let there = self.sheet.quotient(share, day);
            self.add(true, "concurrent_users", "users there at once, mean (Little)", there, Unit::Count);
        }
        if scenario.population.growth_per_year.get() > 0.0 {
            let growth =
                self.sheet.input("growth a year", &scenario.population.growth_per_year, (1.0, Unit::Share));
            let factor = self.sheet.function("(1 + growth)^10", vec![growth], |g| (1.0 + g[0]).powi(10));
            let later = self.sheet.product(vec![users, factor]);
            self.add(true, "users_10_years", "users in 10 years", later, Unit::Count);
        }
    }

    /// A line of the whole.
    fn add(&mut self, shown: bool, quantity: &str, label: &str, cell: CellId, unit: Unit) -> CellId {
        let id = format!("{WHOLE}.{quantity}");
        if shown {
            self.line(id, GROUP, label, cell, unit)
        } else {
            self.detail(id, GROUP, label, cell, unit)
        }
    }
}
