//! Latencies of whole requests, drawn along the tree of calls.
//!
//! Tiers are independent of each other given the slot, which is the limit for large pools. A failure is a time
//! without end, so that whoever waits for the first few of several can do without it.

use std::collections::BTreeMap;

use plimsoll_scenarios::distribution::Sampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{TierId, WaitFor};

use super::setup::Setup;
use super::stations::Sample;
use super::steps::Step;
use crate::model;

/// Calls at once, or one after the other, that are drawn one by one.
pub(super) const EACH_MAX: f64 = 32.0;
/// Times of a call from which larger numbers of calls are made up.
const POOL: usize = 1024;

/// What draws in a slot at a place go by.
pub(super) struct Draws<'d> {
    pub setup: &'d Setup<'d>,
    pub region: usize,
    /// By tier: what was played here, and at tiers that are one for all.
    pub here: &'d [Option<Sample>],
    pub everywhere: Option<&'d [Option<Sample>]>,
    /// By call: probability that no cache answers it.
    pub miss: &'d [f64],
    /// By call: probability that its cache answers it from disk.
    pub on_disk: &'d [f64],
    /// By tier of somebody else: its latency, and the share of calls beyond its limit.
    pub external: &'d [Option<(Sampler, f64)>],
    pub stream: &'d mut Stream,
    /// Times of single calls, sorted, for numbers too large to draw one by one.
    pub pools: BTreeMap<usize, Vec<f64>>,
}

impl<'d> Draws<'d> {
    /// Seconds of a tree of calls; infinite where it fails.
    pub fn time(&mut self, step: &Step) -> f64 {
        match step {
            Step::Nothing => 0.0,
            Step::Call(node) => self.calls(*node),
            Step::Sequence(list) => list.iter().map(|step| self.time(step)).sum(),
            Step::Parallel { branches, wait_for } => {
                let times: Vec<f64> = branches.iter().map(|step| self.time(step)).collect();
                kth(times, *wait_for)
            }
        }
    }

    /// What a call's tier waits for downstream, or for its cache's disks: nothing where its cache answers from memory.
    pub fn after(&mut self, node: usize) -> f64 {
        let setup = self.setup;
        let (miss, on_disk) = (self.miss[node], self.on_disk[node]);
        if setup.steps.after[node] == Step::Nothing && on_disk <= 0.0 {
            return 0.0;
        }
        if miss < 1.0 {
            let chance = self.stream.uniform();
            if chance >= miss + on_disk {
                return 0.0;
            }
            if chance >= miss {
                return self.read(node);
            }
        }
        self.time(&setup.steps.after[node])
    }

    /// A hit on disk: the wait for the disks, and its operations.
    fn read(&mut self, node: usize) -> f64 {
        let Some(read_s) = self.setup.read_s[node] else { return 0.0 };
        let Some(sample) = self.played(self.setup.flow.nodes[node].call.tier) else { return read_s };
        if sample.disk_rejected > 0.0 && self.stream.uniform() < sample.disk_rejected {
            return f64::INFINITY;
        }
        read_s + pick(&sample.disk, self.stream)
    }

