//! Closed networks: a fixed number of customers who think, then visit the centres, then think again.
//!
//! Why two exact methods: with single servers and delays mean value analysis takes a step per customer and
//! centre; with several servers it loses all digits near saturation, so there the states are convolved
//! instead, scaled so that nothing overflows. Beyond their limits, Schweitzer's fixed point answers.

use crate::analytic::numeric::deviance;

/// What a customer's visit to the network asks of a centre; demands are seconds of service per cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Centre {
    /// One server with a queue.
    Queue { demand: f64 },
    /// Several equal servers with one queue; `demand` is what one of them would need.
    Pool { demand: f64, servers: u64 },
    /// As many servers as customers: everybody is served at once.
    Delay { demand: f64 },
}

impl Centre {
    fn demand(self) -> f64 {
        let (Self::Queue { demand } | Self::Pool { demand, .. } | Self::Delay { demand }) = self;
        if demand > 0.0 { demand } else { 0.0 }
    }

    /// Servers as a number: infinitely many for a delay, at least one for a pool.
    fn servers(self) -> f64 {
        match self {
            Self::Queue { .. } => 1.0,
            Self::Pool { servers, .. } => servers.max(1) as f64,
            Self::Delay { .. } => f64::INFINITY,
        }
    }
}

/// A solved closed network.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Cycles per second.
    pub throughput: f64,
    /// Time from leaving thought to coming back to it, s.
    pub response: f64,
    pub centres: Vec<CentreSolution>,
    /// False above the limits of the exact methods.
    pub exact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CentreSolution {
    /// Time spent here in a cycle, s.
    pub residence: f64,
    /// Mean number here, waiting or served.
    pub customers: f64,
    /// Share of time a server is busy; for a delay the mean number busy.
    pub utilisation: f64,
}

/// Customers times centres up to which mean value analysis is run.
pub const CUSTOMERS_MAX: u64 = 10_000_000;
/// Customers up to which states are convolved, at quadratic cost (about a second at this many).
const CONVOLVED_MAX: u64 = 10_000;

/// Solves a closed product-form network of one class: `customers` who think `think_time` seconds between
/// cycles (Reiser and Lavenberg, "Mean-value analysis of closed multichain queuing networks", Journal of the
/// ACM 27, 1980; Buzen, "Computational algorithms for closed queueing networks", Communications of the ACM
/// 16, 1973). With no demand anywhere and no thought the throughput is infinite.
#[must_use]
pub fn closed(centres: &[Centre], think_time: f64, customers: u64) -> Closed {
    let think = if think_time > 0.0 { think_time } else { 0.0 };
    let single = centres.iter().all(|c| !matches!(c, Centre::Pool { servers, .. } if *servers > 1));
    let cycle: f64 = think + centres.iter().map(|c| c.demand()).sum::<f64>();
    if customers == 0 || cycle <= 0.0 {
        let throughput = if customers == 0 { 0.0 } else { f64::INFINITY };
        let none = CentreSolution { residence: 0.0, customers: 0.0, utilisation: 0.0 };
        let centres = centres.iter().map(|c| CentreSolution { residence: c.demand(), ..none }).collect();
        return Closed { throughput, response: cycle - think, centres, exact: true };
    }
    if single && customers.saturating_mul(centres.len() as u64) <= CUSTOMERS_MAX {
        mean_values(centres, think, customers)
    } else if customers <= CONVOLVED_MAX {
        convolved(centres, think, customers as usize)
    } else {
        schweitzer(centres, think, customers as f64)
    }
}

/// Exact mean value analysis: a customer who arrives sees the network with one customer less.
fn mean_values(centres: &[Centre], think: f64, customers: u64) -> Closed {
    let mut here = vec![0.0; centres.len()];
    let mut throughput = 0.0;
    for n in 1..=customers {
        let mut cycle = think;
        for (customers, centre) in here.iter_mut().zip(centres) {
            let queue = if matches!(centre, Centre::Delay { .. }) { 0.0 } else { *customers };
            *customers = centre.demand() * (1.0 + queue);
            cycle += *customers;
        }
        throughput = n as f64 / cycle;
        for customers in &mut here {
            *customers *= throughput;
        }
    }
    solution(centres, throughput, &here, true)
}

