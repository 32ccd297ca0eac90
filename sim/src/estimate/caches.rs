//! What caches answer, what that leaves for the tiers behind them, and how much memory a hit ratio takes.

use plimsoll_reports::record::Unit;
use plimsoll_scenarios::popularity::Atom;
use plimsoll_scenarios::{Cache, OnWrite, Policy, Scenario, Scope, TierId};

use super::book::Book;
use crate::analytic::caches::{Approximation, behind, chain_of};
use crate::flow::{Cause, Flow};
use crate::sheet::CellId;

const GROUP: &str = "caches";
/// How a hit ratio comes about, with the cells that it is shown over.
const CHE: &str = "sum over objects of p x (1 - exp(-p t)), t such that sum of size x (1 - exp(-p t)) is the \
                   capacity (Che); out";
/// The same of a cache that is asked for what others miss, and for nothing else.
const BEHIND: &str = "sum over objects of p x (1 - g x s^(n-1)), g and s the probabilities that one of n caches before it \
                      misses nothing for t after a miss, and from any moment on; t such that sum of size x (1 - s^n) is \
                      the capacity (Fofack et al. 2014); out";
/// The same where what was fetched is fresh for a time, or until it is written.
const FRESH: &str = "sum over objects of p x m / (1 + m), m the requests after a fetch that come at gaps below t (Che) while \
                     it is fresh; out";
/// The same with admission from the second request on.
const SECOND: &str = "sum over objects of p x h, h the probability that it is there, of two LRU lists of which the first \
                      lets objects into the second (Martina et al. 2014); out";
/// The same with both.
const FRESH_SECOND: &str = "sum over objects of p x a x m / (1 + m), a the probability that it is kept (two LRU lists: Martina \
                            et al. 2014), m the requests after a fetch that come at gaps below t while it is fresh; out";
/// Hit ratios whose memory is stated.
const TARGETS: [(f64, &str); 3] = [(0.80, "cache_80"), (0.90, "cache_90"), (0.95, "cache_95")];
/// The share of a day's requests of the rule of thumb.
const OF_A_DAY: f64 = 0.2;

