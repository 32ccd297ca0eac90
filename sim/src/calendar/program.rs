//! The plan of calls: every action's tree of calls as flat tables, made once before anything is played.
//!
//! Why tables: the trees of a scenario are boxes in boxes with names and ranges. What is played billions of times
//! wants the next step at the next index and every figure worked out. A part of the plan is a range of steps; a
//! call is what [`Flow`](crate::flow::Flow) has at the same position, so that counts go by the same numbers.

use plimsoll_scenarios::{
    ActionId, Call, Calls, Client, DatasetId, Jitter, Scenario, Scheme, Scope, TierId, WaitFor,
};

use super::disks::DISK_QUEUE_MAX;
use crate::analytic::caches;
use crate::model;

/// A range of steps, made one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    pub from: u32,
    pub to: u32,
}

/// One step of a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// A call, perhaps several.
    Call(u32),
    /// Branches `from..to`, all at once, `needed` of which are waited for.
    Group { from: u32, to: u32, needed: u32 },
    /// A branch that nobody waits for.
    Async(u32),
}

/// One of several things done at once.
#[derive(Debug, Clone, Copy)]
pub struct Branch {
    pub part: Part,
    /// Its only step, where that is a call.
    pub only: Option<u32>,
}

/// A whole number, or one of two neighbours that make up a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    pub least: u32,
    /// Probability of one more.
    pub more: f64,
}

impl Times {
    fn of(mean: f64) -> Self {
        Self { least: mean as u32, more: mean.fract() }
    }

    /// Always once.
    pub const fn is_one(self) -> bool {
        self.least == 1 && self.more == 0.0
    }
}

/// What a call, or a copy's share of one, does to the disks of its server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disk {
    /// Seconds that its operations keep them busy.
    pub busy_s: f64,
    /// Wait beyond which one more is turned away.
    pub wait_max_s: f64,
    /// They are those of a cache: a call uses them if it is found there.
    pub of_cache: bool,
}

/// What becomes of the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// It goes to a user, who has the first byte at once.
    ToUser,
    /// The caller passes it on as it comes.
    PassedOn,
    /// The caller needs all of it.
    Whole,
}

/// One call of the plan.
#[expect(clippy::struct_excessive_bools, reason = "what is worked out beforehand, once a call")]
#[derive(Debug, Clone)]
pub struct Site {
    pub tier: TierId,
    pub share: f64,
    pub times: Times,
    pub fan_out: Times,
    pub wait_for: WaitFor,
    /// Copies that do the work, and how many of them must be through.
    pub copies: u32,
    pub copies_needed: u32,
    /// Looked up in the tier's cache.
    pub lookup: bool,
    /// A write that makes the object stale in the tier's cache.
    pub spoils: bool,
    pub dataset: Option<DatasetId>,
    /// It asks for something else than its caller: an object is drawn.
    pub draws: bool,
    /// Half a round trip, seconds; of the farthest region.
    half_trip: f64,
    /// The same by region, where they differ.
    half_trips: Vec<f64>,
    pub response_bits: f64,
    /// The answer has a body, and the tier a link that it goes over; what becomes of it.
    pub sends: bool,
    pub arrives: Body,
    pub disk: Option<Disk>,
    /// It asks for an object, and copies of it lag behind writes.
    pub lags: bool,
    pub write: bool,
    /// What the tier does before it answers.
    pub body: Part,
    /// Once it is served it is answered: nothing is looked up, called, or waited for on the way back.
    pub ends: bool,
    /// Its caller's policy, in [`Program::clients`].
    pub client: Option<u32>,
    /// What comes from a durable queue waits for its turn instead of being turned away.
    pub pulled: bool,
}

impl Site {
    /// Half a round trip in a region, seconds.
    #[inline]
    pub fn half_trip(&self, region: u16) -> f64 {
        self.half_trips.get(usize::from(region)).copied().unwrap_or(self.half_trip)
    }

    /// Half a round trip, where it is the same in every region.
    pub fn one_half_trip(&self) -> Option<f64> {
        self.half_trips.is_empty().then_some(self.half_trip)
    }

    /// Always one call, whose caller waits for it as long as it takes.
    pub const fn is_plain(&self) -> bool {
        self.share >= 1.0 && self.times.is_one() && self.fan_out.is_one() && self.client.is_none()
    }
}

/// What a caller does, worked out.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    pub timeout: Option<u32>,
    pub hedge: Option<u32>,
    pub attempts: u32,
    pub backoff: f64,
    pub factor: f64,
    pub backoff_max: f64,
    pub jitter: Jitter,
    pub budget: Option<f64>,
    pub breaker: Option<BreakerPolicy>,
    pub pool: Option<u32>,
    /// The tier that calls; `None` is the user's device.
    pub caller: Option<TierId>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerPolicy {
    pub failures: f64,
    pub window: f64,
    pub open: f64,
}

