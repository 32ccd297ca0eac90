//! `population`: users, where they are, and how their day goes.

use crate::arrivals::Diurnal;
use crate::decode::{Decoder, Shape};
use crate::node::Node;
use crate::scenario::{Population, Region};
use crate::units::{self, Count, Fraction, Number};

/// Most users; beyond it lies nothing but a slip of the unit.
const USERS_MAX: f64 = 1e12;
const REGIONS_MAX: usize = 200;
const SITES_MAX: u32 = 10_000;
/// Most sites over all regions: engines number them in 16 bits.
const SITES_IN_ALL_MAX: u32 = 50_000;

const POPULATION: Shape =
    Shape { fields: &["users", "active", "downlink", "regions", "diurnal"], example: "{users: 1 M}" };
const REGION: Shape = Shape {
    fields: &["name", "share", "utc_offset", "sites", "diurnal"],
    example: "{name: europe, share: 60 %}",
};
const DIURNAL: Shape =
    Shape { fields: &["hourly", "peak_to_mean", "peak_at"], example: "{peak_to_mean: 2.0, peak_at: 19:00}" };

pub fn population(decoder: &mut Decoder, node: &Node) -> Option<Population> {
    let mut fields = decoder.fields(node, "population", &POPULATION)?;
    let users: Option<Count> = fields.need_quantity(decoder, "users");
    if let Some(users) = &users {
        decoder.between(users, "population.users", (1.0, USERS_MAX), "expected 1 to 1 T (10^12) users");
    }
    let active = fields.quantity(decoder, "active").unwrap_or_else(|| Fraction::given(1.0, "100 %"));
    let downlink = fields.quantity(decoder, "downlink");
    let diurnal = fields.take("diurnal").and_then(|n| diurnal(decoder, n)).unwrap_or(Diurnal::Flat);
    let regions = match fields.take("regions") {
        Some(list) => regions(decoder, list, &diurnal),
        None => Some(vec![Region {
            name: "world".into(),
            share: 1.0,
            utc_offset_s: 0.0,
            sites: 1,
            diurnal,
            origin: fields.origin,
        }]),
    };
    fields.finish(decoder);
    Some(Population { users: users?, active, regions: regions?, downlink })
}

fn regions(decoder: &mut Decoder, list: &Node, default: &Diurnal) -> Option<Vec<Region>> {
    const EXAMPLE: &str = "[{name: europe, share: 60 %}, {name: asia, share: 40 %}]";
    let items = decoder.list(list, "population.regions", EXAMPLE)?;
    if items.is_empty() {
        decoder.problem(list.origin, "`population.regions` is empty", "leave it out for one region");
        return None;
    }
    if items.len() > REGIONS_MAX {
        let cause = format!("`population.regions` has {} regions", items.len());
        decoder.problem(list.origin, cause, format!("put some together: at most {REGIONS_MAX}"));
        return None;
    }
    let regions: Option<Vec<Region>> = decoder.clean(|decoder| {
        let each = items.iter().enumerate();
        let regions: Vec<Option<Region>> = each
            .map(|(i, item)| region(decoder, item, &format!("population.regions[{i}]"), default))
            .collect();
        regions.into_iter().collect()
    });
    // Sums say something only if nothing is missing from them.
    let regions = regions?;
    let total: f64 = regions.iter().map(|r| r.share).sum();
    if (total - 1.0).abs() > 1e-6 {
        let cause = format!("the shares of the regions add up to {:.4} %", total * 100.0);
        decoder.problem(list.origin, cause, "make them add up to 100 %");
    }
    let sites: u32 = regions.iter().map(|r| r.sites).sum();
    if sites > SITES_IN_ALL_MAX {
        let cause = format!("the regions have {sites} sites in all");
        decoder.problem(list.origin, cause, format!("give them at most {SITES_IN_ALL_MAX} together"));
    }
    Some(regions)
}

fn region(decoder: &mut Decoder, node: &Node, path: &str, default: &Diurnal) -> Option<Region> {
    let mut fields = decoder.fields(node, path, &REGION)?;
    let name_path = fields.name("name");
    let name = fields
        .need(decoder, "name", "europe")
        .and_then(|n| decoder.text(n, &name_path, "write one name, such as `europe`"));
    let share: Option<Fraction> = fields.need_quantity(decoder, "share");
    let offset_name = fields.name("utc_offset");
    let utc_offset_s = match fields.take("utc_offset") {
        Some(n) => decoder
            .text(n, &offset_name, "write hours, such as `+1 h`")
            .and_then(|t| decoder.noted(n.origin, &offset_name, units::parse_offset(&t)))
            .unwrap_or(0.0),
        None => 0.0,
    };
    let sites = fields.number(decoder, "sites", (1, SITES_MAX), "10").unwrap_or(1);
    let diurnal = fields.take("diurnal").and_then(|n| diurnal(decoder, n)).unwrap_or_else(|| default.clone());
    let origin = fields.origin;
    fields.finish(decoder);
    Some(Region { name: name?, share: share?.get(), utc_offset_s, sites, diurnal, origin })
}

fn diurnal(decoder: &mut Decoder, node: &Node) -> Option<Diurnal> {
    let mut fields = decoder.fields(node, "diurnal", &DIURNAL)?;
    let hours = fields.take("hourly");
    let peak_node = fields.take("peak_to_mean");
    let peak: Option<Number> = peak_node.and_then(|n| decoder.quantity(n, "peak_to_mean"));
    let peak_at = match fields.take("peak_at") {
        Some(n) => decoder
            .text(n, "peak_at", "write hours and minutes, such as `19:00`")
            .and_then(|t| decoder.noted(n.origin, "peak_at", units::parse_time_of_day(&t))),
        None => Some(19.0 * 3600.0),
    };
    let (origin, misspelt) = (fields.origin, fields.misspelt("peak_to_mean") || fields.misspelt("hourly"));
    fields.finish(decoder);
    if let Some(list) = hours {
        return hourly(decoder, list);
    }
    if peak_node.is_none() && !misspelt {
        decoder.problem(
            origin,
            "`diurnal` says neither `peak_to_mean` nor `hourly`",
            "add `peak_to_mean: 2.0`",
        );
    }
    let peak = peak?;
    if !(1.0..=100.0).contains(&peak.get()) {
        decoder.problem(peak.origin, format!("`peak_to_mean` is {}", peak.text), "expected 1 to 100");
        return None;
    }
    Some(Diurnal::with_peak(peak.get(), peak_at?))
}

/// A day by its hours; only their proportions matter.
fn hourly(decoder: &mut Decoder, list: &Node) -> Option<Diurnal> {
    let items = decoder.list(list, "diurnal.hourly", "[1, 1, 2, ...]")?;
    let values: Vec<f64> = items
        .iter()
        .filter_map(|n| decoder.quantity::<units::Plain>(n, "diurnal.hourly"))
        .map(|q| q.get())
        .collect();
    if items.len() != 24 {
        let cause = format!("`diurnal.hourly` has {} values", items.len());
        decoder.problem(list.origin, cause, "give 24, one for each hour from 00:00");
    }
    let mut hours = <[f64; 24]>::try_from(values).ok()?;
    let mean = hours.iter().sum::<f64>() / 24.0;
    for hour in &mut hours {
        *hour /= mean;
    }
    Some(Diurnal::Hourly(hours))
}
