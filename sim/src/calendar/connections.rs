//! Connections that stay open and send heartbeats.

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{EventKind, Scenario};

use super::frame::{Frame, NONE, Role};
use super::machine::Machine;
use super::queue::{Due, Kind};
use crate::model;

impl Machine<'_> {
    /// A connection opens; it sends heartbeats until it closes.
    pub(super) fn connect(&mut self, request: &Frame, lasts: f64) {
        let setup = self.setup;
        let Some(beat) = self.heartbeat(request.action) else { return };
        if setup.program.roots[request.action as usize].beat.is_none() {
            return;
        }
        let mut frame = request.of(Role::Connection, u32::from(request.action));
        // When it closes; a run does not wait for it.
        frame.since = (self.now + lasts).min(self.end_s);
        if self.now + beat < frame.since {
            let at = self.frames.open(frame);
            self.queue.push(self.now + beat, Due::new(Kind::Beat, at));
        }
    }

    /// Opens the connections that were opened before the run begins and that have a heartbeat left in it. Their first
    /// ones come as a Poisson process: who has one a while from now opened a number of intervals ago.
    pub(super) fn open_standing(&mut self, (seed, replication): (u64, u64)) {
        let scenario = self.setup.scenario;
        let mut draws = Stream::new(seed, "calendar", "standing connections", replication);
        for (id, action) in scenario.actions.values().enumerate() {
            let (Some(lasts), Some(every)) = (self.setup.leads[id].lasts, self.heartbeat(id as u16)) else {
                continue;
            };
            if self.setup.program.roots[id].beat.is_none() || every <= 0.0 {
                continue;
            }
            // An interval back and one more each: so many ages have their next heartbeat at the same time.
            let ages = (lasts / every).floor() + 1.0;
            for region in 0..scenario.population.regions.len() {
                let opened = model::rate(scenario, action, region, self.now - lasts, self.now);
                let mut next = 0.0;
                loop {
                    next += draws.exponential() / (opened * ages);
                    if next >= every.min(self.end_s - self.now) {
                        break;
                    }
                    let here = (((lasts - (every - next)) / every).floor() + 1.0).max(0.0);
                    let age = (draws.uniform() * ages).floor();
                    if age < here {
                        let closes = self.now + lasts - (every - next) - age * every;
                        let region = standing_in(scenario, region, self.now, &mut draws);
                        self.open_one((id, region), next, closes, &mut draws);
                    }
                }
            }
        }
    }

    fn open_one(&mut self, (action, region): (usize, usize), next: f64, closes: f64, draws: &mut Stream) {
        let regions = &self.setup.scenario.population.regions;
        let before: u32 = regions[..region].iter().map(|r| r.sites).sum();
        let mut frame = Frame::new(Role::Connection, action as u32);
        (frame.born, frame.since) = (self.now, closes.min(self.end_s));
        (frame.action, frame.region) = (action as u16, region as u16);
        frame.site = before + draws.below(u64::from(regions[region].sites.max(1))) as u32;
        if self.now + next < frame.since {
            let at = self.frames.open(frame);
            self.queue.push(self.now + next, Due::new(Kind::Beat, at));
        }
    }

    fn heartbeat(&self, action: u16) -> Option<f64> {
        let connection = self.setup.scenario.actions[action as usize].connection.as_ref()?;
        connection.heartbeat.as_ref().map(|beat| beat.every.get())
    }

    pub(super) fn beat(&mut self, at: u32) {
        let mut frame = self.frames[at];
        let (Some(every), Some(branch)) =
            (self.heartbeat(frame.action), self.setup.program.roots[frame.action as usize].beat)
        else {
            self.frames.close(at);
            return;
        };
        let closes = frame.since;
        frame.slot = self.tally.slot();
        frame.object = NONE;
        self.send_off(&frame, branch);
        if self.now + every < closes {
            self.queue.push(self.now + every, Due::new(Kind::Beat, at));
        } else {
            self.frames.close(at);
        }
    }
}

/// Where those of a region are: of one that is lost already, in the others by their shares.
fn standing_in(scenario: &Scenario, region: usize, now: f64, draws: &mut Stream) -> usize {
    let lost = |of: usize| {
        let lost = |e: &plimsoll_scenarios::Event| matches!(e.kind, EventKind::RegionDown { region } if region == of);
        scenario.events.iter().any(|event| event.at_s <= now && lost(event))
    };
    if !lost(region) {
        return region;
    }
    let left: Vec<usize> = (0..scenario.population.regions.len()).filter(|&r| !lost(r)).collect();
    let share = |r: usize| scenario.population.regions[r].share;
    let mut rest = draws.uniform() * left.iter().map(|&r| share(r)).sum::<f64>();
    let found = left.iter().copied().find(|&r| {
        rest -= share(r);
        rest < 0.0
    });
    found.or(left.last().copied()).unwrap_or(region)
}
