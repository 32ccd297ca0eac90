//! The page in the making: the sheet, what its cells are of the scenario, and the lines to show.

use plimsoll_reports::record::{Resource, Unit};
use plimsoll_scenarios::distribution::Distribution;
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::units::Seconds;
use plimsoll_scenarios::{Balance, DatasetId, Scenario, Scope, Station, TierId};

use super::RESOURCES_MAX;
use super::levels::LevelCells;
use crate::flow::Flow;
use crate::sheet::{CellId, Sheet};

/// A line of the page.
pub struct Line {
    pub id: String,
    pub group: &'static str,
    pub label: String,
    pub cell: CellId,
    pub unit: Unit,
    pub detail: bool,
}

/// Something that can be used up.
pub struct Limit {
    pub id: String,
    pub label: String,
    pub cell: CellId,
    /// Where the tier is once; its load follows all regions together.
    pub global: bool,
    /// How full it is grows with the demand.
    pub by_demand: bool,
}

/// What the cells are.
pub struct Book<'s> {
    pub scenario: &'s Scenario,
    pub prices: &'s PriceList,
    pub sheet: Sheet<'s>,
    pub flow: Flow<'s>,
    pub lines: Vec<Line>,
    pub limits: Vec<Limit>,
    /// By action: mean and peak rate, and the peak of all regions together, 1/s.
    pub rates: Vec<Rates>,
    /// Cells that grow with the demand, from which all else follows.
    pub demand: Vec<CellId>,
    /// By call: mean calls a second.
    pub calls: Vec<CellId>,
    /// By call: hit ratio, where it is looked up.
    pub hits: Vec<Option<CellId>>,
    /// By call: where it is looked up in a cache in memory and on disk, what of that is memory's and what is kept.
    pub levels: Vec<Option<LevelCells>>,
    /// By tier.
    pub tiers: Vec<TierCells>,
    /// By dataset: bytes kept, replicated.
    pub stored: Vec<Option<CellId>>,
    pub common: Common,
    /// A new object that draws a share of a dataset's requests.
    pub hot: Option<(DatasetId, f64)>,
}

#[derive(Clone, Copy)]
pub struct Rates {
    pub mean: CellId,
    pub peak: CellId,
    pub peak_global: CellId,
    /// Peak over mean, regions at once and together.
    pub factor: CellId,
    pub factor_global: CellId,
}

/// Cells of a tier that others rest on.
#[derive(Clone, Copy, Default)]
pub struct TierCells {
    pub rate: Option<CellId>,
    /// Work at the peak, in calls of one server, 1/s.
    pub work_peak: Option<CellId>,
    pub egress: Option<CellId>,
    pub egress_peak: Option<CellId>,
    /// Mean wait at the peak.
    pub wait: Option<CellId>,
    pub service: Option<CellId>,
    pub round_trip: Option<CellId>,
    /// The same of calls that cross the distance between users and sites.
    pub round_trip_of_users: Option<CellId>,
    pub utilisation: Option<CellId>,
    pub stored: Option<CellId>,
}

/// Constants of many formulas.
pub struct Common {
    pub day: CellId,
    pub bits: CellId,
    pub users: CellId,
    pub active: CellId,
}

impl<'s> Book<'s> {
    #[must_use]
    pub fn of(
        scenario: &'s Scenario,
        prices: &'s PriceList,
        hot: Option<(DatasetId, f64)>,
        threads: usize,
    ) -> Self {
        let mut sheet = Sheet::new(scenario, threads);
        let population = &scenario.population;
        let common = Common {
            day: sheet.constant("seconds a day", 86_400.0, Unit::Seconds),
            bits: sheet.constant("bits a byte", 8.0, Unit::Number),
            users: sheet.input("users", &population.users, (1.0, Unit::Count)),
            active: sheet.input("active share", &population.active, (1.0, Unit::Share)),
        };
        let mut book = Self {
            scenario,
            prices,
            sheet,
            flow: Flow::of(scenario),
            lines: Vec::new(),
            limits: Vec::new(),
            rates: Vec::new(),
            demand: Vec::new(),
            calls: Vec::new(),
            hits: Vec::new(),
            levels: Vec::new(),
            tiers: vec![TierCells::default(); scenario.tiers.len()],
            stored: Vec::new(),
            common,
            hot,
        };
        book.demand();
        book.caches();
        book.bandwidth();
        book.storage();
        book.connections();
        book.servers();
        book.latency();
        book.availability();
        book.cost();
        book
    }

    /// Adds a line for a cell.
    pub fn line(
        &mut self,
        id: String,
        group: &'static str,
        label: impl Into<String>,
        cell: CellId,
        unit: Unit,
    ) -> CellId {
        let label = label.into();
        let cell = self.sheet.named(cell, label.clone(), unit);
        self.lines.push(Line { id, group, label, cell, unit, detail: false });
        cell
    }

