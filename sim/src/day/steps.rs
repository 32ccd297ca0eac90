//! Trees of calls, flattened, without what nobody waits for.
//!
//! Why: a latency is drawn by walking an action's tree, tens of thousands of times. A call is a number of the
//! flow list here, and what its tier waits for downstream is looked up by that number.

use plimsoll_scenarios::{Calls, Scenario};

use crate::flow::Flow;

/// What is waited for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Nothing,
    Call(usize),
    Sequence(Vec<Step>),
    Parallel { branches: Vec<Step>, wait_for: usize },
}

/// All trees of a scenario.
#[derive(Debug, Clone)]
pub(super) struct Steps {
    /// By action.
    pub roots: Vec<Step>,
    /// By call: what its tier waits for.
    pub after: Vec<Step>,
}

struct Compiler {
    /// The call of the flow list that comes next.
    next: usize,
    after: Vec<Step>,
}

impl Steps {
    pub fn of(scenario: &Scenario, flow: &Flow<'_>) -> Self {
        let mut compiler = Compiler { next: 0, after: vec![Step::Nothing; flow.nodes.len()] };
        let mut roots = Vec::new();
        // In the order in which the flow lists them.
        for action in scenario.actions.values() {
            roots.push(compiler.compile(&action.calls));
            for branch in &action.then {
                compiler.compile(&branch.calls);
            }
            if let Some(beat) = action.connection.as_ref().and_then(|c| c.heartbeat.as_ref()) {
                compiler.compile(&beat.calls);
            }
        }
        debug_assert_eq!(compiler.next, flow.nodes.len(), "a flow lists every call once");
        Self { roots, after: compiler.after }
    }

    /// Calls of a tree that are drawn for one request, at most, to bound the work: those of fan-outs count up
    /// to `most`.
    pub fn draws(&self, flow: &Flow<'_>, step: &Step, most: f64) -> f64 {
        match step {
            Step::Nothing => 0.0,
            Step::Call(node) => {
                let call = flow.nodes[*node].call;
                let times = (call.fan_out.get().min(most) * call.times.get().min(most)).max(1.0);
                times * (1.0 + self.draws(flow, &self.after[*node], most)) * call.share.get()
            }
            Step::Sequence(list) | Step::Parallel { branches: list, .. } => {
                list.iter().map(|step| self.draws(flow, step, most)).sum()
            }
        }
    }
}

impl Compiler {
    fn compile(&mut self, calls: &Calls) -> Step {
        match calls {
            Calls::Nothing => Step::Nothing,
            Calls::One(call) => {
                let node = self.next;
                self.next += 1;
                self.after[node] = self.compile(&call.next);
                Step::Call(node)
            }
            Calls::Sequence(list) => Step::Sequence(self.each(list)),
            Calls::Parallel { branches, wait_for } => {
                let mut branches = self.each(branches);
                branches.retain(|step| *step != Step::Nothing);
                let wait_for = wait_for.of(branches.len());
                Step::Parallel { branches, wait_for }
            }
            Calls::Async(calls) => {
                // Its own tiers wait for what they call, so it is compiled too.
                self.compile(calls);
                Step::Nothing
            }
        }
    }

    fn each(&mut self, list: &[Calls]) -> Vec<Step> {
        list.iter().map(|calls| self.compile(calls)).collect()
    }
}
