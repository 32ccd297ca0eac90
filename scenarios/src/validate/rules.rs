//! Rules over several parts of a scenario: targets, claims, and paths that flow one way.

use super::{Parts, unknown};
use crate::calls::{Calls, Edge};
use crate::decode::{Decoder, Kind, Shape, a, field, must, quantity, suggestion};
use crate::diagnostic::Origin;
use crate::node::{Node, Value};
use crate::quantities::{self, Measure};
use crate::scenario::{Action, Claim, Dataset, Demand, TierId};
use crate::slo::{Failure, Metric, Slo};
use crate::tier::{Scope, Tier};
use crate::units::{Quantity, Share};

const SLO_EXAMPLE: &str = "[view.first_byte p99 < 250 ms]";
/// A target, with the failures under which it must hold too.
pub const SLO: Kind = Kind::Any(&[Kind::Text, Kind::Fields(&SLO_FIELDS)]);
const SLO_FIELDS: Shape = Shape {
    fields: &[
        must("slo", Kind::Text, "the target"),
        must(
            "under",
            Kind::List(&Kind::Choice(&[
                "server-down",
                "zone-down",
                "region-down",
                "cold-cache",
                "hot-release",
            ])),
            "failures under which `plan` makes it hold as well",
        ),
    ],
    example: "{slo: view.first_byte p99 < 250 ms, under: [zone-down]}",
};
const CLAIM_EXAMPLE: &str = "[{what: photo.storage, is: 20 GB}]";
pub const CLAIM: Shape = Shape {
    fields: &[
        must("what", Kind::Text, "the quantity, `SUBJECT.NAME`"),
        must("is", Kind::Text, "the figure, with its unit"),
        field("within", quantity::<Share>(), "the tolerance that its rounding implies (5 %)"),
    ],
    example: "{what: photo.storage, is: 20 GB}",
};

pub fn slos(decoder: &mut Decoder, node: &Node, parts: &Parts<'_>) -> Vec<Slo> {
    let mut slos = Vec::new();
    for item in decoder.list(node, "slos", SLO_EXAMPLE).unwrap_or_default() {
        let Some(slo) = one_slo(decoder, item) else { continue };
        check_slo(decoder, &slo, item.origin, parts);
        slos.push(slo);
    }
    slos
}

/// A target by itself, or one with failures under which it must hold.
fn one_slo(decoder: &mut Decoder, item: &Node) -> Option<Slo> {
    const FIX: &str = "write one target, such as `view.first_byte p99 < 250 ms`";
    if !matches!(item.value, Value::Map(_)) {
        let text = decoder.text(item, "slos", FIX)?;
        return decoder.noted(item.origin, "slos", Slo::parse(&text));
    }
    let mut fields = decoder.fields(item, "slos", &SLO_FIELDS)?;
    let target = fields.need(decoder, "slo", "view.first_byte p99 < 250 ms");
    let under = fields.need(decoder, "under", "[zone-down]");
    fields.finish(decoder);
    let text = target.and_then(|node| decoder.text(node, "slos.slo", FIX));
    let slo = text.and_then(|text| decoder.noted(item.origin, "slos.slo", Slo::parse(&text)));
    let list = under.and_then(|node| decoder.list(node, "slos.under", "[zone-down]")).unwrap_or_default();
    let mut under: Vec<Failure> =
        list.iter().filter_map(|node| decoder.one_of(node, "slos.under", &Failure::NAMES)).collect();
    under.sort_unstable();
    under.dedup();
    Some(Slo { under, ..slo? })
}

fn check_slo(decoder: &mut Decoder, slo: &Slo, origin: Origin, parts: &Parts<'_>) {
    let (kind, name, known) = match &slo.metric {
        Metric::FirstByte { action, .. } | Metric::Complete { action, .. } => {
            ("action", action, &parts.names.actions)
        }
        Metric::HitRatio { tier }
        | Metric::MemoryHitRatio { tier }
        | Metric::Utilisation { tier }
        | Metric::Headroom { tier }
        | Metric::Stale { tier }
        | Metric::Loss { tier: Some(tier) } => ("tier", tier, &parts.names.tiers),
        Metric::Durability { dataset } => ("dataset", dataset, &parts.names.datasets),
        Metric::Availability | Metric::Loss { tier: None } => return,
    };
    let Some(known) = known else { return };
    if !known.contains(name) {
        unknown(decoder, origin, ("slos", kind), name, known);
        return;
    }
    if let (Metric::Durability { .. }, Some(Some(dataset))) = (&slo.metric, parts.datasets.get(name))
        && dataset.stored_in.is_none()
    {
        let cause = format!("slos: `{name}` is kept nowhere");
        decoder.problem(origin, cause, "say which tier keeps it, as in `in: store`, or drop the target");
    }
    let Some(Some(tier)) = parts.tiers.get(name) else { return };
    let missing = match &slo.metric {
        Metric::HitRatio { .. } if tier.cache.is_none() => "cache",
        Metric::MemoryHitRatio { .. } if tier.cache.as_ref().is_none_or(|c| c.memory.is_none()) => {
            "cache.memory"
        }
        Metric::Stale { .. } if tier.replication.lag.is_none() => "replication.lag",
        Metric::Utilisation { .. } | Metric::Headroom { .. } | Metric::Loss { .. }
            if tier.station.is_none() =>
        {
            "servers"
        }
        _ => return,
    };
    decoder.problem(
        origin,
        format!("slos: `{name}` has no {missing}"),
        format!("add `{missing}` to the tier, or drop the target"),
    );
}

