//! Links: the bodies of answers take time, and those under way at once share it equally, as flows of TCP do.
//!
//! Why bodies are apart from answers: the first bytes of a body are there long before the last ones. Who passes on what
//! it gets (to a user, or a cache that was asked for the same object) goes on with the first byte, and the request is
//! complete when the last byte of every body on its way has come. Who makes something else of it needs all of it first.
//!
//! A user's own access bounds what one flow gets; what it cannot use is left to the others (max-min fairness). There is
//! one such bound in a scenario, so that two kinds of flows are enough, each in a virtual time of its own.

use plimsoll_scenarios::TierId;

use super::beside::Sent;
use super::frame::{Frame, NONE, Role};
use super::machine::Machine;
use super::program::{Body, Site};
use super::queue::{Due, Kind};
use super::sharing::Shared;

/// One link, and the bodies on it.
#[derive(Debug, Clone)]
pub struct Link {
    pub tier: TierId,
    pub place: u16,
    pub bits_per_s: f64,
    /// Bodies on their way to users, and to other tiers.
    users: Shared,
    tiers: Shared,
    /// When the next of them is through, and whether it goes to a user; what is due at another time is out of date.
    due: (f64, bool),
}

impl Link {
    pub fn new(tier: TierId, place: u16, bits_per_s: f64) -> Self {
        Self {
            tier,
            place,
            bits_per_s,
            users: Shared::default(),
            tiers: Shared::default(),
            due: (f64::NAN, false),
        }
    }

    /// What one flow to a user and one to a tier get, bits per second, of a link that is `cut` to a share of itself.
    fn paces(&self, cut: f64, bound: f64) -> (f64, f64) {
        let whole = self.bits_per_s * cut;
        let (users, tiers) = (self.users.len() as f64, self.tiers.len() as f64);
        let fair = whole / (users + tiers).max(1.0);
        if users == 0.0 || fair <= bound {
            return (fair, fair);
        }
        (bound, (whole - users * bound) / tiers.max(1.0))
    }

    fn advance(&mut self, now: f64, cut: f64, bound: f64) {
        let (user, tier) = self.paces(cut, bound);
        self.users.advance(now, user);
        self.tiers.advance(now, tier);
    }

    /// When the next body is through, and whether it goes to a user.
    fn next(&self, now: f64, cut: f64, bound: f64) -> Option<(f64, bool)> {
        let (user, tier) = self.paces(cut, bound);
        match (self.users.first_s(now, user), self.tiers.first_s(now, tier)) {
            (Some(a), Some(b)) => Some(if a <= b { (a, true) } else { (b, false) }),
            (Some(a), None) => Some((a, true)),
            (None, b) => b.map(|b| (b, false)),
        }
    }
}

/// The bodies on their way of one request, by the position of its frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bodies {
    /// Which of the requests that have had this position.
    epoch: u32,
    under_way: u32,
    /// When the last byte so far gets there.
    last_s: f64,
    /// When its first byte was there, if that is so already.
    first_s: Option<f64>,
}