impl Book<'_> {
    pub fn caches(&mut self) {
        let scenario = self.scenario;
        let solved = solve(scenario, self.hot);
        let hot = self.hot;
        let cells = self.sheet.surfaces(&solved, &|world| solve(world, hot));
        let lookups: Vec<usize> = (0..self.flow.nodes.len()).filter(|&n| self.flow.nodes[n].lookup).collect();
        let mut hits = vec![None; self.flow.nodes.len()];
        for (&node, &cell) in lookups.iter().zip(&cells) {
            let (action, tier) = (self.flow.nodes[node].action, self.flow.nodes[node].call.tier);
            let name = format!("{} hits in {}", scenario.action_name(action), scenario.tier_name(tier));
            hits[node] = Some(self.sheet.named(cell, name, Unit::Share));
        }
        self.hits = hits;
        self.calls();
        for tier in 0..scenario.tiers.len() {
            self.hit_ratio(tier);
        }
        self.memory(&cells[lookups.len()..]);
        self.day_rule();
    }

    /// Calls a second of every call: its caller's, as often as that gets there and makes it.
    fn calls(&mut self) {
        for node in 0..self.flow.nodes.len() {
            let here = self.flow.nodes[node].clone();
            let action = &self.scenario.actions[here.action];
            let (name, tier) =
                (self.scenario.action_name(here.action), self.scenario.tier_name(here.call.tier));
            let mut factors =
                vec![here.caller.map_or(self.rates[here.action].mean, |caller| self.calls[caller])];
            if let Some(hit) = here.caller.and_then(|caller| self.hits[caller]) {
                factors.push(self.sheet.complement(hit));
            }
            if let (Cause::Heartbeat, None, Some(beat)) =
                (here.cause, here.caller, action.connection.as_ref().and_then(|c| c.heartbeat.as_ref()))
            {
                let lasts =
                    action.connection.as_ref().map(|c| &c.lasts).expect("a heartbeat has a connection");
                let lasts = self.sheet.input("time a connection lasts", lasts, (1.0, Unit::Seconds));
                let every = self.sheet.input("time between heartbeats", &beat.every, (1.0, Unit::Seconds));
                factors.push(self.sheet.quotient(lasts, every));
            }
            for (what, number) in [("fan-out", &here.call.fan_out), ("times", &here.call.times)] {
                if number.get() != 1.0 || number.range.is_some() {
                    factors.push(self.sheet.input(format!("{what} to {tier}"), number, (1.0, Unit::Number)));
                }
            }
            let share = &here.call.share;
            if share.get() != 1.0 || share.range.is_some() {
                factors.push(self.sheet.input(format!("share to {tier}"), share, (1.0, Unit::Share)));
            }
            let cell = if let [one] = factors[..] { one } else { self.sheet.product(factors) };
            let to = match here.cause {
                Cause::Request => format!("{name} to {tier}"),
                Cause::Message => format!("messages of {name} to {tier}"),
                Cause::Heartbeat => format!("heartbeats of {name} to {tier}"),
            };
            let cell = self.sheet.named(cell, to, Unit::PerSecond);
            self.calls.push(cell);
        }
    }

    fn hit_ratio(&mut self, tier: TierId) {
        let scenario = self.scenario;
        let Some(cache) = &scenario.tiers[tier].cache else { return };
        let looked_up: Vec<usize> = self.flow.at(tier).filter(|&n| self.flow.nodes[n].lookup).collect();
        if looked_up.is_empty() {
            return;
        }
        let own = Approximation::known(cache.policy) || scenario.tiers[tier].scope == Scope::User;
        let name = scenario.tier_name(tier).to_owned();
        let mut answered = Vec::new();
        for &node in &looked_up {
            let Some(hit) = self.hits[node] else { continue };
            answered.push((self.calls[node], hit));
        }
        let cell = if let [(_, hit)] = answered[..] {
            hit
        } else {
            let parts = answered.iter().map(|&(calls, hit)| self.sheet.product(vec![calls, hit])).collect();
            let (hits, all) = (self.sheet.sum(parts), self.sheet.sum(answered.iter().map(|a| a.0).collect()));
            self.sheet.quotient(hits, all)
        };
        let capacity = self.sheet.input(format!("{name} capacity"), &cache.capacity, (1.0, Unit::Bytes));
        let cell = self.sheet.function(self.formula(tier, cache), vec![cell, capacity], |x| x[0]);
        let as_lru = if own { "" } else { " if it were LRU" };
        let label = format!("{name}, hit ratio{as_lru}");
        self.line(format!("{name}.hit_ratio"), GROUP, label, cell, Unit::Share);
    }

    /// How the hit ratio of a cache comes about.
    fn formula(&self, tier: TierId, cache: &Cache) -> &'static str {
        let ages = cache.ttl.is_some() || cache.on_write == OnWrite::Invalidate;
        match (ages, cache.admit.on_second) {
            (false, false) if cache.policy == Policy::Fifo => CHE,
            (false, false) if !behind(self.scenario, &self.flow, tier).is_empty() => BEHIND,
            (false, false) => CHE,
            (true, false) => FRESH,
            (false, true) => SECOND,
            (true, true) => FRESH_SECOND,
        }
    }

    /// Memory for a hit ratio, of one cache that sees all requests for a dataset.
    fn memory(&mut self, shares: &[CellId]) {
        let scenario = self.scenario;
        let mut shares = shares.iter().copied();
        for (id, (name, dataset)) in scenario.datasets.iter().enumerate() {
            if !asked_for(scenario, id) {
                continue;
            }
            let count = self.sheet.input(format!("{name} objects"), &dataset.count, (1.0, Unit::Count));
            let size = self.sheet.input(format!("{name} size"), &dataset.size, (1.0, Unit::Bytes));
            let Some(asked) = shares.next() else { return };
            let asked =
                self.sheet.named(asked, format!("share of {name} objects that a day asks for"), Unit::Share);
            let distinct = self.sheet.product(vec![count, asked]);
            let label = format!("{name}, different objects asked for in a day");
            self.detail(format!("{name}.distinct_per_day"), GROUP, label, distinct, Unit::Count);
            for (target, quantity) in TARGETS {
                let Some(share) = shares.next() else { return };
                let per_cent = target * 100.0;
                let share = self.sheet.named(
                    share,
                    format!("share of {name} for {per_cent} % hits (LRU, Che)"),
                    Unit::Share,
                );
                let bytes = self.sheet.product(vec![count, size, share]);
                let label = format!("{name}, cache for {per_cent} % hits");
                self.detail(format!("{name}.{quantity}"), GROUP, label, bytes, Unit::Bytes);
            }
        }
    }

    /// The rule of thumb: room for a fifth of what a day asks for.
    fn day_rule(&mut self) {
        let scenario = self.scenario;
        for (id, (name, action)) in scenario.actions.iter().enumerate() {
            if action.write || action.of.is_none() || action.response.get() <= 0.0 {
                continue;
            }
            let (rate, day) = (self.rates[id].mean, self.common.day);
            let size = self.sheet.input("response", &action.response, (1.0, Unit::Bytes));
            let share = self.sheet.constant("a fifth of a day's requests", OF_A_DAY, Unit::Share);
            let bytes = self.sheet.product(vec![rate, day, size, share]);
            let label = format!("{name}, cache for 20 % of a day's requests");
            self.detail(format!("{name}.cache_20_percent"), GROUP, label, bytes, Unit::Bytes);
        }
    }
}

