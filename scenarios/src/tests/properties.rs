//! What holds of every scenario, not only of those in the library.

use proptest::prelude::*;

use super::generate;
use crate::diagnostic::{Origin, SourceFile};
use crate::node::{self, Node, Value};
use crate::scenario::Scenario;
use crate::units::{Bandwidth, Count, Dimension, Duration, Fraction, Quantity, Rate, Ratio, Size, Spread};
use crate::{overlay, write};

fn parsed(text: &str) -> Node {
    node::parse(&SourceFile::new("made.yaml", text)).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn checked(node: &Node, text: &str) -> Scenario {
    Scenario::from_tree(node, vec![SourceFile::new("made.yaml", text)])
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// The same tree with every place forgotten.
fn placeless(node: &Node) -> Node {
    let value = match &node.value {
        Value::List(items) => Value::List(items.iter().map(placeless).collect()),
        Value::Map(pairs) => Value::Map(pairs.iter().map(|(k, v)| (placeless(k), placeless(v))).collect()),
        other => other.clone(),
    };
    Node { value, origin: Origin::default() }
}

fn written(node: &Node) -> String {
    write::yaml(node, &|origin| (origin.file > 0).then(|| format!("other.yaml:{} # \u{7} {{", origin.line)))
}

/// Any text: words, what YAML takes for something else, and what no keyboard has.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
        proptest::sample::select(vec![
            "null",
            "~",
            "true",
            "no",
            "1.50",
            "1e9",
            "0x10",
            "0o7",
            "-",
            "---",
            "...",
            "? a",
            "- a",
            "a: b",
            "a #b",
            "#",
            "'",
            "\"",
            "\\",
            "",
            " ",
            "\n",
            "a\nb",
            "\t",
            "<<",
            "*a",
            "&a",
            "!t",
            "%a",
            "@a",
            "`a",
            "[",
            "{a",
            ".inf",
            "-.inf",
            ".nan",
            "1_000",
            "19:00",
            "1:30:00",
            "2026-11-22",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\0",
            "a:",
            ":a",
            "=",
            "é",
            "日本",
            "a ",
            " a",
            "+1 h",
            "-5.5 h",
        ])
        .prop_map(str::to_owned),
    ]
}

fn place() -> impl Strategy<Value = Origin> {
    (0..3_u16, 0..4_u32).prop_map(|(file, line)| Origin { file, line, column: 1, length: 1 })
}

/// Any tree that a file could hold: maps have no name twice.
fn tree() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![1 => Just(Value::Null), 9 => text().prop_map(Value::Text)];
    let node = (leaf, place()).prop_map(|(value, origin)| Node { value, origin });
    node.prop_recursive(5, 60, 6, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::List);
        let map = proptest::collection::vec((text(), place(), inner), 0..5).prop_map(|entries| {
            let mut pairs: Vec<(Node, Node)> = Vec::new();
            for (name, origin, node) in entries {
                let key = Node { value: Value::Text(name), origin };
                if pairs.iter().all(|(other, _)| other.value != key.value) {
                    pairs.push((key, node));
                }
            }
            Value::Map(pairs)
        });
        (prop_oneof![list, map], place()).prop_map(|(value, origin)| Node { value, origin })
    })
}

/// A number as somebody would write it, with its value.
fn amount() -> impl Strategy<Value = f64> {
    prop_oneof![(1..1_000_000_u32).prop_map(f64::from), (1..100_000_u32).prop_map(|n| f64::from(n) / 128.0)]
}

