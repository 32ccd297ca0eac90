use super::{duration, popularity, size};
use crate::decode::Decoder;
use crate::diagnostic::{Problem, SourceFile};
use crate::distribution::Distribution;
use crate::node::{self, Node, Value};
use crate::popularity::Popularity;
use crate::units::{Bytes, Dimension, Seconds};

/// What `decode` makes of `law: TEXT`, and its problems.
fn decoded<T>(
    text: &str,
    decode: impl Fn(&mut Decoder, &Node, &str) -> Option<T>,
) -> (Option<T>, Vec<Problem>) {
    let root = node::parse(&SourceFile::new("law.yaml", &format!("law: {text}"))).expect(text);
    let Value::Map(pairs) = &root.value else { panic!("{text} is no map") };
    let mut decoder = Decoder::default();
    let law = decode(&mut decoder, &pairs[0].1, "law");
    (law, decoder.problems)
}

#[track_caller]
fn good<T>(text: &str, decode: impl Fn(&mut Decoder, &Node, &str) -> Option<T>) -> T {
    let (law, problems) = decoded(text, decode);
    assert!(problems.is_empty(), "{text}: {problems:?}");
    law.expect(text)
}

/// There is one problem, its cause and fix say this.
#[track_caller]
fn bad<T>(text: &str, (cause, fix): (&str, &str), decode: impl Fn(&mut Decoder, &Node, &str) -> Option<T>) {
    let (_, problems) = decoded(text, decode);
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    let problem = &problems[0];
    assert!(problem.cause.contains(cause) && problem.fix.contains(fix), "{text}: {problem:?}");
    assert!(problem.origin.line > 0, "{text}: {problem:?}");
}

#[test]
fn every_popularity_is_read() {
    for (text, top_tenth) in [
        ("uniform", 0.1),
        ("{uniform}", 0.1),
        ("{zipf: 1.0}", 0.692_5),
        ("{zipf: {exponent: 1.0}}", 0.692_5),
        ("{hot_set: {objects: 10 %, requests: 80 %}}", 0.8),
        ("{table: [{top: 1 %, requests: 60 %}, {top: 10 %, requests: 90 %}]}", 0.9),
        ("{table: [{objects: 1 %, requests: 60 %}, {objects: 9 %, requests: 30 %}]}", 0.9),
        ("{table: [{top: 10 %, requests: 60 %}, {top: 100 %, requests: 100 %}]}", 0.6),
        ("{counts: [1, 1, 1, 1, 91, 1, 1, 1, 1, 1]}", 0.91),
        ("{counts: [0, 0, 0, 0, 3 K]}", 0.5),
        (
            "{mixture: [{weight: 70 %, hot_set: {objects: 10 %, requests: 80 %}}, {weight: 30 %, uniform}]}",
            0.59,
        ),
    ] {
        let law = good(text, popularity).over(1_000);
        assert!((law.mass(0, 100) - top_tenth).abs() < 1e-3, "{text}: {}", law.mass(0, 100));
    }
    let text = "{zipf: {exponent: 0.8 to 1.1, head: 50, cutoff: 20 M, stretch: 0.7}}";
    let Popularity::Zipf(zipf) = good(text, popularity) else { panic!("{text}") };
    assert_eq!(zipf.exponent.range, Some((0.8, 1.1)));
    assert_eq!(zipf.cutoff.unwrap().get(), 2e7);
    assert_eq!((zipf.head.unwrap().get(), zipf.stretch.get()), (50.0, 0.7));
    assert!(good("{zipf: 0.8 to 1.1}", popularity).over(10).p(0) > 0.1);
}

