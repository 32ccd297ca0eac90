//! What the events of the scenario do to it: how full its fullest parts are while each lasts.

use plimsoll_reports::format::{human, significant};
use plimsoll_reports::record::{EventEffect, Resource, Unit};
use plimsoll_scenarios::units::{Count, Size};
use plimsoll_scenarios::{DatasetId, Demand, Event, EventKind, Scenario};

use super::Options;
use super::book::Book;

/// Resources shown of an event.
const SHOWN_MAX: usize = 3;

/// A scenario while an event lasts.
struct Under {
    what: String,
    scenario: Scenario,
    hot: Option<(DatasetId, f64)>,
    /// What tiers that are there once see, over what those of a region see.
    global: f64,
}

#[must_use]
pub fn effects(scenario: &Scenario, options: &Options<'_>) -> Vec<EventEffect> {
    if scenario.events.is_empty() {
        return Vec::new();
    }
    let calm = used(&Book::of(scenario, options.prices, None, 1), 1.0);
    scenario.events.iter().map(|event| effect(scenario, event, &calm, options)).collect()
}

fn effect(scenario: &Scenario, event: &Event, calm: &[Resource], options: &Options<'_>) -> EventEffect {
    let under = under(scenario, event);
    let book = Book::of(&under.scenario, options.prices, under.hot, 1);
    let before = |id: &str| calm.iter().find(|r| r.id == id).map_or(0.0, |r| r.used);
    let mut resources: Vec<(Resource, f64)> = used(&book, under.global)
        .into_iter()
        .map(|r| {
            let calm = before(&r.id);
            (r, calm)
        })
        .collect();
    // What the event moves comes first, then what is fullest anyway.
    let moved = |(r, calm): &(Resource, f64)| (r.used / calm.max(1e-9) - 1.0).abs() > 0.01;
    resources.sort_by(|a, b| {
        (moved(b), b.0.used).partial_cmp(&(moved(a), a.0.used)).unwrap_or(std::cmp::Ordering::Equal)
    });
    resources.truncate(SHOWN_MAX);
    EventEffect { name: event.name.clone(), what: under.what, resources }
}

/// How full everything is; tiers that are there once see `global` times what those of a region see.
fn used(book: &Book<'_>, global: f64) -> Vec<Resource> {
    let value = |limit: &super::book::Limit| {
        let used = book.sheet.value(limit.cell);
        if limit.global { used * global } else { used }
    };
    // What is stored does not change in a day.
    book.limits
        .iter()
        .filter(|limit| limit.by_demand)
        .map(|limit| Resource { id: limit.id.clone(), label: limit.label.clone(), used: value(limit) })
        .filter(|r| r.used.is_finite())
        .collect()
}

fn under(scenario: &Scenario, event: &Event) -> Under {
    let mut changed = scenario.clone();
    changed.events.clear();
    let tier = |id: usize| scenario.tier_name(id);
    let (mut hot, mut global) = (None, 1.0);
    let what = match &event.kind {
        EventKind::HotRelease { of, share } => {
            hot = Some((*of, share.get()));
            let name = scenario.datasets.get_index(*of).map_or("", |(n, _)| n.as_str());
            format!("one new {name} draws {} of all requests for it", human(share.get(), Unit::Share))
        }
        EventKind::FlashCrowd { factor, region, action } => {
            let factor = factor.get();
            for (id, action_) in changed.actions.values_mut().enumerate() {
                match (action, &mut action_.demand) {
                    // What follows another action grows with that, unless it is meant itself.
                    (Some(meant), Demand::PerAction(_, each)) if *meant == id => *each = each.times(factor),
                    (meant, demand) if meant.is_none_or(|a| a == id) => grow(demand, factor),
                    _ => {}
                }
            }
            let place = region.map(|r| &scenario.population.regions[r]);
            if let Some(place) = place {
                global = (1.0 + (factor - 1.0) * place.share) / factor;
            }
            let of = action.map_or("everything".to_owned(), |a| scenario.action_name(a).to_owned());
            let place = place.map_or(String::new(), |p| format!(" in {}", p.name));
            format!("{} times as much of {of}{place}", significant(factor, 3))
        }
        EventKind::RegionDown { region } => {
            let share = scenario.population.regions[*region].share;
            let factor = 1.0 / (1.0 - share).max(1e-9);
            for action in changed.actions.values_mut() {
                grow(&mut action.demand, factor);
            }
            global = 1.0 / factor;
            format!(
                "{} is lost, the others take its {}",
                scenario.population.regions[*region].name,
                human(share, Unit::Share)
            )
        }
        EventKind::ServersDown { tier: id, servers, .. } => {
            let lost = servers.get();
            shrink(&mut changed, *id, |n| n - lost);
            format!("{} servers of {} are lost", human(lost, Unit::Count), tier(*id))
        }
        EventKind::Deploy { tier: id, at_a_time } => {
            let away = at_a_time.get();
            shrink(&mut changed, *id, |n| n * (1.0 - away));
            format!("{} of the servers of {} restart at a time", human(away, Unit::Share), tier(*id))
        }
        EventKind::Flush { tier: id } => {
            if let Some(cache) = &mut changed.tiers[*id].cache {
                cache.capacity = Size::given(1e-3, "empty");
            }
            format!("{} starts empty", tier(*id))
        }
        EventKind::Slow { tier: id, factor } => {
            let slower = factor.get();
            let here = &mut changed.tiers[*id];
            if let Some(station) = &mut here.station {
                station.service_time = station.service_time.scale(slower);
            }
            if let Some(external) = &mut here.external {
                external.latency = external.latency.scale(slower);
            }
            format!("{} takes {} times as long", tier(*id), significant(slower, 3))
        }
        EventKind::Cut { tier: id, to } => {
            let here = &mut changed.tiers[*id];
            here.link = here.link.as_ref().map(|link| link.times(to.get()));
            format!("links of {} shrink to {}", tier(*id), human(to.get(), Unit::Share))
        }
    };
    Under { what, scenario: changed, hot, global }
}

fn grow(demand: &mut Demand, factor: f64) {
    match demand {
        Demand::PerUser(rate) | Demand::PerActor(_, rate) | Demand::Total(rate) => *rate = rate.times(factor),
        // Grows with what it follows.
        Demand::PerAction(..) => {}
    }
}

fn shrink(scenario: &mut Scenario, tier: usize, left: impl Fn(f64) -> f64) {
    if let Some(station) = &mut scenario.tiers[tier].station {
        let servers = left(station.servers.get()).max(1e-3);
        station.servers = Count::given(servers, &servers.to_string());
    }
}
