//! What is counted while the calendar runs: flat arrays, so that counting costs less than what is counted.
//!
//! Why by slot of the day: rates, waits and latencies of every hour stand beside each other in the results.

use plimsoll_scenarios::Scenario;

use super::beside::BesideTally;
use super::frame::UNCOUNTED;
use super::slots::Slots;
use super::times::{COARSE, FINE, Times};
use crate::flow::Flow;
use crate::histogram::Latencies;
use crate::model;
use crate::outcome::{Counted, StationSlot};

/// Latencies of requests of one action that were made in the latest slot, before they are added to what is counted: one
/// record serves the action's histogram and that of the slot.
#[derive(Debug, Clone)]
struct Latest {
    slot: u16,
    first_byte: Times<FINE>,
    /// First bytes that are how long a request was at its only tier, too, and that tier: one record serves both.
    stays: Times<FINE>,
    tier: usize,
}

/// No slot at all, not even the one of what does not count.
const NEVER: u16 = UNCOUNTED - 1;

impl Latest {
    const NONE: Self = Self { slot: NEVER, first_byte: Times::new(), stays: Times::new(), tier: 0 };
}

/// A station at a place in a slot.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    pub arrivals: u64,
    pub rejected: u64,
    pub started: u64,
    /// Of those, who found a slot free: they are counted here, not in the histogram of waits.
    pub at_once: u64,
    pub wait_s: f64,
    pub work_s: f64,
}

/// Little's law for one tier: the integral of how many are there, against the sum of how long each was.
#[derive(Debug, Clone, Copy, Default)]
struct Little {
    there: u64,
    /// The integral, but for those who are still there: each of them adds the time at which it goes.
    area: f64,
    stays: f64,
}

impl Little {
    /// Times are counted from the beginning of a slot on, so that none is large.
    #[inline]
    fn enter(&mut self, after_s: f64) {
        self.area -= after_s;
        self.there += 1;
    }

    #[inline]
    fn leave(&mut self, after_s: f64, stay_s: f64) {
        self.area += after_s;
        self.there -= 1;
        self.stays += stay_s;
    }

    /// Times are counted from later on.
    fn turn(&mut self, later_s: f64) {
        self.area += self.there as f64 * later_s;
    }
}

/// What is counted for a tier as a whole.
#[derive(Debug, Clone, Default)]
struct OfTier {
    little: Little,
    waits: Times<FINE>,
    sojourns: Times<FINE>,
}

/// What is counted for an action as a whole.
#[derive(Debug, Clone)]
struct OfAction {
    /// It has a body, so that it is complete later than its first byte.
    body: bool,
    /// Latencies of the latest slot, which are in neither of the two histograms of first bytes yet.
    latest: Latest,
    first_byte: Times<FINE>,
    complete: Times<FINE>,
}

/// What one replication counts.
#[derive(Debug)]
pub struct Tally {
    regions: usize,
    slots: usize,
    from_s: f64,
    slot_s: f64,
    /// The slot that it is, when it began to be, and when that is over.
    slot: u16,
    turned_s: f64,
    slot_ends: f64,
    /// Requests of the slot that it is, by action and region, before they are added to what is counted.
    begun: Vec<u32>,
    requests: Vec<u32>,
    failed: Vec<u32>,
    calls: Vec<u32>,
    hits: Vec<u32>,
    /// First station of every tier in `stations`, by place and then slot.
    first_station: Vec<usize>,
    stations: Vec<Sums>,
    tiers: Vec<OfTier>,
    actions: Vec<OfAction>,
    first_byte_slots: Vec<Times<COARSE>>,
    /// Latencies of requests made before what counts, by parts of that time, and how long a part is, seconds.
    before: Vec<(u32, f64)>,
    part_s: f64,
    pub beside: BesideTally,
    pub simulated_requests: u64,
    pub simulated_customers: u64,
}

