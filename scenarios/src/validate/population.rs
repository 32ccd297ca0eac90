//! `population`: users, where they are, and how their day goes.

use indexmap::IndexMap;

use crate::arrivals::{Diurnal, Weekly};
use crate::decode::{Decoder, Fields, Kind, Shape, counted, either, field, must, quantity};
use crate::distance::PATH_STRETCH;
use crate::node::Node;
use crate::scenario::{Actor, ActorNumber, Population, Region, Sessions};
use crate::units::{
    self, Area, BitsPerSecond, Count, Fraction, Number, PerSecond, Plain, Portion, Ratio, Seconds, Share,
    SquareMetres, Things,
};

/// Most users; beyond it lies nothing but a slip of the unit.
const USERS_MAX: f64 = 1e12;
const REGIONS_MAX: usize = 200;
const SITES_MAX: u32 = 10_000;
/// All of the Earth, square metres.
const AREA_MAX: f64 = 5.101e14;
/// A cable around the world to the house next door.
const STRETCH_MAX: f64 = 20.0;
/// Fastest growth of the users in a year.
const GROWTH_MAX: f64 = 10.0;
/// Most sites over all regions: engines number them in 16 bits.
const SITES_IN_ALL_MAX: u32 = 50_000;

const WEEKLY_EXAMPLE: &str = "[1, 1, 1, 1, 1.2, 1.4, 1.3]";
const NUMBER: Kind = quantity::<Plain>();

pub const POPULATION: Shape = Shape {
    fields: &[
        must("users", quantity::<Things>(), "number of users"),
        field("active", quantity::<Share>(), "share of them who are active on a day (100 %)"),
        field("growth_per_year", quantity::<Portion>(), "more users every year (0)"),
        field(
            "downlink",
            quantity::<BitsPerSecond>(),
            "what one user's device gets from one connection (no bound)",
        ),
        field(
            "path_stretch",
            quantity::<Plain>(),
            "length of the cables to the nearest site over the distance, where a region has an `area` (2.1)",
        ),
        field(
            "regions",
            Kind::List(&Kind::Fields(&REGION)),
            "where they are; shares add up to 100 % (one region)",
        ),
        field("diurnal", Kind::Fields(&DIURNAL), "shape of the day, by local time (flat)"),
        field(
            "weekly",
            Kind::List(&NUMBER),
            "seven values, Monday first; only their proportions matter (flat)",
        ),
        field("sessions", Kind::Fields(&SESSIONS), "how often and how long a user is there"),
        field("actors", Kind::Named(&Kind::Fields(&ACTOR)), "others who act: drivers, agents, publishers"),
    ],
    example: "{users: 1 M}",
};
const REGION: Shape = Shape {
    fields: &[
        must("name", Kind::Text, "what to call it"),
        must("share", quantity::<Share>(), "share of all users"),
        field("utc_offset", Kind::Offset, "local time less UTC (0 h)"),
        field(
            "sites",
            Kind::Any(&[Kind::Whole(1, SITES_MAX), Kind::Auto]),
            "places for tiers `per: site` (1)",
        ),
        field(
            "area",
            quantity::<SquareMetres>(),
            "where its users live: the way to the nearest site is a part of their round trip (no such part)",
        ),
        field("diurnal", Kind::Fields(&DIURNAL), "its own day (the population's)"),
    ],
    example: "{name: europe, share: 60 %}",
};
pub const DIURNAL: Shape = Shape {
    fields: &[
        either("peak_to_mean", quantity::<Plain>(), "highest rate over the mean of the day"),
        field("peak_at", Kind::TimeOfDay, "local time of the peak (19:00)"),
        either("hourly", Kind::List(&NUMBER), "24 values instead, from 00:00; only their proportions matter"),
    ],
    example: "{peak_to_mean: 2.0, peak_at: 19:00}",
};
const SESSIONS: Shape = Shape {
    fields: &[
        must("per_user", quantity::<PerSecond>(), "visits of one active user"),
        must("lasts", quantity::<Seconds>(), "length of one"),
    ],
    example: "{per_user: 3/day, lasts: 20 min}",
};
const ACTOR: Shape = Shape {
    fields: &[
        either("count", quantity::<Things>(), "how many"),
        either("share", quantity::<Share>(), "how many, as a share of the users"),
        field("active", quantity::<Share>(), "share of them who are active on a day (100 %)"),
    ],
    example: "{count: 1 M, active: 50 %}",
};

