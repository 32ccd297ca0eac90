//! Targets that a closed form can judge: hit ratios, utilisations, and how often it works. Percentiles of latencies
//! need whole paths and are left to the simulation.

use plimsoll_reports::record::{Quantity, SloVerdict, Unit};
use plimsoll_scenarios::Scenario;
use plimsoll_scenarios::slo::Metric;

/// The verdicts, in the scenario's order.
pub fn slos(scenario: &Scenario, quantities: &[Quantity]) -> Vec<SloVerdict> {
    let value = |id: &str| quantities.iter().find(|q| q.id == id).map(|q| q.value);
    let judge = |slo: &plimsoll_scenarios::slo::Slo| {
        let value = match &slo.metric {
            Metric::HitRatio { tier } => value(&format!("{tier}.hit_ratio")),
            Metric::MemoryHitRatio { tier } => value(&format!("{tier}.memory_hit_ratio")),
            Metric::Utilisation { tier } => value(&format!("{tier}.utilisation_peak")),
            Metric::Headroom { tier } => value(&format!("{tier}.utilisation_peak")).map(|used| 1.0 - used),
            Metric::Stale { tier } => value(&format!("{tier}.stale_reads")),
            Metric::Availability => availability(scenario, &value),
            Metric::Durability { .. }
            | Metric::Loss { .. }
            | Metric::FirstByte { .. }
            | Metric::Complete { .. } => None,
        }?;
        Some(SloVerdict {
            text: slo.text.clone(),
            value,
            bound: slo.bound,
            unit: Unit::Share,
            holds: slo.holds(value),
        })
    };
    scenario.slos.iter().filter_map(judge).collect()
}

/// Share of requests that find everything they need: the actions' availabilities by their rates. `None` unless all
/// are known.
fn availability(scenario: &Scenario, value: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let (mut requests, mut served) = (0.0, 0.0);
    for name in scenario.actions.keys() {
        let rate = value(&format!("{name}.rate"))?;
        requests += rate;
        served += rate * value(&format!("{name}.availability"))?;
    }
    (requests > 0.0).then(|| served / requests)
}
