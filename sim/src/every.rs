//! Every request, one by one, on an event calendar: for scenarios small enough, such as the scaled-down one
//! that the reference stack plays. The requests are those of [`plimsoll_scenarios::trace`], so the load
//! generator sends the very same ones.
//!
//! A request goes from tier to tier: half a round trip, the queue, a slot, then the cache; on a miss on to
//! the next tier, and back the same way. A slot is released before the next tier is called. Misses of one
//! object at one cache while it is being fetched wait for that one fetch.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering as Atomic};

use plimsoll_scenarios::distribution::Sampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::trace::{self, Request};
use plimsoll_scenarios::{Balance, Scenario, Scope, TierId};

use crate::cache::{Cache, Sizes};
use crate::flow::{Cause, Flow};
use crate::model::{self, Route, transfer_time};
use crate::outcome::{Counted, Outcome, StationSlot};
use crate::threads::parallel;

/// How a run of every request is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    pub replications: u64,
    pub threads: usize,
    /// Seconds before the counted ones.
    pub warmup_s: f64,
    pub duration_s: f64,
}

/// Slots in the results.
const SLOTS: usize = 40;
/// Events between two looks at `stop`.
const STOP_EVERY: u64 = 1 << 10;

/// Plays the run. Where `stop` ended it early, what comes back has the replications that were complete and
/// is partial; `None` where there were none.
pub fn play(
    scenario: &Scenario,
    plan: Plan,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Option<(Outcome, bool)> {
    let done = AtomicU64::new(0);
    let jobs: Vec<u64> = (0..plan.replications).collect();
    let counted = parallel(&jobs, plan.threads, stop, |&replication| {
        let counted = Calendar::new(scenario, plan, replication).run(stop);
        progress((done.fetch_add(1, Atomic::Relaxed) + 1) as f64 / plan.replications as f64);
        counted
    });
    let counted: Vec<Counted> = counted.into_iter().flatten().flatten().collect();
    if counted.is_empty() {
        return None;
    }
    let partial = counted.len() < jobs.len();
    let together =
        (0..scenario.tiers.len()).map(|t| model::pool(scenario, t, 0).map_or(1, |p| p.servers)).collect();
    let outcome = Outcome {
        counted,
        slot_s: plan.duration_s / SLOTS as f64,
        slots: SLOTS,
        mode: "every request",
        objects_per_sample: 1,
        notes: vec![
            "latencies are those of requests that leave the device".to_owned(),
            "replications share the requests and differ in service times".to_owned(),
        ],
        simulated_servers: together,
    };
    Some((outcome, partial))
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Reaches the tier at its position.
    Arrive,
    /// Leaves the slot of a server.
    Finish { server: u32 },
    /// The answer of the tier at its position starts its way back.
    Answer,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    at_s: f64,
    sequence: u64,
    job: u32,
    kind: Kind,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    /// The heap's greatest is the earliest; ties in the order in which they were scheduled.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at_s.total_cmp(&self.at_s).then(other.sequence.cmp(&self.sequence))
    }
}

/// A request in flight, or a message sent without waiting (then `branch` is its call).
#[derive(Debug, Clone)]
struct Job {
    request: Request,
    position: usize,
    /// Its call in the flow list and the tier of that, for a message.
    branch: Option<(usize, TierId)>,
    failed: bool,
    /// Server chosen at each position of the path, for caches that servers have of their own.
    server: u32,
    /// Positions at which this job fetches for a cache, and from which server's cache it was missed.
    fetching: Vec<(usize, u32)>,
}

#[derive(Debug, Default)]
struct Server {
    busy: usize,
    queue: VecDeque<(u32, f64)>,
}

#[derive(Debug)]
struct Instance {
    servers: Vec<Server>,
    /// One, or one per server.
    caches: Vec<Cache>,
    /// Objects being fetched, by cache, and who waits for them.
    fetches: HashMap<(u32, u32), Vec<u32>>,
    next: usize,
}

struct StationPlay {
    sampler: Sampler,
    services: Stream,
    concurrency: usize,
    queue_max: usize,
    balance: Balance,
}

