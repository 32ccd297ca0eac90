//! Priority classes: what the important pay for the rest, and what the rest pay for the important.
//!
//! Why a saturated system still has an answer here: classes above the one that saturates it are served as
//! if that one filled all that they leave, and only it and those below wait forever.

use super::erlang::{erlang_b, erlang_c};
use super::mg1::Service;

/// A class of customers. Classes are given from the most to the least important.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Class {
    /// Poisson arrivals, 1/s.
    pub arrival_rate: f64,
    pub service: Service,
}

/// Mean wait by class in M/G/1 where a service is never interrupted, s
/// (Cobham, "Priority assignment in waiting line problems", Operations Research 2, 1954).
#[must_use]
pub fn mg1_nonpreemptive_waits(classes: &[Class]) -> Vec<f64> {
    let residual = residual(classes);
    between(classes, |_| residual)
}

/// Mean wait by class in M/G/1 where a more important arrival interrupts at once and service resumes later:
/// response time less service time, s (Kleinrock, Queueing Systems II, 1976, section 3.3).
#[must_use]
pub fn mg1_preemptive_waits(classes: &[Class]) -> Vec<f64> {
    let waits = between(classes, |k| residual(&classes[..=k]));
    let mut above = 0.0;
    let mut result = Vec::with_capacity(classes.len());
    for (class, wait) in classes.iter().zip(waits) {
        // Interruptions stretch the service itself.
        let stretched = if above < 1.0 { class.service.mean * above / (1.0 - above) } else { f64::INFINITY };
        result.push(wait + stretched);
        above += work(class);
    }
    result
}

/// Mean wait by class in M/M/c without interruption; all classes have the same mean service time, s
/// (Cobham 1954; Gross et al., section 3.4).
#[must_use]
pub fn mmc_nonpreemptive_waits(servers: u64, arrival_rates: &[f64], service_mean: f64) -> Vec<f64> {
    let c = servers as f64;
    let load: f64 = arrival_rates.iter().map(|r| r.max(0.0) * service_mean).sum();
    let front = erlang_c(servers, load) * service_mean / c;
    let mut above = 0.0;
    let mut waits = Vec::with_capacity(arrival_rates.len());
    for rate in arrival_rates {
        let below = above + rate.max(0.0) * service_mean / c;
        waits.push(if below >= 1.0 || servers == 0 {
            f64::INFINITY
        } else {
            front / ((1.0 - above) * (1.0 - below))
        });
        above = below;
    }
    waits
}

/// Mean wait by class in M/M/c with interruption and resumption: response less service time, s. The first k
/// classes together are an M/M/c of their own, whatever comes below
/// (Buzen and Bondi, "The response times of priority classes under preemptive resume in M/M/m queues",
/// Operations Research 31, 1983).
#[must_use]
pub fn mmc_preemptive_waits(servers: u64, arrival_rates: &[f64], service_mean: f64) -> Vec<f64> {
    let mut above = 0.0;
    let mut waits = Vec::with_capacity(arrival_rates.len());
    for rate in arrival_rates {
        let load = rate.max(0.0) * service_mean;
        let services = added_wait(servers, above, load);
        waits.push(if services == f64::INFINITY { services } else { services * service_mean });
        above += load;
    }
    waits
}

/// `(Lq(above + load) - Lq(above)) / load`, in the limit for a rare class.
fn added_wait(servers: u64, above: f64, load: f64) -> f64 {
    let c = servers as f64;
    if above + load >= c {
        return f64::INFINITY;
    }
    if load > 1e-5 * c {
        return (queue(servers, above + load) - queue(servers, above)) / load;
    }
    // The derivative of a C(a) / (c - a) in the middle, since the difference would cancel.
    let a = above + 0.5 * load;
    if a <= 0.0 {
        return if servers == 1 { load } else { 0.0 };
    }
    let b = erlang_b(servers, a);
    let db = b * (c / a - 1.0 + b);
    let idle = c - a * (1.0 - b);
    let waits = c * b / idle;
    let dwaits = c * db / idle + c * b * (1.0 - b - a * db) / idle.powi(2);
    (dwaits * a + waits * c / (c - a)) / (c - a)
}

/// Mean number waiting in M/M/c.
fn queue(servers: u64, load: f64) -> f64 {
    erlang_c(servers, load) * load / (servers as f64 - load)
}

/// `R(k) / ((1 - s(k-1)) (1 - s(k)))`, with s(k) the utilisation by the first k classes.
fn between(classes: &[Class], residual: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut above = 0.0;
    let mut waits = Vec::with_capacity(classes.len());
    for (k, class) in classes.iter().enumerate() {
        let below = above + work(class);
        waits.push(if below >= 1.0 { f64::INFINITY } else { residual(k) / ((1.0 - above) * (1.0 - below)) });
        above = below;
    }
    waits
}

