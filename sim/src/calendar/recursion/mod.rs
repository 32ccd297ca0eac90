//! Systems that feed forward only, without the calendar.
//!
//! Why beside the machine: where nobody gives up, tries again or chooses by how busy servers are, when a service begins is
//! known as soon as its customer comes (Kiefer and Wolfowitz, "On the theory of queues with many servers", 1955). So
//! customers go from tier to tier in batches, and nothing is scheduled. What is counted is what the machine would count
//! from the same draws; only sums are added up in another order.

mod line;
mod lone;
mod servers;

pub use line::Line;

use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_scenarios::trace::Request;
use plimsoll_scenarios::{Balance, Scope};

use super::arrivals::Arrivals;
use super::frame::UNCOUNTED;
use super::machine::Setup;
use super::slots::Slots;
use super::tally::{Sums, Tally};
use super::tiers::{Pool, Stage, StationPlay};
use servers::Server;

/// Requests that go through all tiers together: few enough to stay near the processor.
const BATCH: usize = 256;

/// Somebody on the way to a tier.
#[derive(Debug, Clone, Copy)]
struct Customer {
    /// When it reaches the tier, seconds.
    at_s: f64,
    /// When its request was made.
    born: f64,
    site: u32,
    action: u16,
    region: u16,
    /// Slot of the results in which the request was made.
    slot: u16,
    /// Position in the chain of its action.
    stop: u16,
}

/// When somebody is served; never, where they were turned away.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: f64,
    finish: f64,
    duration: f64,
    place: u16,
}

/// Sums of one station in one slot, added to the tally when it is another's turn.
struct Running {
    tier: usize,
    at: (u16, u16),
    sums: Sums,
}

impl Running {
    fn new(tier: usize) -> Self {
        Self { tier, at: (UNCOUNTED, 0), sums: Sums::default() }
    }

    #[inline]
    fn of(&mut self, slot: u16, place: u16, tally: &mut Tally) -> &mut Sums {
        if self.at != (slot, place) {
            self.add_to(tally);
            self.at = (slot, place);
        }
        &mut self.sums
    }

    fn add_to(&mut self, tally: &mut Tally) {
        tally.add(self.tier, self.at.1, self.at.0, std::mem::take(&mut self.sums));
    }
}

/// A tier in motion.
struct Tier {
    id: usize,
    scope: Scope,
    station: StationPlay,
    pools: Vec<Pool>,
    first_server: u32,
    servers: Vec<Server>,
    inbox: Vec<Customer>,
    /// Slots of arrivals, of beginnings and of ends of service: each of them hardly ever goes back.
    slots: [Slots; 3],
}

/// One replication.
struct Play<'a> {
    line: &'a Line,
    tally: Tally,
    /// In the order of the line.
    tiers: Vec<Tier>,
    /// By action: seconds for the body of a response.
    bodies_s: Vec<f64>,
    spans: Vec<Span>,
    begun: u64,
    left: u64,
}

/// Plays one replication; `None` where `stop` was raised.
///
/// # Panics
/// Where requests got lost, which is a mistake in the engine.
#[must_use]
pub fn play(
    setup: &Setup<'_>,
    line: &Line,
    tally: Tally,
    (seed, replication): (u64, u64),
    mut requests: Arrivals<'_>,
    stop: &AtomicBool,
) -> Option<Tally> {
    let stage = Stage::new(setup, seed, replication);
    let mut play = Play::new(setup, line, tally, stage);
    if let Some(half_trip) = play.lone() {
        return lone::play(play, half_trip, requests, stop);
    }
    let mut more = true;
    while more {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let mut until_s = 0.0;
        for _ in 0..BATCH {
            more = requests.advance();
            if !more {
                break;
            }
            until_s = requests.current().at_s;
            play.begin(requests.current());
        }
        if !more {
            until_s = f64::INFINITY;
        }
        for position in 0..play.tiers.len() {
            play.through(position, until_s);
        }
    }
    Some(play.end())
}

