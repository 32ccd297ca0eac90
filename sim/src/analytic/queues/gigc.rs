//! GI/G/c by approximation: any arrivals, any service times, from their moments.
//!
//! Why three formulas for one mean: Allen and Cunneen's is what people know, but with variable service it is
//! far off for a pool of servers; Kraemer and Langenbach-Belz' corrects it for other arrivals at one server;
//! [`GiGc::wait_mean`] is the one to use. All are exact for M/M/c and M/G/1.

use super::erlang::erlang_c;
use super::mg1::Service;
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
    let service = Service::gamma(service_mean, service_cv);
    GiGc { servers, arrival_rate, arrival_cv, service }.wait_mean_allen_cunneen()
}

/// A queue with independent times between arrivals (coefficient of variation `arrival_cv`) and independent
/// service times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GiGc {
    pub servers: u64,
    pub arrival_rate: f64,
    pub arrival_cv: f64,
    pub service: Service,
}

impl GiGc {
    /// M/G/c: Poisson arrivals.
    #[must_use]
    pub fn poisson(servers: u64, arrival_rate: f64, service: Service) -> Self {
        Self { servers, arrival_rate, arrival_cv: 1.0, service }
    }

    /// Work that comes in, erlang.
    #[must_use]
    pub fn load(&self) -> f64 {
        (self.arrival_rate * self.service.mean).max(0.0)
    }

    /// Mean wait by Allen and Cunneen, s.
    #[must_use]
    pub fn wait_mean_allen_cunneen(&self) -> f64 {
        times(mmc_wait(self.servers, self.arrival_rate, self.service.mean), self.variability())
    }

    /// Mean wait by Kraemer and Langenbach-Belz, s ("Approximate formulae for the delay in the queueing
    /// system GI/G/1", ITC 8, 1976), on top of Allen and Cunneen's for several servers.
    #[must_use]
    pub fn wait_mean_kraemer_langenbach_belz(&self) -> f64 {
        times(self.wait_mean_allen_cunneen(), self.kraemer_langenbach_belz())
    }

    /// Mean wait, s, as near as two moments get.
    ///
    /// - One server: Kraemer and Langenbach-Belz.
    /// - Poisson arrivals: Kimura's interpolation ("A two-moment approximation for the mean waiting time in the
    ///   GI/G/s queue", Management Science 32, 1986) between M/M/c and M/D/c, the latter by Cosmetatos (Whitt,
    ///   "Approximations for the GI/G/m queue", Production and Operations Management 2, 1993, section 2).
    /// - Else the geometric mean of two whose errors are mostly opposite: Kimura's with D/M/c (for arrivals more
    ///   variable than Poisson's: their excess added), and M/G/c scaled by the arrivals' variability and
    ///   by how much more often one waits.
    ///
    /// Exact for M/M/c and M/G/1. Beside simulations of 2 to 500 servers with constant to lognormal service
    /// (coefficient of variation up to 3), busy enough that a tenth or more wait: within 10 % for Poisson and
    /// more regular arrivals, where Allen and Cunneen's is up to 80 % off, and within 20 % for lognormal
    /// arrivals of coefficient 2.
    #[must_use]
    pub fn wait_mean(&self) -> f64 {
        let wait = mmc_wait(self.servers, self.arrival_rate, self.service.mean);
        times(wait, self.variability() * self.correction())
    }

    /// Share of arrivals that wait; Erlang C for Poisson arrivals. For one server by Kraemer and
    /// Langenbach-Belz (1976), for several Erlang C changed in the ratio of the many-server limits of GI/M/c
    /// and M/M/c (Halfin and Whitt, "Heavy-traffic limits for queues with many exponential servers",
    /// Operations Research 29, 1981, theorem 4), with the arrivals' peakedness as seen by these services.
    #[must_use]
    pub fn waits(&self) -> f64 {
        let rho = self.utilisation();
        if rho >= 1.0 {
            return 1.0;
        }
        let (ca, cs) = (self.arrival_cv.powi(2), self.service.cv_squared());
        if self.servers == 1 {
            let below = if ca <= 1.0 {
                (1.0 + ca + rho * cs) / (1.0 + rho * (cs - 1.0) + rho.powi(2) * (4.0 * ca + cs))
            } else {
                4.0 * rho / (ca + rho.powi(2) * (4.0 * ca + cs))
            };
            return (rho + (ca - 1.0) * rho * (1.0 - rho) * below).clamp(0.0, 1.0);
        }
        (erlang_c(self.servers, self.load()) * self.waits_beside_poisson()).min(1.0)
    }

