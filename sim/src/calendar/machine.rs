//! The machine: takes the earliest of requests, events and changes, and does what the plan of calls says.
//!
//! Why nothing calls itself: a request walks up and down a tree whose depth a file decides. Going down, a call
//! either waits for time to pass or is put into `soon`; going up, answers are a loop.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::popularity::RankSampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Scenario, Scope, TierId, WaitFor};

use super::arrivals::Arrivals;
use super::changes::Changes;
use super::clients::Clients;
use super::frame::{Frame, Frames, NONE, Role};
use super::holders::Holders;
use super::links::{Bodies, Link};
use super::program::{Part, Program, Site, Step, Times};
use super::queue::{Due, INDEX_MAX, Kind, Queue};
use super::slice::Slice;
use super::tally::Tally;
use super::tiers::{self, Ids, Pool, Server, Stage, TierPlay};
use crate::model;

/// What is the same for all replications.
#[derive(Debug)]
pub struct Setup<'a> {
    pub scenario: &'a Scenario,
    /// What it is a slice of, if it is one.
    pub slice: Option<&'a Slice>,
    pub program: Program,
    pub ids: Ids,
    pub laws: Vec<Option<RankSampler>>,
    pub priorities: Vec<u8>,
    /// By action: seconds that the response takes where nothing but the user's own access bounds it.
    pub access_s: Vec<f64>,
    /// Bits per second that one flow to a user gets at most.
    pub downlink: f64,
    pub leads: Vec<Lead>,
}

/// What the beginning of an action's request needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Lead {
    /// Dense id of the first object that it may ask for, and how many there are.
    pub objects: Option<(u32, u32)>,
    /// How long its connection stays open, seconds.
    pub lasts: Option<f64>,
    /// The one call that is all there is to it: no device that may answer, no messages, no connection.
    pub only: Option<u32>,
    /// Where that call is at its servers as soon as it is made.
    pub next_door: Option<NextDoor>,
}

/// A request's only call, where a simple station is all that it meets.
#[derive(Debug, Clone, Copy)]
pub struct NextDoor {
    pub site: u32,
    pub tier: TierId,
    pub scope: Scope,
    pub pulled: bool,
    /// First step of what the tier does.
    pub step: u32,
    /// It asks for the object of the request.
    pub for_object: bool,
    /// The request is through when the service ends.
    pub whole: bool,
}

impl NextDoor {
    fn of(scenario: &Scenario, program: &Program, site: u32, body: bool) -> Option<Self> {
        let call = &program.sites[site as usize];
        let simple = tiers::is_simple_tier(scenario, call.tier);
        let at_once = call.copies == 1 && !call.draws && call.one_half_trip() == Some(0.0);
        (simple && at_once).then(|| Self {
            site,
            tier: call.tier,
            scope: scenario.tiers[call.tier].scope,
            pulled: call.pulled,
            step: call.body.from,
            for_object: call.dataset.is_some(),
            whole: call.ends && !body,
        })
    }
}

impl<'a> Setup<'a> {
    #[must_use]
    pub fn new(scenario: &'a Scenario, slice: Option<&'a Slice>) -> Self {
        let program = Program::of(scenario);
        let drawn = |id: usize| program.sites.iter().any(|s| s.draws && s.dataset == Some(id));
        let law = |(id, dataset): (usize, &plimsoll_scenarios::Dataset)| {
            drawn(id).then(|| dataset.popularity.over(dataset.count.get() as u64).sampler())
        };
        let access = scenario.population.downlink.as_ref();
        let downlink = access.map_or(f64::INFINITY, plimsoll_scenarios::units::Quantity::get);
        let over_access = |(action, root): (&plimsoll_scenarios::Action, &super::program::Root)| {
            // On a link it is a flow.
            let flows = program.answers_by_link(root);
            if flows { 0.0 } else { action.response.get() * 8.0 / downlink }
        };
        let ids = Ids::of(scenario);
        let lead = |(action, root): (&plimsoll_scenarios::Action, &super::program::Root)| {
            let alone = action.connection.is_none() && root.device.is_empty() && root.messages.is_empty();
            let only = root.only.filter(|_| alone);
            Lead {
                objects: action.of.map(|dataset| (ids.first[dataset], ids.count[dataset])),
                lasts: action.connection.as_ref().map(|c| c.lasts.get()),
                only,
                next_door: only
                    .and_then(|site| NextDoor::of(scenario, &program, site, action.response.get() > 0.0)),
            }
        };
        Self {
            scenario,
            slice,
            leads: scenario.actions.values().zip(&program.roots).map(lead).collect(),
            ids,
            laws: scenario.datasets.values().enumerate().map(law).collect(),
            priorities: scenario.actions.values().map(|a| a.priority as u8).collect(),
            access_s: scenario.actions.values().zip(&program.roots).map(over_access).collect(),
            downlink,
            program,
        }
    }
}

