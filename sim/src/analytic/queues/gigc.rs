//! GI/G/c by approximation: any arrivals, any service times, from their first two moments.
//!
//! Why three formulas for one mean: Allen and Cunneen's is what people know, Kraemer and Langenbach-Belz'
//! corrects it for regular arrivals, Kimura's also for many servers. All are exact for M/M/c and M/G/1.

use super::erlang::erlang_c;
use super::mmc::mmc_wait;
use crate::analytic::numeric::{gamma_tail, normal_tail, quantile};

/// Mean wait in GI/G/c: M/M/c times the mean of the squared coefficients of variation
/// (Allen, Probability, Statistics and Queueing Theory, 1990, section 5.3). Exact for M/M/c and M/G/1.
#[must_use]
pub fn allen_cunneen_wait(
    servers: u64,
    arrival_rate: f64,
    arrival_cv: f64,
    service_mean: f64,
    service_cv: f64,
) -> f64 {
    GiGc { servers, arrival_rate, arrival_cv, service_mean, service_cv }.wait_mean_allen_cunneen()
}

/// A queue with independent times between arrivals (coefficient of variation `arrival_cv`) and independent
/// service times (`service_mean` seconds, `service_cv`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GiGc {
    pub servers: u64,
    pub arrival_rate: f64,
    pub arrival_cv: f64,
    pub service_mean: f64,
    pub service_cv: f64,
}

impl GiGc {
    /// M/G/c: Poisson arrivals.
    #[must_use]
    pub fn poisson(servers: u64, arrival_rate: f64, service_mean: f64, service_cv: f64) -> Self {
        Self { servers, arrival_rate, arrival_cv: 1.0, service_mean, service_cv }
    }

    /// Work that comes in, erlang.
    #[must_use]
    pub fn load(&self) -> f64 {
        (self.arrival_rate * self.service_mean).max(0.0)
    }

    /// Mean wait by Allen and Cunneen, s.
    #[must_use]
    pub fn wait_mean_allen_cunneen(&self) -> f64 {
        times(mmc_wait(self.servers, self.arrival_rate, self.service_mean), self.variability())
    }

    /// Mean wait by Kraemer and Langenbach-Belz, s ("Approximate formulae for the delay in the queueing
    /// system GI/G/1", ITC 8, 1976), on top of Allen and Cunneen's for several servers.
    #[must_use]
    pub fn wait_mean_kraemer_langenbach_belz(&self) -> f64 {
        let (ca, cs, rho) = (self.arrival_cv.powi(2), self.service_cv.powi(2), self.utilisation());
        let exponent = if ca + cs == 0.0 || rho <= 0.0 {
            0.0
        } else if ca <= 1.0 {
            -2.0 * (1.0 - rho) * (1.0 - ca).powi(2) / (3.0 * rho * (ca + cs))
        } else {
            -(1.0 - rho) * (ca - 1.0) / (ca + 4.0 * cs)
        };
        times(self.wait_mean_allen_cunneen(), exponent.exp())
    }

    /// Mean wait by Kimura, s ("A two-moment approximation for the mean waiting time in the GI/G/s queue",
    /// Management Science 32, 1986): between M/M/c, M/D/c and D/M/c, the latter two by Cosmetatos (Whitt
    /// 1993, equations 2.10 to 2.18). For arrivals more variable than Poisson's, where Kimura's has no
    /// answer, the correction of Kraemer and Langenbach-Belz on top. Exact for M/M/c and M/G/1.
    #[must_use]
    pub fn wait_mean(&self) -> f64 {
        let wait = mmc_wait(self.servers, self.arrival_rate, self.service_mean);
        times(wait, self.variability() * self.correction())
    }

