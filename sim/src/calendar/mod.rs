//! Every request, one by one, on an event calendar: for scenarios small enough, for the scaled-down one that the
//! reference stack plays, and for slices of large ones where calls feed back on load.
//!
//! Why a calendar beside the sampled day: timeouts, retries, hedges, breakers, threads that wait and servers that
//! come and go make the load depend on what happens to it. The requests are those of
//! [`plimsoll_scenarios::trace`], so the load generator sends the very same ones.
//!
//! A call goes from tier to tier: half a round trip, the queue, a slot, then the cache; on a miss what the tier
//! calls in turn, and back the same way. Misses of one object at one cache while it is being fetched wait for that
//! one fetch. What a caller has given up on goes on to cost work.
//!
//! Where nothing feeds back, the same requests and draws go through a [recursion](recursion) instead.

mod answers;
mod arrivals;
mod balance;
mod batches;
mod beside;
mod caching;
mod changes;
mod clients;
mod connections;
mod disks;
mod draws;
mod frame;
mod holders;
mod kept;
mod links;
mod machine;
mod program;
mod queue;
mod recursion;
mod requests;
mod sharing;
pub mod slice;
mod slots;
mod station;
mod tally;
#[cfg(test)]
mod tests;
mod tiers;
mod times;
mod versions;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plimsoll_reports::format::human;
use plimsoll_reports::record::Unit;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, Scope};

use crate::flow::Flow;
use crate::model;
use crate::outcome::{Counted, Outcome};
use crate::threads::parallel;
use arrivals::Arrivals;
use changes::Changes;
pub use changes::ends;
pub use kept::Laws;
pub use machine::Machine;
use machine::Setup;
use recursion::Line;
use slice::Slice;
use tally::Tally;

/// How a run of every request is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub replications: u64,
    pub threads: usize,
    /// Time of the day at which it begins, seconds after midnight UTC.
    pub from_s: f64,
    /// Seconds before the counted ones.
    pub warmup_s: f64,
    pub duration_s: f64,
    /// Parts of that in the results.
    pub slots: usize,
    /// All replications play the same requests, those that a load run of the same seed sends; else each has its
    /// own, and intervals cover the chance of requests too.
    pub same_requests: bool,
}

/// Plays the run; `slice` is what the scenario is a slice of, if it is one. Where `stop` ended it early, what comes back
/// has the replications that were complete and is partial; `None` where there were none.
pub fn play(
    scenario: &Scenario,
    plan: Plan,
    slice: Option<&Slice>,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Option<(Outcome, bool)> {
    let weight = slice.map_or(1.0, |slice| slice.factor);
    let done = AtomicU64::new(0);
    let jobs: Vec<u64> = (0..plan.replications).collect();
    let setup = Setup::new(scenario, slice);
    let line = Line::of(&setup);
    let counted = parallel(&jobs, plan.threads, stop, |&replication| {
        let counted = replicate(&setup, line.as_ref(), plan, weight, replication, stop);
        progress((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / plan.replications as f64);
        counted
    });
    let counted: Vec<Counted> = counted.into_iter().flatten().flatten().collect();
    if counted.is_empty() {
        return None;
    }
    let partial = counted.len() < jobs.len();
    let together =
        (0..scenario.tiers.len()).map(|t| model::pool(scenario, t, 0).map_or(1, |p| p.servers)).collect();
    let outcome = Outcome {
        counted,
        slot_s: plan.duration_s / plan.slots as f64,
        slots: plan.slots,
        from_s: plan.from_s + plan.warmup_s,
        mode: "every request",
        objects_per_sample: 1,
        notes: notes(scenario, plan, slice),
        simulated_servers: together,
        stretches: Vec::new(),
    };
    Some((outcome, partial))
}

/// One replication, by the recursion where there is a line.
fn replicate(
    setup: &Setup<'_>,
    line: Option<&Line>,
    plan: Plan,
    weight: f64,
    replication: u64,
    stop: &AtomicBool,
) -> Option<Counted> {
    let scenario = setup.scenario;
    let counts_from = plan.from_s + plan.warmup_s;
    let end_s = counts_from + plan.duration_s;
    let slots = (counts_from, plan.duration_s / plan.slots as f64, plan.slots);
    let tally = Tally::new(scenario, setup.program.sites.len(), slots).watching_from(plan.from_s);
    let seed = match replication {
        0 => plan.seed,
        _ if plan.same_requests => plan.seed,
        _ => Stream::new(plan.seed, "calendar", "requests", replication).bits(),
    };
    let requests = Arrivals::new(scenario, seed, plan.from_s, end_s);
    let draws = (plan.seed, replication);
    let tally = if let Some(line) = line {
        recursion::play(setup, line, tally, draws, requests, stop)?
    } else {
        let changes = Changes::of(scenario);
        let mut machine = Machine::new(setup, tally, changes, draws, (plan.from_s, end_s));
        if setup.slice.is_some_and(|slice| slice.standing) {
            machine.open_standing(draws);
            machine.hold_standing(draws);
        }
        machine.run(requests, stop)?
    };
    let mut counted = tally.counted(scenario, &Flow::of(scenario), &Machine::capacity(scenario), weight);
    counted.beside.levels.scale(weight);
    Some(counted)
}

fn notes(scenario: &Scenario, plan: Plan, slice: Option<&Slice>) -> Vec<String> {
    let mut notes = vec!["latencies are those of requests that leave the device".to_owned()];
    if plan.same_requests {
        notes.push("replications share the requests and differ in service times".to_owned());
    }
    let caches = scenario.tiers.values().any(|t| t.cache.is_some() && t.scope != Scope::User);
    let drawn = slice.is_some_and(|slice| slice.laws.is_some());
    if caches && !drawn && !plan.same_requests && plan.warmup_s > 0.0 {
        let before = human(plan.warmup_s, Unit::Seconds);
        notes.push(format!("caches begin empty {before} before the window: large ones are not full yet"));
    }
    if !scenario.events.is_empty() {
        let names: Vec<&str> = scenario.events.iter().map(|e| e.name.as_str()).collect();
        notes.push(format!("events are played at their hour: {}", names.join(", ")));
    }
    notes
}
