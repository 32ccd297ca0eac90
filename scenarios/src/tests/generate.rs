//! Scenarios made at random: whole valid ones, and trees that follow the tables of fields and little else.

use crate::decode::{Kind, Shape};
use crate::rng::Stream;
use crate::validate::{SCENARIO, STEP};

/// Draws from a named stream; the same seed draws the same.
pub struct Draw {
    stream: Stream,
}

impl Draw {
    pub fn new(purpose: &str, seed: u64) -> Self {
        Self { stream: Stream::new(seed, "tests", purpose, 0) }
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.stream.below(n as u64) as usize
    }

    pub fn from(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    pub fn chance(&mut self, p: f64) -> bool {
        self.stream.uniform() < p
    }

    pub fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const SIZES: &[&str] = &["200 B", "5 MB", "1 KiB", "20 to 40 KB", "1 to 2 MB uniform", "0.5 GB", "10_000 B"];
const TIMES: &[&str] = &["1 ms", "20 to 40 ms", "0.5 s", "1 to 9 ms loguniform", "2 to 3 ms triangular"];
const RATES: &[&str] =
    &["5/day", "every 4 s", "3 to 6/day", "every 2 to 5 min normal", "1 K/s", "2 per hour"];
const COUNTS: &[&str] = &["1 M", "10_000", "2 B", "1e6", "1 to 3 M", "5 to 6 M uniform"];
const SHARES: &[&str] = &["30 %", "0.3", "1/1000", "10 to 20 %", "100 %"];
const NUMBERS: &[&str] = &["1", "2.5", "3", "20", "1 to 4"];
const LINKS: &[&str] = &["100 Gbit/s", "12.5 GB/s", "1 to 2 Tbit/s"];
const AREAS: &[&str] = &["10 M km2", "40_000 km2", "8 to 12 M km2", "5 m2"];
const LAWS: &[&str] =
    &["20 ms", "{exponential: 20 ms}", "{constant: 3 ms}", "{lognormal: {mean: 20 ms, cv: 1}}"];

/// What a random valid scenario has so far.
struct Plan {
    draw: Draw,
    /// Whether each tier has a cache.
    cached: Vec<bool>,
    datasets: usize,
    /// The first tier is a cache on the device.
    device: bool,
}

/// A valid scenario, as YAML.
pub fn scenario(seed: u64) -> String {
    let mut draw = Draw::new("scenario", seed);
    let device = draw.chance(0.3);
    let (tiers, datasets, actions, regions) =
        (draw.from(2, 6), draw.from(1, 3), draw.from(1, 4), draw.from(1, 3));
    let mut plan = Plan { draw, cached: Vec::new(), datasets, device };
    let population = plan.population(regions);
    let tiers_text: String = (0..tiers).map(|i| plan.tier(i, tiers)).collect();
    let datasets_text: String = (0..datasets).map(|i| plan.dataset(i, actions, tiers)).collect();
    let actions_text: String = (0..actions).map(|i| plan.action(i, tiers)).collect();
    let events = plan.events(regions, tiers);
    format!(
        "name: made-{seed}\nsummary: made at random\npopulation: {population}\ndatasets:\n{datasets_text}\
         actions:\n{actions_text}tiers:\n{tiers_text}slos: [a0.first_byte p99 < 250 ms, availability > 99 %]\n\
         claims: [{{what: a0.rate, is: 5/s, within: 90 %}}]\nevents: [{events}]\n\
         load: {{scale: {{users: 1/1000, objects: 1/1000}}}}\n"
    )
}

impl Plan {
    fn maybe(&mut self, p: f64, text: impl FnOnce(&mut Draw) -> String) -> String {
        if self.draw.chance(p) { format!(", {}", text(&mut self.draw)) } else { String::new() }
    }

    fn population(&mut self, regions: usize) -> String {
        let mut text = format!("{{users: {}", self.draw.one(COUNTS));
        text += &self.maybe(0.5, |d| format!("active: {}", d.one(SHARES)));
        text += &self.maybe(0.3, |_| "growth_per_year: 20 %".into());
        text += &self.maybe(0.5, |d| {
            format!("diurnal: {{peak_to_mean: {}, peak_at: 7:30}}", d.one(&["1.5", "2", "3 to 4"]))
        });
        text += &self.maybe(0.3, |_| "weekly: [1, 1, 1, 1, 1.2, 1.4, 1.3]".into());
        text += &self.maybe(0.3, |d| format!("sessions: {{per_user: {}, lasts: 20 min}}", d.one(RATES)));
        text += ", actors: {driver: {count: 10 K, active: 50 %}, agent: {share: 1 %}}, regions: [";
        for i in 0..regions {
            text += &format!("{{name: r{i}, share: 1/{regions}, utc_offset: +{i} h, sites: {}}},", i + 1);
        }
        text + "]}"
    }

    fn tier(&mut self, i: usize, tiers: usize) -> String {
        if i == 0 && self.device {
            self.cached.push(true);
            return "  t0: {per: user, cache: {capacity: 2 GB}}\n".into();
        }
        // Scopes go inward with the number.
        let scope = ["site", "region", "global"][(i * 3 / tiers).min(2)];
        let mut text = format!("  t{i}: {{per: {scope}");
        let kind = self.draw.below(6);
        let cached = kind < 2 && i + 1 < tiers;
        self.cached.push(cached);
        if kind == 5 {
            text += &format!(", external: {{latency: {}, rate_max: 5 K/s}}", self.draw.one(LAWS));
        } else {
            text += &format!(", servers: {}, service_time: {}", self.draw.from(1, 90), self.draw.one(LAWS));
            text += &self.maybe(0.5, |d| format!("concurrency: {}", d.from(1, 64)));
            text += &self.maybe(0.3, |d| {
                format!(
                    "balance: {}",
                    d.one(&["random", "round-robin", "least-connections", "power-of-two", "consistent-hash"])
                )
            });
            text += &self.maybe(0.2, |_| "blocking: true".into());
            text += &self.maybe(0.2, |_| "connections_max: 10 K".into());
        }
        if cached {
            let capacity = self.draw.one(SIZES);
            text += &format!(
                ", cache: {{capacity: {}, policy: {}",
                capacity,
                self.draw.one(&["lru", "sieve", "fifo"])
            );
            text += &self.maybe(0.2, |d| format!("ttl: {}", d.one(&["30 s", "1 h", "7 days"])));
            text += &self.maybe(0.2, |d| format!("admit: {}", d.one(&["{on: 2}", "{max_size: 20 MB}"])));
            text += &self.maybe(0.2, |_| "on_write: invalidate".into());
            // No size of the list is less than any part of itself.
            text += &self.maybe(0.3, |d| format!("memory: {}", d.one(&["100 B", "200 B", capacity])));
            text += "}";
        } else if kind == 3 {
            text += ", queue: {retention: 7 days}";
        }
        text += &self.maybe(0.4, |d| format!("rtt: {}", d.one(TIMES)));
        text += &self.maybe(0.4, |d| format!("link: {}", d.one(LINKS)));
        text += &self.maybe(0.3, |d| {
            format!("shards: {}", d.one(&["8", "{count: 8, by: consistent, virtual_nodes: 100}"]))
        });
        text += &self.maybe(0.3, |d| {
            d.one(&[
                "copies: 3",
                "replication: {copies: 3, write_quorum: 2, read_quorum: 2}",
                "replication: {erasure: {data: 10, parity: 4}}",
            ])
            .into()
        });
        text += &self.maybe(0.2, |_| "store: {capacity: 4 TB, iops: 16 K/s}".into());
        text += &self.maybe(0.2, |_| "availability: 99.9 %, zones: 3".into());
        text + "}\n"
    }

    fn dataset(&mut self, i: usize, actions: usize, tiers: usize) -> String {
        let mut text = format!("  d{i}: {{size: {}", self.draw.one(SIZES));
        let growing = self.draw.chance(0.4);
        if growing {
            let by = format!("{{by: a{}, each: {}}}", self.draw.below(actions), self.draw.one(NUMBERS));
            text += &format!(", growth: {}", if self.draw.chance(0.5) { by } else { "5 M/day".into() });
        }
        if !growing || self.draw.chance(0.5) {
            text += &format!(", count: {}", self.draw.one(COUNTS));
        }
        text += &self.maybe(0.3, |_| "retention: 5 years".into());
        text += &self
            .maybe(0.5, |d| format!("popularity: {}", d.one(&["uniform", "{zipf: 1.0}", "{zipf: 0.7}"])));
        text += &self.maybe(0.3, |_| "churn_per_day: 2 %".into());
        text += &self.maybe(0.3, |_| format!("in: t{}", tiers - 1));
        text + "}\n"
    }

    fn action(&mut self, i: usize, tiers: usize) -> String {
        let demand = match self.draw.below(4) {
            0 if i > 0 => {
                format!("per_action: {{a{}: {}}}", self.draw.below(i), self.draw.one(&["1/200", "3", "0.5"]))
            }
            1 => format!("per_actor: {{{}: {}}}", self.draw.one(&["driver", "agent"]), self.draw.one(RATES)),
            2 => format!("rate: {}", self.draw.one(RATES)),
            _ => format!("per_user: {}", self.draw.one(RATES)),
        };
        let mut text = format!("  a{i}: {{{demand}, of: d{}", self.draw.below(self.datasets));
        let first = usize::from(self.device);
        let on_device = self.device && self.draw.chance(0.7);
        let path = self.path(first, tiers, 3);
        if on_device {
            text += &format!(", path: [t0, {}", path.trim_start_matches('['));
            text += &self.maybe(0.5, |_| "repeat: 20 %".into());
        } else {
            text += &format!(", path: {path}");
        }
        text += &self.maybe(0.2, |_| "write: true".into());
        text += &self.maybe(0.3, |d| format!("request: {}", d.one(SIZES)));
        text += &self.maybe(0.3, |d| format!("response: {}", d.one(SIZES)));
        text += &self
            .maybe(0.2, |_| "diurnal: {hourly: [1,1,1,1,1,1,2,2,2,2,2,2,3,3,3,3,3,3,4,4,4,4,4,4]}".into());
        let last = tiers - 1;
        if self.draw.chance(0.3) && !self.cached[last] {
            text += &format!(", then: [t{last}, {{to: t{last}, size: 200 B}}]");
        }
        if self.draw.chance(0.3) {
            text += &format!(
                ", connection: {{to: t{first}, lasts: 30 min, heartbeat: {{every: 30 s, size: 50 B}}}}"
            );
        }
        text + "}\n"
    }

    /// A list of steps over tiers from `low` on, in order of their numbers, so that no path goes back.
    fn path(&mut self, low: usize, tiers: usize, depth: usize) -> String {
        let mut steps = Vec::new();
        let mut next = low;
        while next < tiers && (steps.is_empty() || self.draw.chance(0.7)) {
            let tier = self.draw.from(next, tiers - 1);
            let inner = depth > 0 && tier + 1 < tiers && self.draw.chance(0.3);
            steps.push(if inner { self.group(tier, tiers, depth - 1) } else { self.call(tier) });
            next = tier + 1;
        }
        format!("[{}]", steps.join(", "))
    }

    fn call(&mut self, tier: usize) -> String {
        if self.draw.chance(0.7) {
            return format!("t{tier}");
        }
        let mut text = format!("{{call: t{tier}");
        text += &self.maybe(0.5, |d| format!("share: {}", d.one(SHARES)));
        text += &self.maybe(0.3, |d| format!("fan_out: {}", d.one(NUMBERS)));
        text += &self.maybe(0.3, |d| format!("times: {}", d.one(NUMBERS)));
        let datasets = self.datasets;
        text += &self.maybe(0.3, |d| format!("of: d{}", d.below(datasets)));
        text += &self.maybe(0.2, |_| "write: true".into());
        text + "}"
    }

    /// Branches over the tiers from `low` on.
    fn group(&mut self, low: usize, tiers: usize, depth: usize) -> String {
        let branches: Vec<String> = (0..self.draw.from(1, 3)).map(|_| self.path(low, tiers, depth)).collect();
        let list = branches.join(", ");
        match self.draw.below(3) {
            0 => format!("{{sequence: [{list}]}}"),
            1 => format!("{{async: {}}}", branches[0]),
            _ => {
                let wait = self.draw.from(0, branches.len());
                let wait = if wait == 0 { String::new() } else { format!(", wait_for: {wait}") };
                format!("{{parallel: [{list}]{wait}}}")
            }
        }
    }

    fn events(&mut self, regions: usize, tiers: usize) -> String {
        let mut events = vec!["{at: 18:00, flash_crowd: {factor: 3}, for: 1 h}".to_owned()];
        if regions > 1 {
            events.push("{name: storm, at: 3:00, region_down: r1}".into());
        }
        if self.draw.chance(0.5) {
            events.push("{at: 12:00, hot_release: {of: d0, share: 5 %}}".into());
        }
        events.extend((0..tiers).find(|&t| self.cached[t]).map(|t| format!("{{at: 1:00, flush: t{t}}}")));
        events.join(", ")
    }
}

/// A tree that has the fields of the language with values that may or may not fit, in braces.
pub fn by_tables(seed: u64) -> String {
    let mut draw = Draw::new("tables", seed);
    of_shape(&mut draw, &SCENARIO, 0)
}

fn of_shape(draw: &mut Draw, shape: &'static Shape, depth: usize) -> String {
    let share = if depth == 0 { 0.9 } else { 0.35 };
    let mut fields = Vec::new();
    for field in shape.fields {
        let needed = field.need == crate::decode::Need::Must;
        if draw.chance(if needed { 0.97 } else { share }) {
            fields.push(format!("{}: {}", field.name, of_kind(draw, &field.kind, depth + 1)));
        }
    }
    format!("{{{}}}", fields.join(", "))
}

const NAMES: &[&str] = &["a", "b", "c", "web", "db"];

fn of_kind(draw: &mut Draw, kind: &'static Kind, depth: usize) -> String {
    if depth > 20 || draw.chance(0.02) {
        return draw.one(&["x", "[]", "{}", "null", "-1", "1e300", "''", "[[[]]]"]).to_owned();
    }
    match kind {
        Kind::Text => {
            draw.one(&["a.rate", "5/s", "text", "a.first_byte p99 < 250 ms", "web.hit_ratio > 3 %"]).into()
        }
        Kind::TimeOfDay => draw.one(&["19:00", "0:00", "24:00", "7"]).into(),
        Kind::Offset => draw.one(&["+1 h", "-12 h", "0", "+15 h"]).into(),
        Kind::Quantity(name, example, _) => {
            let fits: &[&str] = match *name {
                "a size" => SIZES,
                "a duration" => TIMES,
                "a count" => COUNTS,
                "a rate" => RATES,
                "a bandwidth" => LINKS,
                "an area" => AREAS,
                "a share" | "a ratio" => SHARES,
                _ => NUMBERS,
            };
            if draw.chance(0.1) { (*example).to_owned() } else { draw.one(fits).to_owned() }
        }
        Kind::Whole(low, high) => {
            let value = [*low, *high, low.saturating_add(1), high.saturating_add(1), 3];
            value[draw.below(5)].to_string()
        }
        Kind::Choice(names) => draw.one(names).to_owned(),
        Kind::Auto => draw.one(&["auto", "auto 1 to 3"]).to_owned(),
        Kind::Never => String::new(),
        Kind::Flag => draw.one(&["true", "false", "yes"]).to_owned(),
        Kind::Name(_) => draw.one(NAMES).to_owned(),
        Kind::Fields(shape) => of_shape(draw, shape, depth),
        Kind::Named(each) => {
            let count = draw.from(1, 3);
            let each = (0..count).map(|i| format!("{}: {}", NAMES[i], of_kind(draw, each, depth + 1)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
        Kind::List(each) => list(draw, each, depth),
        Kind::Any(kinds) => {
            let kind = &kinds[draw.below(kinds.len())];
            of_kind(draw, kind, depth)
        }
        Kind::Path if depth > 12 => draw.one(NAMES).to_owned(),
        Kind::Path => list(draw, &STEP, depth),
    }
}

fn list(draw: &mut Draw, each: &'static Kind, depth: usize) -> String {
    let count = draw.from(0, 4);
    let items: Vec<String> = (0..count).map(|_| of_kind(draw, each, depth + 1)).collect();
    format!("[{}]", items.join(", "))
}
