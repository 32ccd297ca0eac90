//! How much of the start of a run to leave out.
//!
//! Why MSER-5 and not a share of the run: it asks the data. Of all places to cut it takes the one after which the mean
//! is known best: leaving out a biased start narrows the interval, leaving out good data widens it (White, "An effective
//! truncation heuristic for bias reduction in simulation output", Simulation 69, 1997; Hoad, Robinson and Davies,
//! "Automating warm-up length estimation", Journal of the Operational Research Society 61, 2010, where it is the best
//! of 44 methods).

/// Observations that are averaged before anything is compared.
const BATCH: usize = 5;
/// Batches at the end that are never cut off: of a few equal ones the spread says nothing.
const LEFT_MIN: usize = 5;

/// Observations to leave out at the start of a series; `None` where it is too short to tell: fewer than ten batches, or a
/// cut beyond its middle.
#[must_use]
pub fn mser5(series: &[f64]) -> Option<usize> {
    let batches: Vec<f64> =
        series.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect();
    if batches.len() < 2 * LEFT_MIN {
        return None;
    }
    // From the end, so that the mean and the squares of what is left come from those of one batch fewer (Welford).
    let (mut n, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let (mut best, mut cut) = (f64::INFINITY, 0);
    for (at, value) in batches.iter().enumerate().rev() {
        n += 1.0;
        let off = value - mean;
        mean += off / n;
        squares += off * (value - mean);
        // The square of the standard error, were batches independent; of equal ones the earliest.
        let error = squares / (n * n);
        if n >= LEFT_MIN as f64 && error <= best {
            (best, cut) = (error, at);
        }
    }
    (cut <= batches.len() / 2).then_some(cut * BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::rng::Stream;

    fn noise(seed: u64, n: usize) -> Vec<f64> {
        let mut stream = Stream::new(seed, "test", "noise", 0);
        (0..n).map(|_| stream.uniform() - 0.5).collect()
    }

    #[test]
    fn a_biased_start_is_cut_where_it_ends() {
        for (bias, length) in [(10.0, 200), (3.0, 400), (50.0, 55)] {
            let mut series = noise(1, 2_000);
            series[..length].iter_mut().for_each(|value| *value += bias);
            let cut = mser5(&series).unwrap();
            assert!((length..length + 25).contains(&cut), "{cut} for {length}");
        }
    }

    #[test]
    fn a_start_that_fades_is_cut_when_it_is_lost_in_the_noise() {
        let series: Vec<f64> =
            noise(2, 4_000).iter().enumerate().map(|(i, v)| v + 20.0 * (-(i as f64) / 100.0).exp()).collect();
        let cut = mser5(&series).unwrap();
        // After five hundred it is a tenth of the noise.
        assert!((300..900).contains(&cut), "{cut}");
    }

    #[test]
    fn what_never_settles_and_what_is_too_short_has_no_answer() {
        let rising: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(mser5(&rising), None);
        assert_eq!(mser5(&[1.0; 49]), None);
        assert_eq!(mser5(&[1.0; 50]), Some(0), "what is always the same needs no warm-up");
    }

    #[test]
    fn an_empty_queue_is_forgotten() {
        // M/M/1 at 0.9 that begins empty, 60 series of 4,000 waits averaged: the mean is 9.
        let runs = 60;
        let mut series = vec![0.0; 4_000];
        for run in 0..runs {
            let mut stream = Stream::new(run, "test", "an empty queue", 0);
            let mut wait: f64 = 0.0;
            for value in &mut series {
                *value += wait / runs as f64;
                wait = (wait + stream.exponential() - stream.exponential() / 0.9).max(0.0);
            }
        }
        let mean = |series: &[f64]| series.iter().sum::<f64>() / series.len() as f64;
        let cut = mser5(&series).unwrap();
        let (whole, left) = (mean(&series), mean(&series[cut..]));
        assert!(cut > 50 && (left - 9.0).abs() < (whole - 9.0).abs(), "{cut}: {whole} {left}");
    }
}
