//! The requests of a scenario, one by one, in time order.
//!
//! Why here and not in an engine: the simulator and the load generator must see the very same requests,
//! or a comparison of the two measures the difference between two random draws.

use crate::arrivals::{DAY_S, Diurnal};
use crate::popularity::{Atom, LruLaw, RankSampler};
use crate::rng::Stream;
use crate::scenario::{Action, ActionId, Scenario};
use crate::tier::Scope;
use crate::visits::{Visits, Walk};

/// A part of the day that has less than this share of its peak is drawn at a rate of its own.
const QUIET: f64 = 1.0 / 16.0;
/// Length of such parts, seconds.
const PART_S: f64 = 300.0;

/// One request of one user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// Seconds since the start.
    pub at_s: f64,
    pub action: ActionId,
    /// Position of the region in the population.
    pub region: u32,
    /// Site, counted over all regions in order.
    pub site: u32,
    pub user: u64,
    /// Rank of the object, from 0; 0 where the action asks for none.
    pub object: u64,
    /// Answered by the user's own device (a cache with scope user), so that nothing else sees it.
    pub local: bool,
}

/// Share of an action's requests for each object that a per-user cache answers.
///
/// Every user has a cache of their own, and a billion of them behave as their mean: a request that repeats
/// the user's own recent past is a hit; any other is a hit if the user asked for the same object within the
/// cache's characteristic time, which has probability `1 - exp(-p t)` (Che's approximation), less what a time to live and
/// admission leave of it ([`LruLaw`]). A repeat is soon enough after the first request for any of these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceCache {
    /// Share of requests that repeat the user's own past.
    pub repeat: f64,
    /// The cache, in requests of one user that are not repeats.
    pub law: LruLaw,
    /// Characteristic time of the part in memory, where the rest is not.
    pub memory_time: Option<f64>,
    /// Share of the objects that are small enough to be kept.
    pub admitted: f64,
}

impl DeviceCache {
    /// The device cache in this action's path, if it has one.
    #[must_use]
    pub fn of(scenario: &Scenario, action: &Action) -> Option<Self> {
        let dataset = &scenario.datasets[action.of?];
        let cache = action
            .path
            .iter()
            .map(|&id| &scenario.tiers[id])
            .find(|tier| tier.scope == Scope::User)
            .and_then(|tier| tier.cache.as_ref())?;
        let (admitted, bytes) = dataset.kept_by(cache);
        let kept = |a: Atom| Atom { count: a.count * admitted, p: a.p };
        let atoms: Vec<Atom> =
            dataset.popularity.over(dataset.count.get() as u64).atoms().into_iter().map(kept).collect();
        let each_s = scenario.mean_rate(action) / scenario.people(action) * (1.0 - action.repeat.get());
        let ttl = cache.ttl.as_ref().map_or(f64::INFINITY, |ttl| ttl.get() * each_s);
        let law = LruLaw::solve(&atoms, cache.capacity.get() / bytes, ttl, cache.admit.on_second);
        let memory_time = cache.in_memory().map(|memory| law.memory_time(&atoms, memory / bytes));
        Some(Self { repeat: action.repeat.get(), law, memory_time, admitted })
    }

    /// Probability that a request for an object of probability `p` is answered from memory; a repeat is, whatever else
    /// the device has asked for since.
    #[must_use]
    pub fn hit_in_memory(&self, p: f64) -> f64 {
        let time = self.memory_time.unwrap_or(self.law.time);
        self.repeat + (1.0 - self.repeat) * self.admitted * self.law.hit_in_memory(time, p, 0.0, 0.0)
    }

    /// Probability that a request that is no repeat, for an object of probability `p`, is a hit.
    #[must_use]
    pub fn hit(&self, p: f64) -> f64 {
        self.admitted * self.law.hit(p)
    }
}

/// All requests from time 0 (00:00 UTC) on, until `duration_s`.
#[derive(Debug)]
pub struct Requests<'a> {
    sources: Vec<Source<'a>>,
    /// Requests that come in sessions.
    walk: Option<Walk>,
    duration_s: f64,
}