pub fn population(decoder: &mut Decoder, node: &Node) -> Option<Population> {
    let mut fields = decoder.fields(node, "population", &POPULATION)?;
    let users: Option<Count> = fields.need_quantity(decoder, "users");
    if let Some(users) = &users {
        decoder.between(users, "population.users", (1.0, USERS_MAX), "expected 1 to 1 T (10^12) users");
    }
    let active = fields.quantity(decoder, "active").unwrap_or_else(|| Fraction::given(1.0, "100 %"));
    let growth_per_year =
        fields.quantity(decoder, "growth_per_year").unwrap_or_else(|| Ratio::given(0.0, "0 %"));
    let growth_fix = "expected at most 10 (1,000 %) a year";
    decoder.between(&growth_per_year, "population.growth_per_year", (0.0, GROWTH_MAX), growth_fix);
    let downlink = fields.quantity(decoder, "downlink");
    let path_stretch = path_stretch(decoder, &mut fields);
    let (day, peak) =
        fields.take("diurnal").and_then(|n| diurnal(decoder, n)).unwrap_or((Diurnal::Flat, None));
    let weekly = fields.take("weekly").and_then(|n| weekly(decoder, n)).unwrap_or(Weekly::FLAT);
    let sessions = fields.take("sessions").and_then(|n| sessions(decoder, n));
    let actors = match fields.take("actors") {
        Some(n) => {
            super::whole(super::named(decoder, n, ("population.actors", "{driver: {count: 1 M}}"), actor))?
        }
        None => IndexMap::new(),
    };
    let regions = match fields.take("regions") {
        Some(list) => regions(decoder, list, &(day, peak)),
        None => Some(vec![Region {
            name: "world".into(),
            share: 1.0,
            utc_offset_s: 0.0,
            sites: 1,
            area: None,
            diurnal: day,
            peak_to_mean: peak,
            origin: fields.origin,
        }]),
    };
    fields.finish(decoder);
    Some(Population {
        users: users?,
        active,
        regions: regions?,
        downlink,
        path_stretch,
        growth_per_year,
        weekly,
        sessions,
        actors,
    })
}

fn path_stretch(decoder: &mut Decoder, fields: &mut Fields<'_>) -> Number {
    let stretch = fields
        .quantity(decoder, "path_stretch")
        .unwrap_or_else(|| Number::given(PATH_STRETCH, &PATH_STRETCH.to_string()));
    let fix = "no cable is shorter than the distance: expected 1 to 20";
    decoder.between(&stretch, "population.path_stretch", (1.0, STRETCH_MAX), fix);
    stretch
}

fn weekly(decoder: &mut Decoder, list: &Node) -> Option<Weekly> {
    let items = decoder.list(list, "population.weekly", WEEKLY_EXAMPLE)?;
    let days: Vec<f64> = items
        .iter()
        .filter_map(|n| decoder.quantity::<Plain>(n, "population.weekly"))
        .map(|q| q.get())
        .collect();
    if items.len() != 7 {
        let cause = format!("`population.weekly` has {}", counted(items.len(), "value"));
        decoder.problem(list.origin, cause, format!("give 7, Monday first, such as `{WEEKLY_EXAMPLE}`"));
    }
    <[f64; 7]>::try_from(days).ok().map(Weekly::in_proportion)
}

fn sessions(decoder: &mut Decoder, node: &Node) -> Option<Sessions> {
    let mut fields = decoder.fields(node, "population.sessions", &SESSIONS)?;
    let per_user = fields.need_quantity_like(decoder, "per_user", "3/day");
    let lasts = fields.need_quantity_like(decoder, "lasts", "20 min");
    fields.finish(decoder);
    Some(Sessions { per_user: per_user?, lasts: lasts? })
}

