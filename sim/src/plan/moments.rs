//! The plan at its peak, request by request: in normal operation, and while something has failed.
//!
//! Why a moment of the whole system and not an hour of a slice of it: what a failure does hangs on whole pools of
//! servers, and a pool cut down to a slice has too few. Queues forget in a few hundred service times, so seconds are
//! enough; what caches have is drawn from Che's law and not filled first. A server, a zone or a region is lost, and
//! known to be, when the moment begins; a cache is emptied when it begins to count. Connections that were opened before
//! are open. Servers that stand by region are fullest at the peak of their own region: where that is another hour than
//! everybody's, and the fullest pool is fuller then, that hour is a moment more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use plimsoll_reports::format::human;
use plimsoll_reports::record::{Provenance, Unit};
use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::slo::{Failure, Metric};
use plimsoll_scenarios::units::{Count, Duration, Fraction, Size};
use plimsoll_scenarios::{Event, EventKind, Origin, Policy, Scenario, Scope, TierId};

use super::Options;
use super::evaluate::{Evaluator, Sizing};
use super::failures::{Case, HOT, Hurt, largest_region};
use super::goals::{State, slowest_waited_for};
use super::hits::CacheSize;
use super::peaks::{own_peak, peak};
use crate::analytic::caches::Approximation;
use crate::calendar::{self, slice};
use crate::outcome::{Counted, summarise};
use crate::{model, threads};

/// Calls of one moment: what is more is sliced.
const CALLS_MAX: f64 = 2e6;
/// Longest and shortest moment, seconds, warm-up and all.
const LONGEST_S: f64 = 300.0;
const SHORTEST_S: f64 = 1.0;
/// Services that a moment must be as long as, of the slowest that a target waits for.
const SERVICES: f64 = 40.0;
/// Part of a moment that does not count.
const WARMUP: f64 = 1.0 / 3.0;
/// A tier whose service takes more than this part of the warm-up is not yet as busy as it will be.
const SLOW: f64 = 0.2;
/// Cases of one failure that are played.
const CASES_MAX: usize = 2;
/// A tie of servers lost is decided by rounding: a hair more.
const HAIR: f64 = 1.0 + 1e-9;

/// A scenario and when to play it.
#[derive(Debug)]
pub struct Moment {
    pub failure: Option<Failure>,
    /// Who is hurt, in words.
    what: String,
    scenario: Scenario,
    span: Span,
    /// By tier: its servers are not as busy as they will be.
    slow: Vec<bool>,
    /// By tier: its cache is played as the LRU cache that is worth as much.
    lawless: Vec<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    from_s: f64,
    warmup_s: f64,
    duration_s: f64,
    /// One request stands for so many.
    factor: f64,
}

/// What a moment showed.
#[derive(Debug, Clone)]
pub struct Seen {
    pub failure: Option<Failure>,
    pub what: String,
    /// By target of the scenario.
    pub values: Vec<Option<f64>>,
    /// By tier: share of the slots that are left which are busy, at the fullest place, and by how much it may be wrong
    /// by chance (three standard deviations, of itself).
    pub busy: Vec<Option<(f64, f64)>>,
    pub requests: u64,
    pub span_s: f64,
}

/// The peak in normal operation: everybody's, and that of the fullest pool.
#[must_use]
pub fn normal(evaluator: &Evaluator<'_>, sizing: &Sizing, sized: &Scenario) -> Vec<Moment> {
    let state = State::normal(evaluator, sized, sizing);
    let everybody = peak(sized).0;
    let hours = std::iter::once(everybody).chain(own_peak(&state, everybody, None));
    let what = || "nothing fails".to_owned();
    hours.map(|at_s| moment(evaluator, sizing, sized.clone(), None, (what(), &[]), at_s)).collect()
}