/// One action in one region: a Poisson process, thinned to the shape of the day.
#[derive(Debug)]
struct Source<'a> {
    action: ActionId,
    region: usize,
    /// Rate at the region's peak, 1/s.
    rate_max: f64,
    day: &'a Diurnal,
    /// The highest value of the day.
    peak: f64,
    /// Has hours with next to nothing, through which one would draw in vain.
    quiet: bool,
    to_s: f64,
    utc_offset_s: f64,
    first_site: u32,
    sites: u64,
    users: u64,
    /// Per-object choice, where the action has a dataset: the sampler and p by rank.
    law: Option<(crate::popularity::Law, RankSampler)>,
    device: Option<DeviceCache>,
    arrivals: Stream,
    choices: Stream,
    next_s: f64,
    /// The arrivals from the next one on, drawn ahead, many at a time; how many of them are over, and the last of all.
    ahead: Box<[f64]>,
    over: usize,
    last_s: f64,
}

/// Arrivals that are drawn together; a multiple of four.
const AHEAD: usize = 64;

/// The requests of a scenario in time order. The same seed gives the same requests.
#[must_use]
pub fn requests(scenario: &Scenario, seed: u64, duration_s: f64) -> Requests<'_> {
    between(scenario, seed, (0.0, duration_s), "", &|_, _| 1.0)
}

/// The same with so many sessions a second, which must be above 0, in place of its own number; `None` where the scenario
/// has no sessions.
#[must_use]
pub fn with_sessions(
    scenario: &Scenario,
    seed: u64,
    duration_s: f64,
    sessions_per_s: f64,
) -> Option<Requests<'_>> {
    let visits = Visits::of(scenario, seed)?.beginning(sessions_per_s);
    let mut requests = between(scenario, seed, (0.0, duration_s), "", &|_, _| 1.0);
    requests.walk = Some(Walk::new(visits, 0.0));
    Some(requests)
}

/// Requests from one time of the day to another, seconds after midnight UTC. Of an action in a region there are
/// `times` as many as usual. `name` tells these requests from others of the same seed.
///
/// Where the scenario has sessions (one that was scaled down may), actions of theirs come in them: all day alike.
#[must_use]
pub fn between<'a>(
    scenario: &'a Scenario,
    seed: u64,
    (from_s, to_s): (f64, f64),
    name: &str,
    times: &dyn Fn(ActionId, usize) -> f64,
) -> Requests<'a> {
    let label = name;
    let walk = Visits::of(scenario, seed).map(|visits| Walk::new(visits, from_s));
    let mut sources = Vec::new();
    for (action_id, (name, action)) in scenario.actions.iter().enumerate() {
        if walk.is_some() && scenario.sessions.as_ref().is_some_and(|plan| plan.has(action_id)) {
            continue;
        }
        let device = DeviceCache::of(scenario, action);
        let law = action.of.map(|d| {
            let dataset = &scenario.datasets[d];
            let law = dataset.popularity.over(dataset.count.get() as u64);
            let sampler = law.sampler();
            (law, sampler)
        });
        let mut first_site = 0;
        for (region_id, region) in scenario.population.regions.iter().enumerate() {
            let entity = format!("{label}{name}/{}", region.name);
            let day = scenario.day_of(action, region_id);
            let rate_max = scenario.mean_rate(action)
                * region.share
                * scenario.population.weekly.peak()
                * day.peak()
                * times(action_id, region_id);
            let mut source = Source {
                action: action_id,
                region: region_id,
                rate_max,
                day,
                peak: day.peak(),
                quiet: day.least_over(0.0, DAY_S) < QUIET * day.peak(),
                to_s,
                utc_offset_s: region.utc_offset_s,
                first_site,
                sites: u64::from(region.sites.max(1)),
                users: ((scenario.population.users.get() * region.share) as u64).max(1),
                law: law.clone(),
                device,
                arrivals: Stream::new(seed, &entity, "arrivals", 0),
                choices: Stream::new(seed, &entity, "choices", 0),
                next_s: from_s,
                ahead: vec![f64::INFINITY; AHEAD].into_boxed_slice(),
                over: AHEAD,
                last_s: from_s,
            };
            source.advance();
            sources.push(source);
            first_site += region.sites;
        }
    }
    Requests { sources, walk, duration_s: to_s }
}