    /// Share of arrivals that wait (Whitt, "Approximations for the GI/G/m queue", Production and Operations
    /// Management 2, 1993, section 3; its cases are blended so that the result is continuous). Erlang C for
    /// Poisson arrivals.
    #[must_use]
    pub fn waits(&self) -> f64 {
        let rho = self.utilisation();
        if rho >= 1.0 || self.servers == 0 {
            return 1.0;
        }
        let (ca, cs) = (self.arrival_cv.powi(2), self.service_cv.powi(2));
        let erlang = erlang_c(self.servers, self.load());
        if (ca - 1.0).abs() < 1e-12 {
            return erlang;
        }
        let m = self.servers as f64;
        let apart = (1.0 - rho) * m.sqrt();
        // Ratio of normal tails, as the GI/M/m limit of Halfin and Whitt gives.
        let scaled = |factor: f64| {
            let below = normal_tail(apart);
            if below > 0.0 { (normal_tail(factor * apart) / below * erlang).min(1.0) } else { 0.0 }
        };
        let by_both = scaled((1.0 + cs) / (ca + cs).max(1e-300));
        let by_arrivals = scaled(2.0 / (1.0 + ca));
        let few = rho.powi(2) * by_both + (1.0 - rho.powi(2)) * by_arrivals;
        let z = (ca + cs) / (1.0 + cs);
        let level = (m - m * rho - 0.5) / (m * rho * z).max(1e-300).sqrt();
        let many = if self.servers <= 6 { 0.0 } else { (2.0 * level - 1.0).clamp(0.0, 1.0) };
        let weight = many * (1.0 - ca).max(0.0);
        (weight * normal_tail(level) + (1.0 - weight) * few).clamp(0.0, 1.0)
    }

    /// `P(wait > t)`: those who wait do so for a gamma distributed time with the mean of [`Self::wait_mean`]
    /// and the variance of the conditional wait in M/G/1 (Whitt, "The queueing network analyzer", Bell System
    /// Technical Journal 62, 1983, equations 50 to 54). Exact for M/M/c.
    #[must_use]
    pub fn wait_tail(&self, t: f64) -> f64 {
        if self.utilisation() >= 1.0 || self.servers == 0 {
            return 1.0;
        }
        let (waits, mean) = (self.waits(), self.wait_mean());
        if waits <= 0.0 || mean <= 0.0 || t.is_infinite() {
            return if t < 0.0 { 1.0 } else { 0.0 };
        }
        let shape = 1.0 / self.conditional_cv_squared();
        waits * gamma_tail(shape, t.max(0.0) / (mean / waits) * shape)
    }

    /// Quantile `p` of the wait, s; infinite when saturated.
    #[must_use]
    pub fn wait_quantile(&self, p: f64) -> f64 {
        quantile(p, self.wait_mean(), |t| self.wait_tail(t))
    }

    fn utilisation(&self) -> f64 {
        if self.servers == 0 { f64::INFINITY } else { self.load() / self.servers as f64 }
    }

    fn variability(&self) -> f64 {
        f64::midpoint(self.arrival_cv.powi(2), self.service_cv.powi(2))
    }

    /// Factor on Allen and Cunneen's wait: 1 for M/M/c and for M/G/1.
    fn correction(&self) -> f64 {
        let (ca, cs) = (self.arrival_cv.powi(2), self.service_cv.powi(2));
        let (m, rho) = (self.servers as f64, self.utilisation());
        if ca + cs == 0.0 || rho <= 0.0 || rho >= 1.0 {
            return 1.0;
        }
        let gamma = ((1.0 - rho) * (m - 1.0) * ((4.0 + 5.0 * m).sqrt() - 2.0) / (16.0 * m * rho)).min(0.24);
        // What M/D/c has of M/M/c's wait, doubled; always positive below.
        let regular_service = 1.0 + gamma;
        let poisson = cs + (1.0 - cs) / regular_service;
        if ca > 1.0 {
            (-(1.0 - rho) * (ca - 1.0) / (ca + 4.0 * cs)).exp() / poisson
        } else if ca < 1.0 {
            let regular_arrivals = (1.0 - 4.0 * gamma) * (-2.0 * (1.0 - rho) / (3.0 * rho)).exp();
            1.0 / (poisson + (1.0 - ca) * (1.0 / regular_arrivals - 1.0))
        } else {
            1.0 / poisson
        }
    }

