//! One request's stay in one tier, and the trail of times that it leaves behind.
//!
//! Why: each tier must say how long *it* took, without the tiers below and without waiting, or a slow
//! response can't be traced to its cause. The times of a trail add up to the whole response time:
//! `X` is the tier's own time, `X-queue` its wait for a slot, `X-net` the way from its caller, `X-wait` a
//! wait for somebody else's fetch of the same object.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::HeaderMap;

use crate::api::Op;
use crate::metrics::{Found, Outcome, TierMetrics};

/// Longest trail that is read from a response; a longer one is cut off.
const TRAIL_MAX: usize = 4096;

/// Bytes that an entry of a trail hardly ever exceeds.
const ENTRY_BYTES: usize = 48;

/// Entries of `Server-Timing`, outermost first, and the sum of their times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trail {
    text: String,
    total_ms: f64,
}

impl Trail {
    /// The trail in a response's headers.
    pub fn read(headers: &HeaderMap) -> Self {
        let text = headers.get("server-timing").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if text.len() > TRAIL_MAX {
            return Self::default();
        }
        let total_ms = times(text).filter(|ms: &f64| ms.is_finite()).sum();
        Self { text: text.to_owned(), total_ms }
    }

    #[cfg(test)]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn into_text(self) -> String {
        self.text
    }
}

/// The numbers after `dur=`.
fn times(text: &str) -> impl Iterator<Item = f64> {
    // By hand: this is done for every response on its way through every tier.
    let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'=').map(|(at, _)| at);
    ends.filter(|&at| text[..at].ends_with("dur")).filter_map(|at| {
        let rest = &text[at + 1..];
        let end = rest.bytes().position(|byte| matches!(byte, b';' | b',' | b' ')).unwrap_or(rest.len());
        rest[..end].parse().ok()
    })
}

/// A request in one tier.
#[derive(Debug)]
pub struct Visit<'a> {
    metrics: &'a TierMetrics,
    op: Op,
    started: Instant,
    /// The way here, where this tier is the first.
    pub arrival: Duration,
    pub queued: Duration,
    /// Time spent on a fetch that another request had begun.
    pub waited: Duration,
    found: Option<Found>,
    below: Option<Below>,
    ended: bool,
}

#[derive(Debug)]
struct Below {
    tier: &'static str,
    took: Duration,
    trail: Trail,
}

impl<'a> Visit<'a> {
    pub fn start(metrics: &'a TierMetrics, op: Op) -> Self {
        Self {
            metrics,
            op,
            started: Instant::now(),
            arrival: Duration::ZERO,
            queued: Duration::ZERO,
            waited: Duration::ZERO,
            found: None,
            below: None,
            ended: false,
        }
    }

    /// Counts a cache lookup and shows it in the trail.
    pub fn looked_up(&mut self, found: Found) {
        self.metrics.looked_up(found);
        self.found = Some(found);
    }

