use super::{agrees, over, plan, played, read};
use crate::analytic::queues::{SharedLink, mg1_ps_response};
use crate::outcome::Counted;

/// Two kinds of bodies, of one and of four megabits, 20 and 10 a second of them, over a link. `more` belongs to the tier.
fn two_sizes(population: &str, more: &str) -> plimsoll_scenarios::Scenario {
    read(&format!(
        "name: sizes\npopulation: {{users: 1{population}}}\nactions:\n  small: {{rate: 20/s, response: 125 KB, path: \
         [edge]}}\n  large: {{rate: 10/s, response: 500 KB, path: [edge]}}\ntiers: {{edge: {{{more}}}}}\n"
    ))
}

/// How long the bodies of an action take.
fn body(counted: &Counted, action: usize) -> f64 {
    counted.complete[action].mean() - counted.first_byte[action].mean()
}

#[test]
fn bodies_share_a_link_and_take_in_proportion_to_their_size() {
    // 60 of 80 Mbit/s.
    let counted = played(&two_sizes("", "link: 80 Mbit/s"), plan(1, 12, 100.0, 2_000.0));
    for (action, megabits) in [(0, 1.0), (1, 4.0)] {
        let want = mg1_ps_response(60.0, 1.0 / 80.0, megabits / 80.0);
        agrees("a body", over(&counted, |c| body(c, action)), want, 0.05);
    }
    // The first byte waits for nobody's body.
    assert!(counted.iter().all(|c| c.first_byte[1].mean() < 1e-6));
}

#[test]
fn no_body_is_faster_than_its_users_access() {
    for (downlink, per_flow) in [("20 Mbit/s", 20e6), ("32 Mbit/s", 32e6), ("4 Mbit/s", 4e6)] {
        let scenario = two_sizes(&format!(", downlink: {downlink}"), "link: 80 Mbit/s");
        let counted = played(&scenario, plan(2, 12, 100.0, 2_000.0));
        let link = SharedLink { capacity: 80e6, per_flow, load: 60e6 };
        for (action, bits) in [(0, 1e6), (1, 4e6)] {
            agrees(downlink, over(&counted, |c| body(c, action)), link.time_of(bits), 0.05);
        }
    }
}

#[test]
fn a_run_says_how_long_bodies_take_and_what_the_formula_says() {
    let scenario =
        two_sizes(", downlink: 20 Mbit/s", "servers: 4, concurrency: 8, service_time: 1 ms, link: 20 Mbit/s");
    let counted = played(&scenario, plan(3, 4, 100.0, 1_000.0));
    let sums = |c: &Counted| {
        (0..40).map(|s| c.beside.at(0, 0, s)).fold((0.0, 0.0), |a, x| (a.0 + x.bodies, a.1 + x.body_bits))
    };
    let (bodies, bits) = sums(&counted[0]);
    assert!(
        (bodies / 30_000.0 - 1.0).abs() < 0.03 && (bits / bodies / 2e6 - 1.0).abs() < 0.03,
        "{bodies} {bits}"
    );
    let mean = over(&counted, |c| c.beside.bodies[&0].mean());
    // Each server's link has a quarter of the bodies.
    let link = SharedLink { capacity: 20e6, per_flow: 20e6, load: 15e6 };
    agrees("bodies", mean, link.time_of(2e6), 0.1);
}

#[test]
fn what_is_made_into_something_else_is_waited_for_and_what_is_passed_on_is_not() {
    let chain = |of: &str, response: &str| {
        let scenario = read(&format!(
            "name: chain\npopulation: {{users: 1}}\ndatasets: {{song: {{count: 1, size: 1 MB}}, lyrics: {{count: 1, size: 1 \
             MB}}}}\nactions: {{play: {{rate: 0.01/s, of: song, path: [web, {{call: store, of: {of}, response: \
             {response}}}]}}}}\ntiers: {{web: {{rtt: 20 ms}}, store: {{rtt: 10 ms, link: 8 Mbit/s}}}}\n"
        ));
        let counted = &played(&scenario, plan(1, 1, 0.0, 20_000.0))[0];
        let p50 = |l: &crate::histogram::Latencies| l.quantile(0.5).unwrap();
        (p50(&counted.first_byte[0]), p50(&counted.complete[0]))
    };
    // A megabyte takes a second. Passed on, its first byte does not wait for the last.
    let (first, complete) = chain("song", "1 MB");
    assert!((first - 0.03).abs() < 0.001 && (complete - 1.03).abs() < 0.005, "{first} {complete}");
    for (of, response) in [("lyrics", "1 MB"), ("song", "1.001 MB")] {
        let (first, complete) = chain(of, response);
        assert!((first - 1.03).abs() < 0.005 && (complete - 1.03).abs() < 0.005, "{first} {complete}");
    }
}

#[test]
fn a_body_on_its_way_goes_slower_on_a_link_that_is_cut() {
    // A hundred megabits at ten a second: ten seconds alone, and a hundred on a tenth of the link.
    let scenario = read(
        "name: cut\npopulation: {users: 1}\nactions: {get: {rate: 0.01/s, response: 12.5 MB, path: [edge]}}\ntiers: {edge: \
         {link: 10 Mbit/s}}\nevents: [{at: 0:01, cut: {tier: edge, to: 10 %}, for: 20 h}]\n",
    );
    let counted = &played(&scenario, plan(1, 1, 0.0, 7_000.0))[0];
    let late = counted.complete[0].quantile(0.5).unwrap();
    assert!(late >= 99.0, "{late}");
    assert!(counted.first_byte[0].quantile(0.99).unwrap() < 1e-3);
}

#[test]
fn a_body_on_its_way_is_lost_with_its_server() {
    // A megabit each over a kilobit a second: none of a hundred and fewer gets there before the crash, ten minutes later.
    let scenario = |path: &str| {
        read(&format!(
            "name: lost\npopulation: {{users: 1}}\nactions: {{get: {{rate: 0.1/s, response: 125 KB, path: {path}}}}}\n\
             tiers:\n  web: {{servers: 1, concurrency: 1000, service_time: 1 ms}}\n  store: {{servers: 2, balance: round-robin, \
             concurrency: 1000, service_time: 1 ms, link: 1 kbit/s}}\n\
             events: [{{at: 0:10, servers_down: {{tier: store, servers: 2}}, for: 20 h}}]\n"
        ))
    };
    for path in ["[store]", "[web, store]", "[web, {call: store, response: 126 KB}]"] {
        let counted = &played(&scenario(path), plan(1, 1, 0.0, 600.0))[0];
        let all: f64 = counted.requests.iter().flatten().flatten().sum();
        let failed: f64 = counted.failed[0]
            .iter()
            .flatten()
            .zip(counted.requests[0].iter().flatten())
            .map(|(f, n)| f * n)
            .sum();
        assert!(all > 30.0 && (failed - all).abs() < 1e-9, "{path}: {failed} of {all}");
        assert_eq!(counted.complete[0].count(), 0);
    }
}