struct Calendar<'a> {
    scenario: &'a Scenario,
    plan: Plan,
    routes: Vec<Route>,
    /// By action: the first call of its path in the flow list, and those of its messages.
    first_call: Vec<usize>,
    messages: Vec<Vec<usize>>,
    tiers: Vec<Vec<Instance>>,
    stations: Vec<Option<StationPlay>>,
    choices: Stream,
    first_id: Vec<u32>,
    transfers: Vec<f64>,
    heap: BinaryHeap<Event>,
    sequence: u64,
    jobs: Vec<Job>,
    free: Vec<u32>,
    counted: Counted,
    sums: Vec<Vec<SlotSums>>,
    in_flight: u64,
    arrived: u64,
    done: u64,
}

/// What a station saw in a slot.
#[derive(Debug, Clone, Copy, Default)]
struct SlotSums {
    arrivals: u64,
    rejected: u64,
    started: u64,
    wait_s: f64,
    work_s: f64,
}

impl<'a> Calendar<'a> {
    fn new(scenario: &'a Scenario, plan: Plan, replication: u64) -> Self {
        let mut first_id = Vec::new();
        let mut ids = 0_u32;
        let mut ranges = Vec::new();
        for dataset in scenario.datasets.values() {
            first_id.push(ids);
            ranges.push((ids, dataset.size.get() as u64));
            ids = ids.saturating_add(dataset.count.get().min(f64::from(u32::MAX / 2)) as u32);
        }
        let sizes = if let [(_, size)] = ranges[..] { Sizes::Same(size) } else { Sizes::Ranges(ranges) };
        let stations = (0..scenario.tiers.len())
            .map(|t| {
                let station = scenario.tiers[t].station.as_ref()?;
                Some(StationPlay {
                    sampler: station.service_time.sampler(),
                    services: Stream::new(plan.seed, scenario.tier_name(t), "services", replication),
                    concurrency: station.concurrency.get() as usize,
                    queue_max: station.queue_max as usize,
                    balance: station.balance,
                })
            })
            .collect();
        let routes: Vec<Route> = scenario.actions.values().map(|a| Route::of(scenario, a)).collect();
        let flow = Flow::of(scenario);
        let of = |action: usize, cause: Cause| {
            let nodes = flow.nodes.iter().enumerate();
            nodes.filter(move |(_, n)| n.action == action && n.cause == cause).map(|(i, _)| i)
        };
        let actions = 0..scenario.actions.len();
        let first_call = actions.clone().map(|a| of(a, Cause::Request).next().unwrap_or(0)).collect();
        let messages = actions.map(|a| of(a, Cause::Message).collect()).collect();
        let counted = Counted::new(scenario, &flow, SLOTS);
        let transfers = routes.iter().enumerate().map(|(a, r)| transfer_time(scenario, a, r)).collect();
        Self {
            scenario,
            plan,
            tiers: (0..scenario.tiers.len()).map(|t| instances(scenario, t, ids, &sizes)).collect(),
            routes,
            first_call,
            messages,
            stations,
            choices: Stream::new(plan.seed, "calendar", "balance", replication),
            first_id,
            transfers,
            heap: BinaryHeap::new(),
            sequence: 0,
            jobs: Vec::new(),
            free: Vec::new(),
            counted,
            sums: vec![vec![SlotSums::default(); SLOTS]; scenario.tiers.len()],
            in_flight: 0,
            arrived: 0,
            done: 0,
        }
    }

    fn run(mut self, stop: &AtomicBool) -> Option<Counted> {
        let scenario = self.scenario;
        let end_s = self.plan.warmup_s + self.plan.duration_s;
        let mut requests = trace::requests(scenario, self.plan.seed, end_s).peekable();
        let mut steps = 0_u64;
        loop {
            steps += 1;
            if steps.is_multiple_of(STOP_EVERY) && stop.load(Atomic::Relaxed) {
                return None;
            }
            let next_event = self.heap.peek().map_or(f64::INFINITY, |e| e.at_s);
            match requests.peek() {
                Some(request) if request.at_s <= next_event => {
                    let request = *request;
                    requests.next();
                    self.begin(request);
                }
                _ => match self.heap.pop() {
                    Some(event) => self.handle(event),
                    None => break,
                },
            }
        }
        // Conservation: everything that came has left, once the calendar is empty.
        assert_eq!(self.arrived, self.done, "requests were lost inside the simulation");
        assert_eq!(self.in_flight, 0, "requests are still in flight and no event is left");
        self.finish();
        Some(self.counted)
    }