/// Makes times of gaps, which are in so many seconds, from a time on; returns the last.
fn times_of(gaps: &mut [f64], mut at_s: f64, unit_s: f64) -> f64 {
    // Four at a time, so that an addition does not wait for all before it.
    for four in gaps.chunks_exact_mut(4) {
        let [a, b, c, d] = [four[0] * unit_s, four[1] * unit_s, four[2] * unit_s, four[3] * unit_s];
        let ab = a + b;
        four.copy_from_slice(&[at_s + a, at_s + ab, at_s + (ab + c), at_s + (ab + (c + d))]);
        at_s = four[3];
    }
    at_s
}

impl Source<'_> {
    /// Moves to the next arrival.
    #[inline]
    fn advance(&mut self) {
        self.over += 1;
        if self.over >= AHEAD {
            self.draw_ahead();
        }
        self.next_s = self.ahead[self.over];
    }

    /// Draws the next arrivals.
    #[inline(never)]
    fn draw_ahead(&mut self) {
        self.over = 0;
        if self.rate_max <= 0.0 {
            self.ahead.fill(f64::INFINITY);
        } else if matches!(self.day, Diurnal::Flat) {
            // Every candidate is kept, whatever the draw behind it would say.
            self.arrivals.every_other_exponential(&mut self.ahead);
            self.last_s = times_of(&mut self.ahead, self.last_s, 1.0 / self.rate_max);
        } else {
            for i in 0..AHEAD {
                self.last_s = self.following(self.last_s);
                self.ahead[i] = self.last_s;
            }
        }
    }

    /// The arrival after one (thinning, Lewis and Shedler 1979).
    #[inline]
    fn following(&mut self, at_s: f64) -> f64 {
        if self.quiet {
            return self.following_through_the_night(at_s);
        }
        let mut next_s = at_s;
        loop {
            next_s += self.arrivals.exponential() / self.rate_max;
            if self.arrivals.uniform() * self.peak <= self.day.at(next_s + self.utc_offset_s) {
                return next_s;
            }
        }
    }

    /// The same where the day has hours with next to nothing: those are drawn at their own highest rate, a part of
    /// an hour after the other. At the peak's, a market that has closed would cost more draws than the day has trades.
    fn following_through_the_night(&mut self, mut at_s: f64) -> f64 {
        while at_s < self.to_s {
            let local_s = at_s + self.utc_offset_s;
            // Never so little that rounding would keep us here.
            let part_s = (PART_S - local_s.rem_euclid(PART_S)).max(1e-6);
            let most = self.day.most_over(local_s, local_s + part_s).min(self.peak);
            let asleep = most < QUIET * self.peak;
            let bound = if asleep { most } else { self.peak };
            let next_s = at_s + self.arrivals.exponential() / (self.rate_max * bound / self.peak);
            if asleep && next_s > at_s + part_s {
                // Nothing came; without a memory, the next part begins afresh.
                at_s += part_s;
                continue;
            }
            at_s = next_s;
            if self.arrivals.uniform() * bound <= self.day.at(next_s + self.utc_offset_s) {
                return next_s;
            }
        }
        f64::INFINITY
    }

    #[inline]
    fn request(&mut self, into: &mut Request) {
        let user = self.choices.below(self.users);
        let mut object = 0;
        let mut local = false;
        if let Some((law, sampler)) = &self.law {
            object = sampler.draw(&mut self.choices);
            if let Some(device) = &self.device {
                local = self.choices.uniform() < device.repeat
                    || self.choices.uniform() < device.hit(law.p(object));
            }
        }
        *into = Request {
            at_s: self.next_s,
            action: self.action,
            region: self.region as u32,
            // A user stays with one site.
            site: self.first_site + if self.sites == 1 { 0 } else { (user % self.sites) as u32 },
            user,
            object,
            local,
        };
    }
}