/// Schweitzer's approximate mean value analysis, pools as a single fast server and a delay (Seidmann,
/// Schweitzer and Shalev-Oren, "Computerized closed queueing network models of flexible manufacturing
/// systems", Large Scale Systems 12, 1987).
fn schweitzer(centres: &[Centre], think: f64, customers: f64) -> Closed {
    let cycle = |throughput: f64| -> f64 {
        let at = |centre: &Centre| {
            let (demand, servers) = (centre.demand(), centre.servers());
            if servers == f64::INFINITY {
                return demand;
            }
            // Q = D/c (1 + Q (N-1)/N) X, and the rest of the demand as a delay.
            let fast = demand / servers;
            let busy = throughput * fast * (customers - 1.0) / customers;
            if busy >= 1.0 { f64::INFINITY } else { fast / (1.0 - busy) + demand - fast }
        };
        think + centres.iter().map(at).sum::<f64>()
    };
    let most = customers / cycle(0.0);
    let throughput = crate::analytic::numeric::boundary(0.0, most, |x| x * cycle(x) < customers);
    let here: Vec<f64> = centres
        .iter()
        .map(|&centre| {
            let without = [centre];
            let (demand, servers) = (without[0].demand(), without[0].servers());
            if servers == f64::INFINITY {
                return throughput * demand;
            }
            let fast = demand / servers;
            let busy = throughput * fast * (customers - 1.0) / customers;
            throughput * (fast / (1.0 - busy).max(1e-15) + demand - fast)
        })
        .collect();
    solution(centres, throughput, &here, false)
}

/// Exact by convolution of the state probabilities of the centres, each scaled at a rate near the throughput.
fn convolved(centres: &[Centre], think: f64, customers: usize) -> Closed {
    let scale = schweitzer(centres, think, customers as f64).throughput;
    let mut parts: Vec<Vec<f64>> = centres.iter().map(|c| states(*c, scale, customers)).collect();
    parts.push(states(Centre::Delay { demand: think }, scale, customers));
    // Products of all parts before, and of all after, each centre.
    let mut before = vec![unit(customers)];
    for part in &parts {
        before.push(convolve(&before[before.len() - 1], part));
    }
    let all = &before[parts.len()];
    let throughput = scale * all[customers - 1] / all[customers];
    let mut after = parts[parts.len() - 1].clone();
    let mut here = vec![0.0; centres.len()];
    for k in (0..centres.len()).rev() {
        let others = convolve(&before[k], &after);
        let states = &parts[k];
        let weight = |n: usize| states[n] * others[customers - n];
        let total: f64 = (0..=customers).map(weight).sum();
        here[k] = (0..=customers).map(|n| n as f64 * weight(n)).sum::<f64>() / total;
        after = convolve(&after, states);
    }
    solution(centres, throughput, &here, true)
}

/// Probabilities, up to a factor, of 0, 1, .. customers at a centre visited at this rate.
fn states(centre: Centre, rate: f64, customers: usize) -> Vec<f64> {
    let (load, servers) = (rate * centre.demand(), centre.servers());
    if load <= 0.0 {
        return unit(customers);
    }
    // Logarithms from the top, since both ends may underflow: ln(a^n / n!) up to all servers busy.
    let exponent = |n: f64| {
        let started = n.min(servers);
        let poisson = |k: f64| {
            if k == 0.0 {
                -load
            } else {
                -deviance(k, load, k - load)
                    - crate::analytic::numeric::stirling_error(k)
                    - 0.5 * (2.0 * std::f64::consts::PI * k).ln()
            }
        };
        poisson(started) + if n > servers { (n - servers) * (load / servers).ln() } else { 0.0 }
    };
    let exponents: Vec<f64> = (0..=customers).map(|n| exponent(n as f64)).collect();
    let top = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    exponents.into_iter().map(|e| (e - top).exp()).collect()
}

fn unit(customers: usize) -> Vec<f64> {
    let mut states = vec![0.0; customers + 1];
    states[0] = 1.0;
    states
}

/// All ways to share n customers between two parts, rescaled to a largest entry of 1.
fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sums: Vec<f64> =
        (0..a.len()).map(|n| a[..=n].iter().zip(b[..=n].iter().rev()).map(|(x, y)| x * y).sum()).collect();
    let top = sums.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for sum in &mut sums {
        *sum /= top;
    }
    sums
}

fn solution(centres: &[Centre], throughput: f64, here: &[f64], exact: bool) -> Closed {
    let centres: Vec<CentreSolution> = centres
        .iter()
        .zip(here)
        .map(|(centre, &customers)| {
            let busy = throughput * centre.demand();
            let servers = centre.servers();
            let utilisation = if servers == f64::INFINITY { busy } else { busy / servers };
            CentreSolution { residence: customers / throughput, customers, utilisation }
        })
        .collect();
    Closed { throughput, response: centres.iter().map(|c| c.residence).sum(), centres, exact }
}

/// What a closed network can do at best and at worst, whatever the laws of its service times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub throughput_min: f64,
    pub throughput_max: f64,
    pub response_min: f64,
    pub response_max: f64,
    /// Customers from which on the slowest centre and not their number is the limit.
    pub knee: f64,
}

