//! How a user's request begins, and how it ends.
//!
//! Why two ways in: most requests of most systems are one call of one tier, whose frame can stand for the request as well.

use plimsoll_scenarios::trace::Request;

use super::frame::{Frame, NONE, Role};
use super::machine::{Machine, NextDoor};
use super::tiers;

impl Machine<'_> {
    /// A user's request.
    #[inline]
    pub(super) fn begin(&mut self, request: &Request) {
        let setup = self.setup;
        let lead = &setup.leads[request.action];
        let slot = self.tally.slot();
        let (action, region) = (request.action as u16, request.region as u16);
        let object = lead.objects.map_or(NONE, |(first, last)| first + (request.object as u32).min(last));
        self.tally.begin(action, region);
        let born = self.now;
        let root = Frame::new(Role::Root, request.action as u32);
        let of = Frame { born, object, site: request.site, region, action, slot, ..root };
        if let Some(door) = &lead.next_door {
            self.begin_next_door(of, door);
        } else if let Some(site) = lead.only {
            self.roots += 1;
            let call = &setup.program.sites[site as usize];
            let object = self.asked_for(object, call);
            let (step, role) = (call.body.from, Role::Call);
            let at = self.frames.open(Frame { object, step, code: site, role, ..of });
            self.depart(at, call.half_trip(region));
        } else {
            self.begin_other(request.local, of);
        }
    }

    /// A request whose only call is at its servers already: what a call goes through otherwise, in one step. The call is
    /// counted with the request.
    #[inline]
    fn begin_next_door(&mut self, of: Frame, door: &NextDoor) {
        self.roots += 1;
        let object = if door.for_object { of.object } else { NONE };
        let of_tier = tiers::instance(door.scope, of.site, of.region);
        let since = self.now;
        let at = self.frames.open(Frame {
            object,
            since,
            step: door.step,
            code: door.site,
            role: Role::Call,
            whole: door.whole,
            ..of
        });
        if self.is_overfull() {
            self.refuse(at);
        } else {
            self.queue_up(at, door.tier, of_tier, door.pulled);
        }
    }

    /// A request of more than one plain call, which has a frame of its own.
    #[inline(never)]
    fn begin_other(&mut self, local: bool, mut frame: Frame) {
        let setup = self.setup;
        let root = &setup.program.roots[frame.code as usize];
        frame.step = root.request.from;
        if !local && setup.leads[frame.code as usize].lasts.is_some() && !self.opens(&frame) {
            self.tally.left((frame.action, frame.region, frame.slot), frame.born, None);
            return;
        }
        for &branch in &root.messages {
            self.send_off(&frame, branch);
        }
        for &call in &root.device {
            self.tally.call(call, frame.region, frame.slot);
            if local {
                self.tally.hit(call, frame.region, frame.slot);
                return;
            }
        }
        if local {
            return;
        }
        self.roots += 1;
        if let Some(lasts) = setup.leads[frame.code as usize].lasts {
            self.connect(&frame, lasts);
        }
        let at = self.frames.open(frame);
        if self.run_part(at) {
            self.left(at);
        }
    }

    /// A request has its answer, or will have none.
    #[inline]
    pub(super) fn left(&mut self, at: u32) {
        if self.bodies.is_empty() {
            self.complete(at, self.now, 0.0);
        } else if !self.awaits_bodies(at) {
            self.complete_with_bodies(at, self.now);
        }
    }

    /// A request has all that it gets, the last of it on links.
    pub(super) fn complete_with_bodies(&mut self, at: u32, first_s: f64) {
        let last_s = self.last_byte_s(at);
        self.complete(at, first_s, last_s);
    }

    /// A request has all that it gets; its first byte was there at `first_s`, the last from a link at `last_s`.
    #[inline]
    fn complete(&mut self, at: u32, first_s: f64, last_s: f64) {
        self.roots -= 1;
        let frame = &self.frames[at];
        let took = (!frame.failed).then(|| {
            let first_byte = first_s - frame.born;
            let complete = first_byte + self.setup.access_s[frame.action as usize];
            (first_byte, complete.max(last_s - frame.born))
        });
        self.tally.left((frame.action, frame.region, frame.slot), frame.born, took);
        self.frames.close(at);
    }
}