/// The peak under a failure, in the cases that are worst by formula; none where nobody is hurt, or where nothing would
/// be left to play. Where it is `required`, that of the fullest pool as well.
#[must_use]
pub fn under(
    evaluator: &Evaluator<'_>,
    sizing: &Sizing,
    sized: &Scenario,
    (failure, required): (Failure, bool),
    cases: &[Case],
) -> Vec<Moment> {
    let slow = |tier: TierId| sized.tiers[tier].station.as_ref().is_some_and(|s| s.service_time.mean() > 1.0);
    let worst = worst_of(sized, cases, |case| matches!(case.hurt, Hurt::Server(tier) if slow(tier)));
    let everybody = peak(sized).0;
    let mut moments = Vec::new();
    for (position, hurt) in worst.into_iter().enumerate() {
        let mut scenario = sized.clone();
        let Some((what, kinds)) = happens(&mut scenario, sizing, failure, hurt) else { continue };
        let (tier, hit) = match hurt {
            Hurt::Server(tier) => (Some(tier), Some(tier)),
            _ => (None, None),
        };
        let state = State::normal(evaluator, sized, sizing).under(failure, tier);
        // Of the fullest case only: of the longest time all regions decide.
        let own = own_peak(&state, everybody, hit).filter(|_| required && position == 0);
        for at_s in std::iter::once(everybody).chain(own) {
            let happens = (what.clone(), &kinds[..]);
            moments.push(moment(evaluator, sizing, scenario.clone(), Some(failure), happens, at_s));
        }
    }
    moments
}

/// Whom it is worst for: by the fullest tier, and by the time that is longest for its bound.
fn worst_of(scenario: &Scenario, cases: &[Case], skip: impl Fn(&Case) -> bool) -> Vec<Hurt> {
    let late = |case: &Case| -> f64 {
        let times = scenario
            .slos
            .iter()
            .zip(&case.values)
            .filter(|(slo, _)| matches!(slo.metric, Metric::FirstByte { .. } | Metric::Complete { .. }));
        times.filter_map(|(slo, value)| Some(value.as_ref()? / slo.bound)).fold(0.0, f64::max)
    };
    let most = |of: &dyn Fn(&Case) -> f64| {
        // Of two alike the first.
        let all = cases.iter().rev().filter(|case| !skip(case));
        all.max_by(|a, b| of(a).total_cmp(&of(b))).map(|case| case.hurt)
    };
    let mut worst: Vec<Hurt> = [most(&Case::fullest), most(&late)].into_iter().flatten().collect();
    worst.dedup();
    worst.truncate(CASES_MAX);
    worst
}

/// Makes the failure a part of the scenario: what it is in words, and the events that are to come.
fn happens(
    scenario: &mut Scenario,
    sizing: &Sizing,
    failure: Failure,
    hurt: Hurt,
) -> Option<(String, Vec<EventKind>)> {
    match (failure, hurt) {
        (Failure::ServerDown, Hurt::Server(tier)) => {
            let name = scenario.tier_name(tier).to_owned();
            let least = sizing.tiers[tier].as_ref()?.pools.iter().copied().min().unwrap_or(1);
            if least < 2 && scenario.tiers[tier].scope == Scope::Site {
                without_a_site(scenario, &[tier])?;
                return Some((format!("one site of {name} in every region is lost"), Vec::new()));
            }
            let share = 0.5 / least as f64 * HAIR;
            Some((format!("one server of {name} at every place is lost"), vec![lost(scenario, tier, share)]))
        }
        (Failure::ZoneDown, _) => zone_down(scenario, sizing),
        (Failure::RegionDown, _) => {
            let region = largest_region(scenario)?;
            let name = scenario.population.regions[region].name.clone();
            Some((format!("{name} is lost"), vec![EventKind::RegionDown { region }]))
        }
        (Failure::ColdCache, Hurt::Cache(tier)) => {
            let name = scenario.tier_name(tier).to_owned();
            Some((format!("the cache of {name} is empty"), vec![EventKind::Flush { tier }]))
        }
        (Failure::HotRelease, Hurt::Object(of)) => {
            let name = scenario.datasets.get_index(of)?.0.clone();
            let share = Fraction::given(HOT, &HOT.to_string());
            Some((format!("a new {name} comes out"), vec![EventKind::HotRelease { of, share }]))
        }
        _ => None,
    }
}

