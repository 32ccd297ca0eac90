//! What the engines that play requests one by one do not know yet, said before they start.
//!
//! Why a list and not an error at the first: who wants to know whether a scenario can be simulated wants to
//! know all of it. The list gets shorter as the engines learn; an estimate covers all of the language.

use crate::calls::Calls;
use crate::scenario::Scenario;
use crate::tier::Tier;

impl Scenario {
    /// What of this scenario can only be estimated so far, each with its place in the file; empty where it can
    /// be played.
    #[must_use]
    pub fn only_estimated(&self) -> Vec<String> {
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

fn features(tier: &Tier) -> [(bool, &'static str); 4] {
    let station = tier.station.as_ref();
    [
        (station.is_some_and(|s| s.blocking), "slots held while waiting downstream"),
        (station.is_some_and(|s| s.single_writer), "a single writer per key"),
        (tier.external.is_some(), "services of somebody else"),
        (tier.queue.is_some(), "queues with consumers"),
    ]
}
