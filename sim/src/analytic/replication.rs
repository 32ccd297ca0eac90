//! Copies of data that change: quorums, stale reads, catching up, and what copies give and cost.

use super::numeric::all_among;
use super::order::{kth_exponential_mean, kth_mean, kth_quantile};

/// Copies written to and read from: R of N answer a read, W of N acknowledge a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    pub copies: u64,
    pub writes: u64,
    pub reads: u64,
}

impl Quorum {
    /// Whether every read meets the last acknowledged write: `R + W > N`
    /// (Gifford, "Weighted voting for replicated data", SOSP 1979).
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.reads.saturating_add(self.writes) > self.copies
    }

    /// Whether two writes always meet: `2 W > N`.
    #[must_use]
    pub fn orders_writes(&self) -> bool {
        self.writes.saturating_mul(2) > self.copies
    }

    /// Probability that a read right after a write, at R copies drawn at random, meets none of the W that
    /// have it: `C(N-W, R) / C(N, R)` (Bailis et al., "Probabilistically bounded staleness for practical
    /// partial quorums", VLDB 2012, section 3.1).
    #[must_use]
    pub fn stale_read(&self) -> f64 {
        if self.is_strict() {
            return 0.0;
        }
        all_among(self.copies, self.copies - self.writes, self.reads)
    }

    /// Probability that a read `t` seconds after the write is stale, where the write goes to all copies and
    /// reaches each after an exponential time of mean `lag` (Bailis et al., section 3.4, without memory: the
    /// copies that had not acknowledged are still `lag` away on average). The read's R copies are asked at
    /// random and answer from what they have after an exponential time of mean `read_delay`.
    #[must_use]
    pub fn stale_read_after(&self, t: f64, lag: f64, read_delay: f64) -> f64 {
        let at_once = self.stale_read();
        if at_once == 0.0 || lag <= 0.0 {
            return 0.0;
        }
        // A copy is still old if the write comes later than t and the read's way to it: independent by copy.
        let one = (-t.max(0.0) / lag).exp() * lag / (lag + read_delay.max(0.0));
        at_once * one.powf(self.reads as f64)
    }

    /// Seconds after a write from which on the share `p` of reads are fresh; infinite for `p >= 1` unless strict.
    #[must_use]
    pub fn visible_after(&self, p: f64, lag: f64, read_delay: f64) -> f64 {
        let at_once = self.stale_read_after(0.0, lag, read_delay);
        if at_once <= (1.0 - p).max(0.0) {
            return 0.0;
        }
        if self.reads == 0 || p >= 1.0 {
            return f64::INFINITY;
        }
        lag * (at_once / (1.0 - p)).ln() / self.reads as f64
    }

    /// Mean seconds until W copies have acknowledged, each after an exponential time.
    #[must_use]
    pub fn write_latency_exponential(&self, mean: f64) -> f64 {
        kth_exponential_mean(self.copies, self.writes, mean)
    }

    /// Mean seconds until R of N asked copies have answered, each after an exponential time.
    #[must_use]
    pub fn read_latency_exponential(&self, mean: f64) -> f64 {
        kth_exponential_mean(self.copies, self.reads, mean)
    }

    /// Mean seconds until W copies have acknowledged, from `P(one later than t)`; `scale` guesses the size.
    #[must_use]
    pub fn write_latency_mean(&self, scale: f64, tail: impl Fn(f64) -> f64) -> f64 {
        kth_mean(self.copies, self.writes, scale, tail)
    }

    /// Quantile `p` of the time until W copies have acknowledged, from the quantile function of one.
    #[must_use]
    pub fn write_latency_quantile(&self, p: f64, quantile_of_one: impl Fn(f64) -> f64) -> f64 {
        kth_quantile(self.copies, self.writes, p, quantile_of_one)
    }

    /// Quantile `p` of the time until R of N asked copies have answered.
    #[must_use]
    pub fn read_latency_quantile(&self, p: f64, quantile_of_one: impl Fn(f64) -> f64) -> f64 {
        kth_quantile(self.copies, self.reads, p, quantile_of_one)
    }

    /// Reads per second that the copies carry beside `write_rate`, each copy doing `copy_rate` operations a
    /// second: a read costs R of them, a write all N. 0 where the writes fill the copies.
    #[must_use]
    pub fn read_rate_max(&self, copy_rate: f64, write_rate: f64) -> f64 {
        let left = self.copies as f64 * (copy_rate - write_rate.max(0.0)).max(0.0);
        if left == 0.0 { 0.0 } else { left / self.reads as f64 }
    }
}

