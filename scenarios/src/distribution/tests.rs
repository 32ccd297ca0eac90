use proptest::prelude::*;

use super::*;
use crate::rng::Stream;
use crate::units::{Fraction, Seconds};

type Law = Distribution<Seconds>;

fn n(value: f64) -> Number {
    Number::given(value, "")
}

fn gamma(mean: f64, cv: f64) -> Law {
    Distribution::Gamma(Gamma { mean: given(mean), cv: n(cv) })
}

fn pareto(min: f64, max: f64, shape: f64) -> Law {
    Distribution::Pareto(Pareto { min: given(min), max: given(max), shape: n(shape) })
}

fn empirical(outcomes: &[(f64, f64)]) -> Law {
    let outcome = |&(value, weight): &(f64, f64)| Outcome { value: given(value), weight: n(weight) };
    Distribution::Empirical(Empirical { outcomes: outcomes.iter().map(outcome).collect() })
}

fn quantiles(points: &[(f64, f64)]) -> Law {
    let point = |&(p, value): &(f64, f64)| QuantileAt { p, value: given(value) };
    Distribution::Quantiles(Quantiles { points: points.iter().map(point).collect() })
}

fn mixture(components: Vec<(f64, Law)>) -> Law {
    let component = |(weight, law)| Component { weight: Fraction::given(weight, ""), law };
    Distribution::Mixture(Mixture { components: components.into_iter().map(component).collect() })
}

fn smooth() -> Vec<Law> {
    vec![
        Distribution::exponential(0.004),
        Distribution::lognormal(0.012, 1.5),
        Distribution::lognormal(3.0, 0.05),
        gamma(0.02, 1.0),
        gamma(0.02, 0.5),
        gamma(5.0, 0.01),
        gamma(0.02, 2.0),
        pareto(1e3, 1e9, 1.2),
        pareto(1e3, 1e9, 1.0),
        pareto(1.0, 50.0, 2.0),
        pareto(1.0, 1.001, 20.0),
        quantiles(&[(0.5, 0.005), (0.9, 0.02), (0.99, 0.08), (1.0, 0.2)]),
        quantiles(&[(0.0, 0.001), (0.5, 0.005), (1.0, 0.2)]),
        mixture(vec![(0.9, Distribution::exponential(0.005)), (0.1, Distribution::lognormal(0.08, 0.3))]),
    ]
}

fn with_jumps() -> Vec<Law> {
    vec![
        Distribution::constant(3.0),
        empirical(&[(5.0, 1.0), (1.0, 3.0), (2.0, 0.5)]),
        quantiles(&[(0.5, 0.005), (0.9, 0.005), (1.0, 0.2)]),
        mixture(vec![(0.9, Distribution::exponential(0.005)), (0.1, Distribution::constant(0.08))]),
        mixture(vec![(0.2, empirical(&[(0.003, 1.0), (0.2, 1.0)])), (0.8, gamma(0.02, 0.7))]),
    ]
}

/// The mean of `x^power` as `integral(power x^(power - 1) (1 - F(x)))` over `ln x`, by Gauss-Legendre with three
/// nodes on many steps; kinks of the law lie between steps.
fn moment(law: &Law, power: i32) -> f64 {
    const STEPS: u32 = 50_000;
    let mut ends = vec![match law.quantile(0.0) {
        0.0 => law.quantile(1e-12).max(1e-300).ln() - 3.0,
        least => least.ln(),
    }];
    if let Distribution::Quantiles(quantiles) = law {
        ends.extend(quantiles.points.iter().map(|point| point.value.get().ln()));
    }
    ends.push(match law.quantile(1.0) {
        f64::INFINITY => law.quantile(1.0 - 1e-15).ln() + 3.0,
        greatest => greatest.ln(),
    });
    let f = |u: f64| f64::from(power) * (f64::from(power) * u).exp() * (1.0 - law.cdf(u.exp()));
    let node = 0.6_f64.sqrt();
    let between = |low: f64, high: f64| -> f64 {
        let half = 0.5 * (high - low) / f64::from(STEPS);
        let step = |i: u32| {
            let middle = low + f64::from(2 * i + 1) * half;
            5.0 * f(middle - node * half) + 8.0 * f(middle) + 5.0 * f(middle + node * half)
        };
        half / 9.0 * (0..STEPS).map(step).sum::<f64>()
    };
    // Nearly nothing is below the first end.
    let below = (f64::from(power) * ends[0]).exp();
    below + ends.windows(2).map(|w| between(w[0], w[1])).sum::<f64>()
}

