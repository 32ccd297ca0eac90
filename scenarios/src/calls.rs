//! What an action sets off: a tree of calls from tier to tier.
//!
//! Why a tree and not a list: a page waits for several reads, a search asks many shards at once, a message goes
//! on after its sender has gone. Rates, latencies, availability and cascades all follow from the same tree.

use crate::client::Client;
use crate::diagnostic::Origin;
use crate::scenario::{DatasetId, Scenario, TierId};
use crate::units::{Fraction, Number, Size};

/// What a caller does before it answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Calls {
    /// Nothing: it answers by itself.
    #[default]
    Nothing,
    One(Box<Call>),
    /// One after the other.
    Sequence(Vec<Calls>),
    /// All at once.
    Parallel {
        branches: Vec<Calls>,
        wait_for: WaitFor,
    },
    /// Sent off; nobody waits for it.
    Async(Box<Calls>),
}

/// How many of several calls made at once the caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitFor {
    All,
    /// The first `k` to answer, at least 1.
    First(u32),
}

impl WaitFor {
    /// The answers to wait for out of `n` calls.
    #[must_use]
    pub fn of(self, n: usize) -> usize {
        match self {
            Self::All => n,
            Self::First(k) => (k as usize).min(n),
        }
    }
}

/// One call of a tier, with what that tier does downstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub tier: TierId,
    /// The dataset asked for; decides which caches can answer.
    pub of: Option<DatasetId>,
    /// Caches never answer a write, and every replica does its work.
    pub write: bool,
    /// Probability that the call is made once its caller gets there.
    pub share: Fraction,
    /// Calls made at once (a mean; 1 unless said).
    pub fan_out: Number,
    /// Calls made one after the other (a mean; 1 unless said).
    pub times: Number,
    /// Of `fan_out` calls, how many are waited for.
    pub wait_for: WaitFor,
    /// Bytes to the tier in one call.
    pub request: Size,
    /// Bytes back in one call.
    pub response: Size,
    /// A user or a user's device makes it, and no tier of ours.
    pub from_user: bool,
    /// What its caller does where it is slow or fails.
    pub client: Client,
    /// What the tier does before it answers; where it has a cache that can answer, only on a miss.
    pub next: Calls,
    pub origin: Origin,
}

impl Call {
    /// Mean number of calls for one arrival of the caller.
    #[must_use]
    pub fn mean_number(&self) -> f64 {
        self.share.get() * self.fan_out.get() * self.times.get()
    }

    /// One call, always, waited for.
    fn is_plain(&self) -> bool {
        self.share.get() == 1.0 && self.fan_out.get() == 1.0 && self.times.get() == 1.0
    }
}

impl Calls {
    /// A chain: every tier calls the next, once, and waits for it. The tiers in order.
    #[must_use]
    pub fn chain(&self) -> Option<Vec<TierId>> {
        let mut tiers = Vec::new();
        let mut here = self;
        loop {
            match here {
                Self::Nothing => return Some(tiers),
                Self::One(call) if call.is_plain() => {
                    tiers.push(call.tier);
                    here = &call.next;
                }
                _ => return None,
            }
        }
    }

    /// Visits every call, callers before what they call; `asynchronous` is true where nobody waits.
    pub fn each<'a>(&'a self, asynchronous: bool, visit: &mut dyn FnMut(&'a Call, bool)) {
        match self {
            Self::Nothing => {}
            Self::One(call) => {
                visit(call, asynchronous);
                call.next.each(asynchronous, visit);
            }
            Self::Sequence(list) | Self::Parallel { branches: list, .. } => {
                for calls in list {
                    calls.each(asynchronous, visit);
                }
            }
            Self::Async(calls) => calls.each(true, visit),
        }
    }

    /// The same, to change.
    pub fn each_mut(&mut self, visit: &mut dyn FnMut(&mut Call)) {
        match self {
            Self::Nothing => {}
            Self::One(call) => {
                visit(call);
                call.next.each_mut(visit);
            }
            Self::Sequence(list) | Self::Parallel { branches: list, .. } => {
                for calls in list {
                    calls.each_mut(visit);
                }
            }
            Self::Async(calls) => calls.each_mut(visit),
        }
    }

    /// Every tier called, in the order in which it is first named.
    #[must_use]
    pub fn tiers(&self) -> Vec<TierId> {
        let mut tiers = Vec::new();
        self.each(false, &mut |call, _| {
            if !tiers.contains(&call.tier) {
                tiers.push(call.tier);
            }
        });
        tiers
    }

    /// Pairs of caller and called with whether the called is not waited for, in order. The first calls
    /// come from `caller`.
    #[must_use]
    pub fn edges(&self, caller: Option<TierId>) -> Vec<Edge> {
        let mut edges = Vec::new();
        self.collect_edges(caller, false, &mut edges);
        edges
    }

    fn collect_edges(&self, caller: Option<TierId>, asynchronous: bool, edges: &mut Vec<Edge>) {
        match self {
            Self::Nothing => {}
            Self::One(call) => {
                if let Some(from) = caller {
                    edges.push(Edge { from, to: call.tier, asynchronous, origin: call.origin });
                }
                call.next.collect_edges(Some(call.tier), asynchronous, edges);
            }
            Self::Sequence(list) | Self::Parallel { branches: list, .. } => {
                for calls in list {
                    calls.collect_edges(caller, asynchronous, edges);
                }
            }
            Self::Async(calls) => calls.collect_edges(caller, true, edges),
        }
    }
}

/// One tier calls another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    pub from: TierId,
    pub to: TierId,
    pub asynchronous: bool,
    pub origin: Origin,
}

impl Scenario {
    /// Whether a call is looked up in its tier's cache.
    #[must_use]
    pub fn call_looks_up(&self, call: &Call) -> bool {
        !call.write && call.of.is_some_and(|dataset| self.caches(call.tier, dataset))
    }

    /// Whether a tier's cache keeps objects of a dataset.
    #[must_use]
    pub fn caches(&self, tier: TierId, dataset: DatasetId) -> bool {
        let held = self.tiers[tier].cache.as_ref();
        held.is_some_and(|cache| cache.of.as_ref().is_none_or(|held| held.contains(&dataset)))
    }
}
