//! What the reference stack, which is made of real servers, cannot be told to do.
//!
//! Why apart from what can be simulated: an event calendar plays all of the language; a stack of real processes has
//! the queues, caches and copies that it was built with.

use crate::calls::Calls;
use crate::scenario::Scenario;
use crate::tier::{Balance, Discipline, OnWrite, Tier};

impl Scenario {
    /// What of this scenario no real stack plays so far, each with its place in the file; empty where it can be
    /// loaded.
    #[must_use]
    pub fn not_emulated(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, action) in &self.actions {
            let mut add = |what: &str| {
                let place = self.place(action.origin).map_or(String::new(), |p| format!(" ({p})"));
                found.push(format!("actions.{name}: {what}{place}"));
            };
            if action.calls.chain().is_none() {
                add("calls that are no plain chain");
            }
            if action.then.iter().any(|branch| !single(&branch.calls)) {
                add("messages that go on from tier to tier");
            }
            if action.connection.is_some() {
                add("long-lived connections");
            }
            if action.write && action.path.iter().any(|&t| self.tiers[t].replication.write_work() > 1.0) {
                add("writes to several copies");
            }
            let mut policies = false;
            action.calls.each(false, &mut |call, _| policies |= !call.client.is_plain());
            if policies {
                add("timeouts, retries, hedges, breakers or pools");
            }
        }
        for (name, tier) in &self.tiers {
            let place = self.place(tier.origin).map_or(String::new(), |p| format!(" ({p})"));
            for (there, what) in features(tier) {
                if there {
                    found.push(format!("tiers.{name}: {what}{place}"));
                }
            }
        }
        found
    }
}

fn single(calls: &Calls) -> bool {
    calls.chain().is_some_and(|chain| chain.len() == 1)
}

fn features(tier: &Tier) -> [(bool, &'static str); 15] {
    let is = |of: fn(&crate::tier::Station) -> bool| tier.station.as_ref().is_some_and(of);
    let cache = tier.cache.as_ref();
    let admission = cache.is_some_and(|c| c.admit.on_second || c.admit.max_size.is_some());
    [
        (cache.is_some_and(|c| c.memory.is_some()), "a cache in memory and on disk"),
        (cache.is_some_and(|c| c.ttl.is_some()), "a cache's `ttl`"),
        (admission, "a cache's `admit`"),
        (cache.is_some_and(|c| c.on_write != OnWrite::Nothing), "a cache's `on_write`"),
        (is(|s| s.blocking), "slots held while waiting downstream"),
        (is(|s| s.single_writer), "a single writer per key"),
        (is(|s| s.discipline != Discipline::Fcfs), "another discipline than first come, first served"),
        (is(|s| s.batch.is_some()), "batches"),
        (is(|s| s.autoscale.is_some()), "servers that come and go"),
        (is(|s| s.balance == Balance::ConsistentHash), "balancing by hash"),
        (is(|s| s.balance == Balance::Weighted), "balancing by weight"),
        (is(|s| !s.kinds.is_empty()), "servers that differ"),
        (tier.external.is_some(), "services of somebody else"),
        (tier.replication.lag.is_some(), "copies that lag"),
        (tier.queue.is_some(), "queues with consumers"),
    ]
}