impl OfAction {
    const fn new(body: bool) -> Self {
        Self { body, latest: Latest::NONE, first_byte: Times::new(), complete: Times::new() }
    }
}

/// Parts of the time before what counts.
const PARTS_BEFORE: usize = 400;

impl Tally {
    #[must_use]
    pub fn new(scenario: &Scenario, calls: usize, (from_s, slot_s, slots): (f64, f64, usize)) -> Self {
        let regions = scenario.population.regions.len();
        let (actions, tiers) = (scenario.actions.len(), scenario.tiers.len());
        let grid = |n: usize| vec![0; n * regions * slots];
        let mut first_station = Vec::new();
        let mut stations = 0;
        for tier in 0..tiers {
            first_station.push(stations);
            stations += model::places(scenario, tier) * slots;
        }
        Self {
            regions,
            slots,
            from_s,
            slot_s,
            slot: UNCOUNTED,
            turned_s: from_s,
            slot_ends: from_s,
            begun: vec![0; actions * regions],
            requests: grid(actions),
            failed: grid(actions),
            calls: grid(calls),
            hits: grid(calls),
            first_station,
            stations: vec![Sums::default(); stations],
            tiers: vec![OfTier::default(); tiers],
            actions: scenario
                .actions
                .values()
                .map(|action| OfAction::new(action.response.get() > 0.0))
                .collect(),
            first_byte_slots: vec![Times::new(); actions * slots],
            before: Vec::new(),
            part_s: f64::INFINITY,
            beside: BesideTally::new(scenario, slots),
            simulated_requests: 0,
            simulated_customers: 0,
        }
    }

    /// Requests from a time on are looked at for when the run has forgotten its start.
    #[must_use]
    pub fn watching_from(mut self, begins_s: f64) -> Self {
        if begins_s < self.from_s {
            self.before = vec![(0, 0.0); PARTS_BEFORE];
            self.part_s = (self.from_s - begins_s) / PARTS_BEFORE as f64;
        }
        self
    }

    /// A request that does not count was answered.
    #[cold]
    fn left_before(&mut self, born_s: f64, first_byte_s: f64) {
        let back = (self.from_s - born_s) / self.part_s;
        if back > 0.0
            && let Some(at) = self.before.len().checked_sub(back.ceil() as usize)
        {
            let (number, sum_s) = &mut self.before[at];
            *number += 1;
            *sum_s += first_byte_s;
        }
    }

    /// Time goes on.
    #[inline]
    pub fn advance(&mut self, now: f64) {
        if now >= self.slot_ends {
            self.turn(now);
        }
    }

    /// The slot is over: it is that of `now`.
    pub fn turn(&mut self, now: f64) {
        for tier in &mut self.tiers {
            tier.little.turn(now - self.turned_s);
        }
        self.turned_s = now;
        let slot = ((now - self.from_s) / self.slot_s) as usize;
        if slot >= self.slots {
            (self.slot, self.slot_ends) = (UNCOUNTED, f64::INFINITY);
        } else {
            self.slot = slot as u16;
            self.slot_ends = self.from_s + (slot + 1) as f64 * self.slot_s;
        }
    }

    /// The slot that it is; `UNCOUNTED` before and after what counts.
    pub const fn slot(&self) -> u16 {
        self.slot
    }

    #[inline]
    const fn at(&self, which: usize, region: u16, slot: u16) -> usize {
        (which * self.regions + region as usize) * self.slots + slot as usize
    }

    /// When the slot that it is will be over.
    pub const fn slot_ends(&self) -> f64 {
        self.slot_ends
    }

    /// A request is made now; it counts when the slot is over, see [`Self::count_begun`].
    #[inline]
    pub fn begin(&mut self, action: u16, region: u16) {
        self.begun[action as usize * self.regions + region as usize] += 1;
    }

