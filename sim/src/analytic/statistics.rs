//! How long a simulation must run: the variance of a mean over correlated customers.
//!
//! Why it is asked beforehand: near saturation waits are correlated over 1/(1-rho)^2 customers, so a run that
//! looks long is a handful of independent ones (Whitt, "Planning queueing simulations", Management Science
//! 35, 1989).

use super::numeric::normal_quantile;

/// Asymptotic variance of the mean wait over n customers in M/M/1, times n, in s^2:
/// `rho (2 + 5 rho - 4 rho^2 + rho^3) / (1 - rho)^4` service times squared (Whitt 1989, section 3). Infinite
/// from saturation on.
#[must_use]
pub fn mm1_wait_asymptotic_variance(utilisation: f64, service_mean: f64) -> f64 {
    let rho = utilisation.max(0.0);
    if rho >= 1.0 {
        return f64::INFINITY;
    }
    rho * (2.0 + rho * (5.0 - rho * (4.0 - rho))) / (1.0 - rho).powi(4) * service_mean.powi(2)
}

/// Asymptotic variance of the time-average number in M/M/1, times the run's length, in s:
/// `2 rho (1 + rho) / (1 - rho)^4` service times (Whitt 1989, section 3).
#[must_use]
pub fn mm1_number_asymptotic_variance(utilisation: f64, service_mean: f64) -> f64 {
    let rho = utilisation.max(0.0);
    if rho >= 1.0 {
        return f64::INFINITY;
    }
    2.0 * rho * (1.0 + rho) / (1.0 - rho).powi(4) * service_mean
}

/// The same for waits in GI/G/1 by the diffusion limit: `rho^2 (ca^2 + cs^2)^3 / (2 (1 - rho)^4)` service times
/// squared (Whitt 1989, section 4). For planning: within a few per cent only near saturation.
#[must_use]
pub fn gig1_wait_asymptotic_variance(
    utilisation: f64,
    arrival_cv: f64,
    service_mean: f64,
    service_cv: f64,
) -> f64 {
    let rho = utilisation.max(0.0);
    if rho >= 1.0 {
        return f64::INFINITY;
    }
    let variability = arrival_cv.powi(2) + service_cv.powi(2);
    rho.powi(2) * variability.powi(3) / (2.0 * (1.0 - rho).powi(4)) * service_mean.powi(2)
}

/// Observations (or seconds, for a variance per second) for a confidence interval of `mean` times
/// `1 +- half_width` at this `confidence`: `z^2 variance / (half_width mean)^2`.
#[must_use]
pub fn run_length(asymptotic_variance: f64, mean: f64, half_width: f64, confidence: f64) -> f64 {
    if asymptotic_variance <= 0.0 {
        return 0.0;
    }
    let z = normal_quantile(0.5 + 0.5 * confidence.clamp(0.0, 1.0));
    if z == 0.0 {
        return 0.0;
    }
    asymptotic_variance * (z / (half_width * mean)).powi(2)
}

/// Time in which M/M/1 forgets how it started, s: `service_mean / (1 - sqrt(rho))^2` (Cohen, The Single Server
/// Queue, 1982, section II.2.1). A warm-up of several of these.
#[must_use]
pub fn mm1_relaxation(utilisation: f64, service_mean: f64) -> f64 {
    let rho = utilisation.max(0.0);
    if rho >= 1.0 { f64::INFINITY } else { service_mean / (1.0 - rho.sqrt()).powi(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planning_the_reference_run() {
        let variance = mm1_wait_asymptotic_variance(0.8, 1.0);
        assert!((variance - 1_976.0).abs() < 1e-6, "{variance}");
        let customers = run_length(variance, 4.0, 0.01, 0.95);
        assert!((customers / 4.744e6 - 1.0).abs() < 1e-3, "{customers}");
    }

    #[test]
    fn near_saturation_the_diffusion_agrees() {
        let ratio =
            mm1_wait_asymptotic_variance(0.999, 2.0) / gig1_wait_asymptotic_variance(0.999, 1.0, 2.0, 1.0);
        assert!((ratio - 1.0).abs() < 2e-3, "{ratio}");
    }

    #[test]
    fn extremes_are_answers() {
        assert_eq!(mm1_wait_asymptotic_variance(1.0, 1.0), f64::INFINITY);
        assert_eq!(run_length(0.0, 0.0, 0.01, 0.95), 0.0);
        assert_eq!(run_length(1.0, 1.0, 0.0, 0.95), f64::INFINITY);
        assert_eq!(mm1_relaxation(0.0, 3.0), 3.0);
    }
}
