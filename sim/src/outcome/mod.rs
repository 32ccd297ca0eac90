//! From what an engine counted to the record of a run. Both engines count the same things.

mod actions;
mod beside;
mod counted;
mod interval;
mod levels;
mod means;
mod splice;
mod stations;
mod tiers;
mod verdicts;
mod warmup;

use plimsoll_reports::record::{ActionRun, Method, Provenance, Run, TierRun};
use plimsoll_scenarios::slo::Metric;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use crate::analytic::caches;
use means::Means;

pub use beside::{Beside, BesideSums, KindSums};
pub use counted::{Counted, Distributions, Grid, StationSlot};
pub use interval::interval;
pub use levels::Levels;
pub use splice::{Part, Spliced, splice};
pub use warmup::mser5;

/// Everything an engine hands over.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// By replication; at least one.
    pub counted: Vec<Counted>,
    pub slot_s: f64,
    pub slots: usize,
    /// Time of the day at which what counts begins, seconds after midnight UTC.
    pub from_s: f64,
    pub mode: &'static str,
    pub objects_per_sample: u64,
    pub notes: Vec<String>,
    /// Servers of each station that were simulated together at one place.
    pub simulated_servers: Vec<u64>,
    /// Slots that another engine has played.
    pub stretches: Vec<Spliced>,
}

impl Outcome {
    /// Servers of a station that were simulated together at one place in a slot.
    #[must_use]
    pub fn together(&self, tier: TierId, slot: usize) -> u64 {
        let other = self.stretches.iter().find(|stretch| stretch.slots.contains(&slot));
        other.map_or(&self.simulated_servers, |stretch| &stretch.simulated_servers)[tier]
    }

    /// Whether what stands beside servers may have been counted in a slot: of a day with parts by the calendar only these
    /// have it.
    #[must_use]
    pub fn counts_beside(&self, slot: usize) -> bool {
        self.stretches.is_empty() || self.stretches.iter().any(|stretch| stretch.slots.contains(&slot))
    }
}

/// The record of a run.
#[must_use]
pub fn summarise(scenario: &Scenario, outcome: &Outcome, provenance: Provenance) -> Run {
    let means = Means::new(scenario, outcome);
    let chain = caches::chain_of(scenario, &means.flow);
    let tiers: Vec<TierRun> = (0..scenario.tiers.len()).map(|t| tiers::tier_run(&means, &chain, t)).collect();
    let actions: Vec<ActionRun> =
        (0..scenario.actions.len()).map(|a| actions::action_run(&means, a)).collect();
    let bottleneck = verdicts::bottleneck(&tiers);
    let slos = verdicts::judge(scenario, &tiers, &actions);
    let mut notes = outcome.notes.clone();
    for slo in scenario.slos.iter().filter(|slo| !slos.iter().any(|judged| judged.text == slo.text)) {
        let why = match &slo.metric {
            Metric::Durability { .. } => "a day does not show it",
            Metric::Stale { .. } => "only a run of every request sees which reads are stale (`--window`)",
            Metric::MemoryHitRatio { tier }
                if scenario.tier(tier).is_some_and(|(_, t)| t.scope == Scope::User) =>
            {
                "devices are by formula: `estimate` says it"
            }
            _ => "there were no requests to judge it by",
        };
        notes.push(format!("`{}` is not judged: {why}", slo.text));
    }
    let unlimited: Vec<&str> = tiers
        .iter()
        .filter(|t| t.station.as_ref().is_some_and(|s| s.utilisation_peak.value >= 0.999))
        .map(|t| t.name.as_str())
        .collect();
    if !unlimited.is_empty() {
        notes.push(format!("{} cannot keep up at the peak and turns requests away", unlimited.join(", ")));
    }
    Run {
        provenance,
        method: Method {
            mode: outcome.mode.to_owned(),
            objects_per_sample: outcome.objects_per_sample,
            replications: outcome.counted.len() as u64,
            simulated_requests: outcome.counted.iter().map(|c| c.simulated_requests).sum(),
            simulated_customers: outcome.counted.iter().map(|c| c.simulated_customers).sum(),
        },
        duration_s: outcome.slot_s * outcome.slots as f64,
        slot_s: outcome.slot_s,
        from_s: outcome.from_s,
        events: Vec::new(),
        tiers,
        actions,
        bottleneck,
        slos,
        notes,
    }
}

#[cfg(test)]
mod tests;