/// Mean work left on the server that an arrival finds, s: `sum of lambda E[S^2] / 2`, where a class that
/// does not fit gets what is left, and those below it nothing.
fn residual(classes: &[Class]) -> f64 {
    let (mut above, mut sum) = (0.0, 0.0);
    for class in classes {
        let fits = work(class);
        let share = if above + fits > 1.0 { (1.0 - above) / fits } else { 1.0 };
        sum += share * class.arrival_rate.max(0.0) * class.service.second / 2.0;
        above += fits;
        if above >= 1.0 {
            break;
        }
    }
    sum
}

fn work(class: &Class) -> f64 {
    (class.arrival_rate * class.service.mean).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::queues::{mg1_wait, mmc_wait};

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-9 * want.abs(), "got {got}, want {want}");
    }

    fn exponential(rate: f64) -> Class {
        Class { arrival_rate: rate, service: Service::exponential(1.0) }
    }

    #[test]
    fn two_classes_match_the_reference() {
        let waits = mg1_nonpreemptive_waits(&[exponential(0.3), exponential(0.5)]);
        near(waits[0], 8.0 / 7.0);
        near(waits[1], 40.0 / 7.0);
        let waits = mmc_nonpreemptive_waits(1, &[0.3, 0.5], 1.0);
        near(waits[0], 8.0 / 7.0);
        near(waits[1], 40.0 / 7.0);
    }

    #[test]
    fn classes_share_one_conserved_wait() {
        // Equal service times: the average over all classes is that of first come, first served.
        let rates = [0.2, 0.0, 0.5, 0.1];
        let mix = |waits: &[f64]| rates.iter().zip(waits).map(|(r, w)| r * w).sum::<f64>() / 0.8;
        for servers in [1, 3, 40] {
            let scaled: Vec<f64> = rates.iter().map(|r| r * servers as f64).collect();
            let want = mmc_wait(servers, 0.8 * servers as f64, 1.0);
            near(mix(&mmc_nonpreemptive_waits(servers, &scaled, 1.0)), want);
            near(mix(&mmc_preemptive_waits(servers, &scaled, 1.0)), want);
        }
        let service = Service::gamma(1.0, 2.0);
        let classes = rates.map(|arrival_rate| Class { arrival_rate, service });
        near(mix(&mg1_nonpreemptive_waits(&classes)), mg1_wait(0.8, &service));
    }

    #[test]
    fn interruption_hides_the_classes_below() {
        let service = Service::gamma(1.0, 2.0);
        let class = |arrival_rate| Class { arrival_rate, service };
        let waits = mg1_preemptive_waits(&[class(0.4), class(5.0)]);
        near(waits[0], mg1_wait(0.4, &service));
        assert_eq!(waits[1], f64::INFINITY);
        let exponential = mg1_preemptive_waits(&[exponential(0.3), exponential(0.5)]);
        let pool = mmc_preemptive_waits(1, &[0.3, 0.5], 1.0);
        near(exponential[0], pool[0]);
        near(exponential[1], pool[1]);
    }

    #[test]
    fn a_rare_class_is_the_limit() {
        for servers in [1, 4, 100] {
            for above in [0.0, 0.5, 0.95] {
                let above = above * servers as f64;
                let rare = mmc_preemptive_waits(servers, &[above, 0.99e-5 * servers as f64], 1.0)[1];
                let less_rare = mmc_preemptive_waits(servers, &[above, 1.01e-5 * servers as f64], 1.0)[1];
                assert!(
                    (rare - less_rare).abs() <= 1e-4 * rare + 1e-6,
                    "{servers} {above}: {rare} {less_rare}"
                );
            }
        }
    }

    #[test]
    fn the_important_do_not_see_a_flood_below() {
        let waits = mg1_nonpreemptive_waits(&[exponential(0.3), exponential(50.0), exponential(0.1)]);
        // The server is always busy with somebody: residual 1 (exponential), no queue above.
        near(waits[0], 1.0 / 0.7);
        assert_eq!(waits[1..], [f64::INFINITY, f64::INFINITY]);
        near(mmc_nonpreemptive_waits(1, &[0.3, 50.0], 1.0)[0], 1.0 / 0.7);
        assert_eq!(mmc_nonpreemptive_waits(0, &[0.3], 1.0), [f64::INFINITY]);
        assert!(mg1_nonpreemptive_waits(&[]).is_empty());
    }
}
