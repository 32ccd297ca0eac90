//! M/D/c exactly: constant service times, Poisson arrivals, any number of servers.
//!
//! Why not Crommelin's roots or the chain iterated until it settles: both get slow or lose digits with many
//! servers or near saturation. Seen once per service time, the number waiting is a random walk with steps
//! Poisson(a) - c that is kept at 0, so by Spitzer's identity its generating function is
//! `exp(sum over n of b(n) (z^n - 1))` with `b(n) = sum over i of P(Poisson(i a) = i c + n) / i`: all terms
//! positive. The sum over i is smooth, so its far part is an integral; from some n on, b(n) is geometric.

use super::gigc::GiGc;
use super::mg1::Service;
use crate::analytic::numeric::{boundary, gauss, poisson, quantile};

/// Servers up to which the exact solution is offered (a quarter of a second); the approximation of
/// [`GiGc`] is within 3 % beyond.
const SERVERS_MAX: u64 = 1_000_000;
/// Terms of the sum over i that are taken one by one.
const DIRECT: u32 = 24;
/// Share of a sum that no longer counts.
const NEGLIGIBLE: f64 = 1e-17;
/// Relative closeness at which `n b(n)` counts as geometric.
const SETTLED: f64 = 1e-11;
/// Entries a solution may hold.
const LENGTH_MAX: usize = 200_000;

/// A solved M/D/c queue.
#[derive(Debug, Clone)]
pub struct Mdc {
    service: f64,
    arrival_rate: f64,
    servers: f64,
    queue_mean: f64,
    /// `P(more than n wait)`.
    queue_tail: Vec<f64>,
    /// Ratio of the geometric tail beyond the table.
    ratio: f64,
}

impl Mdc {
    /// Solves M/D/c for `service` seconds per customer. `None` for a saturated queue, or above a million servers.
    #[must_use]
    pub fn solve(servers: u64, arrival_rate: f64, service: f64) -> Option<Self> {
        let load = arrival_rate * service;
        let c = servers as f64;
        if load.is_nan() || load >= c || servers > SERVERS_MAX {
            return None;
        }
        let mut solved = Self {
            service,
            arrival_rate: arrival_rate.max(0.0),
            servers: c,
            queue_mean: 0.0,
            queue_tail: vec![0.0],
            ratio: 0.0,
        };
        if load <= 0.0 {
            return Some(solved);
        }
        let decay = tail_decay(load, c);
        solved.ratio = (-decay).exp();
        let weights = ladder_weights(load, c, decay);
        let end = weights.values.len() as f64;
        let beyond = if weights.geometric { (-decay * end).exp() / -(-decay).exp_m1() } else { 0.0 };
        solved.queue_mean = weights.values.iter().sum::<f64>() + beyond;
        solved.queue_tail = weights.queue_tail(decay);
        Some(solved)
    }

    /// Mean wait, s.
    #[must_use]
    pub fn wait_mean(&self) -> f64 {
        if self.arrival_rate > 0.0 { self.queue_mean / self.arrival_rate } else { 0.0 }
    }

    /// Mean number waiting.
    #[must_use]
    pub fn queue_mean(&self) -> f64 {
        self.queue_mean
    }

    /// `P(wait > t)`: a customer with `x = (k-1) D + u` waits no longer if at most the right number waited
    /// (Franx, "A simple solution for the M/D/c waiting time distribution", Operations Research Letters 29,
    /// 2001, equation 4), written for the tail. Good to 1e-15 of the share that waits at all.
    #[must_use]
    pub fn wait_tail(&self, t: f64) -> f64 {
        if self.arrival_rate <= 0.0 || self.service <= 0.0 {
            return 0.0;
        }
        let periods = (t.max(0.0) / self.service).floor() + 1.0;
        if periods.is_infinite() {
            return 0.0;
        }
        let load = self.arrival_rate * self.service;
        let mean = load * (periods - t.max(0.0) / self.service).clamp(0.0, 1.0);
        let places = periods * self.servers;
        // Arrivals in the rest of the period; those far above the mean count through the geometric tail.
        let tilted = mean / self.ratio.max(1e-3);
        let from = (mean - 12.0 * mean.sqrt() - 40.0).max(0.0).floor();
        let to = (tilted + 12.0 * tilted.sqrt() + 40.0).ceil();
        let mut sum = 0.0;
        let mut j = from;
        while j <= to {
            let arrived = poisson(j, mean, j - mean);
            let late = arrived * self.tail_at(places - 1.0 - j);
            sum += late;
            if j > mean && (arrived == 0.0 || (j > tilted.min(places) && late <= NEGLIGIBLE * sum)) {
                break;
            }
            j += 1.0;
        }
        sum.min(1.0)
    }

