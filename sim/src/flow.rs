//! The calls of a scenario as one list: who calls whom, how often for one request of an action.
//!
//! Why a list: rates, hit ratios and latencies are sums over the same calls, callers before the called.

use plimsoll_scenarios::{Action, ActionId, Call, Calls, Scenario, TierId};

/// What set a call off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The action itself.
    Request,
    /// A message of the action's client.
    Message,
    /// The heartbeat of an open connection of the action.
    Heartbeat,
}

/// One call in the tree of an action.
#[derive(Debug, Clone)]
pub struct Node<'s> {
    pub action: ActionId,
    pub cause: Cause,
    pub call: &'s Call,
    /// Position of the call whose tier makes this one.
    pub caller: Option<usize>,
    /// Looked up in the tier's cache.
    pub lookup: bool,
    /// Nobody waits for it.
    pub asynchronous: bool,
}

/// All calls of all actions, callers before the called; the calls of a chain in its order.
#[derive(Debug, Clone)]
pub struct Flow<'s> {
    pub nodes: Vec<Node<'s>>,
}

impl<'s> Flow<'s> {
    #[must_use]
    pub fn of(scenario: &'s Scenario) -> Self {
        let mut flow = Self { nodes: Vec::new() };
        for (id, action) in scenario.actions.values().enumerate() {
            flow.add(scenario, id, Cause::Request, &action.calls, None, false);
            for branch in &action.then {
                flow.add(scenario, id, Cause::Message, &branch.calls, None, true);
            }
            if let Some(beat) = action.connection.as_ref().and_then(|c| c.heartbeat.as_ref()) {
                flow.add(scenario, id, Cause::Heartbeat, &beat.calls, None, true);
            }
        }
        flow
    }

    fn add(
        &mut self,
        scenario: &'s Scenario,
        action: ActionId,
        cause: Cause,
        calls: &'s Calls,
        caller: Option<usize>,
        asynchronous: bool,
    ) {
        match calls {
            Calls::Nothing => {}
            Calls::One(call) => {
                let lookup = scenario.call_looks_up(call);
                let here = self.nodes.len();
                self.nodes.push(Node { action, cause, call, caller, lookup, asynchronous });
                self.add(scenario, action, cause, &call.next, Some(here), asynchronous);
            }
            Calls::Sequence(list) | Calls::Parallel { branches: list, .. } => {
                for calls in list {
                    self.add(scenario, action, cause, calls, caller, asynchronous);
                }
            }
            Calls::Async(calls) => self.add(scenario, action, cause, calls, caller, true),
        }
    }

    /// Positions of the calls of a tier.
    pub fn at(&self, tier: TierId) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(move |&i| self.nodes[i].call.tier == tier)
    }
}

/// How often an action's trees are set off for one request: heartbeats are as many as the time that a
/// connection lasts has intervals.
#[must_use]
pub fn occurrences(action: &Action, cause: Cause) -> f64 {
    match (cause, &action.connection) {
        (Cause::Heartbeat, Some(connection)) => {
            connection.heartbeat.as_ref().map_or(0.0, |beat| connection.lasts.get() / beat.every.get())
        }
        _ => 1.0,
    }
}
