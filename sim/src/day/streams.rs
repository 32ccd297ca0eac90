//! Requests for objects: where in an action's tree an object is first asked for, and which caches it meets.
//!
//! Why sources and not actions: a page asks for its own object and for twenty others, each with a popularity of
//! its own. A source is a call that asks for another object than its caller; what is behind it for the same
//! object follows from its misses.

use plimsoll_scenarios::trace::DeviceCache;
use plimsoll_scenarios::{ActionId, DatasetId, Scenario, Scope};

use super::setup::played;
use crate::analytic::caches::{Chain, spoils};
use crate::flow::{self, Flow};

/// Requests that draw an object of their own.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub action: ActionId,
    pub dataset: DatasetId,
    /// The call that asks for the object.
    pub node: usize,
    /// Such calls for one request of the action, before what caches above them answer.
    pub number: f64,
    /// Played lookups above it, whose misses lead here.
    pub above: Vec<usize>,
    /// The device that answers some, where the call is looked up on it.
    pub device: Option<DeviceCache>,
    /// Lookups that it meets first, and how many of each for one call that the device leaves.
    pub entries: Vec<(usize, f64)>,
    /// Mean rate over all regions by the formulas, device included, 1/s.
    pub rate: f64,
    /// Some cache on its way is one of a site's.
    pub per_site: bool,
}

/// By call, what [`super::setup::Setup::next`] says.
pub(super) fn lookups_behind(scenario: &Scenario, flow: &Flow<'_>, chain: &Chain) -> Vec<Vec<(usize, f64)>> {
    let mut next: Vec<Vec<(usize, f64)>> = vec![Vec::new(); flow.nodes.len()];
    // The called come after their callers, so from the end what is behind is known.
    for node in (0..flow.nodes.len()).rev() {
        let here = &flow.nodes[node];
        let Some(caller) = here.caller.filter(|&c| flow.nodes[c].call.of == here.call.of) else { continue };
        let number = here.call.mean_number();
        if number <= 0.0 || here.call.of.is_none() {
            continue;
        }
        if played(scenario, flow, node) {
            next[caller].push((node, number));
        } else {
            let passes = 1.0 - chain.hits[node];
            let behind = next[node].clone();
            next[caller].extend(behind.into_iter().map(|(n, times)| (n, times * number * passes)));
        }
    }
    next
}

/// All sources that meet a played cache.
pub(super) fn sources(
    scenario: &Scenario,
    flow: &Flow<'_>,
    chain: &Chain,
    next: &[Vec<(usize, f64)>],
) -> Vec<Source> {
    let mut sources = Vec::new();
    for (node, here) in flow.nodes.iter().enumerate() {
        let Some(dataset) = here.call.of else { continue };
        if here.caller.is_some_and(|c| flow.nodes[c].call.of == here.call.of) {
            continue;
        }
        let entries = if played(scenario, flow, node) { vec![(node, 1.0)] } else { next[node].clone() };
        let action = &scenario.actions[here.action];
        let on_device = here.lookup && scenario.tiers[here.call.tier].scope == Scope::User;
        let device = if on_device { DeviceCache::of(scenario, action) } else { None };
        let (mut number, mut above) = (flow::occurrences(action, here.cause), Vec::new());
        let (mut at, mut rate) = (Some(node), scenario.mean_rate(action));
        while let Some(i) = at {
            number *= flow.nodes[i].call.mean_number();
            at = flow.nodes[i].caller;
            let Some(caller) = at else { break };
            if played(scenario, flow, caller) {
                above.push(caller);
                rate *= 1.0 - chain.hits[caller];
            } else {
                number *= 1.0 - chain.hits[caller];
            }
        }
        rate *= number;
        if entries.is_empty() || rate <= 0.0 {
            continue;
        }
        let per_site = met(scenario, flow, next, &entries);
        let action = here.action;
        sources.push(Source { action, dataset, node, number, above, device, entries, rate, per_site });
    }
    sources
}

/// Writes that make objects stale in caches that are played, by the call that draws their object: the caches on the way
/// of one write all lose the same.
pub(super) fn writes(scenario: &Scenario, flow: &Flow<'_>, chain: &Chain) -> Vec<Source> {
    let mut writes: Vec<Source> = Vec::new();
    for (node, here) in flow.nodes.iter().enumerate() {
        let Some(dataset) = here.call.of.filter(|_| spoils(scenario, here.call)) else { continue };
        let asked = flow.at(here.call.tier).any(|n| played(scenario, flow, n));
        let per_server = scenario.tiers[here.call.tier].cache.as_ref().is_some_and(|cache| cache.per_server);
        if !asked || per_server {
            continue;
        }
        // Up to the call that draws the object: such writes for one call there, and for one request of the action.
        let (mut first, mut each) = (node, 1.0);
        while let Some(caller) = flow.nodes[first].caller.filter(|&c| flow.nodes[c].call.of == Some(dataset))
        {
            each *= flow.nodes[first].call.mean_number() * (1.0 - chain.hits[caller]);
            first = caller;
        }
        if let Some(known) = writes.iter_mut().find(|source| source.node == first) {
            known.entries.push((node, each));
            known.per_site |= scenario.tiers[here.call.tier].scope == Scope::Site;
            continue;
        }
        let action = &scenario.actions[here.action];
        let mut number = flow::occurrences(action, here.cause);
        let mut at = Some(first);
        while let Some(i) = at {
            number *= flow.nodes[i].call.mean_number();
            at = flow.nodes[i].caller;
            number *= at.map_or(1.0, |caller| 1.0 - chain.hits[caller]);
        }
        let rate = scenario.mean_rate(action) * number;
        if rate > 0.0 {
            writes.push(Source {
                action: here.action,
                dataset,
                node: first,
                number,
                above: Vec::new(),
                device: None,
                entries: vec![(node, each)],
                rate,
                per_site: scenario.tiers[here.call.tier].scope == Scope::Site,
            });
        }
    }
    writes
}

/// Whether any cache from these on is one of a site's.
fn met(scenario: &Scenario, flow: &Flow<'_>, next: &[Vec<(usize, f64)>], from: &[(usize, f64)]) -> bool {
    let at_site = |node: usize| scenario.tiers[flow.nodes[node].call.tier].scope == Scope::Site;
    from.iter().any(|&(node, _)| at_site(node) || met(scenario, flow, next, &next[node]))
}
