//! When most is asked for: of everybody, and of the servers that are fullest then.
//!
//! Why two: regions have clocks of their own, and servers that stand by region are fullest at the peak of theirs, which
//! may be everybody's quiet hour.

use plimsoll_scenarios::arrivals::DAY_S;
use plimsoll_scenarios::{Scenario, Scope, TierId};

use super::goals::State;
use crate::model;

/// Steps of the day at which its peak is looked for.
const STEPS: usize = 288;
/// By how much more a pool must be asked for at its own peak for that to be played as well.
const FULLER: f64 = 1.02;

/// The time of the day at which most is asked for, seconds after midnight UTC, and how often that is, 1/s.
#[must_use]
pub fn peak(scenario: &Scenario) -> (f64, f64) {
    let step = DAY_S / STEPS as f64;
    let regions = scenario.population.regions.len();
    let rate = |at: f64| -> f64 {
        let of = |action| (0..regions).map(move |r| model::rate(scenario, action, r, at, at + step));
        scenario.actions.values().flat_map(of).sum()
    };
    let all = (0..STEPS).map(|i| i as f64 * step).map(|at| (at + 0.5 * step, rate(at)));
    all.reduce(|most, now| if now.1 > most.1 { now } else { most }).unwrap_or((0.0, 0.0))
}

/// The time of the day at which the fullest pool of a region (of one tier, where only that is asked for) is asked for
/// most; nothing where it is asked for about as much at the time of everybody's peak.
#[must_use]
pub fn own_peak(state: &State<'_, '_>, everybody_s: f64, only: Option<TierId>) -> Option<f64> {
    let scenario = state.scenario();
    let tiers = (0..scenario.tiers.len())
        .filter(|&t| only.is_none_or(|only| only == t))
        .filter(|&t| matches!(scenario.tiers[t].scope, Scope::Region | Scope::Site));
    let pools = tiers.flat_map(|t| (0..scenario.population.regions.len()).map(move |r| (t, r)));
    let busy = pools.filter_map(|(t, r)| Some((t, r, state.busy(t, r).filter(|busy| busy.is_finite())?)));
    let (tier, region, _) = busy.max_by(|a, b| a.2.total_cmp(&b.2))?;
    let step = DAY_S / STEPS as f64;
    let asked = |at_s: f64| state.asked_at(tier, region, (at_s, at_s + step));
    let hours = (0..STEPS).map(|i| i as f64 * step);
    let at_s = hours.reduce(|most, now| if asked(now) > asked(most) { now } else { most })?;
    (asked(at_s) > FULLER * asked(everybody_s - 0.5 * step)).then_some(at_s + 0.5 * step)
}

#[cfg(test)]
mod tests {
    use plimsoll_scenarios::prices::PriceList;
    use plimsoll_scenarios::{Open, SourceFile};

    use super::*;
    use crate::flow::Flow;
    use crate::plan::evaluate::Evaluator;
    use crate::plan::problem::Problem;
    use crate::plan::search::search;
    use crate::plan::tests::ASSUMED;

    /// The hour of everybody's peak, and that of the fullest pool where it is another.
    fn hours(offset: &str, per: &str) -> (f64, Option<f64>) {
        let text = format!(
            "name: two\npopulation: {{users: 1 M, regions: [{{name: a, share: 70 %}}, {{name: b, share: 30 %, utc_offset: {offset}}}], diurnal: {{peak_to_mean: 2, peak_at: 12:00}}}}\n\
             actions: {{ask: {{per_user: 50/day, path: [web]}}}}\n\
             tiers: {{web: {{per: {per}, servers: 30, concurrency: 2, service_time: 20 ms}}}}\n"
        );
        let scenario = Scenario::from_yaml(&SourceFile::new("two.yaml", &text)).unwrap();
        let open = Open { scenario, free: Vec::new(), sites: Vec::new() };
        let prices = PriceList::bundled();
        let problem = Problem::new(&open, &prices, &ASSUMED).unwrap();
        let flow = Flow::of(&problem.scenario);
        let mut evaluator = Evaluator::new(&problem, &problem.scenario, &flow);
        let mut sizing = search(&mut evaluator, None).unwrap().sizing;
        // Region b has the fuller pool.
        for sized in sizing.tiers.iter_mut().flatten() {
            if let [_, b] = &mut sized.pools[..] {
                *b = 1;
            }
        }
        let everybody = peak(&problem.scenario).0;
        let state = State::normal(&evaluator, &problem.scenario, &sizing);
        (everybody / 3600.0, own_peak(&state, everybody, None).map(|own| own / 3600.0))
    }

    #[test]
    fn a_pool_has_the_hour_of_its_region() {
        let (everybody, own) = hours("+8 h", "region");
        assert!((everybody - 12.0).abs() < 2.0, "{everybody}");
        assert!(own.is_some_and(|own| (own - 4.0).abs() < 0.2), "{own:?}");
        assert_eq!(hours("0 h", "region").1, None);
        assert_eq!(hours("+8 h", "global").1, None);
    }
}