/// Copies needed for `read_rate` and `write_rate`, if a read asks `reads` of them and each does `copy_rate`
/// operations a second, loaded to at most `utilisation_max`. `None` where the writes alone are too many:
/// every copy does them all.
#[must_use]
pub fn copies_for_reads(
    read_rate: f64,
    write_rate: f64,
    reads: u64,
    copy_rate: f64,
    utilisation_max: f64,
) -> Option<u64> {
    let spare = copy_rate * utilisation_max - write_rate.max(0.0);
    let needed = (read_rate.max(0.0) * reads as f64 / spare).ceil().max(reads.max(1) as f64);
    (spare > 0.0 && needed < 9e18).then_some(needed as u64)
}

/// Seconds a copy needs to catch up after an outage, if it applies changes at full speed while new ones keep
/// coming at the share `utilisation` of that speed: `outage * u / (1 - u)`. Infinite at 1.
#[must_use]
pub fn catch_up(outage: f64, utilisation: f64) -> f64 {
    if outage <= 0.0 || utilisation <= 0.0 {
        0.0
    } else if utilisation >= 1.0 {
        f64::INFINITY
    } else {
        outage * utilisation / (1.0 - utilisation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quorum(copies: u64, writes: u64, reads: u64) -> Quorum {
        Quorum { copies, writes, reads }
    }

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-12, "got {got}, want {want}");
    }

    #[test]
    fn strict_quorums_are_never_stale() {
        for (n, w, r) in [(3, 2, 2), (3, 3, 1), (5, 3, 3), (1, 1, 1), (3, u64::MAX, 1)] {
            assert!(quorum(n, w, r).is_strict());
            assert_eq!(quorum(n, w, r).stale_read_after(0.0, 1.0, 0.0), 0.0);
        }
        assert!(quorum(3, 2, 2).orders_writes() && !quorum(4, 2, 3).orders_writes());
    }

    #[test]
    fn partial_quorums_are_stale_as_counted() {
        near(quorum(3, 1, 1).stale_read(), 2.0 / 3.0);
        near(quorum(5, 2, 2).stale_read(), 3.0 / 10.0);
        near(quorum(10, 3, 4).stale_read(), 35.0 / 210.0);
        assert_eq!(quorum(3, 0, 0).stale_read(), 1.0);
    }

    #[test]
    fn staleness_fades_with_the_lag() {
        let q = quorum(3, 1, 2);
        near(q.stale_read_after(0.0, 0.01, 0.0), 1.0 / 3.0);
        near(q.stale_read_after(0.02, 0.01, 0.0), (-4.0_f64).exp() / 3.0);
        // A read as slow as the lag meets half of the remaining copies too late.
        near(q.stale_read_after(0.0, 0.01, 0.01), 1.0 / 12.0);
        let t = q.visible_after(0.999, 0.01, 0.0);
        near(q.stale_read_after(t, 0.01, 0.0), 0.001);
        assert_eq!(q.visible_after(1.0, 0.01, 0.0), f64::INFINITY);
        assert_eq!(q.visible_after(0.5, 0.01, 0.0), 0.0);
    }

    #[test]
    fn latency_is_that_of_the_kth_answer() {
        near(quorum(3, 2, 1).write_latency_exponential(6.0), 5.0);
        near(quorum(3, 2, 1).read_latency_exponential(6.0), 2.0);
        let mean = quorum(3, 2, 1).write_latency_mean(6.0, |t| (-t / 6.0).exp());
        assert!((mean - 5.0).abs() < 1e-8, "{mean}");
        near(quorum(1, 1, 1).read_latency_quantile(0.9, |u| 3.0 * u), 2.7);
    }

    #[test]
    fn every_copy_takes_every_write() {
        near(quorum(5, 3, 1).read_rate_max(1_000.0, 400.0), 3_000.0);
        assert_eq!(quorum(5, 3, 1).read_rate_max(1_000.0, 1_000.0), 0.0);
        assert_eq!(copies_for_reads(3_000.0, 400.0, 1, 1_000.0, 1.0), Some(5));
        assert_eq!(copies_for_reads(3_000.0, 400.0, 1, 1_000.0, 0.4), None);
        assert_eq!(copies_for_reads(0.0, 0.0, 2, 1_000.0, 0.5), Some(2));
        assert_eq!(catch_up(600.0, 1.0), f64::INFINITY);
    }
}
