//! How many reads are stale where copies lag behind writes.
//!
//! Why a law of lags and not a mean: a read is stale if it comes before the first of the copies that it asks has the latest
//! write, and of several copies the first may be much faster than the mean of one (Bailis et al., "Probabilistically
//! bounded staleness for practical partial quorums", VLDB 2012).

use plimsoll_scenarios::popularity::Law;

use super::replication::Quorum;

/// Values of the law of the first copy's lag that its mean is taken over.
const VALUES: usize = 1024;

/// Copies that lag behind a stream of writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Staleness {
    /// Probability that a read right after a write meets none that has it.
    at_once: f64,
    /// Lags of the first of the copies that a read asks, at equal steps of their probability, seconds.
    first_s: Vec<f64>,
}

impl Staleness {
    /// The lag of one copy is given by its quantile function, seconds.
    #[must_use]
    pub fn new(quorum: Quorum, lag_quantile: impl Fn(f64) -> f64) -> Self {
        let reads = quorum.reads.max(1) as f64;
        // The first of R is later than m with probability tail(m)^R.
        let first = |i: usize| {
            let p = (i as f64 + 0.5) / VALUES as f64;
            lag_quantile(1.0 - (1.0 - p).powf(1.0 / reads))
        };
        Self { at_once: quorum.stale_read(), first_s: (0..VALUES).map(first).collect() }
    }

    /// Share of the reads of one object that are stale, where it is written so often a second at random: the last write was
    /// an exponential time ago. With an exponential lag that is `p0 w / (w + R / lag)`.
    #[must_use]
    pub fn share(&self, write_rate: f64) -> f64 {
        if self.at_once == 0.0 || write_rate <= 0.0 {
            return 0.0;
        }
        let caught: f64 = self.first_s.iter().map(|m| -(-write_rate * m).exp_m1()).sum();
        self.at_once * caught / self.first_s.len() as f64
    }

    /// The same over all objects of a dataset, of which reads and writes choose by the same law; `write_rate` is of all.
    #[must_use]
    pub fn share_over(&self, law: &Law, write_rate: f64) -> f64 {
        if self.at_once == 0.0 {
            return 0.0;
        }
        law.atoms().iter().map(|atom| atom.count * atom.p * self.share(write_rate * atom.p)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::popularity::Popularity;

    const PARTIAL: Quorum = Quorum { copies: 3, writes: 1, reads: 1 };

    #[test]
    fn with_an_exponential_lag_it_is_the_share_of_time_that_the_first_is_behind() {
        for (reads, lag, rate) in [(1, 0.05, 2.0), (2, 0.05, 20.0), (1, 10.0, 0.001)] {
            let quorum = Quorum { reads, ..PARTIAL };
            let got = Staleness::new(quorum, |p| -lag * (-p).ln_1p()).share(rate);
            let want = quorum.stale_read() * rate / (rate + reads as f64 / lag);
            assert!((got / want - 1.0).abs() < 2e-3, "{got} {want}");
        }
    }

    #[test]
    fn a_constant_lag_is_a_window_after_each_write_and_strict_quorums_have_none() {
        let window = Staleness::new(PARTIAL, |_| 0.5).share(2.0);
        assert!((window - 2.0 / 3.0 * (1.0 - (-1.0_f64).exp())).abs() < 1e-12, "{window}");
        let strict = Quorum { copies: 3, writes: 2, reads: 2 };
        assert_eq!(Staleness::new(strict, |_| 0.5).share(2.0), 0.0);
    }

    #[test]
    fn over_many_objects_the_often_written_ones_count_as_often_as_they_are_read() {
        let stale = Staleness::new(PARTIAL, |_| 0.5);
        let one = Popularity::zipf(0.0).over(100);
        assert!((stale.share_over(&one, 200.0) - stale.share(2.0)).abs() < 1e-9);
        let skewed = Popularity::zipf(1.0).over(100);
        assert!(stale.share_over(&skewed, 20.0) > stale.share_over(&one, 20.0));
    }
}