#[test]
fn moments_agree_with_numerical_integration() {
    for law in smooth() {
        let (mean, second) = (moment(&law, 1), moment(&law, 2));
        assert!((law.mean() / mean - 1.0).abs() < 1e-9, "{law:?}: {} {mean}", law.mean());
        // The complement of the distribution function has 1e-16 absolute, which the square weighs heavily.
        let within = if law.quantile(1.0) == f64::INFINITY { 1e-7 } else { 1e-9 };
        let ours = law.second_moment();
        assert!((ours / second - 1.0).abs() < within, "{law:?}: {ours} {second}");
        assert!((law.cv() - (ours / law.mean().powi(2) - 1.0).sqrt()).abs() < 1e-6);
    }
}

#[test]
fn moments_of_jumps_are_exact() {
    let law = empirical(&[(5.0, 1.0), (1.0, 3.0)]);
    assert!((law.mean() - 2.0).abs() < 1e-14 && (law.variance() - 3.0).abs() < 1e-14);
    let law = mixture(vec![(0.9, Distribution::exponential(0.005)), (0.1, Distribution::constant(0.08))]);
    let second = 0.9 * 2.0 * 0.005 * 0.005 + 0.1 * 0.08 * 0.08;
    assert!((law.mean() - 0.0125).abs() < 1e-15 && (law.second_moment() - second).abs() < 1e-15);
    assert_eq!(Law::constant(3.0).cv(), 0.0);
}

#[test]
fn quantiles_have_known_values() {
    let law: Law = Distribution::lognormal(1.0, 1.0);
    // exp(-ln(2) / 2), and 2.326347874 standard deviations above it.
    assert!((law.quantile(0.5) - 0.5_f64.sqrt()).abs() < 1e-14);
    let p99 = (2.326_347_874_040_841 * 2_f64.ln().sqrt() - 2_f64.ln() / 2.0).exp();
    assert!((law.quantile(0.99) / p99 - 1.0).abs() < 1e-12);
    // Gamma with shape 4 and scale 1/4: chi-squared with 8 degrees of freedom, over 8.
    assert!((gamma(1.0, 0.5).quantile(0.95) / (15.507_313_055_865_453 / 8.0) - 1.0).abs() < 1e-12);
    assert_eq!(empirical(&[(5.0, 1.0), (1.0, 3.0)]).quantile(0.75), 1.0);
    assert_eq!(empirical(&[(5.0, 1.0), (1.0, 3.0)]).quantile(0.76), 5.0);
    assert_eq!(quantiles(&[(0.5, 0.005), (1.0, 0.2)]).quantile(0.5), 0.005);
    let law = mixture(vec![(0.9, Distribution::exponential(0.005)), (0.1, Distribution::constant(0.08))]);
    assert!((law.quantile(0.95) - 0.08).abs() < 1e-15, "{}", law.quantile(0.95));
}

#[test]
fn quantiles_invert_the_distribution_function() {
    for law in smooth() {
        for p in [1e-6, 0.01, 0.3, 0.5, 0.77, 0.9, 0.99, 0.9999] {
            let x = law.quantile(p);
            assert!((law.cdf(x) - p).abs() < 1e-9, "{law:?} {p}: {x} {}", law.cdf(x));
        }
    }
    for law in with_jumps() {
        for p in [1e-6, 0.01, 0.3, 0.5, 0.77, 0.9, 0.99, 0.9999] {
            let x = law.quantile(p);
            assert!(law.cdf(x) >= p - 1e-9, "{law:?} {p}: {x}");
            assert!(law.cdf(x * (1.0 - 1e-9)) <= p + 1e-6, "{law:?} {p}: {x}");
        }
    }
}

