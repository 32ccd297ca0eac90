//! Sessions: users come, do one thing after the other, think in between, and leave.
//!
//! Why beside independent requests: the rates may be the same, and yet what follows a search asks for what was found,
//! a song that is skipped makes way for the next at once, and who comes back is somebody the system knows. In an open
//! model thinking does not wait for answers, so every request still has an absolute time; in a closed one it does.
//!
//! Why each session has random streams of its own, by its number: the n-th one is the same in an engine that plays all
//! of them in time order and in a generator whose users each walk their own.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::distribution::Sampler;
use crate::popularity::{Law, RankSampler};
use crate::rng::Stream;
use crate::scenario::{ActionId, DatasetId, Demand, Scenario, SessionPlan, SessionStep};
use crate::trace::{DeviceCache, Request};
use crate::units::Rate;

/// Times that one step is done at most, however often users do it again.
const REPEATS_MAX: u32 = 1_000;
/// Mean lengths of a session before the start from which on sessions are played, so that as many are under way at the
/// start as ever after.
const BEFORE: f64 = 8.0;
/// Most sessions that are played for it.
const BEFORE_MAX: f64 = 1e6;
/// Who returns is one of so many who came last.
const RECENT: u64 = 10_000;

/// What all sessions of a scenario have in common.
#[derive(Debug, Clone)]
pub struct Visits {
    steps: Vec<Step>,
    /// Sessions that begin, 1/s.
    rate_per_s: f64,
    mean_length_s: f64,
    returning: f64,
    regions: Vec<Place>,
    seed: u64,
}

#[derive(Debug, Clone)]
struct Step {
    action: ActionId,
    share: f64,
    times: u32,
    again: f64,
    leave: f64,
    think: Sampler,
    /// Position among the datasets of a session; `None` where the action asks for none.
    dataset: Option<usize>,
    same: bool,
    law: Option<(Law, RankSampler)>,
    device: Option<DeviceCache>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    share: f64,
    first_site: u32,
    sites: u64,
    users: u64,
}

/// One session under way.
#[derive(Debug, Clone)]
pub struct Visit {
    number: u64,
    user: u64,
    region: u32,
    site: u32,
    step: usize,
    done: u32,
    /// What was asked for last, by dataset of a session.
    objects: Vec<Option<u64>>,
    pace: Stream,
    choices: Stream,
}

/// One request of a session, and how long the user thinks after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// At time 0.
    pub request: Request,
    /// Seconds.
    pub think_s: f64,
}

/// How often one session does each step on average, and how long it lasts, seconds.
fn means(plan: &SessionPlan) -> (Vec<f64>, f64) {
    let (mut there, mut length_s) = (1.0, 0.0);
    let mut counts = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let (stays, again) = (1.0 - step.leave, step.again);
        // The times that are certain, then those done again, each after having stayed.
        let certain: f64 = (0..step.times).map(|k| stays.powi(k as i32)).sum();
        let more = stays * again;
        let extra = stays.powi(step.times as i32 - 1) * more / (1.0 - more);
        let count = there * step.share * (certain + extra);
        counts.push(count);
        length_s += count * step.think.mean();
        let survives = stays.powi(step.times as i32) * (1.0 - again) / (1.0 - more);
        there *= (1.0 - step.share) + step.share * survives;
    }
    (counts, length_s)
}

impl SessionPlan {
    /// Rates of the actions of its sessions, where these make as many requests as the scenario says of all of the
    /// actions together.
    pub(crate) fn demands(&self, scenario: &Scenario) -> Vec<(ActionId, Demand)> {
        let (counts, _) = means(self);
        let mut per_session: Vec<(ActionId, f64)> = Vec::new();
        for (step, count) in self.steps.iter().zip(&counts) {
            match per_session.iter_mut().find(|(action, _)| *action == step.action) {
                Some((_, sum)) => *sum += count,
                None => per_session.push((step.action, *count)),
            }
        }
        let wanted: f64 = per_session.iter().map(|(id, _)| scenario.mean_rate(&scenario.actions[*id])).sum();
        let each: f64 = per_session.iter().map(|(_, count)| count).sum();
        let rate = if each > 0.0 { wanted / each } else { 0.0 };
        let total = |count: f64| Rate::given(count * rate, "its share of the sessions");
        per_session.into_iter().map(|(id, count)| (id, Demand::Total(total(count)))).collect()
    }

    /// Whether requests of this action come in sessions.
    #[must_use]
    pub fn has(&self, action: ActionId) -> bool {
        self.steps.iter().any(|step| step.action == action)
    }
}

