//! Callers with a policy: timeouts, retries with back-off and budget, hedges, circuit breakers, connection pools.
//!
//! Why rows of timers: all calls of one site have the same timeout, so their deadlines are in order and one event
//! for the first of a row is enough. Most timers are out of date when they come up, and cost a look and no more.

use std::collections::VecDeque;

use plimsoll_scenarios::Jitter;
use plimsoll_scenarios::rng::Stream;

use super::answers::Told;
use super::frame::{NONE, Role};
use super::machine::{Machine, Setup};
use super::program::{BreakerPolicy, Policy};
use super::queue::{Due, Kind};

/// A timer of a client's attempt.
#[derive(Debug, Clone, Copy)]
struct Timer {
    at_s: f64,
    client: u32,
    turn: u32,
}

/// Timers of the same span, the earliest first.
#[derive(Debug, Default)]
struct Row {
    timers: VecDeque<Timer>,
    armed: bool,
}

/// Retries that a budget can save up.
const TOKENS_MAX: f64 = 100.0;
/// Parts of a breaker's window.
const PARTS: usize = 10;
/// Attempts below which a breaker stays closed.
const SEEN_MIN: f64 = 20.0;

/// A circuit breaker: counts of a window that slides by tenths.
#[derive(Debug, Clone)]
struct Breaker {
    /// Successes and failures by tenth.
    parts: [(f64, f64); PARTS],
    part: u64,
    open_until: Option<f64>,
    probing: bool,
}

impl Breaker {
    const CLOSED: Self = Self { parts: [(0.0, 0.0); PARTS], part: 0, open_until: None, probing: false };

    /// Whether an attempt may be made now.
    fn permits(&mut self, now: f64) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now < until || self.probing => false,
            Some(_) => {
                self.probing = true;
                true
            }
        }
    }

    fn hears(&mut self, policy: &BreakerPolicy, now: f64, failed: bool) {
        if self.open_until.is_some() {
            if self.probing {
                self.probing = false;
                *self = if failed {
                    Self { open_until: Some(now + policy.open), ..Self::CLOSED }
                } else {
                    Self::CLOSED
                };
            }
            return;
        }
        let part = (now / policy.window * PARTS as f64) as u64;
        // Tenths since the last one are empty.
        for passed in (self.part + 1..=part).take(PARTS) {
            self.parts[(passed % PARTS as u64) as usize] = (0.0, 0.0);
        }
        self.part = part;
        let counts = &mut self.parts[(part % PARTS as u64) as usize];
        *(if failed { &mut counts.1 } else { &mut counts.0 }) += 1.0;
        let (fine, bad) = self.parts.iter().fold((0.0, 0.0), |(a, b), (c, d)| (a + c, b + d));
        if failed && fine + bad >= SEEN_MIN && bad >= policy.failures * (fine + bad) {
            *self = Self { open_until: Some(now + policy.open), ..Self::CLOSED };
        }
    }
}

/// What all callers of one site at one place share.
#[derive(Debug, Clone)]
struct Shared {
    tokens: f64,
    breaker: Breaker,
}

/// Open connections of one calling server, and who waits for one.
#[derive(Debug, Clone, Default)]
struct Connections {
    open: u32,
    waiting: VecDeque<(u32, u32)>,
}

/// The state of all callers.
#[derive(Debug)]
pub struct Clients {
    rows: Vec<Row>,
    regions: usize,
    shared: Vec<Shared>,
    /// By policy with a pool: for every server.
    pools: Vec<Vec<Connections>>,
    jitter: Stream,
}

impl Clients {
    #[must_use]
    pub fn new(setup: &Setup<'_>, servers: usize, (seed, replication): (u64, u64)) -> Self {
        let regions = setup.scenario.population.regions.len();
        let policies = &setup.program.clients;
        let pool = |p: &Policy| vec![Connections::default(); if p.pool.is_some() { servers } else { 0 }];
        Self {
            rows: setup.program.timers.iter().map(|_| Row::default()).collect(),
            regions,
            shared: vec![Shared { tokens: TOKENS_MAX, breaker: Breaker::CLOSED }; policies.len() * regions],
            pools: policies.iter().map(pool).collect(),
            jitter: Stream::new(seed, "calendar", "jitter", replication),
        }
    }
}

impl<'a> Machine<'a> {
    fn policy(&self, at: u32) -> (usize, &'a Policy) {
        let id = self.site(at).client.unwrap_or_default() as usize;
        (id, &self.setup.program.clients[id])
    }

    fn shared(&mut self, at: u32) -> &mut Shared {
        let (id, _) = self.policy(at);
        let region = usize::from(self.frames[at].region);
        &mut self.clients.shared[id * self.clients.regions + region]
    }

    /// A caller makes its next attempt.
    pub(super) fn attempt(&mut self, at: u32) {
        let (_, policy) = self.policy(at);
        let now = self.now;
        self.frames[at].step += 1;
        if self.frames[at].step == 1
            && let Some(budget) = policy.budget
        {
            let shared = self.shared(at);
            shared.tokens = (shared.tokens + budget).min(TOKENS_MAX);
        }
        if policy.breaker.is_some() && !self.shared(at).breaker.permits(now) {
            self.frames[at].failed = true;
            self.soon.push_back(Due::new(Kind::Deliver, at));
            return;
        }
        self.frames[at].needed = 1;
        self.frames[at].spare = 0;
        let turn = self.frames[at].turn;
        for row in [policy.timeout, policy.hedge].into_iter().flatten() {
            self.set_timer(row, at, turn);
        }
        if self.take_connection(at) {
            self.send(at);
        }
    }

