//! `events`: what happens to the system on its day.

use super::{Parts, reference};
use crate::decode::{Decoder, Fields, Kind, Shape, either, field, must, quantity};
use crate::diagnostic::Origin;
use crate::event::{Event, EventKind};
use crate::node::Node;
use crate::scenario::TierId;
use crate::tier::Tier;
use crate::units::{self, Number, Plain, Seconds, Share, Things};

const EXAMPLE: &str = "[{at: 18:00, flash_crowd: {factor: 3}, for: 1 h}]";
/// Most events of a day.
const EVENTS_MAX: usize = 1000;

pub const EVENT: Shape = Shape {
    fields: &[
        field("name", Kind::Text, "what to call it (its kind)"),
        must("at", Kind::TimeOfDay, "time of day in UTC"),
        field("for", quantity::<Seconds>(), "how long it lasts (to the end of the day)"),
        either(
            "hot_release",
            Kind::Fields(&HOT_RELEASE),
            "one new object draws a share of a dataset's requests",
        ),
        either(
            "flash_crowd",
            Kind::Fields(&FLASH_CROWD),
            "more of everything, of one region or of one action",
        ),
        either("region_down", Kind::Name("region"), "a region is lost; its users go to the others"),
        either("servers_down", Kind::Fields(&SERVERS_DOWN), "servers are lost"),
        either("flush", Kind::Name("tier"), "a cache starts empty"),
        either("slow", Kind::Fields(&SLOW), "service takes longer"),
        either("cut", Kind::Fields(&CUT), "links shrink"),
        either("deploy", Kind::Fields(&DEPLOY), "a rolling restart"),
    ],
    example: "{at: 18:00, flash_crowd: {factor: 3}, for: 1 h}",
};
const KINDS: [&str; 8] =
    ["hot_release", "flash_crowd", "region_down", "servers_down", "flush", "slow", "cut", "deploy"];
const HOT_RELEASE: Shape = Shape {
    fields: &[
        must("of", Kind::Name("dataset"), "the dataset it is of"),
        must("share", quantity::<Share>(), "share of the dataset's requests"),
    ],
    example: "{of: song, share: 5 %}",
};
const FLASH_CROWD: Shape = Shape {
    fields: &[
        must("factor", quantity::<Plain>(), "times the usual rate"),
        field("region", Kind::Name("region"), "only there (everywhere)"),
        field("action", Kind::Name("action"), "only this (everything)"),
    ],
    example: "{factor: 3}",
};
const SERVERS_DOWN: Shape = Shape {
    fields: &[
        must("tier", Kind::Name("tier"), "whose servers"),
        must("servers", quantity::<Things>(), "how many"),
        field(
            "noticed_after",
            quantity::<Seconds>(),
            "time for which requests still go to them, and fail (10 s)",
        ),
    ],
    example: "{tier: web, servers: 10}",
};
const SLOW: Shape = Shape {
    fields: &[
        must("tier", Kind::Name("tier"), "whose service"),
        must("factor", quantity::<Plain>(), "times as long"),
    ],
    example: "{tier: db, factor: 5}",
};
const CUT: Shape = Shape {
    fields: &[
        must("tier", Kind::Name("tier"), "whose links"),
        must("to", quantity::<Share>(), "the share that is left"),
    ],
    example: "{tier: edge, to: 50 %}",
};
const DEPLOY: Shape = Shape {
    fields: &[
        must("tier", Kind::Name("tier"), "whose servers restart"),
        must("at_a_time", quantity::<Share>(), "the share that is away at any time"),
    ],
    example: "{tier: web, at_a_time: 10 %}",
};

pub fn events(
    decoder: &mut Decoder,
    node: &Node,
    parts: &Parts<'_>,
    regions: Option<&[String]>,
) -> Vec<Event> {
    let items = decoder.list(node, "events", EXAMPLE).unwrap_or_default();
    if items.len() > EVENTS_MAX {
        let cause = format!("`events` has {} entries", items.len());
        decoder.problem(node.origin, cause, format!("expected at most {EVENTS_MAX}"));
        return Vec::new();
    }
    items.iter().filter_map(|item| event(decoder, item, parts, regions)).collect()
}

fn event(decoder: &mut Decoder, node: &Node, parts: &Parts<'_>, regions: Option<&[String]>) -> Option<Event> {
    let mut fields = decoder.fields(node, "events", &EVENT)?;
    let name = fields.text(decoder, "name", "write one text");
    let at = fields
        .need(decoder, "at", "18:00")
        .and_then(|n| {
            decoder.text(n, "events.at", "write hours and minutes, such as `18:00`").map(|t| (t, n.origin))
        })
        .and_then(|(text, origin)| decoder.noted(origin, "events.at", units::parse_time_of_day(&text)));
    let lasts = fields.quantity_like(decoder, "for", "1 h");
    let said: Vec<(&str, &Node)> =
        KINDS.into_iter().filter_map(|kind| Some((kind, fields.take(kind)?))).collect();
    let (origin, misspelt) = (fields.origin, KINDS.iter().any(|kind| fields.misspelt(kind)));
    fields.finish(decoder);
    let [(kind_name, kind_node)] = said[..] else {
        if !misspelt {
            let cause = match &said[..] {
                [] => "an event that says not what happens".to_owned(),
                said => {
                    let names: Vec<String> = said.iter().map(|(name, _)| format!("`{name}`")).collect();
                    format!("an event of {} kinds: {}", names.len(), names.join(" and "))
                }
            };
            decoder.problem(
                origin,
                cause,
                if said.is_empty() {
                    format!("add one of {}", KINDS.join(", "))
                } else {
                    "make an event of each".into()
                },
            );
        }
        return None;
    };
    let kind = kind(decoder, kind_name, kind_node, parts, regions);
    Some(Event {
        name: name.unwrap_or_else(|| kind_name.replace('_', " ")),
        at_s: at?,
        lasts,
        kind: kind?,
        origin,
    })
}

