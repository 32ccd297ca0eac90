//! The requests as the events of the day make them: crowds on top, releases everybody asks for, regions that are
//! lost.
//!
//! Why on top of the usual requests and not instead: outside of its time an event changes no request, so a day
//! with it and a day without it share all others.

use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::trace::{self, Request, Requests};
use plimsoll_scenarios::{ActionId, DatasetId, Demand, EventKind, Scenario};

use super::changes::ends;

/// Something that befalls requests between two times.
#[derive(Debug)]
struct During<T> {
    from_s: f64,
    to_s: f64,
    what: T,
}

impl<T> During<T> {
    fn at(&self, now: f64) -> bool {
        (self.from_s..self.to_s).contains(&now)
    }
}

/// Fewer than usual: the share of an action's requests in a region that are still made.
#[derive(Debug)]
struct Fewer {
    actions: Vec<bool>,
    region: Option<usize>,
    left: f64,
}

/// Times that are read together.
const AHEAD: usize = 64;

/// The requests of a run, in order of time.
pub struct Arrivals<'a> {
    scenario: &'a Scenario,
    /// The usual ones first, then every crowd.
    sources: Vec<(Requests<'a>, Option<Request>)>,
    /// Nothing but the usual ones is to come.
    plain: bool,
    /// What all requests are like, where they are; then their times, many at a time, and how many of these are over.
    alike: Option<Request>,
    times: Vec<f64>,
    over: usize,
    current: Request,
    fewer: Vec<During<Fewer>>,
    releases: Vec<During<(DatasetId, f64)>>,
    lost: Vec<During<usize>>,
    draws: Stream,
}

impl<'a> Arrivals<'a> {
    /// From a time of the day to another, seconds after midnight UTC.
    #[must_use]
    pub fn new(scenario: &'a Scenario, seed: u64, from_s: f64, to_s: f64) -> Self {
        let mut arrivals = Self {
            scenario,
            sources: vec![(trace::between(scenario, seed, (from_s, to_s), "", &|_, _| 1.0), None)],
            plain: false,
            alike: None,
            times: Vec::new(),
            over: 0,
            current: Request::NONE,
            fewer: Vec::new(),
            releases: Vec::new(),
            lost: Vec::new(),
            draws: Stream::new(seed, "calendar", "events", 0),
        };
        for (i, event) in scenario.events.iter().enumerate() {
            let (from, to) = (event.at_s, ends(event));
            match &event.kind {
                EventKind::FlashCrowd { factor, region, action } => {
                    let actions = affected(scenario, *action);
                    let more = factor.get() - 1.0;
                    if more <= 0.0 {
                        let what = Fewer { actions, region: *region, left: factor.get() };
                        arrivals.fewer.push(During { from_s: from, to_s: to, what });
                        continue;
                    }
                    let there = |a: ActionId, r: usize| {
                        if actions[a] && region.is_none_or(|only| only == r) { more } else { 0.0 }
                    };
                    let span = (from.max(from_s), to.min(to_s));
                    let crowd = trace::between(scenario, seed, span, &format!("crowd {i} "), &there);
                    arrivals.sources.push((crowd, None));
                }
                EventKind::HotRelease { of, share } => {
                    arrivals.releases.push(During { from_s: from, to_s: to, what: (*of, share.get()) });
                }
                EventKind::RegionDown { region } => {
                    arrivals.lost.push(During { from_s: from, to_s: to, what: *region });
                }
                _ => {}
            }
        }
        arrivals.plain = arrivals.sources.len() == 1 && !arrivals.eventful();
        arrivals.alike = arrivals.sources[0].0.alike().filter(|_| arrivals.plain);
        if !arrivals.plain {
            for (source, next) in &mut arrivals.sources {
                *next = source.next();
            }
        }
        arrivals
    }

    fn eventful(&self) -> bool {
        !(self.fewer.is_empty() && self.releases.is_empty() && self.lost.is_empty())
    }

