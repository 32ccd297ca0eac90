//! What the stack says about its tiers: Prometheus counters, read twice and subtracted.
//!
//! Why differences: the counters run since the stack's start, warm-up included; only what was added in the
//! seconds that count belongs to the measurement.

use std::collections::BTreeMap;

use plimsoll_reports::record::TierMeasured;

/// The counters of all tiers at one moment, by tier, summed over replicas.
pub type Snapshot = BTreeMap<String, Counters>;

/// Counters of one tier.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters {
    ok: f64,
    rejected: f64,
    failed: f64,
    /// Zero, all three, also where the tier has no cache.
    hit: f64,
    miss: f64,
    coalesced: f64,
    /// A gauge: slots over all replicas.
    slots: f64,
    wait_s: f64,
    waits: f64,
    service_s: f64,
    services: f64,
    bytes: f64,
}

impl Counters {
    /// Adds one sample; metrics that are not ours are ignored.
    fn add(&mut self, metric: &str, labels: &[Label], value: f64) {
        let label = |name: &str| labels.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
        let counter = match (metric, label("outcome"), label("result")) {
            ("plimsoll_requests_total", "ok", _) => &mut self.ok,
            ("plimsoll_requests_total", "rejected", _) => &mut self.rejected,
            ("plimsoll_requests_total", "failed", _) => &mut self.failed,
            ("plimsoll_cache_results_total", _, "hit") => &mut self.hit,
            ("plimsoll_cache_results_total", _, "miss") => &mut self.miss,
            ("plimsoll_cache_results_total", _, "coalesced") => &mut self.coalesced,
            ("plimsoll_slots", ..) => &mut self.slots,
            ("plimsoll_queue_wait_seconds_sum", ..) => &mut self.wait_s,
            ("plimsoll_queue_wait_seconds_count", ..) => &mut self.waits,
            ("plimsoll_service_seconds_sum", ..) => &mut self.service_s,
            ("plimsoll_service_seconds_count", ..) => &mut self.services,
            ("plimsoll_response_bytes_total", ..) => &mut self.bytes,
            _ => return,
        };
        *counter += value;
    }

    /// What was added since `before`; never negative, though a restarted replica counts from 0 again.
    fn since(&self, before: &Self) -> Self {
        let delta = |after: f64, before: f64| (after - before).max(0.0);
        Self {
            ok: delta(self.ok, before.ok),
            rejected: delta(self.rejected, before.rejected),
            failed: delta(self.failed, before.failed),
            hit: delta(self.hit, before.hit),
            miss: delta(self.miss, before.miss),
            coalesced: delta(self.coalesced, before.coalesced),
            slots: self.slots,
            wait_s: delta(self.wait_s, before.wait_s),
            waits: delta(self.waits, before.waits),
            service_s: delta(self.service_s, before.service_s),
            services: delta(self.services, before.services),
            bytes: delta(self.bytes, before.bytes),
        }
    }

    fn measured(&self, name: &str, window_s: f64) -> TierMeasured {
        let ratio = |over: f64, under: f64| (under > 0.0).then(|| over / under);
        let requests = self.ok + self.rejected + self.failed;
        let found = self.hit + self.coalesced;
        TierMeasured {
            name: name.to_owned(),
            requests: requests as u64,
            rate_per_s: requests / window_s,
            hit_ratio: ratio(found, found + self.miss),
            utilisation: ratio(self.service_s, self.slots * window_s),
            wait_mean_s: ratio(self.wait_s, self.waits),
            service_mean_s: ratio(self.service_s, self.services),
            rejected: self.rejected as u64,
            bytes_out: self.bytes as u64,
        }
    }
}

/// Reads Prometheus text. Lines that are no samples of a tier are skipped.
pub fn parse(text: &str) -> Snapshot {
    let mut tiers = Snapshot::new();
    for line in text.lines().filter(|line| line.starts_with("plimsoll_")) {
        if let Some((metric, labels, value)) = sample(line)
            && let Some((_, tier)) = labels.iter().find(|(name, _)| name == "tier")
        {
            tiers.entry(tier.clone()).or_default().add(metric, &labels, value);
        }
    }
    tiers
}

type Label = (String, String);