    /// The same for what is shown with the working only.
    pub fn detail(
        &mut self,
        id: String,
        group: &'static str,
        label: impl Into<String>,
        cell: CellId,
        unit: Unit,
    ) -> CellId {
        let cell = self.line(id, group, label, cell, unit);
        if let Some(line) = self.lines.last_mut() {
            line.detail = true;
        }
        cell
    }

    /// A line that is a use of something limited.
    pub fn limit(
        &mut self,
        tier: TierId,
        quantity: &str,
        label: String,
        cell: CellId,
        by_demand: bool,
    ) -> CellId {
        let name = self.scenario.tier_name(tier);
        let global = self.scenario.tiers[tier].scope == Scope::Global;
        let id = format!("{name}.{quantity}");
        // `web, busy at the peak` is a line's name; what is used up are `web servers`.
        let resource = match quantity {
            "utilisation_peak" => "servers",
            "link_utilisation_peak" => "links",
            "connections_utilisation_peak" => "connections",
            "limit_utilisation_peak" => "limit",
            "iops_utilisation_peak" => "IOPS",
            "store_utilisation" => "disks",
            "hottest_shard_utilisation" => "hottest shard",
            "hottest_key_utilisation" => "hottest key",
            other => other,
        };
        self.limits.push(Limit {
            id: id.clone(),
            label: format!("{name} {resource}"),
            cell,
            global,
            by_demand,
        });
        self.line(id, "servers", label, cell, Unit::Share)
    }

    /// The mean of a law of times, seconds.
    pub fn mean_time(&mut self, name: String, law: &Distribution<Seconds>, tier: TierId) -> CellId {
        let mean = law.mean_quantity();
        if mean.origin.line > 0 {
            return self.sheet.input(name, &mean, (1.0, Unit::Seconds));
        }
        let origin = self.scenario.tiers[tier].origin;
        self.sheet.stated(name, law.mean(), Unit::Seconds, origin)
    }

    /// How full everything is at a multiple of the demand, the fullest first.
    #[must_use]
    pub fn resources_at(&self, factor: f64) -> Vec<Resource> {
        let values = self.sheet.revalued(&self.demand, factor);
        let mut resources: Vec<Resource> = self
            .limits
            .iter()
            .map(|limit| Resource {
                id: limit.id.clone(),
                label: limit.label.clone(),
                used: values[limit.cell],
            })
            .filter(|r| r.used.is_finite())
            .collect();
        resources.sort_by(|a, b| b.used.total_cmp(&a.used));
        resources.truncate(RESOURCES_MAX);
        resources
    }

    /// `1 B users · 100 M songs · 30 plays a day`.
    #[must_use]
    pub fn headline(&self) -> String {
        use plimsoll_reports::format::human;
        let users = self.sheet.value(self.common.users);
        let mut parts = vec![format!("{} users", human(users, Unit::Count))];
        for (name, dataset) in self.scenario.datasets.iter().take(2) {
            parts.push(format!("{} {name} objects", human(dataset.count.get(), Unit::Count)));
        }
        for (id, name) in self.scenario.actions.keys().enumerate().take(2) {
            let per_day = self.sheet.value(self.rates[id].mean) * 86_400.0;
            parts.push(format!("{name} {}", human(per_day, Unit::PerDay)));
        }
        parts.join(" · ")
    }

    /// What a reader should know.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.prices.sources.is_empty() && self.lines.iter().any(|l| l.id == "total.cost") {
            notes.push(format!(
                "Prices: {}, {}, as of {}. On demand, without discounts.",
                self.prices.source, self.prices.region, self.prices.as_of
            ));
        }
        if crate::simulate::feeds_back(self.scenario) {
            notes.push(
                "Timeouts, retries, hedges, breakers, batches, autoscaling and other disciplines than first come, \
                 first served are not in these figures; `plimsoll simulate` plays them."
                    .to_owned(),
            );
        }
        notes.extend(
            self.scenario.tiers.iter().filter_map(|(name, tier)| uneven(name, tier.station.as_ref()?)),
        );
        if self.sheet.uncertain().is_empty() {
            return notes;
        }
        notes.push(
            "Ranges are the 5 % and 95 % ends over worlds in which every range of the scenario has one value; \
             hit ratios in worlds come from a surface fitted to exact solutions."
                .to_owned(),
        );
        notes
    }
}

/// What to say of a tier whose balancer gives its kinds of servers more than they are worth.
fn uneven(name: &str, station: &Station) -> Option<String> {
    let busy = station.busy_by_kind();
    let (most, least) = busy.iter().fold((f64::MIN, f64::MAX), |(high, low), b| (high.max(*b), low.min(*b)));
    let even = !busy.is_empty() && most / least > 1.01;
    even.then(|| {
        let why = if station.balance == Balance::Weighted {
            "`balance: weighted` goes by their links."
        } else {
            "its balancer does not go by what each is worth, as `balance: weighted` does."
        };
        format!("Of {name}'s servers one kind is {:.2} times as busy as another: {why}", most / least)
    })
}
