//! One server, Poisson arrivals, service times of any law: what their moments decide.
//!
//! Why moments and not laws: the mean wait of M/G/1 needs two of them, its variance three, and processor
//! sharing only the first; a scenario's service time, measured or assumed, can always give those.

/// Raw moments of a service time: `E[S]` in s, `E[S^2]` in s^2, `E[S^3]` in s^3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Service {
    pub mean: f64,
    pub second: f64,
    pub third: f64,
}

impl Service {
    /// Always the same time.
    #[must_use]
    pub fn deterministic(mean: f64) -> Self {
        Self { mean, second: mean.powi(2), third: mean.powi(3) }
    }

    #[must_use]
    pub fn exponential(mean: f64) -> Self {
        Self { mean, second: 2.0 * mean.powi(2), third: 6.0 * mean.powi(3) }
    }

    /// Gamma distributed with coefficient of variation `cv`; at 0 deterministic, at 1 exponential.
    #[must_use]
    pub fn gamma(mean: f64, cv: f64) -> Self {
        let v = cv.powi(2);
        Self { mean, second: mean.powi(2) * (1.0 + v), third: mean.powi(3) * (1.0 + v) * (1.0 + 2.0 * v) }
    }

    /// Lognormally distributed with coefficient of variation `cv`.
    #[must_use]
    pub fn lognormal(mean: f64, cv: f64) -> Self {
        let g = 1.0 + cv.powi(2);
        Self { mean, second: mean.powi(2) * g, third: mean.powi(3) * g.powi(3) }
    }

    /// A mixture of exponential times: (probability, mean) each. Probabilities are normalised; none gives 0.
    #[must_use]
    pub fn hyperexponential(branches: &[(f64, f64)]) -> Self {
        let total: f64 = branches.iter().map(|b| b.0).sum();
        let moment = |n: i32, factor: f64| {
            let sum: f64 = branches.iter().map(|&(p, mean)| p * factor * mean.powi(n)).sum();
            if total > 0.0 { sum / total } else { 0.0 }
        };
        Self { mean: moment(1, 1.0), second: moment(2, 2.0), third: moment(3, 6.0) }
    }

    /// Squared coefficient of variation; 0 for a mean of 0.
    #[must_use]
    pub fn cv_squared(&self) -> f64 {
        if self.mean > 0.0 { (self.second / self.mean.powi(2) - 1.0).max(0.0) } else { 0.0 }
    }
}

/// Mean wait in M/G/1: `lambda E[S^2] / (2 (1 - rho))`
/// (Pollaczek and Khinchine; Kleinrock, Queueing Systems I, 1975, section 5.6).
#[must_use]
pub fn mg1_wait(arrival_rate: f64, service: &Service) -> f64 {
    let rho = arrival_rate * service.mean;
    if rho >= 1.0 {
        return f64::INFINITY;
    }
    arrival_rate.max(0.0) * service.second / (2.0 * (1.0 - rho))
}

/// `E[wait^2]` in M/G/1 (Takács; Kleinrock 1975, section 5.7).
#[must_use]
pub fn mg1_wait_second_moment(arrival_rate: f64, service: &Service) -> f64 {
    let rho = arrival_rate * service.mean;
    if rho >= 1.0 {
        return f64::INFINITY;
    }
    let wait = mg1_wait(arrival_rate, service);
    2.0 * wait.powi(2) + arrival_rate.max(0.0) * service.third / (3.0 * (1.0 - rho))
}

/// Mean response of a job of this `size` (its service time alone) when one server is shared equally by all
/// present, M/G/1-PS: `size / (1 - rho)`, whatever the law of the sizes (Kleinrock, Queueing Systems II,
/// 1976, section 4.4).
#[must_use]
pub fn mg1_ps_response(arrival_rate: f64, service_mean: f64, size: f64) -> f64 {
    let rho = (arrival_rate * service_mean).max(0.0);
    if rho >= 1.0 { f64::INFINITY } else { size.max(0.0) / (1.0 - rho) }
}

/// Mean response over all jobs of M/G/1-PS.
#[must_use]
pub fn mg1_ps_sojourn(arrival_rate: f64, service_mean: f64) -> f64 {
    mg1_ps_response(arrival_rate, service_mean, service_mean)
}

/// Mean wait of a customer in M/G/1 with arrivals in batches: `batch_rate` batches per second of `X`
/// customers, given by `E[X]` and `E[X^2]`. The first of a batch waits as in an M/G/1 whose service is the
/// whole batch, the others also for those of their own batch before them
/// (Burke, "Delays in single-server queues with batch input", Operations Research 23, 1975).
#[must_use]
pub fn mg1_batch_wait(batch_rate: f64, batch_mean: f64, batch_second: f64, service: &Service) -> f64 {
    let arrival_rate = batch_rate * batch_mean;
    let rho = arrival_rate * service.mean;
    if rho >= 1.0 {
        return f64::INFINITY;
    }
    if batch_mean <= 0.0 || batch_rate <= 0.0 {
        return 0.0;
    }
    let own_batch = (batch_second / batch_mean - 1.0) * service.mean;
    (arrival_rate * service.second + own_batch) / (2.0 * (1.0 - rho))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-12, "got {got}, want {want}");
    }

    #[test]
    fn exponential_service_gives_mm1() {
        for rho in [0.1, 0.5, 0.95] {
            near(mg1_wait(rho, &Service::exponential(1.0)), rho / (1.0 - rho));
            // W = 0 with probability 1 - rho, else exponential with rate 1 - rho.
            near(mg1_wait_second_moment(rho, &Service::gamma(1.0, 1.0)), 2.0 * rho / (1.0 - rho).powi(2));
        }
    }

    #[test]
    fn laws_have_their_moments() {
        near(Service::lognormal(2.0, 3.0).cv_squared(), 9.0);
        near(Service::gamma(2.0, 0.5).cv_squared(), 0.25);
        assert_eq!(Service::gamma(2.0, 0.0), Service::deterministic(2.0));
        near(Service::hyperexponential(&[(1.8, 0.5), (0.2, 5.5)]).second, 6.5);
        assert_eq!(Service::hyperexponential(&[]).mean, 0.0);
    }

    #[test]
    fn batches_of_one_are_no_batches() {
        let service = Service::gamma(1.0, 2.0);
        near(mg1_batch_wait(0.8, 1.0, 1.0, &service), mg1_wait(0.8, &service));
        // Batches of exactly 4 exponential jobs, rho = 0.8: (0.8*2 + 3) / 0.4.
        near(mg1_batch_wait(0.2, 4.0, 16.0, &Service::exponential(1.0)), 11.5);
        assert_eq!(mg1_batch_wait(0.25, 4.0, 16.0, &service), f64::INFINITY);
    }
}