    /// The slot is over: the requests made in it count, and with each the call of its action that all of them make.
    pub fn count_begun(&mut self, call_of: impl Fn(usize) -> Option<u32>) {
        let mut begun = std::mem::take(&mut self.begun);
        for (at, number) in begun.iter_mut().enumerate() {
            let (action, region, number) =
                (at / self.regions, (at % self.regions) as u16, std::mem::take(number));
            self.requests(action as u16, region, self.slot, number);
            if let Some(site) = call_of(action) {
                self.calls(site, region, self.slot, number);
            }
        }
        self.begun = begun;
    }

    /// Several requests made in the same slot.
    #[inline]
    pub fn requests(&mut self, action: u16, region: u16, slot: u16, number: u32) {
        if slot != UNCOUNTED {
            let at = self.at(action as usize, region, slot);
            self.requests[at] += number;
            self.simulated_requests += u64::from(number);
        }
    }

    #[inline]
    pub fn call(&mut self, site: u32, region: u16, slot: u16) {
        self.calls(site, region, slot, 1);
    }

    /// Several calls of requests of the same slot.
    #[inline]
    pub fn calls(&mut self, site: u32, region: u16, slot: u16, number: u32) {
        if slot != UNCOUNTED {
            let at = self.at(site as usize, region, slot);
            self.calls[at] += number;
        }
    }

    #[inline]
    pub fn hit(&mut self, site: u32, region: u16, slot: u16) {
        if slot != UNCOUNTED {
            let at = self.at(site as usize, region, slot);
            self.hits[at] += 1;
        }
    }

    /// A request made at `born_s` is through.
    #[inline]
    pub fn left(&mut self, (action, region, slot): (u16, u16, u16), born_s: f64, took: Option<(f64, f64)>) {
        if slot == UNCOUNTED {
            if let Some((first_byte, _)) = took {
                self.left_before(born_s, first_byte);
            }
            return;
        }
        let Some((first_byte, complete)) = took else {
            let at = self.at(action as usize, region, slot);
            self.failed[at] += 1;
            return;
        };
        let id = action as usize;
        let of = &mut self.actions[id];
        if of.body {
            of.complete.record(complete);
        }
        if of.latest.slot == slot {
            of.latest.first_byte.record(first_byte);
        } else {
            self.left_in_another(id, slot, first_byte);
        }
    }

    /// A request is through that was made in another slot than the latest of its action.
    #[cold]
    fn left_in_another(&mut self, id: usize, slot: u16, first_byte: f64) {
        if self.begins(id, slot) {
            self.actions[id].latest.first_byte.record(first_byte);
        } else {
            self.actions[id].first_byte.record(first_byte);
            self.first_byte_slots[id * self.slots + slot as usize].record(first_byte);
        }
    }

    /// Whether a slot is later than the latest of an action so far; then it is the latest.
    #[cold]
    fn begins(&mut self, id: usize, slot: u16) -> bool {
        let before = self.actions[id].latest.slot;
        let later = before == NEVER || slot > before;
        if later {
            self.settle(id);
            self.actions[id].latest.slot = slot;
        }
        later
    }

    /// Adds the latencies of an action's latest slot to what is counted.
    fn settle(&mut self, id: usize) {
        let of = &mut self.actions[id];
        let Latest { slot, first_byte, stays, tier } = std::mem::replace(&mut of.latest, Latest::NONE);
        if slot != NEVER {
            for times in [&first_byte, &stays] {
                of.first_byte.add(times);
                self.first_byte_slots[id * self.slots + slot as usize].add(times);
            }
            self.tiers[tier].sojourns.add(&stays);
        }
    }

    /// Histograms of waits at a tier, and of stays there that are first bytes of requests of an action made in a slot that
    /// counts; `None` where that is before the latest of the action.
    pub fn only_at(&mut self, tier: usize, action: u16, slot: u16) -> Option<[&mut Times<FINE>; 2]> {
        let id = action as usize;
        if self.actions[id].latest.slot != slot && !self.begins(id, slot) {
            return None;
        }
        let latest = &mut self.actions[id].latest;
        latest.tier = tier;
        Some([&mut self.tiers[tier].waits, &mut latest.stays])
    }

