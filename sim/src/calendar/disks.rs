//! Disks: what a service reads or writes goes through the disks of its server, one operation after the other.
//!
//! Why only the wait counts: an operation's own time is a part of the service time, as measured; what comes on top at a
//! load is the operations before. All take the same time and none is given up, so that when the disks are free says it
//! all (Lindley 1952), without an event for each.

use super::frame::Role;
use super::machine::Machine;
use super::program::Disk;
use super::queue::{Due, Kind};

/// Operations that may wait for the disks of one server.
pub const DISK_QUEUE_MAX: u32 = 4096;

impl Machine<'_> {
    /// A service is done: whether it may go on at once; if not, it waits for disks, or is turned away.
    #[inline]
    pub(super) fn is_through(&mut self, at: u32) -> bool {
        self.site(at).disk.is_none_or(|disk| self.use_disks(at, disk))
    }

    #[cold]
    fn use_disks(&mut self, at: u32, disk: Disk) -> bool {
        let frame = &self.frames[at];
        let (server, slot) = (frame.server, self.tally.slot());
        let here = &self.servers[server as usize];
        let pool = &self.pools[here.pool as usize];
        let (tier, place, crashes) = (pool.tier, pool.place, here.crashes);
        let free_s = &mut self.disks[server as usize];
        let wait_s = (*free_s - self.now).max(0.0);
        if wait_s > disk.wait_max_s {
            self.tally.beside.turned_away_by_disks((tier, place, slot));
            self.refuse(at);
            return false;
        }
        *free_s = self.now + wait_s + disk.busy_s;
        self.tally.beside.used_disks((tier, place, slot), wait_s);
        if wait_s > 0.0 {
            self.frames[at].crashes = crashes;
            self.queue.push(self.now + wait_s, Due::new(Kind::Disk, at));
        }
        wait_s <= 0.0
    }

    /// The disks have come to what a service reads or writes.
    pub(super) fn disk_is_free(&mut self, at: u32) {
        if self.is_lost(at) {
            // Who holds a slot of a server that is lost lets go of it as it answers.
            self.refuse(at);
        } else if self.frames[at].role == Role::Copy {
            self.deliver(at);
        } else {
            self.served(at);
        }
    }
}
