use super::{agrees, over, plan, played, read};
use crate::analytic::replication::Quorum;
use crate::analytic::staleness::Staleness;
use crate::outcome::Counted;

/// Three copies of so many objects, read twenty times and written twice a second.
fn copies(objects: &str, quorums: (u64, u64), lag: &str) -> Vec<Counted> {
    let (writes, reads) = quorums;
    let scenario = read(&format!(
        "name: lag\npopulation: {{users: 1}}\ndatasets: {{note: {{{objects}, size: 1 KB}}}}\nactions:\n  look: {{rate: 20/s, of: \
         note, path: [db]}}\n  jot: {{rate: 2/s, of: note, write: true, path: [db]}}\ntiers: {{db: {{servers: 6, concurrency: \
         64, service_time: 1 us, replication: {{copies: 3, write_quorum: {writes}, read_quorum: {reads}, lag: {lag}}}}}}}\n"
    ));
    played(&scenario, plan(1, 12, 100.0, 4_000.0))
}

fn stale(counted: &Counted) -> f64 {
    let slots = counted.beside.sums[0].iter().flatten();
    let (stale, reads) = slots.fold((0.0, 0.0), |a, x| (a.0 + x.stale, a.1 + x.reads));
    assert!((reads / 80_000.0 - 1.0).abs() < 0.03, "{reads}");
    stale / reads
}

fn quorum(quorums: (u64, u64)) -> Quorum {
    Quorum { copies: 3, writes: quorums.0, reads: quorums.1 }
}

#[test]
fn reads_are_as_stale_as_the_closed_form_says() {
    for (quorums, lag_s) in [((1, 1), 0.3), ((1, 2), 0.3), ((2, 1), 2.0)] {
        let counted = copies("count: 1", quorums, &format!("{{exponential: {lag_s} s}}"));
        let at_once = quorum(quorums).stale_read();
        let want = at_once * 2.0 / (2.0 + quorums.1 as f64 / lag_s);
        agrees(&format!("{quorums:?}"), over(&counted, stale), want, 0.05);
    }
    let constant = copies("count: 1", (1, 1), "200 ms");
    let want = 2.0 / 3.0 * (1.0 - (-0.4_f64).exp());
    agrees("a constant lag", over(&constant, stale), want, 0.05);
}

#[test]
fn of_many_objects_each_is_as_stale_as_it_is_written() {
    let counted = copies("count: 50, popularity: {zipf: 1}", (1, 1), "{exponential: 1 s}");
    let law = Staleness::new(quorum((1, 1)), |p| -(-p).ln_1p());
    let want = law.share_over(&plimsoll_scenarios::popularity::Popularity::zipf(1.0).over(50), 2.0);
    agrees("fifty objects", over(&counted, stale), want, 0.06);
}

#[test]
fn quorums_that_meet_are_never_stale() {
    for quorums in [(2, 2), (3, 1), (1, 3)] {
        assert!(copies("count: 1", quorums, "10 s").iter().all(|c| stale(c) == 0.0), "{quorums:?}");
    }
}
