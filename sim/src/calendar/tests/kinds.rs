use super::{agrees, over, plan, played, read};
use crate::analytic::queues::mmc_wait;
use crate::outcome::{Counted, KindSums};

/// Four servers under six requests a second, one of them three times as fast as the others: all can do six thirds more.
fn unequal(balance: &str, rate: f64) -> plimsoll_scenarios::Scenario {
    read(&format!(
        "name: unequal\npopulation: {{users: 1}}\nactions: {{ask: {{rate: {rate}/s, path: [web]}}}}\ntiers: {{web: {{servers: \
         4, service_time: {{exponential: 1 s}}, queue_max: 100000, balance: {balance}, kinds: [{{share: 25 %, speed: 3}}, \
         {{share: 75 %}}]}}}}\n"
    ))
}

fn sum(counted: &Counted, kind: usize, of: impl Fn(&KindSums) -> f64) -> f64 {
    counted.beside.kinds[0][kind].iter().map(of).sum()
}

#[test]
fn a_weighted_balancer_gives_each_what_it_is_worth_and_no_request_more() {
    let counted = &played(&unequal("weighted", 4.0), plan(1, 1, 0.0, 4_000.0))[0];
    let (fast, slow) = (sum(counted, 0, |x| x.services), sum(counted, 1, |x| x.services));
    // Of all requests half; what is still on its way when counting ends is at most a few.
    assert!((fast - slow).abs() < 60.0 && fast + slow > 15_000.0, "{fast} {slow}");
}

#[test]
fn in_turn_by_weight_is_exact_where_nobody_waits() {
    let scenario = read(
        "name: exact\npopulation: {users: 1}\nactions: {ask: {rate: 100/s, response: 1 KB, path: [edge]}}\ntiers: {edge: \
         {servers: 6, concurrency: 1000, service_time: 1 us, balance: weighted, kinds: [{share: 50 %, link: 10 Gbit/s}, \
         {share: 2/6, link: 25 Gbit/s}, {share: 1/6, link: 40 Gbit/s}]}}\n",
    );
    let counted = &played(&scenario, plan(1, 1, 0.0, 1_000.0))[0];
    let services: Vec<f64> = (0..3).map(|kind| sum(counted, kind, |x| x.services)).collect();
    let all: f64 = services.iter().sum();
    // Of 120 Gbit/s: 30, 50 and 40. In turn nobody is ever off by a whole request, so kinds of three by three at most.
    for (services, share) in services.iter().zip([30.0, 50.0, 40.0]) {
        assert!((services - all * share / 120.0).abs() < 3.0, "{services} of {all}");
    }
}

#[test]
fn by_weight_servers_are_alike_busy_and_at_random_the_slow_ones_drown() {
    let busy = |balance: &str, kind: usize| {
        let counted = played(&unequal(balance, 3.6), plan(2, 4, 500.0, 4_000.0));
        let servers = [1.0, 3.0][kind];
        over(&counted, |c| sum(c, kind, |x| x.work_s) / 4_000.0 / servers).value
    };
    for kind in [0, 1] {
        let used = busy("weighted", kind);
        assert!((used - 0.6).abs() < 0.02, "{kind}: {used}");
    }
    let (fast, slow) = (busy("random", 0), busy("random", 1));
    assert!((fast - 0.3).abs() < 0.02 && (slow - 0.9).abs() < 0.03, "{fast} {slow}");
    // At random each is a queue of its own, of which three are nearly full.
    let counted = played(&unequal("random", 3.2), plan(3, 12, 2_000.0, 20_000.0));
    let want = 0.25 * mmc_wait(1, 0.8, 1.0 / 3.0) + 0.75 * mmc_wait(1, 0.8, 1.0);
    agrees("at random", over(&counted, |c| c.waits[0].mean()), want, 0.1);
}

#[test]
fn who_looks_at_the_load_divides_it_by_the_weight() {
    let wait = |balance: &str| {
        let counted = played(&unequal(balance, 4.8), plan(4, 4, 500.0, 4_000.0));
        let (fast, slow) = counted
            .iter()
            .fold((0.0, 0.0), |a, c| (a.0 + sum(c, 0, |x| x.services), a.1 + sum(c, 1, |x| x.services)));
        (over(&counted, |c| c.sojourns[0].mean()).value, fast / (fast + slow))
    };
    let (weighted, _) = wait("weighted");
    let (least, fast) = wait("least-connections");
    let (two, fast_of_two) = wait("power-of-two");
    assert!(least < weighted && two < weighted, "{least} {two} {weighted}");
    assert!(fast > 0.35 && fast_of_two > 0.3, "{fast} {fast_of_two}");
}

#[test]
fn a_link_of_its_own_is_how_fast_a_servers_bodies_are() {
    // Alone on one of two links; the same number goes to each.
    let scenario = read(
        "name: links\npopulation: {users: 1}\nactions: {get: {rate: 0.01/s, response: 1.25 MB, path: [edge]}}\ntiers: {edge: \
         {servers: 2, service_time: 1 us, balance: round-robin, kinds: [{share: 50 %, link: 10 Mbit/s}, {share: 50 %, link: 40 \
         Mbit/s}]}}\n",
    );
    let counted = &played(&scenario, plan(1, 1, 0.0, 40_000.0))[0];
    let at = |p: f64| counted.complete[0].quantile(p).unwrap();
    assert!((at(0.25) - 0.25).abs() < 0.01 && (at(0.75) - 1.0).abs() < 0.01, "{} {}", at(0.25), at(0.75));
}