/// Events between two looks at `stop`.
const STOP_EVERY: u64 = 1 << 12;
/// Frames under way beyond which no call is let in: a bound for systems that drown.
const FRAMES_MAX: u64 = 1 << 26;
/// A call that waits for its copies.
pub(super) const COPIES: u32 = u32::MAX;

/// One replication.
pub struct Machine<'a> {
    pub(super) setup: &'a Setup<'a>,
    pub(super) now: f64,
    pub(super) queue: Queue,
    /// What is to be done before time goes on.
    pub(super) soon: VecDeque<Due>,
    pub(super) frames: Frames,
    pub(super) tiers: Vec<TierPlay>,
    pub(super) pools: Vec<Pool>,
    pub(super) servers: Vec<Server>,
    pub(super) links: Vec<Link>,
    /// Requests with bodies on their way, by frame; empty until there is one.
    pub(super) bodies: Vec<Bodies>,
    /// When the disks of every server are free of what they have been given; empty where no tier has any.
    pub(super) disks: Vec<f64>,
    pub(super) holders: Holders,
    pub(super) clients: Clients,
    pub(super) changes: Changes,
    pub(super) tally: Tally,
    pub(super) draws: Stream,
    pub(super) objects: Stream,
    /// When requests end: connections and autoscalers with them.
    pub(super) end_s: f64,
    /// Requests under way.
    pub(super) roots: u64,
}

impl<'a> Machine<'a> {
    #[must_use]
    pub fn new(
        setup: &'a Setup<'a>,
        tally: Tally,
        changes: Changes,
        (seed, replication): (u64, u64),
        (from_s, end_s): (f64, f64),
    ) -> Self {
        let stage = Stage::new(setup, seed, replication);
        let any_disks = setup.program.sites.iter().any(|site| site.disk.is_some());
        let disks = vec![from_s; if any_disks { stage.servers.len() } else { 0 }];
        let mut machine = Self {
            setup,
            now: from_s,
            queue: Queue::default(),
            soon: VecDeque::new(),
            frames: Frames::default(),
            clients: Clients::new(setup, stage.servers.len(), (seed, replication)),
            tiers: stage.tiers,
            pools: stage.pools,
            servers: stage.servers,
            links: stage.links,
            bodies: Vec::new(),
            disks,
            holders: Holders::new(setup.scenario),
            changes,
            tally,
            draws: Stream::new(seed, "calendar", "branches", replication),
            objects: Stream::new(seed, "calendar", "objects", replication),
            end_s,
            roots: 0,
        };
        machine.watch_loads();
        machine
    }