    /// Quantile `p` of the wait, s.
    #[must_use]
    pub fn wait_quantile(&self, p: f64) -> f64 {
        quantile(p, self.service, |t| self.wait_tail(t))
    }

    /// `P(more than n wait)`, for whole n.
    fn tail_at(&self, n: f64) -> f64 {
        if n < 0.0 {
            return 1.0;
        }
        let last = self.queue_tail.len() - 1;
        if n <= last as f64 {
            self.queue_tail[n as usize]
        } else {
            self.queue_tail[last] * self.ratio.powf(n - last as f64)
        }
    }
}

/// Mean wait in M/D/c; infinite when saturated. Exact up to a million servers.
#[must_use]
pub fn mdc_wait(servers: u64, arrival_rate: f64, service: f64) -> f64 {
    match Mdc::solve(servers, arrival_rate, service) {
        Some(solved) => solved.wait_mean(),
        None => GiGc::poisson(servers, arrival_rate, Service::deterministic(service)).wait_mean(),
    }
}

/// The decay `s > 0` of the queue's tail, `P(queue = n) ~ e^(-s n)`: `a (e^s - 1) = c s`.
fn tail_decay(load: f64, servers: f64) -> f64 {
    let want = (servers - load) / load;
    // (e^s - 1 - s) / s rises from 0.
    let excess = |s: f64| {
        if s < 0.02 {
            (2..=9).rev().fold(0.0, |sum, n| (1.0 + sum) * s / f64::from(n))
        } else {
            (s.exp_m1() - s) / s
        }
    };
    boundary(0.0, 800.0, |s| excess(s) < want)
}

/// `b(n)`: the sum over i >= 1 of `P(Poisson(i a) = i c + n) / i`.
fn ladder_weight(load: f64, servers: f64, n: f64) -> f64 {
    let spare = servers - load;
    let term = |x: f64| poisson(x * servers + n, x * load, x * spare + n) / x;
    // Beyond these multiples of the service time the walk reaches n with less than e^-45 of its best chance.
    let centre = n * spare + 45.0 * load;
    let reach = (90.0 * load * n * spare + (45.0 * load).powi(2)).sqrt();
    let high = (centre + reach) / spare.powi(2);
    let low = n * n / (centre + reach);
    let direct: f64 = (1..=DIRECT).map(|i| term(f64::from(i))).sum();
    let cut = f64::from(DIRECT) + 0.5;
    if high <= cut {
        return direct;
    }
    direct + integral(&term, low.max(cut), high) + end_correction(&term)
}

/// Integral over a range of many magnitudes: panels of equal ratio.
fn integral(term: &impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let panels = ((high / low).ln() / 0.7).ceil().max(1.0);
    let step = (high / low).ln() / panels;
    let scaled = |u: f64| {
        let x = low * u.exp();
        term(x) * x
    };
    (0..panels as u32).map(|k| gauss(&scaled, f64::from(k) * step, f64::from(k + 1) * step)).sum()
}

/// What the sum from `DIRECT + 1` exceeds the integral from `DIRECT + 1/2` by: the midpoint form of Euler
/// and Maclaurin in central differences.
fn end_correction(term: &impl Fn(f64) -> f64) -> f64 {
    let mut values: [f64; 8] = std::array::from_fn(|k| term(f64::from(DIRECT) - 3.0 + k as f64));
    let mut differences = [0.0; 8];
    for order in 1..8 {
        for k in 0..8 - order {
            values[k] = values[k + 1] - values[k];
        }
        // The middle one of the 8 - order differences.
        differences[order] = values[(7 - order) / 2];
    }
    differences[1] / 24.0 - differences[3] * 17.0 / 5_760.0 + differences[5] * 367.0 / 967_680.0
        - differences[7] * 27_859.0 / 464_486_400.0
}

