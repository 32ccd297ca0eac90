//! The way back: a tier answers, the answer reaches who waits for it, and theirs who waits for them.

use super::frame::{Frame, NONE, Role};
use super::machine::{COPIES, Machine};
use super::queue::{Due, Kind};

/// What an answer means to who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// It came too late, or more answers are needed.
    Waits,
    /// The step is done.
    GoesOn,
    /// The step, and with it the frame, has failed.
    Fails,
}

impl Machine<'_> {
    /// A call is turned away: its caller hears of it, a half trip later.
    pub(super) fn refuse(&mut self, at: u32) {
        self.frames[at].failed = true;
        let kind = if self.frames[at].role == Role::Copy { Kind::Deliver } else { Kind::Answer };
        self.soon.push_back(Due::new(kind, at));
    }

    /// A tier answers a call; `true` where the caller has the answer at once.
    pub(super) fn answer(&mut self, at: u32) -> bool {
        let site = self.site(at);
        if self.frames[at].fetching {
            self.fetched(at, site.tier);
        }
        if self.frames[at].holding {
            self.let_go(at, site.tier);
        }
        if site.sends && self.send_body(at, site) {
            return false;
        }
        let delay = site.half_trip(self.frames[at].region);
        if delay > 0.0 {
            self.queue.push(self.now + delay, Due::new(Kind::Deliver, at));
        }
        delay <= 0.0
    }

    /// An answer reaches who waits for it, and theirs who waits for them, as far as that goes at once.
    #[inline]
    pub(super) fn deliver(&mut self, at: u32) {
        let frame = &self.frames[at];
        if frame.parent == NONE && frame.role == Role::Call {
            self.left(at);
        } else {
            self.deliver_up(at);
        }
    }

    #[inline(never)]
    fn deliver_up(&mut self, first: u32) {
        let mut at = first;
        loop {
            let Frame { parent, parent_turn, failed, role, .. } = self.frames[at];
            if parent == NONE && role == Role::Call {
                self.left(at);
                return;
            }
            self.frames.close(at);
            if parent == NONE || self.frames[parent].turn != parent_turn {
                return;
            }
            let told = if self.frames[parent].role == Role::Client {
                self.told_client(parent, failed)
            } else {
                self.told(parent, failed)
            };
            let role = self.frames[parent].role;
            match (told, role) {
                (Told::Waits, _) => return,
                (_, Role::Client) => {}
                (Told::GoesOn, Role::Call) if self.frames[parent].step == COPIES => {
                    let site = self.site(parent);
                    self.frames[parent].step = site.body.from;
                    if site.lags && site.write {
                        self.written(parent, site);
                    }
                    self.served(parent);
                    return;
                }
                (Told::GoesOn, _) if !self.run_part(parent) => return,
                (_, Role::Call) if !self.answer(parent) => return,
                (_, Role::Root) => {
                    self.left(parent);
                    return;
                }
                _ => {}
            }
            at = parent;
        }
    }

    fn told(&mut self, at: u32, failed: bool) -> Told {
        let frame = &mut self.frames[at];
        if !failed {
            frame.needed -= 1;
            if frame.needed > 0 {
                return Told::Waits;
            }
            frame.turn = frame.turn.wrapping_add(1);
            return Told::GoesOn;
        }
        if frame.spare > 0 {
            frame.spare -= 1;
            return Told::Waits;
        }
        frame.turn = frame.turn.wrapping_add(1);
        frame.failed = true;
        Told::Fails
    }
}