fn kind(
    decoder: &mut Decoder,
    name: &str,
    node: &Node,
    parts: &Parts<'_>,
    regions: Option<&[String]>,
) -> Option<EventKind> {
    let what = format!("events.{name}");
    match name {
        "region_down" => {
            let region = reference(decoder, node, &what, "region", regions)?;
            if regions.is_some_and(|r| r.len() < 2) {
                let cause = "the only region is lost: nobody is left to serve";
                decoder.problem(node.origin, cause, "add a second region");
            }
            Some(EventKind::RegionDown { region })
        }
        "flush" => {
            let tier = reference(decoder, node, &what, "tier", parts.names.tiers.as_deref())?;
            need(decoder, parts, tier, node.origin, ("cache", |t| t.cache.is_some()));
            Some(EventKind::Flush { tier })
        }
        "hot_release" => {
            let mut fields = decoder.fields(node, &what, &HOT_RELEASE)?;
            let of = fields
                .need(decoder, "of", "song")
                .and_then(|n| reference(decoder, n, &what, "dataset", parts.names.datasets.as_deref()));
            let share = fields.need_quantity(decoder, "share");
            fields.finish(decoder);
            Some(EventKind::HotRelease { of: of?, share: share? })
        }
        "flash_crowd" => {
            let mut fields = decoder.fields(node, &what, &FLASH_CROWD)?;
            let factor = fields.need_quantity_like(decoder, "factor", "3");
            let (region, action) = (fields.take("region"), fields.take("action"));
            fields.finish(decoder);
            let at = region.map(|n| reference(decoder, n, &what, "region", regions));
            let of = action.map(|n| reference(decoder, n, &what, "action", parts.names.actions.as_deref()));
            if at == Some(None) || of == Some(None) {
                return None;
            }
            Some(EventKind::FlashCrowd { factor: factor?, region: at.flatten(), action: of.flatten() })
        }
        _ => of_tier(decoder, name, &what, node, parts),
    }
}

/// Events that befall one tier.
fn of_tier(
    decoder: &mut Decoder,
    name: &str,
    what: &str,
    node: &Node,
    parts: &Parts<'_>,
) -> Option<EventKind> {
    let shape = match name {
        "servers_down" => &SERVERS_DOWN,
        "slow" => &SLOW,
        "cut" => &CUT,
        _ => &DEPLOY,
    };
    let mut fields = decoder.fields(node, what, shape)?;
    let tier = tier_of(decoder, &mut fields, what, parts);
    let kind = match name {
        "servers_down" => {
            let servers = fields.need_quantity_like(decoder, "servers", "10");
            let noticed_after = fields
                .quantity_like(decoder, "noticed_after", "10 s")
                .unwrap_or_else(|| units::Duration::given(10.0, "10 s"));
            servers.and_then(|servers| Some(EventKind::ServersDown { tier: tier?, servers, noticed_after }))
        }
        "slow" => {
            let factor: Option<Number> = fields.need_quantity_like(decoder, "factor", "5");
            factor.and_then(|factor| Some(EventKind::Slow { tier: tier?, factor }))
        }
        "cut" => fields.need_quantity(decoder, "to").and_then(|to| Some(EventKind::Cut { tier: tier?, to })),
        _ => fields
            .need_quantity(decoder, "at_a_time")
            .and_then(|at_a_time| Some(EventKind::Deploy { tier: tier?, at_a_time })),
    };
    let origin = fields.origin;
    fields.finish(decoder);
    match &kind {
        Some(EventKind::ServersDown { tier, .. } | EventKind::Deploy { tier, .. }) => {
            need(decoder, parts, *tier, origin, ("servers", |t| t.station.is_some()));
        }
        Some(EventKind::Slow { tier, .. }) => {
            let serves = |t: &Tier| t.station.is_some() || t.external.is_some();
            need(decoder, parts, *tier, origin, ("servers", serves));
        }
        Some(EventKind::Cut { tier, .. }) => {
            need(decoder, parts, *tier, origin, ("link", |t| t.link.is_some()));
        }
        _ => {}
    }
    kind
}

fn tier_of(decoder: &mut Decoder, fields: &mut Fields<'_>, what: &str, parts: &Parts<'_>) -> Option<TierId> {
    let node = fields.need(decoder, "tier", "web")?;
    reference(decoder, node, &format!("{what}.tier"), "tier", parts.names.tiers.as_deref())
}

/// Notes that a tier lacks what an event is about.
fn need(
    decoder: &mut Decoder,
    parts: &Parts<'_>,
    tier: TierId,
    origin: Origin,
    (what, has): (&str, impl Fn(&Tier) -> bool),
) {
    let Some((name, Some(tier))) = parts.tiers.get_index(tier) else { return };
    if !has(tier) {
        decoder.problem(
            origin,
            format!("events: `{name}` has no {what}"),
            format!("add `{what}` to the tier"),
        );
    }
}