/// Asymptotic bounds (Denning and Buzen, "The operational analysis of queueing network models", ACM Computing
/// Surveys 10, 1978; Lazowska et al., Quantitative System Performance, 1984, chapter 5).
#[must_use]
pub fn asymptotic_bounds(centres: &[Centre], think_time: f64, customers: u64) -> Bounds {
    let think = if think_time > 0.0 { think_time } else { 0.0 };
    let n = customers as f64;
    let total: f64 = centres.iter().map(|c| c.demand()).sum();
    let slowest = centres.iter().map(|c| c.demand() / c.servers()).fold(0.0, f64::max);
    // In the worst case a customer finds all the others before it at every centre with a queue.
    let queued = |c: &&Centre| c.servers().is_finite();
    let ahead: f64 = centres.iter().filter(queued).map(|c| c.demand() / c.servers()).sum();
    let response_max = total + (n - 1.0).max(0.0) * ahead;
    let rate = |cycle: f64| if n == 0.0 { 0.0 } else { n / cycle };
    Bounds {
        throughput_min: rate(think + response_max),
        throughput_max: rate(think + total).min(1.0 / slowest),
        response_min: total.max(n * slowest - think),
        response_max,
        knee: if slowest > 0.0 { (total + think) / slowest } else { f64::INFINITY },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-9, "got {got}, want {want}");
    }

    const THREE: [Centre; 3] =
        [Centre::Queue { demand: 0.05 }, Centre::Queue { demand: 0.08 }, Centre::Queue { demand: 0.03 }];

    #[test]
    fn the_two_exact_methods_agree() {
        for (think, customers) in [(0.0, 1), (0.0, 7), (5.0, 50), (5.0, 300), (300.0, 1_000)] {
            let (a, b) =
                (mean_values(&THREE, think, customers), convolved(&THREE, think, customers as usize));
            near(a.throughput, b.throughput);
            near(a.response, b.response);
            for (a, b) in a.centres.iter().zip(&b.centres) {
                near(a.customers, b.customers);
            }
        }
    }

    /// The machine-repair model: one pool, thinkers; a birth-death chain.
    fn repair(demand: f64, servers: u64, think: f64, customers: u64) -> f64 {
        let (mut p, mut total, mut busy) = (1.0, 1.0, 0.0);
        for n in 1..=customers {
            p *= (customers - n + 1) as f64 / think * demand / n.min(servers) as f64;
            total += p;
            busy += p * n.min(servers) as f64;
        }
        busy / total / demand
    }

    #[test]
    fn a_pool_and_thinkers_are_the_repair_model() {
        for (servers, customers) in [(1, 30), (2, 30), (8, 30), (8, 100), (40, 30)] {
            let got = closed(&[Centre::Pool { demand: 0.5, servers }], 2.0, customers);
            near(got.throughput, repair(0.5, servers, 2.0, customers));
            near(got.throughput * (got.response + 2.0), customers as f64);
            assert!(got.exact);
        }
    }

    #[test]
    fn limits_of_few_and_many() {
        let pool = [Centre::Pool { demand: 0.4, servers: 10 }, Centre::Delay { demand: 0.1 }];
        near(closed(&pool, 1.0, 1).throughput, 1.0 / 1.5);
        near(closed(&pool, 1.0, 5_000).throughput, 25.0);
        let many = closed(&pool, 1.0, 1_000_000_000);
        assert!(!many.exact && (many.throughput / 25.0 - 1.0).abs() < 1e-6, "{}", many.throughput);
        // A thousand thinkers of 10^5 times the demand: the states of thought underflow at both ends.
        let got = closed(&[Centre::Pool { demand: 1e-3, servers: 2 }], 100.0, 1_000);
        near(got.throughput, repair(1e-3, 2, 100.0, 1_000));
        assert_eq!(closed(&pool, 1.0, 0).throughput, 0.0);
        assert_eq!(closed(&[], 0.0, 3).throughput, f64::INFINITY);
    }

    #[test]
    fn the_approximation_is_near() {
        let pool = [Centre::Pool { demand: 0.4, servers: 10 }, Centre::Queue { demand: 0.03 }];
        for customers in [5, 30, 60, 500] {
            let exact = closed(&pool, 1.0, customers).throughput;
            let approximate = schweitzer(&pool, 1.0, customers as f64).throughput;
            assert!((approximate / exact - 1.0).abs() < 0.1, "{customers}: {approximate} {exact}");
        }
    }

    #[test]
    fn bounds_hold() {
        for customers in [1, 5, 32, 64, 500] {
            let (solved, bounds) =
                (closed(&THREE, 5.0, customers), asymptotic_bounds(&THREE, 5.0, customers));
            assert!(bounds.throughput_min <= solved.throughput * (1.0 + 1e-12));
            assert!(bounds.throughput_max >= solved.throughput * (1.0 - 1e-12));
            assert!(bounds.response_min <= solved.response * (1.0 + 1e-12));
            assert!(bounds.response_max >= solved.response * (1.0 - 1e-12));
        }
        near(asymptotic_bounds(&THREE, 5.0, 1).knee, 5.16 / 0.08);
    }
}