pub fn claims(decoder: &mut Decoder, node: &Node, parts: &Parts<'_>) -> Vec<Claim> {
    let known = quantities(parts);
    let items = decoder.list(node, "claims", CLAIM_EXAMPLE).unwrap_or_default();
    items.iter().filter_map(|item| claim(decoder, item, known.as_deref())).collect()
}

/// What can be claimed, if that is known.
fn quantities(parts: &Parts<'_>) -> Option<Vec<(String, Measure)>> {
    // What is kept nowhere in the scenario has no copies, and what has no metadata says nothing of it.
    let there = |dataset: Option<&Dataset>, quantity: &str| match quantity {
        "storage_replicated" | "storage_10_years_replicated" => dataset.is_none_or(|d| d.stored_in.is_some()),
        "metadata" => dataset.is_none_or(|d| d.metadata.is_some()),
        "added_per_day" | "storage_per_day" | "storage_1_year" => dataset.is_none_or(|d| d.growth.is_some()),
        _ => true,
    };
    let mut known = Vec::new();
    for name in parts.names.datasets.as_ref()? {
        let dataset = parts.datasets.get(name).and_then(Option::as_ref);
        let there = quantities::DATASET.iter().filter(|(q, _)| there(dataset, q));
        known.extend(there.map(|(q, measure)| (format!("{name}.{q}"), *measure)));
    }
    for (names, table) in
        [(parts.names.actions.as_ref()?, quantities::ACTION), (parts.names.tiers.as_ref()?, quantities::TIER)]
    {
        for name in names {
            known.extend(table.iter().map(|(q, measure)| (format!("{name}.{q}"), *measure)));
        }
    }
    known.extend(
        quantities::TOTAL.iter().map(|(q, measure)| (format!("{}.{q}", quantities::WHOLE), *measure)),
    );
    Some(known)
}

/// Disks that have what does not fit into a cache's memory keep nothing else.
pub fn disks(decoder: &mut Decoder, parts: &Parts<'_>) {
    for (name, dataset) in &parts.datasets {
        let Some(dataset) = dataset else { continue };
        let Some((tier, Some(here))) = dataset.stored_in.and_then(|id| parts.tiers.get_index(id)) else {
            continue;
        };
        if here.cache.as_ref().is_some_and(|cache| cache.memory.is_some()) {
            let cause = format!("`{name}` is kept in `{tier}`, whose disks are those of its cache");
            decoder.problem(dataset.origin, cause, "keep it in a tier of its own, or drop `cache.memory`");
        }
    }
}

/// Names of actions, datasets and tiers are subjects of quantities, so no two parts share one.
pub fn names(decoder: &mut Decoder, parts: &Parts<'_>, origins: &[(String, &'static str, Origin)]) {
    for (i, (name, kind, origin)) in origins.iter().enumerate() {
        if let Some((_, other, _)) = origins[..i].iter().find(|(n, ..)| n == name) {
            let cause = format!("{} and {} are both named `{name}`", a(other), a(kind));
            decoder.problem(*origin, cause, "give each a name of its own: figures are told apart by it");
        }
        if name == quantities::WHOLE {
            let cause = format!("`{name}` is the name of the whole");
            decoder.problem(*origin, cause, "give it another name");
        }
    }
    demands(decoder, parts);
}

/// Actions may follow other actions, in no circle.
fn demands(decoder: &mut Decoder, parts: &Parts<'_>) {
    let follows = |id: usize| match parts.actions.get_index(id)?.1.as_ref()?.demand {
        Demand::PerAction(other, _) => Some(other),
        _ => None,
    };
    for (id, (name, action)) in parts.actions.iter().enumerate() {
        let mut here = follows(id);
        let mut steps = 0;
        while let Some(next) = here.filter(|&next| next != id && steps < parts.actions.len()) {
            here = follows(next);
            steps += 1;
        }
        // Who only leads to a circle is not on it.
        if let (true, Some(action)) = (here == Some(id), action) {
            let cause = format!("actions.{name} happens as often as itself: a circle of `per_action`");
            decoder.problem(action.origin, cause, "say `per_user` or `rate` for one of them");
            return;
        }
    }
}