    fn set_timer(&mut self, row: u32, client: u32, turn: u32) {
        let at_s = self.now + self.setup.program.timers[row as usize];
        let here = &mut self.clients.rows[row as usize];
        here.timers.push_back(Timer { at_s, client, turn });
        if !here.armed {
            here.armed = true;
            self.queue.push(at_s, Due::new(Kind::Timer, row));
        }
    }

    /// One more call of the attempt goes out.
    fn send(&mut self, at: u32) {
        let site = self.site(at);
        let client = self.frames[at];
        let mut call = client.of(Role::Call, client.code);
        (call.parent, call.parent_turn, call.step) = (at, client.turn, site.body.from);
        self.frames[at].spare += 1;
        let call = self.frames.open(call);
        self.depart(call, site.half_trip(client.region));
    }

    /// Whether a connection is free; if not, the attempt waits for one.
    fn take_connection(&mut self, at: u32) -> bool {
        let (id, policy) = self.policy(at);
        let server = self.frames[at].server;
        let (Some(most), true) = (policy.pool, server != NONE) else { return true };
        let turn = self.frames[at].turn;
        let here = &mut self.clients.pools[id][server as usize];
        if here.open < most {
            here.open += 1;
            self.frames[at].holding = true;
            return true;
        }
        here.waiting.push_back((at, turn));
        false
    }

    /// The attempt is over: its connection goes to who waits for one.
    fn give_connection(&mut self, at: u32) {
        if !self.frames[at].holding {
            return;
        }
        self.frames[at].holding = false;
        let (id, _) = self.policy(at);
        let server = self.frames[at].server as usize;
        let here = &mut self.clients.pools[id][server];
        here.open -= 1;
        while let Some((next, turn)) = self.clients.pools[id][server].waiting.pop_front() {
            if self.frames[next].turn == turn {
                self.clients.pools[id][server].open += 1;
                self.frames[next].holding = true;
                self.send(next);
                return;
            }
        }
    }

    /// A call of an attempt has come back.
    pub(super) fn told_client(&mut self, at: u32, failed: bool) -> Told {
        self.frames[at].spare -= 1;
        if failed && self.frames[at].spare > 0 {
            return Told::Waits;
        }
        self.attempt_over(at, failed)
    }

    /// An attempt is over; the caller has its answer, tries again, or gives up.
    fn attempt_over(&mut self, at: u32, failed: bool) -> Told {
        let (_, policy) = self.policy(at);
        let now = self.now;
        self.frames[at].turn = self.frames[at].turn.wrapping_add(1);
        self.give_connection(at);
        if let Some(breaker) = &policy.breaker {
            self.shared(at).breaker.hears(breaker, now, failed);
        }
        if !failed {
            return Told::GoesOn;
        }
        let made = self.frames[at].step;
        if made < policy.attempts && self.may_retry(at, policy) {
            let wait = (policy.backoff * policy.factor.powi(made as i32 - 1)).min(policy.backoff_max);
            let wait = match policy.jitter {
                Jitter::None => wait,
                Jitter::Full => wait * self.clients.jitter.uniform(),
            };
            self.after(wait, Kind::Retry, at);
            return Told::Waits;
        }
        self.frames[at].failed = true;
        Told::Fails
    }

    fn may_retry(&mut self, at: u32, policy: &Policy) -> bool {
        if policy.budget.is_none() {
            return true;
        }
        let shared = self.shared(at);
        if shared.tokens < 1.0 {
            return false;
        }
        shared.tokens -= 1.0;
        true
    }

    /// The first timers of a row are due.
    pub(super) fn timers_due(&mut self, row: u32) {
        let now = self.now;
        loop {
            let here = &mut self.clients.rows[row as usize];
            let Some(&Timer { at_s, client, turn }) = here.timers.front() else {
                here.armed = false;
                return;
            };
            let current = self.frames[client].turn == turn;
            if current && at_s > now {
                self.queue.push(at_s, Due::new(Kind::Timer, row));
                return;
            }
            here.timers.pop_front();
            if current {
                self.timer_due(row, client);
            }
        }
    }

    fn timer_due(&mut self, row: u32, client: u32) {
        let (_, policy) = self.policy(client);
        if policy.hedge == Some(row) {
            // One that waits for a connection has nothing under way to hedge.
            if self.frames[client].spare > 0 {
                self.send(client);
            }
        } else if self.attempt_over(client, true) == Told::Fails {
            self.deliver(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_by_its_share_and_closes_after_a_good_probe() {
        let policy = BreakerPolicy { failures: 0.5, window: 10.0, open: 5.0 };
        let mut breaker = Breaker::CLOSED;
        for i in 0..19 {
            breaker.hears(&policy, 0.1 * f64::from(i), true);
        }
        assert!(breaker.permits(2.0), "too few to judge by");
        // Long after, the window has forgotten them.
        for i in 0..40 {
            breaker.hears(&policy, 100.0, i % 5 == 0);
        }
        assert!(breaker.permits(100.0), "a fifth fails");
        for _ in 0..40 {
            breaker.hears(&policy, 101.0, true);
        }
        assert!(!breaker.permits(101.0) && !breaker.permits(105.9));
        assert!(breaker.permits(106.1) && !breaker.permits(106.1), "one probe at a time");
        breaker.hears(&policy, 106.2, true);
        assert!(!breaker.permits(111.0) && breaker.permits(111.3));
        breaker.hears(&policy, 111.4, false);
        assert!(breaker.permits(111.4) && breaker.permits(111.4));
    }
}
