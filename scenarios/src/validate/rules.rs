//! Rules over several parts of a scenario: targets, claims, and paths that flow one way.

use super::{Parts, unknown};
use crate::decode::{Decoder, Shape, suggestion};
use crate::diagnostic::Origin;
use crate::node::Node;
use crate::scenario::{Action, Claim, Dataset, Scope, Tier, TierId};
use crate::slo::{Metric, Slo};
use crate::units::{Bandwidth, Bytes, Quantity, Rate, Share};

const SLO_EXAMPLE: &str = "[view.first_byte p99 < 250 ms]";
const CLAIM_EXAMPLE: &str = "[{what: photo.storage, is: 20 GB}]";
const CLAIM: Shape = Shape { fields: &["what", "is", "within"], example: "{what: photo.storage, is: 20 GB}" };

pub fn slos(decoder: &mut Decoder, node: &Node, parts: &Parts<'_>) -> Vec<Slo> {
    let mut slos = Vec::new();
    for item in decoder.list(node, "slos", SLO_EXAMPLE).unwrap_or_default() {
        let text = decoder.text(item, "slos", "write one target, such as `view.first_byte p99 < 250 ms`");
        let Some(slo) = text.and_then(|t| decoder.noted(item.origin, "slos", Slo::parse(&t))) else {
            continue;
        };
        check_slo(decoder, &slo, item.origin, parts);
        slos.push(slo);
    }
    slos
}

fn check_slo(decoder: &mut Decoder, slo: &Slo, origin: Origin, parts: &Parts<'_>) {
    let (kind, name, known) = match &slo.metric {
        Metric::FirstByte { action, .. } | Metric::Complete { action, .. } => {
            ("action", action, &parts.names.actions)
        }
        Metric::HitRatio { tier } | Metric::Utilisation { tier } => ("tier", tier, &parts.names.tiers),
        Metric::Availability => return,
    };
    let Some(known) = known else { return };
    if !known.contains(name) {
        unknown(decoder, origin, ("slos", kind), name, known);
        return;
    }
    let Some(Some(tier)) = parts.tiers.get(name) else { return };
    let missing = match &slo.metric {
        Metric::HitRatio { .. } if tier.cache.is_none() => "cache",
        Metric::Utilisation { .. } if tier.station.is_none() => "servers",
        _ => return,
    };
    decoder.problem(
        origin,
        format!("slos: `{name}` has no {missing}"),
        format!("add `{missing}` to the tier, or drop the target"),
    );
}

/// Quantities that an estimate gives for every dataset and action, with what they are measured in.
const DATASET_QUANTITIES: [&str; 3] = ["storage", "storage_replicated", "metadata"];
const ACTION_QUANTITIES: [&str; 5] =
    ["rate", "peak_rate", "per_day", "egress_uncached", "egress_uncached_peak"];

pub fn claims(decoder: &mut Decoder, node: &Node, parts: &Parts<'_>) -> Vec<Claim> {
    let known = quantities(parts);
    let items = decoder.list(node, "claims", CLAIM_EXAMPLE).unwrap_or_default();
    items.iter().filter_map(|item| claim(decoder, item, known.as_deref())).collect()
}

/// What can be claimed, if that is known.
fn quantities(parts: &Parts<'_>) -> Option<Vec<String>> {
    // What is kept nowhere in the scenario has no copies, and what has no metadata says nothing of it.
    let there = |dataset: Option<&Dataset>, quantity: &str| match quantity {
        "storage_replicated" => dataset.is_none_or(|d| d.stored_in.is_some()),
        "metadata" => dataset.is_none_or(|d| d.metadata.is_some()),
        _ => true,
    };
    let mut known = Vec::new();
    for name in parts.names.datasets.as_ref()? {
        let dataset = parts.datasets.get(name).and_then(Option::as_ref);
        let there = DATASET_QUANTITIES.iter().filter(|q| there(dataset, q));
        known.extend(there.map(|q| format!("{name}.{q}")));
    }
    for name in parts.names.actions.as_ref()? {
        known.extend(ACTION_QUANTITIES.iter().map(|q| format!("{name}.{q}")));
    }
    Some(known)
}

fn claim(decoder: &mut Decoder, node: &Node, known: Option<&[String]>) -> Option<Claim> {
    let mut fields = decoder.fields(node, "claims", &CLAIM)?;
    let what_node = fields.need(decoder, "what", "photo.storage");
    let is_node = fields.need(decoder, "is", "500 TB");
    let within = fields
        .quantity_like(decoder, "within", "5 %")
        .unwrap_or_else(|| Quantity::<Share>::given(0.05, "5 %"));
    let origin = fields.origin;
    fields.finish(decoder);
    let (what_node, is_node) = (what_node?, is_node?);
    let what = decoder.text(what_node, "claims.what", "write one quantity, such as `photo.storage`")?;
    let text = decoder.text(is_node, "claims.is", "write one figure, such as `500 TB`")?;
    let known = known?;
    if !known.contains(&what) {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let fix = suggestion(&what, &names).map_or_else(
            || "write `DATASET.storage` or `ACTION.rate`".to_owned(),
            |n| format!("did you mean `{n}`?"),
        );
        let cause = if what.is_empty() {
            "claims: `what` is empty".to_owned()
        } else {
            format!("claims: no quantity is named `{what}`")
        };
        decoder.problem(what_node.origin, cause, fix);
        return None;
    }
    let series = what.rsplit_once('.').map_or("", |(_, s)| s);
    let is = match series {
        "storage" | "storage_replicated" | "metadata" => Quantity::<Bytes>::parse(&text).map(|q| q.get()),
        "rate" | "peak_rate" => Rate::parse(&text).map(|q| q.get()),
        "per_day" => Rate::parse(&text).map(|q| q.get() * crate::arrivals::DAY_S),
        _ => Bandwidth::parse(&text).map(|q| q.get()),
    };
    let is = decoder.noted(is_node.origin, "claims.is", is)?;
    Some(Claim { what, is, text, within: within.get(), origin })
}