#[test]
fn a_bad_popularity_is_one_problem_with_a_fix() {
    for (text, cause, fix) in [
        ("unifrom", "unknown value", "did you mean `uniform`?"),
        ("zipf", "unknown value", "`zipf` has parameters"),
        ("{}", "names no law", "{zipf: 1.0}"),
        ("{zip: 1}", "unknown field `zip`", "did you mean `zipf`?"),
        ("{zipf: 1, uniform}", "both `uniform` and `zipf`", "keep one"),
        ("{uniform: 3}", "no parameters", "`uniform` alone"),
        ("{zipf: 12}", "is 12", "up to 5"),
        ("{zipf: 1 to 12}", "is 1 to 12", "up to 5"),
        ("{zipf: }", "empty", "1.0"),
        ("{zipf: {head: 3}}", "`law.zipf.exponent` is missing", "exponent: 1.0"),
        ("{zipf: {exponent: 1, cutof: 3}}", "unknown field `cutof`", "`cutoff`"),
        ("{zipf: {exponent: 1, stretch: 0.7}}", "`stretch` and no `cutoff`", "add `cutoff"),
        ("{zipf: {exponent: 1, cutoff: 3, stretch: 70}}", "stretch is 70", "0.1 to 5"),
        ("{zipf: {exponent: 1, head: 1e20}}", "head is 1", "10^13"),
        ("{hot_set: {objects: 20 %}}", "requests` is missing", "80 %"),
        ("{hot_set: {objects: 100 %, requests: 100 %}}", "objects is 100 %", "less than 100 %"),
        ("{hot_set: {objects: 80 %, requests: 20 %}}", "80 % of the objects get 20 %", "swap"),
        ("{hot_set: {objects: 20 MB, requests: 80 %}}", "20 MB", "20 %"),
        ("{table: []}", "0 items", "top: 1 %"),
        ("{table: 3}", "expected a list", "top: 1 %"),
        ("{table: [{top: 1 %, objects: 2 %, requests: 3 %}]}", "both `top` and `objects`", "keep one"),
        (
            "{table: [{top: 1 %, requests: 3 %}, {objects: 1 %, requests: 1 %}]}",
            "rows with `top`",
            "keep to one",
        ),
        ("{table: [{top: 10 %, requests: 30 %}, {top: 1 %, requests: 60 %}]}", "does not ascend", "grow"),
        ("{table: [{objects: 60 %, requests: 30 %}, {objects: 60 %, requests: 30 %}]}", "objects", "100 %"),
        ("{table: [{objects: 60 %, requests: 30 %}, {objects: 40 %, requests: 30 %}]}", "requests", "100 %"),
        ("{table: [{objects: 0 %, requests: 30 %}]}", "objects is 0 %", "more than 0"),
        ("{table: [{tpo: 1 %, requests: 30 %}]}", "unknown field `tpo`", "`top`"),
        ("{counts: [0, 0]}", "all 0", "asked for"),
        ("{counts: [3, many, lots]}", "many", "350"),
        ("{counts: [3, -1]}", "-1", "350"),
        ("{mixture: [{weight: 70 %, uniform}]}", "add up to 70", "100 %"),
        ("{mixture: [{weight: 100 %}]}", "names no law", "zipf"),
        ("{mixture: [{weight: 0 %, uniform}, {weight: 100 %, zipf: 1}]}", "weight is 0 %", "more than 0"),
        ("{mixture: [{weight: 100 %, mixture: [], uniform}]}", "is a mixture in a mixture", "multiplied"),
        ("{mixture: [{wieght: 100 %, uniform}]}", "unknown field `wieght`", "`weight`"),
    ] {
        bad(text, (cause, fix), popularity);
    }
    let many = "7, ".repeat(100_001);
    bad(&format!("{{counts: [{many}]}}"), ("100001 items", "put some together"), popularity);
    assert!(good(&format!("{{counts: [{}]}}", "7, ".repeat(100_000)), popularity).over(9).p(8) > 0.1);
}