/// What an action sets off.
#[derive(Debug, Clone, Default)]
pub struct Root {
    /// Calls on the device, which answers local requests; the others come after them.
    pub device: Vec<u32>,
    pub request: Part,
    /// The only call of the request, where it is one that is always made, once and without a policy: such a request needs
    /// no frame of its own.
    pub only: Option<u32>,
    pub messages: Vec<u32>,
    pub beat: Option<u32>,
}

/// The plan of calls of a scenario.
#[derive(Debug, Clone, Default)]
pub struct Program {
    pub sites: Vec<Site>,
    pub steps: Vec<Step>,
    pub branches: Vec<Branch>,
    pub clients: Vec<Policy>,
    /// Spans of timers, one row each: all timers of a row have the same span, so they end in order.
    pub timers: Vec<f64>,
    pub roots: Vec<Root>,
}

/// What a call does to the disks of each server that takes part in it; `None` where these are no limit.
fn disk(scenario: &Scenario, call: &Call) -> Option<Disk> {
    let tier = &scenario.tiers[call.tier];
    let each_s = 1.0 / tier.store.as_ref()?.iops.as_ref()?.get();
    let busy_s = model::disk_time(scenario, call)?;
    let of_cache = model::has_levels(scenario, call);
    Some(Disk { busy_s, wait_max_s: f64::from(DISK_QUEUE_MAX) * each_s, of_cache })
}

/// Most calls that one step makes at once when it is played.
pub const FAN_OUT_MAX: f64 = 10_000.0;

/// Where a call stands while the plan is made.
#[derive(Clone, Copy)]
struct Context {
    caller: Option<TierId>,
    of: Option<DatasetId>,
    /// Bits that the caller answers with.
    bits: f64,
}