/// One zone of every tier that has several; of a tier of sites in one zone, a site.
fn zone_down(scenario: &mut Scenario, sizing: &Sizing) -> Option<(String, Vec<EventKind>)> {
    let mut kinds = Vec::new();
    let mut sites: Vec<TierId> = Vec::new();
    for tier in 0..scenario.tiers.len() {
        let Some(sized) = &sizing.tiers[tier] else { continue };
        let zones = u64::from(scenario.tiers[tier].zones);
        if zones > 1 {
            // As many whole servers as the zone may have had.
            let share = |&k: &u64| (k.div_ceil(zones) as f64 - 0.5) / k.max(1) as f64;
            let share = sized.pools.iter().map(share).fold(0.0, f64::max);
            kinds.push(lost(scenario, tier, (share * HAIR).min(1.0)));
        } else if scenario.tiers[tier].scope == Scope::Site {
            sites.push(tier);
        } else {
            return None;
        }
    }
    if !sites.is_empty() {
        without_a_site(scenario, &sites)?;
    }
    Some(("one zone of every tier is lost".to_owned(), kinds))
}

/// Takes one site from every region, with the servers of these tiers there; `None` where a region has no other.
fn without_a_site(scenario: &mut Scenario, tiers: &[TierId]) -> Option<()> {
    let before = f64::from(scenario.sites());
    for region in &mut scenario.population.regions {
        region.sites = region.sites.checked_sub(1).filter(|left| *left > 0)?;
    }
    let left = f64::from(scenario.sites()) / before;
    for &tier in tiers {
        if let Some(station) = &mut scenario.tiers[tier].station {
            station.servers = station.servers.times(left);
        }
    }
    Some(())
}

fn lost(scenario: &Scenario, tier: TierId, share: f64) -> EventKind {
    let all = scenario.tiers[tier].station.as_ref().map_or(1.0, |s| s.servers.get());
    let servers = all * share;
    EventKind::ServersDown {
        tier,
        servers: Count::given(servers, &servers.to_string()),
        noticed_after: Duration::given(0.0, "0 s"),
    }
}

fn moment(
    evaluator: &Evaluator<'_>,
    sizing: &Sizing,
    mut scenario: Scenario,
    failure: Option<Failure>,
    (what, kinds): (String, &[EventKind]),
    at_s: f64,
) -> Moment {
    let span = span(evaluator, sizing, &scenario, at_s);
    scenario.events = kinds
        .iter()
        .map(|kind| Event {
            name: what.clone(),
            at_s: match kind {
                EventKind::Flush { .. } => span.from_s + span.warmup_s,
                _ => span.from_s,
            },
            lasts: None,
            kind: kind.clone(),
            origin: Origin::default(),
        })
        .collect();
    let slow = |tier: &plimsoll_scenarios::Tier| {
        tier.station.as_ref().is_some_and(|s| s.service_time.mean() > SLOW * span.warmup_s)
    };
    let slow = scenario.tiers.values().map(slow).collect();
    let mut lawless = vec![false; scenario.tiers.len()];
    for (id, tier) in scenario.tiers.values_mut().enumerate() {
        if let Some(cache) = tier.cache.as_mut().filter(|c| !Approximation::known(c.policy)) {
            let like_lru = |bytes: f64| {
                let size = CacheSize { capacity: bytes, policy: cache.policy };
                let worth = if tier.scope == Scope::User { bytes } else { evaluator.like_lru(id, size) };
                Size::given(worth, &format!("{worth} B"))
            };
            let (capacity, memory) = (like_lru(cache.capacity.get()), cache.in_memory().map(like_lru));
            (cache.capacity, cache.memory) = (capacity, memory);
            (cache.policy, lawless[id]) = (Policy::Lru, true);
        }
    }
    Moment { failure, what, scenario, span, slow, lawless }
}

/// As long as the calls allow, around a time: the whole system where it can be, or else as large a slice as can be.
fn span(evaluator: &Evaluator<'_>, sizing: &Sizing, scenario: &Scenario, at_s: f64) -> Span {
    let requests = peak(scenario).1;
    let mean: f64 = evaluator.demand.rates.iter().sum();
    let calls = evaluator.demand.calls(evaluator.flow, &sizing.hits);
    let beyond = |n: &usize| scenario.tiers[evaluator.flow.nodes[*n].call.tier].scope != Scope::User;
    let calls: f64 = (0..calls.len()).filter(beyond).map(|n| calls[n]).sum::<f64>() + mean;
    // At the peak, 1/s.
    let calls = calls * requests / mean.max(f64::MIN_POSITIVE);
    let least = (SERVICES * slowest_waited_for(evaluator)).clamp(SHORTEST_S, LONGEST_S);
    let length = (CALLS_MAX / calls.max(1e-9)).clamp(least, LONGEST_S);
    let warmup_s = WARMUP * length;
    let from_s = (at_s - 0.5 * (length + warmup_s)).clamp(0.0, DAY_S - length);
    Span { from_s, warmup_s, duration_s: length - warmup_s, factor: (calls * length / CALLS_MAX).max(1.0) }
}

