//! When requests come: the shape of a day.
//!
//! Why a von Mises shape and not a sine: a sine cannot go beyond twice its mean without turning negative,
//! and real days are sharper at the peak than in the trough. `exp(k cos x) / I0(k)` has mean 1 for any `k`
//! and reaches any peak-to-mean ratio.

use std::f64::consts::TAU;

/// Seconds of a day.
pub const DAY_S: f64 = 86_400.0;

/// Rate of each day relative to the week's mean, Monday first. The mean is 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weekly(pub [f64; 7]);

impl Weekly {
    /// Every day alike.
    pub const FLAT: Self = Self([1.0; 7]);

    /// In proportion to these values, whose sum is above 0.
    #[must_use]
    pub fn in_proportion(days: [f64; 7]) -> Self {
        let mean = days.iter().sum::<f64>() / 7.0;
        Self(days.map(|d| d / mean))
    }

    /// The busiest day relative to the mean day.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
}

/// Rate relative to the day's mean, by local time of day. The mean over a day is 1.
#[derive(Debug, Clone, PartialEq)]
pub enum Diurnal {
    /// The same all day.
    Flat,
    /// One peak: `exp(kappa cos(t - peak)) / I0(kappa)`.
    Peak {
        /// Seconds after local midnight.
        peak_at_s: f64,
        /// Concentration, from [`Diurnal::with_peak`].
        kappa: f64,
        /// `I0(kappa)`.
        norm: f64,
    },
    /// 24 values, each for the hour that starts at its index, divided by their mean; linear between the
    /// middles of hours.
    Hourly([f64; 24]),
}

impl Diurnal {
    /// The one-peak shape whose highest value is `peak_to_mean` (1 or more) times its mean.
    #[must_use]
    pub fn with_peak(peak_to_mean: f64, peak_at_s: f64) -> Self {
        if peak_to_mean <= 1.0 {
            return Self::Flat;
        }
        // exp(k)/I0(k) grows from 1 like sqrt(2 pi k): bisect on a bracket that holds it.
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        while 1.0 / scaled_i0(high) < peak_to_mean && high < 1e6 {
            high *= 2.0;
        }
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if 1.0 / scaled_i0(middle) < peak_to_mean { low = middle } else { high = middle }
        }
        let kappa = 0.5 * (low + high);
        Self::Peak { peak_at_s, kappa, norm: scaled_i0(kappa) }
    }

    /// Rate at this local time relative to the mean.
    #[must_use]
    pub fn at(&self, local_s: f64) -> f64 {
        match self {
            Self::Flat => 1.0,
            Self::Peak { peak_at_s, kappa, norm } => {
                let angle = (local_s - peak_at_s) / DAY_S * TAU;
                (kappa * (angle.cos() - 1.0)).exp() / norm
            }
            Self::Hourly(hours) => {
                let position = (local_s / 3600.0 - 0.5).rem_euclid(24.0);
                let (index, part) = (position as usize % 24, position.fract());
                hours[index] * (1.0 - part) + hours[(index + 1) % 24] * part
            }
        }
    }

    /// Highest value over the day.
    #[must_use]
    pub fn peak(&self) -> f64 {
        match self {
            Self::Flat => 1.0,
            Self::Peak { norm, .. } => 1.0 / norm,
            Self::Hourly(hours) => hours.iter().copied().fold(0.0, f64::max),
        }
    }

    /// The highest value in a span of local time that is not longer than a day.
    #[must_use]
    pub fn most_over(&self, from_s: f64, to_s: f64) -> f64 {
        let ends = self.at(from_s).max(self.at(to_s));
        let turns = self.turns(from_s, to_s).map(|at_s| self.at(at_s));
        turns.fold(ends, f64::max)
    }

    /// The lowest value in a span of local time that is not longer than a day.
    #[must_use]
    pub fn least_over(&self, from_s: f64, to_s: f64) -> f64 {
        let ends = self.at(from_s).min(self.at(to_s));
        let turns = self.turns(from_s, to_s).map(|at_s| self.at(at_s));
        turns.fold(ends, f64::min)
    }

    /// Times in a span at which it may turn from rising to falling or back.
    fn turns(&self, from_s: f64, to_s: f64) -> impl Iterator<Item = f64> {
        let (first_s, every_s) = match self {
            Self::Flat => (0.0, f64::INFINITY),
            Self::Peak { peak_at_s, .. } => (*peak_at_s, DAY_S / 2.0),
            Self::Hourly(_) => (1800.0, 3600.0),
        };
        let before = ((from_s - first_s) / every_s).floor();
        let turns = (1..26).map(move |i| first_s + (before + f64::from(i)) * every_s);
        turns.take_while(move |&at_s| at_s < to_s)
    }

    /// Mean over a span of local time (Simpson's rule on at least one interval per 5 minutes).
    #[must_use]
    pub fn mean_over(&self, from_s: f64, to_s: f64) -> f64 {
        let steps = (((to_s - from_s) / 300.0).ceil() as usize).max(1) * 2;
        let width = (to_s - from_s) / steps as f64;
        let sum: f64 = (0..=steps)
            .map(|i| {
                let weight = if i == 0 || i == steps {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                };
                weight * self.at(from_s + i as f64 * width)
            })
            .sum();
        sum / (3.0 * steps as f64)
    }
}