impl Visits {
    /// The sessions of a scaled-down scenario; `None` where it has none, or nobody comes.
    #[must_use]
    pub fn of(scenario: &Scenario, seed: u64) -> Option<Self> {
        let plan = scenario.sessions.as_ref()?;
        let (counts, mean_length_s) = means(plan);
        let mut actions: Vec<ActionId> = plan.steps.iter().map(|step| step.action).collect();
        actions.sort_unstable();
        actions.dedup();
        let wanted: f64 = actions.iter().map(|id| scenario.mean_rate(&scenario.actions[*id])).sum();
        let rate_per_s = wanted / counts.iter().sum::<f64>();
        if !(rate_per_s > 0.0 && rate_per_s.is_finite()) {
            return None;
        }
        let mut datasets = Vec::new();
        let steps = plan.steps.iter().map(|step| Step::of(scenario, step, &mut datasets)).collect();
        let mut first_site = 0;
        let place = |region: &crate::scenario::Region| {
            let place = Place {
                share: region.share,
                first_site,
                sites: u64::from(region.sites.max(1)),
                users: ((scenario.population.users.get() * region.share) as u64).max(1),
            };
            first_site += region.sites;
            place
        };
        let regions = scenario.population.regions.iter().map(place).collect();
        Some(Self { steps, rate_per_s, mean_length_s, returning: plan.returning, regions, seed })
    }

    /// Sessions that begin, 1/s.
    #[must_use]
    pub const fn rate_per_s(&self) -> f64 {
        self.rate_per_s
    }

    /// The same sessions, so many of which begin each second.
    #[must_use]
    pub fn beginning(mut self, rate_per_s: f64) -> Self {
        self.rate_per_s = rate_per_s;
        self
    }

    /// The session of this number, before its first request.
    #[must_use]
    pub fn begin(&self, number: u64) -> Visit {
        let (region, user) = self.user(number);
        let place = self.regions[region];
        Visit {
            number,
            user,
            region: region as u32,
            // A user stays with one site.
            site: place.first_site + (user % place.sites) as u32,
            step: 0,
            done: 0,
            objects: vec![None; self.steps.len()],
            pace: Stream::new(self.seed, "session", "pace", number),
            choices: Stream::new(self.seed, "session", "choices", number),
        }
    }

    /// Who comes in the session of this number: region and user. Who returns is who came in an earlier one, who may have
    /// returned then, too.
    fn user(&self, number: u64) -> (usize, u64) {
        let mut number = number;
        let mut who = Stream::new(self.seed, "session", "user", number);
        while number > 0 && who.uniform() < self.returning {
            number -= 1 + who.below(number.min(RECENT));
            who = Stream::new(self.seed, "session", "user", number);
        }
        let mut left = who.uniform();
        let mut region = self.regions.len() - 1;
        for (i, place) in self.regions.iter().enumerate() {
            if left < place.share {
                region = i;
                break;
            }
            left -= place.share;
        }
        (region, who.below(self.regions[region].users))
    }

    /// The next request of a session; `None` at its end.
    pub fn next(&self, visit: &mut Visit) -> Option<Turn> {
        let (at, think_s) = self.advance(visit)?;
        Some(Turn { request: self.ask(visit, at), think_s })
    }

    /// Which step comes next, and how long the user thinks after it.
    fn advance(&self, visit: &mut Visit) -> Option<(usize, f64)> {
        loop {
            let at = visit.step;
            let step = self.steps.get(at)?;
            if visit.done == 0 && visit.pace.uniform() >= step.share {
                visit.step += 1;
                continue;
            }
            visit.done += 1;
            let think_s = step.think.draw(&mut visit.pace);
            if visit.pace.uniform() < step.leave {
                visit.step = self.steps.len();
            } else if visit.done >= step.times
                && (visit.done >= REPEATS_MAX || visit.pace.uniform() >= step.again)
            {
                (visit.step, visit.done) = (at + 1, 0);
            }
            return Some((at, think_s));
        }
    }

    fn ask(&self, visit: &mut Visit, at: usize) -> Request {
        let step = &self.steps[at];
        let (mut object, mut local) = (0, false);
        if let (Some((law, sampler)), Some(dataset)) = (&step.law, step.dataset) {
            let known = visit.objects[dataset].filter(|_| step.same);
            object = known.unwrap_or_else(|| sampler.draw(&mut visit.choices));
            visit.objects[dataset] = Some(object);
            if let Some(device) = &step.device {
                local = visit.choices.uniform() < device.repeat
                    || visit.choices.uniform() < device.hit(law.p(object));
            }
        }
        let Visit { region, site, user, .. } = *visit;
        Request { at_s: 0.0, action: step.action, region, site, user, object, local }
    }
}