fn claim(decoder: &mut Decoder, node: &Node, known: Option<&[(String, Measure)]>) -> Option<Claim> {
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
    let Some((_, measure)) = known.iter().find(|(name, _)| *name == what) else {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
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
    };
    let is = measure.read(&text);
    let is = decoder.noted(is_node.origin, "claims.is", is)?;
    Some(Claim { what, is, text, within: within.get(), origin })
}

/// Calls that are waited for must flow one way: outward to inward in scope, and without a cycle over all
/// actions together. Only actions and tiers without a problem of their own are looked at.
pub fn paths(decoder: &mut Decoder, parts: &Parts<'_>) {
    let mut inward = Vec::new();
    for (name, action) in &parts.actions {
        let Some(action) = action else { continue };
        let tiers: Option<Vec<(TierId, &str, &Tier)>> = all_tiers(action)
            .into_iter()
            .map(|id| parts.tiers.get_index(id).and_then(|(n, t)| Some((id, n.as_str(), t.as_ref()?))))
            .collect();
        let Some(tiers) = tiers else { continue };
        if check_path(decoder, name, action, &tiers) {
            inward.push(action);
        }
    }
    // A path that goes outward is told already; a cycle through it would go when that is mended.
    let cached: Vec<bool> =
        parts.tiers.values().map(|t| t.as_ref().is_some_and(|t| t.cache.is_some())).collect();
    let Err(cycle) = tier_order(inward.iter().copied(), &cached) else { return };
    let on_cycle = |action: &Action| {
        edges(action).iter().any(|edge| cycle.windows(2).any(|pair| pair == [edge.from, edge.to]))
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

/// All trees of calls of an action: its own, its messages' and its connection's.
fn trees(action: &Action) -> impl Iterator<Item = &Calls> {
    let beat = action.connection.as_ref().and_then(|c| c.heartbeat.as_ref()).map(|h| &h.calls);
    std::iter::once(&action.calls).chain(action.then.iter().map(|b| &b.calls)).chain(beat)
}

fn all_tiers(action: &Action) -> Vec<TierId> {
    let mut tiers: Vec<TierId> = trees(action).flat_map(Calls::tiers).collect();
    tiers.sort_unstable();
    tiers.dedup();
    tiers
}

fn edges(action: &Action) -> Vec<Edge> {
    trees(action).flat_map(|calls| calls.edges(None)).collect()
}

/// Notes what is wrong with the calls of one action, and says whether those waited for go inward only.
fn check_path(decoder: &mut Decoder, name: &str, action: &Action, tiers: &[(TierId, &str, &Tier)]) -> bool {
    let mut inward = true;
    let find = |id: TierId| tiers.iter().find(|(t, ..)| *t == id);
    for edge in edges(action).iter().filter(|e| !e.asynchronous) {
        let (Some((_, from, outer)), Some((_, to, inner))) = (find(edge.from), find(edge.to)) else {
            continue;
        };
        if outer.scope > inner.scope {
            inward = false;
            let cause = format!("actions.{name}.path goes from `{from}` out to `{to}`");
            decoder.problem(action.origin, cause, "order a path from user to site to region to global");
        }
    }
    let mut unnamed = None;
    action.calls.each(false, &mut |call, _| {
        let cached = find(call.tier).filter(|(.., t)| t.cache.as_ref().is_some_and(|c| c.of.is_none()));
        unnamed = unnamed.or(cached.filter(|_| call.of.is_none() && !call.write).map(|(_, n, _)| *n));
    });
    if let Some(cache) = unnamed {
        let cause = format!("actions.{name} passes the cache `{cache}` and says not what it asks for");
        decoder.problem(action.origin, cause, "add `of: DATASET`");
    }
    let on_path: Vec<&Tier> = action.path.iter().filter_map(|&id| find(id)).map(|(.., tier)| *tier).collect();
    let on_device = on_path.iter().any(|tier| tier.scope == Scope::User && tier.cache.is_some());
    if action.repeat.get() > 0.0 && !on_device {
        let cause = format!("actions.{name} has `repeat` and no cache `per: user` in its path");
        decoder.problem(action.repeat.origin, cause, "add a device cache, or drop `repeat`");
    }
    if on_path.iter().all(|tier| tier.scope == Scope::User) {
        let cause = format!("actions.{name}.path ends on the device");
        decoder.problem(action.origin, cause, "add the tier that has the data");
    }
    inward
}

/// An order of tiers in which every call goes forward, or the tiers of a cycle, its first one twice. A call
/// that nobody waits for may go back, unless to a cache, whose hit ratio all that comes before must know.
pub fn tier_order<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
    cached: &[bool],
) -> Result<Vec<TierId>, Vec<TierId>> {
    let tiers = cached.len();
    let mut next = vec![Vec::new(); tiers];
    let mut callers = vec![Vec::new(); tiers];
    for edge in actions.into_iter().flat_map(edges).filter(|e| !e.asynchronous || cached[e.to]) {
        next[edge.from].push(edge.to);
        callers[edge.to].push(edge.from);
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
