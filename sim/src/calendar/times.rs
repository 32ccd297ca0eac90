//! Histograms of times.
//!
//! Why of our own: one record is a shift and an increment; at the end they become the histograms of the results. A bucket
//! is 1/256 of its value wide (1/64 in the histograms by slot).

use crate::histogram::Latencies;

/// Bits behind the exponent that tell one bucket from the next: in the histograms of a run, and in those by slot.
pub const FINE: u32 = 8;
pub const COARSE: u32 = 6;

/// Shortest and longest time that a histogram tells from others, seconds.
const LEAST_S: f64 = 1e-7;
const MOST_S: f64 = 3600.0;

/// A histogram over the logarithm of a time.
#[derive(Debug, Clone)]
pub struct Times<const BITS: u32> {
    /// By the leading bits of the double, `BITS` of them behind its exponent; empty until the first time.
    counts: Vec<u32>,
    sum_s: f64,
}

impl<const BITS: u32> Default for Times<BITS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BITS: u32> Times<BITS> {
    const SHIFT: u32 = 52 - BITS;
    const LOW: u64 = LEAST_S.to_bits() >> Self::SHIFT;
    const BUCKETS: usize = ((MOST_S.to_bits() >> Self::SHIFT) - Self::LOW + 1) as usize;

    pub const fn new() -> Self {
        Self { counts: Vec::new(), sum_s: 0.0 }
    }

    /// Position of the bucket of a time; of one that is too long behind the last of them.
    #[inline]
    const fn bucket(seconds: f64) -> usize {
        let seconds = if seconds > LEAST_S { seconds } else { LEAST_S };
        ((seconds.to_bits() >> Self::SHIFT) - Self::LOW) as usize
    }

    #[inline]
    pub fn record(&mut self, seconds: f64) {
        let at = Self::bucket(seconds);
        match self.counts.get_mut(at) {
            Some(count) => *count += 1,
            None => self.seldom(at),
        }
        self.sum_s += seconds;
    }

    /// To record many in a row.
    pub fn row(&mut self) -> Row<'_, BITS> {
        if self.counts.is_empty() {
            self.counts = vec![0; Self::BUCKETS];
        }
        Row { counts: &mut self.counts[..Self::BUCKETS], into_s: &mut self.sum_s, sum_s: 0.0 }
    }

    /// Records so many times of nothing.
    pub fn zeros(&mut self, number: u64) {
        if number > 0 && self.counts.is_empty() {
            self.counts = vec![0; Self::BUCKETS];
        }
        if let Some(least) = self.counts.first_mut() {
            *least += number as u32;
        }
    }

    /// The first time of all, or one that is too long.
    #[cold]
    fn seldom(&mut self, at: usize) {
        self.counts.resize(Self::BUCKETS, 0);
        self.counts[at.min(Self::BUCKETS - 1)] += 1;
    }

    /// Adds all of a histogram that is at least as fine.
    pub fn add<const FINER: u32>(&mut self, other: &Times<FINER>) {
        if self.counts.is_empty() && !other.counts.is_empty() {
            self.counts = vec![0; Self::BUCKETS];
        }
        for (i, &number) in other.counts.iter().enumerate().filter(|(_, number)| **number > 0) {
            let at = ((Times::<FINER>::LOW + i as u64) >> (FINER - BITS)) - Self::LOW;
            self.counts[at as usize] += number;
        }
        self.sum_s += other.sum_s;
    }

    pub fn pour_into(&self, latencies: &mut Latencies) {
        let middle = |i: usize| {
            if i == 0 {
                return 0.0;
            }
            let from = f64::from_bits((Self::LOW + i as u64) << Self::SHIFT);
            let to = f64::from_bits((Self::LOW + i as u64 + 1) << Self::SHIFT);
            f64::midpoint(from, to).min(MOST_S)
        };
        let buckets = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        latencies.record_buckets(buckets.map(|(i, &n)| (middle(i), u64::from(n))), self.sum_s);
    }
}

/// A histogram while many times are recorded in a row: their sum is kept apart, where it can stay in a register.
pub struct Row<'a, const BITS: u32> {
    counts: &'a mut [u32],
    into_s: &'a mut f64,
    sum_s: f64,
}

impl<const BITS: u32> Row<'_, BITS> {
    #[inline]
    pub fn record(&mut self, seconds: f64) {
        let last = self.counts.len() - 1;
        match self.counts.get_mut(Times::<BITS>::bucket(seconds)) {
            Some(count) => *count += 1,
            None => self.counts[last] += 1,
        }
        self.sum_s += seconds;
    }

    /// The row ends; returns its sum.
    pub fn end(self) -> f64 {
        *self.into_s += self.sum_s;
        self.sum_s
    }
}

/// The sum of many values, of which four are added at a time.
pub fn sum(values: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let fours = values.chunks_exact(4);
    let rest: f64 = fours.remainder().iter().sum();
    for four in fours {
        sums.iter_mut().zip(four).for_each(|(sum, value)| *sum += value);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use plimsoll_scenarios::rng::Stream;

    use super::*;

    #[test]
    fn many_at_a_time_count_as_one_by_one_and_fine_buckets_add_up_to_coarse_ones() {
        let mut stream = Stream::new(1, "test", "times", 0);
        let mut values: Vec<f64> = (0..10_001).map(|_| stream.exponential().powi(9)).collect();
        values.extend([0.0, 1e-9, LEAST_S, MOST_S, 1e9]);
        let (mut many, mut single, mut coarse) =
            (Times::<FINE>::new(), Times::<FINE>::new(), Times::<COARSE>::new());
        let mut row = many.row();
        for &value in &values {
            row.record(value);
        }
        assert_eq!(row.end(), values.iter().sum::<f64>());
        for &value in &values {
            single.record(value);
            coarse.record(value);
        }
        assert_eq!(many.counts, single.counts);
        assert!((many.sum_s / single.sum_s - 1.0).abs() < 1e-12);
        let mut added = Times::<COARSE>::new();
        added.add(&many);
        assert_eq!(added.counts, coarse.counts);
        assert_eq!(added.sum_s, many.sum_s);
        assert_eq!(sum(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), 21.0);
    }
}