    /// What was played of a tier.
    fn played(&self, tier: TierId) -> Option<&'d Sample> {
        self.here[tier].as_ref().or_else(|| self.everywhere.and_then(|all| all[tier].as_ref()))
    }

    /// A call as often as it is made.
    fn calls(&mut self, node: usize) -> f64 {
        let call = self.setup.flow.nodes[node].call;
        let share = call.share.get();
        if share < 1.0 && self.stream.uniform() >= share {
            return 0.0;
        }
        let times = self.whole(call.times.get());
        if times > EACH_MAX {
            return self.many_times(node, times);
        }
        (0..times as u32).map(|_| self.at_once(node)).sum()
    }

    /// A whole number with this mean.
    fn whole(&mut self, mean: f64) -> f64 {
        let part = mean.fract();
        if part > 0.0 && self.stream.uniform() < part { mean.ceil() } else { mean.floor() }
    }

    /// The calls of a fan-out: as slow as the slowest of those that are waited for.
    fn at_once(&mut self, node: usize) -> f64 {
        let call = self.setup.flow.nodes[node].call;
        let n = self.whole(call.fan_out.get());
        let k = match call.wait_for {
            WaitFor::All => n,
            WaitFor::First(k) => f64::from(k).min(n),
        };
        if n < 1.0 {
            0.0
        } else if n == 1.0 {
            self.single(node)
        } else if n <= EACH_MAX {
            let times = (0..n as u32).map(|_| self.single(node)).collect();
            kth(times, k as usize)
        } else {
            // The k-th of n uniforms: exact at the ends, else by its mean and variance (a beta distribution).
            let u = self.stream.uniform();
            let place = if k >= n {
                u.powf(1.0 / n)
            } else if k <= 1.0 {
                1.0 - u.powf(1.0 / n)
            } else {
                let mean = k / (n + 1.0);
                let sd = (mean * (1.0 - mean) / (n + 2.0)).sqrt();
                (mean + sd * self.normal()).clamp(0.0, 1.0)
            };
            let pool = self.pool(node);
            pool[((place * pool.len() as f64) as usize).min(pool.len() - 1)]
        }
    }

    /// The sum of very many calls, by the central limit theorem.
    fn many_times(&mut self, node: usize, times: f64) -> f64 {
        let normal = self.normal();
        let pool = self.pool(node);
        let n = pool.len() as f64;
        let mean = pool.iter().sum::<f64>() / n;
        if !mean.is_finite() {
            return f64::INFINITY;
        }
        let variance = pool.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / n;
        (times * mean + (times * variance).sqrt() * normal).max(0.0)
    }

    /// Twelve uniforms less six: near enough to a normal number where it stands for a sum.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.stream.uniform()).sum::<f64>() - 6.0
    }

    fn pool(&mut self, node: usize) -> &[f64] {
        if !self.pools.contains_key(&node) {
            let mut pool: Vec<f64> = (0..POOL).map(|_| self.single(node)).collect();
            pool.sort_by(f64::total_cmp);
            self.pools.insert(node, pool);
        }
        &self.pools[&node]
    }

    /// One call of a tier: the way there and back, its own time, and what it waits for.
    fn single(&mut self, node: usize) -> f64 {
        let setup = self.setup;
        let call = setup.flow.nodes[node].call;
        let tier = &setup.scenario.tiers[call.tier];
        let way = setup.scenario.round_trip(call, self.region);
        let (asked, needed) = model::quorum(setup.scenario, call);
        let own = if asked == 1 {
            self.own(call.tier)
        } else {
            let times = (0..asked).map(|_| self.own(call.tier)).collect();
            kth(times, needed as usize)
        };
        if own == f64::INFINITY {
            return own;
        }
        // A slot that is held downstream has that time in its service already.
        let holds = tier.station.as_ref().is_some_and(|s| s.blocking);
        way + own + if holds { 0.0 } else { self.after(node) }
    }

    /// Wait and service at one server of a tier.
    fn own(&mut self, tier: TierId) -> f64 {
        if let Some((latency, beyond)) = &self.external[tier] {
            if *beyond > 0.0 && self.stream.uniform() < *beyond {
                return f64::INFINITY;
            }
            return latency.draw(self.stream);
        }
        let Some(sample) = self.played(tier) else { return 0.0 };
        let disk_rejected = if sample.disk_of_cache { 0.0 } else { sample.disk_rejected };
        let at = match &sample.hot {
            Some((share, hot)) if self.stream.uniform() < *share => hot,
            _ => sample,
        };
        for rejected in [at.rejected_share, disk_rejected] {
            if rejected > 0.0 && self.stream.uniform() < rejected {
                return f64::INFINITY;
            }
        }
        let sojourn = pick(&at.sojourns, self.stream);
        if sample.disk_of_cache { sojourn } else { sojourn + pick(&sample.disk, self.stream) }
    }
}

/// One of some times; 0 without any.
fn pick(times: &[f32], stream: &mut Stream) -> f64 {
    if times.is_empty() { 0.0 } else { f64::from(times[stream.below(times.len() as u64) as usize]) }
}

/// The k-th smallest; 0 for none.
fn kth(mut times: Vec<f64>, k: usize) -> f64 {
    if k == 0 || times.is_empty() {
        return 0.0;
    }
    let at = k.min(times.len()) - 1;
    *times.select_nth_unstable_by(at, f64::total_cmp).1
}