    /// Squared coefficient of variation of the wait of those who wait.
    fn conditional_cv_squared(&self) -> f64 {
        let (rho, cs) = (self.utilisation(), self.service_cv.powi(2));
        // Third moment of the service in units of the mean: that of a hyperexponential with balanced means
        // above an exponential's variability, of a sum of exponentials below.
        let third = if cs >= 1.0 { 3.0 * cs * (1.0 + cs) } else { (2.0 * cs + 1.0) * (cs + 1.0) };
        2.0 * rho - 1.0 + 4.0 * (1.0 - rho) * third / (3.0 * (cs + 1.0).powi(2))
    }
}

/// A wait times a factor; infinite stays infinite, also times 0.
fn times(wait: f64, factor: f64) -> f64 {
    if wait == f64::INFINITY { wait } else { wait * factor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::queues::{Mdc, Service, mg1_wait};

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!((got / want - 1.0).abs() < tolerance, "got {got}, want {want}");
    }

    #[test]
    fn exact_where_it_should_be() {
        for (servers, rate) in [(1, 0.8), (16, 12.8), (64, 63.0)] {
            let queue = GiGc::poisson(servers, rate, 1.0, 1.0);
            near(queue.wait_mean(), mmc_wait(servers, rate, 1.0), 1e-12);
            near(
                queue.wait_tail(0.7),
                crate::analytic::queues::mmc_wait_tail(servers, rate, 1.0, 0.7),
                1e-12,
            );
        }
        for cv in [0.0, 0.5, 2.0] {
            let want = mg1_wait(0.7, &Service::gamma(1.0, cv));
            let queue = GiGc::poisson(1, 0.7, 1.0, cv);
            near(queue.wait_mean(), want, 1e-12);
            near(queue.wait_mean_allen_cunneen(), want, 1e-12);
            near(queue.wait_mean_kraemer_langenbach_belz(), want, 1e-12);
        }
    }

    #[test]
    fn constant_service_is_near_the_exact_queue() {
        for (servers, rho, tolerance) in
            [(1, 0.5, 1e-9), (4, 0.8, 0.01), (16, 0.8, 0.02), (64, 0.95, 0.02), (1_000, 0.98, 0.03)]
        {
            let rate = rho * servers as f64;
            let exact = Mdc::solve(servers, rate, 1.0).unwrap();
            let queue = GiGc::poisson(servers, rate, 1.0, 0.0);
            near(queue.wait_mean(), exact.wait_mean(), tolerance);
            for p in [0.99, 0.999] {
                let (got, want) = (queue.wait_quantile(p), exact.wait_quantile(p));
                assert!((got / want - 1.0).abs() < 0.12, "{servers} {rho} {p}: {got} {want}");
            }
        }
    }

    #[test]
    fn geometric_arrivals_share_of_waiting() {
        // D/M/1 at rho = 0.8: sigma = exp(-(1 - sigma)/0.8) waits, on average sigma/(1 - sigma).
        let sigma = crate::analytic::numeric::boundary(0.0, 0.9, |s| (-(1.0 - s) / 0.8).exp() > s);
        let queue =
            GiGc { servers: 1, arrival_rate: 0.8, arrival_cv: 0.0, service_mean: 1.0, service_cv: 1.0 };
        near(queue.waits(), sigma, 0.05);
        near(queue.wait_mean(), sigma / (1.0 - sigma), 0.05);
        near(queue.wait_mean_kraemer_langenbach_belz(), sigma / (1.0 - sigma), 0.05);
    }

    #[test]
    fn extremes_are_answers() {
        for servers in [0, 1, 7, 10_000] {
            for arrival_rate in [-1.0, 0.0, 1e-300, 0.5, 6.9, 1e4, 1e300] {
                for arrival_cv in [0.0, 0.7, 1.0, 50.0] {
                    for service_cv in [0.0, 1.0, 1e6] {
                        let queue = GiGc { servers, arrival_rate, arrival_cv, service_mean: 1.0, service_cv };
                        for value in [
                            queue.wait_mean(),
                            queue.wait_mean_kraemer_langenbach_belz(),
                            queue.waits(),
                            queue.wait_tail(1.0),
                            queue.wait_quantile(0.99),
                        ] {
                            assert!(value >= 0.0, "{queue:?}: {value}");
                        }
                    }
                }
            }
        }
    }
}