#[test]
fn samples_have_the_stated_mean_cv_and_quantiles() {
    for law in smooth().into_iter().chain(with_jumps()) {
        let (sampler, mut stream) = (law.sampler(), Stream::new(3, "law", "test", 0));
        let draws = 500_000;
        let values: Vec<f64> = (0..draws).map(|_| sampler.draw(&mut stream)).collect();
        // The mean of a heavy tail is not seen in half a million values; what is below its p99 is.
        let cap = law.quantile(0.99);
        let capped = values.iter().map(|v| v.min(cap)).sum::<f64>() / f64::from(draws);
        let expected =
            (0..20_000).map(|i| law.quantile((f64::from(i) + 0.5) / 20_000.0).min(cap)).sum::<f64>()
                / 20_000.0;
        assert!((capped / expected - 1.0).abs() < 0.01, "{law:?}: {capped} {expected}");
        if law.cv() < 3.0 {
            let mean = values.iter().sum::<f64>() / f64::from(draws);
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(draws);
            assert!((mean / law.mean() - 1.0).abs() < 0.01, "{law:?}: {mean}");
            assert!(
                (variance.sqrt() / mean - law.cv()).abs() < 0.05 * law.cv() + 1e-9,
                "{law:?}: {variance}"
            );
        }
        for p in [0.05, 0.5, 0.9, 0.99] {
            let x = law.quantile(p) * (1.0 + 1e-12);
            let below = values.iter().filter(|v| **v <= x).count() as f64 / f64::from(draws);
            assert!((below - law.cdf(x)).abs() < 0.004, "{law:?} p{p}: {below}");
        }
    }
}

#[test]
fn a_scaled_law_is_the_law_of_scaled_values() {
    for law in smooth().into_iter().chain(with_jumps()) {
        let scaled = law.scale(1e3);
        assert!((scaled.mean() / law.mean() / 1e3 - 1.0).abs() < 1e-12, "{law:?}");
        assert!((scaled.cv() - law.cv()).abs() < 1e-6, "{law:?}");
        for p in [0.1, 0.5, 0.99] {
            assert!((scaled.quantile(p) / law.quantile(p) / 1e3 - 1.0).abs() < 1e-9, "{law:?} {p}");
        }
    }
}

fn any_law() -> impl Strategy<Value = Law> {
    let values = prop::collection::vec((1e-6..1e3_f64, 0.01..10.0_f64), 1..30);
    let leaf = prop_oneof![
        (1e-6..1e6_f64).prop_map(Law::constant),
        (1e-6..1e6_f64).prop_map(Law::exponential),
        (1e-6..1e6_f64, 0.001..20.0_f64).prop_map(|(mean, cv)| Law::lognormal(mean, cv)),
        (1e-6..1e6_f64, 0.01..20.0_f64).prop_map(|(mean, cv)| gamma(mean, cv)),
        (1e-6..1e6_f64, 1.001..1e12_f64, 0.01..20.0_f64).prop_map(|(min, ratio, shape)| pareto(
            min,
            min * ratio,
            shape
        )),
        values.clone().prop_map(|list| empirical(&list)),
        values.prop_map(|list| {
            let total: f64 = list.iter().map(|v| v.1).sum();
            let (mut p, mut value) = (0.0, 0.0);
            let mut points: Vec<(f64, f64)> = list
                .iter()
                .map(|v| {
                    p += v.1 / total;
                    value += v.0;
                    (p, value)
                })
                .collect();
            points.last_mut().unwrap().0 = 1.0;
            quantiles(&points)
        }),
    ];
    prop_oneof![leaf.clone(), prop::collection::vec((0.01..1.0_f64, leaf), 1..5).prop_map(mixture)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_quantile_is_the_least_value_reached(law in any_law(), p in 0.0..1.0_f64) {
        let x = law.quantile(p);
        prop_assert!(x >= 0.0 && x.is_finite());
        prop_assert!(law.cdf(x) >= p - 1e-9, "{} {}", x, law.cdf(x));
        prop_assert!(x < 1e-290 || law.cdf(x * (1.0 - 1e-7)) <= p + 1e-4, "{} {}", x, law.cdf(x));
        let lower = law.quantile(p * 0.5);
        prop_assert!(lower <= x * (1.0 + 1e-9), "{} at {}, {} at half of it", x, p, lower);
        prop_assert!(law.mean() > 0.0 && law.cv().is_finite());
    }

    #[test]
    fn draws_lie_where_the_distribution_function_says(law in any_law()) {
        let (sampler, mut stream) = (law.sampler(), Stream::new(5, "law", "any", 0));
        let values: Vec<f64> = (0..10_000).map(|_| sampler.draw(&mut stream)).collect();
        for p in [0.1, 0.5, 0.9] {
            let x = law.quantile(p) * (1.0 + 1e-9) + 1e-290;
            let below = values.iter().filter(|v| **v <= x).count() as f64 / 1e4;
            prop_assert!((below - law.cdf(x)).abs() < 0.03, "p{}: {} for {}", p, below, law.cdf(x));
        }
    }
}