/// Whether some read asks for objects of a dataset.
fn asked_for(scenario: &Scenario, dataset: usize) -> bool {
    scenario.actions.values().any(|a| !a.write && a.of == Some(dataset))
}

/// Everything that takes a sum over a catalogue, as shares of 1: the hit ratio of each call that is looked
/// up, and of each dataset that is asked for the share of objects in a day and the shares for the targets.
fn solve(scenario: &Scenario, hot: Option<(usize, f64)>) -> Vec<f64> {
    let flow = Flow::of(scenario);
    let chain = chain_of(scenario, &flow);
    let lookups = (0..flow.nodes.len()).filter(|&n| flow.nodes[n].lookup);
    let hit = |node: usize| match hot {
        // The new object is in every cache after its first request.
        Some((dataset, share)) if flow.nodes[node].call.of == Some(dataset) => {
            share + (1.0 - share) * chain.hits[node]
        }
        _ => chain.hits[node],
    };
    let mut outputs: Vec<f64> = lookups.map(hit).collect();
    for (id, dataset) in scenario.datasets.values().enumerate() {
        if !asked_for(scenario, id) {
            continue;
        }
        let atoms = dataset.popularity.over(dataset.count.get() as u64).atoms();
        let reads = scenario.actions.values().filter(|a| !a.write && a.of == Some(id));
        let a_day: f64 = reads.map(|a| scenario.mean_rate(a)).sum::<f64>() * 86_400.0;
        let objects: f64 = atoms.iter().map(|a| a.count).sum();
        outputs.push(held(&atoms, a_day) / objects);
        let mut time = 1.0;
        for (target, _) in TARGETS {
            time = time_for(&atoms, target, time);
            outputs.push(held(&atoms, time) / objects);
        }
    }
    outputs
}

/// Objects asked for at least once in so many requests.
fn held(atoms: &[Atom], requests: f64) -> f64 {
    atoms.iter().map(|a| -a.count * (-a.p * requests).exp_m1()).sum()
}

/// The characteristic time, in requests, at which LRU hits so often; `from` is not after it.
///
/// Newton's method from below: the hit ratio is a concave function of the time, so no step goes too far.
fn time_for(atoms: &[Atom], target: f64, from: f64) -> f64 {
    // The hit ratio and its slope.
    let hit = |t: f64| {
        atoms.iter().fold((0.0, 0.0), |(hit, slope), a| {
            let (weight, misses) = (a.count * a.p, (-a.p * t).exp());
            (hit + weight * (1.0 - misses), slope + weight * a.p * misses)
        })
    };
    let mut time = from;
    // Far away the curve bends so much that growing fourfold is faster.
    while time < 1e30 && hit(4.0 * time).0 < target {
        time *= 4.0;
    }
    for _ in 0..48 {
        let (ratio, slope) = hit(time);
        let step = (target - ratio) / slope;
        // A share of a catalogue is wanted to about a millionth.
        if step.is_finite() && step > 1e-7 * time {
            time += step;
        } else {
            break;
        }
    }
    time
}
