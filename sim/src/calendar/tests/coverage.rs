//! Intervals of 95 % cover the truth in 95 % of runs.
//!
//! Why 93 to 97 %: of 400 runs whose intervals are right, 93 to 97 % cover in nineteen cases of twenty. Seeds are fixed, so
//! the test always says the same; `--nocapture` prints the table. Means of waits are skewed to the right, and the shorter
//! a run beside the time in which its queue forgets, the more: of runs a third as long, 93.4 % of the intervals cover.

use plimsoll_scenarios::Scenario;

use super::{over, played, read, station};
use crate::analytic::queues::{
    Class, Service, mdc_wait, mg1_nonpreemptive_waits, mg1_ps_sojourn, mg1_wait, mmc_wait, mmck,
};
use crate::calendar::Plan;
use crate::outcome::Counted;

const RUNS: u64 = 400;

/// A system, what is looked at, and what that is in truth.
struct Case {
    name: &'static str,
    scenario: Scenario,
    figure: fn(&Counted) -> f64,
    truth: f64,
    /// Long beside the time in which its queue forgets: some 400 of these.
    duration_s: f64,
}

fn cases() -> Vec<Case> {
    const EXPONENTIAL: &str = "service_time: {exponential: 1 s}, queue_max: 1000000";
    let wait: fn(&Counted) -> f64 = |c| c.waits[0].mean();
    let case = |name, rate: f64, tier: &str, figure, truth| Case {
        name,
        scenario: station(rate, tier),
        figure,
        truth,
        duration_s: if rate > 1.0 { 2_400.0 } else { 2_400.0 / rate },
    };
    let class = |arrival_rate| Class { arrival_rate, service: Service::exponential(1.0) };
    let two_classes = read(
        "name: two\npopulation: {users: 1}\nactions:\n  urgent: {rate: 0.2/s, path: [server]}\n  other: {rate: 0.4/s, \
         priority: 5, path: [server]}\ntiers:\n  server: {servers: 1, service_time: {exponential: 1 s}, discipline: priority, \
         queue_max: 1000000}\n",
    );
    vec![
        case("M/M/1", 0.5, &format!("servers: 1, {EXPONENTIAL}"), wait, mmc_wait(1, 0.5, 1.0)),
        case(
            "M/M/4",
            2.4,
            &format!("servers: 1, concurrency: 4, {EXPONENTIAL}"),
            wait,
            mmc_wait(4, 2.4, 1.0),
        ),
        case("M/D/1", 0.6, "servers: 1, service_time: 1 s, queue_max: 1000000", wait, mdc_wait(1, 0.6, 1.0)),
        case(
            "M/G/1, cv 1.5",
            0.5,
            "servers: 1, service_time: {gamma: {mean: 1 s, cv: 1.5}}, queue_max: 1000000",
            wait,
            mg1_wait(0.5, &Service::gamma(1.0, 1.5)),
        ),
        case(
            "M/M/1/10, blocking",
            0.9,
            "servers: 1, service_time: {exponential: 1 s}, queue_max: 9",
            |c| c.stations[0][0][0].rejected_share,
            mmck(1, 9, 0.9, 1.0).blocking,
        ),
        case(
            "M/G/1-PS",
            0.6,
            "servers: 1, service_time: {gamma: {mean: 1 s, cv: 1.5}}, discipline: ps, queue_max: 1000000",
            |c| c.sojourns[0].mean(),
            mg1_ps_sojourn(0.6, 1.0),
        ),
        Case {
            name: "priorities, the second class",
            scenario: two_classes,
            figure: |c| c.first_byte[1].mean() - 1.0,
            truth: mg1_nonpreemptive_waits(&[class(0.2), class(0.4)])[1],
            duration_s: 4_000.0,
        },
    ]
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let mut table = String::new();
    let mut fine = true;
    let mut all = 0;
    let cases = cases();
    for case in &cases {
        let covers = |run: &u64| {
            let plan = Plan {
                seed: 15_000 + run,
                replications: 8,
                threads: 2,
                from_s: 0.0,
                warmup_s: 250.0,
                duration_s: case.duration_s,
                slots: 1,
                same_requests: false,
            };
            let got = over(&played(&case.scenario, plan), case.figure);
            (got.low..=got.high).contains(&case.truth)
        };
        let covered = (0..RUNS).filter(covers).count();
        let share = covered as f64 / RUNS as f64;
        table += &format!(
            "{:<30} truth {:>9.5}, covered by {:>5.2} % of {RUNS} intervals\n",
            case.name,
            case.truth,
            100.0 * share
        );
        fine &= (0.93..=0.97).contains(&share);
        all += covered;
    }
    let share = all as f64 / (RUNS * cases.len() as u64) as f64;
    println!("{table}together {:.2} %", 100.0 * share);
    assert!(fine && (0.94..=0.96).contains(&share), "{table}together {share}");
}