    fn schedule(&mut self, at_s: f64, job: u32, kind: Kind) {
        self.sequence += 1;
        self.heap.push(Event { at_s, sequence: self.sequence, job, kind });
    }

    fn new_job(&mut self, job: Job) -> u32 {
        self.arrived += 1;
        self.in_flight += 1;
        if let Some(id) = self.free.pop() {
            self.jobs[id as usize] = job;
            return id;
        }
        self.jobs.push(job);
        (self.jobs.len() - 1) as u32
    }

    fn begin(&mut self, request: Request) {
        let scenario = self.scenario;
        let action = &scenario.actions[request.action];
        let entry = self.routes[request.action].entry;
        let job =
            Job { request, position: entry, branch: None, failed: false, server: 0, fetching: Vec::new() };
        if let Some(slot) = self.slot_of(request.at_s) {
            self.counted.simulated_requests += 1;
            let region = request.region as usize;
            self.counted.requests[request.action][region][slot] += 1.0;
            for position in 0..entry {
                let call = self.first_call[request.action] + position;
                self.counted.calls[call][region][slot] += 1.0;
                if request.local {
                    self.counted.hits[call][region][slot] += 1.0;
                    break;
                }
            }
        }
        for (i, branch) in action.then.iter().enumerate() {
            let mut message = job.clone();
            message.branch = Some((self.messages[request.action][i], branch.tier));
            let id = self.new_job(message);
            self.schedule(request.at_s + self.half_trip(branch.tier), id, Kind::Arrive);
        }
        if request.local {
            return;
        }
        let tier = self.routes[request.action].path[entry];
        let id = self.new_job(job);
        self.schedule(request.at_s + self.half_trip(tier), id, Kind::Arrive);
    }

    fn half_trip(&self, tier: TierId) -> f64 {
        self.scenario.tiers[tier].rtt.as_ref().map_or(0.0, |d| d.get() / 2.0)
    }

    fn slot_of(&self, at_s: f64) -> Option<usize> {
        let since = at_s - self.plan.warmup_s;
        (since >= 0.0 && since < self.plan.duration_s)
            .then(|| ((since / self.plan.duration_s * SLOTS as f64) as usize).min(SLOTS - 1))
    }

    fn tier_of(&self, job: u32) -> TierId {
        let job = &self.jobs[job as usize];
        let on_path = || self.routes[job.request.action].path[job.position];
        job.branch.map_or_else(on_path, |(_, tier)| tier)
    }

    /// Where a job's call is counted: its call in the flow list, region and slot; `None` outside of the run.
    fn place_of(&self, job: u32) -> Option<(usize, usize, usize)> {
        let job = &self.jobs[job as usize];
        let slot = self.slot_of(job.request.at_s)?;
        let on_path = || self.first_call[job.request.action] + job.position;
        let call = job.branch.map_or_else(on_path, |(call, _)| call);
        Some((call, job.request.region as usize, slot))
    }

    fn count_hit(&mut self, job: u32) {
        if let Some((call, region, slot)) = self.place_of(job) {
            self.counted.hits[call][region][slot] += 1.0;
        }
    }

    fn instance_of(&self, job: u32, tier: TierId) -> usize {
        let request = &self.jobs[job as usize].request;
        match self.scenario.tiers[tier].scope {
            Scope::Site => request.site as usize,
            Scope::Region => request.region as usize,
            _ => 0,
        }
    }

    fn handle(&mut self, event: Event) {
        match event.kind {
            Kind::Arrive => self.arrive(event.job, event.at_s),
            Kind::Finish { server } => self.finish_service(event.job, server, event.at_s),
            Kind::Answer => self.answer(event.job, event.at_s),
        }
    }