impl Program {
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let mut program = Self::default();
        for id in 0..scenario.actions.len() {
            let root = program.root(scenario, id);
            program.roots.push(root);
        }
        program
    }

    /// Whether a request's answer comes over the link of the tier that it calls.
    #[must_use]
    pub fn answers_by_link(&self, root: &Root) -> bool {
        match self.steps.get(root.request.from as usize) {
            Some(Step::Call(site)) if root.request.from < root.request.to => self.sites[*site as usize].sends,
            _ => false,
        }
    }

    fn root(&mut self, scenario: &Scenario, id: ActionId) -> Root {
        let action = &scenario.actions[id];
        let context = Context { caller: None, of: action.of, bits: action.response.get() * 8.0 };
        let mut root = Root { request: self.part(scenario, &action.calls, context), ..Root::default() };
        // On the device nothing queues: what it does not answer goes on.
        while let [Step::Call(site)] = self.steps[root.request.from as usize..root.request.to as usize] {
            let call = &self.sites[site as usize];
            if scenario.tiers[call.tier].scope != Scope::User {
                break;
            }
            root.device.push(site);
            root.request = call.body;
        }
        root.only = match self.steps[root.request.from as usize..root.request.to as usize] {
            [Step::Call(site)] => Some(site).filter(|&site| self.sites[site as usize].is_plain()),
            _ => None,
        };
        let messages: Vec<Part> =
            action.then.iter().map(|branch| self.part(scenario, &branch.calls, context)).collect();
        root.messages = messages.into_iter().map(|part| self.branch(part)).collect();
        if let Some(beat) = action.connection.as_ref().and_then(|c| c.heartbeat.as_ref()) {
            let part = self.part(scenario, &beat.calls, Context { of: None, ..context });
            root.beat = Some(self.branch(part));
        }
        root
    }

    fn branch(&mut self, part: Part) -> u32 {
        let only = match self.steps[part.from as usize..part.to as usize] {
            [Step::Call(site)] => Some(site),
            _ => None,
        };
        self.branches.push(Branch { part, only });
        (self.branches.len() - 1) as u32
    }

    fn part(&mut self, scenario: &Scenario, calls: &Calls, context: Context) -> Part {
        let mut steps = Vec::new();
        self.lay_out(scenario, calls, context, &mut steps);
        let from = self.steps.len() as u32;
        self.steps.extend(steps);
        Part { from, to: self.steps.len() as u32 }
    }

    /// Calls get their numbers in the order of the flow list: callers first. Paths are at most eight deep.
    fn lay_out(&mut self, scenario: &Scenario, calls: &Calls, context: Context, steps: &mut Vec<Step>) {
        match calls {
            Calls::Nothing => {}
            Calls::One(call) => {
                let here = self.sites.len();
                let site = self.site(scenario, call, context);
                self.sites.push(site);
                let inner = Context { caller: Some(call.tier), of: call.of, bits: call.response.get() * 8.0 };
                let body = self.part(scenario, &call.next, inner);
                let site = &mut self.sites[here];
                site.body = body;
                site.ends = !site.lookup
                    && !site.spoils
                    && body.from == body.to
                    && site.half_trip == 0.0
                    && !site.sends
                    && site.disk.is_none();
                steps.push(Step::Call(here as u32));
            }
            Calls::Sequence(list) => {
                for calls in list {
                    self.lay_out(scenario, calls, context, steps);
                }
            }
            Calls::Parallel { branches, wait_for } => {
                let parts: Vec<Part> = branches.iter().map(|b| self.part(scenario, b, context)).collect();
                let from = self.branches.len() as u32;
                for part in parts {
                    self.branch(part);
                }
                let needed = wait_for.of(branches.len()) as u32;
                steps.push(Step::Group { from, to: self.branches.len() as u32, needed });
            }
            Calls::Async(calls) => {
                let part = self.part(scenario, calls, context);
                let branch = self.branch(part);
                steps.push(Step::Async(branch));
            }
        }
    }

    fn site(&mut self, scenario: &Scenario, call: &Call, context: Context) -> Site {
        let tier = &scenario.tiers[call.tier];
        let copies = if tier.station.is_some() { model::work(scenario, call) as u32 } else { 1 };
        let copies_needed = match tier.replication.scheme {
            Scheme::Copies { write, .. } if call.write => write,
            _ => copies,
        };
        let client = (!call.client.is_plain()).then(|| self.policy(&call.client, context.caller));
        let regions = 0..scenario.population.regions.len();
        let half_trips: Vec<f64> = regions.map(|r| scenario.round_trip(call, r) / 2.0).collect();
        let alike = half_trips.iter().all(|half| *half == half_trips[0]);
        let bits = call.response.get() * 8.0;
        let on_device = context.caller.is_none_or(|t| scenario.tiers[t].scope == Scope::User);
        let same = call.of.is_some() && call.of == context.of && bits == context.bits;
        let pulled = context.caller.is_some_and(|t| scenario.tiers[t].queue.is_some());
        Site {
            tier: call.tier,
            share: call.share.get(),
            times: Times::of(call.times.get()),
            fan_out: Times::of(call.fan_out.get().min(FAN_OUT_MAX)),
            wait_for: call.wait_for,
            copies: copies.max(1),
            copies_needed: copies_needed.clamp(1, copies.max(1)),
            lookup: scenario.call_looks_up(call),
            spoils: caches::spoils(scenario, call),
            dataset: call.of,
            draws: call.of.is_some() && call.of != context.of,
            half_trip: half_trips.iter().copied().fold(0.0, f64::max),
            half_trips: if alike { Vec::new() } else { half_trips },
            response_bits: bits,
            sends: bits > 0.0 && tier.link.is_some() && tier.scope != Scope::User,
            disk: disk(scenario, call),
            lags: call.of.is_some() && tier.replication.lag.is_some(),
            write: call.write,
            arrives: match (on_device, same) {
                (true, _) => Body::ToUser,
                (_, true) => Body::PassedOn,
                _ => Body::Whole,
            },
            body: Part::default(),
            ends: false,
            client,
            pulled,
        }
    }

    fn policy(&mut self, client: &Client, caller: Option<TierId>) -> u32 {
        let mut row = |span: f64| {
            self.timers.push(span);
            (self.timers.len() - 1) as u32
        };
        let timeout = client.timeout.as_ref().map(|t| row(t.get()));
        let hedge = client.hedge.as_ref().map(|h| row(h.after.get()));
        let retries = client.retries.as_ref();
        self.clients.push(Policy {
            timeout,
            hedge,
            attempts: retries.map_or(1, |r| r.attempts),
            backoff: retries.map_or(0.0, |r| r.backoff.get()),
            factor: retries.map_or(1.0, |r| r.factor.get()),
            backoff_max: retries
                .and_then(|r| r.max.as_ref())
                .map_or(f64::INFINITY, plimsoll_scenarios::units::Quantity::get),
            jitter: retries.map_or(Jitter::None, |r| r.jitter),
            budget: retries.and_then(|r| r.budget.as_ref()).map(plimsoll_scenarios::units::Quantity::get),
            breaker: client.breaker.as_ref().map(|b| BreakerPolicy {
                failures: b.failures.get(),
                window: b.window.get(),
                open: b.open.get(),
            }),
            // A device calls for one user; its connections are its own.
            pool: client.pool.filter(|_| caller.is_some()),
            caller,
        });
        (self.clients.len() - 1) as u32
    }
}