    /// Whether an action has a body, so that it is complete later than its first byte.
    pub fn has_body(&self, action: u16) -> bool {
        self.actions[action as usize].body
    }

    /// The slots, for who looks at several times at once.
    pub const fn slots(&self) -> Slots {
        Slots::new(self.from_s, self.slot_s, self.slots)
    }

    /// The sums of a station now; `None` outside of what counts.
    #[inline]
    pub fn station(&mut self, tier: usize, place: u16) -> Option<&mut Sums> {
        self.station_in(tier, place, self.slot)
    }

    /// The sums of a station in a slot; `None` outside of what counts.
    #[inline]
    pub fn station_in(&mut self, tier: usize, place: u16, slot: u16) -> Option<&mut Sums> {
        if slot == UNCOUNTED {
            return None;
        }
        let at = self.first_station[tier] + place as usize * self.slots + slot as usize;
        Some(&mut self.stations[at])
    }

    /// A service begins.
    #[inline]
    pub fn start(&mut self, tier: usize, place: u16, wait_s: f64, work_s: f64) {
        if let Some(sums) = self.station(tier, place) {
            sums.started += 1;
            sums.wait_s += wait_s;
            sums.work_s += work_s;
            self.tiers[tier].waits.record(wait_s);
            self.simulated_customers += 1;
        }
    }

    /// A customer waited, whose service began in a slot.
    #[inline]
    pub fn waited(&mut self, slot: u16, tier: usize, wait_s: f64) {
        if slot != UNCOUNTED {
            self.tiers[tier].waits.record(wait_s);
        }
    }

    /// Histograms of waits and stays at a tier.
    pub fn at_tier(&mut self, tier: usize) -> [&mut Times<FINE>; 2] {
        let OfTier { waits, sojourns, .. } = &mut self.tiers[tier];
        [waits, sojourns]
    }

    /// Adds to the sums of a station in a slot, where that counts.
    pub fn add(&mut self, tier: usize, place: u16, slot: u16, more: Sums) {
        if let Some(sums) = self.station_in(tier, place, slot) {
            sums.arrivals += more.arrivals;
            sums.rejected += more.rejected;
            sums.started += more.started;
            sums.wait_s += more.wait_s;
            sums.work_s += more.work_s;
            self.simulated_customers += more.started;
            self.tiers[tier].waits.zeros(more.at_once);
        }
    }

    /// A customer is let in.
    #[inline]
    pub fn enter(&mut self, tier: usize, now: f64) {
        self.tiers[tier].little.enter(now - self.turned_s);
    }

    /// A customer goes, `stay_s` after it came.
    #[inline]
    pub fn leave(&mut self, tier: usize, now: f64, stay_s: f64) {
        self.tiers[tier].little.leave(now - self.turned_s, stay_s);
        self.stayed(self.slot, tier, stay_s);
    }

    /// A customer goes, `stay_s` after it came and its request was made, which is then through.
    #[inline]
    pub fn leave_whole(&mut self, tier: usize, of: (u16, u16, u16), now: f64, stay_s: f64) {
        self.tiers[tier].little.leave(now - self.turned_s, stay_s);
        let (action, _, slot) = of;
        let latest = &mut self.actions[action as usize].latest;
        if latest.slot == slot && self.slot != UNCOUNTED {
            latest.tier = tier;
            latest.stays.record(stay_s);
        } else {
            self.leave_in_another(tier, of, now - stay_s, stay_s);
        }
    }

    /// The same for a request that was made in another slot than the latest of its action.
    #[inline(never)]
    fn leave_in_another(&mut self, tier: usize, of: (u16, u16, u16), born_s: f64, stay_s: f64) {
        self.stayed(self.slot, tier, stay_s);
        self.left(of, born_s, Some((stay_s, stay_s)));
    }