fn actor(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Actor> {
    let mut fields = decoder.fields(node, path, &ACTOR)?;
    let both = (fields.take("count").is_some(), fields.take("share").is_some());
    let count: Option<Count> = fields.quantity(decoder, "count");
    let share: Option<Fraction> = fields.quantity(decoder, "share");
    let active = fields.quantity(decoder, "active").unwrap_or_else(|| Fraction::given(1.0, "100 %"));
    let (origin, misspelt) = (fields.origin, fields.misspelt("count") || fields.misspelt("share"));
    fields.finish(decoder);
    let number = match (count, share) {
        (Some(count), None) => {
            let bounds = (0.0, USERS_MAX);
            decoder.between(&count, &format!("{path}.count"), bounds, "expected at most 1 T (10^12)");
            ActorNumber::Count(count)
        }
        (None, Some(share)) => ActorNumber::Share(share),
        _ => {
            if both == (true, true) {
                let cause = format!("`{path}` has both `count` and `share`");
                decoder.problem(origin, cause, "keep one of them");
            } else if both == (false, false) && !misspelt {
                let cause = format!("`{path}` needs either `count` or `share`");
                decoder.problem(origin, cause, format!("write `{}`", ACTOR.example));
            }
            return None;
        }
    };
    Some(Actor { number, active, origin })
}

fn regions(decoder: &mut Decoder, list: &Node, default: &Day) -> Option<Vec<Region>> {
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
    for (i, region) in regions.iter().enumerate() {
        if regions[..i].iter().any(|r| r.name == region.name) {
            let cause = format!("two regions are named `{}`", region.name);
            decoder.problem(region.origin, cause, "give every region a name of its own");
        }
    }
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

fn region(decoder: &mut Decoder, node: &Node, path: &str, default: &Day) -> Option<Region> {
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
    let area: Option<Area> = fields.quantity(decoder, "area");
    if let Some(area) = &area {
        let fix = "expected 1 km2 to 510 M km2, all of the Earth";
        decoder.between(area, &fields.name("area"), (1e6, AREA_MAX), fix);
    }
    let (diurnal, peak_to_mean) =
        fields.take("diurnal").and_then(|n| diurnal(decoder, n)).unwrap_or_else(|| default.clone());
    let origin = fields.origin;
    fields.finish(decoder);
    Some(Region {
        name: name?,
        share: share?.get(),
        utc_offset_s,
        sites,
        area,
        diurnal,
        peak_to_mean,
        origin,
    })
}

/// The shape of a day, and its height where the file states that.
type Day = (Diurnal, Option<Number>);

pub fn diurnal(decoder: &mut Decoder, node: &Node) -> Option<Day> {
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
        if peak_node.is_some() {
            let cause = "`diurnal` says `hourly` and `peak_to_mean`";
            decoder.problem(origin, cause, "keep one of them");
        }
        return hourly(decoder, list).map(|day| (day, None));
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
    Some((Diurnal::with_peak(peak.get(), peak_at?), Some(peak)))
}

/// A day by its hours; only their proportions matter.
fn hourly(decoder: &mut Decoder, list: &Node) -> Option<Diurnal> {
    let items = decoder.list(list, "diurnal.hourly", "[1, 1, 2, ...]")?;
    let values: Vec<f64> = items
        .iter()
        .filter_map(|n| decoder.quantity::<Plain>(n, "diurnal.hourly"))
        .map(|q| q.get())
        .collect();
    if items.len() != 24 {
        let cause = format!("`diurnal.hourly` has {}", counted(items.len(), "value"));
        decoder.problem(list.origin, cause, "give 24, one for each hour from 00:00");
    }
    let mut hours = <[f64; 24]>::try_from(values).ok()?;
    let mean = hours.iter().sum::<f64>() / 24.0;
    for hour in &mut hours {
        *hour /= mean;
    }
    Some(Diurnal::Hourly(hours))
}