/// `I0(x) exp(-x)`: the modified Bessel function of order 0, scaled, by its power series (small `x`) or as
/// the mean of `exp(x (cos t - 1))`, which the trapezoidal rule gives to machine precision.
fn scaled_i0(x: f64) -> f64 {
    let points = 64 + (8.0 * x.sqrt()) as usize;
    (0..points).map(|i| (x * ((TAU * i as f64 / points as f64).cos() - 1.0)).exp()).sum::<f64>()
        / points as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_and_the_lowest_of_a_span_are_those_of_all_its_moments() {
        let hours = std::array::from_fn(|hour| f64::from((hour as u32 * 7 + 3) % 5));
        for day in [Diurnal::Flat, Diurnal::with_peak(5.0, 19.0 * 3600.0), Diurnal::Hourly(hours)] {
            for (from_s, length_s) in
                [(0.0, 300.0), (-40_000.0, 7200.0), (68_000.0, 900.0), (90_000.0, DAY_S)]
            {
                let (most, least) =
                    (day.most_over(from_s, from_s + length_s), day.least_over(from_s, from_s + length_s));
                let moments = || (0..=10_000).map(|i| day.at(from_s + length_s * f64::from(i) / 1e4));
                let (highest, lowest) =
                    (moments().fold(0.0, f64::max), moments().fold(f64::INFINITY, f64::min));
                assert!(
                    (0.0..0.01).contains(&(most - highest + 1e-12)),
                    "{day:?} {from_s}: {most} {highest}"
                );
                assert!(
                    (0.0..0.01).contains(&(lowest - least + 1e-12)),
                    "{day:?} {from_s}: {least} {lowest}"
                );
            }
        }
    }

    #[test]
    fn a_peaked_day_has_mean_one_and_the_asked_peak() {
        for peak in [1.0, 1.5, 2.0, 3.0, 10.0] {
            let day = Diurnal::with_peak(peak, 19.0 * 3600.0);
            assert!((day.peak() - peak).abs() < 1e-9, "{peak}: {}", day.peak());
            assert!((day.at(19.0 * 3600.0) - peak).abs() < 1e-9);
            assert!((day.mean_over(0.0, DAY_S) - 1.0).abs() < 1e-6, "{peak}");
            assert!(day.at(7.0 * 3600.0) > 0.0);
        }
    }

    #[test]
    fn the_bessel_function_agrees_with_tables() {
        // I0(1) = 1.2660658777520084 (Abramowitz and Stegun, table 9.8).
        assert!((scaled_i0(1.0) * 1.0_f64.exp() - 1.266_065_877_752_008_4).abs() < 1e-12);
    }

    #[test]
    fn hours_are_met_in_their_middle() {
        let mut hours = [1.0; 24];
        hours[3] = 2.0;
        let day = Diurnal::Hourly(hours);
        assert!((day.at(3.5 * 3600.0) - 2.0).abs() < 1e-12);
        assert!((day.at(4.0 * 3600.0) - 1.5).abs() < 1e-12);
    }
}
