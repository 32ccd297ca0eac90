//! Systems drawn at random: whatever is put together, requests are conserved and Little's law holds, which the
//! machine asserts at the end of every run.

use std::fmt::Write as _;

use plimsoll_scenarios::rng::Stream;

use super::{plan, played, read};

const TIERS: u64 = 6;

struct Draw(Stream);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0.below(n)
    }

    fn chance(&mut self, share: f64) -> bool {
        self.0.uniform() < share
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.0.below(of.len() as u64) as usize]
    }

    /// Steps that call tiers from `from` on, so that no path comes back.
    fn path(&mut self, from: u64, depth: u32) -> String {
        let tier = from + self.below(TIERS - from);
        let mut steps = vec![self.call(tier)];
        if tier + 1 < TIERS && self.chance(0.8) {
            let next = tier + 1;
            if depth < 3 && self.chance(0.5) {
                let branches: Vec<String> =
                    (0..=self.below(3)).map(|_| format!("[{}]", self.path(next, depth + 1))).collect();
                let branches = branches.join(", ");
                steps.push(match self.below(4) {
                    0 => format!("{{sequence: [{branches}]}}"),
                    1 => format!("{{parallel: [{branches}], wait_for: first}}"),
                    2 => format!("{{parallel: [{branches}]}}"),
                    _ => format!("{{async: [{}]}}", self.path(next, depth + 1)),
                });
            } else {
                steps.push(self.path(next, depth + 1));
            }
        }
        steps.join(", ")
    }

    fn call(&mut self, tier: u64) -> String {
        let mut call = format!("{{call: t{tier}");
        for (share, field) in [
            (0.1, "share: 60 %"),
            (0.1, "times: 1.5"),
            (0.15, "fan_out: 3, wait_for: 2"),
            (0.3, "timeout: 300 ms"),
            (0.3, "retries: {attempts: 3, backoff: 20 ms}"),
            (0.15, "hedge: {after: 50 ms}"),
            (0.15, "breaker: {failures: 40 %, window: 2 s, open: 1 s}"),
            (0.15, "pool: 2"),
            (0.2, "of: thing, write: true"),
        ] {
            if self.chance(share) {
                let _ = write!(call, ", {field}");
            }
        }
        call + "}"
    }

    fn tier(&mut self, id: u64) -> String {
        // What is waited for goes from sites to regions to what is there once.
        let scope = ["site", "site", "region", "region", "global", "global"][id as usize];
        let mut tier = format!("per: {scope}, rtt: {}", self.one(&["0 s", "2 ms"]));
        match self.below(8) {
            0 => tier += ", external: {latency: {exponential: 30 ms}, rate_max: 30/s}",
            1 => tier += ", cache: {capacity: 20 KB, memory: 5 KB}",
            _ => {
                let discipline = self.one(&["fcfs", "fcfs", "fcfs", "ps", "priority"]);
                let law = self.one(&["5 ms", "{exponential: 20 ms}", "{lognormal: {mean: 40 ms, cv: 2}}"]);
                let balance = self.one(&[
                    "random",
                    "round-robin",
                    "least-connections",
                    "power-of-two",
                    "consistent-hash",
                    "weighted",
                ]);
                let _ = write!(
                    tier,
                    ", servers: {}, concurrency: {}, service_time: {law}, discipline: {discipline}, balance: {balance}, \
                     queue_max: {}, copies: {}, single_writer: {}",
                    1 + self.below(9),
                    1 + self.below(3),
                    self.below(20),
                    1 + self.below(3),
                    self.chance(0.2)
                );
                if discipline != "ps" && self.chance(0.3) {
                    tier += ", blocking: true";
                }
                if discipline == "fcfs" && self.chance(0.2) {
                    tier += ", batch: {size: 4, wait: 10 ms}";
                }
                if self.chance(0.2) {
                    tier += ", autoscale: {max: 30, min: 1, delay: 20 s}";
                }
                if self.chance(0.3) {
                    tier += ", kinds: [{share: 30 %, speed: 2}, {share: 70 %}]";
                }
                if self.chance(0.2) {
                    tier = tier.replacen(
                        ", copies: ",
                        ", replication: {lag: 20 ms, write_quorum: 1, copies: ",
                        1,
                    );
                    tier = tier.replacen(", single_writer", "}, single_writer", 1);
                }
                if self.chance(0.3) {
                    tier += ", store: {iops: 200/s}";
                }
                if self.chance(0.2) {
                    tier += ", link: 10 Mbit/s, shards: {count: 8, by: consistent}";
                }
                if self.chance(0.3) {
                    tier += self.one(&[
                        ", cache: {capacity: 20 KB, per_server: true}",
                        ", cache: {capacity: 20 KB, memory: 3 KB, per_server: true}",
                        ", cache: {capacity: 20 KB, memory: 3 KB, policy: sieve, ttl: 20 s}",
                    ]);
                }
            }
        }
        tier
    }

    fn scenario(&mut self) -> String {
        let mut text = "name: random\npopulation: {users: 1000, regions: [{name: a, share: 50 %, sites: 2}, {name: b, share: \
                        50 %}]}\ndatasets: {thing: {count: 100, size: 1 KB, popularity: {zipf: 1}}, other: {count: 50, size: \
                        500 B}}\nactions:\n"
            .to_owned();
        for action in 0..3 {
            let of = self.one(&["thing", "other"]);
            let path = self.path(0, 0);
            let _ = writeln!(
                text,
                "  a{action}: {{rate: {}/s, of: {of}, priority: {action}, path: [{path}], then: [t5]}}",
                5 + self.below(40)
            );
        }
        text += "tiers:\n";
        let mut stations = Vec::new();
        for tier in 0..TIERS {
            let fields = self.tier(tier);
            if fields.contains("servers:") {
                stations.push(tier);
            }
            let _ = writeln!(text, "  t{tier}: {{{fields}}}");
        }
        text += "events:\n  - {at: 0:00, flash_crowd: {factor: 2, region: a}, for: 30 s}\n  - {at: 0:01, region_down: b, for: \
                 10 s}\n  - {at: 0:01, hot_release: {of: thing, share: 20 %}, for: 10 s}\n";
        for tier in stations {
            let _ = match self.below(3) {
                0 => writeln!(
                    text,
                    "  - {{at: 0:01, servers_down: {{tier: t{tier}, servers: 2, noticed_after: 5 s}}, for: 20 s}}"
                ),
                1 => writeln!(text, "  - {{at: 0:01, slow: {{tier: t{tier}, factor: 4}}, for: 15 s}}"),
                _ => {
                    writeln!(text, "  - {{at: 0:01, deploy: {{tier: t{tier}, at_a_time: 30 %}}, for: 30 s}}")
                }
            };
        }
        text
    }
}

#[test]
fn whatever_is_put_together_requests_are_conserved() {
    let mut requests = 0.0;
    for seed in 0..150 {
        let mut draw = Draw(Stream::new(seed, "test", "systems", 0));
        let scenario = read(&draw.scenario());
        let counted = &played(&scenario, plan(seed, 1, 10.0, 120.0))[0];
        requests += counted.requests.iter().flatten().flatten().sum::<f64>();
        for grid in &counted.failed {
            assert!(grid.iter().flatten().all(|share| (0.0..=1.0).contains(share)));
        }
        for (calls, hits) in
            counted.calls.iter().flatten().flatten().zip(counted.hits.iter().flatten().flatten())
        {
            assert!(hits <= calls, "{hits} of {calls}");
        }
    }
    assert!(requests > 1e6, "{requests}");
}