/// Plays moments on threads; `None` where `stop` was raised before all were played.
#[must_use]
pub fn play(
    moments: &[Moment],
    options: &Options<'_>,
    progress: &(dyn Fn(f64) + Sync),
    stop: &AtomicBool,
) -> Option<Vec<Seen>> {
    let done = AtomicUsize::new(0);
    let seen = threads::parallel(moments, options.threads, stop, |moment| {
        let seen = moment.play(options.seed, stop);
        progress((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / moments.len() as f64);
        seen
    });
    seen.into_iter().map(Option::flatten).collect()
}

impl Moment {
    fn play(&self, seed: u64, stop: &AtomicBool) -> Option<Seen> {
        let Span { from_s, warmup_s, duration_s, factor } = self.span;
        let mut slice = slice::slice(&self.scenario, factor);
        slice.standing = true;
        let plan = calendar::Plan {
            seed,
            replications: 1,
            threads: 1,
            from_s,
            warmup_s,
            duration_s,
            slots: 1,
            same_requests: false,
        };
        let (outcome, partial) = calendar::play(&slice.scenario, plan, Some(&slice), &|_| {}, stop)?;
        if partial {
            return None;
        }
        let counted = outcome.counted.first()?;
        let busy: Vec<Option<(f64, f64)>> =
            (0..self.scenario.tiers.len()).map(|t| self.busy(&slice.scenario, counted, t)).collect();
        let run = summarise(&self.scenario, &outcome, Provenance::default());
        let value = |slo: &plimsoll_scenarios::slo::Slo| match &slo.metric {
            Metric::Utilisation { tier } => busy[self.scenario.tier(tier)?.0].map(|(busy, _)| busy),
            Metric::Headroom { tier } => busy[self.scenario.tier(tier)?.0].map(|(busy, _)| 1.0 - busy),
            Metric::HitRatio { tier } if self.lawless[self.scenario.tier(tier)?.0] => None,
            _ => run.slos.iter().find(|s| s.text == slo.text).map(|s| s.value),
        };
        Some(Seen {
            failure: self.failure,
            what: self.told(),
            values: self.scenario.slos.iter().map(value).collect(),
            busy,
            requests: counted.simulated_requests,
            span_s: warmup_s + duration_s,
        })
    }

    /// `one server of web at every place: 18:00 UTC, 4.2 s of the whole system`.
    fn told(&self) -> String {
        let minutes = ((self.span.from_s + self.span.warmup_s) / 60.0).floor() as u64;
        let part = if self.span.factor > 1.0 {
            format!("one request in {}", plimsoll_reports::format::significant(self.span.factor, 3))
        } else {
            "every request".to_owned()
        };
        format!(
            "{}: {} from {:02}:{:02} UTC on, {part}",
            self.what,
            human(self.span.duration_s, Unit::Seconds),
            minutes / 60,
            minutes % 60
        )
    }

    /// How busy what is left of a tier is. The engine counts those that are lost among the slots.
    fn busy(&self, played: &Scenario, counted: &Counted, tier: TierId) -> Option<(f64, f64)> {
        let station = self.scenario.tiers[tier].station.as_ref().filter(|_| !self.slow[tier])?;
        let mut most = (0.0, 0.0);
        for place in 0..model::places(played, tier) {
            let servers = model::pool(played, tier, place)?.servers as f64;
            let left = servers - self.gone(tier, place, servers);
            let busy = counted.stations[tier][place][0].utilisation * servers / left.max(1e-9);
            if left >= 1.0 && busy > most.0 {
                let slots = left
                    * station.concurrency.get()
                    * model::instances_at(played, tier, place) as f64
                    * self.span.duration_s;
                // A sum of services that come one by one.
                let square = (1.0 + station.service_time.cv().powi(2)) * station.service_time.mean();
                most = (busy, 3.0 * (square / (busy * slots)).sqrt());
            }
        }
        (most.0 > 0.0).then_some(most)
    }

    /// Servers of a pool that the events take.
    fn gone(&self, tier: TierId, place: usize, servers: f64) -> f64 {
        let all = self.scenario.tiers[tier].station.as_ref().map_or(1.0, |s| s.servers.get());
        let of = |event: &Event| match &event.kind {
            EventKind::ServersDown { tier: of, servers: lost, .. } if *of == tier => {
                (lost.get() / all * servers).round()
            }
            EventKind::RegionDown { region }
                if model::places(&self.scenario, tier) > 1 && *region == place =>
            {
                servers
            }
            _ => 0.0,
        };
        self.scenario.events.iter().map(of).sum::<f64>().min(servers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Flow;
    use crate::plan::failures::cases;
    use crate::plan::problem::Problem;
    use crate::plan::search::search;
    use crate::plan::tests::{ASSUMED, small};
    use crate::plan::verify::sized;
    use plimsoll_scenarios::Open;
    use plimsoll_scenarios::prices::PriceList;

    /// The peak of a small system's plan, in normal operation and under failures.
    fn seen(seed: u64, failures: &[Failure]) -> (Scenario, Vec<Seen>) {
        let prices = PriceList::bundled();
        let mut scenario = small(seed);
        for tier in ["web", "memory", "disk"] {
            scenario.tiers[tier].zones = 3;
        }
        // A site may be lost, and another one is there.
        scenario.population.regions.iter_mut().for_each(|region| region.sites = 2);
        let open = Open { scenario, free: Vec::new(), sites: Vec::new() };
        let problem = Problem::new(&open, &prices, &ASSUMED).unwrap();
        let flow = Flow::of(&problem.scenario);
        let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
        let sizing = search(&mut evaluator, None).unwrap().sizing;
        let scenario = sized(&evaluator, &sizing);
        let mut all = normal(&evaluator, &sizing, &scenario);
        for &failure in failures {
            let cases = cases(&evaluator, &scenario, &sizing, failure);
            all.extend(under(&evaluator, &sizing, &scenario, (failure, true), &cases));
        }
        let options = Options {
            seed: 1,
            prices: &prices,
            assumed: ASSUMED,
            worlds: 0,
            verify: true,
            relax: false,
            threads: 2,
        };
        let seen = play(&all, &options, &|_| {}, &AtomicBool::new(false)).unwrap();
        (scenario, seen)
    }

    #[test]
    fn what_is_left_carries_what_was_there_before() {
        let failures = [Failure::ServerDown, Failure::ZoneDown, Failure::RegionDown];
        let (scenario, seen) = seen(3, &failures);
        let (web, _) = scenario.tier("web").unwrap();
        let busy = |seen: &Seen, tier: TierId| seen.busy[tier].unwrap();
        let before = busy(&seen[0], web);
        for after in seen.iter().filter(|s| s.failure == Some(Failure::ZoneDown)) {
            // A third of the servers, rounded up, is gone: the others have half as much again to do, or more.
            let (now, chance) = busy(after, web);
            let times = now / before.0;
            assert!(times > 1.5 - chance - before.1 && times < 3.0, "{times}: {after:?}");
        }
        let lost = seen.iter().find(|s| s.failure == Some(Failure::RegionDown)).unwrap();
        assert!(busy(lost, web).0 > 1.2 * before.0, "{lost:?}");
        for failure in failures {
            assert!(seen.iter().any(|s| s.failure == Some(failure)), "{failure:?}");
        }
        assert!(seen.iter().all(|s| s.requests > 10_000 && s.what.contains("UTC")), "{seen:?}");
    }

    #[test]
    fn an_empty_cache_answers_less_and_a_hot_object_more() {
        let (scenario, seen) = seen(3, &[Failure::ColdCache, Failure::HotRelease]);
        let slo = scenario.slos.iter().position(|slo| matches!(slo.metric, Metric::HitRatio { .. })).unwrap();
        let hits = |failure: Option<Failure>| -> Vec<f64> {
            seen.iter().filter(|s| s.failure == failure).filter_map(|s| s.values[slo]).collect()
        };
        let usual = hits(None)[0];
        assert!(hits(Some(Failure::ColdCache)).iter().any(|&h| h < usual - 0.02), "{usual}: {seen:?}");
        assert!(hits(Some(Failure::HotRelease)).iter().all(|&h| h > usual + 0.01), "{usual}: {seen:?}");
    }
}