    fn arrive(&mut self, job: u32, now: f64) {
        let tier = self.tier_of(job);
        let instance = self.instance_of(job, tier);
        let slot = self.slot_of(now);
        if let Some((call, region, slot)) = self.place_of(job) {
            self.counted.calls[call][region][slot] += 1.0;
        }
        let Some(station) = &self.stations[tier] else {
            self.serve(job, tier, instance, 0, now);
            return;
        };
        let (concurrency, queue_max, balance) = (station.concurrency, station.queue_max, station.balance);
        let server = choose(&mut self.tiers[tier][instance], balance, &mut self.choices);
        self.jobs[job as usize].server = server as u32;
        if let Some(slot) = slot {
            self.sums[tier][slot].arrivals += 1;
        }
        let waiting = &mut self.tiers[tier][instance].servers[server];
        if waiting.busy < concurrency {
            waiting.busy += 1;
            self.start(job, tier, server, now, now);
        } else if waiting.queue.len() < queue_max {
            waiting.queue.push_back((job, now));
        } else {
            if let Some(slot) = slot {
                self.sums[tier][slot].rejected += 1;
            }
            self.jobs[job as usize].failed = true;
            self.schedule(now, job, Kind::Answer);
        }
    }

    fn start(&mut self, job: u32, tier: TierId, server: usize, arrived: f64, now: f64) {
        let Some(station) = &mut self.stations[tier] else { return };
        let duration = station.sampler.draw(&mut station.services);
        if let Some(slot) = self.slot_of(now) {
            let sums = &mut self.sums[tier][slot];
            sums.started += 1;
            sums.wait_s += now - arrived;
            sums.work_s += duration;
            self.counted.waits[tier].record(now - arrived);
            self.counted.sojourns[tier].record(now - arrived + duration);
            self.counted.simulated_customers += 1;
        }
        self.schedule(now + duration, job, Kind::Finish { server: server as u32 });
    }

    fn finish_service(&mut self, job: u32, server: u32, now: f64) {
        let tier = self.tier_of(job);
        let instance = self.instance_of(job, tier);
        let here = &mut self.tiers[tier][instance].servers[server as usize];
        match here.queue.pop_front() {
            Some((next, arrived)) => self.start(next, tier, server as usize, arrived, now),
            None => here.busy -= 1,
        }
        self.serve(job, tier, instance, server, now);
    }

    /// After its service a request is answered from the cache or the store, or goes on.
    fn serve(&mut self, job: u32, tier: TierId, instance: usize, server: u32, now: f64) {
        let this = &self.jobs[job as usize];
        if this.branch.is_some() {
            self.schedule(now, job, Kind::Answer);
            return;
        }
        let (action, position) = (this.request.action, this.position);
        let last = position + 1 == self.routes[action].path.len();
        if self.routes[action].lookup[position] && self.scenario.tiers[tier].scope != Scope::User {
            let id = self.object_id(job);
            let per_server = self.scenario.tiers[tier].cache.as_ref().is_some_and(|c| c.per_server);
            let which = if per_server { server } else { 0 };
            let place = &mut self.tiers[tier][instance];
            if place.caches[which as usize].lookup(id) {
                self.count_hit(job);
                self.schedule(now, job, Kind::Answer);
                return;
            }
            if !last {
                if let Some(waiting) = place.fetches.get_mut(&(which, id)) {
                    waiting.push(job);
                    return;
                }
                place.fetches.insert((which, id), Vec::new());
                self.jobs[job as usize].fetching.push((position, which));
            }
        }
        if last {
            self.schedule(now, job, Kind::Answer);
            return;
        }
        self.jobs[job as usize].position += 1;
        let next = self.routes[action].path[position + 1];
        self.schedule(now + self.half_trip(next), job, Kind::Arrive);
    }

    fn object_id(&self, job: u32) -> u32 {
        let request = &self.jobs[job as usize].request;
        let dataset = self.scenario.actions[request.action].of.unwrap_or(0);
        self.first_id.get(dataset).copied().unwrap_or(0) + request.object as u32
    }

    /// The answer leaves the tier at the job's position: what was fetched is cached, who waited for it goes
    /// along, and half a round trip later the caller has it.
    fn answer(&mut self, job: u32, now: f64) {
        let tier = self.tier_of(job);
        let (position, branch, failed) = {
            let this = &self.jobs[job as usize];
            (this.position, this.branch, this.failed)
        };
        let fetched = self.jobs[job as usize].fetching.last().copied().filter(|(at, _)| *at == position);
        if let (Some((_, which)), None) = (fetched, branch) {
            self.jobs[job as usize].fetching.pop();
            let (instance, id) = (self.instance_of(job, tier), self.object_id(job));
            let place = &mut self.tiers[tier][instance];
            let waiting = place.fetches.remove(&(which, id)).unwrap_or_default();
            if !failed {
                place.caches[which as usize].insert(id);
            }
            for other in waiting {
                self.jobs[other as usize].failed = failed;
                // Who waited at a cache got the answer there, and no tier behind it saw them.
                if !failed {
                    self.count_hit(other);
                }
                self.schedule(now, other, Kind::Answer);
            }
        }
        let back = now + self.half_trip(tier);
        let entry = self.routes[self.jobs[job as usize].request.action].entry;
        if branch.is_some() || position <= entry {
            self.leave(job, back);
            return;
        }
        self.jobs[job as usize].position -= 1;
        self.schedule(back, job, Kind::Answer);
    }