/// Paths must flow one way: outward to inward in scope, and without a cycle over all actions together.
/// Only actions and tiers without a problem of their own are looked at.
pub fn paths(decoder: &mut Decoder, parts: &Parts<'_>) {
    let mut inward = Vec::new();
    for (name, action) in &parts.actions {
        let Some(action) = action else { continue };
        let tiers: Option<Vec<(&str, &Tier)>> = action
            .path
            .iter()
            .map(|&id| parts.tiers.get_index(id).and_then(|(n, t)| Some((n.as_str(), t.as_ref()?))))
            .collect();
        let Some(tiers) = tiers else { continue };
        if check_path(decoder, name, action, &tiers) {
            inward.push(action);
        }
    }
    // A path that goes outward is told already; a cycle through it would go when that is mended.
    let Err(cycle) = tier_order(inward.iter().copied(), parts.tiers.len()) else { return };
    let on_cycle = |action: &Action| {
        let calls = |pair: &[TierId]| cycle.windows(2).any(|edge| edge == pair);
        action.path.windows(2).any(calls)
    };
    let origin = inward.iter().find(|a| on_cycle(a)).map_or(Origin::default(), |a| a.origin);
    let shown: Vec<&str> =
        cycle.iter().filter_map(|&id| parts.tiers.get_index(id)).map(|(name, _)| name.as_str()).collect();
    decoder.problem(
        origin,
        format!("the paths of the actions form a cycle: {}", shown.join(" -> ")),
        "let all paths pass these tiers in one order",
    );
}

/// Notes what is wrong with the path of one action, and says whether it goes inward only.
fn check_path(decoder: &mut Decoder, name: &str, action: &Action, tiers: &[(&str, &Tier)]) -> bool {
    let mut inward = true;
    for pair in tiers.windows(2) {
        let ((from, outer), (to, inner)) = (pair[0], pair[1]);
        if outer.scope > inner.scope {
            inward = false;
            let cause = format!("actions.{name}.path goes from `{from}` out to `{to}`");
            decoder.problem(action.origin, cause, "order a path from user to site to region to global");
        }
    }
    let cached = tiers.iter().find(|(_, tier)| tier.cache.as_ref().is_some_and(|c| c.of.is_none()));
    if let (Some((cache, _)), None) = (cached, action.of) {
        let cause = format!("actions.{name} passes the cache `{cache}` and says not what it asks for");
        decoder.problem(action.origin, cause, "add `of: DATASET`");
    }
    let on_device = tiers.iter().any(|(_, tier)| tier.scope == Scope::User && tier.cache.is_some());
    if action.repeat.get() > 0.0 && !on_device {
        let cause = format!("actions.{name} has `repeat` and no cache `per: user` in its path");
        decoder.problem(action.repeat.origin, cause, "add a device cache, or drop `repeat`");
    }
    if tiers.iter().all(|(_, tier)| tier.scope == Scope::User) {
        let cause = format!("actions.{name}.path ends on the device");
        decoder.problem(action.origin, cause, "add the tier that has the data");
    }
    inward
}

/// An order of tiers in which every call goes forward, or the tiers of a cycle, its first one twice.
pub fn tier_order<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
    tiers: usize,
) -> Result<Vec<TierId>, Vec<TierId>> {
    let mut next = vec![Vec::new(); tiers];
    let mut callers = vec![Vec::new(); tiers];
    for action in actions {
        for pair in action.path.windows(2) {
            next[pair[0]].push(pair[1]);
            callers[pair[1]].push(pair[0]);
        }
    }
    let mut waiting: Vec<usize> = callers.iter().map(Vec::len).collect();
    let mut order = Vec::with_capacity(tiers);
    let mut ready: Vec<TierId> = (0..tiers).rev().filter(|&t| waiting[t] == 0).collect();
    while let Some(tier) = ready.pop() {
        order.push(tier);
        for &to in &next[tier] {
            waiting[to] -= 1;
            if waiting[to] == 0 {
                ready.push(to);
            }
        }
    }
    if order.len() == tiers { Ok(order) } else { Err(cycle(&callers, &waiting)) }
}

/// A cycle among the tiers that still wait for a caller. Each of them has a caller that waits too, so a walk
/// from caller to caller comes back to where it was; a walk forward could end at a tier that calls nobody.
fn cycle(callers: &[Vec<TierId>], waiting: &[usize]) -> Vec<TierId> {
    let mut walk: Vec<TierId> = (0..waiting.len()).find(|&t| waiting[t] > 0).into_iter().collect();
    while let Some(&here) = walk.last() {
        let Some(&from) = callers[here].iter().find(|&&t| waiting[t] > 0) else { break };
        if let Some(start) = walk.iter().position(|&t| t == from) {
            let mut cycle = walk.split_off(start);
            cycle.reverse();
            // Starts with the tier that the file names first, and ends where it starts.
            let first = (0..cycle.len()).min_by_key(|&i| cycle[i]).unwrap_or(0);
            cycle.rotate_left(first);
            cycle.push(cycle[0]);
            return cycle;
        }
        walk.push(from);
    }
    walk
}
