//! What happens to the system while it runs: the events of the scenario, each at its hour, and autoscalers.
//!
//! Why a list made beforehand: an event is a change at its beginning and one at its end; a rolling deploy is many.
//! More requests (flash crowds, releases, regions lost) are a matter of the [requests](super::arrivals).

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::{Event, EventKind, Scenario, TierId};

use super::machine::Machine;
use super::queue::{Due, Kind};
use super::tiers::Health;
use crate::model;

/// One change.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    /// Service takes so many times as long as it does.
    Slower(TierId, f64),
    /// Links are so much of what they are.
    Cut(TierId, f64),
    Flush(TierId),
    /// This share of the servers at every place is lost; later it is noticed, and at last they are back.
    Crash(TierId, f64),
    Notice(TierId, f64),
    Back(TierId, f64),
    /// Servers between two shares of those at every place get nothing new, and come back with empty caches.
    Drain(TierId, f64, f64),
    Restarted(TierId, f64, f64),
    RegionCrash(usize),
    RegionBack(usize),
}

/// The changes to come.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The next one last.
    list: Vec<(f64, Change)>,
}

/// Time between two looks of an autoscaler, seconds.
const LOOK_EVERY_S: f64 = 15.0;
/// A region's loss is noticed by its users at once: they are sent elsewhere by name servers and clients.
const STEPS_MAX: usize = 1000;

impl Changes {
    /// Those of a scenario's events; times are seconds after midnight UTC.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let mut list = Vec::new();
        for event in &scenario.events {
            add(scenario, event, &mut list);
        }
        // Stable: of two at the same time the first of the file comes first.
        list.sort_by(|a: &(f64, Change), b| a.0.total_cmp(&b.0));
        list.reverse();
        Self { list }
    }

    pub fn next_s(&self) -> f64 {
        self.list.last().map_or(f64::INFINITY, |(at, _)| *at)
    }
}

/// When an event is over; a flush is at once, whatever it takes until caches are full again.
pub fn ends(event: &Event) -> f64 {
    if matches!(event.kind, EventKind::Flush { .. }) {
        return event.at_s;
    }
    event.lasts.as_ref().map_or(DAY_S, |lasts| event.at_s + lasts.get())
}

fn add(scenario: &Scenario, event: &Event, list: &mut Vec<(f64, Change)>) {
    let (from, to) = (event.at_s, ends(event));
    match &event.kind {
        EventKind::Slow { tier, factor } => {
            list.push((from, Change::Slower(*tier, factor.get())));
            list.push((to, Change::Slower(*tier, 1.0 / factor.get())));
        }
        EventKind::Cut { tier, to: left } => {
            // Nothing at all would never be through.
            let left = left.get().max(1e-6);
            list.push((from, Change::Cut(*tier, left)));
            list.push((to, Change::Cut(*tier, 1.0 / left)));
        }
        EventKind::Flush { tier } => list.push((from, Change::Flush(*tier))),
        EventKind::ServersDown { tier, servers, noticed_after } => {
            let all = scenario.tiers[*tier].station.as_ref().map_or(1.0, |s| s.servers.get());
            let share = (servers.get() / all).min(1.0);
            list.push((from, Change::Crash(*tier, share)));
            list.push(((from + noticed_after.get()).min(to), Change::Notice(*tier, share)));
            list.push((to, Change::Back(*tier, share)));
        }
        EventKind::Deploy { tier, at_a_time } => {
            let steps = ((1.0 / at_a_time.get().max(1e-3)).ceil() as usize).clamp(1, STEPS_MAX);
            let each = (to - from) / steps as f64;
            for step in 0..steps {
                let (low, high) = (step as f64 / steps as f64, (step + 1) as f64 / steps as f64);
                list.push((from + step as f64 * each, Change::Drain(*tier, low, high)));
                list.push((from + (step + 1) as f64 * each, Change::Restarted(*tier, low, high)));
            }
        }
        EventKind::RegionDown { region } => {
            list.push((from, Change::RegionCrash(*region)));
            list.push((to, Change::RegionBack(*region)));
        }
        EventKind::HotRelease { .. } | EventKind::FlashCrowd { .. } => {}
    }
}