impl Request {
    /// One that is not made yet, for [`Requests::next_into`].
    pub const NONE: Self =
        Self { at_s: f64::INFINITY, action: 0, region: 0, site: 0, user: 0, object: 0, local: false };
}

impl Requests<'_> {
    /// The next request, written where it is wanted; `false` where there is none. Millions are read a second, and a
    /// request that is passed on by value is copied on the way.
    #[inline]
    pub fn next_into(&mut self, into: &mut Request) -> bool {
        // A handful of sources: a scan is faster than a heap, and ties go to the first.
        let mut first = 0;
        for i in 1..self.sources.len() {
            if self.sources[i].next_s < self.sources[first].next_s {
                first = i;
            }
        }
        let next_s = self.sources.get(first).map_or(f64::INFINITY, |source| source.next_s);
        if let Some(walk) = self.walk.as_mut().filter(|walk| walk.at_s() < next_s) {
            let request = if walk.at_s() < self.duration_s { walk.take() } else { None };
            return request.map(|request| *into = request).is_some();
        }
        let Some(source) = self.sources.get_mut(first).filter(|s| s.next_s < self.duration_s) else {
            return false;
        };
        source.request(into);
        source.advance();
        true
    }

    /// What all requests are like but for their time and user, where that is so: one action in one region of one site, for
    /// no object. Then [`Self::times_into`] tells the rest.
    #[must_use]
    pub fn alike(&self) -> Option<Request> {
        let [source] = &self.sources[..] else { return None };
        let alike = self.walk.is_none() && source.law.is_none() && source.sites == 1;
        alike.then_some(Request {
            action: source.action,
            region: source.region as u32,
            site: source.first_site,
            ..Request::NONE
        })
    }

    /// Times of the next requests, where all are [alike](Self::alike), in place of the requests; how many there are: fewer
    /// than there is room for at the end only.
    pub fn times_into(&mut self, times: &mut [f64]) -> usize {
        let [source] = &mut self.sources[..] else { return 0 };
        let mut filled = 0;
        while filled < times.len() {
            let ahead = &source.ahead[source.over..];
            let room = ahead.len().min(times.len() - filled);
            let ahead = &ahead[..room];
            let before_end = if ahead[room - 1] < self.duration_s {
                room
            } else {
                ahead.partition_point(|&at_s| at_s < self.duration_s)
            };
            times[filled..filled + before_end].copy_from_slice(&ahead[..before_end]);
            filled += before_end;
            if before_end == 0 {
                break;
            }
            source.over += before_end - 1;
            source.advance();
        }
        filled
    }
}

