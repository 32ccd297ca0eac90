//! Caches on the calendar: after its service a call is looked up, and what is missing is fetched once for all
//! who want it meanwhile.

use plimsoll_scenarios::{Scope, TierId};

use super::frame::{List, NONE, Role};
use super::kept::Object;
use super::machine::Machine;
use super::queue::{Due, Kind};
use super::tiers::empty_cache;
use crate::cache::Found;

impl Machine<'_> {
    /// After the service: the cache, then what the tier calls.
    pub(super) fn served(&mut self, at: u32) {
        if self.frames[at].role == Role::Copy {
            self.deliver(at);
            return;
        }
        let site = self.site(at);
        if site.spoils {
            self.spoil(at, site.tier);
        }
        if !site.lookup && site.body.from == site.body.to {
            if self.answer(at) {
                self.deliver(at);
            }
            return;
        }
        if site.lookup && self.found_or_awaited(at, site.tier, site.body.from == site.body.to) {
            return;
        }
        if self.run_part(at) && self.answer(at) {
            self.deliver(at);
        }
    }

    /// Whether the cache has the object, or it is on its way already.
    fn found_or_awaited(&mut self, at: u32, tier: TierId, last: bool) -> bool {
        let object = self.frames[at].object;
        if self.tiers[tier].scope == Scope::User || object == NONE {
            return false;
        }
        let which = self.cache_of(at, tier);
        let Some(of) = self.site(at).dataset else { return false };
        let asked = self.setup.ids.object(object, of);
        let now = self.now;
        let play = &mut self.tiers[tier];
        let found = play.kept.lookup(which, asked, now);
        if found != Found::Nowhere {
            self.count_hit(at, found);
            if (found == Found::InMemory || self.reads_at_once(at)) && self.answer(at) {
                self.deliver(at);
            }
            return true;
        }
        if last {
            return false;
        }
        let key = (which as u64) << 32 | u64::from(object);
        if let Some(waiting) = play.fetches.get_mut(&key) {
            waiting.push(&mut self.frames, at);
            return true;
        }
        play.fetches.insert(key, List::EMPTY);
        self.frames[at].fetching = true;
        false
    }

    /// A write makes its object stale in the cache of the instance, or of the server that it came to; where all copies do
    /// the work, in each server's.
    pub(super) fn spoil(&mut self, at: u32, tier: TierId) {
        let Some(of) = self.site(at).dataset else { return };
        let (object, server) = (self.frames[at].object, self.frames[at].server);
        if object == NONE {
            return;
        }
        let written = self.setup.ids.object(object, of);
        let everywhere = self.tiers[tier].cache_per_server && server == NONE;
        let which = if everywhere { 0 } else { self.cache_of(at, tier) };
        let kept = &mut self.tiers[tier].kept;
        let last = if everywhere { kept.len() } else { kept.len().min(which + 1) };
        for which in which..last {
            kept.spoil(which, written);
        }
    }

    fn cache_of(&self, at: u32, tier: TierId) -> usize {
        let play = &self.tiers[tier];
        if play.cache_per_server {
            self.frames[at].server.saturating_sub(play.first_server) as usize
        } else {
            self.instance(at, tier)
        }
    }

    fn count_hit(&mut self, at: u32, found: Found) {
        let frame = &self.frames[at];
        self.tally.hit(frame.code, frame.region, frame.slot);
        if found == Found::InMemory {
            self.tally.beside.answered_from_memory((frame.code, frame.region, frame.slot));
        }
    }

    /// What was fetched is kept, and who waited for it goes along.
    pub(super) fn fetched(&mut self, at: u32, tier: TierId) {
        self.frames[at].fetching = false;
        let (object, failed) = (self.frames[at].object, self.frames[at].failed);
        let which = self.cache_of(at, tier);
        let asked = self.site(at).dataset.map(|of| self.setup.ids.object(object, of));
        let key = (which as u64) << 32 | u64::from(object);
        let mut waiting = self.tiers[tier].fetches.remove(&key).unwrap_or(List::EMPTY);
        if let (false, Some(asked)) = (failed, asked) {
            self.keep(at, (tier, which), asked);
        }
        while let Some(other) = waiting.pop(&self.frames) {
            self.frames[other].failed = failed;
            // Who waited at a cache got the answer there, and no tier behind it saw them.
            if !failed {
                self.count_hit(other, Found::InMemory);
            }
            self.soon.push_back(Due::new(Kind::Answer, other));
        }
    }

    /// A cache takes what was fetched; one whose disks are that far behind with writes passes it on and keeps nothing.
    fn keep(&mut self, at: u32, (tier, which): (TierId, usize), object: Object) {
        let (now, kept) = (self.now, &mut self.tiers[tier].kept);
        if !kept.has_levels() {
            kept.insert(which, object, now);
        } else if kept.admits(which, object) && self.writes(at) {
            self.tiers[tier].kept.insert(which, object, now);
            let frame = &self.frames[at];
            self.tally.beside.kept((frame.code, frame.region, frame.slot));
        }
    }

    /// All caches of a tier start empty.
    pub(super) fn flush(&mut self, tier: TierId) {
        let setup = self.setup;
        let kept = &mut self.tiers[tier].kept;
        for which in 0..kept.len() {
            kept.flush(which, || empty_cache(setup.scenario, &setup.ids, tier));
        }
    }

    /// The cache of one server starts empty, where servers have caches of their own; what it has on disk is still there.
    pub(super) fn flush_server(&mut self, tier: TierId, server: u32) {
        let setup = self.setup;
        let play = &mut self.tiers[tier];
        if play.cache_per_server {
            let which = (server - play.first_server) as usize;
            if play.kept.has_levels() {
                play.kept.forget_memory(which);
                return;
            }
            play.kept.flush(which, || empty_cache(setup.scenario, &setup.ids, tier));
        }
    }
}