/// `n b(n)` for n = 0, 1, ..
struct LadderWeights {
    values: Vec<f64>,
    /// Whether what follows is `z^n` (else it is negligible).
    geometric: bool,
}

fn ladder_weights(load: f64, servers: f64, decay: f64) -> LadderWeights {
    let (mut values, mut sum) = (vec![0.0], 0.0);
    let mut settled = 0;
    for n in 1..LENGTH_MAX {
        let last = values[n - 1];
        let weight = n as f64 * ladder_weight(load, servers, n as f64);
        values.push(weight);
        sum += weight;
        if weight < last && weight * weight <= NEGLIGIBLE * sum * (last - weight) {
            return LadderWeights { values, geometric: false };
        }
        let geometric = (-decay * n as f64).exp();
        settled = if (weight - geometric).abs() <= SETTLED * geometric { settled + 1 } else { 0 };
        if settled == 3 {
            break;
        }
    }
    LadderWeights { values, geometric: true }
}

impl LadderWeights {
    /// `P(queue > n)`. The probabilities follow `n q(n) = sum of weights(j) q(n-j)`. With a long geometric
    /// tail the queue is taken apart into a geometric number (ratio z) and an independent, signed, short rest.
    fn queue_tail(mut self, decay: f64) -> Vec<f64> {
        let per_n =
            |values: &[f64]| values.iter().enumerate().skip(1).map(|(n, w)| w / n as f64).sum::<f64>();
        let mut ratio = 0.0;
        if self.geometric && per_n(&self.values) > 0.01 {
            ratio = (-decay).exp();
            for (n, weight) in self.values.iter_mut().enumerate().skip(1) {
                *weight -= (-decay * n as f64).exp();
            }
        } else if self.geometric {
            let small = NEGLIGIBLE * self.values.iter().sum::<f64>();
            for n in self.values.len()..LENGTH_MAX {
                let weight = (-decay * n as f64).exp();
                self.values.push(weight);
                if weight < small {
                    break;
                }
            }
        }
        let rest = recursion(&self.values, (-per_n(&self.values)).exp(), ratio);
        // Tail sums from the far end, where they are small.
        let mut beyond = 0.0;
        let mut tails = vec![0.0; rest.len()];
        for n in (0..rest.len()).rev() {
            tails[n] = beyond;
            beyond += rest[n];
        }
        let mut tail = 1.0;
        for rest_tail in &mut tails {
            tail = ratio * tail + (1.0 - ratio) * *rest_tail;
            *rest_tail = tail;
        }
        tails
    }
}