    /// What the events of the moment make of a request; `None` where it is not made.
    fn changed(&mut self, mut request: Request) -> Option<Request> {
        let now = request.at_s;
        for fewer in self.fewer.iter().filter(|f| f.at(now)) {
            let meant = fewer.what.region.is_none_or(|r| r == request.region as usize);
            if meant && fewer.what.actions[request.action] && self.draws.uniform() >= fewer.what.left {
                return None;
            }
        }
        for release in self.releases.iter().filter(|r| r.at(now)) {
            let (dataset, share) = release.what;
            if self.scenario.actions[request.action].of == Some(dataset) && self.draws.uniform() < share {
                // The rank behind the last: an object that there was not before.
                request.object = self.scenario.datasets[dataset].count.get() as u64;
                request.local = false;
            }
        }
        let lost: Vec<usize> = self.lost.iter().filter(|l| l.at(now)).map(|l| l.what).collect();
        if lost.contains(&(request.region as usize)) {
            self.send_elsewhere(&mut request, &lost);
        }
        Some(request)
    }

    /// To another region, by their shares, and there to one of its sites.
    fn send_elsewhere(&mut self, request: &mut Request, lost: &[usize]) {
        let regions = &self.scenario.population.regions;
        let left = || regions.iter().enumerate().filter(|(i, _)| !lost.contains(i));
        let all: f64 = left().map(|(_, r)| r.share).sum();
        let mut rest = self.draws.uniform() * all;
        let found = left().find(|(_, r)| {
            rest -= r.share;
            rest < 0.0
        });
        let Some((region, there)) = found.or_else(|| left().next_back()) else { return };
        let before: u32 = regions[..region].iter().map(|r| r.sites).sum();
        request.region = region as u32;
        request.site = before + (request.user % u64::from(there.sites.max(1))) as u32;
    }
}

/// The actions that a crowd of one action makes more of: itself and what follows it.
pub(super) fn affected(scenario: &Scenario, action: Option<ActionId>) -> Vec<bool> {
    let follows = |mut id: ActionId| loop {
        if action.is_none_or(|meant| meant == id) {
            return true;
        }
        // Actions never rest on each other in a circle.
        match &scenario.actions[id].demand {
            Demand::PerAction(other, _) => id = *other,
            _ => return false,
        }
    };
    (0..scenario.actions.len()).map(follows).collect()
}

impl Arrivals<'_> {
    /// Goes on to the next request; `false` where there is none, and then the current one is at a time that never comes.
    #[inline]
    pub fn advance(&mut self) -> bool {
        if self.over < self.times.len() {
            // All alike: only the time is another.
            self.current.at_s = self.times[self.over];
            self.over += 1;
            return true;
        }
        self.advance_further()
    }

    /// The request that it has come to.
    #[inline]
    pub const fn current(&self) -> &Request {
        &self.current
    }

    #[inline(never)]
    fn advance_further(&mut self) -> bool {
        let more = if let Some(alike) = self.alike {
            self.read_ahead() && {
                self.current = Request { at_s: self.times[0], ..alike };
                self.over = 1;
                true
            }
        } else if let ([(usual, _)], true) = (&mut self.sources[..], self.plain) {
            usual.next_into(&mut self.current)
        } else {
            let next = self.next_of_many();
            self.current = next.unwrap_or(self.current);
            next.is_some()
        };
        if !more {
            self.current.at_s = f64::INFINITY;
        }
        more
    }

    /// What all requests are like but for their time, where that is so; see [`Requests::alike`]. Of what user they are is
    /// left out: nobody asks.
    #[must_use]
    pub const fn alike(&self) -> Option<Request> {
        self.alike
    }

    /// Times of the next requests where all are alike; see [`Requests::times_into`].
    pub fn times_into(&mut self, times: &mut [f64]) -> usize {
        self.sources.first_mut().map_or(0, |(usual, _)| usual.times_into(times))
    }

    /// Reads the next times; `false` where there are none.
    #[inline(never)]
    fn read_ahead(&mut self) -> bool {
        self.over = 0;
        self.times.resize(AHEAD, 0.0);
        let mut times = std::mem::take(&mut self.times);
        let filled = self.times_into(&mut times);
        times.truncate(filled);
        self.times = times;
        filled > 0
    }

    fn next_of_many(&mut self) -> Option<Request> {
        loop {
            let mut first = 0;
            for i in 1..self.sources.len() {
                let at = |i: usize| self.sources[i].1.as_ref().map_or(f64::INFINITY, |r| r.at_s);
                if at(i) < at(first) {
                    first = i;
                }
            }
            let (source, next) = &mut self.sources[first];
            let request = (*next)?;
            *next = source.next();
            if !self.eventful() {
                return Some(request);
            }
            if let Some(request) = self.changed(request) {
                return Some(request);
            }
        }
    }
}
