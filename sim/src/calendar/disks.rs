//! Disks: what a service reads or writes goes through the disks of its server, one operation after the other.
//!
//! Why only the wait counts: an operation's own time is a part of the service time, as measured; what comes on top at a
//! load is the operations before. All take the same time and none is given up, so that when the disks are free says it
//! all (Lindley 1952), without an event for each.
//!
//! Of a cache in memory and on disk the service is what a hit in memory takes. A hit on disk comes after it, with the time
//! of its operations; what was fetched is written while nobody waits for that.

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
        self.site(at).disk.is_none_or(|disk| disk.of_cache || self.use_disks(at, disk))
    }

    /// A cache has an object on disk: whether who asks for it has it at once; if not, it waits for the disks and the read,
    /// or is turned away.
    pub(super) fn reads_at_once(&mut self, at: u32) -> bool {
        let Some(disk) = self.site(at).disk else { return true };
        if let Some(wait_s) = self.occupy(at, disk) {
            self.queue.push(self.now + wait_s + disk.busy_s, Due::new(Kind::Disk, at));
        } else {
            self.refuse(at);
        }
        false
    }

    /// Whether the disks have time to write what a call fetched; then they do.
    pub(super) fn writes(&mut self, at: u32) -> bool {
        let disk = self.site(at).disk;
        disk.is_none_or(|disk| self.occupy(at, disk).is_some())
    }

    /// Takes the disks of a call's server for its operations: how long they wait, or `None` where too many do already.
    fn occupy(&mut self, at: u32, disk: Disk) -> Option<f64> {
        let frame = &self.frames[at];
        let (server, slot) = (frame.server, self.tally.slot());
        let here = &self.servers[server as usize];
        let pool = &self.pools[here.pool as usize];
        let (tier, place, crashes) = (pool.tier, pool.place, here.crashes);
        let free_s = &mut self.disks[server as usize];
        let wait_s = (*free_s - self.now).max(0.0);
        if wait_s > disk.wait_max_s {
            self.tally.beside.turned_away_by_disks((tier, place, slot));
            return None;
        }
        *free_s = self.now + wait_s + disk.busy_s;
        self.tally.beside.used_disks((tier, place, slot), wait_s);
        self.frames[at].crashes = crashes;
        Some(wait_s)
    }

    #[cold]
    fn use_disks(&mut self, at: u32, disk: Disk) -> bool {
        let Some(wait_s) = self.occupy(at, disk) else {
            self.refuse(at);
            return false;
        };
        if wait_s > 0.0 {
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
        } else if self.site(at).disk.is_some_and(|disk| disk.of_cache) {
            if self.answer(at) {
                self.deliver(at);
            }
        } else {
            self.served(at);
        }
    }
}