    /// A customer went in a slot, `stay_s` after it came.
    #[inline]
    pub fn stayed(&mut self, slot: u16, tier: usize, stay_s: f64) {
        if slot != UNCOUNTED {
            self.tiers[tier].sojourns.record(stay_s);
        }
    }

    /// Conservation and Little's law, once nothing is under way.
    ///
    /// # Panics
    /// Where one of them does not hold, which is a mistake in the engine.
    pub fn check(&self) {
        for (tier, OfTier { little, .. }) in self.tiers.iter().enumerate() {
            assert_eq!(little.there, 0, "tier {tier} is not empty and nothing is under way");
            let off = (little.area - little.stays).abs();
            assert!(
                off <= 1e-6 * little.stays + 1e-6,
                "Little's law: {} is not {} at tier {tier}",
                little.area,
                little.stays
            );
        }
    }

    /// As the engines hand it over. `weight` is the number of requests that one stands for.
    #[must_use]
    pub fn counted(
        mut self,
        scenario: &Scenario,
        flow: &Flow<'_>,
        capacity: &[Vec<f64>],
        weight: f64,
    ) -> Counted {
        for id in 0..self.actions.len() {
            self.settle(id);
        }
        let mut counted = Counted::new(scenario, flow, self.slots);
        let fill = |grids: &mut Vec<crate::outcome::Grid>, from: &[u32]| {
            for (value, &n) in grids.iter_mut().flatten().flatten().zip(from) {
                *value = f64::from(n) * weight;
            }
        };
        fill(&mut counted.requests, &self.requests);
        fill(&mut counted.calls, &self.calls);
        fill(&mut counted.hits, &self.hits);
        let failed = counted.failed.iter_mut().flatten().flatten();
        for ((share, &failed), &all) in failed.zip(&self.failed).zip(&self.requests) {
            *share = f64::from(failed) / f64::from(all.max(1));
        }
        for (tier, places) in counted.stations.iter_mut().enumerate() {
            let first = self.first_station[tier];
            for (place, slots) in places.iter_mut().enumerate() {
                // Work counts where it begins; what a slot has no room for is done in the next.
                let mut left_s = 0.0;
                for (slot, station) in slots.iter_mut().enumerate() {
                    let sums = &self.stations[first + place * self.slots + slot];
                    let room = capacity[tier][place] * self.slot_s;
                    let done_s = (sums.work_s + left_s).min(room);
                    left_s += sums.work_s - done_s;
                    *station = StationSlot {
                        utilisation: if room > 0.0 { done_s / room } else { 0.0 },
                        wait_mean_s: sums.wait_s / sums.started.max(1) as f64,
                        held_mean_s: sums.work_s / sums.started.max(1) as f64,
                        queue: weight * sums.wait_s / self.slot_s,
                        rejected_share: sums.rejected as f64 / sums.arrivals.max(1) as f64,
                    };
                }
            }
        }
        pour(&mut counted.waits, self.tiers.iter().map(|tier| &tier.waits));
        pour(&mut counted.sojourns, self.tiers.iter().map(|tier| &tier.sojourns));
        pour(&mut counted.first_byte, self.actions.iter().map(|action| &action.first_byte));
        let complete = self.actions.iter().map(|of| if of.body { &of.complete } else { &of.first_byte });
        pour(&mut counted.complete, complete);
        pour(counted.first_byte_slots.iter_mut().flatten(), &self.first_byte_slots);
        counted.before.clone_from(&self.before);
        counted.beside = self.beside.counted();
        counted.simulated_requests = self.simulated_requests;
        counted.simulated_customers = self.simulated_customers;
        counted
    }
}

/// Hands histograms over, in their order.
fn pour<'a, const BITS: u32>(
    into: impl IntoIterator<Item = &'a mut Latencies>,
    from: impl IntoIterator<Item = &'a Times<BITS>>,
) {
    into.into_iter().zip(from).for_each(|(latencies, times)| times.pour_into(latencies));
}
