//! Availability of systems built from parts that fail independently, and of parts that do not.

use super::HOURS_PER_YEAR;
use crate::analytic::numeric::binomial_tail;

/// Share of time a part is up: `mttf / (mttf + mttr)`. A part that is never repaired is never up in the end.
#[must_use]
pub fn availability(mttf_hours: f64, mttr_hours: f64) -> f64 {
    if mttf_hours <= 0.0 {
        0.0
    } else if mttr_hours <= 0.0 {
        1.0
    } else {
        1.0 / (1.0 + mttr_hours / mttf_hours)
    }
}

/// All parts are needed: the product.
#[must_use]
pub fn series(availabilities: &[f64]) -> f64 {
    availabilities.iter().product()
}

/// One part is enough: one less the product of the unavailabilities. Nothing is never up.
#[must_use]
pub fn parallel(availabilities: &[f64]) -> f64 {
    1.0 - availabilities.iter().map(|a| 1.0 - a).product::<f64>()
}

/// Availability where k of n equal, independent parts are needed.
#[must_use]
pub fn k_of_n(n: u64, k: u64, availability: f64) -> f64 {
    binomial_tail(n, k, availability)
}

/// Unavailability where k of n equal, independent parts are needed, exact also where it is 10^-30. An erasure
/// code of k data and m parity fragments is `k` of `k + m`.
#[must_use]
pub fn unavailability_of_k_of_n(n: u64, k: u64, availability: f64) -> f64 {
    if k == 0 {
        0.0
    } else if k > n {
        1.0
    } else {
        binomial_tail(n, n - k + 1, 1.0 - availability)
    }
}

/// Availability of k of n where the share `beta` of each part's unavailability has a cause that takes all of
/// them down at once (beta-factor model: Fleming 1975; NUREG/CR-4780, 1988, section 3.3).
#[must_use]
pub fn beta_factor_availability(n: u64, k: u64, availability: f64, beta: f64) -> f64 {
    let (down, beta) = (1.0 - availability, beta.clamp(0.0, 1.0));
    if k == 0 {
        return 1.0;
    }
    (1.0 - beta * down) * k_of_n(n, k, 1.0 - (1.0 - beta) * down)
}

/// Minutes of a year of 365 days a system of this availability is down.
#[must_use]
pub fn downtime_minutes_per_year(availability: f64) -> f64 {
    (1.0 - availability) * HOURS_PER_YEAR * 60.0
}

/// How many nines: `-log10` of the unavailability or probability of loss. Infinite at 0.
#[must_use]
pub fn nines(failing: f64) -> f64 {
    if failing >= 1.0 { 0.0 } else { -failing.max(0.0).log10() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_wholes() {
        assert!((k_of_n(3, 1, 0.9) - parallel(&[0.9; 3])).abs() < 1e-15);
        assert!((k_of_n(5, 5, 0.99) - series(&[0.99; 5])).abs() < 1e-15);
        assert!((availability(999.0, 1.0) - 0.999).abs() < 1e-15);
        assert_eq!(availability(0.0, 0.0), 0.0);
        assert_eq!(parallel(&[]), 0.0);
        assert_eq!(series(&[]), 1.0);
        assert_eq!(nines(0.0), f64::INFINITY);
        assert!((nines(1e-5) - 5.0).abs() < 1e-12);
    }

    #[test]
    fn small_unavailabilities_keep_their_digits() {
        // All six down: 10^-18, which 1 - availability could not tell from 0.
        let got = unavailability_of_k_of_n(6, 1, 0.999);
        assert!((got / 1e-18 - 1.0).abs() < 1e-9, "{got}");
        assert_eq!(unavailability_of_k_of_n(3, 4, 0.9), 1.0);
        assert_eq!(unavailability_of_k_of_n(3, 0, 0.0), 0.0);
    }

    #[test]
    fn a_common_cause_ends_the_nines() {
        let independent = beta_factor_availability(3, 1, 0.999, 0.0);
        let common = beta_factor_availability(3, 1, 0.999, 0.05);
        assert!((independent - k_of_n(3, 1, 0.999)).abs() < 1e-15);
        assert!((1.0 - common - 5e-5).abs() < 1e-8, "{common}");
        assert!((beta_factor_availability(3, 1, 0.999, 1.0) - 0.999).abs() < 1e-12);
    }
}
