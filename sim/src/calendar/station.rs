//! Stations on the calendar: who gets in, who is served next, and when a slot is free again.
//!
//! Why the whole of it hangs on a server and not on a tier: queues stand before servers, crashes and deploys take
//! servers away, and a slot held by a waiting thread is a slot of one server.

use plimsoll_scenarios::{Discipline, TierId};

use super::frame::{List, NONE, Role};
use super::machine::Machine;
use super::queue::{Due, Kind};

impl Machine<'_> {
    /// A call reaches the servers of its tier, a simple one, whole: what [`Self::queue_up_other`] does, in fewer steps.
    #[inline]
    pub(super) fn queue_up(&mut self, at: u32, tier: TierId, instance: usize, pulled: bool) {
        let pool = self.tiers[tier].first_pool + instance as u32;
        let here = &self.pools[pool as usize];
        let only = here.servers == 1 && here.away == 0;
        let server = if only { Some(here.first) } else { self.choose(at, tier, pool) };
        self.join(at, (tier, pool), server, pulled);
    }

    /// A call, or a copy's share of one, reaches the servers of its tier.
    pub(super) fn queue_up_other(&mut self, at: u32, copy: u32) {
        let site = self.site(at);
        let tier = site.tier;
        let pool = self.tiers[tier].first_pool + self.instance(at, tier) as u32;
        let server = self.server_for(at, tier, pool, copy);
        if self.tiers[tier].simple {
            self.join(at, (tier, pool), server, site.pulled);
            return;
        }
        let place = self.pools[pool as usize].place;
        if let Some(sums) = self.tally.station(tier, place) {
            sums.arrivals += 1;
        }
        let Some(server) = server.filter(|&s| self.servers[s as usize].health.works()) else {
            self.turn_away(at, tier, place);
            return;
        };
        self.frames[at].server = server;
        if self.tiers[tier].station.as_ref().is_some_and(|s| s.single_writer)
            && !self.take_key(at, tier, pool)
        {
            return;
        }
        self.admit(at, tier, server);
    }

    /// What [`Self::admit`] and [`Self::enter`] do, where the station is simple. Services are drawn when their customers
    /// are let in, so that they are the same whatever the balancer does, and the same as those of the recursion.
    #[inline]
    fn join(&mut self, at: u32, (tier, pool): (TierId, u32), server: Option<u32>, pulled: bool) {
        let now = self.now;
        let pool = &mut self.pools[pool as usize];
        let place = pool.place;
        pool.lately.arrivals += 1;
        let play = &mut self.tiers[tier];
        let (Some(station), Some(server)) = (&mut play.station, server) else {
            self.turn_away(at, tier, place);
            return;
        };
        let here = &mut self.servers[server as usize];
        let free = here.busy < station.concurrency;
        let room = free || here.queue.len < station.queue_max || pulled;
        if !(room && here.health.works()) {
            self.turn_away(at, tier, place);
            return;
        }
        self.tally.enter(tier, now);
        let drawn = station.services.next();
        let frame = &mut self.frames[at];
        frame.server = server;
        if !free {
            frame.began = drawn;
            here.queue.push(&mut self.frames, at);
            return;
        }
        let duration = drawn * play.slower;
        here.busy += 1;
        (frame.began, frame.crashes) = (now, here.crashes);
        pool.work_s += duration;
        pool.lately.started += 1;
        pool.lately.at_once += 1;
        pool.lately.work_s += duration;
        self.queue.push(now + duration, Due::new(Kind::Finish, at));
    }

    fn server_for(&mut self, at: u32, tier: TierId, pool: u32, copy: u32) -> Option<u32> {
        let parent = self.frames[at].parent;
        if self.frames[at].role == Role::Copy && copy > 0 {
            // Copies lie on neighbours.
            let pool = &self.pools[pool as usize];
            let first = self.frames[parent].server;
            return (first != NONE).then(|| pool.first + (first - pool.first + copy) % pool.servers);
        }
        let chosen = self.choose(at, tier, pool);
        if self.frames[at].role == Role::Copy {
            self.frames[parent].server = chosen.unwrap_or(NONE);
        }
        chosen
    }

    #[cold]
    fn turn_away(&mut self, at: u32, tier: TierId, place: u16) {
        if let Some(sums) = self.tally.station(tier, place) {
            sums.rejected += 1;
        }
        self.refuse(at);
    }

    /// Whether a request is the one to work on its object; if not, it waits until it is.
    fn take_key(&mut self, at: u32, tier: TierId, pool: u32) -> bool {
        let object = self.frames[at].object;
        let key = self.key(object);
        let Some(station) = self.tiers[tier].station.as_mut().filter(|_| object != NONE) else { return true };
        let key = u64::from(pool) << 32 | u64::from(key);
        let queue_max = station.queue_max;
        let Some(waiting) = station.keys.get_mut(&key) else {
            station.keys.insert(key, List::EMPTY);
            self.frames[at].keyed = true;
            return true;
        };
        if waiting.len < queue_max {
            waiting.push(&mut self.frames, at);
            self.tally.enter(tier, self.now);
            return false;
        }
        let place = self.pools[pool as usize].place;
        self.turn_away(at, tier, place);
        false
    }

    /// The next request may work on the object.
    fn give_key(&mut self, at: u32, tier: TierId) {
        if !self.frames[at].keyed {
            return;
        }
        self.frames[at].keyed = false;
        let frame = &self.frames[at];
        let pool = self.servers[frame.server as usize].pool;
        let key = u64::from(pool) << 32 | u64::from(self.key(frame.object));
        let Some(station) = self.tiers[tier].station.as_mut() else { return };
        let Some(waiting) = station.keys.get_mut(&key) else { return };
        let mut lost = Vec::new();
        let next = loop {
            let Some(next) = waiting.pop(&self.frames) else {
                station.keys.remove(&key);
                break None;
            };
            if self.servers[self.frames[next].server as usize].health.works() {
                break Some(next);
            }
            lost.push(next);
        };
        for at in lost {
            self.tally.leave(tier, self.now, self.now - self.frames[at].since);
            self.refuse(at);
        }
        if let Some(next) = next {
            self.frames[next].keyed = true;
            self.enter(next, tier, self.frames[next].server);
        }
    }

    /// Lets a request in, or turns it away where the queue is full.
    fn admit(&mut self, at: u32, tier: TierId, server: u32) {
        let Some(station) = &self.tiers[tier].station else { return };
        let here = &self.servers[server as usize];
        let local = (server - self.tiers[tier].first_server) as usize;
        let (inside, room) = match station.discipline {
            Discipline::ProcessorSharing => {
                (station.shared[local].len() as u32, station.queue_max.saturating_add(station.concurrency))
            }
            Discipline::Priority => (station.levels[local].iter().map(|l| l.len).sum(), station.queue_max),
            Discipline::Fcfs => (here.queue.len, station.queue_max),
        };
        let free = here.busy < station.concurrency && inside == 0;
        let full = inside >= room && !(free && station.discipline != Discipline::ProcessorSharing);
        if full && !self.site(at).pulled {
            let place = self.pools[here.pool as usize].place;
            self.give_key(at, tier);
            self.turn_away(at, tier, place);
            return;
        }
        self.tally.enter(tier, self.now);
        self.enter(at, tier, server);
    }

    fn enter(&mut self, at: u32, tier: TierId, server: u32) {
        let Some(station) = &mut self.tiers[tier].station else { return };
        let here = &mut self.servers[server as usize];
        if station.discipline == Discipline::ProcessorSharing {
            self.share_in(at, tier, server);
        } else if station.batch.is_some() {
            here.queue.push(&mut self.frames, at);
            self.gather(tier, server);
        } else if here.busy < station.concurrency {
            self.start(at, tier, server);
        } else if station.discipline == Discipline::Priority {
            let local = (server - self.tiers[tier].first_server) as usize;
            let level = usize::from(self.setup.priorities[self.frames[at].action as usize]);
            let Some(station) = &mut self.tiers[tier].station else { return };
            station.levels[local][level].push(&mut self.frames, at);
        } else {
            here.queue.push(&mut self.frames, at);
        }
    }

    /// A service begins that is drawn now.
    pub(super) fn start(&mut self, at: u32, tier: TierId, server: u32) {
        let play = &mut self.tiers[tier];
        let Some(station) = &mut play.station else { return };
        let local = (server - play.first_server) as usize;
        let duration = station.services.next() * play.slower * station.slowness(local);
        let blocking = station.blocking;
        let kind = station.kinds.get(local).map(|kind| kind.kind);
        let here = &mut self.servers[server as usize];
        here.busy += 1;
        let frame = &mut self.frames[at];
        (frame.began, frame.crashes) = (self.now, here.crashes);
        let pool = &mut self.pools[here.pool as usize];
        pool.work_s += duration;
        let wait = self.now - frame.since;
        self.tally.start(tier, pool.place, wait, if blocking { 0.0 } else { duration });
        if let Some(kind) = kind {
            self.tally.beside.served((tier, kind, self.tally.slot()), duration);
        }
        self.queue.push(self.now + duration, Due::new(Kind::Finish, at));
    }

    /// A service ends, and the next begins.
    #[inline]
    pub(super) fn finish(&mut self, at: u32) {
        let frame = &self.frames[at];
        let site = &self.setup.program.sites[frame.code as usize];
        let (tier, now) = (site.tier, self.now);
        let play = &self.tiers[tier];
        if !play.simple {
            self.finish_other(at, tier);
            return;
        }
        let here = &mut self.servers[frame.server as usize];
        if here.crashes != frame.crashes {
            self.lose(at, tier);
            return;
        }
        let ends = site.ends && frame.role == Role::Call;
        let whole = frame.whole;
        if whole {
            let of = (frame.action, frame.region, frame.slot);
            self.tally.leave_whole(tier, of, now, now - frame.since);
        } else {
            self.tally.leave(tier, now, now - frame.since);
        }
        if let Some(next) = here.queue.pop(&self.frames) {
            let pool = &mut self.pools[here.pool as usize];
            let frame = &mut self.frames[next];
            let duration = frame.began * play.slower;
            (frame.began, frame.crashes) = (now, here.crashes);
            pool.work_s += duration;
            let wait = now - frame.since;
            pool.lately.started += 1;
            pool.lately.wait_s += wait;
            pool.lately.work_s += duration;
            self.tally.waited(self.tally.slot(), tier, wait);
            self.queue.push(now + duration, Due::new(Kind::Finish, next));
        } else {
            here.busy -= 1;
        }
        if whole {
            self.roots -= 1;
            self.frames.close(at);
        } else if ends {
            self.deliver(at);
        } else if self.is_through(at) {
            self.served(at);
        }
    }

    /// A service ends at a station that is not simple.
    #[inline(never)]
    fn finish_other(&mut self, at: u32, tier: TierId) {
        if self.tiers[tier].station.as_ref().is_some_and(|s| s.batch.is_some()) {
            self.finish_batch(at, tier);
            return;
        }
        if self.is_lost(at) {
            self.lose(at, tier);
            return;
        }
        let blocking = self.tiers[tier].station.as_ref().is_some_and(|s| s.blocking);
        let body = self.site(at).body;
        if blocking && self.frames[at].role == Role::Call && body.from < body.to {
            self.frames[at].holding = true;
        } else {
            let server = self.frames[at].server;
            self.leave(at, tier);
            self.free_slot(tier, server);
        }
        if self.is_through(at) {
            self.served(at);
        }
    }

    /// Whether the server has crashed since the service began.
    pub(super) fn is_lost(&self, at: u32) -> bool {
        let frame = &self.frames[at];
        self.servers[frame.server as usize].crashes != frame.crashes
    }

    fn lose(&mut self, at: u32, tier: TierId) {
        self.leave(at, tier);
        self.refuse(at);
    }

    /// A request leaves its station.
    pub(super) fn leave(&mut self, at: u32, tier: TierId) {
        let frame = &self.frames[at];
        let (since, began, server) = (frame.since, frame.began, frame.server);
        self.tally.leave(tier, self.now, self.now - since);
        if self.tiers[tier].station.as_ref().is_some_and(|s| s.blocking) {
            let place = self.pools[self.servers[server as usize].pool as usize].place;
            if let Some(sums) = self.tally.station(tier, place) {
                sums.work_s += self.now - began;
            }
        }
        if self.frames[at].keyed {
            self.give_key(at, tier);
        }
    }

    /// A blocking station's request has its answer: its slot is free.
    pub(super) fn let_go(&mut self, at: u32, tier: TierId) {
        self.frames[at].holding = false;
        let (server, lost) = (self.frames[at].server, self.is_lost(at));
        self.leave(at, tier);
        if lost {
            self.frames[at].failed = true;
        } else {
            self.free_slot(tier, server);
        }
    }

    pub(super) fn free_slot(&mut self, tier: TierId, server: u32) {
        let here = &mut self.servers[server as usize];
        here.busy -= 1;
        let Some(station) = &mut self.tiers[tier].station else { return };
        let next = match station.discipline {
            Discipline::Priority => {
                let local = (server - self.tiers[tier].first_server) as usize;
                let Some(station) = &mut self.tiers[tier].station else { return };
                station.levels[local].iter_mut().find_map(|level| level.pop(&self.frames))
            }
            _ if station.batch.is_some() => {
                self.gather(tier, server);
                return;
            }
            _ => here.queue.pop(&self.frames),
        };
        if let Some(next) = next {
            self.start(next, tier, server);
        }
    }

    /// A request joins those that a server serves all at once.
    fn share_in(&mut self, at: u32, tier: TierId, server: u32) {
        let now = self.now;
        let play = &mut self.tiers[tier];
        let local = (server - play.first_server) as usize;
        let Some(station) = &mut play.station else { return };
        let work = station.services.next() * play.slower * station.slowness(local);
        let kind = station.kinds.get(local).map(|kind| kind.kind);
        let shared = &mut station.shared[local];
        shared.advance(now, pace(station.concurrency, shared.len()));
        shared.join(work, at);
        self.frames[at].began = now;
        let here = &self.servers[server as usize];
        self.frames[at].crashes = here.crashes;
        let pool = &mut self.pools[here.pool as usize];
        pool.work_s += work;
        self.tally.start(tier, pool.place, 0.0, work);
        if let Some(kind) = kind {
            self.tally.beside.served((tier, kind, self.tally.slot()), work);
        }
        self.next_departure(tier, server);
    }

    fn next_departure(&mut self, tier: TierId, server: u32) {
        let play = &self.tiers[tier];
        let Some(station) = &play.station else { return };
        let shared = &station.shared[(server - play.first_server) as usize];
        let next = shared.first_s(self.now, pace(station.concurrency, shared.len()));
        self.servers[server as usize].due_s = next.unwrap_or(f64::NAN);
        if let Some(at) = next {
            self.queue.push(at, Due::new(Kind::Share, server));
        }
    }

    /// The next of those served all at once departs, unless that has changed.
    pub(super) fn share_out(&mut self, server: u32) {
        let (now, here) = (self.now, &self.servers[server as usize]);
        if here.due_s.to_bits() != now.to_bits() {
            return;
        }
        let tier = self.pools[here.pool as usize].tier;
        let play = &mut self.tiers[tier];
        let local = (server - play.first_server) as usize;
        let Some(station) = &mut play.station else { return };
        let shared = &mut station.shared[local];
        shared.advance(now, pace(station.concurrency, shared.len()));
        let Some(at) = shared.pop() else { return };
        self.next_departure(tier, server);
        self.leave(at, tier);
        if self.is_through(at) {
            self.served(at);
        }
    }

    /// A server is lost with all that it has.
    pub(super) fn crash(&mut self, server: u32) {
        let here = &mut self.servers[server as usize];
        here.crashes = here.crashes.wrapping_add(1);
        here.busy = 0;
        here.due_s = f64::NAN;
        if let Some(free_s) = self.disks.get_mut(server as usize) {
            *free_s = self.now;
        }
        let tier = self.pools[here.pool as usize].tier;
        let mut lost = Vec::new();
        while let Some(at) = here.queue.pop(&self.frames) {
            lost.push(at);
        }
        let local = (server - self.tiers[tier].first_server) as usize;
        if let Some(station) = &mut self.tiers[tier].station {
            if let Some(levels) = station.levels.get_mut(local) {
                for level in levels {
                    while let Some(at) = level.pop(&self.frames) {
                        lost.push(at);
                    }
                }
            }
            if let Some(shared) = station.shared.get_mut(local) {
                lost.extend(shared.clear());
            }
        }
        for at in lost {
            self.frames[at].began = self.now;
            self.lose(at, tier);
        }
        self.break_link(tier, server);
    }
}

/// Seconds of service that each of `inside` gets a second.
fn pace(slots: u32, inside: usize) -> f64 {
    (f64::from(slots) / inside as f64).min(1.0)
}
