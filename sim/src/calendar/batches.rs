//! Stations that serve many requests in the time of one: a batch begins when it is full or has waited long enough.

use plimsoll_scenarios::TierId;

use super::frame::NONE;
use super::machine::Machine;
use super::queue::{Due, Kind};
use super::tiers::StationPlay;

impl Machine<'_> {
    /// Begins batches that are full or have waited long enough; else says when the next will have.
    pub(super) fn gather(&mut self, tier: TierId, server: u32) {
        let Some(&StationPlay { concurrency, batch: Some((size, wait)), .. }) =
            self.tiers[tier].station.as_ref()
        else {
            return;
        };
        loop {
            let here = &mut self.servers[server as usize];
            let Some(first) = here.queue.first().filter(|_| here.busy < concurrency) else { return };
            let ripe_s = self.frames[first].since + wait;
            if here.queue.len < size && self.now < ripe_s {
                if here.due_s.to_bits() != ripe_s.to_bits() {
                    here.due_s = ripe_s;
                    self.queue.push(ripe_s, Due::new(Kind::Gather, server));
                }
                return;
            }
            self.start_batch(tier, server, size);
        }
    }

    fn start_batch(&mut self, tier: TierId, server: u32, size: u32) {
        let Some(head) = self.servers[server as usize].queue.pop(&self.frames) else { return };
        self.start(head, tier, server);
        let (crashes, place) = {
            let here = &self.servers[server as usize];
            (here.crashes, self.pools[here.pool as usize].place)
        };
        let mut last = head;
        for _ in 1..size {
            let Some(next) = self.servers[server as usize].queue.pop(&self.frames) else { break };
            let frame = &mut self.frames[next];
            (frame.began, frame.crashes) = (self.now, crashes);
            let wait = self.now - frame.since;
            self.tally.start(tier, place, wait, 0.0);
            self.frames[last].next = next;
            last = next;
        }
        self.frames[last].next = NONE;
    }

    pub(super) fn finish_batch(&mut self, head: u32, tier: TierId) {
        let (server, lost) = (self.frames[head].server, self.is_lost(head));
        let mut at = head;
        while at != NONE {
            let next = self.frames[at].next;
            self.leave(at, tier);
            if lost {
                self.refuse(at);
            } else if self.is_through(at) {
                self.soon.push_back(Due::new(Kind::Served, at));
            }
            at = next;
        }
        if !lost {
            self.free_slot(tier, server);
        }
    }

    /// A batch may have waited long enough.
    pub(super) fn gathered(&mut self, server: u32) {
        let here = &mut self.servers[server as usize];
        if here.due_s.to_bits() == self.now.to_bits() {
            here.due_s = f64::NAN;
            let tier = self.pools[here.pool as usize].tier;
            self.gather(tier, server);
        }
    }
}