impl<'a> Play<'a> {
    fn new(setup: &Setup<'_>, line: &'a Line, tally: Tally, stage: Stage) -> Self {
        let Stage { tiers, pools, .. } = stage;
        let mut played: Vec<Option<Tier>> = line.order.iter().map(|_| None).collect();
        for (id, tier) in tiers.into_iter().enumerate() {
            let (Some(position), Some(station)) = (line.position(id), tier.station) else { continue };
            let pools: Vec<Pool> = pools.iter().filter(|p| p.tier == id).cloned().collect();
            let servers: u32 = pools.iter().map(|p| p.servers).sum();
            played[position] = Some(Tier {
                id,
                scope: tier.scope,
                servers: (0..servers).map(|_| Server::new(station.concurrency)).collect(),
                station,
                pools,
                first_server: tier.first_server,
                inbox: Vec::new(),
                slots: [(); 3].map(|()| tally.slots()),
            });
        }
        Self {
            line,
            tally,
            tiers: played.into_iter().flatten().collect(),
            bodies_s: setup.access_s.clone(),
            spans: Vec::new(),
            begun: 0,
            left: 0,
        }
    }

    /// Half a round trip, where all there is is one pool of one tier, and it is the same for all.
    fn lone(&self) -> Option<f64> {
        let [tier] = &self.tiers[..] else { return None };
        let half_trip = self.line.chains.first()?.first()?.half_trip;
        let same = self.line.chains.iter().flatten().all(|stop| stop.half_trip == half_trip);
        (same && tier.pools.len() == 1).then_some(half_trip)
    }

    fn end(self) -> Tally {
        assert_eq!(self.begun, self.left, "requests were lost inside the simulation");
        self.tally
    }

    fn begin(&mut self, request: &Request) {
        self.begun += 1;
        self.tally.advance(request.at_s);
        let slot = self.tally.slot();
        let (action, region) = (request.action as u16, request.region as u16);
        self.tally.requests(action, region, slot, 1);
        let first = &self.line.chains[request.action][0];
        self.tiers[first.position].inbox.push(Customer {
            at_s: later(request.at_s, first.half_trip),
            born: request.at_s,
            site: request.site,
            action,
            region,
            slot,
            stop: 0,
        });
    }

    /// All who reach a tier until then are served there, and go on.
    fn through(&mut self, position: usize, until_s: f64) {
        let mut inbox = std::mem::take(&mut self.tiers[position].inbox);
        if !inbox.is_sorted_by(|a, b| a.at_s <= b.at_s) {
            // Stable, and fast where runs are in order already, as they are here.
            inbox.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        }
        let ready = inbox.partition_point(|c| c.at_s <= until_s);
        self.serve(position, &inbox[..ready]);
        inbox.drain(..ready);
        // Nobody reaches a tier again behind it.
        self.tiers[position].inbox = inbox;
    }

    fn serve(&mut self, position: usize, ready: &[Customer]) {
        // A loop for each thing that is done: short ones, whose figures stay in registers.
        let mut spans = std::mem::take(&mut self.spans);
        spans.clear();
        let tier = &mut self.tiers[position];
        tier.admit_all(ready, &mut spans);
        tier.count(ready, &spans, &mut self.tally);
        self.count_calls(ready);
        self.send_on(ready, &spans);
        self.spans = spans;
    }

    fn count_calls(&mut self, ready: &[Customer]) {
        let alike = |a: &Customer, b: &Customer| {
            (a.action, a.stop, a.region, a.slot) == (b.action, b.stop, b.region, b.slot)
        };
        for run in ready.chunk_by(alike) {
            let Customer { action, stop, region, slot, .. } = run[0];
            let site = self.line.chains[action as usize][stop as usize].site;
            self.tally.calls(site, region, slot, run.len() as u32);
        }
    }

    /// Customers go on to their next tier, or answers back.
    fn send_on(&mut self, ready: &[Customer], spans: &[Span]) {
        let line = self.line;
        for (customer, span) in ready.iter().zip(spans) {
            let next = line.chains[customer.action as usize].get(customer.stop as usize + 1);
            match next {
                _ if span.is_rejected() => self.leave(customer, customer.at_s, true),
                None => self.leave(customer, span.finish, false),
                Some(next) => {
                    let at_s = later(span.finish, next.half_trip);
                    let next_one = Customer { at_s, stop: customer.stop + 1, ..*customer };
                    self.tiers[next.position].inbox.push(next_one);
                }
            }
        }
    }