/// `r(0) = first`, `n r(n) = sum of weights(j) r(n-j)`, until it is negligible, also beside `ratio^n`.
fn recursion(weights: &[f64], first: f64, ratio: f64) -> Vec<f64> {
    let (mut rest, mut sum) = (vec![first], 0.0);
    let mut quiet = 0;
    while (quiet < 3 || rest.len() < weights.len().min(8)) && rest.len() < LENGTH_MAX {
        let n = rest.len();
        let from = (n + 1).saturating_sub(weights.len());
        let next = (from..n).map(|k| weights[n - k] * rest[k]).sum::<f64>() / n as f64;
        rest.push(next);
        sum += next.abs();
        let small = (NEGLIGIBLE * sum).max(1e-13 * ratio.powi(n as i32));
        quiet = if next.abs() <= small { quiet + 1 } else { 0 };
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, tolerance: f64) {
        assert!((got / want - 1.0).abs() < tolerance, "got {got}, want {want}");
    }

    #[test]
    fn one_server_is_pollaczek_and_khinchine() {
        for rho in [1e-6, 0.01, 0.3, 0.8, 0.99, 0.999, 0.999_99] {
            near(mdc_wait(1, rho, 1.0), rho / (2.0 * (1.0 - rho)), 1e-10);
            near(Mdc::solve(1, rho, 1.0).unwrap().wait_tail(0.0), rho, 1e-9);
        }
    }

    #[test]
    fn one_server_has_erlangs_distribution() {
        // P(W <= t) = (1-rho) sum over k <= t of (rho (k-t))^k / k! e^(-rho (k-t)) for D = 1.
        let solved = Mdc::solve(1, 0.7, 1.0).unwrap();
        for t in [0.0, 0.25, 0.999, 1.0, 2.5, 6.0] {
            let mut factorial = 1.0;
            let mut sum = 0.0;
            for k in 0..=(t as i32) {
                factorial *= f64::from(k.max(1));
                let x = 0.7 * (f64::from(k) - t);
                sum += if k == 0 { 1.0 } else { x.powi(k) } / factorial * (-x).exp();
            }
            near(solved.wait_tail(t), 1.0 - 0.3 * sum, 1e-9);
        }
    }

    #[test]
    fn the_mean_is_the_integral_of_the_tail() {
        for (servers, rho) in [(2, 0.5), (4, 0.9), (64, 0.95), (1000, 0.99)] {
            let solved = Mdc::solve(servers, rho * servers as f64, 1.0).unwrap();
            let tail = |t: f64| solved.wait_tail(t);
            let high = solved.wait_quantile(1.0 - 1e-12);
            let mean = crate::analytic::numeric::integrate_panels(&tail, 0.0, high, 60);
            near(mean, solved.wait_mean(), 1e-6);
        }
    }

    /// The queue seen every service time, iterated until it stands still.
    fn by_iteration(servers: usize, load: f64) -> Vec<f64> {
        let length = 400;
        let arrivals: Vec<f64> = (0..length).map(|k| poisson(k as f64, load, k as f64 - load)).collect();
        let mut queue = vec![0.0; length];
        queue[0] = 1.0;
        for _ in 0..2_000 {
            let mut next = vec![0.0; length];
            for (waiting, p) in queue.iter().enumerate() {
                for (arrived, q) in arrivals.iter().enumerate() {
                    let left = (waiting + arrived).saturating_sub(servers);
                    if left < length {
                        next[left] += p * q;
                    }
                }
            }
            let change: f64 = next.iter().zip(&queue).map(|(a, b)| (a - b).abs()).sum();
            queue = next;
            if change < 1e-14 {
                break;
            }
        }
        queue
    }

    #[test]
    fn the_queue_is_that_of_the_iterated_chain() {
        for (servers, rho) in [(1, 0.8), (4, 0.8), (16, 0.8), (16, 0.3), (100, 0.9)] {
            let load = rho * servers as f64;
            let queue = by_iteration(servers, load);
            let solved = Mdc::solve(servers as u64, load, 1.0).unwrap();
            let mean: f64 = queue.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
            near(solved.queue_mean(), mean, 1e-8);
            for n in [0, 1, 5] {
                let tail: f64 = queue[n + 1..].iter().rev().sum();
                assert!((solved.tail_at(n as f64) - tail).abs() < 1e-11 + 1e-8 * tail, "{servers} {rho} {n}");
            }
        }
    }

    #[test]
    fn many_servers_near_saturation_have_the_diffusions_mean() {
        // Gaussian random walk (Chang and Peres 1997): E max = 1/(2 b) + zeta(1/2)/sqrt(2 pi) + b/4, with
        // b = (c - a)/sqrt(a), in units of sqrt(a); the steps' skewness adds of the order of 1/sqrt(c).
        let (c, b) = (1_000_000_f64, 0.01);
        let load = c - b * c.sqrt();
        let want =
            load.sqrt() * (0.5 / b - 1.460_354_508_809_586_8 / (2.0 * std::f64::consts::PI).sqrt() + b / 4.0);
        near(Mdc::solve(1_000_000, load, 1.0).unwrap().queue_mean(), want, 1e-3);
    }

    #[test]
    fn extremes_are_answers() {
        assert_eq!(mdc_wait(4, 4.0, 1.0), f64::INFINITY);
        assert_eq!(mdc_wait(0, 0.0, 1.0), f64::INFINITY);
        assert_eq!(mdc_wait(4, 0.0, 1.0), 0.0);
        assert_eq!(mdc_wait(4, 1.0, 0.0), 0.0);
        let idle = mdc_wait(5_000, 500.0, 1.0);
        assert!((0.0..1e-300).contains(&idle), "{idle}");
        let solved = Mdc::solve(4, 3.9, 1.0).unwrap();
        assert_eq!(solved.wait_tail(f64::MAX), 0.0);
        assert_eq!(solved.wait_quantile(1.0), f64::INFINITY);
    }
}