    /// Plays until everything that came has left. `None` where `stop` was raised.
    ///
    /// # Panics
    /// Where requests got lost or Little's law does not hold, which is a mistake in the engine.
    #[must_use]
    pub fn run(mut self, mut requests: Arrivals<'_>, stop: &AtomicBool) -> Option<Tally> {
        requests.advance();
        let mut change_s = self.changes.next_s();
        // When time stops for a change, or for a slot of the results that is over.
        let mut pause_s = change_s.min(self.tally.slot_ends());
        let mut steps = 0_u64;
        loop {
            if !self.soon.is_empty() {
                self.work_off();
            }
            steps += 1;
            if steps.is_multiple_of(STOP_EVERY) && stop.load(Ordering::Relaxed) {
                return None;
            }
            let event_s = self.queue.next_s();
            let request_s = requests.current().at_s;
            let requested = request_s <= event_s;
            let first = if requested { request_s } else { event_s };
            if first >= pause_s {
                if first == f64::INFINITY {
                    break;
                }
                let changes = change_s <= first;
                self.advance(if changes { change_s } else { first });
                if changes {
                    self.change();
                    change_s = self.changes.next_s();
                }
                pause_s = change_s.min(self.tally.slot_ends());
                if changes {
                    continue;
                }
            }
            self.now = first;
            if requested {
                self.begin(requests.current());
                requests.advance();
            } else if let Some((_, due)) = self.queue.pop() {
                if due.is(Kind::Finish) {
                    self.finish(due.index());
                } else {
                    self.handle(due);
                }
            }
        }
        self.turn(self.now);
        assert_eq!(self.roots, 0, "requests were lost inside the simulation");
        assert_eq!(self.frames.under_way(), 0, "work is still under way and no event is left");
        self.tally.check();
        Some(self.tally)
    }

    fn advance(&mut self, now: f64) {
        self.now = now;
        if now >= self.tally.slot_ends() {
            self.turn(now);
        }
    }

    /// A slot of the results is over.
    #[cold]
    fn turn(&mut self, now: f64) {
        let slot = self.tally.slot();
        self.tally.count_begun(|action| Some(self.setup.leads[action].next_door?.site));
        for pool in &mut self.pools {
            self.tally.add(pool.tier, pool.place, slot, std::mem::take(&mut pool.lately));
        }
        self.tally.turn(now);
    }

    /// What is to be done before time goes on.
    fn work_off(&mut self) {
        while let Some(due) = self.soon.pop_front() {
            self.handle(due);
        }
    }

    fn handle(&mut self, due: Due) {
        let at = due.index();
        match due.kind() {
            Kind::Arrive => self.arrive(at),
            Kind::Finish => self.finish(at),
            Kind::Answer => {
                if self.answer(at) {
                    self.deliver(at);
                }
            }
            Kind::Deliver => self.deliver(at),
            Kind::Served => self.served(at),
            Kind::Go => self.go_on(at),
            Kind::Share => self.share_out(at),
            Kind::Gather => self.gathered(at),
            Kind::Timer => self.timers_due(at),
            Kind::Retry => self.attempt(at),
            Kind::Beat => self.beat(at),
            Kind::Scale => self.look_at_load(at),
            Kind::Sent => self.sent(at),
            Kind::Disk => self.disk_is_free(at),
        }
    }

    /// Something happens after a while, or at once but not within what is going on.
    #[inline]
    pub(super) fn after(&mut self, delay: f64, kind: Kind, at: u32) {
        let due = Due::new(kind, at);
        if delay > 0.0 {
            self.queue.push(self.now + delay, due);
        } else {
            self.soon.push_back(due);
        }
    }