fn round_trip<D: Dimension>(amount: f64, high: f64, unit: &str, spread: Spread) {
    let name = Spread::NAMES.iter().find(|(_, s)| *s == spread).map_or("", |(name, _)| name);
    let one = Quantity::<D>::parse(&format!("{amount} {unit}"));
    let Ok(one) = one else { panic!("{amount} {unit}: {one:?}") };
    assert_eq!(Quantity::<D>::parse(&one.text).unwrap(), one);
    assert!((one.get() / D::factor(unit).unwrap() / amount - 1.0).abs() < 1e-12, "{one:?}");
    let range = Quantity::<D>::parse(&format!("{amount} to {high} {unit} {name}")).unwrap();
    assert_eq!(Quantity::<D>::parse(&range.text).unwrap(), range);
    let (from, to) = range.range.unwrap();
    assert!(from < range.get() && range.get() < to, "{range:?}");
    assert_eq!((from, range.spread), (one.get(), spread));
    // The middle is where half of the probability lies.
    assert!((range.at_score(0.0) / range.get() - 1.0).abs() < 1e-9, "{range:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_quantity_is_read_back_from_its_text(amount in amount(), more in 1.001..100.0_f64, i in 0..5_usize, j in 0..64_usize) {
        let (high, spread) = (amount * more, Spread::NAMES[i].1);
        let unit = |units: &'static [&'static str]| units[j % units.len()];
        round_trip::<crate::units::Bytes>(amount, high, unit(crate::units::Bytes::UNITS), spread);
        round_trip::<crate::units::Things>(amount, high, unit(crate::units::Things::UNITS), spread);
        round_trip::<crate::units::PerSecond>(amount, high, unit(crate::units::PerSecond::UNITS), spread);
        round_trip::<crate::units::BitsPerSecond>(amount, high, unit(crate::units::BitsPerSecond::UNITS), spread);
        round_trip::<crate::units::SquareMetres>(amount, high, unit(crate::units::SquareMetres::UNITS), spread);
        round_trip::<crate::units::Seconds>(amount / 1e6, high / 1e6, unit(crate::units::Seconds::UNITS), spread);
    }

    #[test]
    fn an_interval_is_the_rate_of_its_inverse(amount in amount(), more in 1.001..100.0_f64) {
        let every = Rate::parse(&format!("every {amount} s")).unwrap();
        prop_assert!((every.get() * amount - 1.0).abs() < 1e-12);
        let every = Rate::parse(&format!("every {amount} to {} s", amount * more)).unwrap();
        let (low, high) = every.range.unwrap();
        prop_assert!(low < every.get() && every.get() < high, "{every:?}");
        prop_assert!((high * amount - 1.0).abs() < 1e-12 && (low * amount * more - 1.0).abs() < 1e-12);
    }

    #[test]
    fn percent_and_fraction_agree(share in 0.0..=1.0_f64) {
        let (percent, fraction) = (Fraction::parse(&format!("{} %", share * 100.0)), Fraction::parse(&share.to_string()));
        prop_assert!((percent.unwrap().get() - fraction.unwrap().get()).abs() < 1e-12);
        let ratio = Ratio::parse(&format!("{} %", share * 1000.0)).unwrap();
        prop_assert!((ratio.get() - share * 10.0).abs() < 1e-9);
    }

    #[test]
    fn every_text_is_read_as_some_quantity_or_told_why_not(text in text()) {
        for result in [
            Size::parse(&text).map(|q| q.get()),
            Duration::parse(&text).map(|q| q.get()),
            Count::parse(&text).map(|q| q.get()),
            Rate::parse(&text).map(|q| q.get()),
            Bandwidth::parse(&text).map(|q| q.get()),
            Fraction::parse(&text).map(|q| q.get()),
        ] {
            match result {
                Ok(value) => prop_assert!(value.is_finite() && value >= 0.0),
                Err((cause, fix)) => prop_assert!(!cause.is_empty() && !fix.is_empty()),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back(node in tree()) {
        let yaml = written(&node);
        let read = node::parse(&SourceFile::new("t.yaml", &yaml));
        let read = read.unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
        prop_assert_eq!(placeless(&read), placeless(&node), "{}", yaml);
    }

    #[test]
    fn laying_nothing_over_changes_nothing(node in tree()) {
        let mut map = Node { value: Value::Map(vec![(parsed("a"), node)]), origin: Origin::default() };
        let before = map.clone();
        overlay::merge(&mut map, parsed("{}"));
        prop_assert_eq!(&map, &before);
        // Laying it over itself neither.
        let again = map.clone();
        overlay::merge(&mut map, again);
        prop_assert_eq!(placeless(&map), placeless(&before));
    }

    #[test]
    fn a_valid_scenario_survives_writing_and_reading(seed in any::<u64>()) {
        let text = generate::scenario(seed);
        let node = parsed(&text);
        let scenario = checked(&node, &text);
        let yaml = written(&node);
        let read = parsed(&yaml);
        prop_assert_eq!(placeless(&read), placeless(&node));
        let again = checked(&read, &yaml);
        for (name, action) in &scenario.actions {
            prop_assert_eq!(scenario.mean_rate(action), again.mean_rate(&again.actions[name]));
        }
        prop_assert_eq!(super::schema::complaint(&text), None);
    }

    #[test]
    fn twice_the_users_never_do_less(seed in any::<u64>()) {
        let text = generate::scenario(seed);
        let mut node = parsed(&text);
        let one = checked(&node, &text);
        let (low, high) = one.population.users.range.map_or((None, one.population.users.get()), |(l, h)| (Some(l), h));
        let twice = low.map_or(format!("{}", high * 2.0), |low| format!("{} to {}", low * 2.0, high * 2.0));
        let setting = SourceFile::new("--set", &format!("population.users={twice}"));
        overlay::set(&mut node, &setting, 1).unwrap();
        let two = checked(&node, &text);
        for (name, action) in &one.actions {
            let (before, after) = (one.mean_rate(action), two.mean_rate(&two.actions[name]));
            prop_assert!(after >= before, "{name}: {before} /s, and {after} /s of twice as many");
        }
    }
}