    fn leave(&mut self, job: u32, now: f64) {
        let this = &self.jobs[job as usize];
        let (request, failed, is_branch) = (this.request, this.failed, this.branch.is_some());
        self.done += 1;
        self.in_flight -= 1;
        self.free.push(job);
        let Some(slot) = self.slot_of(request.at_s).filter(|_| !is_branch) else { return };
        let (action, region) = (request.action, request.region as usize);
        if failed {
            self.counted.failed[action][region][slot] += 1.0;
            return;
        }
        let first_byte = now - request.at_s;
        self.counted.first_byte[action].record(first_byte);
        self.counted.first_byte_slots[action][slot].record(first_byte);
        self.counted.complete[action].record(first_byte + self.transfers[action]);
    }

    /// Turns sums into shares and means.
    fn finish(&mut self) {
        let slot_s = self.plan.duration_s / SLOTS as f64;
        for (tier, slots) in self.sums.iter().enumerate() {
            let Some(pool) = model::pool(self.scenario, tier, 0) else { continue };
            let total =
                (pool.servers * pool.concurrency * model::instances_at(self.scenario, tier, 0)) as f64;
            for (slot, sums) in slots.iter().enumerate() {
                self.counted.stations[tier][0][slot] = StationSlot {
                    utilisation: sums.work_s / (slot_s * total),
                    wait_mean_s: sums.wait_s / sums.started.max(1) as f64,
                    held_mean_s: sums.work_s / sums.started.max(1) as f64,
                    queue: sums.wait_s / slot_s,
                    rejected_share: sums.rejected as f64 / sums.arrivals.max(1) as f64,
                };
            }
        }
        for action in 0..self.scenario.actions.len() {
            for region in 0..self.scenario.population.regions.len() {
                for slot in 0..SLOTS {
                    let all = self.counted.requests[action][region][slot];
                    let failed = &mut self.counted.failed[action][region][slot];
                    *failed = if all > 0.0 { *failed / all } else { 0.0 };
                }
            }
        }
    }
}

fn instances(scenario: &Scenario, tier: TierId, ids: u32, sizes: &Sizes) -> Vec<Instance> {
    let cache = scenario.tiers[tier].cache.as_ref().filter(|_| scenario.tiers[tier].scope != Scope::User);
    let mut made = Vec::new();
    for place in 0..model::places(scenario, tier) {
        for _ in 0..model::instances_at(scenario, tier, place) {
            let servers = model::pool(scenario, tier, place).map_or(1, |p| p.servers) as usize;
            let caches = cache.map_or(0, |c| if c.per_server { servers } else { 1 });
            made.push(Instance {
                servers: (0..servers).map(|_| Server::default()).collect(),
                caches: (0..caches)
                    .filter_map(|_| {
                        cache.map(|c| Cache::new(c.policy, ids, c.capacity.get() as u64, sizes.clone()))
                    })
                    .collect(),
                fetches: HashMap::new(),
                next: 0,
            });
        }
    }
    made
}

fn choose(instance: &mut Instance, balance: Balance, choices: &mut Stream) -> usize {
    let n = instance.servers.len();
    if n == 1 {
        return 0;
    }
    match balance {
        Balance::Random => choices.below(n as u64) as usize,
        Balance::RoundRobin => {
            instance.next = (instance.next + 1) % n;
            instance.next
        }
        Balance::LeastConnections => {
            instance.next = (instance.next + 1) % n;
            let start = instance.next;
            let load = |i: usize| instance.servers[i].busy + instance.servers[i].queue.len();
            (0..n).map(|i| (start + i) % n).min_by_key(|&i| load(i)).unwrap_or(0)
        }
    }
}