    /// Notes how many bytes the instance's cache holds by now.
    pub fn cache_holds(&self, bytes: u64) {
        self.metrics.cache_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The tier below has answered.
    pub fn came_back(&mut self, tier: &'static str, took: Duration, trail: Trail) {
        self.metrics.came_back(self.op, took);
        self.below = Some(Below { tier, took, trail });
    }

    /// Ends the visit: counts it and gives the trail, this tier first.
    pub fn end(mut self, outcome: Outcome, bytes: u64) -> Trail {
        self.ended = true;
        self.metrics.ended(self.op, outcome, bytes);
        let tier = self.metrics.tier;
        let below = self.below.as_ref().map_or(Duration::ZERO, |below| below.took);
        let elsewhere = self.arrival + self.queued + self.waited + below;
        let own = self.started.elapsed().saturating_sub(elsewhere);
        let mut trail = Writer::default();
        if !self.arrival.is_zero() {
            trail.entry(tier, "-net", ms(self.arrival), None);
        }
        if !self.waited.is_zero() {
            trail.entry(tier, "-wait", ms(self.waited), None);
        }
        trail.entry(tier, "", ms(own), self.found.map(Found::name));
        trail.entry(tier, "-queue", ms(self.queued), None);
        if let Some(below) = &self.below {
            // What the tier below does not account for was spent on the way to it.
            trail.entry(below.tier, "-net", (ms(below.took) - below.trail.total_ms).max(0.0), None);
            trail.append(&below.trail);
        }
        trail.trail
    }
}

impl Drop for Visit<'_> {
    /// A client that went away, or a task that was cancelled: count it, so that requests add up.
    fn drop(&mut self) {
        if !self.ended {
            self.metrics.ended(self.op, Outcome::Failed, 0);
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Milliseconds with three digits after the point; whole numbers are written faster than fractions.
fn push_ms(text: &mut String, ms: f64) {
    let mut rest = (ms.max(0.0) * 1e3).round() as u64;
    let mut digits = [b'0'; 21];
    let mut first = digits.len() - 4;
    for (written, digit) in digits.iter_mut().enumerate().rev() {
        if rest == 0 {
            break;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = first.min(written);
    }
    let (whole, fraction) = digits.split_at(digits.len() - 3);
    text.extend(whole[first..].iter().map(|digit| char::from(*digit)));
    text.push('.');
    text.extend(fraction.iter().map(|digit| char::from(*digit)));
}

#[derive(Default)]
struct Writer {
    trail: Trail,
}

impl Writer {
    fn entry(&mut self, tier: &str, suffix: &str, ms: f64, desc: Option<&str>) {
        let text = &mut self.trail.text;
        text.reserve(ENTRY_BYTES);
        if !text.is_empty() {
            text.push_str(", ");
        }
        for part in [tier, suffix, ";dur="] {
            text.push_str(part);
        }
        push_ms(text, ms);
        if let Some(desc) = desc {
            for part in [";desc=\"", desc, "\""] {
                text.push_str(part);
            }
        }
        self.trail.total_ms += ms;
    }

    fn append(&mut self, below: &Trail) {
        if !below.text.is_empty() {
            self.trail.text.push_str(", ");
            self.trail.text.push_str(&below.text);
            self.trail.total_ms += below.total_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_written_and_read() {
        for (ms, expected) in [
            (0.0, "0.000"),
            (0.0004, "0.000"),
            (0.0006, "0.001"),
            (0.25, "0.250"),
            (1.0, "1.000"),
            (12.3456, "12.346"),
            (1_234_567.8, "1234567.800"),
            (-1.0, "0.000"),
        ] {
            let mut text = String::new();
            push_ms(&mut text, ms);
            assert_eq!(text, expected);
        }
        let read = |text: &str| times(text).collect::<Vec<_>>();
        assert_eq!(read("a;dur=1.5;desc=\"x=y\", b;dur=2, c;x=3;dur=0.25"), [1.5, 2.0, 0.25]);
        assert!(read("dur=x, dur=").is_empty());
    }

    #[test]
    fn times_of_a_trail_add_up_and_survive_the_header() {
        let (edge, shield) = (TierMetrics::new("edge", 0, 1, true), TierMetrics::new("shield", 0, 1, true));
        let mut inner = Visit::start(&shield, Op::Audio);
        inner.looked_up(Found::Hit);
        std::thread::sleep(Duration::from_millis(3));
        let inner = inner.end(Outcome::Ok, 1);
        let mut outer = Visit::start(&edge, Op::Audio);
        outer.looked_up(Found::Miss);
        std::thread::sleep(Duration::from_millis(6));
        outer.came_back("shield", Duration::from_millis(5), inner);
        let trail = outer.end(Outcome::Ok, 1);
        let names: Vec<&str> = trail.text().split(", ").filter_map(|entry| entry.split(';').next()).collect();
        assert_eq!(names, ["edge", "edge-queue", "shield-net", "shield", "shield-queue"]);
        assert!(trail.text().contains("desc=\"miss\"") && trail.text().contains("desc=\"hit\""));
        assert!(trail.total_ms >= 6.0, "{}", trail.total_ms);
        let mut headers = HeaderMap::new();
        headers.insert("server-timing", trail.text().parse().unwrap());
        let read = Trail::read(&headers);
        assert_eq!(read.text(), trail.text());
        assert!((read.total_ms - trail.total_ms).abs() < 0.01);
    }
}