impl Step {
    fn of(scenario: &Scenario, step: &SessionStep, datasets: &mut Vec<DatasetId>) -> Self {
        let action = &scenario.actions[step.action];
        let dataset = action.of.map(|id| {
            datasets.iter().position(|other| *other == id).unwrap_or_else(|| {
                datasets.push(id);
                datasets.len() - 1
            })
        });
        let law = action.of.map(|id| {
            let dataset = &scenario.datasets[id];
            let law = dataset.popularity.over(dataset.count.get() as u64);
            let sampler = law.sampler();
            (law, sampler)
        });
        Self {
            action: step.action,
            share: step.share,
            times: step.times,
            again: step.again,
            leave: step.leave,
            think: step.think.sampler(),
            dataset,
            same: step.same,
            law,
            device: DeviceCache::of(scenario, action),
        }
    }
}

/// All requests of all sessions in time order, from a moment on.
#[derive(Debug)]
pub(crate) struct Walk {
    visits: Visits,
    arrivals: Stream,
    next_start_s: f64,
    number: u64,
    under_way: BinaryHeap<Active>,
    pending: Option<Request>,
}

/// A session, by the time of its next request.
#[derive(Debug)]
struct Active {
    at_s: f64,
    visit: Visit,
}

impl Walk {
    pub fn new(visits: Visits, from_s: f64) -> Self {
        let arrivals = Stream::new(visits.seed, "session", "arrivals", 0);
        let before_s = (BEFORE * visits.mean_length_s).min(BEFORE_MAX / visits.rate_per_s);
        let next_start_s = from_s - before_s;
        let mut walk =
            Self { visits, arrivals, next_start_s, number: 0, under_way: BinaryHeap::new(), pending: None };
        walk.next_start_s += walk.gap_s();
        while walk.next_start_s < from_s {
            let mut active = walk.begin();
            while active.at_s < from_s {
                let Some((_, think_s)) = walk.visits.advance(&mut active.visit) else { break };
                active.at_s += think_s;
            }
            if active.at_s >= from_s {
                walk.under_way.push(active);
            }
        }
        walk.pending = Some(walk.find());
        walk
    }

    /// When the next request is.
    pub fn at_s(&self) -> f64 {
        self.pending.map_or(f64::INFINITY, |request| request.at_s)
    }

    pub fn take(&mut self) -> Option<Request> {
        let next = self.find();
        self.pending.replace(next)
    }

    /// The next request; some come, for sessions make requests and never end to begin.
    fn find(&mut self) -> Request {
        loop {
            if self.under_way.peek().is_none_or(|first| self.next_start_s < first.at_s) {
                let active = self.begin();
                self.under_way.push(active);
            }
            let Some(mut active) = self.under_way.pop() else { continue };
            if let Some(turn) = self.visits.next(&mut active.visit) {
                let at_s = active.at_s;
                active.at_s += turn.think_s;
                self.under_way.push(active);
                return Request { at_s, ..turn.request };
            }
        }
    }

    fn begin(&mut self) -> Active {
        let active = Active { at_s: self.next_start_s, visit: self.visits.begin(self.number) };
        self.number += 1;
        self.next_start_s += self.gap_s();
        active
    }

    fn gap_s(&mut self) -> f64 {
        self.arrivals.exponential() / self.visits.rate_per_s
    }
}

impl Ord for Active {
    /// The earliest is the greatest; ties go to the session that began first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at_s.total_cmp(&self.at_s).then_with(|| other.visit.number.cmp(&self.visit.number))
    }
}

impl PartialOrd for Active {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Active {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Active {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::trace;

    /// Listeners search, mostly listen to some of what they found, skip a third of it, and keep one in ten.
    fn listeners(steps: &str) -> Scenario {
        let text = format!(
            "name: radio\npopulation: {{users: 100 K}}\n\
             datasets:\n  query: {{count: 1000, size: 1 KB, popularity: {{zipf: 1.0}}}}\n  song: {{count: 1000, size: 1 KB, popularity: {{zipf: 1.0}}}}\n\
             actions:\n  search: {{rate: 10/s, of: query, path: [web]}}\n  play: {{rate: 80/s, of: song, path: [web]}}\n  \
             keep: {{rate: 10/s, of: song, write: true, path: [web]}}\n  crawl: {{rate: 5/s, of: song, path: [web]}}\n\
             tiers: {{web: {{}}}}\nload:\n  scale: {{users: 1, sites: 3}}\n  sessions: {{returning: 40 %, steps: [{steps}]}}\n"
        );
        let scenario = Scenario::from_yaml(&SourceFile::new("radio.yaml", &text));
        scenario.unwrap_or_else(|problems| panic!("{problems}")).scaled_for_load().unwrap()
    }