impl Machine<'_> {
    /// The next change happens.
    pub(super) fn change(&mut self) {
        let Some((_, change)) = self.changes.list.pop() else { return };
        match change {
            Change::Slower(tier, factor) => self.tiers[tier].slower *= factor,
            Change::Cut(tier, factor) => self.cut_links(tier, factor),
            Change::Flush(tier) => self.flush(tier),
            Change::Crash(tier, share) => self.each_server(tier, (0.0, share), None, |machine, server| {
                if machine.servers[server as usize].health == Health::Up {
                    machine.servers[server as usize].health = Health::Lost;
                    machine.crash(server);
                }
            }),
            Change::Notice(tier, share) => self.each_server(tier, (0.0, share), None, |machine, server| {
                if machine.servers[server as usize].health == Health::Lost {
                    machine.set_health(server, Health::Gone);
                }
            }),
            Change::Back(tier, share) => self.each_server(tier, (0.0, share), None, |machine, server| {
                machine.flush_server(tier, server);
                machine.set_health(server, Health::Up);
            }),
            Change::Drain(tier, low, high) => self.each_server(tier, (low, high), None, |machine, server| {
                if machine.servers[server as usize].health == Health::Up {
                    machine.set_health(server, Health::Draining);
                }
            }),
            Change::Restarted(tier, low, high) => {
                self.each_server(tier, (low, high), None, |machine, server| {
                    if machine.servers[server as usize].health == Health::Draining {
                        machine.flush_server(tier, server);
                        machine.set_health(server, Health::Up);
                    }
                });
            }
            Change::RegionCrash(region) => self.each_of_region(region, |machine, server| {
                if machine.servers[server as usize].health == Health::Up {
                    machine.set_health(server, Health::Gone);
                    machine.crash(server);
                }
            }),
            Change::RegionBack(region) => {
                self.each_of_region(region, |machine, server| machine.set_health(server, Health::Up));
            }
        }
    }

    fn set_health(&mut self, server: u32, health: Health) {
        let here = &mut self.servers[server as usize];
        let pool = &mut self.pools[here.pool as usize];
        match (here.health.chosen(), health.chosen()) {
            (true, false) => pool.away += 1,
            (false, true) => pool.away -= 1,
            _ => {}
        }
        here.health = health;
    }

    /// The servers between two shares of those in use at every instance of a tier, or at those of one place.
    fn each_server(
        &mut self,
        tier: TierId,
        (low, high): (f64, f64),
        place: Option<u16>,
        mut act: impl FnMut(&mut Self, u32),
    ) {
        for pool in 0..self.pools.len() {
            let here = &self.pools[pool];
            if here.tier != tier || place.is_some_and(|p| here.place != p) {
                continue;
            }
            let scenario = self.setup.scenario;
            let usual = model::pool(scenario, tier, usize::from(here.place)).map_or(0, |p| p.servers as u32);
            let (first, n) = (here.first, f64::from(usual));
            let (from, to) = ((low * n).round() as u32, (high * n).round() as u32);
            for server in first + from..first + to {
                act(self, server);
            }
        }
    }

    fn each_of_region(&mut self, region: usize, mut act: impl FnMut(&mut Self, u32)) {
        for tier in 0..self.tiers.len() {
            // What is there once is somewhere; not in this region.
            if model::places(self.setup.scenario, tier) > 1 {
                self.each_server(tier, (0.0, 1.0), Some(region as u16), &mut act);
            }
        }
    }

    /// Autoscalers begin to look.
    pub(super) fn watch_loads(&mut self) {
        for pool in 0..self.pools.len() {
            let tier = &self.setup.scenario.tiers[self.pools[pool].tier];
            if tier.station.as_ref().is_some_and(|s| s.autoscale.is_some()) {
                self.queue.push(self.now + LOOK_EVERY_S, Due::new(Kind::Scale, pool as u32));
            }
        }
    }

    /// An autoscaler looks at the load of a pool: servers come after a delay, and go at once.
    pub(super) fn look_at_load(&mut self, pool: u32) {
        let tier = &self.setup.scenario.tiers[self.pools[pool as usize].tier];
        let Some((station, scale)) = tier.station.as_ref().and_then(|s| Some((s, s.autoscale.as_ref()?)))
        else {
            return;
        };
        let usual = station.servers.get();
        let now = self.now;
        let here = &mut self.pools[pool as usize];
        let whole = f64::from(here.servers) / scale.max.get().max(usual);
        let (least, most) = ((scale.min.get() * whole).round().max(1.0), f64::from(here.servers));
        let there = f64::from(here.servers - here.away);
        let busy = here.work_s / (LOOK_EVERY_S * station.concurrency.get());
        here.work_s = 0.0;
        let wanted = (busy / scale.target.get()).ceil().clamp(least, most);
        let mut arrived = there;
        while here.coming.front().is_some_and(|(at, _)| *at <= now) {
            arrived = here.coming.pop_front().map_or(arrived, |(_, n)| f64::from(n));
        }
        let planned = here.coming.back().map_or(arrived, |(_, n)| f64::from(*n));
        if wanted > planned {
            here.coming.push_back((now + scale.delay.get(), wanted as u32));
        }
        let goal = if wanted < arrived { wanted } else { arrived };
        self.resize(pool, goal as u32);
        if now + LOOK_EVERY_S <= self.end_s {
            self.queue.push(now + LOOK_EVERY_S, Due::new(Kind::Scale, pool));
        }
    }

    /// Brings the number of servers in use to `goal`: the last ones come and go.
    fn resize(&mut self, pool: u32, goal: u32) {
        let (first, n) = (self.pools[pool as usize].first, self.pools[pool as usize].servers);
        for server in first..first + n {
            let there = n - self.pools[pool as usize].away;
            if there < goal && matches!(self.servers[server as usize].health, Health::Gone | Health::Draining)
            {
                self.set_health(server, Health::Up);
            }
        }
        for server in (first..first + n).rev() {
            let there = n - self.pools[pool as usize].away;
            if there > goal && self.servers[server as usize].health == Health::Up {
                self.set_health(server, Health::Draining);
            }
        }
    }
}
