//! How many requests one server works on at a time, where that is free.
//!
//! Why after everything else: a slot costs nothing in a scenario, so servers are sized with as many as there may be,
//! and then slots are taken away as long as nothing is broken. What is left over is what a server must be able to do.

use plimsoll_reports::plan::Alternative;
use plimsoll_scenarios::{Free, TierId};

use super::evaluate::{Evaluator, Sizing};
use super::kinds::ServerKind;
use super::size::Sized;

/// Numbers of slots up to which each is tried; beyond, steps of a tenth.
const ONE_BY_ONE: f64 = 64.0;

/// The kinds of servers with every number of slots, the most first.
///
/// # Errors
/// Cause and next step: there are no bounds.
pub fn kinds(free: &Free, name: &str, kinds: &[ServerKind]) -> Result<Vec<ServerKind>, (String, String)> {
    let Some((low, high)) = free.range else {
        return Err((
            format!("tiers.{name}.concurrency: `auto` has no bounds, and a slot costs nothing"),
            "write how many a server may have: `concurrency: auto 4 to 64`".to_owned(),
        ));
    };
    let mut slots = vec![high.floor().max(1.0)];
    while let Some(&last) = slots.last() {
        let next = if last > ONE_BY_ONE { (last / 1.1).floor() } else { last - 1.0 };
        if last <= low.ceil().max(1.0) {
            break;
        }
        slots.push(next.max(low.ceil()).max(1.0));
    }
    let with = |kind: &ServerKind| {
        let kind = kind.clone();
        slots.iter().map(move |&concurrency| ServerKind { concurrency, ..kind.clone() }).collect::<Vec<_>>()
    };
    Ok(kinds.iter().flat_map(with).collect())
}

/// Takes slots away from every tier where they are free, as long as all rules and targets are kept.
pub fn trim(evaluator: &Evaluator<'_>, sizing: &mut Sizing) {
    for tier in 0..sizing.tiers.len() {
        let Some(last) = fewer(evaluator, sizing, tier) else { continue };
        let holds = |kind: usize, sizing: &Sizing| with(evaluator, sizing, tier, kind).1.is_none();
        // The most that holds, the fewest that may not: what fewer slots break, fewer still break too.
        let (mut some, mut few) = (sizing.tiers[tier].as_ref().map_or(0, |s| s.kind), last + 1);
        while few - some > 1 {
            let middle = some.midpoint(few);
            if holds(middle, sizing) { some = middle } else { few = middle }
        }
        if let Some(sized) = &mut sizing.tiers[tier] {
            sized.kind = some;
        }
    }
}

/// The last of the kinds that differ from a tier's own by slots only; `None` where slots are not free.
fn fewer(evaluator: &Evaluator<'_>, sizing: &Sizing, tier: TierId) -> Option<usize> {
    let (fleet, sized) = (evaluator.problem.fleets[tier].as_ref()?, sizing.tiers[tier].as_ref()?);
    evaluator.problem.free(tier, plimsoll_scenarios::Knob::Concurrency)?;
    let name = &fleet.kinds[sized.kind].name;
    fleet.kinds.iter().rposition(|kind| kind.name == *name)
}

/// A sizing with another kind of server for one tier, and what it breaks.
fn with(evaluator: &Evaluator<'_>, sizing: &Sizing, tier: TierId, kind: usize) -> (Sizing, Option<String>) {
    let mut other = sizing.clone();
    if let Some(sized) = &mut other.tiers[tier] {
        *sized = Sized { kind, ..sized.clone() };
    }
    let scenario = evaluator.changed(&other.choice);
    let broken = evaluator.first_broken(&scenario, &other);
    (other, broken)
}

/// Why not fewer slots.
#[must_use]
pub fn alternatives(evaluator: &Evaluator<'_>, sizing: &Sizing) -> Vec<Alternative> {
    let less = |tier: TierId| {
        let last = fewer(evaluator, sizing, tier)?;
        let kind = sizing.tiers[tier].as_ref()?.kind + 1;
        let fleet = evaluator.problem.fleets[tier].as_ref()?;
        let slots = |kind: usize| fleet.kinds[kind].concurrency;
        let name = evaluator.world.tier_name(tier);
        if kind > last {
            return Some(Alternative {
                what: format!("{name}.concurrency < {}", slots(last)),
                verdict: "is less than the scenario permits".to_owned(),
                extra_per_month: None,
            });
        }
        let (_, broken) = with(evaluator, sizing, tier, kind);
        Some(Alternative {
            what: format!("{name}.concurrency = {}", slots(kind)),
            verdict: broken.map_or("holds".to_owned(), |why| format!("breaks {why}")),
            extra_per_month: None,
        })
    };
    (0..sizing.tiers.len()).filter_map(less).collect()
}