    /// The answer goes back the way that the request came.
    #[inline]
    fn leave(&mut self, customer: &Customer, from_s: f64, failed: bool) {
        self.left += 1;
        let chain = &self.line.chains[customer.action as usize][..=customer.stop as usize];
        let at_s = chain.iter().rev().fold(from_s, |at_s, stop| later(at_s, stop.half_trip));
        let took = (!failed).then(|| {
            let first_byte = at_s - customer.born;
            (first_byte, first_byte + self.bodies_s[customer.action as usize])
        });
        self.tally.left((customer.action, customer.region, customer.slot), customer.born, took);
    }
}

impl Span {
    const REJECTED: Self = Self { start: f64::INFINITY, finish: f64::INFINITY, duration: 0.0, place: 0 };

    fn is_rejected(&self) -> bool {
        self.start == f64::INFINITY
    }
}

impl Tier {
    /// Says of everybody who comes when they are served.
    fn admit_all(&mut self, ready: &[Customer], spans: &mut Vec<Span>) {
        let queue_max = self.station.queue_max;
        spans.extend(ready.iter().map(|customer| {
            let (server, place) = self.server_for(customer);
            let server = &mut self.servers[server];
            let Some(start) = server.admit(customer.at_s, queue_max) else {
                return Span { place, ..Span::REJECTED };
            };
            let duration = self.station.services.next();
            let finish = start + duration;
            server.serves_until(finish);
            Span { start, finish, duration, place }
        }));
    }

    fn count(&mut self, ready: &[Customer], spans: &[Span], tally: &mut Tally) {
        let [arrivals, starts, ends] = &mut self.slots;
        let mut sums = Running::new(self.id);
        for (customer, span) in ready.iter().zip(spans) {
            let sums = sums.of(arrivals.at(customer.at_s), span.place, tally);
            sums.arrivals += 1;
            sums.rejected += u64::from(span.is_rejected());
        }
        sums.add_to(tally);
        let mut sums = Running::new(self.id);
        for (customer, span) in ready.iter().zip(spans).filter(|(_, span)| !span.is_rejected()) {
            let slot = starts.at(span.start);
            let sums = sums.of(slot, span.place, tally);
            let wait_s = span.start - customer.at_s;
            sums.started += 1;
            sums.wait_s += wait_s;
            sums.work_s += span.duration;
            tally.waited(slot, self.id, wait_s);
        }
        sums.add_to(tally);
        for (customer, span) in ready.iter().zip(spans).filter(|(_, span)| !span.is_rejected()) {
            tally.stayed(ends.at(span.finish), self.id, span.finish - customer.at_s);
        }
    }

    /// The server that a customer goes to, by position, and the place of its pool.
    #[inline]
    fn server_for(&mut self, customer: &Customer) -> (usize, u16) {
        let instance = match self.scope {
            Scope::Site => customer.site as usize,
            Scope::Region => customer.region as usize,
            Scope::User | Scope::Global => 0,
        };
        self.choose(instance)
    }

    /// The next server of a pool, by position, and the pool's place.
    #[inline]
    fn choose(&mut self, instance: usize) -> (usize, u16) {
        let pool = &mut self.pools[instance];
        let n = pool.servers;
        let chosen = match self.station.balance {
            _ if n == 1 => 0,
            Balance::RoundRobin => {
                pool.next = (pool.next + 1) % n;
                pool.next
            }
            _ => self.station.choices.below(u64::from(n)) as u32,
        };
        ((pool.first - self.first_server + chosen) as usize, pool.place)
    }
}

/// A moment half a round trip later, as the calendar adds it.
#[inline]
fn later(at_s: f64, half_trip: f64) -> f64 {
    if half_trip > 0.0 { at_s + half_trip } else { at_s }
}