impl Iterator for Requests<'_> {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let mut request = Request::NONE;
        self.next_into(&mut request).then_some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceFile;

    fn read(more: &str, action: &str) -> Scenario {
        let yaml = format!(
            "name: alike\npopulation: {{users: 100{more}}}\nactions: {{ask: {{rate: 5/s, path: [web]{action}}}}}\n\
             datasets: {{song: {{count: 10, size: 1 MB}}}}\n\
             tiers: {{web: {{servers: 1, service_time: 1 s}}}}\n"
        );
        Scenario::from_yaml(&SourceFile::new("alike.yaml", &yaml)).expect("it is valid")
    }

    #[test]
    fn times_of_requests_that_are_alike_are_those_of_the_requests() {
        for more in ["", ", diurnal: {peak_to_mean: 3, peak_at: 0:10}"] {
            let scenario = read(more, "");
            let wanted: Vec<f64> = requests(&scenario, 3, 1_000.0).map(|request| request.at_s).collect();
            assert!(wanted.len() > 1_000);
            let mut requests = requests(&scenario, 3, 1_000.0);
            let alike = requests.alike().expect("there is one action");
            assert_eq!((alike.action, alike.region, alike.site), (0, 0, 0));
            let mut got: Vec<f64> = Vec::new();
            for room in [0, 1, 2, 63, 64, 65, 1 << 20, 5] {
                let mut times = vec![0.0; room];
                let filled = requests.times_into(&mut times);
                got.extend(&times[..filled]);
            }
            assert_eq!(got, wanted);
            assert!(requests.next().is_none());
        }
    }

    #[test]
    fn requests_for_objects_or_from_several_sites_are_not_alike() {
        assert!(requests(&read("", ", of: song"), 1, 1.0).alike().is_none());
        let two = ", regions: [{name: x, share: 100 %, sites: 2}]";
        assert!(requests(&read(two, ""), 1, 1.0).alike().is_none());
    }

    #[test]
    fn a_device_forgets_in_the_time_of_its_user() {
        let device = |cache: &str| {
            let text = format!(
                "name: device\npopulation: {{users: 1 M, active: 50 %}}\n\
                 datasets: {{song: {{count: 1 K, size: 1 MB, popularity: uniform}}}}\n\
                 actions: {{play: {{per_user: 24/day, of: song, repeat: 50 %, path: [phone, web]}}}}\n\
                 tiers: {{phone: {{per: user, cache: {{capacity: 9 GB{cache}}}}}, web: {{servers: 1, service_time: 1 s}}}}\n"
            );
            let scenario = Scenario::from_yaml(&SourceFile::new("device.yaml", &text)).unwrap();
            DeviceCache::of(&scenario, &scenario.actions[0]).unwrap()
        };
        let p = 1e-3;
        assert_eq!(device("").hit(p), 1.0);
        // A request an hour, half of them no repeats: 84 of these in a week, one in a thousand for this song.
        let week = device(", ttl: 7 days").hit(p);
        assert!((week - 0.084 / 1.084).abs() < 1e-9, "{week}");
        assert_eq!(device(", admit: {max_size: 900 KB}").hit(p), 0.0);
        assert_eq!(device(", admit: {max_size: 1 MB}").hit(p), 1.0);
    }

    fn of(diurnal: &str) -> Scenario {
        let text = format!(
            "name: hours\npopulation: {{users: 1 M, diurnal: {diurnal}}}\n\
             actions: {{ask: {{rate: 20/s, path: [web]}}}}\n\
             tiers: {{web: {{servers: 1, service_time: 1 ms}}}}\n"
        );
        Scenario::from_yaml(&SourceFile::new("hours.yaml", &text)).unwrap()
    }

    #[test]
    fn requests_come_as_often_as_every_part_of_the_day_says() {
        let night = "1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9";
        let hourly = format!("{{hourly: [1e-9, {night}, 0.1, 6, 6, 5, 4, 4, 4, 6, 0.2, {night}]}}");
        for diurnal in ["{peak_to_mean: 9, peak_at: 15:00}", &hourly, "{peak_to_mean: 2, peak_at: 9:00}"] {
            let scenario = of(diurnal);
            let day = scenario.day_of(&scenario.actions[0], 0);
            let mut got = [0.0; 24];
            for request in requests(&scenario, 1, DAY_S) {
                got[(request.at_s / 3600.0) as usize] += 1.0;
            }
            for (hour, &got) in got.iter().enumerate() {
                let from_s = hour as f64 * 3600.0;
                let want = 20.0 * 3600.0 * day.mean_over(from_s, from_s + 3600.0);
                assert!((got - want).abs() <= 4.5 * want.sqrt() + 1e-9, "{diurnal} {hour}: {got} of {want}");
            }
        }
    }

    /// At the rate of the peak, the hours before it would take some 10^15 draws.
    #[test]
    fn a_market_that_is_closed_is_waited_for_in_no_time() {
        let mut scenario = of("{peak_to_mean: 20, peak_at: 15:00}");
        scenario.population.users = crate::units::Count::given(1e6, "1 M");
        let busy = between(&scenario, 1, (0.0, 3600.0), "", &|_, _| 1e10);
        assert_eq!(busy.count(), 0);
    }
}