    /// `P(wait > t)`: those who wait do so for a gamma distributed time with the mean of [`Self::wait_mean`]
    /// and the variance of the conditional wait in M/G/1 (Whitt, "The queueing network analyzer", Bell System
    /// Technical Journal 62, 1983, equations 50 to 54), closer to exponential with more servers. Exact for
    /// M/M/c; where a tenth or more wait, p99 of M/G/c is within 20 % of simulations.
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
        f64::midpoint(self.arrival_cv.powi(2), self.service.cv_squared())
    }

    /// Factor on Allen and Cunneen's wait: 1 for M/M/c and for M/G/1.
    fn correction(&self) -> f64 {
        let (ca, cs) = (self.arrival_cv.powi(2), self.service.cv_squared());
        let (m, rho) = (self.servers as f64, self.utilisation());
        if ca + cs == 0.0 || rho <= 0.0 || rho >= 1.0 {
            return 1.0;
        }
        let gamma = ((1.0 - rho) * (m - 1.0) * ((4.0 + 5.0 * m).sqrt() - 2.0) / (16.0 * m * rho)).min(0.24);
        // What M/D/c has of M/M/c's wait, doubled; always positive below.
        let regular_service = 1.0 + gamma;
        let poisson = cs + (1.0 - cs) / regular_service;
        if ca == 1.0 {
            return 1.0 / poisson;
        }
        if self.servers == 1 {
            return self.kraemer_langenbach_belz();
        }
        let by_moments = if ca > 1.0 {
            ((1.0 + cs) / poisson + (ca - 1.0) * regular_service) / (ca + cs)
        } else {
            let regular_arrivals = (1.0 - 4.0 * gamma) * (-2.0 * (1.0 - rho) / (3.0 * rho)).exp();
            1.0 / (poisson + (1.0 - ca) * (1.0 / regular_arrivals - 1.0))
        };
        (by_moments * self.waits_beside_poisson() / poisson).sqrt()
    }

    /// Factor on Allen and Cunneen's wait by Kraemer and Langenbach-Belz.
    fn kraemer_langenbach_belz(&self) -> f64 {
        let (ca, cs, rho) = (self.arrival_cv.powi(2), self.service.cv_squared(), self.utilisation());
        let exponent = if ca + cs == 0.0 || rho <= 0.0 {
            0.0
        } else if ca <= 1.0 {
            -2.0 * (1.0 - rho) * (1.0 - ca).powi(2) / (3.0 * rho * (ca + cs))
        } else {
            -(1.0 - rho) * (ca - 1.0) / (ca + 4.0 * cs)
        };
        exponent.exp()
    }

    /// How much more often than with Poisson arrivals one waits at many servers, in the limit of Halfin and
    /// Whitt; 1 for Poisson arrivals.
    fn waits_beside_poisson(&self) -> f64 {
        let (ca, cs) = (self.arrival_cv.powi(2), self.service.cv_squared());
        let spare = (1.0 - self.utilisation()) * (self.servers as f64).sqrt();
        let poisson = many_servers_wait(spare);
        if ca == 1.0 || poisson == 0.0 {
            return 1.0;
        }
        let peakedness = (ca + cs) / (1.0 + cs);
        many_servers_wait(spare / peakedness.sqrt()) / poisson
    }

    /// Squared coefficient of variation of the wait of those who wait.
    pub(crate) fn conditional_cv_squared(&self) -> f64 {
        let rho = self.utilisation();
        // Third moment of the service, made free of units: 1 if constant, 1.5 if exponential.
        let (mean, second) = (self.service.mean, self.service.second);
        let third = if second > 0.0 { self.service.third / second * (mean / second) } else { 1.0 };
        let one_server = 2.0 * rho - 1.0 + 4.0 / 3.0 * (1.0 - rho) * third;
        // With more servers the conditional wait comes closer to an exponential one; the fourth root is what
        // simulations of 2 to 500 servers with constant to very variable service show.
        1.0 + (one_server - 1.0) / (self.servers as f64).powf(0.25)
    }
}

/// Probability of waiting with many servers at the spare capacity `(1 - rho) sqrt(c)` (Halfin and Whitt 1981).
fn many_servers_wait(spare: f64) -> f64 {
    let spare = spare.max(0.0);
    let root = (2.0 * std::f64::consts::PI).sqrt();
    1.0 / (1.0 + root * spare * normal_tail(-spare) * (0.5 * spare * spare).exp())
}

/// A wait times a factor; infinite stays infinite, also times 0.
fn times(wait: f64, factor: f64) -> f64 {
    if wait == f64::INFINITY { wait } else { wait * factor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::queues::{Mdc, mg1_wait};

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!((got / want - 1.0).abs() < tolerance, "got {got}, want {want}");
    }

    #[test]
    fn exact_where_it_should_be() {
        for (servers, rate) in [(1, 0.8), (16, 12.8), (64, 63.0)] {
            let queue = GiGc::poisson(servers, rate, Service::exponential(1.0));
            near(queue.wait_mean(), mmc_wait(servers, rate, 1.0), 1e-12);
            near(
                queue.wait_tail(0.7),
                crate::analytic::queues::mmc_wait_tail(servers, rate, 1.0, 0.7),
                1e-12,
            );
        }
        for cv in [0.0, 0.5, 2.0] {
            let want = mg1_wait(0.7, &Service::gamma(1.0, cv));
            let queue = GiGc::poisson(1, 0.7, Service::gamma(1.0, cv));
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
            let queue = GiGc::poisson(servers, rate, Service::deterministic(1.0));
            near(queue.wait_mean(), exact.wait_mean(), tolerance);
            for p in [0.99, 0.999] {
                let (got, want) = (queue.wait_quantile(p), exact.wait_quantile(p));
                assert!((got / want - 1.0).abs() < 0.12, "{servers} {rho} {p}: {got} {want}");
            }
        }
    }

    #[test]
    fn regular_arrivals_at_one_exponential_server() {
        // D/M/1 at rho = 0.8: sigma = exp(-(1 - sigma)/0.8) waits, on average sigma/(1 - sigma).
        let sigma = crate::analytic::numeric::boundary(0.0, 0.9, |s| (-(1.0 - s) / 0.8).exp() > s);
        let queue =
            GiGc { servers: 1, arrival_rate: 0.8, arrival_cv: 0.0, service: Service::exponential(1.0) };
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
                        let service = Service::gamma(1.0, service_cv);
                        let queue = GiGc { servers, arrival_rate, arrival_cv, service };
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
