//! Frames: what is under way, each a few dozen bytes, in one slab.
//!
//! Why frames and not tasks or closures: a request in flight is a handful of numbers. A frame says whom it tells
//! when it is done, and where in the compiled plan it stands. Whom it tells is a position and a *turn*: a caller
//! that has given up, or has all the answers it needs, has moved on to its next turn, and what comes too late
//! finds nobody. So nothing is ever searched for or taken out of the calendar.

/// No frame, no server, no list.
pub const NONE: u32 = u32::MAX;
/// The slot of what does not count.
pub const UNCOUNTED: u16 = u16::MAX;

/// What a frame does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A request of a user, or a message or heartbeat of theirs: `code` is its part of the plan.
    Root,
    /// A call of a tier: `code` is the call. Without a parent it is all that its request asks for.
    Call,
    /// One copy's share of a call.
    Copy,
    /// A branch of its parent: `code` is the branch.
    Strand,
    /// What a caller does about a call that may be slow or fail: `code` is the call.
    Client,
    /// An open connection: `code` is the action.
    Connection,
    /// A body on its way over a link: `code` is the call that it answers.
    Flow,
}

/// Something under way.
#[expect(clippy::struct_excessive_bools, reason = "marks of a record that there are millions of")]
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// When the request was made, seconds.
    pub born: f64,
    /// When it arrived where it is, seconds.
    pub since: f64,
    /// When its service began.
    pub began: f64,
    /// Who is told, and in which of their turns.
    pub parent: u32,
    pub parent_turn: u32,
    /// What it waits for now; answers to an earlier turn come too late.
    pub turn: u32,
    pub code: u32,
    /// Next step of its part of the plan; of a client the attempts made.
    pub step: u32,
    /// Answers still needed, and failures that may still be.
    pub needed: u32,
    pub spare: u32,
    /// Times that the step is still to be made.
    pub again: u32,
    /// Neighbour in a list.
    pub next: u32,
    pub server: u32,
    /// Object asked for, by dense id.
    pub object: u32,
    pub site: u32,
    pub region: u16,
    pub action: u16,
    /// Slot of the results in which the request was made.
    pub slot: u16,
    /// Times that its server had crashed.
    pub crashes: u16,
    pub role: Role,
    /// It is all of a request, which is through when its service ends.
    pub whole: bool,
    pub failed: bool,
    /// Its cache fetches for others too.
    pub fetching: bool,
    /// It holds its slot until it answers.
    pub holding: bool,
    /// It is the one that works on its object, where there is a single writer.
    pub keyed: bool,
}

impl Frame {
    pub const fn new(role: Role, code: u32) -> Self {
        Self {
            born: 0.0,
            since: 0.0,
            began: 0.0,
            parent: NONE,
            parent_turn: 0,
            turn: 0,
            code,
            step: 0,
            needed: 0,
            spare: 0,
            again: 0,
            next: NONE,
            server: NONE,
            object: NONE,
            site: 0,
            region: 0,
            action: 0,
            slot: UNCOUNTED,
            crashes: 0,
            role,
            whole: false,
            failed: false,
            fetching: false,
            holding: false,
            keyed: false,
        }
    }

    /// A frame that belongs to the same request.
    pub const fn of(&self, role: Role, code: u32) -> Self {
        Self {
            born: self.born,
            object: self.object,
            site: self.site,
            region: self.region,
            action: self.action,
            slot: self.slot,
            ..Self::new(role, code)
        }
    }
}

/// All frames. Positions are used again, turns are not.
#[derive(Debug, Default)]
pub struct Frames {
    all: Vec<Frame>,
    free: Vec<u32>,
    pub opened: u64,
    pub closed: u64,
}

impl Frames {
    #[inline]
    pub fn open(&mut self, frame: Frame) -> u32 {
        self.opened += 1;
        if let Some(at) = self.free.pop() {
            let turn = self.all[at as usize].turn;
            self.all[at as usize] = Frame { turn, ..frame };
            return at;
        }
        self.all.push(frame);
        (self.all.len() - 1) as u32
    }

    #[inline]
    pub fn close(&mut self, at: u32) {
        self.closed += 1;
        let frame = &mut self.all[at as usize];
        frame.turn = frame.turn.wrapping_add(1);
        self.free.push(at);
    }

    /// Frames under way.
    pub const fn under_way(&self) -> u64 {
        self.opened - self.closed
    }
}

impl std::ops::Index<u32> for Frames {
    type Output = Frame;
    #[inline]
    fn index(&self, at: u32) -> &Frame {
        &self.all[at as usize]
    }
}

impl std::ops::IndexMut<u32> for Frames {
    #[inline]
    fn index_mut(&mut self, at: u32) -> &mut Frame {
        &mut self.all[at as usize]
    }
}

/// A first-come-first-served list of frames, linked through them.
#[derive(Debug, Clone, Copy)]
pub struct List {
    head: u32,
    /// The last, of a list that has any.
    tail: u32,
    pub len: u32,
}

impl List {
    pub const EMPTY: Self = Self { head: NONE, tail: NONE, len: 0 };

    #[inline]
    pub fn push(&mut self, frames: &mut Frames, at: u32) {
        // Written wherever it stands: whether somebody waits already is what nobody can guess.
        let (head, last) = if self.head == NONE { (at, at) } else { (self.head, self.tail) };
        frames[last].next = at;
        frames[at].next = NONE;
        (self.head, self.tail) = (head, at);
        self.len += 1;
    }

    #[inline]
    pub fn pop(&mut self, frames: &Frames) -> Option<u32> {
        let at = self.head;
        if at == NONE {
            return None;
        }
        self.head = frames[at].next;
        self.len -= 1;
        Some(at)
    }

    #[inline]
    pub const fn first(&self) -> Option<u32> {
        if self.head == NONE { None } else { Some(self.head) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_used_again_is_another_turn() {
        let mut frames = Frames::default();
        let first = frames.open(Frame::new(Role::Root, 0));
        let turn = frames[first].turn;
        frames.close(first);
        let second = frames.open(Frame::new(Role::Root, 1));
        assert_eq!(first, second);
        assert_ne!(frames[second].turn, turn);
        assert_eq!(frames.under_way(), 1);
    }

    #[test]
    fn a_list_is_first_come_first_served() {
        let mut frames = Frames::default();
        let mut list = List::EMPTY;
        let all: Vec<u32> = (0..5).map(|i| frames.open(Frame::new(Role::Call, i))).collect();
        for &at in &all {
            list.push(&mut frames, at);
        }
        assert_eq!((list.len, list.first()), (5, Some(all[0])));
        let out: Vec<u32> = std::iter::from_fn(|| list.pop(&frames)).collect();
        assert_eq!(out, all);
        list.push(&mut frames, all[3]);
        assert_eq!((list.pop(&frames), list.pop(&frames)), (Some(all[3]), None));
    }
}