/// Metric, labels and value of `name{a="b",c="d"} 1.5 [timestamp]`.
fn sample(line: &str) -> Option<(&str, Vec<Label>, f64)> {
    let brace = line.find('{')?;
    let (metric, mut rest) = (&line[..brace], &line[brace + 1..]);
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            let value: f64 = after.split_whitespace().next()?.parse().ok()?;
            return value.is_finite().then_some((metric, labels, value));
        }
        let (name, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((name.trim().to_owned(), value));
        rest = after;
    }
}

/// The text up to the closing quote, unescaped, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            _ => value.push(c),
        }
    }
    None
}

/// What the tiers did between two snapshots `window_s` apart, in the given order, the others after.
pub fn between<'a>(
    before: &Snapshot,
    after: &Snapshot,
    window_s: f64,
    order: impl Iterator<Item = &'a str>,
) -> Vec<TierMeasured> {
    let none = Counters::default();
    let mut left = after.clone();
    let mut tiers = Vec::with_capacity(after.len());
    let mut take = |name: &str, counters: Counters| {
        tiers.push(counters.since(before.get(name).unwrap_or(&none)).measured(name, window_s));
    };
    for name in order {
        if let Some(counters) = left.remove(name) {
            take(name, counters);
        }
    }
    for (name, counters) in left {
        take(&name, counters);
    }
    tiers
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
# HELP plimsoll_requests_total Requests.
# TYPE plimsoll_requests_total counter
plimsoll_requests_total{tier="web",replica="0",outcome="ok"} 100
plimsoll_requests_total{tier="web",replica="1",outcome="ok"} 50
plimsoll_slots{tier="web",replica="0"} 4
plimsoll_slots{tier="web",replica="1"} 4
plimsoll_service_seconds_sum{tier="web",replica="0"} 1.0
plimsoll_service_seconds_count{tier="web",replica="0"} 150
"#;
    const AFTER: &str = r#"
plimsoll_requests_total{tier="web",replica="0",outcome="ok"} 1.1e3 1700000000
plimsoll_requests_total{tier="web",replica="1",outcome="ok"} 950
plimsoll_requests_total{tier="web",replica="1",outcome="rejected"} 100
plimsoll_cache_results_total{tier="web",replica="0",result="hit"} 60
plimsoll_cache_results_total{tier="web",replica="0",result="coalesced"} 20
plimsoll_cache_results_total{tier="web",replica="0",result="miss"} 20
plimsoll_slots{tier="web",replica="0"} 4
plimsoll_slots{tier="web",replica="1"} 4
plimsoll_service_seconds_sum{tier="web",replica="0"} 41.0
plimsoll_service_seconds_count{tier="web",replica="0"} 2150
plimsoll_queue_wait_seconds_sum{tier="web",replica="0"} 2
plimsoll_queue_wait_seconds_count{tier="web",replica="0"} 2000
plimsoll_response_bytes_total{tier="web",replica="0"} 12345
plimsoll_requests_total{tier="a \"b\"",replica="0",outcome="ok"} 3
plimsoll_requests_total{tier="idle",replica="0",outcome="ok"} 3
plimsoll_cache_results_total{tier="idle",replica="0",result="hit"} 0
plimsoll_cache_results_total{tier="idle",replica="0",result="coalesced"} 0
plimsoll_cache_results_total{tier="idle",replica="0",result="miss"} 0
other_total{tier="web"} 9
plimsoll_requests_total{tier="web",outcome="ok"
"#;

    #[test]
    fn tiers_are_the_difference_of_two_scrapes() {
        let tiers = between(&parse(BEFORE), &parse(AFTER), 10.0, ["db", "web"].into_iter());
        assert_eq!(tiers.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["web", "a \"b\"", "idle"]);
        let web = &tiers[0];
        assert_eq!((web.requests, web.rejected, web.bytes_out), (2_000, 100, 12_345));
        assert!((web.rate_per_s - 200.0).abs() < 1e-9);
        assert!((web.hit_ratio.unwrap() - 0.8).abs() < 1e-9);
        assert!((web.utilisation.unwrap() - 0.5).abs() < 1e-9);
        assert!((web.wait_mean_s.unwrap() - 0.001).abs() < 1e-9);
        assert!((web.service_mean_s.unwrap() - 0.02).abs() < 1e-9);
        assert_eq!(tiers[1].hit_ratio, None, "no cache");
        assert_eq!(tiers[2].hit_ratio, None, "a cache that nobody asked");
        assert_eq!(tiers[1].utilisation, None);
    }
}