impl Machine<'_> {
    /// A tier with a link has an answer with a body; `true` where its caller waits for all of it.
    #[cold]
    pub(super) fn send_body(&mut self, at: u32, site: &Site) -> bool {
        let call = self.frames[at];
        if call.failed || self.is_overfull() {
            return false;
        }
        let Some(link) = self.link_of(at, site.tier) else { return false };
        let mut flow = call.of(Role::Flow, call.code);
        flow.since = self.now;
        let whole = site.arrives == Body::Whole;
        if whole {
            flow.holding = true;
            flow.parent = at;
        } else if let Some((request, way_s)) = self.request_of(at) {
            let wanted = request as usize + 1;
            if self.bodies.len() < wanted {
                self.bodies.resize(wanted, Bodies::default());
            }
            let bodies = &mut self.bodies[request as usize];
            bodies.under_way += 1;
            (flow.parent, flow.parent_turn, flow.began) = (request, bodies.epoch, way_s);
        }
        let flow = self.frames.open(flow);
        self.advance_link(link);
        let here = &mut self.links[link as usize];
        let kind = if site.arrives == Body::ToUser { &mut here.users } else { &mut here.tiers };
        kind.join(site.response_bits, flow);
        self.next_on_link(link);
        whole
    }

    /// The link that an answer leaves by.
    fn link_of(&self, at: u32, tier: TierId) -> Option<u32> {
        let play = &self.tiers[tier];
        let server = self.frames[at].server;
        let which = if play.station.is_some() && server != NONE {
            server - play.first_server
        } else {
            self.instance(at, tier) as u32
        };
        play.first_link.map(|first| first + which)
    }

    /// The request that an answer is a part of, if somebody still waits for it, and the time from here to its user.
    fn request_of(&self, at: u32) -> Option<(u32, f64)> {
        let (mut here, mut way_s) = (at, 0.0);
        loop {
            let frame = &self.frames[here];
            if frame.role == Role::Call {
                way_s += self.site(here).half_trip(frame.region);
            }
            if frame.parent == NONE {
                return matches!(frame.role, Role::Root | Role::Call).then_some((here, way_s));
            }
            if self.frames[frame.parent].turn != frame.parent_turn {
                return None;
            }
            here = frame.parent;
        }
    }

    fn advance_link(&mut self, link: u32) {
        let here = &mut self.links[link as usize];
        here.advance(self.now, self.tiers[here.tier].cut, self.setup.downlink);
    }

    fn next_on_link(&mut self, link: u32) {
        let here = &mut self.links[link as usize];
        let next = here.next(self.now, self.tiers[here.tier].cut, self.setup.downlink);
        here.due = next.unwrap_or((f64::NAN, false));
        if let Some((at, _)) = next {
            self.queue.push(at, Due::new(Kind::Sent, link));
        }
    }

    /// The next body on a link is through, unless that has changed.
    pub(super) fn sent(&mut self, link: u32) {
        let (cut, bound) = (self.tiers[self.links[link as usize].tier].cut, self.setup.downlink);
        let here = &mut self.links[link as usize];
        let (due_s, to_user) = here.due;
        if due_s.to_bits() != self.now.to_bits() {
            return;
        }
        here.advance(self.now, cut, bound);
        let kind = if to_user { &mut here.users } else { &mut here.tiers };
        let flow = kind.pop();
        self.next_on_link(link);
        if let Some(flow) = flow {
            self.arrived(flow, link);
        }
    }

    /// The last byte of a body has left its tier.
    fn arrived(&mut self, at: u32, link: u32) {
        let flow = self.frames[at];
        let Frame { parent, parent_turn, began: way_s, .. } = flow;
        let (site, now) = (self.site(at), self.now);
        let here = &self.links[link as usize];
        let sent = Sent { bits: site.response_bits, time_s: now - flow.since };
        let slot = self.tally.slot();
        self.tally.beside.sent((here.tier, here.place, slot), sent);
        self.frames.close(at);
        if flow.holding {
            self.after(site.half_trip(flow.region), Kind::Deliver, parent);
            return;
        }
        let Some(bodies) = self.bodies.get_mut(parent as usize).filter(|b| b.epoch == parent_turn) else {
            return;
        };
        bodies.under_way -= 1;
        bodies.last_s = bodies.last_s.max(now + way_s);
        if let (0, Some(first_s)) = (bodies.under_way, bodies.first_s) {
            self.complete_with_bodies(parent, first_s);
        }
    }

    /// A request has its first byte, or has failed: `true` where bodies of it are still on their way.
    #[cold]
    pub(super) fn awaits_bodies(&mut self, at: u32) -> bool {
        let failed = self.frames[at].failed;
        let Some(bodies) = self.bodies.get_mut(at as usize) else { return false };
        bodies.first_s = Some(self.now);
        !failed && bodies.under_way > 0
    }

    /// When the last byte of a request was there, or will be; what it had on its way is nobody's from now on.
    #[cold]
    pub(super) fn last_byte_s(&mut self, at: u32) -> f64 {
        let Some(bodies) = self.bodies.get_mut(at as usize) else { return 0.0 };
        let last_s = bodies.last_s;
        *bodies = Bodies { epoch: bodies.epoch.wrapping_add(1), ..Bodies::default() };
        last_s
    }

    /// A server has crashed: what was on its way over its link does not get there, and who asked for it knows that now.
    pub(super) fn break_link(&mut self, tier: TierId, server: u32) {
        let play = &self.tiers[tier];
        let Some(link) = play.first_link.map(|first| first + (server - play.first_server)) else { return };
        self.advance_link(link);
        let here = &mut self.links[link as usize];
        let lost: Vec<u32> = here.users.clear().chain(here.tiers.clear()).collect();
        here.due = (f64::NAN, false);
        for at in lost {
            let Frame { parent, parent_turn, holding, region, .. } = self.frames[at];
            let back_s = self.site(at).half_trip(region);
            self.frames.close(at);
            if holding {
                self.frames[parent].failed = true;
                self.after(back_s, Kind::Deliver, parent);
                continue;
            }
            let of_it = self.bodies.get(parent as usize).filter(|bodies| bodies.epoch == parent_turn);
            if let Some(bodies) = of_it {
                self.frames[parent].failed = true;
                if let Some(first_s) = bodies.first_s {
                    self.complete_with_bodies(parent, first_s);
                }
            }
        }
    }

    /// The links of a tier carry so many times as much from now on.
    pub(super) fn cut_links(&mut self, tier: TierId, factor: f64) {
        let of_tier = |link: &Link| link.tier == tier;
        let Some(first) = self.links.iter().position(of_tier) else { return };
        let links =
            first as u32..(first + self.links[first..].iter().take_while(|l| of_tier(l)).count()) as u32;
        links.clone().for_each(|link| self.advance_link(link));
        self.tiers[tier].cut *= factor;
        links.for_each(|link| self.next_on_link(link));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_cannot_use_is_left_to_tiers() {
        let with = |users: u32, tiers: u32| {
            let mut link = Link::new(0, 0, 100.0);
            (0..users).for_each(|at| link.users.join(1.0, at));
            (0..tiers).for_each(|at| link.tiers.join(1.0, 100 + at));
            link.paces(0.5, 10.0)
        };
        // Of 50 left of 100: two users take 10 each, the two tiers 15; six of whom all get less than 10.
        assert_eq!(with(2, 2), (10.0, 15.0));
        assert_eq!(with(4, 6), (5.0, 5.0));
        assert_eq!(with(0, 2).1, 25.0);
        assert_eq!(with(3, 0).0, 10.0);
    }
}