#[test]
fn every_distribution_is_read() {
    for (text, mean, cv) in [
        ("20 ms", 0.02, 0.0),
        ("10 to 20 ms", 0.02 / 2_f64.sqrt(), 0.0),
        ("{constant: 20 ms}", 0.02, 0.0),
        ("{exponential: 20 ms}", 0.02, 1.0),
        ("{lognormal: {mean: 20 ms, cv: 1.5}}", 0.02, 1.5),
        ("{lognormal: {mean: 10 to 20 ms, cv: 1}}", 0.02 / 2_f64.sqrt(), 1.0),
        ("{gamma: {mean: 20 ms, cv: 0.5}}", 0.02, 0.5),
        ("{empirical: [{value: 5 ms, weight: 3}, {value: 25 ms, weight: 1}]}", 0.01, 0.75_f64.sqrt()),
        ("{empirical: [5 ms, 5 ms, 5 ms, 25 ms]}", 0.01, 0.75_f64.sqrt()),
        ("{quantiles: {p0: 5 ms, p100: 5 ms}}", 0.005, 0.0),
        ("{mixture: [{weight: 90 %, constant: 5 ms}, {weight: 10 %, constant: 55 ms}]}", 0.01, 1.5),
    ] {
        let law: Distribution<Seconds> = good(text, duration);
        assert!((law.mean() / mean - 1.0).abs() < 1e-12, "{text}: {}", law.mean());
        assert!((law.cv() - cv).abs() < 1e-9, "{text}: {}", law.cv());
    }
    let law: Distribution<Bytes> = good("{pareto: {min: 1 KB, max: 1 GB, shape: 1.2}}", size);
    assert!((law.quantile(1.0) - 1e9).abs() < 1.0 && (law.quantile(0.0) - 1e3).abs() < 1e-9);
    let law = good("{quantiles: {p99.9: 90 ms, p50: 5 ms, p100: 200 ms}}", duration);
    assert!((law.quantile(0.5) - 0.005).abs() < 1e-12 && (law.quantile(0.999) - 0.09).abs() < 1e-12);
}

#[test]
fn a_bad_distribution_is_one_problem_with_a_fix() {
    for (text, cause, fix) in [
        ("0 ms", "law is 0 ms", "more than 0"),
        ("20", "has no unit", "20 ms"),
        ("20 MB", "is a size", "20 ms"),
        ("[20 ms]", "is a list", "lognormal"),
        ("{}", "names no law", "{exponential: 20 ms}"),
        ("{exponental: 20 ms}", "unknown field", "`exponential`"),
        ("{exponential: 20 ms, constant: 3 ms}", "both `constant` and `exponential`", "keep one"),
        ("{exponential: 0 ms}", "law.exponential is 0 ms", "more than 0"),
        ("{lognormal: {mean: 20 ms}}", "cv` is missing", "1.0"),
        ("{lognormal: {mean: 20 ms, cv: 50}}", "cv is 50", "0 to 20"),
        ("{gamma: {mean: 20 ms, cv: 0.001}}", "cv is 0.001", "0.01 to 20"),
        ("{pareto: {min: 20 ms, max: 5 ms, shape: 1}}", "from 20 ms to 5 ms", "more than `min`"),
        ("{pareto: {min: 1 to 20 ms, max: 5 ms, shape: 1}}", "from 1 to 20 ms", "more than `min`"),
        ("{pareto: {min: 1 ms, max: 5 ms, shape: 100}}", "shape is 100", "0.01 to 20"),
        ("{empirical: []}", "0 items", "weight: 3"),
        ("{empirical: [{value: 5 ms, weight: -1}]}", "-1", "3"),
        ("{quantiles: {p50: 5 ms}}", "p100` is missing", "at most"),
        ("{quantiles: {p50: 5 ms, p90: 4 ms, p100: 9 ms}}", "p50 is 5 ms and p90 is 4 ms", "ascend"),
        ("{quantiles: {q50: 5 ms, p100: 9 ms}}", "`q50` is no quantile", "p50"),
        ("{quantiles: {p101: 5 ms, p100: 9 ms}}", "`p101` is no quantile", "0 to 100"),
        ("{quantiles: {p50: 0 ms, p100: 9 ms}}", "p50 is 0 ms", "more than 0"),
        ("{quantiles: {p0: 0 ms, p100: 0 ms}}", "p100 is 0 ms", "more than 0"),
        ("{mixture: [{weight: 90 %, constant: 5 ms}]}", "add up to 90", "100 %"),
        ("{mixture: [{weight: 100 %, mixture: []}]}", "is a mixture in a mixture", "multiplied"),
    ] {
        bad(text, (cause, fix), duration);
    }
    // Examples are of the right kind.
    bad("{exponential: [1]}", ("expected a single value", Bytes::EXAMPLE), size);
    bad("{}", ("names no law", "{exponential: 5 MB}"), size);
}

#[test]
fn weights_that_are_ranges_need_not_add_up() {
    let text = "{mixture: [{weight: 60 to 80 %, zipf: 1}, {weight: 30 %, uniform}]}";
    let law = good(text, popularity).over(100);
    assert!((law.mass(0, 100) - 1.0).abs() < 1e-12);
}