    #[inline]
    pub(super) fn site(&self, at: u32) -> &'a Site {
        &self.setup.program.sites[self.frames[at].code as usize]
    }

    /// A message, heartbeat or branch that nobody waits for.
    pub(super) fn send_off(&mut self, of: &Frame, branch: u32) {
        let mut strand = of.of(Role::Strand, branch);
        strand.step = self.setup.program.branches[branch as usize].part.from;
        strand.server = of.server;
        let at = self.frames.open(strand);
        self.soon.push_back(Due::new(Kind::Go, at));
    }

    fn part(&self, at: u32) -> Part {
        let frame = &self.frames[at];
        let program = &self.setup.program;
        match frame.role {
            Role::Root => program.roots[frame.code as usize].request,
            Role::Strand => program.branches[frame.code as usize].part,
            Role::Call => program.sites[frame.code as usize].body,
            Role::Copy | Role::Client | Role::Connection | Role::Flow => Part::default(),
        }
    }

    /// Makes the next steps of a frame; `true` where it has come to their end.
    pub(super) fn run_part(&mut self, at: u32) -> bool {
        let part = self.part(at);
        loop {
            let step = self.frames[at].step;
            if step >= part.to {
                return true;
            }
            let waits = match self.setup.program.steps[step as usize] {
                Step::Call(site) => self.make(at, site),
                Step::Group { from, to, needed } => {
                    self.frames[at].step += 1;
                    self.spread(at, (from, to), needed)
                }
                Step::Async(branch) => {
                    self.frames[at].step += 1;
                    let frame = self.frames[at];
                    self.send_off(&frame, branch);
                    false
                }
            };
            if waits {
                return false;
            }
        }
    }

    /// How often, where a mean says it.
    fn number(&mut self, times: Times) -> u32 {
        times.least + u32::from(times.more > 0.0 && self.draws.uniform() < times.more)
    }

    /// Makes a call, perhaps several; `false` where there is nothing to wait for.
    fn make(&mut self, at: u32, site: u32) -> bool {
        let call = &self.setup.program.sites[site as usize];
        if self.frames[at].again == 0 {
            let made = call.share >= 1.0 || self.draws.uniform() < call.share;
            let times = if !made {
                0
            } else if call.times.is_one() {
                1
            } else {
                self.number(call.times)
            };
            if times == 0 {
                self.frames[at].step += 1;
                return false;
            }
            self.frames[at].again = times;
        }
        self.frames[at].again -= 1;
        if self.frames[at].again == 0 {
            self.frames[at].step += 1;
        }
        let many = if call.fan_out.is_one() { 1 } else { self.number(call.fan_out) };
        if many == 0 {
            return false;
        }
        let needed = if many == 1 { 1 } else { WaitFor::of(call.wait_for, many as usize) as u32 };
        (self.frames[at].needed, self.frames[at].spare) = (needed, many - needed);
        for _ in 0..many {
            self.launch(at, site);
        }
        true
    }

    /// Begins branches that are made at once.
    fn spread(&mut self, at: u32, (from, to): (u32, u32), needed: u32) -> bool {
        (self.frames[at].needed, self.frames[at].spare) = (needed, to - from - needed);
        let frame = self.frames[at];
        for branch in from..to {
            let what = self.setup.program.branches[branch as usize];
            let plain = what.only.filter(|&site| {
                let site = &self.setup.program.sites[site as usize];
                site.share >= 1.0 && site.times.is_one() && site.fan_out.is_one()
            });
            if let Some(site) = plain {
                self.launch(at, site);
            } else {
                let mut strand = frame.of(Role::Strand, branch);
                (strand.parent, strand.parent_turn) = (at, frame.turn);
                (strand.step, strand.server) = (what.part.from, frame.server);
                let strand = self.frames.open(strand);
                self.soon.push_back(Due::new(Kind::Go, strand));
            }
        }
        needed > 0
    }

    /// Begins a call for a frame, through its caller's policy where it has one.
    fn launch(&mut self, at: u32, site: u32) {
        let call = &self.setup.program.sites[site as usize];
        let parent = self.frames[at];
        let client = call.client.is_some();
        let mut frame = parent.of(if client { Role::Client } else { Role::Call }, site);
        (frame.parent, frame.parent_turn) = (at, parent.turn);
        frame.object = self.asked_for(parent.object, call);
        if client {
            // Its caller's server, for the connections of that.
            frame.server = parent.server;
            let client = self.frames.open(frame);
            self.attempt(client);
        } else {
            frame.step = call.body.from;
            let call_frame = self.frames.open(frame);
            self.depart(call_frame, call.half_trip(parent.region));
        }
    }

    /// What a call asks for: the object of its caller, another one, or none.
    #[inline]
    pub(super) fn asked_for(&mut self, of_caller: u32, call: &Site) -> u32 {
        if call.draws {
            self.draw_object(call)
        } else if call.dataset.is_none() {
            NONE
        } else {
            of_caller
        }
    }

    #[inline(never)]
    fn draw_object(&mut self, call: &Site) -> u32 {
        let Some(dataset) = call.dataset else { return NONE };
        let rank = self.setup.laws[dataset].as_ref().map_or(0, |law| law.draw(&mut self.objects));
        self.setup.ids.first[dataset] + (rank as u32).min(self.setup.ids.count[dataset])
    }

    /// A call goes on its way.
    #[inline]
    pub(super) fn depart(&mut self, at: u32, half_trip: f64) {
        if half_trip > 0.0 {
            self.queue.push(self.now + half_trip, Due::new(Kind::Arrive, at));
        } else {
            self.arrive(at);
        }
    }

    /// A branch or message begins, or a call goes on behind its copies.
    fn go_on(&mut self, at: u32) {
        if self.run_part(at) {
            self.deliver(at);
        }
    }

    /// A call reaches its tier.
    #[inline]
    fn arrive(&mut self, at: u32) {
        let site = self.site(at);
        let frame = &mut self.frames[at];
        frame.since = self.now;
        let (region, slot, code) = (frame.region, frame.slot, frame.code);
        self.tally.call(code, region, slot);
        if site.copies == 1 && self.tiers[site.tier].simple && !self.is_overfull() {
            self.queue_up(at, site.tier, self.instance(at, site.tier), site.pulled);
        } else {
            self.arrive_elsewhere(at, site);
        }
    }

    /// Whether more is under way than a system that does not drown ever has.
    #[inline]
    pub(super) const fn is_overfull(&self) -> bool {
        let most = if FRAMES_MAX < INDEX_MAX as u64 { FRAMES_MAX } else { INDEX_MAX as u64 };
        self.frames.under_way() > most
    }

    #[inline(never)]
    fn arrive_elsewhere(&mut self, at: u32, site: &Site) {
        if self.is_overfull() && self.tiers[site.tier].station.is_some() {
            self.refuse(at);
            return;
        }
        if site.lags && !site.write {
            self.read_version(at, site);
        }
        if self.tiers[site.tier].station.is_some() {
            if site.copies > 1 {
                self.send_copies(at, site);
            } else {
                self.queue_up_other(at, 0);
            }
        } else if self.tiers[site.tier].latency.is_some() {
            self.ask_elsewhere(at, site.tier);
        } else {
            self.soon.push_back(Due::new(Kind::Served, at));
        }
    }

    /// Somebody else's service: a latency, perhaps a limit.
    fn ask_elsewhere(&mut self, at: u32, tier: TierId) {
        let instance = self.instance(at, tier);
        let now = self.now;
        let play = &mut self.tiers[tier];
        if let Some(rate) = play.rate_max {
            // A bucket of a second's calls, or of one where that is more.
            let room = rate.max(1.0);
            let (tokens, since) = play.tokens[instance];
            let tokens = if since == 0.0 { room } else { (tokens + (now - since) * rate).min(room) };
            play.tokens[instance] = (if tokens >= 1.0 { tokens - 1.0 } else { tokens }, now);
            if tokens < 1.0 {
                self.refuse(at);
                return;
            }
        }
        let play = &mut self.tiers[tier];
        let latency = play.latency.as_mut().map_or(0.0, |(law, stream)| law.draw(stream)) * play.slower;
        self.after(latency, Kind::Served, at);
    }

    /// The instance of a tier that a frame's calls go to.
    #[inline]
    pub(super) fn instance(&self, at: u32, tier: TierId) -> usize {
        let frame = &self.frames[at];
        tiers::instance(self.tiers[tier].scope, frame.site, frame.region)
    }

    /// Every copy does its share of a call.
    fn send_copies(&mut self, at: u32, site: &Site) {
        if site.spoils {
            self.spoil(at, site.tier);
        }
        let call = self.frames[at];
        let frame = &mut self.frames[at];
        (frame.needed, frame.spare) = (site.copies_needed, site.copies - site.copies_needed);
        frame.step = COPIES;
        for copy in 0..site.copies {
            let mut share = call.of(Role::Copy, call.code);
            (share.parent, share.parent_turn, share.since) = (at, call.turn, self.now);
            let share = self.frames.open(share);
            self.queue_up_other(share, copy);
        }
    }

    /// Slots of every tier's pools at each place, for utilisations.
    #[must_use]
    pub fn capacity(scenario: &Scenario) -> Vec<Vec<f64>> {
        let at = |tier: usize, place: usize| {
            model::pool(scenario, tier, place).map_or(0.0, |pool| {
                (pool.servers * pool.concurrency * model::instances_at(scenario, tier, place)) as f64
            })
        };
        (0..scenario.tiers.len())
            .map(|t| (0..model::places(scenario, t)).map(|p| at(t, p)).collect())
            .collect()
    }
}