    const STEPS: &str = "{do: search, think: {exponential: 2 s}}, \
        {do: play, share: 90 %, times: 2, again: 75 %, leave: 5 %, think: {mixture: [{weight: 30 %, exponential: 1 s}, {weight: 70 %, constant: 20 s}]}}, \
        {do: keep, share: 10 %, object: same}";

    fn requests(scenario: &Scenario, seconds: f64) -> Vec<Request> {
        trace::requests(scenario, 7, seconds).collect()
    }

    #[test]
    fn sessions_make_as_many_requests_as_the_rates_say_from_the_first_second_on() {
        let scenario = listeners(STEPS);
        let all = requests(&scenario, 600.0);
        assert!(all.windows(2).all(|pair| pair[0].at_s <= pair[1].at_s));
        let between = |from: f64, to: f64| all.iter().filter(|r| (from..to).contains(&r.at_s)).count() as f64;
        // 100/s in sessions, 5/s of the crawler's own. Sessions clump, so their counts spread more than a Poisson's.
        assert!((between(0.0, 600.0) / 63_000.0 - 1.0).abs() < 0.03, "{}", between(0.0, 600.0));
        assert!((between(0.0, 60.0) / 6_300.0 - 1.0).abs() < 0.1, "{}", between(0.0, 60.0));
        for (id, action) in scenario.actions.values().enumerate() {
            let seen = all.iter().filter(|r| r.action == id).count() as f64 / 600.0;
            let expected = scenario.mean_rate(action);
            assert!((seen / expected - 1.0).abs() < 0.06, "{id}: {seen}, by its mean {expected}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_requests_and_a_later_end_changes_none() {
        let scenario = listeners(STEPS);
        let (short, long) = (requests(&scenario, 20.0), requests(&scenario, 40.0));
        assert_eq!(short, long[..short.len()]);
        assert_ne!(short, trace::requests(&scenario, 8, 20.0).collect::<Vec<_>>());
    }

    #[test]
    fn what_follows_a_play_in_a_session_is_about_the_same_song() {
        let scenario = listeners(
            "{do: play, think: 1 s}, {do: keep, object: same, think: 1 s}, {do: play, object: same}",
        );
        let visits = Visits::of(&scenario, 3).unwrap();
        for number in 0..200 {
            let mut visit = visits.begin(number);
            let turns: Vec<Turn> = std::iter::from_fn(|| visits.next(&mut visit)).collect();
            assert_eq!(turns.iter().map(|t| t.request.action).collect::<Vec<_>>(), [1, 2, 1]);
            assert!(turns.iter().all(|turn| turn.request.object == turns[0].request.object));
            assert!(turns.iter().all(|turn| turn.request.user == turns[0].request.user));
        }
    }

    #[test]
    fn some_who_come_have_come_before() {
        let scenario = listeners(STEPS);
        let visits = Visits::of(&scenario, 1).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        let again = (0..5_000).filter(|&number| !seen.insert(visits.begin(number).user)).count();
        // 40 % by design, and of 100,000 users a few by chance.
        assert!((1_900..=2_200).contains(&again), "{again}");
    }

    #[test]
    fn steps_happen_as_often_as_their_means_say() {
        let scenario = listeners(STEPS);
        let (counts, length_s) = means(scenario.sessions.as_ref().unwrap());
        let visits = Visits::of(&scenario, 5).unwrap();
        let mut seen = [0_u32; 3];
        let (mut thought_s, sessions) = (0.0, 100_000);
        for number in 0..sessions {
            let mut visit = visits.begin(number);
            while let Some(turn) = visits.next(&mut visit) {
                seen[turn.request.action] += 1;
                thought_s += turn.think_s;
            }
        }
        for (seen, count) in seen.iter().zip(&counts) {
            let mean = f64::from(*seen) / sessions as f64;
            assert!((mean / count - 1.0).abs() < 0.04, "{mean} {count}");
        }
        assert!((thought_s / sessions as f64 / length_s - 1.0).abs() < 0.04);
    }
}
